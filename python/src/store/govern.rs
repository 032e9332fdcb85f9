//! `Store`: what the owner sees and decides of how memories stand.

use pyo3::prelude::*;
use wisen::MemoryId;

use crate::convert::{Arg, Given, count, number, optional_text, text, whole};
use crate::govern::{AuditEntry, Merge, Standing};
use crate::policy::Policy;
use crate::store::Store;

#[pymethods]
impl Store {
    /// Set the policy of a namespace, which is created if it is missing. Every process goes by it from
    /// its next call on.
    ///
    /// Args:
    ///     namespace: Its name (1 to 255 bytes).
    ///     policy: The policy, such as `store.policy(namespace).replace(hold_out=0.1)`.
    ///
    /// Raises:
    ///     InvalidArgumentError: A field of the policy is out of range, or the name can be none.
    ///     BusyError, DiskFullError, ReadOnlyError, ClosedError: It cannot be written now.
    fn set_policy(
        &self,
        py: Python<'_>,
        namespace: &Bound<'_, PyAny>,
        policy: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let namespace = text(namespace, Arg::new("namespace"))?;
        let given = policy.cast::<Policy>().map_err(|_| Arg::new("policy").type_error("Policy", policy))?;
        let policy = given.get().0.clone();
        self.with(py, |store| store.set_policy(&namespace, policy))
    }

    /// Return the policy of a namespace; the default one where none was set.
    fn policy(&self, py: Python<'_>, namespace: &Bound<'_, PyAny>) -> PyResult<Policy> {
        let namespace = text(namespace, Arg::new("namespace"))?;
        self.with(py, |store| store.policy(&namespace)).map(Policy)
    }

    /// Return how a memory stands.
    ///
    /// Raises:
    ///     UnknownMemoryError: There is none with this id, or it was forgotten.
    fn standing(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<Standing> {
        let id = MemoryId(whole(id, Arg::new("id"))?);
        self.with(py, |store| store.standing(id)).map(Standing)
    }

    /// Return the memories of a namespace, or of all, that are quarantined, on probation, retired or
    /// pinned; by id.
    #[pyo3(signature = (namespace=None))]
    fn review(&self, py: Python<'_>, namespace: Given<'_, '_>) -> PyResult<Vec<Standing>> {
        let namespace = optional_text(namespace, "namespace")?;
        let found = self.with(py, |store| store.review(namespace.as_deref()))?;
        Ok(found.into_iter().map(Standing).collect())
    }

    /// Exempt a memory from quarantine; one that is in it, or retired, is a hit again.
    ///
    /// Raises:
    ///     UnknownMemoryError: There is none with this id, or it was forgotten.
    fn pin(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = MemoryId(whole(id, Arg::new("id"))?);
        self.with(py, |store| store.pin(id))
    }

    /// End the exemption: from the next report on the memory the rule applies again.
    ///
    /// Raises:
    ///     UnknownMemoryError: There is none with this id, or it was forgotten.
    fn unpin(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = MemoryId(whole(id, Arg::new("id"))?);
        self.with(py, |store| store.unpin(id))
    }

    /// Put a quarantined or retired memory on probation: its next outcomes decide whether it is a hit
    /// again. The reason is kept with it.
    ///
    /// Raises:
    ///     UnknownMemoryError: There is none with this id, or it was forgotten.
    ///     InvalidArgumentError: It is active.
    fn release(&self, py: Python<'_>, id: &Bound<'_, PyAny>, reason: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = MemoryId(whole(id, Arg::new("id"))?);
        let reason = text(reason, Arg::new("reason"))?;
        self.with(py, |store| store.release(id, &reason))
    }

    /// Take a memory out of use without forgetting it; it can be released again. The reason is kept with
    /// it.
    ///
    /// Raises:
    ///     UnknownMemoryError: There is none with this id, or it was forgotten.
    ///     InvalidArgumentError: It is pinned.
    fn retire(&self, py: Python<'_>, id: &Bound<'_, PyAny>, reason: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = MemoryId(whole(id, Arg::new("id"))?);
        let reason = text(reason, Arg::new("reason"))?;
        self.with(py, |store| store.retire(id, &reason))
    }

    /// Return up to `limit` entries of the audit table after number `after`, oldest first.
    ///
    /// Fewer than `limit` entries mean the end.
    #[pyo3(
        signature = (*, after=None, limit=None),
        text_signature = "($self, *, after=0, limit=100)"
    )]
    fn audit_entries<'py>(
        &self,
        py: Python<'py>,
        after: Given<'_, 'py>,
        limit: Given<'_, 'py>,
    ) -> PyResult<Vec<AuditEntry>> {
        let after = after.map_or(Ok(0), |after| whole(after, Arg::new("after")))?;
        let limit = limit.map_or(Ok(100), |limit| count(limit, Arg::new("limit")))?;
        let found = self.with(py, |store| store.audit_entries(after, limit))?;
        Ok(found.into_iter().map(AuditEntry).collect())
    }

    /// Merge near-duplicates of a namespace, and return what was merged. `separate` undoes it.
    ///
    /// The oldest of those alike survives and has the evidence of all; what is reported on the others
    /// counts for it. Memories that expire, and pinned ones, are merged into no other.
    ///
    /// Args:
    ///     namespace: Its name; one that does not exist holds nothing.
    ///     threshold: Similarity from which on two memories of one kind are merged (cosine, dot product,
    ///         or minus the squared distance).
    ///
    /// Raises:
    ///     InvalidArgumentError: The threshold is not finite, or the name can be none.
    ///     BusyError, DiskFullError, ReadOnlyError, ClosedError: It cannot be written now.
    fn distil(
        &self,
        py: Python<'_>,
        namespace: &Bound<'_, PyAny>,
        threshold: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<Merge>> {
        let namespace = text(namespace, Arg::new("namespace"))?;
        let threshold = number(threshold, Arg::new("threshold"))? as f32;
        let found = self.with(py, |store| store.distil(&namespace, threshold))?;
        Ok(found.into_iter().map(Merge).collect())
    }

    /// Undo the merger of a memory: it is a hit again and has its own evidence, as if it had never been
    /// merged.
    ///
    /// Raises:
    ///     UnknownMemoryError: There is none with this id, or it was forgotten.
    ///     InvalidArgumentError: It is merged into no other.
    fn separate(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = MemoryId(whole(id, Arg::new("id"))?);
        self.with(py, |store| store.separate(id))
    }
}
