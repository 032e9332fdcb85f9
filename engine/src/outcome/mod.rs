//! What reports teach: evidence, the background it is judged against, and the posterior.
//! Pure: no I/O, no clock, no index.

mod background;
mod calibration;
mod chance;
mod decay;
mod evidence;
mod explore;
mod figures;
mod forecast;
pub(crate) mod grid;
mod hold_out;
mod posterior;
mod quarantine;
mod told;
mod trust;
mod uplift;

pub(crate) use background::{Background, SAMPLE};
pub(crate) use calibration::{Calibrator, Example, Features, MIN_EXAMPLES, MOST_EXAMPLES};
pub use decay::HalfLife;
pub(crate) use decay::{CANDIDATES, Observed, best, day, fit};
pub(crate) use evidence::{Credit, Sums, Weights};
pub(crate) use explore::explore;
pub use figures::Figures;
pub(crate) use figures::{Attempt, Origin, Word};
pub(crate) use forecast::{BINS, Tally};
pub use forecast::{Calibration, CalibrationBin};
pub(crate) use hold_out::{Fate, MOST_HELD_OUT, Shares};
pub use posterior::{Evidence, Precedent};
pub(crate) use posterior::{Judge, Judged, MIN_EXPERIENCES, NEIGHBOURS, ln_add};
pub use quarantine::StandingState;
pub(crate) use quarantine::{MOST_TRIED, Rule, Witnesses, likeness, trial_lot};
pub(crate) use told::{Scales, Source, Told, outcomes};
pub(crate) use trust::{Agreement, Group};
pub use uplift::{Rate, Uplift, Verdict};
pub(crate) use uplift::{Trial, uplift};
