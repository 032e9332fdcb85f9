//! One namespace's points of one kind in an open segment.

use crate::graph::{self, Accept, Effort, Found, Scratch, View, Want};
use crate::vector::Probe;

use super::fault::SegmentFault;
use super::read::{Parts, Segment};

/// A validated view of a space. Cheap to make and to copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space<'s> {
    segment: &'s Segment,
    parts: &'s Parts,
    pub(super) view: View<'s>,
    sums: &'s [u64],
}

impl<'s> Space<'s> {
    pub(super) fn new(segment: &'s Segment, parts: &'s Parts) -> Space<'s> {
        let e = &parts.entry;
        let nodes = e.nodes as usize;
        Space {
            segment,
            parts,
            view: View {
                layout: parts.layout,
                nodes: e.nodes,
                m: e.m as usize,
                blocks: segment.slice(parts.blocks, nodes * parts.layout.stride),
                fine: segment.slice(parts.fine, nodes * parts.layout.fine),
                entry: e.entry,
                upper: parts.upper(&segment.bytes),
                mean: parts.mean(&segment.bytes, segment.dim()),
                owners: parts.owners(&segment.bytes),
                vectors: segment.slice(parts.vectors, nodes * segment.dim()),
            },
            sums: segment.slice(parts.sums, nodes),
        }
    }

    /// Number of ids.
    pub(crate) fn owners(&self) -> usize {
        self.view.owners.ids.len()
    }

    /// Number of different vectors.
    pub(crate) fn nodes(&self) -> usize {
        self.view.nodes as usize
    }

    /// Whether searches walk a graph; otherwise they scan.
    pub(crate) fn has_graph(&self) -> bool {
        self.view.has_graph()
    }

    /// Whether this id owns a point here.
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.view.owners.node(id).is_some()
    }

    /// All ids, ascending.
    #[cfg(test)]
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> + use<'s> {
        self.view.owners.ids.iter().copied()
    }

    /// The prepared vector of an id, checked.
    pub(crate) fn vector(&self, id: u64) -> Result<Option<&'s [f32]>, SegmentFault> {
        self.view.owners.node(id).map(|node| self.node_vector(node)).transpose()
    }

    /// The vector of a node below [`Self::nodes`], checked the first time it is read.
    pub(super) fn node_vector(&self, node: u32) -> Result<&'s [f32], SegmentFault> {
        let dim = self.segment.dim();
        let vector = &self.view.vectors[node as usize * dim..][..dim];
        let number = self.parts.first_vector + node as usize;
        if self.segment.vector_is_whole(number, vector, || self.sums[node as usize]) {
            Ok(vector)
        } else {
            Err(SegmentFault::Vector { namespace: self.parts.entry.namespace, node })
        }
    }

    /// Appends to `out` the best `want` acceptable owners by (similarity descending, id ascending); fewer
    /// only if fewer acceptable ones are here. All owners of a node are results of their own.
    ///
    /// `width` (ef, at least `want`) is how many candidates a walk keeps: more find more and cost more.
    /// Similarities are exact. An error means that the segment is damaged; `out` is then as it was.
    #[allow(clippy::too_many_arguments, reason = "each is a different thing")]
    pub(crate) fn search(
        &self,
        probe: &Probe,
        want: impl Into<Want>,
        width: usize,
        accept: Accept<'_>,
        scratch: &mut Scratch,
        effort: &mut Effort,
        out: &mut Vec<Found>,
    ) -> Result<(), SegmentFault> {
        if probe.metric() != self.parts.metric || probe.vector().len() != self.segment.dim() {
            let name = |metric: crate::vector::Metric, dim| format!("{} of dimension {dim}", metric.as_str());
            return Err(SegmentFault::Query {
                query: name(probe.metric(), probe.vector().len()),
                space: name(self.parts.metric, self.segment.dim()),
            });
        }
        let vector = |node| self.node_vector(node);
        graph::search(&self.view, probe, want.into(), width, accept, scratch, effort, out, vector)
    }
}
