//! What guards a store: halts, triggers, the audit's verification, and what is let in.

use std::ffi::{c_char, c_void};

use wisen::{AuditLevel, HaltLevel, Incoming, Ruling, SecretAction, SecretKey, Source, Triggers};

use crate::call::call_on;
use crate::error::{Fault, invalid, wisen_error};
use crate::raw::{In, Out, from_c};
use crate::sized::Given;
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::wisen_text;

/// How much of a store is halted. Two halts add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_halt_level {
    /// Not halted.
    WISEN_NOT_HALTED = 0,
    /// Nothing may be remembered, changed, reported or decided. Recalls go on.
    WISEN_NO_WRITES = 1,
    /// Nothing may be recalled.
    WISEN_NO_RECALLS = 2,
    /// Neither.
    WISEN_NO_MEMORY = 3,
    /// As WISEN_NO_MEMORY; besides, every check of an action denies, and nothing is shown but how the store
    /// stands.
    WISEN_DENY_ALL = 7,
}

use wisen_halt_level as L;

const LEVELS: [(wisen_halt_level, HaltLevel); 4] = [
    (L::WISEN_NO_WRITES, HaltLevel::NoWrites),
    (L::WISEN_NO_RECALLS, HaltLevel::NoRecalls),
    (L::WISEN_NO_MEMORY, HaltLevel::NoMemory),
    (L::WISEN_DENY_ALL, HaltLevel::DenyAll),
];

fn level(number: i32) -> Result<HaltLevel, Fault> {
    let found = LEVELS.iter().find(|(known, _)| *known as i32 == number);
    found.map(|(_, level)| *level).ok_or_else(|| invalid("level", format!("{number} is no level of a halt")))
}

fn number(level: HaltLevel) -> i32 {
    LEVELS.iter().find(|(_, known)| *known == level).map_or(L::WISEN_DENY_ALL as i32, |(n, _)| *n as i32)
}

/// What happens to keys, tokens and passwords in what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_secret_action {
    /// The default: WISEN_SECRETS_REDACT.
    WISEN_SECRETS_DEFAULT = 0,
    /// Nothing is looked for.
    WISEN_SECRETS_ALLOW = 1,
    /// The memory is stored as it is and flagged.
    WISEN_SECRETS_TAG = 2,
    /// The secret is replaced by its kind, and the memory is flagged.
    WISEN_SECRETS_REDACT = 3,
    /// The memory is refused with WISEN_REFUSED.
    WISEN_SECRETS_REFUSE = 4,
}

use wisen_secret_action as A;

pub(crate) fn secret_action(number: i32) -> Result<SecretAction, Fault> {
    Ok(match number {
        n if n == A::WISEN_SECRETS_DEFAULT as i32 => SecretAction::default(),
        n if n == A::WISEN_SECRETS_ALLOW as i32 => SecretAction::Allow,
        n if n == A::WISEN_SECRETS_TAG as i32 => SecretAction::Tag,
        n if n == A::WISEN_SECRETS_REDACT as i32 => SecretAction::Redact,
        n if n == A::WISEN_SECRETS_REFUSE as i32 => SecretAction::Refuse,
        n => return Err(invalid("secrets", format!("{n} is no wisen_secret_action"))),
    })
}

/// What kind of source a memory comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_source {
    /// Not told.
    WISEN_SOURCE_UNKNOWN = 0,
    /// A person said or wrote it.
    WISEN_SOURCE_HUMAN = 1,
    /// The output of a tool.
    WISEN_SOURCE_TOOL = 2,
    /// A page or message from outside.
    WISEN_SOURCE_WEB = 3,
    /// An agent concluded it.
    WISEN_SOURCE_AGENT = 4,
    /// It was brought in from another store or file.
    WISEN_SOURCE_IMPORT = 5,
}

use wisen_source as F;

const SOURCES: [(wisen_source, Source); 5] = [
    (F::WISEN_SOURCE_HUMAN, Source::Human),
    (F::WISEN_SOURCE_TOOL, Source::Tool),
    (F::WISEN_SOURCE_WEB, Source::Web),
    (F::WISEN_SOURCE_AGENT, Source::Agent),
    (F::WISEN_SOURCE_IMPORT, Source::Import),
];

pub(crate) fn source(number: i32) -> Result<Option<Source>, Fault> {
    if number == F::WISEN_SOURCE_UNKNOWN as i32 {
        return Ok(None);
    }
    let found = SOURCES.iter().find(|(known, _)| *known as i32 == number);
    found
        .map(|(_, source)| Some(*source))
        .ok_or_else(|| invalid("source", format!("{number} is no wisen_source")))
}

pub(crate) fn source_number(source: Option<Source>) -> i32 {
    let found = SOURCES.iter().find(|(_, known)| Some(*known) == source);
    found.map_or(F::WISEN_SOURCE_UNKNOWN as i32, |(number, _)| *number as i32)
}

/// A memory on its way in, as a hook sees it. Its texts end with a NUL and stay until the hook returns.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_incoming {
    /// Its text, after secrets were redacted, if they are.
    pub content: wisen_text,
    /// Its metadata, as JSON; "null" if it has none.
    pub metadata: wisen_text,
    /// Its namespace; empty for a change to a stored memory.
    pub namespace_name: wisen_text,
    /// Its kind; empty for a change to a stored memory.
    pub kind: wisen_text,
    /// Who wrote it; NULL if that is not told.
    pub author: wisen_text,
    /// A wisen_source.
    pub source: i32,
    /// 0.
    pub reserved: u32,
}

/// What a hook decides: all NULL as it comes, which lets the memory in as it is. Texts that the hook sets have to
/// stay as they are until it is called again on the same thread.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_ruling {
    /// Why the memory is refused. NULL: it is not.
    pub refuse: wisen_text,
    /// The text that is stored instead. NULL: as it is.
    pub content: wisen_text,
    /// A tag that is kept with the memory (up to 255 bytes). NULL: none.
    pub tag: wisen_text,
}

/// Looks at a memory that is remembered or changed through a handle, on the thread that does so; several threads
/// may be in it at once. `data` is wisen_options.hook_data. Must return, and throw nothing.
pub type wisen_hook =
    Option<unsafe extern "C" fn(data: *mut c_void, memory: *const wisen_incoming, ruling: *mut wisen_ruling)>;

/// The hook of C as the engine asks it.
pub(crate) fn ask(hook: &crate::raw::Callback, memory: &Incoming<'_>) -> Ruling {
    use crate::text::Chars;
    let content = Chars::new(memory.content);
    let metadata = Chars::new(memory.metadata.to_string());
    let (namespace, kind) = (Chars::new(memory.namespace), Chars::new(memory.kind));
    let author = memory.author.map(Chars::new);
    let seen = wisen_incoming {
        content: content.lend(),
        metadata: metadata.lend(),
        namespace_name: namespace.lend(),
        kind: kind.lend(),
        author: Chars::lend_option(author.as_ref()),
        source: source_number(memory.source),
        reserved: 0,
    };
    let given = hook.ask(&seen);
    let read =
        |what, text: wisen_text| In(text.data).text(what, text.size).map(|text| text.map(str::to_owned));
    let read = || -> Result<Ruling, Fault> {
        let mut ruling = match read("content", given.content)? {
            Some(content) => Ruling::redact(content),
            None => Ruling::allow(),
        };
        ruling.refuse = read("refuse", given.refuse)?;
        Ok(match read("tag", given.tag)? {
            Some(tag) => ruling.tag(tag),
            None => ruling,
        })
    };
    read().unwrap_or_else(|_| Ruling::refuse("what it answered is no text"))
}

/// What halts a store by itself. Make it with wisen_triggers_init(), or fill it with wisen_triggers(). 0 turns a
/// trigger off; after a resumption all of them begin anew.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wisen_triggers {
    /// Size of this structure, for growth: set by wisen_triggers_init().
    pub struct_size: u32,
    /// How much a trigger halts: a wisen_halt_level; 0: WISEN_DENY_ALL.
    pub level: i32,
    /// What the reports of the last 60 minutes say was spent, in millionths of the owner's currency.
    pub spend_per_hour_micros: i64,
    /// Actions denied within a minute, by all processes together.
    pub denials_per_minute: u32,
    /// How often in a row one handle may check the same action.
    pub repeats: u32,
    /// Failures (outcomes below 0.5) reported in a row.
    pub failures_in_a_row: u32,
    /// Must be 0.
    pub reserved: u32,
}

impl Given<'_, wisen_triggers> {
    fn triggers(&self) -> Result<Triggers, Fault> {
        if self.reserved != 0 {
            return Err(invalid("reserved", "it must be 0"));
        }
        let halts = if self.level == 0 { HaltLevel::DenyAll } else { level(self.level)? };
        Ok(Triggers::new()
            .level(halts)
            .denials_per_minute(self.denials_per_minute)
            .spend_per_hour_micros(self.spend_per_hour_micros)
            .repeats(self.repeats)
            .failures_in_a_row(self.failures_in_a_row))
    }
}

pub(crate) fn secret(key: In<c_char>, size: usize) -> Result<Option<SecretKey>, Fault> {
    Ok(key.text("key", size)?.map(SecretKey::parse).transpose()?)
}

/// Writes a text and a NUL; cut off, at a character, where there is no room for all of it.
fn put(text: &str, place: Out<c_char>, capacity: usize) {
    if capacity == 0 {
        return;
    }
    let mut end = text.len().min(capacity - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    place.write_many(text[..end].bytes().chain([0]).map(|byte| byte as c_char), end + 1);
}

/// Halts the store: once this returns, every call of any process that begins answers WISEN_HALTED if `level` (a
/// wisen_halt_level) forbids it, until somebody who may do so resumes it. Survives restarts, works on a full disk.
/// Anybody may halt; halting again adds to what is halted. `*recorded` (may be NULL) tells whether the halt is in
/// the database too: if that cannot be written, the control file alone has it. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_halt(
    store: *mut wisen_store,
    reason: *const c_char,
    reason_size: usize,
    level: i32,
    recorded: *mut bool,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, reason, recorded, error);
    call_on(store, error, |store| {
        let halt = store.store.halt(reason.some_text("reason", reason_size)?, self::level(level)?)?;
        recorded.write_if_wanted(halt.recorded);
        Ok(())
    })
}

/// `*level` becomes the wisen_halt_level in force, WISEN_NOT_HALTED if there is none. The reason, and a NUL, goes
/// to `reason`, which has room for `capacity` bytes (it is cut off if that does not suffice) or is NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_halted(
    store: *mut wisen_store,
    level: *mut i32,
    reason: *mut c_char,
    capacity: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, level, reason, error);
    call_on(store, error, |store| {
        let halt = store.store.halted()?;
        level.write("level", halt.as_ref().map_or(L::WISEN_NOT_HALTED as i32, |halt| number(halt.level)))?;
        if reason.check("reason").is_ok() {
            put(halt.as_ref().map_or("", |halt| &halt.reason), reason, capacity);
        }
        Ok(())
    })
}

/// Ends the halt in force, all of it. `key` is the secret key of an authority, as text, if the store has one, else
/// NULL: WISEN_UNAUTHORISED if it is none that is valid now. `*was` (may be NULL) tells whether it was halted. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_resume(
    store: *mut wisen_store,
    reason: *const c_char,
    reason_size: usize,
    key: *const c_char,
    key_size: usize,
    was: *mut bool,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, reason, key, was, error);
    call_on(store, error, |store| {
        let key = secret(key, key_size)?;
        let reason = reason.some_text("reason", reason_size)?;
        was.write_if_wanted(store.store.resume(reason, key.as_ref())?);
        Ok(())
    })
}

/// Sets what halts the store by itself. `key` as in wisen_resume(). Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_set_triggers(
    store: *mut wisen_store,
    triggers: *const wisen_triggers,
    key: *const c_char,
    key_size: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, triggers, key, error);
    call_on(store, error, |store| {
        let key = secret(key, key_size)?;
        Ok(store.store.set_triggers(triggers.read()?.triggers()?, key.as_ref())?)
    })
}

/// Fills `*triggers` with what halts the store by itself; `triggers->struct_size` must be set. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_triggers(
    store: *mut wisen_store,
    triggers: *mut wisen_triggers,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, triggers, error);
    call_on(store, error, |store| {
        let set = store.store.triggers()?;
        triggers.fill(&wisen_triggers {
            struct_size: size_of::<wisen_triggers>() as u32,
            level: number(set.level),
            spend_per_hour_micros: set.spend_per_hour_micros,
            denials_per_minute: set.denials_per_minute,
            repeats: set.repeats,
            failures_in_a_row: set.failures_in_a_row,
            reserved: 0,
        })
    })
}

/// Sets what the audit keeps from now on: everything (the default), or, if `decisions_only`, nothing of single
/// memories and reports but of those that the audit knows already. `key` as in wisen_resume(). Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_set_audit_level(
    store: *mut wisen_store,
    decisions_only: bool,
    key: *const c_char,
    key_size: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, key, error);
    call_on(store, error, |store| {
        let level = if decisions_only { AuditLevel::Decisions } else { AuditLevel::Everything };
        Ok(store.store.set_audit_level(level, secret(key, key_size)?.as_ref())?)
    })
}

/// What the audit keeps: `*decisions_only` becomes 1 if nothing of single memories and reports, 0 if everything. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_audit_level(
    store: *mut wisen_store,
    decisions_only: *mut u32,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, decisions_only, error);
    call_on(store, error, |store| {
        let level = store.store.audit_level()?;
        decisions_only.write("decisions_only", u32::from(level == AuditLevel::Decisions))
    })
}

/// Follows the chain of hashes over the whole audit, and holds every memory against the last hash recorded of it;
/// with an anchor (wisen_anchor(), kept elsewhere since; may be NULL) also finds a rewritten chain and a cut tail.
/// `*entries` (may be NULL) becomes the number of entries, `*faults` that of faults found (0: all is well), and the
/// first of them, and a NUL, goes to `what`, which has room for `capacity` bytes or is NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_audit_verify(
    store: *mut wisen_store,
    anchor: *const c_char,
    anchor_size: usize,
    entries: *mut u64,
    faults: *mut u64,
    what: *mut c_char,
    capacity: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, anchor, entries, faults, what, error);
    call_on(store, error, |store| {
        faults.check("faults")?;
        let found = store.store.audit_verify(anchor.text("anchor", anchor_size)?)?;
        entries.write_if_wanted(found.entries);
        if what.check("what").is_ok() {
            put(found.faults.first().map_or("", |fault| &fault.what), what, capacity);
        }
        faults.write("faults", found.faults.len() as u64)
    })
}

/// Bytes of an anchor, and a NUL: WISEN_ANCHOR_SIZE of the header.
const ANCHOR_SIZE: usize = 128;

/// Writes the number of entries and the hash of the last one, as one text and a NUL, to `anchor`, which has room
/// for `capacity` bytes: WISEN_ANCHOR_SIZE suffices. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_anchor(
    store: *mut wisen_store,
    anchor: *mut c_char,
    capacity: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, anchor, error);
    call_on(store, error, |store| {
        anchor.check("anchor")?;
        if capacity < ANCHOR_SIZE {
            return Err(invalid("capacity", format!("{capacity} bytes, {ANCHOR_SIZE} are needed")));
        }
        put(&store.store.anchor()?, anchor, capacity);
        Ok(())
    })
}

/// Writes the whole audit to the file `path` as JSON lines, oldest first. It appears whole or not at all, and takes the
/// place of one that is there; none in the directory of the store is. `*count` (may be NULL) becomes the number of
/// entries. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_audit_export(
    store: *mut wisen_store,
    path: *const c_char,
    path_size: usize,
    count: *mut u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, path, count, error);
    call_on(store, error, |store| {
        let written = store.store.audit_export_file(path.some_text("path", path_size)?, true)?;
        count.write_if_wanted(written);
        Ok(())
    })
}
