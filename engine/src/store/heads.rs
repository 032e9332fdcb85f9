//! The head: one signature over the authorities, directives, overrides, registrations of principals and the
//! settings of the guard together, made anew at every change by an authority that is valid then.
//!
//! Each directive and override is signed too; the head is what tells that none is missing, none was put back
//! and none was added by a key that had been revoked. A change of one part vouches for no other: the hashes of
//! the others are taken over as they were signed, so that what somebody has tampered with stays unsigned.
//!
//! Of the guard, the head covers what only an authority may decide ([`GUARD`]); that the store is halted anybody
//! may write, and a row without a halt is believed only where nothing was halted after the last signature
//! (`memory/halt.rs`).
//! Its *generation* (statements of authorities in the upper bits,
//! changes in the lower) only rises; the control file keeps the highest one seen, so that an older state
//! of these tables put back by itself is noticed.
//!
//! Rules are changed through [`sign`] only. Triggers count what any program does to the tables, so that a
//! process that has the rules in memory notices in one read that it has to look again; they decide nothing:
//! what is in memory was signed, and whoever goes past the triggers only leaves a process with it.

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::key::{Message, PublicKey, SecretKey};

use super::authorities::{Authorities, Trust, is_empty, missing};
use super::changes::Op;
use super::db::{Tx, sql};

/// Part of schema version 3.
pub(super) const TABLES: &str = "
CREATE TABLE directives(
  id TEXT PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL, signer BLOB NOT NULL,
  signature BLOB NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE overrides(
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, directive TEXT NOT NULL, reason TEXT NOT NULL,
  until INTEGER NOT NULL, signer BLOB NOT NULL, signature BLOB NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE facts(
  name TEXT PRIMARY KEY, value TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL,
  checksum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE rules_head(
  id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, at INTEGER NOT NULL,
  authorities BLOB NOT NULL, directives BLOB NOT NULL, overrides BLOB NOT NULL, guard BLOB NOT NULL,
  principals BLOB NOT NULL, signer BLOB NOT NULL, signature BLOB NOT NULL);
CREATE TABLE rules_tick(id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL);
INSERT INTO rules_tick VALUES (1, 0);
CREATE TRIGGER authorities_added AFTER INSERT ON authorities BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER authorities_changed AFTER UPDATE ON authorities BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER authorities_gone AFTER DELETE ON authorities BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER directives_added AFTER INSERT ON directives BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER directives_changed AFTER UPDATE ON directives BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER directives_gone AFTER DELETE ON directives BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER overrides_added AFTER INSERT ON overrides BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER overrides_changed AFTER UPDATE ON overrides BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER overrides_gone AFTER DELETE ON overrides BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER facts_added AFTER INSERT ON facts BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER facts_changed AFTER UPDATE ON facts BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER facts_gone AFTER DELETE ON facts BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER head_added AFTER INSERT ON rules_head BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER head_changed AFTER UPDATE ON rules_head BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER head_gone AFTER DELETE ON rules_head BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER guard_added AFTER INSERT ON guard BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER guard_changed AFTER UPDATE ON guard BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE TRIGGER guard_gone AFTER DELETE ON guard BEGIN UPDATE rules_tick SET n = n + 1; END;
CREATE INDEX audit_founded ON audit(id) WHERE op = 'authority_created';
CREATE INDEX principals_signed ON principals(id) WHERE token_hash IS NOT NULL OR registered_at IS NOT NULL;
";

/// Makes the tables and triggers that somebody has taken away.
pub(super) fn restore_tables(conn: &Connection) -> Result<()> {
    let text = TABLES
        .replace("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ")
        .replace("CREATE TRIGGER ", "CREATE TRIGGER IF NOT EXISTS ")
        .replace("CREATE INDEX ", "CREATE INDEX IF NOT EXISTS ")
        .replace("INSERT INTO rules_tick VALUES", "INSERT OR IGNORE INTO rules_tick VALUES");
    conn.execute_batch(&text).map_err(sql)
}

/// Bits of a generation that count changes; those above count statements of authorities.
const CHANGES: u32 = 40;

/// The head as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub generation: u64,
    pub at: Timestamp,
    authorities: Vec<u8>,
    rows: Hashes,
    signer: Vec<u8>,
    signature: Vec<u8>,
}

/// Hashes of the parts under a head.
#[derive(Debug, Clone)]
struct Hashes {
    directives: Vec<u8>,
    overrides: Vec<u8>,
    guard: Vec<u8>,
    principals: Vec<u8>,
}

impl Hashes {
    /// Those of the rows as they are.
    fn present(conn: &Connection) -> Result<Self> {
        let hash = |table| digest(conn, table).map(|hash| hash.to_vec());
        Ok(Self {
            directives: hash(DIRECTIVES)?,
            overrides: hash(OVERRIDES)?,
            guard: hash(GUARD)?,
            principals: hash(PRINCIPALS)?,
        })
    }
}

/// What is signed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Directives and overrides.
    Rules,
    /// The settings of the guard, and which halts were ended.
    Guard,
    /// Who is registered.
    Principals,
}

impl Head {
    fn load(conn: &Connection) -> Result<Option<Self>> {
        conn.prepare_cached(
            "SELECT generation, at, authorities, directives, overrides, guard, principals, signer, signature
             FROM rules_head",
        )
        .and_then(|mut s| {
            s.query_row([], |r| {
                Ok(Self {
                    generation: r.get::<_, i64>(0)?.cast_unsigned(),
                    at: r.get(1)?,
                    authorities: r.get(2)?,
                    rows: Hashes {
                        directives: r.get(3)?,
                        overrides: r.get(4)?,
                        guard: r.get(5)?,
                        principals: r.get(6)?,
                    },
                    signer: r.get(7)?,
                    signature: r.get(8)?,
                })
            })
            .optional()
        })
        .map_err(|e| missing("rules_head", e))
    }

    fn message(&self, store_id: &[u8; 16]) -> Message {
        Message::new("rules head", store_id)
            .int(self.generation.cast_signed())
            .int(self.at)
            .bytes(&self.authorities)
            .bytes(&self.rows.directives)
            .bytes(&self.rows.overrides)
            .bytes(&self.rows.guard)
            .bytes(&self.rows.principals)
            .bytes(&self.signer)
    }

    /// Refuses directives or overrides other than those that were signed.
    pub(crate) fn check_rows(&self, conn: &Connection) -> Result<()> {
        for (table, signed) in [(DIRECTIVES, &self.rows.directives), (OVERRIDES, &self.rows.overrides)] {
            if digest(conn, table)? != signed[..] && !crate::sabotage::on("head_unchecked") {
                let name = table.0;
                return Err(Error::corrupt(format!(
                    "the table {name} is not what an authority signed: a row was changed, added or taken away by other means than this library"
                )));
            }
        }
        Ok(())
    }

    /// Refuses settings of the guard other than those that were signed.
    pub(crate) fn check_guard(&self, conn: &Connection) -> Result<()> {
        if digest(conn, GUARD)? == self.rows.guard[..] || crate::sabotage::on("guard_unsigned") {
            return Ok(());
        }
        Err(Error::corrupt(
            "what guards the store (resumptions, triggers, the level of the audit) is not what an authority signed: the table guard was changed by other means than this library",
        ))
    }

    /// Refuses registrations other than those that were signed.
    pub(crate) fn check_principals(&self, conn: &Connection) -> Result<()> {
        if digest(conn, PRINCIPALS)? == self.rows.principals[..] || crate::sabotage::on("trust_unsigned") {
            return Ok(());
        }
        Err(Error::corrupt(
            "the registrations of principals are not what an authority signed, so none is believed: the table principals was changed by other means than this library; `repair_rules` takes them away, then register anew",
        ))
    }
}

/// Why registrations are not to be believed, if so.
pub(crate) fn doubt_principals(conn: &Connection, trust: &Trust) -> Result<Option<String>> {
    let checked =
        load(conn, trust).and_then(|(_, head)| head.map_or(Ok(()), |head| head.check_principals(conn)));
    match checked {
        Ok(()) => Ok(None),
        Err(Error::Corrupt { what: why } | Error::Unauthorised { why }) => Ok(Some(why)),
        Err(error) => Err(error),
    }
}

/// The authorities, checked against the head and the highest generation known; without any, none may have
/// been there before.
pub(crate) fn authorities(conn: &Connection, trust: &Trust) -> Result<Authorities> {
    load(conn, trust).map(|(chain, _)| chain)
}

/// The authorities and the head over them, both found good. No head: there was never an authority.
pub(crate) fn load(conn: &Connection, trust: &Trust) -> Result<(Authorities, Option<Head>)> {
    let chain = Authorities::load(conn, trust)?;
    let head = Head::load(conn)?;
    let Some(head) = head else {
        if chain.len > 0 {
            return Err(Error::corrupt("the head of the rules is missing"));
        }
        check_none(conn, trust)?;
        return Ok((chain, None));
    };
    if chain.len == 0 || head.authorities != chain.tip {
        return Err(Error::corrupt(
            "the authorities are not those that the head of the rules was signed for",
        ));
    }
    let signer = PublicKey::from_bytes(&head.signer).filter(|signer| chain.name_of(signer).is_some());
    let signer = signer.ok_or_else(|| Error::corrupt("the head of the rules is signed by no authority"))?;
    if !signer.verifies(&head.message(&trust.store_id), &head.signature) {
        return Err(Error::corrupt("the head of the rules has a wrong signature"));
    }
    if head.generation < trust.least && !crate::sabotage::on("old_rules_pass") {
        return Err(Error::corrupt(
            "the rules were put back to an earlier state: an authority has to look at them and sign them anew",
        ));
    }
    Ok((chain, Some(head)))
}

/// The authorities for a repair, in which the head may be wrong or missing: the chain has to hold by itself,
/// and be at least as long as the longest one known.
pub(crate) fn authorities_for_repair(conn: &Connection, trust: &Trust) -> Result<Authorities> {
    let chain = Authorities::load(conn, trust)?;
    if chain.len.cast_unsigned() < trust.least >> CHANGES {
        return Err(Error::corrupt(
            "the authorities were put back to an earlier state: restore a backup of the store",
        ));
    }
    Ok(chain)
}

/// Refuses a store that has, or ever had, an authority or rules.
pub(crate) fn check_none(conn: &Connection, trust: &Trust) -> Result<()> {
    for table in ["authorities", "directives", "overrides", "rules_head"] {
        if !is_empty(conn, table)? {
            return Err(if table == "authorities" {
                Error::unauthorised(
                    "the store has an authority already: it alone can add another one; if its keys are lost, recover with the recovery key",
                )
            } else {
                Error::corrupt(format!("the table {table} has rows, and there is no authority"))
            });
        }
    }
    let told: bool = conn
        .prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM audit INDEXED BY audit_founded WHERE op = 'authority_created')",
        )
        .and_then(|mut s| s.query_row([], |r| r.get(0)))
        .map_err(sql)?;
    if told || trust.least > 0 {
        return Err(Error::corrupt("the store had an authority, and it was taken away: restore a backup"));
    }
    Ok(())
}

/// Refuses rules of another time, or of other authorities, than the audit tells of: each change of them is an entry,
/// made at the time of the head. For rules that come from elsewhere, where no control file remembers the last.
pub(crate) fn check_told(conn: &Connection, trust: &Trust) -> Result<()> {
    let (_, head) = load(conn, trust)?;
    let texts = |text: &str| -> Result<Vec<Option<String>>> {
        let mut statement = conn.prepare(text).map_err(sql)?;
        let rows = statement.query_map([], |r| r.get(0)).map_err(sql)?;
        rows.map(|row| row.map_err(sql)).collect()
    };
    let told = texts(
        "SELECT iif(json_valid(detail), CAST(detail ->> '$.key' AS TEXT), NULL) FROM audit
         WHERE op IN ('authority_created', 'authority_added', 'authority_rotated', 'authority_revoked',
           'authority_recovered') ORDER BY id",
    )?;
    let mut statement = conn.prepare("SELECT key FROM authorities ORDER BY id").map_err(sql)?;
    let keys = statement.query_map([], |r| r.get::<_, Vec<u8>>(0)).map_err(sql)?;
    let keys: Vec<Option<String>> = keys
        .map(|key| key.map(|key| PublicKey::from_bytes(&key).map(|key| key.to_string())).map_err(sql))
        .collect::<Result<_>>()?;
    if told != keys {
        return Err(Error::corrupt("the authorities are not those that the audit tells of"));
    }
    // What the head signs beside the rules changes without it in a store that has no authority.
    let last: Option<Timestamp> = conn
        .query_row(
            "SELECT at FROM audit WHERE op IN ('authority_created', 'authority_added', 'authority_rotated',
               'authority_revoked', 'authority_recovered', 'directive_added', 'directive_removed',
               'directive_overridden', 'rules_repaired')
               OR ?1 AND op IN ('audit_level', 'register', 'resume', 'revoke', 'triggers')
             ORDER BY id DESC LIMIT 1",
            [head.is_some()],
            |r| r.get(0),
        )
        .optional()
        .map_err(sql)?;
    if last != head.map(|head| head.at) {
        return Err(Error::corrupt("the rules are not those of the last change that the audit tells of"));
    }
    Ok(())
}

/// Signs what the tables of a part hold now, in the transaction that changed them, and makes the change known.
/// The caller has looked at the rows before it changed them ([`Head::check_rows`] and the like): what is signed
/// is good. Returns the new generation, for [`Db::note_rules`](super::Db::note_rules) once it is committed.
pub(crate) fn sign(tx: &mut Tx<'_>, chain: &Authorities, key: &SecretKey, part: Part) -> Result<u64> {
    let present = Hashes::present(tx.conn)?;
    let rows = match (Head::load(tx.conn)?.map(|head| head.rows), part) {
        (None, _) => present,
        (Some(signed), Part::Rules) => {
            Hashes { directives: present.directives, overrides: present.overrides, ..signed }
        }
        (Some(signed), Part::Guard) => Hashes { guard: present.guard, ..signed },
        (Some(signed), Part::Principals) => Hashes { principals: present.principals, ..signed },
    };
    put(tx, chain, key, rows, 0)
}

/// Signs all parts, with a generation above `least`.
pub(crate) fn sign_above(tx: &mut Tx<'_>, chain: &Authorities, key: &SecretKey, least: u64) -> Result<u64> {
    let rows = Hashes::present(tx.conn)?;
    put(tx, chain, key, rows, least & ((1 << CHANGES) - 1))
}

/// Signs for a change of the authorities alone: rows that somebody has tampered with stay unsigned. Where there
/// was no head, the first authority vouches for what it finds.
pub(super) fn sign_authorities(tx: &mut Tx<'_>, chain: &Authorities, key: &SecretKey) -> Result<u64> {
    let rows = match Head::load(tx.conn)? {
        Some(head) if !crate::sabotage::on("authorities_vouch_for_all") => head.rows,
        _ => Hashes::present(tx.conn)?,
    };
    put(tx, chain, key, rows, 0)
}

fn put(tx: &mut Tx<'_>, chain: &Authorities, key: &SecretKey, rows: Hashes, least: u64) -> Result<u64> {
    chain.signer(key)?;
    let changes = Head::load(tx.conn)?.map_or(0, |head| head.generation & ((1 << CHANGES) - 1)).max(least);
    let mut head = Head {
        generation: (chain.len.cast_unsigned() << CHANGES) | (changes + 1),
        at: tx.now,
        authorities: chain.tip.to_vec(),
        rows,
        signer: key.public().as_bytes().to_vec(),
        signature: Vec::new(),
    };
    head.signature = key.sign(&head.message(&chain.store_id())).to_vec();
    tx.conn
        .execute(
            "INSERT OR REPLACE INTO rules_head(id, generation, at, authorities, directives, overrides, guard,
               principals, signer, signature) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                head.generation.cast_signed(),
                head.at,
                head.authorities,
                head.rows.directives,
                head.rows.overrides,
                head.rows.guard,
                head.rows.principals,
                head.signer,
                head.signature
            ],
        )
        .map_err(sql)?;
    tx.change(Op::Rules, 0, head.generation.cast_signed())?;
    Ok(head.generation)
}

/// A table under the head, and how its rows are read, in order: every column but the checksum, or those that
/// only an authority may decide.
type Covered = (&'static str, &'static str);
const DIRECTIVES: Covered =
    ("directives", "SELECT id, at, text, signer, signature FROM directives ORDER BY id");
const OVERRIDES: Covered =
    ("overrides", "SELECT id, at, directive, reason, until, signer, signature FROM overrides ORDER BY id");

const GUARD: Covered = ("guard", "SELECT cleared, settled, resumed_at, audit, triggers FROM guard");
const PRINCIPALS: Covered = (
    "principals",
    "SELECT id, name, registered_at, token_hash FROM principals
     WHERE token_hash IS NOT NULL OR registered_at IS NOT NULL ORDER BY id",
);

/// SHA-256 over all rows of a table.
fn digest(conn: &Connection, (name, text): Covered) -> Result<[u8; 32]> {
    let mut statement = conn.prepare_cached(text).map_err(|e| missing(name, e))?;
    let columns = statement.column_count();
    let mut rows = statement.query([]).map_err(|e| missing(name, e))?;
    let mut hash = Sha256::new().chain_update(name);
    while let Some(row) = rows.next().map_err(|e| missing(name, e))? {
        for column in 0..columns {
            let (tag, bytes) = match row.get_ref(column).map_err(sql)? {
                rusqlite::types::ValueRef::Null => (b'n', Vec::new()),
                rusqlite::types::ValueRef::Integer(n) => (b'i', n.to_le_bytes().to_vec()),
                rusqlite::types::ValueRef::Real(x) => (b'r', x.to_le_bytes().to_vec()),
                rusqlite::types::ValueRef::Text(text) => (b't', text.to_vec()),
                rusqlite::types::ValueRef::Blob(blob) => (b'b', blob.to_vec()),
            };
            hash.update([tag]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
    }
    Ok(hash.finalize().into())
}
