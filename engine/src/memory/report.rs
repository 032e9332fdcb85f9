//! Reports: how it went.

use crate::error::{Error, Result};
use crate::id::{MemoryId, ReceiptId, ReportId};
use crate::store::reports::{self, About, NewReport};

use crate::vector::Metric;

use super::calibrate;
use super::core::{Core, check_name, check_text};
use super::input::{Report, Subject};
use super::output::{ReportReply, ReportStatus};
use super::partition::experience_metric;

/// How long a receipt that cannot be found may still be on its way, in microseconds. It is written
/// within milliseconds of the recall; a minute allows for clocks that differ.
const UNDERWAY: i64 = 60_000_000;

/// Keeps a report and credits it.
pub(crate) fn report(core: &Core, report: &Report) -> Result<ReportReply> {
    core.writable()?;
    check(core, report)?;
    let now = core.now();
    let mut used: Vec<u64> = report.used.iter().map(|id| id.0).collect();
    used.sort_unstable();
    used.dedup();
    let slip = match &report.subject {
        Subject::Receipt(id) => core.receipts.find(*id)?,
        Subject::Memory { .. } => None,
    };
    let filed = core.db.write(now, |tx| {
        let about = match &report.subject {
            Subject::Receipt(id) => About::Receipt(*id, slip.as_ref()),
            Subject::Memory { id, situation } => About::Memory(*id, situation.as_deref()),
        };
        let filed = reports::file(
            tx,
            &NewReport {
                about,
                directed: experience_metric(core.metric) != Metric::L2,
                outcome: report.outcome.value(),
                used: &used,
                tokens: report.tokens,
                cost_micros: report.cost_micros,
                reporter: report.reporter.as_deref(),
                key: report.key.as_deref(),
                note: report.note.as_deref(),
            },
        )?;
        match report.subject {
            // Refused here, the report is rolled back.
            Subject::Receipt(id) if filed.pending && !filed.duplicate && !underway(id, now) => {
                Err(Error::UnknownReceipt { id: id.to_string() })
            }
            _ => Ok(filed),
        }
    })?;
    let searched = slip.as_ref().and_then(|slip| slip.facts.namespaces.first().copied());
    if let Some(slip) = slip {
        core.receipts.drop_reported(slip.id);
    } else if filed.pending
        && let Subject::Receipt(id) = report.subject
    {
        // It may have been written while this report waited for its turn; whoever wrote it has then
        // looked for waiting reports too early.
        settle_one(core, id)?;
    }
    if let Some(namespace) = searched {
        calibrate::after_report(core, namespace)?;
    }
    let status = match (filed.duplicate, filed.pending, filed.credited.is_empty()) {
        (true, ..) => ReportStatus::Duplicate,
        (_, true, _) => ReportStatus::Pending,
        (.., true) => ReportStatus::NotCredited,
        _ => ReportStatus::Credited,
    };
    let credited = filed.credited.into_iter().map(|(id, share)| (MemoryId(id), share)).collect();
    Ok(ReportReply { id: ReportId(filed.id.cast_unsigned()), status, credited })
}

/// Credits pending reports whose receipts have arrived. One that cannot be credited holds up no other.
pub(crate) fn settle(core: &Core) -> Result<()> {
    let mut result = Ok(());
    for id in core.db.read(reports::awaited)? {
        result = result.and(settle_one(core, id));
    }
    result
}

fn settle_one(core: &Core, id: ReceiptId) -> Result<()> {
    let slip = core.receipts.find(id)?;
    // Another report on it may have brought a copy while this one was waiting.
    if slip.is_some() || core.db.read(|conn| reports::is_bound(conn, id))? {
        core.db.write(core.now(), |tx| reports::settle(tx, id, slip.as_ref()))?;
        core.receipts.drop_reported(id);
    }
    Ok(())
}

fn check(core: &Core, report: &Report) -> Result<()> {
    if let Some(value) = report.outcome.value()
        && !(0.0..=1.0).contains(&value)
    {
        return Err(Error::invalid("outcome", format!("it is {value}; a grade lies in 0..=1")));
    }
    if let Some(reporter) = &report.reporter {
        check_name("reporter", reporter)?;
    }
    if let Some(key) = &report.key {
        check_name("key", key)?;
    }
    if let Some(note) = &report.note {
        check_text("note", note)?;
    }
    if let Subject::Memory { id, situation } = &report.subject {
        if report.used.iter().any(|used| used != id) {
            return Err(Error::invalid(
                "used",
                format!("the report is on memory {id} and can name no other"),
            ));
        }
        if let Some(vector) = situation {
            core.prepare(vector)?;
            experience_metric(core.metric).prepare(vector)?;
        }
    }
    Ok(())
}

/// Whether a receipt is so young that it may not have been written yet.
fn underway(id: ReceiptId, now: i64) -> bool {
    (now - id.issued()).abs() < UNDERWAY
}
