//! Replays labelled streams and prints what learning from reports is worth on each.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;
use wisen::{Durability, Options};
use wisen_benches::data::{self, Stream};
use wisen_benches::measure::{Trace, difference};
use wisen_benches::replay::Agent;
use wisen_benches::transform::Transform;

/// Replays labelled streams: at every event one recall, one pick, one report. Two lines per stream:
/// similarity only, and Wisen. Every figure is measured in this run.
#[derive(Parser)]
#[command(
    after_help = "Each stream is a folder of --data (see datasets/README.md); `-bad` behind its name takes \
    the memories with their wrong actions.\n\nExamples:\n  replay\n  replay banking77-bad --forced-graphs\n  \
    replay metatool --squeezed --asymmetric --rotated\n  replay --data my/streams support-tickets"
)]
#[allow(clippy::struct_excessive_bools, reason = "they are independent switches of a command line")]
struct Args {
    /// Streams to replay [default: banking77 banking77-bad metatool]
    streams: Vec<String>,
    /// Folder that holds the streams [default: datasets of the repository]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
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
    /// Sync every write before it is acknowledged
    #[arg(long)]
    durable: bool,
    /// Print the hit rate of every tenth of the stream
    #[arg(long)]
    tenths: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let data = args.data.clone().unwrap_or_else(data::shipped);
    let shipped = data::SHIPPED.map(str::to_owned).to_vec();
    let names = if args.streams.is_empty() { &shipped } else { &args.streams };
    let transforms = [
        (args.squeezed, Transform::Squeezed),
        (args.asymmetric, Transform::Asymmetric),
        (args.rotated, Transform::Rotated),
    ];
    for name in names {
        let stream = Stream::load(&data, name)?;
        table(&args, &stream)?;
        for (_, transform) in transforms.into_iter().filter(|(wanted, _)| *wanted) {
            table(&args, &transform.apply(&stream)?)?;
        }
    }
    Ok(())
}

fn table(args: &Args, stream: &Stream) -> Result<()> {
    let similarity = arm(args, stream, "similarity only", None)?;
    arm(args, stream, "wisen", Some(&similarity))?;
    Ok(())
}

/// Replays one arm in a fresh store and prints its line.
fn arm(args: &Args, stream: &Stream, name: &str, base: Option<&Trace>) -> Result<Trace> {
    let events = args.events.unwrap_or(usize::MAX).min(stream.events.len());
    ensure!(events >= 2, "{} has {events} events: too few for a figure", stream.name);
    let durability = if args.durable { Durability::Full } else { Durability::Normal };
    let mut options = Options::new(stream.dimension()).durability(durability);
    if args.forced_graphs {
        options = options.scan_below(0).seal_at(256);
    }
    let folder = tempfile::tempdir()?;
    let mut agent = Agent::create(&folder.path().join("store"), options, stream, base.is_some())?;
    let began = Instant::now();
    for event in 0..events {
        agent.step(event)?;
    }
    let took = began.elapsed().as_secs_f64();
    let stats = agent.stats()?;
    let trace = agent.finish()?;
    let half = trace.last_half();
    print!(
        "{:26} {name:15} all {:.4}  last half {:.4}  Brier {:.4}",
        stream.name,
        trace.overall(),
        trace.hit_rate(half.clone()),
        trace.brier(half.clone()),
    );
    if let Some(base) = base {
        let gain = difference(&trace, base, half);
        print!("  vs similarity {:+.4} [{:+.4}, {:+.4}]", gain.mean, gain.low, gain.high);
    }
    println!(
        "  | N {events}, {} memories, {} d, durability {}, {} threads, {:.0} events/s, {} graph searches, \
         {} scans, {} segments",
        stream.memories.len(),
        stats.dimension,
        durability.as_str(),
        std::thread::available_parallelism()?,
        events as f64 / took,
        stats.graph_searches,
        stats.scans,
        stats.segments,
    );
    if args.tenths {
        let rates: Vec<String> =
            trace.tenths().into_iter().map(|t| format!("{:.3}", trace.hit_rate(t))).collect();
        println!("{:26} {name:15} by tenth {}", stream.name, rates.join(" "));
    }
    std::io::stdout().flush()?;
    Ok(trace)
}
