//! Figures of a replay: hit rates, Brier score, paired difference with its interval.

use std::ops::Range;

/// What an arm did, event by event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// Whether the pick was right.
    pub hits: Vec<bool>,
    /// The probability of success that was promised for the pick.
    pub probabilities: Vec<f64>,
}

/// A mean and its central 95 % bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Trace {
    /// Adds the next event.
    pub fn push(&mut self, hit: bool, probability: f64) {
        self.hits.push(hit);
        self.probabilities.push(probability);
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.hits.len()
    }

    /// Whether there was no event.
    pub fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    /// Share of right picks in a range of events; NaN for an empty one.
    pub fn hit_rate(&self, events: Range<usize>) -> f64 {
        mean(self.hits[events].iter().map(|hit| f64::from(u8::from(*hit))))
    }

    /// Share of right picks over all events.
    pub fn overall(&self) -> f64 {
        self.hit_rate(0..self.len())
    }

    /// The last half, in which there is experience to rank by.
    pub fn last_half(&self) -> Range<usize> {
        self.len() / 2..self.len()
    }

    /// The tenths of the stream (as many parts as there are events, below ten).
    pub fn tenths(&self) -> Vec<Range<usize>> {
        let parts = self.len().min(10);
        (0..parts).map(|i| i * self.len() / parts..(i + 1) * self.len() / parts).collect()
    }

    /// Promise and outcome of each event in a range.
    pub fn pairs(&self, events: Range<usize>) -> Vec<(f64, f64)> {
        events.map(|i| (self.probabilities[i], f64::from(u8::from(self.hits[i])))).collect()
    }

    /// Mean squared error of the promised probabilities in a range of events.
    pub fn brier(&self, events: Range<usize>) -> f64 {
        let error = |i: usize| (self.probabilities[i] - f64::from(u8::from(self.hits[i]))).powi(2);
        mean(events.map(error))
    }
}

/// Promises that were alike, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// How many events.
    pub events: usize,
    /// Mean of the promised probabilities.
    pub promised: f64,
    /// Mean outcome.
    pub came_true: f64,
}

/// Pairs of promise and outcome (0 to 1), sorted by promise and cut into ten bins of equally many
/// (fewer bins below ten pairs). Pairs with a promise of NaN are left out.
pub fn reliability(pairs: &[(f64, f64)]) -> Vec<Bin> {
    let mut sorted: Vec<(f64, f64)> = pairs.iter().copied().filter(|pair| !pair.0.is_nan()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let bins = sorted.len().min(10);
    (0..bins)
        .map(|i| &sorted[i * sorted.len() / bins..(i + 1) * sorted.len() / bins])
        .map(|bin| Bin {
            events: bin.len(),
            promised: mean(bin.iter().map(|pair| pair.0)),
            came_true: mean(bin.iter().map(|pair| pair.1)),
        })
        .collect()
}

/// Expected calibration error: mean distance of promise and outcome over the bins of [`reliability`],
/// weighted by their events; NaN without a promise.
pub fn calibration_error(bins: &[Bin]) -> f64 {
    let events: usize = bins.iter().map(|bin| bin.events).sum();
    bins.iter().map(|bin| (bin.promised - bin.came_true).abs() * bin.events as f64).sum::<f64>()
        / events as f64
}

/// By how much `a` hits more often than `b` on the same events, with 1,000 bootstrap resamples.
pub fn difference(a: &Trace, b: &Trace, events: Range<usize>) -> Interval {
    let value = |hit: bool| f64::from(u8::from(hit));
    let paired: Vec<f64> = events.map(|i| value(a.hits[i]) - value(b.hits[i])).collect();
    bootstrap(&paired)
}

/// Mean of some values with 1,000 bootstrap resamples, seeded.
pub fn bootstrap(values: &[f64]) -> Interval {
    let mut rng = fastrand::Rng::with_seed(0);
    let mut resamples: Vec<f64> =
        (0..1000).map(|_| mean((0..values.len()).map(|_| values[rng.usize(0..values.len())]))).collect();
    resamples.sort_by(f64::total_cmp);
    Interval { mean: mean(values.iter().copied()), low: resamples[25], high: resamples[974] }
}

/// Mean; NaN of nothing.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0_usize), |(sum, n), v| (sum + v, n + 1));
    sum / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_known_trace() {
        let mut trace = Trace::default();
        (0..20).for_each(|i| trace.push(i % 4 != 0, 0.75));
        let other = Trace { hits: vec![false; 20], ..trace.clone() };
        assert!((trace.overall() - 0.75).abs() < 1e-12);
        assert!((trace.brier(trace.last_half()) - (0.3 * 0.5625 + 0.7 * 0.0625)).abs() < 0.06);
        assert_eq!(trace.tenths().len(), 10);
        assert_eq!(trace.tenths()[9], 18..20);
        let gain = difference(&trace, &other, 0..20);
        assert!((gain.mean - 0.75).abs() < 1e-12 && gain.low < gain.mean && gain.mean < gain.high);
        let none = difference(&trace, &trace, 0..20);
        assert!(none.low.abs() < 1e-12 && none.high.abs() < 1e-12);
    }

    #[test]
    fn bins_hold_equally_many_and_their_error_is_the_distance() {
        let pairs: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i) / 100.0, 0.5)).collect();
        let bins = reliability(&pairs);
        assert!(bins.len() == 10 && bins.iter().all(|bin| bin.events == 10));
        assert!((bins[0].promised - 0.045).abs() < 1e-12 && (bins[9].promised - 0.945).abs() < 1e-12);
        assert!((calibration_error(&bins) - 0.25).abs() < 1e-12, "{}", calibration_error(&bins));
        let honest: Vec<(f64, f64)> = (0..100).map(|i| (0.25, f64::from(u8::from(i % 4 == 0)))).collect();
        assert!(calibration_error(&reliability(&honest)) < 0.15);
        assert!(reliability(&[(f64::NAN, 1.0)]).is_empty() && calibration_error(&[]).is_nan());
    }
}
