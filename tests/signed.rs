//! What guards a store, and who is registered in it, is believed only as an authority signed it: what somebody
//! tries who can write the files and has no key.
#![allow(clippy::unwrap_used, reason = "tests")]

mod forge;

use std::path::Path;

use rusqlite::Connection;
use serde_json::json;
use wisen::{
    Action, Answer, AuditLevel, Error, ErrorCode, HaltLevel, Memory, MemoryId, Options, Outcome, Query,
    Report, SecretKey, Store, Triggers,
};
use wisen_tests::{Place, assert_sound};

fn open(place: &Place) -> Store {
    place.open(Options::existing())
}

fn triggers(failures: u32) -> Triggers {
    Triggers::new().failures_in_a_row(failures).level(HaltLevel::NoMemory)
}

fn memory() -> Memory {
    Memory::new("x", [1.0, 0.0])
}

/// A store with a memory, an authority, and triggers that it has signed.
fn guarded(place: &Place) -> (Store, SecretKey) {
    let store = place.open(Options::new(2));
    store.remember(memory()).unwrap();
    let key = store.create_authority("ann").unwrap().secret;
    store.set_triggers(triggers(3), Some(&key)).unwrap();
    (store, key)
}

/// Runs statements in the store's database as somebody with the sqlite3 program would, and puts the checksums
/// of the rows right: they are no secret.
fn by_hand(place: &Place, text: &str) {
    let conn = Connection::open(place.store().join("memory.db")).unwrap();
    conn.execute_batch(text).unwrap();
    drop(conn);
    forge::refresh_checksums(&place.store());
}

/// Takes the halt out of the control file, as somebody would who knows where it is.
fn unhalt(folder: &Path) {
    use std::io::{Seek, SeekFrom, Write};
    let mut file = std::fs::File::options().write(true).open(folder.join("control")).unwrap();
    file.seek(SeekFrom::Start(48)).unwrap();
    file.write_all(&[0; 8]).unwrap();
}

/// Every check denies, nothing is written and nothing recalled.
fn assert_closed(store: &Store, what: &str) {
    let decision = store.check(&Action::new("ls")).unwrap();
    assert_eq!(decision.answer, Answer::Deny, "{what}");
    assert!(store.remember(memory()).is_err(), "{what}: written");
    assert!(store.recall(&Query::new([1.0, 0.0])).is_err(), "{what}: recalled");
}

fn assert_open(store: &Store, what: &str) {
    assert_eq!(store.halted().unwrap(), None, "{what}");
    let decision = store.check(&Action::new("ls")).unwrap();
    assert_eq!(decision.answer, Answer::Allow, "{what}: {decision:?}");
    store.remember(memory()).unwrap();
    store.recall(&Query::new([1.0, 0.0])).unwrap();
}

/// The row says that the halt was ended before there was an authority, or that there was no further one; the audit
/// and the control file are edited to fit.
#[test]
fn a_backdated_resumption_is_none() {
    let told = "UPDATE audit SET op = 'resume' WHERE op = 'halt';";
    let cut = "DELETE FROM audit WHERE id >= (SELECT max(id) FROM audit WHERE op = 'halt');";
    for edit in [
        format!("{told} UPDATE guard SET level = 0, resumed_at = 1"),
        format!("{told} UPDATE guard SET level = 0, cleared = halts, resumed_at = 1"),
        format!(
            "{told} UPDATE guard SET level = 0, cleared = halts, settled = 1000000, resumed_at = since + 1"
        ),
        format!("{told} UPDATE guard SET level = 0, halts = cleared"),
        format!("{cut} UPDATE guard SET level = 0"),
        format!(
            "{cut} UPDATE guard SET level = 0, halts = 0, cleared = 0, settled = 0, resumed_at = 0, triggers = ''"
        ),
        format!("{cut} DELETE FROM guard"),
        format!("{cut} DELETE FROM guard; DELETE FROM rules_head"),
        format!(
            "{told} UPDATE guard SET level = 0, cleared = halts; UPDATE rules_head SET signature = zeroblob(64)"
        ),
        format!(
            "{cut} DELETE FROM guard; DELETE FROM rules_head; DELETE FROM authorities;
            DELETE FROM audit WHERE op LIKE 'authority%'"
        ),
    ] {
        let place = Place::new();
        let (store, key) = guarded(&place);
        store.halt("for a reason", HaltLevel::NoWrites).unwrap();
        store.close().unwrap();
        by_hand(&place, &edit);
        unhalt(&place.store());
        for options in [Options::existing().read_only(true), Options::existing()] {
            let store = place.open(options);
            assert_closed(&store, &edit);
            assert!(store.halted().unwrap().is_some(), "{edit}");
            assert_ne!(store.resume("mine", None).map_err(|error| error.code()), Ok(true), "{edit}");
            store.close().unwrap();
        }
        if edit.contains("authorities") {
            // Nobody can tell any more whose store it is.
            continue;
        }
        let store = open(&place);
        store.repair_rules(&key, "somebody was here").unwrap();
        store.resume("it is understood", Some(&key)).unwrap();
        assert_open(&store, &edit);
        store.close().unwrap();
        assert_open(&open(&place), &edit);
    }
}

/// Triggers are turned off, the level of the audit is lowered, while two handles have the store open; and it is
/// opened anew.
#[test]
fn settings_changed_by_hand_deny() {
    for edit in [
        "UPDATE guard SET triggers = ''",
        "UPDATE guard SET triggers = replace(triggers, '\"failures_in_a_row\":3', '\"failures_in_a_row\":0')",
        "UPDATE guard SET audit = 1",
        "DELETE FROM guard",
    ] {
        let place = Place::new();
        let (store, key) = guarded(&place);
        let other = open(&place);
        assert_open(&store, edit);
        assert_open(&other, edit);
        by_hand(&place, edit);
        for store in [&store, &other] {
            assert_closed(store, edit);
            assert_eq!(store.triggers().unwrap_err().code(), ErrorCode::Corrupt, "{edit}");
            let again = store.set_triggers(triggers(3), Some(&key));
            assert_eq!(again.unwrap_err().code(), ErrorCode::Corrupt, "{edit}: nothing is signed over it");
            assert!(!store.verify().unwrap().is_ok(), "{edit}");
        }
        other.close().unwrap();
        store.close().unwrap();
        let store = open(&place);
        assert_closed(&store, edit);
        assert_eq!(store.halted().unwrap().unwrap().level, HaltLevel::DenyAll, "{edit}");
        assert_eq!(store.resume("mine", None).unwrap_err().code(), ErrorCode::Unauthorised, "{edit}");
        assert!(store.resume("looked at", Some(&key)).unwrap());
        assert_open(&store, edit);
        assert_eq!(store.triggers().unwrap(), Triggers::new(), "{edit}: nobody vouches for them");
        assert_eq!(store.audit_level().unwrap(), AuditLevel::Everything, "{edit}");
        store.set_triggers(triggers(3), Some(&key)).unwrap();
        assert_sound(&store);
        store.close().unwrap();
        assert_open(&open(&place), edit);
    }
}

/// A handle that goes on in spite of it still obeys the triggers that were signed; repaired in place, it goes on.
#[test]
fn an_open_handle_keeps_the_signed_triggers() {
    let place = Place::new();
    let (store, key) = guarded(&place);
    let failure = || Report::on_memory(MemoryId(1), Outcome::Failure);
    store.report(&failure()).unwrap();
    by_hand(&place, "UPDATE guard SET triggers = ''");
    store.report(&failure()).unwrap();
    store.report(&failure()).unwrap();
    assert_eq!(store.halted().unwrap().unwrap().by, "unknown", "three failures");
    assert_closed(&store, "pulled");
    let gone = store.repair_rules(&key, "somebody was here").unwrap();
    assert!(gone.iter().any(|what| what.contains("triggers")), "{gone:?}");
    assert_eq!(store.remember(memory()).unwrap_err().code(), ErrorCode::Halted, "repaired, and still halted");
    assert!(store.resume("seen", Some(&key)).unwrap());
    assert_open(&store, "resumed");
    // And without a halt.
    by_hand(&place, "UPDATE guard SET audit = 1");
    assert_closed(&store, "again");
    store.repair_rules(&key, "again").unwrap();
    assert_open(&store, "repaired");
    assert_sound(&store);
}

/// A guard and a head that were signed earlier are put back, while the store is open and when it is closed.
#[test]
fn an_earlier_guard_put_back_denies() {
    for open_meanwhile in [true, false] {
        let place = Place::new();
        let (store, key) = guarded(&place);
        by_hand(&place, "CREATE TABLE g AS SELECT * FROM guard; CREATE TABLE h AS SELECT * FROM rules_head");
        store.set_triggers(triggers(1), Some(&key)).unwrap();
        assert_open(&store, "before");
        let back = "DELETE FROM guard; INSERT INTO guard SELECT * FROM g;
                    DELETE FROM rules_head; INSERT INTO rules_head SELECT * FROM h; DROP TABLE g; DROP TABLE h";
        if open_meanwhile {
            by_hand(&place, back);
            assert_closed(&store, "put back while open");
            store.close().unwrap();
        } else {
            store.close().unwrap();
            by_hand(&place, back);
        }
        let store = open(&place);
        assert_closed(&store, "put back");
        assert_eq!(store.triggers().unwrap_err().code(), ErrorCode::Corrupt);
        store.repair_rules(&key, "put back").unwrap();
        assert_open(&store, "repaired");
    }
}

/// The halt is taken out of the control file alone, while a handle is open: its next check puts it back.
#[test]
fn a_halt_taken_out_of_the_control_file_comes_back() {
    let place = Place::new();
    let (store, key) = guarded(&place);
    let other = open(&place);
    store.halt("for a reason", HaltLevel::NoWrites).unwrap();
    assert_eq!(
        other.check(&Action::new("ls")).unwrap().answer,
        Answer::Allow,
        "writes are halted, not actions"
    );
    unhalt(&place.store());
    for store in [&other, &store] {
        let _ = store.check(&Action::new("ls"));
        assert_eq!(store.remember(memory()).unwrap_err().code(), ErrorCode::Halted);
    }
    assert!(store.resume("over", Some(&key)).unwrap());
    assert_open(&other, "resumed");
    assert_open(&store, "resumed");
}

/// What happened before the first authority stays: halts that were ended, triggers, registrations. In a halt an
/// authority can be founded too, and it goes on.
#[test]
fn an_authority_vouches_for_what_it_finds() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    store.remember(memory()).unwrap();
    store.halt("a drill", HaltLevel::DenyAll).unwrap();
    assert!(store.resume("anybody may", None).unwrap());
    store.set_triggers(triggers(5), None).unwrap();
    store.set_audit_level(AuditLevel::Decisions, None).unwrap();
    let token = store.register("bob", None).unwrap();
    let key = store.create_authority("ann").unwrap().secret;
    store.close().unwrap();
    for lost in [false, true] {
        if lost {
            std::fs::remove_file(place.store().join("control")).unwrap();
        }
        let store = open(&place);
        assert_open(&store, "founded after a halt");
        assert_eq!(store.triggers().unwrap(), triggers(5));
        assert_eq!(store.audit_level().unwrap(), AuditLevel::Decisions);
        let told = Report::on_memory(MemoryId(1), Outcome::Success).reporter("bob").token(token.clone());
        store.report(&told).unwrap();
        store.halt("another", HaltLevel::DenyAll).unwrap();
        assert_eq!(store.resume("mine", None).unwrap_err().code(), ErrorCode::Unauthorised);
        assert!(store.resume("over", Some(&key)).unwrap());
        assert_open(&store, "resumed");
        assert_sound(&store);
        store.close().unwrap();
    }

    let place = Place::new();
    let store = place.open(Options::new(2));
    store.halt("a fault", HaltLevel::NoRecalls).unwrap();
    let key = store.create_authority("ann").unwrap().secret;
    store.close().unwrap();
    by_hand(&place, "UPDATE guard SET level = 0");
    unhalt(&place.store());
    let store = open(&place);
    assert_closed(&store, "the halt it was founded in");
    assert!(store.resume("over", Some(&key)).unwrap());
    assert_open(&store, "resumed");
}

/// What was signed by a key that was rotated, revoked or recovered since holds, and it signs no more.
#[test]
fn what_was_signed_outlives_the_key() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    store.remember(memory()).unwrap();
    let first = store.create_authority("ann").unwrap();
    store.set_triggers(triggers(7), Some(&first.secret)).unwrap();
    let token = store.register("bob", Some(&first.secret)).unwrap();
    store.halt("a drill", HaltLevel::DenyAll).unwrap();
    store.resume("over", Some(&first.secret)).unwrap();
    let same = |store: &Store, what: &str| {
        assert_open(store, what);
        assert_eq!(store.triggers().unwrap(), triggers(7), "{what}");
        let told = Report::on_memory(MemoryId(1), Outcome::Success).reporter("bob").token(token.clone());
        store.report(&told).unwrap();
        assert_sound(store);
    };
    let refused = |store: &Store, key: &SecretKey| {
        assert_eq!(store.set_triggers(triggers(0), Some(key)).unwrap_err().code(), ErrorCode::Unauthorised);
        assert_eq!(store.register("eve", Some(key)).unwrap_err().code(), ErrorCode::Unauthorised);
    };
    let second = store.rotate_authority(&first.secret).unwrap();
    same(&store, "rotated");
    refused(&store, &first.secret);
    let third = SecretKey::generate().unwrap();
    store.add_authority(&second, "cid", third.public()).unwrap();
    store.set_audit_level(AuditLevel::Decisions, Some(&third)).unwrap();
    store.revoke_authority(&second, third.public(), "left").unwrap();
    same(&store, "revoked");
    refused(&store, &third);
    store.close().unwrap();
    let store = open(&place);
    same(&store, "revoked, opened anew");
    assert_eq!(store.audit_level().unwrap(), AuditLevel::Decisions);
    let last = store.recover_authority(&first.recovery, "dan", "keys were lost").unwrap();
    same(&store, "recovered");
    refused(&store, &second);
    store.close().unwrap();
    let store = open(&place);
    same(&store, "recovered, opened anew");
    store.set_triggers(triggers(8), Some(&last.secret)).unwrap();
    assert!(store.revoke("bob", Some(&last.secret)).unwrap());
    // A statement of authorities vouches for nothing that was tampered with.
    by_hand(&place, "UPDATE guard SET triggers = ''");
    let newest = store.rotate_authority(&last.secret).unwrap();
    assert_closed(&store, "tampered with, and rotated");
    store.close().unwrap();
    let store = open(&place);
    assert_closed(&store, "tampered with");
    assert_eq!(store.halted().unwrap().unwrap().level, HaltLevel::DenyAll);
    // All keys are lost, and the store is halted: the recovery key leads out.
    assert_eq!(store.resume("lost", Some(&last.secret)).unwrap_err().code(), ErrorCode::Unauthorised);
    let again = store.recover_authority(&last.recovery, "eve", "again").unwrap();
    assert_eq!(store.resume("lost", Some(&newest)).unwrap_err().code(), ErrorCode::Unauthorised);
    assert!(store.resume("found", Some(&again.secret)).unwrap());
    assert_open(&store, "recovered in a halt");
    assert_sound(&store);
}

/// A restored and an imported store are guarded as the one they come from, and what is forged in them is noticed.
#[test]
fn restored_and_imported_stores_are_guarded() {
    let place = Place::new();
    let (store, key) = guarded(&place);
    let token = store.register("bob", Some(&key)).unwrap();
    store.halt("a drill", HaltLevel::DenyAll).unwrap();
    store.resume("over", Some(&key)).unwrap();
    let copies = |store: &Store, name: &str| {
        let (backup, export) = (place.at(&format!("{name}.backup")), place.at(&format!("{name}.jsonl")));
        store.backup(&backup, false).unwrap();
        store.export(&export, false).unwrap();
        let folders = [place.at(&format!("{name}-restored")), place.at(&format!("{name}-imported"))];
        Store::restore(&backup, &folders[0]).unwrap();
        Store::import(&export, &folders[1]).unwrap();
        folders
    };
    for folder in copies(&store, "sound") {
        let other = Store::open(&folder, Options::existing().authority_key(key.public())).unwrap();
        assert_open(&other, "a copy");
        assert_eq!(other.triggers().unwrap(), triggers(3));
        let told = Report::on_memory(MemoryId(1), Outcome::Success).reporter("bob").token(token.clone());
        other.report(&told).unwrap();
        assert_eq!(other.set_triggers(triggers(0), None).unwrap_err().code(), ErrorCode::Unauthorised);
        other.set_triggers(triggers(4), Some(&key)).unwrap();
        assert_sound(&other);
        other.close().unwrap();
        assert_open(&Store::open(&folder, Options::existing()).unwrap(), "a copy, opened anew");
    }
    store.halt("for a reason", HaltLevel::NoWrites).unwrap();
    for folder in copies(&store, "halted") {
        let other = Store::open(&folder, Options::existing()).unwrap();
        assert_eq!(other.remember(memory()).unwrap_err().code(), ErrorCode::Halted);
        assert!(other.resume("over", Some(&key)).unwrap());
        assert_open(&other, "a copy");
    }
    store.resume("over", Some(&key)).unwrap();
    by_hand(&place, "UPDATE guard SET triggers = ''");
    for folder in copies(&store, "forged") {
        assert_closed(&Store::open(&folder, Options::existing()).unwrap(), "a forged one");
    }
}

/// How much credit the first memory has of successes.
fn successes(store: &Store) -> f64 {
    let recall = store.recall(&Query::new([1.0, 0.0])).unwrap();
    recall.hits.iter().find(|hit| hit.id == MemoryId(1)).unwrap().evidence.successes
}

/// Somebody is registered by hand, in the store of an authority: or again, after being revoked, with all the rows
/// that were signed then. No registration is believed until the authority has looked at them.
#[test]
fn trust_given_by_hand_counts_nothing() {
    let back = "DELETE FROM principals; INSERT INTO principals SELECT * FROM p;
                DELETE FROM rules_head; INSERT INTO rules_head SELECT * FROM h";
    for (edit, least) in [
        ("UPDATE principals SET registered_at = 1, token_hash = (SELECT token_hash FROM p WHERE name = 'eve')
          WHERE name = 'eve'", "signed"),
        ("UPDATE principals SET token_hash = (SELECT token_hash FROM p WHERE name = 'eve') WHERE name = 'eve'", "signed"),
        ("UPDATE principals SET name = 'eve2' WHERE name = 'eve';
          UPDATE principals SET name = 'eve' WHERE name = 'bob'", "signed"),
        (back, "earlier state"),
    ] {
        let place = Place::new();
        let (store, key) = guarded(&place);
        let tokens = ["bob", "eve"].map(|name| store.register(name, Some(&key)).unwrap());
        let tell = |store: &Store, at: usize| {
            let told = Report::on_memory(MemoryId(1), Outcome::Success).situation([1.0, 0.0]);
            store.report(&told.reporter(["bob", "eve"][at]).token(tokens[at].clone())).map(drop)
        };
        tell(&store, 0).unwrap();
        assert!(successes(&store) > 0.5);
        by_hand(&place, "CREATE TABLE p AS SELECT * FROM principals; CREATE TABLE h AS SELECT * FROM rules_head");
        for key in [None, Some(&SecretKey::generate().unwrap())] {
            assert!(matches!(store.revoke("eve", key), Err(Error::Unauthorised { .. })));
            assert!(matches!(store.register("eve", key), Err(Error::Unauthorised { .. })));
        }
        assert!(store.revoke("eve", Some(&key)).unwrap());
        assert_eq!(tell(&store, 1).unwrap_err().code(), ErrorCode::BadToken);
        by_hand(&place, edit);
        let doubted = |store: &Store| {
            for at in [0, 1] {
                let error = tell(store, at).unwrap_err();
                assert!(error.to_string().contains(least) || at == 1, "{edit}: {error}");
            }
            let named = store.principals().unwrap();
            assert!(named.iter().all(|one| one.registered_at.is_none()), "{edit}: {named:?}");
            assert!(named.iter().any(|one| one.disbelieved), "{edit}: {named:?}");
            assert!(!store.verify().unwrap().is_ok(), "{edit}");
            assert!(store.register("eve", Some(&key)).is_err(), "{edit}: nothing is signed over it");
        };
        doubted(&store);
        store.close().unwrap();
        let store = open(&place);
        doubted(&store);
        if edit != back {
            assert!(successes(&store) == 0.0, "{edit}: nobody is trusted");
        }
        let gone = store.repair_rules(&key, "somebody was here").unwrap();
        assert!(gone.iter().any(|what| what.contains("bob") || what.contains("eve")), "{gone:?}");
        by_hand(&place, "DROP TABLE p; DROP TABLE h");
        assert_open(&store, edit);
        assert!(store.principals().unwrap().iter().all(|one| one.registered_at.is_none() && !one.disbelieved));
        let token = store.register("bob", Some(&key)).unwrap();
        let told = Report::on_memory(MemoryId(1), Outcome::Success).reporter("bob").token(token);
        store.report(&told).unwrap();
        assert_sound(&store);
        store.close().unwrap();
        assert_open(&open(&place), edit);
    }
}

/// What the engine learns of principals by itself is no decision of an authority, and needs no key.
#[test]
fn trust_that_is_learnt_needs_no_key() {
    let place = Place::new();
    let (store, key) = guarded(&place);
    let token = store.register("bob", Some(&key)).unwrap();
    for _ in 0..5 {
        let receipt = store.recall(&Query::new([1.0, 0.0]).k(1)).unwrap().receipt.unwrap();
        store.report(&Report::on(receipt, Outcome::Success)).unwrap();
        store.report(&Report::on(receipt, Outcome::Success).reporter("bob").token(token.clone())).unwrap();
    }
    store.close().unwrap();
    let store = open(&place);
    let bob = store.principals().unwrap().remove(0);
    assert!(bob.judged_together == 5 && bob.reliability > 0.85 && !bob.disbelieved, "{bob:?}");
    store.record_fact("still", &json!("open"), std::time::Duration::from_mins(1)).unwrap();
    assert_open(&store, "learnt");
    assert_sound(&store);
}
