//! What the tests of this room share: data, segments in memory, brute force.

use std::io::Cursor;
use std::sync::atomic::AtomicBool;

use crate::graph::{BuildParams, Found};
use crate::vector::Metric;

use super::{Bytes, Expect, Segment, SegmentHeader, SpaceInput, SpaceKind, write_segment};

/// Random numbers of the tests.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    /// About normal, mean 0, deviation 1.
    pub(super) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.below(1 << 24) as f32 / (1 << 24) as f32).sum::<f32>() - 6.0
    }

    pub(super) fn vector(&mut self, dim: usize) -> Vec<f32> {
        (0..dim).map(|_| self.normal()).collect()
    }

    /// A vector near another.
    pub(super) fn near(&mut self, v: &[f32], spread: f32) -> Vec<f32> {
        v.iter().map(|x| x + spread * self.normal()).collect()
    }
}

pub(super) fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool")
}

/// Prepares rows; ids are 1000 + 3 * row.
pub(super) fn input(metric: Metric, namespace: u64, rows: &[Vec<f32>]) -> SpaceInput {
    SpaceInput {
        namespace,
        kind: SpaceKind::Memories,
        metric,
        ids: (0..rows.len() as u64).map(|i| 1000 + 3 * i).collect(),
        vectors: rows.iter().flat_map(|r| metric.prepare(r).expect("fit to be stored")).collect(),
        halves: Vec::new(),
        given: None,
    }
}

pub(super) const HEADER: SegmentHeader =
    SegmentHeader { store_id: [7; 16], seq_lo: 10, seq_hi: 20, rows_hash: 99, dim: 0 };

pub(super) fn expect(dim: usize) -> Expect {
    Expect { store_id: HEADER.store_id, dim, seq_lo: 10, seq_hi: 20, rows_hash: 99 }
}

/// A small `graph_from`, so that little data exercises graphs.
pub(super) fn params() -> BuildParams {
    BuildParams { m: 8, ef_construction: 80, graph_from: 2, seed: 5, halves_from: 16 }
}

pub(super) fn write(dim: usize, spaces: Vec<SpaceInput>, params: &BuildParams, threads: usize) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let header = SegmentHeader { dim, ..HEADER };
    let cancel = AtomicBool::new(false);
    let report = write_segment(&mut out, &header, spaces, params, &pool(threads), &cancel)
        .expect("the segment is written");
    assert_eq!(report.bytes, out.get_ref().len() as u64);
    out.into_inner()
}

pub(super) fn open(bytes: Vec<u8>, dim: usize) -> Segment {
    Segment::open(Bytes::heap(bytes), &expect(dim)).expect("a fresh segment opens")
}

/// The best `want` of all, by the definition.
pub(super) fn brute(
    input: &SpaceInput,
    dim: usize,
    query: &[f32],
    want: usize,
    accept: impl Fn(u64) -> bool,
) -> Vec<Found> {
    let mut all: Vec<Found> = input
        .ids
        .iter()
        .zip(input.vectors.chunks_exact(dim))
        .filter(|(id, _)| accept(**id))
        .map(|(&id, v)| Found { id, similarity: input.metric.similarity(query, v) })
        .collect();
    all.sort_by(Found::order);
    all.truncate(want);
    all
}
