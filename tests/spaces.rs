//! Namespaces and kinds keep memories apart; paging, counts and figures.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use wisen::{Memory, MemoryId, Metric, Options, Outcome, Query, Store};
use wisen_tests::{Place, assert_sound, brute_force, experience, fill, ids, vectors, whole_vectors};

fn sealed_in(namespace: &str, store: &Store, points: &[Vec<f32>]) -> Vec<MemoryId> {
    let memories = points.iter().map(|v| Memory::new("x", v.clone()).namespace(namespace)).collect();
    store.remember_many(memories).unwrap()
}

/// No recall reaches points, or experience, of a namespace it did not name.
#[test]
fn namespaces_are_isolated() {
    for sealed in [false, true] {
        let store = Store::open(":memory:", Options::new(16).scan_below(0)).unwrap();
        let (a, b) = (vectors(1, 800, 16), vectors(1, 800, 16));
        let in_a = sealed_in("a", &store, &a);
        let alone = store.recall(&Query::new(a[3].clone()).namespace("a").k(20).receipt(false)).unwrap();
        let in_b = sealed_in("b", &store, &b);
        for query in &b[..20] {
            let recall = store.recall(&Query::new(query.clone()).namespace("b").k(5)).unwrap();
            assert!(recall.hits.iter().all(|hit| in_b.contains(&hit.id) && hit.namespace == "b"));
            let report = wisen::Report::on(recall.receipt.unwrap(), Outcome::Failure).used(recall.hits[0].id);
            store.report(&report).unwrap();
        }
        if sealed {
            store.seal().unwrap();
        }
        let again =
            store.recall(&Query::new(a[3].clone()).namespace("a").k(20).width(70).receipt(false)).unwrap();
        assert!(again.hits.iter().all(|hit| in_a.contains(&hit.id)));
        let scores =
            |recall: &wisen::Recall| recall.hits.iter().map(|h| h.score.to_bits()).collect::<Vec<_>>();
        if !sealed {
            assert_eq!(scores(&again), scores(&alone), "experience in b moves nothing in a");
        }
        assert_eq!(again.hits[0].evidence.reports, 0);
        assert!(store.recall(&Query::new(a[3].clone())).unwrap().hits.is_empty(), "default holds nothing");

        assert_eq!(store.drop_namespace("b").unwrap(), 800);
        assert_eq!(store.drop_namespace("b").unwrap(), 0);
        assert!(store.recall(&Query::new(b[0].clone()).namespace("b")).unwrap().hits.is_empty());
        assert_eq!((store.count(None).unwrap(), store.count(Some("b")).unwrap()), (800, 0));
        let anew = sealed_in("b", &store, &b[..3]);
        assert!(anew.iter().all(|id| !in_b.contains(id)));
        let recall = store.recall(&Query::new(b[0].clone()).namespace("b").k(800)).unwrap();
        assert_eq!(ids(&recall).into_iter().collect::<BTreeSet<_>>(), anew.into_iter().collect());
        assert!(recall.hits.iter().all(|hit| hit.evidence.reports == 0), "nothing of the old one is left");
        store.seal().unwrap();
        assert_eq!(store.recall(&Query::new(b[0].clone()).namespace("b").k(9)).unwrap().hits.len(), 3);
        assert_sound(&store);
    }
}

/// What the first recall in a namespace reads does not grow with what others hold.
#[cfg(target_os = "linux")]
#[test]
fn opening_a_namespace_reads_nothing_of_others() {
    let read = || -> u64 {
        let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
        line.parse().unwrap()
    };
    let place = Place::new();
    let store = place.open(Options::new(4));
    let mut took = Vec::new();
    for many in [100, 20_000] {
        sealed_in("large", &store, &vectors(many, many as usize, 4));
        sealed_in("small", &store, &vectors(7, 10, 4));
        store.seal().unwrap();
        let fresh = place.open(Options::existing());
        fresh.stats().unwrap();
        let before = read();
        assert_eq!(
            fresh.recall(&Query::new(vec![1.0; 4]).namespace("small").receipt(false)).unwrap().hits.len(),
            10
        );
        took.push(read() - before);
    }
    // One look through the memories of both would be a megabyte.
    assert!(took[1] < took[0] + 200_000, "{took:?}");
}

/// A recall of one kind gives k hits when there are k, the right ones, however few they are.
#[test]
fn a_kind_is_found_however_rare() {
    let points = whole_vectors(1, 3000, 16);
    let store = Store::open(":memory:", Options::new(16).metric(Metric::L2).scan_below(0)).unwrap();
    let kind = |i: usize| match i {
        _ if i % 1000 == 7 => "rare",
        _ if i % 100 == 3 => "selective",
        _ if i.is_multiple_of(2) => "half",
        _ => "note",
    };
    let memories = points.iter().enumerate().map(|(i, v)| Memory::new("x", v.clone()).kind(kind(i)));
    let all = store.remember_many(memories.collect()).unwrap();
    for phase in ["fresh", "sealed", "sealed and fresh"] {
        for (wanted, k) in [("rare", 3), ("selective", 10), ("half", 10), ("note", 25)] {
            let (mut found, mut asked) = (0, 0);
            for query in whole_vectors(2, 20, 16) {
                let recall = store.recall(&Query::new(query.clone()).kind(wanted).k(k)).unwrap();
                assert_eq!(recall.hits.len(), k, "{phase} {wanted}");
                let of_kind = all.iter().zip(&points).enumerate().filter(|(i, _)| kind(*i) == wanted);
                let best = brute_force(Metric::L2, of_kind.map(|(_, (id, v))| (*id, v)), &query, k);
                let worst = best[k - 1].1;
                for hit in &recall.hits {
                    assert_eq!(kind(all.iter().position(|id| *id == hit.id).unwrap()), wanted);
                    found += usize::from(f64::from(hit.similarity) >= worst);
                }
                asked += k;
            }
            let least = if phase == "fresh" { asked } else { asked * 97 / 100 };
            assert!(found >= least, "{phase} {wanted}: {found} of {asked}");
        }
        let none = store.recall(&Query::new(points[0].clone()).kind("never")).unwrap();
        assert!(none.hits.is_empty());
        if phase == "fresh" {
            store.seal().unwrap();
        } else {
            // Of a kind asked for before, and farther from every query than all others.
            store.remember(Memory::new("x", vec![99.0; 16]).kind("rare")).unwrap();
        }
    }
    assert!(store.stats().unwrap().graph_searches > 0);
    assert_eq!(store.recall(&Query::new(points[0].clone()).kind("rare").k(50)).unwrap().hits.len(), 5);
}

/// Pages and iterators meet every memory once, in the order of ids; counts and figures agree.
#[test]
fn every_memory_is_met_once() {
    let store = Store::open(":memory:", Options::new(8).model("m").seal_at(100_000)).unwrap();
    let a = fill(&store, &vectors(1, 700, 8));
    let b = sealed_in("b", &store, &vectors(2, 300, 8));
    store.forget(a[5]).unwrap();
    let new = store.remember(Memory::new("new", vectors(3, 1, 8).remove(0)).supersedes(a[6])).unwrap();
    let seen =
        |namespace| -> Vec<MemoryId> { store.iter(namespace).map(|record| record.unwrap().id).collect() };
    let mut expected: Vec<MemoryId> = a.iter().chain(&b).copied().filter(|id| *id != a[5]).collect();
    expected.push(new);
    assert_eq!(seen(None), expected, "also what was superseded, not what was forgotten");
    assert_eq!(seen(Some("b")), b);
    assert!(seen(Some("none")).is_empty());
    let mut pages = Vec::new();
    while let Ok(page) = store.page(Some("b"), pages.last().copied().unwrap_or(MemoryId(0)), 7) {
        pages.extend(page.iter().map(|record| record.id));
        if page.len() < 7 {
            break;
        }
    }
    assert_eq!(pages, b);
    assert!(store.page(None, MemoryId(u64::MAX), usize::MAX).unwrap().is_empty());

    experience(
        &store,
        &vectors(4, 1, 8)[0],
        5,
        store.recall(&Query::new(vectors(4, 1, 8).remove(0)).k(5)).unwrap().hits[2].id,
        Outcome::Success,
    );
    let stats = store.stats().unwrap();
    assert_eq!((stats.memories, stats.namespaces, stats.reports, stats.experiences), (999, 2, 1, 1));
    assert_eq!((stats.dimension, stats.metric, stats.model.as_deref()), (8, Metric::Cosine, Some("m")));
    // 1001 were added, and one cell.
    assert_eq!((stats.unsealed, stats.segments, stats.seals, stats.recalls), (1002, 0, 0, 2));
    assert_eq!((store.count(None).unwrap(), store.count(Some("b")).unwrap()), (999, 300));
    let names: Vec<(String, u64)> =
        store.namespaces().unwrap().into_iter().map(|n| (n.name, n.memories)).collect();
    assert_eq!(names, [("b".to_owned(), 300), ("default".to_owned(), 699)]);
    store.seal().unwrap();
    let stats = store.stats().unwrap();
    assert_eq!((stats.unsealed, stats.segments, stats.seals), (0, 1, 1));
    assert!(stats.segment_bytes > 0);
    let found = store.verify().unwrap();
    assert_eq!((found.memories, found.reports, found.cells, found.segments), (1000, 1, 1, 1));
    assert_eq!(found.sealed, 1000, "live memories and a cell");
}
