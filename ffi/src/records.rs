//! Records: everything stored about a memory, one at a time or page by page.

use std::ffi::c_char;
use std::ptr;

use wisen::{MemoryId, Record};

use crate::call::{ErrorPlace, call_on, peek};
use crate::error::{Fault, invalid, wisen_error};
use crate::guard::source_number;
use crate::handle::{Object, free, give};
use crate::origin::{self, Origin};
use crate::raw::{Out, from_c};
use crate::receipt::wisen_receipt;
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::{Chars, json, wisen_text};

/// Everything stored about a memory. Make it with wisen_record_init(); wisen_records_get() fills
/// it. Its texts and its vector belong to the records.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_record {
    /// Size of this structure, for growth: set by wisen_record_init().
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Its id.
    pub id: u64,
    /// Its namespace.
    pub namespace_name: wisen_text,
    /// Its kind.
    pub kind: wisen_text,
    /// Its text.
    pub content: wisen_text,
    /// Its embedding, as it was given; in a store with f16 as that keeps it.
    pub vector: *const f32,
    /// How many numbers `vector` has.
    pub dimension: usize,
    /// Its metadata, as JSON; NULL if it has none.
    pub metadata: wisen_text,
    /// Who wrote it; NULL if nobody in particular.
    pub author: wisen_text,
    /// The caller's own name for it; NULL if it has none.
    pub key: wisen_text,
    /// When it was stored, in microseconds since 1970-01-01 00:00 UTC.
    pub created_at_us: i64,
    /// When it was last changed, likewise.
    pub updated_at_us: i64,
    /// When it stops being recalled, likewise; 0: never.
    pub expires_at_us: i64,
    /// The memory that replaced it, or that it was merged into; 0: none.
    pub superseded_by: u64,
    /// The memory that stands for it since it was merged (wisen_distil()); 0: none.
    pub merged_into: u64,
    /// How far the word of its author is good, in 0 to 1: 1 if it names none, else its reliability
    /// (wisen_principal).
    pub trust: f64,
    /// How long ago it was stored, in microseconds.
    pub age_us: u64,
    /// A wisen_source. 0: not told.
    pub source: i32,
    /// What was noticed when it came, added up, as in wisen_hit.flags.
    pub flags: u32,
    /// The recall in which it came about; all zero: not told.
    pub origin: wisen_receipt,
    /// The memories that it was made of.
    pub parents: *const u64,
    /// How many parents there are.
    pub parents_count: usize,
    /// The model that wrote it; NULL: not told.
    pub model: wisen_text,
    /// What the hook of a handle has called it.
    pub tags: *const wisen_text,
    /// How many tags there are.
    pub tags_count: usize,
}

/// A list of records. Handle, to be freed with wisen_records_free(); one thread at a time. It needs
/// the store no longer.
pub struct wisen_records(Vec<Shown>);

impl Object for wisen_records {
    const NAME: &'static str = "wisen_records";
    const MAGIC: u32 = u32::from_be_bytes(*b"Wlis");
}

/// A record, and its texts as C sees them.
struct Shown {
    record: Record,
    namespace: Chars,
    kind: Chars,
    content: Chars,
    metadata: Option<Chars>,
    origin: Origin,
    key: Option<Chars>,
}

impl Shown {
    fn new(mut record: Record) -> Self {
        Self {
            namespace: Chars::new(std::mem::take(&mut record.namespace)),
            kind: Chars::new(std::mem::take(&mut record.kind)),
            content: Chars::new(std::mem::take(&mut record.content)),
            metadata: json(&record.metadata.take()),
            origin: Origin::new(Some(&record.provenance)),
            key: record.key.take().map(Chars::new),
            record,
        }
    }

    fn lend(&self) -> wisen_record {
        let from = &self.record.provenance;
        let (parents, parents_count) = self.origin.parents();
        let (tags, tags_count) = self.origin.tags();
        wisen_record {
            struct_size: size_of::<wisen_record>() as u32,
            reserved: 0,
            id: self.record.id.0,
            namespace_name: self.namespace.lend(),
            kind: self.kind.lend(),
            content: self.content.lend(),
            vector: self.record.vector.as_ptr(),
            dimension: self.record.vector.len(),
            metadata: Chars::lend_option(self.metadata.as_ref()),
            author: self.origin.author(),
            key: Chars::lend_option(self.key.as_ref()),
            created_at_us: self.record.created_at,
            updated_at_us: self.record.updated_at,
            expires_at_us: self.record.expires_at.unwrap_or(0),
            superseded_by: self.record.superseded_by.map_or(0, |id| id.0),
            merged_into: self.record.merged_into.map_or(0, |id| id.0),
            trust: from.trust,
            age_us: from.age.as_micros() as u64,
            source: source_number(from.source),
            flags: origin::flags(Some(from)),
            origin: origin::receipt(Some(from)),
            parents,
            parents_count,
            model: self.origin.model(),
            tags,
            tags_count,
        }
    }
}

/// A call that answers with a list of records.
fn list(
    store: Out<wisen_store>,
    records: Out<*mut wisen_records>,
    error: ErrorPlace,
    body: impl FnOnce(&wisen_store) -> Result<Vec<Record>, Fault>,
) -> wisen_status {
    records.write_if_wanted(ptr::null_mut());
    call_on(store, error, |store| {
        records.check("records")?;
        let found = body(store)?.into_iter().map(Shown::new).collect();
        records.write("records", give(wisen_records(found)))
    })
}

/// Everything stored about a memory: a list of one record, or of none if there is none with this
/// id or it was forgotten. On success `*records` is a handle to be freed with wisen_records_free(),
/// on failure NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_get(
    store: *mut wisen_store,
    id: u64,
    records: *mut *mut wisen_records,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, records, error);
    list(store, records, error, |store| Ok(store.store.get(MemoryId(id))?.into_iter().collect()))
}

/// Up to `limit` records with ids above `after`, in the order of ids, of one namespace, or of all
/// if its name is NULL. Start with 0, go on with the id of the last record; fewer than `limit`
/// records mean the end. On success `*records` is a handle to be freed with wisen_records_free(), on
/// failure NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_page(
    store: *mut wisen_store,
    namespace_name: *const c_char,
    namespace_size: usize,
    after: u64,
    limit: usize,
    records: *mut *mut wisen_records,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, records, error);
    list(store, records, error, |store| {
        let namespace = namespace_name.text("namespace", namespace_size)?;
        Ok(store.store.page(namespace, MemoryId(after), limit)?)
    })
}

/// How many records there are in the list; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_records_count(records: *const wisen_records) -> usize {
    from_c!(records);
    peek(records, 0, |records| records.0.len())
}

/// Fills `*record` with record number `index`, counted from 0; `record->struct_size` must be set, as
/// wisen_record_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_records_get(
    records: *const wisen_records,
    index: usize,
    record: *mut wisen_record,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(records, record, error);
    call_on(records, error, |records| {
        let found = records.0.get(index);
        let found = found
            .ok_or_else(|| invalid("index", format!("{index}, there are {} records", records.0.len())))?;
        record.fill(&found.lend())
    })
}

/// Frees the records, and with them their texts and vectors, and sets the variable to NULL. A NULL
/// variable, or NULL in it, is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_records_free(records: *mut *mut wisen_records) {
    from_c!(records);
    free(records);
}
