//! Looking at a store: records, namespaces, figures, and the check of everything.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use rusqlite::Connection;

use crate::clock::{Timestamp, utc};
use crate::error::{Error, Result};
use crate::id::MemoryId;
use crate::outcome::Calibration;
use crate::segment::{self, SpaceKind};
use crate::store::authorities::Trust;
use crate::store::chain::Stored;
use crate::store::changes;
use crate::store::hex::hex;
use crate::store::memories::{self, MemoryRow};
use crate::store::{
    Content, Of, aliases, audit, calibrators, cells, check_grounds, check_schema, contents, directives,
    fields, forecasts, guard, half_lives, lots, names, origins, policies, principals, reports, standings,
    tables, trials,
};

use super::core::Core;
use super::origin::provenance;
use super::output::{AuditEntry, Namespace, Record, Stats, Verification};
use super::points::{Loaded, experience_metric};
use super::recall::parse_metadata;
use super::{halt, seal};

/// Dangling references that are named one by one.
const MOST_REFERENCES: usize = 100;
/// By how much the latest time that rules were judged at may lie ahead of the clock: clocks are set, and differ by less.
const AHEAD: Timestamp = 60 * 1_000_000;

/// A record that was not forgotten.
pub(crate) fn get(core: &Core, id: MemoryId) -> Result<Option<Record>> {
    let (now, trust) = (core.now(), core.trust());
    core.db.snapshot(|conn| match memories::load(conn, id.0.cast_signed())? {
        Some(row) if row.status != memories::FORGOTTEN => record((conn, Some(&trust)), row, now).map(Some),
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
    let trust = core.trust();
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
        rows.into_iter().map(|row| record((conn, Some(&trust)), row, now)).collect()
    })
}

/// Without `trust`, the registration of the author is taken as it is.
fn record((conn, trust): (&Connection, Option<&Trust>), row: MemoryRow, now: Timestamp) -> Result<Record> {
    let lost = |what: &str| Error::corrupt(format!("memory {} has lost its {what}", row.id));
    let (content, metadata, _) = memories::payload(conn, row.id)?.ok_or_else(|| lost("payload"))?;
    let vector = memories::vector(conn, row.id)?.ok_or_else(|| lost("vector"))?;
    let namespace = names::namespace_by_id(conn, row.namespace)?.ok_or_else(|| lost("namespace"))?;
    let provenance = provenance((conn, trust), &row, now, &mut HashMap::new())?;
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
            .map(|Stored { row, hash, .. }| {
                Ok(AuditEntry {
                    id: row.id.cast_unsigned(),
                    at: row.at,
                    actor: row.actor,
                    op: row.op,
                    namespace: names::namespace_by_id(conn, row.namespace)?.map(|row| row.name),
                    memory: (row.reference != 0).then(|| MemoryId(row.reference.cast_unsigned())),
                    detail: parse_metadata(Some(&row.detail))?,
                    hash: hash.map(|hash| hex(&hash)),
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
        storage: core.identity.storage,
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
        reranked: core.counters.reranked.load(Relaxed),
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

/// What to do about damage to rows.
const RESTORE: &str = "way out: restore a backup";
/// What to do about damage to a segment.
const SEAL: &str = "way out: none needed, the next seal builds it anew";

/// Checks what can be checked without reading everything: the structure of the database, the control file,
/// the list of segments and their heads, and whether what is counted is there.
pub(crate) fn verify_quick(core: &Core) -> Result<Verification> {
    let mut found = Verification::default();
    core.view.catch_up(&core.db)?;
    verify_files(core, &mut found)?;
    core.db.snapshot(|conn| {
        for fault in names::check_counts(conn)? {
            found.note(fault, RESTORE);
        }
        let (sound, damage) = names::sound_namespaces(conn)?;
        if let Some(error) = damage {
            found.note(sentence(error), RESTORE);
        }
        found.memories = sound.iter().map(|row| row.memories.cast_unsigned()).sum();
        found.reports = reports::count(conn)?;
        found.cells = cells::count(conn)?;
        Ok(())
    })?;
    for loaded in core.view.segments().iter() {
        found.segments += 1;
        found.sealed += loaded.row.points.cast_unsigned();
    }
    Ok(found)
}

/// Checks everything stored. Only what makes checking itself impossible is an error.
pub(crate) fn verify(core: &Core) -> Result<Verification> {
    let mut found = Verification { full: true, ..Verification::default() };
    core.view.catch_up(&core.db)?;
    verify_files(core, &mut found)?;
    let mut rows = Verification::default();
    let trust = core.trust();
    core.db.snapshot(|conn| {
        verify_rows(conn, &mut rows)?;
        for checked in [
            directives::check_all(conn, &trust),
            halt::verify(core, conn),
            principals::check_signed(conn, &trust),
        ] {
            match checked {
                Ok(faults) => rows.faults.extend(faults),
                Err(error) => rows.faults.push(sentence(error)),
            }
        }
        Ok(())
    })?;
    for fault in rows.faults {
        found.note(fault, RESTORE);
    }
    (found.memories, found.reports, found.cells) = (rows.memories, rows.reports, rows.cells);
    for loaded in core.view.segments().iter() {
        let report = segment::verify(&loaded.segment);
        let name = &loaded.row.name;
        found.segments += 1;
        found.sealed += report.owners;
        found.unreachable += report.unreachable;
        if report.unreachable > 0 {
            let fault = format!("segment {name}: {} vectors cannot be reached", report.unreachable);
            found.note(fault, "way out: `compact` builds it anew");
        }
        let mut fault =
            (report.bad_vectors > 0).then(|| format!("{} vectors are damaged", report.bad_vectors));
        if fault.is_none() && !crate::sabotage::on("segments_unread") {
            fault = match core.db.snapshot(|conn| against_rows(core, conn, loaded)) {
                Ok(fault) => fault,
                // The rows are at fault, which was said above.
                Err(Error::Corrupt { .. }) => None,
                Err(error) => return Err(error),
            };
        }
        if let Some(fault) = fault {
            found.note(format!("segment {name}: {fault}; it was set aside"), SEAL);
            core.view.condemn(&core.db, core.now(), name, &fault)?;
        }
    }
    Ok(found)
}

/// Checks what lies around the rows.
fn verify_files(core: &Core, found: &mut Verification) -> Result<()> {
    for line in core.db.integrity()? {
        found.note(format!("memory.db: {line}"), RESTORE);
    }
    let lost = core.db.losses()?;
    if lost > 0 {
        let fault = format!(
            "{lost} acknowledged changes were missing when the store was opened (power loss under durability normal, or an older copy)"
        );
        found.note(fault, "way out: restore a backup that has them, or go on without them");
    }
    let present = core.db.read(changes::last_seq)?;
    if core.db.is_read_only() && core.db.acknowledged() > present {
        let missing = core.db.acknowledged() - present;
        let fault = format!("the control file knows of {missing} acknowledged changes that memory.db lacks");
        found.note(fault, "way out: restore a backup that has them, or open the store for writing and go on");
    }
    if core.db.control_damaged_at()?.is_some() {
        let fault = "the control file was damaged and has been set right".to_owned();
        found.note(fault, "way out: none needed");
    }
    let latest = core.db.latest_time();
    if !(0..=core.now().saturating_add(AHEAD)).contains(&latest) && !crate::sabotage::on("times_unread") {
        let fault = format!(
            "the control file says that rules were judged at {}, by which facts and overrides may have ended",
            utc(latest)
        );
        found.note(fault, "way out: `repair_rules`, once the clock is right");
    }
    for (name, fault) in core.view.condemned() {
        found.note(format!("segment {name} was set aside: {fault}"), SEAL);
    }
    Ok(())
}

/// Whether a segment holds what the rows say: every point of its changes that is still there, with the same
/// vector to the last bit. Otherwise, what is wrong with it.
fn against_rows(core: &Core, conn: &Connection, loaded: &Loaded) -> Result<Option<String>> {
    let range = (loaded.row.lo, loaded.row.hi);
    let mut fault = None;
    let mut compare = |what: &str, namespace: i64, id: i64, kind, wanted: &[f32]| {
        let space = loaded.segment.space(namespace.cast_unsigned(), kind);
        let same = space.is_some_and(|space| {
            let held = space.vector(id.cast_unsigned()).ok().flatten();
            held.is_some_and(|held| {
                bytemuck::cast_slice::<f32, u8>(&held) == bytemuck::cast_slice::<f32, u8>(wanted)
            })
        });
        if !same {
            fault.get_or_insert_with(|| format!("it does not hold {what} {id} as table {what}s says"));
        }
    };
    memories::points_in(conn, None, range, |id, namespace, _| {
        if let Some(vector) = memories::vector(conn, id)? {
            compare("vector", namespace, id, SpaceKind::Memories, &core.metric.prepare(&vector)?);
        }
        Ok(())
    })?;
    let metric = experience_metric(core.metric);
    for cell in cells::points_in(conn, range)? {
        let vector = metric.prepare(&cells::situation(conn, cell.situation)?)?;
        compare("cell", cell.namespace, cell.id, SpaceKind::Experiences, &vector);
    }
    Ok(fault)
}

/// What is wrong first with the rows of a database, if anything is.
pub(crate) fn first_fault(conn: &Connection) -> Result<Option<String>> {
    let mut found = Verification::default();
    verify_rows(conn, &mut found)?;
    Ok(found.faults.into_iter().next())
}

/// Checks every row of every table: checksums, payloads, references, and what is derived from others.
pub(crate) fn verify_rows(conn: &Connection, found: &mut Verification) -> Result<()> {
    verify_memories(conn, found)?;
    verify_merged(conn, found)?;
    match reports::check_all(conn) {
        Ok(reports) => found.reports = reports,
        Err(error) => found.faults.push(sentence(error)),
    }
    let grounds = check_grounds(conn);
    let summable = matches!(&grounds, Ok(faults) if faults.is_empty());
    for checked in [
        check_schema(conn),
        tables::check_numbers(conn),
        grounds,
        principals::check(conn),
        half_lives::all(conn).map(|_| Vec::new()),
        calibrators::check_all(conn),
        fields::check_all(conn),
        forecasts::tallies(conn, None).map(|_| Vec::new()),
        audit::check_all(conn),
        guard::check(conn),
        origins::check_all(conn),
        policies::check_all(conn),
        standings::check_all(conn),
        trials::check(conn),
        names::check_all(conn),
        names::check_counts(conn),
        tables::check_references(conn, MOST_REFERENCES),
    ] {
        match checked {
            Ok(faults) => found.faults.extend(faults),
            Err(error) => found.faults.push(sentence(error)),
        }
    }
    if summable {
        verify_cells(conn, found)?;
    }
    Ok(())
}

/// What is wrong, without what to do about it.
fn sentence(error: Error) -> String {
    match error {
        Error::Corrupt { what } => what,
        other => other.to_string(),
    }
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
            if let Err(error) = record((conn, None), row, 0) {
                found.faults.push(sentence(error));
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
        if let Err(error) = record((conn, None), row, 0) {
            found.faults.push(sentence(error));
        }
    }
    Ok(())
}

/// Cells and their lots are derived: they must be what the experiences give.
fn verify_cells(conn: &Connection, found: &mut Verification) -> Result<()> {
    let (stored, lots) = match cells::all(conn, None).and_then(|cells| Ok((cells, lots::all(conn)?))) {
        Ok(stored) => stored,
        Err(error) => {
            found.faults.push(sentence(error));
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
