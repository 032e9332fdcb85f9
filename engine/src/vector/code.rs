//! Codes: the compact form of a vector that a search reads instead of the vector itself.
//!
//! From 16 dimensions on, a vector `x` (minus the mean of its space, where there is one) is coded as i8
//! with one symmetric scale of its own: `x[i]` is about `scale * code[i]`, codes reach from -127 to 127. Below,
//! the vector itself (f32) is as small and is the code. [`CodeMeta`] has what an approximate similarity
//! and its error bound need beside the code.
//!
//! An i8 code `c` may be kept in two halves (as locally-adaptive vector quantisation keeps its two levels: Aguerrebere
//! et al. 2023, "Similarity search in the blink of an eye with compressed indices", section 3.2): the coarse one has
//! the upper four bits of `c + 128`, the fine one the lower four. The coarse half alone says `c` to within 8 steps,
//! at half the bytes. In byte `i` of either, the lower bits are those of dimension `i`, the upper bits those of dimension
//! `i + dim.div_ceil(2)`.

use bytemuck::{Pod, Zeroable};

use super::kernel::{Kernel, Task, dispatch};

/// Largest dimension: 65,536 products of a u8 and an i8 fit an i32.
pub(crate) const MAX_DIM: usize = 65_536;

/// Below this dimension the code is the f32 vector.
const I8_FROM_DIM: usize = 16;

/// A largest magnitude below this is coded as zero: the inverse scale would overflow.
const TINY: f32 = 1e-30;

/// How a vector is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum CodeKind {
    /// The vector itself.
    F32 = 0,
    /// One i8 per dimension and a scale.
    I8 = 1,
}

/// Beside each code: 16 bytes, little-endian, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct CodeMeta {
    /// Decoded value of code 1; 0 for a zero vector; 1 for [`CodeKind::F32`].
    pub scale: f32,
    /// 128 times the sum of the i8 codes; 0 for [`CodeKind::F32`].
    pub sum128: i32,
    /// Squared length of what was coded.
    pub norm2: f32,
    /// Length of what the code misses: |x - decoded|, rounded up a little.
    pub residual: f32,
}

impl CodeMeta {
    /// Whether the numbers can be computed with: finite, and not negative where that has no sense.
    pub(crate) fn is_sound(&self) -> bool {
        let fine = |x: f32| x.is_finite() && x >= 0.0;
        fine(self.scale) && fine(self.norm2) && fine(self.residual)
    }
}

impl CodeKind {
    /// The kind every vector of this dimension is coded in.
    pub(crate) fn for_dim(dim: usize) -> CodeKind {
        if dim < I8_FROM_DIM { CodeKind::F32 } else { CodeKind::I8 }
    }

    /// Bytes of a code, rounded up to 16 so that its metadata can follow.
    pub(crate) fn code_len(self, dim: usize) -> usize {
        match self {
            CodeKind::F32 => dim * 4,
            CodeKind::I8 => dim,
        }
        .next_multiple_of(16)
    }

    /// Bytes the kernels read: [`Self::code_len`] rounded up to 64.
    pub(crate) fn padded_len(self, dim: usize) -> usize {
        self.code_len(dim).next_multiple_of(64)
    }
}

/// Bytes of half an i8 code, rounded up to 16 so that metadata can follow.
pub(crate) fn half_len(dim: usize) -> usize {
    dim.div_ceil(2).next_multiple_of(16)
}

/// The halves of an i8 code of `dim` dimensions; each [`half_len`] bytes or more, beyond the half set to 0.
pub(crate) fn halve(code: &[u8], dim: usize, coarse: &mut [u8], fine: &mut [u8]) {
    let (first, second) = code[..dim].split_at(dim.div_ceil(2));
    let lifted = |code: Option<&u8>| code.map_or(0, |&code| code ^ 0x80);
    for (i, (coarse, fine)) in coarse.iter_mut().zip(fine).enumerate() {
        let (low, high) = (lifted(first.get(i)), lifted(second.get(i)));
        *coarse = (low >> 4) | (high & 0xF0);
        *fine = (low & 15) | (high << 4);
    }
}

/// Length of what the coarse half of a code misses of the decoded code, next to the length of what was coded; 0 for a
/// zero vector.
pub(crate) fn coarseness(code: &[u8], dim: usize, meta: &CodeMeta) -> f32 {
    let missed = |&code: &u8| {
        let fine = f32::from(code & 15) - MIDDLE;
        fine * fine
    };
    let missed: f32 = code[..dim].iter().map(missed).sum();
    if meta.norm2 > 0.0 { meta.scale * (missed / meta.norm2).sqrt() } else { 0.0 }
}

/// What a coarse half takes the fine half to be.
pub(super) const MIDDLE: f32 = 7.5;

/// Codes `v` into `out` ([`CodeKind::padded_len`] bytes, beyond the code set to 0).
pub(crate) fn encode(kind: CodeKind, v: &[f32], out: &mut [u8]) -> CodeMeta {
    debug_assert_eq!(out.len(), kind.padded_len(v.len()));
    let norm2 = sum_of_squares(v);
    match kind {
        CodeKind::F32 => {
            let bytes: &[u8] = bytemuck::cast_slice(v);
            out[..bytes.len()].copy_from_slice(bytes);
            out[bytes.len()..].fill(0);
            CodeMeta { scale: 1.0, sum128: 0, norm2, residual: 0.0 }
        }
        CodeKind::I8 => {
            let (scale, residual) = quantise(v, out, 0);
            out[v.len()..].fill(0);
            let sum: i32 = out[..v.len()].iter().map(|&c| i32::from(c.cast_signed())).sum();
            CodeMeta { scale, sum128: 128 * sum, norm2, residual }
        }
    }
}

/// Writes `round(127 v / max|v|) + shift` to the start of `out`; returns the scale and the residual length.
///
/// The scale is the one that makes what the code misses orthogonal to what it says (least squares). With
/// plain `max|v| / 127` the rounding of similar vectors errs to the same side, which the error bound of
/// `Scorer::likely_error` takes not to happen: points of tight clusters far from the mean then missed
/// themselves.
pub(super) fn quantise(v: &[f32], out: &mut [u8], shift: u8) -> (f32, f32) {
    dispatch(Quantise { v, out, shift })
}

/// The same sums in the same 16 lanes for whichever kernel, and so the same bits.
struct Quantise<'a> {
    v: &'a [f32],
    out: &'a mut [u8],
    shift: u8,
}

impl Task for Quantise<'_> {
    type Out = (f32, f32);

    #[inline(always)]
    fn run<K: Kernel>(self, _kernel: K) -> (f32, f32) {
        quantise_inline(self.v, self.out, self.shift)
    }
}

#[inline(always)]
fn quantise_inline(v: &[f32], out: &mut [u8], shift: u8) -> (f32, f32) {
    // Adding and taking away 1.5 * 2^23 rounds to an integer, ties to even, without a call.
    const ROUND: f32 = 12_582_912.0;
    let mut lanes = [0f32; 16];
    let chunks = v.chunks_exact(16);
    for x in chunks.remainder() {
        lanes[0] = lanes[0].max(x.abs());
    }
    for c in chunks {
        for (l, x) in lanes.iter_mut().zip(c) {
            *l = l.max(x.abs());
        }
    }
    let largest = lanes.iter().fold(0f32, |a, &b| a.max(b));
    if largest < TINY {
        out[..v.len()].fill(shift);
        return (0.0, sum_of_squares(v).sqrt() * 1.000_01);
    }
    let inverse = 127.0 / largest;
    // x . c and c . c for the scale, then what the decoded code misses; 16 sums each, as chunks of 16 are fast.
    let (mut along, mut square) = ([0f32; 16], [0f32; 16]);
    for (xs, os) in v.chunks(16).zip(out[..v.len()].chunks_mut(16)) {
        for (i, (&x, o)) in xs.iter().zip(os).enumerate() {
            let code = (x * inverse + ROUND) - ROUND;
            *o = ((code as i32) + i32::from(shift)) as u8;
            along[i] += x * code;
            square[i] += code * code;
        }
    }
    let scale = along.iter().sum::<f32>() / square.iter().sum::<f32>();
    let mut missed = [0f32; 16];
    for (xs, os) in v.chunks(16).zip(out[..v.len()].chunks(16)) {
        for (i, (&x, &o)) in xs.iter().zip(os).enumerate() {
            let code = if shift == 0 { i32::from(o.cast_signed()) } else { i32::from(o) - i32::from(shift) };
            let r = x - code as f32 * scale;
            missed[i] += r * r;
        }
    }
    (scale, missed.iter().sum::<f32>().sqrt() * 1.000_01)
}

/// Squared length, summed in 16 lanes (fast, and the same bits everywhere).
#[inline(always)]
pub(crate) fn sum_of_squares(v: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let chunks = v.chunks_exact(16);
    for x in chunks.remainder() {
        lanes[0] += x * x;
    }
    for c in chunks {
        for (l, x) in lanes.iter_mut().zip(c) {
            *l += x * x;
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoded_code_is_within_a_step_and_its_residual_is_told() {
        for dim in [16usize, 17, 100, 384] {
            let v: Vec<f32> = (0..dim).map(|i| (i as f32 * 1.7).sin() * 3.0).collect();
            let mut out = vec![9u8; CodeKind::I8.padded_len(dim)];
            let meta = encode(CodeKind::I8, &v, &mut out);
            let missed: f32 = v
                .iter()
                .zip(&out)
                .map(|(x, &c)| {
                    let r = x - f32::from(c.cast_signed()) * meta.scale;
                    assert!(r.abs() <= meta.scale * 0.9, "{dim}: {r}");
                    r * r
                })
                .sum();
            assert!(missed.sqrt() <= meta.residual && meta.residual < missed.sqrt() * 1.001);
            assert!(out[dim..].iter().all(|&c| c == 0));
            let sum: i32 = out.iter().map(|&c| i32::from(c.cast_signed())).sum();
            assert_eq!(meta.sum128, 128 * sum);
        }
    }

    #[test]
    fn halves_put_together_are_the_code() {
        for dim in [16usize, 17, 33, 128, 384] {
            let code: Vec<u8> = (0..dim).map(|i| (i * 37 % 255) as u8).collect();
            let (mut coarse, mut fine) = (vec![7u8; half_len(dim)], vec![7u8; half_len(dim)]);
            halve(&code, dim, &mut coarse, &mut fine);
            let half = dim.div_ceil(2);
            for (i, &c) in code.iter().enumerate() {
                let nibble = |half_of: &[u8]| if i < half { half_of[i] & 15 } else { half_of[i - half] >> 4 };
                assert_eq!(c ^ 0x80, nibble(&coarse) << 4 | nibble(&fine), "{dim}: {i}");
            }
            assert!(coarse[half..].iter().chain(&fine[half..]).all(|&b| b == 0));
        }
    }

    #[test]
    fn zero_and_tiny_vectors_have_sound_codes() {
        for x in [0.0, 1e-38, -1e-31, 1e-29, 1e18] {
            let v = [x; 20];
            let mut out = [0u8; 64];
            let meta = encode(CodeKind::I8, &v, &mut out);
            assert!(meta.is_sound(), "{x}: {meta:?}");
        }
    }
}
