//! Remembering, changing, forgetting.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::id::MemoryId;
use crate::store::audit::{self, Actor};
use crate::store::memories::{self, Amendment, LIVE, MemoryRow, NewMemory};
use crate::store::salts::{self, Salt};
use crate::store::{Tx, aliases, names};

use super::core::{Core, after, check_name, check_text, row_error};
use super::doubles::Doubles;
use super::input::{Memory, Update};
use super::{gate, origin, witness};

/// Pages of the database that are given back with a memory, if too many are free.
const FEW_PAGES: i64 = 4;

/// Stores memories: all of them or none.
pub(crate) fn remember(core: &Core, memories: Vec<Memory>) -> Result<Vec<MemoryId>> {
    core.writable()?;
    let batch = Batch::check(core, memories)?;
    let mut doubles = Doubles::find(core, &batch.memories)?;
    core.db.write(core.now(), |tx| batch.store(core, tx, &mut doubles))
}

/// Memories that were let in, ready to be stored.
pub(super) struct Batch {
    pub memories: Vec<Memory>,
    metadata: Vec<Option<String>>,
}

impl Batch {
    /// Checks what can be checked before a transaction.
    pub(super) fn check(core: &Core, mut memories: Vec<Memory>) -> Result<Self> {
        let rows = memories.len();
        let mut metadata = Vec::with_capacity(rows);
        for (row, memory) in memories.iter_mut().enumerate() {
            let checked = check(core, memory).and_then(|()| {
                gate::admit(core, memory)?;
                check_text("content", &memory.content)?;
                metadata_text(&memory.metadata)
            });
            metadata.push(checked.map_err(row_error(row, rows))?);
        }
        Ok(Self { memories, metadata })
    }

    /// Stores all of them. Returns their ids in their order.
    pub(super) fn store(
        &self,
        core: &Core,
        tx: &mut Tx<'_>,
        doubles: &mut Doubles<'_>,
    ) -> Result<Vec<MemoryId>> {
        let Self { memories, metadata } = self;
        let told = witness::is_wanted(core, tx.conn)?;
        let salts = salts::draw(if told { memories.len() } else { 0 })?;
        let mut ids = Vec::with_capacity(memories.len());
        let mut added: Vec<(i64, i64)> = Vec::new();
        let mut kept = Vec::with_capacity(memories.len());
        for (row, memory) in memories.iter().enumerate() {
            let (id, namespace) = store(tx, memory, metadata[row].as_deref(), salts.get(row).copied())
                .map_err(row_error(row, memories.len()))?;
            kept.extend(namespace.map(|namespace| (id, namespace, row)));
            match added.iter_mut().find(|(known, _)| Some(*known) == namespace) {
                Some((_, count)) => *count += 1,
                None => added.extend(namespace.map(|namespace| (namespace, 1))),
            }
            let id = MemoryId(id.cast_unsigned());
            ids.push(if namespace.is_some() { doubles.merge(core, tx, row, id)? } else { id });
        }
        for (namespace, count) in added {
            names::count_memories(tx, namespace, count)?;
        }
        witness::remembered(tx, &kept, memories, metadata, &salts)?;
        Ok(ids)
    }
}

/// Checks what can be checked without the database, and makes of the vector what the store keeps.
fn check(core: &Core, memory: &mut Memory) -> Result<()> {
    core.check_model(memory.embedding_model.as_deref())?;
    core.keep(&mut memory.vector)?;
    check_text("content", &memory.content)?;
    check_name("namespace", &memory.namespace)?;
    check_name("kind", &memory.kind)?;
    if let Some(author) = &memory.author {
        check_name("author", author)?;
    }
    if let Some(key) = &memory.key {
        check_name("key", key)?;
    }
    origin::check(memory)?;
    metadata_text(&memory.metadata).map(|_| ())
}

fn metadata_text(metadata: &Value) -> Result<Option<String>> {
    match metadata {
        Value::Null => Ok(None),
        Value::Object(_) => {
            let text = metadata.to_string();
            check_text("metadata", &text)?;
            if serde_json::from_str::<Value>(&text).is_err() {
                return Err(Error::invalid("metadata", "it is nested too deep to be read back"));
            }
            Ok(Some(text))
        }
        _ => Err(Error::invalid("metadata", "it is no JSON object")),
    }
}

/// Stores one memory. Returns its id, and its namespace if it was not there before.
fn store(
    tx: &mut Tx<'_>,
    memory: &Memory,
    metadata: Option<&str>,
    salt: Option<Salt>,
) -> Result<(i64, Option<i64>)> {
    let namespace = names::intern_namespace(tx, &memory.namespace)?;
    if let Some(key) = &memory.key
        && let Some(row) = memories::by_key(tx.conn, namespace, key)?
    {
        if row.status == LIVE && row.expires_at.is_some_and(|at| at <= tx.now) {
            // Its time is over and no seal has swept it yet: the key is free again.
            memories::expire(tx, vec![row], salt.is_some())?;
            return store(tx, memory, metadata, salt);
        }
        return if is_same(tx, &row, memory, metadata)? {
            Ok((aliases::survivor(tx.conn, row.id)?.unwrap_or(row.id), None))
        } else {
            Err(Error::KeyConflict { key: key.clone(), by: format!("memory {}", row.id) })
        };
    }
    let old = match memory.supersedes {
        None => None,
        Some(old) => Some(current(tx, old)?),
    };
    let new = NewMemory {
        namespace,
        kind: names::intern_kind(tx, &memory.kind)?,
        author: memory
            .author
            .as_ref()
            .map(|author| names::intern_principal(tx, author).map(|known| known.id))
            .transpose()?,
        key: memory.key.as_deref(),
        expires_at: memory.time_to_live.map(|ttl| after(tx.now, ttl)),
        content: &memory.content,
        metadata,
        vector: &memory.vector,
        salt,
    };
    let id = memories::insert(tx, &new)?;
    origin::keep(tx, id, memory)?;
    if crate::sabotage::on("texts_make_facts") && memory.content.contains("fact") {
        crate::store::directives::record(tx, "tests", &Value::from("passed"), i64::MAX)?;
    }
    if let Some(old) = old {
        memories::supersede(tx, old, id)?;
    }
    Ok((id, Some(namespace)))
}

/// The row of a memory that can be superseded or changed.
fn current(tx: &Tx<'_>, id: MemoryId) -> Result<MemoryRow> {
    let row = memories::load(tx.conn, id.0.cast_signed())?
        .filter(|row| row.status != memories::FORGOTTEN)
        .ok_or(Error::UnknownMemory { id: id.0 })?;
    match row.superseded_by {
        Some(by) if row.status != LIVE => Err(Error::invalid(
            "memory",
            format!("memory {id} was superseded by memory {by}: change that one"),
        )),
        _ => Ok(row),
    }
}

/// Whether a memory handed in again under its key is the one stored.
fn is_same(tx: &Tx<'_>, row: &MemoryRow, memory: &Memory, metadata: Option<&str>) -> Result<bool> {
    let Some((content, stored_metadata, _)) = memories::payload(tx.conn, row.id)? else {
        return Ok(false);
    };
    Ok(content == memory.content
        && stored_metadata.as_deref() == metadata
        && names::kind_name(tx.conn, row.kind)? == memory.kind
        && memories::vector(tx.conn, row.id)?.is_some_and(|vector| vector == memory.vector))
}

/// Changes a stored memory.
pub(crate) fn update(core: &Core, id: MemoryId, mut change: Update) -> Result<()> {
    core.writable()?;
    core.check_model(change.embedding_model.as_deref())?;
    if let Some(vector) = &mut change.vector {
        core.keep(vector)?;
    }
    if let Some(content) = &change.content {
        check_text("content", content)?;
    }
    if let Some(kind) = &change.kind {
        check_name("kind", kind)?;
    }
    change.metadata.as_ref().map(metadata_text).transpose()?;
    let texts = (change.content.is_some(), change.metadata.is_some());
    let (flags, tags) = gate::admit_texts(core, &mut change.content, &mut change.metadata)?;
    let metadata = change.metadata.as_ref().map(metadata_text).transpose()?;
    core.db.write(core.now(), |tx| {
        let row = current(tx, id)?;
        let (before, memory) = (witness::before(core, tx, &row)?, row.id);
        let amendment = Amendment {
            content: change.content.as_deref(),
            metadata: metadata.as_ref().map(Option::as_deref),
            kind: change.kind.as_ref().map(|kind| names::intern_kind(tx, kind)).transpose()?,
            expires_at: change.time_to_live.map(|ttl| ttl.map(|ttl| after(tx.now, ttl))),
            vector: change.vector.as_deref(),
        };
        memories::amend(tx, row, &amendment)?;
        if texts.0 || texts.1 {
            origin::reflag(tx, memory, flags, texts, &tags)?;
        }
        witness::updated(tx, before, memory)
    })
}

/// Forgets a memory. Returns whether there was one.
pub(crate) fn forget(core: &Core, id: MemoryId) -> Result<bool> {
    core.writable()?;
    core.db.write(core.now(), |tx| {
        let row = memories::load(tx.conn, id.0.cast_signed())?;
        match row.filter(|row| row.status != memories::FORGOTTEN) {
            Some(row) => {
                let before = witness::before_the_end(core, tx, &row)?;
                let (namespace, memory) = (row.namespace, row.id);
                memories::forget(tx, row)?;
                witness::forgotten(tx, before, namespace, memory)?;
                // A few at a time: whoever forgets all day leaves no more room free than whoever does not.
                tx.give_back(FEW_PAGES).map(|_| true)
            }
            None => Ok(false),
        }
    })
}

/// Forgets a namespace and all that is in it. Returns how many memories that were.
pub(crate) fn drop_namespace(core: &Core, name: &str) -> Result<u64> {
    core.writable()?;
    core.db.write(core.now(), |tx| match names::namespace_by_name(tx.conn, name)? {
        Some(row) => {
            let dropped = memories::drop_namespace(tx, row.id)?;
            let detail = json!({ "name": name, "memories": dropped });
            audit::record(tx, Actor::Owner, "drop_namespace", row.id, 0, &detail)?;
            Ok(dropped.cast_unsigned())
        }
        None => Ok(0),
    })
}
