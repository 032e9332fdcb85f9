//! What the owner sees and decides of how memories stand.

use rusqlite::Connection;
use serde_json::json;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::MemoryId;
use crate::outcome::StandingState;
use crate::store::audit::Actor;
use crate::store::standings::{self, StandingRow};
use crate::store::{Tx, aliases, names};

use super::core::{Core, check_text};
use super::govern::{self, decide};
use super::policy::Policy;
use super::store::Store;

/// How a memory stands, and on what evidence.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Standing {
    /// The memory.
    pub id: MemoryId,
    /// Its namespace.
    pub namespace: String,
    /// Whether it can be a hit.
    pub state: StandingState,
    /// Whether it is exempt from quarantine.
    pub pinned: bool,
    /// When it came into this state; `None` if it was never in another.
    pub since: Option<Timestamp>,
    /// Why it is in this state.
    pub reason: String,
    /// Weight of its successes, in outcomes: in all, or since its last probation began.
    pub successes: f64,
    /// Weight of its failures, likewise.
    pub failures: f64,
    /// Reports behind these two.
    pub reports: u64,
    /// Probability that its success rate lies below the floor of the policy, by these.
    pub doubt: f64,
}

impl Store {
    /// How a memory stands.
    pub fn standing(&self, id: MemoryId) -> Result<Standing> {
        self.core.enter()?;
        let row = self.core.db.snapshot(|conn| load(conn, id))?;
        describe(&self.core, row)
    }

    /// The memories of a namespace, or of all, that are quarantined, on probation, retired or pinned; by id.
    pub fn review(&self, namespace: Option<&str>) -> Result<Vec<Standing>> {
        self.core.enter()?;
        let rows = self.core.db.snapshot(|conn| {
            let namespace = match namespace {
                None => None,
                Some(name) => match names::namespace_by_name(conn, name)? {
                    Some(row) => Some(row.id),
                    None => return Ok(Vec::new()),
                },
            };
            standings::all(conn, namespace)
        })?;
        let special = rows.into_iter().filter(|row| row.state.is_barred() || row.pinned);
        special.map(|row| describe(&self.core, row)).collect()
    }

    /// Exempts a memory from quarantine; one that is in it, or retired, is a hit again.
    pub fn pin(&self, id: MemoryId) -> Result<()> {
        change(&self.core, id, "pin", |_, row| {
            if row.pinned {
                return Ok(None);
            }
            let (state, reason) = (StandingState::Active, "it was pinned".to_owned());
            Ok(Some(StandingRow { state, reason, pinned: true, ..row.clone() }))
        })
    }

    /// Ends the exemption: from the next report on the memory the rule applies again.
    pub fn unpin(&self, id: MemoryId) -> Result<()> {
        change(&self.core, id, "unpin", |_, row| {
            let reason = "it was unpinned".to_owned();
            Ok(row.pinned.then(|| StandingRow { pinned: false, reason, ..row.clone() }))
        })
    }

    /// Puts a quarantined or retired memory on probation: its next outcomes decide whether it is a hit again.
    pub fn release(&self, id: MemoryId, reason: &str) -> Result<()> {
        check_text("reason", reason)?;
        change(&self.core, id, "release", |tx, row| match row.state {
            StandingState::Active => {
                Err(Error::invalid("memory", format!("memory {id} is active: there is nothing to release")))
            }
            StandingState::Probation => Ok(None),
            StandingState::Quarantined | StandingState::Retired => Ok(Some(StandingRow {
                state: StandingState::Probation,
                counts_from: standings::last_report(tx.conn)?,
                reason: reason.to_owned(),
                ..row.clone()
            })),
        })
    }

    /// Takes a memory out of use without forgetting it; it can be released again.
    pub fn retire(&self, id: MemoryId, reason: &str) -> Result<()> {
        check_text("reason", reason)?;
        change(&self.core, id, "retire", |_, row| {
            if row.pinned {
                return Err(Error::invalid("memory", format!("memory {id} is pinned: unpin it first")));
            }
            let (state, reason) = (StandingState::Retired, reason.to_owned());
            Ok((row.state != state).then(|| StandingRow { state, reason, ..row.clone() }))
        })
    }
}

/// The standing of a live memory; a merged one stands as the one it was merged into.
fn load(conn: &Connection, id: MemoryId) -> Result<StandingRow> {
    let memory = id.0.cast_signed();
    let memory = aliases::survivor(conn, memory)?.unwrap_or(memory);
    govern::standing(conn, memory)?.ok_or(Error::UnknownMemory { id: id.0 })
}

/// Changes the standing of a memory by the owner's will; `None`: it is as it should be.
fn change(
    core: &Core,
    id: MemoryId,
    op: &'static str,
    wanted: impl FnOnce(&Tx<'_>, &StandingRow) -> Result<Option<StandingRow>>,
) -> Result<()> {
    core.enter()?;
    core.writable()?;
    core.db.write(core.now(), |tx| {
        let before = load(tx.conn, id)?;
        match wanted(tx, &before)? {
            Some(after) => decide(tx, Actor::Owner, op, &before, after, json!({})),
            None => Ok(()),
        }
    })
}

fn describe(core: &Core, row: StandingRow) -> Result<Standing> {
    let weights = govern::counting(core, &row)?;
    let lost = || Error::corrupt(format!("memory {} has lost its namespace", row.memory));
    let (name, rule) = core.db.read(|conn| {
        let name = names::namespace_by_id(conn, row.namespace)?.ok_or_else(lost)?.name;
        Ok((name, Policy::load(conn, row.namespace)?.rule()))
    })?;
    Ok(Standing {
        id: MemoryId(row.memory.cast_unsigned()),
        namespace: name,
        state: row.state,
        pinned: row.pinned,
        since: (row.since != 0).then_some(row.since),
        reason: row.reason,
        successes: weights.successes,
        failures: weights.failures,
        reports: weights.reports as u64,
        doubt: rule.doubt(weights.successes, weights.failures),
    })
}
