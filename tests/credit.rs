//! What one report is worth, and to whom.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use wisen::{
    ErrorCode, Memory, MemoryId, Options, Outcome, Policy, Query, ReceiptId, Report, ReportStatus, Store,
    Update,
};
use wisen_tests::{answers, assert_sound, experience, fill, ids, vectors};

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

/// Weight of successes and failures of a memory here, in units of the kernel at the query itself:
/// reports made at the query are as near as can be, so the kernel is the same for all.
fn weights(store: &Store, id: MemoryId) -> (f64, f64) {
    let recall = store.recall(&Query::new(query()).k(300).receipt(false)).unwrap();
    let evidence = recall.hits.iter().find(|hit| hit.id == id).unwrap().evidence;
    (evidence.successes, evidence.failures)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

/// Two reports on one receipt, with several memories named, share one unit of credit.
#[test]
fn one_receipt_gives_at_most_one_unit_of_credit() {
    let (store, _) = store();
    let (receipt, shown) = recall(&store, 6);
    let report = Report::on(receipt, Outcome::Success).used(shown[0]).used(shown[1]).used(shown[1]);
    let first = store.report(&report).unwrap();
    assert_eq!(first.credited, [(shown[0], 0.5), (shown[1], 0.5)]);
    let second = store.report(&Report::on(receipt, Outcome::Success).used(shown[2])).unwrap();
    assert_eq!(second.credited, [(shown[2], 0.5)]);
    let given: f64 = shown.iter().map(|id| weights(&store, *id).0).sum();
    assert!(close(given, 1.0), "{given}");
    assert!(close(weights(&store, shown[0]).0, 0.25), "the earlier report has given up half of its share");
    for _ in 0..20 {
        store.report(&Report::on(receipt, Outcome::Success).used(shown[3])).unwrap();
    }
    let given: f64 = shown.iter().map(|id| weights(&store, *id).0).sum();
    assert!(given <= 1.0 + 1e-9 && given > 0.999, "{given}");
    assert_sound(&store);
}

/// A grade is split: as much success as it says, the rest failure; grades outside 0..=1 are refused.
#[test]
fn a_graded_outcome_counts_for_both_sides() {
    let (store, _) = store();
    let (receipt, shown) = recall(&store, 3);
    store.report(&Report::on(receipt, Outcome::Graded(0.25)).used(shown[2])).unwrap();
    let (success, failure) = weights(&store, shown[2]);
    assert!(close(success, 0.25) && close(failure, 0.75), "{success} {failure}");
    for grade in [-0.01, 1.01, f64::NAN, f64::INFINITY] {
        let refused = store.report(&Report::on(receipt, Outcome::Graded(grade))).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidArgument, "{grade}");
    }
    assert_eq!(store.stats().unwrap().reports, 1);
}

/// One hit shown: that one was used. Several shown and none named: nobody is credited, and it says so.
#[test]
fn credit_goes_to_what_was_used() {
    let (store, _) = store();
    let (receipt, shown) = recall(&store, 1);
    let reply = store.report(&Report::on(receipt, Outcome::Failure)).unwrap();
    assert_eq!((reply.status, reply.credited), (ReportStatus::Credited, vec![(shown[0], 1.0)]));
    assert!(close(weights(&store, shown[0]).1, 1.0));

    let before = answers(&store, &[query()], 50);
    let (receipt, _) = recall(&store, 4);
    let reply = store.report(&Report::on(receipt, Outcome::Success)).unwrap();
    assert_eq!((reply.status, reply.credited), (ReportStatus::NotCredited, vec![]));
    let (receipt, _) = recall(&store, 0);
    assert_eq!(
        store.report(&Report::on(receipt, Outcome::Success)).unwrap().status,
        ReportStatus::NotCredited
    );
    assert_eq!(answers(&store, &[query()], 50), before);
    assert_eq!(store.stats().unwrap().reports, 3, "they are kept all the same");
}

/// A report that names a memory its recall had not shown is refused whole: nothing of it is stored.
#[test]
fn what_was_not_shown_was_not_used() {
    let (store, all) = store();
    let (receipt, shown) = recall(&store, 4);
    let stranger = *all.iter().find(|id| !shown.contains(id)).unwrap();
    let before = answers(&store, &[query()], 50);
    for used in [stranger, MemoryId(999_999)] {
        let report = Report::on(receipt, Outcome::Success).used(shown[0]).used(used).key("k").reporter("r");
        assert_eq!(store.report(&report).unwrap_err().code(), ErrorCode::NotShown);
    }
    assert_eq!(answers(&store, &[query()], 50), before);
    assert_eq!(store.stats().unwrap().reports, 0);
    assert_eq!(
        store.report(&Report::on(receipt, Outcome::Success).used(shown[0]).key("k")).unwrap().status,
        ReportStatus::Credited
    );
}

/// The same report under the same key counts once; another one under that key is refused.
#[test]
fn a_key_makes_a_report_count_once() {
    let (store, _) = store();
    let (receipt, shown) = recall(&store, 4);
    let report = Report::on(receipt, Outcome::Success).used(shown[0]).key("attempt 1").note("n").tokens(7);
    let first = store.report(&report).unwrap();
    let once = answers(&store, &[query()], 50);
    for _ in 0..3 {
        let again = store.report(&report).unwrap();
        assert_eq!((again.status, again.id), (ReportStatus::Duplicate, first.id));
        assert_eq!(again.credited, first.credited);
    }
    assert_eq!(answers(&store, &[query()], 50), once);
    let other = [
        Report::on(receipt, Outcome::Failure).used(shown[0]).key("attempt 1").note("n").tokens(7),
        Report::on(receipt, Outcome::Success).used(shown[1]).key("attempt 1").note("n").tokens(7),
        Report::on(receipt, Outcome::Success).used(shown[0]).key("attempt 1").note("m").tokens(7),
        Report::on_memory(shown[0], Outcome::Success).key("attempt 1").note("n").tokens(7),
    ];
    for report in other {
        assert_eq!(store.report(&report).unwrap_err().code(), ErrorCode::KeyConflict);
    }
    assert_eq!(answers(&store, &[query()], 50), once);
    assert_eq!(store.stats().unwrap().reports, 1);
}

/// A memory whose words are far from the query is found through situations in which it worked, if
/// that was seen under two receipts: not under one, not without receipts, not by failures.
#[test]
fn two_receipts_nominate() {
    let nominated = |report: &dyn Fn(&Store, MemoryId)| {
        let store = Store::open(":memory:", Options::new(16)).unwrap();
        store.set_policy("default", Policy::new().quarantine(false)).unwrap();
        fill(&store, &vectors(1, 400, 16));
        let far: Vec<f32> = query().iter().map(|x| -x).collect();
        let far = store.remember(Memory::new("far", far)).unwrap();
        report(&store, far);
        let hits = store.recall(&Query::new(query()).k(60)).unwrap().hits;
        let found = hits.iter().find(|hit| hit.id == far);
        assert!(found.is_none_or(|hit| hit.evidence.nominated));
        found.is_some()
    };
    let by_receipt = |outcome: Outcome, times: usize| {
        move |store: &Store, far: MemoryId| {
            for _ in 0..times {
                experience(store, &query(), 500, far, outcome);
            }
        }
    };
    assert!(nominated(&by_receipt(Outcome::Success, 2)));
    assert!(!nominated(&by_receipt(Outcome::Success, 1)));
    assert!(!nominated(&by_receipt(Outcome::Failure, 50)));
    assert!(!nominated(&by_receipt(Outcome::Unknown, 50)));
    assert!(!nominated(&|store, far| {
        for _ in 0..50 {
            store.report(&Report::on_memory(far, Outcome::Success).situation(query())).unwrap();
        }
    }));
    // One receipt praised by many is still one.
    assert!(!nominated(&|store, far| {
        let receipt = store.recall(&Query::new(query()).k(500)).unwrap().receipt.unwrap();
        for _ in 0..5 {
            store.report(&Report::on(receipt, Outcome::Success).used(far)).unwrap();
        }
    }));
}

#[derive(Debug, Clone)]
enum Step {
    Report { query: usize, k: usize, used: Vec<usize>, outcome: Option<f64>, key: Option<u8>, again: bool },
    Direct { memory: usize, query: Option<usize>, outcome: f64 },
    Forget { memory: usize },
    Supersede { memory: usize },
    Move { memory: usize, to: usize },
    Seal,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let grade = || prop_oneof![Just(0.0), Just(1.0), 0.0..1.0];
    let report = (0..6_usize, 0..5_usize, prop::collection::vec(0..5_usize, 0..4), prop::option::of(grade()));
    let step = prop_oneof![
        8 => (report, prop::option::of(0..4_u8), any::<bool>()).prop_map(|((query, k, used, outcome), key, again)| {
            Step::Report { query, k, used, outcome, key, again }
        }),
        2 => (0..40_usize, prop::option::of(0..6_usize), grade())
            .prop_map(|(memory, query, outcome)| Step::Direct { memory, query, outcome }),
        1 => (0..40_usize).prop_map(|memory| Step::Forget { memory }),
        1 => (0..40_usize).prop_map(|memory| Step::Supersede { memory }),
        1 => (0..40_usize, 0..6_usize).prop_map(|(memory, to)| Step::Move { memory, to }),
        1 => Just(Step::Seal),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is told in whatever order, every cell is the sum of its reports.
    #[test]
    fn cells_are_the_sums_of_their_reports(steps in steps()) {
        let store = Store::open(":memory:", Options::new(16)).unwrap();
        let mut all = fill(&store, &vectors(3, 40, 16));
        let queries = vectors(4, 6, 16);
        let mut last = None;
        for step in steps {
            match step {
                Step::Report { query, k, used, outcome, key, again } => {
                    let asked = store.recall(&Query::new(queries[query].clone()).k(k)).unwrap();
                    let (receipt, shown) = match last.clone().filter(|_| again) {
                        Some(earlier) => earlier,
                        None => (asked.receipt.unwrap(), ids(&asked)),
                    };
                    let outcome = outcome.map_or(Outcome::Unknown, Outcome::Graded);
                    let mut report = Report::on(receipt, outcome);
                    for i in used.iter().filter(|i| **i < shown.len()) {
                        report = report.used(shown[*i]);
                    }
                    if let Some(key) = key {
                        report = report.key(key.to_string());
                    }
                    match store.report(&report) {
                        Ok(_) => {}
                        Err(error) => prop_assert_eq!(error.code(), ErrorCode::KeyConflict),
                    }
                    last = Some((receipt, shown));
                }
                Step::Direct { memory, query, outcome } => {
                    let mut report = Report::on_memory(all[memory], Outcome::Graded(outcome));
                    if let Some(query) = query {
                        report = report.situation(queries[query].clone());
                    }
                    if let Err(error) = store.report(&report) {
                        prop_assert_eq!(error.code(), ErrorCode::UnknownMemory);
                    }
                }
                Step::Forget { memory } => drop(store.forget(all[memory]).unwrap()),
                Step::Supersede { memory } => {
                    let next = Memory::new("next", queries[0].clone()).supersedes(all[memory]);
                    if let Ok(id) = store.remember(next) {
                        all[memory] = id;
                    }
                }
                Step::Move { memory, to } => {
                    // A forgotten one cannot be moved.
                    let _ = store.update(all[memory], Update::new().vector(queries[to].clone()));
                }
                Step::Seal => store.seal().unwrap(),
            }
        }
        let found = store.verify().unwrap();
        prop_assert!(found.is_ok(), "{:?}", found);
    }
}
