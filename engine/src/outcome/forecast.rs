//! How promises came true: the probabilities that recalls promised, beside what was reported.
//!
//! Kept as sums per bin of the promised probability, in fixed point, so that they are exact, do not
//! depend on the order of the reports, and can be taken back.

use super::evidence::Credit;

/// Bins of equal width.
pub(crate) const BINS: usize = 20;

/// Sums over the reported hits whose promise falls into one bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Credit.
    pub weight: i64,
    /// Credit times the promised probability.
    pub promised: i64,
    /// Credit times the outcome.
    pub outcome: i64,
    /// Credit times the squared difference of the two.
    pub squares: i64,
}

impl Tally {
    /// What one reported hit adds, and to which bin.
    pub(crate) fn of(credit: Credit, promised: f32, outcome: f64) -> (usize, Self) {
        let promised = f64::from(promised).clamp(0.0, 1.0);
        let bin = ((promised * BINS as f64) as usize).min(BINS - 1);
        let share = |x: f64| (credit.raw() as f64 * x).round() as i64;
        let tally = Self {
            weight: credit.raw(),
            promised: share(promised),
            outcome: share(outcome),
            squares: share((promised - outcome).powi(2)),
        };
        (bin, tally)
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.weight += other.weight;
        self.promised += other.promised;
        self.outcome += other.outcome;
        self.squares += other.squares;
    }

    pub(crate) fn subtract(&mut self, other: Tally) {
        self.weight -= other.weight;
        self.promised -= other.promised;
        self.outcome -= other.outcome;
        self.squares -= other.squares;
    }
}

/// How well the promised probabilities have come true.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// Weight of the hits that were reported on, in units of credit.
    pub weight: f64,
    /// Mean promised probability, in `0..=1`; 0 without reports, like the following.
    pub promised: f64,
    /// Mean outcome, in `0..=1`.
    pub outcome: f64,
    /// Brier score: mean squared difference of promise and outcome, in `0..=1`; lower is better
    /// (Brier 1950).
    pub brier: f64,
    /// Expected calibration error: mean over the bins, by weight, of the difference between mean
    /// promise and mean outcome, in `0..=1` (Naeini, Cooper and Hauskrecht 2015).
    pub error: f64,
    /// The reliability diagram: bins of the promised probability that hold any, in rising order.
    pub bins: Vec<CalibrationBin>,
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CalibrationBin {
    /// Weight of the hits in it, in units of credit.
    pub weight: f64,
    /// Their mean promised probability.
    pub promised: f64,
    /// Their mean outcome.
    pub outcome: f64,
}

impl Calibration {
    pub(crate) fn of(tallies: &[Tally]) -> Self {
        let number = |raw: i64| Credit::from_raw(raw).weight();
        let mut all = Tally::default();
        let mut bins = Vec::new();
        let mut error = 0.0;
        for tally in tallies.iter().filter(|tally| tally.weight > 0) {
            all.add(*tally);
            let weight = number(tally.weight);
            let bin = CalibrationBin {
                weight,
                promised: number(tally.promised) / weight,
                outcome: number(tally.outcome) / weight,
            };
            error += weight * (bin.promised - bin.outcome).abs();
            bins.push(bin);
        }
        let weight = number(all.weight);
        let mean = |sum: f64| if weight > 0.0 { sum / weight } else { 0.0 };
        Self {
            weight,
            promised: mean(number(all.promised)),
            outcome: mean(number(all.outcome)),
            brier: mean(number(all.squares)),
            error: mean(error),
            bins,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_their_definitions() {
        let mut tallies = [Tally::default(); BINS];
        let reported = [(0.9_f32, 1.0), (0.9, 1.0), (0.9, 0.0), (0.1, 0.0)];
        for (promised, outcome) in reported {
            let (bin, tally) = Tally::of(Credit::share(1, 1), promised, outcome);
            tallies[bin].add(tally);
        }
        let found = Calibration::of(&tallies);
        assert!((found.weight - 4.0).abs() < 1e-9);
        assert!((found.brier - (0.01 + 0.01 + 0.81 + 0.01) / 4.0).abs() < 1e-6);
        assert!((found.promised - 0.7).abs() < 1e-6 && (found.outcome - 0.5).abs() < 1e-6);
        assert!((found.error - (3.0 * (0.9 - 2.0 / 3.0) + 0.1) / 4.0).abs() < 1e-6);
        assert_eq!(found.bins.len(), 2);
        for (promised, outcome) in reported {
            let (bin, tally) = Tally::of(Credit::share(1, 1), promised, outcome);
            tallies[bin].subtract(tally);
        }
        assert_eq!(Calibration::of(&tallies), Calibration::default());
    }

    #[test]
    fn certain_promises_have_a_bin() {
        assert_eq!(Tally::of(Credit::share(1, 1), 1.0, 1.0).0, BINS - 1);
        assert_eq!(Tally::of(Credit::share(1, 1), 0.0, 1.0).0, 0);
        assert_eq!(Tally::of(Credit::share(1, 1), f32::NAN, 1.0).0, 0);
    }
}
