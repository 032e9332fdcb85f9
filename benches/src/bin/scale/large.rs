//! A large store beside one of the base alone: latency at the same recall, opening, bytes, memory.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use wisen::{Options, Query, Store};
use wisen_benches::mixture::Mixture;
use wisen_benches::npy::Matrix;
use wisen_benches::pace::{Took, quantile};
use wisen_benches::page::Page;

use super::common::{Bench, exact, fill, opened, recall_at_10};

const WIDTHS: [usize; 28] = [
    10, 12, 14, 16, 17, 18, 19, 20, 21, 22, 24, 27, 30, 34, 38, 43, 49, 56, 60, 64, 70, 74, 80, 85, 90, 110,
    140, 200,
];
/// How often the latency of each store is measured, by turns.
const ROUNDS: usize = 7;
const NOISE: f64 = 0.2;

struct Side {
    path: PathBuf,
    rows: u64,
    width: usize,
    recall: f64,
    took: Took,
    bytes: u64,
    reranked: u64,
}

pub fn measure(bench: &Bench<'_>, page: &mut Page) -> Result<()> {
    page.section(&format!("{} vectors beside {}", bench.args.vectors, bench.base.len()));
    let small = ensure_store(bench, "small", page, || Ok(bench.base.rows().map(<[f32]>::to_vec)))?;
    let mixed = {
        let store = Store::open(&small, Options::existing())?;
        let mixture = Mixture::of(bench.base, &store, 1, NOISE)?;
        let rows = (0..bench.args.vectors).flat_map(|i| mixture.vector(i)).collect();
        store.close()?;
        Matrix::new(bench.args.dim, rows)
    };
    let large = ensure_store(bench, "large", page, || Ok(mixed.rows().map(<[f32]>::to_vec)))?;

    let queries: Vec<&[f32]> = bench.queries.rows().collect();
    let (choosing, asked) = queries.split_at(queries.len() / 2);
    let mut sides = Vec::new();
    for (path, rows) in [(small, bench.base), (large.clone(), &mixed)] {
        let store = Store::open(&path, Options::existing())?;
        let row_of = |id: wisen::MemoryId| Some(id.0 as usize - 1);
        let truth = exact(rows, &queries);
        let (choose, report) = truth.split_at(choosing.len());
        let mut chosen = None;
        for width in WIDTHS {
            if recall_at_10(&store, choosing, choose, width, row_of)? >= 0.95 {
                chosen = Some(width);
                break;
            }
        }
        let width = chosen.context("no width reaches recall 0.95")?;
        let recall = recall_at_10(&store, asked, report, width, row_of)?;
        store.close()?;
        let rows = rows.len() as u64;
        sides.push(Side { path, rows, width, recall, took: Took::default(), bytes: 0, reranked: 0 });
    }
    drop(mixed);
    let stores = sides.iter().map(|side| Store::open(&side.path, Options::existing()));
    let stores = stores.collect::<wisen::Result<Vec<_>>>()?;
    take_turns(&mut sides, &stores, asked)?;
    for store in stores {
        store.close()?;
    }
    page.columns(&[
        "vectors ",
        "width",
        "recall@10",
        "p50 us",
        "p99 us",
        "cpu p50 us",
        "KB touched",
        "re-ranked",
        "open ms",
        "open to first answer ms",
        "bytes resident a vector",
        "of f32",
        "after 1,000 recalls",
        "bytes anonymous a vector",
    ]);
    for side in &sides {
        let open = opened(bench, &side.path, ["default", "default"], 0)?;
        let later = opened(bench, &side.path, ["default", "default"], 1000)?;
        let [resident, later, anonymous] =
            [open[4], later[4], later[5]].map(|bytes| bytes / side.rows as f64);
        page.row(&[
            side.rows.to_string(),
            side.width.to_string(),
            format!("{:.4}", side.recall),
            format!("{:.0}", quantile(&side.took.wall, 0.5)),
            format!("{:.0}", quantile(&side.took.wall, 0.99)),
            format!("{:.0}", quantile(&side.took.cpu, 0.5)),
            format!("{:.1}", side.bytes as f64 / 1e3),
            format!("{:.1}", side.reranked as f64 / asked.len() as f64),
            format!("{:.1}", open[0]),
            format!("{:.1}", open[1]),
            format!("{resident:.0}"),
            format!("x {:.2}", resident / (4 * bench.args.dim) as f64),
            format!("{later:.0}"),
            format!("{anonymous:.0}"),
        ]);
    }
    let ratio =
        |of: fn(&Took) -> &Vec<f64>| quantile(of(&sides[1].took), 0.5) / quantile(of(&sides[0].took), 0.5);
    page.remark(&format!(
        "Latency of the large store over that of the small one, at recall@10 0.95: x {:.2} (of the processor's time x {:.2}). \
         Resident: pages of segments mapped in a fresh process once it has answered (codes, graph, ids), and after 1,000 recalls \
         more: with the full vectors read for re-ranking, and what the system maps around them if it has it at hand.",
        ratio(|took| &took.wall),
        ratio(|took| &took.cpu),
    ));
    Ok(())
}

/// Asks the stores by turns; what the first round touches is counted, what the others take is measured.
fn take_turns(sides: &mut [Side], stores: &[Store], asked: &[&[f32]]) -> Result<()> {
    for round in 0..=ROUNDS {
        for (side, store) in sides.iter_mut().zip(stores) {
            let (mut took, before) = (Took::default(), store.stats()?);
            for query in asked {
                let query = Query::new(*query).receipt(false).width(side.width);
                took.call(|| Ok(store.recall(&query)?))?;
            }
            if round > 0 {
                side.took.wall.extend(took.wall);
                side.took.cpu.extend(took.cpu);
            } else {
                let stats = store.stats()?;
                side.bytes = (stats.bytes_touched - before.bytes_touched) / asked.len() as u64;
                side.reranked = stats.reranked - before.reranked;
            }
        }
    }
    Ok(())
}

/// The store of this name; filled and sealed now if it is not there yet.
fn ensure_store<I: Iterator<Item = Vec<f32>>>(
    bench: &Bench<'_>,
    name: &str,
    page: &mut Page,
    rows: impl FnOnce() -> Result<I>,
) -> Result<PathBuf> {
    let path = bench.folder.join(name);
    if path.exists() {
        return Ok(path);
    }
    let began = Instant::now();
    let store = Store::open(&path, bench.options())?;
    let ids = fill(&store, rows()?)?;
    let in_order = ids.iter().enumerate().all(|(row, id)| id.0 == row as u64 + 1);
    ensure!(in_order, "ids do not follow the order of remembering");
    let remembered = began.elapsed().as_secs_f64();
    store.seal()?;
    let stats = store.stats()?;
    page.remark(&format!(
        "{} vectors remembered in {remembered:.0} s, sealed in {:.0} s ({} threads): {} segments, {} bytes.",
        ids.len(),
        began.elapsed().as_secs_f64() - remembered,
        bench.args.threads,
        stats.segments,
        stats.segment_bytes,
    ));
    store.close()?;
    Ok(path)
}
