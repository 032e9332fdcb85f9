//! `wisen audit`: what was done in a store, and whether that record is whole.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::text::{count, shortened, time};

/// Show the audit of a store, and check that it is whole.
#[derive(clap::Args)]
#[command(after_help = "Exit status of verify: 0 nothing is wrong, 1 something is.\n\n\
    Examples:\n  wisen audit anchor STORE > anchor.txt      keep it where the store's users cannot write\n  wisen audit verify STORE --anchor \"$(cat anchor.txt)\"\n  wisen audit list STORE --last 20\n  wisen audit export STORE > audit.jsonl")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List entries, oldest first
    List {
        /// Folder of the store
        path: PathBuf,
        /// Only so many, the newest
        #[arg(long, default_value_t = 50)]
        last: u64,
    },
    /// Follow the chain of hashes, and hold memories against what was recorded of them
    Verify {
        /// Folder of the store
        path: PathBuf,
        /// What `wisen audit anchor` printed earlier
        #[arg(long)]
        anchor: Option<String>,
    },
    /// Print the number of entries and the hash of the last, to be kept elsewhere
    Anchor {
        /// Folder of the store
        path: PathBuf,
    },
    /// Print all entries as JSON lines
    Export {
        /// Folder of the store
        path: PathBuf,
    },
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let path = match &args.command {
        Command::List { path, .. }
        | Command::Verify { path, .. }
        | Command::Anchor { path }
        | Command::Export { path } => path,
    };
    let store = crate::info::open(path)?;
    let mut code = ExitCode::SUCCESS;
    let mut text = String::new();
    match &args.command {
        Command::List { last, .. } => {
            let entries: u64 = store.anchor()?.split(':').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
            for entry in store.audit_entries(entries.saturating_sub(*last), usize::MAX)? {
                let about = entry.memory.map_or_else(String::new, |id| format!("memory {id} "));
                let detail = shortened(&entry.detail.to_string(), 100);
                writeln!(
                    text,
                    "{:>8}  {}  {:16} {:14} {about}{detail}",
                    entry.id,
                    time(entry.at),
                    shortened(&entry.actor, 16),
                    entry.op
                )?;
            }
        }
        Command::Verify { anchor, .. } => {
            let found = store.audit_verify(anchor.as_deref())?;
            writeln!(text, "checked  {}", count(found.entries, "entry", "entries"))?;
            writeln!(text, "         {} held against it", count(found.memories, "memory", "memories"))?;
            if found.is_ok() {
                writeln!(text, "found    nothing wrong")?;
            } else {
                code = ExitCode::FAILURE;
                writeln!(text, "found    {}:", count(found.faults.len() as u64, "fault", "faults"))?;
                for fault in &found.faults {
                    writeln!(text, "{:>8}  {}", fault.entry, fault.what)?;
                }
            }
        }
        Command::Anchor { .. } => writeln!(text, "{}", store.anchor()?)?,
        Command::Export { .. } => {
            let mut lines = Vec::new();
            store.audit_export(&mut lines)?;
            text = String::from_utf8(lines)?;
        }
    }
    store.close()?;
    crate::print(&text)?;
    Ok(code)
}
