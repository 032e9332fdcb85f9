//! The traversal that building, repairing and searching share.

use super::pool::{Entry, Floor, Fresh, Pool, Visited};

/// How many codes ahead of the one being scored are fetched.
const AHEAD: usize = 8;

/// How many nodes are expanded at a time: the neighbours of the second are fetched while those of the first
/// are scored, and few nodes are expanded that would not have been.
pub(super) const ABREAST: u64 = 2;

/// Places of the pool whose neighbours are looked at however bad they are, at least: the way to better ones may
/// lead through them.
const LEAST: usize = 16;

/// One layer of a graph as a walk sees it: links, and scores against the walk's target.
pub(super) trait Layer {
    /// Calls `f` with every neighbour of `node`, all below the node count. A plain loop: closures handed to
    /// iterators are not compiled for the kernel.
    fn each(&self, node: u32, f: impl FnMut(u32));
    /// Similarity (higher is better) of `node` to the target.
    fn score(&self, node: u32) -> f32;
    /// Brings near what [`Self::score`] of `node` will read.
    fn prefetch(&self, node: u32);
    /// Brings near what [`Self::each`] of `node` will read.
    fn prefetch_links(&self, node: u32);
}

/// Beam search on one layer (Algorithm 2): fills `pool` with the best nodes it finds from those already
/// in it, which have to be marked in `visited`. Every node is scored at most once, so the walk ends on any
/// links. Nodes below `floor` are followed only while they are among the best, [`LEAST`] or three eighths of the pool:
/// with fewer, a store in several segments found half a point less than in one. Returns the number of nodes scored and of rows read.
#[inline(always)]
pub(super) fn walk<L: Layer>(
    layer: &L,
    pool: &mut Pool,
    visited: &mut Visited,
    fresh: &mut Fresh,
    floor: Floor,
) -> (u64, u64) {
    let (mut scored, mut rows) = (0, 0);
    let least = LEAST.max(pool.width() * 3 / 8);
    let mut at = 0;
    loop {
        let (mut count, mut taken) = (0, 0);
        while taken < ABREAST
            && let Some(&entry) = pool.entries().get(at)
            && (at < least || !floor.is_above(entry))
        {
            if !entry.is_expanded() {
                pool.expand(at);
                taken += 1;
                // Whether a neighbour was met before cannot be foretold, so no branch depends on it.
                layer.each(entry.node(), |n| {
                    fresh.nodes[count] = n;
                    count += usize::from(visited.insert(n));
                });
            }
            at += 1;
        }
        if taken == 0 {
            return (scored, rows);
        }
        rows += taken;
        let nodes = &fresh.nodes[..count];
        for &n in nodes.iter().take(AHEAD) {
            layer.prefetch(n);
        }
        // The most likely next one, unless one of these is better.
        if let Some(next) = pool.entries().get(at) {
            layer.prefetch_links(next.node());
        }
        // Scored first, inserted then: the branches of inserting, which are hard to foretell, would keep the
        // processor from fetching and scoring the nodes that follow.
        let entries = &mut fresh.entries[..count];
        for (i, (&n, entry)) in nodes.iter().zip(entries.iter_mut()).enumerate() {
            if let Some(&later) = nodes.get(i + AHEAD) {
                layer.prefetch(later);
            }
            *entry = Entry::new(layer.score(n), n);
        }
        for &entry in entries.iter() {
            let place = pool.insert(entry);
            if place < at {
                layer.prefetch_links(entry.node());
                at = place;
            }
        }
        scored += count as u64;
    }
}

/// Greedy descent on one layer (Algorithm 5's search with ef = 1): follows the best neighbour while that
/// improves the score. Ends because the score strictly rises. Returns where it ended and its score.
#[inline(always)]
pub(super) fn descend<L: Layer>(layer: &L, mut node: u32, mut score: f32, scored: &mut u64) -> (u32, f32) {
    loop {
        let from = node;
        layer.each(from, |n| layer.prefetch(n));
        layer.each(from, |n| {
            *scored += 1;
            let s = layer.score(n);
            if s > score {
                (node, score) = (n, s);
            }
        });
        if node == from {
            return (node, score);
        }
    }
}
