//! `wisen reembed` with programs that embed, and with programs that do not do what they should.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use wisen::{Memory, MemoryId, Options, Outcome, Query, Report, Store};

/// Answers each line with the length of it and its number: no two alike.
const EMBED: &str = r#"n=0; while read -r line; do n=$((n+1)); printf '[%d, %d, 1]\n' "${#line}" "$n"; done"#;

struct Place {
    folder: TempDir,
}

impl Place {
    /// A folder with a store in it: 300 memories, one without a text, and two reports.
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let store = Store::open(place.at("store"), Options::new(2).model("old")).expect("a store");
        let memory = |i: u16| Memory::new(format!("note {i}"), [1.0, f32::from(i)]);
        store.remember_many((0..300).map(memory).collect()).expect("remember");
        store.remember(Memory::new("", [1.0, -1.0])).expect("remember");
        for text in [Some("how?"), None] {
            let mut query = Query::new([1.0, 7.3]).k(3);
            query = if let Some(text) = text { query.text(text) } else { Query::new([0.3, -9.0]).k(3) };
            let recall = store.recall(&query).expect("recall");
            let report =
                Report::on(recall.receipt.expect("a receipt"), Outcome::Success).used(recall.hits[0].id);
            store.report(&report).expect("report");
        }
        store.close().expect("close");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, command: &str, more: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_wisen"));
        program.arg("reembed").args([self.at("store"), self.at("new")]);
        program.args(["--model", "new", "--dimension", "3"]).args(more);
        if !command.is_empty() {
            program.args(["--command", command]);
        }
        program.output().expect("the program starts")
    }

    /// Standard error of a run that fails and leaves nothing.
    fn fails(&self, command: &str, more: &[&str]) -> String {
        let before = bytes(&self.at("store"));
        let output = self.run(command, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(output.stdout.is_empty(), "{command}");
        assert_eq!(bytes(&self.at("store")), before, "{command}: the store is as it was");
        let left: Vec<_> = fs::read_dir(self.folder.path()).expect("a folder").collect();
        assert_eq!(left.len(), 1, "{command}: {left:?}");
        said
    }
}

/// The bytes of the database.
fn bytes(store: &Path) -> Vec<u8> {
    fs::read(store.join("memory.db")).expect("a database")
}

fn out(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_command_embeds_all_texts() {
    let place = Place::new();
    let before = bytes(&place.at("store"));
    let told = out(&place.run(EMBED, &[]));
    assert_eq!(bytes(&place.at("store")), before);
    for line in [
        "embedded     300 memories, model new, 3 numbers",
        "texts        301 texts embedded, 1 of them of queries",
        "left out     1 memory without a text that can be embedded: 301",
        "reports      1 where their query is in the new space",
        "             1 whose place is not known",
    ] {
        assert!(told.contains(line), "{line:?} is not in\n{told}");
    }
    let store = Store::open(place.at("new"), Options::existing().model("new")).expect("the new store");
    assert!(store.verify().expect("verify").is_ok());
    // {"id":0,"kind":"memory","left":255,"text":"note 0"}
    let vector = |id: u64| store.get(MemoryId(id)).expect("get").expect("a memory").vector;
    let length = |id: u64, left: u64, text: &str| {
        serde_json::json!({ "id": id, "kind": "memory", "left": left, "text": text }).to_string().len() as f32
    };
    assert_eq!(vector(1), [length(0, 255, "note 0"), 1.0, 1.0]);
    assert_eq!(vector(256), [length(255, 0, "note 255"), 256.0, 1.0]);
    assert_eq!(vector(300), [length(299, 0, "note 299"), 300.0, 1.0]);
    assert_eq!(store.stats().expect("stats").reports, 2);
    // It is not put over what is there.
    let output = place.run(EMBED, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("empty"));
}

#[test]
fn a_dry_run_counts_and_leaves_nothing() {
    let place = Place::new();
    let before = bytes(&place.at("store"));
    let told = out(&place.run("", &["--dry-run"]));
    assert!(told.contains("would embed  300 memories") && told.contains("wrote        nothing"), "{told}");
    let count = |more: &[&str], command: &str| -> Value {
        serde_json::from_str(&out(&place.run(command, more))).expect("JSON")
    };
    // A command that is given is not run.
    let mut dry = count(&["--dry-run", "--json"], "exit 3");
    assert_eq!(bytes(&place.at("store")), before);
    assert_eq!(fs::read_dir(place.folder.path()).expect("a folder").count(), 1);
    assert_eq!(dry["dry_run"], true);
    dry["dry_run"] = false.into();
    assert_eq!(dry, count(&["--json"], EMBED), "what it says is what comes");
    assert_eq!((&dry["texts_of_memories"], &dry["texts_of_queries"]), (&300.into(), &1.into()));
}

/// Texts that cannot be embedded are left out, whichever way that is said; answers may name their text.
#[test]
fn a_command_may_say_that_it_cannot() {
    let place = Place::new();
    let command = r#"while read -r line; do
        id=${line#*'"id":'}; id=${id%%,*}
        case $line in
            *'note 7"'*) echo null;;
            *'note 8"'*) echo '[]';;
            *'note 9"'*) echo '{"vector":null}';;
            *) echo "{\"vector\":[1,2,3.5],\"id\":$id}";;
        esac
    done"#;
    let told = out(&place.run(command, &[]));
    assert!(told.contains("embedded     297 memories"), "{told}");
    assert!(told.contains("left out     4 memories") && told.contains("8 9 10 301"), "{told}");
}

/// Whatever the command does wrong is named; the store is as it was, and there is no new one.
#[test]
fn a_command_that_fails_leaves_nothing() {
    let place = Place::new();
    let good = "echo '[1, 2, 3]'";
    let each = |then: &str| format!("while read -r line; do {then}; done");
    for (command, says) in [
        ("exit 3".to_owned(), "the command ended (exit status: 3) before it answered text 0"),
        ("kill -9 $$".to_owned(), "signal: 9"),
        ("no-such-program-anywhere".to_owned(), "exit status: 127"),
        (format!("read -r line; {good}; exit 0"), "before it answered text 1"),
        (format!("for i in $(seq 300); do read -r line; {good}; done"), "before it answered text 300"),
        (format!("{good}; exec >&-; exec sleep 60"), "before it answered text 1"),
        (each("echo '[1, 2]'"), "the vector of text 0 has 2 numbers, and --dimension says 3"),
        (each("echo '[1, 2, 3, 4]'"), "has 4 numbers"),
        (each("echo '[1, NaN, 3]'"), "the answer to text 0 is no JSON"),
        (each("echo '[1, 1e39, 3]'"), "too large"),
        (each("echo '[0, 0, 0]'"), "zero"),
        (each("echo loading"), "no JSON"),
        (each("echo '{\"error\":\"out of memory\"}'"), "out of memory"),
        (each("echo '{\"id\":5,\"vector\":[1,2,3]}'"), "is about text 5"),
        (each(&format!("{good}; {good}")), "answers more than"),
        (format!("{}; {good}", each(good)), "answers more than the 301 texts it was asked"),
    ] {
        let said = place.fails(&command, &[]);
        assert!(said.contains("wisen: ") && said.contains(says), "{command}: {said}");
    }
    let said = place.fails("cat >/dev/null", &["--timeout", "1"]);
    assert!(said.contains("has not answered text 0 for 1 seconds"), "{said}");
    let said = place.fails("exec sleep 60", &["--timeout", "1"]);
    assert!(said.contains("has not answered text 0"), "{said}");
    // A command that reads all before it answers anything sees how many come.
    let collects = r#"while read -r line; do n=$((n+1)); case $line in *'"left":0,'*)
        while [ "$n" -gt 0 ]; do echo '[1,2,3]'; n=$((n-1)); done;; esac; done"#;
    assert!(out(&place.run(collects, &[])).contains("301 texts embedded"));
}

#[test]
fn wrong_arguments_are_refused_before_anything_is_run() {
    let place = Place::new();
    let ran = place.at("ran");
    let command = format!("touch {}; {EMBED}", ran.display());
    for more in [&["--timeout", "0"][..], &["--timeout"], &["--batch", "3"]] {
        let output = place.run(&command, more);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {output:?}");
    }
    assert_eq!(place.run("", &[]).status.code(), Some(2), "a command is asked for");
    let program = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_wisen")).arg("reembed").args(args).output().expect("it starts")
    };
    let (store, new) = (place.at("store"), place.at("new"));
    let (store, new) = (store.to_str().expect("UTF-8"), new.to_str().expect("UTF-8"));
    let common = ["--model", "m", "--command", &command];
    let inside = format!("{store}/new");
    for (from, to, dimension) in [
        ("missing", new, "3"),
        (store, store, "3"),
        (store, &inside, "3"),
        (store, new, "5000"),
        (store, new, "0"),
    ] {
        let mut args = vec![from, to, "--dimension", dimension];
        args.extend(common);
        let output = program(&args);
        assert_eq!(output.status.code(), Some(1), "{from} {to} {dimension}");
    }
    assert!(!ran.exists() && !place.at("new").exists());
    let help = String::from_utf8(program(&["--help"]).stdout).expect("UTF-8");
    assert!(help.contains("Examples:") && help.contains("one line on its standard output"), "{help}");
}
