//! What memory is worth, and the figures of a stretch of time: plain values that the engine hands back.

use pyo3::prelude::*;

use crate::figures::counters;
use crate::record::moment;

/// Outcomes on one side of a comparison.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Rate(wisen::Rate);

#[pymethods]
impl Rate {
    /// How many outcomes this rests on, one for each attempt; with a fraction where they count
    /// differently.
    #[getter]
    fn outcomes(&self) -> f64 {
        self.0.outcomes
    }

    /// How many of them are successes: a graded outcome counts as much as it says.
    #[getter]
    fn successes(&self) -> f64 {
        self.0.successes
    }

    /// Mean outcome, 0 to 1; one half where there is none.
    #[getter]
    fn mean(&self) -> f64 {
        self.0.mean
    }

    fn __repr__(&self) -> String {
        let Self(rate) = self;
        format!("Rate(outcomes={:.1}, successes={:.1}, mean={:.3})", rate.outcomes, rate.successes, rate.mean)
    }
}

/// What showing a memory, or those of a namespace, has changed.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Uplift(pub(crate) wisen::Uplift);

#[pymethods]
impl Uplift {
    /// How it went with it.
    #[getter]
    fn with_(&self) -> Rate {
        Rate(self.0.with)
    }

    /// How it went without it, on recalls where chance alone kept it back.
    #[getter]
    fn without(&self) -> Rate {
        Rate(self.0.without)
    }

    /// `with_.mean - without.mean`, -1 to 1.
    #[getter]
    fn difference(&self) -> f64 {
        self.0.difference
    }

    /// 95 % confidence interval of the difference: (low, high), each -1 to 1.
    #[getter]
    fn interval(&self) -> (f64, f64) {
        self.0.interval
    }

    /// What follows: "helps" or "harms" (the whole interval lies above or below 0), "unclear" (it holds
    /// 0), or "insufficient_data" (fewer than 20 outcomes on either side).
    #[getter]
    fn verdict(&self) -> &'static str {
        self.0.verdict.as_str()
    }

    fn __repr__(&self) -> String {
        let (Self(uplift), (low, high)) = (self, self.0.interval);
        format!(
            "Uplift(verdict='{}', difference={:.3}, interval=({low:.3}, {high:.3}))",
            uplift.verdict.as_str(),
            uplift.difference
        )
    }
}

/// What an owner wants to know of a stretch of time; `Store.figures` has the definitions.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Figures(pub(crate) wisen::Figures);

counters!(Figures {
    /// Attempts whose outcome is known: `successes + failures`.
    attempts,
    /// Of them, those that worked (outcome at least 0.5).
    successes,
    /// Of them, those that did not.
    failures,
    /// Attempts that were reported on without a known outcome, or with retracted ones only. They count
    /// in the costs and nowhere else.
    unknown,
    /// Successes that nothing has contradicted within `durable_days`.
    durable_successes,
    /// Of the durable ones, those that are younger than that and can still be contradicted.
    maturing,
    /// Tokens told, over all attempts, unknown ones included.
    tokens,
    /// Attempts, unknown ones included, that told their tokens: where some did not, the costs are too
    /// low.
    told_tokens,
    /// Attempts, unknown ones included, that told their money.
    told_cost,
    /// Attempts that began with a recall on which memory was not withheld.
    recalls,
    /// Of these, those that worked and used a memory.
    hits,
});

#[pymethods]
impl Figures {
    /// Beginning of the stretch (UTC).
    #[getter]
    fn from_<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.from)
    }

    /// Its end (UTC), which does not belong to it.
    #[getter]
    fn to<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.to)
    }

    /// `successes / attempts`; None without attempts.
    #[getter]
    fn success_rate(&self) -> Option<f64> {
        self.0.success_rate
    }

    /// Money told, in millionths of your currency, over all attempts, unknown ones included.
    #[getter]
    fn cost_micros(&self) -> i64 {
        self.0.cost_micros
    }

    /// `tokens / durable_successes`; None if nobody told tokens or no success is durable.
    #[getter]
    fn tokens_per_durable_success(&self) -> Option<f64> {
        self.0.tokens_per_durable_success
    }

    /// `cost_micros / durable_successes`; None if nobody told money or no success is durable.
    #[getter]
    fn micros_per_durable_success(&self) -> Option<f64> {
        self.0.micros_per_durable_success
    }

    /// `hits / recalls`: how often memory was asked and had what it took. None without recalls.
    #[getter]
    fn hit_rate(&self) -> Option<f64> {
        self.0.hit_rate
    }

    /// Attempts that used memory. Beside `without_memory`, a comparison that confounders may spoil:
    /// `Store.uplift` has one that they cannot.
    #[getter]
    fn with_memory(&self) -> Rate {
        Rate(self.0.with_memory)
    }

    /// Attempts that used none, withheld ones included.
    #[getter]
    fn without_memory(&self) -> Rate {
        Rate(self.0.without_memory)
    }

    /// The same for each of the equal slices asked for, first to last; empty if one was.
    #[getter]
    fn over_time(&self) -> Vec<Figures> {
        self.0.over_time.iter().cloned().map(Figures).collect()
    }

    fn __repr__(&self) -> String {
        let Self(figures) = self;
        format!(
            "Figures(attempts={}, successes={}, durable_successes={}, hits={}, over_time={})",
            figures.attempts,
            figures.successes,
            figures.durable_successes,
            figures.hits,
            figures.over_time.len()
        )
    }
}
