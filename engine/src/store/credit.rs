//! From reports to credit.
//!
//! One receipt gives one unit of credit in all, shared by the reports on it that give any and, in
//! each, by the memories it names. So a further report on a receipt changes the shares of the
//! earlier ones, and so does one that is retracted: the experiences of a receipt are always computed
//! from the whole set of its reports.

use crate::error::{Error, Result};
use crate::id::{ReceiptId, ReportId};
use crate::outcome::{Credit, Group};

use super::bound::{Bound, bind};
use super::db::Tx;
use super::experiences::{Experience, credited, of_report, set_experience};
use super::ledger::Ledger;
use super::memories::{self, FORGOTTEN};
use super::names::intern_principal;
use super::payload::pack;
use super::principals;
use super::reembed;
use super::reports::{About, NewReport, Row};
use super::slip::Slip;

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filed {
    pub id: i64,
    pub pending: bool,
    pub duplicate: bool,
    /// The live memories it counts for, and the share of each.
    pub credited: Vec<(u64, f64)>,
}

/// Keeps a report and credits what it says. A receipt that is not to be had makes it pending. What it
/// changes is in the cells once the ledger is closed.
pub(crate) fn file(tx: &mut Tx<'_>, ledger: &mut Ledger, new: &NewReport<'_>) -> Result<Filed> {
    let standing = principals::standing(tx.conn, &new.trust, new.reporter, new.token)?;
    let fingerprint = new.fingerprint();
    if let Some(key) = new.key.filter(|_| !crate::sabotage::on("ignore_keys"))
        && let Some(row) = Row::load_where(tx.conn, "key = ?1", key)?.into_iter().next()
    {
        if row.fingerprint != fingerprint {
            return Err(Error::KeyConflict { key: key.to_owned(), by: format!("report {}", row.id) });
        }
        let credited = credited(tx.conn, row.id)?;
        return Ok(Filed { id: row.id, pending: row.pending, duplicate: true, credited });
    }
    let mut row = Row {
        id: 0,
        at: tx.now,
        receipt: None,
        outcome: new.outcome,
        used: new.used.to_vec(),
        situation: None,
        tokens: new.tokens.map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
        cost_micros: new.cost_micros,
        reporter: new.reporter.map(|name| intern_principal(tx, name).map(|known| known.id)).transpose()?,
        key: new.key.map(str::to_owned),
        note: new.note.map(pack),
        pending: false,
        fingerprint,
        weight: new.weight,
        severe: new.severe,
        retracted_at: None,
        standing,
    };
    let credited = match new.about {
        About::Memory(memory, situation) => {
            let unknown = || Error::UnknownMemory { id: memory.0 };
            let id = memory.0.cast_signed();
            ledger.memory(tx.conn, id)?.filter(|known| known.status != FORGOTTEN).ok_or_else(unknown)?;
            let own;
            let situation = if let Some(situation) = situation {
                situation
            } else {
                own = memories::vector(tx.conn, id)?.ok_or_else(unknown)?;
                &own
            };
            if situation.iter().all(|x| *x == 0.0) && new.directed {
                return Err(Error::ZeroVector);
            }
            row.situation = Some(ledger.situation(tx, situation)?);
            row.used = vec![memory.0];
            row.insert(tx, ledger)?;
            credit_memory(tx, ledger, &row, true)?
        }
        About::Receipt(receipt, slip) => {
            row.receipt = Some(receipt.to_bytes().to_vec());
            match bind(tx, receipt, slip)? {
                None => {
                    row.pending = true;
                    row.insert(tx, ledger)?;
                    Vec::new()
                }
                Some(bound) => {
                    if let Some(&memory) = row.used.iter().find(|m| !bound.offered().contains(m)) {
                        return Err(Error::NotShown { memory, receipt: receipt.to_string() });
                    }
                    row.insert(tx, ledger)?;
                    credit_receipt(tx, ledger, receipt, &bound, Some(row.id))?
                }
            }
        }
    };
    Ok(Filed { id: row.id, pending: row.pending, duplicate: false, credited })
}

/// Credits the reports that were waiting for this receipt, of which there is a copy here or a slip.
/// What they name beyond what it has shown is not credited.
pub(crate) fn settle(
    tx: &mut Tx<'_>,
    ledger: &mut Ledger,
    receipt: ReceiptId,
    slip: Option<&Slip>,
) -> Result<()> {
    let Some(bound) = bind(tx, receipt, slip)? else {
        return Ok(());
    };
    for mut row in Row::load_where(tx.conn, "receipt = ?1", receipt.to_bytes().as_slice())? {
        if row.pending {
            row.pending = false;
            row.save(tx)?;
        }
    }
    credit_receipt(tx, ledger, receipt, &bound, None).map(|_| ())
}

/// Takes a report back: it stays as a record and counts no more. Returns whether it counted until now
/// (or waited to).
pub(crate) fn retract(tx: &mut Tx<'_>, ledger: &mut Ledger, report: ReportId) -> Result<bool> {
    let unknown = || Error::UnknownReport { id: report.0 };
    let id = i64::try_from(report.0).map_err(|_| unknown())?;
    let mut row = Row::load_where(tx.conn, "id = ?1", id)?.into_iter().next().ok_or_else(unknown)?;
    if row.retracted_at.is_some() {
        return Ok(false);
    }
    row.retracted_at = Some(tx.now);
    row.save(tx)?;
    if crate::sabotage::on("retract_keeps") {
        return Ok(true);
    }
    match &row.receipt {
        None => drop(credit_memory(tx, ledger, &row, false)?),
        Some(bytes) => {
            let bytes: [u8; 16] =
                bytes[..].try_into().map_err(|_| Error::corrupt("a receipt id is not 16 bytes long"))?;
            let receipt = ReceiptId::from_bytes(bytes);
            // Without a copy of the receipt nothing was credited.
            if let Some(bound) = bind(tx, receipt, None)? {
                credit_receipt(tx, ledger, receipt, &bound, None)?;
            }
        }
    }
    Ok(true)
}

/// The experiences that a report should give, each with its memory.
type Wanted = Vec<(u64, Experience)>;

/// Brings the experience of a report without a receipt in step with it. Returns what is credited.
fn credit_memory(tx: &Tx<'_>, ledger: &mut Ledger, row: &Row, is_new: bool) -> Result<Vec<(u64, f64)>> {
    let (Some(situation), [memory]) = (row.situation, row.used.as_slice()) else {
        return Ok(Vec::new());
    };
    let mut wanted = Wanted::new();
    // A name that anybody may use, and no recall to show for it, is no evidence at all.
    let believed = row.group() != Group::POOL && row.weight > 0.0;
    if let Some(outcome) = row.verdict().filter(|_| believed) {
        // No receipt, no win: such a report nominates nobody.
        let credit = Credit::share(1, 1).times(row.weight);
        wanted.push((*memory, Experience { outcome, credit, won: false }));
    }
    bring(tx, ledger, row, (situation, None), &wanted, is_new)
}

/// Brings the experiences of a receipt in step with the reports on it. Returns what is credited to the
/// report `new`, which has none yet.
fn credit_receipt(
    tx: &Tx<'_>,
    ledger: &mut Ledger,
    id: ReceiptId,
    bound: &Bound,
    new: Option<i64>,
) -> Result<Vec<(u64, f64)>> {
    let reports = Row::load_where(tx.conn, "receipt = ?1", id.to_bytes().as_slice())?;
    ledger.learn(principals::learn(tx, &id.to_bytes(), &reports)?);
    let mut credited = Vec::new();
    for (row, wanted) in reports.iter().zip(shares(&reports, bound)) {
        let is_new = new == Some(row.id);
        let given = bring(tx, ledger, row, (bound.situation, Some(bound)), &wanted, is_new)?;
        if is_new {
            credited = given;
        }
    }
    Ok(credited)
}

/// What each report on a receipt gives to which memories.
fn shares(reports: &[Row], bound: &Bound) -> Vec<Wanted> {
    let verdict = |row: &Row| match row.verdict() {
        None if crate::sabotage::on("unknown_is_failure") => Some(0.0),
        verdict => verdict,
    };
    let mut giving: Vec<(usize, f64, Vec<u64>)> = Vec::new();
    for (i, row) in reports.iter().enumerate() {
        let used = bound.used(&row.used);
        if let Some(outcome) = verdict(row).filter(|_| row.weight > 0.0 && !used.is_empty()) {
            giving.push((i, outcome, used));
        }
    }
    // Where the owner has judged, nobody else is needed, or may thin out what the owner gives. Else those
    // are heard who proved their names, and only without them the rest.
    let judged = reports.iter().any(|row| row.group() == Group::OWNER && verdict(row).is_some());
    let rank = |row: &Row| match row.group() {
        Group::OWNER => 0,
        Group::POOL => 2,
        _ => 1,
    };
    let first = giving.iter().map(|(i, ..)| rank(&reports[*i])).min().filter(|_| !judged).unwrap_or(0);
    if !crate::sabotage::on("strangers_dilute") {
        giving.retain(|(i, ..)| rank(&reports[*i]) == first);
    }
    let mut wanted = vec![Wanted::new(); reports.len()];
    for (i, outcome, used) in &giving {
        let credit = Credit::share(giving.len(), used.len()).times(reports[*i].weight);
        wanted[*i] =
            used.iter().map(|m| (*m, Experience { outcome: *outcome, credit, won: false })).collect();
    }
    // One receipt is one win of a memory, however many reporters praise it; whose it is must not depend
    // on who came first.
    giving.sort_by_key(|(i, ..)| (reports[*i].day(), reports[*i].group(), reports[*i].id));
    let mut winners: Vec<u64> = Vec::new();
    for (i, ..) in giving {
        for (memory, experience) in &mut wanted[i] {
            if experience.outcome >= 0.5 && !winners.contains(memory) {
                winners.push(*memory);
                experience.won = true;
            }
        }
    }
    wanted
}

/// Makes `wanted` the experiences of a report. Returns the live ones among their memories, with their
/// shares.
fn bring(
    tx: &Tx<'_>,
    ledger: &mut Ledger,
    row: &Row,
    (situation, bound): (i64, Option<&Bound>),
    wanted: &Wanted,
    is_new: bool,
) -> Result<Vec<(u64, f64)>> {
    let set = |ledger: &mut Ledger,
               (memory, situation): (u64, i64),
               held: Option<Experience>,
               wanted: Option<Experience>| {
        // Names that anybody may use are no judges of what was promised.
        if let Some(hit) =
            bound.and_then(|bound| bound.facts_of(memory)).filter(|_| row.group() != Group::POOL)
        {
            let told = |experience: Experience| (experience.credit, experience.outcome);
            ledger.promise(hit, wanted.map(told), held.map(told));
        }
        set_experience(tx, ledger, row, (memory, situation), held, wanted)
    };
    let before = if is_new { Vec::new() } else { of_report(tx.conn, row.id)? };
    for (at, held) in &before {
        if !wanted.iter().any(|(memory, _)| *memory == at.0) {
            set(ledger, *at, Some(*held), None)?;
        }
    }
    let mut credited: Vec<(u64, f64)> = Vec::new();
    for (memory, experience) in wanted {
        let held = before.iter().find(|(at, _)| at.0 == *memory);
        if held.map(|(_, held)| held) != Some(experience) {
            let place = match held {
                Some((at, _)) => at.1,
                None if bound.is_some_and(|bound| bound.facts.unplaced) => {
                    reembed::own_place(tx, memory.cast_signed())?.unwrap_or(situation)
                }
                None => situation,
            };
            set(ledger, (*memory, place), held.map(|(_, held)| *held), Some(*experience))?;
        }
        let known = ledger.memory(tx.conn, memory.cast_signed())?;
        if is_new && let Some(memory) = known.and_then(|known| known.counts_for).map(i64::cast_unsigned) {
            let share = experience.credit.weight();
            match credited.iter_mut().find(|(m, _)| *m == memory) {
                Some((_, sum)) => *sum += share,
                None => credited.push((memory, share)),
            }
        }
    }
    Ok(credited)
}
