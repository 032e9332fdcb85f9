//! Ranks the candidates of a recall by what experience says of them.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::outcome::{
    Background, Calibrator, Evidence, Features, Judge, Judged, NEIGHBOURS, Weights, ln_add,
};

/// A memory near the query, or one that was nominated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub memory: u64,
    /// Which of the namespaces searched it belongs to.
    pub namespace: usize,
    pub similarity: f32,
    pub nominated: bool,
}

/// A point of experience near the query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neighbour {
    /// Its own id, which breaks ties.
    pub cell: u64,
    pub memory: u64,
    pub namespace: usize,
    pub similarity: f32,
    pub weights: Weights,
}

impl Neighbour {
    /// Nearest first, then by memory: in no way by when they came about.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let nearest = other.similarity.total_cmp(&self.similarity);
        nearest.then(self.memory.cmp(&other.memory)).then(self.cell.cmp(&other.cell))
    }
}

/// A candidate with its score.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranked {
    pub memory: u64,
    pub namespace: usize,
    pub similarity: f32,
    pub score: f64,
    pub evidence: Evidence,
    /// What the probability was made of.
    pub features: Features,
    /// How far rules have shifted the score.
    pub lean: f64,
}

/// What the namespaces searched have in common, and what each has of its own.
pub(crate) struct Grounds<'a> {
    /// Background of the memories.
    pub memories: Background,
    /// Background of the experiences.
    pub experiences: Background,
    /// Similarity of a situation identical to the query.
    pub identical: f32,
    /// Weights of all successes and failures.
    pub overall: (f64, f64),
    /// The calibrator of each namespace.
    pub calibrators: &'a [Calibrator],
}

/// Receipts under which a memory must have succeeded near the query before that makes it a
/// candidate: one planted success nominates nobody.
const NOMINATING_WINS: f64 = 2.0;
/// Weights are sums of shares: two whole wins may come out a little below two.
const ROUNDING: f64 = 1e-9;

/// The memories that succeeded near the query under at least two receipts, with the index of
/// their namespace, in the order of ids.
pub(crate) fn nominate(neighbours: &[Neighbour]) -> Vec<(u64, usize)> {
    let least = if crate::sabotage::on("one_success_nominates") { 1.0 } else { NOMINATING_WINS };
    let mut wins: HashMap<(u64, usize), f64> = HashMap::new();
    for near in neighbours {
        *wins.entry((near.memory, near.namespace)).or_default() += near.weights.wins;
    }
    let mut named: Vec<_> =
        wins.into_iter().filter(|(_, n)| *n >= least - ROUNDING).map(|(m, _)| m).collect();
    named.sort_unstable();
    named
}

/// The best `k` of the candidates (each memory once) by score, then similarity, then id.
pub(crate) fn rank(
    candidates: &[Candidate],
    neighbours: &[Neighbour],
    grounds: &Grounds<'_>,
    k: usize,
    record: impl Fn(u64, usize) -> Weights,
) -> Vec<Ranked> {
    let &Grounds { memories, experiences, identical, overall, calibrators } = grounds;
    let best_of = |places: &mut dyn Iterator<Item = f64>| places.fold(f64::NEG_INFINITY, f64::max);
    let top = best_of(&mut candidates.iter().map(|c| memories.place(c.similarity)))
        .max(best_of(&mut neighbours.iter().map(|n| experiences.place(n.similarity))));
    let farthest = neighbours.iter().map(|n| n.similarity).min_by(f32::total_cmp);
    let horizon = farthest.filter(|_| neighbours.len() >= NEIGHBOURS).map(|x| experiences.place(x));
    let identical = experiences.place(identical);
    let judge = Judge { memories, experiences, top, identical, horizon, overall };

    // Nearest first, so that sums are formed in one order whatever the index returned.
    let mut order: Vec<&Neighbour> = neighbours.iter().collect();
    order.sort_unstable_by(|a, b| a.order(b));
    let mut past: HashMap<u64, Vec<(f32, Weights)>> = HashMap::new();
    for near in order {
        past.entry(near.memory).or_default().push((near.similarity, near.weights));
    }

    let mut judged: Vec<(&Candidate, Judged)> = candidates
        .iter()
        .map(|c| (c, judge.judge(c.similarity, c.nominated, past.get(&c.memory).map_or(&[], Vec::as_slice))))
        .collect();
    judged.sort_unstable_by(|(a, x), (b, y)| {
        y.score()
            .total_cmp(&x.score())
            .then(b.similarity.total_cmp(&a.similarity))
            .then(a.memory.cmp(&b.memory))
    });
    let ln_total = judged.iter().fold(f64::NEG_INFINITY, |sum, (_, j)| ln_add(j.ln_alpha, sum));
    judged
        .iter_mut()
        .take(k)
        .map(|(c, j)| {
            judge.promise(j, record(c.memory, c.namespace));
            let features = judge.features(j, ln_total);
            let mut evidence = j.evidence;
            evidence.calibrate(&calibrators[c.namespace], &features);
            let &Candidate { memory, namespace, similarity, .. } = *c;
            Ranked { memory, namespace, similarity, score: j.score(), evidence, features, lean: 0.0 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Credit, Sums};

    fn background() -> Background {
        Background::of(&mut [0.0, 0.1, 0.2, 0.3, 0.4])
    }

    fn candidate(memory: u64, similarity: f32) -> Candidate {
        Candidate { memory, namespace: 0, similarity, nominated: false }
    }

    fn neighbour(cell: u64, memory: u64, similarity: f32, outcome: f64, wins: i64) -> Neighbour {
        let sums = Sums { wins, ..Sums::of(Credit::share(1, 1), outcome) };
        Neighbour { cell, memory, namespace: 0, similarity, weights: sums.into() }
    }

    fn ranked(candidates: &[Candidate], neighbours: &[Neighbour]) -> Vec<Ranked> {
        let grounds = Grounds {
            memories: background(),
            experiences: background(),
            identical: 1.0,
            overall: (3.0, 1.0),
            calibrators: &[Calibrator::IDENTITY],
        };
        rank(candidates, neighbours, &grounds, usize::MAX, |_, _| Weights::default())
    }

    fn order(candidates: &[Candidate], neighbours: &[Neighbour]) -> Vec<u64> {
        ranked(candidates, neighbours).iter().map(|r| r.memory).collect()
    }

    #[test]
    fn no_report_no_change() {
        let candidates =
            [candidate(9, 0.5), candidate(2, 0.7), candidate(3, 0.7), candidate(1, 0.499_999_97)];
        assert_eq!(order(&candidates, &[]), [2, 3, 9, 1]);
    }

    #[test]
    fn failures_here_lower_and_successes_here_raise() {
        let candidates = [candidate(1, 0.7), candidate(2, 0.68)];
        assert_eq!(order(&candidates, &[neighbour(1, 1, 0.7, 0.0, 0)]), [2, 1]);
        assert_eq!(order(&candidates, &[neighbour(1, 2, 0.7, 1.0, 1)]), [2, 1]);
    }

    #[test]
    fn one_success_or_a_failure_nominates_nobody() {
        assert!(nominate(&[neighbour(1, 7, 0.9, 1.0, 1), neighbour(2, 8, 0.9, 0.0, 0)]).is_empty());
        assert_eq!(nominate(&[neighbour(1, 7, 0.9, 1.0, 1), neighbour(2, 7, 0.8, 1.0, 1)]), [(7, 0)]);
    }

    #[test]
    fn the_order_of_neighbours_changes_no_bit() {
        let candidates = [candidate(1, 0.7), candidate(2, 0.68)];
        let mut near: Vec<_> =
            (0..20).map(|i| neighbour(i, 1 + i % 2, 0.5 + i as f32 / 50.0, 0.3, 0)).collect();
        let a = ranked(&candidates, &near);
        near.reverse();
        let b = ranked(&candidates, &near);
        assert!(a.iter().zip(&b).all(|(x, y)| x.score.to_bits() == y.score.to_bits()));
    }
}
