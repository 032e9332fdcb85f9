//! Exports: a store as JSON lines.
//!
//! The first line says what it is: version of this format, version of the tables, identity of the store,
//! rows of each table. Then one line for each row, with its table and its columns by name; the last line has
//! their number and XXH3-128 over all bytes before it, so that a cut or changed file is noticed.
//!
//! Numbers, texts and nulls are JSON's own; a blob is `{"base64": ...}`. A memory is one line: its row with
//! content, metadata (as JSON) and vector (base64 of f32, little-endian) as columns. Notes of reports and
//! texts of receipts are texts. Everything else is as it is stored, checksums of rows included. Segments are
//! derived and left out.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};
use crate::vector::Storage;

use super::db::sql;
use super::hex::hex;
use super::identity::{begin_life, meta, storage};
use super::payload::unpack;
use super::tables;
use super::{bound, memories, reports, schema};

/// Version of the format.
const FORMAT: u64 = 1;
/// Keys of `meta` that mean something in one directory only.
const LOCAL: [&str; 2] = ["lineage", "durable_commits"];
/// Tables that are told in the lines of `memories`.
const WITH_MEMORIES: [&str; 2] = ["payloads", "vectors"];
/// Numbers (ids, changes) at least so large were never given out: they would leave no room.
const MOST: i64 = 1 << 60;
/// No line is longer.
const LONGEST: u64 = 1 << 30;

/// Columns that are stored packed, and told as texts.
fn is_packed(table: &str, column: &str) -> bool {
    matches!((table, column), ("reports", "note") | ("receipts", "query_text"))
}

/// Tables whose checksums cover packed texts, and are computed anew.
fn is_summed_anew(table: &str) -> bool {
    matches!(table, "memories" | "reports" | "receipts")
}

/// The tables that have lines of their own, in their order.
fn told(conn: &Connection) -> Result<Vec<String>> {
    let there = tables::travelling(conn)?;
    let order = |name: &String| tables::ALL.iter().position(|table| table.name == name);
    let mut told: Vec<String> =
        there.into_iter().filter(|name| !WITH_MEMORIES.contains(&name.as_str())).collect();
    told.sort_by_key(|name| order(name).unwrap_or(usize::MAX));
    Ok(told)
}

/// Writes everything as `conn` sees it. Returns the number of rows.
pub(crate) fn write(conn: &Connection, out: &mut dyn Write) -> Result<u64> {
    let mut lines = Lines { out, hash: Xxh3::new(), rows: 0 };
    let mut rows = Map::new();
    let told = told(conn)?;
    for table in &told {
        let count: i64 = if table == "meta" {
            let text = "SELECT count(*) FROM meta WHERE key NOT IN (?1, ?2)";
            conn.query_row(text, LOCAL, |r| r.get(0)).map_err(sql)?
        } else {
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0)).map_err(sql)?
        };
        rows.insert(table.clone(), count.into());
    }
    let store_id: Vec<u8> =
        meta(conn, "store_id")?.ok_or_else(|| Error::corrupt("table meta lacks store_id"))?;
    lines.put(&json!({
        "wisen_export": FORMAT,
        "schema": schema::VERSION,
        "store_id": hex(&store_id),
        "dimension": meta::<i64>(conn, "dimension")?,
        "metric": meta::<String>(conn, "metric")?,
        "storage": storage(conn)?.as_str(),
        "model": meta::<String>(conn, "model")?,
        "rows": rows,
    }))?;
    for table in &told {
        let (columns, order) = tables::columns(conn, table)?;
        tables::each_row(conn, table, &columns, &order, |row| {
            let key = row.get_ref(0).map_err(sql)?;
            if table == "meta" && key.as_str().is_ok_and(|key| LOCAL.contains(&key)) {
                return Ok(());
            }
            lines.rows += 1;
            lines.put(&row_to_json(conn, table, &columns, row)?)
        })?;
    }
    let last = json!({ "rows": lines.rows, "checksum": hex(&lines.hash.digest128().to_be_bytes()) });
    lines.put(&last)?;
    Ok(lines.rows)
}

struct Lines<'a> {
    out: &'a mut dyn Write,
    hash: Xxh3,
    rows: u64,
}

impl Lines<'_> {
    fn put(&mut self, line: &Value) -> Result<()> {
        let mut line = line.to_string();
        line.push('\n');
        self.hash.update(line.as_bytes());
        // Whoever knows the file puts its name in.
        self.out.write_all(line.as_bytes()).map_err(Error::io("write", std::path::Path::new("export")))
    }
}

fn row_to_json(conn: &Connection, table: &str, columns: &[String], row: &Row<'_>) -> Result<Value> {
    let mut line = Map::new();
    line.insert("table".to_owned(), table.into());
    for (i, column) in columns.iter().enumerate() {
        if column == "checksum" && is_summed_anew(table) {
            continue;
        }
        let value = match row.get_ref(i).map_err(sql)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => value.into(),
            ValueRef::Real(value) => serde_json::Number::from_f64(value)
                .map(Value::Number)
                .ok_or_else(|| Error::corrupt(format!("table {table} holds the number {value}")))?,
            ValueRef::Text(text) => std::str::from_utf8(text)
                .map_err(|_| Error::corrupt(format!("table {table} holds a text that is not UTF-8")))?
                .into(),
            ValueRef::Blob(blob) if is_packed(table, column) => unpack(blob)?.into(),
            ValueRef::Blob(blob) => json!({ "base64": STANDARD.encode(blob) }),
        };
        line.insert(column.clone(), value);
    }
    if table == "memories" {
        let id: i64 = row.get("id").map_err(sql)?;
        if let Some((content, metadata, _)) = memories::payload(conn, id)? {
            line.insert("content".to_owned(), content.into());
            let metadata = metadata.as_deref().map_or(Ok(Value::Null), serde_json::from_str);
            let metadata =
                metadata.map_err(|_| Error::corrupt(format!("metadata of memory {id} is no JSON")))?;
            line.insert("metadata".to_owned(), metadata);
            if let Some(salt) = memories::salt(conn, id)? {
                line.insert("salt".to_owned(), STANDARD.encode(salt).into());
            }
        }
        if let Some(vector) = memories::vector(conn, id)? {
            let bytes: &[u8] = bytemuck::cast_slice(&vector);
            line.insert("vector".to_owned(), STANDARD.encode(bytes).into());
        }
    }
    Ok(Value::Object(line))
}

/// What the first line says.
pub(crate) struct Head {
    pub dimension: usize,
    pub metric: String,
    pub storage: String,
    pub model: Option<String>,
}

/// The error of a line.
pub(crate) fn bad(line: u64, why: impl Into<String>) -> Error {
    Error::BadImport { line, why: why.into() }
}

/// Reads an export: calls `take` for each row with its line, table and columns. Whatever is wrong with the
/// file is an error that names the line, also if it is noticed only at the end.
pub(crate) fn read(
    mut from: impl BufRead,
    mut begin: impl FnMut(&Head) -> Result<()>,
    mut take: impl FnMut(u64, &str, Map<String, Value>) -> Result<()>,
) -> Result<()> {
    let (mut line, mut hash, mut rows) = (0, Xxh3::new(), 0_u64);
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    let mut promised: Option<Map<String, Value>> = None;
    loop {
        let mut bytes = Vec::new();
        let read = (&mut from).take(LONGEST).read_until(b'\n', &mut bytes);
        let length = read.map_err(Error::io("read", std::path::Path::new("export")))?;
        line += 1;
        if length == 0 {
            return Err(bad(line, "the file ends without its last line: it was cut short"));
        }
        if bytes.pop_if(|last| *last == b'\n').is_none() {
            return Err(bad(line, "the line does not end: the file was cut short, or the line is too long"));
        }
        let parsed = serde_json::from_slice::<Value>(&bytes);
        let Value::Object(mut fields) =
            parsed.map_err(|error| bad(line, format!("it is no JSON: {error}")))?
        else {
            return Err(bad(line, "it is no JSON object"));
        };
        let before = hash.digest128();
        hash.update(&bytes);
        hash.update(b"\n");
        let Some(promised) = &promised else {
            begin(&head(&fields)?)?;
            let Some(Value::Object(counts)) = fields.remove("rows") else {
                return Err(bad(line, "it does not say how many rows follow"));
            };
            promised = Some(counts);
            continue;
        };
        if let Some(Value::String(table)) = fields.remove("table") {
            rows += 1;
            *counts.entry(table.clone()).or_default() += 1;
            take(line, &table, fields)?;
            continue;
        }
        // The last line.
        let checksum = fields.get("checksum").and_then(Value::as_str);
        let (Some(count), Some(checksum)) = (fields.get("rows").and_then(Value::as_u64), checksum) else {
            return Err(bad(line, "it is neither a row of a table nor the last line"));
        };
        if count != rows {
            return Err(bad(line, format!("{count} rows were written, and {rows} are here")));
        }
        let told = |table: &String| promised.get(table).and_then(Value::as_i64).unwrap_or(0);
        for table in promised.keys().chain(counts.keys()) {
            if told(table) != counts.get(table).copied().unwrap_or(0) {
                return Err(bad(line, format!("the first line tells of another number of rows of {table}")));
            }
        }
        if checksum != hex(&before.to_be_bytes()) && !crate::sabotage::on("imports_unchecked") {
            return Err(bad(line, "the checksum is another one: a line before it was changed"));
        }
        let mut rest = [0; 1];
        return match from.read(&mut rest) {
            Ok(0) => Ok(()),
            Ok(_) => Err(bad(line + 1, "the export ended with the line before")),
            Err(error) => Err(Error::io("read", std::path::Path::new("export"))(error)),
        };
    }
}

fn head(fields: &Map<String, Value>) -> Result<Head> {
    let number = |name: &str| fields.get(name).and_then(Value::as_u64);
    match number("wisen_export") {
        Some(FORMAT) => {}
        Some(other) => return Err(bad(1, format!("it has format {other}, and this library reads {FORMAT}"))),
        None => return Err(bad(1, "it is no export of Wisen")),
    }
    match number("schema") {
        Some(version) if version <= schema::VERSION.cast_unsigned() => {}
        Some(newer) => {
            let known = schema::VERSION;
            return Err(bad(
                1,
                format!(
                    "its tables have version {newer}, this library knows up to {known}: use a newer Wisen"
                ),
            ));
        }
        None => return Err(bad(1, "it does not say which version its tables have")),
    }
    let dimension = number("dimension").and_then(|n| usize::try_from(n).ok());
    let metric = fields.get("metric").and_then(Value::as_str);
    match (dimension, metric) {
        (Some(dimension), Some(metric)) => {
            // Exports from before there was a choice do not say.
            let storage = fields.get("storage").map_or(Some(Storage::default().as_str()), Value::as_str);
            let storage = storage.ok_or_else(|| bad(1, "its storage is no name"))?.to_owned();
            let model = fields.get("model").and_then(Value::as_str).map(str::to_owned);
            Ok(Head { dimension, metric: metric.to_owned(), storage, model })
        }
        _ => Err(bad(1, "it lacks the dimension or the metric of the vectors")),
    }
}

/// The vector in a column of a line.
pub(crate) fn vector_of(line: u64, value: Option<Value>) -> Result<Vec<f32>> {
    let Some(Value::String(text)) = value else {
        return Err(bad(line, "its vector is missing"));
    };
    let bytes = STANDARD.decode(text).map_err(|error| bad(line, format!("its vector: {error}")))?;
    memories::decode(&bytes).map_err(|_| bad(line, "its vector is cut short"))
}

/// Metadata of a line as stored text.
pub(crate) fn metadata_of(line: u64, value: Option<Value>) -> Result<Option<String>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(Value::Object(object).to_string())),
        Some(_) => Err(bad(line, "its metadata is no JSON object")),
    }
}

/// Puts rows into new tables.
pub(crate) struct Import<'a> {
    conn: &'a Connection,
    columns: BTreeMap<String, Vec<String>>,
}

impl<'a> Import<'a> {
    /// Creates the tables. The caller ends the transaction.
    pub(crate) fn begin(conn: &'a Connection) -> Result<Self> {
        conn.execute_batch("BEGIN").map_err(sql)?;
        schema::create(conn).map_err(sql)?;
        let mut columns = BTreeMap::new();
        for table in told(conn)? {
            columns.insert(table.clone(), tables::columns(conn, &table)?.0);
        }
        Ok(Self { conn, columns })
    }

    /// Puts one row in.
    pub(crate) fn row(
        &self,
        line: u64,
        table: &str,
        mut fields: Map<String, Value>,
        storage: Storage,
    ) -> Result<()> {
        let known = self.columns.get(table).ok_or_else(|| bad(line, format!("there is no table {table}")))?;
        if table == "memories" {
            self.belongings(line, &mut fields, storage)?;
            let id = fields.get("id").and_then(Value::as_i64).unwrap_or_default();
            if fields.get("shuffle").and_then(Value::as_i64) != Some(schema::shuffle(id)) {
                return Err(bad(line, "its shuffle is not the one of its number"));
            }
        }
        if table == "sqlite_sequence" {
            // SQLite has begun one of its own.
            let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
            self.conn.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [name]).map_err(sql)?;
        }
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (column, value) in fields {
            if !known.contains(&column) {
                return Err(bad(line, format!("table {table} has no column {column}")));
            }
            values.push(to_sql(line, table, &column, value)?);
            names.push(column);
        }
        if is_summed_anew(table) {
            names.push("checksum".to_owned());
            values.push(Sql::Integer(0));
        }
        let places: Vec<String> = (1..=names.len()).map(|i| format!("?{i}")).collect();
        let text = format!("INSERT INTO {table}({}) VALUES ({})", names.join(", "), places.join(", "));
        self.conn
            .prepare_cached(&text)
            .and_then(|mut s| s.execute(params_from_iter(values)))
            .map(|_| ())
            .map_err(|error| refused(line, table, error))
    }

    /// Content, metadata and vector of a memory, which have tables of their own.
    fn belongings(&self, line: u64, fields: &mut Map<String, Value>, storage: Storage) -> Result<()> {
        let id = fields.get("id").and_then(Value::as_i64);
        let id = id.ok_or_else(|| bad(line, "a memory without a number"))?;
        let (content, metadata) = (fields.remove("content"), fields.remove("metadata"));
        let vector = fields.remove("vector");
        if let Some(content) = content {
            let Value::String(content) = content else {
                return Err(bad(line, "its content is no text"));
            };
            let metadata = metadata_of(line, metadata)?;
            let salt = match fields.remove("salt") {
                None => None,
                Some(Value::String(text)) => {
                    let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                    Some(bytes.ok_or_else(|| bad(line, "its salt is none"))?)
                }
                Some(_) => return Err(bad(line, "its salt is none")),
            };
            memories::insert_payload(self.conn, id, &content, metadata.as_deref(), salt)
                .map_err(|error| within(line, error))?;
        }
        if vector.is_some() {
            let vector = vector_of(line, vector)?;
            memories::insert_vector(self.conn, storage, id, &vector).map_err(|error| within(line, error))?;
        }
        Ok(())
    }

    /// Ends the transaction: checksums that were left out, and another life of the store.
    pub(crate) fn finish(self, last: u64) -> Result<()> {
        let conn = self.conn;
        let largest: i64 = conn
            .query_row(
                "SELECT max(ifnull((SELECT max(seq) FROM changes), 0), ifnull((SELECT max(seq) FROM sqlite_sequence), 0))",
                [],
                |r| r.get(0),
            )
            .map_err(|error| refused(last, "sqlite_sequence", error))?;
        if largest >= MOST {
            return Err(bad(last, format!("the number {largest} was never given out")));
        }
        let mut statement = conn.prepare("SELECT name, seq FROM sqlite_sequence").map_err(sql)?;
        let rows = statement.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)));
        for row in rows.map_err(sql)? {
            let (table, seq) = row.map_err(|error| refused(last, "sqlite_sequence", error))?;
            if !self.columns.contains_key(&table) {
                return Err(bad(last, format!("table sqlite_sequence names {table}, which there is not")));
            }
            let text = format!("SELECT ifnull(max(rowid), 0) FROM {table}");
            if conn.query_row(&text, [], |r| r.get::<_, i64>(0)).map_err(sql)? > seq {
                return Err(bad(last, format!("table {table} holds numbers above the last one given out")));
            }
        }
        drop(statement);
        memories::sum_anew(conn)
            .and_then(|()| reports::sum_anew(conn))
            .and_then(|()| bound::sum_anew(conn))
            .map_err(|error| within(last, error))?;
        begin_life(conn)?;
        conn.execute_batch("COMMIT").map_err(sql)
    }
}

fn to_sql(line: u64, table: &str, column: &str, value: Value) -> Result<Sql> {
    Ok(match value {
        Value::Null => Sql::Null,
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Sql::Integer(whole),
            (None, Some(real)) if number.is_f64() => Sql::Real(real),
            _ => return Err(bad(line, format!("the number {number} is too large"))),
        },
        Value::String(text) if is_packed(table, column) => Sql::Blob(super::payload::pack(&text)),
        Value::String(text) => Sql::Text(text),
        Value::Object(object) => match object.get("base64").and_then(Value::as_str) {
            Some(text) if object.len() == 1 => {
                Sql::Blob(STANDARD.decode(text).map_err(|error| bad(line, format!("its {column}: {error}")))?)
            }
            _ => return Err(bad(line, format!("its {column} is an object other than a blob in base64"))),
        },
        Value::Bool(_) | Value::Array(_) => {
            return Err(bad(line, format!("its {column} is neither a number nor a text nor a blob")));
        }
    })
}

/// What SQLite says of a row that cannot be: it is the fault of the line.
fn refused(line: u64, table: &str, error: rusqlite::Error) -> Error {
    match error {
        rusqlite::Error::SqliteFailure(code, ref message)
            if matches!(
                code.code,
                rusqlite::ErrorCode::ConstraintViolation
                    | rusqlite::ErrorCode::TypeMismatch
                    | rusqlite::ErrorCode::TooBig
            ) =>
        {
            bad(line, format!("table {table} cannot hold it: {}", message.clone().unwrap_or_default()))
        }
        other => within(line, sql(other)),
    }
}

/// An error in what was read is the fault of the line; one of the system is not.
pub(crate) fn within(line: u64, error: Error) -> Error {
    match error {
        Error::Corrupt { what } | Error::Internal { what } => bad(line, what),
        error @ (Error::WrongDimension { .. }
        | Error::NotFinite { .. }
        | Error::ZeroVector
        | Error::InvalidArgument { .. }
        | Error::KeyConflict { .. }) => bad(line, error.to_string()),
        Error::Row { source, .. } => within(line, *source),
        other => other,
    }
}
