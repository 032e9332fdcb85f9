//! Rules: what is always, never, rather or rather not to be done. Pure: no I/O, no clock, no index.
//!
//! # Why a language of our own
//!
//! Looked at first: Cedar (`cedar-policy` 4, Apache-2.0), Rego (`regorus` 0.14, MIT and others) and CEL
//! (`cel` 0.15, MIT). What rules here need, and none of them gives together:
//!
//! - **Four forces, lifted by name.** MUST ("when X, require Y"), NEVER, PREFER, AVOID, with exceptions
//!   that name the rule they lift. Cedar knows permit and forbid; CEL has no rules at all, only
//!   expressions; in Rego all of it would be a program that every owner has to get right.
//! - **Regular expressions and similarity.** Cedar leaves regular expressions out on purpose (its `like`
//!   knows `*`), and floating point numbers too. All three would have to call back into us for vectors.
//! - **A check in 10 microseconds among 1,000 rules.** All three evaluate every policy at every request;
//!   Cedar's remedy is to slice by entity before. Here conditions are plain trees, from which
//!   `index.rs` reads what must be present before a rule can match: a tool, a key, a literal.
//! - **Failing closed.** What cannot be judged (a number that is text, a vector that is not there) counts as
//!   a match for what denies and as none for what allows. In Cedar a policy that errors is skipped, in CEL
//!   the expression fails, in Rego it is undefined; each of them lets through what was to be denied.
//! - **Lint at write time** asks whether one condition implies another; that is a walk over two trees here,
//!   and a solver there.
//!
//! What is given up: arithmetic, variables, quantifiers, functions. A rule that needs them belongs into the
//! program that calls `check`, which can hand the result over as a tag or a fact.
//!
//! `cedar-policy` is about 100 crates, `regorus` and `cel` some 40 each; this is `regex`, which was in the
//! tree already, and about a thousand lines.

mod action;
mod compiled;
mod condition;
mod directive;
mod guard;
mod index;
mod lint;
mod matcher;
mod parse;
mod print;
#[cfg(test)]
mod text_tests;
mod verdict;

pub use action::Action;
pub(crate) use action::Thing;
pub use directive::{Directive, Force, RuleScope};
pub(crate) use index::Index;
pub(crate) use lint::Linter;
pub use lint::{Lint, lint_rules};
pub(crate) use matcher::{FactValue, Now, RuleBook};
pub use parse::parse_rules;
pub use print::print_rules;
pub(crate) use verdict::OfMemory;
pub use verdict::{Answer, Bearing, Decision, Match};
