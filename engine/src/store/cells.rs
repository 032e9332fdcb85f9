//! Situations and cells: where experience lies in the space of queries, and its sums.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};
use crate::outcome::{Source, Sums};

use super::changes::Op;
use super::db::{Tx, sql};
use super::grid::{self, Place, Places};
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
    /// Its cell of the grid, if it lies on one; `situation` is then only its point.
    pub grid: Option<i64>,
    /// By which samples are drawn: of its memory and point, so that it does not depend on when it came.
    pub shuffle: i64,
}

const COLUMNS: &str = "id, namespace, memory, situation, success, failure, wins, reports, seq, lots, grid, \
                       shuffle, checksum";

impl CellRow {
    fn sum(&self) -> RowSum {
        let sum = [self.sums.success, self.sums.failure, self.sums.wins, self.sums.reports, self.seq]
            .into_iter()
            .fold(
                RowSum::new("cells").int(self.id).int(self.namespace).int(self.memory).int(self.situation),
                RowSum::int,
            );
        // Columns of version 2.
        let sum = if self.lots == 0 { sum } else { sum.text(Some("lots")).int(self.lots) };
        if self.grid.is_none() { sum } else { sum.text(Some("grid")).opt(self.grid) }
    }

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Self, i64)> {
        let sums =
            Sums { success: row.get(4)?, failure: row.get(5)?, wins: row.get(6)?, reports: row.get(7)? };
        let (id, namespace, memory, situation) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let (seq, lots, grid, shuffle) = (row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?);
        Ok((Self { id, namespace, memory, situation, sums, seq, lots, grid, shuffle }, row.get(12)?))
    }

    /// Where it lies.
    pub(crate) fn place(&self) -> Place {
        self.grid.map_or(Place::Situation(self.situation), Place::Grid)
    }

    fn is_empty(&self) -> bool {
        self.sums.reports <= 0 && self.lots <= 0
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

/// A part of the hash of a situation.
fn hash_of(conn: &Connection, id: i64) -> Result<i64> {
    let hash: Vec<u8> = conn
        .prepare_cached("SELECT hash FROM situations WHERE id = ?1")
        .and_then(|mut s| s.query_row([id], |r| r.get(0)))
        .map_err(sql)?;
    let (first, _) =
        hash.split_first_chunk().ok_or_else(|| Error::corrupt("the hash of a situation is cut short"))?;
    Ok(i64::from_le_bytes(*first))
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

/// The cell of a memory in a place.
fn find(conn: &Connection, memory: i64, place: Place) -> Result<Option<CellRow>> {
    let (condition, value) = match place {
        Place::Situation(situation) => ("situation = ?2", situation),
        Place::Grid(key) => ("grid = ?2", key),
    };
    let found = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM cells WHERE memory = ?1 AND {condition}"))
        .and_then(|mut s| s.query_row([memory, value], CellRow::read).optional())
        .map_err(sql)?;
    found.map(CellRow::checked).transpose()
}

/// Adds to the evidence of a memory in a situation; what is taken away is negative. A cell left without
/// reports goes.
pub(super) fn shift(
    tx: &mut Tx<'_>,
    places: &mut Places,
    (namespace, memory, situation): (i64, i64, i64),
    change: &Content,
) -> Result<()> {
    let spot = places.find(tx.conn, namespace, situation)?;
    let grid = spot.as_ref().map(|(_, spot)| spot.key);
    let place = grid.map_or(Place::Situation(situation), Place::Grid);
    let Some(mut cell) = find(tx.conn, memory, place)? else {
        let mut cell = CellRow {
            id: 0,
            namespace,
            memory,
            situation,
            sums: change.inline,
            seq: 0,
            lots: 0,
            grid,
            shuffle: 0,
        };
        cell.lots = change.lots.len() as i64;
        add(tx, cell, &change.lots)?;
        if grid.is_none() && grid::merge_if_due(tx, namespace)? {
            places.forget(namespace);
        }
        return Ok(());
    };
    cell.sums.add(change.inline);
    for (source, sums) in &change.lots {
        cell.lots += lots::shift(tx, cell.id, *source, *sums)?;
    }
    let mut point = cell.situation;
    if let Some((grid, spot)) = spot {
        let came = change.reports() > 0 && !crate::sabotage::on("merge_by_order");
        if cell.situation == situation && change.reports() < 0 {
            if !cell.is_empty() && !grid::is_experienced(tx.conn, memory, situation)? {
                point = grid::point_of(tx.conn, grid, memory, spot.key)?.unwrap_or(point);
            }
        } else if came
            && places.find(tx.conn, namespace, point)?.is_some_and(|(_, held)| spot.hash < held.hash)
        {
            point = situation;
        }
    }
    if point == cell.situation || cell.is_empty() {
        return save(tx, &cell);
    }
    // It lies elsewhere now: another point in the index.
    let lots = grid::lots_of(tx.conn, cell.id)?;
    remove(tx, namespace, cell.id)?;
    add(tx, CellRow { situation: point, ..cell }, &lots)
}

/// Adds a cell with its lots.
fn add(tx: &mut Tx<'_>, mut cell: CellRow, lots: &BTreeMap<Source, Sums>) -> Result<()> {
    cell.seq = tx.next_seq();
    let id = insert(tx, cell)?;
    lots.iter().try_for_each(|(&(group, day), &sums)| lots::put(tx, id, &Lot { group, day, sums }))
}

/// Makes `content` the evidence of a memory in a place, where it has a cell.
pub(super) fn rewrite(tx: &mut Tx<'_>, memory: i64, place: Place, content: &Content) -> Result<()> {
    match find(tx.conn, memory, place)? {
        Some(cell) => fill(tx, cell, content),
        None => Err(Error::corrupt(format!("memory {memory} has reports in {place:?} and no cell"))),
    }
}

/// Makes `content` the evidence in a cell.
pub(super) fn fill(tx: &mut Tx<'_>, mut cell: CellRow, content: &Content) -> Result<()> {
    lots::remove(tx, cell.id)?;
    for (&(group, day), &sums) in &content.lots {
        lots::put(tx, cell.id, &Lot { group, day, sums })?;
    }
    cell.sums = content.inline;
    cell.lots = content.lots.len() as i64;
    save(tx, &cell)
}

/// The evidence in a cell.
pub(super) fn content(conn: &Connection, cell: &CellRow) -> Result<Content> {
    let lots = if cell.lots == 0 { BTreeMap::new() } else { grid::lots_of(conn, cell.id)? };
    Ok(Content { inline: cell.sums, lots })
}

/// Writes the sums of a cell; one without reports goes.
fn save(tx: &mut Tx<'_>, cell: &CellRow) -> Result<()> {
    if cell.is_empty() {
        return remove(tx, cell.namespace, cell.id);
    }
    tx.conn
        .prepare_cached(
            "UPDATE cells SET success = ?2, failure = ?3, wins = ?4, reports = ?5, lots = ?6, grid = ?7,
               checksum = ?8 WHERE id = ?1",
        )
        .and_then(|mut s| {
            let Sums { success, failure, wins, reports } = cell.sums;
            let checksum = cell.sum().finish();
            s.execute(params![cell.id, success, failure, wins, reports, cell.lots, cell.grid, checksum])
        })
        .map_err(sql)?;
    tx.change(Op::CellChanged, cell.namespace, cell.id).map(|_| ())
}

/// Removes a cell and its lots.
pub(super) fn remove(tx: &mut Tx<'_>, namespace: i64, cell: i64) -> Result<()> {
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
    cell.shuffle = shuffle(cell.memory ^ hash_of(tx.conn, cell.situation)?);
    let Sums { success, failure, wins, reports } = cell.sums;
    tx.conn
        .prepare_cached(
            "INSERT INTO cells(id, namespace, memory, situation, success, failure, wins, reports, seq,
               shuffle, lots, grid, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
                cell.shuffle,
                cell.lots,
                cell.grid,
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

/// The cells of a memory, by id.
pub(crate) fn of_memory(conn: &Connection, memory: i64) -> Result<Vec<CellRow>> {
    let mut statement = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM cells WHERE memory = ?1 ORDER BY id"))
        .map_err(sql)?;
    let rows = statement.query_map([memory], CellRow::read).map_err(sql)?;
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

/// How many cells a change in `(lo, hi]` brought that are still there.
pub(crate) fn count_points(conn: &Connection, (lo, hi): (i64, i64)) -> Result<i64> {
    conn.prepare_cached("SELECT count(*) FROM cells WHERE seq > ?1 AND seq <= ?2")
        .and_then(|mut s| s.query_row([lo, hi], |r| r.get(0)))
        .map_err(sql)
}
