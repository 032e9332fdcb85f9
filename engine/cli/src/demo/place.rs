//! Where the demo writes. It replaces what an earlier demo has left, and nothing else.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use wisen::{Options, Store};

use super::MODEL;
use super::chart::MARK;

/// Everything a store consists of, by the names in its folder.
const PARTS: [&str; 6] =
    ["memory.db", "receipts.db", "receipts.db.damaged", "segments", "control", "seal.lock"];

/// The folder for the store, with nothing there: the store of an earlier demo is removed.
pub fn store(out: &Path) -> Result<PathBuf> {
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let path = out.join("store");
    let kind = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(path),
        Err(error) => return Err(error).with_context(|| format!("cannot look at {}", path.display())),
    };
    let keep = |why: String| format!("{} {why}: it is left as it is; name another --out", path.display());
    ensure!(kind.is_dir(), keep("is no folder".to_owned()));
    let mut empty = true;
    for entry in fs::read_dir(&path)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        // SQLite adds -wal, -shm and -journal to the names of its files.
        let known = PARTS.iter().any(|part| {
            name.strip_prefix(part).is_some_and(|rest| matches!(rest, "" | "-wal" | "-shm" | "-journal"))
        });
        ensure!(known, keep(format!("holds {name}, which is no part of a store")));
        empty = false;
    }
    if !empty {
        match model(&path) {
            Ok(Some(model)) if model == MODEL => {}
            Ok(_) => bail!(keep("is a store that the demo has not made".to_owned())),
            Err(error) => bail!(keep(format!("is no store that opens ({error})"))),
        }
    }
    fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    Ok(path)
}

/// The file for the chart: a new one, or one that an earlier demo has drawn.
pub fn chart(out: &Path, stream: &str) -> Result<PathBuf> {
    let path = out.join(format!("{stream}.svg"));
    match fs::read_to_string(&path) {
        Ok(text) if text.contains(MARK) => Ok(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path),
        _ => bail!("{} is no chart of the demo: it is left as it is; name another --out", path.display()),
    }
}

fn model(path: &Path) -> wisen::Result<Option<String>> {
    let store = Store::open(path, Options::existing().read_only(true))?;
    let model = store.stats()?.model;
    store.close()?;
    Ok(model)
}
