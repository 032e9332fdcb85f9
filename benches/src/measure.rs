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

    /// Mean squared error of the promised probabilities in a range of events.
    pub fn brier(&self, events: Range<usize>) -> f64 {
        let error = |i: usize| (self.probabilities[i] - f64::from(u8::from(self.hits[i]))).powi(2);
        mean(events.map(error))
    }
}

/// By how much `a` hits more often than `b` on the same events, with 1,000 bootstrap resamples.
pub fn difference(a: &Trace, b: &Trace, events: Range<usize>) -> Interval {
    let value = |hit: bool| f64::from(u8::from(hit));
    let paired: Vec<f64> = events.map(|i| value(a.hits[i]) - value(b.hits[i])).collect();
    let mut rng = fastrand::Rng::with_seed(0);
    let mut resamples: Vec<f64> =
        (0..1000).map(|_| mean((0..paired.len()).map(|_| paired[rng.usize(0..paired.len())]))).collect();
    resamples.sort_by(f64::total_cmp);
    Interval { mean: mean(paired.iter().copied()), low: resamples[25], high: resamples[974] }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
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
}
