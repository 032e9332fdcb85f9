//! Files and folders that appear whole under their names, or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

use super::core::Core;

/// A path beside `target` that nobody else uses.
fn beside(target: &Path, ending: &str) -> Result<PathBuf> {
    let Some(name) = target.file_name() else {
        return Err(Error::invalid("path", format!("{} ends in no name", target.display())));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.{ending}", uuid::Uuid::new_v4().simple()));
    Ok(folder_of(target).join(hidden))
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
    if let Some(dir) = &core.dir
        && let (Ok(store), Ok(folder)) = (fs::canonicalize(dir), fs::canonicalize(folder_of(file)))
        && folder.starts_with(&store)
    {
        return Err(Error::invalid("file", "it lies in the directory of the store; name one elsewhere"));
    }
    match fs::symlink_metadata(file) {
        Ok(found) if found.is_dir() => Err(Error::invalid("file", "it is a directory; name a file")),
        Ok(_) if !replace => {
            Err(Error::invalid("file", "it exists; name another one, or ask for it to be replaced"))
        }
        _ => Ok(()),
    }
}

/// Makes a file: `make` writes it under another name; then it is synced and gets its own.
pub(crate) fn file<T>(file: &Path, replace: bool, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let temporary = beside(file, "tmp")?;
    let made = make(&temporary).and_then(|value| {
        sync(&temporary)?;
        if replace {
            fs::rename(&temporary, file).map_err(Error::io("rename", &temporary))?;
        } else {
            name_new(&temporary, file)?;
        }
        sync(&folder_of(file)).map(|()| value)
    });
    // After an error nothing stays; otherwise there is nothing left.
    if !crate::sabotage::on("half_files") {
        let _ = fs::remove_file(&temporary);
    }
    made
}

/// Gives a file a name that no file may have.
fn name_new(temporary: &Path, file: &Path) -> Result<()> {
    match fs::hard_link(temporary, file) {
        Ok(()) => Ok(()),
        // Some file systems know no hard links.
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists && !file.exists() => {
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
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("open", folder)(error)),
    }
    let temporary = beside(folder, "new")?;
    let parent = folder_of(folder);
    fs::create_dir_all(&parent).map_err(Error::io("create", &parent))?;
    fs::create_dir(&temporary).map_err(Error::io("create", &temporary))?;
    let made = make(&temporary).and_then(|value| {
        sync(&temporary)?;
        fs::rename(&temporary, folder).map_err(Error::io("rename", &temporary))?;
        sync(&parent).map(|()| value)
    });
    if made.is_err() {
        let _ = fs::remove_dir_all(&temporary);
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
