//! The audit table: what was done and decided, by whom and on which figures. Only ever added to, in the
//! transaction of what it records; `chain.rs` has the hashes.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use crate::error::{Error, Result};

use super::chain::{self, Anchor, Chain, Fault, Hash, Stored};
use super::db::{Tx, sql};
use super::sum::RowSum;

/// Who acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Actor<'a> {
    /// The engine, by a rule.
    Engine,
    /// Whoever holds a handle.
    Owner,
    /// A principal that has proven its name.
    Principal(&'a str),
    /// A name that nobody has proven.
    Unproven(&'a str),
    /// An authority that has signed.
    #[allow(dead_code, reason = "what is signed names it")]
    Authority(&'a str),
}

impl std::fmt::Display for Actor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Actor::Engine => f.write_str("engine"),
            Actor::Owner => f.write_str("owner"),
            Actor::Principal(name) => write!(f, "principal:{name}"),
            Actor::Unproven(name) => write!(f, "unproven:{name}"),
            Actor::Authority(name) => write!(f, "authority:{name}"),
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

const INSERT: &str = "INSERT INTO audit(id, at, actor, op, namespace, ref, detail, checksum, hash)
 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
/// What is looked for by memory: decisions.
pub(super) const INDEXES: &str = "DROP INDEX audit_ref;
 CREATE INDEX audit_decided ON audit(ref) WHERE ref <> 0 AND op NOT IN ('remember', 'update', 'forget')";
/// Entries after one, oldest first.
pub(super) const FROM_THE_FIRST: &str =
    "SELECT id, at, actor, op, namespace, ref, detail, checksum, hash FROM audit WHERE id > ?1 ORDER BY id";

impl AuditRow {
    pub(super) fn sum(&self) -> RowSum {
        RowSum::new("audit")
            .int(self.id)
            .int(self.at)
            .text(Some(&self.actor))
            .text(Some(&self.op))
            .int(self.namespace)
            .int(self.reference)
            .text(Some(&self.detail))
    }

    pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
        let read = Self {
            id: row.get(0)?,
            at: row.get(1)?,
            actor: row.get(2)?,
            op: row.get(3)?,
            namespace: row.get(4)?,
            reference: row.get(5)?,
            detail: row.get(6)?,
        };
        Ok(Stored { row: read, checksum: row.get(7)?, hash: row.get(8)? })
    }
}

/// The end of the chain.
fn end(conn: &Connection) -> Result<Chain> {
    let last = conn
        .prepare_cached("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")
        .and_then(|mut s| {
            s.query_row([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Option<Vec<u8>>>(1)?))).optional()
        })
        .map_err(sql)?;
    let Some((last, hash)) = last else {
        return chain::genesis(conn).map_err(sql);
    };
    let head: Option<Hash> = hash.and_then(|hash| hash.try_into().ok());
    // What comes after an entry whose hash somebody has taken away cannot follow from it.
    Ok(Chain { last, head: head.unwrap_or_default() })
}

/// Records what this transaction does. Returns the number of the entry.
pub(crate) fn record(
    tx: &Tx<'_>,
    actor: Actor<'_>,
    op: &'static str,
    namespace: i64,
    reference: i64,
    detail: &Value,
) -> Result<i64> {
    append(tx, actor, op, (namespace, reference), detail.to_string())
}

/// Records with a detail that is JSON text already.
pub(crate) fn append(
    tx: &Tx<'_>,
    actor: Actor<'_>,
    op: &'static str,
    (namespace, reference): (i64, i64),
    detail: String,
) -> Result<i64> {
    let chain = end(tx.conn)?;
    let (id, actor) = (chain.last + 1, actor.to_string());
    let row = AuditRow { id, at: tx.now, actor, op: op.to_owned(), namespace, reference, detail };
    let hash = chain.link(&row);
    tx.conn
        .prepare_cached(INSERT)
        .and_then(|mut s| {
            let checksum = row.sum().finish();
            s.execute(params![
                id,
                row.at,
                row.actor,
                row.op,
                namespace,
                reference,
                row.detail,
                checksum,
                hash.as_slice()
            ])
        })
        .map_err(sql)?;
    Ok(id)
}

/// Up to `limit` entries after `after`, oldest first.
pub(crate) fn entries(conn: &Connection, after: i64, limit: usize) -> Result<Vec<Stored>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    stored(conn, after, limit)?
        .into_iter()
        .map(|stored| {
            stored.row.sum().check(stored.checksum, stored.row.id)?;
            Ok(stored)
        })
        .collect()
}

fn stored(conn: &Connection, after: i64, limit: i64) -> Result<Vec<Stored>> {
    let mut statement = conn.prepare_cached(&format!("{FROM_THE_FIRST} LIMIT ?2")).map_err(sql)?;
    let rows = statement.query_map([after, limit], AuditRow::stored).map_err(sql)?;
    rows.map(|row| row.map_err(sql)).collect()
}

/// When this was first done to a memory from a time on.
pub(super) fn first_since(conn: &Connection, op: &str, reference: i64, from: i64) -> Result<Option<i64>> {
    conn.prepare_cached(
        "SELECT min(at) FROM audit INDEXED BY audit_decided
         WHERE ref = ?1 AND ref <> 0 AND op = ?2 AND op NOT IN ('remember', 'update', 'forget') AND at >= ?3",
    )
    .and_then(|mut s| s.query_row(params![reference, op, from], |r| r.get(0)))
    .map_err(sql)
}

/// The count of entries and the hash of the last one.
pub(crate) fn anchor(conn: &Connection) -> Result<Anchor> {
    let Chain { last, head } = end(conn)?;
    Ok(Anchor { count: last, head })
}

/// Most faults that are told.
const MOST_FAULTS: usize = 20;

/// What following the whole chain has shown.
#[derive(Debug)]
pub(crate) struct Followed {
    pub end: Anchor,
    pub faults: Vec<Fault>,
}

/// Reads every entry and follows the chain; holds it to an anchor if there is one. `meet` sees each.
pub(crate) fn follow(
    conn: &Connection,
    anchor: Option<Anchor>,
    mut meet: impl FnMut(&AuditRow) -> Result<()>,
) -> Result<Followed> {
    let mut chain = chain::genesis(conn).map_err(sql)?;
    let mut faults = Vec::new();
    let early: i64 =
        conn.query_row("SELECT count(*) FROM audit WHERE id < 1", [], |r| r.get(0)).map_err(sql)?;
    if early > 0 {
        faults.push(Fault { entry: 0, what: format!("{early} entries stand before the first one") });
    }
    let mut anchored = anchor.filter(|anchor| anchor.count == 0).map(|anchor| anchor.head == chain.head);
    loop {
        let rows = stored(conn, chain.last, 1000)?;
        if rows.is_empty() {
            break;
        }
        for stored in rows {
            if let Some(fault) = chain.follow(&stored)
                && faults.len() < MOST_FAULTS
            {
                faults.push(fault);
            }
            if let Some(anchor) = anchor.filter(|anchor| anchor.count == chain.last) {
                anchored = Some(anchor.head == chain.head);
            }
            meet(&stored.row)?;
        }
    }
    let end = Anchor { count: chain.last, head: chain.head };
    match (anchor, anchored) {
        _ if crate::sabotage::on("anchors_ignored") => {}
        (Some(Anchor { count, .. }), None) if count > end.count => {
            let what = format!(
                "entries {} to {count} are missing: they were there when the anchor was taken",
                end.count + 1
            );
            faults.push(Fault { entry: end.count + 1, what });
        }
        (Some(Anchor { count, .. }), None | Some(false)) => {
            let what = format!(
                "entries up to {count} are not those that were there when the anchor was taken: the chain was rewritten"
            );
            faults.push(Fault { entry: count, what });
        }
        (None, _) | (_, Some(true)) => {}
    }
    Ok(Followed { end, faults })
}

/// Follows the chain. One sentence for each fault.
pub(crate) fn check_all(conn: &Connection) -> Result<Vec<String>> {
    match follow(conn, None, |_| Ok(())) {
        Ok(followed) => {
            Ok(followed.faults.into_iter().map(|fault| format!("audit: {}", fault.what)).collect())
        }
        Err(Error::Corrupt { what }) => Ok(vec![what]),
        Err(error) => Err(error),
    }
}
