//! Wisen as a forecaster, through its public API.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use wisen::{ManualClock, Memory, MemoryId, Options, Outcome, Query, Report, Store, Update};

use super::{Attempt, DAY, Forecaster, Round, Rounds};
use crate::npy::Matrix;

/// A store whose clock shows the day of the round. Before a round it is asked for each memory with what
/// that memory says; after it, each outcome is reported on the memory in that same situation.
pub struct Wisen<'a> {
    stream: &'a Rounds,
    store: Store,
    clock: Arc<ManualClock>,
    day: i64,
    ids: Vec<MemoryId>,
    /// The situation each memory was last rewritten to.
    says: Vec<Option<usize>>,
}

impl<'a> Wisen<'a> {
    /// Creates a store at `path` and remembers there what the stream starts with.
    pub fn create(path: &Path, stream: &'a Rounds) -> Result<Self> {
        let day = stream.rounds.first().context("a stream without rounds")?.day;
        let clock = Arc::new(ManualClock::at(day * DAY * 1_000_000));
        let options = Options::new(stream.memory_vectors.columns()).clock(clock.clone());
        let store = Store::open(path, options)?;
        // An issue that nobody solves is no bad memory, and has to stay a hit to be asked about.
        store.set_policy(wisen::DEFAULT_NAMESPACE, wisen::Policy::new().quarantine(false))?;
        store.set_half_life(wisen::DEFAULT_KIND, wisen::HalfLife::Auto)?;
        let memories = stream.memories.iter().zip(stream.memory_vectors.rows());
        let memories = memories.map(|(line, vector)| Memory::new(&line.text, vector));
        let ids = store.remember_many(memories.collect())?;
        let says = vec![None; ids.len()];
        Ok(Self { stream, store, clock, day, ids, says })
    }

    /// Closes the store.
    pub fn finish(self) -> Result<()> {
        Ok(self.store.close()?)
    }

    fn vector(&self, attempt: &Attempt) -> &'a [f32] {
        let situations = self.stream.situations.as_ref().map(|(_, vectors)| vectors);
        match (attempt.situation, situations) {
            (Some(row), Some(vectors)) => Matrix::row(vectors, row),
            _ => self.stream.memory_vectors.row(attempt.memory),
        }
    }
}

impl Forecaster for Wisen<'_> {
    fn begin(&mut self, day: i64) -> Result<()> {
        let days = u64::try_from(day - self.day).context("time runs backwards")?;
        self.clock.advance(Duration::from_secs(days * DAY.unsigned_abs()));
        self.day = day;
        Ok(())
    }

    fn forecast(&mut self, attempt: &Attempt) -> Result<f64> {
        let id = self.ids[attempt.memory];
        let vector = self.vector(attempt);
        let lines = self.stream.situations.as_ref().map(|(lines, _)| lines);
        if let (Some(row), Some(lines)) = (attempt.situation, lines)
            && self.says[attempt.memory] != Some(row)
        {
            self.store.update(id, Update::new().content(&lines[row].text).vector(vector))?;
            self.says[attempt.memory] = Some(row);
        }
        let recall = self.store.recall(&Query::new(vector).k(self.ids.len()).receipt(false))?;
        let hit = recall.hits.iter().find(|hit| hit.id == id);
        Ok(hit.with_context(|| format!("memory {id} is no hit of its own vector"))?.probability())
    }

    fn learn(&mut self, round: &Round) -> Result<()> {
        let report = |attempt: &Attempt| {
            let outcome = Outcome::Graded(attempt.outcome());
            Report::on_memory(self.ids[attempt.memory], outcome).situation(self.vector(attempt))
        };
        let reports: Vec<Report> = round.attempts.iter().map(report).collect();
        self.store.report_many(&reports)?;
        Ok(())
    }
}
