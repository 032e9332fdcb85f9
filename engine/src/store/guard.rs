//! The one row about the store as a whole: whether it is halted, what the audit keeps, and what halts it by
//! itself. A store without the row is not halted.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};

use super::changes::Op;
use super::db::{Tx, sql};
use super::sum::RowSum;

pub(super) const TABLE: &str = "CREATE TABLE guard(
   id INTEGER PRIMARY KEY CHECK (id = 1), level INTEGER NOT NULL, since INTEGER NOT NULL, by TEXT NOT NULL,
   reason TEXT NOT NULL, halts INTEGER NOT NULL, audit INTEGER NOT NULL, triggers TEXT NOT NULL, checksum INTEGER NOT NULL)";

/// The row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct GuardRow {
    /// Bits of the halt in force, see `memory/halt.rs`; 0: none.
    pub level: i64,
    pub since: i64,
    pub by: String,
    pub reason: String,
    /// How often the store was halted.
    pub halts: i64,
    /// 0: everything is recorded; 1: decisions only.
    pub audit: i64,
    /// What halts the store by itself: JSON text; empty: nothing.
    pub triggers: String,
}

impl GuardRow {
    fn sum(&self) -> RowSum {
        RowSum::new("guard")
            .int(self.level)
            .int(self.since)
            .text(Some(&self.by))
            .text(Some(&self.reason))
            .int(self.halts)
            .int(self.audit)
            .text(Some(&self.triggers))
    }
}

/// The row as it is; the default one if there is none.
pub(crate) fn load(conn: &Connection) -> Result<GuardRow> {
    let row = conn
        .prepare_cached("SELECT level, since, by, reason, halts, audit, triggers, checksum FROM guard WHERE id = 1")
        .and_then(|mut s| {
            s.query_row([], |r| {
                let row = GuardRow {
                    level: r.get(0)?,
                    since: r.get(1)?,
                    by: r.get(2)?,
                    reason: r.get(3)?,
                    halts: r.get(4)?,
                    audit: r.get(5)?,
                    triggers: r.get(6)?,
                };
                Ok((row, r.get::<_, i64>(7)?))
            })
            .optional()
        })
        .map_err(sql)?;
    let Some((row, checksum)) = row else {
        return Ok(GuardRow::default());
    };
    row.sum().check(checksum, 1)?;
    Ok(row)
}

/// Writes the row and makes it known.
pub(crate) fn save(tx: &mut Tx<'_>, row: &GuardRow) -> Result<()> {
    tx.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO guard(id, level, since, by, reason, halts, audit, triggers, checksum)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .and_then(|mut s| {
            let checksum = row.sum().finish();
            s.execute(params![
                row.level,
                row.since,
                row.by,
                row.reason,
                row.halts,
                row.audit,
                row.triggers,
                checksum
            ])
        })
        .map_err(sql)?;
    tx.change(Op::Guarded, 0, 0).map(|_| ())
}

/// One sentence if the row is at fault.
pub(crate) fn check(conn: &Connection) -> Result<Vec<String>> {
    match load(conn) {
        Ok(_) => Ok(Vec::new()),
        Err(Error::Corrupt { what }) => Ok(vec![what]),
        Err(error) => Err(error),
    }
}
