//! Evidence that fades.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use wisen::{
    ErrorCode, Evidence, HalfLife, ManualClock, Memory, MemoryId, Options, Outcome, Policy, Query, Report,
    Store, Update,
};
use wisen_tests::{Bits, Place, answers, assert_sound, fill, vectors};

const DAY: Duration = Duration::from_hours(24);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(20_000 * 86_400_000_000))
}

fn store() -> (Store, Vec<MemoryId>, Arc<ManualClock>) {
    let clock = clock();
    let store = Store::open(":memory:", Options::new(16).clock(clock.clone())).unwrap();
    let all = fill(&store, &vectors(1, 200, 16));
    (store, all, clock)
}

fn query() -> Vec<f32> {
    vectors(2, 1, 16).remove(0)
}

fn all_bits(store: &Store) -> Vec<Bits> {
    answers(store, &vectors(9, 8, 16), 300)
}

fn evidence(store: &Store, id: MemoryId) -> Evidence {
    let recall = store.recall(&Query::new(query()).k(300).receipt(false)).unwrap();
    recall.hits.iter().find(|hit| hit.id == id).unwrap().evidence
}

fn report(id: MemoryId, outcome: f64) -> Report {
    Report::on_memory(id, Outcome::Graded(outcome)).situation(query())
}

/// Without a half-life time changes nothing; with one, evidence is worth half after it. Neither setting
/// it nor taking it away loses anything.
#[test]
fn a_half_life_is_set_and_taken_away() {
    let (store, all, clock) = store();
    store.report_many(&[report(all[0], 1.0), report(all[0], 0.25), report(all[1], 0.0)]).unwrap();
    let fresh = all_bits(&store);
    clock.advance(DAY * 10);
    assert_eq!(all_bits(&store), fresh);
    assert_eq!(store.half_life("note").unwrap().setting, HalfLife::None);

    store.set_half_life("note", HalfLife::Days(10.0)).unwrap();
    let status = store.half_life("note").unwrap();
    assert_eq!((status.setting, status.days), (HalfLife::Days(10.0), Some(10.0)));
    let half = evidence(&store, all[0]);
    assert!((half.successes - 0.625).abs() < 1e-9 && (half.failures - 0.375).abs() < 1e-9, "{half:?}");
    assert_eq!(half.reports, 2);
    assert_sound(&store);
    store.report(&report(all[0], 1.0)).unwrap();
    assert!((evidence(&store, all[0]).successes - 1.625).abs() < 1e-9);
    store.set_half_life("note", HalfLife::Days(20.0)).unwrap();
    assert!((evidence(&store, all[0]).successes - (1.0 + 1.25 * 0.5_f64.sqrt())).abs() < 1e-9);
    store.set_half_life("note", HalfLife::None).unwrap();
    assert!((evidence(&store, all[0]).successes - 2.25).abs() < 1e-9);
    assert_sound(&store);
    for days in [0.5, f64::NAN, f64::INFINITY, -3.0] {
        let refused = store.set_half_life("note", HalfLife::Days(days)).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidArgument);
    }
    store.set_half_life("a kind of the future", HalfLife::Days(1.0)).unwrap();
}

/// A memory that changes its kind takes its evidence along.
#[test]
fn a_half_life_is_that_of_the_kind() {
    let (store, all, clock) = store();
    store.set_half_life("news", HalfLife::Days(1.0)).unwrap();
    store.report_many(&[report(all[0], 1.0), report(all[1], 1.0)]).unwrap();
    store.update(all[0], Update::new().kind("news")).unwrap();
    clock.advance(DAY * 2);
    assert!((evidence(&store, all[0]).successes - 0.25).abs() < 1e-9);
    assert!((evidence(&store, all[1]).successes - 1.0).abs() < 1e-9);
    assert_sound(&store);
    store.update(all[0], Update::new().kind("note")).unwrap();
    assert!((evidence(&store, all[0]).successes - 1.0).abs() < 1e-9);
    assert_sound(&store);
}

/// Other handles know the half-life at their next recall, and so does whoever opens the store later.
#[test]
fn a_half_life_reaches_other_handles() {
    let (place, clock) = (Place::new(), clock());
    let open = |options: Options| place.open(options.clock(clock.clone()));
    let (store, other) = (open(Options::new(16)), open(Options::existing()));
    let all = fill(&store, &vectors(1, 200, 16));
    store.report_many(&[report(all[0], 0.0), report(all[5], 1.0)]).unwrap();
    let before = all_bits(&other);
    store.set_half_life("note", HalfLife::Days(3.0)).unwrap();
    assert_eq!(all_bits(&other), before, "today nothing has faded");
    clock.advance(DAY);
    let after = all_bits(&other);
    assert_ne!(after, before);
    assert_eq!(all_bits(&store), after);
    assert_eq!(all_bits(&open(Options::existing())), after);
    assert_sound(&other);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// The evidence of a memory that nobody touches fades: what is said of it moves from how it went to
    /// what is said of one like it that has no evidence, and never past that.
    #[test]
    fn evidence_halves_and_never_passes_the_prior(
        outcomes in prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), 0.0..1.0], 1..30),
        days in 1.0..60.0_f64,
    ) {
        let (store, all, clock) = store();
        store.set_policy("default", Policy::new().quarantine(false)).unwrap();
        let twin = store.remember(Memory::new("twin", store.get(all[7]).unwrap().unwrap().vector)).unwrap();
        store.set_half_life("note", HalfLife::Days(days)).unwrap();
        let reports: Vec<Report> = outcomes.iter().map(|outcome| report(all[7], *outcome)).collect();
        store.report_many(&reports).unwrap();
        let fresh = evidence(&store, all[7]);
        let rate = fresh.successes / (fresh.successes + fresh.failures);
        let (mut age, mut share) = (0, 1.0);
        for step in [0, 1, 1, 5, 23, 70, 900, 100_000_u32] {
            age += step;
            clock.advance(DAY * step);
            let now = evidence(&store, all[7]);
            let left = 0.5_f64.powf(f64::from(age) / days);
            prop_assert!((now.successes - fresh.successes * left).abs() < 1e-9, "{now:?}");
            prop_assert!((now.failures - fresh.failures * left).abs() < 1e-9);
            let (p, none) = (now.probability(), evidence(&store, twin).probability());
            let (low, high) = if rate < none { (rate, none) } else { (none, rate) };
            prop_assert!(low - 1e-9 <= p && p <= high + 1e-9, "{p} is not between {rate} and {none}");
            if (rate - none).abs() > 1e-3 {
                let now = (p - none) / (rate - none);
                prop_assert!(now <= share + 1e-9, "the share of the evidence grows from {share} to {now}");
                share = now;
            }
        }
        let (p, none) = (evidence(&store, all[7]).probability(), evidence(&store, twin).probability());
        prop_assert!((p - none).abs() < 1e-6);
    }
}

/// `Auto` finds that the world moves, or that it does not; it says what it chose among, and waits for 50
/// reports before it chooses.
#[test]
fn auto_fits_what_the_reports_show() {
    let run = |period: usize| {
        let (store, all, clock) = store();
        store.set_half_life("note", HalfLife::Auto).unwrap();
        let mut rng = fastrand::Rng::with_seed(3);
        let mut good = [false; 10];
        for day in 0..200 {
            let mut reports = Vec::new();
            for (i, good) in good.iter_mut().enumerate() {
                if day % period == 0 {
                    *good = rng.bool();
                }
                let success = rng.f64() < if *good { 0.9 } else { 0.1 };
                reports.push(report(all[i], f64::from(u8::from(success))));
            }
            store.report_many(&reports).unwrap();
            assert_eq!(store.half_life("note").unwrap().fit.is_some(), day >= 4, "day {day}");
            clock.advance(DAY);
        }
        assert_sound(&store);
        store.half_life("note").unwrap()
    };
    let (moves, stands) = (run(25), run(1000));
    assert!(moves.setting == HalfLife::Auto && moves.days.is_some_and(|days| days <= 14.0), "{moves:?}");
    assert_eq!(stands.days, None, "{stands:?}");
    let fit = moves.fit.unwrap();
    let chosen = fit.losses.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert_eq!((chosen.0, fit.losses.len()), (moves.days, 7));
    assert!(fit.experiences > 1500 && fit.losses.iter().all(|(_, loss)| *loss > 0.0));
}

/// Who has been found wrong bends no half-life, however much it tells of a world that moves.
#[test]
fn who_is_not_trusted_bends_no_half_life() {
    let run = |shouted: usize| {
        let (store, all, clock) = store();
        let token = store.register("eve", None).unwrap();
        store.set_half_life("note", HalfLife::Auto).unwrap();
        let outcome = |good: bool| if good { Outcome::Success } else { Outcome::Failure };
        for i in 0..20 {
            let receipt = store.recall(&Query::new(query()).k(1)).unwrap().receipt.unwrap();
            store.report(&Report::on(receipt, outcome(i % 2 == 0))).unwrap();
            store
                .report(&Report::on(receipt, outcome(i % 2 != 0)).reporter("eve").token(token.clone()))
                .unwrap();
        }
        for day in 0..200 {
            // The owner sees ten memories that stay as they are.
            store.report(&report(all[day % 10], f64::from(u8::from(day % 2 == 0)))).unwrap();
            for i in 0..shouted {
                let moves = report(all[i % 10], f64::from(u8::from(day / 20 % 2 == 0)));
                store.report(&moves.reporter("eve").token(token.clone())).unwrap();
            }
            clock.advance(DAY);
        }
        // Fitted to all that the owner told.
        store.set_half_life("note", HalfLife::None).unwrap();
        store.set_half_life("note", HalfLife::Auto).unwrap();
        assert_sound(&store);
        let found = store.half_life("note").unwrap();
        (found.days, found.fit.unwrap().losses)
    };
    let (days, losses) = run(0);
    assert_eq!((days, losses), run(15));
}

/// What fades may be taken back, and may come under receipts, like everything else.
#[test]
fn what_fades_can_be_retracted_and_nominates_while_it_counts() {
    let (store, _, clock) = store();
    store.set_half_life("note", HalfLife::Days(30.0)).unwrap();
    let far: Vec<f32> = query().iter().map(|x| -x).collect();
    let far = store.remember(Memory::new("far", far)).unwrap();
    let is_hit = || {
        let recall = store.recall(&Query::new(query()).k(60)).unwrap();
        recall.hits.iter().any(|hit| hit.id == far)
    };
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(wisen_tests::experience(&store, &query(), 500, far, Outcome::Success).id);
    }
    assert!(is_hit());
    store.retract(told[0]).unwrap();
    assert!(is_hit());
    clock.advance(DAY * 31);
    assert!(!is_hit(), "two wins have faded below two");
    for id in &told[1..] {
        store.retract(*id).unwrap();
    }
    assert_eq!(store.stats().unwrap().experiences, 0);
    assert_sound(&store);
}
