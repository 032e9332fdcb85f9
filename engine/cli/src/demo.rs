//! `wisen demo`: a labelled stream replayed twice, with and without reports.

mod chart;
mod example;
mod place;
mod table;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use wisen::Options;
use wisen_benches::data::{self, Stream};
use wisen_benches::replay::Agent;

use crate::text::{bytes, number};
use example::Example;

/// Watch recall get better from reports, on real data.
///
/// Replays a stream of real requests twice over the same memories. At each request an agent recalls, takes
/// the first memory, sees whether its action was right, and reports that. One agent's reports are thrown
/// away (similarity only); the other's are what Wisen learns from. Prints the hit rate of both, draws a
/// chart, and explains one recall. The store stays, for `wisen info` and `wisen verify`.
#[derive(clap::Args)]
#[command(
    after_help = "Streams: banking77 (770 sentences of bank customers, each with the right action, and 9,229 \
    requests), banking77-bad (the same, but 15 % of the memories carry a wrong action), metatool (199 tools and \
    5,352 requests).\n\nExamples:\n  wisen demo\n  wisen demo --stream metatool --out /tmp/metatool\n  \
    wisen demo --events 500 --plain"
)]
pub struct Args {
    /// Which stream to replay: banking77-bad, banking77, metatool, or another folder of --data
    #[arg(long, value_name = "NAME", default_value = "banking77-bad")]
    stream: String,
    /// Folder that holds the streams [default: datasets of the repository]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the store and the chart go; a store of an earlier demo in there is replaced
    #[arg(long, value_name = "DIR", default_value = "./wisen-demo")]
    out: PathBuf,
    /// Only the first N requests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    events: Option<u32>,
    /// Plain text: no progress bar, bars drawn with #
    #[arg(long)]
    plain: bool,
}

/// Recorded in the store as its model: only a store that says so is ever replaced.
const MODEL: &str = "all-MiniLM-L6-v2, of the wisen demo";

pub fn run(args: &Args) -> Result<()> {
    let data = args.data.clone().unwrap_or_else(data::shipped);
    let stream = Stream::load(&data, &args.stream)?;
    let events = args.events.map_or(stream.events.len(), |n| stream.events.len().min(n as usize));
    ensure!(events >= 2, "{} has {events} events: too few for a figure", stream.name);
    let chart = place::chart(&args.out, &stream.name)?;
    let path = place::store(&args.out)?;
    crate::print(&format!(
        "{}: {} memories, {} requests; one recall, one pick and one report at each\n\n",
        stream.name,
        number(stream.memories.len() as u64),
        number(events as u64),
    ))?;

    let scratch = tempfile::tempdir()?;
    let options = Options::new(stream.dimension()).model(MODEL);
    let mut similarity = Agent::create(&scratch.path().join("store"), options.clone(), &stream, false)?;
    let mut wisen = Agent::create(&path, options, &stream, true)?;
    let mut example: Option<Example> = None;
    let bar = progress(args.plain, events);
    let began = Instant::now();
    for event in 0..events {
        let without = similarity.step(event)?;
        let with = wisen.pick(event)?;
        // Before the report: the store does not know yet how this one goes.
        if with.right && !without.right {
            let late = event >= events - events.div_ceil(10);
            example = Example::better(example, &wisen, without.memory, event, late)?;
        }
        wisen.settle(with)?;
        bar.inc(1);
    }
    let took = began.elapsed();
    bar.finish_and_clear();

    let stats = wisen.stats()?;
    let (similarity, wisen) = (similarity.finish()?, wisen.finish()?);
    crate::print(&table::draw(&similarity, &wisen, args.plain))?;
    chart::draw(&chart, &stream, &similarity, &wisen)?;
    let found = example.map_or_else(
        || "Wisen was never right where similarity was wrong.\n".to_owned(),
        |e| e.explain(&stream),
    );
    crate::print(&format!(
        "\n{found}\n{} recalls and {} reports in {:.1} s; {} touched by a recall of Wisen on average\n\
         chart  {}\nstore  {}   (try: wisen info {})\n",
        number(2 * events as u64),
        number(stats.reports),
        took.as_secs_f64(),
        bytes(stats.bytes_touched / stats.recalls.max(1)),
        chart.display(),
        path.display(),
        path.display(),
    ))
}

fn progress(plain: bool, events: usize) -> ProgressBar {
    if plain {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {pos} of {len} requests, {eta} left");
    let bar = ProgressBar::new(events as u64);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}
