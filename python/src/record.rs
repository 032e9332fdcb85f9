//! What is stored about a memory, and walking through all of them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;
use wisen::{MemoryId, Timestamp};

use crate::errors::call;
use crate::guard::Provenance;
use crate::store::Handle;
use crate::{metadata, vectors};

/// Records an iterator asks the engine for at a time.
const PAGE: usize = 256;

/// Everything stored about a memory.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Record(wisen::Record);

impl From<wisen::Record> for Record {
    fn from(record: wisen::Record) -> Self {
        Self(record)
    }
}

#[pymethods]
impl Record {
    /// Its id.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id.0
    }

    /// Its namespace.
    #[getter]
    fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// Its kind.
    #[getter]
    fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Its text.
    #[getter]
    fn content(&self) -> &str {
        &self.0.content
    }

    /// Its embedding, as it was given (with storage "f16", as that keeps it): a new `array.array("f")`, which numpy wraps without a copy.
    #[getter]
    fn vector<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        vectors::array(py, &self.0.vector)
    }

    /// Its metadata, a new dict each time; None if it has none.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        metadata::to_py(py, &self.0.metadata)
    }

    /// Who wrote it.
    #[getter]
    fn author(&self) -> Option<&str> {
        self.0.author.as_deref()
    }

    /// Where it comes from, and how far that is trusted.
    #[getter]
    fn provenance(&self) -> Provenance {
        Provenance(self.0.provenance.clone())
    }

    /// The caller's own name for it.
    #[getter]
    fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// When it was stored (UTC).
    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.created_at)
    }

    /// When it was last changed (UTC).
    #[getter]
    fn updated_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.updated_at)
    }

    /// When it stops being recalled (UTC); None: never. Beyond the year 9999: `datetime.max`.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.expires_at.map(|at| moment(py, at)).transpose()
    }

    /// Id of the memory that replaced it, or that it was merged into.
    #[getter]
    fn superseded_by(&self) -> Option<u64> {
        self.0.superseded_by.map(|id| id.0)
    }

    /// Id of the memory that stands for it since it was merged (`Store.distil`).
    #[getter]
    fn merged_into(&self) -> Option<u64> {
        self.0.merged_into.map(|id| id.0)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let Self(record) = self;
        let mut content: String = record.content.chars().take(60).collect();
        if content.len() < record.content.len() {
            content.push_str("...");
        }
        Ok(format!(
            "Record(id={}, namespace={}, kind={}, content={})",
            record.id,
            quoted(py, &record.namespace)?,
            quoted(py, &record.kind)?,
            quoted(py, &content)?
        ))
    }
}

/// A text as Python writes it in a `repr`.
pub(crate) fn quoted(py: Python<'_>, text: &str) -> PyResult<String> {
    PyString::new(py, text).repr()?.extract()
}

/// A bool as Python writes it in a `repr`.
pub(crate) fn python_bool(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

/// An aware `datetime` in UTC.
pub(crate) fn moment(py: Python<'_>, micros: Timestamp) -> PyResult<Bound<'_, PyAny>> {
    static MOMENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    MOMENT.import(py, "wisen._time", "moment")?.call1((micros,))
}

/// Iterates over records in the order of their ids; see `Store.memories`.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct MemoryIterator {
    store: Handle,
    namespace: Option<String>,
    place: Mutex<Place>,
}

struct Place {
    after: MemoryId,
    page: VecDeque<wisen::Record>,
    last_page: bool,
}

impl MemoryIterator {
    pub(crate) fn new(store: Handle, namespace: Option<String>) -> Self {
        let place = Place { after: MemoryId(0), page: VecDeque::new(), last_page: false };
        Self { store, namespace, place: Mutex::new(place) }
    }

    /// The lock is only ever taken with the interpreter released, so the two cannot wait for each other.
    fn step(&self) -> wisen::Result<Option<wisen::Record>> {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.page.is_empty() && !place.last_page {
            let page = self.store.page(self.namespace.as_deref(), place.after, PAGE)?;
            place.last_page = page.len() < PAGE;
            place.page = page.into();
        }
        let record = place.page.pop_front();
        if let Some(record) = &record {
            place.after = record.id;
        }
        Ok(record)
    }
}

#[pymethods]
impl MemoryIterator {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Record>> {
        Ok(call(py, || self.step())?.map(Record))
    }
}
