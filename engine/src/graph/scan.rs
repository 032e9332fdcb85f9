//! Exact search: codes first, then full vectors for whatever the codes cannot rule out.
//!
//! The first pass computes for every row the least and the most its exact similarity can be
//! (`Scorer::certain_error`). A row whose most is below the `want`-th largest least is out. The second
//! pass computes the exact similarity of the others, best first. The result is that of brute force.

use crate::vector::{CodeMeta, Kernel, Probe, Scorer, Task, dispatch};

use super::query::{Accept, Candidate, Effort, Found, Scratch, keep};
use super::view::View;

/// The first pass: keeps the rows that may be among the `want` best.
pub(super) struct Sieve<'a> {
    want: usize,
    /// At least `want` rows are certainly this good.
    bar: f32,
    least: &'a mut Vec<f32>,
    candidates: &'a mut Vec<Candidate>,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(want: usize, least: &'a mut Vec<f32>, candidates: &'a mut Vec<Candidate>) -> Self {
        least.clear();
        candidates.clear();
        Sieve { want, bar: f32::NEG_INFINITY, least, candidates }
    }

    /// Takes a row in, unless it is certainly not among the best. To be called once per result it may give.
    pub(super) fn offer(&mut self, score: f32, error: f32, row: u32) {
        let most = score + error;
        if most < self.bar {
            return;
        }
        self.candidates.push(Candidate { most, row });
        self.least.push(score - error);
        if self.least.len() >= 2 * self.want + 64 {
            self.raise();
        }
    }

    fn raise(&mut self) {
        if self.least.len() >= self.want {
            let (_, nth, _) = self.least.select_nth_unstable_by(self.want - 1, |a, b| b.total_cmp(a));
            self.bar = *nth;
            self.least.truncate(self.want);
        }
    }

    /// Leaves in the candidates those that may be among the best, the most promising first.
    pub(super) fn finish(mut self) {
        self.raise();
        let bar = self.bar;
        self.candidates.retain(|c| c.most.total_cmp(&bar).is_ge());
        self.candidates.sort_unstable_by(|a, b| b.most.total_cmp(&a.most).then(a.row.cmp(&b.row)));
    }
}

/// The second pass. `exact` gives the exact similarity of a row, `owners` calls back with its ids.
pub(super) fn settle<E>(
    want: usize,
    candidates: &[Candidate],
    found: &mut Vec<Found>,
    effort: &mut Effort,
    mut exact: impl FnMut(u32) -> Result<f32, E>,
    mut owners: impl FnMut(u32, &mut dyn FnMut(u64)),
) -> Result<(), E> {
    found.clear();
    for c in candidates {
        if found.len() >= want && found.last().is_some_and(|worst| c.most < worst.similarity) {
            break;
        }
        let similarity = exact(c.row)?;
        effort.reranked += 1;
        effort.distances += 1;
        owners(c.row, &mut |id| keep(found, want, Found { id, similarity }));
    }
    Ok(())
}

struct FirstPass<'a, 'v, I> {
    view: &'a View<'v>,
    scorer: Scorer<'a>,
    nodes: I,
    sieve: Sieve<'a>,
}

impl<I: Iterator<Item = u32>> Task for FirstPass<'_, '_, I> {
    type Out = u64;

    #[inline(always)]
    fn run<K: Kernel>(mut self, kernel: K) -> u64 {
        let mut scored = 0;
        for node in self.nodes {
            let meta: &CodeMeta = self.view.meta(node);
            let score = self.view.whole(&self.scorer, kernel, node);
            self.sieve.offer(score, self.scorer.certain_error(meta), node);
            scored += 1;
        }
        self.sieve.finish();
        scored
    }
}

/// Appends the best `want` acceptable owners of these nodes. Each node is to come once.
#[allow(clippy::too_many_arguments, reason = "one call from search.rs; a struct would only rename them")]
pub(super) fn scan<E>(
    view: &View<'_>,
    probe: &Probe,
    nodes: impl Iterator<Item = u32>,
    want: usize,
    accept: Accept<'_>,
    scratch: &mut Scratch,
    effort: &mut Effort,
    out: &mut Vec<Found>,
    exact: impl Fn(u32) -> Result<f32, E>,
) -> Result<(), E> {
    let nodes =
        nodes.filter(|&n| matches!(accept, Accept::All) || view.owners.of(n).any(|id| accept.accepts(id)));
    scan_all(view, probe, nodes, want, accept, scratch, effort, out, exact)
}

/// [`scan`] of nodes that all have an acceptable owner.
#[allow(clippy::too_many_arguments, reason = "as scan")]
pub(super) fn scan_all<E>(
    view: &View<'_>,
    probe: &Probe,
    nodes: impl Iterator<Item = u32>,
    want: usize,
    accept: Accept<'_>,
    scratch: &mut Scratch,
    effort: &mut Effort,
    out: &mut Vec<Found>,
    exact: impl Fn(u32) -> Result<f32, E>,
) -> Result<(), E> {
    let scored = dispatch(FirstPass {
        view,
        scorer: probe.scorer(view.mean, view.layout.is_halved(), &mut scratch.centre),
        nodes,
        sieve: Sieve::new(want, &mut scratch.least, &mut scratch.candidates),
    });
    effort.scans += 1;
    effort.distances += scored;
    effort.bytes += scored * view.code_bytes();
    let before = effort.reranked;
    settle(want, &scratch.candidates, &mut scratch.found, effort, exact, |node, f| {
        view.owners.of(node).filter(|&id| accept.accepts(id)).for_each(f);
    })?;
    effort.bytes += (effort.reranked - before) * view.vectors.bytes() as u64;
    out.extend_from_slice(&scratch.found);
    Ok(())
}
