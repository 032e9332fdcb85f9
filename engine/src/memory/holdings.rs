//! The evidence of a namespace in memory, and what it is worth at a given time.
//!
//! What the owner told of kinds that never fade is summed up already. Everything else is kept in lots,
//! whose worth depends on how much the same group told of the same memory on the same day (caps), on the
//! reliability of the group, and on the day.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use roaring::RoaringTreemap;
use rusqlite::Connection;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::outcome::{Credit, Group, Sums, Weights, day, decay};
use crate::store::authorities::Trust;
use crate::store::cells::CellRow;
use crate::store::lots::Lot;
use crate::store::{half_lives, principals};

/// Evidence of one memory in one situation, as it counts now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub memory: u64,
    pub weights: Weights,
}

/// What scales evidence, the same for all namespaces.
pub(super) struct Scales {
    /// What the credit of a group is multiplied by; one that is not in it has no weight.
    trust: BTreeMap<Group, f64>,
    /// In days, by kind.
    half_lives: HashMap<i64, f64>,
}

impl Scales {
    pub(super) fn load(conn: &Connection, trust: &Trust) -> Result<Self> {
        Ok(Self { trust: principals::weights(conn, trust)?, half_lives: half_lives::in_force(conn)? })
    }

    fn trust(&self, group: Group) -> f64 {
        self.trust.get(&group).copied().unwrap_or(0.0)
    }

    fn of(&self, kind: i64, (group, told): (Group, i64), today: i64) -> f64 {
        let left = self.half_lives.get(&kind).map_or(1.0, |days| decay(today - told, *days));
        self.trust(group) * left
    }
}

struct Held {
    memory: u64,
    shuffle: i64,
    sums: Sums,
    /// Empty for most, and then without an allocation.
    lots: Vec<Lot>,
}

/// What groups told of one memory, in all its cells.
struct Told {
    kind: i64,
    /// Successes and failures by group and day.
    by: BTreeMap<(Group, i64), (i64, i64)>,
}

impl Told {
    fn cap_scale(&self, source: (Group, i64)) -> f64 {
        let (success, failure) = self.by.get(&source).copied().unwrap_or_default();
        source.0.cap_scale(Credit::from_raw(success + failure).weight())
    }

    /// Successes and failures of a source, scaled to its cap, in fixed point: exact, so that their sums
    /// do not depend on the order.
    fn capped(&self, source: (Group, i64)) -> (i64, i64) {
        let (success, failure) = self.by.get(&source).copied().unwrap_or_default();
        let scale = self.cap_scale(source);
        ((success as f64 * scale).round() as i64, (failure as f64 * scale).round() as i64)
    }
}

/// The evidence of a namespace.
pub(super) struct Holdings {
    scales: Scales,
    cells: HashMap<u64, Held>,
    /// Memories with lots.
    told: HashMap<u64, Told>,
    /// All sums without lots.
    inline: Sums,
    /// Reports in all lots.
    in_lots: i64,
    /// The same by memory.
    totals: HashMap<u64, Sums>,
    /// Capped successes and failures of all lots, by kind, group and day.
    capped: BTreeMap<(i64, Group, i64), (i64, i64)>,
    /// Cells that hold only what has no weight.
    mute: Arc<RoaringTreemap>,
    /// Successes and failures of all cells, as they were worth on a day.
    overall: Option<(i64, (f64, f64))>,
}

impl Holdings {
    pub(super) fn new(scales: Scales) -> Self {
        Self {
            scales,
            cells: HashMap::new(),
            told: HashMap::new(),
            inline: Sums::default(),
            in_lots: 0,
            totals: HashMap::new(),
            capped: BTreeMap::new(),
            mute: Arc::default(),
            overall: None,
        }
    }

    /// All cells with their memories.
    pub(super) fn cells(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.cells.iter().map(|(id, held)| (*id, held.memory))
    }

    /// How many reports give credit.
    pub(super) fn reports(&self) -> i64 {
        self.inline.reports + self.in_lots
    }

    /// How many cells hold what has weight.
    pub(super) fn audible(&self) -> usize {
        self.cells.len() - self.mute.len() as usize
    }

    /// Cells that hold only what has no weight: they must not take the places of others.
    pub(super) fn mute(&self) -> &Arc<RoaringTreemap> {
        &self.mute
    }

    /// Puts a cell, or new evidence into one, with its lots; `kind` is that of its memory. Returns whether
    /// the cell is new.
    pub(super) fn put(&mut self, cell: &CellRow, kind: i64, lots: Vec<Lot>) -> bool {
        let (id, memory, sums) = (cell.id.cast_unsigned(), cell.memory.cast_unsigned(), cell.sums);
        let is_new = self.take(id).is_none();
        self.inline.add(sums);
        self.totals.entry(memory).or_default().add(sums);
        for lot in &lots {
            self.in_lots += lot.sums.reports;
            self.tell(memory, kind, lot, 1);
        }
        let held = Held { memory, shuffle: cell.shuffle, sums, lots };
        if self.is_mute(&held) {
            Arc::make_mut(&mut self.mute).insert(id);
        }
        self.cells.insert(id, held);
        is_new
    }

    /// Removes a cell. Returns its shuffle.
    pub(super) fn remove(&mut self, id: u64) -> Option<i64> {
        self.take(id).map(|held| held.shuffle)
    }

    /// Cells that hold what has weight, by shuffle.
    pub(super) fn shuffled(&self) -> Vec<(i64, u64)> {
        let audible = self.cells.iter().filter(|(id, _)| !self.mute.contains(**id));
        let mut places: Vec<(i64, u64)> = audible.map(|(id, held)| (held.shuffle, *id)).collect();
        places.sort_unstable();
        places
    }

    fn take(&mut self, id: u64) -> Option<Held> {
        self.overall = None;
        let held = self.cells.remove(&id)?;
        self.inline.subtract(held.sums);
        if let Some(total) = self.totals.get_mut(&held.memory) {
            total.subtract(held.sums);
            if *total == Sums::default() {
                self.totals.remove(&held.memory);
            }
        }
        for lot in &held.lots {
            self.in_lots -= lot.sums.reports;
            self.tell(held.memory, 0, lot, -1);
        }
        if self.mute.contains(id) {
            Arc::make_mut(&mut self.mute).remove(id);
        }
        Some(held)
    }

    fn is_mute(&self, held: &Held) -> bool {
        held.sums.reports == 0 && held.lots.iter().all(|lot| self.scales.trust(lot.group) == 0.0)
    }

    /// Adds a lot to what was told of a memory, or takes it away.
    fn tell(&mut self, memory: u64, kind: i64, lot: &Lot, sign: i64) {
        let source = (lot.group, lot.day);
        let told = self.told.entry(memory).or_insert_with(|| Told { kind, by: BTreeMap::new() });
        let before = told.capped(source);
        let sums = told.by.entry(source).or_default();
        *sums = (sums.0 + sign * lot.sums.success, sums.1 + sign * lot.sums.failure);
        if *sums == (0, 0) {
            told.by.remove(&source);
        }
        let after = told.capped(source);
        let kind = told.kind;
        if told.by.is_empty() {
            self.told.remove(&memory);
        }
        self.shift_capped((kind, lot.group, lot.day), (after.0 - before.0, after.1 - before.1));
    }

    fn shift_capped(&mut self, place: (i64, Group, i64), by: (i64, i64)) {
        let sums = self.capped.entry(place).or_default();
        *sums = (sums.0 + by.0, sums.1 + by.1);
        if *sums == (0, 0) {
            self.capped.remove(&place);
        }
    }

    /// Notes the kind of a memory.
    pub(super) fn note_kind(&mut self, memory: u64, kind: i64) {
        let Some(told) = self.told.get_mut(&memory).filter(|told| told.kind != kind) else {
            return;
        };
        let before = std::mem::replace(&mut told.kind, kind);
        let sums: Vec<_> = told.by.keys().map(|source| (*source, told.capped(*source))).collect();
        for ((group, day), (success, failure)) in sums {
            self.shift_capped((before, group, day), (-success, -failure));
            self.shift_capped((kind, group, day), (success, failure));
        }
        self.overall = None;
    }

    /// Takes over other scales. Returns whether other cells than before have no weight now.
    pub(super) fn rescale(&mut self, scales: Scales) -> bool {
        self.scales = scales;
        self.overall = None;
        let mute: RoaringTreemap =
            self.cells.iter().filter(|(_, held)| self.is_mute(held)).map(|(id, _)| *id).collect();
        if mute == *self.mute {
            return false;
        }
        self.mute = Arc::new(mute);
        true
    }

    /// The evidence in a cell as it counts at `now`; `None` if there is no such cell.
    pub(super) fn weigh(&self, id: u64, now: Timestamp) -> Option<Cell> {
        let held = self.cells.get(&id)?;
        let mut weights = Weights::from(held.sums);
        if let Some(told) = self.told.get(&held.memory) {
            for lot in &held.lots {
                let source = (lot.group, lot.day);
                let scale = told.cap_scale(source) * self.scales.of(told.kind, source, day(now));
                if scale > 0.0 {
                    weights.add(Weights::from(lot.sums), scale);
                }
            }
        }
        Some(Cell { memory: held.memory, weights })
    }

    /// All evidence on a memory as it counts at `now`; its wins are left out.
    pub(super) fn tally(&self, memory: u64, now: Timestamp) -> Weights {
        let mut tally = Weights::from(self.totals.get(&memory).copied().unwrap_or_default());
        if let Some(told) = self.told.get(&memory) {
            for source in told.by.keys() {
                let scale = self.scales.of(told.kind, *source, day(now));
                let (success, failure) = told.capped(*source);
                tally.successes += scale * Credit::from_raw(success).weight();
                tally.failures += scale * Credit::from_raw(failure).weight();
            }
        }
        tally
    }

    /// The memories with evidence.
    pub(super) fn memories(&self) -> impl Iterator<Item = u64> + '_ {
        let further = self.told.keys().filter(|memory| !self.totals.contains_key(memory));
        self.totals.keys().chain(further).copied()
    }

    /// Successes and failures of all cells as they count at `now`, if they are known.
    pub(super) fn known_overall(&self, now: Timestamp) -> Option<(f64, f64)> {
        self.overall.filter(|(known, _)| *known == day(now)).map(|(_, overall)| overall)
    }

    /// Successes and failures of all cells as they count at `now`.
    pub(super) fn overall(&mut self, now: Timestamp) -> (f64, f64) {
        let inline = Weights::from(self.inline);
        let mut overall = (inline.successes, inline.failures);
        for (&(kind, group, told), &(success, failure)) in &self.capped {
            let scale = self.scales.of(kind, (group, told), day(now));
            overall.0 += scale * Credit::from_raw(success).weight();
            overall.1 += scale * Credit::from_raw(failure).weight();
        }
        self.overall = Some((day(now), overall));
        overall
    }
}
