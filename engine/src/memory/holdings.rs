//! The evidence of a namespace in memory, and what it is worth at a given time.
//!
//! What the owner told of kinds that never fade is summed up already. Everything else is kept in lots,
//! whose worth depends on how much the same group told of the same memory on the same day (caps), on the
//! reliability of the group, and on the day.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use roaring::RoaringTreemap;

use crate::clock::Timestamp;
use crate::outcome::{Credit, Group, Scales, Sums, Told, Weights, day};
use crate::store::cells::CellRow;
use crate::store::lots::Lot;

/// Evidence of one memory in one situation, as it counts now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub memory: u64,
    pub weights: Weights,
}

struct Held {
    memory: u64,
    shuffle: i64,
    sums: Sums,
    /// Empty for most, and then without an allocation.
    lots: Vec<Lot>,
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
    /// Cells in which groups other than the owner have told something, by group.
    told_in: HashMap<Group, RoaringTreemap>,
    /// Cells that hold only what has no weight.
    mute: Arc<RoaringTreemap>,
    /// Successes and failures of all cells, as they were worth on a day.
    overall: Option<(i64, (f64, f64))>,
    /// Cells that the last change of scales looked at.
    #[cfg(test)]
    looked_at: u64,
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
            told_in: HashMap::new(),
            mute: Arc::default(),
            overall: None,
            #[cfg(test)]
            looked_at: 0,
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
            if lot.group != Group::OWNER {
                self.told_in.entry(lot.group).or_default().insert(id);
            }
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
            if let Some(cells) = self.told_in.get_mut(&lot.group) {
                cells.remove(id);
            }
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
        let told = self.told.entry(memory).or_insert_with(|| Told::of(kind));
        let before = told.capped(source);
        told.shift(source, sign * lot.sums.success, sign * lot.sums.failure);
        let after = told.capped(source);
        let kind = told.kind;
        if told.is_empty() {
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
        let sums: Vec<_> = told.sources().map(|source| (source, told.capped(source))).collect();
        for ((group, day), (success, failure)) in sums {
            self.shift_capped((before, group, day), (-success, -failure));
            self.shift_capped((kind, group, day), (success, failure));
        }
        self.overall = None;
    }

    /// Takes over other scales. Returns whether other cells than before have no weight now. Looks only at the cells of
    /// groups that came to be trusted, or no more: most changes of trust are a little more of it, or a little less.
    pub(super) fn rescale(&mut self, scales: Scales) -> bool {
        let before = std::mem::replace(&mut self.scales, scales);
        self.overall = None;
        let turned = |group: &Group| (before.trust(*group) == 0.0) != (self.scales.trust(*group) == 0.0);
        let mut cells = RoaringTreemap::new();
        for (_, told_in) in self.told_in.iter().filter(|(group, _)| turned(group)) {
            cells |= told_in;
        }
        #[cfg(test)]
        {
            self.looked_at = cells.len();
        }
        let is_mute = |id: &u64| self.cells.get(id).is_some_and(|held| self.is_mute(held));
        let now_mute: RoaringTreemap = cells.iter().filter(is_mute).collect();
        let were_mute = &cells & &*self.mute;
        if now_mute == were_mute {
            return false;
        }
        let mute = Arc::make_mut(&mut self.mute);
        *mute -= were_mute;
        *mute |= now_mute;
        true
    }

    /// The evidence in a cell as it counts at `now`; `None` if there is no such cell.
    pub(super) fn weigh(&self, id: u64, now: Timestamp) -> Option<Cell> {
        let held = self.cells.get(&id)?;
        let mut weights = Weights::from(held.sums);
        if let Some(told) = self.told.get(&held.memory) {
            let lots = held.lots.iter().map(|lot| ((lot.group, lot.day), lot.sums));
            told.add_to(&mut weights, lots, &self.scales, day(now));
        }
        Some(Cell { memory: held.memory, weights })
    }

    /// All evidence on a memory as it counts at `now`; its wins are left out.
    pub(super) fn tally(&self, memory: u64, now: Timestamp) -> Weights {
        let mut tally = Weights::from(self.totals.get(&memory).copied().unwrap_or_default());
        if let Some(told) = self.told.get(&memory) {
            for source in told.sources() {
                let scale = self.scales.of(told.kind, source, day(now));
                let (success, failure) = told.capped(source);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn scales(trust: &[(i64, f64)]) -> Scales {
        let trust = trust.iter().map(|(group, weight)| (Group(*group), *weight)).chain([(Group::OWNER, 1.0)]);
        Scales { trust: trust.collect(), half_lives: HashMap::new() }
    }

    /// The cells without weight are those that a look at all cells finds, whatever came, went and was believed; and a
    /// change of trust looks at the cells of those only whose word begins to count, or ceases to.
    #[test]
    fn a_change_of_trust_looks_only_where_it_turns() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut holdings = Holdings::new(scales(&[(1, 0.5), (2, 0.0)]));
        for round in 0..3000_u64 {
            let id = rng.u64(..200);
            if rng.u8(..4) == 0 {
                holdings.remove(id);
            } else {
                let mut lots: Vec<Lot> = (0..rng.i64(0..3))
                    .map(|n| (n, Group(rng.i64(-1..4))))
                    .map(|(day, group)| Lot { group, day, sums: Sums::of(Credit::share(1, 1), 1.0) })
                    .collect();
                lots.dedup_by_key(|lot| lot.group);
                let owner = lots.is_empty() || rng.bool();
                let sums = if owner { Sums::of(Credit::share(1, 1), 0.0) } else { Sums::default() };
                let cell = CellRow {
                    id: id.cast_signed(),
                    namespace: 1,
                    memory: rng.i64(0..20),
                    situation: 1,
                    sums,
                    seq: 1,
                    lots: lots.len() as i64,
                    grid: None,
                    shuffle: 0,
                };
                holdings.put(&cell, 1, lots);
            }
            if round % 5 == 0 {
                let weight = |rng: &mut fastrand::Rng| if rng.bool() { 0.0 } else { rng.f64() };
                let trust = [(-1, weight(&mut rng)), (1, weight(&mut rng)), (3, weight(&mut rng))];
                let before = holdings.mute().clone();
                assert_eq!(holdings.rescale(scales(&trust)), before != *holdings.mute());
            }
            let all = holdings.cells.iter().filter(|(_, held)| holdings.is_mute(held));
            assert_eq!(all.map(|(id, _)| *id).collect::<RoaringTreemap>(), **holdings.mute());
        }
        holdings.rescale(scales(&[(1, 0.5), (2, 0.0)]));
        assert!(!holdings.rescale(scales(&[(1, 0.6), (2, 0.0)])));
        assert_eq!(holdings.looked_at, 0, "a little more of the same");
        holdings.rescale(scales(&[(1, 0.6), (2, 0.1)]));
        assert_eq!(holdings.looked_at, holdings.told_in[&Group(2)].len());
        assert!(holdings.looked_at > 0 && holdings.looked_at < holdings.cells.len() as u64);
    }
}
