//! What goes wrong without failing a call is told to whoever listens (crate `log`, target `wisen`).

use std::fmt::Display;

/// Tells that something was damaged or lost, and what was done about it.
pub(crate) fn warn(what: impl Display) {
    if !crate::sabotage::on("silent") {
        log::warn!(target: "wisen", "{what}");
    }
}
