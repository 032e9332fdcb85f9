//! A space as the search sees it: views of bytes, validated by whoever made them.

use crate::vector::{CodeKind, CodeMeta, Kernel, Scorer, half_len, prefetch};

use super::walk::Layer;

/// An empty place in a row of links; only at the end of a row.
pub(crate) const NO_LINK: u32 = u32::MAX;

/// Where things lie in the block of a node. Everything in bytes.
///
/// ```text
/// 0                      links: 2M u32 (absent in a space without a graph), padded to 64
/// code_at                code: CodeKind::code_len, or its coarse half: half_len; a multiple of 16
/// meta_at                CodeMeta: 16
/// ..stride               zeros up to a multiple of 64
/// ```
///
/// Where codes are in halves, the fine ones follow all blocks, each padded with zeros to a multiple of 64: a walk, which
/// compares many nodes, reads the coarse ones; what it ends with is compared by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Links in a row: 2M, or 0 without a graph.
    pub slots: usize,
    /// Offset of the code.
    pub code_at: usize,
    /// Bytes of code the kernels read, from `code_at`; ends within the block.
    pub code_span: usize,
    /// Bytes of a fine half with its padding; 0 where codes are whole.
    pub fine: usize,
    /// Offset of the metadata.
    pub meta_at: usize,
    /// Size of a block, a multiple of 64.
    pub stride: usize,
}

impl Layout {
    /// Layout for `m` links per upper layer (0: no graph), with codes whole.
    pub(crate) fn new(kind: CodeKind, dim: usize, m: usize) -> Layout {
        Layout::of(m, kind.code_len(dim), 0)
    }

    /// The same with i8 codes in halves.
    pub(crate) fn halved(dim: usize, m: usize) -> Layout {
        Layout::of(m, half_len(dim), half_len(dim).next_multiple_of(64))
    }

    fn of(m: usize, code_len: usize, fine: usize) -> Layout {
        let code_at = (2 * m * 4).next_multiple_of(64);
        let meta_at = code_at + code_len;
        Layout {
            slots: 2 * m,
            code_at,
            code_span: code_len.next_multiple_of(64),
            fine,
            meta_at,
            stride: (meta_at + 16).next_multiple_of(64),
        }
    }

    /// Whether codes are in halves.
    #[inline(always)]
    pub(crate) fn is_halved(&self) -> bool {
        self.fine > 0
    }
}

/// The layers above 0. Records are the nodes with a level of 1 or more, the highest first, so that layer
/// `l` consists of records `0..counts[l - 1]`; links are record numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Upper<'a> {
    /// How many nodes reach layer 1, 2, ...; not increasing.
    pub counts: &'a [u32],
    /// The node of each record, `counts[0]` of them; the first is the entry point.
    pub nodes: &'a [u32],
    /// For each layer from 1 on: `m` links for each of its records.
    pub links: &'a [u32],
}

/// Which ids a space holds, and the node of each. Several ids may own one node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owners<'a> {
    /// All ids, ascending.
    pub ids: &'a [u64],
    /// The node of each id.
    pub node_of: &'a [u32],
    /// For node `n`, `at[starts[n]..starts[n + 1]]` are the positions of its ids.
    pub starts: &'a [u32],
    /// Positions in `ids`, grouped by node.
    pub at: &'a [u32],
}

impl<'a> Owners<'a> {
    /// The ids of a node, ascending.
    pub(crate) fn of(&self, node: u32) -> impl Iterator<Item = u64> + use<'a> {
        let ids = self.ids;
        let range = self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize;
        self.at[range].iter().map(move |&i| ids[i as usize])
    }

    /// The node of an id.
    pub(crate) fn node(&self, id: u64) -> Option<u32> {
        self.ids.binary_search(&id).ok().map(|i| self.node_of[i])
    }

    /// The node of an id, for ids that are asked for in ascending order: looks on from the place `from`, where
    /// the one before was, and moves it.
    pub(super) fn node_from(&self, id: u64, from: &mut usize) -> Option<u32> {
        let rest = self.ids.get(*from..).unwrap_or_default();
        let mut step = 1;
        while rest.get(step).is_some_and(|&there| there < id) {
            step *= 2;
        }
        let (low, high) = (step / 2, (step + 1).min(rest.len()));
        let low = low.min(high);
        *from += low + rest[low..high].partition_point(|&there| there < id);
        (self.ids.get(*from) == Some(&id)).then(|| self.node_of[*from])
    }
}

/// One space. Whoever makes a view has checked: slices have the lengths the counts say, links and nodes
/// are below the node count, and rows hold [`NO_LINK`] only at their end. Broken contents then give wrong
/// neighbours at worst.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub layout: Layout,
    pub nodes: u32,
    /// Links per record of the upper layers; 0 without a graph.
    pub m: usize,
    /// `nodes` blocks of `layout.stride` bytes, 64-byte aligned.
    pub blocks: &'a [u8],
    /// `nodes` fine halves of `layout.fine` bytes, 64-byte aligned.
    pub fine: &'a [u8],
    /// Where a search without upper layers starts.
    pub entry: u32,
    pub upper: Upper<'a>,
    /// What was taken off before coding; empty: nothing.
    pub mean: &'a [f32],
    pub owners: Owners<'a>,
    /// The full vectors, not checked: to be fetched ahead, not to be used.
    pub vectors: Rows<'a>,
}

/// Rows of bytes, one a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    bytes: &'a [u8],
    each: usize,
}

impl<'a> Rows<'a> {
    /// `bytes` are rows of `each`, and perhaps a few more.
    pub(crate) fn new(bytes: &'a [u8], each: usize) -> Rows<'a> {
        Rows { bytes, each }
    }

    /// Bytes of a row.
    pub(super) fn bytes(&self) -> usize {
        self.each
    }

    /// The row of a node; empty if there is none.
    #[inline(always)]
    pub(crate) fn row(&self, node: u32) -> &'a [u8] {
        let at = node as usize * self.each;
        self.bytes.get(at..at + self.each).unwrap_or_default()
    }
}

impl<'a> View<'a> {
    #[inline(always)]
    fn block(&self, node: u32) -> &'a [u8] {
        let at = node as usize * self.layout.stride;
        &self.blocks[at..at + self.layout.stride]
    }

    /// The bytes the kernels read.
    #[inline(always)]
    pub(crate) fn code(&self, node: u32) -> &'a [u8] {
        &self.block(node)[self.layout.code_at..self.layout.code_at + self.layout.code_span]
    }

    /// The fine half of a code that is in halves.
    #[inline(always)]
    fn fine(&self, node: u32) -> &'a [u8] {
        &self.fine[node as usize * self.layout.fine..][..self.layout.fine]
    }

    /// Brings near what [`View::whole`] reads beyond what a walk has read.
    #[inline(always)]
    pub(super) fn prefetch_fine(&self, node: u32) {
        prefetch(self.fine(node));
    }

    /// Similarity by the code, all of it.
    #[inline(always)]
    pub(super) fn whole<K: Kernel>(&self, scorer: &Scorer<'_>, kernel: K, node: u32) -> f32 {
        if self.layout.is_halved() {
            scorer.whole(kernel, self.code(node), self.fine(node), self.meta(node))
        } else {
            scorer.score(kernel, self.code(node), self.meta(node))
        }
    }

    /// Bytes of a node's code and what lies with it, links aside.
    pub(super) fn code_bytes(&self) -> u64 {
        (self.layout.stride - self.layout.code_at + self.layout.fine) as u64
    }

    /// The code's metadata.
    #[inline(always)]
    pub(crate) fn meta(&self, node: u32) -> &'a CodeMeta {
        bytemuck::from_bytes(&self.block(node)[self.layout.meta_at..self.layout.meta_at + 16])
    }

    /// The links of a node on layer 0, with [`NO_LINK`] in unused places.
    #[inline(always)]
    pub(crate) fn row(&self, node: u32) -> &'a [u32] {
        bytemuck::cast_slice(&self.block(node)[..self.layout.slots * 4])
    }

    /// Brings near what scoring a node will read.
    #[inline(always)]
    pub(super) fn prefetch_code(&self, node: u32) {
        prefetch(&self.block(node)[self.layout.code_at..]);
    }

    /// Brings near what the exact similarity of a node and its ids will read.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "hot loop")]
    pub(crate) fn prefetch_exact(&self, node: u32) {
        prefetch(self.vectors.row(node));
        if let Some(start) = self.owners.starts.get(node as usize..=node as usize) {
            prefetch(bytemuck::cast_slice(start));
        }
    }

    /// Whether a search can walk it.
    pub(crate) fn has_graph(&self) -> bool {
        self.m > 0
    }
}

/// Layer 0 of a view, scored against a query.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a, K: Kernel> {
    pub view: &'a View<'a>,
    pub scorer: Scorer<'a>,
    pub kernel: K,
    /// By the coarse halves of the codes, where these are in halves.
    pub coarse: bool,
}

impl<K: Kernel> Layer for Ground<'_, K> {
    #[inline(always)]
    fn each(&self, node: u32, mut f: impl FnMut(u32)) {
        for &n in self.view.row(node) {
            if n == NO_LINK {
                break;
            }
            f(n);
        }
    }

    #[inline(always)]
    fn score(&self, node: u32) -> f32 {
        if self.coarse {
            self.scorer.coarse(self.kernel, self.view.code(node), self.view.meta(node))
        } else {
            self.view.whole(&self.scorer, self.kernel, node)
        }
    }

    #[inline(always)]
    fn prefetch(&self, node: u32) {
        self.view.prefetch_code(node);
        if !self.coarse && self.view.layout.fine > 0 {
            self.view.prefetch_fine(node);
        }
    }

    #[inline(always)]
    fn prefetch_links(&self, node: u32) {
        prefetch(&self.view.block(node)[..self.view.layout.code_at]);
    }
}

/// One of the upper layers of a view; its nodes are record numbers.
#[derive(Clone, Copy)]
pub(super) struct Above<'a, K: Kernel> {
    pub ground: Ground<'a, K>,
    /// `m` links for each record of this layer.
    pub links: &'a [u32],
}

impl<K: Kernel> Layer for Above<'_, K> {
    #[inline(always)]
    fn each(&self, record: u32, mut f: impl FnMut(u32)) {
        let m = self.ground.view.m;
        let row = &self.links[record as usize * m..record as usize * m + m];
        for &n in row {
            if n == NO_LINK {
                break;
            }
            f(n);
        }
    }

    #[inline(always)]
    fn score(&self, record: u32) -> f32 {
        self.ground.score(self.ground.view.upper.nodes[record as usize])
    }

    #[inline(always)]
    fn prefetch(&self, record: u32) {
        self.ground.prefetch(self.ground.view.upper.nodes[record as usize]);
    }

    #[inline(always)]
    fn prefetch_links(&self, _record: u32) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_asked_in_order_are_found_as_one_by_one() {
        let ids: Vec<u64> = (0..500)
            .map(|i| 10 + i * (1 + i % 7))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        let node_of: Vec<u32> = (0..ids.len() as u32).rev().collect();
        for many in [0, 1, 2, 3, ids.len()] {
            let owners = Owners { ids: &ids[..many], node_of: &node_of[..many], starts: &[], at: &[] };
            for step in [1, 2, 3, 50, 1000] {
                let mut from = 0;
                for id in (0..4000).step_by(step) {
                    assert_eq!(owners.node_from(id, &mut from), owners.node(id), "{id} of {many} by {step}");
                }
            }
        }
    }
}
