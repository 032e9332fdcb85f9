//! Situations and cells: where experience lies in the space of queries, and its sums.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};
use crate::outcome::Sums;

use super::changes::Op;
use super::db::{Tx, sql};
use super::ledger::Source;
use super::memories::decode;
use super::schema::shuffle;
use super::sum::RowSum;

/// The reports on one memory in one situation, summed up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellRow {
    pub id: i64,
    pub namespace: i64,
    pub memory: i64,
    pub situation: i64,
    pub sums: Sums,
    /// The change that brought it.
    pub seq: i64,
}

const COLUMNS: &str = "id, namespace, memory, situation, success, failure, wins, reports, seq, checksum";

impl CellRow {
    fn sum(&self) -> RowSum {
        [self.sums.success, self.sums.failure, self.sums.wins, self.sums.reports, self.seq].into_iter().fold(
            RowSum::new("cells").int(self.id).int(self.namespace).int(self.memory).int(self.situation),
            RowSum::int,
        )
    }

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Self, i64)> {
        let sums =
            Sums { success: row.get(4)?, failure: row.get(5)?, wins: row.get(6)?, reports: row.get(7)? };
        let (id, namespace, memory, situation) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((Self { id, namespace, memory, situation, sums, seq: row.get(8)? }, row.get(9)?))
    }

    fn checked((row, checksum): (Self, i64)) -> Result<Self> {
        row.sum().check(checksum, row.id)?;
        Ok(row)
    }
}

/// What tells situations apart.
pub(super) fn situation_hash(vector: &[f32]) -> u128 {
    xxh3_128(bytemuck::cast_slice(vector))
}

/// The number of the situation with this vector, which is stored if it is new.
pub(crate) fn intern_situation(tx: &Tx<'_>, vector: &[f32]) -> Result<i64> {
    let blob: &[u8] = bytemuck::cast_slice(vector);
    let hash = situation_hash(vector).to_le_bytes();
    let known: Option<i64> = tx
        .conn
        .prepare_cached("SELECT id FROM situations WHERE hash = ?1")
        .and_then(|mut s| s.query_row([hash.as_slice()], |r| r.get(0)).optional())
        .map_err(sql)?;
    if let Some(id) = known {
        return Ok(id);
    }
    tx.conn
        .prepare_cached("INSERT INTO situations(hash, vector, checksum) VALUES (?1, ?2, ?3)")
        .and_then(|mut s| {
            s.execute(params![hash.as_slice(), blob, RowSum::new("situations").bytes(blob).finish()])
        })
        .map_err(sql)?;
    Ok(tx.conn.last_insert_rowid())
}

/// The vector of a situation, as it was given.
pub(crate) fn situation(conn: &Connection, id: i64) -> Result<Vec<f32>> {
    let row = conn
        .prepare_cached("SELECT vector, checksum FROM situations WHERE id = ?1")
        .and_then(|mut s| {
            s.query_row([id], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, i64>(1)?))).optional()
        })
        .map_err(sql)?;
    let (blob, checksum) = row.ok_or_else(|| Error::corrupt(format!("situation {id} is missing")))?;
    RowSum::new("situations").bytes(&blob).check(checksum, id)?;
    decode(&blob)
}

/// Adds to the evidence of a memory in a situation; what is taken away is negative. A cell left without
/// reports goes.
pub(super) fn shift(
    tx: &mut Tx<'_>,
    namespace: i64,
    memory: i64,
    situation: i64,
    change: &BTreeMap<Source, Sums>,
) -> Result<()> {
    let mut plus = Sums::default();
    for sums in change.values() {
        plus.add(*sums);
    }
    let found = tx
        .conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM cells WHERE memory = ?1 AND situation = ?2"))
        .and_then(|mut s| s.query_row([memory, situation], CellRow::read).optional())
        .map_err(sql)?;
    let Some(found) = found else {
        return insert(tx, CellRow { id: 0, namespace, memory, situation, sums: plus, seq: tx.next_seq() });
    };
    let mut cell = CellRow::checked(found)?;
    cell.sums.add(plus);
    if cell.sums.reports <= 0 {
        tx.conn.execute("DELETE FROM cells WHERE id = ?1", [cell.id]).map_err(sql)?;
        return tx.change(Op::CellRemoved, namespace, cell.id).map(|_| ());
    }
    tx.conn
        .prepare_cached(
            "UPDATE cells SET success = ?2, failure = ?3, wins = ?4, reports = ?5, checksum = ?6 WHERE id = ?1",
        )
        .and_then(|mut s| {
            let Sums { success, failure, wins, reports } = cell.sums;
            s.execute([cell.id, success, failure, wins, reports, cell.sum().finish()])
        })
        .map_err(sql)?;
    tx.change(Op::CellChanged, namespace, cell.id).map(|_| ())
}

fn insert(tx: &mut Tx<'_>, mut cell: CellRow) -> Result<()> {
    cell.id = tx
        .conn
        .prepare_cached("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'cells'")
        .and_then(|mut s| s.query_row([], |r| r.get(0)).optional())
        .map_err(sql)?
        .unwrap_or(1);
    let Sums { success, failure, wins, reports } = cell.sums;
    tx.conn
        .prepare_cached(
            "INSERT INTO cells(id, namespace, memory, situation, success, failure, wins, reports, seq,
               shuffle, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
        .and_then(|mut s| {
            s.execute(params![
                cell.id,
                cell.namespace,
                cell.memory,
                cell.situation,
                success,
                failure,
                wins,
                reports,
                cell.seq,
                shuffle(cell.id),
                cell.sum().finish()
            ])
        })
        .map_err(sql)?;
    tx.change(Op::CellAdded, cell.namespace, cell.id).map(|_| ())
}

/// Removes all cells of a memory.
pub(crate) fn remove_of_memory(tx: &mut Tx<'_>, namespace: i64, memory: i64) -> Result<()> {
    let cells: Vec<i64> = {
        let mut statement =
            tx.conn.prepare_cached("SELECT id FROM cells WHERE memory = ?1 ORDER BY id").map_err(sql)?;
        let rows = statement.query_map([memory], |r| r.get(0)).map_err(sql)?;
        rows.collect::<rusqlite::Result<_>>().map_err(sql)?
    };
    for cell in cells {
        tx.conn
            .prepare_cached("DELETE FROM cells WHERE id = ?1")
            .and_then(|mut s| s.execute([cell]))
            .map_err(sql)?;
        tx.change(Op::CellRemoved, namespace, cell)?;
    }
    Ok(())
}

/// A cell by its id.
pub(crate) fn load(conn: &Connection, id: i64) -> Result<Option<CellRow>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM cells WHERE id = ?1")).map_err(sql)?;
    let row = statement.query_row([id], CellRow::read).optional().map_err(sql)?;
    row.map(CellRow::checked).transpose()
}

/// All cells, of one namespace or of all; by id.
pub(crate) fn all(conn: &Connection, namespace: Option<i64>) -> Result<Vec<CellRow>> {
    let filter = if namespace.is_some() { "WHERE namespace = ?1" } else { "WHERE ?1 IS NULL" };
    let mut statement =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM cells {filter} ORDER BY id")).map_err(sql)?;
    let rows = statement.query_map([namespace], CellRow::read).map_err(sql)?;
    rows.map(|row| CellRow::checked(row.map_err(sql)?)).collect()
}

/// How many cells there are.
pub(crate) fn count(conn: &Connection) -> Result<u64> {
    conn.query_row("SELECT count(*) FROM cells", [], |r| r.get::<_, i64>(0))
        .map(i64::cast_unsigned)
        .map_err(sql)
}

/// Cells that came into being in `(lo, hi]`, in that order.
pub(crate) fn points_in(conn: &Connection, (lo, hi): (i64, i64)) -> Result<Vec<CellRow>> {
    let mut statement = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM cells WHERE seq > ?1 AND seq <= ?2 ORDER BY seq"))
        .map_err(sql)?;
    let rows = statement.query_map([lo, hi], CellRow::read).map_err(sql)?;
    rows.map(|row| CellRow::checked(row.map_err(sql)?)).collect()
}
