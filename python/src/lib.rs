//! The Python module `wisen`: the engine behind Python's types. Every call into the engine lets go
//! of the interpreter; every error of the engine becomes the class of the same name in
//! `wisen.errors`; a panic becomes an `InternalError`.

#![allow(
    clippy::doc_markdown,
    reason = "what stands before a pyclass, a method or a function is its docstring"
)]

mod batch;
mod calibration;
mod convert;
mod errors;
mod evidence;
mod figures;
mod govern;
mod guard;
mod metadata;
mod options;
mod outcome;
mod policy;
mod recall;
mod record;
mod reports;
mod rules;
mod store;
mod vectors;
mod worth;

use pyo3::prelude::*;

/// The compiled half of the package `wisen`.
#[pymodule(name = "_wisen")]
mod module {
    #[pymodule_export]
    use crate::calibration::{Calibration, CalibrationBin};
    #[pymodule_export]
    use crate::evidence::{HalfLifeFit, HalfLifeStatus, Principal};
    #[pymodule_export]
    use crate::figures::{Compaction, Namespace, Reembedded, ReportReply, Stats, Verification};
    #[pymodule_export]
    use crate::govern::{AuditEntry, Merge, Standing, Warning};
    #[pymodule_export]
    use crate::guard::{AuditVerification, Halt, Provenance, Ruling, Triggers, find_secrets};
    #[pymodule_export]
    use crate::options::open;
    #[pymodule_export]
    use crate::policy::Policy;
    #[pymodule_export]
    use crate::recall::{Evidence, Hit, Precedent, Recall};
    #[pymodule_export]
    use crate::record::{MemoryIterator, Record};
    #[pymodule_export]
    use crate::rules::{Authority, Decision, Directive, Match, RuleNote};
    #[pymodule_export]
    use crate::store::Store;
    #[pymodule_export]
    use crate::store::keep::{import_store, restore};
    #[pymodule_export]
    use crate::store::rules::{generate_key, public_key};
    #[pymodule_export]
    use crate::worth::{Figures, Rate, Uplift};

    use super::{Bound, PyModule, PyResult};
    use pyo3::types::PyModuleMethods;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
