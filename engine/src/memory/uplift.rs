//! Uplift: what memory is worth, by the recalls that had to do without.

use crate::error::{Error, Result};
use crate::id::MemoryId;
use crate::outcome::{self, Uplift};
use crate::store::figures::{Tried, trials};
use crate::store::{memories, names};

use super::core::{Core, check_name};

/// What an uplift is asked of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// One memory.
    Memory(MemoryId),
    /// All memories of the namespace with this name.
    Namespace(String),
}

impl Scope {
    /// All memories of the namespace with this name.
    pub fn namespace(name: impl Into<String>) -> Self {
        Scope::Namespace(name.into())
    }
}

impl From<MemoryId> for Scope {
    fn from(memory: MemoryId) -> Self {
        Scope::Memory(memory)
    }
}

/// Compares recalls on which this was shown with recalls on which chance kept it back.
pub(crate) fn uplift(core: &Core, scope: &Scope) -> Result<Uplift> {
    if let Scope::Namespace(name) = scope {
        check_name("namespace", name)?;
    }
    core.db.snapshot(|conn| {
        let tried = match scope {
            // A forgotten one may still be asked about.
            Scope::Memory(id) => match memories::load(conn, id.0.cast_signed())? {
                Some(_) => Tried::Memory(id.0),
                None => return Err(Error::UnknownMemory { id: id.0 }),
            },
            Scope::Namespace(name) => match names::namespace_by_name(conn, name)? {
                Some(row) => Tried::Namespace(row.id),
                None => return Ok(outcome::uplift([])),
            },
        };
        Ok(outcome::uplift(trials(conn, tried)?))
    })
}
