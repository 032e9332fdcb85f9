//! The program `wisen`: a demo, looks into a store, and what its owner decides.

mod audit;
mod demo;
mod halt;
mod info;
mod review;
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
    Halt(halt::HaltArgs),
    Resume(halt::ResumeArgs),
    Audit(audit::Args),
    Review(review::Args),
}

const AFTER_HELP: &str = "Examples:
  wisen demo                      watch recall get better from reports, in under a minute
  wisen info wisen-demo/store     what is in a store
  wisen verify wisen-demo/store   whether it is whole
  wisen halt STORE --reason WHY   stop every process that uses a store
  wisen audit anchor STORE        what to keep elsewhere, to notice tampering

Exit status: 0 all is well, 1 faults were found or the command failed, 2 the arguments are wrong.";

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Demo(args) => demo::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Info(args) => info::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Verify(args) => verify::run(&args),
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
