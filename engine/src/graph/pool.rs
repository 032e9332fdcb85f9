//! The pool of a search: one sorted list that is both the result and the queue, and the visited marks.

use super::walk::ABREAST;

/// Maps a score (higher is better) to a number that sorts the best first; total over all bit patterns.
#[inline(always)]
pub(super) fn rank_of(score: f32) -> u32 {
    let bits = score.to_bits();
    // Ascending order of f32 as u32, then turned round.
    !(bits ^ ((((bits as i32) >> 31) as u32) | 0x8000_0000))
}

/// The score that [`rank_of`] made this rank of.
pub(super) fn score_of(rank: u32) -> f32 {
    let up = !rank;
    f32::from_bits(if up & 0x8000_0000 == 0 { !up } else { up ^ 0x8000_0000 })
}

/// A pool entry: rank in the upper half, then the node, and in the lowest bit whether its neighbours
/// have been looked at. Plain integers sort by (score descending, node ascending).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u64);

impl Entry {
    #[inline(always)]
    pub(super) fn new(score: f32, node: u32) -> Entry {
        Entry((u64::from(rank_of(score)) << 32) | (u64::from(node) << 1))
    }

    pub(super) fn node(self) -> u32 {
        (self.0 as u32) >> 1
    }

    pub(super) fn score(self) -> f32 {
        score_of((self.0 >> 32) as u32)
    }

    pub(super) fn is_expanded(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The score below which a node is of no use, because enough better ones are known elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floor(u32);

impl Floor {
    /// Every node may be of use.
    pub(super) const NONE: Floor = Floor(u32::MAX);

    #[inline(always)]
    pub(super) fn is_above(self, entry: Entry) -> bool {
        (entry.0 >> 32) as u32 > self.0
    }

    /// The score; `None`: there is no floor.
    pub(super) fn score(self) -> Option<f32> {
        (self.0 != u32::MAX).then(|| score_of(self.0))
    }
}

/// Scores of the best nodes that the walks of one search have found in the spaces before. Together they need
/// a pool no larger than one walk over all of these spaces would.
#[derive(Debug, Default)]
pub(super) struct Met(Vec<u32>);

impl Met {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The score that a node has to have to be among the `width` best.
    pub(super) fn floor(&self, width: usize) -> Floor {
        self.0.get(width.max(1) - 1).map_or(Floor::NONE, |&rank| Floor(rank))
    }

    /// Takes in what a walk has found.
    pub(super) fn add(&mut self, entries: impl Iterator<Item = Entry>) {
        self.0.extend(entries.map(|entry| (entry.0 >> 32) as u32));
        self.0.sort_unstable();
    }
}

/// The `width` best nodes seen so far, best first. Replaces the two heaps of Algorithm 2: the queue's
/// useful part is always a part of the result.
#[derive(Debug, Default)]
pub(super) struct Pool {
    entries: Vec<Entry>,
    width: usize,
}

impl Pool {
    pub(super) fn reset(&mut self, width: usize) {
        self.entries.clear();
        self.width = width.max(1);
        self.entries.reserve(self.width + 1);
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= self.width
    }

    /// Marks the entry at `at` as expanded.
    #[inline(always)]
    pub(super) fn expand(&mut self, at: usize) {
        self.entries[at].0 |= 1;
    }

    /// Inserts a node that was never inserted before; its place, or `usize::MAX` if it is not among the best.
    #[inline(always)]
    pub(super) fn insert(&mut self, entry: Entry) -> usize {
        if self.is_full() {
            if self.entries.last().is_none_or(|&worst| worst < entry) {
                return usize::MAX;
            }
            self.entries.pop();
        }
        let at = self.entries.partition_point(|&e| e < entry);
        self.entries.insert(at, entry);
        at
    }
}

/// Which nodes a search has met: a stamp per node, so that forgetting all of them is one increment.
#[derive(Debug, Default)]
pub(super) struct Visited {
    stamps: Vec<u16>,
    now: u16,
}

impl Visited {
    /// Forgets everything and makes room for nodes below `nodes`.
    pub(super) fn reset(&mut self, nodes: usize) {
        if self.stamps.len() < nodes {
            self.stamps.resize(nodes, 0);
        }
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            self.stamps.fill(0);
            self.now = 1;
        }
    }

    /// True the first time.
    #[inline(always)]
    pub(super) fn insert(&mut self, node: u32) -> bool {
        let stamp = &mut self.stamps[node as usize];
        let first = *stamp != self.now;
        *stamp = self.now;
        first
    }
}

/// Most neighbours that a node can have: twice the largest M.
const MOST_LINKS: usize = 256;

/// Most neighbours that a walk meets at once.
const MOST_FRESH: usize = MOST_LINKS * ABREAST as usize;

/// Room for the neighbours of the nodes expanded together that a walk had not met before.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) nodes: [u32; MOST_FRESH],
    pub(super) entries: [Entry; MOST_FRESH],
}

impl Default for Fresh {
    fn default() -> Self {
        Fresh { nodes: [0; MOST_FRESH], entries: [Entry(0); MOST_FRESH] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_sort_scores_best_first_and_turn_back() {
        let scores = [f32::INFINITY, 3.0, 1.0, 1e-30, 0.0, -1e-30, -0.5, -2.0, f32::NEG_INFINITY];
        for pair in scores.windows(2) {
            assert!(rank_of(pair[0]) < rank_of(pair[1]), "{pair:?}");
        }
        for s in scores {
            assert_eq!(score_of(rank_of(s)).to_bits(), s.to_bits());
        }
    }

    #[test]
    fn the_pool_keeps_the_best_in_order() {
        let mut pool = Pool::default();
        pool.reset(3);
        for (i, s) in [0.1, 0.9, 0.5, 0.7, 0.2].into_iter().enumerate() {
            pool.insert(Entry::new(s, i as u32));
        }
        let nodes: Vec<u32> = pool.entries().iter().map(|e| e.node()).collect();
        assert_eq!(nodes, [1, 3, 2]);
        assert_eq!(pool.insert(Entry::new(0.4, 9)), usize::MAX);
        pool.expand(0);
        assert!(pool.entries()[0].is_expanded() && pool.entries()[0].node() == 1);
    }

    #[test]
    fn stamps_survive_wrapping() {
        let mut visited = Visited::default();
        for _ in 0..70_000 {
            visited.reset(2);
            assert!(visited.insert(1));
            assert!(!visited.insert(1));
        }
    }
}
