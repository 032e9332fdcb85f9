//! Reports: kept as they were told, and turned into credit.
//!
//! One receipt gives one unit of credit in all, shared by the reports on it that give any and, in
//! each, by the memories it names. So a further report on a receipt changes the shares of the
//! earlier ones: the experiences of a receipt are always computed from the whole set of its reports.

use rusqlite::{Connection, OptionalExtension, params};
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};
use crate::id::{MemoryId, ReceiptId};
use crate::outcome::Credit;

use super::cells::{intern_situation, situation};
use super::db::{Tx, sql};
use super::experiences::{Experience, credited, load_experience, set_experience};
use super::memories::{self, FORGOTTEN};
use super::names::intern_principal;
use super::payload::pack;
use super::receipts::{decode_ids, encode_ids};
use super::slip::{Facts, Slip};
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
    pub used: &'a [u64],
    pub tokens: Option<u64>,
    pub cost_micros: Option<i64>,
    pub reporter: Option<&'a str>,
    pub key: Option<&'a str>,
    pub note: Option<&'a str>,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filed {
    pub id: i64,
    pub pending: bool,
    pub duplicate: bool,
    /// The live memories it counts for, and the share of each.
    pub credited: Vec<(u64, f64)>,
}

/// The row of a report.
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) at: i64,
    receipt: Option<Vec<u8>>,
    pub(super) outcome: Option<f64>,
    pub(super) used: Vec<u64>,
    situation: Option<i64>,
    pub(super) tokens: Option<i64>,
    pub(super) cost_micros: Option<i64>,
    pub(super) reporter: Option<i64>,
    key: Option<String>,
    note: Option<Vec<u8>>,
    pub(super) pending: bool,
    fingerprint: Vec<u8>,
}

const COLUMNS: &str = "id, at, receipt, outcome, used, situation, tokens, cost_micros, reporter, key, note, \
                       pending, fingerprint, checksum";

impl Row {
    fn sum(&self) -> i64 {
        RowSum::new("reports")
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
            .bytes(&self.fingerprint)
            .finish()
    }

    pub(super) fn load_where(
        conn: &Connection,
        condition: &str,
        value: impl rusqlite::ToSql,
    ) -> Result<Vec<Row>> {
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
                };
                Ok((row, r.get::<_, Vec<u8>>(4)?, r.get::<_, i64>(13)?))
            })
            .map_err(sql)?;
        rows.map(|row| {
            let (mut row, used, checksum) = row.map_err(sql)?;
            row.used = decode_ids(&used)?;
            if row.sum() == checksum {
                Ok(row)
            } else {
                Err(Error::corrupt(format!("row {} of table reports does not match its checksum", row.id)))
            }
        })
        .collect()
    }

    fn insert(&mut self, tx: &Tx<'_>) -> Result<()> {
        self.id = tx
            .conn
            .prepare_cached("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'reports'")
            .and_then(|mut s| s.query_row([], |r| r.get(0)).optional())
            .map_err(sql)?
            .unwrap_or(1);
        tx.conn
            .prepare_cached(&format!(
                "INSERT INTO reports({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
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
                    self.sum()
                ])
            })
            .map(|_| ())
            .map_err(sql)
    }
}

/// Keeps a report and credits what it says. A receipt that is not to be had makes it pending.
pub(crate) fn file(tx: &mut Tx<'_>, new: &NewReport<'_>) -> Result<Filed> {
    let fingerprint = fingerprint(new);
    if let Some(key) = new.key.filter(|_| !crate::sabotage::on("ignore_keys"))
        && let Some(row) = Row::load_where(tx.conn, "key = ?1", key)?.into_iter().next()
    {
        if row.fingerprint != fingerprint {
            return Err(Error::KeyConflict { key: key.to_owned(), by: format!("report {}", row.id) });
        }
        let credited = credited(tx, row.id)?;
        return Ok(Filed { id: row.id, pending: row.pending, duplicate: true, credited });
    }
    let mut row = Row {
        id: 0,
        at: tx.now,
        receipt: None,
        outcome: new.outcome,
        used: new.used.to_vec(),
        situation: None,
        tokens: new.tokens.map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
        cost_micros: new.cost_micros,
        reporter: new.reporter.map(|name| intern_principal(tx, name)).transpose()?,
        key: new.key.map(str::to_owned),
        note: new.note.map(pack),
        pending: false,
        fingerprint,
    };
    match new.about {
        About::Memory(memory, situation) => {
            let unknown = || Error::UnknownMemory { id: memory.0 };
            let id = memory.0.cast_signed();
            memories::load(tx.conn, id)?.filter(|row| row.status != FORGOTTEN).ok_or_else(unknown)?;
            let own;
            let situation = if let Some(situation) = situation {
                situation
            } else {
                own = memories::vector(tx.conn, id)?.ok_or_else(unknown)?;
                &own
            };
            if situation.iter().all(|x| *x == 0.0) && new.directed {
                return Err(Error::ZeroVector);
            }
            row.situation = Some(intern_situation(tx, situation)?);
            row.used = vec![memory.0];
            row.insert(tx)?;
            credit_memory(tx, &row)?;
        }
        About::Receipt(receipt, slip) => {
            let id = receipt.to_bytes();
            row.receipt = Some(id.to_vec());
            match bind(tx, receipt, slip)? {
                None => {
                    row.pending = true;
                    row.insert(tx)?;
                }
                Some(bound) => {
                    if let Some(&memory) = row.used.iter().find(|m| !bound.offered().contains(m)) {
                        return Err(Error::NotShown { memory, receipt: receipt.to_string() });
                    }
                    row.insert(tx)?;
                    credit_receipt(tx, &id, &bound)?;
                }
            }
        }
    }
    Ok(Filed { id: row.id, pending: row.pending, duplicate: false, credited: credited(tx, row.id)? })
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

/// Whether a copy of this receipt is kept here.
pub(crate) fn is_bound(conn: &Connection, id: ReceiptId) -> Result<bool> {
    conn.prepare_cached("SELECT count(*) FROM receipts WHERE id = ?1")
        .and_then(|mut s| s.query_row([id.to_bytes().as_slice()], |r| r.get::<_, i64>(0)))
        .map(|n| n > 0)
        .map_err(sql)
}

/// Credits the reports that were waiting for this receipt, of which there is a copy here or a slip.
/// What they name beyond what it has shown is not credited.
pub(crate) fn settle(tx: &mut Tx<'_>, receipt: ReceiptId, slip: Option<&Slip>) -> Result<()> {
    let id = receipt.to_bytes();
    let Some(bound) = bind(tx, receipt, slip)? else {
        return Ok(());
    };
    for mut row in Row::load_where(tx.conn, "receipt = ?1", id.as_slice())? {
        if row.pending {
            row.pending = false;
            tx.conn
                .execute("UPDATE reports SET pending = 0, checksum = ?2 WHERE id = ?1", [row.id, row.sum()])
                .map_err(sql)?;
        }
    }
    credit_receipt(tx, &id, &bound)
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

/// Checks what reports rest on: situations, copies of receipts, experiences. One sentence for each
/// row at fault.
pub(crate) fn check_grounds(conn: &Connection) -> Result<Vec<String>> {
    let numbers = |text: &str| -> Result<Vec<(i64, i64)>> {
        let mut statement = conn.prepare(text).map_err(sql)?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).map_err(sql)?;
        rows.collect::<rusqlite::Result<_>>().map_err(sql)
    };
    let mut faults = Vec::new();
    let mut note = |checked: Result<()>| match checked {
        Err(Error::Corrupt { what }) => {
            faults.push(what);
            Ok(())
        }
        other => other,
    };
    for (id, _) in numbers("SELECT id, 0 FROM situations ORDER BY id")? {
        note(situation(conn, id).map(|_| ()))?;
    }
    for (report, memory) in numbers("SELECT report, memory FROM experiences ORDER BY report, memory")? {
        note(load_experience(conn, report, memory).map(|_| ()))?;
    }
    let mut statement = conn.prepare("SELECT id FROM receipts").map_err(sql)?;
    let rows = statement.query_map([], |r| r.get::<_, Vec<u8>>(0)).map_err(sql)?;
    for id in rows {
        let id: Result<[u8; 16], _> = id.map_err(sql)?.try_into();
        note(match id {
            Ok(id) => load_receipt(conn, &id).map(|_| ()),
            Err(_) => Err(Error::corrupt("a receipt id is not 16 bytes long")),
        })?;
    }
    Ok(faults)
}

/// A receipt that was reported on.
pub(super) struct Bound {
    situation: i64,
    pub(super) shown: Vec<u64>,
    pub(super) facts: Facts,
}

impl Bound {
    /// The memories that the caller was given and may name: none where they were withheld.
    pub(super) fn offered(&self) -> &[u64] {
        if self.facts.withheld && !crate::sabotage::on("withheld_credits") { &[] } else { &self.shown }
    }

    /// The memories that a report used which names these: with none named, the only one there was.
    /// Several were shown and none is named: none.
    pub(super) fn used(&self, named: &[u64]) -> Vec<u64> {
        match (named, self.offered()) {
            ([], [only]) => vec![*only],
            (named, offered) => named.iter().copied().filter(|memory| offered.contains(memory)).collect(),
        }
    }
}

fn receipt_sum(
    id: &[u8; 16],
    situation: i64,
    text: Option<&[u8]>,
    shown: &[u8],
    facts: Option<&[u8]>,
) -> RowSum {
    let sum = RowSum::new("receipts").bytes(id).int(situation).blob(text).bytes(shown);
    // A column of version 2.
    match facts {
        Some(facts) => sum.bytes(facts),
        None => sum,
    }
}

/// The copy of a receipt in this database.
pub(super) fn load_receipt(conn: &Connection, id: &[u8; 16]) -> Result<Option<Bound>> {
    let found = conn
        .prepare_cached("SELECT situation, query_text, shown, facts, checksum FROM receipts WHERE id = ?1")
        .and_then(|mut s| {
            s.query_row([id.as_slice()], |r| {
                let (situation, text): (i64, Option<Vec<u8>>) = (r.get(0)?, r.get(1)?);
                let (shown, facts): (Vec<u8>, Option<Vec<u8>>) = (r.get(2)?, r.get(3)?);
                Ok((situation, text, shown, facts, r.get::<_, i64>(4)?))
            })
            .optional()
        })
        .map_err(sql)?;
    let Some((situation, text, shown, facts, checksum)) = found else {
        return Ok(None);
    };
    receipt_sum(id, situation, text.as_deref(), &shown, facts.as_deref()).check(checksum, 0)?;
    let facts = facts.as_deref().map_or(Ok(Facts::default()), Facts::decode)?;
    Ok(Some(Bound { situation, shown: decode_ids(&shown)?, facts }))
}

/// The copy of a receipt in this database, made from `slip` if there is none yet.
fn bind(tx: &Tx<'_>, id: ReceiptId, slip: Option<&Slip>) -> Result<Option<Bound>> {
    let bytes = id.to_bytes();
    if let Some(bound) = load_receipt(tx.conn, &bytes)? {
        return Ok(Some(bound));
    }
    let Some(slip) = slip else {
        return Ok(None);
    };
    let situation = intern_situation(tx, &slip.vector)?;
    let (text, shown) = (slip.text.as_deref().map(pack), encode_ids(&slip.shown));
    let facts = slip.facts.encode();
    let checksum = receipt_sum(&bytes, situation, text.as_deref(), &shown, Some(&facts)).finish();
    let bound = Bound { situation, shown: slip.shown.clone(), facts: slip.facts.clone() };
    if crate::sabotage::on("forget_receipts") {
        return Ok(Some(bound));
    }
    tx.conn
        .prepare_cached(
            "INSERT INTO receipts(id, situation, query_text, shown, facts, namespace, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut s| {
            let namespace = slip.facts.namespaces.first();
            s.execute(params![bytes.as_slice(), situation, text, shown, facts, namespace, checksum])
        })
        .map_err(sql)?;
    Ok(Some(bound))
}

fn credit_memory(tx: &mut Tx<'_>, row: &Row) -> Result<()> {
    if let (Some(outcome), Some(situation), [memory]) = (row.outcome, row.situation, row.used.as_slice()) {
        // No receipt, no win: such a report nominates nobody.
        let wanted = Experience { outcome, credit: Credit::share(1, 1), won: false };
        return set_experience(tx, row.id, *memory, situation, wanted);
    }
    Ok(())
}

/// Brings the experiences of a receipt in step with the reports on it.
fn credit_receipt(tx: &mut Tx<'_>, id: &[u8; 16], bound: &Bound) -> Result<()> {
    let mut reports = Row::load_where(tx.conn, "receipt = ?1", id.as_slice())?;
    if crate::sabotage::on("unknown_is_failure") {
        for row in &mut reports {
            row.outcome = row.outcome.or(Some(0.0));
        }
    }
    let used = |row: &Row| if row.pending { Vec::new() } else { bound.used(&row.used) };
    let giving: Vec<(&Row, f64, Vec<u64>)> = reports
        .iter()
        .filter_map(|row| row.outcome.map(|outcome| (row, outcome, used(row))))
        .filter(|(.., used)| !used.is_empty())
        .collect();
    let mut winners: Vec<u64> = Vec::new();
    for (row, outcome, used) in &giving {
        for &memory in used {
            // One receipt is one win, however many reporters praise it.
            let won = *outcome >= 0.5 && !winners.contains(&memory);
            if won {
                winners.push(memory);
            }
            let credit = Credit::share(giving.len(), used.len());
            let wanted = Experience { outcome: *outcome, credit, won };
            set_experience(tx, row.id, memory, bound.situation, wanted)?;
        }
    }
    Ok(())
}

/// What makes two reports under one key the same.
fn fingerprint(new: &NewReport<'_>) -> Vec<u8> {
    let mut hash = Xxh3::new();
    match new.about {
        About::Receipt(receipt, _) => hash.update(&receipt.to_bytes()),
        About::Memory(memory, situation) => {
            hash.update(&memory.0.to_le_bytes());
            hash.update(bytemuck::cast_slice(situation.unwrap_or_default()));
        }
    }
    hash.update(&new.outcome.unwrap_or(-1.0).to_le_bytes());
    hash.update(&encode_ids(new.used));
    hash.update(format!("{:?}", (new.tokens, new.cost_micros, new.reporter, new.note)).as_bytes());
    hash.digest128().to_le_bytes().to_vec()
}
