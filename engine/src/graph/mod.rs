//! Nearest neighbours: our own HNSW (Malkov & Yashunin 2018, "Efficient and robust approximate nearest
//! neighbor search using Hierarchical Navigable Small World graphs") over compact codes, and exact scans.
//!
//! Works on views of bytes and knows neither files nor where the bytes live:
//! `build` makes a graph, `adopt` takes one over that was built elsewhere, `repair` links in what a search could not reach, `walk` is the one traversal
//! that building and searching share, `search` answers a query, `scan` answers it exactly.
#![allow(
    clippy::inline_always,
    reason = "hot loops are compiled as a whole for each kernel: what is not inlined loses its instructions"
)]

#[cfg_attr(not(feature = "hnsw_rs"), allow(dead_code, reason = "graphs come from elsewhere by a feature"))]
mod adopt;
mod build;
#[cfg(feature = "hnsw_rs")]
mod export;
mod pool;
mod prune;
mod query;
mod repair;
mod rng;
mod sample;
mod scan;
mod search;
mod tail;
mod view;
mod walk;

pub(crate) use adopt::{Given, adopt};
pub(crate) use build::{BuildParams, BuiltGraph, CodeTable, build};
#[cfg(feature = "hnsw_rs")]
pub(crate) use export::export;
pub(crate) use query::{Accept, DEFAULT_WIDTH, Effort, Found, Scratch};
pub(crate) use repair::reachable;
pub(crate) use sample::{CodeBlock, Coded};
pub(crate) use search::{Want, search};
pub(crate) use tail::{TailRow, scan_rows};
pub(crate) use view::{Layout, NO_LINK, Owners, Rows, Upper, View};
