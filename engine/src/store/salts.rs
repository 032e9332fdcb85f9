//! What the hashes of memories in the audit table are keyed with: 32 random bytes for each memory. Without its
//! salt a hash says nothing, not even to who guesses what was hashed: forgetting a memory deletes it.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};

use super::db::{Tx, sql};
use super::sum::RowSum;

pub(super) const TABLE: &str =
    "CREATE TABLE salts(memory INTEGER PRIMARY KEY, salt BLOB NOT NULL, checksum INTEGER NOT NULL)";

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

/// The salt of a memory.
pub(crate) fn load(conn: &Connection, memory: i64) -> Result<Option<Salt>> {
    let row = conn
        .prepare_cached("SELECT salt, checksum FROM salts WHERE memory = ?1")
        .and_then(|mut s| {
            s.query_row([memory], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, i64>(1)?))).optional()
        })
        .map_err(sql)?;
    let Some((salt, checksum)) = row else {
        return Ok(None);
    };
    RowSum::new("salts").int(memory).bytes(&salt).check(checksum, memory)?;
    let salt = salt.try_into().map_err(|_| Error::corrupt(format!("the salt of memory {memory} is cut short")))?;
    Ok(Some(salt))
}

/// Gives a memory its salt.
pub(crate) fn give(tx: &Tx<'_>, memory: i64, salt: &Salt) -> Result<()> {
    let checksum = RowSum::new("salts").int(memory).bytes(salt).finish();
    tx.conn
        .prepare_cached("INSERT OR REPLACE INTO salts(memory, salt, checksum) VALUES (?1, ?2, ?3)")
        .and_then(|mut s| s.execute(params![memory, salt.as_slice(), checksum]))
        .map(|_| ())
        .map_err(sql)
}

/// The salt of a memory, which gets one if it has none.
pub(crate) fn of(tx: &Tx<'_>, memory: i64) -> Result<Salt> {
    if let Some(salt) = load(tx.conn, memory)? {
        return Ok(salt);
    }
    let salt = draw(1)?[0];
    give(tx, memory, &salt).map(|()| salt)
}

/// Makes every hash of a memory meaningless.
pub(super) fn erase(tx: &Tx<'_>, memory: i64) -> Result<()> {
    if crate::sabotage::on("salts_stay") {
        return Ok(());
    }
    tx.conn
        .prepare_cached("DELETE FROM salts WHERE memory = ?1")
        .and_then(|mut s| s.execute([memory]))
        .map(|_| ())
        .map_err(sql)
}
