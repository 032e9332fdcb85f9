//! Merging: the cells of a namespace on its grid (`outcome/grid.rs`).
//!
//! A namespace with few cells has no grid, and every cell is that of one situation. When it first has
//! more than [`MERGE_ABOVE`], the width of its grid is fixed for good, and its cells are merged. The point
//! of a merged cell is the situation with the smallest hash among those of its experiences: a function of
//! the set of experiences, and never of their order.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};
use crate::outcome::{Source, Sums, grid};
use crate::vector::Metric;

use super::cells::{self, CellRow};
use super::db::{Tx, sql};
use super::identity;
use super::lots;
use super::memories::{self, decode};
use super::names;
use super::sum::RowSum;

/// A namespace with more cells than this gets a grid.
const MERGE_ABOVE: i64 = 1024;
/// Memories by whose spread the width is chosen: those with the smallest shuffles.
const SAMPLE: usize = 1024;

/// Where the evidence of a memory lies: in one situation, or in a cell of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    Situation(i64),
    Grid(i64),
}

/// A situation as the grid sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub key: i64,
    pub hash: Vec<u8>,
}

/// The grid of a namespace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    width: f64,
    metric: Metric,
}

/// The grid of a namespace; `None` while it has none.
pub(super) fn of_namespace(conn: &Connection, namespace: i64) -> Result<Option<Grid>> {
    let width = names::with_grid(conn, namespace)?.and_then(|(_, width)| width);
    width.map(|width| Ok(Grid { width, metric: compared_by(conn)? })).transpose()
}

/// The metric in which situations are compared: that of the memories, but cosine under dot.
fn compared_by(conn: &Connection) -> Result<Metric> {
    Ok(match identity::metric(conn)? {
        Metric::L2 => Metric::L2,
        Metric::Cosine | Metric::Dot => Metric::Cosine,
    })
}

impl Grid {
    /// Where a situation lies on the grid.
    pub(super) fn spot(self, conn: &Connection, situation: i64) -> Result<Spot> {
        let row = conn
            .prepare_cached("SELECT vector, hash, checksum FROM situations WHERE id = ?1")
            .and_then(|mut s| {
                s.query_row([situation], |r| {
                    Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, Vec<u8>>(1)?, r.get::<_, i64>(2)?))
                })
                .optional()
            })
            .map_err(sql)?;
        let (blob, hash, checksum) =
            row.ok_or_else(|| Error::corrupt(format!("situation {situation} is missing")))?;
        RowSum::new("situations").bytes(&blob).check(checksum, situation)?;
        let vector = self.metric.prepare(&decode(&blob)?)?;
        Ok(Spot { key: grid::key(&vector, self.width), hash })
    }
}

/// Whether a memory has an experience in a situation.
pub(super) fn is_experienced(conn: &Connection, memory: i64, situation: i64) -> Result<bool> {
    conn.prepare_cached("SELECT EXISTS(SELECT 1 FROM experiences WHERE memory = ?1 AND situation = ?2)")
        .and_then(|mut s| s.query_row([memory, situation], |r| r.get(0)))
        .map_err(sql)
}

/// The situation with the smallest hash among those of a memory's experiences in a grid cell; `None` if
/// there is none left. Looks at all of the memory's situations: only for when the one it was is gone.
pub(super) fn point_of(conn: &Connection, grid: Grid, memory: i64, key: i64) -> Result<Option<i64>> {
    let situations: Vec<i64> = {
        let mut statement = conn
            .prepare_cached("SELECT DISTINCT situation FROM experiences WHERE memory = ?1")
            .map_err(sql)?;
        let rows = statement.query_map([memory], |r| r.get(0)).map_err(sql)?;
        rows.collect::<rusqlite::Result<_>>().map_err(sql)?
    };
    let mut least: Option<(Vec<u8>, i64)> = None;
    for situation in situations {
        let spot = grid.spot(conn, situation)?;
        if spot.key == key && least.as_ref().is_none_or(|(hash, _)| spot.hash < *hash) {
            least = Some((spot.hash, situation));
        }
    }
    Ok(least.map(|(_, situation)| situation))
}

/// Gives a namespace its grid if it has more cells than it may have without, and merges them. Returns
/// whether it did.
pub(super) fn merge_if_due(tx: &mut Tx<'_>, namespace: i64) -> Result<bool> {
    let count: i64 = tx
        .conn
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM cells WHERE namespace = ?1 LIMIT ?2)")
        .and_then(|mut s| s.query_row([namespace, MERGE_ABOVE + 1], |r| r.get(0)))
        .map_err(sql)?;
    if count <= MERGE_ABOVE {
        return Ok(false);
    }
    let held = cells::all(tx.conn, Some(namespace))?;
    let metric = compared_by(tx.conn)?;
    let width = choose_width(tx.conn, namespace, metric, &held)?;
    names::set_grid(tx, namespace, Some(width))?;
    let grid = Grid { width, metric };
    // By memory and grid cell, the smallest hash first.
    let mut together: BTreeMap<(i64, i64), BTreeMap<Vec<u8>, CellRow>> = BTreeMap::new();
    for cell in held {
        let spot = grid.spot(tx.conn, cell.situation)?;
        together.entry((cell.memory, spot.key)).or_default().insert(spot.hash, cell);
    }
    for ((_, key), members) in together {
        let mut members = members.into_values();
        let Some(mut point) = members.next() else {
            continue;
        };
        point.grid = Some(key);
        let mut content = cells::content(tx.conn, &point)?;
        for other in members {
            content.merge(&cells::content(tx.conn, &other)?);
            cells::remove(tx, namespace, other.id)?;
        }
        cells::fill(tx, point, &content)?;
    }
    Ok(true)
}

/// The width for a namespace: by the spread of its memories, or where they do not differ, of the
/// situations in which they were used.
fn choose_width(conn: &Connection, namespace: i64, metric: Metric, held: &[CellRow]) -> Result<f64> {
    let mut vectors = Vec::new();
    for (_, id) in memories::sample(conn, namespace, SAMPLE)? {
        if let Some(vector) = memories::vector(conn, id)? {
            // Under dot, a memory may be zero and have no direction.
            vectors.extend(metric.prepare(&vector).ok());
        }
    }
    if let Some(width) = grid::width(&vectors) {
        return Ok(width);
    }
    vectors.clear();
    for cell in held {
        vectors.push(metric.prepare(&cells::situation(conn, cell.situation)?)?);
    }
    Ok(grid::width(&vectors).unwrap_or(1.0))
}

/// The places of situations in their namespaces, found once each.
#[derive(Default)]
pub(super) struct Places {
    grids: HashMap<i64, Option<Grid>>,
    spots: HashMap<(i64, i64), Spot>,
}

impl Places {
    /// Where a situation lies in a namespace; `None` for the spot: the namespace has no grid.
    pub(super) fn find(
        &mut self,
        conn: &Connection,
        namespace: i64,
        situation: i64,
    ) -> Result<Option<(Grid, Spot)>> {
        let grid = match self.grids.get(&namespace) {
            Some(grid) => *grid,
            None => *self.grids.entry(namespace).or_insert(of_namespace(conn, namespace)?),
        };
        let Some(grid) = grid else {
            return Ok(None);
        };
        if let Some(spot) = self.spots.get(&(namespace, situation)) {
            return Ok(Some((grid, spot.clone())));
        }
        let spot = grid.spot(conn, situation)?;
        self.spots.insert((namespace, situation), spot.clone());
        Ok(Some((grid, spot)))
    }

    /// Forgets what it knows of a namespace.
    pub(super) fn forget(&mut self, namespace: i64) {
        self.grids.remove(&namespace);
    }
}

/// The lots of a cell as a part of its content.
pub(super) fn lots_of(conn: &Connection, cell: i64) -> Result<BTreeMap<Source, Sums>> {
    Ok(lots::of_cell(conn, cell)?.into_iter().map(|lot| ((lot.group, lot.day), lot.sums)).collect())
}
