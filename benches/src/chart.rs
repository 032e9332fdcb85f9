//! Line charts as SVG: rates over a stream, promises against what came true.

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::measure::{Bin, Trace};

/// Red, green, blue.
pub type Colour = (u8, u8, u8);

/// The colour of Wisen in every chart.
pub const WISEN: Colour = (0, 104, 139);
/// That of similarity without learning.
pub const SIMILARITY: Colour = (201, 106, 41);
/// Those of the others, in turn.
const OTHERS: [Colour; 11] = [
    (98, 98, 98),
    (60, 140, 60),
    (150, 80, 160),
    (190, 160, 0),
    (200, 60, 90),
    (90, 160, 190),
    (120, 90, 60),
    (160, 160, 160),
    (90, 90, 190),
    (170, 190, 110),
    (220, 140, 170),
];

const SIZE: (u32, u32) = (900, 520);
const INK: RGBColor = RGBColor(45, 50, 56);
const FAINT: RGBColor = RGBColor(225, 228, 232);
/// Upper left corner of a short legend, beside the title: no line ever runs behind it.
const LEGEND: (i32, i32) = (600, 24);
/// That of a long one, right of the lines.
const LONG_LEGEND: (i32, i32) = (700, 96);
/// Lines that a short legend holds.
const FEW: usize = 2;

/// A line of a chart.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// Where it goes.
    pub points: Vec<(f64, f64)>,
    /// Whether its points are marked.
    pub marked: bool,
}

/// A chart of rates, in per cent from below to above.
pub struct Chart<'a> {
    /// What stands above it.
    pub title: String,
    /// In small letters below that.
    pub subtitle: String,
    /// Names of the axes.
    pub axes: (&'a str, &'a str),
    /// The range of the first axis.
    pub across: (f64, f64),
    /// How its numbers are written.
    pub number: &'a dyn Fn(f64) -> String,
    /// The lines.
    pub lines: Vec<Line>,
    /// Whether a thin line shows where both axes are equal.
    pub diagonal: bool,
}

impl Chart<'_> {
    /// The chart as SVG.
    pub fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        // The errors of plotters borrow the drawing area.
        self.onto(&mut svg).map_err(|error| anyhow!("cannot draw the chart: {error}"))?;
        Ok(svg)
    }

    fn onto(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let is_short = self.lines.len() <= FEW;
        let (bottom, top) = if self.diagonal { (0.0, 1.0) } else { rates(&self.lines) };
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let font = |size: i32| ("sans-serif", size).into_font().color(&INK);
        area.draw_text(&self.title, &font(24), (70, 18))?;
        area.draw_text(&self.subtitle, &font(15), (70, 50))?;
        let mut chart = ChartBuilder::on(&area)
            .margin_top(84)
            .margin_right(if is_short { 84 } else { 216 })
            .margin_bottom(14)
            .margin_left(14)
            .x_label_area_size(52)
            .y_label_area_size(60)
            .build_cartesian_2d(self.across.0..self.across.1, bottom..top)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(FAINT)
            .light_line_style(TRANSPARENT)
            .axis_style(INK.mix(0.6))
            .label_style(font(14))
            .axis_desc_style(font(15))
            .x_desc(self.axes.0)
            .y_desc(self.axes.1)
            .x_label_formatter(&|x| (self.number)(*x))
            .y_label_formatter(&|y| format!("{:.0} %", y * 100.0))
            .draw()?;
        if self.diagonal {
            chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], INK.mix(0.4)))?;
        }
        let mut at = if is_short { LEGEND } else { LONG_LEGEND };
        for line in &self.lines {
            let colour = RGBColor(line.colour.0, line.colour.1, line.colour.2);
            let style = colour.stroke_width(if is_short || line.colour == WISEN { 3 } else { 2 });
            chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
            if line.marked {
                let dots = line.points.iter().map(|point| Circle::new(*point, 4, colour.filled()));
                chart.draw_series(dots)?;
            }
            area.draw(&PathElement::new([(at.0, at.1 + 8), (at.0 + 26, at.1 + 8)], style))?;
            let end = line.points.last().copied().filter(|_| !line.marked);
            let rate = end.map_or(String::new(), |end| format!("{:.1} %", end.1 * 100.0));
            let name = if is_short { line.name.clone() } else { format!("{} {rate}", line.name) };
            area.draw_text(&name, &font(if is_short { 16 } else { 14 }), (at.0 + 34, at.1))?;
            at.1 += 24;
            if let Some(end) = end.filter(|_| is_short) {
                let at_its_left = Pos::new(HPos::Left, VPos::Center);
                let label = ("sans-serif", 16).into_font().color(&colour).pos(at_its_left);
                let mark = EmptyElement::at(end)
                    + Circle::new((0, 0), 4, colour.filled())
                    + Text::new(rate, (8, 0), label);
                chart.draw_series(std::iter::once(mark))?;
            }
        }
        area.present()?;
        Ok(())
    }
}

/// Colour of the line with this name, the `i`th of its chart.
pub fn colour(name: &str, i: usize) -> Colour {
    match name {
        "wisen" => WISEN,
        "similarity" => SIMILARITY,
        _ => OTHERS[i % OTHERS.len()],
    }
}

/// The moving mean behind every hundredth of the stream; in the beginning over what there is, but
/// not over less than half a window.
pub fn moving_mean(trace: &Trace, window: usize) -> Vec<(f64, f64)> {
    let step = (trace.len() / 120).max(1);
    let mut ends: Vec<usize> = (window.div_ceil(2)..trace.len()).step_by(step).collect();
    ends.push(trace.len());
    ends.into_iter().map(|end| (end as f64, trace.hit_rate(end.saturating_sub(window)..end))).collect()
}

/// Hit rates of several arms by tenth of the stream.
pub fn learning_curves(stream: &str, arms: &[(&str, &Trace)]) -> Result<String> {
    let mut lines: Vec<Line> = arms
        .iter()
        .enumerate()
        .map(|(i, (name, trace))| {
            let tenths = trace.tenths().into_iter();
            let points = tenths.map(|events| (events.end as f64, trace.hit_rate(events))).collect();
            Line { name: (*name).to_owned(), colour: colour(name, i), points, marked: false }
        })
        .collect();
    let last = |line: &Line| line.points.last().map_or(0.0, |point| point.1);
    lines.sort_by(|a, b| last(b).total_cmp(&last(a)));
    let events = arms.iter().map(|(_, trace)| trace.len()).max().unwrap_or(0);
    let chart = Chart {
        title: format!("Hit rate on {stream}"),
        subtitle: format!("by tenth of {events} requests, first pick"),
        axes: ("requests so far", "right picks"),
        across: (0.0, events as f64),
        number: &|x| format!("{x:.0}"),
        lines,
        diagonal: false,
    };
    chart.svg()
}

/// What became of the promises of several arms.
pub fn reliability_diagram(title: &str, arms: &[(&str, Vec<Bin>)]) -> Result<String> {
    let line = |(i, (name, bins)): (usize, &(&str, Vec<Bin>))| Line {
        name: (*name).to_owned(),
        colour: colour(name, i),
        points: bins.iter().map(|bin| (bin.promised, bin.came_true)).collect(),
        marked: true,
    };
    let chart = Chart {
        title: title.to_owned(),
        subtitle:
            "ten bins of equally many events; on the thin line, promises come true as often as they say"
                .to_owned(),
        axes: ("promised", "came true"),
        across: (0.0, 1.0),
        number: &|x| format!("{:.0} %", x * 100.0),
        lines: arms.iter().enumerate().map(line).collect(),
        diagonal: true,
    };
    chart.svg()
}

/// The range of rates to show: whole tenths around the lines.
fn rates(lines: &[Line]) -> (f64, f64) {
    let all = || lines.iter().flat_map(|line| line.points.iter().map(|(_, rate)| *rate));
    let low = all().fold(1.0, f64::min);
    let high = all().fold(0.0, f64::max);
    let bottom = ((low * 10.0 - 0.2).floor() / 10.0).max(0.0);
    let top = ((high * 10.0 + 0.3).ceil() / 10.0).min(1.0);
    (bottom, top.max(bottom + 0.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_show_every_line_by_name() {
        let mut trace = Trace::default();
        (0..200).for_each(|i| trace.push(i % 3 != 0, 0.6));
        let svg = learning_curves("s", &[("wisen", &trace), ("a", &trace), ("b", &trace)]).expect("draw");
        assert!(svg.starts_with("<svg") && svg.contains("wisen") && svg.contains("Hit rate on s"));
        let bins = crate::measure::reliability(&trace.pairs(0..200));
        let svg = reliability_diagram("promises", &[("wisen", bins)]).expect("draw");
        assert!(svg.contains("came true"));
    }
}
