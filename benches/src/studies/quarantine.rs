//! Are memories that are wrong found out, and those that are right left alone?

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, Result};
use wisen::{Memory, MemoryId, Options, Outcome, Query, Report, Store};

use crate::arms::Verdicts;
use crate::data::Stream;

/// Tries of every wrong memory after which the tally is made.
const TRIES: usize = 20;
/// Hits among which the pick is drawn.
const AMONG: usize = 5;
/// Hits among which the nearest are looked for.
const WIDE: usize = 50;

/// The five hits that the pick is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Five {
    /// The most similar: what failed elsewhere is tried again and again.
    Nearest,
    /// The first: what failed here is soon not among them.
    First,
}

impl Five {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Five::Nearest => "nearest 5",
            Five::First => "first 5",
        }
    }
}

/// What quarantine did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Caught {
    /// Wrong memories, those that were ever quarantined, and those that are at the end.
    pub wrong: (usize, usize, usize),
    /// The same of the right ones.
    pub right: (usize, usize, usize),
    /// Wrong memories that were tried twenty times or quarantined before.
    pub judged: usize,
    /// Events replayed.
    pub events: usize,
}

/// Memories that never tell what any event of their own words' intent needs: those with another action
/// than `good` has in the same row.
pub fn wrong(stream: &Stream, good: &Stream) -> BTreeSet<usize> {
    let pairs = stream.memories.iter().zip(&good.memories).enumerate();
    pairs.filter(|(_, (a, b))| a.action != b.action).map(|(row, _)| row).collect()
}

/// Draws the pick from five hits and reports it, until every wrong memory was tried twenty
/// times or is quarantined, or the events were gone through `passes` times. With `noise`, that share of the
/// verdicts is a coin flip.
pub fn drawn(
    path: &Path,
    stream: &Stream,
    wrong: &BTreeSet<usize>,
    five: Five,
    passes: u64,
    noise: f64,
) -> Result<Caught> {
    let store = Store::open(path, Options::new(stream.dimension()))?;
    store.set_policy(wisen::DEFAULT_NAMESPACE, wisen::Policy::new().quarantine(true))?;
    let memories = stream.memories.iter().zip(stream.memory_vectors.rows());
    let ids = store.remember_many(memories.map(|(m, v)| Memory::new(&m.text, v)).collect())?;
    let rows: HashMap<MemoryId, usize> = ids.into_iter().enumerate().map(|(row, id)| (id, row)).collect();
    let mut rng = fastrand::Rng::with_seed(11);
    let (mut tries, mut ever) = (vec![0_usize; rows.len()], BTreeSet::new());
    let mut events = 0;
    for pass in 0..passes {
        let verdicts = Verdicts::noisy(stream.events.len(), noise, pass);
        for event in 0..stream.events.len() {
            let k = if five == Five::Nearest { WIDE } else { AMONG };
            let mut recall = store.recall(&Query::new(stream.event_vectors.row(event)).k(k))?;
            if five == Five::Nearest {
                recall.hits.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.id.cmp(&b.id)));
            }
            recall.hits.truncate(AMONG);
            let hit = rng.choice(&recall.hits).context("a store with memories recalled none")?;
            let row = rows[&hit.id];
            tries[row] += 1;
            let success = verdicts.of(event, stream.is_right(row, event));
            let outcome = if success { Outcome::Success } else { Outcome::Failure };
            let report = Report::on(recall.receipt.context("no receipt")?, outcome);
            store.report(&report.used(hit.id))?;
            events += 1;
            if events % 500 == 0 {
                ever.extend(ever_barred(&store)?.iter().map(|id| rows[id]));
                if wrong.iter().all(|row| tries[*row] >= TRIES || ever.contains(row)) {
                    return tally(&store, &rows, wrong, &ever, &tries, events);
                }
            }
        }
    }
    ever.extend(ever_barred(&store)?.iter().map(|id| rows[id]));
    tally(&store, &rows, wrong, &ever, &tries, events)
}

fn tally(
    store: &Store,
    rows: &HashMap<MemoryId, usize>,
    wrong: &BTreeSet<usize>,
    ever: &BTreeSet<usize>,
    tries: &[usize],
    events: usize,
) -> Result<Caught> {
    let now: BTreeSet<usize> = barred(store)?.iter().map(|id| rows[id]).collect();
    let count = |set: &BTreeSet<usize>, bad: bool| set.iter().filter(|r| wrong.contains(r) == bad).count();
    let judged = wrong.iter().filter(|row| tries[**row] >= TRIES || ever.contains(row)).count();
    Ok(Caught {
        wrong: (wrong.len(), count(ever, true), count(&now, true)),
        right: (rows.len() - wrong.len(), count(ever, false), count(&now, false)),
        judged,
        events,
    })
}

/// Memories in quarantine, on probation or retired.
fn barred(store: &Store) -> Result<Vec<MemoryId>> {
    let standings = store.review(None)?;
    let barred = standings.into_iter().filter(|standing| standing.state != wisen::StandingState::Active);
    Ok(barred.map(|standing| standing.id).collect())
}

/// Memories that the rule has ever quarantined, by the audit.
fn ever_barred(store: &Store) -> Result<Vec<MemoryId>> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = store.audit_entries(after, 1000)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.id;
        found.extend(page.iter().filter(|entry| entry.op == "quarantine").filter_map(|entry| entry.memory));
    }
}

/// Share of the last quarter's picks that go to wrong memories.
pub fn share_of_wrong(picks: &[usize], wrong: &BTreeSet<usize>) -> f64 {
    let last = &picks[picks.len() * 3 / 4..];
    last.iter().filter(|row| wrong.contains(row)).count() as f64 / last.len() as f64
}
