//! `Store`: what memory is worth.

use pyo3::prelude::*;
use pyo3::types::PyString;
use wisen::{MemoryId, Scope, Window};

use crate::calibration::Calibration;
use crate::convert::{Arg, Given, count, moment, number, optional_text, text, whole};
use crate::recall::Hit;
use crate::store::Store;
use crate::worth::{Figures, Uplift};

#[pymethods]
impl Store {
    /// Return what showing a memory, or those of a namespace, has changed.
    ///
    /// The outcomes of recalls on which it was shown are compared with those on which chance kept it
    /// back (`recall(hold_out=...)`); recalls without a hold-out do not count, nor do outcomes told by
    /// others than the owner. It takes that recalls are reported on alike whether they had hits or not.
    ///
    /// Args:
    ///     scope: The id of a memory or a hit, or the name of a namespace; one that does not exist has
    ///         no outcomes.
    ///
    /// Raises:
    ///     UnknownMemoryError: There never was a memory with this id.
    ///     InvalidArgumentError, NotUtf8Error: The name can be none.
    fn uplift(&self, py: Python<'_>, scope: &Bound<'_, PyAny>) -> PyResult<Uplift> {
        let arg = Arg::new("scope");
        let scope = if scope.is_instance_of::<PyString>() {
            Scope::Namespace(text(scope, arg)?)
        } else if let Ok(hit) = scope.cast::<Hit>() {
            Scope::Memory(hit.get().memory())
        } else if scope.hasattr("__index__")? {
            Scope::Memory(MemoryId(whole(scope, arg)?))
        } else {
            return Err(arg.type_error("an id, a Hit or str", scope));
        };
        self.with(py, |store| store.uplift(scope)).map(Uplift)
    }

    /// Return the figures an owner asks for: how many attempts succeeded, for how long, at what cost,
    /// and with what share of memory.
    ///
    /// An attempt is a recall that was reported on, or a report on a memory without a recall. It is
    /// judged by its first report with a known outcome that was not retracted; if the owner reported
    /// one, only the owner's reports are looked at. The time of that report decides whether it lies in
    /// the window. A success is contradicted by a later such report below 0.5, or when a memory used in
    /// it is quarantined or forgotten; it is durable if nothing contradicts it within `durable_days`, or
    /// has so far. Tokens and money are those of all reports on the attempts.
    ///
    /// Args:
    ///     namespace: Only attempts in it; None: in all. One that does not exist has none.
    ///     from_: Beginning of the window, an aware datetime.
    ///     to: Its end, which does not belong to it, likewise.
    ///     durable_days: Days within which a success must not be contradicted to be durable, 0 to 36500.
    ///     slices: Into how many equal slices the window is cut for `Figures.over_time`, 1 to 10000.
    ///
    /// Raises:
    ///     InvalidArgumentError: The window ends before it begins, a datetime is not aware, or an
    ///         argument is outside its range.
    ///     NotUtf8Error: The name holds a lone surrogate.
    #[pyo3(
        signature = (namespace=None, *, from_, to, durable_days=None, slices=None),
        text_signature = "($self, namespace=None, *, from_, to, durable_days=7.0, slices=1)"
    )]
    fn figures<'py>(
        &self,
        py: Python<'py>,
        namespace: Given<'_, 'py>,
        from_: &Bound<'py, PyAny>,
        to: &Bound<'py, PyAny>,
        durable_days: Given<'_, 'py>,
        slices: Given<'_, 'py>,
    ) -> PyResult<Figures> {
        let namespace = optional_text(namespace, "namespace")?;
        let mut window = Window::new(moment(from_, Arg::new("from_"))?, moment(to, Arg::new("to"))?);
        if let Some(days) = durable_days {
            window = window.durable_days(number(days, Arg::new("durable_days"))?);
        }
        if let Some(slices) = slices {
            window = window.slices(count(slices, Arg::new("slices"))?);
        }
        self.with(py, |store| store.figures(namespace.as_deref(), window)).map(Figures)
    }
    /// Return how the probabilities promised by recalls of a namespace, or of all, have come true.
    ///
    /// Over the hits that were reported on, by whoever proved to be who they are. A retracted report
    /// counts no more. A namespace that does not exist has no reports.
    #[pyo3(signature = (namespace=None))]
    fn calibration(&self, py: Python<'_>, namespace: Given<'_, '_>) -> PyResult<Calibration> {
        let namespace = optional_text(namespace, "namespace")?;
        self.with(py, |store| store.calibration(namespace.as_deref())).map(Calibration)
    }
}
