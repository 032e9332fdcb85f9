//! Where a memory comes from, as C sees it.

use wisen::Provenance;

use crate::receipt::wisen_receipt;
use crate::text::{Chars, wisen_text};

/// What hits and records tell of their origin, kept where C can read it.
#[derive(Default)]
pub(crate) struct Origin {
    author: Option<Chars>,
    model: Option<Chars>,
    tags: Vec<Chars>,
    lent: Vec<wisen_text>,
    parents: Vec<u64>,
}

impl Origin {
    pub(crate) fn new(from: Option<&Provenance>) -> Self {
        let Some(from) = from else {
            return Self::default();
        };
        let tags: Vec<Chars> = from.tags.iter().map(|tag| Chars::new(tag.as_str())).collect();
        Self {
            author: from.author.as_deref().map(Chars::new),
            model: from.model.as_deref().map(Chars::new),
            lent: tags.iter().map(Chars::lend).collect(),
            tags,
            parents: from.parents.iter().map(|id| id.0).collect(),
        }
    }

    pub(crate) fn author(&self) -> wisen_text {
        Chars::lend_option(self.author.as_ref())
    }

    pub(crate) fn model(&self) -> wisen_text {
        Chars::lend_option(self.model.as_ref())
    }

    /// Pointer and number.
    pub(crate) fn parents(&self) -> (*const u64, usize) {
        (self.parents.as_ptr(), self.parents.len())
    }

    /// Pointer and number.
    pub(crate) fn tags(&self) -> (*const wisen_text, usize) {
        (self.lent.as_ptr(), self.tags.len())
    }
}

/// The recall in which a memory came about; all zero: none was told.
pub(crate) fn receipt(from: Option<&Provenance>) -> wisen_receipt {
    let origin = from.and_then(|from| from.origin);
    wisen_receipt { bytes: origin.map_or([0; 16], wisen::ReceiptId::to_bytes) }
}

/// What was noticed, added up.
pub(crate) fn flags(from: Option<&Provenance>) -> u32 {
    from.map_or(0, |from| from.flags.iter().map(|flag| *flag as u32).sum())
}
