//! Room back for what is gone, without anybody asking for it: segments that hold too many points which count no more
//! are written anew without them, and free pages of the database go back to the file system.
//!
//! Together with the merges of `seal.rs` this keeps the files of a store under 2.5 times those of a compacted one, and
//! the write-ahead log beside them (`store/connect.rs`). Let S be the segments and D the database of what lives, about
//! equal. Where a third is gone, 1.5 S hold it and 1 S is being written anew. Where half is gone at once, that is 2 S and
//! 1 S, and of the pages of D, which hold two vectors each, three in four are in use still: 1.5 D, and an eighth free.
//! Who forgets more than half faster than a segment is written has to wait for his room till it is.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rusqlite::Connection;

use crate::error::Result;
use crate::store::registry::SegmentRow;
use crate::store::{cells, changes, memories};

use super::core::{Call, Core};
use super::seal;

/// A segment is written anew when more than one in so many of its points counts no more.
const GONE: i64 = 3;
/// Pages given back in one transaction: writers wait no longer for it than for a batch of a hundred memories.
const AT_ONCE: i64 = 256;
/// After so many changes at least it is looked whether there is anything to do...
const LEAST: i64 = 64;
/// ...and after as many as one in so many of the sealed points.
const SHARE: i64 = 8;
/// Whoever forgets much is let finish, within reason: what goes meanwhile would be written anew for nothing. It is
/// waited till nothing comes for so long...
const QUIET: Duration = Duration::from_millis(50);
/// ...but no more than so many times.
const PATIENCE: usize = 20;

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
    core.view.catch_up(&core.db)?;
    if wasteful(core)?.is_some() {
        wait_for_quiet(core);
    }
    core.purged.store(core.db.acknowledged(), Relaxed);
    let _one = core.sealing.lock();
    core.view.catch_up(&core.db)?;
    // First, so that what is written meanwhile finds room.
    give_back(core)?;
    if wasteful(core)?.is_some() {
        // Whoever has the lease may be at it.
        let Some(_lease) = seal::lease(core)? else { return Ok(()) };
        seal::begin(core)?;
        // Each round leaves a segment with nothing in it that is gone.
        while let Some(row) = wasteful(core)?.filter(|_| !core.is_cancelled()) {
            seal::rewrite(core, row)?;
        }
    }
    Ok(())
}

fn wait_for_quiet(core: &Core) {
    let mut seen = core.db.acknowledged();
    for _ in 0..PATIENCE {
        std::thread::sleep(QUIET);
        let now = core.db.acknowledged();
        if now == seen || core.is_cancelled() || core.enter_for(Call::Oversight).is_err() {
            return;
        }
        seen = now;
    }
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
    // None, though there are some: a database of before there was this. Compaction makes it one that can.
    while !core.is_cancelled() && core.db.write(core.now(), |tx| tx.give_back(AT_ONCE))? > 0 {
        gave = true;
    }
    // The file becomes shorter when the log is moved into it.
    if gave { core.db.checkpoint(core.now()) } else { Ok(()) }
}
