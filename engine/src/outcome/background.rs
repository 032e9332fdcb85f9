//! The background of a query: how similar it is to points at random. Similarities are judged
//! against it, so that no absolute scale of an embedding model enters the ranking.

/// Points of a namespace that the background is taken from: those whose ids have the smallest
/// hashes, a pure function of which points there are.
pub(crate) const SAMPLE: usize = 512;

/// Median and spread of the similarities of one query with a sample of one kind of points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Background {
    median: f64,
    spread: f64,
}

impl Background {
    /// Keeps the spread above zero where all points are equally similar, as with one memory: a share
    /// of the largest similarity, so that it has no scale of its own.
    const LEAST_SHARE: f64 = 1e-6;

    /// The background where it decides nothing, because there is no experience: similarities as they are.
    pub(crate) const NONE: Background = Background { median: 0.0, spread: 1.0 };

    /// The background made of these similarities, in any order.
    pub(crate) fn of(similarities: &mut [f32]) -> Self {
        if similarities.is_empty() {
            return Self::NONE;
        }
        similarities.sort_unstable_by(f32::total_cmp);
        let n = similarities.len();
        let median = f64::midpoint(f64::from(similarities[(n - 1) / 2]), f64::from(similarities[n / 2]));
        let mean = similarities.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        let variance = similarities.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n as f64;
        let largest = similarities.iter().fold(0.0, |most: f64, &x| most.max(f64::from(x).abs()));
        Self { median, spread: variance.sqrt() + Self::LEAST_SHARE * largest + f64::MIN_POSITIVE }
    }

    /// The place `u` of a point with this similarity: how many spreads it lies above the median.
    /// Never falls when the similarity rises.
    pub(crate) fn place(&self, similarity: f32) -> f64 {
        (f64::from(similarity) - self.median) / self.spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_affine_map_of_the_similarities_moves_no_place() {
        let plain = [0.1_f32, 0.5, 0.3, 0.9, 0.2, 0.25];
        let squeezed = plain.map(|x| 0.75 + 0.25 * x);
        let (a, b) = (Background::of(&mut plain.clone()), Background::of(&mut squeezed.clone()));
        for (x, y) in plain.iter().zip(squeezed) {
            assert!((a.place(*x) - b.place(y)).abs() < 1e-4);
        }
        assert!((a.place(0.275)).abs() < 1e-7, "the median of an even number is the middle of the two");
    }

    #[test]
    fn equal_similarities_and_none_give_finite_places() {
        assert!(Background::of(&mut [0.5; 4]).place(0.5).abs() < 1e-9);
        assert!(Background::of(&mut []).place(0.7).is_finite());
    }
}
