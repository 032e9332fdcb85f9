//! How memories stand, and what the owner decides of it.

use std::ffi::c_char;
use std::ptr;

use wisen::{MemoryId, Standing, StandingState};

use crate::call::{ErrorPlace, call_on, peek};
use crate::error::{Fault, invalid, wisen_error};
use crate::handle::{Object, free, give};
use crate::raw::{Out, from_c};
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::{Chars, wisen_text};

/// Whether a memory can be a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_standing_state {
    /// It can be a hit.
    WISEN_ACTIVE = 0,
    /// It failed too often, or severely: no hit, but it may be tried again.
    WISEN_QUARANTINED = 1,
    /// It is being tried: its next outcomes decide.
    WISEN_PROBATION = 2,
    /// It was tried again in vain, or the owner took it out of use.
    WISEN_RETIRED = 3,
}

/// How a memory stands, and on what evidence. Make it with wisen_standing_init(); wisen_standings_get()
/// fills it. Its texts belong to the standings.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_standing {
    /// Size of this structure, for growth: set by wisen_standing_init().
    pub struct_size: u32,
    /// A wisen_standing_state.
    pub state: i32,
    /// Not 0: it is exempt from quarantine.
    pub pinned: u32,
    /// 0.
    pub reserved: u32,
    /// The memory.
    pub id: u64,
    /// Its namespace.
    pub namespace_name: wisen_text,
    /// When it came into this state, in microseconds since 1970-01-01 00:00 UTC; 0: it was never in
    /// another.
    pub since_us: i64,
    /// Why it is in this state.
    pub reason: wisen_text,
    /// Weight of its successes, in outcomes: in all, or since its last probation began.
    pub successes: f64,
    /// Weight of its failures, likewise.
    pub failures: f64,
    /// Reports behind these two.
    pub reports: u64,
    /// Probability that its success rate lies below the floor of the policy, by these.
    pub doubt: f64,
}

/// A list of standings. Handle, to be freed with wisen_standings_free(); one thread at a time. It needs
/// the store no longer.
pub struct wisen_standings {
    list: Vec<(Standing, Chars, Chars)>,
}

impl Object for wisen_standings {
    const NAME: &'static str = "wisen_standings";
    const MAGIC: u32 = u32::from_be_bytes(*b"Wsta");
}

pub(crate) fn state(state: StandingState) -> wisen_standing_state {
    match state {
        StandingState::Active => wisen_standing_state::WISEN_ACTIVE,
        StandingState::Quarantined => wisen_standing_state::WISEN_QUARANTINED,
        StandingState::Probation => wisen_standing_state::WISEN_PROBATION,
        StandingState::Retired => wisen_standing_state::WISEN_RETIRED,
    }
}

/// A call that answers with a list of standings.
fn list(
    store: Out<wisen_store>,
    standings: Out<*mut wisen_standings>,
    error: ErrorPlace,
    body: impl FnOnce(&wisen_store) -> Result<Vec<Standing>, Fault>,
) -> wisen_status {
    standings.write_if_wanted(ptr::null_mut());
    call_on(store, error, |store| {
        standings.check("standings")?;
        let each = body(store)?.into_iter().map(|mut found| {
            let namespace = Chars::new(std::mem::take(&mut found.namespace));
            let reason = Chars::new(std::mem::take(&mut found.reason));
            (found, namespace, reason)
        });
        standings.write("standings", give(wisen_standings { list: each.collect() }))
    })
}

/// How a memory stands: a list of one. WISEN_UNKNOWN_MEMORY if there is none with this id or it was
/// forgotten. On success `*standings` is a handle to be freed with wisen_standings_free(), on failure
/// NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_standing(
    store: *mut wisen_store,
    id: u64,
    standings: *mut *mut wisen_standings,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, standings, error);
    list(store, standings, error, |store| Ok(vec![store.store.standing(MemoryId(id))?]))
}

/// The memories of a namespace, or of all if its name is NULL, that are quarantined, on probation,
/// retired or pinned; by id. On success `*standings` is a handle to be freed with
/// wisen_standings_free(), on failure NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_review(
    store: *mut wisen_store,
    namespace_name: *const c_char,
    namespace_size: usize,
    standings: *mut *mut wisen_standings,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, standings, error);
    list(store, standings, error, |store| {
        Ok(store.store.review(namespace_name.text("namespace", namespace_size)?)?)
    })
}

/// How many standings there are in the list; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_standings_count(standings: *const wisen_standings) -> usize {
    from_c!(standings);
    peek(standings, 0, |standings| standings.list.len())
}

/// Fills `*standing` with standing number `index`, counted from 0; `standing->struct_size` must be set,
/// as wisen_standing_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_standings_get(
    standings: *const wisen_standings,
    index: usize,
    standing: *mut wisen_standing,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(standings, standing, error);
    call_on(standings, error, |standings| {
        let count = standings.list.len();
        let found = standings.list.get(index);
        let (found, namespace, reason) =
            found.ok_or_else(|| invalid("index", format!("{index}, there are {count} standings")))?;
        standing.fill(&wisen_standing {
            struct_size: size_of::<wisen_standing>() as u32,
            state: state(found.state) as i32,
            pinned: found.pinned.into(),
            reserved: 0,
            id: found.id.0,
            namespace_name: namespace.lend(),
            since_us: found.since.unwrap_or(0),
            reason: reason.lend(),
            successes: found.successes,
            failures: found.failures,
            reports: found.reports,
            doubt: found.doubt,
        })
    })
}

/// Frees the list, and with it its texts, and sets the variable to NULL. A NULL variable, or NULL in it,
/// is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_standings_free(standings: *mut *mut wisen_standings) {
    from_c!(standings);
    free(standings);
}

/// Exempts a memory from quarantine; one that is in it, or retired, is a hit again.
/// WISEN_UNKNOWN_MEMORY if there is none with this id or it was forgotten. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_pin(
    store: *mut wisen_store,
    id: u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, error);
    call_on(store, error, |store| Ok(store.store.pin(MemoryId(id))?))
}

/// Ends the exemption: from the next report on the memory the rule applies again.
/// WISEN_UNKNOWN_MEMORY if there is none with this id or it was forgotten. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_unpin(
    store: *mut wisen_store,
    id: u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, error);
    call_on(store, error, |store| Ok(store.store.unpin(MemoryId(id))?))
}

/// Puts a quarantined or retired memory on probation: its next outcomes decide whether it is a hit
/// again. The reason is kept with it. WISEN_INVALID_ARGUMENT if it is active, WISEN_UNKNOWN_MEMORY if
/// there is none with this id or it was forgotten. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_release(
    store: *mut wisen_store,
    id: u64,
    reason: *const c_char,
    reason_size: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, reason, error);
    call_on(store, error, |store| {
        Ok(store.store.release(MemoryId(id), reason.some_text("reason", reason_size)?)?)
    })
}

/// Takes a memory out of use without forgetting it; it can be released again. The reason is kept with
/// it. WISEN_INVALID_ARGUMENT if it is pinned, WISEN_UNKNOWN_MEMORY if there is none with this id or it
/// was forgotten. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_retire(
    store: *mut wisen_store,
    id: u64,
    reason: *const c_char,
    reason_size: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, reason, error);
    call_on(store, error, |store| {
        Ok(store.store.retire(MemoryId(id), reason.some_text("reason", reason_size)?)?)
    })
}
