//! Memories on their way in: stored, changed, forgotten.

use std::time::Duration;

use serde_json::Value;
use wisen::{Memory, MemoryId, ReceiptId, Update};

use crate::call::call_on;
use crate::error::{Fault, invalid, wisen_error};
use crate::guard;
use crate::raw::from_c;
use crate::receipt::wisen_receipt;
use crate::sized::Given;
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::wisen_text;

/// A memory to be stored. Make it with wisen_memory_init(), then set at least content and vector.
/// Zero in a field is its default.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_memory {
    /// Size of this structure, for growth: set by wisen_memory_init().
    pub struct_size: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Its text. Needed.
    pub content: wisen_text,
    /// Its embedding. Needed.
    pub vector: *const f32,
    /// How many numbers `vector` has: as many as the store's dimension.
    pub dimension: usize,
    /// The partition it belongs to (1 to 255 bytes). NULL: "default".
    pub namespace_name: wisen_text,
    /// A free label that recalls can ask for (1 to 255 bytes). NULL: "note".
    pub kind: wisen_text,
    /// A JSON object kept with it, as text. NULL: none.
    pub metadata: wisen_text,
    /// Who wrote it (1 to 255 bytes). NULL: nobody in particular.
    pub author: wisen_text,
    /// The caller's own name for it, unique in its namespace: remembering the same memory under
    /// the same key again stores nothing and returns the id it has. NULL: none.
    pub key: wisen_text,
    /// The memory this one replaces. 0: none.
    pub supersedes: u64,
    /// How long it may be recalled, in microseconds. 0: for ever.
    pub time_to_live_us: u64,
    /// What kind of source it comes from: a wisen_source. 0: not told.
    pub source: i32,
    /// Must be 0.
    pub reserved2: u32,
    /// The recall in which it came about. NULL: not told.
    pub origin: *const wisen_receipt,
    /// The memories that it was made of, at most 64; may be NULL if there are none.
    pub parents: *const u64,
    /// How many parents there are.
    pub parents_count: usize,
    /// The model that wrote it (1 to 255 bytes). NULL: not told.
    pub model: wisen_text,
    /// The model that made `vector`: WISEN_MISMATCH if those of the store were made with another one
    /// (wisen_options.model). NULL: not told.
    pub embedding_model: wisen_text,
}

/// A change to a stored memory: what is not named stays. Make it with wisen_update_init().
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_update {
    /// Size of this structure, for growth: set by wisen_update_init().
    pub struct_size: u32,
    /// Not 0: it may be recalled for ever from now on.
    pub no_time_to_live: u32,
    /// New text. NULL: stays.
    pub content: wisen_text,
    /// New embedding. NULL: stays.
    pub vector: *const f32,
    /// How many numbers `vector` has.
    pub dimension: usize,
    /// New kind. NULL: stays.
    pub kind: wisen_text,
    /// New metadata: a JSON object as text, or "null" for none. NULL: stays.
    pub metadata: wisen_text,
    /// How long it may be recalled from now on, in microseconds. 0: stays.
    pub time_to_live_us: u64,
    /// The model that made `vector`, as wisen_memory.embedding_model.
    pub embedding_model: wisen_text,
}

fn parse_json(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|why| invalid("metadata", format!("it is not JSON: {why}")))
}

impl Given<'_, wisen_memory> {
    fn memory(&self) -> Result<Memory, Fault> {
        if self.reserved != 0 {
            return Err(invalid("reserved", "it must be 0"));
        }
        let content = self.text("content", |m| m.content)?;
        let content = content.ok_or_else(|| invalid("content", "the pointer is NULL"))?;
        if self.vector.is_null() {
            return Err(invalid("vector", "the pointer is NULL"));
        }
        let mut memory = Memory::new(content, self.slice("vector", |m| (m.vector, m.dimension))?);
        if let Some(name) = self.text("namespace", |m| m.namespace_name)? {
            memory = memory.namespace(name);
        }
        if let Some(kind) = self.text("kind", |m| m.kind)? {
            memory = memory.kind(kind);
        }
        if let Some(metadata) = self.text("metadata", |m| m.metadata)? {
            memory = memory.metadata(parse_json(metadata)?);
        }
        if let Some(author) = self.text("author", |m| m.author)? {
            memory = memory.author(author);
        }
        if let Some(key) = self.text("key", |m| m.key)? {
            memory = memory.key(key);
        }
        if self.supersedes != 0 {
            memory = memory.supersedes(MemoryId(self.supersedes));
        }
        if self.reserved2 != 0 {
            return Err(invalid("reserved2", "it must be 0"));
        }
        if let Some(source) = guard::source(self.source)? {
            memory = memory.source(source);
        }
        if let [receipt] = self.slice("origin", |m| (m.origin, usize::from(!m.origin.is_null())))? {
            memory = memory.origin(ReceiptId::from_bytes(receipt.bytes));
        }
        for parent in self.slice("parents", |m| (m.parents, m.parents_count))? {
            memory = memory.parent(MemoryId(*parent));
        }
        if let Some(model) = self.text("model", |m| m.model)? {
            memory = memory.model(model);
        }
        if let Some(model) = self.text("embedding_model", |m| m.embedding_model)? {
            memory = memory.embedding_model(model);
        }
        if self.time_to_live_us != 0 {
            memory = memory.time_to_live(Duration::from_micros(self.time_to_live_us));
        }
        Ok(memory)
    }
}

impl Given<'_, wisen_update> {
    fn update(&self) -> Result<Update, Fault> {
        let mut update = Update::new();
        if let Some(content) = self.text("content", |u| u.content)? {
            update = update.content(content);
        }
        let vector = self.slice("vector", |u| (u.vector, u.dimension))?;
        if !self.vector.is_null() {
            update = update.vector(vector);
        }
        if let Some(model) = self.text("embedding_model", |u| u.embedding_model)? {
            update = update.embedding_model(model);
        }
        if let Some(kind) = self.text("kind", |u| u.kind)? {
            update = update.kind(kind);
        }
        if let Some(metadata) = self.text("metadata", |u| u.metadata)? {
            update = update.metadata(parse_json(metadata)?);
        }
        match (self.no_time_to_live, self.time_to_live_us) {
            (0, 0) => {}
            (0, micros) => update = update.time_to_live(Some(Duration::from_micros(micros))),
            (_, 0) => update = update.time_to_live(None),
            _ => return Err(invalid("time_to_live_us", "no_time_to_live is given as well")),
        }
        Ok(update)
    }
}

/// Stores a memory; `*id` (may be NULL) becomes its id, a positive number, or that of the memory it was
/// merged into (wisen_policy.distil_at). It can be recalled at once. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_remember(
    store: *mut wisen_store,
    memory: *const wisen_memory,
    id: *mut u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, memory, id, error);
    call_on(store, error, |store| {
        let MemoryId(new) = store.store.remember(memory.read()?.memory()?)?;
        id.write_if_wanted(new);
        Ok(())
    })
}

/// Stores `count` memories that lie side by side in one transaction: all of them, or none and an
/// error that names the row (wisen_error_row()). `ids` has room for `count` ids, or is NULL. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_remember_many(
    store: *mut wisen_store,
    memories: *const wisen_memory,
    count: usize,
    ids: *mut u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, memories, ids, error);
    call_on(store, error, |store| {
        let given = memories.read_many(count)?;
        let rows = given.iter().enumerate();
        let memories = rows.map(|(row, memory)| memory.memory().map_err(|fault| fault.in_row(row)));
        let new = store.store.remember_many(memories.collect::<Result<_, _>>()?)?;
        ids.write_many(new.into_iter().map(|MemoryId(id)| id), count);
        Ok(())
    })
}

/// Changes a stored memory; its evidence stays with it. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_update(
    store: *mut wisen_store,
    id: u64,
    change: *const wisen_update,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, change, error);
    call_on(store, error, |store| Ok(store.store.update(MemoryId(id), change.read()?.update()?)?))
}

/// Forgets a memory: its content and vector are deleted and it is never recalled again; reports on it
/// stay as a record. `*forgotten` (may be NULL)
/// tells whether there was one. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_forget(
    store: *mut wisen_store,
    id: u64,
    forgotten: *mut bool,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, forgotten, error);
    call_on(store, error, |store| {
        forgotten.write_if_wanted(store.store.forget(MemoryId(id))?);
        Ok(())
    })
}
