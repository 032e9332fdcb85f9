//! What happens to a memory from being remembered to being forgotten.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wisen::{
    Clock, ErrorCode, ManualClock, Memory, MemoryId, Options, Outcome, Query, Report, ReportStatus, Store,
    Update,
};
use wisen_tests::{Place, assert_sound, experience, fill, ids, vectors};

fn with_clock() -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000_000));
    (Store::open(":memory:", Options::new(16).clock(clock.clone())).unwrap(), clock)
}

fn first(store: &Store, query: &[f32]) -> MemoryId {
    store.recall(&Query::new(query).k(1)).unwrap().hits[0].id
}

fn shows(store: &Store, id: MemoryId) -> bool {
    let query = vectors(99, 1, 16).remove(0);
    ids(&store.recall(&Query::new(query).k(10_000)).unwrap()).contains(&id)
}

/// A change is seen by the next recall; what it does not name stays; evidence stays. Sealed or not.
#[test]
fn an_update_changes_what_it_names() {
    for sealed in [false, true] {
        let (store, clock) = with_clock();
        let points = vectors(1, 120, 16);
        let all = fill(&store, &points);
        let there = vectors(2, 1, 16).remove(0);
        experience(&store, &points[7], 1, all[7], Outcome::Success);
        if sealed {
            store.seal().unwrap();
        }
        clock.advance(Duration::from_secs(1));
        store.update(all[7], Update::new().vector(there.clone())).unwrap();
        assert_eq!(first(&store, &there), all[7], "sealed {sealed}: found at its new place");
        let old = store.recall(&Query::new(points[7].clone()).k(200)).unwrap();
        let hit = old.hits.iter().find(|hit| hit.id == all[7]).unwrap();
        assert!(hit.similarity < 0.999, "and no more at the old one");
        assert_eq!(hit.evidence.reports, 1, "its evidence stays");
        assert_eq!(old.hits.iter().filter(|hit| hit.id == all[7]).count(), 1, "once");

        let change = Update::new().content("new").kind("rule").metadata(json!({"a": 1}));
        store.update(all[7], change).unwrap();
        let record = store.get(all[7]).unwrap().unwrap();
        assert_eq!((record.content.as_str(), record.kind.as_str()), ("new", "rule"));
        assert_eq!((record.metadata, record.vector), (json!({"a": 1}), there.clone()));
        assert!(record.updated_at > record.created_at);
        let rules = store.recall(&Query::new(there.clone()).kind("rule").content(true)).unwrap();
        assert_eq!(ids(&rules), [all[7]]);
        assert_eq!(rules.hits[0].content.as_deref(), Some("new"));
        let notes = store.recall(&Query::new(there.clone()).kind("note").k(500)).unwrap();
        assert!(!ids(&notes).contains(&all[7]) && notes.hits.len() == 119);

        store.update(all[7], Update::new().time_to_live(Some(Duration::from_secs(5)))).unwrap();
        clock.advance(Duration::from_secs(6));
        assert!(!shows(&store, all[7]));
        store.update(all[7], Update::new().time_to_live(None)).unwrap();
        assert!(shows(&store, all[7]), "it was not swept yet, and lives again");
        store.seal().unwrap();
        assert_eq!(first(&store, &there), all[7], "after sealing too");
        assert_eq!(store.update(MemoryId(999), Update::new()).unwrap_err().code(), ErrorCode::UnknownMemory);
        assert_sound(&store);
    }
}

/// A memory that was replaced is no hit any more, names its successor, and cannot be changed.
#[test]
fn a_superseded_memory_is_no_hit() {
    for sealed in [false, true] {
        let (store, _) = with_clock();
        let all = fill(&store, &vectors(1, 120, 16));
        if sealed {
            store.seal().unwrap();
        }
        let here = vectors(1, 120, 16).remove(5);
        let new = store.remember(Memory::new("better", here.clone()).supersedes(all[5])).unwrap();
        assert_eq!(first(&store, &here), new);
        assert!(!shows(&store, all[5]));
        assert_eq!(store.get(all[5]).unwrap().unwrap().superseded_by, Some(new));
        assert_eq!(store.count(None).unwrap(), 120);
        let change = store.update(all[5], Update::new().content("x")).unwrap_err();
        assert_eq!(change.code(), ErrorCode::InvalidArgument);
        let again = store.remember(Memory::new("x", here.clone()).supersedes(all[5])).unwrap_err();
        assert_eq!(again.code(), ErrorCode::InvalidArgument);
        let none = store.remember(Memory::new("x", here).supersedes(MemoryId(777))).unwrap_err();
        assert_eq!(none.code(), ErrorCode::UnknownMemory);
        store.seal().unwrap();
        assert!(!shows(&store, all[5]));
        assert_sound(&store);
    }
}

/// Past its time a memory is no hit; the next seal deletes it.
#[test]
fn an_expired_memory_is_no_hit_and_goes() {
    for sealed in [false, true] {
        let (store, clock) = with_clock();
        fill(&store, &vectors(1, 60, 16));
        let mortal = vectors(3, 60, 16);
        let short: Vec<MemoryId> = mortal
            .iter()
            .map(|v| {
                store.remember(Memory::new("short", v.clone()).time_to_live(Duration::from_mins(1))).unwrap()
            })
            .collect();
        if sealed {
            store.seal().unwrap();
        }
        assert!(shows(&store, short[3]));
        clock.advance(Duration::from_millis(60_001));
        let recall = store.recall(&Query::new(mortal[3].clone()).k(60)).unwrap();
        assert_eq!(recall.hits.len(), 60, "the others fill the places");
        assert!(recall.hits.iter().all(|hit| !short.contains(&hit.id)));
        fill(&store, &vectors(4, 1, 16));
        store.seal().unwrap();
        assert!(short.iter().all(|id| store.get(*id).unwrap().is_none()));
        assert_eq!(store.count(None).unwrap(), 61);
        assert_eq!(store.stats().unwrap().memories, 61);
        assert_sound(&store);
    }
}

/// The key of a memory whose time is over is free: remembering it again makes it a hit again.
#[test]
fn an_expired_memory_gives_up_its_key() {
    let (store, clock) = with_clock();
    let here = vectors(5, 1, 16).remove(0);
    let memory = Memory::new("fact", here.clone()).key("fact").time_to_live(Duration::from_mins(1));
    let old = store.remember(memory.clone()).unwrap();
    assert_eq!(store.remember(memory.clone()).unwrap(), old);
    clock.advance(Duration::from_secs(61));
    let new = store.remember(memory).unwrap();
    assert_ne!(new, old);
    assert_eq!(ids(&store.recall(&Query::new(here)).unwrap()), [new]);
    assert_sound(&store);
}

/// Forgetting takes content, vector and evidence away, at once, sealed or not; the id is never used again.
#[test]
fn a_forgotten_memory_is_gone() {
    for sealed in [false, true] {
        let place = Place::new();
        let store = place.open(Options::new(16).scan_below(0));
        let points = vectors(1, 120, 16);
        let all = fill(&store, &points);
        let last = *all.last().unwrap();
        for _ in 0..3 {
            experience(&store, &points[119], 1, last, Outcome::Success);
        }
        if sealed {
            store.seal().unwrap();
        }
        let recall = store.recall(&Query::new(points[119].clone()).k(1)).unwrap();
        assert_eq!(store.stats().unwrap().experiences, 1);
        assert!(store.forget(last).unwrap());
        assert!(!store.forget(last).unwrap(), "once");
        assert!(!shows(&store, last));
        assert!(store.get(last).unwrap().is_none());
        assert_eq!(store.stats().unwrap().experiences, 0, "its evidence is gone");
        let late = store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success)).unwrap();
        assert_eq!(late.status, ReportStatus::NotCredited);
        let direct = store.report(&Report::on_memory(last, Outcome::Success)).unwrap_err();
        assert_eq!(direct.code(), ErrorCode::UnknownMemory);
        let again = store.remember(Memory::new("again", points[119].clone())).unwrap();
        assert!(again > last, "{again} {last}");
        let hit = &store.recall(&Query::new(points[119].clone()).k(1)).unwrap().hits[0];
        assert_eq!((hit.id, hit.evidence.reports), (again, 0), "a new memory has no past");
        store.close().unwrap();
        let store = place.open(Options::existing());
        assert!(!shows(&store, last));
        store.forget(again).unwrap();
        store.close().unwrap();
        let store = place.open(Options::existing());
        assert!(store.remember(Memory::new("third", points[0].clone())).unwrap() > again);
        assert_sound(&store);
    }
}

/// The same memory under the same key is stored once; another one under that key is refused.
#[test]
fn a_key_makes_a_memory_stored_once() {
    let (store, _) = with_clock();
    let v = vectors(1, 2, 16);
    let memory = || Memory::new("text", v[0].clone()).key("k").metadata(json!({"n": 1}));
    let id = store.remember(memory()).unwrap();
    let many = store.remember_many(vec![memory(), Memory::new("other", v[1].clone()), memory()]).unwrap();
    assert_eq!((many[0], many[2]), (id, id));
    assert_eq!(store.count(None).unwrap(), 2);
    let elsewhere = store.remember(memory().namespace("elsewhere")).unwrap();
    assert_ne!(elsewhere, id, "a key belongs to its namespace");
    let others = [
        Memory::new("text 2", v[0].clone()).key("k").metadata(json!({"n": 1})),
        Memory::new("text", v[1].clone()).key("k").metadata(json!({"n": 1})),
        Memory::new("text", v[0].clone()).key("k").metadata(json!({"n": 2})),
        memory().kind("rule"),
    ];
    for other in others {
        assert_eq!(store.remember(other).unwrap_err().code(), ErrorCode::KeyConflict);
    }
    store.forget(id).unwrap();
    assert_ne!(store.remember(memory()).unwrap(), id, "a forgotten memory has given up its key");
    assert_sound(&store);
}

/// All of a batch is stored, or none of it and the row at fault is named.
#[test]
fn a_batch_is_stored_whole_or_not_at_all() {
    let (store, clock) = with_clock();
    let before = fill(&store, &vectors(1, 3, 16));
    let good = |i: usize| Memory::new(format!("row {i}"), vectors(2, 9, 16).remove(i)).namespace("batch");
    let bad: [(Memory, ErrorCode); 5] = [
        (Memory::new("x", vec![1.0; 15]), ErrorCode::WrongDimension),
        (Memory::new("x", vec![f32::NAN; 16]), ErrorCode::NotFinite),
        (good(0).kind(""), ErrorCode::InvalidArgument),
        (good(0).metadata(json!([1])), ErrorCode::InvalidArgument),
        (good(0).supersedes(MemoryId(4711)), ErrorCode::UnknownMemory),
    ];
    for (memory, code) in bad {
        let error = store.remember_many(vec![good(1), good(2), memory, good(3)]).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(matches!(error, wisen::Error::Row { row: 2, .. }), "{error}");
        assert_eq!(store.count(None).unwrap(), 3);
        assert_eq!(store.namespaces().unwrap().len(), 1, "not even the namespace");
    }
    assert_eq!(store.remember_many(Vec::new()).unwrap(), []);
    let next = store.remember(good(1)).unwrap();
    assert!(next > before[2] && clock.now() == store.get(next).unwrap().unwrap().created_at);
    assert_sound(&store);
}
