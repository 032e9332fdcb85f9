//! Trust: whose word counts how much.
//!
//! The owner of the store weighs 1, without a cap. Everybody else's credit is scaled twice: so that what
//! one group says of one memory on one day stays below its cap (scaled, never cut by arrival: a function
//! of the set of reports), and by the reliability of the group. Reliability is a Beta posterior learnt
//! only on receipts that the owner judged too; a group that agrees with the owner as often as a coin
//! would weighs nothing.

use super::evidence::Credit;

/// Those who share a budget of trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Group(pub i64);

/// Credit that a registered principal can give a memory in a day.
const REGISTERED_CAP: f64 = 3.0;
/// Credit that all unregistered names together can give a memory in a day.
const POOL_CAP: f64 = 1.0;
/// Prior mean of the reliability of a registered principal: the owner chose it, and has not checked it.
const REGISTERED_PRIOR: f64 = 0.8;
/// Prior mean of the reliability of the pool: a coin's, so that it weighs nothing until it has agreed
/// with the owner.
const POOL_PRIOR: f64 = 0.5;
/// Receipts that the prior is worth.
const PRIOR_WEIGHT: f64 = 5.0;

impl Group {
    /// The owner of the store: whoever reports without a name.
    pub(crate) const OWNER: Group = Group(0);
    /// All names that are not registered.
    pub(crate) const POOL: Group = Group(-1);

    /// Credit that it can give a memory in a day; `None`: any.
    fn cap(self) -> Option<f64> {
        match self {
            Group::OWNER => None,
            Group::POOL => Some(POOL_CAP),
            Group(_) => Some(REGISTERED_CAP),
        }
    }

    /// For how many outcomes so many of its reports on a memory count, all of one day.
    pub(crate) fn most_outcomes(self, reports: u64) -> u64 {
        self.cap().map_or(reports, |cap| reports.min(cap as u64))
    }

    /// How much of its credit counts when it has given a memory `total` units in a day: in `0..=1`.
    pub(crate) fn cap_scale(self, total: f64) -> f64 {
        let Some(cap) = self.cap() else {
            return 1.0;
        };
        if crate::sabotage::on("caps_off") || total <= cap { 1.0 } else { cap / total }
    }
}

/// How often a group agreed with the owner, in exact sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Agreement {
    /// Sum of the agreements, each in `0..=1`.
    pub agreed: Credit,
    /// Receipts that both judged.
    pub judged: i64,
}

impl Agreement {
    /// Agreement on one receipt, given the mean outcome that either told.
    pub(crate) fn of(owner: f64, other: f64) -> Credit {
        Credit::share(1, 1).times((1.0 - (owner - other).abs()).clamp(0.0, 1.0))
    }

    /// Parameters of the Beta posterior of the reliability of `group`.
    pub(crate) fn posterior(&self, group: Group) -> (f64, f64) {
        let prior = if group == Group::POOL { POOL_PRIOR } else { REGISTERED_PRIOR };
        let (agreed, judged) = (self.agreed.weight(), self.judged as f64);
        (prior * PRIOR_WEIGHT + agreed, (1.0 - prior) * PRIOR_WEIGHT + judged - agreed)
    }

    /// What multiplies the credit of `group`: 0 where it agrees as a coin does, 1 where it always does.
    pub(crate) fn weight(&self, group: Group) -> f64 {
        let (a, b) = self.posterior(group);
        (2.0 * a / (a + b) - 1.0).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(times: i64, of: i64) -> Agreement {
        let mut sum = 0;
        for _ in 0..times {
            sum += Agreement::of(1.0, 1.0).raw();
        }
        Agreement { agreed: Credit::from_raw(sum), judged: of }
    }

    #[test]
    fn a_coin_weighs_nothing_and_an_honest_one_ever_more() {
        let (pool, known) = (Group::POOL, Group(7));
        assert!(agreed(0, 0).weight(pool) == 0.0 && (agreed(0, 0).weight(known) - 0.6).abs() < 1e-9);
        assert!(agreed(50, 100).weight(pool) == 0.0 && agreed(50, 100).weight(known) < 0.05);
        assert!(agreed(0, 10).weight(known) == 0.0);
        assert!(agreed(95, 100).weight(pool) > 0.8 && agreed(100, 100).weight(known) > 0.95);
    }

    #[test]
    fn caps_scale_and_never_reach_the_owner() {
        assert!((Group::OWNER.cap_scale(1e9) - 1.0).abs() < 1e-12);
        for (group, cap) in [(Group::POOL, 1.0), (Group(3), 3.0)] {
            assert!((group.cap_scale(0.5) - 1.0).abs() < 1e-12);
            for total in [cap, 10.0, 1e6] {
                assert!((group.cap_scale(total) * total - cap).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn agreement_is_one_less_the_difference() {
        assert!((Agreement::of(0.25, 0.75).weight() - 0.5).abs() < 1e-9);
        assert!(Agreement::of(0.0, 1.0).weight() < 1e-9);
    }
}
