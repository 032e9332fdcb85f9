//! What the reports of one transaction change in the cells: gathered, and written once for each cell.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::Connection;

use crate::error::Result;
use crate::outcome::{Credit, Group, Source, Sums, Tally};

use super::aliases;
use super::authorities::Trust;
use super::cells;
use super::changes::Op;
use super::db::Tx;
use super::forecasts;
use super::grid::Places;
use super::half_lives;
use super::memories::{self, LIVE, MERGED};
use super::refill::Content;
use super::reports::{self, Row};
use super::slip::HitFacts;
use super::standings;
use super::trials;

/// What crediting has to know of a memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub namespace: i64,
    pub kind: i64,
    pub status: i64,
    /// The live memory that its evidence counts for: itself, unless it was merged.
    pub counts_for: Option<i64>,
}

/// The changes to the evidence in one transaction, not yet in the cells.
#[derive(Default)]
pub(crate) struct Ledger {
    /// By memory and situation.
    changes: BTreeMap<(i64, i64), BTreeMap<Source, Sums>>,
    memories: HashMap<i64, Known>,
    situations: HashMap<u128, i64>,
    severe: BTreeSet<u64>,
    /// New experiences by memory, without what anybody might have told.
    new: BTreeMap<i64, i64>,
    /// Groups of which something was learnt.
    learnt: BTreeSet<Group>,
    /// The last report's id.
    report: Option<i64>,
    /// Whether the evidence of a kind is kept by day.
    fading: HashMap<i64, bool>,
    /// By namespace and bin: what is added to the tally of how promises came true, and what taken.
    promises: BTreeMap<(i64, usize), (Tally, Tally)>,
    /// From which report on a live memory counts, if something was decided about it.
    counts_from: HashMap<i64, Option<i64>>,
    /// What changed of what counts of such memories.
    trials: BTreeMap<(i64, Source), Sums>,
}

/// What the reports of a transaction did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Effect {
    /// The live memories whose evidence changed, by id.
    pub changed: Vec<u64>,
    /// Those among them that have more failures or fewer successes, with their namespaces.
    pub worse: Vec<(u64, i64)>,
    /// Those among them about which something was decided before.
    pub ruled: Vec<u64>,
    /// Those among them that a severe failure was newly counted against.
    pub severe: Vec<u64>,
    /// By how much the failures of any of them grew at most, as credit.
    pub failures: i64,
}

impl Ledger {
    /// What is known of a memory; `None` if there is none with this id.
    pub(super) fn memory(&mut self, conn: &Connection, id: i64) -> Result<Option<Known>> {
        if let Some(known) = self.memories.get(&id) {
            return Ok(Some(*known));
        }
        let Some(row) = memories::load(conn, id)? else {
            return Ok(None);
        };
        let counts_for = match row.status {
            LIVE => Some(id),
            MERGED => aliases::survivor(conn, id)?,
            _ => None,
        };
        let known = Known { namespace: row.namespace, kind: row.kind, status: row.status, counts_for };
        self.memories.insert(id, known);
        Ok(Some(known))
    }

    /// The number of the situation with this vector, which is stored if it is new.
    pub(super) fn situation(&mut self, tx: &Tx<'_>, vector: &[f32]) -> Result<i64> {
        let hash = cells::situation_hash(vector);
        if let Some(id) = self.situations.get(&hash) {
            return Ok(*id);
        }
        let id = cells::intern_situation(tx, vector)?;
        self.situations.insert(hash, id);
        Ok(id)
    }

    /// The id for a new report.
    pub(super) fn next_report(&mut self, conn: &Connection) -> Result<i64> {
        let id = match self.report {
            Some(last) => last + 1,
            None => reports::next_id(conn)?,
        };
        self.report = Some(id);
        Ok(id)
    }

    /// Notes that evidence came, and that other evidence went.
    pub(super) fn shift(&mut self, memory: i64, situation: i64, source: Source, plus: Sums, minus: Sums) {
        let change = self.changes.entry((memory, situation)).or_default().entry(source).or_default();
        change.add(plus);
        change.subtract(minus);
    }

    /// Notes the same where it is kept from which report on a memory counts.
    pub(super) fn shift_trials(
        &mut self,
        conn: &Connection,
        memory: i64,
        report: &Row,
        (plus, minus): (Sums, Sums),
    ) -> Result<()> {
        let Some(counts_for) = self.memory(conn, memory)?.and_then(|known| known.counts_for) else {
            return Ok(());
        };
        let counts_from = if let Some(known) = self.counts_from.get(&counts_for) {
            *known
        } else {
            let found = standings::load(conn, counts_for)?.map(|row| row.counts_from);
            *self.counts_from.entry(counts_for).or_insert(found)
        };
        if counts_from.is_some_and(|from| report.id > from) && !crate::sabotage::on("trials_stand_still") {
            let change = self.trials.entry((counts_for, (report.group(), report.day()))).or_default();
            change.add(plus);
            change.subtract(minus);
        }
        Ok(())
    }

    /// Notes that a report counts for a memory and did not before.
    pub(super) fn note_new(&mut self, memory: i64, report: &Row) {
        // One stranger must not be able to take a memory out of use.
        if report.severe && report.group() == Group::OWNER {
            self.severe.insert(memory.cast_unsigned());
        }
        if report.group() != Group::POOL {
            *self.new.entry(memory).or_default() += 1;
        }
    }

    /// Notes how a promise of a recall in this namespace came true, and that what was noted before no
    /// longer counts; each as credit and outcome.
    pub(super) fn promise(
        &mut self,
        hit: &HitFacts,
        came: Option<(Credit, f64)>,
        before: Option<(Credit, f64)>,
    ) {
        let mut note = |told: Option<(Credit, f64)>, gone: bool| {
            if let Some((credit, outcome)) = told {
                let (bin, tally) = Tally::of(credit, hit.probability, outcome);
                let (plus, minus) = self.promises.entry((hit.namespace, bin)).or_default();
                if !gone {
                    plus.add(tally);
                } else if !crate::sabotage::on("broken_promises_stay") {
                    minus.add(tally);
                }
            }
        };
        note(came, false);
        note(before, true);
    }

    /// Notes that something was learnt about the reliability of these groups.
    pub(super) fn learn(&mut self, groups: Vec<Group>) {
        self.learnt.extend(groups);
    }

    fn fades(&mut self, conn: &Connection, kind: i64) -> Result<bool> {
        if let Some(fades) = self.fading.get(&kind) {
            return Ok(*fades);
        }
        let fades = half_lives::load(conn, kind)?.is_some();
        self.fading.insert(kind, fades);
        Ok(fades)
    }

    /// Brings the cells in step. The cells of a memory that is no hit any more are gone; its experiences
    /// stay as a record.
    pub(crate) fn close(mut self, tx: &mut Tx<'_>, trust: &Trust) -> Result<Effect> {
        let (mut effect, mut places) = (Effect::default(), Places::default());
        for ((memory, situation), mut change) in std::mem::take(&mut self.changes) {
            change.retain(|_, sums| *sums != Sums::default());
            let Some(known) = self.memory(tx.conn, memory)? else {
                continue;
            };
            let Some(counts_for) = known.counts_for.map(i64::cast_unsigned) else {
                continue;
            };
            if change.is_empty() {
                continue;
            }
            let mut all = Sums::default();
            let mut content = Content::default();
            let fades = self.fades(tx.conn, known.kind)?;
            for (source, sums) in change {
                all.add(sums);
                content.add(source, sums, fades);
            }
            cells::shift(tx, &mut places, (known.namespace, memory, situation), &content)?;
            effect.changed.push(counts_for);
            if all.success < 0 || all.failure > 0 {
                effect.worse.push((counts_for, known.namespace));
                effect.failures += all.failure.max(0) - all.success.min(0);
            }
        }
        for ((memory, source), change) in std::mem::take(&mut self.trials) {
            trials::shift(tx, memory, source, change)?;
        }
        effect.changed.sort_unstable();
        effect.changed.dedup();
        effect.worse.sort_unstable();
        effect.worse.dedup();
        effect.ruled = standings::among(tx.conn, &effect.changed)?;
        let mut new: BTreeMap<i64, i64> = BTreeMap::new();
        for (memory, more) in std::mem::take(&mut self.new) {
            if let Some(known) = self.memory(tx.conn, memory)?
                && self.fades(tx.conn, known.kind)?
            {
                *new.entry(known.kind).or_default() += more;
            }
        }
        for (kind, more) in new {
            half_lives::note(tx, trust, kind, more)?;
        }
        for ((namespace, bin), (plus, minus)) in std::mem::take(&mut self.promises) {
            forecasts::shift(tx, namespace, bin, plus, minus)?;
        }
        for group in &self.learnt {
            tx.change(Op::TrustChanged, 0, group.0)?;
        }
        for memory in std::mem::take(&mut self.severe) {
            let known = self.memory(tx.conn, memory.cast_signed())?;
            effect.severe.extend(known.and_then(|known| known.counts_for).map(i64::cast_unsigned));
        }
        effect.severe.retain(|memory| effect.changed.binary_search(memory).is_ok());
        Ok(effect)
    }
}
