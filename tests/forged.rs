//! Exports of stores with rules: they come back exactly, and a forged one makes, weakens or hides none.
#![allow(clippy::unwrap_used)]

mod forge;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use forge::refresh_checksums;
use rusqlite::Connection;
use serde_json::json;
use wisen::{
    Action, Answer, Authority, ErrorCode, HaltLevel, ManualClock, Memory, Options, Outcome, Query, Report,
    SecretKey, Store, Triggers, parse_rules,
};
use wisen_tests::{Place, assert_sound, copy_folder};

const NOW: i64 = 1_800_000_000_000_000;

const RULES: &str = r#"
NEVER "no-rm" because "it cannot be undone" when tool is "sh" and args.command matches /\brm\b/
MUST "tested" because "it broke twice" when tool is "deploy" require fact "tests" is "passed"
AVOID "late" because "nobody is awake" when args.hour >= 22
PREFER "early" priority 3 because "it is quiet" when args.hour < 8 lifts "late"
NEVER "no-gossip" because "it hurts" in namespace "default" when metadata.gossip is true
"#;

fn options() -> Options {
    Options::existing().clock(Arc::new(ManualClock::at(NOW)))
}

struct Keys {
    owner: SecretKey,
    second: SecretKey,
    gone: SecretKey,
}

/// A store with authorities of all sorts, directives, an override, facts, a resumption, trust and an audit.
fn ruled(place: &Place) -> (Store, Keys) {
    let clock = Arc::new(ManualClock::at(NOW - 86_400_000_000));
    let store = place.open(Options::new(2).clock(clock.clone()));
    let owner = store.create_authority("owner").unwrap().secret;
    clock.advance(Duration::from_secs(1));
    let (second, gone) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    store.add_authority(&owner, "second", second.public()).unwrap();
    clock.advance(Duration::from_secs(1));
    store.add_authority(&owner, "gone", gone.public()).unwrap();
    clock.advance(Duration::from_secs(1));
    store.add_directives(&gone, &parse_rules(RULES).unwrap()).unwrap();
    clock.advance(Duration::from_secs(1));
    store.remember(Memory::new("gossip", [1.0, 0.1]).metadata(json!({ "gossip": true }))).unwrap();
    let told = store.remember(Memory::new("a recipe", [1.0, 0.2]).author("ann")).unwrap();
    let token = store.register("ann", Some(&owner)).unwrap();
    store.report(&Report::on_memory(told, Outcome::Success).reporter("ann").token(token)).unwrap();
    store.report(&Report::on_memory(told, Outcome::Success)).unwrap();
    store.record_fact("tests", &json!("passed"), Duration::from_hours(24 * 30)).unwrap();
    store.set_triggers(Triggers::new().failures_in_a_row(1000), Some(&owner)).unwrap();
    store.halt("a drill", HaltLevel::DenyAll).unwrap();
    store.resume("it was a drill", Some(&second)).unwrap();
    clock.advance(Duration::from_secs(1));
    let week = NOW + 7 * 86_400_000_000;
    store.override_directive(&second, "late", "a release", week).unwrap();
    clock.advance(Duration::from_secs(1));
    store.revoke_authority(&owner, gone.public(), "left").unwrap();
    store.close().unwrap();
    (place.open(options()), Keys { owner, second, gone })
}

fn actions() -> Vec<Action> {
    vec![
        Action::new("sh").args(json!({ "command": "rm -rf /" })),
        Action::new("sh").args(json!({ "command": "ls" })),
        Action::new("deploy"),
        Action::new("x").args(json!({ "hour": 23 })),
        Action::new("x").args(json!({ "hour": 7 })),
    ]
}

fn decisions(store: &Store) -> Vec<wisen::Decision> {
    actions().iter().map(|action| store.check(action).unwrap()).collect()
}

fn authorities(store: &Store) -> Vec<Authority> {
    store.authorities().unwrap()
}

/// All of it comes back to the byte, decides alike, and goes on alike.
#[test]
fn rules_come_back_exactly() {
    let place = Place::new();
    let (store, keys) = ruled(&place);
    let anchor = store.anchor().unwrap();
    store.export(place.at("one"), false).unwrap();
    Store::import(place.at("one"), place.at("imported")).unwrap();
    let pinned = options().authority_key(keys.owner.public());
    let imported = Store::open(place.at("imported"), pinned).unwrap();
    imported.export(place.at("two"), false).unwrap();
    assert!(fs::read(place.at("one")).unwrap() == fs::read(place.at("two")).unwrap());
    assert_sound(&imported);
    assert!(imported.audit_verify(Some(&anchor)).unwrap().is_ok());

    let answers: Vec<Answer> = decisions(&store).iter().map(|decision| decision.answer).collect();
    assert_eq!(answers, [Answer::Deny, Answer::Allow, Answer::Allow, Answer::Allow, Answer::Allow]);
    assert_eq!(decisions(&imported), decisions(&store));
    assert_eq!(imported.directives(None).unwrap(), store.directives(None).unwrap());
    assert_eq!(authorities(&imported), authorities(&store));
    assert_eq!(imported.facts().unwrap(), store.facts().unwrap());
    assert_eq!(imported.triggers().unwrap(), store.triggers().unwrap());
    assert_eq!(imported.halted().unwrap(), None);
    assert_eq!(imported.principals().unwrap(), store.principals().unwrap());
    let recall = |store: &Store| store.recall(&Query::new([1.0, 0.1]).receipt(false)).unwrap();
    assert_eq!(wisen_tests::bits(&recall(&imported)), wisen_tests::bits(&recall(&store)));
    assert_eq!(recall(&imported).hits.len(), 1, "NEVER keeps its memory out");

    // It goes on: by those who may, and by nobody else.
    let more = parse_rules(r#"NEVER "more" because "x" when tool is "ls""#).unwrap();
    for key in [&keys.gone, &SecretKey::generate().unwrap()] {
        assert_eq!(imported.add_directives(key, &more).unwrap_err().code(), ErrorCode::Unauthorised);
    }
    imported.add_directives(&keys.second, &more).unwrap();
    assert_eq!(imported.check(&Action::new("ls")).unwrap().answer, Answer::Deny);
    imported.halt("again", HaltLevel::NoRecalls).unwrap();
    for key in [None, Some(&keys.gone), Some(&SecretKey::generate().unwrap())] {
        assert_eq!(imported.resume("mine", key).unwrap_err().code(), ErrorCode::Unauthorised);
    }
    imported.resume("all is well", Some(&keys.owner)).unwrap();
    assert_sound(&imported);
    assert!(imported.audit_verify(Some(&anchor)).unwrap().is_ok());
    // And again from there.
    imported.export(place.at("three"), false).unwrap();
    Store::import(place.at("three"), place.at("third")).unwrap();
    let third = Store::open(place.at("third"), options()).unwrap();
    assert_eq!(decisions(&third), decisions(&imported));
    assert!(third.audit_verify(Some(&anchor)).unwrap().is_ok());
}

/// A halt travels: an export of a halted store is halted, and only an authority resumes it.
#[test]
fn a_halt_comes_with_an_import() {
    let place = Place::new();
    let (store, keys) = ruled(&place);
    store.halt("moving", HaltLevel::NoWrites).unwrap();
    store.export(place.at("halted"), false).unwrap();
    Store::import(place.at("halted"), place.at("imported")).unwrap();
    let imported = Store::open(place.at("imported"), options()).unwrap();
    assert!(imported.remember(Memory::new("x", [1.0, 1.0])).is_err());
    assert!(imported.resume("mine", Some(&keys.gone)).is_err());
    imported.resume("moved", Some(&keys.owner)).unwrap();
    imported.remember(Memory::new("x", [1.0, 1.0])).unwrap();
    // Taken out of the export, it holds all the same.
    for edit in ["DELETE FROM guard", "UPDATE guard SET level = 0"] {
        let file = forged(&place, edit);
        Store::import(&file, place.at("freed")).unwrap();
        let freed = Store::open(place.at("freed"), options()).unwrap();
        assert!(freed.remember(Memory::new("x", [1.0, 1.0])).is_err(), "{edit}");
        assert_eq!(freed.check(&actions()[1]).unwrap().answer, Answer::Deny, "{edit}");
        freed.close().unwrap();
        fs::remove_dir_all(place.at("freed")).unwrap();
    }
}

/// The tables that a forger writes anew.
const FORGED: [&str; 9] =
    ["meta", "authorities", "directives", "overrides", "facts", "rules_head", "guard", "audit", "principals"];

/// An export of the store with the rows of the rules that it has once somebody has done this by hand, everything set
/// right that needs no key.
fn forged(place: &Place, edit: &str) -> PathBuf {
    let copy = place.at("copy");
    let _ = fs::remove_dir_all(&copy);
    copy_folder(&place.store(), &copy);
    let _ = fs::remove_file(place.at("genuine"));
    Store::open(&copy, options()).unwrap().export(place.at("genuine"), false).unwrap();
    let database = copy.join("memory.db");
    Connection::open(&database).unwrap().execute_batch(edit).unwrap();
    refresh_checksums(&copy);
    let lines = fs::read_to_string(place.at("genuine")).unwrap();
    let lines = forge::lines(&lines, &Connection::open(&database).unwrap(), &FORGED);
    fs::write(place.at("forged"), lines).unwrap();
    place.at("forged")
}

/// Whatever is done to the lines of an export: nothing is imported. (What the store does in which it is done, or in
/// which a forged database is put: `attacks.rs`.)
#[test]
fn forged_rules_are_not_imported() {
    let place = Place::new();
    let (store, keys) = ruled(&place);
    // Signed lines of an earlier day, and of a store of the forger's own with the same id.
    store.flush().unwrap();
    copy_folder(&place.store(), &place.at("earlier"));
    store.remove_directive(&keys.owner, "late", "not needed").unwrap();
    store.flush().unwrap();
    let own = place.at("own");
    copy_folder(&place.store(), &own);
    let conn = Connection::open(own.join("memory.db")).unwrap();
    conn.execute_batch(
        "DELETE FROM authorities; DELETE FROM directives; DELETE FROM overrides; DELETE FROM rules_head;
         DELETE FROM audit; DELETE FROM guard;",
    )
    .unwrap();
    drop(conn);
    fs::remove_file(own.join("control")).unwrap();
    let mallory = Store::open(&own, options()).unwrap();
    let mine = mallory.create_authority("owner").unwrap().secret;
    let all = parse_rules(r#"PREFER "all" because "x" when always"#).unwrap();
    mallory.add_directives(&mine, &all).unwrap();
    mallory.close().unwrap();

    let attach = |name: &str| format!("ATTACH '{}' AS other;", place.at(name).join("memory.db").display());
    let (earlier, own) = (attach("earlier"), attach("own"));
    let take = |table: &str| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM other.{table};");
    let rules = [take("authorities"), take("directives"), take("overrides"), take("rules_head")].concat();
    let edits = [
        // A directive with another text.
        "UPDATE directives SET text = replace(text, 'NEVER', 'AVOID') WHERE id = 'no-rm'".to_owned(),
        r"UPDATE directives SET text = replace(text, '\brm\b', '\brmm\b') WHERE id = 'no-rm'".to_owned(),
        "UPDATE directives SET at = at + 1 WHERE id = 'no-rm'".to_owned(),
        // One that nobody signed, or somebody else.
        "INSERT INTO directives VALUES ('mine', 1, 'PREFER \"mine\" because \"x\" lifts \"no-rm\"', zeroblob(32), zeroblob(64), 0)".to_owned(),
        "INSERT INTO directives SELECT 'mine', at, replace(text, 'no-rm', 'mine'), signer, signature, 0 FROM directives WHERE id = 'no-rm'".to_owned(),
        format!("{own} INSERT INTO directives SELECT * FROM other.directives"),
        format!("{own} {}", take("directives")),
        format!("{own} {} {}", take("directives"), take("rules_head")),
        // One that is gone, or was removed and is back, or all of them.
        "DELETE FROM directives WHERE id = 'no-rm'".to_owned(),
        format!("{earlier} INSERT INTO directives SELECT * FROM other.directives WHERE id = 'late'"),
        "DELETE FROM directives".to_owned(),
        "DELETE FROM directives; DELETE FROM rules_head".to_owned(),
        "DELETE FROM directives; DELETE FROM overrides; DELETE FROM rules_head; DELETE FROM authorities".to_owned(),
        // Other exceptions.
        "INSERT INTO overrides VALUES (9, 1, 'no-rm', 'mine', 9223372036854775807, zeroblob(32), zeroblob(64), 0)".to_owned(),
        format!("{earlier} INSERT INTO overrides SELECT * FROM other.overrides"),
        format!("{earlier} INSERT INTO overrides SELECT 9, at, 'no-rm', reason, until, signer, signature, 0 FROM other.overrides"),
        // A revoked key that signs again, a founder of the forger's own, a key too many.
        "DELETE FROM authorities WHERE act = 'revoke'".to_owned(),
        "DELETE FROM authorities WHERE name = 'second'".to_owned(),
        "UPDATE authorities SET act = 'admit' WHERE act = 'revoke'".to_owned(),
        format!("{own} {}", take("authorities")),
        format!("{own} INSERT INTO authorities SELECT 5, at, 'admit', name, key, NULL, reason, signer, signature, 0 FROM other.authorities"),
        format!("{own} {rules}"),
        // The head of another time, alone and with all that was signed for it.
        "DELETE FROM rules_head".to_owned(),
        "UPDATE rules_head SET generation = generation + 1".to_owned(),
        format!("{earlier} {}", take("rules_head")),
        format!("{earlier} {rules}"),
        // Another store, for which none of it was signed.
        "UPDATE meta SET value = randomblob(16) WHERE key = 'store_id'".to_owned(),
    ];
    for edit in &edits {
        let file = forged(&place, edit);
        let refused = Store::import(&file, place.at("imported"));
        let error = refused.expect_err(edit);
        assert_eq!(error.code(), ErrorCode::BadImport, "{edit}: {error}");
        assert!(!place.at("imported").exists(), "{edit}");
        // Its memories can be had, and nothing else of it.
        let fresh = Store::open(":memory:", Options::new(2)).unwrap();
        assert_eq!(fresh.import_memories(&file).unwrap().len(), 2, "{edit}");
        assert_eq!((fresh.directives(None).unwrap().len(), authorities(&fresh).len()), (0, 0), "{edit}");
    }
    // What is not forged is imported.
    let file = forged(&place, "SELECT 1");
    Store::import(&file, place.at("imported")).unwrap();
    let imported = Store::open(place.at("imported"), options()).unwrap();
    assert_eq!(decisions(&imported), decisions(&store));
}

/// Numbers that are never given out mean something else, the owner for one: no store is made with them.
#[test]
fn numbers_that_are_never_given_out_are_refused() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    store.remember(Memory::new("a recipe", [1.0, 0.2])).unwrap();
    store.register("ann", None).unwrap();
    store.close().unwrap();
    for number in [0, -5] {
        let edit = format!("UPDATE principals SET id = {number}");
        let error = Store::import(forged(&place, &edit), place.at("imported")).unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadImport, "{error}");
        assert!(error.to_string().contains("never given out"), "{error}");
    }
}

/// Who makes the whole export anew, the audit and the authorities included, makes another store. The key that was
/// pinned and the anchor that was kept tell.
#[test]
fn a_store_made_anew_is_told_by_the_pin_and_the_anchor() {
    let place = Place::new();
    let (store, keys) = ruled(&place);
    let anchor = store.anchor().unwrap();
    store.close().unwrap();
    for found in [false, true] {
        let edit =
            "DELETE FROM authorities; DELETE FROM directives; DELETE FROM overrides; DELETE FROM rules_head;
            DELETE FROM facts; DELETE FROM guard; DELETE FROM audit;";
        let file = forged(&place, edit);
        let _ = fs::remove_dir_all(place.at("imported"));
        Store::import(&file, place.at("imported")).unwrap();
        if found {
            let mallory = Store::open(place.at("imported"), options()).unwrap();
            mallory.create_authority("owner").unwrap();
            mallory.export(place.at("again"), true).unwrap();
            mallory.close().unwrap();
            fs::remove_dir_all(place.at("imported")).unwrap();
            Store::import(place.at("again"), place.at("imported")).unwrap();
        }
        let pinned = options().authority_key(keys.owner.public());
        let imported = Store::open(place.at("imported"), pinned).unwrap();
        for decision in decisions(&imported) {
            assert_eq!((decision.answer, decision.rule), (Answer::Deny, None), "{}", decision.reason);
        }
        assert!(imported.recall(&Query::new([1.0, 0.1])).is_err());
        assert!(imported.directives(None).is_err());
        let told = imported.audit_verify(Some(&anchor)).unwrap();
        assert!(!told.is_ok(), "{told:?}");
    }
}
