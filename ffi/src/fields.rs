//! Fields of the metadata, declared for filters.

use std::ffi::c_char;

use crate::call::call_on;
use crate::error::wisen_error;
use crate::raw::from_c;
use crate::rules::{wanted, wisen_texts};
use crate::status::wisen_status;
use crate::store::wisen_store;

/// Declares a field of the metadata, by which recalls can then be filtered (wisen_query.filter): a name at
/// its top, or a path into it ("a.b"). What the memories hold there is indexed, now and as they come. `*was_new`
/// (may be NULL) becomes 1, or 0 if it was declared before. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_declare_field(
    store: *mut wisen_store,
    field_name: *const c_char,
    field_size: usize,
    was_new: *mut u32,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, field_name, was_new, error);
    call_on(store, error, |store| {
        let name = field_name.some_text("field", field_size)?;
        was_new.write_if_wanted(u32::from(store.store.declare_field(name)?));
        Ok(())
    })
}

/// Takes the declaration of a field back; the metadata stays. `*was_declared` (may be NULL) becomes 1, or 0
/// if it was not. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_drop_field(
    store: *mut wisen_store,
    field_name: *const c_char,
    field_size: usize,
    was_declared: *mut u32,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, field_name, was_declared, error);
    call_on(store, error, |store| {
        let name = field_name.some_text("field", field_size)?;
        was_declared.write_if_wanted(u32::from(store.store.drop_field(name)?));
        Ok(())
    })
}

/// The declared fields, by name: on success `*fields` is a list to be freed with wisen_texts_free(), on failure NULL.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_fields(
    store: *mut wisen_store,
    fields: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, fields, error);
    let fields = wanted(fields);
    call_on(store, error, |store| {
        fields.check("fields")?;
        fields.write("fields", wisen_texts::of(store.store.fields()?))
    })
}
