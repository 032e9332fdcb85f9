//! Wisen: an embedded memory engine for AI agents that learns what works.
#![deny(missing_docs)]

mod clock;
mod error;
mod graph;
mod segment;
mod vector;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use error::{Error, ErrorCode, Result};
