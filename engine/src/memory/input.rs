//! What callers hand in: memories, changes, queries, reports.

use std::time::Duration;

use serde_json::Value;

use crate::filter::Filter;
use crate::id::{DEFAULT_KIND, DEFAULT_NAMESPACE, MemoryId, ReceiptId};

use super::gate::Noticed;
use super::origin::Source;

/// A memory to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    pub(crate) content: String,
    pub(crate) vector: Vec<f32>,
    pub(crate) namespace: String,
    pub(crate) kind: String,
    pub(crate) metadata: Value,
    pub(crate) author: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) supersedes: Option<MemoryId>,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) source: Option<Source>,
    pub(crate) origin: Option<ReceiptId>,
    pub(crate) parents: Vec<MemoryId>,
    pub(crate) model: Option<String>,
    pub(crate) embedding_model: Option<String>,
    /// Set where it is let in, as are the tags.
    pub(crate) flags: Noticed,
    pub(crate) tags: Vec<String>,
}

impl Memory {
    /// A memory with this text and its embedding (as many numbers as the store's dimension).
    pub fn new(content: impl Into<String>, vector: impl Into<Vec<f32>>) -> Self {
        Self {
            content: content.into(),
            vector: vector.into(),
            namespace: DEFAULT_NAMESPACE.to_owned(),
            kind: DEFAULT_KIND.to_owned(),
            metadata: Value::Null,
            author: None,
            key: None,
            supersedes: None,
            time_to_live: None,
            source: None,
            origin: None,
            parents: Vec::new(),
            model: None,
            embedding_model: None,
            flags: Noticed::default(),
            tags: Vec::new(),
        }
    }

    /// What kind of source it comes from. Default: not told.
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// The recall in which it came about.
    pub fn origin(mut self, receipt: ReceiptId) -> Self {
        self.origin = Some(receipt);
        self
    }

    /// Adds a memory that it was made of; at most 64.
    pub fn parent(mut self, parent: MemoryId) -> Self {
        self.parents.push(parent);
        self
    }

    /// The model that wrote it (1 to 255 bytes).
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(name.into());
        self
    }

    /// The model that made its vector: refused with [`Mismatch`](crate::Error::Mismatch) if those of the store
    /// were made with another one ([`Options::model`](crate::Options::model)). Default: not told.
    pub fn embedding_model(mut self, name: impl Into<String>) -> Self {
        self.embedding_model = Some(name.into());
        self
    }

    /// The partition it belongs to (1 to 255 bytes). Default: `"default"`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// A free label that recalls can ask for (1 to 255 bytes). Default: `"note"`.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }

    /// A JSON object kept with the memory. Default: none.
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.metadata = metadata;
        self
    }

    /// Who wrote it (1 to 255 bytes).
    pub fn author(mut self, author: impl Into<String>) -> Self {
        self.author = Some(author.into());
        self
    }

    /// The caller's own name for it, unique in its namespace: remembering the same memory under
    /// the same key again stores nothing and returns the id it has.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The memory this one replaces: from now on that one is no hit any more, and names this one.
    pub fn supersedes(mut self, old: MemoryId) -> Self {
        self.supersedes = Some(old);
        self
    }

    /// How long it may be recalled. Default: for ever.
    pub fn time_to_live(mut self, duration: Duration) -> Self {
        self.time_to_live = Some(duration);
        self
    }
}

/// A change to a stored memory: what is not named stays. Its evidence stays with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Update {
    pub(crate) content: Option<String>,
    pub(crate) vector: Option<Vec<f32>>,
    pub(crate) embedding_model: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) metadata: Option<Value>,
    pub(crate) time_to_live: Option<Option<Duration>>,
}

impl Update {
    /// A change of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// New text.
    pub fn content(mut self, content: impl Into<String>) -> Self {
        self.content = Some(content.into());
        self
    }

    /// New embedding.
    pub fn vector(mut self, vector: impl Into<Vec<f32>>) -> Self {
        self.vector = Some(vector.into());
        self
    }

    /// The model that made the new embedding: refused with [`Mismatch`](crate::Error::Mismatch) if those of the store
    /// were made with another one ([`Options::model`](crate::Options::model)). Default: not told.
    pub fn embedding_model(mut self, name: impl Into<String>) -> Self {
        self.embedding_model = Some(name.into());
        self
    }

    /// New kind.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// New metadata (a JSON object, or null for none).
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// From now on for this long; `None`: for ever.
    pub fn time_to_live(mut self, duration: Option<Duration>) -> Self {
        self.time_to_live = Some(duration);
        self
    }
}

/// A question to the memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub(crate) vector: Vec<f32>,
    pub(crate) text: Option<String>,
    pub(crate) embedding_model: Option<String>,
    pub(crate) k: usize,
    pub(crate) namespaces: Vec<String>,
    pub(crate) kind: Option<String>,
    pub(crate) filter: Option<Filter>,
    pub(crate) receipt: bool,
    pub(crate) content: bool,
    pub(crate) width: usize,
    pub(crate) explore: usize,
    pub(crate) hold_out: f64,
    pub(crate) seed: Option<u64>,
    pub(crate) warnings: usize,
}

impl Query {
    /// A query with the embedding of the present situation; 10 hits from the default namespace,
    /// with a receipt, without contents.
    pub fn new(vector: impl Into<Vec<f32>>) -> Self {
        Self {
            vector: vector.into(),
            text: None,
            embedding_model: None,
            k: 10,
            namespaces: Vec::new(),
            kind: None,
            filter: None,
            receipt: true,
            content: false,
            width: 0,
            explore: 0,
            hold_out: 0.0,
            seed: None,
            warnings: 0,
        }
    }

    /// Asks the same with another embedding.
    pub fn vector(mut self, vector: impl Into<Vec<f32>>) -> Self {
        self.vector = vector.into();
        self
    }

    /// The text of the situation; kept with the receipt and shown when a hit is explained.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// The model that made its vector: refused with [`Mismatch`](crate::Error::Mismatch) if those of the store
    /// were made with another one ([`Options::model`](crate::Options::model)). Default: not told.
    pub fn embedding_model(mut self, name: impl Into<String>) -> Self {
        self.embedding_model = Some(name.into());
        self
    }

    /// How many hits at most. 0 gives none.
    pub fn k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// Adds a namespace to search. Without any: `"default"`. One that does not exist holds nothing.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespaces.push(namespace.into());
        self
    }

    /// Only memories of this kind.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Only memories that this lets through: `k` of them wherever so many exist. What is known of other memories
    /// counts for nothing here. A filter that is used again costs little: what it lets through is kept in mind.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Whether the recall can be reported on. Default: yes.
    pub fn receipt(mut self, wanted: bool) -> Self {
        self.receipt = wanted;
        self
    }

    /// Whether hits carry content and metadata. Default: no, which reads fewer bytes.
    pub fn content(mut self, wanted: bool) -> Self {
        self.content = wanted;
        self
    }

    /// Width (`ef`) of the graph search for this recall. Default (0): that of the store.
    pub fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// How many of the `k` places, the last ones, go to memories drawn by Thompson sampling: each
    /// candidate that has no place yet (at least 32 of them are looked for) draws a success probability
    /// from its posterior, and the highest draws take the places. Memories of which little is known get
    /// their chance that way, and [`Hit::propensity`](crate::Hit::propensity) says how likely that was,
    /// which takes about a millisecond to find out. Default: 0, nothing is left to chance.
    pub fn explore(mut self, places: usize) -> Self {
        self.explore = places;
        self
    }

    /// The share of recalls, in `0..=0.5`, on which memory is withheld at random, so that
    /// [`Store::uplift`](crate::Store::uplift) can tell what it is worth: such a recall has no hits, and
    /// says so in [`Recall::withheld`](crate::Recall::withheld). On a further share of the same size (less
    /// above a third: at least half of what is not withheld stays whole) a single hit, drawn from all of
    /// them, is left out silently and not replaced, for the uplift of single memories. Only recalls with
    /// a receipt are ever held out. Default: 0.
    pub fn hold_out(mut self, share: f64) -> Self {
        self.hold_out = share;
        self
    }

    /// Makes all that chance decides in this recall repeatable: the same store, query and seed give the
    /// same hits. Default: the random bits of the receipt.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Up to how many quarantined or retired memories to warn of, if they are among the `k` nearest
    /// ([`Recall::warnings`](crate::Recall::warnings)). Default: 0.
    pub fn warnings(mut self, most: usize) -> Self {
        self.warnings = most;
        self
    }
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// It worked: 1.
    Success,
    /// It did not: 0.
    Failure,
    /// It worked in part: a number in `0..=1`.
    Graded(f64),
    /// Nobody knows. Logged; moves nothing.
    Unknown,
}

impl Outcome {
    /// The outcome as a number in `0..=1`; `None` when unknown.
    pub fn value(self) -> Option<f64> {
        match self {
            Outcome::Success => Some(1.0),
            Outcome::Failure => Some(0.0),
            Outcome::Graded(value) => Some(value),
            Outcome::Unknown => None,
        }
    }
}

/// What a report is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Subject {
    Receipt(ReceiptId),
    Memory { id: MemoryId, situation: Option<Vec<f32>> },
}

/// How a recall, or a memory used without one, turned out.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub(crate) subject: Subject,
    pub(crate) outcome: Outcome,
    pub(crate) weight: f64,
    pub(crate) severe: bool,
    pub(crate) used: Vec<MemoryId>,
    pub(crate) tokens: Option<u64>,
    pub(crate) cost_micros: Option<i64>,
    pub(crate) reporter: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) note: Option<String>,
}

impl Report {
    fn about(subject: Subject, outcome: Outcome) -> Self {
        Self {
            subject,
            outcome,
            weight: 1.0,
            severe: false,
            used: Vec::new(),
            tokens: None,
            cost_micros: None,
            reporter: None,
            token: None,
            key: None,
            note: None,
        }
    }

    /// A report on the recall that issued `receipt`.
    pub fn on(receipt: ReceiptId, outcome: Outcome) -> Self {
        Self::about(Subject::Receipt(receipt), outcome)
    }

    /// A report on a memory that was used without a recall. It counts as evidence, but a memory
    /// so praised is never nominated by it where its own words do not fit.
    pub fn on_memory(memory: MemoryId, outcome: Outcome) -> Self {
        Self::about(Subject::Memory { id: memory, situation: None }, outcome)
    }

    /// For [`Report::on_memory`]: embedding of the situation in which it was used. Default: the
    /// memory's own vector.
    pub fn situation(mut self, vector: impl Into<Vec<f32>>) -> Self {
        if let Subject::Memory { situation, .. } = &mut self.subject {
            *situation = Some(vector.into());
        }
        self
    }

    /// Adds a memory that was used; it must have been shown. With none named, a recall that
    /// showed one hit credits that one, and a recall that showed several credits nothing.
    pub fn used(mut self, memory: MemoryId) -> Self {
        self.used.push(memory);
        self
    }

    /// How much the verdict is worth, in `0..=1`: multiplies its credit. Default: 1. With 0 the report
    /// is kept and moves nothing.
    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Whether the failure (an outcome below 0.5) was so bad that what caused it should not be tried
    /// again before somebody has looked at it. Default: no.
    pub fn severe(mut self, severe: bool) -> Self {
        self.severe = severe;
        self
    }

    /// Tokens spent on the attempt.
    pub fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Money spent on the attempt, in millionths of the owner's currency.
    pub fn cost_micros(mut self, micros: i64) -> Self {
        self.cost_micros = Some(micros);
        self
    }

    /// Who reports. Default: the owner of the store, whose word counts whole. What others say counts as
    /// far as it has agreed with the owner's on the same receipts, and within a cap per memory and day.
    /// A name that is not [registered](crate::Store::register) shares the standing of all such names, and
    /// counts for nothing without a receipt.
    pub fn reporter(mut self, name: impl Into<String>) -> Self {
        self.reporter = Some(name.into());
        self
    }

    /// The token of the reporter, if its name is registered: [`Store::register`](crate::Store::register)
    /// returned it.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The caller's own name for the report: the same report under the same key counts once.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// A remark kept with the report.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}
