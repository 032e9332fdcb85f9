//! What a fuzzer outside of this crate attacks. Only under the feature `fuzzing`: no part of the API.
#![allow(missing_docs)]

use std::io::Cursor;
use std::sync::atomic::AtomicBool;

use crate::graph::{Accept, BuildParams, Effort, Scratch, Want};
use crate::segment::{
    Bytes, Expect, Segment, SegmentHeader, SpaceInput, SpaceKind, reseal, verify, write_segment,
};
use crate::vector::{Metric, Probe, to_half};

const DIM: usize = 4;
const SPACES: [(u64, SpaceKind); 3] =
    [(0, SpaceKind::Memories), (0, SpaceKind::Experiences), (9, SpaceKind::Memories)];

fn expect() -> Expect {
    Expect { store_id: [7; 16], dim: DIM, seq_lo: 1, seq_hi: 9, rows_hash: 5 }
}

/// A sound segment to begin with: two graphs and a scan; the vectors of the scan are in f32, the others in f16.
pub fn segment_seed() -> Vec<u8> {
    let point =
        |i: usize, off: f32| -> Vec<f32> { (0..DIM).map(|d| ((i * 7 + d * 13) % 29) as f32 - off).collect() };
    let space = |namespace, kind, n: usize| SpaceInput {
        namespace,
        kind,
        metric: Metric::L2,
        ids: (0..n as u64).map(|i| 100 + i).collect(),
        vectors: (0..n).flat_map(|i| point(i, if n < 10 { 14.1 } else { 14.0 })).collect(),
        // The vectors of the small one are no f16.
        halves: if n < 10 {
            Vec::new()
        } else {
            to_half(&(0..n).flat_map(|i| point(i, 14.0)).collect::<Vec<_>>())
        },
        given: None,
    };
    let spaces =
        SPACES.iter().zip([24, 12, 3]).map(|((namespace, kind), n)| space(*namespace, *kind, n)).collect();
    let build = BuildParams { m: 4, graph_from: 8, ..BuildParams::default() };
    let header = SegmentHeader { store_id: [7; 16], seq_lo: 1, seq_hi: 9, rows_hash: 5, dim: DIM };
    let mut out = Cursor::new(Vec::new());
    if let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        let _ = write_segment(&mut out, &header, spaces, &build, &pool, &AtomicBool::new(false));
    }
    out.into_inner()
}

/// Opens bytes as a segment, with their checksums made right first if the last byte is odd, checks and
/// searches it. Whatever the bytes: no panic, no end that does not come.
pub fn segment(bytes: &[u8]) {
    let Some((last, bytes)) = bytes.split_last() else { return };
    let mut bytes = bytes.to_vec();
    if last % 2 == 1 {
        reseal(&mut bytes);
    }
    let Ok(segment) = Segment::open(Bytes::heap(bytes), &expect()) else { return };
    verify(&segment);
    let (mut scratch, mut effort) = (Scratch::default(), Effort::default());
    let probe = Probe::new(Metric::L2, &[f32::from(*last), 1.0, -3.0, 0.5]);
    let even = |id: u64| id.is_multiple_of(2);
    let spaces: Vec<(u64, SpaceKind)> =
        segment.spaces().map(|(namespace, kind, _)| (namespace, kind)).collect();
    for (namespace, kind) in spaces.into_iter().take(8) {
        let Some(space) = segment.space(namespace, kind) else { continue };
        for accept in [Accept::All, Accept::Test(&even)] {
            let mut out = Vec::new();
            let _ = space.search(
                &probe,
                Want { best: 5, sure: 2 },
                8,
                accept,
                &mut scratch,
                &mut effort,
                &mut out,
            );
            assert!(out.len() <= 5);
        }
        let _ = space.vector(101);
    }
}
