//! Objects that C holds by pointer: made, recognised, freed.
//!
//! Every object starts with a word that tells its type, and loses it when it is freed, so a handle
//! of another type is refused and one that was freed is refused in most cases (reading freed memory
//! cannot be made safe: the header forbids it).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::error::{Fault, invalid};
use crate::raw::{In, Out};

/// A type whose objects C holds by pointer.
pub(crate) trait Object: Sized {
    /// Its name in messages.
    const NAME: &'static str;
    /// The word its objects start with.
    const MAGIC: u32;
}

/// The word of an object that was freed.
const FREED: u32 = u32::from_be_bytes(*b"gone");

/// What the pointer really points to.
#[repr(C)]
struct Handle<T> {
    magic: AtomicU32,
    poisoned: AtomicBool,
    value: T,
}

/// Moves a value to where C can hold it; [`free`] ends its life.
pub(crate) fn give<T: Object>(value: T) -> *mut T {
    let (magic, poisoned) = (AtomicU32::new(T::MAGIC), AtomicBool::new(false));
    Box::into_raw(Box::new(Handle { magic, poisoned, value })).cast()
}

/// An object during a call.
pub(crate) struct Live<'a, T>(&'a Handle<T>);

impl<'a, T> Live<'a, T> {
    pub(crate) fn value(&self) -> &'a T {
        &self.0.value
    }

    /// Refuses every later call: a panic may have left the object half-way.
    pub(crate) fn poison(&self) {
        self.0.poisoned.store(true, Ordering::Release);
    }
}

impl<T: Object> In<T> {
    /// The object, unless the pointer is NULL or to something else.
    fn recognise<'a>(self) -> Result<Live<'a, T>, Fault> {
        let at = self.0.cast::<Handle<T>>();
        if at.is_null() {
            return Err(invalid(T::NAME, "the handle is NULL"));
        }
        // SAFETY: all handles of this library are at least as aligned and start with this word.
        if !at.is_aligned() || unsafe { &(*at).magic }.load(Ordering::Acquire) != T::MAGIC {
            return Err(invalid(T::NAME, "this is no handle of that type, or it was freed"));
        }
        // SAFETY: the word says that it is a `Handle<T>` made by `give` and not freed; the header
        // forbids to free it during a call.
        Ok(Live(unsafe { &*at }))
    }

    /// The object, unless a panic has spoiled it.
    pub(crate) fn live<'a>(self) -> Result<Live<'a, T>, Fault> {
        let live = self.recognise()?;
        if live.0.poisoned.load(Ordering::Acquire) { Err(Fault::Poisoned) } else { Ok(live) }
    }
}

/// Frees the object that the caller's variable points to and sets the variable to NULL; does
/// nothing if it is NULL already or points to something else.
pub(crate) fn free<T: Object>(variable: Out<*mut T>) {
    let Ok(Some(at)) = In::from(variable).value("") else { return };
    let at: *mut T = at;
    if let Ok(live) = In(at.cast_const()).recognise() {
        live.0.magic.store(FREED, Ordering::Release);
        variable.write_if_wanted(std::ptr::null_mut());
        // SAFETY: made by `give`, recognised, and from here on recognised no more.
        let owned = unsafe { Box::from_raw(at.cast::<Handle<T>>()) };
        // A panic while it goes away has nobody to tell: what it held is leaked.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(owned)));
    }
}
