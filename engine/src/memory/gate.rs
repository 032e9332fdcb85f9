//! What is let in: every memory passes the detectors of secrets and hidden characters and then the hook of the
//! handle, before anything of it is stored.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::screen::{self, SecretKind};

use super::core::Core;
use super::input::Memory;
use super::origin::{Flag, Source};

/// Most tags of a memory, and their longest, in bytes.
const MOST_TAGS: usize = 32;
const LONGEST_TAG: usize = 255;

/// What happens to secrets of a known form in what a handle stores: content and metadata of memories, notes of
/// reports, and texts of queries, which are kept with their receipts. What only looks too random is flagged
/// on a memory whatever is chosen here but `Allow`.
///
/// A *key*, of a memory or a report, says which one it is, so that nothing can be taken out of it: one that
/// holds a secret is refused under `Redact` as it is under `Refuse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecretAction {
    /// Nothing is looked for.
    Allow,
    /// It is stored as it is, and a memory is flagged.
    Tag,
    /// The secret is replaced by its kind, and the memory is flagged. The default: who tells an agent's memory
    /// a key does not mean it to come back in every prompt it fits, and what a known form matches is hardly ever
    /// anything else, so that nothing but the key is lost.
    #[default]
    Redact,
    /// The call is refused with [`Error::Refused`](crate::Error::Refused).
    Refuse,
}

impl SecretAction {
    /// `"allow"`, `"tag"`, `"redact"` or `"refuse"`.
    pub fn as_str(self) -> &'static str {
        match self {
            SecretAction::Allow => "allow",
            SecretAction::Tag => "tag",
            SecretAction::Redact => "redact",
            SecretAction::Refuse => "refuse",
        }
    }

    /// The inverse of [`SecretAction::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Allow, Self::Tag, Self::Redact, Self::Refuse].into_iter().find(|a| a.as_str() == text)
    }
}

/// A memory on its way in, as a [`Hook`] sees it: after secrets were redacted, if they are.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Incoming<'a> {
    /// Its text.
    pub content: &'a str,
    /// Its metadata; null if it has none.
    pub metadata: &'a Value,
    /// Its namespace; empty for a change to a stored memory.
    pub namespace: &'a str,
    /// Its kind; empty for a change to a stored memory.
    pub kind: &'a str,
    /// Who wrote it, as whoever remembers it tells.
    pub author: Option<&'a str>,
    /// What kind of source it comes from, if that is told.
    pub source: Option<Source>,
}

/// What a [`Hook`] decides.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Ruling {
    /// Why the memory is refused.
    pub refuse: Option<String>,
    /// The text that is stored instead.
    pub content: Option<String>,
    /// Tags that are kept with the memory ([`Provenance::tags`](crate::Provenance::tags)); up to 32, of up to 255
    /// bytes.
    pub tags: Vec<String>,
}

impl Ruling {
    /// Lets it in as it is.
    pub fn allow() -> Self {
        Self::default()
    }

    /// Refuses it.
    pub fn refuse(why: impl Into<String>) -> Self {
        Self { refuse: Some(why.into()), ..Self::default() }
    }

    /// Lets it in with another text. (Its vector stays as it is.)
    pub fn redact(content: impl Into<String>) -> Self {
        Self { content: Some(content.into()), ..Self::default() }
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

/// Looks at every memory that is remembered or changed through a handle
/// ([`Options::hook`](crate::Options::hook)), on the thread that remembers it, before the store is locked. One that
/// panics refuses the memory. Any `Fn(&Incoming) -> Ruling` is one.
pub trait Hook: Send + Sync {
    /// Decides what becomes of a memory.
    fn review(&self, memory: &Incoming<'_>) -> Ruling;
}

impl<F: Fn(&Incoming<'_>) -> Ruling + Send + Sync> Hook for F {
    fn review(&self, memory: &Incoming<'_>) -> Ruling {
        self(memory)
    }
}

/// What becomes of the texts of a memory.
struct Passed {
    content: Option<String>,
    metadata: Option<Value>,
    flags: Noticed,
    tags: Vec<String>,
}

/// What was noticed in the texts of a memory: bits of [`Flag`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Noticed {
    pub content: i64,
    pub metadata: i64,
}

/// Refuses a key with a secret in it: it could not be redacted and still name the same.
pub(crate) fn admit_key(core: &Core, key: Option<&str>) -> Result<()> {
    let Some(key) = key else {
        return Ok(());
    };
    match core.settings.secrets {
        SecretAction::Allow | SecretAction::Tag => Ok(()),
        SecretAction::Redact | SecretAction::Refuse => match known_secret(key) {
            Some(kind) => Err(Error::Refused {
                by: "the secret detectors",
                why: format!(
                    "the key looks like it holds a {}, and nothing can be taken out of a key",
                    kind.as_str()
                ),
            }),
            None => Ok(()),
        },
    }
}

fn known_secret(text: &str) -> Option<SecretKind> {
    if crate::sabotage::on("notes_unscreened") {
        return None;
    }
    let secrets = screen::secrets(text);
    secrets.into_iter().map(|secret| secret.kind).find(|kind| *kind != SecretKind::HighEntropy)
}

/// A text that is kept beside memories, a note or the text of a query, as it may be stored.
pub(crate) fn admit_note<'a>(core: &Core, text: Option<&'a str>) -> Result<Option<Cow<'a, str>>> {
    let Some(text) = text else {
        return Ok(None);
    };
    if crate::sabotage::on("notes_unscreened") {
        return Ok(Some(text.into()));
    }
    Ok(Some(screened(core, text, &mut 0)?.map_or(Cow::Borrowed(text), Cow::Owned)))
}

/// Lets a memory in: changes its texts, flags and tags as is decided.
pub(crate) fn admit(core: &Core, memory: &mut Memory) -> Result<()> {
    admit_key(core, memory.key.as_deref())?;
    let incoming = Incoming {
        content: &memory.content,
        metadata: &memory.metadata,
        namespace: &memory.namespace,
        kind: &memory.kind,
        author: memory.author.as_deref(),
        source: memory.source,
    };
    let Passed { content, metadata, flags, tags } = pass(core, &incoming)?;
    memory.content = content.unwrap_or(std::mem::take(&mut memory.content));
    memory.metadata = metadata.unwrap_or(memory.metadata.take());
    (memory.flags, memory.tags) = (flags, tags);
    Ok(())
}

/// Lets new texts of a stored memory in.
pub(crate) fn admit_texts(
    core: &Core,
    content: &mut Option<String>,
    metadata: &mut Option<Value>,
) -> Result<(Noticed, Vec<String>)> {
    let incoming = Incoming {
        content: content.as_deref().unwrap_or_default(),
        metadata: metadata.as_ref().unwrap_or(&Value::Null),
        namespace: "",
        kind: "",
        author: None,
        source: None,
    };
    let passed = pass(core, &incoming)?;
    if let Some(text) = passed.content.filter(|_| content.is_some()) {
        *content = Some(text);
    }
    if let Some(value) = passed.metadata {
        *metadata = Some(value);
    }
    Ok((passed.flags, passed.tags))
}

fn pass(core: &Core, incoming: &Incoming<'_>) -> Result<Passed> {
    let mut flags = Noticed::default();
    let mut content = screened(core, incoming.content, &mut flags.content)?;
    let metadata = screened_value(core, incoming.metadata, &mut flags.metadata)?;
    let mut tags = Vec::new();
    if let Some(hook) = &core.settings.hook {
        let seen = Incoming {
            content: content.as_deref().unwrap_or(incoming.content),
            metadata: metadata.as_ref().unwrap_or(incoming.metadata),
            ..*incoming
        };
        let refused = |why: String| Error::Refused { by: "the hook", why };
        let ruling = catch_unwind(AssertUnwindSafe(|| hook.review(&seen)))
            .map_err(|panic| refused(format!("it panicked ({})", said(&*panic))))?;
        if let Some(why) = ruling.refuse.filter(|_| !crate::sabotage::on("hooks_ignored")) {
            return Err(refused(why));
        }
        if let Some(text) = ruling.content {
            // What a hook writes is looked at as everything else.
            content = Some(screened(core, &text, &mut flags.content)?.unwrap_or(text));
        }
        if ruling.tags.len() > MOST_TAGS || ruling.tags.iter().any(|tag| tag.len() > LONGEST_TAG) {
            return Err(refused(format!(
                "it gave more than {MOST_TAGS} tags, or one of more than {LONGEST_TAG} bytes"
            )));
        }
        tags = ruling.tags;
    }
    Ok(Passed { content, metadata, flags, tags })
}

pub(crate) fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".to_owned())
}

/// Looks at a text. Returns what is stored instead, if something is.
fn screened(core: &Core, text: &str, flags: &mut i64) -> Result<Option<String>> {
    let hidden = screen::hidden(text);
    *flags |= i64::from(hidden.invisible) * Flag::Invisible as i64;
    *flags |= i64::from(hidden.bidirectional) * Flag::Bidirectional as i64;
    let action = core.settings.secrets;
    if action == SecretAction::Allow || crate::sabotage::on("secrets_pass") {
        return Ok(None);
    }
    let secrets = screen::secrets(text);
    if secrets.iter().any(|secret| secret.kind == SecretKind::HighEntropy) {
        *flags |= Flag::HighEntropy as i64;
    }
    let Some(known) = secrets.iter().find(|secret| secret.kind != SecretKind::HighEntropy) else {
        return Ok(None);
    };
    match action {
        SecretAction::Refuse => Err(Error::Refused {
            by: "the secret detectors",
            why: format!("something in it looks like a {}", known.kind.as_str()),
        }),
        SecretAction::Redact => {
            *flags |= Flag::Redacted as i64;
            Ok(screen::redact(text, &secrets))
        }
        SecretAction::Tag | SecretAction::Allow => {
            *flags |= Flag::Secret as i64;
            Ok(None)
        }
    }
}

/// Looks at every text in a JSON value; keys are left alone.
fn screened_value(core: &Core, value: &Value, flags: &mut i64) -> Result<Option<Value>> {
    if value.is_null() {
        return Ok(None);
    }
    let mut changed = value.clone();
    let mut any = false;
    let mut waiting = vec![(None, &mut changed)];
    while let Some((key, value)) = waiting.pop() {
        match value {
            Value::String(text) => {
                // A form that needs to see what the secret is assigned to sees the key.
                let named = key.map(|key: &String| format!("{key}: {text}"));
                if let Some(stored) = screened(core, text, flags)? {
                    (*text, any) = (stored, true);
                } else if let Some(named) = named
                    && let Some(stored) = screened(core, &named, flags)?
                {
                    let at = named.len() - text.len();
                    // What was found in the key stays there; only the text is replaced.
                    let stored = stored.get(at..).unwrap_or("[redacted]").to_owned();
                    (*text, any) = (stored, true);
                }
            }
            Value::Array(items) => waiting.extend(items.iter_mut().map(|item| (None, item))),
            Value::Object(fields) => waiting.extend(fields.iter_mut().map(|(key, value)| (Some(key), value))),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    Ok(any.then_some(changed))
}
