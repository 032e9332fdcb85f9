//! What reports teach: evidence, the background it is judged against, and the posterior.
//! Pure: no I/O, no clock, no index.

mod background;
mod calibration;
mod chance;
mod evidence;
mod explore;
mod figures;
mod hold_out;
mod posterior;
mod uplift;

pub(crate) use background::{Background, SAMPLE};
pub(crate) use calibration::{Calibrator, Example, Features, MIN_EXAMPLES, MOST_EXAMPLES};
pub(crate) use evidence::{Credit, Sums, Weights};
pub(crate) use explore::explore;
pub use figures::Figures;
pub(crate) use figures::{Attempt, Origin, Word};
pub(crate) use hold_out::{Fate, MOST_HELD_OUT, Shares};
pub use posterior::{Evidence, Precedent};
pub(crate) use posterior::{Judge, Judged, MIN_EXPERIENCES, NEIGHBOURS, ln_add};
pub use uplift::{Rate, Uplift, Verdict};
pub(crate) use uplift::{Trial, uplift};
