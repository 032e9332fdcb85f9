//! Compaction: smaller, nothing lost, whatever others do meanwhile.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use wisen::{ErrorCode, Memory, MemoryId, Options, Outcome, Query, Report, Store};
use wisen_tests::{Place, answers, assert_sound, child, fill, practise, segment_files, vectors};

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let store = Store::open(&part.store, Options::existing().seal_at(64)).unwrap();
    child::say("open");
    match part.name.as_str() {
        "write" => {
            for i in 0.. {
                let seed = part.number + i;
                let id =
                    store.remember(Memory::new(seed.to_string(), vectors(seed, 1, 16).remove(0))).unwrap();
                let recall = store.recall(&Query::new(vectors(seed, 1, 16).remove(0)).k(2)).unwrap();
                store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success).used(id)).unwrap();
                child::say(id);
            }
        }
        // Forgets and compacts until it is killed.
        "compact" => {
            for i in 0.. {
                let id = store.remember(Memory::new("x", vectors(part.number + i, 1, 16).remove(0))).unwrap();
                child::say(format!("kept {id}"));
                store.compact().unwrap();
                child::say("compacted");
            }
        }
        // Holds the right to seal, as a process at a long build does.
        "hold" => {
            let lock = std::fs::OpenOptions::new().write(true).open(part.store.join("seal.lock")).unwrap();
            lock.lock().unwrap();
            std::fs::write(part.store.join("seal.lock"), std::process::id().to_string()).unwrap();
            child::say(std::process::id());
            std::thread::sleep(Duration::from_mins(1));
        }
        other => panic!("no part {other}"),
    }
}

fn queries() -> Vec<Vec<f32>> {
    vectors(2, 12, 16)
}

/// What is dead goes, what lives answers as before, and handles that looked before go on.
#[test]
fn compaction_drops_what_is_dead_and_nothing_else() {
    let place = Place::new();
    let store = place.open(Options::new(16).seal_at(1_000_000));
    let reader = place.open(Options::existing());
    let old = place.open(Options::existing());
    let mut all = Vec::new();
    for part in vectors(1, 900, 16).chunks(300) {
        all.extend(fill(&store, part));
        practise(&store, &vectors(3, 100, 16));
        store.seal().unwrap();
        answers(&old, &queries(), 5);
    }
    for id in all.iter().step_by(2) {
        store.forget(*id).unwrap();
    }
    practise(&store, &vectors(4, 300, 16));
    let told = answers(&store, &queries(), 1000);
    assert!(answers(&reader, &queries(), 1000) == told, "before");
    store.flush().unwrap();
    let sizes = store.compact().unwrap();
    assert!(sizes.bytes_after < sizes.bytes_before * 3 / 4, "{sizes:?}");
    assert!(answers(&store, &queries(), 1000) == told, "again");
    assert!(answers(&reader, &queries(), 1000) == told, "a handle that was up to date");
    assert!(answers(&old, &queries(), 1000) == told, "a handle that was behind");
    let fresh = place.open(Options::existing());
    assert!(answers(&fresh, &queries(), 1000) == told, "a handle opened later");
    assert_eq!((segment_files(&place.store()).len(), store.stats().unwrap().unsealed), (1, 0));
    // Again there is nothing to do; then there is.
    let again = store.compact().unwrap();
    assert!(again.bytes_after.abs_diff(again.bytes_before) < 64 << 10, "{again:?}");
    practise(&old, &vectors(5, 40, 16));
    fill(&reader, &vectors(6, 40, 16));
    let told = answers(&store, &queries(), 1000);
    assert!(answers(&fresh, &queries(), 1000) == told, "again");
    // The index may be lost as ever.
    std::fs::remove_dir_all(place.store().join("segments")).unwrap();
    let late = place.open(Options::existing());
    assert!(answers(&late, &queries(), 1000) == told, "again");
    late.seal().unwrap();
    assert_eq!(late.stats().unwrap().unsealed, 0);
    // Sealing fits the calibrator anew.
    let told = answers(&late, &queries(), 1000);
    for store in [&store, &reader, &old, &fresh, &late] {
        assert!(answers(store, &queries(), 1000) == told, "again");
    }
    drop((store, reader, old, fresh));
    assert_sound(&place.open(Options::existing()));
    // In memory there is nothing on disk to make smaller.
    let heap = Store::open(":memory:", Options::new(16)).unwrap();
    fill(&heap, &vectors(1, 100, 16));
    heap.forget(MemoryId(3)).unwrap();
    assert_eq!(heap.compact().unwrap().bytes_before, 0);
    assert_sound(&heap);
}

/// A handle that is sealing can be asked to compact: it waits for itself, however long the index takes.
#[test]
fn compaction_waits_for_the_seal_of_its_own_handle() {
    let place = Place::new();
    let store = place.open(Options::new(256).threads(1).seal_at(3000).busy_timeout(Duration::from_millis(1)));
    // The last of them makes a seal due, in the background.
    fill(&store, &vectors(1, 3000, 256));
    std::thread::sleep(Duration::from_millis(30));
    store.compact().unwrap();
    let stats = store.stats().unwrap();
    assert_eq!((stats.unsealed, stats.segments), (0, 1));
    assert_sound(&store);
}

/// While another process writes, seals and reports, and this one reads: nothing is lost.
#[test]
fn compaction_goes_on_beside_writers() {
    let place = Place::new();
    let store = place.open(Options::new(16));
    fill(&store, &vectors(1, 200, 16));
    let mut writer = child::start("write", &place.store(), 1000);
    assert_eq!(writer.hear().as_deref(), Some("open"));
    let mut said = Vec::new();
    // It writes on beside each compaction: were it held up, this would wait for ever.
    for _ in 0..5 {
        (0..5).for_each(|_| said.extend(writer.hear()));
        store.compact().unwrap();
        answers(&store, &queries(), 5);
    }
    said.extend(writer.kill());
    for id in said.iter().filter_map(|id| id.parse().ok()) {
        assert!(store.get(MemoryId(id)).unwrap().is_some(), "{id}");
    }
    assert!(said.len() >= 25, "the writer went on: {}", said.len());
    assert_sound(&store);
    store.compact().unwrap();
    assert_sound(&store);
}

/// Killed at any moment, the store is sound, and what was acknowledged is there.
#[test]
fn killed_while_compacting_nothing_is_lost() {
    let seed = fastrand::u64(..1 << 40);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let place = Place::new();
    let store = place.open(Options::new(16));
    fill(&store, &vectors(1, 400, 16));
    practise(&store, &vectors(2, 100, 16));
    drop(store);
    let (mut kept, mut done) = (Vec::new(), 0);
    for kill in 0..24 {
        let mut child = child::start("compact", &place.store(), kill * 1000);
        assert_eq!(child.hear().as_deref(), Some("open"));
        std::thread::sleep(Duration::from_micros(rng.u64(200..60_000)));
        for line in child.kill() {
            match line.strip_prefix("kept ").map(str::parse) {
                Some(Ok(id)) => kept.push(MemoryId(id)),
                _ => done += 1,
            }
        }
        let store = place.open(Options::existing());
        assert!(kept.iter().all(|id| store.get(*id).unwrap().is_some()), "kill {kill}");
        assert!(store.count(None).unwrap() >= 400);
        assert_sound(&store);
    }
    println!("{} kept, {done} compactions went through", kept.len());
    let store = place.open(Options::existing());
    store.compact().unwrap();
    assert_eq!(segment_files(&place.store()).len(), 1, "no leftovers");
    assert_sound(&store);
}

/// Whoever seals is waited for with a bound; the error names that process; and one that dies holds
/// nobody up.
#[test]
fn a_process_that_seals_is_waited_for_and_named() {
    let place = Place::new();
    let store = place.open(Options::new(16).busy_timeout(Duration::from_millis(200)));
    fill(&store, &vectors(1, 50, 16));
    store.seal().unwrap();
    let mut holder = child::start("hold", &place.store(), 0);
    assert_eq!(holder.hear().as_deref(), Some("open"));
    let pid = holder.hear().unwrap();
    let begun = std::time::Instant::now();
    let busy = store.compact().unwrap_err();
    assert_eq!(busy.code(), ErrorCode::Busy);
    assert!(busy.to_string().contains(&format!("process {pid}")), "{busy}");
    // Far less than the minute for which it is held.
    assert!(begun.elapsed() >= Duration::from_millis(200) && begun.elapsed() < Duration::from_secs(30));
    // Everything else goes on.
    fill(&store, &vectors(3, 5, 16));
    answers(&store, &queries(), 5);
    holder.kill();
    store.compact().unwrap();
    assert_sound(&store);
}

/// Somebody who reads for long keeps a compaction waiting, and nobody else.
#[test]
fn compaction_behind_a_reader_stops_no_writer() {
    let place = Place::new();
    let store = place.open(Options::new(8).busy_timeout(Duration::from_secs(2)));
    fill(&store, &vectors(1, 200, 8));
    let other = place.open(Options::existing());
    let reader = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM memories").unwrap();
    std::thread::scope(|scope| {
        let compacted = scope.spawn(|| store.compact());
        let mut longest = Duration::ZERO;
        while !compacted.is_finished() {
            let begun = std::time::Instant::now();
            other.remember(Memory::new("x", [1.0; 8])).unwrap();
            longest = longest.max(begun.elapsed());
        }
        assert_eq!(compacted.join().unwrap().unwrap_err().code(), ErrorCode::Busy);
        assert!(longest < Duration::from_secs(1), "{longest:?}");
    });
    reader.execute_batch("ROLLBACK").unwrap();
    store.compact().unwrap();
}
