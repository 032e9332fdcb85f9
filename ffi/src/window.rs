//! The figures an owner asks for, over a stretch of time.

use std::ffi::c_char;
use std::mem::offset_of;
use std::ptr;

use wisen::{Figures, Window};

use crate::call::{call_on, peek};
use crate::error::{Fault, invalid, wisen_error};
use crate::handle::{Object, free, give};
use crate::raw::from_c;
use crate::sized::Given;
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::uplift::wisen_rate;

/// The stretch of time that wisen_figures() looks at, and how. Make it with wisen_window_init(), then
/// set its beginning and its end.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_window {
    /// Size of this structure, for growth: set by wisen_window_init().
    pub struct_size: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Its beginning, in microseconds since 1970-01-01 00:00 UTC.
    pub from_us: i64,
    /// Its end, which does not belong to it, likewise.
    pub to_us: i64,
    /// Days within which a success must not be contradicted to be durable, in 0 to 36500: set to 7 by
    /// wisen_window_init(). 0 is no default.
    pub durable_days: f64,
    /// Into how many equal slices it is cut for wisen_figures_over_time(), at most 10000. 0: 1.
    pub slices: usize,
}

/// Figures of a stretch of time. Make it with wisen_stretch_init(); wisen_figures_get() and
/// wisen_figures_over_time() fill it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_stretch {
    /// Size of this structure, for growth: set by wisen_stretch_init().
    pub struct_size: u32,
    /// Not 0: `success_rate` is filled, as there were attempts.
    pub has_success_rate: u32,
    /// Not 0: `hit_rate` is filled, as there were recalls.
    pub has_hit_rate: u32,
    /// Not 0: `tokens_per_durable_success` is filled: somebody told tokens, and a success is durable.
    pub has_tokens_per_durable_success: u32,
    /// Not 0: `micros_per_durable_success` is filled: somebody told money, and a success is durable.
    pub has_micros_per_durable_success: u32,
    /// 0.
    pub reserved: u32,
    /// Its beginning, in microseconds since 1970-01-01 00:00 UTC.
    pub from_us: i64,
    /// Its end, which does not belong to it, likewise.
    pub to_us: i64,
    /// Attempts whose outcome is known: successes + failures.
    pub attempts: u64,
    /// Of them, those that worked (outcome at least 0.5).
    pub successes: u64,
    /// Of them, those that did not.
    pub failures: u64,
    /// Attempts that were reported on without a known outcome, or with retracted ones only. They count
    /// in the costs and nowhere else.
    pub unknown: u64,
    /// successes / attempts, in 0 to 1.
    pub success_rate: f64,
    /// Successes that nothing has contradicted within wisen_window.durable_days.
    pub durable_successes: u64,
    /// Of the durable ones, those that are younger than that and can still be contradicted.
    pub maturing: u64,
    /// Tokens told, over all attempts, unknown ones included.
    pub tokens: u64,
    /// Money told, in millionths of the owner's currency, over all attempts, unknown ones included.
    pub cost_micros: i64,
    /// Attempts, unknown ones included, that told their tokens: where some did not, the costs are too
    /// low.
    pub told_tokens: u64,
    /// Attempts, unknown ones included, that told their money.
    pub told_cost: u64,
    /// tokens / durable_successes.
    pub tokens_per_durable_success: f64,
    /// cost_micros / durable_successes.
    pub micros_per_durable_success: f64,
    /// Attempts that began with a recall on which memory was not withheld.
    pub recalls: u64,
    /// Of these, those that worked and used a memory.
    pub hits: u64,
    /// hits / recalls, in 0 to 1: how often memory was asked and had what it took.
    pub hit_rate: f64,
    /// Attempts that used memory. Beside the next, a comparison that confounders may spoil:
    /// wisen_uplift() has one that they cannot.
    pub with_memory: wisen_rate,
    /// Attempts that used none, withheld ones included.
    pub without_memory: wisen_rate,
}

/// Figures of a window, as a whole and for each of its slices. Handle, to be freed with
/// wisen_figures_free(); one thread at a time. It needs the store no longer.
pub struct wisen_figures {
    found: Figures,
}

impl Object for wisen_figures {
    const NAME: &'static str = "wisen_figures";
    const MAGIC: u32 = u32::from_be_bytes(*b"Wfig");
}

impl Given<'_, wisen_window> {
    fn window(&self) -> Result<Window, Fault> {
        if self.reserved != 0 {
            return Err(invalid("reserved", "it must be 0"));
        }
        let mut window = Window::new(self.from_us, self.to_us);
        if self.knows(offset_of!(wisen_window, durable_days)) {
            window = window.durable_days(self.durable_days);
        }
        Ok(window.slices(self.slices.max(1)))
    }
}

fn stretch(found: &Figures) -> wisen_stretch {
    wisen_stretch {
        struct_size: size_of::<wisen_stretch>() as u32,
        has_success_rate: found.success_rate.is_some().into(),
        has_hit_rate: found.hit_rate.is_some().into(),
        has_tokens_per_durable_success: found.tokens_per_durable_success.is_some().into(),
        has_micros_per_durable_success: found.micros_per_durable_success.is_some().into(),
        reserved: 0,
        from_us: found.from,
        to_us: found.to,
        attempts: found.attempts,
        successes: found.successes,
        failures: found.failures,
        unknown: found.unknown,
        success_rate: found.success_rate.unwrap_or_default(),
        durable_successes: found.durable_successes,
        maturing: found.maturing,
        tokens: found.tokens,
        cost_micros: found.cost_micros,
        told_tokens: found.told_tokens,
        told_cost: found.told_cost,
        tokens_per_durable_success: found.tokens_per_durable_success.unwrap_or_default(),
        micros_per_durable_success: found.micros_per_durable_success.unwrap_or_default(),
        recalls: found.recalls,
        hits: found.hits,
        hit_rate: found.hit_rate.unwrap_or_default(),
        with_memory: found.with_memory.into(),
        without_memory: found.without_memory.into(),
    }
}

/// The figures an owner asks for, of one namespace, or of all if its name is NULL: how many attempts
/// succeeded, for how long, at what cost, and with what share of memory.
///
/// An attempt is a recall that was reported on, or a report on a memory without a recall. It is judged
/// by its first report with a known outcome that was not retracted; if the owner reported one, only the
/// owner's reports are looked at. The time of that report decides whether it lies in the window. A
/// success is contradicted by a later such report below 0.5, or when a memory used in it is quarantined
/// or forgotten; it is durable if nothing contradicts it within wisen_window.durable_days, or has so
/// far. Tokens and money are those of all reports on the attempts.
///
/// On success `*figures` is a handle to be freed with wisen_figures_free(), on failure NULL. A
/// namespace that does not exist has no attempts. WISEN_INVALID_ARGUMENT if the window ends before it
/// begins, or a field of it is out of range. Reads every report of the window. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_figures(
    store: *mut wisen_store,
    namespace_name: *const c_char,
    namespace_size: usize,
    window: *const wisen_window,
    figures: *mut *mut wisen_figures,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, window, figures, error);
    figures.write_if_wanted(ptr::null_mut());
    call_on(store, error, |store| {
        figures.check("figures")?;
        let namespace = namespace_name.text("namespace", namespace_size)?;
        let found = store.store.figures(namespace, window.read()?.window()?)?;
        figures.write("figures", give(wisen_figures { found }))
    })
}

/// Fills `*stretch` with the figures of the whole window; `stretch->struct_size` must be set, as
/// wisen_stretch_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_figures_get(
    figures: *const wisen_figures,
    stretch: *mut wisen_stretch,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(figures, stretch, error);
    call_on(figures, error, |figures| stretch.fill(&self::stretch(&figures.found)))
}

/// How many slices wisen_figures_over_time() has; 0 if one was asked for, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_figures_count(figures: *const wisen_figures) -> usize {
    from_c!(figures);
    peek(figures, 0, |figures| figures.found.over_time.len())
}

/// Fills `*stretch` with the figures of slice number `index` of the window, the first being 0;
/// `stretch->struct_size` must be set, as wisen_stretch_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_figures_over_time(
    figures: *const wisen_figures,
    index: usize,
    stretch: *mut wisen_stretch,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(figures, stretch, error);
    call_on(figures, error, |figures| {
        let slices = &figures.found.over_time;
        let found = slices.get(index);
        let found =
            found.ok_or_else(|| invalid("index", format!("{index}, there are {} slices", slices.len())))?;
        stretch.fill(&self::stretch(found))
    })
}

/// Frees the figures and sets the variable to NULL. A NULL variable, or NULL in it, is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_figures_free(figures: *mut *mut wisen_figures) {
    from_c!(figures);
    free(figures);
}
