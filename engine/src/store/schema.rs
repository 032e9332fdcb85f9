//! The tables of `memory.db`. Its `application_id` is `WISN`, its `user_version` the schema version.
//!
//! - `meta`: what was fixed at creation (store id, lineage, dimension, metric, storage, model).
//! - `namespaces`, `kinds`, `principals`: names, each with the number that stands for it elsewhere.
//! - `memories`: one row per memory ever stored; ids are never reused. `status` 0 live, 1
//!   superseded, 2 forgotten, 3 merged into another. `vector_seq` is the change that set its vector; `shuffle` a hash of
//!   its id, by which samples are drawn.
//! - `payloads` (zstd, with the salt of the memory's hashes in `audit`), `vectors` (f32 or f16, little-endian: `memories::decode`): gone
//!   when a memory is forgotten.
//! - `changes`: the log of what changed, by which processes catch up; `seq` rises by one.
//! - `receipts`: recalls that were reported on, copied from the disposable `receipts.db`.
//!   `further_namespaces`: which namespaces they have hits of beside the first one searched; derived.
//! - `situations`: query vectors of reported recalls, each once.
//! - `reports`: what was told, as it was told. `experiences`: the credit each gives, per memory.
//! - `cells`: sums of experiences per (memory, situation), or per (memory, grid cell) in a namespace with
//!   so many that it has a grid (its width is in `namespaces`): derived, kept in step by each report. `lots`:
//!   of these the ones whose worth depends on who told them and when, per (cell, group, day); group 0 is
//!   the owner, -1 all unregistered names, any other a registered principal.
//! - `judgements`: how far a group agreed with the owner on a receipt; `reliabilities`: their sums.
//! - `half_lives`: kinds whose evidence fades, or may.
//! - `audit`: what was done and decided; entries are numbered without gaps, never change, and each has a hash
//!   over itself and the one before.
//! - `origins`: where memories come from, and what was noticed when they came.
//! - `guard`: one row: whether the store is halted, and, signed, what halts were ended and what the audit keeps.
//! - `policies`: what the owner has decided for a namespace.
//! - `standings`: memories that are quarantined, on probation, retired or pinned, or were once. `trials`: what was told
//!   of these since the report from which on it counts, per (memory, group, day); derived.
//! - `aliases`: memories that were merged into others.
//! - `fields`: declared fields of the metadata; `field_values`: what memories hold there, derived from the payloads.
//! - `authorities`: the signed statements by which keys were admitted and revoked, chained, never changed.
//! - `directives`, `overrides`: rules and the signed exceptions to them; `rules_head`: the one signature over
//!   all of them, the authorities, the settings in `guard` and who is registered in `principals`. `facts`: what rules may require, recorded by the owner.
//!   `rules_tick`: counts what triggers see done to these tables, by whatever program.
//! - `segments`: which segment files hold which changes.
//!
//! Every row of truth carries a `checksum` over its other columns (see `sum.rs`).

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::error::Result;

use super::db::sql;

/// Newest schema version this library reads and writes.
pub(crate) const VERSION: i64 = 1 + STEPS.len() as i64;
/// `WISN`.
pub(crate) const APPLICATION_ID: i64 = 0x5749_534e;

/// Version 1.
const TABLES: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;

CREATE TABLE namespaces(
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL, memories INTEGER NOT NULL);
CREATE TABLE kinds(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE principals(
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL, registered_at INTEGER, token_hash BLOB);

CREATE TABLE memories(
  id INTEGER PRIMARY KEY AUTOINCREMENT, namespace INTEGER NOT NULL, kind INTEGER NOT NULL,
  author INTEGER, key TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  expires_at INTEGER, superseded_by INTEGER, status INTEGER NOT NULL,
  vector_seq INTEGER NOT NULL, shuffle INTEGER NOT NULL, checksum INTEGER NOT NULL);
CREATE UNIQUE INDEX memories_key ON memories(namespace, key) WHERE key IS NOT NULL;
CREATE INDEX memories_namespace ON memories(namespace, id) WHERE status < 2;
CREATE INDEX memories_unsealed ON memories(vector_seq) WHERE status = 0;
CREATE INDEX memories_sample ON memories(namespace, shuffle) WHERE status = 0;
CREATE INDEX memories_expiring ON memories(expires_at) WHERE expires_at IS NOT NULL AND status = 0;
CREATE INDEX memories_expiring_here ON memories(namespace) WHERE expires_at IS NOT NULL AND status = 0;

CREATE TABLE payloads(
  memory INTEGER PRIMARY KEY, content BLOB NOT NULL, metadata BLOB, checksum INTEGER NOT NULL);
CREATE TABLE vectors(memory INTEGER PRIMARY KEY, vector BLOB NOT NULL, checksum INTEGER NOT NULL);

CREATE TABLE changes(
  seq INTEGER PRIMARY KEY, op INTEGER NOT NULL, namespace INTEGER NOT NULL, ref INTEGER NOT NULL);
CREATE INDEX changes_masking ON changes(namespace, seq) WHERE op IN (2, 3, 7);

CREATE TABLE situations(
  id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, vector BLOB NOT NULL,
  checksum INTEGER NOT NULL);
CREATE TABLE receipts(
  id BLOB PRIMARY KEY, situation INTEGER NOT NULL, query_text BLOB,
  shown BLOB NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE reports(
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, receipt BLOB, outcome REAL,
  used BLOB NOT NULL, situation INTEGER, tokens INTEGER, cost_micros INTEGER, reporter INTEGER,
  key TEXT, note BLOB, pending INTEGER NOT NULL, fingerprint BLOB NOT NULL,
  checksum INTEGER NOT NULL);
CREATE UNIQUE INDEX reports_key ON reports(key) WHERE key IS NOT NULL;
CREATE INDEX reports_receipt ON reports(receipt) WHERE receipt IS NOT NULL;
CREATE INDEX reports_pending ON reports(id) WHERE pending = 1;

CREATE TABLE experiences(
  report INTEGER NOT NULL, memory INTEGER NOT NULL, situation INTEGER NOT NULL,
  outcome REAL NOT NULL, credit INTEGER NOT NULL, won INTEGER NOT NULL,
  checksum INTEGER NOT NULL, PRIMARY KEY (report, memory)) WITHOUT ROWID;
CREATE INDEX experiences_memory ON experiences(memory, situation);
CREATE TABLE cells(
  id INTEGER PRIMARY KEY AUTOINCREMENT, namespace INTEGER NOT NULL, memory INTEGER NOT NULL,
  situation INTEGER NOT NULL, success INTEGER NOT NULL, failure INTEGER NOT NULL,
  wins INTEGER NOT NULL, reports INTEGER NOT NULL, seq INTEGER NOT NULL,
  shuffle INTEGER NOT NULL, checksum INTEGER NOT NULL, UNIQUE (memory, situation));
CREATE INDEX cells_unsealed ON cells(seq);
CREATE INDEX cells_sample ON cells(namespace, shuffle);

CREATE TABLE segments(
  name TEXT PRIMARY KEY, lo INTEGER NOT NULL, hi INTEGER NOT NULL, rows_hash INTEGER NOT NULL,
  points INTEGER NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;
";

/// What each later version adds to the one before, first to last. A step only adds: tables, indexes,
/// and columns with a default (an index may go). A column added to a table with checksums enters the checksum of a row
/// only where it holds something else than its default, so that the rows of older versions stay sound.
const STEPS: &[&[&str]] = &[&[
    // Version 2.
    "ALTER TABLE receipts ADD COLUMN facts BLOB",
    super::calibrators::TABLES,
    super::forecasts::TABLES,
    "ALTER TABLE reports ADD COLUMN weight REAL NOT NULL DEFAULT 1",
    "ALTER TABLE reports ADD COLUMN severe INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE reports ADD COLUMN retracted_at INTEGER",
    "ALTER TABLE reports ADD COLUMN standing INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE cells ADD COLUMN lots INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE lots(
       cell INTEGER NOT NULL, principal INTEGER NOT NULL, day INTEGER NOT NULL,
       success INTEGER NOT NULL, failure INTEGER NOT NULL, wins INTEGER NOT NULL,
       reports INTEGER NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY (cell, principal, day)) WITHOUT ROWID",
    "ALTER TABLE namespaces ADD COLUMN grid REAL",
    "ALTER TABLE cells ADD COLUMN grid INTEGER",
    // New cells are put in by namespace in order, by shuffle all over the place.
    "DROP INDEX cells_sample",
    "CREATE INDEX cells_namespace ON cells(namespace)",
    "CREATE INDEX cells_grid ON cells(memory, grid) WHERE grid IS NOT NULL",
    "CREATE TABLE judgements(
       receipt BLOB NOT NULL, principal INTEGER NOT NULL, agreement INTEGER NOT NULL,
       checksum INTEGER NOT NULL, PRIMARY KEY (receipt, principal)) WITHOUT ROWID",
    "CREATE TABLE reliabilities(
       principal INTEGER PRIMARY KEY, agreed INTEGER NOT NULL, judged INTEGER NOT NULL,
       checksum INTEGER NOT NULL)",
    "CREATE TABLE half_lives(
       kind INTEGER PRIMARY KEY, days REAL, auto INTEGER NOT NULL, seen INTEGER NOT NULL,
       fitted_seen INTEGER, fitted_at INTEGER, losses BLOB NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE audit(
       id INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, op TEXT NOT NULL,
       namespace INTEGER NOT NULL, ref INTEGER NOT NULL, detail TEXT NOT NULL, checksum INTEGER NOT NULL);
     CREATE INDEX audit_ref ON audit(ref) WHERE ref <> 0",
    "CREATE TABLE policies(
       namespace INTEGER PRIMARY KEY, policy TEXT NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE standings(
       memory INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, state INTEGER NOT NULL,
       pinned INTEGER NOT NULL, since INTEGER NOT NULL, counts_from INTEGER NOT NULL, reason TEXT NOT NULL,
       checksum INTEGER NOT NULL);
     CREATE INDEX standings_namespace ON standings(namespace)",
    "CREATE TABLE aliases(
       memory INTEGER PRIMARY KEY, merged_into INTEGER NOT NULL, survivor INTEGER NOT NULL,
       checksum INTEGER NOT NULL);
     CREATE INDEX aliases_survivor ON aliases(survivor);
     CREATE INDEX aliases_merged_into ON aliases(merged_into)",
], &[
    // Version 3.
        super::fields::TABLES,
    super::chain::COLUMN,
    super::salts::COLUMN,
    super::names::COLUMNS,
    // What happens to every memory is in no index.
    super::audit::INDEXES,
    super::guard::TABLE,
    super::origins::TABLE,
    super::authorities::TABLES,
    super::heads::TABLES,
    super::calibrators::FURTHER,
    super::trials::TABLE,
]];

/// Creates the tables. The caller holds the write lock and records the identity in `meta`.
pub(crate) fn create(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(TABLES)?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    upgrade(conn, 1)
}

/// Brings tables of version `from` up to [`VERSION`]. The caller holds the write lock.
pub(crate) fn upgrade(conn: &Connection, from: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(from - 1).unwrap_or_default();
    for step in STEPS.iter().skip(done) {
        step.iter().try_for_each(|text| conn.execute_batch(text))?;
    }
    if from == 2 {
        super::chain::adopt(conn)?;
    }
    if from < 3 {
        super::names::adopt(conn)?;
        super::bound::adopt(conn)?;
        super::trials::adopt(conn)?;
    }
    conn.pragma_update(None, "user_version", VERSION)
}

/// A table, index or trigger: its type, what it belongs to, and the statement that makes it.
type Object = (String, String, Option<String>);

fn objects(conn: &Connection) -> rusqlite::Result<BTreeMap<String, Object>> {
    let mut statement = conn.prepare("SELECT name, type, tbl_name, sql FROM sqlite_schema")?;
    let rows = statement.query_map([], |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?, r.get(3)?))))?;
    rows.collect()
}

/// What is wrong with the statements that the tables, indexes and triggers stand for: SQLite believes them, so a
/// changed letter changes which rows an index has. Tables and views of others are theirs to have; triggers are
/// not, for they act on what is written here.
pub(crate) fn check(conn: &Connection) -> Result<Vec<String>> {
    let reference =
        Connection::open_in_memory().and_then(|made| create(&made).map(|()| made)).map_err(sql)?;
    let (wanted, found) = (objects(&reference).map_err(sql)?, objects(conn).map_err(sql)?);
    if crate::sabotage::on("schema_unread") {
        return Ok(Vec::new());
    }
    let mut faults = Vec::new();
    for (name, object) in &wanted {
        match found.get(name) {
            Some(there) if there == object => {}
            Some(_) => faults.push(format!("sqlite_schema: the {} {name} was changed", object.0)),
            None => faults.push(format!("sqlite_schema: the {} {name} is missing", object.0)),
        }
    }
    let foreign = found.iter().filter(|(name, object)| object.0 == "trigger" && !wanted.contains_key(*name));
    faults.extend(
        foreign.map(|(name, _)| format!("sqlite_schema: the trigger {name} is not of this library's making")),
    );
    Ok(faults)
}

/// The hash by which samples are drawn: spreads ids evenly (finaliser of `SplitMix64`; Steele, Lea
/// and Flood 2014, figure 17).
pub(crate) fn shuffle(id: i64) -> i64 {
    let mut z = id.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 1).cast_signed()
}
