//! Taking over a graph that was built elsewhere: its links are kept as far as they can be, and what its
//! builder left out of reach is linked in.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::vector::{Kernel, Task, dispatch};

use super::build::{BuiltGraph, Cancelled, CodeTable, Rows, sort};
use super::prune::select_diverse;
use super::repair::repair;
use super::view::NO_LINK;

/// A point of a graph from elsewhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct GivenPoint {
    /// The owner it stands for; several points may have the same vector.
    pub id: u64,
    /// The highest layer it belongs to.
    pub level: u8,
    /// Its neighbours on layer 0, 1, ..., as places in the list of points. There may be lists for layers
    /// above its level, which count for [`Given::reachable`] alone.
    pub links: Vec<Vec<u32>>,
}

/// A graph from elsewhere. Nothing of it is trusted: places that are none and links of a point to itself
/// are passed over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    /// Links per point on the upper layers, twice as many on layer 0; 2 to 128.
    pub m: usize,
    /// Where its searches begin.
    pub entry: u32,
    pub points: Vec<GivenPoint>,
}

impl Given {
    /// How many points any search could come to: all that can be reached from the entry point along links,
    /// down the layers and never up.
    pub(crate) fn reachable(&self) -> u64 {
        let mut met = vec![false; self.points.len()];
        let mut open = Vec::new();
        if let Some(entry) = met.get_mut(self.entry as usize) {
            *entry = true;
            open.push(self.entry);
        }
        let layers = self.points.iter().map(|point| point.links.len()).max().unwrap_or(0);
        for layer in (0..layers).rev() {
            let mut at = 0;
            while let Some(&point) = open.get(at) {
                for &to in self.points[point as usize].links.get(layer).into_iter().flatten() {
                    if met.get_mut(to as usize).is_some_and(|met| !std::mem::replace(met, true)) {
                        open.push(to);
                    }
                }
                at += 1;
            }
        }
        open.len() as u64
    }
}

/// Makes a graph over the nodes of `table` out of one from elsewhere. `node_of` has the node of each of its
/// points, if it has one. Points with the same node become one: it has the links of all. A row with more
/// links than there is room for is chosen anew by the diversity rule. Then every node is made findable.
pub(crate) fn adopt(
    table: &mut CodeTable,
    given: &Given,
    node_of: &[Option<u32>],
    pool: &rayon::ThreadPool,
    cancel: &AtomicBool,
) -> Result<BuiltGraph, Cancelled> {
    let mut levels = vec![0u8; table.len()];
    for (point, node) in given.points.iter().zip(node_of) {
        if let Some(node) = node {
            let level = &mut levels[*node as usize];
            *level = point.level.max(*level);
        }
    }
    let highest = levels.iter().copied().max().unwrap_or(0);
    let entry = node_of.get(given.entry as usize).copied().flatten();
    let entry = entry.filter(|&node| levels[node as usize] == highest);
    let first = || levels.iter().position(|&level| level == highest).unwrap_or(0) as u32;
    let entry = entry.unwrap_or_else(first);
    let rows = dispatch(TakeOver { table, given, node_of, rows: Rows::empty(given.m, levels) });
    let mut graph = rows.finish(entry);
    graph.settle(table, given.m);
    if crate::sabotage::on("strays_stay") {
        return Ok(graph);
    }
    let before = graph.links.clone();
    repair(table, &mut graph, given.m, pool, cancel);
    graph.added =
        before.chunks_exact(2 * given.m).zip(graph.links.chunks_exact(2 * given.m)).map(added).sum();
    if cancel.load(Relaxed) { Err(Cancelled) } else { Ok(graph) }
}

/// How many links the second row has that the first has not.
fn added((before, after): (&[u32], &[u32])) -> u64 {
    after.iter().filter(|&to| *to != NO_LINK && !before.contains(to)).count() as u64
}

/// Fills the rows.
struct TakeOver<'a> {
    table: &'a CodeTable,
    given: &'a Given,
    node_of: &'a [Option<u32>],
    rows: Rows,
}

impl Task for TakeOver<'_> {
    type Out = Rows;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Rows {
        let TakeOver { table, given, node_of, mut rows } = self;
        let mut points: Vec<(u32, u32)> =
            node_of.iter().enumerate().filter_map(|(p, node)| node.map(|node| (node, p as u32))).collect();
        points.sort_unstable();
        let (mut near, mut kept) = (Vec::new(), Vec::new());
        let mut rest = points.as_slice();
        while let Some(&(node, _)) = rest.first() {
            let (here, after) = rest.split_at(rest.partition_point(|p| p.0 == node));
            rest = after;
            for layer in 0..=rows.levels[node as usize] {
                near.clear();
                for &(_, point) in here {
                    let given = &given.points[point as usize];
                    let links = given.links.get(layer as usize).filter(|_| layer <= given.level);
                    for &to in links.into_iter().flatten() {
                        let Some(to) = node_of.get(to as usize).copied().flatten() else { continue };
                        let fits = to != node && rows.levels[to as usize] >= layer;
                        if fits && !near.iter().any(|&(_, known)| known == to) {
                            near.push((0.0, to));
                        }
                    }
                }
                let row = rows.row_mut(node, layer);
                if near.len() > row.len() {
                    for (distance, to) in &mut near {
                        *distance = table.distance(kernel, *to, node);
                    }
                    sort(&mut near);
                    select_diverse(&near, row.len(), |a, b| table.distance(kernel, a, b), &mut kept);
                    std::mem::swap(&mut near, &mut kept);
                }
                row.iter_mut().zip(&near).for_each(|(slot, (_, to))| *slot = *to);
            }
        }
        rows
    }
}
