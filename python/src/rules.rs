//! Rules: plain values that the engine hands back.

use pyo3::prelude::*;
use wisen::Bearing;

use crate::record::{moment, quoted};

/// Whether an action may be taken, and why.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Decision(pub(crate) wisen::Decision);

#[pymethods]
impl Decision {
    /// "allow", "deny" or "ask".
    #[getter]
    fn answer(&self) -> &'static str {
        self.0.answer.as_str()
    }

    /// Whether the answer is "allow".
    #[getter]
    fn allowed(&self) -> bool {
        self.0.answer == wisen::Answer::Allow
    }

    /// The same: `if store.check(...):` goes on only where the answer is "allow".
    fn __bool__(&self) -> bool {
        self.allowed()
    }

    /// Id of the directive that decided; None if none did.
    #[getter]
    fn rule(&self) -> Option<&str> {
        self.0.rule.as_deref()
    }

    /// The same in a sentence for people.
    #[getter]
    fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Every directive that matched, first the one that decided, then in the order in which they would
    /// decide.
    #[getter]
    fn matched(&self) -> Vec<Match> {
        self.0.matched.iter().cloned().map(Match).collect()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let Self(decision) = self;
        let rule = decision.rule.as_ref().map_or(Ok("None".to_owned()), |rule| quoted(py, rule))?;
        let reason = quoted(py, &decision.reason)?;
        Ok(format!("Decision(answer='{}', rule={rule}, reason={reason})", decision.answer.as_str()))
    }
}

/// A directive that matched an action.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Match(wisen::Match);

#[pymethods]
impl Match {
    /// Its id.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// "MUST", "NEVER", "PREFER" or "AVOID".
    #[getter]
    fn force(&self) -> &'static str {
        self.0.force.as_str()
    }

    /// What it did: "denies", "asks", "allows", "satisfied" (a MUST whose requirement holds) or "lifted".
    #[getter]
    fn bearing(&self) -> &'static str {
        self.0.bearing.as_str()
    }

    /// Id of the directive that lifts it; None if it is not lifted, or by an override.
    #[getter]
    fn lifted_by(&self) -> Option<&str> {
        match &self.0.bearing {
            Bearing::Lifted(by) => by.as_deref(),
            _ => None,
        }
    }

    /// Why there is this directive.
    #[getter]
    fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The tests by which it matched, and for a MUST that denies what it requires.
    #[getter]
    fn why(&self) -> &str {
        &self.0.why
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let Self(found) = self;
        let (id, force, bearing) = (quoted(py, &found.id)?, found.force.as_str(), found.bearing.as_str());
        Ok(format!("Match(id={id}, force='{force}', bearing='{bearing}')"))
    }
}

/// A directive that comes with a recall, because what is done with the hits has to heed it.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct RuleNote(pub(crate) wisen::RuleNote);

#[pymethods]
impl RuleNote {
    /// Its id.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// Its priority.
    #[getter]
    fn priority(&self) -> i32 {
        self.0.priority
    }

    /// Why there is this directive.
    #[getter]
    fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The directive as text.
    #[getter]
    fn text(&self) -> &str {
        &self.0.text
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("RuleNote(id={}, reason={})", quoted(py, &self.0.id)?, quoted(py, &self.0.reason)?))
    }
}

/// A directive in force, or to come.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Directive(pub(crate) wisen::DirectiveRecord);

#[pymethods]
impl Directive {
    /// Its id.
    #[getter]
    fn id(&self) -> &str {
        &self.0.directive.id
    }

    /// "MUST", "NEVER", "PREFER" or "AVOID".
    #[getter]
    fn force(&self) -> &'static str {
        self.0.directive.force.as_str()
    }

    /// Among directives that say different things, the one of higher priority decides.
    #[getter]
    fn priority(&self) -> i32 {
        self.0.directive.priority
    }

    /// Why there is this directive.
    #[getter]
    fn reason(&self) -> &str {
        &self.0.directive.reason
    }

    /// The directive as text, which `Store.add_directives` reads.
    #[getter]
    fn text(&self) -> String {
        self.0.directive.to_string()
    }

    /// When it was added (UTC).
    #[getter]
    fn added_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.added_at)
    }

    /// Name of the authority that signed it.
    #[getter]
    fn signer(&self) -> &str {
        &self.0.signer
    }

    /// The public key that signed it.
    #[getter]
    fn signed_by(&self) -> String {
        self.0.signed_by.to_string()
    }

    /// Until when an override lifts it (UTC); None if none does now.
    #[getter]
    fn lifted_until<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.lifted_until.map(|at| moment(py, at)).transpose()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let directive = &self.0.directive;
        let (id, force) = (quoted(py, &directive.id)?, directive.force.as_str());
        Ok(format!("Directive(id={id}, force='{force}', priority={})", directive.priority))
    }
}

/// A key that may change the rules of a store, or once might.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Authority(pub(crate) wisen::Authority);

#[pymethods]
impl Authority {
    /// Its public key.
    #[getter]
    fn key(&self) -> String {
        self.0.key.to_string()
    }

    /// Whose key it is.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was admitted (UTC).
    #[getter]
    fn added_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.added_at)
    }

    /// When it was revoked or rotated (UTC); None while it is valid.
    #[getter]
    fn revoked_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.revoked_at.map(|at| moment(py, at)).transpose()
    }

    /// The public key that signed its admission.
    #[getter]
    fn admitted_by(&self) -> String {
        self.0.admitted_by.to_string()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let state = if self.0.revoked_at.is_none() { "valid" } else { "revoked" };
        Ok(format!("Authority(name={}, {state})", quoted(py, &self.0.name)?))
    }
}
