//! Many threads on one handle: writers, readers and the sealer at once.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use wisen::{Memory, Options, Outcome, Query, Report, Update};
use wisen_tests::stalls::Stalls;
use wisen_tests::{Place, assert_sound, fill, vectors};

/// Two writers, four readers and the sealer for five seconds: no error, every acknowledged memory is
/// found at the end, and nothing forgotten ever comes back.
/// Handles go from thread to thread, and are shared by them.
const _: fn() = || {
    fn is_good_for_threads<T: Send + Sync>() {}
    is_good_for_threads::<wisen::Store>();
};

#[test]
fn threads_write_read_and_seal_at_once() {
    let place = Place::new();
    let store = place.open(Options::new(24).seal_at(300).scan_below(0));
    let kept = Mutex::new(Vec::new());
    let (stop, recalls) = (AtomicBool::new(false), AtomicUsize::new(0));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..2_u64 {
            let (store, kept, stop) = (&store, &kept, &stop);
            scope.spawn(move || {
                for batch in 0.. {
                    let points = vectors(1 + writer * 1_000_000 + batch, 20, 24);
                    let ids = fill(store, &points);
                    store.forget(ids[0]).unwrap();
                    store.update(ids[1], Update::new().vector(points[0].clone())).unwrap();
                    let mut kept = kept.lock().unwrap();
                    kept.push((ids[1], points[0].clone()));
                    kept.extend(ids[2..].iter().copied().zip(points[2..].iter().cloned()));
                    drop(kept);
                    if stop.load(SeqCst) {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
        }
        for reader in 0..4_usize {
            let (store, kept, stop, recalls) = (&store, &kept, &stop, &recalls);
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(reader as u64);
                while !stop.load(SeqCst) {
                    let one = {
                        let kept = kept.lock().unwrap();
                        if kept.is_empty() { None } else { Some(kept[rng.usize(..kept.len())].clone()) }
                    };
                    let Some((id, point)) = one else { continue };
                    let recall = store.recall(&Query::new(point).k(5)).unwrap();
                    // A graph may miss it; what is there has to be whole.
                    assert!(!recall.hits.is_empty());
                    if recalls.fetch_add(1, SeqCst) % 20 == 0 && recall.hits.iter().any(|hit| hit.id == id) {
                        let report = Report::on(recall.receipt.unwrap(), Outcome::Success).used(id);
                        store.report(&report).unwrap();
                    }
                }
            });
        }
        // Five seconds, or as long as a busy machine needs to get something done.
        std::thread::sleep(Duration::from_secs(5));
        let enough = || {
            let kept = kept.lock().unwrap().len();
            kept > 1000 && recalls.load(SeqCst) > 500 && store.stats().unwrap().seals > 0
        };
        while !enough() && start.elapsed() < Duration::from_mins(2) {
            std::thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, SeqCst);
    });
    let ran = start.elapsed();
    let kept = kept.into_inner().unwrap();
    assert!(kept.len() > 1000 && recalls.load(SeqCst) > 500, "{} {recalls:?} in {ran:?}", kept.len());
    assert!(store.stats().unwrap().seals > 0);
    assert_eq!(store.count(None).unwrap(), kept.len() as u64);
    let look = |store: &wisen::Store| {
        let found = |(id, point): &&(wisen::MemoryId, Vec<f32>)| {
            let recall = store.recall(&Query::new(point.clone()).k(3).width(300).receipt(false)).unwrap();
            recall.hits.iter().any(|hit| hit.id == *id)
        };
        kept.iter().step_by(7).filter(|one| !found(one)).count()
    };
    // By graph 99 in 100; all of them are there: verify says that each can be reached.
    assert!(look(&store) * 100 <= kept.len() / 7, "{} of {}", look(&store), kept.len() / 7);
    assert_sound(&store);
    store.close().unwrap();
    drop(store);
    let store = place.open(Options::existing());
    assert!(look(&store) * 100 <= kept.len() / 7);
    assert_sound(&store);
}

/// A batch on several threads is its queries one by one, in their order and to the last bit; each has a receipt of its
/// own, and chance decides as its seed says.
#[test]
fn a_batch_answers_as_one_by_one() {
    let place = Place::new();
    // A clock that stands still: a hit tells how old it is.
    let clock = std::sync::Arc::new(wisen::ManualClock::at(1_700_000_000_000_000));
    let store = place.open(Options::new(24).scan_below(0).clock(clock));
    let all = fill(&store, &vectors(1, 2000, 24));
    store.seal().unwrap();
    wisen_tests::practise(&store, &vectors(2, 60, 24));
    fill(&store, &vectors(3, 100, 24));
    let plain: Vec<Query> =
        vectors(4, 240, 24).into_iter().map(|vector| Query::new(vector).content(true)).collect();
    let drawn = |(seed, query): (u64, &Query)| query.clone().explore(3).hold_out(0.2).seed(seed);
    let drawn: Vec<Query> = (0..).zip(&plain).map(drawn).collect();
    for queries in [&plain, &drawn] {
        let singly: Vec<_> = queries.iter().map(|query| store.recall(query).unwrap()).collect();
        for threads in [0, 1, 2, 5] {
            let batch = store.recall_many(queries, threads).unwrap();
            assert_eq!(batch.len(), singly.len());
            for (one, single) in batch.iter().zip(&singly) {
                assert_eq!(wisen_tests::bits(one), wisen_tests::bits(single), "{threads} threads");
                assert_eq!((&one.hits, one.withheld), (&single.hits, single.withheld));
                assert_eq!(
                    (one.fit.to_bits(), one.bytes_touched),
                    (single.fit.to_bits(), single.bytes_touched)
                );
            }
            let receipts: std::collections::HashSet<_> =
                batch.iter().map(|one| one.receipt.unwrap()).collect();
            assert_eq!(receipts.len(), batch.len(), "each has its own");
        }
    }
    // A receipt of a batch is as good as any, for its own query.
    let batch = store.recall_many(&plain[..40], 2).unwrap();
    for recall in &batch {
        let report = Report::on(recall.receipt.unwrap(), Outcome::Success).used(recall.hits[9].id);
        let reply = store.report(&report).unwrap();
        assert_eq!(reply.credited[0].0, recall.hits[9].id);
    }
    assert_eq!(store.recall_many(&[], 2).unwrap(), []);
    assert!(store.recall_many(&plain[..1], 2).unwrap()[0].hits.len() == 10 && all.len() == 2000);
    // What is wrong with rows 9 and 3 is told of row 3, and there is no answer to any.
    let mut bad = plain.clone();
    bad[9] = Query::new([1.0; 5]);
    bad[3] = Query::new([f32::NAN; 24]);
    let refused = store.recall_many(&bad, 2).unwrap_err();
    assert!(matches!(refused, wisen::Error::Row { row: 3, .. }), "{refused}");
    assert_eq!(refused.code(), wisen::ErrorCode::NotFinite);
    assert_eq!(store.recall_many(&plain, 257).unwrap_err().code(), wisen::ErrorCode::InvalidArgument);
    assert_sound(&store);
    store.close().unwrap();
    assert_eq!(store.recall_many(&plain, 2).unwrap_err().code(), wisen::ErrorCode::Closed);
}

/// Recalls go on while a large segment is built.
#[test]
fn recalls_go_on_while_sealing() {
    let place = Place::new();
    let store = place.open(Options::new(64).seal_at(1_000_000).threads(1));
    // Under a sanitizer that makes everything ten times slower, fewer.
    let slow = std::env::var_os("WISEN_SLOW").is_some();
    let points = vectors(1, if slow { 2000 } else { 20_000 }, 64);
    fill(&store, &points);
    store.recall(&Query::new(points[0].clone())).unwrap();
    let done = AtomicBool::new(false);
    let stalls = Stalls::watch(&place.at(""));
    let (mut recalls, mut longest) = (0, Duration::ZERO);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            store.seal().unwrap();
            done.store(true, SeqCst);
        });
        while !done.load(SeqCst) {
            let start = Instant::now();
            let point = &points[recalls * 37 % points.len()];
            let recall = store.recall(&Query::new(point.clone()).k(3).receipt(false)).unwrap();
            assert!((recall.hits[0].similarity - 1.0).abs() < 1e-5);
            longest = longest.max(start.elapsed());
            recalls += 1;
        }
    });
    println!("{recalls} recalls while sealing, the longest took {longest:?}");
    assert!(recalls > if slow { 5 } else { 50 }, "{recalls}");
    assert!(longest < stalls.allow(Duration::from_secs(if slow { 10 } else { 1 })), "{longest:?}");
    assert_eq!(store.stats().unwrap().segments, 1);
}

/// A handle dropped while it seals gives the build up at once; nothing is lost.
#[test]
fn a_drop_gives_up_sealing() {
    let place = Place::new();
    let store = place.open(Options::new(64).seal_at(20_000).threads(1));
    let points = vectors(1, 20_000, 64);
    let all = fill(&store, &points);
    // The sealer was woken by the last write; it reads, then builds.
    let end = Instant::now() + Duration::from_mins(1);
    let stalls = Stalls::watch(&place.at(""));
    let building = || wisen_tests::segment_files(&place.store()).iter().any(|name| name.starts_with("tmp-"));
    while !building() && store.stats().unwrap().seals == 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
    let under_way = store.stats().unwrap().seals == 0;
    let start = Instant::now();
    drop(store);
    let took = start.elapsed();
    println!("dropped in {took:?}, sealing under way: {under_way}");
    assert!(took < stalls.allow(Duration::from_secs(1)), "{took:?}");
    let store = place.open(Options::existing().seal_at(1_000_000));
    assert!(under_way && store.stats().unwrap().segments == 0, "the build was given up");
    for i in (0..20_000).step_by(997) {
        assert_eq!(store.recall(&Query::new(points[i].clone()).k(1)).unwrap().hits[0].id, all[i]);
    }
    store.remember(Memory::new("x", points[0].clone())).unwrap();
    assert_sound(&store);
}

/// A recall goes on with the segments it has while another handle has made others: they are opened where nobody
/// waits, and come into use by themselves.
#[test]
fn recalls_open_no_segment() {
    let place = Place::new();
    let options = Options::new(16).seal_at(1_000_000).scan_below(0);
    let store = place.open(options.clone());
    let points = vectors(1, 2000, 16);
    let all = fill(&store, &points);
    let ask = |i: usize| {
        let recall = store.recall(&Query::new(points[i].clone()).k(1).receipt(false)).unwrap();
        assert_eq!(recall.hits[0].id, all[i]);
    };
    ask(0);
    assert_eq!(store.stats().unwrap().graph_searches, 0);
    place.open(options).seal().unwrap();
    ask(1);
    assert_eq!(store.stats().unwrap().graph_searches, 0, "the recall went on with what it had");
    let end = Instant::now() + Duration::from_secs(30);
    while store.stats().unwrap().graph_searches == 0 {
        assert!(Instant::now() < end, "the segment never came into use");
        ask(2);
    }
}
