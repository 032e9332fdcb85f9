//! What a forger does who has read the source: nothing here is secret.
#![allow(dead_code, reason = "not every test forges everything")]

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value, json};

/// Puts the checksums of the rules right, as somebody who has read the source would: they are no secret.
pub fn refresh_checksums(store: &Path) {
    let conn = Connection::open(store.join("memory.db")).unwrap();
    for (table, key, columns) in [
        ("directives", "id", "id, at, text, signer, signature"),
        ("facts", "name", "name, value, at, until"),
        ("overrides", "id", "id, at, directive, reason, until, signer, signature"),
        ("authorities", "id", "id, at, act, name, key, recovery, reason, signer, signature"),
        ("guard", "id", "level, since, by, reason, halts, cleared, settled, resumed_at, audit, triggers"),
        ("principals", "id", "id, name, created_at, registered_at, token_hash"),
        ("audit", "id", "id, at, actor, op, namespace, ref, detail"),
    ] {
        let mut statement = match conn.prepare(&format!("SELECT {columns}, {key} FROM {table}")) {
            // Taken away by the forger.
            Err(error) if error.to_string().contains("no such table") => continue,
            statement => statement.unwrap(),
        };
        let width = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut sums = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let mut bytes = table.as_bytes().to_vec();
            for column in 0..width - 1 {
                match row.get_ref(column).unwrap() {
                    ValueRef::Integer(n) => {
                        bytes.push(b'i');
                        bytes.extend(n.to_le_bytes());
                    }
                    ValueRef::Null => bytes.push(b'n'),
                    value => {
                        let value = value.as_bytes().unwrap();
                        bytes.push(b'b');
                        bytes.extend((value.len() as u64).to_le_bytes());
                        bytes.extend(value);
                    }
                }
            }
            let id: rusqlite::types::Value = row.get(width - 1).unwrap();
            sums.push((id, xxhash_rust::xxh3::xxh3_64(&bytes).cast_signed()));
        }
        for (id, sum) in sums {
            let text = format!("UPDATE {table} SET checksum = ?2 WHERE {key} = ?1 AND checksum <> ?2");
            conn.execute(&text, rusqlite::params![id, sum]).unwrap();
        }
    }
}

/// The lines of an export, those of some tables made anew from a database, and sealed as an export is.
pub fn lines(export: &str, conn: &Connection, tables: &[&str]) -> String {
    let mut lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.pop();
    let mut head = lines.remove(0);
    for table in tables {
        let there = |line: &Value| line["table"] == *table;
        let at = lines.iter().position(there).unwrap_or(lines.len());
        lines.retain(|line| !there(line));
        let rows = rows(conn, table);
        head["rows"][*table] = rows.len().into();
        lines.splice(at..at, rows);
    }
    let mut text = String::new();
    for line in [head].iter().chain(&lines) {
        writeln!(text, "{line}").unwrap();
    }
    let sum = xxhash_rust::xxh3::xxh3_128(text.as_bytes());
    let last = json!({ "rows": lines.len(), "checksum": format!("{sum:032x}") });
    writeln!(text, "{last}").unwrap();
    text
}

/// The rows of a table as lines.
fn rows(conn: &Connection, table: &str) -> Vec<Value> {
    // These two are of one directory.
    let which = if table == "meta" { "WHERE key NOT IN ('lineage', 'durable_commits')" } else { "" };
    let mut statement = conn.prepare(&format!("SELECT * FROM {table} {which}")).unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let mut line = Map::new();
        line.insert("table".to_owned(), table.into());
        for (i, name) in names.iter().enumerate() {
            let value = match row.get_ref(i).unwrap() {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(n) => n.into(),
                ValueRef::Real(x) => x.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                ValueRef::Blob(blob) => json!({ "base64": base64(blob) }),
            };
            line.insert(name.clone(), value);
        }
        lines.push(Value::Object(line));
    }
    lines
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|three| {
            let bits = three
                .iter()
                .chain([0, 0].iter())
                .take(3)
                .fold(0_usize, |bits, b| bits << 8 | usize::from(*b));
            let letter = move |i: usize| LETTERS[bits >> (18 - 6 * i) & 63] as char;
            (0..4).map(move |i| if i <= three.len() { letter(i) } else { '=' })
        })
        .collect()
}
