//! The hot loops, for the bench that holds them against the memory they read. Only under the feature `bench`: no
//! part of the API.
#![allow(missing_docs)]

use simsimd::SpatialSimilarity;

use crate::graph::Layout;
use crate::vector::{
    AlignedBytes, CentreScratch, CodeKind, CodeMeta, Kernel, Metric, Probe, Scorer, Task, dispatch, encode,
    half_len, halve,
};

/// Different rows; the rest repeats them.
const DISTINCT: usize = 2048;

/// Rows as a segment without a graph has them, code and metadata in blocks that begin at a cache line, and the
/// full vectors beside them; and a query.
pub struct Rows {
    metric: Metric,
    dim: usize,
    layout: Layout,
    blocks: AlignedBytes,
    vectors: Vec<f32>,
    probe: Probe,
    /// The query's code as i8, padded.
    code: AlignedBytes,
}

impl Rows {
    /// As many as make about `bytes` of blocks, and about as many bytes of vectors.
    pub fn new(metric: Metric, dim: usize, bytes: usize) -> Rows {
        let kind = CodeKind::for_dim(dim);
        let layout = Layout::new(kind, dim, 0);
        let mut state = 7u64;
        let mut vector = || -> Vec<f32> {
            let mut number = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1 << 24) as f32 - 0.5
            };
            let made: Vec<f32> = (0..dim).map(|_| number()).collect();
            metric.prepare(&made).unwrap_or(made)
        };
        let count = (bytes / layout.stride).max(1);
        let mut blocks = AlignedBytes::zeroed(count * layout.stride);
        let mut padded = vec![0; kind.padded_len(dim)];
        let wanted = (bytes / (4 * dim)).max(1);
        let mut vectors = Vec::with_capacity(wanted * dim);
        for block in blocks.chunks_exact_mut(layout.stride).take(DISTINCT) {
            let made = vector();
            let meta = encode(kind, &made, &mut padded);
            block[..layout.meta_at].copy_from_slice(&padded[..layout.meta_at]);
            block[layout.meta_at..layout.meta_at + 16].copy_from_slice(bytemuck::bytes_of(&meta));
            if vectors.len() < wanted * dim {
                vectors.extend_from_slice(&made);
            }
        }
        let whole = DISTINCT * layout.stride;
        for at in (whole..blocks.len()).step_by(whole) {
            let many = whole.min(blocks.len() - at);
            blocks.copy_within(..many, at);
        }
        let made = vectors.len();
        while vectors.len() < wanted * dim {
            let many = made.min(wanted * dim - vectors.len());
            vectors.extend_from_within(..many);
        }
        let query = vector();
        let mut code = AlignedBytes::zeroed(kind.padded_len(dim));
        encode(kind, &query, &mut code);
        Rows { metric, dim, layout, blocks, vectors, probe: Probe::new(metric, &query), code }
    }

    /// Bytes of the blocks: what the loops over codes read.
    pub fn block_bytes(&self) -> usize {
        self.blocks.len()
    }

    /// Bytes of the vectors: what [`Self::exact`] reads.
    pub fn vector_bytes(&self) -> usize {
        size_of_val(self.vectors.as_slice())
    }

    /// What a search computes for each row.
    pub fn score(&self) -> f32 {
        let mut room = CentreScratch::default();
        dispatch(Scores { rows: self, scorer: self.probe.scorer(&[], false, &mut room) })
    }

    /// The product within [`Self::score`]: query as u8, codes as i8.
    pub fn dot(&self) -> i64 {
        dispatch(Dots { rows: self, codes: false })
    }

    /// The product that building a graph computes: both sides i8.
    pub fn dot_codes(&self) -> i64 {
        dispatch(Dots { rows: self, codes: true })
    }

    /// The same by simsimd.
    pub fn dot_codes_simsimd(&self) -> f64 {
        let query: &[i8] = bytemuck::cast_slice(&self.code[..self.dim]);
        let mut sum = 0.0;
        for block in self.blocks.chunks_exact(self.layout.stride) {
            sum += i8::dot(query, bytemuck::cast_slice(&block[..self.dim])).unwrap_or_default();
        }
        sum
    }

    /// The exact similarity with every vector: simsimd.
    pub fn exact(&self) -> f32 {
        self.vectors.chunks_exact(self.dim).map(|row| self.metric.similarity(self.probe.vector(), row)).sum()
    }
}

/// Blocks with the coarse halves of codes and their metadata, as a walk reads them (cosine); and a query.
pub struct Halves {
    layout: Layout,
    blocks: AlignedBytes,
    probe: Probe,
}

impl Halves {
    /// Those of the codes of `rows`, as many as make about `bytes`.
    pub fn new(rows: &Rows, bytes: usize) -> Halves {
        let (dim, layout) = (rows.dim, Layout::halved(rows.dim, 0));
        let count = (bytes / layout.stride).max(1);
        let mut blocks = AlignedBytes::zeroed(count * layout.stride);
        let (mut fine, codes) = (vec![0; half_len(dim)], rows.blocks.chunks_exact(rows.layout.stride));
        let distinct: Vec<&[u8]> = codes.take(DISTINCT).collect();
        for (block, code) in blocks.chunks_exact_mut(layout.stride).zip(distinct.iter().cycle()) {
            halve(&code[..rows.layout.code_span], dim, &mut block[..half_len(dim)], &mut fine);
            block[layout.meta_at..layout.meta_at + 16]
                .copy_from_slice(&code[rows.layout.meta_at..rows.layout.meta_at + 16]);
        }
        Halves { layout, blocks, probe: rows.probe.clone() }
    }

    /// Bytes of the blocks.
    pub fn bytes(&self) -> usize {
        self.blocks.len()
    }

    /// What a walk computes for each row.
    pub fn score(&self) -> f32 {
        let mut room = CentreScratch::default();
        dispatch(CoarseScores { halves: self, scorer: self.probe.scorer(&[], true, &mut room) })
    }
}

struct CoarseScores<'a> {
    halves: &'a Halves,
    scorer: Scorer<'a>,
}

impl Task for CoarseScores<'_> {
    type Out = f32;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> f32 {
        let Layout { stride, meta_at, code_span, .. } = self.halves.layout;
        let mut sum = 0.0;
        for block in self.halves.blocks.chunks_exact(stride) {
            let meta: &CodeMeta = bytemuck::from_bytes(&block[meta_at..meta_at + 16]);
            sum += self.scorer.coarse(kernel, &block[..code_span], meta);
        }
        sum
    }
}

/// Reads bytes, as wide as the processor can.
pub fn read(bytes: &[u64]) -> u64 {
    dispatch(Read(bytes))
}

struct Scores<'a> {
    rows: &'a Rows,
    scorer: Scorer<'a>,
}

impl Task for Scores<'_> {
    type Out = f32;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> f32 {
        let Layout { stride, meta_at, code_span, .. } = self.rows.layout;
        let mut sum = 0.0;
        for block in self.rows.blocks.chunks_exact(stride) {
            let meta: &CodeMeta = bytemuck::from_bytes(&block[meta_at..meta_at + 16]);
            sum += self.scorer.score(kernel, &block[..code_span], meta);
        }
        sum
    }
}

struct Dots<'a> {
    rows: &'a Rows,
    codes: bool,
}

impl Task for Dots<'_> {
    type Out = i64;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> i64 {
        let Layout { stride, code_span, .. } = self.rows.layout;
        let query = &*self.rows.code;
        let mut sum = 0;
        if self.codes {
            for block in self.rows.blocks.chunks_exact(stride) {
                sum += i64::from(kernel.dot_codes(query, &block[..code_span], 0));
            }
        } else {
            for block in self.rows.blocks.chunks_exact(stride) {
                sum += i64::from(kernel.dot(query, &block[..code_span]));
            }
        }
        sum
    }
}

struct Read<'a>(&'a [u64]);

impl Task for Read<'_> {
    type Out = u64;

    #[inline(always)]
    fn run<K: Kernel>(self, _: K) -> u64 {
        let mut lanes = [0u64; 32];
        for chunk in self.0.chunks_exact(32) {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane ^= x;
            }
        }
        lanes.iter().fold(0, |a, b| a ^ b)
    }
}
