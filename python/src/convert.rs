//! Plain arguments: texts, numbers, durations, moments. A wrong type is a `TypeError`, a wrong value the
//! engine's own error; both name the argument.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;
use wisen::{Error, Timestamp};

use crate::errors::to_py;

/// An argument as it was passed; `None` where it was left out.
pub(crate) type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The name of an argument, and which entry of it is meant if it holds one for each row of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arg {
    what: &'static str,
    row: Option<usize>,
}

impl Arg {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, row: None }
    }

    /// The entry for row `row` of a batch.
    pub(crate) fn row(self, row: usize) -> Self {
        Self { row: Some(row), ..self }
    }

    /// Entry `at` of the argument; of a batch, the row stays what it was.
    pub(crate) fn entry(self, at: usize) -> Self {
        Self { row: self.row.or(Some(at)), ..self }
    }

    pub(crate) fn type_error(self, wanted: &str, got: &Bound<'_, PyAny>) -> PyErr {
        let kind = got.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
        let Self { what, row } = self;
        PyTypeError::new_err(match row {
            None => format!("{what} must be {wanted}, not {kind}"),
            Some(row) => format!("{what}[{row}] must be {wanted}, not {kind}"),
        })
    }

    pub(crate) fn invalid(self, py: Python<'_>, why: impl Into<String>) -> PyErr {
        self.refuse(py, Error::InvalidArgument { what: self.what, why: why.into() })
    }

    /// The engine's error, of the row if there is one.
    pub(crate) fn refuse(self, py: Python<'_>, error: Error) -> PyErr {
        match self.row {
            None => to_py(py, &error),
            Some(row) => to_py(py, &Error::Row { row, source: Box::new(error) }),
        }
    }
}

/// A `str`. A lone surrogate has no UTF-8 form: `NotUtf8Error`.
pub(crate) fn text(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<String> {
    let string = value.cast::<PyString>().map_err(|_| arg.type_error("str", value))?;
    if let Ok(text) = string.to_str() {
        return Ok(text.to_owned());
    }
    let bytes: Vec<u8> = value.call_method1("encode", ("utf-8", "surrogatepass"))?.extract()?;
    let at = std::str::from_utf8(&bytes).map_or_else(|bad| bad.valid_up_to(), |_| 0);
    Err(arg.refuse(value.py(), Error::NotUtf8 { what: arg.what, at }))
}

/// A `str`, or none where it is left out or None.
pub(crate) fn optional_text(value: Given<'_, '_>, what: &'static str) -> PyResult<Option<String>> {
    value.map(|value| text(value, Arg::new(what))).transpose()
}

/// A bool.
pub(crate) fn flag(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<bool> {
    value.extract().map_err(|_| arg.type_error("bool", value))
}

/// A path: `str` or `os.PathLike`.
pub(crate) fn path(value: &Bound<'_, PyAny>, what: &'static str) -> PyResult<PathBuf> {
    value.extract().map_err(|_| Arg::new(what).type_error("str or os.PathLike", value))
}

/// A number with a fraction.
pub(crate) fn number(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<f64> {
    value.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            arg.invalid(value.py(), "it is too large for a float")
        } else {
            arg.type_error("float", value)
        }
    })
}

/// An aware `datetime.datetime`, in microseconds since 1970.
pub(crate) fn moment(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<Timestamp> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static MICROS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    if !value.is_instance(CLASS.import(py, "datetime", "datetime")?)? {
        return Err(arg.type_error("datetime.datetime", value));
    }
    if value.call_method0("utcoffset")?.is_none() {
        return Err(arg.invalid(py, "it has no time zone: give an aware datetime"));
    }
    MICROS.import(py, "wisen._time", "micros")?.call1((value,))?.extract()
}

/// A whole number, 0 or greater.
pub(crate) fn whole(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<u64> {
    value.extract().map_err(|error| number_error(value, arg, &error, "0 or greater, and below 2**64"))
}

/// A whole number, 0 or greater, that counts things in memory.
pub(crate) fn count(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<usize> {
    Ok(usize::try_from(whole(value, arg)?).unwrap_or(usize::MAX))
}

/// A whole number of either sign.
pub(crate) fn signed(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<i64> {
    value.extract().map_err(|error| number_error(value, arg, &error, "at least -2**63, and below 2**63"))
}

fn number_error(value: &Bound<'_, PyAny>, arg: Arg, error: &PyErr, range: &str) -> PyErr {
    if error.is_instance_of::<PyOverflowError>(value.py()) {
        arg.invalid(value.py(), format!("it must be {range}"))
    } else {
        arg.type_error("int", value)
    }
}

/// A duration: a number of seconds or a `datetime.timedelta`.
pub(crate) fn seconds(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<Duration> {
    let seconds = value
        .extract::<f64>()
        .or_else(|_| value.call_method0("total_seconds")?.extract::<f64>())
        .map_err(|_| arg.type_error("a number of seconds or datetime.timedelta", value))?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| arg.invalid(value.py(), "it must be a finite number of seconds, 0 or greater"))
}

/// A duration in days: a number, or a `datetime.timedelta`.
pub(crate) fn days(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<f64> {
    if value.hasattr("total_seconds")? {
        return Ok(number(&value.call_method0("total_seconds")?, arg)? / 86_400.0);
    }
    number(value, arg)
}

/// One of the words of an enumeration of the engine.
pub(crate) fn word<T>(
    value: &Bound<'_, PyAny>,
    what: &'static str,
    parse: impl Fn(&str) -> Option<T>,
    choices: &str,
) -> PyResult<T> {
    let given = text(value, Arg::new(what))?;
    parse(&given).ok_or_else(|| Arg::new(what).invalid(value.py(), format!("{given:?} is none of {choices}")))
}
