//! The chain of hashes over the audit table. The hash of an entry is BLAKE3 over that of the entry before
//! (for the first one: over the id of the store) and over every column of its own, each with its length.
//! Whoever changes, deletes, swaps or puts in an entry breaks the chain there; whoever rewrites all of it, or
//! cuts off its end, is found by an [`Anchor`] kept elsewhere.

use std::fmt;

use rusqlite::{Connection, params};

use crate::error::{Error, Result};

use super::audit::{AuditRow, FROM_THE_FIRST};
use super::hex::hex;

/// What version 3 adds to the audit table.
pub(super) const COLUMN: &str = "ALTER TABLE audit ADD COLUMN hash BLOB";
/// What every anchor begins with.
const MAGIC: &str = "wisen-audit-1";

/// The hash of an entry.
pub(crate) type Hash = [u8; 32];

/// How far a chain has been followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Number of the last entry; 0 before the first.
    pub last: i64,
    /// Its hash.
    pub head: Hash,
}

/// An entry as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub row: AuditRow,
    /// `None`: no Wisen that knows the chain wrote it.
    pub hash: Option<Vec<u8>>,
    pub checksum: i64,
}

/// Something wrong with the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Number of the entry at which it shows.
    pub entry: i64,
    pub what: String,
}

impl Chain {
    /// The chain of a store before its first entry.
    pub fn begin(store_id: &[u8]) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(MAGIC.as_bytes()).update(store_id);
        Self { last: 0, head: hash.finalize().into() }
    }

    /// The hash that an entry has which comes next.
    pub fn link(&self, row: &AuditRow) -> Hash {
        let mut hash = blake3::Hasher::new();
        hash.update(&self.head);
        for number in [row.id, row.at, row.namespace, row.reference] {
            hash.update(&number.to_le_bytes());
        }
        for text in [&row.actor, &row.op, &row.detail] {
            hash.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        hash.finalize().into()
    }

    /// Goes on to the next entry, whatever is wrong with it. Says what is.
    pub fn follow(&mut self, stored: &Stored) -> Option<Fault> {
        let (row, unchecked) = (&stored.row, crate::sabotage::on("chain_unchecked"));
        let (before, expected) = (self.last, self.link(row));
        let hash = stored.hash.as_deref().and_then(|hash| Hash::try_from(hash).ok());
        (self.last, self.head) = (row.id, hash.unwrap_or(expected));
        let what = if unchecked {
            return None;
        } else if row.id != before + 1 {
            format!("entries {} to {} are missing", before + 1, row.id - 1)
        } else if stored.hash.is_none() {
            format!("entry {} has no hash: it was not written by this library", row.id)
        } else if hash != Some(expected) {
            format!("entry {} does not follow from the one before: it was changed, swapped or put in", row.id)
        } else if row.sum().finish() != stored.checksum {
            format!("entry {} does not match its checksum", row.id)
        } else {
            return None;
        };
        Some(Fault { entry: row.id.min(before + 1), what })
    }
}

/// The count of entries and the hash of the last one, as a text to be kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub count: i64,
    pub head: Hash,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MAGIC}:{}:{}", self.count, hex(&self.head))
    }
}

impl Anchor {
    /// The inverse of its text.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed = || -> Option<Self> {
            let (count, head) = text.trim().strip_prefix(MAGIC)?.strip_prefix(':')?.split_once(':')?;
            let count = count.parse().ok().filter(|count| *count >= 0)?;
            Some(Self { count, head: blake3::Hash::from_hex(head).ok()?.into() })
        };
        parsed().ok_or_else(|| {
            Error::invalid("anchor", format!("it is no text that `anchor` gave: {MAGIC}:COUNT:HASH"))
        })
    }
}

/// The chain of this store before its first entry.
pub(super) fn genesis(conn: &Connection) -> rusqlite::Result<Chain> {
    let id: Vec<u8> = conn.query_row("SELECT value FROM meta WHERE key = 'store_id'", [], |r| r.get(0))?;
    Ok(Chain::begin(&id))
}

/// Chains the entries of version 2, which have no hashes.
pub(super) fn adopt(conn: &Connection) -> rusqlite::Result<()> {
    let mut chain = genesis(conn)?;
    let mut read = conn.prepare(&format!("{FROM_THE_FIRST} LIMIT 1000"))?;
    let mut write = conn.prepare("UPDATE audit SET hash = ?2 WHERE id = ?1")?;
    loop {
        let rows: Vec<Stored> =
            read.query_map([chain.last], AuditRow::stored)?.collect::<rusqlite::Result<_>>()?;
        if rows.is_empty() {
            return Ok(());
        }
        for Stored { row, .. } in rows {
            chain = Chain { last: row.id, head: chain.link(&row) };
            write.execute(params![row.id, chain.head.as_slice()])?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64) -> AuditRow {
        AuditRow {
            id,
            at: 1_000_000 + id,
            actor: if id % 3 == 0 { "engine" } else { "owner" }.to_owned(),
            op: ["remember", "update", "forget"][id as usize % 3].to_owned(),
            namespace: id % 5,
            reference: id % 7,
            detail: format!("{{\"number\":{id}}}"),
        }
    }

    /// A sound chain of `n` entries.
    fn chained(n: i64) -> Vec<Stored> {
        let mut chain = Chain::begin(b"a store");
        (1..=n)
            .map(|id| {
                let row = row(id);
                chain = Chain { last: id, head: chain.link(&row) };
                let checksum = row.sum().finish();
                Stored { row, hash: Some(chain.head.to_vec()), checksum }
            })
            .collect()
    }

    /// Every way to change one entry, its checksum set right as a careful forger would.
    fn edits(stored: &Stored) -> Vec<Stored> {
        let changes: [fn(&mut AuditRow); 6] = [
            |row| row.at += 1,
            |row| row.actor.push('!'),
            |row| row.op.push('!'),
            |row| row.namespace += 1,
            |row| row.reference += 1,
            |row| row.detail = row.detail.replace('{', "{ "),
        ];
        let mut edits: Vec<Stored> = changes
            .iter()
            .map(|change| {
                let mut edited = stored.clone();
                change(&mut edited.row);
                edited.checksum = edited.row.sum().finish();
                edited
            })
            .collect();
        edits.push(Stored { checksum: stored.checksum ^ 1, ..stored.clone() });
        edits.push(Stored { hash: None, ..stored.clone() });
        let mut other = stored.clone();
        if let Some(hash) = &mut other.hash {
            hash[7] ^= 1;
        }
        edits.push(other);
        edits
    }

    /// Verification is a fold over the entries, so what comes before a change has been verified once and
    /// for all: each change is followed from the state before it.
    #[test]
    fn every_change_of_one_entry_of_ten_thousand_is_located() {
        let all = chained(10_000);
        let mut chain = Chain::begin(b"a store");
        let mut tried = 0_u64;
        for (at, stored) in all.iter().enumerate() {
            let located = |changed: &[&Stored]| {
                let mut chain = chain.clone();
                changed.iter().find_map(|stored| chain.follow(stored)).map(|fault| fault.entry)
            };
            let id = stored.row.id;
            for edited in edits(stored) {
                assert_eq!(located(&[&edited]), Some(id), "{edited:?}");
                tried += 1;
            }
            let Some(next) = all.get(at + 1) else { continue };
            assert_eq!(located(&[next]), Some(id), "entry {id} deleted");
            // Two entries swapped: they trade numbers, or everything.
            let mut one = next.clone();
            one.row.id = id;
            one.checksum = one.row.sum().finish();
            assert_eq!(located(&[&one]), Some(id), "entry {id} swapped");
            // One put in, the numbers of all that follow moved on.
            let mut extra = Stored { row: row(id), ..stored.clone() };
            extra.row.detail = "{}".to_owned();
            extra.checksum = extra.row.sum().finish();
            assert_eq!(located(&[&extra]), Some(id), "put in before entry {id}");
            // One put in by somebody who computes its hash: what followed does not follow any more.
            extra.hash = Some(chain.link(&extra.row).to_vec());
            let mut moved = stored.clone();
            moved.row.id += 1;
            moved.checksum = moved.row.sum().finish();
            assert_eq!(located(&[&extra, &moved]), Some(id + 1), "put in with its hash before entry {id}");
            // One changed by somebody who computes its hash: likewise.
            assert_eq!(located(&[&extra, next]), Some(id + 1), "entry {id} changed with its hash");
            tried += 5;
            assert_eq!(chain.follow(stored), None);
        }
        assert_eq!(tried, 10_000 * 9 + 9_999 * 5);
    }

    #[test]
    fn an_anchor_survives_text_and_nothing_else_is_one() {
        let anchor = Anchor { count: 12, head: [0xa7; 32] };
        let text = anchor.to_string();
        assert_eq!(Anchor::parse(&format!(" {text}\n")).expect("own text"), anchor);
        for wrong in
            ["", "wisen-audit-1", "wisen-audit-1:12:", &text[..text.len() - 1], &text.replace("12", "-1")]
        {
            assert!(Anchor::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
