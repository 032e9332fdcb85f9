//! One recall in words: where experience has picked right and similarity wrong.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use wisen::Hit;
use wisen_benches::data::Stream;
use wisen_benches::replay::Agent;

use crate::text::{number, shortened};

/// A recall that is worth explaining.
pub struct Example {
    event: usize,
    /// What similarity alone has picked, by its row.
    similar: usize,
    /// What Wisen has picked, by its row.
    picked: usize,
    hit: Hit,
    late: bool,
}

impl Example {
    /// The better example of `best` and the recall at `event`: from the end of the stream rather than
    /// from before it, then with more reports behind it, then the later one.
    pub fn better(
        best: Option<Self>,
        wisen: &Agent,
        similar: usize,
        event: usize,
        late: bool,
    ) -> Result<Option<Self>> {
        let hit = wisen.look(event, 1)?.hits.into_iter().next().context("the same recall found nothing")?;
        let picked = wisen.row(hit.id)?;
        let this = Self { event, similar, picked, hit, late };
        Ok(best.filter(|best| best.rank() > this.rank()).or(Some(this)))
    }

    fn rank(&self) -> (bool, u64) {
        (self.late, self.hit.evidence.reports)
    }

    /// For people.
    pub fn explain(&self, stream: &Stream) -> String {
        let memory = |row: usize| {
            let item = &stream.memories[row];
            format!("{:?}\n                    and does {}", shortened(&item.text, 90), item.action)
        };
        let event = &stream.events[self.event];
        let (low, high) = self.hit.interval();
        let mut text = format!("An example, request {}:\n", number(self.event as u64 + 1));
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:17} {value}");
        };
        line("asked", &format!("{:?}", shortened(&event.text, 90)));
        line("similarity takes", &format!("{}: wrong", memory(self.similar)));
        line("Wisen takes", &format!("{}: right", memory(self.picked)));
        for (i, reason) in self.hit.reasons().iter().enumerate() {
            line(if i == 0 { "why" } else { "" }, reason);
        }
        let probability = self.hit.probability() * 100.0;
        line(
            "success",
            &format!("{probability:.0} % likely (90 % interval {:.0} to {:.0} %)", low * 100.0, high * 100.0),
        );
        text
    }
}
