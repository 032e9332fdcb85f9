//! `Store`: whose word counts how much, and for how long.

use pyo3::prelude::*;
use pyo3::types::PyString;
use wisen::HalfLife;

use crate::convert::{Arg, Given, days, text};
use crate::evidence::{HalfLifeStatus, Principal};
use crate::store::Store;
use crate::store::guard::secret;

#[pymethods]
impl Store {
    /// Register a principal, whose reports then count for themselves and not among those of all unknown
    /// names, and return the token by which it proves its name (64 characters).
    ///
    /// The token is shown this once: the store keeps only its hash. Registering a name again replaces
    /// its token.
    ///
    /// Args:
    ///     name: Its name (1 to 255 bytes).
    ///     key: Secret key of an authority, as text; needed if the store has one. Registrations that it has
    ///         not signed are not believed, none of them, until `repair_rules` has taken them away.
    ///
    /// Raises:
    ///     InvalidArgumentError, NotUtf8Error: The name can be none.
    ///     UnauthorisedError: The store has an authority, and the key is none that is valid now.
    ///     CorruptError: Registrations were changed by other means.
    ///     BusyError, DiskFullError, ReadOnlyError, ClosedError: It cannot be written now.
    #[pyo3(signature = (name, *, key=None))]
    fn register(&self, py: Python<'_>, name: &Bound<'_, PyAny>, key: Given<'_, '_>) -> PyResult<String> {
        let (name, key) = (text(name, Arg::new("name"))?, secret(py, key)?);
        self.with(py, |store| store.register(&name, key.as_ref()))
    }

    /// Take a registration away: the token is void, and what was reported with it counts no more, until
    /// the name is registered again. Returns whether it was registered.
    ///
    /// To end a principal's reports and keep what they taught, register it again and throw the token
    /// away. A store that has an authority asks for its key.
    #[pyo3(signature = (name, *, key=None))]
    fn revoke(&self, py: Python<'_>, name: &Bound<'_, PyAny>, key: Given<'_, '_>) -> PyResult<bool> {
        let (name, key) = (text(name, Arg::new("name"))?, secret(py, key)?);
        self.with(py, |store| store.revoke(&name, key.as_ref()))
    }

    /// Return everybody who is registered or has reported under a name, by name, with how far their word
    /// has been found good.
    fn principals(&self, py: Python<'_>) -> PyResult<Vec<Principal>> {
        let found = self.with(py, wisen::Store::principals)?;
        Ok(found.into_iter().map(Principal).collect())
    }

    /// Set after how many days evidence on memories of a kind is worth half.
    ///
    /// It fades toward what is expected without evidence, never past it.
    ///
    /// Args:
    ///     kind: The kind (1 to 255 bytes).
    ///     half_life: A number of days (or a timedelta), at least 1; None, as for every kind until this
    ///         is called: never; "auto": chosen by which half-life would have predicted the reports so
    ///         far best, and chosen anew as they become more.
    ///
    /// Raises:
    ///     InvalidArgumentError: An argument is outside its range.
    ///     BusyError, DiskFullError, ReadOnlyError, ClosedError: It cannot be written now.
    fn set_half_life(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        half_life: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let kind = text(kind, Arg::new("kind"))?;
        let arg = Arg::new("half_life");
        let half_life = if half_life.is_none() {
            HalfLife::None
        } else if half_life.is_instance_of::<PyString>() {
            match text(half_life, arg)?.as_str() {
                "auto" => HalfLife::Auto,
                other => return Err(arg.invalid(py, format!("{other:?} is no number of days, and not auto"))),
            }
        } else {
            HalfLife::Days(days(half_life, arg)?)
        };
        self.with(py, |store| store.set_half_life(&kind, half_life))
    }

    /// Return the half-life of a kind, and under "auto" how it was chosen.
    fn half_life(&self, py: Python<'_>, kind: &Bound<'_, PyAny>) -> PyResult<HalfLifeStatus> {
        let kind = text(kind, Arg::new("kind"))?;
        self.with(py, |store| store.half_life(&kind)).map(HalfLifeStatus)
    }
}
