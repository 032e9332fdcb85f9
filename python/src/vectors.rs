//! Vectors in and out. In: a buffer of float32 is copied once, as it is; a buffer of float64 and
//! every other sequence of numbers is converted. Out: an `array.array` of type "f", which is a
//! buffer that numpy wraps without a copy.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyFrozenSet, PyMapping, PySet, PyString};

use crate::convert::Arg;

const WANTED: &str = "a buffer of float32 or a sequence of numbers";

/// Numbers in C order, and their shape.
type Shaped = (Vec<f32>, Vec<usize>);

/// One vector.
pub(crate) fn vector(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<Vec<f32>> {
    if let Some((numbers, shape)) = shaped(value, arg)? {
        if shape.len() != 1 {
            return Err(
                arg.invalid(value.py(), format!("a vector has one axis, this has the shape {shape:?}"))
            );
        }
        return Ok(numbers);
    }
    entries(value, arg, WANTED)?
        .map(|number| {
            let number = number?;
            number.extract::<f64>().map(|x| x as f32).map_err(|_| arg.type_error("of numbers", &number))
        })
        .collect()
}

/// One vector for each row: a two-dimensional buffer, or a sequence of vectors.
pub(crate) fn matrix(value: &Bound<'_, PyAny>, what: &'static str) -> PyResult<Vec<Vec<f32>>> {
    let arg = Arg::new(what);
    if let Some(rows) = rows(value, arg)? {
        return Ok(rows);
    }
    entries(value, arg, "a 2-d buffer of float32 or a sequence of vectors")?
        .enumerate()
        .map(|(row, entry)| vector(&entry?, arg.row(row)))
        .collect()
}

/// The rows of a two-dimensional buffer; none if it is no buffer.
pub(crate) fn rows(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<Option<Vec<Vec<f32>>>> {
    let Some((numbers, shape)) = shaped(value, arg)? else {
        return Ok(None);
    };
    let [rows, columns] = shape[..] else {
        let why = format!("it needs two axes (memories, dimension), this has the shape {shape:?}");
        return Err(arg.invalid(value.py(), why));
    };
    let row = |at: usize| numbers[at * columns..(at + 1) * columns].to_vec();
    Ok(Some((0..rows).map(row).collect()))
}

/// The numbers of a buffer or of anything numpy makes an array of; none if it is neither.
fn shaped(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<Option<Shaped>> {
    if let Some(found) = buffer(value)? {
        return Ok(Some(found));
    }
    if !value.hasattr("__array__")? {
        return Ok(None);
    }
    let array = value
        .py()
        .import("numpy")
        .and_then(|numpy| numpy.call_method1("asarray", (value,)))
        .map_err(|_| arg.type_error(WANTED, value))?;
    let kind: String = array.getattr("dtype")?.getattr("kind")?.extract()?;
    if ["f", "i", "u", "b"].contains(&kind.as_str()) {
        buffer(&array.call_method1("astype", ("=f4",))?)
    } else {
        Ok(None)
    }
}

/// The numbers of a buffer of native floats. The other byte order is told apart here: PyO3 0.30
/// takes ">f" for "<f".
fn buffer(value: &Bound<'_, PyAny>) -> PyResult<Option<Shaped>> {
    let Ok(buffer) = PyUntypedBuffer::get(value) else { return Ok(None) };
    if cfg!(target_endian = "little") && matches!(buffer.format().to_bytes(), [b'>' | b'!', ..]) {
        return Ok(None);
    }
    let shape = buffer.shape().to_vec();
    if let Ok(singles) = buffer.as_typed::<f32>() {
        return Ok(Some((singles.to_vec(value.py())?, shape)));
    }
    let Ok(doubles) = buffer.as_typed::<f64>() else { return Ok(None) };
    let doubles = doubles.to_vec(value.py())?;
    Ok(Some((doubles.into_iter().map(|x| x as f32).collect(), shape)))
}

/// The entries of a sequence: something iterable with an order of its own.
pub(crate) fn entries<'py>(
    value: &Bound<'py, PyAny>,
    arg: Arg,
    wanted: &str,
) -> PyResult<impl Iterator<Item = PyResult<Bound<'py, PyAny>>> + use<'py>> {
    if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        return Err(arg.type_error(wanted, value));
    }
    members(value, arg, wanted)
}

/// The members of anything iterable; texts, bytes and mappings have none here.
pub(crate) fn members<'py>(
    value: &Bound<'py, PyAny>,
    arg: Arg,
    wanted: &str,
) -> PyResult<impl Iterator<Item = PyResult<Bound<'py, PyAny>>> + use<'py>> {
    let scalar = value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.cast::<PyMapping>().is_ok();
    if scalar {
        return Err(arg.type_error(wanted, value));
    }
    value.try_iter().map_err(|_| arg.type_error(wanted, value))
}

/// An `array.array("f")` of these numbers.
pub(crate) fn array<'py>(py: Python<'py>, numbers: &[f32]) -> PyResult<Bound<'py, PyAny>> {
    static ARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_ne_bytes()).collect();
    ARRAY.import(py, "array", "array")?.call1(("f", PyBytes::new(py, &bytes)))
}
