//! The audit: what is kept in it, whether it is whole, and taking it elsewhere.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::key::SecretKey;
use crate::store::audit;
use crate::store::chain::Anchor;
use crate::store::guard;
use crate::store::heads::Part;
use crate::store::memories::{self, LIVE};

use super::core::Call;
use super::output::AuditEntry;
use super::store::Store;
use super::{halt, inspect, place, witness};

/// What the audit keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditLevel {
    /// Decisions, and everything that is remembered, changed, forgotten, reported and retracted.
    #[default]
    Everything = 0,
    /// Decisions only: standings, policies, mergers, principals, halts, directives. And what becomes of the
    /// memories that it recorded before, so that it does not take a change of them for tampering.
    Decisions = 1,
}

impl AuditLevel {
    /// `"everything"` or `"decisions"`.
    pub fn as_str(self) -> &'static str {
        match self {
            AuditLevel::Everything => "everything",
            AuditLevel::Decisions => "decisions",
        }
    }

    /// The inverse of [`AuditLevel::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [AuditLevel::Everything, AuditLevel::Decisions].into_iter().find(|level| level.as_str() == text)
    }
}

/// What [`Store::audit_verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditVerification {
    /// Entries that were followed.
    pub entries: u64,
    /// Memories whose content was held against the last hash recorded of it.
    pub memories: u64,
    /// The anchor of the chain as it is.
    pub anchor: String,
    /// What is wrong with the chain, at which entry; empty when all is well. At most 20.
    pub faults: Vec<AuditFault>,
}

impl AuditVerification {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Something wrong with the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditFault {
    /// Number of the entry at which it shows.
    pub entry: u64,
    /// What is wrong, in a sentence.
    pub what: String,
}

impl Store {
    /// Sets what the audit keeps from now on. That it was set is an entry itself. Default:
    /// [`AuditLevel::Everything`]. A store that has an authority takes its key and nothing else: what it has not
    /// signed is not believed. Durable on return.
    ///
    /// Fails with [`Corrupt`](crate::Error::Corrupt) if what guards the store was changed by other means
    /// ([`Store::repair_rules`]).
    pub fn set_audit_level(&self, level: AuditLevel, key: Option<&SecretKey>) -> Result<()> {
        self.core.enter()?;
        self.core.writable()?;
        halt::decide(&self.core, key, Part::Guard, |tx, head, actor| {
            head.map_or(Ok(()), |head| head.check_guard(tx.conn))?;
            let mut row = guard::load(tx.conn)?;
            let before = row.audit;
            row.audit = level as i64;
            guard::save(tx, &row)?;
            let detail = json!({ "before": level_of(before).as_str(), "after": level.as_str() });
            audit::record(tx, actor, "audit_level", 0, 0, &detail).map(|_| ())
        })?;
        self.core.guard_changed();
        Ok(())
    }

    /// What the audit keeps. Fails with [`Corrupt`](crate::Error::Corrupt) if the store has an authority, and none
    /// has signed it.
    pub fn audit_level(&self) -> Result<AuditLevel> {
        self.core.enter_for(Call::Oversight)?;
        self.core.db.snapshot(|conn| self.core.guard_now(conn).map(|row| level_of(row.audit)))
    }

    /// Follows the chain of hashes over the whole audit, and holds every memory that was neither forgotten
    /// nor replaced against the last hash that the audit has of it. Finds each entry that was changed,
    /// deleted, swapped or put in, and memories changed behind the back of the engine. With an anchor
    /// ([`Store::anchor`], kept elsewhere since) it also finds a chain that was rewritten from some entry
    /// before the anchor on, or whose end was cut off.
    ///
    /// What it cannot find: entries after the anchor that were cut off or rewritten together with the
    /// memories they are about. Take anchors often.
    pub fn audit_verify(&self, anchor: Option<&str>) -> Result<AuditVerification> {
        self.core.enter_for(Call::Oversight)?;
        let anchor = anchor.map(Anchor::parse).transpose()?;
        self.core.db.snapshot(|conn| verify(conn, anchor))
    }

    /// The number of entries and the hash of the last one, as one text. Kept where whoever can write the store
    /// cannot, it shows later ([`Store::audit_verify`]) that nothing before it was rewritten or cut off.
    pub fn anchor(&self) -> Result<String> {
        self.core.enter_for(Call::Oversight)?;
        self.core.db.read(|conn| audit::anchor(conn).map(|anchor| anchor.to_string()))
    }

    /// Writes the whole audit as JSON lines, oldest first: `id`, `at` (microseconds since 1970), `actor`, `op`,
    /// `namespace`, `memory`, `detail`, `hash` (an anchor taken at that entry names it). Returns how many.
    pub fn audit_export(&self, mut to: impl Write) -> Result<u64> {
        self.core.enter_for(Call::Oversight)?;
        let (mut after, mut count) = (0, 0);
        loop {
            let entries = inspect::audit_entries(&self.core, after, 1000)?;
            let Some(last) = entries.last() else {
                return Ok(count);
            };
            after = last.id;
            count += entries.len() as u64;
            for entry in entries {
                writeln!(to, "{}", entry.to_json()).map_err(|source| Error::Io {
                    action: "write the audit to",
                    path: "the export".into(),
                    source,
                })?;
            }
        }
    }
}

impl Store {
    /// As [`Store::audit_export`], to a file, which appears whole or not at all. One that exists is replaced if
    /// `replace` says so, and refused otherwise ([`InvalidArgument`](crate::Error::InvalidArgument)), as is one in
    /// the directory of the store.
    pub fn audit_export_file(&self, file: impl AsRef<Path>, replace: bool) -> Result<u64> {
        self.core.enter_for(Call::Oversight)?;
        let file = file.as_ref();
        place::may_write(&self.core, file, replace)?;
        place::file(file, replace, |temporary| {
            let out = File::options().write(true).open(temporary).map_err(Error::io("create", temporary))?;
            let mut out = BufWriter::new(out);
            let count = self.audit_export(&mut out)?;
            out.flush().map_err(Error::io("write", temporary))?;
            Ok(count)
        })
        .map_err(place::about(file))
    }
}

impl AuditEntry {
    /// The entry as a JSON object.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "at": self.at,
            "actor": self.actor,
            "op": self.op,
            "namespace": self.namespace,
            "memory": self.memory.map(|id| id.0),
            "detail": self.detail,
            "hash": self.hash,
        })
    }
}

fn level_of(number: i64) -> AuditLevel {
    if number == AuditLevel::Decisions as i64 { AuditLevel::Decisions } else { AuditLevel::Everything }
}

/// Follows the chain, and holds memories against it.
pub(crate) fn verify(conn: &Connection, anchor: Option<Anchor>) -> Result<AuditVerification> {
    let mut hashes: HashMap<i64, (i64, String)> = HashMap::new();
    let followed = audit::follow(conn, anchor, |row| {
        if !matches!(row.op.as_str(), "remember" | "update" | "reembed") {
            return Ok(());
        }
        // What is no JSON has been changed, and is a fault already.
        let detail: Value = serde_json::from_str(&row.detail).unwrap_or_default();
        for (id, hash) in detail["after"].as_object().into_iter().flatten() {
            if let (Ok(id), Some(hash)) = (id.parse(), hash.as_str()) {
                hashes.insert(id, (row.id, hash.to_owned()));
            }
        }
        Ok(())
    })?;
    let fault = |entry: i64, what| AuditFault { entry: entry.cast_unsigned(), what };
    let mut found = AuditVerification {
        entries: followed.end.count.cast_unsigned(),
        memories: 0,
        anchor: followed.end.to_string(),
        faults: followed.faults.into_iter().map(|f| fault(f.entry, f.what)).collect(),
    };
    let mut hashes: Vec<_> = hashes.into_iter().collect();
    hashes.sort_unstable();
    for (id, (entry, hash)) in hashes {
        let (row, salt) = (memories::load(conn, id), memories::salt(conn, id));
        let what = match (row, salt) {
            (Ok(Some(row)), Ok(Some(salt))) if row.status == LIVE => {
                found.memories += 1;
                match witness::present_hash(conn, &row, &salt) {
                    Ok(present) if present == hash || crate::sabotage::on("memories_unaudited") => continue,
                    Ok(_) => format!("memory {id} is not what entry {entry} recorded of it"),
                    Err(error) => error.to_string(),
                }
            }
            (Ok(Some(row)), Ok(None)) if row.status == LIVE => {
                format!("memory {id} has lost the salt of its hashes")
            }
            (Ok(Some(_)), Ok(_)) => continue,
            (Ok(None), _) => format!("memory {id}, which entry {entry} recorded, has no row"),
            (Err(error), _) | (_, Err(error)) => error.to_string(),
        };
        if found.faults.len() < 20 {
            found.faults.push(fault(entry, what));
        }
    }
    Ok(found)
}
