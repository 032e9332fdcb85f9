//! Processes killed at any moment: nothing acknowledged is lost, and the store opens.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use wisen::{Memory, MemoryId, Options, Outcome, Query, Report, Store};
use wisen_tests::{Place, assert_sound, child, segment_files, vectors};

/// Kills of each kind.
const KILLS: u64 = 24;

fn point(seed: u64) -> Vec<f32> {
    vectors(seed, 1, 16).remove(0)
}

#[test]
fn child() {
    let Some(part) = child::part() else { return };
    let options = match part.name.as_str() {
        // Seals all the time, in the background.
        "sealing" => Options::new(16).seal_at(16).scan_below(0),
        _ => Options::new(16),
    };
    let store = Store::open(&part.store, options).unwrap();
    child::say("open");
    for i in 0.. {
        let seed = part.number + i;
        let id = store.remember(Memory::new(seed.to_string(), point(seed))).unwrap();
        child::say(format!("memory {seed} {id}"));
        let recall = store.recall(&Query::new(point(seed)).k(1)).unwrap();
        let report = Report::on(recall.receipt.unwrap(), Outcome::Success).key(seed.to_string());
        let report = store.report(&report).unwrap().id;
        child::say(format!("report {seed} {report}"));
        if i % 7 == 6 {
            store.forget(id).unwrap();
            child::say(format!("forgotten {seed} {id}"));
        }
        match part.name.as_str() {
            "checkpoint" if i % 5 == 0 => store.flush().unwrap(),
            "seal and merge" if i % 5 == 0 => store.seal().unwrap(),
            _ => {}
        }
    }
}

/// Kills a child that does `part` again and again on one store; after each kill everything it had
/// been told has to be there.
fn kill_again_and_again(part: &str) {
    let seed = fastrand::u64(..1 << 40);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let place = Place::new();
    let (mut living, mut forgotten, mut reports) = (Vec::new(), Vec::new(), 0_u64);
    for kill in 0..KILLS {
        let mut child = child::start(part, &place.store(), kill * 100_000);
        assert_eq!(child.hear().as_deref(), Some("open"), "kill {kill}: the child opens the store");
        std::thread::sleep(Duration::from_micros(rng.u64(200..50_000)));
        for line in child.kill() {
            let words: Vec<&str> = line.split(' ').collect();
            let (&[what, seed, id], true) =
                (words.as_slice().try_into().unwrap_or(&["", "", ""]), words.len() == 3)
            else {
                // Cut short by the kill.
                continue;
            };
            let known = (seed.parse::<u64>().unwrap(), MemoryId(id.parse().unwrap()));
            match what {
                "memory" => living.push(known),
                "report" => reports += 1,
                _ => {
                    living.retain(|one| *one != known);
                    forgotten.push(known);
                }
            }
        }
        let store = place.open(Options::existing());
        for (seed, id) in living.iter().rev().take(200) {
            let record = store.get(*id).unwrap();
            // The last one may have been forgotten, and the kill came before it could be said.
            let unsaid = (seed % 100_000) % 7 == 6;
            assert!(record.is_some() || unsaid, "seed {seed}, kill {kill}: memory {id} is lost");
            if let Some(record) = record {
                assert_eq!(record.content, seed.to_string());
                // First it need not be: a neighbour that succeeded here may stand before it.
                let query = Query::new(point(*seed)).k(10).receipt(false);
                let hits = store.recall(&query).unwrap().hits;
                let found = hits.iter().any(|hit| hit.id == *id && hit.similarity > 0.9999);
                assert!(found, "seed {seed}, kill {kill}: memory {id} is not found: {hits:#?}");
            }
        }
        assert!(forgotten.iter().rev().take(50).all(|(_, id)| store.get(*id).unwrap().is_none()));
        let kept = store.stats().unwrap().reports;
        assert!(kept >= reports && kept <= reports + kill + 1, "{kept} reports, {reports} acknowledged");
        assert_sound(&store);
    }
    assert!(living.len() > 20, "the children lived long enough to do something: {}", living.len());
    let store = place.open(Options::existing());
    // Leftovers are swept by the next seal that has something to seal.
    store.remember(Memory::new("last", point(1))).unwrap();
    store.seal().unwrap();
    assert_eq!(segment_files(&place.store()).len() as u64, store.stats().unwrap().segments, "no leftovers");
    assert_sound(&store);
}

#[test]
fn killed_between_writing_and_sealing_nothing_is_lost() {
    kill_again_and_again("write");
}

#[test]
fn killed_while_sealing_in_the_background_nothing_is_lost() {
    kill_again_and_again("sealing");
}

#[test]
fn killed_while_sealing_and_merging_nothing_is_lost() {
    kill_again_and_again("seal and merge");
}

#[test]
fn killed_around_checkpoints_nothing_is_lost() {
    kill_again_and_again("checkpoint");
}
