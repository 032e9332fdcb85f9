//! Files and folders that appear whole under their names, or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

use super::core::Core;
use super::open::create_folder;

/// What is being made beside `target`, under a hidden name that nobody else uses. A lock on it says that its process
/// lives: what a process that died has left is removed by the next one that makes the same.
struct Draft {
    path: PathBuf,
    _lock: File,
}

impl Draft {
    fn new(target: &Path, ending: &str, make: fn(&Path) -> std::io::Result<File>) -> Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(Error::invalid("path", format!("{} ends in no name", target.display())));
        };
        let mut start = OsString::from(".");
        start.push(name);
        start.push(".");
        let folder = folder_of(target);
        if !crate::sabotage::on("drafts_stay") {
            remove_abandoned(&folder, &start, ending);
        }
        loop {
            let mut hidden = start.clone();
            hidden.push(format!("{}.{ending}", uuid::Uuid::new_v4().simple()));
            let path = folder.join(hidden);
            let lock = make(&path).map_err(Error::io("create", &path))?;
            // Where the file system knows no locks, nothing is ever taken for abandoned.
            let _ = lock.try_lock();
            // Somebody may have taken it for abandoned before it was locked.
            if path.exists() {
                return Ok(Self { path, _lock: lock });
            }
        }
    }
}

/// Removes drafts of processes that are gone, and what SQLite had put beside them. What cannot be removed stays.
fn remove_abandoned(folder: &Path, start: &OsStr, ending: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let length = start.len() + 32 + 1 + ending.len();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(draft) = name.to_str().and_then(|name| name.get(..length)) else { continue };
        let unique = draft
            .strip_prefix(&*start.to_string_lossy())
            .and_then(|rest| rest.strip_suffix(ending)?.strip_suffix('.'));
        if !unique.is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            continue;
        }
        let (path, draft) = (entry.path(), folder.join(draft));
        match File::open(&draft) {
            Ok(file) if file.try_lock().is_err() => {}
            Err(error) if error.kind() != ErrorKind::NotFound => {}
            _ => {
                let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            }
        }
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("sync", path))
}

/// Refuses a file that must not be written: one that exists, unless it is to be replaced, and any in the
/// directory of the store itself.
pub(crate) fn may_write(core: &Core, file: &Path, replace: bool) -> Result<()> {
    check_outside(core, "file", file)?;
    match fs::symlink_metadata(file) {
        Ok(found) if found.is_dir() => Err(Error::invalid("file", "it is a directory; name a file")),
        Ok(_) if !replace => {
            Err(Error::invalid("file", "it exists; name another one, or ask for it to be replaced"))
        }
        _ => Ok(()),
    }
}

/// Refuses a path in the directory of the store itself.
pub(crate) fn check_outside(core: &Core, what: &'static str, path: &Path) -> Result<()> {
    if let Some(dir) = &core.dir
        && let (Ok(store), Ok(folder)) = (fs::canonicalize(dir), fs::canonicalize(folder_of(path)))
        && folder.starts_with(&store)
    {
        return Err(Error::invalid(what, "it lies in the directory of the store; name one elsewhere"));
    }
    Ok(())
}

/// Makes a file: `make` writes it under another name, where an empty file is; then it is synced and gets its own.
pub(crate) fn file<T>(file: &Path, replace: bool, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let draft = Draft::new(file, "tmp", |path| File::options().write(true).create_new(true).open(path))?;
    let temporary = &draft.path;
    let made = make(temporary).and_then(|value| {
        sync(temporary)?;
        if replace {
            fs::rename(temporary, file).map_err(Error::io("rename", temporary))?;
        } else {
            name_new(temporary, file)?;
        }
        sync(&folder_of(file)).map(|()| value)
    });
    // After an error nothing stays; otherwise there is nothing left.
    if !crate::sabotage::on("half_files") {
        let _ = fs::remove_file(temporary);
    }
    made
}

/// Gives a file a name that no file may have.
fn name_new(temporary: &Path, file: &Path) -> Result<()> {
    match fs::hard_link(temporary, file) {
        Ok(()) => Ok(()),
        // Some file systems know no hard links.
        Err(error) if error.kind() != ErrorKind::AlreadyExists && !file.exists() => {
            fs::rename(temporary, file).map_err(Error::io("rename", temporary))
        }
        Err(error) => Err(Error::io("create", file)(error)),
    }
}

/// Makes a folder, which must not exist, or be empty: `make` fills it under another name; then it gets its
/// own.
pub(crate) fn folder<T>(folder: &Path, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                let why = "it is not empty; name an empty or a new directory";
                return Err(Error::invalid("directory", why));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("open", folder)(error)),
    }
    let parent = folder_of(folder);
    create_folder(&parent)?;
    let draft = Draft::new(folder, "new", |path| fs::create_dir(path).and_then(|()| File::open(path)))?;
    let temporary = if crate::sabotage::on("half_folders") {
        fs::rename(&draft.path, folder).map_err(Error::io("rename", &draft.path))?;
        folder
    } else {
        draft.path.as_path()
    };
    let made = make(temporary).and_then(|value| {
        sync(temporary)?;
        fs::rename(temporary, folder).map_err(Error::io("rename", temporary))?;
        sync(&parent).map(|()| value)
    });
    if made.is_err() {
        let _ = fs::remove_dir_all(temporary);
    }
    made
}

/// Puts the name of a file into errors of SQLite that name only its own.
pub(crate) fn about(file: &Path) -> impl Fn(Error) -> Error {
    let path = file.to_owned();
    move |error| match error {
        Error::DiskFull { .. } => Error::DiskFull { path: path.clone() },
        Error::Io { action, source, .. } => Error::Io { action, path: path.clone(), source },
        other => other,
    }
}

/// Syncs a file that was written by other means.
pub(crate) fn sync_file(file: &Path) -> Result<()> {
    sync(file)
}
