//! Re-embedding: the same store with vectors of another model. Outcomes stay with what they are about, what
//! cannot be placed is counted, and nothing that goes wrong on the way harms either store.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use wisen::{
    Action, Answer, Directive, Embedded, Error, ErrorCode, HaltLevel, Memory, MemoryId, Metric, Options,
    Outcome, Query, Report, Store, TextKind, Triggers, Update, Window,
};
use wisen_tests::{Place, assert_sound, child, ids};

const DIM: usize = 16;
const WIDE: usize = 24;

/// The old model: small whole numbers, fixed by the text, so that distances are exact.
fn old(text: &str) -> Vec<f32> {
    let seed = text.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..DIM).map(|i| if i == 0 { 1.0 } else { f32::from(rng.i8(-3..=3)) }).collect()
}

/// The new model: the same lengths and angles in another space.
fn turned(vector: &[f32]) -> Vec<f32> {
    let mut wide = vec![0.0; WIDE];
    for (i, x) in vector.iter().enumerate() {
        wide[(i * 7 + 5) % WIDE] = if i % 3 == 0 { -x } else { *x };
    }
    wide
}

#[allow(clippy::unnecessary_wraps, reason = "an embedding function may fail")]
fn new(_: TextKind, texts: &[&str]) -> Embedded {
    Ok(texts.iter().map(|text| turned(&old(text))).collect())
}

fn note(i: usize) -> String {
    format!("note {i}")
}

fn question(i: usize) -> String {
    format!("how do I do {i}")
}

fn memory(text: &str) -> Memory {
    Memory::new(text, old(text))
}

fn filled(place: &Place, notes: usize) -> Store {
    let store = place.open(Options::new(DIM).metric(Metric::L2).model("old"));
    let notes = (0..notes).map(|i| memory(&note(i)).key(note(i)).metadata(json!({ "i": i })).author("ann"));
    store.remember_many(notes.collect()).unwrap();
    store
}

/// Recalls by text and reports on one of the hits.
fn practise(store: &Store, text: &str, kept: bool, i: usize) {
    let query = Query::new(old(text)).k(5);
    let recall = store.recall(&if kept { query.text(text) } else { query }).unwrap();
    let used = recall.hits[i % recall.hits.len()].id;
    let outcome = [Outcome::Failure, Outcome::Success, Outcome::Graded(0.75)][i % 3];
    store.report(&Report::on(recall.receipt.unwrap(), outcome).used(used)).unwrap();
}

fn moved(place: &Place) -> Store {
    Store::open(place.at("moved"), Options::existing()).unwrap()
}

/// Ids and what is promised of each, in their order.
fn answers(store: &Store, vector: impl Fn(&str) -> Vec<f32>) -> Vec<Vec<(u64, f64)>> {
    let ask = |i: usize| {
        let recall = store.recall(&Query::new(vector(&question(i))).k(20).receipt(false)).unwrap();
        recall.hits.iter().map(|hit| (hit.id.0, hit.probability())).collect()
    };
    (0..60).map(ask).collect()
}

fn wide(text: &str) -> Vec<f32> {
    turned(&old(text))
}

/// Only the coordinates change: every answer is what it was, and so is everything else that is stored.
#[test]
fn outcomes_are_kept() {
    let place = Place::new();
    let store = filled(&place, 200);
    for i in 0..120 {
        practise(&store, &question(i % 40), true, i);
    }
    let token = store.register("bob", None).unwrap();
    for i in 0..20 {
        let id = MemoryId(1 + i);
        let text = note(3 * i as usize);
        store.report(&Report::on_memory(id, Outcome::Success)).unwrap();
        let told = Report::on_memory(id, Outcome::Failure).reporter("bob").token(token.clone());
        store.report(&told.situation(old(&text))).unwrap();
    }
    let gone = store.report(&Report::on_memory(MemoryId(5), Outcome::Failure)).unwrap();
    store.retract(gone.id).unwrap();
    store.pin(MemoryId(7)).unwrap();
    store.retire(MemoryId(8), "no use").unwrap();
    store.remember(memory("a better note").supersedes(MemoryId(9))).unwrap();
    store.forget(MemoryId(12)).unwrap();
    store.update(MemoryId(11), Update::new().kind("recipe")).unwrap();
    store.seal().unwrap();

    let was = answers(&store, old);
    let told = store.reembed(place.at("moved"), "new", WIDE, new).unwrap();
    assert_eq!((told.memories, told.left_out.len()), (200, 0), "{told:?}");
    // What was retracted teaches nothing; one report is on the memory that was forgotten, in its own words.
    assert_eq!((told.placed, told.unplaced), (159, 1), "{told:?}");

    let other = moved(&place);
    assert_sound(&other);
    assert!(other.audit_verify(None).unwrap().is_ok(), "{:?}", other.audit_verify(None));
    let same = |is: &[Vec<(u64, f64)>]| {
        for (is, was) in is.iter().zip(&was) {
            let order = |hits: &[(u64, f64)]| hits.iter().map(|(id, _)| *id).collect::<Vec<_>>();
            assert_eq!(order(is), order(was));
            assert!(is.iter().zip(was).all(|(a, b)| (a.1 - b.1).abs() < 1e-6), "{is:?} {was:?}");
        }
    };
    same(&answers(&other, wide));
    other.seal().unwrap();
    other.close().unwrap();
    let other = moved(&place);
    same(&answers(&other, wide));
    assert_eq!(answers(&store, old), was, "the other one is as it was");
    assert_sound(&store);

    let (was, is) = (store.stats().unwrap(), other.stats().unwrap());
    assert_eq!((was.reports, was.experiences, was.memories), (is.reports, is.experiences, is.memories));
    assert_eq!((is.model.as_deref(), is.dimension), (Some("new"), WIDE));
    let (was, is) =
        (store.page(None, MemoryId(0), 1000).unwrap(), other.page(None, MemoryId(0), 1000).unwrap());
    assert_eq!(was.len(), is.len());
    for (was, mut is) in was.into_iter().zip(is) {
        assert_eq!(is.vector, turned(&was.vector));
        is.vector.clone_from(&was.vector);
        is.provenance.age = was.provenance.age;
        assert_eq!(is, was);
    }
    assert_eq!(other.principals().unwrap(), store.principals().unwrap());
    assert_eq!(other.review(None).unwrap().len(), store.review(None).unwrap().len());
    // It goes on: no id is given out that the other may give out, and the old model is refused.
    let id = other.remember(Memory::new("new", wide("new")).key("note 3 again")).unwrap();
    assert!(id.0 > 1 << 32, "{id}");
    let error = other.remember(memory("old")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::WrongDimension);
    let error = Store::open(place.at("moved"), Options::existing().model("old")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Mismatch);
}

/// Dense namespaces have grids, whose width goes by the vectors: they are made anew, and sums are exact.
#[test]
fn dense_experience_is_summed_anew() {
    let place = Place::new();
    let store = filled(&place, 60);
    let reports: Vec<Report> = (0..3000)
        .map(|i| {
            let situation =
                old(&note(i / 50)).iter().map(|x| x + 0.001 * (i % 50) as f32).collect::<Vec<_>>();
            Report::on_memory(MemoryId(1 + i as u64 % 60), Outcome::Success).situation(situation)
        })
        .collect();
    store.report_many(&reports).unwrap();
    for i in 0..50 {
        practise(&store, &question(i), i % 2 == 0, i);
    }
    let told = store.reembed(place.at("moved"), "new", WIDE, new).unwrap();
    assert_eq!(told.placed + told.unplaced, 3050, "{told:?}");
    let other = moved(&place);
    assert_sound(&other);
    let ever = Window::new(0, i64::MAX);
    assert_eq!(store.figures(None, ever).unwrap(), other.figures(None, ever).unwrap());
    other.seal().unwrap();
    other.compact().unwrap();
    assert_sound(&other);
}

/// What has no text, or none that can be embedded, is told, and stays where it claims least.
#[test]
fn what_cannot_be_placed_is_counted_and_kept() {
    let place = Place::new();
    let store = filled(&place, 40);
    let silent = store.remember(Memory::new("  ", old("silence"))).unwrap();
    let odd = store.remember(memory("unspeakable")).unwrap();
    // Known by its text.
    practise(&store, &question(1), true, 1);
    // The same vector without a text.
    practise(&store, &question(1), false, 1);
    // The vector of a memory.
    let recall = store.recall(&Query::new(old(&note(3))).k(3)).unwrap();
    store.report(&Report::on(recall.receipt.unwrap(), Outcome::Success).used(recall.hits[1].id)).unwrap();
    // Texts that cannot be embedded, and none at all.
    practise(&store, "unspeakable question", true, 1);
    let far = store.recall(&Query::new(old("nobody knows")).k(3)).unwrap();
    let (a, b) = (far.hits[0].id, far.hits[1].id);
    let first = Report::on(far.receipt.unwrap(), Outcome::Success).used(a).used(b);
    let first = store.report(&first).unwrap();
    store.report(&Report::on_memory(MemoryId(20), Outcome::Failure).situation(old("nowhere"))).unwrap();
    // Teaches nothing.
    let recall = store.recall(&Query::new(old("x")).k(3)).unwrap();
    store.report(&Report::on(recall.receipt.unwrap(), Outcome::Unknown)).unwrap();

    let mut kinds = Vec::new();
    let told = store
        .reembed(place.at("moved"), "new", WIDE, |kind, texts| {
            kinds.push((kind, texts.len()));
            assert!(texts.iter().all(|text| !text.trim().is_empty()));
            let speak = |text: &&str| if text.contains("unspeakable") { Vec::new() } else { wide(text) };
            Ok(texts.iter().map(speak).collect())
        })
        .unwrap();
    assert_eq!(kinds, [(TextKind::Memory, 41), (TextKind::Query, 2)]);
    assert_eq!((told.memories, &told.left_out[..]), (40, &[silent, odd][..]));
    assert_eq!((told.placed, told.unplaced), (3, 3), "{told:?}");

    let other = moved(&place);
    assert_sound(&other);
    assert!(other.get(silent).unwrap().is_none() && store.get(silent).unwrap().is_some());
    let at = |text: &str, id: MemoryId| {
        let recall = other.recall(&Query::new(wide(text)).k(40).receipt(false)).unwrap();
        recall.hits.into_iter().find(|hit| hit.id == id).unwrap().evidence
    };
    let own = |id: MemoryId| note(id.0 as usize - 1);
    for id in [a, b] {
        assert!(at(&own(id), id).successes > 0.3, "{:?}", at(&own(id), id));
    }
    assert!(at(&own(MemoryId(20)), MemoryId(20)).failures > 0.5);
    // A later report on such a receipt is kept in the same way, and one taken back is gone.
    let receipt = far.receipt.unwrap();
    let second = other.report(&Report::on(receipt, Outcome::Failure).used(a)).unwrap();
    assert_sound(&other);
    assert!(at(&own(a), a).failures > 0.3, "{:?}", at(&own(a), a));
    other.retract(first.id).unwrap();
    assert_sound(&other);
    assert!(at(&own(b), b).successes == 0.0, "{:?}", at(&own(b), b));
    other.retract(second.id).unwrap();
    assert_sound(&other);
    // Erasing one of two memories in such a report leaves the other's.
    let third = Report::on(receipt, Outcome::Success).used(a).used(b);
    other.report(&third).unwrap();
    other.forget_hard(a).unwrap();
    assert_sound(&other);
    assert!(at(&own(b), b).successes > 0.3);
    // Twice is as well as once.
    let again =
        other.reembed(place.at("back"), "old", DIM, |_, texts| Ok(texts.iter().map(|t| old(t)).collect()));
    assert_eq!(again.unwrap().left_out, []);
    assert_sound(&Store::open(place.at("back"), Options::existing().model("old")).unwrap());
}

/// What had no place is placed by its own text alone, once a model can embed that.
#[test]
fn what_had_no_place_gets_its_own() {
    let place = Place::new();
    let store = filled(&place, 40);
    for text in ["unspeakable one", "unspeakable two", "unspeakable three"] {
        practise(&store, text, true, 1);
    }
    practise(&store, "no text is kept", false, 1);
    let speak = |text: &str, but: &[&str]| {
        if but.iter().any(|but| text.ends_with(but)) { Vec::new() } else { wide(text) }
    };
    let told = store.reembed(place.at("moved"), "new", WIDE, |_, texts| {
        Ok(texts.iter().map(|text| speak(text, &["one", "two", "three"])).collect())
    });
    let told = told.unwrap();
    assert_eq!((told.placed, told.unplaced), (0, 4));
    let told = moved(&place).reembed(place.at("again"), "newer", WIDE, |_, texts| {
        Ok(texts.iter().map(|text| speak(text, &["two", "three"])).collect())
    });
    let told = told.unwrap();
    assert_eq!((told.placed, told.unplaced), (1, 3));
}

/// Whatever the function does wrong is named, and leaves nothing behind.
#[test]
fn wrong_vectors_are_refused() {
    let place = Place::new();
    let store = filled(&place, 10);
    practise(&store, &question(1), true, 1);
    let bad = |text: &str, wrong: Vec<f32>| {
        let text = text.to_owned();
        move |_: TextKind, texts: &[&str]| -> Embedded {
            Ok(texts.iter().map(|t| if *t == text { wrong.clone() } else { wide(t) }).collect())
        }
    };
    let refused = |code: ErrorCode, says: &str, error: Error| {
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(!place.at("moved").exists());
        let left: Vec<_> = fs::read_dir(place.at(".")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["store"]);
    };
    let run = |embed: &mut dyn FnMut(TextKind, &[&str]) -> Embedded| {
        store.reembed(place.at("moved"), "new", WIDE, |kind, texts| embed(kind, texts)).unwrap_err()
    };
    let nan = [vec![0.5; WIDE - 1], vec![f32::NAN]].concat();
    refused(ErrorCode::WrongDimension, "row 4", run(&mut bad("note 4", vec![0.5; WIDE - 1])));
    refused(ErrorCode::NotFinite, "row 9", run(&mut bad("note 9", nan.clone())));
    refused(ErrorCode::NotFinite, "row 0", run(&mut bad(&question(1), nan)));
    let few = run(&mut |_, texts| Ok(vec![vec![1.0; WIDE]; texts.len() - 1]));
    // Of the one query there would be none.
    refused(ErrorCode::InvalidArgument, "9 vectors for 10 texts", few);
    refused(
        ErrorCode::InvalidArgument,
        "the server is down",
        run(&mut |_, _| Err("the server is down".into())),
    );
    refused(ErrorCode::InvalidArgument, "it is broken", run(&mut |_, _| panic!("it is broken")));
    for (model, dimension) in [("", WIDE), ("new", 0), ("new", 4097)] {
        let error = store.reembed(place.at("moved"), model, dimension, new).unwrap_err();
        refused(ErrorCode::InvalidArgument, "", error);
    }
    for inside in [place.store(), place.store().join("moved"), Path::new(":memory:").into()] {
        let error = store.reembed(inside, "new", WIDE, new).unwrap_err();
        refused(ErrorCode::InvalidArgument, "", error);
    }
    let directed = Store::open(":memory:", Options::new(DIM)).unwrap();
    directed.remember(memory("note 1")).unwrap();
    let error = directed.reembed(place.at("moved"), "new", WIDE, bad("note 1", vec![0.0; WIDE])).unwrap_err();
    refused(ErrorCode::ZeroVector, "row 0", error);
    directed.reembed(place.at("moved"), "new", WIDE, new).unwrap();
    assert_sound(&moved(&place));
    assert_sound(&store);
}

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let store = Store::open(&part.store, Options::existing()).unwrap();
    let to = part.store.with_file_name("moved");
    let mut batches = 0;
    store
        .reembed(to, "new", WIDE, |kind, texts| {
            batches += 1;
            child::say(kind.as_str());
            if batches == part.number {
                // Until it is killed.
                std::thread::sleep(Duration::from_hours(1));
            }
            new(kind, texts)
        })
        .unwrap();
    child::say("done");
}

/// Killed at any moment: the old store is as it was, the new one is whole or not there.
#[test]
fn killed_halfway_it_harms_nothing() {
    let place = Place::new();
    let store = filled(&place, 1200);
    for i in 0..300 {
        practise(&store, &question(i), true, i);
    }
    let was = answers(&store, old);
    // In the first and last of five batches of memories, in both of queries, and then at any time.
    for (batches, more) in [(1, None), (5, None), (6, None), (7, None), (7, Some(10)), (7, Some(60))] {
        let mut work = child::start("reembed", &place.store(), if more.is_none() { batches } else { 0 });
        for _ in 0..batches {
            work.hear().unwrap();
        }
        std::thread::sleep(Duration::from_millis(more.unwrap_or(0)));
        let said = work.kill();
        assert_eq!(answers(&store, old), was);
        if place.at("moved").exists() {
            assert_sound(&moved(&place));
            assert!(more.is_some(), "{said:?}");
            fs::remove_dir_all(place.at("moved")).unwrap();
        }
        assert_sound(&store);
    }
    store.reembed(place.at("moved"), "new", WIDE, new).unwrap();
    assert_sound(&moved(&place));
}

fn rule(text: &str) -> Directive {
    Directive::parse(text).unwrap()
}

/// Authorities, rules, halts and the audit are those of the same store, in every life of it.
#[test]
fn what_authorities_signed_holds_in_every_life() {
    let place = Place::new();
    let store = filled(&place, 20);
    let keys = store.create_authority("owner").unwrap();
    store.add_directive(&keys.secret, &rule(r#"NEVER "no-rm" because "x" when tool is "rm""#)).unwrap();
    store.set_triggers(Triggers::new().failures_in_a_row(1000), Some(&keys.secret)).unwrap();
    store.halt("moving", HaltLevel::NoWrites).unwrap();
    store.reembed(place.at("moved"), "new", WIDE, new).unwrap();
    store.backup(place.at("backup"), false).unwrap();
    Store::restore(place.at("backup"), place.at("restored")).unwrap();
    for name in ["moved", "restored"] {
        let options = Options::existing().authority_key(keys.secret.public());
        let other = Store::open(place.at(name), options).unwrap();
        assert!(other.remember(Memory::new("x", vec![1.0; WIDE])).is_err(), "{name}: still halted");
        other.resume("moved", Some(&keys.secret)).unwrap();
        assert_eq!(other.check(&Action::new("rm")).unwrap().rule.as_deref(), Some("no-rm"), "{name}");
        assert_eq!(other.check(&Action::new("ls")).unwrap().answer, Answer::Allow, "{name}");
        other.add_directive(&keys.secret, &rule(r#"AVOID "late" because "x" when tool is "ls""#)).unwrap();
        assert_eq!(other.check(&Action::new("ls")).unwrap().answer, Answer::Ask, "{name}");
        other.close().unwrap();
        let other = Store::open(place.at(name), Options::existing()).unwrap();
        let vector = if name == "moved" { wide(&note(1)) } else { old(&note(1)) };
        assert_eq!(ids(&other.recall(&Query::new(vector).k(1)).unwrap()), [MemoryId(2)], "{name}");
        assert_sound(&other);
        assert!(other.audit_verify(None).unwrap().is_ok(), "{name}");
    }
}

/// An example vector of the old model would be compared with vectors of the new one.
#[test]
fn example_vectors_are_not_carried_over() {
    let place = Place::new();
    let store = filled(&place, 5);
    let key = store.create_authority("owner").unwrap().secret;
    let numbers = old("rm").iter().map(f32::to_string).collect::<Vec<_>>().join(", ");
    let text = format!(r#"NEVER "like-rm" because "x" when vector similar to [{numbers}] at least 0.9"#);
    store.add_directive(&key, &rule(&text)).unwrap();
    let error =
        store.reembed(place.at("moved"), "new", DIM, |_, texts| Ok(texts.iter().map(|t| old(t)).collect()));
    let error = error.unwrap_err();
    assert!(error.code() == ErrorCode::InvalidArgument && error.to_string().contains("like-rm"), "{error}");
    store.remove_directive(&key, "like-rm", "moving to another model").unwrap();
    store.reembed(place.at("moved"), "new", WIDE, new).unwrap();
}

/// A vector that says what made it is not mixed with those of another model.
#[test]
fn models_do_not_mix() {
    let store = Store::open(":memory:", Options::new(DIM).model("old")).unwrap();
    let refused = |error: Error| {
        assert_eq!(error.code(), ErrorCode::Mismatch, "{error}");
        assert!(error.to_string().contains("\"old\"") && error.to_string().contains("\"new\""), "{error}");
    };
    let id = store.remember(memory("x").embedding_model("old")).unwrap();
    refused(store.remember(memory("y").embedding_model("new")).unwrap_err());
    refused(store.update(id, Update::new().vector(old("z")).embedding_model("new")).unwrap_err());
    refused(store.recall(&Query::new(old("x")).embedding_model("new")).unwrap_err());
    assert_eq!(store.recall(&Query::new(old("x")).embedding_model("old")).unwrap().hits.len(), 1);
    let batch = vec![memory("y"), memory("z").embedding_model("new")];
    let error = store.remember_many(batch).unwrap_err();
    assert!(error.code() == ErrorCode::Mismatch && error.to_string().contains("row 1"), "{error}");
    let silent = Store::open(":memory:", Options::new(DIM)).unwrap();
    assert_eq!(silent.remember(memory("x").embedding_model("old")).unwrap_err().code(), ErrorCode::Mismatch);
}
