//! The hot loops against the roofline: bytes a second beside a read and a copy of as much memory, in cache and out of
//! it, and our own loops beside those of simsimd. Prints a table in the end.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, Throughput};
use wisen::Metric;
use wisen::bench::{Halves, Rows, read};

/// Below 16 the vector itself is its code.
const DIMENSIONS: [usize; 7] = [8, 16, 128, 384, 768, 1536, 4096];
/// From here on codes are kept in halves.
const HALVES_FROM: usize = 128;
const PLACES: [(&str, usize); 2] = [("in cache", 256 << 10), ("out of cache", 256 << 20)];
const COLUMNS: [&str; 9] = [
    "own u8 x i8",
    "own i8 x i8",
    "simsimd i8 x i8",
    "score cosine",
    "score dot",
    "score l2",
    "coarse halves",
    "f32 dot (simsimd)",
    "f32 l2 (simsimd)",
];

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernels");
    let mut criterion = Criterion::default()
        .output_directory(&folder)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .configure_from_args();
    for (place, bytes) in PLACES {
        memory(&mut criterion, place, bytes);
        for dim in DIMENSIONS {
            loops(&mut criterion, place, dim, bytes);
        }
    }
    criterion.final_summary();
    println!("{}", table(&folder));
}

fn memory(c: &mut Criterion, place: &str, bytes: usize) {
    let from: Vec<u64> = (0..bytes as u64 / 8).collect();
    let mut group = c.benchmark_group(format!("memory, {place}"));
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("read", |b| b.iter(|| read(black_box(&from))));
    let mut to = from.clone();
    group.bench_function("copy", |b| b.iter(|| black_box(&mut to).copy_from_slice(black_box(&from))));
    group.finish();
}

fn loops(c: &mut Criterion, place: &str, dim: usize, bytes: usize) {
    let mut group = c.benchmark_group(format!("{dim}, {place}"));
    for (metric, name) in
        [(Metric::Cosine, "score cosine"), (Metric::Dot, "score dot"), (Metric::L2, "score l2")]
    {
        let rows = Rows::new(metric, dim, bytes);
        group.throughput(Throughput::Bytes(rows.block_bytes() as u64));
        group.bench_function(name, |b| b.iter(|| black_box(&rows).score()));
        if metric == Metric::Dot && dim >= 16 {
            group.bench_function("own u8 x i8", |b| b.iter(|| black_box(&rows).dot()));
            group.bench_function("own i8 x i8", |b| b.iter(|| black_box(&rows).dot_codes()));
            group.bench_function("simsimd i8 x i8", |b| b.iter(|| black_box(&rows).dot_codes_simsimd()));
        }
        if metric == Metric::Cosine && dim >= HALVES_FROM {
            let halves = Halves::new(&rows, bytes);
            group.throughput(Throughput::Bytes(halves.bytes() as u64));
            group.bench_function("coarse halves", |b| b.iter(|| black_box(&halves).score()));
        }
        let exact = match metric {
            Metric::Dot => "f32 dot (simsimd)",
            Metric::L2 => "f32 l2 (simsimd)",
            Metric::Cosine => continue, // the vectors are of unit length: the same as dot
        };
        group.throughput(Throughput::Bytes(rows.vector_bytes() as u64));
        group.bench_function(exact, |b| b.iter(|| black_box(&rows).exact()));
    }
    group.finish();
}

/// Gigabytes a second of every loop that was measured, this time or before.
fn table(folder: &Path) -> String {
    let mut out = String::new();
    for (place, bytes) in PLACES {
        let memory =
            |what: &str| rate(folder, &format!("memory, {place}"), what, bytes as f64).unwrap_or(f64::NAN);
        let _ = writeln!(
            out,
            "\n{place} ({bytes} bytes), GB/s: read {:.1}, copy {:.1} (counted once)\n",
            memory("read"),
            memory("copy")
        );
        let _ = writeln!(out, "| dimension | {} | own u8 x i8 / simsimd |", COLUMNS.join(" | "));
        let _ = writeln!(out, "|{}", "---|".repeat(COLUMNS.len() + 2));
        for dim in DIMENSIONS {
            let rows = Rows::new(Metric::Dot, dim, bytes);
            let of = |column: &str| {
                let read = match column {
                    "coarse halves" => Halves::new(&rows, bytes).bytes(),
                    _ if column.starts_with("f32") => rows.vector_bytes(),
                    _ => rows.block_bytes(),
                };
                rate(folder, &format!("{dim}, {place}"), column, read as f64)
            };
            let _ = write!(out, "| {dim} |");
            for column in COLUMNS {
                let _ = match of(column) {
                    Some(rate) => write!(out, " {rate:.1} |"),
                    None => write!(out, " |"),
                };
            }
            let _ = match (of("own u8 x i8"), of("simsimd i8 x i8")) {
                (Some(own), Some(theirs)) => writeln!(out, " {:.2} |", own / theirs),
                _ => writeln!(out, " |"),
            };
        }
    }
    out
}

/// From what criterion wrote down: 10^9 bytes a second, by the median.
fn rate(folder: &Path, group: &str, function: &str, bytes: f64) -> Option<f64> {
    let file: PathBuf = [group, function, "new", "estimates.json"]
        .iter()
        .fold(folder.into(), |path: PathBuf, part| path.join(part));
    let estimates: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
    Some(bytes / estimates["median"]["point_estimate"].as_f64()?)
}
