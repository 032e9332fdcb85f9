//! Principals: who may report in whose name.

use serde_json::json;
use statrs::distribution::{Beta, ContinuousCDF};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::audit::{self, Actor};
use crate::store::principals;

use super::core::{Core, check_name};

/// Somebody other than the owner who reports.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Principal {
    /// Its name.
    pub name: String,
    /// When it was last registered; `None` if it is not, and then shares the standing of all names that
    /// are not.
    pub registered_at: Option<Timestamp>,
    /// Reports made in its name, registered or not.
    pub reports: u64,
    /// Mean of the posterior of its agreement with the owner, in `0..=1`. At 0.5 or below, its word
    /// counts for nothing; at 1, as much as the owner's.
    pub reliability: f64,
    /// Central 90 % credible interval of the same.
    pub interval: (f64, f64),
    /// Receipts that both it and the owner judged, of which this is learnt.
    pub judged_together: u64,
}

/// Registers a principal, or gives it another token.
pub(crate) fn register(core: &Core, name: &str) -> Result<String> {
    core.writable()?;
    check_name("name", name)?;
    core.db.write(core.now(), |tx| {
        audit::record(tx, Actor::Owner, "register", 0, 0, &json!({ "name": name }))?;
        principals::register(tx, name)
    })
}

/// Takes a registration away.
pub(crate) fn revoke(core: &Core, name: &str) -> Result<bool> {
    core.writable()?;
    core.db.write(core.now(), |tx| {
        let revoked = principals::revoke(tx, name)?;
        if revoked {
            audit::record(tx, Actor::Owner, "revoke", 0, 0, &json!({ "name": name }))?;
        }
        Ok(revoked)
    })
}

/// Everybody who is registered or has reported under a name.
pub(crate) fn all(core: &Core) -> Result<Vec<Principal>> {
    let rows = core.db.snapshot(principals::all)?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (a, b) = row.agreement.posterior(row.group);
            let interval =
                Beta::new(a, b).map_or((0.0, 1.0), |beta| (beta.inverse_cdf(0.05), beta.inverse_cdf(0.95)));
            Principal {
                name: row.name,
                registered_at: row.registered_at,
                reports: row.reports.cast_unsigned(),
                reliability: a / (a + b),
                interval,
                judged_together: row.agreement.judged.cast_unsigned(),
            }
        })
        .collect())
}
