//! Recalls one at a time, at a steady pace or as fast as they go, and how long each took and waited.

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

/// How long calls took, in microseconds.
#[derive(Debug, Default, Clone)]
pub struct Took {
    /// From call to answer.
    pub wall: Vec<f64>,
    /// Of this, on a processor.
    pub cpu: Vec<f64>,
    /// Of this, neither on a processor nor waiting for one: asleep on a lock or on the disk.
    pub asleep: Vec<f64>,
}

impl Took {
    /// Notes a call.
    pub fn call<T>(&mut self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (cpu, queued) = (on_processor(), queued());
        let began = Instant::now();
        let value = work()?;
        let wall = began.elapsed().as_secs_f64() * 1e6;
        let (cpu, queued) = (on_processor() - cpu, self::queued() - queued);
        self.wall.push(wall);
        self.cpu.push(cpu);
        self.asleep.push((wall - cpu - queued).max(0.0));
        Ok(value)
    }

    /// Calls `work` `per_second` times a second while `goes_on` says so; `work` gets the number of the call.
    pub fn paced(
        &mut self,
        per_second: u32,
        mut goes_on: impl FnMut() -> bool,
        mut work: impl FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        let pause = Duration::from_secs(1) / per_second;
        let mut next = Instant::now();
        for i in 0.. {
            if !goes_on() {
                break;
            }
            self.call(|| work(i))?;
            next += pause;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }
}

/// The value below which this share of all lies; NaN of nothing.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() as f64 * share) as usize).or(sorted.get(last)).copied().unwrap_or(f64::NAN)
}

/// Microseconds that this thread was on a processor.
pub fn on_processor() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Microseconds that this thread waited for a processor; 0 where the system does not tell.
fn queued() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|ns| ns.parse::<f64>().ok()).map_or(0.0, |ns| ns / 1e3)
}
