//! The one error type. Every variant names what is wrong and the way out; its [`ErrorCode`] is
//! the same number in Rust, C and Python.

use std::path::{Path, PathBuf};

/// Result of every fallible call of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is outside its range or contradicts another one.
    #[error("invalid {what}: {why}")]
    InvalidArgument {
        /// The argument, as the API names it.
        what: &'static str,
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// A vector has another number of dimensions than the store.
    #[error("wrong dimension: the store holds vectors of {expected} numbers, this one has {got}")]
    WrongDimension {
        /// Dimension of the store.
        expected: usize,
        /// Length of the vector given.
        got: usize,
    },
    /// A vector holds NaN or an infinity (also when squaring it overflows an f32).
    #[error(
        "vector element {index} is {value}: every element must be finite, and so must the squared length"
    )]
    NotFinite {
        /// Position in the vector.
        index: usize,
        /// The offending value.
        value: f32,
    },
    /// A zero vector has no direction, so it has no cosine: refused under cosine, and under dot
    /// where it is a query or a situation, which are compared by cosine.
    #[error(
        "zero vector: it has no direction, and so no cosine with anything; leave it out, or use a store with metric l2"
    )]
    ZeroVector,
    /// Text that has to be UTF-8 is not.
    #[error("{what} is not valid UTF-8 (first bad byte at {at})")]
    NotUtf8 {
        /// The argument, as the API names it.
        what: &'static str,
        /// Offset of the first byte that is not UTF-8.
        at: usize,
    },
    /// The handle was closed.
    #[error("the store is closed: open it again")]
    Closed,
    /// The handle was opened in another process, before a fork.
    #[error(
        "this handle was opened by process {opened_by} and is used in process {here}: open the store again after fork"
    )]
    Forked {
        /// Process that opened the handle.
        opened_by: u32,
        /// Process that uses it.
        here: u32,
    },
    /// A write on a store opened read-only.
    #[error("the store at {path} is read-only: {why}", path = .path.display())]
    ReadOnly {
        /// Directory of the store.
        path: PathBuf,
        /// Whether the caller or the file system made it so.
        why: String,
    },
    /// The store was created with other settings than those asked for, or a vector was made with another
    /// embedding model than those of the store.
    #[error("the store at {path} was created with {what} {stored}, and {given} is given: leave {what} out, use another store, or re-embed this one", path = .path.display())]
    Mismatch {
        /// Directory of the store.
        path: PathBuf,
        /// Which setting.
        what: &'static str,
        /// Its value in the store.
        stored: String,
        /// Its value in the options, or with the vector.
        given: String,
    },
    /// One of several memories or reports given together is at fault; none of them was stored.
    #[error("row {row} of the batch: {source} (none of the batch was stored)")]
    Row {
        /// Position in the batch, from 0.
        row: usize,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// No memory has this id, or it was forgotten.
    #[error("no memory has id {id}: it was never stored here, or it was forgotten")]
    UnknownMemory {
        /// The id asked for.
        id: u64,
    },
    /// No receipt has this id.
    #[error("no receipt {id}: it was not issued by this store, or it expired unreported")]
    UnknownReceipt {
        /// The receipt asked for.
        id: String,
    },
    /// An idempotency key was used before for something else.
    #[error(
        "key {key:?} was used before, by {by}, with other contents: use another key, or update what it names"
    )]
    KeyConflict {
        /// The key.
        key: String,
        /// What holds it.
        by: String,
    },
    /// A report names a memory that its recall had not shown.
    #[error(
        "memory {memory} was not among the hits of receipt {receipt}: name only memories it has shown, or report on the memory without a receipt"
    )]
    NotShown {
        /// The memory named as used.
        memory: u64,
        /// The receipt of the report.
        receipt: String,
    },
    /// No report has this id.
    #[error("no report has id {id}: ids are given out by this store as it takes reports")]
    UnknownReport {
        /// The id asked for.
        id: u64,
    },
    /// A report names a reporter and does not prove it.
    #[error(
        "the report does not prove that {name:?} tells it: give the token that registering {name:?} returned, register it again for a new one, or, for a name that is not registered, leave the token out"
    )]
    BadToken {
        /// The reporter named.
        name: String,
    },
    /// No directive has this id.
    #[error("no directive has the id {id:?}: list the directives to see those there are")]
    UnknownDirective {
        /// The id asked for.
        id: String,
    },
    /// A key, signature or authority is not good for what was asked.
    #[error("not authorised: {why}")]
    Unauthorised {
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// A directive contradicts, hides or repeats another one.
    #[error(
        "directive {id:?} {why} directive {other:?}: change one of them, or add it by force with a reason"
    )]
    RuleConflict {
        /// The directive that was to be added.
        id: String,
        /// The one that stands.
        other: String,
        /// How they conflict, such as "contradicts".
        why: String,
    },
    /// The file system refused.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Io {
        /// What was attempted ("open", "write", ...).
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Another process or thread holds the write lock for longer than the bound given at open.
    #[error(
        "the store is busy: {holder} has held the write lock for more than {waited_ms} ms; try again, or open with a longer busy timeout"
    )]
    Busy {
        /// Who holds it, as far as known.
        holder: String,
        /// How long this call waited.
        waited_ms: u64,
    },
    /// The disk is full; nothing acknowledged is lost.
    #[error("the disk that holds {path} is full: nothing acknowledged is lost; free room and repeat the call", path = .path.display())]
    DiskFull {
        /// Directory of the store.
        path: PathBuf,
    },
    /// The path holds something else.
    #[error("{path} is not a Wisen store: {why}", path = .path.display())]
    NotAStore {
        /// The path given.
        path: PathBuf,
        /// What was found instead.
        why: String,
    },
    /// The store was written by a newer Wisen.
    #[error("the store at {path} has schema version {found}, this library knows up to {known}: open it with a newer Wisen", path = .path.display())]
    NewerSchema {
        /// Directory of the store.
        path: PathBuf,
        /// Version found.
        found: i64,
        /// Newest version this library reads.
        known: i64,
    },
    /// The database is damaged.
    #[error("the store is damaged: {what}; run `wisen verify --full` for the extent and restore a backup")]
    Corrupt {
        /// Which record or file, and how it is damaged.
        what: String,
    },
    /// An export cannot be imported; nothing was.
    #[error("line {line} of the export: {why} (nothing was imported)")]
    BadImport {
        /// The line at fault, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be restored from; nothing was.
    #[error("{path} is no whole backup: {why} (nothing was restored; use another backup)", path = .path.display())]
    BadBackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The store was halted, and the call is one that the halt forbids.
    #[error(
        "the store is halted ({level}) since {since} by {by}: {reason}; it goes on when it is resumed (`resume`, signed by an authority if the store has any)"
    )]
    Halted {
        /// How much is halted: `"no_writes"`, `"no_recalls"`, `"no_memory"` or `"deny_all"`.
        level: &'static str,
        /// Since when (UTC).
        since: String,
        /// Who halted it.
        by: String,
        /// Why.
        reason: String,
    },
    /// A memory, or another text to be stored, was not let in, by the hook of the handle or because of a secret
    /// in it.
    #[error("refused by {by}: {why}; change it, or the setting that refuses it")]
    Refused {
        /// `"the hook"` or `"the secret detectors"`.
        by: &'static str,
        /// Why.
        why: String,
    },
    /// A defect of Wisen itself, or of SQLite as it is used here.
    #[error("internal error: {what}; please report it")]
    Internal {
        /// What happened.
        what: String,
    },
}

/// Stable number of an error, the same in Rust, C (`wisen_status`) and Python (`.code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each code is described by the Error variant of the same name")]
pub enum ErrorCode {
    InvalidArgument = 101,
    WrongDimension = 102,
    NotFinite = 103,
    ZeroVector = 104,
    NotUtf8 = 105,
    Closed = 106,
    Forked = 107,
    ReadOnly = 108,
    Mismatch = 109,
    UnknownMemory = 201,
    UnknownReceipt = 202,
    KeyConflict = 203,
    NotShown = 204,
    UnknownReport = 205,
    BadToken = 206,
    UnknownDirective = 207,
    Unauthorised = 208,
    RuleConflict = 209,
    Io = 301,
    Busy = 302,
    DiskFull = 303,
    NotAStore = 401,
    NewerSchema = 402,
    Corrupt = 403,
    BadImport = 404,
    BadBackup = 405,
    Halted = 501,
    Refused = 502,
    Internal = 901,
}

impl Error {
    /// The stable number of this error. A [`Error::Row`] has the code of what is wrong with its row.
    pub fn code(&self) -> ErrorCode {
        match self {
            Error::InvalidArgument { .. } => ErrorCode::InvalidArgument,
            Error::WrongDimension { .. } => ErrorCode::WrongDimension,
            Error::NotFinite { .. } => ErrorCode::NotFinite,
            Error::ZeroVector => ErrorCode::ZeroVector,
            Error::NotUtf8 { .. } => ErrorCode::NotUtf8,
            Error::Closed => ErrorCode::Closed,
            Error::Forked { .. } => ErrorCode::Forked,
            Error::ReadOnly { .. } => ErrorCode::ReadOnly,
            Error::Mismatch { .. } => ErrorCode::Mismatch,
            Error::Row { source, .. } => source.code(),
            Error::UnknownMemory { .. } => ErrorCode::UnknownMemory,
            Error::UnknownReceipt { .. } => ErrorCode::UnknownReceipt,
            Error::KeyConflict { .. } => ErrorCode::KeyConflict,
            Error::NotShown { .. } => ErrorCode::NotShown,
            Error::UnknownReport { .. } => ErrorCode::UnknownReport,
            Error::BadToken { .. } => ErrorCode::BadToken,
            Error::UnknownDirective { .. } => ErrorCode::UnknownDirective,
            Error::Unauthorised { .. } => ErrorCode::Unauthorised,
            Error::RuleConflict { .. } => ErrorCode::RuleConflict,
            Error::Io { .. } => ErrorCode::Io,
            Error::Busy { .. } => ErrorCode::Busy,
            Error::DiskFull { .. } => ErrorCode::DiskFull,
            Error::NotAStore { .. } => ErrorCode::NotAStore,
            Error::NewerSchema { .. } => ErrorCode::NewerSchema,
            Error::Corrupt { .. } => ErrorCode::Corrupt,
            Error::BadImport { .. } => ErrorCode::BadImport,
            Error::BadBackup { .. } => ErrorCode::BadBackup,
            Error::Halted { .. } => ErrorCode::Halted,
            Error::Refused { .. } => ErrorCode::Refused,
            Error::Internal { .. } => ErrorCode::Internal,
        }
    }

    pub(crate) fn invalid(what: &'static str, why: impl Into<String>) -> Self {
        Error::InvalidArgument { what, why: why.into() }
    }

    pub(crate) fn unauthorised(why: impl Into<String>) -> Self {
        Error::Unauthorised { why: why.into() }
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Error::Corrupt { what: what.into() }
    }

    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        Error::Internal { what: what.to_string() }
    }

    /// For `map_err` around a call of the operating system.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Error::DiskFull { path },
            _ => Error::Io { action, path, source },
        }
    }
}
