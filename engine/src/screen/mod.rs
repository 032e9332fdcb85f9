//! What can be told from a text alone before it is remembered: secrets in it, and characters that nobody sees.
//! Pure: no store, no clock, no I/O.

mod entropy;
mod hidden;
mod secrets;

use std::ops::Range;

pub(crate) use hidden::hidden;
pub(crate) use secrets::secrets;

/// What a secret looks like. The words are those in a redacted text and in tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs, reason = "`as_str` says what each is")]
pub enum SecretKind {
    PrivateKey,
    AwsKey,
    GithubToken,
    SlackToken,
    GoogleKey,
    StripeKey,
    ModelKey,
    Jwt,
    BearerToken,
    DsnPassword,
    Assigned,
    /// Of no known form, and too random for a word: told, never redacted.
    HighEntropy,
}

impl SecretKind {
    /// Such as `"private_key"` or `"dsn_password"`.
    pub fn as_str(self) -> &'static str {
        match self {
            SecretKind::PrivateKey => "private_key",
            SecretKind::AwsKey => "aws_key",
            SecretKind::GithubToken => "github_token",
            SecretKind::SlackToken => "slack_token",
            SecretKind::GoogleKey => "google_key",
            SecretKind::StripeKey => "stripe_key",
            SecretKind::ModelKey => "model_key",
            SecretKind::Jwt => "jwt",
            SecretKind::BearerToken => "bearer_token",
            SecretKind::DsnPassword => "dsn_password",
            SecretKind::Assigned => "assigned",
            SecretKind::HighEntropy => "high_entropy",
        }
    }
}

/// Something in a text that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Secret {
    /// What it looks like.
    pub kind: SecretKind,
    /// Where the secret itself lies in the text, in bytes.
    pub range: Range<usize>,
}

/// Looks for secrets in a text, as [`Store::remember`](crate::Store::remember) does: keys and tokens of known
/// forms, passwords in addresses and assignments, and words too random to be one. In the order of the text; none
/// overlaps another.
pub fn find_secrets(text: &str) -> Vec<Secret> {
    secrets(text)
}

/// The text with every secret of a known form replaced by its kind, such as `[redacted: aws_key]`; `None` if
/// there is none.
pub(crate) fn redact(text: &str, secrets: &[Secret]) -> Option<String> {
    let mut redacted = String::new();
    let mut done = 0;
    for secret in secrets.iter().filter(|secret| secret.kind != SecretKind::HighEntropy) {
        redacted.push_str(&text[done..secret.range.start]);
        redacted.push_str("[redacted: ");
        redacted.push_str(secret.kind.as_str());
        redacted.push(']');
        done = secret.range.end;
    }
    if done == 0 {
        return None;
    }
    redacted.push_str(&text[done..]);
    Some(redacted)
}
