//! After the build: linking in what no walk from the entry point reaches, and what a search misses.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rayon::prelude::*;

use crate::vector::{Kernel, Task, dispatch};

use super::build::{BuiltGraph, CodeTable, sort};
use super::pool::{Entry, Floor, Fresh, Pool, Visited};
use super::prune::select_diverse;
use super::view::NO_LINK;
use super::walk::{Layer, descend, walk};

/// Width of the walk that looks for new neighbours of an orphan.
const WIDTH: usize = 64;

/// Width of the search that every node has to be found by: well below any width a caller would ask for.
const TRIAL_WIDTH: usize = 24;

/// Widths of the searches after that one where it ends in a crowd; the default width comes first.
const CROWD_WIDTHS: [usize; 3] = [64, 128, 256];

/// Width of the search for the nodes of largest inner product.
const LARGEST_WIDTH: usize = 128;

/// Rounds of looking for missed nodes: linking one in may take away a link that the way to another went by.
/// Links made here stay, so there are fewer each time: of 5,000 scattered points of 1,536 dimensions 919, 10 and 0 were
/// missed in turn. More rounds than were ever needed.
const ROUNDS: usize = 16;

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

/// Makes every node reachable from the entry point on layer 0 and found by a narrow search for its own vector.
/// Counts what it did in the graph. `m` is the M of the graph. Ends early, with some of that undone, when `cancel`
/// is set.
pub(super) fn repair(
    table: &CodeTable,
    graph: &mut BuiltGraph,
    m: usize,
    pool: &rayon::ThreadPool,
    cancel: &AtomicBool,
) {
    let mut mending = Mending {
        parent: vec![NO_LINK; table.len()],
        held: vec![0; table.len()],
        reached: Vec::with_capacity(table.len()),
        slots: 2 * m,
        links: std::mem::take(&mut graph.links),
    };
    mending.spread(graph.entry, graph.entry);
    graph.repaired = dispatch(Orphans { table, mending: &mut mending, entry: graph.entry });
    if table.is_inner_product() {
        // Links to the nodes of largest inner product with this one, beside those to the nearest: a search
        // by inner product ends among long vectors, which need not be near one another. (The two kinds of
        // links: Liu et al. 2020, "Understanding and improving proximity graph based maximum inner product
        // search", section 4.)
        for (node, links) in trials(table, graph, &mending, pool, Learn::Largest, cancel) {
            mending.favour(node, &links);
        }
    }
    for round in 0..ROUNDS {
        let missed = trials(table, graph, &mending, pool, Learn::Missed, cancel);
        if missed.is_empty() || crate::sabotage::on("missed_stay_missed") {
            break;
        }
        graph.rescued += missed.len() as u64;
        for (node, near) in missed {
            // More links for what is missed again.
            mending.rescue(&near, node, 1 << (round / 2).min(3));
        }
    }
    graph.links = mending.links;
}

/// Layer 0 as rows of `slots` links with a spanning tree of what is reachable: a link of the tree is never
/// taken away, so linking one node in strands no other.
struct Mending {
    links: Vec<u32>,
    slots: usize,
    /// The node from which each node was first reached; `NO_LINK` while it is not.
    parent: Vec<u32>,
    /// How many links at the start of each row a search for the vector of their end needs: they stay.
    held: Vec<u16>,
    reached: Vec<u32>,
}

impl Mending {
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

    /// Links `from` to `to` in an empty place or in that of a link that neither the tree nor a search needs;
    /// false if there is neither. The new link comes first in the row, so that the next one does not replace it.
    fn attach(&mut self, from: u32, to: u32) -> bool {
        if from == to || self.row(from).contains(&to) {
            return from != to;
        }
        let used = self.row(from).len();
        let place = if used < self.slots {
            Some(used)
        } else {
            let held = self.held[from as usize] as usize;
            let free = self.row(from)[held..].iter().rposition(|&n| self.parent[n as usize] != from);
            free.map(|i| held + i)
        };
        if let Some(place) = place {
            let row = &mut self.links[from as usize * self.slots..][..self.slots];
            row.copy_within(..place, 1);
            row[0] = to;
        }
        place.is_some()
    }

    /// Links `from` to all of `to` that there is room for, and keeps the tree's links and as many others
    /// as still fit.
    fn favour(&mut self, from: u32, to: &[u32]) {
        for &n in to.iter().rev() {
            self.attach(from, n);
        }
    }

    /// Links the best `many` of `near` that can take it to `node`, for good. `near` is where its search ended, which
    /// then goes on to it; one of the better half with an empty place comes before any that has to give up a link.
    fn rescue(&mut self, near: &[u32], node: u32, many: usize) {
        let better = near.len().div_ceil(2);
        let costly = |i: usize, n: u32| i >= better || self.row(n).len() == self.slots;
        let mut order: Vec<(bool, u32)> = near.iter().enumerate().map(|(i, &n)| (costly(i, n), n)).collect();
        order.sort_by_key(|o| o.0);
        let mut given = 0;
        for (_, n) in order {
            if given < many && !self.row(n).contains(&node) && self.attach(n, node) {
                self.held[n as usize] += 1;
                given += 1;
            }
        }
    }
}

/// Layer 0 as a search for the vector of `node` walks it; `inner` orders by inner product where the metric
/// is that one, otherwise by the distance the graph was built by.
#[derive(Clone, Copy)]
struct Around<'a, K> {
    table: &'a CodeTable,
    mending: &'a Mending,
    kernel: K,
    node: u32,
    inner: bool,
    /// By codes as they are, not as a walk of a search reads them.
    whole: bool,
}

impl<K: Kernel> Layer for Around<'_, K> {
    #[inline(always)]
    fn each(&self, node: u32, mut f: impl FnMut(u32)) {
        for &n in self.mending.row(node) {
            f(n);
        }
    }
    #[inline(always)]
    fn score(&self, node: u32) -> f32 {
        if self.whole && self.inner {
            self.table.likeness(self.kernel, self.node, node)
        } else {
            self.table.walked(self.kernel, self.node, node, self.inner)
        }
    }
    #[inline(always)]
    fn prefetch(&self, node: u32) {
        crate::vector::prefetch(self.table.code(node));
    }
    #[inline(always)]
    fn prefetch_links(&self, _node: u32) {}
}

/// A layer above 0, over records.
struct AboveAround<'a, K> {
    ground: &'a Around<'a, K>,
    records: &'a [u32],
    links: &'a [u32],
    m: usize,
}

impl<K: Kernel> Layer for AboveAround<'_, K> {
    #[inline(always)]
    fn each(&self, record: u32, mut f: impl FnMut(u32)) {
        for &n in &self.links[record as usize * self.m..][..self.m] {
            if n == NO_LINK {
                break;
            }
            f(n);
        }
    }
    #[inline(always)]
    fn score(&self, record: u32) -> f32 {
        self.ground.score(self.records[record as usize])
    }
    #[inline(always)]
    fn prefetch(&self, _record: u32) {}
    #[inline(always)]
    fn prefetch_links(&self, _record: u32) {}
}

/// Links in every node that is not in the tree yet; gives their number.
struct Orphans<'a> {
    table: &'a CodeTable,
    mending: &'a mut Mending,
    entry: u32,
}

impl Task for Orphans<'_> {
    type Out = u64;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> u64 {
        let Orphans { table, mending, entry } = self;
        let (mut pool, mut visited, mut fresh) = (Pool::default(), Visited::default(), Fresh::default());
        let mut repaired = 0;
        for orphan in 0..table.len() as u32 {
            if mending.parent[orphan as usize] != NO_LINK {
                continue;
            }
            pool.reset(WIDTH);
            visited.reset(table.len());
            visited.insert(entry);
            let around = Around { table, mending, kernel, node: orphan, inner: false, whole: false };
            pool.insert(Entry::new(around.score(entry), entry));
            walk(&around, &mut pool, &mut visited, &mut fresh, Floor::NONE);
            let mut near: Vec<(f32, u32)> =
                pool.entries().iter().map(|e| (table.distance(kernel, e.node(), orphan), e.node())).collect();
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

/// What the search for a node's own vector is asked for.
#[derive(Clone, Copy)]
enum Learn {
    /// Diverse nodes of the largest inner product with it, at most M.
    Largest,
    /// Nothing if it finds the node or something better; otherwise the nodes it ended with, best first.
    Missed,
}

/// Searches for every node's own vector, on the threads of `pool`; what was learnt, by node ascending.
fn trials(
    table: &CodeTable,
    graph: &BuiltGraph,
    mending: &Mending,
    pool: &rayon::ThreadPool,
    learn: Learn,
    cancel: &AtomicBool,
) -> Vec<(u32, Vec<u32>)> {
    let share = (table.len() as u32).div_ceil(4 * pool.current_num_threads() as u32).max(256);
    let starts: Vec<u32> = (0..table.len() as u32).step_by(share as usize).collect();
    pool.install(|| {
        starts
            .into_par_iter()
            .map(|from| {
                let nodes = from..(from + share).min(table.len() as u32);
                dispatch(Trials { table, graph, mending, learn, nodes, cancel })
            })
            .flatten_iter()
            .collect()
    })
}

struct Trials<'a> {
    table: &'a CodeTable,
    graph: &'a BuiltGraph,
    mending: &'a Mending,
    learn: Learn,
    nodes: std::ops::Range<u32>,
    cancel: &'a AtomicBool,
}

impl Task for Trials<'_> {
    type Out = Vec<(u32, Vec<u32>)>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Out {
        let Trials { table, graph, mending, learn, nodes, cancel } = self;
        let m = mending.slots / 2;
        let (mut pool, mut visited, mut fresh) = (Pool::default(), Visited::default(), Fresh::default());
        let (mut near, mut kept) = (Vec::new(), Vec::new());
        let mut learnt = Vec::new();
        for node in nodes {
            if cancel.load(Relaxed) {
                break;
            }
            let around = Around { table, mending, kernel, node, inner: true, whole: false };
            let mut at = (graph.entry, around.score(graph.entry));
            if !graph.counts.is_empty() {
                let mut record = 0;
                let mut end = graph.upper_links.len();
                for &count in graph.counts.iter().rev() {
                    let links = &graph.upper_links[end - count as usize * m..end];
                    end -= links.len();
                    let layer = AboveAround { ground: &around, records: &graph.records, links, m };
                    (record, at.1) = descend(&layer, record, at.1, &mut 0);
                }
                at.0 = graph.records[record as usize];
            }
            let mut seek = |around: &Around<'_, K>, width: usize| {
                pool.reset(width);
                visited.reset(table.len());
                visited.insert(at.0);
                pool.insert(Entry::new(around.score(at.0), at.0));
                walk(around, &mut pool, &mut visited, &mut fresh, Floor::NONE);
                let own = around.score(node);
                let there = if table.is_inner_product() || around.whole {
                    // What is as good as itself is as good an answer.
                    pool.entries()[0].score() >= own
                } else {
                    pool.entries().iter().any(|e| e.node() == node)
                };
                // A search that ends among many as good as the node is made again, wider.
                let crowded = pool.is_full() && pool.entries().last().is_some_and(|last| last.score() >= own);
                (there, crowded)
            };
            match learn {
                Learn::Missed => {
                    let (mut found, mut crowded) = seek(&around, TRIAL_WIDTH);
                    if !found && crowded {
                        for width in CROWD_WIDTHS {
                            (found, crowded) = seek(&around, width);
                            if found || !crowded {
                                break;
                            }
                        }
                        // In a crowd of any size the whole codes have to lead to it as well.
                        let exact = Around { whole: true, ..around };
                        found = (found || crowded) && seek(&exact, TRIAL_WIDTH).0;
                    }
                    if !found {
                        let ends = pool.entries().iter().take(TRIAL_WIDTH).map(|e| e.node()).collect();
                        learnt.push((node, ends));
                    }
                }
                Learn::Largest => {
                    seek(&around, LARGEST_WIDTH);
                    near.clear();
                    near.extend(pool.entries().iter().map(|e| (-e.score(), e.node())));
                    near.retain(|&(_, n)| n != node);
                    select_diverse(&near, m, |a, b| -table.likeness(kernel, b, a), &mut kept);
                    learnt.push((node, kept.iter().map(|k| k.1).collect()));
                }
            }
        }
        learnt
    }
}

#[cfg(test)]
mod tests {
    use crate::vector::{CentreScratch, Metric, Probe, half_len, halve};

    use super::*;

    /// Scores of each code for a vector: as a walk by halves of codes gives them, and as a trial does.
    struct Both<'a> {
        table: &'a CodeTable,
        scorer: crate::vector::Scorer<'a>,
        dim: usize,
    }

    impl Task for Both<'_> {
        type Out = Vec<(f32, f32)>;

        fn run<K: Kernel>(self, kernel: K) -> Self::Out {
            let span = half_len(self.dim).next_multiple_of(64);
            let (mut coarse, mut fine) = (vec![0; span], vec![0; span]);
            let mut score = |node| {
                halve(self.table.code(node), self.dim, &mut coarse, &mut fine);
                self.scorer.coarse(kernel, &coarse, self.table.meta(node))
            };
            let nodes = 0..self.table.len() as u32;
            nodes.map(|node| (score(node), self.table.walked(kernel, 0, node, true))).collect()
        }
    }

    #[test]
    fn a_trial_orders_as_a_search_does_to_the_last_bit() {
        let (dim, mean) = (130, vec![0.01; 130]);
        for metric in [Metric::L2, Metric::Cosine] {
            let mut rng = fastrand::Rng::with_seed(3);
            let rows: Vec<Vec<f32>> = (0..200)
                .map(|_| {
                    metric.prepare(&(0..dim).map(|_| rng.f32() - 0.4).collect::<Vec<_>>()).expect("finite")
                })
                .collect();
            let mut table = CodeTable::new(metric, dim, &mean, rows.iter().map(Vec::as_slice));
            table.halve();
            let (probe, mut room) = (Probe::new(metric, &rows[0]), CentreScratch::default());
            let scorer = probe.scorer(&mean, true, &mut room);
            for (node, (search, trial)) in
                dispatch(Both { table: &table, scorer, dim }).into_iter().enumerate()
            {
                assert_eq!(search.to_bits(), trial.to_bits(), "{metric:?} {node}: {search} {trial}");
            }
        }
    }
}
