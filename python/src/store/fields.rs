//! `Store`: declaring fields of the metadata.

use pyo3::prelude::*;

use crate::convert::{Arg, text};
use crate::store::Store;

#[pymethods]
impl Store {
    /// Declare a field of the metadata, by which recalls can then be filtered: a name at its top, or a path
    /// into it (`a.b`). What the memories hold there is indexed, now and as they come.
    ///
    /// Returns whether it was not declared before.
    ///
    /// Args:
    ///     name: The field (1 to 255 bytes).
    ///
    /// Raises:
    ///     InvalidArgumentError, NotUtf8Error: The name can be none.
    ///     BusyError, DiskFullError, ReadOnlyError, ClosedError: It cannot be written now.
    fn declare_field(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        let name = text(name, Arg::new("name"))?;
        self.with(py, |store| store.declare_field(&name))
    }

    /// Take the declaration of a field back; the metadata stays. Returns whether it was declared.
    fn drop_field(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        let name = text(name, Arg::new("name"))?;
        self.with(py, |store| store.drop_field(&name))
    }

    /// Return the declared fields, by name.
    fn fields(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.with(py, wisen::Store::fields)
    }
}
