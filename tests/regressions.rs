//! What was once found wrong, each as the test that showed it.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use wisen::{
    ErrorCode, ManualClock, Memory, MemoryId, Metric, Options, Outcome, Query, Report, ReportStatus, Store,
    Update,
};
use wisen_tests::{Place, fill, vectors};

#[test]
fn metadata_that_could_not_be_read_back_is_refused() {
    let store = Store::open(":memory:", Options::new(2)).unwrap();
    let deep = (0..200).fold(serde_json::json!({}), |inner, _| serde_json::json!({ "a": inner }));
    let refused = store.remember(Memory::new("x", [1.0, 0.0]).metadata(deep)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidArgument);
}

#[test]
fn a_report_may_be_repeated_whatever_became_of_its_memory() {
    let store = Store::open(":memory:", Options::new(2)).unwrap();
    let id = store.remember(Memory::new("x", [1.0, 0.0])).unwrap();
    let report = Report::on_memory(id, Outcome::Success).key("k");
    store.report(&report).unwrap();
    store.update(id, Update::new().vector([0.0, 1.0])).unwrap();
    assert_eq!(store.report(&report).unwrap().status, ReportStatus::Duplicate);
    store.forget(id).unwrap();
    assert_eq!(store.report(&report).unwrap().status, ReportStatus::Duplicate);
}

#[test]
fn a_pending_report_may_be_repeated_later() {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000_000));
    let options = || Options::new(2).clock(clock.clone());
    let (here, there) =
        (Store::open(":memory:", options()).unwrap(), Store::open(":memory:", options()).unwrap());
    there.remember(Memory::new("x", [1.0, 0.0])).unwrap();
    let receipt = there.recall(&Query::new([1.0, 0.0])).unwrap().receipt.unwrap();
    let report = Report::on(receipt, Outcome::Success).key("k");
    assert_eq!(here.report(&report).unwrap().status, ReportStatus::Pending);
    clock.advance(Duration::from_mins(2));
    assert_eq!(here.report(&report).unwrap().status, ReportStatus::Duplicate);
}

#[test]
fn a_pending_report_counts_when_another_one_brings_its_receipt() {
    let place = Place::new();
    let issuer = place.open(Options::new(4));
    let other = place.open(Options::existing());
    fill(&issuer, &vectors(1, 1, 4));
    let query = Query::new([1.0, 0.5, 0.2, 0.1]).k(1);
    for _ in 0..20 {
        let receipt = issuer.recall(&query).unwrap().receipt.unwrap();
        other.report(&Report::on(receipt, Outcome::Success)).unwrap();
        issuer.report(&Report::on(receipt, Outcome::Success)).unwrap();
    }
    issuer.flush().unwrap();
    other.flush().unwrap();
    let evidence = issuer.recall(&query.receipt(false)).unwrap().hits[0].evidence;
    assert_eq!(evidence.reports, 40, "every report of both counts");
}

#[test]
fn a_pending_report_counts_though_its_receipt_was_written_while_it_waited() {
    let place = Place::new();
    let issuer = place.open(Options::new(64));
    let other = place.open(Options::existing());
    let writer = place.open(Options::existing().seal_at(1_000_000));
    fill(&issuer, &vectors(1, 1, 64));
    let busy = std::thread::spawn(move || {
        let rows = vectors(5, 10_000, 64).into_iter().map(|v| Memory::new("x", v).namespace("elsewhere"));
        writer.remember_many(rows.collect()).unwrap();
        writer
    });
    std::thread::sleep(Duration::from_millis(60));
    let query = Query::new(vectors(9, 1, 64).remove(0)).k(1);
    let receipt = issuer.recall(&query).unwrap().receipt.unwrap();
    other.report(&Report::on(receipt, Outcome::Success)).unwrap();
    busy.join().unwrap();
    let query = query.receipt(false);
    let reports = || issuer.recall(&query).unwrap().hits[0].evidence.reports;
    let end = std::time::Instant::now() + Duration::from_mins(1);
    while reports() == 0 && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(reports(), 1);
}

#[test]
fn closing_finishes_though_sealing_fails() {
    let place = Place::new();
    let store = place.open(Options::new(4).seal_at(50));
    std::fs::write(place.store().join("segments"), "a file where a folder should be").unwrap();
    fill(&store, &vectors(1, 100, 4));
    assert!(store.close().is_err());
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    assert_eq!(
        open.filter(|path| path.starts_with(place.store())).count(),
        0,
        "files of the store left open"
    );
}

#[test]
fn many_may_create_a_store_at_once() {
    for _ in 0..40 {
        let place = Place::new();
        let barrier = Barrier::new(6);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    barrier.wait();
                    let store = place.open(Options::new(4));
                    store.remember(Memory::new("x", [1.0, 0.0, 0.0, 0.0])).unwrap();
                });
            }
        });
        assert_eq!(place.open(Options::existing()).count(None).unwrap(), 6);
    }
}

#[test]
fn a_damaged_control_file_blinds_nobody_and_burns_no_ids() {
    for bit in [0x80, 0x40] {
        let place = Place::new();
        let store = place.open(Options::new(4));
        fill(&store, &vectors(1, 5, 4));
        store.close().unwrap();
        for round in 0..2_u64 {
            let path = place.store().join("control");
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[31] ^= bit;
            std::fs::write(&path, bytes).unwrap();
            let store = place.open(Options::existing());
            store.recall(&Query::new([0.3, 0.2, 0.1, 0.9])).unwrap();
            let id = store.remember(Memory::new("new", [0.3, 0.2, 0.1, 0.9])).unwrap();
            assert_eq!(id, MemoryId(6 + round));
            let hits = store.recall(&Query::new([0.3, 0.2, 0.1, 0.9])).unwrap().hits;
            assert!(hits.iter().any(|hit| hit.id == id), "its own write is not found");
            assert!(store.verify().unwrap().faults.iter().any(|fault| fault.contains("control file")));
            store.close().unwrap();
        }
    }
}

#[test]
fn a_dimension_that_the_vectors_do_not_have_is_noticed() {
    let place = Place::new();
    let store = place.open(Options::new(64).metric(Metric::L2));
    fill(&store, &vectors(1, 10, 64));
    store.close().unwrap();
    drop(store);
    let database = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
    database.execute("UPDATE meta SET value = 65 WHERE key = 'dimension'", []).unwrap();
    drop(database);
    assert_eq!(Store::open(place.store(), Options::existing()).unwrap_err().code(), ErrorCode::Corrupt);
}

#[test]
fn the_scale_of_the_vectors_does_not_matter() {
    let order = |scale: f32| -> Vec<u64> {
        let store = Store::open(":memory:", Options::new(8).metric(Metric::L2)).unwrap();
        let scaled = |v: &Vec<f32>| v.iter().map(|x| x * scale).collect::<Vec<f32>>();
        let rows: Vec<Vec<f32>> = vectors(3, 200, 8).iter().map(scaled).collect();
        fill(&store, &rows);
        for _ in 0..20 {
            let recall = store.recall(&Query::new(rows[0].clone()).k(3)).unwrap();
            let report = Report::on(recall.receipt.unwrap(), Outcome::Success).used(recall.hits[0].id);
            store.report(&report).unwrap();
        }
        let hits = store.recall(&Query::new(rows[100].clone()).k(3)).unwrap().hits;
        hits.iter().map(|hit| hit.id.0).collect()
    };
    assert_eq!(order(1.0), order(1.0 / 16_384.0));
}

#[test]
fn sealing_ends_while_others_write() {
    let place = Place::new();
    let store = place.open(Options::new(16).seal_at(usize::MAX));
    fill(&store, &vectors(1, 500, 16));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for v in vectors(4, 1_000_000, 16) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                store.remember(Memory::new("y", v)).unwrap();
            }
        });
        store.seal().unwrap();
        assert!(store.stats().unwrap().seals <= 3, "it runs after the writer");
        stop.store(true, Ordering::Relaxed);
    });
}

/// Opens the store named in the environment; run as a child with few file handles.
#[test]
fn child_with_few_handles() {
    if let Ok(path) = std::env::var("WISEN_FEW_HANDLES")
        && let Ok(store) = Store::open(path, Options::existing())
    {
        let _ = store.recall(&Query::new([0.1, 0.2, 0.3, 0.4]));
    }
}

#[test]
fn want_of_file_handles_costs_no_segment() {
    let exe = std::env::current_exe().unwrap();
    for handles in 8..24 {
        let place = Place::new();
        let store = place.open(Options::new(4));
        fill(&store, &vectors(1, 100, 4));
        store.seal().unwrap();
        store.close().unwrap();
        let command = format!("ulimit -n {handles}; exec {} --exact child_with_few_handles", exe.display());
        std::process::Command::new("sh")
            .arg("-c")
            .arg(command)
            .env("WISEN_FEW_HANDLES", place.store())
            .output()
            .unwrap();
        assert_eq!(place.open(Options::existing()).stats().unwrap().segments, 1, "with {handles} handles");
    }
}

/// A memory that moved twice between two recalls of a handle is one hit, not two.
#[test]
fn moved_twice_is_shown_once() {
    let place = Place::new();
    let (store, other) = (place.open(Options::new(4)), place.open(Options::new(4)));
    other.recall(&Query::new([1.0, 0.0, 0.0, 0.0])).unwrap();
    let id = store.remember(Memory::new("a", [1.0, 0.0, 0.0, 0.0])).unwrap();
    other.recall(&Query::new([1.0, 0.0, 0.0, 0.0])).unwrap();
    let new = store.remember(Memory::new("b", [0.0, 0.0, 0.0, 1.0])).unwrap();
    for x in [0.1, 0.2, 0.3] {
        store.update(id, Update::new().vector([1.0, x, 0.0, 0.0])).unwrap();
        store.update(new, Update::new().vector([0.0, 0.0, x, 1.0])).unwrap();
    }
    let hits = other.recall(&Query::new([1.0, 0.0, 0.0, 0.0])).unwrap().hits;
    assert_eq!(hits.iter().map(|hit| hit.id).collect::<Vec<_>>(), [id, new]);
}
