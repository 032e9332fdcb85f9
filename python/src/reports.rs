//! Several reports from arguments that hold an entry for each.

use pyo3::prelude::*;
use pyo3::types::PyString;
use wisen::{MemoryId, Report};

use crate::batch::Column;
use crate::convert::{Arg, Given, whole};
use crate::outcome::{Particulars, outcome, receipt, used};
use crate::recall::Recall;
use crate::vectors::{entries, vector};

/// The arguments of `Store.report_many`.
pub(crate) struct Columns<'a, 'py> {
    pub(crate) subjects: &'a Bound<'py, PyAny>,
    pub(crate) outcomes: &'a Bound<'py, PyAny>,
    pub(crate) used: Given<'a, 'py>,
    pub(crate) situation: Given<'a, 'py>,
    pub(crate) particulars: Particulars<'a, 'py>,
}

/// The reports of `Store.report_many`.
pub(crate) fn many(columns: &Columns<'_, '_>) -> PyResult<Vec<Report>> {
    let wanted = "a sequence of receipts, recalls or ids";
    let subjects = entries(columns.subjects, Arg::new("subjects"), wanted)?.collect::<PyResult<Vec<_>>>()?;
    let outcomes = entries(columns.outcomes, Arg::new("outcomes"), "a sequence of outcomes")?
        .collect::<PyResult<Vec<_>>>()?;
    if outcomes.len() != subjects.len() {
        let why = format!("{} outcomes for {} subjects", outcomes.len(), subjects.len());
        return Err(Arg::new("outcomes").invalid(columns.outcomes.py(), why));
    }
    let rows = (subjects.len(), "subjects");
    let given = &columns.particulars;
    let used_by = Column::new(columns.used, "used", "a sequence of ids, hits, sequences or None", rows)?;
    let situation = Column::new(columns.situation, "situation", "a sequence of vectors or None", rows)?;
    let weight = Column::of_scalars(given.weight, "weight", "float or a sequence of float", rows)?;
    let severe = Column::of_scalars(given.severe, "severe", "bool or a sequence of bool", rows)?;
    let tokens = Column::new(given.tokens, "tokens", "a sequence of int or None", rows)?;
    let cost_micros = Column::new(given.cost_micros, "cost_micros", "a sequence of int or None", rows)?;
    let reporter = Column::of_texts(given.reporter, "reporter", rows)?;
    let token = Column::of_texts(given.token, "token", rows)?;
    let key = Column::new(given.key, "key", "a sequence of str or None", rows)?;
    let note = Column::of_texts(given.note, "note", rows)?;
    let mut reports = Vec::with_capacity(subjects.len());
    for (row, (subject, result)) in subjects.iter().zip(&outcomes).enumerate() {
        let arg = |what| Arg::new(what).row(row);
        let particulars = Particulars {
            weight: weight.at(row),
            severe: severe.at(row),
            tokens: tokens.at(row),
            cost_micros: cost_micros.at(row),
            reporter: reporter.at(row),
            token: token.at(row),
            key: key.at(row),
            note: note.at(row),
        };
        let result = outcome(result, arg("outcomes"))?;
        let told = subject.is_instance_of::<PyString>() || subject.is_instance_of::<Recall>();
        let mut report = if told {
            Report::on(receipt(subject, arg("subjects"))?, result)
        } else {
            Report::on_memory(MemoryId(whole(subject, arg("subjects"))?), result)
        };
        if let Some(numbers) = situation.at(row) {
            if told {
                let why = "it goes without a receipt only: a recall has its own";
                return Err(arg("situation").invalid(numbers.py(), why));
            }
            report = report.situation(vector(numbers, arg("situation"))?);
        }
        let report = used(report, used_by.at(row), arg("used"))?;
        reports.push(particulars.add_to(report, arg)?);
    }
    Ok(reports)
}
