//! The log of changes, by which every process catches up with every other.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;

use super::db::{Tx, sql};
use super::identity::set_meta;

/// What a change did. The numbers are part of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum Op {
    /// A memory was stored.
    Added = 1,
    /// A memory got another vector.
    Moved = 2,
    /// A memory is no hit any more: forgotten, superseded or expired.
    Removed = 3,
    /// Kind, expiry, content or metadata of a memory changed.
    Amended = 4,
    /// A cell came into being.
    CellAdded = 5,
    /// The sums of a cell changed.
    CellChanged = 6,
    /// A cell is gone.
    CellRemoved = 7,
    /// A namespace came into being.
    NamespaceAdded = 8,
    /// A namespace is gone, with everything in it.
    NamespaceDropped = 9,
    /// A principal was registered or revoked, or its reliability changed (of namespace 0).
    TrustChanged = 10,
    /// The half-life of a kind changed (of namespace 0).
    HalfLifeChanged = 11,
    /// A namespace got another calibrator.
    Calibrated = 12,
    /// A namespace got another policy.
    Policy = 20,
    /// The standing of a memory changed: quarantined, pinned, or the like.
    Standing = 21,
    /// The evidence on a memory counts for another one from now on, or for itself again.
    Aliased = 22,
    /// The store was halted or resumed, or what guards it was set otherwise (of namespace 0).
    Guarded = 35,
    /// The authorities, the directives, or the overrides of directives changed (of namespace 0).
    Rules = 30,
    /// A field was declared, or its declaration taken back (of namespace 0).
    FieldsChanged = 45,
    /// Changes with smaller numbers were lost (of namespace 0). Nobody has to act on it.
    Lost = 50,
}

impl Op {
    fn from_number(n: i64) -> Option<Self> {
        [
            Op::Added,
            Op::Moved,
            Op::Removed,
            Op::Amended,
            Op::CellAdded,
            Op::CellChanged,
            Op::CellRemoved,
            Op::NamespaceAdded,
            Op::NamespaceDropped,
            Op::TrustChanged,
            Op::HalfLifeChanged,
            Op::Calibrated,
            Op::Policy,
            Op::Standing,
            Op::Aliased,
            Op::Guarded,
            Op::Rules,
            Op::FieldsChanged,
        ]
        .into_iter()
        .find(|op| *op as i64 == n)
    }
}

/// One change: what happened to which memory, cell or namespace (`reference`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub seq: i64,
    pub op: Op,
    pub namespace: i64,
    pub reference: i64,
}

/// Number of the newest change; 0 in a new store.
pub(crate) fn last_seq(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("SELECT ifnull(max(seq), 0) FROM changes")
        .and_then(|mut s| s.query_row([], |r| r.get(0)))
        .map_err(sql)
}

/// All changes after `seq`, oldest first.
pub(crate) fn after(conn: &Connection, seq: i64) -> Result<Vec<Change>> {
    let mut statement = conn
        .prepare_cached("SELECT seq, op, namespace, ref FROM changes WHERE seq > ?1 ORDER BY seq")
        .map_err(sql)?;
    let rows = statement
        .query_map([seq], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?, r.get(2)?, r.get(3)?)))
        .map_err(sql)?;
    let mut changes = Vec::new();
    for row in rows {
        let (seq, op, namespace, reference) = row.map_err(sql)?;
        // An operation this version does not know moves nothing it knows.
        if let Some(op) = Op::from_number(op) {
            changes.push(Change { seq, op, namespace, reference });
        }
    }
    Ok(changes)
}

/// Memories of a namespace that came, changed or went after `seq`.
pub(crate) fn of_memories(conn: &Connection, namespace: i64, seq: i64) -> Result<Vec<i64>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT DISTINCT ref FROM changes WHERE seq > ?2 AND namespace = ?1 AND op IN (1, 2, 3, 4)",
        )
        .map_err(sql)?;
    let rows = statement.query_map([namespace, seq], |r| r.get(0)).map_err(sql)?;
    rows.map(|row| row.map_err(sql)).collect()
}

/// Memories (moved, removed) or cells (removed) of a namespace whose points count no more in a
/// segment that ends at `seq`.
pub(crate) fn masked_after(conn: &Connection, namespace: i64, seq: i64, cells: bool) -> Result<Vec<u64>> {
    let text = if cells {
        "SELECT ref FROM changes WHERE namespace = ?1 AND seq > ?2 AND op IN (2, 3, 7) AND op = 7"
    } else {
        "SELECT ref FROM changes WHERE namespace = ?1 AND seq > ?2 AND op IN (2, 3, 7) AND op <> 7"
    };
    let mut statement = conn.prepare_cached(text).map_err(sql)?;
    let rows = statement.query_map(params![namespace, seq], |r| r.get::<_, i64>(0)).map_err(sql)?;
    rows.map(|row| row.map(i64::cast_unsigned).map_err(sql)).collect()
}

/// How many points of segments that end at `seq` count no more, at most.
pub(crate) fn masking_after(conn: &Connection, seq: i64) -> Result<u64> {
    // The index holds nothing but these, of all namespaces.
    conn.prepare_cached(
        "SELECT count(*) FROM changes INDEXED BY changes_masking WHERE seq > ?1 AND op IN (2, 3, 7)",
    )
    .and_then(|mut s| s.query_row([seq], |r| r.get::<_, i64>(0)))
    .map(i64::cast_unsigned)
    .map_err(sql)
}

/// The change up to which the log was thinned out: whoever has seen less cannot catch up by it.
pub(crate) fn thinned(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("SELECT value FROM meta WHERE key = 'thinned_seq'")
        .and_then(|mut s| s.query_row([], |r| r.get(0)).optional())
        .map(|seq| seq.unwrap_or(-1))
        .map_err(sql)
}

/// Drops the changes up to `seq`, all of which are in a segment, that nobody needs any more: what masks
/// points of segments stays, what brought a point that is still there, and the newest of all.
pub(crate) fn thin(tx: &Tx<'_>, seq: i64) -> Result<()> {
    let gone = tx
        .conn
        .execute(
            "DELETE FROM changes WHERE seq <= ?1 AND seq < (SELECT max(seq) FROM changes) AND op NOT IN (2, 3, 7)
               AND NOT (op = 1 AND EXISTS
                 (SELECT 1 FROM memories m WHERE m.id = ref AND m.vector_seq = changes.seq AND m.status = 0))
               AND NOT (op = 5 AND EXISTS (SELECT 1 FROM cells c WHERE c.id = ref AND c.seq = changes.seq))",
            [seq],
        )
        .map_err(sql)?;
    if gone > 0 { set_meta(tx.conn, "thinned_seq", seq) } else { Ok(()) }
}

/// How many points (memories and cells) the changes in `(lo, hi]` brought, at most.
pub(crate) fn points_in(conn: &Connection, lo: i64, hi: i64) -> Result<u64> {
    conn.prepare_cached("SELECT count(*) FROM changes WHERE seq > ?1 AND seq <= ?2 AND op IN (1, 2, 5)")
        .and_then(|mut s| s.query_row([lo, hi], |r| r.get::<_, i64>(0)))
        .map(i64::cast_unsigned)
        .map_err(sql)
}
