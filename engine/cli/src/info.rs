//! `wisen info`: what is in a store.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use wisen::{ErrorCode, Namespace, Options, Stats, Store};

use crate::text::{bytes, count, number, shortened, time};

/// Show what is in a store: settings, figures, namespaces, files and their sizes. Changes nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  wisen info wisen-demo/store\n  wisen info wisen-demo/store --json")]
pub struct Args {
    /// Folder of the store
    path: PathBuf,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

/// A file of a store: its name in there, and its size.
type File = (String, u64);

/// The most namespaces that are listed for people.
const LISTED: usize = 20;

pub fn run(args: &Args) -> Result<()> {
    let store = open(&args.path)?;
    let stats = store.stats()?;
    // A halt may forbid to look into it; the figures are told all the same.
    let namespaces = match store.namespaces() {
        Err(error) if error.code() == ErrorCode::Halted => Vec::new(),
        told => told?,
    };
    let files = files(&args.path)?;
    store.close()?;
    let text =
        if args.json { as_json(&stats, &namespaces, &files) } else { as_text(&stats, &namespaces, &files) };
    crate::print(&text)
}

/// Opens a store that exists, to look only.
pub fn open(path: &Path) -> Result<Store> {
    ensure!(path.is_dir(), "there is no folder {}: name the folder of a store", path.display());
    Ok(Store::open(path, Options::existing().read_only(true))?)
}

fn files(store: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            // Files come and go while others write.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                let name = path.strip_prefix(store).unwrap_or(&path).display().to_string();
                files.push((name, metadata.len()));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn as_text(stats: &Stats, namespaces: &[Namespace], files: &[File]) -> String {
    let model = stats.model.as_deref().unwrap_or("no model named");
    let segments = count(stats.segments, "segment", "segments");
    let mut rows = vec![
        ("vectors", {
            let (metric, storage) = (stats.metric.as_str(), stats.storage.as_str());
            format!("{} numbers, {metric}, {storage}, {model}", stats.dimension)
        }),
        ("memories", number(stats.memories)),
        ("reports", number(stats.reports)),
        ("experiences", number(stats.experiences)),
        ("index", format!("{segments}, {}; {} unsealed", bytes(stats.segment_bytes), number(stats.unsealed))),
    ];
    if stats.segments_set_aside > 0 {
        rows.push(("", format!("{} set aside as damaged", number(stats.segments_set_aside))));
    }
    rows.push(("namespaces", number(stats.namespaces)));
    rows.extend(namespaces.iter().take(LISTED).map(|namespace| {
        let memories = count(namespace.memories, "memory", "memories");
        let name = shortened(&namespace.name, 40);
        ("", format!("{name:24} {memories:>18}   since {}", time(namespace.created_at)))
    }));
    if namespaces.len() > LISTED {
        rows.push((
            "",
            format!("and {} more (--json lists all)", number((namespaces.len() - LISTED) as u64)),
        ));
    }
    rows.push(("files", bytes(files.iter().map(|(_, size)| size).sum())));
    rows.extend(files.iter().map(|(name, size)| ("", format!("{name:44} {:>12}", bytes(*size)))));
    let lines: Vec<String> = rows.into_iter().map(|(name, value)| format!("{name:12} {value}\n")).collect();
    lines.concat()
}

fn as_json(stats: &Stats, namespaces: &[Namespace], files: &[File]) -> String {
    let namespaces: Vec<_> = namespaces
        .iter()
        .map(|n| json!({ "name": n.name, "memories": n.memories, "created_at": n.created_at }))
        .collect();
    let files: Vec<_> = files.iter().map(|(name, size)| json!({ "name": name, "bytes": size })).collect();
    let value = json!({
        "dimension": stats.dimension,
        "metric": stats.metric.as_str(),
        "storage": stats.storage.as_str(),
        "model": stats.model,
        "memories": stats.memories,
        "reports": stats.reports,
        "experiences": stats.experiences,
        "segments": stats.segments,
        "segments_set_aside": stats.segments_set_aside,
        "segment_bytes": stats.segment_bytes,
        "unsealed": stats.unsealed,
        "namespaces": namespaces,
        "files": files,
    });
    format!("{value:#}\n")
}
