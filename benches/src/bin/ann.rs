//! Measures the index: recall, speed, bytes and memory of a store that holds many memories.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use wisen::{Memory, Metric, Options, Query, Store};
use wisen_benches::ann::Problem;
use wisen_benches::npy::{self, Matrix};
use wisen_benches::{data, smaps};

/// Remembers many vectors, seals, reopens, and measures recall@10, speed, bytes and memory.
#[derive(Parser)]
#[command(
    after_help = "Without --data: 5,000 sentence embeddings of the repository.\n\nExamples:\n  ann\n  \
    ann --queries query_ood --widths 32,64,128\n  ann --data big/minilm --dim 384\n  \
    ann --data big/mnist --dim 784 --metric l2 --keep big/store"
)]
struct Args {
    /// Folder with base.f32, query.f32 and gt.i32, or with base.npy and the queries as .npy
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which .npy file holds the queries
    #[arg(long, value_name = "NAME", default_value = "query_id")]
    queries: String,
    /// Numbers in a vector
    #[arg(long, default_value_t = 384)]
    dim: usize,
    /// cosine, dot or l2
    #[arg(long, default_value = "cosine", value_parser = metric)]
    metric: Metric,
    /// Widths (ef) of the graph search to measure besides the default
    #[arg(long, value_delimiter = ',', default_values_t = [16, 32, 64, 128, 256, 512])]
    widths: Vec<usize>,
    /// Build segments in the background at so many unsealed vectors [default: that of the engine]
    #[arg(long, value_name = "N")]
    seal_at: Option<usize>,
    /// Leave the store in this new folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Only memory figures of this store, asked the vectors of a .f32 file (the program runs itself so)
    #[arg(long, hide = true, num_args = 2, value_names = ["STORE", "QUERIES"])]
    memory_of: Option<Vec<PathBuf>>,
}

fn metric(text: &str) -> Result<Metric, String> {
    Metric::parse(text).ok_or_else(|| "one of cosine, dot, l2 is meant".to_owned())
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some([store, queries]) = args.memory_of.as_deref() {
        return memory_figures(store, &npy::read_raw(queries, args.dim)?);
    }
    let data = args.data.clone().unwrap_or_else(|| data::shipped().join("ann"));
    let problem = Problem::load(&data, &args.queries, args.dim, args.metric)?;
    let scratch = tempfile::tempdir()?;
    let path = args.keep.clone().unwrap_or_else(|| scratch.path().join("store"));
    ensure!(!path.exists(), "{} is there already: name a new folder", path.display());
    println!(
        "{} vectors, {} queries, {} d, {}, {} threads, durability normal, {}",
        problem.base.len(),
        problem.queries.len(),
        args.dim,
        args.metric.as_str(),
        std::thread::available_parallelism()?,
        data.display(),
    );
    let first = build(&args, &problem.base, &path)?;
    measure(&args, &problem, &path, first)?;
    let asked = scratch.path().join("queries.f32");
    std::fs::write(
        &asked,
        problem.queries.rows().flatten().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(),
    )?;
    let child = Command::new(std::env::current_exe()?)
        .args(["--dim", &args.dim.to_string(), "--memory-of"])
        .args([path.as_path(), &asked])
        .status()?;
    ensure!(child.success(), "the child process ended with {child}");
    Ok(())
}

/// Remembers all vectors in batches and seals. Returns the id of the first.
fn build(args: &Args, base: &Matrix, path: &Path) -> Result<u64> {
    let mut options = Options::new(args.dim).metric(args.metric);
    if let Some(vectors) = args.seal_at {
        options = options.seal_at(vectors);
    }
    let store = Store::open(path, options)?;
    let rows: Vec<&[f32]> = base.rows().collect();
    let began = Instant::now();
    let mut first = None;
    for (at, batch) in rows.chunks(1000).enumerate() {
        let row = |i: usize| at * 1000 + i;
        let memories =
            batch.iter().enumerate().map(|(i, vector)| Memory::new(format!("row {}", row(i)), *vector));
        let ids = store.remember_many(memories.collect())?;
        let start = *first.get_or_insert(ids.first().context("an empty batch")?.0);
        // Row r has id first + r: ids are given out in the order of remembering.
        let in_order = ids.iter().enumerate().all(|(i, id)| id.0 == start + row(i) as u64);
        ensure!(in_order, "ids do not follow the order of remembering");
    }
    let remembered = began.elapsed().as_secs_f64();
    store.seal()?;
    let stats = store.stats()?;
    println!(
        "remember {remembered:.2} s, with seal {:.2} s; {} segments of {} bytes in all, {} unsealed",
        began.elapsed().as_secs_f64(),
        stats.segments,
        stats.segment_bytes,
        stats.unsealed,
    );
    store.close()?;
    first.context("there is nothing to remember")
}

/// Recall, speed and bytes of the reopened store, on one thread.
fn measure(args: &Args, problem: &Problem, path: &Path, first: u64) -> Result<()> {
    let began = Instant::now();
    let store = Store::open(path, Options::existing())?;
    println!("reopen {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    for width in std::iter::once(0).chain(args.widths.iter().copied()) {
        let ask = |query: &[f32]| store.recall(&Query::new(query).k(10).receipt(false).width(width));
        // Once to warm up and to see what is found, once more for the time.
        let (mut recall, mut bytes) = (0.0, 0);
        for (i, query) in problem.queries.rows().enumerate() {
            let answer = ask(query)?;
            let found: Vec<usize> = answer.hits.iter().map(|hit| (hit.id.0 - first) as usize).collect();
            recall += problem.recall_at_10(i, &found);
            bytes += answer.bytes_touched;
        }
        let began = Instant::now();
        for query in problem.queries.rows() {
            ask(query)?;
        }
        let n = problem.queries.len();
        let name = if width == 0 { "default".to_owned() } else { width.to_string() };
        println!(
            "width {name:>7}: recall@10 {:.4}  {:7.0} queries/s  {} bytes/query",
            recall / n as f64,
            n as f64 / began.elapsed().as_secs_f64(),
            bytes / n as u64,
        );
    }
    let stats = store.stats()?;
    println!("{} graph searches, {} scans, {} recalls", stats.graph_searches, stats.scans, stats.recalls);
    let began = Instant::now();
    let verification = store.verify()?;
    println!(
        "verify {:.2} s: {} memories, {} sealed vectors, {} unreachable, {} faults",
        began.elapsed().as_secs_f64(),
        verification.memories,
        verification.sealed,
        verification.unreachable,
        verification.faults.len(),
    );
    verification.faults.iter().for_each(|fault| println!("  {fault}"));
    store.close()?;
    Ok(())
}

/// What an open store costs a process that did not build it.
fn memory_figures(path: &Path, queries: &Matrix) -> Result<()> {
    let segments = path.canonicalize()?.join("segments");
    let before = smaps::here(&segments)?;
    let began = Instant::now();
    let store = Store::open(path, Options::existing())?;
    let opened = began.elapsed().as_secs_f64() * 1e3;
    store.recall(&Query::new(queries.row(0)).receipt(false))?;
    let first = began.elapsed().as_secs_f64() * 1e3;
    let one = smaps::here(&segments)?;
    for query in queries.rows() {
        store.recall(&Query::new(query).receipt(false))?;
    }
    let all = smaps::here(&segments)?;
    println!("fresh process: open {opened:.1} ms, with a first recall {first:.1} ms");
    for (when, now) in [("after the first recall", one), ("after all queries", all)] {
        println!(
            "  {when}: {} bytes of mapped segments ({} resident), {} bytes of anonymous memory more than \
             before open",
            now.mapped,
            now.mapped_resident,
            now.anonymous.saturating_sub(before.anonymous),
        );
    }
    store.close()?;
    Ok(())
}
