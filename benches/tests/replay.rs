//! Reports have to be worth something: on the shipped streams, and on the same streams as other
//! embedding models would have them. Every margin here is lost if reports have no effect.

use wisen::Options;
use wisen_benches::data::{self, Stream};
use wisen_benches::measure::{Trace, difference};
use wisen_benches::replay::Agent;
use wisen_benches::transform::Transform;

fn replay(stream: &Stream, options: Options, events: usize, learns: bool) -> Trace {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut agent = Agent::create(&folder.path().join("store"), options, stream, learns).expect("create");
    for event in 0..events {
        agent.step(event).expect("step");
    }
    let stats = agent.stats().expect("stats");
    assert_eq!(stats.reports, if learns { events as u64 } else { 0 });
    agent.finish().expect("finish")
}

/// By how much learning hits more often in the last half of the first `events` events, and where.
fn gain(stream: &Stream, options: &Options, events: usize) -> (f64, Trace) {
    let without = replay(stream, options.clone(), events, false);
    let with = replay(stream, options.clone(), events, true);
    let gain = difference(&with, &without, with.last_half());
    println!("{}: {gain:?}, Brier {}", stream.name, with.brier(with.last_half()));
    assert!(gain.low > 0.0, "{}: {gain:?} may be chance", stream.name);
    (gain.mean, with)
}

fn load(name: &str) -> Stream {
    Stream::load(&data::shipped(), name).expect(name)
}

#[test]
fn learning_finds_out_which_memories_are_wrong() {
    let stream = load("banking77-bad");
    let (gain, with) = gain(&stream, &Options::new(stream.dimension()), 2000);
    assert!(gain > 0.08, "{gain}");
    let half = with.last_half();
    let brier = with.brier(half.clone());
    // Promising the base rate every time is what a probability without knowledge scores.
    let rate = with.hit_rate(half);
    assert!(
        brier < rate * (1.0 - rate),
        "Brier {brier} where the base rate alone has {}",
        rate * (1.0 - rate)
    );
}

#[test]
fn learning_helps_where_a_success_rate_per_memory_does_harm() {
    let stream = load("metatool");
    let (gain, _) = gain(&stream, &Options::new(stream.dimension()), 2000);
    assert!(gain > 0.015, "{gain}");
}

#[test]
fn learning_survives_another_scale_of_cosines() {
    let plain = load("banking77-bad");
    for transform in [Transform::Squeezed, Transform::Asymmetric, Transform::Rotated] {
        let stream = transform.apply(&plain).expect("apply");
        let (gain, _) = gain(&stream, &Options::new(stream.dimension()), 1000);
        assert!(gain > 0.04, "{}: {gain}", stream.name);
    }
}

#[test]
fn learning_works_through_graphs_as_well() {
    let stream = load("banking77-bad");
    let options = Options::new(stream.dimension()).scan_below(0).seal_at(256);
    let (gain, _) = gain(&stream, &options, 1000);
    assert!(gain > 0.04, "{gain}");
}

#[test]
fn who_never_reports_sees_pure_similarity() {
    let stream = load("banking77");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options::new(stream.dimension());
    let agent = Agent::create(&folder.path().join("store"), options, &stream, false).expect("create");
    for event in 0..200 {
        let query = stream.event_vectors.row(event);
        let nearest = wisen_benches::ann::nearest(&stream.memory_vectors, query, wisen::Metric::Cosine, 10);
        let recall = agent.look(event, 10).expect("look");
        let hits: Vec<usize> = recall.hits.iter().map(|hit| agent.row(hit.id).expect("known")).collect();
        assert_eq!(hits, nearest, "event {event}");
    }
}
