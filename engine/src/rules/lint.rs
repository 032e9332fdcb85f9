//! Finds rules that contradict, hide or repeat each other, before they are in force.
//!
//! Asks whether one condition implies another. The answer "yes" is always right; a "no" may only mean that it
//! does not follow from the form of the two, so not every conflict is found.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;

use super::condition::{Check, Condition, Field, Order, Scalar, compare_numbers};
use super::directive::{Directive, Force, RuleScope};
use super::guard::{glob_pattern, pattern};

/// A rule and another one that do not go together. [`Store::add_directive`](crate::Store::add_directive)
/// refuses a rule that makes it sure, and returns those that are only likely.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lint {
    /// The rule that is at fault, as far as one is.
    pub id: String,
    /// The other one.
    pub other: String,
    /// What is between them: `"contradicts"`, `"is hidden by"`, `"hides"`, `"repeats"` or
    /// `"is an exception to"`.
    pub what: &'static str,
    /// Whether it keeps the rule from being added without force.
    pub refused: bool,
}

impl std::fmt::Display for Lint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "directive {:?} {} directive {:?}", self.id, self.what, self.other)
    }
}

/// Compares directives with each other: each with those before it.
pub fn lint_rules(rules: &[Directive]) -> Vec<Lint> {
    let linter = Linter::default();
    let pairs = rules.iter().enumerate().flat_map(|(i, new)| rules[..i].iter().map(move |old| (new, old)));
    pairs.filter_map(|(new, old)| linter.lint(new, old)).collect()
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Refuse,
    Flag,
}

/// Compares rules. Keeps the patterns that it has compiled.
#[derive(Debug, Default)]
pub(crate) struct Linter {
    patterns: RefCell<HashMap<String, Option<Regex>>>,
}

impl Linter {
    /// What is wrong with a new rule beside another one, if anything.
    pub(crate) fn lint(&self, new: &Directive, old: &Directive) -> Option<Lint> {
        let (what, severity) = self.conflict(new, old)?;
        let refused = severity == Severity::Refuse;
        Some(Lint { id: new.id.clone(), other: old.id.clone(), what, refused })
    }

    fn matches(&self, check: &Check, text: &str) -> bool {
        let mut patterns = self.patterns.borrow_mut();
        let key = match check {
            Check::Like(glob) => glob_pattern(glob),
            Check::Matches(pattern) => pattern.clone(),
            _ => return false,
        };
        let compiled = patterns.entry(key).or_insert_with(|| pattern(check).and_then(Result::ok));
        compiled.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }

    fn conflict(&self, new: &Directive, old: &Directive) -> Option<(&'static str, Severity)> {
        use Severity::{Flag, Refuse};
        let (inside, around) = (self.within(new, old), self.within(old, new));
        if let Some(requires) = self.unsatisfiable(new, old).or_else(|| self.unsatisfiable(old, new)) {
            return Some((requires, Refuse));
        }
        if !inside && !around {
            return None;
        }
        if new.force == old.force {
            return match (inside, around) {
                _ if new.force == Force::Must && new.require != old.require => None,
                _ if new.lifts != old.lifts => None,
                (true, true) => Some(("repeats", Refuse)),
                // Of rules that do the same, the narrower adds nothing.
                (true, false) => Some(("is hidden by", Refuse)),
                _ => Some(("hides", Flag)),
            };
        }
        let lifts = |a: &Directive, b: &Directive| a.lifts.contains(&b.id);
        if lifts(new, old) || lifts(old, new) {
            return None;
        }
        match (new.force, old.force) {
            // Where a NEVER holds nothing else counts.
            (Force::Must | Force::Prefer, Force::Never) if inside => Some(("contradicts", Refuse)),
            (Force::Never, Force::Must | Force::Prefer) if around => Some(("contradicts", Refuse)),
            (Force::Never, Force::Must | Force::Prefer) => Some(("is an exception to", Flag)),
            (Force::Must | Force::Prefer, Force::Never) => Some(("contradicts", Flag)),
            (Force::Avoid, Force::Never) if inside => Some(("is hidden by", Refuse)),
            (Force::Never, Force::Avoid) if around => Some(("hides", Flag)),
            (Force::Avoid, Force::Prefer) | (Force::Prefer, Force::Avoid) => match (inside, around) {
                (true, true) => Some(("contradicts", Refuse)),
                (true, false) if rank(old) > rank(new) => Some(("is hidden by", Refuse)),
                (false, true) if rank(new) > rank(old) => Some(("hides", Flag)),
                _ => None,
            },
            _ => None,
        }
    }

    /// A MUST that requires what a NEVER forbids.
    fn unsatisfiable(&self, must: &Directive, never: &Directive) -> Option<&'static str> {
        let require = must.require.as_ref().filter(|_| never.force == Force::Never)?;
        let both = Condition::All(vec![effective(must), require.clone()]);
        (self.scope_within(&must.scope, &never.scope)
            && times_within(must, never)
            && self.implies(&both, &effective(never)))
        .then_some("contradicts")
    }

    /// Whether a rule applies only where, and when, another does.
    fn within(&self, a: &Directive, b: &Directive) -> bool {
        // A rule about actions alone says nothing of memories.
        (a.is_of_actions() || !b.is_of_actions())
            && (a.is_of_memories() || !b.is_of_memories())
            && self.scope_within(&a.scope, &b.scope)
            && times_within(a, b)
            && self.implies(&effective(a), &effective(b))
    }

    fn scope_within(&self, a: &RuleScope, b: &RuleScope) -> bool {
        let fits = |a: Option<&String>, b: Option<&String>| match (a, b) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => a == b || (!a.contains(['*', '?', '\\']) && self.like(b, a)),
        };
        a.parts().iter().zip(b.parts()).take(3).all(|((_, a), (_, b))| fits(*a, b))
    }

    fn like(&self, glob: &str, text: &str) -> bool {
        self.matches(&Check::Like(glob.to_owned()), text)
    }

    /// Whether everything of which `a` holds is something of which `b` holds.
    fn implies(&self, a: &Condition, b: &Condition) -> bool {
        if *b == Condition::Always || a == b {
            return true;
        }
        match (a, b) {
            (_, Condition::All(parts)) => parts.iter().all(|part| self.implies(a, part)),
            (Condition::Any(parts), _) => parts.iter().all(|part| self.implies(part, b)),
            (Condition::All(parts), Condition::Any(others)) => {
                parts.iter().any(|part| self.implies(part, b))
                    || others.iter().any(|other| self.implies(a, other))
            }
            (Condition::All(parts), _) => parts.iter().any(|part| self.implies(part, b)),
            (_, Condition::Any(others)) => others.iter().any(|other| self.implies(a, other)),
            (Condition::Not(a), Condition::Not(b)) => self.implies(b, a),
            (Condition::Test(field, check), Condition::Test(other, wanted)) => {
                let positive = !matches!(check, Check::Absent);
                (field == other || (positive && lies_in(field, other))) && self.follows(check, wanted)
            }
            _ => false,
        }
    }

    /// Whether a value that passes one check passes another.
    fn follows(&self, check: &Check, wanted: &Check) -> bool {
        match (check, wanted) {
            (Check::Absent, _) | (_, Check::Absent) => check == wanted,
            (_, Check::Present) => true,
            (Check::Is(Scalar::Text(text)), Check::Like(_) | Check::Matches(_)) => self.matches(wanted, text),
            (Check::Is(value), Check::Compare(order, bound)) => value.stands(*order, bound),
            (Check::Compare(a, value), Check::Compare(b, bound)) => match (a, b) {
                (Order::More, Order::More | Order::AtLeast) | (Order::AtLeast, Order::AtLeast) => {
                    value.stands(Order::AtLeast, bound)
                }
                (Order::AtLeast, Order::More) => value.stands(Order::More, bound),
                (Order::Less, Order::Less | Order::AtMost) | (Order::AtMost, Order::AtMost) => {
                    value.stands(Order::AtMost, bound)
                }
                (Order::AtMost, Order::Less) => value.stands(Order::Less, bound),
                _ => false,
            },
            (Check::Similar(a, at_least), Check::Similar(b, bound)) => a == b && at_least >= bound,
            _ => check == wanted,
        }
    }
}

fn rank(rule: &Directive) -> (i32, usize) {
    (rule.priority, rule.specificity())
}

/// The condition, with the tool of the scope in it.
fn effective(rule: &Directive) -> Condition {
    let Some(tool) = &rule.scope.tool else {
        return rule.when.clone();
    };
    let check = if tool.contains(['*', '?', '\\']) {
        Check::Like(tool.clone())
    } else {
        Check::Is(Scalar::Text(tool.clone()))
    };
    Condition::All(vec![Condition::Test(Field::Tool, check), rule.when.clone()])
}

fn times_within(a: &Directive, b: &Directive) -> bool {
    b.from.is_none_or(|from| a.from.is_some_and(|other| from <= other))
        && b.until.is_none_or(|until| a.until.is_some_and(|other| other <= until))
}

/// Whether one field is a part of another, so that what holds in it holds in the other.
fn lies_in(part: &Field, whole: &Field) -> bool {
    match (part, whole) {
        (Field::Args(part), Field::Args(whole)) | (Field::Metadata(part), Field::Metadata(whole)) => {
            part.starts_with(whole)
        }
        _ => false,
    }
}

impl Scalar {
    /// Whether this value stands so to another.
    fn stands(&self, order: Order, to: &Scalar) -> bool {
        let found = match (self, to) {
            (Scalar::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
            (Scalar::Number(a), Scalar::Number(b)) => compare_numbers(a, b),
            _ => None,
        };
        found.is_some_and(|found| order.holds(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(new: &str, old: &str) -> Option<(&'static str, bool)> {
        let rule = |id: &str, text: &str| {
            let (force, rest) = text.split_once(' ').expect("a force");
            let (head, rest) = rest.split_once("when").unwrap_or((rest, " always"));
            let text = format!("{force} \"{id}\" {head} because \"x\" when{rest}");
            // `priority` stands before, `in` behind the reason.
            let text = match head.trim().strip_prefix("in") {
                Some(scope) => format!("{force} \"{id}\" because \"x\" in {scope} when{rest}"),
                None => text,
            };
            Directive::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        Linter::default().lint(&rule("new", new), &rule("old", old)).map(|lint| (lint.what, lint.refused))
    }

    #[test]
    fn conflicts_are_found() {
        let cases = [
            ("NEVER when tool is \"a\"", "NEVER when tool is \"a\"", Some(("repeats", true))),
            ("NEVER in tool \"a\" when always", "NEVER when tool is \"a\"", Some(("repeats", true))),
            ("NEVER when args.n > 9", "NEVER when args.n >= 5", Some(("is hidden by", true))),
            ("NEVER when args.n >= 5", "NEVER when args.n > 9", Some(("hides", false))),
            ("NEVER when args.a is \"rm -rf\"", "NEVER when args matches /rm/", Some(("is hidden by", true))),
            (
                "PREFER when tool is \"a\" and tag is \"b\"",
                "NEVER when tool is \"a\"",
                Some(("contradicts", true)),
            ),
            (
                "NEVER when tool is \"a\"",
                "PREFER when tool is \"a\" and tag is \"b\"",
                Some(("contradicts", true)),
            ),
            (
                "NEVER when tool is \"a\" and tag is \"b\"",
                "PREFER when tool is \"a\"",
                Some(("is an exception to", false)),
            ),
            (
                "MUST when tool is \"a\" require args.x present",
                "NEVER when tool like \"a*\"",
                Some(("contradicts", true)),
            ),
            (
                "MUST when tool is \"a\" require args.force is true",
                "NEVER when args.force is true",
                Some(("contradicts", true)),
            ),
            ("AVOID when tool is \"a\"", "PREFER when tool is \"a\"", Some(("contradicts", true))),
            (
                "AVOID when tool is \"a\" and tag is \"b\"",
                "PREFER priority 3 when tool is \"a\"",
                Some(("is hidden by", true)),
            ),
            ("AVOID when tool is \"a\" and tag is \"b\"", "PREFER when tool is \"a\"", None),
            ("NEVER when tool is \"a\"", "NEVER when tool is \"b\"", None),
            (
                "NEVER in namespace \"x\" when tool is \"a\"",
                "NEVER when tool is \"a\"",
                Some(("is hidden by", true)),
            ),
            (
                "NEVER in namespace \"x\" when tool is \"a\"",
                "NEVER in namespace \"y\" when tool is \"a\"",
                None,
            ),
            (
                "MUST when tool is \"a\" require args.x present",
                "MUST when tool is \"a\" require args.y present",
                None,
            ),
            ("PREFER when not (tool is \"a\" or tool is \"b\")", "AVOID when not tool is \"a\"", None),
            (
                "NEVER when not (tool is \"a\" or tool is \"b\")",
                "NEVER when not tool is \"a\"",
                Some(("is hidden by", true)),
            ),
        ];
        for (new, old, wanted) in cases {
            assert_eq!(verdict(new, old), wanted, "{new} beside {old}");
        }
    }
}
