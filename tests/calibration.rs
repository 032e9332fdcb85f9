//! Promised probabilities: held to how earlier ones came true, and counted.
#![allow(clippy::unwrap_used)]

use wisen::{Memory, Options, Outcome, Query, Report, Store};
use wisen_benches::data::{self, Stream};
use wisen_tests::{Place, assert_sound, fill, vectors};

/// Recalls for events of a real stream, takes the first hit, and reports whether it was right.
fn live(store: &Store, stream: &Stream, events: std::ops::Range<usize>) -> f64 {
    let mut squares = 0.0;
    let count = events.len();
    for event in events {
        let recall = store.recall(&Query::new(stream.event_vectors.row(event)).k(1)).unwrap();
        let hit = &recall.hits[0];
        let right = stream.is_right((hit.id.0 - 1) as usize, event);
        squares += (hit.probability() - f64::from(right)).powi(2);
        assert!((recall.fit - hit.probability()).abs() < 1e-12);
        let outcome = if right { Outcome::Success } else { Outcome::Failure };
        store.report(&Report::on(recall.receipt.unwrap(), outcome)).unwrap();
    }
    squares / count as f64
}

/// On a real stream the promises come true as often as they say, and what the store counts of that is what
/// the caller saw.
#[test]
fn promises_come_true() {
    let stream = Stream::load(&data::shipped(), "metatool").unwrap();
    let place = Place::new();
    let store = place.open(Options::new(stream.dimension()));
    let points: Vec<Vec<f32>> = stream.memory_vectors.rows().map(<[f32]>::to_vec).collect();
    fill(&store, &points);
    let early = live(&store, &stream, 0..300);
    let late = live(&store, &stream, 300..1000);
    let found = store.calibration(None).unwrap();
    assert!((found.weight - 1000.0).abs() < 1e-6);
    assert!((found.brier - 0.3 * early - 0.7 * late).abs() < 1e-6, "{} {early} {late}", found.brier);
    assert!(found.error < 0.08, "expected calibration error {}", found.error);
    assert!((found.promised - found.outcome).abs() < 0.05);
    let whole: f64 = found.bins.iter().map(|bin| bin.weight).sum();
    assert!((whole - found.weight).abs() < 1e-6 && found.bins.len() > 5);
    assert_eq!(store.stats().unwrap().calibration, found);
    assert_eq!(store.calibration(Some("default")).unwrap(), found);
    assert_eq!(store.calibration(Some("elsewhere")).unwrap().weight.to_bits(), 0.0_f64.to_bits());
    let other = place.open(Options::existing());
    assert_eq!(other.calibration(None).unwrap(), found);
    let query = Query::new(stream.event_vectors.row(1000)).k(5).receipt(false);
    let promised = |store: &Store| -> Vec<u64> {
        store.recall(&query).unwrap().hits.iter().map(|hit| hit.probability().to_bits()).collect()
    };
    assert_eq!(promised(&store), promised(&other), "every process goes by the same calibration");
    assert_sound(&store);
}

/// A report taken back is no promise kept or broken any more; one by a stranger never was.
#[test]
fn retracted_and_foreign_reports_count_nothing() {
    let store = Store::open(":memory:", Options::new(8)).unwrap();
    fill(&store, &vectors(1, 50, 8));
    let query = Query::new(vectors(2, 1, 8).remove(0)).k(1);
    let before = store.calibration(None).unwrap();
    let receipt = store.recall(&query).unwrap().receipt.unwrap();
    let told = store.report(&Report::on(receipt, Outcome::Failure)).unwrap();
    assert!((store.calibration(None).unwrap().outcome).abs() < 1e-9);
    assert!((store.calibration(None).unwrap().weight - 1.0).abs() < 1e-9);
    store.retract(told.id).unwrap();
    assert_eq!(store.calibration(None).unwrap(), before);
    let receipt = store.recall(&query).unwrap().receipt.unwrap();
    store.report(&Report::on(receipt, Outcome::Success).reporter("anybody")).unwrap();
    assert_eq!(store.calibration(None).unwrap(), before);
}

/// What a principal says teaches as much as it is trusted: who has been found wrong does not bend the promises, however
/// much it tells.
#[test]
fn who_is_not_trusted_teaches_nothing() {
    let run = |shouted: usize| {
        let store = Store::open(":memory:", Options::new(8)).unwrap();
        fill(&store, &vectors(1, 50, 8));
        let token = store.register("eve", None).unwrap();
        let queries = vectors(2, 200, 8);
        let ask = |i: usize| store.recall(&Query::new(queries[i].clone()).k(1)).unwrap();
        let by_eve = |report: Report| report.reporter("eve").token(token.clone());
        let outcome = |good: bool| if good { Outcome::Success } else { Outcome::Failure };
        for i in 0..120 {
            let (receipt, good) = (ask(i).receipt.unwrap(), i % 3 != 0);
            store.report(&Report::on(receipt, outcome(good))).unwrap();
            // Found wrong, time and again.
            if i < 20 {
                store.report(&by_eve(Report::on(receipt, outcome(!good)))).unwrap();
            }
        }
        for i in 0..shouted {
            store.report(&by_eve(Report::on(ask(i % 200).receipt.unwrap(), Outcome::Failure))).unwrap();
        }
        store.remember(Memory::new("one more", vectors(3, 1, 8).remove(0)).kind("other")).unwrap();
        store.seal().unwrap();
        let asked = queries.iter().map(|query| Query::new(query.clone()).k(1).receipt(false));
        let promised = asked.map(|query| store.recall(&query).unwrap().fit).collect::<Vec<f64>>();
        assert_sound(&store);
        promised
    };
    let (promised, bent) = (run(0), run(600));
    for (promised, bent) in promised.iter().zip(bent) {
        assert_eq!(promised.to_bits(), bent.to_bits(), "{promised} became {bent}");
    }
}

/// Namespaces that are searched together all learn from what is reported, at once and at the next seal: each from the
/// reports on its own memories.
#[test]
fn namespaces_searched_together_all_learn() {
    let place = Place::new();
    let store = place.open(Options::new(8));
    let points = vectors(1, 60, 8);
    for (namespace, at) in [("a", 0..20), ("b", 20..40), ("c", 40..60)] {
        let memories = points[at].iter().map(|v| Memory::new("x", v.clone()).namespace(namespace));
        store.remember_many(memories.collect()).unwrap();
    }
    let mut told = [0_u64; 3];
    for (i, point) in points.iter().cycle().take(600).enumerate() {
        let query = Query::new(point.clone()).namespace("a").namespace("b").namespace("c").k(1);
        let recall = store.recall(&query).unwrap();
        let outcome = if i % 7 < 4 { Outcome::Success } else { Outcome::Failure };
        store.report(&Report::on(recall.receipt.unwrap(), outcome)).unwrap();
        let name = ["a", "b", "c"].iter().position(|name| *name == recall.hits[0].namespace).unwrap();
        told[name] += 1;
    }
    assert!(told.iter().all(|told| *told >= 60), "{told:?}");
    // Weights and, last, the number of examples.
    let fitted = || -> Vec<(String, u64)> {
        let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
        let text =
            "SELECT n.name, c.weights FROM calibrators c JOIN namespaces n ON n.id = c.namespace ORDER BY 1";
        let mut statement = conn.prepare(text).unwrap();
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get::<_, Vec<u8>>(1)?))).unwrap();
        rows.map(|row| row.unwrap())
            .map(|(name, bytes)| (name, u64::from_le_bytes(bytes[bytes.len() - 8..].try_into().unwrap())))
            .collect()
    };
    store.close().unwrap();
    let at_once = fitted();
    assert!(at_once.len() == 3 && at_once.iter().all(|(_, examples)| *examples >= 50), "{at_once:?}");
    let store = place.open(Options::existing());
    for name in ["a", "b", "c"] {
        store.recall(&Query::new(points[0].clone()).namespace(name).receipt(false)).unwrap();
    }
    store.remember(Memory::new("one more", points[0].clone())).unwrap();
    store.seal().unwrap();
    assert_sound(&store);
    store.close().unwrap();
    let names = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(fitted(), names.into_iter().zip(told).collect::<Vec<_>>(), "each by its own");
}
