//! Recall and speed on real sentence embeddings. Not part of the quick tests:
//!
//! `WISEN_ANN_DIR=<folder> cargo test --release -p wisen --lib measure_minilm -- --ignored --nocapture`
//!
//! The folder holds raw little-endian f32 rows of 384: `base.f32` (60,000), and in its folders `id` and `ood`
//! `query.f32` (1,000) and `gt.i32` (rows of their exact neighbours). `WISEN_HALVES_FROM=400` keeps codes whole.

use std::path::Path;
use std::time::Instant;

use crate::graph::{Accept, BuildParams, DEFAULT_WIDTH, Effort, Scratch};
use crate::vector::{Metric, Probe};

use super::testing::{open, write};
use super::{Segment, SpaceInput, SpaceKind, verify};

const DIM: usize = 384;

fn read(dir: &Path, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(dir.join(name)).expect("the data is there");
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[test]
#[ignore = "needs data and minutes"]
fn measure_minilm() {
    let dir = std::env::var("WISEN_ANN_DIR").expect("WISEN_ANN_DIR names the folder");
    let dir = Path::new(&dir);
    let base = read(dir, "base.f32");
    let count: usize =
        std::env::var("WISEN_ANN_COUNT").map_or(base.len() / DIM, |n| n.parse().expect("a number"));
    let input = SpaceInput {
        namespace: 0,
        kind: SpaceKind::Memories,
        metric: Metric::Cosine,
        ids: (0..count as u64).collect(),
        vectors: base[..count * DIM]
            .chunks_exact(DIM)
            .flat_map(|v| Metric::Cosine.prepare(v).expect("unit"))
            .collect(),
        halves: Vec::new(),
        given: None,
    };
    let begun = Instant::now();
    let halves_from = std::env::var("WISEN_HALVES_FROM").map_or(128, |n| n.parse().expect("a number"));
    let params = BuildParams { halves_from, ..BuildParams::default() };
    let bytes = write(DIM, vec![input.clone()], &params, 2);
    println!("build (2 threads) {:.1} s, {} MB", begun.elapsed().as_secs_f64(), bytes.len() >> 20);
    let begun = Instant::now();
    let segment = open(bytes, DIM);
    println!("open {:.1} ms; {:?}", begun.elapsed().as_secs_f64() * 1e3, verify(&segment));

    for name in ["id", "ood"] {
        let dir = dir.join(name);
        let queries = read(&dir, "query.f32");
        let gt = std::fs::read(dir.join("gt.i32")).expect("gt.i32 is there");
        let probes: Vec<Vec<f32>> =
            queries.chunks_exact(DIM).map(|q| Metric::Cosine.prepare(q).expect("unit")).collect();
        let per = gt.len() / 4 / probes.len();
        let nearest = |row: &[u8]| {
            row.chunks_exact(4)
                .take(10)
                .map(|b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
                .collect()
        };
        let truth: Vec<Vec<u64>> = gt.chunks_exact(4 * per).map(nearest).collect();
        for width in [12, 16, 20, 24, 32, 48, 64, 96, 128, 200] {
            measure(&segment, &probes, &truth, width, name);
        }
    }
    self_recall(&segment, &input);
}

fn measure(segment: &Segment, queries: &[Vec<f32>], truth: &[Vec<u64>], width: usize, name: &str) {
    let space = segment.space(0, SpaceKind::Memories).expect("the space is there");
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    let mut best = f64::INFINITY;
    let mut hits = 0;
    let mut effort = Effort::default();
    for _ in 0..8 {
        hits = 0;
        effort = Effort::default();
        let begun = Instant::now();
        for (q, t) in queries.iter().zip(truth) {
            out.clear();
            let probe = Probe::new(Metric::Cosine, q);
            scratch.begin();
            space.search(&probe, 10, width, Accept::All, &mut scratch, &mut effort, &mut out).expect("whole");
            hits += out.iter().filter(|f| t.contains(&f.id)).count();
        }
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let n = queries.len() as f64;
    println!(
        "{name:14} width {width:4}: recall@10 {:.4}, {:7.0} qps, {:6.0} distances, {:7.0} bytes, {:.1} reranked, {:.3} walks",
        hits as f64 / (10.0 * n),
        n / best,
        effort.distances as f64 / n,
        effort.bytes as f64 / n,
        effort.reranked as f64 / n,
        effort.graph_searches as f64 / n,
    );
}

fn self_recall(segment: &Segment, input: &SpaceInput) {
    let space = segment.space(0, SpaceKind::Memories).expect("the space is there");
    let (mut scratch, mut effort, mut out) = (Scratch::default(), Effort::default(), Vec::new());
    let mut lost = 0;
    for (id, v) in input.ids.iter().zip(input.vectors.chunks_exact(DIM)) {
        out.clear();
        let probe = Probe::new(Metric::Cosine, v);
        space
            .search(&probe, 1, DEFAULT_WIDTH, Accept::All, &mut scratch, &mut effort, &mut out)
            .expect("whole");
        lost +=
            usize::from(out[0].id != *id && space.vector(out[0].id).expect("whole").as_deref() != Some(v));
    }
    println!("self-recall at the default width: {lost} of {} not found", input.ids.len());
}
