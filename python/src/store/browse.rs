//! `Store`: looking at what is stored, and forgetting it.

use pyo3::prelude::*;
use wisen::MemoryId;

use crate::convert::{Arg, Given, count, optional_text, text, whole};
use crate::figures::Namespace;
use crate::record::{MemoryIterator, Record};
use crate::store::Store;

#[pymethods]
impl Store {
    /// Return everything stored about a memory; None if there is none with this id.
    fn get(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<Option<Record>> {
        let id = MemoryId(whole(id, Arg::new("id"))?);
        Ok(self.with(py, |store| store.get(id))?.map(Record::from))
    }

    /// Forget a memory: its content and vector are deleted and it is never recalled again; reports on
    /// it stay as a record. Returns whether there was one.
    fn forget(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = MemoryId(whole(id, Arg::new("id"))?);
        self.with(py, |store| store.forget(id))
    }

    /// Return up to `limit` records with ids above `after`, in the order of ids.
    ///
    /// Fewer than `limit` records mean the end. Without a namespace: of all of them.
    #[pyo3(
        signature = (namespace=None, *, after=None, limit=None),
        text_signature = "($self, namespace=None, *, after=0, limit=100)"
    )]
    fn page<'py>(
        &self,
        py: Python<'py>,
        namespace: Given<'_, 'py>,
        after: Given<'_, 'py>,
        limit: Given<'_, 'py>,
    ) -> PyResult<Vec<Record>> {
        let namespace = optional_text(namespace, "namespace")?;
        let after = after.map_or(Ok(0), |after| whole(after, Arg::new("after")))?;
        let limit = limit.map_or(Ok(100), |limit| count(limit, Arg::new("limit")))?;
        let page = self.with(py, |store| store.page(namespace.as_deref(), MemoryId(after), limit))?;
        Ok(page.into_iter().map(Record::from).collect())
    }

    /// Iterate over all records of a namespace, or of all, in the order of ids.
    ///
    /// They are read a page at a time: what is stored or forgotten meanwhile may or may not be seen.
    #[pyo3(signature = (namespace=None))]
    fn memories(&self, namespace: Given<'_, '_>) -> PyResult<MemoryIterator> {
        let namespace = optional_text(namespace, "namespace")?;
        Ok(MemoryIterator::new(self.engine.clone(), namespace))
    }

    /// Return all namespaces, by name.
    fn namespaces(&self, py: Python<'_>) -> PyResult<Vec<Namespace>> {
        let found = self.with(py, wisen::Store::namespaces)?;
        Ok(found.into_iter().map(Namespace).collect())
    }

    /// Count the memories in a namespace, or in all, that were neither forgotten nor superseded.
    #[pyo3(signature = (namespace=None))]
    fn count(&self, py: Python<'_>, namespace: Given<'_, '_>) -> PyResult<u64> {
        let namespace = optional_text(namespace, "namespace")?;
        self.with(py, |store| store.count(namespace.as_deref()))
    }

    /// Forget everything in a namespace, and the namespace. Returns how many memories that were.
    fn drop_namespace(&self, py: Python<'_>, namespace: &Bound<'_, PyAny>) -> PyResult<u64> {
        let namespace = text(namespace, Arg::new("namespace"))?;
        self.with(py, |store| store.drop_namespace(&namespace))
    }
}
