//! File systems that refuse: full ones and read-only ones. Needs the right to mount; without it the
//! tests say so and do nothing.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use wisen::{ErrorCode, Memory, Options, Query, Store};
use wisen_tests::{Place, answers, assert_sound, fill, practise, vectors};

/// A mounted tmpfs; unmounted when dropped.
struct Tmpfs(PathBuf);

fn c(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}

impl Tmpfs {
    fn mount(at: &Path, size: &str) -> Option<Tmpfs> {
        std::fs::create_dir(at).unwrap();
        let (kind, data) = (c"tmpfs", CString::new(format!("size={size}")).unwrap());
        // SAFETY: all arguments are strings that end in NUL and live until the call returns.
        let failed =
            unsafe { libc::mount(kind.as_ptr(), c(at).as_ptr(), kind.as_ptr(), 0, data.as_ptr().cast()) };
        if failed != 0 {
            println!("SKIPPED: no right to mount a tmpfs ({})", std::io::Error::last_os_error());
            return None;
        }
        Some(Tmpfs(at.to_owned()))
    }

    fn read_only(&self) -> bool {
        let flags = libc::MS_REMOUNT | libc::MS_RDONLY;
        // SAFETY: as above; no data.
        unsafe {
            libc::mount(c"tmpfs".as_ptr(), c(&self.0).as_ptr(), c"tmpfs".as_ptr(), flags, std::ptr::null())
                == 0
        }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // SAFETY: a string that ends in NUL. Detached, so that open files do not keep it.
        unsafe { libc::umount2(c(&self.0).as_ptr(), libc::MNT_DETACH) };
    }
}

/// On a full disk writes fail with `DiskFull`, all that was acknowledged stays and is recalled, and
/// writing goes on when there is room.
#[test]
fn a_full_disk_loses_nothing() {
    let place = Place::new();
    let Some(disk) = Tmpfs::mount(&place.at("disk"), "8m") else { return };
    let path = disk.0.join("store");
    let store = Store::open(&path, Options::new(64)).unwrap();
    let ballast = disk.0.join("ballast");
    std::fs::write(&ballast, vec![1_u8; 3 << 20]).unwrap();
    let points = vectors(1, 4000, 64);
    let mut kept = Vec::new();
    let refused = points.iter().enumerate().find_map(|(i, point)| {
        match store.remember(Memory::new(format!("memory {i} {}", "x".repeat(i % 100)), point.clone())) {
            Ok(id) => {
                kept.push((id, point));
                None
            }
            Err(error) => Some(error),
        }
    });
    let refused = refused.unwrap();
    assert_eq!(refused.code(), ErrorCode::DiskFull, "{refused}");
    assert!(kept.len() > 50);
    let whole = |store: &Store| {
        assert_eq!(store.count(None).unwrap(), kept.len() as u64);
        for (id, point) in &kept {
            let hit = &store.recall(&Query::new(point.as_slice()).k(1)).unwrap().hits[0];
            assert_eq!(hit.id, *id);
        }
    };
    whole(&store);
    for _ in 0..5 {
        let again = store.remember_many(points.iter().map(|p| Memory::new("y", p.clone())).collect());
        assert_eq!(again.unwrap_err().code(), ErrorCode::DiskFull);
        assert_eq!(store.seal().unwrap_err().code(), ErrorCode::DiskFull, "sealing needs room too");
    }
    whole(&store);
    std::fs::remove_file(&ballast).unwrap();
    let late = store.remember(Memory::new("late", vec![1.0; 64])).unwrap();
    assert_eq!(store.recall(&Query::new(vec![1.0; 64]).k(1)).unwrap().hits[0].id, late);
    assert!(store.forget(late).unwrap());
    whole(&store);
    drop(store);
    let store = Store::open(&path, Options::existing()).unwrap();
    whole(&store);
    assert_sound(&store);
}

/// On a full disk a store can be halted, other handles obey, and it stays halted; it is resumed when there is
/// room again.
#[test]
fn a_full_disk_can_be_halted() {
    let place = Place::new();
    let Some(disk) = Tmpfs::mount(&place.at("disk"), "8m") else { return };
    let path = disk.0.join("store");
    let store = Store::open(&path, Options::new(64)).unwrap();
    let points = vectors(1, 4000, 64);
    let id = fill(&store, &points[..50])[0];
    let other = Store::open(&path, Options::existing()).unwrap();
    let ballast = disk.0.join("ballast");
    std::fs::write(&ballast, vec![1_u8; 3 << 20]).unwrap();
    let full = points.iter().find_map(|p| store.remember(Memory::new("x".repeat(300), p.clone())).err());
    assert_eq!(full.unwrap().code(), ErrorCode::DiskFull);
    // Not a page is left, whatever the database has reserved.
    let mut rest = 1_usize << 20;
    let mut files = 0;
    while rest > 0 {
        if std::fs::write(disk.0.join(format!("rest {files}")), vec![1_u8; rest]).is_err() {
            rest /= 2;
        }
        files += 1;
    }
    // What room the log of the database has within its file is used up by the smallest change there is.
    let full = (0..10_000).find_map(|i| if i % 2 == 0 { store.pin(id) } else { store.unpin(id) }.err());
    assert_eq!(full.unwrap().code(), ErrorCode::DiskFull);
    let query = Query::new(points[0].clone()).receipt(false);
    assert!(other.recall(&query).is_ok());
    let halt = store.halt("the disk is full", wisen::HaltLevel::DenyAll).unwrap();
    assert!(!halt.recorded, "there was no room for the row: {halt:?}");
    assert_eq!(other.recall(&query).unwrap_err().code(), ErrorCode::Halted);
    assert!(store.resume("no", None).is_err(), "what cannot be written down is no resumption");
    drop((store, other));
    let store = Store::open(&path, Options::existing()).unwrap();
    assert_eq!(store.recall(&query).unwrap_err().code(), ErrorCode::Halted, "after a restart");
    drop(store);
    for at in 0..files {
        let _ = std::fs::remove_file(disk.0.join(format!("rest {at}")));
    }
    std::fs::remove_file(&ballast).unwrap();
    let store = Store::open(&path, Options::existing()).unwrap();
    let halt = store.halted().unwrap().unwrap();
    assert!(halt.recorded, "with room, it is written down: {halt:?}");
    assert!(store.resume("there is room", None).unwrap());
    assert!(store.recall(&query).is_ok());
    assert_sound(&store);
}

/// A store on a read-only file system answers a read-only handle, and refuses any other with a typed error.
#[test]
fn read_only_media_are_read() {
    let place = Place::new();
    let Some(disk) = Tmpfs::mount(&place.at("disk"), "16m") else { return };
    let path = disk.0.join("store");
    let store = Store::open(&path, Options::new(16)).unwrap();
    fill(&store, &vectors(1, 200, 16));
    practise(&store, &vectors(2, 20, 16));
    store.seal().unwrap();
    let queries = vectors(3, 10, 16);
    let told = answers(&store, &queries, 10);
    store.close().unwrap();
    drop(store);
    if !disk.read_only() {
        println!("SKIPPED: no right to remount");
        return;
    }
    let error = Store::open(&path, Options::existing()).unwrap_err();
    assert!(matches!(error.code(), ErrorCode::ReadOnly | ErrorCode::Io), "{error}");
    let reader = Store::open(&path, Options::existing().read_only(true)).unwrap();
    assert_eq!(answers(&reader, &queries, 10), told);
    assert_eq!(reader.remember(Memory::new("x", [1.0; 16])).unwrap_err().code(), ErrorCode::ReadOnly);
    assert_sound(&reader);
    reader.close().unwrap();
}

/// A store put on read-only media before its log was emptied: SQLite cannot read a log there, so it is
/// refused with a typed error that says so, and read once a writer has closed it.
#[test]
fn a_log_on_read_only_media_is_named() {
    let place = Place::new();
    let Some(disk) = Tmpfs::mount(&place.at("disk"), "16m") else { return };
    let store = place.open(Options::new(16));
    let all = fill(&store, &vectors(1, 50, 16));
    // As a copy of the files of a store in use has it.
    wisen_tests::copy_folder(&place.store(), &disk.0.join("store"));
    std::fs::remove_file(disk.0.join("store/memory.db-shm")).unwrap();
    if !disk.read_only() {
        println!("SKIPPED: no right to remount");
        return;
    }
    match Store::open(disk.0.join("store"), Options::existing().read_only(true)) {
        Ok(reader) => assert_eq!(reader.count(None).unwrap(), all.len() as u64),
        Err(error) => {
            assert!(matches!(error.code(), ErrorCode::ReadOnly | ErrorCode::Io), "{error}");
            assert!(error.to_string().contains("log"), "{error}");
        }
    }
}

/// A backup, an export, a restore onto a full disk: `DiskFull`, and nothing is left there.
#[test]
fn a_full_disk_gets_no_half_backup() {
    let place = Place::new();
    let Some(disk) = Tmpfs::mount(&place.at("disk"), "1m") else { return };
    let store = place.open(Options::new(64));
    fill(&store, &vectors(1, 4000, 64));
    let files = || std::fs::read_dir(&disk.0).unwrap().count();
    for error in [
        store.backup(disk.0.join("backup"), false).unwrap_err(),
        store.export(disk.0.join("export"), false).unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::DiskFull, "{error}");
        assert!(error.to_string().contains("disk/"), "it names the file: {error}");
        assert_eq!(files(), 0);
    }
    store.backup(place.at("backup"), false).unwrap();
    store.export(place.at("export"), false).unwrap();
    for error in [
        Store::restore(place.at("backup"), disk.0.join("restored")).unwrap_err(),
        Store::import(place.at("export"), disk.0.join("imported")).unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::DiskFull, "{error}");
        assert_eq!(files(), 0);
    }
    assert_sound(&store);
}
