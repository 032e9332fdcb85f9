//! Points of one kind in one namespace: those in segments, less those that count no more, and
//! those in no segment yet.

use std::borrow::Cow;
use std::sync::Arc;

use roaring::RoaringTreemap;
use rusqlite::Connection;

use crate::error::Result;

use crate::graph::{Accept, Effort, Found, Scratch, TailRow, Want, scan_rows};
use crate::segment::{Segment, SegmentFault, SpaceKind};
use crate::store::cells::{self, CellRow};
use crate::store::registry::SegmentRow;
use crate::store::{changes, memories};
use crate::vector::{Metric, Probe};

/// However many of a segment's points are dead, a walk is not made more than so many times as wide for it: such a
/// segment is about to be written anew.
const MOST_DEAD: usize = 4;

/// An open segment and its entry in the registry.
pub(crate) struct Loaded {
    pub row: SegmentRow,
    pub segment: Segment,
}

/// A point in no segment yet.
pub(crate) struct Fresh {
    /// The change that brought it.
    pub seq: i64,
    pub row: TailRow,
}

/// A segment as one namespace sees it.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub loaded: Arc<Loaded>,
    /// Memories of the segment that count no more.
    pub dead_memories: Arc<RoaringTreemap>,
    /// Cells of the segment that count no more.
    pub dead_cells: Arc<RoaringTreemap>,
}

/// A damaged segment, met while searching.
#[derive(Debug)]
pub(crate) struct Damage {
    pub name: String,
    pub fault: SegmentFault,
}

/// Which points may be found, beyond those that count.
#[derive(Clone, Copy)]
pub(crate) enum Among<'a> {
    All,
    /// Those in the set, which holds only points that count.
    Set(&'a RoaringTreemap),
    Test(&'a dyn Fn(u64) -> bool),
}

impl Among<'_> {
    fn has(&self, id: u64) -> bool {
        match self {
            Among::All => true,
            Among::Set(set) => set.contains(id),
            Among::Test(test) => test(id),
        }
    }
}

impl Sealed {
    fn dead(&self, kind: SpaceKind) -> &RoaringTreemap {
        match kind {
            SpaceKind::Memories => &self.dead_memories,
            SpaceKind::Experiences => &self.dead_cells,
        }
    }

    fn damage(&self, fault: SegmentFault) -> Damage {
        Damage { name: self.loaded.row.name.clone(), fault }
    }
}

/// What to search for.
pub(crate) struct Search<'a> {
    pub namespace: i64,
    pub kind: SpaceKind,
    pub probe: &'a Probe,
    pub want: usize,
    /// How many of them have to be right whatever the error of the codes.
    pub sure: usize,
    pub width: usize,
    pub among: Among<'a>,
}

impl Search<'_> {
    /// The best `want` points that count, by similarity, then id.
    pub(crate) fn run(
        &self,
        sealed: &[Sealed],
        fresh: &[Arc<Fresh>],
        scratch: &mut Scratch,
        effort: &mut Effort,
    ) -> Result<Vec<Found>, Damage> {
        let mut found = Vec::new();
        scratch.begin();
        for part in sealed {
            let Some(space) = part.loaded.segment.space(self.namespace.cast_unsigned(), self.kind) else {
                continue;
            };
            let dead = part.dead(self.kind);
            let undead = crate::sabotage::on("dead_points_live");
            let alive = |id: u64| (undead || !dead.contains(id)) && self.among.has(id);
            let left;
            let accept = match self.among {
                Among::All if dead.is_empty() => Accept::All,
                Among::Set(set) if undead || set.is_disjoint(dead) => Accept::Only(set),
                Among::Set(set) => {
                    left = set - dead;
                    Accept::Only(&left)
                }
                _ => Accept::Test(&alive),
            };
            // The dead take places of a walk as well; of a set, the search knows how few it lets through.
            let owners = space.owners();
            let width = if matches!(accept, Accept::Only(_)) {
                self.width
            } else {
                let living = owners.saturating_sub(dead.len() as usize).max(owners.div_ceil(MOST_DEAD));
                self.width.saturating_mul(owners).div_ceil(living.max(1))
            };
            space
                .search(
                    self.probe,
                    Want { best: self.want, sure: self.sure },
                    width,
                    accept,
                    scratch,
                    effort,
                    &mut found,
                )
                .map_err(|fault| part.damage(fault))?;
        }
        let accept = match self.among {
            Among::All => Accept::All,
            Among::Set(set) => Accept::Only(set),
            Among::Test(test) => Accept::Test(test),
        };
        let rows = fresh.iter().map(|fresh| &fresh.row);
        if crate::sabotage::on("hide_unsealed") {
            return Ok(found);
        }
        scan_rows(self.probe, rows, self.want, accept, scratch, effort, &mut found);
        found.sort_unstable_by(Found::order);
        found.truncate(self.want);
        Ok(found)
    }
}

/// The prepared vector of a memory that counts, wherever it lies.
pub(crate) fn memory_vector<'a>(
    namespace: i64,
    id: u64,
    sealed: &'a [Sealed],
    fresh: &'a [Arc<Fresh>],
) -> Result<Option<Cow<'a, [f32]>>, Damage> {
    if let Some(fresh) = fresh.iter().find(|fresh| fresh.row.id() == id) {
        return Ok(Some(fresh.row.vector().into()));
    }
    for part in sealed.iter().filter(|part| !part.dead_memories.contains(id)) {
        let space = part.loaded.segment.space(namespace.cast_unsigned(), SpaceKind::Memories);
        if let Some(space) = space
            && let Some(vector) = space.vector(id).map_err(|fault| part.damage(fault))?
        {
            return Ok(Some(vector));
        }
    }
    Ok(None)
}

/// The metric in which situations are compared: that of the memories, but cosine under dot, whose
/// scale differs from query to query.
pub(crate) fn experience_metric(metric: Metric) -> Metric {
    if metric == Metric::Dot { Metric::Cosine } else { metric }
}

/// The ranges of changes up to `seq` that no segment covers, as `(after, up to)`. The segments
/// come in order and do not overlap.
pub(crate) fn gaps(segments: &[Arc<Loaded>], seq: i64) -> Vec<(i64, i64)> {
    let mut gaps = Vec::new();
    let mut covered = 0;
    for segment in segments {
        if covered < segment.row.lo {
            gaps.push((covered, segment.row.lo));
        }
        covered = covered.max(segment.row.hi);
    }
    if covered < seq {
        gaps.push((covered, seq));
    }
    gaps
}

pub(super) fn view_of(conn: &Connection, namespace: i64, loaded: &Arc<Loaded>) -> Result<Sealed> {
    let dead = |kind, cells: bool| -> Result<Arc<RoaringTreemap>> {
        let Some(space) = loaded.segment.space(namespace.cast_unsigned(), kind) else {
            return Ok(Arc::default());
        };
        // Most went away before the segment was written, or came after it: a search need not ask for these.
        let ids = changes::masked_after(conn, namespace, loaded.row.hi, cells)?;
        Ok(Arc::new(ids.into_iter().filter(|id| space.contains(*id)).collect()))
    };
    Ok(Sealed {
        loaded: loaded.clone(),
        dead_memories: dead(SpaceKind::Memories, false)?,
        dead_cells: dead(SpaceKind::Experiences, true)?,
    })
}

pub(super) fn fresh_memory(
    conn: &Connection,
    metric: Metric,
    id: i64,
    seq: i64,
) -> Result<Option<Arc<Fresh>>> {
    let Some(vector) = memories::vector(conn, id)? else {
        return Ok(None);
    };
    let row = TailRow::new(metric, id.cast_unsigned(), &metric.prepare(&vector)?);
    Ok(Some(Arc::new(Fresh { seq, row })))
}

pub(super) fn fresh_cell(conn: &Connection, metric: Metric, cell: &CellRow) -> Result<Arc<Fresh>> {
    let metric = experience_metric(metric);
    let vector = metric.prepare(&cells::situation(conn, cell.situation)?)?;
    let row = TailRow::new(metric, cell.id.cast_unsigned(), &vector);
    Ok(Arc::new(Fresh { seq: cell.seq, row }))
}
