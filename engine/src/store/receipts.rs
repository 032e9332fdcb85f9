//! Receipts of recalls, in a database of their own (`receipts.db`) that may be lost or deleted.
//!
//! A recall waits for no write: its receipt goes into a map, and the map is written in batches.
//! A kill may cost the last batch of receipts that nobody has reported on yet, and nothing else; a power loss costs
//! what was not flushed.
//!
//! A damaged file is put aside, and a new one begun. The file is opened and put aside only under a lock, so that no two
//! processes put aside each other's new file; those that still have the old one open go over to the new one.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::ReceiptId;
use crate::notice;
use crate::waits;

use super::connect::write_ahead;
use super::db::{sql, truncate_log, vacuum};
use super::memories::decode;
use super::payload::{pack, unpack};
use super::slip::{Facts, Slip};
use super::sum::RowSum;

/// Receipts without a report are kept for 30 days, and at most so many.
const KEEP: Duration = Duration::from_hours(30 * 24);
const MOST: i64 = 200_000;
/// Batches written between two looks for receipts to drop.
const SWEEP_EVERY: u32 = 256;
/// Ending of a damaged file that was put aside.
const DAMAGED: &str = ".damaged";
/// The file beside it whose lock is the right to open it: it is there in every store, is never replaced, and nobody
/// locks it for anything else.
const LOCKED: &str = "control";

const TABLE: &str = "CREATE TABLE IF NOT EXISTS receipts(
  id BLOB PRIMARY KEY, vector BLOB NOT NULL, query_text BLOB, shown BLOB NOT NULL,
  facts BLOB, sum INTEGER) WITHOUT ROWID";
/// What older files lack.
const COLUMNS: [(&str, &str); 2] = [("facts", "BLOB"), ("sum", "INTEGER")];
const FIELDS: &str = "id, vector, query_text, shown, facts, sum";

/// The receipts of a store.
pub(crate) struct Receipts {
    /// `None` in a store opened read-only, which issues no receipts, and once closed.
    held: Mutex<Option<Held>>,
    /// Its file; `None` for a store in memory.
    file: Option<PathBuf>,
    busy: Duration,
    /// Each with the number of erasures when it was issued: see [`Db::erasures`](super::Db::erasures).
    waiting: Mutex<HashMap<ReceiptId, (Arc<Slip>, u64)>>,
    /// Written receipts that are to be deleted with the next batch.
    done: Mutex<Vec<ReceiptId>>,
}

/// An open database.
struct Held {
    /// `None` where one file was left and the next could not be opened yet.
    conn: Option<Connection>,
    /// Which file the connection has.
    file: Option<FileId>,
    /// Batches written.
    batches: u32,
    /// Whether a power loss may take back what was written here.
    unsynced: bool,
}

/// What is written at once.
struct Batch {
    slips: Vec<(Arc<Slip>, u64)>,
    done: Vec<ReceiptId>,
    /// Drops what was issued too long before this time.
    sweep: Option<Timestamp>,
    durable: bool,
}

impl Receipts {
    /// Opens or creates the receipts beside the store in `dir`; `None`: in memory.
    pub(crate) fn open(dir: Option<&Path>, read_only: bool, busy: Duration) -> Result<Self> {
        let file = dir.map(|dir| dir.join("receipts.db"));
        // Handles that live for a few batches only begin anywhere in the round.
        let mut held =
            Held { conn: None, file: None, batches: std::process::id() % SWEEP_EVERY, unsynced: false };
        match &file {
            _ if read_only => {}
            None => {
                let conn = Connection::open_in_memory().and_then(|conn| ready(conn, busy)).map_err(sql)?;
                held.conn = Some(conn);
            }
            // Receipts keep nobody from opening a store: if they cannot be had now, they are opened when needed.
            Some(file) => match Alone::wait(file, busy) {
                Err(Error::Busy { .. }) => {}
                alone => {
                    let _alone = alone?;
                    held.open(file, busy)?;
                }
            },
        }
        Ok(Self {
            held: Mutex::new((!read_only).then_some(held)),
            file,
            busy,
            waiting: Mutex::default(),
            done: Mutex::default(),
        })
    }

    /// Runs `work` on the connection, in the file that all others have. Receipts are disposable: if they turn out to be
    /// damaged, they are put aside and begun anew, and `work` runs again.
    fn with_conn<T>(&self, held: &mut Held, work: impl Fn(&mut Connection) -> Result<T>) -> Result<T> {
        let Some(file) = &self.file else {
            return work(held.conn()?);
        };
        if held.conn.is_none() || has_moved(file, held.file) {
            // Somebody has put the file aside: what is written there nobody finds.
            let _alone = Alone::wait(file, self.busy)?;
            held.open(file, self.busy)?;
        }
        match work(held.conn()?) {
            Err(error) if is_damage(&error) => {}
            result => return result,
        }
        let _alone = Alone::wait(file, self.busy)?;
        // Meanwhile somebody else may have put it aside: the new file is not judged by the old one.
        held.open(file, self.busy)?;
        match work(held.conn()?) {
            Err(error) if is_damage(&error) => {}
            result => return result,
        }
        held.conn = None;
        put_aside(file)?;
        held.open(file, self.busy)?;
        work(held.conn()?)
    }

    /// Takes a receipt; it can be found at once and is written by the next [`Receipts::flush`].
    /// `erased`: how often something was erased before.
    pub(crate) fn issue(&self, slip: Slip, erased: u64) {
        waits::lock(&self.waiting).insert(slip.id, (Arc::new(slip), erased));
    }

    /// Drops a receipt that was reported on: the main database has a copy.
    pub(crate) fn drop_reported(&self, id: ReceiptId) {
        // One that was not written yet never has to be.
        if waits::lock(&self.waiting).remove(&id).is_none() {
            waits::lock(&self.done).push(id);
        }
    }

    /// Writes what waits, in one transaction; what was issued before the last of `erasures` is dropped: it may hold what
    /// another handle has erased since.
    pub(crate) fn flush(&self, now: Timestamp, erasures: &dyn Fn() -> u64) -> Result<()> {
        self.write_waiting(now, false, erasures)
    }

    /// As [`Receipts::flush`]; on return, whatever was written up to here is durable.
    pub(crate) fn flush_durably(&self, now: Timestamp, erasures: &dyn Fn() -> u64) -> Result<()> {
        let durable = self.file.is_some() && !crate::sabotage::on("receipts_unsynced");
        self.write_waiting(now, durable, erasures)
    }

    fn write_waiting(&self, now: Timestamp, durable: bool, erasures: &dyn Fn() -> u64) -> Result<()> {
        let mut guard = self.held.lock();
        let Some(held) = &mut *guard else {
            return Ok(());
        };
        let slips: Vec<(Arc<Slip>, u64)> = waits::lock(&self.waiting).values().cloned().collect();
        let done = std::mem::take(&mut *waits::lock(&self.done));
        if slips.is_empty() && done.is_empty() && !(durable && held.unsynced) {
            return Ok(());
        }
        let sweep = held.batches.is_multiple_of(SWEEP_EVERY).then_some(now);
        let batch = Batch { slips, done, sweep, durable };
        self.with_conn(held, |conn| batch.write(conn, erasures))?;
        held.batches = held.batches.wrapping_add(1);
        held.unsynced = !durable;
        let mut waiting = waits::lock(&self.waiting);
        for (slip, _) in &batch.slips {
            waiting.remove(&slip.id);
        }
        Ok(())
    }

    /// Drops what was asked with such a vector, or with a text that `speaks` of what is to go. `note` counts the erasure:
    /// what waits in other handles is dropped there.
    pub(crate) fn erase(
        &self,
        note: &dyn Fn() -> u64,
        is_at: &dyn Fn(&[f32]) -> bool,
        speaks: &dyn Fn(&str) -> bool,
    ) -> Result<()> {
        let goes = |vector: &[f32], text: Option<&str>| is_at(vector) || text.is_some_and(speaks);
        let mut guard = self.held.lock();
        let erased = note();
        waits::lock(&self.waiting).retain(|_, (slip, issued)| {
            // What stays was looked through.
            *issued = erased;
            !goes(&slip.vector, slip.text.as_deref())
        });
        let Some(held) = &mut *guard else {
            return Ok(());
        };
        held.unsynced = true;
        self.with_conn(held, |conn| {
            let mut gone = Vec::new();
            let mut statement = conn.prepare(&format!("SELECT {FIELDS} FROM receipts")).map_err(sql)?;
            let mut rows = statement.query([]).map_err(sql)?;
            while let Some(row) = rows.next().map_err(sql)? {
                let row = Stored::of(row).map_err(sql)?;
                let slip = row.slip()?;
                if goes(&slip.vector, slip.text.as_deref()) {
                    gone.push(row.id);
                }
            }
            for id in gone {
                conn.execute("DELETE FROM receipts WHERE id = ?1", [id]).map_err(sql)?;
            }
            Ok(())
        })
    }

    /// Rewrites the file without what was deleted, empties its log, and removes what was put aside.
    pub(crate) fn vacuum(&self) -> Result<()> {
        let mut guard = self.held.lock();
        let Some(held) = &mut *guard else {
            return Ok(());
        };
        self.with_conn(held, |conn| {
            vacuum(conn).map_err(sql)?;
            if self.file.is_some() { truncate_log(conn, self.busy) } else { Ok(()) }
        })?;
        if let Some(file) = &self.file {
            remove(&named(file, DAMAGED))?;
        }
        Ok(())
    }

    /// Closes the database.
    pub(crate) fn close(&self) {
        let mut guard = self.held.lock();
        if guard.is_none() {
            return;
        }
        // The last one to close a database removes its log by name: nobody may begin another database under that name
        // meanwhile. Should the lock not be had, that is all but impossible.
        let _alone = self.file.as_deref().map(|file| Alone::wait(file, self.busy));
        *guard = None;
    }

    /// The receipt with this id, written or not. `erased`: how often something was erased until now.
    pub(crate) fn find(&self, id: ReceiptId, erased: u64) -> Result<Option<Slip>> {
        if let Some((slip, issued)) = waits::lock(&self.waiting).get(&id) {
            return Ok((*issued >= erased || crate::sabotage::on("receipts_stay")).then(|| Slip::clone(slip)));
        }
        let mut guard = self.held.lock();
        let Some(held) = &mut *guard else {
            return Ok(None);
        };
        self.with_conn(held, |conn| read(conn, id))
    }
}

impl Held {
    fn conn(&mut self) -> Result<&mut Connection> {
        self.conn.as_mut().ok_or_else(|| Error::internal("receipts.db is not open"))
    }

    /// Leaves the file and opens the one that has its name now; one that is damaged is put aside. The caller is alone.
    fn open(&mut self, file: &Path, busy: Duration) -> Result<()> {
        self.conn = None;
        // What no receipts of ours could answer is damage too.
        let damaged = |error: &Error| is_damage(error) || matches!(error, Error::Internal { .. });
        let mut opened = connect(file, busy);
        if opened.as_ref().is_err_and(damaged) {
            // It counts only if it is not over by then.
            opened = connect(file, busy);
        }
        if opened.as_ref().is_err_and(damaged) {
            put_aside(file)?;
            opened = connect(file, busy);
        }
        self.conn = Some(opened?);
        // Unknown is as good as moved: the next call opens it again.
        self.file = identity(file).ok().flatten();
        Ok(())
    }
}

impl Batch {
    fn write(&self, conn: &mut Connection, erasures: &dyn Fn() -> u64) -> Result<()> {
        if !self.durable {
            return self.commit(conn, erasures);
        }
        conn.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
        let committed = self.commit(conn, erasures);
        let put_back = conn.pragma_update(None, "synchronous", "NORMAL").map_err(sql);
        committed.and(put_back)
    }

    fn commit(&self, conn: &mut Connection, erasures: &dyn Fn() -> u64) -> Result<()> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        // Asked under the lock: whoever erases after this looks through what is written here.
        let erased = if crate::sabotage::on("receipts_stay") { 0 } else { erasures() };
        for (slip, _) in self.slips.iter().filter(|(_, issued)| *issued >= erased) {
            let stored = Stored::from_slip(slip);
            tx.prepare_cached(
                "INSERT OR IGNORE INTO receipts(id, vector, query_text, shown, facts, sum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut s| {
                let Stored { id, vector, text, shown, facts, sum } = stored;
                s.execute(params![id, vector, text, shown, facts, sum])
            })
            .map_err(sql)?;
        }
        for id in &self.done {
            // Should the batch fail, the row stays until it expires: a redundant copy, no harm.
            tx.prepare_cached("DELETE FROM receipts WHERE id = ?1")
                .and_then(|mut s| s.execute([id.to_bytes().as_slice()]))
                .map_err(sql)?;
        }
        if let Some(now) = self.sweep {
            sweep(&tx, now)?;
        }
        if self.durable {
            // SQLite leaves out a page that is written as it was, and syncs nothing where none is left.
            let count: i32 = tx.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(sql)?;
            tx.pragma_update(None, "user_version", count.wrapping_add(1)).map_err(sql)?;
        }
        tx.commit().map_err(sql)
    }
}

/// A receipt as its row has it.
struct Stored {
    id: Vec<u8>,
    vector: Vec<u8>,
    text: Option<Vec<u8>>,
    shown: Vec<u8>,
    facts: Option<Vec<u8>>,
    /// Of the other columns; none in rows of older versions.
    sum: Option<i64>,
}

impl Stored {
    fn from_slip(slip: &Slip) -> Self {
        let mut stored = Self {
            id: slip.id.to_bytes().to_vec(),
            vector: bytemuck::cast_slice(&slip.vector).to_vec(),
            text: slip.text.as_deref().map(pack),
            shown: encode_ids(&slip.shown),
            facts: Some(slip.facts.encode()),
            sum: None,
        };
        stored.sum = Some(stored.sum());
        stored
    }

    /// From a row with the columns `FIELDS`.
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            vector: row.get(1)?,
            text: row.get(2)?,
            shown: row.get(3)?,
            facts: row.get(4)?,
            sum: row.get(5)?,
        })
    }

    fn sum(&self) -> i64 {
        RowSum::new("receipts")
            .bytes(&self.id)
            .bytes(&self.vector)
            .blob(self.text.as_deref())
            .bytes(&self.shown)
            .blob(self.facts.as_deref())
            .finish()
    }

    fn slip(&self) -> Result<Slip> {
        if self.sum.is_some_and(|sum| sum != self.sum()) {
            return Err(Error::corrupt("a row of receipts.db does not match its checksum"));
        }
        let id = <[u8; 16]>::try_from(self.id.as_slice());
        Ok(Slip {
            id: ReceiptId::from_bytes(id.map_err(|_| Error::corrupt("the id of a receipt is cut short"))?),
            vector: decode(&self.vector)?,
            text: self.text.as_deref().map(unpack).transpose()?,
            shown: decode_ids(&self.shown)?,
            facts: self.facts.as_deref().map_or(Ok(Facts::default()), Facts::decode)?,
        })
    }
}

fn read(conn: &Connection, id: ReceiptId) -> Result<Option<Slip>> {
    let row = conn
        .prepare_cached(&format!("SELECT {FIELDS} FROM receipts WHERE id = ?1"))
        .and_then(|mut s| s.query_row([id.to_bytes().as_slice()], Stored::of).optional())
        .map_err(sql)?;
    row.map(|row| row.slip()).transpose()
}

/// The right to open the file, to put it aside, and to remove its log; and to make the control file another store's.
pub(super) struct Alone(Option<File>);

impl Alone {
    /// Takes it; whoever has it is waited for as long as the store waits for any lock.
    pub(super) fn wait(file: &Path, busy: Duration) -> Result<Self> {
        let path = file.with_file_name(LOCKED);
        let lock = match OpenOptions::new().write(true).open(&path) {
            Ok(lock) => lock,
            // Somebody has deleted it. It is not made here: it has to be whole from the beginning.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self(None)),
            Err(error) => return Err(Error::io("open", &path)(error)),
        };
        let begun = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self(Some(lock))),
                // Where the file system knows no locks, two that find the same damage at once may lose receipts.
                Err(TryLockError::Error(_)) => return Ok(Self(None)),
                Err(TryLockError::WouldBlock) if begun.elapsed() >= busy => {
                    let holder = "another process, which opens the store,".to_owned();
                    return Err(Error::Busy { holder, waited_ms: begun.elapsed().as_millis() as u64 });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // Closing alone would not do: a fork made meanwhile holds the file open too.
            let _ = file.unlock();
        }
    }
}

/// Device and number of a file.
type FileId = (u64, u64);

#[cfg(unix)]
fn identity(file: &Path) -> std::io::Result<Option<FileId>> {
    use std::os::unix::fs::MetadataExt;
    // Asked of its name: no one but SQLite opens it.
    let found = std::fs::metadata(file)?;
    Ok(Some((found.dev(), found.ino())))
}

/// Elsewhere an open file cannot be renamed.
#[cfg(not(unix))]
fn identity(_file: &Path) -> std::io::Result<Option<FileId>> {
    Ok(None)
}

/// Whether another file than the one that was opened has this name now, or none. What cannot be told is taken for no.
fn has_moved(file: &Path, opened: Option<FileId>) -> bool {
    match identity(file) {
        Ok(found) => found != opened,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// The caller is alone.
fn connect(file: &Path, busy: Duration) -> Result<Connection> {
    if matches!(file.try_exists(), Ok(false)) {
        // A log without its database is one of a file that is gone: it would be played into the new one, and whoever
        // still has the old one open goes on in it.
        remove(&named(file, "-wal"))?;
        remove(&named(file, "-shm"))?;
    }
    Connection::open(file).and_then(|conn| ready(conn, busy)).map_err(sql)
}

fn is_damage(error: &Error) -> bool {
    matches!(error, Error::NotAStore { .. } | Error::Corrupt { .. })
}

fn named(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn remove(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", file)(error)),
        _ => Ok(()),
    }
}

/// Puts a damaged file aside. Its log goes when the new one is made. The caller is alone.
fn put_aside(file: &Path) -> Result<()> {
    notice::warn("receipts.db is damaged: it is put aside and begun anew");
    std::fs::rename(file, named(file, DAMAGED)).map_err(Error::io("put aside", file))
}

fn ready(conn: Connection, busy: Duration) -> rusqlite::Result<Connection> {
    conn.busy_timeout(busy)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    write_ahead(&conn, busy)?;
    // Batches are not synced, but the log is before it goes into the database: after a power loss no receipt has pages
    // of another one.
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.execute_batch(TABLE)?;
    for (name, kind) in COLUMNS {
        let is_there = || -> rusqlite::Result<bool> {
            let count = "SELECT count(*) FROM pragma_table_info('receipts') WHERE name = ?1";
            conn.query_row(count, [name], |r| r.get(0))
        };
        // Should another process add it meanwhile, adding it fails and it is there.
        if !is_there()?
            && let Err(error) = conn.execute_batch(&format!("ALTER TABLE receipts ADD COLUMN {name} {kind}"))
            && !is_there()?
        {
            return Err(error);
        }
    }
    Ok(conn)
}

fn sweep(conn: &Connection, now: Timestamp) -> Result<()> {
    let oldest = ReceiptId::first_at(now.saturating_sub(crate::clock::micros(KEEP)));
    conn.execute("DELETE FROM receipts WHERE id < ?1", [oldest.to_bytes().as_slice()]).map_err(sql)?;
    // Ids begin with their time, so the first ones are the oldest.
    conn.execute(
        "DELETE FROM receipts WHERE id IN (SELECT id FROM receipts ORDER BY id
           LIMIT max(0, (SELECT count(*) FROM receipts) - ?1))",
        [MOST],
    )
    .map(|_| ())
    .map_err(sql)
}

/// Ids as bytes (u64, little-endian).
pub(crate) fn encode_ids(ids: &[u64]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

/// The inverse of [`encode_ids`].
pub(crate) fn decode_ids(bytes: &[u8]) -> Result<Vec<u64>> {
    if !bytes.len().is_multiple_of(8) {
        return Err(Error::corrupt("a list of ids is cut short"));
    }
    Ok(bytemuck::pod_collect_to_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slip(now: Timestamp) -> Slip {
        Slip {
            id: ReceiptId::at(now),
            vector: vec![1.0, 2.0],
            text: Some("why".to_owned()),
            shown: vec![7, 9],
            facts: Facts::default(),
        }
    }

    #[test]
    fn a_receipt_is_found_before_and_after_it_is_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let receipts = Receipts::open(Some(dir.path()), false, Duration::from_secs(1)).expect("open");
        let slip = slip(1_000_000);
        receipts.issue(slip.clone(), 0);
        assert_eq!(receipts.find(slip.id, 0).expect("find"), Some(slip.clone()));
        receipts.flush(1_000_000, &|| 0).expect("flush");
        assert!(receipts.waiting.lock().is_empty());
        let again = Receipts::open(Some(dir.path()), false, Duration::from_secs(1)).expect("open");
        assert_eq!(again.find(slip.id, 0).expect("find"), Some(slip));
        assert_eq!(again.find(ReceiptId::at(0), 0).expect("find"), None);
    }

    #[test]
    fn old_receipts_go_and_damage_is_put_aside() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("receipts.db"), "no database at all, but long enough to look")
            .expect("write");
        let receipts = Receipts::open(Some(dir.path()), false, Duration::from_secs(1)).expect("open");
        let (old, new) = (slip(1_000_000), slip(40 * 24 * 3_600_000_000));
        if let Some(held) = &mut *receipts.held.lock() {
            held.batches = 0; // the round in which old ones are looked for
        }
        receipts.issue(old.clone(), 0);
        receipts.issue(new.clone(), 0);
        receipts.flush(40 * 24 * 3_600_000_000, &|| 0).expect("flush");
        assert_eq!(receipts.find(old.id, 0).expect("find"), None);
        assert_eq!(receipts.find(new.id, 0).expect("find"), Some(new));
    }

    fn opened(dir: &Path) -> Receipts {
        Receipts::open(Some(dir), false, Duration::from_secs(1)).expect("open")
    }

    fn stored(receipts: &Receipts, id: ReceiptId) -> Result<Option<Slip>> {
        let mut held = receipts.held.lock();
        read(held.as_mut().expect("not closed").conn().expect("open"), id)
    }

    #[test]
    fn a_row_that_does_not_match_its_sum_is_damage() {
        let dir = tempfile::tempdir().expect("a folder");
        let receipts = opened(dir.path());
        let (one, two) = (slip(1_000_000), slip(2_000_000));
        receipts.issue(one.clone(), 0);
        receipts.issue(two.clone(), 0);
        receipts.flush(2_000_000, &|| 0).expect("flush");
        let other = Connection::open(dir.path().join("receipts.db")).expect("open");
        // As a leaf with the pages of another receipt would be: each field is sound by itself.
        let exchange = "UPDATE receipts SET shown = ?1 WHERE id = ?2";
        let id = one.id.to_bytes();
        other.execute(exchange, params![encode_ids(&[8, 9]), id.as_slice()]).expect("change");
        assert!(matches!(stored(&receipts, one.id), Err(Error::Corrupt { .. })));
        assert_eq!(stored(&receipts, two.id).expect("sound"), Some(two));
        // A row of an older version has none.
        other.execute("UPDATE receipts SET sum = NULL", []).expect("change");
        let unsummed = Slip { shown: vec![8, 9], ..one.clone() };
        assert_eq!(receipts.find(one.id, 0).expect("find"), Some(unsummed));
        other.execute("UPDATE receipts SET sum = 1", []).expect("change");
        drop(other);
        assert_eq!(receipts.find(one.id, 0).expect("begun anew"), None);
        assert!(dir.path().join("receipts.db.damaged").exists());
    }

    #[test]
    fn files_of_older_versions_are_completed() {
        let dir = tempfile::tempdir().expect("a folder");
        let old = slip(1_000_000);
        let older = Connection::open(dir.path().join("receipts.db")).expect("open");
        older
            .execute_batch(
                "CREATE TABLE receipts(id BLOB PRIMARY KEY, vector BLOB NOT NULL, query_text BLOB,
                 shown BLOB NOT NULL) WITHOUT ROWID",
            )
            .expect("create");
        let row = Stored::from_slip(&old);
        older
            .execute(
                "INSERT INTO receipts VALUES (?1, ?2, ?3, ?4)",
                params![row.id, row.vector, row.text, row.shown],
            )
            .expect("insert");
        drop(older);
        let receipts = opened(dir.path());
        assert_eq!(receipts.find(old.id, 0).expect("find"), Some(old));
        let new = slip(2_000_000);
        receipts.issue(new.clone(), 0);
        receipts.flush(2_000_000, &|| 0).expect("flush");
        assert_eq!(receipts.find(new.id, 0).expect("find"), Some(new));
        assert!(!dir.path().join("receipts.db.damaged").exists());
    }

    #[test]
    fn who_opens_a_damaged_file_later_finds_the_new_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let damage = "no database at all, but long enough to look";
        std::fs::write(dir.path().join("receipts.db"), damage).expect("write");
        let (first, slip) = (opened(dir.path()), slip(1_000_000));
        first.issue(slip.clone(), 0);
        first.flush(1_000_000, &|| 0).expect("flush");
        let second = opened(dir.path());
        assert_eq!(second.find(slip.id, 0).expect("find"), Some(slip.clone()));
        assert_eq!(first.find(slip.id, 0).expect("find"), Some(slip));
        let aside =
            std::fs::read_to_string(dir.path().join("receipts.db.damaged")).expect("one was put aside");
        assert_eq!(aside, damage, "and only one");
    }

    #[test]
    fn who_has_a_file_that_was_put_aside_goes_on_in_the_new_one() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(LOCKED), "").expect("write");
        let (first, second) = (opened(dir.path()), opened(dir.path()));
        let (broken, kept, late) = (slip(1_000_000), slip(2_000_000), slip(3_000_000));
        first.issue(broken.clone(), 0);
        first.flush(1_000_000, &|| 0).expect("flush");
        let other = Connection::open(dir.path().join("receipts.db")).expect("open");
        other.execute("UPDATE receipts SET sum = 1", []).expect("change");
        drop(other);
        // Both meet the damage; the second one after the first has put the file aside.
        assert!(matches!(stored(&second, broken.id), Err(Error::Corrupt { .. })));
        assert_eq!(first.find(broken.id, 0).expect("begun anew"), None);
        first.issue(kept.clone(), 0);
        first.flush(2_000_000, &|| 0).expect("flush");
        second.issue(late.clone(), 0);
        second.flush_durably(3_000_000, &|| 0).expect("flush");
        assert_eq!(first.find(late.id, 0).expect("find"), Some(late.clone()), "written where others look");
        assert_eq!(second.find(kept.id, 0).expect("find"), Some(kept.clone()));
        assert_eq!(second.find(broken.id, 0).expect("find"), None);
        // Whoever closes leaves the log of the others alone.
        second.close();
        assert_eq!(first.find(late.id, 0).expect("find"), Some(late.clone()));
        first.close();
        let again = opened(dir.path());
        assert_eq!(again.find(kept.id, 0).expect("find"), Some(kept));
        assert_eq!(again.find(late.id, 0).expect("find"), Some(late));
    }

    #[test]
    fn a_file_deleted_by_hand_is_made_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let (receipts, slip) = (opened(dir.path()), slip(1_000_000));
        receipts.flush_durably(1_000_000, &|| 0).expect("flush");
        std::fs::remove_file(dir.path().join("receipts.db")).expect("delete");
        receipts.issue(slip.clone(), 0);
        receipts.flush(1_000_000, &|| 0).expect("flush");
        assert_eq!(opened(dir.path()).find(slip.id, 0).expect("find"), Some(slip));
    }

    #[test]
    fn one_at_a_time_opens_the_file() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(LOCKED), "").expect("write");
        let alone = Alone::wait(&dir.path().join("receipts.db"), Duration::ZERO).expect("nobody has it");
        let late =
            Receipts::open(Some(dir.path()), false, Duration::from_millis(20)).expect("without its file");
        let slip = slip(1_000_000);
        late.issue(slip.clone(), 0);
        assert!(matches!(late.flush(1_000_000, &|| 0), Err(Error::Busy { .. })));
        drop(alone);
        late.flush(1_000_000, &|| 0).expect("flush");
        assert_eq!(opened(dir.path()).find(slip.id, 0).expect("find"), Some(slip));
    }
}
