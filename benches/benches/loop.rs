//! The loop of an agent on a small store: remember, recall, report.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tempfile::TempDir;
use wisen::{Memory, Options, Outcome, Query, Report, Store};

const DIMENSION: usize = 384;
const MEMORIES: usize = 500;

fn vector(rng: &mut fastrand::Rng) -> Vec<f32> {
    (0..DIMENSION).map(|_| rng.f32() - 0.5).collect()
}

fn small_store(rng: &mut fastrand::Rng) -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(folder.path().join("store"), Options::new(DIMENSION)).expect("open");
    let memories = (0..MEMORIES).map(|i| Memory::new(format!("memory {i}"), vector(rng))).collect();
    store.remember_many(memories).expect("remember");
    (folder, store)
}

fn the_loop(c: &mut Criterion) {
    let rng = &mut fastrand::Rng::with_seed(1);
    let (_folder, store) = small_store(rng);
    let queries: Vec<Query> = (0..256).map(|_| Query::new(vector(rng))).collect();
    let mut next = 0;
    let mut query = || {
        next = (next + 1) % queries.len();
        &queries[next]
    };

    let mut group = c.benchmark_group(format!("{MEMORIES} memories of {DIMENSION} numbers"));
    group.bench_function("recall 10, with a receipt", |b| b.iter(|| store.recall(query()).expect("recall")));
    let silent = Query::new(vector(rng)).receipt(false);
    group.bench_function("recall 10, without", |b| b.iter(|| store.recall(&silent).expect("recall")));
    group.bench_function("report", |b| {
        b.iter_batched(
            || {
                let recall = store.recall(query()).expect("recall");
                let receipt = recall.receipt.expect("asked for");
                Report::on(receipt, Outcome::Success).used(recall.hits[0].id)
            },
            |report| store.report(&report).expect("report"),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("remember", |b| {
        b.iter_batched(
            || Memory::new("one more", vector(rng)),
            |memory| store.remember(memory).expect("remember"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
    store.close().expect("close");
}

criterion_group!(benches, the_loop);
criterion_main!(benches);
