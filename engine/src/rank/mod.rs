//! From neighbours to ranked hits, and the words for it. Pure: no I/O, no clock, no index.

mod explain;
mod score;

pub(crate) use explain::{reasons, warning};
pub(crate) use score::{Candidate, Grounds, Neighbour, Ranked, nominate, rank};
