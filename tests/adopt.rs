//! Adopting indexes of the crate `hnsw_rs`: whole, findable, and refused where they do not fit.
#![allow(clippy::unwrap_used)]

use std::fs;

use hnsw_rs::anndists::dist::distances::{DistCosine, DistDot, DistL1, DistL2, Distance};
use hnsw_rs::hnsw::Hnsw;
use serde_json::json;
use wisen::{
    Adopted, Error, ErrorCode, Memory, MemoryId, Metric, Options, Outcome, Policy, Query, Store, Update,
};
use wisen_tests::{Place, assert_sound, brute_force, experience, ids, segment_files, vectors};

const DIM: usize = 24;

/// `groups` bursts of near-duplicates, one after the other, as agents remember.
fn bursts(seed: u64, groups: usize, each: usize) -> Vec<Vec<f32>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut number = move || rng.f32() * 2.0 - 1.0;
    let mut points = Vec::new();
    for _ in 0..groups {
        let centre: Vec<f32> = (0..DIM).map(|_| number()).collect();
        points.extend((0..each).map(|_| centre.iter().map(|x| x + 0.01 * number()).collect::<Vec<f32>>()));
    }
    points
}

/// Built one after the other on one thread, so always the same.
fn index<D: Distance<f32> + Send + Sync>(
    points: &[Vec<f32>],
    m: usize,
    distance: D,
) -> Hnsw<'static, f32, D> {
    let index = Hnsw::new(m, points.len(), 16, 60, distance);
    for (i, point) in points.iter().enumerate() {
        index.insert((point, i));
    }
    index
}

fn text(i: usize) -> String {
    format!("text {i}")
}

fn take<D: Distance<f32> + Send + Sync + 'static>(store: &Store, index: &Hnsw<'_, f32, D>) -> Adopted {
    store.adopt(index, "default", |i, vector| Memory::new(text(i), vector)).unwrap()
}

/// Every point is found by its own vector at the default width.
fn assert_all_found(store: &Store, points: &[Vec<f32>], ids: &[(usize, MemoryId)]) {
    for (i, id) in ids {
        let recall = store.recall(&Query::new(points[*i].clone()).k(1).receipt(false)).unwrap();
        let same = |other: MemoryId| points[other.0 as usize - ids[0].1.0 as usize] == points[*i];
        assert!(recall.hits[0].id == *id || same(recall.hits[0].id), "{i} finds {:?}", recall.hits[0]);
    }
}

/// An index that cannot find some of its points finds all of them once it is adopted, and answers well; its
/// file is mapped and its memories are memories.
#[test]
fn an_adopted_index_finds_every_point() {
    let points = bursts(1, 40, 50);
    let index = index(&points, 8, DistL2);
    let place = Place::new();
    let options = || Options::new(DIM).metric(Metric::L2).scan_below(0);
    let store = place.open(options());
    let adopted = take(&store, &index);
    println!(
        "{} of {} reachable, {} links added",
        adopted.reachable_before,
        points.len(),
        adopted.links_added
    );
    assert!(adopted.reachable_before < points.len() as u64, "the index strands some");
    assert_eq!(adopted.reachable_after, points.len() as u64);
    assert!(adopted.links_added > 0);
    assert!(adopted.ids.iter().enumerate().all(|(i, (data, _))| i == *data), "by number, none missing");
    let stats = store.stats().unwrap();
    assert_eq!((stats.segments, stats.unsealed, stats.memories), (1, 0, 2000));
    drop(index);
    store.close().unwrap();

    let store = place.open(options());
    assert_sound(&store);
    assert_all_found(&store, &points, &adopted.ids);
    let mut hits = 0;
    for i in (0..points.len()).step_by(10) {
        let near: Vec<f32> = points[i].iter().map(|x| x + 0.001).collect();
        let recall = store.recall(&Query::new(near.clone()).k(10).content(true).receipt(false)).unwrap();
        let exact = brute_force(Metric::L2, adopted.ids.iter().map(|(i, id)| (*id, &points[*i])), &near, 10);
        hits += recall.hits.iter().filter(|hit| exact.iter().any(|(id, _)| *id == hit.id)).count();
        let best = &recall.hits[0];
        let number = adopted.ids.iter().find(|(_, id)| *id == best.id).unwrap().0;
        assert_eq!(best.content.as_deref(), Some(&*text(number)));
    }
    assert!(hits >= 1900, "recall@10 is {hits} of 2000");
    let stats = store.stats().unwrap();
    assert!(stats.graph_searches > 2000 && stats.scans == 0, "{stats:?}");
}

/// Exact duplicates become owners of one node; ids given twice, threads, every metric, few and many links
/// and few dimensions are all the same to it.
#[test]
fn whatever_the_index_is_like() {
    let mut points = bursts(2, 30, 20);
    for copy in 0..300 {
        points.push(points[copy * 2].clone());
    }
    let unit = |v: &Vec<f32>| -> Vec<f32> {
        let length = v.iter().map(|x| x * x).sum::<f32>().sqrt();
        v.iter().map(|x| x / length * 0.9999).collect()
    };
    let units: Vec<Vec<f32>> = points.iter().map(unit).collect();
    let sound = |metric, points: &[Vec<f32>], adopt: &dyn Fn(&Store) -> Adopted| {
        let place = Place::new();
        let store = place.open(Options::new(points[0].len()).metric(metric).scan_below(0));
        let adopted = adopt(&store);
        assert_eq!(adopted.reachable_after, points.len() as u64);
        assert_sound(&store);
        if metric != Metric::Dot {
            assert_all_found(&store, points, &adopted.ids);
        }
    };
    for m in [2, 16, 130, 256] {
        sound(Metric::Cosine, &points, &|store| take(store, &index(&points, m, DistCosine)));
    }
    sound(Metric::Cosine, &units, &|store| take(store, &index(&units, 16, DistDot)));
    sound(Metric::Dot, &units, &|store| take(store, &index(&units, 16, DistDot)));
    let flat: Vec<Vec<f32>> = points.iter().map(|v| v[..3].to_vec()).collect();
    sound(Metric::L2, &flat, &|store| take(store, &index(&flat, 4, DistL2)));
    sound(Metric::L2, &points[..1], &|store| take(store, &index(&points[..1], 16, DistL2)));
    let threads = Hnsw::new(12, points.len(), 16, 100, DistL2);
    threads.parallel_insert(&points.iter().enumerate().map(|(i, v)| (v, i)).collect::<Vec<_>>());
    sound(Metric::L2, &points, &|store| take(store, &threads));
    // The same number for several points: each is a memory.
    let same = Hnsw::new(12, 10, 16, 100, DistL2);
    points[..10].iter().for_each(|v| same.insert((v, 7)));
    let store = Store::open(":memory:", Options::new(DIM).metric(Metric::L2)).unwrap();
    let adopted = take(&store, &same);
    assert!(adopted.ids.iter().all(|(data, _)| *data == 7) && store.count(None).unwrap() == 10);
}

/// What does not fit is refused by name, and nothing of it stays.
#[test]
fn an_index_that_does_not_fit_is_refused_whole() {
    let points = bursts(3, 4, 10);
    let place = Place::new();
    let store = place.open(Options::new(DIM));
    let empty = || {
        let stats = store.stats().unwrap();
        assert_eq!((stats.memories, stats.segments, stats.unsealed), (0, 0, 0));
        assert_sound(&store);
    };
    let make = |i: usize, vector: &[f32]| Memory::new(text(i), vector);
    let code = |result: wisen::Result<Adopted>| {
        let error = result.unwrap_err();
        empty();
        (error.code(), error.to_string())
    };
    let (wrong, why) = code(store.adopt(&index(&points, 8, DistL2), "default", make));
    assert!(wrong == ErrorCode::InvalidArgument && why.contains("DistL2") && why.contains("cosine"), "{why}");
    let (wrong, why) = code(store.adopt(&index(&points, 8, DistL1), "default", make));
    assert!(wrong == ErrorCode::InvalidArgument && why.contains("DistL1"), "{why}");
    let short: Vec<Vec<f32>> = points.iter().map(|v| v[1..].to_vec()).collect();
    let (wrong, _) = code(store.adopt(&index(&short, 8, DistCosine), "default", make));
    assert_eq!(wrong, ErrorCode::WrongDimension);
    let none: Hnsw<'_, f32, DistCosine> = Hnsw::new(8, 10, 16, 100, DistCosine);
    let (wrong, why) = code(store.adopt(&none, "default", make));
    assert!(wrong == ErrorCode::InvalidArgument && why.contains("0 points"), "{why}");
    // A first point is compared with no other, so hnsw_rs takes whatever it is.
    for (bad, expected) in [(f32::NAN, ErrorCode::NotFinite), (0.0, ErrorCode::ZeroVector)] {
        let odd = Hnsw::new(8, 10, 16, 100, DistCosine);
        odd.insert((&[bad; DIM], 0));
        assert_eq!(code(store.adopt(&odd, "default", make)).0, expected);
    }
    let good = index(&points, 8, DistCosine);
    let (wrong, why) = code(store.adopt(&good, "", make));
    assert!(wrong == ErrorCode::InvalidArgument && why.contains("namespace"), "{why}");
    let moved = store.adopt(&good, "default", |i, vector| {
        Memory::new(text(i), if i == 5 { vec![1.0; DIM] } else { vector.to_vec() })
    });
    assert!(matches!(moved.as_ref().unwrap_err(), Error::Row { row: 5, .. }), "{moved:?}");
    let twice = |i: usize, vector: &[f32]| make(i, vector).key("one");
    assert_eq!(code(store.adopt(&good, "default", twice)).0, ErrorCode::KeyConflict);
    let mut policy = Policy::default();
    policy.distil_at = Some(0.99);
    store.set_policy("merging", policy).unwrap();
    let (wrong, why) = code(store.adopt(&good, "merging", make));
    assert!(wrong == ErrorCode::InvalidArgument && why.contains("near-duplicates"), "{why}");

    let lone = store.remember(Memory::new("here first", points[0].clone()).namespace("taken")).unwrap();
    let error = store.adopt(&good, "taken", make).unwrap_err();
    assert!(error.code() == ErrorCode::InvalidArgument && error.to_string().contains("taken"), "{error}");
    assert_eq!(store.count(None).unwrap(), 1);
    store.forget(lone).unwrap();
    assert_eq!(store.adopt(&good, "taken", make).unwrap().reachable_after, 40);
    store.close().unwrap();
    let reader = place.open(Options::existing().read_only(true));
    assert_eq!(reader.adopt(&good, "another", make).unwrap_err().code(), ErrorCode::ReadOnly);
}

/// What was adopted is updated, forgotten, reported on, merged, lost and built again as anything else.
#[test]
fn adopted_memories_are_like_all_others() {
    let points = bursts(4, 30, 40);
    let place = Place::new();
    let options = || Options::new(DIM).scan_below(0).seal_at(1_000_000);
    let store = place.open(options());
    let before = vectors(5, 300, DIM);
    let others = |name: &str, vectors: &[Vec<f32>]| {
        let memories = vectors.iter().map(|v| Memory::new("other", v.clone()).namespace(name)).collect();
        store.remember_many(memories).unwrap()
    };
    others("sealed before", &before);
    store.seal().unwrap();
    let waiting = others("unsealed", &before[..50]);
    let adopted = store
        .adopt(&index(&points, 8, DistCosine), "default", |i, vector| {
            Memory::new(text(i), vector).key(format!("key {i}")).metadata(json!({ "n": i }))
        })
        .unwrap();
    assert_eq!((adopted.reachable_after, store.stats().unwrap().unsealed), (1200, 0));
    let own = store.recall(&Query::new(before[3].clone()).namespace("unsealed").k(1)).unwrap();
    assert_eq!(ids(&own), [waiting[3]]);
    assert_eq!(store.get(adopted.ids[17].1).unwrap().unwrap().metadata, json!({ "n": 17 }));

    let id = |i: usize| adopted.ids[i].1;
    store.forget(id(10)).unwrap();
    let far: Vec<f32> = points[20].iter().map(|x| -x).collect();
    store.update(id(20), Update::new().vector(far.clone())).unwrap();
    let nearest =
        |store: &Store, query: &[f32]| ids(&store.recall(&Query::new(query).k(1).receipt(false)).unwrap())[0];
    let best = |query: &[f32]| nearest(&store, query);
    assert_ne!(best(&points[10]), id(10));
    assert_eq!(best(&far), id(20));
    for _ in 0..3 {
        experience(&store, &points[30], 50, id(31), Outcome::Success);
    }
    assert_eq!(best(&points[30]), id(31));
    others("default", &before);
    store.seal().unwrap();
    assert_sound(&store);
    store.compact().unwrap();
    assert_sound(&store);
    assert_eq!((best(&points[30]), best(&far)), (id(31), id(20)));
    store.close().unwrap();

    fs::remove_dir_all(place.store().join("segments")).unwrap();
    let store = place.open(options());
    assert_eq!(store.count(Some("default")).unwrap(), 1199 + 300);
    store.seal().unwrap();
    assert_eq!((store.stats().unwrap().segments, nearest(&store, &points[30])), (1, id(31)));
    store.close().unwrap();
    // The handle that met the loss names it until it is closed.
    let store = place.open(options());
    assert_eq!(segment_files(&place.store()).len(), 1);
    assert_sound(&store);
}
