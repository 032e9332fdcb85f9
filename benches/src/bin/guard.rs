//! Measures what the audit and rules add to remembering and reporting.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use wisen::{AuditLevel, Memory, MemoryId, Options, Outcome, Query, Report, Store, parse_rules};

/// Remembers and reports in several stores by turns, a block of calls each, so that what else the machine does
/// falls on all alike: one that keeps decisions only in its audit, one that keeps everything, and one that has an authority
/// and directives besides. All look for secrets. On disk, durability normal.
#[derive(Parser)]
struct Args {
    /// Numbers in a vector
    #[arg(long, default_value_t = 384)]
    dim: usize,
    /// Memories in each store before anything is measured
    #[arg(long, default_value_t = 2_000)]
    memories: usize,
    /// Blocks of calls for each measurement and store
    #[arg(long, default_value_t = 60)]
    blocks: usize,
    /// Directives of the third store
    #[arg(long, default_value_t = 1_000)]
    rules: usize,
    /// Calls in a block
    #[arg(long, default_value_t = 100)]
    calls: usize,
}

struct Arm {
    name: &'static str,
    store: Store,
    ids: Vec<MemoryId>,
}

/// Makes one call of this number.
type Work<'a> = Box<dyn Fn(&Arm, usize) -> Result<()> + 'a>;

fn main() -> Result<()> {
    let args = Args::parse();
    let mut rng = fastrand::Rng::with_seed(1);
    let mut vector = || -> Vec<f32> { (0..args.dim).map(|_| rng.f32() - 0.5).collect() };
    let vectors: Vec<Vec<f32>> = (0..4096).map(|_| vector()).collect();
    let note = |i: usize| {
        format!(
            "Note {i}: the nightly export of the ledger fails when the disk of the worker is more than nine tenths \
             full; free room under /var/lib/ledger/spool, then restart ledger-export.service and look at its log."
        )
    };
    let memory = |i: usize| Memory::new(note(i), vectors[i % vectors.len()].clone()).author("ann");

    let folder = tempfile::tempdir()?;
    let arms = arms(&args, folder.path(), &memory)?;

    let outcome = |i: usize| if i.is_multiple_of(3) { Outcome::Failure } else { Outcome::Success };
    let subject = |arm: &Arm, i: usize| arm.ids[i * 7919 % arm.ids.len()];
    let on_memory = |arm: &Arm, i: usize| {
        Report::on_memory(subject(arm, i), outcome(i)).situation(vectors[i * 31 % 256].clone())
    };
    let works: [(&str, usize, Work<'_>); 5] = [
        ("remember", 1, Box::new(|arm, i| Ok(arm.store.remember(memory(i)).map(drop)?))),
        (
            "remember 100 at once",
            100,
            Box::new(|arm, i| {
                Ok(arm.store.remember_many((0..100).map(|n| memory(100 * i + n)).collect()).map(drop)?)
            }),
        ),
        ("report on a memory", 1, Box::new(|arm, i| Ok(arm.store.report(&on_memory(arm, i)).map(drop)?))),
        (
            "recall and report",
            1,
            Box::new(|arm, i| {
                let recall = arm.store.recall(&Query::new(vectors[i * 17 % 4096].clone()).k(5))?;
                let receipt = recall.receipt.ok_or_else(|| anyhow::anyhow!("no receipt"))?;
                Ok(arm
                    .store
                    .report(&Report::on(receipt, outcome(i)).used(recall.hits[i % 5].id))
                    .map(drop)?)
            }),
        ),
        (
            "report 100 at once",
            100,
            Box::new(|arm, i| {
                let reports: Vec<Report> = (0..100).map(|n| on_memory(arm, 100 * i + n)).collect();
                Ok(arm.store.report_many(&reports).map(drop)?)
            }),
        ),
    ];
    println!(
        "{:22} {:>14} {:>14} {:>10} {:>14} {:>10}",
        "us of processor time", arms[0].name, arms[1].name, "added", arms[2].name, "added"
    );
    for (name, each, work) in &works {
        let calls = args.calls.div_ceil(*each);
        let mut times = vec![Vec::new(); arms.len()];
        for block in 0..args.blocks {
            for turn in 0..arms.len() {
                // Nobody is always first.
                let at = (turn + block) % arms.len();
                let (begun, wall) = (busy(), Instant::now());
                for call in 0..calls {
                    work(&arms[at], block * calls + call)?;
                }
                let spent = match busy() - begun {
                    0.0 => wall.elapsed().as_secs_f64() * 1e6,
                    spent => spent,
                };
                times[at].push(spent / (calls * each) as f64);
            }
        }
        // The middle half of the blocks: a checkpoint or a seal falls into few.
        let middle: Vec<f64> = times
            .iter_mut()
            .map(|times| {
                times.sort_by(f64::total_cmp);
                let half = &times[times.len() / 4..times.len() - times.len() / 4];
                half.iter().sum::<f64>() / half.len() as f64
            })
            .collect();
        let added = |arm: usize| 100.0 * (middle[arm] / middle[0] - 1.0);
        println!(
            "{name:22} {:>14.1} {:>14.1} {:>9.1}% {:>14.1} {:>9.1}%",
            middle[0],
            middle[1],
            added(1),
            middle[2],
            added(2)
        );
    }
    for arm in &arms {
        anyhow::ensure!(arm.store.audit_verify(None)?.is_ok(), "the audit is not sound");
    }
    Ok(())
}

/// The stores that are compared.
fn arms(args: &Args, folder: &Path, memory: &dyn Fn(usize) -> Memory) -> Result<Vec<Arm>> {
    let mut arms = Vec::new();
    for (name, level) in [
        ("nothing", AuditLevel::Decisions),
        ("audit", AuditLevel::Everything),
        ("audit, rules", AuditLevel::Everything),
    ] {
        let store = Store::open(folder.join(name), Options::new(args.dim))?;
        store.set_audit_level(level, None)?;
        if name.ends_with("rules") {
            let key = store.create_authority("bench")?.secret;
            store.add_directives(&key, &parse_rules(&rules(args.rules))?)?;
        }
        let ids = store.remember_many((0..args.memories).map(memory).collect())?;
        store.seal()?;
        arms.push(Arm { name, store, ids });
    }
    Ok(arms)
}

/// Nine in ten of actions, one in ten of what texts say.
fn rules(n: usize) -> String {
    let rule = |i: usize| match i % 10 {
        0 => format!("AVOID \"r{i}\" because \"a reason\" when text matches /secret {i}\\b/\n"),
        _ => format!(
            "NEVER \"r{i}\" because \"a reason\" when tool is \"tool{}\" and args.path like \"/srv/{i}/*\"\n",
            i % 60
        ),
    };
    (0..n).map(rule).collect()
}

/// Microseconds that this thread has run; 0 where the system does not say.
fn busy() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e3
}
