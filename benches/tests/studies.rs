//! The studies find what they are made to find, on slices of the shipped data.

use wisen_benches::data::{self, Stream};
use wisen_benches::npy::Matrix;
use wisen_benches::rounds::{Baseline, Rounds, Wisen, brier, walk};
use wisen_benches::studies::no_fit::{self, Told};
use wisen_benches::studies::poison::{Attack, By, Scene};
use wisen_benches::studies::quarantine::{self, Five};

/// The first events of a shipped stream.
fn slice(name: &str, events: usize) -> Stream {
    let whole = Stream::load(&data::shipped(), name).expect(name);
    let vectors = whole.event_vectors.rows().take(events).collect::<Vec<_>>().concat();
    let event_vectors = Matrix::new(whole.dimension(), vectors);
    Stream { events: whole.events[..events].to_vec(), event_vectors, ..whole }
}

#[test]
fn forecasts_beat_a_rate_for_all_and_remember_what_happened_last() {
    let mut stream = Rounds::load(&data::shipped(), "swebench_lite").expect("swebench_lite");
    stream.rounds.truncate(25);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut wisen = Wisen::create(&folder.path().join("store"), &stream).expect("create");
    let of_wisen = brier(&walk(&mut wisen, &stream, 10).expect("walk"));
    wisen.finish().expect("finish");
    for (name, mut baseline) in Baseline::all(stream.memories.len()) {
        let other = brier(&walk(&mut baseline, &stream, 10).expect("walk"));
        println!("{name}: {other}, wisen {of_wisen}");
        if ["overall rate so far", "last round"].contains(&name.as_str()) {
            assert!(of_wisen < other - 0.01, "{name}: {other}, wisen {of_wisen}");
        }
    }
}

#[test]
fn strangers_without_receipts_plant_nothing_and_owners_would() {
    let stream = slice("banking77", 4000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scene = Scene::prepare(folder.path(), &stream, 0, 6).expect("prepare");
    let share = |fakes, by| scene.plant(Attack { fakes, by, on_receipts: false }).expect("plant").share;
    let nobody = share(0, By::Owner);
    let (owner, one, several) = (share(10, By::Owner), share(10, By::One), share(10, By::Several(10)));
    println!("nobody {nobody}, owner {owner}, one {one}, several {several}");
    assert!(owner > nobody + 0.1, "the attack has to be one: {owner} after {nobody}");
    assert!(one <= nobody + 1e-9, "{one} after {nobody}");
    assert!(several <= nobody + 1e-9, "{several} after {nobody}");
}

#[test]
fn queries_that_nothing_fits_are_told_from_others() {
    let stream = slice("metatool", 1200);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let found = no_fit::held_out(&folder.path().join("store"), &stream, Told::All).expect("ask");
    println!("{found:?}");
    assert!(found.by_fit > 0.75 && found.mean_fit.0 < found.mean_fit.1 - 0.1, "{found:?}");
}

#[test]
fn wrong_memories_are_quarantined_and_right_ones_are_not() {
    let (stream, good) = (slice("banking77-bad", 1500), slice("banking77", 1500));
    let wrong = quarantine::wrong(&stream, &good);
    assert_eq!(wrong.len(), 115);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store");
    let caught = quarantine::drawn(&path, &stream, &wrong, Five::Nearest, 3, 0.0).expect("replay");
    println!("{caught:?}");
    assert!(caught.wrong.1 > 0 && caught.wrong.1 * 10 > caught.judged * 7, "{caught:?}");
    assert!(caught.right.1 * 50 < caught.right.0, "{caught:?}");
}
