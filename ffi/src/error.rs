//! What went wrong, for C: an object with a status and a sentence.

use std::ffi::c_char;

use wisen::Error;

use crate::call::peek;
use crate::handle::{Object, free};
use crate::raw::from_c;
use crate::status::wisen_status;
use crate::text::Chars;

/// What went wrong in a call. Owned by the caller: free it with wisen_error_free(). Handle; one
/// thread at a time.
pub struct wisen_error {
    status: wisen_status,
    message: Chars,
    row: Option<usize>,
}

impl Object for wisen_error {
    const NAME: &'static str = "wisen_error";
    const MAGIC: u32 = u32::from_be_bytes(*b"Werr");
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The engine, or the check of an argument, said no.
    Engine(Error),
    /// It panicked.
    Panic(String),
    /// An earlier call on the same handle panicked.
    Poisoned,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Engine(error)
    }
}

/// The fault of an argument.
pub(crate) fn invalid(what: &'static str, why: impl Into<String>) -> Fault {
    Fault::Engine(Error::InvalidArgument { what, why: why.into() })
}

impl Fault {
    pub(crate) fn status(&self) -> wisen_status {
        match self {
            Fault::Engine(error) => error.code().into(),
            Fault::Panic(_) | Fault::Poisoned => wisen_status::WISEN_PANIC,
        }
    }

    /// The same fault, of one element of a batch.
    pub(crate) fn in_row(self, row: usize) -> Self {
        match self {
            Fault::Engine(error) => Fault::Engine(Error::Row { row, source: Box::new(error) }),
            other => other,
        }
    }
}

impl From<Fault> for wisen_error {
    fn from(fault: Fault) -> Self {
        let status = fault.status();
        let row = match &fault {
            Fault::Engine(Error::Row { row, .. }) => Some(*row),
            _ => None,
        };
        let message = match fault {
            Fault::Engine(error) => error.to_string(),
            Fault::Panic(what) => {
                format!("internal error: panic: {what}; free the handle, and please report it")
            }
            Fault::Poisoned => "an earlier call on this handle panicked: free the handle".to_owned(),
        };
        Self { status, message: Chars::new(message), row }
    }
}

/// The status that came with the error; WISEN_OK for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_error_code(error: *const wisen_error) -> wisen_status {
    from_c!(error);
    peek(error, wisen_status::WISEN_OK, |error| error.status)
}

/// What went wrong and the way out, in a sentence; the empty text for NULL. The text belongs to
/// the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_error_message(error: *const wisen_error) -> *const c_char {
    from_c!(error);
    peek(error, c"".as_ptr(), |error| error.message.as_ptr())
}

/// Which memory or report of a batch is at fault, counted from 0; WISEN_NO_ROW if it was no batch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_error_row(error: *const wisen_error) -> usize {
    from_c!(error);
    peek(error, usize::MAX, |error| error.row.unwrap_or(usize::MAX))
}

/// Frees the error and sets the variable to NULL. A NULL variable, or NULL in it, is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_error_free(error: *mut *mut wisen_error) {
    from_c!(error);
    free(error);
}
