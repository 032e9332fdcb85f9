//! Rows that are not in a segment yet: on the heap, searched by exact scan.

use crate::vector::{CodeKind, CodeMeta, Kernel, Metric, Probe, Scorer, Task, dispatch, encode};

use super::query::{Accept, Effort, Found, Scratch};
use super::scan::{Sieve, settle};

/// One row of the unsealed tail: a prepared vector and its code.
#[derive(Debug, Clone)]
pub(crate) struct TailRow {
    id: u64,
    vector: Box<[f32]>,
    /// [`CodeKind::padded_len`] bytes; empty where the vector itself is the code.
    code: Box<[u8]>,
    meta: CodeMeta,
}

impl TailRow {
    /// `vector` is prepared ([`Metric::prepare`]) and has the dimension of the store. The code does not
    /// depend on the metric; it is asked for so that a row cannot be made without having chosen one.
    pub(crate) fn new(_metric: Metric, id: u64, vector: &[f32]) -> TailRow {
        let kind = CodeKind::for_dim(vector.len());
        let mut code = vec![0; kind.padded_len(vector.len())];
        let meta = encode(kind, vector, &mut code);
        TailRow { id, vector: vector.into(), code: code.into(), meta }
    }

    /// The owner.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The prepared vector.
    pub(crate) fn vector(&self) -> &[f32] {
        &self.vector
    }
}

struct FirstPass<'a, I> {
    scorer: Scorer<'a>,
    rows: I,
    accept: Accept<'a>,
    sieve: Sieve<'a>,
}

impl<'r, I: Iterator<Item = &'r TailRow>> Task for FirstPass<'_, I> {
    /// Rows scored.
    type Out = u64;

    #[inline(always)]
    fn run<K: Kernel>(mut self, kernel: K) -> u64 {
        let mut scored = 0;
        for (i, row) in self.rows.enumerate() {
            if self.accept.accepts(row.id) {
                let score = self.scorer.score(kernel, &row.code, &row.meta);
                self.sieve.offer(score, self.scorer.certain_error(&row.meta), i as u32);
                scored += 1;
            }
        }
        self.sieve.finish();
        scored
    }
}

/// Appends to `out` the best `want` acceptable rows by (similarity descending, id ascending), with the
/// same exact similarities that a sealed search gives. `rows` is walked twice.
pub(crate) fn scan_rows<'r>(
    probe: &Probe,
    rows: impl Iterator<Item = &'r TailRow> + Clone,
    want: usize,
    accept: Accept<'_>,
    scratch: &mut Scratch,
    effort: &mut Effort,
    out: &mut Vec<Found>,
) {
    if want == 0 {
        return;
    }
    let dim = probe.vector().len();
    let scored = dispatch(FirstPass {
        scorer: probe.scorer(&[], false, &mut scratch.centre),
        rows: rows.clone(),
        accept,
        sieve: Sieve::new(want, &mut scratch.least, &mut scratch.candidates),
    });
    if scored == 0 {
        return;
    }
    effort.scans += 1;
    effort.distances += scored;
    effort.bytes += scored * (CodeKind::for_dim(dim).code_len(dim) + 16) as u64;
    // The candidates are few: collect their rows in one walk, in place of random access.
    let mut wanted: Vec<u32> = scratch.candidates.iter().map(|c| c.row).collect();
    wanted.sort_unstable();
    let mut kept: Vec<(u32, &TailRow)> = Vec::with_capacity(wanted.len());
    let mut next = wanted.iter().peekable();
    for (i, row) in rows.enumerate() {
        if next.next_if(|&&w| w == i as u32).is_some() {
            kept.push((i as u32, row));
        }
    }
    let row = |i: u32| kept.binary_search_by_key(&i, |&(k, _)| k).ok().map(|at| kept[at].1);
    let before = effort.reranked;
    let settled: Result<(), std::convert::Infallible> = settle(
        want,
        &scratch.candidates,
        &mut scratch.found,
        effort,
        |i| Ok(row(i).map_or(f32::NEG_INFINITY, |r| probe.exact(&r.vector))),
        |i, f| row(i).into_iter().for_each(|r| f(r.id)),
    );
    match settled {
        Ok(()) => {}
    }
    effort.bytes += (effort.reranked - before) * 4 * dim as u64;
    out.extend_from_slice(&scratch.found);
}
