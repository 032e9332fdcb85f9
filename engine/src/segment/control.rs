//! A small file of numbered 8-byte words that all processes of a store share.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use crate::error::{Error, Result};

use super::map::SharedWords;

/// Words in a preallocated file (mapped), or on the heap for a store in memory. Every word is 0 at first.
/// An existing file is never truncated, grown or replaced.
pub(crate) struct Control {
    words: Words,
}

enum Words {
    Map(SharedWords),
    Heap(Box<[AtomicU64]>),
}

impl Control {
    /// Opens the file, or creates it with `words` words. Several processes may do so at once: the file
    /// appears whole, under its name, once.
    pub(crate) fn create_or_open(path: &Path, words: usize) -> Result<Control> {
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => Self::map(path, &file, words, true),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Self::create(path, words)?;
                let file =
                    OpenOptions::new().read(true).write(true).open(path).map_err(Error::io("open", path))?;
                Self::map(path, &file, words, true)
            }
            Err(e) => Err(Error::io("open", path)(e)),
        }
    }

    /// Opens an existing file of `words` words without ever writing to it: what is stored to a word is seen
    /// by this process alone, what others store is seen as long as nothing was stored here.
    pub(crate) fn open_read_only(path: &Path, words: usize) -> Result<Control> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        Self::map(path, &file, words, false)
    }

    /// Words of this process alone.
    pub(crate) fn heap(words: usize) -> Control {
        Control { words: Words::Heap((0..words).map(|_| AtomicU64::new(0)).collect()) }
    }

    /// The `i`-th word; `i` is below the number of words the control was opened with.
    pub(crate) fn word(&self, i: usize) -> &AtomicU64 {
        match &self.words {
            Words::Map(map) => map.word(i),
            Words::Heap(words) => &words[i],
        }
    }

    /// Makes what was stored to the words durable. Nothing to do for a store in memory.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        match &self.words {
            Words::Map(map) => map.sync(),
            Words::Heap(_) => Ok(()),
        }
    }

    fn map(path: &Path, file: &File, words: usize, shared: bool) -> Result<Control> {
        let len = file.metadata().map_err(Error::io("inspect", path))?.len();
        if len != words as u64 * 8 {
            return Err(Error::corrupt(format!(
                "{} is {len} bytes long, {} were expected",
                path.display(),
                words * 8
            )));
        }
        let map = SharedWords::map(file, words, shared).map_err(Error::io("map", path))?;
        Ok(Control { words: Words::Map(map) })
    }

    /// Writes zeros (so that no page is missing when the disk is full) under a name that nobody else uses, and
    /// links the file to its own name, which fails if another process was first.
    fn create(path: &Path, words: usize) -> Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        // Processes in two containers may have the same number.
        temporary.push(format!(".{}.new", uuid::Uuid::new_v4().simple()));
        let temporary = std::path::PathBuf::from(temporary);
        let written = File::create_new(&temporary).and_then(|mut file| {
            file.write_all(&vec![0; words * 8])?;
            file.sync_all()
        });
        let linked = written.and_then(|()| match std::fs::hard_link(&temporary, path) {
            // Some file systems know no hard links.
            Err(_) if !path.exists() => std::fs::rename(&temporary, path),
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
            _ => Ok(()),
        });
        let _ = std::fs::remove_file(&temporary);
        linked.map_err(Error::io("create", path))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::SeqCst;

    use super::*;

    #[test]
    fn words_are_shared_and_stay() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("control");
        let a = Control::create_or_open(&path, 16).expect("creates");
        let b = Control::create_or_open(&path, 16).expect("opens");
        let reader = Control::open_read_only(&path, 16).expect("opens");
        a.word(15).store(7, SeqCst);
        assert_eq!((b.word(15).load(SeqCst), b.word(0).load(SeqCst)), (7, 0));
        assert_eq!(reader.word(15).load(SeqCst), 7);
        reader.word(3).store(9, SeqCst);
        assert_eq!(a.word(3).load(SeqCst), 0, "a reader's store stays its own");
        assert_eq!(std::fs::read_dir(dir.path()).expect("lists").count(), 1, "no temporary file stays");
    }

    #[test]
    fn another_size_is_refused_and_kept() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("control");
        std::fs::write(&path, [1u8; 24]).expect("writes");
        for words in [2, 4] {
            assert!(matches!(Control::create_or_open(&path, words), Err(Error::Corrupt { .. })));
            assert!(matches!(Control::open_read_only(&path, words), Err(Error::Corrupt { .. })));
        }
        assert_eq!(std::fs::read(&path).expect("reads"), [1u8; 24]);
        assert!(matches!(Control::open_read_only(&dir.path().join("none"), 2), Err(Error::Io { .. })));
    }

    #[test]
    fn creating_at_once_gives_one_file() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("control");
        std::thread::scope(|s| {
            for _ in 0..8 {
                s.spawn(|| Control::create_or_open(&path, 4).expect("opens").word(1).fetch_add(1, SeqCst));
            }
        });
        assert_eq!(Control::create_or_open(&path, 4).expect("opens").word(1).load(SeqCst), 8);
    }
}
