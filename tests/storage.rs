//! Vectors in f16: half the room, nearly the same answers, and nothing else is any different.
#![allow(clippy::unwrap_used)]

use std::fs;

use rusqlite::{Connection, OpenFlags};
use wisen::{
    Error, Memory, MemoryId, Metric, Options, Outcome, Query, Report, Storage, Store, TextKind, Update,
};
use wisen_tests::{
    Place, answers, assert_sound, brute_force, copy_folder, fill, ids, practise, segment_files, vectors,
};

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::Dot, Metric::L2];

fn half(dim: usize, metric: Metric) -> Options {
    Options::new(dim).metric(metric).storage(Storage::F16).scan_below(0).seal_at(1_000_000)
}

fn kept(store: &Store, id: MemoryId) -> Vec<f32> {
    store.get(id).unwrap().unwrap().vector
}

/// The same vectors in stores of both kinds: at most one hit in a hundred differs, by what rounding explains, and
/// everything is found.
#[test]
fn half_the_room_and_nearly_the_same_answers() {
    let (dim, points) = (48, vectors(1, 3000, 48));
    let queries = vectors(2, 100, dim);
    for metric in METRICS {
        let (whole, place) = (Place::new(), Place::new());
        let f32_store = whole.open(half(dim, metric).storage(Storage::F32));
        let store = place.open(half(dim, metric));
        let all = fill(&store, &points);
        assert_eq!(all, fill(&f32_store, &points));
        store.seal().unwrap();
        f32_store.seal().unwrap();
        assert_eq!(store.stats().unwrap().storage, Storage::F16);

        let saved = f32_store.stats().unwrap().segment_bytes - store.stats().unwrap().segment_bytes;
        assert_eq!(saved, (points.len() * dim * 2) as u64, "{metric:?}");
        let open = |place: &Place| {
            Connection::open_with_flags(place.store().join("memory.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
                .unwrap()
                .query_row("SELECT sum(length(vector)) FROM vectors", [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        let n = points.len() as i64;
        assert_eq!((open(&whole), open(&place)), (n * 48 * 4, n * (48 * 2 + 1)));

        let mut same = 0;
        for query in &queries {
            let ask = Query::new(query.clone()).k(10).width(200).receipt(false);
            let (got, wanted) = (store.recall(&ask).unwrap(), f32_store.recall(&ask).unwrap());
            same += ids(&got).iter().filter(|id| ids(&wanted).contains(id)).count();
            let length = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            for hit in got.hits {
                let row = all.iter().position(|id| *id == hit.id).unwrap();
                let exact = wisen_tests::similarity(metric, query, &points[row]);
                // A number is off by 2^-11 of itself at most, so a vector by that share of its length.
                let bound = match metric {
                    Metric::Cosine => 1.0,
                    Metric::Dot => length(query) * length(&points[row]),
                    Metric::L2 => {
                        2.0 * exact.abs().sqrt() * length(&points[row])
                            + length(&points[row]).powi(2) / 2048.0
                    }
                };
                let off = (f64::from(hit.similarity) - exact).abs();
                assert!(off <= bound / 2048.0 + 1e-5, "{metric:?}: {off} beyond {bound} / 2048");
            }
        }
        assert!(same >= 990, "{metric:?}: {same} of 1000");
        if metric != Metric::Dot {
            for (id, point) in all.iter().zip(&points) {
                let best = store.recall(&Query::new(point.clone()).k(1).receipt(false)).unwrap();
                assert_eq!(best.hits[0].id, *id, "{metric:?}");
            }
        }
        assert_sound(&store);
    }
}

/// A segment holds what the rows say bit for bit: whatever the dimension, answers do not change by sealing.
#[test]
fn sealing_changes_no_bit_of_an_answer() {
    for metric in METRICS {
        for dim in [1, 2, 3, 5, 8, 16, 17, 33] {
            let place = Place::new();
            let store = place.open(half(dim, metric).scan_below(1_000_000));
            let points = vectors(dim as u64, 400, dim);
            fill(&store, &points);
            let queries = vectors(99, 30, dim);
            practise(&store, &queries[..10]);
            let before = answers(&store, &queries, 10);
            store.seal().unwrap();
            assert!(answers(&store, &queries, 10) == before, "{metric:?}, {dim} dimensions");
            assert_sound(&store);
        }
    }
}

/// What is read back is what is compared, and handing it in again changes nothing.
#[test]
fn what_is_kept_is_what_is_read_and_compared() {
    for metric in METRICS {
        let place = Place::new();
        let store = place.open(half(24, metric));
        let points = vectors(5, 200, 24);
        let all = fill(&store, &points);
        let back: Vec<Vec<f32>> = all.iter().map(|id| kept(&store, *id)).collect();
        assert_ne!(back, points);
        assert!(back.iter().flatten().all(|x| half::f16::from_f32(*x).to_f32().to_bits() == x.to_bits()));
        for query in vectors(6, 20, 24) {
            let got = store.recall(&Query::new(query.clone()).k(10).receipt(false)).unwrap();
            let exact = brute_force(metric, all.iter().copied().zip(&back), &query, 10);
            let exact: Vec<MemoryId> = exact.into_iter().map(|(id, _)| id).collect();
            assert_eq!(ids(&got), exact, "{metric:?}");
        }
        let keyed = Memory::new("keyed", points[0].clone()).key("k");
        let id = store.remember(keyed.clone()).unwrap();
        assert_eq!(store.remember(keyed).unwrap(), id, "the same memory under the same key");
        // What was read back is stored again as it is, whatever the dimension.
        for (row, vector) in back.iter().enumerate() {
            let again = Memory::new(format!("again {row}"), vector.clone()).key(format!("again {row}"));
            let first = store.remember(again.clone()).unwrap();
            assert_eq!((&kept(&store, first), store.remember(again).unwrap()), (vector, first));
        }
        store.update(id, Update::new().vector(points[1].clone())).unwrap();
        assert_eq!(kept(&store, id), back[1]);
        assert_sound(&store);
    }
}

#[test]
fn what_f16_does_not_hold_is_refused_and_nothing_is_lost() {
    let place = Place::new();
    let store = place.open(half(4, Metric::Dot));
    let good = store.remember(Memory::new("good", [0.0, 65504.0, 1.0, 0.0])).unwrap();
    for (vector, says) in [([0.0, 7e4, 0.0, 0.0], "number 1 is 70000"), ([1e-8; 4], "too short")] {
        for error in [
            store.remember(Memory::new("bad", vector)).unwrap_err(),
            store.update(good, Update::new().vector(vector)).unwrap_err(),
        ] {
            assert!(
                matches!(error, Error::InvalidArgument { .. }) && error.to_string().contains(says),
                "{error}"
            );
        }
        let rows = vec![Memory::new("fine", [1.0; 4]), Memory::new("bad", vector)];
        let error = store.remember_many(rows).unwrap_err();
        assert!(matches!(error, Error::Row { row: 1, .. }), "{error}");
    }
    assert_eq!(store.count(None).unwrap(), 1);
    assert_eq!(kept(&store, good), [0.0, 65504.0, 1.0, 0.0]);
    // Of a unit vector it holds enough, however short or long what was given.
    let place = Place::new();
    let store = place.open(half(4, Metric::Cosine));
    for scale in [1e-30, 1e15] {
        store.remember(Memory::new("any length", [3.0 * scale, 0.0, 4.0 * scale, 0.0])).unwrap();
    }
}

#[test]
fn the_storage_is_fixed_at_creation() {
    let place = Place::new();
    place.open(half(4, Metric::L2)).close().unwrap();
    let error = Store::open(place.store(), Options::new(4).storage(Storage::F32)).unwrap_err();
    assert!(matches!(error, Error::Mismatch { what: "storage", .. }), "{error}");
    assert_eq!(Store::open(place.store(), Options::new(4)).unwrap().stats().unwrap().storage, Storage::F16);
    let plain = Place::new();
    plain.open(Options::new(4)).close().unwrap();
    let error = Store::open(plain.store(), Options::new(4).storage(Storage::F16)).unwrap_err();
    assert!(matches!(error, Error::Mismatch { what: "storage", .. }), "{error}");
}

/// Copies of all kinds stay what they are.
#[test]
fn backups_exports_and_new_models_keep_the_storage() {
    let place = Place::new();
    let store = place.open(half(16, Metric::Cosine));
    let points = vectors(7, 300, 16);
    let all = fill(&store, &points);
    let queries = vectors(8, 20, 16);
    practise(&store, &queries);
    let before = answers(&store, &queries, 10);

    store.backup(place.at("backup"), false).unwrap();
    Store::restore(place.at("backup"), place.at("restored")).unwrap();
    store.export(place.at("lines"), false).unwrap();
    Store::import(place.at("lines"), place.at("imported")).unwrap();
    for copy in ["restored", "imported"] {
        let copy = Store::open(place.at(copy), Options::existing().scan_below(0)).unwrap();
        assert_eq!(copy.stats().unwrap().storage, Storage::F16);
        copy.seal().unwrap();
        assert_eq!(answers(&copy, &queries, 10), before);
        assert_sound(&copy);
    }
    Store::open(place.at("imported"), Options::existing()).unwrap().export(place.at("again"), false).unwrap();
    let heads = |name: &str| fs::read_to_string(place.at(name)).unwrap().lines().next().unwrap().to_owned();
    assert!(heads("lines").contains("\"storage\":\"f16\""), "{}", heads("lines"));
    assert_eq!(fs::read(place.at("lines")).unwrap(), fs::read(place.at("again")).unwrap());

    let embed = |_: TextKind, texts: &[&str]| {
        Ok(texts.iter().map(|text| vec![text.len() as f32, 0.1, 0.7]).collect::<Vec<_>>())
    };
    // Queries that were a memory's own vector, before it was rounded.
    let own = Query::new(points[5].clone()).k(3);
    let recall = store.recall(&own).unwrap();
    store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success).used(all[5])).unwrap();
    let reembedded = store.reembed(place.at("moved"), "other", 3, embed).unwrap();
    assert_eq!(reembedded.placed, 1);
    let moved = Store::open(place.at("moved"), Options::existing()).unwrap();
    assert_eq!((moved.stats().unwrap().storage, moved.stats().unwrap().dimension), (Storage::F16, 3));
    assert!(kept(&moved, all[0]).iter().all(|x| half::f16::from_f32(*x).to_f32().to_bits() == x.to_bits()));
    assert_sound(&moved);

    // The memories alone go into a store of the other kind.
    let plain = Store::open(":memory:", Options::new(16)).unwrap();
    assert_eq!(plain.import_memories(place.at("lines")).unwrap().len(), all.len());
}

/// Of an index in f16, each byte that is damaged is noticed when it is read.
#[test]
fn damaged_halves_are_noticed_and_rebuilt() {
    let place = Place::new();
    let points = vectors(9, 60, 24);
    let store = place.open(half(24, Metric::Cosine));
    fill(&store, &points);
    let queries = vectors(10, 10, 24);
    let before = answers(&store, &queries, 60);
    store.seal().unwrap();
    store.close().unwrap();
    let name = segment_files(&place.store()).remove(0);
    let good = fs::read(place.store().join("segments").join(&name)).unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    let mut aside = 0;
    for _ in 0..60 {
        let copy = Place::new();
        copy_folder(&place.store(), &copy.store());
        let mut bad = good.clone();
        let at = rng.usize(..bad.len());
        bad[at] ^= 1 << rng.u8(..8);
        fs::write(copy.store().join("segments").join(&name), &bad).unwrap();
        let store = copy.open(Options::existing());
        assert!(answers(&store, &queries, 60) == before, "byte {at}");
        aside += store.stats().unwrap().segments_set_aside;
        store.seal().unwrap();
        assert!(answers(&store, &queries, 60) == before, "byte {at}");
        drop(store);
        assert_sound(&copy.open(Options::existing()));
    }
    assert!(aside >= 50, "{aside} of 60: the answers were read from the segment");
}

/// Reports teach the same: in f16 a memory rises where it worked, too.
#[test]
fn reports_teach_as_in_any_store() {
    let place = Place::new();
    let store = place.open(half(8, Metric::Cosine));
    let all = fill(&store, &vectors(11, 40, 8));
    let query = Query::new(kept(&store, all[3])).k(5);
    let second = store.recall(&query).unwrap().hits[1].id;
    for _ in 0..5 {
        let recall = store.recall(&query).unwrap();
        store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success).used(second)).unwrap();
        let failed = Report::on_memory(all[3], Outcome::Failure).situation(kept(&store, all[3]));
        store.report(&failed).unwrap();
    }
    assert_eq!(store.recall(&query).unwrap().hits[0].id, second);
    store.seal().unwrap();
    assert_eq!(store.recall(&query).unwrap().hits[0].id, second);
}
