//! All tables of `memory.db`: what of each is backed up and exported, how its rows refer to others, and
//! where erasure has to look. A table that is in no list here fails a test below.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use xxhash_rust::xxh3::Xxh3;

use crate::error::Result;

use super::db::sql;
use super::hex::hex;

/// A table.
pub(crate) struct Table {
    pub name: &'static str,
    /// Whether its rows mean something in another directory. What does not is neither backed up nor
    /// exported.
    pub travels: bool,
    /// What of a memory it may hold.
    pub holds: Holds,
    /// What its rows refer to.
    pub refers: &'static [Reference],
}

/// What a table may hold of the words and vectors of a memory, and who erases it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Numbers, and names given by the owner.
    Nothing,
    /// Rows of one memory, named by this column: they go with it.
    Memory(&'static str),
    /// `erase.rs` knows how to look into it.
    Known,
    /// Words of the owner about decisions. They stay: entries are never changed.
    Decisions,
}

/// A column, the table and column it refers to, and which rows do.
pub(crate) type Reference = (&'static str, &'static str, &'static str, &'static str);

const fn table(name: &'static str, holds: Holds, refers: &'static [Reference]) -> Table {
    Table { name, travels: true, holds, refers }
}

/// Every table, each after those it refers to.
pub(crate) const ALL: &[Table] = &[
    table("meta", Holds::Nothing, &[]),
    table("namespaces", Holds::Nothing, &[]),
    table("kinds", Holds::Nothing, &[]),
    table("principals", Holds::Nothing, &[]),
    table(
        "memories",
        Holds::Known,
        &[
            ("namespace", "namespaces", "id", "status <> 2"),
            ("kind", "kinds", "id", "1"),
            ("author", "principals", "id", "1"),
            ("superseded_by", "memories", "id", "1"),
        ],
    ),
    table("payloads", Holds::Memory("memory"), &[("memory", "memories", "id", "1")]),
    table("vectors", Holds::Memory("memory"), &[("memory", "memories", "id", "1")]),
    table("fields", Holds::Nothing, &[]),
    table(
        "field_values",
        Holds::Memory("memory"),
        &[("field", "fields", "id", "1"), ("memory", "memories", "id", "1")],
    ),
    table("situations", Holds::Known, &[]),
    table("receipts", Holds::Known, &[("situation", "situations", "id", "1")]),
    table("further_namespaces", Holds::Nothing, &[("receipt", "receipts", "id", "1")]),
    table(
        "reports",
        Holds::Known,
        &[("situation", "situations", "id", "1"), ("reporter", "principals", "id", "1")],
    ),
    table(
        "experiences",
        Holds::Known,
        &[
            ("report", "reports", "id", "1"),
            ("memory", "memories", "id", "1"),
            ("situation", "situations", "id", "1"),
        ],
    ),
    table(
        "cells",
        Holds::Nothing,
        &[("memory", "memories", "id", "1"), ("situation", "situations", "id", "1")],
    ),
    table("lots", Holds::Nothing, &[("cell", "cells", "id", "1")]),
    table("judgements", Holds::Nothing, &[]),
    table("reliabilities", Holds::Nothing, &[]),
    table("half_lives", Holds::Nothing, &[("kind", "kinds", "id", "1")]),
    table("calibrators", Holds::Nothing, &[]),
    table("forecasts", Holds::Nothing, &[]),
    table("policies", Holds::Decisions, &[("namespace", "namespaces", "id", "1")]),
    table(
        "standings",
        Holds::Memory("memory"),
        &[("memory", "memories", "id", "1"), ("namespace", "namespaces", "id", "1")],
    ),
    table("trials", Holds::Memory("memory"), &[("memory", "standings", "memory", "1")]),
    table(
        "aliases",
        Holds::Nothing,
        &[("memory", "memories", "id", "1"), ("survivor", "memories", "id", "1")],
    ),
    table("origins", Holds::Memory("memory"), &[("memory", "memories", "id", "1")]),
    table("guard", Holds::Decisions, &[]),
    table("spending", Holds::Nothing, &[]),
    table("audit", Holds::Decisions, &[]),
    table("authorities", Holds::Decisions, &[]),
    table("directives", Holds::Decisions, &[]),
    table("overrides", Holds::Decisions, &[]),
    table("facts", Holds::Decisions, &[]),
    table("rules_head", Holds::Nothing, &[]),
    // Counts what this database has seen done to the rules.
    Table { name: "rules_tick", travels: false, holds: Holds::Nothing, refers: &[] },
    table("changes", Holds::Nothing, &[]),
    // Files of this directory.
    Table { name: "segments", travels: false, holds: Holds::Nothing, refers: &[] },
    // SQLite's own: the numbers given out so far.
    table("sqlite_sequence", Holds::Nothing, &[]),
];

/// The tables in a database whose rows mean something elsewhere, by name.
pub(crate) fn travelling(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table'
               AND (name NOT LIKE 'sqlite_%' OR name = 'sqlite_sequence') ORDER BY name",
        )
        .map_err(sql)?;
    let names = statement.query_map([], |r| r.get::<_, String>(0)).map_err(sql)?;
    let mut names: Vec<String> = names.collect::<rusqlite::Result<_>>().map_err(sql)?;
    names.retain(|name| ALL.iter().all(|table| table.name != name || table.travels));
    Ok(names)
}

/// The columns of a table, and after these the expression by which its rows are put in order.
pub(crate) fn columns(conn: &Connection, table: &str) -> Result<(Vec<String>, String)> {
    let mut statement =
        conn.prepare_cached("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid").map_err(sql)?;
    let rows =
        statement.query_map([table], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?))).map_err(sql)?;
    let columns: Vec<(String, i64)> = rows.collect::<rusqlite::Result<_>>().map_err(sql)?;
    let mut key: Vec<&(String, i64)> = columns.iter().filter(|(_, pk)| *pk > 0).collect();
    key.sort_by_key(|(_, pk)| *pk);
    let order: Vec<&str> = key.iter().map(|(name, _)| name.as_str()).collect();
    let order = match order.as_slice() {
        [] => columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
        names => names.join(", "),
    };
    Ok((columns.into_iter().map(|(name, _)| name).collect(), order))
}

/// Calls `take` for each row of a table, in the order of its key, with the columns in their order.
pub(crate) fn each_row(
    conn: &Connection,
    table: &str,
    columns: &[String],
    order: &str,
    mut take: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let text = format!("SELECT {} FROM {table} ORDER BY {order}", columns.join(", "));
    let mut statement = conn.prepare(&text).map_err(sql)?;
    let mut rows = statement.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        take(row)?;
    }
    Ok(())
}

/// A hash over everything in a table, but the rows of `meta` with these keys: XXH3-128 of the names of its
/// columns and all values in the order of its key, each with its type and length.
pub(crate) fn digest(conn: &Connection, table: &str, without: &[&str]) -> Result<String> {
    let (columns, order) = columns(conn, table)?;
    let mut hash = Xxh3::new();
    let mut feed = |kind: u8, bytes: &[u8]| {
        hash.update(&[kind]);
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for column in &columns {
        feed(b'c', column.as_bytes());
    }
    each_row(conn, table, &columns, &order, |row| {
        let is_meta = table == "meta";
        if is_meta && row.get_ref(0).map_err(sql)?.as_str().is_ok_and(|key| without.contains(&key)) {
            return Ok(());
        }
        for i in 0..columns.len() {
            match row.get_ref(i).map_err(sql)? {
                ValueRef::Null => feed(b'n', &[]),
                ValueRef::Integer(value) => feed(b'i', &value.to_le_bytes()),
                ValueRef::Real(value) => feed(b'r', &value.to_bits().to_le_bytes()),
                ValueRef::Text(text) => feed(b't', text),
                ValueRef::Blob(blob) => feed(b'b', blob),
            }
        }
        Ok(())
    })?;
    Ok(hex(&hash.digest128().to_be_bytes()))
}

/// Checks that no row has a number that is never given out: everything counts from 1, and 0 means the owner, or none. One
/// sentence for each table at fault.
pub(crate) fn check_numbers(conn: &Connection) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for table in ["namespaces", "kinds", "principals", "memories", "situations", "reports", "cells"] {
        let least = format!("SELECT min(id) FROM {table}");
        let least: Option<i64> = conn.query_row(&least, [], |r| r.get(0)).map_err(sql)?;
        if let Some(least) = least.filter(|least| *least < 1 && !crate::sabotage::on("any_number")) {
            faults.push(format!("row {least} of table {table} has a number that is never given out"));
        }
    }
    Ok(faults)
}

/// Checks that whatever a row refers to is there. One sentence for each row at fault, at most `most`.
pub(crate) fn check_references(conn: &Connection, most: usize) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for table in ALL {
        for (column, other, key, which) in table.refers {
            let (_, order) = columns(conn, table.name)?;
            let first = order.split(", ").next().unwrap_or("rowid").to_owned();
            let text = format!(
                "SELECT CASE typeof({first}) WHEN 'blob' THEN hex({first}) ELSE CAST({first} AS TEXT) END,
                   CAST({column} AS TEXT) FROM {name} AS one
                 WHERE {which} AND {column} IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM {other} WHERE {other}.{key} = one.{column})
                 ORDER BY 1 LIMIT ?1",
                name = table.name,
            );
            let mut statement = conn.prepare(&text).map_err(sql)?;
            let rows = statement
                .query_map([most.saturating_sub(faults.len()) as i64], |r| {
                    Ok((r.get::<_, Option<String>>(0)?, r.get::<_, Option<String>>(1)?))
                })
                .map_err(sql)?;
            for row in rows {
                let (row, value) = row.map_err(sql)?;
                let (row, value) = (row.unwrap_or_default(), value.unwrap_or_default());
                faults.push(format!(
                    "row {row} of table {name}: its {column} {value} is not in table {other}",
                    name = table.name
                ));
            }
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    /// A new table has to be put into the list, which asks whether it travels, what it holds of memories
    /// and what it refers to: so backups, exports, erasure and `verify` cannot miss it.
    #[test]
    fn every_table_is_in_the_list() {
        let conn = Connection::open_in_memory().expect("a database");
        schema::create(&conn).expect("the tables");
        let mut statement = conn
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_stat%'")
            .expect("a statement");
        let names = statement.query_map([], |r| r.get::<_, String>(0)).expect("names");
        let mut there: Vec<String> = names.collect::<rusqlite::Result<_>>().expect("names");
        let mut listed: Vec<String> = ALL.iter().map(|table| table.name.to_owned()).collect();
        there.sort();
        listed.sort();
        assert_eq!(there, listed);
    }

    #[test]
    fn what_is_listed_is_there() {
        let conn = Connection::open_in_memory().expect("a database");
        schema::create(&conn).expect("the tables");
        assert_eq!(check_references(&conn, 10).expect("all columns are there"), Vec::<String>::new());
        for table in ALL {
            if let Holds::Memory(column) = table.holds {
                let (columns, _) = columns(&conn, table.name).expect("columns");
                assert!(columns.iter().any(|name| name == column), "{}", table.name);
            }
        }
    }

    #[test]
    fn a_digest_sees_every_value() {
        let conn = Connection::open_in_memory().expect("a database");
        schema::create(&conn).expect("the tables");
        let digest = || digest(&conn, "meta", &["backup"]).expect("a digest");
        let mut seen = vec![digest()];
        for statement in [
            "INSERT INTO meta VALUES ('a', 1)",
            "UPDATE meta SET value = 1.0",
            "UPDATE meta SET value = '1'",
            "UPDATE meta SET value = x'31'",
            "UPDATE meta SET key = 'b'",
        ] {
            conn.execute_batch(statement).expect("runs");
            assert!(!seen.contains(&digest()), "{statement}");
            seen.push(digest());
        }
        conn.execute_batch("INSERT INTO meta VALUES ('backup', 'x')").expect("runs");
        assert_eq!(seen.last(), Some(&digest()));
    }
}
