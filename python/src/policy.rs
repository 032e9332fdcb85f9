//! `wisen.Policy`: what an owner may decide for a namespace.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{Arg, flag, number, text, whole};
use crate::record::python_bool;

/// The policy of a namespace: when memories that fail are quarantined, and what is opt-in.
///
/// The defaults are those of a namespace whose policy was never set. `Store.set_policy` refuses what is
/// out of range.
///
/// Args:
///     quarantine: Whether memories that keep failing are quarantined.
///     floor: A memory is bad if it succeeds less often than this; between 0 and 1.
///     tail: How probable that has to be before it is quarantined; between 0 and 1.
///     prior_mean: Mean of the prior of a memory's success rate; between 0 and 1.
///     prior_weight: Weight of that prior, in outcomes; above 0.
///     local_evidence: Evidence that a situation needs to speak for a memory, in outcomes; 0 or greater.
///     local_mean: Mean outcome there from which on the memory works there and is not quarantined; 0
///         to 1.
///     probation_share: Share of the recalls for more than one hit whose last one may be a quarantined
///         memory on probation; 0 to 0.99. With 0 nothing is tried. All of them it cannot be: a trial is
///         known by its propensity, which has to lie below 1, and no probation would ever begin.
///     probation_outcomes: Outcomes after which a probation ends; 1 to 1000000. Of a day, at most 3 count
///         of what a registered principal tells, 1 of what all unregistered ones tell.
///     release_below: It ends well if the probability that the memory is bad, by the outcomes since it
///         began, is below this; 0 to 1.
///     hold_out: Share of the recalls whose hits are withheld, as in `Store.recall`; of the shares of a
///         recall and of all namespaces that it searches, the largest holds. 0 to 0.5.
///     distil_at: Similarity from which on a new memory is merged into the nearest one of its kind;
///         None: never.
#[pyclass(frozen, eq, module = "wisen")]
#[derive(PartialEq)]
pub(crate) struct Policy(pub(crate) wisen::Policy);

/// The policy with the fields changed that are named.
fn changed(mut policy: wisen::Policy, fields: Option<&Bound<'_, PyDict>>) -> PyResult<Policy> {
    for (name, value) in fields.into_iter().flatten() {
        let name = text(&name, Arg::new("a keyword"))?;
        let real = |what| number(&value, Arg::new(what));
        match name.as_str() {
            "quarantine" => policy.quarantine = flag(&value, Arg::new("quarantine"))?,
            "floor" => policy.floor = real("floor")?,
            "tail" => policy.tail = real("tail")?,
            "prior_mean" => policy.prior_mean = real("prior_mean")?,
            "prior_weight" => policy.prior_weight = real("prior_weight")?,
            "local_evidence" => policy.local_evidence = real("local_evidence")?,
            "local_mean" => policy.local_mean = real("local_mean")?,
            "probation_share" => policy.probation_share = real("probation_share")?,
            "probation_outcomes" => {
                let outcomes = whole(&value, Arg::new("probation_outcomes"))?;
                policy.probation_outcomes = outcomes.try_into().unwrap_or(u32::MAX);
            }
            "release_below" => policy.release_below = real("release_below")?,
            "hold_out" => policy.hold_out = real("hold_out")?,
            "distil_at" if value.is_none() => policy.distil_at = None,
            "distil_at" => policy.distil_at = Some(real("distil_at")? as f32),
            other => return Err(PyTypeError::new_err(format!("a policy has no field {other:?}"))),
        }
    }
    Ok(Policy(policy))
}

#[pymethods]
impl Policy {
    #[new]
    #[pyo3(
        signature = (**fields),
        text_signature = "(*, quarantine=False, floor=0.4, tail=0.95, prior_mean=0.6, prior_weight=4.0, \
            local_evidence=3.0, local_mean=0.5, probation_share=0.05, probation_outcomes=10, \
            release_below=0.5, hold_out=0.0, distil_at=None)"
    )]
    fn new(fields: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        changed(wisen::Policy::new(), fields)
    }

    /// Return this policy with the named fields changed.
    #[pyo3(signature = (**fields))]
    fn replace(&self, fields: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        changed(self.0.clone(), fields)
    }

    /// Whether memories that keep failing are quarantined.
    #[getter]
    fn quarantine(&self) -> bool {
        self.0.quarantine
    }

    /// A memory is bad if it succeeds less often than this.
    #[getter]
    fn floor(&self) -> f64 {
        self.0.floor
    }

    /// How probable that has to be before it is quarantined.
    #[getter]
    fn tail(&self) -> f64 {
        self.0.tail
    }

    /// Mean of the prior of a memory's success rate.
    #[getter]
    fn prior_mean(&self) -> f64 {
        self.0.prior_mean
    }

    /// Weight of that prior, in outcomes.
    #[getter]
    fn prior_weight(&self) -> f64 {
        self.0.prior_weight
    }

    /// Evidence that a situation needs to speak for a memory, in outcomes.
    #[getter]
    fn local_evidence(&self) -> f64 {
        self.0.local_evidence
    }

    /// Mean outcome there from which on the memory works there and is not quarantined.
    #[getter]
    fn local_mean(&self) -> f64 {
        self.0.local_mean
    }

    /// Share of the recalls whose last hit may be a quarantined memory on probation.
    #[getter]
    fn probation_share(&self) -> f64 {
        self.0.probation_share
    }

    /// Outcomes after which a probation ends.
    #[getter]
    fn probation_outcomes(&self) -> u32 {
        self.0.probation_outcomes
    }

    /// A probation ends well if the probability that the memory is bad is below this.
    #[getter]
    fn release_below(&self) -> f64 {
        self.0.release_below
    }

    /// Share of the recalls whose hits are withheld.
    #[getter]
    fn hold_out(&self) -> f64 {
        self.0.hold_out
    }

    /// Similarity from which on a new memory is merged into the nearest one of its kind; None: never.
    #[getter]
    fn distil_at(&self) -> Option<f32> {
        self.0.distil_at
    }

    fn __repr__(&self) -> String {
        let Self(policy) = self;
        let distil_at = policy.distil_at.map_or_else(|| "None".to_owned(), |at| at.to_string());
        format!(
            "Policy(quarantine={}, floor={}, tail={}, hold_out={}, distil_at={distil_at})",
            python_bool(policy.quarantine),
            policy.floor,
            policy.tail,
            policy.hold_out
        )
    }
}
