//! Directives, the overrides of directives, and facts, as rows.
//!
//! A directive is stored as its text, which reads back exactly. Rows of directives and overrides are signed
//! one by one by whoever put them there; the head (`heads.rs`) says which of them there are.

use std::collections::HashSet;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::key::{Message, PublicKey, SecretKey};
use crate::rules::Directive;

use super::authorities::{Authorities, Trust, missing};
use super::db::{Tx, sql};
use super::heads;
use super::sum::RowSum;

/// A directive with its signature.
#[derive(Debug, Clone)]
pub(crate) struct DirectiveRow {
    pub directive: Directive,
    pub at: Timestamp,
    pub signer: PublicKey,
}

/// An override with its signature.
#[derive(Debug, Clone)]
pub(crate) struct OverrideRow {
    pub id: i64,
    pub at: Timestamp,
    pub directive: String,
    pub reason: String,
    pub until: Timestamp,
    pub signer: PublicKey,
}

/// A fact.
#[derive(Debug, Clone)]
pub(crate) struct FactRow {
    pub name: String,
    pub value: Value,
    pub at: Timestamp,
    pub until: Timestamp,
}

/// Everything that was signed, found good.
#[derive(Debug)]
pub(crate) struct Signed {
    pub authorities: Authorities,
    /// 0: there was never an authority.
    pub generation: u64,
    /// When the head was signed.
    pub at: Timestamp,
    pub directives: Vec<DirectiveRow>,
    pub overrides: Vec<OverrideRow>,
}

/// Hashes of signatures that were found good: verifying one costs as much as reading a hundred rows.
pub(crate) type Verified = HashSet<[u8; 32]>;

/// A row that is signed.
struct SignedRow {
    message: Message,
    signer: Vec<u8>,
    signature: Vec<u8>,
}

impl SignedRow {
    /// The signer, if it is, or was once, an authority and signed this.
    fn verify(&self, authorities: &Authorities, verified: &mut Verified) -> Option<PublicKey> {
        let signer = PublicKey::from_bytes(&self.signer)?;
        if !authorities.known(&signer) {
            return None;
        }
        // The message names the signer.
        let digest = self.message.digest(&self.signature);
        if !verified.contains(&digest) {
            if !signer.verifies(&self.message, &self.signature) {
                return None;
            }
            verified.insert(digest);
        }
        Some(signer)
    }
}

fn directive_message(store_id: &[u8; 16], id: &str, at: Timestamp, text: &str, signer: &[u8]) -> Message {
    Message::new("directive", store_id).text(id).int(at).text(text).bytes(signer)
}

fn override_message(store_id: &[u8; 16], row: &OverrideRow) -> Message {
    Message::new("override", store_id)
        .int(row.id)
        .int(row.at)
        .text(&row.directive)
        .text(&row.reason)
        .int(row.until)
        .bytes(row.signer.as_bytes())
}

/// Reads and verifies everything that was signed. Fails at the first thing that is not as it was signed.
pub(crate) fn load(conn: &Connection, trust: &Trust, verified: &mut Verified) -> Result<Signed> {
    let (authorities, head) = heads::load(conn, trust)?;
    let Some(head) = head else {
        return Ok(Signed {
            authorities,
            generation: 0,
            at: 0,
            directives: Vec::new(),
            overrides: Vec::new(),
        });
    };
    head.check_rows(conn)?;
    let mut faults = Vec::new();
    let (directives, overrides) = rows(conn, &authorities, verified, &mut faults)?;
    if let Some((_, fault)) = faults.into_iter().next() {
        return Err(Error::corrupt(fault));
    }
    Ok(Signed { authorities, generation: head.generation, at: head.at, directives, overrides })
}

/// Checks rules that came from elsewhere: that they are signed, and those that the audit tells of.
pub(crate) fn check_brought(conn: &Connection) -> Result<()> {
    let id: Option<Vec<u8>> = super::identity::meta(conn, "store_id")?;
    let store_id = id.and_then(|id| id.try_into().ok());
    let store_id = store_id.ok_or_else(|| Error::corrupt("table meta lacks store_id"))?;
    // Whoever opens the store may pin a key; what a control file remembers is of another directory.
    let trust = Trust { store_id, pinned: None, least: 0 };
    load(conn, &trust, &mut Verified::new())?;
    heads::check_told(conn, &trust)
}

/// A row at fault: how it can be deleted.
pub(crate) enum Place {
    /// The bytes of its id.
    Directive(Vec<u8>),
    Override(i64),
}

type DirectiveColumns = (String, i64, String, Vec<u8>, Vec<u8>, i64);
type OverrideColumns = (i64, i64, String, String, i64, Vec<u8>, Vec<u8>, i64);

/// Reads the rows; of those at fault, adds to `faults` where they are and a sentence.
fn rows(
    conn: &Connection,
    authorities: &Authorities,
    verified: &mut Verified,
    faults: &mut Vec<(Place, String)>,
) -> Result<(Vec<DirectiveRow>, Vec<OverrideRow>)> {
    let store_id = authorities.store_id();
    let mut directives = Vec::new();
    let mut statement = conn
        .prepare_cached("SELECT id, at, text, signer, signature, checksum FROM directives ORDER BY id")
        .map_err(|e| missing("directives", e))?;
    let mut found = statement.query([]).map_err(|e| missing("directives", e))?;
    while let Some(row) = found.next().map_err(|e| missing("directives", e))? {
        let place = match row.get_ref(0).map_err(sql)? {
            ValueRef::Text(id) | ValueRef::Blob(id) => id.to_vec(),
            _ => Vec::new(),
        };
        let mut fault = |id: &str, why: &str| {
            faults.push((Place::Directive(place.clone()), format!("directive {id:?} {why}")));
        };
        let read: rusqlite::Result<DirectiveColumns> = row.try_into();
        let Ok((id, at, text, signer, signature, checksum)) = read else {
            fault(&String::from_utf8_lossy(&place), "holds what it cannot");
            continue;
        };
        let mut fault = |why: &str| fault(&id, why);
        if directive_sum(&id, at, &text, &signer, &signature).check(checksum, 0).is_err() {
            fault("does not match its checksum");
            continue;
        }
        let message = directive_message(&store_id, &id, at, &text, &signer);
        let Some(signer) = (SignedRow { message, signer, signature }).verify(authorities, verified) else {
            fault("is not signed by an authority of this store");
            continue;
        };
        match Directive::parse(&text) {
            Ok(directive) if directive.id == id => directives.push(DirectiveRow { directive, at, signer }),
            Ok(_) => fault("has the text of another one"),
            Err(error) => fault(&format!("cannot be read: {error}")),
        }
    }
    let mut overrides = Vec::new();
    let mut statement = conn
        .prepare_cached(
            "SELECT id, at, directive, reason, until, signer, signature, checksum FROM overrides ORDER BY id",
        )
        .map_err(|e| missing("overrides", e))?;
    let mut found = statement.query([]).map_err(|e| missing("overrides", e))?;
    while let Some(row) = found.next().map_err(|e| missing("overrides", e))? {
        let id: i64 = row.get(0).map_err(sql)?;
        let mut fault = |why: &str| faults.push((Place::Override(id), format!("override {id} {why}")));
        let read: rusqlite::Result<OverrideColumns> = row.try_into();
        let Ok((_, at, directive, reason, until, signer, signature, checksum)) = read else {
            fault("holds what it cannot");
            continue;
        };
        let Some(key) = PublicKey::from_bytes(&signer) else {
            fault("has no signer");
            continue;
        };
        let read = OverrideRow { id, at, directive, reason, until, signer: key };
        if override_sum(&read, &signature).check(checksum, id).is_err() {
            fault("does not match its checksum");
            continue;
        }
        let message = override_message(&store_id, &read);
        if (SignedRow { message, signer, signature }).verify(authorities, verified).is_none() {
            fault("is not signed by an authority of this store");
            continue;
        }
        overrides.push(read);
    }
    Ok((directives, overrides))
}

fn directive_sum(id: &str, at: Timestamp, text: &str, signer: &[u8], signature: &[u8]) -> RowSum {
    RowSum::new("directives").text(Some(id)).int(at).text(Some(text)).bytes(signer).bytes(signature)
}

fn override_sum(row: &OverrideRow, signature: &[u8]) -> RowSum {
    RowSum::new("overrides")
        .int(row.id)
        .int(row.at)
        .text(Some(&row.directive))
        .text(Some(&row.reason))
        .int(row.until)
        .bytes(row.signer.as_bytes())
        .bytes(signature)
}

/// Stores a directive under the signature of `key`. The caller signs the head anew.
pub(crate) fn insert(tx: &Tx<'_>, trust: &Trust, key: &SecretKey, directive: &Directive) -> Result<()> {
    let (text, public) = (directive.to_string(), key.public());
    let signer = public.as_bytes();
    let signature = key.sign(&directive_message(&trust.store_id, &directive.id, tx.now, &text, signer));
    let checksum = directive_sum(&directive.id, tx.now, &text, signer, &signature).finish();
    tx.conn
        .prepare_cached(
            "INSERT INTO directives(id, at, text, signer, signature, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut s| s.execute(params![directive.id, tx.now, text, signer, signature, checksum]))
        .map(|_| ())
        .map_err(sql)
}

/// Deletes a directive, and the overrides of it. The caller signs the head anew.
pub(crate) fn remove(tx: &Tx<'_>, id: &str) -> Result<()> {
    tx.conn.execute("DELETE FROM directives WHERE id = ?1", [id]).map_err(sql)?;
    tx.conn.execute("DELETE FROM overrides WHERE directive = ?1", [id]).map(|_| ()).map_err(sql)
}

/// Stores an override under the signature of `key`, and deletes those that have ended. The caller signs
/// the head anew.
pub(crate) fn lift(
    tx: &Tx<'_>,
    trust: &Trust,
    key: &SecretKey,
    (directive, reason, until): (&str, &str, Timestamp),
) -> Result<()> {
    tx.conn.execute("DELETE FROM overrides WHERE until <= ?1", [tx.now]).map_err(sql)?;
    let last = "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'overrides'";
    let last: i64 = tx.conn.query_row(last, [], |r| r.get(0)).map_err(sql)?;
    let row = OverrideRow {
        id: last + 1,
        at: tx.now,
        directive: directive.to_owned(),
        reason: reason.to_owned(),
        until,
        signer: key.public(),
    };
    let signature = key.sign(&override_message(&trust.store_id, &row));
    let checksum = override_sum(&row, &signature).finish();
    let signer = row.signer.as_bytes();
    tx.conn
        .execute(
            "INSERT INTO overrides(id, at, directive, reason, until, signer, signature, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![row.id, row.at, row.directive, row.reason, row.until, signer, signature, checksum],
        )
        .map(|_| ())
        .map_err(sql)
}

/// Deletes the rows that are not as an authority signed them, and tells which. What is left is as somebody
/// signed it; whether it is all that ought to be there is for the authority to say, who signs the head.
pub(crate) fn sweep(tx: &Tx<'_>, authorities: &Authorities) -> Result<Vec<String>> {
    heads::restore_tables(tx.conn)?;
    let mut faults = Vec::new();
    rows(tx.conn, authorities, &mut Verified::new(), &mut faults)?;
    for (place, _) in &faults {
        match place {
            Place::Directive(id) => {
                tx.conn.execute("DELETE FROM directives WHERE CAST(id AS BLOB) = ?1", [id])
            }
            Place::Override(id) => tx.conn.execute("DELETE FROM overrides WHERE id = ?1", [id]),
        }
        .map_err(sql)?;
    }
    let mut faults: Vec<String> = faults.into_iter().map(|(_, fault)| fault).collect();
    if let Err(Error::Corrupt { what }) = facts(tx.conn) {
        tx.conn.execute("DELETE FROM facts", []).map_err(sql)?;
        faults.push(format!("{what}: all facts are gone, and have to be recorded again"));
    }
    Ok(faults)
}

fn fact_sum(name: &str, value: &str, at: Timestamp, until: Timestamp) -> RowSum {
    RowSum::new("facts").text(Some(name)).text(Some(value)).int(at).int(until)
}

/// All facts, those that have expired too.
pub(crate) fn facts(conn: &Connection) -> Result<Vec<FactRow>> {
    let mut statement = conn
        .prepare_cached("SELECT name, value, at, until, checksum FROM facts ORDER BY name")
        .map_err(|e| missing("facts", e))?;
    let mut found = statement.query([]).map_err(|e| missing("facts", e))?;
    let mut facts = Vec::new();
    while let Some(row) = found.next().map_err(|e| missing("facts", e))? {
        let read: rusqlite::Result<(String, String, i64, i64, i64)> = row.try_into();
        let (name, value, at, until, checksum) = read.map_err(sql)?;
        let sound = fact_sum(&name, &value, at, until).check(checksum, 0).is_ok();
        let value = serde_json::from_str(&value).ok().filter(|_| sound);
        let value =
            value.ok_or_else(|| Error::corrupt(format!("the fact {name:?} does not match its checksum")))?;
        facts.push(FactRow { name, value, at, until });
    }
    Ok(facts)
}

/// Records a fact, in the place of an earlier one of the same name; those that expired long ago go.
pub(crate) fn record(tx: &Tx<'_>, name: &str, value: &Value, until: Timestamp) -> Result<()> {
    const LONG_AGO: Timestamp = 86_400_000_000;
    tx.conn.execute("DELETE FROM facts WHERE until < ?1", [tx.now.saturating_sub(LONG_AGO)]).map_err(sql)?;
    let value = value.to_string();
    let checksum = fact_sum(name, &value, tx.now, until).finish();
    tx.conn
        .execute(
            "INSERT OR REPLACE INTO facts(name, value, at, until, checksum) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![name, value, tx.now, until, checksum],
        )
        .map(|_| ())
        .map_err(sql)
}

/// What the triggers have counted, and the version of the schema, without which they may be gone.
pub(crate) fn tick(conn: &Connection) -> Result<(i64, i64)> {
    let n = conn
        .prepare_cached("SELECT n FROM rules_tick")
        .and_then(|mut s| s.query_row([], |r| r.get(0)))
        .map_err(|e| missing("rules_tick", e))?;
    let schema = conn
        .prepare_cached("PRAGMA schema_version")
        .and_then(|mut s| s.query_row([], |r| r.get(0)))
        .map_err(sql)?;
    Ok((schema, n))
}

/// Rises when another connection, of whatever process, has committed anything.
pub(crate) fn data_version(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("PRAGMA data_version").and_then(|mut s| s.query_row([], |r| r.get(0))).map_err(sql)
}

/// Reads everything that was signed. One sentence for what is wrong.
pub(crate) fn check_all(conn: &Connection, trust: &Trust) -> Result<Vec<String>> {
    match load(conn, trust, &mut Verified::new()).and_then(|_| facts(conn)) {
        Ok(_) => Ok(Vec::new()),
        Err(Error::Corrupt { what }) => Ok(vec![format!("the rules cannot be trusted: {what}")]),
        Err(Error::Unauthorised { why }) => Ok(vec![format!("the rules cannot be trusted: {why}")]),
        Err(error) => Err(error),
    }
}
