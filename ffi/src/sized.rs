//! Structures that grow at their end. Each starts with its size as the caller knows it, so that
//! programs of an older or a newer header can use this library.

use std::marker::PhantomData;
use std::mem::{MaybeUninit, size_of};
use std::ptr;
use std::slice;

use crate::error::{Fault, invalid};
use crate::raw::{In, Out};
use crate::text::wisen_text;

/// A structure of the header that may grow at its end.
///
/// # Safety
/// `repr(C)`, starts with `struct_size: u32`, has no padding, and is valid when all zero.
pub(crate) unsafe trait Versioned: Copy {
    /// Its name in messages.
    const NAME: &'static str;
}

macro_rules! versioned {
    ($($name:ident in $room:ident),+ $(,)?) => {
        $(
            // SAFETY: held to it by `structures_have_no_padding` in tests/abi.rs and by their definitions.
            unsafe impl Versioned for crate::$room::$name { const NAME: &'static str = stringify!($name); }
        )+
    };
}
versioned!(
    wisen_options in options, wisen_memory in memory, wisen_update in memory, wisen_query in recall,
    wisen_hit in hit, wisen_report in report, wisen_report_reply in report, wisen_record in records,
    wisen_namespace in namespaces, wisen_stats in figures, wisen_findings in figures,
    wisen_principal in principals, wisen_half_life in half_life,
    wisen_warning in warning, wisen_policy in policy, wisen_standing in standings,
    wisen_triggers in guard, wisen_audit_entry in audit, wisen_merge in distil,
    wisen_uplift in uplift, wisen_window in window, wisen_stretch in window,
    wisen_calibration in calibration, wisen_rule_note in rule_note, wisen_reembedded in reembed,
);

/// No structure of the header will ever be larger: a larger size is garbage.
const LARGEST: usize = 4096;

/// Reads and checks the `struct_size` at the start of a structure.
fn size_of_given<T: Versioned>(at: *const T) -> Result<usize, Fault> {
    if at.is_null() {
        return Err(invalid(T::NAME, "the pointer is NULL"));
    }
    if !at.is_aligned() {
        return Err(invalid(T::NAME, "the pointer is not aligned"));
    }
    // SAFETY: not NULL, aligned; every structure starts with its size.
    let size = unsafe { at.cast::<u32>().read() } as usize;
    if size == 0 || size > LARGEST || !size.is_multiple_of(align_of::<T>()) {
        let why = format!("struct_size is {size}: start with {}_init()", T::NAME);
        return Err(invalid(T::NAME, why));
    }
    Ok(size)
}

/// A copy of a structure that came from C, whose pointers follow the rules of the header.
pub(crate) struct Given<'a, T> {
    value: T,
    size: usize,
    lent: PhantomData<&'a T>,
}

impl<T> std::ops::Deref for Given<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Versioned> In<T> {
    /// Copies the structure: what an older caller does not know stays zero, and what a newer
    /// caller knows beyond it must be zero.
    pub(crate) fn read<'a>(self) -> Result<Given<'a, T>, Fault> {
        let size = size_of_given(self.0)?;
        let known = size_of::<T>();
        if size > known {
            // SAFETY: the structure has `size` bytes, as it says of itself.
            let tail = unsafe { slice::from_raw_parts(self.0.cast::<u8>().add(known), size - known) };
            if tail.iter().any(|&byte| byte != 0) {
                let why = "it uses fields that this version of the library does not know";
                return Err(invalid(T::NAME, why));
            }
        }
        let mut value = MaybeUninit::<T>::zeroed();
        // SAFETY: both sides have that many bytes, and all zero with some of the fields set is a
        // valid `T` (integers, floats and pointers only).
        let value = unsafe {
            ptr::copy_nonoverlapping(self.0.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), size.min(known));
            value.assume_init()
        };
        Ok(Given { value, size, lent: PhantomData })
    }

    /// Copies `count` structures that lie side by side, each as large as the first says.
    pub(crate) fn read_many<'a>(self, count: usize) -> Result<Vec<Given<'a, T>>, Fault> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let step = size_of_given(self.0)?;
        if count.checked_mul(step).is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(invalid(T::NAME, format!("{count} of them do not fit in memory")));
        }
        let rows = (0..count).map(|row| {
            // SAFETY: the caller gives `count` structures of `step` bytes.
            let given = In(unsafe { self.0.byte_add(row * step) }).read()?;
            if given.size == step {
                Ok(given)
            } else {
                Err(invalid(T::NAME, format!("struct_size of number {row} differs from the first")))
            }
        });
        rows.collect()
    }
}

/// The pointers in a structure. `pick` picks a field of it and makes nothing up: the fields follow
/// the rules of the header, as the structure does.
impl<'a, T: Versioned> Given<'a, T> {
    /// Whether the caller's structure reaches beyond the byte `offset`.
    pub(crate) fn knows(&self, offset: usize) -> bool {
        self.size > offset
    }

    pub(crate) fn text(
        &self,
        what: &'static str,
        pick: fn(&T) -> wisen_text,
    ) -> Result<Option<&'a str>, Fault> {
        let text = pick(&self.value);
        In(text.data).text(what, text.size)
    }

    pub(crate) fn texts(
        &self,
        what: &'static str,
        pick: fn(&T) -> (*const wisen_text, usize),
    ) -> Result<Vec<&'a str>, Fault> {
        let texts = self.slice(what, pick)?.iter();
        texts.map(|text| In(text.data).some_text(what, text.size)).collect()
    }

    pub(crate) fn slice<U: Copy>(
        &self,
        what: &'static str,
        pick: fn(&T) -> (*const U, usize),
    ) -> Result<&'a [U], Fault> {
        let (at, len) = pick(&self.value);
        In(at).slice(what, len)
    }

    pub(crate) fn value<U: Copy>(
        &self,
        what: &'static str,
        pick: fn(&T) -> *const U,
    ) -> Result<Option<U>, Fault> {
        In(pick(&self.value)).value(what)
    }

    /// A place to write up to so many values to.
    pub(crate) fn room<U: Copy>(
        &self,
        what: &'static str,
        pick: fn(&T) -> (*mut U, usize),
    ) -> Result<(Out<U>, usize), Fault> {
        let (at, len) = pick(&self.value);
        if len > 0 {
            Out(at).check(what)?;
        }
        Ok((Out(at), len))
    }
}

impl<T: Versioned> Out<T> {
    /// The places from which `given` was read.
    pub(crate) fn rows(self, given: &[Given<'_, T>]) -> Vec<Out<T>> {
        let starts = given.iter().scan(0, |end, given| Some(std::mem::replace(end, *end + given.size)));
        // SAFETY: `read_many` found structures of these sizes side by side there.
        starts.map(|start| Out(unsafe { self.0.byte_add(start) })).collect()
    }

    /// Fills a structure of the caller, as far as he knows it; what he knows beyond becomes zero.
    pub(crate) fn fill(self, value: &T) -> Result<(), Fault> {
        let size = size_of_given(self.0.cast_const())?;
        let start = size_of::<u32>();
        let known = size_of::<T>().min(size);
        // SAFETY: the caller's structure has `size` bytes and `value` at least `known`; the size at
        // the start, which `size_of_given` has seen to be at least `start`, stays as it is.
        unsafe {
            let from = ptr::from_ref(value).cast::<u8>().add(start);
            ptr::copy_nonoverlapping(from, self.0.cast::<u8>().add(start), known - start);
            self.0.cast::<u8>().add(known).write_bytes(0, size - known);
        }
        Ok(())
    }
}
