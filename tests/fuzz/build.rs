//! Compiles the target that calls the C face from C.

fn main() {
    println!("cargo::rerun-if-changed=src/calls.c");
    println!("cargo::rerun-if-changed=../../ffi/include/wisen.h");
    cc::Build::new().file("src/calls.c").include("../../ffi/include").std("c99").warnings(true).compile("calls");
}
