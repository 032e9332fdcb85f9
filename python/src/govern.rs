//! How memories stand and what was decided of them: plain values that the engine hands back.

use pyo3::prelude::*;

use crate::metadata::to_py;
use crate::record::{moment, python_bool, quoted};

/// A memory that would be near, and is kept from the hits because it failed.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Warning(pub(crate) wisen::Warning);

#[pymethods]
impl Warning {
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

    /// How it stands: "quarantined", "probation" or "retired".
    #[getter]
    fn state(&self) -> &'static str {
        self.0.state.as_str()
    }

    /// Cosine, dot product, or minus the squared Euclidean distance to the query.
    #[getter]
    fn similarity(&self) -> f32 {
        self.0.similarity
    }

    /// Weight of its successes in situations like this one, in outcomes.
    #[getter]
    fn successes(&self) -> f64 {
        self.0.successes
    }

    /// Weight of its failures in situations like this one, in outcomes.
    #[getter]
    fn failures(&self) -> f64 {
        self.0.failures
    }

    /// That in a sentence, such as "Quarantined; tried in situations like this one: failed 7 of 8."
    #[getter]
    fn text(&self) -> &str {
        &self.0.text
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

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let Self(warning) = self;
        Ok(format!(
            "Warning(id={}, namespace={}, state='{}', text={})",
            warning.id,
            quoted(py, &warning.namespace)?,
            warning.state.as_str(),
            quoted(py, &warning.text)?
        ))
    }
}

/// How a memory stands, and on what evidence.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Standing(pub(crate) wisen::Standing);

#[pymethods]
impl Standing {
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

    /// "active" (it can be a hit), "quarantined" (it failed too often, or severely: no hit, but it may
    /// be tried again), "probation" (it is being tried: its next outcomes decide) or "retired" (it was
    /// tried again in vain, or the owner took it out of use).
    #[getter]
    fn state(&self) -> &'static str {
        self.0.state.as_str()
    }

    /// Whether it is exempt from quarantine.
    #[getter]
    fn pinned(&self) -> bool {
        self.0.pinned
    }

    /// When it came into this state (UTC); None if it was never in another.
    #[getter]
    fn since<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.since.map(|at| moment(py, at)).transpose()
    }

    /// Why it is in this state.
    #[getter]
    fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Weight of its successes, in outcomes: in all, or since its last probation began.
    #[getter]
    fn successes(&self) -> f64 {
        self.0.successes
    }

    /// Weight of its failures, likewise.
    #[getter]
    fn failures(&self) -> f64 {
        self.0.failures
    }

    /// Reports behind these two.
    #[getter]
    fn reports(&self) -> u64 {
        self.0.reports
    }

    /// Probability that its success rate lies below the floor of the policy, by these, 0 to 1.
    #[getter]
    fn doubt(&self) -> f64 {
        self.0.doubt
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let Self(standing) = self;
        Ok(format!(
            "Standing(id={}, namespace={}, state='{}', pinned={}, doubt={:.3}, reason={})",
            standing.id,
            quoted(py, &standing.namespace)?,
            standing.state.as_str(),
            python_bool(standing.pinned),
            standing.doubt,
            quoted(py, &standing.reason)?
        ))
    }
}

/// An entry of the audit table: what was decided, by whom and on which figures. Never changed or deleted.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct AuditEntry(pub(crate) wisen::AuditEntry);

#[pymethods]
impl AuditEntry {
    /// Its number: 1, 2, 3, ... without gaps.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id
    }

    /// When it was decided (UTC).
    #[getter]
    fn at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.at)
    }

    /// "engine": by a rule; "owner": by a call; "principal:NAME": proven by its token; "unproven:NAME": a
    /// name that anybody may use; "authority:NAME": proven by its signature.
    #[getter]
    fn actor(&self) -> &str {
        &self.0.actor
    }

    /// What was done, such as "quarantine" or "policy".
    #[getter]
    fn op(&self) -> &str {
        &self.0.op
    }

    /// The namespace it is about; None if that is gone.
    #[getter]
    fn namespace(&self) -> Option<&str> {
        self.0.namespace.as_deref()
    }

    /// Id of the memory it is about, if it is about one.
    #[getter]
    fn memory(&self) -> Option<u64> {
        self.0.memory.map(|id| id.0)
    }

    /// The figures and reasons behind it, a new dict each time.
    #[getter]
    fn detail<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_py(py, &self.0.detail)
    }

    /// Its hash in the chain, in hexadecimal digits: `Store.anchor` ends with it if it is the last. None:
    /// somebody has taken it away.
    #[getter]
    fn hash(&self) -> Option<&str> {
        self.0.hash.as_deref()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let Self(entry) = self;
        let memory = entry.memory.map_or_else(|| "None".to_owned(), |id| id.to_string());
        Ok(format!(
            "AuditEntry(id={}, actor={}, op={}, memory={memory})",
            entry.id,
            quoted(py, &entry.actor)?,
            quoted(py, &entry.op)?
        ))
    }
}

/// A merger of two near-duplicates.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Merge(pub(crate) wisen::Merge);

#[pymethods]
impl Merge {
    /// Id of the memory that stays.
    #[getter]
    fn survivor(&self) -> u64 {
        self.0.survivor.0
    }

    /// Id of the memory that is no hit any more; it still stands for the survivor.
    #[getter]
    fn absorbed(&self) -> u64 {
        self.0.absorbed.0
    }

    /// Similarity of the two (cosine, dot, or minus the squared distance).
    #[getter]
    fn similarity(&self) -> f32 {
        self.0.similarity
    }

    fn __repr__(&self) -> String {
        let Self(merge) = self;
        format!(
            "Merge(survivor={}, absorbed={}, similarity={:.4})",
            merge.survivor, merge.absorbed, merge.similarity
        )
    }
}
