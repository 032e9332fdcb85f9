//! Backups: one SQLite file with everything that is not derived, and hashes over all of it.
//!
//! Copied by `VACUUM INTO`, not page by page: it reads one snapshot from beginning to end, so that it is
//! consistent however much is written meanwhile (a copy page by page begins again with every write of
//! another process, and may never end), it holds no writer up (they write to the log; only its reset
//! waits), and nothing that was deleted is in the copy.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};

use super::connect::{let_shrink, open_file, prepare};
use super::db::sql;
use super::identity::{begin_life, leave_numbers_out, meta, set_meta};
use super::{schema, tables};

/// The entry of `meta` that makes a database a backup: the hash of each table, as JSON.
const MARK: &str = "backup";
/// Numbers of memories, reports and the like that a restored store does not give out: its older life may
/// have done so after the backup was made.
const NUMBERS_LEFT_OUT: i64 = 1 << 32;
const WAIT: Duration = Duration::from_secs(5);

/// Copies the database behind `conn` to `file`, which must not exist.
pub(crate) fn copy_to(conn: &Connection, file: &Path) -> Result<()> {
    let name = file
        .to_str()
        .ok_or_else(|| Error::invalid("file", "its name is not UTF-8, which SQLite asks for"))?;
    // New pages hold nothing of what was in their memory before.
    conn.pragma_update(None, "secure_delete", "ON").map_err(sql)?;
    let copied = conn.execute("VACUUM INTO ?1", [name]).map_err(sql);
    conn.pragma_update(None, "secure_delete", "OFF").map_err(sql)?;
    copied.map(|_| ())
}

/// Opens a copy that nobody else knows of for writing.
pub(crate) fn open_copy(file: &Path) -> Result<Connection> {
    open(file, OpenFlags::empty())
}

/// Creates a database that nobody else knows of.
pub(crate) fn open_new(file: &Path) -> Result<Connection> {
    let conn = open(file, OpenFlags::SQLITE_OPEN_CREATE)?;
    let_shrink(&conn).map_err(sql)?;
    Ok(conn)
}

fn open(file: &Path, more: OpenFlags) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let conn = Connection::open_with_flags(file, flags).map_err(sql)?;
    prepare(&conn, WAIT)?;
    // Not synced here: whoever gives the file its name does that.
    for (name, value) in [("journal_mode", "MEMORY"), ("synchronous", "OFF"), ("secure_delete", "ON")] {
        conn.query_row(&format!("PRAGMA {name} = {value}"), [], |_| Ok(())).or_else(none).map_err(sql)?;
    }
    Ok(conn)
}

/// Some pragmas return a row, some none.
fn none(error: rusqlite::Error) -> rusqlite::Result<()> {
    if error == rusqlite::Error::QueryReturnedNoRows { Ok(()) } else { Err(error) }
}

/// Makes a copy a backup: without what is derived, and with hashes over the rest.
pub(crate) fn mark(conn: &Connection) -> Result<()> {
    conn.execute_batch("DELETE FROM segments").map_err(sql)?;
    let mark = serde_json::to_string(&digests(conn)?).map_err(Error::internal)?;
    set_meta(conn, MARK, mark)
}

fn digests(conn: &Connection) -> Result<BTreeMap<String, String>> {
    let mut digests = BTreeMap::new();
    for table in tables::travelling(conn)? {
        let digest = tables::digest(conn, &table, &[MARK])?;
        digests.insert(table, digest);
    }
    Ok(digests)
}

/// Opens a backup and checks that it is whole: what SQLite finds, and the hash of every table.
pub(crate) fn open_checked(file: &Path) -> Result<Connection> {
    let bad = |why: String| Error::BadBackup { path: file.to_owned(), why };
    std::fs::metadata(file).map_err(Error::io("open", file))?;
    let named = |end: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        std::path::PathBuf::from(name)
    };
    if ["-wal", "-journal"].iter().any(|end| named(end).exists()) {
        return Err(bad("it has a log beside it, so it is a database in use and no backup".to_owned()));
    }
    // Whatever is wrong with the file is wrong with the backup.
    let conn = check(file).map_err(|error| match error {
        Error::NotAStore { why, .. } => bad(why),
        Error::Corrupt { what } | Error::Internal { what } => bad(what),
        other => other,
    })?;
    conn.map_err(bad)
}

fn check(file: &Path) -> Result<Result<Connection, String>> {
    let conn = open_file(file, true, WAIT)?;
    let pragma = |name: &str| conn.pragma_query_value(None, name, |r| r.get::<_, i64>(0)).map_err(sql);
    if pragma("application_id")? != schema::APPLICATION_ID {
        return Ok(Err("it is a database of another program".to_owned()));
    }
    let version = pragma("user_version")?;
    if version > schema::VERSION {
        return Err(Error::NewerSchema { path: file.to_owned(), found: version, known: schema::VERSION });
    }
    let Some(mark) = meta::<String>(&conn, MARK)? else {
        return Ok(Err("it is a store's database and was not made by `backup`".to_owned()));
    };
    if crate::sabotage::on("backups_unchecked") {
        return Ok(Ok(conn));
    }
    let first: String = conn.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0)).map_err(sql)?;
    if first != "ok" {
        return Ok(Err(first));
    }
    let Ok(promised) = serde_json::from_str::<BTreeMap<String, String>>(&mark) else {
        return Ok(Err("the hashes of its tables cannot be read".to_owned()));
    };
    let found = digests(&conn)?;
    for name in promised.keys().chain(found.keys()) {
        if promised.get(name) != found.get(name) {
            return Ok(Err(format!("table {name} is not what it was when the backup was made")));
        }
    }
    Ok(Ok(conn))
}

/// Makes a copy of a backup the database of a store that begins another life.
pub(crate) fn revive(conn: &Connection) -> Result<()> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(sql)?;
    if version < schema::VERSION {
        schema::upgrade(conn, version).map_err(sql)?;
    }
    conn.execute("DELETE FROM meta WHERE key = ?1", [MARK]).map_err(sql)?;
    begin_apart(conn)
}

/// Begins another life of a store, in which no number is given out that its older life may give out.
pub(super) fn begin_apart(conn: &Connection) -> Result<()> {
    leave_numbers_out(conn, NUMBERS_LEFT_OUT)?;
    begin_life(conn)
}
