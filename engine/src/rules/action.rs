//! What rules are asked about.

use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};

/// An action that is about to be taken, for [`Store::check`](crate::Store::check).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Action {
    pub(crate) tool: String,
    pub(crate) args: Value,
    pub(crate) text: String,
    pub(crate) tags: Vec<String>,
    pub(crate) namespace: String,
    pub(crate) kind: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) vector: Option<Vec<f32>>,
}

impl Action {
    /// The same for actions that are the same.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        let args = self.args.to_string();
        let agent = self.agent.as_deref().unwrap_or_default();
        let kind = self.kind.as_deref().unwrap_or_default();
        let texts = [self.tool.as_str(), &args, &self.text, &self.namespace, agent, kind];
        for part in texts.into_iter().chain(self.tags.iter().map(String::as_str)) {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(bytemuck::cast_slice(self.vector.as_deref().unwrap_or_default()));
        hash.digest()
    }

    /// A call of the tool with this name.
    pub fn new(tool: impl Into<String>) -> Self {
        Self {
            tool: tool.into(),
            args: Value::Null,
            text: String::new(),
            tags: Vec::new(),
            namespace: crate::id::DEFAULT_NAMESPACE.to_owned(),
            kind: None,
            agent: None,
            vector: None,
        }
    }

    /// An action from a JSON object: `tool` (needed), `args`, `text`, `tags` (a list of texts), `namespace`,
    /// `kind`, `agent`, `vector` (a list of numbers). Any other key is refused: a slip must not hide what
    /// a rule asks for.
    pub fn from_json(value: &Value) -> Result<Self> {
        let wrong = |why: String| Error::invalid("action", why);
        let object = value.as_object().ok_or_else(|| wrong("it is no JSON object".to_owned()))?;
        let mut action = Self::new("");
        let mut named = false;
        for (key, value) in object {
            let text = || {
                let text = value.as_str().map(str::to_owned);
                text.ok_or_else(|| wrong(format!("{key:?} is no text")))
            };
            match key.as_str() {
                "tool" => {
                    action.tool = text()?;
                    named = true;
                }
                "args" => action.args = value.clone(),
                "text" => action.text = text()?,
                "namespace" => action.namespace = text()?,
                "kind" => action.kind = Some(text()?),
                "agent" => action.agent = Some(text()?),
                "tags" => {
                    action.tags = serde_json::from_value(value.clone())
                        .map_err(|_| wrong("\"tags\" is no list of texts".to_owned()))?;
                }
                "vector" => {
                    let vector = serde_json::from_value(value.clone());
                    action.vector =
                        Some(vector.map_err(|_| wrong("\"vector\" is no list of numbers".to_owned()))?);
                }
                _ => return Err(wrong(format!("it has a key {key:?}, which means nothing"))),
            }
        }
        if named { Ok(action) } else { Err(wrong("it names no tool".to_owned())) }
    }

    /// The arguments of the call, as JSON.
    pub fn args(mut self, args: Value) -> Self {
        self.args = args;
        self
    }

    /// What is said about it, or the text that it sends.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// The namespace it happens in. Default: `"default"`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// What kind of action it is. Default: none.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Who is about to do it. Default: nobody named.
    pub fn agent(mut self, agent: impl Into<String>) -> Self {
        self.agent = Some(agent.into());
        self
    }

    /// Its embedding, for rules that go by similarity; of the store's dimension.
    pub fn vector(mut self, vector: impl Into<Vec<f32>>) -> Self {
        self.vector = Some(vector.into());
        self
    }

    pub(crate) fn thing(&self) -> Thing<'_> {
        Thing {
            tool: Some(&self.tool),
            args: Some(&self.args),
            metadata: None,
            text: &self.text,
            tags: self.tags.iter().map(String::as_str).collect(),
            namespace: &self.namespace,
            kind: self.kind.as_deref(),
            agent: self.agent.as_deref(),
            vector: self.vector.as_deref(),
        }
    }
}

/// What a condition looks at: an action, or a memory.
pub(crate) struct Thing<'a> {
    /// `None`: it is a memory.
    pub tool: Option<&'a str>,
    pub args: Option<&'a Value>,
    /// `None`: it is an action.
    pub metadata: Option<&'a Value>,
    pub text: &'a str,
    pub tags: Vec<&'a str>,
    pub namespace: &'a str,
    pub kind: Option<&'a str>,
    pub agent: Option<&'a str>,
    pub vector: Option<&'a [f32]>,
}

impl<'a> Thing<'a> {
    /// A memory. Its tags are the strings in the list `tags` of its metadata, or the one string there; its
    /// agent is its author.
    pub(crate) fn memory(
        content: &'a str,
        metadata: &'a Value,
        (namespace, kind, author): (&'a str, &'a str, Option<&'a str>),
        vector: &'a [f32],
    ) -> Self {
        let tags = match metadata.get("tags") {
            Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(tag)) => vec![tag.as_str()],
            _ => Vec::new(),
        };
        Self {
            tool: None,
            args: None,
            metadata: Some(metadata),
            text: content,
            tags,
            namespace,
            kind: Some(kind),
            agent: author,
            vector: Some(vector),
        }
    }
}
