//! Child processes: the test program runs itself again, and its test `child` plays a part.
//!
//! A test file that needs a child has
//! `#[test] fn child() { if let Some(part) = child::part() { ... } }`; without a part it does nothing.

use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const PART: &str = "WISEN_TEST_PART";
const STORE: &str = "WISEN_TEST_STORE";
const NUMBER: &str = "WISEN_TEST_NUMBER";
const TEXT: &str = "WISEN_TEST_TEXT";
/// Marks what a child says among what the test harness prints.
const SAYS: &str = "@child ";

/// What a child is to do.
#[derive(Debug)]
pub struct Part {
    /// Which part it plays.
    pub name: String,
    /// The store it plays it on.
    pub store: PathBuf,
    /// A number that means what the part wants.
    pub number: u64,
    /// A text that means what the part wants.
    pub text: String,
}

/// The part of this process, if it is a child.
pub fn part() -> Option<Part> {
    let name = env::var(PART).ok()?;
    let number = env::var(NUMBER).unwrap().parse().unwrap();
    let text = env::var(TEXT).unwrap_or_default();
    Some(Part { name, store: env::var_os(STORE).unwrap().into(), number, text })
}

/// Says a line to the parent, at once.
pub fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{SAYS}{line}").unwrap();
    out.flush().unwrap();
}

/// A running child. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Starts a child.
pub fn start(part: &str, store: &Path, number: u64) -> Running {
    start_with(part, store, number, "")
}

/// Starts a child that is told a text too.
pub fn start_with(part: &str, store: &Path, number: u64, text: &str) -> Running {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
        .env(PART, part)
        .env(STORE, store)
        .env(NUMBER, number.to_string())
        .env(TEXT, text)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    Running { child, lines }
}

/// Starts a child, waits for its end, which has to be a good one, and returns what it said.
pub fn run(part: &str, store: &Path, number: u64) -> Vec<String> {
    start(part, store, number).finish()
}

impl Running {
    /// The next line it says; `None` once it is gone. A line cut short by a kill is not counted.
    pub fn hear(&mut self) -> Option<String> {
        loop {
            match self.lines.next() {
                Some(Ok(line)) => {
                    if let Some(said) = line.strip_prefix(SAYS) {
                        return Some(said.to_owned());
                    }
                }
                _ => return None,
            }
        }
    }

    /// Waits for its end, which has to be a good one; returns what it said meanwhile.
    pub fn finish(mut self) -> Vec<String> {
        let said: Vec<String> = std::iter::from_fn(|| self.hear()).collect();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the child ended with {status}; it said {said:?}");
        said
    }

    /// Waits for its end, however it comes; returns what it said meanwhile.
    pub fn ended(mut self) -> Vec<String> {
        let said = std::iter::from_fn(|| self.hear()).collect();
        self.child.wait().unwrap();
        said
    }

    /// Kills it (SIGKILL: it does nothing more) and returns what it had said until then.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        let said = std::iter::from_fn(|| self.hear()).collect();
        self.child.wait().unwrap();
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
