//! The program `wisen`: a demo, looks into a store, what keeps it, its rules, and what its owner decides.

mod audit;
mod demo;
mod embedder;
mod halt;
mod info;
mod keep;
mod key;
mod reembed;
mod review;
mod rules;
mod text;
mod verify;

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Wisen, an embedded memory engine for AI agents that learns what works.
#[derive(Parser)]
#[command(name = "wisen", version, after_help = AFTER_HELP)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Info(info::Args),
    Verify(verify::Args),
    Backup(keep::Backup),
    Restore(keep::Restore),
    Compact(keep::Compact),
    Export(keep::Export),
    Import(keep::Import),
    Reembed(reembed::Args),
    Rules(rules::Args),
    Check(rules::CheckArgs),
    Halt(halt::HaltArgs),
    Resume(halt::ResumeArgs),
    Audit(audit::Args),
    Review(review::Args),
}

const AFTER_HELP: &str = "Examples:
  wisen demo                      watch recall get better from reports, in under a minute
  wisen info wisen-demo/store     what is in a store
  wisen verify wisen-demo/store   whether it is whole
  wisen backup wisen-demo/store monday.backup
                                  a copy in one file
  wisen reembed --help            the same store with another embedding model
  wisen rules list STORE          its directives
  wisen check STORE --tool git    whether a tool may be called
  wisen halt STORE --reason WHY   stop every process that uses a store
  wisen audit anchor STORE        what to keep elsewhere, to notice tampering

Exit status: 0 all is well, 1 faults were found or the command failed, 2 the arguments are wrong.\n\
`wisen check` has its own: 0 allow, 2 deny, 3 ask.";

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Demo(args) => demo::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Info(args) => info::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Verify(args) => verify::run(&args),
        Command::Backup(args) => keep::backup(&args).map(|()| ExitCode::SUCCESS),
        Command::Restore(args) => keep::restore(&args).map(|()| ExitCode::SUCCESS),
        Command::Compact(args) => keep::compact(&args).map(|()| ExitCode::SUCCESS),
        Command::Export(args) => keep::export(&args).map(|()| ExitCode::SUCCESS),
        Command::Import(args) => keep::import(&args).map(|()| ExitCode::SUCCESS),
        Command::Reembed(args) => reembed::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Rules(args) => rules::run(&args),
        Command::Check(args) => return rules::check(&args),
        Command::Halt(args) => halt::halt(&args).map(|()| ExitCode::SUCCESS),
        Command::Resume(args) => halt::resume(&args).map(|()| ExitCode::SUCCESS),
        Command::Audit(args) => audit::run(&args),
        Command::Review(args) => review::run(&args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("wisen: {error:#}");
        ExitCode::FAILURE
    })
}

/// Writes to standard output. A reader that has gone away (`wisen info STORE | head -1`) is no error.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
