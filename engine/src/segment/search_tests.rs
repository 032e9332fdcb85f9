//! Searches against brute force, over the data that breaks indexes.

use std::cell::Cell;
use std::collections::BTreeSet;

use roaring::RoaringTreemap;

use crate::graph::{Accept, BuildParams, Effort, Found, Scratch, TailRow, scan_rows};
use crate::vector::{Metric, Probe};

use super::testing::{Random, brute, expect, input, open, params, write};
use super::{Bytes, Segment, SpaceInput, SpaceKind, verify};

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::Dot, Metric::L2];

fn find(segment: &Segment, metric: Metric, query: &[f32], want: usize, accept: Accept<'_>) -> Vec<Found> {
    let space = segment.space(0, SpaceKind::Memories).expect("the space is there");
    let (mut scratch, mut effort, mut out) = (Scratch::default(), Effort::default(), Vec::new());
    space
        .search(&Probe::new(metric, query), want, 64, accept, &mut scratch, &mut effort, &mut out)
        .expect("the segment is whole");
    assert!(out.windows(2).all(|w| w[0].order(&w[1]).is_lt()), "results are in order, none twice");
    out
}

/// Builds a graph over the rows, with codes in halves and whole; every node is reachable, and each vector finds
/// itself (or, by inner product, something at least as good as brute force says).
fn all_found(metric: Metric, rows: &[Vec<f32>], params: &BuildParams, threads: usize) {
    let dim = rows[0].len();
    let data = input(metric, 0, rows);
    found_in(&open(write(dim, vec![data.clone()], params, threads), dim), metric, rows, &data);
    if dim >= params.halves_from {
        let whole = BuildParams { halves_from: usize::MAX, ..*params };
        found_in(&open(write(dim, vec![data.clone()], &whole, threads), dim), metric, rows, &data);
    }
}

fn found_in(segment: &Segment, metric: Metric, rows: &[Vec<f32>], data: &SpaceInput) {
    let dim = rows[0].len();
    let report = verify(segment);
    assert!(report.is_sound(), "{metric:?} {dim}: {report:?}");
    assert_eq!(report.owners, rows.len() as u64);
    let mut lost = 0;
    for (id, v) in data.ids.iter().zip(data.vectors.chunks_exact(dim)) {
        let found = find(segment, metric, v, 1, Accept::All);
        let best = if metric == Metric::Dot {
            brute(data, dim, v, 1, |_| true)[0].similarity
        } else {
            metric.similarity(v, v)
        };
        if found[0].similarity < best {
            lost += 1;
            eprintln!("{metric:?} {dim}: {id} finds {found:?}, {best} is there");
        }
    }
    // By inner product the best answer need not be the vector itself, and no link is made for it.
    let allowed = if metric == Metric::Dot { rows.len() / 200 } else { 0 };
    assert!(lost <= allowed, "{metric:?} dim {dim}: {lost} of {} not found", rows.len());
}

#[test]
fn an_exact_scan_is_brute_force() {
    let mut random = Random::new(1);
    let scan_only = BuildParams { graph_from: usize::MAX, ..params() };
    for metric in METRICS {
        for dim in [1, 2, 15, 16, 17, 100] {
            let offset = random.vector(dim);
            let mut rows: Vec<Vec<f32>> = (0..600)
                .map(|_| random.vector(dim).iter().zip(&offset).map(|(x, o)| 0.2 * x + 3.0 * o).collect())
                .collect();
            let twin = rows[7].clone();
            rows[400] = twin;
            let data = input(metric, 0, &rows);
            let segment = open(write(dim, vec![data.clone()], &scan_only, 1), dim);
            let tail: Vec<TailRow> = data
                .ids
                .iter()
                .zip(data.vectors.chunks_exact(dim))
                .map(|(&id, v)| TailRow::new(metric, id, v))
                .collect();
            for row in &rows[..20] {
                let query = metric.prepare(&random.near(row, 0.1)).expect("finite");
                for want in [1, 10, 599, 600, 700] {
                    let truth = brute(&data, dim, &query, want, |_| true);
                    assert_eq!(find(&segment, metric, &query, want, Accept::All), truth, "{metric:?} {dim}");
                    let (mut scratch, mut effort, mut out) =
                        (Scratch::default(), Effort::default(), Vec::new());
                    let probe = Probe::new(metric, &query);
                    scan_rows(&probe, tail.iter(), want, Accept::All, &mut scratch, &mut effort, &mut out);
                    assert_eq!(out, truth, "tail, {metric:?} {dim}");
                }
            }
        }
    }
}

#[test]
fn a_graph_finds_nearly_all_of_clustered_and_of_random_data() {
    let mut random = Random::new(2);
    let dim = 48;
    let centres: Vec<Vec<f32>> = (0..60).map(|_| random.vector(dim)).collect();
    let clustered: Vec<Vec<f32>> = (0..6000).map(|i| random.near(&centres[i / 100], 0.15)).collect();
    let scattered: Vec<Vec<f32>> = (0..6000).map(|_| random.vector(dim)).collect();
    for (name, rows, floor) in [("clustered", &clustered, 0.97), ("random", &scattered, 0.94)] {
        for metric in METRICS {
            let data = input(metric, 0, rows);
            let params = BuildParams { m: 16, ef_construction: 120, ..params() };
            let segment = open(write(dim, vec![data.clone()], &params, 2), dim);
            let mut hits = 0;
            for i in 0..200 {
                let query = metric.prepare(&random.near(&rows[i * 29], 0.1)).expect("finite");
                let truth = brute(&data, dim, &query, 10, |_| true);
                let found = find(&segment, metric, &query, 10, Accept::All);
                assert_eq!(found.len(), 10);
                hits += found.iter().filter(|f| truth.contains(f)).count();
            }
            let recall = f64::from(hits as u32) / 2000.0;
            println!("{name} {metric:?}: {recall}");
            assert!(recall >= floor, "{name} {metric:?}: recall {recall}");
        }
    }
}

#[test]
fn every_vector_is_found_at_every_dimension() {
    let mut random = Random::new(3);
    for metric in METRICS {
        for (dim, count) in [(1, 300), (2, 800), (15, 800), (16, 1200), (17, 1200), (384, 700), (4096, 700)] {
            let rows: Vec<Vec<f32>> = (0..count).map(|_| random.vector(dim)).collect();
            all_found(metric, &rows, &params(), 1);
        }
        for count in [1, 2, 3, 9, 40] {
            all_found(metric, &(0..count).map(|_| random.vector(24)).collect::<Vec<_>>(), &params(), 1);
        }
    }
}

#[test]
fn there_is_a_graph_for_every_dimension() {
    let mut random = Random::new(9);
    for dim in 1..=4096 {
        let rows: Vec<Vec<f32>> = (0..20).map(|_| random.vector(dim)).collect();
        all_found(METRICS[dim % 3], &rows, &params(), 1);
    }
}

/// Without clusters, many dimensions have hubs that searches end at.
#[test]
fn every_vector_of_scattered_data_is_found() {
    let mut random = Random::new(10);
    let params = BuildParams { graph_from: 2, ..BuildParams::default() };
    for (metric, dim) in [(Metric::L2, 100), (Metric::Cosine, 100), (Metric::L2, 384)] {
        let rows: Vec<Vec<f32>> = (0..4000).map(|_| random.vector(dim)).collect();
        all_found(metric, &rows, &params, 2);
    }
}

#[test]
fn every_vector_of_hard_data_is_found() {
    let mut random = Random::new(4);
    let dim = 32;
    let distinct: Vec<Vec<f32>> = (0..150).map(|_| random.vector(dim)).collect();
    let grouped: Vec<Vec<f32>> = (0..3000).map(|i| distinct[i / 20].clone()).collect();
    let interleaved: Vec<Vec<f32>> = (0..3000).map(|i| distinct[i % 150].clone()).collect();
    let collinear: Vec<Vec<f32>> =
        (0..2000).map(|i| distinct[0].iter().map(|x| x * (1.0 + i as f32)).collect()).collect();
    let bursts = |random: &mut Random, spread: f32| -> Vec<Vec<f32>> {
        (0..3000).map(|i| random.near(&distinct[i / 100], spread)).collect()
    };
    let loose = bursts(&mut random, 0.01);
    // Nearer to one another than half a step of their codes.
    let tight = bursts(&mut random, 0.001);
    for metric in METRICS {
        for rows in [&grouped, &interleaved, &collinear, &loose, &tight] {
            all_found(metric, rows, &params(), 1);
        }
    }
}

#[test]
fn owners_of_one_vector_are_results_of_their_own() {
    let mut random = Random::new(5);
    let distinct: Vec<Vec<f32>> = (0..100).map(|_| random.vector(20)).collect();
    let rows: Vec<Vec<f32>> = (0..1000).map(|i| distinct[i % 100].clone()).collect();
    let data = input(Metric::L2, 0, &rows);
    let segment = open(write(20, vec![data.clone()], &params(), 1), 20);
    let space = segment.space(0, SpaceKind::Memories).expect("there");
    assert_eq!((space.owners(), space.nodes()), (1000, 100));
    assert_eq!(space.ids().collect::<Vec<_>>(), data.ids);
    assert_eq!(space.vector(data.ids[555]), Ok(Some(data.vectors[555 * 20..556 * 20].into())));
    assert_eq!((space.vector(1), space.contains(1), space.contains(1003)), (Ok(None), false, true));
    let found = find(&segment, Metric::L2, &distinct[3], 25, Accept::All);
    assert_eq!(found, brute(&data, 20, &distinct[3], 25, |_| true));
}

#[test]
fn filters_return_as_many_as_there_are() {
    let mut random = Random::new(6);
    let scattered: Vec<Vec<f32>> = (0..5000).map(|_| random.vector(32)).collect();
    let centres: Vec<Vec<f32>> = (0..50).map(|_| random.vector(128)).collect();
    let clustered: Vec<Vec<f32>> = (0..5000).map(|i| random.near(&centres[i % 50], 0.4)).collect();
    for rows in [scattered, clustered] {
        as_many_as_there_are(&rows);
    }
}

/// Codes are whole below 128 dimensions, and in halves from there on.
fn as_many_as_there_are(rows: &[Vec<f32>]) {
    let dim = rows[0].len();
    let params = BuildParams { halves_from: 128, ..params() };
    for metric in METRICS {
        let data = input(metric, 0, rows);
        let segment = open(write(dim, vec![data.clone()], &params, 2), dim);
        for keep in [2u64, 7, 50, 900, 6000] {
            let ok = |id: u64| (id - 1000).is_multiple_of(3 * keep);
            let mut only: RoaringTreemap = data.ids.iter().copied().filter(|&id| ok(id)).collect();
            only.insert(5); // of another space
            let there = only.len() as usize - 1;
            for i in 0..10 {
                let query = metric.prepare(&rows[i * 31]).expect("finite");
                let truth = brute(&data, dim, &query, 10, ok);
                let called = Cell::new(0);
                let test = |id| {
                    called.set(called.get() + 1);
                    ok(id)
                };
                for accept in [Accept::Only(&only), Accept::Test(&test)] {
                    let found = find(&segment, metric, &query, 10, accept);
                    assert_eq!(found.len(), there.min(10), "{metric:?}, one of {keep}");
                    assert!(found.iter().all(|f| ok(f.id)));
                    let hits = found.iter().filter(|f| truth.contains(f)).count();
                    assert!(hits * 10 >= truth.len() * 7, "{metric:?}, one of {keep}: {hits}");
                }
                assert!(called.get() > 0);
            }
        }
        let empty = RoaringTreemap::new();
        assert_eq!(find(&segment, metric, &data.vectors[..dim], 10, Accept::Only(&empty)), []);
        assert_eq!(find(&segment, metric, &data.vectors[..dim], 10, Accept::Test(&|_| false)), []);
    }
}

/// What a filter lets through lies farthest from what is asked.
#[test]
fn filters_against_the_query_find_what_is_nearest_within() {
    let mut random = Random::new(11);
    let dim = 32;
    let centres: Vec<Vec<f32>> = (0..50).map(|_| random.vector(dim)).collect();
    let rows: Vec<Vec<f32>> = (0..8000).map(|i| random.near(&centres[i % 50], 0.4)).collect();
    for metric in METRICS {
        let data = input(metric, 0, &rows);
        let params = BuildParams { graph_from: 2, ..BuildParams::default() };
        let segment = open(write(dim, vec![data.clone()], &params, 1), dim);
        for i in 0..5 {
            let query = metric.prepare(&rows[i * 131]).expect("finite");
            let all = brute(&data, dim, &query, rows.len(), |_| true);
            for share in [1, 2, 5, 20, 100, 1000, 8000] {
                let far: RoaringTreemap = all[all.len() - all.len() / share..].iter().map(|f| f.id).collect();
                let truth = brute(&data, dim, &query, 10, |id| far.contains(id));
                for accept in [Accept::Only(&far), Accept::Test(&|id| far.contains(id))] {
                    let found = find(&segment, metric, &query, 10, accept);
                    assert_eq!(found.len(), truth.len(), "{metric:?}, one of {share}");
                    let hits = found.iter().filter(|f| truth.contains(f)).count();
                    assert!(
                        hits * 10 >= truth.len() * 9,
                        "{metric:?}, one of {share}: {hits} of {}",
                        truth.len()
                    );
                }
            }
        }
    }
}

#[test]
fn building_at_once_strands_nobody_and_one_thread_repeats_itself() {
    let mut random = Random::new(7);
    let rows: Vec<Vec<f32>> = (0..3000).map(|i| random.near(&[(i / 60) as f32; 16], 0.05)).collect();
    for _ in 0..2 {
        all_found(Metric::L2, &rows, &params(), 4);
    }
    let data = || vec![input(Metric::Dot, 0, &rows)];
    let once = write(16, data(), &params(), 1);
    assert!(once == write(16, data(), &params(), 1), "the same bytes again");
    crate::vector::kernel::force_scalar(true);
    let scalar = write(16, data(), &params(), 1);
    crate::vector::kernel::force_scalar(false);
    assert!(once == scalar, "the same bytes with the scalar kernel");
    assert!(once != write(16, data(), &BuildParams { seed: 6, ..params() }, 1), "the seed matters");
}

#[test]
fn a_segment_keeps_its_spaces_apart_on_the_heap_and_mapped() {
    let mut random = Random::new(8);
    let dim = 24;
    let mut spaces = Vec::new();
    for namespace in [9u64, 0, 4] {
        for kind in [SpaceKind::Experiences, SpaceKind::Memories] {
            let count = if namespace == 4 { 700 } else { 30 };
            let rows: Vec<Vec<f32>> = (0..count).map(|_| random.vector(dim)).collect();
            let mut s = SpaceInput { kind, ..input(Metric::Cosine, namespace, &rows) };
            s.ids.iter_mut().for_each(|id| *id += 100_000 * namespace);
            spaces.push(s);
        }
    }
    let bytes = write(dim, spaces.clone(), &BuildParams { graph_from: 500, ..params() }, 1);
    let file = tempfile::NamedTempFile::new().expect("temporary file");
    std::fs::write(file.path(), &bytes).expect("written");
    let heap = open(bytes, dim);
    let mapped = Segment::open(Bytes::map(file.path()).expect("maps"), &expect(dim)).expect("opens");
    assert_eq!((mapped.file_len(), mapped.seq_lo(), mapped.seq_hi()), (heap.file_len(), 10, 20));
    assert_eq!(mapped.spaces().collect::<Vec<_>>().len(), 6);
    assert!(mapped.spaces().collect::<BTreeSet<_>>().into_iter().eq(heap.spaces()), "ascending");
    assert!(heap.space(5, SpaceKind::Memories).is_none());
    for s in &spaces {
        for segment in [&heap, &mapped] {
            let space = segment.space(s.namespace, s.kind).expect("there");
            assert_eq!(space.has_graph(), s.ids.len() == 700);
            for v in s.vectors.chunks_exact(dim).take(20) {
                let (mut scratch, mut effort, mut out) = (Scratch::default(), Effort::default(), Vec::new());
                let probe = Probe::new(Metric::Cosine, v);
                space.search(&probe, 5, 64, Accept::All, &mut scratch, &mut effort, &mut out).expect("whole");
                assert_eq!(out, brute(s, dim, v, 5, |_| true), "no other space's points, none missed");
                assert!(effort.bytes > 0 && effort.graph_searches + effort.scans > 0 && effort.reranked >= 5);
            }
        }
    }
    let wrong = Probe::new(Metric::L2, &[0.0; 24]);
    let (mut scratch, mut effort, mut out) = (Scratch::default(), Effort::default(), Vec::new());
    let space = heap.space(4, SpaceKind::Memories).expect("there");
    assert!(space.search(&wrong, 5, 64, Accept::All, &mut scratch, &mut effort, &mut out).is_err());
}

/// Thousands of points near one another, which the coarse halves of their codes do not tell apart, among more than a scan is
/// made for: each finds itself, and those nearest to it.
#[test]
fn in_a_large_crowd_each_finds_itself_and_its_neighbours() {
    let mut random = Random::new(31);
    let dim = 64;
    let centre = random.vector(dim);
    let mut rows: Vec<Vec<f32>> = (0..3000).map(|_| random.near(&centre, 0.03)).collect();
    rows.extend((0..8000).map(|_| random.vector(dim)));
    let params = BuildParams { m: 16, ef_construction: 100, ..params() };
    for metric in [Metric::Cosine, Metric::L2] {
        let data = input(metric, 0, &rows);
        let segment = open(write(dim, vec![data.clone()], &params, 2), dim);
        let space = segment.space(0, SpaceKind::Memories).expect("the space is there");
        for v in data.vectors.chunks_exact(dim).take(3000).step_by(30) {
            let (mut scratch, mut effort, mut out) = (Scratch::default(), Effort::default(), Vec::new());
            let probe = Probe::new(metric, v);
            space
                .search(&probe, 10, 16, Accept::All, &mut scratch, &mut effort, &mut out)
                .expect("the segment is whole");
            let truth = brute(&data, dim, v, 10, |_| true);
            assert_eq!(out[0], truth[0], "{metric:?}");
            let hits = out.iter().filter(|found| truth.contains(found)).count();
            assert!(hits >= 9, "{metric:?}: {hits}");
        }
    }
}

/// One vector far longer than all others does not hide them, and can be found.
#[test]
fn a_far_longer_vector_hides_nobody() {
    let mut random = Random::new(32);
    let dim = 32;
    for length in [1e6_f32, 1e9, 1e18] {
        let mut rows: Vec<Vec<f32>> = (0..3000).map(|_| random.vector(dim)).collect();
        rows.push(vec![length / (dim as f32).sqrt(); dim]);
        let data = input(Metric::L2, 0, &rows);
        let segment = open(write(dim, vec![data.clone()], &params(), 2), dim);
        let space = segment.space(0, SpaceKind::Memories).expect("the space is there");
        let mut walks = 0;
        for v in data.vectors.chunks_exact(dim).step_by(100) {
            let (mut scratch, mut effort, mut out) = (Scratch::default(), Effort::default(), Vec::new());
            space
                .search(&Probe::new(Metric::L2, v), 1, 64, Accept::All, &mut scratch, &mut effort, &mut out)
                .expect("the segment is whole");
            assert_eq!(out, brute(&data, dim, v, 1, |_| true), "{length}");
            walks += effort.graph_searches;
        }
        assert!(walks <= 40, "{length}: {walks} walks, and not one for each");
    }
}

/// Squares of numbers this small vanish in f32, and the numbers are told apart all the same.
#[test]
fn very_small_vectors_are_told_apart() {
    let mut random = Random::new(33);
    for (metric, size) in [(Metric::L2, 1e-18_f32), (Metric::L2, 1e-20), (Metric::Dot, 1e-24)] {
        for dim in [8, 64] {
            let rows: Vec<Vec<f32>> =
                (0..1500).map(|_| random.vector(dim).iter().map(|x| x * size).collect()).collect();
            let data = input(metric, 0, &rows);
            let scan_only = BuildParams { graph_from: usize::MAX, ..params() };
            let [segment, graph] =
                [scan_only, params()].map(|params| open(write(dim, vec![data.clone()], &params, 2), dim));
            let tail: Vec<TailRow> = data
                .ids
                .iter()
                .zip(data.vectors.chunks_exact(dim))
                .map(|(&id, v)| TailRow::new(metric, id, v))
                .collect();
            for row in rows.iter().step_by(50) {
                let query: Vec<f32> =
                    if metric == Metric::Dot { row.iter().map(|x| x / size).collect() } else { row.clone() };
                let truth = brute(&data, dim, &query, 10, |_| true);
                assert_eq!(find(&segment, metric, &query, 10, Accept::All), truth, "{metric:?} {size} {dim}");
                assert_eq!(
                    find(&graph, metric, &query, 1, Accept::All),
                    truth[..1],
                    "{metric:?} {size} {dim}"
                );
                let (mut scratch, mut effort, mut out) = (Scratch::default(), Effort::default(), Vec::new());
                let probe = Probe::new(metric, &query);
                scan_rows(&probe, tail.iter(), 10, Accept::All, &mut scratch, &mut effort, &mut out);
                assert_eq!(out, truth, "tail, {metric:?} {size} {dim}");
            }
        }
    }
}
