//! Where more reports lie close together than a recall looks at.
#![allow(clippy::unwrap_used)]

use wisen::{MemoryId, Metric, Options, Outcome, Query, Report, ReportId, Store};
use wisen_tests::{Bits, Place, answers, assert_sound, fill, ids, vectors};

fn store(metric: Metric) -> (Store, Vec<MemoryId>) {
    let store = Store::open(":memory:", Options::new(16).metric(metric).seal_at(1_000_000)).unwrap();
    let all = fill(&store, &vectors(1, 200, 16));
    (store, all)
}

fn near(rng: &mut fastrand::Rng, centre: &[f32], by: f32) -> Vec<f32> {
    centre.iter().map(|x| x + by * (rng.f32() - 0.5)).collect()
}

fn all_bits(store: &Store) -> Vec<Bits> {
    answers(store, &vectors(9, 8, 16), 200)
}

fn report_in_batches(store: &Store, reports: &[Report]) -> Vec<ReportId> {
    reports.chunks(500).flat_map(|batch| store.report_many(batch).unwrap()).map(|reply| reply.id).collect()
}

/// Up to 1,024 cells nothing is merged: each situation is a point of its own, to the last digit.
#[test]
fn few_cells_are_not_merged() {
    let (store, all) = store(Metric::Cosine);
    let (mut rng, centre) = (fastrand::Rng::with_seed(5), vectors(2, 1, 16).remove(0));
    let reports: Vec<Report> = (0..1024)
        .map(|i| Report::on_memory(all[i % 2], Outcome::Success).situation(near(&mut rng, &centre, 0.01)))
        .collect();
    store.report_many(&reports).unwrap();
    assert_eq!(store.stats().unwrap().experiences, 1024);
    let one_more = Report::on_memory(all[0], Outcome::Success).situation(near(&mut rng, &centre, 0.01));
    store.report(&one_more).unwrap();
    let merged = store.stats().unwrap().experiences;
    assert!(merged < 100, "{merged}");
    assert_sound(&store);
    let evidence = |id| {
        let recall = store.recall(&Query::new(centre.clone()).k(200).receipt(false)).unwrap();
        recall.hits.iter().find(|hit| hit.id == id).unwrap().evidence
    };
    assert_eq!(evidence(all[0]).reports + evidence(all[1]).reports, 1025, "no report is lost");
}

/// The same reports in any order, some of them taken back, give the same cells and answers.
#[test]
fn merged_cells_do_not_depend_on_the_order() {
    for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
        let mut rng = fastrand::Rng::with_seed(6);
        let centres = vectors(3, 12, 16);
        let told: Vec<(usize, Vec<f32>, f64)> = (0..2500)
            .map(|_| {
                let centre = rng.usize(..12);
                let situation = near(&mut rng, &centres[centre], 0.1);
                (rng.usize(..30), situation, f64::from(rng.u8(..5)) / 4.0)
            })
            .collect();
        let taken_back: Vec<usize> = (0..2500).filter(|i| i % 7 == 0).collect();
        let mut first = None;
        for run in 0..3 {
            let (store, all) = store(metric);
            let mut order: Vec<usize> = (0..2500).collect();
            if run > 0 {
                rng.shuffle(&mut order);
            }
            let back = |order: &[usize]| {
                let reports: Vec<Report> = order
                    .iter()
                    .map(|&i| {
                        let (memory, situation, outcome) = &told[i];
                        Report::on_memory(all[*memory], Outcome::Graded(*outcome))
                            .situation(situation.clone())
                    })
                    .collect();
                let given = report_in_batches(&store, &reports);
                for (i, id) in order.iter().zip(given) {
                    if taken_back.contains(i) {
                        store.retract(id).unwrap();
                    }
                }
            };
            // Taken back along the way, once before the cells are merged and once after.
            let (early, late) = order.split_at(1800);
            back(early);
            back(late);
            assert_sound(&store);
            let seen = (store.stats().unwrap().experiences, all_bits(&store));
            assert!(seen.0 < 2000, "{}", seen.0);
            assert!(*first.get_or_insert(seen.clone()) == seen, "{metric:?}, run {run}");
        }
    }
}

/// 0.90 and 0.88 are told apart after 10^4 reports each, though no two of them were made in the same
/// situation; and a recall looks at no more points than before.
#[test]
fn close_rates_are_told_apart_in_a_dense_spot() {
    let centre = vectors(2, 1, 16).remove(0);
    for swapped in [false, true] {
        let (store, _) = store(Metric::Cosine);
        let mut rng = fastrand::Rng::with_seed(7);
        let recall = store.recall(&Query::new(centre.clone()).k(2).receipt(false)).unwrap();
        let (better, worse) = match ids(&recall)[..] {
            [a, b] if swapped => (b, a),
            [a, b] => (a, b),
            _ => unreachable!(),
        };
        let mut reports = Vec::new();
        for i in 0..10_000 {
            for (id, failures) in [(better, i % 50 < 5), (worse, i % 50 < 6)] {
                let outcome = if failures { Outcome::Failure } else { Outcome::Success };
                reports.push(Report::on_memory(id, outcome).situation(near(&mut rng, &centre, 0.02)));
            }
        }
        report_in_batches(&store, &reports);
        assert!(store.stats().unwrap().experiences <= 64, "{:?}", store.stats().unwrap());
        for _ in 0..50 {
            let query = Query::new(near(&mut rng, &centre, 0.02)).k(2).receipt(false);
            let recall = store.recall(&query).unwrap();
            assert_eq!(ids(&recall), [better, worse]);
            for (hit, rate) in recall.hits.iter().zip([0.90, 0.88]) {
                let evidence = hit.evidence;
                let seen = evidence.successes / (evidence.successes + evidence.failures);
                assert!((seen - rate).abs() < 0.01, "{seen} for {rate}");
            }
        }
        assert_sound(&store);
    }
}

/// Merging reaches other handles, sealed points and later openings like every other change.
#[test]
fn merging_is_seen_by_others_and_survives() {
    let place = Place::new();
    let (store, other) = (place.open(Options::new(16)), place.open(Options::existing()));
    let all = fill(&store, &vectors(1, 200, 16));
    let (mut rng, centres) = (fastrand::Rng::with_seed(8), vectors(3, 4, 16));
    let mut tell = |n: usize| {
        let reports: Vec<Report> = (0..n)
            .map(|i| {
                let situation = near(&mut rng, &centres[i % 4], 0.1);
                Report::on_memory(all[i % 40], Outcome::Graded((i % 3) as f64 / 2.0)).situation(situation)
            })
            .collect();
        report_in_batches(&store, &reports);
    };
    tell(900);
    store.seal().unwrap();
    let before = all_bits(&other);
    tell(900);
    let after = all_bits(&store);
    assert_ne!(before, after);
    assert_eq!(all_bits(&other), after);
    assert_eq!(all_bits(&place.open(Options::existing())), after);
    store.seal().unwrap();
    assert_eq!(all_bits(&other), after);
    for handle in [&store, &other] {
        assert_sound(handle);
    }
}
