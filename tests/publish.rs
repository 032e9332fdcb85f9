//! A model of how segments are published and retired, with every interleaving of its steps (loom).
//!
//! The steps are those of `memory/seal.rs` and `memory/view.rs`. A sealer, under its lease: the file of the new
//! segment is complete, the registry names it in place of the old one, the generation rises, the old file is
//! swept. A reader: it compares the generation, takes the registry as it is then, and opens the files it
//! names; a missing file counts as lost only if the registry still names it. What has to hold: nobody ever sets aside a
//! segment that is in force, every reader ends with a list that was in force, and sees a publication at its first
//! call after it.
#![allow(clippy::unwrap_used)]

use loom::sync::atomic::{AtomicU64, Ordering::SeqCst};
use loom::sync::{Arc, Mutex};
use loom::thread;

/// Segments by number: 0 is there at first, 1 takes its place, 2 that of 1.
const SEGMENTS: usize = 3;

struct Store {
    /// Which segment the registry names: a transaction of the database, so atomic.
    registry: Mutex<usize>,
    generation: AtomicU64,
    files: [Mutex<bool>; SEGMENTS],
    lease: Mutex<()>,
}

impl Store {
    fn new() -> Self {
        Self {
            registry: Mutex::new(0),
            generation: AtomicU64::new(0),
            files: [Mutex::new(true), Mutex::new(false), Mutex::new(false)],
            lease: Mutex::new(()),
        }
    }

    /// Publishes the next segment. `early`: sweeps before it publishes, which is the mistake the model must find.
    fn seal(&self, early: bool) {
        let _lease = self.lease.lock().unwrap();
        let old = *self.registry.lock().unwrap();
        if early {
            *self.files[old].lock().unwrap() = false;
        }
        *self.files[old + 1].lock().unwrap() = true;
        *self.registry.lock().unwrap() = old + 1;
        self.generation.fetch_add(1, SeqCst);
        *self.files[old].lock().unwrap() = false;
    }
}

/// What a handle knows.
struct View {
    generation: u64,
    segment: usize,
}

/// Catches up; returns whether a segment in force was taken for lost.
fn catch_up(store: &Store, view: &mut View) -> bool {
    loop {
        let generation = store.generation.load(SeqCst) + 1;
        if view.generation == generation {
            return false;
        }
        let named = *store.registry.lock().unwrap();
        if !*store.files[named].lock().unwrap() {
            // Another one may have taken its place meanwhile.
            if *store.registry.lock().unwrap() == named {
                return true;
            }
            continue;
        }
        view.segment = named;
        view.generation = generation;
    }
}

fn model(early: bool) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let store = Arc::new(Store::new());
        let sealer = {
            let store = store.clone();
            thread::spawn(move || {
                store.seal(early);
                store.seal(early);
            })
        };
        let reader = {
            let store = store.clone();
            thread::spawn(move || {
                let mut view = View { generation: 0, segment: 0 };
                let mut last = 0;
                for _ in 0..2 {
                    assert!(!catch_up(&store, &mut view), "a segment in force was taken for lost");
                    assert!(view.segment >= last, "it went back");
                    last = view.segment;
                }
            })
        };
        sealer.join().unwrap();
        reader.join().unwrap();
        let mut view = View { generation: 0, segment: 0 };
        assert!(!catch_up(&store, &mut view));
        assert_eq!(view.segment, 2, "a publication is seen by the next call");
    });
}

#[test]
fn a_segment_in_force_is_never_taken_for_lost() {
    model(false);
}

/// The model can fail: with files swept before their successor is published it does.
#[test]
#[should_panic(expected = "taken for lost")]
fn sweeping_early_is_found() {
    model(true);
}
