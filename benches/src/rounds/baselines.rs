//! Forecasts that need no situation.

use anyhow::Result;

use super::{Attempt, Forecaster, Round};

/// Pseudo-tries at the overall rate with which a mean starts.
const PRIOR: f64 = 4.0;

/// Successes and tries, of each memory and of all, that fade with time.
#[derive(Debug, Clone)]
pub struct Baseline {
    rule: Rule,
    day: i64,
    sums: Vec<(f64, f64)>,
    all: (f64, f64),
    last: Vec<Option<f64>>,
}

#[derive(Debug, Clone, Copy)]
enum Rule {
    Overall,
    Mean,
    Last,
    Decayed(f64),
}

impl Baseline {
    /// The rules side by side, each with its name.
    pub fn all(memories: usize) -> Vec<(String, Self)> {
        let rules = [Rule::Overall, Rule::Mean, Rule::Last].into_iter();
        let rules = rules.chain([30.0, 90.0, 180.0, 365.0].map(Rule::Decayed));
        let start = |rule| Self {
            rule,
            day: 0,
            sums: vec![(0.0, 0.0); memories],
            all: (0.5, 1.0),
            last: vec![None; memories],
        };
        rules.map(|rule| (rule.name(), start(rule))).collect()
    }
}

impl Rule {
    fn name(self) -> String {
        match self {
            Rule::Overall => "overall rate so far".to_owned(),
            Rule::Mean => "Beta mean per memory".to_owned(),
            Rule::Last => "last round".to_owned(),
            Rule::Decayed(days) => format!("Beta mean, half-life {days} d"),
        }
    }
}

impl Forecaster for Baseline {
    fn begin(&mut self, day: i64) -> Result<()> {
        if let Rule::Decayed(half_life) = self.rule {
            let fade = 0.5_f64.powf((day - self.day) as f64 / half_life);
            for sum in self.sums.iter_mut().chain([&mut self.all]) {
                *sum = (sum.0 * fade, sum.1 * fade);
            }
        }
        self.day = day;
        Ok(())
    }

    fn forecast(&mut self, attempt: &Attempt) -> Result<f64> {
        let overall = self.all.0 / self.all.1;
        let (won, tried) = self.sums[attempt.memory];
        Ok(match self.rule {
            Rule::Overall => overall,
            Rule::Mean | Rule::Decayed(_) => (won + PRIOR * overall) / (tried + PRIOR),
            Rule::Last => self.last[attempt.memory].unwrap_or(overall),
        })
    }

    fn learn(&mut self, round: &Round) -> Result<()> {
        for attempt in &round.attempts {
            let sum = &mut self.sums[attempt.memory];
            for sum in [sum, &mut self.all] {
                *sum = (sum.0 + attempt.outcome(), sum.1 + 1.0);
            }
            self.last[attempt.memory] = Some(attempt.outcome());
        }
        Ok(())
    }
}
