//! Data for measuring the index itself: base vectors, queries, and which base vectors are nearest.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use wisen::Metric;

use crate::npy::{self, Matrix};

/// Base vectors and queries with the exact neighbours of each query.
#[derive(Debug)]
pub struct Problem {
    /// What is remembered.
    pub base: Matrix,
    /// What is asked.
    pub queries: Matrix,
    /// Rows of the base nearest to each query, nearest first.
    pub truth: Vec<Vec<usize>>,
    metric: Metric,
}

impl Problem {
    /// Loads `base.f32`, `query.f32` and `gt.i32` (rows without any header), or else `base.npy` and
    /// `NAME.npy`, for which the ten exact neighbours are computed here.
    pub fn load(folder: &Path, queries: &str, dimension: usize, metric: Metric) -> Result<Self> {
        if folder.join("base.f32").exists() {
            let base = npy::read_raw(&folder.join("base.f32"), dimension)?;
            let queries = npy::read_raw(&folder.join("query.f32"), dimension)?;
            let truth = integers(&folder.join("gt.i32"), queries.len())?;
            let range = truth.iter().flatten().all(|row| *row < base.len());
            ensure!(range, "gt.i32 names rows that base.f32 has not");
            return Ok(Self { base, queries, truth, metric });
        }
        let base = npy::read(&folder.join("base.npy"))?.unit();
        let queries = npy::read(&folder.join(format!("{queries}.npy")))?.unit();
        Ok(Self::of(base, queries, metric))
    }

    /// Computes the ten exact neighbours of each query.
    pub fn of(base: Matrix, queries: Matrix, metric: Metric) -> Self {
        let truth = queries.rows().map(|query| nearest(&base, query, metric, 10)).collect();
        Self { base, queries, truth, metric }
    }

    /// Share of the ten exact neighbours of query `i` that are among `found`. A row exactly as near
    /// as the tenth counts like it: which of several equals comes tenth is nobody's merit.
    pub fn recall_at_10(&self, i: usize, found: &[usize]) -> f64 {
        let (query, truth) = (self.queries.row(i), &self.truth[i]);
        let wanted = truth.len().min(10);
        let last = nearness(self.base.row(truth[wanted - 1]), query, self.metric);
        let exact: HashSet<usize> = truth[..wanted].iter().copied().collect();
        let as_near = |row: usize| nearness(self.base.row(row), query, self.metric) >= last;
        let distinct: HashSet<usize> = found.iter().copied().collect();
        let good = distinct.into_iter().filter(|row| exact.contains(row) || as_near(*row)).count();
        good.min(wanted) as f64 / wanted as f64
    }
}

/// The `k` rows nearest to `query`, by a scan in f64.
pub fn nearest(base: &Matrix, query: &[f32], metric: Metric, k: usize) -> Vec<usize> {
    let mut all: Vec<(f64, usize)> =
        base.rows().enumerate().map(|(i, row)| (nearness(row, query, metric), i)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    all.into_iter().take(k).map(|(_, row)| row).collect()
}

/// Larger is nearer.
fn nearness(row: &[f32], query: &[f32], metric: Metric) -> f64 {
    let pairs = || row.iter().zip(query).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let dot = || pairs().map(|(a, b)| a * b).sum::<f64>();
    match metric {
        Metric::L2 => -pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>(),
        Metric::Dot => dot(),
        Metric::Cosine => {
            let length: f64 = row.iter().map(|v| f64::from(*v).powi(2)).sum();
            dot() / length.sqrt()
        }
    }
}

fn integers(path: &Path, rows: usize) -> Result<Vec<Vec<usize>>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let per_row = bytes.len() / 4 / rows.max(1);
    ensure!(per_row >= 10 && per_row * rows * 4 == bytes.len(), "{} has no whole rows", path.display());
    let number = |b: &[u8]| {
        let value = i32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        usize::try_from(value).with_context(|| format!("{} holds {value}", path.display()))
    };
    bytes.chunks_exact(per_row * 4).map(|row| row.chunks_exact(4).map(number).collect()).collect()
}
