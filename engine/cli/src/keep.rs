//! `wisen backup`, `restore`, `compact`, `export`, `import`: what keeps a store.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use wisen::{Options, Store};

use crate::text::{bytes, count};

/// Copy a store to one file, while others go on using it.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  wisen backup wisen-demo/store monday.backup\n  \
    wisen backup wisen-demo/store monday.backup --force")]
pub struct Backup {
    /// Folder of the store
    store: PathBuf,
    /// File to write
    file: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

/// Make a store from a backup, which is checked whole before.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  wisen restore monday.backup restored")]
pub struct Restore {
    /// File that `wisen backup` wrote
    file: PathBuf,
    /// Folder of the new store: missing or empty
    store: PathBuf,
}

/// Make a store as small as what is alive in it, and take what was forgotten out of every file.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  wisen compact wisen-demo/store")]
pub struct Compact {
    /// Folder of the store
    store: PathBuf,
}

/// Write everything in a store as JSON lines.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  wisen export wisen-demo/store store.jsonl")]
pub struct Export {
    /// Folder of the store
    store: PathBuf,
    /// File to write
    file: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

/// Make a store from an export, or put the memories of an export into a store.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  wisen import store.jsonl copy\n  \
    wisen import store.jsonl wisen-demo/store --memories")]
pub struct Import {
    /// File that `wisen export` wrote
    file: PathBuf,
    /// Folder of the new store: missing or empty; with --memories, of one that exists
    store: PathBuf,
    /// Remember the memories alone, with new ids, in a store that exists
    #[arg(long)]
    memories: bool,
}

pub fn backup(args: &Backup) -> Result<()> {
    let store = crate::info::open(&args.store)?;
    let size = store.backup(&args.file, args.force)?;
    store.close()?;
    crate::print(&format!("wrote {} to {}\n", bytes(size), args.file.display()))
}

pub fn restore(args: &Restore) -> Result<()> {
    Store::restore(&args.file, &args.store)?;
    crate::print(&format!("restored {}\n", args.store.display()))
}

pub fn compact(args: &Compact) -> Result<()> {
    let store = open(&args.store)?;
    let sizes = store.compact()?;
    store.close()?;
    let (before, after) = (bytes(sizes.bytes_before), bytes(sizes.bytes_after));
    crate::print(&format!("{before} before, {after} after\n"))
}

pub fn export(args: &Export) -> Result<()> {
    let store = crate::info::open(&args.store)?;
    let rows = store.export(&args.file, args.force)?;
    store.close()?;
    crate::print(&format!("wrote {} to {}\n", count(rows, "row", "rows"), args.file.display()))
}

pub fn import(args: &Import) -> Result<()> {
    if !args.memories {
        Store::import(&args.file, &args.store)?;
        return crate::print(&format!("imported {}\n", args.store.display()));
    }
    let store = open(&args.store)?;
    let ids = store.import_memories(&args.file)?;
    store.close()?;
    crate::print(&format!("remembered {}\n", count(ids.len() as u64, "memory", "memories")))
}

/// Opens a store that exists, to change it.
fn open(path: &std::path::Path) -> Result<Store> {
    ensure!(path.is_dir(), "there is no folder {}: name the folder of a store", path.display());
    Store::open(path, Options::existing()).context("cannot open the store")
}
