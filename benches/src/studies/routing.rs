//! Which of two models answers a question? Two memories, one for each model, at the same place; the
//! questions are the situations. Only the answer of the model that was asked is ever seen.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use wisen::{Memory, Options, Outcome, Query, Report, Store};

use crate::data::table;
use crate::measure::mean;
use crate::npy::Matrix;

/// Price of an answer by the strong model where one by the cheap model costs 1: 24.7 against 0.24
/// dollars a million tokens, GPT-4 against Mixtral 8x7B in the paper of `RouteLLM` (Ong et al., 2024).
pub const PRICE: f64 = 100.0;
/// Questions that are asked by turns, and at whose mean both memories lie.
const WARM_UP: usize = 100;

/// A question, and whether each model answered it rightly.
#[derive(Debug, Clone, Deserialize)]
pub struct Question {
    /// The cheap model did.
    pub cheap: bool,
    /// The strong model did.
    pub strong: bool,
}

/// What a way to route achieved on the questions after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Routed {
    /// Questions.
    pub questions: usize,
    /// Share that went to the strong model.
    pub strong: f64,
    /// Share of right answers.
    pub right: f64,
    /// Cost of an answer, divided by the share of right ones, in answers by the cheap model.
    pub cost_per_success: f64,
    /// Brier score of the promise for the model that was asked; NaN where nothing was promised.
    pub brier: f64,
}

/// Whether the folder of stream `name` is one of questions.
pub fn is_one(data: &Path, name: &str) -> bool {
    data.join(name).join("questions.jsonl").exists()
}

/// Questions and their vectors.
pub fn load(data: &Path, name: &str) -> Result<(Vec<Question>, Matrix)> {
    let loaded = table::<Question>(&data.join(name), "questions")?;
    ensure!(loaded.0.len() > 2 * WARM_UP, "{name} has too few questions");
    Ok(loaded)
}

/// Asks the strong model at random, for a share of the questions.
pub fn at_random(questions: &[Question], share: f64) -> Routed {
    let mut rng = fastrand::Rng::with_seed(3);
    let picks = questions[WARM_UP..].iter().map(|question| (question, rng.f64() < share, f64::NAN));
    tally(picks.collect::<Vec<_>>().as_slice())
}

/// Asks the strong model for the share of the questions at which Wisen expects most from it: where
/// the difference of the two probabilities is above what it was for that share so far.
pub fn by_wisen(path: &Path, questions: &[Question], vectors: &Matrix, share: f64) -> Result<Routed> {
    let store = Store::open(path, Options::new(vectors.columns()))?;
    let sum = |column: usize| vectors.rows().take(WARM_UP).map(|row| row[column]).sum::<f32>();
    let middle = Matrix::new(vectors.columns(), (0..vectors.columns()).map(sum).collect()).unit();
    let cheap = store.remember(Memory::new("ask the cheap model", middle.row(0)))?;
    let strong = store.remember(Memory::new("ask the strong model", middle.row(0)))?;
    let (mut gains, mut picks) = (Vec::new(), Vec::new());
    let mut rng = fastrand::Rng::with_seed(4);
    for (i, question) in questions.iter().enumerate() {
        let recall = store.recall(&Query::new(vectors.row(i)).k(2))?;
        let promise = |id| recall.hits.iter().find(|hit| hit.id == id).map(wisen::Hit::probability);
        let (of_cheap, of_strong) = promise(cheap).zip(promise(strong)).context("a model was no hit")?;
        // Equal differences in a random order: a quantile among them would else cut off all or none.
        let gain = of_strong - of_cheap + 1e-9 * rng.f64();
        let takes_strong = if i < WARM_UP { i % 2 == 0 } else { gain > upper(&gains, share) };
        gains.push(gain);
        let (used, right, promised) = if takes_strong {
            (strong, question.strong, of_strong)
        } else {
            (cheap, question.cheap, of_cheap)
        };
        let outcome = if right { Outcome::Success } else { Outcome::Failure };
        store.report(&Report::on(recall.receipt.context("no receipt")?, outcome).used(used))?;
        if i >= WARM_UP {
            picks.push((question, takes_strong, promised));
        }
    }
    store.close()?;
    Ok(tally(&picks))
}

/// The value that a share of the last thousand lies above.
fn upper(values: &[f64], share: f64) -> f64 {
    let mut last: Vec<f64> = values[values.len().saturating_sub(1000)..].to_vec();
    last.sort_by(f64::total_cmp);
    last[(((1.0 - share) * last.len() as f64) as usize).min(last.len() - 1)]
}

fn tally(picks: &[(&Question, bool, f64)]) -> Routed {
    let number = |yes: bool| f64::from(u8::from(yes));
    let is_right = |pick: &(&Question, bool, f64)| number(if pick.1 { pick.0.strong } else { pick.0.cheap });
    let strong = mean(picks.iter().map(|pick| number(pick.1)));
    let right = mean(picks.iter().map(is_right));
    Routed {
        questions: picks.len(),
        strong,
        right,
        cost_per_success: (strong * PRICE + 1.0 - strong) / right,
        brier: mean(picks.iter().map(|pick| (pick.2 - is_right(pick)).powi(2))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_routing_is_tallied() {
        let questions: Vec<Question> =
            (0..10_100).map(|i| Question { cheap: i % 2 == 0, strong: true }).collect();
        let half = at_random(&questions, 0.5);
        assert_eq!(half.questions, 10_000);
        assert!((half.right - 0.75).abs() < 0.02 && (half.strong - 0.5).abs() < 0.02);
        let none = at_random(&questions, 0.0);
        assert!((none.cost_per_success - 2.0).abs() < 0.1 && none.brier.is_nan());
        assert!((upper(&[0.1, 0.2, 0.3, 0.4], 0.5) - 0.3).abs() < 1e-12);
    }
}
