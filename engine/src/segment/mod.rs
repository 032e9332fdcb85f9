//! One immutable file that holds the geometry of many namespaces: codes, graphs, ids and full vectors.
//!
//! `format` is the file as tables, `map` the bytes it lies in, `write` makes one, `read` opens one by
//! checking everything a search relies on, `space` is one namespace's part of it, `verify` checks the rest.

mod collapse;
mod control;
mod fault;
mod format;
mod map;
mod read;
mod space;
mod verify;
mod write;

#[cfg(any(test, feature = "fuzzing"))]
mod forge;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod measure;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod testing;

pub(crate) use control::Control;
pub(crate) use fault::SegmentFault;
#[cfg(feature = "fuzzing")]
pub(crate) use forge::reseal;
pub(crate) use format::SpaceKind;
pub(crate) use map::Bytes;
pub(crate) use read::{Expect, Segment};
#[cfg(feature = "hnsw_rs")]
pub(crate) use verify::findable;
pub(crate) use verify::verify;
pub(crate) use write::{BuildReport, SegmentHeader, SpaceInput, write_segment};

pub(crate) use crate::graph::BuildParams;
