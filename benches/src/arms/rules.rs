//! Rules that keep a few numbers per memory, whatever the situation.

use anyhow::Result;

use super::{Arm, Choice, best, largest, logit};
use crate::cosines::Cosines;

/// How many of the nearest memories a rule ranks anew.
const NEAREST: usize = 10;

/// A published rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Cosine alone; promises the success rate of the memory.
    Similarity,
    /// Cosine times success rate.
    TimesPosterior,
    /// Cosine plus the log odds of the success rate.
    PlusLogit,
    /// tempera.
    Tempera,
    /// `MemRL`.
    Memrl,
    /// `VelesDB`.
    Velesdb,
    /// `AgentDB`.
    Agentdb,
    /// Hindsight.
    Hindsight,
}

impl Rule {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Rule::Similarity => "similarity",
            Rule::TimesPosterior => "sim-x-posterior",
            Rule::PlusLogit => "sim+logit",
            Rule::Tempera => "tempera",
            Rule::Memrl => "memrl",
            Rule::Velesdb => "velesdb",
            Rule::Agentdb => "agentdb",
            Rule::Hindsight => "hindsight",
        }
    }

    pub(super) fn formula(self) -> &'static str {
        match self {
            Rule::Similarity => "similarity only",
            Rule::TimesPosterior => "similarity x memory-wide success rate",
            Rule::PlusLogit => "sim + 0.05 logit(memory-wide success rate)",
            Rule::Tempera => "0.3 sim + 0.7 Wilson bound",
            Rule::Memrl => "0.5 z(sim) + 0.5 z(Q), Q learning at rate 0.3",
            Rule::Velesdb => "(1 + sim) / 2 x (1/2 + confidence), confidence +0.1 / -0.05 in [0, 1]",
            Rule::Agentdb => "0.4 sim + 0.3 rate + 0.1 uses + 0.2 reward",
            Rule::Hindsight => "sim x (1 +- 5 % by success rate)",
        }
    }
}

/// What is known of one memory.
#[derive(Debug, Clone, Copy)]
struct Known {
    wins: f64,
    tries: f64,
    /// Value of the memory in -1..=1, learnt at rate 0.3.
    value: f64,
    /// Confidence that walks up 0.1 and down 0.05.
    confidence: f64,
}

/// A memory-wide rule at work.
#[derive(Debug)]
pub struct MemoryWide<'a> {
    rule: Rule,
    cosines: &'a Cosines,
    known: Vec<Known>,
    wins: f64,
    tries: f64,
}

impl<'a> MemoryWide<'a> {
    /// With nothing known yet.
    pub fn new(rule: Rule, memories: usize, cosines: &'a Cosines) -> Self {
        let known = Known { wins: 0.0, tries: 0.0, value: 0.5, confidence: 0.5 };
        Self { rule, cosines, known: vec![known; memories], wins: 1.0, tries: 1.0 }
    }

    /// Mean of a Beta posterior that starts with four tries at the overall rate.
    fn posterior(&self, known: &Known) -> f64 {
        (known.wins + 4.0 * self.wins / (self.tries + 1.0)) / (known.tries + 4.0)
    }

    /// Score and promise of a memory.
    fn judge(&self, similarity: f64, known: &Known, z: (f64, f64)) -> (f64, f64) {
        let rate = self.posterior(known);
        match self.rule {
            Rule::Similarity => (similarity, rate),
            Rule::TimesPosterior => (similarity * rate, rate),
            Rule::PlusLogit => (similarity + 0.05 * logit(rate), rate),
            Rule::Tempera => {
                let bound = wilson(known.wins, known.tries);
                (0.3 * similarity + 0.7 * bound, bound)
            }
            Rule::Memrl => (0.5 * z.0 + 0.5 * z.1, f64::midpoint(known.value, 1.0)),
            Rule::Velesdb => (f64::midpoint(similarity, 1.0) * (0.5 + known.confidence), known.confidence),
            Rule::Agentdb => {
                // Rate and reward are the same number here: 0.3 + 0.2.
                let seen = if known.tries > 0.0 { known.wins / known.tries } else { 1.0 };
                (0.4 * similarity + 0.5 * seen + 0.1 * (known.tries / 1000.0).min(1.0), rate)
            }
            Rule::Hindsight => (similarity * (1.0 + 0.05 * (2.0 * rate - 1.0)), rate),
        }
    }
}

impl Arm for MemoryWide<'_> {
    fn choose(&mut self, event: usize) -> Result<Choice> {
        let all = self.cosines.to_memories(event);
        let near = largest(all, NEAREST);
        let similarities: Vec<f64> = near.iter().map(|row| f64::from(all[*row])).collect();
        let values: Vec<f64> = near.iter().map(|row| self.known[*row].value).collect();
        let (z_similarity, z_value) = (standard(&similarities), standard(&values));
        let judge =
            |i: usize| self.judge(similarities[i], &self.known[near[i]], (z_similarity[i], z_value[i]));
        let chosen = best((0..near.len()).map(|i| (i, judge(i).0)));
        Ok(Choice { memory: near[chosen], probability: judge(chosen).1 })
    }

    fn learn(&mut self, _: usize, memory: usize, success: bool) -> Result<()> {
        let (win, reward, step) = if success { (1.0, 1.0, 0.1) } else { (0.0, -1.0, -0.05) };
        let known = &mut self.known[memory];
        known.wins += win;
        known.tries += 1.0;
        known.value += 0.3 * (reward - known.value);
        known.confidence = (known.confidence + step).clamp(0.0, 1.0);
        self.wins += win;
        self.tries += 1.0;
        Ok(())
    }
}

/// In standard deviations from the mean, cut off at three.
fn standard(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    values.iter().map(|v| ((v - mean) / (spread + 1e-9)).clamp(-3.0, 3.0)).collect()
}

/// Lower end of the 95 % interval of a rate by Wilson (1927); 0.5 where nothing was tried.
fn wilson(wins: f64, tries: f64) -> f64 {
    if tries == 0.0 {
        return 0.5;
    }
    let (z2, rate) = (1.96_f64.powi(2), wins / tries);
    let spread = 1.96 * (rate * (1.0 - rate) / tries + z2 / (4.0 * tries * tries)).sqrt();
    (rate + z2 / (2.0 * tries) - spread) / (1.0 + z2 / tries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_is_the_known_bound() {
        assert!((wilson(8.0, 10.0) - 0.4902).abs() < 1e-4, "{}", wilson(8.0, 10.0));
        assert!((wilson(0.0, 0.0) - 0.5).abs() < 1e-12);
        assert!(wilson(0.0, 5.0).abs() < 1e-12);
    }

    #[test]
    fn standard_scores_have_mean_zero_and_an_end() {
        let z = standard(&[1.0, 2.0, 3.0]);
        assert!(z.iter().sum::<f64>().abs() < 1e-9 && (z[2] - 1.5_f64.sqrt()).abs() < 1e-6);
        assert!(standard(&[0.5; 4]).iter().all(|v| v.abs() < 1e-12));
    }
}
