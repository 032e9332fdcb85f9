//! Authorities: who may change rules. A chain of signed statements, each over the one before it.
//!
//! The first statement founds the store's authority: its key signs itself, and names a recovery key. From
//! then on a statement is good if a key signed it that was valid at that point of the chain:
//!
//! | act | effect | signed by |
//! |---|---|---|
//! | `found` | the first key, and the recovery key | itself |
//! | `admit` | one more key is valid | a valid key |
//! | `rotate` | a new key is valid instead of the one that signs | the key that goes |
//! | `revoke` | a key is valid no more | another valid key |
//! | `recover` | a new key is the only valid one; there is a new recovery key | the recovery key |
//!
//! Who is valid now is found by going through the chain; nothing else says it. Rules signed by a key that
//! was revoked later stay in force: the head (see `heads.rs`), signed anew at every change by a valid key,
//! vouches for them. A key is never admitted twice.
//!
//! What this does not stop: somebody who can write the files *and* holds a key that was revoked can put the
//! whole store back to where that key was valid, control file included, as with any file. The public key
//! that the caller pins ([`Options::authority_key`](crate::Options::authority_key)) keeps whoever has no
//! key at all from starting a chain of their own.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::key::{Message, PublicKey, SecretKey, Signature};

use super::db::{Tx, sql};
use super::heads;
use super::sum::RowSum;

/// Part of schema version 3.
pub(super) const TABLES: &str = "
CREATE TABLE authorities(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, act TEXT NOT NULL, name TEXT NOT NULL, key BLOB NOT NULL,
  recovery BLOB, reason TEXT NOT NULL, signer BLOB NOT NULL, signature BLOB NOT NULL,
  checksum INTEGER NOT NULL);
";

/// By what signatures are judged: fixed when the store is opened, but for the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trust {
    /// That of the store's first life.
    pub store_id: [u8; 16],
    /// The key that the chain has to begin with, if the caller pinned one.
    pub pinned: Option<PublicKey>,
    /// The highest generation known (see `heads.rs`): a chain or head below it was put back.
    pub least: u64,
}

/// What a statement does. The words are part of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Found,
    Admit,
    Rotate,
    Revoke,
    Recover,
}

impl Act {
    const ALL: [Act; 5] = [Act::Found, Act::Admit, Act::Rotate, Act::Revoke, Act::Recover];

    fn as_str(self) -> &'static str {
        match self {
            Act::Found => "found",
            Act::Admit => "admit",
            Act::Rotate => "rotate",
            Act::Revoke => "revoke",
            Act::Recover => "recover",
        }
    }

    /// What the audit table calls it.
    fn op(self) -> &'static str {
        match self {
            Act::Found => "authority_created",
            Act::Admit => "authority_added",
            Act::Rotate => "authority_rotated",
            Act::Revoke => "authority_revoked",
            Act::Recover => "authority_recovered",
        }
    }
}

/// A key that is or was an authority.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AuthorityRow {
    pub key: PublicKey,
    pub name: String,
    pub added_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// Who signed its admission; itself for the first.
    pub admitted_by: PublicKey,
}

/// The chain, gone through and found sound.
#[derive(Debug, Clone)]
pub(crate) struct Authorities {
    store_id: [u8; 16],
    rows: Vec<AuthorityRow>,
    recovery: Option<PublicKey>,
    /// Statements in the chain.
    pub len: i64,
    /// Hash of the last statement, which stands for the whole chain.
    pub tip: [u8; 32],
}

struct Statement {
    id: i64,
    at: Timestamp,
    act: String,
    name: String,
    key: Vec<u8>,
    recovery: Option<Vec<u8>>,
    reason: String,
    signer: Vec<u8>,
    signature: Vec<u8>,
}

const COLUMNS: &str = "id, at, act, name, key, recovery, reason, signer, signature, checksum";

impl Statement {
    fn read(row: &Row<'_>) -> rusqlite::Result<(Self, i64)> {
        let read = Self {
            id: row.get(0)?,
            at: row.get(1)?,
            act: row.get(2)?,
            name: row.get(3)?,
            key: row.get(4)?,
            recovery: row.get(5)?,
            reason: row.get(6)?,
            signer: row.get(7)?,
            signature: row.get(8)?,
        };
        Ok((read, row.get(9)?))
    }

    fn sum(&self) -> RowSum {
        RowSum::new("authorities")
            .int(self.id)
            .int(self.at)
            .text(Some(&self.act))
            .text(Some(&self.name))
            .bytes(&self.key)
            .blob(self.recovery.as_deref())
            .text(Some(&self.reason))
            .bytes(&self.signer)
            .bytes(&self.signature)
    }

    fn message(&self, store_id: &[u8; 16], before: &[u8; 32]) -> Message {
        Message::new("authority", store_id)
            .int(self.id)
            .int(self.at)
            .text(&self.act)
            .text(&self.name)
            .bytes(&self.key)
            .opt(self.recovery.as_deref())
            .text(&self.reason)
            .bytes(&self.signer)
            .bytes(before)
    }
}

impl Authorities {
    fn none(store_id: [u8; 16]) -> Self {
        Self { store_id, rows: Vec::new(), recovery: None, len: 0, tip: [0; 32] }
    }

    /// Goes through the chain. Fails with [`Error::Corrupt`] at the first statement that is not what was
    /// signed, and with [`Error::Unauthorised`] if the chain does not begin with the pinned key.
    pub(crate) fn load(conn: &Connection, trust: &Trust) -> Result<Self> {
        let mut statement = conn
            .prepare_cached(&format!("SELECT {COLUMNS} FROM authorities ORDER BY id"))
            .map_err(|e| missing("authorities", e))?;
        let rows = statement.query_map([], Statement::read).map_err(|e| missing("authorities", e))?;
        let mut chain = Self::none(trust.store_id);
        for row in rows {
            let (statement, checksum) = row.map_err(|e| missing("authorities", e))?;
            statement.sum().check(checksum, statement.id)?;
            chain.take(&statement)?;
        }
        if let Some(pinned) = trust.pinned.filter(|_| !crate::sabotage::on("pin_ignored"))
            && chain.rows.first().is_none_or(|first| first.key != pinned)
        {
            return Err(Error::unauthorised(format!(
                "the store's authority does not begin with the pinned key {pinned}: this is another store, or its authorities were exchanged"
            )));
        }
        Ok(chain)
    }

    /// Goes one statement further.
    fn take(&mut self, statement: &Statement) -> Result<()> {
        let wrong =
            |why: &str| Error::corrupt(format!("statement {} of the authorities {why}", statement.id));
        if statement.id != self.len + 1 {
            return Err(Error::corrupt(format!("statement {} of the authorities is missing", self.len + 1)));
        }
        let act = Act::ALL.into_iter().find(|act| act.as_str() == statement.act);
        let act = act.ok_or_else(|| wrong("does what there is not"))?;
        let key = PublicKey::from_bytes(&statement.key).ok_or_else(|| wrong("names no key"))?;
        let signer = PublicKey::from_bytes(&statement.signer).ok_or_else(|| wrong("has no signer"))?;
        let message = statement.message(&self.store_id, &self.tip);
        if !signer.verifies(&message, &statement.signature) {
            return Err(wrong("has a wrong signature"));
        }
        self.allows(act, &key, &signer).map_err(|why| wrong(&format!("was not allowed: {why}")))?;
        let recovery = statement
            .recovery
            .as_deref()
            .map(|recovery| PublicKey::from_bytes(recovery).ok_or_else(|| wrong("names no recovery key")));
        let recovery = recovery.transpose()?;
        let at = statement.at;
        match act {
            Act::Found | Act::Recover => {
                self.rows.iter_mut().for_each(|row| row.revoked_at = row.revoked_at.or(Some(at)));
                self.recovery = Some(recovery.ok_or_else(|| wrong("names no recovery key"))?);
            }
            Act::Rotate => self.retire(&signer, at),
            Act::Revoke => self.retire(&key, at),
            Act::Admit => {}
        }
        if act != Act::Revoke {
            let name = statement.name.clone();
            self.rows.push(AuthorityRow { key, name, added_at: at, revoked_at: None, admitted_by: signer });
        }
        self.tip = message.digest(&statement.signature);
        self.len += 1;
        Ok(())
    }

    fn retire(&mut self, key: &PublicKey, at: Timestamp) {
        self.rows.iter_mut().filter(|row| row.key == *key).for_each(|row| row.revoked_at = Some(at));
    }

    /// Whether a statement may follow; if not, why.
    fn allows(&self, act: Act, key: &PublicKey, signer: &PublicKey) -> Result<(), String> {
        let by_valid = || match self.name_of(signer) {
            Some(_) => Ok(()),
            None => Err(format!("{signer} is no authority of this store, or was revoked")),
        };
        if act != Act::Revoke && (self.known(key) || self.recovery == Some(*key)) {
            return Err("a key is admitted once: make a new one".to_owned());
        }
        match act {
            Act::Found if self.len > 0 => Err("there is an authority already".to_owned()),
            Act::Found if key != signer => Err("the first key has to sign itself".to_owned()),
            Act::Found => Ok(()),
            Act::Admit | Act::Rotate => by_valid(),
            Act::Revoke if key == signer => {
                Err("a key cannot revoke itself: rotate it, or let another authority revoke it".to_owned())
            }
            Act::Revoke => {
                by_valid()?;
                if self.name_of(key).is_none() {
                    return Err(format!("{key} is no valid authority of this store"));
                }
                Ok(())
            }
            Act::Recover if self.recovery == Some(*signer) => Ok(()),
            Act::Recover => Err("it is not the recovery key of this store".to_owned()),
        }
    }

    pub(crate) fn store_id(&self) -> [u8; 16] {
        self.store_id
    }

    /// The name of a key that is valid now.
    pub(crate) fn name_of(&self, key: &PublicKey) -> Option<&str> {
        let ignored = crate::sabotage::on("revoked_keys_sign");
        let valid = |row: &&AuthorityRow| row.key == *key && (row.revoked_at.is_none() || ignored);
        self.rows.iter().find(valid).map(|row| row.name.as_str())
    }

    /// Whether a key is or was an authority.
    pub(crate) fn known(&self, key: &PublicKey) -> bool {
        self.rows.iter().any(|row| row.key == *key)
    }

    /// Everybody who is or was an authority, in the order of admission.
    pub(crate) fn rows(&self) -> &[AuthorityRow] {
        &self.rows
    }

    /// Whether a message was signed by an authority that is valid now; its name.
    #[allow(dead_code, reason = "as `verify`")]
    pub(crate) fn check(&self, message: &Message, key: &PublicKey, signature: &[u8]) -> Result<String> {
        let name = self.name_of(key).ok_or_else(|| {
            Error::unauthorised(format!("{key} is no authority of this store, or was revoked"))
        })?;
        if key.verifies(message, signature) {
            Ok(name.to_owned())
        } else {
            Err(Error::unauthorised(format!("the signature of {name:?} does not fit what was signed")))
        }
    }

    /// Refuses a key that may not sign now; its name if it may.
    pub(crate) fn signer(&self, key: &SecretKey) -> Result<String> {
        let public = key.public();
        if self.len == 0 {
            return Err(Error::unauthorised(
                "the store has no authority yet: create one, and keep the keys it returns",
            ));
        }
        let known = self.name_of(&public).map(str::to_owned);
        if crate::sabotage::on("anyone_signs") {
            return Ok(known.unwrap_or_default());
        }
        known.ok_or_else(|| {
            Error::unauthorised(format!("{public} is no authority of this store, or was revoked"))
        })
    }
}

/// Verifies a signature of an authority that is valid now, against the chain and the head as they stand.
/// Returns the authority's name.
#[allow(dead_code, reason = "for what else authorities sign, such as the end of a halt")]
pub(crate) fn verify(
    conn: &Connection,
    trust: &Trust,
    message: &Message,
    key: &PublicKey,
    signature: &[u8],
) -> Result<String> {
    heads::authorities(conn, trust)?.check(message, key, signature)
}

/// A statement to be made.
pub(crate) struct Proposal<'a> {
    pub act: Act,
    pub name: &'a str,
    pub key: PublicKey,
    pub recovery: Option<PublicKey>,
    pub reason: &'a str,
    pub signer: &'a SecretKey,
    /// Signs the new head: valid after the statement.
    pub head: &'a SecretKey,
}

/// Adds a statement to the chain, signs the head anew and records both. Returns the generation.
pub(crate) fn state(tx: &mut Tx<'_>, trust: &Trust, proposal: &Proposal<'_>) -> Result<u64> {
    let mut chain = if proposal.act == Act::Found {
        heads::check_none(tx.conn, trust)?;
        Authorities::none(trust.store_id)
    } else {
        heads::authorities(tx.conn, trust)?
    };
    let signer = proposal.signer.public();
    chain.allows(proposal.act, &proposal.key, &signer).map_err(Error::unauthorised)?;
    let mut statement = Statement {
        id: chain.len + 1,
        at: tx.now,
        act: proposal.act.as_str().to_owned(),
        name: proposal.name.to_owned(),
        key: proposal.key.as_bytes().to_vec(),
        recovery: proposal.recovery.map(|key| key.as_bytes().to_vec()),
        reason: proposal.reason.to_owned(),
        signer: signer.as_bytes().to_vec(),
        signature: Vec::new(),
    };
    let signature: Signature = proposal.signer.sign(&statement.message(&trust.store_id, &chain.tip));
    statement.signature = signature.to_vec();
    chain.take(&statement)?;
    tx.conn
        .execute(
            &format!("INSERT INTO authorities({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"),
            params![
                statement.id,
                statement.at,
                statement.act,
                statement.name,
                statement.key,
                statement.recovery,
                statement.reason,
                statement.signer,
                statement.signature,
                statement.sum().finish()
            ],
        )
        .map_err(sql)?;
    let detail = serde_json::json!({
        "key": proposal.key.to_string(),
        "name": proposal.name,
        "reason": proposal.reason,
        "signed_by": signer.to_string(),
    });
    super::audit::record(tx, super::audit::Actor::Owner, proposal.act.op(), 0, 0, &detail)?;
    heads::sign_authorities(tx, &chain, proposal.head)
}

/// Whether a table holds no rows.
pub(super) fn is_empty(conn: &Connection, table: &'static str) -> Result<bool> {
    conn.query_row(&format!("SELECT 1 FROM {table} LIMIT 1"), [], |_| Ok(()))
        .optional()
        .map(|found| found.is_none())
        .map_err(|e| missing(table, e))
}

/// A table of the rules that cannot be read is damage, whatever SQLite calls it.
pub(super) fn missing(table: &str, error: rusqlite::Error) -> Error {
    match sql(error) {
        Error::Internal { what } => Error::corrupt(format!("the table {table} cannot be read ({what})")),
        other => other,
    }
}
