//! How evidence fades with time: by half-lives, in whole days (UTC), toward the prior and never past it.

use std::collections::HashMap;

use crate::clock::Timestamp;

/// Microseconds of a day.
const DAY: i64 = 24 * 3_600_000_000;

/// The half-lives that [`fit`] chooses among, in days; `None`: nothing fades.
pub(crate) const CANDIDATES: [Option<f64>; 7] =
    [None, Some(7.0), Some(14.0), Some(30.0), Some(60.0), Some(120.0), Some(240.0)];
/// Predictions are kept this far from 0 and 1, so that one surprise does not decide.
const CLAMP: f64 = 0.01;

/// After how many days evidence is worth half.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum HalfLife {
    /// Evidence never fades.
    #[default]
    None,
    /// After so many days (at least 1).
    Days(f64),
    /// Chosen by which half-life would have predicted the reports so far best, and chosen anew as they
    /// become more.
    Auto,
}

/// The day (UTC) in which a moment lies, counted from 1970-01-01.
pub(crate) fn day(at: Timestamp) -> i64 {
    at.div_euclid(DAY)
}

/// What is left of evidence after `age` days: in `0..=1`. Evidence from the future is whole.
pub(crate) fn decay(age: i64, half_life: f64) -> f64 {
    if crate::sabotage::on("decay_off") {
        return 1.0;
    }
    (-(age.max(0) as f64) / half_life).exp2()
}

/// An outcome of a memory, in the order in which they were told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed {
    pub memory: i64,
    pub day: i64,
    /// In `0..=1`.
    pub outcome: f64,
    pub weight: f64,
}

/// How well each of the [`CANDIDATES`] predicts these trials, each from those before it: mean log loss.
/// A trial is predicted by the memory's faded successes and failures, and one pseudo-trial at the faded
/// rate of all memories.
pub(crate) fn fit(trials: &[Observed]) -> [f64; CANDIDATES.len()] {
    CANDIDATES.map(|half_life| {
        let fade = |(s, f, last): (f64, f64, i64), today: i64| {
            let left = half_life.map_or(1.0, |days| decay(today - last, days));
            (s * left, f * left, last.max(today))
        };
        let mut all = (0.0, 0.0, i64::MIN);
        let mut memories: HashMap<i64, (f64, f64, i64)> = HashMap::new();
        let (mut loss, mut weight) = (0.0, 0.0);
        for trial in trials {
            if all.2 == i64::MIN {
                all.2 = trial.day;
            }
            all = fade(all, trial.day);
            let own = memories.entry(trial.memory).or_insert((0.0, 0.0, trial.day));
            *own = fade(*own, trial.day);
            let rate = (all.0 + 0.5) / (all.0 + all.1 + 1.0);
            let p = ((own.0 + rate) / (own.0 + own.1 + 1.0)).clamp(CLAMP, 1.0 - CLAMP);
            loss -= trial.weight * (trial.outcome * p.ln() + (1.0 - trial.outcome) * (1.0 - p).ln());
            weight += trial.weight;
            for sums in [&mut all, own] {
                sums.0 += trial.weight * trial.outcome;
                sums.1 += trial.weight * (1.0 - trial.outcome);
            }
        }
        if weight > 0.0 { loss / weight } else { 0.0 }
    })
}

/// Which candidate predicted best; of equals, the one that forgets least.
pub(crate) fn best(losses: &[f64; CANDIDATES.len()]) -> Option<f64> {
    let mut order: Vec<usize> = (1..CANDIDATES.len()).rev().collect();
    order.insert(0, 0);
    let least = order.into_iter().reduce(|best, i| if losses[i] < losses[best] { i } else { best });
    least.and_then(|i| CANDIDATES[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_utc() {
        assert_eq!([0, DAY - 1, DAY, -1].map(day), [0, 0, 1, -1]);
    }

    #[test]
    fn evidence_halves_and_the_future_is_whole() {
        assert!((decay(0, 7.0) - 1.0).abs() < 1e-12 && (decay(-5, 7.0) - 1.0).abs() < 1e-12);
        assert!((decay(14, 7.0) - 0.25).abs() < 1e-12);
        assert!(decay(i64::MAX, 1.0) >= 0.0);
    }

    /// Ten memories, one report on each a day; each memory is good or bad for `period` days on end.
    fn history(period: i64, seed: u64) -> Vec<Observed> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut trials = Vec::new();
        let mut rates = [0.0; 10];
        for day in 0..400 {
            for (memory, rate) in rates.iter_mut().enumerate() {
                if day % period == 0 {
                    *rate = if rng.bool() { 0.9 } else { 0.1 };
                }
                let outcome = if rng.f64() < *rate { 1.0 } else { 0.0 };
                trials.push(Observed { memory: memory as i64, day, outcome, weight: 1.0 });
            }
        }
        trials
    }

    #[test]
    fn the_fit_forgets_where_the_world_moves_and_not_where_it_stands() {
        assert!(best(&fit(&history(1000, 1))).is_none_or(|days| days >= 240.0));
        assert!(best(&fit(&history(30, 2))).is_some_and(|days| days <= 14.0));
        assert_eq!(best(&fit(&[])), None);
    }
}
