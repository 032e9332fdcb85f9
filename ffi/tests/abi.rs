//! The header and the exported symbols are what is checked in. `WISEN_BLESS=1` writes them anew.

use std::path::Path;
use std::process::Command;

mod libraries;

/// Compares `made` with a file of this crate, or writes the file if asked to.
fn compare(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("WISEN_BLESS").is_some() {
        std::fs::write(&path, made).expect("write the file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(made.lines()).position(|(a, b)| a != b).map_or(0, |line| line + 1);
    assert!(
        kept == made,
        "{file} is out of date from line {differs} on: look at the change, then run with WISEN_BLESS=1"
    );
}

fn header() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("cbindgen.toml");
    let built = cbindgen::Builder::new().with_crate(folder).with_config(config).generate();
    let mut text = Vec::new();
    built.expect("a header").write(&mut text);
    String::from_utf8(text).expect("ASCII")
}

#[test]
fn the_header_is_up_to_date() {
    let header = header();
    assert!(header.is_ascii());
    compare("include/wisen.h", &header);
}

#[test]
fn the_header_has_the_version_of_the_crate() {
    assert!(header().contains(&format!("#define WISEN_VERSION \"{}\"", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_error_code_has_its_status() {
    let engine = include_str!("../../engine/src/error.rs");
    let codes = engine.split("pub enum ErrorCode {").nth(1).and_then(|rest| rest.split('}').next());
    let header = header();
    let mut seen = 0;
    for line in codes.expect("the codes").lines().filter(|line| line.contains(" = ")) {
        let (name, number) = line.trim().trim_end_matches(',').split_once(" = ").expect("a code");
        let mut spelled = String::from("WISEN");
        for (at, letter) in name.char_indices() {
            if letter.is_ascii_uppercase() && !(at > 0 && name[at..].starts_with("Utf")) || at == 0 {
                spelled.push('_');
            }
            spelled.push(letter.to_ascii_uppercase());
        }
        let spelled = spelled.replace("NOTUTF8", "NOT_UTF8");
        assert!(header.contains(&format!("{spelled} = {number},")), "the header lacks {spelled} = {number}");
        seen += 1;
    }
    assert!(seen >= 20, "{seen} codes");
}

/// The structures that the library reads byte by byte: fields fill them without gaps.
#[test]
fn structures_have_no_padding() {
    let header = header();
    let mut seen = 0;
    for body in header.split("struct wisen_").skip(1).filter(|rest| rest.contains('{')) {
        let Some((name, rest)) = body.split_once(" {") else { continue };
        let fields = rest.split("\n};").next().unwrap_or_default();
        if !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') || !fields.contains("struct_size;") {
            continue;
        }
        seen += 1;
        // On a machine with pointers of 8 bytes every field has 4 or 8 of them, or a multiple of 8.
        let small = |line: &str| line.starts_with("uint32_t ") || line.starts_with("int32_t ");
        let mut at = 0;
        for line in fields.lines().map(str::trim).filter(|line| line.ends_with(';')) {
            assert!(small(line) || at % 8 == 0, "padding before {line} in wisen_{name}");
            at += if small(line) { 4 } else { 8 };
        }
        assert_eq!(at % 8, 0, "padding at the end of wisen_{name}");
    }
    assert_eq!(seen, 25);
}

#[test]
fn unsafe_code_stands_in_three_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(folder).expect("src") {
        let path = entry.expect("a file").path();
        if ["raw.rs", "sized.rs", "handle.rs"].iter().any(|room| path.ends_with(room)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let found = code.lines().find(|line| line.contains("unsafe {") || line.contains("unsafe impl"));
        assert!(found.is_none(), "{found:?} in {}", path.display());
    }
}

/// On Linux: nothing but `wisen_*` can be seen from outside.
#[test]
#[cfg(target_os = "linux")]
fn the_library_exports_what_is_listed() {
    let library = libraries::folder().join("libwisen.so");
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library).output().expect("nm");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).expect("ASCII");
    let names = listing.lines().filter_map(|line| line.split_whitespace().last());
    let mut names: Vec<&str> = names.filter(|name| *name != "wisen_test_panic").collect();
    names.sort_unstable();
    assert!(names.iter().all(|name| name.starts_with("wisen_")), "{names:?}");
    compare("symbols.txt", &(names.join("\n") + "\n"));
}
