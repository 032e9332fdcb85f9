//! Memories: their rows, payloads and vectors.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use crate::error::{Error, Result};
use crate::vector::{Storage, from_half, to_half};

use super::aliases;
use super::audit::{self, Actor};
use super::cells;
use super::changes::Op;
use super::db::{Tx, sql};
use super::fields;
use super::half_lives;
use super::names;
use super::payload::{pack, unpack};
use super::refill::{self, Of};
use super::salts::Salt;
use super::schema::shuffle;
use super::sum::RowSum;

/// Status of a memory; the numbers are part of the file format.
pub(crate) const LIVE: i64 = 0;
pub(crate) const SUPERSEDED: i64 = 1;
pub(crate) const FORGOTTEN: i64 = 2;
/// Merged into another memory; see `aliases.rs`.
pub(crate) const MERGED: i64 = 3;

/// The row of a memory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MemoryRow {
    pub id: i64,
    pub namespace: i64,
    pub kind: i64,
    pub author: Option<i64>,
    pub key: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub expires_at: Option<i64>,
    pub superseded_by: Option<i64>,
    pub status: i64,
    /// The change that set its vector.
    pub vector_seq: i64,
}

const COLUMNS: &str = "id, namespace, kind, author, key, created_at, updated_at, expires_at, \
                       superseded_by, status, vector_seq, checksum";

impl MemoryRow {
    fn sum(&self) -> RowSum {
        RowSum::new("memories")
            .int(self.id)
            .int(self.namespace)
            .int(self.kind)
            .opt(self.author)
            .text(self.key.as_deref())
            .int(self.created_at)
            .int(self.updated_at)
            .opt(self.expires_at)
            .opt(self.superseded_by)
            .int(self.status)
            .int(self.vector_seq)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<(Self, i64)> {
        let read = Self {
            id: row.get(0)?,
            namespace: row.get(1)?,
            kind: row.get(2)?,
            author: row.get(3)?,
            key: row.get(4)?,
            created_at: row.get(5)?,
            updated_at: row.get(6)?,
            expires_at: row.get(7)?,
            superseded_by: row.get(8)?,
            status: row.get(9)?,
            vector_seq: row.get(10)?,
        };
        Ok((read, row.get(11)?))
    }

    fn checked((row, checksum): (Self, i64)) -> Result<Self> {
        row.sum().check(checksum, row.id)?;
        Ok(row)
    }

    /// Writes the row over the one with its id.
    fn save(&self, tx: &Tx<'_>) -> Result<()> {
        tx.conn
            .prepare_cached(
                "UPDATE memories SET kind = ?2, author = ?3, key = ?4, updated_at = ?5, expires_at = ?6,
                   superseded_by = ?7, status = ?8, vector_seq = ?9, checksum = ?10 WHERE id = ?1",
            )
            .and_then(|mut s| {
                s.execute(params![
                    self.id,
                    self.kind,
                    self.author,
                    self.key,
                    self.updated_at,
                    self.expires_at,
                    self.superseded_by,
                    self.status,
                    self.vector_seq,
                    self.sum().finish()
                ])
            })
            .map(|_| ())
            .map_err(sql)
    }
}

/// What a new memory is made of.
pub(crate) struct NewMemory<'a> {
    pub namespace: i64,
    pub kind: i64,
    pub author: Option<i64>,
    pub key: Option<&'a str>,
    pub expires_at: Option<i64>,
    pub content: &'a str,
    /// JSON text; `None` for no metadata.
    pub metadata: Option<&'a str>,
    pub vector: &'a [f32],
    pub salt: Option<Salt>,
}

/// Stores a memory and returns its id. The caller counts it in its namespace.
pub(crate) fn insert(tx: &mut Tx<'_>, new: &NewMemory<'_>) -> Result<i64> {
    let mut row = MemoryRow {
        id: next_id(tx.conn)?,
        namespace: new.namespace,
        kind: new.kind,
        author: new.author,
        key: new.key.map(str::to_owned),
        created_at: tx.now,
        updated_at: tx.now,
        expires_at: new.expires_at,
        superseded_by: None,
        status: LIVE,
        vector_seq: 0,
    };
    row.vector_seq = tx.change(Op::Added, row.namespace, row.id)?;
    tx.conn
        .prepare_cached(
            "INSERT INTO memories(id, namespace, kind, author, key, created_at, updated_at, expires_at,
               status, vector_seq, shuffle, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, 0, ?8, ?9, ?10)",
        )
        .and_then(|mut s| {
            s.execute(params![
                row.id,
                row.namespace,
                row.kind,
                row.author,
                row.key,
                row.created_at,
                row.expires_at,
                row.vector_seq,
                shuffle(row.id),
                row.sum().finish()
            ])
        })
        .map_err(sql)?;
    put_payload(tx, row.id, new.content, new.metadata, new.salt)?;
    put_vector(tx, row.id, new.vector)?;
    Ok(row.id)
}

/// Ids rise and are never given out twice, also where the newest memory was forgotten.
fn next_id(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'memories'")
        .and_then(|mut s| s.query_row([], |r| r.get(0)).optional())
        .map(|id| id.unwrap_or(1))
        .map_err(sql)
}

/// The row of a memory, forgotten or not.
pub(crate) fn load(conn: &Connection, id: i64) -> Result<Option<MemoryRow>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM memories WHERE id = ?1")).map_err(sql)?;
    let row = statement.query_row([id], MemoryRow::read).optional().map_err(sql)?;
    row.map(MemoryRow::checked).transpose()
}

/// The memory that holds a key in a namespace.
pub(crate) fn by_key(conn: &Connection, namespace: i64, key: &str) -> Result<Option<MemoryRow>> {
    let mut statement = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM memories WHERE namespace = ?1 AND key = ?2"))
        .map_err(sql)?;
    let row = statement.query_row(params![namespace, key], MemoryRow::read).optional().map_err(sql)?;
    row.map(MemoryRow::checked).transpose()
}

/// Up to `limit` memories that are not forgotten, with ids above `after`, by id.
pub(crate) fn page(
    conn: &Connection,
    namespace: Option<i64>,
    after: i64,
    limit: usize,
) -> Result<Vec<MemoryRow>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let all = format!("SELECT {COLUMNS} FROM memories WHERE id > ?1 AND status < 2 ORDER BY id LIMIT ?2");
    let one = format!(
        "SELECT {COLUMNS} FROM memories WHERE id > ?1 AND namespace = ?3 AND status < 2 ORDER BY id LIMIT ?2"
    );
    let mut statement = conn.prepare_cached(if namespace.is_some() { &one } else { &all }).map_err(sql)?;
    let rows = match namespace {
        Some(namespace) => statement.query_map([after, limit, namespace], MemoryRow::read),
        None => statement.query_map([after, limit], MemoryRow::read),
    }
    .map_err(sql)?;
    rows.map(|row| MemoryRow::checked(row.map_err(sql)?)).collect()
}

/// Ids of all memories that were not forgotten: live, superseded and merged.
pub(super) fn unforgotten(conn: &Connection) -> Result<Vec<i64>> {
    let mut statement =
        conn.prepare_cached("SELECT id FROM memories WHERE status <> ?1 ORDER BY id").map_err(sql)?;
    let rows = statement.query_map([FORGOTTEN], |r| r.get(0)).map_err(sql)?;
    rows.map(|row| row.map_err(sql)).collect()
}

/// Content and metadata (JSON text) of a memory, and the bytes read for them.
pub(crate) fn payload(conn: &Connection, id: i64) -> Result<Option<(String, Option<String>, u64)>> {
    let row = conn
        .prepare_cached("SELECT content, metadata, checksum, salt FROM payloads WHERE memory = ?1")
        .and_then(|mut s| {
            s.query_row([id], |r| {
                let (content, metadata): (Vec<u8>, Option<Vec<u8>>) = (r.get(0)?, r.get(1)?);
                Ok((content, metadata, r.get::<_, i64>(2)?, r.get::<_, Option<Vec<u8>>>(3)?))
            })
            .optional()
        })
        .map_err(sql)?;
    let Some((content, metadata, checksum, salt)) = row else {
        return Ok(None);
    };
    payload_sum(id, &content, metadata.as_deref(), salt.as_deref()).check(checksum, id)?;
    let bytes = content.len() + metadata.as_ref().map_or(0, Vec::len);
    Ok(Some((unpack(&content)?, metadata.as_deref().map(unpack).transpose()?, bytes as u64)))
}

/// The salt of a memory's hashes in the audit, if it has one.
pub(crate) fn salt(conn: &Connection, id: i64) -> Result<Option<Salt>> {
    let found: Option<Option<Vec<u8>>> = conn
        .prepare_cached("SELECT salt FROM payloads WHERE memory = ?1")
        .and_then(|mut s| s.query_row([id], |r| r.get(0)).optional())
        .map_err(sql)?;
    let whole = |salt: Vec<u8>| {
        Salt::try_from(salt).map_err(|_| Error::corrupt(format!("the salt of memory {id} is cut short")))
    };
    found.flatten().map(whole).transpose()
}

/// Gives a memory a salt that has none.
pub(crate) fn give_salt(tx: &Tx<'_>, id: i64, salt: Salt) -> Result<()> {
    match payload(tx.conn, id)? {
        Some((content, metadata, _)) => put_payload(tx, id, &content, metadata.as_deref(), Some(salt)),
        None => Ok(()),
    }
}

/// The vector of a memory, as it is kept.
pub(crate) fn vector(conn: &Connection, id: i64) -> Result<Option<Vec<f32>>> {
    let row = conn
        .prepare_cached("SELECT vector, checksum FROM vectors WHERE memory = ?1")
        .and_then(|mut s| {
            s.query_row([id], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, i64>(1)?))).optional()
        })
        .map_err(sql)?;
    let Some((blob, checksum)) = row else {
        return Ok(None);
    };
    RowSum::new("vectors").int(id).bytes(&blob).check(checksum, id)?;
    decode_kept(&blob).map(Some)
}

/// A change to a stored memory; what is `None` stays.
#[derive(Default)]
pub(crate) struct Amendment<'a> {
    pub content: Option<&'a str>,
    pub metadata: Option<Option<&'a str>>,
    pub kind: Option<i64>,
    pub expires_at: Option<Option<i64>>,
    pub vector: Option<&'a [f32]>,
}

/// Changes a memory that is not forgotten.
pub(crate) fn amend(tx: &mut Tx<'_>, mut row: MemoryRow, change: &Amendment<'_>) -> Result<()> {
    if change.content.is_some() || change.metadata.is_some() {
        let (content, metadata, _) = payload(tx.conn, row.id)?
            .ok_or_else(|| Error::corrupt(format!("memory {} has lost its payload", row.id)))?;
        let metadata = change.metadata.unwrap_or(metadata.as_deref());
        let kept = salt(tx.conn, row.id)?;
        put_payload(tx, row.id, change.content.unwrap_or(&content), metadata, kept)?;
    }
    row.updated_at = tx.now;
    let before = row.kind;
    row.kind = change.kind.unwrap_or(row.kind);
    row.expires_at = change.expires_at.unwrap_or(row.expires_at);
    if let Some(vector) = change.vector {
        put_vector(tx, row.id, vector)?;
        row.vector_seq = tx.change(Op::Moved, row.namespace, row.id)?;
    }
    let amended = change.kind.is_some() || change.expires_at.is_some();
    // What rules say of a memory goes by its content and metadata.
    if amended || change.content.is_some() || change.metadata.is_some() {
        tx.change(Op::Amended, row.namespace, row.id)?;
    }
    row.save(tx)?;
    // What fades is kept otherwise than what does not.
    let fades = |kind| half_lives::load(tx.conn, kind).map(|row| row.is_some());
    if row.status == LIVE && before != row.kind && fades(before)? != fades(row.kind)? {
        refill::refill(tx, Of::Memory(row.id))?;
    }
    Ok(())
}

/// Takes a live memory out of recall and names the one that replaces it.
pub(crate) fn supersede(tx: &mut Tx<'_>, mut row: MemoryRow, by: i64) -> Result<()> {
    retire(tx, &mut row, SUPERSEDED, Some(by))
}

/// Deletes content, vector, key and evidence of a memory that is not forgotten yet.
pub(crate) fn forget(tx: &mut Tx<'_>, mut row: MemoryRow) -> Result<()> {
    row.key = None;
    let superseded_by = row.superseded_by;
    retire(tx, &mut row, FORGOTTEN, superseded_by)?;
    let leftover = crate::sabotage::on("salts_stay");
    for text in [
        if leftover { "SELECT ?1" } else { "DELETE FROM payloads WHERE memory = ?1" },
        "DELETE FROM vectors WHERE memory = ?1",
        "DELETE FROM trials WHERE memory = ?1",
        "DELETE FROM standings WHERE memory = ?1",
        "DELETE FROM origins WHERE memory = ?1",
    ] {
        tx.conn.prepare_cached(text).and_then(|mut s| s.execute([row.id])).map_err(sql)?;
    }
    fields::forget(tx.conn, row.id)
}

/// Takes a live memory out of recall, whose evidence counts for another one from now on.
pub(super) fn absorb(tx: &mut Tx<'_>, mut row: MemoryRow, by: i64) -> Result<()> {
    names::count_memories(tx, row.namespace, -1)?;
    tx.change(Op::Removed, row.namespace, row.id)?;
    row.superseded_by = Some(by);
    settle(tx, row, MERGED)
}

/// Makes a merged memory a live one again. Its vector is a point again, as if it had just come.
pub(super) fn restore(tx: &mut Tx<'_>, mut row: MemoryRow) -> Result<()> {
    names::count_memories(tx, row.namespace, 1)?;
    row.superseded_by = None;
    row.vector_seq = tx.change(Op::Moved, row.namespace, row.id)?;
    // How it stands is seen again with it.
    tx.change(Op::Standing, row.namespace, row.id)?;
    settle(tx, row, LIVE)
}

/// Gives a memory another status and nothing else.
pub(super) fn settle(tx: &mut Tx<'_>, mut row: MemoryRow, status: i64) -> Result<()> {
    row.status = status;
    row.updated_at = tx.now;
    row.save(tx)
}

fn retire(tx: &mut Tx<'_>, row: &mut MemoryRow, status: i64, by: Option<i64>) -> Result<()> {
    if row.status == MERGED {
        aliases::forget(tx, row)?;
    }
    if row.status == LIVE {
        aliases::go_with(tx, row.id, status)?;
        names::count_memories(tx, row.namespace, -1)?;
        cells::remove_of_memory(tx, row.namespace, row.id)?;
        tx.change(Op::Removed, row.namespace, row.id)?;
    }
    row.status = status;
    row.superseded_by = by;
    row.updated_at = tx.now;
    row.save(tx)
}

/// Forgets everything in a namespace and the namespace itself. Returns how many memories went
/// that were neither forgotten nor superseded.
pub(crate) fn drop_namespace(tx: &mut Tx<'_>, namespace: i64) -> Result<i64> {
    let mut dropped = 0;
    loop {
        let rows = page(tx.conn, Some(namespace), 0, 1000)?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            dropped += i64::from(row.status == LIVE);
            forget(tx, row)?;
        }
    }
    for text in ["DELETE FROM policies WHERE namespace = ?1", "DELETE FROM namespaces WHERE id = ?1"] {
        tx.conn.execute(text, [namespace]).map_err(sql)?;
    }
    tx.change(Op::NamespaceDropped, namespace, namespace)?;
    Ok(dropped)
}

/// Forgets up to `limit` memories whose time is over; `told`: the audit is told of all. Returns how many.
pub(crate) fn forget_expired(tx: &mut Tx<'_>, limit: usize, told: bool) -> Result<usize> {
    let text = format!(
        "SELECT {COLUMNS} FROM memories WHERE expires_at <= ?1 AND expires_at IS NOT NULL AND status = 0 LIMIT ?2"
    );
    let rows: Vec<MemoryRow> = {
        let mut statement = tx.conn.prepare_cached(&text).map_err(sql)?;
        let rows = statement.query_map(params![tx.now, limit as i64], MemoryRow::read).map_err(sql)?;
        rows.map(|row| MemoryRow::checked(row.map_err(sql)?)).collect::<Result<_>>()?
    };
    let count = rows.len();
    expire(tx, rows, told)?;
    Ok(count)
}

/// Forgets memories whose time is over. The audit is told of those that it knows, and of all if it is to
/// know everything (`all`).
pub(crate) fn expire(tx: &mut Tx<'_>, rows: Vec<MemoryRow>, all: bool) -> Result<()> {
    let mut told = Vec::new();
    for row in &rows {
        // One whose salt is damaged has one.
        if all || !matches!(salt(tx.conn, row.id), Ok(None)) {
            told.push(row.id);
        }
    }
    if !told.is_empty() {
        audit::record(tx, Actor::Engine, "expire", 0, 0, &json!({ "memories": told }))?;
    }
    rows.into_iter().try_for_each(|row| forget(tx, row))
}

/// Live memories of a namespace that expire, with their times.
pub(crate) fn expiring(conn: &Connection, namespace: i64) -> Result<Vec<(u64, i64)>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT id, expires_at FROM memories INDEXED BY memories_expiring_here
             WHERE expires_at IS NOT NULL AND status = 0 AND namespace = ?1",
        )
        .map_err(sql)?;
    let rows = statement.query_map([namespace], |r| Ok((r.get::<_, i64>(0)?, r.get(1)?))).map_err(sql)?;
    rows.map(|row| row.map(|(id, at)| (id.cast_unsigned(), at)).map_err(sql)).collect()
}

/// Ids of the first `limit` live memories of a namespace in the order of their shuffle, and these.
pub(crate) fn sample(conn: &Connection, namespace: i64, limit: usize) -> Result<Vec<(i64, i64)>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT shuffle, id FROM memories WHERE namespace = ?1 AND status = 0 ORDER BY shuffle LIMIT ?2",
        )
        .map_err(sql)?;
    let rows = statement.query_map([namespace, limit as i64], |r| Ok((r.get(0)?, r.get(1)?))).map_err(sql)?;
    rows.map(|row| row.map_err(sql)).collect()
}

/// Calls `take(id, namespace, vector_seq)` for every live memory whose vector was set in
/// `(lo, hi]`; of one namespace, or of all.
pub(crate) fn points_in(
    conn: &Connection,
    namespace: Option<i64>,
    (lo, hi): (i64, i64),
    mut take: impl FnMut(i64, i64, i64) -> Result<()>,
) -> Result<()> {
    let mut statement = conn
        .prepare_cached(
            "SELECT id, namespace, vector_seq FROM memories
             WHERE vector_seq > ?1 AND vector_seq <= ?2 AND status = 0 ORDER BY vector_seq",
        )
        .map_err(sql)?;
    let mut rows = statement.query([lo, hi]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let here: i64 = row.get(1).map_err(sql)?;
        if namespace.is_none_or(|wanted| wanted == here) {
            take(row.get(0).map_err(sql)?, here, row.get(2).map_err(sql)?)?;
        }
    }
    Ok(())
}

/// How many live memories have the vector that a change in `(lo, hi]` brought.
pub(crate) fn count_points(conn: &Connection, (lo, hi): (i64, i64)) -> Result<i64> {
    conn.prepare_cached(
        "SELECT count(*) FROM memories WHERE vector_seq > ?1 AND vector_seq <= ?2 AND status = 0",
    )
    .and_then(|mut s| s.query_row([lo, hi], |r| r.get(0)))
    .map_err(sql)
}

fn put_payload(
    tx: &Tx<'_>,
    id: i64,
    content: &str,
    metadata: Option<&str>,
    salt: Option<Salt>,
) -> Result<()> {
    insert_payload(tx.conn, id, content, metadata, salt)?;
    fields::put(tx.conn, id, metadata)
}

/// Makes these the content and metadata of a memory, and this the salt of its hashes.
pub(super) fn insert_payload(
    conn: &Connection,
    id: i64,
    content: &str,
    metadata: Option<&str>,
    salt: Option<Salt>,
) -> Result<()> {
    let (content, metadata) = (pack(content), metadata.map(pack));
    let salt = salt.as_ref().map(Salt::as_slice);
    let checksum = payload_sum(id, &content, metadata.as_deref(), salt).finish();
    conn.prepare_cached(
        "INSERT OR REPLACE INTO payloads(memory, content, metadata, checksum, salt)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut s| s.execute(params![id, content, metadata, checksum, salt]))
    .map(|_| ())
    .map_err(sql)
}

fn payload_sum(id: i64, content: &[u8], metadata: Option<&[u8]>, salt: Option<&[u8]>) -> RowSum {
    let sum = RowSum::new("payloads").int(id).bytes(content).blob(metadata);
    // A column of version 3.
    if salt.is_some() { sum.blob(salt) } else { sum }
}

fn put_vector(tx: &Tx<'_>, id: i64, vector: &[f32]) -> Result<()> {
    insert_vector(tx.conn, tx.storage, id, vector)
}

/// Makes this the vector of a memory; the numbers are those that are kept ([`Storage::keep`]).
pub(super) fn insert_vector(conn: &Connection, storage: Storage, id: i64, vector: &[f32]) -> Result<()> {
    let half;
    let blob: &[u8] = match storage {
        Storage::F32 => bytemuck::cast_slice(vector),
        Storage::F16 => {
            half = std::iter::once(HALF).chain(to_half(vector).into_iter().flat_map(u16::to_le_bytes));
            &half.collect::<Vec<u8>>()
        }
    };
    let checksum = RowSum::new("vectors").int(id).bytes(blob).finish();
    conn.prepare_cached("INSERT OR REPLACE INTO vectors(memory, vector, checksum) VALUES (?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![id, blob, checksum]))
        .map(|_| ())
        .map_err(sql)
}

/// Computes the checksums of all rows anew, where they come from elsewhere.
pub(super) fn sum_anew(conn: &Connection) -> Result<()> {
    let mut statement = conn.prepare(&format!("SELECT {COLUMNS} FROM memories")).map_err(sql)?;
    let rows = statement.query_map([], MemoryRow::read).map_err(sql)?;
    for row in rows {
        let (row, _) = row.map_err(sql)?;
        conn.prepare_cached("UPDATE memories SET checksum = ?2 WHERE id = ?1")
            .and_then(|mut s| s.execute([row.id, row.sum().finish()]))
            .map_err(sql)?;
    }
    Ok(())
}

/// The first byte of a vector in f16.
const HALF: u8 = 1;

/// The vector of a memory from its bytes, all little-endian: f32, or the byte [`HALF`] and f16, which is an odd number of bytes.
fn decode_kept(blob: &[u8]) -> Result<Vec<f32>> {
    match blob {
        [HALF, half @ ..] if half.len().is_multiple_of(2) => {
            let mut vector = vec![0.0; half.len() / 2];
            from_half(&bytemuck::pod_collect_to_vec::<u8, u16>(half), &mut vector);
            Ok(vector)
        }
        blob => decode(blob),
    }
}

/// A vector that is stored as it was given, from its bytes (f32, little-endian).
pub(crate) fn decode(blob: &[u8]) -> Result<Vec<f32>> {
    if !blob.len().is_multiple_of(4) {
        return Err(Error::corrupt(format!("a vector of {} bytes is cut short", blob.len())));
    }
    Ok(bytemuck::pod_collect_to_vec(blob))
}

/// How many bytes [`insert_vector`] makes of a vector.
pub(super) fn bytes_of(storage: Storage, dimension: i64) -> i64 {
    match storage {
        Storage::F32 => 4 * dimension,
        Storage::F16 => 1 + 2 * dimension,
    }
}
