//! Wisen: an embedded memory engine for AI agents that learns what works.
//!
//! *Remember* what happened, *recall* what fits now, act, *report* how it went; the next recall is
//! better. A [`Store`] is one directory on disk: SQLite holds the truth, memory-mapped HNSW segments
//! beside it are derived and can be deleted at any time. [`Store`] has an example.
//!
//! # How hits are ranked
//!
//! Every report is a point: the query it was made for, the memory, the outcome. A memory is judged by
//! the reports made near the present query, and by its own nearness, which counts as one success at its
//! own place. Nearness is measured in spreads of the namespace's own similarities, so no absolute scale
//! of an embedding model enters. Without reports the order is that of similarity, bit for bit.
//!
//! # Threads and processes
//!
//! A [`Store`] is `Send + Sync`. Any number of threads and processes may use one directory at once;
//! each sees its own writes at once and those of others at its next call. A handle is good only in the
//! process that opened it: after a fork it answers [`Error::Forked`].
//!
//! # Log
//!
//! What is set aside, begun anew or found missing without failing a call is told through the crate `log`
//! (level warn, target `wisen`), and by [`Store::verify`].
//!
//! # Errors
//!
//! One enum, [`Error`], whose messages name what is wrong and the way out, and whose
//! [`code`](Error::code) is the same number in Rust, C and Python. After an error nothing of the call
//! was stored.
#![deny(missing_docs)]

#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod clock;
mod error;
mod filter;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod graph;
mod id;
mod key;
mod memory;
mod notice;
mod outcome;
mod rank;
mod rules;
mod sabotage;
mod screen;
mod segment;
mod store;
mod vector;
#[doc(hidden)]
pub mod waits;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use error::{Error, ErrorCode, Result};
pub use filter::{FieldTest, Filter, Scalar, Span, Test};
pub use id::{DEFAULT_KIND, DEFAULT_NAMESPACE, MemoryId, ReceiptId, ReportId};
pub use key::{PublicKey, SecretKey};
pub use memory::*;
pub use outcome::{
    Calibration, CalibrationBin, Evidence, Figures, HalfLife, Precedent, Rate, StandingState, Uplift, Verdict,
};
pub use rules::{
    Action, Answer, Bearing, Decision, Directive, Force, Lint, Match, RuleScope, lint_rules, parse_rules,
    print_rules,
};
pub use screen::{Secret, SecretKind, find_secrets};
pub use vector::{Metric, Storage};
