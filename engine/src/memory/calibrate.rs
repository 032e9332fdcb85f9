//! Fitting the calibrator of a namespace to the hits that were reported on.
//!
//! Fitted after a report whenever the reports have grown by an eighth since the last fit, so that the
//! cost per report stays bounded, and at `seal`, after which the order of the reports no longer
//! matters.

use crate::error::Result;
use crate::outcome::{Calibrator, MIN_EXAMPLES};
use crate::store::calibrators::{self, Fitted};

use super::core::Core;
use super::partition::Partition;

/// Fits where it is due after a report on a recall of this namespace.
pub(crate) fn after_report(core: &Core, namespace: i64) -> Result<()> {
    let Some(partition) = core.view.loaded(namespace) else {
        return Ok(());
    };
    let (reports, fitted) = partition.calibration();
    let due =
        fitted.map_or(MIN_EXAMPLES.cast_signed(), |fitted| fitted.reports + (fitted.reports / 8).max(1));
    if reports >= due { fit(core, &partition, reports, fitted) } else { Ok(()) }
}

/// Fits every namespace in use that has changed since its last fit.
pub(crate) fn all(core: &Core) -> Result<()> {
    core.view.catch_up(&core.db)?;
    for (_, partition) in core.view.all_loaded() {
        let (reports, fitted) = partition.calibration();
        if reports >= MIN_EXAMPLES.cast_signed() && fitted.is_none_or(|fitted| fitted.reports != reports) {
            fit(core, &partition, reports, fitted)?;
        }
    }
    Ok(())
}

fn fit(core: &Core, partition: &Partition, reports: i64, before: Option<Fitted>) -> Result<()> {
    let namespace = partition.id();
    let trust = core.trust();
    let examples = core.db.read(|conn| calibrators::examples(conn, &trust, namespace))?;
    let fitted = Fitted { calibrator: Calibrator::fit(&examples), reports };
    if before == Some(fitted) {
        return Ok(());
    }
    core.db.write(core.now(), |tx| calibrators::put(tx, namespace, &fitted))?;
    // A handle that only reports must learn of it too, or it would fit again at every report.
    core.view.catch_up(&core.db)
}
