//! Labelled streams: memories that each hold an action, then events that each have a right one.
//!
//! A stream is a folder with `memories.jsonl`, `memories.npy`, `events.jsonl` and `events.npy`.
//! A line holds `text` and `action`, that of a memory possibly `poisoned_action` too; row `i` of the
//! vectors belongs to line `i`. The name of a stream is that of its folder; with `-bad` behind it,
//! the memories carry their `poisoned_action`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::npy::{self, Matrix};

/// The streams that come with the repository.
pub const SHIPPED: [&str; 3] = ["banking77", "banking77-bad", "metatool"];

/// A text and the action that goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Item {
    /// What was said, or what a tool says of itself.
    pub text: String,
    /// For a memory: what it tells to do. For an event: what was right to do.
    pub action: String,
    poisoned_action: Option<String>,
}

/// Memories, and the events that ask for them, in order.
#[derive(Debug, Clone)]
pub struct Stream {
    /// What it is called.
    pub name: String,
    /// What is remembered at the start.
    pub memories: Vec<Item>,
    /// The embedding of each memory.
    pub memory_vectors: Matrix,
    /// What happens then.
    pub events: Vec<Item>,
    /// The embedding of each event.
    pub event_vectors: Matrix,
}

impl Stream {
    /// Loads the stream `name` from the folder `data`.
    pub fn load(data: &Path, name: &str) -> Result<Self> {
        let folder = data.join(name.strip_suffix("-bad").unwrap_or(name));
        let (mut memories, memory_vectors) = table::<Item>(&folder, "memories")?;
        let (events, event_vectors) = table(&folder, "events")?;
        if name.ends_with("-bad") {
            for item in &mut memories {
                let poisoned = item.poisoned_action.take();
                item.action = poisoned.with_context(|| {
                    format!("{} has no poisoned_action in its memories", folder.display())
                })?;
            }
        }
        let (of_memories, of_events) = (memory_vectors.columns(), event_vectors.columns());
        ensure!(of_memories == of_events, "memories have {of_memories} dimensions, events {of_events}");
        Ok(Self { name: name.to_owned(), memories, memory_vectors, events, event_vectors })
    }

    /// Numbers in a vector.
    pub fn dimension(&self) -> usize {
        self.memory_vectors.columns()
    }

    /// Whether memory `memory` tells what is right at event `event`.
    pub fn is_right(&self, memory: usize, event: usize) -> bool {
        self.memories[memory].action == self.events[event].action
    }
}

/// The folder `datasets` of the repository.
pub fn shipped() -> PathBuf {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
    built_from.canonicalize().unwrap_or_else(|_| PathBuf::from("datasets"))
}

/// `name.jsonl` and `name.npy` of a folder: lines and the unit vector of each.
pub fn table<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<(Vec<T>, Matrix)> {
    let path = folder.join(format!("{name}.jsonl"));
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let items = text
        .lines()
        .enumerate()
        .map(|(i, line)| serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), i + 1)))
        .collect::<Result<Vec<T>>>()?;
    let vectors = npy::read(&folder.join(format!("{name}.npy")))?.unit();
    ensure!(
        items.len() == vectors.len(),
        "{} has {} lines for {} vectors",
        path.display(),
        items.len(),
        vectors.len()
    );
    Ok((items, vectors))
}
