//! Receipts of recalls, in a database of their own (`receipts.db`) that may be lost or deleted.
//!
//! A recall waits for no write: its receipt goes into a map, and the map is written in batches.
//! A kill may cost the last batch of receipts that nobody has reported on yet, and nothing else.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};

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

/// Receipts without a report are kept for 30 days, and at most so many.
const KEEP: Duration = Duration::from_hours(30 * 24);
const MOST: i64 = 200_000;
/// Batches written between two looks for receipts to drop.
const SWEEP_EVERY: u32 = 256;
/// Ending of a damaged file that was put aside.
const DAMAGED: &str = ".damaged";

const TABLE: &str = "CREATE TABLE IF NOT EXISTS receipts(
  id BLOB PRIMARY KEY, vector BLOB NOT NULL, query_text BLOB, shown BLOB NOT NULL,
  facts BLOB) WITHOUT ROWID";
/// What a file of version 1 lacks.
const COLUMN: &str = "ALTER TABLE receipts ADD COLUMN facts BLOB";

/// The receipts of a store.
pub(crate) struct Receipts {
    /// With the number of batches written. `None` in a store opened read-only, which issues no
    /// receipts, and once closed.
    conn: Mutex<Option<(Connection, u32)>>,
    /// Its file; `None` for a store in memory.
    file: Option<PathBuf>,
    busy: Duration,
    waiting: Mutex<HashMap<ReceiptId, Arc<Slip>>>,
    /// Written receipts that are to be deleted with the next batch.
    done: Mutex<Vec<ReceiptId>>,
}

impl Receipts {
    /// Opens or creates the receipts beside the store in `dir`; `None`: in memory.
    pub(crate) fn open(dir: Option<&Path>, read_only: bool, busy: Duration) -> Result<Self> {
        let file = dir.map(|dir| dir.join("receipts.db"));
        let conn = match &file {
            _ if read_only => None,
            None => Some(Connection::open_in_memory().and_then(|conn| ready(conn, busy)).map_err(sql)?),
            Some(file) => match connect(file, busy) {
                // What no receipts of ours could answer is damage too.
                Err(error) if is_damage(&error) || matches!(error, Error::Internal { .. }) => {
                    Some(begin_anew(file, busy)?)
                }
                other => Some(other?),
            },
        };
        Ok(Self {
            // Handles that live for a few batches only begin anywhere in the round.
            conn: Mutex::new(conn.map(|conn| (conn, std::process::id() % SWEEP_EVERY))),
            file,
            busy,
            waiting: Mutex::default(),
            done: Mutex::default(),
        })
    }

    /// Runs `work` on the connection. Receipts are disposable: if they turn out to be damaged, they
    /// are put aside and begun anew, and `work` runs again.
    fn with_conn<T>(
        &self,
        held: &mut (Connection, u32),
        work: impl Fn(&mut (Connection, u32)) -> Result<T>,
    ) -> Result<T> {
        match (work(held), &self.file) {
            (Err(error), Some(file)) if is_damage(&error) => {
                // Closes the damaged file.
                held.0 = Connection::open_in_memory().map_err(sql)?;
                held.0 = begin_anew(file, self.busy)?;
                work(held)
            }
            (result, _) => result,
        }
    }

    /// Takes a receipt; it can be found at once and is written by the next [`Receipts::flush`].
    pub(crate) fn issue(&self, slip: Slip) {
        waits::lock(&self.waiting).insert(slip.id, Arc::new(slip));
    }

    /// Drops a receipt that was reported on: the main database has a copy.
    pub(crate) fn drop_reported(&self, id: ReceiptId) {
        // One that was not written yet never has to be.
        if waits::lock(&self.waiting).remove(&id).is_none() {
            waits::lock(&self.done).push(id);
        }
    }

    /// Writes what waits, in one transaction.
    pub(crate) fn flush(&self, now: Timestamp) -> Result<()> {
        let mut guard = self.conn.lock();
        let Some(held) = &mut *guard else {
            return Ok(());
        };
        let batch: Vec<Arc<Slip>> = waits::lock(&self.waiting).values().cloned().collect();
        let done = std::mem::take(&mut *waits::lock(&self.done));
        if batch.is_empty() && done.is_empty() {
            return Ok(());
        }
        self.with_conn(held, |held| Self::write(held, &batch, &done, now))?;
        let mut waiting = waits::lock(&self.waiting);
        for slip in &batch {
            waiting.remove(&slip.id);
        }
        Ok(())
    }

    fn write(
        (conn, batches): &mut (Connection, u32),
        batch: &[Arc<Slip>],
        done: &[ReceiptId],
        now: Timestamp,
    ) -> Result<()> {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(sql)?;
        for slip in batch {
            let shown: Vec<u8> = encode_ids(&slip.shown);
            let vector: &[u8] = bytemuck::cast_slice(&slip.vector);
            tx.prepare_cached(
                "INSERT OR IGNORE INTO receipts(id, vector, query_text, shown, facts) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .and_then(|mut s| {
                s.execute(params![
                    slip.id.to_bytes().as_slice(),
                    vector,
                    slip.text.as_deref().map(pack),
                    shown,
                    slip.facts.encode()
                ])
            })
            .map_err(sql)?;
        }
        for id in done {
            // Should the batch fail, the row stays until it expires: a redundant copy, no harm.
            tx.prepare_cached("DELETE FROM receipts WHERE id = ?1")
                .and_then(|mut s| s.execute([id.to_bytes().as_slice()]))
                .map_err(sql)?;
        }
        if batches.is_multiple_of(SWEEP_EVERY) {
            sweep(&tx, now)?;
        }
        tx.commit().map_err(sql)?;
        *batches = batches.wrapping_add(1);
        Ok(())
    }

    /// Drops what was asked with such a vector, or with a text that `speaks` of what is to go.
    pub(crate) fn erase(&self, is_at: &dyn Fn(&[f32]) -> bool, speaks: &dyn Fn(&str) -> bool) -> Result<()> {
        let goes = |vector: &[f32], text: Option<&str>| is_at(vector) || text.is_some_and(speaks);
        let mut guard = self.conn.lock();
        waits::lock(&self.waiting).retain(|_, slip| !goes(&slip.vector, slip.text.as_deref()));
        let Some(held) = &mut *guard else {
            return Ok(());
        };
        self.with_conn(held, |(conn, _)| {
            let mut gone = Vec::new();
            let mut statement = conn.prepare("SELECT id, vector, query_text FROM receipts").map_err(sql)?;
            let mut rows = statement.query([]).map_err(sql)?;
            while let Some(row) = rows.next().map_err(sql)? {
                let vector: Vec<u8> = row.get(1).map_err(sql)?;
                let text: Option<Vec<u8>> = row.get(2).map_err(sql)?;
                let text = text.as_deref().map(unpack).transpose()?;
                if goes(&decode(&vector)?, text.as_deref()) {
                    gone.push(row.get::<_, Vec<u8>>(0).map_err(sql)?);
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
        let mut guard = self.conn.lock();
        let Some(held) = &mut *guard else {
            return Ok(());
        };
        self.with_conn(held, |(conn, _)| {
            vacuum(conn).map_err(sql)?;
            if self.file.is_some() { truncate_log(conn, self.busy) } else { Ok(()) }
        })?;
        if let Some(file) = &self.file {
            let aside = named(file, DAMAGED);
            match std::fs::remove_file(&aside) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &aside)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes the database.
    pub(crate) fn close(&self) {
        *self.conn.lock() = None;
    }

    /// The receipt with this id, written or not.
    pub(crate) fn find(&self, id: ReceiptId) -> Result<Option<Slip>> {
        if let Some(slip) = waits::lock(&self.waiting).get(&id) {
            return Ok(Some(Slip::clone(slip)));
        }
        let mut guard = self.conn.lock();
        let Some(held) = &mut *guard else {
            return Ok(None);
        };
        self.with_conn(held, |(conn, _)| Self::read(conn, id))
    }

    fn read(conn: &Connection, id: ReceiptId) -> Result<Option<Slip>> {
        let row = conn
            .prepare_cached("SELECT vector, query_text, shown, facts FROM receipts WHERE id = ?1")
            .and_then(|mut s| {
                s.query_row([id.to_bytes().as_slice()], |r| {
                    let (vector, text): (Vec<u8>, Option<Vec<u8>>) = (r.get(0)?, r.get(1)?);
                    Ok((vector, text, r.get::<_, Vec<u8>>(2)?, r.get::<_, Option<Vec<u8>>>(3)?))
                })
                .optional()
            })
            .map_err(sql)?;
        row.map(|(vector, text, shown, facts)| {
            Ok(Slip {
                id,
                vector: decode(&vector)?,
                text: text.as_deref().map(unpack).transpose()?,
                shown: decode_ids(&shown)?,
                facts: facts.as_deref().map_or(Ok(Facts::default()), Facts::decode)?,
            })
        })
        .transpose()
    }
}

fn connect(file: &Path, busy: Duration) -> Result<Connection> {
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

/// Puts a damaged file aside and begins a new one. Its log goes: it would be played into the new file.
fn begin_anew(file: &Path, busy: Duration) -> Result<Connection> {
    notice::warn("receipts.db is damaged: it is put aside and begun anew");
    for path in [named(file, "-wal"), named(file, "-shm")] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &path)(error));
            }
            _ => {}
        }
    }
    std::fs::rename(file, named(file, DAMAGED)).map_err(Error::io("put aside", file))?;
    connect(file, busy)
}

fn ready(conn: Connection, busy: Duration) -> rusqlite::Result<Connection> {
    conn.busy_timeout(busy)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    write_ahead(&conn, busy)?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    conn.execute_batch(TABLE)?;
    let complete = || -> rusqlite::Result<bool> {
        conn.query_row("SELECT count(*) FROM pragma_table_info('receipts') WHERE name = 'facts'", [], |r| {
            r.get(0)
        })
    };
    // Should another process add it meanwhile, adding it fails and it is there.
    if !complete()?
        && let Err(error) = conn.execute_batch(COLUMN)
        && !complete()?
    {
        return Err(error);
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
        receipts.issue(slip.clone());
        assert_eq!(receipts.find(slip.id).expect("find"), Some(slip.clone()));
        receipts.flush(1_000_000).expect("flush");
        assert!(receipts.waiting.lock().is_empty());
        let again = Receipts::open(Some(dir.path()), false, Duration::from_secs(1)).expect("open");
        assert_eq!(again.find(slip.id).expect("find"), Some(slip));
        assert_eq!(again.find(ReceiptId::at(0)).expect("find"), None);
    }

    #[test]
    fn old_receipts_go_and_damage_is_put_aside() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("receipts.db"), "no database at all, but long enough to look")
            .expect("write");
        let receipts = Receipts::open(Some(dir.path()), false, Duration::from_secs(1)).expect("open");
        let (old, new) = (slip(1_000_000), slip(40 * 24 * 3_600_000_000));
        if let Some((_, batches)) = &mut *receipts.conn.lock() {
            *batches = 0; // the round in which old ones are looked for
        }
        receipts.issue(old.clone());
        receipts.issue(new.clone());
        receipts.flush(40 * 24 * 3_600_000_000).expect("flush");
        assert_eq!(receipts.find(old.id).expect("find"), None);
        assert_eq!(receipts.find(new.id).expect("find"), Some(new));
    }
}
