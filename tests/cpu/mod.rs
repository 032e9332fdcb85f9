//! The time that the processor spends on something, whoever else uses the machine.

use std::time::Duration;

/// What the calling thread uses for some work, and what comes of it.
pub fn spent<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = used();
    let result = work();
    (used().saturating_sub(begun), result)
}

/// What the calling thread has used so far.
fn used() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is one that every thread has, and the place for its time is ours.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec.try_into().unwrap())
}
