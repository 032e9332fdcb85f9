//! Measuring Wisen through its public API: replays of labelled streams, recall and speed of the
//! index, memory figures. The programs `replay` and `ann` and the demo of `wisen` stand on it.
#![deny(missing_docs)]

pub mod ann;
pub mod arms;
pub mod chart;
pub mod cosines;
pub mod crowd;
pub mod data;
pub mod measure;
pub mod mixture;
pub mod npy;
pub mod pace;
pub mod page;
pub mod plant;
pub mod replay;
pub mod rounds;
pub mod smaps;
pub mod studies;
pub mod transform;
