//! `wisen verify`: whether a store is whole.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use wisen::Verification;

use crate::text::{count, number};

/// Check a store: what a quick look tells, or (--full) every row, content, sum and segment. Changes nothing.
#[derive(clap::Args)]
#[command(after_help = "Exit status: 0 nothing is wrong, 1 something is, or the store cannot be opened.\n\n\
    Examples:\n  wisen verify wisen-demo/store\n  wisen verify wisen-demo/store --full --json")]
pub struct Args {
    /// Folder of the store
    path: PathBuf,
    /// Read and check everything
    #[arg(long)]
    full: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let verified = crate::info::open(&args.path).and_then(|store| {
        let found = if args.full { store.verify()? } else { store.verify_quick()? };
        store.close()?;
        Ok(found)
    });
    let whole = matches!(&verified, Ok(found) if found.is_ok());
    let text = match (&verified, args.json) {
        (Ok(found), true) => as_json(found),
        (Ok(found), false) => as_text(found)?,
        (Err(error), true) => format!("{:#}\n", json!({ "ok": false, "error": format!("{error:#}") })),
        (Err(_), false) => return verified.map(|_| ExitCode::FAILURE),
    };
    crate::print(&text)?;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_text(found: &Verification) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "checked  {}", count(found.memories, "memory", "memories"))?;
    writeln!(text, "         {}", count(found.reports, "report", "reports"))?;
    let recomputed = if found.full { " recomputed from the reports" } else { "" };
    writeln!(text, "         {}{recomputed}", count(found.cells, "experience", "experiences"))?;
    let segments = count(found.segments, "segment", "segments");
    writeln!(text, "         {segments} with {}", count(found.sealed, "vector", "vectors"))?;
    if found.is_ok() {
        let more = if found.full { "" } else { " at a quick look (--full reads everything)" };
        writeln!(text, "found    nothing wrong{more}")?;
    }
    if found.unreachable > 0 {
        writeln!(
            text,
            "found    {} that no graph search reaches",
            count(found.unreachable, "vector", "vectors")
        )?;
    }
    if !found.faults.is_empty() {
        writeln!(text, "found    {}:", count(found.faults.len() as u64, "fault", "faults"))?;
        for (i, fault) in found.faults.iter().enumerate() {
            writeln!(text, "{:>7}  {fault}", number(i as u64 + 1))?;
        }
    }
    Ok(text)
}

fn as_json(found: &Verification) -> String {
    let value = json!({
        "ok": found.is_ok(),
        "full": found.full,
        "memories": found.memories,
        "reports": found.reports,
        "cells": found.cells,
        "segments": found.segments,
        "sealed": found.sealed,
        "unreachable": found.unreachable,
        "faults": found.faults,
    });
    format!("{value:#}\n")
}
