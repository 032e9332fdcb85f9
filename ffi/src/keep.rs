//! Backup, restore, compaction, export, import, erasure.

use std::ffi::c_char;

use wisen::{MemoryId, Store};

use crate::call::{call, call_on};
use crate::error::{Fault, wisen_error};
use crate::raw::from_c;
use crate::status::wisen_status;
use crate::store::wisen_store;

/// Copies the store to one file, while others go on reading and writing. The file appears whole under its
/// name, or not at all; one that exists is replaced if `replace` is not 0, and answers
/// WISEN_INVALID_ARGUMENT otherwise. It holds everything but segments, which are derived, and receipts that
/// nobody has reported on. `*bytes`, which may be NULL, is its size. WISEN_CORRUPT if the store is damaged.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_backup(
    store: *mut wisen_store,
    file: *const c_char,
    file_size: usize,
    replace: i32,
    bytes: *mut u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, file, bytes, error);
    call_on(store, error, |store| {
        let file = file.some_text("file", file_size)?;
        bytes.write_if_wanted(store.store.backup(file, replace != 0)?);
        Ok(())
    })
}

/// Makes a store in `directory`, which must be empty or missing, from a file that wisen_backup() wrote. The
/// file is checked whole before: WISEN_BAD_BACKUP says what is wrong with it, and nothing is restored. The
/// restored store begins another life: files of the one it comes from are of no account in it, and it gives
/// out no id that the other may have given out since. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_restore(
    file: *const c_char,
    file_size: usize,
    directory: *const c_char,
    directory_size: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(file, directory, error);
    call(error, || {
        let file = file.some_text("file", file_size)?;
        let directory = directory.some_text("directory", directory_size)?;
        Store::restore(file, directory).map_err(Fault::from)
    })
}

/// Merges all segments into one without what is gone, drops what nobody needs any more, rewrites both
/// databases and empties their logs: what was forgotten is in no file then. Others may go on. `*before` and
/// `*after`, which may be NULL, are the bytes of all files. WISEN_BUSY if another process seals, or reads
/// from the log, for longer than the busy timeout. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_compact(
    store: *mut wisen_store,
    before: *mut u64,
    after: *mut u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, before, after, error);
    call_on(store, error, |store| {
        let sizes = store.store.compact()?;
        before.write_if_wanted(sizes.bytes_before);
        after.write_if_wanted(sizes.bytes_after);
        Ok(())
    })
}

/// Writes everything that is not derived to one file of JSON lines, as of one moment. The file appears whole
/// or not at all; one that exists is replaced if `replace` is not 0, and answers WISEN_INVALID_ARGUMENT
/// otherwise. `*rows`, which may be NULL, is the number of rows. WISEN_CORRUPT if the store is damaged. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_export(
    store: *mut wisen_store,
    file: *const c_char,
    file_size: usize,
    replace: i32,
    rows: *mut u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, file, rows, error);
    call_on(store, error, |store| {
        let file = file.some_text("file", file_size)?;
        rows.write_if_wanted(store.store.export(file, replace != 0)?);
        Ok(())
    })
}

/// Makes a store in `directory`, which must be empty or missing, from a file that wisen_export() wrote. A
/// file that is cut, changed or no export answers WISEN_BAD_IMPORT, whose message names the line, and
/// nothing is imported. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_import(
    file: *const c_char,
    file_size: usize,
    directory: *const c_char,
    directory_size: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(file, directory, error);
    call(error, || {
        let file = file.some_text("file", file_size)?;
        let directory = directory.some_text("directory", directory_size)?;
        Store::import(file, directory).map_err(Fault::from)
    })
}

/// Remembers the memories of an export in this store, in one transaction, with new ids, and without
/// reports, standings and whatever else was learnt. `*count`, which may be NULL, is how many.
/// WISEN_BAD_IMPORT names the line at fault, also where a memory does not fit in here; nothing is imported
/// then. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_import_memories(
    store: *mut wisen_store,
    file: *const c_char,
    file_size: usize,
    count: *mut u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, file, count, error);
    call_on(store, error, |store| {
        let ids = store.store.import_memories(file.some_text("file", file_size)?)?;
        count.write_if_wanted(ids.len() as u64);
        Ok(())
    })
}

/// Forgets a memory and everything that holds its words or its vector: its experiences, notes of reports in
/// which it was used, texts of recalls and notes that quote it, recalls whose query was its vector (in f16:
/// rounds to it), and the
/// memories merged into it. After wisen_compact() nothing of it is in any byte of any file of the store;
/// backups and exports made before are out of reach. `*forgotten` (may be NULL) tells whether
/// there was one. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_forget_hard(
    store: *mut wisen_store,
    id: u64,
    forgotten: *mut bool,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, forgotten, error);
    call_on(store, error, |store| {
        forgotten.write_if_wanted(store.store.forget_hard(MemoryId(id))?);
        Ok(())
    })
}
