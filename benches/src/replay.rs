//! Replay of a labelled stream through the public API. At every event: recall, take the first hit,
//! see whether its action was right, report that alone. Nothing else is ever told to the store.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use wisen::{Memory, MemoryId, Options, Outcome, Query, Recall, ReceiptId, Report, Stats, Store};

use crate::data::Stream;
use crate::measure::Trace;

/// An agent with a store of its own that walks through a stream.
pub struct Agent<'a> {
    stream: &'a Stream,
    store: Store,
    rows: HashMap<MemoryId, usize>,
    learns: bool,
    trace: Trace,
}

/// What an agent takes at an event.
#[derive(Debug, Clone, Copy)]
pub struct Pick {
    /// The event.
    pub event: usize,
    /// The memory, by its row in the stream.
    pub memory: usize,
    /// The promised probability that it is right.
    pub probability: f64,
    /// Whether it is right.
    pub right: bool,
    receipt: Option<ReceiptId>,
}

impl<'a> Agent<'a> {
    /// Creates a store at `path` and remembers there what the stream starts with. An agent that does
    /// not learn never reports: it ranks by similarity alone.
    pub fn create(path: &Path, options: Options, stream: &'a Stream, learns: bool) -> Result<Self> {
        let store = Store::open(path, options)?;
        let memories = stream.memories.iter().zip(stream.memory_vectors.rows());
        let memories = memories
            .map(|(item, vector)| Memory::new(&item.text, vector).metadata(json!({ "action": item.action })));
        let ids = store.remember_many(memories.collect())?;
        let rows = ids.into_iter().enumerate().map(|(row, id)| (id, row)).collect();
        Ok(Self { stream, store, rows, learns, trace: Trace::default() })
    }

    /// What it would take at event `event`. Moves nothing.
    pub fn pick(&self, event: usize) -> Result<Pick> {
        let recall = self.store.recall(&self.query(event).k(1).receipt(self.learns))?;
        let hit = recall.hits.first().context("a store with memories recalled none")?;
        let memory = self.row(hit.id)?;
        Ok(Pick {
            event,
            memory,
            probability: hit.probability(),
            right: self.stream.is_right(memory, event),
            receipt: recall.receipt,
        })
    }

    /// Notes how the pick went, and reports it if this agent learns.
    pub fn settle(&mut self, pick: Pick) -> Result<()> {
        self.settle_as(pick, pick.right)
    }

    /// Notes how the pick went, and reports `success` instead, which may be wrong.
    pub fn settle_as(&mut self, pick: Pick, success: bool) -> Result<()> {
        self.trace.push(pick.right, pick.probability);
        if let Some(receipt) = pick.receipt {
            let outcome = if success { Outcome::Success } else { Outcome::Failure };
            self.store.report(&Report::on(receipt, outcome))?;
        }
        Ok(())
    }

    /// Picks and settles.
    pub fn step(&mut self, event: usize) -> Result<Pick> {
        let pick = self.pick(event)?;
        self.settle(pick)?;
        Ok(pick)
    }

    /// The hits at event `event` with their contents, for people; without a receipt.
    pub fn look(&self, event: usize, k: usize) -> Result<Recall> {
        Ok(self.store.recall(&self.query(event).k(k).receipt(false).content(true))?)
    }

    /// The row of the stream that was remembered under `id`.
    pub fn row(&self, id: MemoryId) -> Result<usize> {
        self.rows.get(&id).copied().with_context(|| format!("memory {id} was never remembered here"))
    }

    /// What it did so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Figures of its store.
    pub fn stats(&self) -> Result<Stats> {
        Ok(self.store.stats()?)
    }

    /// Closes the store and hands out what was done.
    pub fn finish(self) -> Result<Trace> {
        self.store.close()?;
        Ok(self.trace)
    }

    fn query(&self, event: usize) -> Query {
        Query::new(self.stream.event_vectors.row(event)).text(&self.stream.events[event].text)
    }
}
