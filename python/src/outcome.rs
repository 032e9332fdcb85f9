//! What a report says: how it went, of which recall, with which memories.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};
use wisen::{MemoryId, Outcome, ReceiptId, Report};

use crate::convert::{Arg, Given, optional_text, signed, text, whole};
use crate::errors::to_py;
use crate::recall::{Hit, Recall};
use crate::vectors::members;

/// "success", "failure", "unknown", a bool, a number in 0..=1, or None for unknown.
pub(crate) fn outcome(value: &Bound<'_, PyAny>) -> PyResult<Outcome> {
    let arg = Arg::new("outcome");
    if value.is_none() {
        return Ok(Outcome::Unknown);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(if flag.is_true() { Outcome::Success } else { Outcome::Failure });
    }
    if value.is_instance_of::<PyString>() {
        return match text(value, arg)?.as_str() {
            "success" => Ok(Outcome::Success),
            "failure" => Ok(Outcome::Failure),
            "unknown" => Ok(Outcome::Unknown),
            other => Err(arg.invalid(
                value.py(),
                format!("{other:?} is none of success, failure, unknown, and no number from 0 to 1"),
            )),
        };
    }
    let graded = value.extract().map(Outcome::Graded);
    graded.map_err(|_| arg.type_error("str, bool, float or None", value))
}

/// The receipt of a recall: its text, or the recall itself.
pub(crate) fn receipt(value: &Bound<'_, PyAny>) -> PyResult<ReceiptId> {
    let arg = Arg::new("receipt");
    let given = if let Ok(recall) = value.cast::<Recall>() {
        let receipt = recall.get().receipt().map(str::to_owned);
        receipt.ok_or_else(|| arg.invalid(value.py(), "this recall was made with receipt=False"))?
    } else if value.is_instance_of::<PyString>() {
        text(value, arg)?
    } else {
        return Err(arg.type_error("str or Recall", value));
    };
    given.parse().map_err(|error| to_py(value.py(), &error))
}

/// Adds to a report the memories that were used: an id, a hit, or several of these.
pub(crate) fn used(mut report: Report, value: Given<'_, '_>) -> PyResult<Report> {
    let Some(value) = value else { return Ok(report) };
    let arg = Arg::new("used");
    let one = |entry: &Bound<'_, PyAny>, arg| match entry.cast::<Hit>() {
        Ok(hit) => Ok(hit.get().memory()),
        Err(_) => whole(entry, arg).map(MemoryId),
    };
    if value.is_instance_of::<Hit>() || value.hasattr("__index__")? {
        return Ok(report.used(one(value, arg)?));
    }
    for (row, entry) in members(value, arg, "an id, a Hit or several of these")?.enumerate() {
        report = report.used(one(&entry?, arg.row(row))?);
    }
    Ok(report)
}

/// Adds to a report what both kinds of reports may carry.
pub(crate) fn particulars(
    mut report: Report,
    tokens: Given<'_, '_>,
    cost_micros: Given<'_, '_>,
    reporter: Given<'_, '_>,
    key: Given<'_, '_>,
    note: Given<'_, '_>,
) -> PyResult<Report> {
    if let Some(tokens) = tokens {
        report = report.tokens(whole(tokens, Arg::new("tokens"))?);
    }
    if let Some(micros) = cost_micros {
        report = report.cost_micros(signed(micros, Arg::new("cost_micros"))?);
    }
    if let Some(reporter) = optional_text(reporter, "reporter")? {
        report = report.reporter(reporter);
    }
    if let Some(key) = optional_text(key, "key")? {
        report = report.key(key);
    }
    if let Some(note) = optional_text(note, "note")? {
        report = report.note(note);
    }
    Ok(report)
}
