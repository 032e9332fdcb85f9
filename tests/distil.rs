//! Near-duplicates are merged, and nothing is lost by it.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;
use wisen::{
    ErrorCode, Memory, MemoryId, Merge, Options, Outcome, Policy, Query, Report, ReportStatus, StandingState,
    Store, Update,
};
use wisen_tests::{Place, answers, assert_sound, decisions, experience, fill, ids, practise, vectors};

const DIM: usize = 16;
const ALIKE: f32 = 0.999;

/// A vector so near to this one that the two are near-duplicates.
fn nearly(vector: &[f32], n: usize) -> Vec<f32> {
    vector.iter().enumerate().map(|(i, x)| if i == n % DIM { x * 1.001 } else { *x }).collect()
}

/// 100 memories; near-duplicates of some of them, several of the first.
fn doubled(store: &Store) -> (Vec<MemoryId>, Vec<MemoryId>) {
    let points = vectors(1, 100, DIM);
    let all = fill(store, &points);
    let copies = [0, 0, 0, 5, 9, 20].iter().enumerate();
    let doubles = copies.map(|(n, i)| Memory::new(format!("copy {n}"), nearly(&points[*i], n)));
    let doubles = store.remember_many(doubles.collect()).unwrap();
    (all, doubles)
}

fn pairs(merges: &[Merge]) -> Vec<(MemoryId, MemoryId)> {
    let mut pairs: Vec<_> = merges.iter().map(|merge| (merge.survivor, merge.absorbed)).collect();
    pairs.sort_unstable();
    pairs
}

fn shows(store: &Store, id: MemoryId) -> bool {
    let query = Query::new(vectors(99, 1, DIM).remove(0)).k(10_000).receipt(false);
    ids(&store.recall(&query).unwrap()).contains(&id)
}

/// Successes and failures of a memory on the whole.
fn weights(store: &Store, id: MemoryId) -> (f64, f64) {
    let standing = store.standing(id).unwrap();
    ((standing.successes * 1e6).round() / 1e6, (standing.failures * 1e6).round() / 1e6)
}

/// The oldest of those alike survives with the evidence of all; ids and receipts of the others still credit
/// it, in every handle, sealed or not, and after opening again.
#[test]
fn the_survivor_has_the_evidence_of_all() {
    for sealed in [false, true] {
        let place = Place::new();
        let store = place.open(Options::new(DIM));
        let (all, doubles) = doubled(&store);
        if sealed {
            store.seal().unwrap();
        }
        let other = place.open(Options::existing());
        assert!(shows(&other, doubles[0]));
        let here = vectors(1, 1, DIM).remove(0);
        let recall = store.recall(&Query::new(here.clone()).k(5)).unwrap();
        assert!(ids(&recall).contains(&doubles[1]) && ids(&recall).contains(&all[0]));
        experience(&store, &here, 5, all[0], Outcome::Success);
        experience(&store, &here, 5, doubles[0], Outcome::Success);
        store.report(&Report::on_memory(doubles[1], Outcome::Graded(0.25))).unwrap();

        let merged = store.distil("default", ALIKE).unwrap();
        let expected = [
            (all[0], doubles[0]),
            (all[0], doubles[1]),
            (all[0], doubles[2]),
            (all[5], doubles[3]),
            (all[9], doubles[4]),
            (all[20], doubles[5]),
        ];
        assert_eq!(pairs(&merged), expected);
        assert!(merged.iter().all(|merge| merge.similarity >= ALIKE));
        assert_eq!(store.distil("default", ALIKE).unwrap(), [], "once");
        assert_eq!(store.distil("nowhere", ALIKE).unwrap(), []);
        assert_eq!(store.count(None).unwrap(), 100);
        for handle in [&store, &other] {
            assert!(doubles.iter().all(|id| !shows(handle, *id)));
            assert_eq!(weights(handle, all[0]), (2.25, 0.75));
            let hit = &handle.recall(&Query::new(here.clone()).k(3).receipt(false)).unwrap().hits[0];
            assert_eq!((hit.id, hit.evidence.reports), (all[0], 3));
        }
        let record = store.get(doubles[0]).unwrap().unwrap();
        assert_eq!((record.merged_into, record.content.as_str()), (Some(all[0]), "copy 0"));
        assert_eq!(store.get(all[0]).unwrap().unwrap().merged_into, None);

        let report = Report::on(recall.receipt.unwrap(), Outcome::Success).used(doubles[1]);
        let reply = store.report(&report).unwrap();
        assert_eq!((reply.status, reply.credited), (ReportStatus::Credited, vec![(all[0], 1.0)]));
        let reply = store.report(&Report::on_memory(doubles[2], Outcome::Failure)).unwrap();
        assert_eq!(reply.credited, [(all[0], 1.0)]);
        assert_eq!(weights(&other, all[0]), (3.25, 1.75));
        assert_eq!(weights(&other, doubles[2]), (3.25, 1.75), "the old id stands for the survivor");
        assert_sound(&store);
        if sealed {
            store.seal().unwrap();
        }
        store.close().unwrap();
        let store = place.open(Options::existing());
        assert!(!shows(&store, doubles[0]));
        assert_eq!(weights(&store, all[0]), (3.25, 1.75));
        let entries = decisions(&store, 0, 100);
        assert_eq!(entries.len(), 6);
        assert!(entries.iter().all(|entry| entry.op == "merge"));
        assert_eq!(entries[0].detail["survivor"], all[0].0);

        store.separate(doubles[1]).unwrap();
        assert_eq!(weights(&other, doubles[1]), (1.25, 0.75), "also what was told meanwhile");
        assert_eq!(weights(&other, all[0]), (2.0, 1.0));
        assert!(shows(&other, doubles[1]) && store.get(doubles[1]).unwrap().unwrap().merged_into.is_none());
        assert_eq!(store.separate(doubles[1]).unwrap_err().code(), ErrorCode::InvalidArgument);
        assert_eq!(store.separate(MemoryId(999)).unwrap_err().code(), ErrorCode::UnknownMemory);
        assert_eq!(store.count(None).unwrap(), 101);
        assert_sound(&store);
    }
}

/// Mergers of mergers are taken back one by one, in any order.
#[test]
fn chains_come_apart_again() {
    let store = Store::open(":memory:", Options::new(DIM)).unwrap();
    let start = vectors(1, 1, DIM).remove(0);
    fill(&store, &vectors(2, 50, DIM));
    // Each is like the next and not like the one after.
    let mut chain = Vec::new();
    for i in 0..3 {
        let mut vector = start.clone();
        vector[0] += 0.2 * i as f32;
        chain.push(store.remember(Memory::new(format!("{i}"), vector)).unwrap());
    }
    for (i, id) in chain.iter().enumerate() {
        for _ in 0..=i {
            store.report(&Report::on_memory(*id, Outcome::Success)).unwrap();
        }
    }
    let similarity = |a: usize, b: usize| {
        let vector = store.get(chain[a]).unwrap().unwrap().vector;
        let recall = store.recall(&Query::new(vector).k(60).receipt(false)).unwrap();
        recall.hits.iter().find(|hit| hit.id == chain[b]).unwrap().similarity
    };
    let (near, far) = (similarity(1, 2).min(similarity(0, 1)), similarity(0, 2));
    assert!(near > far);
    store.update(chain[0], Update::new().kind("rule")).unwrap();
    assert_eq!(pairs(&store.distil("default", near).unwrap()), [(chain[1], chain[2])]);
    store.update(chain[0], Update::new().kind("note")).unwrap();
    assert_eq!(pairs(&store.distil("default", near).unwrap()), [(chain[0], chain[1])]);
    assert!((weights(&store, chain[0]).0 - 6.0).abs() < 1e-6);
    assert_eq!(store.get(chain[2]).unwrap().unwrap().merged_into, Some(chain[0]));
    assert_sound(&store);
    store.separate(chain[1]).unwrap();
    assert_eq!((weights(&store, chain[0]).0, weights(&store, chain[1]).0), (1.0, 5.0));
    assert_eq!(store.get(chain[2]).unwrap().unwrap().merged_into, Some(chain[1]));
    store.separate(chain[2]).unwrap();
    assert_eq!((weights(&store, chain[1]).0, weights(&store, chain[2]).0), (2.0, 3.0));
    assert_sound(&store);
}

/// A policy merges at remember time: the id of the one that was there comes back; also within a batch.
#[test]
fn a_policy_merges_what_is_remembered_again() {
    let place = Place::new();
    let store = place.open(Options::new(DIM));
    let (all, doubles) = doubled(&store);
    assert!(doubles.iter().all(|id| !all.contains(id)), "not without a policy");
    store.set_policy("default", Policy::new().distil_at(Some(ALIKE))).unwrap();
    let point = vectors(1, 100, DIM).remove(40);
    let again = |n: usize| Memory::new(format!("again {n}"), nearly(&point, n));
    assert_eq!(store.remember(again(0)).unwrap(), all[40]);
    let fresh = vectors(7, 1, DIM).remove(0);
    let batch = vec![
        again(1).kind("rule"),
        again(2),
        Memory::new("fresh", fresh.clone()),
        Memory::new("fresh again", nearly(&fresh, 3)),
        again(3).kind("rule"),
        again(4).time_to_live(Duration::from_mins(1)),
        again(5).namespace("elsewhere"),
    ];
    let stored = store.remember_many(batch).unwrap();
    assert_eq!((stored[1], stored[3], stored[4]), (all[40], stored[2], stored[0]));
    assert!(stored[0] > doubles[5] && stored[2] > stored[0] && stored[5] > stored[2]);
    assert_eq!(store.count(Some("default")).unwrap(), 106 + 3);
    let keyed = again(6).key("k");
    assert_eq!(store.remember(keyed.clone()).unwrap(), all[40]);
    assert_eq!(store.remember(keyed).unwrap(), all[40], "a key stands for the survivor too");
    let entry = decisions(&store, 1, 1).remove(0);
    assert_eq!((entry.op.as_str(), entry.actor.as_str()), ("merge", "engine"));
    let copy = entry.memory.unwrap();
    assert_eq!(store.get(copy).unwrap().unwrap().content, "again 0", "what it said is kept");
    store.separate(copy).unwrap();
    assert!(shows(&store, copy));
    assert_sound(&store);
}

/// What is alike in a batch is merged as if each had been remembered by itself: keys that are there already, given twice
/// or not at all, kinds, and chains of memories of which only neighbours are alike.
#[test]
fn a_batch_is_merged_as_one_by_one() {
    let mut rng = fastrand::Rng::with_seed(4);
    let centres = vectors(1, 30, DIM);
    let mut memories = || -> Vec<Memory> {
        let memory = |rng: &mut fastrand::Rng| {
            let centre = &centres[rng.usize(..30)];
            let vector = centre.iter().map(|x| x + 0.03 * (rng.f32() - 0.5)).collect::<Vec<f32>>();
            Memory::new("x", vector).kind(["note", "rule"][usize::from(rng.u8(..4) == 0)])
        };
        (0..400).map(|_| memory(&mut rng)).collect()
    };
    let (first, mut second) = (memories(), memories());
    for (i, memory) in second.iter_mut().enumerate().filter(|(i, _)| i % 5 == 0) {
        *memory = memory.clone().key(format!("key {i}"));
    }
    // Half of those with keys are there already, and some are given twice.
    let known: Vec<Memory> = second.iter().step_by(10).cloned().collect();
    second.extend(known.iter().skip(20).cloned().collect::<Vec<_>>());
    second.extend(second[200..300].iter().step_by(5).cloned().collect::<Vec<_>>());
    let run = |whole: bool| {
        let store = Store::open(":memory:", Options::new(DIM)).unwrap();
        store.remember_many(known.clone()).unwrap();
        store.set_policy("default", Policy::new().distil_at(Some(ALIKE))).unwrap();
        let mut ids = Vec::new();
        for batch in [&first, &second] {
            if whole {
                ids.extend(store.remember_many(batch.clone()).unwrap());
            } else {
                ids.extend(batch.iter().map(|memory| store.remember(memory.clone()).unwrap()));
            }
        }
        assert_sound(&store);
        (ids, store.count(None).unwrap())
    };
    let (whole, left) = run(true);
    assert_eq!((whole, left), run(false));
    assert!(left > 60 && left < 600, "{left}");
}

/// A memory that is in quarantine does not come back under another id: what is like it is merged into it.
#[test]
fn failures_of_duplicates_add_up() {
    let store = Store::open(":memory:", Options::new(DIM)).unwrap();
    store.set_policy("default", Policy::new().quarantine(true)).unwrap();
    let (all, doubles) = doubled(&store);
    for id in [all[5], doubles[3]] {
        for situation in vectors(id.0, 6, DIM) {
            store.report(&Report::on_memory(id, Outcome::Failure).situation(situation)).unwrap();
        }
        assert_eq!(store.standing(id).unwrap().state, StandingState::Active);
    }
    store.distil("default", ALIKE).unwrap();
    assert_eq!(store.standing(all[5]).unwrap().state, StandingState::Quarantined);
    assert!(!shows(&store, all[5]) && !shows(&store, doubles[3]));
    store.set_policy("default", Policy::new().quarantine(true).distil_at(Some(ALIKE))).unwrap();
    let again = store.remember(Memory::new("again", vectors(1, 6, DIM).remove(5))).unwrap();
    assert_eq!(again, all[5]);
    assert!(!shows(&store, all[5]));
    assert_sound(&store);
}

/// What expires is merged with nothing, what is pinned into nothing; what goes takes along what was merged
/// into it.
#[test]
fn mergers_end_with_the_survivor() {
    let store = Store::open(":memory:", Options::new(DIM)).unwrap();
    let (all, doubles) = doubled(&store);
    store.pin(doubles[3]).unwrap();
    store.update(doubles[4], Update::new().time_to_live(Some(Duration::from_mins(1)))).unwrap();
    store.report(&Report::on_memory(doubles[0], Outcome::Success)).unwrap();
    let merged = pairs(&store.distil("default", ALIKE).unwrap());
    let expected = [(all[0], doubles[0]), (all[0], doubles[1]), (all[0], doubles[2]), (all[20], doubles[5])];
    assert_eq!(merged, expected);
    let refused = store.update(doubles[0], Update::new().content("x")).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidArgument);

    assert!(store.forget(doubles[0]).unwrap(), "one of those merged, by itself");
    assert_eq!(weights(&store, all[0]), (0.0, 0.0), "its evidence goes with it");
    assert!(store.get(doubles[0]).unwrap().is_none());
    assert_eq!(store.count(None).unwrap(), 102);
    assert_sound(&store);

    assert!(store.forget(all[0]).unwrap());
    assert!(store.get(doubles[1]).unwrap().is_none(), "forgotten with the survivor");
    assert_sound(&store);
    let new = Memory::new("new", vectors(8, 1, DIM).remove(0)).supersedes(all[20]);
    let new = store.remember(new).unwrap();
    let record = store.get(doubles[5]).unwrap().unwrap();
    assert_eq!((record.superseded_by, record.merged_into), (Some(all[20]), None));
    assert_eq!(store.get(all[20]).unwrap().unwrap().superseded_by, Some(new));
    assert_eq!(store.separate(doubles[5]).unwrap_err().code(), ErrorCode::InvalidArgument);
    assert_sound(&store);
    assert_eq!(store.drop_namespace("default").unwrap(), 101);
    assert!(store.get(doubles[2]).unwrap().is_none());
    assert_sound(&store);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Merging and taking it back leaves every answer as it was, to the last bit, in every handle.
    #[test]
    fn distil_and_separate_leave_no_trace(
        seed in 0..1000_u64,
        practice in 0..120_usize,
        sealed in any::<bool>(),
        strangers in any::<bool>(),
        backwards in any::<bool>(),
    ) {
        let place = Place::new();
        let store = place.open(Options::new(DIM).scan_below(1000));
        let (all, doubles) = doubled(&store);
        practise(&store, &vectors(seed, practice, DIM));
        for (i, id) in all.iter().chain(&doubles).enumerate().filter(|(i, _)| i % 3 == 0) {
            let mut report = Report::on_memory(*id, Outcome::Graded((i % 5) as f64 / 4.0));
            if strangers {
                report = report.reporter("stranger");
            }
            store.report(&report).unwrap();
        }
        if sealed {
            store.seal().unwrap();
        }
        let other = place.open(Options::existing());
        let queries: Vec<Vec<f32>> =
            vectors(seed + 1, 10, DIM).into_iter().chain(vectors(1, 30, DIM)).collect();
        let before = answers(&store, &queries, 30);
        prop_assert_eq!(&answers(&other, &queries, 30), &before);
        let mut merged = store.distil("default", ALIKE).unwrap();
        prop_assert_eq!(merged.len(), 6);
        prop_assert_ne!(&answers(&other, &queries, 30), &before);
        if sealed {
            store.seal().unwrap();
        }
        if backwards {
            merged.reverse();
        }
        for merge in &merged {
            store.separate(merge.absorbed).unwrap();
        }
        prop_assert_eq!(&answers(&store, &queries, 30), &before);
        prop_assert_eq!(&answers(&other, &queries, 30), &before);
        prop_assert_eq!(&answers(&place.open(Options::existing()), &queries, 30), &before);
        assert_sound(&store);
    }
}
