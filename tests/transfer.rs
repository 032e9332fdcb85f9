//! Exports and imports: exact, complete, and nothing half done.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wisen::{
    Error, ErrorCode, HalfLife, ManualClock, Memory, MemoryId, Metric, Options, Outcome, Policy, Query,
    Report, Store,
};
use wisen_tests::{Place, answers, assert_sound, fill, ids, practise, vectors};

const NOW: i64 = 1_790_000_000_000_000;

fn options() -> Options {
    Options::existing().clock(Arc::new(ManualClock::at(NOW)))
}

/// A store with a little of everything there is.
fn rich(path: &Path, metric: Metric) -> Store {
    let clock = Arc::new(ManualClock::at(NOW - 40 * 86_400_000_000));
    let new = Options::new(16).metric(metric).model("m \u{e9} \"q\"").clock(clock.clone());
    let store = Store::open(path, new).unwrap();
    let points = vectors(1, 220, 16);
    let mut all = fill(&store, &points);
    for (i, point) in points.iter().enumerate().take(40) {
        let memory = Memory::new("long, and the same again; ".repeat(i), point.clone())
            .namespace("another one")
            .kind(if i % 2 == 0 { "recipe" } else { "note" })
            .author("ann")
            .key(format!("key {i}"))
            .metadata(json!({ "n": i, "x": 0.1 + i as f64, "t": "\u{1F600}\n", "deep": [{"a": null}] }));
        all.push(
            store
                .remember(if i == 3 { memory.time_to_live(Duration::from_hours(9000)) } else { memory })
                .unwrap(),
        );
    }
    let token = store.register("ann", None).unwrap();
    store.set_half_life("recipe", HalfLife::Days(30.0)).unwrap();
    store.set_half_life("note", HalfLife::Auto).unwrap();
    let mut policy = Policy::default();
    (policy.quarantine, policy.floor) = (true, 0.3);
    store.set_policy("another one", policy).unwrap();
    practise(&store, &vectors(2, 80, 16));
    clock.advance(Duration::from_hours(24 * 30));
    for (i, query) in vectors(3, 30, 16).into_iter().enumerate() {
        let query = Query::new(query).namespace("another one").k(4).text(format!("what of {i}"));
        let recall = store.recall(&query).unwrap();
        let used = recall.hits[i % 4].id;
        let told = |outcome| Report::on(recall.receipt.unwrap(), outcome).used(used);
        store.report(&told(Outcome::Success).key(format!("r{i}")).tokens(7).cost_micros(-3)).unwrap();
        store.report(&told(Outcome::Graded(0.3)).reporter("ann").token(&token).note("so so")).unwrap();
        store.report(&told(Outcome::Success).reporter("bob").weight(0.7)).unwrap();
    }
    let last = store.report(&Report::on_memory(all[9], Outcome::Failure).severe(true)).unwrap();
    store.report(&Report::on_memory(all[8], Outcome::Unknown).situation([0.25; 16])).unwrap();
    store.retract(last.id).unwrap();
    store.report(&Report::on_memory(all[10], Outcome::Failure).severe(true)).unwrap();
    store.pin(all[11]).unwrap();
    store.remember(Memory::new("newer", points[12].clone()).supersedes(all[12])).unwrap();
    store.forget(all[13]).unwrap();
    store.remember(Memory::new("a twin", points[14].clone())).unwrap();
    let best = match metric {
        Metric::L2 => -1e-9,
        Metric::Cosine => 0.999_999,
        Metric::Dot => return store,
    };
    assert!(!store.distil("default", best).unwrap().is_empty());
    store
}

fn queries() -> Vec<Vec<f32>> {
    vectors(4, 20, 16)
}

/// What comes back is the same: the export of the import byte for byte, the answers to the last bit, the
/// records, and what becomes of either when the same happens to it.
#[test]
fn a_round_trip_is_exact() {
    for (metric, sealed) in [(Metric::Cosine, false), (Metric::L2, true), (Metric::Dot, false)] {
        let place = Place::new();
        let store = rich(&place.store(), metric);
        if sealed {
            store.seal().unwrap();
        }
        store.close().unwrap();
        let store = place.open(options());
        let rows = store.export(place.at("one.jsonl"), false).unwrap();
        Store::import(place.at("one.jsonl"), place.at("imported")).unwrap();
        let imported = Store::open(place.at("imported"), options()).unwrap();
        assert_sound(&imported);
        assert_eq!(imported.export(place.at("two.jsonl"), false).unwrap(), rows);
        let (one, two) = (fs::read(place.at("one.jsonl")).unwrap(), fs::read(place.at("two.jsonl")).unwrap());
        let differing = one.split(|b| *b == b'\n').zip(two.split(|b| *b == b'\n')).find(|(a, b)| a != b);
        assert!(
            one == two,
            "{:?}",
            differing.map(|(a, b)| (String::from_utf8_lossy(a), String::from_utf8_lossy(b)))
        );
        assert_eq!(one.split(|byte| *byte == b'\n').count() as u64 - 1, rows + 2);

        let same = |what: &str| {
            assert!(answers(&store, &queries(), 300) == answers(&imported, &queries(), 300), "{what}");
        };
        same("imported");
        let all = |store: &Store| store.page(None, MemoryId(0), 1000).unwrap();
        assert_eq!(all(&store), all(&imported));
        assert_eq!(store.principals().unwrap(), imported.principals().unwrap());
        assert_eq!(store.review(None).unwrap(), imported.review(None).unwrap());
        assert_eq!(store.audit_entries(0, 1000).unwrap(), imported.audit_entries(0, 1000).unwrap());
        assert_eq!(store.half_life("note").unwrap(), imported.half_life("note").unwrap());
        assert_eq!(store.policy("another one").unwrap(), imported.policy("another one").unwrap());
        assert_eq!(store.calibration(None).unwrap(), imported.calibration(None).unwrap());
        // The same happens to both.
        for store in [&store, &imported] {
            let new = store.remember(Memory::new("later", queries()[0].clone())).unwrap();
            store.report(&Report::on_memory(new, Outcome::Success)).unwrap();
            for report in 1..20 {
                store.retract(wisen::ReportId(report)).unwrap();
            }
            let again = Report::on_memory(MemoryId(1), Outcome::Success).key("r3");
            assert_eq!(store.report(&again).unwrap_err().code(), ErrorCode::KeyConflict);
        }
        same("and after the same");
        assert_eq!(all(&store), all(&imported));
        imported.seal().unwrap();
        imported.compact().unwrap();
        assert_sound(&imported);
        // Nothing is put over anything.
        let over = store.export(place.at("one.jsonl"), false).unwrap_err();
        assert_eq!(over.code(), ErrorCode::InvalidArgument);
        let over = Store::import(place.at("one.jsonl"), place.store()).unwrap_err();
        assert_eq!(over.code(), ErrorCode::InvalidArgument);
        store.export(place.at("one.jsonl"), true).unwrap();
    }
}

/// An export is lines that anybody can read.
#[test]
fn an_export_can_be_read_by_others() {
    let place = Place::new();
    rich(&place.store(), Metric::L2).export(place.at("export"), false).unwrap();
    let text = fs::read_to_string(place.at("export")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["wisen_export"], &lines[0]["dimension"]), (&1.into(), &16.into()));
    let memory = lines.iter().find(|line| line["key"] == "key 2").unwrap();
    assert_eq!(memory["content"], "long, and the same again; ".repeat(2));
    assert_eq!((&memory["metadata"]["x"], &memory["table"]), (&2.1.into(), &"memories".into()));
    assert_eq!(memory["vector"].as_str().unwrap().len(), 88, "64 bytes in base64");
    assert!(
        lines.iter().any(|line| line["note"] == "so so")
            && lines.iter().any(|line| line["query_text"] == "what of 7")
    );
    assert_eq!(lines.last().unwrap()["rows"], (lines.len() - 2) as u64);
    for table in ["segments", "payloads", "vectors"] {
        assert!(lines.iter().all(|line| line["table"] != table));
    }
}

fn import(place: &Place, text: &[u8]) -> wisen::Result<Store> {
    fs::write(place.at("changed"), text).unwrap();
    let _ = fs::remove_dir_all(place.at("imported"));
    let result = Store::import(place.at("changed"), place.at("imported"));
    assert_eq!(result.is_ok(), place.at("imported").exists(), "whole or not at all");
    result?;
    Store::open(place.at("imported"), options())
}

/// What is wrong with an export is an error that names the line, and nothing is imported.
#[test]
fn a_malformed_line_is_named() {
    let place = Place::new();
    rich(&place.store(), Metric::Cosine).export(place.at("export"), false).unwrap();
    let text = fs::read_to_string(place.at("export")).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let of = |table: &str| {
        let start = format!("\"table\":\"{table}\"");
        lines.iter().position(|line| line.contains(&start)).unwrap()
    };
    let named = |at: usize, change: &dyn Fn(&str) -> String, why: &str| {
        let mut lines = lines.clone();
        lines[at] = change(&lines[at]);
        let error = import(&place, (lines.join("\n") + "\n").as_bytes()).unwrap_err();
        match &error {
            Error::BadImport { line, why: what } => {
                assert!(*line == at as u64 + 1 && what.contains(why), "line {}: {error}", at + 1);
            }
            other => panic!("{other}"),
        }
    };
    let swap = |from: &'static str, to: &'static str| {
        move |line: &str| {
            assert!(line.contains(from), "{line}");
            line.replacen(from, to, 1)
        }
    };
    named(0, &swap("\"wisen_export\":1", "\"wisen_export\":2"), "format 2");
    named(0, &swap("\"schema\":", "\"schema\":99"), "newer Wisen");
    named(0, &|_| "{}".to_owned(), "no export");
    named(0, &swap("cosine", "cosmic"), "cosmic");
    named(5, &|_| "{\"table\":\"memories\"".to_owned(), "no JSON");
    named(5, &|_| "[]".to_owned(), "no JSON object");
    named(5, &|_| String::new(), "no JSON");
    named(of("kinds"), &swap("kinds", "kinks"), "no table kinks");
    named(of("kinds"), &swap("\"name\"", "\"nome\""), "no column nome");
    named(of("kinds") + 1, &|_| lines[of("kinds")].clone(), "cannot hold it");
    named(of("kinds"), &swap("\"note\"", "true"), "neither a number");
    named(of("kinds"), &swap("\"note\"", "{\"base64\":\"?\"}"), "name");
    named(of("memories"), &swap("\"vector\":\"", "\"vector\":\"A"), "vector");
    named(of("memories"), &swap("\"vector\":\"", "\"vector\":\"AAAA"), "vector");
    named(of("memories"), &swap("\"content\":\"", "\"content\":3,\"x\":\""), "content is no text");
    named(of("memories"), &swap("\"metadata\":null", "\"metadata\":[]"), "metadata");
    named(of("memories"), &swap("\"created_at\":", "\"created_at\":1e99,\"x\":"), "no column x");
    named(of("memories") + 2, &|line| line.replace("\"kind\":1", "\"kind\":null"), "cannot hold it");
    named(of("situations"), &|line| line.replace("base64\":\"", "base64\":\"////"), "vector");
    // Cut, longer, changed where only the last line can tell.
    for cut in [0, 1, lines[0].len() + 1, text.len() / 2, text.len() - 1] {
        assert_eq!(
            import(&place, &text.as_bytes()[..cut]).unwrap_err().code(),
            ErrorCode::BadImport,
            "{cut}"
        );
    }
    for whole in [
        lines[..lines.len() - 1].join("\n") + "\n",
        text.clone() + "{}\n",
        text.replace("memory 7\"", "memory 8\""),
    ] {
        assert_eq!(import(&place, whole.as_bytes()).unwrap_err().code(), ErrorCode::BadImport);
    }
    let none = Store::import(place.at("none"), place.at("imported")).unwrap_err();
    assert_eq!(none.code(), ErrorCode::Io);
    import(&place, text.as_bytes()).unwrap();
}

/// The export of a small store with something of most kinds, in the file `export`, and a seeded generator.
fn small_export() -> (fastrand::Rng, Place) {
    let seed = fastrand::u64(..1 << 40);
    println!("seed {seed}");
    let place = Place::new();
    let store = Store::open(place.store(), Options::new(4)).unwrap();
    let all = fill(&store, &vectors(1, 6, 4));
    practise(&store, &vectors(2, 5, 4));
    store.pin(all[0]).unwrap();
    store.export(place.at("export"), false).unwrap();
    (fastrand::Rng::with_seed(seed), place)
}

/// However an export is changed: an error, or the same store; never a panic.
#[test]
fn random_changes_are_errors_or_harmless() {
    let (mut rng, place) = small_export();
    let whole = fs::read(place.at("export")).unwrap();
    let mut refused = 0;
    for round in 0..400 {
        let mut bytes = whole.clone();
        match round % 8 {
            0 => bytes.truncate(rng.usize(..whole.len())),
            1 => bytes[rng.usize(..whole.len())] = rng.u8(..),
            2 => bytes[rng.usize(..whole.len())] ^= 1 << rng.u8(..8),
            3 => {
                // A digit, so that it stays JSON.
                let digits: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i].is_ascii_digit()).collect();
                bytes[digits[rng.usize(..digits.len())]] = rng.u8(b'0'..=b'9');
            }
            4 | 5 => {
                // Lines dropped, doubled, exchanged.
                let mut lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
                let (a, b) = (rng.usize(..lines.len()), rng.usize(..lines.len()));
                match rng.u8(..3) {
                    0 => drop(lines.remove(a)),
                    1 => lines.insert(a, lines[b]),
                    _ => lines.swap(a, b),
                }
                bytes = lines.concat();
            }
            6 => {
                let at = rng.usize(..whole.len());
                let more: Vec<u8> = (0..rng.usize(1..40)).map(|_| rng.u8(..)).collect();
                bytes.splice(at..at, more);
            }
            _ => {
                // A value exchanged for one of another kind.
                let text = String::from_utf8(bytes).unwrap();
                let colons: Vec<usize> = text.match_indices("\":").map(|(at, _)| at + 2).collect();
                let at = colons[rng.usize(..colons.len())];
                let end = text[at..].find([',', '}', '\n']).unwrap() + at;
                let values = [
                    "null",
                    "-1",
                    "9223372036854775807",
                    "1e308",
                    "\"\"",
                    "{}",
                    "18446744073709551615",
                    "{\"base64\":\"\"}",
                ];
                bytes =
                    (text[..at].to_owned() + values[rng.usize(..values.len())] + &text[end..]).into_bytes();
            }
        }
        match import(&place, &bytes) {
            Err(error) => {
                refused += 1;
                let known = [ErrorCode::BadImport, ErrorCode::Corrupt];
                assert!(known.contains(&error.code()), "round {round}: {error}");
            }
            Ok(imported) => {
                imported.export(place.at("again"), true).unwrap();
                assert!(fs::read(place.at("again")).unwrap() == whole, "round {round}");
                assert_sound(&imported);
            }
        }
    }
    println!("{refused} of 400 were refused");
    assert!(refused > 300);
}

/// Values changed with the checksum of the file made right: what the rows' own checksums and references
/// tell is an error, whatever is left is a sound store.
#[test]
fn changes_with_a_right_checksum_are_held_against_the_rows() {
    let (mut rng, place) = small_export();
    let whole = fs::read_to_string(place.at("export")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let mut refused = 0;
    for round in 0..300 {
        let mut changed: Vec<String> =
            lines[..lines.len() - 1].iter().map(|line| (*line).to_owned()).collect();
        let at = rng.usize(..changed.len());
        let mut line: Value = serde_json::from_str(&changed[at]).unwrap();
        let fields = line.as_object_mut().unwrap();
        let names: Vec<String> = fields.keys().cloned().collect();
        let values = [
            json!(null),
            json!(-1),
            json!(i64::MAX),
            json!(0),
            json!(1),
            json!(1e308),
            json!(""),
            json!({"base64": "AAAAAAAA"}),
        ];
        fields.insert(names[rng.usize(..names.len())].clone(), values[rng.usize(..values.len())].clone());
        changed[at] = line.to_string();
        let body = changed.join("\n") + "\n";
        let sum = xxhash_rust::xxh3::xxh3_128(body.as_bytes());
        let text =
            format!("{body}{}\n", json!({ "rows": lines.len() - 2, "checksum": format!("{sum:032x}") }));
        match import(&place, text.as_bytes()) {
            Err(error) => {
                refused += 1;
                let known = [ErrorCode::BadImport, ErrorCode::Corrupt, ErrorCode::NewerSchema];
                assert!(known.contains(&error.code()), "round {round}: {error}");
            }
            Ok(imported) => {
                assert_sound(&imported);
                answers(&imported, &vectors(3, 3, 4), 10);
            }
        }
    }
    println!("{refused} of 300 were refused");
    assert!(refused > 150);
}

/// Memories alone go into a store that has others, under new ids.
#[test]
fn memories_can_be_imported_into_a_store() {
    let place = Place::new();
    let from = rich(&place.store(), Metric::Cosine);
    from.export(place.at("export"), false).unwrap();
    let store =
        Store::open(place.at("other"), Options::new(16).clock(Arc::new(ManualClock::at(NOW)))).unwrap();
    let before = fill(&store, &vectors(9, 10, 16));
    let new = store.import_memories(place.at("export")).unwrap();
    assert_eq!(new.len() as u64, from.count(None).unwrap());
    assert!(new.iter().all(|id| !before.contains(id)));
    assert_eq!(store.stats().unwrap().reports, 0);
    let live = from.iter(None).map(|record| record.unwrap());
    let live = live.filter(|record| record.superseded_by.is_none() && record.merged_into.is_none());
    for (id, was) in new.iter().zip(live) {
        let is = store.get(*id).unwrap().unwrap();
        assert_eq!(
            (is.content, is.vector, is.metadata, is.namespace),
            (was.content, was.vector, was.metadata, was.namespace)
        );
        assert_eq!(is.provenance.source, Some(wisen::Source::Import));
        assert_eq!(
            (is.kind, is.author, is.key, is.expires_at),
            (was.kind, was.author, was.key, was.expires_at)
        );
    }
    let hit = store.recall(&Query::new(vectors(1, 220, 16).remove(50)).k(1)).unwrap();
    assert_eq!(ids(&hit).len(), 1);
    // Again: keys are taken by the same memories, so those are not stored twice; and what does not fit is
    // refused whole, by line.
    let count = store.count(None).unwrap();
    store.import_memories(place.at("export")).unwrap();
    let twice = store.count(None).unwrap();
    assert_eq!(twice, count + new.len() as u64 - 40);
    let keyed = Memory::new("something else", [1.0; 16]).namespace("another one").key("key 5");
    let third = Store::open(place.at("third"), Options::new(16)).unwrap();
    third.remember(keyed).unwrap();
    let other = Store::open(place.at("fourth"), Options::new(8)).unwrap();
    for store in [&third, &other] {
        let error = store.import_memories(place.at("export")).unwrap_err();
        assert!(matches!(&error, Error::BadImport { line, .. } if *line > 1), "{error}");
        assert!(store.count(None).unwrap() <= 1, "nothing was imported");
    }
    let other = Store::open(place.at("fifth"), Options::new(16).model("another one")).unwrap();
    let error = other.import_memories(place.at("export")).unwrap_err();
    assert!(matches!(error, Error::Mismatch { what: "embedding model", .. }), "{error}");
    let text = fs::read_to_string(place.at("export")).unwrap().replace("memory 8\"", "memory 9\"");
    fs::write(place.at("changed"), text).unwrap();
    assert_eq!(store.import_memories(place.at("changed")).unwrap_err().code(), ErrorCode::BadImport);
    assert_eq!(store.count(None).unwrap(), twice);
    assert_sound(&store);
}
