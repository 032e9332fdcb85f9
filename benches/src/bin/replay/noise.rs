//! Arms that are told random verdicts at a share of the events.

use anyhow::Result;
use wisen_benches::arms::{Kind, Verdicts};
use wisen_benches::data::Stream;
use wisen_benches::measure::{Trace, bootstrap, mean};
use wisen_benches::page::{Page, figure, interval};

use super::Args;
use super::table::{self, Course};

/// Arms that every later one is compared with.
const BASES: [&str; 2] = ["similarity", "grow"];

/// Means over the seeds, judged by what was truly right.
pub fn print(args: &Args, kinds: &[Kind], stream: &Stream, share: f64, page: &mut Page) -> Result<()> {
    let course = Course::lay(args, kinds, stream, page)?;
    page.remark(&format!(
        "{:.0} % of the verdicts are coin flips; means of {} seeds; hits and Brier by what was truly right, last half",
        share * 100.0,
        args.seeds
    ));
    page.columns(&[
        "stream                   ",
        "arm            ",
        "last half",
        "Brier ",
        "vs similarity             ",
        "vs grow                   ",
    ]);
    let mut ran: Vec<(Kind, Vec<Trace>)> = Vec::new();
    for kind in kinds {
        let traces = (0..args.seeds).map(|seed| {
            let verdicts = Verdicts::noisy(course.events, share, seed);
            Ok(table::run(args, *kind, &course, &verdicts)?.trace)
        });
        let traces: Vec<Trace> = traces.collect::<Result<_>>()?;
        let half = traces[0].last_half();
        let beside = |name: &str| {
            let base = ran.iter().find(|(other, _)| other.as_str() == name);
            base.map_or(String::new(), |(_, base)| {
                let gains: Vec<f64> = half.clone().map(|t| rate(&traces, t) - rate(base, t)).collect();
                interval(&bootstrap(&gains))
            })
        };
        page.row(&[
            stream.name.clone(),
            kind.as_str().to_owned(),
            figure(mean(traces.iter().map(|trace| trace.hit_rate(half.clone())))),
            figure(mean(traces.iter().map(|trace| trace.brier(half.clone())))),
            beside(BASES[0]),
            beside(BASES[1]),
        ]);
        ran.push((*kind, traces));
    }
    Ok(())
}

/// Share of the seeds in which the pick of an event was right.
fn rate(traces: &[Trace], event: usize) -> f64 {
    mean(traces.iter().map(|trace| f64::from(u8::from(trace.hits[event]))))
}
