//! What the studies share: data, filling, exact answers, children.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use wisen::{Memory, MemoryId, Options, Query, Store};
use wisen_benches::cosines::dot;
use wisen_benches::npy::{self, Matrix};
use wisen_benches::smaps;

use super::{Args, limited, spaces};

/// What every study is given.
pub struct Bench<'a> {
    pub args: &'a Args,
    pub base: &'a Matrix,
    pub queries: &'a Matrix,
    pub folder: &'a Path,
}

impl Bench<'_> {
    /// Options of a new store whose segments are built when it is told to.
    pub fn options(&self) -> Options {
        Options::new(self.args.dim).seal_at(usize::MAX).threads(self.args.threads)
    }
}

/// Base and queries, each vector of length 1.
pub fn load(folder: &Path, dim: usize) -> Result<(Matrix, Matrix)> {
    if folder.join("base.f32").exists() {
        let read = |name: &str| npy::read_raw(&folder.join(name), dim).map(Matrix::unit);
        return Ok((read("base.f32")?, read("query.f32")?));
    }
    let read = |name: &str| npy::read(&folder.join(name)).map(Matrix::unit);
    let (base, queries) = (read("base.npy")?, read("query_id.npy")?);
    ensure!(base.columns() == dim, "the vectors have {} numbers: say --dim", base.columns());
    Ok((base, queries))
}

/// Remembers vectors in the default namespace. Returns their ids.
pub fn fill(store: &Store, vectors: impl Iterator<Item = Vec<f32>>) -> Result<Vec<MemoryId>> {
    let mut ids = Vec::new();
    let mut batch = Vec::new();
    let mut vectors = vectors.peekable();
    while let Some(vector) = vectors.next() {
        batch.push(Memory::new(format!("row {}", ids.len() + batch.len()), vector));
        if batch.len() == 5000 || vectors.peek().is_none() {
            ids.extend(store.remember_many(std::mem::take(&mut batch))?);
        }
    }
    Ok(ids)
}

/// The rows nearest to each query, ten each, by a scan in f32 on all cores.
pub fn exact(rows: &Matrix, queries: &[&[f32]]) -> Vec<Vec<usize>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = rows.len().div_ceil(threads);
    let scan = |from: usize, to: usize| {
        let mut best: Vec<Vec<(f32, usize)>> = vec![Vec::with_capacity(12); queries.len()];
        for row in from..to {
            for (query, best) in queries.iter().zip(&mut best) {
                let nearness = dot(rows.row(row), query);
                if best.len() < 10 || nearness > best[9].0 {
                    best.insert(best.partition_point(|other| other.0 >= nearness), (nearness, row));
                    best.truncate(10);
                }
            }
        }
        best
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let spawn = |i: usize| scope.spawn(move || scan(i * part, rows.len().min((i + 1) * part)));
        let running: Vec<_> = (0..threads).map(spawn).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let merged = |i: usize| {
        let mut all: Vec<(f32, usize)> = parts.iter().flat_map(|part| part[i].iter().copied()).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.into_iter().take(10).map(|(_, row)| row).collect()
    };
    (0..queries.len()).map(merged).collect()
}

/// Recall@10 over queries, given the row of each id.
pub fn recall_at_10(
    store: &Store,
    queries: &[&[f32]],
    truth: &[Vec<usize>],
    width: usize,
    row_of: impl Fn(MemoryId) -> Option<usize>,
) -> Result<f64> {
    let mut found = 0;
    for (query, truth) in queries.iter().zip(truth) {
        let recall = store.recall(&Query::new(*query).receipt(false).width(width))?;
        found +=
            recall.hits.iter().filter_map(|hit| row_of(hit.id)).filter(|row| truth.contains(row)).count();
    }
    Ok(found as f64 / (10 * queries.len()) as f64)
}

/// Bytes of all files of a folder, and how many there are.
pub fn size(folder: &Path) -> (u64, usize) {
    let (mut bytes, mut files) = (0, 0);
    // Files come and go while the store works.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(found) = entry.metadata() else { continue };
        let (more, many) = if found.is_dir() { size(&entry.path()) } else { (found.len(), 1) };
        (bytes, files) = (bytes + more, files + many);
    }
    (bytes, files)
}

/// Runs this program as a child; what it says, as numbers.
pub fn child(args: &Args, part: &str, store: &Path, more: &[String]) -> Result<Vec<f64>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--dim", &args.dim.to_string(), "--seconds", &args.seconds.to_string()])
        .args(args.data.iter().flat_map(|data| ["--data".into(), data.clone().into_os_string()]))
        .arg("--child")
        .arg(part)
        .arg(store)
        .args(more)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "the child ended with {}: {text}", output.status);
    text.split_whitespace()
        .map(|word| word.parse().with_context(|| format!("the child says {word:?}")))
        .collect()
}

/// What a child does.
pub fn play(args: &Args, words: &[String]) -> Result<()> {
    let source = args.data.clone().unwrap_or_else(|| wisen_benches::data::shipped().join("ann"));
    let [part, store, more @ ..] = words else { bail!("a child of nobody") };
    let store = Path::new(store);
    match part.as_str() {
        "open" => open(store, &load(&source, args.dim)?.1, more),
        "rate" => limited::rate(store, &load(&source, args.dim)?.1, args.seconds, more),
        "ten" => spaces::ten(store, &load(&source, args.dim)?.0, more),
        other => bail!("no part {other}"),
    }
}

/// Opens and recalls in a namespace: says milliseconds to open, to the first answer, for the second answer in
/// another namespace; then bytes of memory: mapped, of these resident, anonymous, after some recalls.
fn open(path: &Path, queries: &Matrix, more: &[String]) -> Result<()> {
    let [first, second, recalls] = more else { bail!("open: two namespaces and a number are meant") };
    let segments = path.canonicalize()?.join("segments");
    let before = smaps::here(&segments)?;
    let began = Instant::now();
    let store = Store::open(path, Options::existing())?;
    let opened = began.elapsed().as_secs_f64() * 1e3;
    let ask = |row: usize, name: &String| {
        store.recall(&Query::new(queries.row(row % queries.len())).namespace(name).receipt(false))
    };
    ensure!(!ask(0, first)?.hits.is_empty(), "no hit in {first}");
    let answered = began.elapsed().as_secs_f64() * 1e3;
    ensure!(!ask(1, second)?.hits.is_empty(), "no hit in {second}");
    let again = began.elapsed().as_secs_f64() * 1e3 - answered;
    for row in 0..recalls.parse()? {
        ask(row, first)?;
    }
    let after = smaps::here(&segments)?;
    let anonymous = after.anonymous.saturating_sub(before.anonymous);
    println!("{opened} {answered} {again} {} {} {anonymous}", after.mapped, after.mapped_resident);
    Ok(())
}

/// What [`open`] says, the medians of five children.
pub fn opened(bench: &Bench<'_>, store: &Path, names: [&str; 2], recalls: usize) -> Result<Vec<f64>> {
    let more = [names[0].to_owned(), names[1].to_owned(), recalls.to_string()];
    let runs = (0..5).map(|_| child(bench.args, "open", store, &more)).collect::<Result<Vec<_>>>()?;
    let columns = 0..runs[0].len();
    Ok(columns
        .map(|i| wisen_benches::pace::quantile(&runs.iter().map(|run| run[i]).collect::<Vec<_>>(), 0.5))
        .collect())
}
