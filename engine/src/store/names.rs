//! Names and the numbers that stand for them: namespaces, kinds, principals.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;

use super::changes::Op;
use super::db::{Tx, sql};

/// A namespace.
#[derive(Debug, Clone)]
pub(crate) struct NamespaceRow {
    pub id: i64,
    pub name: String,
    pub created_at: i64,
    /// Memories that are neither forgotten nor superseded.
    pub memories: i64,
}

const NAMESPACE: &str = "SELECT id, name, created_at, memories FROM namespaces";

fn namespace_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<NamespaceRow> {
    Ok(NamespaceRow { id: row.get(0)?, name: row.get(1)?, created_at: row.get(2)?, memories: row.get(3)? })
}

/// All namespaces, by name.
pub(crate) fn namespaces(conn: &Connection) -> Result<Vec<NamespaceRow>> {
    let mut statement = conn.prepare_cached(&format!("{NAMESPACE} ORDER BY name")).map_err(sql)?;
    let rows = statement.query_map([], namespace_row).map_err(sql)?;
    rows.map(|row| row.map_err(sql)).collect()
}

pub(crate) fn namespace_by_id(conn: &Connection, id: i64) -> Result<Option<NamespaceRow>> {
    let mut statement = conn.prepare_cached(&format!("{NAMESPACE} WHERE id = ?1")).map_err(sql)?;
    statement.query_row([id], namespace_row).optional().map_err(sql)
}

pub(crate) fn namespace_by_name(conn: &Connection, name: &str) -> Result<Option<NamespaceRow>> {
    let mut statement = conn.prepare_cached(&format!("{NAMESPACE} WHERE name = ?1")).map_err(sql)?;
    statement.query_row([name], namespace_row).optional().map_err(sql)
}

/// Checks that as many memories are there as are counted. One sentence for each fault.
pub(crate) fn check_counts(conn: &Connection) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut statement = conn
        .prepare(
            "SELECT n.id, n.memories, (SELECT count(*) FROM memories m WHERE m.namespace = n.id AND m.status = 0)
             FROM namespaces n ORDER BY n.id",
        )
        .map_err(sql)?;
    let rows = statement
        .query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, r.get::<_, i64>(2)?)))
        .map_err(sql)?;
    for row in rows {
        let (id, counted, there) = row.map_err(sql)?;
        if counted != there {
            faults.push(format!(
                "row {id} of table namespaces counts {counted} memories, and {there} are there"
            ));
        }
    }
    let kept: i64 =
        conn.query_row("SELECT count(*) FROM memories WHERE status <> 2", [], |r| r.get(0)).map_err(sql)?;
    for table in ["payloads", "vectors"] {
        let there: i64 =
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0)).map_err(sql)?;
        if there != kept {
            faults.push(format!("table {table} has {there} rows for {kept} memories"));
        }
    }
    Ok(faults)
}

/// The number of the namespace with this name, which is created if it is missing.
pub(crate) fn intern_namespace(tx: &mut Tx<'_>, name: &str) -> Result<i64> {
    if let Some(row) = namespace_by_name(tx.conn, name)? {
        return Ok(row.id);
    }
    tx.conn
        .execute(
            "INSERT INTO namespaces(name, created_at, memories) VALUES (?1, ?2, 0)",
            params![name, tx.now],
        )
        .map_err(sql)?;
    let id = tx.conn.last_insert_rowid();
    tx.change(Op::NamespaceAdded, id, id)?;
    Ok(id)
}

/// Adds to the count of memories in a namespace.
pub(crate) fn count_memories(tx: &Tx<'_>, namespace: i64, by: i64) -> Result<()> {
    tx.conn
        .prepare_cached("UPDATE namespaces SET memories = memories + ?2 WHERE id = ?1")
        .and_then(|mut s| s.execute([namespace, by]))
        .map(|_| ())
        .map_err(sql)
}

/// The number of the kind with this name, which is created if it is missing.
pub(crate) fn intern_kind(tx: &Tx<'_>, name: &str) -> Result<i64> {
    if let Some(id) = kind_by_name(tx.conn, name)? {
        return Ok(id);
    }
    tx.conn.execute("INSERT INTO kinds(name) VALUES (?1)", [name]).map_err(sql)?;
    Ok(tx.conn.last_insert_rowid())
}

pub(crate) fn kind_by_name(conn: &Connection, name: &str) -> Result<Option<i64>> {
    let mut statement = conn.prepare_cached("SELECT id FROM kinds WHERE name = ?1").map_err(sql)?;
    statement.query_row([name], |r| r.get(0)).optional().map_err(sql)
}

pub(crate) fn kind_name(conn: &Connection, id: i64) -> Result<String> {
    let mut statement = conn.prepare_cached("SELECT name FROM kinds WHERE id = ?1").map_err(sql)?;
    statement.query_row([id], |r| r.get(0)).map_err(sql)
}

/// The number of the principal with this name, who is noted if unknown.
pub(crate) fn intern_principal(tx: &Tx<'_>, name: &str) -> Result<i64> {
    let known: Option<i64> = tx
        .conn
        .prepare_cached("SELECT id FROM principals WHERE name = ?1")
        .and_then(|mut s| s.query_row([name], |r| r.get(0)).optional())
        .map_err(sql)?;
    if let Some(id) = known {
        return Ok(id);
    }
    tx.conn
        .execute("INSERT INTO principals(name, created_at) VALUES (?1, ?2)", params![name, tx.now])
        .map_err(sql)?;
    Ok(tx.conn.last_insert_rowid())
}

pub(crate) fn principal_name(conn: &Connection, id: i64) -> Result<String> {
    let mut statement = conn.prepare_cached("SELECT name FROM principals WHERE id = ?1").map_err(sql)?;
    statement.query_row([id], |r| r.get(0)).map_err(sql)
}
