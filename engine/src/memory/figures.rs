//! The figures an owner asks for, per namespace and over time.

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::outcome::Figures;
use crate::store::{figures, names};

use super::core::{Core, check_name};

/// Days within which a success may be contradicted, unless the caller names another number.
const DURABLE_DAYS: f64 = 7.0;
/// Longest time that a success can be asked to last, in days.
const MOST_DAYS: f64 = 36_500.0;
const MOST_SLICES: usize = 10_000;
const DAY: f64 = 86_400e6;

/// The stretch of time that [`Store::figures`](crate::Store::figures) looks at, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// Its beginning, in microseconds since 1970.
    pub from: Timestamp,
    /// Its end, which does not belong to it.
    pub to: Timestamp,
    /// Days within which a success must not be contradicted to be durable, in `0..=36500`. Default: 7.
    pub durable_days: f64,
    /// Into how many equal slices it is cut for [`Figures::over_time`], in `1..=10000`. Default: 1.
    pub slices: usize,
}

impl Window {
    /// From `from` up to, and without, `to`.
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, durable_days: DURABLE_DAYS, slices: 1 }
    }

    /// Days within which a success must not be contradicted to be durable.
    pub fn durable_days(mut self, days: f64) -> Self {
        self.durable_days = days;
        self
    }

    /// Into how many equal slices it is cut.
    pub fn slices(mut self, slices: usize) -> Self {
        self.slices = slices;
        self
    }

    fn check(&self) -> Result<()> {
        if self.from >= self.to {
            let why =
                format!("it goes from {} to {}: the end must lie after the beginning", self.from, self.to);
            return Err(Error::invalid("window", why));
        }
        if !(0.0..=MOST_DAYS).contains(&self.durable_days) {
            let why = format!("it is {}; 0 to {MOST_DAYS} days are allowed", self.durable_days);
            return Err(Error::invalid("durable_days", why));
        }
        if !(1..=MOST_SLICES).contains(&self.slices) {
            let why = format!("it is {}; 1 to {MOST_SLICES} are allowed", self.slices);
            return Err(Error::invalid("slices", why));
        }
        Ok(())
    }

    /// Where slice `i` begins; for `i = slices`, where the last one ends.
    fn edge(&self, i: usize) -> Timestamp {
        let length = i128::from(self.to) - i128::from(self.from);
        (i128::from(self.from) + length * i as i128 / self.slices as i128) as Timestamp
    }
}

/// Figures of a namespace, or of all.
pub(crate) fn figures(core: &Core, namespace: Option<&str>, window: Window) -> Result<Figures> {
    window.check()?;
    if let Some(name) = namespace {
        check_name("namespace", name)?;
    }
    let now = core.now();
    let durable = (window.durable_days * DAY).round() as i64;
    let mut all = Figures::new(window.from, window.to);
    if window.slices > 1 {
        let slice = |i| Figures::new(window.edge(i), window.edge(i + 1));
        all.over_time = (0..window.slices).map(slice).collect();
    }
    core.db.snapshot(|conn| {
        let namespace = match namespace {
            None => None,
            Some(name) => match names::namespace_by_name(conn, name)? {
                Some(row) => Some(row.id),
                None => return Ok(()),
            },
        };
        figures::attempts(conn, namespace, (window.from, window.to), |attempt, origin, fell| {
            all.add(attempt, origin, fell, durable, now);
            let slice = all.over_time.partition_point(|slice| slice.to <= attempt.at);
            if let Some(slice) = all.over_time.get_mut(slice) {
                slice.add(attempt, origin, fell, durable, now);
            }
        })
    })?;
    all.finish();
    Ok(all)
}
