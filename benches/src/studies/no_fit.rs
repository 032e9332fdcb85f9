//! Does a recall know that nothing fits? Queries nobody could answer against queries somebody can.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use wisen::{Memory, MemoryId, Options, Outcome, Query, Report, Store};

use super::auroc;
use crate::data::{Item, Stream};
use crate::npy::Matrix;

/// What is told to the store before the figures are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// How picks went where the right action was in the store.
    InScope,
    /// How every pick went: where nothing could be right, that it failed.
    All,
}

impl Told {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Told::Nothing => "nothing",
            Told::InScope => "picks in scope",
            Told::All => "all picks",
        }
    }
}

/// How well out-of-scope queries are told from others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Queries out of scope, and in scope.
    pub queries: (usize, usize),
    /// AUROC of `1 - Recall.fit`.
    pub by_fit: f64,
    /// AUROC of 1 less the similarity of the nearest memory.
    pub by_similarity: f64,
    /// Mean fit of the queries out of scope, and in scope.
    pub mean_fit: (f64, f64),
}

/// Of the actions in the order of their names, every fourth is left out of the store.
pub fn left_out(stream: &Stream) -> BTreeSet<String> {
    let actions: BTreeSet<&str> = stream.memories.iter().map(|item| item.action.as_str()).collect();
    actions.into_iter().skip(3).step_by(4).map(str::to_owned).collect()
}

/// Leaves out the memories of every fourth action; walks through the first half of the events; tells
/// queries of the second half whose action is missing from the others.
pub fn held_out(path: &Path, stream: &Stream, told: Told) -> Result<Found> {
    let missing = left_out(stream);
    let agent = Asker::create(path, stream, &missing)?;
    let is_out = |event: usize| missing.contains(&stream.events[event].action);
    let half = stream.events.len() / 2;
    if told != Told::Nothing {
        let events = (0..half).filter(|event| told == Told::All || !is_out(*event));
        for event in events {
            agent.live(stream.event_vectors.row(event), &stream.events[event])?;
        }
    }
    let (out, inside): (Vec<usize>, Vec<usize>) =
        (half..stream.events.len()).partition(|event| is_out(*event));
    let row = |event: &usize| stream.event_vectors.row(*event);
    agent.compare(out.iter().map(row), inside.iter().map(row))
}

/// Remembers all of `stream`, walks through the first half of its events, and tells queries of
/// another stream from those of its second half.
pub fn across(path: &Path, stream: &Stream, other: &Matrix, told: Told) -> Result<Found> {
    let agent = Asker::create(path, stream, &BTreeSet::new())?;
    let half = stream.events.len() / 2;
    if told != Told::Nothing {
        for event in 0..half {
            agent.live(stream.event_vectors.row(event), &stream.events[event])?;
        }
    }
    let inside = (half..stream.events.len()).map(|event| stream.event_vectors.row(event));
    agent.compare(other.rows().take(inside.len()), inside)
}

struct Asker<'a> {
    store: Store,
    known: Vec<(MemoryId, &'a Item)>,
}

impl<'a> Asker<'a> {
    fn create(path: &Path, stream: &'a Stream, missing: &BTreeSet<String>) -> Result<Self> {
        let store = Store::open(path, Options::new(stream.dimension()))?;
        let kept = stream.memories.iter().zip(stream.memory_vectors.rows());
        let (items, memories): (Vec<&Item>, Vec<Memory>) = kept
            .filter(|(item, _)| !missing.contains(&item.action))
            .map(|(item, vector)| (item, Memory::new(&item.text, vector)))
            .unzip();
        let ids = store.remember_many(memories)?;
        Ok(Self { store, known: ids.into_iter().zip(items).collect() })
    }

    /// Recall, pick, report.
    fn live(&self, query: &[f32], event: &Item) -> Result<()> {
        let recall = self.store.recall(&Query::new(query).k(1))?;
        let hit = recall.hits.first().context("a store with memories recalled none")?;
        let at = self.known.binary_search_by_key(&hit.id, |(id, _)| *id);
        let (_, memory) = self.known[at.ok().context("a memory nobody remembered")?];
        let outcome = if memory.action == event.action { Outcome::Success } else { Outcome::Failure };
        self.store.report(&Report::on(recall.receipt.context("no receipt")?, outcome))?;
        Ok(())
    }

    /// Fit, and similarity of the nearest memory.
    fn ask(&self, query: &[f32]) -> Result<(f64, f64)> {
        let recall = self.store.recall(&Query::new(query).k(10).receipt(false))?;
        let nearest = recall.hits.iter().map(|hit| f64::from(hit.similarity)).fold(-1.0, f64::max);
        Ok((recall.fit, nearest))
    }

    fn compare<'q>(
        &self,
        out: impl Iterator<Item = &'q [f32]>,
        inside: impl Iterator<Item = &'q [f32]>,
    ) -> Result<Found> {
        let out = out.map(|query| self.ask(query)).collect::<Result<Vec<_>>>()?;
        let inside = inside.map(|query| self.ask(query)).collect::<Result<Vec<_>>>()?;
        let fits = |asked: &[(f64, f64)]| asked.iter().map(|a| 1.0 - a.0).collect::<Vec<f64>>();
        let distances = |asked: &[(f64, f64)]| asked.iter().map(|a| 1.0 - a.1).collect::<Vec<f64>>();
        let mean_fit = |asked: &[(f64, f64)]| crate::measure::mean(asked.iter().map(|a| a.0));
        Ok(Found {
            queries: (out.len(), inside.len()),
            by_fit: auroc(&fits(&out), &fits(&inside)),
            by_similarity: auroc(&distances(&out), &distances(&inside)),
            mean_fit: (mean_fit(&out), mean_fit(&inside)),
        })
    }
}
