//! Half-lives: how evidence on memories of a kind fades.

use std::ffi::c_char;

use wisen::HalfLife;

use crate::call::call_on;
use crate::error::{invalid, wisen_error};
use crate::raw::{In, from_c};
use crate::status::wisen_status;
use crate::store::wisen_store;

/// After how long evidence is worth half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_half_life_setting {
    /// Evidence never fades. So it is for every kind until another setting is made.
    WISEN_HALF_LIFE_NONE = 0,
    /// After a number of days, at least 1.
    WISEN_HALF_LIFE_DAYS = 1,
    /// Chosen by which half-life would have predicted the reports so far best, and chosen anew as they
    /// become more.
    WISEN_HALF_LIFE_AUTO = 2,
}

use wisen_half_life_setting as S;

/// How well a half-life would have predicted the reports so far.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_half_life_loss {
    /// The half-life, in days; 0: nothing fades.
    pub days: f64,
    /// Mean log loss of its predictions, in nats.
    pub loss: f64,
}

/// The half-life of a kind, and how it came about. Make it with wisen_half_life_init();
/// wisen_half_life() fills it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_half_life {
    /// Size of this structure, for growth: set by wisen_half_life_init().
    pub struct_size: u32,
    /// A wisen_half_life_setting: what was set.
    pub setting: i32,
    /// The half-life in force, in days; 0: nothing fades.
    pub days: f64,
    /// Under WISEN_HALF_LIFE_AUTO, when it was last fitted, in microseconds since 1970-01-01 00:00
    /// UTC; 0: not yet, as there are fewer than 50 reports.
    pub fitted_at_us: i64,
    /// How many experiences of the kind there were then; it was fitted to the newest 4096.
    pub experiences: u64,
    /// Set by the caller: where to write the half-lives that were tried. NULL: not wanted.
    pub losses: *mut wisen_half_life_loss,
    /// Set by the caller: how many of them there is room for at `losses`; 16 is enough.
    pub losses_capacity: usize,
    /// How many were tried, which may be more than there was room for.
    pub losses_count: usize,
}

/// Sets after how many days evidence on memories of a kind is worth half: `setting` is a
/// wisen_half_life_setting, `days` goes with WISEN_HALF_LIFE_DAYS (at least 1) and is 0 otherwise.
/// Evidence fades toward what is expected without any, never past it. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_set_half_life(
    store: *mut wisen_store,
    kind: *const c_char,
    kind_size: usize,
    setting: i32,
    days: f64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, kind, error);
    call_on(store, error, |store| {
        let kind = kind.some_text("kind", kind_size)?;
        let half_life = match setting {
            n if n == S::WISEN_HALF_LIFE_DAYS as i32 => HalfLife::Days(days),
            _ if days != 0.0 => {
                return Err(invalid("days", "it goes with the setting WISEN_HALF_LIFE_DAYS only"));
            }
            n if n == S::WISEN_HALF_LIFE_NONE as i32 => HalfLife::None,
            n if n == S::WISEN_HALF_LIFE_AUTO as i32 => HalfLife::Auto,
            n => return Err(invalid("setting", format!("{n} is no wisen_half_life_setting"))),
        };
        Ok(store.store.set_half_life(kind, half_life)?)
    })
}

/// Fills `*half_life` with the half-life of a kind; `half_life->struct_size` must be set, as
/// wisen_half_life_init() does. Nothing of a kind that does not exist fades. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_half_life(
    store: *mut wisen_store,
    kind: *const c_char,
    kind_size: usize,
    half_life: *mut wisen_half_life,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, kind, half_life, error);
    call_on(store, error, |store| {
        let asked = In::from(half_life).read()?;
        let (losses, capacity) = asked.room("losses", |h| (h.losses, h.losses_capacity))?;
        let found = store.store.half_life(kind.some_text("kind", kind_size)?)?;
        let fit = found.fit.as_ref();
        let tried = fit.map_or(&[][..], |fit| &fit.losses);
        let all = tried.iter().map(|&(days, loss)| wisen_half_life_loss { days: days.unwrap_or(0.0), loss });
        losses.write_many(all, capacity);
        half_life.fill(&wisen_half_life {
            setting: setting(found.setting) as i32,
            days: found.days.unwrap_or(0.0),
            fitted_at_us: fit.map_or(0, |fit| fit.at),
            experiences: fit.map_or(0, |fit| fit.experiences),
            losses_count: tried.len(),
            ..*asked
        })
    })
}

fn setting(half_life: HalfLife) -> wisen_half_life_setting {
    match half_life {
        HalfLife::None => S::WISEN_HALF_LIFE_NONE,
        HalfLife::Days(_) => S::WISEN_HALF_LIFE_DAYS,
        HalfLife::Auto => S::WISEN_HALF_LIFE_AUTO,
    }
}
