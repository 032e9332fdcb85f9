//! Names and the numbers that stand for them: namespaces, kinds, principals. Each row has a checksum over all it holds
//! but the count of memories, which changes with each and is checked against them.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};

use super::changes::Op;
use super::db::{Tx, sql};
use super::sum::RowSum;

/// What version 3 adds. [`adopt`] fills it for the rows of older versions.
pub(super) const COLUMNS: &str = "
ALTER TABLE namespaces ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE kinds ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE principals ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
CREATE INDEX principals_registered ON principals(name) WHERE registered_at IS NOT NULL;
CREATE INDEX principals_again ON principals(name || '');
";

/// A namespace.
#[derive(Debug, Clone)]
pub(crate) struct NamespaceRow {
    pub id: i64,
    pub name: String,
    pub created_at: i64,
    /// Memories that are neither forgotten nor superseded.
    pub memories: i64,
}

const NAMESPACE: &str = "SELECT id, name, created_at, memories, grid, checksum FROM namespaces";

fn namespace_sum(id: i64, name: &str, created_at: i64, grid: Option<f64>) -> RowSum {
    RowSum::new("namespaces").int(id).text(Some(name)).int(created_at).real(grid)
}

/// A row as it is stored: the inner result says whether it is as it was written.
fn namespace_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<(NamespaceRow, Option<f64>)>> {
    let read =
        NamespaceRow { id: row.get(0)?, name: row.get(1)?, created_at: row.get(2)?, memories: row.get(3)? };
    let grid: Option<f64> = row.get(4)?;
    let sum = namespace_sum(read.id, &read.name, read.created_at, grid);
    Ok(sum.check(row.get(5)?, read.id).map(|()| (read, grid)))
}

/// All namespaces, by name.
pub(crate) fn namespaces(conn: &Connection) -> Result<Vec<NamespaceRow>> {
    let (rows, damage) = sound_namespaces(conn)?;
    damage.map_or(Ok(rows), Err)
}

/// The namespaces whose rows are sound, by name, and what is wrong with the first of the others.
pub(crate) fn sound_namespaces(conn: &Connection) -> Result<(Vec<NamespaceRow>, Option<Error>)> {
    let mut statement = conn.prepare_cached(&format!("{NAMESPACE} ORDER BY name")).map_err(sql)?;
    let rows = statement.query_map([], namespace_row).map_err(sql)?;
    let (mut sound, mut damage) = (Vec::new(), None);
    for row in rows {
        match row.map_err(sql)? {
            Ok((row, _)) => sound.push(row),
            Err(error) => damage = damage.or(Some(error)),
        }
    }
    Ok((sound, damage))
}

pub(crate) fn namespace_by_id(conn: &Connection, id: i64) -> Result<Option<NamespaceRow>> {
    Ok(with_grid(conn, id)?.map(|(row, _)| row))
}

/// A namespace and the width of its grid.
pub(super) fn with_grid(conn: &Connection, id: i64) -> Result<Option<(NamespaceRow, Option<f64>)>> {
    let mut statement = conn.prepare_cached(&format!("{NAMESPACE} WHERE id = ?1")).map_err(sql)?;
    statement.query_row([id], namespace_row).optional().map_err(sql)?.transpose()
}

/// Gives a namespace its grid, or takes it away.
pub(super) fn set_grid(tx: &Tx<'_>, id: i64, width: Option<f64>) -> Result<()> {
    let Some((row, _)) = with_grid(tx.conn, id)? else {
        return Ok(());
    };
    let sum = namespace_sum(id, &row.name, row.created_at, width).finish();
    tx.conn
        .execute("UPDATE namespaces SET grid = ?2, checksum = ?3 WHERE id = ?1", params![id, width, sum])
        .map(drop)
        .map_err(sql)
}

pub(crate) fn namespace_by_name(conn: &Connection, name: &str) -> Result<Option<NamespaceRow>> {
    let mut statement = conn.prepare_cached(&format!("{NAMESPACE} WHERE name = ?1")).map_err(sql)?;
    let row = statement.query_row([name], namespace_row).optional().map_err(sql)?.transpose()?;
    Ok(row.map(|(row, _)| row))
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
    set_sum(tx.conn, "namespaces", id, namespace_sum(id, name, tx.now, None)).map_err(sql)?;
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

fn set_sum(conn: &Connection, table: &str, id: i64, sum: RowSum) -> rusqlite::Result<()> {
    conn.prepare_cached(&format!("UPDATE {table} SET checksum = ?2 WHERE id = ?1"))?
        .execute([id, sum.finish()])
        .map(drop)
}

/// Where to look for a name that an index does not lead to. Kinds are few: the whole table is read. Anybody can bring
/// ever more names of principals: a second index, of which the first knows nothing, leads to them.
fn elsewhere(table: &str) -> String {
    match table {
        "principals" => "principals INDEXED BY principals_again WHERE name || '' = ?1".to_owned(),
        table => format!("{table} NOT INDEXED WHERE name = ?1"),
    }
}

/// Refuses a name that the table has and its index lacks: a flipped bit there hides a row.
fn not_hidden(conn: &Connection, table: &str, name: &str) -> Result<()> {
    let hidden: bool = conn
        .prepare_cached(&format!("SELECT EXISTS(SELECT 1 FROM {})", elsewhere(table)))
        .and_then(|mut s| s.query_row([name], |r| r.get(0)))
        .map_err(sql)?;
    if hidden && !crate::sabotage::on("rows_unchecked") {
        return Err(Error::corrupt(format!("the index of table {table} does not match its rows")));
    }
    Ok(())
}

fn kind_sum(id: i64, name: &str) -> RowSum {
    RowSum::new("kinds").int(id).text(Some(name))
}

fn kind_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<(i64, String)>> {
    let read: (i64, String) = (row.get(0)?, row.get(1)?);
    Ok(kind_sum(read.0, &read.1).check(row.get(2)?, read.0).map(|()| read))
}

/// The number of the kind with this name, which is created if it is missing.
pub(crate) fn intern_kind(tx: &Tx<'_>, name: &str) -> Result<i64> {
    if let Some(id) = kind_by_name(tx.conn, name)? {
        return Ok(id);
    }
    tx.conn.execute("INSERT INTO kinds(name) VALUES (?1)", [name]).map_err(sql)?;
    let id = tx.conn.last_insert_rowid();
    set_sum(tx.conn, "kinds", id, kind_sum(id, name)).map_err(sql)?;
    Ok(id)
}

pub(crate) fn kind_by_name(conn: &Connection, name: &str) -> Result<Option<i64>> {
    let mut statement =
        conn.prepare_cached("SELECT id, name, checksum FROM kinds WHERE name = ?1").map_err(sql)?;
    let row = statement.query_row([name], kind_row).optional().map_err(sql)?.transpose()?;
    if row.is_none() {
        not_hidden(conn, "kinds", name)?;
    }
    Ok(row.map(|(id, _)| id))
}

pub(crate) fn kind_name(conn: &Connection, id: i64) -> Result<String> {
    let mut statement =
        conn.prepare_cached("SELECT id, name, checksum FROM kinds WHERE id = ?1").map_err(sql)?;
    let (_, name) = statement.query_row([id], kind_row).map_err(sql)??;
    Ok(name)
}

/// Somebody who writes or reports under a name, registered or not.
#[derive(Debug, Clone)]
pub(crate) struct PrincipalName {
    pub id: i64,
    pub name: String,
    pub created_at: i64,
    pub registered_at: Option<i64>,
    pub token_hash: Option<Vec<u8>>,
}

impl PrincipalName {
    fn sum(&self) -> RowSum {
        RowSum::new("principals")
            .int(self.id)
            .text(Some(&self.name))
            .int(self.created_at)
            .opt(self.registered_at)
            .blob(self.token_hash.as_deref())
    }

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<Self>> {
        let read = Self {
            id: row.get(0)?,
            name: row.get(1)?,
            created_at: row.get(2)?,
            registered_at: row.get(3)?,
            token_hash: row.get(4)?,
        };
        Ok(read.sum().check(row.get(5)?, read.id).map(|()| read))
    }

    fn one(conn: &Connection, condition: &str, key: impl rusqlite::ToSql) -> Result<Option<Self>> {
        let mut statement = conn.prepare_cached(&format!("{PRINCIPAL} WHERE {condition}")).map_err(sql)?;
        statement.query_row([key], Self::read).optional().map_err(sql)?.transpose()
    }

    pub(crate) fn by_name(conn: &Connection, name: &str) -> Result<Option<Self>> {
        let known = Self::one(conn, "name = ?1", name)?;
        if known.is_none() {
            not_hidden(conn, "principals", name)?;
        }
        Ok(known)
    }

    pub(crate) fn by_id(conn: &Connection, id: i64) -> Result<Option<Self>> {
        Self::one(conn, "id = ?1", id)
    }

    /// Those who meet a condition, by name.
    pub(crate) fn all(conn: &Connection, condition: &str) -> Result<Vec<Self>> {
        let text = format!("{PRINCIPAL} WHERE {condition} ORDER BY name");
        let mut statement = conn.prepare_cached(&text).map_err(sql)?;
        let rows = statement.query_map([], Self::read).map_err(sql)?;
        rows.map(|row| row.map_err(sql)?).collect()
    }

    /// Stores its registration as it is now.
    pub(crate) fn store(&self, tx: &Tx<'_>) -> Result<()> {
        let text = "UPDATE principals SET registered_at = ?2, token_hash = ?3, checksum = ?4 WHERE id = ?1";
        tx.conn
            .execute(text, params![self.id, self.registered_at, self.token_hash, self.sum().finish()])
            .map(drop)
            .map_err(sql)
    }
}

const PRINCIPAL: &str = "SELECT id, name, created_at, registered_at, token_hash, checksum FROM principals";

/// The principal with this name, who is noted if unknown.
pub(crate) fn intern_principal(tx: &Tx<'_>, name: &str) -> Result<PrincipalName> {
    if let Some(known) = PrincipalName::by_name(tx.conn, name)? {
        return Ok(known);
    }
    tx.conn
        .execute("INSERT INTO principals(name, created_at) VALUES (?1, ?2)", params![name, tx.now])
        .map_err(sql)?;
    let new = PrincipalName {
        id: tx.conn.last_insert_rowid(),
        name: name.to_owned(),
        created_at: tx.now,
        registered_at: None,
        token_hash: None,
    };
    new.store(tx)?;
    Ok(new)
}

pub(crate) fn principal_name(conn: &Connection, id: i64) -> Result<String> {
    let known = PrincipalName::by_id(conn, id)?;
    known.map(|known| known.name).ok_or_else(|| Error::corrupt(format!("principal {id} is missing")))
}

/// Checks every name; one sentence for each at fault.
pub(crate) fn check_all(conn: &Connection) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut note = |checked: Result<()>| -> Result<()> {
        match checked {
            Err(Error::Corrupt { what }) => {
                faults.push(what);
                Ok(())
            }
            other => other,
        }
    };
    for (text, read) in [
        (NAMESPACE, (|row| Ok(namespace_row(row)?.map(drop))) as fn(&rusqlite::Row<'_>) -> _),
        ("SELECT id, name, checksum FROM kinds", |row| Ok(kind_row(row)?.map(drop))),
        (PRINCIPAL, |row| Ok(PrincipalName::read(row)?.map(drop))),
    ] {
        let mut statement = conn.prepare(&format!("{text} ORDER BY id")).map_err(sql)?;
        for row in statement.query_map([], read).map_err(sql)? {
            note(row.map_err(sql)?)?;
        }
    }
    Ok(faults)
}

/// Gives the names of older versions their checksums.
pub(super) fn adopt(conn: &Connection) -> rusqlite::Result<()> {
    let mut statement = conn.prepare("SELECT id, name, created_at, grid FROM namespaces")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
        set_sum(conn, "namespaces", id, namespace_sum(id, &name, row.get(2)?, row.get(3)?))?;
    }
    let mut statement = conn.prepare("SELECT id, name FROM kinds")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
        set_sum(conn, "kinds", id, kind_sum(id, &name))?;
    }
    let text = "SELECT id, name, created_at, registered_at, token_hash FROM principals";
    let mut statement = conn.prepare(text)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let known = PrincipalName {
            id: row.get(0)?,
            name: row.get(1)?,
            created_at: row.get(2)?,
            registered_at: row.get(3)?,
            token_hash: row.get(4)?,
        };
        set_sum(conn, "principals", known.id, known.sum())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    fn plan(conn: &Connection, text: &str) -> String {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {text}")).expect("a statement");
        let mut rows = statement.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().expect("a step") {
            steps.push(row.get::<_, String>(3).expect("a text"));
        }
        steps.join("; ")
    }

    /// Whoever is new, and whoever loads a namespace, does not read all the names that were ever given.
    #[test]
    fn names_of_strangers_cost_nobody_a_look_at_all() {
        let conn = Connection::open_in_memory().expect("a database");
        schema::create(&conn).expect("the tables");
        let known = plan(&conn, &format!("{PRINCIPAL} WHERE name = ?1"));
        assert!(known.contains("SEARCH principals USING INDEX"), "{known}");
        let hidden = plan(&conn, &format!("SELECT EXISTS(SELECT 1 FROM {})", elsewhere("principals")));
        assert!(
            hidden.contains("SEARCH principals USING") && hidden.contains("principals_again"),
            "{hidden}"
        );
        assert!(!hidden.contains("SCAN principals"), "{hidden}");
        let registered = plan(&conn, &format!("{PRINCIPAL} WHERE registered_at IS NOT NULL ORDER BY name"));
        assert_eq!(registered, "SCAN principals USING INDEX principals_registered");
    }
}
