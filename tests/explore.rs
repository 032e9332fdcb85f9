//! What chance may decide in a recall, and what it must leave alone.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use wisen::{ErrorCode, MemoryId, Options, Outcome, Query, Recall, Report, ReportStatus, Store};
use wisen_tests::{Place, answers, assert_sound, bits, fill, ids, practise, vectors};

const SEEDS: u64 = 1500;

/// A store with experience, and a query.
fn practised() -> (Store, Vec<f32>) {
    let store = Store::open(":memory:", Options::new(16)).unwrap();
    fill(&store, &vectors(1, 300, 16));
    practise(&store, &vectors(2, 60, 16));
    // Here above all: memories that nearly always fail, work, or nobody has tried.
    let vector = vectors(3, 1, 16).remove(0);
    practise(&store, &vec![vector.clone(); 18]);
    (store, vector)
}

fn ask(store: &Store, query: &Query) -> Recall {
    store.recall(query).unwrap()
}

/// Whether a share seen in `n` draws is that of probability `p`, by four standard errors and `room`.
fn fits(seen: f64, p: f64, n: f64, room: f64) -> bool {
    (seen - p).abs() <= 4.0 * (p * (1.0 - p) / n).sqrt() + room
}

/// The first places are those of a recall that explores nothing, to the last bit; without exploration
/// and hold-out a seed changes nothing either.
#[test]
fn exploration_leaves_the_first_places_alone() {
    for practised_first in [false, true] {
        let store = Store::open(":memory:", Options::new(16)).unwrap();
        fill(&store, &vectors(1, 300, 16));
        if practised_first {
            practise(&store, &vectors(2, 120, 16));
            // Sealing fits the calibrator to them.
            store.seal().unwrap();
        }
        for (i, vector) in vectors(3, 20, 16).into_iter().enumerate() {
            let query = Query::new(vector.clone()).k(8).receipt(false);
            let plain = ask(&store, &query);
            assert!(plain.hits.iter().all(|hit| hit.propensity.to_bits() == 1.0_f64.to_bits()));
            assert!(!plain.withheld);
            let seeded = ask(&store, &query.clone().seed(7).explore(0).hold_out(0.0));
            assert_eq!(bits(&seeded), bits(&plain));
            let explored = ask(&store, &query.clone().explore(3).seed(i as u64));
            assert_eq!(explored.hits.len(), 8);
            assert_eq!(bits(&explored)[..5], bits(&plain)[..5]);
            assert!(explored.hits[..5].iter().all(|hit| hit.propensity.to_bits() == 1.0_f64.to_bits()));
            assert!(explored.hits[5..].iter().all(|hit| hit.propensity > 0.0 && hit.propensity < 1.0));
            let mut all = ids(&explored);
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 8, "nobody is shown twice");
        }
    }
}

/// What a hit says of its propensity is how often it is shown.
#[test]
fn propensities_are_the_frequencies_of_being_shown() {
    let (store, vector) = practised();
    for (k, explored) in [(4, 1), (6, 3)] {
        let query = Query::new(vector.clone()).k(k).explore(explored).receipt(false);
        let mut seen: HashMap<MemoryId, (f64, f64)> = HashMap::new();
        for seed in 0..SEEDS {
            for hit in &ask(&store, &query.clone().seed(seed)).hits[k - explored..] {
                let (times, promised) = seen.entry(hit.id).or_default();
                *times += 1.0;
                *promised += hit.propensity;
            }
        }
        assert!(seen.len() > 20, "{} memories had their chance", seen.len());
        let mut checked = 0;
        for (id, (times, promised)) in seen {
            // The mean of so many estimates, each within 0.031.
            let (share, promised) = (times / SEEDS as f64, promised / times);
            assert!(fits(share, promised, SEEDS as f64, 0.008), "{id}: {share} against {promised}");
            checked += usize::from(times > 20.0);
        }
        assert!(checked > 5, "{checked}");
    }
}

/// A seed makes it repeatable, also after reopening and on another handle; without one every recall
/// draws anew.
#[test]
fn a_seed_repeats_a_recall() {
    let place = Place::new();
    let store = place.open(Options::new(16));
    fill(&store, &vectors(1, 300, 16));
    practise(&store, &vectors(2, 60, 16));
    let query = Query::new(vectors(3, 1, 16).remove(0)).k(5).explore(3);
    let drawn = |store: &Store, query: &Query| {
        let recall = ask(store, query);
        let propensities: Vec<u64> = recall.hits.iter().map(|hit| hit.propensity.to_bits()).collect();
        (bits(&recall), propensities)
    };
    let runs: Vec<_> = (0..20).map(|seed| drawn(&store, &query.clone().seed(seed))).collect();
    let other = place.open(Options::existing());
    for (seed, run) in runs.iter().enumerate() {
        assert_eq!(&drawn(&store, &query.clone().seed(seed as u64).receipt(false)), run);
        assert_eq!(&drawn(&other, &query.clone().seed(seed as u64)), run);
    }
    let held: Vec<bool> =
        (0..200).map(|seed| ask(&store, &query.clone().hold_out(0.3).seed(seed)).withheld).collect();
    drop((store, other));
    let store = place.open(Options::existing());
    for (seed, run) in runs.iter().enumerate() {
        assert_eq!(&drawn(&store, &query.clone().seed(seed as u64)), run);
    }
    for (seed, held) in held.iter().enumerate() {
        let again = ask(&store, &query.clone().hold_out(0.3).seed(seed as u64));
        assert_eq!(again.withheld, *held);
    }
    for receipt in [true, false] {
        let mut different: Vec<_> =
            (0..20).map(|_| drawn(&store, &query.clone().receipt(receipt)).0).collect();
        different.sort();
        different.dedup();
        assert!(different.len() > 5, "{} different answers", different.len());
    }
}

/// More places than memories, no places, no memories: nothing to draw, nothing breaks.
#[test]
fn exploration_has_edges() {
    let (store, vector) = practised();
    let query = Query::new(vector.clone()).receipt(false);
    assert!(ask(&store, &query.clone().k(0).explore(3)).hits.is_empty());
    let all = ask(&store, &query.clone().k(3).explore(usize::MAX));
    assert_eq!(all.hits.len(), 3);
    let everything = ask(&store, &query.clone().k(usize::MAX).explore(2).seed(1));
    assert_eq!(bits(&everything), bits(&ask(&store, &query.clone().k(usize::MAX))));
    assert!(everything.hits.iter().all(|hit| hit.propensity.to_bits() == 1.0_f64.to_bits()));
    // Where more is asked for than a recall looks at, more is looked for.
    let deep = |seed| ids(&ask(&store, &query.clone().k(100).explore(10).seed(seed)));
    assert_ne!(deep(1), deep(2));
    let empty = Store::open(":memory:", Options::new(16)).unwrap();
    let recall = ask(&empty, &Query::new(vector).explore(3).hold_out(0.5));
    assert!(recall.hits.is_empty());
}

/// Memory is withheld as often as was asked for, and one hit is left out as often; only where there is
/// a receipt.
#[test]
fn what_is_held_out_is_the_share_asked_for() {
    const N: f64 = 3000.0;
    let (store, vector) = practised();
    let query = Query::new(vector).k(4);
    let plain = ids(&ask(&store, &query));
    for share in [0.02, 0.2, 0.5] {
        let (mut withheld, mut lacking) = (0.0, [0.0; 4]);
        for seed in 0..N as u64 {
            let recall = ask(&store, &query.clone().hold_out(share).seed(seed));
            assert!(recall.receipt.is_some());
            let shown = ids(&recall);
            if recall.withheld {
                assert!(shown.is_empty());
                withheld += 1.0 / N;
            } else if shown != plain {
                assert_eq!(shown.len(), 3);
                let missing = plain.iter().position(|id| !shown.contains(id)).unwrap();
                lacking[missing] += 1.0 / N;
            }
        }
        assert!(fits(withheld, share, N, 0.0), "{share}: {withheld}");
        for one in lacking {
            assert!(fits(one, share.min((1.0 - share) / 2.0) / 4.0, N, 0.0), "{share}: {lacking:?}");
        }
    }
    for seed in 0..200 {
        let recall = ask(&store, &query.clone().hold_out(0.5).seed(seed).receipt(false));
        assert!(!recall.withheld && ids(&recall) == plain);
    }
    for share in [-0.1, 0.51, f64::NAN, f64::INFINITY] {
        let refused = store.recall(&query.clone().hold_out(share)).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidArgument, "{share}");
    }
}

/// Nobody was shown, so nobody is credited: not the only would-be hit, not one that is named, and not
/// by a report that comes before its receipt.
#[test]
fn a_withheld_recall_credits_nobody() {
    let place = Place::new();
    let store = place.open(Options::new(16));
    let other = place.open(Options::existing());
    fill(&store, &vectors(1, 100, 16));
    let vector = vectors(3, 1, 16).remove(0);
    let before = answers(&store, std::slice::from_ref(&vector), 20);
    let nearest = ids(&ask(&store, &Query::new(vector.clone()).k(1)))[0];
    let (mut pending, mut told) = (0, 0);
    for i in 0..60 {
        let recall = ask(&store, &Query::new(vector.clone()).k(1).hold_out(0.5));
        if !recall.withheld {
            continue;
        }
        let receipt = recall.receipt.unwrap();
        if i % 2 == 0 {
            let reply = store.report(&Report::on(receipt, Outcome::Success)).unwrap();
            assert_eq!((reply.status, reply.credited), (ReportStatus::NotCredited, vec![]));
            let named = Report::on(receipt, Outcome::Success).used(nearest);
            assert_eq!(store.report(&named).unwrap_err().code(), ErrorCode::NotShown);
            told += 1;
        } else if let Ok(reply) = other.report(&Report::on(receipt, Outcome::Success).used(nearest)) {
            assert_eq!(reply.status, ReportStatus::Pending);
            store.flush().unwrap();
            pending += 1;
            told += 1;
        }
    }
    assert!(told > 10 && pending > 3, "{told} told, {pending} of them early");
    assert_eq!(store.stats().unwrap().reports, told);
    assert_eq!(answers(&store, std::slice::from_ref(&vector), 20), before);
    assert_eq!(store.stats().unwrap().experiences, 0);
    assert_sound(&store);
}

/// One that was left out was not shown, and cannot have been used.
#[test]
fn what_was_left_out_was_not_shown() {
    let (store, vector) = practised();
    let query = Query::new(vector).k(4);
    let plain = ids(&ask(&store, &query));
    let recall = (0..1000)
        .map(|seed| ask(&store, &query.clone().hold_out(0.3).seed(seed)))
        .find(|recall| recall.hits.len() == 3)
        .unwrap();
    let missing = *plain.iter().find(|id| !ids(&recall).contains(id)).unwrap();
    let report = |used| Report::on(recall.receipt.unwrap(), Outcome::Success).used(used);
    assert_eq!(store.report(&report(missing)).unwrap_err().code(), ErrorCode::NotShown);
    assert_eq!(store.report(&report(recall.hits[0].id)).unwrap().status, ReportStatus::Credited);
    assert_sound(&store);
}
