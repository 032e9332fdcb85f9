//! Half-lives of kinds.

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::outcome::HalfLife;
use crate::store::{half_lives, names, set_half_life};

use super::core::{Core, check_name};

/// The half-life of a kind, and how it came about.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HalfLifeStatus {
    /// What was set.
    pub setting: HalfLife,
    /// The half-life in force, in days; `None`: nothing fades.
    pub days: Option<f64>,
    /// Under [`HalfLife::Auto`], the last fit; `None` before the first, at 50 reports.
    pub fit: Option<HalfLifeFit>,
}

/// How a half-life was chosen.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HalfLifeFit {
    /// When.
    pub at: Timestamp,
    /// How many experiences of the kind there were; it was fitted to the newest 4,096.
    pub experiences: u64,
    /// Each half-life that was tried, in days (`None`: nothing fades), with the mean log loss of its
    /// predictions, in nats.
    pub losses: Vec<(Option<f64>, f64)>,
}

/// Sets the half-life of a kind.
pub(crate) fn set(core: &Core, kind: &str, half_life: HalfLife) -> Result<()> {
    core.writable()?;
    check_name("kind", kind)?;
    if let HalfLife::Days(days) = half_life
        && !(days >= 1.0 && days.is_finite())
    {
        return Err(Error::invalid("half_life", format!("it is {days} days; at least 1 is allowed")));
    }
    core.db.write(core.now(), |tx| set_half_life(tx, &core.trust(), kind, half_life))
}

/// The half-life of a kind.
pub(crate) fn get(core: &Core, kind: &str) -> Result<HalfLifeStatus> {
    let row = core.db.snapshot(|conn| match names::kind_by_name(conn, kind)? {
        Some(kind) => half_lives::load(conn, kind),
        None => Ok(None),
    })?;
    let Some(row) = row else {
        return Ok(HalfLifeStatus { setting: HalfLife::None, days: None, fit: None });
    };
    let fit = row.fitted.map(|(seen, at)| HalfLifeFit {
        at,
        experiences: seen.cast_unsigned(),
        losses: half_lives::CHOICES.into_iter().zip(row.losses).collect(),
    });
    let setting = match row.days {
        _ if row.auto => HalfLife::Auto,
        Some(days) => HalfLife::Days(days),
        None => HalfLife::None,
    };
    Ok(HalfLifeStatus { setting, days: row.days, fit })
}
