//! Replays labelled streams and prints what learning from reports is worth on each.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;
use wisen::{Durability, Options};
use wisen_benches::arms::{Kind, Verdicts, walk};
use wisen_benches::cosines::Cosines;
use wisen_benches::data::{self, Stream};
use wisen_benches::measure::{Trace, bootstrap, calibration_error, difference, mean, reliability};
use wisen_benches::transform::Transform;

/// Replays labelled streams: at every event one recall, one pick, one report. A line per stream and
/// arm: similarity only, the exact reference, and Wisen. Every figure is measured in this run.
#[derive(Parser)]
#[command(
    after_help = "Each stream is a folder of --data (see datasets/README.md); `-bad` behind its name takes \
    the memories with their wrong actions.\n\nExamples:\n  replay\n  replay banking77-bad --forced-graphs\n  \
    replay metatool --squeezed --asymmetric --rotated\n  replay --data my/streams support-tickets\n  replay --arms all\n  \
    replay --arms similarity,grow,wisen --noise 0.3 --seeds 5"
)]
#[allow(clippy::struct_excessive_bools, reason = "they are independent switches of a command line")]
struct Args {
    /// Streams to replay [default: banking77 banking77-bad metatool]
    streams: Vec<String>,
    /// Folder that holds the streams [default: datasets of the repository]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Arms to run: all, or names [default: similarity,experience,wisen]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    arms: Vec<String>,
    /// Only the first N events of each stream
    #[arg(long, value_name = "N")]
    events: Option<usize>,
    /// Graphs everywhere and small segments, so that nothing large is scanned exactly
    #[arg(long)]
    forced_graphs: bool,
    /// Also with all cosines squeezed into [0.7, 1]
    #[arg(long)]
    squeezed: bool,
    /// Also with cosines among events raised, as an encoder with two sides has them
    #[arg(long)]
    asymmetric: bool,
    /// Also with all vectors rotated at random
    #[arg(long)]
    rotated: bool,
    /// Replace this share of the verdicts by a coin flip, and print means over --seeds runs
    #[arg(long, value_name = "SHARE", value_parser = share)]
    noise: Option<f64>,
    /// Runs with --noise, each with coins of its own
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Sync every write before it is acknowledged
    #[arg(long)]
    durable: bool,
    /// Print the hit rate of every tenth of the stream
    #[arg(long)]
    tenths: bool,
    /// Print what became of the promises, in ten bins of equally many
    #[arg(long)]
    reliability: bool,
}

/// One arm at the end of its walk.
struct Ran {
    kind: Kind,
    trace: Trace,
    seconds: f64,
    remarks: String,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share lies in 0..=1".to_owned()) }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let data = args.data.clone().unwrap_or_else(data::shipped);
    let shipped = data::SHIPPED.map(str::to_owned).to_vec();
    let names = if args.streams.is_empty() { &shipped } else { &args.streams };
    let kinds = kinds(&args)?;
    let transforms = [
        (args.squeezed, Transform::Squeezed),
        (args.asymmetric, Transform::Asymmetric),
        (args.rotated, Transform::Rotated),
    ];
    for name in names {
        let stream = Stream::load(&data, name)?;
        table(&args, &kinds, &stream)?;
        for (_, transform) in transforms.into_iter().filter(|(wanted, _)| *wanted) {
            table(&args, &kinds, &transform.apply(&stream)?)?;
        }
    }
    Ok(())
}

fn kinds(args: &Args) -> Result<Vec<Kind>> {
    let usual = ["similarity", "experience", "wisen"].map(str::to_owned);
    match args.arms.as_slice() {
        [] => usual.iter().map(|name| Kind::parse(name)).collect(),
        [all] if all == "all" => Ok(Kind::ALL.to_vec()),
        names => names.iter().map(|name| Kind::parse(name)).collect(),
    }
}

/// Replays all arms on a stream and prints their lines.
fn table(args: &Args, kinds: &[Kind], stream: &Stream) -> Result<()> {
    let events = args.events.unwrap_or(usize::MAX).min(stream.events.len());
    ensure!(events >= 2, "{} has {events} events: too few for a figure", stream.name);
    let exact = if kinds.iter().any(|kind| kind.is_exact()) { events } else { 0 };
    let cosines = Cosines::of(stream, exact);
    println!(
        "{}: N {events}, {} memories, {} d, durability {}, {} threads",
        stream.name,
        stream.memories.len(),
        stream.dimension(),
        durability(args).as_str(),
        std::thread::available_parallelism()?,
    );
    if let Some(share) = args.noise {
        return noisy(args, kinds, stream, &cosines, events, share);
    }
    let mut ran: Vec<Ran> = Vec::new();
    for kind in kinds {
        let arm = run(args, *kind, stream, &cosines, &Verdicts::true_ones(events), events)?;
        line(args, stream, &arm, &ran)?;
        ran.push(arm);
    }
    Ok(())
}

fn durability(args: &Args) -> Durability {
    if args.durable { Durability::Full } else { Durability::Normal }
}

/// Walks one arm through the stream, Wisen in a fresh store.
fn run(
    args: &Args,
    kind: Kind,
    stream: &Stream,
    cosines: &Cosines,
    verdicts: &Verdicts,
    events: usize,
) -> Result<Ran> {
    let mut options = Options::new(stream.dimension()).durability(durability(args));
    if args.forced_graphs {
        options = options.scan_below(0).seal_at(256);
    }
    let folder = tempfile::tempdir()?;
    let mut arm = kind.start(stream, cosines, &folder.path().join("store"), &options)?;
    let began = Instant::now();
    let trace = walk(arm.as_mut(), stream, events, verdicts)?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Ran { kind, trace, seconds, remarks: arm.finish()? })
}

fn line(args: &Args, stream: &Stream, arm: &Ran, earlier: &[Ran]) -> Result<()> {
    let (trace, half) = (&arm.trace, arm.trace.last_half());
    let name = arm.kind.as_str();
    let bins = reliability(&trace.pairs(half.clone()));
    print!(
        "{:26} {name:15} all {:.4}  last half {:.4}  Brier {:.4}  ECE {:.4}",
        stream.name,
        trace.overall(),
        trace.hit_rate(half.clone()),
        trace.brier(half.clone()),
        calibration_error(&bins),
    );
    for base in earlier.iter().filter(|other| ["similarity", "experience"].contains(&other.kind.as_str())) {
        let gain = difference(trace, &base.trace, half.clone());
        print!("  vs {} {:+.4} [{:+.4}, {:+.4}]", base.kind.as_str(), gain.mean, gain.low, gain.high);
    }
    println!("  | {:.0} events/s {}", trace.len() as f64 / arm.seconds, arm.remarks);
    if args.tenths {
        let rates: Vec<String> =
            trace.tenths().into_iter().map(|t| format!("{:.3}", trace.hit_rate(t))).collect();
        println!("{:26} {name:15} by tenth {}", stream.name, rates.join(" "));
    }
    if args.reliability {
        for bin in &bins {
            println!(
                "{:26} {name:15} promised {:.3}  came true {:.3}  ({} events)",
                stream.name, bin.promised, bin.came_true, bin.events
            );
        }
    }
    std::io::stdout().flush()?;
    Ok(())
}

/// All arms under random verdicts: means over the seeds, judged by what was truly right.
fn noisy(
    args: &Args,
    kinds: &[Kind],
    stream: &Stream,
    cosines: &Cosines,
    events: usize,
    share: f64,
) -> Result<()> {
    // By arm, by seed: whether each pick of the last half was right.
    let mut hits: Vec<(Kind, Vec<Trace>)> = Vec::new();
    for kind in kinds {
        let mut traces = Vec::new();
        for seed in 0..args.seeds {
            let verdicts = Verdicts::noisy(events, share, seed);
            traces.push(run(args, *kind, stream, cosines, &verdicts, events)?.trace);
        }
        let half = traces[0].last_half();
        print!(
            "{:26} {:15} {:.0} % of the verdicts random, mean of {} seeds: last half {:.4}  Brier {:.4}",
            stream.name,
            kind.as_str(),
            share * 100.0,
            args.seeds,
            mean(traces.iter().map(|trace| trace.hit_rate(half.clone()))),
            mean(traces.iter().map(|trace| trace.brier(half.clone()))),
        );
        for (other, base) in hits.iter().filter(|(other, _)| ["similarity", "grow"].contains(&other.as_str()))
        {
            let gain = |event: usize| {
                let rate = |traces: &[Trace]| {
                    mean(traces.iter().map(|trace| f64::from(u8::from(trace.hits[event]))))
                };
                rate(&traces) - rate(base)
            };
            let gain = bootstrap(&half.clone().map(gain).collect::<Vec<f64>>());
            print!("  vs {} {:+.4} [{:+.4}, {:+.4}]", other.as_str(), gain.mean, gain.low, gain.high);
        }
        println!();
        std::io::stdout().flush()?;
        hits.push((*kind, traces));
    }
    Ok(())
}
