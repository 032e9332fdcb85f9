//! The detectors against what they were before they were linear: the same findings, in whatever text.

use super::*;

/// As it was: every step is plain, and looks over all that comes before and after it.
fn naive(text: &str) -> Vec<Secret> {
    let mut found: Vec<Secret> = Vec::new();
    let overlaps = |found: &[Secret], range: &Range<usize>| {
        found.iter().any(|old| old.range.end > range.start && range.end > old.range.start)
    };
    let forms = &COMPILED.as_ref().expect("forms").each;
    for (detector, form) in DETECTORS.iter().zip(forms) {
        for captures in form.captures_iter(text) {
            let taken = captures.name("s").or_else(|| captures.get(0)).expect("a match");
            let mut range = taken.range();
            match detector.kind {
                SecretKind::PrivateKey => range.end = naive_end(text, range.end),
                SecretKind::GoogleKey => {
                    let end = taken.as_str().char_indices().nth(39).map_or(range.len(), |(at, _)| at);
                    range.end = range.start + end;
                }
                SecretKind::BearerToken | SecretKind::Assigned => {
                    range.end =
                        range.start + taken.as_str().trim_end_matches(['.', '!', '?', ':', '`']).len();
                }
                _ => {}
            }
            if (detector.good)(&text[range.clone()]) && !overlaps(&found, &range) {
                found.push(Secret { kind: detector.kind, range });
            }
        }
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/_-=".contains(c);
    let mut at = 0;
    for word in text.split(|c| !is_part(c)) {
        let start = at + text[at..].find(word).expect("its place");
        at = start + word.len();
        let before = &text[..start];
        let armour = before.rfind("-----BEGIN ").map_or("", |at| &before[at..]);
        let shown = ["sha256-", "sha384-", "sha512-"].iter().any(|name| word.starts_with(name))
            || before.ends_with("base64,")
            || armour.starts_with("-----BEGIN CERT")
            || armour.starts_with("-----BEGIN PUBLIC");
        if word.len() >= 32 && !shown && is_key_like(word) && !overlaps(&found, &(start..at)) {
            found.push(Secret { kind: SecretKind::HighEntropy, range: start..at });
        }
    }
    found.sort_by_key(|secret| secret.range.start);
    found
}

fn naive_end(text: &str, from: usize) -> usize {
    let rest = &text[from..];
    let last = rest.find("-----END").filter(|at| *at < 16_384 && !rest[..*at].contains("-----BEGIN"));
    if let Some(end) = last.and_then(|at| Some(at + 8 + rest[at + 8..].find("-----")? + 5)) {
        return from + end;
    }
    let is_part =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\\') || c.is_ascii_whitespace();
    from + rest.find(|c| !is_part(c)).unwrap_or(rest.len())
}

const PIECES: [&str; 48] = [
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "-----BEGIN CERTIFICATE-----\n",
    "-----BEGIN PUBLIC KEY-----\n",
    "-----BEGIN ",
    "-----BEGIN",
    "-----END",
    "-----END PRIVATE KEY-----\n",
    "-----END CERTIFICATE-----",
    "-----",
    "-",
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n",
    "q83nVbA0Zx7TrLk2WmPy5sHd9JfGcE4uXoNi1KvBt6RwYzMh",
    "AbC1dEf2GhI3jKl4MnO5pQr6StU7vWx8YzA9",
    "\\n",
    "\n",
    " ",
    "  ",
    "\u{e9}",
    "\u{1f468}",
    "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "AIza",
    "AKIAQ3EGRVTXJ5MNKL2P",
    "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key = ",
    "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",
    "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "xoxb-123456789012-abcdefABCDEF12",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "sk-proj-a1B2c3D4e5F6g7H8i9J0k1L2",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.",
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "postgres://app:",
    "s3cr3t-Pa55",
    "@db.internal:5432/app",
    "password=",
    "password is ",
    "tr0ub4dor&3x",
    "token: ",
    "Bearer ",
    "Authorization: Basic ",
    "dXNlcjpwYXNzd29yZDEyMw==",
    "base64,",
    "sha256-",
    "'",
    ".",
    "...",
    "=",
];

#[test]
fn they_find_what_they_found() {
    let mut rng = fastrand::Rng::with_seed(11);
    let mut found = 0;
    for _ in 0..4000 {
        let length = if rng.u8(..20) == 0 { 400 } else { rng.usize(1..30) };
        let text: String = (0..length).map(|_| PIECES[rng.usize(..PIECES.len())]).collect();
        let secrets = secrets(&text);
        assert_eq!(secrets, naive(&text), "{text:?}");
        found += secrets.len();
    }
    assert!(found > 4000, "{found}");
    // Longer than a key in armour may be, on either side of the bound.
    for long in [16_370, 16_383, 16_384, 16_385, 20_000] {
        let begin = "-----BEGIN PRIVATE KEY-----\n";
        let text = format!("{begin}{}-----END PRIVATE KEY----- {begin}", "Ab1/".repeat(long / 4));
        assert_eq!(secrets(&text), naive(&text), "{long}");
        let text = format!("{begin}{}-----END PRIVATE KEY-----", "x".repeat(long - 1));
        assert_eq!(secrets(&text), naive(&text), "{long}");
    }
}
