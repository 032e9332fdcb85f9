//! Stands between a test program and the operating system: defines the functions of the C library by which
//! Rust and SQLite change files, so that calls on files below a watched folder can be recorded, refused, or
//! be the last thing the process does. The engine notices nothing of it.
//!
//! A program that has these functions uses them in place of those of the C library (the linker takes
//! the first definition it meets); each ends in the system call that it stands for. What is stored through
//! memory maps is not seen before it is synced.
#![allow(clippy::missing_safety_doc, dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unused_self, reason = "who has the watch may change what is static")]

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use libc::{c_char, c_int, c_long, c_void, mode_t, off64_t, size_t, ssize_t};

/// Kinds of calls, to be added up.
pub const OPEN: u32 = 1;
pub const WRITE: u32 = 2;
pub const SYNC: u32 = 4;
pub const RENAME: u32 = 8;
pub const MAP: u32 = 16;
pub const TRUNCATE: u32 = 32;
pub const REMOVE: u32 = 64;
pub const MAKE: u32 = 128;
pub const ALL: u32 = 255;

/// Something that happened to the files below the watched folder.
#[derive(Debug, Clone)]
pub enum Event {
    Create {
        path: PathBuf,
        file: u32,
    },
    Write {
        file: u32,
        at: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        file: u32,
        length: u64,
    },
    Sync {
        file: u32,
    },
    /// What is stored through a map was made durable.
    SyncMap {
        file: u32,
        bytes: Vec<u8>,
    },
    SyncFolder {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Folder {
        path: PathBuf,
    },
    /// Said by the test.
    Mark(Mark),
}

/// What a test puts into the trace.
#[derive(Debug, Clone)]
pub enum Mark {
    /// The operation with this number begins.
    Issued(u64),
    /// It was acknowledged.
    Acknowledged(u64),
    /// All that was acknowledged was made durable.
    Flushed(u64),
    /// What a file holds that is written through a map.
    Mapped(PathBuf, Vec<u8>),
}

enum Handle {
    File(u32),
    Folder(PathBuf),
}

struct Trace {
    events: Vec<Event>,
    names: HashMap<PathBuf, u32>,
    folders: HashSet<PathBuf>,
    handles: HashMap<c_int, Handle>,
    /// Which file lies at which address.
    maps: HashMap<usize, u32>,
    files: u32,
}

static ROOT: RwLock<Vec<u8>> = RwLock::new(Vec::new());
/// Which descriptors are of watched files.
static WATCHED: [AtomicBool; 4096] = [const { AtomicBool::new(false) }; 4096];
static TRACE: Mutex<Option<Trace>> = Mutex::new(None);
static ONE: Mutex<()> = Mutex::new(());

static KINDS: AtomicU32 = AtomicU32::new(0);
/// Calls of these kinds still to come before the one that fails.
static BEFORE: AtomicI64 = AtomicI64::new(0);
static STAYS: AtomicBool = AtomicBool::new(false);
/// What it fails with; 0: the process ends there.
static ERROR: AtomicI32 = AtomicI32::new(0);
static FAILED: AtomicI64 = AtomicI64::new(0);

/// A folder being watched, by one test at a time.
pub struct Watch {
    _one: MutexGuard<'static, ()>,
}

impl Watch {
    pub fn new(root: &Path) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        *ROOT.write().unwrap_or_else(PoisonError::into_inner) = root.as_os_str().as_bytes().to_vec();
        Self { _one: one }
    }

    /// Records from now on; the folder is empty.
    pub fn record(&self, root: &Path) {
        *trace() = Some(Trace {
            events: Vec::new(),
            names: HashMap::new(),
            folders: HashSet::from([root.to_owned()]),
            handles: HashMap::new(),
            maps: HashMap::new(),
            files: 0,
        });
    }

    pub fn mark(&self, mark: Mark) {
        if let Some(trace) = &mut *trace() {
            trace.events.push(Event::Mark(mark));
        }
    }

    /// Ends recording.
    pub fn recorded(&self) -> Vec<Event> {
        trace().take().map(|trace| trace.events).unwrap_or_default()
    }

    /// Lets the call after `before` others of these kinds fail with `error`, and those after it too if
    /// `stays`. With 0 for an error the process ends there.
    pub fn fail(&self, kinds: u32, before: i64, stays: bool, error: i32) {
        FAILED.store(0, SeqCst);
        BEFORE.store(before, SeqCst);
        STAYS.store(stays, SeqCst);
        ERROR.store(error, SeqCst);
        KINDS.store(kinds, SeqCst);
    }

    /// Lets nothing fail any more; returns how many calls have failed.
    pub fn heal(&self) -> i64 {
        KINDS.store(0, SeqCst);
        FAILED.load(SeqCst)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.heal();
        self.recorded();
        ROOT.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn trace() -> MutexGuard<'static, Option<Trace>> {
    TRACE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The path, if it is below the watched folder.
unsafe fn watched_path(path: *const c_char) -> Option<PathBuf> {
    let root = ROOT.read().unwrap_or_else(PoisonError::into_inner);
    if root.is_empty() || path.is_null() {
        return None;
    }
    // SAFETY: the caller of a C function that takes a path gives a string that ends in NUL.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    bytes.starts_with(&root).then(|| PathBuf::from(OsStr::from_bytes(bytes)))
}

fn is_watched(fd: c_int) -> bool {
    usize::try_from(fd).ok().and_then(|fd| WATCHED.get(fd)).is_some_and(|flag| flag.load(SeqCst))
}

fn set_watched(fd: c_int, watched: bool) {
    if let Some(flag) = usize::try_from(fd).ok().and_then(|fd| WATCHED.get(fd)) {
        flag.store(watched, SeqCst);
    }
}

/// Whether a call of this kind is to fail; errno is set then.
fn refused(kind: u32) -> bool {
    if KINDS.load(SeqCst) & kind == 0 {
        return false;
    }
    let before = BEFORE.fetch_sub(1, SeqCst);
    if before > 0 || (before < 0 && !STAYS.load(SeqCst)) {
        return false;
    }
    let error = ERROR.load(SeqCst);
    // SAFETY: the first ends this process; the second sets the errno of this thread.
    unsafe {
        if error == 0 {
            libc::kill(libc::getpid(), libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
        *libc::__errno_location() = error;
    }
    FAILED.fetch_add(1, SeqCst);
    true
}

impl Trace {
    fn opened(&mut self, fd: c_int, path: PathBuf, flags: c_int) {
        let handle = if self.folders.contains(&path) {
            Handle::Folder(path)
        } else {
            let files = &mut self.files;
            let events = &mut self.events;
            let file = *self.names.entry(path.clone()).or_insert_with(|| {
                *files += 1;
                events.push(Event::Create { path, file: *files });
                *files
            });
            if flags & libc::O_TRUNC != 0 {
                self.events.push(Event::Truncate { file, length: 0 });
            }
            Handle::File(file)
        };
        self.handles.insert(fd, handle);
    }

    fn wrote(&mut self, fd: c_int, at: u64, bytes: &[u8]) {
        if let Some(Handle::File(file)) = self.handles.get(&fd) {
            self.events.push(Event::Write { file: *file, at, bytes: bytes.to_vec() });
        }
    }
}

unsafe fn open_with(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as the caller of `open` promises.
    let watched = unsafe { watched_path(path) };
    if watched.is_some() && refused(OPEN) {
        return -1;
    }
    let mut trace = watched.is_some().then(trace);
    // SAFETY: the system call behind `open`, with its arguments.
    let fd = unsafe {
        libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, c_long::from(flags), c_long::from(mode))
            as c_int
    };
    if fd >= 0 {
        set_watched(fd, watched.is_some());
        if let (Some(path), Some(Some(trace))) = (watched, trace.as_deref_mut()) {
            trace.opened(fd, path, flags);
        }
    }
    fd
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: passed on.
    unsafe { open_with(path, flags, mode) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: passed on.
    unsafe { open_with(path, flags, mode) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    if is_watched(fd) {
        let mut trace = trace();
        set_watched(fd, false);
        if let Some(trace) = &mut *trace {
            trace.handles.remove(&fd);
        }
        drop(trace);
    }
    // SAFETY: the system call.
    unsafe { libc::syscall(libc::SYS_close, c_long::from(fd)) as c_int }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, count: size_t) -> ssize_t {
    if !is_watched(fd) {
        // SAFETY: the system call.
        return unsafe { libc::syscall(libc::SYS_write, c_long::from(fd), bytes, count) as ssize_t };
    }
    if refused(WRITE) {
        return -1;
    }
    let mut trace = trace();
    // SAFETY: the system calls; what was written was readable.
    unsafe {
        let at = libc::syscall(libc::SYS_lseek, c_long::from(fd), 0 as c_long, c_long::from(libc::SEEK_CUR));
        let written = libc::syscall(libc::SYS_write, c_long::from(fd), bytes, count) as ssize_t;
        if let (Some(trace), Ok(written)) = (&mut *trace, usize::try_from(written)) {
            trace.wrote(fd, at as u64, std::slice::from_raw_parts(bytes.cast(), written));
        }
        written
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, count: size_t, at: off64_t) -> ssize_t {
    let watched = is_watched(fd);
    if watched && refused(WRITE) {
        return -1;
    }
    let mut trace = watched.then(trace);
    // SAFETY: the system call; what was written was readable.
    unsafe {
        let written = libc::syscall(libc::SYS_pwrite64, c_long::from(fd), bytes, count, at) as ssize_t;
        if let (Some(Some(trace)), Ok(written)) = (trace.as_deref_mut(), usize::try_from(written)) {
            trace.wrote(fd, at as u64, std::slice::from_raw_parts(bytes.cast(), written));
        }
        written
    }
}

unsafe fn sync_with(call: c_long, fd: c_int) -> c_int {
    let watched = is_watched(fd);
    if watched && refused(SYNC) {
        return -1;
    }
    let mut trace = watched.then(trace);
    if let Some(Some(trace)) = trace.as_deref_mut() {
        match trace.handles.get(&fd) {
            Some(Handle::File(file)) => trace.events.push(Event::Sync { file: *file }),
            Some(Handle::Folder(path)) => trace.events.push(Event::SyncFolder { path: path.clone() }),
            None => {}
        }
        // What is recorded need not be synced: the images are made from the record.
        return 0;
    }
    // SAFETY: the system call.
    unsafe { libc::syscall(call, c_long::from(fd)) as c_int }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: passed on.
    unsafe { sync_with(libc::SYS_fsync, fd) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: passed on.
    unsafe { sync_with(libc::SYS_fdatasync, fd) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    let watched = is_watched(fd);
    if watched && refused(TRUNCATE) {
        return -1;
    }
    let mut trace = watched.then(trace);
    // SAFETY: the system call.
    let result = unsafe { libc::syscall(libc::SYS_ftruncate, c_long::from(fd), length) as c_int };
    if let (0, Some(Some(trace))) = (result, trace.as_deref_mut())
        && let Some(Handle::File(file)) = trace.handles.get(&fd)
    {
        trace.events.push(Event::Truncate { file: *file, length: length as u64 });
    }
    result
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: as the caller of `rename` promises.
    let paths = unsafe { watched_path(from).zip(watched_path(to)) };
    if paths.is_some() && refused(RENAME) {
        return -1;
    }
    let mut trace = paths.is_some().then(trace);
    // SAFETY: the system call.
    let result = unsafe { libc::syscall(libc::SYS_rename, from, to) as c_int };
    if let (0, Some((from, to)), Some(Some(trace))) = (result, paths, trace.as_deref_mut()) {
        if let Some(file) = trace.names.remove(&from) {
            trace.names.insert(to.clone(), file);
        }
        trace.events.push(Event::Rename { from, to });
    }
    result
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn linkat(
    from_fd: c_int,
    from: *const c_char,
    to_fd: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: as the caller of `linkat` promises.
    let paths = unsafe { watched_path(from).zip(watched_path(to)) };
    if paths.is_some() && refused(RENAME) {
        return -1;
    }
    let mut trace = paths.is_some().then(trace);
    // SAFETY: the system call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_linkat,
            c_long::from(from_fd),
            from,
            c_long::from(to_fd),
            to,
            c_long::from(flags),
        ) as c_int
    };
    if let (0, Some((from, to)), Some(Some(trace))) = (result, paths, trace.as_deref_mut()) {
        if let Some(file) = trace.names.get(&from).copied() {
            trace.names.insert(to.clone(), file);
        }
        trace.events.push(Event::Link { from, to });
    }
    result
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: as the caller of `unlink` promises.
    let watched = unsafe { watched_path(path) };
    if watched.is_some() && refused(REMOVE) {
        return -1;
    }
    let mut trace = watched.is_some().then(trace);
    // SAFETY: the system call.
    let result = unsafe { libc::syscall(libc::SYS_unlink, path) as c_int };
    if let (0, Some(path), Some(Some(trace))) = (result, watched, trace.as_deref_mut()) {
        trace.names.remove(&path);
        trace.events.push(Event::Remove { path });
    }
    result
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: as the caller of `mkdir` promises.
    let watched = unsafe { watched_path(path) };
    if watched.is_some() && refused(MAKE) {
        return -1;
    }
    let mut trace = watched.is_some().then(trace);
    // SAFETY: the system call.
    let result = unsafe { libc::syscall(libc::SYS_mkdir, path, c_long::from(mode)) as c_int };
    if let (0, Some(path), Some(Some(trace))) = (result, watched, trace.as_deref_mut()) {
        trace.folders.insert(path.clone());
        trace.events.push(Event::Folder { path });
    }
    result
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap64(
    address: *mut c_void,
    length: size_t,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    at: off64_t,
) -> *mut c_void {
    if fd >= 0 && is_watched(fd) && refused(MAP) {
        return libc::MAP_FAILED;
    }
    // SAFETY: the system call.
    let map = unsafe {
        libc::syscall(
            libc::SYS_mmap,
            address,
            length,
            c_long::from(protection),
            c_long::from(flags),
            c_long::from(fd),
            at,
        ) as *mut c_void
    };
    if fd >= 0
        && is_watched(fd)
        && map != libc::MAP_FAILED
        && let Some(trace) = &mut *trace()
        && let Some(Handle::File(file)) = trace.handles.get(&fd)
    {
        trace.maps.insert(map.addr(), *file);
    }
    map
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn msync(address: *mut c_void, length: size_t, flags: c_int) -> c_int {
    // SAFETY: the system call.
    let result = unsafe { libc::syscall(libc::SYS_msync, address, length, c_long::from(flags)) as c_int };
    if result == 0
        && let Some(trace) = &mut *trace()
        && let Some(file) = trace.maps.get(&address.addr())
    {
        // SAFETY: it is mapped, or the call would have failed.
        let bytes = unsafe { std::slice::from_raw_parts(address.cast::<u8>(), length) }.to_vec();
        trace.events.push(Event::SyncMap { file: *file, bytes });
    }
    result
}
