//! When a memory is taken out of recall, and when it comes back.
//!
//! ```text
//! active -> quarantined -> probation -> active | retired
//! ```
//!
//! With `S` and `F` the weights of the successes and failures of a memory, its success rate `p` has
//! the posterior `Beta(m n + S, (1 - m) n + F)`. It is quarantined when `P(p < floor) > tail` and
//! there is no situation in which it works: none around which its evidence, weighted by the kernel
//! of the ranking, is enough and on the whole good. A severe failure quarantines at once. So many
//! outcomes after its probation began, those alone decide whether it comes back, and none does whose
//! share of successes lies below the floor. Pinned memories are exempt from all of it.

use statrs::distribution::{Beta, ContinuousCDF};

use rand::RngExt;

use super::chance::{Purpose, stream};
use super::evidence::Weights;
use super::posterior::BANDWIDTH;

/// How a memory stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandingState {
    /// It can be a hit.
    Active,
    /// It failed too often, or severely: no hit, but it may be tried again.
    Quarantined,
    /// It is being tried: its next outcomes decide.
    Probation,
    /// It was tried again in vain, or the owner took it out of use.
    Retired,
}

impl StandingState {
    /// `"active"`, `"quarantined"`, `"probation"` or `"retired"`.
    pub fn as_str(self) -> &'static str {
        match self {
            StandingState::Active => "active",
            StandingState::Quarantined => "quarantined",
            StandingState::Probation => "probation",
            StandingState::Retired => "retired",
        }
    }

    /// Whether it is kept from the hits, but for the slot of a memory on probation.
    pub(crate) fn is_barred(self) -> bool {
        self != StandingState::Active
    }

    /// Whether it may get that slot.
    pub(crate) fn may_be_tried(self) -> bool {
        matches!(self, StandingState::Quarantined | StandingState::Probation)
    }
}

/// The numbers of the rule; ranges as in `Policy`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rule {
    pub floor: f64,
    pub tail: f64,
    pub prior_mean: f64,
    pub prior_weight: f64,
    pub local_evidence: f64,
    pub local_mean: f64,
    pub probation_outcomes: u32,
    pub release_below: f64,
}

/// Who has evidence on a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Witnesses {
    /// Whether the owner of the store has.
    pub owner: bool,
    /// How many registered principals have.
    pub others: usize,
}

impl Witnesses {
    /// Whether they are enough to quarantine: the owner, or two registered principals.
    pub(crate) fn suffice(self) -> bool {
        self.owner || self.others >= 2
    }
}

impl Rule {
    /// Probability that the success rate lies below the floor, by evidence of these weights.
    pub(crate) fn doubt(&self, successes: f64, failures: f64) -> f64 {
        let alpha = self.prior_mean * self.prior_weight + successes.max(0.0);
        let beta = (1.0 - self.prior_mean) * self.prior_weight + failures.max(0.0);
        // Regularised incomplete beta function.
        Beta::new(alpha, beta).map_or(0.0, |posterior| posterior.cdf(self.floor))
    }

    /// Whether evidence of these weights is enough to suspect the memory as a whole.
    pub(crate) fn suspects(&self, successes: f64, failures: f64) -> bool {
        if crate::sabotage::on("quarantine_off") {
            return false;
        }
        let alpha = self.prior_mean * self.prior_weight + successes;
        let mean = alpha / (self.prior_weight + successes + failures).max(f64::MIN_POSITIVE);
        let cannot = alpha >= 1.0 && self.tail >= MOST_BELOW_MEAN && mean >= self.floor;
        !cannot && self.doubt(successes, failures) > self.tail
    }

    /// Whether it may work in some situation at all: there is no need to look for one if all its successes
    /// together would not be enough.
    pub(crate) fn may_work_somewhere(&self, successes: f64) -> bool {
        successes >= self.local_evidence * self.local_mean
    }

    /// Whether the memory works in a situation. `near`: its evidence in all its situations, each with how
    /// many spreads of the background it lies nearer to this one than the nearest other point (0 or less).
    pub(crate) fn works(&self, near: impl Iterator<Item = (f64, Weights)>) -> bool {
        let (mut successes, mut failures) = (0.0, 0.0);
        for (place, weights) in near {
            let kernel = likeness(place);
            successes += kernel * weights.successes;
            failures += kernel * weights.failures;
        }
        let evidence = successes + failures;
        evidence >= self.local_evidence && evidence > 0.0 && successes >= self.local_mean * evidence
    }

    /// Where a memory on probation goes after outcomes of these weights; `None`: it stays.
    pub(crate) fn after_probation(
        &self,
        outcomes: u64,
        successes: f64,
        failures: f64,
    ) -> Option<StandingState> {
        if outcomes < u64::from(self.probation_outcomes) {
            return None;
        }
        // With little weight the prior would decide: it shall not let back in what has failed.
        let works = successes >= self.floor * (successes + failures);
        Some(if works && self.doubt(successes, failures) < self.release_below {
            StandingState::Active
        } else {
            StandingState::Retired
        })
    }
}

/// How much evidence counts in a situation that lies by so many spreads of the background farther (0 or
/// less) than the situation itself: the kernel of the ranking, 1 for the situation itself.
pub(crate) fn likeness(place: f64) -> f64 {
    (place.min(0.0) / BANDWIDTH).exp()
}

/// Largest share of the recalls that may try quarantined memories: a trial is known by its propensity, which has to lie
/// below 1, and what is shown each time has no such propensity.
pub(crate) const MOST_TRIED: f64 = 0.99;

/// A number in `0..1` by which a recall with this seed tries quarantined memories: where it is below the
/// share of the policy.
pub(crate) fn trial_lot(seed: u64) -> f64 {
    stream(seed, Purpose::Probation).random()
}

/// No Beta distribution with alpha at least 1 has more of its mass below its mean: the worst is the
/// exponential one that it comes near to, with 1 - 1/e.
const MOST_BELOW_MEAN: f64 = 0.64;

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        Rule {
            floor: 0.4,
            tail: 0.95,
            prior_mean: 0.6,
            prior_weight: 4.0,
            local_evidence: 3.0,
            local_mean: 0.5,
            probation_outcomes: 10,
            release_below: 0.5,
        }
    }

    /// The integral by the midpoint rule, as the measurement behind the numbers takes it.
    fn by_hand(alpha: f64, beta: f64, floor: f64) -> f64 {
        let n = 200_000;
        let density = |i: i32| {
            let x = (f64::from(i) + 0.5) / f64::from(n);
            ((alpha - 1.0) * x.ln() + (beta - 1.0) * (1.0 - x).ln()).exp()
        };
        let below = (0..n).filter(|i| (f64::from(*i) + 0.5) / f64::from(n) < floor).map(density).sum::<f64>();
        below / (0..n).map(density).sum::<f64>()
    }

    #[test]
    fn doubt_is_the_tail_of_the_posterior() {
        for (s, f) in [(0.0, 0.0), (0.0, 4.0), (3.0, 12.0), (20.5, 80.25), (70.0, 30.0)] {
            let (ours, theirs) = (rule().doubt(s, f), by_hand(2.4 + s, 1.6 + f, 0.4));
            assert!((ours - theirs).abs() < 1e-5, "{s} {f}: {ours} {theirs}");
        }
    }

    #[test]
    fn nine_failures_alone_are_suspect() {
        assert!(!rule().suspects(0.0, 8.0) && by_hand(2.4, 9.6, 0.4) < 0.95);
        assert!(rule().suspects(0.0, 9.0) && by_hand(2.4, 10.6, 0.4) > 0.95);
        assert!(!rule().suspects(1e6, 1e6));
        assert!(rule().suspects(1e5, 9e5));
    }

    #[test]
    fn the_short_cut_never_decides_otherwise() {
        for s in 0..60 {
            for f in 0..60 {
                let (s, f) = (f64::from(s), f64::from(f));
                assert_eq!(rule().suspects(s, f), rule().doubt(s, f) > 0.95, "{s} {f}");
            }
        }
    }

    #[test]
    fn ten_failures_of_little_weight_let_nothing_back_in() {
        for weight in [0.01, 0.1, 1.0] {
            assert_eq!(rule().after_probation(9, 0.0, 9.0 * weight), None);
            assert_eq!(rule().after_probation(10, 0.0, 10.0 * weight), Some(StandingState::Retired));
            assert_eq!(rule().after_probation(10, 10.0 * weight, 0.0), Some(StandingState::Active));
        }
    }

    fn sums(successes: u32, failures: u32) -> Weights {
        Weights { successes: successes.into(), failures: failures.into(), ..Weights::default() }
    }

    #[test]
    fn a_situation_speaks_for_a_memory_with_enough_evidence_near_it() {
        let works = |near: &[(f64, Weights)]| rule().works(near.iter().copied());
        assert!(works(&[(0.0, sums(3, 0))]));
        assert!(!works(&[(0.0, sums(2, 0))]), "not enough");
        assert!(works(&[(0.0, sums(2, 0)), (-0.1, sums(2, 0))]), "neighbours count");
        assert!(!works(&[(0.0, sums(2, 0)), (-2.0, sums(50, 0))]), "far ones do not");
        assert!(works(&[(0.0, sums(3, 0)), (-5.0, sums(0, 500))]), "nor do far failures");
        assert!(!works(&[(0.0, sums(3, 4))]), "on the whole bad");
        assert!(!works(&[]));
    }

    #[test]
    fn a_probation_ends_by_its_own_outcomes() {
        assert_eq!(rule().after_probation(9, 9.0, 0.0), None);
        assert_eq!(rule().after_probation(10, 6.0, 4.0), Some(StandingState::Active));
        assert_eq!(rule().after_probation(10, 1.0, 9.0), Some(StandingState::Retired));
    }

    #[test]
    fn one_stranger_is_not_enough() {
        assert!(Witnesses { owner: true, others: 0 }.suffice());
        assert!(Witnesses { owner: false, others: 2 }.suffice());
        assert!(!Witnesses { owner: false, others: 1 }.suffice());
    }
}
