//! How memories stand: quarantined, on probation, retired, pinned. A memory without a row is active and
//! not pinned, and all of its evidence counts.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::ReceiptId;
use crate::outcome::{Group, StandingState, Sums, Told, Weights, Witnesses, day, outcomes};

use super::aliases;
use super::authorities::Trust;
use super::bound::shown_by_chance;
use super::cells::{self, CellRow};
use super::changes::Op;
use super::db::{Tx, sql};
use super::lots;
use super::memories;
use super::scales;
use super::sum::RowSum;
use super::trials;

/// The standing of a memory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StandingRow {
    pub memory: i64,
    pub namespace: i64,
    pub state: StandingState,
    pub pinned: bool,
    /// When it came into this state.
    pub since: i64,
    /// Reports above this number decide about the state to come; those up to it are spent.
    pub counts_from: i64,
    pub reason: String,
}

const COLUMNS: &str =
    "s.memory, s.namespace, s.state, s.pinned, s.since, s.counts_from, s.reason, s.checksum";
const STATES: [StandingState; 4] =
    [StandingState::Active, StandingState::Quarantined, StandingState::Probation, StandingState::Retired];

/// The number of a state is part of the file format.
fn number(state: StandingState) -> i64 {
    match state {
        StandingState::Active => 0,
        StandingState::Quarantined => 1,
        StandingState::Probation => 2,
        StandingState::Retired => 3,
    }
}

impl StandingRow {
    /// That of a memory which nothing was ever decided about.
    pub(crate) fn plain(memory: i64, namespace: i64) -> Self {
        let (state, reason) = (StandingState::Active, String::new());
        Self { memory, namespace, state, pinned: false, since: 0, counts_from: 0, reason }
    }

    fn sum(&self) -> RowSum {
        RowSum::new("standings")
            .int(self.memory)
            .int(self.namespace)
            .int(number(self.state))
            .int(i64::from(self.pinned))
            .int(self.since)
            .int(self.counts_from)
            .text(Some(&self.reason))
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<(Self, i64, i64)> {
        let state: i64 = row.get(2)?;
        let read = Self {
            memory: row.get(0)?,
            namespace: row.get(1)?,
            state: usize::try_from(state).ok().and_then(|n| STATES.get(n)).copied().unwrap_or(STATES[0]),
            pinned: row.get(3)?,
            since: row.get(4)?,
            counts_from: row.get(5)?,
            reason: row.get(6)?,
        };
        Ok((read, state, row.get(7)?))
    }

    fn checked((row, state, checksum): (Self, i64, i64)) -> Result<Self> {
        if number(row.state) != state {
            return Err(Error::corrupt(format!("memory {} stands in no known way ({state})", row.memory)));
        }
        row.sum().check(checksum, row.memory)?;
        Ok(row)
    }
}

/// The standing of a memory, if anything was ever decided about it.
pub(crate) fn load(conn: &Connection, memory: i64) -> Result<Option<StandingRow>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM standings s WHERE memory = ?1")).map_err(sql)?;
    let row = statement.query_row([memory], StandingRow::read).optional().map_err(sql)?;
    row.map(StandingRow::checked).transpose()
}

/// Those of these memories about which something was ever decided.
pub(super) fn among(conn: &Connection, memories: &[u64]) -> Result<Vec<u64>> {
    let any: bool = conn
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM standings)")
        .and_then(|mut s| s.query_row([], |r| r.get(0)))
        .map_err(sql)?;
    let mut found = Vec::new();
    if any {
        let mut statement =
            conn.prepare_cached("SELECT EXISTS(SELECT 1 FROM standings WHERE memory = ?1)").map_err(sql)?;
        for memory in memories {
            if statement.query_row([memory.cast_signed()], |r| r.get(0)).map_err(sql)? {
                found.push(*memory);
            }
        }
    }
    Ok(found)
}

/// The standings of live memories, of one namespace or of all; by id.
pub(crate) fn all(conn: &Connection, namespace: Option<i64>) -> Result<Vec<StandingRow>> {
    let filter = if namespace.is_some() { "s.namespace = ?1" } else { "?1 IS NULL" };
    let mut statement = conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM standings s JOIN memories m ON m.id = s.memory
             WHERE m.status = 0 AND {filter} ORDER BY s.memory"
        ))
        .map_err(sql)?;
    let rows = statement.query_map([namespace], StandingRow::read).map_err(sql)?;
    rows.map(|row| StandingRow::checked(row.map_err(sql)?)).collect()
}

/// Writes a standing.
pub(crate) fn save(tx: &mut Tx<'_>, row: &StandingRow) -> Result<()> {
    let is_kept = load(tx.conn, row.memory)?.is_some_and(|before| before.counts_from == row.counts_from);
    tx.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO standings(memory, namespace, state, pinned, since, counts_from, reason, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .and_then(|mut s| {
            let (state, checksum) = (number(row.state), row.sum().finish());
            let StandingRow { memory, namespace, pinned, since, counts_from, reason, .. } = row;
            s.execute(params![memory, namespace, state, pinned, since, counts_from, reason, checksum])
        })
        .map_err(sql)?;
    if !is_kept {
        trials::renew(tx, row.memory)?;
    }
    tx.change(Op::Standing, row.namespace, row.memory).map(|_| ())
}

/// Reads every standing. One sentence for each row at fault.
pub(crate) fn check_all(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare("SELECT memory FROM standings").map_err(sql)?;
    let rows = statement.query_map([], |r| r.get::<_, i64>(0)).map_err(sql)?;
    let mut faults = Vec::new();
    for memory in rows {
        match load(conn, memory.map_err(sql)?) {
            Err(Error::Corrupt { what }) => faults.push(what),
            other => drop(other?),
        }
    }
    Ok(faults)
}

/// What some of the reports on a memory are worth.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Since {
    pub weights: Weights,
    /// Outcomes that these count for.
    pub outcomes: u64,
}

/// The evidence that reports above number `after` give a memory. Each weighs what it weighs in a recall: the cap of
/// its day is that for all that was told on it, before and after.
pub(crate) fn evidence_since(
    conn: &Connection,
    trust: &Trust,
    memory: i64,
    after: i64,
    now: Timestamp,
) -> Result<Since> {
    let is_kept = load(conn, memory)?.is_some_and(|row| row.counts_from == after);
    let parts = if is_kept { trials::load(conn, memory)? } else { trials::told_since(conn, memory, after)? };
    let scales = scales::load(conn, trust)?;
    let kind = memories::load(conn, memory)?.map_or(0, |row| row.kind);
    // Nobody but the owner has a cap.
    let told =
        if parts.keys().all(|(group, _)| *group == Group::OWNER) || crate::sabotage::on("trials_unweighed") {
            Told::of(kind)
        } else {
            lots::told(conn, memory, kind)?
        };
    let parts = || parts.iter().map(|(source, sums)| (*source, *sums));
    let mut since = Since { outcomes: outcomes(parts(), &scales), ..Since::default() };
    told.add_to(&mut since.weights, parts(), &scales, day(now));
    if crate::sabotage::on("trials_unweighed") {
        since.outcomes = since.weights.reports as u64;
    }
    Ok(since)
}

/// The cells that count for a memory: its own, and those of the memories merged into it.
pub(crate) fn evidence(conn: &Connection, memory: i64) -> Result<Vec<CellRow>> {
    let mut all = cells::of_memory(conn, memory)?;
    for merged in aliases::of_survivor(conn, memory)? {
        all.extend(cells::of_memory(conn, merged)?);
    }
    Ok(all)
}

/// The least weight that the successes of a memory can have, and the most that its failures can.
pub(crate) fn worst_case(conn: &Connection, memory: i64) -> Result<(f64, f64)> {
    let (mut inline, mut lots) = (Sums::default(), Sums::default());
    for cell in evidence(conn, memory)? {
        inline.add(cell.sums);
        if cell.lots > 0 {
            lots::of_cell(conn, cell.id)?.iter().for_each(|lot| lots.add(lot.sums));
        }
    }
    let (inline, lots) = (Weights::from(inline), Weights::from(lots));
    Ok((inline.successes, inline.failures + lots.failures))
}

/// Who has told of failures of a memory. Names that are not registered are nobody's: one more is had for nothing.
pub(crate) fn witnesses(conn: &Connection, memory: i64) -> Result<Witnesses> {
    conn.prepare_cached(
        "SELECT ifnull(max(r.standing = 0), 0),
                count(DISTINCT r.reporter) FILTER (WHERE r.standing = 1)
         FROM experiences e JOIN reports r ON r.id = e.report
         WHERE e.memory IN (SELECT ?1 UNION ALL SELECT memory FROM aliases WHERE survivor = ?1) AND e.outcome < 0.5 AND e.credit > 0",
    )
    .and_then(|mut s| {
        s.query_row([memory], |r| Ok(Witnesses { owner: r.get(0)?, others: r.get::<_, i64>(1)? as usize }))
    })
    .map_err(sql)
}

/// Number of the newest report.
pub(crate) fn last_report(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("SELECT ifnull(max(id), 0) FROM reports")
        .and_then(|mut s| s.query_row([], |r| r.get(0)))
        .map_err(sql)
}

/// The first report above number `after` by which a quarantined memory was tried: on a recall since `since`
/// that had left it to chance to show it.
pub(crate) fn first_trial(conn: &Connection, memory: i64, after: i64, since: i64) -> Result<Option<i64>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT r.id, r.receipt FROM experiences e JOIN reports r ON r.id = e.report
             WHERE e.memory IN (SELECT ?1 UNION ALL SELECT memory FROM aliases WHERE survivor = ?1) AND e.report > ?2 AND r.receipt IS NOT NULL ORDER BY r.id",
        )
        .map_err(sql)?;
    let rows = statement
        .query_map([memory, after], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?)))
        .map_err(sql)?;
    for row in rows {
        let (report, receipt) = row.map_err(sql)?;
        let id: [u8; 16] =
            receipt.try_into().map_err(|_| Error::corrupt("a receipt id is not 16 bytes long"))?;
        // Receipts know their time to the millisecond.
        if ReceiptId::from_bytes(id).issued() / 1000 >= since / 1000
            && shown_by_chance(conn, &id, memory.cast_unsigned())?
        {
            return Ok(Some(report));
        }
    }
    Ok(None)
}
