//! Giving a copy of a store the vectors of another embedding model.
//!
//! Memories are embedded from their content, situations from the query texts that their receipts keep. A
//! situation without a text is known again by its vector: that of a recall whose text was kept, or that of a
//! memory. What is left cannot be placed. An outcome that cannot be placed is kept where it claims least: at
//! the new vector of the memory that it is about. There it counts in full for the memory as a whole, and
//! nominates it nowhere, because a query near that place finds the memory by its own words. A receipt that
//! cannot be placed says so itself, so that later reports on it are kept in the same way.
//!
//! Cells, lots and grids are derived: they are computed anew. Nobody else knows of the copy, so batches are
//! committed as they come; whoever asked for it gives it a name only when all is done.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::Connection;
use serde_json::json;
use xxhash_rust::xxh3::xxh3_128;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::vector::Storage;

use super::audit::{self, Actor};
use super::backup::begin_apart;
use super::bound;
use super::cells::{self, situation_hash};
use super::db::{Tx, sql, vacuum};
use super::erase::drop_situations;
use super::experiences;
use super::grid::Places;
use super::identity::{self, Identity, set_meta};
use super::memories::{self, FORGOTTEN};
use super::names;
use super::payload::unpack;
use super::refill::{Of, by_situation};
use super::reports::Row;
use super::salts::Hashed;
use super::slip::Facts;

/// Texts embedded at a time.
const BATCH: usize = 256;
/// Memories named in one entry of the audit.
const NAMED: usize = 1000;

/// Gives vectors for texts of memories, or of queries: one for each; none for a text that has none.
pub(crate) type Embed<'a> = dyn FnMut(bool, &[&str]) -> Result<Vec<Option<Vec<f32>>>> + 'a;

/// What became of the copy.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Memories that have a new vector.
    pub memories: u64,
    /// Memories without a text that could be embedded: forgotten in the copy.
    pub left_out: Vec<i64>,
    /// Reports that teach something, in situations that could be placed, and in others.
    pub placed: u64,
    pub unplaced: u64,
}

/// Makes the database behind `conn` that of a store with vectors of the model and dimension in `to`.
pub(crate) fn reembed(
    conn: &Connection,
    now: Timestamp,
    from: &Identity,
    to: &Identity,
    embed: &mut Embed<'_>,
) -> Result<Moved> {
    let before = held(conn)?;
    embed_memories(conn, to.storage, &before, embed)?;
    let texts = Texts::embed(conn, now, embed)?;
    in_transaction(conn, |conn| {
        let mut tx = Tx::on_copy(conn, now)?;
        set_meta(conn, "dimension", to.dimension as i64)?;
        if let Some(model) = &to.model {
            set_meta(conn, "model", model.as_str())?;
        }
        let mut ground = Ground::survey(&tx, to, &before, texts)?;
        let mut moved = Moved::default();
        ground.place_receipts(&tx)?;
        ground.place_reports(&tx)?;
        ground.place_experiences(&tx, &mut moved)?;
        for id in before.keys() {
            if memories::vector(conn, *id)?.is_some_and(|vector| vector.is_empty()) {
                forget(&mut tx, *id)?;
            }
        }
        sum_up(&mut tx)?;
        let after = held(conn)?;
        moved.memories = after.len() as u64;
        moved.left_out = before.keys().filter(|id| !after.contains_key(id)).copied().collect();
        record(&tx, from, to, &moved, &after)?;
        drop_situations(&tx)?;
        conn.execute_batch("DELETE FROM segments").map_err(sql)?;
        begin_apart(conn)?;
        Ok(moved)
    })
    .and_then(|moved| vacuum(conn).map(|()| moved).map_err(sql))
}

fn in_transaction<T>(conn: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    conn.execute_batch("BEGIN IMMEDIATE").map_err(sql)?;
    let done = work(conn)?;
    // After an error nobody looks at the copy again.
    conn.execute_batch("COMMIT").map_err(sql).map(|()| done)
}

/// The memories that have a vector, each with the hash of it.
fn held(conn: &Connection) -> Result<BTreeMap<i64, u128>> {
    let mut statement = conn.prepare("SELECT memory FROM vectors ORDER BY memory").map_err(sql)?;
    let ids = statement.query_map([], |r| r.get::<_, i64>(0)).map_err(sql)?;
    let mut held = BTreeMap::new();
    for id in ids {
        let id = id.map_err(sql)?;
        if let Some(vector) = memories::vector(conn, id)? {
            held.insert(id, situation_hash(&vector));
        }
    }
    Ok(held)
}

/// Gives the memories their new vectors; one without a text gets an empty one until it is forgotten.
fn embed_memories(
    conn: &Connection,
    storage: Storage,
    held: &BTreeMap<i64, u128>,
    embed: &mut Embed<'_>,
) -> Result<()> {
    let ids: Vec<i64> = held.keys().copied().collect();
    for batch in ids.chunks(BATCH) {
        let mut contents = Vec::with_capacity(batch.len());
        for id in batch {
            let payload = memories::payload(conn, *id)?;
            let (content, ..) =
                payload.ok_or_else(|| Error::corrupt(format!("memory {id} has lost its payload")))?;
            contents.push(content);
        }
        let vectors = ask(embed, false, &contents)?;
        in_transaction(conn, |conn| {
            batch.iter().zip(vectors).try_for_each(|(id, vector)| {
                memories::insert_vector(conn, storage, *id, vector.as_deref().unwrap_or_default())
            })
        })?;
    }
    Ok(())
}

/// Asks for the vectors of the texts that say something.
fn ask(embed: &mut Embed<'_>, queries: bool, texts: &[String]) -> Result<Vec<Option<Vec<f32>>>> {
    let said: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.trim().is_empty()).collect();
    let vectors = if said.is_empty() { Vec::new() } else { embed(queries, &said)? };
    let mut vectors = vectors.into_iter();
    Ok(texts
        .iter()
        .map(|text| if text.trim().is_empty() { None } else { vectors.next().flatten() })
        .collect())
}

/// The situations of the query texts, each text once.
#[derive(Default)]
struct Texts {
    situations: HashMap<u128, Option<i64>>,
    /// The last situation that the store had before.
    last: i64,
}

impl Texts {
    fn embed(conn: &Connection, now: Timestamp, embed: &mut Embed<'_>) -> Result<Self> {
        let last = conn.query_row("SELECT ifnull(max(id), 0) FROM situations", [], |r| r.get(0));
        let mut texts = Self { last: last.map_err(sql)?, ..Self::default() };
        let mut waiting: Vec<String> = Vec::new();
        let mut statement = conn
            .prepare("SELECT query_text FROM receipts WHERE query_text IS NOT NULL ORDER BY id")
            .map_err(sql)?;
        let all: Vec<Vec<u8>> =
            statement.query_map([], |r| r.get(0)).and_then(Iterator::collect).map_err(sql)?;
        drop(statement);
        for packed in all {
            let text = unpack(&packed)?;
            if texts.situations.insert(xxh3_128(text.as_bytes()), None).is_none() {
                waiting.push(text);
            }
        }
        for batch in waiting.chunks(BATCH) {
            let vectors = ask(embed, true, batch)?;
            in_transaction(conn, |conn| {
                let tx = Tx::on_copy(conn, now)?;
                for (text, vector) in batch.iter().zip(vectors) {
                    let situation = vector.map(|vector| cells::intern_situation(&tx, &vector)).transpose()?;
                    texts.situations.insert(xxh3_128(text.as_bytes()), situation);
                }
                Ok(())
            })?;
        }
        Ok(texts)
    }

    fn of(&self, packed: Option<&[u8]>) -> Result<Option<i64>> {
        let Some(packed) = packed else {
            return Ok(None);
        };
        Ok(self.situations.get(&xxh3_128(unpack(packed)?.as_bytes())).copied().flatten())
    }
}

/// A copy of a receipt: its id, its situation, and its text as it is stored.
/// Id, situation, text, and whether it has no place in the space it is in.
type ReceiptRow = (Vec<u8>, i64, Option<Vec<u8>>, bool);

/// Where what was situated in the old space lies in the new one.
struct Ground<'a> {
    texts: Texts,
    /// Hashes of the old vectors.
    before: &'a BTreeMap<i64, u128>,
    /// Old situations that are known again.
    known: HashMap<i64, i64>,
    /// Old situations: hashes of their vectors.
    hashes: HashMap<i64, u128>,
    receipts: Vec<ReceiptRow>,
    /// The places of receipts and reports; `None`: unknown.
    of_receipts: HashMap<Vec<u8>, Option<i64>>,
    /// Stands where a place is asked for and none is known.
    nowhere: i64,
}

impl<'a> Ground<'a> {
    fn survey(tx: &Tx<'_>, to: &Identity, before: &'a BTreeMap<i64, u128>, texts: Texts) -> Result<Self> {
        let mut statement =
            tx.conn.prepare("SELECT id, hash FROM situations WHERE id <= ?1 ORDER BY id").map_err(sql)?;
        let rows = statement
            .query_map([texts.last], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?)))
            .map_err(sql)?;
        let mut hashes = HashMap::new();
        for row in rows {
            let (id, hash) = row.map_err(sql)?;
            let hash: [u8; 16] = hash
                .try_into()
                .map_err(|_| Error::corrupt(format!("the hash of situation {id} is cut short")))?;
            hashes.insert(id, u128::from_le_bytes(hash));
        }
        if tx.storage != Storage::F32 {
            // A query that was a memory's own vector, which the store has rounded.
            let (known, metric): (BTreeSet<u128>, _) =
                (before.values().copied().collect(), identity::metric(tx.conn)?);
            for (id, hash) in &mut hashes {
                let mut vector = cells::situation(tx.conn, *id)?;
                if tx.storage.keep(metric, &mut vector).is_ok() && known.contains(&situation_hash(&vector)) {
                    *hash = situation_hash(&vector);
                }
            }
        }
        let mut statement = tx
            .conn
            .prepare("SELECT id, situation, query_text, facts FROM receipts ORDER BY id")
            .map_err(sql)?;
        let mut rows = statement.query([]).map_err(sql)?;
        let mut receipts: Vec<ReceiptRow> = Vec::new();
        while let Some(row) = rows.next().map_err(sql)? {
            let field = |n| row.get::<_, Option<Vec<u8>>>(n).map_err(sql);
            let facts = field(3)?.map_or(Ok(Facts::default()), |facts| Facts::decode(&facts))?;
            let unplaced = facts.unplaced && !crate::sabotage::on("nowhere_is_a_place");
            receipts.push((row.get(0).map_err(sql)?, row.get(1).map_err(sql)?, field(2)?, unplaced));
        }
        let nowhere = cells::intern_situation(tx, &somewhere(&to.store_id, to.dimension))?;
        let mut known = HashMap::new();
        // All without a place have the same situation, which says nothing of any of them.
        for (_, situation, text, _) in receipts.iter().filter(|(.., unplaced)| !unplaced) {
            if let Some(place) = texts.of(text.as_deref())? {
                known.entry(*situation).or_insert(place);
            }
        }
        // Of memories with the same vector, the first.
        let mut owners: HashMap<u128, i64> = HashMap::new();
        for (id, hash) in before {
            owners.entry(*hash).or_insert(*id);
        }
        let of_receipts = HashMap::new();
        let mut ground = Self { texts, before, known, hashes, receipts, of_receipts, nowhere };
        let all: Vec<(i64, u128)> = ground.hashes.iter().map(|(id, hash)| (*id, *hash)).collect();
        for (situation, hash) in all {
            if let Some(owner) = owners.get(&hash).filter(|_| !ground.known.contains_key(&situation))
                && let Some(place) = own_place(tx, *owner)?
            {
                ground.known.insert(situation, place);
            }
        }
        Ok(ground)
    }

    fn place_receipts(&mut self, tx: &Tx<'_>) -> Result<()> {
        for (id, situation, text, unplaced) in std::mem::take(&mut self.receipts) {
            let place = match self.texts.of(text.as_deref())? {
                Some(place) => Some(place),
                None => self.known.get(&situation).copied().filter(|_| !unplaced),
            };
            bound::move_to(tx, &id, place, self.nowhere)?;
            self.of_receipts.insert(id, place);
        }
        Ok(())
    }

    /// Reports on memories without a recall: their own words, if those were the situation.
    fn place_reports(&mut self, tx: &Tx<'_>) -> Result<()> {
        for mut row in Row::load_where(tx.conn, "?1 AND receipt IS NULL AND situation IS NOT NULL", 1)? {
            let (Some(situation), [memory]) = (row.situation, row.used.as_slice()) else { continue };
            let memory = memory.cast_signed();
            let own = self.hashes.get(&situation).is_some_and(|hash| self.before.get(&memory) == Some(hash));
            let known = self.known.get(&situation).copied().filter(|_| !own);
            let (place, id) = (if own { own_place(tx, memory)? } else { known }, row.id);
            let kept = match place {
                Some(place) => place,
                None => own_place(tx, memory)?.unwrap_or(self.nowhere),
            };
            row.move_to(tx, kept)?;
            self.of_receipts.insert(id.to_le_bytes().to_vec(), place);
        }
        Ok(())
    }

    fn place_experiences(&self, tx: &Tx<'_>, moved: &mut Moved) -> Result<()> {
        let mut statement = tx
            .conn
            .prepare(
                "SELECT e.report, e.memory, r.receipt FROM experiences e JOIN reports r ON r.id = e.report
                 ORDER BY e.report, e.memory",
            )
            .map_err(sql)?;
        let all: Vec<(i64, i64, Option<Vec<u8>>)> = statement
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
            .and_then(Iterator::collect)
            .map_err(sql)?;
        let (mut placed, mut unplaced) = (BTreeSet::new(), BTreeSet::new());
        for (report, memory, receipt) in all {
            let key = receipt.unwrap_or_else(|| report.to_le_bytes().to_vec());
            let place = self.of_receipts.get(&key).copied().flatten();
            let place = place.filter(|_| !crate::sabotage::on("queries_misplaced"));
            if place.is_some() {
                placed.insert(report)
            } else {
                unplaced.insert(report)
            };
            let kept = match place {
                Some(place) => place,
                None if crate::sabotage::on("unplaced_is_lost") => self.nowhere,
                None => own_place(tx, memory)?.unwrap_or(self.nowhere),
            };
            experiences::move_to(tx, report, memory, kept)?;
        }
        (moved.placed, moved.unplaced) = (placed.len() as u64, unplaced.len() as u64);
        Ok(())
    }
}

/// The situation at the vector of a memory; `None` if it has none.
pub(super) fn own_place(tx: &Tx<'_>, memory: i64) -> Result<Option<i64>> {
    let vector = memories::vector(tx.conn, memory)?.filter(|vector| vector.iter().any(|x| *x != 0.0));
    vector.map(|vector| cells::intern_situation(tx, &vector)).transpose()
}

/// A direction of no text: fixed by the store, and as good as never that of a memory.
fn somewhere(store_id: &[u8; 16], dimension: usize) -> Vec<f32> {
    let number = |i: usize| {
        let mut bytes = store_id.to_vec();
        bytes.extend((i as u64).to_le_bytes());
        ((xxh3_128(&bytes) >> 104) as f32 + 1.0) / (1 << 24) as f32
    };
    let length = (dimension as f32).sqrt();
    (0..dimension).map(|i| number(i) / length).collect()
}

fn forget(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    let Some(row) = memories::load(tx.conn, id)?.filter(|row| row.status != FORGOTTEN) else {
        return Ok(());
    };
    memories::forget(tx, row)
}

/// Computes the cells anew from the experiences.
fn sum_up(tx: &mut Tx<'_>) -> Result<()> {
    for text in ["DELETE FROM cells", "DELETE FROM lots"] {
        tx.conn.execute(text, []).map_err(sql)?;
    }
    for namespace in names::namespaces(tx.conn)? {
        names::set_grid(tx, namespace.id, None)?;
    }
    let mut places = Places::default();
    for (at, content) in by_situation(tx.conn, Of::All)? {
        cells::shift(tx, &mut places, at, &content)?;
    }
    Ok(())
}

/// Tells the audit: what the store is now, and the hashes of its memories, whose vectors are others.
fn record(
    tx: &Tx<'_>,
    from: &Identity,
    to: &Identity,
    moved: &Moved,
    held: &BTreeMap<i64, u128>,
) -> Result<()> {
    let detail = json!({
        "from": { "model": from.model, "dimension": from.dimension },
        "to": { "model": to.model, "dimension": to.dimension },
        "memories": moved.memories,
        "left_out": moved.left_out,
        "placed": moved.placed,
        "unplaced": moved.unplaced,
    });
    audit::record(tx, Actor::Owner, "reembed", 0, 0, &detail)?;
    let ids: Vec<i64> = held.keys().copied().collect();
    for batch in ids.chunks(NAMED) {
        let mut after = serde_json::Map::new();
        for id in batch {
            let (Some(row), Some(salt)) = (memories::load(tx.conn, *id)?, memories::salt(tx.conn, *id)?)
            else {
                continue;
            };
            let (content, metadata, _) = memories::payload(tx.conn, *id)?.unwrap_or_default();
            let vector = memories::vector(tx.conn, *id)?.unwrap_or_default();
            let kind = names::kind_name(tx.conn, row.kind)?;
            let hashed =
                Hashed { content: &content, metadata: metadata.as_deref(), kind: &kind, vector: &vector };
            after.insert(id.to_string(), super::hex::hex(&hashed.hash(&salt)).into());
        }
        if !after.is_empty() {
            audit::record(tx, Actor::Owner, "reembed", 0, 0, &json!({ "after": after }))?;
        }
    }
    Ok(())
}
