//! Halting: every call of any process that begins afterwards obeys, until somebody who may do so resumes.
#![allow(clippy::unwrap_used)]

use std::io::{Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use wisen::{
    Action, Answer, ErrorCode, HaltLevel, Memory, MemoryId, Options, Outcome, Policy, Query, Report, Store,
    Triggers, Update,
};
use wisen_tests::{Place, assert_sound, child, fill, vectors};

const DIM: usize = 8;

/// Whether the store refuses each kind of call: reads, recalls, writes.
fn refused(store: &Store) -> [bool; 3] {
    let is_halt = |error: wisen::Error| {
        assert_eq!(error.code(), ErrorCode::Halted, "{error}");
        true
    };
    let told = |result: wisen::Result<()>| result.is_err_and(is_halt);
    let query = Query::new(vectors(3, 1, DIM).remove(0));
    let reads = [
        told(store.get(MemoryId(1)).map(drop)),
        told(store.page(None, MemoryId(0), 1).map(drop)),
        told(store.namespaces().map(drop)),
        told(store.policy("default").map(drop)),
    ];
    let writes = [
        told(store.remember(Memory::new("x", [1.0; DIM])).map(drop)),
        told(store.update(MemoryId(1), Update::new().content("y"))),
        told(store.report(&Report::on_memory(MemoryId(1), Outcome::Success)).map(drop)),
        told(store.pin(MemoryId(2))),
        told(store.set_policy("default", Policy::default())),
        // That an authority is asked for is no halt.
        told(match store.register("ann", None) {
            Err(error) if error.code() == ErrorCode::Unauthorised => Ok(()),
            other => other.map(drop),
        }),
        told(store.forget(MemoryId(40)).map(drop)),
        told(store.distil("default", 1e9).map(drop)),
    ];
    for all in [&reads[..], &writes[..]] {
        assert!(all.iter().all(|refused| *refused == all[0]), "{reads:?} {writes:?}");
    }
    [reads[0], told(store.recall(&query).map(drop)), writes[0]]
}

/// Each level forbids what it says; halts add up; what tells how the store stands is always told.
#[test]
fn a_halt_forbids_what_its_level_says() {
    let place = Place::new();
    let store = place.open(Options::new(DIM));
    fill(&store, &vectors(1, 100, DIM));
    assert_eq!((refused(&store), store.halted().unwrap()), ([false; 3], None));
    for (level, expected) in [
        (HaltLevel::NoWrites, [false, false, true]),
        (HaltLevel::NoRecalls, [false, true, false]),
        (HaltLevel::NoMemory, [false, true, true]),
        (HaltLevel::DenyAll, [true, true, true]),
    ] {
        let halt = store.halt("a drill", level).unwrap();
        assert_eq!((halt.level, halt.reason.as_str(), halt.by.as_str()), (level, "a drill", "owner"));
        assert!(halt.recorded);
        assert_eq!(refused(&store), expected, "{level:?}");
        assert_eq!(store.halted().unwrap(), Some(halt));
        assert!(store.stats().unwrap().memories >= 100);
        assert!(store.audit_verify(None).unwrap().is_ok() && store.verify().unwrap().is_ok());
        assert!(store.anchor().is_ok() && store.audit_entries(0, 1).is_ok() && store.flush().is_ok());
        assert!(store.resume("over", None).unwrap());
        assert!(!store.resume("again", None).unwrap());
        assert_eq!(store.halted().unwrap(), None);
        assert_eq!(refused(&store), [false; 3]);
    }
    store.halt("first", HaltLevel::NoWrites).unwrap();
    store.halt("second", HaltLevel::NoRecalls).unwrap();
    let halt = store.halt("third", HaltLevel::NoWrites).unwrap();
    assert_eq!((halt.level, halt.reason.as_str()), (HaltLevel::NoMemory, "third"));
    let error = store.remember(Memory::new("x", [1.0; DIM])).unwrap_err().to_string();
    for part in ["no_memory", "third", "owner", "UTC", "resume"] {
        assert!(error.contains(part), "{error}");
    }
    let ops: Vec<String> = wisen_tests::decisions(&store, 0, 100).into_iter().map(|e| e.op).collect();
    assert_eq!(ops.iter().filter(|op| *op == "halt").count(), 7);
    assert_eq!(ops.iter().filter(|op| *op == "resume").count(), 4);
    for reason in ["", "  ", &"x".repeat(5000)] {
        assert_eq!(store.halt(reason, HaltLevel::NoWrites).unwrap_err().code(), ErrorCode::InvalidArgument);
    }
    store.close().unwrap();
}

/// Four threads of this process recall and write; another process halts. Once its call has returned, no call
/// begins here that succeeds.
#[test]
fn every_call_that_begins_after_a_halt_obeys() {
    for round in 0..4 {
        let place = Place::new();
        let store = place.open(Options::new(DIM));
        fill(&store, &vectors(1, 500, DIM));
        let (halted, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        let (before, late) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (store, halted, stop, before, late) = (&store, &halted, &stop, &before, &late);
                scope.spawn(move || {
                    let query = Query::new(vectors(thread, 1, DIM).remove(0));
                    while !stop.load(Ordering::Acquire) {
                        // Seen before the call begins: the halt has returned.
                        let after = halted.load(Ordering::Acquire);
                        let recalled = store.recall(&query).is_ok();
                        if after {
                            late.fetch_add(u64::from(recalled), Ordering::Relaxed);
                        } else {
                            before.fetch_add(u64::from(recalled), Ordering::Relaxed);
                        }
                    }
                });
            }
            while before.load(Ordering::Relaxed) < 50 {
                std::thread::yield_now();
            }
            let mut other = child::start("halt", &place.store(), round);
            assert_eq!(other.hear().unwrap(), "halted");
            halted.store(true, Ordering::Release);
            let written = store.remember(Memory::new("late", [1.0; DIM])).is_ok();
            late.fetch_add(u64::from(written), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(100));
            stop.store(true, Ordering::Release);
            other.finish();
        });
        assert_eq!(late.load(Ordering::Relaxed), 0, "calls that began after the halt");
        assert_eq!(store.halted().unwrap().unwrap().reason, "by another process");
        assert_eq!(refused(&store), [true; 3]);
    }
}

/// A halt outlives the processes; without the control file, or with a damaged one, the row halts, and without
/// the row the control file does.
#[test]
fn a_halt_survives_restarts_and_the_loss_of_either_half() {
    let place = Place::new();
    let store = place.open(Options::new(DIM));
    fill(&store, &vectors(1, 50, DIM));
    store.halt("until it is understood", HaltLevel::DenyAll).unwrap();
    store.close().unwrap();
    let control = place.store().join("control");
    let open_halted = |why: &str| {
        for options in [Options::existing(), Options::existing().read_only(true)] {
            let store = place.open(options);
            let halt = store.halted().unwrap().unwrap_or_else(|| panic!("{why}: it is not halted"));
            assert_eq!(halt.level, HaltLevel::DenyAll, "{why}");
            let query = Query::new(vectors(3, 1, DIM).remove(0));
            assert_eq!(store.recall(&query).unwrap_err().code(), ErrorCode::Halted, "{why}");
            store.close().unwrap();
        }
    };
    open_halted("a restart");
    std::fs::remove_file(&control).unwrap();
    open_halted("the control file is gone");
    std::fs::write(&control, [0_u8; 512]).unwrap();
    open_halted("the control file is zeros");
    let sql = |text: &str| {
        let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
        conn.execute_batch(text).unwrap();
    };
    open_halted("before the row is touched");
    sql("UPDATE guard SET level = 0");
    open_halted("the row was edited");
    std::fs::write(&control, [0_u8; 512]).unwrap();
    open_halted("the row was edited, and the control file is zeros");
    let store = place.open(Options::existing());
    assert!(!store.verify().unwrap().is_ok(), "the edited row is a fault");
    assert!(store.resume("it is understood", None).unwrap());
    assert_sound(&store);
    store.halt("again", HaltLevel::DenyAll).unwrap();
    store.close().unwrap();
    sql("DELETE FROM guard");
    open_halted("the row is gone, the control file is not");
    let store = place.open(Options::existing());
    assert!(store.resume("it is over", None).unwrap());
    assert_eq!(refused(&store), [false; 3]);
    store.close().unwrap();
    let store = place.open(Options::existing());
    assert_eq!(store.halted().unwrap(), None, "a resumption survives too");
    assert_sound(&store);
}

/// Whoever halts and resumes at once: a halt that has returned holds.
#[test]
fn a_resumption_does_not_swallow_a_later_halt() {
    let place = Place::new();
    let (one, two) = (place.open(Options::new(DIM)), place.open(Options::existing()));
    for round in 0..100 {
        one.halt("first", HaltLevel::NoWrites).unwrap();
        let late = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                two.halt("second", HaltLevel::NoRecalls).unwrap();
                late.store(true, Ordering::Release);
            });
            scope.spawn(|| {
                // Begun after the second halt had returned, it may end both; otherwise that one stays.
                if !late.load(Ordering::Acquire) {
                    let _ = one.resume("over", None);
                    if round % 2 == 0 {
                        std::thread::yield_now();
                    }
                }
            });
        });
        let row = one.halted().unwrap();
        if let Some(halt) = &row {
            assert!(one.recall(&Query::new([1.0; DIM])).is_err(), "{halt:?}");
        }
        let entries = wisen_tests::decisions(&one, 0, usize::MAX);
        let last = entries.last().unwrap();
        // In the order of the log: whatever came last in it is how the store stands.
        assert_eq!(last.op == "halt", row.is_some(), "round {round}: {last:?} {row:?}");
        one.resume("for the next round", None).unwrap();
    }
    assert_eq!(one.halted().unwrap(), None);
    assert_sound(&one);
}

/// A reader cannot halt, but obeys.
#[test]
fn a_read_only_handle_obeys() {
    let place = Place::new();
    let store = place.open(Options::new(DIM));
    fill(&store, &vectors(1, 50, DIM));
    let reader = place.open(Options::existing().read_only(true));
    assert_eq!(reader.halt("x", HaltLevel::DenyAll).unwrap_err().code(), ErrorCode::ReadOnly);
    assert!(reader.recall(&Query::new([1.0; DIM])).is_ok());
    store.halt("for all", HaltLevel::NoRecalls).unwrap();
    assert_eq!(reader.recall(&Query::new([1.0; DIM])).unwrap_err().code(), ErrorCode::Halted);
    assert_eq!(reader.halted().unwrap().unwrap().reason, "for all");
    store.resume("over", None).unwrap();
    assert!(reader.recall(&Query::new([1.0; DIM])).is_ok());
}

/// A halt that the control file has lost, or the row cannot tell any more, holds for a read-only handle until a writer
/// ends it: the next call sees that, whichever it is, and all that comes later.
#[test]
fn a_reader_that_halts_by_the_row_hears_on() {
    let edits = ["UPDATE guard SET level = level", "UPDATE guard SET level = 0"];
    for (round, edit) in (0..3).flat_map(|round| edits.map(|edit| (round, edit))) {
        let place = Place::new();
        let read_only = || place.open(Options::existing().read_only(true));
        let store = place.open(Options::new(DIM));
        fill(&store, &vectors(1, 50, DIM));
        let early = read_only();
        assert_eq!(early.check(&Action::new("ls")).unwrap().answer, Answer::Allow);
        store.halt("for all", HaltLevel::DenyAll).unwrap();
        store.close().unwrap();
        drop(store);
        let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
        conn.execute_batch(edit).unwrap();
        drop(conn);
        let mut control = std::fs::File::options().write(true).open(place.store().join("control")).unwrap();
        control.seek(SeekFrom::Start(48)).unwrap();
        control.write_all(&[0; 8]).unwrap();
        drop(control);

        let mut readers = vec![read_only()];
        if edit == edits[0] {
            // Reads the rules again, and the row with them.
            let _ = early.check(&Action::new("ls"));
            readers.push(early);
        }
        let query = Query::new([0.25; DIM]).k(1).receipt(false);
        let code = |reader: &Store| reader.recall(&query).map(drop).map_err(|error| error.code());
        for reader in &readers {
            assert_eq!(reader.halted().unwrap().unwrap().level, HaltLevel::DenyAll);
            assert_eq!(code(reader), Err(ErrorCode::Halted));
            assert_eq!(reader.check(&Action::new("ls")).unwrap().answer, Answer::Deny);
        }
        let store = place.open(Options::existing());
        for reader in &readers {
            assert_eq!(code(reader), Err(ErrorCode::Halted), "as long as nobody resumes");
        }
        assert!(store.resume("over", None).unwrap());
        for reader in &readers {
            match round {
                0 => assert_eq!(reader.halted().unwrap(), None),
                1 => assert_eq!(reader.check(&Action::new("ls")).unwrap().answer, Answer::Allow),
                _ => assert_eq!(code(reader), Ok(())),
            }
            assert_eq!(code(reader), Ok(()));
            assert_eq!((reader.count(None).unwrap(), reader.halted().unwrap()), (50, None));
        }
        let id = store.remember(Memory::new("new", [0.25; DIM])).unwrap();
        for reader in &readers {
            assert_eq!(reader.recall(&query).unwrap().hits[0].id, id);
        }
        for _ in 0..2 {
            store.halt("again", HaltLevel::NoRecalls).unwrap();
            for reader in &readers {
                assert_eq!(code(reader), Err(ErrorCode::Halted));
            }
            store.resume("over", None).unwrap();
            for reader in &readers {
                assert_eq!(code(reader), Ok(()));
            }
        }
    }
}

/// In a store that has an authority only a valid key resumes; a resumption that was put into the database by
/// other means is none.
#[test]
fn an_authority_alone_resumes() {
    let place = Place::new();
    let store = place.open(Options::new(DIM));
    fill(&store, &vectors(1, 20, DIM));
    store.halt("before there is an authority", HaltLevel::NoWrites).unwrap();
    assert!(store.resume("anybody may", None).unwrap());
    let keys = store.create_authority("ann").unwrap();
    let stranger = wisen::SecretKey::generate().unwrap();
    store.halt("for a reason", HaltLevel::DenyAll).unwrap();
    for key in [None, Some(&stranger), Some(&keys.recovery)] {
        assert_eq!(store.resume("please", key).unwrap_err().code(), ErrorCode::Unauthorised);
        assert_eq!(refused(&store), [true; 3]);
    }
    assert!(store.resume("it is safe", Some(&keys.secret)).unwrap());
    assert_eq!(refused(&store), [false; 3]);
    let entries = wisen_tests::decisions(&store, 0, 100);
    let entry = entries.iter().rfind(|entry| entry.op == "resume").unwrap();
    assert_eq!((entry.op.as_str(), entry.actor.as_str()), ("resume", "authority:ann"));
    assert!(entry.detail["signature"].is_string());
    let level = store.set_audit_level(wisen::AuditLevel::Decisions, None);
    assert_eq!(level.unwrap_err().code(), ErrorCode::Unauthorised);
    store.close().unwrap();
    let store = place.open(Options::existing());
    assert_eq!(store.halted().unwrap(), None, "a signed resumption stands");
    store.halt("once more", HaltLevel::DenyAll).unwrap();
    store.close().unwrap();

    // By hand: the row of the earlier, signed resumption is put back, its checksum and all, and the control
    // file loses its halt.
    let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
    conn.execute_batch("DELETE FROM guard").unwrap();
    drop(conn);
    let mut control = std::fs::read(place.store().join("control")).unwrap();
    control[48..56].fill(0);
    std::fs::write(place.store().join("control"), &control).unwrap();
    let store = place.open(Options::existing());
    assert_eq!(refused(&store), [true; 3], "the audit knows of the halt");
    assert!(store.resume("it is safe", Some(&keys.secret)).unwrap());
    store.halt("and again", HaltLevel::DenyAll).unwrap();
    store.close().unwrap();

    // Also with an unsigned resumption in the audit, and a row that fits it.
    let open = || place.open(Options::existing());
    let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
    let unsigned = "UPDATE guard SET level = 0, cleared = halts, resumed_at = since + 1, by = 'owner'";
    conn.execute_batch(unsigned).unwrap();
    conn.execute_batch("UPDATE audit SET op = 'resume' WHERE id = (SELECT max(id) FROM audit)").unwrap();
    right_checksum(&conn);
    drop(conn);
    std::fs::write(place.store().join("control"), &control).unwrap();
    assert_eq!(refused(&open()), [true; 3], "nobody has signed");
    assert!(open().resume("it is safe", Some(&keys.secret)).unwrap());
    assert_eq!(refused(&open()), [false; 3]);
}

/// What the owner has set halts the store by itself: failures in a row, and what was spent within an hour. Names
/// that nobody has proven pull no trigger.
#[test]
fn triggers_halt() {
    let clock = std::sync::Arc::new(wisen::ManualClock::at(1_700_000_000_000_000));
    let place = Place::new();
    let store = place.open(Options::new(DIM).clock(clock.clone()));
    fill(&store, &vectors(1, 20, DIM));
    let other = place.open(Options::existing().clock(clock.clone()));
    let triggers = Triggers::new().failures_in_a_row(4).spend_per_hour_micros(1000);
    store.set_triggers(triggers.level(HaltLevel::NoMemory), None).unwrap();
    assert_eq!(other.triggers().unwrap(), triggers.level(HaltLevel::NoMemory));
    let tell = |store: &Store, outcome, report: fn(Report) -> Report| {
        clock.advance(Duration::from_secs(1));
        store.report(&report(Report::on_memory(MemoryId(1), outcome))).map(drop)
    };
    for _ in 0..3 {
        tell(&store, Outcome::Failure, |report| report).unwrap();
    }
    tell(&other, Outcome::Success, |report| report).unwrap();
    for _ in 0..20 {
        tell(&store, Outcome::Failure, |report| report.reporter("anybody").cost_micros(1_000_000)).unwrap();
    }
    assert_eq!(store.halted().unwrap(), None);
    for (at, store) in [&store, &other, &other, &store].into_iter().enumerate() {
        assert_eq!(store.halted().unwrap(), None, "{at}");
        tell(store, Outcome::Failure, |report| report).unwrap();
    }
    let halt = other.halted().unwrap().unwrap();
    assert_eq!((halt.level, halt.by.as_str()), (HaltLevel::NoMemory, "engine"));
    assert!(halt.reason.contains("4 failures"), "{halt:?}");
    assert_eq!(tell(&other, Outcome::Success, |report| report).unwrap_err().code(), ErrorCode::Halted);
    store.resume("looked at", None).unwrap();
    tell(&store, Outcome::Failure, |report| report).unwrap();
    assert_eq!(store.halted().unwrap(), None, "it begins anew");

    let spend = |store: &Store| tell(store, Outcome::Success, |report| report.cost_micros(400)).unwrap();
    spend(&store);
    spend(&other);
    clock.advance(Duration::from_mins(61));
    spend(&store);
    spend(&other);
    assert_eq!(store.halted().unwrap(), None, "the first two are longer ago than an hour");
    spend(&other);
    let halt = store.halted().unwrap().unwrap();
    assert!(halt.reason.contains("1200 millionths"), "{halt:?}");
    store.resume("paid", None).unwrap();
    assert_sound(&store);
    let keys = store.create_authority("ann").unwrap();
    assert_eq!(store.set_triggers(triggers, None).unwrap_err().code(), ErrorCode::Unauthorised);
    store.set_triggers(triggers.repeats(9), Some(&keys.secret)).unwrap();
    assert_eq!(other.triggers().unwrap().repeats, 9);
    let wrong = store.set_triggers(triggers.spend_per_hour_micros(-1), Some(&keys.secret));
    assert_eq!(wrong.unwrap_err().code(), ErrorCode::InvalidArgument);
    store.close().unwrap();
    drop(other);
    // Turned off by hand, with a sound checksum: that is a fault.
    let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
    conn.execute_batch("UPDATE guard SET triggers = replace(triggers, '\"repeats\":9', '\"repeats\":0')")
        .unwrap();
    right_checksum(&conn);
    drop(conn);
    let store = place.open(Options::existing());
    assert_eq!(store.triggers().unwrap_err().code(), ErrorCode::Corrupt);
    assert!(!store.verify().unwrap().is_ok());
}

/// Sets the checksum of the guard row right, as anybody can who has read how it is made.
fn right_checksum(conn: &rusqlite::Connection) {
    let mut sum = xxhash_rust::xxh3::Xxh3::new();
    sum.update(b"guard");
    let columns = "level, since, by, reason, halts, cleared, settled, resumed_at, audit, triggers";
    conn.query_row(&format!("SELECT {columns} FROM guard"), [], |row| {
        for at in 0..10 {
            use rusqlite::types::ValueRef;
            match row.get_ref(at)? {
                ValueRef::Integer(n) => {
                    sum.update(b"i");
                    sum.update(&n.to_le_bytes());
                }
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                    sum.update(b"b");
                    sum.update(&(bytes.len() as u64).to_le_bytes());
                    sum.update(bytes);
                }
                _ => sum.update(b"n"),
            }
        }
        Ok(())
    })
    .unwrap();
    conn.execute("UPDATE guard SET checksum = ?1", [sum.digest().cast_signed()]).unwrap();
}

/// What is denied too often, and what is done again and again, halts through `check`: in every handle's next call.
#[test]
fn denials_and_repeats_halt_through_checks() {
    for denied in [true, false] {
        let place = Place::new();
        let (store, other) = (place.open(Options::new(DIM)), place.open(Options::new(DIM)));
        let keys = store.create_authority("ops").unwrap();
        let rule = wisen::Directive::parse("NEVER \"r\" because \"x\" when tool is \"rm\"").unwrap();
        store.add_directive(&keys.secret, &rule).unwrap();
        let triggers = Triggers::new().level(HaltLevel::DenyAll);
        let triggers = if denied { triggers.denials_per_minute(5) } else { triggers.repeats(5) };
        store.set_triggers(triggers, Some(&keys.secret)).unwrap();
        let check = |store: &Store, i: usize| {
            let action = Action::new(if denied { "rm" } else { "ls" });
            // Denials count whatever is denied; repeats only of the same action.
            store.check(&if denied { action.text(format!("{i}")) } else { action }).unwrap().answer
        };
        let expected = if denied { Answer::Deny } else { Answer::Allow };
        for i in 0..4 {
            assert_eq!(check(&store, i), expected);
        }
        // Others in between are other actions.
        assert_eq!(store.check(&Action::new("ls").tag("other")).unwrap().answer, Answer::Allow);
        store.flush().unwrap();
        assert_eq!(other.halted().unwrap(), None);
        for i in 0..5 {
            check(&store, i);
        }
        store.flush().unwrap();
        let halt = other.halted().unwrap().expect("too much of it");
        assert_eq!((halt.level, halt.by.as_str()), (HaltLevel::DenyAll, "engine"), "{halt:?}");
        assert_eq!(check(&other, 9), Answer::Deny);
        assert!(store.verify_quick().unwrap().is_ok() && !store.authorities().unwrap().is_empty());
        assert!(store.audit_level().is_ok());
    }
}

#[test]
fn child() {
    if let Some(part) = child::part() {
        let store = Store::open(&part.store, Options::existing()).unwrap();
        store.halt("by another process", HaltLevel::DenyAll).unwrap();
        child::say("halted");
        store.close().unwrap();
    }
}

/// Opening beside halts and resumptions neither brings an ended halt back nor spoils a resumption.
#[test]
fn opening_beside_a_resumption_halts_nothing() {
    let place = Place::new();
    let store = place.open(Options::new(DIM));
    let key = store.create_authority("owner").unwrap().secret;
    let (done, opened) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(place.open(Options::existing()));
                    opened.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 0..100 {
                store.halt("a drill", HaltLevel::NoWrites).unwrap();
                assert!(store.resume("over", Some(&key)).unwrap(), "round {round}");
                // Whoever was opening meanwhile has opened.
                let seen = opened.load(Ordering::Relaxed);
                while opened.load(Ordering::Relaxed) < seen + 3 {
                    std::thread::yield_now();
                }
                assert_eq!(store.halted().unwrap(), None, "round {round}");
            }
        }));
        done.store(true, Ordering::Relaxed);
        again.unwrap();
    });
    let halts = store.audit_entries(0, usize::MAX).unwrap().into_iter().filter(|entry| entry.op == "halt");
    assert_eq!(halts.count(), 100);
}
