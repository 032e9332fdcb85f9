//! The audit table: what was decided about memories, by whom and on which figures. Only ever
//! added to, in the transaction of what it records.

use rusqlite::{Connection, Row, params};
use serde_json::Value;

use crate::error::{Error, Result};

use super::db::{Tx, sql};
use super::sum::RowSum;

/// Who decided: the engine by a rule, or whoever calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    Engine,
    Owner,
}

impl Actor {
    fn as_str(self) -> &'static str {
        match self {
            Actor::Engine => "engine",
            Actor::Owner => "owner",
        }
    }
}

/// An entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AuditRow {
    pub id: i64,
    pub at: i64,
    pub actor: String,
    pub op: String,
    /// 0: none.
    pub namespace: i64,
    /// The memory it is about; 0: none.
    pub reference: i64,
    /// JSON text.
    pub detail: String,
}

const COLUMNS: &str = "id, at, actor, op, namespace, ref, detail, checksum";

impl AuditRow {
    fn sum(&self) -> RowSum {
        RowSum::new("audit")
            .int(self.id)
            .int(self.at)
            .text(Some(&self.actor))
            .text(Some(&self.op))
            .int(self.namespace)
            .int(self.reference)
            .text(Some(&self.detail))
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<(Self, i64)> {
        let read = Self {
            id: row.get(0)?,
            at: row.get(1)?,
            actor: row.get(2)?,
            op: row.get(3)?,
            namespace: row.get(4)?,
            reference: row.get(5)?,
            detail: row.get(6)?,
        };
        Ok((read, row.get(7)?))
    }
}

/// Records what this transaction does. Returns the number of the entry.
pub(crate) fn record(
    tx: &Tx<'_>,
    actor: Actor,
    op: &'static str,
    namespace: i64,
    reference: i64,
    detail: &Value,
) -> Result<i64> {
    let id = tx
        .conn
        .prepare_cached("SELECT ifnull(max(id), 0) + 1 FROM audit")
        .and_then(|mut s| s.query_row([], |r| r.get(0)))
        .map_err(sql)?;
    let row = AuditRow {
        id,
        at: tx.now,
        actor: actor.as_str().to_owned(),
        op: op.to_owned(),
        namespace,
        reference,
        detail: detail.to_string(),
    };
    tx.conn
        .prepare_cached(&format!("INSERT INTO audit({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"))
        .and_then(|mut s| {
            let checksum = row.sum().finish();
            s.execute(params![id, row.at, row.actor, row.op, namespace, reference, row.detail, checksum])
        })
        .map_err(sql)?;
    Ok(id)
}

/// Up to `limit` entries after `after`, oldest first.
pub(crate) fn entries(conn: &Connection, after: i64, limit: usize) -> Result<Vec<AuditRow>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2"))
        .map_err(sql)?;
    let rows = statement.query_map([after, limit], AuditRow::read).map_err(sql)?;
    rows.map(|row| {
        let (row, checksum) = row.map_err(sql)?;
        row.sum().check(checksum, row.id)?;
        Ok(row)
    })
    .collect()
}

/// When this was first done to a memory from a time on.
pub(super) fn first_since(conn: &Connection, op: &str, reference: i64, from: i64) -> Result<Option<i64>> {
    conn.prepare_cached("SELECT min(at) FROM audit WHERE ref = ?1 AND ref <> 0 AND op = ?2 AND at >= ?3")
        .and_then(|mut s| s.query_row(params![reference, op, from], |r| r.get(0)))
        .map_err(sql)
}

/// Reads every entry. One sentence for the first at fault, and for numbers that are missing: an
/// entry is never deleted.
pub(crate) fn check_all(conn: &Connection) -> Result<Vec<String>> {
    let mut after = 0;
    loop {
        let rows = match entries(conn, after, 1000) {
            Ok(rows) => rows,
            Err(Error::Corrupt { what }) => return Ok(vec![what]),
            Err(error) => return Err(error),
        };
        for row in &rows {
            if row.id != after + 1 {
                return Ok(vec![format!("audit entries {} to {} are missing", after + 1, row.id - 1)]);
            }
            after = row.id;
        }
        if rows.is_empty() {
            return Ok(Vec::new());
        }
    }
}
