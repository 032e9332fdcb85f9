//! Filters: what they let through, that k answers come whenever k exist, and that they keep in step.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use serde_json::{Value, json};
use wisen::{
    ErrorCode, Filter, ManualClock, Memory, MemoryId, Metric, Options, Outcome, Query, Report, Span, Store,
    Test, Update,
};
use wisen_tests::{Place, assert_sound, brute_force, experience, ids, vectors};

/// A memory as the test knows it.
struct Known {
    id: MemoryId,
    kind: &'static str,
    author: &'static str,
    at: i64,
    metadata: Value,
    vector: Vec<f32>,
}

const KINDS: [&str; 3] = ["recipe", "fact", "note"];
const AUTHORS: [&str; 2] = ["ann", "bob"];
/// Values that mean something to SQL or JSON.
const ODD: [&str; 4] = ["'; DROP TABLE memories; --", "\" OR 1=1", "%", "null"];

fn metadata(i: usize) -> Value {
    match i % 7 {
        0 => Value::Null,
        1 => json!({"stars": i % 5, "open": i.is_multiple_of(2)}),
        2 => json!({"stars": i as f64 / 10.0, "lang": "rust", "deep": {"er": i}}),
        3 => json!({"lang": ["rust", "c"], "stars": "3"}),
        4 => json!({"lang": ODD[i % 4]}),
        5 => json!({"lang": {"no": "scalar"}, "stars": null}),
        _ => json!({"lang": "python", "stars": 3, "open": true}),
    }
}

/// 700 memories, ten of a moment, each a second later.
fn world(store: &Store, clock: &ManualClock) -> Vec<Known> {
    let vectors = vectors(5, 700, 12);
    let known = vectors.into_iter().enumerate().map(|(i, vector)| {
        if i.is_multiple_of(10) {
            clock.advance(std::time::Duration::from_secs(1));
        }
        let (kind, author, metadata) = (KINDS[i % 3], AUTHORS[i % 2], metadata(i));
        let memory = Memory::new(format!("memory {i}"), vector.clone()).kind(kind).author(author);
        let id = store.remember(memory.metadata(metadata.clone())).unwrap();
        Known { id, kind, author, at: (i as i64 / 10 + 1) * 1_000_000, metadata, vector }
    });
    known.collect()
}

/// What the filter means, said otherwise.
fn passes(filter: &Filter, m: &Known) -> bool {
    let scalars = |name: &str| -> Vec<Value> {
        let found = if name == "deep.er" { &m.metadata["deep"]["er"] } else { &m.metadata[name] };
        match found {
            Value::Array(list) => list.clone(),
            Value::Null | Value::Object(_) => Vec::new(),
            scalar => vec![scalar.clone()],
        }
    };
    let same = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    };
    let json = |x: &wisen::Scalar| serde_json::to_value(x).unwrap();
    let within = |x: &Value, from: Option<&Value>, to: Option<&Value>| match x {
        Value::Number(_) => {
            let x = x.as_f64().unwrap();
            from.is_none_or(|f| f.as_f64().is_some_and(|f| f <= x))
                && to.is_none_or(|t| t.as_f64().is_some_and(|t| x <= t))
        }
        Value::String(x) => {
            from.is_none_or(|f| f.as_str().is_some_and(|f| f <= x.as_str()))
                && to.is_none_or(|t| t.as_str().is_some_and(|t| x.as_str() <= t))
        }
        _ => from.is_none() && to.is_none(),
    };
    match filter {
        Filter::Kind(kind) => m.kind == kind,
        Filter::Author(author) => m.author == author,
        Filter::Created(Span { from, before }) => {
            from.is_none_or(|from| m.at >= from) && before.is_none_or(|before| m.at < before)
        }
        Filter::Field(field) => {
            scalars(&field.name).iter().any(|x| match &field.test {
                Test::Equals(y) => same(x, &json(y)),
                Test::OneOf(list) => list.iter().any(|y| same(x, &json(y))),
                Test::Range { from, to } => {
                    within(x, from.as_ref().map(json).as_ref(), to.as_ref().map(json).as_ref())
                }
                _ => true,
            }) != matches!(field.test, Test::Exists(false))
        }
        Filter::All(parts) => parts.iter().all(|part| passes(part, m)),
        Filter::Any(parts) => parts.iter().any(|part| passes(part, m)),
        Filter::Not(part) => !passes(part, m),
        _ => unreachable!(),
    }
}

fn random(rng: &mut fastrand::Rng, depth: u32) -> Filter {
    let parts = |rng: &mut fastrand::Rng| (0..rng.usize(0..4)).map(|_| random(rng, depth + 1)).collect();
    match rng.u32(0..if depth < 3 { 11 } else { 8 }) {
        0 => Filter::kind(KINDS[rng.usize(..3)]),
        1 => Filter::author(*["ann", "bob", "nobody"].get(rng.usize(..3)).unwrap()),
        2 => Filter::Created(Span { from: Some(rng.i64(0..80_000_000)), before: None }),
        3 => Filter::field("lang", *["rust", "c", ODD[0], ODD[1], ""].get(rng.usize(..5)).unwrap()),
        4 => Filter::field_is("stars", Test::Range { from: Some(rng.i64(0..5).into()), to: None }),
        5 => Filter::field_is("stars", Test::OneOf(vec![3.into(), "3".into(), 0.9.into()])),
        6 => Filter::field("open", rng.bool()),
        7 => Filter::field_is("deep.er", Test::Exists(rng.bool())),
        8 => Filter::All(parts(rng)),
        9 => Filter::Any(parts(rng)),
        _ => Filter::Not(Box::new(random(rng, depth + 1))),
    }
}

fn compare(store: &Store, known: &[Known], rng: &mut fastrand::Rng, rounds: usize) {
    for query in vectors(rng.u64(..), rounds, 12) {
        let filter = random(rng, 0);
        let wanted = known.iter().filter(|m| passes(&filter, m)).map(|m| (m.id, &m.vector));
        let wanted = brute_force(Metric::Cosine, wanted, &query, 10);
        let recall = store.recall(&Query::new(query).k(10).filter(filter.clone()).receipt(false)).unwrap();
        let wanted: Vec<MemoryId> = wanted.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids(&recall), wanted, "{filter:?}");
    }
}

/// Random filters, before and after sealing, and after changes made through another handle.
#[test]
fn filters_let_through_what_they_say() {
    let place = Place::new();
    let clock = std::sync::Arc::new(ManualClock::at(0));
    let store = place.open(Options::new(12).clock(clock.clone()));
    store.declare_field("lang").unwrap();
    let mut known = world(&store, &clock);
    for field in ["stars", "open", "deep.er"] {
        assert!(store.declare_field(field).unwrap(), "declared after the fact");
        assert!(!store.declare_field(field).unwrap());
    }
    let mut rng = fastrand::Rng::with_seed(9);
    compare(&store, &known, &mut rng, 300);
    store.seal().unwrap();
    compare(&store, &known, &mut rng, 300);

    let other = place.open(Options::existing().clock(clock));
    for i in 0..200 {
        let at = rng.usize(..known.len());
        match i % 4 {
            0 => {
                other.forget(known[at].id).unwrap();
                known.remove(at);
            }
            1 => {
                let changed = metadata(rng.usize(..100));
                let value = (!changed.is_null()).then(|| changed.clone());
                other.update(known[at].id, Update::new().metadata(value.unwrap_or(Value::Null))).unwrap();
                known[at].metadata = changed;
            }
            2 => {
                other.update(known[at].id, Update::new().kind("note")).unwrap();
                known[at].kind = "note";
            }
            _ => {
                let vector = vectors(1000 + i, 1, 12).remove(0);
                let memory = Memory::new("late", vector.clone()).kind("fact").author("ann");
                let id = other.remember(memory.metadata(json!({"lang": "c"}))).unwrap();
                let metadata = json!({"lang": "c"});
                known.push(Known { id, kind: "fact", author: "ann", at: 70_000_000, metadata, vector });
            }
        }
        compare(&store, &known, &mut rng, 2);
    }
    assert_sound(&store);
}

/// From all to one in ten thousand, near the query and far from it: k answers wherever k exist, and the right
/// ones.
#[test]
fn k_answers_come_whenever_k_exist() {
    let n = 10_000;
    let points = vectors(11, n, 16);
    let store = Store::open(":memory:", Options::new(16)).unwrap();
    store.declare_field("rank").unwrap();
    store.declare_field("far").unwrap();
    let query = vectors(12, 1, 16).remove(0);
    let mut by_distance: Vec<usize> = (0..n).collect();
    by_distance.sort_by(|a, b| {
        let s = |i: &usize| wisen_tests::similarity(Metric::Cosine, &points[*i], &query);
        s(a).total_cmp(&s(b))
    });
    let mut far = vec![0; n];
    by_distance.iter().enumerate().for_each(|(place, i)| far[*i] = place);
    let memories = points
        .iter()
        .enumerate()
        .map(|(i, v)| Memory::new("m", v.clone()).metadata(json!({"rank": (i * 7919) % n, "far": far[i]})));
    let all = store.remember_many(memories.collect()).unwrap();
    store.seal().unwrap();
    for share in [10_000, 5000, 1000, 100, 20, 10, 1] {
        for field in ["rank", "far"] {
            let limit = n * share / 10_000;
            let below = |i: &usize| if field == "far" { far[*i] < limit } else { (i * 7919) % n < limit };
            let chosen = (0..n).filter(below).map(|i| (all[i], &points[i]));
            let wanted = brute_force(Metric::Cosine, chosen, &query, 10);
            let test = Test::Range { from: None, to: Some((limit as i64 - 1).into()) };
            let asked = Query::new(query.clone()).k(10).filter(Filter::field_is(field, test));
            let found = store.recall(&asked).unwrap();
            assert_eq!(found.hits.len(), wanted.len(), "{field} {share}");
            let wanted: HashSet<MemoryId> = wanted.iter().map(|(id, _)| *id).collect();
            let right = found.hits.iter().filter(|hit| wanted.contains(&hit.id)).count();
            assert!(right * 20 >= wanted.len() * 19, "{field} {share}: {right} of {}", wanted.len());
        }
    }
}

/// What is gone makes no filter dearer: few that are let through are compared with, and nothing is walked for them.
#[test]
fn the_dead_leave_a_narrow_filter_narrow() {
    let store = Store::open(":memory:", Options::new(16)).unwrap();
    let kinds = |i: usize| if i.is_multiple_of(200) { "rare" } else { "note" };
    let memories = vectors(9, 4000, 16).into_iter().enumerate();
    let all =
        store.remember_many(memories.map(|(i, v)| Memory::new("x", v).kind(kinds(i))).collect()).unwrap();
    store.seal().unwrap();
    let ask = || {
        let query = Query::new(vec![1.0; 16]).kind("rare").k(10).receipt(false);
        let recall = store.recall(&query).unwrap();
        assert_eq!(recall.hits.len(), 10);
        let is_rare = |id: MemoryId| (id.0 as usize - 1).is_multiple_of(200);
        assert!(recall.hits.iter().all(|hit| is_rare(hit.id)));
        recall.bytes_touched
    };
    let before = ask();
    store.forget(all[1]).unwrap();
    assert!(ask() <= before + before / 4, "one that the filter keeps out is gone: {} after {before}", ask());
    // The old place of a memory that moved is dead, and the memory passes the filter.
    store.update(all[200], Update::new().vector(vec![0.5; 16])).unwrap();
    assert!(ask() <= before + before / 4, "one that it lets through has moved: {} after {before}", ask());
}

/// What is known of memories that a filter keeps out counts for nothing, and that of the others counts.
#[test]
fn experience_counts_within_a_filter() {
    let store = Store::open(":memory:", Options::new(8)).unwrap();
    store.declare_field("team").unwrap();
    let points = vectors(21, 40, 8);
    let memories = points.iter().enumerate().map(|(i, v)| {
        Memory::new("m", v.clone()).metadata(json!({"team": if i < 20 { "red" } else { "blue" }}))
    });
    let all = store.remember_many(memories.collect()).unwrap();
    let query = points[0].clone();
    let plain = Query::new(query.clone()).k(3).receipt(false);
    let red = plain.clone().filter(Filter::field("team", "red"));
    let before = ids(&store.recall(&red).unwrap());
    let nearest_blue = store.recall(&plain.clone().filter(Filter::field("team", "blue"))).unwrap().hits[0].id;
    for _ in 0..5 {
        store.report(&Report::on_memory(nearest_blue, Outcome::Success).situation(query.clone())).unwrap();
    }
    assert_eq!(ids(&store.recall(&red).unwrap()), before, "others' experience");
    experience(&store, &query, 40, before[2], Outcome::Success);
    experience(&store, &query, 40, before[2], Outcome::Success);
    assert_eq!(ids(&store.recall(&red).unwrap())[0], before[2], "their own");
    assert!(before.iter().all(|id| all[..20].contains(id)));
}

#[test]
fn fields_have_to_be_declared() {
    let store = Store::open(":memory:", Options::new(2)).unwrap();
    store.remember(Memory::new("m", [1.0, 0.0]).metadata(json!({"lang": "c"}))).unwrap();
    let query = Query::new([1.0, 0.0]).filter(Filter::field("lang", "c"));
    let refused = store.recall(&query).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidArgument);
    assert!(refused.to_string().contains("declare_field"), "{refused}");
    store.declare_field("lang").unwrap();
    assert_eq!(store.recall(&query).unwrap().hits.len(), 1);
    assert_eq!(store.fields().unwrap(), ["lang"]);
    assert!(store.drop_field("lang").unwrap() && !store.drop_field("lang").unwrap());
    assert!(store.recall(&query).is_err(), "what was kept in mind is gone with it");
}

/// What a memory holds in a declared field is there again when the memory is, and a list may say one number twice.
#[test]
fn fields_of_merged_memories_and_doubled_numbers_are_kept() {
    let store = Store::open(":memory:", Options::new(2)).unwrap();
    let lang = |v: [f32; 2]| Memory::new("x", v).metadata(json!({"lang": "rust"}));
    let one = store.remember(lang([1.0, 0.0])).unwrap();
    let other = store.remember(lang([1.0, 0.001])).unwrap();
    assert_eq!(store.distil("default", 0.99).unwrap().len(), 1);
    store.declare_field("lang").unwrap();
    store.separate(other).unwrap();
    store.declare_field("n").unwrap();
    let numbers =
        json!({"n": [1, 1.0, 0, -0.0, 0.5, 0.5, 9_007_199_254_740_993_i64, 9_007_199_254_740_992.0]});
    let doubled = store.remember(Memory::new("y", [0.0, 1.0]).metadata(numbers)).unwrap();
    assert_sound(&store);
    let found = |filter| -> Vec<_> {
        let mut hits = store.recall(&Query::new([1.0, 0.5]).k(5).filter(filter)).unwrap().hits;
        hits.sort_by_key(|hit| hit.id);
        hits.iter().map(|hit| hit.id).collect()
    };
    assert_eq!(found(Filter::field("lang", "rust")), [one, other]);
    for number in [1.0, 0.0, 0.5, 9_007_199_254_740_992.0] {
        assert_eq!(found(Filter::field("n", number)), [doubled], "{number}");
    }
}
