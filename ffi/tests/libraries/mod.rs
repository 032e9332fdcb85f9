//! Where cargo puts the libraries of this crate.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The folder with `libwisen.so` and `libwisen.a` (or what they are called on this system).
///
/// They are no part of a test, so cargo may not have built them for it, or long ago: this sees to it.
pub fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of the test");
        let folder =
            test.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps/TEST").to_owned();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "wisen-ffi", "--target-dir"]);
        cargo.arg(folder.parent().expect("target"));
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        if cfg!(feature = "test-panic") {
            cargo.args(["--features", "test-panic"]);
        }
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo");
        assert!(built.success(), "the libraries do not build");
        folder
    })
}
