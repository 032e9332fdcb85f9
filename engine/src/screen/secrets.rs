//! Detectors of secrets. Each is a linear-time regular expression for the form, and a test for what the form
//! cannot say. What they find on a corpus of planted and of harmless texts: `cargo run -p wisen-benches --bin
//! secrets`.
//!
//! Texts may be large and come from anybody, so the work is linear in the text (and `n log n` in what is found in
//! it): nothing looks back or ahead over more than it steps over.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::MatchIndices;
use std::sync::LazyLock;

use regex::{Captures, Regex, RegexSet};

use super::entropy::{is_key_like, is_placeholder, is_random};
use super::{Secret, SecretKind};

/// Its form; the group `s`, or all of it, is the secret. And whether it is one.
struct Detector {
    kind: SecretKind,
    form: &'static str,
    good: fn(&str) -> bool,
}

const fn detector(kind: SecretKind, form: &'static str, good: fn(&str) -> bool) -> Detector {
    Detector { kind, form, good }
}

const DETECTORS: [Detector; 17] = [
    detector(
        SecretKind::PrivateKey,
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
        is_armoured,
    ),
    detector(SecretKind::AwsKey, r"(?-u:\b)(?:AKIA|ASIA)[A-Z2-7]{16}(?-u:\b)", is_no_example),
    detector(
        SecretKind::AwsKey,
        r#"(?i:aws.{0,20}secret.{0,20}?)["'\s:=]{1,6}(?P<s>[A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
        is_no_example,
    ),
    detector(SecretKind::GithubToken, r"(?-u:\b)gh[pousr]_[A-Za-z0-9]{36,}(?-u:\b)", is_mixed),
    detector(
        SecretKind::GithubToken,
        r"(?-u:\b)github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}(?-u:\b)",
        is_mixed,
    ),
    detector(SecretKind::SlackToken, r"(?-u:\b)xox[abeoprs]-(?:[A-Za-z0-9]{6,}-?){2,}", is_mixed),
    detector(
        SecretKind::SlackToken,
        r"https://hooks\.slack\.com/services/(?P<s>T[A-Z0-9]{7,}/B[A-Z0-9]{7,}/[A-Za-z0-9]{20,})",
        is_no_example,
    ),
    detector(SecretKind::GoogleKey, r"(?-u:\b)AIza[0-9A-Za-z_-]{35}(?:[^0-9A-Za-z_-]|$)", is_mixed),
    detector(SecretKind::StripeKey, r"(?-u:\b)[rs]k_live_[0-9A-Za-z]{16,}(?-u:\b)", is_mixed),
    detector(
        SecretKind::ModelKey,
        r"(?-u:\b)(?:sk-(?:proj-|svcacct-|ant-[a-z0-9]{2,8}-)?[A-Za-z0-9_-]{24,})",
        is_mixed,
    ),
    detector(
        SecretKind::ModelKey,
        r"(?-u:\b)(?:hf_[A-Za-z0-9]{30,40}|npm_[A-Za-z0-9]{36})(?-u:\b)",
        is_no_example,
    ),
    detector(
        SecretKind::Jwt,
        r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}",
        is_no_example,
    ),
    detector(SecretKind::BearerToken, r"(?i)(?-u:\b)bearer\s{1,4}(?P<s>[A-Za-z0-9._~+/-]{20,}=*)", is_secret),
    detector(
        SecretKind::BearerToken,
        r"(?i)(?-u:\b)authorization[\x22']?\s{0,4}[:=]\s{0,4}[\x22']?(?:basic|token)\s{1,4}(?P<s>[A-Za-z0-9._~+/-]{12,}=*)",
        is_password,
    ),
    detector(
        SecretKind::DsnPassword,
        r"(?-u:\b)[a-z][a-z0-9+.-]{1,30}://[^\s:/@\x22']{0,64}:(?P<s>[^\s@/\x22']{3,128})@[A-Za-z0-9._\[-]",
        is_password,
    ),
    detector(
        SecretKind::Assigned,
        r"(?i)(?:api[_-]?key|apikey|secret[_-]?key|client[_-]?secret|secret|access[_-]?token|auth[_-]?token|token|passwd|password|pwd|passphrase)[\x22']?\s{0,3}(?:=>|:=|[:=])\s{0,3}[\x22']?(?P<s>[^\s\x22',;<>()\[\]{}]{8,256})",
        is_secret,
    ),
    detector(
        SecretKind::Assigned,
        r"(?i)(?-u:\b)(?:password|passphrase)\s(?:is|was|to)\s{1,3}[\x22'`]?(?P<s>[^\s\x22'`,;<>()\[\]{}]{8,64})",
        is_strong,
    ),
];

struct Compiled {
    any: RegexSet,
    each: Vec<Regex>,
}

static COMPILED: LazyLock<Option<Compiled>> = LazyLock::new(|| {
    let forms = DETECTORS.iter().map(|detector| detector.form);
    let each: Result<Vec<Regex>, _> = forms.clone().map(Regex::new).collect();
    Some(Compiled { any: RegexSet::new(forms).ok()?, each: each.ok()? })
});

/// Whether any detector can find something: all forms have one of these, and most texts have none.
fn may_hold_one(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| {
        let rest = &bytes[at..];
        match byte {
            b'=' | b':' => true,
            b'-' => rest.starts_with(b"-----"),
            b'g' => rest.starts_with(b"gh") || rest.starts_with(b"github_pat_"),
            b'x' => rest.starts_with(b"xox"),
            b's' | b'r' => matches!(rest, [_, b'k', b'_' | b'-', ..]),
            b'h' => rest.starts_with(b"hf_"),
            b'n' => rest.starts_with(b"npm_"),
            b'e' => rest.starts_with(b"eyJ"),
            b'b' | b'B' | b'p' | b'P' | b'a' | b'A' => {
                let is = |word: &str| {
                    rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes())
                };
                let key = rest.starts_with(b"AKIA") || rest.starts_with(b"ASIA") || rest.starts_with(b"AIza");
                key || is("bearer") || is("passw") || is("passphrase") || is("aws")
            }
            _ => false,
        }
    })
}

/// Secrets in a text, in its order.
pub(crate) fn secrets(text: &str) -> Vec<Secret> {
    let mut found = Found::default();
    // That the forms are regular expressions is tested; without them nothing could be said of any text.
    if may_hold_one(text)
        && let Some(compiled) = &*COMPILED
    {
        // The first detectors know best what a thing is.
        for at in compiled.any.matches(text) {
            let (detector, form) = (&DETECTORS[at], &compiled.each[at]);
            let mut armour = Armour::new(text);
            for captures in form.captures_iter(text) {
                if let Some(new) = secret(detector, &mut armour, &captures)
                    && found.leaves_free(&new.range)
                {
                    found.add(new);
                }
            }
        }
    }
    for range in words(text) {
        if found.leaves_free(&range) && is_key_like(&text[range.clone()]) {
            found.add(Secret { kind: SecretKind::HighEntropy, range });
        }
    }
    found.0.into_values().collect()
}

/// What was found so far, by where it begins; none overlaps another.
#[derive(Default)]
struct Found(BTreeMap<usize, Secret>);

impl Found {
    /// Whether nothing found overlaps a range. The last that begins before its end reaches furthest.
    fn leaves_free(&self, range: &Range<usize>) -> bool {
        self.0.range(..range.end).next_back().is_none_or(|(_, old)| old.range.end <= range.start)
    }

    fn add(&mut self, secret: Secret) {
        self.0.insert(secret.range.start, secret);
    }
}

fn secret(detector: &Detector, armour: &mut Armour<'_>, captures: &Captures<'_>) -> Option<Secret> {
    let found = captures.name("s").or_else(|| captures.get(0))?;
    let mut range = found.range();
    let mut text = found.as_str();
    if detector.kind == SecretKind::PrivateKey {
        range.end = armour.end(range.end);
        text = &armour.text[range.clone()];
    }
    if detector.kind == SecretKind::GoogleKey {
        // The last character only shows where the key ends.
        let end = text.char_indices().nth(39).map_or(text.len(), |(at, _)| at);
        (range.end, text) = (range.start + end, &text[..end]);
    }
    if matches!(detector.kind, SecretKind::BearerToken | SecretKind::Assigned) {
        let cut = text.trim_end_matches(['.', '!', '?', ':', '`']);
        (range.end, text) = (range.start + cut.len(), cut);
    }
    (detector.good)(text).then_some(Secret { kind: detector.kind, range })
}

/// Where a word stands in a text, asked for from the left to the right. It does not overlap itself.
struct Places<'t> {
    coming: MatchIndices<'t, &'static str>,
    /// The last that was passed.
    passed: Option<usize>,
    next: Option<usize>,
}

impl<'t> Places<'t> {
    fn new(text: &'t str, word: &'static str) -> Self {
        let mut coming = text.match_indices(word);
        let next = coming.next().map(|(at, _)| at);
        Self { coming, passed: None, next }
    }

    /// Passes those that lie before a place, and returns the first after it.
    fn first_from(&mut self, place: usize) -> Option<usize> {
        while let Some(at) = self.next.filter(|at| *at < place) {
            self.passed = Some(at);
            self.next = self.coming.next().map(|(at, _)| at);
        }
        self.next
    }
}

/// The lines around keys in armour, looked for as often as there are keys, from the left to the right.
struct Armour<'t> {
    text: &'t str,
    lines: Option<(Places<'t>, Places<'t>)>,
}

impl<'t> Armour<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, lines: None }
    }

    /// Where a key ends whose first line ends here: with its last line, or with what can be in it.
    fn end(&mut self, from: usize) -> usize {
        let (begins, ends) = self
            .lines
            .get_or_insert_with(|| (Places::new(self.text, BEGIN), Places::new(self.text, "-----END")));
        let (begin, end) = (begins.first_from(from), ends.first_from(from));
        let last = end.filter(|end| end - from < 16_384 && begin.is_none_or(|begin| *end < begin));
        // The next key has such a line as well: nothing is looked over twice.
        if let Some(end) = last.and_then(|at| Some(at + 8 + self.text[at + 8..].find("-----")? + 5)) {
            return end;
        }
        let is_part = |c: char| {
            c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\\') || c.is_ascii_whitespace()
        };
        let rest = &self.text[from..];
        from + rest.find(|c| !is_part(c)).unwrap_or(rest.len())
    }
}

/// How the first line of what is in armour begins.
const BEGIN: &str = "-----BEGIN";

/// Runs of characters that keys are made of, long enough for one; but for what is written in base64 to be shown:
/// files, digests, and public keys and certificates in armour.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=');
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut armour = Places::new(text, "-----BEGIN ");
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            while at < bytes.len() && is_part(bytes[at]) {
                at += 1;
            }
            let end = at;
            at += 1;
            // What is so long is ASCII, and so begins and ends between characters.
            if end - start >= 32 && !is_shown(text, &mut armour, start..end) {
                return Some(start..end);
            }
        }
        None
    })
}

/// Whether a word in base64 is there to be shown: a file, a digest, or a part of a certificate or public key.
fn is_shown(text: &str, armour: &mut Places<'_>, word: Range<usize>) -> bool {
    let (before, word) = (&text[..word.start], &text[word]);
    let digest = ["sha256-", "sha384-", "sha512-"].iter().any(|name| word.starts_with(name));
    armour.first_from(before.len());
    let last = if crate::sabotage::on("looks_all_the_way_back") {
        before.rfind("-----BEGIN ")
    } else {
        armour.passed
    };
    let armour = last.map_or("", |at| &before[at..]);
    digest
        || before.ends_with("base64,")
        || armour.starts_with("-----BEGIN CERT")
        || armour.starts_with("-----BEGIN PUBLIC")
}

/// A key in armour: enough base64 between the lines, line breaks written out or not.
fn is_armoured(text: &str) -> bool {
    let body = text.split("-----").nth(2).unwrap_or_default().replace("\\n", "\n").replace("\\r", "");
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let spaces = body.bytes().filter(u8::is_ascii_whitespace).count();
    let longest = body.split_ascii_whitespace().map(str::len).max().unwrap_or(0);
    let good = body.bytes().filter(base64).count();
    good >= 40 && longest >= 32 && good * 10 >= (body.len() - spaces) * 7 && !body.contains("...")
}

fn is_no_example(text: &str) -> bool {
    !is_placeholder(text) && super::entropy::bits(text) > 2.8
}

/// A key of a form: random beyond its first letters.
fn is_mixed(text: &str) -> bool {
    is_random(text) && !is_placeholder(text)
}

/// A password in an address: anything that is no placeholder.
fn is_password(text: &str) -> bool {
    !is_placeholder(text)
}

/// What is assigned to a word for a secret is one if it looks like no word of a language or of code.
fn is_secret(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    let path = text.starts_with(['/', '~', '.']) || text.contains("://") || text.contains("::");
    let code =
        text.contains('(') || text.ends_with("()") || text.starts_with('$') || text.starts_with("env.");
    let dotted = text
        .split('.')
        .filter(|part| part.len() > 2 && part.bytes().all(|b| b.is_ascii_alphabetic()))
        .count();
    plain && !path && !code && dotted < 2 && is_random(text) && !is_placeholder(text)
}

/// In a sentence only what nobody would say.
fn is_strong(text: &str) -> bool {
    let capital = text.bytes().any(|byte| byte.is_ascii_uppercase());
    let other = text.bytes().any(|byte| byte.is_ascii_punctuation());
    is_secret(text) && (capital || other)
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod linear_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_a_regular_expression() {
        assert!(COMPILED.is_some());
    }

    /// Whatever the text, nothing panics, and what is found lies between characters.
    #[test]
    fn any_text_can_be_looked_at() {
        let pieces = [
            "\u{e9}",
            "\u{1f468}",
            "AIza",
            "-----BEGIN PRIVATE KEY-----",
            "-----END",
            "postgres://a:",
            "@",
            "=",
            ":",
            "password ",
            "bearer ",
            "eyJ",
            ".",
            "\n",
            "\\n",
            "Zx9",
            "a",
            "/",
            "'",
            "\u{202e}",
            "sk_live_",
            "-",
            "AbC1dEf2GhI3jKl4MnO5pQr6StU7vWx8YzA9",
            "\u{10ffff}",
        ];
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..5000 {
            let text: String = (0..rng.usize(1..40)).map(|_| pieces[rng.usize(..pieces.len())]).collect();
            let found = secrets(&text);
            assert!(found.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start), "{text:?}");
            for secret in &found {
                assert!(text.get(secret.range.clone()).is_some_and(|part| !part.is_empty()), "{text:?}");
            }
            let _ = super::super::redact(&text, &found);
            let _ = super::super::hidden(&text);
        }
    }

    #[test]
    fn what_is_found_is_the_secret_and_nothing_else() {
        let kinds = |text: &str| -> Vec<(SecretKind, String)> {
            secrets(text).into_iter().map(|s| (s.kind, text[s.range].to_owned())).collect()
        };
        let one = |kind, secret: &str| vec![(kind, secret.to_owned())];
        assert_eq!(
            kinds("connect to postgres://app:s3cr3t-Pa55@db.internal:5432/app first"),
            one(SecretKind::DsnPassword, "s3cr3t-Pa55")
        );
        let aws = "AKIAQ3EGRVTXJ5MNKL2P";
        assert_eq!(kinds(&format!("key {aws}, used daily")), one(SecretKind::AwsKey, aws));
        let secret = "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";
        for name in ["AWS secret access key is", "aws secret key"] {
            assert_eq!(kinds(&format!("the {name} {secret} now")), one(SecretKind::AwsKey, secret), "{name}");
        }
        assert_eq!(
            kinds("export DB_PASSWORD='tr0ub4dor&3x' # prod"),
            one(SecretKind::Assigned, "tr0ub4dor&3x")
        );
        for harmless in [
            "the token: see the documentation of tokens",
            "password = os.environ['DB_PASSWORD']",
            "AKIAIOSFODNN7EXAMPLE is the key of the manual",
            "postgres://user:password@localhost/db",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "-----BEGIN PRIVATE KEY----- begins such a file, and -----END PRIVATE KEY----- ends it",
            "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        ] {
            assert_eq!(kinds(harmless), [], "{harmless}");
        }
    }
}
