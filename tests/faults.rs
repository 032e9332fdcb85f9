//! The operating system refuses: each call that changes or opens a file fails, one after another, once or
//! from then on, throughout a history of operations. The operation fails with a typed error and has not
//! happened, or it succeeds; nothing acknowledged is lost, and the same handle goes on as soon as the
//! system does. And it ends a process at each such call, as a kill does.
//! `WISEN_ATTACK` sets the number of operations, `WISEN_SEED` repeats a run.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

#[path = "shim/mod.rs"]
mod shim;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shim::Watch;
use wisen::{Durability, Error, ErrorCode, Memory, Options, Store};
use wisen_tests::history::{self, ALONE, DIM, Run, Twin, difference, observe};
use wisen_tests::stalls::Stalls;
use wisen_tests::{Place, assert_sound, child, fill, upkeep, vectors};

/// Operations of the history under `WISEN_ATTACK=ci`.
const OPERATIONS: u64 = 500;
/// No call may take longer, whatever fails.
const LONGEST: Duration = Duration::from_secs(1);

fn is_typed(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::Io | ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::Busy)
}

struct Siege {
    place: Place,
    options: Options,
    seed: u64,
    twin: Twin,
    store: Option<Store>,
    run: Run,
    counts: BTreeMap<String, u64>,
    longest: Duration,
    stalls: Stalls,
}

impl Siege {
    fn open(&self) -> Result<Store, Error> {
        Store::open(self.place.store(), self.options.clone())
    }

    fn new(place: Place, seed: u64, durability: Durability) -> Self {
        let options =
            Options::new(DIM).durability(durability).threads(1).busy_timeout(Duration::from_millis(200));
        let store = place.open(options.clone());
        let run = Run::begin(&store, seed).unwrap();
        let twin = Twin::new(seed).unwrap();
        Self {
            place,
            options,
            seed,
            twin,
            store: Some(store),
            run,
            counts: BTreeMap::new(),
            longest: Duration::ZERO,
            stalls: Stalls::watch(&std::env::temp_dir()),
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// The store stands after `done` operations, as the handle sees it.
    fn stands(&mut self, store: &Store, done: u64, what: &str) {
        let words = observe(store, self.seed).unwrap_or_else(|error| panic!("{what}: {error}"));
        let expected = self.twin.at(done).unwrap();
        assert!(words == expected, "{what}: {}", difference(expected, &words));
    }

    /// Does something again and again, each time with another call failing, until it comes through.
    /// `from`: how the system stood before it; `to`: how it stands afterwards.
    fn attack(
        &mut self,
        watch: &Watch,
        (name, stays, error): (&str, bool, i32),
        (from, to): (u64, u64),
        mut act: impl FnMut(&mut Self) -> Result<(), Error>,
    ) {
        for nth in 0.. {
            let what = format!(
                "seed {}, {name} after {from}, call {nth} fails {} with error {error}",
                self.seed,
                if stays { "and all later ones" } else { "once" },
            );
            watch.fail(shim::ALL, nth, stays, error);
            let begun = Instant::now();
            let result = act(self);
            self.longest = self.longest.max(begun.elapsed());
            let took = begun.elapsed();
            assert!(took < self.stalls.allow(LONGEST), "{what}: it took {took:?}");
            let failed = watch.heal() > 0;
            *self
                .counts
                .entry(format!("{name} {}", if result.is_ok() { "done" } else { "failed" }))
                .or_insert(0) += 1;
            match result {
                Ok(()) => {
                    if !failed || from != to {
                        return;
                    }
                }
                Err(error) => {
                    assert!(failed, "{what}: {error}");
                    assert!(is_typed(&error), "{what}: {error}");
                    if let Some(store) = self.store.take() {
                        self.stands(&store, from, &what);
                        self.store = Some(store);
                    }
                }
            }
            assert!(nth < 2000, "{what}: it never comes through");
        }
    }

    fn reopen(&mut self) {
        drop(self.store.take());
        self.store = Some(self.open().unwrap());
        let store = self.store.take().unwrap();
        self.run.look(&store).unwrap();
        self.store = Some(store);
    }
}

/// Every call in turn, throughout a history: once with an I/O error, or from then on with a full disk.
fn every_call_fails(stays: bool, error: i32, operations: u64, name: &str) {
    let seed = history::seed(name);
    let mut rng = fastrand::Rng::with_seed(seed);
    let place = Place::in_memory();
    let watch = Watch::new(place.at("").as_path());
    let durability = if stays { Durability::Normal } else { Durability::Full };
    let mut siege = Siege::new(place, seed >> 8 | ALONE, durability);
    let begun = Instant::now();
    for done in 0..operations {
        let op = siege.run.history.step();
        siege.attack(&watch, ("operation", stays, error), (done, done + 1), |siege| {
            let store = siege.store.take().unwrap();
            let result = siege.run.perform(&store, &op);
            siege.store = Some(store);
            result
        });
        let store = siege.store.take().unwrap();
        siege.stands(&store, done + 1, &format!("seed {seed}, after operation {done}"));
        siege.store = Some(store);
        if rng.u32(..8) == 0 {
            let (name, keep) = upkeep::upkeep(&mut rng);
            siege.attack(&watch, (name, stays, error), (done + 1, done + 1), |siege| keep(siege.store()));
            let found = siege.store().verify().unwrap();
            // A segment that could not be opened was not damaged.
            assert!(found.is_ok(), "seed {seed}, after {name}: {found:?}");
            upkeep::check_copies(siege.store()).unwrap();
        }
        if rng.u32(..12) == 0 {
            // Opening is attacked too.
            drop(siege.store.take());
            siege.attack(&watch, ("open", stays, error), (done + 1, done + 1), |siege| {
                let opened = siege.open()?;
                let seen = observe(&opened, siege.seed);
                drop(opened);
                seen.map(drop)
            });
            siege.reopen();
            let store = siege.store.take().unwrap();
            siege.stands(&store, done + 1, &format!("seed {seed}, reopened after {done}"));
            assert_sound(&store);
            siege.store = Some(store);
        }
    }
    println!(
        "{name}: {operations} operations, {} failures, 0 lost, the longest call took {:?}, in {:.0} s; {:?}",
        siege.counts.iter().filter(|(name, _)| name.ends_with("failed")).map(|(_, n)| n).sum::<u64>(),
        siege.longest,
        begun.elapsed().as_secs_f64(),
        siege.counts
    );
}

#[test]
fn every_call_fails_once() {
    every_call_fails(false, libc::EIO, history::size(OPERATIONS), "faults, once EIO");
}

#[test]
fn every_call_and_all_after_it_find_the_disk_full() {
    every_call_fails(true, libc::ENOSPC, history::size(OPERATIONS), "faults, from then on ENOSPC");
}

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let watch = Watch::new(&part.store);
    let store = Store::open(&part.store, Options::existing().threads(1)).unwrap();
    let (kinds, nth) = part.text.split_once(' ').unwrap();
    // The second one writes nothing before it seals.
    if part.number == 1 {
        store.remember(Memory::new("last", vectors(2, 1, DIM).remove(0))).unwrap();
    }
    child::say("ready");
    watch.fail(kinds.parse().unwrap(), nth.parse().unwrap(), false, 0);
    store.seal().unwrap();
    watch.heal();
    child::say("sealed");
}

/// A seal that dies at any call, followed by another that dies at any call, while a third process keeps
/// the store open: whatever the first had begun to publish must not come back when its file is gone.
#[test]
fn a_seal_that_dies_unsaid_does_not_come_back() {
    let begun = Instant::now();
    let (mut cases, mut dead) = (0_u64, 0_u64);
    'first: for first in 0.. {
        for second in (0..).step_by(if history::size(10) == 10 { 1 } else { 3 }) {
            let place = Place::new();
            let keeper = place.open(Options::new(DIM).threads(1));
            wisen_tests::fill(&keeper, &vectors(1, 12, DIM));
            let one =
                child::start_with("seal", &place.store(), 1, &format!("{} {first}", shim::SYNC)).ended();
            let two =
                child::start_with("seal", &place.store(), 2, &format!("{} {second}", shim::ALL)).ended();
            cases += 1;
            dead += u64::from(one.len() < 2) + u64::from(two.len() < 2);
            drop(keeper);
            let store = place.open(Options::existing());
            let found = store.verify().unwrap();
            assert!(found.is_ok(), "dead at sync {first}, then at call {second}: {found:?}");
            assert_eq!(store.count(None).unwrap(), 13);
            if one.len() == 2 {
                break 'first;
            }
            if two.len() == 2 {
                break;
            }
        }
    }
    println!(
        "seals: {dead} died in {cases} cases, none came back, in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    assert!(dead > 20);
}

/// That changes were lost is told although the disk is full when it is noticed.
#[test]
fn a_loss_is_told_once_there_is_room_to_note_it() {
    let place = Place::in_memory();
    let watch = Watch::new(&place.store());
    let store = place.open(Options::new(DIM));
    fill(&store, &vectors(1, 20, DIM));
    store.close().unwrap();
    std::fs::copy(place.store().join("memory.db"), place.at("older")).unwrap();
    let store = place.open(Options::existing());
    let lost = fill(&store, &vectors(2, 7, DIM));
    store.close().unwrap();
    drop(store);
    std::fs::copy(place.at("older"), place.store().join("memory.db")).unwrap();
    let mut failures = 0;
    for nth in 0.. {
        watch.fail(shim::WRITE, nth, true, libc::ENOSPC);
        let opened = Store::open(place.store(), Options::existing());
        if watch.heal() == 0 {
            opened.unwrap();
            break;
        }
        failures += u32::from(opened.is_err());
    }
    assert!(failures > 3, "{failures}");
    let store = place.open(Options::existing());
    let found = store.verify().unwrap().faults;
    assert!(found.iter().any(|fault| fault.starts_with("7 acknowledged changes")), "{found:?}");
    let new = fill(&store, &vectors(3, 10, DIM));
    assert!(new.iter().all(|id| !lost.contains(id)), "{new:?} {lost:?}");
}
