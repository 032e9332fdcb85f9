//! The rules as this handle has them in memory, and what tells that they have changed.
//!
//! A change made through the library raises the generation in the control file. A change made by any other
//! program (the `sqlite3` shell, say) raises nothing of ours: but SQLite tells a connection that is held open
//! that something was committed (`PRAGMA data_version`), and then triggers have counted whether it was done
//! to the rules or to what guards the store. Only then are they read again; what was verified before is not
//! verified again. A check that finds nothing new reads no row.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::rules::{Action, Decision, FactValue, Index, Now, RuleBook};
use crate::store::directives::{self, Verified};
use crate::waits;

use super::core::Core;
use super::halt;
use super::ruled::Ruled;

/// The rules of a handle.
#[derive(Default)]
pub(crate) struct Rules {
    watch: Mutex<Watch>,
    current: RwLock<Option<Arc<State>>>,
    /// How often this handle has changed a fact.
    facts: AtomicU64,
    /// The last stamp that was given out.
    stamps: AtomicU64,
    /// Signatures found good. Taken last of all locks.
    pub(super) verified: Mutex<Verified>,
    /// What the rules say of the memories of a namespace.
    pub(super) ruled: Mutex<HashMap<i64, Judged>>,
}

/// What the rules say of the memories of one namespace, once they were asked; judged by one thread at a time.
type Judged = Arc<Mutex<Option<Arc<Ruled>>>>;

#[derive(Default)]
struct Watch {
    /// `None`: not opened yet, or the store is in memory.
    conn: Option<Connection>,
    data_version: i64,
    tick: (i64, i64),
}

/// The rules at one moment.
pub(crate) struct State {
    /// The highest generation known when they were read.
    seen: u64,
    /// How many changes of facts by this handle were certainly read.
    facts: u64,
    /// Another one for every change of directives or overrides.
    pub stamp: u64,
    generation: u64,
    /// No time before this one can be now.
    latest: Timestamp,
    /// Why they cannot be trusted, if they cannot.
    pub book: Result<RuleBook, String>,
    /// The guard row says that the store is halted.
    halted: bool,
}

impl State {
    /// The time to judge by.
    pub(crate) fn now(&self, core: &Core) -> Now {
        let clock = core.now();
        core.db.note_time(clock);
        let latest = clock.max(core.db.latest_time()).max(self.latest);
        Now { clock, latest: if crate::sabotage::on("clock_trusted") { clock } else { latest } }
    }
}

impl Rules {
    /// The rules in force. `thorough`: also looks whether another program has touched them.
    pub(crate) fn current(&self, core: &Core, thorough: bool) -> Result<Arc<State>> {
        let untold = crate::sabotage::on("rules_untold");
        let told = |state: &Arc<State>| {
            core.db.rules_generation() <= state.seen
                && self.facts.load(Ordering::Acquire) == state.facts
                // The row said so, and the control file does not: one of them has moved.
                && !(state.halted && core.halted().is_none())
        };
        let current = || waits::read(&self.current).clone();
        if !thorough && let Some(state) = current().filter(|state| untold || told(state)) {
            return Ok(state);
        }
        // One at a time asks whether anything has moved and replaces what is known: between the two nobody may
        // take the one for the other. Nobody who holds `current` waits for `watch`.
        let mut watch = waits::lock(&self.watch);
        let before = current();
        if let Some(state) = &before
            && (untold || told(state) && !(thorough && watch.has_moved()))
        {
            return Ok(state.clone());
        }
        // Before reading: a fact recorded meanwhile makes the state an old one.
        let facts = self.facts.load(Ordering::Acquire);
        match watch.load(core, before.as_deref()) {
            Ok(state) => {
                let state = Arc::new(State { facts, ..state });
                *waits::write(&self.current) = Some(state.clone());
                Ok(state)
            }
            Err(error) => {
                // Not known: whoever asks next reads again.
                *waits::write(&self.current) = None;
                Err(error)
            }
        }
    }

    /// A number that no state had before: what was judged by one is never taken for what another judges.
    fn next_stamp(&self) -> u64 {
        self.stamps.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// This handle has changed a fact.
    pub(crate) fn outdate(&self) {
        self.facts.fetch_add(1, Ordering::AcqRel);
    }

    /// Gives back what is held open.
    pub(crate) fn close(&self) {
        waits::lock(&self.watch).conn = None;
        *waits::write(&self.current) = None;
    }
}

impl Watch {
    /// Whether any program has touched the rules since they were read. What cannot be asked has.
    fn has_moved(&mut self) -> bool {
        let Some(conn) = &self.conn else {
            return false;
        };
        let Ok(data_version) = directives::data_version(conn) else {
            return true;
        };
        if data_version == self.data_version || crate::sabotage::on("hand_edits_unseen") {
            return false;
        }
        if directives::tick(conn).is_ok_and(|tick| tick == self.tick) {
            self.data_version = data_version;
            return false;
        }
        true
    }

    fn load(&mut self, core: &Core, before: Option<&State>) -> Result<State> {
        if self.conn.is_none() {
            self.conn = core.db.open_reader()?;
        }
        let Self { conn, data_version, tick } = self;
        let mut read = |conn: &Connection| {
            // Before anything is read, which then is at least as new.
            let (trust, word) = (core.trust(), core.halt_word());
            *tick = directives::tick(conn).unwrap_or_default();
            *data_version = directives::data_version(conn)?;
            let guard = halt::look(core, conn, &trust, word);
            let halted = matches!(guard, Ok(true));
            let loaded = guard.and_then(|_| {
                let signed = directives::load(conn, &trust, &mut core.rules.verified.lock())?;
                let facts = directives::facts(conn)?;
                Ok((signed, facts))
            });
            match loaded {
                Ok((signed, facts)) => {
                    State::of(core, trust.least, signed, facts, before).map(|state| State { halted, ..state })
                }
                Err(Error::Corrupt { what: why } | Error::Unauthorised { why }) => {
                    let stamp = core.rules.next_stamp();
                    let book = Err(format!("the rules of this store cannot be trusted: {why}"));
                    Ok(State { seen: trust.least, facts: 0, stamp, generation: 0, latest: 0, book, halted })
                }
                Err(error) => Err(error),
            }
        };
        match conn {
            Some(conn) => {
                let transaction = conn.unchecked_transaction().map_err(crate::store::sql)?;
                read(&transaction)
            }
            None => core.db.snapshot(read),
        }
    }
}

impl State {
    fn of(
        core: &Core,
        least: u64,
        signed: directives::Signed,
        facts: Vec<directives::FactRow>,
        before: Option<&State>,
    ) -> Result<State> {
        let known = before.and_then(|before| before.book.as_ref().ok());
        let same = before.is_some_and(|before| before.generation == signed.generation);
        let times = facts.iter().map(|fact| fact.at).chain(signed.overrides.iter().map(|row| row.at));
        let latest = times.fold(signed.at, Timestamp::max);
        let facts =
            facts.into_iter().map(|fact| (fact.name, FactValue { value: fact.value, until: fact.until }));
        let mut overrides: HashMap<String, Vec<Timestamp>> = HashMap::new();
        for row in signed.overrides {
            overrides.entry(row.directive).or_default().push(row.until);
        }
        let index = if let Some(book) = known.filter(|_| same) {
            book.index().clone()
        } else {
            let rules = signed.directives.into_iter().map(|row| row.directive).collect();
            Arc::new(Index::new(rules, known.map_or(&Index::default(), |book| book.index()))?)
        };
        let book = Ok(RuleBook::new(index, overrides, facts.collect()));
        core.db.note_rules(signed.generation);
        let stamp = match before {
            Some(before) if same && known.is_some() => before.stamp,
            _ => core.rules.next_stamp(),
        };
        let seen = least.max(signed.generation);
        Ok(State { seen, facts: 0, stamp, generation: signed.generation, latest, book, halted: false })
    }
}

/// What the rules say of an action.
pub(crate) fn check(core: &Core, action: &Action) -> Result<Decision> {
    if let Some(vector) = &action.vector {
        core.prepare(vector)?;
    }
    let closed = |why: String| {
        if crate::sabotage::on("fails_open") { Decision::open() } else { Decision::closed(why) }
    };
    Ok(match core.rules.current(core, true) {
        Err(error) => closed(format!("the rules cannot be read: {error}")),
        Ok(state) => match &state.book {
            Err(why) => closed(why.clone()),
            Ok(book) if book.is_empty() => Decision::open(),
            Ok(book) => book.check(action, state.now(core)),
        },
    })
}
