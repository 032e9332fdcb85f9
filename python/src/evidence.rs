//! Whose word counts how much, and for how long: plain values that the engine hands back.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use wisen::HalfLife;

use crate::record::{moment, quoted};

/// Somebody other than the owner who reports.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Principal(pub(crate) wisen::Principal);

#[pymethods]
impl Principal {
    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was last registered (UTC); None if it is not, and then shares the standing of all names
    /// that are not.
    #[getter]
    fn registered_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.registered_at.map(|at| moment(py, at)).transpose()
    }

    /// Whether the table has a registration for it that is not believed: the registrations of the store are
    /// not those that its authority signed. It then counts as one that is not registered.
    #[getter]
    fn disbelieved(&self) -> bool {
        self.0.disbelieved
    }

    /// Reports made in its name, registered or not.
    #[getter]
    fn reports(&self) -> u64 {
        self.0.reports
    }

    /// Mean of the posterior of its agreement with the owner, 0 to 1. At 0.5 or below, its word counts
    /// for nothing; at 1, as much as the owner's.
    #[getter]
    fn reliability(&self) -> f64 {
        self.0.reliability
    }

    /// Central 90 % credible interval of `reliability`: (low, high), each 0 to 1.
    #[getter]
    fn interval(&self) -> (f64, f64) {
        self.0.interval
    }

    /// Receipts that both it and the owner judged, of which this is learnt.
    #[getter]
    fn judged_together(&self) -> u64 {
        self.0.judged_together
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let Self(principal) = self;
        Ok(format!(
            "Principal(name={}, reports={}, reliability={:.3}, judged_together={})",
            quoted(py, &principal.name)?,
            principal.reports,
            principal.reliability,
            principal.judged_together
        ))
    }
}

/// The half-life of a kind, and how it came about.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct HalfLifeStatus(pub(crate) wisen::HalfLifeStatus);

#[pymethods]
impl HalfLifeStatus {
    /// What was set: a number of days, None (nothing fades) or "auto".
    #[getter]
    fn setting<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.0.setting {
            HalfLife::None => py.None().into_bound_py_any(py),
            HalfLife::Days(days) => days.into_bound_py_any(py),
            HalfLife::Auto => "auto".into_bound_py_any(py),
        }
    }

    /// The half-life in force, in days; None: nothing fades.
    #[getter]
    fn days(&self) -> Option<f64> {
        self.0.days
    }

    /// Under "auto", the last fit; None before the first, at 50 reports.
    #[getter]
    fn fit(&self) -> Option<HalfLifeFit> {
        self.0.fit.clone().map(HalfLifeFit)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let setting: String = self.setting(py)?.repr()?.extract()?;
        let days: String = self.0.days.into_bound_py_any(py)?.repr()?.extract()?;
        Ok(format!("HalfLifeStatus(setting={setting}, days={days})"))
    }
}

/// How a half-life was chosen.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct HalfLifeFit(wisen::HalfLifeFit);

#[pymethods]
impl HalfLifeFit {
    /// When (UTC).
    #[getter]
    fn at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.at)
    }

    /// How many experiences of the kind there were; it was fitted to the newest 4096.
    #[getter]
    fn experiences(&self) -> u64 {
        self.0.experiences
    }

    /// Each half-life that was tried, in days (None: nothing fades), with the mean log loss of its
    /// predictions, in nats.
    #[getter]
    fn losses(&self) -> Vec<(Option<f64>, f64)> {
        self.0.losses.clone()
    }

    fn __repr__(&self) -> String {
        format!("HalfLifeFit(experiences={}, losses={})", self.0.experiences, self.0.losses.len())
    }
}
