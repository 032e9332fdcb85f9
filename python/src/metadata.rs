//! Metadata: a `dict` of JSON's types there, a JSON value here. Nothing is bent to fit: what JSON
//! cannot say (NaN, keys that are no `str`, numbers beyond 64 bits, other types) is refused.

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use serde_json::{Map, Number, Value};

use crate::convert::{Arg, text};

/// Containers within containers: more than this is refused (also JSON readers stop there).
const DEEPEST: usize = 100;

/// A mapping with `str` keys, or None.
pub(crate) fn from_py(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<Value> {
    if value.is_none() {
        return Ok(Value::Null);
    }
    let mapping = value.cast::<PyMapping>().map_err(|_| arg.type_error("dict or None", value))?;
    object(mapping, arg, 1)
}

fn object(mapping: &Bound<'_, PyMapping>, arg: Arg, depth: usize) -> PyResult<Value> {
    let mut map = Map::new();
    for item in mapping.items()?.iter() {
        let (key, entry): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        if !key.is_instance_of::<PyString>() {
            return Err(arg.type_error("a dict whose keys are str", &key));
        }
        map.insert(text(&key, arg)?, json(&entry, arg, depth)?);
    }
    Ok(Value::Object(map))
}

/// Anything that JSON can say; `depth` containers are around it.
pub(crate) fn json(value: &Bound<'_, PyAny>, arg: Arg, depth: usize) -> PyResult<Value> {
    if depth > DEEPEST {
        return Err(arg.invalid(value.py(), format!("more than {DEEPEST} containers within each other")));
    }
    if value.is_none() {
        Ok(Value::Null)
    } else if let Ok(flag) = value.cast::<PyBool>() {
        Ok(Value::Bool(flag.is_true()))
    } else if value.is_instance_of::<PyString>() {
        text(value, arg).map(Value::String)
    } else if value.is_instance_of::<PyInt>() {
        integer(value, arg)
    } else if value.is_instance_of::<PyFloat>() {
        let number: f64 = value.extract()?;
        let number = Number::from_f64(number);
        number.map(Value::Number).ok_or_else(|| arg.invalid(value.py(), "JSON has no NaN and no infinity"))
    } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let entries = value.try_iter()?.map(|entry| json(&entry?, arg, depth + 1));
        entries.collect::<PyResult<_>>().map(Value::Array)
    } else if let Ok(mapping) = value.cast::<PyMapping>() {
        object(mapping, arg, depth + 1)
    } else {
        Err(arg.type_error("made of dict, list, tuple, str, int, float, bool and None", value))
    }
}

fn integer(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<Value> {
    if let Ok(small) = value.extract::<i64>() {
        return Ok(Value::from(small));
    }
    value.extract::<u64>().map(Value::from).map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            arg.invalid(value.py(), "it holds an int that does not fit 64 bits: keep it as str")
        } else {
            error
        }
    })
}

/// The same value in Python's types.
pub(crate) fn to_py<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Null => Ok(py.None().into_bound(py)),
        Value::Bool(flag) => Ok(PyBool::new(py, *flag).to_owned().into_any()),
        Value::String(text) => Ok(PyString::new(py, text).into_any()),
        Value::Number(number) => number_to_py(py, number),
        Value::Array(entries) => {
            let list = PyList::empty(py);
            entries.iter().try_for_each(|entry| list.append(to_py(py, entry)?))?;
            Ok(list.into_any())
        }
        Value::Object(map) => {
            let dict = PyDict::new(py);
            map.iter().try_for_each(|(key, entry)| dict.set_item(key, to_py(py, entry)?))?;
            Ok(dict.into_any())
        }
    }
}

fn number_to_py<'py>(py: Python<'py>, number: &Number) -> PyResult<Bound<'py, PyAny>> {
    if let Some(signed) = number.as_i64() {
        Ok(signed.into_pyobject(py)?.into_any())
    } else if let Some(unsigned) = number.as_u64() {
        Ok(unsigned.into_pyobject(py)?.into_any())
    } else {
        Ok(PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any())
    }
}
