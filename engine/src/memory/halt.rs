//! Stopping a store. A halt is a row (`store/guard.rs`), and a word of the control file that every process
//! maps and looks at when a call begins; either one halts. The word needs no room on the disk and no lock, and
//! only ever gains bits but by a resumption: whoever halts never waits for anybody, and never weakens the halt
//! of another.

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock::{Timestamp, utc};
use crate::error::{Error, Result};
use crate::key::{Message, PublicKey, SecretKey};
use crate::store::audit::{self, Actor};
use crate::store::chain::hex;
use crate::store::guard::{self, GuardRow};
use crate::store::heads;

use super::core::{Call, Core, check_text};
use super::store::Store;

/// The bits of a halt in its word. The next 8 count how often one was set, the next 16 how often the row was
/// changed otherwise, and the upper half has the time of the first halt, in seconds since 1970.
const BITS: u64 = 0xff;
const HALTS: u64 = 0xff << 8;
const EDITS: u64 = 0xffff << 16;
const SINCE: u32 = 32;
/// Longest reason, in bytes.
const MOST_REASON: usize = 4096;

/// How much of a store is halted. Two halts add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HaltLevel {
    /// Nothing may be remembered, changed, reported or decided. Recalls go on.
    NoWrites = 1,
    /// Nothing may be recalled. The owner can still look, and set things right.
    NoRecalls = 2,
    /// Neither.
    NoMemory = 3,
    /// As `NoMemory`; besides, every check of an action denies, and nothing is shown but what tells how the
    /// store stands: the halt, the audit, the figures and the verification.
    DenyAll = 7,
}

impl HaltLevel {
    const ALL: [Self; 4] = [Self::NoWrites, Self::NoRecalls, Self::NoMemory, Self::DenyAll];

    /// `"no_writes"`, `"no_recalls"`, `"no_memory"` or `"deny_all"`.
    pub fn as_str(self) -> &'static str {
        match self {
            HaltLevel::NoWrites => "no_writes",
            HaltLevel::NoRecalls => "no_recalls",
            HaltLevel::NoMemory => "no_memory",
            HaltLevel::DenyAll => "deny_all",
        }
    }

    /// The inverse of [`HaltLevel::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }

    /// The level of these bits; what nobody knows denies all.
    fn of(bits: u64) -> Option<Self> {
        if bits == 0 {
            return None;
        }
        Some(Self::ALL.into_iter().find(|level| *level as u64 == bits).unwrap_or(HaltLevel::DenyAll))
    }

    fn forbids(self, call: Call) -> bool {
        let bits = self as u64;
        match call {
            Call::Oversight => false,
            Call::Write => bits & HaltLevel::NoWrites as u64 != 0,
            Call::Recall => bits & HaltLevel::NoRecalls as u64 != 0,
            Call::Read => self == HaltLevel::DenyAll,
        }
    }
}

/// A halt in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Halt {
    /// How much is halted.
    pub level: HaltLevel,
    /// Since when; to the second if it is not recorded.
    pub since: Timestamp,
    /// Who halted it last: `"owner"`, or `"engine"` by a trigger.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Whether level and reason are in the database. If it could not be written then (a full disk), the control
    /// file alone has the level, and every process obeys it all the same.
    pub recorded: bool,
}

impl Core {
    /// The level of the halt in force.
    pub(crate) fn halted(&self) -> Option<HaltLevel> {
        HaltLevel::of(self.db.halt_word().load(Acquire) & BITS)
    }

    /// Whether the halt in force forbids a call: one load where there is none.
    pub(crate) fn forbids(&self, call: Call) -> bool {
        self.halted().is_some_and(|level| level.forbids(call)) && !crate::sabotage::on("halts_ignored")
    }

    /// Refuses a call that the halt in force forbids.
    pub(crate) fn obey(&self, call: Call) -> Result<()> {
        if self.forbids(call) { Err(self.halted_error()) } else { Ok(()) }
    }

    #[cold]
    fn halted_error(&self) -> Error {
        let halt = describe(self);
        let (level, since) = halt.as_ref().map_or((HaltLevel::DenyAll, 0), |halt| (halt.level, halt.since));
        let (by, reason) = halt.map_or_else(Default::default, |halt| (halt.by, halt.reason));
        Error::Halted { level: level.as_str(), since: utc(since), by, reason }
    }

    /// The guard row, read again only when the word says that it changed.
    pub(crate) fn guard(&self, conn: &Connection) -> Result<Arc<GuardRow>> {
        // Loaded before the row is read: what changes in between is read again next time.
        let word = self.db.halt_word().load(Acquire);
        let mut known = self.watch.guard.lock();
        match &*known {
            Some((at, row)) if *at == word => Ok(row.clone()),
            _ => {
                let row = Arc::new(guard::load(conn)?);
                *known = Some((word, row.clone()));
                Ok(row)
            }
        }
    }

    /// Tells every process that the guard row was changed otherwise than by a halt.
    pub(crate) fn guard_changed(&self) {
        let edited = |old: u64| Some((old & !EDITS) | (old.wrapping_add(1 << 16) & EDITS));
        // The closure never refuses.
        let _ = self.db.halt_word().fetch_update(AcqRel, Acquire, edited);
    }

    /// Puts a halt into the word. Returns the word.
    fn set_word(&self, level: HaltLevel, now: Timestamp) -> u64 {
        let word = self.db.halt_word();
        let set = |old: u64| {
            let since = if old & BITS == 0 { (now / 1_000_000).cast_unsigned() } else { old >> SINCE };
            let halts = old.wrapping_add(1 << 8) & HALTS;
            Some((old & (BITS | EDITS)) | level as u64 | halts | (since << SINCE))
        };
        // The closure never refuses.
        word.fetch_update(AcqRel, Acquire, set).unwrap_or_default()
    }
}

/// The halt in force, with what the database knows of it.
pub(crate) fn describe(core: &Core) -> Option<Halt> {
    let word = core.db.halt_word().load(Acquire);
    let level = HaltLevel::of(word & BITS)?;
    // The same that `settle` asks when the store is opened: what cannot be read is why.
    let row = core.db.read(|conn| guard::was_halted(conn).and_then(|_| guard::load(conn)));
    let since = ((word >> SINCE) as i64).saturating_mul(1_000_000);
    let (by, reason) = match row {
        Ok(row) if row.level != 0 => {
            // The word may have gained a bit that the row could not.
            let recorded = HaltLevel::of(row.level.cast_unsigned()) == Some(level);
            return Some(Halt { level, since: row.since, by: row.by, reason: row.reason, recorded });
        }
        Ok(_) => ("unknown", "the control file says so, the database does not".to_owned()),
        Err(error) => ("unknown", error.to_string()),
    };
    Some(Halt { level, since, by: by.to_owned(), reason, recorded: false })
}

/// Halts the store. Once this returns, every call of any process that begins obeys.
pub(crate) fn halt(core: &Core, actor: Actor<'_>, reason: &str, level: HaltLevel) -> Result<Halt> {
    core.writable_when_halted()?;
    let now = core.now();
    let late = crate::sabotage::on("halts_wait_for_the_row");
    if !late {
        core.set_word(level, now);
    }
    // The word is in memory that the processes share; this is for a power loss.
    let synced = core.db.sync_control();
    let recorded = core.db.write_durably(now, |tx| {
        let mut row = guard::load(tx.conn).or_else(|error| match error {
            // What the row said cannot be read; the halt must not depend on it.
            Error::Corrupt { .. } => Ok(GuardRow::default()),
            other => Err(other),
        })?;
        row.since = if row.level == 0 { now } else { row.since };
        row.level |= level as i64;
        row.halts += 1;
        (row.by, row.reason) = (actor.to_string(), reason.to_owned());
        guard::save(tx, &row)?;
        let detail = json!({ "level": level.as_str(), "reason": reason });
        audit::record(tx, actor, "halt", 0, 0, &detail)?;
        Ok(())
    });
    if late {
        recorded?;
        core.set_word(level, now);
        return describe(core).ok_or_else(|| Error::internal("a halt did not hold"));
    }
    // A resumption that was under way meanwhile may have cleared the word.
    core.set_word(level, now);
    match (recorded, synced) {
        // Neither holds beyond this process' memory and the page cache.
        (Err(error), Err(_)) => Err(error),
        _ => describe(core).ok_or_else(|| Error::internal("a halt did not hold")),
    }
}

/// Brings word and row together when a store is opened: either one halts. So does a row that cannot be read,
/// one that was resumed by nobody who may, and one that the audit contradicts.
pub(crate) fn settle(core: &Core) -> Result<()> {
    let now = core.now();
    let found = core.db.snapshot(|conn| {
        let row = guard::load(conn)?;
        let forged = !may_stand(core, conn, &row)?;
        Ok((row, forged))
    });
    let (row, forged) = match found {
        Ok(found) => found,
        Err(Error::Corrupt { .. } | Error::Unauthorised { .. }) => {
            // Whether it is halted cannot be known any more.
            core.set_word(HaltLevel::DenyAll, now);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let word = core.halted();
    let level = if forged { Some(HaltLevel::DenyAll) } else { HaltLevel::of(row.level.cast_unsigned()) };
    if let Some(level) = level
        && !crate::sabotage::on("rows_do_not_halt")
        && word.is_none_or(|word| word as u64 | level as u64 != word as u64)
    {
        core.set_word(level, if row.since == 0 { now } else { row.since });
    }
    if let Some(level) = word
        && !core.db.is_read_only()
        && row.level & level as i64 != level as i64
    {
        // The disk was full then, or the row was taken away. If it cannot be written now either, the word
        // holds on.
        let reason = "the control file said so when the store was opened";
        let _ = halt(core, Actor::Engine, reason, level);
    }
    Ok(())
}

/// Whether a row without a halt is to be believed: the audit knows of no halt after the last resumption, and
/// that one was signed if there was an authority then.
fn may_stand(core: &Core, conn: &Connection, row: &GuardRow) -> Result<bool> {
    if row.level != 0 || crate::sabotage::on("resumptions_unchecked") {
        return Ok(true);
    }
    if guard::was_halted(conn)? {
        return Ok(false);
    }
    if row.halts == 0 {
        return Ok(true);
    }
    let chain = heads::authorities(conn, &core.trust())?;
    let founded = chain.rows().first().map(|first| first.added_at);
    if founded.is_none_or(|founded| founded > row.resumed_at) {
        return Ok(true);
    }
    let message = message(core, row);
    let signed =
        row.signed.as_ref().and_then(|(key, signature)| Some((PublicKey::from_bytes(key)?, signature)));
    Ok(signed.is_some_and(|(key, signature)| chain.known(&key) && key.verifies(&message, signature)))
}

impl Store {
    /// Halts the store: once this returns, every call of any handle in any process that begins is refused with
    /// [`Error::Halted`](crate::Error::Halted) if the level forbids it, until somebody who may do so resumes it
    /// ([`Store::resume`]). It survives restarts and works on a full disk. Anybody may halt; halting again adds
    /// to what is halted and never takes away from it. Calls that have begun go on to their end.
    pub fn halt(&self, reason: &str, level: HaltLevel) -> Result<Halt> {
        self.core.enter_for(Call::Oversight)?;
        check_reason(reason)?;
        halt(&self.core, Actor::Owner, reason, level)
    }

    /// The halt in force; `None` if the store is not halted.
    pub fn halted(&self) -> Result<Option<Halt>> {
        self.core.enter_for(Call::Oversight)?;
        Ok(describe(&self.core))
    }

    /// Ends the halt in force, all of it. Returns whether there was one. A store that has an authority takes the
    /// signature of one ([`SecretKey`]) and nothing else; in a store without, anybody may resume, as anybody may
    /// write.
    ///
    /// Fails with [`Unauthorised`](crate::Error::Unauthorised) if an authority is needed and the key is none
    /// that is valid now, with [`Halted`](crate::Error::Halted) if somebody halted the store meanwhile, and with
    /// [`DiskFull`](crate::Error::DiskFull) where the resumption cannot be written down.
    pub fn resume(&self, reason: &str, key: Option<&SecretKey>) -> Result<bool> {
        self.core.enter_for(Call::Oversight)?;
        check_reason(reason)?;
        resume(&self.core, reason, key)
    }
}

fn check_reason(reason: &str) -> Result<()> {
    check_text("reason", reason)?;
    if reason.trim().is_empty() || reason.len() > MOST_REASON {
        let why =
            format!("it has {} bytes; 1 to {MOST_REASON} are allowed, and not only spaces", reason.len());
        return Err(Error::invalid("reason", why));
    }
    Ok(())
}

/// What an authority signs to end the halt that the row describes: which one by its number and time, so that
/// the signature serves once.
fn message(core: &Core, row: &GuardRow) -> Message {
    Message::new("resume", &core.identity.first_id)
        .int(row.halts)
        .int(row.since)
        .int(row.resumed_at)
        .text(&row.reason)
}

/// Who may decide for the store: an authority if it has any (its name), otherwise everybody.
pub(crate) fn authorised(core: &Core, conn: &Connection, key: Option<&SecretKey>) -> Result<Option<String>> {
    let chain = heads::authorities(conn, &core.trust())?;
    match key {
        _ if crate::sabotage::on("anybody_resumes") => Ok(None),
        Some(key) => chain.signer(key).map(Some),
        None if chain.len == 0 => Ok(None),
        None => {
            Err(Error::unauthorised("the store has an authority: it alone may do this, give its secret key"))
        }
    }
}

/// Ends the halt in force.
fn resume(core: &Core, reason: &str, key: Option<&SecretKey>) -> Result<bool> {
    core.writable_when_halted()?;
    if core.halted().is_none() {
        return Ok(false);
    }
    let word = core.db.halt_word();
    let seen = core.db.write_durably(core.now(), |tx| {
        let by = authorised(core, tx.conn, key)?;
        let mut row = match guard::load(tx.conn) {
            Err(Error::Corrupt { .. }) => Ok(GuardRow::default()),
            other => other,
        }?;
        let seen = word.load(Acquire);
        let actor = by.as_deref().map_or(Actor::Owner, Actor::Authority);
        let level = HaltLevel::of(seen & BITS).map_or("none", HaltLevel::as_str);
        (row.level, row.resumed_at, row.halts) = (0, tx.now, row.halts.max(1));
        (row.by, row.reason) = (actor.to_string(), reason.to_owned());
        row.signed = key
            .filter(|_| by.is_some())
            .map(|key| (key.public().as_bytes().to_vec(), key.sign(&message(core, &row)).to_vec()));
        guard::save(tx, &row)?;
        guard::forget_spending(tx, None)?;
        let mut detail = json!({ "level": level, "since": row.since, "reason": reason });
        if let Some((key, signature)) = &row.signed {
            detail["key"] = hex(key).into();
            detail["signature"] = hex(signature).into();
        }
        audit::record(tx, actor, "resume", 0, 0, &detail)?;
        Ok(seen)
    })?;
    // Whoever halted it meanwhile has counted up, and their halt stays.
    let clear = |now: u64| {
        let edits = now.wrapping_add(1 << 16) & EDITS;
        (now & (BITS | HALTS) == seen & (BITS | HALTS)).then_some((now & HALTS) | edits)
    };
    match word.fetch_update(AcqRel, Acquire, clear) {
        Ok(_) => core.db.sync_control().map(|()| true),
        Err(_) => Err(core.halted_error()),
    }
}
