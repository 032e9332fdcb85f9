//! What goes wrong without failing a call is told to whoever listens.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::sync::Mutex;

use wisen::{Options, Query};
use wisen_tests::{Place, fill, segment_files, vectors};

/// Keeps what it is told.
struct Listener(Mutex<Vec<String>>);

static LISTENER: Listener = Listener(Mutex::new(Vec::new()));

impl log::Log for Listener {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "wisen"
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "wisen" {
            self.0.lock().unwrap().push(format!("{}: {}", record.level(), record.args()));
        }
    }

    fn flush(&self) {}
}

/// Damaged segments, lost changes, damaged receipts and control files are named, once; a sound store is
/// not talked about.
#[test]
fn what_is_set_aside_is_told() {
    log::set_logger(&LISTENER).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let told = || std::mem::take(&mut *LISTENER.0.lock().unwrap());
    let place = Place::new();
    let close = |more: u64| {
        let store = place.open(Options::new(16));
        fill(&store, &vectors(more, 50, 16));
        store.recall(&Query::new([1.0; 16])).unwrap();
        store.seal().unwrap();
        store.close().unwrap();
    };
    close(1);
    fs::copy(place.store().join("memory.db"), place.at("older")).unwrap();
    close(2);
    assert_eq!(told(), Vec::<String>::new());

    let name = segment_files(&place.store()).remove(0);
    let file = place.store().join("segments").join(&name);
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, bytes).unwrap();
    let store = place.open(Options::existing());
    store.recall(&Query::new([1.0; 16])).unwrap();
    let said = told();
    assert!(matches!(said.as_slice(), [one] if one.contains(&name) && one.starts_with("WARN")), "{said:?}");
    drop(store);

    fs::write(place.store().join("receipts.db"), "no database at all, but long enough to look").unwrap();
    fs::copy(place.at("older"), place.store().join("memory.db")).unwrap();
    for end in ["memory.db-wal", "memory.db-shm"] {
        let _ = fs::remove_file(place.store().join(end));
    }
    drop(place.open(Options::existing()));
    let said = told();
    assert!(said.iter().any(|line| line.contains("receipts.db")), "{said:?}");
    assert!(said.iter().any(|line| line.contains("acknowledged changes are missing")), "{said:?}");

    let control = place.store().join("control");
    let mut words = fs::read(&control).unwrap();
    words[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&control, words).unwrap();
    drop(place.open(Options::existing()));
    let said = told();
    assert!(said.iter().any(|line| line.contains("control file")), "{said:?}");
}
