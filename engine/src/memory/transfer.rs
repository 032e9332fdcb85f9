//! Export and import.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::id::MemoryId;
use crate::store::backup::open_new;
use crate::store::create_control;
use crate::store::directives;
use crate::store::export::{self, Head, Import, bad, within};
use crate::vector::{Metric, Storage};

use super::core::Core;
use super::input::Memory;
use super::inspect;
use super::open::MAX_DIMENSION;
use super::origin::Source;
use super::place;
use super::points::experience_metric;
use super::remember;
use super::report;
use super::store::Store;

impl Store {
    /// Writes everything that is not derived to one file of JSON lines, as of one moment: memories with
    /// their vectors, reports and what they teach, receipts that were reported on, principals (hashes of
    /// tokens, never tokens), half-lives, policies, standings, mergers, calibrators, forecasts, the audit
    /// table and all others. Others go on reading and writing. Returns the number of rows.
    ///
    /// The file appears whole or not at all; one that exists is replaced if `replace` says so, and refused
    /// otherwise ([`InvalidArgument`](crate::Error::InvalidArgument)). A damaged store is not exported:
    /// [`Corrupt`](crate::Error::Corrupt).
    pub fn export(&self, file: impl AsRef<Path>, replace: bool) -> Result<u64> {
        self.core.enter()?;
        let (core, file) = (&self.core, file.as_ref());
        place::may_write(core, file, replace)?;
        report::settle_all(core)?;
        let at = place::about(file);
        place::file(file, replace, |temporary| {
            let out = File::options().write(true).open(temporary);
            let mut out = BufWriter::with_capacity(1 << 20, out.map_err(Error::io("create", temporary))?);
            let rows = core
                .db
                .snapshot(|conn| match inspect::first_fault(conn)? {
                    Some(fault) => Err(Error::corrupt(fault)),
                    None => export::write(conn, &mut out),
                })
                .map_err(&at)?;
            out.flush().map_err(Error::io("write", temporary)).map_err(&at)?;
            Ok(rows)
        })
    }

    /// Makes a store in `directory`, which must be empty or missing, from a file that
    /// [`export`](Store::export) wrote: its export is the same, byte for byte, and so are the answers of
    /// exact recalls. A file that is cut, changed or no export is [`BadImport`](crate::Error::BadImport),
    /// which names the line, and nothing is imported: the directory appears whole, or not at all.
    ///
    /// Like a restored store it begins another life: segments and control files of the one it comes from
    /// are of no account in it.
    pub fn import(file: impl AsRef<Path>, directory: impl AsRef<Path>) -> Result<()> {
        let (file, directory) = (file.as_ref(), directory.as_ref());
        let from = BufReader::new(File::open(file).map_err(Error::io("open", file))?);
        place::folder(directory, |temporary| {
            let database = temporary.join("memory.db");
            fill(from, temporary, &database).map_err(|error| match error {
                Error::Io { action: "read", source, .. } => {
                    Error::Io { action: "read", path: file.to_owned(), source }
                }
                other => place::about(directory)(other),
            })?;
            place::sync_file(&database)
        })
    }

    /// Remembers the memories of an export in this store, in one transaction, as
    /// [`remember_many`](Store::remember_many) does: with new ids, and without reports, standings and
    /// whatever else was learnt. Those that were superseded, merged, forgotten or whose time is over are
    /// left out. Returns their ids in the order of the export.
    ///
    /// [`BadImport`](crate::Error::BadImport) names the line that is at fault, also where a memory does not
    /// fit in here (another dimension, a key that is taken); nothing is imported then.
    pub fn import_memories(&self, file: impl AsRef<Path>) -> Result<Vec<MemoryId>> {
        self.core.enter()?;
        let ids = import_memories(&self.core, file.as_ref())?;
        self.seal_if_due();
        Ok(ids)
    }
}

/// Makes the database of a store from an export, and its control file.
fn fill(from: BufReader<File>, folder: &Path, database: &Path) -> Result<()> {
    let conn = open_new(database)?;
    let import = Import::begin(&conn)?;
    let (mut metric, mut dimension, mut storage) = (Metric::Cosine, 0, Storage::F32);
    let mut last = 1;
    let begin = |head: &Head| {
        let known = Metric::parse(&head.metric);
        let known = known.ok_or_else(|| bad(1, format!("there is no metric {:?}", head.metric)))?;
        if !(1..=MAX_DIMENSION).contains(&head.dimension) {
            return Err(bad(1, format!("its vectors have {} numbers", head.dimension)));
        }
        let storage = Storage::parse(&head.storage);
        let storage = storage.ok_or_else(|| bad(1, format!("there is no storage {:?}", head.storage)))?;
        Ok((known, head.dimension, storage))
    };
    let head = std::cell::Cell::new(None);
    export::read(
        from,
        |line| {
            head.set(Some(begin(line)?));
            Ok(())
        },
        |line, table, fields| {
            last = line;
            (metric, dimension, storage) = head.get().unwrap_or((metric, dimension, storage));
            check_vector(line, table, &fields, (metric, dimension, storage))?;
            import.row(line, table, fields, storage)
        },
    )?;
    import.finish(last)?;
    if !crate::sabotage::on("imports_bring_rules") {
        let refused = |why| bad(last, format!("its rules cannot be trusted: {why}"));
        directives::check_brought(&conn).map_err(|error| match error {
            Error::Corrupt { what } => refused(what),
            Error::Unauthorised { why } => refused(why),
            other => within(last, other),
        })?;
    }
    if let Some(fault) = inspect::first_fault(&conn).map_err(|error| within(last, error))? {
        return Err(bad(last, format!("the rows do not fit together: {fault}")));
    }
    crate::store::check_identity(&conn, metric.as_str(), dimension, storage)
        .map_err(|error| within(1, error))?;
    create_control(&conn, folder)
}

/// Checks that a vector can be compared with others.
fn check_vector(
    line: u64,
    table: &str,
    fields: &Map<String, Value>,
    (metric, dimension, storage): (Metric, usize, Storage),
) -> Result<()> {
    let (value, metric) = match table {
        "memories" => (fields.get("vector").cloned(), metric),
        "situations" => {
            let blob = fields.get("vector").and_then(|blob| blob.get("base64")).cloned();
            (Some(blob.unwrap_or(Value::Null)), experience_metric(metric))
        }
        _ => return Ok(()),
    };
    if value.is_none() {
        return Ok(());
    }
    let vector = export::vector_of(line, value)?;
    if vector.len() != dimension {
        return Err(bad(line, format!("its vector has {} numbers, not {dimension}", vector.len())));
    }
    if table == "memories" && !storage.holds(&vector) {
        return Err(bad(line, format!("its vector has a number that {} does not hold", storage.as_str())));
    }
    metric.prepare(&vector).map(|_| ()).map_err(|error| within(line, error))
}

fn import_memories(core: &Core, file: &Path) -> Result<Vec<MemoryId>> {
    core.writable()?;
    let from = BufReader::new(File::open(file).map_err(Error::io("open", file))?);
    let now = core.now();
    let mut names: HashMap<(String, i64), String> = HashMap::new();
    let (mut lines, mut all): (Vec<u64>, Vec<Memory>) = (Vec::new(), Vec::new());
    export::read(
        from,
        |head| match (&head.model, &core.identity.model) {
            // Vectors of two models are not to be compared.
            (Some(theirs), Some(_)) => core.check_model(Some(theirs)),
            _ => Ok(()),
        },
        |line, table, mut fields| {
            let number = |fields: &Map<String, Value>, name: &str| fields.get(name).and_then(Value::as_i64);
            if matches!(table, "namespaces" | "kinds" | "principals") {
                let (id, name) = (number(&fields, "id"), fields.get("name").and_then(Value::as_str));
                let (Some(id), Some(name)) = (id, name) else {
                    return Err(bad(line, "a name without a number"));
                };
                names.insert((table.to_owned(), id), name.to_owned());
            }
            let expires = number(&fields, "expires_at");
            if table != "memories"
                || number(&fields, "status") != Some(0)
                || expires.is_some_and(|at| at <= now)
            {
                return Ok(());
            }
            let name = |of: &str, column: &str| match number(&fields, column) {
                None => Ok(None),
                Some(id) => match names.get(&(of.to_owned(), id)) {
                    Some(name) => Ok(Some(name.clone())),
                    None => Err(bad(line, format!("its {column} {id} has no name"))),
                },
            };
            let (namespace, kind) = (name("namespaces", "namespace")?, name("kinds", "kind")?);
            let author = name("principals", "author")?;
            let Some(Value::String(content)) = fields.remove("content") else {
                return Err(bad(line, "its content is missing"));
            };
            let vector = export::vector_of(line, fields.remove("vector"))?;
            let mut memory = Memory::new(content, vector);
            memory.namespace = namespace.unwrap_or(memory.namespace);
            memory.kind = kind.unwrap_or(memory.kind);
            memory.author = author;
            memory.source = Some(Source::Import);
            memory.key = fields.get("key").and_then(Value::as_str).map(str::to_owned);
            memory.metadata = fields.remove("metadata").unwrap_or_default();
            memory.time_to_live =
                expires.map(|at| Duration::from_micros(at.saturating_sub(now).cast_unsigned()));
            lines.push(line);
            all.push(memory);
            Ok(())
        },
    )?;
    let single = all.len() == 1;
    remember::remember(core, all).map_err(|error| match error {
        Error::Row { row, source } => within(lines.get(row).copied().unwrap_or_default(), *source),
        other if single => within(lines[0], other),
        other => other,
    })
}
