//! `Store`: what keeps a store, and takes memories out of it for good.

use pyo3::prelude::*;
use wisen::{MemoryId, TextKind};

use crate::convert::{Arg, Given, count, flag, path, text, whole};
use crate::errors::call;
use crate::figures::{Compaction, Reembedded, Verification};
use crate::store::Store;
use crate::vectors;

#[pymethods]
impl Store {
    /// Copy the store to one file, while others go on reading and writing; return its size in bytes.
    ///
    /// The file appears whole under its name, or not at all. It holds everything but segments, which are
    /// derived, and receipts that nobody has reported on.
    ///
    /// Args:
    ///     file: The file to write, not in the directory of the store.
    ///     replace: Whether it may exist, and is then replaced.
    ///
    /// Raises:
    ///     InvalidArgumentError: The file exists, or lies in the directory of the store.
    ///     CorruptError: The store is damaged.
    #[pyo3(signature = (file, *, replace=None), text_signature = "($self, file, *, replace=False)")]
    fn backup(&self, py: Python<'_>, file: &Bound<'_, PyAny>, replace: Given<'_, '_>) -> PyResult<u64> {
        let (file, replace) = (path(file, "file")?, whether(replace)?);
        self.with(py, move |store| store.backup(file, replace))
    }

    /// Make the same store in another directory, with vectors of another embedding model.
    ///
    /// Ids, keys, contents, metadata, standings, rules, the audit and above all the outcomes stay; this store is
    /// only read. A memory without content, or whose content cannot be embedded, is left out. A report whose
    /// query was kept without a text is counted (`Reembedded.unplaced`), and its outcome is kept where it claims
    /// least: at the new vectors of the memories that it is about. Receipts that nobody has reported on are not
    /// in the new store. The directory appears whole or not at all.
    ///
    /// Args:
    ///     directory: Where the new store is made; empty or missing.
    ///     model: Name of the new embedding model.
    ///     dimension: Length of its vectors.
    ///     embed: A callable that gets up to 256 texts, as a list, and what they are: "memory" (contents) or
    ///         "query" (texts of queries). It returns a vector for each, in their order: a 2-d buffer, or a
    ///         sequence of vectors, with None for a text that cannot be embedded. What it raises is raised.
    ///
    /// Raises:
    ///     InvalidArgumentError: It gave another number of vectors, the directory is not empty, or a rule
    ///         compares with an example vector, which has no text.
    ///     WrongDimensionError, NotFiniteError, ZeroVectorError: A vector is at fault; `row` is the place of its
    ///         text in the list.
    ///     CorruptError: The store is damaged.
    fn reembed(
        &self,
        py: Python<'_>,
        directory: &Bound<'_, PyAny>,
        model: &Bound<'_, PyAny>,
        dimension: &Bound<'_, PyAny>,
        embed: &Bound<'_, PyAny>,
    ) -> PyResult<Reembedded> {
        let (directory, model) = (path(directory, "directory")?, text(model, Arg::new("model"))?);
        let dimension = count(dimension, Arg::new("dimension"))?;
        if !embed.is_callable() {
            return Err(Arg::new("embed").type_error("a callable", embed));
        }
        let embed = embed.clone().unbind();
        let mut raised = None;
        let told = self.with(py, |store| {
            store.reembed(directory, &model, dimension, |kind, texts| {
                Python::attach(|py| embedded(embed.bind(py), kind, texts)).map_err(|error| {
                    let why = error.to_string();
                    raised = Some(error);
                    why.into()
                })
            })
        });
        match raised {
            Some(error) => Err(error),
            None => told.map(Reembedded),
        }
    }

    /// Write everything that is not derived to one file of JSON lines; return the number of rows.
    ///
    /// Args:
    ///     file: The file to write, not in the directory of the store.
    ///     replace: Whether it may exist, and is then replaced.
    ///
    /// Raises:
    ///     InvalidArgumentError: The file exists, or lies in the directory of the store.
    ///     CorruptError: The store is damaged.
    #[pyo3(signature = (file, *, replace=None), text_signature = "($self, file, *, replace=False)")]
    fn export(&self, py: Python<'_>, file: &Bound<'_, PyAny>, replace: Given<'_, '_>) -> PyResult<u64> {
        let (file, replace) = (path(file, "file")?, whether(replace)?);
        self.with(py, move |store| store.export(file, replace))
    }

    /// Remember the memories of an export, all or none, with new ids; return these in its order.
    ///
    /// Reports, standings and whatever else was learnt are left out, and so are memories that were
    /// superseded, merged, forgotten or whose time is over.
    ///
    /// Raises:
    ///     BadImportError: The file is cut, changed or no export, or a memory does not fit in here.
    fn import_memories(&self, py: Python<'_>, file: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
        let file = path(file, "file")?;
        let ids = self.with(py, move |store| store.import_memories(file))?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    /// Merge all segments, drop what is dead, and rewrite the files as small as what is alive.
    ///
    /// What was forgotten is in no file then. Others may go on.
    ///
    /// Raises:
    ///     BusyError: Another process seals, or reads from the log, for longer than the busy timeout.
    fn compact(&self, py: Python<'_>) -> PyResult<Compaction> {
        self.with(py, wisen::Store::compact).map(Compaction)
    }

    /// Forget a memory and everything that holds its words or its vector; return whether there was one.
    ///
    /// Its experiences go, notes of reports in which it was used, texts of recalls and notes that quote
    /// it, recalls whose query was its vector (in f16: rounds to it), and the memories merged into it. After `compact` nothing
    /// of it is in any byte of any file of the store; backups and exports made before are out of reach.
    fn forget_hard(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = MemoryId(whole(id, Arg::new("id"))?);
        self.with(py, move |store| store.forget_hard(id))
    }

    /// Check what can be checked without reading everything.
    ///
    /// That is the structure of the database, the control file, the heads, codes and links of the
    /// segments, and whether what is counted is there.
    fn verify_quick(&self, py: Python<'_>) -> PyResult<Verification> {
        self.with(py, wisen::Store::verify_quick).map(Verification)
    }
}

/// Asks a Python callable for vectors.
fn embedded(embed: &Bound<'_, PyAny>, kind: TextKind, texts: &[&str]) -> PyResult<Vec<Vec<f32>>> {
    let arg = Arg::new("the answer of embed");
    let answer = embed.call1((texts.to_vec(), kind.as_str()))?;
    if let Some(rows) = vectors::rows(&answer, arg)? {
        return Ok(rows);
    }
    let row = |(row, entry): (usize, PyResult<Bound<'_, PyAny>>)| match entry? {
        none if none.is_none() => Ok(Vec::new()),
        entry => vectors::vector(&entry, arg.row(row)),
    };
    vectors::entries(&answer, arg, "a 2-d buffer of float32 or a sequence of vectors")?
        .enumerate()
        .map(row)
        .collect()
}

fn whether(replace: Given<'_, '_>) -> PyResult<bool> {
    replace.map_or(Ok(false), |replace| flag(replace, Arg::new("replace")))
}

/// Make a store in a directory, empty or missing, from a file that `Store.backup` wrote.
///
/// The file is checked whole before, and the directory appears whole or not at all. The store begins
/// another life: files of the one it comes from are of no account in it, and it gives out no id that
/// the other may have given out since.
///
/// Raises:
///     BadBackupError: The file is no whole backup.
///     InvalidArgumentError: The directory is not empty.
#[pyfunction]
pub(crate) fn restore(py: Python<'_>, file: &Bound<'_, PyAny>, directory: &Bound<'_, PyAny>) -> PyResult<()> {
    let (file, directory) = (path(file, "file")?, path(directory, "directory")?);
    call(py, move || wisen::Store::restore(file, directory))
}

/// Make a store in a directory, empty or missing, from a file that `Store.export` wrote.
///
/// Its export is the same, byte for byte. The directory appears whole or not at all.
///
/// Raises:
///     BadImportError: The file is cut, changed or no export; the message names the line.
///     InvalidArgumentError: The directory is not empty.
#[pyfunction]
pub(crate) fn import_store(
    py: Python<'_>,
    file: &Bound<'_, PyAny>,
    directory: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let (file, directory) = (path(file, "file")?, path(directory, "directory")?);
    call(py, move || wisen::Store::import(file, directory))
}
