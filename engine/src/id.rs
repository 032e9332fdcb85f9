//! Identifiers, which are unique for the life of a store and never reused; and the names that stand where none is given.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// The namespace that is meant where none is named.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The kind of a memory that names none.
pub const DEFAULT_KIND: &str = "note";

/// Names a memory: a positive number, given out in the order of remembering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemoryId(pub u64);

/// Names a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReportId(pub u64);

/// Names one recall: a UUID of version 7 (RFC 9562), made without asking the database, so that
/// a recall waits for no write. Its text form is the usual one of 36 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptId(Uuid);

impl ReceiptId {
    /// A fresh receipt id that carries the time `now`.
    pub(crate) fn at(now: Timestamp) -> Self {
        let millis = u64::try_from(now / 1000).unwrap_or(0);
        let random: [u8; 10] = {
            let bytes = Uuid::new_v4().into_bytes();
            std::array::from_fn(|i| if i < 6 { bytes[i] } else { bytes[i + 3] })
        };
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The smallest id that a receipt of that time can have.
    pub(crate) fn first_at(time: Timestamp) -> Self {
        let millis = u64::try_from(time / 1000).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }

    /// When the receipt was issued, to the millisecond.
    pub(crate) fn issued(self) -> Timestamp {
        let millis = self.0.as_u128() >> 80;
        i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1000)
    }

    /// The random bits of the id, as a seed for what chance decides in its recall.
    pub(crate) fn seed(self) -> u64 {
        let bits = self.0.as_u128();
        // 62 bits below the variant; above them the 12 bits after the version.
        (bits as u64) ^ ((bits >> 64) as u64 & 0xfff).rotate_right(12)
    }

    /// The 16 bytes of the UUID, most significant first.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// The receipt with these 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ReceiptId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Uuid::try_parse(text).map(Self).map_err(|_| Error::UnknownReceipt { id: text.to_owned() })
    }
}

impl fmt::Display for MemoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_id_carries_its_time_and_survives_text() {
        let id = ReceiptId::at(1_700_000_000_123_456);
        assert_eq!(id.issued(), 1_700_000_000_123_000);
        assert_eq!(id.to_string().parse::<ReceiptId>().expect("own text"), id);
        assert_ne!(id, ReceiptId::at(1_700_000_000_123_456));
        assert!("no receipt".parse::<ReceiptId>().is_err());
    }
}
