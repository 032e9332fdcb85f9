//! `wisen review`: memories that were taken out of recall, and deciding about them.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use wisen::MemoryId;

use crate::text::shortened;

/// Show the memories that are quarantined, on probation, retired or pinned, or decide about one.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  wisen review STORE\n  wisen review STORE --release 17 --reason 'the tool was broken, not the memory'\n  wisen review STORE --retire 17 --reason 'out of date'"
)]
pub struct Args {
    /// Folder of the store
    path: PathBuf,
    /// Only this namespace
    #[arg(long)]
    namespace: Option<String>,
    /// Put this memory on probation
    #[arg(long, value_name = "ID", conflicts_with = "retire", requires = "reason")]
    release: Option<u64>,
    /// Take this memory out of use
    #[arg(long, value_name = "ID", requires = "reason")]
    retire: Option<u64>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(reason) = &args.reason {
        ensure!(args.release.is_some() || args.retire.is_some(), "--reason goes with --release or --retire");
        let store = crate::halt::open_for_writing(&args.path)?;
        if let Some(id) = args.release {
            store.release(MemoryId(id), reason)?;
        }
        if let Some(id) = args.retire {
            store.retire(MemoryId(id), reason)?;
        }
        store.close()?;
    }
    let store = crate::info::open(&args.path)?;
    let standings = store.review(args.namespace.as_deref())?;
    let mut text = String::new();
    for standing in &standings {
        let content = store.get(standing.id)?.map(|record| record.content).unwrap_or_default();
        writeln!(
            text,
            "{:>8}  {:12} {}{}\n          {} ({:.1} successes, {:.1} failures)",
            standing.id,
            standing.state.as_str(),
            if standing.pinned { "pinned, " } else { "" },
            shortened(&content, 80),
            shortened(&standing.reason, 120),
            standing.successes,
            standing.failures,
        )?;
    }
    if standings.is_empty() {
        text.push_str("nothing to review\n");
    }
    store.close()?;
    crate::print(&text)
}
