//! Near-duplicates merged, and set apart again.

use std::ffi::c_char;
use std::ptr;

use wisen::{MemoryId, Merge};

use crate::call::{call_on, peek};
use crate::error::{invalid, wisen_error};
use crate::handle::{Object, free, give};
use crate::raw::from_c;
use crate::status::wisen_status;
use crate::store::wisen_store;

/// A merger. Make it with wisen_merge_init(); wisen_merges_get() fills it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_merge {
    /// Size of this structure, for growth: set by wisen_merge_init().
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The memory that stays.
    pub survivor: u64,
    /// The memory that is no hit any more; its id still stands for the survivor.
    pub absorbed: u64,
    /// Similarity of the two, in the store's metric.
    pub similarity: f64,
}

/// A list of mergers. Handle, to be freed with wisen_merges_free(); one thread at a time. It needs the
/// store no longer.
pub struct wisen_merges {
    list: Vec<Merge>,
}

impl Object for wisen_merges {
    const NAME: &'static str = "wisen_merges";
    const MAGIC: u32 = u32::from_be_bytes(*b"Wmer");
}

/// Merges near-duplicates of a namespace: memories of one kind whose similarity is at least `threshold`
/// (cosine, dot product, or minus the squared distance). The oldest survives and has the evidence of
/// all; what is reported on the others counts for it. Memories that expire, and pinned ones, are merged
/// into no other. `*merges` tells what was merged: a handle to be freed with wisen_merges_free(), on
/// failure NULL. wisen_separate() undoes it. WISEN_INVALID_ARGUMENT if the threshold is not finite. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_distil(
    store: *mut wisen_store,
    namespace_name: *const c_char,
    namespace_size: usize,
    threshold: f64,
    merges: *mut *mut wisen_merges,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, merges, error);
    merges.write_if_wanted(ptr::null_mut());
    call_on(store, error, |store| {
        merges.check("merges")?;
        let namespace = namespace_name.some_text("namespace", namespace_size)?;
        let list = store.store.distil(namespace, threshold as f32)?;
        merges.write("merges", give(wisen_merges { list }))
    })
}

/// How many mergers there are in the list; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_merges_count(merges: *const wisen_merges) -> usize {
    from_c!(merges);
    peek(merges, 0, |merges| merges.list.len())
}

/// Fills `*merge` with merger number `index`, counted from 0; `merge->struct_size` must be set, as
/// wisen_merge_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_merges_get(
    merges: *const wisen_merges,
    index: usize,
    merge: *mut wisen_merge,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(merges, merge, error);
    call_on(merges, error, |merges| {
        let found = merges.list.get(index);
        let found = found
            .ok_or_else(|| invalid("index", format!("{index}, there are {} mergers", merges.list.len())))?;
        merge.fill(&wisen_merge {
            struct_size: size_of::<wisen_merge>() as u32,
            reserved: 0,
            survivor: found.survivor.0,
            absorbed: found.absorbed.0,
            similarity: found.similarity.into(),
        })
    })
}

/// Frees the list and sets the variable to NULL. A NULL variable, or NULL in it, is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_merges_free(merges: *mut *mut wisen_merges) {
    from_c!(merges);
    free(merges);
}

/// Undoes the merger of a memory: it is a hit again and has its own evidence, as if it had never been
/// merged. WISEN_UNKNOWN_MEMORY if there is none with this id or it was forgotten,
/// WISEN_INVALID_ARGUMENT if it is merged into no other. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_separate(
    store: *mut wisen_store,
    id: u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, error);
    call_on(store, error, |store| Ok(store.store.separate(MemoryId(id))?))
}
