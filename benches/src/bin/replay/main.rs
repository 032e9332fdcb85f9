//! Replays labelled streams and prints what learning from reports is worth on each.

mod forecast;
mod noise;
mod studies;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use wisen::Durability;
use wisen_benches::arms::Kind;
use wisen_benches::data::{self, Stream};
use wisen_benches::page::Page;
use wisen_benches::rounds::Rounds;
use wisen_benches::studies::routing;
use wisen_benches::transform::Transform;

/// Replays labelled streams: at every event one recall, one pick, one report. A line per stream and
/// arm: similarity only, the exact reference, and Wisen. Every figure is measured in this run.
#[derive(Parser)]
#[command(
    after_help = "Each stream is a folder of --data (see datasets/README.md); `-bad` behind its name takes \
    the memories with their wrong actions. Streams in rounds (swebench_lite, alfworld_reflexion, tau_airline) \
    are forecast, not picked from.\n\nExamples:\n  replay\n  replay banking77-bad --forced-graphs\n  \
    replay metatool --squeezed --asymmetric --rotated\n  replay --data my/streams support-tickets\n  \
    replay --arms all\n  replay --arms similarity,grow,wisen --noise 0.3 --seeds 5\n  replay swebench_lite"
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
    /// Also: how many wrong memories of banking77-bad are quarantined, and how many right ones
    #[arg(long)]
    quarantine: bool,
    /// Also: what planted memories and fake reports achieve on banking77
    #[arg(long)]
    poison: bool,
    /// Also: how well queries that nothing fits are told from others
    #[arg(long)]
    no_fit: bool,
    /// Print the hit rate of every tenth of the stream
    #[arg(long)]
    tenths: bool,
    /// Print what became of the promises, in ten bins of equally many
    #[arg(long)]
    reliability: bool,
}

impl Args {
    fn durability(&self) -> Durability {
        if self.durable { Durability::Full } else { Durability::Normal }
    }

    fn kinds(&self) -> Result<Vec<Kind>> {
        let usual = ["similarity", "experience", "wisen"].map(str::to_owned);
        match self.arms.as_slice() {
            [] => usual.iter().map(|name| Kind::parse(name)).collect(),
            [all] if all == "all" => Ok(Kind::ALL.to_vec()),
            names => names.iter().map(|name| Kind::parse(name)).collect(),
        }
    }

    fn transforms(&self) -> Vec<Transform> {
        let wanted = [
            (self.squeezed, Transform::Squeezed),
            (self.asymmetric, Transform::Asymmetric),
            (self.rotated, Transform::Rotated),
        ];
        wanted.into_iter().filter_map(|(wanted, transform)| wanted.then_some(transform)).collect()
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share lies in 0..=1".to_owned()) }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let data = args.data.clone().unwrap_or_else(data::shipped);
    let shipped = data::SHIPPED.map(str::to_owned).to_vec();
    let only_studies = args.quarantine || args.poison || args.no_fit;
    let names = if args.streams.is_empty() && !only_studies { &shipped } else { &args.streams };
    let kinds = args.kinds()?;
    let mut page = Page::new();
    for name in names {
        if Rounds::is_one(&data, name) {
            forecast::print(&args, &Rounds::load(&data, name)?, &mut page)?;
            continue;
        }
        if routing::is_one(&data, name) {
            studies::routing(&data, name, &mut page)?;
            continue;
        }
        let stream = Stream::load(&data, name)?;
        table::print(&args, &kinds, &stream, &mut page)?;
        for transform in args.transforms() {
            table::print(&args, &kinds, &transform.apply(&stream)?, &mut page)?;
        }
    }
    if args.quarantine {
        studies::quarantine(&args, &data, &mut page)?;
    }
    if args.poison {
        studies::poison(&data, &mut page)?;
    }
    if args.no_fit {
        studies::no_fit(&data, &mut page)?;
    }
    Ok(())
}
