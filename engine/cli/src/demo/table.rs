//! Hit rates by tenth of the stream, as a table with bars.

use std::fmt::Write as _;
use std::ops::Range;

use wisen_benches::measure::{Trace, difference};

use crate::text::number;

const BAR: usize = 20;

/// One line per tenth, then all events and the last half with the difference and its interval.
pub fn draw(similarity: &Trace, wisen: &Trace, plain: bool) -> String {
    let mut text = format!("{:>15}   {:30} Wisen\n", "requests", "hit rate: similarity only");
    let mut line = |name: &str, events: &Range<usize>, end: &str| {
        let cell = |trace: &Trace| {
            let rate = trace.hit_rate(events.clone());
            format!("{:5.1} %  {:BAR$}", rate * 100.0, bar(rate, plain))
        };
        let row = format!("{name:>15}   {:30} {}", cell(similarity), cell(wisen));
        text.push_str(format!("{row}{end}").trim_end());
        text.push('\n');
    };
    for events in similarity.tenths() {
        let name = format!("{} - {}", number(events.start as u64 + 1), number(events.end as u64));
        line(&name, &events, "");
    }
    line("all", &(0..similarity.len()), "");
    line("last half", &similarity.last_half(), "");
    let half = similarity.last_half();
    let gain = difference(wisen, similarity, half.clone());
    let _ = writeln!(
        text,
        "\nLast half: {:+.1} points for Wisen (95 % interval {:+.1} to {:+.1}); Brier score of its probabilities \
         {:.3}.",
        gain.mean * 100.0,
        gain.low * 100.0,
        gain.high * 100.0,
        wisen.brier(half),
    );
    text
}

/// A bar of full width for a rate of 1.
fn bar(rate: f64, plain: bool) -> String {
    let eighths = (rate * (BAR * 8) as f64).round() as usize;
    if plain {
        return "#".repeat((eighths + 4) / 8);
    }
    let mut bar = "\u{2588}".repeat(eighths / 8);
    // The blocks from one eighth (U+258F) to seven (U+2589) stand in descending order.
    if let Some(part) = (eighths % 8).checked_sub(1).and_then(|i| char::from_u32(0x258f - i as u32)) {
        bar.push(part);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_rate() {
        assert_eq!(bar(0.5, true), "#".repeat(10));
        assert_eq!(bar(1.0, false).chars().count(), 20);
        assert_eq!(bar(0.5 + 1.0 / 160.0, false).chars().last(), Some('\u{258f}'));
        assert_eq!(bar(0.5 + 7.0 / 160.0, false).chars().last(), Some('\u{2589}'));
        assert_eq!(bar(0.0, false), "");
    }

    #[test]
    fn the_table_has_a_line_for_every_tenth() {
        let (mut a, mut b) = (Trace::default(), Trace::default());
        (0..40).for_each(|i| (a.push(i % 2 == 0, 0.5), b.push(true, 0.9)).0);
        let text = draw(&a, &b, true);
        assert!(
            text.contains("37 - 40") && text.contains(" 50.0 %") && text.contains("+50.0 points"),
            "{text}"
        );
        assert!(text.is_ascii());
    }
}
