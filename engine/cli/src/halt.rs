//! `wisen halt` and `wisen resume`: stopping a store, and letting it go on.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use wisen::{HaltLevel, Options, Store};

use crate::key::Key;
use crate::text::time;

/// Halt a store: every call of every process that begins afterwards is refused, until it is resumed.
#[derive(clap::Args)]
#[command(
    after_help = "Levels: no_writes, no_recalls, no_memory (neither), deny_all (also every check denies).\n\
    Halts add up; without --reason the halt in force is shown.\n\n\
    Examples:\n  wisen halt STORE --reason 'it deletes the wrong rows'\n  wisen halt STORE --level no_writes --reason audit\n  wisen halt STORE"
)]
pub struct HaltArgs {
    /// Folder of the store
    path: PathBuf,
    /// How much is halted
    #[arg(long, default_value = "deny_all")]
    level: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

/// Let a halted store go on.
#[derive(clap::Args)]
#[command(after_help = "A store that has an authority asks for its secret key.\n\n\
    Examples:\n  wisen resume STORE --reason 'the tool is mended'\n  wisen resume STORE --reason mended --key ann.key")]
pub struct ResumeArgs {
    /// Folder of the store
    path: PathBuf,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    key: Key,
}

/// Opens a store that exists, to change it.
pub fn open_for_writing(path: &Path) -> Result<Store> {
    ensure!(path.is_dir(), "there is no folder {}: name the folder of a store", path.display());
    Ok(Store::open(path, Options::existing())?)
}

pub fn halt(args: &HaltArgs) -> Result<()> {
    let Some(reason) = &args.reason else {
        let store = crate::info::open(&args.path)?;
        let text = match store.halted()? {
            Some(halt) => shown(&halt),
            None => "not halted\n".to_owned(),
        };
        store.close()?;
        return crate::print(&text);
    };
    let Some(level) = HaltLevel::parse(&args.level) else {
        bail!("{:?} is no level: no_writes, no_recalls, no_memory or deny_all", args.level);
    };
    let store = open_for_writing(&args.path)?;
    let halt = store.halt(reason, level)?;
    store.close()?;
    crate::print(&shown(&halt))
}

fn shown(halt: &wisen::Halt) -> String {
    let note =
        if halt.recorded { "" } else { " (in the control file only: the database could not be written)" };
    format!(
        "halted    {}{note}\nsince     {}\nby        {}\nreason    {}\n",
        halt.level.as_str(),
        time(halt.since),
        halt.by,
        halt.reason
    )
}

pub fn resume(args: &ResumeArgs) -> Result<()> {
    let key = args.key.find()?;
    let store = open_for_writing(&args.path)?;
    let was = store.resume(&args.reason, key.as_ref())?;
    store.close()?;
    crate::print(if was { "resumed\n" } else { "it was not halted\n" })
}
