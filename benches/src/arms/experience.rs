//! Experience points by exact search over everything: the reference for what Wisen approximates.

use anyhow::Result;

use super::{Arm, Choice, best, largest};
use crate::cosines::Cosines;

/// Points nearer than this count (of memories, and of experiences) are looked at.
const NEAREST: usize = 64;
/// Below so many experiences they are judged against the background of the memories.
const ENOUGH: usize = 64;
/// Successes near the query that make a memory a candidate which is not near itself.
const VOTES: f64 = 2.0;

/// Ranks by `ln alpha - ln beta'`: own nearness and successes near the query against failures near it,
/// each kind of point measured in spreads of its own cosines with the query.
#[derive(Debug)]
pub struct Experience<'a> {
    cosines: &'a Cosines,
    memories: usize,
    kappa: f64,
    epsilon: f64,
    /// Width of the kernel: in spreads, or in cosine if absolute.
    width: f64,
    is_absolute: bool,
    /// By event: whose experience it was, and how it went.
    past: Vec<(usize, f64)>,
}

/// Median and standard deviation of some cosines.
#[derive(Debug, Clone, Copy)]
struct Ground {
    median: f64,
    spread: f64,
}

impl<'a> Experience<'a> {
    /// With the defaults of the design: beta 0.45, kappa 1.5, epsilon 0.3.
    pub fn new(memories: usize, cosines: &'a Cosines) -> Self {
        let past = Vec::with_capacity(cosines.len());
        Self { cosines, memories, kappa: 1.5, epsilon: 0.3, width: 0.45, is_absolute: false, past }
    }

    /// The naive variant: one kernel `exp((cos - 1) / tau)` for both kinds.
    pub fn absolute(memories: usize, cosines: &'a Cosines, tau: f64) -> Self {
        let start = Self::new(memories, cosines);
        Self { kappa: 1.0, epsilon: 0.01, width: tau, is_absolute: true, ..start }
    }

    fn grounds(&self, all: &[f32], earlier: &[f32]) -> (Ground, Ground) {
        if self.is_absolute {
            let plain = Ground { median: 0.0, spread: 1.0 };
            return (plain, plain);
        }
        let memories = Ground::of(all);
        (memories, if earlier.len() >= ENOUGH { Ground::of(earlier) } else { memories })
    }
}

impl Ground {
    fn of(cosines: &[f32]) -> Self {
        let n = cosines.len();
        let mut sorted = cosines.to_vec();
        let (below, middle, _) = sorted.select_nth_unstable_by(n / 2, f32::total_cmp);
        let middle = f64::from(*middle);
        let median = if n.is_multiple_of(2) {
            f64::midpoint(middle, below.iter().fold(f64::NEG_INFINITY, |m, v| m.max(f64::from(*v))))
        } else {
            middle
        };
        let mean = cosines.iter().map(|c| f64::from(*c)).sum::<f64>() / n as f64;
        let variance = cosines.iter().map(|c| (f64::from(*c) - mean).powi(2)).sum::<f64>() / n as f64;
        Self { median, spread: variance.sqrt() + 1e-6 }
    }

    fn place(self, cosine: f32) -> f64 {
        (f64::from(cosine) - self.median) / self.spread
    }
}

impl Arm for Experience<'_> {
    fn choose(&mut self, event: usize) -> Result<Choice> {
        let all = self.cosines.to_memories(event);
        let earlier = &self.cosines.to_events(event)[..self.past.len()];
        let (of_memories, of_experiences) = self.grounds(all, earlier);
        let mut candidates = largest(all, NEAREST);
        let near = largest(earlier, NEAREST);
        let places = candidates.iter().map(|m| of_memories.place(all[*m]));
        let places = places.chain(near.iter().map(|e| of_experiences.place(earlier[*e])));
        let top = if self.is_absolute { 1.0 } else { places.fold(f64::NEG_INFINITY, f64::max) };
        let kernel = |place: f64| ((place - top) / self.width).exp();

        let (mut won, mut lost, mut votes) = (vec![0.0; self.memories], vec![0.0; self.memories], Vec::new());
        for e in near {
            let (owner, outcome) = self.past[e];
            let weight = kernel(of_experiences.place(earlier[e]));
            won[owner] += weight * outcome;
            lost[owner] += weight * (1.0 - outcome);
            votes.push((owner, outcome));
        }
        votes.sort_by_key(|vote| vote.0);
        for same in votes.chunk_by(|a, b| a.0 == b.0) {
            if same.iter().map(|vote| vote.1).sum::<f64>() >= VOTES {
                candidates.push(same[0].0);
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        let odds = |m: usize| {
            let alpha = self.kappa * kernel(of_memories.place(all[m])) + won[m];
            (alpha, lost[m] + self.epsilon)
        };
        let memory = best(candidates.into_iter().map(|m| {
            let (alpha, beta) = odds(m);
            (m, alpha.ln() - beta.ln())
        }));
        let (alpha, beta) = odds(memory);
        Ok(Choice { memory, probability: alpha / (alpha + beta) })
    }

    fn learn(&mut self, _: usize, memory: usize, success: bool) -> Result<()> {
        self.past.push((memory, f64::from(u8::from(success))));
        Ok(())
    }
}
