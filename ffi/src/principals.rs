//! Principals: who may report in whose name.

use std::ffi::c_char;
use std::ptr;

use wisen::Principal;

use crate::call::{call_on, peek};
use crate::error::{invalid, wisen_error};
use crate::guard::secret;
use crate::handle::{Object, free, give};
use crate::raw::from_c;
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::{Chars, wisen_text};

/// Bytes of a token, and a NUL: WISEN_TOKEN_SIZE of the header.
const TOKEN_SIZE: usize = 65;

/// Somebody other than the owner who reports. Make it with wisen_principal_init();
/// wisen_principals_get() fills it. Its name belongs to the principals.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_principal {
    /// Size of this structure, for growth: set by wisen_principal_init().
    pub struct_size: u32,
    /// 1: the table has a registration for it that is not believed, because the registrations of the store
    /// are not those that its authority signed; it counts as one that is not registered. Otherwise 0.
    pub disbelieved: u32,
    /// Its name.
    pub name: wisen_text,
    /// When it was last registered, in microseconds since 1970-01-01 00:00 UTC; 0: it is not, and then
    /// shares the standing of all names that are not.
    pub registered_at_us: i64,
    /// Reports made in its name, registered or not.
    pub reports: u64,
    /// Mean of the posterior of its agreement with the owner, in 0 to 1. At 0.5 or below, its word
    /// counts for nothing; at 1, as much as the owner's.
    pub reliability: f64,
    /// Lower end of the central 90 % credible interval of `reliability`.
    pub interval_low: f64,
    /// Upper end of the central 90 % credible interval of `reliability`.
    pub interval_high: f64,
    /// Receipts that both it and the owner judged, of which this is learnt.
    pub judged_together: u64,
}

/// A list of principals. Handle, to be freed with wisen_principals_free(); one thread at a time. It
/// needs the store no longer.
pub struct wisen_principals {
    list: Vec<(Chars, Principal)>,
}

impl Object for wisen_principals {
    const NAME: &'static str = "wisen_principals";
    const MAGIC: u32 = u32::from_be_bytes(*b"Wpri");
}

/// Registers a principal, whose reports then count for themselves and not among those of all unknown
/// names. Writes the token by which it proves its name (wisen_report.token), and a NUL, to `token`,
/// which has room for `capacity` bytes: WISEN_TOKEN_SIZE suffices. It is told this once: the store
/// keeps only its hash. Registering a name (1 to 255 bytes) again replaces its token. `key` as in
/// wisen_resume(). Registrations that the authority of the store has not signed are not believed, none of
/// them, until wisen_repair_rules() has taken them away. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_register(
    store: *mut wisen_store,
    name: *const c_char,
    name_size: usize,
    key: *const c_char,
    key_size: usize,
    token: *mut c_char,
    capacity: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, name, key, token, error);
    call_on(store, error, |store| {
        let key = secret(key, key_size)?;
        let name = name.some_text("name", name_size)?;
        token.check("token")?;
        // Before the token that the principal has is void.
        if capacity < TOKEN_SIZE {
            return Err(invalid("capacity", format!("{capacity} bytes, {TOKEN_SIZE} are needed")));
        }
        let new = store.store.register(name, key.as_ref())?;
        token.write_many(new.bytes().chain([0]).map(|byte| byte as c_char), capacity);
        Ok(())
    })
}

/// Takes a registration away: the token is void, and what was reported with it counts no more, until
/// the name is registered again. (To end a principal's reports and keep what they taught, register it
/// again and throw the token away.) `key` as in wisen_resume(). `*revoked` (may be NULL) tells whether it
/// was registered. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_revoke(
    store: *mut wisen_store,
    name: *const c_char,
    name_size: usize,
    key: *const c_char,
    key_size: usize,
    revoked: *mut bool,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, name, key, revoked, error);
    call_on(store, error, |store| {
        let key = secret(key, key_size)?;
        let name = name.some_text("name", name_size)?;
        revoked.write_if_wanted(store.store.revoke(name, key.as_ref())?);
        Ok(())
    })
}

/// Everybody who is registered or has reported under a name, by name, with how far their word has been
/// found good. On success `*principals` is a handle to be freed with wisen_principals_free(), on
/// failure NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_principals(
    store: *mut wisen_store,
    principals: *mut *mut wisen_principals,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, principals, error);
    principals.write_if_wanted(ptr::null_mut());
    call_on(store, error, |store| {
        principals.check("principals")?;
        let found = store.store.principals()?.into_iter();
        let list = found.map(|mut one| (Chars::new(std::mem::take(&mut one.name)), one)).collect();
        principals.write("principals", give(wisen_principals { list }))
    })
}

/// How many principals there are in the list; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_principals_count(principals: *const wisen_principals) -> usize {
    from_c!(principals);
    peek(principals, 0, |principals| principals.list.len())
}

/// Fills `*principal` with principal number `index`, counted from 0; `principal->struct_size` must be
/// set, as wisen_principal_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_principals_get(
    principals: *const wisen_principals,
    index: usize,
    principal: *mut wisen_principal,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(principals, principal, error);
    call_on(principals, error, |principals| {
        let count = principals.list.len();
        let found = principals.list.get(index);
        let (name, found) =
            found.ok_or_else(|| invalid("index", format!("{index}, there are {count} principals")))?;
        let (interval_low, interval_high) = found.interval;
        principal.fill(&wisen_principal {
            struct_size: size_of::<wisen_principal>() as u32,
            disbelieved: u32::from(found.disbelieved),
            name: name.lend(),
            registered_at_us: found.registered_at.unwrap_or(0),
            reports: found.reports,
            reliability: found.reliability,
            interval_low,
            interval_high,
            judged_together: found.judged_together,
        })
    })
}

/// Frees the list, and with it the names, and sets the variable to NULL. A NULL variable, or NULL in
/// it, is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_principals_free(principals: *mut *mut wisen_principals) {
    from_c!(principals);
    free(principals);
}
