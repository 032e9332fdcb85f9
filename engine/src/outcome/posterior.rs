//! The posterior of a memory for a query: experiences as points.
//!
//! With `u` the place of a point against the background of its kind, and `top` the best place of
//! all points considered:
//!
//! ```text
//! K(x)  = exp((u(x) - top) / BANDWIDTH)
//! alpha = KAPPA * K(memory) + sum of  weight * K(situation) * outcome
//! beta  = EPSILON           + sum of  weight * K(situation) * (1 - outcome)
//! score = ln alpha - ln beta
//! ```
//!
//! Where more situations are near than a recall considers, the kernel of all of them is lowered by
//! three quarters of that of the farthest (and scaled to leave that of the best point as it is), so that a point
//! counts little when it comes into sight and the evidence is smoother in the query.
//!
//! The memory's own vector is one pseudo-success at its own place; `EPSILON` is the sceptic. The
//! score is relative to `top`, so it orders the hits of one recall and is no probability. The
//! probability shown to users is a second step: the mean of a Beta distribution with these alpha and
//! beta, and with the success rate of the memory in all situations as a weak witness, faded by how far even
//! the best point lies from the query, over a weak prior at the success rate of the namespace. Where nothing
//! fits, the prior is all that is left. `calibration.rs` then holds that mean to what came of earlier promises.

use statrs::distribution::{Beta, ContinuousCDF, Normal};

use super::background::Background;
use super::calibration::{Calibrator, Features, logit};
use super::evidence::Weights;

/// Nearest points of either kind that a recall considers.
pub(crate) const NEIGHBOURS: usize = 64;
/// Points of experience below which their background is that of the memories.
pub(crate) const MIN_EXPERIENCES: usize = 64;

/// Width of the kernel, in spreads of the background. 0.4 to 0.6 differ by under a point.
pub(super) const BANDWIDTH: f64 = 0.45;
/// Weight of the pseudo-success at the memory's own place.
const KAPPA: f64 = 1.5;
/// Weight of the pseudo-failure that every memory carries.
const EPSILON: f64 = 0.3;
/// How fast all evidence fades with the distance of the best point from the query, in spreads.
const REACH: f64 = 4.0;
/// From so much evidence on, a Beta distribution is taken as a normal one: the two agree to four
/// digits, and inverting the former becomes slow.
const NEARLY_NORMAL: f64 = 1e5;
/// Share of the kernel of the farthest situation by which all kernels are lowered. Not the whole, so
/// that a crowd at one place does not cancel itself.
const SUNK: f64 = 0.75;
/// Pseudo-reports of the prior of the probability.
const PRIOR: f64 = 0.25;
/// Pseudo-reports that all reports on a memory, wherever they were made, are worth anywhere, at most: as
/// much as its own words.
const RECORD: f64 = KAPPA + EPSILON;

/// A situation met before, in which the memory was used.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Precedent {
    /// Similarity of that situation to this one (cosine, or minus the squared distance under L2).
    pub similarity: f32,
    /// Mean outcome of the reports made there, in `0..=1`.
    pub outcome: f64,
    /// How many reports were made there.
    pub reports: u64,
}

/// What experience says of a memory in situations like the present one.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    /// Weight of the memory's own fit to the query: one pseudo-success at its own place.
    pub own_fit: f64,
    /// Weight of successes in situations like this one.
    pub successes: f64,
    /// Weight of failures in situations like this one.
    pub failures: f64,
    /// Reports behind these two sums.
    pub reports: u64,
    /// Whether the memory was found through situations in which it worked, not through its own words.
    pub nominated: bool,
    /// The nearest situation in which it mostly worked.
    pub supporting: Option<Precedent>,
    /// The nearest situation in which it mostly failed.
    pub contradicting: Option<Precedent>,
    /// Probability of success.
    mean: f64,
    /// Pseudo-reports behind it.
    strength: f64,
}

impl Evidence {
    /// Probability that using the memory here succeeds: mean of the posterior, held to how earlier
    /// promises came true; in `0..=1`.
    pub fn probability(&self) -> f64 {
        self.mean
    }

    /// Parameters alpha and beta of the posterior of that probability, a Beta distribution.
    pub(crate) fn posterior(&self) -> (f64, f64) {
        (self.mean * self.strength, (1.0 - self.mean) * self.strength)
    }

    /// Central credible interval of the probability that holds this share of the posterior
    /// (`mass` in `0..1`; outside, it is taken as 0.9).
    pub fn interval(&self, mass: f64) -> (f64, f64) {
        let tail = if mass > 0.0 && mass < 1.0 { (1.0 - mass) / 2.0 } else { 0.05 };
        let (a, b) = self.posterior();
        if a + b > NEARLY_NORMAL {
            let mean = self.probability();
            let deviation = (mean * (1.0 - mean) / (a + b + 1.0)).sqrt();
            let reach = Normal::standard().inverse_cdf(1.0 - tail) * deviation;
            return ((mean - reach).max(0.0), (mean + reach).min(1.0));
        }
        match Beta::new(a, b) {
            Ok(beta) => (beta.inverse_cdf(tail), beta.inverse_cdf(1.0 - tail)),
            Err(_) => (0.0, 1.0),
        }
    }
}

/// A memory judged: what it is ranked by, and what is behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged {
    pub ln_alpha: f64,
    pub ln_beta: f64,
    pub evidence: Evidence,
}

impl Judged {
    /// What hits are ranked by.
    pub(crate) fn score(&self) -> f64 {
        self.ln_alpha - self.ln_beta
    }
}

/// Judges the memories of one recall.
pub(crate) struct Judge {
    /// Background of the memories.
    pub memories: Background,
    /// Background of the experiences.
    pub experiences: Background,
    /// Best place of all points considered.
    pub top: f64,
    /// Place of a situation identical to the query.
    pub identical: f64,
    /// Place of the farthest situation considered, if there may be others beyond.
    pub horizon: Option<f64>,
    /// Evidence of the namespaces searched, in all.
    pub overall: (f64, f64),
}

impl Judge {
    /// Judges a memory with this similarity to the query, used before in these situations
    /// (similarity and weights, nearest first).
    pub(crate) fn judge(&self, similarity: f32, nominated: bool, past: &[(f32, Weights)]) -> Judged {
        let own = KAPPA.ln() + (self.memories.place(similarity) - self.top) / BANDWIDTH;
        let (mut ln_alpha, mut ln_beta) = (own, EPSILON.ln());
        let mut evidence = Evidence {
            own_fit: own.exp(),
            successes: 0.0,
            failures: 0.0,
            reports: 0,
            nominated,
            supporting: None,
            contradicting: None,
            mean: 0.0,
            strength: 0.0,
        };
        for &(similarity, weights) in past {
            let ln_kernel = self.ln_kernel(similarity);
            let (success, failure) = (weights.successes, weights.failures);
            ln_alpha = ln_add(ln_alpha, ln_kernel + success.ln());
            ln_beta = ln_add(ln_beta, ln_kernel + failure.ln());
            evidence.successes += ln_kernel.exp() * success;
            evidence.failures += ln_kernel.exp() * failure;
            evidence.reports += weights.reports as u64;
            let slot =
                if success >= failure { &mut evidence.supporting } else { &mut evidence.contradicting };
            slot.get_or_insert(Precedent {
                similarity,
                outcome: success / (success + failure).max(f64::MIN_POSITIVE),
                reports: weights.reports as u64,
            });
        }
        Judged { ln_alpha, ln_beta, evidence }
    }

    /// The probability of success, given what all reports on the memory sum up to, wherever they were made.
    pub(crate) fn promise(&self, judged: &mut Judged, record: Weights) {
        let (wins, losses) = self.overall;
        let prior = (wins + 1.0) / (wins + losses + 2.0);
        let share = RECORD / (record.successes + record.failures + 1.0);
        let evidence = &mut judged.evidence;
        let near = (self.nearness() / REACH).exp();
        let alpha = PRIOR * prior + near * (evidence.own_fit + evidence.successes + share * record.successes);
        let beta = PRIOR * (1.0 - prior) + near * (EPSILON + evidence.failures + share * record.failures);
        evidence.strength = alpha + beta;
        evidence.mean = alpha / evidence.strength;
    }

    /// What the promise for a memory is made of; `ln_total` is the logarithm of the sum of the
    /// alphas of all memories judged.
    pub(crate) fn features(&self, judged: &Judged, ln_total: f64) -> Features {
        [
            logit(judged.evidence.mean),
            judged.ln_alpha,
            judged.ln_beta,
            self.top,
            self.nearness(),
            judged.ln_alpha - ln_total,
        ]
        .map(|x| x as f32)
    }

    /// The logarithm of the kernel at a situation with this similarity to the query.
    fn ln_kernel(&self, similarity: f32) -> f64 {
        let ln_kernel = (self.experiences.place(similarity) - self.top) / BANDWIDTH;
        let Some(horizon) = self.horizon else {
            return ln_kernel;
        };
        let floor = SUNK * ((horizon - self.top) / BANDWIDTH).exp();
        // The kernel is at least twice the floor, so that the difference keeps its digits.
        ln_kernel + (-floor / ln_kernel.exp().max(f64::MIN_POSITIVE)).max(-SUNK).ln_1p() - (-floor).ln_1p()
    }

    /// How far the best point lies below the place of an identical situation, in spreads; at most 0.
    fn nearness(&self) -> f64 {
        (self.top - self.identical).min(0.0)
    }
}

impl Evidence {
    /// Holds the probability to how earlier promises came true.
    pub(crate) fn calibrate(&mut self, calibrator: &Calibrator, features: &Features) {
        if calibrator.examples > 0 && !crate::sabotage::on("uncalibrated") {
            self.mean = calibrator.probability(features);
        }
    }
}

/// `ln(exp(a) + exp(b))` without overflow; `b` may be minus infinity and then changes nothing.
pub(crate) fn ln_add(a: f64, b: f64) -> f64 {
    if b == f64::NEG_INFINITY {
        return a;
    }
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    high + (low - high).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::super::evidence::{Credit, Sums};
    use super::*;

    fn judge() -> Judge {
        let background = Background::of(&mut [0.0, 0.1, 0.2, 0.3, 0.4]);
        let top = background.place(0.8);
        Judge {
            memories: background,
            experiences: background,
            top,
            identical: background.place(1.0),
            horizon: None,
            overall: (0.0, 0.0),
        }
    }

    fn reports(successes: u32, failures: u32) -> Weights {
        let mut sums = Sums::default();
        (0..successes).for_each(|_| sums.add(Sums::of(Credit::share(1, 1), 1.0)));
        (0..failures).for_each(|_| sums.add(Sums::of(Credit::share(1, 1), 0.0)));
        sums.into()
    }

    fn promise(judge: &Judge, past: &[(f32, Weights)], record: Weights) -> Evidence {
        let mut judged = judge.judge(0.8, false, past);
        judge.promise(&mut judged, record);
        judged.evidence
    }

    #[test]
    fn the_score_is_the_formula() {
        let j = judge();
        let k = |x: f32| ((j.memories.place(x) - j.top) / 0.45).exp();
        let judged = j.judge(0.6, false, &[(0.8, reports(2, 1)), (0.5, reports(0, 3))]);
        let (score, evidence) = (judged.score(), judged.evidence);
        let alpha = 1.5 * k(0.6) + 2.0 * k(0.8);
        let beta = 0.3 + k(0.8) + 3.0 * k(0.5);
        assert!((score - (alpha.ln() - beta.ln())).abs() < 1e-9);
        assert!((evidence.successes - 2.0 * k(0.8)).abs() < 1e-9);
        assert_eq!(evidence.reports, 6);
        assert!(evidence.supporting.is_some_and(|p| (p.similarity - 0.8).abs() < 1e-9));
        assert!(evidence.contradicting.is_some_and(|p| (p.similarity - 0.5).abs() < 1e-9));
    }

    #[test]
    fn without_reports_the_score_rises_with_similarity() {
        let j = judge();
        let mut last = f64::NEG_INFINITY;
        for i in 0..2000_u16 {
            let score = j.judge(-1.0 + f32::from(i) / 1000.0, false, &[]).score();
            assert!(score >= last);
            last = score;
        }
    }

    #[test]
    fn near_evidence_moves_the_probability_and_narrows_its_interval() {
        let j = judge();
        let promised = |past: &[(f32, Weights)]| promise(&j, past, Weights::default());
        let none = promised(&[]);
        let bad = promised(&[(0.8, reports(1, 9))]);
        let good = promised(&[(0.8, reports(9, 1))]);
        let better = promised(&[(0.8, reports(90, 10))]);
        assert!(bad.probability() < 0.35 && bad.probability() < none.probability());
        assert!(good.probability() > 0.8 && (better.probability() - 0.9).abs() < 0.02);
        let width = |e: &Evidence| e.interval(0.9).1 - e.interval(0.9).0;
        assert!(width(&none) > width(&good) && width(&good) > 2.0 * width(&better));
        let (low, high) = better.interval(0.9);
        assert!(low < better.probability() && better.probability() < high);
    }

    #[test]
    fn where_nothing_is_near_the_prior_is_left() {
        let mut j = judge();
        j.overall = (10.0, 90.0);
        j.identical = j.top + 40.0;
        let lonely = promise(&j, &[(0.8, reports(9, 0))], reports(90, 0));
        assert!((lonely.probability() - 11.0 / 102.0).abs() < 0.01);
    }

    #[test]
    fn a_record_elsewhere_weighs_as_much_as_the_words() {
        let mut j = judge();
        (j.overall, j.identical) = ((50.0, 50.0), j.top);
        let with = |record| promise(&j, &[], record).probability();
        let none = with(Weights::default());
        assert!(with(reports(0, 1)) < none && with(reports(0, 100)) < with(reports(0, 1)));
        assert!(with(reports(100, 0)) > none);
        // Own words 1.5 to 0.3, record 0 to 1.8, prior 0.125 to 0.125.
        assert!((with(reports(0, 1_000_000)) - 1.625 / 3.85).abs() < 1e-3);
        let near = promise(&j, &[(0.8, reports(900, 100))], reports(900, 100_000));
        assert!((near.probability() - 0.9).abs() < 0.01, "what is near outweighs it");
    }

    #[test]
    fn kernels_are_lowered_by_part_of_that_of_the_farthest() {
        let mut j = judge();
        let k = |x: f32| ((j.memories.place(x) - j.top) / 0.45).exp();
        j.horizon = Some(j.memories.place(0.5));
        let successes = |x: f32| j.judge(0.0, false, &[(x, reports(1, 0))]).evidence.successes;
        let lowered = |x: f32| (k(x) - 0.75 * k(0.5)) / (1.0 - 0.75 * k(0.5));
        for x in [0.5, 0.6, 0.8] {
            assert!((successes(x) - lowered(x)).abs() < 1e-9);
        }
        assert!((successes(0.8) - 1.0).abs() < 1e-9);
        j.horizon = Some(j.top);
        let crowd = j.judge(0.0, false, &[(0.8, reports(64, 0))]).evidence.successes;
        assert!((crowd - 64.0).abs() < 1e-9, "a crowd at one place counts as it is");
    }

    #[test]
    fn far_success_does_not_buy_off_irrelevance() {
        let j = judge();
        let near = j.judge(0.8, false, &[]).score();
        let proven_elsewhere = j.judge(0.3, false, &[(0.2, reports(1000, 0))]).score();
        assert!(near > proven_elsewhere);
    }
}
