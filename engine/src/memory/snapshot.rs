//! What a recall sees of a namespace: one moment of it, shared and never blocking.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringTreemap;

use crate::clock::Timestamp;
use crate::graph::CodeBlock;
use crate::outcome::Calibrator;
use crate::segment::SpaceKind;

use super::barred::Barred;
use super::points::{Fresh, Sealed};
use super::policy::Policy;

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
