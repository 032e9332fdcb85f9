//! Where a memory comes from, and how far that can be trusted.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::Connection;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{MemoryId, ReceiptId};
use crate::store::authorities::Trust;
use crate::store::memories::{self, MemoryRow};
use crate::store::origins::{self, OriginRow};
use crate::store::{Tx, names, principals};

use super::core::Core;
use super::gate::Noticed;
use super::input::Memory;
use super::output::Hit;

/// Most parents of a memory.
const MOST_PARENTS: usize = 64;

/// What kind of source a memory comes from, as whoever remembers it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// A person said or wrote it.
    Human = 1,
    /// The output of a tool.
    Tool = 2,
    /// A page or message from outside.
    Web = 3,
    /// An agent concluded it.
    Agent = 4,
    /// It was brought in from another store or file.
    Import = 5,
}

impl Source {
    const ALL: [Self; 5] = [Self::Human, Self::Tool, Self::Web, Self::Agent, Self::Import];

    /// `"human"`, `"tool"`, `"web"`, `"agent"` or `"import"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Human => "human",
            Source::Tool => "tool",
            Source::Web => "web",
            Source::Agent => "agent",
            Source::Import => "import",
        }
    }

    /// The inverse of [`Source::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

/// What was noticed about a memory when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flag {
    /// Something in it looks like a secret, and is still there.
    Secret = 1,
    /// A secret was taken out of it.
    Redacted = 2,
    /// A word in it is too random to be one, and may be a secret.
    HighEntropy = 4,
    /// It has characters that nobody sees.
    Invisible = 8,
    /// It has marks that turn the direction of what follows.
    Bidirectional = 16,
}

impl Flag {
    const ALL: [Self; 5] =
        [Self::Secret, Self::Redacted, Self::HighEntropy, Self::Invisible, Self::Bidirectional];

    /// `"secret"`, `"redacted"`, `"high_entropy"`, `"invisible"` or `"bidirectional"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Flag::Secret => "secret",
            Flag::Redacted => "redacted",
            Flag::HighEntropy => "high_entropy",
            Flag::Invisible => "invisible",
            Flag::Bidirectional => "bidirectional",
        }
    }

    /// The flags of these bits.
    pub(crate) fn of(bits: i64) -> Vec<Self> {
        Self::ALL.into_iter().filter(|flag| bits & *flag as i64 != 0).collect()
    }
}

/// Where a memory comes from, and what there is to know about it before it is believed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Provenance {
    /// Who wrote it, as whoever remembered it told.
    pub author: Option<String>,
    /// How far the word of its author is good, in `0..=1`: 1 if it names none (the owner's), else the mean of the
    /// posterior of the author's agreement with the owner, as [`Principal::reliability`](crate::Principal) has
    /// it; names that are not registered share one.
    pub trust: f64,
    /// What kind of source it comes from, if that was told.
    pub source: Option<Source>,
    /// How long ago it was stored.
    pub age: Duration,
    /// The recall in which it came about, if that was told.
    pub origin: Option<ReceiptId>,
    /// The memories that it was made of.
    pub parents: Vec<MemoryId>,
    /// The model that wrote it, if that was told. (What its vector was made with is a matter of the store.)
    pub model: Option<String>,
    /// What was noticed when it came.
    pub flags: Vec<Flag>,
    /// What the hook of the handle has called it.
    pub tags: Vec<String>,
}

/// Checks what a memory says of its origin.
pub(crate) fn check(memory: &Memory) -> Result<()> {
    if let Some(model) = &memory.model {
        super::core::check_name("model", model)?;
    }
    if memory.parents.len() > MOST_PARENTS {
        let why = format!("there are {}; up to {MOST_PARENTS} are allowed", memory.parents.len());
        return Err(Error::invalid("parents", why));
    }
    Ok(())
}

/// Keeps what a new memory says of its origin.
pub(crate) fn keep(tx: &Tx<'_>, id: i64, memory: &Memory) -> Result<()> {
    for parent in &memory.parents {
        memories::load(tx.conn, parent.0.cast_signed())?.ok_or(Error::UnknownMemory { id: parent.0 })?;
    }
    let row = OriginRow {
        source: memory.source.map_or(0, |source| source as i64),
        receipt: memory.origin.map(|receipt| receipt.to_bytes().to_vec()),
        parents: memory.parents.iter().map(|id| id.0).collect(),
        model: memory.model.clone(),
        flags: packed(memory.flags),
        tags: tags_text(&memory.tags)?,
    };
    // A new memory has no row yet.
    if row == OriginRow::default() { Ok(()) } else { origins::save(tx, id, &row) }
}

/// Bits of flags above which those of the metadata lie.
const METADATA: u32 = 16;

fn packed(noticed: Noticed) -> i64 {
    noticed.content | noticed.metadata << METADATA
}

/// What a changed memory is flagged with: what its new texts show, and the flags of the text that stays. The
/// tags are those of the change.
pub(crate) fn reflag(
    tx: &Tx<'_>,
    id: i64,
    noticed: Noticed,
    (content, metadata): (bool, bool),
    tags: &[String],
) -> Result<()> {
    let mut row = origins::load(tx.conn, id)?;
    let mut now = Noticed { content: row.flags & ((1 << METADATA) - 1), metadata: row.flags >> METADATA };
    let stay = crate::sabotage::on("flags_stay");
    if content {
        now.content = noticed.content | if stay { now.content } else { 0 };
    }
    if metadata {
        now.metadata = noticed.metadata | if stay { now.metadata } else { 0 };
    }
    (row.flags, row.tags) = (packed(now), tags_text(tags)?);
    origins::save(tx, id, &row)
}

fn tags_text(tags: &[String]) -> Result<String> {
    if tags.is_empty() { Ok(String::new()) } else { serde_json::to_string(tags).map_err(Error::internal) }
}

/// The provenance of a memory. `trusts` has what was found out of authors.
pub(crate) fn provenance(
    (conn, trust): (&Connection, Option<&Trust>),
    row: &MemoryRow,
    now: Timestamp,
    trusts: &mut HashMap<i64, f64>,
) -> Result<Provenance> {
    let trust = match row.author {
        None => 1.0,
        Some(author) => match trusts.get(&author) {
            Some(trust) => *trust,
            None => *trusts.entry(author).or_insert(principals::reliability(conn, trust, author)?),
        },
    };
    let origin = origins::load(conn, row.id)?;
    let receipt = |bytes: Vec<u8>| bytes.try_into().map(ReceiptId::from_bytes);
    let cut = |_| Error::corrupt(format!("the origin of memory {} is no receipt", row.id));
    let tags = if origin.tags.is_empty() { Ok(Vec::new()) } else { serde_json::from_str(&origin.tags) };
    Ok(Provenance {
        author: row.author.map(|author| names::principal_name(conn, author)).transpose()?,
        trust,
        source: Source::ALL.into_iter().find(|source| *source as i64 == origin.source),
        age: Duration::from_micros((now - row.created_at).max(0).cast_unsigned()),
        origin: origin.receipt.map(receipt).transpose().map_err(cut)?,
        parents: origin.parents.into_iter().map(MemoryId).collect(),
        model: origin.model,
        flags: Flag::of(origin.flags | origin.flags >> METADATA),
        tags: tags.map_err(|error| Error::corrupt(format!("the tags of memory {}: {error}", row.id)))?,
    })
}

/// Tells hits where they come from.
pub(crate) fn load(core: &Core, hits: &mut [Hit], now: Timestamp) -> Result<()> {
    let (mut trusts, trust) = (HashMap::new(), core.trust());
    core.db.snapshot(|conn| {
        for hit in hits {
            if let Some(row) = memories::load(conn, hit.id.0.cast_signed())? {
                hit.provenance = Some(provenance((conn, Some(&trust)), &row, now, &mut trusts)?);
            }
        }
        Ok(())
    })
}
