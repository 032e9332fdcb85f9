//! `Store`: remembering and changing.

use std::convert::Infallible;

use pyo3::prelude::*;
use wisen::{MemoryId, Update};

use crate::batch::{self, Details};
use crate::convert::{Arg, Given, optional_text, seconds, text, whole};
use crate::store::Store;
use crate::{metadata, vectors};

/// An argument for which None is a value: left out, it is `...`.
pub(crate) enum Change<'py> {
    Stay,
    Set(Bound<'py, PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for Change<'py> {
    type Error = Infallible;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        let left_out = value.is(value.py().Ellipsis());
        Ok(if left_out { Change::Stay } else { Change::Set(value.to_owned()) })
    }
}

#[pymethods]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
impl Store {
    /// Store a memory and return its id, or that of the memory it was merged into (`Policy.distil_at`). It
    /// can be recalled at once.
    ///
    /// Args:
    ///     content: Its text.
    ///     vector: Its embedding: a float32 buffer, or any sequence of numbers, of the store's
    ///         dimension.
    ///     namespace: The partition it belongs to (1 to 255 bytes).
    ///     kind: A free label that recalls can ask for (1 to 255 bytes).
    ///     metadata: A dict of JSON's types, kept with it.
    ///     author: Who wrote it (1 to 255 bytes).
    ///     key: Your own name for it, unique in its namespace: the same memory under the same key
    ///         again stores nothing and returns the id it has.
    ///     supersedes: Id of the memory it replaces, which is no hit from now on.
    ///     ttl: Seconds (or a timedelta) for which it may be recalled; None: for ever.
    ///     source: What kind of source it comes from: "human", "tool", "web", "agent" or "import".
    ///     origin: The recall (or its receipt) in which it came about.
    ///     parents: Ids of the memories that it was made of; at most 64.
    ///     model: The model that wrote it (1 to 255 bytes).
    ///     embedding_model: The model that made the vector; refused with `MismatchError` if those of the store
    ///         were made with another one.
    ///
    /// Raises:
    ///     WrongDimensionError, NotFiniteError, ZeroVectorError: The vector is at fault.
    ///     NotUtf8Error: A text holds a lone surrogate.
    ///     InvalidArgumentError: An argument is outside its range.
    ///     KeyConflictError: The key names another memory.
    ///     UnknownMemoryError: `supersedes` names none, or a parent never was one.
    ///     RefusedError: The hook, or the look for secrets, refused it.
    ///     HaltedError: The store is halted.
    ///     BusyError, DiskFullError, ReadOnlyError, ClosedError: It cannot be written now.
    #[pyo3(
        signature = (content, vector, *, namespace=None, kind=None, metadata=None, author=None,
                     key=None, supersedes=None, ttl=None, source=None, origin=None, parents=None, model=None,
                     embedding_model=None),
        text_signature = "($self, content, vector, *, namespace='default', kind='note', metadata=None, \
            author=None, key=None, supersedes=None, ttl=None, source=None, origin=None, parents=None, \
            model=None, embedding_model=None)"
    )]
    fn remember<'py>(
        &self,
        py: Python<'py>,
        content: &Bound<'py, PyAny>,
        vector: &Bound<'py, PyAny>,
        namespace: Given<'_, 'py>,
        kind: Given<'_, 'py>,
        metadata: Given<'_, 'py>,
        author: Given<'_, 'py>,
        key: Given<'_, 'py>,
        supersedes: Given<'_, 'py>,
        ttl: Given<'_, 'py>,
        source: Given<'_, 'py>,
        origin: Given<'_, 'py>,
        parents: Given<'_, 'py>,
        model: Given<'_, 'py>,
        embedding_model: Given<'_, 'py>,
    ) -> PyResult<u64> {
        let details = Details {
            namespace,
            kind,
            metadata,
            author,
            key,
            supersedes,
            ttl,
            source,
            origin,
            parents,
            model,
            embedding_model,
        };
        let memory = batch::one(content, vector, &details)?;
        Ok(self.with(py, |store| store.remember(memory))?.0)
    }

    /// Store several memories in one transaction, all or none, and return their ids in order.
    ///
    /// Args:
    ///     contents: Their texts.
    ///     vectors: Their embeddings: a 2-d buffer of shape (memories, dimension), or a sequence of
    ///         vectors.
    ///     namespace, kind, author: One str for all, or a sequence with one for each memory.
    ///     metadata: One dict for all, or a sequence with a dict or None for each memory.
    ///     key: A sequence with a str or None for each memory.
    ///     supersedes: A sequence with an id or None for each memory.
    ///     ttl: One number of seconds (or timedelta) for all, or a sequence with one, or None, for each.
    ///     source, model: One str for all, or a sequence with one, or None, for each.
    ///     embedding_model: One str for all.
    ///     origin, parents: A sequence with what `remember` takes, or None, for each.
    ///
    /// Raises:
    ///     The errors of `remember`; their attribute `row` is the position of the memory at fault.
    ///     InvalidArgumentError: The sequences have different lengths.
    #[pyo3(
        signature = (contents, vectors, *, namespace=None, kind=None, metadata=None, author=None,
                     key=None, supersedes=None, ttl=None, source=None, origin=None, parents=None, model=None,
                     embedding_model=None),
        text_signature = "($self, contents, vectors, *, namespace='default', kind='note', \
            metadata=None, author=None, key=None, supersedes=None, ttl=None, source=None, origin=None, parents=None, \
            model=None, embedding_model=None)"
    )]
    fn remember_many<'py>(
        &self,
        py: Python<'py>,
        contents: &Bound<'py, PyAny>,
        vectors: &Bound<'py, PyAny>,
        namespace: Given<'_, 'py>,
        kind: Given<'_, 'py>,
        metadata: Given<'_, 'py>,
        author: Given<'_, 'py>,
        key: Given<'_, 'py>,
        supersedes: Given<'_, 'py>,
        ttl: Given<'_, 'py>,
        source: Given<'_, 'py>,
        origin: Given<'_, 'py>,
        parents: Given<'_, 'py>,
        model: Given<'_, 'py>,
        embedding_model: Given<'_, 'py>,
    ) -> PyResult<Vec<u64>> {
        let details = Details {
            namespace,
            kind,
            metadata,
            author,
            key,
            supersedes,
            ttl,
            source,
            origin,
            parents,
            model,
            embedding_model,
        };
        let memories = batch::many(contents, vectors, &details)?;
        let ids = self.with(py, |store| store.remember_many(memories))?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    /// Change a stored memory: what is not named stays, its evidence stays with it.
    ///
    /// Args:
    ///     id: The memory.
    ///     content: New text.
    ///     vector: New embedding.
    ///     embedding_model: The model that made it; refused with `MismatchError` if those of the store were made
    ///         with another one.
    ///     kind: New kind.
    ///     metadata: New metadata; None: none from now on.
    ///     ttl: From now on for so many seconds (or a timedelta); None: for ever.
    ///
    /// Raises:
    ///     UnknownMemoryError: There is none with this id.
    ///     The errors of `remember`.
    #[pyo3(
        signature = (id, *, content=None, vector=None, kind=None, metadata=Change::Stay, ttl=Change::Stay,
                     embedding_model=None),
        text_signature = "($self, id, *, content=None, vector=None, kind=None, metadata=..., ttl=..., \
            embedding_model=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn update<'py>(
        &self,
        py: Python<'py>,
        id: &Bound<'py, PyAny>,
        content: Given<'_, 'py>,
        vector: Given<'_, 'py>,
        kind: Given<'_, 'py>,
        metadata: Change<'py>,
        ttl: Change<'py>,
        embedding_model: Given<'_, 'py>,
    ) -> PyResult<()> {
        let id = MemoryId(whole(id, Arg::new("id"))?);
        let mut update = Update::new();
        if let Some(content) = content {
            update = update.content(text(content, Arg::new("content"))?);
        }
        if let Some(vector) = vector {
            update = update.vector(vectors::vector(vector, Arg::new("vector"))?);
        }
        if let Some(model) = optional_text(embedding_model, "embedding_model")? {
            update = update.embedding_model(model);
        }
        if let Some(kind) = optional_text(kind, "kind")? {
            update = update.kind(kind);
        }
        if let Change::Set(metadata) = metadata {
            update = update.metadata(metadata::from_py(&metadata, Arg::new("metadata"))?);
        }
        if let Change::Set(ttl) = ttl {
            let ttl = if ttl.is_none() { None } else { Some(seconds(&ttl, Arg::new("ttl"))?) };
            update = update.time_to_live(ttl);
        }
        self.with(py, |store| store.update(id, update))
    }
}
