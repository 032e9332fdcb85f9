//! Uplift: what memory is worth.

use std::ffi::c_char;

use wisen::{MemoryId, Rate, Scope, Verdict};

use crate::call::call_on;
use crate::error::{invalid, wisen_error};
use crate::raw::from_c;
use crate::status::wisen_status;
use crate::store::wisen_store;

/// What can be said of the worth of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_verdict {
    /// There are fewer than 20 outcomes with it, or fewer than 20 without.
    WISEN_INSUFFICIENT_DATA = 0,
    /// Things go better with it: the whole interval lies above 0.
    WISEN_HELPS = 1,
    /// Things go worse with it: the whole interval lies below 0.
    WISEN_HARMS = 2,
    /// The interval holds 0.
    WISEN_UNCLEAR = 3,
}

/// Outcomes on one side of a comparison.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_rate {
    /// How many outcomes this rests on, one for each attempt; with a fraction where they count
    /// differently.
    pub outcomes: f64,
    /// How many of them are successes: a graded outcome counts as much as it says.
    pub successes: f64,
    /// Mean outcome, in 0 to 1; one half where there is none.
    pub mean: f64,
}

impl From<Rate> for wisen_rate {
    fn from(rate: Rate) -> Self {
        Self { outcomes: rate.outcomes, successes: rate.successes, mean: rate.mean }
    }
}

/// What showing a memory, or those of a namespace, has changed. Make it with wisen_uplift_init();
/// wisen_uplift() fills it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_uplift {
    /// Size of this structure, for growth: set by wisen_uplift_init().
    pub struct_size: u32,
    /// A wisen_verdict: what follows.
    pub verdict: i32,
    /// How it went with it.
    pub with: wisen_rate,
    /// How it went without it, on recalls where chance alone kept it back.
    pub without: wisen_rate,
    /// with.mean - without.mean, in -1 to 1.
    pub difference: f64,
    /// Lower end of the 95 % confidence interval of the difference, in -1 to 1.
    pub interval_low: f64,
    /// Its upper end, likewise.
    pub interval_high: f64,
}

/// Fills `*uplift` with what showing a memory has changed, or, with `memory` 0, showing those of the
/// namespace named; `uplift->struct_size` must be set, as wisen_uplift_init() does. Compares the
/// outcomes of recalls on which it was shown with those on which chance kept it back
/// (wisen_query.hold_out): recalls without a hold-out do not count, nor do outcomes told by others
/// than the owner. It takes that recalls are reported on alike whether they had hits or not. The
/// memory may have been forgotten since: WISEN_UNKNOWN_MEMORY if there never was one; a namespace that
/// does not exist has no outcomes. Reads every receipt that was reported on. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_uplift(
    store: *mut wisen_store,
    memory: u64,
    namespace_name: *const c_char,
    namespace_size: usize,
    uplift: *mut wisen_uplift,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, uplift, error);
    call_on(store, error, |store| {
        let scope = match (memory, namespace_name.text("namespace", namespace_size)?) {
            (0, None) => return Err(invalid("memory", "neither a memory nor a namespace is given")),
            (0, Some(name)) => Scope::namespace(name),
            (memory, None) => Scope::Memory(MemoryId(memory)),
            (_, Some(_)) => return Err(invalid("namespace", "a memory is given as well")),
        };
        let found = store.store.uplift(scope)?;
        let (interval_low, interval_high) = found.interval;
        uplift.fill(&wisen_uplift {
            struct_size: size_of::<wisen_uplift>() as u32,
            verdict: verdict(found.verdict) as i32,
            with: found.with.into(),
            without: found.without.into(),
            difference: found.difference,
            interval_low,
            interval_high,
        })
    })
}

fn verdict(verdict: Verdict) -> wisen_verdict {
    match verdict {
        Verdict::Helps => wisen_verdict::WISEN_HELPS,
        Verdict::Harms => wisen_verdict::WISEN_HARMS,
        Verdict::Unclear => wisen_verdict::WISEN_UNCLEAR,
        _ => wisen_verdict::WISEN_INSUFFICIENT_DATA,
    }
}
