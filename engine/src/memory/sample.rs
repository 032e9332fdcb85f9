//! The sample of a namespace's points that the background of a query is taken from: those with
//! the smallest shuffles. Which they are depends on which points there are, and on nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::graph::{CodeBlock, Coded};
use crate::outcome::SAMPLE;

/// A few vectors beyond the sample are held, so that it survives as many removals.
const HELD: usize = 2 * SAMPLE;

/// Vectors of the points with the smallest shuffles.
#[derive(Default)]
pub(crate) struct Sample {
    /// By shuffle and id.
    held: BTreeMap<(i64, u64), Arc<Coded>>,
    /// Whether every point of the namespace is held.
    complete: bool,
    drawn: Option<Arc<CodeBlock>>,
}

impl Sample {
    /// How many points to load.
    pub(crate) const LOAD: usize = HELD;

    /// A sample of these points: the first [`Sample::LOAD`] by shuffle, or all if there are fewer.
    pub(crate) fn of(points: impl IntoIterator<Item = ((i64, u64), Vec<f32>)>) -> Self {
        let coded = points.into_iter().map(|(place, vector)| (place, Arc::new(Coded::new(&vector))));
        let held: BTreeMap<_, _> = coded.collect();
        Self { complete: held.len() < HELD, held, drawn: None }
    }

    /// Notes a new point, or a new vector of one.
    pub(crate) fn put(&mut self, place: (i64, u64), vector: &[f32]) {
        let inside = self.complete || self.held.last_key_value().is_some_and(|(last, _)| place <= *last);
        if !inside {
            return;
        }
        self.held.insert(place, Arc::new(Coded::new(vector)));
        self.drawn = None;
        if self.held.len() > HELD {
            self.held.pop_last();
            self.complete = false;
        }
    }

    /// Notes that a point is gone. Returns whether the sample can still be drawn; if not, it has to
    /// be loaded again.
    pub(crate) fn remove(&mut self, place: (i64, u64)) -> bool {
        if self.held.remove(&place).is_some() {
            self.drawn = None;
        }
        self.complete || self.held.len() >= SAMPLE
    }

    /// The sample, if nothing was put or removed since it was last drawn.
    pub(crate) fn drawn(&self) -> Option<Arc<CodeBlock>> {
        self.drawn.clone()
    }

    /// The sample.
    pub(crate) fn draw(&mut self) -> Arc<CodeBlock> {
        let held = self.held.values().take(SAMPLE).map(Arc::as_ref);
        self.drawn.get_or_insert_with(|| Arc::new(CodeBlock::of(held))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Effort, Scratch};
    use crate::vector::{Metric, Probe};

    fn vector(id: u64) -> Vec<f32> {
        vec![id as f32]
    }

    fn place(id: u64) -> (i64, u64) {
        ((id * 7919 % 10_007) as i64, id)
    }

    /// What the sample must be: the smallest of all, however it came about.
    fn expected(ids: &[u64]) -> Vec<u64> {
        let mut places: Vec<_> = ids.iter().map(|&id| place(id)).collect();
        places.sort_unstable();
        places.iter().take(SAMPLE).map(|p| p.1).collect()
    }

    /// The ids of what is drawn: the similarity of a one-dimensional vector with 1 is its number.
    fn drawn(sample: &mut Sample) -> Vec<u64> {
        let probe = Probe::new(Metric::Dot, &[1.0]);
        let mut similarities = Vec::new();
        let (mut scratch, mut effort) = (Scratch::default(), Effort::default());
        sample.draw().similarities(&probe, false, &mut scratch, &mut effort, &mut similarities);
        similarities.into_iter().map(|s| s as u64).collect()
    }

    #[test]
    fn it_depends_only_on_which_points_there_are() {
        let mut grown = Sample::of([]);
        (0..5000).for_each(|id| grown.put(place(id), &vector(id)));
        let all: Vec<u64> = (0..5000).collect();
        assert_eq!(drawn(&mut grown), expected(&all));

        let mut first: Vec<_> = all.iter().map(|&id| (place(id), vector(id))).collect();
        first.sort_unstable_by_key(|p| p.0);
        let mut loaded = Sample::of(first.into_iter().take(Sample::LOAD));
        assert_eq!(drawn(&mut loaded), expected(&all));
    }

    #[test]
    fn removals_are_survived_or_reported() {
        let mut sample = Sample::of([]);
        (0..5000).for_each(|id| sample.put(place(id), &vector(id)));
        let mut left: Vec<u64> = (0..5000).collect();
        let mut usable = true;
        let mut removed = 0;
        while usable {
            let gone = drawn(&mut sample)[0];
            usable = sample.remove(place(gone));
            left.retain(|&id| id != gone);
            removed += 1;
            if usable {
                assert_eq!(drawn(&mut sample), expected(&left));
            }
        }
        assert_eq!(removed, HELD - SAMPLE + 1);
    }
}
