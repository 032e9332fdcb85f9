//! The one row about the store as a whole: whether it is halted, what the audit keeps, and what halts it by
//! itself. A store without the row is not halted. Beside it, what was spent in each minute of the last hour,
//! kept while a trigger asks for it.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};

use super::changes::Op;
use super::db::{Tx, sql};
use super::sum::RowSum;

pub(super) const TABLE: &str = "CREATE TABLE guard(
   id INTEGER PRIMARY KEY CHECK (id = 1), level INTEGER NOT NULL, since INTEGER NOT NULL, by TEXT NOT NULL,
   reason TEXT NOT NULL, halts INTEGER NOT NULL, resumed_at INTEGER NOT NULL, signer BLOB, signature BLOB,
   audit INTEGER NOT NULL, triggers TEXT NOT NULL, checksum INTEGER NOT NULL);
 CREATE INDEX audit_halts ON audit(id) WHERE op IN ('halt', 'resume');
 CREATE TABLE spending(minute INTEGER PRIMARY KEY, micros INTEGER NOT NULL, checksum INTEGER NOT NULL)";

/// The row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct GuardRow {
    /// Bits of the halt in force, see `memory/halt.rs`; 0: none.
    pub level: i64,
    /// When the halt in force, or the last one, began.
    pub since: i64,
    /// Who halted or resumed it last, and why.
    pub by: String,
    pub reason: String,
    /// How often the store was halted.
    pub halts: i64,
    /// When it was resumed last; 0: never.
    pub resumed_at: i64,
    /// The key of the authority that resumed it last, and its signature.
    pub signed: Option<(Vec<u8>, Vec<u8>)>,
    /// 0: everything is recorded; 1: decisions only.
    pub audit: i64,
    /// What halts the store by itself: JSON text; empty: nothing.
    pub triggers: String,
}

impl GuardRow {
    fn sum(&self) -> RowSum {
        let (signer, signature) = self.signed.as_ref().map(|(a, b)| (&**a, &**b)).unzip();
        RowSum::new("guard")
            .int(self.level)
            .int(self.since)
            .text(Some(&self.by))
            .text(Some(&self.reason))
            .int(self.halts)
            .int(self.resumed_at)
            .blob(signer)
            .blob(signature)
            .int(self.audit)
            .text(Some(&self.triggers))
    }
}

/// The row as it is; the default one if there is none.
pub(crate) fn load(conn: &Connection) -> Result<GuardRow> {
    let row = conn
        .prepare_cached(
            "SELECT level, since, by, reason, halts, resumed_at, signer, signature, audit, triggers, checksum
             FROM guard WHERE id = 1",
        )
        .and_then(|mut s| {
            s.query_row([], |r| {
                let signer: Option<Vec<u8>> = r.get(6)?;
                let row = GuardRow {
                    level: r.get(0)?,
                    since: r.get(1)?,
                    by: r.get(2)?,
                    reason: r.get(3)?,
                    halts: r.get(4)?,
                    resumed_at: r.get(5)?,
                    signed: signer.zip(r.get(7)?),
                    audit: r.get(8)?,
                    triggers: r.get(9)?,
                };
                Ok((row, r.get::<_, i64>(10)?))
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
    let (signer, signature) = row.signed.as_ref().map(|(a, b)| (a, b)).unzip();
    tx.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO guard(id, level, since, by, reason, halts, resumed_at, signer, signature, audit,
               triggers, checksum)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
        .and_then(|mut s| {
            s.execute(params![
                row.level,
                row.since,
                row.by,
                row.reason,
                row.halts,
                row.resumed_at,
                signer,
                signature,
                row.audit,
                row.triggers,
                row.sum().finish()
            ])
        })
        .map_err(sql)?;
    tx.change(Op::Guarded, 0, 0).map(|_| ())
}

/// Whether the last that the audit has of halts is one that was not resumed.
pub(crate) fn was_halted(conn: &Connection) -> Result<bool> {
    conn.prepare_cached(
        "SELECT op FROM audit INDEXED BY audit_halts WHERE op IN ('halt', 'resume') ORDER BY id DESC LIMIT 1",
    )
    .and_then(|mut s| s.query_row([], |r| r.get::<_, String>(0)).optional())
    .map(|op| op.as_deref() == Some("halt"))
    .map_err(sql)
}

/// One sentence if the row is at fault.
pub(crate) fn check(conn: &Connection) -> Result<Vec<String>> {
    match load(conn) {
        Ok(_) => Ok(Vec::new()),
        Err(Error::Corrupt { what }) => Ok(vec![what]),
        Err(error) => Err(error),
    }
}
