//! Backup and restore.

use std::path::Path;

use crate::error::{Error, Result};
use crate::store::{backup as copies, create_control};

use super::inspect;
use super::place;
use super::report;
use super::store::Store;

impl Store {
    /// Copies the store to one file, while others go on reading and writing: what was acknowledged before
    /// the call is in it, and of what comes meanwhile a beginning or nothing. The file appears whole under
    /// its name, or not at all. Returns its size in bytes.
    ///
    /// It holds everything but segments, which are derived, and receipts that nobody has reported on: a
    /// report on one of those is refused by a restored store
    /// ([`UnknownReceipt`](crate::Error::UnknownReceipt)). It is a SQLite database.
    ///
    /// A file that exists is replaced if `replace` says so, and refused otherwise
    /// ([`InvalidArgument`](crate::Error::InvalidArgument)), as is one in the directory of the store. A
    /// store that is damaged cannot be backed up: [`Corrupt`](crate::Error::Corrupt). Takes free space
    /// for the file, and reads the copy again to check it.
    pub fn backup(&self, file: impl AsRef<Path>, replace: bool) -> Result<u64> {
        self.core.enter()?;
        let (core, file) = (&self.core, file.as_ref());
        place::may_write(core, file, replace)?;
        report::settle_all(core)?;
        place::file(file, replace, |temporary| {
            let at = place::about(file);
            core.db.read(|conn| copies::copy_to(conn, temporary)).map_err(&at)?;
            let copy = copies::open_copy(temporary).map_err(&at)?;
            if let Some(fault) = inspect::first_fault(&copy).map_err(&at)? {
                return Err(Error::corrupt(fault));
            }
            copies::mark(&copy).map_err(&at)?;
            drop(copy);
            std::fs::metadata(temporary).map(|found| found.len()).map_err(Error::io("inspect", temporary))
        })
    }

    /// Makes a store in `directory`, which must be empty or missing, from a file that
    /// [`backup`](Store::backup) made. The file is checked whole before: SQLite's structure, a hash over
    /// every table, all checksums and sums; what is wrong with it is
    /// [`BadBackup`](crate::Error::BadBackup), and nothing is restored. The directory appears whole, or not
    /// at all.
    ///
    /// The restored store begins another life: segments and control files of the one it comes from are of
    /// no account in it, and it gives out no id (of a memory, a report) that the other may have given out
    /// since. Settings, ids and tokens stay as they were.
    pub fn restore(file: impl AsRef<Path>, directory: impl AsRef<Path>) -> Result<()> {
        let (file, directory) = (file.as_ref(), directory.as_ref());
        let backup = copies::open_checked(file)?;
        place::folder(directory, |temporary| {
            let database = temporary.join("memory.db");
            let at = place::about(directory);
            copies::copy_to(&backup, &database).map_err(&at)?;
            let copy = copies::open_copy(&database).map_err(&at)?;
            copies::revive(&copy).map_err(&at)?;
            if let Some(why) = inspect::first_fault(&copy).map_err(&at)? {
                return Err(Error::BadBackup { path: file.to_owned(), why });
            }
            create_control(&copy, temporary).map_err(&at)?;
            drop(copy);
            place::sync_file(&database)
        })
    }
}
