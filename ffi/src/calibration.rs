//! How promises came true.

use std::ffi::c_char;

use crate::call::call_on;
use crate::error::wisen_error;
use crate::raw::{In, from_c};
use crate::status::wisen_status;
use crate::store::wisen_store;

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_calibration_bin {
    /// Weight of the hits in it, in units of credit.
    pub weight: f64,
    /// Their mean promised probability, in 0 to 1.
    pub promised: f64,
    /// Their mean outcome, in 0 to 1.
    pub outcome: f64,
}

/// How well the promised probabilities have come true. Make it with wisen_calibration_init();
/// wisen_calibration() fills it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_calibration {
    /// Size of this structure, for growth: set by wisen_calibration_init().
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Weight of the hits that were reported on, in units of credit.
    pub weight: f64,
    /// Mean promised probability, in 0 to 1; 0 without reports, like the following.
    pub promised: f64,
    /// Mean outcome, in 0 to 1.
    pub outcome: f64,
    /// Brier score: mean squared difference of promise and outcome, in 0 to 1; lower is better.
    pub brier: f64,
    /// Expected calibration error: mean over the bins, by weight, of the difference between mean
    /// promise and mean outcome, in 0 to 1.
    pub error: f64,
    /// Set by the caller: where to write the reliability diagram, bins of the promised probability that
    /// hold any, in rising order. NULL: not wanted.
    pub bins: *mut wisen_calibration_bin,
    /// Set by the caller: how many bins there is room for at `bins`; WISEN_CALIBRATION_BINS is enough.
    pub bins_capacity: usize,
    /// How many bins there are, which may be more than there was room for.
    pub bins_count: usize,
}

/// Fills `*calibration` with how the probabilities promised by recalls of a namespace, or of all if its
/// name is NULL, have come true: over the hits that were reported on, by whoever proved to be who they
/// are. A retracted report counts no more. `calibration->struct_size` must be set, as
/// wisen_calibration_init() does. A namespace that does not exist has no reports. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_calibration(
    store: *mut wisen_store,
    namespace_name: *const c_char,
    namespace_size: usize,
    calibration: *mut wisen_calibration,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, calibration, error);
    call_on(store, error, |store| {
        let asked = In::from(calibration).read()?;
        let (bins, capacity) = asked.room("bins", |c| (c.bins, c.bins_capacity))?;
        let found = store.store.calibration(namespace_name.text("namespace", namespace_size)?)?;
        let diagram = found.bins.iter().map(|bin| wisen_calibration_bin {
            weight: bin.weight,
            promised: bin.promised,
            outcome: bin.outcome,
        });
        bins.write_many(diagram, capacity);
        calibration.fill(&wisen_calibration {
            reserved: 0,
            weight: found.weight,
            promised: found.promised,
            outcome: found.outcome,
            brier: found.brier,
            error: found.error,
            bins_count: found.bins.len(),
            ..*asked
        })
    })
}
