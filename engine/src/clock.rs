//! Time comes in as a value: nothing below the face reads a clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01 00:00 UTC.
pub type Timestamp = i64;

/// Where a store takes the time from.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
    }
}

/// A clock that stands still until it is told to move: for tests and replays.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(micros(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.load(Ordering::SeqCst)
    }
}

/// A time as people write it, such as `2026-11-23 04:38:28 UTC`; of the years 1970 to 9999 the nearest.
pub(crate) fn utc(micros: Timestamp) -> String {
    const LAST: u64 = 253_402_300_799;
    let seconds = u64::try_from(micros.div_euclid(1_000_000)).unwrap_or(0).min(LAST);
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(time).to_string().replace('T', " ").replace('Z', " UTC")
}

/// A duration in microseconds, saturating at the end of time.
pub(crate) fn micros(duration: Duration) -> Timestamp {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
