//! Arms of a replay: ways to choose a memory at each event, told afterwards how the choice went.
//!
//! Those named after a system re-state its published rule as a formula; they search exactly and in
//! memory. [`Wisen`] goes through the public API to a store on disk.

mod experience;
mod grow;
mod local;
mod rules;
mod wisen;

use std::path::Path;

use ::wisen::Options;
use anyhow::{Result, bail};

pub use self::experience::Experience;
pub use self::grow::Grow;
pub use self::local::Contextual;
pub use self::rules::{MemoryWide, Rule};
pub use self::wisen::Wisen;

use crate::cosines::Cosines;
use crate::data::Stream;
use crate::measure::Trace;

/// What an arm takes at an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The memory, by its row in the stream.
    pub memory: usize,
    /// The probability of success it promises; NaN where the rule has none.
    pub probability: f64,
}

/// A way to choose. At event `t` it knows the verdicts of earlier events on its own choices, no more.
pub trait Arm {
    /// What it takes at event `event`.
    fn choose(&mut self, event: usize) -> Result<Choice>;
    /// Tells it how its choice at this event went.
    fn learn(&mut self, event: usize, memory: usize, success: bool) -> Result<()>;
    /// Ends the run.
    fn finish(self: Box<Self>) -> Result<String> {
        Ok(String::new())
    }
}

/// Which arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A rule that keeps a few numbers per memory.
    Rule(Rule),
    /// Success rate near the query, added to the similarity.
    Contextual,
    /// Similarity, and every success stores its query as a memory.
    Grow,
    /// Experience points, exact search: the reference.
    Experience,
    /// Experience points under one absolute kernel.
    Absolute,
    /// Wisen as it is.
    Wisen,
}

impl Kind {
    /// Every arm; similarity first, Wisen last.
    pub const ALL: [Kind; 13] = [
        Kind::Rule(Rule::Similarity),
        Kind::Rule(Rule::TimesPosterior),
        Kind::Rule(Rule::PlusLogit),
        Kind::Rule(Rule::Tempera),
        Kind::Rule(Rule::Memrl),
        Kind::Rule(Rule::Velesdb),
        Kind::Rule(Rule::Agentdb),
        Kind::Rule(Rule::Hindsight),
        Kind::Contextual,
        Kind::Grow,
        Kind::Absolute,
        Kind::Experience,
        Kind::Wisen,
    ];

    /// Name in tables and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Rule(rule) => rule.as_str(),
            Kind::Contextual => "contextual",
            Kind::Grow => "grow",
            Kind::Absolute => "absolute",
            Kind::Experience => "experience",
            Kind::Wisen => "wisen",
        }
    }

    /// The formula, in words.
    pub fn formula(self) -> &'static str {
        match self {
            Kind::Rule(rule) => rule.formula(),
            Kind::Contextual => "sim + 0.2 logit(success rate near the query), nearest 10",
            Kind::Grow => "similarity; every success stores the query as a new memory",
            Kind::Absolute => "experience points under one absolute kernel, tau 0.05",
            Kind::Experience => "experience points, exact search (the reference)",
            Kind::Wisen => "Wisen: store on disk, public API, default settings",
        }
    }

    /// The inverse of [`Kind::as_str`].
    pub fn parse(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        if let Some(kind) = known {
            return Ok(kind);
        }
        let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
        bail!("there is no arm {text}; all, or some of {} are meant", names.join(", "))
    }

    /// Whether it asks for [`Cosines`].
    pub fn is_exact(self) -> bool {
        self != Kind::Wisen
    }

    /// The arm at its start. `store` is where Wisen creates its store.
    pub fn start<'a>(
        self,
        stream: &'a Stream,
        cosines: &'a Cosines,
        store: &Path,
        options: &Options,
    ) -> Result<Box<dyn Arm + 'a>> {
        let n = stream.memories.len();
        Ok(match self {
            Kind::Rule(rule) => Box::new(MemoryWide::new(rule, n, cosines)),
            Kind::Contextual => Box::new(Contextual::new(n, cosines)),
            Kind::Grow => Box::new(Grow::new(n, cosines)),
            Kind::Absolute => Box::new(Experience::absolute(n, cosines, 0.05)),
            Kind::Experience => Box::new(Experience::new(n, cosines)),
            Kind::Wisen => Box::new(Wisen::create(store, options.clone(), stream)?),
        })
    }
}

/// The verdicts an arm is told: the truth, or for a share of the events a coin in its place. An event
/// has the same coin for every arm.
#[derive(Debug, Clone)]
pub struct Verdicts(Vec<Option<bool>>);

impl Verdicts {
    /// The truth, about `events` events.
    pub fn true_ones(events: usize) -> Self {
        Self(vec![None; events])
    }

    /// With a fair coin in place of the truth at a share of the events.
    pub fn noisy(events: usize, share: f64, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut draw = || {
            let (replaced, coin) = (rng.f64() < share, rng.bool());
            replaced.then_some(coin)
        };
        Self((0..events).map(|_| draw()).collect())
    }

    /// What is said about event `event`, where `right` is the truth.
    pub fn of(&self, event: usize, right: bool) -> bool {
        self.0[event].unwrap_or(right)
    }
}

/// Walks an arm through the first `events` events. The trace holds what was truly right; with it come
/// the memories that were chosen.
pub fn walk(
    arm: &mut dyn Arm,
    stream: &Stream,
    events: usize,
    verdicts: &Verdicts,
) -> Result<(Trace, Vec<usize>)> {
    let (mut trace, mut picks) = (Trace::default(), Vec::new());
    for event in 0..events {
        let choice = arm.choose(event)?;
        let right = stream.is_right(choice.memory, event);
        trace.push(right, choice.probability);
        picks.push(choice.memory);
        arm.learn(event, choice.memory, verdicts.of(event, right))?;
    }
    Ok((trace, picks))
}

/// The `k` largest, in no order (all, if there are fewer).
fn largest(values: &[f32], k: usize) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..values.len()).collect();
    if k < rows.len() {
        rows.select_nth_unstable_by(k, |a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
        rows.truncate(k);
    }
    rows
}

/// The row with the highest score; the first of equals.
fn best(scores: impl IntoIterator<Item = (usize, f64)>) -> usize {
    let mut best = (usize::MAX, f64::NEG_INFINITY);
    for (row, score) in scores {
        if best.0 == usize::MAX || score > best.1 {
            best = (row, score);
        }
    }
    best.0
}

/// Log odds, away from 0 and 1.
fn logit(p: f64) -> f64 {
    let p = p.clamp(0.01, 0.99);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_takes_the_largest() {
        let mut rows = largest(&[0.1, 0.9, 0.3, 0.8], 2);
        rows.sort_unstable();
        assert_eq!(rows, [1, 3]);
        assert_eq!(largest(&[0.1, 0.9], 10).len(), 2);
        assert_eq!(best([(4, 0.5), (2, 0.7), (9, 0.7)]), 2);
    }

    #[test]
    fn a_share_of_the_verdicts_is_a_coin() {
        let verdicts = Verdicts::noisy(20_000, 0.3, 1);
        let wrong = (0..20_000).filter(|event| !verdicts.of(*event, true)).count();
        assert!((2_800..3_200).contains(&wrong), "{wrong}");
        assert!((0..9).all(|event| Verdicts::true_ones(9).of(event, true)));
    }

    #[test]
    fn every_arm_has_a_name_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()).expect("its own name"), kind);
        }
        assert!(Kind::parse("nobody").is_err());
    }
}
