//! `Store`: authorities, directives, facts, and whether an action may be taken.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use wisen::{Action, Lint, PublicKey, SecretKey};

use crate::convert::{Arg, Given, moment, optional_text, seconds, text};
use crate::errors::{call, to_py};
use crate::metadata;
use crate::rules::{Authority, Decision, Directive};
use crate::store::Store;
use crate::vectors::{members, vector};

fn secret(value: &Bound<'_, PyAny>, what: &'static str) -> PyResult<SecretKey> {
    SecretKey::parse(&text(value, Arg::new(what))?).map_err(|error| to_py(value.py(), &error))
}

fn public(value: &Bound<'_, PyAny>, what: &'static str) -> PyResult<PublicKey> {
    PublicKey::parse(&text(value, Arg::new(what))?).map_err(|error| to_py(value.py(), &error))
}

fn sentences(lints: &[Lint]) -> Vec<String> {
    lints.iter().map(Lint::to_string).collect()
}

/// Make a key pair for an authority: the secret key, which its owner keeps, and the public key, which
/// `Store.add_authority` admits.
#[pyfunction]
pub(crate) fn generate_key(py: Python<'_>) -> PyResult<(String, String)> {
    let key = call(py, SecretKey::generate)?;
    Ok((key.to_text(), key.public().to_string()))
}

/// Return the public key that belongs to a secret key.
///
/// Raises:
///     InvalidArgumentError: The text is no secret key.
#[pyfunction]
pub(crate) fn public_key(key: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(secret(key, "key")?.public().to_string())
}

#[pymethods]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
impl Store {
    /// Make the first authority of the store, and return its secret key and a recovery key: the only time
    /// they are seen. The first signs rules; the second nothing but a recovery.
    ///
    /// Raises:
    ///     UnauthorisedError: The store has an authority.
    ///     CorruptError: It had one, which was taken away by other means.
    fn create_authority(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<(String, String)> {
        let name = text(name, Arg::new("name"))?;
        let keys = self.with(py, |store| store.create_authority(&name))?;
        Ok((keys.secret.to_text(), keys.recovery.to_text()))
    }

    /// Admit another public key, which its owner made with `generate_key`.
    fn add_authority(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        public_key: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (key, name) = (secret(key, "key")?, text(name, Arg::new("name"))?);
        let admitted = public(public_key, "public_key")?;
        self.with(py, |store| store.add_authority(&key, &name, admitted))
    }

    /// Put a new key in the place of this one, and return it: the only time it is seen.
    fn rotate_authority(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<String> {
        let key = secret(key, "key")?;
        Ok(self.with(py, |store| store.rotate_authority(&key))?.to_text())
    }

    /// Revoke another authority's key. What it signed stays in force.
    fn revoke_authority(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        public_key: &Bound<'_, PyAny>,
        reason: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (key, revoked) = (secret(key, "key")?, public(public_key, "public_key")?);
        let reason = text(reason, Arg::new("reason"))?;
        self.with(py, |store| store.revoke_authority(&key, revoked, &reason))
    }

    /// Revoke all authorities and make a new one, with the recovery key. Returns the new secret key and a
    /// new recovery key: the only time they are seen.
    fn recover_authority(
        &self,
        py: Python<'_>,
        recovery: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        reason: &Bound<'_, PyAny>,
    ) -> PyResult<(String, String)> {
        let recovery = secret(recovery, "recovery")?;
        let (name, reason) = (text(name, Arg::new("name"))?, text(reason, Arg::new("reason"))?);
        let keys = self.with(py, |store| store.recover_authority(&recovery, &name, &reason))?;
        Ok((keys.secret.to_text(), keys.recovery.to_text()))
    }

    /// Return everybody who is or was an authority, in the order of admission.
    fn authorities(&self, py: Python<'_>) -> PyResult<Vec<Authority>> {
        Ok(self.with(py, wisen::Store::authorities)?.into_iter().map(Authority).collect())
    }

    /// Put directives in force, durably: all of them, or none. Returns a sentence for each thing that may be
    /// wrong with them beside the others.
    ///
    /// Args:
    ///     key: The secret key of an authority.
    ///     text: One directive or several, as text.
    ///     force: A reason to add them although they conflict with others.
    ///
    /// Raises:
    ///     InvalidArgumentError: The text is wrong; the message names line and column.
    ///     UnauthorisedError: The key is none of a valid authority.
    ///     RuleConflictError: A directive contradicts, repeats or is hidden by another one.
    ///     CorruptError: Somebody has changed the rules by other means.
    #[pyo3(signature = (key, text, *, force=None))]
    fn add_directives(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        text: &Bound<'_, PyAny>,
        force: Given<'_, '_>,
    ) -> PyResult<Vec<String>> {
        let (key, text) = (secret(key, "key")?, self::text(text, Arg::new("text"))?);
        let force = optional_text(force, "force")?;
        let lints = self.with(py, |store| {
            let rules = wisen::parse_rules(&text)?;
            match &force {
                None => store.add_directives(&key, &rules),
                Some(reason) => store.force_directives(&key, &rules, reason),
            }
        })?;
        Ok(sentences(&lints))
    }

    /// Take a directive out of force for good, with the overrides of it.
    ///
    /// Raises:
    ///     UnknownDirectiveError: There is none with this id.
    ///     UnauthorisedError: The key is none of a valid authority.
    fn remove_directive(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        id: &Bound<'_, PyAny>,
        reason: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (key, id) = (secret(key, "key")?, text(id, Arg::new("id"))?);
        let reason = text(reason, Arg::new("reason"))?;
        self.with(py, |store| store.remove_directive(&key, &id, &reason))
    }

    /// Lift a directive until a time, for everybody.
    ///
    /// Raises:
    ///     UnknownDirectiveError: There is none with this id.
    ///     UnauthorisedError: The key is none of a valid authority.
    fn override_directive(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        id: &Bound<'_, PyAny>,
        reason: &Bound<'_, PyAny>,
        until: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (key, id) = (secret(key, "key")?, text(id, Arg::new("id"))?);
        let (reason, until) = (text(reason, Arg::new("reason"))?, moment(until, Arg::new("until"))?);
        self.with(py, |store| store.override_directive(&key, &id, &reason, until))
    }

    /// Return the directives, in the order in which they decide; of a namespace, those that may apply in it.
    ///
    /// Raises:
    ///     CorruptError: They are not what an authority signed.
    #[pyo3(signature = (namespace=None))]
    fn directives(&self, py: Python<'_>, namespace: Given<'_, '_>) -> PyResult<Vec<Directive>> {
        let namespace = optional_text(namespace, "namespace")?;
        let found = self.with(py, |store| store.directives(namespace.as_deref()))?;
        Ok(found.into_iter().map(Directive).collect())
    }

    /// Compare all directives with each other. Returns a sentence for each conflict.
    fn lint_directives(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.with(py, wisen::Store::lint_directives).map(|lints| sentences(&lints))
    }

    /// Make the rules good again that somebody has changed by other means: drop the rows that no authority
    /// signed, and sign what is left. Returns a sentence for each row dropped.
    fn repair_rules(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        reason: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<String>> {
        let (key, reason) = (secret(key, "key")?, text(reason, Arg::new("reason"))?);
        self.with(py, |store| store.repair_rules(&key, &reason))
    }

    /// Record a fact for some time, for directives to require.
    ///
    /// Args:
    ///     name: Its name (1 to 255 bytes).
    ///     value: Its value: anything that JSON can say but None.
    ///     ttl: How long it holds: seconds, or a timedelta.
    fn record_fact(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        ttl: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let name = text(name, Arg::new("name"))?;
        let (value, ttl) = (metadata::json(value, Arg::new("value"), 1)?, seconds(ttl, Arg::new("ttl"))?);
        self.with(py, |store| store.record_fact(&name, &value, ttl))
    }

    /// Return the facts that hold: names and values.
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let facts = PyDict::new(py);
        for fact in self.with(py, wisen::Store::facts)? {
            facts.set_item(&fact.name, metadata::to_py(py, &fact.value)?)?;
        }
        Ok(facts)
    }

    /// Say whether an action may be taken: "allow", "deny" or "ask", and why.
    ///
    /// To be called before the action, by the program that carries it out. If the rules cannot be read, or
    /// are not as an authority signed them, the answer is "deny".
    ///
    /// Args:
    ///     tool: The tool that is called.
    ///     args: Its arguments, a dict of what JSON can say.
    ///     text: What is said about it, or the text that it sends.
    ///     tags: Words for it, a sequence of str.
    ///     namespace: The namespace it happens in.
    ///     kind: What kind of action it is.
    ///     agent: Who is about to do it.
    ///     vector: Its embedding, for directives that go by similarity.
    #[pyo3(
        signature = (tool, *, args=None, text=None, tags=None, namespace=None, kind=None, agent=None,
                     vector=None),
        text_signature = "($self, tool, *, args=None, text='', tags=(), namespace='default', kind=None, \
            agent=None, vector=None)"
    )]
    fn check<'py>(
        &self,
        py: Python<'py>,
        tool: &Bound<'py, PyAny>,
        args: Given<'_, 'py>,
        text: Given<'_, 'py>,
        tags: Given<'_, 'py>,
        namespace: Given<'_, 'py>,
        kind: Given<'_, 'py>,
        agent: Given<'_, 'py>,
        vector: Given<'_, 'py>,
    ) -> PyResult<Decision> {
        let mut action = Action::new(self::text(tool, Arg::new("tool"))?);
        if let Some(args) = args {
            action = action.args(metadata::from_py(args, Arg::new("args"))?);
        }
        if let Some(text) = optional_text(text, "text")? {
            action = action.text(text);
        }
        if let Some(tags) = tags {
            let arg = Arg::new("tags");
            for (row, tag) in members(tags, arg, "a sequence of str")?.enumerate() {
                action = action.tag(self::text(&tag?, arg.row(row))?);
            }
        }
        if let Some(namespace) = optional_text(namespace, "namespace")? {
            action = action.namespace(namespace);
        }
        if let Some(kind) = optional_text(kind, "kind")? {
            action = action.kind(kind);
        }
        if let Some(agent) = optional_text(agent, "agent")? {
            action = action.agent(agent);
        }
        if let Some(vector) = vector {
            action = action.vector(self::vector(vector, Arg::new("vector"))?);
        }
        self.with(py, |store| store.check(&action)).map(Decision)
    }
}
