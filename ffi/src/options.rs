//! How a store is opened.

use std::sync::Arc;
use std::time::Duration;

use wisen::{Durability, Incoming, Metric, Options, PublicKey, Storage};

use crate::error::{Fault, invalid};
use crate::guard::{self, wisen_hook};
use crate::raw::Callback;
use crate::sized::Given;
use crate::text::wisen_text;

/// How vectors are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_metric {
    /// That of the store; cosine for a new one.
    WISEN_METRIC_OF_STORE = 0,
    /// Cosine of the angle; vectors are normalised.
    WISEN_METRIC_COSINE = 1,
    /// Inner product.
    WISEN_METRIC_DOT = 2,
    /// Minus the squared Euclidean distance.
    WISEN_METRIC_L2 = 3,
}

/// How the numbers of memories' vectors are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_storage {
    /// As in the store; f32 for a new one.
    WISEN_STORAGE_OF_STORE = 0,
    /// As they are given, four bytes a number.
    WISEN_STORAGE_F32 = 1,
    /// In two bytes a number (IEEE 754 binary16); under cosine it is the unit vector that is kept.
    WISEN_STORAGE_F16 = 2,
}

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_durability {
    /// Kill -9 and panic; a power loss costs at most the last writes, never their order.
    WISEN_DURABILITY_NORMAL = 0,
    /// Power loss too: every write is synced before it is acknowledged.
    WISEN_DURABILITY_FULL = 1,
}

use wisen_durability as D;
use wisen_metric as M;
use wisen_storage as S;

const METRICS: [(wisen_metric, Metric); 3] = [
    (M::WISEN_METRIC_COSINE, Metric::Cosine),
    (M::WISEN_METRIC_DOT, Metric::Dot),
    (M::WISEN_METRIC_L2, Metric::L2),
];

impl From<Metric> for wisen_metric {
    fn from(metric: Metric) -> Self {
        METRICS.iter().find(|(_, m)| *m == metric).map_or(M::WISEN_METRIC_OF_STORE, |(number, _)| *number)
    }
}

const STORAGES: [(wisen_storage, Storage); 2] =
    [(S::WISEN_STORAGE_F32, Storage::F32), (S::WISEN_STORAGE_F16, Storage::F16)];

impl From<Storage> for wisen_storage {
    fn from(storage: Storage) -> Self {
        let known = STORAGES.iter().find(|(_, s)| *s == storage);
        known.map_or(S::WISEN_STORAGE_OF_STORE, |(number, _)| *number)
    }
}

/// Options of wisen_open(). Make it with wisen_options_init(). Zero in a field is its default.
/// Dimension, metric, storage and model are fixed when a store is created; given again later they are
/// checked, left out they are taken from the store.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_options {
    /// Size of this structure, for growth: set by wisen_options_init().
    pub struct_size: u32,
    /// A wisen_metric.
    pub metric: i32,
    /// How many numbers a vector has (1 to 4096). 0: the store exists.
    pub dimension: usize,
    /// Name of the embedding model, recorded at creation. NULL: none.
    pub model: wisen_text,
    /// A wisen_durability.
    pub durability: i32,
    /// Not 0: opens for recall only; nothing is written, not even receipts.
    pub read_only: u32,
    /// How long a write waits for other writers, in milliseconds. 0: 5000.
    pub busy_timeout_ms: u64,
    /// Threads that build segments. 0: as many as the machine has cores.
    pub threads: usize,
    /// Default width (ef) of a graph search: larger finds more and touches more bytes. 0: that of
    /// this version of the index.
    pub width: usize,
    /// A namespace with fewer distinct vectors in a segment is scanned, not given a graph.
    /// 0: 1024. 1 gives every one a graph, which is for tests.
    pub scan_below: usize,
    /// Vectors that may wait unsealed before a segment is built in the background. 0: 2048.
    pub seal_at: usize,
    /// What happens to keys, tokens and passwords in what is remembered: a wisen_secret_action. 0: redacted.
    pub secrets: i32,
    /// A wisen_storage.
    pub storage: i32,
    /// Looks at every memory that this handle remembers or changes. NULL: none.
    pub hook: wisen_hook,
    /// Handed to the hook. Has to be good for any thread, until the store is freed.
    pub hook_data: *mut std::ffi::c_void,
    /// The public key, as text, with which the authorities of the store have to begin, that of
    /// wisen_create_authority(): of any other store wisen_check() denies everything. NULL: what the store says.
    pub authority_key: wisen_text,
}

impl Given<'_, wisen_options> {
    pub(crate) fn options(&self) -> Result<Options, Fault> {
        let mut options = match self.dimension {
            0 => Options::existing(),
            dimension => Options::new(dimension),
        };
        if self.metric != M::WISEN_METRIC_OF_STORE as i32 {
            let metric = METRICS.iter().find(|(number, _)| *number as i32 == self.metric);
            let (_, metric) =
                metric.ok_or_else(|| invalid("metric", format!("{} is no wisen_metric", self.metric)))?;
            options = options.metric(*metric);
        }
        options = options.durability(match self.durability {
            n if n == D::WISEN_DURABILITY_NORMAL as i32 => Durability::Normal,
            n if n == D::WISEN_DURABILITY_FULL as i32 => Durability::Full,
            n => return Err(invalid("durability", format!("{n} is no wisen_durability"))),
        });
        if let Some(model) = self.text("model", |options| options.model)? {
            options = options.model(model);
        }
        if self.storage != S::WISEN_STORAGE_OF_STORE as i32 {
            let storage = STORAGES.iter().find(|(number, _)| *number as i32 == self.storage);
            let (_, storage) =
                storage.ok_or_else(|| invalid("storage", format!("{} is no wisen_storage", self.storage)))?;
            options = options.storage(*storage);
        }
        options = options.secrets(guard::secret_action(self.secrets)?);
        if let Some(hook) = Callback::new(self.hook, self.hook_data) {
            options = options.hook(Arc::new(move |memory: &Incoming<'_>| guard::ask(&hook, memory)));
        }
        if let Some(key) = self.text("authority_key", |options| options.authority_key)? {
            options = options.authority_key(PublicKey::parse(key)?);
        }
        if self.busy_timeout_ms != 0 {
            options = options.busy_timeout(Duration::from_millis(self.busy_timeout_ms));
        }
        if self.scan_below != 0 {
            options = options.scan_below(self.scan_below);
        }
        if self.seal_at != 0 {
            options = options.seal_at(self.seal_at);
        }
        Ok(options.read_only(self.read_only != 0).threads(self.threads).width(self.width))
    }
}
