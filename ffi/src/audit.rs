//! The audit table: what was decided, by whom and on which figures.

use std::ptr;

use wisen::AuditEntry;

use crate::call::{call_on, peek};
use crate::error::{invalid, wisen_error};
use crate::handle::{Object, free, give};
use crate::raw::from_c;
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::{Chars, wisen_text};

/// An entry of the audit table; never changed or deleted. Make it with wisen_audit_entry_init();
/// wisen_audit_entries_get() fills it. Its texts belong to the entries.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_audit_entry {
    /// Size of this structure, for growth: set by wisen_audit_entry_init().
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Its number: 1, 2, 3, ... without gaps.
    pub id: u64,
    /// When it was decided, in microseconds since 1970-01-01 00:00 UTC.
    pub at_us: i64,
    /// "engine": by a rule; "owner": by a call; "principal:NAME": proven by its token; "unproven:NAME": a name
    /// that anybody may use; "authority:NAME": proven by its signature.
    pub actor: wisen_text,
    /// What was done, such as "quarantine" or "policy".
    pub op: wisen_text,
    /// The namespace it is about; NULL if that is gone.
    pub namespace_name: wisen_text,
    /// The memory it is about; 0: none.
    pub memory: u64,
    /// The figures and reasons behind it: a JSON object.
    pub detail: wisen_text,
    /// Its hash in the chain, in hexadecimal digits: wisen_anchor() ends with it if it is the last. NULL: somebody has
    /// taken it away.
    pub hash: wisen_text,
}

/// A list of audit entries. Handle, to be freed with wisen_audit_entries_free(); one thread at a time.
/// It needs the store no longer.
pub struct wisen_audit_entries {
    list: Vec<Shown>,
}

impl Object for wisen_audit_entries {
    const NAME: &'static str = "wisen_audit_entries";
    const MAGIC: u32 = u32::from_be_bytes(*b"Waud");
}

/// An entry, and its texts as C sees them.
struct Shown {
    entry: AuditEntry,
    actor: Chars,
    op: Chars,
    namespace: Option<Chars>,
    detail: Chars,
    hash: Option<Chars>,
}

impl Shown {
    fn new(mut entry: AuditEntry) -> Self {
        Self {
            actor: Chars::new(std::mem::take(&mut entry.actor)),
            op: Chars::new(std::mem::take(&mut entry.op)),
            namespace: entry.namespace.take().map(Chars::new),
            detail: Chars::new(entry.detail.take().to_string()),
            hash: entry.hash.take().map(Chars::new),
            entry,
        }
    }

    fn lend(&self) -> wisen_audit_entry {
        wisen_audit_entry {
            struct_size: size_of::<wisen_audit_entry>() as u32,
            reserved: 0,
            id: self.entry.id,
            at_us: self.entry.at,
            actor: self.actor.lend(),
            op: self.op.lend(),
            namespace_name: Chars::lend_option(self.namespace.as_ref()),
            memory: self.entry.memory.map_or(0, |id| id.0),
            detail: self.detail.lend(),
            hash: Chars::lend_option(self.hash.as_ref()),
        }
    }
}

/// Up to `limit` entries of the audit table after number `after`, oldest first. Start with 0, go on
/// with the number of the last entry; fewer than `limit` entries mean the end. On success `*entries` is
/// a handle to be freed with wisen_audit_entries_free(), on failure NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_audit_entries(
    store: *mut wisen_store,
    after: u64,
    limit: usize,
    entries: *mut *mut wisen_audit_entries,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, entries, error);
    entries.write_if_wanted(ptr::null_mut());
    call_on(store, error, |store| {
        entries.check("entries")?;
        let found = store.store.audit_entries(after, limit)?;
        let list = found.into_iter().map(Shown::new).collect();
        entries.write("entries", give(wisen_audit_entries { list }))
    })
}

/// How many entries there are in the list; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_audit_entries_count(entries: *const wisen_audit_entries) -> usize {
    from_c!(entries);
    peek(entries, 0, |entries| entries.list.len())
}

/// Fills `*entry` with entry number `index` of the list, counted from 0; `entry->struct_size` must be
/// set, as wisen_audit_entry_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_audit_entries_get(
    entries: *const wisen_audit_entries,
    index: usize,
    entry: *mut wisen_audit_entry,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(entries, entry, error);
    call_on(entries, error, |entries| {
        let found = entries.list.get(index);
        let found = found
            .ok_or_else(|| invalid("index", format!("{index}, there are {} entries", entries.list.len())))?;
        entry.fill(&found.lend())
    })
}

/// Frees the list, and with it its texts, and sets the variable to NULL. A NULL variable, or NULL in it,
/// is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_audit_entries_free(entries: *mut *mut wisen_audit_entries) {
    from_c!(entries);
    free(entries);
}
