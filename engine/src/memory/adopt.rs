//! Adopting an index that was built with the crate `hnsw_rs`.

use std::any::TypeId;

use hnsw_rs::anndists::dist::distances::{DistCosine, DistDot, DistL2, Distance};
use hnsw_rs::hnsw::Hnsw;

use crate::error::{Error, Result};
use crate::graph::{Given, export};
use crate::id::MemoryId;
use crate::segment::{self, SpaceKind};
use crate::store::names;
use crate::vector::Metric;

use super::core::{Core, check_name};
use super::doubles::Doubles;
use super::input::Memory;
use super::policy;
use super::remember::Batch;
use super::seal;
use super::store::Store;

/// Most points of an index: a segment counts its nodes in 31 bits.
const MOST_POINTS: usize = (1 << 31) - 1;

/// What [`Store::adopt`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adopted {
    /// For each point, the number it was inserted with and the memory it is now; by number.
    pub ids: Vec<(usize, MemoryId)>,
    /// Points of the index that a search of it could come to: those that can be reached from its entry
    /// point along links, down its layers. All others it can never find.
    pub reachable_before: u64,
    /// Points that can be reached in the segment written, all of whose vectors were read back and found
    /// whole.
    pub reachable_after: u64,
    /// Links on the lowest layer that the index did not have; 0 where there are too few points for a graph
    /// ([`Options::scan_below`](crate::Options::scan_below)), which are scanned.
    pub links_added: u64,
}

impl Store {
    /// Takes over an index built with the crate `hnsw_rs` into a namespace without memories: its points
    /// become memories, and its graph becomes a segment instead of one being built. The graph is read out,
    /// points that its searches cannot find are linked in, and from then on it is served from the mapped
    /// file; the index itself is not changed and can be dropped.
    ///
    /// `memory` makes the memory of each point from the number it was inserted with and its vector, which
    /// must stay as it is; its namespace is always `namespace`. Points are taken in the order of their numbers,
    /// by which [`Adopted::ids`] is ordered too, and errors name the row.
    ///
    /// ```
    /// use hnsw_rs::anndists::dist::DistCosine;
    /// use hnsw_rs::hnsw::Hnsw;
    /// use wisen::{Memory, Options, Query, Store};
    ///
    /// # fn main() -> wisen::Result<()> {
    /// let texts = ["restart the service", "clear the cache"];
    /// let index: Hnsw<f32, DistCosine> = Hnsw::new(16, 2, 16, 200, DistCosine);
    /// index.insert((&[0.9, 0.1, 0.0, 0.1], 0));
    /// index.insert((&[0.8, 0.2, 0.1, 0.0], 1));
    ///
    /// let store = Store::open(":memory:", Options::new(4))?;
    /// let adopted = store.adopt(&index, "default", |id, vector| Memory::new(texts[id], vector))?;
    /// assert_eq!((adopted.ids.len(), adopted.reachable_after), (2, 2));
    /// let recall = store.recall(&Query::new([0.9, 0.1, 0.0, 0.1]).k(1).content(true))?;
    /// assert_eq!(recall.hits[0].content.as_deref(), Some("restart the service"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// All of it is one transaction: it is stored, indexed and durable on return, or nothing is. Recalls go
    /// on meanwhile; other writers wait, for as long as their busy timeout allows. A later seal that merges
    /// the segment, or a compaction, builds a graph of the engine's own.
    ///
    /// [`InvalidArgument`](crate::Error::InvalidArgument) if the index is empty, its distance is not that of
    /// the store (`DistCosine` and, of unit vectors, `DistDot` for cosine; `DistDot` for dot; `DistL2` for
    /// l2), the namespace has memories or merges near-duplicates ([`Policy`](crate::Policy)), or `memory`
    /// changes a vector; [`WrongDimension`](crate::Error::WrongDimension),
    /// [`NotFinite`](crate::Error::NotFinite) and [`ZeroVector`](crate::Error::ZeroVector) as in
    /// [`remember_many`](Store::remember_many); [`Busy`](crate::Error::Busy) if another process seals for
    /// longer than the busy timeout.
    pub fn adopt<D>(
        &self,
        index: &Hnsw<'_, f32, D>,
        namespace: &str,
        memory: impl FnMut(usize, &[f32]) -> Memory,
    ) -> Result<Adopted>
    where
        D: Distance<f32> + Send + Sync + 'static,
    {
        self.core.enter()?;
        adopt(&self.core, index, namespace, memory)
    }
}

fn adopt<D: Distance<f32> + Send + Sync + 'static>(
    core: &Core,
    index: &Hnsw<'_, f32, D>,
    namespace: &str,
    mut memory: impl FnMut(usize, &[f32]) -> Memory,
) -> Result<Adopted> {
    core.writable()?;
    check_name("namespace", namespace)?;
    compares_by::<D>(core.metric)?;
    if policy::get(core, namespace)?.distil_at.is_some() {
        let why = "its policy merges near-duplicates, so the index would have points without memories; adopt \
                   first and set the policy then";
        return Err(Error::invalid("namespace", why));
    }
    let export = export(index);
    let points = export.data_ids.len();
    if !(1..=MOST_POINTS).contains(&points) {
        return Err(Error::invalid(
            "index",
            format!("it has {points} points; 1 to {MOST_POINTS} can be adopted"),
        ));
    }
    let mut memories = Vec::with_capacity(points);
    for (row, (&id, vector)) in export.data_ids.iter().zip(export.vectors()).enumerate() {
        if vector.len() != core.identity.dimension {
            let wrong = Error::WrongDimension { expected: core.identity.dimension, got: vector.len() };
            // The same for all, unless the index is odd.
            return Err(if row == 0 { wrong } else { Error::Row { row, source: Box::new(wrong) } });
        }
        let made = memory(id, vector).namespace(namespace);
        if made.vector.len() != vector.len()
            || made.vector.iter().zip(vector).any(|(a, b)| a.to_bits() != b.to_bits())
        {
            let changed = Error::invalid("vector", "it is not that of the point: the graph would not fit it");
            return Err(Error::Row { row, source: Box::new(changed) });
        }
        memories.push(made);
    }
    let batch = Batch::check(core, memories)?;
    let mut doubles = Doubles::find(core, &batch.memories)?;
    let Given { m, entry, points } = export.given;
    let mut given = Given { m, entry, points };
    let reachable_before = given.reachable();
    let ((space, ids), report) = seal::adopt(core, |tx| {
        let taken = |row: &names::NamespaceRow| row.memories > 0;
        if names::namespace_by_name(tx.conn, namespace)?.as_ref().is_some_and(taken) {
            let why = format!("{namespace:?} has memories already; name a new one");
            return Err(Error::invalid("namespace", why));
        }
        let ids = batch.store(core, tx, &mut doubles)?;
        for (point, id) in given.points.iter_mut().zip(&ids) {
            point.id = id.0;
        }
        let row = names::namespace_by_name(tx.conn, namespace)?;
        let space = row.ok_or_else(|| Error::internal("a namespace that was just filled is missing"))?.id;
        Ok((space, std::mem::take(&mut given), (space, ids)))
    })?;
    let segments = core.view.segments();
    let found = segments
        .iter()
        .find_map(|loaded| segment::findable(&loaded.segment, space.cast_unsigned(), SpaceKind::Memories));
    Ok(Adopted {
        // A file that cannot be used was set aside: the points are scanned until they are sealed again.
        reachable_after: found.unwrap_or(ids.len() as u64),
        ids: export.data_ids.into_iter().zip(ids).collect(),
        reachable_before,
        links_added: report.links_added,
    })
}

/// Refuses an index whose neighbours are others than those of the store.
fn compares_by<D: 'static>(metric: Metric) -> Result<()> {
    let is = |of: TypeId| TypeId::of::<D>() == of;
    let fits = match metric {
        Metric::Cosine => is(TypeId::of::<DistCosine>()) || is(TypeId::of::<DistDot>()),
        Metric::Dot => is(TypeId::of::<DistDot>()),
        Metric::L2 => is(TypeId::of::<DistL2>()),
    };
    if fits {
        return Ok(());
    }
    let distance = std::any::type_name::<D>();
    let why = format!(
        "its distance is {distance}, the store compares by {}: use a store with the metric that fits, or \
         remember the vectors",
        metric.as_str()
    );
    Err(Error::invalid("index", why))
}
