//! Kill -9 at any moment, a thousand times and more: what was acknowledged is there, and nothing that was
//! not asked for. `WISEN_ATTACK` sets the number of kills, `WISEN_SEED` repeats a run (as far as the
//! moments of the kills can be repeated).
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use wisen::{Options, Store};
use wisen_tests::history::{self, ALONE, DIM, Op, Run, Twin, difference, observe};
use wisen_tests::{Place, assert_sound, child, segment_files, upkeep};

/// Kills under `WISEN_ATTACK=ci`.
const KILLS: u64 = 1000;
/// Kills that one store lives through.
const LIVES: u64 = 25;
/// Operations between two looks for upkeep.
const BETWEEN: usize = 10;

/// What a child is at, in the order of their numbers in its phase file.
const PHASES: [&str; 10] =
    ["open", "write", "report", "rules", "seal", "merge", "checkpoint", "compact", "backup", "export"];

/// The first of them that is upkeep.
const FIRST_UPKEEP: usize = 4;
/// For how long some upkeep is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where a child says what it is at: a file, so that it outlives the kill, written without waiting.
struct Phase(File);

impl Phase {
    fn at(place: &Path, writer: u64) -> std::path::PathBuf {
        place.with_file_name(format!("phase-{writer}"))
    }

    fn enter(&self, phase: &str) {
        let number = PHASES.iter().position(|known| *known == phase).unwrap() as u8;
        self.0.write_all_at(&[number], 0).unwrap();
    }

    fn left_in(place: &Path, writer: u64) -> &'static str {
        let bytes = std::fs::read(Self::at(place, writer)).unwrap_or_default();
        PHASES[bytes.first().map_or(0, |byte| usize::from(*byte))]
    }
}

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let [seed, done, key]: [&str; 3] = part.text.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (seed, done) = (seed.parse().unwrap(), done.parse().unwrap());
    let writer = part.number;
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(Phase::at(&part.store, writer));
    let phase = Phase(file.unwrap());
    phase.enter("open");
    let options = Options::new(DIM).threads(1);
    // One of several writers seals in the background.
    let options = if part.name == "several" && writer == 1 { options.seal_at(24) } else { options };
    let store = Store::open(&part.store, options).unwrap();
    let registry = Connection::open_with_flags(
        part.store.join("memory.db"),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .unwrap();
    registry.busy_timeout(Duration::from_secs(5)).unwrap();
    let mut run = Run::resume(&store, seed, done, key).unwrap();
    let mut rng = fastrand::Rng::new();
    child::say("open");
    loop {
        for _ in 0..BETWEEN {
            let op = run.history.step();
            phase.enter(match op {
                Op::Report(..) | Op::Severe(_) => "report",
                Op::Fact(_) => "rules",
                _ if op.is_durable() => "rules",
                _ => "write",
            });
            run.perform(&store, &op).unwrap();
            child::say(run.history.done());
        }
        let (what, keep) = upkeep::upkeep(&mut rng);
        phase.enter(if what == "seal" && merges(&store, &registry) { "merge" } else { what });
        keep(&store).unwrap();
    }
}

/// Whether sealing now would take the last segment in: it is at most three times as large as what waits.
fn merges(store: &Store, registry: &Connection) -> bool {
    let last = registry.query_row("SELECT points FROM segments ORDER BY lo DESC LIMIT 1", [], |r| r.get(0));
    let waiting = store.stats().unwrap().unsealed as i64;
    last.is_ok_and(|points: i64| points <= 3 * waiting)
}

/// Kills `writers` children at a time, all of them or one of them first, and compares the store with
/// what they had been told, until `kills` are done. Returns the kills by phase.
fn besiege(part: &str, writers: u64, kills: u64, seed: u64) -> BTreeMap<&'static str, u64> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut phases = BTreeMap::new();
    let (begun, mut done_kills, mut operations) = (Instant::now(), 0, 0);
    while done_kills < kills {
        let place = Place::new();
        let alone = if writers == 1 { ALONE } else { 0 };
        let seeds: Vec<u64> = (0..writers).map(|_| rng.u64(..1 << 32) | alone).collect();
        let mut twins: Vec<Twin> = seeds.iter().map(|seed| Twin::new(*seed).unwrap()).collect();
        let mut done = vec![0_u64; writers as usize];
        let key = place.open(Options::new(DIM)).create_authority("owner").unwrap().secret;
        for life in 0..LIVES {
            let mut children: Vec<_> = (0..writers)
                .map(|w| {
                    let text = format!("{} {} {}", seeds[w as usize], done[w as usize], key.to_text());
                    child::start_with(part, &place.store(), w, &text)
                })
                .collect();
            for child in &mut children {
                assert_eq!(child.hear().as_deref(), Some("open"), "seed {seed}: a child opens the store");
            }
            // The others go on for a while without the first one.
            let mut told: Vec<Option<u64>> = vec![None; children.len()];
            let mut order: Vec<usize> = (0..children.len()).collect();
            rng.shuffle(&mut order);
            if rng.bool() {
                std::thread::sleep(Duration::from_micros(rng.u64(200..50_000)));
            } else {
                // Upkeep may be rare in so short a time, on a busy machine above all: it is waited for.
                let aim = PHASES[rng.usize(FIRST_UPKEEP..PHASES.len())];
                let end = Instant::now() + PATIENCE;
                while Phase::left_in(&place.store(), order[0] as u64) != aim && Instant::now() < end {
                    std::thread::sleep(Duration::from_micros(100));
                }
                std::thread::sleep(Duration::from_micros(rng.u64(..3_000)));
            }
            let mut left: Vec<Option<child::Running>> = children.into_iter().map(Some).collect();
            for w in order {
                let said = left[w].take().unwrap().kill();
                told[w] = said.iter().rev().find_map(|line| line.parse().ok());
                *phases.entry(Phase::left_in(&place.store(), w as u64)).or_insert(0) += 1;
                done_kills += 1;
                if rng.bool() {
                    std::thread::sleep(Duration::from_micros(rng.u64(..5_000)));
                }
            }
            let what = |w: usize| format!("seed {seed}, kill {done_kills}, life {life}, writer {w}");
            let store = Store::open(place.store(), Options::existing())
                .unwrap_or_else(|error| panic!("{}: the store does not open: {error}", what(0)));
            for (w, twin) in twins.iter_mut().enumerate() {
                let acknowledged = told[w].unwrap_or(done[w]).max(done[w]);
                operations += acknowledged - done[w];
                twin.pass_to(acknowledged).unwrap();
                let found = observe(&store, seeds[w]).unwrap();
                let Some(at) = twin.find(&found, acknowledged, acknowledged + 1).unwrap() else {
                    let expected = twin.at(acknowledged).unwrap();
                    panic!(
                        "{}: not what was acknowledged ({acknowledged} operations): {}",
                        what(w),
                        difference(expected, &found)
                    );
                };
                done[w] = at;
            }
            assert_sound(&store);
        }
        let store = place.open(Options::existing());
        store.resume("the end", Some(&key)).unwrap();
        store.remember(wisen::Memory::new("last", vec![1.0; DIM])).unwrap();
        store.seal().unwrap();
        let files = segment_files(&place.store()).len() as u64;
        assert_eq!(files, store.stats().unwrap().segments, "seed {seed}: no leftovers");
        upkeep::check_copies(&store).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_sound(&store);
    }
    println!(
        "{part}: {done_kills} kills after {operations} acknowledged operations, 0 lost, 0 unopenable, \
         in {:.0} s; by phase {phases:?}",
        begun.elapsed().as_secs_f64()
    );
    phases
}

/// At least one kill in twenty falls into each of the phases that change files.
fn all_phases(phases: &BTreeMap<&str, u64>) {
    let kills: u64 = phases.values().sum();
    if kills >= 90 {
        for phase in ["seal", "merge", "checkpoint"] {
            let count = phases.get(phase).copied().unwrap_or(0);
            assert!(count * 20 >= kills, "{count} of {kills} kills in {phase}: {phases:?}");
        }
    }
}

/// One writer that seals, merges and makes checkpoints.
#[test]
fn killed_anywhere_a_writer_loses_nothing() {
    let kills = history::size(KILLS) * 3 / 5;
    all_phases(&besiege("one", 1, kills, history::seed("kill, one writer")));
}

/// Three writers at once, killed one after another.
#[test]
fn killed_anywhere_several_writers_lose_nothing() {
    let kills = history::size(KILLS) * 2 / 5;
    besiege("several", 3, kills, history::seed("kill, three writers"));
}
