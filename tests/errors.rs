//! Wrong input, wrong files, wrong moments: a typed error, and nothing stored.
#![allow(clippy::unwrap_used)]

use std::fs;

use rusqlite::Connection;
use serde_json::json;
use wisen::{ErrorCode, Memory, MemoryId, Metric, Options, Outcome, Query, Report, Store, Update};
use wisen_tests::{Place, answers, assert_sound, fill, practise, vectors};

fn code<T: std::fmt::Debug>(result: wisen::Result<T>) -> ErrorCode {
    result.unwrap_err().code()
}

/// A vector that cannot be compared is refused by every call that takes one.
#[test]
fn bad_vectors_are_refused() {
    for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
        let store = Store::open(":memory:", Options::new(4).metric(metric)).unwrap();
        let id = store.remember(Memory::new("good", [1.0, 2.0, 3.0, 4.0])).unwrap();
        let mut bad = vec![
            (vec![1.0; 3], ErrorCode::WrongDimension),
            (vec![1.0; 5], ErrorCode::WrongDimension),
            (vec![], ErrorCode::WrongDimension),
            (vec![1.0, f32::NAN, 0.0, 0.0], ErrorCode::NotFinite),
            (vec![1.0, 0.0, f32::INFINITY, 0.0], ErrorCode::NotFinite),
            (vec![1.0, 0.0, f32::NEG_INFINITY, 0.0], ErrorCode::NotFinite),
            (vec![f32::MAX; 4], ErrorCode::NotFinite),
        ];
        if metric == Metric::L2 {
            // As long as f32 can square, but two of them may lie farther apart.
            bad.push((vec![1.2e19, 0.0, 0.0, 0.0], ErrorCode::NotFinite));
        }
        if metric == Metric::Cosine {
            bad.push((vec![0.0; 4], ErrorCode::ZeroVector));
            bad.push((vec![f32::MIN_POSITIVE / 8.0, 0.0, 0.0, 0.0], ErrorCode::ZeroVector));
        } else {
            store.remember(Memory::new("zero", [0.0; 4])).unwrap();
        }
        let count = store.count(None).unwrap();
        for (vector, expected) in bad {
            let at = || Report::on_memory(id, Outcome::Success).situation(vector.clone());
            assert_eq!(code(store.remember(Memory::new("x", vector.clone()))), expected, "{vector:?}");
            assert_eq!(code(store.recall(&Query::new(vector.clone()))), expected, "{vector:?}");
            assert_eq!(code(store.update(id, Update::new().vector(vector.clone()))), expected, "{vector:?}");
            assert_eq!(code(store.report(&at())), expected, "{vector:?}");
        }
        assert_eq!(store.count(None).unwrap(), count);
        assert_eq!(store.stats().unwrap().reports, 0);
        assert_sound(&store);
    }
}

/// Names have 1 to 255 bytes and no NUL; metadata is an object.
#[test]
fn bad_names_are_refused() {
    let store = Store::open(":memory:", Options::new(2)).unwrap();
    let id = store.remember(Memory::new("good", [1.0, 0.0])).unwrap();
    let memory = || Memory::new("x", [1.0, 0.0]);
    for bad in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
        for memory in
            [memory().namespace(&bad), memory().kind(&bad), memory().author(&bad), memory().key(&bad)]
        {
            assert_eq!(code(store.remember(memory)), ErrorCode::InvalidArgument);
        }
        assert_eq!(code(store.recall(&Query::new([1.0, 0.0]).namespace(&bad))), ErrorCode::InvalidArgument);
        assert_eq!(code(store.update(id, Update::new().kind(&bad))), ErrorCode::InvalidArgument);
        let report = || Report::on_memory(id, Outcome::Success);
        assert_eq!(code(store.report(&report().key(&bad))), ErrorCode::InvalidArgument);
        assert_eq!(code(store.report(&report().reporter(&bad))), ErrorCode::InvalidArgument);
    }
    for bad in [json!([1]), json!("x"), json!(1), json!(true)] {
        assert_eq!(code(store.remember(memory().metadata(bad.clone()))), ErrorCode::InvalidArgument);
        assert_eq!(code(store.update(id, Update::new().metadata(bad))), ErrorCode::InvalidArgument);
    }
    let good = "\u{e9}".repeat(127);
    let named = store.remember(memory().namespace(&good).kind(&good).key(&good).author(&good)).unwrap();
    let record = store.get(named).unwrap().unwrap();
    assert_eq!((record.namespace, record.kind, record.key), (good.clone(), good.clone(), Some(good)));
    let none = Report::on_memory(MemoryId(99), Outcome::Success);
    assert_eq!(code(store.report(&none)), ErrorCode::UnknownMemory);
    let other = Report::on_memory(id, Outcome::Success).used(named);
    assert_eq!(code(store.report(&other)), ErrorCode::InvalidArgument);
}

/// No hits are wanted, or more than there are, or there is nothing: no error, no absurd allocation.
#[test]
fn any_k_is_answered() {
    let empty = Store::open(":memory:", Options::new(16)).unwrap();
    assert!(empty.recall(&Query::new([1.0; 16]).k(usize::MAX)).unwrap().hits.is_empty());
    empty.seal().unwrap();
    assert_sound(&empty);
    let store = Store::open(":memory:", Options::new(16).scan_below(0)).unwrap();
    fill(&store, &vectors(1, 1200, 16));
    for phase in 0..4 {
        for width in [0, 1, usize::MAX] {
            let query = Query::new(vectors(2, 1, 16).remove(0)).width(width);
            assert!(store.recall(&query.clone().k(0)).unwrap().hits.is_empty());
            assert_eq!(store.recall(&query.clone().k(1)).unwrap().hits.len(), 1);
            assert_eq!(store.recall(&query.k(usize::MAX)).unwrap().hits.len(), 1200, "phase {phase}");
        }
        match phase {
            0 => practise(&store, &vectors(3, 80, 16)),
            1 => store.seal().unwrap(),
            _ => practise(&store, &vectors(4, 80, 16)),
        }
    }
}

/// A closed handle answers Closed to everything; closing again is no error.
#[test]
fn a_closed_handle_is_refused() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    let id = store.remember(Memory::new("x", [1.0, 0.0])).unwrap();
    store.close().unwrap();
    store.close().unwrap();
    assert_eq!(code(store.recall(&Query::new([1.0, 0.0]))), ErrorCode::Closed);
    assert_eq!(code(store.remember(Memory::new("x", [1.0, 0.0]))), ErrorCode::Closed);
    assert_eq!(code(store.report(&Report::on_memory(id, Outcome::Success))), ErrorCode::Closed);
    assert_eq!(code(store.get(id)), ErrorCode::Closed);
    assert_eq!(code(store.forget(id)), ErrorCode::Closed);
    assert_eq!(code(store.seal()), ErrorCode::Closed);
    assert_eq!(code(store.flush()), ErrorCode::Closed);
    assert_eq!(code(store.stats()), ErrorCode::Closed);
    assert_eq!(code(store.verify()), ErrorCode::Closed);
    assert_eq!(code(store.iter(None).next().unwrap()), ErrorCode::Closed);
    assert_eq!(place.open(Options::existing()).count(None).unwrap(), 1);
}

/// What is not a store is refused and left as it is.
#[test]
fn other_things_are_not_a_store() {
    let place = Place::new();
    let open = || Store::open(place.store(), Options::new(2));
    assert_eq!(code(Store::open(place.store(), Options::existing())), ErrorCode::NotAStore);
    assert_eq!(code(Store::open(place.store(), Options::new(2).read_only(true))), ErrorCode::NotAStore);
    assert!(!place.store().exists());
    fs::write(place.store(), "a file").unwrap();
    assert_eq!(code(open()), ErrorCode::NotAStore);
    fs::remove_file(place.store()).unwrap();
    fs::create_dir(place.store()).unwrap();
    fs::write(place.store().join("letter.txt"), "x").unwrap();
    assert_eq!(code(open()), ErrorCode::NotAStore);
    assert_eq!(fs::read_dir(place.store()).unwrap().count(), 1, "nothing was put there");
    fs::write(place.store().join("memory.db"), "not a database, whatever its name says".repeat(100)).unwrap();
    assert_eq!(code(open()), ErrorCode::NotAStore);
    fs::remove_file(place.store().join("memory.db")).unwrap();
    let other = Connection::open(place.store().join("memory.db")).unwrap();
    other.execute_batch("CREATE TABLE theirs(x); INSERT INTO theirs VALUES (1)").unwrap();
    assert_eq!(code(open()), ErrorCode::NotAStore);
    let rows: i64 = other.query_row("SELECT count(*) FROM theirs", [], |r| r.get(0)).unwrap();
    assert_eq!(rows, 1);
}

/// A newer schema is refused, and so are settings other than those of the store.
#[test]
fn what_was_fixed_stays_fixed() {
    let place = Place::new();
    drop(place.open(Options::new(4).metric(Metric::L2).model("m")));
    let open = |options| Store::open(place.store(), options);
    assert_eq!(code(open(Options::new(5))), ErrorCode::Mismatch);
    assert_eq!(code(open(Options::new(4).metric(Metric::Dot))), ErrorCode::Mismatch);
    assert_eq!(code(open(Options::existing().model("other"))), ErrorCode::Mismatch);
    for dimension in [0, 4097, usize::MAX] {
        assert_eq!(code(open(Options::new(dimension))), ErrorCode::InvalidArgument);
    }
    let stats = open(Options::existing()).unwrap().stats().unwrap();
    assert_eq!((stats.dimension, stats.metric, stats.model.as_deref()), (4, Metric::L2, Some("m")));
    let conn = Connection::open(place.store().join("memory.db")).unwrap();
    conn.pragma_update(None, "user_version", 1000).unwrap();
    assert_eq!(code(open(Options::existing())), ErrorCode::NewerSchema);
}

/// A read-only handle answers, writes nothing at all, and refuses what would.
#[test]
fn a_read_only_handle_writes_nothing() {
    let place = Place::new();
    let store = place.open(Options::new(16));
    let all = fill(&store, &vectors(1, 100, 16));
    practise(&store, &vectors(2, 20, 16));
    store.seal().unwrap();
    let queries = vectors(3, 10, 16);
    let told = answers(&store, &queries, 10);
    let reader = place.open(Options::existing().read_only(true));
    assert_eq!(answers(&reader, &queries, 10), told);
    assert!(reader.recall(&Query::new(queries[0].clone())).unwrap().receipt.is_none());
    assert_eq!(code(reader.remember(Memory::new("x", [1.0; 16]))), ErrorCode::ReadOnly);
    assert_eq!(code(reader.update(all[0], Update::new().content("x"))), ErrorCode::ReadOnly);
    assert_eq!(code(reader.report(&Report::on_memory(all[0], Outcome::Success))), ErrorCode::ReadOnly);
    assert_eq!(code(reader.forget(all[0])), ErrorCode::ReadOnly);
    assert_eq!(code(reader.drop_namespace("default")), ErrorCode::ReadOnly);
    assert_eq!(code(reader.seal()), ErrorCode::ReadOnly);
    reader.flush().unwrap();
    assert_eq!(answers(&store, &queries, 10), told, "not even by another name");
    fill(&store, &vectors(4, 3, 16));
    assert_eq!(reader.count(None).unwrap(), 103, "it sees what others write");
    assert_sound(&reader);
    reader.close().unwrap();
    store.close().unwrap();
}
