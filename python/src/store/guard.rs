//! `Store`: halting, resuming, and the audit.

use pyo3::prelude::*;
use wisen::{AuditLevel, HaltLevel, SecretKey};

use crate::convert::{self, Arg, Given, optional_text, text, word};
use crate::errors::to_py;
use crate::guard::{self, AuditVerification, Halt, Triggers};
use crate::store::Store;

pub(super) fn secret(py: Python<'_>, key: Given<'_, '_>) -> PyResult<Option<SecretKey>> {
    let key = optional_text(key, "key")?;
    key.map(|key| SecretKey::parse(&key)).transpose().map_err(|error| to_py(py, &error))
}

#[pymethods]
impl Store {
    /// Halt the store: once this returns, every call of any process that begins is refused with `HaltedError`
    /// if the level forbids it, until somebody who may do so resumes it. Survives restarts, works on a full
    /// disk. Anybody may halt; halting again adds to what is halted.
    ///
    /// Args:
    ///     reason: Why (1 to 4096 bytes).
    ///     level: "no_writes", "no_recalls", "no_memory" (neither), or "deny_all" (besides, every check denies,
    ///         and nothing is shown but how the store stands).
    #[pyo3(signature = (reason, level=None), text_signature = "($self, reason, level='deny_all')")]
    fn halt(&self, py: Python<'_>, reason: &Bound<'_, PyAny>, level: Given<'_, '_>) -> PyResult<Halt> {
        let reason = text(reason, Arg::new("reason"))?;
        let level = level.map_or(Ok(HaltLevel::DenyAll), guard::level)?;
        self.with(py, |store| store.halt(&reason, level)).map(Halt)
    }

    /// Return the halt in force; None if the store is not halted.
    fn halted(&self, py: Python<'_>) -> PyResult<Option<Halt>> {
        Ok(self.with(py, wisen::Store::halted)?.map(Halt))
    }

    /// End the halt in force, all of it. Return whether there was one.
    ///
    /// Args:
    ///     reason: Why (1 to 4096 bytes).
    ///     key: Secret key of an authority, as text; needed if the store has one.
    ///
    /// Raises:
    ///     UnauthorisedError: The store has an authority, and the key is none that is valid now.
    ///     HaltedError: Somebody halted it meanwhile.
    ///     DiskFullError, BusyError: It cannot be written down now.
    #[pyo3(signature = (reason, *, key=None))]
    fn resume(&self, py: Python<'_>, reason: &Bound<'_, PyAny>, key: Given<'_, '_>) -> PyResult<bool> {
        let (reason, key) = (text(reason, Arg::new("reason"))?, secret(py, key)?);
        self.with(py, |store| store.resume(&reason, key.as_ref()))
    }

    /// Set what halts the store by itself. A store that has an authority asks for its key.
    #[pyo3(signature = (triggers, *, key=None))]
    fn set_triggers(&self, py: Python<'_>, triggers: &Bound<'_, PyAny>, key: Given<'_, '_>) -> PyResult<()> {
        let given = triggers.cast::<Triggers>();
        let triggers = given.map_err(|_| Arg::new("triggers").type_error("Triggers", triggers))?.get().0;
        let key = secret(py, key)?;
        self.with(py, |store| store.set_triggers(triggers, key.as_ref()))
    }

    /// Return what halts the store by itself.
    fn triggers(&self, py: Python<'_>) -> PyResult<Triggers> {
        self.with(py, wisen::Store::triggers).map(Triggers)
    }

    /// Set what the audit keeps from now on: "everything" (default), or "decisions" only. A store that has an
    /// authority asks for its key.
    #[pyo3(signature = (level, *, key=None))]
    fn set_audit_level(&self, py: Python<'_>, level: &Bound<'_, PyAny>, key: Given<'_, '_>) -> PyResult<()> {
        let level = word(level, "level", AuditLevel::parse, "everything, decisions")?;
        let key = secret(py, key)?;
        self.with(py, |store| store.set_audit_level(level, key.as_ref()))
    }

    /// Return what the audit keeps: "everything" or "decisions".
    fn audit_level(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(self.with(py, wisen::Store::audit_level)?.as_str())
    }

    /// Follow the chain of hashes over the whole audit, and hold every memory against the last hash that the
    /// audit has of it. With an anchor kept elsewhere, also find a rewritten chain and a cut tail.
    ///
    /// What is wrong is listed in the answer and raises nothing.
    #[pyo3(signature = (anchor=None))]
    fn audit_verify(&self, py: Python<'_>, anchor: Given<'_, '_>) -> PyResult<AuditVerification> {
        let anchor = optional_text(anchor, "anchor")?;
        self.with(py, |store| store.audit_verify(anchor.as_deref())).map(AuditVerification)
    }

    /// Return the number of entries and the hash of the last one, as one text, to be kept elsewhere.
    fn anchor(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, wisen::Store::anchor)
    }

    /// Write the whole audit to a file as JSON lines, oldest first. Return how many entries.
    ///
    /// The file appears whole or not at all, and takes the place of one that is there; none in the directory of
    /// the store is.
    fn audit_export(&self, py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<u64> {
        let path = convert::path(path, "path")?;
        self.with(py, |store| store.audit_export_file(&path, true))
    }
}
