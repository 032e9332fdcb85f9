//! Text on its way out of the library, and the pair of pointer and length that carries it.

use std::ffi::c_char;
use std::ptr;

/// A piece of UTF-8 text: a pointer and a number of bytes.
///
/// Handed in: `data` NULL means that nothing is given; `size` may be WISEN_NUL_TERMINATED. The
/// library copies what it keeps.
///
/// Handed out: `data` is NULL if there is no such text; otherwise a NUL follows the text (which
/// may contain others), and both belong to the handle they were asked of: they stay as long as it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_text {
    /// The first byte, or NULL.
    pub data: *const c_char,
    /// How many bytes, without the NUL behind them.
    pub size: usize,
}

impl wisen_text {
    /// No text.
    pub(crate) const NONE: wisen_text = wisen_text { data: ptr::null(), size: 0 };
}

/// Text that C can read: its bytes and a NUL.
#[derive(Debug)]
pub(crate) struct Chars(Box<[u8]>);

impl Chars {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let mut bytes = text.into().into_bytes();
        bytes.push(0);
        Self(bytes.into_boxed_slice())
    }

    /// Lends the text to C: good for as long as `self` stays where its owner keeps it.
    pub(crate) fn lend(&self) -> wisen_text {
        wisen_text { data: self.as_ptr(), size: self.0.len() - 1 }
    }

    pub(crate) fn lend_option(text: Option<&Self>) -> wisen_text {
        text.map_or(wisen_text::NONE, Chars::lend)
    }

    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// Metadata as C sees it: JSON, or nothing.
pub(crate) fn json(value: &serde_json::Value) -> Option<Chars> {
    (!value.is_null()).then(|| Chars::new(value.to_string()))
}
