//! The truth: one SQLite database (`memory.db`), and a second, disposable one for receipts.
//!
//! Everything else in a store's directory can be rebuilt from `memory.db`. Nothing but SQLite
//! ever opens the files of the two databases: a foreign `close()` would drop SQLite's locks.

pub(crate) mod aliases;
pub(crate) mod audit;
pub(crate) mod authorities;
pub(crate) mod backup;
mod bound;
pub(crate) mod calibrators;
pub(crate) mod cells;
pub(crate) mod chain;
pub(crate) mod changes;
mod connect;
pub(crate) mod credit;
mod db;
pub(crate) mod directives;
pub(crate) mod erase;
pub(crate) mod experiences;
pub(crate) mod export;
pub(crate) mod fields;
pub(crate) mod figures;
pub(crate) mod forecasts;
mod grid;
pub(crate) mod guard;
pub(crate) mod half_lives;
pub(crate) mod heads;
pub(crate) mod hex;
mod identity;
mod ledger;
pub(crate) mod lots;
pub(crate) mod memories;
pub(crate) mod names;
pub(crate) mod origins;
mod payload;
pub(crate) mod policies;
pub(crate) mod principals;
mod receipts;
pub(crate) mod reembed;
mod refill;
pub(crate) mod registry;
pub(crate) mod reports;
pub(crate) mod salts;
pub(crate) mod scales;
mod schema;
mod slip;
pub(crate) mod standings;
mod sum;
pub(crate) mod tables;
pub(crate) mod trials;

pub(crate) use bound::{check_grounds, is_bound};
pub(crate) use connect::create_control;
pub(crate) use credit::Filed;
pub(crate) use db::{Db, Tx, Wanted, sql};
pub(crate) use fields::Condition;
pub(crate) use identity::{Identity, check_identity};
pub(crate) use ledger::{Effect, Ledger};
pub(crate) use payload::MAX_TEXT;
pub(crate) use receipts::Receipts;
pub(crate) use refill::{Content, Of, contents, set_half_life};
pub(crate) use schema::{check as check_schema, shuffle};
pub(crate) use slip::{Facts, HitFacts, Slip};
