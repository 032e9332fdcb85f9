//! Where memories come from, and what was noticed when they came. A memory of which nothing is known has no row.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};

use super::db::{Tx, sql};
use super::receipts::{decode_ids, encode_ids};
use super::sum::RowSum;

pub(super) const TABLE: &str = "CREATE TABLE origins(
   memory INTEGER PRIMARY KEY, source INTEGER NOT NULL, receipt BLOB, parents BLOB NOT NULL, model TEXT,
   flags INTEGER NOT NULL, tags TEXT NOT NULL, checksum INTEGER NOT NULL)";

/// The row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct OriginRow {
    /// 0: not told. The numbers are part of the file format, see `memory/origin.rs`.
    pub source: i64,
    pub receipt: Option<Vec<u8>>,
    pub parents: Vec<u64>,
    pub model: Option<String>,
    /// Of the content in the lower 16 bits, of the metadata above.
    pub flags: i64,
    /// JSON text: an array of strings; empty: none.
    pub tags: String,
}

impl OriginRow {
    fn sum(&self, memory: i64) -> RowSum {
        RowSum::new("origins")
            .int(memory)
            .int(self.source)
            .blob(self.receipt.as_deref())
            .bytes(&encode_ids(&self.parents))
            .text(self.model.as_deref())
            .int(self.flags)
            .text(Some(&self.tags))
    }
}

/// Writes the row of a memory; none if it says nothing.
pub(crate) fn save(tx: &Tx<'_>, memory: i64, row: &OriginRow) -> Result<()> {
    if *row == OriginRow::default() {
        return forget(tx, memory);
    }
    tx.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO origins(memory, source, receipt, parents, model, flags, tags, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .and_then(|mut s| {
            let (parents, checksum) = (encode_ids(&row.parents), row.sum(memory).finish());
            s.execute(params![
                memory,
                row.source,
                row.receipt,
                parents,
                row.model,
                row.flags,
                row.tags,
                checksum
            ])
        })
        .map(|_| ())
        .map_err(sql)
}

pub(crate) fn forget(tx: &Tx<'_>, memory: i64) -> Result<()> {
    tx.conn
        .prepare_cached("DELETE FROM origins WHERE memory = ?1")
        .and_then(|mut s| s.execute([memory]))
        .map(|_| ())
        .map_err(sql)
}

/// The row of a memory; the default one if there is none.
pub(crate) fn load(conn: &Connection, memory: i64) -> Result<OriginRow> {
    let found = conn
        .prepare_cached(
            "SELECT source, receipt, parents, model, flags, tags, checksum FROM origins WHERE memory = ?1",
        )
        .and_then(|mut s| {
            s.query_row([memory], |r| {
                let row = OriginRow {
                    source: r.get(0)?,
                    receipt: r.get(1)?,
                    parents: Vec::new(),
                    model: r.get(3)?,
                    flags: r.get(4)?,
                    tags: r.get(5)?,
                };
                Ok((row, r.get::<_, Vec<u8>>(2)?, r.get::<_, i64>(6)?))
            })
            .optional()
        })
        .map_err(sql)?;
    let Some((mut row, parents, checksum)) = found else {
        return Ok(OriginRow::default());
    };
    row.parents = decode_ids(&parents)?;
    row.sum(memory).check(checksum, memory)?;
    Ok(row)
}

/// Reads every row. One sentence for each at fault.
pub(crate) fn check_all(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare("SELECT memory FROM origins").map_err(sql)?;
    let ids: Vec<i64> = statement.query_map([], |r| r.get(0)).and_then(Iterator::collect).map_err(sql)?;
    let mut faults = Vec::new();
    for id in ids {
        match load(conn, id) {
            Ok(_) => {}
            Err(Error::Corrupt { what }) => faults.push(what),
            Err(error) => return Err(error),
        }
    }
    Ok(faults)
}
