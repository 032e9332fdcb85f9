//! Arms side by side on one stream.

use std::time::Instant;

use anyhow::{Result, ensure};
use wisen::Options;
use wisen_benches::arms::{Kind, Verdicts, walk};
use wisen_benches::cosines::Cosines;
use wisen_benches::data::Stream;
use wisen_benches::measure::{Trace, calibration_error, difference, reliability};
use wisen_benches::page::{Page, figure, interval};

use super::Args;

/// One arm at the end of its walk.
pub struct Ran {
    pub kind: Kind,
    pub trace: Trace,
    pub picks: Vec<usize>,
    seconds: f64,
    remarks: String,
}

/// Arms that every later one is compared with.
const BASES: [&str; 2] = ["similarity", "experience"];

/// A stream, how much of it is replayed, and the cosines that exact arms need.
pub struct Course<'a> {
    pub stream: &'a Stream,
    pub events: usize,
    pub cosines: Cosines,
}

impl<'a> Course<'a> {
    /// Computes the cosines if an arm needs them, and says what is replayed.
    pub fn lay(args: &Args, kinds: &[Kind], stream: &'a Stream, page: &mut Page) -> Result<Self> {
        let events = args.events.unwrap_or(usize::MAX).min(stream.events.len());
        ensure!(events >= 2, "{} has {events} events: too few for a figure", stream.name);
        let exact = if kinds.iter().any(|kind| kind.is_exact()) { events } else { 0 };
        page.remark(&format!(
            "{}: N {events}, {} memories, {} d, durability {}, {} threads",
            stream.name,
            stream.memories.len(),
            stream.dimension(),
            args.durability().as_str(),
            std::thread::available_parallelism()?,
        ));
        Ok(Self { stream, events, cosines: Cosines::of(stream, exact) })
    }
}

/// Replays all arms on a stream.
pub fn print(args: &Args, kinds: &[Kind], stream: &Stream, page: &mut Page) -> Result<Vec<Ran>> {
    let course = Course::lay(args, kinds, stream, page)?;
    page.columns(&[
        "stream                   ",
        "arm            ",
        "all   ",
        "last half",
        "Brier ",
        "ECE   ",
        "vs similarity             ",
        "vs experience             ",
        "events/s",
        "remarks",
    ]);
    let mut ran: Vec<Ran> = Vec::new();
    for kind in kinds {
        let arm = run(args, *kind, &course, &Verdicts::true_ones(course.events))?;
        line(stream, &arm, &ran, page);
        ran.push(arm);
    }
    if args.tenths {
        tenths(stream, &ran, page);
    }
    if args.reliability {
        bins(stream, &ran, page);
    }
    Ok(ran)
}

/// Walks one arm through the stream, Wisen in a fresh store.
pub fn run(args: &Args, kind: Kind, course: &Course<'_>, verdicts: &Verdicts) -> Result<Ran> {
    let Course { stream, events, cosines } = course;
    let mut options = Options::new(stream.dimension()).durability(args.durability());
    if args.forced_graphs {
        options = options.scan_below(0).seal_at(256);
    }
    let folder = tempfile::tempdir()?;
    let mut arm = kind.start(stream, cosines, &folder.path().join("store"), &options)?;
    let began = Instant::now();
    let (trace, picks) = walk(arm.as_mut(), stream, *events, verdicts)?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Ran { kind, trace, picks, seconds, remarks: arm.finish()? })
}

fn line(stream: &Stream, arm: &Ran, earlier: &[Ran], page: &mut Page) {
    let (trace, half) = (&arm.trace, arm.trace.last_half());
    let beside = |name: &str| {
        let base = earlier.iter().find(|other| other.kind.as_str() == name);
        base.map_or(String::new(), |base| interval(&difference(trace, &base.trace, half.clone())))
    };
    page.row(&[
        stream.name.clone(),
        arm.kind.as_str().to_owned(),
        figure(trace.overall()),
        figure(trace.hit_rate(half.clone())),
        figure(trace.brier(half.clone())),
        figure(calibration_error(&reliability(&trace.pairs(half.clone())))),
        beside(BASES[0]),
        beside(BASES[1]),
        format!("{:.0}", trace.len() as f64 / arm.seconds),
        arm.remarks.clone(),
    ]);
}

fn tenths(stream: &Stream, ran: &[Ran], page: &mut Page) {
    let heads = ["stream                   ", "arm            ", "hit rate of every tenth"];
    page.columns(&heads);
    for arm in ran {
        let rates = arm.trace.tenths().into_iter().map(|t| format!("{:.3}", arm.trace.hit_rate(t)));
        let rates: Vec<String> = rates.collect();
        page.row(&[stream.name.clone(), arm.kind.as_str().to_owned(), rates.join(" ")]);
    }
}

/// What became of the promises of the last half.
fn bins(stream: &Stream, ran: &[Ran], page: &mut Page) {
    page.columns(&["stream                   ", "arm            ", "promised", "came true", "events"]);
    for arm in ran {
        for bin in reliability(&arm.trace.pairs(arm.trace.last_half())) {
            page.row(&[
                stream.name.clone(),
                arm.kind.as_str().to_owned(),
                figure(bin.promised),
                figure(bin.came_true),
                bin.events.to_string(),
            ]);
        }
    }
}
