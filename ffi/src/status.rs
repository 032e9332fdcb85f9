//! Numbers that say how a call ended, and the version of the library.

use std::ffi::c_char;

use wisen::ErrorCode;

/// How a call ended. The numbers are stable, and the same in Rust, C and Python; a later version
/// may add some, so treat one you do not know as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[allow(clippy::enum_variant_names, reason = "C has one space of names")]
pub enum wisen_status {
    /// All went well.
    WISEN_OK = 0,
    /// An argument is NULL, outside its range, or contradicts another one.
    WISEN_INVALID_ARGUMENT = 101,
    /// A vector has another number of dimensions than the store.
    WISEN_WRONG_DIMENSION = 102,
    /// A vector holds NaN or an infinity.
    WISEN_NOT_FINITE = 103,
    /// A vector of zeros, which has no cosine.
    WISEN_ZERO_VECTOR = 104,
    /// Text is not UTF-8.
    WISEN_NOT_UTF8 = 105,
    /// The store was closed.
    WISEN_CLOSED = 106,
    /// The store was opened by another process, before a fork.
    WISEN_FORKED = 107,
    /// A write on a store opened read-only.
    WISEN_READ_ONLY = 108,
    /// The store was created with other settings than those given.
    WISEN_MISMATCH = 109,
    /// No memory has this id, or it was forgotten.
    WISEN_UNKNOWN_MEMORY = 201,
    /// No receipt has this id.
    WISEN_UNKNOWN_RECEIPT = 202,
    /// A key was used before for something else.
    WISEN_KEY_CONFLICT = 203,
    /// A report names a memory that its recall had not shown.
    WISEN_NOT_SHOWN = 204,
    /// No report has this id.
    WISEN_UNKNOWN_REPORT = 205,
    /// A report names a reporter and does not prove it.
    WISEN_BAD_TOKEN = 206,
    /// No directive has this id.
    WISEN_UNKNOWN_DIRECTIVE = 207,
    /// A key, signature or authority is not good for what was asked.
    WISEN_UNAUTHORISED = 208,
    /// A directive contradicts, hides or repeats another one.
    WISEN_RULE_CONFLICT = 209,
    /// The file system refused.
    WISEN_IO = 301,
    /// Another process or thread held the write lock for too long.
    WISEN_BUSY = 302,
    /// The disk is full; nothing acknowledged is lost.
    WISEN_DISK_FULL = 303,
    /// The path holds something else than a store.
    WISEN_NOT_A_STORE = 401,
    /// The store was written by a newer Wisen.
    WISEN_NEWER_SCHEMA = 402,
    /// The store is damaged.
    WISEN_CORRUPT = 403,
    /// An export cannot be imported; nothing was.
    WISEN_BAD_IMPORT = 404,
    /// A file is no whole backup; nothing was restored.
    WISEN_BAD_BACKUP = 405,
    /// The store is halted, and the call is one that the halt forbids.
    WISEN_HALTED = 501,
    /// A memory was not let in, by the hook or because of a secret in it.
    WISEN_REFUSED = 502,
    /// A defect of Wisen itself.
    WISEN_INTERNAL = 901,
    /// A defect of Wisen itself that stopped a call half-way: the handle it was made on answers
    /// every later call with this, and can only be freed.
    WISEN_PANIC = 902,
}

use wisen_status as S;

const NAMES: [(wisen_status, &std::ffi::CStr); 31] = [
    (S::WISEN_OK, c"WISEN_OK"),
    (S::WISEN_INVALID_ARGUMENT, c"WISEN_INVALID_ARGUMENT"),
    (S::WISEN_WRONG_DIMENSION, c"WISEN_WRONG_DIMENSION"),
    (S::WISEN_NOT_FINITE, c"WISEN_NOT_FINITE"),
    (S::WISEN_ZERO_VECTOR, c"WISEN_ZERO_VECTOR"),
    (S::WISEN_NOT_UTF8, c"WISEN_NOT_UTF8"),
    (S::WISEN_CLOSED, c"WISEN_CLOSED"),
    (S::WISEN_FORKED, c"WISEN_FORKED"),
    (S::WISEN_READ_ONLY, c"WISEN_READ_ONLY"),
    (S::WISEN_MISMATCH, c"WISEN_MISMATCH"),
    (S::WISEN_UNKNOWN_MEMORY, c"WISEN_UNKNOWN_MEMORY"),
    (S::WISEN_UNKNOWN_RECEIPT, c"WISEN_UNKNOWN_RECEIPT"),
    (S::WISEN_KEY_CONFLICT, c"WISEN_KEY_CONFLICT"),
    (S::WISEN_NOT_SHOWN, c"WISEN_NOT_SHOWN"),
    (S::WISEN_UNKNOWN_REPORT, c"WISEN_UNKNOWN_REPORT"),
    (S::WISEN_BAD_TOKEN, c"WISEN_BAD_TOKEN"),
    (S::WISEN_UNKNOWN_DIRECTIVE, c"WISEN_UNKNOWN_DIRECTIVE"),
    (S::WISEN_UNAUTHORISED, c"WISEN_UNAUTHORISED"),
    (S::WISEN_RULE_CONFLICT, c"WISEN_RULE_CONFLICT"),
    (S::WISEN_IO, c"WISEN_IO"),
    (S::WISEN_BUSY, c"WISEN_BUSY"),
    (S::WISEN_DISK_FULL, c"WISEN_DISK_FULL"),
    (S::WISEN_NOT_A_STORE, c"WISEN_NOT_A_STORE"),
    (S::WISEN_NEWER_SCHEMA, c"WISEN_NEWER_SCHEMA"),
    (S::WISEN_CORRUPT, c"WISEN_CORRUPT"),
    (S::WISEN_BAD_IMPORT, c"WISEN_BAD_IMPORT"),
    (S::WISEN_BAD_BACKUP, c"WISEN_BAD_BACKUP"),
    (S::WISEN_HALTED, c"WISEN_HALTED"),
    (S::WISEN_REFUSED, c"WISEN_REFUSED"),
    (S::WISEN_INTERNAL, c"WISEN_INTERNAL"),
    (S::WISEN_PANIC, c"WISEN_PANIC"),
];

impl From<ErrorCode> for wisen_status {
    fn from(code: ErrorCode) -> Self {
        let number = code as i32;
        NAMES.iter().map(|(status, _)| *status).find(|s| *s as i32 == number).unwrap_or(S::WISEN_INTERNAL)
    }
}

/// The name of a status, as this header spells it; "unknown status" for any other number.
/// Static text; any thread.
#[unsafe(no_mangle)]
pub extern "C" fn wisen_status_name(code: i32) -> *const c_char {
    let name = NAMES.iter().find(|(status, _)| *status as i32 == code).map(|(_, name)| *name);
    name.unwrap_or(c"unknown status").as_ptr()
}

/// The version of the library that is loaded, such as "0.1.0"; WISEN_VERSION is that of the
/// header. Static text; any thread.
#[unsafe(no_mangle)]
pub extern "C" fn wisen_version() -> *const c_char {
    const VERSION: &std::ffi::CStr =
        match std::ffi::CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_the_number_of_its_error() {
        assert_eq!(S::from(ErrorCode::InvalidArgument), S::WISEN_INVALID_ARGUMENT);
        assert_eq!(S::from(ErrorCode::NotShown), S::WISEN_NOT_SHOWN);
        assert_eq!(S::from(ErrorCode::Internal) as i32, ErrorCode::Internal as i32);
    }
}
