//! Streams in rounds: the same memories are tried again and again, and the question before each round
//! is how likely each is to work this time. Nothing is chosen: this is about the probability alone.
//!
//! Such a stream is a folder with `memories`, `rounds.jsonl`, and perhaps `situations`;
//! `benches/replay/export.py` says what they hold.

mod baselines;
mod wisen;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

pub use self::baselines::Baseline;
pub use self::wisen::Wisen;

use crate::data::table;
use crate::npy::Matrix;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Text of a memory or of what it says later.
#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    /// The text.
    pub text: String,
}

/// One try of a memory (or several in one round).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Row of the memory.
    pub memory: usize,
    /// How often it worked.
    pub successes: u32,
    /// Out of so many tries.
    pub tries: u32,
    /// What the memory says from now on: a row of the situations.
    pub situation: Option<usize>,
}

impl Attempt {
    /// Share that worked.
    pub fn outcome(&self) -> f64 {
        f64::from(self.successes) / f64::from(self.tries)
    }
}

/// Tries that were made at the same time, knowing only those of earlier rounds.
#[derive(Debug, Clone)]
pub struct Round {
    /// What it is called.
    pub name: String,
    /// Days since 1970-01-01; where the log has no dates, rounds are a day apart.
    pub day: i64,
    /// The tries.
    pub attempts: Vec<Attempt>,
}

/// A stream in rounds.
#[derive(Debug, Clone)]
pub struct Rounds {
    /// What it is called.
    pub name: String,
    /// What is remembered at the start.
    pub memories: Vec<Line>,
    /// The embedding of each memory.
    pub memory_vectors: Matrix,
    /// What memories say later, and the embeddings.
    pub situations: Option<(Vec<Line>, Matrix)>,
    /// The rounds, in order of time.
    pub rounds: Vec<Round>,
}

#[derive(Deserialize)]
struct RawRound {
    name: String,
    date: Option<String>,
    attempts: Vec<Vec<u32>>,
}

impl Rounds {
    /// Whether the folder of stream `name` is one of rounds.
    pub fn is_one(data: &Path, name: &str) -> bool {
        data.join(name).join("rounds.jsonl").exists()
    }

    /// Loads the stream `name` from the folder `data`.
    pub fn load(data: &Path, name: &str) -> Result<Self> {
        let folder = data.join(name);
        let (memories, memory_vectors) = table::<Line>(&folder, "memories")?;
        let has_situations = folder.join("situations.jsonl").exists();
        let situations = has_situations.then(|| table::<Line>(&folder, "situations")).transpose()?;
        let path = folder.join("rounds.jsonl");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let known = (memories.len(), situations.as_ref().map_or(0, |(lines, _)| lines.len()));
        let rounds = text
            .lines()
            .enumerate()
            .map(|(i, line)| round(line, i, known).with_context(|| format!("{}:{}", path.display(), i + 1)))
            .collect::<Result<Vec<Round>>>()?;
        ensure!(rounds.is_sorted_by_key(|round| round.day), "{}: rounds out of order", path.display());
        Ok(Self { name: name.to_owned(), memories, memory_vectors, situations, rounds })
    }
}

fn round(line: &str, index: usize, (memories, situations): (usize, usize)) -> Result<Round> {
    let raw: RawRound = serde_json::from_str(line)?;
    let day = raw.date.as_deref().map_or(Ok(index as i64), day_of)?;
    let attempts = raw.attempts.iter().map(|row| {
        let (&[memory, successes, tries], situation) = row.split_at_checked(3).map_or_else(
            || anyhow::bail!("an attempt has at least three numbers"),
            |(head, tail)| Ok((<&[u32; 3]>::try_from(head)?, tail.first().map(|s| *s as usize))),
        )?;
        let memory = memory as usize;
        ensure!(memory < memories && situation.is_none_or(|s| s < situations), "{row:?} names no row");
        ensure!(tries > 0 && successes <= tries, "{row:?}: {successes} successes in {tries} tries");
        Ok(Attempt { memory, successes, tries, situation })
    });
    Ok(Round { name: raw.name, day, attempts: attempts.collect::<Result<_>>()? })
}

/// Days since 1970-01-01 of a date written YYYYMMDD (Hinnant, "chrono-compatible low-level date
/// algorithms").
fn day_of(date: &str) -> Result<i64> {
    let number: i64 = date.parse().with_context(|| format!("{date} is no date"))?;
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    ensure!(year > 1969 && (1..=12).contains(&month) && (1..=31).contains(&day), "{date} is no date");
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Ok(year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468)
}

/// Something that says how likely a memory is to work, and is told afterwards.
pub trait Forecaster {
    /// A round begins, on this day.
    fn begin(&mut self, day: i64) -> Result<()>;
    /// The probability that this attempt works. What its outcome was must not be looked at.
    fn forecast(&mut self, attempt: &Attempt) -> Result<f64>;
    /// How the attempts of the round went.
    fn learn(&mut self, round: &Round) -> Result<()>;
}

/// Forecasts every round after the first `warm_up`, each from what is known of earlier rounds: pairs of
/// forecast and outcome.
pub fn walk(forecaster: &mut dyn Forecaster, stream: &Rounds, warm_up: usize) -> Result<Vec<(f64, f64)>> {
    let mut pairs = Vec::new();
    for (i, round) in stream.rounds.iter().enumerate() {
        forecaster.begin(round.day)?;
        if i >= warm_up {
            for attempt in &round.attempts {
                pairs.push((forecaster.forecast(attempt)?, attempt.outcome()));
            }
        }
        forecaster.learn(round)?;
    }
    Ok(pairs)
}

/// Mean squared error of the forecasts.
pub fn brier(pairs: &[(f64, f64)]) -> f64 {
    crate::measure::mean(pairs.iter().map(|(p, outcome)| (p - outcome).powi(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_calendars_do() {
        assert_eq!(day_of("19700101").expect("a date"), 0);
        assert_eq!(day_of("20000301").expect("a date"), 11_017);
        assert_eq!(day_of("20240229").expect("a date") + 1, day_of("20240301").expect("a date"));
        assert!(day_of("20241301").is_err() && day_of("soon").is_err());
    }

    #[test]
    fn rounds_that_make_no_sense_are_refused() {
        let line = |attempts: &str| format!("{{\"name\": \"r\", \"attempts\": {attempts}}}");
        let good = round(&line("[[0, 1, 2], [1, 0, 1, 0]]"), 3, (2, 1)).expect("good");
        assert_eq!((good.day, good.attempts.len()), (3, 2));
        assert!((good.attempts[0].outcome() - 0.5).abs() < 1e-12);
        for wrong in ["[[2, 1, 2]]", "[[0, 3, 2]]", "[[0, 0, 0]]", "[[0, 1]]", "[[0, 1, 1, 1]]"] {
            assert!(round(&line(wrong), 0, (2, 1)).is_err(), "{wrong}");
        }
    }
}
