//! Lots: evidence whose worth depends on who gave it and when, kept apart by both.
//!
//! The owner's evidence of a kind that never fades is summed up in the cells themselves. Everybody
//! else's, and all evidence of kinds that fade, is kept here, one row for each cell, group and day.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;
use crate::outcome::{Group, Source, Sums, Told};

use super::db::{Tx, sql};
use super::sum::RowSum;

/// Evidence that one group gave in a cell on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lot {
    pub group: Group,
    /// Day (UTC) of the reports.
    pub day: i64,
    pub sums: Sums,
}

const COLUMNS: &str = "cell, principal, day, success, failure, wins, reports, checksum";

fn row_sum(cell: i64, lot: &Lot) -> RowSum {
    let Sums { success, failure, wins, reports } = lot.sums;
    [cell, lot.group.0, lot.day, success, failure, wins, reports]
        .into_iter()
        .fold(RowSum::new("lots"), RowSum::int)
}

fn read(r: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Lot, i64)> {
    let sums = Sums { success: r.get(3)?, failure: r.get(4)?, wins: r.get(5)?, reports: r.get(6)? };
    Ok((r.get(0)?, Lot { group: Group(r.get(1)?), day: r.get(2)?, sums }, r.get(7)?))
}

fn checked((cell, lot, checksum): (i64, Lot, i64)) -> Result<(i64, Lot)> {
    row_sum(cell, &lot).check(checksum, cell)?;
    Ok((cell, lot))
}

/// The lots of a cell, by group and day.
pub(crate) fn of_cell(conn: &Connection, cell: i64) -> Result<Vec<Lot>> {
    let mut statement = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM lots WHERE cell = ?1 ORDER BY principal, day"))
        .map_err(sql)?;
    let rows = statement.query_map([cell], read).map_err(sql)?;
    rows.map(|row| Ok(checked(row.map_err(sql)?)?.1)).collect()
}

/// What groups told of a memory of this kind, in all the cells that count for it.
pub(super) fn told(conn: &Connection, memory: i64, kind: i64) -> Result<Told> {
    let mut statement = conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM lots WHERE cell IN (SELECT id FROM cells WHERE memory IN
               (SELECT ?1 UNION ALL SELECT memory FROM aliases WHERE survivor = ?1))"
        ))
        .map_err(sql)?;
    let mut told = Told::of(kind);
    for row in statement.query_map([memory], read).map_err(sql)? {
        let (_, lot) = checked(row.map_err(sql)?)?;
        told.shift((lot.group, lot.day), lot.sums.success, lot.sums.failure);
    }
    Ok(told)
}

/// The lots of all cells, by cell, group and day.
pub(crate) fn all(conn: &Connection) -> Result<Vec<(i64, Lot)>> {
    let mut statement = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM lots ORDER BY cell, principal, day"))
        .map_err(sql)?;
    let rows = statement.query_map([], read).map_err(sql)?;
    rows.map(|row| checked(row.map_err(sql)?)).collect()
}

/// Adds to a lot of a cell; what is taken away is negative. A lot left without reports goes. Returns by
/// how many the cell has more lots now.
pub(super) fn shift(tx: &Tx<'_>, cell: i64, (group, day): Source, change: Sums) -> Result<i64> {
    let found = tx
        .conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM lots WHERE cell = ?1 AND principal = ?2 AND day = ?3"
        ))
        .and_then(|mut s| s.query_row([cell, group.0, day], read).optional())
        .map_err(sql)?;
    let before = found.map(checked).transpose()?.map(|(_, lot)| lot);
    let mut lot = before.unwrap_or(Lot { group, day, sums: Sums::default() });
    lot.sums.add(change);
    put(tx, cell, &lot)?;
    Ok(i64::from(lot.sums.reports > 0) - i64::from(before.is_some()))
}

/// Makes this the lot of its group and day; one without reports goes.
pub(super) fn put(tx: &Tx<'_>, cell: i64, lot: &Lot) -> Result<()> {
    if lot.sums.reports <= 0 {
        return tx
            .conn
            .prepare_cached("DELETE FROM lots WHERE cell = ?1 AND principal = ?2 AND day = ?3")
            .and_then(|mut s| s.execute([cell, lot.group.0, lot.day]))
            .map(|_| ())
            .map_err(sql);
    }
    let Sums { success, failure, wins, reports } = lot.sums;
    tx.conn
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO lots({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        ))
        .and_then(|mut s| {
            let checksum = row_sum(cell, lot).finish();
            s.execute(params![cell, lot.group.0, lot.day, success, failure, wins, reports, checksum])
        })
        .map(|_| ())
        .map_err(sql)
}

/// Removes the lots of a cell.
pub(super) fn remove(tx: &Tx<'_>, cell: i64) -> Result<()> {
    tx.conn
        .prepare_cached("DELETE FROM lots WHERE cell = ?1")
        .and_then(|mut s| s.execute([cell]))
        .map(|_| ())
        .map_err(sql)
}
