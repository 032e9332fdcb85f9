//! Holding out: on a share of recalls, drawn at random, memory is withheld, or one of the hits is. What
//! happens then beside what happens otherwise is what memory, or that hit, is worth (`uplift.rs`): a
//! comparison that no confounder spoils, because chance alone decided which is which.

use rand::RngExt;

use super::chance::{Purpose, stream};

/// Largest share of recalls on which memory may be withheld.
pub(crate) const MOST_HELD_OUT: f64 = 0.5;

/// What is done with the hits of one recall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They are shown.
    Whole,
    /// None of them is shown.
    Withheld,
    /// All but the one in this position are shown.
    LeftOut(usize),
}

/// How likely each fate is while a share of `withheld` is held out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shares {
    withheld: f64,
    left_out: f64,
}

impl Shares {
    /// `share` in `0..=0.5`. One hit is left out as often as all of them are, but at least half of what
    /// is not withheld stays whole: the two differ from a share of a third on.
    pub(crate) fn of(share: f64) -> Self {
        Self { withheld: share, left_out: share.min((1.0 - share) / 2.0) }
    }

    fn whole(self) -> f64 {
        1.0 - self.withheld - self.left_out
    }

    /// Of a recall that is either whole or withheld: how likely it was to be withheld.
    pub(crate) fn chance_of_withholding(self) -> f64 {
        self.withheld / (self.withheld + self.whole())
    }

    /// Of a recall with so many hits that is either whole or lacks this one hit: how likely it was to
    /// lack it.
    pub(crate) fn chance_of_leaving_out(self, hits: usize) -> f64 {
        let one = self.left_out / hits.max(1) as f64;
        one / (one + self.whole())
    }

    /// Draws what is done with so many hits.
    pub(crate) fn draw(self, hits: usize, seed: u64) -> Fate {
        let mut rng = stream(seed, Purpose::HoldOut);
        let lot: f64 = rng.random();
        if lot < self.withheld {
            Fate::Withheld
        } else if lot < self.withheld + self.left_out && hits > 0 {
            Fate::LeftOut(rng.random_range(0..hits as u64) as usize)
        } else {
            Fate::Whole
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_come_as_often_as_they_should() {
        const DRAWS: u64 = 40_000;
        for (share, left_out) in [(0.0, 0.0), (0.05, 0.05), (0.3, 0.3), (0.5, 0.25)] {
            let (mut withheld, mut lacking) = (0.0, [0.0; 4]);
            for seed in 0..DRAWS {
                match Shares::of(share).draw(4, seed) {
                    Fate::Whole => {}
                    Fate::Withheld => withheld += 1.0 / DRAWS as f64,
                    Fate::LeftOut(i) => lacking[i] += 1.0 / DRAWS as f64,
                }
            }
            let close = |seen: f64, p: f64| (seen - p).abs() <= 4.0 * (p * (1.0 - p) / DRAWS as f64).sqrt();
            assert!(close(withheld, share), "{share}: {withheld}");
            for one in lacking {
                assert!(close(one, left_out / 4.0), "{share}: {lacking:?}");
            }
        }
        assert!((0..1000).all(|seed| Shares::of(0.0).draw(4, seed) == Fate::Whole));
        assert!((0..1000).all(|seed| !matches!(Shares::of(0.5).draw(0, seed), Fate::LeftOut(_))));
    }

    #[test]
    fn chances_are_those_of_the_two_fates_compared() {
        let shares = Shares::of(0.1);
        assert!((shares.chance_of_withholding() - 0.1 / 0.9).abs() < 1e-12);
        assert!((shares.chance_of_leaving_out(5) - 0.02 / 0.82).abs() < 1e-12);
        assert!((Shares::of(0.5).chance_of_withholding() - 0.5 / 0.75).abs() < 1e-12);
    }
}
