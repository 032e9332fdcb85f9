//! Experiences: the credit that reports give to memories, kept in step with the cells.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};
use crate::outcome::{Credit, Sums};

use super::db::{Tx, sql};
use super::ledger::Ledger;
use super::reports::Row;
use super::sum::RowSum;

/// The credit a report gives a memory.
#[derive(Debug, Clone, Copy, PartialEq)]
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

/// Puts an experience into another situation.
pub(super) fn move_to(tx: &Tx<'_>, report: i64, memory: i64, situation: i64) -> Result<()> {
    let Some((_, experience)) = load_experience(tx.conn, report, memory)? else {
        return Ok(());
    };
    tx.conn
        .prepare_cached(
            "UPDATE experiences SET situation = ?3, checksum = ?4 WHERE report = ?1 AND memory = ?2",
        )
        .and_then(|mut s| {
            s.execute([report, memory, situation, experience.checksum(report, memory, situation).finish()])
        })
        .map(|_| ())
        .map_err(sql)
}

/// The experiences that a report gives, with their memories and situations.
pub(super) fn of_report(conn: &Connection, report: i64) -> Result<Vec<((u64, i64), Experience)>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT memory, situation, outcome, credit, won, checksum FROM experiences WHERE report = ?1",
        )
        .map_err(sql)?;
    let rows = statement
        .query_map([report], |r| {
            let credit = Credit::from_raw(r.get(3)?);
            let experience = Experience { outcome: r.get(2)?, credit, won: r.get(4)? };
            Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, experience, r.get::<_, i64>(5)?))
        })
        .map_err(sql)?;
    rows.map(|row| {
        let (memory, situation, experience, checksum) = row.map_err(sql)?;
        experience.checksum(report, memory, situation).check(checksum, report)?;
        Ok(((memory.cast_unsigned(), situation), experience))
    })
    .collect()
}

/// Makes `wanted` the experience that a report gives a memory in a situation, which was `held`.
pub(super) fn set_experience(
    tx: &Tx<'_>,
    ledger: &mut Ledger,
    report: &Row,
    (memory, situation): (u64, i64),
    held: Option<Experience>,
    wanted: Option<Experience>,
) -> Result<()> {
    let id = memory.cast_signed();
    if ledger.memory(tx.conn, id)?.is_none() {
        return Err(Error::UnknownMemory { id: memory });
    }
    match wanted {
        Some(wanted) => {
            let Experience { outcome, credit, won } = wanted;
            let checksum = wanted.checksum(report.id, id, situation).finish();
            tx.conn
                .prepare_cached(
                    "INSERT OR REPLACE INTO experiences(report, memory, situation, outcome, credit, won, checksum)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )
                .and_then(|mut s| {
                    s.execute(params![report.id, id, situation, outcome, credit.raw(), won, checksum])
                })
                .map_err(sql)?;
            if held.is_none() {
                ledger.note_new(id, report);
            }
        }
        None => {
            tx.conn
                .prepare_cached("DELETE FROM experiences WHERE report = ?1 AND memory = ?2")
                .and_then(|mut s| s.execute([report.id, id]))
                .map_err(sql)?;
        }
    }
    let sums = |experience: Option<Experience>| experience.map(Experience::sums).unwrap_or_default();
    let (plus, minus) = (sums(wanted), sums(held));
    ledger.shift(id, situation, (report.group(), report.day()), plus, minus);
    ledger.shift_trials(tx.conn, id, report, (plus, minus))
}

/// The live memories that a report counts for.
pub(super) fn credited(conn: &Connection, report: i64) -> Result<Vec<(u64, f64)>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT m.id, sum(e.credit) FROM experiences e LEFT JOIN aliases a ON a.memory = e.memory
             JOIN memories m ON m.id = ifnull(a.survivor, e.memory)
             WHERE e.report = ?1 AND m.status = 0 GROUP BY m.id ORDER BY m.id",
        )
        .map_err(sql)?;
    let rows = statement
        .query_map([report], |r| {
            Ok((r.get::<_, i64>(0)?.cast_unsigned(), Credit::from_raw(r.get(1)?).weight()))
        })
        .map_err(sql)?;
    rows.map(|row| row.map_err(sql)).collect()
}
