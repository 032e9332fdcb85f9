//! From the engine's errors to the classes of `wisen.errors`, and the one way into the engine.

use std::any::Any;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use wisen::Error;

/// Calls the engine with the interpreter released. A panic in it becomes an `InternalError`.
pub(crate) fn call<T: Send>(py: Python<'_>, work: impl FnOnce() -> wisen::Result<T> + Send) -> PyResult<T> {
    match py.detach(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(to_py(py, &error)),
        Err(panic) => Err(to_py(py, &Error::Internal { what: panic_message(panic.as_ref()) })),
    }
}

/// The Python exception for an error of the engine.
pub(crate) fn to_py(py: Python<'_>, error: &Error) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = MAKE.import(py, "wisen.errors", "_from_engine").and_then(|make| {
        make.call1((error.code() as i32, error.to_string(), row(error), errno(error), path(error)))
    });
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(unmade) => unmade,
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    format!("panic: {text}")
}

fn row(error: &Error) -> Option<usize> {
    match error {
        Error::Row { row, .. } => Some(*row),
        _ => None,
    }
}

fn errno(error: &Error) -> Option<i32> {
    match error {
        Error::Row { source, .. } => errno(source),
        Error::Io { source, .. } => source.raw_os_error(),
        _ => None,
    }
}

fn path(error: &Error) -> Option<OsString> {
    match error {
        Error::Row { source, .. } => path(source),
        Error::Io { path, .. } | Error::ReadOnly { path, .. } | Error::DiskFull { path } => {
            Some(path.as_os_str().to_owned())
        }
        _ => None,
    }
}
