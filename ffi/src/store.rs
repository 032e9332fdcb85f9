//! The life of a store: opened, made durable, closed, freed.

use std::ffi::c_char;
use std::ptr;

use wisen::{Options, Store};

use crate::call::{call, call_on, peek};
use crate::error::{Fault, wisen_error};
use crate::handle::{Object, free, give};
use crate::options::wisen_options;
use crate::raw::from_c;
use crate::status::wisen_status;
use crate::text::Chars;

/// A store, opened. Handle; any thread, also several at once, but for wisen_store_free(). Do not use
/// it in a process forked from the one that opened it: it answers WISEN_FORKED.
pub struct wisen_store {
    pub(crate) store: Store,
    pub(crate) path: Chars,
    pub(crate) model: std::sync::OnceLock<Option<Chars>>,
}

impl Object for wisen_store {
    const NAME: &'static str = "wisen_store";
    const MAGIC: u32 = u32::from_be_bytes(*b"Wsto");
}

const _: () = {
    const fn any_thread<T: Send + Sync>() {}
    any_thread::<wisen_store>();
};

/// Opens the store in the directory `path`, or creates it; ":memory:" opens one of its own that
/// lives in memory. `options` may be NULL: those of a store that exists. On success `*store` is a
/// handle to be freed with wisen_store_free(), on failure NULL. WISEN_NOT_A_STORE where something
/// else is, WISEN_MISMATCH if the options contradict what was fixed at creation. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_open(
    path: *const c_char,
    path_size: usize,
    options: *const wisen_options,
    store: *mut *mut wisen_store,
    error: *mut *mut wisen_error,
) -> wisen_status {
    let existing = options.is_null();
    from_c!(path, options, store, error);
    call(error, || {
        store.write("store", ptr::null_mut())?;
        let path = path.some_text("path", path_size)?;
        let options = if existing { Options::existing() } else { options.read()?.options()? };
        let opened = Store::open(path, options)?;
        let path = Chars::new(opened.path().to_string_lossy());
        let model = std::sync::OnceLock::new();
        store.write("store", give(wisen_store { store: opened, path, model }))
    })
}

/// The directory of the store, or ":memory:"; NULL for no store. The text belongs to the store.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_path(store: *const wisen_store) -> *const c_char {
    from_c!(store);
    peek(store, ptr::null(), |store| store.path.as_ptr())
}

/// Makes durable whatever was acknowledged, receipts included. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_flush(store: *mut wisen_store, error: *mut *mut wisen_error) -> wisen_status {
    from_c!(store, error);
    call_on(store, error, |store| store.store.flush().map_err(Fault::from))
}

/// Builds segments of what is in none yet, now, however little it is. Recalls go on meanwhile. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_seal(store: *mut wisen_store, error: *mut *mut wisen_error) -> wisen_status {
    from_c!(store, error);
    call_on(store, error, |store| store.store.seal().map_err(Fault::from))
}

/// Flushes, seals what is due, stops the threads. The handle stays: every later call on it answers
/// WISEN_CLOSED (closing again is fine), until wisen_store_free(), which closes the files. What
/// recalls and pages have handed out stays good. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_close(store: *mut wisen_store, error: *mut *mut wisen_error) -> wisen_status {
    from_c!(store, error);
    call_on(store, error, |store| store.store.close().map_err(Fault::from))
}

/// Frees the handle and sets the variable to NULL. A store that was not closed is closed first, but
/// nobody hears whether that went well, and what was due to be sealed is left to the next opening. A NULL variable, or NULL in it, is fine. No other thread
/// may be in a call on this store, nor make one later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_store_free(store: *mut *mut wisen_store) {
    from_c!(store);
    free(store);
}
