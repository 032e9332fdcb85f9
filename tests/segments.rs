//! Segments are derived: lost, damaged or foreign ones are noticed, named, and built again.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use wisen::{Memory, MemoryId, Options, Query, Storage, Store};
use wisen_tests::{
    Bits, Place, answers, assert_sound, brute_force, copy_folder, fill, ids, practise, segment_files, vectors,
};

const DIM: usize = 24;

/// A sealed store with a graph and experience, closed; its answers, and its one segment.
struct Closed {
    place: Place,
    all: Vec<MemoryId>,
    points: Vec<Vec<f32>>,
    queries: Vec<Vec<f32>>,
    told: Vec<Bits>,
    file: PathBuf,
}

fn closed(seed: u64) -> Closed {
    let place = Place::new();
    let points = vectors(seed, 1000, DIM);
    let queries: Vec<Vec<f32>> = vectors(seed + 1, 25, DIM);
    // Damage to vectors in f16 is damage all the same.
    let storage = if seed.is_multiple_of(2) { Storage::F16 } else { Storage::F32 };
    let store = place.open(options().storage(storage));
    let all = fill(&store, &points);
    // Too few to calibrate by, which sealing would do anew.
    practise(&store, &vectors(seed + 2, 40, DIM));
    // Not sealed yet: exact.
    let told = answers(&store, &queries, 10);
    store.seal().unwrap();
    store.close().unwrap();
    drop(store);
    let file = place.store().join("segments").join(&segment_files(&place.store())[0]);
    Closed { place, all, points, queries, told, file }
}

fn options() -> Options {
    Options::new(DIM).scan_below(0).seal_at(1_000_000).width(90)
}

impl Closed {
    fn name(&self) -> String {
        self.file.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Whether the answers are the exact ones, to the last bit.
    fn answers_exactly(&self, store: &Store) -> bool {
        answers(store, &self.queries, 10) == self.told
    }

    /// Whether they are as good as those of a graph have to be: of the exact hits, 19 in 20.
    fn answers_well(&self, store: &Store) -> bool {
        let hit =
            |(got, exact): (&Bits, &Bits)| exact.iter().filter(|e| got.iter().any(|g| g.0 == e.0)).count();
        let found: usize = answers(store, &self.queries, 10).iter().zip(&self.told).map(hit).sum();
        found * 20 >= self.queries.len() * 10 * 19
    }

    /// Opens the store on a segment that cannot be used: answers must be right and verify name it;
    /// sealing must make all well again.
    fn heals(&self, what: &str) {
        let store = self.place.open(options());
        assert!(self.answers_exactly(&store), "{what}: exact, from the database");
        let found = store.verify().unwrap();
        assert!(found.faults.iter().any(|fault| fault.contains(&self.name())), "{what}: {:?}", found.faults);
        assert_eq!(
            (store.stats().unwrap().segments_set_aside, store.stats().unwrap().segments),
            (1, 0),
            "{what}"
        );
        assert!(!self.file.exists(), "{what}: the file is out of the way");
        store.seal().unwrap();
        assert_eq!(store.stats().unwrap().segments, 1, "{what}");
        assert!(self.answers_well(&store), "{what}: sealed again");
        store.close().unwrap();
        drop(store);
        let store = self.place.open(options());
        assert_eq!(segment_files(&self.place.store()).len(), 1, "{what}");
        assert_sound(&store);
    }
}

/// The answers before the damage were those of brute force over all that is stored.
#[test]
fn answers_are_those_of_brute_force() {
    let closed = closed(1);
    let store = Store::open(closed.place.store(), options()).unwrap();
    assert!(closed.answers_well(&store));
    assert!(store.stats().unwrap().graph_searches > 0);
    for (query, bits) in closed.queries.iter().zip(&closed.told) {
        let best =
            brute_force(wisen::Metric::Cosine, closed.all.iter().copied().zip(&closed.points), query, 64);
        // Ranked by experience: every hit is among the nearest 64, or was nominated.
        let recall = store.recall(&Query::new(query.clone()).k(1000).receipt(false)).unwrap();
        let nominated = |id: MemoryId| recall.hits.iter().any(|hit| hit.id == id && hit.evidence.reports > 1);
        for (id, ..) in bits {
            let id = MemoryId(*id);
            assert!(best.iter().any(|(near, _)| *near == id) || nominated(id), "{id}");
        }
    }
}

/// Deleting the folder of segments loses nothing.
#[test]
fn segments_may_be_deleted() {
    let closed = closed(2);
    fs::remove_dir_all(closed.place.store().join("segments")).unwrap();
    closed.heals("deleted");
}

/// A file cut short anywhere, or with something behind it, is noticed when it is opened.
#[test]
fn a_truncated_segment_is_noticed() {
    let closed = closed(3);
    let whole = fs::read(&closed.file).unwrap();
    let keep = closed.place.at("keep");
    copy_folder(&closed.place.store(), &keep);
    let mut lengths: Vec<usize> = vec![0, 1, 319, 320, whole.len() / 2, whole.len() - 1];
    lengths.extend((1..6).map(|i| whole.len() * i / 6));
    for length in lengths {
        fs::remove_dir_all(closed.place.store()).unwrap();
        copy_folder(&keep, &closed.place.store());
        fs::write(&closed.file, &whole[..length]).unwrap();
        closed.heals(&format!("cut to {length}"));
    }
    fs::remove_dir_all(closed.place.store()).unwrap();
    copy_folder(&keep, &closed.place.store());
    fs::write(&closed.file, [whole.as_slice(), b"more"].concat()).unwrap();
    closed.heals("longer");
}

/// Name, offset and length of the sections, from the header (its format is fixed).
fn sections(bytes: &[u8]) -> Vec<(&'static str, usize, usize)> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let names = ["directory", "ids", "blocks", "upper", "means", "vectors", "sums"];
    let mut sections: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (*name, number(64 + 32 * i + 8), number(64 + 32 * i + 16)))
        .collect();
    sections.push(("header", 0, 296));
    sections
}

/// A flipped byte in any section is noticed: at open, or in a full vector when it is first read.
#[test]
fn a_flipped_byte_is_noticed() {
    let closed = closed(4);
    let whole = fs::read(&closed.file).unwrap();
    let keep = closed.place.at("keep");
    copy_folder(&closed.place.store(), &keep);
    let mut rng = fastrand::Rng::with_seed(5);
    for (section, offset, length) in sections(&whole) {
        for _ in 0..if length == 0 { 0 } else { 6 } {
            let at = offset + rng.usize(..length);
            fs::remove_dir_all(closed.place.store()).unwrap();
            copy_folder(&keep, &closed.place.store());
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << rng.u8(..8);
            fs::write(&closed.file, bytes).unwrap();
            let what = format!("{section}, byte {at}");
            if section != "vectors" && section != "sums" {
                closed.heals(&what);
                continue;
            }
            let store = closed.place.open(options());
            assert!(closed.answers_well(&store), "{what}");
            let found = store.verify().unwrap();
            assert!(
                found
                    .faults
                    .iter()
                    .any(|fault| fault.contains(&closed.name()) && !fault.contains("it does not hold")),
                "{what}: {:?}",
                found.faults
            );
            // The memory whose vector it is, is found all the same.
            for (id, point) in closed.all.iter().zip(&closed.points) {
                let hit = &store.recall(&Query::new(point.clone()).k(10).receipt(false)).unwrap();
                assert!(ids(hit).contains(id), "{what}: {id}");
            }
            drop(store);
        }
    }
}

/// A segment of another store, or an older one of this store, under the name of the right one.
#[test]
fn a_foreign_or_stale_segment_is_noticed() {
    let (one, other) = (closed(6), closed(7));
    fs::copy(&other.file, &one.file).unwrap();
    one.heals("of another store");

    let place = Place::new();
    let store = place.open(options());
    let points = vectors(8, 900, DIM);
    let first = fill(&store, &points[..600]);
    store.seal().unwrap();
    let old = place.store().join("segments").join(&segment_files(&place.store())[0]);
    fs::copy(&old, place.at("old")).unwrap();
    let more = fill(&store, &points[600..]);
    store.forget(first[0]).unwrap();
    let queries = vectors(9, 20, DIM);
    // Exact answers: those of a namespace-wide scan of the same memories in a store of its own.
    store.seal().unwrap();
    let exact = Store::open(":memory:", options()).unwrap();
    fill(&exact, &points);
    exact.forget(first[0]).unwrap();
    let told = answers(&exact, &queries, 10);
    store.close().unwrap();
    drop(store);
    let names = segment_files(&place.store());
    assert_eq!(names.len(), 1, "the second seal took the first segment in");
    let file = place.store().join("segments").join(&names[0]);
    fs::copy(place.at("old"), &file).unwrap();
    let all = [first, more].concat();
    Closed { place, all, points, queries, told, file }.heals("stale");
}

/// Files of interrupted seals, and any others, are swept by the next seal.
#[test]
fn leftovers_are_swept() {
    let closed = closed(10);
    let folder = closed.place.store().join("segments");
    for name in ["tmp-0000-x.seg", "0000000000000001-dead.seg", "x.seg.damaged"] {
        fs::write(folder.join(name), b"left").unwrap();
    }
    let store = closed.place.open(options());
    assert!(closed.answers_well(&store), "they are of no account");
    fill(&store, &vectors(11, 5, DIM));
    store.seal().unwrap();
    assert_eq!(segment_files(&closed.place.store()).len() as u64, store.stats().unwrap().segments);
    assert_sound(&store);
}

/// Steady writing does not pile up segments, nor their bytes.
#[test]
fn the_number_of_segments_stays_bounded() {
    let place = Place::new();
    let store = place.open(Options::new(DIM).seal_at(200));
    let points = vectors(12, 9000, DIM);
    let mut all = Vec::new();
    for part in points.chunks(300) {
        all.extend(fill(&store, part));
        store.seal().unwrap();
        let stats = store.stats().unwrap();
        assert!(stats.segments <= 8, "{stats:?}");
        assert!(stats.unsealed < 200);
    }
    let files = segment_files(&place.store());
    assert_eq!(files.len() as u64, store.stats().unwrap().segments);
    for i in (0..9000).step_by(91) {
        assert_eq!(store.recall(&Query::new(points[i].clone()).k(1)).unwrap().hits[0].id, all[i]);
    }
    assert_sound(&store);
}

/// What is deleted, moved or superseded is masked in its segment at once, in every handle.
#[test]
fn deletes_mask_sealed_points_at_once() {
    let place = Place::new();
    let (store, other) = (place.open(options()), place.open(options()));
    let points = vectors(13, 1500, DIM);
    let all = fill(&store, &points);
    store.seal().unwrap();
    let shows = |store: &Store, i: usize| {
        ids(&store.recall(&Query::new(points[i].clone()).k(3).receipt(false)).unwrap()).contains(&all[i])
    };
    for i in (0..300).step_by(3) {
        assert!(shows(&store, i) && shows(&other, i));
        if i % 2 == 0 {
            store.forget(all[i]).unwrap();
        } else {
            other.remember(Memory::new("new", points[i + 1].clone()).supersedes(all[i])).unwrap();
        }
        assert!(!shows(&store, i) && !shows(&other, i), "{i}");
    }
    drop(store);
    let store = place.open(options());
    assert!((0..300).step_by(3).all(|i| !shows(&store, i)), "and after reopening");
    let hits = store.recall(&Query::new(points[0].clone()).k(2000)).unwrap().hits.len();
    assert_eq!(hits, 1450, "1500, less 100, and 50 successors");
    store.seal().unwrap();
    assert!((0..300).step_by(3).all(|i| !shows(&store, i) && !shows(&other, i)), "and after sealing");
    assert_sound(&store);
}
