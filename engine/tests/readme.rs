//! The examples of the README are files that are compiled and run: the Rust one here, the C and
//! Python ones by the tests of their faces.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The first block of the README in this language.
fn block<'a>(readme: &'a str, language: &str) -> &'a str {
    let start = readme.find(&format!("```{language}\n")).unwrap() + language.len() + 4;
    &readme[start..start + readme[start..].find("```").unwrap()]
}

#[test]
fn the_readme_shows_the_examples_that_are_tested() {
    let readme = read("README.md");
    for (language, file) in [
        ("python", "python/examples/quickstart.py"),
        ("rust", "engine/examples/quickstart.rs"),
        ("c", "ffi/examples/quickstart.c"),
    ] {
        assert_eq!(block(&readme, language), read(file), "README and {file} differ");
    }
}

#[test]
fn the_rust_example_learns() {
    // Cargo builds the examples of a package before it runs its tests.
    let folder = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples");
    let dir = tempfile::tempdir().unwrap();
    let done = Command::new(folder.join("quickstart")).arg(dir.path().join("store")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed = String::from_utf8(done.stdout).unwrap();
    assert_eq!(printed, "first: Restart the worker.\nnow: Raise the timeout of the database.\n");
}
