//! Re-embedding: the same store with vectors of another model.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::error::{Error, Result};
use crate::id::MemoryId;
use crate::store::backup as copies;
use crate::store::{Identity, create_control, reembed};
use crate::vector::Metric;

use super::core::{Core, check_name, is_memory};
use super::gate::said;
use super::open::MAX_DIMENSION;
use super::points::experience_metric;
use super::store::Store;
use super::{audit, directives, inspect, place, report};

/// What texts are, for models that embed the two in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextKind {
    /// Contents of memories: what is found.
    Memory,
    /// Texts of queries: what it is found by.
    Query,
}

impl TextKind {
    /// `"memory"` or `"query"`.
    pub fn as_str(self) -> &'static str {
        match self {
            TextKind::Memory => "memory",
            TextKind::Query => "query",
        }
    }
}

/// What an embedding function gives back: a vector for each text, in their order, or why it cannot.
pub type Embedded = std::result::Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>>;

/// What [`Store::reembed`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reembedded {
    /// Memories that have a new vector.
    pub memories: u64,
    /// Memories that are not in the new store, because they have no content, or the function gave no vector
    /// for it; by id.
    pub left_out: Vec<MemoryId>,
    /// Reports that teach something, and whose situation was placed in the new space.
    pub placed: u64,
    /// Reports that teach something, and whose situation could not be placed: no text of the query was kept.
    pub unplaced: u64,
}

impl Store {
    /// Makes the same store in `directory`, which must be empty or missing, with vectors of another embedding
    /// model: `model` is its name (1 to 255 bytes), `dimension` the length of its vectors (1 to 4096). The
    /// metric stays, as do ids, keys, contents, metadata, standings, rules, principals, the audit and
    /// everything else, and above all the outcomes. This store is only read, and may go on being used; what is
    /// written to it after the call began is not in the new one (a [`halt`](Store::halt) of writes sees to
    /// that).
    ///
    /// `embed` is called with up to 256 texts at a time, first with the contents of memories, then with the
    /// texts of queries, each distinct text once. It returns a vector for each; an empty one says that this
    /// text cannot be embedded.
    ///
    /// - A *memory* without content, or whose content cannot be embedded, is left out: it is forgotten in the
    ///   new store, and named in [`Reembedded::left_out`].
    /// - A *report* belongs where its query is. That is known if the text of the query was kept
    ///   ([`Query::text`](crate::Query::text)), or that of another recall with the same vector, or if the query
    ///   was the vector of a memory.
    /// - A report whose query is not known is counted in [`Reembedded::unplaced`] and keeps its outcome where
    ///   that claims least: at the new vectors of the memories that it is about. It counts in full for how well
    ///   they do in general, and brings none of them up where its own words do not.
    ///
    /// Receipts that nobody has reported on are not in the new store, as they are not in a
    /// [`backup`](Store::backup); and like a restored store it gives out no id that this one may still give
    /// out. The directory appears whole or not at all: killed on the way, there is a hidden folder beside it
    /// that can be deleted.
    ///
    /// Fails with [`InvalidArgument`](Error::InvalidArgument) if `embed` fails, panics or gives another number
    /// of vectors than it was given texts; with [`Row`](Error::Row), which names the text within its batch, if a
    /// vector is of another length, not finite, or zero where the metric needs a direction; if a rule compares
    /// with an example vector, which has no text (remove it, and add it to the new store with a vector of
    /// the new model); and with [`Corrupt`](Error::Corrupt) if this store is damaged, or its audit says that a
    /// memory was changed by other means. Needs free space for two copies of the database.
    pub fn reembed(
        &self,
        directory: impl AsRef<Path>,
        model: &str,
        dimension: usize,
        mut embed: impl FnMut(TextKind, &[&str]) -> Embedded,
    ) -> Result<Reembedded> {
        self.core.enter()?;
        let (core, directory) = (&self.core, directory.as_ref());
        check_name("model", model)?;
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            let why = format!("it is {dimension}; 1 to {MAX_DIMENSION} are allowed");
            return Err(Error::invalid("dimension", why));
        }
        if directory.as_os_str().is_empty() || is_memory(directory) {
            return Err(Error::invalid("directory", "name an empty or a new directory on disk"));
        }
        place::check_outside(core, "directory", directory)?;
        check_rules(core)?;
        report::settle_all(core)?;
        let from = &core.identity;
        let to = Identity { dimension, model: Some(model.to_owned()), ..from.clone() };
        let mut checked = |queries: bool, texts: &[&str]| {
            let kind = if queries { TextKind::Query } else { TextKind::Memory };
            let given = catch_unwind(AssertUnwindSafe(|| embed(kind, texts)));
            let mut vectors = check_vectors(given, texts.len(), core.metric, dimension)?;
            if !queries {
                for (row, vector) in vectors.iter_mut().enumerate() {
                    let kept = vector
                        .as_mut()
                        .map_or(Ok(()), |vector| core.identity.storage.keep(core.metric, vector));
                    kept.map_err(|source| Error::Row { row, source: Box::new(source) })?;
                }
            }
            Ok(vectors)
        };
        place::folder(directory, |temporary| {
            let (at, database) = (place::about(directory), temporary.join("memory.db"));
            core.db.read(|conn| copies::copy_to(conn, &database)).map_err(&at)?;
            let copy = copies::open_copy(&database).map_err(&at)?;
            let check = || {
                let mut faults = inspect::first_fault(&copy)?;
                if faults.is_none() {
                    faults = audit::verify(&copy, None)?.faults.into_iter().next().map(|fault| fault.what);
                }
                faults.map_or(Ok(()), |fault| Err(Error::corrupt(fault)))
            };
            check().map_err(&at)?;
            let moved = reembed::reembed(&copy, core.now(), from, &to, &mut checked).map_err(&at)?;
            check().map_err(&at)?;
            create_control(&copy, temporary).map_err(&at)?;
            drop(copy);
            place::sync_file(&database)?;
            let left_out = moved.left_out.into_iter().map(|id| MemoryId(id.cast_unsigned())).collect();
            let (placed, unplaced) = (moved.placed, moved.unplaced);
            Ok(Reembedded { memories: moved.memories, left_out, placed, unplaced })
        })
    }
}

/// Refuses while a rule compares with an example vector: it would compare vectors of two models, and hold or
/// not hold by accident.
fn check_rules(core: &Core) -> Result<()> {
    let rules = directives::signed(core)?.directives;
    match rules.iter().find(|row| !row.directive.dimensions().is_empty()) {
        Some(row) if !crate::sabotage::on("examples_pass") => Err(Error::invalid(
            "directives",
            format!(
                "{:?} compares with an example vector of the present model, which has no text: remove it, and add it to the new store with a vector of the new model",
                row.directive.id
            ),
        )),
        _ => Ok(()),
    }
}

/// What the function gave, if every vector can be stored.
fn check_vectors(
    given: std::thread::Result<Embedded>,
    texts: usize,
    metric: Metric,
    dimension: usize,
) -> Result<Vec<Option<Vec<f32>>>> {
    let failed = |why: String| Error::invalid("embed", why);
    let vectors = given
        .map_err(|panic| failed(format!("it panicked ({})", said(&*panic))))?
        .map_err(|error| failed(format!("it failed: {error}")))?;
    if vectors.len() != texts {
        return Err(failed(format!("it gave {} vectors for {texts} texts", vectors.len())));
    }
    let whole = |vector: &Vec<f32>| {
        if vector.len() != dimension {
            return Err(Error::WrongDimension { expected: dimension, got: vector.len() });
        }
        metric.prepare(vector)?;
        experience_metric(metric).prepare(vector).map(|_| ())
    };
    let row = |(row, vector): (usize, Vec<f32>)| {
        if vector.is_empty() {
            return Ok(None);
        }
        whole(&vector).map_err(|source| Error::Row { row, source: Box::new(source) })?;
        Ok(Some(vector))
    };
    vectors.into_iter().enumerate().map(row).collect()
}
