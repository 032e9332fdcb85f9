//! The query's side of an approximate similarity, prepared once per search.

use std::sync::OnceLock;

use super::code::{CodeKind, CodeMeta, MIDDLE, half_len, quantise, sum_of_squares};
use super::kernel::Kernel;
use super::metric::Metric;

/// A query: the prepared vector and its code.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    metric: Metric,
    vector: Box<[f32]>,
    /// Made when a space is met whose codes are not centred: most are.
    plain: OnceLock<QueryCode>,
}

/// The code of a query: u8 (i8 + 128) in I8 spaces, f32 bytes in F32 ones, padded to 64 bytes with 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct QueryCode {
    bytes: Vec<u8>,
    scale: f32,
    /// Length of what was coded.
    norm: f32,
    /// Length of what the code misses.
    residual: f32,
}

impl QueryCode {
    fn fill(&mut self, kind: CodeKind, v: &[f32]) {
        self.bytes.clear();
        self.bytes.resize(kind.padded_len(v.len()), 0);
        self.norm = sum_of_squares(v).sqrt();
        match kind {
            CodeKind::F32 => {
                let bytes: &[u8] = bytemuck::cast_slice(v);
                self.bytes[..bytes.len()].copy_from_slice(bytes);
                (self.scale, self.residual) = (1.0, 0.0);
            }
            CodeKind::I8 => (self.scale, self.residual) = quantise(v, &mut self.bytes, 128),
        }
    }
}

/// Room for the query of one search as its space needs it; part of a thread's scratch.
#[derive(Debug, Default)]
pub(crate) struct CentreScratch {
    vector: Vec<f32>,
    code: QueryCode,
    /// The code as i8, in the order of the halves: each half padded to 64 bytes with 0.
    halves: Vec<u8>,
}

impl Probe {
    /// `prepared` comes from [`Metric::prepare`] and has the dimension of the store.
    pub(crate) fn new(metric: Metric, prepared: &[f32]) -> Probe {
        Probe { metric, vector: prepared.into(), plain: OnceLock::new() }
    }

    /// The metric the probe was prepared for.
    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    /// The prepared vector.
    pub(crate) fn vector(&self) -> &[f32] {
        &self.vector
    }

    /// Exact similarity with a prepared vector.
    pub(crate) fn exact(&self, vector: &[f32]) -> f32 {
        self.metric.similarity(&self.vector, vector)
    }

    /// What scores codes of a space whose codes were centred on `mean` (empty: not centred), and with `halved` codes
    /// that are kept in halves.
    pub(crate) fn scorer<'a>(
        &'a self,
        mean: &[f32],
        halved: bool,
        room: &'a mut CentreScratch,
    ) -> Scorer<'a> {
        let kind = CodeKind::for_dim(self.vector.len());
        let mut mean_norm = 0.0;
        let mut base = 0.0;
        if !mean.is_empty() {
            mean_norm = sum_of_squares(mean).sqrt();
            if self.metric == Metric::Dot {
                // q.x = q.(x - mean) + q.mean
                base = Metric::Dot.similarity(&self.vector, mean);
            }
        }
        let code = if mean.is_empty() || self.metric == Metric::Dot {
            self.plain.get_or_init(|| {
                let mut plain = QueryCode::default();
                plain.fill(kind, &self.vector);
                plain
            })
        } else {
            room.vector.clear();
            room.vector.extend(self.vector.iter().zip(mean).map(|(q, m)| q - m));
            room.code.fill(kind, &room.vector);
            &room.code
        };
        let l2 = self.metric == Metric::L2;
        let mut share = 0.0;
        if l2 {
            (base, share) = (-code.norm * code.norm, 1.0);
        } else if self.metric == Metric::Cosine && !mean.is_empty() {
            // Of unit vectors, q.x = 1 - |q - x|^2 / 2.
            (base, share) = (1.0 - code.norm * code.norm / 2.0, 0.5);
        }
        let gain = if l2 { 2.0 } else { 1.0 };
        let mut sum = 0;
        if halved {
            let dim = self.vector.len();
            let (first, second) = code.bytes[..dim].split_at(dim.div_ceil(2));
            room.halves.clear();
            for part in [first, second] {
                room.halves.extend(part.iter().map(|&q| q ^ 0x80));
                room.halves.resize(room.halves.len().next_multiple_of(64), 0);
            }
            room.halves.resize(2 * half_len(dim).next_multiple_of(64), 0);
            sum = room.halves.iter().map(|&q| i32::from(q.cast_signed())).sum();
        }
        Scorer {
            bytes: &code.bytes,
            halves: &room.halves,
            sum,
            kind,
            l2,
            share,
            base,
            factor: gain * code.scale,
            norm: code.norm,
            residual: code.residual,
            gain,
            mean_norm,
            dim: self.vector.len(),
            inverse_root_dim: 1.0 / (self.vector.len().max(1) as f32).sqrt(),
            tiny: (self.vector.len() as f32 * f32::MIN_POSITIVE).sqrt(),
        }
    }
}

/// Approximate similarities of one query with codes, and how far they can be off.
///
/// `similarity = base + factor * scale_x * (query . code) - share * norm2_x`. For L2 everything is relative to the
/// mean, `base = -|q|^2` and `share = 1`. For the cosine of unit vectors, too, where there is a mean: half of that, plus
/// 1. Otherwise `base = q . mean` and `share = 0`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scorer<'a> {
    bytes: &'a [u8],
    /// For codes in halves, otherwise whatever it was.
    halves: &'a [u8],
    /// Sum of the query's code as i8, for codes in halves.
    sum: i32,
    kind: CodeKind,
    l2: bool,
    share: f32,
    base: f32,
    factor: f32,
    norm: f32,
    residual: f32,
    gain: f32,
    mean_norm: f32,
    dim: usize,
    inverse_root_dim: f32,
    /// As long as a vector may be whose squared length is too small for f32.
    tiny: f32,
}

impl Scorer<'_> {
    /// Approximate similarity with a code ([`CodeKind::padded_len`] bytes or more).
    #[inline(always)]
    pub(crate) fn score<K: Kernel>(&self, kernel: K, code: &[u8], meta: &CodeMeta) -> f32 {
        match self.kind {
            CodeKind::I8 => self.of(kernel.dot(self.bytes, code).wrapping_sub(meta.sum128) as f32, meta),
            CodeKind::F32 => self.score_f32(code),
        }
    }

    /// The same from the two halves of a code ([`half_len`] bytes padded to 64, or more, of each).
    #[inline(always)]
    pub(crate) fn whole<K: Kernel>(&self, kernel: K, coarse: &[u8], fine: &[u8], meta: &CodeMeta) -> f32 {
        // c = 16 * coarse + fine - 128
        let (coarse, fine) = (kernel.dot_half(self.halves, coarse), kernel.dot_half(self.halves, fine));
        self.of((16 * coarse + fine - 128 * self.sum) as f32, meta)
    }

    /// The same from the coarse half alone, taking every fine half for the middle of its range.
    #[inline(always)]
    pub(crate) fn coarse<K: Kernel>(&self, kernel: K, coarse: &[u8], meta: &CodeMeta) -> f32 {
        let raw = 16 * kernel.dot_half(self.halves, coarse) - 128 * self.sum;
        self.of(raw as f32 + MIDDLE * self.sum as f32, meta)
    }

    /// The similarity that a product of the codes stands for.
    #[inline(always)]
    fn of(&self, raw: f32, meta: &CodeMeta) -> f32 {
        // In this order: the product of two scales may be too small for f32.
        self.base + self.factor * (meta.scale * raw) - self.share * meta.norm2
    }

    fn score_f32(&self, code: &[u8]) -> f32 {
        let lanes = self.bytes.chunks_exact(4).zip(code.chunks_exact(4)).map(|(q, x)| {
            (f32::from_le_bytes([q[0], q[1], q[2], q[3]]), f32::from_le_bytes([x[0], x[1], x[2], x[3]]))
        });
        // A lane beyond the dimension is 0 in the query; in a block the code's metadata may follow there.
        if self.l2 {
            -lanes.take(self.dim).map(|(q, x)| (q - x) * (q - x)).sum::<f32>()
        } else {
            lanes.take(self.dim).map(|(q, x)| q * x).sum()
        }
    }

    /// Rounding of the f32 arithmetic itself, here and in the exact similarity.
    fn slack(&self, meta: &CodeMeta) -> f32 {
        let x = meta.norm2.sqrt();
        4e-6 * (self.base.abs() + self.gain * self.norm * (x + self.mean_norm) + self.share * meta.norm2)
    }

    /// Never less than |exact - approximate|: Cauchy-Schwarz on the two residuals.
    pub(crate) fn certain_error(&self, meta: &CodeMeta) -> f32 {
        let (norm, residual, missed) = self.lengths(meta);
        let decoded = meta.norm2.sqrt() + missed;
        self.gain * (norm * missed + residual * decoded) + self.slack(meta)
    }

    /// Four standard deviations of what a coarse half is off by, taking the fine halves to be anything.
    pub(crate) fn coarse_error(&self, meta: &CodeMeta) -> f32 {
        // 16 values as likely as one another, one step apart, have a variance of (16 * 16 - 1) / 12.
        4.0 * self.gain * (self.norm + self.tiny) * meta.scale * 4.61
    }

    /// Four standard deviations of exact - approximate, taking the two residuals as random directions.
    pub(crate) fn likely_error(&self, meta: &CodeMeta) -> f32 {
        let (norm, residual, missed) = self.lengths(meta);
        // In f64: squares of what f32 can hold.
        let parts = [norm * missed, residual * meta.norm2.sqrt(), residual * missed];
        let both = parts.iter().map(|&part| f64::from(part).powi(2)).sum::<f64>().sqrt() as f32;
        4.0 * self.gain * both * self.inverse_root_dim + self.slack(meta)
    }

    /// Lengths of the query, of what its code misses, and of what this code misses: each no less than it is, although
    /// squares of small numbers vanish in f32.
    fn lengths(&self, meta: &CodeMeta) -> (f32, f32, f32) {
        let tiny = if crate::sabotage::on("squares_vanish") { 0.0 } else { self.tiny };
        (self.norm + tiny, self.residual + tiny, meta.residual + tiny)
    }
}

#[cfg(test)]
mod tests {
    use super::super::code::{encode, half_len, halve};
    use super::super::kernel::{Task, dispatch};
    use super::*;

    /// Scores of one code: whole, from its halves, and from the coarse one.
    struct Scores<'a>(Scorer<'a>, &'a [u8], [&'a [u8]; 2], CodeMeta);

    impl Task for Scores<'_> {
        type Out = [f32; 3];
        #[inline(always)]
        fn run<K: Kernel>(self, kernel: K) -> [f32; 3] {
            let Scores(scorer, code, [coarse, fine], meta) = self;
            [
                scorer.score(kernel, code, &meta),
                scorer.whole(kernel, coarse, fine, &meta),
                scorer.coarse(kernel, coarse, &meta),
            ]
        }
    }

    #[test]
    fn halves_say_together_what_the_code_says_and_the_coarse_one_nearly() {
        for dim in [16usize, 17, 129, 384] {
            for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
                let vector = |s: usize| -> Vec<f32> {
                    let raw: Vec<f32> =
                        (0..dim).map(|i| ((i * i * 31 + i * s * 17 + s) % 101) as f32 / 50.0 - 1.0).collect();
                    metric.prepare(&raw).expect("a good vector")
                };
                let probe = Probe::new(metric, &vector(3));
                for mean in [vec![], vec![0.01; dim]] {
                    let row: Vec<f32> = vector(8);
                    let coded: Vec<f32> =
                        row.iter().enumerate().map(|(i, x)| x - mean.get(i).unwrap_or(&0.0)).collect();
                    let mut code = vec![0; CodeKind::I8.padded_len(dim)];
                    let meta = encode(CodeKind::I8, &coded, &mut code);
                    let span = half_len(dim).next_multiple_of(64);
                    let (mut coarse, mut fine) = (vec![0; span], vec![0; span]);
                    halve(&code, dim, &mut coarse, &mut fine);
                    // What lies beyond a half must count for nothing.
                    coarse[half_len(dim)..].fill(0xAB);
                    let mut room = CentreScratch::default();
                    let scorer = probe.scorer(&mean, true, &mut room);
                    let [score, whole, near] = dispatch(Scores(scorer, &code, [&coarse, &fine], meta));
                    assert_eq!(score.to_bits(), whole.to_bits(), "{metric:?} {dim}");
                    let exact = probe.exact(&row);
                    assert!((whole - exact).abs() <= scorer.certain_error(&meta));
                    let lengths =
                        probe.vector().iter().map(|x| x * x).sum::<f32>().sqrt() * meta.norm2.sqrt();
                    assert!((near - exact).abs() <= 0.1 * lengths, "{metric:?} {dim}: {near} {exact}");
                }
            }
        }
    }
}
