//! The traversal that building, repairing and searching share.

use super::pool::{Entry, Pool, Visited};

/// How many codes ahead of the one being scored are fetched.
const AHEAD: usize = 4;

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
/// links. Returns the number of nodes scored and of rows read.
#[inline(always)]
pub(super) fn walk<L: Layer>(
    layer: &L,
    pool: &mut Pool,
    visited: &mut Visited,
    fresh: &mut Vec<u32>,
) -> (u64, u64) {
    let (mut scored, mut rows) = (0, 0);
    let mut at = 0;
    while let Some(&entry) = pool.entries().get(at) {
        if entry.is_expanded() {
            at += 1;
            continue;
        }
        pool.expand(at);
        rows += 1;
        fresh.clear();
        layer.each(entry.node(), |n| {
            if visited.insert(n) {
                fresh.push(n);
            }
        });
        for &n in fresh.iter().take(AHEAD) {
            layer.prefetch(n);
        }
        at += 1;
        for (i, &n) in fresh.iter().enumerate() {
            if let Some(&later) = fresh.get(i + AHEAD) {
                layer.prefetch(later);
            }
            at = at.min(pool.insert(Entry::new(layer.score(n), n)));
        }
        scored += fresh.len() as u64;
        if let Some(next) = pool.entries().get(at) {
            layer.prefetch_links(next.node());
        }
    }
    (scored, rows)
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
