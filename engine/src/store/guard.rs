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
   reason TEXT NOT NULL, halts INTEGER NOT NULL, cleared INTEGER NOT NULL, settled INTEGER NOT NULL,
   resumed_at INTEGER NOT NULL, audit INTEGER NOT NULL, triggers TEXT NOT NULL, checksum INTEGER NOT NULL);
 CREATE INDEX audit_halts ON audit(id) WHERE op IN ('halt', 'resume');
 CREATE INDEX audit_denials ON audit(id) WHERE op = 'deny';
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
    /// How many halts there had been when the last one was ended, or the first authority founded; -1: it was
    /// founded in a halt. This and what follows is under the head of the rules, see `heads.rs`.
    pub cleared: i64,
    /// The last entry of the audit then.
    pub settled: i64,
    /// When it was resumed last; 0: never.
    pub resumed_at: i64,
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
            .int(self.cleared)
            .int(self.settled)
            .int(self.resumed_at)
            .int(self.audit)
            .text(Some(&self.triggers))
    }
}

/// The row as it is; the default one if there is none.
pub(crate) fn load(conn: &Connection) -> Result<GuardRow> {
    let row = conn
        .prepare_cached(
            "SELECT level, since, by, reason, halts, cleared, settled, resumed_at, audit, triggers, checksum
             FROM guard WHERE id = 1",
        )
        .and_then(|mut s| {
            s.query_row([], |r| {
                let row = GuardRow {
                    level: r.get(0)?,
                    since: r.get(1)?,
                    by: r.get(2)?,
                    reason: r.get(3)?,
                    halts: r.get(4)?,
                    cleared: r.get(5)?,
                    settled: r.get(6)?,
                    resumed_at: r.get(7)?,
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
    tx.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO guard(id, level, since, by, reason, halts, cleared, settled, resumed_at, audit,
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
                row.cleared,
                row.settled,
                row.resumed_at,
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

/// Whether the audit has a halt or a resumption after an entry.
pub(crate) fn halted_after(conn: &Connection, entry: i64) -> Result<bool> {
    conn.prepare_cached(
        "SELECT EXISTS(SELECT 1 FROM audit INDEXED BY audit_halts WHERE op IN ('halt', 'resume') AND id > ?1)",
    )
    .and_then(|mut s| s.query_row([entry], |r| r.get(0)))
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

fn spending_sum(minute: i64, micros: i64) -> RowSum {
    RowSum::new("spending").int(minute).int(micros)
}

/// Adds to what was spent in this minute. Returns what was spent in this and the 59 before.
pub(crate) fn spend(tx: &Tx<'_>, minute: i64, micros: i64) -> Result<i64> {
    let rows: Vec<(i64, i64, i64)> = {
        let mut statement =
            tx.conn.prepare_cached("SELECT minute, micros, checksum FROM spending").map_err(sql)?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).map_err(sql)?;
        rows.collect::<rusqlite::Result<_>>().map_err(sql)?
    };
    let (mut here, mut total) = (micros, micros);
    for (at, spent, checksum) in rows {
        spending_sum(at, spent).check(checksum, at)?;
        if at == minute {
            here = here.saturating_add(spent);
        }
        if at > minute - 60 {
            total = total.saturating_add(spent);
        }
    }
    if micros != 0 {
        tx.conn
            .prepare_cached("INSERT OR REPLACE INTO spending(minute, micros, checksum) VALUES (?1, ?2, ?3)")
            .and_then(|mut s| s.execute(params![minute, here, spending_sum(minute, here).finish()]))
            .map_err(sql)?;
        forget_spending(tx, Some(minute - 60))?;
    }
    Ok(total)
}

/// Forgets what was spent up to a minute, or ever.
pub(crate) fn forget_spending(tx: &Tx<'_>, until: Option<i64>) -> Result<()> {
    tx.conn
        .prepare_cached("DELETE FROM spending WHERE minute <= ?1")
        .and_then(|mut s| s.execute([until.unwrap_or(i64::MAX)]))
        .map(|_| ())
        .map_err(sql)
}

/// Whether at least `many` denials are in the audit from a time on; 0: never.
pub(crate) fn denied_since(conn: &Connection, many: u32, since: i64) -> Result<bool> {
    if many == 0 {
        return Ok(false);
    }
    conn.prepare_cached(
        "SELECT at FROM audit INDEXED BY audit_denials WHERE op = 'deny' ORDER BY id DESC LIMIT 1 OFFSET ?1",
    )
    .and_then(|mut s| s.query_row([many - 1], |r| r.get::<_, i64>(0)).optional())
    .map(|at| at.is_some_and(|at| at > since))
    .map_err(sql)
}

/// Whether the last `many` outcomes told after a time by the owner or a registered principal all failed.
pub(crate) fn failed_in_a_row(conn: &Connection, many: u32, since: i64) -> Result<bool> {
    let mut statement = conn
        .prepare_cached(
            "SELECT outcome FROM reports WHERE outcome IS NOT NULL AND retracted_at IS NULL AND standing <> 2
               AND at > ?1 ORDER BY id DESC LIMIT ?2",
        )
        .map_err(sql)?;
    let rows = statement.query_map(params![since, many], |r| r.get::<_, f64>(0)).map_err(sql)?;
    let outcomes: Vec<f64> = rows.collect::<rusqlite::Result<_>>().map_err(sql)?;
    Ok(outcomes.len() == many as usize && outcomes.iter().all(|outcome| *outcome < 0.5))
}
