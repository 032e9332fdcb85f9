//! The state behind a namespace: how each change is taken in.
//!
//! What readers hold of it ([`Snapshot`]) is copied on write.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::graph::CodeBlock;
use crate::outcome::{Calibrator, StandingState};
use crate::segment::SpaceKind;
use crate::store::authorities::Trust;
use crate::store::calibrators::{self, Fitted};
use crate::store::cells::{self, CellRow};
use crate::store::changes::{Change, Op};
use crate::store::lots;
use crate::store::memories::{self, LIVE};
use crate::store::{aliases, scales, shuffle, standings};
use crate::vector::Metric;

use super::barred::Barred;
use super::filtered::Filtered;
use super::holdings::Holdings;
use super::points::{Fresh, Loaded, Sealed, experience_metric, fresh_cell, fresh_memory, gaps, view_of};
use super::policy::Policy;
use super::sample::Sample;
use super::snapshot::Snapshot;

pub(super) struct State {
    /// Changes up to this one are in.
    pub(super) seq: i64,
    pub(super) sealed: Vec<Sealed>,
    pub(super) fresh_memories: Arc<Vec<Arc<Fresh>>>,
    pub(super) fresh_cells: Arc<Vec<Arc<Fresh>>>,
    pub(super) holdings: Holdings,
    pub(super) expiring: Arc<HashMap<u64, Timestamp>>,
    pub(super) filtered: Filtered,
    pub(super) memory_sample: Sample,
    pub(super) cell_sample: Sample,
    pub(super) fitted: Option<Fitted>,
    pub(super) policy: Arc<Policy>,
    pub(super) barred: Arc<Barred>,
    /// Merged memories, each with the one that its cells count for.
    pub(super) aliases: HashMap<u64, u64>,
}

/// Points that went away, and the changes by which they did.
#[derive(Default)]
pub(super) struct Gone {
    memories: HashMap<u64, i64>,
    cells: HashMap<u64, i64>,
}

impl State {
    /// Reads a namespace as it stands in `conn` after change `seq`. Points of changes that the
    /// segments do not cover are read into memory.
    pub(super) fn load(
        (conn, trust): (&Connection, &Trust),
        id: i64,
        metric: Metric,
        seq: i64,
        segments: &[Arc<Loaded>],
    ) -> Result<Self> {
        let mut state = Self {
            seq,
            sealed: Vec::new(),
            fresh_memories: Arc::default(),
            fresh_cells: Arc::default(),
            holdings: Holdings::new(scales::load(conn, trust)?),
            expiring: Arc::new(memories::expiring(conn, id)?.into_iter().collect()),
            filtered: Filtered::default(),
            memory_sample: Sample::default(),
            cell_sample: Sample::default(),
            fitted: calibrators::load(conn, id)?,
            policy: Arc::new(Policy::load(conn, id)?),
            barred: Arc::default(),
            aliases: aliases::of_namespace(conn, id)?.into_iter().collect(),
        };
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
        state.load_standings(conn, id)?;
        state.load_memory_sample(conn, id, metric)?;
        state.load_cell_sample(conn, metric)?;
        Ok(state)
    }

    pub(super) fn snapshot(
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
    pub(super) fn apply(
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
                    self.mask(namespace, SpaceKind::Memories, id, change.seq);
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
                self.mask(namespace, SpaceKind::Memories, id, change.seq);
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
                self.mask(namespace, SpaceKind::Experiences, id, change.seq);
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
            | Op::Rules
            | Op::Lost => {}
        }
        Ok(())
    }

    /// A point counts no more in segments that end before change `seq`.
    fn mask(&mut self, namespace: i64, kind: SpaceKind, id: u64, seq: i64) {
        for part in self.sealed.iter_mut().filter(|part| part.loaded.row.hi < seq) {
            let space = part.loaded.segment.space(namespace.cast_unsigned(), kind);
            if !space.is_some_and(|space| space.contains(id)) {
                continue;
            }
            let dead = match kind {
                SpaceKind::Memories => &mut part.dead_memories,
                SpaceKind::Experiences => &mut part.dead_cells,
            };
            Arc::make_mut(dead).insert(id);
        }
    }

    /// Drops what is gone from among the unsealed points. A point that came after its predecessor
    /// went stays.
    pub(super) fn drop_points(&mut self, gone: &Gone) {
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

    /// Notes all standings of a namespace, in one pass over the cells.
    fn load_standings(&mut self, conn: &Connection, namespace: i64) -> Result<()> {
        let rows = standings::all(conn, Some(namespace))?;
        let mut cells: HashMap<u64, Vec<u64>> =
            rows.iter().map(|row| (row.memory.cast_unsigned(), Vec::new())).collect();
        if cells.is_empty() {
            return Ok(());
        }
        for (cell, owner) in self.holdings.cells() {
            if let Some(of_owner) = cells.get_mut(&owner) {
                of_owner.push(cell);
            }
        }
        let barred = Arc::make_mut(&mut self.barred);
        for row in rows {
            let memory = row.memory.cast_unsigned();
            barred.note(memory, row.state, cells.remove(&memory).unwrap_or_default().into_iter());
        }
        Ok(())
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

    pub(super) fn load_cell_sample(&mut self, conn: &Connection, metric: Metric) -> Result<()> {
        let mut points = Vec::new();
        for place in self.holdings.shuffled() {
            if points.len() == Sample::LOAD {
                break;
            }
            // One that is gone, though the change that says so is not in yet, is none of the sample.
            if let Some(cell) = cells::load(conn, place.1.cast_signed())? {
                let vector = cells::situation(conn, cell.situation)?;
                points.push((place, experience_metric(metric).prepare(&vector)?));
            }
        }
        self.cell_sample = Sample::of(points);
        Ok(())
    }
}
