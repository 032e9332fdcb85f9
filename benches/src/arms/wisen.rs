//! Wisen, through its public API.

use std::path::Path;

use anyhow::{Context, Result};
use wisen::Options;

use super::{Arm, Choice};
use crate::data::Stream;
use crate::replay::{Agent, Pick};

/// An agent that reports every verdict to a store of its own.
pub struct Wisen<'a> {
    agent: Agent<'a>,
    pick: Option<Pick>,
}

impl<'a> Wisen<'a> {
    /// Creates the store at `path` and remembers there what the stream starts with.
    pub fn create(path: &Path, options: Options, stream: &'a Stream) -> Result<Self> {
        Ok(Self { agent: Agent::create(path, options, stream, true)?, pick: None })
    }
}

impl Arm for Wisen<'_> {
    fn choose(&mut self, event: usize) -> Result<Choice> {
        let pick = self.agent.pick(event)?;
        self.pick = Some(pick);
        Ok(Choice { memory: pick.memory, probability: pick.probability })
    }

    fn learn(&mut self, event: usize, _: usize, success: bool) -> Result<()> {
        let pick = self.pick.take().filter(|pick| pick.event == event);
        self.agent.settle_as(pick.context("nothing was chosen at this event")?, success)
    }

    fn finish(self: Box<Self>) -> Result<String> {
        let stats = self.agent.stats()?;
        self.agent.finish()?;
        Ok(format!(
            "{} reports, {} graph searches, {} scans, {} segments",
            stats.reports, stats.graph_searches, stats.scans, stats.segments
        ))
    }
}
