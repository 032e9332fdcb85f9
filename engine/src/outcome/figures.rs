//! The figures an owner asks for, defined: attempts, successes that last, and what they cost.
//!
//! - An *attempt* is a recall that was reported on, or a report without a recall. Its *words* are the
//!   reports on it. A retracted report says nothing; its tokens and money were spent all the same.
//! - Where the owner has told how an attempt went, only the owner's words decide; else all do. Of these
//!   the first with a known outcome makes it a *success* (at least 0.5) or a *failure*, and gives the
//!   attempt its time. Without such a word the attempt is *unknown*, and its time is that of its first
//!   report.
//! - A success is *contradicted* by a later word of those that decide with an outcome below 0.5, and by
//!   the fall of a memory used: it was quarantined or forgotten. A success that nothing contradicts
//!   within D days is *durable*; so is, until then, one that is younger.
//! - An attempt *used memory* if one of the words that decide did.

use crate::clock::Timestamp;

use super::uplift::Rate;

/// A report, as far as figures go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Word {
    pub at: Timestamp,
    /// Whether the owner of the store said it.
    pub owner: bool,
    pub retracted: bool,
    /// In `0..=1`; `None`: unknown.
    pub outcome: Option<f64>,
    /// The memories that it says were used.
    pub used: Vec<u64>,
    pub tokens: Option<u64>,
    pub cost_micros: Option<i64>,
}

/// What the words on an attempt come to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempt {
    pub at: Timestamp,
    /// Whether it worked; `None`: unknown.
    pub success: Option<bool>,
    /// When a later word first contradicted the success.
    pub contradicted: Option<Timestamp>,
    /// The memories used, each once.
    pub used: Vec<u64>,
    tokens: Option<u64>,
    cost_micros: Option<i64>,
}

impl Attempt {
    /// Makes one of the words on it; `None` without words.
    pub(crate) fn of(mut words: Vec<Word>) -> Option<Self> {
        // Equal times: in the order given, which is that of their ids.
        words.sort_by_key(|word| word.at);
        let mut attempt = Attempt {
            at: words.first()?.at,
            success: None,
            contradicted: None,
            used: Vec::new(),
            tokens: words.iter().filter_map(|word| word.tokens).reduce(u64::saturating_add),
            cost_micros: words.iter().filter_map(|word| word.cost_micros).reduce(i64::saturating_add),
        };
        words.retain(|word| !word.retracted && word.outcome.is_some());
        if words.iter().any(|word| word.owner) {
            words.retain(|word| word.owner);
        }
        for word in words {
            let success = word.outcome.is_some_and(|outcome| outcome >= 0.5);
            match attempt.success {
                None => (attempt.success, attempt.at) = (Some(success), word.at),
                Some(true) if !success => attempt.contradicted = attempt.contradicted.or(Some(word.at)),
                Some(_) => {}
            }
            attempt.used.extend(word.used);
        }
        attempt.used.sort_unstable();
        attempt.used.dedup();
        Some(attempt)
    }
}

/// What memory had to do with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A recall that was answered.
    Recall,
    /// A recall on which memory was withheld.
    Withheld,
    /// No recall: a report on a memory.
    Direct,
}

/// What an owner wants to know of a stretch of time; [`Store::figures`](crate::Store::figures) has the
/// definitions.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Figures {
    /// Beginning of the stretch.
    pub from: Timestamp,
    /// Its end, which does not belong to it.
    pub to: Timestamp,
    /// Attempts whose outcome is known: `successes + failures`.
    pub attempts: u64,
    /// Of them, those that worked (outcome at least 0.5).
    pub successes: u64,
    /// Of them, those that did not.
    pub failures: u64,
    /// Attempts that were reported on without a known outcome, or with retracted ones only. They count in
    /// the costs and nowhere else.
    pub unknown: u64,
    /// `successes / attempts`; `None` without attempts.
    pub success_rate: Option<f64>,
    /// Successes that nothing has contradicted within D days.
    pub durable_successes: u64,
    /// Of the durable ones, those that are younger than D days and can still be contradicted.
    pub maturing: u64,
    /// Tokens told, over all attempts, unknown ones included.
    pub tokens: u64,
    /// Money told, in millionths of the owner's currency, over all attempts, unknown ones included.
    pub cost_micros: i64,
    /// Attempts, unknown ones included, that told their tokens: where some did not, the costs are too low.
    pub told_tokens: u64,
    /// Attempts, unknown ones included, that told their money.
    pub told_cost: u64,
    /// `tokens / durable_successes`; `None` if nobody told tokens or no success is durable.
    pub tokens_per_durable_success: Option<f64>,
    /// `cost_micros / durable_successes`; `None` if nobody told money or no success is durable.
    pub micros_per_durable_success: Option<f64>,
    /// Attempts that began with a recall on which memory was not withheld.
    pub recalls: u64,
    /// Of these, those that worked and used a memory.
    pub hits: u64,
    /// `hits / recalls`: how often memory was asked and had what it took. `None` without recalls.
    pub hit_rate: Option<f64>,
    /// Attempts that used memory. Beside the next, a comparison that confounders may spoil:
    /// [`Store::uplift`](crate::Store::uplift) has one that they cannot.
    pub with_memory: Rate,
    /// Attempts that used none, withheld ones included.
    pub without_memory: Rate,
    /// The same for each of the equal slices asked for, first to last; empty if one was.
    pub over_time: Vec<Figures>,
}

impl Figures {
    /// Of nothing yet, in `[from, to)`.
    pub(crate) fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, ..Self::default() }
    }

    /// Adds an attempt. `fell`: when a memory used in it first fell, after the success; `durable`: D, in
    /// microseconds.
    pub(crate) fn add(
        &mut self,
        attempt: &Attempt,
        origin: Origin,
        fell: Option<Timestamp>,
        durable: i64,
        now: Timestamp,
    ) {
        self.tokens = self.tokens.saturating_add(attempt.tokens.unwrap_or(0));
        self.cost_micros = self.cost_micros.saturating_add(attempt.cost_micros.unwrap_or(0));
        self.told_tokens += u64::from(attempt.tokens.is_some());
        self.told_cost += u64::from(attempt.cost_micros.is_some());
        let Some(success) = attempt.success else {
            self.unknown += 1;
            return;
        };
        self.attempts += 1;
        self.successes += u64::from(success);
        self.failures += u64::from(!success);
        let used = !attempt.used.is_empty();
        let rate = if used { &mut self.with_memory } else { &mut self.without_memory };
        rate.outcomes += 1.0;
        rate.successes += f64::from(u8::from(success));
        if origin == Origin::Recall {
            self.recalls += 1;
            self.hits += u64::from(success && used);
        }
        let ripe = attempt.at.saturating_add(durable);
        let stands = |contradicted: Option<Timestamp>| contradicted.is_none_or(|at| at > ripe);
        if success
            && (stands(attempt.contradicted) && stands(fell) || crate::sabotage::on("contradicted_counts"))
        {
            self.durable_successes += 1;
            self.maturing += u64::from(now < ripe);
        }
    }

    /// Fills in what follows from the counts.
    pub(crate) fn finish(&mut self) {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        self.success_rate = share(self.successes, self.attempts);
        self.hit_rate = share(self.hits, self.recalls);
        let each = |sum: f64, told: u64| {
            (told > 0 && self.durable_successes > 0).then(|| sum / self.durable_successes as f64)
        };
        self.tokens_per_durable_success = each(self.tokens as f64, self.told_tokens);
        self.micros_per_durable_success = each(self.cost_micros as f64, self.told_cost);
        for rate in [&mut self.with_memory, &mut self.without_memory] {
            *rate = Rate::of(rate.outcomes, rate.successes);
        }
        self.over_time.iter_mut().for_each(Figures::finish);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(at: Timestamp, owner: bool, outcome: Option<f64>) -> Word {
        Word { at, owner, outcome, ..Word::default() }
    }

    fn judged(words: &[Word]) -> (Timestamp, Option<bool>, Option<Timestamp>) {
        let attempt = Attempt::of(words.to_vec()).expect("there are words");
        (attempt.at, attempt.success, attempt.contradicted)
    }

    #[test]
    fn the_first_known_word_decides_and_later_ones_contradict() {
        assert!(Attempt::of(Vec::new()).is_none());
        let (unknown, good, bad) = (word(1, true, None), word(2, true, Some(0.5)), word(5, true, Some(0.49)));
        assert_eq!(judged(std::slice::from_ref(&unknown)), (1, None, None));
        assert_eq!(judged(&[good.clone(), unknown.clone()]), (2, Some(true), None));
        assert_eq!(judged(&[bad.clone(), unknown, good.clone()]), (2, Some(true), Some(5)));
        // A failure that is followed by a success stays one: it was another attempt that worked.
        assert_eq!(judged(&[Word { at: 1, ..bad }, good]), (1, Some(false), None));
    }

    #[test]
    fn the_owner_overrules_and_a_retracted_word_says_nothing() {
        let others = [word(1, false, Some(0.0)), word(9, false, Some(0.0))];
        let owner = word(4, true, Some(1.0));
        assert_eq!(judged(&[&others[..], std::slice::from_ref(&owner)].concat()), (4, Some(true), None));
        assert_eq!(judged(&[&others[..], &[word(4, true, None)]].concat()), (1, Some(false), None));
        let withdrawn = Word { retracted: true, tokens: Some(7), ..owner };
        assert_eq!(judged(&[&others[..], std::slice::from_ref(&withdrawn)].concat()), (1, Some(false), None));
        let only = Attempt::of(vec![withdrawn]).expect("a word");
        assert_eq!((only.success, only.tokens), (None, Some(7)));
    }

    #[test]
    fn a_success_lasts_if_nothing_contradicts_it_in_time() {
        let success = |contradicted| Attempt {
            contradicted,
            ..Attempt::of(vec![word(100, true, Some(1.0))]).expect("a word")
        };
        for (contradicted, fell, now, durable, maturing) in [
            (None, None, 1000, 1, 0),
            (None, None, 109, 1, 1),
            (None, None, 110, 1, 0),
            (Some(110), None, 1000, 0, 0),
            (Some(111), None, 1000, 1, 0),
            (None, Some(105), 1000, 0, 0),
            (Some(500), Some(111), 1000, 1, 0),
        ] {
            let mut figures = Figures::new(0, 1000);
            figures.add(&success(contradicted), Origin::Direct, fell, 10, now);
            assert_eq!((figures.durable_successes, figures.maturing), (durable, maturing));
        }
    }

    #[test]
    fn what_nobody_told_is_not_zero() {
        let mut figures = Figures::new(0, 1000);
        figures.finish();
        assert_eq!((figures.success_rate, figures.hit_rate), (None, None));
        let attempt = Attempt::of(vec![word(100, true, Some(1.0))]).expect("a word");
        figures.add(&attempt, Origin::Recall, None, 10, 1000);
        figures.finish();
        assert_eq!((figures.success_rate, figures.hit_rate), (Some(1.0), Some(0.0)));
        assert_eq!((figures.tokens_per_durable_success, figures.micros_per_durable_success), (None, None));
    }
}
