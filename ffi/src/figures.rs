//! Figures of a store, and the check of everything stored.

use std::ptr;

use wisen::Verification;

use crate::call::{ErrorPlace, call_on, peek};
use crate::error::wisen_error;
use crate::handle::{Object, free, give};
use crate::options::{wisen_metric, wisen_storage};
use crate::raw::{Out, from_c};
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::{Chars, wisen_text};

/// Figures of a store. Make it with wisen_stats_init(); wisen_stats() fills it. Counters since
/// opening are those of this handle.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_stats {
    /// Size of this structure, for growth: set by wisen_stats_init().
    pub struct_size: u32,
    /// A wisen_metric: that of the vectors.
    pub metric: i32,
    /// Dimension of the vectors.
    pub dimension: usize,
    /// Name of the embedding model; NULL if none was recorded. Belongs to the store.
    pub model: wisen_text,
    /// Memories neither forgotten nor superseded.
    pub memories: u64,
    /// Reports received.
    pub reports: u64,
    /// Points of experience: distinct pairs of memory and situation with evidence.
    pub experiences: u64,
    /// Namespaces.
    pub namespaces: u64,
    /// Segments in use.
    pub segments: u64,
    /// Segment files that were set aside as damaged, since opening.
    pub segments_set_aside: u64,
    /// Bytes of the segments in use.
    pub segment_bytes: u64,
    /// Vectors (memories and experiences) not yet in a segment.
    pub unsealed: u64,
    /// Recalls since opening.
    pub recalls: u64,
    /// Graph searches since opening.
    pub graph_searches: u64,
    /// Exact scans since opening.
    pub scans: u64,
    /// Bytes touched by recalls since opening.
    pub bytes_touched: u64,
    /// Segments built by this handle.
    pub seals: u64,
    /// Weight of the hits whose promised probability was reported on, in units of credit. This and the
    /// following are those of all namespaces: wisen_calibration() tells more.
    pub calibration_weight: f64,
    /// Mean promised probability, in 0 to 1; 0 without reports, like the following.
    pub calibration_promised: f64,
    /// Mean outcome, in 0 to 1.
    pub calibration_outcome: f64,
    /// Brier score of the promises, in 0 to 1; lower is better.
    pub calibration_brier: f64,
    /// Expected calibration error of the promises, in 0 to 1.
    pub calibration_error: f64,
    /// Full vectors compared by recalls since opening, beyond their codes.
    pub reranked: u64,
    /// A wisen_storage: how the vectors of memories are stored.
    pub storage: i32,
    /// 0.
    pub reserved: u32,
}

/// What wisen_verify() found. Make it with wisen_findings_init(); wisen_verification_get() fills it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_findings {
    /// Size of this structure, for growth: set by wisen_findings_init().
    pub struct_size: u32,
    /// Not 0: nothing is wrong.
    pub is_ok: u32,
    /// Memories whose row and payload were checked.
    pub memories: u64,
    /// Reports whose rows were checked.
    pub reports: u64,
    /// Cells of evidence that were recomputed from the raw reports.
    pub cells: u64,
    /// Segments that were checked in full.
    pub segments: u64,
    /// Vectors in them.
    pub sealed: u64,
    /// Vectors that a graph search can never reach.
    pub unreachable: u64,
    /// How many faults there are.
    pub fault_count: u64,
    /// Everything that is wrong, a sentence a line; empty when all is well. Belongs to the
    /// verification.
    pub faults: wisen_text,
}

/// The outcome of a check. Handle, to be freed with wisen_verification_free(); one thread at a
/// time. It needs the store no longer.
pub struct wisen_verification {
    found: Verification,
    faults: Chars,
}

impl Object for wisen_verification {
    const NAME: &'static str = "wisen_verification";
    const MAGIC: u32 = u32::from_be_bytes(*b"Wver");
}

/// Fills `*stats` with the figures of the store; `stats->struct_size` must be set, as
/// wisen_stats_init() does. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_stats(
    store: *mut wisen_store,
    stats: *mut wisen_stats,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, stats, error);
    call_on(store, error, |store| {
        let found = store.store.stats()?;
        let model = store.model.get_or_init(|| found.model.map(Chars::new));
        stats.fill(&wisen_stats {
            struct_size: size_of::<wisen_stats>() as u32,
            metric: wisen_metric::from(found.metric) as i32,
            dimension: found.dimension,
            model: Chars::lend_option(model.as_ref()),
            memories: found.memories,
            reports: found.reports,
            experiences: found.experiences,
            namespaces: found.namespaces,
            segments: found.segments,
            segments_set_aside: found.segments_set_aside,
            segment_bytes: found.segment_bytes,
            unsealed: found.unsealed,
            recalls: found.recalls,
            graph_searches: found.graph_searches,
            scans: found.scans,
            bytes_touched: found.bytes_touched,
            seals: found.seals,
            calibration_weight: found.calibration.weight,
            calibration_promised: found.calibration.promised,
            calibration_outcome: found.calibration.outcome,
            calibration_brier: found.calibration.brier,
            calibration_error: found.calibration.error,
            reranked: found.reranked,
            storage: wisen_storage::from(found.storage) as i32,
            reserved: 0,
        })
    })
}

/// Checks everything stored: every row and what it refers to, payloads, evidence, segments and whether they
/// hold what the rows say. Reads all of it. Faults are no failure of this
/// call: ask wisen_verification_get(). On success `*verification` is a handle to be freed with
/// wisen_verification_free(), on failure NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_verify(
    store: *mut wisen_store,
    verification: *mut *mut wisen_verification,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, verification, error);
    check(store, verification, error, wisen::Store::verify)
}

/// Checks what can be checked without reading everything: the structure of the database, the control file,
/// the heads, codes and links of the segments, and whether what is counted is there. Otherwise like
/// wisen_verify(). Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_verify_quick(
    store: *mut wisen_store,
    verification: *mut *mut wisen_verification,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, verification, error);
    check(store, verification, error, wisen::Store::verify_quick)
}

fn check(
    store: Out<wisen_store>,
    verification: Out<*mut wisen_verification>,
    error: ErrorPlace,
    verify: fn(&wisen::Store) -> wisen::Result<Verification>,
) -> wisen_status {
    verification.write_if_wanted(ptr::null_mut());
    call_on(store, error, |store| {
        verification.check("verification")?;
        let found = verify(&store.store)?;
        let faults = Chars::new(found.faults.join("\n"));
        verification.write("verification", give(wisen_verification { found, faults }))
    })
}

/// Whether nothing is wrong; false for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_verification_is_ok(verification: *const wisen_verification) -> bool {
    from_c!(verification);
    peek(verification, false, |verification| verification.found.is_ok())
}

/// Fills `*findings`; `findings->struct_size` must be set, as wisen_findings_init() does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_verification_get(
    verification: *const wisen_verification,
    findings: *mut wisen_findings,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(verification, findings, error);
    call_on(verification, error, |verification| {
        let found = &verification.found;
        findings.fill(&wisen_findings {
            struct_size: size_of::<wisen_findings>() as u32,
            is_ok: found.is_ok().into(),
            memories: found.memories,
            reports: found.reports,
            cells: found.cells,
            segments: found.segments,
            sealed: found.sealed,
            unreachable: found.unreachable,
            fault_count: found.faults.len() as u64,
            faults: verification.faults.lend(),
        })
    })
}

/// Frees the verification, and with it the text of its faults, and sets the variable to NULL. A
/// NULL variable, or NULL in it, is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_verification_free(verification: *mut *mut wisen_verification) {
    from_c!(verification);
    free(verification);
}
