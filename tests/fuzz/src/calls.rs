//! Any sequence of calls of the C face that its header allows (calls.c).
#![no_main]

extern crate wisen_face as _;

unsafe extern "C" {
    fn run_calls(bytes: *const u8, size: usize);
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // SAFETY: the bytes live until the call returns, and it reads no more than `size` of them.
    unsafe { run_calls(bytes.as_ptr(), bytes.len()) }
});
