//! Pointers that come from C. The rules of the header (a pointer is NULL or good for what it says
//! it points to, for the length of the call) become types here, once; everything above is safe.

use std::ffi::{CStr, c_char, c_void};
use std::slice;

use wisen::Error;

use crate::error::{Fault, invalid};
use crate::guard::{wisen_hook, wisen_incoming, wisen_ruling};
use crate::reembed::{wisen_batch, wisen_embed};
use crate::text::wisen_text;

/// Something to read; may be NULL.
pub(crate) struct In<T>(pub(crate) *const T);

/// A place to write to; may be NULL.
pub(crate) struct Out<T>(pub(super) *mut T);

impl<T> Clone for In<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for In<T> {}
impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Out<T> {}

impl<T> From<Out<T>> for In<T> {
    fn from(place: Out<T>) -> Self {
        In(place.0)
    }
}

/// What an argument becomes.
pub(crate) trait FromC {
    type Into;
    /// # Safety
    /// The pointer is NULL, or as the header asks for, until the present call returns.
    unsafe fn trust(self) -> Self::Into;
}

impl<T> FromC for *const T {
    type Into = In<T>;
    unsafe fn trust(self) -> In<T> {
        In(self)
    }
}

impl<T> FromC for *mut T {
    type Into = Out<T>;
    unsafe fn trust(self) -> Out<T> {
        Out(self)
    }
}

/// Makes [`In`] or [`Out`] of the named pointer arguments of an exported function.
macro_rules! from_c {
    ($($argument:ident),+) => {
        $(
            // SAFETY: an argument of an exported function; its caller keeps the rules of the header.
            let $argument = unsafe { $crate::raw::FromC::trust($argument) };
        )+
    };
}
pub(crate) use from_c;

/// A function of C, and what it is handed.
pub(crate) struct Callback {
    function: unsafe extern "C" fn(*mut c_void, *const wisen_incoming, *mut wisen_ruling),
    data: *mut c_void,
}

// SAFETY: the header asks for a function that may be called on any thread, several at once, and for data that is
// good there; the pointer is handed over and never followed here.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    pub(crate) fn new(function: wisen_hook, data: *mut c_void) -> Option<Self> {
        function.map(|function| Self { function, data })
    }

    pub(crate) fn ask(&self, memory: &wisen_incoming) -> wisen_ruling {
        let none = wisen_text::NONE;
        let mut ruling = wisen_ruling { refuse: none, content: none, tag: none };
        // SAFETY: a function that the caller of wisen_open() gave for this; both structures live until it returns.
        unsafe { (self.function)(self.data, memory, &raw mut ruling) };
        ruling
    }
}

/// A function of C that embeds texts, and what it is handed.
pub(crate) struct Embedder {
    function: unsafe extern "C" fn(*mut c_void, *const wisen_batch) -> i32,
    data: *mut c_void,
}

impl Embedder {
    pub(crate) fn new(function: wisen_embed, data: *mut c_void) -> Option<Self> {
        function.map(|function| Self { function, data })
    }

    /// `batch` lends it room for as many numbers and bytes as it says.
    pub(crate) fn ask(&self, batch: &wisen_batch) -> i32 {
        // SAFETY: a function that the caller of wisen_reembed() gave for this; all it is lent lives until it returns.
        unsafe { (self.function)(self.data, batch) }
    }
}

impl<T: Copy> In<T> {
    /// The value, if there is one.
    pub(crate) fn value(self, what: &'static str) -> Result<Option<T>, Fault> {
        Ok(self.slice(what, usize::from(!self.0.is_null()))?.first().copied())
    }

    /// `len` values that lie side by side; NULL is as good as any pointer for none.
    pub(crate) fn slice<'a>(self, what: &'static str, len: usize) -> Result<&'a [T], Fault> {
        if len == 0 {
            return Ok(&[]);
        }
        if self.0.is_null() {
            return Err(invalid(what, format!("the pointer is NULL, the length {len}")));
        }
        if !self.0.is_aligned() {
            return Err(invalid(what, "the pointer is not aligned"));
        }
        if len.checked_mul(size_of::<T>()).is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(invalid(what, format!("{len} elements do not fit in memory")));
        }
        // SAFETY: not NULL, aligned, not too long, and the caller says that it has `len` elements.
        Ok(unsafe { slice::from_raw_parts(self.0, len) })
    }
}

impl In<c_char> {
    /// Text of `size` bytes, or up to its NUL; `None` for NULL.
    pub(crate) fn text<'a>(self, what: &'static str, size: usize) -> Result<Option<&'a str>, Fault> {
        let bytes: &[u8] = if self.0.is_null() && (size == 0 || size == usize::MAX) {
            return Ok(None);
        } else if size == usize::MAX {
            // SAFETY: not NULL, and the caller says that it ends with a NUL.
            unsafe { CStr::from_ptr(self.0) }.to_bytes()
        } else {
            In(self.0.cast::<u8>()).slice(what, size)?
        };
        let text =
            std::str::from_utf8(bytes).map_err(|bad| Error::NotUtf8 { what, at: bad.valid_up_to() })?;
        Ok(Some(text))
    }

    pub(crate) fn some_text<'a>(self, what: &'static str, size: usize) -> Result<&'a str, Fault> {
        self.text(what, size)?.ok_or_else(|| invalid(what, "the pointer is NULL"))
    }
}

impl<T> Out<T> {
    /// Says so if there is no place to write to.
    pub(crate) fn check(self, what: &'static str) -> Result<(), Fault> {
        if self.0.is_null() {
            return Err(invalid(what, "the pointer is NULL"));
        }
        if self.0.is_aligned() { Ok(()) } else { Err(invalid(what, "the pointer is not aligned")) }
    }

    /// Writes, and says so if there is no place to write to.
    pub(crate) fn write(self, what: &'static str, value: T) -> Result<(), Fault> {
        self.check(what)?;
        // SAFETY: not NULL, aligned, and the caller says that a `T` can be written there.
        unsafe { self.0.write(value) };
        Ok(())
    }

    /// Writes if the caller wants to know.
    pub(crate) fn write_if_wanted(self, value: T) {
        self.write_with(|| value);
    }

    /// Makes the value, and writes it, only if the caller wants to know.
    pub(crate) fn write_with(self, value: impl FnOnce() -> T) {
        if self.check("").is_ok() {
            // SAFETY: as in `write`.
            unsafe { self.0.write(value()) };
        }
    }

    /// Writes values side by side, no more than there is room for.
    pub(crate) fn write_many(self, values: impl IntoIterator<Item = T>, room: usize) {
        if self.check("").is_ok() {
            for (at, value) in values.into_iter().take(room).enumerate() {
                // SAFETY: not NULL, aligned, and the caller says that there is room for `room` values.
                unsafe { self.0.add(at).write(value) };
            }
        }
    }
}
