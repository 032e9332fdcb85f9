//! The registry of segments: which file holds the points of which changes. A file that is not in
//! it is of no account, so a segment can never be ahead of the database.

use rusqlite::{Connection, params};

use crate::error::Result;

use super::db::{Tx, sql};
use super::sum::RowSum;

/// One segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentRow {
    /// Name of its file in `segments/`.
    pub name: String,
    /// It holds the points brought by the changes in `(lo, hi]`.
    pub lo: i64,
    pub hi: i64,
    /// Hash of the rows it was made from.
    pub rows_hash: i64,
    /// Points in it.
    pub points: i64,
}

impl SegmentRow {
    fn sum(&self) -> RowSum {
        RowSum::new("segments")
            .text(Some(&self.name))
            .int(self.lo)
            .int(self.hi)
            .int(self.rows_hash)
            .int(self.points)
    }
}

/// All segments whose rows are whole, in the order of the changes they hold. Their ranges do not
/// overlap.
pub(crate) fn segments(conn: &Connection) -> Result<Vec<SegmentRow>> {
    let mut statement = conn
        .prepare_cached("SELECT name, lo, hi, rows_hash, points, checksum FROM segments ORDER BY lo")
        .map_err(sql)?;
    let rows = statement
        .query_map([], |r| {
            let (name, lo, hi) = (r.get(0)?, r.get(1)?, r.get(2)?);
            Ok((SegmentRow { name, lo, hi, rows_hash: r.get(3)?, points: r.get(4)? }, r.get::<_, i64>(5)?))
        })
        .map_err(sql)?;
    let mut sound = Vec::new();
    for row in rows {
        let (row, checksum) = row.map_err(sql)?;
        // The registry is derived: what a damaged row stood for is sealed again.
        if row.sum().check(checksum, row.lo).is_ok() {
            sound.push(row);
        }
    }
    Ok(sound)
}

/// Puts a segment in the place of those it replaces.
pub(crate) fn publish(tx: &Tx<'_>, new: &SegmentRow, replaced: &[SegmentRow]) -> Result<()> {
    for old in replaced {
        retire(tx, &old.name)?;
    }
    // What a damaged row left behind in this range gives way.
    tx.conn.execute("DELETE FROM segments WHERE lo >= ?1 AND lo < ?2", [new.lo, new.hi]).map_err(sql)?;
    tx.conn
        .execute(
            "INSERT INTO segments(name, lo, hi, rows_hash, points, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![new.name, new.lo, new.hi, new.rows_hash, new.points, new.sum().finish()],
        )
        .map(|_| ())
        .map_err(sql)
}

/// Takes a segment out of the registry. Returns whether it was there.
pub(crate) fn retire(tx: &Tx<'_>, name: &str) -> Result<bool> {
    tx.conn.execute("DELETE FROM segments WHERE name = ?1", [name]).map(|n| n > 0).map_err(sql)
}
