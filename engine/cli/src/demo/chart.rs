//! The chart of a demo: hit rates over the stream, as SVG.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wisen_benches::chart::{Chart, Line, SIMILARITY, WISEN, moving_mean};
use wisen_benches::data::Stream;
use wisen_benches::measure::Trace;

use crate::text::number;

/// Stands in every chart of the demo: what lacks it is never overwritten.
pub const MARK: &str = "<!-- drawn by wisen demo -->";

/// Draws the chart into the file `path`.
pub fn draw(path: &Path, stream: &Stream, similarity: &Trace, wisen: &Trace) -> Result<()> {
    let window = match wisen.len() / 12 {
        few @ 0..50 => few.max(1),
        many => (many - many % 50).min(1000),
    };
    let line = |name: &str, colour, trace| {
        let points = moving_mean(trace, window);
        Line { name: name.to_owned(), colour, points, marked: false }
    };
    let subtitle = format!(
        "{} memories, {} requests; moving mean over {} requests, first pick",
        number(stream.memories.len() as u64),
        number(wisen.len() as u64),
        number(window as u64),
    );
    let chart = Chart {
        title: format!("Hit rate on {}", stream.name),
        subtitle,
        axes: ("requests so far", "right picks"),
        across: (0.0, wisen.len() as f64),
        number: &|x| number(x as u64),
        lines: vec![
            line("Wisen: every pick reported", WISEN, wisen),
            line("similarity only", SIMILARITY, similarity),
        ],
        diagonal: false,
    };
    let svg = chart.svg()?;
    fs::write(path, format!("{svg}{MARK}\n")).with_context(|| format!("cannot write {}", path.display()))
}
