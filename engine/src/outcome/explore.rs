//! Exploration: the last places of a recall are drawn, so that memories of which little is known get
//! their chance, the more of it the less is known.
//!
//! Thompson sampling (Thompson 1933; Chapelle and Li 2011): for each memory one success probability is
//! drawn from its posterior, and the highest draws take the places. With each comes its propensity, the
//! probability of being drawn into any of these places, without which reports on explored hits could
//! not be weighed against others later.

use rand_distr::{Beta, Distribution};

use super::chance::{Purpose, stream};

/// Rounds of sampling from which propensities are estimated.
const ROUNDS: u32 = 256;
/// Below this, a parameter of a Beta distribution makes every draw 0 or 1 anyway.
const LEAST: f64 = 1e-6;

/// Draws `places` of the memories with these posteriors, `Beta(alpha, beta)` each, given best first.
/// Returns their positions, highest draw first (equal draws: in the order given), and the propensity
/// of each, in `0..=1`.
///
/// Where there are no more memories than places chance has no part in it: all of them, in the order
/// given, with propensity 1. Otherwise a propensity is `(n + 1) / (ROUNDS + 2)`, `n` being in how many
/// of 256 further rounds the memory was drawn: its standard error is at most 0.031, the smoothing moves
/// it towards one half by at most 0.004, and it never falls below 1/258.
pub(crate) fn explore(posteriors: &[(f64, f64)], places: usize, seed: u64) -> Vec<(usize, f64)> {
    if posteriors.len() <= places {
        return (0..posteriors.len()).map(|i| (i, 1.0)).collect();
    }
    if places == 0 {
        return Vec::new();
    }
    let mut bandit = Bandit::new(posteriors);
    let drawn = bandit.round(places, &mut stream(seed, Purpose::Explore)).to_vec();
    let mut times = vec![0_u32; posteriors.len()];
    let mut rng = stream(seed, Purpose::Propensity);
    for _ in 0..ROUNDS {
        for &(_, i) in bandit.round(places, &mut rng) {
            times[i] += 1;
        }
    }
    let propensity = |i: usize| {
        if crate::sabotage::on("propensity_one") {
            return 1.0;
        }
        f64::from(times[i] + 1) / f64::from(ROUNDS + 2)
    };
    drawn.into_iter().map(|(_, i)| (i, propensity(i))).collect()
}

/// The posteriors, ready to be drawn from, and room for the draws.
struct Bandit {
    arms: Vec<Beta<f64>>,
    draws: Vec<(f64, usize)>,
}

impl Bandit {
    fn new(posteriors: &[(f64, f64)]) -> Self {
        // A parameter that is no number counts as the least one.
        let sound = |x: f64| if x.is_finite() { x.max(LEAST) } else { LEAST };
        let arms = posteriors.iter().filter_map(|&(a, b)| Beta::new(sound(a), sound(b)).ok()).collect();
        Self { arms, draws: Vec::with_capacity(posteriors.len()) }
    }

    /// One draw from each; the `places` highest of them with their positions, highest first.
    /// There are more arms than places, and at least one place.
    fn round(&mut self, places: usize, rng: &mut impl rand::Rng) -> &[(f64, usize)] {
        self.draws.clear();
        self.draws.extend(self.arms.iter().enumerate().map(|(i, arm)| (arm.sample(rng), i)));
        let order = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        self.draws.select_nth_unstable_by(places - 1, order);
        let best = &mut self.draws[..places];
        best.sort_unstable_by(order);
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn propensities_are_the_frequencies_of_being_drawn() {
        const SEEDS: u64 = 4000;
        let posteriors = [(3.0, 1.0), (0.3, 0.3), (2.0, 2.0), (1.0, 4.0), (40.0, 60.0), (1e-9, 0.3)];
        for places in [1, 2, 4] {
            let mut drawn = [0_u32; 6];
            let mut promised = [(0.0, 0_u32); 6];
            for seed in 0..SEEDS {
                for (i, propensity) in explore(&posteriors, places, seed) {
                    drawn[i] += 1;
                    promised[i] = (promised[i].0 + propensity, promised[i].1 + 1);
                }
            }
            assert_eq!(u64::from(drawn.iter().sum::<u32>()), SEEDS * places as u64);
            for i in 0..posteriors.len() {
                let seen = f64::from(drawn[i]) / SEEDS as f64;
                if drawn[i] < 100 {
                    continue;
                }
                let mean = promised[i].0 / f64::from(promised[i].1);
                // Four standard errors of the frequency; the smoothing's 0.004; the mean of the estimates.
                let room = 4.0 * (seen * (1.0 - seen) / SEEDS as f64).sqrt() + 0.004 + 0.002;
                assert!((seen - mean).abs() < room, "{places} places, arm {i}: {seen} against {mean}");
            }
        }
    }

    #[test]
    fn nothing_is_drawn_where_there_is_no_choice() {
        let two = [(1.0, 1.0), (9.0, 1.0)];
        assert_eq!(explore(&two, 2, 7), [(0, 1.0), (1, 1.0)]);
        assert_eq!(explore(&two, 5, 7), [(0, 1.0), (1, 1.0)]);
        assert!(explore(&two, 0, 7).is_empty() && explore(&[], 3, 7).is_empty());
    }

    #[test]
    fn absurd_posteriors_are_drawn_from_all_the_same() {
        let absurd = [(0.0, 0.0), (f64::NAN, 1.0), (f64::INFINITY, 1.0), (1e300, 1e-300), (1e9, 1e9)];
        for seed in 0..200 {
            let drawn = explore(&absurd, 3, seed);
            assert!(drawn.len() == 3 && drawn.iter().all(|(_, p)| *p > 0.0 && *p <= 1.0));
            assert_eq!(drawn, explore(&absurd, 3, seed), "the same seed draws the same");
        }
    }
}
