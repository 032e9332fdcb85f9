//! One namespace as this process sees it: its points, evidence, expiries and samples.
//!
//! Loaded from the database when it is first used, then kept in step change by change. Readers
//! take a [`Snapshot`], which shares and never blocks; what readers hold is copied on write.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use roaring::RoaringTreemap;
use rusqlite::Connection;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::graph::{CodeBlock, TailRow};
use crate::outcome::{Calibrator, StandingState, Weights};
use crate::segment::SpaceKind;
use crate::store::calibrators::{self, Fitted};
use crate::store::cells::{self, CellRow};
use crate::store::changes::{self, Change, Op};
use crate::store::lots;
use crate::store::memories::{self, LIVE};
use crate::store::{Condition, Db, aliases, shuffle, standings};
use crate::vector::Metric;

use super::barred::Barred;
use super::filtered::{Filtered, Passed};
use super::holdings::{Cell, Holdings, Scales};
use super::points::{Fresh, Loaded, Sealed};
use super::policy::Policy;
use super::sample::Sample;

/// The metric in which situations are compared: that of the memories, but cosine under dot, whose
/// scale differs from query to query.
pub(crate) fn experience_metric(metric: Metric) -> Metric {
    if metric == Metric::Dot { Metric::Cosine } else { metric }
}

/// What a recall sees of a namespace: one moment of it.
pub(crate) struct Snapshot {
    pub namespace: i64,
    pub sealed: Vec<Sealed>,
    pub fresh_memories: Arc<Vec<Arc<Fresh>>>,
    pub fresh_cells: Arc<Vec<Arc<Fresh>>>,
    pub expiring: Arc<HashMap<u64, Timestamp>>,
    pub memory_sample: Arc<CodeBlock>,
    pub cell_sample: Arc<CodeBlock>,
    /// Points of experience that have weight.
    pub cells: usize,
    /// Those that have none: they are no neighbours.
    pub mute: Arc<RoaringTreemap>,
    /// Weights of all successes and failures.
    pub overall: (f64, f64),
    pub calibrator: Calibrator,
    pub policy: Arc<Policy>,
    pub barred: Arc<Barred>,
}

impl Snapshot {
    /// How many points of a kind there are, at most.
    pub(crate) fn points(&self, kind: SpaceKind) -> usize {
        let space = |part: &Sealed| {
            part.loaded.segment.space(self.namespace.cast_unsigned(), kind).map_or(0, |space| space.owners())
        };
        let fresh = match kind {
            SpaceKind::Memories => self.fresh_memories.len(),
            SpaceKind::Experiences => self.fresh_cells.len(),
        };
        self.sealed.iter().map(space).sum::<usize>() + fresh
    }
}

/// A namespace.
pub(crate) struct Partition {
    id: i64,
    metric: Metric,
    state: RwLock<State>,
}

struct State {
    /// Changes up to this one are in.
    seq: i64,
    sealed: Vec<Sealed>,
    fresh_memories: Arc<Vec<Arc<Fresh>>>,
    fresh_cells: Arc<Vec<Arc<Fresh>>>,
    holdings: Holdings,
    expiring: Arc<HashMap<u64, Timestamp>>,
    filtered: Filtered,
    memory_sample: Sample,
    cell_sample: Sample,
    fitted: Option<Fitted>,
    policy: Arc<Policy>,
    barred: Arc<Barred>,
    /// Merged memories, each with the one that its cells count for.
    aliases: HashMap<u64, u64>,
}

impl Partition {
    /// Loads a namespace as it stands in `conn` after change `seq`. Points of changes that the
    /// segments do not cover are read into memory.
    pub(crate) fn load(
        conn: &Connection,
        id: i64,
        metric: Metric,
        seq: i64,
        segments: &[Arc<Loaded>],
    ) -> Result<Self> {
        let mut state = State {
            seq,
            sealed: Vec::new(),
            fresh_memories: Arc::default(),
            fresh_cells: Arc::default(),
            holdings: Holdings::new(Scales::load(conn)?),
            expiring: Arc::new(memories::expiring(conn, id)?.into_iter().collect()),
            filtered: Filtered::default(),
            memory_sample: Sample::default(),
            cell_sample: Sample::default(),
            fitted: calibrators::load(conn, id)?,
            policy: Arc::new(Policy::load(conn, id)?),
            barred: Arc::default(),
            aliases: aliases::of_namespace(conn, id)?.into_iter().collect(),
        };
        let partition = |state| Self { id, metric, state: RwLock::new(state) };
        for segment in segments {
            state.sealed.push(view_of(conn, id, segment)?);
        }
        let mut fresh = Vec::new();
        for gap in gaps(segments, seq) {
            memories::points_in(conn, Some(id), gap, |memory, _, seq| {
                fresh.extend(fresh_memory(conn, metric, memory, seq)?);
                Ok(())
            })?;
        }
        state.fresh_memories = Arc::new(fresh);
        let cells = cells::all(conn, Some(id))?;
        let mut fresh = Vec::new();
        for cell in &cells {
            state.hold(conn, cell)?;
            if !segments.iter().any(|s| s.row.lo < cell.seq && cell.seq <= s.row.hi) {
                fresh.push(fresh_cell(conn, metric, cell)?);
            }
        }
        state.fresh_cells = Arc::new(fresh);
        for row in standings::all(conn, Some(id))? {
            state.note_standing(row.memory.cast_unsigned(), row.state);
        }
        state.load_memory_sample(conn, id, metric)?;
        state.load_cell_sample(conn, metric)?;
        Ok(partition(state))
    }

    /// The number of the namespace.
    pub(crate) fn id(&self) -> i64 {
        self.id
    }

    /// How many reports give credit here, and the calibrator last fitted.
    pub(crate) fn calibration(&self) -> (i64, Option<Fitted>) {
        let state = self.state.read();
        (state.holdings.reports(), state.fitted)
    }

    /// What a recall sees at `now`.
    pub(crate) fn snapshot(&self, now: Timestamp) -> Snapshot {
        {
            let state = self.state.read();
            if let (Some(memories), Some(cells)) = (state.memory_sample.drawn(), state.cell_sample.drawn())
                && let Some(overall) = state.holdings.known_overall(now)
            {
                return state.snapshot(self.id, memories, cells, overall);
            }
        }
        let mut state = self.state.write();
        let (memories, cells) = (state.memory_sample.draw(), state.cell_sample.draw());
        let overall = state.holdings.overall(now);
        state.snapshot(self.id, memories, cells, overall)
    }

    /// The evidence in these cells as it counts at `now`; one that is gone has none.
    pub(crate) fn cells(&self, ids: impl Iterator<Item = u64>, now: Timestamp) -> Vec<Option<Cell>> {
        let state = self.state.read();
        ids.map(|id| state.holdings.weigh(id, now)).collect()
    }

    /// What the reports on a memory sum up to as they count at `now`.
    pub(crate) fn tally(&self, memory: u64, now: Timestamp) -> Weights {
        self.state.read().holdings.tally(memory, now)
    }

    /// The memories with evidence, each with what that sums up to.
    pub(crate) fn tallies(&self, now: Timestamp) -> Vec<(u64, Weights)> {
        let state = self.state.read();
        let memories = state.holdings.memories();
        memories.map(|memory| (memory, state.holdings.tally(memory, now))).collect()
    }

    /// The policy of the namespace.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.state.read().policy.clone()
    }

    /// The live memories that a filter lets through, and their cells.
    pub(crate) fn passing(
        &self,
        db: &Db,
        key: &str,
        condition: impl FnOnce(&Connection) -> Result<Condition>,
    ) -> Result<Passed> {
        if let Some(passed) = self.state.read().filtered.get(key) {
            return Ok(passed);
        }
        db.read(|conn| {
            let condition = condition(conn)?;
            // Under the lock, so that no change slips in between the reading and the keeping. A
            // connection is always taken before the lock, never after it.
            let mut state = self.state.write();
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
        self.state.write().filtered.clear();
    }

    /// Brings the namespace in step with changes that `conn` has seen, oldest first.
    pub(crate) fn apply(&self, conn: &Connection, changes: &[Change]) -> Result<()> {
        let mut state = self.state.write();
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
    pub(crate) fn rescale(&self, conn: &Connection) -> Result<()> {
        let scales = Scales::load(conn)?;
        let mut state = self.state.write();
        if state.holdings.rescale(scales) {
            state.load_cell_sample(conn, self.metric)?;
        }
        Ok(())
    }

    /// Goes over to another list of segments that covers at least as much.
    pub(crate) fn reseal(&self, conn: &Connection, segments: &[Arc<Loaded>]) -> Result<()> {
        let kept = self.state.read().sealed.clone();
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
        let mut state = self.state.write();
        Arc::make_mut(&mut state.fresh_memories).retain(uncovered);
        Arc::make_mut(&mut state.fresh_cells).retain(uncovered);
        state.sealed = sealed;
        Ok(())
    }
}

/// Points that went away, and the changes by which they did.
#[derive(Default)]
struct Gone {
    memories: HashMap<u64, i64>,
    cells: HashMap<u64, i64>,
}

impl State {
    fn snapshot(
        &self,
        namespace: i64,
        memory_sample: Arc<CodeBlock>,
        cell_sample: Arc<CodeBlock>,
        overall: (f64, f64),
    ) -> Snapshot {
        Snapshot {
            namespace,
            sealed: self.sealed.clone(),
            fresh_memories: self.fresh_memories.clone(),
            fresh_cells: self.fresh_cells.clone(),
            expiring: self.expiring.clone(),
            memory_sample,
            cell_sample,
            cells: self.holdings.audible(),
            mute: self.holdings.mute().clone(),
            overall,
            calibrator: self.fitted.map_or(Calibrator::IDENTITY, |fitted| fitted.calibrator),
            policy: self.policy.clone(),
            barred: self.barred.clone(),
        }
    }

    /// Applies one change, but leaves points that are gone among the unsealed ones: they are noted
    /// in `gone`, to be dropped together.
    fn apply(
        &mut self,
        conn: &Connection,
        (namespace, metric): (i64, Metric),
        change: &Change,
        gone: &mut Gone,
    ) -> Result<()> {
        let id = change.reference.cast_unsigned();
        let live =
            || -> Result<_> { Ok(memories::load(conn, change.reference)?.filter(|row| row.status == LIVE)) };
        match change.op {
            Op::Added | Op::Moved => {
                if change.op == Op::Moved {
                    self.mask(SpaceKind::Memories, id, change.seq);
                    gone.memories.insert(id, change.seq);
                }
                if let Some(row) = live()? {
                    // If it moved again since, that change brings the vector: it must not come twice.
                    let is_newest = row.vector_seq == change.seq;
                    let fresh = is_newest.then(|| fresh_memory(conn, metric, row.id, row.vector_seq));
                    if let Some(fresh) = fresh.transpose()?.flatten() {
                        self.memory_sample.put((shuffle(row.id), id), fresh.row.vector());
                        Arc::make_mut(&mut self.fresh_memories).push(fresh);
                    }
                    self.note_traits(conn, id, row.kind, row.expires_at)?;
                }
            }
            Op::Removed => {
                self.mask(SpaceKind::Memories, id, change.seq);
                gone.memories.insert(id, change.seq);
                if self.expiring.contains_key(&id) {
                    Arc::make_mut(&mut self.expiring).remove(&id);
                }
                self.filtered.remove(id);
                self.note_standing(id, StandingState::Active);
                if !self.memory_sample.remove((shuffle(change.reference), id)) {
                    self.load_memory_sample(conn, namespace, metric)?;
                }
            }
            Op::Amended => {
                if let Some(row) = live()? {
                    self.note_traits(conn, id, row.kind, row.expires_at)?;
                }
            }
            Op::CellAdded | Op::CellChanged => {
                if let Some(cell) = cells::load(conn, change.reference)? {
                    self.put_cell(conn, metric, &cell)?;
                }
            }
            Op::CellRemoved => {
                let shuffle = self.holdings.remove(id);
                if self.barred.has_cell(id) {
                    Arc::make_mut(&mut self.barred).remove_cell(id);
                }
                self.filtered.remove_cell(id);
                self.mask(SpaceKind::Experiences, id, change.seq);
                gone.cells.insert(id, change.seq);
                if shuffle.is_some_and(|shuffle| !self.cell_sample.remove((shuffle, id))) {
                    self.load_cell_sample(conn, metric)?;
                }
            }
            Op::Calibrated => self.fitted = calibrators::load(conn, namespace)?,
            Op::Policy => self.policy = Arc::new(Policy::load(conn, namespace)?),
            Op::Standing => {
                let state = standings::load(conn, change.reference)?.map(|row| row.state);
                self.note_standing(id, state.unwrap_or(StandingState::Active));
            }
            Op::Aliased => {
                match aliases::survivor(conn, change.reference)? {
                    Some(survivor) => self.aliases.insert(id, survivor.cast_unsigned()),
                    None => self.aliases.remove(&id),
                };
                for cell in cells::of_memory(conn, change.reference)? {
                    self.put_cell(conn, metric, &cell)?;
                }
                self.filtered.forget_cells();
            }
            Op::NamespaceAdded
            | Op::NamespaceDropped
            | Op::TrustChanged
            | Op::HalfLifeChanged
            | Op::FieldsChanged
            | Op::Guarded
            | Op::Rules => {}
        }
        Ok(())
    }

    /// A point counts no more in segments that end before change `seq`.
    fn mask(&mut self, kind: SpaceKind, id: u64, seq: i64) {
        for part in self.sealed.iter_mut().filter(|part| part.loaded.row.hi < seq) {
            let dead = match kind {
                SpaceKind::Memories => &mut part.dead_memories,
                SpaceKind::Experiences => &mut part.dead_cells,
            };
            Arc::make_mut(dead).insert(id);
        }
    }

    /// Drops what is gone from among the unsealed points. A point that came after its predecessor
    /// went stays.
    fn drop_points(&mut self, gone: &Gone) {
        let stays = |gone: &HashMap<u64, i64>, fresh: &Arc<Fresh>| {
            gone.get(&fresh.row.id()).is_none_or(|went| fresh.seq >= *went)
        };
        if self.fresh_memories.iter().any(|fresh| !stays(&gone.memories, fresh)) {
            Arc::make_mut(&mut self.fresh_memories).retain(|fresh| stays(&gone.memories, fresh));
        }
        if self.fresh_cells.iter().any(|fresh| !stays(&gone.cells, fresh)) {
            Arc::make_mut(&mut self.fresh_cells).retain(|fresh| stays(&gone.cells, fresh));
        }
    }

    /// Takes in the evidence of a cell. Returns whether the cell is new.
    fn hold(&mut self, conn: &Connection, cell: &CellRow) -> Result<bool> {
        let memory = self.owner(cell.memory.cast_unsigned()).cast_signed();
        // Most have no lots, and then nothing more is read.
        let (kind, lots) = if cell.lots == 0 {
            (0, Vec::new())
        } else {
            let kind = memories::load(conn, memory)?.map_or(0, |row| row.kind);
            (kind, lots::of_cell(conn, cell.id)?)
        };
        Ok(self.holdings.put(&CellRow { memory, ..*cell }, kind, lots))
    }

    fn put_cell(&mut self, conn: &Connection, metric: Metric, cell: &CellRow) -> Result<()> {
        let (id, memory) = (cell.id.cast_unsigned(), self.owner(cell.memory.cast_unsigned()));
        let was_mute = self.holdings.mute().contains(id);
        let is_new = self.hold(conn, cell)?;
        let is_mute = self.holdings.mute().contains(id);
        if self.barred.has(memory) != self.barred.has_cell(id) {
            let barred = Arc::make_mut(&mut self.barred);
            if barred.has(memory) { barred.add_cell(id) } else { barred.remove_cell(id) }
        }
        if is_new {
            self.filtered.add_cell(id, memory);
            let fresh = fresh_cell(conn, metric, cell)?;
            if !is_mute {
                self.cell_sample.put((cell.shuffle, id), fresh.row.vector());
            }
            Arc::make_mut(&mut self.fresh_cells).push(fresh);
        } else if is_mute && !was_mute {
            if !self.cell_sample.remove((cell.shuffle, id)) {
                self.load_cell_sample(conn, metric)?;
            }
        } else if was_mute && !is_mute {
            let vector = experience_metric(metric).prepare(&cells::situation(conn, cell.situation)?)?;
            self.cell_sample.put((cell.shuffle, id), &vector);
        }
        Ok(())
    }

    /// The memory that the evidence on this one counts for.
    fn owner(&self, memory: u64) -> u64 {
        let survivor = self.aliases.get(&memory).filter(|_| !crate::sabotage::on("merge_loses_evidence"));
        survivor.copied().unwrap_or(memory)
    }

    fn note_standing(&mut self, memory: u64, state: StandingState) {
        if state != self.barred.state(memory) {
            let cells = self.holdings.cells().filter(|(_, owner)| *owner == memory).map(|(id, _)| id);
            Arc::make_mut(&mut self.barred).note(memory, state, cells);
        }
    }

    fn note_traits(
        &mut self,
        conn: &Connection,
        id: u64,
        kind: i64,
        expires_at: Option<Timestamp>,
    ) -> Result<()> {
        self.holdings.note_kind(id, kind);
        self.filtered.note(conn, id)?;
        if self.expiring.get(&id).copied() != expires_at {
            let expiring = Arc::make_mut(&mut self.expiring);
            match expires_at {
                Some(at) => expiring.insert(id, at),
                None => expiring.remove(&id),
            };
        }
        Ok(())
    }

    fn load_memory_sample(&mut self, conn: &Connection, namespace: i64, metric: Metric) -> Result<()> {
        let mut points = Vec::new();
        for (shuffle, id) in memories::sample(conn, namespace, Sample::LOAD)? {
            if let Some(vector) = memories::vector(conn, id)? {
                points.push(((shuffle, id.cast_unsigned()), metric.prepare(&vector)?));
            }
        }
        self.memory_sample = Sample::of(points);
        Ok(())
    }

    fn load_cell_sample(&mut self, conn: &Connection, metric: Metric) -> Result<()> {
        let mut points = Vec::new();
        for place in self.holdings.shuffled().into_iter().take(Sample::LOAD) {
            if let Some(cell) = cells::load(conn, place.1.cast_signed())? {
                let vector = cells::situation(conn, cell.situation)?;
                points.push((place, experience_metric(metric).prepare(&vector)?));
            }
        }
        self.cell_sample = Sample::of(points);
        Ok(())
    }
}

/// The ranges of changes up to `seq` that no segment covers, as `(after, up to)`. The segments
/// come in order and do not overlap.
pub(crate) fn gaps(segments: &[Arc<Loaded>], seq: i64) -> Vec<(i64, i64)> {
    let mut gaps = Vec::new();
    let mut covered = 0;
    for segment in segments {
        if covered < segment.row.lo {
            gaps.push((covered, segment.row.lo));
        }
        covered = covered.max(segment.row.hi);
    }
    if covered < seq {
        gaps.push((covered, seq));
    }
    gaps
}

fn view_of(conn: &Connection, namespace: i64, loaded: &Arc<Loaded>) -> Result<Sealed> {
    let has = |kind| loaded.segment.space(namespace.cast_unsigned(), kind).is_some();
    let dead = |kind, cells: bool| -> Result<Arc<RoaringTreemap>> {
        if !has(kind) {
            return Ok(Arc::default());
        }
        let ids = changes::masked_after(conn, namespace, loaded.row.hi, cells)?;
        Ok(Arc::new(ids.into_iter().collect()))
    };
    Ok(Sealed {
        loaded: loaded.clone(),
        dead_memories: dead(SpaceKind::Memories, false)?,
        dead_cells: dead(SpaceKind::Experiences, true)?,
    })
}

fn fresh_memory(conn: &Connection, metric: Metric, id: i64, seq: i64) -> Result<Option<Arc<Fresh>>> {
    let Some(vector) = memories::vector(conn, id)? else {
        return Ok(None);
    };
    let row = TailRow::new(metric, id.cast_unsigned(), &metric.prepare(&vector)?);
    Ok(Some(Arc::new(Fresh { seq, row })))
}

fn fresh_cell(conn: &Connection, metric: Metric, cell: &CellRow) -> Result<Arc<Fresh>> {
    let metric = experience_metric(metric);
    let vector = metric.prepare(&cells::situation(conn, cell.situation)?)?;
    let row = TailRow::new(metric, cell.id.cast_unsigned(), &vector);
    Ok(Arc::new(Fresh { seq: cell.seq, row }))
}
