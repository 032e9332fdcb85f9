//! The query's side of an approximate similarity, prepared once per search.

use super::code::{CodeKind, CodeMeta, quantise, sum_of_squares};
use super::kernel::Kernel;
use super::metric::Metric;

/// A query: the prepared vector and its code.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    metric: Metric,
    vector: Box<[f32]>,
    plain: QueryCode,
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

/// Room for the centred query of one search; part of a thread's scratch.
#[derive(Debug, Default)]
pub(crate) struct CentreScratch {
    vector: Vec<f32>,
    code: QueryCode,
}

impl Probe {
    /// `prepared` comes from [`Metric::prepare`] and has the dimension of the store.
    pub(crate) fn new(metric: Metric, prepared: &[f32]) -> Probe {
        let mut plain = QueryCode::default();
        plain.fill(CodeKind::for_dim(prepared.len()), prepared);
        Probe { metric, vector: prepared.into(), plain }
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

    /// What scores codes of a space whose codes were centred on `mean` (empty: not centred).
    pub(crate) fn scorer<'a>(&'a self, mean: &[f32], room: &'a mut CentreScratch) -> Scorer<'a> {
        let kind = CodeKind::for_dim(self.vector.len());
        let mut mean_norm = 0.0;
        let mut base = 0.0;
        let mut code = &self.plain;
        if !mean.is_empty() {
            mean_norm = sum_of_squares(mean).sqrt();
            if self.metric == Metric::L2 {
                room.vector.clear();
                room.vector.extend(self.vector.iter().zip(mean).map(|(q, m)| q - m));
                room.code.fill(kind, &room.vector);
                code = &room.code;
            } else {
                // q.x = q.(x - mean) + q.mean
                base = Metric::Dot.similarity(&self.vector, mean);
            }
        }
        let l2 = self.metric == Metric::L2;
        if l2 {
            base = -code.norm * code.norm;
        }
        let gain = if l2 { 2.0 } else { 1.0 };
        Scorer {
            bytes: &code.bytes,
            kind,
            l2,
            base,
            factor: gain * code.scale,
            norm: code.norm,
            residual: code.residual,
            gain,
            mean_norm,
            dim: self.vector.len(),
            inverse_root_dim: 1.0 / (self.vector.len().max(1) as f32).sqrt(),
        }
    }
}

/// Approximate similarities of one query with codes, and how far they can be off.
///
/// `similarity = base + factor * scale_x * (query . code) - [L2] norm2_x`, where for L2 everything is
/// relative to the mean and `base = -|q|^2`, and otherwise `base = q . mean`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scorer<'a> {
    bytes: &'a [u8],
    kind: CodeKind,
    l2: bool,
    base: f32,
    factor: f32,
    norm: f32,
    residual: f32,
    gain: f32,
    mean_norm: f32,
    dim: usize,
    inverse_root_dim: f32,
}

impl Scorer<'_> {
    /// Approximate similarity with a code ([`CodeKind::padded_len`] bytes or more).
    #[inline(always)]
    pub(crate) fn score<K: Kernel>(&self, kernel: K, code: &[u8], meta: &CodeMeta) -> f32 {
        match self.kind {
            CodeKind::I8 => {
                let raw = kernel.dot(self.bytes, code).wrapping_sub(meta.sum128);
                let value = self.base + self.factor * meta.scale * raw as f32;
                if self.l2 { value - meta.norm2 } else { value }
            }
            CodeKind::F32 => self.score_f32(code),
        }
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
        let l2 = if self.l2 { meta.norm2 } else { 0.0 };
        4e-6 * (self.base.abs() + self.gain * self.norm * (x + self.mean_norm) + l2)
    }

    /// Never less than |exact - approximate|: Cauchy-Schwarz on the two residuals.
    pub(crate) fn certain_error(&self, meta: &CodeMeta) -> f32 {
        let decoded = meta.norm2.sqrt() + meta.residual;
        self.gain * (self.norm * meta.residual + self.residual * decoded) + self.slack(meta)
    }

    /// Four standard deviations of exact - approximate, taking the two residuals as random directions.
    pub(crate) fn likely_error(&self, meta: &CodeMeta) -> f32 {
        let (a, b) = (self.norm * meta.residual, self.residual * meta.norm2.sqrt());
        4.0 * self.gain * (a * a + b * b).sqrt() * self.inverse_root_dim + self.slack(meta)
    }
}
