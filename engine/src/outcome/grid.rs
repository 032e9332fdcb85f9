//! The grid on which the evidence of a memory in a dense spot is merged.
//!
//! A recall looks at a fixed number of points of experience. Where more reports than that lie close
//! together, only their sums can tell 90 % from 88 %. So a namespace with many cells gets a grid: reports
//! on one memory in situations of one grid cell are summed up. The grid depends on nothing but its width.

use xxhash_rust::xxh3::xxh3_64;

/// Directions along which the grid is laid; below so many dimensions, the coordinates themselves.
const DIRECTIONS: usize = 16;
/// No grid is finer: deviations below this are rounding.
const FINEST: f64 = 1e-9;

/// Width of the grid for a namespace of which these vectors are a sample: their root mean square
/// deviation per coordinate. Situations as far apart as any two memories share no cell then, and those
/// that differ by a tenth of that often do. `None` if they do not differ.
pub(crate) fn width(sample: &[Vec<f32>]) -> Option<f64> {
    let dimension = sample.first()?.len();
    let mut mean = vec![0.0; dimension];
    for vector in sample {
        for (sum, x) in mean.iter_mut().zip(vector) {
            *sum += f64::from(*x) / sample.len() as f64;
        }
    }
    let squares: f64 =
        sample.iter().flat_map(|v| v.iter().zip(&mean)).map(|(x, m)| (f64::from(*x) - m).powi(2)).sum();
    let deviation = (squares / (sample.len() * dimension) as f64).sqrt();
    Some(deviation).filter(|width| *width > FINEST)
}

/// The grid cell in which a vector lies.
pub(crate) fn key(vector: &[f32], width: f64) -> i64 {
    let bytes: Vec<u8> =
        project(vector).iter().flat_map(|x| ((x / width).floor() as i64).to_le_bytes()).collect();
    xxh3_64(&bytes).cast_signed()
}

/// The vector along the directions. Direction `i` is row `i` of the Walsh-Hadamard matrix of order 16,
/// repeated over all coordinates, each with a sign of its own, at length 1: the rows are orthogonal, and
/// exactly so where the dimension is a multiple of 16. (A subsampled randomised Hadamard transform; Ailon
/// and Chazelle 2009.)
fn project(vector: &[f32]) -> Vec<f64> {
    if vector.len() < DIRECTIONS {
        return vector.iter().map(|x| f64::from(*x)).collect();
    }
    // All coordinates that no direction tells apart, in one sum.
    let mut classes = [0.0; DIRECTIONS];
    for (i, x) in vector.iter().enumerate() {
        classes[i % DIRECTIONS] += if is_negative(i) { -f64::from(*x) } else { f64::from(*x) };
    }
    let length = (vector.len() as f64).sqrt();
    let along = |direction: usize| -> f64 {
        let signed = classes
            .iter()
            .enumerate()
            .map(|(class, sum)| if (class & direction).count_ones() % 2 == 1 { -sum } else { *sum });
        signed.sum::<f64>() / length
    };
    (0..DIRECTIONS).map(along).collect()
}

/// The sign of a coordinate: the last bit of a hash of its number. Part of the file format.
fn is_negative(coordinate: usize) -> bool {
    xxh3_64(&(coordinate as u64).to_le_bytes()) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_orthogonal_and_of_length_one() {
        for dim in [16, 64, 768] {
            let unit = |i: usize| {
                let mut v = vec![0.0; dim];
                v[i] = 1.0;
                project(&v)
            };
            let rows: Vec<Vec<f64>> = (0..dim).map(unit).collect();
            for a in 0..DIRECTIONS {
                for b in 0..DIRECTIONS {
                    let dot: f64 = rows.iter().map(|row| row[a] * row[b]).sum();
                    let expected = if a == b { 1.0 } else { 0.0 };
                    assert!((dot - expected).abs() < 1e-9, "{dim}: {a} {b} {dot}");
                }
            }
        }
    }

    #[test]
    fn near_situations_share_a_cell_and_far_ones_do_not() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut vector = || -> Vec<f32> { (0..64).map(|_| rng.f32() - 0.5).collect() };
        let sample: Vec<Vec<f32>> = (0..500).map(|_| vector()).collect();
        let width = width(&sample).expect("they differ");
        assert!((width - 1.0 / 12.0_f64.sqrt()).abs() < 0.01);
        let mut apart = 0;
        for v in &sample {
            let close: Vec<f32> = v.iter().map(|x| x + 1e-6).collect();
            apart += usize::from(key(v, width) != key(&close, width));
        }
        assert!(apart < 5, "{apart}");
        let mut keys: Vec<i64> = sample.iter().map(|v| key(v, width)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert!(keys.len() > 490);
    }

    #[test]
    fn no_spread_no_grid() {
        assert_eq!(width(&[]), None);
        assert_eq!(width(&[vec![1.0, 2.0]]), None);
        assert_eq!(width(&vec![vec![0.5; 4]; 9]), None);
    }
}
