//! Measures how many reports a store takes in a second, one by one and in batches.

use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use wisen::{Memory, MemoryId, Options, Outcome, Query, Report, Store};

/// Remembers random vectors, then reports on them: one by one, each visible to the next recall, and in
/// batches; on disk, durability normal.
#[derive(Parser)]
struct Args {
    /// Numbers in a vector
    #[arg(long, default_value_t = 384)]
    dim: usize,
    /// Memories in the store
    #[arg(long, default_value_t = 10_000)]
    memories: usize,
    /// Reports in each measurement
    #[arg(long, default_value_t = 20_000)]
    reports: usize,
    /// Reports in a batch
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    /// Build segments in the background at so many unsealed vectors [default: that of the engine]
    #[arg(long, value_name = "N")]
    seal_at: Option<usize>,
    /// Leave out the reports one by one
    #[arg(long)]
    only_batches: bool,
    /// Only the measurements whose name holds this
    #[arg(long, default_value = "")]
    only: String,
}

/// Makes the report of this number.
type Make<'a> = Box<dyn Fn(&Store, &[MemoryId], usize) -> Result<Report> + 'a>;

fn main() -> Result<()> {
    let args = Args::parse();
    let mut rng = fastrand::Rng::with_seed(1);
    let mut vector = || -> Vec<f32> { (0..args.dim).map(|_| rng.f32() - 0.5).collect() };
    let vectors: Vec<Vec<f32>> = (0..args.memories).map(|_| vector()).collect();
    let known: Vec<Vec<f32>> = (0..256).map(|_| vector()).collect();
    let new: Vec<Vec<f32>> = (0..args.reports).map(|_| vector()).collect();

    let outcome = |i: usize| if i.is_multiple_of(3) { Outcome::Failure } else { Outcome::Success };
    let subject = |ids: &[MemoryId], i: usize| ids[i * 7919 % ids.len()];
    let kinds: [(&str, Make<'_>); 4] = [
        ("on a memory", Box::new(|_, ids, i| Ok(Report::on_memory(subject(ids, i), outcome(i))))),
        (
            "in a known situation",
            Box::new(|_, ids, i| {
                Ok(Report::on_memory(subject(ids, i), outcome(i)).situation(known[i % 256].clone()))
            }),
        ),
        (
            "in a new situation",
            Box::new(
                |_, ids, i| Ok(Report::on_memory(subject(ids, i), outcome(i)).situation(new[i].clone())),
            ),
        ),
        (
            "on a receipt",
            Box::new(|store, _, i| {
                let recall = store.recall(&Query::new(new[i].clone()).k(5))?;
                let used = recall.hits[i % 5].id;
                let receipt = recall.receipt.ok_or_else(|| anyhow::anyhow!("no receipt"))?;
                Ok(Report::on(receipt, outcome(i)).used(used))
            }),
        ),
    ];
    println!(
        "{:24} {:>14} {:>10} {:>14} {:>10} {:>10}",
        "reports", "one by one /s", "CPU us", "batches /s", "CPU us", "cells"
    );
    for (name, make) in kinds.iter().filter(|(name, _)| name.contains(&args.only)) {
        let mut rates = Vec::new();
        let mut cells = 0;
        for batch in [1, args.batch] {
            if batch == 1 && args.only_batches {
                rates.extend([f64::NAN; 2]);
                continue;
            }
            let folder = tempfile::tempdir()?;
            let options = Options::new(args.dim);
            let options = args.seal_at.map_or(options.clone(), |at| options.seal_at(at));
            let store = Store::open(folder.path().join("store"), options)?;
            let memories = vectors.iter().enumerate();
            let memories = memories.map(|(i, v)| Memory::new(format!("memory {i}"), v.clone()));
            let ids = store.remember_many(memories.collect())?;
            store.seal()?;
            let reports: Vec<Report> =
                (0..args.reports).map(|i| make(&store, &ids, i)).collect::<Result<_>>()?;
            store.flush()?;
            let (begun, busy) = (Instant::now(), busy());
            if batch == 1 {
                for report in &reports {
                    store.report(report)?;
                }
            } else {
                for reports in reports.chunks(batch) {
                    store.report_many(reports)?;
                }
            }
            rates.push(args.reports as f64 / begun.elapsed().as_secs_f64());
            rates.push((self::busy() - busy) / args.reports as f64);
            cells = store.stats()?.experiences;
            anyhow::ensure!(store.verify()?.is_ok(), "the store is not sound");
        }
        println!(
            "{name:24} {:>14.0} {:>10.1} {:>14.0} {:>10.1} {cells:>10}",
            rates[0], rates[1], rates[2], rates[3]
        );
    }
    Ok(())
}

/// Microseconds that this thread has run, so that what else the machine does can be told apart; 0 where
/// the system does not say.
fn busy() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e3
}
