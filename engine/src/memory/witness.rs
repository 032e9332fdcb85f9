//! What is told to the audit about memories and reports: one entry for a call, with a salted hash of each
//! memory before and after, and of each report without its texts. An owner who wants decisions only
//! ([`AuditLevel`]) has these left out, but for memories that the audit has a hash of already: it would hold
//! them against what they once were. Those it knows are those that have a salt.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rusqlite::Connection;
use serde_json::json;

use crate::error::{Error, Result};
use crate::store::audit::{self, Actor};
use crate::store::guard::GuardRow;
use crate::store::hex::hex;
use crate::store::memories::{self, MemoryRow};
use crate::store::salts::{self, Hashed, Salt};
use crate::store::{Filed, Tx, names};

use super::audit::AuditLevel;
use super::core::Core;
use super::input::{Memory, Report, Subject};

/// Memories named in one entry at most.
const MOST: usize = 1000;

/// Whether what becomes of memories and reports has to be told.
pub(crate) fn is_wanted(core: &Core, conn: &Connection) -> Result<bool> {
    core.guard(conn).map(|row| wants(&row))
}

fn wants(row: &GuardRow) -> bool {
    row.audit == AuditLevel::Everything as i64 && !crate::sabotage::on("audit_decisions_only")
}

/// A memory that was stored: its id, its namespace, and its place in the batch.
pub(crate) type Kept = (i64, i64, usize);

/// Memories were stored.
pub(crate) fn remembered(
    tx: &Tx<'_>,
    kept: &[Kept],
    memories: &[Memory],
    metadata: &[Option<String>],
    salts: &[Salt],
) -> Result<()> {
    if kept.is_empty() || salts.is_empty() {
        return Ok(());
    }
    let of_one_place = kept.chunk_by(|a, b| {
        a.1 == b.1
            && memories[a.2].author == memories[b.2].author
            && memories[a.2].source == memories[b.2].source
    });
    for chunk in of_one_place.flat_map(|chunk| chunk.chunks(MOST)) {
        let mut hashes = String::with_capacity(48 * chunk.len());
        for (id, _, row) in chunk {
            let memory = &memories[*row];
            let hashed = Hashed {
                content: &memory.content,
                metadata: metadata[*row].as_deref(),
                kind: &memory.kind,
                vector: &memory.vector,
            };
            note(&mut hashes, *id, &hashed, &salts[*row]);
        }
        let (first, namespace, row) = chunk[0];
        let mut detail = format!("{{\"after\":{{{hashes}}}");
        if let Some(author) = &memories[row].author {
            // Texts and numbers always fit JSON, and writing to a text cannot fail.
            let _ = write!(detail, ",\"author\":{}", json!(author));
        }
        if let Some(source) = memories[row].source {
            let _ = write!(detail, ",\"source\":\"{}\"", source.as_str());
        }
        if let ([_], Some(old)) = (chunk, memories[row].supersedes) {
            let _ = write!(detail, ",\"supersedes\":{old}");
        }
        detail.push('}');
        let reference = if chunk.len() == 1 { first } else { 0 };
        audit::append(tx, Actor::Owner, "remember", (namespace, reference), detail)?;
    }
    Ok(())
}

fn note(text: &mut String, id: i64, hashed: &Hashed<'_>, salt: &Salt) {
    let comma = if text.is_empty() { "" } else { "," };
    let _ = write!(text, "{comma}\"{id}\":\"{}\"", hex(&hashed.hash(salt)));
}

/// What a memory was before it is changed or forgotten, as far as it has to be told.
pub(crate) enum Before {
    /// Nothing is told of it.
    Untold,
    /// The hash of it, by its salt, which it got if it had none. `wanted`: whether it is told even if the same
    /// hash comes out of it.
    Told { hash: String, wanted: bool },
    /// It is damaged: what of it.
    Damaged(String),
}

/// Looks at a memory before it is changed.
pub(crate) fn before(core: &Core, tx: &Tx<'_>, row: &MemoryRow) -> Result<Before> {
    let wanted = is_wanted(core, tx.conn)?;
    let known = || memories::salt(tx.conn, row.id).map(|salt| salt.is_some());
    if wanted || (known()? && !crate::sabotage::on("the_level_blinds")) {
        Ok(Before::Told { hash: present(tx, row)?, wanted })
    } else {
        Ok(Before::Untold)
    }
}

/// Looks at a memory before it is forgotten, which it can be however damaged it is.
pub(crate) fn before_the_end(core: &Core, tx: &Tx<'_>, row: &MemoryRow) -> Result<Before> {
    match before(core, tx, row) {
        Err(Error::Corrupt { what }) => Ok(Before::Damaged(what)),
        seen => seen,
    }
}

fn present(tx: &Tx<'_>, row: &MemoryRow) -> Result<String> {
    let salt = if let Some(salt) = memories::salt(tx.conn, row.id)? {
        salt
    } else {
        let salt = salts::draw(1)?[0];
        memories::give_salt(tx, row.id, salt)?;
        salt
    };
    present_hash(tx.conn, row, &salt)
}

/// The hash of a memory as it is stored.
pub(crate) fn present_hash(conn: &Connection, row: &MemoryRow, salt: &Salt) -> Result<String> {
    let (content, metadata, _) = memories::payload(conn, row.id)?.unwrap_or_default();
    let vector = memories::vector(conn, row.id)?.unwrap_or_default();
    let kind = names::kind_name(conn, row.kind)?;
    let hashed = Hashed { content: &content, metadata: metadata.as_deref(), kind: &kind, vector: &vector };
    Ok(hex(&hashed.hash(salt)))
}

/// A memory was changed.
pub(crate) fn updated(tx: &Tx<'_>, before: Before, id: i64) -> Result<()> {
    let (Before::Told { hash, wanted }, Some(row)) = (before, memories::load(tx.conn, id)?) else {
        return Ok(());
    };
    let after = present(tx, &row)?;
    if after == hash && !wanted {
        return Ok(());
    }
    let detail = json!({ "before": { id.to_string(): hash }, "after": { id.to_string(): after } });
    audit::record(tx, Actor::Owner, "update", row.namespace, id, &detail).map(|_| ())
}

/// A memory was forgotten.
pub(crate) fn forgotten(tx: &Tx<'_>, before: Before, namespace: i64, id: i64) -> Result<()> {
    let detail = match before {
        Before::Untold => return Ok(()),
        Before::Told { hash, .. } => json!({ "before": { id.to_string(): hash } }),
        Before::Damaged(what) => json!({ "damaged": what }),
    };
    audit::record(tx, Actor::Owner, "forget", namespace, id, &detail).map(|_| ())
}

/// Reports were kept. Those told in one name are one entry.
pub(crate) fn reported(tx: &Tx<'_>, row: &GuardRow, reports: &[Report], filed: &[Filed]) -> Result<()> {
    if filed.iter().all(|filed| filed.duplicate) || !wants(row) {
        return Ok(());
    }
    let mut told: BTreeMap<Actor<'_>, Vec<usize>> = BTreeMap::new();
    for (at, report) in reports.iter().enumerate().filter(|(at, _)| !filed[*at].duplicate) {
        let actor = match (&report.reporter, &report.token) {
            (None, _) => Actor::Owner,
            (Some(name), Some(_)) => Actor::Principal(name),
            (Some(name), None) => Actor::Unproven(name),
        };
        told.entry(actor).or_default().push(at);
    }
    for (actor, rows) in told {
        let mut hash = blake3::Hasher::new();
        for at in &rows {
            told_hash(&mut hash, filed[*at].id, &reports[*at]);
        }
        let mut after = [0; 16];
        hash.finalize_xof().fill(&mut after);
        let mut detail = String::from("{\"reports\":[");
        // Ids rise in the order of a batch: runs of them say the same in less.
        for (i, run) in rows.chunk_by(|a, b| filed[*a].id + 1 == filed[*b].id).enumerate() {
            let (first, last) = (filed[run[0]].id, filed[run[run.len() - 1]].id);
            let _ = write!(detail, "{}[{first},{last}]", if i == 0 { "" } else { "," });
        }
        let _ = write!(detail, "],\"after\":\"{}\"", hex(&after));
        if let [one] = rows[..]
            && let Some(outcome) = reports[one].outcome.value()
        {
            let _ = write!(detail, ",\"outcome\":{outcome}");
        }
        detail.push('}');
        audit::append(tx, actor, "report", (0, 0), detail)?;
    }
    Ok(())
}

/// Feeds what a report says, but for its texts, which nothing salts.
fn told_hash(hash: &mut blake3::Hasher, id: i64, report: &Report) {
    hash.update(&id.to_le_bytes());
    match &report.subject {
        Subject::Receipt(receipt) => hash.update(&receipt.to_bytes()),
        Subject::Memory { id, .. } => hash.update(&id.0.to_le_bytes()),
    };
    let outcome = report.outcome.value().unwrap_or(-1.0);
    hash.update(&outcome.to_le_bytes()).update(&report.weight.to_le_bytes());
    hash.update(&[u8::from(report.severe)]).update(&(report.used.len() as u64).to_le_bytes());
    for used in &report.used {
        hash.update(&used.0.to_le_bytes());
    }
    hash.update(&report.tokens.unwrap_or(u64::MAX).to_le_bytes());
    hash.update(&report.cost_micros.unwrap_or(i64::MIN).to_le_bytes());
}

/// A report was taken back.
pub(crate) fn retracted(core: &Core, tx: &Tx<'_>, report: u64) -> Result<()> {
    if is_wanted(core, tx.conn)? {
        audit::record(tx, Actor::Owner, "retract", 0, 0, &json!({ "report": report }))?;
    }
    Ok(())
}
