//! Any bytes as a segment: opened, checked, searched. `WISEN_FUZZ_SEED` names a file to put a sound one into,
//! for the fuzzer to begin with.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        if let Ok(path) = std::env::var("WISEN_FUZZ_SEED") {
            let mut seed = wisen::fuzzing::segment_seed();
            seed.push(1);
            std::fs::write(path, seed).expect("the seed can be written");
        }
    },
    |bytes: &[u8]| wisen::fuzzing::segment(bytes)
);
