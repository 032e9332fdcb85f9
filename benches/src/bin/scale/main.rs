//! Measures Wisen at scale: a million vectors, little memory, recalls beside seals, ten thousand namespaces, a
//! thousand processes, deletes in rounds, batches.

mod batch;
mod common;
mod large;
mod limited;
mod paced;
mod rounds;
mod spaces;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use wisen_benches::data;
use wisen_benches::page::Page;

/// Measures Wisen at scale, through its public API, on stores on disk with durability "normal".
///
/// Vectors are real sentence embeddings, and where more are wanted mixtures of them: a real one and one of its
/// ten nearest others in shares drawn from 0.5..1 and the rest, moved by a Gaussian vector of length about 0.2,
/// stretched to length 1. Answers are compared with those of an exact scan in f32.
#[derive(Parser)]
#[command(
    after_help = "Without --data: 5,000 sentence embeddings of the repository.\n\nExamples:\n  scale --vectors 100000\n  \
    scale large limited --data big/minilm --dim 384 --store big/scale-store --threads 2\n  \
    scale spaces processes --record record.md"
)]
struct Args {
    /// What to measure
    #[arg(value_enum, default_values_t = [Study::Batch, Study::Paced, Study::Rounds, Study::Spaces, Study::Processes, Study::Large, Study::Limited])]
    studies: Vec<Study>,
    /// Folder with base.f32 and query.f32, or with base.npy and `query_id.npy`
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Numbers in a vector
    #[arg(long, default_value_t = 384)]
    dim: usize,
    /// Vectors of the large store
    #[arg(long, default_value_t = 1_000_000)]
    vectors: u64,
    /// Threads that build segments
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seconds for which recalls are measured at a pace, and with little memory
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Namespaces of 100 memories
    #[arg(long, default_value_t = 10_000)]
    namespaces: usize,
    /// Processes that remember ten things each
    #[arg(long, default_value_t = 1000)]
    processes: u64,
    /// The folder for the stores; what `large` leaves in it is used again [default: one that goes away]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Write what was found to this file as well
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// What to do as a child (the program runs itself so)
    #[arg(long, hide = true, num_args = 2.., value_names = ["PART", "STORE"])]
    child: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Study {
    /// Batch recall on two threads beside one
    Batch,
    /// Paced recalls, idle and while a merge runs
    Paced,
    /// Deleting and re-adding half in rounds: recall and disk
    Rounds,
    /// Many namespaces
    Spaces,
    /// Many short-lived processes
    Processes,
    /// The large store beside the base: latency, opening, memory
    Large,
    /// The large store with memory for a quarter of its segments
    Limited,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(child) = &args.child {
        return common::play(&args, child);
    }
    ensure!(
        args.vectors > 0 && args.namespaces > 0 && args.processes > 0,
        "of nothing nothing can be measured"
    );
    let source = args.data.clone().unwrap_or_else(|| data::shipped().join("ann"));
    let (base, queries) = common::load(&source, args.dim)?;
    let mut page = Page::new();
    page.remark(&format!(
        "{} base vectors, {} queries, {} d, cosine; {} cores, {} threads build, one recalls; durability normal; k = 10",
        base.len(),
        queries.len(),
        args.dim,
        std::thread::available_parallelism()?,
        args.threads,
    ));
    let scratch = tempfile::tempdir()?;
    let folder = args.store.clone().unwrap_or_else(|| scratch.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let bench = common::Bench { args: &args, base: &base, queries: &queries, folder: &folder };
    for study in &args.studies {
        match study {
            Study::Batch => batch::measure(&bench, &mut page)?,
            Study::Paced => paced::measure(&bench, &mut page)?,
            Study::Rounds => rounds::measure(&bench, &mut page)?,
            Study::Spaces => spaces::namespaces(&bench, &mut page)?,
            Study::Processes => spaces::processes(&bench, &mut page)?,
            Study::Large => large::measure(&bench, &mut page)?,
            Study::Limited => limited::measure(&bench, &mut page)?,
        }
        // Whatever comes later, what was found is kept.
        if let Some(file) = &args.record {
            std::fs::write(file, page.markdown())?;
        }
    }
    Ok(())
}
