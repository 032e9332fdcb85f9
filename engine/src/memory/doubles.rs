//! New memories that the policies of their namespaces want to be merged into others.
//!
//! Which of a batch are alike is found out before the lock is taken: that may compare each with each, and
//! nobody has to wait for it. Under the lock only what came otherwise than foreseen is compared again.

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::id::MemoryId;
use crate::store::audit::Actor;
use crate::store::{Tx, memories, names};
use crate::vector::{Metric, Probe};

use super::core::Core;
use super::distil::{self, Merge};
use super::input::Memory;
use super::policy;

/// A new memory whose namespace merges near-duplicates.
struct Candidate<'a> {
    /// Its place in the batch.
    row: usize,
    memory: &'a Memory,
    prepared: Vec<f32>,
    /// Similarity from which on it is merged.
    threshold: f32,
    /// The stored memory nearest to it, if that is so near.
    nearest: Option<(MemoryId, f32)>,
    /// The one before it in the batch that is nearest, likewise, among those that will stay.
    before: Option<(usize, f32)>,
    foreseen: Foreseen,
    /// Its id, once it is stored and was not merged.
    id: Option<MemoryId>,
}

/// What should become of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Foreseen {
    /// Its key is there: nothing is stored.
    Known,
    Merged,
    Stays,
}

/// Those of a batch, in its order.
pub(super) struct Doubles<'a> {
    metric: Metric,
    candidates: Vec<Candidate<'a>>,
    /// Candidates below this place have been dealt with.
    next: usize,
    /// Whether something came otherwise than foreseen.
    astray: bool,
    /// Pairs compared after the foreseeing.
    #[cfg(test)]
    compared: std::cell::Cell<usize>,
}

impl<'a> Doubles<'a> {
    pub(super) fn find(core: &Core, memories: &'a [Memory]) -> Result<Self> {
        let mut thresholds: HashMap<&str, Option<f32>> = HashMap::new();
        let mut found = Self::none(core.metric);
        for (row, memory) in memories.iter().enumerate() {
            let threshold = if let Some(threshold) = thresholds.get(&*memory.namespace) {
                *threshold
            } else {
                let policy = policy::get(core, &memory.namespace)?;
                *thresholds.entry(&memory.namespace).or_insert(policy.distil_at)
            };
            // What expires, or is there to replace another, is stored as it is.
            if let Some(threshold) = threshold
                && memory.time_to_live.is_none()
                && memory.supersedes.is_none()
            {
                let prepared = core.prepare(&memory.vector)?;
                let nearest = distil::nearest(core, &memory.namespace, &memory.kind, &prepared, threshold)?;
                found.put(row, memory, prepared, threshold, nearest);
            }
        }
        found.foresee(|memory, key| {
            core.db.read(|conn| match names::namespace_by_name(conn, &memory.namespace)? {
                Some(namespace) => memories::by_key(conn, namespace.id, key).map(|row| row.is_some()),
                None => Ok(false),
            })
        })?;
        Ok(found)
    }

    fn none(metric: Metric) -> Self {
        Self {
            metric,
            candidates: Vec::new(),
            next: 0,
            astray: false,
            #[cfg(test)]
            compared: std::cell::Cell::default(),
        }
    }

    fn put(
        &mut self,
        row: usize,
        memory: &'a Memory,
        prepared: Vec<f32>,
        threshold: f32,
        nearest: Option<(MemoryId, f32)>,
    ) {
        let (before, foreseen, id) = (None, Foreseen::Stays, None);
        self.candidates.push(Candidate { row, memory, prepared, threshold, nearest, before, foreseen, id });
    }

    /// Finds out what should become of each. `is_known`: whether the key of a memory is there.
    fn foresee(&mut self, is_known: impl Fn(&Memory, &str) -> Result<bool>) -> Result<()> {
        let mut stay: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
        let mut keys: HashSet<(&str, &str)> = HashSet::new();
        for at in 0..self.candidates.len() {
            let memory = self.candidates[at].memory;
            if let Some(key) = &memory.key
                && (!keys.insert((memory.namespace.as_str(), key.as_str())) || is_known(memory, key)?)
            {
                self.candidates[at].foreseen = Foreseen::Known;
                continue;
            }
            let alike = stay.entry((memory.namespace.as_str(), memory.kind.as_str())).or_default();
            let before = self.nearest_of(at, alike.iter().copied());
            let new = &mut self.candidates[at];
            new.before = before;
            if before.is_some() || new.nearest.is_some() {
                new.foreseen = Foreseen::Merged;
            } else {
                alike.push(at);
            }
        }
        Ok(())
    }

    /// The nearest to a candidate among others that is near enough; of equals, the first.
    fn nearest_of(&self, at: usize, others: impl Iterator<Item = usize>) -> Option<(usize, f32)> {
        let new = &self.candidates[at];
        let probe = Probe::new(self.metric, &new.prepared);
        others
            .map(|other| (other, probe.exact(&self.candidates[other].prepared)))
            .filter(|(_, similarity)| *similarity >= new.threshold)
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
    }

    /// The memory that a candidate is to be merged into.
    fn choose(&mut self, at: usize) -> Option<(MemoryId, f32)> {
        // What was to stay and was not stored is there for none of those that come.
        let passed = &self.candidates[self.next.min(at)..at];
        self.astray |= passed.iter().any(|passed| passed.foreseen == Foreseen::Stays);
        self.next = at + 1;
        let new = &self.candidates[at];
        self.astray |= new.foreseen == Foreseen::Known;
        let before = if self.astray {
            let alike = |other: &usize| {
                let other = &self.candidates[*other];
                other.id.is_some()
                    && (&other.memory.namespace, &other.memory.kind)
                        == (&new.memory.namespace, &new.memory.kind)
            };
            #[cfg(test)]
            self.compared.set(self.compared.get() + at);
            self.nearest_of(at, (0..at).filter(alike))
        } else {
            new.before
        };
        let before = before.and_then(|(other, similarity)| Some((self.candidates[other].id?, similarity)));
        // What is stored is older than the whole batch.
        before.into_iter().chain(new.nearest).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
    }

    /// Notes what became of a candidate.
    fn note(&mut self, at: usize, id: MemoryId, merged: bool) {
        let new = &mut self.candidates[at];
        self.astray |= merged != (new.foreseen == Foreseen::Merged);
        new.id = (!merged).then_some(id);
    }

    /// Merges a memory that was just stored, if it is to be. Returns the id that stands for it.
    pub(super) fn merge(
        &mut self,
        core: &Core,
        tx: &mut Tx<'_>,
        row: usize,
        id: MemoryId,
    ) -> Result<MemoryId> {
        let Ok(at) = self.candidates.binary_search_by_key(&row, |candidate| candidate.row) else {
            return Ok(id);
        };
        let into = match self.choose(at) {
            Some((survivor, similarity))
                if distil::absorb(core, tx, Actor::Engine, Merge { survivor, absorbed: id, similarity })? =>
            {
                Some(survivor)
            }
            _ => None,
        };
        self.note(at, id, into.is_some());
        Ok(into.unwrap_or(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bunches of points that are all of length 1.
    fn batch(n: usize) -> Vec<Memory> {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut memory = || {
            let angle = f32::from(rng.u8(..20)) + 0.04 * rng.f32();
            let key = (rng.u8(..4) == 0).then(|| format!("key {}", rng.u8(..40)));
            let memory = Memory::new("x", vec![angle.cos(), angle.sin()]);
            let memory = memory.kind(["note", "rule"][usize::from(rng.bool())]);
            match key {
                Some(key) => memory.key(key),
                None => memory,
            }
        };
        (0..n).map(|_| memory()).collect()
    }

    /// The memory that each is merged into, or its own number; and how many were compared on the way.
    /// `stored`: whether one is, when its turn comes.
    fn run(
        batch: &[Memory],
        known: impl Fn(&str) -> bool,
        stored: impl Fn(usize) -> bool,
        foresees: bool,
    ) -> (Vec<u64>, usize) {
        let mut doubles = Doubles::none(Metric::Cosine);
        for (row, memory) in batch.iter().enumerate() {
            doubles.put(row, memory, memory.vector.clone(), 0.9995, None);
        }
        doubles.foresee(|_, key| Ok(known(key))).expect("no error");
        doubles.astray = !foresees;
        let mut into = Vec::new();
        for at in 0..batch.len() {
            if stored(at) {
                let own = MemoryId(at as u64);
                let chosen = doubles.choose(at).map(|(id, _)| id);
                doubles.note(at, own, chosen.is_some());
                into.push(chosen.unwrap_or(own).0);
            }
        }
        (into, doubles.compared.get())
    }

    #[test]
    fn what_was_foreseen_is_what_comparing_each_with_each_gives() {
        let batch = batch(400);
        let is_known = |key: &str| key.len() == 5;
        let mut keys = HashSet::new();
        let new: Vec<bool> = batch
            .iter()
            .map(|memory| memory.key.as_ref().is_none_or(|key| keys.insert(key.clone()) && !is_known(key)))
            .collect();
        let (foreseen, compared) = run(&batch, is_known, |at| new[at], true);
        assert_eq!(compared, 0, "nothing is left to compare under the lock");
        assert_eq!(foreseen, run(&batch, is_known, |at| new[at], false).0);
        let merged = foreseen.len() - foreseen.iter().collect::<HashSet<_>>().len();
        assert!(merged > 50 && merged < foreseen.len() - 30, "{merged} of {}", foreseen.len());
        // Others have stored some of them meanwhile, and forgotten what was there.
        let otherwise = |at: usize| if at.is_multiple_of(7) { !new[at] } else { new[at] };
        assert_eq!(run(&batch, is_known, otherwise, true).0, run(&batch, is_known, otherwise, false).0);
    }
}
