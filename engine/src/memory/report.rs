//! Reports: how it went.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use crate::error::{Error, Result};
use crate::id::{MemoryId, ReceiptId, ReportId};
use crate::store::audit::Actor;
use crate::store::credit::{self, Filed};
use crate::store::reports::{self, About, NewReport};
use crate::store::{Effect, Ledger, Slip, Tx, is_bound};
use crate::vector::Metric;

use super::calibrate;
use super::core::{Core, check_name, check_text, row_error};
use super::gate;
use super::govern;
use super::halt;
use super::input::{Report, Subject};
use super::output::{ReportReply, ReportStatus};
use super::points::experience_metric;
use super::triggers;
use super::witness;

/// How long a receipt that cannot be found may still be on its way, in microseconds. It is written
/// within milliseconds of the recall; a minute allows for clocks that differ.
const UNDERWAY: i64 = 60_000_000;

/// Keeps reports and credits them: all of them or none.
pub(crate) fn report(core: &Core, reports: &[Report]) -> Result<Vec<ReportReply>> {
    core.writable()?;
    let at_fault = |row: usize| row_error(row, reports.len());
    // Before the store is locked: a note may be long, and others wait.
    let mut notes = Vec::with_capacity(reports.len());
    for (row, report) in reports.iter().enumerate() {
        let screened = check(core, report).and_then(|()| gate::admit_note(core, report.note.as_deref()));
        notes.push(screened.map_err(at_fault(row))?);
    }
    let (slips, (filed, effect, pulled)) = loop {
        let erased = core.db.erasures();
        let mut slips: HashMap<ReceiptId, Option<Slip>> = HashMap::new();
        for id in reports.iter().filter_map(receipt_of) {
            if let Entry::Vacant(slip) = slips.entry(id) {
                slip.insert(core.receipts.find(id, erased)?);
            }
        }
        let stored = core.db.write(core.now(), |tx| {
            if core.db.erasures() != erased && !crate::sabotage::on("receipts_stay") {
                // What the slips hold may have been erased meanwhile: they are looked for again.
                return Ok(None);
            }
            let mut ledger = Ledger::default();
            let mut filed = Vec::with_capacity(reports.len());
            for (row, report) in reports.iter().enumerate() {
                let slip = receipt_of(report).and_then(|id| slips.get(&id)?.as_ref());
                let told = (report, notes[row].as_deref());
                filed.push(file(core, tx, &mut ledger, told, slip).map_err(at_fault(row))?);
            }
            let effect = conclude(core, tx, ledger)?;
            let guard = core.guard(tx.conn)?;
            witness::reported(tx, &guard, reports, &filed)?;
            let pulled = triggers::after_reports(tx, &guard, reports, &filed)?;
            Ok(Some((filed, effect, pulled)))
        })?;
        if let Some(stored) = stored {
            break (slips, stored);
        }
    };
    // The reports are stored: what follows may fail, and is done with a later report, flush or seal. An
    // error now would say that they were not.
    if let Some((level, reason)) = pulled {
        // Even then every process obeys it: the word is set first.
        let _ = halt::halt(core, Actor::Engine, &reason, level);
    }
    govern::consider(core, &effect);
    let mut hit = BTreeSet::new();
    for (id, slip) in &slips {
        if let Some(slip) = slip {
            core.receipts.drop_reported(*id);
            hit.extend(slip.facts.namespaces_hit());
        }
    }
    for (report, filed) in reports.iter().zip(&filed) {
        // Its receipt may have been written while this report waited for its turn; whoever wrote it
        // has then looked for waiting reports too early.
        if let Some(id) = receipt_of(report).filter(|_| filed.pending) {
            let _ = settle_one(core, id);
        }
    }
    for namespace in hit {
        let _ = calibrate::after_report(core, namespace);
    }
    Ok(filed.into_iter().map(reply).collect())
}

/// Takes a report back. Returns whether it counted until now, or waited to.
pub(crate) fn retract(core: &Core, id: ReportId) -> Result<bool> {
    core.writable()?;
    let (retracted, effect) = core.db.write(core.now(), |tx| {
        let mut ledger = Ledger::default();
        let retracted = credit::retract(tx, &mut ledger, id)?;
        if retracted {
            witness::retracted(core, tx, id.0)?;
        }
        Ok((retracted, conclude(core, tx, ledger)?))
    })?;
    govern::consider(core, &effect);
    Ok(retracted)
}

/// Ends a transaction in which reports came, went or were bound: brings the cells in step, and takes out of
/// recall what failed severely.
fn conclude(core: &Core, tx: &mut Tx<'_>, ledger: Ledger) -> Result<Effect> {
    let effect = ledger.close(tx, &core.trust())?;
    govern::severe(tx, &effect.severe)?;
    Ok(effect)
}

fn receipt_of(report: &Report) -> Option<ReceiptId> {
    match report.subject {
        Subject::Receipt(id) => Some(id),
        Subject::Memory { .. } => None,
    }
}

fn file(
    core: &Core,
    tx: &mut Tx<'_>,
    ledger: &mut Ledger,
    (report, note): (&Report, Option<&str>),
    slip: Option<&Slip>,
) -> Result<Filed> {
    let mut used: Vec<u64> = report.used.iter().map(|id| id.0).collect();
    used.sort_unstable();
    used.dedup();
    let about = match &report.subject {
        Subject::Receipt(id) => About::Receipt(*id, slip),
        Subject::Memory { id, situation } => About::Memory(*id, situation.as_deref()),
    };
    let new = NewReport {
        about,
        directed: experience_metric(core.metric) != Metric::L2,
        outcome: report.outcome.value(),
        weight: report.weight,
        severe: report.severe,
        trust: core.trust(),
        token: report.token.as_deref(),
        used: &used,
        tokens: report.tokens,
        cost_micros: report.cost_micros,
        reporter: report.reporter.as_deref(),
        key: report.key.as_deref(),
        note,
    };
    let filed = credit::file(tx, ledger, &new)?;
    match report.subject {
        // Refused here, everything is rolled back.
        Subject::Receipt(id) if filed.pending && !filed.duplicate && !underway(id, tx.now) => {
            Err(Error::UnknownReceipt { id: id.to_string() })
        }
        _ => Ok(filed),
    }
}

fn reply(filed: Filed) -> ReportReply {
    let status = match (filed.duplicate, filed.pending, filed.credited.is_empty()) {
        (true, ..) => ReportStatus::Duplicate,
        (_, true, _) => ReportStatus::Pending,
        (.., true) => ReportStatus::NotCredited,
        _ => ReportStatus::Credited,
    };
    let credited = filed.credited.into_iter().map(|(id, share)| (MemoryId(id), share)).collect();
    ReportReply { id: ReportId(filed.id.cast_unsigned()), status, credited }
}

/// Writes the receipts that wait, and credits the reports that waited for them.
pub(crate) fn settle_all(core: &Core) -> Result<()> {
    if core.db.is_read_only() {
        return Ok(());
    }
    core.receipts.flush(core.now(), &|| core.db.erasures())?;
    settle(core)
}

/// As [`settle_all`], whatever becomes of the receipts, and makes them durable.
pub(crate) fn settle_durably(core: &Core) -> Result<()> {
    if core.db.is_read_only() {
        return Ok(());
    }
    let flushed = core.receipts.flush_durably(core.now(), &|| core.db.erasures());
    flushed.and(settle(core))
}

/// Credits pending reports whose receipts have arrived. One that cannot be credited holds up no other.
fn settle(core: &Core) -> Result<()> {
    let mut result = Ok(());
    for id in core.db.read(reports::awaited)? {
        result = result.and(settle_one(core, id));
    }
    result
}

fn settle_one(core: &Core, id: ReceiptId) -> Result<()> {
    let erased = core.db.erasures();
    let slip = core.receipts.find(id, erased)?;
    // Another report on it may have brought a copy while this one was waiting.
    if slip.is_some() || core.db.read(|conn| is_bound(conn, id))? {
        let settled = core.db.write(core.now(), |tx| {
            if core.db.erasures() != erased {
                // As for a report; the next one who settles looks again.
                return Ok(None);
            }
            let mut ledger = Ledger::default();
            credit::settle(tx, &mut ledger, id, slip.as_ref())?;
            conclude(core, tx, ledger).map(Some)
        })?;
        if let Some(effect) = settled {
            govern::consider(core, &effect);
            core.receipts.drop_reported(id);
        }
    }
    Ok(())
}

fn check(core: &Core, report: &Report) -> Result<()> {
    if let Some(value) = report.outcome.value()
        && !(0.0..=1.0).contains(&value)
    {
        return Err(Error::invalid("outcome", format!("it is {value}; a grade lies in 0..=1")));
    }
    if !(0.0..=1.0).contains(&report.weight) {
        return Err(Error::invalid("weight", format!("it is {}; a weight lies in 0..=1", report.weight)));
    }
    if report.severe && report.outcome.value().is_none_or(|value| value >= 0.5) {
        return Err(Error::invalid("severe", "only a failure can be severe: an outcome below 0.5"));
    }
    if let Some(reporter) = &report.reporter {
        check_name("reporter", reporter)?;
    }
    if report.token.is_some() && report.reporter.is_none() {
        return Err(Error::invalid("token", "it proves a reporter, and the report names none"));
    }
    if let Some(key) = &report.key {
        check_name("key", key)?;
        gate::admit_key(core, Some(key))?;
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
