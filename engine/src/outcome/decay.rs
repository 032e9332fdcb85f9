//! How evidence fades with time.

use crate::clock::Timestamp;

/// Microseconds of a day.
const DAY: i64 = 24 * 3_600_000_000;

/// The day (UTC) in which a moment lies, counted from 1970-01-01.
pub(crate) fn day(at: Timestamp) -> i64 {
    at.div_euclid(DAY)
}
