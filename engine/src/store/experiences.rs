//! Experiences: the credit that reports give to memories, kept in step with the cells.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};
use crate::outcome::{Credit, Sums};

use super::cells::shift;
use super::db::{Tx, sql};
use super::memories::{self, LIVE};
use super::sum::RowSum;

/// The credit a report gives a memory.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Experience {
    pub outcome: f64,
    pub credit: Credit,
    /// Whether this report makes its receipt a win of the memory.
    pub won: bool,
}

impl Experience {
    fn sums(self) -> Sums {
        Sums { wins: i64::from(self.won), ..Sums::of(self.credit, self.outcome) }
    }

    fn checksum(self, report: i64, memory: i64, situation: i64) -> RowSum {
        RowSum::new("experiences")
            .int(report)
            .int(memory)
            .int(situation)
            .real(Some(self.outcome))
            .int(self.credit.raw())
            .int(i64::from(self.won))
    }
}

/// The experience that a report gives a memory, with its situation.
pub(super) fn load_experience(
    conn: &Connection,
    report: i64,
    memory: i64,
) -> Result<Option<(i64, Experience)>> {
    let row = conn
        .prepare_cached(
            "SELECT situation, outcome, credit, won, checksum FROM experiences WHERE report = ?1 AND memory = ?2",
        )
        .and_then(|mut s| {
            s.query_row([report, memory], |r| {
                let credit = Credit::from_raw(r.get(2)?);
                let experience = Experience { outcome: r.get(1)?, credit, won: r.get(3)? };
                Ok((r.get::<_, i64>(0)?, experience, r.get::<_, i64>(4)?))
            })
            .optional()
        })
        .map_err(sql)?;
    row.map(|(situation, experience, checksum)| {
        experience.checksum(report, memory, situation).check(checksum, report)?;
        Ok((situation, experience))
    })
    .transpose()
}

/// Makes `wanted` the experience that a report gives a memory, and keeps the cell in step.
pub(super) fn set_experience(
    tx: &mut Tx<'_>,
    report: i64,
    memory: u64,
    situation: i64,
    wanted: Experience,
) -> Result<()> {
    let id = memory.cast_signed();
    let before = load_experience(tx.conn, report, id)?;
    if before == Some((situation, wanted)) {
        return Ok(());
    }
    let Some(row) = memories::load(tx.conn, id)? else {
        return Err(Error::UnknownMemory { id: memory });
    };
    tx.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO experiences(report, memory, situation, outcome, credit, won, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut s| {
            let Experience { outcome, credit, won } = wanted;
            let checksum = wanted.checksum(report, id, situation).finish();
            s.execute(params![report, id, situation, outcome, credit.raw(), won, checksum])
        })
        .map_err(sql)?;
    // The cells of a memory that is no hit any more are gone; its experiences stay as a record.
    if row.status == LIVE {
        let minus = before.map(|(_, old)| old.sums()).unwrap_or_default();
        shift(tx, row.namespace, id, situation, wanted.sums(), minus)?;
    }
    Ok(())
}

/// The live memories that a report counts for.
pub(super) fn credited(tx: &Tx<'_>, report: i64) -> Result<Vec<(u64, f64)>> {
    let mut statement = tx
        .conn
        .prepare_cached(
            "SELECT e.memory, e.credit FROM experiences e JOIN memories m ON m.id = e.memory
             WHERE e.report = ?1 AND m.status = 0 ORDER BY e.memory",
        )
        .map_err(sql)?;
    let rows = statement
        .query_map([report], |r| {
            Ok((r.get::<_, i64>(0)?.cast_unsigned(), Credit::from_raw(r.get(1)?).weight()))
        })
        .map_err(sql)?;
    rows.map(|row| row.map_err(sql)).collect()
}

/// Sums per (memory, situation), computed anew from the experiences of live memories.
pub(crate) fn recompute(conn: &Connection) -> Result<Vec<((i64, i64), Sums)>> {
    let mut statement = conn
        .prepare(
            "SELECT e.memory, e.situation, e.outcome, e.credit, e.won FROM experiences e
             JOIN memories m ON m.id = e.memory WHERE m.status = 0 ORDER BY e.memory, e.situation",
        )
        .map_err(sql)?;
    let mut rows = statement.query([]).map_err(sql)?;
    let mut cells: Vec<((i64, i64), Sums)> = Vec::new();
    while let Some(row) = rows.next().map_err(sql)? {
        let place = (row.get(0).map_err(sql)?, row.get(1).map_err(sql)?);
        let credit = Credit::from_raw(row.get(3).map_err(sql)?);
        let mut sums = Sums::of(credit, row.get(2).map_err(sql)?);
        sums.wins = row.get(4).map_err(sql)?;
        match cells.last_mut() {
            Some((last, so_far)) if *last == place => so_far.add(sums),
            _ => cells.push((place, sums)),
        }
    }
    Ok(cells)
}
