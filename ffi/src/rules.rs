//! Rules: authorities, directives, facts, and whether an action may be taken.

use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

use wisen::{Action, Answer, Decision, Lint, PublicKey, SecretKey};

use crate::call::{call, call_on, peek};
use crate::error::{Fault, invalid, wisen_error};
use crate::handle::{Object, free, give};
use crate::raw::{In, Out, from_c};
use crate::status::wisen_status;
use crate::store::wisen_store;
use crate::text::{Chars, wisen_text};

/// Whether an action may be taken. The numbers are exit statuses of the program `wisen check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum wisen_answer {
    /// Nothing speaks against it.
    WISEN_ALLOW = 0,
    /// It must not be done.
    WISEN_DENY = 2,
    /// Somebody has to be asked first.
    WISEN_ASK = 3,
}

/// A list of texts. Handle, to be freed with wisen_texts_free(); one thread at a time. It needs the store
/// no longer.
pub struct wisen_texts {
    list: Vec<Chars>,
}

impl Object for wisen_texts {
    const NAME: &'static str = "wisen_texts";
    const MAGIC: u32 = u32::from_be_bytes(*b"Wtxt");
}

impl wisen_texts {
    pub(crate) fn of(texts: impl IntoIterator<Item = String>) -> *mut wisen_texts {
        give(wisen_texts { list: texts.into_iter().map(Chars::new).collect() })
    }
}

/// How many texts there are in the list; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_texts_count(texts: *const wisen_texts) -> usize {
    from_c!(texts);
    peek(texts, 0, |texts| texts.list.len())
}

/// Text number `index` of the list, counted from 0; it belongs to the list. `data` is NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_texts_get(texts: *const wisen_texts, index: usize) -> wisen_text {
    from_c!(texts);
    peek(texts, wisen_text::NONE, |texts| Chars::lend_option(texts.list.get(index)))
}

/// Frees the list, and with it its texts, and sets the variable to NULL. A NULL variable, or NULL in it,
/// is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_texts_free(texts: *mut *mut wisen_texts) {
    from_c!(texts);
    free(texts);
}

fn secret(key: In<c_char>, size: usize) -> Result<SecretKey, Fault> {
    Ok(SecretKey::parse(key.some_text("key", size)?)?)
}

fn public(key: In<c_char>, size: usize) -> Result<PublicKey, Fault> {
    Ok(PublicKey::parse(key.some_text("public_key", size)?)?)
}

fn sentences(lints: &[Lint]) -> *mut wisen_texts {
    wisen_texts::of(lints.iter().map(Lint::to_string))
}

/// A list that is wanted: NULL until there is one.
pub(crate) fn wanted(texts: Out<*mut wisen_texts>) -> Out<*mut wisen_texts> {
    texts.write_if_wanted(ptr::null_mut());
    texts
}

/// Makes a key pair for an authority: on success `*keys` is a list of the secret key, which its owner keeps,
/// and the public key, which wisen_add_authority() admits. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_generate_key(
    keys: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(keys, error);
    let keys = wanted(keys);
    call(error, || {
        keys.check("keys")?;
        let key = SecretKey::generate()?;
        keys.write("keys", wisen_texts::of([key.to_text(), key.public().to_string()]))
    })
}

/// Makes the first authority of the store: on success `*keys` is a list of its secret key, which signs rules,
/// and of the recovery key, which signs nothing but a recovery. They are told this once. WISEN_UNAUTHORISED
/// if the store has an authority. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_create_authority(
    store: *mut wisen_store,
    name: *const c_char,
    name_size: usize,
    keys: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, name, keys, error);
    let keys = wanted(keys);
    call_on(store, error, |store| {
        keys.check("keys")?;
        let made = store.store.create_authority(name.some_text("name", name_size)?)?;
        keys.write("keys", wisen_texts::of([made.secret.to_text(), made.recovery.to_text()]))
    })
}

/// Admits another public key, signed with the secret key `key` of a valid authority. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_add_authority(
    store: *mut wisen_store,
    key: *const c_char,
    key_size: usize,
    name: *const c_char,
    name_size: usize,
    public_key: *const c_char,
    public_key_size: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, key, name, public_key, error);
    call_on(store, error, |store| {
        let key = secret(key, key_size)?;
        let admitted = public(public_key, public_key_size)?;
        Ok(store.store.add_authority(&key, name.some_text("name", name_size)?, admitted)?)
    })
}

/// Puts a new key in the place of `key`: on success `*keys` is a list of the new secret key, told this once.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_rotate_authority(
    store: *mut wisen_store,
    key: *const c_char,
    key_size: usize,
    keys: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, key, keys, error);
    let keys = wanted(keys);
    call_on(store, error, |store| {
        keys.check("keys")?;
        let fresh = store.store.rotate_authority(&secret(key, key_size)?)?;
        keys.write("keys", wisen_texts::of([fresh.to_text()]))
    })
}

/// Revokes another authority's public key. What it signed stays in force. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_revoke_authority(
    store: *mut wisen_store,
    key: *const c_char,
    key_size: usize,
    public_key: *const c_char,
    public_key_size: usize,
    reason: *const c_char,
    reason_size: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, key, public_key, reason, error);
    call_on(store, error, |store| {
        let key = secret(key, key_size)?;
        let revoked = public(public_key, public_key_size)?;
        Ok(store.store.revoke_authority(&key, revoked, reason.some_text("reason", reason_size)?)?)
    })
}

/// Revokes all authorities and makes a new one, signed with the recovery key: on success `*keys` is a list of
/// the new secret key and a new recovery key, told this once. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_recover_authority(
    store: *mut wisen_store,
    recovery: *const c_char,
    recovery_size: usize,
    name: *const c_char,
    name_size: usize,
    reason: *const c_char,
    reason_size: usize,
    keys: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, recovery, name, reason, keys, error);
    let keys = wanted(keys);
    call_on(store, error, |store| {
        keys.check("keys")?;
        let recovery = secret(recovery, recovery_size)?;
        let (name, reason) = (name.some_text("name", name_size)?, reason.some_text("reason", reason_size)?);
        let made = store.store.recover_authority(&recovery, name, reason)?;
        keys.write("keys", wisen_texts::of([made.secret.to_text(), made.recovery.to_text()]))
    })
}

/// Everybody who is or was an authority, in the order of admission: `*authorities` is a list of JSON objects
/// with `name`, `key`, `added_at_us`, `revoked_at_us` (null while it is valid) and `admitted_by`. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_authorities(
    store: *mut wisen_store,
    authorities: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, authorities, error);
    let authorities = wanted(authorities);
    call_on(store, error, |store| {
        authorities.check("authorities")?;
        let found = store.store.authorities()?;
        let texts = found.into_iter().map(|authority| {
            serde_json::json!({
                "name": authority.name,
                "key": authority.key.to_string(),
                "added_at_us": authority.added_at,
                "revoked_at_us": authority.revoked_at,
                "admitted_by": authority.admitted_by.to_string(),
            })
            .to_string()
        });
        authorities.write("authorities", wisen_texts::of(texts))
    })
}

/// Puts directives in force that `text` holds, one or several, signed with the secret key `key`: all of them,
/// or none. With a reason in `force` (NULL: none) even if they conflict with others; otherwise
/// WISEN_RULE_CONFLICT. `*lints` (`lints` may be NULL) is a list of sentences on what may be wrong with them
/// beside the others. WISEN_INVALID_ARGUMENT names line and column where the text is wrong. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_add_directives(
    store: *mut wisen_store,
    key: *const c_char,
    key_size: usize,
    text: *const c_char,
    text_size: usize,
    force: *const c_char,
    force_size: usize,
    lints: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, key, text, force, lints, error);
    let lints = wanted(lints);
    call_on(store, error, |store| {
        let key = secret(key, key_size)?;
        let rules = wisen::parse_rules(text.some_text("text", text_size)?)?;
        let found = match force.text("force", force_size)? {
            None => store.store.add_directives(&key, &rules)?,
            Some(reason) => store.store.force_directives(&key, &rules, reason)?,
        };
        lints.write_with(|| sentences(&found));
        Ok(())
    })
}

/// Takes a directive out of force for good, with the overrides of it. WISEN_UNKNOWN_DIRECTIVE if there is none
/// with this id. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_remove_directive(
    store: *mut wisen_store,
    key: *const c_char,
    key_size: usize,
    id: *const c_char,
    id_size: usize,
    reason: *const c_char,
    reason_size: usize,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, key, id, reason, error);
    call_on(store, error, |store| {
        let key = secret(key, key_size)?;
        let (id, reason) = (id.some_text("id", id_size)?, reason.some_text("reason", reason_size)?);
        Ok(store.store.remove_directive(&key, id, reason)?)
    })
}

/// Lifts a directive until `until_us` (microseconds since 1970-01-01 00:00 UTC), for everybody. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_override_directive(
    store: *mut wisen_store,
    key: *const c_char,
    key_size: usize,
    id: *const c_char,
    id_size: usize,
    reason: *const c_char,
    reason_size: usize,
    until_us: i64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, key, id, reason, error);
    call_on(store, error, |store| {
        let key = secret(key, key_size)?;
        let (id, reason) = (id.some_text("id", id_size)?, reason.some_text("reason", reason_size)?);
        Ok(store.store.override_directive(&key, id, reason, until_us)?)
    })
}

/// The directives, in the order in which they decide; of a namespace (NULL: all), those that may apply in it.
/// `*directives` is a list of their texts, which wisen_add_directives() reads. WISEN_CORRUPT if they are not
/// what an authority signed. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_directives(
    store: *mut wisen_store,
    namespace_name: *const c_char,
    namespace_size: usize,
    directives: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, namespace_name, directives, error);
    let directives = wanted(directives);
    call_on(store, error, |store| {
        directives.check("directives")?;
        let found = store.store.directives(namespace_name.text("namespace", namespace_size)?)?;
        let texts = found.into_iter().map(|record| record.directive.to_string());
        directives.write("directives", wisen_texts::of(texts))
    })
}

/// Compares all directives with each other: `*lints` is a list of a sentence for each conflict. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_lint_directives(
    store: *mut wisen_store,
    lints: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, lints, error);
    let lints = wanted(lints);
    call_on(store, error, |store| {
        lints.check("lints")?;
        lints.write("lints", sentences(&store.store.lint_directives()?))
    })
}

/// Makes the rules good again that somebody has changed by other means: drops the rows that no authority
/// signed, and signs what is left. `*dropped` (`dropped` may be NULL) is a list of a sentence for each. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_repair_rules(
    store: *mut wisen_store,
    key: *const c_char,
    key_size: usize,
    reason: *const c_char,
    reason_size: usize,
    dropped: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, key, reason, dropped, error);
    let dropped = wanted(dropped);
    call_on(store, error, |store| {
        let key = secret(key, key_size)?;
        let faults = store.store.repair_rules(&key, reason.some_text("reason", reason_size)?)?;
        dropped.write_with(|| wisen_texts::of(faults));
        Ok(())
    })
}

/// Records a fact (`value`: JSON, not null) for `ttl_ms` milliseconds, for directives to require. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_record_fact(
    store: *mut wisen_store,
    name: *const c_char,
    name_size: usize,
    value: *const c_char,
    value_size: usize,
    ttl_ms: u64,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, name, value, error);
    call_on(store, error, |store| {
        let value = serde_json::from_str(value.some_text("value", value_size)?)
            .map_err(|why| invalid("value", format!("it is no JSON: {why}")))?;
        let name = name.some_text("name", name_size)?;
        Ok(store.store.record_fact(name, &value, Duration::from_millis(ttl_ms))?)
    })
}

/// The facts that hold, by name: `*facts` is a list of JSON objects with `name`, `value` and `expires_at_us`.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_facts(
    store: *mut wisen_store,
    facts: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, facts, error);
    let facts = wanted(facts);
    call_on(store, error, |store| {
        facts.check("facts")?;
        let texts = store.store.facts()?.into_iter().map(|fact| {
            let (name, value, until) = (fact.name, fact.value, fact.expires_at);
            serde_json::json!({ "name": name, "value": value, "expires_at_us": until }).to_string()
        });
        facts.write("facts", wisen_texts::of(texts))
    })
}

/// Whether an action may be taken; to be asked before it is, by the program that takes it. `action` is a JSON
/// object: `tool` (needed), `args`, `text`, `tags` (a list), `namespace`, `kind`, `agent`, `vector` (a list).
/// Writes a wisen_answer to `*answer`, and to `*decision` (`decision` may be NULL) a list of one text: a JSON
/// object with `answer`, `rule`, `reason` and `matched`. If the rules cannot be read, or are not as an authority
/// signed them, the answer is WISEN_DENY; so it is whenever the call fails. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wisen_check(
    store: *mut wisen_store,
    action: *const c_char,
    action_size: usize,
    answer: *mut i32,
    decision: *mut *mut wisen_texts,
    error: *mut *mut wisen_error,
) -> wisen_status {
    from_c!(store, action, answer, decision, error);
    let decision = wanted(decision);
    answer.write_if_wanted(wisen_answer::WISEN_DENY as i32);
    call_on(store, error, |store| {
        answer.check("answer")?;
        let value = serde_json::from_str(action.some_text("action", action_size)?)
            .map_err(|why| invalid("action", format!("it is no JSON: {why}")))?;
        let found: Decision = store.store.check(&Action::from_json(&value)?)?;
        decision.write_with(|| {
            let text = serde_json::to_string(&found);
            wisen_texts::of(text)
        });
        let number = match found.answer {
            Answer::Allow => wisen_answer::WISEN_ALLOW,
            Answer::Ask => wisen_answer::WISEN_ASK,
            Answer::Deny => wisen_answer::WISEN_DENY,
        };
        answer.write("answer", number as i32)
    })
}
