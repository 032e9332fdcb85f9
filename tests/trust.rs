//! Whose word counts how much.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use wisen::{
    ErrorCode, ManualClock, MemoryId, Options, Outcome, Principal, Query, ReceiptId, Report, ReportStatus,
    Store,
};
use wisen_tests::{Bits, Place, answers, assert_sound, fill, ids, vectors};

/// A store whose clock stands at the beginning of a day.
fn store() -> (Store, Vec<MemoryId>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(20_000 * 86_400_000_000));
    let store = Store::open(":memory:", Options::new(16).clock(clock.clone())).unwrap();
    let all = fill(&store, &vectors(1, 200, 16));
    (store, all, clock)
}

fn query() -> Vec<f32> {
    vectors(2, 1, 16).remove(0)
}

fn recall(store: &Store, k: usize) -> (ReceiptId, Vec<MemoryId>) {
    let recall = store.recall(&Query::new(query()).k(k)).unwrap();
    (recall.receipt.unwrap(), ids(&recall))
}

fn all_bits(store: &Store) -> Vec<Bits> {
    answers(store, &vectors(9, 8, 16), 300)
}

/// Weight of successes and failures of a memory at the query itself.
fn weights(store: &Store, id: MemoryId) -> (f64, f64) {
    let recall = store.recall(&Query::new(query()).k(300).receipt(false)).unwrap();
    let evidence = recall.hits.iter().find(|hit| hit.id == id).unwrap().evidence;
    (evidence.successes, evidence.failures)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

fn principal(store: &Store, name: &str) -> Principal {
    store.principals().unwrap().into_iter().find(|principal| principal.name == name).unwrap()
}

/// A receipt that the owner and somebody else judge: the owner as `truth` says, the other as `says`.
fn both_judge(store: &Store, other: impl Fn(Report) -> Report, truth: bool, says: bool) {
    let (receipt, shown) = recall(store, 30);
    let outcome = |good: bool| if good { Outcome::Success } else { Outcome::Failure };
    // Far down, so that the test's own memories keep their evidence to themselves.
    store.report(&Report::on(receipt, outcome(truth)).used(shown[29])).unwrap();
    store.report(&other(Report::on(receipt, outcome(says)).used(shown[29]))).unwrap();
}

/// A registered name has to be proven; what does not prove it leaves nothing behind.
#[test]
fn a_registered_name_needs_its_token() {
    let (store, all, _) = store();
    let first = store.register("ann", None).unwrap();
    let token = store.register("ann", None).unwrap();
    assert!(first != token && token.len() == 64, "{first} {token}");
    let report = || Report::on_memory(all[0], Outcome::Success).key("k");
    let bad = [
        report().reporter("ann"),
        report().reporter("ann").token(first),
        report().reporter("ann").token(""),
        report().reporter("ann").token(&token[1..]),
        report().reporter("bob").token(token.clone()),
    ];
    for report in bad {
        assert_eq!(store.report(&report).unwrap_err().code(), ErrorCode::BadToken);
    }
    assert_eq!(store.report(&report().token("x")).unwrap_err().code(), ErrorCode::InvalidArgument);
    assert_eq!((store.stats().unwrap().reports, store.principals().unwrap().len()), (0, 1));
    let reply = store.report(&report().reporter("ann").token(token)).unwrap();
    assert_eq!(reply.status, ReportStatus::Credited);
    assert_eq!(principal(&store, "ann").reports, 1);
    for name in ["", &"x".repeat(256), "a\0b"] {
        assert_eq!(store.register(name, None).unwrap_err().code(), ErrorCode::InvalidArgument);
    }
    assert_sound(&store);
}

/// Where the owner has judged, before or after, the unit is the owner's alone; among the others, those
/// who proved their names come first.
#[test]
fn strangers_do_not_dilute_the_owner() {
    let (store, _, _) = store();
    let token = store.register("ann", None).unwrap();
    let (receipt, shown) = recall(&store, 4);
    let by = |name: &str| Report::on(receipt, Outcome::Success).used(shown[1]).reporter(name);
    assert_eq!(store.report(&by("eve")).unwrap().credited, [(shown[1], 1.0)]);
    assert_eq!(store.report(&by("ann").token(&*token)).unwrap().credited, [(shown[1], 1.0)]);
    assert!(close(weights(&store, shown[1]).0, 0.6), "only ann's counts, as far as ann is trusted");
    store.report(&Report::on(receipt, Outcome::Failure).used(shown[0])).unwrap();
    assert!(close(weights(&store, shown[0]).1, 1.0));
    assert_eq!(weights(&store, shown[1]), (0.0, 0.0));
    for name in ["eve", "mallory"] {
        assert_eq!(store.report(&by(name)).unwrap().status, ReportStatus::NotCredited);
    }
    assert!(close(weights(&store, shown[0]).1, 1.0));
    assert_sound(&store);
}

/// More than a principal may give a memory in a day is scaled to that, whatever came first; another day
/// has a cap of its own. The owner has none.
#[test]
fn a_cap_scales_what_a_day_brings() {
    let (store, all, clock) = store();
    let token = store.register("ann", None).unwrap();
    let praise = |id, outcome| Report::on_memory(id, outcome).situation(query());
    let by_ann = |outcome| praise(all[3], outcome).reporter("ann").token(&*token);
    store.report_many(&[by_ann(Outcome::Success), by_ann(Outcome::Success)]).unwrap();
    assert!(close(weights(&store, all[3]).0, 2.0 * 0.6), "below the cap nothing is scaled");
    for _ in 0..3 {
        store.report(&by_ann(Outcome::Success)).unwrap();
        store.report(&by_ann(Outcome::Failure)).unwrap();
    }
    let (success, failure) = weights(&store, all[3]);
    assert!(close(success, 5.0 / 8.0 * 1.8) && close(failure, 3.0 / 8.0 * 1.8), "{success} {failure}");
    clock.advance(Duration::from_hours(24));
    store.report_many(&vec![by_ann(Outcome::Success); 100]).unwrap();
    assert!(close(weights(&store, all[3]).0, 5.0 / 8.0 * 1.8 + 1.8));
    store.report_many(&vec![praise(all[4], Outcome::Success); 100]).unwrap();
    assert!(close(weights(&store, all[4]).0, 100.0));
    assert_sound(&store);
}

/// Reliability is learnt where the owner judged too: an honest principal comes to count nearly whole, one
/// that tosses a coin for nothing.
#[test]
fn reliability_is_learnt_beside_the_owner() {
    let (store, all, _) = store();
    let token = store.register("ann", None).unwrap();
    let ann = |report: Report| report.reporter("ann").token(&*token);
    store.report(&ann(Report::on_memory(all[3], Outcome::Success).situation(query()))).unwrap();
    assert!(close(principal(&store, "ann").reliability, 0.8));
    for i in 0..95 {
        both_judge(&store, ann, i % 2 == 0, i % 2 == 0);
    }
    let honest = principal(&store, "ann");
    assert_eq!((honest.judged_together, honest.reports), (95, 96));
    assert!(close(honest.reliability, 99.0 / 100.0));
    assert!(honest.interval.0 > 0.95 && honest.interval.1 <= 1.0);
    let kernel = weights(&store, all[3]).0;
    assert!(close(kernel, 0.98), "{kernel}");

    for i in 0..60 {
        both_judge(&store, |report| report.reporter("coin"), true, i % 2 == 0);
    }
    let coin = principal(&store, "coin");
    assert!(close(coin.reliability, 0.5) && coin.judged_together == 60);
    let before = all_bits(&store);
    let (receipt, shown) = recall(&store, 5);
    store.report(&Report::on(receipt, Outcome::Success).used(shown[4]).reporter("coin")).unwrap();
    assert_eq!(all_bits(&store), before);
    assert_sound(&store);
}

/// What weighs nothing moves nothing: no answer changes by a bit, and no place among the neighbours is
/// taken from those who are believed.
#[test]
fn strangers_alone_move_nothing() {
    let (store, all, _) = store();
    for id in &all[..80] {
        store.report(&Report::on_memory(*id, Outcome::Failure).situation(query())).unwrap();
    }
    let before = all_bits(&store);
    for i in 0..300 {
        let name = format!("stranger {i}");
        let direct = Report::on_memory(all[i % 200], Outcome::Success).situation(query());
        let reply = store.report(&direct.reporter(name.clone())).unwrap();
        assert_eq!(reply.status, ReportStatus::NotCredited, "a name anybody may use, and no receipt");
        let (receipt, shown) = recall(&store, 200);
        store.report(&Report::on(receipt, Outcome::Success).used(shown[i % 200]).reporter(name)).unwrap();
    }
    assert_eq!(all_bits(&store), before);
    // Once they have been found good, they count, all of them together as one.
    for _ in 0..20 {
        both_judge(&store, |report| report.reporter("stranger 7"), true, true);
    }
    assert_ne!(all_bits(&store), before);
    assert_sound(&store);
}

/// A registration that is taken away takes what was told under it along; registered again, it is back.
/// Other handles see it at their next recall.
#[test]
fn a_revoked_principal_counts_no_more() {
    let place = Place::new();
    let (store, other) = (place.open(Options::new(16)), place.open(Options::existing()));
    let all = fill(&store, &vectors(1, 200, 16));
    let token = store.register("ann", None).unwrap();
    let before = all_bits(&other);
    let report = |token: &str| {
        Report::on_memory(all[3], Outcome::Failure).situation(query()).reporter("ann").token(token)
    };
    other.report(&report(&token)).unwrap();
    let with = all_bits(&other);
    assert_ne!(with, before);
    assert!(store.revoke("ann", None).unwrap() && !store.revoke("ann", None).unwrap());
    assert!(!store.revoke("nobody", None).unwrap());
    assert_eq!(all_bits(&other), before);
    assert_eq!(other.report(&report(&token)).unwrap_err().code(), ErrorCode::BadToken);
    assert_eq!(principal(&other, "ann").registered_at, None);
    let token = store.register("ann", None).unwrap();
    assert_eq!(all_bits(&other), with);
    other.report(&report(&token)).unwrap();
    assert_sound(&other);
    drop((store, other));
    let again = place.open(Options::existing());
    assert_ne!(all_bits(&again), with, "and the second one counts");
    assert_sound(&again);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever tells what in whatever order, and takes what back: the answers are those of the reports
    /// that are left, to the last bit.
    #[test]
    fn the_order_in_which_many_tell_changes_nothing(seed in any::<u64>()) {
        let mut rng = fastrand::Rng::with_seed(seed);
        // Receipt, memories named, who, how it went.
        let told: Vec<(usize, [usize; 2], usize, f64)> = (0..60)
            .map(|_| (rng.usize(..8), [rng.usize(..4), rng.usize(..4)], rng.usize(..4), f64::from(rng.u8(..5)) / 4.0))
            .collect();
        let run = |order: &[usize], taken_back: &[usize]| {
            let (store, all, _) = store();
            let tokens = ["ann", "bob"].map(|name| store.register(name, None).unwrap());
            let asked: Vec<_> = (0..8).map(|_| recall(&store, 4)).collect();
            for &i in order {
                let (receipt, used, who, outcome) = told[i];
                let outcome = Outcome::Graded(outcome);
                let (id, shown) = &asked[receipt];
                let report = if receipt == 7 {
                    Report::on_memory(all[used[0]], outcome).situation(query())
                } else {
                    Report::on(*id, outcome).used(shown[used[0]]).used(shown[used[1]])
                };
                let report = match who {
                    0 => report,
                    3 => report.reporter(format!("stranger {i}")),
                    _ => report.reporter(["ann", "bob"][who - 1]).token(&*tokens[who - 1]),
                };
                let reply = store.report(&report).unwrap();
                if taken_back.contains(&i) {
                    store.retract(reply.id).unwrap();
                }
            }
            let found = store.verify().unwrap();
            assert!(found.is_ok(), "{found:?}");
            all_bits(&store)
        };
        let mut order: Vec<usize> = (0..60).collect();
        rng.shuffle(&mut order);
        let taken_back = order[..15].to_vec();
        let left: Vec<usize> = (0..60).filter(|i| !taken_back.contains(i)).collect();
        let with = run(&order, &taken_back);
        let without = run(&left, &[]);
        prop_assert!(with == without);
    }
}
