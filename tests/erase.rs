//! Erasure: what was forgotten for good is, after compaction, in no byte of any file.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use wisen::{
    Memory, MemoryId, Metric, Options, Outcome, Query, Report, SecretAction, Storage, Store, Update,
};
use wisen_tests::{Place, assert_sound, fill, vectors};

const DIM: usize = 16;
const TRIALS: u64 = 60;

/// What must not be found: name and bytes.
type Needles = Vec<(&'static str, Vec<u8>)>;

/// Text that no compression makes shorter than its entropy, and that is nowhere else.
fn random_text(rng: &mut fastrand::Rng, length: usize) -> String {
    (0..length).map(|_| rng.alphanumeric()).collect()
}

fn pieces(needles: &mut Needles, name: &'static str, text: &str) {
    for piece in [&text[..20], &text[text.len() / 2 - 10..][..20], &text[text.len() - 20..]] {
        needles.push((name, piece.as_bytes().to_vec()));
    }
}

/// Three numbers in a row, from anywhere in a vector: as it was given, and as a unit vector.
fn numbers(needles: &mut Needles, vector: &[f32]) {
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let unit: Vec<f32> = vector.iter().map(|x| (f64::from(*x) * (1.0 / length)) as f32).collect();
    for (name, vector) in [("vector", vector), ("unit vector", &unit)] {
        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        needles.extend([0, 7, DIM - 3].map(|at| (name, bytes[4 * at..4 * at + 12].to_vec())));
    }
}

/// Five numbers in a row as f16, of what a store with that storage keeps of a vector.
fn halves(needles: &mut Needles, vector: &[f32], (metric, storage): (Metric, Storage)) {
    if storage == Storage::F32 {
        return;
    }
    let store = Store::open(":memory:", Options::new(DIM).metric(metric).storage(storage)).unwrap();
    let kept = store.remember(Memory::new("x", vector)).unwrap();
    let kept = store.get(kept).unwrap().unwrap().vector;
    let bytes: Vec<u8> = kept.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
    needles.extend([0, 7, DIM - 5].map(|at| ("f16", bytes[2 * at..2 * at + 10].to_vec())));
}

fn holds(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

/// Where the needles are: in the bytes of any file below a folder, or in what a text of a database
/// unpacks to.
fn finds(folder: &Path, needles: &Needles) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |place: String, hay: &[u8]| {
        found.extend(
            needles
                .iter()
                .filter(|(_, bytes)| holds(hay, bytes))
                .map(|(name, _)| format!("{name} in {place}")),
        );
    };
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                look(path.display().to_string(), &fs::read(&path).unwrap());
            }
        }
    }
    for database in ["memory.db", "receipts.db"] {
        let conn =
            Connection::open_with_flags(folder.join(database), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut names = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let names: Vec<String> =
            names.query_map([], |r| r.get(0)).unwrap().map(|name| name.unwrap()).collect();
        for name in names {
            let mut statement = conn.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for i in 0..columns {
                    let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = row.get_ref(i).unwrap() else {
                        continue;
                    };
                    look(format!("table {name}"), bytes);
                    if let [1, _, _, _, _, frame @ ..] = bytes
                        && let Ok(text) = zstd::decode_all(frame)
                    {
                        look(format!("a text of table {name}"), &text);
                    }
                }
            }
        }
    }
    found
}

fn outcome(rng: &mut fastrand::Rng) -> Outcome {
    if rng.bool() { Outcome::Success } else { Outcome::Failure }
}

/// Something that has nothing to do with the canary.
fn anything(store: &Store, rng: &mut fastrand::Rng, all: &mut Vec<MemoryId>) {
    let vector = vectors(rng.u64(..), 1, DIM).remove(0);
    let any = |rng: &mut fastrand::Rng, all: &[MemoryId]| all[rng.usize(..all.len())];
    match rng.u8(..10) {
        0 | 1 => {
            let length = rng.usize(0..600);
            let text = random_text(rng, length);
            all.push(store.remember(Memory::new(text, vector)).unwrap());
        }
        2..=4 => {
            let recall = store.recall(&Query::new(vector).k(5).text("a question")).unwrap();
            if rng.bool() && !recall.hits.is_empty() {
                let used = recall.hits[rng.usize(..recall.hits.len())].id;
                let report = Report::on(recall.receipt.unwrap(), outcome(rng)).used(used).note("a note");
                store.report(&report).unwrap();
            }
        }
        5 => {
            let id = any(rng, all);
            // It may have been forgotten.
            drop(store.report(&Report::on_memory(id, outcome(rng)).situation(vector)));
        }
        6 => store.update(any(rng, all), Update::new().content(random_text(rng, 90))).unwrap_or(()),
        7 => drop(store.forget(any(rng, all)).unwrap()),
        8 => store.seal().unwrap(),
        _ => store.flush().unwrap(),
    }
}

/// Many stores with random lives, each with a memory that is put wherever a memory can get to: found
/// there, erased, and then in no byte of any file.
#[test]
fn what_is_erased_is_in_no_byte_of_any_file() {
    let seed = fastrand::u64(..1 << 40);
    for trial in 0..TRIALS {
        println!("seed {seed}, trial {trial}");
        let mut rng = fastrand::Rng::with_seed(seed + trial);
        let place = Place::new();
        let metric = if trial % 2 == 0 { Metric::L2 } else { Metric::Cosine };
        let storage = if trial % 4 < 2 { Storage::F32 } else { Storage::F16 };
        let options = || Options::existing().scan_below(rng_small(trial)).seal_at(40);
        let mut store = place.open(
            Options::new(DIM)
                .metric(metric)
                .storage(storage)
                .scan_below(rng_small(trial))
                .seal_at(40)
                .secrets(SecretAction::Allow),
        );
        // Another handle that stays open all the while.
        let witness = (trial % 3 == 0).then(|| place.open(options()));
        let mut all = fill(&store, &vectors(seed + trial, 50, DIM));
        (0..rng.usize(..20)).for_each(|_| anything(&store, &mut rng, &mut all));

        let length = rng.usize(20..400);
        let (content, secret) = (random_text(&mut rng, length), random_text(&mut rng, 40));
        let (earlier, key) = (random_text(&mut rng, 200), random_text(&mut rng, 30));
        let vector: Vec<f32> = (0..DIM).map(|_| rng.f32() * 2.0 - 1.0).collect();
        let mut needles = Needles::new();
        for (name, text) in
            [("content", &content), ("secret", &secret), ("earlier content", &earlier), ("key", &key)]
        {
            pieces(&mut needles, name, text);
        }
        numbers(&mut needles, &vector);
        halves(&mut needles, &vector, (metric, storage));
        let memory = Memory::new(&earlier, vector.clone()).metadata(json!({ "secret": secret })).key(&key);
        let canary = store.remember(memory).unwrap();
        if rng.bool() {
            store.seal().unwrap();
        }
        store.update(canary, Update::new().content(&content)).unwrap();
        // Wherever it can get to.
        store
            .report(&Report::on_memory(canary, outcome(&mut rng)).note(format!("I like {content}")))
            .unwrap();
        // On another memory, at the canary's own vector; that one may have been forgotten.
        drop(store.report(&Report::on_memory(all[0], Outcome::Success).situation(vector.clone())));
        for round in 0..4 {
            let recall = store.recall(&Query::new(vector.clone()).k(5).text(&content)).unwrap();
            let other = recall.hits.iter().find(|hit| hit.id != canary);
            if round == 3 {
                continue; // not reported on
            }
            let used = if round % 2 == 0 { canary } else { other.map_or(canary, |hit| hit.id) };
            let report = Report::on(recall.receipt.unwrap(), outcome(&mut rng)).used(used);
            store.report(&report.note(format!("{round}: {content}"))).unwrap();
        }
        let near = vector.iter().map(|x| x + 0.01 * (rng.f32() - 0.5)).collect::<Vec<_>>();
        let quoting = store.recall(&Query::new(near).k(3).text(format!("about {content}?"))).unwrap();
        store
            .report(&Report::on(quoting.receipt.unwrap(), Outcome::Success).used(quoting.hits[0].id))
            .unwrap();
        (0..rng.usize(..30)).for_each(|_| anything(&store, &mut rng, &mut all));
        if trial % 5 == 0 {
            // A twin that is merged into it goes with it.
            let twin = store.remember(Memory::new(&secret, vector.clone())).unwrap();
            store.distil("default", if metric == Metric::L2 { -1e-6 } else { 0.999_999 }).unwrap();
            assert_eq!(store.get(twin).unwrap().unwrap().merged_into, Some(canary));
        }
        store.seal().unwrap();
        store.flush().unwrap();
        if trial % 4 == 0 {
            // A segment that was set aside as damaged, a leftover of a killed seal, damaged receipts.
            let segments = place.store().join("segments");
            let sealed = fs::read_dir(&segments).unwrap().next().unwrap().unwrap().path();
            fs::copy(&sealed, segments.join("0000-x.seg.damaged")).unwrap();
            fs::copy(&sealed, segments.join("tmp-0000-x.seg")).unwrap();
            fs::write(place.store().join("receipts.db.damaged"), &needles[0].1).unwrap();
        }
        // The search finds what is there.
        let found = finds(&place.store(), &needles);
        for name in ["content", "secret", "key", "vector", "unit vector", "f16"] {
            let is_there = found.iter().any(|place| place.starts_with(name));
            let elsewhere = match name {
                "unit vector" => metric == Metric::L2 || storage == Storage::F16,
                "f16" => storage == Storage::F32,
                _ => false,
            };
            assert!(is_there || elsewhere, "{name}: {found:?}");
        }

        if trial % 2 == 0 {
            drop(store);
            store = place.open(options());
        }
        assert!(store.forget_hard(canary).unwrap());
        assert!(!store.forget_hard(canary).unwrap(), "it is gone");
        assert_eq!(store.get(canary).unwrap(), None);
        (0..rng.usize(..30)).for_each(|_| anything(&store, &mut rng, &mut all));
        let sizes = store.compact().unwrap();
        assert!(sizes.bytes_after <= sizes.bytes_before, "{sizes:?}");
        assert_eq!(finds(&place.store(), &needles), Vec::<String>::new());
        assert_sound(&store);
        // And the store goes on, in every handle.
        for store in [Some(&store), witness.as_ref()].into_iter().flatten() {
            let recall = store.recall(&Query::new(vector.clone()).k(1000).receipt(false)).unwrap();
            assert!(!recall.hits.is_empty() && recall.hits.iter().all(|hit| hit.id != canary));
            assert_sound(store);
        }
    }
}

/// Half of the stores have graphs.
fn rng_small(trial: u64) -> usize {
    if trial.is_multiple_of(2) { 0 } else { 1024 }
}

/// What others have taught stays, but where it lies at the very vector of what is erased.
#[test]
fn erasing_leaves_the_rest_as_it_was() {
    let store = Store::open(":memory:", Options::new(DIM)).unwrap();
    let points = vectors(1, 100, DIM);
    let all = fill(&store, &points);
    let told = |i: usize, at: usize| {
        let recall = store.recall(&Query::new(points[at].clone()).k(100)).unwrap();
        store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success).used(all[i]).note("n")).unwrap();
    };
    told(5, 6);
    told(5, 7);
    told(9, 6);
    let evidence = |i: usize| {
        let recall = store.recall(&Query::new(points[8].clone()).k(100).receipt(false)).unwrap();
        recall.hits.iter().find(|hit| hit.id == all[i]).map(|hit| hit.evidence.reports)
    };
    assert_eq!((evidence(5), evidence(9)), (Some(2), Some(1)));
    assert!(store.forget_hard(all[6]).unwrap());
    assert_eq!((evidence(5), evidence(9), evidence(6)), (Some(1), Some(0), None));
    assert_eq!(store.stats().unwrap().reports, 3, "retracted reports stay as records");
    assert!(store.forget_hard(all[9]).unwrap() && !store.forget_hard(MemoryId(5000)).unwrap());
    store.compact().unwrap();
    assert_eq!(evidence(5), Some(1));
    assert_sound(&store);
    for i in 1..=3 {
        store.retract(wisen::ReportId(i)).unwrap();
    }
    assert_eq!(evidence(5), Some(0));
    assert_sound(&store);
}

/// A recall of another handle just before holds the vector and may hold the text in its receipt, which is written a little later.
#[test]
fn receipts_that_wait_elsewhere_are_erased_too() {
    let place = Place::new();
    let store = place.open(Options::new(DIM));
    fill(&store, &vectors(1, 20, DIM));
    let (vector, text) = (vectors(7, 1, DIM).remove(0), "a secret that is nowhere else but here");
    let mut needles = vec![("text", text.as_bytes()[..20].to_vec())];
    numbers(&mut needles, &vector);
    let other = place.open(Options::existing());
    for reported in [false, true] {
        let id = store.remember(Memory::new(text, vector.clone())).unwrap();
        let asked = other.recall(&Query::new(vector.clone()).text(text).k(1)).unwrap();
        let kept = other.recall(&Query::new(vectors(8, 1, DIM).remove(0)).k(1)).unwrap();
        assert!(store.forget_hard(id).unwrap());
        if reported {
            other.report(&Report::on(asked.receipt.unwrap(), Outcome::Success)).unwrap();
            other.report(&Report::on(kept.receipt.unwrap(), Outcome::Success)).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        other.flush().unwrap();
        // A handle's own receipts that do not speak of it stay.
        let own = store.recall(&Query::new(vectors(9, 1, DIM).remove(0)).k(1)).unwrap();
        let gone = store.remember(Memory::new("something else", vectors(10, 1, DIM).remove(0))).unwrap();
        store.forget_hard(gone).unwrap();
        let credited = store.report(&Report::on(own.receipt.unwrap(), Outcome::Success)).unwrap();
        assert_ne!(credited.status, wisen::ReportStatus::Pending);
        store.compact().unwrap();
        assert_eq!(finds(&place.store(), &needles), Vec::<String>::new());
    }
    assert_sound(&store);
}
