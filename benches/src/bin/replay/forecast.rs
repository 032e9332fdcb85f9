//! Streams in rounds: how likely is each memory to work this time?

use anyhow::{Result, ensure};
use wisen_benches::measure::{bootstrap, calibration_error, reliability};
use wisen_benches::page::{Page, figure, interval};
use wisen_benches::rounds::{Baseline, Rounds, Wisen, brier, walk};

use super::Args;

/// Rounds that are only learnt from: ten, or one where a stream has no more than twenty.
fn warm_up(stream: &Rounds) -> usize {
    if stream.rounds.len() > 20 { 10 } else { 1 }
}

/// Prints the Brier score of every forecaster over all attempts after the warm-up. Returns the forecasts
/// of Wisen, each with its outcome.
pub fn print(args: &Args, stream: &Rounds, page: &mut Page) -> Result<Vec<(f64, f64)>> {
    let warm_up = warm_up(stream);
    ensure!(stream.rounds.len() > warm_up, "{} has only {} rounds", stream.name, stream.rounds.len());
    let folder = tempfile::tempdir()?;
    let mut wisen = Wisen::create(&folder.path().join("store"), stream)?;
    let of_wisen = walk(&mut wisen, stream, warm_up)?;
    wisen.finish()?;
    page.remark(&format!(
        "{}: {} memories, {} rounds over {} days, {} forecasts after {warm_up} rounds",
        stream.name,
        stream.memories.len(),
        stream.rounds.len(),
        stream.rounds[stream.rounds.len() - 1].day - stream.rounds[0].day,
        of_wisen.len(),
    ));
    page.columns(&[
        "stream            ",
        "forecast                 ",
        "Brier ",
        "ECE   ",
        "wisen's error less this   ",
    ]);
    let mut line = |name: &str, pairs: &[(f64, f64)]| {
        let error = |pair: &(f64, f64)| (pair.0 - pair.1).powi(2);
        let less: Vec<f64> = of_wisen.iter().zip(pairs).map(|(a, b)| error(a) - error(b)).collect();
        page.row(&[
            stream.name.clone(),
            name.to_owned(),
            figure(brier(pairs)),
            figure(calibration_error(&reliability(pairs))),
            interval(&bootstrap(&less)),
        ]);
    };
    for (name, mut baseline) in Baseline::all(stream.memories.len()) {
        line(&name, &walk(&mut baseline, stream, warm_up)?);
    }
    line("wisen", &of_wisen);
    if args.reliability {
        page.columns(&["stream            ", "promised", "came true", "attempts"]);
        for bin in reliability(&of_wisen) {
            let cells = [figure(bin.promised), figure(bin.came_true), bin.events.to_string()];
            page.row(&[std::slice::from_ref(&stream.name), &cells[..]].concat());
        }
    }
    Ok(of_wisen)
}
