//! The handle.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::{Error, Result};
use crate::id::{MemoryId, ReportId};
use crate::key::SecretKey;
use crate::outcome::{Calibration, Figures, HalfLife, Uplift};

use super::calibrate;
use super::core::{Call, Core};
use super::figures::Window;
use super::half_life::{self, HalfLifeStatus};
use super::input::{Memory, Query, Report, Update};
use super::keeper::Keeper;
use super::options::Options;
use super::output::{AuditEntry, Namespace, Recall, Record, ReportReply, Stats, Verification};
use super::policy::Policy;
use super::principals::{self, Principal};
use super::uplift::Scope;
use super::{figures, halt, inspect, open, policy, purge, recall, remember, report, seal, triggers, uplift};

/// Records read at a time by [`Store::iter`].
const PAGE: usize = 256;

/// A store: one directory on disk (or `":memory:"`), opened. `Send + Sync`: share it by reference
/// or in an `Arc`; any number of threads may use it, and any number of processes may open the same
/// directory at once.
///
/// ```
/// use wisen::{Memory, Options, Outcome, Query, Report, Store};
///
/// # fn main() -> wisen::Result<()> {
/// let store = Store::open(":memory:", Options::new(4))?;
/// let restart = store.remember(Memory::new("restart the service", [0.9, 0.1, 0.0, 0.1]))?;
/// let clear = store.remember(Memory::new("clear the cache", [0.8, 0.2, 0.1, 0.0]))?;
///
/// let query = Query::new([0.9, 0.15, 0.0, 0.1]).k(1).content(true);
/// let first = store.recall(&query)?;
/// assert_eq!(first.hits[0].id, restart);
///
/// // It did not help; clearing the cache did.
/// store.report(&Report::on(first.receipt.expect("asked for"), Outcome::Failure))?;
/// store.report(&Report::on_memory(clear, Outcome::Success).situation([0.9, 0.15, 0.0, 0.1]))?;
/// let second = store.recall(&query)?;
/// assert_eq!(second.hits[0].id, clear);
/// # Ok(())
/// # }
/// ```
pub struct Store {
    pub(super) core: Arc<Core>,
    pub(super) keeper: Keeper,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.core.path)
            .field("dimension", &self.core.identity.dimension)
            .field("metric", &self.core.metric)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in the directory `path`, or creates it. `":memory:"` opens a store of its
    /// own that lives in memory.
    ///
    /// Fails with [`NotAStore`](crate::Error::NotAStore) where something else is,
    /// [`Mismatch`](crate::Error::Mismatch) if the options contradict what was fixed at creation,
    /// [`NewerSchema`](crate::Error::NewerSchema) if a newer Wisen wrote it.
    #[allow(clippy::needless_pass_by_value, reason = "options are made for the call")]
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Store> {
        let core = Arc::new(open::open(path.as_ref(), &options)?);
        let store = Store { keeper: Keeper::new(core.clone()), core };
        halt::settle(&store.core)?;
        store.core.view.catch_up(&store.core.db)?;
        // Writes of processes that were too short-lived to seal them add up.
        store.seal_if_due();
        Ok(store)
    }

    /// Stores a memory and returns its id. It can be recalled at once.
    pub fn remember(&self, memory: Memory) -> Result<MemoryId> {
        let ids = self.remember_many(vec![memory])?;
        Ok(ids[0])
    }

    /// Stores several memories in one transaction: all of them, or none and an error that names
    /// the row. Returns their ids in the same order.
    pub fn remember_many(&self, memories: Vec<Memory>) -> Result<Vec<MemoryId>> {
        self.core.enter()?;
        let ids = remember::remember(&self.core, memories)?;
        self.seal_if_due();
        Ok(ids)
    }

    /// Changes a stored memory; what the change does not name stays, and so does the evidence.
    pub fn update(&self, id: MemoryId, change: Update) -> Result<()> {
        self.core.enter()?;
        remember::update(&self.core, id, change)?;
        self.seal_if_due();
        Ok(())
    }

    /// Finds what fits: the memories near the query and those that worked in situations near it,
    /// ranked by what experience says of them. Without reports the order is that of similarity.
    pub fn recall(&self, query: &Query) -> Result<Recall> {
        self.core.enter_for(Call::Recall)?;
        let recall = recall::recall(&self.core, query)?;
        self.go_over_if_due();
        if recall.receipt.is_some() {
            self.keeper.receipts_wait();
        }
        Ok(recall)
    }

    /// Tells how it went. The next recall of any process takes it into account.
    pub fn report(&self, report: &Report) -> Result<ReportReply> {
        self.core.enter()?;
        let replies = report::report(&self.core, std::slice::from_ref(report))?;
        self.seal_if_due();
        replies.into_iter().next().ok_or_else(|| Error::internal("a report without a reply"))
    }

    /// Tells how several attempts went, in one transaction: all reports are kept, or none and an error
    /// that names the row. Returns the replies in the same order; a report may share its receipt with
    /// another one of the batch.
    pub fn report_many(&self, reports: &[Report]) -> Result<Vec<ReportReply>> {
        self.core.enter()?;
        let replies = report::report(&self.core, reports)?;
        self.seal_if_due();
        Ok(replies)
    }

    /// Takes a report back: it stays as a record and counts no more; what its receipt had to give goes to
    /// the reports left on it. Its key stays taken. Returns false if it was retracted before.
    ///
    /// Fails with [`UnknownReport`](crate::Error::UnknownReport) if there is none with this id.
    pub fn retract(&self, report: ReportId) -> Result<bool> {
        self.core.enter()?;
        report::retract(&self.core, report)
    }

    /// Registers a principal, whose reports then count for themselves and not among those of all unknown
    /// names, and returns the token by which it proves its name. The token is shown this once: only its
    /// hash is kept. Registering a name again replaces its token.
    ///
    /// A store that has an authority takes its key and nothing else
    /// ([`Unauthorised`](crate::Error::Unauthorised)). Registrations that it has not signed are not believed, none
    /// of them: reports with a token are refused with [`Corrupt`](crate::Error::Corrupt), what registered
    /// principals told counts for nothing, and [`Principal::disbelieved`] says so, until
    /// [`Store::repair_rules`] has taken them away.
    pub fn register(&self, name: &str, key: Option<&SecretKey>) -> Result<String> {
        self.core.enter()?;
        principals::register(&self.core, name, key)
    }

    /// Takes a registration away: the token is void, and what was reported with it counts no more, until
    /// the name is registered again. (To end a principal's reports and keep what they taught, register it
    /// again and throw the token away.) Returns whether it was registered. A store that has an authority takes
    /// its key and nothing else.
    pub fn revoke(&self, name: &str, key: Option<&SecretKey>) -> Result<bool> {
        self.core.enter()?;
        principals::revoke(&self.core, name, key)
    }

    /// Everybody who is registered or has reported under a name, by name, with how far their word has
    /// been found good.
    pub fn principals(&self) -> Result<Vec<Principal>> {
        self.core.enter()?;
        principals::all(&self.core)
    }

    /// Sets after how many days evidence on memories of a kind is worth half. It fades toward what is
    /// expected without evidence, never past it. Default for every kind: [`HalfLife::None`].
    pub fn set_half_life(&self, kind: &str, half_life: HalfLife) -> Result<()> {
        self.core.enter()?;
        half_life::set(&self.core, kind, half_life)
    }

    /// The half-life of a kind, and under [`HalfLife::Auto`] how it was chosen.
    pub fn half_life(&self, kind: &str) -> Result<HalfLifeStatus> {
        self.core.enter()?;
        half_life::get(&self.core, kind)
    }

    /// Everything stored about a memory; `None` if there is none with this id or it was forgotten.
    pub fn get(&self, id: MemoryId) -> Result<Option<Record>> {
        self.core.enter()?;
        inspect::get(&self.core, id)
    }

    /// Forgets a memory: its content and vector are deleted, and it is never recalled again. Reports made
    /// on it stay as a record. Returns whether there was one.
    pub fn forget(&self, id: MemoryId) -> Result<bool> {
        self.core.enter()?;
        let gone = remember::forget(&self.core, id)?;
        self.seal_if_due();
        Ok(gone)
    }

    /// Up to `limit` records with ids above `after`, in the order of ids; of one namespace or of all.
    /// Start with `MemoryId(0)`; fewer than `limit` records mean the end.
    pub fn page(&self, namespace: Option<&str>, after: MemoryId, limit: usize) -> Result<Vec<Record>> {
        self.core.enter()?;
        inspect::page(&self.core, namespace, after, limit)
    }

    /// Iterates over all records of a namespace, or of all, in the order of ids. Memories that come
    /// or go meanwhile may or may not be met.
    pub fn iter(&self, namespace: Option<&str>) -> impl Iterator<Item = Result<Record>> + '_ {
        let namespace = namespace.map(str::to_owned);
        let (mut after, mut page, mut ended) = (MemoryId(0), Vec::new().into_iter(), false);
        std::iter::from_fn(move || {
            loop {
                if let Some(record) = page.next() {
                    return Some(Ok(record));
                }
                if ended {
                    return None;
                }
                match self.page(namespace.as_deref(), after, PAGE) {
                    Ok(records) => {
                        ended = records.len() < PAGE;
                        after = records.last().map_or(after, |record| record.id);
                        page = records.into_iter();
                    }
                    Err(error) => {
                        ended = true;
                        return Some(Err(error));
                    }
                }
            }
        })
    }

    /// All namespaces, by name.
    pub fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.core.enter()?;
        inspect::namespaces(&self.core)
    }

    /// Memories in a namespace, or in all, that were neither forgotten nor superseded.
    pub fn count(&self, namespace: Option<&str>) -> Result<u64> {
        self.core.enter()?;
        inspect::count(&self.core, namespace)
    }

    /// Forgets everything in a namespace, and the namespace. Returns how many memories that were.
    pub fn drop_namespace(&self, namespace: &str) -> Result<u64> {
        self.core.enter()?;
        let gone = remember::drop_namespace(&self.core, namespace)?;
        self.seal_if_due();
        Ok(gone)
    }

    /// Figures of the store.
    pub fn stats(&self) -> Result<Stats> {
        self.core.enter_for(Call::Oversight)?;
        inspect::stats(&self.core)
    }

    /// What showing a memory, or those of a namespace, has changed: the outcomes of recalls on which it was
    /// shown beside those on which chance kept it back ([`Query::hold_out`]). Only recalls made with a
    /// hold-out count, on either side, one outcome each (the mean of what the owner reported; other
    /// reporters do not count); of these, for a namespace, those that had a hit in it and were answered in
    /// full or not at all; for a memory, those that showed all hits, it among them, and those that left
    /// just this one out.
    ///
    /// It answers what how often things go well when a memory is used cannot: a memory that is shown on
    /// easy requests only looks good whatever it does. What it takes is that recalls are reported on
    /// alike whether they had hits or not. Fewer than 20 outcomes on either side are
    /// [`InsufficientData`](crate::Verdict::InsufficientData). A memory may have been forgotten since;
    /// [`UnknownMemory`](crate::Error::UnknownMemory) if there never was one. Reads every receipt that was
    /// reported on.
    pub fn uplift(&self, scope: impl Into<Scope>) -> Result<Uplift> {
        self.core.enter()?;
        uplift::uplift(&self.core, &scope.into())
    }

    /// The figures an owner asks for, of one namespace or of all: how many attempts succeeded, for how
    /// long, at what cost, and with what share of memory.
    ///
    /// - An *attempt* is a recall that was reported on, or a report on a memory without a recall. A recall
    ///   that nobody reported on, or whose receipt has not arrived yet, is none. It belongs to the
    ///   namespaces that the recall searched (counting in each, and once in all of them together), or to
    ///   that of the memory.
    /// - It is judged by its first report with a known outcome that was not retracted: a *success* if that
    ///   is at least 0.5. If the owner reported one, only the owner's reports are looked at, otherwise all
    ///   are. The time of that report is the attempt's, and decides whether it lies in the window.
    /// - A success is *contradicted* by a later such report below 0.5, or when a memory used in it is
    ///   quarantined or forgotten (not by expiring, nor with its namespace). It is *durable* if nothing
    ///   contradicts it within the window's `durable_days`, or has so far.
    /// - *Tokens and money* are those of all reports on the attempts, whoever made them, retracted and
    ///   unknown ones included. Per durable success they are the cost of all attempts, divided by the
    ///   durable successes.
    ///
    /// [`Figures`] describes each. A namespace that does not exist has no attempts. Reads every report of
    /// the window.
    pub fn figures(&self, namespace: Option<&str>, window: Window) -> Result<Figures> {
        self.core.enter()?;
        figures::figures(&self.core, namespace, window)
    }

    /// How the probabilities promised by recalls of a namespace, or of all, have come true: over the hits
    /// that were reported on, by whoever proved to be who they are. A retracted report counts no more.
    pub fn calibration(&self, namespace: Option<&str>) -> Result<Calibration> {
        self.core.enter()?;
        inspect::calibration(&self.core, namespace)
    }

    /// Sets the policy of a namespace, which is created if it is missing. Every process goes by it from its
    /// next call on.
    #[allow(clippy::needless_pass_by_value, reason = "a policy is handed over, as memories are")]
    pub fn set_policy(&self, namespace: &str, policy: Policy) -> Result<()> {
        self.core.enter()?;
        policy::set(&self.core, namespace, &policy)
    }

    /// The policy of a namespace; the default one where none was set.
    pub fn policy(&self, namespace: &str) -> Result<Policy> {
        self.core.enter()?;
        policy::get(&self.core, namespace)
    }

    /// Up to `limit` entries of the audit table after number `after` (0: from the first), oldest first.
    pub fn audit_entries(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>> {
        self.core.enter_for(Call::Oversight)?;
        inspect::audit_entries(&self.core, after, limit)
    }

    /// Checks what can be checked without reading everything: the structure of the database, the control
    /// file, the heads, codes and links of the segments, and whether what is counted is there.
    pub fn verify_quick(&self) -> Result<Verification> {
        self.core.enter_for(Call::Oversight)?;
        inspect::verify_quick(&self.core)
    }

    /// Checks everything stored: every row and what it refers to, payloads, evidence, segments and whether
    /// they hold what the rows say. Reads all of it.
    pub fn verify(&self) -> Result<Verification> {
        self.core.enter_for(Call::Oversight)?;
        inspect::verify(&self.core)
    }

    /// Makes durable whatever was acknowledged, receipts included.
    pub fn flush(&self) -> Result<()> {
        self.core.enter_for(Call::Oversight)?;
        self.flush_all()
    }

    /// Builds segments of what is in none yet, now, however little it is. Recalls go on meanwhile.
    pub fn seal(&self) -> Result<()> {
        self.core.enter()?;
        self.core.writable()?;
        // Up to here and no further: others may go on writing.
        let target = self.core.db.acknowledged();
        while seal::reaches_below(&self.core, target)? && seal::seal(&self.core, 1)? {}
        calibrate::all(&self.core)
    }

    /// Flushes, seals what is due, stops the threads. Every later call on this handle answers
    /// [`Error::Closed`](crate::Error::Closed); closing again is no error.
    pub fn close(&self) -> Result<()> {
        if self.core.is_foreign() || !self.core.shut() {
            return Ok(());
        }
        // Every step is taken, whatever becomes of the others; the first error is told.
        let stopped = self.keeper.stop();
        let sealed = self.seal_due();
        let flushed = self.flush_all();
        self.core.receipts.close();
        self.core.rules.close();
        self.core.db.close();
        stopped.and(sealed).and(flushed)
    }

    /// The directory of the store; `":memory:"` if it has none.
    pub fn path(&self) -> &Path {
        &self.core.path
    }

    fn seal_due(&self) -> Result<()> {
        if !self.core.db.is_read_only() {
            let least = self.core.settings.seal_at as u64;
            while seal::seal(&self.core, least)? {}
        }
        Ok(())
    }

    fn flush_all(&self) -> Result<()> {
        if self.core.db.is_read_only() {
            return Ok(());
        }
        // Every step is taken: receipts are disposable, and keep nothing else from being synced. The first error is
        // told.
        let denied = triggers::write_denials(&self.core);
        let settled = report::settle_durably(&self.core);
        let synced = self.core.db.checkpoint(self.core.now());
        denied.and(settled).and(synced)
    }

    /// Has somebody else go over to another list of segments, if there is one.
    pub(super) fn go_over_if_due(&self) {
        if self.core.view.has_other(&self.core.db) {
            self.keeper.segments_came();
        }
    }

    /// Wakes the sealer if enough waits for it.
    pub(super) fn seal_if_due(&self) {
        if seal::may_be_due(&self.core) || purge::may_be_due(&self.core) {
            self.keeper.points_came();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // In a fork there is nothing to stop: the threads and locks are the parent's.
        if self.core.is_foreign() || !self.core.shut() {
            return;
        }
        // Without `close`, a build under way is given up; what it would have sealed stays in the
        // database and is sealed next time, unless it is little. Errors have nobody to go to: `close` is for those who care.
        self.core.cancel.store(true, Ordering::Release);
        let _ = self.keeper.stop();
        let _ = triggers::write_denials(&self.core);
        let _ = self.core.receipts.flush(self.core.now(), &|| self.core.db.erasures());
        if !self.core.db.is_read_only() && !std::thread::panicking() {
            self.core.cancel.store(false, Ordering::Release);
            let _ = seal::seal_quickly(&self.core);
        }
    }
}
