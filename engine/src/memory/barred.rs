//! The memories of a namespace that are kept from its hits, as a process sees them.

use std::collections::HashMap;

use roaring::RoaringTreemap;

use crate::outcome::StandingState;

/// Memories that are quarantined, on probation or retired, and their points of experience.
#[derive(Debug, Clone, Default)]
pub(crate) struct Barred {
    states: HashMap<u64, StandingState>,
    cells: RoaringTreemap,
}

impl Barred {
    /// Whether there are none: then a recall need not look.
    pub(crate) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Whether a memory is kept from the hits.
    pub(crate) fn has(&self, memory: u64) -> bool {
        !self.states.is_empty() && self.states.contains_key(&memory)
    }

    /// Whether a point of experience belongs to such a memory.
    pub(crate) fn has_cell(&self, cell: u64) -> bool {
        self.cells.contains(cell)
    }

    /// How a memory stands.
    pub(crate) fn state(&self, memory: u64) -> StandingState {
        self.states.get(&memory).copied().unwrap_or(StandingState::Active)
    }

    /// Whether any of them may be tried again.
    pub(crate) fn any_to_try(&self) -> bool {
        self.states.values().any(|state| state.may_be_tried())
    }

    /// Notes how a memory stands that has these cells.
    pub(crate) fn note(&mut self, memory: u64, state: StandingState, cells: impl Iterator<Item = u64>) {
        if state.is_barred() {
            if self.states.insert(memory, state).is_none() {
                self.cells.extend(cells);
            }
        } else if self.states.remove(&memory).is_some() {
            for cell in cells {
                self.cells.remove(cell);
            }
        }
    }

    /// Notes a new cell of such a memory.
    pub(crate) fn add_cell(&mut self, cell: u64) {
        self.cells.insert(cell);
    }

    /// Notes that a cell is gone.
    pub(crate) fn remove_cell(&mut self, cell: u64) {
        self.cells.remove(cell);
    }
}
