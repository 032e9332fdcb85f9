//! Looking at a store: records, namespaces, figures, and the check of everything.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use rusqlite::Connection;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::MemoryId;
use crate::outcome::Calibration;
use crate::segment;
use crate::store::memories::{self, MemoryRow};
use crate::store::{
    Content, Of, aliases, audit, calibrators, cells, check_grounds, contents, forecasts, guard, half_lives,
    lots, names, origins, policies, principals, reports, standings,
};

use super::core::Core;
use super::origin::provenance;
use super::output::{AuditEntry, Namespace, Record, Stats, Verification};
use super::recall::parse_metadata;
use super::{seal, triggers};

/// A record that was not forgotten.
pub(crate) fn get(core: &Core, id: MemoryId) -> Result<Option<Record>> {
    let now = core.now();
    core.db.snapshot(|conn| match memories::load(conn, id.0.cast_signed())? {
        Some(row) if row.status != memories::FORGOTTEN => record(conn, row, now).map(Some),
        _ => Ok(None),
    })
}

/// Records after an id.
pub(crate) fn page(
    core: &Core,
    namespace: Option<&str>,
    after: MemoryId,
    limit: usize,
) -> Result<Vec<Record>> {
    core.db.snapshot(|conn| {
        let namespace = match namespace {
            None => None,
            Some(name) => match names::namespace_by_name(conn, name)? {
                Some(row) => Some(row.id),
                None => return Ok(Vec::new()),
            },
        };
        let after = i64::try_from(after.0).unwrap_or(i64::MAX);
        let rows = memories::page(conn, namespace, after, limit)?;
        let now = core.now();
        rows.into_iter().map(|row| record(conn, row, now)).collect()
    })
}

fn record(conn: &Connection, row: MemoryRow, now: Timestamp) -> Result<Record> {
    let lost = |what: &str| Error::corrupt(format!("memory {} has lost its {what}", row.id));
    let (content, metadata, _) = memories::payload(conn, row.id)?.ok_or_else(|| lost("payload"))?;
    let vector = memories::vector(conn, row.id)?.ok_or_else(|| lost("vector"))?;
    let namespace = names::namespace_by_id(conn, row.namespace)?.ok_or_else(|| lost("namespace"))?;
    let provenance = provenance(conn, &row, now, &mut HashMap::new())?;
    Ok(Record {
        id: MemoryId(row.id.cast_unsigned()),
        namespace: namespace.name,
        kind: names::kind_name(conn, row.kind)?,
        content,
        vector,
        metadata: parse_metadata(metadata.as_deref())?,
        author: provenance.author.clone(),
        key: row.key,
        created_at: row.created_at,
        updated_at: row.updated_at,
        expires_at: row.expires_at,
        superseded_by: row.superseded_by.map(|id| MemoryId(id.cast_unsigned())),
        merged_into: aliases::survivor(conn, row.id)?.map(|id| MemoryId(id.cast_unsigned())),
        provenance,
    })
}

/// All namespaces, by name.
pub(crate) fn namespaces(core: &Core) -> Result<Vec<Namespace>> {
    let rows = core.db.read(names::namespaces)?;
    Ok(rows
        .into_iter()
        .map(|row| Namespace {
            name: row.name,
            memories: row.memories.cast_unsigned(),
            created_at: row.created_at,
        })
        .collect())
}

/// Memories in a namespace or in all.
pub(crate) fn count(core: &Core, namespace: Option<&str>) -> Result<u64> {
    let rows = namespaces(core)?;
    Ok(rows.iter().filter(|row| namespace.is_none_or(|name| row.name == name)).map(|row| row.memories).sum())
}

/// Entries of the audit table after number `after`.
pub(crate) fn audit_entries(core: &Core, after: u64, limit: usize) -> Result<Vec<AuditEntry>> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    core.db.snapshot(|conn| {
        let rows = audit::entries(conn, after, limit)?;
        rows.into_iter()
            .map(|row| {
                Ok(AuditEntry {
                    id: row.id.cast_unsigned(),
                    at: row.at,
                    actor: row.actor,
                    op: row.op,
                    namespace: names::namespace_by_id(conn, row.namespace)?.map(|row| row.name),
                    memory: (row.reference != 0).then(|| MemoryId(row.reference.cast_unsigned())),
                    detail: parse_metadata(Some(&row.detail))?,
                })
            })
            .collect()
    })
}

/// Figures.
pub(crate) fn stats(core: &Core) -> Result<Stats> {
    core.view.catch_up(&core.db)?;
    let unsealed = seal::unsealed(core)?;
    let segments = core.view.segments();
    let (namespaces, reports, experiences) = core
        .db
        .snapshot(|conn| Ok((names::namespaces(conn)?, reports::count(conn)?, cells::count(conn)?)))?;
    Ok(Stats {
        dimension: core.identity.dimension,
        metric: core.metric,
        model: core.identity.model.clone(),
        memories: namespaces.iter().map(|row| row.memories.cast_unsigned()).sum(),
        reports,
        experiences,
        namespaces: namespaces.len() as u64,
        segments: segments.len() as u64,
        segments_set_aside: core.view.condemned().len() as u64,
        segment_bytes: segments.iter().map(|loaded| loaded.segment.file_len()).sum(),
        unsealed,
        recalls: core.counters.recalls.load(Relaxed),
        graph_searches: core.counters.graph_searches.load(Relaxed),
        scans: core.counters.scans.load(Relaxed),
        bytes_touched: core.counters.bytes.load(Relaxed),
        seals: core.counters.seals.load(Relaxed),
        calibration: calibration(core, None)?,
    })
}

/// How the promises of a namespace, or of all, have come true.
pub(crate) fn calibration(core: &Core, namespace: Option<&str>) -> Result<Calibration> {
    core.db.snapshot(|conn| {
        let namespace = match namespace {
            None => None,
            Some(name) => match names::namespace_by_name(conn, name)? {
                Some(row) => Some(row.id),
                None => return Ok(Calibration::default()),
            },
        };
        Ok(Calibration::of(&forecasts::tallies(conn, namespace)?))
    })
}

/// Checks everything stored. Only what makes checking itself impossible is an error.
pub(crate) fn verify(core: &Core) -> Result<Verification> {
    let mut found = Verification::default();
    core.view.catch_up(&core.db)?;
    found.faults.extend(core.db.integrity()?.into_iter().map(|line| format!("memory.db: {line}")));
    let lost = core.db.losses()?;
    if lost > 0 {
        found.faults.push(format!(
            "{lost} acknowledged changes were missing when the store was opened (power loss under durability normal, or an older copy)"
        ));
    }
    if core.db.control_damaged_at()?.is_some() {
        found.faults.push("the control file was damaged and has been set right".to_owned());
    }
    for (name, fault) in core.view.condemned() {
        found.faults.push(format!("segment {name} was set aside: {fault}"));
    }
    core.db.snapshot(|conn| {
        verify_memories(conn, &mut found)?;
        verify_merged(conn, &mut found)?;
        match reports::check_all(conn) {
            Ok(reports) => found.reports = reports,
            Err(error) => found.faults.push(error.to_string()),
        }
        for checked in [
            check_grounds(conn),
            principals::check(conn),
            half_lives::all(conn).map(|_| Vec::new()),
            calibrators::check_all(conn),
            forecasts::tallies(conn, None).map(|_| Vec::new()),
            audit::check_all(conn),
            guard::check(conn),
            origins::check_all(conn),
            triggers::verify(core, conn),
            policies::check_all(conn),
            standings::check_all(conn),
        ] {
            match checked {
                Ok(faults) => found.faults.extend(faults),
                Err(error) => found.faults.push(error.to_string()),
            }
        }
        verify_cells(conn, &mut found)
    })?;
    for loaded in core.view.segments().iter() {
        let report = segment::verify(&loaded.segment);
        found.segments += 1;
        found.sealed += report.owners;
        found.unreachable += report.unreachable;
        if report.unreachable > 0 {
            found.faults.push(format!(
                "segment {}: {} vectors cannot be reached",
                loaded.row.name, report.unreachable
            ));
        }
        if report.bad_vectors > 0 {
            let fault = format!("{} vectors are damaged", report.bad_vectors);
            found.faults.push(format!("segment {}: {fault}; it was set aside", loaded.row.name));
            core.view.condemn(&core.db, core.now(), &loaded.row.name, &fault)?;
        }
    }
    Ok(found)
}

fn verify_memories(conn: &Connection, found: &mut Verification) -> Result<()> {
    let mut after = 0;
    loop {
        let rows = match memories::page(conn, None, after, 1000) {
            Ok(rows) => rows,
            Err(Error::Corrupt { what }) => {
                found.faults.push(format!("memories after {after} cannot be read: {what}"));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.id;
        for row in rows {
            found.memories += 1;
            if let Err(error) = record(conn, row, 0) {
                found.faults.push(error.to_string());
            }
        }
    }
}

/// Merged memories are in no page: they are looked at one by one.
fn verify_merged(conn: &Connection, found: &mut Verification) -> Result<()> {
    let (faults, merged) = aliases::check_all(conn)?;
    found.faults.extend(faults);
    for row in merged {
        found.memories += 1;
        if let Err(error) = record(conn, row, 0) {
            found.faults.push(error.to_string());
        }
    }
    Ok(())
}

/// Cells and their lots are derived: they must be what the experiences give.
fn verify_cells(conn: &Connection, found: &mut Verification) -> Result<()> {
    let (stored, lots) = match cells::all(conn, None).and_then(|cells| Ok((cells, lots::all(conn)?))) {
        Ok(stored) => stored,
        Err(error) => {
            found.faults.push(error.to_string());
            return Ok(());
        }
    };
    found.cells = stored.len() as u64;
    let mut lots_of: HashMap<i64, Content> = HashMap::new();
    for (cell, lot) in lots {
        lots_of.entry(cell).or_default().lots.insert((lot.group, lot.day), lot.sums);
    }
    let mut expected = contents(conn, Of::All)?;
    for cell in stored {
        let mut content = lots_of.remove(&cell.id).unwrap_or_default();
        content.inline = cell.sums;
        let counted = content.lots.len() as i64 == cell.lots;
        if !counted || expected.remove(&(cell.memory, cell.place())) != Some((cell.situation, content)) {
            found.faults.push(format!("cell {} is not the sum of its reports", cell.id));
        }
    }
    for (memory, place) in expected.keys() {
        found.faults.push(format!("memory {memory} has reports in {place:?} and no cell"));
    }
    for cell in lots_of.keys() {
        found.faults.push(format!("there is evidence in cell {cell}, which there is not"));
    }
    Ok(())
}
