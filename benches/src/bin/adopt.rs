//! An index built with `hnsw_rs`, the same index adopted by Wisen, and an index of Wisen's own, side by side.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use hnsw_rs::anndists::dist::distances::{DistCosine, DistL2, Distance};
use hnsw_rs::hnsw::Hnsw;
use wisen::{Memory, Metric, Options, Query, Store};
use wisen_benches::ann::Problem;
use wisen_benches::data;
use wisen_benches::npy::Matrix;

/// M and width of building, of both.
const M: usize = 16;
const EF_CONSTRUCTION: usize = 200;

/// Recall@10 against exact neighbours, queries/s on one thread, and how many points can be reached, before and
/// after an index of `hnsw_rs` is adopted, and beside an index that Wisen builds.
#[derive(Parser)]
#[command(after_help = "Examples:\n  adopt\n  adopt --data big/minilm --only data --dim 384\n  \
    RAYON_NUM_THREADS=2 adopt --only bursts --points 60000")]
struct Args {
    /// Folder with base.f32, query.f32 and gt.i32, or with base.npy and the queries as .npy
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which .npy file holds the queries
    #[arg(long, value_name = "NAME", default_value = "query_id")]
    queries: String,
    /// Numbers in a vector of the data
    #[arg(long, default_value_t = 384)]
    dim: usize,
    /// Which sets: `data` (in the order of the files), `bursts` (near-duplicates of 32 numbers, 100 at a time), `clusters`
    /// (200 clusters of 32 numbers, in random order), `doubles` (ten exact copies of each vector, one after another)
    #[arg(long, value_delimiter = ',', default_values_t = ["data", "bursts", "clusters", "doubles"].map(str::to_owned))]
    only: Vec<String>,
    /// Points of a set that is made
    #[arg(long, default_value_t = 10_000)]
    points: usize,
    /// Widths (ef) of searches
    #[arg(long, value_delimiter = ',', default_values_t = [10, 20, 40, 80, 160, 320])]
    widths: Vec<usize>,
    /// Passes over the queries, of which the fastest is printed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    println!(
        "hnsw_rs 0.3.5 and Wisen {}, M = {M}, ef_construction = {EF_CONSTRUCTION}, {} build threads, 1 query \
         thread, k = 10, durability normal",
        env!("CARGO_PKG_VERSION"),
        rayon_threads()?,
    );
    for set in &args.only {
        let (metric, problem) = problem(&args, set)?;
        println!(
            "\n## {set}: {} points, {} queries, {} d, {}\n",
            problem.base.len(),
            problem.queries.len(),
            problem.base.columns(),
            metric.as_str()
        );
        println!("| index | made in s | reachable | width: recall@10, queries/s |");
        println!("|---|---|---|---|");
        match metric {
            Metric::L2 => compare(&args, &problem, metric, DistL2)?,
            _ => compare(&args, &problem, metric, DistCosine)?,
        }
    }
    Ok(())
}

/// How many threads `hnsw_rs` builds on.
fn rayon_threads() -> Result<usize> {
    match std::env::var("RAYON_NUM_THREADS") {
        Ok(number) => number.parse().context("RAYON_NUM_THREADS is no number"),
        Err(_) => Ok(std::thread::available_parallelism()?.get()),
    }
}

fn problem(args: &Args, set: &str) -> Result<(Metric, Problem)> {
    const DIM: usize = 32;
    let mut rng = fastrand::Rng::with_seed(7);
    let number = |rng: &mut fastrand::Rng| rng.f32() * 2.0 - 1.0;
    let mut centres: Vec<Vec<f32>> = Vec::new();
    let mut near = |rng: &mut fastrand::Rng, group: usize, spread: f32| -> Vec<f32> {
        while centres.len() <= group {
            centres.push((0..DIM).map(|_| number(rng)).collect());
        }
        centres[group].iter().map(|x| x + spread * number(rng)).collect()
    };
    let n = args.points;
    let (rows, queries): (Vec<f32>, Vec<f32>) = match set {
        "data" => {
            let data = args.data.clone().unwrap_or_else(|| data::shipped().join("ann"));
            return Ok((Metric::Cosine, Problem::load(&data, &args.queries, args.dim, Metric::Cosine)?));
        }
        "bursts" => (
            (0..n).flat_map(|i| near(&mut rng, i / 100, 0.02)).collect(),
            (0..500).flat_map(|i| near(&mut rng, i * 37 % n.div_ceil(100), 0.02)).collect(),
        ),
        "clusters" => (
            (0..n)
                .flat_map(|_| {
                    let group = rng.usize(..200);
                    near(&mut rng, group, 0.15)
                })
                .collect(),
            (0..500)
                .flat_map(|_| {
                    let group = rng.usize(..200);
                    near(&mut rng, group, 0.15)
                })
                .collect(),
        ),
        "doubles" => (
            (0..n).flat_map(|i| near(&mut rng, i / 10, 0.0)).collect(),
            (0..500).flat_map(|i| near(&mut rng, i * 37 % n.div_ceil(10), 0.3)).collect(),
        ),
        other => bail!("there is no set {other:?}"),
    };
    Ok((Metric::L2, Problem::of(Matrix::new(DIM, rows), Matrix::new(DIM, queries), Metric::L2)))
}

fn compare<D>(args: &Args, problem: &Problem, metric: Metric, distance: D) -> Result<()>
where
    D: Distance<f32> + Send + Sync + 'static,
{
    let n = problem.base.len();
    let began = Instant::now();
    let index: Hnsw<'_, f32, D> = Hnsw::new(M, n, 16, EF_CONSTRUCTION, distance);
    let rows: Vec<(&[f32], usize)> = problem.base.rows().enumerate().map(|(i, row)| (row, i)).collect();
    index.parallel_insert_slice(&rows);
    let built = began.elapsed().as_secs_f64();
    let theirs = curve(args, problem, |query, width| {
        Ok(index.search(query, 10, width).iter().map(wisen_row).collect())
    })?;

    let scratch = tempfile::tempdir()?;
    let store =
        Store::open(scratch.path().join("adopted"), Options::new(problem.base.columns()).metric(metric))?;
    let began = Instant::now();
    let adopted = store.adopt(&index, "default", |id, vector| Memory::new(format!("row {id}"), vector))?;
    let taken = began.elapsed().as_secs_f64();
    drop(index);
    let first = adopted.ids.first().context("nothing was adopted")?.1.0;
    ensure!(adopted.ids.iter().all(|(row, id)| id.0 == first + *row as u64), "ids do not follow the rows");
    println!("| hnsw_rs | {built:.1} | {} of {n} | {theirs} |", adopted.reachable_before);
    let ours = |store: &Store, first: u64| {
        curve(args, problem, |query, width| {
            let recall = store.recall(&Query::new(query).k(10).receipt(false).width(width))?;
            Ok(recall.hits.iter().map(|hit| (hit.id.0 - first) as usize).collect())
        })
    };
    let verified = store.verify()?;
    ensure!(verified.is_ok() && verified.sealed == n as u64, "the adopted store is not sound: {verified:?}");
    println!(
        "| adopted ({} links more) | {taken:.1} | {} of {n} | {} |",
        adopted.links_added,
        adopted.reachable_after,
        ours(&store, first)?
    );
    store.close()?;

    let store = Store::open(
        scratch.path().join("own"),
        Options::new(problem.base.columns()).metric(metric).seal_at(usize::MAX >> 1),
    )?;
    let began = Instant::now();
    let memories = problem.base.rows().enumerate().map(|(i, row)| Memory::new(format!("row {i}"), row));
    let ids = store.remember_many(memories.collect())?;
    store.seal()?;
    let built = began.elapsed().as_secs_f64();
    let verified = store.verify()?;
    let curve = ours(&store, ids[0].0)?;
    println!("| Wisen | {built:.1} | {} of {n} | {curve} |", n as u64 - verified.unreachable);
    store.close()?;
    Ok(())
}

fn wisen_row(found: &hnsw_rs::hnsw::Neighbour) -> usize {
    found.d_id
}

/// Recall@10 and queries/s at each width; the first pass is for warming up and for what is found.
fn curve(
    args: &Args,
    problem: &Problem,
    search: impl Fn(&[f32], usize) -> Result<Vec<usize>>,
) -> Result<String> {
    let n = problem.queries.len() as f64;
    let mut cells = Vec::new();
    for &width in &args.widths {
        let mut recall = 0.0;
        for (i, query) in problem.queries.rows().enumerate() {
            recall += problem.recall_at_10(i, &search(query, width)?);
        }
        let mut best = f64::INFINITY;
        for _ in 0..args.rounds {
            let began = Instant::now();
            for query in problem.queries.rows() {
                search(query, width)?;
            }
            best = best.min(began.elapsed().as_secs_f64());
        }
        cells.push(format!("{width}: {:.4}, {:.0}", recall / n, n / best));
    }
    Ok(cells.join("; "))
}
