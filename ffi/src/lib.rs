//! The C face of Wisen: the engine's words with the prefix `wisen_`.
//!
//! The header `include/wisen.h` is made from this crate and is its reference; it states the rules
//! that hold for every call. Inside, pointers from C become [`raw::In`] and [`raw::Out`] at once,
//! structures are copied by [`sized`], handles live in [`handle`], and every entry goes through
//! [`call`], which turns errors and panics into a status. Apart from signatures and the attribute
//! that exports a name, `unsafe` stands in `raw.rs`, `sized.rs` and `handle.rs` only.
#![allow(non_camel_case_types, reason = "names are those of the header")]
#![allow(clippy::doc_markdown, reason = "the documentation is that of the header")]
#![allow(clippy::missing_safety_doc, reason = "the header states what every call asks for")]

mod call;
mod handle;
mod origin;
mod raw;
mod sized;
mod text;

// In the order of the header.
mod status;

mod error;

mod options;
mod store;

mod memory;

mod recall;

mod hit;

mod warning;

mod rule_note;

mod receipt;
mod report;

mod principals;

mod half_life;

mod policy;
mod standings;

mod audit;
mod guard;

mod rules;

mod distil;

mod records;

mod namespaces;

mod fields;
mod figures;

mod uplift;

mod window;

mod calibration;

mod keep;
mod reembed;
