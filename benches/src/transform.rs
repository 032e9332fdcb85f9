//! The same stream as another embedding model would have it. A ranking that leans on the absolute
//! scale of one model's cosines fails on these.

use anyhow::{Result, bail};

use crate::data::Stream;
use crate::npy::Matrix;

/// A map of all vectors of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// A common direction mixed into every vector: cosines move into about 0.7 to 1, in their order.
    Squeezed,
    /// An encoder with two sides: cosines among events become `0.5 + 0.5 cos`; those between events
    /// and memories keep their order. Adds one dimension.
    Asymmetric,
    /// A random rotation: no cosine changes, every coordinate does.
    Rotated,
}

impl Transform {
    /// `"squeezed"`, `"asymmetric"` or `"rotated"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Transform::Squeezed => "squeezed",
            Transform::Asymmetric => "asymmetric",
            Transform::Rotated => "rotated",
        }
    }

    /// The stream seen through this map; its name says so.
    pub fn apply(self, stream: &Stream) -> Result<Stream> {
        if stream.dimension() > 4095 {
            bail!("a stream of {} dimensions leaves no room for one more", stream.dimension());
        }
        let (memory_vectors, event_vectors) = match self {
            Transform::Squeezed => {
                let towards = unit(gaussian(&mut fastrand::Rng::with_seed(1), stream.dimension()));
                let squeeze = |m: &Matrix| map(m, |row| mix(row, &towards, 0.7)).unit();
                (squeeze(&stream.memory_vectors), squeeze(&stream.event_vectors))
            }
            Transform::Asymmetric => {
                let half = 0.5_f32.sqrt();
                let memories = map(&stream.memory_vectors, |row| [row, &[0.0]].concat());
                let event = |row: &[f32]| row.iter().map(|v| v * half).chain([half]).collect();
                (memories, map(&stream.event_vectors, event))
            }
            Transform::Rotated => {
                let axes = rotation(stream.dimension(), 2);
                let rotate =
                    |m: &Matrix| map(m, |row| axes.iter().map(|axis| dot(row, axis) as f32).collect());
                (rotate(&stream.memory_vectors), rotate(&stream.event_vectors))
            }
        };
        let name = format!("{}, {}", stream.name, self.as_str());
        Ok(Stream { name, memory_vectors, event_vectors, ..stream.clone() })
    }
}

fn map(matrix: &Matrix, each: impl Fn(&[f32]) -> Vec<f32>) -> Matrix {
    let rows: Vec<Vec<f32>> = matrix.rows().map(each).collect();
    Matrix::new(rows.first().map_or(matrix.columns(), Vec::len), rows.concat())
}

fn mix(row: &[f32], towards: &[f64], share: f64) -> Vec<f32> {
    let (keep, add) = ((1.0 - share).sqrt(), share.sqrt());
    row.iter().zip(towards).map(|(v, t)| (f64::from(*v) * keep + t * add) as f32).collect()
}

fn dot(row: &[f32], axis: &[f64]) -> f64 {
    row.iter().zip(axis).map(|(v, a)| f64::from(*v) * a).sum()
}

fn unit(mut v: Vec<f64>) -> Vec<f64> {
    let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    for x in &mut v {
        *x /= length;
    }
    v
}

/// Independent standard normal numbers (Box and Muller).
fn gaussian(rng: &mut fastrand::Rng, n: usize) -> Vec<f64> {
    let mut draw = || (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
    (0..n).map(|_| draw()).collect()
}

/// Rows that are orthogonal and of length 1, in random directions (Gram and Schmidt).
fn rotation(n: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut axes: Vec<Vec<f64>> = Vec::with_capacity(n);
    for _ in 0..n {
        let mut axis = unit(gaussian(&mut rng, n));
        // Twice: once more takes away what rounding has left.
        for _ in 0..2 {
            for other in &axes {
                let overlap: f64 = axis.iter().zip(other).map(|(a, b)| a * b).sum();
                axis.iter_mut().zip(other).for_each(|(a, b)| *a -= overlap * b);
            }
            axis = unit(axis);
        }
        axes.push(axis);
    }
    axes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    }

    #[test]
    fn transforms_do_to_cosines_what_they_promise() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut some =
            |n: usize| Matrix::new(64, gaussian(&mut rng, n * 64).iter().map(|v| *v as f32).collect()).unit();
        let (memory_vectors, event_vectors) = (some(5), some(5));
        let (memories, events) = (Vec::new(), Vec::new());
        let plain = Stream { name: "s".into(), memories, events, memory_vectors, event_vectors };
        for transform in [Transform::Squeezed, Transform::Asymmetric, Transform::Rotated] {
            let other = transform.apply(&plain).expect("small");
            let across = |s: &Stream| cosine(s.event_vectors.row(0), s.memory_vectors.row(1));
            let among = |s: &Stream| cosine(s.event_vectors.row(0), s.event_vectors.row(1));
            let (before, after) = ((across(&plain), among(&plain)), (across(&other), among(&other)));
            let expected = match transform {
                Transform::Squeezed => (0.7 + 0.3 * before.0, 0.7 + 0.3 * before.1),
                Transform::Asymmetric => (0.5_f64.sqrt() * before.0, 0.5 + 0.5 * before.1),
                Transform::Rotated => before,
            };
            let tolerance = if transform == Transform::Squeezed { 0.2 } else { 1e-5 };
            assert!((after.0 - expected.0).abs() < tolerance, "{transform:?} {after:?} {expected:?}");
            assert!((after.1 - expected.1).abs() < tolerance, "{transform:?} {after:?} {expected:?}");
        }
    }
}
