//! Memories from arguments: one, or one for each row of a batch.

use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};
use wisen::{Memory, MemoryId, ReceiptId, Source};

use crate::convert::{Arg, Given, seconds, text, whole};
use crate::metadata;
use crate::vectors::{entries, matrix, vector};

/// What a memory may carry besides text and vector.
pub(crate) struct Details<'a, 'py> {
    pub(crate) namespace: Given<'a, 'py>,
    pub(crate) kind: Given<'a, 'py>,
    pub(crate) metadata: Given<'a, 'py>,
    pub(crate) author: Given<'a, 'py>,
    pub(crate) key: Given<'a, 'py>,
    pub(crate) supersedes: Given<'a, 'py>,
    pub(crate) ttl: Given<'a, 'py>,
    pub(crate) source: Given<'a, 'py>,
    pub(crate) origin: Given<'a, 'py>,
    pub(crate) parents: Given<'a, 'py>,
    pub(crate) model: Given<'a, 'py>,
    pub(crate) embedding_model: Given<'a, 'py>,
}

/// The memory of `Store.remember`.
pub(crate) fn one<'py>(
    content: &Bound<'py, PyAny>,
    numbers: &Bound<'py, PyAny>,
    details: &Details<'_, 'py>,
) -> PyResult<Memory> {
    let memory = Memory::new(text(content, Arg::new("content"))?, vector(numbers, Arg::new("vector"))?);
    describe(memory, details, Arg::new)
}

/// The memories of `Store.remember_many`.
pub(crate) fn many<'py>(
    contents: &Bound<'py, PyAny>,
    vectors: &Bound<'py, PyAny>,
    details: &Details<'_, 'py>,
) -> PyResult<Vec<Memory>> {
    let py = contents.py();
    let contents =
        entries(contents, Arg::new("contents"), "a sequence of str")?.collect::<PyResult<Vec<_>>>()?;
    let vectors = matrix(vectors, "vectors")?;
    let count = contents.len();
    if vectors.len() != count {
        let why = format!("{} vectors for {count} contents", vectors.len());
        return Err(Arg::new("vectors").invalid(py, why));
    }
    let rows = (count, "contents");
    let namespace = Column::of_texts(details.namespace, "namespace", rows)?;
    let kind = Column::of_texts(details.kind, "kind", rows)?;
    let author = Column::of_texts(details.author, "author", rows)?;
    let metadata = match details.metadata {
        Some(one) if one.cast::<PyMapping>().is_ok() => Column::Same(one),
        given => Column::new(given, "metadata", "a dict or a sequence of dicts", rows)?,
    };
    let key = Column::new(details.key, "key", "a sequence of str or None", rows)?;
    let supersedes = Column::new(details.supersedes, "supersedes", "a sequence of ids or None", rows)?;
    let ttl = Column::of_scalars(details.ttl, "ttl", "seconds or a sequence of seconds", rows)?;
    let source = Column::of_texts(details.source, "source", rows)?;
    let origin = Column::new(details.origin, "origin", "a sequence of receipts or None", rows)?;
    let parents = Column::new(details.parents, "parents", "a sequence of sequences of ids", rows)?;
    let model = Column::of_texts(details.model, "model", rows)?;
    let mut memories = Vec::with_capacity(count);
    for (row, (content, numbers)) in contents.iter().zip(vectors).enumerate() {
        let details = Details {
            namespace: namespace.at(row),
            kind: kind.at(row),
            metadata: metadata.at(row),
            author: author.at(row),
            key: key.at(row),
            supersedes: supersedes.at(row),
            ttl: ttl.at(row),
            source: source.at(row),
            origin: origin.at(row),
            parents: parents.at(row),
            model: model.at(row),
            embedding_model: details.embedding_model,
        };
        let memory = Memory::new(text(content, Arg::new("contents").row(row))?, numbers);
        memories.push(describe(memory, &details, |what| Arg::new(what).row(row))?);
    }
    Ok(memories)
}

fn describe(
    mut memory: Memory,
    details: &Details<'_, '_>,
    arg: impl Fn(&'static str) -> Arg,
) -> PyResult<Memory> {
    if let Some(namespace) = details.namespace {
        memory = memory.namespace(text(namespace, arg("namespace"))?);
    }
    if let Some(kind) = details.kind {
        memory = memory.kind(text(kind, arg("kind"))?);
    }
    if let Some(value) = details.metadata {
        memory = memory.metadata(metadata::from_py(value, arg("metadata"))?);
    }
    if let Some(author) = details.author {
        memory = memory.author(text(author, arg("author"))?);
    }
    if let Some(key) = details.key {
        memory = memory.key(text(key, arg("key"))?);
    }
    if let Some(old) = details.supersedes {
        memory = memory.supersedes(MemoryId(whole(old, arg("supersedes"))?));
    }
    if let Some(ttl) = details.ttl {
        memory = memory.time_to_live(seconds(ttl, arg("ttl"))?);
    }
    if let Some(source) = details.source {
        let word = text(source, arg("source"))?;
        let unknown = || {
            arg("source").invalid(source.py(), format!("{word:?} is none of human, tool, web, agent, import"))
        };
        memory = memory.source(Source::parse(&word).ok_or_else(unknown)?);
    }
    if let Some(origin) = details.origin {
        let receipt: PyResult<ReceiptId> = match origin.getattr("receipt") {
            Ok(receipt) if !receipt.is_none() => text(&receipt, arg("origin")),
            _ => text(origin, arg("origin")),
        }
        .and_then(|receipt| receipt.parse().map_err(|error| arg("origin").refuse(origin.py(), error)));
        memory = memory.origin(receipt?);
    }
    if let Some(parents) = details.parents {
        for parent in entries(parents, arg("parents"), "a sequence of ids")? {
            memory = memory.parent(MemoryId(whole(&parent?, arg("parents"))?));
        }
    }
    if let Some(model) = details.embedding_model {
        memory = memory.embedding_model(text(model, arg("embedding_model"))?);
    }
    if let Some(model) = details.model {
        memory = memory.model(text(model, arg("model"))?);
    }
    Ok(memory)
}

/// How many rows a batch has, and the argument that says so.
type Rows = (usize, &'static str);

/// An argument of a batch: left out, the same for every row, or one entry for each.
pub(crate) enum Column<'a, 'py> {
    Absent,
    Same(&'a Bound<'py, PyAny>),
    Each(Vec<Bound<'py, PyAny>>),
}

impl<'a, 'py> Column<'a, 'py> {
    /// A sequence with one entry for each row.
    pub(crate) fn new(
        given: Given<'a, 'py>,
        what: &'static str,
        wanted: &str,
        (rows, of): Rows,
    ) -> PyResult<Self> {
        let Some(given) = given else { return Ok(Column::Absent) };
        let each = entries(given, Arg::new(what), wanted)?.collect::<PyResult<Vec<_>>>()?;
        if each.len() != rows {
            let why = format!("{} entries for {rows} {of}", each.len());
            return Err(Arg::new(what).invalid(given.py(), why));
        }
        Ok(Column::Each(each))
    }

    /// One text for all rows, or a sequence.
    pub(crate) fn of_texts(given: Given<'a, 'py>, what: &'static str, rows: Rows) -> PyResult<Self> {
        match given {
            Some(one) if one.is_instance_of::<PyString>() => Ok(Column::Same(one)),
            given => Self::new(given, what, "str or a sequence of str", rows),
        }
    }

    /// One value that is no sequence for all rows, or a sequence.
    pub(crate) fn of_scalars(
        given: Given<'a, 'py>,
        what: &'static str,
        wanted: &str,
        rows: Rows,
    ) -> PyResult<Self> {
        match given {
            Some(one) if one.try_iter().is_err() => Ok(Column::Same(one)),
            given => Self::new(given, what, wanted, rows),
        }
    }

    pub(crate) fn at(&self, row: usize) -> Given<'_, 'py> {
        match self {
            Column::Absent => None,
            Column::Same(one) => Some(one),
            Column::Each(each) => Some(&each[row]).filter(|entry| !entry.is_none()),
        }
    }
}
