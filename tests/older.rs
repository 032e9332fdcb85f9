//! Stores of older versions. Every version of the tables leaves a fixture.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use wisen::{
    ErrorCode, HalfLife, ManualClock, Memory, MemoryId, Options, Outcome, Query, Report, ReportStatus,
    StandingState, Store, Window,
};
use wisen_tests::{Place, assert_sound, ids};

/// The database of a store of an older version, in this place.
fn put(place: &Place, sql: &str, version: i64) {
    std::fs::create_dir_all(place.store()).unwrap();
    let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
    conn.execute_batch(sql).unwrap();
    let found: i64 = conn.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
    assert_eq!(found, version);
}

fn version_1(place: &Place) {
    put(place, include_str!("fixtures/schema1.sql"), 1);
}

fn version_2(place: &Place) {
    put(place, include_str!("fixtures/schema2.sql"), 2);
}

/// A reader cannot bring a store up to this version, and says who can; once a writer has, it opens.
#[test]
fn an_older_store_has_to_be_opened_for_writing_once() {
    let place = Place::new();
    version_1(&place);
    let read_only = || Store::open(place.store(), Options::existing().read_only(true));
    let refused = read_only().unwrap_err();
    assert_eq!(refused.code(), ErrorCode::ReadOnly);
    assert!(refused.to_string().contains("open it for writing once"), "{refused}");
    place.open(Options::existing()).close().unwrap();
    assert_sound(&read_only().unwrap());
}

/// Everything is found as it was, counts as it did, and goes on from there.
#[test]
fn a_store_of_version_1_is_taken_over() {
    let place = Place::new();
    version_1(&place);
    let store = place.open(Options::existing());
    assert_sound(&store);
    let stats = store.stats().unwrap();
    assert_eq!((stats.dimension, stats.model.as_deref()), (4, Some("a model")));
    assert_eq!((stats.memories, stats.reports, stats.experiences, stats.namespaces), (6, 10, 6, 2));
    let record = store.get(MemoryId(2)).unwrap().unwrap();
    assert_eq!((record.content.as_str(), record.kind.as_str()), ("memory 1", "recipe"));
    assert_eq!((record.author.as_deref(), &record.metadata["number"]), (Some("ann"), &1.into()));
    assert_eq!(store.get(MemoryId(6)).unwrap(), None, "it was forgotten");
    assert_eq!(store.get(MemoryId(7)).unwrap().unwrap().superseded_by, Some(MemoryId(8)));

    let query = || Query::new([1.0, 0.1, 0.0, 0.1]);
    let recall = store.recall(&query()).unwrap();
    assert_eq!(ids(&recall)[..2], [MemoryId(2), MemoryId(1)]);
    // Reports told under a name before there was trust count as they did.
    assert_eq!(recall.hits.iter().map(|hit| hit.evidence.reports).sum::<u64>(), 6);
    let again = Report::on_memory(MemoryId(1), Outcome::Success).key("report 0");
    assert_eq!(store.report(&again).unwrap_err().code(), ErrorCode::KeyConflict);
    let reply =
        store.report(&Report::on(recall.receipt.unwrap(), Outcome::Failure).used(MemoryId(2))).unwrap();
    assert_eq!((reply.id.0, reply.status), (11, ReportStatus::Credited));
    for id in 1..=11 {
        store.retract(wisen::ReportId(id)).unwrap();
    }
    assert_eq!(store.stats().unwrap().experiences, 0, "old reports can be taken back");
    assert_sound(&store);
}

/// When the fixture of version 2 was written.
const WRITTEN: i64 = 1_767_268_335_000_000;
/// The token that registering `ann` returned in it.
const TOKEN: &str = "35cfef08492bb2b5cc3539e05e0b0e2bf3d6c142be5d87510cdd9b153cf394ec";

/// What was learnt and decided in version 2 holds as it did: half-lives, a policy, a calibrator, a
/// quarantine, a merger, principals and what they are worth.
#[test]
fn a_store_of_version_2_is_taken_over() {
    let place = Place::new();
    version_2(&place);
    let store = place.open(Options::existing().clock(Arc::new(ManualClock::at(WRITTEN))));
    assert_sound(&store);
    let stats = store.stats().unwrap();
    assert_eq!((stats.memories, stats.reports, stats.experiences, stats.namespaces), (13, 98, 56, 2));
    assert_eq!((stats.calibration.weight, stats.dimension), (70.0, 4));

    let query = || Query::new([0.8, 0.2, 0.15, 0.05]).k(20);
    let recall = store.recall(&query().receipt(false)).unwrap();
    assert_eq!(ids(&recall), [5, 1, 16, 14, 8, 10, 6, 3, 7, 2, 4].map(MemoryId), "9 is quarantined");
    // As that version answered, calibrated and faded; later ones weigh a crowd a little otherwise.
    let hit = &recall.hits[1];
    let answered = [(hit.score, 0.862_048_507_337), (hit.probability(), 0.899_532_829_406)];
    assert!(answered.iter().all(|(now, then)| (now - then).abs() < 0.01), "{answered:?}");
    let standing = |id: u64| store.standing(MemoryId(id)).unwrap();
    assert_eq!((standing(9).state, standing(2).pinned), (StandingState::Quarantined, true));
    assert_eq!(store.get(MemoryId(15)).unwrap().unwrap().merged_into, Some(MemoryId(1)));
    assert!(store.policy("default").unwrap().quarantine && !store.policy("other").unwrap().quarantine);
    assert_eq!(store.half_life("recipe").unwrap().setting, HalfLife::Days(30.0));
    let auto = store.half_life("note").unwrap();
    assert_eq!((auto.setting, auto.fit.unwrap().experiences), (HalfLife::Auto, 50));
    assert_eq!(store.audit_entries(0, 100).unwrap().len(), 5);
    let figures = store.figures(None, Window::new(0, WRITTEN)).unwrap();
    assert_eq!((figures.attempts, figures.recalls), (83, 70));
    let names: Vec<String> = store.principals().unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["ann", "bob"]);

    // And it goes on from there.
    let receipt = store.recall(&query()).unwrap().receipt.unwrap();
    let told = Report::on(receipt, Outcome::Success).used(MemoryId(5)).reporter("ann").token(TOKEN);
    assert_eq!(store.report(&told).unwrap().id.0, 99);
    let again = Report::on(receipt, Outcome::Success).key("report 0");
    assert_eq!(store.report(&again).unwrap_err().code(), ErrorCode::KeyConflict);
    assert_eq!(store.remember(Memory::new("new", [1.0, 0.0, 0.0, 0.0])).unwrap(), MemoryId(17));
    store.separate(MemoryId(15)).unwrap();
    for id in 1..=98 {
        store.retract(wisen::ReportId(id)).unwrap();
    }
    assert_eq!(store.stats().unwrap().experiences, 1);
    store.seal().unwrap();
    assert_sound(&store);
}

/// What was in the audit before it had hashes is chained when the store is brought up, and what comes follows
/// from it; nothing of a version 2 store is lost.
#[test]
fn the_audit_of_version_2_is_chained() {
    let place = Place::new();
    version_2(&place);
    let store = place.open(Options::existing());
    let entries = store.audit_entries(0, 100).unwrap();
    let ops: Vec<&str> = entries.iter().map(|entry| entry.op.as_str()).collect();
    assert_eq!(ops, ["policy", "quarantine", "pin", "merge", "merge"]);
    let found = store.audit_verify(None).unwrap();
    assert!(found.is_ok(), "{found:?}");
    let anchor = store.anchor().unwrap();
    store.update(MemoryId(1), wisen::Update::new().content("changed")).unwrap();
    assert!(store.audit_verify(Some(&anchor)).unwrap().is_ok());
    assert_eq!(store.halted().unwrap(), None);
    store.close().unwrap();
    let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
    conn.execute("UPDATE audit SET detail = '{}' WHERE id = 2", []).unwrap();
    drop(conn);
    let store = place.open(Options::existing());
    assert_eq!(store.audit_verify(None).unwrap().faults[0].entry, 2);
}
