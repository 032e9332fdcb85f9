//! Reports: kept as they were told.

use rusqlite::{Connection, OptionalExtension, params};
use xxhash_rust::xxh3::Xxh3;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{MemoryId, ReceiptId};
use crate::outcome::{Group, day};

use super::authorities::Trust;
use super::db::{Tx, sql};
use super::ledger::Ledger;
use super::principals::Standing;
use super::receipts::{decode_ids, encode_ids};
use super::slip::Slip;
use super::sum::RowSum;

/// What a report is about.
pub(crate) enum About<'a> {
    /// A recall; with its receipt if that is to be had.
    Receipt(ReceiptId, Option<&'a Slip>),
    /// A memory used without a recall, in the situation with this vector; `None`: its own.
    Memory(MemoryId, Option<&'a [f32]>),
}

/// A report to be kept.
pub(crate) struct NewReport<'a> {
    pub about: About<'a>,
    /// Whether situations are compared by direction, so that a zero vector has no place.
    pub directed: bool,
    /// In `0..=1`; `None`: unknown.
    pub outcome: Option<f64>,
    /// In `0..=1`: multiplies the credit.
    pub weight: f64,
    pub severe: bool,
    /// By what registrations are judged.
    pub trust: Trust,
    pub token: Option<&'a str>,
    pub used: &'a [u64],
    pub tokens: Option<u64>,
    pub cost_micros: Option<i64>,
    pub reporter: Option<&'a str>,
    pub key: Option<&'a str>,
    pub note: Option<&'a str>,
}

impl NewReport<'_> {
    /// What makes two reports under one key the same.
    pub(super) fn fingerprint(&self) -> Vec<u8> {
        let mut hash = Xxh3::new();
        match self.about {
            About::Receipt(receipt, _) => hash.update(&receipt.to_bytes()),
            About::Memory(memory, situation) => {
                hash.update(&memory.0.to_le_bytes());
                hash.update(bytemuck::cast_slice(situation.unwrap_or_default()));
            }
        }
        hash.update(&self.outcome.unwrap_or(-1.0).to_le_bytes());
        hash.update(&encode_ids(self.used));
        hash.update(format!("{:?}", (self.tokens, self.cost_micros, self.reporter, self.note)).as_bytes());
        // Fingerprints of version 1 knew neither.
        if self.weight < 1.0 || self.severe {
            hash.update(format!("{:?}", (self.weight, self.severe)).as_bytes());
        }
        hash.digest128().to_le_bytes().to_vec()
    }
}

/// The row of a report.
pub(super) struct Row {
    pub id: i64,
    pub at: Timestamp,
    pub receipt: Option<Vec<u8>>,
    pub outcome: Option<f64>,
    pub used: Vec<u64>,
    pub situation: Option<i64>,
    pub tokens: Option<i64>,
    pub cost_micros: Option<i64>,
    pub reporter: Option<i64>,
    pub key: Option<String>,
    pub note: Option<Vec<u8>>,
    pub pending: bool,
    pub fingerprint: Vec<u8>,
    pub weight: f64,
    pub severe: bool,
    pub retracted_at: Option<Timestamp>,
    /// Of whoever told it, when it was told.
    pub standing: Standing,
}

const COLUMNS: &str = "id, at, receipt, outcome, used, situation, tokens, cost_micros, reporter, key, note, \
                       pending, fingerprint, weight, severe, retracted_at, standing, checksum";

impl Row {
    /// Whose word it is.
    pub(super) fn group(&self) -> Group {
        self.standing.group(self.reporter)
    }

    /// The day (UTC) on which it was told.
    pub(super) fn day(&self) -> i64 {
        day(self.at)
    }

    /// What it says, unless it says nothing: retracted, waiting for its receipt, or unknown.
    pub(super) fn verdict(&self) -> Option<f64> {
        self.outcome.filter(|_| self.retracted_at.is_none() && !self.pending)
    }

    fn sum(&self) -> i64 {
        let mut sum = RowSum::new("reports")
            .int(self.id)
            .int(self.at)
            .blob(self.receipt.as_deref())
            .real(self.outcome)
            .bytes(&encode_ids(&self.used))
            .opt(self.situation)
            .opt(self.tokens)
            .opt(self.cost_micros)
            .opt(self.reporter)
            .text(self.key.as_deref())
            .blob(self.note.as_deref())
            .int(i64::from(self.pending))
            .bytes(&self.fingerprint);
        // Columns of version 2.
        if self.weight.to_bits() != 1.0_f64.to_bits() {
            sum = sum.text(Some("weight")).real(Some(self.weight));
        }
        if self.severe {
            sum = sum.text(Some("severe"));
        }
        if self.retracted_at.is_some() {
            sum = sum.text(Some("retracted_at")).opt(self.retracted_at);
        }
        if self.standing != Standing::Owner {
            sum = sum.text(Some("standing")).int(self.standing as i64);
        }
        sum.finish()
    }

    pub(super) fn load_where(
        conn: &Connection,
        condition: &str,
        value: impl rusqlite::ToSql,
    ) -> Result<Vec<Row>> {
        let rows = Self::load_unchecked(conn, condition, value)?;
        rows.into_iter()
            .map(|(row, checksum)| {
                if row.sum() == checksum {
                    Ok(row)
                } else {
                    Err(Error::corrupt(format!(
                        "row {} of table reports does not match its checksum",
                        row.id
                    )))
                }
            })
            .collect()
    }

    fn load_unchecked(
        conn: &Connection,
        condition: &str,
        value: impl rusqlite::ToSql,
    ) -> Result<Vec<(Row, i64)>> {
        let mut statement = conn
            .prepare_cached(&format!("SELECT {COLUMNS} FROM reports WHERE {condition} ORDER BY id"))
            .map_err(sql)?;
        let rows = statement
            .query_map([value], |r| {
                let row = Row {
                    id: r.get(0)?,
                    at: r.get(1)?,
                    receipt: r.get(2)?,
                    outcome: r.get(3)?,
                    used: Vec::new(),
                    situation: r.get(5)?,
                    tokens: r.get(6)?,
                    cost_micros: r.get(7)?,
                    reporter: r.get(8)?,
                    key: r.get(9)?,
                    note: r.get(10)?,
                    pending: r.get(11)?,
                    fingerprint: r.get(12)?,
                    weight: r.get(13)?,
                    severe: r.get(14)?,
                    retracted_at: r.get(15)?,
                    standing: Standing::Owner,
                };
                Ok((row, r.get::<_, Vec<u8>>(4)?, r.get::<_, i64>(16)?, r.get::<_, i64>(17)?))
            })
            .map_err(sql)?;
        rows.map(|row| {
            let (mut row, used, standing, checksum) = row.map_err(sql)?;
            row.standing = Standing::from_number(standing)?;
            row.used = decode_ids(&used)?;
            Ok((row, checksum))
        })
        .collect()
    }

    /// Writes a new row, and gives it its id.
    pub(super) fn insert(&mut self, tx: &Tx<'_>, ledger: &mut Ledger) -> Result<()> {
        self.id = ledger.next_report(tx.conn)?;
        tx.conn
            .prepare_cached(&format!(
                "INSERT INTO reports({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
            ))
            .and_then(|mut s| {
                s.execute(params![
                    self.id,
                    self.at,
                    self.receipt,
                    self.outcome,
                    encode_ids(&self.used),
                    self.situation,
                    self.tokens,
                    self.cost_micros,
                    self.reporter,
                    self.key,
                    self.note,
                    self.pending,
                    self.fingerprint,
                    self.weight,
                    self.severe,
                    self.retracted_at,
                    self.standing as i64,
                    self.sum()
                ])
            })
            .map(|_| ())
            .map_err(sql)
    }

    /// Takes the note and the situation out of a row.
    pub(super) fn erase(&mut self, tx: &Tx<'_>, note: bool, situation: bool) -> Result<()> {
        self.note = self.note.take().filter(|_| !note);
        self.situation = self.situation.filter(|_| !situation);
        tx.conn
            .prepare_cached("UPDATE reports SET note = ?2, situation = ?3, checksum = ?4 WHERE id = ?1")
            .and_then(|mut s| s.execute(params![self.id, self.note, self.situation, self.sum()]))
            .map(|_| ())
            .map_err(sql)
    }

    /// Puts a report into another situation.
    pub(super) fn move_to(&mut self, tx: &Tx<'_>, situation: i64) -> Result<()> {
        self.situation = Some(situation);
        tx.conn
            .prepare_cached("UPDATE reports SET situation = ?2, checksum = ?3 WHERE id = ?1")
            .and_then(|mut s| s.execute(params![self.id, self.situation, self.sum()]))
            .map(|_| ())
            .map_err(sql)
    }

    /// Writes what may change of a row: whether it waits, and whether it was retracted.
    pub(super) fn save(&self, tx: &Tx<'_>) -> Result<()> {
        tx.conn
            .prepare_cached("UPDATE reports SET pending = ?2, retracted_at = ?3, checksum = ?4 WHERE id = ?1")
            .and_then(|mut s| s.execute(params![self.id, self.pending, self.retracted_at, self.sum()]))
            .map(|_| ())
            .map_err(sql)
    }
}

/// Computes the checksums of all rows anew, where they come from elsewhere.
pub(super) fn sum_anew(conn: &Connection) -> Result<()> {
    for (row, _) in Row::load_unchecked(conn, "?1 = 1", 1)? {
        conn.prepare_cached("UPDATE reports SET checksum = ?2 WHERE id = ?1")
            .and_then(|mut s| s.execute([row.id, row.sum()]))
            .map_err(sql)?;
    }
    Ok(())
}

/// The id that the next report gets. None is given out twice.
pub(super) fn next_id(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'reports'")
        .and_then(|mut s| s.query_row([], |r| r.get(0)).optional())
        .map(|id| id.unwrap_or(1))
        .map_err(sql)
}

/// Ids of the receipts that reports are waiting for.
pub(crate) fn awaited(conn: &Connection) -> Result<Vec<ReceiptId>> {
    let mut statement = conn
        .prepare_cached("SELECT DISTINCT receipt FROM reports WHERE pending = 1 AND receipt IS NOT NULL")
        .map_err(sql)?;
    let rows = statement.query_map([], |r| r.get::<_, Vec<u8>>(0)).map_err(sql)?;
    rows.map(|row| {
        let bytes: [u8; 16] =
            row.map_err(sql)?.try_into().map_err(|_| Error::corrupt("a receipt id is not 16 bytes long"))?;
        Ok(ReceiptId::from_bytes(bytes))
    })
    .collect()
}

/// How many reports there are.
pub(crate) fn count(conn: &Connection) -> Result<u64> {
    conn.query_row("SELECT count(*) FROM reports", [], |r| r.get::<_, i64>(0))
        .map(i64::cast_unsigned)
        .map_err(sql)
}

/// Reads every report and so checks its checksum. Returns how many there are.
pub(crate) fn check_all(conn: &Connection) -> Result<u64> {
    Row::load_where(conn, "?1 = 1", 1).map(|rows| rows.len() as u64)
}
