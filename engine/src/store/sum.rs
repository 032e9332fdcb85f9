//! Row checksums. Stock SQLite does not notice a flipped bit inside a value; every row of truth
//! carries XXH3-64 over the name of its table and its columns, in order, and is checked when read.

use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};

/// The checksum of one row, fed column by column.
pub(crate) struct RowSum {
    hash: Xxh3,
    table: &'static str,
}

impl RowSum {
    pub(crate) fn new(table: &'static str) -> Self {
        let mut hash = Xxh3::new();
        hash.update(table.as_bytes());
        Self { hash, table }
    }

    pub(crate) fn int(mut self, value: i64) -> Self {
        self.hash.update(b"i");
        self.hash.update(&value.to_le_bytes());
        self
    }

    pub(crate) fn opt(self, value: Option<i64>) -> Self {
        match value {
            Some(value) => self.int(value),
            None => self.null(),
        }
    }

    pub(crate) fn real(self, value: Option<f64>) -> Self {
        self.opt(value.map(|value| value.to_bits().cast_signed()))
    }

    pub(crate) fn bytes(mut self, value: &[u8]) -> Self {
        self.hash.update(b"b");
        self.hash.update(&(value.len() as u64).to_le_bytes());
        self.hash.update(value);
        self
    }

    pub(crate) fn blob(self, value: Option<&[u8]>) -> Self {
        match value {
            Some(value) => self.bytes(value),
            None => self.null(),
        }
    }

    pub(crate) fn text(self, value: Option<&str>) -> Self {
        self.blob(value.map(str::as_bytes))
    }

    fn null(mut self) -> Self {
        self.hash.update(b"n");
        self
    }

    pub(crate) fn finish(self) -> i64 {
        self.hash.digest().cast_signed()
    }

    /// Refuses the row if its stored checksum is another one.
    pub(crate) fn check(self, stored: i64, id: i64) -> Result<()> {
        let table = self.table;
        if self.finish() == stored || crate::sabotage::on("rows_unchecked") {
            Ok(())
        } else {
            Err(Error::corrupt(format!("row {id} of table {table} does not match its checksum")))
        }
    }
}
