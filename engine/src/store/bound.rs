//! Copies of receipts that were reported on.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};
use crate::id::ReceiptId;

use super::cells::{intern_situation, situation};
use super::db::{Tx, sql};
use super::experiences::load_experience;
use super::payload::{pack, unpack};
use super::receipts::{decode_ids, encode_ids};
use super::slip::{Facts, HitFacts, Slip};
use super::sum::RowSum;

/// A receipt that was reported on.
pub(super) struct Bound {
    pub situation: i64,
    pub shown: Vec<u64>,
    pub facts: Facts,
}

impl Bound {
    /// The memories that the caller was given and may name: none where they were withheld.
    pub(super) fn offered(&self) -> &[u64] {
        if self.facts.withheld && !crate::sabotage::on("withheld_credits") { &[] } else { &self.shown }
    }

    /// How a memory that was shown had been judged.
    pub(super) fn facts_of(&self, memory: u64) -> Option<&HitFacts> {
        let place = self.shown.iter().position(|id| *id == memory)?;
        self.facts.hits.get(place)
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
pub(super) fn bind(tx: &Tx<'_>, id: ReceiptId, slip: Option<&Slip>) -> Result<Option<Bound>> {
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
    note_further(tx.conn, &bytes, &slip.facts).map_err(sql)?;
    Ok(Some(bound))
}

/// Notes the namespaces, beside the first, that a receipt has hits of.
fn note_further(conn: &Connection, id: &[u8], facts: &Facts) -> rusqlite::Result<()> {
    if facts.namespaces.len() < 2 || crate::sabotage::on("one_namespace_learns") {
        return Ok(());
    }
    let mut statement =
        conn.prepare_cached("INSERT OR IGNORE INTO further_namespaces(namespace, receipt) VALUES (?1, ?2)")?;
    facts.further().iter().try_for_each(|namespace| statement.execute(params![namespace, id]).map(drop))
}

/// Notes the further namespaces of the receipts of older versions. What cannot be read is left out: whoever reads it
/// is told.
pub(super) fn adopt(conn: &Connection) -> rusqlite::Result<()> {
    let mut statement = conn.prepare("SELECT id, facts FROM receipts WHERE facts IS NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, facts): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if let Ok(facts) = Facts::decode(&facts) {
            note_further(conn, &id, &facts)?;
        }
    }
    Ok(())
}

/// Computes the checksums of all rows anew, where they come from elsewhere.
pub(super) fn sum_anew(conn: &Connection) -> Result<()> {
    let mut statement =
        conn.prepare("SELECT id, situation, query_text, shown, facts FROM receipts").map_err(sql)?;
    let mut rows = statement.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let id: Vec<u8> = row.get(0).map_err(sql)?;
        let bytes: [u8; 16] =
            id.as_slice().try_into().map_err(|_| Error::corrupt("a receipt id is not 16 bytes long"))?;
        let (text, shown): (Option<Vec<u8>>, Vec<u8>) = (row.get(2).map_err(sql)?, row.get(3).map_err(sql)?);
        let facts: Option<Vec<u8>> = row.get(4).map_err(sql)?;
        let situation = row.get(1).map_err(sql)?;
        let checksum = receipt_sum(&bytes, situation, text.as_deref(), &shown, facts.as_deref()).finish();
        conn.prepare_cached("UPDATE receipts SET checksum = ?2 WHERE id = ?1")
            .and_then(|mut s| s.execute(params![id, checksum]))
            .map_err(sql)?;
    }
    Ok(())
}

/// Puts a receipt into another situation; `None`: it is not known which, and `nowhere` stands in for it.
pub(super) fn move_to(tx: &Tx<'_>, id: &[u8], place: Option<i64>, nowhere: i64) -> Result<()> {
    let bytes: [u8; 16] = id.try_into().map_err(|_| Error::corrupt("a receipt id is not 16 bytes long"))?;
    let Some(bound) = load_receipt(tx.conn, &bytes)? else {
        return Ok(());
    };
    let (text, shown, facts): (Option<Vec<u8>>, Vec<u8>, Option<Vec<u8>>) = tx
        .conn
        .prepare_cached("SELECT query_text, shown, facts FROM receipts WHERE id = ?1")
        .and_then(|mut s| s.query_row([id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))))
        .map_err(sql)?;
    let facts = if bound.facts.unplaced == place.is_none() {
        facts
    } else {
        Some(Facts { unplaced: place.is_none(), ..bound.facts }.encode())
    };
    let situation = place.unwrap_or(nowhere);
    let checksum = receipt_sum(&bytes, situation, text.as_deref(), &shown, facts.as_deref()).finish();
    tx.conn
        .prepare_cached("UPDATE receipts SET situation = ?2, facts = ?3, checksum = ?4 WHERE id = ?1")
        .and_then(|mut s| s.execute(params![id, situation, facts, checksum]))
        .map(|_| ())
        .map_err(sql)
}

/// Takes the text out of the copies of receipts whose text `speaks` of what is to go.
pub(super) fn erase_texts(tx: &Tx<'_>, speaks: &dyn Fn(&str) -> bool) -> Result<()> {
    let mut found = Vec::new();
    {
        let mut statement = tx
            .conn
            .prepare(
                "SELECT id, situation, query_text, shown, facts FROM receipts WHERE query_text IS NOT NULL",
            )
            .map_err(sql)?;
        let mut rows = statement.query([]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let text: Vec<u8> = row.get(2).map_err(sql)?;
            if speaks(&unpack(&text)?) {
                let (id, situation): (Vec<u8>, i64) = (row.get(0).map_err(sql)?, row.get(1).map_err(sql)?);
                let (shown, facts): (Vec<u8>, Option<Vec<u8>>) =
                    (row.get(3).map_err(sql)?, row.get(4).map_err(sql)?);
                found.push((id, situation, shown, facts));
            }
        }
    }
    for (id, situation, shown, facts) in found {
        let bytes: [u8; 16] =
            id.as_slice().try_into().map_err(|_| Error::corrupt("a receipt id is not 16 bytes long"))?;
        let checksum = receipt_sum(&bytes, situation, None, &shown, facts.as_deref()).finish();
        tx.conn
            .execute(
                "UPDATE receipts SET query_text = NULL, checksum = ?2 WHERE id = ?1",
                params![id, checksum],
            )
            .map_err(sql)?;
    }
    Ok(())
}

/// Whether it was left to chance that the recall with this receipt showed a memory.
pub(super) fn shown_by_chance(conn: &Connection, id: &[u8; 16], memory: u64) -> Result<bool> {
    let Some(bound) = load_receipt(conn, id)? else {
        return Ok(false);
    };
    let mut shown = bound.shown.iter().zip(&bound.facts.hits);
    Ok(shown.any(|(shown, facts)| *shown == memory && facts.propensity < 1.0))
}

/// Whether a copy of this receipt is kept here.
pub(crate) fn is_bound(conn: &Connection, id: ReceiptId) -> Result<bool> {
    conn.prepare_cached("SELECT count(*) FROM receipts WHERE id = ?1")
        .and_then(|mut s| s.query_row([id.to_bytes().as_slice()], |r| r.get::<_, i64>(0)))
        .map(|n| n > 0)
        .map_err(sql)
}

/// Checks that a receipt is found by every namespace that it has hits of.
fn check_further(conn: &Connection, id: &[u8; 16], bound: Option<Bound>) -> Result<()> {
    let further = bound.map(|bound| bound.facts.further()).unwrap_or_default();
    let mut statement = conn
        .prepare_cached("SELECT namespace FROM further_namespaces WHERE receipt = ?1 ORDER BY namespace")
        .map_err(sql)?;
    let held = statement.query_map([id.as_slice()], |r| r.get(0)).map_err(sql)?;
    let held: Vec<i64> = held.collect::<rusqlite::Result<_>>().map_err(sql)?;
    if held == further {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "receipt {} has hits of the namespaces {further:?} beside its first, and is noted under {held:?}",
        ReceiptId::from_bytes(*id)
    )))
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
            Ok(id) => load_receipt(conn, &id).and_then(|bound| check_further(conn, &id, bound)),
            Err(_) => Err(Error::corrupt("a receipt id is not 16 bytes long")),
        })?;
    }
    Ok(faults)
}
