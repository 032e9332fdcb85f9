//! The files of segments: written under a temporary name, synced, renamed, never modified.
//! A store in memory keeps them on the heap.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Cursor, Seek, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::segment::Bytes;

use super::open::create_folder;

const FOLDER: &str = "segments";
const TEMPORARY: &str = "tmp-";
const DAMAGED: &str = ".damaged";

/// Where segment files are kept.
pub(crate) enum Files {
    Folder(PathBuf),
    Heap(Mutex<HashMap<String, Vec<u8>>>),
}

/// A file being written, or bytes on the heap.
pub(crate) enum Sink {
    File(BufWriter<File>),
    Heap(Cursor<Vec<u8>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Sink::File(file) => file.write(bytes),
            Sink::Heap(heap) => heap.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Sink::File(file) => file.flush(),
            Sink::Heap(_) => Ok(()),
        }
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        match self {
            Sink::File(file) => file.seek(to),
            Sink::Heap(heap) => heap.seek(to),
        }
    }
}

impl Files {
    /// The files of the store in `dir`; `None`: on the heap.
    pub(crate) fn of(dir: Option<&Path>) -> Self {
        match dir {
            Some(dir) => Files::Folder(dir.join(FOLDER)),
            None => Files::Heap(Mutex::default()),
        }
    }

    /// Writes a file whole: after an error, or a crash, none has this name.
    pub(crate) fn write(&self, name: &str, fill: impl FnOnce(&mut Sink) -> Result<()>) -> Result<()> {
        match self {
            Files::Heap(heap) => {
                let mut sink = Sink::Heap(Cursor::default());
                fill(&mut sink)?;
                if let Sink::Heap(bytes) = sink {
                    heap.lock().insert(name.to_owned(), bytes.into_inner());
                }
                Ok(())
            }
            Files::Folder(folder) => {
                create_folder(folder)?;
                let temporary = folder.join(format!("{TEMPORARY}{name}"));
                let written = write_file(folder, &temporary, &folder.join(name), fill);
                if written.is_err() {
                    // What stays behind is swept before the next seal.
                    let _ = fs::remove_file(&temporary);
                }
                written
            }
        }
    }

    /// The bytes of a file; `None` if there is none with this name.
    pub(crate) fn open(&self, name: &str) -> Result<Option<Bytes>> {
        match self {
            // A store in memory has one view, which opens each of its segments once.
            Files::Heap(heap) => Ok(heap.lock().remove(name).map(Bytes::heap)),
            Files::Folder(folder) => {
                let path = folder.join(name);
                match Bytes::map(&path) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Renames a damaged file, so that it is out of the way and can be looked at.
    pub(crate) fn set_aside(&self, name: &str) {
        if let Files::Folder(folder) = self {
            // It may be missing, or the folder read-only: it is out of the registry in any case.
            let _ = fs::rename(folder.join(name), folder.join(format!("{name}{DAMAGED}")));
        }
    }

    /// Removes every file but these: leftovers of interrupted seals, replaced and damaged segments.
    /// Maps of a removed file stay valid. The caller holds the lease for sealing. `first` runs before
    /// anything is removed, and only if something is.
    pub(crate) fn sweep(&self, keep: &[&str], first: impl FnOnce() -> Result<()>) -> Result<()> {
        let Files::Folder(folder) = self else {
            return Ok(());
        };
        if crate::sabotage::on("keep_leftovers") {
            return Ok(());
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("list", folder)(error)),
        };
        let mut first = Some(first);
        for entry in entries {
            let entry = entry.map_err(Error::io("list", folder))?;
            if !entry.file_name().to_str().is_some_and(|name| keep.contains(&name)) {
                first.take().map_or(Ok(()), |first| first())?;
                fs::remove_file(entry.path()).map_err(Error::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }
}

fn write_file(
    folder: &Path,
    temporary: &Path,
    path: &Path,
    fill: impl FnOnce(&mut Sink) -> Result<()>,
) -> Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(temporary)
        .map_err(Error::io("create", temporary))?;
    let mut sink = Sink::File(BufWriter::with_capacity(1 << 20, file));
    fill(&mut sink)?;
    sink.flush().map_err(Error::io("write", temporary))?;
    if let Sink::File(file) = &sink {
        file.get_ref().sync_all().map_err(Error::io("sync", temporary))?;
    }
    fs::rename(temporary, path).map_err(Error::io("rename", temporary))?;
    // The name lasts once the folder is synced.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("sync", folder))
}
