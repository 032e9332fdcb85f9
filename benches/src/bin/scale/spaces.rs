//! Many namespaces, and many processes.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use wisen::{Memory, Options, Query, Store};
use wisen_benches::crowd::Crowd;
use wisen_benches::npy::Matrix;
use wisen_benches::pace::quantile;
use wisen_benches::page::Page;

use super::common::{Bench, child, exact, opened, recall_at_10, size};

/// Memories of a namespace.
const EACH: usize = 100;

pub fn namespaces(bench: &Bench<'_>, page: &mut Page) -> Result<()> {
    let many = bench.args.namespaces;
    page.section(&format!("{many} namespaces of {EACH} memories"));
    let path = bench.folder.join("spaces");
    let crowd = Crowd::around(bench.base, 0.4, 11);
    let began = Instant::now();
    let store =
        Store::open(&path, Options::new(bench.args.dim).seal_at(100_000).threads(bench.args.threads))?;
    for part in (0..many).collect::<Vec<_>>().chunks(50) {
        let row = |space: usize, i: usize| {
            let vector = crowd.vector((space * EACH + i) as u64);
            Memory::new(format!("{i}"), vector).namespace(format!("tenant {space}"))
        };
        let memories = part.iter().flat_map(|space| (0..EACH).map(move |i| row(*space, i)));
        store.remember_many(memories.collect())?;
    }
    store.close()?;
    let (filled, (bytes, files)) = (began.elapsed().as_secs_f64(), size(&path));
    let (first, last) = ("tenant 0", format!("tenant {}", many - 1));
    let took = opened(bench, &path, [first, &last], 0)?;
    let store = Store::open(&path, Options::existing())?;
    // A sample against exact answers within the namespace.
    let mut right = 0.0;
    for space in (0..many).step_by((many / 20).max(1)) {
        let name = format!("tenant {space}");
        let rows: Vec<f32> = (0..EACH).flat_map(|i| crowd.vector((space * EACH + i) as u64)).collect();
        let rows = Matrix::new(bench.args.dim, rows);
        for truth in bench.queries.rows().take(5).map(|query| (query, exact(&rows, &[query]))) {
            let answer = store.recall(&Query::new(truth.0).namespace(&name).content(true).receipt(false))?;
            let found = answer.hits.iter().filter_map(|hit| hit.content.as_ref()?.parse::<usize>().ok());
            right += found.filter(|row| truth.1[0].contains(row)).count() as f64 / 50.0;
        }
    }
    let sampled = (0..many).step_by((many / 20).max(1)).count() as f64;
    let stats = store.stats()?;
    page.columns(&[
        "open ms",
        "open to first answer ms",
        "next in another namespace ms",
        "files",
        "segments",
        "unsealed",
        "store MB",
        "recall@10",
        "filled in s",
    ]);
    page.row(&[
        format!("{:.1}", took[0]),
        format!("{:.1}", took[1]),
        format!("{:.1}", took[2]),
        files.to_string(),
        stats.segments.to_string(),
        stats.unsealed.to_string(),
        format!("{:.0}", bytes as f64 / 1e6),
        format!("{:.4}", right / sampled),
        format!("{filled:.0}"),
    ]);
    store.close()?;
    std::fs::remove_dir_all(path)?;
    Ok(())
}

pub fn processes(bench: &Bench<'_>, page: &mut Page) -> Result<()> {
    let many = bench.args.processes;
    page.section(&format!("{many} processes that remember ten things each"));
    page.remark("Each opens the store, remembers ten things one by one, and ends; \"closing\": not without having closed it.");
    page.columns(&[
        "ends by ",
        "a process ms p50",
        "p99",
        "open ms",
        "open to first answer ms",
        "files at most",
        "files",
        "segments",
        "unsealed",
        "recall@10",
    ]);
    for closing in [false, true] {
        let path = bench.folder.join("processes");
        Store::open(&path, Options::new(bench.args.dim))?.close()?;
        let (mut took, mut most) = (Vec::new(), 0);
        for i in 0..many {
            let began = Instant::now();
            child(bench.args, "ten", &path, &[i.to_string(), closing.to_string()])?;
            took.push(began.elapsed().as_secs_f64() * 1e3);
            most = most.max(size(&path).1);
        }
        let files = size(&path).1;
        let opened = opened(bench, &path, ["default", "default"], 0)?;
        let store = Store::open(&path, Options::existing())?;
        let crowd = Crowd::around(bench.base, 0.4, 13);
        let rows: Vec<f32> = (0..many * 10).flat_map(|i| crowd.vector(i)).collect();
        let rows = Matrix::new(bench.args.dim, rows);
        let queries: Vec<&[f32]> = bench.queries.rows().take(200).collect();
        let truth = exact(&rows, &queries);
        let right = recall_at_10(&store, &queries, &truth, 0, |id| Some(id.0 as usize - 1))?;
        let stats = store.stats()?;
        page.row(&[
            if closing { "closing" } else { "dropping" }.to_owned(),
            format!("{:.0}", quantile(&took, 0.5)),
            format!("{:.0}", quantile(&took, 0.99)),
            format!("{:.1}", opened[0]),
            format!("{:.1}", opened[1]),
            most.to_string(),
            files.to_string(),
            stats.segments.to_string(),
            stats.unsealed.to_string(),
            format!("{right:.4}"),
        ]);
        store.close()?;
        std::fs::remove_dir_all(path)?;
    }
    Ok(())
}

/// A process that remembers ten things.
pub fn ten(path: &Path, base: &Matrix, more: &[String]) -> Result<()> {
    let number: u64 = more.first().context("which one?")?.parse()?;
    let crowd = Crowd::around(base, 0.4, 13);
    let store = Store::open(path, Options::existing())?;
    for i in number * 10..number * 10 + 10 {
        store.remember(Memory::new(format!("thing {i}"), crowd.vector(i)))?;
    }
    if more.get(1).is_some_and(|closing| closing == "true") {
        store.close()?;
    }
    Ok(())
}
