//! Stopping a store. A halt is a row (`store/guard.rs`), and a word of the control file that every process
//! maps and looks at when a call begins; either one halts. The word needs no room on the disk and no lock, and
//! only ever gains bits but by a resumption: whoever halts never waits for anybody, and never weakens the halt
//! of another.
//!
//! Anybody may halt; in a store that has an authority, only its key ends a halt and changes what guards the store.
//! The head of the rules (`store/heads.rs`) covers the settings in the row, how many halts there had been at the
//! last resumption (or when the first authority was founded), and the last entry of the audit then. So a row
//! without a halt is believed if it counts no further one and the audit tells of none after that entry. A state
//! that was signed earlier cannot be put back: the generation of the head only rises, and the control file keeps
//! the highest one seen.
//!
//! What is not believed denies: a handle that meets it when it is opened halts the store (`deny_all`) if the row
//! is at fault, and if the head itself is, it lets nothing be written and recalled through it, and every check
//! denies, until the authority has repaired the rules. A read-only handle stores nothing to the word: what the row
//! says it keeps for itself, and looks at it again before it refuses a call by that alone.

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock::{Timestamp, utc};
use crate::error::{Error, Result};
use crate::key::{Message, SecretKey};
use crate::store::Tx;
use crate::store::audit::{self, Actor};
use crate::store::authorities::{Authorities, Trust};
use crate::store::guard::{self, GuardRow};
use crate::store::heads::{self, Head, Part};
use crate::store::hex::hex;

use super::core::{Call, Core, check_text};
use super::store::Store;
use super::triggers::Triggers;

/// The bits of a halt in its word. The next 8 count how often one was set, the next 16 how often the row was
/// changed otherwise, and the upper half has the time of the first halt, in seconds since 1970.
const BITS: u64 = 0xff;
const HALTS: u64 = 0xff << 8;
const EDITS: u64 = 0xffff << 16;
const SINCE: u32 = 32;
/// How often, and how far apart, word and row are looked at again when they differ while a store is opened.
const PATIENCE: u32 = 10;
const PAUSE: Duration = Duration::from_millis(5);
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
    /// The level of the halt in force: the store's, and what this handle holds back by itself.
    pub(crate) fn halted(&self) -> Option<HaltLevel> {
        let own = self.watch.doubt.load(Acquire) | self.watch.held.load(Acquire);
        HaltLevel::of((self.db.halt_word().load(Acquire) | own) & BITS)
    }

    /// The halt word as it is now.
    pub(super) fn halt_word(&self) -> u64 {
        self.db.halt_word().load(Acquire)
    }

    /// Notes whether what guards the store can be believed: while it cannot, this handle neither writes nor recalls.
    pub(crate) fn doubt(&self, doubted: bool) {
        let level = if doubted { HaltLevel::NoMemory as u64 } else { 0 };
        if self.watch.doubt.load(Acquire) != level {
            self.watch.doubt.store(level, Release);
        }
    }

    /// Whether this handle puts into the word what the row says. A read-only one may not: its map is its own from the
    /// first store on, and it would never again see what others halt and resume. It keeps it for itself.
    fn shares_halts(&self) -> bool {
        !self.db.is_read_only() || crate::sabotage::on("readers_store_halts")
    }

    /// Notes what the row says, where this handle keeps it for itself.
    fn hold(&self, level: Option<HaltLevel>, since: Timestamp) {
        let held = level.map_or(0, |level| level as u64 | (seconds(since) << SINCE));
        if self.watch.held.load(Acquire) != held {
            self.watch.held.store(held, Release);
        }
    }

    /// Whether the halt in force forbids a call: a few loads where there is none.
    pub(crate) fn forbids(&self, call: Call) -> bool {
        self.halted().is_some_and(|level| level.forbids(call)) && !crate::sabotage::on("halts_ignored")
    }

    /// Refuses a call that the halt in force forbids.
    pub(crate) fn obey(&self, call: Call) -> Result<()> {
        if self.forbids(call) { self.look_again(call) } else { Ok(()) }
    }

    /// Refuses a call; what this handle holds back by itself only if it still has to.
    #[cold]
    fn look_again(&self, call: Call) -> Result<()> {
        if self.still_forbids(call)? { Err(self.halted_error()) } else { Ok(()) }
    }

    /// Whether a call is forbidden that was a moment ago: looks at the row again if this handle alone says so.
    #[cold]
    pub(super) fn still_forbids(&self, call: Call) -> Result<bool> {
        let (trust, word) = (self.trust(), self.halt_word());
        if forbidden_by(word, call) {
            return Ok(true);
        }
        match self.db.snapshot(|conn| look(self, conn, &trust, word)) {
            // The row said so before, and nothing that can be believed says otherwise.
            Err(Error::Corrupt { .. } | Error::Unauthorised { .. })
                if forbidden_by(self.watch.held.load(Acquire), call) =>
            {
                Ok(true)
            }
            looked => looked.map(|_| self.forbids(call)),
        }
    }

    #[cold]
    fn halted_error(&self) -> Error {
        let halt = describe(self);
        let (level, since) = halt.as_ref().map_or((HaltLevel::DenyAll, 0), |halt| (halt.level, halt.since));
        let (by, reason) = halt.map_or_else(Default::default, |halt| (halt.by, halt.reason));
        Error::Halted { level: level.as_str(), since: utc(since), by, reason }
    }

    /// The guard row, as far as an authority has signed it; read again only when the word says that it changed.
    pub(crate) fn guard(&self, conn: &Connection) -> Result<Arc<GuardRow>> {
        // Loaded before the row is read: what changes in between is read again next time.
        let word = self.db.halt_word().load(Acquire);
        let mut known = self.watch.guard.lock();
        match &*known {
            Some((at, row)) if *at == word => Ok(row.clone()),
            _ => {
                let row = Arc::new(signed(self, conn)?);
                *known = Some((word, row.clone()));
                Ok(row)
            }
        }
    }

    /// As [`Core::guard`], looking at the row in any case.
    pub(crate) fn guard_now(&self, conn: &Connection) -> Result<Arc<GuardRow>> {
        let row = guard::load(conn)?;
        match &*self.watch.guard.lock() {
            Some((_, known)) if **known == row => Ok(known.clone()),
            _ => signed(self, conn).map(Arc::new),
        }
    }

    /// Tells every process that the guard row was changed otherwise than by a halt.
    pub(crate) fn guard_changed(&self) {
        let edited = |old: u64| Some((old & !EDITS) | (old.wrapping_add(1 << 16) & EDITS));
        // The closure never refuses.
        let _ = self.db.halt_word().fetch_update(AcqRel, Acquire, edited);
    }

    /// Puts a halt into the word.
    fn set_word(&self, level: HaltLevel, now: Timestamp) {
        // The closure never refuses.
        let _ = self.db.halt_word().fetch_update(AcqRel, Acquire, |old| Some(with_halt(old, level, now)));
    }

    /// The same if the word is still this one; returns whether it was.
    fn set_word_from(&self, word: u64, level: HaltLevel, now: Timestamp) -> bool {
        self.db.halt_word().compare_exchange(word, with_halt(word, level, now), AcqRel, Acquire).is_ok()
    }
}

/// Whether a word has a halt that forbids a call.
fn forbidden_by(word: u64, call: Call) -> bool {
    HaltLevel::of(word & BITS).is_some_and(|level| level.forbids(call))
}

/// A time as a word has it.
fn seconds(at: Timestamp) -> u64 {
    (at / 1_000_000).cast_unsigned()
}

/// A word with one more halt in it.
fn with_halt(word: u64, level: HaltLevel, now: Timestamp) -> u64 {
    let since = if word & BITS == 0 { seconds(now) } else { word >> SINCE };
    let halts = word.wrapping_add(1 << 8) & HALTS;
    (word & (BITS | EDITS)) | level as u64 | halts | (since << SINCE)
}

/// The halt in force, with what the database knows of it.
pub(crate) fn describe(core: &Core) -> Option<Halt> {
    let word = match core.halt_word() {
        word if word & BITS == 0 => core.watch.held.load(Acquire),
        word => word,
    };
    let mut level = core.halted()?;
    // The same that `settle` asks when the store is opened: what cannot be read or believed is why.
    let trust = core.trust();
    let row = core.db.snapshot(|conn| {
        let row = guard::load(conn)?;
        let (_, head) = heads::load(conn, &trust)?;
        Ok((doubts(conn, head.as_ref(), &row)?, row))
    });
    if let Ok((None, row)) = &row
        && !core.shares_halts()
    {
        // Somebody may have resumed it, or set right what could not be believed.
        core.doubt(false);
        core.hold(HaltLevel::of(row.level.cast_unsigned()), row.since);
        level = core.halted()?;
    }
    let since = match (word >> SINCE) as i64 {
        0 => core.now(),
        seconds => seconds.saturating_mul(1_000_000),
    };
    let (by, reason) = match row {
        Ok((None, row)) if row.level != 0 => {
            // The word may have gained a bit that the row could not.
            let recorded = HaltLevel::of(row.level.cast_unsigned()) == Some(level);
            return Some(Halt { level, since: row.since, by: row.by, reason: row.reason, recorded });
        }
        Ok((None, _)) => ("unknown", "the control file says so, the database does not".to_owned()),
        Ok((Some(doubt), _)) => ("unknown", doubt),
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
/// one that no authority has signed, and one that the audit contradicts.
pub(crate) fn settle(core: &Core) -> Result<()> {
    // What this call itself has put into the word.
    let mut own = 0;
    let mut patience = PATIENCE;
    loop {
        // Loaded before the row is read: where somebody halts or resumes in between, what was read is out of date.
        let word = core.halt_word();
        let (row, forged) = match read(core) {
            Ok(found) => found,
            Err(Error::Corrupt { .. }) if !core.shares_halts() => {
                core.hold(Some(HaltLevel::DenyAll), core.now());
                return Ok(());
            }
            // Whether it is halted cannot be known any more.
            Err(Error::Corrupt { .. }) if core.set_word_from(word, HaltLevel::DenyAll, core.now()) => {
                return Ok(());
            }
            Err(Error::Corrupt { .. }) => continue,
            Err(error) => return Err(error),
        };
        let halted = HaltLevel::of(word & BITS);
        let level = if forged { Some(HaltLevel::DenyAll) } else { HaltLevel::of(row.level.cast_unsigned()) };
        let level = level.filter(|_| !crate::sabotage::on("rows_do_not_halt"));
        let since = if row.since == 0 { core.now() } else { row.since };
        if !core.shares_halts() {
            // Whoever halts or resumes from now on is seen in the word, or when the row is looked at again.
            core.hold(level, since);
            return Ok(());
        }
        if let Some(level) = level
            && halted.is_none_or(|halted| halted as u64 | level as u64 != halted as u64)
        {
            if core.set_word_from(word, level, since) {
                own |= level as u64;
            }
            continue;
        }
        let Some(level) = HaltLevel::of(word & BITS & !own & !row.level.cast_unsigned()) else {
            return Ok(());
        };
        if patience == 0 || crate::sabotage::on("settle_blindly") {
            // The disk was full then, or the row was taken away. If it cannot be written now either, the word
            // holds on.
            let reason = "the control file said so when the store was opened";
            let _ = halt(core, Actor::Engine, reason, level);
            return Ok(());
        }
        // Whoever halts has set the word and will write the row; whoever resumes has written it and will clear the word.
        patience -= 1;
        std::thread::sleep(PAUSE);
    }
}

/// The guard row, and whether it is not to be believed.
fn read(core: &Core) -> Result<(GuardRow, bool)> {
    let trust = core.trust();
    core.db.snapshot(|conn| {
        let row = guard::load(conn)?;
        let doubt = match heads::load(conn, &trust) {
            Ok((_, head)) => doubts(conn, head.as_ref(), &row)?.is_some(),
            Err(Error::Corrupt { .. }) => {
                core.doubt(true);
                row.level == 0 && row.halts > 0
            }
            // Only this caller knows of another authority.
            Err(Error::Unauthorised { .. }) => {
                core.doubt(true);
                false
            }
            Err(error) => return Err(error),
        };
        Ok((row, doubt))
    })
}

/// Why a guard row is not to be believed, if so, under a head that is: its settings are not those that were
/// signed, or it says that the store is not halted, and it or the audit knows of a halt that nobody ended who may.
pub(super) fn doubts(conn: &Connection, head: Option<&Head>, row: &GuardRow) -> Result<Option<String>> {
    if crate::sabotage::on("resumptions_unchecked") {
        return Ok(None);
    }
    match head.map_or(Ok(()), |head| head.check_guard(conn)) {
        Ok(()) => {}
        Err(Error::Corrupt { what }) => return Ok(Some(what)),
        Err(error) => return Err(error),
    }
    if row.level != 0 {
        return Ok(None);
    }
    let unended = match head {
        Some(_) => row.halts != row.cleared || guard::halted_after(conn, row.settled)?,
        None => guard::was_halted(conn)?,
    };
    Ok(unended.then(|| "the store was halted, and nobody who may has resumed it".to_owned()))
}

/// Looks at the guard when the rules are read again. Fails if it is not to be believed, and has this handle hold
/// back; otherwise returns whether the row says that the store is halted. Then the control file has to say so too:
/// it is made to if it was `word` before anything was read and still is, so that nobody has resumed meanwhile. A
/// read-only handle keeps what the row says for itself.
pub(super) fn look(core: &Core, conn: &Connection, trust: &Trust, word: u64) -> Result<bool> {
    let found = heads::load(conn, trust).and_then(|(_, head)| {
        let row = guard::load(conn)?;
        match doubts(conn, head.as_ref(), &row)? {
            Some(doubt) => Err(Error::corrupt(doubt)),
            None => Ok(row),
        }
    });
    core.doubt(matches!(found, Err(Error::Corrupt { .. } | Error::Unauthorised { .. })));
    let row = found?;
    if !core.shares_halts() {
        core.hold(HaltLevel::of(row.level.cast_unsigned()), row.since);
    } else if row.level != 0 && word & BITS == 0 && !crate::sabotage::on("halts_stay_out") {
        let since = seconds(row.since) << SINCE;
        let halted = (word & (HALTS | EDITS)) | (row.level.cast_unsigned() & BITS) | since;
        let _ = core.db.halt_word().compare_exchange(word, halted, AcqRel, Acquire);
    }
    Ok(row.level != 0)
}

/// The guard row with the settings that an authority has signed. Whether it is halted is for others to say.
fn signed(core: &Core, conn: &Connection) -> Result<GuardRow> {
    let row = guard::load(conn)?;
    if let (_, Some(head)) = heads::load(conn, &core.trust())? {
        head.check_guard(conn)?;
    }
    Ok(row)
}

/// One sentence if the guard is at fault; what is wrong with the head, or the row, is told elsewhere.
pub(crate) fn verify(core: &Core, conn: &Connection) -> Result<Vec<String>> {
    let found = guard::load(conn).and_then(|row| {
        let (_, head) = heads::load(conn, &core.trust())?;
        match doubts(conn, head.as_ref(), &row)? {
            Some(doubt) => Ok(vec![doubt]),
            None => Triggers::of(&row).map(|_| Vec::new()),
        }
    });
    match found {
        Err(Error::Corrupt { .. } | Error::Unauthorised { .. }) => Ok(Vec::new()),
        found => found,
    }
}

/// Readies the guard for the first authority, which vouches for it as it is: the settings, and the halts that were
/// ended before.
pub(super) fn found(core: &Core, tx: &mut Tx<'_>) -> Result<()> {
    let mut row = guard::load(tx.conn)?;
    let halted = row.level != 0 || core.db.halt_word().load(Acquire) & BITS != 0;
    row.cleared = if halted || crate::sabotage::on("founding_forgets") { -1 } else { row.halts };
    row.settled = audit::anchor(tx.conn)?.count;
    guard::save(tx, &row)
}

/// Makes a guard good again that is not as it was signed: its settings are gone, a halt in force stays. Returns a
/// sentence if there was something to do.
pub(super) fn make_good(core: &Core, tx: &mut Tx<'_>, head: Option<&Head>) -> Result<Option<String>> {
    let word = core.db.halt_word().load(Acquire);
    let (mut row, sound) = match guard::load(tx.conn) {
        Ok(row) => (row, head.is_some_and(|head| head.check_guard(tx.conn).is_ok())),
        Err(Error::Corrupt { .. }) => (GuardRow::default(), false),
        Err(error) => return Err(error),
    };
    if sound {
        return Ok(None);
    }
    (row.audit, row.triggers) = (0, String::new());
    row.level |= (word & BITS).cast_signed();
    row.cleared = if row.level == 0 { row.halts } else { -1 };
    row.settled = audit::anchor(tx.conn)?.count;
    guard::save(tx, &row)?;
    Ok(Some(
        "what guards the store was not as an authority signed it: triggers and the level of the audit have to be set again"
            .to_owned(),
    ))
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
    /// write. If triggers or the level of the audit are not what an authority signed, they are gone afterwards,
    /// and have to be set again.
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

/// What an authority signs, for the audit, to end the halt that the row describes: which one by its number and
/// time.
fn message(core: &Core, row: &GuardRow) -> Message {
    Message::new("resume", &core.identity.first_id)
        .int(row.halts)
        .int(row.since)
        .int(row.resumed_at)
        .text(&row.reason)
}

/// Who may decide for the store: an authority if it has any (its name), otherwise everybody.
pub(crate) fn authorised(chain: &Authorities, key: Option<&SecretKey>) -> Result<Option<String>> {
    match key {
        _ if crate::sabotage::on("anybody_resumes") => Ok(None),
        Some(key) => chain.signer(key).map(Some),
        None if chain.len == 0 => Ok(None),
        None => {
            Err(Error::unauthorised("the store has an authority: it alone may do this, give its secret key"))
        }
    }
}

/// A decision that the authority of a store takes, or anybody where there is none: done in one transaction, signed
/// in it, and durable where it is. `work` is told who decides.
pub(crate) fn decide<T>(
    core: &Core,
    key: Option<&SecretKey>,
    part: Part,
    work: impl FnOnce(&mut Tx<'_>, Option<&Head>, Actor<'_>) -> Result<T>,
) -> Result<T> {
    // Read before the transaction is, so that what it reads is at least as new.
    let trust = core.trust();
    let decided = |tx: &mut Tx<'_>| {
        let (chain, head) = heads::load(tx.conn, &trust)?;
        let by = authorised(&chain, key)?;
        let value = work(tx, head.as_ref(), by.as_deref().map_or(Actor::Owner, Actor::Authority))?;
        let key = key.filter(|_| by.is_some());
        let generation = key.map(|key| heads::sign(tx, &chain, key, part)).transpose()?;
        Ok((value, generation))
    };
    // A generation that the control file knows must not be lost.
    let (value, generation) = if key.is_some() || part == Part::Guard {
        core.db.write_durably(core.now(), decided)
    } else {
        core.db.write(core.now(), decided)
    }?;
    if let Some(generation) = generation {
        core.db.note_rules(generation);
    }
    Ok(value)
}

/// Ends the halt in force.
fn resume(core: &Core, reason: &str, key: Option<&SecretKey>) -> Result<bool> {
    core.writable_when_halted()?;
    if core.halted().is_none() {
        return Ok(false);
    }
    let word = core.db.halt_word();
    let seen = decide(core, key, Part::Guard, |tx, head, actor| {
        let (mut row, sound) = match guard::load(tx.conn) {
            Err(Error::Corrupt { .. }) => (GuardRow::default(), false),
            row => (row?, head.is_none_or(|head| head.check_guard(tx.conn).is_ok())),
        };
        let seen = word.load(Acquire);
        let level = HaltLevel::of(seen & BITS).map_or("none", HaltLevel::as_str);
        if !sound {
            // Nobody vouches for them.
            (row.audit, row.triggers) = (0, String::new());
        }
        (row.level, row.resumed_at, row.halts) = (0, tx.now, row.halts.max(1));
        (row.by, row.reason) = (actor.to_string(), reason.to_owned());
        guard::forget_spending(tx, None)?;
        let mut detail = json!({ "level": level, "since": row.since, "reason": reason });
        if !sound {
            detail["settings_lost"] = true.into();
        }
        if let (Some(key), Actor::Authority(_)) = (key, actor) {
            detail["key"] = hex(key.public().as_bytes()).into();
            detail["signature"] = hex(&key.sign(&message(core, &row))).into();
        }
        let entry = audit::record(tx, actor, "resume", 0, 0, &detail)?;
        (row.cleared, row.settled) = (row.halts, entry);
        guard::save(tx, &row)?;
        Ok(seen)
    })?;
    core.doubt(false);
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
