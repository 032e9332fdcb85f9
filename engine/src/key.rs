//! Keys of authorities: Ed25519 (RFC 8032), as text that people can copy.
//!
//! What is signed is never bare text: a [`Message`] names its purpose and the store, and its fields are
//! tagged and carry their length, so that a signature made for one row, purpose or store says nothing of
//! another.

use std::collections::HashSet;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const SECRET: &str = "wisen-secret-";
const PUBLIC: &str = "wisen-public-";
/// Hashes of key, message and signature of those found good by this process: the same few are asked about again
/// and again, and verifying one costs as much as reading a hundred rows.
static FOUND_GOOD: Mutex<Option<HashSet<[u8; 32]>>> = Mutex::new(None);
/// Most that are kept.
const MOST_KNOWN: usize = 4096;
/// Bytes of a checksum at the end of a key's text, which tells a slip from a key.
const CHECK: usize = 4;

/// The secret key of an authority, with which it signs rules. Whoever has it can change them: keep it
/// out of the store, its memories and the model's reach. Wiped from memory when dropped; never shown by
/// `Debug`.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A new key, from the random numbers of the operating system.
    pub fn generate() -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(Error::internal)?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads a key from the text of [`SecretKey::to_text`]; white space around it does not matter.
    pub fn parse(text: &str) -> Result<Self> {
        unwrapped("secret key", SECRET, text).map(|seed| Self(SigningKey::from_bytes(&seed)))
    }

    /// The key as text: `wisen-secret-` and 72 hexadecimal digits.
    pub fn to_text(&self) -> String {
        wrapped(SECRET, self.0.as_bytes())
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a message.
    pub(crate) fn sign(&self, message: &Message) -> Signature {
        self.0.sign(&message.0).to_bytes()
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

/// The public key of an authority: may be shown to anybody.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a key from its text, which is what `Display` writes: `wisen-public-` and 72 hexadecimal
    /// digits.
    pub fn parse(text: &str) -> Result<Self> {
        let bytes = unwrapped("public key", PUBLIC, text)?;
        VerifyingKey::from_bytes(&bytes)
            .map(|_| Self(bytes))
            .map_err(|_| Error::invalid("public key", "it is no point of the curve: copy it again"))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a signature under this key is that of the message. Strict: weak keys and signatures
    /// that could be altered without breaking are refused.
    pub(crate) fn verifies(&self, message: &Message, signature: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(self.0)
            .chain_update(&message.0)
            .chain_update(signature)
            .finalize()
            .into();
        if FOUND_GOOD.lock().as_ref().is_some_and(|known| known.contains(&digest)) {
            return true;
        }
        let (Ok(key), Ok(signature)) =
            (VerifyingKey::from_bytes(&self.0), ed25519_dalek::Signature::from_slice(signature))
        else {
            return false;
        };
        let good =
            crate::sabotage::on("signatures_unchecked") || key.verify_strict(&message.0, &signature).is_ok();
        if good {
            let mut known = FOUND_GOOD.lock();
            let known = known.get_or_insert_default();
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            known.insert(digest);
        }
        good
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&wrapped(PUBLIC, &self.0))
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// An Ed25519 signature.
pub(crate) type Signature = [u8; 64];

/// What is signed: a purpose, the store, and fields.
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// A message of a store for one purpose. The fields that follow have to tell the row from every
    /// other one that was ever signed for it, or the signature can be used again.
    pub(crate) fn new(purpose: &'static str, store_id: &[u8; 16]) -> Self {
        Self(b"wisen signed message 1".to_vec()).text(purpose).bytes(store_id)
    }

    pub(crate) fn int(mut self, value: i64) -> Self {
        self.0.push(b'i');
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, value: &[u8]) -> Self {
        self.0.push(b'b');
        self.0.extend((value.len() as u64).to_le_bytes());
        self.0.extend(value);
        self
    }

    pub(crate) fn text(self, value: &str) -> Self {
        self.bytes(value.as_bytes())
    }

    pub(crate) fn opt(mut self, value: Option<&[u8]>) -> Self {
        if let Some(value) = value {
            return self.bytes(value);
        }
        self.0.push(b'n');
        self
    }

    /// SHA-256 of the message and its signature.
    pub(crate) fn digest(&self, signature: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(&self.0).chain_update(signature).finalize().into()
    }
}

fn check(prefix: &str, bytes: &[u8]) -> [u8; CHECK] {
    let hash = Sha256::new().chain_update(prefix).chain_update(bytes).finalize();
    std::array::from_fn(|i| hash[i])
}

fn wrapped(prefix: &str, bytes: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(prefix.len() + 2 * (bytes.len() + CHECK));
    text.push_str(prefix);
    for byte in bytes.iter().chain(&check(prefix, bytes)) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The reasons never quote the text: it may be a secret with a slip.
fn unwrapped(what: &'static str, prefix: &str, text: &str) -> Result<[u8; 32]> {
    let wrong = |why: &str| Error::invalid(what, why);
    let digits = text
        .trim()
        .strip_prefix(prefix)
        .ok_or_else(|| Error::invalid(what, format!("it does not begin with {prefix}")))?;
    if digits.len() != 2 * (32 + CHECK) || !digits.is_ascii() {
        return Err(Error::invalid(what, format!("{prefix} is to be followed by 72 hexadecimal digits")));
    }
    let mut bytes = [0; 32 + CHECK];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong("it holds what is no hexadecimal digit"))?;
    }
    let key: [u8; 32] = std::array::from_fn(|i| bytes[i]);
    if check(prefix, &key) != bytes[32..] {
        return Err(wrong("a digit of it is wrong: copy it again"));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_being_text() {
        let key = SecretKey::generate().expect("random numbers");
        let back = SecretKey::parse(&format!(" {}\n", key.to_text())).expect("parses");
        assert_eq!(back.public(), key.public());
        assert_eq!(PublicKey::parse(&key.public().to_string()).expect("parses"), key.public());
        assert!(!format!("{key:?}").contains(&key.to_text()[13..40]));
        let mut slip = key.to_text().into_bytes();
        slip[20] = if slip[20] == b'0' { b'1' } else { b'0' };
        let error = SecretKey::parse(std::str::from_utf8(&slip).expect("ASCII")).expect_err("a slip");
        assert!(!error.to_string().contains(&key.to_text()[30..60]), "a secret in a message");
        for bad in ["", "wisen-secret-", "wisen-public-00", &key.public().to_string()] {
            assert!(SecretKey::parse(bad).is_err(), "{bad}");
        }
        assert!(SecretKey::parse(&format!("wisen-secret-{}", "+1".repeat(36))).is_err());
    }

    #[test]
    fn a_signature_is_good_for_its_message_alone() {
        let key = SecretKey::generate().expect("random numbers");
        let message = |purpose, store: u8, text: &str| Message::new(purpose, &[store; 16]).text(text).int(1);
        let signature = key.sign(&message("a", 1, "bc"));
        let public = key.public();
        assert!(public.verifies(&message("a", 1, "bc"), &signature));
        assert!(!public.verifies(&message("b", 1, "bc"), &signature));
        assert!(!public.verifies(&message("a", 2, "bc"), &signature));
        assert!(!public.verifies(&message("a", 1, "b"), &signature));
        assert!(!public.verifies(&message("a", 1, "bc"), &signature[..63]));
        let other = SecretKey::generate().expect("random numbers").public();
        assert!(!other.verifies(&message("a", 1, "bc"), &signature));
    }
}
