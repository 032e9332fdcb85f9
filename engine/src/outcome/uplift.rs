//! Uplift: what memory is worth, from recalls on which it was withheld at random (`hold_out.rs`).
//!
//! How often things go well when a memory is shown says little: it may be shown on easy requests only.
//! Here recalls are compared of which chance alone decided whether it was shown. Where the odds of that
//! differ between recalls (another share in force, another number of hits), each outcome counts with
//! the probability of the *other* case ("overlap weights"; Li, Morgan and Zaslavsky 2018, "Balancing
//! covariates via propensity score weighting", JASA 113): both sides then stand for the same requests,
//! and no weight exceeds 1. How many outcomes a side has is its effective number `(sum w)^2 / sum w^2`
//! (Kish 1965), which is their plain number where the odds never differ.

/// Outcomes below which a side says too little.
const FEWEST: f64 = 20.0;
/// The normal quantile of a two-sided 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// The outcome of a recall that was on trial.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial {
    /// Whether it went without.
    pub without: bool,
    /// How likely it was to go without, in `0..1`, before chance decided.
    pub chance_without: f64,
    /// In `0..=1`.
    pub outcome: f64,
}

/// Outcomes on one side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Rate {
    /// How many outcomes this rests on, one for each attempt; with a fraction where they count
    /// differently.
    pub outcomes: f64,
    /// How many of them are successes: a graded outcome counts as much as it says.
    pub successes: f64,
    /// Mean outcome, in `0..=1`; one half where there is none.
    pub mean: f64,
}

impl Rate {
    pub(crate) fn of(outcomes: f64, successes: f64) -> Self {
        let mean = if outcomes > 0.0 { successes / outcomes } else { 0.5 };
        Self { outcomes, successes, mean }
    }
}

/// What can be said of the worth of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Things go better with it: the whole interval lies above 0.
    Helps,
    /// Things go worse with it: the whole interval lies below 0.
    Harms,
    /// The interval holds 0.
    Unclear,
    /// There are fewer than 20 outcomes with it, or fewer than 20 without.
    InsufficientData,
}

impl Verdict {
    /// `"helps"`, `"harms"`, `"unclear"` or `"insufficient_data"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Helps => "helps",
            Verdict::Harms => "harms",
            Verdict::Unclear => "unclear",
            Verdict::InsufficientData => "insufficient_data",
        }
    }
}

/// What showing a memory, or those of a namespace, has changed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Uplift {
    /// How it went with it.
    pub with: Rate,
    /// How it went without it, on recalls where chance alone kept it back.
    pub without: Rate,
    /// `with.mean - without.mean`, in `-1..=1`.
    pub difference: f64,
    /// 95 % confidence interval of the difference, each end in `-1..=1`.
    pub interval: (f64, f64),
    /// What follows.
    pub verdict: Verdict,
}

/// Compares the outcomes of recalls that went with and without.
pub(crate) fn uplift(trials: impl IntoIterator<Item = Trial>) -> Uplift {
    let mut sides = [Side::default(); 2];
    for trial in trials {
        let weight = if trial.without { 1.0 - trial.chance_without } else { trial.chance_without };
        sides[usize::from(trial.without)].add(weight, trial.outcome);
    }
    let [with, without] = sides.map(Side::rate);
    let difference = with.mean - without.mean;
    let interval = interval(with, without);
    let verdict = if with.outcomes < FEWEST || without.outcomes < FEWEST {
        Verdict::InsufficientData
    } else if interval.0 > 0.0 {
        Verdict::Helps
    } else if interval.1 < 0.0 {
        Verdict::Harms
    } else {
        Verdict::Unclear
    };
    Uplift { with, without, difference, interval, verdict }
}

/// Weighted sums of the outcomes on one side.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    weight: f64,
    squares: f64,
    successes: f64,
}

impl Side {
    fn add(&mut self, weight: f64, outcome: f64) {
        self.weight += weight;
        self.squares += weight * weight;
        self.successes += weight * outcome;
    }

    fn rate(self) -> Rate {
        if self.squares <= 0.0 {
            return Rate::of(0.0, 0.0);
        }
        // Rounding must not make 20 outcomes 19.999.
        let outcomes = (1e6 * self.weight * self.weight / self.squares).round() / 1e6;
        Rate::of(outcomes, outcomes * self.successes / self.weight)
    }
}

/// Newcombe's hybrid score interval for the difference of two proportions (Newcombe 1998, "Interval
/// estimation for the difference between independent proportions", Statistics in Medicine 17, method
/// 10): the Wilson intervals of the two, joined. For graded outcomes, which vary less than successes
/// and failures with the same mean, it is wider than it need be.
fn interval(with: Rate, without: Rate) -> (f64, f64) {
    let (low, high) = wilson(with);
    let (low_without, high_without) = wilson(without);
    let difference = with.mean - without.mean;
    let below = (with.mean - low).hypot(high_without - without.mean);
    let above = (high - with.mean).hypot(without.mean - low_without);
    ((difference - below).max(-1.0), (difference + above).min(1.0))
}

/// Wilson's score interval (Wilson 1927); all of `0..=1` where there are no outcomes.
fn wilson(rate: Rate) -> (f64, f64) {
    let (n, p) = (rate.outcomes, rate.mean);
    let centre = 2.0 * n * p + Z * Z;
    let reach = Z * (Z * Z + 4.0 * n * p * (1.0 - p)).sqrt();
    let scale = 2.0 * (n + Z * Z);
    (((centre - reach) / scale).max(0.0), ((centre + reach) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::super::hold_out::{Fate, Shares};
    use super::*;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    fn trials(without: bool, successes: usize, outcomes: usize) -> impl Iterator<Item = Trial> {
        (0..outcomes).map(move |i| Trial {
            without,
            chance_without: 0.1,
            outcome: f64::from(u8::from(i < successes)),
        })
    }

    /// Newcombe 1998, table II, contrasts (a) 56/70 - 48/80, (c) 6/7 - 2/7 and (h) 10/10 - 0/10 by
    /// method 10.
    #[test]
    fn the_interval_is_the_published_one() {
        for ((a, m), (b, n), expected) in [
            ((56, 70), (48, 80), (0.0524, 0.3339)),
            ((6, 7), (2, 7), (0.0582, 0.8062)),
            ((10, 10), (0, 10), (0.6075, 1.0)),
        ] {
            let found = uplift(trials(false, a, m).chain(trials(true, b, n)));
            let (low, high) = found.interval;
            assert!((low - expected.0).abs() < 1e-4 && (high - expected.1).abs() < 1e-4, "{found:?}");
        }
    }

    #[test]
    fn verdicts_need_twenty_outcomes_on_both_sides() {
        let verdict = |a, m, b, n| uplift(trials(false, a, m).chain(trials(true, b, n))).verdict;
        assert_eq!(verdict(20, 20, 0, 19), Verdict::InsufficientData);
        assert_eq!(verdict(19, 19, 0, 20), Verdict::InsufficientData);
        assert_eq!(verdict(20, 20, 0, 20), Verdict::Helps);
        assert_eq!(verdict(0, 20, 20, 20), Verdict::Harms);
        assert_eq!(verdict(10, 20, 10, 20), Verdict::Unclear);
        let nothing = uplift([]);
        assert_eq!((nothing.verdict, nothing.difference), (Verdict::InsufficientData, 0.0));
        assert!(nothing.interval.0 < -0.5 && nothing.interval.1 > 0.5);
    }

    /// 95 % intervals hold the truth about 95 times in 100, also with unequal weights.
    #[test]
    fn the_interval_covers() {
        const RUNS: u64 = 2000;
        for (p, q) in [(0.5, 0.5), (0.9, 0.8), (0.3, 0.6)] {
            let mut held = 0;
            for seed in 0..RUNS {
                let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
                let trials: Vec<Trial> = (0..400)
                    .map(|i| {
                        let chance_without = if i % 2 == 0 { 0.3 } else { 0.1 };
                        let without = rng.random_bool(chance_without);
                        let outcome = f64::from(u8::from(rng.random_bool(if without { q } else { p })));
                        Trial { without, chance_without, outcome }
                    })
                    .collect();
                let (low, high) = uplift(trials).interval;
                held += u64::from(low <= p - q && p - q <= high);
            }
            let share = held as f64 / RUNS as f64;
            assert!((0.935..0.975).contains(&share), "{p} {q}: {share}");
        }
    }

    /// Easy requests ask for one hit under a share of a half, hard ones for ten under a tenth, and the
    /// memory changes nothing: unweighted, going without looks far better than it is.
    #[test]
    fn other_odds_on_other_requests_do_not_mislead() {
        let mut all = Vec::new();
        for seed in 0..60_000_u64 {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            let easy = rng.random_bool(0.5);
            let (shares, hits, p) = if easy { (Shares::of(0.5), 1, 0.9) } else { (Shares::of(0.1), 10, 0.2) };
            let without = match shares.draw(hits, seed) {
                Fate::Whole => false,
                Fate::LeftOut(0) => true,
                _ => continue,
            };
            let outcome = f64::from(u8::from(rng.random_bool(p)));
            all.push(Trial { without, chance_without: shares.chance_of_leaving_out(hits), outcome });
        }
        let plain = uplift(all.iter().map(|trial| Trial { chance_without: 0.5, ..*trial }));
        assert!(plain.difference < -0.3, "{plain:?}");
        let found = uplift(all);
        assert!(found.difference.abs() < 0.03 && found.verdict == Verdict::Unclear, "{found:?}");
    }
}
