//! `Store`: telling how it went, and taking that back.

use pyo3::prelude::*;
use wisen::{MemoryId, Report, ReportId};

use crate::convert::{Arg, Given, whole};
use crate::figures::ReportReply;
use crate::outcome::{self, Particulars};
use crate::reports::{self, Columns};
use crate::store::Store;
use crate::vectors::vector;

#[pymethods]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
impl Store {
    /// Tell how it went after a recall.
    ///
    /// Args:
    ///     receipt: `Recall.receipt`, or the recall itself.
    ///     outcome: "success" or True, "failure" or False, a number from 0 to 1, or "unknown" or
    ///         None, which moves nothing.
    ///     used: The memories that were used: an id, a hit, or a sequence of these. None: a recall
    ///         that showed one hit credits that one, one that showed several credits nothing.
    ///     weight: How much the verdict is worth, 0 to 1: multiplies its credit. With 0 the report is
    ///         kept and moves nothing.
    ///     severe: Whether the failure (an outcome below 0.5) was so bad that what caused it should
    ///         not be tried again before somebody has looked at it.
    ///     tokens: Tokens spent on the attempt.
    ///     cost_micros: Money spent on the attempt, in millionths of your currency.
    ///     reporter: Who reports; None: the owner of the store, whose word counts whole. What others
    ///         say counts as far as it has agreed with the owner's on the same receipts, and within a
    ///         cap per memory and day. A name that is not registered shares the standing of all such
    ///         names, and counts for nothing without a receipt.
    ///     token: The token of the reporter, if its name is registered: `register` returned it.
    ///     key: Your own name for the report: the same report under the same key counts once.
    ///     note: A remark kept with the report.
    ///
    /// Raises:
    ///     UnknownReceiptError: The receipt is none, is not of this store, or has expired.
    ///     NotShownError: A memory named as used was not among the hits.
    ///     BadTokenError: The reporter does not prove its name.
    ///     InvalidArgumentError: An argument is outside its range, or a severe report tells no failure.
    ///     KeyConflictError: The key names another report.
    ///     BusyError, DiskFullError, ReadOnlyError, ClosedError: It cannot be written now.
    #[pyo3(
        signature = (receipt, outcome, *, used=None, weight=None, severe=None, tokens=None,
                     cost_micros=None, reporter=None, token=None, key=None, note=None),
        text_signature = "($self, receipt, outcome, *, used=None, weight=1.0, severe=False, tokens=None, \
            cost_micros=None, reporter=None, token=None, key=None, note=None)"
    )]
    fn report<'py>(
        &self,
        py: Python<'py>,
        receipt: &Bound<'py, PyAny>,
        outcome: &Bound<'py, PyAny>,
        used: Given<'_, 'py>,
        weight: Given<'_, 'py>,
        severe: Given<'_, 'py>,
        tokens: Given<'_, 'py>,
        cost_micros: Given<'_, 'py>,
        reporter: Given<'_, 'py>,
        token: Given<'_, 'py>,
        key: Given<'_, 'py>,
        note: Given<'_, 'py>,
    ) -> PyResult<ReportReply> {
        let receipt = outcome::receipt(receipt, Arg::new("receipt"))?;
        let report = Report::on(receipt, outcome::outcome(outcome, Arg::new("outcome"))?);
        let report = outcome::used(report, used, Arg::new("used"))?;
        let particulars = Particulars { weight, severe, tokens, cost_micros, reporter, token, key, note };
        let report = particulars.add_to(report, Arg::new)?;
        self.with(py, |store| store.report(&report)).map(ReportReply)
    }

    /// Tell how it went with a memory that was used without a recall.
    ///
    /// It counts as evidence, but never brings the memory up where its own words do not fit.
    ///
    /// Args:
    ///     memory: Id of the memory.
    ///     outcome: As in `report`.
    ///     situation: Embedding of the situation in which it was used; None: the memory's own vector.
    ///     weight, severe, tokens, cost_micros, reporter, token, key, note: As in `report`.
    ///
    /// Raises:
    ///     UnknownMemoryError: There is none with this id.
    ///     WrongDimensionError, NotFiniteError, ZeroVectorError: The vector is at fault.
    ///     The errors of `report`.
    #[pyo3(
        signature = (memory, outcome, *, situation=None, weight=None, severe=None, tokens=None,
                     cost_micros=None, reporter=None, token=None, key=None, note=None),
        text_signature = "($self, memory, outcome, *, situation=None, weight=1.0, severe=False, \
            tokens=None, cost_micros=None, reporter=None, token=None, key=None, note=None)"
    )]
    fn report_memory<'py>(
        &self,
        py: Python<'py>,
        memory: &Bound<'py, PyAny>,
        outcome: &Bound<'py, PyAny>,
        situation: Given<'_, 'py>,
        weight: Given<'_, 'py>,
        severe: Given<'_, 'py>,
        tokens: Given<'_, 'py>,
        cost_micros: Given<'_, 'py>,
        reporter: Given<'_, 'py>,
        token: Given<'_, 'py>,
        key: Given<'_, 'py>,
        note: Given<'_, 'py>,
    ) -> PyResult<ReportReply> {
        let memory = MemoryId(whole(memory, Arg::new("memory"))?);
        let mut report = Report::on_memory(memory, outcome::outcome(outcome, Arg::new("outcome"))?);
        if let Some(situation) = situation {
            report = report.situation(vector(situation, Arg::new("situation"))?);
        }
        let particulars = Particulars { weight, severe, tokens, cost_micros, reporter, token, key, note };
        let report = particulars.add_to(report, Arg::new)?;
        self.with(py, |store| store.report(&report)).map(ReportReply)
    }

    /// Tell how several attempts went in one transaction, all or none, and return the replies in order.
    ///
    /// Args:
    ///     subjects: What each is about: a receipt or a recall, or the id of a memory that was used
    ///         without a recall. Several may be about the same receipt.
    ///     outcomes: How each went: a sequence of outcomes as in `report`.
    ///     used: A sequence with an id, a hit, a sequence of these, or None for each.
    ///     situation: A sequence with a vector or None for each; only for memories without a recall.
    ///     weight, severe: One for all, or a sequence with one or None for each.
    ///     tokens, cost_micros: A sequence with a number or None for each.
    ///     reporter, token, note: One str for all, or a sequence with a str or None for each.
    ///     key: A sequence with a str or None for each.
    ///
    /// Raises:
    ///     The errors of `report` and `report_memory`; their attribute `row` is the position of the
    ///         report at fault.
    ///     InvalidArgumentError: The sequences have different lengths.
    #[pyo3(
        signature = (subjects, outcomes, *, used=None, situation=None, weight=None, severe=None,
                     tokens=None, cost_micros=None, reporter=None, token=None, key=None, note=None),
        text_signature = "($self, subjects, outcomes, *, used=None, situation=None, weight=1.0, \
            severe=False, tokens=None, cost_micros=None, reporter=None, token=None, key=None, note=None)"
    )]
    fn report_many<'py>(
        &self,
        py: Python<'py>,
        subjects: &Bound<'py, PyAny>,
        outcomes: &Bound<'py, PyAny>,
        used: Given<'_, 'py>,
        situation: Given<'_, 'py>,
        weight: Given<'_, 'py>,
        severe: Given<'_, 'py>,
        tokens: Given<'_, 'py>,
        cost_micros: Given<'_, 'py>,
        reporter: Given<'_, 'py>,
        token: Given<'_, 'py>,
        key: Given<'_, 'py>,
        note: Given<'_, 'py>,
    ) -> PyResult<Vec<ReportReply>> {
        let particulars = Particulars { weight, severe, tokens, cost_micros, reporter, token, key, note };
        let reports = reports::many(&Columns { subjects, outcomes, used, situation, particulars })?;
        let replies = self.with(py, |store| store.report_many(&reports))?;
        Ok(replies.into_iter().map(ReportReply).collect())
    }

    /// Take a report back: it stays as a record and counts no more; what its receipt had to give goes to
    /// the reports left on it. Its key stays taken. Returns False if it was retracted before.
    ///
    /// Args:
    ///     report: The id of the report, or the reply to it.
    ///
    /// Raises:
    ///     UnknownReportError: There is none with this id.
    ///     BusyError, DiskFullError, ReadOnlyError, ClosedError: It cannot be written now.
    fn retract(&self, py: Python<'_>, report: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = match report.cast::<ReportReply>() {
            Ok(reply) => reply.get().0.id,
            Err(_) => ReportId(whole(report, Arg::new("report"))?),
        };
        self.with(py, |store| store.retract(id))
    }
}
