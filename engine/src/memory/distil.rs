//! Distilling: near-duplicates among the memories of a namespace are merged into the oldest of them.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use crate::error::{Error, Result};
use crate::graph::{Effort, Found};
use crate::id::MemoryId;
use crate::segment::SpaceKind;
use crate::store::audit::{self, Actor};
use crate::store::memories::{self, LIVE, MemoryRow};
use crate::store::{Tx, aliases, names, standings};
use crate::vector::Probe;

use super::core::{Core, check_name};
use super::govern;
use super::points::{Among, Damage, Search};
use super::snapshot::Snapshot;
use super::store::Store;

/// Neighbours looked at first; more while all of them are near enough.
const NEIGHBOURS: usize = 16;
/// Mergers in one transaction.
const BATCH: usize = 256;

/// A merger.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Merge {
    /// The memory that stays.
    pub survivor: MemoryId,
    /// The memory that is no hit any more; its id still stands for the survivor.
    pub absorbed: MemoryId,
    /// Similarity of the two, in the store's metric.
    pub similarity: f32,
}

impl Store {
    /// Merges near-duplicates of a namespace: memories of one kind whose similarity is at least
    /// `threshold` (cosine, dot product, or minus the squared distance). The oldest survives and has
    /// the evidence of all; what is reported on the others counts for it. Memories that expire, and
    /// pinned ones, are merged into no other. Returns what was merged; [`Store::separate`] undoes it.
    pub fn distil(&self, namespace: &str, threshold: f32) -> Result<Vec<Merge>> {
        self.core.enter()?;
        distil(&self.core, namespace, threshold)
    }

    /// Undoes the merger of a memory: it is a hit again and has its own evidence, as if it had never
    /// been merged.
    pub fn separate(&self, id: MemoryId) -> Result<()> {
        self.core.enter()?;
        self.core.writable()?;
        let core = &*self.core;
        let survivor = core.db.write(core.now(), |tx| {
            let memory = id.0.cast_signed();
            let row = memories::load(tx.conn, memory)?.ok_or(Error::UnknownMemory { id: id.0 })?;
            let survivor = aliases::survivor(tx.conn, memory)?;
            aliases::separate(tx, memory)?;
            let detail = json!({ "survivor": survivor });
            audit::record(tx, Actor::Owner, "separate", row.namespace, memory, &detail)?;
            Ok(survivor)
        })?;
        govern::review(core, survivor.into_iter().chain([id.0.cast_signed()]));
        self.seal_if_due();
        Ok(())
    }
}

fn distil(core: &Core, namespace: &str, threshold: f32) -> Result<Vec<Merge>> {
    core.writable()?;
    check_name("namespace", namespace)?;
    if !threshold.is_finite() {
        return Err(Error::invalid("threshold", format!("it is {threshold}; a similarity is finite")));
    }
    let found = loop {
        core.view.catch_up(&core.db)?;
        match find(core, namespace, threshold) {
            Ok(found) => break found?,
            // Each round takes a damaged segment out of use, so the rounds are bounded.
            Err(Damage { name, fault }) => {
                core.view.condemn(&core.db, core.now(), &name, &fault.to_string())?;
            }
        }
    };
    let mut done = Vec::new();
    for batch in found.chunks(BATCH) {
        let merged = core.db.write(core.now(), |tx| {
            let mut merged = Vec::new();
            for merge in batch {
                if absorb(core, tx, Actor::Owner, *merge)? {
                    merged.push(*merge);
                }
            }
            Ok(merged)
        })?;
        govern::review(core, merged.iter().map(|merge| merge.survivor.0.cast_signed()));
        done.extend(merged);
    }
    Ok(done)
}

/// Merges two memories if they are still what they were when they were found: live, as near to one another, and the
/// one that goes not pinned. Returns whether they were.
pub(crate) fn absorb(core: &Core, tx: &mut Tx<'_>, actor: Actor<'_>, merge: Merge) -> Result<bool> {
    let load = |tx: &Tx<'_>, id: MemoryId| -> Result<Option<MemoryRow>> {
        Ok(memories::load(tx.conn, id.0.cast_signed())?.filter(|row| row.status == LIVE))
    };
    let (Some(survivor), Some(row)) = (load(tx, merge.survivor)?, load(tx, merge.absorbed)?) else {
        return Ok(false);
    };
    let same = (row.namespace, row.kind) == (survivor.namespace, survivor.kind);
    if !same || !may_merge(&row) || !may_merge(&survivor) || row.id == survivor.id {
        return Ok(false);
    }
    let (namespace, memory) = (row.namespace, row.id);
    let vector = |id| -> Result<Option<Vec<f32>>> {
        memories::vector(tx.conn, id)?.map(|vector| core.prepare(&vector)).transpose()
    };
    let (Some(mine), Some(others)) = (vector(memory)?, vector(survivor.id)?) else {
        return Ok(false);
    };
    // The same two vectors have the same similarity, bit for bit.
    let near = core.metric.similarity(&others, &mine).to_bits() == merge.similarity.to_bits();
    let pinned = standings::load(tx.conn, memory)?.is_some_and(|row| row.pinned);
    if (pinned || !near) && !crate::sabotage::on("merges_unchecked") {
        return Ok(false);
    }
    aliases::merge(tx, row, survivor.id)?;
    let detail = json!({ "survivor": survivor.id, "similarity": merge.similarity });
    audit::record(tx, actor, "merge", namespace, memory, &detail)?;
    Ok(true)
}

/// Whether a memory can take part: what expires must not live on in another, nor take another with it.
fn may_merge(row: &MemoryRow) -> bool {
    row.expires_at.is_none()
}

/// The near-duplicates of a namespace, greedily in the order of ids.
fn find(core: &Core, namespace: &str, threshold: f32) -> Result<Result<Vec<Merge>>, Damage> {
    let listed = || -> Result<_> {
        let Some(partition) = core.view.partition(&core.db, namespace)? else {
            return Ok(None);
        };
        let seen = partition.snapshot(core.now());
        core.db.snapshot(|conn| {
            let pinned: HashSet<i64> = standings::all(conn, Some(seen.namespace))?
                .into_iter()
                .filter(|row| row.pinned)
                .map(|row| row.memory)
                .collect();
            let (mut rows, mut after) = (Vec::new(), 0);
            loop {
                let page = memories::page(conn, Some(seen.namespace), after, 1000)?;
                let Some(last) = page.last() else {
                    break;
                };
                after = last.id;
                let eligible = page.into_iter().filter(|row| row.status == LIVE && may_merge(row));
                rows.extend(eligible.map(|row| (row.id.cast_unsigned(), row.kind)));
            }
            let pinned: HashSet<u64> = pinned.into_iter().map(i64::cast_unsigned).collect();
            Ok(Some((seen, rows, pinned)))
        })
    };
    let (seen, rows, pinned) = match listed() {
        Ok(Some(listed)) => listed,
        Ok(None) => return Ok(Ok(Vec::new())),
        Err(error) => return Ok(Err(error)),
    };
    let kinds: HashMap<u64, i64> = rows.iter().copied().collect();
    let mut absorbed: HashSet<u64> = HashSet::new();
    let mut found = Vec::new();
    for (id, kind) in rows {
        if absorbed.contains(&id) {
            continue;
        }
        let vector = match core.db.read(|conn| memories::vector(conn, id.cast_signed())) {
            Ok(Some(vector)) => vector,
            Ok(None) => continue,
            Err(error) => return Ok(Err(error)),
        };
        let probe = match core.prepare(&vector) {
            Ok(prepared) => Probe::new(core.metric, &prepared),
            Err(error) => return Ok(Err(error)),
        };
        let accept = |other: u64| kinds.get(&other) == Some(&kind) && !absorbed.contains(&other);
        let near = near(core, &seen, &probe, threshold, &accept)?;
        for other in near.into_iter().filter(|other| other.id > id && !pinned.contains(&other.id)) {
            absorbed.insert(other.id);
            let (survivor, absorbed) = (MemoryId(id), MemoryId(other.id));
            found.push(Merge { survivor, absorbed, similarity: other.similarity });
        }
    }
    Ok(Ok(found))
}

/// The points at least that similar, best first.
fn near(
    core: &Core,
    seen: &Snapshot,
    probe: &Probe,
    threshold: f32,
    accept: &dyn Fn(u64) -> bool,
) -> Result<Vec<Found>, Damage> {
    let most = seen.points(SpaceKind::Memories);
    let mut want = NEIGHBOURS.min(most);
    loop {
        let search = Search {
            namespace: seen.namespace,
            kind: SpaceKind::Memories,
            probe,
            want,
            sure: want,
            width: core.settings.width.max(want),
            among: Among::Test(accept),
        };
        let mut found = core.with_scratch(|scratch| {
            search.run(&seen.sealed, &seen.fresh_memories, scratch, &mut Effort::default())
        })?;
        let all_near = found.last().is_some_and(|last| last.similarity >= threshold);
        if all_near && found.len() == want && want < most {
            want = (2 * want).min(most);
            continue;
        }
        found.retain(|found| found.similarity >= threshold);
        return Ok(found);
    }
}

/// The memory that a new one of this namespace and kind is to be merged into: the nearest at least that
/// similar, and the similarity.
pub(crate) fn nearest(
    core: &Core,
    namespace: &str,
    kind: &str,
    prepared: &[f32],
    threshold: f32,
) -> Result<Option<(MemoryId, f32)>> {
    let Some(kind) = core.db.read(|conn| names::kind_by_name(conn, kind))? else {
        return Ok(None);
    };
    let probe = Probe::new(core.metric, prepared);
    loop {
        core.view.catch_up(&core.db)?;
        let Some(partition) = core.view.partition(&core.db, namespace)? else {
            return Ok(None);
        };
        let (kinds, _) = partition.of_kind(&core.db, kind)?;
        let seen = partition.snapshot(core.now());
        let accept = |id: u64| kinds.contains(id) && !seen.expiring.contains_key(&id);
        match near(core, &seen, &probe, threshold, &accept) {
            Ok(found) => return Ok(found.first().map(|found| (MemoryId(found.id), found.similarity))),
            Err(Damage { name, fault }) => {
                core.view.condemn(&core.db, core.now(), &name, &fault.to_string())?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::{Memory, Update};
    use super::super::options::Options;
    use super::*;

    #[test]
    fn what_changed_since_it_was_found_is_not_merged() {
        for (changed, merged) in [("nothing", true), ("one", false), ("other", false), ("pin", false)] {
            let store = Store::open(":memory:", Options::new(2)).expect("opens");
            let one = store.remember(Memory::new("one", [1.0, 0.0])).expect("stored");
            let other = store.remember(Memory::new("other", [1.0, 0.001])).expect("stored");
            store.core.view.catch_up(&store.core.db).expect("caught up");
            let found = find(&store.core, "default", 0.99).expect("no damage").expect("no error");
            assert_eq!(found.len(), 1);
            match changed {
                "one" => store.update(one, Update::new().vector([0.0, 1.0])).expect("updated"),
                "other" => store.update(other, Update::new().vector([0.0, 1.0])).expect("updated"),
                "pin" => store.pin(other).expect("pinned"),
                _ => {}
            }
            let core = &store.core;
            let done =
                core.db.write(core.now(), |tx| absorb(core, tx, Actor::Owner, found[0])).expect("written");
            assert_eq!(done, merged, "{changed}");
        }
    }
}
