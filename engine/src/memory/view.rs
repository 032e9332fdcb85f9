//! What this process knows of the store: open segments and loaded namespaces, kept in step with
//! the database by change number.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::notice;
use crate::segment::{Expect, Segment};
use crate::store::authorities::Trust;
use crate::store::changes::{self, Op};
use crate::store::registry::{self, SegmentRow};
use crate::store::{Db, names, scales};
use crate::vector::Metric;
use crate::waits;

use super::files::Files;
use super::partition::Partition;
use super::points::Loaded;

/// The view of one handle.
pub(crate) struct View {
    store_id: [u8; 16],
    dimension: usize,
    metric: Metric,
    files: Files,
    /// Changes up to this one are in the view; -1 before the first.
    seq: AtomicI64,
    /// The newest acknowledged change that was known when the view last caught up. It is beyond `seq`
    /// where the database has lost what was acknowledged.
    asked: AtomicI64,
    /// The list of segments is that of this generation; 0 is none yet.
    generation: AtomicU64,
    /// Failures that this handle told since the view caught up to the change named.
    told: Mutex<(i64, f64)>,
    /// Held while catching up: one thread does it, the others wait for it.
    catching_up: Mutex<()>,
    known: RwLock<Known>,
    /// Segments found damaged by this handle, with what is wrong.
    condemned: Mutex<HashMap<String, String>>,
    /// Segments that are open and sound, and not in the list yet.
    ready: Mutex<HashMap<String, Segment>>,
}

#[derive(Default)]
struct Known {
    namespaces: HashMap<String, i64>,
    /// What is wrong with a row of the table: any name that is not known may be its.
    damage: Option<String>,
    partitions: HashMap<i64, Arc<Partition>>,
    segments: Arc<Vec<Arc<Loaded>>>,
}

impl View {
    pub(crate) fn new(store_id: [u8; 16], dimension: usize, metric: Metric, files: Files) -> Self {
        Self {
            store_id,
            dimension,
            metric,
            files,
            seq: AtomicI64::new(-1),
            asked: AtomicI64::new(-1),
            generation: AtomicU64::new(0),
            told: Mutex::default(),
            catching_up: Mutex::new(()),
            known: RwLock::default(),
            condemned: Mutex::default(),
            ready: Mutex::default(),
        }
    }

    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// The open segments.
    pub(crate) fn segments(&self) -> Arc<Vec<Arc<Loaded>>> {
        waits::read(&self.known).segments.clone()
    }

    /// Damaged segments that this handle has met: name and fault.
    pub(crate) fn condemned(&self) -> Vec<(String, String)> {
        waits::lock(&self.condemned).iter().map(|(name, fault)| (name.clone(), fault.clone())).collect()
    }

    /// Brings in what any process has acknowledged before this call. Free when there is nothing.
    pub(crate) fn catch_up(&self, db: &Db) -> Result<()> {
        let is_current = || {
            self.asked.load(Ordering::Acquire) >= db.acknowledged()
                && self.generation.load(Ordering::Acquire) == db.generation() + 1
        };
        if is_current() {
            return Ok(());
        }
        let _one = waits::lock(&self.catching_up);
        // Each round but the last takes a damaged segment out of use, so the rounds are bounded.
        while !is_current() && self.advance(db, true)? {}
        Ok(())
    }

    /// As [`View::catch_up`], but stays with the list of segments that it has: with what came since, they hold the
    /// same points as those of another list.
    pub(crate) fn follow(&self, db: &Db) -> Result<()> {
        if self.generation.load(Ordering::Acquire) == 0 || crate::sabotage::on("open_while_asked") {
            return self.catch_up(db);
        }
        let is_current = || self.asked.load(Ordering::Acquire) >= db.acknowledged();
        if is_current() {
            return Ok(());
        }
        let _one = self.catching_up.lock();
        if is_current() { Ok(()) } else { self.advance(db, false).map(|_| ()) }
    }

    /// Whether there is another list of segments than the one in use.
    pub(crate) fn has_other(&self, db: &Db) -> bool {
        self.generation.load(Ordering::Acquire) != db.generation() + 1
    }

    /// Goes over to the list of segments that is in force. Opening them holds nobody up.
    pub(crate) fn go_over(&self, db: &Db) -> Result<()> {
        let known = self.segments();
        let mut rows = db.read(registry::segments)?;
        rows.retain(|row| !known.iter().any(|loaded| loaded.row == *row));
        rows.retain(|row| !self.condemned.lock().contains_key(&row.name) && self.make_ready(row));
        let gone_over = self.catch_up(db);
        // What was opened in vain: others have replaced it meanwhile.
        for row in rows {
            self.forget_ready(&row.name);
        }
        gone_over
    }

    /// Opens a segment that is about to come into the list. Returns whether it was not open yet, and now is.
    pub(crate) fn make_ready(&self, row: &SegmentRow) -> bool {
        if self.ready.lock().contains_key(&row.name) {
            return false;
        }
        // What is wrong with it is found again, and told, when the list comes.
        let Ok(Ok(segment)) = self.open(row) else { return false };
        self.ready.lock().insert(row.name.clone(), segment).is_none()
    }

    /// The segment does not come into the list.
    pub(crate) fn forget_ready(&self, name: &str) {
        self.ready.lock().remove(name);
    }

    /// The loaded namespace with this name; `None` if there is none in the store.
    pub(crate) fn partition(&self, db: &Db, name: &str) -> Result<Option<Arc<Partition>>> {
        let id = {
            let known = waits::read(&self.known);
            let Some(&id) = known.namespaces.get(name) else {
                return known.damage.as_ref().map_or(Ok(None), |what| Err(Error::corrupt(what.clone())));
            };
            if let Some(partition) = known.partitions.get(&id) {
                return Ok(Some(partition.clone()));
            }
            id
        };
        let _one = waits::lock(&self.catching_up);
        if let Some(partition) = waits::read(&self.known).partitions.get(&id) {
            return Ok(Some(partition.clone()));
        }
        let segments = self.segments();
        let trust = db.trust();
        let partition = db.snapshot(|conn| {
            let seq = changes::last_seq(conn)?;
            Partition::load((conn, &trust), id, self.metric, seq, &segments)
        })?;
        let partition = Arc::new(partition);
        waits::write(&self.known).partitions.insert(id, partition.clone());
        Ok(Some(partition))
    }

    /// Notes failures of this weight that this handle told. Returns how much the evidence on a memory may
    /// differ at most from what the view has: by all of those since it caught up, and by whatever others
    /// told, which they look at themselves.
    pub(crate) fn note_failures(&self, db: &Db, failures: f64) -> f64 {
        let seq = self.seq.load(Ordering::Acquire);
        let mut told = waits::lock(&self.told);
        if told.0 != seq {
            *told = (seq, 0.0);
        }
        told.1 += failures;
        told.1 + (db.acknowledged() - seq).max(0) as f64
    }

    /// A namespace, if this handle has used it.
    pub(crate) fn loaded(&self, namespace: i64) -> Option<Arc<Partition>> {
        waits::read(&self.known).partitions.get(&namespace).cloned()
    }

    /// The namespaces this handle has used.
    pub(crate) fn all_loaded(&self) -> Vec<(i64, Arc<Partition>)> {
        waits::read(&self.known).partitions.iter().map(|(id, partition)| (*id, partition.clone())).collect()
    }

    /// Takes a damaged segment out of use: the points it held are read from the database until
    /// they are sealed again.
    pub(crate) fn condemn(&self, db: &Db, now: i64, name: &str, fault: &str) -> Result<()> {
        let _one = waits::lock(&self.catching_up);
        self.set_aside(db, now, name, fault)?;
        let mut known = waits::write(&self.known);
        let sound = known.segments.iter().filter(|loaded| loaded.row.name != name).cloned().collect();
        known.segments = Arc::new(sound);
        known.partitions.clear();
        Ok(())
    }

    /// Takes out of the registry what was found damaged when it could not be written.
    pub(crate) fn retire_condemned(&self, db: &Db, now: i64) -> Result<()> {
        let rows = db.read(registry::segments)?;
        for (name, fault) in self.condemned() {
            if rows.iter().any(|row| row.name == name) {
                self.set_aside(db, now, &name, &fault)?;
            }
        }
        Ok(())
    }

    /// One step of catching up, with the list of segments too if `relist` says so. Returns whether segments were set
    /// aside on the way, so that another step is needed.
    fn advance(&self, db: &Db, relist: bool) -> Result<bool> {
        // Before the snapshot, which then holds all of it: what comes later is for the next call.
        let (asked, generation, trust) = (db.acknowledged(), db.generation() + 1, db.trust());
        let mut bad = Vec::new();
        db.snapshot(|conn| {
            let seq = changes::last_seq(conn)?;
            let known = self.seq.load(Ordering::Acquire);
            if known < changes::thinned(conn)?.max(0) && !crate::sabotage::on("miss_thinned") {
                // The beginning, or the log lacks some of what came since: everything is read anew.
                let (sound, damage) = names::sound_namespaces(conn)?;
                let mut known = waits::write(&self.known);
                known.namespaces = sound.into_iter().map(|row| (row.name, row.id)).collect();
                known.damage = damage.map(|error| match error {
                    Error::Corrupt { what } => what,
                    other => other.to_string(),
                });
                known.partitions.clear();
            } else {
                self.apply((conn, &trust), &changes::after(conn, known)?)?;
            }
            if relist && self.generation.load(Ordering::Acquire) != generation {
                self.relist(conn, &mut bad)?;
            }
            self.seq.store(seq, Ordering::Release);
            self.asked.store(asked.max(seq), Ordering::Release);
            if relist {
                self.generation.store(generation, Ordering::Release);
            }
            Ok(())
        })?;
        for (name, fault) in &bad {
            self.set_aside(db, 0, name, fault)?;
        }
        Ok(!bad.is_empty())
    }

    /// Takes a segment out of use, and out of the registry if that can be written now; if not, the
    /// next seal does it. Another segment may have replaced it meanwhile: then its file is rightly gone.
    fn set_aside(&self, db: &Db, now: i64, name: &str, fault: &str) -> Result<()> {
        let registered = db.read(registry::segments)?.iter().any(|row| row.name == name);
        if !registered {
            return Ok(());
        }
        waits::lock(&self.condemned).entry(name.to_owned()).or_insert_with(|| {
            notice::warn(format_args!("segment {name} is set aside and will be built anew: {fault}"));
            fault.to_owned()
        });
        if db.is_read_only() {
            return Ok(());
        }
        match db.write(now, |tx| registry::retire(tx, name)) {
            Ok(_) => {
                self.files.set_aside(name);
                db.raise_generation();
                Ok(())
            }
            Err(Error::Busy { .. } | Error::DiskFull { .. } | Error::Io { .. } | Error::ReadOnly { .. }) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn apply(&self, (conn, trust): (&Connection, &Trust), news: &[changes::Change]) -> Result<()> {
        let mut others: HashMap<i64, Vec<changes::Change>> = HashMap::new();
        let mut rescale = false;
        for change in news {
            match change.op {
                Op::NamespaceAdded => {
                    if let Some(row) = names::namespace_by_id(conn, change.reference)? {
                        waits::write(&self.known).namespaces.insert(row.name, row.id);
                    }
                }
                Op::NamespaceDropped => {
                    let mut known = waits::write(&self.known);
                    known.namespaces.retain(|_, id| *id != change.reference);
                    known.partitions.remove(&change.reference);
                }
                Op::TrustChanged | Op::HalfLifeChanged => rescale = true,
                Op::FieldsChanged => {
                    let known = waits::read(&self.known);
                    known.partitions.values().for_each(|partition| partition.forget_filters());
                }
                // Looked at when it is asked for.
                Op::Rules => {}
                _ => others.entry(change.namespace).or_default().push(*change),
            }
        }
        for (namespace, changes) in others {
            let partition = waits::read(&self.known).partitions.get(&namespace).cloned();
            if let Some(partition) = partition
                && let Err(error) = partition.apply(conn, &changes)
            {
                // Half applied: it is loaded anew when it is next used.
                waits::write(&self.known).partitions.remove(&namespace);
                return Err(error);
            }
        }
        if rescale {
            let partitions: Vec<Arc<Partition>> =
                waits::read(&self.known).partitions.values().cloned().collect();
            let rescaled = scales::load(conn, trust).and_then(|scales| {
                partitions.iter().try_for_each(|partition| partition.rescale(conn, &scales))
            });
            if let Err(error) = rescaled {
                waits::write(&self.known).partitions.clear();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Goes over to the list of segments in the registry.
    fn relist(&self, conn: &Connection, bad: &mut Vec<(String, String)>) -> Result<()> {
        let before = self.segments();
        let mut segments = Vec::new();
        for row in registry::segments(conn)? {
            if waits::lock(&self.condemned).contains_key(&row.name) {
                continue;
            }
            if let Some(loaded) = before.iter().find(|loaded| loaded.row == row) {
                segments.push(loaded.clone());
                continue;
            }
            let ready = self.ready.lock().remove(&row.name);
            match ready.map_or_else(|| self.open(&row), |segment| Ok(Ok(segment)))? {
                Ok(segment) => segments.push(Arc::new(Loaded { row, segment })),
                Err(fault) => bad.push((row.name, fault)),
            }
        }
        // Points of a segment that is gone without a successor have to be read from the database:
        // namespaces are loaded again when they are next used. Otherwise they just go over.
        let covered = |row: &SegmentRow| segments.iter().any(|s| s.row.lo <= row.lo && row.hi <= s.row.hi);
        let partitions: Vec<Arc<Partition>> = if before.iter().all(|old| covered(&old.row)) {
            waits::read(&self.known).partitions.values().cloned().collect()
        } else {
            waits::write(&self.known).partitions.clear();
            Vec::new()
        };
        for partition in partitions {
            partition.reseal(conn, &segments)?;
        }
        waits::write(&self.known).segments = Arc::new(segments);
        Ok(())
    }

    /// Opens a segment; in the inner result, what is wrong with its file. That the system has no room,
    /// handles or right for it now is an error and no fault of the file.
    fn open(&self, row: &SegmentRow) -> Result<Result<Segment, String>> {
        let expect = Expect {
            store_id: self.store_id,
            dim: self.dimension,
            seq_lo: row.lo.cast_unsigned(),
            seq_hi: row.hi.cast_unsigned(),
            rows_hash: row.rows_hash.cast_unsigned(),
        };
        Ok(match self.files.open(&row.name)? {
            Some(bytes) => Segment::open(bytes, &expect).map_err(|fault| fault.to_string()),
            None => Err("the file is missing".to_owned()),
        })
    }
}
