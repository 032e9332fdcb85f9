//! C programs that prove the C face: compiled with the header that is checked in, linked with both
//! libraries, run, and run again under valgrind where there is one.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

mod libraries;

const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    output
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// A compiler for one language, strict.
fn compiler(program: &str, standard: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(standard).args(STRICT).arg("-I").arg(here().join("include"));
    if cfg!(feature = "test-panic") {
        command.arg("-DWISEN_TEST_PANIC");
    }
    command
}

#[derive(Clone, Copy)]
enum Library {
    Static,
    Shared,
}

/// Compiles a program of C files in the folder `to` and links it with the library.
fn build(sources: &[PathBuf], library: Library, to: &Path) -> PathBuf {
    let program = to.join("program");
    let mut command = compiler("cc", "-std=c99");
    command.args(sources).arg("-o").arg(&program);
    match library {
        Library::Static => {
            command.arg(libraries::folder().join("libwisen.a"));
            command.args(["-lpthread", "-lm"]);
            if cfg!(target_os = "linux") {
                command.args(["-ldl", "-lrt", "-lutil"]);
            }
        }
        Library::Shared => {
            let ending = if cfg!(target_os = "macos") { "dylib" } else { "so" };
            let versioned = if cfg!(target_os = "macos") { "libwisen.0.dylib" } else { "libwisen.so.0" };
            let library = libraries::folder().join(format!("libwisen.{ending}"));
            std::os::unix::fs::symlink(&library, to.join(versioned)).expect("a link");
            command.arg(library).arg(format!("-Wl,-rpath,{}", to.display())).args(["-lpthread", "-lm"]);
        }
    }
    run(&mut command);
    program
}

fn loop_sources() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(here().join("tests/c")).expect("tests/c");
    let paths = folder.map(|entry| entry.expect("a file").path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "c")).collect()
}

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

/// Runs the loop (`command` ends with the program) and checks what it prints.
fn check_loop(command: &mut Command) {
    let work = folder();
    let output = run(command.arg(work.path()));
    let text = String::from_utf8(output.stdout).expect("ASCII");
    let passed = text.trim().strip_suffix(" passed, 0 failed").and_then(|number| number.parse::<u32>().ok());
    assert!(passed.is_some_and(|passed| passed >= 1900), "{text}");
}

#[test]
fn the_loop_runs_with_the_static_library() {
    let place = folder();
    check_loop(&mut Command::new(build(&loop_sources(), Library::Static, place.path())));
}

#[test]
fn the_loop_runs_with_the_shared_library() {
    let place = folder();
    check_loop(&mut Command::new(build(&loop_sources(), Library::Shared, place.path())));
}

#[test]
fn valgrind_finds_no_error_and_no_leak() {
    if !is_there("valgrind") {
        return;
    }
    let place = folder();
    let program = build(&loop_sources(), Library::Static, place.path());
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
    command.args(["--errors-for-leak-kinds=definite,indirect", "--show-leak-kinds=definite,indirect"]);
    check_loop(command.arg(program));
}

#[test]
fn the_quickstart_runs() {
    let place = folder();
    let program = build(&[here().join("examples/quickstart.c")], Library::Shared, place.path());
    let output = run(Command::new(program).arg(place.path().join("wisen-quickstart")));
    let text = String::from_utf8(output.stdout).expect("ASCII");
    assert_eq!(
        text,
        "first: Restart the worker.\nthen: Restart the worker.\nnow: Raise the timeout of the database.\n"
    );
}

#[test]
fn the_header_is_good_c_and_cpp() {
    let place = folder();
    let languages = [
        ("cc", "c", &["-std=c99", "-std=c11", "-std=c17"][..]),
        ("c++", "cpp", &["-std=c++11", "-std=c++17"]),
    ];
    for (program, ending, standards) in languages {
        if !is_there(program) {
            continue;
        }
        let source = place.path().join(format!("alone.{ending}"));
        let text = "#include <wisen.h>\n#include <wisen.h>\nint main(void) {\n    struct wisen_query query = wisen_query_init();\n    return query.k == 10 && wisen_text(0).size == 0 ? 0 : 1;\n}\n";
        std::fs::write(&source, text).expect("write");
        for standard in standards {
            let made = place.path().join("alone");
            run(compiler(program, standard).arg(&source).arg("-o").arg(&made));
            run(&mut Command::new(made));
        }
    }
}
