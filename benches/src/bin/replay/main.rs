//! Replays labelled streams and prints what learning from reports is worth on each.

mod forecast;
mod noise;
mod record;
mod studies;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Parser;
use wisen::Durability;
use wisen_benches::arms::Kind;
use wisen_benches::data::{self, Stream};
use wisen_benches::rounds::Rounds;
use wisen_benches::studies::routing;
use wisen_benches::transform::Transform;

use record::Record;

/// Replays labelled streams: at every event one recall, one pick, one report. A line per stream and
/// arm: similarity only, the exact reference, and Wisen. Every figure is measured in this run.
#[derive(Parser)]
#[command(
    after_help = "Each stream is a folder of --data (see datasets/README.md); `-bad` behind its name takes \
    the memories with their wrong actions. Streams in rounds (swebench_lite, alfworld_reflexion, tau_airline) \
    are forecast, not picked from.\n\nExamples:\n  replay\n  replay banking77-bad --forced-graphs\n  \
    replay metatool --squeezed --asymmetric --rotated\n  replay --data my/streams support-tickets\n  \
    replay --arms all\n  replay --arms similarity,grow,wisen --noise 0.3 --seeds 5\n  replay swebench_lite\n  replay --everything --record benches/record"
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
    /// All arms, transforms, random verdicts, forecasts and questions, one after the other (minutes)
    #[arg(long)]
    everything: bool,
    /// Also write replay.md and charts into this folder
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
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
    let mut record = Record::open(args.record.as_deref())?;
    if args.everything {
        everything(&args, &data, &mut record)?;
        return record.close();
    }
    let only_studies = args.quarantine || args.poison || args.no_fit;
    let shipped = data::SHIPPED.map(str::to_owned).to_vec();
    let names = if args.streams.is_empty() && !only_studies { &shipped } else { &args.streams };
    let kinds = args.kinds()?;
    for name in names {
        if Rounds::is_one(&data, name) {
            forecast(&args, &data, name, &mut record)?;
        } else if routing::is_one(&data, name) {
            studies::routing(&data, name, &mut record.page)?;
        } else {
            let stream = Stream::load(&data, name)?;
            arms(&args, &kinds, &stream, &mut record)?;
            for transform in args.transforms() {
                arms(&args, &kinds, &transform.apply(&stream)?, &mut record)?;
            }
        }
    }
    if args.quarantine {
        studies::quarantine(&args, &data, &mut record.page)?;
    }
    if args.poison {
        studies::poison(&data, &mut record.page)?;
    }
    if args.no_fit {
        studies::no_fit(&data, &mut record.page)?;
    }
    record.close()
}

/// All there is, in the order of a record.
fn everything(args: &Args, data: &Path, record: &mut Record) -> Result<()> {
    let streams =
        data::SHIPPED.iter().map(|name| Stream::load(data, name)).collect::<Result<Vec<Stream>>>()?;
    let named = |names: &[&str]| names.iter().map(|name| Kind::parse(name)).collect::<Result<Vec<Kind>>>();
    record.page.section("Arms side by side");
    for stream in &streams {
        let ran = table::print(args, &Kind::ALL, stream, &mut record.page)?;
        record.draw(stream, &ran)?;
    }
    record.page.section("The same streams as other embedding models would have them");
    for transform in [Transform::Squeezed, Transform::Asymmetric, Transform::Rotated] {
        for stream in &streams {
            let seen = transform.apply(stream)?;
            table::print(args, &named(&["similarity", "experience", "wisen"])?, &seen, &mut record.page)?;
        }
    }
    record.page.section("Random verdicts");
    for stream in &streams {
        let kinds = named(&["similarity", "grow", "experience", "wisen"])?;
        noise::print(args, &kinds, stream, args.noise.unwrap_or(0.3), &mut record.page)?;
    }
    record.page.section("Forecasts");
    for name in ["swebench_lite", "alfworld_reflexion", "tau_airline"] {
        forecast(args, data, name, record)?;
    }
    if routing::is_one(data, "routing") {
        record.page.section("Routing");
        studies::routing(data, "routing", &mut record.page)?;
    }
    studies::quarantine(args, data, &mut record.page)?;
    studies::poison(data, &mut record.page)?;
    studies::no_fit(data, &mut record.page)
}

fn arms(args: &Args, kinds: &[Kind], stream: &Stream, record: &mut Record) -> Result<()> {
    if let Some(share) = args.noise {
        return noise::print(args, kinds, stream, share, &mut record.page);
    }
    let ran = table::print(args, kinds, stream, &mut record.page)?;
    record.draw(stream, &ran)
}

fn forecast(args: &Args, data: &Path, name: &str, record: &mut Record) -> Result<()> {
    let pairs = forecast::print(args, &Rounds::load(data, name)?, &mut record.page)?;
    record.draw_forecasts(name, &pairs)
}
