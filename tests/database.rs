//! Damage to the truth itself: noticed, named, never passed on as an answer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use rusqlite::Connection;
use wisen::{ErrorCode, Filter, Memory, MemoryId, Options, Outcome, Query, Report, Store, Update};
use wisen_tests::{Place, answers, assert_sound, experience, fill, practise, vectors};

fn filled(place: &Place) -> (Store, Vec<MemoryId>) {
    let store = place.open(Options::new(16));
    let all = fill(&store, &vectors(1, 50, 16));
    practise(&store, &vectors(2, 20, 16));
    (store, all)
}

/// A flipped bit in a value, which SQLite does not notice, is an error where the value is read and is
/// named by verify.
#[test]
fn a_flipped_bit_in_a_row_is_noticed() {
    // Table, column, key column: the middle byte of the value is changed.
    let values = [
        ("payloads", "content", "memory"),
        ("vectors", "vector", "memory"),
        ("situations", "vector", "id"),
        ("receipts", "shown", "rowid"),
        ("reports", "used", "id"),
        ("experiences", "credit", "report"),
        ("cells", "success", "id"),
        ("memories", "created_at", "id"),
    ];
    for (table, column, key) in values {
        let place = Place::new();
        drop(filled(&place));
        let conn = Connection::open(place.store().join("memory.db")).unwrap();
        let id = if key == "rowid" { "(SELECT min(id) FROM receipts)" } else { "7" };
        let key = if key == "rowid" { "id" } else { key };
        let kind: String =
            conn.query_row(&format!("SELECT typeof({column}) FROM {table}"), [], |r| r.get(0)).unwrap();
        if kind == "blob" {
            let sql = format!("SELECT {column} FROM {table} WHERE {key} = {id}");
            let mut blob: Vec<u8> = conn.query_row(&sql, [], |r| r.get(0)).unwrap();
            let middle = blob.len() / 2;
            blob[middle] ^= 1;
            let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {key} = {id}");
            assert_eq!(conn.execute(&sql, [blob]).unwrap(), 1);
        } else {
            let sql = format!("UPDATE {table} SET {column} = {column} + 1 WHERE {key} = {id}");
            assert!(conn.execute(&sql, []).unwrap() >= 1);
        }
        drop(conn);
        match Store::open(place.store(), Options::existing()) {
            Err(error) => assert_eq!(error.code(), ErrorCode::Corrupt, "{table}: {error}"),
            Ok(store) => {
                let faults = store.verify().unwrap().faults;
                assert!(
                    faults.iter().any(|fault| fault.contains("checksum")),
                    "{table}.{column}: {faults:?}"
                );
                if table == "payloads" || table == "vectors" || table == "memories" {
                    let read = store.get(MemoryId(7)).unwrap_err();
                    assert_eq!(read.code(), ErrorCode::Corrupt, "{table}");
                    assert!(read.to_string().contains(table), "it names the table: {read}");
                }
                if matches!(table, "vectors" | "situations" | "cells") {
                    // Not sealed: a recall has to read it.
                    let recall = store.recall(&Query::new(vec![1.0; 16])).unwrap_err();
                    assert_eq!(recall.code(), ErrorCode::Corrupt, "{table}");
                }
            }
        }
    }
}

/// A question to a store, and its name.
type Ask<'a> = (&'a str, &'a dyn Fn(&Store) -> wisen::Result<String>);

/// A flipped bit in the name of a namespace, a kind or a principal, wherever the file has it: nothing is answered under
/// another name, and verify names it.
#[test]
fn a_flipped_bit_in_a_name_is_noticed() {
    let (space, kind, who) = ("team-of-three", "kind-of-recipe", "ann-the-cook");
    let vector = || vectors(1, 1, 16).remove(0);
    let place = Place::new();
    let store = place.open(Options::new(16));
    let memory = || Memory::new("x", vector()).namespace(space).kind(kind).author(who);
    let id = store.remember(memory()).unwrap();
    let elsewhere = store.remember(Memory::new("y", vector())).unwrap();
    let token = store.register(who, None).unwrap();
    store.close().unwrap();
    drop(store);
    let file = place.store().join("memory.db");
    let whole = fs::read(&file).unwrap();
    let asks: [Ask<'_>; 6] = [
        ("get", &|store| {
            let record = store.get(id)?.unwrap();
            Ok(format!("{} {} {:?}", record.namespace, record.kind, record.author))
        }),
        ("recall", &|store| {
            let recall = store.recall(&Query::new(vector()).namespace(space).receipt(false))?;
            Ok(format!("{}", recall.hits.len()))
        }),
        ("recall of a kind", &|store| {
            let recall = store.recall(&Query::new(vector()).namespace(space).kind(kind).receipt(false))?;
            Ok(format!("{}", recall.hits.len()))
        }),
        ("recall by author", &|store| {
            let query = Query::new(vector()).namespace(space).filter(Filter::author(who)).receipt(false);
            Ok(format!("{}", store.recall(&query)?.hits.len()))
        }),
        ("principals", &|store| Ok(format!("{:?}", store.principals()?))),
        ("report", &|store| {
            let report = Report::on_memory(elsewhere, Outcome::Success).reporter(who).token(&token);
            store.report(&report).map(|reply| format!("{:?}", reply.status))
        }),
    ];
    let store = place.open(Options::existing());
    let told: Vec<String> = asks.iter().map(|(_, ask)| ask(&store).unwrap()).collect();
    store.close().unwrap();
    drop(store);
    for name in [space, kind, who] {
        let places: Vec<usize> =
            (0..whole.len() - name.len()).filter(|at| whole[*at..].starts_with(name.as_bytes())).collect();
        let mut told_of = 0;
        for place_of in places {
            let mut bytes = whole.clone();
            bytes[place_of + name.len() / 2] ^= 1;
            for end in ["memory.db-wal", "memory.db-shm"] {
                let _ = fs::remove_file(place.store().join(end));
            }
            fs::write(&file, bytes).unwrap();
            // One store per question: what one writes is not to change what the next one hears.
            let mut noticed = false;
            for ((what, ask), told) in asks.iter().zip(&told) {
                let copy = Place::new();
                wisen_tests::copy_folder(&place.store(), &copy.store());
                let store = Store::open(copy.store(), Options::existing()).unwrap();
                match ask(&store) {
                    Ok(answer) => assert_eq!(&answer, told, "{what} after a flip in {name} at {place_of}"),
                    Err(error) => assert_eq!(error.code(), ErrorCode::Corrupt, "{what}: {error}"),
                }
                let faults = store.verify().unwrap().faults;
                noticed |= faults.iter().any(|fault| fault.contains("table") || fault.contains("index"));
                // The other namespace is none the worse.
                if name == space {
                    assert_eq!(store.recall(&Query::new(vector()).receipt(false)).unwrap().hits.len(), 1);
                }
            }
            told_of += u32::from(noticed);
        }
        // Elsewhere lies what was there before the row was changed.
        assert!(told_of >= 2, "verify after a flip in the row of {name} or in its index");
    }
}

/// Pages overwritten or cut off: a typed error, or faults named; no panic, no hang.
#[test]
fn a_damaged_database_is_a_typed_error() {
    let place = Place::new();
    // Closed: all of it is in the file, nothing in the log.
    filled(&place).0.close().unwrap();
    let file = place.store().join("memory.db");
    let whole = fs::read(&file).unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    for round in 0..40 {
        let mut bytes = whole.clone();
        if round % 4 == 0 {
            bytes.truncate(4096 * rng.usize(1..whole.len() / 4096));
        } else {
            let at = rng.usize(100..whole.len() - 512);
            (0..rng.usize(1..512)).for_each(|i| bytes[at + i] = rng.u8(..));
        }
        for end in ["memory.db-wal", "memory.db-shm"] {
            let _ = fs::remove_file(place.store().join(end));
        }
        fs::write(&file, bytes).unwrap();
        let known = |error: &wisen::Error| {
            matches!(error.code(), ErrorCode::Corrupt | ErrorCode::NotAStore | ErrorCode::Io)
        };
        match Store::open(place.store(), Options::existing()) {
            Err(error) => assert!(known(&error), "round {round}: {error}"),
            Ok(store) => {
                if let Err(error) = store.verify() {
                    assert!(known(&error), "round {round}: {error}");
                }
                if let Err(error) = store.recall(&Query::new(vec![1.0; 16]).receipt(false).content(true)) {
                    assert!(known(&error), "round {round}: {error}");
                }
                for id in 1..50 {
                    if let Err(error) = store.get(MemoryId(id)) {
                        assert!(known(&error), "round {round}: {error}");
                    }
                }
            }
        }
    }
}

/// Every byte of the header of the database, changed: a typed error, or nothing that matters.
#[test]
fn a_damaged_header_is_a_typed_error() {
    let place = Place::new();
    filled(&place).0.close().unwrap();
    let file = place.store().join("memory.db");
    let whole = fs::read(&file).unwrap();
    let mut refused = 0;
    for at in 0..100 {
        for value in [0, 1, 5, 0x7F, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            for end in ["memory.db-wal", "memory.db-shm"] {
                let _ = fs::remove_file(place.store().join(end));
            }
            fs::write(&file, bytes).unwrap();
            if let Err(error) = Store::open(place.store(), Options::existing()) {
                assert_ne!(error.code(), ErrorCode::Internal, "byte {at} as {value}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

/// Without its control file a store is whole; the file is made again.
#[test]
fn the_control_file_may_be_lost() {
    let place = Place::new();
    let (store, all) = filled(&place);
    store.seal().unwrap();
    let queries = vectors(4, 10, 16);
    let told = answers(&store, &queries, 20);
    store.close().unwrap();
    drop(store);
    fs::remove_file(place.store().join("control")).unwrap();
    let store = place.open(Options::existing());
    assert_eq!(answers(&store, &queries, 20), told);
    assert_sound(&store);
    let new = fill(&store, &vectors(5, 1, 16));
    assert!(new[0] > *all.last().unwrap());
    assert_eq!(store.recall(&Query::new(vectors(5, 1, 16).remove(0)).k(1)).unwrap().hits[0].id, new[0]);
    assert_sound(&place.open(Options::existing()));
}

/// SQLite believes the statements in its schema: a letter changed there changes which rows an index has. `verify`
/// names what was changed, and no backup is made of it.
#[test]
fn a_changed_schema_is_named() {
    let changes = [
        ("index audit_halts", "UPDATE sqlite_schema SET sql = replace(sql, '''halt''', '''halp''')"),
        ("index audit_halts", "DROP INDEX audit_halts"),
        ("trigger mine", "CREATE TRIGGER mine AFTER INSERT ON memories BEGIN DELETE FROM vectors; END"),
    ];
    for (named, change) in changes {
        let place = Place::new();
        let (store, _) = filled(&place);
        store.close().unwrap();
        drop(store);
        let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
        conn.pragma_update(None, "writable_schema", "ON").unwrap();
        conn.execute_batch(change).unwrap();
        drop(conn);
        let store = place.open(Options::existing());
        let faults = store.verify().unwrap().faults;
        assert!(faults.iter().any(|fault| fault.contains(named)), "{change}: {faults:?}");
        // Where it cannot be told whether the store is halted, it is.
        let backup = store.backup(place.at("backup"), false).unwrap_err();
        let why = backup.to_string();
        assert!(why.contains(named) || why.contains("halted") && why.contains("an index"), "{change}: {why}");
    }
}

/// An older copy of memory.db put in its place: verify says how many changes are lost, what was
/// sealed beyond it does not come back, and no id is given out twice.
#[test]
fn an_older_copy_is_noticed() {
    for empty in [false, true] {
        let place = Place::new();
        let store = place.open(Options::new(16));
        let kept = if empty { Vec::new() } else { fill(&store, &vectors(1, 50, 16)) };
        if !empty {
            practise(&store, &vectors(2, 5, 16));
        }
        store.close().unwrap();
        drop(store);
        fs::copy(place.store().join("memory.db"), place.at("older")).unwrap();

        let store = place.open(Options::existing());
        let lost = fill(&store, &vectors(3, 30, 16));
        let gone = store.recall(&Query::new(vectors(3, 30, 16).remove(0)).k(1)).unwrap();
        experience(&store, &vectors(3, 30, 16)[0], 1, gone.hits[0].id, Outcome::Success);
        store.seal().unwrap();
        store.close().unwrap();
        drop(store);
        for end in ["memory.db-wal", "memory.db-shm"] {
            let _ = fs::remove_file(place.store().join(end));
        }
        fs::copy(place.at("older"), place.store().join("memory.db")).unwrap();

        // A read-only handle cannot record the loss; it answers from what is there, and does not hang.
        let (done, ended) = std::sync::mpsc::channel();
        let path = place.store();
        std::thread::spawn(move || {
            let reader = Store::open(path, Options::existing().read_only(true)).unwrap();
            done.send(reader.recall(&Query::new(vec![1.0; 16]).k(100)).unwrap().hits.len()).unwrap();
        });
        let shown =
            ended.recv_timeout(std::time::Duration::from_secs(20)).expect("a read-only handle answers");
        assert_eq!(shown, kept.len());

        let reader = place.open(Options::existing().read_only(true));
        assert_eq!(reader.recall(&Query::new(vec![1.0; 16]).k(100)).unwrap().hits.len(), kept.len());
        let store = place.open(Options::existing());
        let found = store.verify().unwrap();
        // 30 memories and a cell, and the namespace if it came with them.
        let changes = if empty { "32" } else { "31" };
        assert!(
            found.faults.iter().any(|f| f.starts_with(changes) && f.contains("acknowledged changes")),
            "{:?}",
            found.faults
        );
        assert_eq!(store.count(None).unwrap(), kept.len() as u64);
        let hits = store.recall(&Query::new(vectors(3, 30, 16).remove(0)).k(100)).unwrap().hits;
        assert_eq!(hits.len(), kept.len(), "what was sealed beyond it does not come back");
        let late = store.update(lost[0], Update::new().content("x")).unwrap_err();
        assert_eq!(late.code(), ErrorCode::UnknownMemory);
        let new = fill(&store, &vectors(4, 10, 16));
        assert!(new.iter().all(|id| !lost.contains(id)), "empty {empty}: {new:?} {lost:?}");
        // A handle that was there before the loss was noticed sees what comes after it.
        let shown = reader.recall(&Query::new(vec![1.0; 16]).k(100)).unwrap().hits.len();
        assert_eq!(shown, kept.len() + new.len());
        store.seal().unwrap();
        let hit = &store.recall(&Query::new(vectors(4, 10, 16).remove(3)).k(1)).unwrap().hits[0];
        assert_eq!(hit.id, new[3]);
    }
}

/// What no checksum covers is held against what it goes with: references, counts, segments. A quick look
/// sees what is counted, a full one everything, and each fault names its table and row, and the way out.
#[test]
fn what_does_not_fit_together_is_noticed() {
    // The change, what the fault names, and whether a quick look sees it.
    let changes = [
        ("DELETE FROM kinds WHERE id = 1", "its kind 1 is not in table kinds", false),
        ("UPDATE namespaces SET memories = 49", "row 1 of table namespaces counts 49", true),
        ("DELETE FROM vectors WHERE memory = 7", "table vectors has 49 rows for 50 memories", true),
        (
            "INSERT INTO payloads SELECT 99, content, NULL, 1, NULL FROM payloads LIMIT 1",
            "memory 99 is not in table memories",
            true,
        ),
        ("DELETE FROM situations WHERE id = 3", "its situation 3 is not in table situations", false),
        ("DELETE FROM reports WHERE id = 4", "its report 4 is not in table reports", false),
        ("DELETE FROM cells WHERE id = 2", "has reports in", false),
        ("DELETE FROM experiences WHERE report = 4", "cell 4 is not the sum", false),
    ];
    for (change, names, quick) in changes {
        let place = Place::new();
        filled(&place).0.close().unwrap();
        let conn = Connection::open(place.store().join("memory.db")).unwrap();
        assert!(conn.execute(change, []).unwrap() > 0, "{change}");
        drop(conn);
        let store = place.open(Options::existing());
        let (seen, all) = (store.verify_quick().unwrap(), store.verify().unwrap());
        assert!(all.full && !seen.full);
        let fault = all.faults.iter().find(|fault| fault.contains(names));
        assert!(fault.is_some_and(|fault| fault.contains("way out")), "{change}: {all:?}");
        assert_eq!(seen.is_ok(), !quick, "{change}: {seen:?}");
    }
    let place = Place::new();
    let store = filled(&place).0;
    let quick = store.verify_quick().unwrap();
    assert!(quick.is_ok(), "{quick:?}");
    assert_eq!((quick.memories, quick.reports), (50, 20));
}

/// A segment that is whole and does not hold what the rows say is set aside and built anew.
#[test]
fn a_segment_that_differs_from_its_rows_is_noticed() {
    let place = Place::new();
    let (store, all) = filled(&place);
    store.seal().unwrap();
    store.close().unwrap();
    drop(store);
    // The row of a vector, changed together with its checksum.
    let vector = vectors(9, 1, 16).remove(0);
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let sum =
        [b"vectorsi".as_slice(), &7_i64.to_le_bytes(), b"b", &(bytes.len() as u64).to_le_bytes(), &bytes];
    let sum = xxhash_rust::xxh3::xxh3_64(&sum.concat()).cast_signed();
    let conn = Connection::open(place.store().join("memory.db")).unwrap();
    let changed =
        conn.execute("UPDATE vectors SET vector = ?1, checksum = ?2 WHERE memory = 7", (bytes, sum));
    assert_eq!(changed.unwrap(), 1);
    drop(conn);
    let store = place.open(Options::existing());
    assert!(store.verify_quick().unwrap().is_ok());
    let found = store.verify().unwrap();
    assert!(
        matches!(found.faults.as_slice(), [only] if only.contains("does not hold vector 7") && only.contains("next seal")),
        "{found:?}"
    );
    let hit = &store.recall(&Query::new(vector).k(1).receipt(false)).unwrap().hits[0];
    assert_eq!(hit.id, all[6], "answers come from the rows");
    store.seal().unwrap();
    drop(store);
    assert_sound(&place.open(Options::existing()));
}
