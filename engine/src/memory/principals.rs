//! Principals: who may report in whose name.

use serde_json::json;
use statrs::distribution::{Beta, ContinuousCDF};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::key::SecretKey;
use crate::store::audit;
use crate::store::heads::Part;
use crate::store::principals;

use super::core::{Core, check_name};
use super::halt;

/// Somebody other than the owner who reports.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Principal {
    /// Its name.
    pub name: String,
    /// When it was last registered; `None` if it is not, and then shares the standing of all names that
    /// are not.
    pub registered_at: Option<Timestamp>,
    /// Whether the table has a registration for it that is not believed: the registrations of the store are
    /// not those that its authority signed. It then counts as one that is not registered.
    pub disbelieved: bool,
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
pub(crate) fn register(core: &Core, name: &str, key: Option<&SecretKey>) -> Result<String> {
    core.writable()?;
    check_name("name", name)?;
    halt::decide(core, key, Part::Principals, |tx, head, actor| {
        head.map_or(Ok(()), |head| head.check_principals(tx.conn))?;
        audit::record(tx, actor, "register", 0, 0, &json!({ "name": name }))?;
        principals::register(tx, name)
    })
}

/// Takes a registration away.
pub(crate) fn revoke(core: &Core, name: &str, key: Option<&SecretKey>) -> Result<bool> {
    core.writable()?;
    halt::decide(core, key, Part::Principals, |tx, head, actor| {
        head.map_or(Ok(()), |head| head.check_principals(tx.conn))?;
        let revoked = principals::revoke(tx, name)?;
        if revoked {
            audit::record(tx, actor, "revoke", 0, 0, &json!({ "name": name }))?;
        }
        Ok(revoked)
    })
}

/// Everybody who is registered or has reported under a name.
pub(crate) fn all(core: &Core) -> Result<Vec<Principal>> {
    let trust = core.trust();
    let rows = core.db.snapshot(|conn| principals::all(conn, &trust))?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (a, b) = row.agreement.posterior(row.group);
            let interval =
                Beta::new(a, b).map_or((0.0, 1.0), |beta| (beta.inverse_cdf(0.05), beta.inverse_cdf(0.95)));
            Principal {
                name: row.name,
                registered_at: row.registered_at,
                disbelieved: row.disbelieved,
                reports: row.reports.cast_unsigned(),
                reliability: a / (a + b),
                interval,
                judged_together: row.agreement.judged.cast_unsigned(),
            }
        })
        .collect())
}
