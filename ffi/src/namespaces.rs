//! Namespaces: listed, counted, dropped.

use std::ffi::c_char;
use std::ptr;

use crate::call::{call_on, peek};
use crate::error::{invalid, wisen_error};
use crate::handle::{Object, free, give};
use crate::raw::from_c;
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::{Chars, wisen_text};

/// A namespace and what it holds. Make it with wisen_namespace_init(); wisen_namespaces_get() fills
/// it. Its name belongs to the namespaces.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_namespace {
    /// Size of this structure, for growth: set by wisen_namespace_init().
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Its name.
    pub name: wisen_text,
    /// Memories in it that were neither forgotten nor superseded.
    pub memories: u64,
    /// When the first memory came, in microseconds since 1970-01-01 00:00 UTC.
    pub created_at_us: i64,
}

/// A list of namespaces. Handle, to be freed with wisen_namespaces_free(); one thread at a time. It
/// needs the store no longer.
pub struct wisen_namespaces {
    list: Vec<(Chars, wisen::Namespace)>,
}

impl Object for wisen_namespaces {
    const NAME: &'static str = "wisen_namespaces";
    const MAGIC: u32 = u32::from_be_bytes(*b"Wnam");
}

/// All namespaces, by name. On success `*namespaces` is a handle to be freed with
/// wisen_namespaces_free(), on failure NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_namespaces(
    store: *mut wisen_store,
    namespaces: *mut *mut wisen_namespaces,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespaces, error);
    namespaces.write_if_wanted(ptr::null_mut());
    call_on(store, error, |store| {
        namespaces.check("namespaces")?;
        let found = store.store.namespaces()?.into_iter();
        let list = found.map(|space| (Chars::new(space.name.clone()), space)).collect();
        namespaces.write("namespaces", give(wisen_namespaces { list }))
    })
}

/// How many namespaces there are in the list; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_namespaces_count(namespaces: *const wisen_namespaces) -> usize {
    from_c!(namespaces);
    peek(namespaces, 0, |namespaces| namespaces.list.len())
}

/// Fills `*entry` with namespace number `index`, counted from 0; `entry->struct_size` must be set,
/// as wisen_namespace_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_namespaces_get(
    namespaces: *const wisen_namespaces,
    index: usize,
    entry: *mut wisen_namespace,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(namespaces, entry, error);
    call_on(namespaces, error, |namespaces| {
        let count = namespaces.list.len();
        let found = namespaces.list.get(index);
        let (name, space) =
            found.ok_or_else(|| invalid("index", format!("{index}, there are {count} namespaces")))?;
        entry.fill(&wisen_namespace {
            struct_size: size_of::<wisen_namespace>() as u32,
            reserved: 0,
            name: name.lend(),
            memories: space.memories,
            created_at_us: space.created_at,
        })
    })
}

/// Frees the list, and with it the names, and sets the variable to NULL. A NULL variable, or NULL
/// in it, is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_namespaces_free(namespaces: *mut *mut wisen_namespaces) {
    from_c!(namespaces);
    free(namespaces);
}

/// How many memories there are in a namespace, or in all if its name is NULL, that were neither
/// forgotten nor superseded. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_count(
    store: *mut wisen_store,
    namespace_name: *const c_char,
    namespace_size: usize,
    memories: *mut u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, memories, error);
    call_on(store, error, |store| {
        let namespace = namespace_name.text("namespace", namespace_size)?;
        memories.write("memories", store.store.count(namespace)?)
    })
}

/// Forgets everything in a namespace, and the namespace. `*dropped` (may be NULL) becomes the
/// number of memories that were in it. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_drop_namespace(
    store: *mut wisen_store,
    namespace_name: *const c_char,
    namespace_size: usize,
    dropped: *mut u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, dropped, error);
    call_on(store, error, |store| {
        let name = namespace_name.some_text("namespace", namespace_size)?;
        dropped.write_if_wanted(store.store.drop_namespace(name)?);
        Ok(())
    })
}
