//! The class `Store`. Its methods lie in one file per subject: writing, asking, telling,
//! trusting, governing, browsing, declaring fields, measuring; what
//! trusting, governing, browsing, measuring, keeping; what
//! trusting, governing, guarding, browsing, measuring; what
//! concerns the handle as a whole is here.

mod ask;
mod browse;
mod fields;
mod govern;
mod guard;
mod handle;
pub(crate) mod keep;
mod measure;
pub(crate) mod rules;
mod tell;
mod trust;
mod write;

use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use wisen::Error;

use crate::errors::{call, to_py};
use crate::figures::{Stats, Verification};
use crate::record::quoted;
pub(crate) use crate::store::handle::Handle;

/// An open store; made by `wisen.open`.
///
/// A context manager that closes it. Any number of threads may use it: every call releases the
/// interpreter while the engine works.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Store {
    engine: Handle,
    closed: AtomicBool,
}

impl Store {
    pub(crate) fn new(engine: wisen::Store) -> Self {
        Self { engine: Handle::new(engine), closed: AtomicBool::new(false) }
    }

    /// Calls the engine with the interpreter released.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&wisen::Store) -> wisen::Result<T> + Send,
    ) -> PyResult<T> {
        let engine: &wisen::Store = &self.engine;
        call(py, || work(engine))
    }
}

#[pymethods]
impl Store {
    /// Directory of the store; ":memory:" if it has none.
    #[getter]
    fn path(&self) -> OsString {
        self.engine.path().as_os_str().to_owned()
    }

    /// Whether this handle was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Return the figures of the store.
    fn stats(&self, py: Python<'_>) -> PyResult<Stats> {
        self.with(py, wisen::Store::stats).map(Stats)
    }

    /// Check everything stored: rows and what they refer to, payloads, evidence, segments against rows.
    ///
    /// What is wrong is listed in the answer and raises nothing.
    fn verify(&self, py: Python<'_>) -> PyResult<Verification> {
        self.with(py, wisen::Store::verify).map(Verification)
    }

    /// Make durable whatever was acknowledged, receipts included.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, wisen::Store::flush)
    }

    /// Build a segment of what is not in one yet, now; returns when it is in use.
    fn seal(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, wisen::Store::seal)
    }

    /// Flush, stop the threads and close the files; closing again is no error.
    ///
    /// Every later call on this handle raises `ClosedError`.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, wisen::Store::close)?;
        self.closed.store(true, Ordering::Release);
        Ok(())
    }

    fn __enter__(this: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        if this.closed() { Err(to_py(this.py(), &Error::Closed)) } else { Ok(this) }
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let path = quoted(py, &self.path().to_string_lossy())?;
        Ok(format!("Store({path}{})", if self.closed() { ", closed" } else { "" }))
    }
}
