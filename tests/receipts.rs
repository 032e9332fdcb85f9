//! Receipts: a recall can be reported on later, from anywhere, and only if there was one.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use wisen::{ErrorCode, ManualClock, Options, Outcome, Query, ReceiptId, Report, ReportStatus, Store};
use wisen_tests::{Place, answers, assert_sound, child, fill, ids, vectors};

fn filled(place: &Place) -> Store {
    let store = place.open(Options::new(16));
    fill(&store, &vectors(1, 100, 16));
    store
}

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let store = Store::open(&part.store, Options::existing()).unwrap();
    let query = vectors(2, 1, 16).remove(0);
    match part.name.as_str() {
        // Recalls, says receipt and first hit, and ends without closing.
        "recall" => {
            let recall = store.recall(&Query::new(query).k(4).text("why")).unwrap();
            store.flush().unwrap();
            child::say(format!("{} {}", recall.receipt.unwrap(), recall.hits[3].id));
        }
        other => panic!("no part {other}"),
    }
}

/// A receipt survives closing, and the report counts as if it had come at once.
#[test]
fn a_report_may_come_after_reopening() {
    let place = Place::new();
    let store = filled(&place);
    let query = vectors(2, 1, 16).remove(0);
    let recall = store.recall(&Query::new(query.clone()).k(4).text("why")).unwrap();
    let dropped = store.recall(&Query::new(query.clone()).k(4)).unwrap();
    store.close().unwrap();
    drop(store);
    let store = place.open(Options::existing());
    let before = answers(&store, std::slice::from_ref(&query), 10);
    for recall in [recall, dropped] {
        let report = Report::on(recall.receipt.unwrap(), Outcome::Success).used(recall.hits[3].id);
        assert_eq!(store.report(&report).unwrap().status, ReportStatus::Credited);
    }
    assert_ne!(answers(&store, &[query], 10), before);
    assert_sound(&store);
}

/// A receipt of another process is as good as one's own.
#[test]
fn a_report_may_come_from_another_process() {
    let place = Place::new();
    let store = filled(&place);
    let said = child::run("recall", &place.store(), 0);
    let (receipt, used) = said[0].split_once(' ').unwrap();
    let receipt: ReceiptId = receipt.parse().unwrap();
    let used = wisen::MemoryId(used.parse().unwrap());
    let reply = store.report(&Report::on(receipt, Outcome::Success).used(used)).unwrap();
    assert_eq!((reply.status, reply.credited), (ReportStatus::Credited, vec![(used, 1.0)]));
    let stranger = store.report(&Report::on(receipt, Outcome::Success).used(wisen::MemoryId(100_000)));
    assert_eq!(stranger.unwrap_err().code(), ErrorCode::NotShown);
}

/// A report that comes before its receipt was written waits, and counts as soon as it is: of what it
/// names, what was shown.
#[test]
fn a_report_may_come_before_its_receipt() {
    let place = Place::new();
    let (issuer, other) = (filled(&place), place.open(Options::existing()));
    let mut pending = 0;
    for (i, query) in vectors(3, 40, 16).into_iter().enumerate() {
        let recall = issuer.recall(&Query::new(query.clone()).k(3)).unwrap();
        let used = recall.hits[2].id;
        let report = Report::on(recall.receipt.unwrap(), Outcome::Success).used(used).key(format!("r{i}"));
        let reply = other.report(&report).unwrap();
        if reply.status == ReportStatus::Pending {
            pending += 1;
            assert!(reply.credited.is_empty());
        }
        issuer.flush().unwrap();
        let again = other.report(&report).unwrap();
        assert_eq!((again.status, again.credited), (ReportStatus::Duplicate, vec![(used, 1.0)]));
        let hits = other.recall(&Query::new(query).k(100).receipt(false)).unwrap().hits;
        assert!(hits.iter().find(|hit| hit.id == used).unwrap().evidence.reports > 0);
    }
    assert!(pending > 5, "{pending} of 40 came before the receipt");
    assert_sound(&other);
}

/// A receipt that does not exist, old or of another store, is an error, and nothing is stored.
#[test]
fn an_unknown_receipt_is_an_error() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let clock = Arc::new(ManualClock::at(1_700_000_000_000_000));
    let options = || Options::new(16).clock(clock.clone());
    let (store, other) = (place.open(options()), elsewhere.open(options()));
    let all = fill(&store, &vectors(1, 10, 16));
    fill(&other, &vectors(1, 10, 16));
    let query = vectors(2, 1, 16).remove(0);
    let foreign = other.recall(&Query::new(query.clone())).unwrap();
    clock.advance(Duration::from_secs(61));
    let before = answers(&store, std::slice::from_ref(&query), 10);
    for receipt in [foreign.receipt.unwrap(), ReceiptId::from_bytes([7; 16]), ReceiptId::from_bytes([0; 16])]
    {
        let report = Report::on(receipt, Outcome::Success).used(all[0]).key("k").reporter("somebody");
        assert_eq!(store.report(&report).unwrap_err().code(), ErrorCode::UnknownReceipt);
    }
    assert_eq!("no uuid".parse::<ReceiptId>().unwrap_err().code(), ErrorCode::UnknownReceipt);
    assert_eq!(store.stats().unwrap().reports, 0);
    assert_eq!(answers(&store, std::slice::from_ref(&query), 10), before);
    // The key is free: the refused report has left nothing behind.
    let recall = store.recall(&Query::new(query)).unwrap();
    let report = Report::on(recall.receipt.unwrap(), Outcome::Success).used(recall.hits[0].id).key("k");
    assert_eq!(store.report(&report).unwrap().status, ReportStatus::Credited);
}

/// Receipts are disposable: without receipts.db, or with a damaged one, the store opens and learns
/// on; what was credited stays.
#[test]
fn receipts_may_be_lost() {
    type Damage = fn(&std::path::Path);
    let damages: [(&str, Damage); 4] = [
        ("deleted", |file| std::fs::remove_file(file).unwrap()),
        ("no database", |file| std::fs::write(file, vec![0x5a; 9000]).unwrap()),
        ("cut short", |file| {
            let bytes = std::fs::read(file).unwrap();
            std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("pages overwritten", |file| {
            let mut bytes = std::fs::read(file).unwrap();
            bytes[4096..].fill(0x5a);
            std::fs::write(file, bytes).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let place = Place::new();
        let store = filled(&place);
        let query = vectors(2, 1, 16).remove(0);
        for _ in 0..400 {
            store.recall(&Query::new(query.clone()).k(3)).unwrap();
        }
        let unreported = store.recall(&Query::new(query.clone()).k(3)).unwrap();
        let recall = store.recall(&Query::new(query.clone()).k(3)).unwrap();
        let report = Report::on(recall.receipt.unwrap(), Outcome::Success).used(recall.hits[2].id);
        store.report(&report).unwrap();
        let before = answers(&store, std::slice::from_ref(&query), 10);
        store.close().unwrap();
        drop(store);
        damage(&place.store().join("receipts.db"));

        let store = place.open(Options::existing());
        assert_eq!(answers(&store, std::slice::from_ref(&query), 10), before, "{name}");
        let second = Report::on(recall.receipt.unwrap(), Outcome::Failure).used(recall.hits[0].id);
        assert_eq!(store.report(&second).unwrap().status, ReportStatus::Credited, "{name}: it was copied");
        let lost = Report::on(unreported.receipt.unwrap(), Outcome::Success);
        let lost = store.report(&lost.used(unreported.hits[0].id));
        assert!(lost.is_err() || lost.unwrap().status != ReportStatus::Duplicate, "{name}");
        let recall = store.recall(&Query::new(query.clone()).k(3)).unwrap();
        store.flush().unwrap_or_else(|error| panic!("{name}: {error}"));
        store.close().unwrap_or_else(|error| panic!("{name}: {error}"));
        drop(store);
        let store = place.open(Options::existing());
        let report = Report::on(recall.receipt.unwrap(), Outcome::Success).used(ids(&recall)[1]);
        assert_eq!(
            store.report(&report).unwrap().status,
            ReportStatus::Credited,
            "{name}: new ones are kept"
        );
        assert_sound(&store);
    }
}
