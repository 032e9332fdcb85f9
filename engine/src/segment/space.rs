//! One namespace's points of one kind in an open segment.

use std::borrow::Cow;
use std::cell::RefCell;

use crate::graph::{self, Accept, Effort, Found, Rows, Scratch, View, Want};
use crate::vector::{Probe, from_half};

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
                vectors: Rows::new(
                    segment.slice(parts.vectors, nodes * parts.row_len(segment.dim())),
                    parts.row_len(segment.dim()),
                ),
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
    pub(crate) fn vector(&self, id: u64) -> Result<Option<Cow<'s, [f32]>>, SegmentFault> {
        self.view.owners.node(id).map(|node| self.node_vector(node)).transpose()
    }

    /// The prepared vector of a node below [`Self::nodes`].
    pub(super) fn node_vector(&self, node: u32) -> Result<Cow<'s, [f32]>, SegmentFault> {
        let row = self.row(node)?;
        if self.parts.is_half() {
            let mut vector = vec![0.0; self.segment.dim()];
            self.expand(node, row, &mut vector).map(|()| Cow::Owned(vector))
        } else {
            Ok(Cow::Borrowed(bytemuck::cast_slice(row)))
        }
    }

    /// The stored bytes of a node's vector, checked the first time they are read.
    fn row(&self, node: u32) -> Result<&'s [u8], SegmentFault> {
        let row = self.view.vectors.row(node);
        let number = self.parts.first_vector + node as usize;
        if self.segment.vector_is_whole(number, row, || self.sums[node as usize]) {
            Ok(row)
        } else {
            Err(self.damaged(node))
        }
    }

    fn damaged(&self, node: u32) -> SegmentFault {
        SegmentFault::Vector { namespace: self.parts.entry.namespace, node }
    }

    /// Makes the prepared vector of a row of halves: the same bits that the writer was given.
    fn expand(&self, node: u32, row: &[u8], vector: &mut [f32]) -> Result<(), SegmentFault> {
        from_half(bytemuck::cast_slice(row), vector);
        if crate::sabotage::on("halves_unprepared") {
            return Ok(());
        }
        self.parts.metric.prepare_here(vector).map_err(|_| self.damaged(node))
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
        let want = want.into();
        if self.parts.is_half() {
            let mut room = std::mem::take(&mut scratch.room);
            room.resize(self.segment.dim(), 0.0);
            let room = RefCell::new(room);
            let exact = |node| {
                let mut vector = room.borrow_mut();
                self.expand(node, self.row(node)?, &mut vector)?;
                Ok(probe.exact(&vector))
            };
            let found = graph::search(&self.view, probe, want, width, accept, scratch, effort, out, exact);
            scratch.room = room.into_inner();
            found
        } else {
            let exact = |node| Ok(probe.exact(bytemuck::cast_slice(self.row(node)?)));
            graph::search(&self.view, probe, want, width, accept, scratch, effort, out, exact)
        }
    }
}
