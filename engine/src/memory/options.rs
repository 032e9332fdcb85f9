//! How a store is opened.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::key::PublicKey;
use crate::vector::{Metric, Storage};

use super::gate::{Hook, SecretAction};

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Kill -9 and panic; a power loss costs at most the last writes, never their order
    /// (SQLite `synchronous=NORMAL`).
    #[default]
    Normal,
    /// Power loss too: every write is synced before it is acknowledged (`synchronous=FULL`).
    Full,
}

impl Durability {
    /// `"normal"` or `"full"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Durability::Normal => "normal",
            Durability::Full => "full",
        }
    }

    /// The inverse of [`Durability::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Durability::Normal, Durability::Full].into_iter().find(|d| d.as_str() == text)
    }
}

/// Options of [`Store::open`](crate::Store::open). Dimension, metric, storage and model are fixed when
/// the store is created; given again later they are checked, left out they are taken from the store.
#[derive(Clone)]
pub struct Options {
    pub(crate) dimension: Option<usize>,
    pub(crate) metric: Option<Metric>,
    pub(crate) storage: Option<Storage>,
    pub(crate) model: Option<String>,
    pub(crate) durability: Durability,
    pub(crate) read_only: bool,
    pub(crate) busy_timeout: Duration,
    pub(crate) threads: usize,
    pub(crate) width: usize,
    pub(crate) scan_below: usize,
    pub(crate) seal_at: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) secrets: SecretAction,
    pub(crate) hook: Option<Arc<dyn Hook>>,
    pub(crate) authority_key: Option<PublicKey>,
}

impl Options {
    /// Options for a store of vectors with `dimension` numbers (1 to 4096); created if it is missing.
    pub fn new(dimension: usize) -> Self {
        Self { dimension: Some(dimension), ..Self::existing() }
    }

    /// Options for a store that exists: everything that was fixed at its creation is taken from it.
    pub fn existing() -> Self {
        Self {
            dimension: None,
            metric: None,
            storage: None,
            model: None,
            durability: Durability::default(),
            read_only: false,
            busy_timeout: Duration::from_secs(5),
            threads: 0,
            width: 0,
            scan_below: DEFAULT_SCAN_BELOW,
            seal_at: DEFAULT_SEAL_AT,
            clock: Arc::new(SystemClock),
            secrets: SecretAction::default(),
            hook: None,
            authority_key: None,
        }
    }

    /// Distance of the vectors. Default for a new store: [`Metric::Cosine`].
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = Some(metric);
        self
    }

    /// How the vectors of memories are stored. Default for a new store: [`Storage::F32`].
    pub fn storage(mut self, storage: Storage) -> Self {
        self.storage = Some(storage);
        self
    }

    /// Name of the embedding model, recorded at creation; opening with another name is refused.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(name.into());
        self
    }

    /// What an acknowledged write survives. Default: [`Durability::Normal`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Opens for recall only: nothing is written, not even receipts.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// How long a write waits for other writers before it fails with
    /// [`Error::Busy`](crate::Error::Busy); at most a day. Default: 5 s.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Threads that build segments. Up to 256. Default (0): as many as the
    /// machine has cores.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Default width (`ef`) of a graph search: larger finds more and touches more bytes.
    /// Default (0): the width of this version of the index.
    pub fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// A namespace with fewer distinct vectors in a segment than this is scanned, not given a
    /// graph. Default: 1024. 0 forces graphs everywhere, which is for tests.
    pub fn scan_below(mut self, vectors: usize) -> Self {
        self.scan_below = vectors;
        self
    }

    /// Vectors (memories and experiences) that may wait unsealed before a segment is built in the
    /// background. Default: 2048.
    pub fn seal_at(mut self, vectors: usize) -> Self {
        self.seal_at = vectors.max(1);
        self
    }

    /// Pins the public key with which the authorities of the store have to begin, that of
    /// [`create_authority`](crate::Store::create_authority): of any other store
    /// [`check`](crate::Store::check) denies everything. Default: what the store says.
    pub fn authority_key(mut self, key: PublicKey) -> Self {
        self.authority_key = Some(key);
        self
    }

    /// What happens to keys, tokens and passwords in what this handle remembers, in texts of queries and in notes of
    /// reports. Default:
    /// [`SecretAction::Redact`].
    pub fn secrets(mut self, action: SecretAction) -> Self {
        self.secrets = action;
        self
    }

    /// Looks at every memory that this handle remembers or changes, and may allow, redact, tag or refuse it.
    /// Default: none.
    pub fn hook(mut self, hook: Arc<dyn Hook>) -> Self {
        self.hook = Some(hook);
        self
    }

    /// Where the time comes from. Default: the operating system.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

const DEFAULT_SCAN_BELOW: usize = 1024;
const DEFAULT_SEAL_AT: usize = 2048;
