//! Connections and transactions. One connection writes, under a lock; others read.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode as Sqlite};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::key::PublicKey;
use crate::notice;
use crate::segment::Control;
use crate::vector::Storage;
use crate::waits;

use super::authorities::Trust;
use super::changes::{self, Op};
use super::connect::{self, ControlFile, connect, open_control, open_reader};
use super::identity::{self, Identity};

/// What the options ask for.
pub(crate) struct Wanted<'a> {
    /// The directory, or `None` for a store in memory.
    pub dir: Option<&'a Path>,
    /// For a store that does not exist yet.
    pub identity: Option<Identity>,
    pub full: bool,
    pub read_only: bool,
    pub busy: Duration,
    pub now: Timestamp,
    /// The key that the authorities of the store have to begin with.
    pub pinned: Option<PublicKey>,
}

/// Words of the control file: a magic number and the store's id, the newest change acknowledged,
/// the generation of the list of segments, the process that is writing, the halt in force, the generation of
/// the rules, the latest time that a rule was judged at, and how often something was erased for good.
pub(super) const CONTROL_WORDS: usize = 64;
pub(super) const MAGIC_WORD: usize = 0;
pub(super) const ID_WORDS: [usize; 2] = [1, 2];
pub(super) const SEQ_WORD: usize = 3;
const GENERATION_WORD: usize = 4;
const WRITER_WORD: usize = 5;
/// The halt in force, see `memory/halt.rs`.
const HALT_WORD: usize = 6;
const RULES_WORD: usize = 7;
const TIME_WORD: usize = 8;
/// How often something was erased for good.
const ERASED_WORD: usize = 9;
/// What the file says of a store beside its newest change.
pub(super) const SAID_WORDS: [usize; 5] = [GENERATION_WORD, HALT_WORD, RULES_WORD, TIME_WORD, ERASED_WORD];
/// Free pages of the database go back to the file system when there are more than so many (256 KiB)...
const FREE_PAGES: i64 = 64;
/// ...and more than one in so many is free.
const FREE_SHARE: i64 = 8;
/// More changes than a store can lose between two openings.
const MOST_LOST: i64 = 1 << 40;
pub(super) const CONTROL_MAGIC: u64 = u64::from_le_bytes(*b"WISENCTL");

/// The database of a store.
pub(crate) struct Db {
    dir: Option<PathBuf>,
    /// `None` once closed.
    writer: Mutex<Option<Connection>>,
    readers: Mutex<Vec<Connection>>,
    open: AtomicBool,
    control: ControlFile,
    read_only: bool,
    /// On read-only media: nobody can be writing.
    immutable: bool,
    busy: Duration,
    full: bool,
    storage: Storage,
    /// By what signatures are judged, but for the highest generation known.
    trust: Trust,
}

/// A write transaction: all of it is committed, or none.
pub(crate) struct Tx<'a> {
    pub conn: &'a Connection,
    pub now: Timestamp,
    /// How the store keeps vectors.
    pub storage: Storage,
    seq: i64,
}

impl<'a> Tx<'a> {
    /// In a transaction on a copy of a store that nobody else knows of.
    pub(super) fn on_copy(conn: &'a Connection, now: Timestamp) -> Result<Self> {
        Ok(Self { conn, now, storage: identity::storage(conn)?, seq: changes::last_seq(conn)? })
    }

    /// Logs a change and returns its number.
    pub(crate) fn change(&mut self, op: Op, namespace: i64, reference: i64) -> Result<i64> {
        self.seq += 1;
        self.conn
            .prepare_cached("INSERT INTO changes(seq, op, namespace, ref) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut s| s.execute((self.seq, op as i64, namespace, reference)))
            .map_err(sql)?;
        Ok(self.seq)
    }

    /// Notes the time of something.
    pub(crate) fn note(&mut self, what: &str) -> Result<()> {
        identity::set_meta(self.conn, what, self.now)
    }

    /// Takes up to so many pages off the end of the database if too many of all are free, and moves what they held to
    /// the free ones. Returns how many it took.
    pub(crate) fn give_back(&self, pages: i64) -> Result<i64> {
        let count = |name: &str| -> Result<i64> {
            let mut statement = self.conn.prepare_cached(name).map_err(sql)?;
            statement.query_row([], |r| r.get(0)).map_err(sql)
        };
        let (free, all) = (count("PRAGMA freelist_count")?, count("PRAGMA page_count")?);
        if free <= FREE_PAGES || free * FREE_SHARE <= all {
            return Ok(0);
        }
        let mut statement =
            self.conn.prepare_cached(&format!("PRAGMA incremental_vacuum({pages})")).map_err(sql)?;
        let mut steps = statement.query([]).map_err(sql)?;
        // Each step takes one.
        while steps.next().map_err(sql)?.is_some() {}
        Ok(free - count("PRAGMA freelist_count")?)
    }

    /// The number that the next change will get.
    pub(crate) fn next_seq(&self) -> i64 {
        self.seq + 1
    }
}

impl Db {
    /// Opens the database in `wanted.dir`, or creates it with `wanted.identity`.
    pub(crate) fn open(wanted: &Wanted<'_>) -> Result<(Db, Identity)> {
        let (writer, immutable) = connect(wanted)?;
        let identity = identity::identify(&writer, wanted)?;
        let control = open_control(wanted, &identity, immutable)?;
        let db = Db {
            dir: wanted.dir.map(Path::to_owned),
            writer: Mutex::new(Some(writer)),
            readers: Mutex::new(Vec::new()),
            open: AtomicBool::new(true),
            control,
            read_only: wanted.read_only,
            immutable,
            busy: wanted.busy,
            full: wanted.full,
            storage: identity.storage,
            trust: Trust {
                store_id: if crate::sabotage::on("signed_for_one_life") {
                    identity.store_id
                } else {
                    identity.first_id
                },
                pinned: wanted.pinned,
                least: 0,
            },
        };
        if !db.read_only {
            db.notice_losses(wanted.now)?;
        }
        Ok((db, identity))
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The words that all processes share. A read-only handle never stores to them: its map would copy their page,
    /// and it would never see again what others store.
    fn control(&self) -> &Control {
        self.control.get()
    }

    /// Number of the newest change that any process has acknowledged.
    pub(crate) fn acknowledged(&self) -> i64 {
        self.control().word(SEQ_WORD).load(Acquire).cast_signed()
    }

    /// Rises whenever the list of segments changes.
    pub(crate) fn generation(&self) -> u64 {
        self.control().word(GENERATION_WORD).load(Acquire)
    }

    /// The word of the halt in force.
    pub(crate) fn halt_word(&self) -> &AtomicU64 {
        self.control().word(HALT_WORD)
    }

    /// Makes the control file durable as it is.
    pub(crate) fn sync_control(&self) -> Result<()> {
        if crate::sabotage::on("control_unsynced") {
            return Ok(());
        }
        self.control().sync().map_err(Error::io("sync the control file in", &self.path()))
    }

    pub(crate) fn raise_generation(&self) {
        if !self.read_only {
            self.control().word(GENERATION_WORD).fetch_add(1, AcqRel);
        }
    }

    /// The highest generation of the rules that any process has seen or made.
    pub(crate) fn rules_generation(&self) -> u64 {
        self.control().word(RULES_WORD).load(Acquire)
    }

    /// By what signatures are judged now. To be asked for before anything is read: what is read must be
    /// at least as new.
    pub(crate) fn trust(&self) -> Trust {
        Trust { least: self.rules_generation(), ..self.trust }
    }

    /// Notes a generation of the rules.
    pub(crate) fn note_rules(&self, generation: u64) {
        if !self.read_only && self.rules_generation() < generation {
            self.control().word(RULES_WORD).fetch_max(generation, AcqRel);
        }
    }

    /// The latest time that any process has judged a rule at.
    pub(crate) fn latest_time(&self) -> Timestamp {
        self.control().word(TIME_WORD).load(Acquire).cast_signed()
    }

    /// Notes a time that a rule was judged at, to the second.
    pub(crate) fn note_time(&self, now: Timestamp) {
        if !self.read_only && now > self.latest_time().saturating_add(1_000_000) {
            self.control().word(TIME_WORD).fetch_max(now.max(0).cast_unsigned(), AcqRel);
        }
    }

    /// How often any process has erased something for good. Receipts of recalls before the last time are not kept: they
    /// may hold what was erased.
    pub(crate) fn erasures(&self) -> u64 {
        self.control().word(ERASED_WORD).load(Acquire)
    }

    /// Counts an erasure, of which every process then knows. Returns the new count.
    pub(crate) fn note_erasure(&self) -> u64 {
        self.control().word(ERASED_WORD).fetch_add(1, AcqRel).wrapping_add(1)
    }

    /// Takes back what was noted of times, which a clock that once ran ahead has spoilt.
    pub(crate) fn reset_time(&self, now: Timestamp) {
        if !self.read_only {
            self.control().word(TIME_WORD).store(now.max(0).cast_unsigned(), Release);
        }
    }

    /// Runs `work` on a connection for reading. `work` must not keep it.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let Some(dir) = &self.dir else {
            return work(self.writer.lock().as_ref().ok_or(Error::Closed)?);
        };
        let pooled = waits::lock(&self.readers).pop();
        let conn = match pooled {
            Some(conn) => conn,
            None => open_reader(dir, self.immutable, self.busy)?,
        };
        let result = work(&conn);
        let mut readers = waits::lock(&self.readers);
        // One that is still in a transaction could not be rolled back; one of a closed store has to go.
        if conn.is_autocommit() && self.writer_is_open() {
            readers.push(conn);
        }
        result
    }

    /// A connection for reading that the caller keeps, and gives back before the store is closed; none for a
    /// store in memory.
    pub(crate) fn open_reader(&self) -> Result<Option<Connection>> {
        if !self.writer_is_open() {
            return Err(Error::Closed);
        }
        self.dir.as_ref().map(|dir| open_reader(dir, self.immutable, self.busy)).transpose()
    }

    /// Like [`Db::read`], with every statement of `work` seeing the same state.
    pub(crate) fn snapshot<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.read(|conn| {
            conn.execute_batch("BEGIN").map_err(sql)?;
            let result = work(conn);
            // Nothing was written: this only gives the snapshot back. After some errors SQLite has done
            // so itself.
            if !conn.is_autocommit() {
                let ended = conn.execute_batch("ROLLBACK").map_err(sql);
                return result.and_then(|value| ended.map(|()| value));
            }
            result
        })
    }

    /// Runs `work` in a write transaction and makes it known to all processes.
    pub(crate) fn write<T>(&self, now: Timestamp, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.transact(now, false, work)
    }

    /// Like [`Db::write`], but durable on return whatever the store's durability, together with
    /// everything committed before, even if `work` changes nothing.
    pub(crate) fn write_durably<T>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        self.transact(now, true, work)
    }

    fn transact<T>(
        &self,
        now: Timestamp,
        durable: bool,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        if self.read_only {
            return Err(Error::ReadOnly { path: self.path(), why: "it was opened read-only".to_owned() });
        }
        let writer = self.writer.try_lock_for(self.busy).ok_or_else(|| Error::Busy {
            holder: "another thread of this process".to_owned(),
            waited_ms: self.busy.as_millis() as u64,
        })?;
        let conn = writer.as_ref().ok_or(Error::Closed)?;
        let raise = durable && !self.full && !crate::sabotage::on("never_synced");
        if raise {
            conn.pragma_update(None, "synchronous", "FULL").map_err(|e| self.explain(e))?;
        }
        let result = self.commit(conn, now, |tx| {
            let value = work(tx)?;
            if durable && !crate::sabotage::on("idle_commits") {
                identity::count_durable(tx.conn)?;
            }
            Ok(value)
        });
        if raise {
            conn.pragma_update(None, "synchronous", "NORMAL").map_err(|e| self.explain(e))?;
        }
        result
    }

    fn commit<T>(
        &self,
        conn: &Connection,
        now: Timestamp,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        // Sabotage: says that it is done before it is.
        let early = self.dir.is_some() && crate::sabotage::on("acknowledge_early");
        let begun = Instant::now();
        if !early || conn.is_autocommit() {
            run(conn, "BEGIN IMMEDIATE").map_err(|e| self.explain(e))?;
        }
        waits::WRITER.note(begun);
        let begun = Instant::now();
        self.control().word(WRITER_WORD).store(u64::from(std::process::id()), Release);
        let guard = Unfinished { conn, control: self.control() };
        let mut tx = Tx { conn, now, storage: self.storage, seq: changes::last_seq(conn)? };
        let value = work(&mut tx)?;
        if early && tx.seq % 16 != 0 {
            std::mem::forget(guard);
            return Ok(value);
        }
        let ended = run(conn, "COMMIT").map_err(|e| self.explain(e));
        waits::TRANSACTION.note(begun);
        if !crate::sabotage::on("commit_errors_pass") {
            ended?;
        }
        if !crate::sabotage::on("tell_nobody") {
            self.control().word(SEQ_WORD).fetch_max(tx.seq.cast_unsigned(), AcqRel);
        }
        Ok(value)
    }

    /// Makes everything committed durable and moves the write-ahead log into the database file.
    pub(crate) fn checkpoint(&self, now: Timestamp) -> Result<()> {
        if self.read_only || self.dir.is_none() {
            return Ok(());
        }
        // NORMAL syncs nothing at commit; a durable transaction syncs the log up to here. The checkpoint would, too, but
        // for a reader that is in its way.
        self.write_durably(now, |_| Ok(()))?;
        let writer = self.writer.lock();
        let conn = writer.as_ref().ok_or(Error::Closed)?;
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(|e| self.explain(e))
    }

    /// Lets the write-ahead log grow as fits the size of the database.
    pub(crate) fn tune(&self) -> Result<()> {
        let writer = self.writer.lock();
        connect::tune(writer.as_ref().ok_or(Error::Closed)?)
    }

    /// How long a lock is waited for.
    pub(crate) fn busy(&self) -> Duration {
        self.busy
    }

    /// Rewrites the database without what was deleted, and empties the write-ahead log. Writers wait for
    /// the first, and it waits for readers of the log, both no longer than the store waits for any lock.
    pub(crate) fn vacuum(&self) -> Result<()> {
        let writer = self.writer.try_lock_for(self.busy).ok_or_else(|| Error::Busy {
            holder: "another thread of this process".to_owned(),
            waited_ms: self.busy.as_millis() as u64,
        })?;
        let conn = writer.as_ref().ok_or(Error::Closed)?;
        if !crate::sabotage::on("free_pages_stay") {
            self.control().word(WRITER_WORD).store(u64::from(std::process::id()), Release);
            let done = vacuum(conn);
            self.control().word(WRITER_WORD).store(0, Release);
            done.map_err(|e| self.explain(e))?;
        }
        if self.dir.is_some() {
            truncate_log(conn, self.busy)?;
        }
        Ok(())
    }

    /// Closes all connections; the last process to do so leaves no write-ahead log behind. A call
    /// that is still at work keeps its connection until it ends.
    pub(crate) fn close(&self) {
        self.open.store(false, Release);
        waits::lock(&self.readers).clear();
        *self.writer.lock() = None;
    }

    fn writer_is_open(&self) -> bool {
        self.open.load(Acquire)
    }

    /// What SQLite itself finds wrong with the database, one sentence each.
    pub(crate) fn integrity(&self) -> Result<Vec<String>> {
        self.read(|conn| {
            // The quick check would not compare indexes with their tables: a flipped bit in an index hides rows.
            let mut statement = conn.prepare("PRAGMA integrity_check(20)").map_err(sql)?;
            let rows = statement.query_map([], |r| r.get::<_, String>(0)).map_err(sql)?;
            let lines: rusqlite::Result<Vec<String>> = rows.collect();
            Ok(lines.map_err(sql)?.into_iter().filter(|line| line != "ok").collect())
        })
    }

    /// How many acknowledged changes were found missing when the store was opened, all in all.
    pub(crate) fn losses(&self) -> Result<i64> {
        self.read(|conn| identity::meta(conn, "lost_changes").map(|lost| lost.unwrap_or(0)))
    }

    /// When the control file was last found damaged.
    pub(crate) fn control_damaged_at(&self) -> Result<Option<Timestamp>> {
        self.read(|conn| identity::meta(conn, "control_damaged_at"))
    }

    /// The control file remembers the newest change ever acknowledged. A database that holds less
    /// has lost the rest (a power loss under durability normal, or an older copy put in its
    /// place): that is recorded, and the numbers of what was lost are not given out again. The word never
    /// sinks: it tells of the loss until that is recorded, and a handle that has read it knows of what comes later.
    fn notice_losses(&self, now: Timestamp) -> Result<()> {
        let acknowledged = self.acknowledged();
        let present = self.read(changes::last_seq)?;
        if !(0..present.saturating_add(MOST_LOST)).contains(&acknowledged) {
            // No store can have lost so much: the word itself is damaged.
            notice::warn("the control file was damaged and is set right");
            self.control().word(SEQ_WORD).store(present.cast_unsigned(), Release);
            return self.write(now, |tx| identity::set_meta(tx.conn, "control_damaged_at", now));
        }
        if acknowledged <= present {
            self.control().word(SEQ_WORD).fetch_max(present.cast_unsigned(), AcqRel);
            return Ok(());
        }
        self.write_durably(now, |tx| {
            // Read again under the write lock: another process may just have committed.
            let lost = if crate::sabotage::on("unnoticed_loss") { 0 } else { self.acknowledged() - tx.seq };
            if lost > 0 {
                notice::warn(format_args!("{lost} acknowledged changes are missing from memory.db"));
                let before: i64 = identity::meta(tx.conn, "lost_changes")?.unwrap_or(0);
                identity::set_meta(tx.conn, "lost_changes", before.saturating_add(lost))?;
                identity::leave_numbers_out(tx.conn, lost)?;
                if crate::sabotage::on("losses_sink") {
                    self.control().word(SEQ_WORD).store(tx.seq.cast_unsigned(), Release);
                } else {
                    tx.seq += lost;
                    tx.change(Op::Lost, 0, 0)?;
                }
            }
            Ok(())
        })
    }

    /// Adds what only the store knows to an error of SQLite: who holds the lock, which directory.
    fn explain(&self, error: rusqlite::Error) -> Error {
        match sql(error) {
            Error::Busy { .. } => {
                let pid = self.control().word(WRITER_WORD).load(Acquire);
                let holder = if pid == 0 || crate::sabotage::on("nameless") {
                    "another process".to_owned()
                } else {
                    format!("process {pid}")
                };
                Error::Busy { holder, waited_ms: self.busy.as_millis() as u64 }
            }
            other => located(other, &self.path()),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| PathBuf::from(":memory:"))
    }
}

/// Ends a write transaction that was not committed, by an error or by a panic.
struct Unfinished<'a> {
    conn: &'a Connection,
    control: &'a Control,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.conn.is_autocommit() {
            // Nothing of it may stay. If even this fails, the next BEGIN does, and says why.
            let end = if crate::sabotage::on("keep_halves") { "COMMIT" } else { "ROLLBACK" };
            let _ = self.conn.execute_batch(end);
        }
        self.control.word(WRITER_WORD).store(0, Release);
    }
}

/// Rewrites a database without what was deleted.
pub(super) fn vacuum(conn: &Connection) -> rusqlite::Result<()> {
    connect::let_shrink(conn)?;
    // The pages of the new file hold nothing of what was in their memory before.
    conn.pragma_update(None, "secure_delete", "ON")?;
    let done = conn.execute_batch("VACUUM");
    conn.pragma_update(None, "secure_delete", "OFF")?;
    done
}

/// Moves the write-ahead log into the database and empties it. Waits for those who read from it, in between tries:
/// in a try SQLite would wait with the lock of writers in its hands.
pub(super) fn truncate_log(conn: &Connection, busy: Duration) -> Result<()> {
    let waits = if crate::sabotage::on("readers_stop_writers") { busy } else { Duration::ZERO };
    conn.busy_timeout(waits).map_err(sql)?;
    let begun = Instant::now();
    let done = loop {
        match conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get::<_, i64>(0)).map_err(sql) {
            Ok(0) => break Ok(()),
            Ok(_) | Err(Error::Busy { .. }) => {}
            Err(error) => break Err(error),
        }
        if begun.elapsed() >= busy {
            let holder = "a reader of the write-ahead log".to_owned();
            break Err(Error::Busy { holder, waited_ms: begun.elapsed().as_millis() as u64 });
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    conn.busy_timeout(busy).map_err(sql)?;
    done
}

/// Runs a statement that is run often.
fn run(conn: &Connection, text: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(text)?.execute([]).map(|_| ())
}

/// Turns an error of SQLite into ours.
pub(crate) fn sql(error: rusqlite::Error) -> Error {
    let path = PathBuf::from("memory.db");
    match error {
        rusqlite::Error::SqliteFailure(code, message) => match code.code {
            Sqlite::DatabaseBusy | Sqlite::DatabaseLocked => {
                Error::Busy { holder: "another process".to_owned(), waited_ms: 0 }
            }
            Sqlite::DiskFull => Error::DiskFull { path },
            Sqlite::ReadOnly => {
                Error::ReadOnly { path, why: "its file or file system cannot be written".to_owned() }
            }
            Sqlite::NotADatabase => {
                Error::NotAStore { path, why: "memory.db is not a SQLite database".to_owned() }
            }
            Sqlite::DatabaseCorrupt => Error::corrupt(format!(
                "SQLite finds memory.db malformed ({})",
                message.unwrap_or_else(|| code.to_string())
            )),
            Sqlite::CannotOpen | Sqlite::SystemIoFailure | Sqlite::PermissionDenied => Error::Io {
                action: "use",
                path,
                source: std::io::Error::other(message.unwrap_or_else(|| code.to_string())),
            },
            // An index that a statement names is not what the schema made it, or not there.
            _ if message
                .as_ref()
                .is_some_and(|m| m == "no query solution" || m.starts_with("no such index")) =>
            {
                Error::corrupt("an index of memory.db is not the one that was made".to_owned())
            }
            _ if message.as_ref().is_some_and(|m| m == "unsupported file format") => {
                Error::corrupt("the header of memory.db names a format that SQLite does not know")
            }
            // A step of the schema finds its work done: the version in the header is not that of the tables.
            _ if message
                .as_ref()
                .is_some_and(|m| m.starts_with("duplicate column name") || m.ends_with("already exists")) =>
            {
                let what = message.unwrap_or_default();
                Error::corrupt(format!(
                    "the header of memory.db names another version than its tables are of ({what})"
                ))
            }
            _ => Error::internal(format!("SQLite: {} ({code})", message.unwrap_or_default())),
        },
        // What one row names has to be there.
        rusqlite::Error::QueryReturnedNoRows => {
            Error::corrupt("a row of memory.db that another one names is missing")
        }
        // Every statement is a fixed one: the tables are not those that Wisen made.
        rusqlite::Error::SqlInputError { msg, .. } => {
            Error::corrupt(format!("the tables of memory.db are not as they were made ({msg})"))
        }
        // A column of another type than the schema says: no Wisen wrote that row.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => Error::corrupt(format!("a row holds what it cannot: {error}")),
        other => Error::internal(format!("SQLite: {other}")),
    }
}

/// Puts the store's directory into errors that name only the file.
pub(crate) fn located(error: Error, dir: &Path) -> Error {
    let path = dir.to_owned();
    match error {
        Error::NotAStore { why, .. } => Error::NotAStore { path, why },
        Error::ReadOnly { why, .. } => Error::ReadOnly { path, why },
        Error::DiskFull { .. } => Error::DiskFull { path },
        Error::Io { action, source, .. } => Error::Io { action, path: dir.join("memory.db"), source },
        other => other,
    }
}
