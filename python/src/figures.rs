//! Replies and figures: plain values that the engine hands back.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::calibration::Calibration;
use crate::record::{moment, python_bool, quoted};

/// The reply to a report.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct ReportReply(pub(crate) wisen::ReportReply);

#[pymethods]
impl ReportReply {
    /// Names the report.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id.0
    }

    /// What became of it: "credited" (it counts from now on), "not_credited" (kept, moves nothing:
    /// the outcome is unknown, the hits were withheld, or several were shown and none was named as
    /// used), "pending" (it counts as soon as its receipt arrives) or "duplicate" (it was here before, under its key).
    #[getter]
    fn status(&self) -> &'static str {
        self.0.status.as_str()
    }

    /// The memories it counts for: id to share of the one unit of credit. A new dict each time.
    #[getter]
    fn credited<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let shares = PyDict::new(py);
        self.0.credited.iter().try_for_each(|(memory, share)| shares.set_item(memory.0, share))?;
        Ok(shares)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let credited: String = self.credited(py)?.repr()?.extract()?;
        Ok(format!("ReportReply(id={}, status='{}', credited={credited})", self.0.id, self.status()))
    }
}

/// A namespace and what it holds.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Namespace(pub(crate) wisen::Namespace);

#[pymethods]
impl Namespace {
    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Memories in it that were neither forgotten nor superseded.
    #[getter]
    fn memories(&self) -> u64 {
        self.0.memories
    }

    /// When its first memory came (UTC).
    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.0.created_at)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Namespace(name={}, memories={})", quoted(py, &self.0.name)?, self.0.memories))
    }
}

/// Figures of a store. Those "since opening" are of this handle only.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Stats(pub(crate) wisen::Stats);

/// Getters for the counters of a struct of the engine, each with its description.
macro_rules! counters {
    ($class:ident { $($(#[doc = $doc:literal])+ $name:ident,)+ }) => {
        #[pymethods]
        impl $class {
            $($(#[doc = $doc])+ #[getter] fn $name(&self) -> u64 { self.0.$name })+
        }
    };
}

pub(crate) use counters;

counters!(Stats {
    /// Memories neither forgotten nor superseded.
    memories,
    /// Reports received.
    reports,
    /// Points of experience: distinct pairs of memory and situation with evidence.
    experiences,
    /// Namespaces.
    namespaces,
    /// Segments in use.
    segments,
    /// Segment files that were set aside as damaged, since opening.
    segments_set_aside,
    /// Bytes of the segments in use.
    segment_bytes,
    /// Vectors (memories and experiences) not yet in a segment.
    unsealed,
    /// Recalls since opening.
    recalls,
    /// Graph searches since opening.
    graph_searches,
    /// Exact scans since opening.
    scans,
    /// Bytes touched by recalls since opening.
    bytes_touched,
    /// Full vectors compared by recalls since opening, beyond their codes.
    reranked,
    /// Segments built by this handle.
    seals,
});

#[pymethods]
impl Stats {
    /// Numbers in a vector.
    #[getter]
    fn dimension(&self) -> usize {
        self.0.dimension
    }

    /// "cosine", "dot" or "l2".
    #[getter]
    fn metric(&self) -> &'static str {
        self.0.metric.as_str()
    }

    /// How the vectors of memories are stored: "f32" or "f16".
    #[getter]
    fn storage(&self) -> &'static str {
        self.0.storage.as_str()
    }

    /// How the probabilities promised by recalls of all namespaces have come true.
    #[getter]
    fn calibration(&self) -> Calibration {
        Calibration(self.0.calibration.clone())
    }

    /// Name of the embedding model, if one was recorded.
    #[getter]
    fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    fn __repr__(&self) -> String {
        let Self(stats) = self;
        format!(
            "Stats(dimension={}, metric='{}', memories={}, reports={}, experiences={}, namespaces={}, \
             segments={}, unsealed={})",
            stats.dimension,
            stats.metric.as_str(),
            stats.memories,
            stats.reports,
            stats.experiences,
            stats.namespaces,
            stats.segments,
            stats.unsealed
        )
    }
}

/// What `Store.compact` did.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Compaction(pub(crate) wisen::Compaction);

counters!(Compaction {
    /// Bytes of all files of the store before; 0 for a store in memory.
    bytes_before,
    /// Bytes after it.
    bytes_after,
});

#[pymethods]
impl Compaction {
    fn __repr__(&self) -> String {
        format!("Compaction(bytes_before={}, bytes_after={})", self.0.bytes_before, self.0.bytes_after)
    }
}

/// What `Store.reembed` did.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Reembedded(pub(crate) wisen::Reembedded);

counters!(Reembedded {
    /// Memories that have a new vector.
    memories,
    /// Reports that teach something, and whose situation was placed in the new space.
    placed,
    /// Reports that teach something, and whose situation could not be placed: no text of the query was kept.
    unplaced,
});

#[pymethods]
impl Reembedded {
    /// Memories that are not in the new store: without content, or none that could be embedded. By id.
    #[getter]
    fn left_out(&self) -> Vec<u64> {
        self.0.left_out.iter().map(|id| id.0).collect()
    }

    fn __repr__(&self) -> String {
        let wisen::Reembedded { memories, placed, unplaced, .. } = &self.0;
        format!(
            "Reembedded(memories={memories}, left_out={:?}, placed={placed}, unplaced={unplaced})",
            self.left_out()
        )
    }
}

/// What `Store.verify` and `Store.verify_quick` found.
#[pyclass(frozen, module = "wisen")]
pub(crate) struct Verification(pub(crate) wisen::Verification);

counters!(Verification {
    /// Memories whose row and payload were checked.
    memories,
    /// Reports whose rows were checked.
    reports,
    /// Cells of evidence that were recomputed from the raw reports.
    cells,
    /// Segments that were checked in full.
    segments,
    /// Vectors in them.
    sealed,
    /// Vectors that a graph search can never reach.
    unreachable,
});

#[pymethods]
impl Verification {
    /// Whether everything was read, or only what a quick look tells.
    #[getter]
    fn full(&self) -> bool {
        self.0.full
    }

    /// Whether nothing is wrong.
    #[getter]
    fn ok(&self) -> bool {
        self.0.is_ok()
    }

    /// Everything that is wrong, one sentence each; empty when all is well.
    #[getter]
    fn faults(&self) -> Vec<String> {
        self.0.faults.clone()
    }

    fn __repr__(&self) -> String {
        let Self(found) = self;
        format!(
            "Verification(ok={}, memories={}, reports={}, segments={}, unreachable={}, faults={})",
            python_bool(found.is_ok()),
            found.memories,
            found.reports,
            found.segments,
            found.unreachable,
            found.faults.len()
        )
    }
}
