//! Half of everything deleted and remembered again, round after round: recall beside a fresh build, and disk beside
//! a freshly compacted store.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use wisen::{Memory, MemoryId, Options, Store};
use wisen_benches::page::{Page, percent};

use super::common::{Bench, exact, fill, recall_at_10, size};

const ROUNDS: usize = 5;

pub fn measure(bench: &Bench<'_>, page: &mut Page) -> Result<()> {
    page.section("Deleting half and remembering it again");
    let queries: Vec<&[f32]> = bench.queries.rows().take(500).collect();
    let truth = exact(bench.base, &queries);
    let path = bench.folder.join("rounds");
    let options = || Options::new(bench.args.dim).threads(bench.args.threads);
    let fresh = {
        let path = bench.folder.join("fresh");
        let store = Store::open(&path, bench.options())?;
        let ids = fill(&store, bench.base.rows().map(<[f32]>::to_vec))?;
        store.seal()?;
        let recall = recall_at_10(&store, &queries, &truth, 0, |id| ids.binary_search(&id).ok())?;
        store.close()?;
        std::fs::remove_dir_all(path)?;
        recall
    };
    page.remark(&format!(
        "{} vectors, default options, {} queries at the default width; a fresh build has recall@10 {fresh:.4}. Disk: the \
         largest size seen in the course of the step (looked at every 5 ms), and the most times that a compacted copy would \
         have had at that moment: copies are compacted before and after the step, and between them it goes by how many \
         memories are alive.",
        bench.base.len(),
        queries.len(),
    ));
    page.columns(&[
        "step          ",
        "recall@10",
        "less than fresh",
        "segments",
        "largest MB",
        "compacted MB",
        "most / compacted",
    ]);
    let store = Store::open(&path, options())?;
    let watch = Watch::default();
    let mut rows: HashMap<MemoryId, usize> = HashMap::new();
    let mut before: Option<(u64, f64)> = None;
    std::thread::scope(|scope| {
        scope.spawn(|| watch.look(&path));
        // However it ends, the watch is over.
        let _over = Over(&watch);
        let mut step = |name: String, store: &Store, recall: Option<f64>| -> Result<()> {
            let seen = std::mem::take(&mut *watch.lock());
            let compacted = compacted(store, bench.folder)?;
            let after = (watch.alive.load(SeqCst), compacted as f64);
            let most = most_times(&seen, before.unwrap_or(after), after);
            let recall = recall.map_or((String::new(), String::new()), |recall| {
                (format!("{recall:.4}"), percent(fresh - recall))
            });
            page.row(&[
                name,
                recall.0,
                recall.1,
                store.stats()?.segments.to_string(),
                format!("{:.1}", seen.iter().map(|&(_, size)| size).max().unwrap_or(0) as f64 / 1e6),
                format!("{:.1}", compacted as f64 / 1e6),
                format!("x {most:.2}"),
            ]);
            before = Some(after);
            watch.lock().clear();
            Ok(())
        };
        let ids = fill(&store, bench.base.rows().map(<[f32]>::to_vec))?;
        rows.extend(ids.into_iter().enumerate().map(|(row, id)| (id, row)));
        // What it took on the way says nothing: not so many were alive yet.
        watch.alive.store(rows.len() as u64, SeqCst);
        watch.lock().clear();
        settle(&store)?;
        let ask = |rows: &HashMap<MemoryId, usize>| {
            recall_at_10(&store, &queries, &truth, 0, |id| rows.get(&id).copied())
        };
        step("remembered".to_owned(), &store, Some(ask(&rows)?))?;
        let mut rng = fastrand::Rng::with_seed(7);
        for round in 1..=ROUNDS {
            let mut ids: Vec<MemoryId> = rows.keys().copied().collect();
            ids.sort_unstable();
            rng.shuffle(&mut ids);
            ids.truncate(bench.base.len() / 2);
            for id in &ids {
                store.forget(*id)?;
                watch.alive.fetch_sub(1, SeqCst);
            }
            settle(&store)?;
            step(format!("{round}: deleted"), &store, None)?;
            let gone: Vec<usize> = ids.iter().filter_map(|id| rows.remove(id)).collect();
            for part in gone.chunks(1000) {
                let memory = |row: &usize| Memory::new(format!("row {row}"), bench.base.row(*row));
                let ids = store.remember_many(part.iter().map(memory).collect())?;
                watch.alive.fetch_add(part.len() as u64, SeqCst);
                rows.extend(ids.into_iter().zip(part.iter().copied()));
            }
            settle(&store)?;
            step(format!("{round}: re-added"), &store, Some(ask(&rows)?))?;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    store.close()?;
    std::fs::remove_dir_all(path)?;
    Ok(())
}

/// The most times that a size was that of a compacted copy at its moment, of which there is one with `from.1` bytes for
/// `from.0` memories and one with `to.1` for `to.0`.
fn most_times(seen: &[(u64, u64)], from: (u64, f64), to: (u64, f64)) -> f64 {
    let all = from.0.abs_diff(to.0).max(1) as f64;
    let times = seen.iter().map(|&(alive, size)| {
        let way = from.0.abs_diff(alive) as f64 / all;
        size as f64 / (from.1 + (to.1 - from.1) * way)
    });
    times.fold(0.0, f64::max)
}

/// Waits till nothing is merged any more.
fn settle(store: &Store) -> Result<()> {
    let (mut seals, mut quiet) = (store.stats()?.seals, 0);
    while quiet < 10 {
        std::thread::sleep(Duration::from_millis(200));
        let (now, busy) = (store.stats()?.seals, building(store.path()));
        quiet = if now == seals && !busy { quiet + 1 } else { 0 };
        seals = now;
    }
    Ok(())
}

fn building(path: &Path) -> bool {
    let files = std::fs::read_dir(path.join("segments")).into_iter().flatten().flatten();
    files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("tmp-"))
}

/// Size of a compacted copy.
fn compacted(store: &Store, folder: &Path) -> Result<u64> {
    let (file, copy) = (folder.join("copy.backup"), folder.join("copy"));
    store.backup(&file, true)?;
    Store::restore(&file, &copy)?;
    let compact = Store::open(&copy, Options::existing())?;
    compact.compact()?;
    compact.close()?;
    let (bytes, _) = size(&copy);
    std::fs::remove_dir_all(&copy)
        .and_then(|()| std::fs::remove_file(&file))
        .context("the copy does not go")?;
    Ok(bytes)
}

/// Looks at the size of a folder, again and again.
#[derive(Default)]
struct Watch {
    /// How many memories are alive.
    alive: AtomicU64,
    /// How many were at a moment, and the size.
    seen: Mutex<Vec<(u64, u64)>>,
    over: AtomicBool,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, folder: &Path) {
        while !self.over.load(SeqCst) {
            let size = size(folder).0;
            let alive = self.alive.load(SeqCst);
            self.lock().push((alive, size));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

struct Over<'a>(&'a Watch);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, SeqCst);
    }
}
