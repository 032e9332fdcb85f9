//! New memories that the policies of their namespaces want to be merged into others.

use std::collections::HashMap;

use crate::error::Result;
use crate::id::MemoryId;
use crate::store::Tx;
use crate::store::audit::Actor;
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
    /// Its id, once it is stored and was not merged.
    id: Option<MemoryId>,
}

/// Those of a batch, in its order.
pub(super) struct Doubles<'a> {
    metric: Metric,
    candidates: Vec<Candidate<'a>>,
}

impl<'a> Doubles<'a> {
    pub(super) fn find(core: &Core, memories: &'a [Memory]) -> Result<Self> {
        let mut thresholds: HashMap<&str, Option<f32>> = HashMap::new();
        let mut candidates = Vec::new();
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
                candidates.push(Candidate { row, memory, prepared, threshold, nearest, id: None });
            }
        }
        Ok(Self { metric: core.metric, candidates })
    }

    /// Merges a memory that was just stored, if it is to be. Returns the id that stands for it.
    pub(super) fn merge(&mut self, tx: &mut Tx<'_>, row: usize, id: MemoryId) -> Result<MemoryId> {
        let Ok(at) = self.candidates.binary_search_by_key(&row, |candidate| candidate.row) else {
            return Ok(id);
        };
        let new = &self.candidates[at];
        let probe = Probe::new(self.metric, &new.prepared);
        // The search did not know what came before it in the batch.
        let alike = |other: &&Candidate<'_>| {
            (&other.memory.namespace, &other.memory.kind) == (&new.memory.namespace, &new.memory.kind)
        };
        let before = self.candidates[..at].iter().filter(alike);
        let near = before
            .filter_map(|other| Some((other.id?, probe.exact(&other.prepared))))
            .filter(|(_, similarity)| *similarity >= new.threshold)
            .chain(new.nearest)
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        if let Some((survivor, similarity)) = near
            && distil::absorb(tx, Actor::Engine, Merge { survivor, absorbed: id, similarity })?
        {
            return Ok(survivor);
        }
        self.candidates[at].id = Some(id);
        Ok(id)
    }
}
