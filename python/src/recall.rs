//! What a recall answers: the recall, its hits, and the evidence for them.

use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyTuple};
use wisen::MemoryId;

use crate::errors::call;
use crate::govern::Warning;
use crate::guard::Provenance;
use crate::metadata::to_py;
use crate::record::python_bool;
use crate::rules::RuleNote;

/// The answer to `Store.recall`: its hits, best first, as a sequence.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Recall {
    receipt: Option<String>,
    rules: Vec<wisen::RuleNote>,
    hits: Py<PyTuple>,
    fit: f64,
    withheld: bool,
    warnings: Py<PyTuple>,
    bytes_touched: u64,
}

impl Recall {
    pub(crate) fn new(py: Python<'_>, recall: wisen::Recall) -> PyResult<Self> {
        let hits: Vec<Py<Hit>> =
            recall.hits.into_iter().map(|hit| Py::new(py, Hit(hit))).collect::<PyResult<_>>()?;
        let warnings: Vec<Py<Warning>> = recall
            .warnings
            .into_iter()
            .map(|warning| Py::new(py, Warning(warning)))
            .collect::<PyResult<_>>()?;
        Ok(Self {
            receipt: recall.receipt.map(|receipt| receipt.to_string()),
            rules: recall.rules,
            hits: PyTuple::new(py, hits)?.unbind(),
            fit: recall.fit,
            withheld: recall.withheld,
            warnings: PyTuple::new(py, warnings)?.unbind(),
            bytes_touched: recall.bytes_touched,
        })
    }
}

#[pymethods]
impl Recall {
    /// Names this recall in a report (36 characters); None if it was made with receipt=False.
    #[getter]
    pub(crate) fn receipt(&self) -> Option<&str> {
        self.receipt.as_deref()
    }

    /// The MUST directives that apply where it looked, in the order in which they decide: whatever is done
    /// with the hits has to heed them.
    #[getter]
    fn rules(&self) -> Vec<RuleNote> {
        self.rules.iter().cloned().map(RuleNote).collect()
    }

    /// The hits, best first, then those that were explored: at most `k`.
    #[getter]
    fn hits(&self, py: Python<'_>) -> Py<PyTuple> {
        self.hits.clone_ref(py)
    }

    /// Probability that one of the hits succeeds here, 0 to 1: that of the likeliest one, and so a lower
    /// bound where several could. Low means that nothing fits; 0 without hits.
    #[getter]
    fn fit(&self) -> f64 {
        self.fit
    }

    /// Whether the hits were withheld at random, to learn how things go without memory (`hold_out`):
    /// there are none then, and the report on this recall can name none.
    #[getter]
    fn withheld(&self) -> bool {
        self.withheld
    }

    /// Memories that are no hits because they failed, if the recall was made with `warnings`; nearest
    /// first.
    #[getter]
    fn warnings(&self, py: Python<'_>) -> Py<PyTuple> {
        self.warnings.clone_ref(py)
    }

    /// Bytes of codes, graph rows, vectors, samples and contents that were read for it.
    #[getter]
    fn bytes_touched(&self) -> u64 {
        self.bytes_touched
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.hits.bind(py).len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.hits.bind(py).try_iter()
    }

    fn __getitem__<'py>(&self, at: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.hits.bind(at.py()).as_any().get_item(at)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let receipt = self.receipt.as_ref().map_or_else(|| "None".to_owned(), |text| format!("'{text}'"));
        let ids: Vec<String> = self
            .hits
            .bind(py)
            .iter()
            .filter_map(|hit| Some(hit.cast::<Hit>().ok()?.get().0.id.to_string()))
            .collect();
        format!(
            "Recall(receipt={receipt}, hits=[{}], bytes_touched={}, fit={:.3}, withheld={})",
            ids.join(", "),
            self.bytes_touched,
            self.fit,
            python_bool(self.withheld)
        )
    }
}

/// A memory that fits, and why.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Hit(wisen::Hit);

impl Hit {
    pub(crate) fn memory(&self) -> MemoryId {
        self.0.id
    }
}

#[pymethods]
impl Hit {
    /// Id of the memory.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id.0
    }

    /// Its namespace.
    #[getter]
    fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// What hits are ranked by. It orders the hits of one recall and means nothing across recalls.
    #[getter]
    fn score(&self) -> f64 {
        self.0.score
    }

    /// Cosine, dot product, or minus the squared Euclidean distance to the query.
    #[getter]
    fn similarity(&self) -> f32 {
        self.0.similarity
    }

    /// Probability that using it here succeeds, 0 to 1.
    #[getter]
    fn probability(&self, py: Python<'_>) -> PyResult<f64> {
        call(py, || Ok(self.0.probability()))
    }

    /// Central 90 % credible interval of `probability`: (low, high), each 0 to 1.
    #[getter]
    fn interval(&self, py: Python<'_>) -> PyResult<(f64, f64)> {
        call(py, || Ok(self.0.interval()))
    }

    /// What experience says of it in situations like this one.
    #[getter]
    fn evidence(&self) -> Evidence {
        Evidence(self.0.evidence)
    }

    /// The probability with which it was shown: 1, unless chance put it there. For a quarantined memory
    /// that is tried again in the last place, the share of recalls on which that happens. For one that
    /// was explored (`explore`), the probability of being drawn into any of the explored places, estimated
    /// from 256 draws: its standard error is at most 0.031, and it is never below 1/258.
    #[getter]
    fn propensity(&self) -> f64 {
        self.0.propensity
    }

    /// Id of the PREFER or AVOID directive that shifts it among the hits; None if none does.
    #[getter]
    fn rule(&self) -> Option<&str> {
        self.0.rule.as_deref()
    }

    /// By how much that directive shifted the score: -1.8 to 0.7, 0 without one.
    #[getter]
    fn shift(&self) -> f64 {
        self.0.shift
    }

    /// Where it comes from, and how far that is trusted; None if the recall was made without content=True.
    #[getter]
    fn provenance(&self) -> Option<Provenance> {
        self.0.provenance.clone().map(Provenance)
    }

    /// Its text; None if the recall was made without content=True.
    #[getter]
    fn content(&self) -> Option<&str> {
        self.0.content.as_deref()
    }

    /// Its metadata, a new dict each time; None if it has none, or without content=True.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let metadata = self.0.metadata.as_ref().filter(|metadata| !metadata.is_null());
        metadata.map(|metadata| to_py(py, metadata)).transpose()
    }

    /// Why it is a hit, in sentences for people.
    #[getter]
    fn reasons(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        call(py, || Ok(self.0.reasons()))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let probability = self.probability(py)?;
        let Self(hit) = self;
        Ok(format!(
            "Hit(id={}, namespace={}, similarity={:.4}, probability={probability:.3}, reports={})",
            hit.id,
            crate::record::quoted(py, &hit.namespace)?,
            hit.similarity,
            hit.evidence.reports
        ))
    }
}

/// What experience says of a memory in situations like the present one.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Evidence(wisen::Evidence);

#[pymethods]
impl Evidence {
    /// Weight of the memory's own fit to the query.
    #[getter]
    fn own_fit(&self) -> f64 {
        self.0.own_fit
    }

    /// Weight of successes in situations like this one.
    #[getter]
    fn successes(&self) -> f64 {
        self.0.successes
    }

    /// Weight of failures in situations like this one.
    #[getter]
    fn failures(&self) -> f64 {
        self.0.failures
    }

    /// Reports behind these two sums.
    #[getter]
    fn reports(&self) -> u64 {
        self.0.reports
    }

    /// Whether it was found through situations in which it worked, not through its own words.
    #[getter]
    fn nominated(&self) -> bool {
        self.0.nominated
    }

    /// The nearest situation in which it mostly worked.
    #[getter]
    fn supporting(&self) -> Option<Precedent> {
        self.0.supporting.map(Precedent)
    }

    /// The nearest situation in which it mostly failed.
    #[getter]
    fn contradicting(&self) -> Option<Precedent> {
        self.0.contradicting.map(Precedent)
    }

    fn __repr__(&self) -> String {
        let Self(e) = self;
        format!(
            "Evidence(own_fit={:.3}, successes={:.3}, failures={:.3}, reports={}, nominated={})",
            e.own_fit,
            e.successes,
            e.failures,
            e.reports,
            python_bool(e.nominated)
        )
    }
}

/// A remembered attempt in a situation like this one.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Precedent(wisen::Precedent);

#[pymethods]
impl Precedent {
    /// Similarity of that situation to this one (cosine, dot, or minus the squared distance).
    #[getter]
    fn similarity(&self) -> f32 {
        self.0.similarity
    }

    /// Mean outcome of the reports made there, 0 to 1.
    #[getter]
    fn outcome(&self) -> f64 {
        self.0.outcome
    }

    /// How many reports were made there.
    #[getter]
    fn reports(&self) -> u64 {
        self.0.reports
    }

    fn __repr__(&self) -> String {
        let Self(p) = self;
        format!("Precedent(similarity={:.4}, outcome={:.3}, reports={})", p.similarity, p.outcome, p.reports)
    }
}
