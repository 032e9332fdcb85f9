//! What the audit is to keep may be switched at any time; whatever is done then, and in whichever order, the
//! audit takes nothing that went through the engine for tampering, and everything else.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use serde_json::json;
use wisen::AuditLevel::{self, Decisions, Everything};
use wisen::{
    ErrorCode, HaltLevel, ManualClock, Memory, MemoryId, Options, Outcome, Policy, Query, Report, Store,
    Update,
};
use wisen_tests::{Place, assert_sound};

const DAY: i64 = 86_400_000_000;

fn memory(i: usize) -> Memory {
    let mut vector = vec![0.1_f32; 4];
    vector[i % 4] = 1.0 + i as f32;
    Memory::new(format!("note {i}"), vector).metadata(json!({ "i": i }))
}

/// A verb that changes something, by its name: what it does to a store with some memories.
type Verb = (&'static str, fn(&Store, &[MemoryId], &ManualClock));

/// Every verb that changes memories, or what is learnt and decided of them.
const VERBS: &[Verb] = &[
    ("remember", |store, _, _| {
        store.remember(memory(90)).unwrap();
    }),
    ("remember_many", |store, _, _| {
        store.remember_many(vec![memory(91), memory(92)]).unwrap();
    }),
    ("supersede", |store, ids, _| {
        store.remember(memory(93).supersedes(ids[0])).unwrap();
    }),
    ("content", |store, ids, _| store.update(ids[0], Update::new().content("other")).unwrap()),
    ("metadata", |store, ids, _| store.update(ids[0], Update::new().metadata(json!({ "x": 1 }))).unwrap()),
    ("kind", |store, ids, _| store.update(ids[0], Update::new().kind("other")).unwrap()),
    ("vector", |store, ids, _| store.update(ids[0], Update::new().vector([9.0, 8.0, 7.0, 6.0])).unwrap()),
    ("twice", |store, ids, _| {
        store.update(ids[0], Update::new().content("one")).unwrap();
        store.update(ids[0], Update::new().content("two").kind("other")).unwrap();
    }),
    ("expire", |store, ids, clock| {
        store.update(ids[0], Update::new().time_to_live(Some(Duration::from_mins(1)))).unwrap();
        clock.advance(Duration::from_mins(2));
        store.seal().unwrap();
    }),
    ("key", |store, _, clock| {
        let brief = |i| memory(i).key("brief").time_to_live(Duration::from_mins(1));
        clock.advance(Duration::from_mins(2));
        store.remember(brief(94)).unwrap();
        clock.advance(Duration::from_mins(2));
        store.remember(brief(95)).unwrap();
    }),
    ("forget", |store, ids, _| assert!(store.forget(ids[0]).unwrap())),
    ("forget_hard", |store, ids, _| assert!(store.forget_hard(ids[0]).unwrap())),
    ("drop_namespace", |store, _, _| assert!(store.drop_namespace("default").unwrap() > 0)),
    ("distil", |store, _, _| {
        store.remember(memory(2)).unwrap();
        let merged = store.distil("default", 0.9999).unwrap();
        let last = merged.last().unwrap();
        store.update(last.survivor, Update::new().content("the one that stays")).unwrap();
        store.separate(last.absorbed).unwrap();
        store.update(last.absorbed, Update::new().content("the one that came back")).unwrap();
    }),
    ("report", |store, ids, _| {
        let filed = store.report(&Report::on_memory(ids[0], Outcome::Failure)).unwrap();
        assert!(store.retract(filed.id).unwrap());
    }),
    ("recall", |store, _, _| {
        let recall = store.recall(&Query::new([1.0, 0.2, 0.1, 0.1]).text("how")).unwrap();
        store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success).used(recall.hits[0].id)).unwrap();
    }),
    ("standing", |store, ids, _| {
        store.pin(ids[0]).unwrap();
        store.unpin(ids[0]).unwrap();
        store.retire(ids[0], "wrong").unwrap();
        store.release(ids[0], "right").unwrap();
    }),
    ("policy", |store, _, _| store.set_policy("default", Policy::default()).unwrap()),
    ("principal", |store, _, _| {
        store.register("ann", None).unwrap();
        store.revoke("ann", None).unwrap();
    }),
    ("halt", |store, _, _| {
        store.halt("a drill", HaltLevel::NoWrites).unwrap();
        store.resume("it was a drill", None).unwrap();
    }),
    ("compact", |store, _, _| {
        store.compact().unwrap();
    }),
];

fn assert_clean(store: &Store, what: &str) {
    let found = store.audit_verify(None).unwrap();
    assert!(found.is_ok(), "{what}: {found:?}");
}

/// The same store in other places: a backup, an export, and with vectors of another model.
fn assert_clean_elsewhere(store: &Store, place: &Place, what: &str) {
    let file = |name: &str| place.at(name);
    store.backup(file("backup"), true).unwrap();
    store.export(file("export"), true).unwrap();
    Store::restore(file("backup"), file("restored")).unwrap();
    Store::import(file("export"), file("imported")).unwrap();
    store
        .reembed(file("embedded"), "new", 2, |_, texts| {
            Ok(texts.iter().map(|text| vec![1.0, text.len() as f32]).collect())
        })
        .unwrap();
    for name in ["restored", "imported", "embedded"] {
        let other = Store::open(file(name), Options::existing()).unwrap();
        assert_clean(&other, &format!("{what}, {name}"));
        // And it goes on from there.
        for record in other.page(None, MemoryId(0), 100).unwrap() {
            let changed = other.update(record.id, Update::new().content("changed elsewhere"));
            assert!(changed.is_ok() || record.superseded_by.is_some(), "{changed:?}");
        }
        assert_clean(&other, &format!("{what}, {name}, changed"));
        other.close().unwrap();
        std::fs::remove_dir_all(file(name)).unwrap();
    }
}

/// Whatever was remembered at one level, changed at another and changed back: no alarm.
#[test]
fn switching_the_level_raises_no_alarm() {
    let orders: [&[AuditLevel]; 5] = [
        &[Everything, Decisions],
        &[Decisions, Everything],
        &[Everything, Decisions, Everything],
        &[Decisions, Everything, Decisions],
        &[Decisions, Everything, Decisions, Everything, Decisions],
    ];
    for (name, verb) in VERBS {
        for order in orders {
            let place = Place::in_memory();
            let clock = Arc::new(ManualClock::at(20_000 * DAY));
            let store = place.open(Options::new(4).clock(clock.clone()));
            store.set_audit_level(order[0], None).unwrap();
            let mut ids = store.remember_many((0..4).map(memory).collect()).unwrap();
            for (turn, level) in order[1..].iter().enumerate() {
                let what = format!("{name} at {order:?}, turn {turn}");
                // One that the last level has seen changed too.
                store.update(ids[1], Update::new().content(format!("changed before turn {turn}"))).unwrap();
                store.set_audit_level(*level, None).unwrap();
                assert_clean(&store, &what);
                verb(&store, &ids, &clock);
                assert_clean(&store, &what);
                store.update_if_there(ids[1], &format!("changed after turn {turn}"));
                assert_clean(&store, &what);
                // The next turn has memories of this level.
                ids = store.remember_many((0..4).map(|i| memory(10 * (turn + 1) + i)).collect()).unwrap();
            }
            assert_sound(&store);
            if order.len() == 3 {
                assert_clean_elsewhere(&store, &place, name);
            }
        }
    }
}

trait IfThere {
    fn update_if_there(&self, id: MemoryId, content: &str);
}

impl IfThere for Store {
    fn update_if_there(&self, id: MemoryId, content: &str) {
        if let Err(error) = self.update(id, Update::new().content(content)) {
            // Forgotten, or superseded.
            let gone = [ErrorCode::UnknownMemory, ErrorCode::InvalidArgument];
            assert!(gone.contains(&error.code()), "{error}");
        }
    }
}

/// At the level of decisions the audit is told what becomes of those memories that it knows, and of no others.
#[test]
fn what_the_audit_knows_it_follows() {
    let place = Place::new();
    let store = place.open(Options::new(4));
    let known = store.remember_many((0..5).map(memory).collect()).unwrap();
    store.set_audit_level(Decisions, None).unwrap();
    let unknown = store.remember_many((5..10).map(memory).collect()).unwrap();
    let seen = store.audit_entries(0, 100).unwrap().last().unwrap().id;
    let told = |of: &str| -> Vec<(String, Option<MemoryId>)> {
        let entries = store.audit_entries(seen, 100).unwrap();
        let entries: Vec<_> = entries.into_iter().filter(|e| e.op == of).map(|e| (e.op, e.memory)).collect();
        entries
    };
    for ids in [&unknown, &known] {
        store.update(ids[0], Update::new().content("other")).unwrap();
        store.update(ids[1], Update::new().time_to_live(Some(Duration::from_hours(9)))).unwrap();
        assert!(store.forget(ids[2]).unwrap());
        assert!(store.forget_hard(ids[3]).unwrap());
        assert!(!store.forget_hard(ids[3]).unwrap());
        store.report(&Report::on_memory(ids[0], Outcome::Success)).unwrap();
    }
    assert_eq!(told("update"), [("update".to_owned(), Some(known[0]))], "and nothing that hashes alike");
    let forgotten = [known[2], known[3]].map(|id| ("forget".to_owned(), Some(id)));
    assert_eq!(told("forget"), forgotten);
    assert_eq!((told("report"), told("remember")), (vec![], vec![]));
    assert_clean(&store, "decisions");

    // One that was changed at this level by other means is found as ever.
    store.close().unwrap();
    let conn = Connection::open(place.store().join("memory.db")).unwrap();
    let vector: Vec<u8> = conn
        .query_row("SELECT vector FROM vectors WHERE memory = ?1", [known[1].0.cast_signed()], |r| r.get(0))
        .unwrap();
    let mut sum = xxhash_rust::xxh3::Xxh3::new();
    sum.update(b"vectorsi");
    sum.update(&known[0].0.to_le_bytes());
    sum.update(b"b");
    sum.update(&(vector.len() as u64).to_le_bytes());
    sum.update(&vector);
    conn.execute(
        "UPDATE vectors SET vector = ?1, checksum = ?2 WHERE memory = ?3",
        params![vector, sum.digest().cast_signed(), known[0].0.cast_signed()],
    )
    .unwrap();
    drop(conn);
    let store = place.open(Options::existing());
    let found = store.audit_verify(None).unwrap();
    assert_eq!(found.faults.len(), 1, "{found:?}");
    assert!(found.faults[0].what.contains(&format!("memory {} is not what entry", known[0])), "{found:?}");
}

/// What goes because its time is over is told, whether it is swept or gives up its key.
#[test]
fn what_expires_is_told() {
    let place = Place::new();
    let clock = Arc::new(ManualClock::at(20_000 * DAY));
    let store = place.open(Options::new(4).clock(clock.clone()));
    let brief = |i: usize| memory(i).key(format!("key {i}")).time_to_live(Duration::from_mins(1));
    let known = store.remember_many(vec![brief(0), brief(1)]).unwrap();
    store.set_audit_level(Decisions, None).unwrap();
    let unknown = store.remember_many(vec![brief(2), brief(3)]).unwrap();
    clock.advance(Duration::from_mins(2));
    store.remember(brief(0)).unwrap();
    store.remember(brief(2)).unwrap();
    store.seal().unwrap();
    let expired: Vec<serde_json::Value> = store
        .audit_entries(0, 100)
        .unwrap()
        .into_iter()
        .filter(|entry| entry.op == "expire")
        .map(|entry| entry.detail["memories"].clone())
        .collect();
    assert_eq!(expired, [json!([known[0].0]), json!([known[1].0])]);
    assert!(unknown.iter().all(|id| store.get(*id).unwrap().is_none()));
    assert_clean(&store, "expired");
    assert_sound(&store);
}
