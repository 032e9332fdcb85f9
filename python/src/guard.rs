//! What guards a store: halts, triggers, the audit's verification, provenance, hooks and secrets.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use wisen::{HaltLevel, Incoming, Ruling as EngineRuling};

use crate::convert::{Arg, signed, text, whole};
use crate::metadata::to_py;
use crate::record::{moment, python_bool, quoted};

/// A halt in force.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Halt(pub(crate) wisen::Halt);

#[pymethods]
impl Halt {
    /// "no_writes", "no_recalls", "no_memory" (neither) or "deny_all".
    #[getter]
    fn level(&self) -> &'static str {
        self.0.level.as_str()
    }

    /// Since when (UTC); to the second if it is not recorded.
    #[getter]
    fn since<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.since)
    }

    /// Who halted it last: "owner", or "engine" by a trigger.
    #[getter]
    fn by(&self) -> &str {
        &self.0.by
    }

    /// Why.
    #[getter]
    fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Whether level and reason are in the database. If it could not be written (a full disk), the control file
    /// alone has the level, and every process obeys it all the same.
    #[getter]
    fn recorded(&self) -> bool {
        self.0.recorded
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let Self(halt) = self;
        Ok(format!(
            "Halt(level='{}', by={}, reason={}, recorded={})",
            halt.level.as_str(),
            quoted(py, &halt.by)?,
            quoted(py, &halt.reason)?,
            python_bool(halt.recorded)
        ))
    }
}

/// What halts a store by itself. 0 turns a trigger off; after a resumption all of them begin anew. Reports told
/// in a name that nobody has proven count for none.
///
/// Args:
///     level: How much a trigger halts: "no_writes", "no_recalls", "no_memory" or "deny_all".
///     denials_per_minute: Actions denied within a minute, by all processes together.
///     spend_per_hour_micros: What the reports of the last 60 minutes say was spent, in millionths of the
///         owner's currency.
///     repeats: How often in a row one handle may check the same action.
///     failures_in_a_row: Failures (outcomes below 0.5) reported in a row.
#[pyclass(frozen, eq, module = "wisen")]
#[derive(PartialEq)]
pub(crate) struct Triggers(pub(crate) wisen::Triggers);

/// The level of this name.
pub(crate) fn level(value: &Bound<'_, PyAny>) -> PyResult<HaltLevel> {
    let levels = "no_writes, no_recalls, no_memory, deny_all";
    crate::convert::word(value, "level", HaltLevel::parse, levels)
}

fn number(value: &Bound<'_, PyAny>, what: &'static str) -> PyResult<u32> {
    Ok(whole(value, Arg::new(what))?.try_into().unwrap_or(u32::MAX))
}

#[pymethods]
impl Triggers {
    #[new]
    #[pyo3(
        signature = (*, level=None, denials_per_minute=None, spend_per_hour_micros=None, repeats=None,
                     failures_in_a_row=None),
        text_signature = "(*, level='deny_all', denials_per_minute=0, spend_per_hour_micros=0, repeats=0, \
            failures_in_a_row=0)"
    )]
    fn new(
        level: Option<&Bound<'_, PyAny>>,
        denials_per_minute: Option<&Bound<'_, PyAny>>,
        spend_per_hour_micros: Option<&Bound<'_, PyAny>>,
        repeats: Option<&Bound<'_, PyAny>>,
        failures_in_a_row: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut triggers = wisen::Triggers::new();
        if let Some(given) = level {
            triggers = triggers.level(self::level(given)?);
        }
        if let Some(given) = denials_per_minute {
            triggers = triggers.denials_per_minute(number(given, "denials_per_minute")?);
        }
        if let Some(given) = spend_per_hour_micros {
            let micros = signed(given, Arg::new("spend_per_hour_micros"))?;
            triggers = triggers.spend_per_hour_micros(micros);
        }
        if let Some(given) = repeats {
            triggers = triggers.repeats(number(given, "repeats")?);
        }
        if let Some(given) = failures_in_a_row {
            triggers = triggers.failures_in_a_row(number(given, "failures_in_a_row")?);
        }
        Ok(Self(triggers))
    }

    /// How much a trigger halts.
    #[getter]
    fn level(&self) -> &'static str {
        self.0.level.as_str()
    }

    /// Actions denied within a minute, by all processes together.
    #[getter]
    fn denials_per_minute(&self) -> u32 {
        self.0.denials_per_minute
    }

    /// What was spent within an hour, in millionths.
    #[getter]
    fn spend_per_hour_micros(&self) -> i64 {
        self.0.spend_per_hour_micros
    }

    /// How often in a row one handle may check the same action.
    #[getter]
    fn repeats(&self) -> u32 {
        self.0.repeats
    }

    /// Failures reported in a row.
    #[getter]
    fn failures_in_a_row(&self) -> u32 {
        self.0.failures_in_a_row
    }

    fn __repr__(&self) -> String {
        let t = &self.0;
        format!(
            "Triggers(level='{}', denials_per_minute={}, spend_per_hour_micros={}, repeats={}, \
             failures_in_a_row={})",
            t.level.as_str(),
            t.denials_per_minute,
            t.spend_per_hour_micros,
            t.repeats,
            t.failures_in_a_row
        )
    }
}

/// What `Store.audit_verify` found.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct AuditVerification(pub(crate) wisen::AuditVerification);

#[pymethods]
impl AuditVerification {
    /// Whether nothing is wrong.
    #[getter]
    fn ok(&self) -> bool {
        self.0.is_ok()
    }

    /// Entries that were followed.
    #[getter]
    fn entries(&self) -> u64 {
        self.0.entries
    }

    /// Memories whose content was held against the last hash recorded of it.
    #[getter]
    fn memories(&self) -> u64 {
        self.0.memories
    }

    /// The anchor of the chain as it is.
    #[getter]
    fn anchor(&self) -> &str {
        &self.0.anchor
    }

    /// What is wrong: pairs of the number of the entry at which it shows and a sentence; at most 20.
    #[getter]
    fn faults(&self) -> Vec<(u64, String)> {
        self.0.faults.iter().map(|fault| (fault.entry, fault.what.clone())).collect()
    }

    fn __repr__(&self) -> String {
        let found = &self.0;
        format!(
            "AuditVerification(ok={}, entries={}, memories={}, faults={})",
            python_bool(found.is_ok()),
            found.entries,
            found.memories,
            found.faults.len()
        )
    }
}

/// Where a memory comes from, and what there is to know about it before it is believed.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Provenance(pub(crate) wisen::Provenance);

#[pymethods]
impl Provenance {
    /// Who wrote it, as whoever remembered it told.
    #[getter]
    fn author(&self) -> Option<&str> {
        self.0.author.as_deref()
    }

    /// How far the word of its author is good, 0 to 1; 1 if it names none.
    #[getter]
    fn trust(&self) -> f64 {
        self.0.trust
    }

    /// "human", "tool", "web", "agent" or "import"; None if it was not told.
    #[getter]
    fn source(&self) -> Option<&'static str> {
        self.0.source.map(wisen::Source::as_str)
    }

    /// How long ago it was stored (a timedelta).
    #[getter]
    fn age(&self) -> std::time::Duration {
        self.0.age
    }

    /// The receipt of the recall in which it came about, if that was told.
    #[getter]
    fn origin(&self) -> Option<String> {
        self.0.origin.map(|receipt| receipt.to_string())
    }

    /// Ids of the memories that it was made of.
    #[getter]
    fn parents(&self) -> Vec<u64> {
        self.0.parents.iter().map(|id| id.0).collect()
    }

    /// The model that wrote it, if that was told.
    #[getter]
    fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// What was noticed when it came: "secret", "redacted", "high_entropy", "invisible", "bidirectional".
    #[getter]
    fn flags(&self) -> Vec<&'static str> {
        self.0.flags.iter().map(|flag| flag.as_str()).collect()
    }

    /// What the hook has called it.
    #[getter]
    fn tags(&self) -> Vec<String> {
        self.0.tags.clone()
    }

    fn __repr__(&self) -> String {
        let Self(from) = self;
        let source = from.source.map_or("None".to_owned(), |source| format!("'{}'", source.as_str()));
        format!("Provenance(source={source}, trust={:.3}, age={:?})", from.trust, from.age)
    }
}

/// What a hook decides about a memory.
///
/// Args:
///     content: The text that is stored instead; None: as it is.
///     tags: Tags that are kept with the memory: up to 32, of up to 255 bytes.
///     refuse: Why the memory is refused; None: it is not.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Ruling(EngineRuling);

#[pymethods]
impl Ruling {
    #[new]
    #[pyo3(signature = (*, content=None, tags=Vec::new(), refuse=None), text_signature = "(*, content=None, tags=(), refuse=None)")]
    fn new(content: Option<String>, tags: Vec<String>, refuse: Option<String>) -> Self {
        let mut ruling = EngineRuling::allow();
        (ruling.content, ruling.tags, ruling.refuse) = (content, tags, refuse);
        Self(ruling)
    }

    /// The text that is stored instead.
    #[getter]
    fn content(&self) -> Option<&str> {
        self.0.content.as_deref()
    }

    /// Tags that are kept with the memory.
    #[getter]
    fn tags(&self) -> Vec<String> {
        self.0.tags.clone()
    }

    /// Why the memory is refused.
    #[getter]
    fn refuse(&self) -> Option<&str> {
        self.0.refuse.as_deref()
    }
}

/// Asks a Python callable. An exception, or an answer that is none, refuses the memory.
pub(crate) fn ask(hook: &Py<PyAny>, memory: &Incoming<'_>) -> EngineRuling {
    let asked = Python::attach(|py| -> PyResult<EngineRuling> {
        let seen = PyDict::new(py);
        seen.set_item("content", memory.content)?;
        seen.set_item("metadata", to_py(py, memory.metadata)?)?;
        seen.set_item("namespace", memory.namespace)?;
        seen.set_item("kind", memory.kind)?;
        seen.set_item("author", memory.author)?;
        seen.set_item("source", memory.source.map(wisen::Source::as_str))?;
        let answer = hook.bind(py).call1((seen,))?;
        if answer.is_none() {
            return Ok(EngineRuling::allow());
        }
        if let Ok(ruling) = answer.cast::<Ruling>() {
            return Ok(ruling.get().0.clone());
        }
        if answer.is_instance_of::<PyString>() {
            return Ok(EngineRuling::redact(text(&answer, Arg::new("the answer of the hook"))?));
        }
        Err(Arg::new("the answer of the hook").type_error("None, str or Ruling", &answer))
    });
    asked.unwrap_or_else(|error| EngineRuling::refuse(format!("it raised {error}")))
}

/// Look for secrets in a text, as `Store.remember` does.
///
/// Returns a list of (kind, start, end): what it looks like ("aws_key", "dsn_password", ..., or "high_entropy"
/// for what is too random to be a word), and where the secret itself lies, in characters.
#[pyfunction]
#[pyo3(text_signature = "(text)")]
pub(crate) fn find_secrets(text: &Bound<'_, PyAny>) -> PyResult<Vec<(&'static str, usize, usize)>> {
    let given = crate::convert::text(text, Arg::new("text"))?;
    let characters = |until: usize| given[..until].chars().count();
    let found = wisen::find_secrets(&given);
    Ok(found.iter().map(|s| (s.kind.as_str(), characters(s.range.start), characters(s.range.end))).collect())
}
