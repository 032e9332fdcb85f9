//! The three metrics: how vectors are prepared for storage, and their exact similarity.

use simsimd::SpatialSimilarity;

use crate::error::{Error, Result};

/// How two vectors are compared. Similarity is always "higher is better".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Metric {
    /// Cosine of the angle, in -1 to 1. Vectors are stored at unit length.
    #[default]
    Cosine = 0,
    /// Inner product, unbounded; the length of a vector counts.
    Dot = 1,
    /// Euclidean distance; the similarity is minus its square, so at most 0.
    L2 = 2,
}

impl Metric {
    /// The name used in files, options and the other languages: `cosine`, `dot` or `l2`.
    pub fn as_str(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::Dot => "dot",
            Metric::L2 => "l2",
        }
    }

    /// The metric of that name, if it is one.
    pub fn parse(name: &str) -> Option<Metric> {
        [Metric::Cosine, Metric::Dot, Metric::L2].into_iter().find(|m| m.as_str() == name)
    }

    /// The metric of that number, as files hold it.
    pub(crate) fn from_u8(number: u8) -> Option<Metric> {
        [Metric::Cosine, Metric::Dot, Metric::L2].into_iter().find(|&m| m as u8 == number)
    }

    /// Checks a vector and gives the form in which it is stored and compared: the unit vector under
    /// [`Metric::Cosine`], a copy otherwise. `v` may have any length; the caller knows the dimension.
    ///
    /// Refuses elements that are not finite, a squared length (unless under cosine: the squared distance between two such
    /// vectors) beyond the range of f32 (the element of largest magnitude is named), and under cosine a vector whose
    /// length is zero or subnormal.
    pub(crate) fn prepare(self, v: &[f32]) -> Result<Vec<f32>> {
        let mut v = v.to_vec();
        self.prepare_here(&mut v).map(|()| v)
    }

    /// [`Metric::prepare`] where the vector lies.
    pub(crate) fn prepare_here(self, v: &mut [f32]) -> Result<()> {
        // Squares of f32 values neither overflow nor vanish in f64, so no scaling is needed; what is not
        // finite makes a sum that is not, and is looked for only then.
        let squared = sum_of_squares(v);
        if !squared.is_finite()
            && let Some((index, &value)) = v.iter().enumerate().find(|(_, x)| !x.is_finite())
        {
            return Err(Error::NotFinite { index, value });
        }
        // Two vectors may lie twice as far apart as either is long; graphs for the inner product go by distances, too.
        let most = if self == Metric::Cosine { f32::MAX } else { f32::MAX / 4.0 };
        if squared > f64::from(most) {
            let (index, &value) =
                v.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap_or((0, &f32::MAX));
            return Err(Error::NotFinite { index, value });
        }
        if self != Metric::Cosine {
            return Ok(());
        }
        let length = squared.sqrt();
        if length < f64::from(f32::MIN_POSITIVE) {
            return Err(Error::ZeroVector);
        }
        let inverse = 1.0 / length;
        for x in v {
            *x = (f64::from(*x) * inverse) as f32;
        }
        Ok(())
    }

    /// Exact similarity of two prepared vectors of the same length, higher is better: the inner product
    /// for cosine and dot, minus the squared distance for L2. The same two vectors give the same bits
    /// wherever they lie in memory; another processor may differ in the last bits.
    pub(crate) fn similarity(self, a: &[f32], b: &[f32]) -> f32 {
        debug_assert_eq!(a.len(), b.len(), "vectors of one store have one dimension");
        let value = match self {
            Metric::Cosine | Metric::Dot => f32::dot(a, b),
            Metric::L2 => f32::sqeuclidean(a, b).map(|d| -d),
        };
        // simsimd refuses only vectors of different length; such a pair is worse than any other.
        value.map_or(f32::NEG_INFINITY, |v| v as f32)
    }
}

/// Squared length in f64, in eight sums of a fixed order: one sum would wait for each of its additions.
fn sum_of_squares(v: &[f32]) -> f64 {
    let mut lanes = [0f64; 8];
    let chunks = v.chunks_exact(8);
    for &x in chunks.remainder() {
        lanes[0] += f64::from(x) * f64::from(x);
    }
    for c in chunks {
        for (l, &x) in lanes.iter_mut().zip(c) {
            *l += f64::from(x) * f64::from(x);
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_round_trip() {
        for m in [Metric::Cosine, Metric::Dot, Metric::L2] {
            assert_eq!(Metric::parse(m.as_str()), Some(m));
            assert_eq!(Metric::from_u8(m as u8), Some(m));
        }
        assert_eq!(Metric::parse("Cosine"), None);
        assert_eq!(Metric::from_u8(3), None);
    }

    #[test]
    fn refuses_what_has_no_similarity() {
        for m in [Metric::Cosine, Metric::Dot, Metric::L2] {
            assert!(matches!(m.prepare(&[0.0, f32::NAN]), Err(Error::NotFinite { index: 1, .. })));
            assert!(matches!(m.prepare(&[f32::INFINITY, 0.0]), Err(Error::NotFinite { index: 0, .. })));
            assert!(matches!(m.prepare(&[1.0, -1e20]), Err(Error::NotFinite { index: 1, .. })));
        }
        assert!(matches!(Metric::Cosine.prepare(&[0.0, -0.0]), Err(Error::ZeroVector)));
        assert!(matches!(Metric::Cosine.prepare(&[1e-40]), Err(Error::ZeroVector)));
        assert_eq!(Metric::L2.prepare(&[0.0]).expect("zero is fine under l2"), [0.0]);
    }

    #[test]
    fn cosine_normalises_over_the_whole_range() {
        for scale in [1e-37f32, 1e-20, 1.0, 1e10, 1e18] {
            let unit = Metric::Cosine.prepare(&[3.0 * scale, -4.0 * scale]).expect("has a direction");
            assert!((unit[0] - 0.6).abs() < 1e-6 && (unit[1] + 0.8).abs() < 1e-6, "{scale}: {unit:?}");
        }
    }

    #[test]
    fn similarity_does_not_depend_on_where_the_vectors_lie() {
        for dim in [1usize, 2, 7, 15, 16, 17, 100, 384, 1001] {
            let a: Vec<f32> = (0..dim).map(|i| (i as f32 * 0.37).sin()).collect();
            let b: Vec<f32> = (0..dim).map(|i| (i as f32 * 0.71).cos()).collect();
            for m in [Metric::Dot, Metric::L2] {
                let here = m.similarity(&a, &b);
                let plain: f64 = a
                    .iter()
                    .zip(&b)
                    .map(|(&x, &y)| {
                        let (x, y) = (f64::from(x), f64::from(y));
                        if m == Metric::L2 { -(x - y) * (x - y) } else { x * y }
                    })
                    .sum();
                assert!((f64::from(here) - plain).abs() < 1e-3, "{m:?} {dim}: {here} {plain}");
                for shift in 1..17 {
                    let mut moved = vec![9.0; shift];
                    moved.extend_from_slice(&a);
                    assert_eq!(m.similarity(&moved[shift..], &b).to_bits(), here.to_bits());
                }
            }
        }
    }
}
