//! Room back for what is gone, without anybody asking for it: segments that hold too many points which count no more
//! are written anew without them, and free pages of the database go back to the file system.
//!
//! With the bounds below, and the merges of `seal.rs`, the files of a store stay under 2.5 times those of a compacted
//! one. Where S are segments and D the database of the live points: at most 1.5 S hold them and 1 S is being written;
//! of the pages of D one in eight is free, and where every other row is gone they are no fuller than half.

use std::sync::atomic::Ordering::Relaxed;

use rusqlite::Connection;

use crate::error::Result;
use crate::store::registry::SegmentRow;
use crate::store::{cells, changes, memories};

use super::core::{Call, Core};
use super::seal;

/// A segment is written anew when more than one in so many of its points counts no more.
const GONE: i64 = 3;
/// Pages of the database go back when more than one in so many is free...
const FREE: i64 = 8;
/// ...and more than so many (256 KiB).
const FEW: i64 = 64;
/// Pages given back in one transaction: writers wait no longer for it than for a batch of a hundred memories.
const AT_ONCE: i64 = 256;
/// After so many changes at least it is looked whether there is anything to do...
const LEAST: i64 = 64;
/// ...and after as many as one in so many of the sealed points.
const SHARE: i64 = 8;

/// Whether it is time to look. Costs nothing.
pub(crate) fn may_be_due(core: &Core) -> bool {
    let segments = core.view.segments();
    let Some(last) = segments.last() else { return false };
    let points: i64 = segments.iter().map(|loaded| loaded.row.points).sum();
    let since = core.purged.load(Relaxed).max(last.row.hi);
    core.db.acknowledged() - since >= LEAST.max(points / SHARE)
}

/// Does what there is to do.
pub(crate) fn purge(core: &Core) -> Result<()> {
    if core.forbids(Call::Write) || !may_be_due(core) || crate::sabotage::on("keep_what_is_gone") {
        return Ok(());
    }
    core.purged.store(core.db.acknowledged(), Relaxed);
    let _one = core.sealing.lock();
    core.view.catch_up(&core.db)?;
    if wasteful(core)?.is_some() {
        // Whoever has the lease may be at it.
        let Some(_lease) = seal::lease(core)? else { return Ok(()) };
        seal::begin(core)?;
        // Each round leaves a segment with nothing in it that is gone.
        while let Some(row) = wasteful(core)?.filter(|_| !core.is_cancelled()) {
            seal::rewrite(core, row)?;
        }
    }
    give_back(core)
}

/// A segment that holds too much of what is gone.
fn wasteful(core: &Core) -> Result<Option<SegmentRow>> {
    let segments = core.view.segments();
    core.db.snapshot(|conn| {
        for loaded in segments.iter() {
            if gone(conn, &loaded.row)? * GONE > loaded.row.points {
                return Ok(Some(loaded.row.clone()));
            }
        }
        Ok(None)
    })
}

/// How many points of a segment count no more.
fn gone(conn: &Connection, row: &SegmentRow) -> Result<i64> {
    // Few went away since: then they need no counting.
    if changes::masking_after(conn, row.hi)?.cast_signed() * GONE <= row.points {
        return Ok(0);
    }
    let range = (row.lo, row.hi);
    Ok(row.points - memories::count_points(conn, range)? - cells::count_points(conn, range)?)
}

fn give_back(core: &Core) -> Result<()> {
    let mut gave = false;
    loop {
        let (free, pages) = core.db.pages()?;
        if free <= FEW || free * FREE <= pages || core.is_cancelled() {
            break;
        }
        core.db.give_back(core.now(), AT_ONCE)?;
        gave = true;
        if core.db.pages()?.0 >= free {
            // A database of before there was this: compaction makes it one that can.
            break;
        }
    }
    // The file becomes shorter when the log is moved into it.
    if gave { core.db.checkpoint(core.now()) } else { Ok(()) }
}
