//! What the hashes of memories in the audit table are keyed with: 32 random bytes for each memory. Without its
//! salt a hash says nothing, not even to who guesses what was hashed. A salt lies with the content it is for (a
//! table of its own would cost every memory a further page of the log), so whatever deletes that deletes it.

use crate::error::{Error, Result};

pub(super) const COLUMN: &str = "ALTER TABLE payloads ADD COLUMN salt BLOB";

/// A key for hashes.
pub(crate) type Salt = [u8; 32];

/// What is hashed of a memory.
pub(crate) struct Hashed<'a> {
    pub content: &'a str,
    /// JSON text.
    pub metadata: Option<&'a str>,
    pub kind: &'a str,
    pub vector: &'a [f32],
}

impl Hashed<'_> {
    /// The keyed BLAKE3 of it, cut to 16 bytes: those who do not have the content cannot choose another that
    /// gives the same.
    pub fn hash(&self, salt: &Salt) -> [u8; 16] {
        let mut hash = blake3::Hasher::new_keyed(salt);
        for text in [Some(self.content), self.metadata, Some(self.kind)] {
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            hash.update(&length.to_le_bytes()).update(text.unwrap_or_default().as_bytes());
        }
        hash.update(bytemuck::cast_slice(self.vector));
        let mut cut = [0; 16];
        hash.finalize_xof().fill(&mut cut);
        cut
    }
}

/// Fresh salts.
pub(crate) fn draw(count: usize) -> Result<Vec<Salt>> {
    let mut salts = vec![[0; 32]; count];
    getrandom::fill(salts.as_flattened_mut()).map_err(Error::internal)?;
    Ok(salts)
}
