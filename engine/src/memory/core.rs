//! What a handle is made of, shared between its callers and its threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::graph::{Effort, Scratch};
use crate::segment::BuildParams;
use crate::store::authorities::Trust;
use crate::store::{Db, Identity, Receipts};
use crate::vector::Metric;
use crate::waits;

use super::gate::{Hook, SecretAction};
use super::rulebook::Rules;
use super::seal::Tally;
use super::triggers::Watch;
use super::view::View;

/// An open store.
pub(crate) struct Core {
    pub path: PathBuf,
    /// `None` for a store in memory.
    pub dir: Option<PathBuf>,
    pub identity: Identity,
    pub metric: Metric,
    pub db: Db,
    pub receipts: Receipts,
    pub view: View,
    pub clock: Arc<dyn Clock>,
    pub settings: Settings,
    pub counters: Counters,
    pub rules: Rules,
    pub watch: Watch,
    /// Set to stop a build that is under way.
    pub cancel: AtomicBool,
    pub sealing: Mutex<()>,
    pub tally: Mutex<Tally>,
    /// The change at which it was last looked for what is gone, see `purge.rs`.
    pub purged: AtomicI64,
    closed: AtomicBool,
    opened_by: u32,
    scratches: Mutex<Vec<Scratch>>,
}

/// What a call does, by which a halt may forbid it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Shows what is stored.
    Read,
    /// Searches memories for an agent.
    Recall,
    /// Changes something.
    Write,
    /// Tells how the store stands, or halts, resumes and closes it: never forbidden.
    Oversight,
}

/// Settings of the handle.
pub(crate) struct Settings {
    pub width: usize,
    pub seal_at: usize,
    pub threads: usize,
    pub build: BuildParams,
    pub secrets: SecretAction,
    pub hook: Option<Arc<dyn Hook>>,
}

/// Counts since opening.
#[derive(Default)]
pub(crate) struct Counters {
    pub recalls: AtomicU64,
    pub graph_searches: AtomicU64,
    pub scans: AtomicU64,
    pub bytes: AtomicU64,
    pub reranked: AtomicU64,
    pub seals: AtomicU64,
}

/// The parts of a handle that were opened one by one.
pub(crate) struct Parts {
    pub path: PathBuf,
    pub dir: Option<PathBuf>,
    pub identity: Identity,
    pub metric: Metric,
    pub db: Db,
    pub receipts: Receipts,
    pub view: View,
    pub clock: Arc<dyn Clock>,
    pub settings: Settings,
}

impl Core {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { path, dir, identity, metric, db, receipts, view, clock, settings } = parts;
        Self {
            path,
            dir,
            identity,
            metric,
            db,
            receipts,
            view,
            clock,
            settings,
            counters: Counters::default(),
            rules: Rules::default(),
            watch: Watch::default(),
            cancel: AtomicBool::new(false),
            sealing: Mutex::new(()),
            tally: Mutex::default(),
            purged: AtomicI64::new(0),
            closed: AtomicBool::new(false),
            opened_by: std::process::id(),
            scratches: Mutex::default(),
        }
    }

    /// Every call begins here: refused once the handle is closed, and in a process that it was not
    /// opened in (a fork copies neither the threads nor SQLite's locks).
    pub(crate) fn enter(&self) -> Result<()> {
        self.enter_for(Call::Read)
    }

    /// As [`Core::enter`], for a call of another kind than one that only reads; refused if the store is halted
    /// for it.
    pub(crate) fn enter_for(&self, call: Call) -> Result<()> {
        if self.is_foreign() {
            return Err(Error::Forked { opened_by: self.opened_by, here: std::process::id() });
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        self.obey(call)
    }

    /// Whether this process is a fork of the one that opened the handle.
    pub(crate) fn is_foreign(&self) -> bool {
        std::process::id() != self.opened_by && !crate::sabotage::on("forks_pass")
    }

    /// Marks the handle closed. Returns whether it was open.
    pub(crate) fn shut(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    /// Whether builds are to be given up.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Acquire)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// By what signatures are judged now, see [`Db::trust`].
    pub(crate) fn trust(&self) -> Trust {
        self.db.trust()
    }

    /// Refuses what a read-only handle must not do, and what a halt forbids. Every call that writes asks.
    pub(crate) fn writable(&self) -> Result<()> {
        self.obey(Call::Write)?;
        self.writable_when_halted()
    }

    /// As [`Core::writable`], for the halt itself.
    pub(crate) fn writable_when_halted(&self) -> Result<()> {
        if self.db.is_read_only() {
            let why = "it was opened read-only".to_owned();
            return Err(Error::ReadOnly { path: self.path.clone(), why });
        }
        Ok(())
    }

    /// Lends working memory for a search.
    pub(crate) fn with_scratch<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let mut scratch = waits::lock(&self.scratches).pop().unwrap_or_default();
        let result = work(&mut scratch);
        waits::lock(&self.scratches).push(scratch);
        result
    }

    /// Refuses a vector that was made with another embedding model than those of the store.
    pub(crate) fn check_model(&self, given: Option<&str>) -> Result<()> {
        match given {
            Some(given)
                if self.identity.model.as_deref() != Some(given) && !crate::sabotage::on("models_mix") =>
            {
                Err(self.identity.other_model(&self.path, given))
            }
            _ => Ok(()),
        }
    }

    /// Checks a vector from outside against the store's dimension and metric; returns it prepared.
    pub(crate) fn prepare(&self, vector: &[f32]) -> Result<Vec<f32>> {
        if vector.len() != self.identity.dimension {
            return Err(Error::WrongDimension { expected: self.identity.dimension, got: vector.len() });
        }
        self.metric.prepare(vector)
    }

    /// Checks a vector that is to be stored, and makes of it what the store keeps.
    pub(crate) fn keep(&self, vector: &mut [f32]) -> Result<()> {
        self.prepare(vector)?;
        self.identity.storage.keep(self.metric, vector)
    }
}

impl Counters {
    pub(crate) fn add(&self, effort: &Effort) {
        self.recalls.fetch_add(1, Ordering::Relaxed);
        self.graph_searches.fetch_add(effort.graph_searches, Ordering::Relaxed);
        self.scans.fetch_add(effort.scans, Ordering::Relaxed);
        self.bytes.fetch_add(effort.bytes, Ordering::Relaxed);
        self.reranked.fetch_add(effort.reranked, Ordering::Relaxed);
    }
}

/// Checks a name: namespace, kind, author, reporter, key.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > 255 {
        return Err(Error::invalid(what, format!("it has {} bytes; 1 to 255 are allowed", name.len())));
    }
    if name.contains('\0') {
        return Err(Error::invalid(what, "it holds a NUL character"));
    }
    Ok(())
}

/// Puts the number of the row into an error that is the fault of one row of a batch. A busy store or a
/// full disk is nobody's.
pub(crate) fn row_error(row: usize, rows: usize) -> impl Fn(Error) -> Error {
    move |error| match error {
        at_fault
            if rows > 1
                && ((100..300).contains(&(at_fault.code() as i32))
                    || matches!(at_fault, Error::Refused { .. })) =>
        {
            Error::Row { row, source: Box::new(at_fault) }
        }
        other => other,
    }
}

/// Checks a text that is stored.
pub(crate) fn check_text(what: &'static str, text: &str) -> Result<()> {
    if text.len() > crate::store::MAX_TEXT {
        return Err(Error::invalid(what, format!("it has {} bytes; 256 MiB are allowed", text.len())));
    }
    Ok(())
}

/// When a duration from now ends.
pub(crate) fn after(now: Timestamp, duration: Duration) -> Timestamp {
    now.saturating_add(crate::clock::micros(duration))
}

/// Whether a path means a store in memory.
pub(crate) fn is_memory(path: &Path) -> bool {
    path == Path::new(":memory:")
}
