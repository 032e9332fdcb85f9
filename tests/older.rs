//! Stores of older versions. Every version of the tables leaves a fixture.
#![allow(clippy::unwrap_used)]

use wisen::{ErrorCode, MemoryId, Options, Outcome, Query, Report, ReportStatus, Store};
use wisen_tests::{Place, assert_sound, ids};

/// The database of a store of an older version, in this place.
fn older(place: &Place, text: &str, version: i64) {
    std::fs::create_dir_all(place.store()).unwrap();
    let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
    conn.execute_batch(text).unwrap();
    let found: i64 = conn.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
    assert_eq!(found, version);
}

fn version_1(place: &Place) {
    older(place, include_str!("fixtures/schema1.sql"), 1);
}

fn version_2(place: &Place) {
    older(place, include_str!("fixtures/schema2.sql"), 2);
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

/// What was in the audit before it had hashes is chained when the store is brought up, and what comes follows
/// from it; nothing of a version 2 store is lost.
#[test]
fn the_audit_of_version_2_is_chained() {
    let place = Place::new();
    version_2(&place);
    let store = place.open(Options::existing());
    let entries = store.audit_entries(0, 100).unwrap();
    let ops: Vec<&str> = entries.iter().map(|entry| entry.op.as_str()).collect();
    assert_eq!(ops, ["policy", "quarantine", "pin", "retire", "release"]);
    let found = store.audit_verify(None).unwrap();
    assert!(found.is_ok(), "{found:?}");
    let anchor = store.anchor().unwrap();
    store.update(MemoryId(1), wisen::Update::new().content("changed")).unwrap();
    assert!(store.audit_verify(Some(&anchor)).unwrap().is_ok());
    assert_eq!(store.get(MemoryId(2)).unwrap().unwrap().author.as_deref(), Some("ann"));
    assert_eq!(store.halted().unwrap(), None);
    store.close().unwrap();
    let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
    conn.execute("UPDATE audit SET detail = '{}' WHERE id = 2", []).unwrap();
    drop(conn);
    let store = place.open(Options::existing());
    assert_eq!(store.audit_verify(None).unwrap().faults[0].entry, 2);
}
