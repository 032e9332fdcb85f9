//! One namespace as this process sees it: its points, evidence, expiries and samples.
//!
//! Loaded from the database when it is first used, then kept in step change by change. Readers
//! take a [`Snapshot`], which shares and never blocks; what readers hold is copied on write.

use std::sync::Arc;

use parking_lot::RwLock;
use rusqlite::Connection;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::outcome::{Scales, Weights};
use crate::store::authorities::Trust;
use crate::store::calibrators::Fitted;
use crate::store::changes::Change;
use crate::store::{Condition, Db};
use crate::vector::Metric;
use crate::waits;

use super::filtered::Passed;
use super::holdings::Cell;
use super::points::{Fresh, Loaded, view_of};
use super::policy::Policy;
use super::snapshot::Snapshot;
use super::state::{Gone, State};

/// A namespace.
pub(crate) struct Partition {
    id: i64,
    metric: Metric,
    state: RwLock<State>,
}

impl Partition {
    /// Loads a namespace as it stands in `conn` after change `seq`. Points of changes that the
    /// segments do not cover are read into memory.
    pub(crate) fn load(
        (conn, trust): (&Connection, &Trust),
        id: i64,
        metric: Metric,
        seq: i64,
        segments: &[Arc<Loaded>],
    ) -> Result<Self> {
        let state = State::load((conn, trust), id, metric, seq, segments)?;
        Ok(Self { id, metric, state: RwLock::new(state) })
    }

    /// The number of the namespace.
    pub(crate) fn id(&self) -> i64 {
        self.id
    }

    /// How many reports give credit here, and the calibrator last fitted.
    pub(crate) fn calibration(&self) -> (i64, Option<Fitted>) {
        let state = waits::read(&self.state);
        (state.holdings.reports(), state.fitted)
    }

    /// What a recall sees at `now`.
    pub(crate) fn snapshot(&self, now: Timestamp) -> Snapshot {
        {
            let state = waits::read(&self.state);
            if let (Some(memories), Some(cells)) = (state.memory_sample.drawn(), state.cell_sample.drawn())
                && let Some(overall) = state.holdings.known_overall(now)
            {
                return state.snapshot(self.id, memories, cells, overall);
            }
        }
        let mut state = waits::write(&self.state);
        let (memories, cells) = (state.memory_sample.draw(), state.cell_sample.draw());
        let overall = state.holdings.overall(now);
        state.snapshot(self.id, memories, cells, overall)
    }

    /// The evidence in these cells as it counts at `now`; one that is gone has none.
    pub(crate) fn cells(&self, ids: impl Iterator<Item = u64>, now: Timestamp) -> Vec<Option<Cell>> {
        let state = waits::read(&self.state);
        ids.map(|id| state.holdings.weigh(id, now)).collect()
    }

    /// What the reports on a memory sum up to as they count at `now`.
    pub(crate) fn tally(&self, memory: u64, now: Timestamp) -> Weights {
        waits::read(&self.state).holdings.tally(memory, now)
    }

    /// The memories with evidence, each with what that sums up to.
    pub(crate) fn tallies(&self, now: Timestamp) -> Vec<(u64, Weights)> {
        let state = waits::read(&self.state);
        let memories = state.holdings.memories();
        memories.map(|memory| (memory, state.holdings.tally(memory, now))).collect()
    }

    /// The policy of the namespace.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        waits::read(&self.state).policy.clone()
    }

    /// The live memories that a filter lets through, and their cells.
    pub(crate) fn passing(
        &self,
        db: &Db,
        key: &str,
        condition: impl FnOnce(&Connection) -> Result<Condition>,
    ) -> Result<Passed> {
        if let Some(passed) = waits::read(&self.state).filtered.get(key) {
            return Ok(passed);
        }
        db.read(|conn| {
            let condition = condition(conn)?;
            // Under the lock, so that no change slips in between the reading and the keeping. A
            // connection is always taken before the lock, never after it.
            let mut state = waits::write(&self.state);
            let State { filtered, holdings, .. } = &mut *state;
            filtered.find(conn, self.id, (key, &condition), holdings.cells())
        })
    }

    /// The live memories of a kind, and their cells.
    pub(crate) fn of_kind(&self, db: &Db, kind: i64) -> Result<Passed> {
        self.passing(db, &format!("kind {kind}"), |_| Ok(Condition::kind(kind)))
    }

    /// Other fields are declared than before.
    pub(crate) fn forget_filters(&self) {
        waits::write(&self.state).filtered.clear();
    }

    /// Brings the namespace in step with changes that `conn` has seen, oldest first.
    pub(crate) fn apply(&self, conn: &Connection, changes: &[Change]) -> Result<()> {
        let mut state = waits::write(&self.state);
        let mut gone = Gone::default();
        let known = state.seq;
        state.filtered.begin(changes.len());
        for change in changes.iter().filter(|change| change.seq > known) {
            state.apply(conn, (self.id, self.metric), change, &mut gone)?;
        }
        state.drop_points(&gone);
        state.seq = changes.last().map_or(known, |last| known.max(last.seq));
        Ok(())
    }

    /// Goes over to the trust and half-lives that are in force.
    pub(crate) fn rescale(&self, conn: &Connection, scales: &Scales) -> Result<()> {
        let mut state = waits::write(&self.state);
        if state.holdings.rescale(scales.clone()) {
            state.load_cell_sample(conn, self.metric)?;
        }
        Ok(())
    }

    /// Goes over to another list of segments that covers at least as much.
    pub(crate) fn reseal(&self, conn: &Connection, segments: &[Arc<Loaded>]) -> Result<()> {
        let kept = waits::read(&self.state).sealed.clone();
        let mut sealed = Vec::with_capacity(segments.len());
        for segment in segments {
            // Those that stay are in step: the changes came before the list.
            match kept.iter().find(|part| Arc::ptr_eq(&part.loaded, segment)) {
                Some(part) => sealed.push(part.clone()),
                None => sealed.push(view_of(conn, self.id, segment)?),
            }
        }
        let uncovered =
            |fresh: &Arc<Fresh>| !segments.iter().any(|s| s.row.lo < fresh.seq && fresh.seq <= s.row.hi);
        // Nothing changes meanwhile: one thread at a time catches up. What goes is let go of outside the lock.
        let left = |fresh: &[Arc<Fresh>]| Arc::new(fresh.iter().filter(|f| uncovered(f)).cloned().collect());
        let (mut memories, mut cells) = {
            let state = waits::read(&self.state);
            (left(&state.fresh_memories), left(&state.fresh_cells))
        };
        let mut state = waits::write(&self.state);
        std::mem::swap(&mut state.fresh_memories, &mut memories);
        std::mem::swap(&mut state.fresh_cells, &mut cells);
        std::mem::swap(&mut state.sealed, &mut sealed);
        drop(state);
        Ok(())
    }
}
