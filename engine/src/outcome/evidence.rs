//! Evidence: how much credit a report gives, and its sums.
//!
//! Credit is held in fixed point, so that sums are exact, do not depend on the order of the
//! reports, and can be taken back.

/// A share of the one unit of credit that a receipt has to give, in units of 2^-36.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Credit(i64);

impl Credit {
    const UNIT: f64 = (1_i64 << 36) as f64;

    /// The share of each memory when a receipt with `reports` credited reports names `used`
    /// memories in this one: one receipt gives one unit in all.
    pub(crate) fn share(reports: usize, used: usize) -> Self {
        let (reports, used) = if crate::sabotage::on("full_credit_each") { (1, 1) } else { (reports, used) };
        Self((Self::UNIT / (reports.max(1) * used.max(1)) as f64).floor() as i64)
    }

    /// This share, multiplied by a weight in `0..=1`.
    pub(crate) fn times(self, weight: f64) -> Self {
        Self((self.0 as f64 * weight).floor() as i64)
    }

    pub(crate) fn from_raw(raw: i64) -> Self {
        Self(raw)
    }

    pub(crate) fn raw(self) -> i64 {
        self.0
    }

    /// As a number in `0..=1`.
    pub(crate) fn weight(self) -> f64 {
        self.0 as f64 / Self::UNIT
    }
}

/// Sums of the evidence in one cell: the reports on one memory in one situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    /// Credit times outcome.
    pub success: i64,
    /// Credit times (1 - outcome).
    pub failure: i64,
    /// Receipts under which the memory succeeded here (outcome at least 0.5).
    pub wins: i64,
    /// Reports that give credit here.
    pub reports: i64,
}

impl Sums {
    /// What one report adds: `credit`, split by its outcome in `0..=1`.
    pub(crate) fn of(credit: Credit, outcome: f64) -> Self {
        let success = (credit.0 as f64 * outcome).round() as i64;
        Self { success, failure: credit.0 - success, wins: 0, reports: 1 }
    }

    pub(crate) fn add(&mut self, other: Sums) {
        self.success += other.success;
        self.failure += other.failure;
        self.wins += other.wins;
        self.reports += other.reports;
    }

    pub(crate) fn subtract(&mut self, other: Sums) {
        self.success -= other.success;
        self.failure -= other.failure;
        self.wins -= other.wins;
        self.reports -= other.reports;
    }
}

/// What the evidence in a cell is worth when it is looked at, in units of credit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Weights {
    /// Weight of the successes.
    pub successes: f64,
    /// Weight of the failures.
    pub failures: f64,
    /// Weight of the receipts under which the memory succeeded here.
    pub wins: f64,
    /// Reports behind these.
    pub reports: f64,
}

impl Weights {
    /// Adds evidence that is worth `scale` of its weight. Reports are counted, not weighed.
    pub(crate) fn add(&mut self, other: Weights, scale: f64) {
        self.successes += scale * other.successes;
        self.failures += scale * other.failures;
        self.wins += scale * other.wins;
        self.reports += other.reports;
    }
}

impl From<Sums> for Weights {
    fn from(sums: Sums) -> Self {
        Self {
            successes: Credit(sums.success).weight(),
            failures: Credit(sums.failure).weight(),
            wins: sums.wins as f64,
            reports: sums.reports as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_receipt_gives_at_most_one_unit() {
        for reports in 1..5 {
            for used in 1..7 {
                let all = Credit::share(reports, used).weight() * (reports * used) as f64;
                assert!(all <= 1.0 && all > 1.0 - 1e-9, "{reports} reports, {used} used: {all}");
            }
        }
    }

    #[test]
    fn sums_do_not_depend_on_order_and_can_be_taken_back() {
        let parts: Vec<Sums> =
            (0..50).map(|i| Sums::of(Credit::share(1 + i % 3, 1 + i % 4), i as f64 / 50.0)).collect();
        let mut forward = Sums::default();
        for p in &parts {
            forward.add(*p);
        }
        let mut backward = Sums::default();
        for p in parts.iter().rev() {
            backward.add(*p);
        }
        assert_eq!(forward, backward);
        for p in &parts {
            forward.subtract(*p);
        }
        assert_eq!(forward, Sums::default());
    }
}
