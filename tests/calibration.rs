//! Promised probabilities: held to how earlier ones came true, and counted.
#![allow(clippy::unwrap_used)]

use wisen::{Options, Outcome, Query, Report, Store};
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
