//! Any bytes as the text of rules: read or refused with an error that names the line; what was read is the same when it
//! is printed and read again.
#![no_main]

const SEED: &str = r#"# what the fuzzer begins with
NEVER "no-force-push" priority 3 because "it rewrites what others have"
  when tool is "git" and args.command matches /push\s.*--force\b/
MUST "tested" because "an untested deploy took us down" when tool is "deploy" require fact "tests" is "passed"
AVOID "night" because "nobody is awake" when args.hour >= 22 or not (args.hour < 6.5e0 and tag in ["a", "b"])
PREFER "push" because "the owner said so" when tag is "emergency" lifts "no-force-push"
NEVER "low" because "x" in kind "dump" when metadata.trust < 3
NEVER "near" because "x" when vector similar to [1, -2.5, 3] at least 0.5
MUST "f" because "x" from 2026-01-01T00:00:00Z until 2027-01-01T00:00:00Z when tool like "r*" require fact "f" present
"#;

libfuzzer_sys::fuzz_target!(
    init: {
        if let Ok(path) = std::env::var("WISEN_FUZZ_SEED") {
            std::fs::write(path, SEED).expect("the seed can be written");
        }
    },
    |bytes: &[u8]| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        match wisen::parse_rules(text) {
            Ok(rules) => {
                let printed = wisen::print_rules(&rules);
                let again = wisen::parse_rules(&printed).expect("what was printed can be read");
                assert_eq!(again, rules, "{printed}");
                assert_eq!(wisen::print_rules(&again), printed);
            }
            Err(error) => assert_ne!(error.code(), wisen::ErrorCode::Internal, "{error}"),
        }
    }
);
