//! Takes memories that fail out of recall, and lets them back. The rule is in `outcome/quarantine.rs`;
//! this gathers what it needs and writes down what it decides.
//!
//! A severe failure is acted upon in the transaction of its report. All else happens after that: a
//! process that dies in between leaves it to the next report on the memory, or to the next seal.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::error::Result;
use crate::graph::Effort;
use crate::outcome::{Credit, Rule, StandingState, Weights};
use crate::store::audit::{self, Actor};
use crate::store::memories::{self, LIVE};
use crate::store::standings::{self, StandingRow};
use crate::store::{Effect, Tx, cells, names};

use super::core::Core;
use super::partition::Partition;
use super::points::experience_metric;
use super::policy::Policy;
use super::recall::{Ground, Probes, backgrounds};

/// Situations that are looked at for one in which a memory works: those with the largest weight of
/// successes.
const MOST_SITUATIONS: usize = 256;

/// The standing of a live memory; `None` if it is none.
pub(crate) fn standing(conn: &Connection, memory: i64) -> Result<Option<StandingRow>> {
    let Some(row) = memories::load(conn, memory)?.filter(|row| row.status == LIVE) else {
        return Ok(None);
    };
    let plain = || StandingRow::plain(memory, row.namespace);
    standings::load(conn, memory).map(|found| Some(found.unwrap_or_else(plain)))
}

/// The evidence that decides what becomes of a memory with this standing.
pub(crate) fn counting(core: &Core, row: &StandingRow) -> Result<Weights> {
    let spends = matches!(row.state, StandingState::Active | StandingState::Probation);
    if spends && row.counts_from > 0 {
        let trust = core.trust();
        let since = |conn: &Connection| {
            standings::evidence_since(conn, &trust, row.memory, row.counts_from, core.now())
        };
        return core.db.snapshot(since).map(|since| since.weights);
    }
    let Some((_, partition)) = namespace(core, row.namespace)? else {
        return Ok(Weights::default());
    };
    Ok(partition.tally(row.memory.cast_unsigned(), core.now()))
}

/// A namespace as it is now, and its name; `None` if it is gone.
fn namespace(core: &Core, id: i64) -> Result<Option<(String, Arc<Partition>)>> {
    core.view.catch_up(&core.db)?;
    let Some(row) = core.db.read(|conn| names::namespace_by_id(conn, id))? else {
        return Ok(None);
    };
    Ok(core.view.partition(&core.db, &row.name)?.map(|partition| (row.name, partition)))
}

/// Writes down another standing, and in the audit table why.
pub(crate) fn decide(
    tx: &mut Tx<'_>,
    actor: Actor<'_>,
    op: &'static str,
    before: &StandingRow,
    mut after: StandingRow,
    mut detail: Value,
) -> Result<()> {
    if after.state != before.state {
        after.since = tx.now;
    }
    detail["from"] = before.state.as_str().into();
    detail["to"] = after.state.as_str().into();
    detail["reason"] = after.reason.as_str().into();
    standings::save(tx, &after)?;
    audit::record(tx, actor, op, after.namespace, after.memory, &detail).map(|_| ())
}

fn figures(rule: &Rule, weights: Weights) -> Value {
    json!({
        "successes": weights.successes,
        "failures": weights.failures,
        "reports": weights.reports,
        "doubt": rule.doubt(weights.successes, weights.failures),
        "floor": rule.floor,
        "tail": rule.tail,
    })
}

/// Takes memories out of recall that a severe failure was counted against, in its transaction.
pub(crate) fn severe(tx: &mut Tx<'_>, memories: &[u64]) -> Result<()> {
    for memory in memories {
        let Some(before) = standing(tx.conn, memory.cast_signed())?.filter(|row| !is_pinned(row)) else {
            continue;
        };
        let (state, op) = match before.state {
            _ if crate::sabotage::on("quarantine_off") => continue,
            StandingState::Active => (StandingState::Quarantined, "quarantine"),
            StandingState::Probation => (StandingState::Retired, "retire"),
            // It was its first trial.
            StandingState::Quarantined if first_trial(tx.conn, &before)?.is_some() => {
                (StandingState::Retired, "retire")
            }
            StandingState::Quarantined | StandingState::Retired => continue,
        };
        let after = StandingRow {
            state,
            counts_from: standings::last_report(tx.conn)?,
            reason: "a severe failure was reported".to_owned(),
            ..before.clone()
        };
        decide(tx, Actor::Engine, op, &before, after, json!({ "severe": true }))?;
    }
    Ok(())
}

/// Looks at memories whose evidence changed. The reports count whatever becomes of this, so an error is
/// nobody's: the next report on the memory, or the next seal, looks again.
pub(crate) fn consider(core: &Core, effect: &Effect) {
    let news = core.view.note_failures(&core.db, Credit::from_raw(effect.failures).weight());
    for memory in &effect.ruled {
        let worse = effect.worse.iter().any(|(id, _)| id == memory);
        let _ = examine(core, memory.cast_signed(), worse);
    }
    for (memory, namespace) in &effect.worse {
        if effect.ruled.binary_search(memory).is_err() && may_be_suspect(core, *memory, *namespace, news) {
            let _ = examine(core, memory.cast_signed(), true);
        }
    }
}

/// Looks at memories whatever has changed.
pub(crate) fn review(core: &Core, memories: impl IntoIterator<Item = i64>) {
    for memory in memories {
        let _ = examine(core, memory, true);
    }
}

/// Whether a look at a memory about which nothing was decided can lead to anything: catching up for every
/// failure would cost as much as the report. `news`: how much the view may lack.
fn may_be_suspect(core: &Core, memory: u64, namespace: i64, news: f64) -> bool {
    core.view.loaded(namespace).is_none_or(|partition| {
        let (policy, known) = (partition.policy(), partition.tally(memory, core.now()));
        policy.quarantine && policy.rule().suspects((known.successes - news).max(0.0), known.failures + news)
    })
}

/// Looks at all memories of the namespaces in use whose evidence speaks against them.
pub(crate) fn sweep(core: &Core) {
    for (_, partition) in core.view.all_loaded() {
        let rule = partition.policy().rule();
        let tallies = if partition.policy().quarantine { partition.tallies(core.now()) } else { Vec::new() };
        for (memory, weights) in tallies {
            if rule.suspects(weights.successes, weights.failures) {
                let _ = examine(core, memory.cast_signed(), true);
            }
        }
    }
}

/// Looks at a memory; `worse`: there may be more against it than before.
fn examine(core: &Core, memory: i64, worse: bool) -> Result<()> {
    let Some(row) = core.db.read(|conn| standing(conn, memory))? else {
        return Ok(());
    };
    match row.state {
        StandingState::Active if worse && !is_pinned(&row) => accuse(core, &row),
        StandingState::Quarantined | StandingState::Probation => judge_trial(core, row),
        StandingState::Active | StandingState::Retired => Ok(()),
    }
}

fn is_pinned(row: &StandingRow) -> bool {
    row.pinned && !crate::sabotage::on("pins_ignored")
}

/// Quarantines a memory if the rule says so.
fn accuse(core: &Core, row: &StandingRow) -> Result<()> {
    let policy = core.db.read(|conn| Policy::load(conn, row.namespace))?;
    let rule = policy.rule();
    if !policy.quarantine {
        return Ok(());
    }
    // A process that only reports need not load a namespace for one failure.
    if row.counts_from == 0 && core.view.loaded(row.namespace).is_none() {
        let (successes, failures) = core.db.read(|conn| standings::worst_case(conn, row.memory))?;
        if !rule.suspects(successes, failures) {
            return Ok(());
        }
    }
    let weights = counting(core, row)?;
    if !rule.suspects(weights.successes, weights.failures)
        || !core.db.read(|conn| standings::witnesses(conn, row.memory))?.suffice()
        || (rule.may_work_somewhere(weights.successes) && works_somewhere(core, row, &rule)?)
    {
        return Ok(());
    }
    core.db.write(core.now(), |tx| {
        // Others may have reported or decided meanwhile.
        if standing(tx.conn, row.memory)?.as_ref() != Some(row) {
            return Ok(());
        }
        let doubt = rule.doubt(weights.successes, weights.failures);
        let reason = format!(
            "its success rate lies below {} with probability {doubt:.3} ({:.1} successes, {:.1} failures), and there is no situation in which it works",
            rule.floor, weights.successes, weights.failures
        );
        let counts_from = standings::last_report(tx.conn)?;
        let after = StandingRow { state: StandingState::Quarantined, counts_from, reason, ..row.clone() };
        decide(tx, Actor::Engine, "quarantine", row, after, figures(&rule, weights))
    })
}

/// Whether there is a situation in which a memory works, judged as a recall made there would have judged
/// it: against its background, and relative to the nearest point that this memory has beside that
/// situation, be it another of its situations or its own words. Relative to the situation itself nothing
/// else would ever be near.
fn works_somewhere(core: &Core, row: &StandingRow, rule: &Rule) -> Result<bool> {
    let Some((name, partition)) = namespace(core, row.namespace)? else {
        return Ok(false);
    };
    let (words, places) = core.db.snapshot(|conn| {
        let words = memories::vector(conn, row.memory)?;
        let mut places = Vec::new();
        for cell in standings::evidence(conn, row.memory)? {
            places.push((cell.id.cast_unsigned(), cells::situation(conn, cell.situation)?));
        }
        Ok((words, places))
    })?;
    let words = words.map(|vector| core.metric.prepare(&vector)).transpose()?;
    let metric = experience_metric(core.metric);
    let evidence = partition.cells(places.iter().map(|(id, _)| *id), core.now());
    let mut points = Vec::with_capacity(places.len());
    for ((_, situation), cell) in places.into_iter().zip(evidence) {
        if let Some(cell) = cell {
            points.push((metric.prepare(&situation)?, situation, cell.weights));
        }
    }
    points.sort_by(|a, b| b.2.successes.total_cmp(&a.2.successes));
    let seen = partition.snapshot(core.now());
    let grounds = [Ground { name, partition, seen, only: None, lifted: true, ruled: None }];
    for (at, (_, situation, _)) in points.iter().enumerate().take(MOST_SITUATIONS) {
        if points[at].2.successes <= 0.0 {
            break;
        }
        let probes = Probes::new(core, situation)?;
        let (own, background) =
            core.with_scratch(|scratch| backgrounds(&grounds, &probes, scratch, &mut Effort::default()));
        let probe = probes.experiences();
        let places: Vec<f64> = points.iter().map(|p| background.place(probe.exact(&p.0))).collect();
        let others = places.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, place)| *place);
        let words = words.as_ref().map(|words| own.place(probes.memories.exact(words)));
        let top = others.chain(words).fold(f64::NEG_INFINITY, f64::max);
        // The situation itself is at least as near as any.
        let near = |(i, p): (usize, &(Vec<f32>, Vec<f32>, Weights))| {
            (if i == at { 0.0 } else { places[i] - top }, p.2)
        };
        if rule.works(points.iter().enumerate().map(near)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The report by which a quarantined memory was tried first, if it was.
fn first_trial(conn: &Connection, row: &StandingRow) -> Result<Option<i64>> {
    standings::first_trial(conn, row.memory, row.counts_from, row.since)
}

/// Begins the probation of a quarantined memory that was tried again, and ends one that was tried enough.
fn judge_trial(core: &Core, row: StandingRow) -> Result<()> {
    // Without a look at the trials first, every late report on a quarantined memory would take the lock.
    if row.state == StandingState::Quarantined && core.db.read(|conn| first_trial(conn, &row))?.is_none() {
        return Ok(());
    }
    core.db.write(core.now(), |tx| {
        if standing(tx.conn, row.memory)?.as_ref() != Some(&row) {
            return Ok(());
        }
        let mut row = row;
        let rule = Policy::load(tx.conn, row.namespace)?.rule();
        if row.state == StandingState::Quarantined {
            let Some(trial) = first_trial(tx.conn, &row)? else {
                return Ok(());
            };
            let after = StandingRow {
                state: StandingState::Probation,
                since: tx.now,
                counts_from: trial - 1,
                reason: "it was tried again".to_owned(),
                ..row.clone()
            };
            decide(tx, Actor::Engine, "probation", &row, after.clone(), json!({ "report": trial }))?;
            row = after;
        }
        let standings::Since { weights, outcomes } =
            standings::evidence_since(tx.conn, &core.trust(), row.memory, row.counts_from, tx.now)?;
        let Some(state) = rule.after_probation(outcomes, weights.successes, weights.failures) else {
            return Ok(());
        };
        let (op, verdict) = match state {
            StandingState::Active => ("reinstate", "it did well on probation"),
            _ => ("retire", "it failed on probation"),
        };
        let reason =
            format!("{verdict} ({:.1} successes, {:.1} failures)", weights.successes, weights.failures);
        let after = StandingRow { state, reason, ..row.clone() };
        decide(tx, Actor::Engine, op, &row, after, figures(&rule, weights))
    })
}
