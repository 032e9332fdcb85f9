//! What a store is: fixed when it is created, read when it is opened.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, types::FromSql};

use xxhash_rust::xxh3::Xxh3;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::vector::{Metric, Storage};

use super::db::{Wanted, located, sql};
use super::{memories, schema};

/// What was fixed when the store was created.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    /// Random; segments and the control file carry it too. A store that was restored or imported lives
    /// another life than the one it comes from: this is then a hash of both ids, so that files of the one
    /// are of no account in the other.
    pub store_id: [u8; 16],
    /// The id of its first life, by which it is known to the authorities that sign for it: what they have
    /// signed holds in every life.
    pub first_id: [u8; 16],
    pub dimension: usize,
    pub metric: String,
    pub storage: Storage,
    pub model: Option<String>,
}

impl Identity {
    /// What is said to somebody who comes with another embedding model.
    pub(crate) fn other_model(&self, path: &Path, given: &str) -> Error {
        let stored = self.model.as_ref().map_or("(none recorded)".to_owned(), |model| format!("{model:?}"));
        Error::Mismatch {
            path: path.to_owned(),
            what: "embedding model",
            stored,
            given: format!("{given:?}"),
        }
    }
}

/// Reads the identity of the store, or creates the tables and records the wanted one.
pub(crate) fn identify(conn: &Connection, wanted: &Wanted<'_>) -> Result<Identity> {
    let path = wanted.dir.map_or_else(|| PathBuf::from(":memory:"), Path::to_owned);
    // In one transaction: another process may be creating it.
    conn.execute_batch("BEGIN").map_err(|e| located(sql(e), &path))?;
    let found = read(conn, &path);
    let ended = conn.execute_batch("ROLLBACK").map_err(|e| located(sql(e), &path));
    if let Some((identity, version)) = found? {
        ended?;
        if version < schema::VERSION {
            upgrade(conn, &path, wanted.read_only)?;
        }
        return Ok(identity);
    }
    let Some(identity) = wanted.identity.clone().filter(|_| !wanted.read_only) else {
        return Err(Error::NotAStore { path, why: "its database is empty".to_owned() });
    };
    conn.execute_batch("BEGIN IMMEDIATE").map_err(|e| located(sql(e), &path))?;
    // Read again under the write lock: another process may have created it meanwhile.
    let created = read(conn, &path).and_then(|found| match found {
        Some((other, _)) => Ok(other),
        None => create(conn, &identity, wanted.now).map(|()| identity),
    });
    let end = if created.is_ok() { "COMMIT" } else { "ROLLBACK" };
    conn.execute_batch(end).map_err(|e| located(sql(e), &path))?;
    created
}

/// Brings the tables of an older version up to this one. All of it happens, or none.
fn upgrade(conn: &Connection, path: &Path, read_only: bool) -> Result<()> {
    if read_only {
        let why = "an older Wisen wrote it: open it for writing once, which brings it up to this version";
        return Err(Error::ReadOnly { path: path.to_owned(), why: why.to_owned() });
    }
    conn.execute_batch("BEGIN IMMEDIATE").map_err(|e| located(sql(e), path))?;
    // Read again under the write lock: another process may have upgraded it meanwhile.
    let upgraded = conn
        .pragma_query_value(None, "user_version", |r| r.get::<_, i64>(0))
        .and_then(|version| schema::upgrade(conn, version));
    let end = if upgraded.is_ok() { "COMMIT" } else { "ROLLBACK" };
    conn.execute_batch(end).map_err(|e| located(sql(e), path))?;
    upgraded.map_err(|e| located(sql(e), path))
}

fn create(conn: &Connection, identity: &Identity, now: Timestamp) -> Result<()> {
    schema::create(conn).map_err(sql)?;
    set_meta(conn, "store_id", identity.store_id.as_slice())?;
    set_meta(conn, "lineage", 0_i64)?;
    set_meta(conn, "dimension", identity.dimension as i64)?;
    set_meta(conn, "metric", identity.metric.as_str())?;
    if identity.storage != Storage::default() {
        set_meta(conn, "storage", identity.storage.as_str())?;
    }
    set_meta(conn, "created_at", now)?;
    identity.model.as_deref().map_or(Ok(()), |model| set_meta(conn, "model", model))
}

/// The identity of the store and the version of its tables.
pub(super) fn read(conn: &Connection, path: &Path) -> Result<Option<(Identity, i64)>> {
    let pragma = |name: &str| conn.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
    let application = pragma("application_id").map_err(|e| located(sql(e), path))?;
    let version = pragma("user_version").map_err(|e| located(sql(e), path))?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))
        .map_err(|e| located(sql(e), path))?;
    if application != schema::APPLICATION_ID {
        if application == 0 && version == 0 && tables == 0 {
            return Ok(None);
        }
        let why = "memory.db is a SQLite database of another program".to_owned();
        return Err(Error::NotAStore { path: path.to_owned(), why });
    }
    if version > schema::VERSION {
        return Err(Error::NewerSchema { path: path.to_owned(), found: version, known: schema::VERSION });
    }
    let missing = |key: &str| Error::corrupt(format!("table meta lacks {key}"));
    let store_id: Vec<u8> = meta(conn, "store_id")?.ok_or_else(|| missing("store_id"))?;
    let dimension: i64 = meta(conn, "dimension")?.ok_or_else(|| missing("dimension"))?;
    let bytes: Option<i64> = conn
        .query_row("SELECT length(vector) FROM vectors LIMIT 1", [], |r| r.get(0))
        .optional()
        .map_err(|e| located(sql(e), path))?;
    let storage = storage(conn)?;
    if dimension < 1 || bytes.is_some_and(|bytes| bytes != memories::bytes_of(storage, dimension)) {
        return Err(Error::corrupt(format!(
            "table meta gives dimension {dimension} and storage {}, and its vectors are of another length",
            storage.as_str()
        )));
    }
    let store_id: [u8; 16] = store_id.try_into().map_err(|_| missing("a store_id of 16 bytes"))?;
    let identity = Identity {
        store_id: in_life(store_id, meta(conn, "lineage")?.unwrap_or(0)),
        first_id: store_id,
        dimension: usize::try_from(dimension).map_err(|_| missing("a dimension"))?,
        metric: meta(conn, "metric")?.ok_or_else(|| missing("metric"))?,
        storage,
        model: meta(conn, "model")?,
    };
    Ok(Some((identity, version)))
}

/// How a store keeps the vectors of memories. Those from before there was a choice do not say.
pub(super) fn storage(conn: &Connection) -> Result<Storage> {
    let Some(name) = meta::<String>(conn, "storage")? else { return Ok(Storage::default()) };
    Storage::parse(&name).ok_or_else(|| Error::corrupt(format!("table meta names a storage {name:?}")))
}

/// The metric of a store.
pub(super) fn metric(conn: &Connection) -> Result<Metric> {
    let name: String = meta(conn, "metric")?.ok_or_else(|| Error::corrupt("table meta lacks metric"))?;
    Metric::parse(&name).ok_or_else(|| Error::corrupt(format!("table meta names the metric {name:?}")))
}

/// Checks that a database says what a store is, and these settings.
pub(crate) fn check_identity(
    conn: &Connection,
    metric: &str,
    dimension: usize,
    storage: Storage,
) -> Result<()> {
    match read(conn, Path::new("memory.db"))? {
        Some((identity, _))
            if (&*identity.metric, identity.dimension, identity.storage) == (metric, dimension, storage) =>
        {
            Ok(())
        }
        _ => Err(Error::corrupt("table meta says otherwise than the first line")),
    }
}

/// The id of a store in the life that began with this lineage; 0: its first.
fn in_life(store_id: [u8; 16], lineage: i64) -> [u8; 16] {
    if lineage == 0 || crate::sabotage::on("one_life") {
        return store_id;
    }
    let mut hash = Xxh3::new();
    hash.update(&store_id);
    hash.update(&lineage.to_le_bytes());
    hash.digest128().to_le_bytes()
}

/// Begins another life of the store.
pub(crate) fn begin_life(conn: &Connection) -> Result<()> {
    let random = uuid::Uuid::new_v4().as_u128() as i64;
    set_meta(conn, "lineage", random & i64::MAX | 1)
}

pub(crate) fn meta<T: FromSql>(conn: &Connection, key: &str) -> Result<Option<T>> {
    conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |r| r.get(0)).optional().map_err(sql)
}

/// Counts a durable transaction. SQLite leaves out a page that is written as it was, and commits a transaction
/// without pages by doing nothing: a number that rises is what has the log written, and synced.
pub(super) fn count_durable(conn: &Connection) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO meta(key, value) VALUES ('durable_commits', 1)
         ON CONFLICT(key) DO UPDATE SET value = value + 1",
    )
    .and_then(|mut s| s.execute([]))
    .map(drop)
    .map_err(sql)
}

/// Lets the next rows of every table have numbers larger by so many.
pub(super) fn leave_numbers_out(conn: &Connection, many: i64) -> Result<()> {
    conn.execute("UPDATE sqlite_sequence SET seq = seq + ?1", [many]).map_err(sql)?;
    // A table that never had a row has no entry.
    conn.execute(
        "INSERT INTO sqlite_sequence(name, seq) SELECT name, ?1 FROM sqlite_schema
         WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'
           AND name NOT IN (SELECT name FROM sqlite_sequence)",
        [many],
    )
    .map(drop)
    .map_err(sql)
}

pub(crate) fn set_meta(conn: &Connection, key: &str, value: impl rusqlite::ToSql) -> Result<()> {
    conn.execute("INSERT OR REPLACE INTO meta(key, value) VALUES (?1, ?2)", rusqlite::params![key, value])
        .map(|_| ())
        .map_err(sql)
}
