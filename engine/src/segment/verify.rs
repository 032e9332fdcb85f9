//! The thorough check of an open segment: what `open` leaves to the first read, and whether every stored
//! point can be found.

use crate::graph::{NO_LINK, reachable};

#[cfg(feature = "hnsw_rs")]
use super::format::SpaceKind;
use super::read::Segment;
use super::space::Space;

/// What [`verify`] found. A sound segment has zeros from `unreachable` on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SegmentReport {
    pub spaces: u64,
    /// Spaces with a graph.
    pub graphs: u64,
    pub nodes: u64,
    pub owners: u64,
    /// Nodes that cannot be reached from the entry point on layer 0.
    pub unreachable: u64,
    /// Records of upper layers that cannot be reached from the entry point on their highest layer or by
    /// descending: shortcuts that are not used. They are no fault, their nodes count above.
    pub unused_records: u64,
    /// Vectors whose checksum does not match.
    pub bad_vectors: u64,
}

impl SegmentReport {
    /// Whether every point can be found and every vector is whole.
    #[cfg(test)]
    pub(crate) fn is_sound(&self) -> bool {
        self.unreachable == 0 && self.bad_vectors == 0
    }
}

/// Reads every vector and walks every graph. Codes, links and ids were checked when the segment was opened.
pub(crate) fn verify(segment: &Segment) -> SegmentReport {
    let mut report = SegmentReport::default();
    for (namespace, kind, owners) in segment.spaces() {
        let Some(space) = segment.space(namespace, kind) else { continue };
        report.spaces += 1;
        report.owners += owners as u64;
        report.nodes += space.nodes() as u64;
        report.bad_vectors += (0..space.view.nodes).filter(|&n| space.node_vector(n).is_err()).count() as u64;
        if space.has_graph() {
            report.graphs += 1;
            walk(&space, &mut report);
        }
    }
    report
}

/// How many owners of a space are found: their vectors are whole, and where there is a graph it leads to
/// them. `None` if the segment has no such space.
#[cfg(feature = "hnsw_rs")]
pub(crate) fn findable(segment: &Segment, namespace: u64, kind: SpaceKind) -> Option<u64> {
    let space = segment.space(namespace, kind)?;
    let reached = if space.has_graph() { ground(&space) } else { (0..space.view.nodes).collect() };
    let whole = reached.into_iter().filter(|&node| space.node_vector(node).is_ok());
    Some(whole.map(|node| space.view.owners.of(node).count() as u64).sum())
}

/// The links of a row.
fn links(row: &[u32], f: &mut dyn FnMut(u32)) {
    row.iter().take_while(|&&n| n != NO_LINK).for_each(|&n| f(n));
}

/// The nodes that can be reached from the entry point on layer 0.
fn ground(space: &Space<'_>) -> Vec<u32> {
    let view = &space.view;
    reachable(view.nodes, view.entry, |n, f| links(view.row(n), f))
}

fn walk(space: &Space<'_>, report: &mut SegmentReport) {
    let view = &space.view;
    let reached = ground(space);
    report.unreachable += space.nodes() as u64 - reached.len() as u64;

    // A descent enters a layer at any record reached on the layers above.
    let mut met = vec![false; view.upper.nodes.len()];
    if let Some(first) = met.first_mut() {
        *first = true;
    }
    let mut end = view.upper.links.len();
    for &count in view.upper.counts.iter().rev() {
        let rows = &view.upper.links[end - count as usize * view.m..end];
        end -= rows.len();
        let mut open: Vec<u32> = (0..count).filter(|&r| met[r as usize]).collect();
        while let Some(r) = open.pop() {
            links(&rows[r as usize * view.m..][..view.m], &mut |n| {
                if !std::mem::replace(&mut met[n as usize], true) {
                    open.push(n);
                }
            });
        }
    }
    report.unused_records += met.iter().filter(|&&m| !m).count() as u64;
}
