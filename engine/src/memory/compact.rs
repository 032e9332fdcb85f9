//! Compaction: everything dead goes, and the files are as small as what is alive.

use std::path::Path;

use crate::error::{Error, Result};
use crate::store::{changes, erase};

use super::core::Core;
use super::report;
use super::seal;
use super::store::Store;

/// What [`Store::compact`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// Size of all files of the store before, in bytes; 0 for a store in memory.
    pub bytes_before: u64,
    /// Size after it.
    pub bytes_after: u64,
}

impl Store {
    /// Merges all segments into one without what is gone, drops what nobody needs any more (memories whose
    /// time is over, files that were set aside, the log of changes that every segment holds), rewrites both
    /// databases and empties their logs. What was forgotten is in no file then.
    ///
    /// Others may go on: recalls do not wait, writes wait while the database is rewritten. It takes as long
    /// as building the index, and free space for a copy of the store. Killed at any point, it leaves a
    /// sound store, and can be repeated. If this handle is sealing, it waits for that;
    /// [`Busy`](crate::Error::Busy) if another process seals, or reads from the log, for longer than the busy
    /// timeout.
    pub fn compact(&self) -> Result<Compaction> {
        self.core.enter()?;
        self.core.writable()?;
        compact(&self.core)
    }
}

fn compact(core: &Core) -> Result<Compaction> {
    let bytes_before = size(core)?;
    report::settle_all(core)?;
    // This handle may be sealing: that comes to an end by itself, so it is no reason to fail.
    let _one = core.sealing.lock();
    let lease = seal::wait_for_lease(core)?;
    let sealed = seal::merge_all(core, &lease)?;
    core.db.write(core.now(), |tx| {
        erase::drop_situations(tx)?;
        changes::thin(tx, sealed)
    })?;
    core.db.vacuum()?;
    core.receipts.vacuum()?;
    drop(lease);
    Ok(Compaction { bytes_before, bytes_after: size(core)? })
}

/// Bytes of all files of the store.
fn size(core: &Core) -> Result<u64> {
    fn of(folder: &Path) -> Result<u64> {
        let mut sum = 0;
        for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
            let entry = entry.map_err(Error::io("list", folder))?;
            // Files come and go while others write.
            let Ok(found) = entry.metadata() else { continue };
            sum += if found.is_dir() { of(&entry.path())? } else { found.len() };
        }
        Ok(sum)
    }
    core.dir.as_deref().map_or(Ok(0), of)
}
