//! What reports teach: evidence, the background it is judged against, and the posterior.
//! Pure: no I/O, no clock, no index.

mod background;
mod decay;
mod evidence;
pub(crate) mod grid;
mod posterior;
mod quarantine;
mod trust;

pub(crate) use background::{Background, SAMPLE};
pub use decay::HalfLife;
pub(crate) use decay::{CANDIDATES, Trial, best, day, decay, fit};
pub(crate) use evidence::{Credit, Sums, Weights};
pub use posterior::{Evidence, Precedent};
pub(crate) use posterior::{Judge, MIN_EXPERIENCES, NEIGHBOURS};
pub use quarantine::StandingState;
pub(crate) use quarantine::{Rule, Witnesses, likeness};
pub(crate) use trust::{Agreement, Group};
