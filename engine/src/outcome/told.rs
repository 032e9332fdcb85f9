//! What groups told of one memory, and what that is worth now: the one place where caps, trust and age
//! scale evidence, whoever asks.

use std::collections::{BTreeMap, HashMap};

use super::decay::decay;
use super::evidence::{Credit, Sums, Weights};
use super::trust::Group;

/// Whose evidence, and of which day (UTC).
pub(crate) type Source = (Group, i64);

/// What scales evidence, the same for all memories.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Scales {
    /// What the credit of a group is multiplied by; one that is not in it has no weight.
    pub trust: BTreeMap<Group, f64>,
    /// In days, by kind.
    pub half_lives: HashMap<i64, f64>,
}

impl Scales {
    pub(crate) fn trust(&self, group: Group) -> f64 {
        self.trust.get(&group).copied().unwrap_or(0.0)
    }

    /// What is left of evidence on a memory of this kind, but for the cap.
    pub(crate) fn of(&self, kind: i64, (group, told): Source, today: i64) -> f64 {
        let left = self.half_lives.get(&kind).map_or(1.0, |days| decay(today - told, *days));
        self.trust(group) * left
    }
}

/// What groups told of one memory, in all situations.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub kind: i64,
    /// Successes and failures.
    by: BTreeMap<Source, (i64, i64)>,
}

impl Told {
    /// Nothing yet, of a memory of this kind.
    pub(crate) fn of(kind: i64) -> Self {
        Self { kind, by: BTreeMap::new() }
    }

    /// Adds so many successes and failures, or takes them away.
    pub(crate) fn shift(&mut self, source: Source, success: i64, failure: i64) {
        let sums = self.by.entry(source).or_default();
        *sums = (sums.0 + success, sums.1 + failure);
        if *sums == (0, 0) {
            self.by.remove(&source);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by.is_empty()
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = Source> + '_ {
        self.by.keys().copied()
    }

    fn cap_scale(&self, source: Source) -> f64 {
        let (success, failure) = self.by.get(&source).copied().unwrap_or_default();
        source.0.cap_scale(Credit::from_raw(success + failure).weight())
    }

    /// Successes and failures of a source, scaled to its cap, in fixed point: exact, so that their sums
    /// do not depend on the order.
    pub(crate) fn capped(&self, source: Source) -> (i64, i64) {
        let (success, failure) = self.by.get(&source).copied().unwrap_or_default();
        let scale = self.cap_scale(source);
        ((success as f64 * scale).round() as i64, (failure as f64 * scale).round() as i64)
    }

    /// How much what a source told is worth while it is fresh, in `0..=1`.
    pub(crate) fn share(&self, source: Source, scales: &Scales) -> f64 {
        self.cap_scale(source) * scales.trust(source.0)
    }

    /// Adds to `weights` what parts of all this are worth: each as much of its weight as the whole of its
    /// source.
    pub(crate) fn add_to(
        &self,
        weights: &mut Weights,
        parts: impl Iterator<Item = (Source, Sums)>,
        scales: &Scales,
        today: i64,
    ) {
        for (source, sums) in parts {
            let scale = self.cap_scale(source) * scales.of(self.kind, source, today);
            if scale > 0.0 {
                weights.add(Weights::from(sums), scale);
            }
        }
    }
}

/// Outcomes that parts of what was told count for, by those who are trusted at all: no more of a group on a
/// day than it may give credit, or a name could tell of many in little pieces.
pub(crate) fn outcomes(parts: impl Iterator<Item = (Source, Sums)>, scales: &Scales) -> u64 {
    let trusted = parts.filter(|((group, _), _)| scales.trust(*group) > 0.0);
    trusted.map(|((group, _), sums)| group.most_outcomes(sums.reports.max(0).cast_unsigned())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_scaled_as_the_whole_of_its_source() {
        let (ann, day) = (Group(7), 100);
        let scales = Scales {
            trust: BTreeMap::from([(Group::OWNER, 1.0), (ann, 0.5), (Group(8), 0.0)]),
            half_lives: HashMap::from([(1, 10.0)]),
        };
        let one = Sums::of(Credit::share(1, 1), 1.0);
        let mut told = Told::of(1);
        for group in [ann, Group(8), Group::OWNER] {
            (0..6).for_each(|_| told.shift((group, day), one.success, one.failure));
        }
        let worth = |group: Group, today: i64| {
            let mut weights = Weights::default();
            told.add_to(&mut weights, std::iter::once(((group, day), one)), &scales, today);
            weights.successes
        };
        assert!((worth(ann, day) - 0.25).abs() < 1e-9, "half trusted, and half of it over the cap");
        assert!((worth(ann, day + 10) - 0.125).abs() < 1e-9);
        assert!((worth(Group::OWNER, day) - 1.0).abs() < 1e-9 && worth(Group(8), day) == 0.0);
        let many = Sums { reports: 6, ..one };
        let count = |group| outcomes(std::iter::once(((group, day), many)), &scales);
        assert_eq!([count(Group::OWNER), count(ann), count(Group(8))], [6, 3, 0]);
    }
}
