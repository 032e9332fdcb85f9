//! Several processes on one store: all see what any has told, and none waits for a dead one.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use wisen::{ErrorCode, Memory, MemoryId, Options, Outcome, Query, Report, Store, Update};
use wisen_tests::stalls::Stalls;
use wisen_tests::{Bits, Place, answers, assert_sound, bits, child, fill, practise, vectors};

fn encode(all: &[Bits]) -> String {
    format!("{all:?}")
}

fn queries() -> Vec<Vec<f32>> {
    vectors(2, 12, 16)
}

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let store = Store::open(&part.store, Options::existing()).unwrap();
    match part.name.as_str() {
        "answer" => child::say(encode(&answers(&store, &queries(), 10))),
        // Reports ten times, saying each; ends without closing.
        "report" => {
            practise(&store, &queries()[..10]);
            child::say("reported");
        }
        "remember ten" => {
            for i in 0..10 {
                let vector = vectors(100 + part.number * 10 + i, 1, 16).remove(0);
                child::say(store.remember(Memory::new(format!("{} {i}", part.number), vector)).unwrap());
            }
        }
        "fork" => fork(&store),
        // Writes large batches until it is stopped.
        "batches" => {
            child::say(std::process::id());
            for i in 0.. {
                fill(&store, &vectors(part.number + i, 3000, 16));
            }
        }
        "no files left" => no_files_left(&store, &part.store),
        "forks" => forks(&store, part.number),
        other => panic!("no part {other}"),
    }
}

/// A second process ranks by a report right after it was made, with the same scores to the last bit.
#[test]
fn a_report_is_visible_to_the_next_recall_of_any_process() {
    let place = Place::new();
    let store = place.open(Options::new(16));
    fill(&store, &vectors(1, 300, 16));
    let other = place.open(Options::existing());
    let silent = answers(&other, &queries(), 10);
    assert_eq!(child::run("answer", &place.store(), 0), [encode(&silent)]);
    for query in &queries() {
        let recall = store.recall(&Query::new(query.clone()).k(5)).unwrap();
        store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success).used(recall.hits[4].id)).unwrap();
        let here = store.recall(&Query::new(query.clone()).k(10)).unwrap();
        let there = other.recall(&Query::new(query.clone()).k(10)).unwrap();
        assert_eq!(bits(&here), bits(&there), "another handle");
        assert_eq!(here.hits[0].id, recall.hits[4].id);
    }
    let told = answers(&store, &queries(), 10);
    assert_ne!(told, silent);
    assert_eq!(child::run("answer", &place.store(), 0), [encode(&told)], "another process");

    child::run("report", &place.store(), 0);
    let after = answers(&store, &queries(), 10);
    assert_ne!(after, told, "what a process has reported that is gone by now");
    assert_eq!(answers(&other, &queries(), 10), after);
    assert_eq!(child::run("answer", &place.store(), 0), [encode(&after)]);
    assert_sound(&store);
}

/// Every kind of change is seen by a handle that has looked before.
#[test]
fn a_change_is_visible_to_handles_that_looked_before() {
    let place = Place::new();
    let (store, other) = (place.open(Options::new(16)), place.open(Options::existing()));
    let all = fill(&store, &vectors(1, 300, 16));
    let same = |what: &str| {
        assert_eq!(answers(&store, &queries(), 400), answers(&other, &queries(), 400), "{what}");
    };
    same("remembered");
    practise(&store, &queries());
    same("reported");
    store.update(all[3], Update::new().vector(queries()[0].clone())).unwrap();
    same("moved");
    other.forget(all[4]).unwrap();
    same("forgotten");
    store.remember(Memory::new("x", queries()[1].clone()).supersedes(all[5])).unwrap();
    same("superseded");
    other.seal().unwrap();
    same("sealed by the other");
    practise(&other, &vectors(9, 100, 16));
    for id in &all[10..60] {
        store.forget(*id).unwrap();
    }
    same("masked in the segment");
    store.seal().unwrap();
    same("sealed again");
    other.drop_namespace("default").unwrap();
    same("dropped");
    fill(&store, &vectors(1, 30, 16));
    same("created anew");
    assert_sound(&other);
}

/// Closing and opening changes no bit of any answer, sealed or not.
#[test]
fn reopening_changes_no_answer() {
    let place = Place::new();
    let store = place.open(Options::new(16).scan_below(0));
    fill(&store, &vectors(1, 900, 16));
    practise(&store, &vectors(3, 150, 16));
    let told = answers(&store, &queries(), 20);
    store.close().unwrap();
    drop(store);
    let store = place.open(Options::existing());
    assert_eq!(answers(&store, &queries(), 20), told, "not sealed");
    store.seal().unwrap();
    let sealed = answers(&store, &queries(), 20);
    drop(store);
    let store = place.open(Options::existing());
    assert_eq!(answers(&store, &queries(), 20), sealed, "sealed, and not closed");
    assert_eq!(child::run("answer", &place.store(), 0), [encode(&answers(&store, &queries(), 10))]);
    assert_sound(&store);
}

/// Four processes that write at once lose nothing and block nobody.
#[test]
fn processes_write_at_once() {
    let place = Place::new();
    drop(place.open(Options::new(16)));
    let writers: Vec<_> = (0..4).map(|n| child::start("remember ten", &place.store(), n)).collect();
    let said: Vec<String> = writers.into_iter().flat_map(child::Running::finish).collect();
    let ids: BTreeSet<MemoryId> = said.iter().map(|id| MemoryId(id.parse().unwrap())).collect();
    assert_eq!((said.len(), ids.len()), (40, 40), "each memory has an id of its own");
    let store = place.open(Options::existing());
    let found: BTreeSet<MemoryId> = store.iter(None).map(|record| record.unwrap().id).collect();
    assert_eq!(found, ids);
    for n in 0..4 {
        for i in 0..10 {
            let vector = vectors(100 + n * 10 + i, 1, 16).remove(0);
            let hit = store.recall(&Query::new(vector).k(1).content(true)).unwrap().hits.remove(0);
            assert_eq!(hit.content, Some(format!("{n} {i}")));
        }
    }
    assert_sound(&store);
}

/// Handles too short-lived to seal: what they leave adds up, is found, and opens fast.
#[test]
fn short_lived_handles_add_up() {
    let place = Place::new();
    let points = vectors(1, 2000, 16);
    let mut all = Vec::new();
    for ten in points.chunks(10) {
        // Not closed: dropped, as when a program ends.
        all.extend(fill(&place.open(Options::new(16).seal_at(500)), ten));
    }
    let stalls = Stalls::watch(&place.at(""));
    let start = Instant::now();
    let store = place.open(Options::existing());
    let opened = start.elapsed();
    assert!(opened < stalls.allow(Duration::from_secs(2)), "{opened:?}");
    for (id, point) in all.iter().zip(&points) {
        assert_eq!(store.recall(&Query::new(point.clone()).k(1).receipt(false)).unwrap().hits[0].id, *id);
    }
    store.close().unwrap();
    drop(store);
    let store = place.open(Options::existing().seal_at(500));
    store.close().unwrap();
    let store = place.open(Options::existing());
    assert!(store.stats().unwrap().unsealed < 500, "{:?}", store.stats());
    assert_sound(&store);
}

/// Exit codes of the forked child.
const FORKED: i32 = 40;
const NOT_FORKED: i32 = 41;

/// Forks with the handle open; the fork must be refused everything, and end well.
fn fork(store: &Store) {
    fill(store, &vectors(1, 10, 16));
    store.recall(&Query::new(queries().remove(0))).unwrap();
    // SAFETY: the child calls only what the test is about, and ends with `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let query = Query::new(queries().remove(0));
        let refused = [
            store.recall(&query).err(),
            store.remember(Memory::new("x", vec![1.0; 16])).err(),
            store.forget(MemoryId(1)).err(),
            store.seal().err(),
            store.flush().err(),
            store.stats().err(),
            store.verify().err(),
        ];
        let all = refused.iter().all(|error| error.as_ref().is_some_and(|e| e.code() == ErrorCode::Forked));
        let closed = store.close().is_ok();
        // SAFETY: ends this process at once, as a fork of a threaded program has to.
        unsafe { libc::_exit(if all && closed { FORKED } else { NOT_FORKED }) };
    }
    let mut status = 0;
    let end = Instant::now() + Duration::from_secs(20);
    // SAFETY: `pid` is the child just made, `status` is ours.
    while unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == 0 {
        if Instant::now() > end {
            // SAFETY: as above.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            child::say("hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child::say(libc::WEXITSTATUS(status));
    // The parent's handle works on.
    fill(store, &vectors(3, 1, 16));
    child::say(store.count(None).unwrap());
}

/// A handle used after fork answers Forked, and the parent's handle is none the worse for it.
#[test]
fn a_fork_is_refused() {
    let place = Place::new();
    drop(place.open(Options::new(16)));
    assert_eq!(child::run("fork", &place.store(), 0), [FORKED.to_string(), "11".to_owned()]);
    assert_sound(&place.open(Options::existing()));
}

/// A process that holds the write lock is waited for with a bound and named; once it is dead, nobody
/// waits for it.
#[test]
fn whoever_writes_is_waited_for_and_named() {
    let place = Place::new();
    drop(place.open(Options::new(16)));
    let mut writer = child::start("batches", &place.store(), 0);
    let pid: i32 = writer.hear().unwrap().parse().unwrap();
    let signal = |signal: i32| {
        // SAFETY: a signal to the child just made.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    };
    let bound = Duration::from_millis(150);
    let stalls = Stalls::watch(&place.at(""));
    let store = place.open(Options::existing().busy_timeout(bound));
    let write = || store.remember(Memory::new("x", vec![1.0; 16]));
    // Stopped in the middle of a transaction, sooner or later.
    let end = Instant::now() + Duration::from_mins(1);
    let (busy, waited) = loop {
        signal(libc::SIGSTOP);
        let begun = Instant::now();
        let result = write();
        let waited = begun.elapsed();
        if let Err(error) = result {
            break (error, waited);
        }
        assert!(Instant::now() < end, "the child never holds the lock");
        signal(libc::SIGCONT);
        std::thread::sleep(Duration::from_millis(3));
    };
    assert_eq!(busy.code(), ErrorCode::Busy, "{busy}");
    assert!(busy.to_string().contains(&format!("process {pid}")), "{busy}");
    assert!(waited >= bound && waited < stalls.allow(bound * 20), "{waited:?}");
    // A handle that would wait a minute, so that a slow machine is not taken for waiting.
    let reader = place.open(Options::existing().busy_timeout(Duration::from_mins(1)).read_only(true));
    let begun = Instant::now();
    reader.recall(&Query::new(vec![1.0; 16])).unwrap();
    store.recall(&Query::new(vec![1.0; 16])).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "readers do not wait");
    drop(reader);
    writer.kill();
    write().unwrap();
    assert_sound(&store);
}

/// Takes all file handles of this process; every call must answer with an error of the system or work.
fn no_files_left(store: &Store, path: &std::path::Path) {
    fill(store, &vectors(1, 50, 16));
    let limit = libc::rlimit { rlim_cur: 128, rlim_max: 128 };
    // SAFETY: a limit of this process, from a structure that lives until the call returns.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    let mut told = Vec::new();
    let mut note = |what: &str, code: Option<ErrorCode>| told.push(format!("{what} {code:?}"));
    let code = |error: Option<wisen::Error>| error.map(|error| error.code());
    note("remember", code(store.remember(Memory::new("x", vec![1.0; 16])).err()));
    note("recall", code(store.recall(&Query::new(queries().remove(0))).err()));
    note("seal", code(store.seal().err()));
    note("open", code(Store::open(path, Options::existing()).err()));
    note("backup", code(store.backup(path.with_extension("backup"), false).err()));
    note("export", code(store.export(path.with_extension("export"), false).err()));
    note("verify", code(store.verify().err()));
    drop(files);
    child::say(told.join(", "));
    let late = fill(store, &vectors(3, 10, 16));
    store.seal().unwrap();
    assert_sound(store);
    child::say(store.recall(&Query::new(vectors(3, 1, 16).remove(0)).k(1)).unwrap().hits[0].id == late[0]);
}

/// Without a file handle left, calls fail with an error of the system, and go on when there are some.
#[test]
fn no_file_handle_left_is_a_typed_error() {
    let place = Place::new();
    drop(place.open(Options::new(16)));
    let said = child::run("no files left", &place.store(), 0);
    let [told, goes_on] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(goes_on, "true");
    for (call, may) in [
        ("remember", "None"),
        ("recall", "None"),
        ("seal", "None"),
        ("verify", "None"),
        ("open", "Some(Io)"),
        ("backup", "Some(Io)"),
        ("export", "Some(Io)"),
    ] {
        let found = told.split(", ").find_map(|one| one.strip_prefix(&format!("{call} "))).unwrap();
        assert!(found == "Some(Io)" || found == may, "{call}: {told}");
    }
    assert!(!place.at("store.backup").exists() && !place.at("store.export").exists());
    assert_sound(&place.open(Options::existing()));
}
/// Forks again and again while other threads write, recall and seal, so that any lock may be held: the child
/// is refused at once, in the parent all goes on. Fifty forks under `WISEN_ATTACK=ci`.
#[test]
fn forks_amid_work_are_refused_at_once() {
    let place = Place::new();
    drop(place.open(Options::new(16)));
    let stalls = Stalls::watch(&place.at(""));
    let said = child::run("forks", &place.store(), wisen_tests::history::size(50));
    let begun: Vec<&str> = said[0].split(' ').collect();
    println!("forks: {} refused, the slowest after {} us", begun[0], begun[1]);
    assert_eq!(begun[0].parse::<u64>().unwrap(), wisen_tests::history::size(50));
    let bound = stalls.allow(Duration::from_secs(1));
    assert!(begun[1].parse::<u128>().unwrap() < bound.as_micros(), "{said:?}");
    assert_sound(&place.open(Options::existing()));
}

fn forks(store: &Store, count: u64) {
    fill(store, &vectors(1, 50, 16));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let is_over = || stop.load(std::sync::atomic::Ordering::SeqCst);
    let (mut refused, mut slowest) = (0_u64, Duration::ZERO);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut seed = 2;
            while !is_over() {
                fill(store, &vectors(seed, 3, 16));
                seed += 1;
            }
        });
        scope.spawn(|| {
            while !is_over() {
                store.recall(&Query::new(queries().remove(0))).unwrap();
            }
        });
        scope.spawn(|| {
            while !is_over() {
                store.seal().unwrap();
            }
        });
        for i in 0..count {
            std::thread::sleep(Duration::from_micros(fastrand::u64(..5_000)));
            let begun = Instant::now();
            // SAFETY: the child calls only what the test is about, with what it has, and ends with `_exit`.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                let refused = match i % 4 {
                    0 => store.count(None).is_err(),
                    1 => store.forget(MemoryId(1)).is_err(),
                    2 => store.seal().is_err(),
                    _ => store.close().is_ok() && store.flush().is_err(),
                };
                // SAFETY: ends this process at once, as a fork of a threaded program has to.
                unsafe { libc::_exit(if refused { FORKED } else { NOT_FORKED }) };
            }
            let mut status = 0;
            let mut gone = false;
            while !gone && begun.elapsed() < Duration::from_secs(5) {
                // SAFETY: `pid` is the child just made, `status` is ours.
                gone = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } != 0;
                std::thread::sleep(Duration::from_micros(100));
            }
            if !gone {
                // SAFETY: as above.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
            slowest = slowest.max(begun.elapsed());
            refused += u64::from(gone && libc::WEXITSTATUS(status) == FORKED);
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    child::say(format!("{refused} {}", slowest.as_micros()));
}
