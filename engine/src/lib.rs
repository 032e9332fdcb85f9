//! Wisen: an embedded memory engine for AI agents that learns what works.
#![deny(missing_docs)]

mod clock;
mod error;
mod graph;
mod id;
mod memory;
mod outcome;
mod rank;
mod segment;
mod store;
mod vector;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use error::{Error, ErrorCode, Result};
pub use id::{MemoryId, ReceiptId, ReportId};
pub use memory::*;
pub use outcome::{Evidence, Precedent};
pub use vector::Metric;
