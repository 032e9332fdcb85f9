//! What an agent without outcome learning can do: keep what worked as a memory of its own.

use anyhow::Result;

use super::{Arm, Choice, best};
use crate::cosines::Cosines;

/// Similarity only, but every success stores the query as one more memory with the same action.
#[derive(Debug)]
pub struct Grow<'a> {
    cosines: &'a Cosines,
    memories: usize,
    /// Events whose query was stored, and the memory whose action it has.
    stored: Vec<(usize, usize)>,
}

impl<'a> Grow<'a> {
    /// With nothing stored yet.
    pub fn new(memories: usize, cosines: &'a Cosines) -> Self {
        Self { cosines, memories, stored: Vec::new() }
    }
}

impl Arm for Grow<'_> {
    fn choose(&mut self, event: usize) -> Result<Choice> {
        let (all, earlier) = (self.cosines.to_memories(event), self.cosines.to_events(event));
        let own = (0..self.memories).map(|m| (m, f64::from(all[m])));
        let grown = self.stored.iter().map(|(event, memory)| (*memory, f64::from(earlier[*event])));
        Ok(Choice { memory: best(own.chain(grown)), probability: f64::NAN })
    }

    fn learn(&mut self, event: usize, memory: usize, success: bool) -> Result<()> {
        if success {
            self.stored.push((event, memory));
        }
        Ok(())
    }
}
