//! Whose word counts how much.

/// Those who share a budget of trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Group(pub i64);

impl Group {
    /// The owner of the store: whoever reports without a name.
    pub(crate) const OWNER: Group = Group(0);
}
