//! What is kept of a run: a page of tables and charts beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use wisen_benches::chart;
use wisen_benches::data::Stream;
use wisen_benches::measure::{Trace, reliability};
use wisen_benches::page::Page;

use super::table::Ran;

/// Arms whose promises are drawn.
const PROMISING: [&str; 3] = ["similarity", "experience", "wisen"];

/// The page of a run and the folder it goes to, if any.
pub struct Record {
    pub page: Page,
    folder: Option<PathBuf>,
    charts: Vec<String>,
    began: Instant,
}

impl Record {
    /// With a folder, which is created, that of `close`.
    pub fn open(folder: Option<&Path>) -> Result<Self> {
        if let Some(folder) = folder {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let folder = folder.map(Path::to_owned);
        Ok(Self { page: Page::new(), folder, charts: Vec::new(), began: Instant::now() })
    }

    /// Draws learning curves and reliability of the arms on a stream.
    pub fn draw(&mut self, stream: &Stream, ran: &[Ran]) -> Result<()> {
        if self.folder.is_none() || ran.is_empty() {
            return Ok(());
        }
        let arms: Vec<(&str, &Trace)> = ran.iter().map(|arm| (arm.kind.as_str(), &arm.trace)).collect();
        let slug = stream.name.replace(", ", "-");
        self.chart(&format!("replay-{slug}.svg"), &chart::learning_curves(&stream.name, &arms)?)?;
        let bins = arms.into_iter().filter(|(name, _)| PROMISING.contains(name));
        let bins: Vec<_> =
            bins.map(|(name, trace)| (name, reliability(&trace.pairs(trace.last_half())))).collect();
        let title = format!("Promises on {}, last half", stream.name);
        self.chart(&format!("reliability-{slug}.svg"), &chart::reliability_diagram(&title, &bins)?)
    }

    /// Draws the reliability of forecasts.
    pub fn draw_forecasts(&mut self, name: &str, pairs: &[(f64, f64)]) -> Result<()> {
        if self.folder.is_none() {
            return Ok(());
        }
        let bins = [("wisen", reliability(pairs))];
        let svg = chart::reliability_diagram(&format!("Forecasts on {name}"), &bins)?;
        self.chart(&format!("reliability-{name}.svg"), &svg)
    }

    /// Writes the page.
    pub fn close(self) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let mut text = String::from("# What learning from outcomes is worth\n\n");
        writeln!(text, "{}. {}. Wisen {}.", date(), machine(), env!("CARGO_PKG_VERSION"))?;
        writeln!(
            text,
            "\n`replay {}`, {:.0} s in all; other work may have been on the machine: hit rates and Brier scores \
             do not depend on it, events/s do.\n",
            arguments.join(" "),
            self.began.elapsed().as_secs_f64(),
        )?;
        text.push_str(METHOD);
        text.push_str(self.page.markdown());
        if !self.charts.is_empty() {
            writeln!(text, "\n## Charts\n")?;
            for chart in &self.charts {
                writeln!(text, "- `{chart}`")?;
            }
        }
        let path = folder.join("replay.md");
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn chart(&mut self, name: &str, svg: &str) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let path = folder.join(name);
        fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
        self.charts.push(name.to_owned());
        Ok(())
    }
}

const METHOD: &str = "\
Each arm walks through the events in their order: retrieve, take one memory, see whether it was right, learn that \
verdict and no other. `similarity` to `experience` search exactly and in memory; `wisen` is the public API on a \
store on disk with default settings, approximate search included. Hit rates, Brier score and ECE (ten bins of \
equally many) are those of the last half. Intervals are central 95 % of 1,000 seeded bootstrap resamples of the \
paired differences.
";

fn date() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut days, mut year) = (seconds / 86_400, 1970);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {threads} threads, {}", std::env::consts::OS)
}
