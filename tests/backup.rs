//! Backups: consistent while others write, checked whole before they are restored, and the restored store
//! is another life of the same.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use wisen::{
    Action, Answer, Directive, ErrorCode, HaltLevel, Memory, MemoryId, Metric, Options, Outcome, Query,
    Report, Store,
};
use wisen_tests::stalls::Stalls;
use wisen_tests::{Place, answers, assert_sound, child, copy_folder, fill, practise, vectors};

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let store = Store::open(&part.store, Options::existing()).unwrap();
    if part.name == "copy" {
        // Backs up, exports and restores until it is killed.
        let beside = |name: &str| part.store.with_file_name(name);
        child::say("ready");
        loop {
            store.backup(beside("backup"), true).unwrap();
            store.export(beside("export"), true).unwrap();
            for number in 0..2 {
                Store::restore(beside("backup"), beside("restored")).unwrap();
                fs::remove_dir_all(beside("restored")).unwrap();
                child::say(number);
            }
        }
    }
    // Writes until it is killed, and says the longest wait of a write so far, in microseconds.
    let mut longest = 0;
    for i in 0.. {
        let begun = Instant::now();
        let id = store.remember(Memory::new(format!("{i}"), vectors(i, 1, 16).remove(0))).unwrap();
        longest = longest.max(begun.elapsed().as_micros());
        store.report(&Report::on_memory(id, Outcome::Success)).unwrap();
        child::say(format!("{id} {longest}"));
    }
}

/// A store with a little of everything.
fn filled(place: &Place) -> Store {
    let store = place.open(Options::new(16).metric(Metric::L2).model("m"));
    let all = fill(&store, &vectors(1, 300, 16));
    practise(&store, &vectors(2, 60, 16));
    store.remember(Memory::new("elsewhere", vec![0.5; 16]).namespace("somewhere else")).unwrap();
    store.register("ann", None).unwrap();
    store.pin(all[3]).unwrap();
    store.retire(all[4], "no use").unwrap();
    store.seal().unwrap();
    store
}

fn queries() -> Vec<Vec<f32>> {
    vectors(3, 20, 16)
}

fn left_behind(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

/// What is restored answers as the store did when it was backed up, to the last bit, and says so of
/// itself.
#[test]
fn what_is_restored_is_what_was_backed_up() {
    let place = Place::new();
    let store = filled(&place);
    let all = |store: &Store| {
        let mut records = store.page(None, MemoryId(0), 1000).unwrap();
        for record in &mut records {
            record.provenance.age = Duration::ZERO;
        }
        records
    };
    let (told, records) = (answers(&store, &queries(), 20), all(&store));
    let size = store.backup(place.at("backup"), false).unwrap();
    assert_eq!(fs::metadata(place.at("backup")).unwrap().len(), size);
    // What comes later is not in it.
    fill(&store, &vectors(9, 50, 16));

    Store::restore(place.at("backup"), place.at("restored")).unwrap();
    let restored = Store::open(place.at("restored"), Options::existing()).unwrap();
    assert_sound(&restored);
    assert_eq!(answers(&restored, &queries(), 20), told);
    assert_eq!(all(&restored), records);
    let (was, is) = (store.stats().unwrap(), restored.stats().unwrap());
    assert_eq!((was.reports, was.experiences, was.model), (is.reports, is.experiences, is.model));
    assert_eq!(restored.review(None).unwrap().len(), 2);
    assert_eq!(restored.principals().unwrap(), store.principals().unwrap());
    restored.seal().unwrap();
    assert_sound(&restored);
    assert_eq!(left_behind(&place.at(".")), Vec::<String>::new());

    // A store in memory too.
    let heap = Store::open(":memory:", Options::new(16)).unwrap();
    fill(&heap, &vectors(1, 20, 16));
    heap.backup(place.at("heap"), false).unwrap();
    Store::restore(place.at("heap"), place.at("was in memory")).unwrap();
    let restored = Store::open(place.at("was in memory"), Options::existing()).unwrap();
    assert_eq!(answers(&restored, &queries(), 20), answers(&heap, &queries(), 20));
}

/// While another process writes as fast as it can: the backup holds what was acknowledged before it
/// began, a beginning of the rest, and holds the writer up by no more than a write of its own.
#[test]
fn a_backup_holds_nobody_up() {
    let place = Place::new();
    let store = place.open(Options::new(16));
    fill(&store, &vectors(1, 3000, 16));
    let stalls = Stalls::watch(&place.at(""));
    let mut writer = child::start("write", &place.store(), 0);
    let last = |line: String| -> (u64, u64) {
        let (id, longest) = line.split_once(' ').unwrap();
        (id.parse().unwrap(), longest.parse().unwrap())
    };
    for round in 0..4 {
        let (before, _) = last(writer.hear().unwrap());
        let file = place.at(&format!("backup {round}"));
        store.backup(&file, false).unwrap();
        Store::restore(&file, place.at(&format!("restored {round}"))).unwrap();
        let restored = Store::open(place.at(&format!("restored {round}")), Options::existing()).unwrap();
        assert_sound(&restored);
        let ids: Vec<u64> = restored.iter(None).map(|record| record.unwrap().id.0).collect();
        assert!(ids.iter().copied().eq(1..=ids.len() as u64), "a beginning of what was written");
        assert!(ids.len() as u64 >= before, "{} of {before}", ids.len());
        let reports = restored.stats().unwrap().reports;
        assert!((reports + 3000).abs_diff(ids.len() as u64) <= 1, "one moment for all tables");
    }
    let (end, longest) = writer.kill().into_iter().map(last).next_back().unwrap();
    assert!(end > 3004, "the writer went on");
    // Machines that do other work stall now and then; a lock held through a backup would be seconds.
    let bound = stalls.allow(Duration::from_secs(1));
    assert!(u128::from(longest) < bound.as_micros(), "a write waited {longest} us");
    assert_sound(&store);
}

/// What a killed process had begun to write is removed by the next one that writes the same; what a living one
/// writes is not.
#[test]
fn backups_that_were_killed_leave_nothing_behind() {
    let place = Place::new();
    let store = filled(&place);
    let seed = fastrand::u64(..1 << 40);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut left = 0;
    // A kill that comes between two files leaves nothing.
    for kill in 0..200 {
        let mut child = child::start("copy", &place.store(), 0);
        assert_eq!(child.hear().as_deref(), Some("ready"));
        std::thread::sleep(Duration::from_micros(rng.u64(200..60_000)));
        child.kill();
        let _ = fs::remove_dir_all(place.at("restored"));
        left += left_behind(&place.at(".")).len();
        store.backup(place.at("backup"), true).unwrap();
        store.export(place.at("export"), true).unwrap();
        Store::restore(place.at("backup"), place.at("restored")).unwrap();
        fs::remove_dir_all(place.at("restored")).unwrap();
        assert_eq!(left_behind(&place.at(".")), Vec::<String>::new(), "kill {kill}");
        if kill >= 10 && left > 3 {
            break;
        }
    }
    assert!(left > 0, "some were killed in the middle");
    // Two at once to the same file: each takes the other's draft for what it is.
    let mut child = child::start("copy", &place.store(), 0);
    assert_eq!(child.hear().as_deref(), Some("ready"));
    for _ in 0..10 {
        store.backup(place.at("backup"), true).unwrap();
        store.export(place.at("export"), true).unwrap();
    }
    assert!((0..3).all(|_| child.hear().is_some()), "it goes on");
    child.kill();
}

/// An existing file is replaced only when asked, and never one of the store itself.
#[test]
fn a_backup_is_put_over_nothing() {
    let place = Place::new();
    let store = filled(&place);
    let refused = |file: &Path, replace: bool| {
        let error = store.backup(file, replace).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{error}");
    };
    fs::write(place.at("letter"), "dear").unwrap();
    refused(&place.at("letter"), false);
    assert_eq!(fs::read(place.at("letter")).unwrap(), b"dear");
    for inside in ["memory.db", "backup", "segments/backup"] {
        refused(&place.store().join(inside), true);
    }
    refused(&place.store(), true);
    store.backup(place.at("letter"), true).unwrap();
    Store::restore(place.at("letter"), place.at("restored")).unwrap();
    assert!(store.backup(place.at("no folder/backup"), false).unwrap_err().code() == ErrorCode::Io);
    // Nor is a store restored over anything.
    let error = Store::restore(place.at("letter"), place.at("restored")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument, "{error}");
    fs::create_dir(place.at("empty")).unwrap();
    Store::restore(place.at("letter"), place.at("empty")).unwrap();
    assert_sound(&Store::open(place.at("empty"), Options::existing()).unwrap());
    assert_sound(&store);
}

/// A backup that was changed anywhere is refused, with what is wrong, and nothing is restored; or the
/// change is in nothing that counts.
#[test]
fn a_damaged_backup_is_refused() {
    let place = Place::new();
    let store = filled(&place);
    let told = answers(&store, &queries(), 20);
    store.backup(place.at("backup"), false).unwrap();
    let whole = fs::read(place.at("backup")).unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut refused = 0;
    for round in 0..120 {
        let mut bytes = whole.clone();
        match round % 4 {
            0 => bytes.truncate(rng.usize(..whole.len())),
            1 => (0..64).for_each(|_| bytes[rng.usize(..whole.len())] = rng.u8(..)),
            _ => bytes[rng.usize(..whole.len())] ^= 1 << rng.u8(..8),
        }
        fs::write(place.at("damaged"), bytes).unwrap();
        if let Err(error) = Store::restore(place.at("damaged"), place.at("restored")) {
            refused += 1;
            assert!(
                matches!(error.code(), ErrorCode::BadBackup | ErrorCode::NewerSchema | ErrorCode::Io),
                "round {round}: {error}"
            );
            assert!(!place.at("restored").exists());
            continue;
        }
        let restored = Store::open(place.at("restored"), Options::existing()).unwrap();
        assert_eq!(answers(&restored, &queries(), 20), told, "round {round}");
        assert_sound(&restored);
        drop(restored);
        fs::remove_dir_all(place.at("restored")).unwrap();
    }
    // A single bit may lie in a part of a page that nothing uses.
    assert!(refused >= 60, "{refused} of 120 were refused");

    // Where no row has a checksum.
    for change in [
        "UPDATE namespaces SET name = 'another' WHERE id = 2",
        "UPDATE kinds SET name = 'another'",
        "DELETE FROM changes WHERE seq = 5",
        "DELETE FROM experiences",
        "UPDATE sqlite_schema SET sql = replace(sql, '''halt''', '''halp''')",
    ] {
        fs::write(place.at("damaged"), &whole).unwrap();
        let conn = rusqlite::Connection::open(place.at("damaged")).unwrap();
        conn.pragma_update(None, "writable_schema", "ON").unwrap();
        assert!(conn.execute(change, []).unwrap() > 0);
        drop(conn);
        let error = Store::restore(place.at("damaged"), place.at("restored")).unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadBackup, "{change}: {error}");
        assert!(
            error
                .to_string()
                .contains(change.split(' ').nth(if change.starts_with('U') { 1 } else { 2 }).unwrap())
        );
    }
    // A database in use is no backup, nor is anything else.
    let live = Store::restore(place.store().join("memory.db"), place.at("restored")).unwrap_err();
    assert_eq!(live.code(), ErrorCode::BadBackup, "{live}");
    fs::write(place.at("damaged"), "no database").unwrap();
    let none = Store::restore(place.at("damaged"), place.at("restored")).unwrap_err();
    assert_eq!(none.code(), ErrorCode::BadBackup, "{none}");
    assert_eq!(Store::restore(place.at("none"), place.at("restored")).unwrap_err().code(), ErrorCode::Io);
    assert!(!place.at("restored").exists() && left_behind(&place.at(".")).is_empty());
}

/// Files of the life that went on after the backup, put into the restored store, do no harm: no loss is
/// reported, no point of theirs comes back, and no id is given out that they know.
#[test]
fn files_of_another_life_do_no_harm() {
    let place = Place::new();
    let store = filled(&place);
    let told = answers(&store, &queries(), 20);
    store.backup(place.at("backup"), false).unwrap();
    // The older life goes on.
    let later = fill(&store, &vectors(7, 400, 16));
    practise(&store, &vectors(8, 20, 16));
    store.seal().unwrap();
    let receipt = store.recall(&Query::new(queries().remove(0))).unwrap().receipt.unwrap();
    // It gets an authority, and is halted: neither is so in the other life.
    store.create_authority("owner").unwrap();
    store.halt("the older life", wisen::HaltLevel::DenyAll).unwrap();
    store.close().unwrap();
    drop(store);

    Store::restore(place.at("backup"), place.at("restored")).unwrap();
    copy_folder(&place.store().join("segments"), &place.at("restored").join("segments"));
    fs::copy(place.store().join("control"), place.at("restored").join("control")).unwrap();
    let restored = Store::open(place.at("restored"), Options::existing()).unwrap();
    assert_eq!(restored.halted().unwrap(), None);
    assert_sound(&restored);
    assert_eq!(answers(&restored, &queries(), 20), told);
    // A receipt that nobody had reported on is not in a backup.
    std::thread::sleep(Duration::from_millis(1));
    let unknown = restored.report(&Report::on(receipt, Outcome::Success));
    assert!(unknown.is_err() || unknown.unwrap().status == wisen::ReportStatus::Pending);
    let new = fill(&restored, &vectors(9, 500, 16));
    assert!(new.iter().all(|id| !later.contains(id)), "{new:?}");
    restored.seal().unwrap();
    for (id, point) in new.iter().zip(&vectors(9, 500, 16)) {
        assert_eq!(restored.recall(&Query::new(point.clone()).k(1).receipt(false)).unwrap().hits[0].id, *id);
    }
    assert_sound(&restored);
}

/// No number is given out twice in the two lives of a store, not even of what it had none of.
#[test]
fn restored_stores_begin_beyond_what_the_older_life_may_give_out() {
    let place = Place::new();
    let store = place.open(Options::new(16));
    store.backup(place.at("backup"), false).unwrap();
    Store::restore(place.at("backup"), place.at("restored")).unwrap();
    let restored = Store::open(place.at("restored"), Options::existing()).unwrap();
    let live = |store: &Store| {
        let id = fill(store, &vectors(1, 1, 16))[0];
        (id.0, store.report(&Report::on_memory(id, Outcome::Success)).unwrap().id.0)
    };
    let (older, newer) = (live(&store), live(&restored));
    assert!(newer.0 > older.0 && newer.1 > older.1, "{older:?} {newer:?}");
}

/// Whoever opens a store read-only before anybody has opened it for writing sees what is done to it from then on, at
/// the next call: by the control file that came with it, or the one that the first writer makes.
#[test]
fn a_reader_that_was_first_hears_all() {
    let place = Place::new();
    let store = place.open(Options::new(16));
    fill(&store, &vectors(1, 50, 16));
    store.backup(place.at("backup"), false).unwrap();
    store.close().unwrap();
    drop(store);
    for control in ["its own", "none", "zeros", "of another store"] {
        let folder = place.at(control);
        Store::restore(place.at("backup"), &folder).unwrap();
        let file = folder.join("control");
        match control {
            "none" => fs::remove_file(&file).unwrap(),
            "zeros" => fs::write(&file, [0_u8; 512]).unwrap(),
            "of another store" => drop(fs::copy(place.store().join("control"), &file).unwrap()),
            _ => {}
        }
        let reader = Store::open(&folder, Options::existing().read_only(true)).unwrap();
        let query = Query::new([0.25; 16]).k(1).receipt(false);
        let nearest = || reader.recall(&query).map(|recall| recall.hits[0].id).map_err(|error| error.code());
        let before = nearest();
        assert!(before.is_ok(), "{control}");
        let store = Store::open(&folder, Options::existing()).unwrap();
        for _ in 0..2 {
            let id = store.remember(Memory::new("new", [0.25; 16])).unwrap();
            assert_eq!(nearest(), Ok(id), "{control}");
            store.forget(id).unwrap();
            assert_eq!(nearest(), before, "{control}");
            store.halt("for all", HaltLevel::NoRecalls).unwrap();
            assert_eq!(nearest(), Err(ErrorCode::Halted), "{control}");
            assert_eq!(reader.halted().unwrap().unwrap().reason, "for all", "{control}");
            store.resume("over", None).unwrap();
            assert_eq!(nearest(), before, "{control}");
            store.seal().unwrap();
            assert_eq!(nearest(), before, "{control}");
        }
        let keys = store.create_authority("ann").unwrap();
        let rule = Directive::parse("NEVER \"r\" because \"x\" when tool is \"rm\"").unwrap();
        store.add_directives(&keys.secret, &[rule]).unwrap();
        assert_eq!(reader.check(&Action::new("rm")).unwrap().answer, Answer::Deny, "{control}");
        assert_sound(&store);
    }
}

/// What is restored, imported or embedded anew has a control file of its own from the start.
#[test]
fn new_stores_come_with_their_control_files() {
    let place = Place::new();
    let store = filled(&place);
    store.backup(place.at("backup"), false).unwrap();
    store.export(place.at("export"), false).unwrap();
    Store::restore(place.at("backup"), place.at("restored")).unwrap();
    Store::import(place.at("export"), place.at("imported")).unwrap();
    let embed = |_, texts: &[&str]| Ok(texts.iter().map(|_| vec![0.5; 16]).collect());
    store.reembed(place.at("moved"), "another", 16, embed).unwrap();
    for name in ["restored", "imported", "moved"] {
        let control = || fs::read(place.at(name).join("control")).unwrap();
        let made = control();
        assert_eq!((made.len(), &made[..8]), (512, &b"WISENCTL"[..]), "{name}");
        let opened = Store::open(place.at(name), Options::existing()).unwrap();
        assert_sound(&opened);
        opened.close().unwrap();
        assert_eq!(control()[..24], made[..24], "{name}: it was of another store");
        assert_eq!(left_behind(&place.at(name)), Vec::<String>::new());
    }
}
