//! Where the bytes of a segment lie: mapped from a file, or on the heap.

use std::fs::File;
use std::path::Path;

use crate::error::{Error, Result};
use crate::vector::AlignedBytes;

/// Bytes that begin at a multiple of 64. Cutting off a mapped file from outside ends the process with
/// SIGBUS when a missing page is read: files under the store belong to the store.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// A file, mapped read-only.
    Map(memmap2::Mmap),
    /// A copy on the heap.
    Heap(AlignedBytes),
}

impl Bytes {
    /// Maps a file. An empty file gives no bytes.
    pub(crate) fn map(path: &Path) -> Result<Bytes> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        if file.metadata().map_err(Error::io("inspect", path))?.len() == 0 {
            return Ok(Bytes::Heap(AlignedBytes::default()));
        }
        // SAFETY: the map is shared with the file, so its bytes must not change while they are borrowed:
        // a segment is written under another name and never modified once it bears its own.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io("map", path))?;
        Ok(Bytes::Map(map))
    }

    /// From now on they are searched, no longer read from beginning to end.
    pub(super) fn are_searched(&self) {
        #[cfg(unix)]
        if let Bytes::Map(map) = self {
            // Searches jump: reading ahead of them is in vain. A refusal costs speed only.
            let _ = map.advise(memmap2::Advice::Random);
        }
    }

    /// Copies bytes to where they are aligned.
    #[allow(clippy::needless_pass_by_value, reason = "the caller has no use for the unaligned bytes")]
    pub(crate) fn heap(bytes: Vec<u8>) -> Bytes {
        Bytes::Heap(AlignedBytes::from(&*bytes))
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Map(map) => map,
            Bytes::Heap(bytes) => bytes,
        }
    }
}

/// A map of 8-byte words that processes share, see `Control`.
pub(super) struct SharedWords {
    map: memmap2::MmapMut,
}

impl SharedWords {
    /// Maps `words` words of a file that is at least that long. `shared`: stores reach the file, which has
    /// to be open for writing; otherwise they stay private to this process.
    pub(super) fn map(file: &File, words: usize, shared: bool) -> std::io::Result<SharedWords> {
        let mut options = memmap2::MmapOptions::new();
        options.len(words * 8);
        // SAFETY: other processes write to these bytes; they are only ever borrowed as atomics (word), and
        // the file is never cut off (Control).
        let map = unsafe { if shared { options.map_mut(file)? } else { options.map_copy(file)? } };
        Ok(SharedWords { map })
    }

    /// Writes the words to their file, and waits until the disk has them.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        self.map.flush()
    }

    /// The `i`-th word.
    #[allow(clippy::cast_ptr_alignment, reason = "maps begin at a page")]
    pub(super) fn word(&self, i: usize) -> &std::sync::atomic::AtomicU64 {
        assert!(i < self.map.len() / 8, "word {i} of {}", self.map.len() / 8);
        // SAFETY: maps begin at a page, so word i is aligned; it lies within the map, which lives as long as
        // self; the pages are writable; and every access in every process goes through an atomic.
        unsafe { std::sync::atomic::AtomicU64::from_ptr(self.map.as_ptr().cast::<u64>().cast_mut().add(i)) }
    }
}
