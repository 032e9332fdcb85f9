//! What the rules say of an action, and why; and what they say of a memory.
//!
//! 1. A rule *matches* if it is in force, its scope takes the action in, and its condition holds. One that
//!    restricts (NEVER, MUST, AVOID) matches too if its condition cannot be judged; a PREFER does not.
//! 2. A matching PREFER lifts the rules it names; an override lifts the one it was signed for, until it
//!    ends. Nothing else lifts anything: deny wins.
//! 3. If a NEVER matches that is not lifted, or a MUST whose requirement does not surely hold: deny.
//! 4. Otherwise the first of the matching AVOID and PREFER decides: ask, or allow.
//! 5. Otherwise: allow.
//!
//! "First" is by priority, then specificity (parts of the scope and tests in the condition), then id.

use serde::Serialize;

use super::action::{Action, Thing};
use super::compiled::Rule;
use super::directive::{Directive, Force};
use super::matcher::{Now, RuleBook};

/// The answer to "may this be done?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Nothing speaks against it.
    Allow,
    /// It must not be done.
    Deny,
    /// Somebody has to be asked first.
    Ask,
}

impl Answer {
    /// `"allow"`, `"deny"` or `"ask"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Allow => "allow",
            Answer::Deny => "deny",
            Answer::Ask => "ask",
        }
    }
}

/// What a rule that matched did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Bearing {
    /// It denies.
    Denies,
    /// It asks.
    Asks,
    /// It allows.
    Allows,
    /// A MUST whose requirement holds.
    Satisfied,
    /// It would have denied or asked; the directive named lifts it, or an override if none is named.
    Lifted(Option<String>),
}

impl Bearing {
    /// `"denies"`, `"asks"`, `"allows"`, `"satisfied"` or `"lifted"`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Bearing::Denies => "denies",
            Bearing::Asks => "asks",
            Bearing::Allows => "allows",
            Bearing::Satisfied => "satisfied",
            Bearing::Lifted(_) => "lifted",
        }
    }
}

/// A rule that matched an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Match {
    /// Its id.
    pub id: String,
    /// What it demands.
    pub force: Force,
    /// What it did.
    pub bearing: Bearing,
    /// Why there is this rule.
    pub reason: String,
    /// The tests by which it matched, and for a MUST that denies what it requires.
    pub why: String,
}

/// The answer to [`Store::check`](crate::Store::check).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// Allow, deny or ask.
    pub answer: Answer,
    /// The rule that decided; `None` if none did.
    pub rule: Option<String>,
    /// The same in a sentence for people.
    pub reason: String,
    /// Every rule that matched, first the one that decided, then in the order in which they would decide.
    pub matched: Vec<Match>,
}

impl Decision {
    /// A denial by the engine: the rules cannot be trusted or read.
    pub(crate) fn closed(reason: String) -> Self {
        Self { answer: Answer::Deny, rule: None, reason, matched: Vec::new() }
    }

    /// Nothing speaks against it.
    pub(crate) fn open() -> Self {
        let reason = "no directive matches".to_owned();
        Self { answer: Answer::Allow, rule: None, reason, matched: Vec::new() }
    }
}

/// What the rules say of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OfMemory {
    /// It is in no recall.
    pub barred: bool,
    /// The rule, by its place in the book, that shifts it, and whether upwards.
    pub lean: Option<(u32, bool)>,
}

impl RuleBook {
    /// What the rules say of an action.
    pub(crate) fn check(&self, action: &Action, now: Now) -> Decision {
        let thing = action.thing();
        let mut matched: Vec<(&Rule, Bearing)> = Vec::new();
        for i in self.index().candidates(&thing) {
            let rule = &self.index().rules[i as usize];
            if let Some(bearing) = self.bears(rule, &thing, now) {
                matched.push((rule, bearing));
            }
        }
        if matched.is_empty() {
            return Decision::open();
        }
        self.lift(&mut matched, now);
        let denies = matched.iter().position(|(_, bearing)| *bearing == Bearing::Denies);
        let leans = |(_, bearing): &(&Rule, Bearing)| matches!(bearing, Bearing::Asks | Bearing::Allows);
        let decides = denies.or_else(|| matched.iter().position(leans));
        if let Some(i) = decides {
            let decider = matched.remove(i);
            matched.insert(0, decider);
        }
        let matches: Vec<Match> =
            matched.into_iter().map(|(rule, bearing)| self.tell(rule, bearing, &thing, now)).collect();
        match (decides, matches.first()) {
            (Some(_), Some(first)) => {
                let answer = match first.bearing {
                    Bearing::Denies => Answer::Deny,
                    Bearing::Asks => Answer::Ask,
                    _ => Answer::Allow,
                };
                let reason =
                    format!("{} {:?}: {} ({})", first.force.as_str(), first.id, first.reason, first.why);
                Decision { answer, rule: Some(first.id.clone()), reason, matched: matches }
            }
            _ => Decision {
                reason: "no directive that matches stands against it".to_owned(),
                matched: matches,
                ..Decision::open()
            },
        }
    }

    /// What a rule does by itself, if it matches.
    fn bears(&self, rule: &Rule, thing: &Thing<'_>, now: Now) -> Option<Bearing> {
        let directive = &rule.directive;
        if !Self::is_in_force(directive, now) || !rule.applies(thing) {
            return None;
        }
        let holds = self.judge(&rule.when, thing, now);
        if !holds.unwrap_or(directive.force.restricts()) {
            return None;
        }
        Some(match directive.force {
            Force::Never => Bearing::Denies,
            Force::Avoid => Bearing::Asks,
            Force::Prefer => Bearing::Allows,
            Force::Must => {
                let required = rule.require.as_ref().and_then(|require| self.judge(require, thing, now));
                if required == Some(true) { Bearing::Satisfied } else { Bearing::Denies }
            }
        })
    }

    fn lift(&self, matched: &mut [(&Rule, Bearing)], now: Now) {
        for (rule, bearing) in matched.iter_mut() {
            if self.is_overridden(&rule.directive.id, now) {
                *bearing = Bearing::Lifted(None);
            }
        }
        for i in 0..matched.len() {
            let (rule, Bearing::Denies | Bearing::Asks) = &matched[i] else { continue };
            let lifter = matched.iter().find(|(other, bearing)| {
                *bearing == Bearing::Allows && other.directive.lifts.contains(&rule.directive.id)
            });
            if let Some((lifter, _)) = lifter {
                matched[i].1 = Bearing::Lifted(Some(lifter.directive.id.clone()));
            }
        }
    }

    fn tell(&self, rule: &Rule, bearing: Bearing, thing: &Thing<'_>, now: Now) -> Match {
        let Directive { id, force, reason, .. } = &rule.directive;
        let mut why = self.explain(&rule.when, thing, now);
        if bearing == Bearing::Denies
            && let Some(require) = &rule.directive.require
        {
            why = format!("{why}; requires {require}");
        }
        Match { id: id.clone(), force: *force, bearing, reason: reason.clone(), why }
    }

    /// What the rules say of a memory.
    pub(crate) fn judge_memory(&self, thing: &Thing<'_>, now: Now) -> OfMemory {
        let mut matched: Vec<(&Rule, Bearing)> = Vec::new();
        let mut places = Vec::new();
        for i in &self.index().of_memories {
            let rule = &self.index().rules[*i as usize];
            if let Some(bearing) = self.bears(rule, thing, now) {
                matched.push((rule, bearing));
                places.push(*i);
            }
        }
        self.lift(&mut matched, now);
        let barred = matched.iter().any(|(_, bearing)| *bearing == Bearing::Denies);
        let lean = matched.iter().zip(&places).find_map(|((_, bearing), i)| match bearing {
            Bearing::Allows => Some((*i, true)),
            Bearing::Asks => Some((*i, false)),
            _ => None,
        });
        OfMemory { barred, lean }
    }

    /// The MUST rules that concern a recall, in the order in which they decide.
    pub(crate) fn musts(&self, namespaces: &[&str], kind: Option<&str>, now: Now) -> Vec<&Directive> {
        let concerns = |rule: &&std::sync::Arc<Rule>| {
            rule.directive.force == Force::Must
                && Self::is_in_force(&rule.directive, now)
                && !self.is_overridden(&rule.directive.id, now)
                && rule.concerns(namespaces, kind)
        };
        self.index().rules.iter().filter(concerns).map(|rule| &rule.directive).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fmt::Write as _;

    use serde_json::json;

    use super::super::index::Index;
    use super::super::matcher::FactValue;
    use super::*;

    const NOW: Now = Now { clock: 1_000, latest: 1_000 };

    fn book(text: &str) -> RuleBook {
        let facts = [("tests", json!("passed"), 2_000), ("old", json!(true), 500)];
        let facts =
            facts.into_iter().map(|(name, value, until)| (name.to_owned(), FactValue { value, until }));
        let rules = super::super::parse_rules(text).expect("parses");
        RuleBook::new(
            Index::new(rules, &Index::default()).expect("compiles").into(),
            HashMap::new(),
            facts.collect(),
        )
    }

    fn answer(book: &RuleBook, action: &Action) -> (Answer, Option<String>) {
        let decision = book.check(action, NOW);
        (decision.answer, decision.rule)
    }

    #[test]
    fn forces_decide_as_they_are_defined() {
        let book = book(
            r#"NEVER "no-rm" because "x" when tool is "sh" and args.cmd matches /rm -rf/
               MUST "tested" because "x" when tool is "deploy" require fact "tests" is "passed" and args.build > 0
               MUST "old" because "x" when tool is "ship" require fact "old" is true
               AVOID "late" because "x" when args.hour >= 22
               PREFER "early" priority 1 because "x" when args.hour < 8
               PREFER "drill" because "x" when tag is "drill" lifts "no-rm""#,
        );
        let rm = Action::new("sh").args(json!({"cmd": ["sudo", "rm -rf /"]}));
        assert_eq!(answer(&book, &rm), (Answer::Deny, Some("no-rm".to_owned())));
        assert_eq!(answer(&book, &rm.clone().tag("drill")), (Answer::Allow, Some("drill".to_owned())));
        assert_eq!(
            answer(&book, &Action::new("zsh").args(json!({"cmd": "rm -rf /"}))),
            (Answer::Allow, None)
        );
        let deploy = |build| Action::new("deploy").args(json!({ "build": build }));
        assert_eq!(answer(&book, &deploy(json!(3))), (Answer::Allow, None));
        for bad in [json!(0), json!("3"), json!(null)] {
            assert_eq!(answer(&book, &deploy(bad)), (Answer::Deny, Some("tested".to_owned())));
        }
        assert_eq!(answer(&book, &Action::new("ship")), (Answer::Deny, Some("old".to_owned())));
        let at = |hour| Action::new("x").args(json!({ "hour": hour }));
        assert_eq!(answer(&book, &at(json!(22))), (Answer::Ask, Some("late".to_owned())));
        assert_eq!(answer(&book, &at(json!(7.5))), (Answer::Allow, Some("early".to_owned())));
        // What cannot be judged counts against the action.
        assert_eq!(answer(&book, &at(json!("23"))), (Answer::Ask, Some("late".to_owned())));
        let decision = book.check(&rm.tag("drill"), NOW);
        assert_eq!(decision.matched[1].bearing, Bearing::Lifted(Some("drill".to_owned())));
    }

    #[test]
    fn similarity_without_a_vector_counts_against_the_action() {
        let book =
            book(r#"NEVER "like-this" because "x" in tool "say" when vector similar to [3, 4] at least 0.9"#);
        assert_eq!(answer(&book, &Action::new("say").vector([3.0, 4.0])).0, Answer::Deny);
        assert_eq!(answer(&book, &Action::new("say").vector([4.0, -3.0])).0, Answer::Allow);
        assert_eq!(answer(&book, &Action::new("say")).0, Answer::Deny);
        assert_eq!(answer(&book, &Action::new("think")).0, Answer::Allow);
    }

    #[test]
    fn a_clock_moved_back_brings_nothing_back_that_allows() {
        let text = r#"NEVER "a" because "x" until 1970-01-01T00:00:01Z when tool is "t"
                      PREFER "p" because "x" until 1970-01-01T00:00:01Z when tool is "t" lifts "b"
                      NEVER "b" because "x" from 1970-01-01T00:00:01Z when tool is "t""#;
        let book = book(text);
        let ids = |clock: i64, latest: i64| {
            let decision = book.check(&Action::new("t"), Now { clock, latest });
            let mut ids: Vec<String> = decision.matched.into_iter().map(|m| m.id).collect();
            ids.sort();
            (decision.answer, ids.concat())
        };
        assert_eq!(ids(999_999, 999_999), (Answer::Deny, "ap".to_owned()));
        assert_eq!(ids(1_000_000, 1_000_000), (Answer::Deny, "b".to_owned()));
        assert_eq!(ids(999_999, 1_000_000), (Answer::Deny, "ab".to_owned()));
    }

    /// Whatever the index leaves out would not have matched.
    #[test]
    fn the_index_leaves_out_nothing_that_matches() {
        let mut rng = fastrand::Rng::with_seed(7);
        let words = ["rm", "push", "--force", "prod", "Drop", "table", "x", "7", "kilo", ""];
        let mut text = String::new();
        for i in 0..400 {
            let field = ["args.cmd", "args", "text", "tag", "args.n", "args.deep.er"][rng.usize(..6)];
            let word = words[rng.usize(..words.len())];
            let test = match rng.u8(..10) {
                7 => format!("{field} < {}", rng.u8(..10)),
                8 => format!("{field} > {}", rng.u8(..10)),
                9 => format!("args.n <= {}", rng.u8(..10)),
                0 => format!("{field} is {word:?}"),
                1 => format!("{field} like \"*{word}*\""),
                2 => format!("{field} matches /(?i){word}\\s?{word}/"),
                3 => format!("{field} >= 5"),
                4 => format!("{field} absent"),
                5 => format!("{field} matches /{word}|zz/"),
                _ => format!("{field} present"),
            };
            let second = format!("text matches /{}/", words[rng.usize(..words.len())]);
            let tool = ["tool is \"a\"", "(tool is \"a\" or tool is \"b\")", "tool like \"a*\"", "always"]
                [rng.usize(..4)];
            let join = ["and", "or"][rng.usize(..2)];
            let not = ["", "not "][usize::from(rng.u8(..5) == 0)];
            let _ =
                writeln!(text, "AVOID \"r{i}\" because \"x\" when {tool} and {not}({test} {join} {second})");
        }
        let book = book(&text);
        for _ in 0..500 {
            let mut word = || words[rng.usize(..words.len())].to_uppercase().replace("RM", "rm");
            let (a, b, c, d) = (word(), word(), word(), word());
            let action =
                Action::new(["a", "b", "c"][rng.usize(..3)]).text(format!("{a}{b} {c}")).tag(d.clone()).args(
                    json!({"cmd": [a, {"k": b}], "n": ([json!([rng.u8(..10), "x"]), json!([rng.u8(..10), rng.u8(..10)]), json!(rng.u8(..10)), json!(f64::from(rng.u8(..10)) + 0.5), json!([])][rng.usize(..5)]), "deep": {"er": c.to_lowercase()}}),
                );
            let thing = action.thing();
            let all: Vec<u32> = (0..book.index().rules.len() as u32)
                .filter(|i| book.bears(&book.index().rules[*i as usize], &thing, NOW).is_some())
                .collect();
            let candidates = book.index().candidates(&thing);
            assert!(all.iter().all(|i| candidates.contains(i)), "{action:?}");
        }
    }
}
