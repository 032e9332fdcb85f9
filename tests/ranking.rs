//! What moves the order of hits, and what must not.
#![allow(clippy::unwrap_used)]

use wisen::{Memory, MemoryId, Metric, Options, Outcome, Query, Report, Store};
use wisen_benches::data::{self, Stream};
use wisen_tests::{answers, brute_force, experience, fill, ids, similarity, vectors, whole_vectors};

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::Dot, Metric::L2];

/// Not sealed; sealed with graphs however few there are; sealed without.
const SHAPES: [Option<usize>; 3] = [None, Some(0), Some(usize::MAX)];

fn shaped(metric: Metric, dim: usize, shape: Option<usize>) -> Store {
    let options = Options::new(dim).metric(metric).scan_below(shape.unwrap_or(usize::MAX));
    Store::open(":memory:", options).unwrap()
}

/// Without reports the hits are the nearest by brute force, and equal similarities come by id. A
/// graph may miss a point, never misplace one.
#[test]
fn no_report_means_the_order_of_similarity() {
    for metric in METRICS {
        // Whole numbers: under dot and l2 all of it is exact, and many similarities are ties.
        let mut points = whole_vectors(1, 1500, 12);
        points.extend(points.clone().into_iter().take(100));
        for shape in SHAPES {
            let store = shaped(metric, 12, shape);
            let all = fill(&store, &points);
            if shape.is_some() {
                store.seal().unwrap();
            }
            let (mut found, mut wanted) = (0, 0);
            for query in whole_vectors(2, 40, 12) {
                let recall = store.recall(&Query::new(query.clone()).k(25).width(130)).unwrap();
                let expected = brute_force(metric, all.iter().copied().zip(&points), &query, 25);
                for pair in recall.hits.windows(2) {
                    let order = pair[1].similarity.total_cmp(&pair[0].similarity);
                    assert!(order.then(pair[0].id.cmp(&pair[1].id)).is_lt(), "{metric:?} {shape:?}");
                }
                for hit in &recall.hits {
                    let point = &points[all.iter().position(|id| *id == hit.id).unwrap()];
                    let exact = similarity(metric, point, &query);
                    // Under cosine, unit vectors are rounded once.
                    let room = if metric == Metric::Cosine { 1e-6 } else { 0.0 };
                    assert!((f64::from(hit.similarity) - exact).abs() <= room, "{metric:?} {shape:?}");
                    found += usize::from(exact >= expected[24].1 - room);
                }
                wanted += 25;
                if metric != Metric::Cosine && shape != Some(0) {
                    let best: Vec<MemoryId> = expected.iter().map(|(id, _)| *id).collect();
                    assert_eq!(ids(&recall), best, "{metric:?} {shape:?}");
                }
            }
            let least = if shape == Some(0) { wanted * 95 / 100 } else { wanted };
            assert!(found >= least, "{metric:?} {shape:?}: {found} of {wanted}");
            assert_eq!(store.stats().unwrap().graph_searches > 0, shape == Some(0));
        }
    }
}

/// Several namespaces at once are ranked as if they were one.
#[test]
fn several_namespaces_are_ranked_together() {
    let points = whole_vectors(3, 300, 12);
    for shape in SHAPES {
        let store = shaped(Metric::L2, 12, shape);
        let mut all = Vec::new();
        for (i, point) in points.iter().enumerate() {
            let memory = Memory::new("x", point.clone()).namespace(["a", "b", "c"][i % 3]);
            all.push((store.remember(memory).unwrap(), i % 3));
        }
        if shape.is_some() {
            store.seal().unwrap();
        }
        for query in whole_vectors(4, 20, 12) {
            // "a" twice and one that does not exist change nothing.
            let ask = Query::new(query.clone()).k(30).width(500);
            let ask = ask.namespace("c").namespace("a").namespace("nowhere").namespace("a");
            let recall = store.recall(&ask).unwrap();
            let searched = all.iter().zip(&points).filter(|((_, n), _)| *n != 1).map(|((id, _), v)| (*id, v));
            let expected: Vec<_> =
                brute_force(Metric::L2, searched, &query, 30).into_iter().map(|(id, _)| id).collect();
            assert_eq!(ids(&recall), expected, "{shape:?}");
            for hit in &recall.hits {
                let n = all.iter().find(|(id, _)| *id == hit.id).unwrap().1;
                assert_eq!(hit.namespace, ["a", "b", "c"][n]);
            }
        }
    }
}

/// Recalling, and reports whose outcome nobody knows, move no bit of any answer.
#[test]
fn recalls_and_unknown_outcomes_move_nothing() {
    for metric in METRICS {
        let store = shaped(metric, 16, None);
        let queries = vectors(6, 30, 16);
        let all = fill(&store, &vectors(5, 300, 16));
        for phase in ["without experience", "with experience"] {
            let before = answers(&store, &queries, 20);
            for query in &queries {
                let recall = store.recall(&Query::new(query.clone()).k(3)).unwrap();
                let used = recall.hits[1].id;
                let report = Report::on(recall.receipt.unwrap(), Outcome::Unknown).used(used);
                store.report(&report).unwrap();
                store.report(&Report::on_memory(all[0], Outcome::Unknown).situation(query.clone())).unwrap();
            }
            assert_eq!(answers(&store, &queries, 20), before, "{metric:?} {phase}");
            for query in &queries[..10] {
                let fifth = ids(&store.recall(&Query::new(query.clone()).k(5)).unwrap())[4];
                experience(&store, query, 5, fifth, Outcome::Success);
            }
            assert_ne!(answers(&store, &queries, 20), before, "known outcomes do move answers");
        }
    }
}

/// Reports told in another order, to another store with the same memories, give the same scores.
#[test]
fn the_order_of_reports_changes_no_bit() {
    let (points, queries) = (vectors(7, 200, 16), vectors(8, 12, 16));
    let mut rng = fastrand::Rng::with_seed(9);
    let told: Vec<(usize, usize, f64)> =
        (0..150).map(|_| (rng.usize(..12), rng.usize(..10), [0.0, 1.0, 0.3][rng.usize(..3)])).collect();
    let replay = |order: &[(usize, usize, f64)]| {
        let store = shaped(Metric::Cosine, 16, None);
        fill(&store, &points);
        // All recalls first: what they show must not depend on the reports.
        let open: Vec<_> = order
            .iter()
            .map(|(q, ..)| store.recall(&Query::new(queries[*q].clone()).k(10)).unwrap())
            .collect();
        for ((_, rank, grade), recall) in order.iter().zip(open) {
            let report = Report::on(recall.receipt.unwrap(), Outcome::Graded(*grade));
            store.report(&report.used(recall.hits[*rank].id)).unwrap();
        }
        wisen_tests::assert_sound(&store);
        // What probabilities are held to is fitted now and then; at a seal, to all reports.
        store.seal().unwrap();
        answers(&store, &queries, 20)
    };
    let expected = replay(&told);
    for seed in 0..3 {
        let mut other = told.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut other);
        // Cells come into being in another order, which must not show: scores equal to rounding of
        // their sums, and the order of hits equal.
        let got = replay(&other);
        for (a, b) in got.iter().flatten().zip(expected.iter().flatten()) {
            assert_eq!(a.0, b.0, "seed {seed}");
            assert!((f64::from_bits(a.1) - f64::from_bits(b.1)).abs() < 1e-9, "seed {seed}");
            assert!((f64::from_bits(a.3) - f64::from_bits(b.3)).abs() < 1e-5, "seed {seed}");
        }
    }
    assert_eq!(replay(&told), expected, "the same order gives the same bits");
}

/// A thousand successes somewhere else do not lift a memory above those that fit here.
#[test]
fn success_elsewhere_does_not_buy_off_irrelevance() {
    let stream = Stream::load(&data::shipped(), "banking77").unwrap();
    let store = shaped(Metric::Cosine, stream.dimension(), None);
    let points: Vec<Vec<f32>> = stream.memory_vectors.rows().map(<[f32]>::to_vec).collect();
    let all = fill(&store, &points);
    for event in (0..40).map(|i| i * 50) {
        let query = stream.event_vectors.row(event);
        let order = brute_force(Metric::Cosine, all.iter().copied().zip(&points), query, points.len());
        let elsewhere = order[700].0;
        let situation = store.get(elsewhere).unwrap().unwrap().vector;
        for _ in 0..3 {
            experience(&store, &situation, 1, elsewhere, Outcome::Success);
        }
    }
    let elsewhere = all[0];
    for _ in 0..1000 {
        store.report(&Report::on_memory(elsewhere, Outcome::Success)).unwrap();
    }
    let mut unmoved = 0;
    for event in 0..200 {
        let query = stream.event_vectors.row(event);
        let order = brute_force(Metric::Cosine, all.iter().copied().zip(&points), query, points.len());
        if order.iter().position(|(id, _)| *id == elsewhere).unwrap() < 385 {
            continue;
        }
        // It is among the less similar half, and stays out of what is shown.
        let hits = ids(&store.recall(&Query::new(query).k(5)).unwrap());
        assert!(!hits.contains(&elsewhere), "event {event}");
        unmoved += 1;
    }
    assert!(unmoved > 20, "{unmoved}");
}

/// Failures where a memory was shown first push it down there, and success lifts the other one.
#[test]
fn experience_here_decides_here() {
    let store = shaped(Metric::Cosine, 16, None);
    fill(&store, &vectors(11, 300, 16));
    for query in vectors(12, 10, 16) {
        let recall = store.recall(&Query::new(query.clone()).k(2)).unwrap();
        let (first, second) = (recall.hits[0].id, recall.hits[1].id);
        for _ in 0..3 {
            experience(&store, &query, 300, first, Outcome::Failure);
            experience(&store, &query, 300, second, Outcome::Success);
        }
        let after = ids(&store.recall(&Query::new(query).k(300)).unwrap());
        assert_eq!(after[0], second);
        assert!(after.iter().position(|id| *id == first).unwrap() > 1);
    }
}

/// Of a crowd that was tried in one situation, every memory is judged by what came of it, however many
/// there are.
#[test]
fn a_crowd_tried_in_one_situation_is_judged_one_by_one() {
    let store = Store::open(":memory:", Options::new(8)).unwrap();
    let place = vectors(3, 1, 8).remove(0);
    let crowd = fill(&store, &vec![place.clone(); 300]);
    for (i, id) in crowd.iter().enumerate() {
        let outcome = if i % 3 == 0 { Outcome::Success } else { Outcome::Failure };
        for _ in 0..4 {
            store.report(&Report::on_memory(*id, outcome).situation(place.clone())).unwrap();
        }
    }
    let recall = store.recall(&Query::new(place).k(300)).unwrap();
    assert_eq!(recall.hits.len(), 300);
    for (place, hit) in recall.hits.iter().enumerate() {
        let works = (hit.id.0 - crowd[0].0).is_multiple_of(3);
        assert_eq!(works, place < 100, "what worked comes first");
        assert_eq!(hit.probability() > 0.5, works);
    }
}
