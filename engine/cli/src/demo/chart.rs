//! The chart of a demo: hit rates over the stream, as SVG.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use wisen_benches::data::Stream;
use wisen_benches::measure::Trace;

use crate::text::number;

/// Stands in every chart of the demo: what lacks it is never overwritten.
pub const MARK: &str = "<!-- drawn by wisen demo -->";

/// Its name, its colour, and where it goes: requests so far, rate.
type Line<'a> = (&'a str, RGBColor, Vec<(f64, f64)>);

const SIZE: (u32, u32) = (900, 520);
/// Upper left corner of the legend, beside the title: no line ever runs behind it.
const LEGEND: (i32, i32) = (600, 24);
const WISEN: RGBColor = RGBColor(0, 104, 139);
const SIMILARITY: RGBColor = RGBColor(201, 106, 41);
const INK: RGBColor = RGBColor(45, 50, 56);
const FAINT: RGBColor = RGBColor(225, 228, 232);

/// Draws the chart into the file `path`.
pub fn draw(path: &Path, stream: &Stream, similarity: &Trace, wisen: &Trace) -> Result<()> {
    let mut svg = String::new();
    // The errors of plotters borrow the drawing area.
    onto(&mut svg, stream, similarity, wisen).map_err(|error| anyhow!("cannot draw the chart: {error}"))?;
    fs::write(path, format!("{svg}{MARK}\n")).with_context(|| format!("cannot write {}", path.display()))
}

fn onto(
    svg: &mut String,
    stream: &Stream,
    similarity: &Trace,
    wisen: &Trace,
) -> Result<(), Box<dyn std::error::Error>> {
    let window = match wisen.len() / 12 {
        few @ 0..50 => few.max(1),
        many => (many - many % 50).min(1000),
    };
    let lines = [
        ("Wisen: every pick reported", WISEN, points(wisen, window)),
        ("similarity only", SIMILARITY, points(similarity, window)),
    ];
    let (bottom, top) = rates(&lines);
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let font = |size: i32| ("sans-serif", size).into_font().color(&INK);
    area.draw_text(&format!("Hit rate on {}", stream.name), &font(24), (70, 18))?;
    let subtitle = format!(
        "{} memories, {} requests; moving mean over {} requests, first pick",
        number(stream.memories.len() as u64),
        number(wisen.len() as u64),
        number(window as u64),
    );
    area.draw_text(&subtitle, &font(15), (70, 50))?;

    let mut chart = ChartBuilder::on(&area)
        .margin_top(84)
        .margin_right(84)
        .margin_bottom(14)
        .margin_left(14)
        .x_label_area_size(52)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..wisen.len() as f64, bottom..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .axis_style(INK.mix(0.6))
        .label_style(font(14))
        .axis_desc_style(font(15))
        .x_desc("requests so far")
        .y_desc("right picks")
        .x_label_formatter(&|x| number(*x as u64))
        .y_label_formatter(&|y| format!("{:.0} %", y * 100.0))
        .draw()?;
    let mut key = LEGEND.1;
    for (name, colour, line) in lines {
        let style = colour.stroke_width(3);
        let end = line.last().copied();
        chart.draw_series(LineSeries::new(line, style))?;
        area.draw(&PathElement::new([(LEGEND.0, key + 8), (LEGEND.0 + 26, key + 8)], style))?;
        area.draw_text(name, &font(16), (LEGEND.0 + 34, key))?;
        key += 24;
        if let Some(end) = end {
            let at_its_left = Pos::new(HPos::Left, VPos::Center);
            let label = ("sans-serif", 16).into_font().color(&colour).pos(at_its_left);
            let text = Text::new(format!("{:.1} %", end.1 * 100.0), (8, 0), label);
            chart.draw_series(std::iter::once(
                EmptyElement::at(end) + Circle::new((0, 0), 4, colour.filled()) + text,
            ))?;
        }
    }
    area.present()?;
    Ok(())
}

/// The moving mean behind every hundredth of the stream; in the beginning over what there is, but
/// not over less than half a window.
fn points(trace: &Trace, window: usize) -> Vec<(f64, f64)> {
    let step = (trace.len() / 120).max(1);
    let mut ends: Vec<usize> = (window.div_ceil(2)..trace.len()).step_by(step).collect();
    ends.push(trace.len());
    ends.into_iter().map(|end| (end as f64, trace.hit_rate(end.saturating_sub(window)..end))).collect()
}

/// The range of rates to show: whole tenths around the lines.
fn rates(lines: &[Line<'_>]) -> (f64, f64) {
    let all = || lines.iter().flat_map(|(_, _, line)| line.iter().map(|(_, rate)| *rate));
    let low = all().fold(1.0, f64::min);
    let high = all().fold(0.0, f64::max);
    let bottom = ((low * 10.0 - 0.2).floor() / 10.0).max(0.0);
    let top = ((high * 10.0 + 0.3).ceil() / 10.0).min(1.0);
    (bottom, top.max(bottom + 0.1))
}
