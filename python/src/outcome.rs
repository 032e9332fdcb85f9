//! What a report says: how it went, of which recall, with which memories.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};
use wisen::{MemoryId, Outcome, ReceiptId, Report};

use crate::convert::{Arg, Given, flag, number, signed, text, whole};
use crate::recall::{Hit, Recall};
use crate::vectors::members;

/// "success", "failure", "unknown", a bool, a number in 0..=1, or None for unknown.
pub(crate) fn outcome(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<Outcome> {
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
pub(crate) fn receipt(value: &Bound<'_, PyAny>, arg: Arg) -> PyResult<ReceiptId> {
    let given = if let Ok(recall) = value.cast::<Recall>() {
        let receipt = recall.get().receipt().map(str::to_owned);
        receipt.ok_or_else(|| arg.invalid(value.py(), "this recall was made with receipt=False"))?
    } else if value.is_instance_of::<PyString>() {
        text(value, arg)?
    } else {
        return Err(arg.type_error("str or Recall", value));
    };
    given.parse().map_err(|error| arg.refuse(value.py(), error))
}

/// Adds to a report the memories that were used: an id, a hit, or several of these.
pub(crate) fn used(mut report: Report, value: Given<'_, '_>, arg: Arg) -> PyResult<Report> {
    let Some(value) = value else { return Ok(report) };
    let one = |entry: &Bound<'_, PyAny>, arg| match entry.cast::<Hit>() {
        Ok(hit) => Ok(hit.get().memory()),
        Err(_) => whole(entry, arg).map(MemoryId),
    };
    if value.is_instance_of::<Hit>() || value.hasattr("__index__")? {
        return Ok(report.used(one(value, arg)?));
    }
    for (row, entry) in members(value, arg, "an id, a Hit or several of these")?.enumerate() {
        report = report.used(one(&entry?, arg.entry(row))?);
    }
    Ok(report)
}

/// What both kinds of reports may carry.
pub(crate) struct Particulars<'a, 'py> {
    pub(crate) weight: Given<'a, 'py>,
    pub(crate) severe: Given<'a, 'py>,
    pub(crate) tokens: Given<'a, 'py>,
    pub(crate) cost_micros: Given<'a, 'py>,
    pub(crate) reporter: Given<'a, 'py>,
    pub(crate) token: Given<'a, 'py>,
    pub(crate) key: Given<'a, 'py>,
    pub(crate) note: Given<'a, 'py>,
}

impl Particulars<'_, '_> {
    pub(crate) fn add_to(&self, mut report: Report, arg: impl Fn(&'static str) -> Arg) -> PyResult<Report> {
        if let Some(weight) = self.weight {
            report = report.weight(number(weight, arg("weight"))?);
        }
        if let Some(severe) = self.severe {
            report = report.severe(flag(severe, arg("severe"))?);
        }
        if let Some(tokens) = self.tokens {
            report = report.tokens(whole(tokens, arg("tokens"))?);
        }
        if let Some(micros) = self.cost_micros {
            report = report.cost_micros(signed(micros, arg("cost_micros"))?);
        }
        if let Some(reporter) = self.reporter {
            report = report.reporter(text(reporter, arg("reporter"))?);
        }
        if let Some(token) = self.token {
            report = report.token(text(token, arg("token"))?);
        }
        if let Some(key) = self.key {
            report = report.key(text(key, arg("key"))?);
        }
        if let Some(note) = self.note {
            report = report.note(text(note, arg("note"))?);
        }
        Ok(report)
    }
}
