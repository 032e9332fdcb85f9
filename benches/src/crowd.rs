//! As many vectors as wanted out of a few real ones.

use crate::npy::Matrix;

/// Vectors near those of a base, the same for the same number: vector `i` is row `i mod rows`, to which a
/// Gaussian vector of length about `spread` is added before it is stretched to length 1 again. With a
/// spread of 0.5, the cosine with the row it came from is about 0.89.
#[derive(Debug)]
pub struct Crowd<'a> {
    base: &'a Matrix,
    spread: f64,
    seed: u64,
}

impl<'a> Crowd<'a> {
    /// Vectors around the rows of `base`; others for another seed.
    pub fn around(base: &'a Matrix, spread: f64, seed: u64) -> Self {
        Self { base, spread, seed }
    }

    /// Vector `i`.
    pub fn vector(&self, i: u64) -> Vec<f32> {
        near(self.base.row((i % self.base.len() as u64) as usize), self.spread, self.seed ^ (i << 20))
    }
}

/// A vector of length 1 near `row`.
pub fn near(row: &[f32], spread: f64, seed: u64) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let scale = spread / (row.len() as f64).sqrt();
    // Sum of four uniform numbers: near enough to a Gaussian, and fast. Its variance is a third.
    let mut draw = || (rng.f64() + rng.f64() + rng.f64() + rng.f64() - 2.0) * 3.0_f64.sqrt() * scale;
    let moved: Vec<f64> = row.iter().map(|v| f64::from(*v) + draw()).collect();
    let length = moved.iter().map(|v| v * v).sum::<f64>().sqrt();
    moved.into_iter().map(|v| (v / length) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosines::dot;

    #[test]
    fn vectors_lie_where_they_should() {
        let row = Matrix::new(384, (0..384).map(|i| (i % 7) as f32 - 3.0).collect()).unit();
        let crowd = Crowd::around(&row, 0.5, 9);
        let mean = (0..50).map(|i| dot(&crowd.vector(i), row.row(0))).sum::<f32>() / 50.0;
        assert!((mean - 0.894).abs() < 0.01, "{mean}");
        assert_eq!(crowd.vector(3), crowd.vector(3));
        assert!(dot(&crowd.vector(3), &crowd.vector(4)) < 0.9);
    }
}
