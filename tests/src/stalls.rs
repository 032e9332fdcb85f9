//! How long the machine itself makes one wait. A bound in time on what Wisen does says nothing on a machine that
//! does other work, unless what any program has to wait there is allowed for.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks.
const PACE: Duration = Duration::from_millis(20);

/// A thread that sleeps, wakes up and syncs a byte of a file, and notes how long that took beyond the sleep.
#[derive(Debug)]
pub struct Stalls {
    longest: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stalls {
    /// Begins to watch; its file lies in `folder`, on the disk that matters.
    pub fn watch(folder: &Path) -> Self {
        let (longest, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut file = tempfile::tempfile_in(folder).unwrap();
        let (noted, ended) = (longest.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            while !ended.load(SeqCst) {
                let begun = Instant::now();
                std::thread::sleep(PACE);
                // On a full disk it goes without.
                let _ = file.write_all(b".").and_then(|()| file.sync_data());
                noted.fetch_max(begun.elapsed().saturating_sub(PACE).as_micros() as u64, SeqCst);
            }
        });
        Self { longest, over, thread: Some(thread) }
    }

    /// The longest stall so far.
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.longest.load(SeqCst))
    }

    /// What may take `bound` on a machine that does nothing else. A call may sleep and sync several times.
    pub fn allow(&self, bound: Duration) -> Duration {
        bound + 8 * self.longest()
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
