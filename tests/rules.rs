//! Rules: what they say of actions and memories, how they are put in force and lifted, and by whom.
#![allow(clippy::unwrap_used, reason = "tests")]

mod cpu;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use wisen::{
    Action, Answer, Bearing, Clock, Directive, Error, ManualClock, Memory, MemoryId, Options, Outcome, Query,
    Report, SecretKey, Storage, Store, Update, parse_rules, print_rules,
};
use wisen_tests::{Place, child, ids, vectors};

fn rule(text: &str) -> Directive {
    Directive::parse(text).unwrap()
}

fn answer(store: &Store, action: &Action) -> (Answer, Option<String>) {
    let decision = store.check(action).unwrap();
    (decision.answer, decision.rule)
}

const RULES: &str = r#"
NEVER "no-force-push" because "it rewrites what others have"
  when tool is "git" and args.command matches /push\s.*--force\b/

MUST "tested-deploys" because "an untested deploy took us down"
  when tool is "deploy" require fact "tests" is "passed"

AVOID "night-work" because "nobody is awake to help" when args.hour >= 22

PREFER "emergency-push" because "the owner said so" when tag is "emergency" lifts "no-force-push"
"#;

#[test]
fn rules_decide_and_survive() {
    let place = Place::new();
    let clock = Arc::new(ManualClock::at(1_800_000_000_000_000));
    let store = place.open(Options::new(2).clock(clock.clone()));
    assert_eq!(answer(&store, &Action::new("git")), (Answer::Allow, None));
    let key = store.create_authority("owner").unwrap().secret;
    assert!(store.add_directives(&key, &parse_rules(RULES).unwrap()).unwrap().is_empty());
    store.close().unwrap();

    let store = place.open(Options::existing().clock(clock.clone()));
    let push = Action::new("git").args(json!({"command": "push origin main --force"})).agent("codey");
    let decision = store.check(&push).unwrap();
    assert_eq!((decision.answer, decision.rule.as_deref()), (Answer::Deny, Some("no-force-push")));
    assert!(decision.reason.contains("it rewrites what others have"), "{}", decision.reason);
    assert!(decision.matched[0].why.contains("args.command matches"), "{decision:?}");
    assert_eq!(
        answer(&store, &Action::new("git").args(json!({"command": "push origin main"}))).0,
        Answer::Allow
    );
    let lifted = store.check(&push.clone().tag("emergency")).unwrap();
    assert_eq!((lifted.answer, lifted.rule.as_deref()), (Answer::Allow, Some("emergency-push")));
    assert_eq!(lifted.matched[1].bearing, Bearing::Lifted(Some("emergency-push".to_owned())));
    assert_eq!(answer(&store, &Action::new("x").args(json!({"hour": 23}))).0, Answer::Ask);

    let deploy = Action::new("deploy");
    assert_eq!(answer(&store, &deploy).0, Answer::Deny);
    store.record_fact("tests", &json!("failed"), Duration::from_mins(1)).unwrap();
    assert_eq!(answer(&store, &deploy).0, Answer::Deny);
    store.record_fact("tests", &json!("passed"), Duration::from_mins(1)).unwrap();
    assert_eq!(answer(&store, &deploy), (Answer::Allow, None));
    assert_eq!(store.facts().unwrap().len(), 1);
    clock.advance(Duration::from_secs(61));
    assert_eq!(answer(&store, &deploy).0, Answer::Deny);
    assert!(store.facts().unwrap().is_empty());

    let records = store.directives(None).unwrap();
    assert_eq!(records.len(), 4);
    let text = print_rules(records.iter().map(|record| &record.directive));
    assert_eq!(print_rules(&parse_rules(&text).unwrap()), text);
    assert!(records.iter().all(|record| record.signer == "owner"));
    store.remove_directive(&key, "no-force-push", "we mirror now").unwrap();
    assert_eq!(answer(&store, &push).0, Answer::Allow);
    assert!(matches!(
        store.remove_directive(&key, "no-force-push", "x"),
        Err(Error::UnknownDirective { .. })
    ));
    wisen_tests::assert_sound(&store);
}

/// A check writes nothing, and a denial is in the audit table soon after.
#[test]
fn denials_are_written_down() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    let key = store.create_authority("owner").unwrap().secret;
    store.add_directives(&key, &parse_rules(RULES).unwrap()).unwrap();
    for _ in 0..100 {
        assert_eq!(answer(&store, &Action::new("deploy").agent("codey")).0, Answer::Deny);
    }
    let begun = Instant::now();
    let denials = || {
        let entries = store.audit_entries(0, 1000).unwrap();
        entries.into_iter().filter(|entry| entry.op == "deny").collect::<Vec<_>>()
    };
    while denials().len() < 100 {
        assert!(begun.elapsed() < Duration::from_mins(1), "{} denials were written", denials().len());
        std::thread::sleep(Duration::from_millis(2));
    }
    let detail = &denials()[0].detail;
    assert_eq!((&detail["rule"], &detail["agent"]), (&json!("tested-deploys"), &json!("codey")));
}

#[test]
fn conflicts_are_refused_and_force_is_logged() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    let key = store.create_authority("owner").unwrap().secret;
    store.add_directive(&key, &rule(r#"NEVER "a" because "x" when tool is "rm""#)).unwrap();
    let conflicting = [
        r#"PREFER "b" because "x" when tool is "rm" and tag is "tidy""#,
        r#"NEVER "c" because "x" when tool is "rm""#,
        r#"NEVER "d" because "x" when tool is "rm" and args.path present"#,
        r#"NEVER "a" because "x" when tool is "mv""#,
    ];
    for text in conflicting {
        let error = store.add_directive(&key, &rule(text)).unwrap_err();
        assert!(matches!(&error, Error::RuleConflict { other, .. } if other == "a"), "{error}");
    }
    assert_eq!(store.directives(None).unwrap().len(), 1);
    let flagged = store.add_directive(&key, &rule(r#"NEVER "e" because "x" when tool like "r*""#)).unwrap();
    assert_eq!((flagged[0].what, flagged[0].other.as_str(), flagged[0].refused), ("hides", "a", false));
    let forced = store.force_directive(&key, &rule(conflicting[0]), "it documents a wish").unwrap();
    assert!(forced[0].refused);
    let audit = store.audit_entries(0, 100).unwrap();
    assert_eq!(audit.last().unwrap().detail["forced"], json!("it documents a wish"));
    assert!(store.force_directive(&key, &rule(conflicting[3]), "x").is_err(), "an id stands for one rule");
    assert_eq!(store.lint_directives().unwrap().len(), 3, "b with a, e with a, b with e");
    let example = rule(r#"NEVER "v" because "x" when vector similar to [1, 2, 3] at least 0.5"#);
    assert!(matches!(
        store.add_directive(&key, &example),
        Err(Error::WrongDimension { expected: 2, got: 3 })
    ));
}

/// NEVER by similarity to an example, of memories (in any storage, sealed or not) and of actions.
#[test]
fn a_never_by_similarity_bars_memories_and_actions() {
    for storage in [Storage::F32, Storage::F16] {
        let place = Place::new();
        let store = place.open(Options::new(4).storage(storage));
        let key = store.create_authority("owner").unwrap().secret;
        let rows = [[1.0, 0.0, 0.0, 0.1], [1.0, 0.1, 0.1, 0.0], [0.0, 1.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]];
        let all = store.remember_many(rows.map(|row| Memory::new("a note", row)).into()).unwrap();
        let rule = r#"NEVER "near" because "x" when vector similar to [2, 0, 0, 0] at least 0.9"#;
        store.add_directives(&key, &parse_rules(rule).unwrap()).unwrap();
        for sealed in [false, true] {
            if sealed {
                store.seal().unwrap();
            }
            let shown = store.recall(&Query::new([1.0, 0.0, 0.0, 0.0]).k(4)).unwrap();
            assert_eq!(ids(&shown), [all[3], all[2]], "{storage:?}, sealed: {sealed}");
        }
        let answer = |vector: [f32; 4]| store.check(&Action::new("say").vector(vector)).unwrap().answer;
        assert_eq!((answer(rows[0]), answer(rows[2])), (Answer::Deny, Answer::Allow));
    }
}

/// NEVER keeps memories out of every recall of every process, whenever they come or change.
#[test]
fn never_keeps_memories_out_of_every_recall() {
    let place = Place::new();
    let clock = Arc::new(ManualClock::at(wisen::SystemClock.now()));
    let store = place.open(Options::new(4).clock(clock.clone()));
    let other = place.open(Options::existing().clock(clock.clone()));
    let key = store.create_authority("owner").unwrap().secret;
    let mut memories: Vec<Memory> =
        vectors(1, 60, 4).into_iter().map(|v| Memory::new("a plain note", v)).collect();
    memories[7] = Memory::new("drop the TABLE now", vec![1.0, 0.0, 0.0, 0.1]);
    memories[8] = Memory::new("note", vec![1.0, 0.0, 0.0, 0.2]).metadata(json!({"tags": ["secret"]}));
    memories[9] = Memory::new("note", vec![1.0, 0.0, 0.0, 0.3]).kind("dump");
    let all = store.remember_many(memories).unwrap();
    store.seal().unwrap();
    let query = Query::new([1.0, 0.0, 0.0, 0.2]).k(60).warnings(60);
    let shown = |store: &Store| ids(&store.recall(&query).unwrap());
    assert_eq!((shown(&store).len(), shown(&other).len()), (60, 60));
    // Even what worked comes back no more.
    for _ in 0..3 {
        let recall = store.recall(&query).unwrap();
        store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success).used(all[7])).unwrap();
    }
    let text = r#"NEVER "tables" because "x" when text matches /(?i)drop the table/
                  NEVER "secrets" because "x" when tag is "secret"
                  NEVER "dumps" because "x" in kind "dump"
                  NEVER "low" because "x" when metadata.trust < 3"#;
    store.add_directives(&key, &parse_rules(text).unwrap()).unwrap();
    let barred = |store: &Store| {
        let shown = shown(store);
        all.iter().copied().filter(|id| !shown.contains(id)).collect::<Vec<MemoryId>>()
    };
    for store in [&store, &other] {
        assert_eq!(barred(store), &all[7..10]);
        assert!(store.recall(&query).unwrap().warnings.is_empty());
    }
    // Memories that come and change afterwards.
    other.update(all[20], Update::new().content("please drop the table")).unwrap();
    other.update(all[21], Update::new().metadata(json!({"tags": "secret"}))).unwrap();
    other.update(all[22], Update::new().kind("dump")).unwrap();
    other.update(all[23], Update::new().metadata(json!({"trust": 2}))).unwrap();
    store.update(all[7], Update::new().content("harmless")).unwrap();
    let late = Memory::new("drop the table", vec![1.0, 0.0, 0.0, 0.2]);
    let late = other.remember(late).unwrap();
    for store in [&store, &other] {
        assert_eq!(barred(store), [all[8], all[9], all[20], all[21], all[22], all[23]]);
        assert!(!shown(store).contains(&late));
    }
    // An override lifts for its time; a removed rule bars no more.
    let soon = clock.now() + 1_000_000;
    store.override_directive(&key, "secrets", "an audit", soon).unwrap();
    assert!(shown(&other).contains(&all[8]));
    clock.advance(Duration::from_millis(1_050));
    assert!(!shown(&other).contains(&all[8]) && !shown(&store).contains(&all[8]));
    store.remove_directive(&key, "secrets", "no more").unwrap();
    assert!(shown(&other).contains(&all[8]));
    wisen_tests::assert_sound(&store);
}

/// A memory that came under a rule by a change which compaction has taken out of the log stays away as well.
#[test]
fn compaction_brings_nothing_back_that_a_rule_bars() {
    let place = Place::new();
    let store = place.open(Options::new(4));
    let key = store.create_authority("owner").unwrap().secret;
    store
        .add_directive(&key, &rule(r#"NEVER "tables" because "x" when text matches /drop the table/"#))
        .unwrap();
    let bad = store.remember(Memory::new("harmless", [1.0, 0.0, 0.0, 0.1])).unwrap();
    let good = store.remember(Memory::new("drop the table", [1.0, 0.0, 0.0, 0.2])).unwrap();
    let shown = || ids(&store.recall(&Query::new([1.0, 0.0, 0.0, 0.2])).unwrap());
    assert_eq!(shown(), [bad]);
    store.update(bad, Update::new().content("drop the table")).unwrap();
    store.update(good, Update::new().content("harmless")).unwrap();
    let last = store.remember(Memory::new("a note", [0.0, 1.0, 0.0, 0.0])).unwrap();
    store.compact().unwrap();
    assert_eq!(shown(), [good, last]);
}

#[test]
fn must_rules_come_with_the_recall() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    let key = store.create_authority("owner").unwrap().secret;
    store.remember(Memory::new("note", [1.0, 0.0])).unwrap();
    let text = r#"MUST "z" priority 5 because "first" when tool is "a" require args.x present
                  MUST "b" because "by id" when tool is "a" require args.y present
                  MUST "a" because "by id" when tool is "a" require args.z present
                  MUST "elsewhere" because "x" in namespace "other" when tool is "a" require args.x is 1
                  MUST "ended" because "x" until 2020-01-01T00:00:00Z when tool is "a" require args.x is 2
                  MUST "kinds" because "x" in kind "recipe" when tool is "a" require args.x is 3
                  NEVER "n" because "x" when tool is "q""#;
    store.add_directives(&key, &parse_rules(text).unwrap()).unwrap();
    let rules = |query: Query| {
        let recall = store.recall(&query).unwrap();
        recall.rules.into_iter().map(|note| note.id).collect::<Vec<_>>()
    };
    let query = Query::new([1.0, 0.0]);
    assert_eq!(rules(query.clone()), ["z", "kinds", "a", "b"]);
    assert_eq!(rules(query.clone().kind("note")), ["z", "a", "b"]);
    assert_eq!(rules(query.clone().namespace("other")), ["z", "elsewhere", "kinds", "a", "b"]);
    assert_eq!(rules(query.k(0)), ["z", "kinds", "a", "b"], "whatever the hits");
}

/// PREFER and AVOID move memories by a bounded amount that the hit tells, and no probability.
#[test]
fn prefer_and_avoid_shift_by_a_bounded_amount() {
    let place = Place::new();
    let store = place.open(Options::new(8));
    let key = store.create_authority("owner").unwrap().secret;
    let vectors = vectors(3, 300, 8);
    let tag = |i: usize| json!({"tags": [(["good", "bad", "plain"][i % 3])]});
    let memories = vectors.iter().enumerate().map(|(i, v)| Memory::new("note", v.clone()).metadata(tag(i)));
    let all = store.remember_many(memories.collect()).unwrap();
    wisen_tests::practise(&store, &vectors[..40]);
    let ask = || {
        let recall = |q: &Vec<f32>| store.recall(&Query::new(q.clone()).k(300).receipt(false)).unwrap();
        vectors[50..60].iter().map(recall).collect::<Vec<_>>()
    };
    let before = ask();
    let text = r#"PREFER "good" because "x" when tag is "good"
                  AVOID "bad" because "x" when tag is "bad""#;
    store.add_directives(&key, &parse_rules(text).unwrap()).unwrap();
    let mut moved = 0;
    for (before, after) in before.iter().zip(ask()) {
        for hit in &after.hits {
            let old = before.hits.iter().find(|old| old.id == hit.id);
            let i = all.iter().position(|id| *id == hit.id).unwrap() % 3;
            let bound = [0.0..=std::f64::consts::LN_2, -(6.0_f64.ln())..=0.0, 0.0..=0.0][i].clone();
            assert!(bound.contains(&hit.shift), "{} {i}", hit.shift);
            assert_eq!(hit.rule.as_deref(), [Some("good"), Some("bad"), None][i]);
            if let Some(old) = old {
                assert!((hit.score - old.score - hit.shift).abs() < 1e-9);
                assert_eq!(hit.probability().to_bits(), old.probability().to_bits());
            }
            let told = hit.reasons().concat().contains("directive");
            assert_eq!(told, i < 2);
        }
        assert!(after.hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
        moved += usize::from(ids(before) != ids(&after));
    }
    assert!(moved > 5, "{moved} of 10 orders changed");
    // Taken away again, every bit is as before.
    for id in ["good", "bad"] {
        store.remove_directive(&key, id, "no more").unwrap();
    }
    for (before, after) in before.iter().zip(ask()) {
        assert_eq!(wisen_tests::bits(before), wisen_tests::bits(&after));
    }
}

/// Rules that this process changes bind the very next check of another one.
#[test]
fn a_change_binds_the_next_check_of_another_process() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    let key = store.create_authority("owner").unwrap().secret;
    let mut other = child::start("checks", &place.store(), 0);
    assert_eq!(other.hear().unwrap(), "ready");
    let ask = |other: &mut child::Running| {
        std::fs::write(place.at("ask"), b"").unwrap();
        let said = other.hear().unwrap();
        std::fs::remove_file(place.at("answered")).unwrap();
        said
    };
    assert_eq!(ask(&mut other), "allow");
    for round in 0..20 {
        store.add_directive(&key, &rule(r#"NEVER "n" because "x" when tool is "t""#)).unwrap();
        assert_eq!(ask(&mut other), "deny", "round {round}");
        if round % 2 == 0 {
            store.override_directive(&key, "n", "a test", i64::MAX).unwrap();
            assert_eq!(ask(&mut other), "allow", "round {round}");
        }
        store.remove_directive(&key, "n", "a test").unwrap();
        assert_eq!(ask(&mut other), "allow", "round {round}");
    }
    let must = rule(r#"MUST "m" because "x" when tool is "t" require fact "f" present"#);
    store.add_directive(&key, &must).unwrap();
    assert_eq!(ask(&mut other), "deny");
    store.record_fact("f", &json!(true), Duration::from_mins(10)).unwrap();
    assert_eq!(ask(&mut other), "allow");
    std::fs::write(place.at("end"), b"").unwrap();
    other.finish();
}

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    assert_eq!(part.name, "checks");
    let store = Store::open(&part.store, Options::existing()).unwrap();
    let beside = |name: &str| part.store.parent().unwrap().join(name);
    child::say("ready");
    while !beside("end").exists() {
        if std::fs::remove_file(beside("ask")).is_ok() {
            let decision = store.check(&Action::new("t")).unwrap();
            std::fs::write(beside("answered"), b"").unwrap();
            child::say(decision.answer.as_str());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Checks of several threads go on while facts are recorded: no two of them wait for each other.
#[test]
fn checks_beside_facts_come_to_an_end() {
    let place = Place::new();
    let store = Arc::new(place.open(Options::new(2)));
    let key = store.create_authority("owner").unwrap().secret;
    store.add_directives(&key, &parse_rules(RULES).unwrap()).unwrap();
    let (done, ended) = std::sync::mpsc::channel();
    for thread in 0..4 {
        let (store, done) = (store.clone(), done.clone());
        std::thread::spawn(move || {
            for _ in 0..300 {
                if thread == 0 {
                    store.record_fact("tests", &json!("passed"), Duration::from_mins(1)).unwrap();
                }
                assert_eq!(answer(&store, &Action::new("git")).0, Answer::Allow);
            }
            done.send(()).unwrap();
        });
    }
    for _ in 0..4 {
        ended.recv_timeout(Duration::from_mins(2)).expect("they wait for each other");
    }
}

/// Without a key rules are read and obeyed, and not changed.
#[test]
fn without_a_key_rules_are_obeyed_and_not_changed() {
    let place = Place::new();
    let store = place.open(Options::new(2));
    let key = store.create_authority("owner").unwrap();
    store.add_directive(&key.secret, &rule(r#"NEVER "n" because "x" when tool is "t""#)).unwrap();
    let stranger = SecretKey::generate().unwrap();
    let other = rule(r#"NEVER "m" because "x" when tool is "u""#);
    let late = i64::MAX;
    for key in [&stranger, &key.recovery] {
        assert!(matches!(store.add_directive(key, &other), Err(Error::Unauthorised { .. })));
        assert!(matches!(store.force_directive(key, &other, "mine"), Err(Error::Unauthorised { .. })));
        assert!(matches!(store.remove_directive(key, "n", "mine"), Err(Error::Unauthorised { .. })));
        assert!(matches!(store.override_directive(key, "n", "mine", late), Err(Error::Unauthorised { .. })));
        assert!(matches!(store.repair_rules(key, "mine"), Err(Error::Unauthorised { .. })));
    }
    // What a person signed holds when the person is gone.
    let next = SecretKey::generate().unwrap();
    store.add_authority(&key.secret, "next", next.public()).unwrap();
    store.revoke_authority(&next, key.secret.public(), "left").unwrap();
    assert!(matches!(store.add_directive(&key.secret, &other), Err(Error::Unauthorised { .. })));
    store.close().unwrap();
    let store = place.open(Options::existing().read_only(true));
    assert_eq!(answer(&store, &Action::new("t")).0, Answer::Deny);
    assert_eq!(store.directives(None).unwrap()[0].signer, "owner");
    store.close().unwrap();
    let store = place.open(Options::existing());
    store.remove_directive(&next, "n", "not needed any more").unwrap();
    assert_eq!(answer(&store, &Action::new("t")).0, Answer::Allow);
}

/// A text in which the literal that a thousand rules share stands two thousand times costs little more than one in
/// which it stands once.
#[test]
fn a_shared_literal_is_paid_for_once() {
    let store = Store::open(":memory:", Options::new(2)).unwrap();
    let key = store.create_authority("owner").unwrap().secret;
    let rules: Vec<Directive> = (0..1000)
        .map(|i| rule(&format!(r#"AVOID "r{i}" because "x" when text matches /delete/ and args.n is {i}"#)))
        .collect();
    store.force_directives(&key, &rules, "many").unwrap();
    let (often, once) = ("delete ".repeat(2000), format!("delete {}", "archiv ".repeat(1999)));
    let time = |text: &str| {
        let action = Action::new("t").text(text).args(json!({ "n": 7 }));
        let (time, decision) = cpu::spent(|| store.check(&action).unwrap());
        assert_eq!(decision.rule.as_deref(), Some("r7"));
        time
    };
    time(&often);
    let (mut many, mut one) = (Duration::MAX, Duration::MAX);
    // The best of several, and only if need be: caches are cold at first, and others use them.
    let holds = (0..4).any(|_| {
        (many, one) = (many.min(time(&often)), one.min(time(&once)));
        many < 4 * one
    });
    assert!(holds, "{many:?} where it stands often, {one:?} where it stands once");
}
