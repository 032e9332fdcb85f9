//! How many bits a stored number has.

use half::f16;
use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};

use crate::error::{Error, Result};

use super::metric::Metric;

/// How the numbers of memories' vectors are stored, in the database and in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Storage {
    /// As they are given: four bytes a number (IEEE 754 binary32).
    #[default]
    F32,
    /// In two bytes a number (IEEE 754 binary16): half the disk, and half of what a recall reads beyond the codes.
    /// A number keeps 11 significant bits and is off by 2^-12 of itself at most: under [`Metric::Cosine`] a similarity may be off
    /// by some 0.0001, otherwise by a share like that of what the lengths of the two make possible. Under
    /// [`Metric::Cosine`] it is the unit vector that is kept, and read back. Queries, and the situations of reports,
    /// stay as given. [`forget_hard`](crate::Store::forget_hard) takes a query for the memory's own vector that rounds to it.
    F16,
}

/// What rounding to f16 may take of a vector, as a share of its length. A number of normal size loses at most
/// 2^-11 of itself; more is lost where all of a vector is near or below the smallest of them (2^-14).
const MOST_LOST: f64 = 1.0 / 1024.0;

impl Storage {
    /// The name used in files, options and the other languages: `f32` or `f16`.
    pub fn as_str(self) -> &'static str {
        match self {
            Storage::F32 => "f32",
            Storage::F16 => "f16",
        }
    }

    /// The storage of that name, if it is one.
    pub fn parse(name: &str) -> Option<Storage> {
        [Storage::F32, Storage::F16].into_iter().find(|s| s.as_str() == name)
    }

    /// Makes of a vector fit for `metric` ([`Metric::prepare`]) what is kept of it.
    ///
    /// Refuses what f16 cannot hold: a number beyond 65,504, or a vector so short that its direction would be lost.
    pub(crate) fn keep(self, metric: Metric, vector: &mut [f32]) -> Result<()> {
        if self == Storage::F32 {
            return Ok(());
        }
        if metric == Metric::Cosine {
            // What was read back is stored again as it is: made a unit vector once more, it could become another.
            if self.holds(vector) && (length(vector) - 1.0).abs() <= MOST_LOST {
                return Ok(());
            }
            metric.prepare_here(vector)?;
        }
        let (mut whole, mut lost) = (0.0, 0.0);
        for (index, x) in vector.iter_mut().enumerate() {
            let kept = f16::from_f32(*x).to_f32();
            if !kept.is_finite() {
                let why = format!(
                    "its number {index} is {x}, and f16 holds up to 65504: scale the vectors, or make a store with storage f32"
                );
                return Err(Error::invalid("vector", why));
            }
            whole += f64::from(*x).powi(2);
            lost += (f64::from(*x) - f64::from(kept)).powi(2);
            *x = kept;
        }
        if lost > whole * MOST_LOST * MOST_LOST {
            let why = "it is too short for f16, whose smallest normal number is 0.00006: scale the vectors, or make a \
                       store with storage f32";
            return Err(Error::invalid("vector", why));
        }
        Ok(())
    }
}

impl Storage {
    /// Whether storing a vector loses nothing of it.
    pub(crate) fn holds(self, vector: &[f32]) -> bool {
        self == Storage::F32 || vector.iter().all(|x| f16::from_f32(*x).to_f32().to_bits() == x.to_bits())
    }
}

fn length(vector: &[f32]) -> f64 {
    vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

/// The bits of numbers as f16, each rounded to the nearest, ties to even.
pub(crate) fn to_half(vector: &[f32]) -> Vec<u16> {
    let mut half = vec![f16::ZERO; vector.len()];
    half.convert_from_f32_slice(vector);
    bits(half)
}

/// The numbers that f16 bits stand for, into `vector`, which is as long.
pub(crate) fn from_half(half: &[u16], vector: &mut [f32]) {
    half.reinterpret_cast::<f16>().convert_to_f32_slice(vector);
}

fn bits(half: Vec<f16>) -> Vec<u16> {
    use half::vec::HalfFloatVecExt as _;
    half.reinterpret_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for storage in [Storage::F32, Storage::F16] {
            assert_eq!(Storage::parse(storage.as_str()), Some(storage));
        }
        assert_eq!(Storage::parse("f64"), None);
    }

    #[test]
    fn what_f16_keeps_comes_back_and_stays_what_it_is() {
        let given: Vec<f32> = (0..100).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
        for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
            let mut kept = given.clone();
            Storage::F16.keep(metric, &mut kept).expect("fits");
            let mut back = vec![0.0; kept.len()];
            from_half(&to_half(&kept), &mut back);
            assert_eq!(back, kept);
            let wanted = metric.prepare(&given).expect("fits");
            for (x, y) in wanted.iter().zip(&kept) {
                assert!((x - y).abs() <= x.abs() / 2048.0 + 1e-7, "{metric:?}: {x} {y}");
            }
            let mut same = given.clone();
            Storage::F32.keep(metric, &mut same).expect("all fits");
            assert_eq!(same, given);
        }
    }

    #[test]
    fn all_numbers_of_f16_are_read_as_they_are() {
        let all: Vec<u16> = (0..=u16::MAX).filter(|bits| f16::from_bits(*bits).is_finite()).collect();
        let mut numbers = vec![0.0; all.len()];
        from_half(&all, &mut numbers);
        assert_eq!(to_half(&numbers), all);
        for (bits, number) in all.iter().zip(&numbers) {
            assert_eq!(f16::from_bits(*bits).to_f32().to_bits(), number.to_bits());
        }
    }

    #[test]
    fn what_f16_cannot_hold_is_refused() {
        for metric in [Metric::Dot, Metric::L2] {
            let error = Storage::F16.keep(metric, &mut [1.0, 7e4]).expect_err("too large").to_string();
            assert!(error.contains("number 1 is 70000"), "{error}");
            let error = Storage::F16.keep(metric, &mut [1e-7, 3e-8]).expect_err("too short").to_string();
            assert!(error.contains("too short"), "{error}");
            Storage::F16.keep(metric, &mut [0.0, 0.0]).expect("zero is held");
            Storage::F16.keep(metric, &mut [1.0, 3e-8]).expect("nothing of it is lost that counts");
        }
        for scale in [1e-30, 1e18] {
            Storage::F16.keep(Metric::Cosine, &mut [3.0 * scale, 4.0 * scale]).expect("has a direction");
        }
    }
}
