//! What an owner may decide for a namespace.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Error, Result};
use crate::outcome::{MOST_HELD_OUT, MOST_TRIED, Rule};
use crate::store::audit::{self, Actor};
use crate::store::{names, policies};

use super::core::{Core, check_name};

/// The policy of a namespace: when memories that fail are quarantined, and what is opt-in. The defaults are
/// those of a namespace whose policy was never set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Policy {
    /// Whether memories that keep failing are quarantined by the rule below. Default: no: the ranking alone
    /// keeps failing memories from queries like those they failed at, and a memory that is right for few
    /// requests only must not be lost for them. A severe failure quarantines whatever is set here.
    pub quarantine: bool,
    /// A memory is bad if it succeeds less often than this. In `0..1`; default 0.4.
    pub floor: f64,
    /// How probable that has to be before it is quarantined. In `0..1`; default 0.95.
    pub tail: f64,
    /// Mean of the prior of a memory's success rate. In `0..1`; default 0.6.
    pub prior_mean: f64,
    /// Weight of that prior, in outcomes. Above 0; default 4.
    pub prior_weight: f64,
    /// Evidence that a situation needs to speak for a memory, in outcomes. At least 0; default 3.
    pub local_evidence: f64,
    /// Mean outcome there from which on the memory works there and is not quarantined. In `0..=1`;
    /// default 0.5.
    pub local_mean: f64,
    /// Share of the recalls for more than one hit whose last one may be a quarantined memory on probation.
    /// In `0..=0.99`; default 0.05; 0: nothing is tried. All of them it cannot be: a trial is known by its
    /// propensity, which has to lie below 1, and no probation would ever begin.
    pub probation_share: f64,
    /// Outcomes after which a probation ends. Of a day, at most 3 count of what a registered principal tells, 1 of
    /// what all unregistered ones tell. 1 to 1,000,000; default 10.
    pub probation_outcomes: u32,
    /// It ends well if the probability that the memory is bad, by the outcomes since it began, is below this.
    /// In `0..=1`; default 0.5.
    pub release_below: f64,
    /// Share of the recalls whose hits are withheld, to learn how things go without memory, as
    /// [`Query::hold_out`](crate::Query::hold_out) has it; of the shares of a query and of all namespaces that
    /// it searches, the largest holds. In `0..=0.5`; default 0.
    pub hold_out: f64,
    /// Similarity from which on a new memory is merged into the nearest one of its kind. Default: never.
    pub distil_at: Option<f32>,
}

impl Default for Policy {
    fn default() -> Self {
        // The rule and its numbers: measured against eleven others on simulated memories of known rates
        // (over 100 outcomes it throws out none that is 70 % good and 99.9 % of those 20 % good).
        Self {
            quarantine: false,
            floor: 0.4,
            tail: 0.95,
            prior_mean: 0.6,
            prior_weight: 4.0,
            local_evidence: 3.0,
            local_mean: 0.5,
            probation_share: 0.05,
            probation_outcomes: 10,
            release_below: 0.5,
            hold_out: 0.0,
            distil_at: None,
        }
    }
}

impl Policy {
    /// The default policy.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Policy::quarantine`].
    pub fn quarantine(mut self, on: bool) -> Self {
        self.quarantine = on;
        self
    }

    /// Sets [`Policy::floor`].
    pub fn floor(mut self, rate: f64) -> Self {
        self.floor = rate;
        self
    }

    /// Sets [`Policy::tail`].
    pub fn tail(mut self, probability: f64) -> Self {
        self.tail = probability;
        self
    }

    /// Sets [`Policy::prior_mean`].
    pub fn prior_mean(mut self, mean: f64) -> Self {
        self.prior_mean = mean;
        self
    }

    /// Sets [`Policy::prior_weight`].
    pub fn prior_weight(mut self, weight: f64) -> Self {
        self.prior_weight = weight;
        self
    }

    /// Sets [`Policy::local_evidence`].
    pub fn local_evidence(mut self, evidence: f64) -> Self {
        self.local_evidence = evidence;
        self
    }

    /// Sets [`Policy::local_mean`].
    pub fn local_mean(mut self, mean: f64) -> Self {
        self.local_mean = mean;
        self
    }

    /// Sets [`Policy::probation_share`].
    pub fn probation_share(mut self, share: f64) -> Self {
        self.probation_share = share;
        self
    }

    /// Sets [`Policy::probation_outcomes`].
    pub fn probation_outcomes(mut self, outcomes: u32) -> Self {
        self.probation_outcomes = outcomes;
        self
    }

    /// Sets [`Policy::release_below`].
    pub fn release_below(mut self, probability: f64) -> Self {
        self.release_below = probability;
        self
    }

    /// Sets [`Policy::hold_out`].
    pub fn hold_out(mut self, share: f64) -> Self {
        self.hold_out = share;
        self
    }

    /// Sets [`Policy::distil_at`].
    pub fn distil_at(mut self, similarity: Option<f32>) -> Self {
        self.distil_at = similarity;
        self
    }

    /// Share of the recalls that try quarantined memories; policies of older versions may ask for all.
    pub(crate) fn tried(&self) -> f64 {
        let most = if crate::sabotage::on("trials_unseen") { 1.0 } else { MOST_TRIED };
        self.probation_share.min(most)
    }

    /// The numbers that quarantine goes by.
    pub(crate) fn rule(&self) -> Rule {
        Rule {
            floor: self.floor,
            tail: self.tail,
            prior_mean: self.prior_mean,
            prior_weight: self.prior_weight,
            local_evidence: self.local_evidence,
            local_mean: self.local_mean,
            probation_outcomes: self.probation_outcomes,
            release_below: self.release_below,
        }
    }

    fn check(&self) -> Result<()> {
        let within = |what: &'static str, value: f64, least: f64, most: f64| {
            // Also refuses what is not a number.
            if value >= least && value <= most {
                return Ok(());
            }
            Err(Error::invalid(what, format!("it is {value}; {least} to {most} are allowed")))
        };
        // A Beta distribution needs both of its counts above zero.
        let (above_0, below_1) = (1e-6, 1.0 - 1e-6);
        within("floor", self.floor, above_0, below_1)?;
        within("tail", self.tail, above_0, below_1)?;
        within("prior_mean", self.prior_mean, above_0, below_1)?;
        within("prior_weight", self.prior_weight, 1e-3, 1e6)?;
        within("local_evidence", self.local_evidence, 0.0, 1e9)?;
        within("local_mean", self.local_mean, 0.0, 1.0)?;
        if self.probation_share > MOST_TRIED
            && self.probation_share <= 1.0
            && !crate::sabotage::on("trials_unseen")
        {
            let way = format!("a trial is known by a propensity below 1, so set 0 to {MOST_TRIED}");
            return Err(Error::invalid("probation_share", format!("it is {}; {way}", self.probation_share)));
        }
        within("probation_share", self.probation_share, 0.0, 1.0)?;
        within("probation_outcomes", f64::from(self.probation_outcomes), 1.0, 1e6)?;
        within("release_below", self.release_below, 0.0, 1.0)?;
        within("hold_out", self.hold_out, 0.0, MOST_HELD_OUT)?;
        within("distil_at", f64::from(self.distil_at.unwrap_or_default()), f64::MIN, f64::MAX)
    }

    /// The policy of a namespace as `conn` has it.
    pub(crate) fn load(conn: &Connection, namespace: i64) -> Result<Self> {
        policies::load(conn, namespace)?.map_or_else(
            || Ok(Self::default()),
            |text| {
                serde_json::from_str(&text).map_err(|error| {
                    Error::corrupt(format!("the policy of namespace {namespace} is no JSON: {error}"))
                })
            },
        )
    }
}

/// Sets the policy of a namespace, which is created if it is missing.
pub(crate) fn set(core: &Core, namespace: &str, policy: &Policy) -> Result<()> {
    core.writable()?;
    check_name("namespace", namespace)?;
    policy.check()?;
    let text = serde_json::to_string(policy).map_err(Error::internal)?;
    core.db.write(core.now(), |tx| {
        let namespace = names::intern_namespace(tx, namespace)?;
        let before = Policy::load(tx.conn, namespace)?;
        policies::set(tx, namespace, &text)?;
        let detail = json!({ "before": before, "after": policy });
        audit::record(tx, Actor::Owner, "policy", namespace, 0, &detail).map(|_| ())
    })
}

/// The policy of a namespace; the default one if there is no such namespace.
pub(crate) fn get(core: &Core, namespace: &str) -> Result<Policy> {
    check_name("namespace", namespace)?;
    core.db.snapshot(|conn| match names::namespace_by_name(conn, namespace)? {
        Some(row) => Policy::load(conn, row.id),
        None => Ok(Policy::default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_survives_text_and_what_it_lacks_is_the_default() {
        let policy = Policy::new().tail(0.9).distil_at(Some(0.97)).quarantine(false);
        let text = serde_json::to_string(&policy).expect("plain numbers");
        assert_eq!(serde_json::from_str::<Policy>(&text).expect("own text"), policy);
        let old: Policy = serde_json::from_str(r#"{"tail":0.9,"something_newer":1}"#).expect("JSON");
        assert_eq!(old, Policy::new().tail(0.9));
    }

    #[test]
    fn what_no_rule_can_work_with_is_refused() {
        assert!(Policy::new().check().is_ok());
        let bad = [
            Policy::new().floor(0.0),
            Policy::new().tail(1.0),
            Policy::new().prior_mean(f64::NAN),
            Policy::new().prior_weight(0.0),
            Policy::new().local_evidence(-1.0),
            Policy::new().probation_share(1.1),
            Policy::new().probation_share(1.0),
            Policy::new().probation_share(f64::NAN),
            Policy::new().probation_outcomes(0),
            Policy::new().hold_out(f64::INFINITY),
            Policy::new().distil_at(Some(f32::NAN)),
        ];
        assert!(bad.iter().all(|policy| policy.check().is_err()));
    }
}
