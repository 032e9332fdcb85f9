//! Looking for secrets takes time in proportion to the text, whatever somebody puts into it.
#![allow(clippy::unwrap_used)]

mod cpu;

use std::time::Duration;

use wisen::find_secrets;

/// Pieces that texts are made of which have the detectors look long: what they begin with and never end, what they
/// find, what they look back from.
const PIECES: [(&str, &str); 18] = [
    ("words like keys", "AbC1dEf2GhI3jKl4MnO5pQr6StU7vWx8YzA9 "),
    ("long words", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "),
    ("keys", "AKIAQ3EGRVTXJ5MNKL2P "),
    ("armour that begins", "-----BEGIN PRIVATE KEY-----"),
    ("armour that begins and ends", "-----BEGIN PRIVATE KEY-----\nAb1/-----END "),
    ("armour that ends", "-----END PRIVATE KEY-----\n"),
    ("certificates", "-----BEGIN CERTIFICATE-----\nAbC1dEf2GhI3jKl4MnO5pQr6StU7vWx8YzA9\n"),
    ("passwords", "password=tr0ub4dor&3x "),
    ("tokens without an end", "eyJaaaaaaaaa."),
    ("the beginning of tokens", "eyJ"),
    ("names of keys", "aws secret "),
    ("addresses", "a://a:a"),
    ("prefixes", "ghp_xoxb-sk-hf_npm_"),
    ("bearers", "bearer a"),
    ("authorizations", "authorization: basic "),
    ("colons", "secret:"),
    ("letters", "a"),
    ("letters of keys", "Ab1/"),
];

fn text(piece: &str, bytes: usize) -> String {
    piece.repeat(bytes / piece.len())
}

fn time(text: &str) -> (Duration, usize) {
    cpu::spent(|| find_secrets(text).len())
}

/// Four times the text takes about four times as long: what looks at everything for everything takes sixteen times.
#[test]
fn looking_takes_time_in_proportion_to_the_text() {
    for bytes in [1 << 18, 1 << 20] {
        for (name, piece) in PIECES {
            let (small, large) = (text(piece, bytes), text(piece, 4 * bytes));
            let (mut a, mut b) = (Duration::MAX, Duration::MAX);
            // The best of several, and only if need be: caches are cold at first, and others use them.
            let holds = (0..4).any(|_| {
                let ((one, few), (four, many)) = (time(&small), time(&large));
                assert!(many >= 4 * few, "{name}: {few} and {many} were found");
                (a, b) = (a.min(one), b.min(four));
                b < 9 * a
            });
            println!("{name}: {bytes} bytes {a:?}, four times as many {b:?}");
            assert!(holds, "{name}: {bytes} bytes take {a:?}, four times as many {b:?}");
        }
    }
}
