//! Erasing a memory for good.

use crate::error::Result;
use crate::id::MemoryId;
use crate::store::erase::{self, Traces};
use crate::store::memories::{self, FORGOTTEN};

use super::core::Core;
use super::store::Store;
use super::witness::{self, Before};

impl Store {
    /// Forgets a memory and everything that holds its words or its vector: its content, metadata, key and
    /// vector, its experiences, notes of reports in which it was used, and the texts of recalls and notes
    /// that are its content, or quote it if it has at least 16 bytes. Recalls whose query was its vector
    /// (the same numbers; in f16, numbers that round to it) are erased too, and reports on them retracted. Memories merged into it go with
    /// it. Returns whether there was one. Ask for it in place of [`forget`](Store::forget), not after it: what was
    /// forgotten, has expired or was replaced by an update is not there any more to tell what speaks of it.
    ///
    /// Receipts that other handles have issued and not yet written (for about ten milliseconds after a recall) are dropped.
    /// After [`compact`](Store::compact) nothing of it is in any byte of any file of the store. Out of
    /// reach are backups and exports made before, copies that were stored as other memories, words of the
    /// owner in the audit table (the reasons given for decisions), and blocks that the file system or the
    /// disk has set free but not overwritten.
    pub fn forget_hard(&self, id: MemoryId) -> Result<bool> {
        self.core.enter()?;
        forget(&self.core, id)
    }
}

fn forget(core: &Core, id: MemoryId) -> Result<bool> {
    core.writable()?;
    let load = || {
        core.db.snapshot(|conn| match memories::load(conn, id.0.cast_signed())? {
            Some(row) => Traces::of(conn, &row).map(Some),
            None => Ok(None),
        })
    };
    let Some(traces) = load()? else {
        return Ok(false);
    };
    let receipts = |traces: &Traces| {
        let (is_at, speaks) = (|vector: &[f32]| traces.lie_at(vector), |text: &str| traces.speak_in(text));
        core.receipts.erase(&|| core.db.note_erasure(), &is_at, &speaks)
    };
    // First, so that whatever happens after it can be asked for again.
    receipts(&traces)?;
    let (was_there, traces) = core.db.write(core.now(), |tx| {
        let Some(row) = memories::load(tx.conn, id.0.cast_signed())? else {
            return Ok((false, traces));
        };
        // It may have been changed meanwhile.
        let traces = Traces::of(tx.conn, &row)?;
        let (namespace, memory) = (row.namespace, row.id);
        let before = match row.status {
            FORGOTTEN => Before::Untold,
            _ => witness::before_the_end(core, tx, &row)?,
        };
        let was_there = erase::erase(tx, &core.trust(), row, &traces)?;
        witness::forgotten(tx, before, namespace, memory)?;
        Ok((was_there, traces))
    })?;
    receipts(&traces)?;
    Ok(was_there)
}
