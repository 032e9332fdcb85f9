//! What an owner may decide for a namespace.

use std::ffi::c_char;
use std::mem::offset_of;

use wisen::Policy;

use crate::call::call_on;
use crate::error::wisen_error;
use crate::raw::from_c;
use crate::sized::Given;
use crate::status::wisen_status;
use crate::store::wisen_store;

/// The policy of a namespace: when memories that fail are quarantined, and what is opt-in. Make it with
/// wisen_policy_init(), which sets the defaults named here (they are not 0), or fill it with
/// wisen_policy().
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_policy {
    /// Size of this structure, for growth: set by wisen_policy_init().
    pub struct_size: u32,
    /// Not 0: memories that keep failing are quarantined by the rule below. Default: 0; a severe failure
    /// quarantines whatever is set here.
    pub quarantine: u32,
    /// A memory is bad if it succeeds less often than this. Between 0 and 1; default 0.4.
    pub floor: f64,
    /// How probable that has to be before it is quarantined. Between 0 and 1; default 0.95.
    pub tail: f64,
    /// Mean of the prior of a memory's success rate. Between 0 and 1; default 0.6.
    pub prior_mean: f64,
    /// Weight of that prior, in outcomes. Above 0; default 4.
    pub prior_weight: f64,
    /// Evidence that a situation needs to speak for a memory, in outcomes. At least 0; default 3.
    pub local_evidence: f64,
    /// Mean outcome there from which on the memory works there and is not quarantined. In 0 to 1;
    /// default 0.5.
    pub local_mean: f64,
    /// Share of the recalls for more than one hit whose last one may be a quarantined memory on probation.
    /// In 0 to 0.99; default 0.05; 0: nothing is tried. All of them it cannot be: a trial is known by its
    /// propensity, which has to lie below 1, and no probation would ever begin.
    pub probation_share: f64,
    /// Outcomes after which a probation ends. Of a day, at most 3 count of what a registered principal tells, 1 of
    /// what all unregistered ones tell. 1 to 1000000; default 10.
    pub probation_outcomes: u32,
    /// Not 0: new memories are merged from `distil_at` on. Default: 0.
    pub has_distil_at: u32,
    /// A probation ends well if the probability that the memory is bad, by the outcomes since it began,
    /// is below this. In 0 to 1; default 0.5.
    pub release_below: f64,
    /// Share of the recalls whose hits are withheld, to learn how things go without memory, as
    /// wisen_query.hold_out has it; of the shares of a query and of all namespaces that it searches, the
    /// largest holds. In 0 to 0.5; default 0.
    pub hold_out: f64,
    /// Similarity from which on a new memory is merged into the nearest one of its kind.
    pub distil_at: f64,
}

/// Takes the named fields over that the caller's header knows.
macro_rules! take {
    ($policy:ident, $given:ident, $($field:ident),+) => {
        $(if $given.knows(offset_of!(wisen_policy, $field)) { $policy.$field = $given.$field; })+
    };
}

impl Given<'_, wisen_policy> {
    /// The policy, which stays in force where an older caller does not know of a field.
    fn policy(&self, mut policy: Policy) -> Policy {
        if self.knows(offset_of!(wisen_policy, quarantine)) {
            policy.quarantine = self.quarantine != 0;
        }
        take!(policy, self, floor, tail, prior_mean, prior_weight, local_evidence, local_mean);
        take!(policy, self, probation_share, probation_outcomes, release_below, hold_out);
        if self.knows(offset_of!(wisen_policy, distil_at)) {
            policy.distil_at = (self.has_distil_at != 0).then_some(self.distil_at as f32);
        }
        policy
    }
}

/// Sets the policy of a namespace, which is created if it is missing. Every process goes by it from its
/// next call on. WISEN_INVALID_ARGUMENT if a field is out of range. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_set_policy(
    store: *mut wisen_store,
    namespace_name: *const c_char,
    namespace_size: usize,
    policy: *const wisen_policy,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, policy, error);
    call_on(store, error, |store| {
        let namespace = namespace_name.some_text("namespace", namespace_size)?;
        let policy = policy.read()?.policy(store.store.policy(namespace)?);
        Ok(store.store.set_policy(namespace, policy)?)
    })
}

/// Fills `*policy` with the policy of a namespace, the default one where none was set;
/// `policy->struct_size` must be set, as wisen_policy_init() does. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_policy(
    store: *mut wisen_store,
    namespace_name: *const c_char,
    namespace_size: usize,
    policy: *mut wisen_policy,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, policy, error);
    call_on(store, error, |store| {
        let found = store.store.policy(namespace_name.some_text("namespace", namespace_size)?)?;
        policy.fill(&wisen_policy {
            struct_size: size_of::<wisen_policy>() as u32,
            quarantine: found.quarantine.into(),
            floor: found.floor,
            tail: found.tail,
            prior_mean: found.prior_mean,
            prior_weight: found.prior_weight,
            local_evidence: found.local_evidence,
            local_mean: found.local_mean,
            probation_share: found.probation_share,
            probation_outcomes: found.probation_outcomes,
            has_distil_at: found.distil_at.is_some().into(),
            release_below: found.release_below,
            hold_out: found.hold_out,
            distil_at: found.distil_at.unwrap_or_default().into(),
        })
    })
}
