//! What halts a store by itself, and the denials of checks on their way into the audit.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::key::SecretKey;
use crate::store::audit::{self, Actor};
use crate::store::guard::{self, GuardRow};
use crate::store::heads::Part;
use crate::store::{Filed, Tx};

use super::core::{Call, Core};
use super::halt::{self, HaltLevel};
use super::input::Report;
use super::store::Store;

/// How long a handle goes by the triggers it has read.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Denials written one by one in a batch; those beyond are counted in one entry.
const MOST_DENIALS: usize = 256;
const MINUTE: i64 = 60_000_000;

/// What halts the store by itself, set by its owner ([`Store::set_triggers`]). 0 turns a trigger off. After a
/// resumption all of them begin anew. Reports told in a name that nobody has proven count for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Triggers {
    /// How much a trigger halts. Default: [`HaltLevel::DenyAll`].
    pub level: HaltLevel,
    /// Actions denied within a minute, by all processes together.
    pub denials_per_minute: u32,
    /// What the reports of the last 60 minutes say was spent, in millionths of the owner's currency.
    pub spend_per_hour_micros: i64,
    /// How often in a row one handle may check the same action, nothing else between, before it is a loop.
    pub repeats: u32,
    /// Failures (outcomes below 0.5) reported in a row.
    pub failures_in_a_row: u32,
}

impl Default for Triggers {
    fn default() -> Self {
        Self {
            level: HaltLevel::DenyAll,
            denials_per_minute: 0,
            spend_per_hour_micros: 0,
            repeats: 0,
            failures_in_a_row: 0,
        }
    }
}

impl Triggers {
    /// No triggers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Triggers::level`].
    pub fn level(mut self, level: HaltLevel) -> Self {
        self.level = level;
        self
    }

    /// Sets [`Triggers::denials_per_minute`].
    pub fn denials_per_minute(mut self, denials: u32) -> Self {
        self.denials_per_minute = denials;
        self
    }

    /// Sets [`Triggers::spend_per_hour_micros`].
    pub fn spend_per_hour_micros(mut self, micros: i64) -> Self {
        self.spend_per_hour_micros = micros;
        self
    }

    /// Sets [`Triggers::repeats`].
    pub fn repeats(mut self, times: u32) -> Self {
        self.repeats = times;
        self
    }

    /// Sets [`Triggers::failures_in_a_row`].
    pub fn failures_in_a_row(mut self, failures: u32) -> Self {
        self.failures_in_a_row = failures;
        self
    }

    fn check(self) -> Result<()> {
        if self.spend_per_hour_micros < 0 {
            let why = format!("it is {}; it cannot be negative", self.spend_per_hour_micros);
            return Err(Error::invalid("spend_per_hour_micros", why));
        }
        Ok(())
    }

    /// As the row has them.
    pub(super) fn of(row: &GuardRow) -> Result<Self> {
        if row.triggers.is_empty() {
            return Ok(Self::default());
        }
        let wrong = |error| Error::corrupt(format!("the triggers of the store are no JSON: {error}"));
        serde_json::from_str(&row.triggers).map_err(wrong)
    }
}

/// What a handle keeps of checks.
#[derive(Default)]
pub(crate) struct Watch {
    denials: Mutex<Denials>,
    /// Held by whoever writes denials, from taking them out of the list on: who finds none waiting then knows that
    /// those noted before are written, or wait again.
    writing: Mutex<()>,
    actions: Mutex<Actions>,
    /// The guard row, and the word of the control file it was read under.
    pub guard: Mutex<Option<(u64, Arc<GuardRow>)>>,
    /// Bits of what the handle holds back because what guards the store cannot be believed.
    pub doubt: AtomicU64,
    /// The halt that the row says, as a word has it, where the handle is read-only.
    pub held: AtomicU64,
}

#[derive(Default)]
struct Denials {
    waiting: Vec<(Timestamp, Value)>,
    more: u64,
}

#[derive(Default)]
struct Actions {
    repeats: u32,
    level: Option<HaltLevel>,
    looked: Option<Instant>,
    last: u64,
    times: u32,
}

impl Store {
    /// Sets what halts the store by itself. A store that has an authority takes its key and nothing else: what it
    /// has not signed is not believed. Handles of other processes go by it within a second.
    ///
    /// Fails with [`Corrupt`](crate::Error::Corrupt) if what guards the store was changed by other means
    /// ([`Store::repair_rules`]).
    pub fn set_triggers(&self, triggers: Triggers, key: Option<&SecretKey>) -> Result<()> {
        self.core.enter()?;
        self.core.writable()?;
        triggers.check()?;
        let core = &*self.core;
        halt::decide(core, key, Part::Guard, |tx, head, actor| {
            head.map_or(Ok(()), |head| head.check_guard(tx.conn))?;
            let mut row = guard::load(tx.conn)?;
            let before = Triggers::of(&row)?;
            row.triggers = serde_json::to_string(&triggers).map_err(Error::internal)?;
            guard::save(tx, &row)?;
            guard::forget_spending(tx, None)?;
            let detail = json!({ "before": before, "after": triggers });
            audit::record(tx, actor, "triggers", 0, 0, &detail).map(|_| ())
        })?;
        core.guard_changed();
        core.watch.actions.lock().looked = None;
        Ok(())
    }

    /// What halts the store by itself. Fails with [`Corrupt`](crate::Error::Corrupt) if the store has an
    /// authority, and none has signed them.
    pub fn triggers(&self) -> Result<Triggers> {
        self.core.enter_for(Call::Oversight)?;
        self.core.db.snapshot(|conn| Triggers::of(&*self.core.guard_now(conn)?))
    }

    /// Keeps a denial for the audit, which has it within 20 ms; `detail` is a JSON object.
    pub(super) fn note_denial(&self, detail: Value) {
        let mut denials = self.core.watch.denials.lock();
        if denials.waiting.len() < MOST_DENIALS {
            denials.waiting.push((self.core.now(), detail));
        } else {
            denials.more += 1;
        }
        drop(denials);
        self.keeper.receipts_wait();
    }
}

/// Notes that an action is being checked. Returns whether that makes it a loop, which halts the store.
pub(crate) fn note_action(core: &Core, fingerprint: u64) -> Result<bool> {
    let mut actions = core.watch.actions.lock();
    if actions.looked.is_none_or(|at| at.elapsed() > LOOK_AGAIN) {
        let triggers = core.db.snapshot(|conn| Triggers::of(&*core.guard_now(conn)?))?;
        actions.looked = Some(Instant::now());
        (actions.repeats, actions.level) = (triggers.repeats, Some(triggers.level));
    }
    actions.times = if actions.last == fingerprint { actions.times.saturating_add(1) } else { 1 };
    actions.last = fingerprint;
    let (times, level) = (actions.times, actions.level.unwrap_or(HaltLevel::DenyAll));
    if actions.repeats == 0 || times < actions.repeats || crate::sabotage::on("triggers_off") {
        return Ok(false);
    }
    actions.times = 0;
    drop(actions);
    let reason = format!("the same action was checked {times} times in a row");
    halt::halt(core, Actor::Engine, &reason, level).map(|_| true)
}

/// Writes the denials that wait, and halts the store if they are too many.
pub(crate) fn write_denials(core: &Core) -> Result<()> {
    let _one = core.watch.writing.lock();
    let (waiting, more) = {
        let mut denials = core.watch.denials.lock();
        (std::mem::take(&mut denials.waiting), std::mem::take(&mut denials.more))
    };
    if waiting.is_empty() || core.db.is_read_only() {
        return Ok(());
    }
    let written = core.db.write(core.now(), |tx| {
        for (at, detail) in &waiting {
            let mut detail = detail.clone();
            detail["at"] = (*at).into();
            audit::record(tx, Actor::Engine, "deny", 0, 0, &detail)?;
        }
        if more > 0 {
            audit::record(tx, Actor::Engine, "deny", 0, 0, &json!({ "more": more }))?;
        }
        let row = match core.guard(tx.conn) {
            // Every check denies then: there is nothing left to halt, and the denials are to be kept.
            Err(Error::Corrupt { .. } | Error::Unauthorised { .. }) => return Ok(None),
            row => row?,
        };
        let triggers = Triggers::of(&row)?;
        let since = row.resumed_at.max(tx.now - MINUTE);
        let many = guard::denied_since(tx.conn, triggers.denials_per_minute, since)?;
        Ok(many.then_some((triggers, row.level)))
    });
    match written {
        Err(error) => {
            // They wait for the next attempt.
            let mut denials = core.watch.denials.lock();
            let late = std::mem::replace(&mut denials.waiting, waiting);
            denials.waiting.extend(late);
            denials.more += more;
            Err(error)
        }
        Ok(Some((triggers, 0))) if !crate::sabotage::on("triggers_off") => {
            let reason = format!("{} actions were denied within a minute", triggers.denials_per_minute);
            halt::halt(core, Actor::Engine, &reason, triggers.level).map(|_| ())
        }
        Ok(_) => Ok(()),
    }
}

/// A trigger that reports have pulled: how much it halts, and why.
pub(crate) type Pulled = Option<(HaltLevel, String)>;

/// Looks whether reports that were just kept pull a trigger.
pub(crate) fn after_reports(
    tx: &Tx<'_>,
    row: &GuardRow,
    reports: &[Report],
    filed: &[Filed],
) -> Result<Pulled> {
    if row.triggers.is_empty() || crate::sabotage::on("triggers_off") {
        return Ok(None);
    }
    let triggers = Triggers::of(row)?;
    let counts = |report: &Report| report.reporter.is_none() || report.token.is_some();
    let told =
        || reports.iter().zip(filed).filter(|(r, filed)| counts(r) && !filed.duplicate).map(|(r, _)| r);
    if triggers.spend_per_hour_micros > 0 {
        let spent = told().filter_map(|report| report.cost_micros).fold(0_i64, i64::saturating_add);
        let minute = tx.now.div_euclid(MINUTE);
        let total = guard::spend(tx, minute, spent)?;
        if total > triggers.spend_per_hour_micros {
            let reason = format!(
                "{total} millionths were spent within an hour, more than {}",
                triggers.spend_per_hour_micros
            );
            return Ok(Some((triggers.level, reason)));
        }
    }
    let failed = told().any(|report| report.outcome.value().is_some_and(|value| value < 0.5));
    if triggers.failures_in_a_row > 0
        && failed
        && guard::failed_in_a_row(tx.conn, triggers.failures_in_a_row, row.resumed_at)?
    {
        let reason = format!("{} failures were reported in a row", triggers.failures_in_a_row);
        return Ok(Some((triggers.level, reason)));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    #[test]
    fn denials_are_in_the_audit_within_20_ms_and_too_many_halt() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let store = Store::open(dir.path().join("store"), Options::new(4)).expect("opens");
        store.set_triggers(Triggers::new().denials_per_minute(50), None).expect("sets");
        let (mut slowest, mut fastest) = (Duration::ZERO, Duration::MAX);
        for i in 0..20_u64 {
            let noted = Instant::now();
            store.note_denial(json!({ "rule": i }));
            while store.audit_entries(i + 1, 1).expect("reads").is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            slowest = slowest.max(noted.elapsed());
            fastest = fastest.min(noted.elapsed());
        }
        // Each, on an idle machine; tests share theirs.
        assert!(fastest < Duration::from_millis(20), "{fastest:?}");
        assert!(slowest < Duration::from_secs(20), "{slowest:?}");
        println!("slowest of 20 denials: {slowest:?}");
        assert_eq!(store.halted().expect("tells"), None);
        for i in 0..2000 {
            store.note_denial(json!({ "rule": i }));
        }
        store.flush().expect("writes");
        let halt = store.halted().expect("tells").expect("too many denials halt");
        assert_eq!((halt.by.as_str(), halt.level), ("engine", HaltLevel::DenyAll));
        assert!(halt.reason.contains("50 actions were denied"), "{halt:?}");
        store.note_denial(json!({ "rule": "while halted" }));
        store.flush().expect("denials are written in a halt too");
        let found = store.audit_verify(None).expect("reads");
        assert!(found.is_ok() && found.entries > 70, "{found:?}");
        let all = store.audit_entries(0, 10_000).expect("reads");
        let lost: u64 = all.iter().filter_map(|entry| entry.detail["more"].as_u64()).sum();
        let kept = all.iter().filter(|entry| entry.op == "deny" && entry.detail["more"].is_null()).count();
        assert_eq!(kept as u64 + lost, 2021, "none is uncounted");
    }

    #[test]
    fn a_loop_halts() {
        let store = Store::open(":memory:", Options::new(4)).expect("opens");
        for _ in 0..100 {
            assert!(!note_action(&store.core, 7).expect("notes"), "no trigger, no halt");
        }
        store.set_triggers(Triggers::new().repeats(5).level(HaltLevel::NoRecalls), None).expect("sets");
        let looped = |actions: &[u64]| {
            actions.iter().map(|action| note_action(&store.core, *action).expect("notes")).collect::<Vec<_>>()
        };
        assert!(!looped(&[1, 1, 1, 1, 2, 1, 1, 1, 1]).contains(&true));
        assert_eq!(looped(&[1]), [true]);
        assert_eq!(store.halted().expect("tells").map(|halt| halt.level), Some(HaltLevel::NoRecalls));
    }
}
