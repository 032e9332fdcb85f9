//! The program as people and scripts meet it: output, files, exit codes.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use wisen::{Memory, Options, Store};

fn wisen(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wisen")).args(args).output().expect("the program starts")
}

/// Standard output of a run that has to end with `code`.
fn out(args: &[&str], code: i32) -> String {
    let output = wisen(args);
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{text}\n{errors}");
    text.into_owned()
}

/// Standard error of a run that has to end with `code`.
fn err(args: &[&str], code: i32) -> String {
    let output = wisen(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}");
    assert!(output.stdout.is_empty(), "{args:?} says something on standard output");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder in UTF-8")
}

#[test]
fn help_shows_examples_and_usage_errors_end_with_2() {
    for command in [
        &["--help"][..],
        &["demo", "--help"],
        &["info", "--help"],
        &["verify", "--help"],
        &["backup", "--help"],
        &["restore", "--help"],
        &["compact", "--help"],
        &["export", "--help"],
        &["import", "--help"],
        &["halt", "--help"],
        &["resume", "--help"],
        &["audit", "--help"],
        &["review", "--help"],
    ] {
        assert!(out(command, 0).contains("Examples:"), "{command:?}");
    }
    for wrong in [&[][..], &["forget"], &["info"], &["verify", "a", "b"], &["demo", "--events", "0"]] {
        assert!(err(wrong, 2).contains("--help"), "{wrong:?}");
    }
}

#[test]
fn what_is_no_store_ends_with_1_and_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = folder.path().join("missing");
    for command in ["info", "verify", "compact"] {
        assert!(err(&[command, text(&missing)], 1).contains("missing"));
        assert!(err(&[command, text(folder.path())], 1).starts_with("wisen: "));
    }
    let json: Value = serde_json::from_str(&out(&["verify", text(&missing), "--json"], 1)).expect("JSON");
    assert_eq!(json["ok"], false);
    assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 0);
}

#[test]
fn the_demo_leaves_a_chart_and_a_store_that_can_be_looked_into() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (place, store) = (folder.path().join("demo"), folder.path().join("demo/store"));
    let demo = ["demo", "--plain", "--events", "300", "--out", text(&place)];
    let shown = out(&demo, 0);
    assert!(shown.contains(" ####") && !shown.contains('\u{2588}'), "{shown}");
    for part in [
        "271 - 300",
        "last half",
        "95 % interval",
        "An example",
        "Wisen takes",
        "% likely",
        "banking77-bad.svg",
    ] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    let chart = fs::read_to_string(place.join("banking77-bad.svg")).expect("the chart");
    assert!(
        chart.starts_with("<svg") && chart.contains("similarity only") && chart.contains("requests so far")
    );

    let info = out(&["info", text(&store)], 0);
    assert!(info.contains("memories     770") && info.contains("reports      300"), "{info}");
    let json: Value = serde_json::from_str(&out(&["info", "--json", text(&store)], 0)).expect("JSON");
    assert_eq!((&json["memories"], &json["reports"]), (&770.into(), &300.into()));
    assert!(json["files"].as_array().is_some_and(|files| files.iter().any(|f| f["name"] == "memory.db")));
    assert_eq!(json["namespaces"][0]["name"], "default");

    assert!(out(&["verify", text(&store)], 0).contains("nothing wrong"));
    let json: Value = serde_json::from_str(&out(&["verify", "--json", text(&store)], 0)).expect("JSON");
    assert_eq!((&json["ok"], &json["reports"]), (&true.into(), &300.into()));

    // A second run replaces what the first has left, sealed or not, and comes to the same figures.
    let made = Store::open(&store, Options::existing()).expect("the store of the demo");
    made.seal().expect("seal");
    made.close().expect("close");
    let again = out(&demo, 0);
    let table = |text: &str| {
        text.lines().take_while(|line| !line.starts_with("An example")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(table(&again), table(&shown));
    assert!(out(&["info", text(&store)], 0).contains("reports      300"));
}

#[test]
fn the_demo_never_replaces_what_it_has_not_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = |out: &str| err(&["demo", "--plain", "--events", "20", "--out", out], 1);

    let own = folder.path().join("own");
    fs::create_dir(&own).expect("own");
    let store = Store::open(own.join("store"), Options::new(2)).expect("a store");
    store.remember(Memory::new("mine", [1.0, 0.0])).expect("remember");
    store.close().expect("close");
    assert!(demo(text(&own)).contains("left as it is"));
    assert!(out(&["info", text(&own.join("store"))], 0).contains("memories     1\n"));

    let other = folder.path().join("other");
    fs::create_dir_all(other.join("store")).expect("other");
    fs::write(other.join("store/letter.txt"), "dear").expect("letter");
    assert!(demo(text(&other)).contains("letter.txt"));
    assert!(other.join("store/letter.txt").exists());

    let picture = folder.path().join("picture");
    fs::create_dir(&picture).expect("picture");
    fs::write(picture.join("banking77-bad.svg"), "<svg></svg>").expect("svg");
    assert!(demo(text(&picture)).contains("left as it is"));
    assert_eq!(fs::read_to_string(picture.join("banking77-bad.svg")).expect("svg"), "<svg></svg>");
}

#[test]
fn a_damaged_segment_is_a_fault() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store");
    let store = Store::open(&path, Options::new(8)).expect("a store");
    for i in 0_u16..100 {
        let vector: Vec<f32> = (0..8).map(|j| f32::from((i * 7 + j * 13) % 29) - 14.5).collect();
        store.remember(Memory::new(format!("memory {i}"), vector)).expect("remember");
    }
    store.seal().expect("seal");
    store.close().expect("close");
    assert!(out(&["verify", text(&path)], 0).contains("nothing wrong"));

    let segments = fs::read_dir(path.join("segments")).expect("segments");
    let segment = segments.map(|entry| entry.expect("entry").path()).next().expect("one segment");
    let mut bytes = fs::read(&segment).expect("segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).expect("segment");
    assert!(out(&["verify", "--full", text(&path)], 1).contains("fault"));
    let json: Value =
        serde_json::from_str(&out(&["verify", "--full", "--json", text(&path)], 1)).expect("JSON");
    assert!(json["faults"].as_array().is_some_and(|faults| !faults.is_empty()));
}

#[test]
fn a_store_is_kept_from_the_command_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    let store = Store::open(at("store"), Options::new(2)).expect("a store");
    for i in 0_u8..50 {
        store.remember(Memory::new(format!("memory {i}"), [f32::from(i), 1.0])).expect("remember");
    }
    store.close().expect("close");
    let memories = |name: &str, n: u64| {
        assert!(out(&["info", &at(name)], 0).contains(&format!("memories     {n}\n")));
        assert!(out(&["verify", "--full", &at(name)], 0).contains("nothing wrong\n"));
        assert!(out(&["verify", &at(name)], 0).contains("quick look"));
    };
    assert!(out(&["backup", &at("store"), &at("a")], 0).contains("KiB"));
    assert!(err(&["backup", &at("store"), &at("a")], 1).contains("it exists"));
    out(&["backup", &at("store"), &at("a"), "--force"], 0);
    out(&["restore", &at("a"), &at("restored")], 0);
    memories("restored", 50);
    assert!(err(&["restore", &at("a"), &at("restored")], 1).contains("not empty"));
    assert!(out(&["compact", &at("restored")], 0).contains("after"));
    memories("restored", 50);
    assert!(out(&["export", &at("store"), &at("b")], 0).contains("rows"));
    out(&["import", &at("b"), &at("imported")], 0);
    memories("imported", 50);
    assert!(out(&["import", &at("b"), &at("store"), "--memories"], 0).contains("50 memories"));
    memories("store", 100);
    let mut lines = fs::read_to_string(at("b")).expect("the export");
    lines.truncate(lines.len() - 30);
    fs::write(at("b"), lines).expect("cut");
    assert!(err(&["import", &at("b"), &at("cut")], 1).contains("cut short"));
    fs::write(at("a"), "no backup").expect("write");
    assert!(err(&["restore", &at("a"), &at("cut")], 1).contains("no whole backup"));
    assert!(!folder.path().join("cut").exists());
}

#[test]
fn rules_are_added_and_checked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store");
    Store::open(&path, Options::new(2)).and_then(|store| store.close()).expect("a store");
    let (path, file) = (text(&path), folder.path().join("rules.txt"));
    let keys = out(&["rules", "create-authority", path, "owner"], 0);
    let key = folder.path().join("key");
    fs::write(&key, keys.lines().next().expect("a key")).expect("writes");
    let (key, file) = (text(&key), text(&file));
    let never = "NEVER \"no-rm\" because \"it cannot be undone\" when tool is \"sh\" and args matches /rm/\n\
                 AVOID \"late\" because \"nobody is awake\" when args.hour > 22\n";
    fs::write(file, never).expect("writes");
    assert!(out(&["rules", "add", path, file, "--key", key], 0).contains("added 2 directives"));
    assert!(out(&["rules", "list", path], 0).contains("signed by owner"));
    let exported = out(&["rules", "export", path], 0);
    assert_eq!(exported.matches("because").count(), 2);
    fs::write(file, &exported).expect("writes");
    assert_eq!(out(&["rules", "lint", file], 0), "");
    assert_eq!(out(&["rules", "lint", path], 0), "");
    assert!(err(&["rules", "add", path, file, "--key", key], 1).contains("no-rm"));

    assert_eq!(out(&["check", path, "--tool", "sh", "--args", "{\"c\": \"ls\"}"], 0), "");
    let denied = err(&["check", path, "--tool", "sh", "--args", "{\"c\": \"rm x\"}"], 2);
    assert!(denied.contains("it cannot be undone"), "{denied}");
    assert!(err(&["check", path, "--tool", "x", "--args", "{\"hour\": 23}"], 3).contains("late"));
    let json: Value =
        serde_json::from_str(&out(&["check", path, "--tool", "sh", "--args", "{\"c\":\"rm\"}", "--json"], 2))
            .expect("JSON");
    assert_eq!(json["rule"], "no-rm");
    // Whatever goes wrong denies.
    assert!(err(&["check", "/nowhere", "--tool", "x"], 2).contains("denied"));
    assert!(err(&["check", path, "--tool", "x", "--args", "{"], 2).contains("denied"));
    // What is told on standard input is understood whole, or denied.
    for (told, status) in [
        (r#"{"tool_name": "sh", "tool_input": {"c": "ls"}, "session": 7}"#, 0),
        (r#"{"tool_name": "sh", "args": null, "tool_input": {"c": "rm x"}}"#, 2),
        (r#"{"tool": "sh", "args": {"c": "ls"}, "tool_input": {"c": "rm x"}}"#, 2),
        (r#"{"tool": "sh", "tags": "production"}"#, 2),
        (r#"{"tool": "sh", "tags": [["production"]]}"#, 2),
        (r#"["sh"]"#, 2),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wisen"))
            .args(["check", path, "--stdin", "--agent", "codey"])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        child.stdin.take().expect("a pipe").write_all(told.as_bytes()).expect("it reads");
        assert_eq!(child.wait().expect("it ends").code(), Some(status), "{told}");
    }

    assert!(err(&["rules", "remove", path, "no-rm", "--reason", "x"], 1).contains("WISEN_KEY"));
    out(&["rules", "override", path, "no-rm", "--minutes", "5", "--reason", "x", "--key", key], 0);
    out(&["check", path, "--tool", "sh", "--args", "{\"c\": \"rm x\"}"], 0);
    out(&["rules", "remove", path, "no-rm", "--reason", "x", "--key", key], 0);
    assert!(out(&["rules", "authorities", path], 0).contains("owner"));
}

#[test]
fn an_owner_halts_resumes_audits_and_reviews() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store");
    let store = Store::open(&path, Options::new(2)).expect("opens");
    let id = store.remember(Memory::new("restart the worker", [1.0, 0.5])).expect("remembers");
    let keys = store.create_authority("ann").expect("creates");
    store.close().expect("closes");
    let path = text(&path);
    assert_eq!(out(&["halt", path], 0), "not halted\n");
    let shown = out(&["halt", path, "--reason", "a drill"], 0);
    assert!(shown.contains("deny_all") && shown.contains("a drill"), "{shown}");
    assert!(out(&["halt", path], 0).contains("owner"));
    assert!(err(&["halt", path, "--level", "some", "--reason", "x"], 1).contains("no_writes"));
    assert!(err(&["resume", path, "--reason", "over"], 1).contains("authority"));
    let file = folder.path().join("key");
    fs::write(&file, keys.secret.to_text()).expect("writes");
    assert_eq!(out(&["resume", path, "--reason", "over", "--key", text(&file)], 0), "resumed\n");

    let anchor = out(&["audit", "anchor", path], 0);
    assert!(anchor.starts_with("wisen-audit-1:"), "{anchor}");
    assert_eq!(out(&["review", path], 0), "nothing to review\n");
    let id = id.to_string();
    let listed = out(&["review", path, "--retire", &id, "--reason", "out of date"], 0);
    assert!(listed.contains("retired") && listed.contains("out of date"), "{listed}");
    assert!(out(&["review", path, "--release", &id, "--reason", "back"], 0).contains("probation"));
    assert!(out(&["audit", "verify", path, "--anchor", &anchor], 0).contains("nothing wrong"));
    let wrong = anchor.trim().replace("wisen-audit-1:", "wisen-audit-1:9");
    assert!(out(&["audit", "verify", path, "--anchor", &wrong], 1).contains("are missing"));
    assert!(out(&["audit", "list", path, "--last", "2"], 0).contains("release"));
    let lines = out(&["audit", "export", path], 0);
    let last: Value = serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["op"], &last["actor"]), (&"release".into(), &"owner".into()));
}
