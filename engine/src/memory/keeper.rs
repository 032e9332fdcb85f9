//! The threads of a handle: one writes receipts and denials, one seals, one goes over to segments that others made.
//! Started when first needed.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;

use crate::error::{Error, Result};

use super::core::Core;
use super::{purge, report, seal, triggers};

/// Receipts issued within this time are written together.
const BATCH: Duration = Duration::from_millis(10);
/// Pause after a failure before the next attempt.
const PAUSE: Duration = Duration::from_millis(250);

/// A thread that works when it is woken, until it is dropped.
struct Worker {
    wake: Sender<()>,
    thread: JoinHandle<()>,
}

/// The threads of a handle.
pub(crate) struct Keeper {
    core: Arc<Core>,
    scribe: Mutex<Option<Worker>>,
    sealer: Mutex<Option<Worker>>,
    lister: Mutex<Option<Worker>>,
}

impl Keeper {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, scribe: Mutex::default(), sealer: Mutex::default(), lister: Mutex::default() }
    }

    /// Receipts wait to be written.
    pub(crate) fn receipts_wait(&self) {
        wake(&self.scribe, &self.core, "wisen-receipts", write_receipts);
    }

    /// Something was stored that may be worth sealing.
    pub(crate) fn points_came(&self) {
        if !self.core.db.is_read_only() {
            wake(&self.sealer, &self.core, "wisen-seal", seal_when_due);
        }
    }

    /// There is another list of segments.
    pub(crate) fn segments_came(&self) {
        wake(&self.lister, &self.core, "wisen-segments", go_over);
    }

    /// Ends the threads. What they are at is finished first, unless `Core::cancel` is set.
    pub(crate) fn stop(&self) -> Result<()> {
        for worker in [&self.scribe, &self.sealer, &self.lister] {
            if let Some(Worker { wake, thread }) = worker.lock().take() {
                drop(wake);
                thread.join().map_err(|_| Error::internal("a thread of the store panicked"))?;
            }
        }
        Ok(())
    }
}

fn wake(worker: &Mutex<Option<Worker>>, core: &Arc<Core>, name: &str, work: fn(&Core, &Receiver<()>)) {
    let mut worker = worker.lock();
    if worker.is_none() {
        let (wake, woken) = bounded(1);
        let core = core.clone();
        // Without threads the work is done by `flush`, `seal` and `close`.
        *worker = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&core, &woken))
            .ok()
            .map(|thread| Worker { wake, thread });
    }
    if let Some(worker) = worker.as_ref() {
        match worker.wake.try_send(()) {
            // Full: it is awake or about to be.
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        }
    }
}

fn write_receipts(core: &Core, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        std::thread::sleep(BATCH);
        // A failure loses nothing: the receipts stay in memory and the next attempt takes them along.
        let denials = triggers::write_denials(core);
        let receipts = report::settle_all(core);
        if denials.and(receipts).is_err() {
            std::thread::sleep(PAUSE);
        }
    }
}

fn go_over(core: &Core, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        // A failure loses nothing: the old segments are as good, and the next recall tries again.
        if core.view.go_over(&core.db).is_err() {
            std::thread::sleep(PAUSE);
        }
    }
}

fn seal_when_due(core: &Core, woken: &Receiver<()>) {
    let least = core.settings.seal_at as u64;
    while woken.recv().is_ok() {
        // A failure loses nothing: what is not sealed is scanned, and the next write tries again.
        while !core.is_cancelled() && seal::seal(core, least).unwrap_or(false) {}
        if !core.is_cancelled() {
            let _ = purge::purge(core);
        }
    }
}
