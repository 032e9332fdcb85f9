//! Aliases: memories that were merged into others. Such a memory keeps its row, payload, vector and
//! cells, and is no hit; its evidence counts for the survivor. So taking a merger back loses nothing.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};

use super::cells;
use super::changes::Op;
use super::db::{Tx, sql};
use super::memories::{self, FORGOTTEN, MERGED, MemoryRow, SUPERSEDED};
use super::sum::RowSum;
use super::trials;

/// A merger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AliasRow {
    memory: i64,
    /// What it was merged into.
    merged_into: i64,
    /// What that was merged into in turn, and so on: a live memory.
    survivor: i64,
}

impl AliasRow {
    fn sum(&self) -> RowSum {
        RowSum::new("aliases").int(self.memory).int(self.merged_into).int(self.survivor)
    }

    fn save(&self, tx: &mut Tx<'_>, namespace: i64) -> Result<()> {
        tx.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO aliases(memory, merged_into, survivor, checksum) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut s| {
                s.execute([self.memory, self.merged_into, self.survivor, self.sum().finish()])
            })
            .map_err(sql)?;
        tx.change(Op::Aliased, namespace, self.memory).map(|_| ())
    }
}

fn load_where(conn: &Connection, condition: &str, value: i64) -> Result<Vec<AliasRow>> {
    let mut statement = conn
        .prepare_cached(&format!(
            "SELECT memory, merged_into, survivor, checksum FROM aliases WHERE {condition} ORDER BY memory"
        ))
        .map_err(sql)?;
    let rows = statement
        .query_map([value], |r| {
            let row = AliasRow { memory: r.get(0)?, merged_into: r.get(1)?, survivor: r.get(2)? };
            Ok((row, r.get::<_, i64>(3)?))
        })
        .map_err(sql)?;
    rows.map(|row| {
        let (row, checksum) = row.map_err(sql)?;
        row.sum().check(checksum, row.memory)?;
        Ok(row)
    })
    .collect()
}

fn load(conn: &Connection, memory: i64) -> Result<Option<AliasRow>> {
    Ok(load_where(conn, "memory = ?1", memory)?.pop())
}

/// The live memory that a merged one counts for; `None` if it was never merged.
pub(crate) fn survivor(conn: &Connection, memory: i64) -> Result<Option<i64>> {
    Ok(load(conn, memory)?.map(|row| row.survivor))
}

/// The memories that count for this one, by id.
pub(crate) fn of_survivor(conn: &Connection, survivor: i64) -> Result<Vec<i64>> {
    let rows = load_where(conn, "survivor = ?1", survivor)?;
    Ok(rows.into_iter().map(|row| row.memory).collect())
}

/// The merged memories of a namespace, each with the one it counts for.
pub(crate) fn of_namespace(conn: &Connection, namespace: i64) -> Result<Vec<(u64, u64)>> {
    // By way of the aliases, which are few: no index of memories leads to those that were merged.
    let condition =
        "EXISTS (SELECT 1 FROM memories m WHERE m.id = aliases.memory AND m.namespace = ?1 AND m.status = 3)";
    let rows = load_where(conn, condition, namespace)?;
    Ok(rows.into_iter().map(|row| (row.memory.cast_unsigned(), row.survivor.cast_unsigned())).collect())
}

/// Merges a live memory into another one of its namespace.
pub(crate) fn merge(tx: &mut Tx<'_>, row: MemoryRow, survivor: i64) -> Result<()> {
    let (memory, namespace) = (row.id, row.namespace);
    memories::absorb(tx, row, survivor)?;
    AliasRow { memory, merged_into: survivor, survivor }.save(tx, namespace)?;
    for alias in load_where(tx.conn, "survivor = ?1", memory)? {
        AliasRow { survivor, ..alias }.save(tx, namespace)?;
    }
    trials::renew(tx, survivor)
}

/// Takes a merger back: the memory is a hit again, with its own evidence and that of those merged into it.
pub(crate) fn separate(tx: &mut Tx<'_>, memory: i64) -> Result<()> {
    let (Some(alias), Some(row)) = (load(tx.conn, memory)?, memories::load(tx.conn, memory)?) else {
        return Err(Error::invalid("memory", format!("memory {memory} is merged into no other")));
    };
    let namespace = row.namespace;
    remove(tx, namespace, memory)?;
    memories::restore(tx, row)?;
    // Those that came with it go with it.
    let mut others: HashMap<i64, Vec<AliasRow>> = HashMap::new();
    for other in load_where(tx.conn, "survivor = ?1", alias.survivor)? {
        others.entry(other.merged_into).or_default().push(other);
    }
    let mut with_it = vec![memory];
    while let Some(one) = with_it.pop() {
        for other in others.remove(&one).unwrap_or_default() {
            with_it.push(other.memory);
            AliasRow { survivor: memory, ..other }.save(tx, namespace)?;
        }
    }
    trials::renew(tx, alias.survivor)?;
    trials::renew(tx, memory)
}

fn remove(tx: &mut Tx<'_>, namespace: i64, memory: i64) -> Result<()> {
    tx.conn
        .prepare_cached("DELETE FROM aliases WHERE memory = ?1")
        .and_then(|mut s| s.execute([memory]))
        .map_err(sql)?;
    tx.change(Op::Aliased, namespace, memory).map(|_| ())
}

/// What becomes of the memories merged into one that goes: they are forgotten, or superseded, with it.
pub(crate) fn go_with(tx: &mut Tx<'_>, survivor: i64, status: i64) -> Result<()> {
    for memory in of_survivor(tx.conn, survivor)? {
        let Some(row) = memories::load(tx.conn, memory)? else {
            continue;
        };
        remove(tx, row.namespace, memory)?;
        cells::remove_of_memory(tx, row.namespace, memory)?;
        if status == FORGOTTEN {
            memories::forget(tx, row)?;
        } else {
            memories::settle(tx, row, SUPERSEDED)?;
        }
    }
    Ok(())
}

/// A merged memory is forgotten by itself: those merged into it stay with the survivor.
pub(crate) fn forget(tx: &mut Tx<'_>, row: &MemoryRow) -> Result<()> {
    let Some(alias) = load(tx.conn, row.id)? else {
        return Ok(());
    };
    for other in load_where(tx.conn, "merged_into = ?1", row.id)? {
        AliasRow { merged_into: alias.merged_into, ..other }.save(tx, row.namespace)?;
    }
    remove(tx, row.namespace, row.id)?;
    trials::renew(tx, alias.survivor)?;
    cells::remove_of_memory(tx, row.namespace, row.id)
}

/// Checks every merger. Returns one sentence for each row at fault, and the merged memories.
pub(crate) fn check_all(conn: &Connection) -> Result<(Vec<String>, Vec<MemoryRow>)> {
    let mut statement = conn.prepare("SELECT memory FROM aliases ORDER BY memory").map_err(sql)?;
    let ids = statement.query_map(params![], |r| r.get::<_, i64>(0)).map_err(sql)?;
    let (mut faults, mut merged) = (Vec::new(), Vec::new());
    for id in ids {
        let id = id.map_err(sql)?;
        let checked = load(conn, id).and_then(|alias| {
            let of = |id| memories::load(conn, id);
            Ok((alias, of(id)?, alias.map_or(Ok(None), |alias| of(alias.survivor))?))
        });
        match checked {
            Ok((_, Some(row), Some(survivor))) if row.status == MERGED && survivor.status == 0 => {
                merged.push(row);
            }
            Ok(_) => faults.push(format!("memory {id} is merged into one that is not there")),
            Err(Error::Corrupt { what }) => faults.push(what),
            Err(error) => return Err(error),
        }
    }
    let lost: i64 = conn
        .prepare("SELECT count(*) FROM memories WHERE status = 3 AND id NOT IN (SELECT memory FROM aliases)")
        .and_then(|mut s| s.query_row([], |r| r.get(0)))
        .optional()
        .map_err(sql)?
        .unwrap_or_default();
    if lost > 0 {
        faults.push(format!("{lost} memories were merged, and into which is not known"));
    }
    Ok((faults, merged))
}
