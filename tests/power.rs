//! Power losses: every change of a file is recorded while a history runs; then a disk is made up as a
//! power loss may have left it at any point, with unsynced writes dropped, torn or reordered, and unsynced
//! names missing. Under `durability full` nothing acknowledged may be lost, under `normal` only a suffix of
//! what was not flushed or, like directives and halts, durable by itself; the store always opens, holds a prefix of the
//! history, and can be written to.
//! `WISEN_ATTACK` sets the number of disks, `WISEN_SEED` repeats a run.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

#[path = "shim/mod.rs"]
mod shim;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shim::{Event, Mark, Watch};
use wisen::{Durability, ErrorCode, HaltLevel, Memory, Options, Outcome, Query, Report, SecretKey, Store};
use wisen_tests::history::{self, ALONE, DIM, History, Op, Run, Twin, difference, observe};
use wisen_tests::upkeep;

/// Disks under `WISEN_ATTACK=ci`.
const IMAGES: u64 = 5000;
/// Operations of a history, and disks made of its trace.
const OPERATIONS: u64 = 50;
const EACH: usize = 125;
/// What a disk writes at once.
const SECTOR: usize = 512;

/// The control file may have reached the disk as it is now: its map is written at any time.
fn may_reach_the_disk(watch: &Watch, control: &Path) {
    watch.mark(Mark::Mapped(control.to_owned(), std::fs::read(control).unwrap()));
}

/// Runs a history below `root` and records what becomes of the files. Returns the key of the store's authority too.
fn record(
    root: &Path,
    seed: u64,
    durability: Durability,
    rng: &mut fastrand::Rng,
) -> (Vec<Event>, SecretKey) {
    let watch = Watch::new(root);
    watch.record(root);
    let path = root.join("store");
    let control = path.join("control");
    let open = || Store::open(&path, Options::new(DIM).durability(durability).threads(1)).unwrap();
    let mut store = open();
    let mut run = Run::begin(&store, seed).unwrap();
    for done in 0..OPERATIONS {
        watch.mark(Mark::Issued(done + 1));
        let op = run.history.step();
        run.perform(&store, &op).unwrap();
        may_reach_the_disk(&watch, &control);
        watch.mark(Mark::Acknowledged(done + 1));
        if op.is_durable() {
            watch.mark(Mark::Flushed(done + 1));
        }
        if rng.u32(..6) == 0 {
            upkeep::upkeep(rng).1(&store).unwrap();
            may_reach_the_disk(&watch, &control);
            // A seal with nothing to seal makes nothing durable.
            store.flush().unwrap();
            watch.mark(Mark::Flushed(done + 1));
        }
        if rng.u32(..20) == 0 {
            if rng.bool() {
                store.close().unwrap();
                watch.mark(Mark::Flushed(done + 1));
            }
            drop(store);
            store = open();
            run.look(&store).unwrap();
        }
    }
    drop(store);
    (watch.recorded(), run.key)
}

#[derive(Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// What was stored through a map since it was synced; any of them may be on the disk.
    mapped: Vec<Vec<u8>>,
}

#[derive(Clone)]
enum Name {
    Put(PathBuf, Entry),
    Move(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Clone, Copy)]
enum Entry {
    File(u32),
    Folder,
}

#[derive(Default)]
struct Folder {
    durable: BTreeMap<PathBuf, Entry>,
    pending: Vec<Name>,
}

/// What is surely on a disk, and what may be.
#[derive(Default)]
struct Disk {
    files: HashMap<u32, File>,
    folders: HashMap<PathBuf, Folder>,
    /// Names as a running system sees them.
    names: HashMap<PathBuf, u32>,
}

fn change(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(at, new) => {
            let end = *at as usize + new.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at as usize..end].copy_from_slice(new);
        }
        Change::Length(length) => bytes.resize(*length as usize, 0),
    }
}

fn rename(names: &mut BTreeMap<PathBuf, Entry>, name: &Name) {
    match name {
        Name::Put(path, entry) => drop(names.insert(path.clone(), *entry)),
        Name::Remove(path) => drop(names.remove(path)),
        Name::Move(from, to) => {
            if let Some(entry) = names.remove(from) {
                names.insert(to.clone(), entry);
            }
        }
    }
}

impl Disk {
    fn in_folder(&mut self, path: &Path, name: Name) {
        self.folders.entry(path.parent().unwrap().to_owned()).or_default().pending.push(name);
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Create { path, file } => {
                self.files.insert(*file, File::default());
                self.names.insert(path.clone(), *file);
                self.in_folder(path, Name::Put(path.clone(), Entry::File(*file)));
            }
            Event::Write { file, at, bytes } => {
                self.files.get_mut(file).unwrap().pending.push(Change::Write(*at, bytes.clone()));
            }
            Event::Truncate { file, length } => {
                self.files.get_mut(file).unwrap().pending.push(Change::Length(*length));
            }
            Event::Sync { file } => {
                let file = self.files.get_mut(file).unwrap();
                for one in std::mem::take(&mut file.pending) {
                    change(&mut file.durable, &one);
                }
                if let Some(mapped) = file.mapped.pop() {
                    file.durable = mapped;
                    file.mapped.clear();
                }
            }
            Event::SyncMap { file, bytes } => {
                let file = self.files.get_mut(file).unwrap();
                file.durable.clone_from(bytes);
                file.mapped.clear();
            }
            Event::SyncFolder { path } => {
                let folder = self.folders.entry(path.clone()).or_default();
                for name in std::mem::take(&mut folder.pending) {
                    rename(&mut folder.durable, &name);
                }
            }
            Event::Rename { from, to } => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                }
                self.in_folder(to, Name::Move(from.clone(), to.clone()));
            }
            Event::Link { from, to } => {
                let file = self.names[from];
                self.names.insert(to.clone(), file);
                self.in_folder(to, Name::Put(to.clone(), Entry::File(file)));
            }
            Event::Remove { path } => {
                self.names.remove(path);
                self.in_folder(path, Name::Remove(path.clone()));
            }
            Event::Folder { path } => self.in_folder(path, Name::Put(path.clone(), Entry::Folder)),
            Event::Mark(Mark::Mapped(path, bytes)) => {
                if let Some(file) = self.names.get(path) {
                    self.files.get_mut(file).unwrap().mapped.push(bytes.clone());
                }
            }
            Event::Mark(_) => {}
        }
    }

    /// Writes a disk as a power loss may leave it. `root` is the folder that was watched.
    fn write(&self, root: &Path, to: &Path, rng: &mut fastrand::Rng) {
        std::fs::create_dir_all(to).unwrap();
        let manner = rng.u32(..6);
        let empty = Folder::default();
        let folder = self.folders.get(root).unwrap_or(&empty);
        let mut names = folder.durable.clone();
        // Names reach a disk in their order: file systems write a journal of them.
        let kept = match manner {
            0 => 0,
            1 => folder.pending.len(),
            _ => rng.usize(..=folder.pending.len()),
        };
        folder.pending[..kept].iter().for_each(|name| rename(&mut names, name));
        for (path, entry) in names {
            let to = to.join(path.file_name().unwrap());
            match entry {
                Entry::Folder => self.write(&path, &to, rng),
                // What lies in shared memory of SQLite means nothing after a restart.
                Entry::File(_) if path.to_string_lossy().ends_with("-shm") => {
                    if rng.u32(..4) == 0 {
                        std::fs::write(to, (0..32768).map(|_| rng.u8(..)).collect::<Vec<_>>()).unwrap();
                    }
                }
                Entry::File(file) => std::fs::write(to, self.files[&file].left(manner, rng)).unwrap(),
            }
        }
    }
}

impl File {
    /// What a power loss may leave of a file.
    fn left(&self, manner: u32, rng: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let prefix = rng.usize(..=self.pending.len());
        for (n, one) in self.pending.iter().enumerate() {
            match (manner, one) {
                (0, _) => {}
                (1, _) => change(&mut bytes, one),
                (2, _) => {
                    if n < prefix {
                        change(&mut bytes, one);
                    }
                }
                (3, _) | (_, Change::Length(_)) => {
                    if rng.bool() {
                        change(&mut bytes, one);
                    }
                }
                (_, Change::Write(at, new)) => {
                    // Torn: some sectors of some writes.
                    let mut from = 0;
                    while from < new.len() {
                        let to = (from + SECTOR - (*at as usize + from) % SECTOR).min(new.len());
                        if rng.u32(..4) > 0 {
                            change(&mut bytes, &Change::Write(at + from as u64, new[from..to].to_vec()));
                        }
                        from = to;
                    }
                }
            }
        }
        if !self.mapped.is_empty() && rng.u32(..4) > 0 {
            let last = self.mapped.len() - 1;
            bytes.clone_from(&self.mapped[if rng.bool() { last } else { rng.usize(..=last) }]);
        }
        bytes
    }
}

/// What was found on disks.
#[derive(Debug, Default)]
struct Found {
    images: u64,
    /// Disks that lack something acknowledged and not flushed (under `normal` only).
    shorter: u64,
    /// Disks on which the operation under way had happened.
    in_flight: u64,
    /// Disks with a halted store.
    halted: u64,
    /// Disks whose control file was ahead of the database, which verify said.
    noticed: u64,
}

/// Opens a disk and looks whether all is as promised.
fn check(
    path: &Path,
    (seed, key): (u64, &SecretKey),
    twin: &mut Twin,
    (least, acked, most): (u64, u64, u64),
    found: &mut Found,
) {
    let store = Store::open(path, Options::existing().threads(1));
    let store = match store {
        // The power went before there was anything.
        Err(wisen::Error::NotAStore { .. }) if least == 0 => Store::open(path, Options::new(DIM).threads(1)),
        other => other,
    };
    let store = store.unwrap_or_else(|error| panic!("it does not open: {error}"));
    let mut words = observe(&store, seed).unwrap();
    let under_way = History::after(seed, most.saturating_sub(1)).step();
    if under_way == Op::Halt && most > acked && twin.find(&words, least, most).unwrap().is_none() {
        // A halt holds as soon as its word does, though what came before it may be lost.
        words = words.split_inclusive('\n').filter(|line| !line.starts_with("halted ")).collect();
    }
    // A halt that was ended leaves nothing else behind: one that was lost together with its end looks the same.
    let resumed = history::resumptions(&store).unwrap();
    let stands = |twin: &mut Twin, at: u64| {
        let mut history = History::new(seed);
        let expected = (0..at).filter(|_| history.step() == Op::Resume).count();
        let begun = usize::from(most > acked && under_way == Op::Resume);
        twin.at(at).unwrap() == words && (expected..=expected + begun).contains(&resumed)
    };
    let Some(at) = (least..=most).find(|at| stands(twin, *at)) else {
        let elsewhere = (0..=OPERATIONS).find(|at| twin.at(*at).unwrap() == words);
        assert!(elsewhere.is_none(), "it stands after {elsewhere:?}; {least} to {most} were due");
        panic!("not the state after {least}: {}", difference(twin.at(least).unwrap(), &words));
    };
    found.shorter += u64::from(at < acked);
    found.in_flight += u64::from(at > acked);
    let faults = store.verify().unwrap().faults;
    let lost = |fault: &String| fault.contains("acknowledged changes");
    // The control file may know of an operation that is not acknowledged yet.
    assert!(faults.iter().all(|fault| lost(fault) && at < most), "after {at} of {acked}: {faults:?}");
    found.noticed += u64::from(!faults.is_empty());
    // Writing goes on, in a halt once the authority says so.
    if store.halted().unwrap().is_some() {
        found.halted += 1;
        let refused = store.remember(Memory::new("late", vec![2.0; DIM])).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Halted, "{refused}");
        assert!(store.resume("anybody", None).is_err());
        assert!(store.resume("the power is back", Some(key)).unwrap());
    }
    let words = observe(&store, seed).unwrap();
    let id = store.remember(Memory::new("late", vec![2.0; DIM])).unwrap();
    let recall = store.recall(&Query::new(vec![2.0; DIM]).k(100)).unwrap();
    assert!(recall.hits.iter().any(|hit| hit.id == id && hit.similarity > 0.9999), "{recall:?}");
    store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success).used(id)).unwrap();
    if found.images.is_multiple_of(8) {
        store.seal().unwrap();
        assert_eq!(observe(&store, seed).unwrap(), words, "sealed");
        let still = store.verify().unwrap().faults;
        assert!(still.iter().all(lost), "{still:?}");
        upkeep::check_copies(&store).unwrap();
    }
}

fn cut_power(durability: Durability, images: u64, seed: u64) {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let (begun, mut found, mut traces) = (Instant::now(), Found::default(), 0);
    while found.images < images {
        // How many events there are depends on threads of the store; what is done in the next trace does not.
        let mut rng = fastrand::Rng::with_seed(seed + traces);
        let history = rng.u64(..1 << 32) | ALONE;
        let root = base.path().join(format!("trace{traces}"));
        std::fs::create_dir(&root).unwrap();
        let (events, key) = record(&root, history, durability, &mut rng);
        std::fs::remove_dir_all(&root).unwrap();
        traces += 1;
        let mut twin = Twin::new(history).unwrap();
        let mut at: Vec<usize> = (0..EACH).map(|_| rng.usize(1..=events.len())).collect();
        at.sort_unstable();
        let (mut disk, mut done) = (Disk::default(), 0);
        let (mut issued, mut acked, mut flushed) = (0, 0, 0);
        for at in at {
            for event in &events[done..at] {
                disk.apply(event);
                match event {
                    Event::Mark(Mark::Issued(n)) => issued = *n,
                    Event::Mark(Mark::Acknowledged(n)) => acked = *n,
                    Event::Mark(Mark::Flushed(n)) => flushed = *n,
                    _ => {}
                }
            }
            done = at;
            let image = base.path().join("image");
            disk.write(&root, &image, &mut rng);
            let least = if durability == Durability::Full { acked } else { flushed };
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                check(&image.join("store"), (history, &key), &mut twin, (least, acked, issued), &mut found);
            }));
            if let Err(panic) = result {
                println!(
                    "WISEN_SEED={} begins with it: disk {}, history {history}, event {at} of {}",
                    seed + traces - 1,
                    found.images % EACH as u64,
                    events.len()
                );
                println!("{least} were durable, {acked} acknowledged, {issued} begun");
                for number in issued.saturating_sub(4)..issued {
                    println!("operation {}: {:?}", number + 1, History::after(history, number).step());
                }
                println!(
                    "before it: {:?}",
                    events[at.saturating_sub(60)..at].iter().map(brief).collect::<Vec<_>>()
                );
                std::panic::resume_unwind(panic);
            }
            found.images += 1;
            std::fs::remove_dir_all(&image).unwrap();
        }
    }
    println!(
        "power, durability {}: {} disks of {traces} histories, 0 lost, 0 unopenable, in {:.0} s; {found:?}",
        durability.as_str(),
        found.images,
        begun.elapsed().as_secs_f64()
    );
    // In a large sample some crash falls between a commit and its acknowledgement.
    assert!(found.in_flight > 0 || found.images < 1000, "{found:?}");
    if durability == Durability::Normal {
        assert!(found.shorter > 0, "some disks lack a suffix, or nothing was attacked: {found:?}");
    }
}

fn brief(event: &Event) -> String {
    match event {
        Event::Write { file, at, bytes } => format!("write {} bytes at {at} of file {file}", bytes.len()),
        Event::Mark(Mark::Mapped(_, bytes)) => format!("mapped {:x?}", &bytes[..96]),
        Event::SyncMap { bytes, .. } => format!("synced the map {:x?}", &bytes[..96]),
        other => format!("{other:?}"),
    }
}

/// `durability full`: what was acknowledged is there.
#[test]
fn a_power_loss_takes_nothing_acknowledged_under_full() {
    cut_power(Durability::Full, history::size(IMAGES) / 2, history::seed("power, full"));
}

/// `durability normal`: a power loss costs a suffix of what was not flushed.
#[test]
fn a_power_loss_takes_a_suffix_under_normal() {
    cut_power(Durability::Normal, history::size(IMAGES) / 2, history::seed("power, normal"));
}

/// A flush syncs the log also where nothing that counts has changed since the last one, and a reader keeps the log from being
/// moved into the database.
#[test]
fn a_flush_syncs_the_log_whoever_reads_it() {
    let base = wisen_tests::Place::in_memory();
    let root = base.at("trace");
    std::fs::create_dir(&root).unwrap();
    let watch = Watch::new(&root);
    watch.record(&root);
    let path = root.join("store");
    let store = Store::open(&path, Options::new(DIM).durability(Durability::Normal).threads(1)).unwrap();
    store.flush().unwrap();
    let reader = rusqlite::Connection::open(path.join("memory.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM meta").unwrap();
    for level in 0..3 {
        store.record_fact("water", &level.into(), Duration::from_hours(1)).unwrap();
        store.flush().unwrap();
    }
    watch.mark(Mark::Flushed(3));
    let mut disk = Disk::default();
    for event in &watch.recorded() {
        disk.apply(event);
        if matches!(event, Event::Mark(Mark::Flushed(3))) {
            break;
        }
    }
    let log = &disk.files[&disk.names[&path.join("memory.db-wal")]];
    assert!(!log.durable.is_empty());
    assert_eq!(log.pending.len(), 0, "writes of the log that may be lost");
    reader.execute_batch("ROLLBACK").unwrap();
}

/// A restored store lies in a folder whose name, and those of the folders above it, are durable.
#[test]
fn folders_of_a_restored_store_are_durable() {
    let base = wisen_tests::Place::in_memory();
    let root = base.at("trace");
    std::fs::create_dir(&root).unwrap();
    let store = base.open(Options::new(DIM));
    store.backup(base.at("backup"), false).unwrap();
    let watch = Watch::new(&root);
    watch.record(&root);
    Store::restore(base.at("backup"), root.join("a/b/store")).unwrap();
    let mut disk = Disk::default();
    watch.recorded().iter().for_each(|event| disk.apply(event));
    for folder in [root.clone(), root.join("a"), root.join("a/b")] {
        let names = &disk.folders[&folder];
        assert!(names.pending.is_empty() && !names.durable.is_empty(), "{}", folder.display());
    }
}

/// A flush syncs receipts, also those that were written before it without a sync.
#[test]
fn a_flush_syncs_the_receipts() {
    let base = wisen_tests::Place::in_memory();
    let root = base.at("trace");
    std::fs::create_dir(&root).unwrap();
    let watch = Watch::new(&root);
    watch.record(&root);
    let path = root.join("store");
    let store = Store::open(&path, Options::new(DIM).durability(Durability::Normal).threads(1)).unwrap();
    store.remember(Memory::new("one", vec![1.0; DIM])).unwrap();
    for flushed in 1..=3 {
        let recall = store.recall(&Query::new(vec![1.0; DIM]).k(1)).unwrap();
        assert!(recall.receipt.is_some());
        if flushed > 1 {
            // Nothing waits any more: it is in a batch by then.
            std::thread::sleep(Duration::from_millis(200));
        }
        store.flush().unwrap();
        watch.mark(Mark::Flushed(flushed));
    }
    let mut disk = Disk::default();
    let mut flushes = 0;
    for event in &watch.recorded() {
        disk.apply(event);
        if matches!(event, Event::Mark(Mark::Flushed(_))) {
            flushes += 1;
            let log = &disk.files[&disk.names[&path.join("receipts.db-wal")]];
            assert!(!log.durable.is_empty());
            assert_eq!(log.pending.len(), 0, "flush {flushes}: writes of the log that may be lost");
        }
    }
    assert_eq!(flushes, 3);
}

/// A halt, and the end of one, outlive any power loss once they are acknowledged, although the word that every process
/// looks at lies in a map.
#[test]
fn halts_and_resumptions_outlive_power_losses() {
    let base = wisen_tests::Place::in_memory();
    let mut rng = fastrand::Rng::with_seed(history::seed("power, halts"));
    let root = base.at("trace");
    std::fs::create_dir(&root).unwrap();
    let watch = Watch::new(&root);
    watch.record(&root);
    let (path, control) = (root.join("store"), root.join("store").join("control"));
    let store = Store::open(&path, Options::new(DIM).threads(1)).unwrap();
    let key = store.create_authority("owner").unwrap().secret;
    may_reach_the_disk(&watch, &control);
    for _ in 0..2 {
        store.halt("attack", HaltLevel::NoWrites).unwrap();
        may_reach_the_disk(&watch, &control);
        watch.mark(Mark::Flushed(1));
        assert!(store.resume("attack", Some(&key)).unwrap());
        may_reach_the_disk(&watch, &control);
        watch.mark(Mark::Flushed(0));
    }
    drop(store);
    let mut disk = Disk::default();
    for event in &watch.recorded() {
        disk.apply(event);
        let Event::Mark(Mark::Flushed(halts)) = event else { continue };
        for _ in 0..32 {
            let image = base.at("image");
            disk.write(&root, &image, &mut rng);
            let store = Store::open(image.join("store"), Options::existing()).unwrap();
            assert_eq!(store.halted().unwrap().is_some(), *halts == 1);
            drop(store);
            std::fs::remove_dir_all(&image).unwrap();
        }
    }
}
