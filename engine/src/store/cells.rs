//! Situations and cells: where experience lies in the space of queries, and its sums.

use rusqlite::{Connection, OptionalExtension, params};
use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};
use crate::outcome::Sums;

use super::changes::Op;
use super::db::{Tx, sql};
use super::lots::{self, Lot};
use super::memories::decode;
use super::refill::Content;
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
    /// Lots beside the sums.
    pub lots: i64,
}

const COLUMNS: &str =
    "id, namespace, memory, situation, success, failure, wins, reports, seq, lots, checksum";

impl CellRow {
    fn sum(&self) -> RowSum {
        let sum = [self.sums.success, self.sums.failure, self.sums.wins, self.sums.reports, self.seq]
            .into_iter()
            .fold(
                RowSum::new("cells").int(self.id).int(self.namespace).int(self.memory).int(self.situation),
                RowSum::int,
            );
        // A column of version 2.
        if self.lots == 0 { sum } else { sum.text(Some("lots")).int(self.lots) }
    }

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Self, i64)> {
        let sums =
            Sums { success: row.get(4)?, failure: row.get(5)?, wins: row.get(6)?, reports: row.get(7)? };
        let (id, namespace, memory, situation) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let (seq, lots) = (row.get(8)?, row.get(9)?);
        Ok((Self { id, namespace, memory, situation, sums, seq, lots }, row.get(10)?))
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

/// The cell of a memory in a situation.
fn find(conn: &Connection, memory: i64, situation: i64) -> Result<Option<CellRow>> {
    let found = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM cells WHERE memory = ?1 AND situation = ?2"))
        .and_then(|mut s| s.query_row([memory, situation], CellRow::read).optional())
        .map_err(sql)?;
    found.map(CellRow::checked).transpose()
}

/// Adds to the evidence of a memory in a situation; what is taken away is negative. A cell left without
/// reports goes.
pub(super) fn shift(
    tx: &mut Tx<'_>,
    namespace: i64,
    memory: i64,
    situation: i64,
    change: &Content,
) -> Result<()> {
    let Some(mut cell) = find(tx.conn, memory, situation)? else {
        let lots = change.lots.len() as i64;
        let sums = change.inline;
        let cell =
            insert(tx, CellRow { id: 0, namespace, memory, situation, sums, seq: tx.next_seq(), lots })?;
        for (source, sums) in &change.lots {
            lots::shift(tx, cell, *source, *sums)?;
        }
        return Ok(());
    };
    cell.sums.add(change.inline);
    for (source, sums) in &change.lots {
        cell.lots += lots::shift(tx, cell.id, *source, *sums)?;
    }
    save(tx, &cell)
}

/// Makes `content` the evidence in a cell that there is.
pub(super) fn rewrite(tx: &mut Tx<'_>, memory: i64, situation: i64, content: &Content) -> Result<()> {
    let Some(mut cell) = find(tx.conn, memory, situation)? else {
        return Err(Error::corrupt(format!(
            "memory {memory} has reports in situation {situation} and no cell"
        )));
    };
    lots::remove(tx, cell.id)?;
    for (&(group, day), &sums) in &content.lots {
        lots::put(tx, cell.id, &Lot { group, day, sums })?;
    }
    cell.sums = content.inline;
    cell.lots = content.lots.len() as i64;
    save(tx, &cell)
}

/// Writes the sums of a cell; one without reports goes.
fn save(tx: &mut Tx<'_>, cell: &CellRow) -> Result<()> {
    if cell.sums.reports <= 0 && cell.lots <= 0 {
        return remove(tx, cell.namespace, cell.id);
    }
    tx.conn
        .prepare_cached(
            "UPDATE cells SET success = ?2, failure = ?3, wins = ?4, reports = ?5, lots = ?6, checksum = ?7
             WHERE id = ?1",
        )
        .and_then(|mut s| {
            let Sums { success, failure, wins, reports } = cell.sums;
            s.execute([cell.id, success, failure, wins, reports, cell.lots, cell.sum().finish()])
        })
        .map_err(sql)?;
    tx.change(Op::CellChanged, cell.namespace, cell.id).map(|_| ())
}

fn remove(tx: &mut Tx<'_>, namespace: i64, cell: i64) -> Result<()> {
    tx.conn
        .prepare_cached("DELETE FROM cells WHERE id = ?1")
        .and_then(|mut s| s.execute([cell]))
        .map_err(sql)?;
    lots::remove(tx, cell)?;
    tx.change(Op::CellRemoved, namespace, cell).map(|_| ())
}

/// Writes a new cell, without its lots, and returns its id.
fn insert(tx: &mut Tx<'_>, mut cell: CellRow) -> Result<i64> {
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
               shuffle, lots, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
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
                cell.lots,
                cell.sum().finish()
            ])
        })
        .map_err(sql)?;
    tx.change(Op::CellAdded, cell.namespace, cell.id)?;
    Ok(cell.id)
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
        remove(tx, namespace, cell)?;
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
