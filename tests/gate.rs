//! What is let into a store: hooks, secrets, hidden characters; and where memories come from.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wisen::{
    ErrorCode, Flag, Incoming, Memory, MemoryId, Options, Outcome, Query, Report, Ruling, SecretAction,
    SecretKind, Source, Store, Update, find_secrets,
};
use wisen_benches::plant;
use wisen_tests::{Place, assert_sound};

const V: [f32; 4] = [1.0, 0.5, 0.0, 0.1];

fn open(options: impl FnOnce(Options) -> Options) -> Store {
    Store::open(":memory:", options(Options::new(4))).unwrap()
}

fn content(store: &Store, id: MemoryId) -> String {
    store.get(id).unwrap().unwrap().content
}

/// On planted keys, tokens and passwords, and on harmless notes full of what is like them.
#[test]
fn secrets_are_found_and_little_else() {
    let known = |text: &str| find_secrets(text).into_iter().any(|s| s.kind != SecretKind::HighEntropy);
    let planted = plant::planted(7, 960);
    let redacted = planted.iter().filter(|planted| known(&planted.text)).count();
    let told = planted.iter().filter(|planted| !find_secrets(&planted.text).is_empty()).count();
    let harmless = plant::harmless(8, 6000);
    let wrong = harmless.iter().filter(|text| known(text)).count();
    let flagged = harmless.iter().filter(|text| !find_secrets(text).is_empty()).count();
    println!("{redacted} and {told} of 960 found; {wrong} and {flagged} of 6000 wrong");
    assert!(redacted >= 850 && told >= 900, "{redacted} {told}");
    assert!(wrong <= 6 && flagged <= 60, "{wrong} {flagged}");
}

/// By default a secret is taken out of content and metadata before anything is written, and the memory says so.
#[test]
fn a_secret_never_reaches_the_disk() {
    let place = Place::new();
    let store = place.open(Options::new(4));
    let mut ids = Vec::new();
    let planted: Vec<_> =
        plant::planted(9, 22).into_iter().filter(|p| p.form != "token of no known form").collect();
    for planted in &planted {
        let memory = Memory::new(planted.text.clone(), V).metadata(json!({ "log": [planted.text], "n": 1 }));
        ids.push(store.remember(memory).unwrap());
    }
    let id = store.remember(Memory::new("login", V).metadata(json!({ "password": "Tr0ub4dor-3x" }))).unwrap();
    let record = store.get(id).unwrap().unwrap();
    assert!(!record.metadata.to_string().contains("Tr0ub4dor"), "{}", record.metadata);
    store.update(ids[0], Update::new().content(planted[1].text.clone())).unwrap();
    for id in &ids {
        let record = store.get(*id).unwrap().unwrap();
        assert_eq!(record.provenance.flags, [Flag::Redacted], "{}", record.content);
        assert!(record.content.contains("[redacted: "), "{}", record.content);
    }
    let hit = store.recall(&Query::new(V).k(1).content(true)).unwrap().hits.remove(0);
    assert_eq!(hit.provenance.unwrap().flags, [Flag::Redacted]);
    // What a key names is the same memory when it comes again.
    let keyed = || Memory::new(planted[3].text.clone(), V).key("k");
    assert_eq!(store.remember(keyed()).unwrap(), store.remember(keyed()).unwrap());
    assert_sound(&store);
    store.close().unwrap();
    let conn = rusqlite::Connection::open(place.store().join("memory.db")).unwrap();
    let texts: i64 = conn.query_row("SELECT count(*) FROM payloads", [], |r| r.get(0)).unwrap();
    assert_eq!(texts, ids.len() as i64 + 2);
}

/// An owner may want secrets allowed, tagged or refused instead.
#[test]
fn the_owner_chooses_what_happens_to_secrets() {
    let text = "connect to postgres://app:s3cr3t-Pa55@db.internal/app";
    let tagging = open(|options| options.secrets(SecretAction::Tag));
    let id = tagging.remember(Memory::new(text, V)).unwrap();
    let record = tagging.get(id).unwrap().unwrap();
    assert_eq!((record.content.as_str(), &record.provenance.flags[..]), (text, &[Flag::Secret][..]));
    let allowing = open(|options| options.secrets(SecretAction::Allow));
    let id = allowing.remember(Memory::new(text, V)).unwrap();
    let record = allowing.get(id).unwrap().unwrap();
    assert_eq!((record.content.as_str(), record.provenance.flags.len()), (text, 0));
    let refusing = open(|options| options.secrets(SecretAction::Refuse));
    let error = refusing.remember(Memory::new(text, V)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Refused);
    assert!(error.to_string().contains("dsn_password") && !error.to_string().contains("s3cr3t"), "{error}");
    let id = refusing.remember(Memory::new("fine", V)).unwrap();
    assert_eq!(refusing.update(id, Update::new().content(text)).unwrap_err().code(), ErrorCode::Refused);
    let batch = vec![Memory::new("fine", V), Memory::new(text, V)];
    let error = refusing.remember_many(batch).unwrap_err();
    assert!(error.code() == ErrorCode::Refused && error.to_string().contains("row 1"), "{error}");
    assert_eq!(refusing.count(None).unwrap(), 1, "nothing of the batch was stored");
}

/// What nobody sees is flagged on the record and on the hit.
#[test]
fn hidden_characters_are_flagged() {
    let store = open(|options| options);
    let id = store.remember(Memory::new("pay\u{200b}load \u{202e}gnp.exe", V)).unwrap();
    let record = store.get(id).unwrap().unwrap();
    assert_eq!(record.provenance.flags, [Flag::Invisible, Flag::Bidirectional]);
    let hit = store.recall(&Query::new(V).content(true)).unwrap().hits.remove(0);
    assert_eq!(hit.provenance.unwrap().flags, [Flag::Invisible, Flag::Bidirectional]);
    let plain = store.remember(Memory::new("caf\u{e9} \u{1f468}\u{200d}\u{1f469}", V)).unwrap();
    assert_eq!(store.get(plain).unwrap().unwrap().provenance.flags, []);
}

/// A hook allows, redacts, tags and refuses; one that panics refuses; nothing of what it refuses is stored.
#[test]
fn a_hook_decides_what_is_let_in() {
    let hook = |memory: &Incoming<'_>| match memory.content {
        text if text.contains("poison") => Ruling::refuse("it is poison"),
        text if text.contains("crash") => panic!("the hook is broken"),
        text if text.contains("Bob") => Ruling::redact(text.replace("Bob", "[name]")).tag("personal"),
        "leak" => Ruling::redact("key AKIAQ3EGRVTXJ5MNKL2P"),
        _ if memory.source == Some(Source::Web) => Ruling::allow().tag("from outside"),
        _ if memory.content == "many" => (0..40).fold(Ruling::allow(), |ruling, n| ruling.tag(n.to_string())),
        _ => Ruling::allow(),
    };
    let store = open(|options| options.hook(Arc::new(hook)));
    let id = store.remember(Memory::new("Bob called", V)).unwrap();
    let record = store.get(id).unwrap().unwrap();
    assert_eq!(
        (record.content.as_str(), &record.provenance.tags[..]),
        ("[name] called", &["personal".to_owned()][..])
    );
    let web = store.remember(Memory::new("a page", V).source(Source::Web)).unwrap();
    assert_eq!(store.get(web).unwrap().unwrap().provenance.tags, ["from outside"]);
    for (text, why) in [("poison", "it is poison"), ("crash", "the hook is broken"), ("many", "tags")] {
        let error = store.remember(Memory::new(text, V)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Refused, "{error}");
        assert!(error.to_string().contains("the hook") && error.to_string().contains(why), "{error}");
        assert_eq!(store.update(id, Update::new().content(text)).unwrap_err().code(), ErrorCode::Refused);
    }
    let leak = store.remember(Memory::new("leak", V)).unwrap();
    assert_eq!(content(&store, leak), "key [redacted: aws_key]", "what a hook writes is looked at too");
    store.update(web, Update::new().content("about Bob")).unwrap();
    assert_eq!(content(&store, web), "about [name]");
    assert_eq!(store.count(None).unwrap(), 3);
    assert_sound(&store);
}

/// Records and hits say who wrote a memory, how far that one is trusted, what kind of source it comes from, from
/// which recall, parents and model, and how old it is.
#[test]
fn hits_carry_trust_source_and_age() {
    let clock = Arc::new(wisen::ManualClock::at(1_700_000_000_000_000));
    let place = Place::new();
    let store = place.open(Options::new(4).clock(clock.clone()));
    let plain = store.remember(Memory::new("plain", [0.0, 0.0, 1.0, 0.0])).unwrap();
    let receipt = store.recall(&Query::new(V)).unwrap().receipt.unwrap();
    let memory = Memory::new("made", V).author("ann").source(Source::Agent).origin(receipt).parent(plain);
    let id = store.remember(memory.model("some model 4")).unwrap();
    clock.advance(Duration::from_secs(90));
    let recall = store.recall(&Query::new(V).k(2).content(true)).unwrap();
    let made = recall.hits.iter().find(|hit| hit.id == id).unwrap().provenance.clone().unwrap();
    assert_eq!((made.author.as_deref(), made.source), (Some("ann"), Some(Source::Agent)));
    assert_eq!((made.origin, &made.parents[..]), (Some(receipt), &[plain][..]));
    assert_eq!((made.model.as_deref(), made.age), (Some("some model 4"), Duration::from_secs(90)));
    let owners = recall.hits.iter().find(|hit| hit.id == plain).unwrap().provenance.clone().unwrap();
    assert_eq!((owners.trust, owners.source, owners.parents.len()), (1.0, None, 0));
    assert!(made.trust > 0.0 && made.trust < 1.0, "a name that anybody may use");
    assert_eq!(store.get(id).unwrap().unwrap().provenance, made);
    assert!(store.recall(&Query::new(V)).unwrap().hits[0].provenance.is_none(), "not asked for");

    // Trust follows what is found of the author.
    let token = store.register("ann", None).unwrap();
    let trust = |store: &Store| store.get(id).unwrap().unwrap().provenance.trust;
    let registered = trust(&store);
    for _ in 0..10 {
        let receipt = store.recall(&Query::new(V).k(1)).unwrap().receipt.unwrap();
        store.report(&Report::on(receipt, Outcome::Success)).unwrap();
        store.report(&Report::on(receipt, Outcome::Failure).reporter("ann").token(token.clone())).unwrap();
    }
    assert!(trust(&store) < registered, "{} {registered}", trust(&store));
    let unknown = Memory::new("x", V).parent(MemoryId(99));
    assert_eq!(store.remember(unknown).unwrap_err().code(), ErrorCode::UnknownMemory);
    let many = (0..65).fold(Memory::new("x", V), |memory, _| memory.parent(plain));
    assert_eq!(store.remember(many).unwrap_err().code(), ErrorCode::InvalidArgument);
    assert_sound(&store);
    let before = store.get(id).unwrap().unwrap().provenance;
    store.close().unwrap();
    let store = place.open(Options::existing().clock(clock));
    assert_eq!(store.get(id).unwrap().unwrap().provenance, before);
    store.forget(id).unwrap();
    assert_sound(&store);
}

/// Flags go with the text in which something was noticed.
#[test]
fn flags_are_those_of_the_present_texts() {
    let store = open(|options| options);
    let secret = "use AKIAQ3EGRVTXJ5MNKL2P";
    let flags = |id: MemoryId| store.get(id).unwrap().unwrap().provenance.flags;
    let id = store.remember(Memory::new(secret, V).metadata(json!({ "note": "pay\u{200b}load" }))).unwrap();
    assert_eq!(flags(id), [Flag::Redacted, Flag::Invisible]);
    store.update(id, Update::new().content("nothing to see")).unwrap();
    assert_eq!(flags(id), [Flag::Invisible], "the metadata stays");
    store.update(id, Update::new().metadata(json!({ "note": "fine" }))).unwrap();
    assert_eq!(flags(id), []);
    store.update(id, Update::new().metadata(json!({ "key": secret }))).unwrap();
    store.update(id, Update::new().content("a\u{202e}b")).unwrap();
    assert_eq!(flags(id), [Flag::Redacted, Flag::Bidirectional]);
    store.update(id, Update::new().kind("recipe")).unwrap();
    assert_eq!(flags(id), [Flag::Redacted, Flag::Bidirectional], "neither text changed");
    assert_sound(&store);
}

/// Notes of reports and texts of queries are looked at as memories are; a key cannot be changed, and is refused.
#[test]
fn secrets_in_notes_queries_and_keys() {
    let secret = "AKIAQ3EGRVTXJ5MNKL2P";
    let place = Place::new();
    let store = place.open(Options::new(4));
    let id = store.remember(Memory::new("fine", V)).unwrap();
    let recall = store.recall(&Query::new(V).text(format!("log in with {secret}"))).unwrap();
    let told = Report::on(recall.receipt.unwrap(), Outcome::Success).key("k").note(format!("used {secret}"));
    let first = store.report(&told).unwrap();
    assert_eq!(store.report(&told).unwrap().id, first.id, "the same report under the same key");
    let refused = |error: wisen::Error| {
        assert_eq!(error.code(), ErrorCode::Refused, "{error}");
        assert!(error.to_string().contains("key") && !error.to_string().contains(secret), "{error}");
    };
    refused(store.remember(Memory::new("other", V).key(secret)).unwrap_err());
    refused(store.report(&Report::on_memory(id, Outcome::Success).key(secret)).unwrap_err());
    // Keys are random by nature.
    let random = "b8e6f0c2-4a57-4c8b-9d1e-2f3a4b5c6d7e";
    store.remember(Memory::new("other", V).key(random)).unwrap();
    store.close().unwrap();
    for file in fs::read_dir(place.store()).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() {
            let bytes = fs::read(&file).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{}", file.display());
        }
    }

    let refusing = open(|options| options.secrets(SecretAction::Refuse));
    let id = refusing.remember(Memory::new("fine", V)).unwrap();
    for error in [
        refusing.recall(&Query::new(V).text(secret)).unwrap_err(),
        refusing.report(&Report::on_memory(id, Outcome::Success).note(secret)).unwrap_err(),
        refusing.report(&Report::on_memory(id, Outcome::Success).key(secret)).unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::Refused, "{error}");
    }
    let tagging = open(|options| options.secrets(SecretAction::Tag));
    let id = tagging.remember(Memory::new("fine", V).key(secret)).unwrap();
    assert_eq!(tagging.get(id).unwrap().unwrap().key.as_deref(), Some(secret));
}
