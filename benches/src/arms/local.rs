//! Success rates near the query, added to the similarity.

use anyhow::Result;

use super::{Arm, Choice, best, largest, logit};
use crate::cosines::Cosines;

/// `sim + 0.2 logit(p)`, p from the past of a memory near the query: weights `exp((cos - 1) / 0.1)`,
/// one pseudo-count at the overall rate.
#[derive(Debug)]
pub struct Contextual<'a> {
    cosines: &'a Cosines,
    past: Vec<Vec<(usize, f64)>>,
    wins: f64,
    tries: f64,
}

impl<'a> Contextual<'a> {
    /// With nothing known yet.
    pub fn new(memories: usize, cosines: &'a Cosines) -> Self {
        Self { cosines, past: vec![Vec::new(); memories], wins: 1.0, tries: 1.0 }
    }
}

impl Arm for Contextual<'_> {
    fn choose(&mut self, event: usize) -> Result<Choice> {
        let (all, earlier) = (self.cosines.to_memories(event), self.cosines.to_events(event));
        let rate = self.wins / (self.tries + 1.0);
        let here = |memory: usize| {
            let (mut won, mut weight) = (rate, 1.0);
            for (event, outcome) in &self.past[memory] {
                let w = ((f64::from(earlier[*event]) - 1.0) / 0.1).exp();
                won += w * outcome;
                weight += w;
            }
            (won / weight).clamp(0.01, 0.99)
        };
        let near = largest(all, 10);
        let memory = best(near.into_iter().map(|m| (m, f64::from(all[m]) + 0.2 * logit(here(m)))));
        Ok(Choice { memory, probability: here(memory) })
    }

    fn learn(&mut self, event: usize, memory: usize, success: bool) -> Result<()> {
        let outcome = f64::from(u8::from(success));
        self.past[memory].push((event, outcome));
        self.wins += outcome;
        self.tries += 1.0;
        Ok(())
    }
}
