//! Erasing a memory: beyond forgetting it, everything that holds its words or its vector.
//!
//! This takes it out of the tables. What was deleted lies in free pages, the log and segments until the
//! store is compacted.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::id::ReportId;
use crate::vector::{Metric, Storage};

use super::aliases;
use super::authorities::Trust;
use super::bound::erase_texts;
use super::cells::{self, situation_hash};
use super::credit;
use super::db::{Tx, sql};
use super::identity;
use super::ledger::Ledger;
use super::memories::{self, FORGOTTEN, LIVE, MemoryRow};
use super::payload::unpack;
use super::reports::Row;
use super::standings;
use super::tables::{self, Holds};
use super::trials;

/// A text of at least so many bytes is erased where another one quotes it; a shorter one could be anybody's,
/// and only where it is the whole.
const QUOTED_FROM: usize = 16;

/// The words and vectors of the memories that go.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    pub ids: Vec<i64>,
    pub contents: Vec<String>,
    vectors: Vec<Vec<f32>>,
    /// What the store makes of a vector before it keeps it.
    kept: (Storage, Metric),
}

impl Traces {
    /// Those of a memory, and of the memories that were merged into it: they go with it.
    pub(crate) fn of(conn: &Connection, row: &MemoryRow) -> Result<Self> {
        let kept = (identity::storage(conn)?, identity::metric(conn)?);
        let mut traces = Self { ids: vec![row.id], kept, ..Self::default() };
        if row.status == LIVE {
            traces.ids.extend(aliases::of_survivor(conn, row.id)?);
        }
        for id in &traces.ids {
            traces.contents.extend(memories::payload(conn, *id)?.map(|(content, ..)| content));
            traces.vectors.extend(memories::vector(conn, *id)?);
        }
        Ok(traces)
    }

    /// Whether a vector is one of theirs, or was before the store rounded it.
    pub(crate) fn lie_at(&self, vector: &[f32]) -> bool {
        let any = |vector: &[f32]| {
            let bytes: &[u8] = bytemuck::cast_slice(vector);
            self.vectors.iter().any(|other| bytemuck::cast_slice::<f32, u8>(other) == bytes)
        };
        let (storage, metric) = self.kept;
        let mut rounded = vector.to_vec();
        any(vector) || storage != Storage::F32 && storage.keep(metric, &mut rounded).is_ok() && any(&rounded)
    }

    /// Whether a text is one of the contents, or quotes one.
    pub(crate) fn speak_in(&self, text: &str) -> bool {
        self.contents.iter().any(|content| {
            !content.is_empty() && (text == content || content.len() >= QUOTED_FROM && text.contains(content))
        })
    }
}

/// Erases a memory from the tables. Returns whether it was there until now.
///
/// Recalls whose query was the memory's own vector are erased with it, and their reports retracted: what
/// they taught lies at that vector.
pub(crate) fn erase(tx: &mut Tx<'_>, trust: &Trust, row: MemoryRow, traces: &Traces) -> Result<bool> {
    let same = situations(tx.conn, traces)?;
    retract(tx, trust, traces, &same)?;
    let was_there = row.status != FORGOTTEN;
    if was_there {
        memories::forget(tx, row)?;
    }
    for id in &traces.ids {
        for table in tables::ALL {
            if let Holds::Memory(column) = table.holds {
                let text = format!("DELETE FROM {} WHERE {column} = ?1", table.name);
                tx.conn.execute(&text, [id]).map_err(sql)?;
            }
        }
        tx.conn.execute("DELETE FROM experiences WHERE memory = ?1", [id]).map_err(sql)?;
    }
    for situation in &same {
        // What a receipt teaches whose query nobody knows lies at the memory that it is about: it stays
        // with another memory that has the same vector.
        tx.conn
            .execute(
                "DELETE FROM experiences WHERE situation = ?1 AND report NOT IN (
                   SELECT r.id FROM reports r JOIN receipts t ON t.id = r.receipt WHERE t.situation <> ?1)",
                [situation],
            )
            .map_err(sql)?;
        for text in [
            "DELETE FROM further_namespaces WHERE receipt IN (SELECT id FROM receipts WHERE situation = ?1)",
            "DELETE FROM receipts WHERE situation = ?1",
        ] {
            tx.conn.execute(text, [situation]).map_err(sql)?;
        }
    }
    for row in standings::all(tx.conn, None)? {
        trials::renew(tx, row.memory)?;
    }
    clean_reports(tx, traces, &same)?;
    erase_texts(tx, &|text| traces.speak_in(text))?;
    drop_situations(tx)?;
    Ok(was_there)
}

/// Deletes the situations that nothing refers to.
pub(crate) fn drop_situations(tx: &Tx<'_>) -> Result<()> {
    if crate::sabotage::on("situations_stay") {
        return Ok(());
    }
    tx.conn
        .execute(
            "DELETE FROM situations WHERE id NOT IN (
               SELECT situation FROM receipts UNION SELECT situation FROM experiences
               UNION SELECT situation FROM cells
               UNION SELECT situation FROM reports WHERE situation IS NOT NULL)",
            [],
        )
        .map(|_| ())
        .map_err(sql)
}

/// The situations with just these vectors.
fn situations(conn: &Connection, traces: &Traces) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    if traces.kept.0 != Storage::F32 {
        if traces.vectors.is_empty() {
            return Ok(found);
        }
        // Many vectors round to one: each is looked at.
        let mut statement = conn.prepare("SELECT id FROM situations").map_err(sql)?;
        let mut rows = statement.query([]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let id = row.get(0).map_err(sql)?;
            if traces.lie_at(&cells::situation(conn, id)?) {
                found.push(id);
            }
        }
        return Ok(found);
    }
    for vector in &traces.vectors {
        let hash = situation_hash(vector).to_le_bytes();
        let id: Option<i64> = conn
            .query_row("SELECT id FROM situations WHERE hash = ?1", [hash.as_slice()], |r| r.get(0))
            .optional()
            .map_err(sql)?;
        found.extend(id);
    }
    Ok(found)
}

/// Takes back what was reported in these situations on other memories, or on a recall.
fn retract(tx: &mut Tx<'_>, trust: &Trust, traces: &Traces, situations: &[i64]) -> Result<()> {
    let mut ledger = Ledger::default();
    for situation in situations {
        let mut rows = Row::load_where(tx.conn, "situation = ?1", situation)?;
        rows.retain(|row| !is_own(row, traces));
        rows.extend(Row::load_where(
            tx.conn,
            "receipt IN (SELECT id FROM receipts WHERE situation = ?1)",
            situation,
        )?);
        for row in rows.into_iter().filter(|row| row.retracted_at.is_none()) {
            credit::retract(tx, &mut ledger, ReportId(row.id.cast_unsigned()))?;
        }
    }
    ledger.close(tx, trust).map(|_| ())
}

/// Whether a report was told on one of these memories alone, without a recall.
fn is_own(row: &Row, traces: &Traces) -> bool {
    row.receipt.is_none() && row.used.iter().all(|id| traces.ids.contains(&id.cast_signed()))
}

/// Takes out of the reports the notes on these memories, and the situations that are theirs.
fn clean_reports(tx: &Tx<'_>, traces: &Traces, situations: &[i64]) -> Result<()> {
    for mut row in Row::load_where(tx.conn, "?1 AND (note IS NOT NULL OR situation IS NOT NULL)", 1)? {
        let used = row.used.iter().any(|id| traces.ids.contains(&id.cast_signed()));
        let quotes = match row.note.as_deref() {
            Some(note) => traces.speak_in(&unpack(note)?),
            None => false,
        };
        let note = row.note.is_some() && (used || quotes);
        let situation = row
            .situation
            .is_some_and(|situation| situations.contains(&situation) || (is_own(&row, traces) && used));
        if note || situation {
            row.erase(tx, note, situation)?;
        }
    }
    Ok(())
}
