//! What a distance is: metrics over prepared vectors, compact codes, and the hot loop over them.
#![allow(
    clippy::inline_always,
    reason = "hot loops are compiled as a whole for each kernel: what is not inlined loses its instructions"
)]

mod aligned;
mod code;
pub(crate) mod kernel;
mod metric;
mod probe;
mod storage;

pub(crate) use aligned::AlignedBytes;
pub(crate) use code::{CodeKind, CodeMeta, MAX_DIM, coarseness, encode, half_len, halve, sum_of_squares};
pub(crate) use kernel::{Kernel, Task, coarse, dispatch, prefetch};
pub use metric::Metric;
pub(crate) use probe::{CentreScratch, Probe, Scorer};
pub use storage::Storage;
pub(crate) use storage::{from_half, to_half};

#[cfg(target_endian = "big")]
compile_error!(
    "Wisen's files are little-endian and mapped as they are: big-endian machines are not supported"
);
