//! Declared fields of the metadata, and which memories a filter lets through.
//!
//! The values of a declared field are kept in a table of their own, derived from the payloads: one row for
//! each scalar that a memory holds there. Filters become bound SQL over it.

use std::fmt::Write as _;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::filter::{FieldTest, Filter, Scalar, Span, Test};

use super::changes::Op;
use super::db::{Tx, sql};
use super::memories;
use super::names::{self, PrincipalName};

/// What version 3 of the schema adds. `value` has no affinity: it keeps the type it is given.
pub(super) const TABLES: &str = "
CREATE TABLE fields(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE field_values(
  field INTEGER NOT NULL, value NOT NULL, memory INTEGER NOT NULL, PRIMARY KEY (field, value, memory)) WITHOUT ROWID;
CREATE INDEX field_values_memory ON field_values(memory);
";

/// Names of the declared fields, in order.
pub(crate) fn names(conn: &Connection) -> Result<Vec<String>> {
    Ok(all(conn)?.into_iter().map(|(_, name)| name).collect())
}

fn all(conn: &Connection) -> Result<Vec<(i64, String)>> {
    let mut statement = conn.prepare_cached("SELECT id, name FROM fields ORDER BY name").map_err(sql)?;
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).map_err(sql)?;
    rows.map(|row| row.map_err(sql)).collect()
}

/// Declares a field and takes in what the memories hold there. Returns whether it was not declared before.
pub(crate) fn declare(tx: &mut Tx<'_>, name: &str) -> Result<bool> {
    if names(tx.conn)?.iter().any(|known| known == name) {
        return Ok(false);
    }
    tx.conn.execute("INSERT INTO fields(name) VALUES (?1)", [name]).map_err(sql)?;
    let field = tx.conn.last_insert_rowid();
    // Merged ones too: they may come back.
    for memory in memories::unforgotten(tx.conn)? {
        if let Some((_, Some(metadata), _)) = memories::payload(tx.conn, memory)? {
            insert(tx.conn, field, memory, &values(&metadata, name)?)?;
        }
    }
    tx.change(Op::FieldsChanged, 0, field)?;
    Ok(true)
}

/// Takes a declaration back. Returns whether there was one.
pub(crate) fn drop(tx: &mut Tx<'_>, name: &str) -> Result<bool> {
    let Some((field, _)) = all(tx.conn)?.into_iter().find(|(_, known)| known == name) else {
        return Ok(false);
    };
    for text in ["DELETE FROM field_values WHERE field = ?1", "DELETE FROM fields WHERE id = ?1"] {
        tx.conn.execute(text, [field]).map_err(sql)?;
    }
    tx.change(Op::FieldsChanged, 0, field)?;
    Ok(true)
}

/// Takes in what a memory holds in the declared fields, in place of what it held.
pub(super) fn put(conn: &Connection, memory: i64, metadata: Option<&str>) -> Result<()> {
    let fields = all(conn)?;
    if fields.is_empty() {
        return Ok(());
    }
    forget(conn, memory)?;
    if let Some(metadata) = metadata {
        for (field, name) in &fields {
            insert(conn, *field, memory, &values(metadata, name)?)?;
        }
    }
    Ok(())
}

/// Deletes what a memory held.
pub(super) fn forget(conn: &Connection, memory: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM field_values WHERE memory = ?1")
        .and_then(|mut s| s.execute([memory]))
        .map(|_| ())
        .map_err(sql)
}

fn insert(conn: &Connection, field: i64, memory: i64, values: &[Sql]) -> Result<()> {
    for value in values {
        conn.prepare_cached("INSERT OR IGNORE INTO field_values(field, value, memory) VALUES (?1, ?2, ?3)")
            .and_then(|mut s| s.execute(params![field, value, memory]))
            .map_err(sql)?;
    }
    Ok(())
}

/// The scalars that metadata holds in a field: at its name, or at the path that its name is (`a.b`). Of a list,
/// its elements, each once, numbers by what they are worth; nothing of an object or null.
fn values(metadata: &str, name: &str) -> Result<Vec<Sql>> {
    let metadata: Value = serde_json::from_str(metadata)
        .map_err(|error| Error::corrupt(format!("stored metadata is no JSON: {error}")))?;
    let found =
        metadata.get(name).or_else(|| name.split('.').try_fold(&metadata, |inner, part| inner.get(part)));
    let of = |value: &Value| match value {
        Value::Bool(value) => Some(stored(&Scalar::Bool(*value))),
        Value::Number(number) => {
            let real = || number.as_f64().map(Scalar::Real);
            number.as_i64().map(Scalar::Integer).or_else(real).as_ref().map(stored)
        }
        Value::String(text) => Some(Sql::Text(text.clone())),
        _ => None,
    };
    let mut values: Vec<Sql> = Vec::new();
    match found {
        Some(Value::Array(list)) => {
            for value in list.iter().filter_map(of) {
                if !values.iter().any(|other| same(other, &value)) {
                    values.push(value);
                }
            }
        }
        Some(value) => values.extend(of(value)),
        None => {}
    }
    Ok(values)
}

/// Whether SQLite takes two values for one.
fn same(a: &Sql, b: &Sql) -> bool {
    match (a, b) {
        (Sql::Integer(whole), Sql::Real(real)) | (Sql::Real(real), Sql::Integer(whole)) => {
            // Exact: a whole number that f64 cannot hold equals none. Adding 0 makes -0 one.
            (*real + 0.0).to_bits() == (*whole as f64).to_bits() && *real as i128 == i128::from(*whole)
        }
        _ => a == b,
    }
}

/// A value as SQLite keeps it. True and false are blobs, so that they equal no number.
fn stored(value: &Scalar) -> Sql {
    match value {
        Scalar::Bool(value) => Sql::Blob(vec![u8::from(*value)]),
        Scalar::Integer(value) => Sql::Integer(*value),
        Scalar::Real(value) => Sql::Real(*value),
        Scalar::Text(value) => Sql::Text(value.clone()),
    }
}

/// A filter as SQL: a condition on a row of `memories`, and the values it is bound to.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    text: String,
    values: Vec<Sql>,
}

impl Condition {
    /// The memories of a kind.
    pub(crate) fn kind(kind: i64) -> Self {
        Self { text: "kind = ?".to_owned(), values: vec![Sql::Integer(kind)] }
    }

    /// Fails where a field is not declared.
    pub(crate) fn of(conn: &Connection, filter: &Filter) -> Result<Self> {
        filter.check()?;
        let mut condition = Self { text: String::new(), values: Vec::new() };
        condition.add(conn, &all(conn)?, filter)?;
        Ok(condition)
    }

    fn bind(&mut self, text: &str, value: Sql) {
        self.text.push_str(text);
        self.values.push(value);
    }

    /// Every condition is true or false, never null.
    fn add(&mut self, conn: &Connection, fields: &[(i64, String)], filter: &Filter) -> Result<()> {
        match filter {
            Filter::Kind(name) => {
                match names::kind_by_name(conn, name)? {
                    Some(kind) => self.bind("kind = ?", Sql::Integer(kind)),
                    // It may come to be while the condition is kept.
                    None => self.bind(
                        "ifnull(kind = (SELECT id FROM kinds WHERE name = ?), 0)",
                        Sql::Text(name.clone()),
                    ),
                }
            }
            Filter::Author(name) => {
                if let Some(known) = PrincipalName::by_name(conn, name)? {
                    self.bind("ifnull(author = ?, 0)", Sql::Integer(known.id));
                } else {
                    let text = "ifnull(author = (SELECT id FROM principals WHERE name = ?), 0)";
                    self.bind(text, Sql::Text(name.clone()));
                }
            }
            Filter::Created(Span { from, before }) => {
                self.bind("(created_at >= ?", Sql::Integer(from.unwrap_or(i64::MIN)));
                match before {
                    Some(before) => self.bind(" AND created_at < ?)", Sql::Integer(*before)),
                    None => self.text.push(')'),
                }
            }
            Filter::Field(FieldTest { name, test }) => {
                let Some((field, _)) = fields.iter().find(|(_, known)| known == name) else {
                    let why = format!("field {name:?} is not declared: call declare_field({name:?}) first");
                    return Err(Error::invalid("filter", why));
                };
                self.field(*field, test);
            }
            Filter::All(parts) => self.join(conn, fields, parts, " AND ", "1")?,
            Filter::Any(parts) => self.join(conn, fields, parts, " OR ", "0")?,
            Filter::Not(part) => {
                self.text.push_str("NOT ");
                self.join(conn, fields, std::slice::from_ref(part), "", "")?;
            }
        }
        Ok(())
    }

    fn join(
        &mut self,
        conn: &Connection,
        fields: &[(i64, String)],
        parts: &[Filter],
        by: &str,
        none: &str,
    ) -> Result<()> {
        self.text.push('(');
        if parts.is_empty() {
            self.text.push_str(none);
        }
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.text.push_str(by);
            }
            self.add(conn, fields, part)?;
        }
        self.text.push(')');
        Ok(())
    }

    fn field(&mut self, field: i64, test: &Test) {
        let not = if matches!(test, Test::Exists(false)) { "NOT " } else { "" };
        // Formatting into a string cannot fail.
        let _ = write!(self.text, "id {not}IN (SELECT memory FROM field_values WHERE field = {field}");
        match test {
            Test::Equals(value) => self.bind(" AND value = ?", stored(value)),
            Test::OneOf(values) => {
                let places = vec!["?"; values.len()].join(", ");
                let _ = write!(self.text, " AND value IN ({places})");
                self.values.extend(values.iter().map(stored));
            }
            Test::Range { from, to } => {
                // SQLite orders numbers before text before blobs: each end keeps to its own type.
                for (end, by) in [(from, ">="), (to, "<=")] {
                    if let Some(end) = end {
                        self.bind(&format!(" AND value {by} ?"), stored(end));
                        let types = match end {
                            Scalar::Bool(_) => "'blob'",
                            Scalar::Integer(_) | Scalar::Real(_) => "'integer', 'real'",
                            Scalar::Text(_) => "'text'",
                        };
                        let _ = write!(self.text, " AND typeof(value) IN ({types})");
                    }
                }
            }
            Test::Exists(_) => {}
        }
        self.text.push(')');
    }

    /// The live memories of a namespace that it lets through.
    pub(crate) fn select(&self, conn: &Connection, namespace: i64) -> Result<Vec<u64>> {
        let text = format!(
            "SELECT id FROM memories WHERE {} AND namespace = ? AND status < 2 AND status = 0",
            self.text
        );
        let values = self.values.iter().cloned().chain([Sql::Integer(namespace)]);
        let mut statement = conn.prepare_cached(&text).map_err(sql)?;
        let rows = statement.query_map(params_from_iter(values), |r| r.get::<_, i64>(0)).map_err(sql)?;
        rows.map(|row| row.map(i64::cast_unsigned).map_err(sql)).collect()
    }

    /// Whether it lets a memory through.
    pub(crate) fn admits(&self, conn: &Connection, memory: i64) -> Result<bool> {
        let text = format!("SELECT 1 FROM memories WHERE {} AND id = ? AND status = 0", self.text);
        let values = self.values.iter().cloned().chain([Sql::Integer(memory)]);
        let mut statement = conn.prepare_cached(&text).map_err(sql)?;
        let row = statement.query_row(params_from_iter(values), |_| Ok(())).optional().map_err(sql)?;
        Ok(row.is_some())
    }
}

/// Compares what is kept of the declared fields with the payloads; one sentence for each memory at fault.
pub(crate) fn check_all(conn: &Connection) -> Result<Vec<String>> {
    let fields = all(conn)?;
    let mut faults = Vec::new();
    if fields.is_empty() {
        return Ok(faults);
    }
    let mut after = 0;
    loop {
        let rows = memories::page(conn, None, after, 1000)?;
        let Some(last) = rows.last() else {
            return Ok(faults);
        };
        after = last.id;
        for row in &rows {
            // A payload at fault is found where payloads are checked.
            let Ok(Some((_, metadata, _))) = memories::payload(conn, row.id) else {
                continue;
            };
            for (field, name) in &fields {
                let wanted = metadata.as_deref().map_or(Ok(Vec::new()), |metadata| values(metadata, name))?;
                let mut statement = conn
                    .prepare_cached("SELECT count(*) FROM field_values WHERE field = ?1 AND memory = ?2")
                    .map_err(sql)?;
                let mut found: i64 = statement.query_row([*field, row.id], |r| r.get(0)).map_err(sql)?;
                let mut present = conn
                    .prepare_cached(
                        "SELECT 1 FROM field_values WHERE field = ?1 AND value = ?2 AND memory = ?3",
                    )
                    .map_err(sql)?;
                let mut whole = true;
                for value in &wanted {
                    whole &= present.exists(params![field, value, row.id]).map_err(sql)?;
                    found -= 1;
                }
                if !whole || found != 0 {
                    faults.push(format!(
                        "field {name:?} of memory {} is not kept as the memory has it: declare it again",
                        row.id
                    ));
                }
            }
        }
    }
}
