//! Measures what experience costs: recalls beside the same store without reports, and reports a second.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use wisen::{Durability, Hit, Memory, MemoryId, Options, Outcome, Query, Report, Store};
use wisen_benches::crowd::{Crowd, near};
use wisen_benches::npy::{self, Matrix};
use wisen_benches::page::Page;
use wisen_benches::{data, measure};

/// Fills a store with memories and then with experiences; measures recalls on one thread at each stage
/// and reports, one by one and in batches.
///
/// Vectors are the 5,000 sentence embeddings of datasets/ann, each with a seeded Gaussian vector of length
/// about 0.5 added and stretched to length 1 again. An experience is a report on a memory drawn at random, in
/// a situation that lies around that memory in the same way; 70 % succeed. Queries lie around the
/// sentences of `datasets/ann/query_id` and `query_ood` (spread 0.2).
#[derive(Parser)]
struct Args {
    /// Memories
    #[arg(long, default_value_t = 100_000)]
    memories: usize,
    /// Experiences at which recalls are measured, rising
    #[arg(long, value_delimiter = ',', default_values_t = [100_000, 1_000_000])]
    experiences: Vec<usize>,
    /// Recalls measured at each stage
    #[arg(long, default_value_t = 2000)]
    recalls: usize,
    /// Reports made one by one
    #[arg(long, default_value_t = 20_000)]
    single: usize,
    /// Reports in a batch
    #[arg(long, default_value_t = 1000)]
    batch: usize,
    /// Sync every write before it is acknowledged
    #[arg(long)]
    durable: bool,
    /// Leave the store in this new folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Latencies of recalls, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Latency {
    p50: f64,
    p99: f64,
    /// Mean time the thread was on a processor: what other work on the machine disturbs least. NaN where
    /// the system does not tell.
    cpu: f64,
}

/// A store that is being filled.
struct Filling<'a> {
    args: &'a Args,
    store: Store,
    ids: Vec<MemoryId>,
    base: &'a Matrix,
    rng: fastrand::Rng,
    made: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(args.experiences.is_sorted(), "--experiences have to rise");
    let folder = data::shipped().join("ann");
    let base = npy::read(&folder.join("base.npy"))?.unit();
    let asked = [npy::read(&folder.join("query_id.npy"))?, npy::read(&folder.join("query_ood.npy"))?];
    let asked: Vec<f32> = asked.iter().flat_map(|m| m.rows().flatten().copied()).collect();
    let asked = Matrix::new(base.columns(), asked).unit();
    let around = Crowd::around(&asked, 0.2, 77);
    let queries: Vec<Vec<f32>> = (0..args.recalls as u64).map(|i| around.vector(i)).collect();

    let scratch = tempfile::tempdir()?;
    let path = args.keep.clone().unwrap_or_else(|| scratch.path().join("store"));
    ensure!(!path.exists(), "{} is there already: name a new folder", path.display());
    let durability = if args.durable { Durability::Full } else { Durability::Normal };
    let store = Store::open(&path, Options::new(base.columns()).durability(durability))?;
    let mut page = Page::new();
    page.remark(&format!(
        "{} memories, {} d, durability {}, {} threads, recalls on one thread, k = 10",
        args.memories,
        base.columns(),
        durability.as_str(),
        std::thread::available_parallelism()?,
    ));
    let rng = fastrand::Rng::with_seed(13);
    let mut filling = Filling { args: &args, store, ids: Vec::new(), base: &base, rng, made: 0 };
    filling.remember()?;
    page.columns(&[
        "experiences",
        "p50 us ",
        "p99 us ",
        "of memories alone",
        "cpu us ",
        "of memories alone",
        "p50 with receipt",
        "kilobytes a recall",
        "filled in",
        "sealed in",
        "segments",
        "searches / scans",
    ]);
    let first = stage(&filling, &queries, None, (0.0, 0.0), &mut page)?;
    for experiences in &args.experiences {
        let began = Instant::now();
        filling.report_up_to(*experiences)?;
        let filled = began.elapsed().as_secs_f64();
        filling.store.seal()?;
        let sealed = began.elapsed().as_secs_f64() - filled;
        stage(&filling, &queries, Some(first), (filled, sealed), &mut page)?;
    }
    reports(&mut filling, &mut page)?;
    filling.store.close()?;
    Ok(())
}

/// Measures recalls and prints a row.
fn stage(
    filling: &Filling<'_>,
    queries: &[Vec<f32>],
    first: Option<Latency>,
    (filled, sealed): (f64, f64),
    page: &mut Page,
) -> Result<Latency> {
    let before = filling.store.stats()?;
    let plain = filling.latency(queries, false)?;
    let stats = filling.store.stats()?;
    let with = filling.latency(queries, true)?;
    // Twice: once to warm up.
    let bytes = (stats.bytes_touched - before.bytes_touched) as f64 / (2 * queries.len()) as f64;
    page.row(&[
        stats.experiences.to_string(),
        format!("{:.0}", plain.p50),
        format!("{:.0}", plain.p99),
        first.map_or("1".to_owned(), |first| format!("x {:.2}", plain.p50 / first.p50)),
        format!("{:.0}", plain.cpu),
        first.map_or("1".to_owned(), |first| format!("x {:.2}", plain.cpu / first.cpu)),
        format!("{:.0}", with.p50),
        format!("{:.0}", bytes / 1e3),
        format!("{filled:.0} s"),
        format!("{sealed:.0} s"),
        stats.segments.to_string(),
        format!(
            "{:.1} / {:.1}",
            (stats.graph_searches - before.graph_searches) as f64 / (2 * queries.len()) as f64,
            (stats.scans - before.scans) as f64 / (2 * queries.len()) as f64
        ),
    ]);
    Ok(plain)
}

impl Filling<'_> {
    fn remember(&mut self) -> Result<()> {
        let began = Instant::now();
        let crowd = Crowd::around(self.base, 0.5, 42);
        for start in (0..self.args.memories).step_by(1000) {
            let batch = start..(start + 1000).min(self.args.memories);
            let memories = batch.map(|i| Memory::new(format!("memory {i}"), crowd.vector(i as u64)));
            self.ids.extend(self.store.remember_many(memories.collect())?);
        }
        self.store.seal()?;
        println!("remembered and sealed in {:.0} s", began.elapsed().as_secs_f64());
        Ok(())
    }

    /// The next report.
    fn report(&mut self) -> Report {
        let row = self.rng.usize(0..self.ids.len());
        let own = Crowd::around(self.base, 0.5, 42).vector(row as u64);
        let outcome = if self.rng.f64() < 0.7 { Outcome::Success } else { Outcome::Failure };
        self.made += 1;
        let situation = near(&own, 0.5, 0x5eed ^ ((self.made as u64) << 16));
        Report::on_memory(self.ids[row], outcome).situation(situation)
    }

    /// Reports in batches until so many were made. Returns reports a second, without the time to draw them.
    fn report_up_to(&mut self, wanted: usize) -> Result<f64> {
        let (start, mut seconds) = (self.made, 0.0);
        while self.made < wanted {
            let many = self.args.batch.min(wanted - self.made);
            let batch: Vec<Report> = (0..many).map(|_| self.report()).collect();
            let began = Instant::now();
            self.store.report_many(&batch)?;
            seconds += began.elapsed().as_secs_f64();
        }
        Ok((self.made - start) as f64 / seconds)
    }

    /// Every query once to warm up, and once for the time.
    fn latency(&self, queries: &[Vec<f32>], receipt: bool) -> Result<Latency> {
        let (mut took, mut before) = (Vec::with_capacity(queries.len()), f64::NAN);
        for pass in 0..2 {
            before = if pass == 1 { on_processor() } else { before };
            for vector in queries {
                let query = Query::new(vector.as_slice()).k(10).receipt(receipt);
                let began = Instant::now();
                self.store.recall(&query)?;
                if pass == 1 {
                    took.push(began.elapsed().as_secs_f64() * 1e6);
                }
            }
        }
        let cpu = (on_processor() - before) / took.len() as f64;
        took.sort_by(f64::total_cmp);
        Ok(Latency { p50: took[took.len() / 2], p99: took[took.len() * 99 / 100], cpu })
    }
}

/// Microseconds this thread was on a processor so far, to some milliseconds; NaN where the system does
/// not tell.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).map_or(f64::NAN, |ns| ns / 1e3)
}

/// Reports a second in the store as it is now, and whether the next recall knows of them.
fn reports(filling: &mut Filling<'_>, page: &mut Page) -> Result<()> {
    page.columns(&["reports                 ", "a second", "p50 us ", "p99 us ", "seen by the next recall"]);
    let mut row = |name: &str, took: &mut Vec<f64>, a_second: f64, seen: &str| {
        took.sort_by(f64::total_cmp);
        let at =
            |share: usize| took.get(took.len() * share / 100).map_or(String::new(), |us| format!("{us:.0}"));
        page.row(&[name.to_owned(), format!("{a_second:.0}"), at(50), at(99), seen.to_owned()]);
    };
    let single = filling.args.single;
    let mut took = Vec::new();
    for _ in 0..single {
        let report = filling.report();
        let began = Instant::now();
        filling.store.report(&report)?;
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let a_second = 1e6 / measure::mean(took.iter().copied());
    let seen = visible(filling)?;
    row("on memories, one by one", &mut took, a_second, &seen);

    let crowd = Crowd::around(filling.base, 0.5, 4711);
    let mut took = Vec::new();
    for i in 0..single.min(5000) as u64 {
        let recall = filling.store.recall(&Query::new(crowd.vector(i)).k(10))?;
        let used = recall.hits.first().context("no hit")?.id;
        let report = Report::on(recall.receipt.context("no receipt")?, Outcome::Success).used(used);
        let began = Instant::now();
        filling.store.report(&report)?;
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let a_second = 1e6 / measure::mean(took.iter().copied());
    row("on receipts, one by one", &mut took, a_second, "");

    let a_second = filling.report_up_to(filling.made + 5 * single)?;
    let seen = visible(filling)?;
    row(&format!("in batches of {}", filling.args.batch), &mut Vec::new(), a_second, &seen);
    Ok(())
}

/// Reports on a hit, one by one and as a batch, and looks whether the next recall counts them.
fn visible(filling: &Filling<'_>) -> Result<String> {
    let crowd = Crowd::around(filling.base, 0.5, 815);
    let (mut seen, mut tried) = (0, 0);
    // Other situations each time: what is met for the first time has no exact precedent yet.
    let start = filling.made as u64;
    for i in start..start + 100 {
        let vector = crowd.vector(i);
        let ask = || {
            filling
                .store
                .recall(&Query::new(vector.as_slice()).k(10).receipt(false))
                .map(|recall| recall.hits)
        };
        let before = ask()?;
        let hit = before.first().context("no hit")?;
        let report = Report::on_memory(hit.id, Outcome::Success).situation(vector.as_slice());
        if i % 2 == 0 {
            filling.store.report(&report)?;
        } else {
            filling.store.report_many(&[report])?;
        }
        tried += 1;
        let after = ask()?;
        let now = after.iter().find(|other| other.id == hit.id).context("a praised hit is gone")?;
        let exact = |hit: &Hit| hit.evidence.supporting.is_some_and(|near| near.similarity > 0.9999);
        seen += usize::from(exact(now) && !exact(hit));
    }
    Ok(format!("{seen} of {tried}"))
}
