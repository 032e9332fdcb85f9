//! Linking in the nodes that no walk from the entry point could reach.

use crate::vector::{Kernel, Task, dispatch};

use super::build::{CodeTable, sort};
use super::pool::{Entry, Pool, Visited};
use super::view::NO_LINK;
use super::walk::{Layer, walk};

/// How many near, reachable nodes are looked for as the new neighbour of an orphan.
const WIDTH: usize = 64;

/// Which of `nodes` can be reached from `entry` along `links` (calls back with a node's neighbours), in
/// the order of a breadth-first walk.
pub(crate) fn reachable(nodes: u32, entry: u32, links: impl Fn(u32, &mut dyn FnMut(u32))) -> Vec<u32> {
    let mut met = vec![false; nodes as usize];
    met[entry as usize] = true;
    let mut order = vec![entry];
    let mut at = 0;
    while let Some(&node) = order.get(at) {
        links(node, &mut |n| {
            if !std::mem::replace(&mut met[n as usize], true) {
                order.push(n);
            }
        });
        at += 1;
    }
    order
}

/// Layer 0 as rows of `slots` links with a spanning tree of what is reachable: a link of the tree is never
/// taken away, so linking one node in strands no other.
struct Mending<'a> {
    table: &'a CodeTable,
    links: &'a mut [u32],
    slots: usize,
    /// The node from which each node was first reached; `NO_LINK` while it is not.
    parent: Vec<u32>,
    reached: Vec<u32>,
}

impl Mending<'_> {
    fn row(&self, node: u32) -> &[u32] {
        let row = &self.links[node as usize * self.slots..][..self.slots];
        &row[..row.iter().position(|&n| n == NO_LINK).unwrap_or(self.slots)]
    }

    /// Adds everything that can be reached from `from` to the tree.
    fn spread(&mut self, from: u32, parent: u32) {
        self.parent[from as usize] = parent;
        self.reached.push(from);
        let mut at = self.reached.len() - 1;
        while let Some(&node) = self.reached.get(at) {
            for i in node as usize * self.slots..(node as usize + 1) * self.slots {
                let n = self.links[i];
                if n == NO_LINK {
                    break;
                }
                if self.parent[n as usize] == NO_LINK {
                    self.parent[n as usize] = node;
                    self.reached.push(n);
                }
            }
            at += 1;
        }
    }

    /// Links `from` to `to` in an empty place or in that of a link the tree does not need.
    fn attach(&mut self, from: u32, to: u32) -> bool {
        let used = self.row(from).len();
        let place = if used < self.slots {
            Some(used)
        } else {
            self.row(from).iter().rposition(|&n| self.parent[n as usize] != from)
        };
        if let Some(place) = place {
            self.links[from as usize * self.slots + place] = to;
        }
        place.is_some()
    }
}

/// Layer 0 of a finished graph, scored against one of its nodes.
struct Around<'a, K> {
    mending: &'a Mending<'a>,
    kernel: K,
    node: u32,
}

#[allow(clippy::inline_always, reason = "compiled for each kernel")]
impl<K: Kernel> Layer for Around<'_, K> {
    #[inline(always)]
    fn each(&self, node: u32, f: impl FnMut(u32)) {
        self.mending.row(node).iter().copied().for_each(f);
    }
    #[inline(always)]
    fn score(&self, node: u32) -> f32 {
        -self.mending.table.distance(self.kernel, node, self.node)
    }
    #[inline(always)]
    fn prefetch(&self, _node: u32) {}
    #[inline(always)]
    fn prefetch_links(&self, _node: u32) {}
}

/// Makes every node reachable from `entry` on layer 0; returns how many had to be linked in.
pub(super) fn repair(table: &CodeTable, links: &mut [u32], slots: usize, entry: u32) -> u64 {
    dispatch(Repair { table, links, slots, entry })
}

struct Repair<'a> {
    table: &'a CodeTable,
    links: &'a mut [u32],
    slots: usize,
    entry: u32,
}

impl Task for Repair<'_> {
    type Out = u64;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> u64 {
        let nodes = self.table.len();
        let mut mending = Mending {
            table: self.table,
            links: self.links,
            slots: self.slots,
            parent: vec![NO_LINK; nodes],
            reached: Vec::with_capacity(nodes),
        };
        mending.spread(self.entry, self.entry);
        let (mut pool, mut visited, mut fresh) = (Pool::default(), Visited::default(), Vec::new());
        let mut repaired = 0;
        for orphan in 0..nodes as u32 {
            if mending.parent[orphan as usize] != NO_LINK {
                continue;
            }
            pool.reset(WIDTH);
            visited.reset(nodes);
            visited.insert(self.entry);
            let around = Around { mending: &mending, kernel, node: orphan };
            pool.insert(Entry::new(around.score(self.entry), self.entry));
            walk(&around, &mut pool, &mut visited, &mut fresh);
            let mut near: Vec<(f32, u32)> = pool
                .entries()
                .iter()
                .map(|e| (self.table.distance(kernel, e.node(), orphan), e.node()))
                .collect();
            sort(&mut near);
            // The tree has fewer links than there are places, so some reached node can always take one.
            let mut parent = near.iter().map(|&(_, n)| n).find(|&n| mending.attach(n, orphan));
            let mut any = 0;
            while parent.is_none() && any < mending.reached.len() {
                let n = mending.reached[any];
                parent = mending.attach(n, orphan).then_some(n);
                any += 1;
            }
            if let Some(parent) = parent {
                mending.spread(orphan, parent);
                repaired += 1;
            }
        }
        repaired
    }
}
