//! Recalls at a pace, while nothing else happens and while everything is merged into one segment.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use wisen::{Options, Query, Store};
use wisen_benches::crowd::Crowd;
use wisen_benches::pace::{Took, quantile};
use wisen_benches::page::Page;

use super::common::{Bench, fill};

const PER_SECOND: u32 = 50;
/// As `Options::seal_at` is by default.
const SEAL_AT: usize = 2048;

pub fn measure(bench: &Bench<'_>, page: &mut Page) -> Result<()> {
    page.section("Recalls while a merge runs");
    page.remark(&format!(
        "{PER_SECOND} recalls a second without receipts; one thread builds. Segments of all base vectors, a quarter and \
         a fifteenth of them and a tail just below {SEAL_AT}; the next memories have all of them merged. Asleep: neither on a processor nor \
         waiting for one (own locks, and the disk). Milliseconds."
    ));
    page.columns(&[
        "handle       ",
        "while  ",
        "recalls",
        "p50",
        "p99",
        "longest",
        "p99 / idle",
        "cpu p50",
        "cpu p99",
        "asleep > 1 ms",
        "longest asleep",
    ]);
    for other in [false, true] {
        one(bench, page, other)?;
    }
    Ok(())
}

/// `other`: recalls come from another handle than the one that merges.
fn one(bench: &Bench<'_>, page: &mut Page, other: bool) -> Result<()> {
    let path = bench.folder.join("paced");
    let crowd = Crowd::around(bench.base, 0.4, 5);
    let store = Store::open(&path, bench.options().threads(1))?;
    fill(&store, bench.base.rows().map(<[f32]>::to_vec))?;
    store.seal()?;
    let n = bench.base.len() as u64;
    for part in [0..n / 4, n / 4..n / 4 + n / 15] {
        fill(&store, part.map(|i| crowd.vector(i)))?;
        store.seal()?;
    }
    ensure!(store.stats()?.segments == 3, "the segments are not as planned: {:?}", store.stats()?);
    fill(&store, (n..n + SEAL_AT as u64 - 8).map(|i| crowd.vector(i)))?;
    store.close()?;
    let store = Store::open(&path, Options::existing().threads(1))?;
    let reader = if other { Some(Store::open(&path, Options::existing())?) } else { None };
    let asked = reader.as_ref().unwrap_or(&store);
    let ask = |i: usize| -> Result<()> {
        let query = bench.queries.row(i % bench.queries.len());
        asked.recall(&Query::new(query).receipt(false))?;
        Ok(())
    };
    for i in 0..500 {
        ask(i)?;
    }
    let end = Instant::now() + Duration::from_secs(bench.args.seconds);
    let mut idle = Took::default();
    idle.paced(PER_SECOND, || Instant::now() < end, ask)?;

    let before = store.stats()?.seals;
    fill(&store, (2 * n..2 * n + 64).map(|i| crowd.vector(i)))?;
    let (mut busy, mut asks) = (Took::default(), 0);
    let began = Instant::now();
    let goes_on = || {
        asks += 1;
        // Half a second beyond: the first recalls on the new segment belong to it.
        let over =
            asks % 25 == 0 && store.stats().is_ok_and(|stats| stats.seals > before && stats.segments == 1);
        !over && began.elapsed() < Duration::from_mins(10)
    };
    busy.paced(PER_SECOND, goes_on, ask)?;
    ensure!(store.stats()?.segments == 1, "nothing was merged: {:?}", store.stats()?);
    let handle = if other { "another" } else { "the merging" };
    let base = quantile(&idle.wall, 0.99);
    for (name, took) in [("idle", &idle), ("merging", &busy)] {
        let at = |values: &[f64], share: f64| format!("{:.2}", quantile(values, share) / 1e3);
        page.row(&[
            handle.to_owned(),
            name.to_owned(),
            took.wall.len().to_string(),
            at(&took.wall, 0.5),
            at(&took.wall, 0.99),
            at(&took.wall, 1.0),
            format!("x {:.2}", quantile(&took.wall, 0.99) / base),
            at(&took.cpu, 0.5),
            at(&took.cpu, 0.99),
            took.asleep.iter().filter(|us| **us > 1e3).count().to_string(),
            at(&took.asleep, 1.0),
        ]);
    }
    drop(reader);
    store.close()?;
    std::fs::remove_dir_all(path)?;
    Ok(())
}
