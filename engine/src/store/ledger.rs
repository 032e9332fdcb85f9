//! What the reports of one transaction change in the cells: gathered, and written once for each cell.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::Connection;

use crate::error::Result;
use crate::outcome::{Group, Sums};

use super::cells;
use super::db::Tx;
use super::memories::{self, LIVE};

/// What crediting has to know of a memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub namespace: i64,
    pub status: i64,
}

/// Whose evidence of which day (UTC).
pub(super) type Source = (Group, i64);

/// The changes to the evidence in one transaction, not yet in the cells.
#[derive(Default)]
pub(crate) struct Ledger {
    /// By memory and situation.
    changes: BTreeMap<(i64, i64), BTreeMap<Source, Sums>>,
    memories: HashMap<i64, Known>,
    situations: HashMap<u128, i64>,
    severe: BTreeSet<u64>,
}

/// What the reports of a transaction did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(dead_code, reason = "read by whoever guards memories against failures")]
pub(crate) struct Effect {
    /// The live memories whose evidence changed, by id.
    pub changed: Vec<u64>,
    /// Those among them that a severe failure was newly counted against.
    pub severe: Vec<u64>,
}

impl Ledger {
    /// What is known of a memory; `None` if there is none with this id.
    pub(super) fn memory(&mut self, conn: &Connection, id: i64) -> Result<Option<Known>> {
        if let Some(known) = self.memories.get(&id) {
            return Ok(Some(*known));
        }
        let known =
            memories::load(conn, id)?.map(|row| Known { namespace: row.namespace, status: row.status });
        self.memories.extend(known.map(|known| (id, known)));
        Ok(known)
    }

    /// The number of the situation with this vector, which is stored if it is new.
    pub(super) fn situation(&mut self, tx: &Tx<'_>, vector: &[f32]) -> Result<i64> {
        let hash = cells::situation_hash(vector);
        if let Some(id) = self.situations.get(&hash) {
            return Ok(*id);
        }
        let id = cells::intern_situation(tx, vector)?;
        self.situations.insert(hash, id);
        Ok(id)
    }

    /// Notes that evidence came, and that other evidence went.
    pub(super) fn shift(&mut self, memory: i64, situation: i64, source: Source, plus: Sums, minus: Sums) {
        let change = self.changes.entry((memory, situation)).or_default().entry(source).or_default();
        change.add(plus);
        change.subtract(minus);
    }

    /// Notes that a severe failure was counted against a memory.
    pub(super) fn note_severe(&mut self, memory: u64) {
        self.severe.insert(memory);
    }

    /// Brings the cells in step. The cells of a memory that is no hit any more are gone; its experiences
    /// stay as a record.
    pub(crate) fn close(mut self, tx: &mut Tx<'_>) -> Result<Effect> {
        let mut effect = Effect::default();
        for ((memory, situation), mut change) in std::mem::take(&mut self.changes) {
            change.retain(|_, sums| *sums != Sums::default());
            let Some(known) = self.memory(tx.conn, memory)?.filter(|known| known.status == LIVE) else {
                continue;
            };
            if change.is_empty() {
                continue;
            }
            cells::shift(tx, known.namespace, memory, situation, &change)?;
            effect.changed.push(memory.cast_unsigned());
        }
        effect.changed.dedup();
        effect.severe = self.severe.into_iter().filter(|m| effect.changed.binary_search(m).is_ok()).collect();
        Ok(effect)
    }
}
