//! Declaring fields of the metadata, by which recalls can be filtered.

use crate::error::Result;
use crate::store::fields;

use super::core::check_name;
use super::store::Store;

impl Store {
    /// Declares a field of the metadata, by which recalls can then be filtered ([`Filter::Field`](crate::Filter)): a
    /// name at its top, or a path into it (`a.b`). What the memories hold there is indexed, now and as they come.
    /// Returns whether it was not declared before.
    pub fn declare_field(&self, name: &str) -> Result<bool> {
        self.core.enter()?;
        self.core.writable()?;
        check_name("field", name)?;
        self.core.db.write(self.core.now(), |tx| fields::declare(tx, name))
    }

    /// Takes the declaration of a field back; the metadata stays. Returns whether it was declared.
    pub fn drop_field(&self, name: &str) -> Result<bool> {
        self.core.enter()?;
        self.core.writable()?;
        self.core.db.write(self.core.now(), |tx| fields::drop(tx, name))
    }

    /// The declared fields, by name.
    pub fn fields(&self) -> Result<Vec<String>> {
        self.core.enter()?;
        self.core.db.read(fields::names)
    }
}
