//! Opening the connections of a store, and its control file.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode as Sqlite, OpenFlags};

use crate::error::{Error, Result};
use crate::segment::Control;

use super::db::{
    CONTROL_MAGIC, CONTROL_WORDS, ID_WORDS, MAGIC_WORD, SAID_WORDS, SEQ_WORD, Wanted, located, sql,
};
use super::identity::{self, Identity};
use super::receipts::Alone;

/// Pages in the write-ahead log at which SQLite moves them into the database: as many as by default, and in a large
/// database up to four times as many (16 MiB), because the same few pages change with every report.
const CHECKPOINT_PAGES: std::ops::RangeInclusive<i64> = 1000..=4096;
/// The log may have this share of the pages of the database.
const LOG_SHARE: i64 = 8;
/// Bytes of a page, as SQLite makes them by default.
const PAGE: i64 = 4096;

/// Lets the write-ahead log grow as fits the size of the database; after a larger transaction it shrinks again.
pub(super) fn tune(conn: &Connection) -> Result<()> {
    let pages =
        (pages(conn).map_err(sql)? / LOG_SHARE).clamp(*CHECKPOINT_PAGES.start(), *CHECKPOINT_PAGES.end());
    conn.pragma_update(None, "wal_autocheckpoint", pages).map_err(sql)?;
    conn.pragma_update(None, "journal_size_limit", pages * PAGE).map_err(sql)
}

fn pages(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "page_count", |r| r.get(0))
}

/// Lets free pages be given back, from the next time on that the database is written whole: when it is made, and at
/// each `VACUUM`. Asked of any other it would be a transaction in vain.
pub(super) fn let_shrink(conn: &Connection) -> rusqlite::Result<()> {
    const INCREMENTAL: i64 = 2;
    let mode: i64 = conn.pragma_query_value(None, "auto_vacuum", |r| r.get(0))?;
    if mode == INCREMENTAL { Ok(()) } else { conn.pragma_update(None, "auto_vacuum", INCREMENTAL) }
}

/// The connection that writes, and whether the store lies on read-only media.
pub(super) fn connect(wanted: &Wanted<'_>) -> Result<(Connection, bool)> {
    let Some(dir) = wanted.dir else {
        let conn = Connection::open_in_memory().map_err(sql)?;
        prepare(&conn, wanted.busy)?;
        return Ok((conn, false));
    };
    if wanted.read_only {
        return match open_reader(dir, false, wanted.busy) {
            Ok(conn) => Ok((conn, false)),
            // On read-only media nobody can be writing, so SQLite needs none of its own files beside
            // the database, which such media would not let it create.
            Err(_) if is_read_only_media(dir) => {
                // Its size is asked of the folder: no one but SQLite opens it.
                if std::fs::metadata(dir.join("memory.db-wal")).is_ok_and(|log| log.len() > 0) {
                    let why = "it lies on read-only media with its write-ahead log, which cannot be read there: \
                               close a store before it is put there, or open a copy of it elsewhere";
                    return Err(Error::ReadOnly { path: dir.to_owned(), why: why.to_owned() });
                }
                Ok((open_reader(dir, true, wanted.busy)?, true))
            }
            Err(error) => Err(error),
        };
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<(Connection, String)> {
        let conn = Connection::open_with_flags(dir.join("memory.db"), flags).map_err(sql)?;
        prepare(&conn, wanted.busy)?;
        if pages(&conn).map_err(sql)? == 0 {
            patiently(wanted.busy, || let_shrink(&conn)).map_err(sql)?;
        }
        let mode = write_ahead(&conn, wanted.busy).map_err(sql)?;
        tune(&conn)?;
        let level = match wanted.full {
            _ if crate::sabotage::on("never_synced") => "OFF",
            true if !crate::sabotage::on("full_is_normal") => "FULL",
            _ => "NORMAL",
        };
        conn.pragma_update(None, "synchronous", level).map_err(sql)?;
        Ok((conn, mode))
    };
    let (conn, mode) = open().map_err(|e| located(e, dir))?;
    if mode != "wal" {
        return Err(Error::Io {
            action: "keep a write-ahead log in",
            path: dir.to_owned(),
            source: std::io::Error::other(format!("SQLite stays in journal mode {mode}")),
        });
    }
    Ok((conn, false))
}

/// Switches to a write-ahead log.
pub(crate) fn write_ahead(conn: &Connection, busy: Duration) -> rusqlite::Result<String> {
    patiently(busy, || conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0)))
}

/// SQLite does not wait for another process that is just switching to a write-ahead log.
fn patiently<T>(busy: Duration, work: impl Fn() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let begun = Instant::now();
    loop {
        match work() {
            Err(error)
                if error.sqlite_error_code() == Some(Sqlite::DatabaseBusy) && begun.elapsed() < busy =>
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            result => return result,
        }
    }
}

/// Whether a store lies where nothing can be written by anybody. Asked of the control file: no one
/// but SQLite may open its databases.
fn is_read_only_media(dir: &Path) -> bool {
    let refused = std::fs::OpenOptions::new().write(true).open(dir.join("control"));
    refused.is_err_and(|error| error.kind() == std::io::ErrorKind::ReadOnlyFilesystem)
}

pub(super) fn open_reader(dir: &Path, immutable: bool, busy: Duration) -> Result<Connection> {
    open_file(&dir.join("memory.db"), immutable, busy).map_err(|e| located(e, dir))
}

/// Opens a database for reading. `immutable`: nobody writes to it, and SQLite puts no files beside it.
pub(super) fn open_file(file: &Path, immutable: bool, busy: Duration) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = if immutable {
        let escaped = file.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let flags = flags | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).map_err(sql)?
    } else {
        Connection::open_with_flags(file, flags).map_err(sql)?
    };
    prepare(&conn, busy)?;
    // Touches the file, so that what cannot be read fails here.
    conn.query_row("PRAGMA schema_version", [], |_| Ok(())).map_err(sql)?;
    Ok(conn)
}

pub(super) fn prepare(conn: &Connection, busy: Duration) -> Result<()> {
    conn.busy_timeout(if crate::sabotage::on("impatient") { Duration::ZERO } else { busy }).map_err(sql)?;
    // Room for all of them: preparing one costs as much as running it ten times. Plans must not depend on
    // what is bound, or they are made anew with each binding.
    conn.set_prepared_statement_cache_capacity(256);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(sql)?;
    conn.pragma_update(None, "cache_size", -8192).map_err(sql)?;
    conn.pragma_update(None, "temp_store", "MEMORY").map_err(sql)
}

/// The control file as a handle has it.
pub(super) struct ControlFile {
    /// The file, or words of this handle alone where there is none of this store.
    control: Control,
    /// What is looked for meanwhile.
    sought: Option<Sought>,
}

/// The control file that a read-only handle waits for: it creates none itself, and whoever opens the store for
/// writing does, or makes it this store's.
struct Sought {
    file: PathBuf,
    id: [u64; 2],
    found: OnceLock<Control>,
}

impl ControlFile {
    /// The words as they are now. Costs one branch unless the file is still looked for.
    pub(super) fn get(&self) -> &Control {
        match &self.sought {
            Some(sought) if !crate::sabotage::on("readers_stay_deaf") => {
                sought.look().unwrap_or(&self.control)
            }
            _ => &self.control,
        }
    }
}

impl Sought {
    /// The file, from the first time on that it is there.
    fn look(&self) -> Option<&Control> {
        if let Some(control) = self.found.get() {
            return Some(control);
        }
        // One that cannot be read now may be later; a handle that writes would say what is wrong with it.
        let control = existing(&self.file, self.id).ok()??;
        Some(self.found.get_or_init(|| control))
    }
}

pub(super) fn open_control(wanted: &Wanted<'_>, identity: &Identity, immutable: bool) -> Result<ControlFile> {
    let Some(dir) = wanted.dir else {
        return Ok(ControlFile { control: Control::heap(CONTROL_WORDS), sought: None });
    };
    let (file, id) = (dir.join("control"), id_words(identity));
    if !wanted.read_only {
        return Ok(ControlFile { control: claim(&file, id, wanted.busy)?, sought: None });
    }
    if let Some(control) = existing(&file, id)? {
        return Ok(ControlFile { control, sought: None });
    }
    // Where nothing can be written nobody creates one.
    let sought = (!immutable).then(|| Sought { file, id, found: OnceLock::new() });
    Ok(ControlFile { control: Control::heap(CONTROL_WORDS), sought })
}

/// Makes the control file of a store that nobody else knows of: whoever opens it read-only first then has the
/// words that all who write to it later share.
pub(crate) fn create_control(conn: &Connection, dir: &Path) -> Result<()> {
    if crate::sabotage::on("copies_uncontrolled") {
        return Ok(());
    }
    let (identity, _) =
        identity::read(conn, dir)?.ok_or_else(|| Error::internal("the database of a copy is empty"))?;
    let file = dir.join("control");
    claim(&file, id_words(&identity), Duration::ZERO)?.sync().map_err(Error::io("sync", &file))
}

fn id_words(identity: &Identity) -> [u64; 2] {
    let mut id = [0_u64; 2];
    for (word, bytes) in id.iter_mut().zip(identity.store_id.chunks_exact(8)) {
        *word = bytes.iter().fold(0, |n, b| (n << 8) | u64::from(*b));
    }
    id
}

fn is_of(control: &Control, id: [u64; 2]) -> bool {
    control.word(MAGIC_WORD).load(Acquire) == CONTROL_MAGIC
        && (0..2).all(|i| control.word(ID_WORDS[i]).load(Acquire) == id[i])
}

/// The control file for reading, if there is one, and it is this store's.
fn existing(file: &Path, id: [u64; 2]) -> Result<Option<Control>> {
    if !file.exists() {
        return Ok(None);
    }
    let control = Control::open_read_only(file, CONTROL_WORDS)?;
    Ok(is_of(&control, id).then_some(control))
}

/// Opens the control file for writing, or creates it, and makes it this store's.
fn claim(file: &Path, id: [u64; 2], busy: Duration) -> Result<Control> {
    let control = Control::create_or_open(file, CONTROL_WORDS)?;
    if is_of(&control, id) {
        return Ok(control);
    }
    // One at a time: what another process says of this store once it has claimed the file must stay. Where it cannot be
    // locked, two that create a store at once write the same words.
    let _alone = Alone::wait(file, busy);
    if !is_of(&control, id) {
        // New, or another store's: what it counts, and whether that is halted, means nothing here.
        if !crate::sabotage::on("words_stay") {
            for word in SAID_WORDS {
                control.word(word).store(0, Release);
            }
        }
        control.word(SEQ_WORD).store(0, Release);
        (0..2).for_each(|i| control.word(ID_WORDS[i]).store(id[i], Release));
        control.word(MAGIC_WORD).store(CONTROL_MAGIC, Release);
    }
    Ok(control)
}
