//! Building a graph: insertion by several threads (Algorithm 1), the diversity rule in both directions.
//!
//! Distances are squared Euclidean distances between decoded codes, whatever the metric: for unit vectors
//! that is the order of the cosine. For the inner product each point gets one more coordinate
//! `sqrt(R^2 - |x|^2)`, R the largest length (Bachrach et al. 2014, "Speeding up the Xbox recommender
//! system using a Euclidean transformation for inner-product spaces", section 3.2): neighbours by distance
//! then lead to the largest inner products, and every point is near some other. A query has 0 there, so a
//! search needs nothing of it and it is not stored.
//!
//! One thread, the same seed and the same input give the same graph on every platform: the products are
//! exact integers, and the rest is plain f32 arithmetic in a fixed order.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::vector::{
    AlignedBytes, CodeKind, CodeMeta, Kernel, Metric, Task, coarse, dispatch, encode, prefetch,
};

use super::pool::{Entry, Floor, Fresh, Pool, Visited};
use super::prune::select_diverse;
use super::repair::repair;
use super::rng::Rng;
use super::view::NO_LINK;
use super::walk::{Layer, descend, walk};

/// Levels above this are cut off: with M of 2 or more, no graph of 2^31 nodes has a use for them.
const MAX_LEVEL: u8 = 31;

/// How graphs are built.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildParams {
    /// Links per node on the upper layers, twice as many on layer 0. 2 to 128.
    pub m: usize,
    /// Width of the search that finds a new node's neighbours.
    pub ef_construction: usize,
    /// A space of fewer nodes is stored for exact scans.
    pub graph_from: usize,
    /// Decides levels and insertion order.
    pub seed: u64,
    /// From this dimension on, codes of a space with a graph are kept in halves: below, a walk would read hardly fewer
    /// lines of the cache.
    pub halves_from: usize,
}

impl Default for BuildParams {
    fn default() -> Self {
        BuildParams { m: 16, ef_construction: 200, graph_from: 1024, seed: 0x5EED, halves_from: 128 }
    }
}

/// The caller asked for the build to stop.
#[derive(Debug)]
pub(crate) struct Cancelled;

/// A finished graph over nodes 0..n; see `Upper` for the layers above 0.
#[derive(Debug, Default)]
pub(crate) struct BuiltGraph {
    /// `2M` links per node, [`NO_LINK`] in unused places at the end of a row.
    pub links: Vec<u32>,
    pub entry: u32,
    pub counts: Vec<u32>,
    pub records: Vec<u32>,
    pub upper_links: Vec<u32>,
    /// Nodes that had to be linked in after the build.
    pub repaired: u64,
    /// Nodes that could be reached, but that a search for their own vector missed until they were linked to
    /// where it ended.
    pub rescued: u64,
    /// Links on layer 0 that an adopted graph did not come with; 0 for one built here.
    pub added: u64,
    /// The number that each node had in the table that was given.
    pub order: Vec<u32>,
}

impl BuiltGraph {
    /// An order of the nodes in which neighbours lie near one another: a chain along links, each node followed by
    /// one that is linked from it, or from the last node before it that has such a neighbour left. What a search
    /// touches then shares pages and translations of addresses, more than in the order of a breadth-first walk.
    fn by_locality(&self, m: usize) -> Vec<u32> {
        /// How many nodes back a neighbour that is left is looked for.
        const BACK: usize = 200;
        let nodes = self.links.len() / (2 * m);
        let row =
            |node: u32| self.links[node as usize * 2 * m..][..2 * m].iter().take_while(|&&n| n != NO_LINK);
        let mut order = Vec::with_capacity(nodes);
        let mut placed = vec![false; nodes];
        let mut unlinked = 0..nodes as u32;
        let mut next = Some(self.entry);
        while let Some(node) = next {
            placed[node as usize] = true;
            order.push(node);
            let is_left = |n: &u32| !placed[*n as usize];
            let near = order.iter().rev().take(BACK).flat_map(|&n| row(n)).copied().find(is_left);
            next = near.or_else(|| unlinked.find(is_left));
        }
        order
    }

    /// Numbers the nodes anew, by locality, here and in the table. Before anything is searched for: of nodes as good as
    /// one another a walk keeps those with the lowest numbers.
    pub(super) fn settle(&mut self, table: &mut CodeTable, m: usize) {
        self.order = self.by_locality(m);
        table.renumber(&self.order);
        let order = &self.order;
        let mut new_of = vec![0u32; order.len()];
        for (new, &old) in order.iter().enumerate() {
            new_of[old as usize] = new as u32;
        }
        let new = |n: u32| if n == NO_LINK { NO_LINK } else { new_of[n as usize] };
        let row = |old: u32| &self.links[old as usize * 2 * m..][..2 * m];
        self.links = order.iter().flat_map(|&old| row(old).iter().map(|&n| new(n))).collect();
        self.records.iter_mut().for_each(|n| *n = new(*n));
        self.entry = new(self.entry);
    }
}

/// The codes of all nodes of a space, and what distances between them need.
pub(crate) struct CodeTable {
    metric: Metric,
    kind: CodeKind,
    span: usize,
    bytes: AlignedBytes,
    metas: Vec<CodeMeta>,
    /// Squared length of the decoded code.
    norms: Vec<f32>,
    /// The coordinate added for the inner product; empty for the other metrics.
    heights: Vec<f32>,
    /// Squared lengths of the vectors for the inner product; empty for the other metrics.
    lengths: Vec<f32>,
    /// 128 times the sums of the codes as their coarse halves tell them; empty: searches read codes whole.
    coarse_sums: Vec<i32>,
}

impl CodeTable {
    /// Codes `vectors` (rows of `dim`) less `mean` (empty: nothing is taken off).
    pub(crate) fn new<'a>(
        metric: Metric,
        dim: usize,
        mean: &[f32],
        vectors: impl ExactSizeIterator<Item = &'a [f32]>,
    ) -> CodeTable {
        let kind = CodeKind::for_dim(dim);
        let span = kind.padded_len(dim);
        let mut bytes = AlignedBytes::zeroed(vectors.len() * span);
        let (mut metas, mut norms) = (Vec::with_capacity(vectors.len()), Vec::with_capacity(vectors.len()));
        let mut lengths = Vec::new();
        let mut centred = vec![0f32; dim];
        for (v, code) in vectors.zip(bytes.chunks_exact_mut(span.max(1))) {
            let coded = if mean.is_empty() {
                v
            } else {
                centred.iter_mut().zip(v).zip(mean).for_each(|((c, x), m)| *c = x - m);
                &centred
            };
            let meta = encode(kind, coded, code);
            norms.push(match kind {
                CodeKind::F32 => meta.norm2,
                CodeKind::I8 => {
                    let sum: i64 = code.iter().map(|&c| i64::from(c.cast_signed()).pow(2)).sum();
                    meta.scale * meta.scale * sum as f32
                }
            });
            metas.push(meta);
            if metric == Metric::Dot {
                lengths.push(v.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>());
            }
        }
        let most = lengths.iter().fold(0f64, |a, &b| a.max(b));
        let heights = lengths.iter().map(|l| (most - l).max(0.0).sqrt() as f32).collect();
        let lengths = lengths.iter().map(|&l| l as f32).collect();
        CodeTable { metric, kind, span, bytes, metas, norms, heights, lengths, coarse_sums: Vec::new() }
    }

    /// Searches will walk by the coarse halves of the codes, which are i8.
    pub(crate) fn halve(&mut self) {
        let sum = |code: &[u8]| code.iter().map(|&c| i32::from(coarse(c).cast_signed())).sum::<i32>();
        self.coarse_sums = self.bytes.chunks_exact(self.span.max(1)).map(|code| 128 * sum(code)).collect();
    }

    pub(crate) fn len(&self) -> usize {
        self.metas.len()
    }

    /// Numbers the nodes anew: `order` has the present number of each new one.
    fn renumber(&mut self, order: &[u32]) {
        fn pick<T: Copy>(all: &mut Vec<T>, order: &[u32]) {
            if !all.is_empty() {
                *all = order.iter().map(|&old| all[old as usize]).collect();
            }
        }
        let mut bytes = AlignedBytes::zeroed(self.bytes.len());
        for (code, &old) in bytes.chunks_exact_mut(self.span.max(1)).zip(order) {
            code.copy_from_slice(self.code(old));
        }
        self.bytes = bytes;
        pick(&mut self.metas, order);
        pick(&mut self.norms, order);
        pick(&mut self.heights, order);
        pick(&mut self.lengths, order);
        pick(&mut self.coarse_sums, order);
    }

    /// The code of a node, padded.
    #[inline(always)]
    pub(crate) fn code(&self, node: u32) -> &[u8] {
        &self.bytes[node as usize * self.span..][..self.span]
    }

    pub(crate) fn meta(&self, node: u32) -> &CodeMeta {
        &self.metas[node as usize]
    }

    /// Squared distance; 0 for equal codes, never negative.
    #[inline(always)]
    pub(super) fn distance<K: Kernel>(&self, kernel: K, a: u32, b: u32) -> f32 {
        (self.flat(kernel, a, b) + self.rise(a, b)).max(0.0)
    }

    /// What a search for the vector of `a` orders `b` by, higher is better: minus the squared distance, or
    /// for the inner product twice that less the squared length of `a`.
    #[inline(always)]
    pub(super) fn likeness<K: Kernel>(&self, kernel: K, a: u32, b: u32) -> f32 {
        let flat = self.flat(kernel, a, b).max(0.0);
        if self.lengths.is_empty() { -flat } else { self.lengths[b as usize] - flat }
    }

    /// Whether searches go by the inner product.
    pub(super) fn is_inner_product(&self) -> bool {
        !self.lengths.is_empty()
    }

    #[inline(always)]
    fn flat<K: Kernel>(&self, kernel: K, a: u32, b: u32) -> f32 {
        match self.kind {
            CodeKind::F32 => squared_distance(self.code(a), self.code(b)),
            CodeKind::I8 => {
                let (ma, mb) = (&self.metas[a as usize], &self.metas[b as usize]);
                let dot = kernel.dot_codes(self.code(a), self.code(b), mb.sum128);
                self.norms[a as usize] + self.norms[b as usize] - 2.0 * (ma.scale * mb.scale) * dot as f32
            }
        }
    }

    /// What a walk to the vector of `a` orders `b` by, higher is better: [`CodeTable::likeness`], or minus the squared
    /// distance with `inner` not set. Of codes in halves it is what [`Scorer::coarse`](crate::vector::Scorer::coarse)
    /// gives a search for that vector, number for number but for the inner product: whether a walk comes by a node in a
    /// crowd hangs by the last bit.
    #[inline(always)]
    pub(super) fn walked<K: Kernel>(&self, kernel: K, a: u32, b: u32, inner: bool) -> f32 {
        let Some(&sum128) = self.coarse_sums.get(b as usize) else {
            return if inner { self.likeness(kernel, a, b) } else { -self.distance(kernel, a, b) };
        };
        let (ma, mb) = (&self.metas[a as usize], &self.metas[b as usize]);
        let sum = ma.sum128 / 128;
        // The coarse half takes what it does not say for 7.5, the kernel for 8.
        let dot = (kernel.dot_coarse(self.code(a), self.code(b), sum128) - 8 * sum) as f32 + 7.5 * sum as f32;
        let norm = ma.norm2.sqrt();
        match (self.metric, self.lengths.get(b as usize)) {
            (Metric::L2, _) => -norm * norm + 2.0 * ma.scale * (mb.scale * dot) - mb.norm2,
            (Metric::Cosine, _) => (1.0 - norm * norm / 2.0) + ma.scale * (mb.scale * dot) - 0.5 * mb.norm2,
            // Not cut off at 0: a coarse half may make near points seem nearer than that, and their order counts.
            (Metric::Dot, length) => {
                let flat = ma.norm2 + mb.norm2 - 2.0 * ma.scale * (mb.scale * dot);
                match length {
                    Some(length) if inner => length - flat,
                    _ => -(flat + self.rise(a, b)),
                }
            }
        }
    }

    #[inline(always)]
    fn rise(&self, a: u32, b: u32) -> f32 {
        if self.heights.is_empty() {
            return 0.0;
        }
        let rise = self.heights[a as usize] - self.heights[b as usize];
        rise * rise
    }
}

fn squared_distance(a: &[u8], b: &[u8]) -> f32 {
    let (a, b): (&[f32], &[f32]) = (bytemuck::cast_slice(a), bytemuck::cast_slice(b));
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// The graph while threads write to it. Rows are atomics: a reader may see a row half rewritten, which
/// shows it nodes that were or will be neighbours; writers of a row hold its node's lock.
struct Builder<'a> {
    table: &'a CodeTable,
    m: usize,
    ef: usize,
    ground: Vec<AtomicU32>,
    /// Where the rows of a node's upper layers begin in `upper`.
    upper_at: Vec<u32>,
    upper: Vec<AtomicU32>,
    levels: Vec<u8>,
    locks: Vec<Mutex<()>>,
    /// Entry point and its level.
    top: Mutex<(u32, u8)>,
}

impl Builder<'_> {
    #[inline(always)]
    fn row(&self, node: u32, level: u8) -> &[AtomicU32] {
        if level == 0 {
            &self.ground[node as usize * 2 * self.m..][..2 * self.m]
        } else {
            &self.upper[self.upper_at[node as usize] as usize + (level as usize - 1) * self.m..][..self.m]
        }
    }

    /// Links `from` to `to`; a full row is chosen anew by the diversity rule.
    #[inline(always)]
    fn link<K: Kernel>(&self, kernel: K, level: u8, from: u32, to: u32, distance: f32, room: &mut Room) {
        let _guard = self.locks[from as usize].lock();
        let row = self.row(from, level);
        room.candidates.clear();
        for slot in row {
            match slot.load(Relaxed) {
                n if n == to => return,
                NO_LINK => {
                    slot.store(to, Relaxed);
                    return;
                }
                n => room.candidates.push((0.0, n)),
            }
        }
        for c in &mut room.candidates {
            c.0 = self.table.distance(kernel, c.1, from);
        }
        room.candidates.push((distance, to));
        sort(&mut room.candidates);
        let pair = |a, b| self.table.distance(kernel, a, b);
        select_diverse(&room.candidates, row.len(), pair, &mut room.kept);
        for (i, slot) in row.iter().enumerate() {
            slot.store(room.kept.get(i).map_or(NO_LINK, |k| k.1), Relaxed);
        }
    }

    /// Algorithm 1.
    #[inline(always)]
    fn insert<K: Kernel>(&self, kernel: K, node: u32, worker: &mut Worker) {
        let level = self.levels[node as usize];
        let mut top = self.top.lock();
        let (entry, highest) = *top;
        // Whoever raises the top holds it till its links stand; the others go on.
        let held = if level > highest {
            Some(&mut top)
        } else {
            drop(top);
            None
        };
        worker.query.clear();
        worker.query.extend_from_slice(self.table.code(node));
        if self.table.kind == CodeKind::I8 {
            // i8 to u8 + 128; the padding too, which is harmless as the codes hold 0 there.
            worker.query.iter_mut().for_each(|q| *q ^= 0x80);
        }
        let layer = |level| BuildLayer { builder: self, kernel, level, node, query: &worker.query };
        let mut at = (entry, layer(0).score(entry));
        for l in (level + 1..=highest).rev() {
            at = descend(&layer(l), at.0, at.1, &mut 0);
        }
        for l in (0..=level.min(highest)).rev() {
            worker.pool.reset(self.ef);
            worker.visited.reset(self.table.len());
            worker.visited.insert(node);
            worker.visited.insert(at.0);
            worker.pool.insert(Entry::new(at.1, at.0));
            walk(&layer(l), &mut worker.pool, &mut worker.visited, &mut worker.fresh, Floor::NONE);
            let entries = worker.pool.entries();
            at = (entries[0].node(), entries[0].score());
            worker.near.clear();
            worker.near.extend(entries.iter().map(|e| (-e.score(), e.node())));
            let pair = |a, b| self.table.distance(kernel, a, b);
            select_diverse(&worker.near, self.m, pair, &mut worker.chosen);
            for &(d, other) in &worker.chosen {
                self.link(kernel, l, node, other, d, &mut worker.room);
            }
            for &(d, other) in &worker.chosen {
                self.link(kernel, l, other, node, d, &mut worker.room);
            }
        }
        if let Some(top) = held {
            **top = (node, level);
        }
    }
}

pub(super) fn sort(candidates: &mut [(f32, u32)]) {
    candidates.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
}

/// A layer of the growing graph, scored against one of its nodes.
struct BuildLayer<'a, K> {
    builder: &'a Builder<'a>,
    kernel: K,
    level: u8,
    node: u32,
    query: &'a [u8],
}

impl<K: Kernel> Layer for BuildLayer<'_, K> {
    #[inline(always)]
    fn each(&self, node: u32, mut f: impl FnMut(u32)) {
        for slot in self.builder.row(node, self.level) {
            match slot.load(Relaxed) {
                NO_LINK => break,
                n => f(n),
            }
        }
    }

    #[inline(always)]
    fn score(&self, other: u32) -> f32 {
        let t = self.builder.table;
        let flat = match t.kind {
            CodeKind::F32 => squared_distance(self.query, t.code(other)),
            CodeKind::I8 => {
                let meta = &t.metas[other as usize];
                let dot = self.kernel.dot(self.query, t.code(other)).wrapping_sub(meta.sum128);
                t.norms[self.node as usize] + t.norms[other as usize]
                    - 2.0 * (t.metas[self.node as usize].scale * meta.scale) * dot as f32
            }
        };
        -(flat + t.rise(self.node, other)).max(0.0)
    }

    #[inline(always)]
    fn prefetch(&self, node: u32) {
        prefetch(self.builder.table.code(node));
    }

    #[inline(always)]
    fn prefetch_links(&self, _node: u32) {}
}

#[derive(Default)]
struct Room {
    candidates: Vec<(f32, u32)>,
    kept: Vec<(f32, u32)>,
}

#[derive(Default)]
struct Worker {
    pool: Pool,
    visited: Visited,
    fresh: Fresh,
    query: Vec<u8>,
    near: Vec<(f32, u32)>,
    chosen: Vec<(f32, u32)>,
    room: Room,
}

/// What one thread does: takes nodes in the shuffled order until none is left.
struct Insertions<'a> {
    builder: &'a Builder<'a>,
    order: &'a [u32],
    next: &'a AtomicUsize,
    cancel: &'a AtomicBool,
}

impl Task for Insertions<'_> {
    type Out = ();

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) {
        let mut worker = Worker::default();
        while !self.cancel.load(Relaxed) {
            let Some(&node) = self.order.get(self.next.fetch_add(1, Relaxed)) else { return };
            self.builder.insert(kernel, node, &mut worker);
        }
    }
}

/// Builds a graph over at least one node, on the threads of `pool`.
pub(crate) fn build(
    table: &mut CodeTable,
    params: &BuildParams,
    pool: &rayon::ThreadPool,
    cancel: &AtomicBool,
) -> Result<BuiltGraph, Cancelled> {
    let m = params.m;
    let mut rng = Rng::new(params.seed);
    let n = table.len() as u32;
    let order = rng.order(n);
    // Levels are geometric with ratio 1/M (the paper's mL = 1/ln M).
    let scale = 1.0 / (m as f64).ln();
    let levels: Vec<u8> =
        (0..n).map(|_| ((-rng.unit().ln() * scale) as u64).min(u64::from(MAX_LEVEL)) as u8).collect();
    let (upper_at, upper_len) = upper_places(&levels, m);
    let empty = |len: usize| (0..len).map(|_| AtomicU32::new(NO_LINK)).collect::<Vec<_>>();
    let builder = Builder {
        table,
        m,
        ef: params.ef_construction.max(m),
        ground: empty(n as usize * 2 * m),
        upper_at,
        upper: empty(upper_len as usize),
        locks: (0..n).map(|_| Mutex::new(())).collect(),
        top: Mutex::new((order[0], levels[order[0] as usize])),
        levels,
    };
    let next = AtomicUsize::new(1);
    pool.scope(|s| {
        for _ in 0..pool.current_num_threads() {
            let task = Insertions { builder: &builder, order: &order, next: &next, cancel };
            s.spawn(move |_| dispatch(task));
        }
    });
    if cancel.load(Relaxed) {
        return Err(Cancelled);
    }
    let mut graph = finish(builder);
    graph.settle(table, m);
    repair(table, &mut graph, m, pool, cancel);
    if cancel.load(Relaxed) { Err(Cancelled) } else { Ok(graph) }
}

/// Turns the atomics into rows.
fn finish(b: Builder<'_>) -> BuiltGraph {
    let plain = |row: Vec<AtomicU32>| row.into_iter().map(AtomicU32::into_inner).collect();
    let (entry, _) = b.top.into_inner();
    let rows = Rows {
        m: b.m,
        levels: b.levels,
        ground: plain(b.ground),
        upper_at: b.upper_at,
        upper: plain(b.upper),
    };
    rows.finish(entry)
}

/// The rows of all layers, by node.
pub(super) struct Rows {
    pub m: usize,
    pub levels: Vec<u8>,
    /// `2M` links per node.
    pub ground: Vec<u32>,
    /// Where the rows of a node's upper layers begin in `upper`.
    upper_at: Vec<u32>,
    upper: Vec<u32>,
}

/// Where the rows of each node's upper layers begin, and how many links there are in all of them.
fn upper_places(levels: &[u8], m: usize) -> (Vec<u32>, u32) {
    let mut end = 0u32;
    let mut place = |&level: &u8| {
        let at = end;
        end += u32::from(level) * m as u32;
        at
    };
    let places = levels.iter().map(&mut place).collect();
    (places, end)
}

impl Rows {
    /// Rows without links for nodes of these levels.
    pub(super) fn empty(m: usize, levels: Vec<u8>) -> Rows {
        let (upper_at, upper_len) = upper_places(&levels, m);
        let ground = vec![NO_LINK; levels.len() * 2 * m];
        Rows { m, levels, ground, upper_at, upper: vec![NO_LINK; upper_len as usize] }
    }

    fn place(&self, node: u32, level: u8) -> std::ops::Range<usize> {
        let at = self.upper_at[node as usize] as usize + (level as usize - 1) * self.m;
        at..at + self.m
    }

    /// The row of a node on a layer up to its level.
    pub(super) fn row_mut(&mut self, node: u32, level: u8) -> &mut [u32] {
        if level == 0 {
            &mut self.ground[node as usize * 2 * self.m..][..2 * self.m]
        } else {
            let place = self.place(node, level);
            &mut self.upper[place]
        }
    }

    /// Puts the upper layers together as records, the highest first. `entry` is of the highest level.
    pub(super) fn finish(self, entry: u32) -> BuiltGraph {
        let highest = self.levels[entry as usize];
        let mut records: Vec<u32> =
            (0..self.levels.len() as u32).filter(|&n| self.levels[n as usize] > 0).collect();
        records.sort_by_key(|&n| (std::cmp::Reverse(self.levels[n as usize]), n != entry, n));
        let mut record_of = vec![NO_LINK; self.levels.len()];
        for (r, &n) in records.iter().enumerate() {
            record_of[n as usize] = r as u32;
        }
        let mut counts = Vec::new();
        let mut upper_links = Vec::new();
        for level in 1..=highest {
            let count = records.partition_point(|&n| self.levels[n as usize] >= level);
            counts.push(count as u32);
            for &n in &records[..count] {
                upper_links.extend(self.upper[self.place(n, level)].iter().map(|&other| match other {
                    NO_LINK => NO_LINK,
                    other => record_of[other as usize],
                }));
            }
        }
        BuiltGraph { links: self.ground, entry, counts, records, upper_links, ..BuiltGraph::default() }
    }
}
