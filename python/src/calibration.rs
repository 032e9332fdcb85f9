//! How promises came true: plain values that the engine hands back.

use pyo3::prelude::*;

/// How well the promised probabilities have come true.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Calibration(pub(crate) wisen::Calibration);

#[pymethods]
impl Calibration {
    /// Weight of the hits that were reported on, in units of credit.
    #[getter]
    fn weight(&self) -> f64 {
        self.0.weight
    }

    /// Mean promised probability, 0 to 1; 0 without reports, like the following.
    #[getter]
    fn promised(&self) -> f64 {
        self.0.promised
    }

    /// Mean outcome, 0 to 1.
    #[getter]
    fn outcome(&self) -> f64 {
        self.0.outcome
    }

    /// Brier score: mean squared difference of promise and outcome, 0 to 1; lower is better.
    #[getter]
    fn brier(&self) -> f64 {
        self.0.brier
    }

    /// Expected calibration error: mean over the bins, by weight, of the difference between mean promise
    /// and mean outcome, 0 to 1.
    #[getter]
    fn error(&self) -> f64 {
        self.0.error
    }

    /// The reliability diagram: bins of the promised probability that hold any, in rising order; at
    /// most 20.
    #[getter]
    fn bins(&self) -> Vec<CalibrationBin> {
        self.0.bins.iter().copied().map(CalibrationBin).collect()
    }

    fn __repr__(&self) -> String {
        let Self(found) = self;
        format!(
            "Calibration(weight={:.1}, promised={:.3}, outcome={:.3}, brier={:.3}, error={:.3})",
            found.weight, found.promised, found.outcome, found.brier, found.error
        )
    }
}

/// One bin of a reliability diagram.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct CalibrationBin(wisen::CalibrationBin);

#[pymethods]
impl CalibrationBin {
    /// Weight of the hits in it, in units of credit.
    #[getter]
    fn weight(&self) -> f64 {
        self.0.weight
    }

    /// Their mean promised probability, 0 to 1.
    #[getter]
    fn promised(&self) -> f64 {
        self.0.promised
    }

    /// Their mean outcome, 0 to 1.
    #[getter]
    fn outcome(&self) -> f64 {
        self.0.outcome
    }

    fn __repr__(&self) -> String {
        let Self(bin) = self;
        format!(
            "CalibrationBin(weight={:.1}, promised={:.3}, outcome={:.3})",
            bin.weight, bin.promised, bin.outcome
        )
    }
}
