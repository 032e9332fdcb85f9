//! `wisen reembed`: the same store with vectors of another model.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use wisen::{Embedded, Reembedded, TextKind};

use crate::embedder::Embedder;
use crate::text::{count, number, shortened};

/// Make the same store with vectors of another embedding model; outcomes are kept. The store itself is only read.
///
/// The command is run once, by the shell. For each text it gets a line such as
/// {"id":0,"kind":"memory","text":"...","left":255} on its standard input, and answers each, in order, with one line
/// on its standard output: the vector, as [0.1,-0.2] or {"id":0,"vector":[0.1,-0.2]}. An empty vector or null says
/// that the text cannot be embedded; {"error":"..."} gives up. kind is "memory" or "query", for models that embed the
/// two in different ways. left is how many more texts come before the answers are waited for: who embeds many at once
/// may collect them until it is 0. Memories come first, then the texts of queries, each distinct one once.
///
/// If the command ends early, or gives a vector that cannot be, nothing is left in the new folder.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Folder of the store
    store: PathBuf,
    /// Folder of the new store: missing or empty
    new: PathBuf,
    /// Name of the embedding model, which the new store remembers
    #[arg(long)]
    model: String,
    /// Numbers in each of its vectors
    #[arg(long, visible_alias = "dim")]
    dimension: usize,
    /// The command that embeds, for the shell
    #[arg(long, required_unless_present = "dry_run")]
    command: Option<String>,
    /// Seconds that the command may be silent when it is asked something
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    timeout: u64,
    /// Count what would be embedded, run no command, and leave no new store. Takes the time and the free space of the
    /// copy
    #[arg(long)]
    dry_run: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  wisen reembed wisen-demo/store new-store --model bge-small --dimension 384 --command 'python embed.py'
  wisen reembed wisen-demo/store new-store --model bge-small --dimension 384 --dry-run

  where embed.py is
      import json, sys
      from sentence_transformers import SentenceTransformer
      model = SentenceTransformer('BAAI/bge-small-en-v1.5')
      for line in sys.stdin:
          print(json.dumps(model.encode(json.loads(line)['text']).tolist()), flush=True)";

/// Texts that were asked for: of memories, and of queries.
#[derive(Default)]
struct Asked {
    memories: u64,
    queries: u64,
}

impl Asked {
    fn note(&mut self, kind: TextKind, texts: &[&str]) {
        match kind {
            TextKind::Memory => self.memories += texts.len() as u64,
            TextKind::Query => self.queries += texts.len() as u64,
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    let mut asked = Asked::default();
    let done = match &args.command {
        Some(command) if !args.dry_run => embed(args, command, &mut asked)?,
        _ => rehearse(args, &mut asked)?,
    };
    crate::print(&if args.json { as_json(args, &asked, &done) } else { as_text(args, &asked, &done) })
}

fn embed(args: &Args, command: &str, asked: &mut Asked) -> Result<Reembedded> {
    let store = crate::info::open(&args.store)?;
    // Started when the first text is there: a wrong folder or dimension needs no model.
    let mut embedder: Option<Embedder> = None;
    let patience = Duration::from_secs(args.timeout);
    let done = store.reembed(&args.new, &args.model, args.dimension, |kind, texts| -> Embedded {
        let running = match &mut embedder {
            Some(running) => running,
            none => none.insert(Embedder::start(command, args.dimension, patience)?),
        };
        let vectors = running.embed(kind, texts)?;
        asked.note(kind, texts);
        Ok(vectors)
    })?;
    store.close()?;
    match embedder.map(Embedder::finish).transpose() {
        Ok(None) => {}
        Ok(Some(Some(status))) if status.success() => {}
        Ok(Some(Some(status))) => {
            eprintln!("wisen: the command ended with {status} after it had answered everything");
        }
        Ok(Some(None)) => eprintln!("wisen: the command did not end when its input did, and was ended"),
        Err(error) => {
            // It was made just now.
            std::fs::remove_dir_all(&args.new)
                .with_context(|| format!("cannot delete {}, which is not to be used", args.new.display()))?;
            return Err(error);
        }
    }
    Ok(done)
}

/// Does all of it but for the embedding, in a folder that goes again.
fn rehearse(args: &Args, asked: &mut Asked) -> Result<Reembedded> {
    let store = crate::info::open(&args.store)?;
    let beside = args.new.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = tempfile::tempdir_in(beside)
        .with_context(|| format!("cannot make a folder in {}", beside.display()))?;
    let done = store.reembed(
        folder.path().join("store"),
        &args.model,
        args.dimension,
        |kind, texts| -> Embedded {
            asked.note(kind, texts);
            Ok(texts.iter().map(|text| stand_in(text, args.dimension)).collect())
        },
    )?;
    store.close()?;
    Ok(done)
}

/// Some vector, another one for another text.
fn stand_in(text: &str, dimension: usize) -> Vec<f32> {
    let mut state = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (0..dimension)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 + 1.0
        })
        .collect()
}

fn as_text(args: &Args, asked: &Asked, done: &Reembedded) -> String {
    let memories = count(done.memories, "memory", "memories");
    let texts = count(asked.memories + asked.queries, "text", "texts");
    let (would, to) = if args.dry_run { ("would embed", "to be embedded") } else { ("embedded", "embedded") };
    let mut rows = vec![
        (would, format!("{memories}, model {}, {} numbers", args.model, args.dimension)),
        ("texts", format!("{texts} {to}, {} of them of queries", number(asked.queries))),
    ];
    if !done.left_out.is_empty() {
        let ids: Vec<String> = done.left_out.iter().map(ToString::to_string).collect();
        let left = count(done.left_out.len() as u64, "memory", "memories");
        rows.push((
            "left out",
            format!("{left} without a text that can be embedded: {}", shortened(&ids.join(" "), 200)),
        ));
    }
    rows.push(("reports", format!("{} where their query is in the new space", number(done.placed))));
    if done.unplaced > 0 {
        let why = "no text of their query was kept: they count at their memories alone";
        rows.push(("", format!("{} whose place is not known; {why}", number(done.unplaced))));
    }
    rows.push(if args.dry_run {
        ("wrote", "nothing".to_owned())
    } else {
        ("wrote", args.new.display().to_string())
    });
    let lines: Vec<String> = rows.into_iter().map(|(name, value)| format!("{name:12} {value}\n")).collect();
    lines.concat()
}

fn as_json(args: &Args, asked: &Asked, done: &Reembedded) -> String {
    let left_out: Vec<u64> = done.left_out.iter().map(|id| id.0).collect();
    let value = json!({
        "dry_run": args.dry_run,
        "model": args.model,
        "dimension": args.dimension,
        "memories": done.memories,
        "left_out": left_out,
        "placed": done.placed,
        "unplaced": done.unplaced,
        "texts_of_memories": asked.memories,
        "texts_of_queries": asked.queries,
    });
    format!("{value:#}\n")
}
