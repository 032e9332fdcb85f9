//! Sealing: what is in no segment yet is put into one, together with the small segments before it.
//!
//! Segments cover ranges of changes. A new one takes the last range that none covers and, as long
//! as the segment before it is at most three times as large as what is gathered, that one too: so
//! sizes grow geometrically and their number stays small. One process seals at a time: it holds a
//! lock on `seal.lock`, which the system releases when the process dies.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};
use crate::segment::{BuildParams, BuildReport, SegmentHeader, SpaceInput, SpaceKind, write_segment};
use crate::store::registry::{self, SegmentRow};
use crate::store::{cells, changes, memories};
use crate::vector::{Storage, to_half};

use super::core::{Call, Core};
use super::points::{Loaded, experience_metric, gaps};
use super::{govern, witness};

/// A segment is merged with what follows while it is at most so many times as large.
const RATIO: i64 = 3;
/// A quick seal takes up to so many times what makes a seal due...
const QUICK: i64 = 8;
/// ...or of so many points, if that is less.
const QUICK_AT: i64 = 2048;
/// The file whose lock is the right to seal; it names the process that took it last.
const LEASE: &str = "seal.lock";
/// Memories whose time is over that are forgotten in one transaction.
const EXPIRED_BATCH: usize = 1000;

/// Points counted in the range of changes `(lo, hi]`, so that a longer range that begins there is
/// counted from `hi` on.
#[derive(Default)]
pub(crate) struct Tally {
    lo: i64,
    hi: i64,
    points: u64,
}

/// How many points are in no segment, at most.
pub(crate) fn unsealed(core: &Core) -> Result<u64> {
    let segments = core.view.segments();
    core.db.snapshot(|conn| {
        let mut total = 0;
        let seq = changes::last_seq(conn)?;
        for (lo, hi) in gaps(&segments, seq) {
            let mut tally = core.tally.lock();
            if hi < seq {
                total += changes::points_in(conn, lo, hi)?;
                continue;
            }
            if tally.lo != lo || tally.hi > hi {
                *tally = Tally { lo, hi: lo, points: 0 };
            }
            tally.points += changes::points_in(conn, tally.hi, hi)?;
            tally.hi = hi;
            total += tally.points;
        }
        Ok(total)
    })
}

/// Whether a seal would be due if each change that was not looked at yet had brought a point. Costs
/// nothing; the sealer counts.
pub(crate) fn may_be_due(core: &Core) -> bool {
    let sealed = core.view.segments().last().map_or(0, |loaded| loaded.row.hi);
    let tally = core.tally.lock();
    let (counted, points) =
        if tally.lo == sealed { (tally.hi, tally.points.cast_signed()) } else { (sealed, 0) };
    points + core.db.acknowledged() - counted >= core.settings.seal_at as i64
}

/// Whether points of changes up to `target` are in no segment.
pub(crate) fn reaches_below(core: &Core, target: i64) -> Result<bool> {
    core.view.catch_up(&core.db)?;
    let segments = core.view.segments();
    core.db.read(|conn| {
        for (lo, hi) in gaps(&segments, target) {
            if changes::points_in(conn, lo, hi)? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

/// Seals what is in no segment, if that is at least `least` points. Returns whether it did.
pub(crate) fn seal(core: &Core, least: u64) -> Result<bool> {
    if core.forbids(Call::Write) {
        return Ok(false);
    }
    let _one = core.sealing.lock();
    core.view.catch_up(&core.db)?;
    if unsealed(core)? < least.max(1) {
        return Ok(false);
    }
    let Some(_lease) = lease(core)? else {
        return Ok(false);
    };
    let segments = begin(core)?;
    let Some(harvest) = core.db.snapshot(|conn| gather(core, conn, &segments, least.max(1), i64::MAX))?
    else {
        return Ok(false);
    };
    build(core, harvest, core.settings.build)?;
    Ok(true)
}

/// Seals what is due when the handle goes, if that takes some hundredths of a second: few points, and no graph over
/// them, which a later merge makes. Processes too short-lived to seal in the background would otherwise leave more and
/// more for the next one to read.
pub(crate) fn seal_quickly(core: &Core) -> Result<()> {
    let least = core.settings.seal_at as u64;
    let most = QUICK * least.cast_signed().min(QUICK_AT);
    if core.dir.is_none()
        || !may_be_due(core)
        || core.forbids(Call::Write)
        || crate::sabotage::on("leave_all_unsealed")
    {
        return Ok(());
    }
    let _one = core.sealing.lock();
    core.view.catch_up(&core.db)?;
    let unsealed = unsealed(core)?;
    if unsealed < least || unsealed.cast_signed() > most {
        return Ok(());
    }
    let Some(_lease) = lease(core)? else { return Ok(()) };
    let segments = begin(core)?;
    if let Some(harvest) = core.db.snapshot(|conn| gather(core, conn, &segments, least.max(1), most))? {
        build(core, harvest, BuildParams { graph_from: usize::MAX, ..core.settings.build })?;
    }
    Ok(())
}

/// What comes first once the right to seal is had. Gives the open segments.
pub(crate) fn begin(core: &Core) -> Result<Arc<Vec<Arc<Loaded>>>> {
    // Another process may have sealed until now, and died before it could say so.
    core.db.raise_generation();
    core.view.catch_up(&core.db)?;
    core.view.retire_condemned(&core.db, core.now())?;
    forget_expired(core)?;
    govern::sweep(core);
    let segments = core.view.segments();
    let names: Vec<&str> = segments.iter().map(|loaded| loaded.row.name.as_str()).collect();
    sweep_leftovers(core, &names)?;
    Ok(segments)
}

/// Stores what comes with a graph of its own, and seals it with that graph in the same transaction. `store`
/// returns the namespace, into which it puts nothing that is sealed already, and the graph over it.
#[cfg(feature = "hnsw_rs")]
pub(crate) fn adopt<T>(
    core: &Core,
    store: impl FnOnce(&mut crate::store::Tx<'_>) -> Result<(i64, crate::graph::Given, T)>,
) -> Result<(T, BuildReport)> {
    let _one = core.sealing.lock();
    let _lease = wait_for_lease(core)?;
    let segments = begin(core)?;
    let mut written = None;
    let done = core.db.write_durably(core.now(), |tx| {
        let (namespace, given, value) = store(tx)?;
        let harvest = gather(core, tx.conn, &segments, 1, i64::MAX)?;
        let mut harvest = harvest.ok_or_else(|| Error::internal("a graph without points"))?;
        let at = harvest.places.get(&(namespace, SpaceKind::Memories)).copied();
        let at = at.ok_or_else(|| Error::internal("a graph over another namespace"))?;
        harvest.spaces[at].given = Some(given);
        let replaced = std::mem::take(&mut harvest.replaced);
        let (row, report) = write(core, harvest, core.settings.build)?;
        core.view.make_ready(&row);
        written = Some(row.name.clone());
        registry::publish(tx, &row, &replaced)?;
        Ok((value, report))
    });
    let done = done.inspect_err(|_| {
        if let Some(name) = &written {
            core.view.forget_ready(name);
        }
    })?;
    published(core)?;
    Ok(done)
}

/// Writes a segment anew, without what is gone. The caller holds the lease.
pub(crate) fn rewrite(core: &Core, row: SegmentRow) -> Result<()> {
    let harvest = core.db.snapshot(|conn| collect(core, conn, (row.lo, row.hi), vec![row]))?;
    build(core, harvest, core.settings.build)
}

/// Sweeps all files but these, before anything is published. A seal that was killed may have put its
/// publication into the log and not got to say so: nobody counts it, and yet it would come back when the
/// log is next read from its beginning, without its file. So a transaction of this process takes its
/// place in the log first.
fn sweep_leftovers(core: &Core, names: &[&str]) -> Result<()> {
    core.view.files().sweep(names, || {
        if crate::sabotage::on("forget_the_unsaid") {
            return Ok(());
        }
        core.db.write_durably(core.now(), |tx| tx.note("swept_at"))
    })
}

/// Puts everything into one segment, and sweeps all other files: nothing of what is gone stays in the index.
/// Returns up to which change it reaches. The caller holds the lease.
pub(crate) fn merge_all(core: &Core, _lease: &Lease) -> Result<i64> {
    // Another process may have sealed until now, and died before it could say so.
    core.db.raise_generation();
    core.view.catch_up(&core.db)?;
    core.view.retire_condemned(&core.db, core.now())?;
    forget_expired(core)?;
    core.view.catch_up(&core.db)?;
    let segments = core.view.segments();
    let names: Vec<&str> = segments.iter().map(|loaded| loaded.row.name.as_str()).collect();
    let harvest = core.db.snapshot(|conn| {
        let seq = changes::last_seq(conn)?;
        if let [only] = segments.as_slice()
            && changes::masking_after(conn, only.row.hi)? == 0
        {
            let (lo, hi) = (only.row.lo, only.row.hi);
            let outside = changes::points_in(conn, 0, lo)? + changes::points_in(conn, hi, seq)?;
            if outside == 0 {
                return Ok(None);
            }
        }
        let replaced = segments.iter().map(|loaded| loaded.row.clone()).collect();
        collect(core, conn, (0, seq), replaced).map(Some)
    })?;
    let Some(harvest) = harvest else {
        sweep_leftovers(core, &names)?;
        return Ok(segments.last().map_or(0, |only| only.row.hi));
    };
    let hi = harvest.hi;
    build(core, harvest, core.settings.build)?;
    Ok(hi)
}

/// What goes into a new segment.
struct Harvest {
    lo: i64,
    hi: i64,
    spaces: Vec<SpaceInput>,
    /// Where in `spaces` a namespace's points of a kind are.
    places: HashMap<(i64, SpaceKind), usize>,
    rows_hash: u64,
    replaced: Vec<SegmentRow>,
}

/// Chooses the range of a new segment and reads its points.
/// At most `most` come from segments that are merged.
fn gather(
    core: &Core,
    conn: &Connection,
    segments: &[Arc<Loaded>],
    least: u64,
    most: i64,
) -> Result<Option<Harvest>> {
    let seq = changes::last_seq(conn)?;
    let mut chosen = None;
    for (lo, hi) in gaps(segments, seq) {
        let points = changes::points_in(conn, lo, hi)?;
        if points >= least {
            chosen = Some((lo, hi, points.cast_signed()));
        }
    }
    let Some((mut lo, hi, mut points)) = chosen else {
        return Ok(None);
    };
    let mut replaced = Vec::new();
    for loaded in segments.iter().rev() {
        let small = loaded.row.points <= RATIO * points && !crate::sabotage::on("merge_nothing");
        if loaded.row.hi == lo && small && points + loaded.row.points <= most {
            lo = loaded.row.lo;
            points += loaded.row.points;
            replaced.push(loaded.row.clone());
        }
    }
    collect(core, conn, (lo, hi), replaced).map(Some)
}

/// Reads the points of a range of changes.
fn collect(
    core: &Core,
    conn: &Connection,
    (lo, hi): (i64, i64),
    replaced: Vec<SegmentRow>,
) -> Result<Harvest> {
    let mut harvest = Harvest { lo, hi, spaces: Vec::new(), places: HashMap::new(), rows_hash: 0, replaced };
    let mut hash = Xxh3::new();
    memories::points_in(conn, None, (lo, hi), |id, namespace, _| {
        if let Some(vector) = memories::vector(conn, id)? {
            let half = if core.identity.storage == Storage::F16 { to_half(&vector) } else { Vec::new() };
            let vector = core.metric.prepare(&vector)?;
            harvest.add(&mut hash, namespace, SpaceKind::Memories, core.metric, id, (&vector, &half));
        }
        Ok(())
    })?;
    let metric = experience_metric(core.metric);
    for cell in cells::points_in(conn, (lo, hi))? {
        let vector = metric.prepare(&cells::situation(conn, cell.situation)?)?;
        harvest.add(&mut hash, cell.namespace, SpaceKind::Experiences, metric, cell.id, (&vector, &[]));
    }
    harvest.rows_hash = hash.digest();
    Ok(harvest)
}

impl Harvest {
    fn add(
        &mut self,
        hash: &mut Xxh3,
        namespace: i64,
        kind: SpaceKind,
        metric: crate::vector::Metric,
        id: i64,
        (vector, half): (&[f32], &[u16]),
    ) {
        hash.update(&namespace.to_le_bytes());
        hash.update(&id.to_le_bytes());
        hash.update(bytemuck::cast_slice(vector));
        let spaces = &mut self.spaces;
        let at = *self.places.entry((namespace, kind)).or_insert_with(|| {
            let namespace = namespace.cast_unsigned();
            spaces.push(SpaceInput {
                namespace,
                kind,
                metric,
                ids: Vec::new(),
                vectors: Vec::new(),
                halves: Vec::new(),
                given: None,
            });
            spaces.len() - 1
        });
        self.spaces[at].ids.push(id.cast_unsigned());
        self.spaces[at].vectors.extend_from_slice(vector);
        self.spaces[at].halves.extend_from_slice(half);
    }
}

fn build(core: &Core, mut harvest: Harvest, params: BuildParams) -> Result<()> {
    let replaced = std::mem::take(&mut harvest.replaced);
    let (row, _) = write(core, harvest, params)?;
    // Opened here, where nobody waits for it.
    core.view.make_ready(&row);
    // Durable whatever the store's durability: a segment must never hold what a power loss can
    // take out of the database.
    let done = core.db.write_durably(core.now(), |tx| registry::publish(tx, &row, &replaced));
    if let Err(error) = done {
        core.view.forget_ready(&row.name);
        return Err(error);
    }
    published(core)
}

/// Writes the file of a segment; it is of no account until it is published.
fn write(core: &Core, harvest: Harvest, params: BuildParams) -> Result<(SegmentRow, BuildReport)> {
    let Harvest { lo, hi, spaces, rows_hash, .. } = harvest;
    let points: usize = spaces.iter().map(|space| space.ids.len()).sum();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(core.settings.threads)
        .thread_name(|i| format!("wisen-build-{i}"))
        .build()
        .map_err(Error::internal)?;
    let header = SegmentHeader {
        store_id: core.identity.store_id,
        seq_lo: lo.cast_unsigned(),
        seq_hi: hi.cast_unsigned(),
        rows_hash,
        dim: core.identity.dimension,
    };
    let row = SegmentRow {
        name: format!("{hi:016x}-{}.seg", uuid::Uuid::new_v4().simple()),
        lo,
        hi,
        rows_hash: rows_hash.cast_signed(),
        points: points as i64,
    };
    let mut report = BuildReport::default();
    core.view.files().write(&row.name, |sink| {
        report = write_segment(sink, &header, spaces, &params, &pool, &core.cancel)?;
        Ok(())
    })?;
    Ok((row, report))
}

/// Goes over to a list of segments that was just published, and sweeps what is not in it.
fn published(core: &Core) -> Result<()> {
    core.db.raise_generation();
    // A log that stays as long as it was costs room only.
    let _ = core.db.tune();
    core.counters.seals.fetch_add(1, Ordering::Relaxed);
    core.view.catch_up(&core.db)?;
    let segments = core.view.segments();
    let names: Vec<&str> = segments.iter().map(|loaded| loaded.row.name.as_str()).collect();
    // Publishing has just done what has to come first.
    core.view.files().sweep(&names, || Ok(()))
}

fn forget_expired(core: &Core) -> Result<()> {
    loop {
        let gone = core.db.write(core.now(), |tx| {
            let told = match witness::is_wanted(core, tx.conn) {
                // What the audit keeps cannot be known: everything.
                Err(Error::Corrupt { .. } | Error::Unauthorised { .. }) => true,
                told => told?,
            };
            memories::forget_expired(tx, EXPIRED_BATCH, told)
        })?;
        if gone < EXPIRED_BATCH {
            return Ok(());
        }
    }
}

/// The right to seal, as long as it is held.
pub(crate) enum Lease {
    Held(File),
    /// Nobody else can seal a store in memory.
    NotNeeded,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Lease::Held(file) = self {
            // Closing alone would not do: a fork made meanwhile holds the file open too. Should this
            // fail, the lock ends with the last process that has the file.
            let _ = file.unlock();
        }
    }
}

/// Takes the right to seal. Whoever has it is waited for as long as the store waits for any lock.
pub(crate) fn wait_for_lease(core: &Core) -> Result<Lease> {
    let begun = Instant::now();
    loop {
        if let Some(lease) = lease(core)? {
            return Ok(lease);
        }
        if begun.elapsed() >= core.db.busy() {
            let name = core.dir.as_ref().and_then(|dir| std::fs::read_to_string(dir.join(LEASE)).ok());
            let holder = match name.filter(|name| !name.is_empty()) {
                Some(pid) => format!("process {pid}, which seals,"),
                None => "another process, which seals,".to_owned(),
            };
            return Err(Error::Busy { holder, waited_ms: begun.elapsed().as_millis() as u64 });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Takes the right to seal; `None` if another process has it.
pub(crate) fn lease(core: &Core) -> Result<Option<Lease>> {
    let Some(dir) = &core.dir else {
        return Ok(Some(Lease::NotNeeded));
    };
    let path = dir.join(LEASE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {
            // For whoever waits; a name that cannot be written is none.
            let pid = std::process::id().to_string();
            let _ = file.set_len(0).and_then(|()| (&file).write_all(pid.as_bytes()));
            Ok(Some(Lease::Held(file)))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}
