//! A crowd of processes on one store: two writers that also seal, and eight readers at a steady pace. Undisturbed
//! nobody meets an error and nobody waits long; with any of them killed at any time nothing acknowledged is
//! lost and the others go on. `WISEN_ATTACK` sets the seconds.
#![allow(clippy::unwrap_used)]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wisen::{Error, Options, Query, Store, waits};
use wisen_tests::history::{self, DIM, Run, Twin, difference, observe};
use wisen_tests::stalls::Stalls;
use wisen_tests::{Place, assert_sound, child, vectors};

/// Seconds under `WISEN_ATTACK=ci`.
const SECONDS: u64 = 30;
const WRITERS: u64 = 2;
const READERS: u64 = 8;
/// After so many operations only what is stored is compared, see `history::stored`.
const LONG: u64 = 1500;
/// Between two recalls of a reader, and two operations of a writer.
const PACE: Duration = Duration::from_millis(50);
const REST: Duration = Duration::from_millis(5);

/// What a child keeps on file, so that it outlives it: operations done (a writer), calls, the longest call in
/// microseconds, errors, the longest waits (`wisen::waits`) for a lock of its own process and for the right to write, and its
/// longest transaction, then calls by the logarithm of their microseconds.
struct Log {
    file: File,
    words: [u64; HEAD + BINS],
}

const HEAD: usize = 7;

const BINS: usize = 24;

impl Log {
    fn path(store: &Path, number: u64) -> PathBuf {
        store.with_file_name(format!("log-{number}"))
    }

    fn open(store: &Path, number: u64) -> Self {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(Self::path(store, number)).unwrap();
        Self { file, words: Self::read(store, number) }
    }

    fn read(store: &Path, number: u64) -> [u64; HEAD + BINS] {
        let bytes = std::fs::read(Self::path(store, number)).unwrap_or_default();
        let mut words = [0; HEAD + BINS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().unwrap());
        }
        words
    }

    fn write(&self) {
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.file.write_all_at(&bytes, 0).unwrap();
    }

    fn took(&mut self, time: Duration) {
        let micros = time.as_micros() as u64;
        self.words[1] += 1;
        self.words[2] = self.words[2].max(micros);
        for (word, longest) in
            self.words[4..HEAD].iter_mut().zip([&waits::LOCK, &waits::WRITER, &waits::TRANSACTION])
        {
            *word = (*word).max(longest.get().as_micros() as u64);
        }
        self.words[HEAD + (64 - micros.leading_zeros() as usize).min(BINS - 1)] += 1;
    }
}

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let [seed, number, key]: [&str; 3] = part.text.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (seed, number) = (seed.parse().unwrap(), number.parse().unwrap());
    let mut log = Log::open(&part.store, part.number);
    let mut options = Options::new(DIM).threads(1).seal_at(100);
    if part.name == "read, never waiting" {
        // Whatever it would have to wait for in the database is an error.
        drop(Store::open(&part.store, options.clone()).unwrap());
        options = options.busy_timeout(Duration::ZERO);
    }
    let store = loop {
        match Store::open(&part.store, options.clone()) {
            // Opening may have to wait for another that opens: that is no recall.
            Err(Error::Busy { .. }) => std::thread::sleep(Duration::from_millis(1)),
            opened => break opened.unwrap(),
        }
    };
    if part.name == "write" {
        write(&store, &mut log, Run::resume(&store, seed, number, key).unwrap());
    } else {
        read(&store, &mut log, seed, number);
    }
}

fn write(store: &Store, log: &mut Log, mut run: Run) {
    child::say("ready");
    loop {
        let begun = Instant::now();
        if let Err(error) = run.step(store) {
            log.words[3] += 1;
            log.write();
            panic!("a writer: {error}");
        }
        log.took(begun.elapsed());
        log.words[0] = run.history.done();
        log.write();
        std::thread::sleep(REST);
    }
}

/// Asks for what the history of the seed `whose` has stored.
fn read(store: &Store, log: &mut Log, seed: u64, whose: u64) {
    let queries = vectors(seed, 64, DIM);
    let namespace = history::History::new(whose).namespace();
    child::say("ready");
    for i in 0.. {
        let query = Query::new(queries[i % 64].clone()).k(10).namespace(namespace.clone()).content(true);
        let begun = Instant::now();
        let recall = store.recall(&query);
        log.took(begun.elapsed());
        let sound = recall.as_ref().is_ok_and(|recall| {
            let unique: std::collections::BTreeSet<_> = recall.hits.iter().map(|hit| hit.id).collect();
            // What was forgotten while the recall was under way has no content any more.
            let whole = |hit: &wisen::Hit| {
                hit.content.is_some() || store.get(hit.id).is_ok_and(|record| record.is_none())
            };
            unique.len() == recall.hits.len() && recall.hits.iter().all(whole)
        });
        log.words[3] += u64::from(!sound);
        log.write();
        assert!(sound, "a reader: {recall:?}");
        std::thread::sleep(PACE.saturating_sub(begun.elapsed()));
    }
}

/// What the children have on file, in words, once it is found to be as promised.
fn account(store: &Path, name: &str, kills: bool, stalls: &Stalls) -> Vec<String> {
    let mut told = Vec::new();
    for (what, numbers) in [("writers", 0..WRITERS), ("readers", WRITERS..WRITERS + READERS)] {
        let logs: Vec<_> = numbers.map(|n| Log::read(store, n)).collect();
        let sum = |i: usize| logs.iter().map(|log| log[i]).sum::<u64>();
        let most = |i: usize| logs.iter().map(|log| log[i]).max().unwrap();
        let at_most = |share: f64| {
            let (mut seen, all) = (0, sum(1) as f64);
            let bin = (0..BINS).find(|bin| {
                seen += sum(HEAD + bin);
                seen as f64 >= share * all
            });
            (1_u64 << bin.unwrap_or(0)) as f64 / 1000.0
        };
        let millis = |i: usize| most(i) as f64 / 1000.0;
        told.push(format!(
            "{what}: {} calls, {} errors, half within {} ms, 99 in 100 within {} ms, the longest {} ms; waits for \
             locks of their own process at most {} ms, for the right to write {} ms, longest transaction {} ms",
            sum(1),
            sum(3),
            at_most(0.5),
            at_most(0.99),
            millis(2),
            millis(4),
            millis(5),
            millis(6),
        ));
        assert_eq!(sum(3), 0, "{name}: {what}");
        assert!(sum(1) > 0, "{what} were at work");
        let within = |wait: u64, bound: Duration| u128::from(wait) < stalls.allow(bound).as_micros();
        // A thread that holds a lock may be put aside by the machine, and whoever waits is with it.
        assert!(within(most(4), Duration::from_millis(5)), "{name}: {told:?}");
        if kills {
            // A dead process holds nobody up.
            assert!(within(most(2), Duration::from_secs(1)), "{name}: {told:?}");
        } else {
            // For the other's transaction, and the next look at whether it is over: SQLite looks ever more seldom.
            let bound = Duration::from_micros(2 * most(6)) + Duration::from_millis(100);
            assert!(within(most(5), bound), "{name}: {told:?}");
        }
    }
    told
}

/// A crowd at work for some time. With `kills`, one of them is killed every so often, and begins anew.
fn crowd(name: &str, kills: bool) {
    let seconds = history::size(SECONDS);
    let seed = history::seed(name);
    let mut rng = fastrand::Rng::with_seed(seed);
    let place = Place::new();
    let key = place.open(Options::new(DIM)).create_authority("owner").unwrap().secret.to_text();
    let seeds: Vec<u64> = (0..WRITERS).map(|w| (seed << 2) + w).collect();
    let mut twins: Vec<Twin> = seeds.iter().map(|seed| Twin::new(*seed).unwrap()).collect();
    let start = |number: u64, done: u64| {
        let mut child = if number < WRITERS {
            let text = format!("{} {done} {key}", seeds[number as usize]);
            child::start_with("write", &place.store(), number, &text)
        } else {
            let text = format!("{number} {} -", seeds[(number % WRITERS) as usize]);
            // Nobody is killed: no reader waits for anybody.
            let part = if kills { "read" } else { "read, never waiting" };
            child::start_with(part, &place.store(), number, &text)
        };
        assert_eq!(child.hear().as_deref(), Some("ready"), "{name}, seed {seed}: child {number} comes up");
        child
    };
    let mut children: Vec<Option<child::Running>> =
        (0..WRITERS + READERS).map(|n| Some(start(n, 0))).collect();
    // After how many operations each writer was begun, and the state of its namespace is known.
    let mut known = vec![0_u64; WRITERS as usize];
    let mut killed = 0;
    let check = |store: &Store, w: usize, twins: &mut Vec<Twin>, known: &mut Vec<u64>| {
        let acknowledged = Log::read(&place.store(), w as u64)[0].max(known[w]);
        twins[w].pass_to(acknowledged).unwrap();
        let words = observe(store, seeds[w]).unwrap();
        let mut found = twins[w].find(&words, acknowledged, acknowledged + 1).unwrap();
        if found.is_none() && acknowledged > LONG {
            let same = |at: &u64| history::stored(twins[w].at(*at).unwrap()) == history::stored(&words);
            found = (acknowledged..=acknowledged + 1).find(same);
        }
        let Some(at) = found else {
            let expected = twins[w].at(acknowledged).unwrap();
            panic!("{name}, seed {seed}, writer {w} after {acknowledged}: {}", difference(expected, &words));
        };
        known[w] = at;
        at
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let stalls = Stalls::watch(&place.at(""));
    let watcher = place.open(Options::existing());
    while Instant::now() < end {
        if !kills {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        }
        std::thread::sleep(Duration::from_micros(rng.u64(..60_000)));
        let n = rng.usize(..children.len());
        drop(children[n].take().map(child::Running::kill));
        killed += 1;
        let done = if n < WRITERS as usize { check(&watcher, n, &mut twins, &mut known) } else { 0 };
        children[n] = Some(start(n as u64, done));
    }
    for child in &mut children {
        drop(child.take().map(child::Running::kill));
    }
    drop(watcher);
    let store = place.open(Options::existing());
    for w in 0..WRITERS as usize {
        check(&store, w, &mut twins, &mut known);
    }
    assert_sound(&store);
    let told = account(&place.store(), &format!("{name}, seed {seed}"), kills, &stalls);
    let seals = wisen_tests::segment_files(&place.store()).len();
    println!(
        "{name}: {WRITERS} writers and {READERS} readers for {seconds} s, {killed} kills, 0 lost; {}",
        told.join("; ")
    );
    assert!(seals > 0 || seconds < 3, "they sealed");
}

#[test]
fn writers_and_readers_meet_no_errors() {
    crowd("crowd", false);
}

#[test]
fn writers_and_readers_killed_at_any_time_hold_nobody_up() {
    crowd("crowd, killed", true);
}
