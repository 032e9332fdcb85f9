//! The audit: a chain of hashes that shows every change of it, and of what it is about.
#![allow(clippy::unwrap_used)]

use rusqlite::{Connection, params};
use wisen::{AuditLevel, ErrorCode, Memory, MemoryId, Options, Outcome, Report, Store, Update};
use wisen_tests::{Place, assert_sound, copy_folder};

fn memory(i: usize) -> Memory {
    let mut vector = vec![0.1_f32; 4];
    vector[i % 4] = 1.0;
    Memory::new(format!("note {i}"), vector).author("ann")
}

/// A store with 40 entries of all sorts, closed.
fn audited(place: &Place) {
    let store = place.open(Options::new(4));
    for i in 0..10 {
        store.remember(memory(i)).unwrap();
    }
    store.remember_many((10..20).map(memory).collect()).unwrap();
    for id in 1..=8 {
        let report = Report::on_memory(MemoryId(id), Outcome::Success);
        store.report(&if id % 2 == 0 { report.reporter("bob") } else { report }).unwrap();
    }
    for id in 3..=9 {
        store.update(MemoryId(id), Update::new().content(format!("changed {id}"))).unwrap();
        store.pin(MemoryId(id)).unwrap();
    }
    store.retire(MemoryId(1), "wrong").unwrap();
    assert!(store.forget(MemoryId(2)).unwrap());
    store.retract(wisen::ReportId(1)).unwrap();
    let token = store.register("carol", None).unwrap();
    store.report(&Report::on_memory(MemoryId(5), Outcome::Failure).reporter("carol").token(token)).unwrap();
    assert_eq!(store.audit_verify(None).unwrap().entries, 38);
    store.halt("a drill", wisen::HaltLevel::NoWrites).unwrap();
    store.resume("it was a drill", None).unwrap();
    assert_eq!(store.audit_verify(None).unwrap().entries, 40);
    store.close().unwrap();
}

fn faults(store: &std::path::Path, anchor: Option<&str>) -> Vec<(u64, String)> {
    let store = Store::open(store, Options::existing().read_only(true)).unwrap();
    let found = store.audit_verify(anchor).unwrap();
    assert_eq!(found.is_ok(), found.faults.is_empty());
    found.faults.into_iter().map(|fault| (fault.entry, fault.what)).collect()
}

/// What was done, by whom and to what, with hashes that chain from one entry to the next.
#[test]
fn everything_is_recorded_with_what_it_does() {
    let place = Place::new();
    audited(&place);
    let store = place.open(Options::existing());
    let entries = store.audit_entries(0, 100).unwrap();
    let of = |op: &str| entries.iter().filter(|entry| entry.op == op).collect::<Vec<_>>();
    assert_eq!((of("remember").len(), of("report").len(), of("update").len()), (11, 9, 7));
    let one = of("remember")[0];
    assert_eq!((one.actor.as_str(), one.memory), ("owner", Some(MemoryId(1))));
    assert_eq!(one.namespace.as_deref(), Some("default"));
    assert_eq!(one.detail["author"], "ann");
    let batch = of("remember")[10];
    assert_eq!((batch.memory, batch.detail["after"].as_object().unwrap().len()), (None, 10));
    let changed = of("update")[0];
    assert_ne!(changed.detail["before"]["3"], changed.detail["after"]["3"]);
    let first = of("remember")[2];
    assert_eq!(first.detail["after"]["3"], changed.detail["before"]["3"], "the same content, the same hash");
    assert_eq!(of("forget")[0].detail["before"]["2"], of("remember")[1].detail["after"]["2"]);
    let actors: Vec<&str> = of("report").iter().map(|entry| entry.actor.as_str()).collect();
    assert_eq!(actors[..2], ["owner", "unproven:bob"]);
    assert_eq!(actors[8], "principal:carol");
    assert_eq!(of("halt")[0].detail["reason"], "a drill");
    assert_sound(&store);
    let mut lines = Vec::new();
    assert_eq!(store.audit_export(&mut lines).unwrap(), 40);
    let lines: Vec<serde_json::Value> =
        String::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 40);
    assert_eq!((&lines[2]["id"], &lines[2]["memory"]), (&3.into(), &3.into()));
    assert_eq!(lines[0], entries[0].to_json());
    // An export can be held against an anchor.
    let last = format!("wisen-audit-1:40:{}", lines[39]["hash"].as_str().unwrap());
    assert_eq!(store.anchor().unwrap(), last);
    // To a file: whole or not at all, and never over the store.
    let file = place.store().with_extension("jsonl");
    assert_eq!(store.audit_export_file(&file, false).unwrap(), 40);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 40);
    let own = place.store().join("memory.db");
    for (file, replace) in [(&file, false), (&own, true)] {
        let size = std::fs::metadata(file).unwrap().len();
        let refused = store.audit_export_file(file, replace).unwrap_err();
        assert_eq!(refused.code(), wisen::ErrorCode::InvalidArgument, "{refused}");
        assert_eq!(std::fs::metadata(file).unwrap().len(), size);
    }
}

/// No text of a memory is in its entries, and no hash of a forgotten one can be found out by guessing: the
/// salt is gone.
#[test]
fn forgetting_makes_the_hashes_meaningless() {
    let place = Place::new();
    audited(&place);
    let conn = Connection::open(place.store().join("memory.db")).unwrap();
    let count = |text: &str| conn.query_row(text, [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM payloads WHERE salt IS NOT NULL"), 19);
    assert_eq!(count("SELECT count(*) FROM payloads WHERE memory = 2"), 0);
    assert_eq!(count("SELECT count(DISTINCT salt) FROM payloads"), 19, "each has its own");
    assert_eq!(count("SELECT count(*) FROM audit WHERE detail LIKE '%note%' OR detail LIKE '%changed%'"), 0);
    drop(conn);
    assert_eq!(faults(&place.store(), None), [], "what was forgotten is no fault");
}

/// One way to tamper with the table: the SQL, and the entries at which it may show.
type Tampering = (String, Vec<u64>);

fn tamperings(id: u64) -> Vec<Tampering> {
    let mut all: Vec<Tampering> = [
        "at = at + 1",
        "actor = 'somebody'",
        "op = 'nothing'",
        "namespace = namespace + 1",
        "ref = ref + 1",
        "detail = '{}'",
        "checksum = checksum + 1",
        "hash = randomblob(32)",
        "hash = NULL",
    ]
    .iter()
    .map(|change| (format!("UPDATE audit SET {change} WHERE id = {id}"), vec![id]))
    .collect();
    all.push((format!("DELETE FROM audit WHERE id = {id}"), vec![id]));
    let next = id + 1;
    // Two entries swap all but their numbers.
    all.push((
        format!(
            "CREATE TEMP TABLE two AS SELECT * FROM audit WHERE id IN ({id}, {next});
             UPDATE audit SET (at, actor, op, namespace, ref, detail, checksum, hash) =
               (SELECT at, actor, op, namespace, ref, detail, checksum, hash FROM two
                WHERE two.id = {id} + {next} - audit.id) WHERE id IN ({id}, {next});"
        ),
        vec![id],
    ));
    // One is put in, and what follows moves on.
    all.push((
        format!(
            "UPDATE audit SET id = -id WHERE id >= {id}; UPDATE audit SET id = 1 - id WHERE id < 0;
             INSERT INTO audit SELECT {id}, at, actor, op, namespace, ref, detail, checksum, hash FROM audit
               WHERE id = {next};"
        ),
        vec![id, next],
    ));
    all
}

/// Each of these changes is found in the real table, at the entry where it was made. (All positions of a chain
/// of ten thousand: `engine/src/store/chain.rs`.)
#[test]
fn every_change_of_an_entry_is_located() {
    let place = Place::new();
    audited(&place);
    let copy = place.at("copy");
    copy_folder(&place.store(), &copy);
    assert_eq!(faults(&copy, None), []);
    for id in [1, 2, 17, 38] {
        for (tampering, places) in tamperings(id) {
            let fresh = place.at("fresh");
            let _ = std::fs::remove_dir_all(&fresh);
            copy_folder(&place.store(), &fresh);
            let conn = Connection::open(fresh.join("memory.db")).unwrap();
            conn.execute_batch(&tampering).unwrap();
            drop(conn);
            let found = faults(&fresh, None);
            assert!(!found.is_empty(), "{tampering}");
            assert!(places.contains(&found[0].0), "{tampering}: {found:?}");
            let store = Store::open(&fresh, Options::existing()).unwrap();
            assert!(!store.verify().unwrap().is_ok(), "{tampering}: verify includes the chain");
        }
    }
    let conn = Connection::open(copy.join("memory.db")).unwrap();
    conn.execute_batch(
        "INSERT INTO audit SELECT -5, at, actor, op, namespace, ref, detail, checksum, hash FROM audit LIMIT 1",
    )
    .unwrap();
    drop(conn);
    assert_eq!(faults(&copy, None)[0].0, 0, "an entry before the first");
}

/// A chain whose end was cut off, or that was written anew with sound hashes, is sound in itself; an anchor kept
/// elsewhere shows it.
#[test]
fn an_anchor_shows_a_cut_tail_and_a_rewritten_chain() {
    let place = Place::new();
    audited(&place);
    let store = place.open(Options::existing());
    let anchor = store.anchor().unwrap();
    assert_eq!(store.audit_verify(None).unwrap().anchor, anchor);
    store.remember(memory(30)).unwrap();
    assert!(store.audit_verify(Some(&anchor)).unwrap().is_ok(), "what came later is no fault");
    let wrong = store.audit_verify(Some("wisen-audit-1:7:xyz")).unwrap_err();
    assert_eq!(wrong.code(), ErrorCode::InvalidArgument);
    store.close().unwrap();

    let cut = place.at("cut");
    copy_folder(&place.store(), &cut);
    let conn = Connection::open(cut.join("memory.db")).unwrap();
    conn.execute("DELETE FROM audit WHERE id > 38", []).unwrap();
    drop(conn);
    assert_eq!(faults(&cut, None).len(), 0, "nothing tells but the anchor");
    let found = faults(&cut, Some(&anchor));
    assert_eq!(found[0].0, 39, "{found:?}");
    assert!(found[0].1.contains("39 to 40 are missing"), "{found:?}");

    // The whole chain anew, with an entry changed: as a version 2 store, whose entries are chained when it is
    // opened.
    let rewritten = place.at("rewritten");
    copy_folder(&place.store(), &rewritten);
    let conn = Connection::open(rewritten.join("memory.db")).unwrap();
    forge(&conn, 12);
    drop(conn);
    assert_eq!(faults(&rewritten, None).len(), 0, "nothing tells but the anchor");
    let found = faults(&rewritten, Some(&anchor));
    assert!(found[0].1.contains("the chain was rewritten"), "{found:?}");
}

/// Changes the reason of an entry and sets everything right that can be computed without a secret.
fn forge(conn: &Connection, entry: i64) {
    let text = |column: &str, id: i64| -> String {
        conn.query_row(&format!("SELECT {column} FROM audit WHERE id = ?1"), [id], |r| r.get(0)).unwrap()
    };
    let number = |column: &str, id: i64| -> i64 {
        conn.query_row(&format!("SELECT {column} FROM audit WHERE id = ?1"), [id], |r| r.get(0)).unwrap()
    };
    let store_id: Vec<u8> =
        conn.query_row("SELECT value FROM meta WHERE key = 'store_id'", [], |r| r.get(0)).unwrap();
    conn.execute("UPDATE audit SET actor = 'engine' WHERE id = ?1", [entry]).unwrap();
    let last: i64 = conn.query_row("SELECT max(id) FROM audit", [], |r| r.get(0)).unwrap();
    let mut hash = blake3::Hasher::new();
    hash.update(b"wisen-audit-1").update(&store_id);
    let mut head = *hash.finalize().as_bytes();
    for id in 1..=last {
        let mut hash = blake3::Hasher::new();
        hash.update(&head);
        let mut sum = xxhash_rust::xxh3::Xxh3::new();
        sum.update(b"audit");
        for column in ["id", "at", "namespace", "ref"] {
            hash.update(&number(column, id).to_le_bytes());
        }
        for column in ["actor", "op", "detail"] {
            let text = text(column, id);
            hash.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        for column in ["id", "at", "actor", "op", "namespace", "ref", "detail"] {
            if ["actor", "op", "detail"].contains(&column) {
                let text = text(column, id);
                sum.update(b"b");
                sum.update(&(text.len() as u64).to_le_bytes());
                sum.update(text.as_bytes());
            } else {
                sum.update(b"i");
                sum.update(&number(column, id).to_le_bytes());
            }
        }
        head = *hash.finalize().as_bytes();
        conn.execute(
            "UPDATE audit SET hash = ?2, checksum = ?3 WHERE id = ?1",
            params![id, head.as_slice(), sum.digest().cast_signed()],
        )
        .unwrap();
    }
}

/// A memory changed behind the back of the engine, its checksum set right, is not what the audit recorded.
#[test]
fn a_memory_changed_by_hand_is_found() {
    let place = Place::new();
    audited(&place);
    let conn = Connection::open(place.store().join("memory.db")).unwrap();
    // Memory 12 gets the vector of memory 13, with a sound checksum.
    let vector: Vec<u8> =
        conn.query_row("SELECT vector FROM vectors WHERE memory = 13", [], |r| r.get(0)).unwrap();
    let mut sum = xxhash_rust::xxh3::Xxh3::new();
    sum.update(b"vectorsi");
    sum.update(&12_i64.to_le_bytes());
    sum.update(b"b");
    sum.update(&(vector.len() as u64).to_le_bytes());
    sum.update(&vector);
    conn.execute(
        "UPDATE vectors SET vector = ?1, checksum = ?2 WHERE memory = 12",
        params![vector, sum.digest().cast_signed()],
    )
    .unwrap();
    drop(conn);
    let found = faults(&place.store(), None);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("memory 12 is not what entry 11 recorded"), "{found:?}");
}

/// An owner who wants decisions only gets these, and the change is one.
#[test]
fn an_owner_may_want_decisions_only() {
    let place = Place::new();
    let store = place.open(Options::new(4));
    assert_eq!(store.audit_level().unwrap(), AuditLevel::Everything);
    store.remember(memory(0)).unwrap();
    store.set_audit_level(AuditLevel::Decisions, None).unwrap();
    let other = place.open(Options::existing());
    let id = other.remember(memory(1)).unwrap();
    other.update(id, Update::new().content("other")).unwrap();
    other.report(&Report::on_memory(id, Outcome::Failure)).unwrap();
    other.pin(id).unwrap();
    other.forget(id).unwrap();
    let ops: Vec<String> = store.audit_entries(0, 100).unwrap().into_iter().map(|entry| entry.op).collect();
    assert_eq!(ops, ["remember", "audit_level", "pin"]);
    assert!(store.audit_verify(None).unwrap().is_ok());
    assert_sound(&store);
}
