//! `Store`: recalling.

use pyo3::prelude::*;
use pyo3::types::PyString;
use wisen::{Filter, Query};

use crate::batch::Column;
use crate::convert::{Arg, Given, count, flag, number, optional_text, text, whole};
use crate::errors::call;
use crate::metadata;
use crate::recall::Recall;
use crate::store::Store;
use crate::vectors::{matrix, members, vector};

#[pymethods]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
impl Store {
    /// Find what fits: what is near the vector, and what has worked in situations near it.
    ///
    /// Args:
    ///     vector: Embedding of the present situation: a float32 buffer, or any sequence of numbers,
    ///         of the store's dimension.
    ///     text: Text of the situation, kept with the receipt (and what `reembed` goes by).
    ///     embedding_model: The model that made the vector; refused with `MismatchError` if those of the store
    ///         were made with another one.
    ///     k: How many hits at most, 0 or greater.
    ///     namespace: A namespace, or a sequence of them; one that does not exist holds nothing.
    ///     kind: Only memories of this kind.
    ///     filter: Only memories that this lets through, `k` of them wherever so many exist. A dict:
    ///         `{"kind": "recipe"}`, `{"author": "ann"}`, `{"created": {"from": t, "before": t}}` (in
    ///         microseconds since 1970), `{"field": {"name": "lang", "equals": "rust"}}` (or
    ///         `"one_of": [...]`, `"range": {"from": 1, "to": 5}`, `"exists": True`) for fields declared with
    ///         `declare_field`, `{"all": [...]}`, `{"any": [...]}`, `{"not": {...}}`.
    ///     receipt: Whether the recall can be reported on.
    ///     content: Whether hits carry content and metadata; without, fewer bytes are read.
    ///     width: Width (ef) of the graph search; 0: that of the store.
    ///     explore: How many of the `k` places, the last ones, go to memories drawn by Thompson
    ///         sampling, so that those of which little is known get their chance; `Hit.propensity` says
    ///         how likely that was. 0: nothing is left to chance.
    ///     hold_out: Share of recalls, 0 to 0.5, on which memory is withheld at random, so that `uplift`
    ///         can tell what it is worth: such a recall has no hits and says so (`Recall.withheld`). On
    ///         a further share of the same size (less above a third) one hit is left out silently. Only
    ///         recalls with a receipt are held out.
    ///     seed: Makes all that chance decides repeatable: the same store, query and seed (0 or greater,
    ///         below 2**64) give the same hits. None: the random bits of the receipt.
    ///     warnings: Up to how many quarantined or retired memories to warn of, if they are among the
    ///         `k` nearest (`Recall.warnings`).
    ///
    /// Raises:
    ///     WrongDimensionError, NotFiniteError, ZeroVectorError: The vector is at fault.
    ///     NotUtf8Error: A text holds a lone surrogate.
    ///     InvalidArgumentError: An argument is outside its range.
    ///     ClosedError: The store is closed.
    #[pyo3(
        signature = (vector, *, text=None, k=None, namespace=None, kind=None, filter=None, receipt=None,
                     content=None, width=None, explore=None, hold_out=None, seed=None, warnings=None,
                     embedding_model=None),
        text_signature = "($self, vector, *, text=None, k=10, namespace='default', kind=None, \
            filter=None, receipt=True, content=False, width=0, explore=0, hold_out=0.0, seed=None, \
            warnings=0, embedding_model=None)"
    )]
    fn recall<'py>(
        &self,
        py: Python<'py>,
        vector: &Bound<'py, PyAny>,
        text: Given<'_, 'py>,
        k: Given<'_, 'py>,
        namespace: Given<'_, 'py>,
        kind: Given<'_, 'py>,
        filter: Given<'_, 'py>,
        receipt: Given<'_, 'py>,
        content: Given<'_, 'py>,
        width: Given<'_, 'py>,
        explore: Given<'_, 'py>,
        hold_out: Given<'_, 'py>,
        seed: Given<'_, 'py>,
        warnings: Given<'_, 'py>,
        embedding_model: Given<'_, 'py>,
    ) -> PyResult<Recall> {
        let numbers = self::vector(vector, Arg::new("vector"))?;
        let wishes = Wishes {
            k,
            namespace,
            kind,
            filter,
            receipt,
            content,
            width,
            explore,
            hold_out,
            warnings,
            embedding_model,
        };
        let query = particular(wishes.add_to(py, Query::new(numbers))?, text, seed, Arg::new)?;
        let recall = self.with(py, |store| store.recall(&query))?;
        Recall::new(py, recall)
    }

    /// Recall for several vectors at once, on several threads, which end with the call.
    ///
    /// Args:
    ///     vectors: A two-dimensional float32 buffer, or a sequence of vectors: one for each recall.
    ///     text: Texts of the situations, an entry for each vector (None: no text).
    ///     seed: As for `recall`, an entry for each vector.
    ///     threads: How many threads may work, at most 256; 0: one per core.
    ///
    /// The other arguments are those of `recall`, and hold for all vectors. Returns the recalls in the order of
    /// the vectors, each with a receipt of its own.
    ///
    /// Raises:
    ///     WrongDimensionError, NotFiniteError, ZeroVectorError: A vector is at fault; `row` says which.
    ///     NotUtf8Error: A text holds a lone surrogate.
    ///     InvalidArgumentError: An argument is outside its range.
    ///     ClosedError: The store is closed.
    #[pyo3(
        signature = (vectors, *, text=None, k=None, namespace=None, kind=None, filter=None, receipt=None,
                     content=None, width=None, explore=None, hold_out=None, seed=None, warnings=None,
                     embedding_model=None, threads=None),
        text_signature = "($self, vectors, *, text=None, k=10, namespace='default', kind=None, \
            filter=None, receipt=True, content=False, width=0, explore=0, hold_out=0.0, seed=None, \
            warnings=0, embedding_model=None, threads=0)"
    )]
    fn recall_many<'py>(
        &self,
        py: Python<'py>,
        vectors: &Bound<'py, PyAny>,
        text: Given<'_, 'py>,
        k: Given<'_, 'py>,
        namespace: Given<'_, 'py>,
        kind: Given<'_, 'py>,
        filter: Given<'_, 'py>,
        receipt: Given<'_, 'py>,
        content: Given<'_, 'py>,
        width: Given<'_, 'py>,
        explore: Given<'_, 'py>,
        hold_out: Given<'_, 'py>,
        seed: Given<'_, 'py>,
        warnings: Given<'_, 'py>,
        embedding_model: Given<'_, 'py>,
        threads: Given<'_, 'py>,
    ) -> PyResult<Vec<Recall>> {
        let vectors = matrix(vectors, "vectors")?;
        let rows = (vectors.len(), "vectors");
        let texts = Column::new(text, "text", "a sequence of str or None", rows)?;
        let seeds = Column::new(seed, "seed", "a sequence of int or None", rows)?;
        let wishes = Wishes {
            k,
            namespace,
            kind,
            filter,
            receipt,
            content,
            width,
            explore,
            hold_out,
            warnings,
            embedding_model,
        };
        // The wishes are read once, and shared by all rows.
        let common = wishes.add_to(py, Query::new(Vec::new()))?;
        let row = |(row, numbers): (usize, Vec<f32>)| {
            let query = common.clone().vector(numbers);
            particular(query, texts.at(row), seeds.at(row), |what| Arg::new(what).row(row))
        };
        let queries = vectors.into_iter().enumerate().map(row).collect::<PyResult<Vec<_>>>()?;
        let threads = threads.map_or(Ok(0), |threads| count(threads, Arg::new("threads")))?;
        let recalls = self.with(py, |store| store.recall_many(&queries, threads))?;
        recalls.into_iter().map(|recall| Recall::new(py, recall)).collect()
    }
}

/// What a recall may ask for, and what recalls of a batch have in common.
struct Wishes<'a, 'py> {
    k: Given<'a, 'py>,
    namespace: Given<'a, 'py>,
    kind: Given<'a, 'py>,
    filter: Given<'a, 'py>,
    receipt: Given<'a, 'py>,
    content: Given<'a, 'py>,
    width: Given<'a, 'py>,
    explore: Given<'a, 'py>,
    hold_out: Given<'a, 'py>,
    warnings: Given<'a, 'py>,
    embedding_model: Given<'a, 'py>,
}

impl Wishes<'_, '_> {
    fn add_to(&self, py: Python<'_>, mut query: Query) -> PyResult<Query> {
        if let Some(receipt) = self.receipt {
            query = query.receipt(flag(receipt, Arg::new("receipt"))?);
        }
        if let Some(content) = self.content {
            query = query.content(flag(content, Arg::new("content"))?);
        }
        if let Some(model) = optional_text(self.embedding_model, "embedding_model")? {
            query = query.embedding_model(model);
        }
        if let Some(k) = self.k {
            query = query.k(count(k, Arg::new("k"))?);
        }
        if let Some(namespace) = self.namespace {
            query = within(query, namespace)?;
        }
        if let Some(kind) = optional_text(self.kind, "kind")? {
            query = query.kind(kind);
        }
        if let Some(filter) = self.filter {
            let given = metadata::from_py(filter, Arg::new("filter"))?;
            if !given.is_null() {
                query = query.filter(call(py, || Filter::parse(&given.to_string()))?);
            }
        }
        if let Some(width) = self.width {
            query = query.width(count(width, Arg::new("width"))?);
        }
        if let Some(places) = self.explore {
            query = query.explore(count(places, Arg::new("explore"))?);
        }
        if let Some(share) = self.hold_out {
            query = query.hold_out(number(share, Arg::new("hold_out"))?);
        }
        if let Some(most) = self.warnings {
            query = query.warnings(count(most, Arg::new("warnings"))?);
        }
        Ok(query)
    }
}

/// What each recall of a batch has for itself.
fn particular<'py>(
    mut query: Query,
    text: Given<'_, 'py>,
    seed: Given<'_, 'py>,
    arg: impl Fn(&'static str) -> Arg,
) -> PyResult<Query> {
    if let Some(text) = text.filter(|text| !text.is_none()) {
        query = query.text(self::text(text, arg("text"))?);
    }
    if let Some(seed) = seed {
        query = query.seed(whole(seed, arg("seed"))?);
    }
    Ok(query)
}

/// Restricts a query to a namespace, or to several.
fn within(mut query: Query, namespace: &Bound<'_, PyAny>) -> PyResult<Query> {
    let arg = Arg::new("namespace");
    if namespace.is_instance_of::<PyString>() {
        return Ok(query.namespace(text(namespace, arg)?));
    }
    let mut any = false;
    for (row, name) in members(namespace, arg, "str or several of them")?.enumerate() {
        query = query.namespace(text(&name?, arg.row(row))?);
        any = true;
    }
    if any { Ok(query) } else { Err(arg.invalid(namespace.py(), "there is none in it: name at least one")) }
}
