//! Rules asked about an action or a memory: whether they are in force, what they say, and why.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::clock::Timestamp;

use super::action::Thing;
use super::compiled::{Node, Test};
use super::condition::{Field, Scalar, Truth, all, any, any_leaf, leaf_text, not};
use super::directive::Directive;
use super::index::Index;

/// The time, as far as it can be known: a clock that was moved back must not bring back what has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// What the clock says.
    pub clock: Timestamp,
    /// The latest time that was ever seen; at least `clock`.
    pub latest: Timestamp,
}

/// A fact, as the owner recorded it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FactValue {
    pub value: Value,
    pub until: Timestamp,
}

/// All rules of a store, with what lifts and satisfies them.
#[derive(Debug, Default)]
pub(crate) struct RuleBook {
    index: Arc<Index>,
    /// Ends of the overrides, by the id of the directive.
    overrides: HashMap<String, Vec<Timestamp>>,
    facts: HashMap<String, FactValue>,
    /// Every time at which what is said of memories begins or ends, in order.
    turns: Vec<Timestamp>,
}

impl RuleBook {
    /// Rules, with the ends of their overrides and the facts.
    pub(crate) fn new(
        index: Arc<Index>,
        overrides: HashMap<String, Vec<Timestamp>>,
        facts: HashMap<String, FactValue>,
    ) -> Self {
        let mut turns = Vec::new();
        for i in &index.of_memories {
            let directive = &index.rules[*i as usize].directive;
            let ends = overrides.get(&directive.id).into_iter().flatten().copied();
            turns.extend([directive.from, directive.until].into_iter().flatten().chain(ends));
        }
        turns.sort_unstable();
        turns.dedup();
        Self { index, overrides, facts, turns }
    }

    /// The rules alone.
    pub(crate) fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Whether there are no rules at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.index.rules.is_empty()
    }

    /// Whether any rule says something of memories.
    pub(crate) fn judges_memories(&self) -> bool {
        !self.index.of_memories.is_empty()
    }

    /// Names the rules about memories that are in force: as long as it is the same, they judge alike.
    pub(crate) fn epoch(&self, now: Now) -> (usize, usize) {
        let passed = |at: Timestamp| self.turns.partition_point(|turn| *turn <= at);
        (passed(now.clock), passed(now.latest))
    }

    /// The rules, in the order in which they decide.
    pub(crate) fn directives(&self) -> impl Iterator<Item = &Directive> {
        self.index.rules.iter().map(|rule| &rule.directive)
    }

    /// Whether a directive is in force. In doubt about the time, what restricts is, and what allows is not.
    pub(super) fn is_in_force(directive: &Directive, now: Now) -> bool {
        let (begins, ends) =
            if directive.force.restricts() { (now.latest, now.clock) } else { (now.clock, now.latest) };
        directive.from.is_none_or(|from| from <= begins) && directive.until.is_none_or(|until| ends < until)
    }

    /// Whether the owner has lifted a directive for now.
    pub(super) fn is_overridden(&self, id: &str, now: Now) -> bool {
        let time = if crate::sabotage::on("overrides_stay") { Timestamp::MIN } else { now.latest };
        self.overrides.get(id).is_some_and(|ends| ends.iter().any(|until| time < *until))
    }

    /// A fact that has not expired.
    fn fact(&self, name: &str, now: Now) -> Option<&Value> {
        self.facts.get(name).filter(|fact| now.latest < fact.until).map(|fact| &fact.value)
    }

    /// Whether a condition holds.
    pub(super) fn judge(&self, node: &Node, thing: &Thing<'_>, now: Now) -> Truth {
        match node {
            Node::Always => Some(true),
            Node::Test(field, test, _) => self.test(field, test, thing, now),
            Node::Not(inner, _) => not(self.judge(inner, thing, now)),
            Node::All(parts) => all(parts.iter().map(|part| self.judge(part, thing, now))),
            Node::Any(parts) => any(parts.iter().map(|part| self.judge(part, thing, now))),
        }
    }

    fn test(&self, field: &Field, test: &Test, thing: &Thing<'_>, now: Now) -> Truth {
        let texts: &[&str] = match field {
            Field::Tool => thing.tool.as_slice(),
            Field::Text if thing.text.is_empty() => &[],
            Field::Text => &[thing.text],
            Field::Tag => &thing.tags,
            Field::Vector => return similar(thing, test),
            Field::Args(_) | Field::Metadata(_) => return json(field.value(thing), test),
            Field::Fact(name) => return json(self.fact(name, now), test),
        };
        match test {
            Test::Is(Scalar::Text(text)) => Some(texts.contains(&text.as_str())),
            Test::Is(_) | Test::Similar(..) => Some(false),
            Test::Pattern(pattern) => Some(texts.iter().any(|text| pattern.is_match(text))),
            Test::Compare(order, value) => any(texts.iter().map(|text| value.compares_text(*order, text))),
            Test::Present => Some(!texts.is_empty()),
            Test::Absent => Some(texts.is_empty()),
        }
    }

    /// Why a condition holds, or may hold: the tests that do.
    pub(super) fn explain(&self, node: &Node, thing: &Thing<'_>, now: Now) -> String {
        let mut why = String::new();
        self.gather(node, thing, now, &mut why);
        why
    }

    fn gather(&self, node: &Node, thing: &Thing<'_>, now: Now, why: &mut String) {
        let label = match node {
            Node::Always => "always",
            Node::Test(_, _, label) | Node::Not(_, label) => label,
            Node::All(parts) | Node::Any(parts) => {
                // A part that is made of others may hold in none of them as a whole.
                let holds = |part: &&Node| {
                    !matches!(part, Node::All(_) | Node::Any(_))
                        || self.judge(part, thing, now) != Some(false)
                };
                parts.iter().filter(holds).for_each(|part| self.gather(part, thing, now, why));
                return;
            }
        };
        let truth = if matches!(node, Node::Always) { Some(true) } else { self.judge(node, thing, now) };
        if truth == Some(false) {
            return;
        }
        if !why.is_empty() {
            why.push_str("; ");
        }
        why.push_str(label);
        if truth.is_none() {
            why.push_str(" (cannot be judged here, which counts against the action)");
        }
    }
}

fn json(value: Option<&Value>, test: &Test) -> Truth {
    let Some(value) = value else {
        return Some(matches!(test, Test::Absent));
    };
    match test {
        Test::Present => Some(true),
        Test::Absent | Test::Similar(..) => Some(false),
        Test::Is(scalar) => Some(any_leaf(value, &mut |leaf| scalar.equals(leaf))),
        Test::Pattern(pattern) => {
            Some(any_leaf(value, &mut |leaf| leaf_text(leaf).is_some_and(|text| pattern.is_match(&text))))
        }
        Test::Compare(order, scalar) => {
            let mut truth = Some(false);
            any_leaf(value, &mut |leaf| {
                truth = any([truth, scalar.compares(*order, leaf)].into_iter());
                truth == Some(true)
            });
            truth
        }
    }
}

fn similar(thing: &Thing<'_>, test: &Test) -> Truth {
    let Test::Similar(example, at_least) = test else {
        return Some(false);
    };
    let vector = thing.vector.filter(|vector| vector.len() == example.len())?;
    let dot: f64 = vector.iter().zip(example).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let cosine = dot / length;
    cosine.is_finite().then_some(cosine >= f64::from(*at_least))
}
