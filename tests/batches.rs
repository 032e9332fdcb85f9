//! Reports by the batch, reports with weights, and reports taken back.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use wisen::{
    Error, ErrorCode, MemoryId, Options, Outcome, Query, ReceiptId, Report, ReportId, ReportStatus, Store,
};
use wisen_tests::{answers, assert_sound, bits, experience, fill, ids, vectors};

fn store() -> (Store, Vec<MemoryId>) {
    let store = Store::open(":memory:", Options::new(16)).unwrap();
    let all = fill(&store, &vectors(1, 200, 16));
    (store, all)
}

fn query() -> Vec<f32> {
    vectors(2, 1, 16).remove(0)
}

fn recall(store: &Store, k: usize) -> (ReceiptId, Vec<MemoryId>) {
    let recall = store.recall(&Query::new(query()).k(k)).unwrap();
    (recall.receipt.unwrap(), ids(&recall))
}

fn all_bits(store: &Store) -> Vec<wisen_tests::Bits> {
    answers(store, &vectors(9, 8, 16), 300)
}

/// Weight of successes and failures of a memory at the query itself.
fn weights(store: &Store, id: MemoryId) -> (f64, f64) {
    let recall = store.recall(&Query::new(query()).k(300).receipt(false)).unwrap();
    let evidence = recall.hits.iter().find(|hit| hit.id == id).unwrap().evidence;
    (evidence.successes, evidence.failures)
}

/// What is retracted leaves no trace in any answer; its receipt's unit goes to the reports left.
#[test]
fn a_retracted_report_counts_no_more() {
    let (store, all) = store();
    let (receipt, shown) = recall(&store, 6);
    let kept = store.report(&Report::on(receipt, Outcome::Success).used(shown[0])).unwrap();
    let before = all_bits(&store);
    let other = store.report(&Report::on(receipt, Outcome::Failure).used(shown[0]).used(shown[1])).unwrap();
    let direct = store.report(&Report::on_memory(all[7], Outcome::Failure).situation(query())).unwrap();
    assert_ne!(all_bits(&store), before);
    for id in [other.id, direct.id] {
        assert!(store.retract(id).unwrap());
        assert!(!store.retract(id).unwrap(), "it was retracted before");
    }
    assert_eq!(all_bits(&store), before);
    assert_sound(&store);
    assert!(store.retract(kept.id).unwrap());
    assert_eq!(store.stats().unwrap().experiences, 0);
    assert_eq!(store.stats().unwrap().reports, 3, "they stay as a record");
    for unknown in [0, 4, u64::MAX] {
        assert_eq!(store.retract(ReportId(unknown)).unwrap_err().code(), ErrorCode::UnknownReport);
    }
}

/// The key of a retracted report stays taken: it cannot come back by being told again.
#[test]
fn a_retracted_key_stays_taken() {
    let (store, all) = store();
    let report = Report::on_memory(all[0], Outcome::Success).key("k");
    let first = store.report(&report).unwrap();
    store.retract(first.id).unwrap();
    let again = store.report(&report).unwrap();
    assert_eq!((again.status, again.id, again.credited), (ReportStatus::Duplicate, first.id, vec![]));
    assert_eq!(store.stats().unwrap().experiences, 0);
}

/// A report that waits for its receipt can be retracted, and then counts for nothing when it comes.
#[test]
fn a_pending_report_can_be_retracted() {
    let place = wisen_tests::Place::new();
    let (issuer, other) = (place.open(Options::new(16)), place.open(Options::existing()));
    fill(&issuer, &vectors(1, 20, 16));
    let (receipt, shown) = recall(&issuer, 1);
    let reply = other.report(&Report::on(receipt, Outcome::Failure)).unwrap();
    let pending = reply.status == ReportStatus::Pending;
    assert!(other.retract(reply.id).unwrap());
    issuer.flush().unwrap();
    other.flush().unwrap();
    assert_eq!(weights(&issuer, shown[0]), (0.0, 0.0), "pending: {pending}");
    assert_sound(&issuer);
}

/// A weight multiplies the credit; nothing is credited with weight 0; other weights are refused.
#[test]
fn a_weight_multiplies_the_credit() {
    let (store, all) = store();
    let report = |weight| Report::on_memory(all[3], Outcome::Success).situation(query()).weight(weight);
    assert_eq!(store.report(&report(0.25)).unwrap().credited, [(all[3], 0.25)]);
    assert_eq!(store.report(&report(0.0)).unwrap().status, ReportStatus::NotCredited);
    let (successes, failures) = weights(&store, all[3]);
    assert!((successes - 0.25).abs() < 1e-9 && failures == 0.0);
    for weight in [-0.1, 1.1, f64::NAN] {
        assert_eq!(store.report(&report(weight)).unwrap_err().code(), ErrorCode::InvalidArgument);
    }
    for outcome in [Outcome::Success, Outcome::Graded(0.5), Outcome::Unknown] {
        let refused = store.report(&Report::on_memory(all[3], outcome).severe(true)).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidArgument);
    }
    store.report(&Report::on_memory(all[3], Outcome::Failure).severe(true)).unwrap();
    assert_sound(&store);
}

/// A batch is what its reports are one by one.
#[test]
fn a_batch_is_its_reports_one_by_one() {
    let ((one, _), (many, all)) = (store(), store());
    let report = |store: &Store| {
        let (receipt, shown) = recall(store, 5);
        vec![
            Report::on(receipt, Outcome::Success).used(shown[1]).key("a"),
            Report::on(receipt, Outcome::Failure).used(shown[2]),
            Report::on(receipt, Outcome::Success).used(shown[1]).key("a"),
            Report::on_memory(all[9], Outcome::Graded(0.3)),
            Report::on_memory(all[9], Outcome::Success).situation(query()),
            Report::on(receipt, Outcome::Unknown),
        ]
    };
    let singly: Vec<_> = report(&one).iter().map(|report| one.report(report).unwrap()).collect();
    assert_eq!(many.report_many(&report(&many)).unwrap(), singly);
    assert_eq!(all_bits(&one), all_bits(&many));
    assert_eq!(singly[2].status, ReportStatus::Duplicate);
    assert_eq!(many.report_many(&[]).unwrap(), []);
    assert_sound(&many);
}

/// One bad row, and nothing of the batch is stored; the error says which.
#[test]
fn a_batch_is_kept_whole_or_not_at_all() {
    let (store, all) = store();
    let good = || Report::on_memory(all[0], Outcome::Success).reporter("r").key("k");
    let before = all_bits(&store);
    let bad = [
        Report::on_memory(MemoryId(9999), Outcome::Success),
        Report::on_memory(all[1], Outcome::Graded(7.0)),
        Report::on_memory(all[1], Outcome::Success).key("k"),
        Report::on(ReceiptId::from_bytes([7; 16]), Outcome::Success),
    ];
    let codes = [
        ErrorCode::UnknownMemory,
        ErrorCode::InvalidArgument,
        ErrorCode::KeyConflict,
        ErrorCode::UnknownReceipt,
    ];
    for (bad, code) in bad.into_iter().zip(codes) {
        let refused = store.report_many(&[good(), bad, good()]).unwrap_err();
        assert_eq!(refused.code(), code);
        assert!(matches!(refused, Error::Row { row: 1, .. }), "{refused}");
        assert!(refused.to_string().starts_with("row 1 of the batch"), "{refused}");
    }
    assert_eq!(store.stats().unwrap().reports, 0);
    assert_eq!(all_bits(&store), before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order in which reports are told and taken back, the answers are those of the reports
    /// that are left, to the last bit.
    #[test]
    fn the_order_of_reports_changes_nothing(seed in any::<u64>()) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let queries = vectors(4, 6, 16);
        let told: Vec<(usize, usize, f64)> =
            (0..30).map(|_| (rng.usize(..6), rng.usize(..5), f64::from(rng.u8(..5)) / 4.0)).collect();
        let run = |order: &[usize], taken_back: &[usize]| {
            let (store, _) = store();
            // The receipts come first: what they show must be the same in both.
            let asked: Vec<_> =
                queries.iter().map(|q| store.recall(&Query::new(q.clone()).k(5)).unwrap()).collect();
            for &i in order {
                let (q, hit, outcome) = told[i];
                let report = Report::on(asked[q].receipt.unwrap(), Outcome::Graded(outcome));
                let reply = store.report(&report.used(asked[q].hits[hit].id)).unwrap();
                if taken_back.contains(&i) {
                    store.retract(reply.id).unwrap();
                }
            }
            let found = store.verify().unwrap();
            assert!(found.is_ok(), "{found:?}");
            all_bits(&store)
        };
        let mut order: Vec<usize> = (0..30).collect();
        rng.shuffle(&mut order);
        let taken_back = order[..10].to_vec();
        let left: Vec<usize> = (0..30).filter(|i| !taken_back.contains(i)).collect();
        let with = run(&order, &taken_back);
        let without = run(&left, &[]);
        prop_assert!(with == without);
    }
}

/// Evidence can be told before its memory is asked for the first time, and by any path.
#[test]
fn a_batch_is_visible_to_the_next_recall() {
    let (store, all) = store();
    let q = query();
    experience(&store, &q, 200, all[5], Outcome::Success);
    let one = bits(&store.recall(&Query::new(q.clone()).receipt(false)).unwrap());
    store.report_many(&[Report::on_memory(all[5], Outcome::Failure).situation(q.clone())]).unwrap();
    assert_ne!(bits(&store.recall(&Query::new(q).receipt(false)).unwrap()), one);
}
