//! How long threads of this process have waited: for each other's locks, and for the right to write. For the tests of
//! what is promised about that; no part of the API. A lock that is free costs nothing more than it would.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The longest of some waits, in microseconds.
#[derive(Debug)]
pub struct Longest(AtomicU64);

/// For a lock that another thread of this process held, of those that a recall takes.
pub static LOCK: Longest = Longest(AtomicU64::new(0));
/// For the right to write, which another process had.
pub static WRITER: Longest = Longest(AtomicU64::new(0));
/// No wait: how long a transaction of this process had that right.
pub static TRANSACTION: Longest = Longest(AtomicU64::new(0));

impl Longest {
    /// The longest so far.
    pub fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Relaxed))
    }

    pub(crate) fn note(&self, since: Instant) {
        let micros = since.elapsed().as_micros() as u64;
        if micros > self.0.load(Relaxed) {
            self.0.fetch_max(micros, Relaxed);
        }
    }
}

/// Waits, and notes how long.
fn timed<T>(take: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let taken = take();
    LOCK.note(begun);
    taken
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.try_lock().unwrap_or_else(|| timed(|| mutex.lock()))
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.try_read().unwrap_or_else(|| timed(|| lock.read()))
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.try_write().unwrap_or_else(|| timed(|| lock.write()))
}
