//! Receipts: the names of recalls.

use std::ffi::c_char;

use wisen::ReceiptId;

use crate::call::call;
use crate::error::{invalid, wisen_error};
use crate::raw::from_c;
use crate::status::wisen_status;

/// Names one recall in a report: the 16 bytes of a UUID, most significant first. A plain value:
/// copy it as you like.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_receipt {
    /// The bytes; all zero is no receipt.
    pub bytes: [u8; 16],
}

/// Writes the usual text of a receipt (36 characters and a NUL) to `text`, which has room for
/// `capacity` bytes: WISEN_RECEIPT_TEXT_SIZE suffices. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_receipt_to_text(
    receipt: *const wisen_receipt,
    text: *mut c_char,
    capacity: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(receipt, text, error);
    call(error, || {
        let receipt = receipt.value("receipt")?.ok_or_else(|| invalid("receipt", "the pointer is NULL"))?;
        let written = ReceiptId::from_bytes(receipt.bytes).to_string();
        if capacity <= written.len() {
            return Err(invalid("capacity", format!("{capacity} bytes, {} are needed", written.len() + 1)));
        }
        text.check("text")?;
        text.write_many(written.bytes().chain([0]).map(|byte| byte as c_char), capacity);
        Ok(())
    })
}

/// Reads a receipt from its text. WISEN_UNKNOWN_RECEIPT if it is none. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_receipt_from_text(
    text: *const c_char,
    text_size: usize,
    receipt: *mut wisen_receipt,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(text, receipt, error);
    call(error, || {
        let id: ReceiptId = text.some_text("text", text_size)?.parse()?;
        receipt.write("receipt", wisen_receipt { bytes: id.to_bytes() })
    })
}
