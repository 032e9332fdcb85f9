//! The index on real data: what graphs find, and what memory they take.
#![allow(clippy::unwrap_used)]

use wisen::{Memory, Metric, Options, Query, Store};
use wisen_benches::ann::Problem;
use wisen_benches::data::{self, Stream};
use wisen_benches::measure::Trace;
use wisen_benches::replay::Agent;
use wisen_benches::smaps;
use wisen_tests::{Place, child, vectors};

/// Mean recall@10 with graphs everywhere, at the default width.
fn recall_at_10(queries: &str) -> f64 {
    let problem = Problem::load(&data::shipped().join("ann"), queries, 384, Metric::Cosine).unwrap();
    let place = Place::new();
    let store = place.open(Options::new(384).scan_below(0));
    let memories = problem.base.rows().map(|row| Memory::new("x", row)).collect();
    let all = store.remember_many(memories).unwrap();
    store.seal().unwrap();
    let found = problem.queries.rows().enumerate().map(|(i, query)| {
        let recall = store.recall(&Query::new(query).k(10).receipt(false)).unwrap();
        let rows: Vec<usize> = recall.hits.iter().map(|hit| all.binary_search(&hit.id).unwrap()).collect();
        problem.recall_at_10(i, &rows)
    });
    let mean = found.sum::<f64>() / problem.queries.len() as f64;
    let stats = store.stats().unwrap();
    assert!(stats.graph_searches as usize >= problem.queries.len() && stats.scans == 0, "{stats:?}");
    let verified = store.verify().unwrap();
    assert_eq!((verified.unreachable, verified.sealed), (0, 5000));
    println!("{queries}: recall@10 {mean}");
    mean
}

/// Queries like the data: 98 of 100 true neighbours.
#[test]
fn graphs_find_the_neighbours_of_queries_like_the_data() {
    assert!(recall_at_10("query_id") >= 0.98);
}

/// Queries unlike the data, as agents ask them: 95 of 100.
#[test]
fn graphs_find_the_neighbours_of_other_queries() {
    assert!(recall_at_10("query_ood") >= 0.95);
}

/// Whether graphs or exact scans answer makes no difference to what is learnt.
#[test]
fn graphs_learn_as_well_as_scans() {
    let stream = Stream::load(&data::shipped(), "banking77").unwrap();
    let replay = |options: Options| -> Trace {
        let place = Place::new();
        let mut agent = Agent::create(&place.store(), options, &stream, true).unwrap();
        for event in 0..2000 {
            agent.step(event).unwrap();
        }
        agent.finish().unwrap()
    };
    let exact = replay(Options::new(stream.dimension()).scan_below(usize::MAX));
    let graphs = replay(Options::new(stream.dimension()).scan_below(0).seal_at(256));
    let (exact, graphs) = (exact.hit_rate(0..2000), graphs.hit_rate(0..2000));
    println!("exact {exact}, graphs {graphs}");
    assert!((exact - graphs).abs() <= 0.01, "{exact} {graphs}");
}

/// Remembers, seals by graphs alone, and asks for every vector by itself, at the default width: what comes first is it,
/// or another owner of the same vector.
fn all_found(metric: Metric, rows: &[Vec<f32>], options: Options) {
    let place = Place::new();
    let store = place.open(options.metric(metric).scan_below(0));
    for part in rows.chunks(1000) {
        wisen_tests::fill(&store, part);
    }
    store.seal().unwrap();
    let verified = store.verify().unwrap();
    assert_eq!((verified.unreachable, verified.sealed as usize), (0, rows.len()));
    // What a 32-bit inner product can tell from 1.
    let best = if metric == Metric::L2 { 0.0 } else { 1.0 - 2.4e-7 };
    let is_lost = |row: &&Vec<f32>| {
        let recall = store.recall(&Query::new(row.as_slice()).k(1).receipt(false)).unwrap();
        recall.hits[0].similarity < best
    };
    let lost = rows.iter().filter(is_lost).count();
    assert_eq!(lost, 0, "{metric:?}: {lost} of {} do not find themselves", rows.len());
}

/// Without clusters, many dimensions have hubs that searches end at: nothing may hide behind them.
#[test]
fn every_scattered_vector_finds_itself() {
    let mut random = fastrand::Rng::with_seed(3);
    // About normal.
    let mut number = || (0..6).map(|_| random.f32()).sum::<f32>() - 3.0;
    let rows: Vec<Vec<f32>> = (0..3000).map(|_| (0..384).map(|_| number()).collect()).collect();
    all_found(Metric::L2, &rows, Options::new(384));
}

/// As agents remember: near-duplicates one after another, some of them exact, sealed on the way.
#[test]
fn every_vector_of_bursts_finds_itself() {
    bursts_are_found(32, 12_000);
}

/// The same where codes are kept in halves: the points of a burst are nearer to one another than half a code tells.
#[test]
fn every_vector_of_bursts_finds_itself_by_halves_of_codes() {
    bursts_are_found(384, 6000);
}

/// Points of a burst about as far from one another as half a code is off: what is asked for may be outranked by many.
#[test]
fn every_vector_of_wide_bursts_finds_itself() {
    for seed in 1..3 {
        let mut random = fastrand::Rng::with_seed(seed);
        // About normal.
        let mut number = || (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
        let centres: Vec<Vec<f32>> = (0..60).map(|_| (0..384).map(|_| number()).collect()).collect();
        let mut near =
            |i: usize| -> Vec<f32> { centres[i / 100].iter().map(|x| x + 0.1 * number()).collect() };
        let rows: Vec<Vec<f32>> = (0..6000).map(&mut near).collect();
        all_found(Metric::L2, &rows, Options::new(384).seal_at(10_000));
    }
}

fn bursts_are_found(dim: usize, count: usize) {
    let mut random = fastrand::Rng::with_seed(4);
    let centres = vectors(5, 200, dim);
    let mut near = |i: usize| -> Vec<f32> {
        let spread = if i.is_multiple_of(10) { 0.0 } else { 0.01 };
        centres[i / 60].iter().map(|x| x + spread * (random.f32() - 0.5)).collect()
    };
    let rows: Vec<Vec<f32>> = (0..count).map(&mut near).collect();
    for metric in [Metric::L2, Metric::Cosine] {
        all_found(metric, &rows, Options::new(dim));
    }
}

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let before = smaps::here(&part.store).unwrap();
    let store = Store::open(&part.store, Options::existing()).unwrap();
    for query in vectors(2, 50, 256) {
        store.recall(&Query::new(query)).unwrap();
    }
    let after = smaps::here(&part.store.join("segments")).unwrap();
    child::say(format!("{} {}", after.anonymous.saturating_sub(before.anonymous), after.mapped));
}

/// A process that recalls maps the segment and copies little of it: 40,000 vectors of 256 numbers
/// are 40 MB that stay in the file.
#[test]
#[cfg(target_os = "linux")]
fn segments_are_mapped_not_copied() {
    let place = Place::new();
    let store = place.open(Options::new(256).seal_at(1_000_000).scan_below(usize::MAX));
    for seed in 0..4 {
        fill_many(&store, seed);
    }
    store.seal().unwrap();
    let bytes = store.stats().unwrap().segment_bytes;
    store.close().unwrap();
    let said = child::run("recall", &place.store(), 0);
    let (anonymous, mapped) = said[0].split_once(' ').unwrap();
    let (anonymous, mapped): (u64, u64) = (anonymous.parse().unwrap(), mapped.parse().unwrap());
    println!("segment {bytes} bytes, mapped {mapped}, anonymous {anonymous}");
    assert!(bytes > 50 << 20, "the segment is large enough to tell: {bytes}");
    assert!(mapped >= bytes, "{mapped} of {bytes} are mapped");
    assert!(anonymous < 40 << 20, "{anonymous}");
}

fn fill_many(store: &Store, seed: u64) {
    wisen_tests::fill(store, &vectors(seed, 10_000, 256));
}
