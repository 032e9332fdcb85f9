//! Memory of this process as the Linux kernel accounts for it, from `/proc/self/smaps`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Anonymous pages in use, wherever they lie: heap, stacks, pages of files written to in private.
    pub anonymous: u64,
    /// Size of the mappings of files under the folder asked for.
    pub mapped: u64,
    /// What of these is in memory now.
    pub mapped_resident: u64,
}

/// Memory of this process; `folder` tells which mapped files are counted.
pub fn here(folder: &Path) -> Result<Memory> {
    let text = fs::read_to_string("/proc/self/smaps").context("memory figures need Linux")?;
    Ok(count(&text, &folder.to_string_lossy()))
}

fn count(smaps: &str, folder: &str) -> Memory {
    let mut memory = Memory::default();
    let mut counted = false;
    for line in smaps.lines() {
        let Some((name, rest)) = line.split_once(':').filter(|(name, _)| !name.contains(' ')) else {
            // "start-end permissions offset device inode      path" begins a mapping.
            counted = line.find('/').is_some_and(|at| line[at..].starts_with(folder));
            continue;
        };
        let kib = rest.trim().strip_suffix(" kB").and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        match name {
            "Anonymous" => memory.anonymous += kib * 1024,
            "Size" if counted => memory.mapped += kib * 1024,
            "Rss" if counted => memory.mapped_resident += kib * 1024,
            _ => {}
        }
    }
    memory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_lies_under_the_folder() {
        let text = "7f00-7f10 r--s 00000000 fe:00 17   /store/segments/1.seg\nSize:   64 kB\nRss:   8 kB\n\
            Anonymous:   0 kB\nVmFlags: rd mr\n7f20-7f30 rw-p 00000000 00:00 0   [heap]\nSize:   132 kB\n\
            Rss:   100 kB\nAnonymous:   100 kB\n7f40-7f50 r--p 00000000 fe:00 9   /lib/libc.so\nSize:   4 kB\n\
            Rss:   4 kB\nAnonymous:   4 kB\n";
        let memory = count(text, "/store");
        assert_eq!(memory, Memory { anonymous: 104 << 10, mapped: 64 << 10, mapped_resident: 8 << 10 });
    }
}
