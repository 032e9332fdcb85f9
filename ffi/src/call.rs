//! How every call enters and leaves: no panic crosses into C, every fault becomes a status.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Fault, wisen_error};
use crate::handle::{Object, give};
use crate::raw::{In, Out};
use crate::status::wisen_status;

/// Where the caller wants to hear of a fault.
pub(crate) type ErrorPlace = Out<*mut wisen_error>;

/// A call that needs no handle.
pub(crate) fn call(error: ErrorPlace, body: impl FnOnce() -> Result<(), Fault>) -> wisen_status {
    error.write_if_wanted(std::ptr::null_mut());
    // Whatever a panic leaves half-way is either dropped here or a handle, which is then poisoned.
    let result = catch_unwind(AssertUnwindSafe(body));
    finish(error, result.unwrap_or_else(|payload| Err(Fault::Panic(words(payload.as_ref())))))
}

/// A call on a handle.
pub(crate) fn call_on<T: Object>(
    handle: impl Into<In<T>>,
    error: ErrorPlace,
    body: impl FnOnce(&T) -> Result<(), Fault>,
) -> wisen_status {
    error.write_if_wanted(std::ptr::null_mut());
    let live = match handle.into().live() {
        Ok(live) => live,
        Err(fault) => return finish(error, Err(fault)),
    };
    let result = catch_unwind(AssertUnwindSafe(|| body(live.value())));
    finish(
        error,
        result.unwrap_or_else(|payload| {
            live.poison();
            Err(Fault::Panic(words(payload.as_ref())))
        }),
    )
}

/// A question to a handle that cannot fail: `otherwise` if there is no such handle.
pub(crate) fn peek<T: Object, U>(handle: impl Into<In<T>>, otherwise: U, body: impl FnOnce(&T) -> U) -> U {
    let Ok(live) = handle.into().live() else { return otherwise };
    catch_unwind(AssertUnwindSafe(|| body(live.value()))).unwrap_or_else(|_| {
        live.poison();
        otherwise
    })
}

fn finish(error: ErrorPlace, result: Result<(), Fault>) -> wisen_status {
    match result {
        Ok(()) => wisen_status::WISEN_OK,
        Err(fault) => {
            let status = fault.status();
            error.write_with(|| give(wisen_error::from(fault)));
            status
        }
    }
}

/// What a panic said.
fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

/// Panics inside a call, for the tests of this crate: answers WISEN_PANIC and poisons the store.
#[cfg(feature = "test-panic")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_test_panic(
    store: *mut crate::store::wisen_store,
    error: *mut *mut wisen_error,
) -> wisen_status {
    crate::raw::from_c!(store, error);
    call_on(store, error, |_| panic!("asked for by a test"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::FromC;

    struct Thing;
    impl Object for Thing {
        const NAME: &'static str = "thing";
        const MAGIC: u32 = 1;
    }

    #[test]
    fn a_panic_becomes_a_status_and_poisons_the_handle() {
        let mut thing = give(Thing);
        let mut error: *mut wisen_error = std::ptr::null_mut();
        // SAFETY: both point to live variables.
        let (handle, place) = unsafe { (thing.trust(), (&raw mut error).trust()) };
        assert_eq!(call_on(handle, place, |_| Ok(())), wisen_status::WISEN_OK);
        assert!(error.is_null());
        assert_eq!(call_on(handle, place, |_| panic!("spoiled")), wisen_status::WISEN_PANIC);
        assert!(!error.is_null());
        crate::handle::free(place);
        assert_eq!(call_on(handle, place, |_| Ok(())), wisen_status::WISEN_PANIC);
        crate::handle::free(place);
        assert_eq!(peek(handle, 0, |_| 1), 0);
        // SAFETY: a live variable.
        crate::handle::free(unsafe { (&raw mut thing).trust() });
        assert!(thing.is_null() && error.is_null());
    }
}
