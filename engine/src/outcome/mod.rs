//! What reports teach: evidence, the background it is judged against, and the posterior.
//! Pure: no I/O, no clock, no index.

mod background;
mod evidence;
mod posterior;

pub(crate) use background::{Background, SAMPLE};
pub(crate) use evidence::{Credit, Sums, Weights};
pub use posterior::{Evidence, Precedent};
pub(crate) use posterior::{Judge, MIN_EXPERIENCES, NEIGHBOURS};
