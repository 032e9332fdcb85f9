//! Damage to any file of a store: every byte changed in ten ways, every length cut to, files missing,
//! swapped with another store's, or replaced by older ones. What is opened then answers exactly as before,
//! or as it did earlier and says what is lost, or with a typed error: never wrongly, never with a panic,
//! never late. Without `WISEN_ATTACK` a small sample for some seconds; `ci` takes a larger one; a number
//! is that of cases to look at. `WISEN_SEED` repeats a sample, `WISEN_FILE` names the only file to damage.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wisen::{Error, ErrorCode, Options, Store};
use wisen_tests::copy_folder;
use wisen_tests::history::{self, DIM, Run, Twin, observe};

/// Cases of the sample under `WISEN_ATTACK=ci`, and how long it may take.
const CASES: u64 = 12_000;
const TIME: Duration = Duration::from_secs(90);
/// No case may take longer.
const LONGEST: Duration = Duration::from_secs(1);
/// How often a case that takes longer is looked at before it counts as slow.
const TRIES: usize = 3;
/// Operations of the history: sealed twice on the way, the last ones in the log only.
const OPERATIONS: u64 = 40;

/// A store with every kind of file, and what it looked like after each operation.
struct Golden {
    base: TempDir,
    seed: u64,
    looks: Vec<String>,
    /// As another store: what it looks like.
    other_seed: u64,
    other: String,
    files: Vec<(PathBuf, Vec<u8>)>,
}

fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_of(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Builds a store; leaves a copy of it as it was halfway, and does not close it.
fn build(path: &Path, halfway: Option<&Path>, seed: u64) {
    let living = path.with_extension("living");
    let mut store = Store::open(&living, Options::new(DIM).threads(1)).unwrap();
    let mut run = Run::begin(&store, seed).unwrap();
    for done in 0..OPERATIONS {
        run.step(&store).unwrap();
        if done == OPERATIONS / 3 || done == OPERATIONS * 4 / 5 {
            store.seal().unwrap();
            // The log begins anew, and stays short.
            store.close().unwrap();
            store = Store::open(&living, Options::existing().threads(1)).unwrap();
            run.look(&store).unwrap();
        }
        if done == OPERATIONS / 2
            && let Some(halfway) = halfway
        {
            copy_folder(&living, halfway);
        }
    }
    // As a kill would leave it.
    copy_folder(&living, path);
    drop(store);
    std::fs::remove_dir_all(living).unwrap();
    for entry in files_of(path) {
        if entry.to_string_lossy().ends_with("-shm") {
            std::fs::remove_file(entry).unwrap();
        }
    }
}

impl Golden {
    fn new(seed: u64) -> Self {
        let (base, other_seed) = (folder(), seed ^ 1);
        let kept = std::env::var_os("WISEN_GOLDEN").map(PathBuf::from);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_dir()) {
            copy_folder(kept, base.path());
        } else {
            build(&base.path().join("store"), Some(&base.path().join("halfway")), seed);
            build(&base.path().join("other"), None, other_seed);
            if let Some(kept) = kept {
                copy_folder(base.path(), &kept);
            }
        }
        let mut twin = Twin::new(seed).unwrap();
        let looks = (0..=OPERATIONS).map(|done| twin.at(done).unwrap().to_owned()).collect();
        let mut twin = Twin::new(other_seed).unwrap();
        twin.pass_to(OPERATIONS).unwrap();
        let other = twin.at(OPERATIONS).unwrap().to_owned();
        let store = base.path().join("store");
        let files = files_of(&store)
            .into_iter()
            .map(|file| (file.strip_prefix(&store).unwrap().to_owned(), std::fs::read(&file).unwrap()))
            .collect();
        Self { base, seed, looks, other_seed, other, files }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }
}

/// Writes a file with these bytes changed. Returns whether any is another one now.
fn overwrite(file: &Path, bytes: &[u8], which: Range<usize>, way: u8) -> bool {
    let mut new = bytes.to_vec();
    for byte in &mut new[which.clone()] {
        *byte = match way {
            0..8 => *byte ^ (1 << way),
            8 => 0,
            _ => 0xff,
        };
    }
    if new[which.clone()] == bytes[which.clone()] {
        return false;
    }
    // The file is there, as it was.
    let out = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    out.write_all_at(&new[which.clone()], which.start as u64).unwrap();
    true
}

/// One way to damage a store.
#[derive(Debug, Clone)]
enum Damage {
    Byte {
        file: usize,
        at: usize,
        way: u8,
    },
    /// All bytes of a stretch, each in this way.
    Stretch {
        file: usize,
        from: usize,
        to: usize,
        way: u8,
    },
    Cut {
        file: usize,
        to: usize,
    },
    Missing {
        file: usize,
    },
    Swapped {
        file: usize,
    },
    Older {
        file: usize,
    },
}

impl Damage {
    fn file(&self) -> usize {
        match self {
            Damage::Byte { file, .. }
            | Damage::Stretch { file, .. }
            | Damage::Cut { file, .. }
            | Damage::Missing { file }
            | Damage::Swapped { file }
            | Damage::Older { file } => *file,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Damage::Byte { .. } => "byte",
            Damage::Stretch { .. } => "gap",
            Damage::Cut { .. } => "cut",
            Damage::Missing { .. } => "missing",
            Damage::Swapped { .. } => "swapped",
            Damage::Older { .. } => "older",
        }
    }

    /// Damages a copy of the store. Returns whether that changed anything.
    fn inflict(&self, golden: &Golden, store: &Path) -> bool {
        let (name, bytes) = &golden.files[self.file()];
        let file = store.join(name);
        let from = |folder: &str| {
            let same = golden.at(folder).join(name);
            if same.exists() {
                return Some(same);
            }
            // Names of segments differ.
            let kin = files_of(&golden.at(folder));
            kin.into_iter().find(|path| path.extension() == file.extension() && path.parent() != Some(store))
        };
        match self {
            Damage::Byte { at, way, .. } => overwrite(&file, bytes, *at..*at + 1, *way),
            Damage::Stretch { from, to, way, .. } => overwrite(&file, bytes, *from..*to, *way),
            Damage::Cut { to, .. } => {
                std::fs::write(file, &bytes[..*to]).unwrap();
                true
            }
            Damage::Missing { .. } => std::fs::remove_file(file).is_ok(),
            Damage::Swapped { .. } => from("other").is_some_and(|other| std::fs::copy(other, file).is_ok()),
            Damage::Older { .. } => from("halfway").is_some_and(|older| std::fs::copy(older, file).is_ok()),
        }
    }
}

fn is_typed(error: &Error) -> bool {
    matches!(
        error.code(),
        ErrorCode::Corrupt
            | ErrorCode::NotAStore
            | ErrorCode::Io
            | ErrorCode::NewerSchema
            | ErrorCode::ReadOnly
            // A damaged word of the control file may say so: it fails closed.
            | ErrorCode::Halted
    )
}

/// What a damaged store does: a word for the count, or what is wrong.
fn look(golden: &Golden, path: &Path) -> Result<&'static str, String> {
    let store = match Store::open(path, Options::existing().threads(1)) {
        Ok(store) => store,
        Err(error) if is_typed(&error) => return Ok("refused"),
        Err(error) => return Err(format!("not a typed error at open: {error}")),
    };
    let typed = |error: Error| if is_typed(&error) { Ok("error") } else { Err(format!("untyped: {error}")) };
    let words = match observe(&store, golden.seed) {
        Ok(words) => words,
        Err(error) => return typed(error),
    };
    if words == golden.looks[OPERATIONS as usize] {
        return Ok("right");
    }
    // A damaged word of the control file may halt it, which the halt says of itself; all else has to be as it was.
    if let Some(halt) = store.halted().map_err(|error| format!("untyped: {error}"))? {
        let unhalted: String =
            words.split_inclusive('\n').filter(|line| !line.starts_with("halted ")).collect();
        if halt.reason.contains("control file") && unhalted == golden.looks[OPERATIONS as usize] {
            return Ok("halted, said");
        }
    }
    let said = match store.verify() {
        Ok(found) => found.faults,
        Err(error) => return typed(error),
    };
    match golden.looks.iter().position(|look| *look == words) {
        Some(_) if !said.is_empty() => return Ok("earlier, said"),
        Some(done) if done > 0 => {
            return Err(format!("after {done} of {OPERATIONS}, and verify says nothing"));
        }
        _ => {}
    }
    if observe(&store, golden.other_seed).is_ok_and(|words| words == golden.other) {
        return Ok("the other store");
    }
    if !said.is_empty() {
        return Ok("wrong, said");
    }
    let what = history::difference(&golden.looks[OPERATIONS as usize], &words);
    Err(format!("wrong answer ({what}), and verify says nothing"))
}

/// Every case there is, of those the `n`-th.
struct Cases {
    files: Vec<usize>,
}

impl Cases {
    fn new(golden: &Golden) -> Self {
        let only = std::env::var("WISEN_FILE").ok();
        let length = |(name, bytes): &(PathBuf, Vec<u8>)| match &only {
            Some(only) if !name.to_string_lossy().starts_with(only.as_str()) => 0,
            _ => bytes.len(),
        };
        Self { files: golden.files.iter().map(length).collect() }
    }

    fn count(&self) -> u64 {
        // Ten ways for each byte, and each length.
        self.files.iter().map(|length| 11 * *length as u64).sum()
    }

    fn nth(&self, mut n: u64) -> Damage {
        for (file, length) in self.files.iter().enumerate() {
            let here = 11 * *length as u64;
            if n < here {
                let (at, way) = ((n / 11) as usize, (n % 11) as u8);
                return if way < 10 { Damage::Byte { file, at, way } } else { Damage::Cut { file, to: at } };
            }
            n -= here;
        }
        unreachable!("there are fewer cases")
    }

    /// A case drawn so that every file gets its share, and bytes among zeros, which mostly mean nothing,
    /// less than theirs.
    fn draw(&self, golden: &Golden, rng: &mut fastrand::Rng) -> Damage {
        let files: Vec<usize> = (0..self.files.len()).filter(|file| self.files[*file] > 0).collect();
        let file = files[rng.usize(..files.len())];
        let before: u64 = self.files[..file].iter().map(|length| 11 * *length as u64).sum();
        loop {
            let n = rng.u64(..11 * self.files[file] as u64);
            let (at, bytes) = ((n / 11) as usize, &golden.files[file].1);
            let around = &bytes[at.saturating_sub(2)..(at + 3).min(bytes.len())];
            if around.iter().any(|byte| *byte != 0) || rng.u32(..10) == 0 {
                return self.nth(before + n);
            }
        }
    }

    fn whole_files(&self) -> Vec<Damage> {
        let all = 0..self.files.len();
        all.flat_map(|file| [Damage::Missing { file }, Damage::Swapped { file }, Damage::Older { file }])
            .collect()
    }
}

/// The stretches of a database in which SQLite keeps nothing: between the pointers to the cells of a page and the
/// cells.
fn gaps(bytes: &[u8]) -> Vec<Range<usize>> {
    let word = |at: usize| usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1]);
    if bytes.len() < 512 || !bytes.starts_with(b"SQLite format 3") {
        return Vec::new();
    }
    let page = if word(16) == 1 { 65536 } else { word(16) };
    let gap = |start: usize| {
        let head = start + if start == 0 { 100 } else { 0 };
        let pointers = match bytes[head] {
            2 | 5 => head + 12,
            10 | 13 => head + 8,
            // No tree.
            _ => return None,
        };
        let cells = if word(head + 5) == 0 { 65536 } else { word(head + 5) };
        Some(pointers + 2 * word(head + 3)..start + cells).filter(|gap| gap.len() > 1)
    };
    (0..bytes.len()).step_by(page).filter_map(gap).collect()
}

/// The contents of the pages in a write-ahead log. SQLite's checksum of a frame is linear and can be inverted word by
/// word, so that no change of one byte escapes it: whichever is changed, the log ends before that frame.
fn frames(bytes: &[u8]) -> Vec<Range<usize>> {
    if bytes.len() < 32 {
        return Vec::new();
    }
    let page = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
    (32..bytes.len()).step_by(24 + page).map(|frame| frame + 24..frame + 24 + page).collect()
}

/// The whole sweep: every case there is, but where many do the same, of these a few. In a page of a database what lies
/// between its parts is changed all at once, in each way; in the log, eight bytes of each page. (The samples of
/// `damaged_bytes_and_lengths_never_give_a_wrong_answer` leave nothing out.)
fn distinct(golden: &Golden) -> Vec<Damage> {
    let mut cases = Vec::new();
    for (file, (name, bytes)) in golden.files.iter().enumerate() {
        let log = name.to_string_lossy().ends_with("-wal");
        let mut alike = if log { frames(bytes) } else { gaps(bytes) }.into_iter().peekable();
        let mut at = 0;
        while at < bytes.len() {
            let Some(stretch) = alike.next_if(|stretch| stretch.start == at) else {
                cases.extend((0..10).map(|way| Damage::Byte { file, at, way }));
                cases.push(Damage::Cut { file, to: at });
                at += 1;
                continue;
            };
            let Range { start: from, end: to } = stretch.clone();
            for way in 0..10 {
                if log {
                    let some = stretch.clone().step_by(stretch.len() / 8 + 1);
                    cases.extend(some.map(|at| Damage::Byte { file, at, way }));
                } else {
                    cases.push(Damage::Stretch { file, from, to, way });
                }
            }
            cases.extend([from, from.midpoint(to), to - 1].map(|to| Damage::Cut { file, to }));
            at = to;
        }
    }
    cases
}

type Counts = BTreeMap<(String, &'static str), BTreeMap<String, u64>>;

/// Looks at cases on two threads until there are none or time is up.
fn sweep(golden: &Golden, cases: &[Damage], time: Duration) -> (Counts, Vec<String>, usize) {
    let next = AtomicUsize::new(0);
    let (counts, wrong) = (Mutex::new(Counts::new()), Mutex::new(Vec::new()));
    let begun = Instant::now();
    let busy: [AtomicU64; 2] = Default::default();
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (next, counts, wrong, busy) = (&next, &counts, &wrong, &busy[worker]);
            scope.spawn(move || {
                let copy = golden.at(&format!("copy{worker}"));
                while begun.elapsed() < time {
                    let Some(case) = cases.get(next.fetch_add(1, SeqCst)) else { break };
                    let mut result = Ok(Ok("right"));
                    let mut took = Duration::MAX;
                    let mut tries = 0;
                    // What takes long is looked at again: a machine that is busy elsewhere takes long too, once.
                    while took > LONGEST && tries < TRIES {
                        let _ = std::fs::remove_dir_all(&copy);
                        copy_folder(&golden.at("store"), &copy);
                        if !case.inflict(golden, &copy) {
                            break;
                        }
                        let start = Instant::now();
                        busy.store(begun.elapsed().as_millis() as u64 + 1, SeqCst);
                        result = catch_unwind(AssertUnwindSafe(|| look(golden, &copy)));
                        busy.store(0, SeqCst);
                        took = took.min(start.elapsed());
                        tries += 1;
                    }
                    if tries == 0 {
                        continue;
                    }
                    let name = golden.files[case.file()].0.to_string_lossy().into_owned();
                    let name = if name.starts_with("segments") { "segment".to_owned() } else { name };
                    let result = match result {
                        Err(_) => Err("a panic".to_owned()),
                        Ok(_) if took > LONGEST => Err(format!("it took {took:?}")),
                        // Segments are derived: nothing in them may matter to what is answered.
                        Ok(Ok(word)) if name == "segment" && word != "right" => Err(word.to_owned()),
                        Ok(result) => result,
                    };
                    let word = result.as_ref().map_or("WRONG", |word| word);
                    let mut counts = counts.lock().unwrap();
                    *counts
                        .entry((name.clone(), case.kind()))
                        .or_default()
                        .entry(word.to_owned())
                        .or_insert(0) += 1;
                    if let Err(what) = result {
                        wrong.lock().unwrap().push(format!("{name}, {case:?}: {what}"));
                    }
                }
            });
        }
        // A hang cannot be waited for: it ends the program.
        scope.spawn(|| {
            while next.load(SeqCst) < cases.len() && begun.elapsed() < time {
                std::thread::sleep(Duration::from_millis(200));
                for worker in &busy {
                    let since = worker.load(SeqCst);
                    if since > 0 && begun.elapsed().as_millis() as u64 > since + 30_000 {
                        eprintln!("a case hangs, around number {}", next.load(SeqCst));
                        std::process::abort();
                    }
                }
            }
        });
    });
    let looked = next.into_inner().min(cases.len());
    (counts.into_inner().unwrap(), wrong.into_inner().unwrap(), looked)
}

fn report(what: &str, seed: u64, counts: &Counts, wrong: &[String], looked: usize, of: u64, begun: Instant) {
    println!(
        "{what}: {looked} of {of} cases, {} wrong, in {:.0} s",
        wrong.len(),
        begun.elapsed().as_secs_f64()
    );
    for ((file, kind), counts) in counts {
        println!("  {file}, {kind}: {counts:?}");
    }
    assert!(
        wrong.is_empty(),
        "seed {seed}: {} wrong, such as\n{}",
        wrong.len(),
        wrong[..wrong.len().min(25)].join("\n")
    );
}

/// A sample of all bytes and lengths of all files.
#[test]
fn damaged_bytes_and_lengths_never_give_a_wrong_answer() {
    let seed = history::seed("corruption");
    let golden = Golden::new(seed);
    let all = Cases::new(&golden);
    let mut rng = fastrand::Rng::with_seed(seed);
    let cases: Vec<Damage> = (0..history::size(CASES)).map(|_| all.draw(&golden, &mut rng)).collect();
    let time =
        if std::env::var("WISEN_ATTACK").is_ok_and(|size| size != "ci") { Duration::MAX } else { TIME };
    let begun = Instant::now();
    let (counts, wrong, looked) = sweep(&golden, &cases, time);
    report("corruption", seed, &counts, &wrong, looked, all.count(), begun);
}

/// A stretch of the sweep over all cases: `WISEN_SWEEP` says where it begins, `WISEN_ATTACK` how long it is.
/// Cases come in an order that is spread over all files, and the same each time, as are the files if `WISEN_GOLDEN` names a
/// folder to keep them in: ids and times differ from one store to the next.
#[test]
fn a_stretch_of_the_whole_sweep() {
    let Ok(from) = std::env::var("WISEN_SWEEP").map(|from| from.parse::<u64>().unwrap()) else { return };
    let golden = Golden::new(1);
    let all = distinct(&golden);
    let count = all.len() as u64;
    let to = (from + history::size(CASES)).min(count);
    // A prime larger than any count reaches every case once.
    let spread = |n: u64| (u128::from(n) * 1_000_000_007 % u128::from(count)) as usize;
    let cases: Vec<Damage> = (from..to).map(|n| all[spread(n)].clone()).collect();
    let begun = Instant::now();
    let (counts, wrong, looked) = sweep(&golden, &cases, Duration::MAX);
    let what = format!("sweep from {from}, for all {} cases", Cases::new(&golden).count());
    report(&what, 1, &counts, &wrong, looked, count, begun);
}

/// Whole files missing, of another store, or older.
#[test]
fn files_missing_swapped_or_older_never_give_a_wrong_answer() {
    let seed = history::seed("corruption, whole files");
    let golden = Golden::new(seed);
    let cases = Cases::new(&golden).whole_files();
    let begun = Instant::now();
    let (counts, wrong, looked) = sweep(&golden, &cases, Duration::MAX);
    report("corruption, whole files", seed, &counts, &wrong, looked, cases.len() as u64, begun);
}
