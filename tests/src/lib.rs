//! What the risk tests share: seeded vectors, brute force, answers as bits, child processes.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a helper of tests that fails fails the test"
)]

pub mod child;
pub mod history;
pub mod stalls;
pub mod upkeep;

use std::path::PathBuf;

use tempfile::TempDir;
use wisen::{Memory, MemoryId, Metric, Options, Outcome, Query, Recall, Report, ReportReply, Store};

/// A folder that goes with the test, and a path for a store in it.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// A new folder.
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A new folder in memory, where there is such a place: for what needs no disk.
    pub fn in_memory() -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { folder: folder.unwrap() }
    }

    /// The path of the store.
    pub fn store(&self) -> PathBuf {
        self.at("store")
    }

    /// Another path in the folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens the store.
    pub fn open(&self, options: Options) -> Store {
        Store::open(self.store(), options).unwrap()
    }
}

/// `n` seeded vectors of `dim` numbers in -1..1, bunched around a few centres as embeddings are.
pub fn vectors(seed: u64, n: usize, dim: usize) -> Vec<Vec<f32>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let centres: Vec<Vec<f32>> = (0..8).map(|_| (0..dim).map(|_| rng.f32() * 2.0 - 1.0).collect()).collect();
    (0..n)
        .map(|_| {
            let centre = &centres[rng.usize(..8)];
            centre.iter().map(|x| 0.5 * x + rng.f32() - 0.5).collect()
        })
        .collect()
}

/// `n` seeded vectors of small whole numbers: dot products and distances are exact in f32, and ties
/// are real ties. None is zero.
pub fn whole_vectors(seed: u64, n: usize, dim: usize) -> Vec<Vec<f32>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let number = |rng: &mut fastrand::Rng| f32::from(rng.i8(-3..=3));
    (0..n).map(|_| (0..dim).map(|i| if i == 0 { 1.0 } else { number(&mut rng) }).collect()).collect()
}

/// Remembers these vectors in the default namespace, in one transaction.
pub fn fill(store: &Store, vectors: &[Vec<f32>]) -> Vec<MemoryId> {
    let memories = vectors.iter().enumerate().map(|(i, v)| Memory::new(format!("memory {i}"), v.clone()));
    store.remember_many(memories.collect()).unwrap()
}

/// Similarity by the definition, in f64.
pub fn similarity(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let pairs = || a.iter().zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)));
    let dot: f64 = pairs().map(|(x, y)| x * y).sum();
    let length = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    match metric {
        Metric::Dot => dot,
        Metric::L2 => -pairs().map(|(x, y)| (x - y).powi(2)).sum::<f64>(),
        Metric::Cosine => dot / (length(a) * length(b)),
    }
}

/// The best `k` by similarity, then id: every pair is computed.
pub fn brute_force<'a>(
    metric: Metric,
    points: impl IntoIterator<Item = (MemoryId, &'a Vec<f32>)>,
    query: &[f32],
    k: usize,
) -> Vec<(MemoryId, f64)> {
    let mut all: Vec<(MemoryId, f64)> =
        points.into_iter().map(|(id, v)| (id, similarity(metric, v, query))).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(k);
    all
}

/// The ids of the hits.
pub fn ids(recall: &Recall) -> Vec<MemoryId> {
    recall.hits.iter().map(|hit| hit.id).collect()
}

/// The hits to the last bit: id, score, similarity, probability.
pub type Bits = Vec<(u64, u64, u32, u64)>;

/// An answer to the last bit.
pub fn bits(recall: &Recall) -> Bits {
    let hit = |hit: &wisen::Hit| {
        (hit.id.0, hit.score.to_bits(), hit.similarity.to_bits(), hit.probability().to_bits())
    };
    recall.hits.iter().map(hit).collect()
}

/// The answers to these queries to the last bit; leaves no receipts.
pub fn answers(store: &Store, queries: &[Vec<f32>], k: usize) -> Vec<Bits> {
    let ask = |q: &Vec<f32>| bits(&store.recall(&Query::new(q.clone()).k(k).receipt(false)).unwrap());
    queries.iter().map(ask).collect()
}

/// Recalls `k` hits and reports that `used` was used and how it went.
pub fn experience(store: &Store, query: &[f32], k: usize, used: MemoryId, outcome: Outcome) -> ReportReply {
    let recall = store.recall(&Query::new(query).k(k)).unwrap();
    store.report(&Report::on(recall.receipt.unwrap(), outcome).used(used)).unwrap()
}

/// Reports on some memories in some situations, by receipt: a store with something to rank by.
pub fn practise(store: &Store, queries: &[Vec<f32>]) {
    for (i, query) in queries.iter().enumerate() {
        let recall = store.recall(&Query::new(query.clone()).k(5)).unwrap();
        let used = recall.hits[i % recall.hits.len()].id;
        let outcome = if i % 3 == 0 { Outcome::Failure } else { Outcome::Success };
        store.report(&Report::on(recall.receipt.unwrap(), outcome).used(used)).unwrap();
    }
}

/// Fails unless `verify` finds nothing wrong.
pub fn assert_sound(store: &Store) {
    let found = store.verify().unwrap();
    assert!(found.is_ok(), "{found:?}");
}

/// Up to `limit` entries of the audit after the first `after`, of those that record decisions: what happens to
/// every memory and report left out.
pub fn decisions(store: &Store, after: usize, limit: usize) -> Vec<wisen::AuditEntry> {
    let everyday = ["remember", "update", "forget", "expire", "report", "retract"];
    let entries = store.audit_entries(0, usize::MAX).unwrap().into_iter();
    entries.filter(|entry| !everyday.contains(&entry.op.as_str())).skip(after).take(limit).collect()
}

/// Names of the files in `segments/`, sorted.
pub fn segment_files(store: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(store.join("segments")) else {
        return Vec::new();
    };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Copies a folder with what is in it.
pub fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        if entry.is_dir() {
            copy_folder(&entry, &to);
        } else {
            std::fs::copy(&entry, &to).unwrap();
        }
    }
}
