//! Authorities: who may change rules, and what an edit by hand does.
#![allow(clippy::unwrap_used, reason = "tests")]

mod forge;

use rusqlite::Connection;
use wisen::{Error, Options, SecretKey, Store};
use wisen_tests::Place;

fn names(store: &Store) -> Vec<(String, bool)> {
    let rows = store.authorities().unwrap();
    rows.into_iter().map(|row| (row.name, row.revoked_at.is_none())).collect()
}

fn is_unauthorised<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(result.unwrap_err(), Error::Unauthorised { .. })
}

/// Runs a statement in the store's database as somebody with the sqlite3 program would.
fn by_hand(place: &Place, text: &str) {
    Connection::open(place.store().join("memory.db")).unwrap().execute_batch(text).unwrap();
}

#[test]
fn the_first_authority_is_made_once() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    assert!(store.authorities().unwrap().is_empty());
    let keys = store.create_authority("ann").unwrap();
    assert!(is_unauthorised(store.create_authority("mallory")));
    assert_eq!(names(&store), [("ann".to_owned(), true)]);
    let stranger = SecretKey::generate().unwrap();
    for key in [&stranger, &keys.recovery] {
        assert!(is_unauthorised(store.add_authority(key, "mallory", stranger.public())));
        assert!(is_unauthorised(store.rotate_authority(key)));
        assert!(is_unauthorised(store.revoke_authority(key, keys.secret.public(), "mine now")));
    }
    for key in [&stranger, &keys.secret] {
        assert!(is_unauthorised(store.recover_authority(key, "mallory", "mine now")));
    }
    assert_eq!(names(&store), [("ann".to_owned(), true)]);
    let ops: Vec<String> = store.audit_entries(0, 10).unwrap().into_iter().map(|entry| entry.op).collect();
    assert_eq!(ops, ["authority_created"]);
}

#[test]
fn authorities_outlive_people() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    let ann = store.create_authority("ann").unwrap();
    let bob = SecretKey::generate().unwrap();
    store.add_authority(&ann.secret, "bob", bob.public()).unwrap();
    let ann2 = store.rotate_authority(&ann.secret).unwrap();
    assert!(is_unauthorised(store.add_authority(&bob, "ann", ann.secret.public())), "a key comes once");
    store.revoke_authority(&bob, ann2.public(), "left").unwrap();
    let yes = |name: &str, valid| (name.to_owned(), valid);
    assert_eq!(names(&store), [yes("ann", false), yes("bob", true), yes("ann", false)]);
    assert!(is_unauthorised(store.revoke_authority(&bob, bob.public(), "alone")), "one stays");

    // Bob is gone with his key.
    let eve = store.recover_authority(&ann.recovery, "eve", "bob lost his key").unwrap();
    assert!(is_unauthorised(store.recover_authority(&ann.recovery, "ann", "once more")));
    assert!(is_unauthorised(store.add_authority(&bob, "bob", SecretKey::generate().unwrap().public())));
    store.close().unwrap();

    let store = place.open(Options::existing().authority_key(ann.secret.public()));
    assert_eq!(names(&store), [yes("ann", false), yes("bob", false), yes("ann", false), yes("eve", true)]);
    store.recover_authority(&eve.recovery, "fay", "a drill").unwrap();
    let audit = store.audit_entries(0, 10).unwrap();
    let ops: Vec<&str> = audit.iter().map(|entry| entry.op.as_str()).collect();
    let wanted = ["created", "added", "rotated", "revoked", "recovered", "recovered"];
    assert_eq!(ops, wanted.map(|op| format!("authority_{op}")));
    assert!(!audit.iter().any(|entry| entry.detail.to_string().contains("wisen-secret")));
    wisen_tests::assert_sound(&store);
}

#[test]
fn who_was_revoked_signs_no_more() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    let ann = store.create_authority("ann").unwrap().secret;
    let bob = SecretKey::generate().unwrap();
    store.add_authority(&ann, "bob", bob.public()).unwrap();
    store.revoke_authority(&ann, bob.public(), "left").unwrap();
    assert!(is_unauthorised(store.add_authority(&bob, "eve", SecretKey::generate().unwrap().public())));
    assert!(is_unauthorised(store.revoke_authority(&bob, ann.public(), "revenge")));
    let ann2 = store.rotate_authority(&ann).unwrap();
    assert!(is_unauthorised(store.rotate_authority(&ann)));
    store.rotate_authority(&ann2).unwrap();
}

#[test]
fn another_authority_than_the_pinned_one_is_none() {
    let place = Place::new();
    let stranger = SecretKey::generate().unwrap();
    let store = place.open(Options::new(2));
    store.create_authority("ann").unwrap();
    store.close().unwrap();
    let store = place.open(Options::existing().authority_key(stranger.public()));
    assert!(is_unauthorised(store.authorities()));
    assert!(is_unauthorised(store.add_authority(&stranger, "mallory", stranger.public())));
}

/// Every edit by hand of a chain of four statements, and of its head, is noticed: by the next call of an
/// open store, and by the next one that opens it.
#[test]
fn a_statement_edited_by_hand_is_noticed() {
    let stranger = SecretKey::generate().unwrap().public().to_string();
    let hex = &stranger[13..77];
    let edits = [
        "UPDATE authorities SET name = 'mallory', checksum = checksum WHERE id = 2".to_owned(),
        format!("UPDATE authorities SET key = x'{hex}' WHERE id = 2"),
        format!("UPDATE authorities SET signer = x'{hex}', key = x'{hex}' WHERE id = 1"),
        "UPDATE authorities SET act = 'rotate' WHERE id = 3".to_owned(),
        "UPDATE authorities SET at = at + 1 WHERE id = 1".to_owned(),
        "UPDATE authorities SET signature = zeroblob(64) WHERE id = 2".to_owned(),
        "DELETE FROM authorities WHERE id = 4".to_owned(),
        "DELETE FROM authorities WHERE id = 1".to_owned(),
        "DELETE FROM authorities".to_owned(),
        "DELETE FROM authorities; DELETE FROM rules_head".to_owned(),
        "DROP TABLE authorities".to_owned(),
        "DROP TABLE rules_head".to_owned(),
        "DELETE FROM rules_head".to_owned(),
        "UPDATE rules_head SET generation = generation + 1".to_owned(),
        "UPDATE rules_head SET at = at + 1".to_owned(),
        "UPDATE rules_head SET authorities = zeroblob(32)".to_owned(),
        "UPDATE rules_head SET signature = zeroblob(64)".to_owned(),
        format!("UPDATE rules_head SET signer = x'{hex}'"),
        "UPDATE authorities SET id = 5 WHERE id = 4".to_owned(),
        "CREATE TEMP TABLE t AS SELECT * FROM authorities WHERE id IN (2, 4);
         DELETE FROM authorities WHERE id IN (2, 4);
         INSERT INTO authorities SELECT 6 - id, at, act, name, key, recovery, reason, signer, signature, checksum FROM t"
            .to_owned(),
    ];
    for edit in edits {
        // Checksums are no secret: they are put right after the edit.
        let place = Place::new();
        let store = place.open(Options::new(2));
        let ann = store.create_authority("ann").unwrap();
        for name in ["bob", "cid"] {
            store.add_authority(&ann.secret, name, SecretKey::generate().unwrap().public()).unwrap();
        }
        let bob = store.authorities().unwrap()[1].key;
        store.revoke_authority(&ann.secret, bob, "left").unwrap();
        by_hand(&place, &edit);
        forge::refresh_checksums(&place.store());
        let noticed = |store: &Store| {
            let error = store.authorities().expect_err(&edit);
            assert!(matches!(error, Error::Corrupt { .. }), "{edit}: {error}");
            store.add_authority(&ann.secret, "dan", bob).expect_err(&edit);
            store.create_authority("mallory").expect_err(&edit);
        };
        noticed(&store);
        store.close().unwrap();
        noticed(&place.open(Options::existing()));
    }
}

/// Somebody without a key puts the tables of the authorities back to where they were, all of them at once:
/// every row is as it was signed.
#[test]
fn an_earlier_state_of_the_authorities_is_noticed() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    let ann = store.create_authority("ann").unwrap().secret;
    let bob = SecretKey::generate().unwrap();
    store.add_authority(&ann, "bob", bob.public()).unwrap();
    let keep =
        "CREATE TABLE kept AS SELECT * FROM rules_head; CREATE TABLE chain AS SELECT * FROM authorities;";
    by_hand(&place, keep);
    store.revoke_authority(&ann, bob.public(), "left").unwrap();
    by_hand(
        &place,
        "DELETE FROM rules_head; INSERT INTO rules_head SELECT * FROM kept;
         DELETE FROM authorities; INSERT INTO authorities SELECT * FROM chain; DROP TABLE kept; DROP TABLE chain;",
    );
    assert!(store.authorities().is_err());
    assert!(store.add_authority(&bob, "eve", SecretKey::generate().unwrap().public()).is_err());
    store.close().unwrap();
    let store = place.open(Options::existing());
    let error = store.authorities().unwrap_err();
    assert!(error.to_string().contains("earlier state"), "{error}");
}
