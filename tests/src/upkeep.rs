//! Upkeep: what may be done to a store at any time, under every attack, without changing what it holds.

use std::path::{Path, PathBuf};

use wisen::{ErrorCode, Result, Store};

/// The name of something to do with a store, and how.
pub type Upkeep = (&'static str, fn(&Store) -> Result<()>);

/// What may be done to a store at any time without changing what it holds. A line more here is one more
/// kind of upkeep under every attack.
pub const UPKEEP: &[Upkeep] = &[
    ("seal", |store| unless_halted(store.seal())),
    ("checkpoint", Store::flush),
    ("compact", |store| unless_halted(store.compact().map(drop))),
    ("backup", |store| store.backup(beside(store.path(), "backup"), true).map(drop)),
    ("export", |store| store.export(beside(store.path(), "export"), true).map(drop)),
];

/// While a store is halted, its files are left as they are.
fn unless_halted(done: Result<()>) -> Result<()> {
    match done {
        Err(error) if error.code() == ErrorCode::Halted => Ok(()),
        done => done,
    }
}

/// What makes a store of a copy.
type Revive = fn(&Path, &Path) -> Result<()>;

/// The first so many are as frequent as they are in use: three times in four.
const FREQUENT: usize = 2;

/// Some upkeep.
pub fn upkeep(rng: &mut fastrand::Rng) -> Upkeep {
    UPKEEP[if rng.u32(..4) > 0 { rng.usize(..FREQUENT) } else { rng.usize(FREQUENT..UPKEEP.len()) }]
}

/// A file beside a store, of this kind.
pub fn beside(store: &Path, kind: &str) -> PathBuf {
    store.with_extension(kind)
}

/// Fails unless the backup and the export beside a store, if there are any, are whole, and no half one lies there, once
/// both were written again.
pub fn check_copies(store: &Store) -> Result<()> {
    let copies: [(&str, Revive); 2] =
        [("backup", |file, to| Store::restore(file, to)), ("export", |file, to| Store::import(file, to))];
    for (kind, revive) in copies {
        let (file, revived) = (beside(store.path(), kind), beside(store.path(), "revived"));
        if file.exists() {
            revive(&file, &revived)?;
            let _ = std::fs::remove_dir_all(&revived);
        }
    }
    let folder = store.path().parent().unwrap();
    for (kind, write) in &UPKEEP[FREQUENT + 1..] {
        write(store)?;
        assert!(beside(store.path(), kind).exists());
    }
    let halves: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(halves.is_empty(), "left beside the store: {halves:?}");
    Ok(())
}
