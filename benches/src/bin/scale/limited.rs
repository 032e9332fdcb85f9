//! The large store in a process that may keep no more than a quarter of its segments in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{Advice, fadvise};
use wisen::{Options, Query, Store};
use wisen_benches::crowd::Crowd;
use wisen_benches::npy::Matrix;
use wisen_benches::page::Page;

use super::common::{Bench, child};

pub fn measure(bench: &Bench<'_>, page: &mut Page) -> Result<()> {
    page.section("Memory for a quarter of the segments");
    let path = bench.folder.join("large");
    ensure!(path.exists(), "{} is missing: ask for the study large as well", path.display());
    let segments: u64 =
        files(&path)?.iter().map(|file| fs::metadata(file).map_or(0, |found| found.len())).sum();
    let limit = segments / 4;
    let group = match Group::new(limit) {
        Ok(group) => group,
        Err(error) => {
            page.remark(&format!("Not measured: no control group can be made here ({error:#})."));
            return Ok(());
        }
    };
    page.remark(&format!(
        "{} bytes of segments; fresh queries (spread 0.2 around the real ones) at the default width, {} s each after as long a \
         warm-up. Limited: in a control group with {limit} bytes, cached pages of files included, the segments out of the cache before.",
        segments, bench.args.seconds,
    ));
    page.columns(&[
        "memory    ",
        "open to first answer ms",
        "recalls/s",
        "of unlimited",
        "re-rank reads a recall",
        "major faults a recall",
        "KB read from disk a recall",
    ]);
    let mut unlimited = f64::NAN;
    for limited in [false, true] {
        if limited {
            for file in files(&path)? {
                let file = fs::File::open(file)?;
                file.sync_all()?;
                fadvise(&file, 0, None, Advice::DontNeed)?;
            }
        }
        let join = if limited { group.folder.to_string_lossy().into_owned() } else { "-".to_owned() };
        let said = child(bench.args, "rate", &path, &[join])?;
        let [first, rate, reranked, faults, read] = said[..] else { bail!("the child says {said:?}") };
        if !limited {
            unlimited = rate;
        }
        page.row(&[
            if limited { "a quarter" } else { "unlimited" }.to_owned(),
            format!("{first:.0}"),
            format!("{rate:.0}"),
            format!("{:.1} %", 100.0 * rate / unlimited),
            format!("{reranked:.1}"),
            format!("{faults:.1}"),
            format!("{:.1}", read / 1e3),
        ]);
    }
    Ok(())
}

fn files(store: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(store.join("segments"))?;
    Ok(entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?)
}

/// A control group of our own; it goes with this.
struct Group {
    folder: PathBuf,
}

impl Group {
    fn new(limit: u64) -> Result<Self> {
        let (v1, v2) = (Path::new("/sys/fs/cgroup/memory"), Path::new("/sys/fs/cgroup"));
        let (root, file) = if v1.join("memory.limit_in_bytes").exists() {
            (v1, "memory.limit_in_bytes")
        } else {
            (v2, "memory.max")
        };
        let folder = root.join(format!("wisen-scale-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let group = Self { folder };
        fs::write(group.folder.join(file), limit.to_string()).context("cannot set its limit")?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A folder that stays is empty, and does no harm.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Recalls for some seconds: says milliseconds to the first answer, recalls a second, and per recall vectors re-ranked,
/// major faults and bytes read from disk.
pub fn rate(path: &Path, queries: &Matrix, seconds: u64, more: &[String]) -> Result<()> {
    if let Some(group) = more.first().filter(|group| *group != "-") {
        fs::write(Path::new(group).join("cgroup.procs"), std::process::id().to_string())?;
    }
    let began = Instant::now();
    let store = Store::open(path, Options::existing())?;
    store.recall(&Query::new(queries.row(0)).receipt(false))?;
    let first = began.elapsed().as_secs_f64() * 1e3;
    let crowd = Crowd::around(queries, 0.2, 21);
    let mut asked = 0_u64;
    let mut run = || -> Result<u64> {
        let (from, end) = (asked, Instant::now() + Duration::from_secs(seconds));
        while Instant::now() < end {
            let found = store.recall(&Query::new(crowd.vector(asked)).receipt(false))?;
            ensure!(found.hits.len() == 10, "{} hits", found.hits.len());
            asked += 1;
        }
        Ok(asked - from)
    };
    run()?;
    let (before, faults, read) = (store.stats()?, major_faults()?, read_bytes()?);
    let began = Instant::now();
    let recalls = run()? as f64;
    let rate = recalls / began.elapsed().as_secs_f64();
    let reranked = (store.stats()?.reranked - before.reranked) as f64 / recalls;
    let (faults, read) = ((major_faults()? - faults) / recalls, (read_bytes()? - read) / recalls);
    println!("{first} {rate} {reranked} {faults} {read}");
    Ok(())
}

fn major_faults() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may hold blanks, majflt is the tenth field.
    let (_, rest) = stat.rsplit_once(')').context("/proc/self/stat is not as usual")?;
    Ok(rest.split_whitespace().nth(9).context("/proc/self/stat is short")?.parse()?)
}

fn read_bytes() -> Result<f64> {
    let io = fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("read_bytes: ")).context("no read_bytes")?;
    Ok(line.trim().parse()?)
}
