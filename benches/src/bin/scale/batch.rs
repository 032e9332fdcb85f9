//! Batches: two threads beside one.

use std::time::Instant;

use anyhow::{Result, ensure};
use wisen::{Query, Store};
use wisen_benches::pace::quantile;
use wisen_benches::page::Page;

use super::common::{Bench, fill};

/// How often each is measured, by turns.
const ROUNDS: usize = 15;

pub fn measure(bench: &Bench<'_>, page: &mut Page) -> Result<()> {
    page.section("Batch recall");
    let path = bench.folder.join("batch");
    let store = Store::open(&path, bench.options())?;
    fill(&store, bench.base.rows().map(<[f32]>::to_vec))?;
    store.seal()?;
    let ask = |query: &[f32], receipt| Query::new(query).receipt(receipt);
    page.columns(&[
        "receipts",
        "one by one, queries/s",
        "batch, 1 thread",
        "batch, 2 threads",
        "2 threads / 1 (median)",
        "best",
    ]);
    for receipt in [false, true] {
        let queries: Vec<Query> = bench.queries.rows().map(|query| ask(query, receipt)).collect();
        let mut seconds = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            let began = Instant::now();
            let singly =
                queries.iter().map(|query| store.recall(query)).collect::<wisen::Result<Vec<_>>>()?;
            let one_by_one = began.elapsed().as_secs_f64();
            let mut took = vec![one_by_one];
            for threads in [1, 2] {
                let began = Instant::now();
                let answers = store.recall_many(&queries, threads)?;
                took.push(began.elapsed().as_secs_f64());
                let same = answers.iter().zip(&singly).all(|(a, b)| a.hits == b.hits);
                ensure!(same, "a batch answers otherwise than its queries do");
            }
            if round > 0 {
                seconds.iter_mut().zip(took).for_each(|(all, took)| all.push(took));
            }
        }
        let rate = |seconds: &[f64]| queries.len() as f64 / quantile(seconds, 0.5);
        let ratios: Vec<f64> = seconds[1].iter().zip(&seconds[2]).map(|(one, two)| one / two).collect();
        let least = |seconds: &[f64]| seconds.iter().copied().fold(f64::INFINITY, f64::min);
        page.row(&[
            if receipt { "yes" } else { "no" }.to_owned(),
            format!("{:.0}", rate(&seconds[0])),
            format!("{:.0}", rate(&seconds[1])),
            format!("{:.0}", rate(&seconds[2])),
            format!("x {:.2}", quantile(&ratios, 0.5)),
            format!("x {:.2}", least(&seconds[1]) / least(&seconds[2])),
        ]);
    }
    store.close()?;
    std::fs::remove_dir_all(path)?;
    Ok(())
}
