//! Memories that fail are taken out of recall, and let back when they do better.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use wisen::{
    ErrorCode, ManualClock, Memory, MemoryId, Options, Outcome, Policy, Query, Recall, Report, StandingState,
    Store, Update, Window,
};
use wisen_tests::{Place, answers, assert_sound, bits, child, decisions, experience, fill, ids, vectors};

const DIM: usize = 16;

/// With the rule in force, which is opt-in.
fn strict(store: Store) -> Store {
    store.set_policy("default", Policy::new().quarantine(true)).unwrap();
    store
}

fn store() -> (Store, Vec<MemoryId>) {
    let store = strict(Store::open(":memory:", Options::new(DIM)).unwrap());
    let all = fill(&store, &vectors(1, 200, DIM));
    (store, all)
}

/// Tells that a memory failed or worked, each time in another situation.
fn tell(store: &Store, id: MemoryId, outcome: Outcome, times: usize, seed: u64) {
    for situation in vectors(seed, times, DIM) {
        store.report(&Report::on_memory(id, outcome).situation(situation)).unwrap();
    }
}

fn state(store: &Store, id: MemoryId) -> StandingState {
    store.standing(id).unwrap().state
}

fn shows(store: &Store, id: MemoryId) -> bool {
    let query = Query::new(vectors(99, 1, DIM).remove(0)).k(10_000).receipt(false);
    ids(&store.recall(&query).unwrap()).contains(&id)
}

/// Recalls near a memory until chance gives a memory on probation its place.
fn until_tried(store: &Store, query: &[f32], id: MemoryId) -> Recall {
    for _ in 0..2000 {
        let recall = store.recall(&Query::new(query).k(5)).unwrap();
        if ids(&recall).contains(&id) {
            return recall;
        }
    }
    panic!("memory {id} was never tried");
}

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let store = Store::open(&part.store, Options::existing()).unwrap();
    match part.name.as_str() {
        "shows" => child::say(shows(&store, MemoryId(part.number))),
        "fail" => tell(&store, MemoryId(part.number), Outcome::Failure, 12, 7),
        other => panic!("no part {other}"),
    }
}

/// Active, quarantined, on probation, and active again or retired: seen by every handle at once, sealed or
/// not, and after opening again. Everything is written down.
#[test]
fn a_memory_goes_through_its_states() {
    for (sealed, ends_well) in [(false, true), (true, true), (false, false), (true, false)] {
        let place = Place::new();
        let store = strict(place.open(Options::new(DIM).scan_below(0)));
        let points = vectors(1, 200, DIM);
        let all = fill(&store, &points);
        if sealed {
            store.seal().unwrap();
        }
        let other = place.open(Options::existing());
        let (bad, here) = (all[3], &points[3]);
        assert!(shows(&other, bad) && store.review(None).unwrap().is_empty());

        tell(&store, bad, Outcome::Failure, 4, 5);
        assert_eq!(state(&store, bad), StandingState::Active, "four failures are no proof");
        tell(&store, bad, Outcome::Failure, 8, 6);
        assert_eq!(state(&store, bad), StandingState::Quarantined);
        for handle in [&store, &other] {
            assert!(!shows(handle, bad));
            let recall = handle.recall(&Query::new(here.clone()).k(199).receipt(false)).unwrap();
            assert_eq!(recall.hits.len(), 199, "the others fill its place");
            let listed = handle.review(Some("default")).unwrap();
            assert_eq!((listed.len(), listed[0].id), (1, bad));
            assert!(listed[0].doubt > 0.95 && listed[0].failures > 5.0 && !listed[0].reason.is_empty());
        }
        if sealed {
            store.seal().unwrap();
        }
        store.close().unwrap();
        let store = place.open(Options::existing());
        assert!(!shows(&store, bad), "after opening again");
        assert!(!shows(&store, bad), "a recall without a receipt tries nothing");

        let outcome = if ends_well { Outcome::Success } else { Outcome::Failure };
        for i in 0..10 {
            let tried = until_tried(&store, here, bad);
            let last = tried.hits.last().unwrap();
            assert_eq!((last.id, tried.hits.len()), (bad, 5), "it takes the last place");
            assert!((last.propensity - 0.05).abs() < 1e-9);
            assert!(tried.hits[..4].iter().all(|hit| hit.propensity > 0.999));
            store.report(&Report::on(tried.receipt.unwrap(), outcome).used(bad)).unwrap();
            let expected = match (i, ends_well) {
                (9, true) => StandingState::Active,
                (9, false) => StandingState::Retired,
                _ => StandingState::Probation,
            };
            assert_eq!(state(&other, bad), expected, "after {} trials", i + 1);
            if i == 0 && !ends_well {
                // What was tried before a restart counts.
                store.close().unwrap();
                break;
            }
        }
        let store = if ends_well { store } else { place.open(Options::existing()) };
        if !ends_well {
            tell(&store, bad, Outcome::Failure, 9, 31);
            assert_eq!(state(&store, bad), StandingState::Retired, "nine more");
        }
        assert_eq!(shows(&store, bad), ends_well);
        assert_eq!(shows(&other, bad), ends_well);
        let ops: Vec<String> = decisions(&store, 1, 100).into_iter().map(|entry| entry.op).collect();
        assert_eq!(ops, ["quarantine", "probation", if ends_well { "reinstate" } else { "retire" }]);
        let entry = decisions(&store, 1, 1).remove(0);
        assert_eq!((entry.memory, entry.actor.as_str()), (Some(bad), "engine"));
        assert!(entry.detail["doubt"].as_f64().unwrap() > 0.95);
        if ends_well {
            tell(&store, bad, Outcome::Failure, 1, 41);
            assert_eq!(state(&store, bad), StandingState::Active, "what it was tried for is spent");
            tell(&store, bad, Outcome::Failure, 40, 42);
            assert_eq!(state(&store, bad), StandingState::Active, "it works where it was tried");
            for _ in 0..25 {
                store.report(&Report::on_memory(bad, Outcome::Failure).situation(here.clone())).unwrap();
            }
            assert_eq!(state(&store, bad), StandingState::Quarantined, "and no more");
        }
        assert_sound(&store);
    }
}

/// Over 100 outcomes no memory that is 70 % good is quarantined, and most that are 20 % good are (some have a corner in which chance made them work).
#[test]
fn the_rule_catches_the_bad_and_spares_the_good() {
    let store = strict(Store::open(":memory:", Options::new(DIM)).unwrap());
    let all = fill(&store, &vectors(1, 300, DIM));
    let (good, bad) = (&all[..150], &all[150..]);
    let mut rng = fastrand::Rng::with_seed(11);
    let mut caught_at = vec![0; all.len()];
    let mut ever = vec![false; all.len()];
    for round in 1..=100 {
        let situations = vectors(1000 + round, all.len(), DIM);
        let mut reports = Vec::new();
        for (i, (id, situation)) in all.iter().zip(situations).enumerate() {
            let rate = if i < 150 { 0.7 } else { 0.2 };
            let outcome = if rng.f64() < rate { Outcome::Success } else { Outcome::Failure };
            reports.push(Report::on_memory(*id, outcome).situation(situation));
        }
        store.report_many(&reports).unwrap();
        for standing in store.review(None).unwrap() {
            let i = all.iter().position(|id| *id == standing.id).unwrap();
            if !ever[i] {
                (ever[i], caught_at[i]) = (true, round);
            }
        }
    }
    let count = |memories: std::ops::Range<usize>| ever[memories].iter().filter(|caught| **caught).count();
    let mut when: Vec<u64> = (150..300).filter(|i| ever[*i]).map(|i| caught_at[i]).collect();
    when.sort_unstable();
    println!(
        "quarantined within 100 outcomes: {} of {} that are 70 % good, {} of {} that are 20 % good (median after {})",
        count(0..150),
        good.len(),
        count(150..300),
        bad.len(),
        when.get(when.len() / 2).copied().unwrap_or_default()
    );
    assert_eq!(count(0..150), 0);
    assert!(count(150..300) * 100 >= 80 * bad.len(), "{}", count(150..300));
}

/// A memory that fails nearly everywhere but works in one kind of situation is not taken out.
#[test]
fn a_memory_that_works_somewhere_is_exempt() {
    let run = |works: bool| {
        let (store, all) = store();
        let there = vectors(77, 1, DIM).remove(0);
        let mut rng = fastrand::Rng::with_seed(5);
        // Points of experience of others make the background.
        for (i, situation) in vectors(78, 100, DIM).into_iter().enumerate() {
            store.report(&Report::on_memory(all[100 + i], Outcome::Success).situation(situation)).unwrap();
        }
        for i in 0..4 {
            let outcome = if works || i == 0 { Outcome::Success } else { Outcome::Failure };
            let near: Vec<f32> = there.iter().map(|x| x + 0.02 * (rng.f32() - 0.5)).collect();
            store.report(&Report::on_memory(all[0], outcome).situation(near)).unwrap();
        }
        tell(&store, all[0], Outcome::Failure, 40, 79);
        let standing = store.standing(all[0]).unwrap();
        assert!(standing.doubt > 0.95, "on the whole it is bad: {}", standing.doubt);
        assert_sound(&store);
        standing.state
    };
    assert_eq!(run(true), StandingState::Active);
    assert_eq!(run(false), StandingState::Quarantined);
}

/// A severe failure is enough, in one report or in a batch; it cannot be a success; taken back it stays
/// written down until the owner releases it.
#[test]
fn a_severe_failure_quarantines_at_once() {
    let (store, all) = store();
    let query = vectors(2, 1, DIM).remove(0);
    let recall = store.recall(&Query::new(query.clone()).k(3)).unwrap();
    let (receipt, first) = (recall.receipt.unwrap(), recall.hits[0].id);
    store.report(&Report::on(receipt, Outcome::Failure).used(first).severe(true)).unwrap();
    assert_eq!(state(&store, first), StandingState::Quarantined);
    assert!(!shows(&store, first));
    let many: Vec<Report> =
        all[..3].iter().map(|id| Report::on_memory(*id, Outcome::Graded(0.2)).severe(true)).collect();
    store.report_many(&many).unwrap();
    assert!(all[..3].iter().all(|id| state(&store, *id) == StandingState::Quarantined));
    let refused = store.report(&Report::on_memory(all[9], Outcome::Success).severe(true)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidArgument);

    store.set_policy("default", Policy::new()).unwrap();
    store.report(&Report::on_memory(all[9], Outcome::Failure).severe(true)).unwrap();
    assert_eq!(state(&store, all[9]), StandingState::Quarantined, "whatever the policy says of the rest");
    assert_sound(&store);
}

/// One that fails severely when it is first tried again is not tried once more.
#[test]
fn a_severe_failure_in_the_first_trial_retires() {
    let (store, all) = store();
    let point = vectors(1, 200, DIM).swap_remove(3);
    store.report(&Report::on_memory(all[3], Outcome::Failure).severe(true)).unwrap();
    assert_eq!(state(&store, all[3]), StandingState::Quarantined);
    let trial = until_tried(&store, &point, all[3]).receipt.unwrap();
    store.report(&Report::on(trial, Outcome::Failure).used(all[3]).severe(true)).unwrap();
    assert_eq!(state(&store, all[3]), StandingState::Retired);
    assert_sound(&store);
}

/// Pinned memories are exempt, from severe failures too; pinning brings one back.
#[test]
fn pins_hold() {
    let (store, all) = store();
    store.pin(all[0]).unwrap();
    store.pin(all[0]).unwrap();
    tell(&store, all[0], Outcome::Failure, 30, 5);
    store.report(&Report::on_memory(all[0], Outcome::Failure).severe(true)).unwrap();
    assert_eq!(state(&store, all[0]), StandingState::Active);
    assert!(shows(&store, all[0]));
    assert_eq!(store.retire(all[0], "no").unwrap_err().code(), ErrorCode::InvalidArgument);
    assert!(store.review(None).unwrap()[0].pinned);

    store.unpin(all[0]).unwrap();
    tell(&store, all[0], Outcome::Failure, 1, 6);
    assert_eq!(state(&store, all[0]), StandingState::Quarantined);
    store.pin(all[0]).unwrap();
    assert!(shows(&store, all[0]));
    let ops: Vec<String> = decisions(&store, 1, 100).into_iter().map(|e| e.op).collect();
    assert_eq!(ops, ["pin", "unpin", "quarantine", "pin"]);
    assert_eq!(store.pin(MemoryId(999)).unwrap_err().code(), ErrorCode::UnknownMemory);
    assert_sound(&store);
}

/// The owner's word: release puts on probation, retire takes out; forgetting ends it all.
#[test]
fn the_owner_releases_and_retires() {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000_000));
    let store = strict(Store::open(":memory:", Options::new(DIM).clock(clock.clone())).unwrap());
    let all = fill(&store, &vectors(1, 50, DIM));
    store.retire(all[4], "out of date").unwrap();
    assert!(!shows(&store, all[4]), "without any report");
    clock.advance(Duration::from_secs(5));
    store.release(all[4], "still good").unwrap();
    let standing = store.standing(all[4]).unwrap();
    assert_eq!((standing.state, standing.reason.as_str()), (StandingState::Probation, "still good"));
    assert_eq!(standing.since, Some(1_700_000_005_000_000));
    assert!(!shows(&store, all[4]));
    tell(&store, all[4], Outcome::Success, 10, 5);
    assert_eq!(state(&store, all[4]), StandingState::Active);
    assert!(shows(&store, all[4]));
    assert_eq!(store.release(all[4], "again").unwrap_err().code(), ErrorCode::InvalidArgument);
    let ops: Vec<String> = decisions(&store, 1, 100).into_iter().map(|e| e.op).collect();
    assert_eq!(ops, ["retire", "release", "reinstate"]);
    assert_eq!(decisions(&store, 2, 1)[0].detail["reason"], "still good");

    store.retire(all[5], "x").unwrap();
    store.update(all[5], Update::new().content("new")).unwrap();
    assert!(!shows(&store, all[5]), "a change of content is no release");
    store.forget(all[5]).unwrap();
    assert!(store.review(None).unwrap().is_empty());
    assert_eq!(store.standing(all[5]).unwrap_err().code(), ErrorCode::UnknownMemory);
    assert_sound(&store);
}

/// A memory on probation gets the last place in one recall of twenty where it would be a hit, and nowhere
/// else.
#[test]
fn the_probation_share_is_kept() {
    let (store, all) = store();
    let points = vectors(1, 200, DIM);
    tell(&store, all[3], Outcome::Failure, 15, 5);
    tell(&store, all[3], Outcome::Failure, 5, 6);
    assert_eq!(state(&store, all[3]), StandingState::Quarantined);
    let count = |query: &[f32], k: usize, n: usize| {
        let shown = (0..n).filter(|_| ids(&store.recall(&Query::new(query).k(k)).unwrap()).contains(&all[3]));
        shown.count()
    };
    let tries = 4000;
    let shown = count(&points[3], 5, tries);
    println!("shown on probation in {shown} of {tries} recalls");
    // 5 % of 4000 is 200, with a standard deviation of 14.
    assert!((130..=270).contains(&shown), "{shown}");
    let far: Vec<f32> = points[3].iter().map(|x| -x).collect();
    assert_eq!(count(&far, 5, 500), 0, "where it would be no hit it is not tried");
    store.set_policy("default", Policy::new().quarantine(true).probation_share(0.0)).unwrap();
    assert_eq!(count(&points[3], 5, 500), 0);
    store.set_policy("default", Policy::new().quarantine(true).probation_share(0.99)).unwrap();
    // 99 of 100 on average; 80 are 19 standard deviations below that.
    assert!(count(&points[3], 2, 100) >= 80, "the last place, nearly each time");
    assert_eq!(count(&points[3], 1, 50), 0, "never the first place");
    assert_eq!(count(&points[3], 0, 5), 0);
}

/// A share of 1 would never end a quarantine: it is refused and told the way out, and with the largest that is allowed
/// each trial counts.
#[test]
fn the_largest_probation_share_ends_a_quarantine() {
    let (store, all) = store();
    let point = vectors(1, 200, DIM).swap_remove(3);
    tell(&store, all[3], Outcome::Failure, 15, 5);
    assert_eq!(state(&store, all[3]), StandingState::Quarantined);
    let refused = store.set_policy("default", Policy::new().quarantine(true).probation_share(1.0));
    if let Err(refused) = &refused {
        assert_eq!(refused.code(), ErrorCode::InvalidArgument);
        assert!(refused.to_string().contains("set 0 to 0.99"), "{refused}");
        store.set_policy("default", Policy::new().quarantine(true).probation_share(0.99)).unwrap();
    }
    let mut trials = 0;
    for _ in 0..30 {
        let recall = store.recall(&Query::new(point.clone()).k(3)).unwrap();
        if state(&store, all[3]) != StandingState::Active && ids(&recall).contains(&all[3]) {
            store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success).used(all[3])).unwrap();
            trials += 1;
        }
    }
    assert_eq!((state(&store, all[3]), trials), (StandingState::Active, 10));
    assert!(refused.is_err());
    assert_sound(&store);
}

/// On request a recall warns of what it does not show, with how it went in situations like this one.
#[test]
fn a_recall_warns_on_request() {
    let (store, all) = store();
    let points = vectors(1, 200, DIM);
    let query = Query::new(points[3].clone()).k(5).receipt(false);
    for outcome in [Outcome::Success].into_iter().chain([Outcome::Failure; 7]) {
        store.report(&Report::on_memory(all[3], outcome).situation(points[3].clone())).unwrap();
    }
    tell(&store, all[3], Outcome::Failure, 4, 5);
    assert_eq!(state(&store, all[3]), StandingState::Quarantined);
    assert!(store.recall(&query).unwrap().warnings.is_empty(), "not asked for");
    let asked = query.clone().warnings(3);
    let recall = store.recall(&asked).unwrap();
    assert_eq!(bits(&recall), bits(&store.recall(&query).unwrap()), "the hits are the same");
    let warning = &recall.warnings[0];
    assert_eq!((recall.warnings.len(), warning.id, warning.state), (1, all[3], StandingState::Quarantined));
    assert!((warning.successes - 1.0).abs() < 0.2 && (warning.failures - 7.0).abs() < 0.3, "{warning:?}");
    assert_eq!(warning.text, "Quarantined; tried in situations like this one: failed 7 of 8.");
    assert!(warning.similarity > 0.999 && warning.content.is_none());
    let told = store.recall(&asked.clone().content(true)).unwrap();
    assert_eq!(told.warnings[0].content.as_deref(), Some("memory 3"));
    let far: Vec<f32> = points[3].iter().map(|x| -x).collect();
    let there = store.recall(&Query::new(far).k(5).receipt(false).warnings(3)).unwrap();
    assert!(there.warnings.is_empty(), "it is far from there");
    let other = store.recall(&asked.kind("rule")).unwrap();
    assert!(other.warnings.is_empty() && other.hits.is_empty());
    store.retire(all[9], "no").unwrap();
    let retired = store.recall(&Query::new(points[9].clone()).k(5).receipt(false).warnings(1)).unwrap();
    assert_eq!(retired.warnings[0].text, "Retired; not tried in situations like this one.");
}

/// Nothing is quarantined where the policy says no; set again, the next seal finds what was missed.
#[test]
fn a_policy_holds_for_its_namespace() {
    let place = Place::new();
    let store = strict(place.open(Options::new(DIM)));
    let all = fill(&store, &vectors(1, 50, DIM));
    let there = store
        .remember_many(
            vectors(2, 50, DIM).into_iter().map(|v| Memory::new("x", v).namespace("there")).collect(),
        )
        .unwrap();
    assert_eq!(store.policy("there").unwrap(), Policy::default());
    tell(&store, all[0], Outcome::Failure, 20, 5);
    tell(&store, there[0], Outcome::Failure, 20, 5);
    assert_eq!(state(&store, all[0]), StandingState::Quarantined);
    assert_eq!(state(&store, there[0]), StandingState::Active);
    assert_eq!(store.review(Some("there")).unwrap(), []);
    assert_eq!(store.review(Some("nowhere")).unwrap(), []);

    let refused = store.set_policy("there", Policy::new().tail(1.5)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidArgument);
    store.close().unwrap();
    let store = place.open(Options::existing());
    assert!(!store.policy("there").unwrap().quarantine);
    store.set_policy("there", Policy::new().quarantine(true)).unwrap();
    store.recall(&Query::new(vectors(3, 1, DIM).remove(0)).namespace("there")).unwrap();
    fill(&store, &vectors(4, 1, DIM));
    store.seal().unwrap();
    assert_eq!(state(&store, there[0]), StandingState::Quarantined, "the seal looks over all of them");
    assert_eq!(decisions(&store, 0, 10)[0].op, "policy");
    assert_sound(&store);
}

/// Failures told by another process count here, and what it decides is seen here; a process that only
/// reports decides too.
#[test]
fn another_process_quarantines() {
    let place = Place::new();
    let store = strict(place.open(Options::new(DIM)));
    let all = fill(&store, &vectors(1, 100, DIM));
    assert_eq!(child::run("shows", &place.store(), all[0].0), ["true"]);
    assert!(shows(&store, all[0]));
    child::run("fail", &place.store(), all[0].0);
    assert_eq!(state(&store, all[0]), StandingState::Quarantined);
    assert!(!shows(&store, all[0]));
    assert_eq!(child::run("shows", &place.store(), all[0].0), ["false"]);
    store.pin(all[0]).unwrap();
    assert_eq!(child::run("shows", &place.store(), all[0].0), ["true"]);
    assert_sound(&store);
}

/// A quarantined memory leaves no trace in the hits: the others are ranked as if it had no experiences, and
/// it nominates nobody.
#[test]
fn its_experiences_nominate_nobody() {
    let (store, all) = store();
    let points = vectors(1, 200, DIM);
    let far: Vec<f32> = points[3].iter().map(|x| -x).collect();
    for _ in 0..3 {
        experience(&store, &far, 200, all[3], Outcome::Success);
    }
    let asked = Query::new(far.clone()).k(70).receipt(false);
    assert!(ids(&store.recall(&asked).unwrap()).contains(&all[3]), "it is found where it worked");
    store.retire(all[3], "no").unwrap();
    assert!(!ids(&store.recall(&asked).unwrap()).contains(&all[3]));
    let queries = vectors(8, 20, DIM);
    let similar: Vec<Vec<MemoryId>> = answers(&store, &queries, 20)
        .into_iter()
        .map(|hits| hits.into_iter().map(|hit| MemoryId(hit.0)).collect())
        .collect();
    let untouched = Store::open(":memory:", Options::new(DIM)).unwrap();
    let again = fill(&untouched, &points);
    untouched.retire(again[3], "no").unwrap();
    for (query, similar) in queries.iter().zip(similar) {
        let recall = untouched.recall(&Query::new(query.clone()).k(20).receipt(false)).unwrap();
        assert_eq!(ids(&recall), similar);
    }
}

/// Failures by one name that is not registered, however many, quarantine nothing; not even severe ones.
#[test]
fn one_stranger_quarantines_nobody() {
    let (store, all) = store();
    for (i, situation) in vectors(5, 60, DIM).into_iter().enumerate() {
        let report = Report::on_memory(all[0], Outcome::Failure).situation(situation).severe(i == 0);
        store.report(&report.reporter(format!("stranger {}", i % 7))).unwrap();
    }
    assert_eq!(state(&store, all[0]), StandingState::Active);
    assert_sound(&store);
}

/// Names that nobody has registered make no second witness.
#[test]
fn one_principal_is_one_witness() {
    let clock = std::sync::Arc::new(wisen::ManualClock::at(1_800_000_000_000_000));
    let store = strict(Store::open(":memory:", Options::new(DIM).clock(clock.clone())).unwrap());
    let all = fill(&store, &vectors(1, 200, DIM));
    let point = vectors(1, 200, DIM).swap_remove(3);
    let failure = |name: &str, token: Option<&String>| {
        let recall = store.recall(&Query::new(point.clone()).k(200)).unwrap();
        let report = Report::on(recall.receipt.unwrap(), Outcome::Failure).used(all[3]).reporter(name);
        store.report(&match token {
            Some(token) => report.token(token.clone()),
            None => report,
        })
    };
    let (mallory, carol) = (store.register("mallory", None).unwrap(), store.register("carol", None).unwrap());
    for _ in 0..40 {
        clock.advance(std::time::Duration::from_hours(24));
        for _ in 0..5 {
            failure("mallory", Some(&mallory)).unwrap();
        }
    }
    failure("nobody", None).unwrap();
    assert_eq!(state(&store, all[3]), StandingState::Active, "another name costs nothing");
    failure("carol", Some(&carol)).unwrap();
    assert_eq!(state(&store, all[3]), StandingState::Quarantined, "two that have proven theirs are enough");
}

/// On probation, and after it, a principal weighs as much as it does in a recall: more than its share of a day counts
/// for nothing, neither as weight nor as outcomes, be it told in many little pieces.
#[test]
fn nobody_ends_a_probation_by_shouting() {
    for (weight, shouted) in [(1.0, Outcome::Success), (1.0, Outcome::Failure), (0.05, Outcome::Failure)] {
        let clock = Arc::new(ManualClock::at(1_800_000_000_000_000));
        let store = strict(Store::open(":memory:", Options::new(DIM).clock(clock.clone())).unwrap());
        let all = fill(&store, &vectors(1, 200, DIM));
        let tokens = ["ann", "bob"].map(|name| (name, store.register(name, None).unwrap()));
        let shout = |outcome, times: usize, who: usize, seed: u64| {
            let (name, token) = &tokens[who];
            for situation in vectors(seed, times, DIM) {
                let report = Report::on_memory(all[3], outcome).situation(situation).weight(weight);
                store.report(&report.reporter(*name).token(token.clone())).unwrap();
            }
        };
        tell(&store, all[3], Outcome::Failure, 15, 5);
        assert_eq!(state(&store, all[3]), StandingState::Quarantined);
        store.release(all[3], "look again").unwrap();
        shout(shouted, 60, 0, 6);
        assert_eq!(state(&store, all[3]), StandingState::Probation, "three outcomes at most");
        let standing = store.standing(all[3]).unwrap();
        // Trusted to 0.6 of the 3 that a day allows.
        assert!(standing.successes + standing.failures < 1.8 + 1e-6, "{standing:?}");
        // The owner's word decides against it, whatever was shouted.
        let (owner, end) = match shouted {
            Outcome::Success => (Outcome::Failure, StandingState::Retired),
            _ => (Outcome::Success, StandingState::Active),
        };
        tell(&store, all[3], owner, 6, 7);
        assert_eq!(state(&store, all[3]), StandingState::Probation);
        tell(&store, all[3], owner, 1, 8);
        assert_eq!(state(&store, all[3]), end);
        if end == StandingState::Active {
            clock.advance(Duration::from_hours(24));
            shout(Outcome::Failure, 60, 0, 9);
            shout(Outcome::Failure, 60, 1, 10);
            assert_eq!(
                state(&store, all[3]),
                StandingState::Active,
                "two who shout for a day are not enough"
            );
        }
        assert_sound(&store);
    }
}

/// What was told since a memory came back fades as all evidence of its kind does.
#[test]
fn what_it_did_on_probation_fades() {
    let run = |fades: bool| {
        let clock = Arc::new(ManualClock::at(1_800_000_000_000_000));
        let store = strict(Store::open(":memory:", Options::new(DIM).clock(clock.clone())).unwrap());
        let all = fill(&store, &vectors(1, 200, DIM));
        if fades {
            store.set_half_life("note", wisen::HalfLife::Days(10.0)).unwrap();
        }
        tell(&store, all[3], Outcome::Failure, 15, 5);
        store.release(all[3], "look again").unwrap();
        tell(&store, all[3], Outcome::Success, 10, 6);
        assert_eq!(state(&store, all[3]), StandingState::Active);
        assert!((store.standing(all[3]).unwrap().successes - 10.0).abs() < 1e-6);
        clock.advance(Duration::from_hours(24 * 1000));
        tell(&store, all[3], Outcome::Failure, 9, 7);
        assert_sound(&store);
        state(&store, all[3])
    };
    assert_eq!(run(true), StandingState::Quarantined, "nine failures, and the successes are long ago");
    assert_eq!(run(false), StandingState::Active);
}

/// What chance decides can be repeated; a recall whose hits are withheld warns of nothing; a success by a
/// memory that is quarantined after it is contradicted.
#[test]
fn trials_fit_in_with_what_else_chance_and_figures_do() {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000_000));
    let store = strict(Store::open(":memory:", Options::new(DIM).clock(clock.clone())).unwrap());
    let all = fill(&store, &vectors(1, 200, DIM));
    let here = vectors(1, 200, DIM).remove(3);
    let reply = experience(&store, &here, 1, all[3], Outcome::Success);
    assert_eq!(reply.credited, [(all[3], 1.0)]);
    clock.advance(Duration::from_hours(1));
    let window = Window::new(1_600_000_000_000_000, 1_800_000_000_000_000);
    let durable = |store: &Store| store.figures(None, window).unwrap().durable_successes;
    assert_eq!(durable(&store), 1);
    store.report(&Report::on_memory(all[3], Outcome::Failure).severe(true)).unwrap();
    assert_eq!(durable(&store), 0);

    let query = Query::new(here).k(3).warnings(2);
    let tried = |seed: u64| ids(&store.recall(&query.clone().seed(seed)).unwrap()).contains(&all[3]);
    let first: Vec<bool> = (0..400).map(tried).collect();
    assert_eq!(first, (0..400).map(tried).collect::<Vec<_>>());
    let share = first.iter().filter(|tried| **tried).count();
    assert!((5..=45).contains(&share), "{share} of 400");

    store.set_policy("default", Policy::new().quarantine(true).hold_out(0.5)).unwrap();
    let recalls: Vec<Recall> = (0..60).map(|seed| store.recall(&query.clone().seed(seed)).unwrap()).collect();
    assert!(recalls.iter().any(|recall| recall.withheld) && recalls.iter().any(|recall| !recall.withheld));
    assert!(recalls.iter().all(|recall| !recall.withheld || recall.warnings.is_empty()));
    assert!(recalls.iter().any(|recall| !recall.warnings.is_empty()));
}
