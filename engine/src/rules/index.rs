//! Rules made ready to be asked: compiled, in the order in which they decide, and indexed by what has to be
//! there before they can match.
//!
//! A rule that needs a tool is only looked at for that tool. Within a tool (and among the rules for any tool)
//! a rule that needs a literal in a field is only looked at if one pass of Aho-Corasick over the texts of
//! that field meets the literal; one that needs a value only if it is there; the rest always. So the work of
//! a check grows with what might match, not with how many rules there are, and is linear in the action.

use std::collections::HashMap;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use serde_json::Value;

use crate::error::{Error, Result};

use super::action::Thing;
use super::compiled::{Name, Rule};
use super::condition::{Field, Step, any_leaf, leaf_text};
use super::directive::{Directive, Force};
use super::guard::{Bound, Guard, guards, tools};

/// The rules alone.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// In the order in which they decide.
    pub rules: Vec<Arc<Rule>>,
    by_tool: HashMap<String, Bucket>,
    any_tool: Bucket,
    /// Rules that say something of memories, but for MUST.
    pub of_memories: Vec<u32>,
}

/// Rules, each with what it waits for.
type Plan = Vec<(u32, Option<Vec<Guard>>)>;

/// What rules wait for in a field.
#[derive(Default)]
struct Waiting {
    literals: Vec<String>,
    /// The rule behind each literal.
    literal_rules: Vec<u32>,
    /// Rules that any value wakes.
    present: Vec<u32>,
    from: Vec<(f64, u32)>,
    up_to: Vec<(f64, u32)>,
}

/// Rules to look at for a tool, or for any.
#[derive(Debug, Default)]
struct Bucket {
    always: Vec<u32>,
    fields: Vec<Watch>,
    /// Fields of `args` by the first key of their path.
    by_key: HashMap<String, Vec<usize>>,
    /// The other fields.
    others: Vec<usize>,
}

/// Rules that wait for something in a field.
#[derive(Debug)]
struct Watch {
    field: Field,
    literals: Option<AhoCorasick>,
    /// The rule behind each literal.
    literal_rules: Vec<u32>,
    /// Rules that any value wakes.
    present: Vec<u32>,
    /// Rules that a number from this one on wakes, and any value that is no number; by number.
    from: Vec<(f64, u32)>,
    /// The same for numbers up to this one.
    up_to: Vec<(f64, u32)>,
}

impl Index {
    /// Makes rules ready. They have been checked; one that cannot be compiled all the same is an error.
    /// Those that `known` has are taken from there.
    pub(crate) fn new(mut directives: Vec<Directive>, known: &Index) -> Result<Self> {
        directives.sort_by(Directive::order);
        let known: HashMap<&str, &Arc<Rule>> =
            known.rules.iter().map(|rule| (rule.directive.id.as_str(), rule)).collect();
        let rules = directives.into_iter().map(|directive| match known.get(directive.id.as_str()) {
            Some(rule) if rule.directive == directive => Ok((*rule).clone()),
            _ => Rule::compile(directive).map(Arc::new),
        });
        let mut index = Self { rules: rules.collect::<Result<_>>()?, ..Self::default() };
        let mut plans: HashMap<Option<String>, Plan> = HashMap::new();
        for (i, rule) in index.rules.iter().enumerate() {
            let (i, directive) = (i as u32, &rule.directive);
            if !directive.is_of_actions() && directive.force != Force::Must {
                index.of_memories.push(i);
            }
            if directive.is_of_memories() {
                continue;
            }
            let guards = guards(&directive.when);
            let exact = match &rule.scope[3] {
                Some(Name::Exactly(tool)) => Some(vec![tool.clone()]),
                _ => tools(&directive.when),
            };
            match exact {
                Some(tools) => {
                    for tool in tools {
                        plans.entry(Some(tool)).or_default().push((i, guards.clone()));
                    }
                }
                None => plans.entry(None).or_default().push((i, guards)),
            }
        }
        for (tool, plan) in plans {
            let bucket = Bucket::new(plan)?;
            match tool {
                Some(tool) => drop(index.by_tool.insert(tool, bucket)),
                None => index.any_tool = bucket,
            }
        }
        Ok(index)
    }

    /// The rules that may match an action, in the order in which they decide.
    pub(super) fn candidates(&self, thing: &Thing<'_>) -> Vec<u32> {
        let mut found = Vec::new();
        self.any_tool.wake(thing, &mut found);
        if let Some(bucket) = thing.tool.and_then(|tool| self.by_tool.get(tool)) {
            bucket.wake(thing, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Bucket {
    fn new(plan: Plan) -> Result<Self> {
        let mut bucket = Self::default();
        // Of the literals that a rule needs, the one that the fewest rules need tells it best from the
        // others; short ones are met by chance.
        let mut needed: HashMap<(Field, String), usize> = HashMap::new();
        for guard in plan.iter().filter_map(|(_, guards)| guards.as_ref()).flatten() {
            for literal in &guard.literals {
                *needed.entry((guard.field.clone(), literal.to_ascii_lowercase())).or_default() += 1;
            }
        }
        let rarest = |guard: &Guard| {
            let rank = |literal: &&String| {
                let key = (guard.field.clone(), literal.to_ascii_lowercase());
                let shared = needed.get(&key).copied().unwrap_or(0);
                (literal.len() < 3, shared, std::cmp::Reverse(literal.len()))
            };
            guard.literals.iter().min_by_key(rank).cloned()
        };
        let mut waiting: HashMap<Field, Waiting> = HashMap::new();
        for (rule, guards) in plan {
            let Some(guards) = guards else {
                bucket.always.push(rule);
                continue;
            };
            for guard in guards {
                let literal = rarest(&guard);
                let waiting = waiting.entry(guard.field).or_default();
                match (literal, guard.bound) {
                    (Some(literal), _) => {
                        waiting.literals.push(literal);
                        waiting.literal_rules.push(rule);
                    }
                    (None, Some(Bound::From(number))) => waiting.from.push((number, rule)),
                    (None, Some(Bound::UpTo(number))) => waiting.up_to.push((number, rule)),
                    (None, None) => waiting.present.push(rule),
                }
            }
        }
        for (field, Waiting { literals, literal_rules, present, mut from, mut up_to }) in waiting {
            let at = bucket.fields.len();
            match &field {
                Field::Args(path) if matches!(path.first(), Some(Step::Key(_))) => {
                    if let Some(Step::Key(key)) = path.first() {
                        bucket.by_key.entry(key.clone()).or_default().push(at);
                    }
                }
                _ => bucket.others.push(at),
            }
            for bounds in [&mut from, &mut up_to] {
                bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
            let built = (!literals.is_empty())
                .then(|| AhoCorasickBuilder::new().ascii_case_insensitive(true).build(&literals))
                .transpose()
                .map_err(Error::internal)?;
            bucket.fields.push(Watch { field, literals: built, literal_rules, present, from, up_to });
        }
        Ok(bucket)
    }

    /// Adds the rules that may match.
    fn wake(&self, thing: &Thing<'_>, found: &mut Vec<u32>) {
        found.extend(&self.always);
        for watch in &self.others {
            self.fields[*watch].wake(thing, found);
        }
        if let Some(Value::Object(args)) = thing.args.filter(|_| !self.by_key.is_empty()) {
            for watch in args.keys().filter_map(|key| self.by_key.get(key)).flatten() {
                self.fields[*watch].wake(thing, found);
            }
        }
    }
}

impl Watch {
    /// Adds the rules on whose side of their bounds a number lies; all of them for what is no number.
    fn wake_bounds(&self, number: Option<f64>, found: &mut Vec<u32>) {
        let (from, up_to) = match number {
            Some(number) => (
                &self.from[..self.from.partition_point(|(bound, _)| *bound <= number)],
                &self.up_to[self.up_to.partition_point(|(bound, _)| *bound < number)..],
            ),
            None => (&self.from[..], &self.up_to[..]),
        };
        found.extend(from.iter().chain(up_to).map(|(_, rule)| rule));
    }

    fn wake(&self, thing: &Thing<'_>, found: &mut Vec<u32>) {
        let mut see = |text: &str| {
            if let Some(literals) = &self.literals {
                for hit in literals.find_overlapping_iter(text) {
                    found.push(self.literal_rules[hit.pattern().as_usize()]);
                }
            }
        };
        let there = match &self.field {
            Field::Text => {
                see(thing.text);
                !thing.text.is_empty()
            }
            Field::Tag => {
                for tag in &thing.tags {
                    see(tag);
                }
                !thing.tags.is_empty()
            }
            field => match field.value(thing) {
                None => false,
                Some(value) => {
                    let bounds = !self.from.is_empty() || !self.up_to.is_empty();
                    let mut numbers = Vec::new();
                    any_leaf(value, &mut |leaf| {
                        if bounds {
                            numbers.push(leaf.as_f64());
                        }
                        if self.literals.is_some()
                            && let Some(text) = leaf_text(leaf)
                        {
                            see(&text);
                        }
                        false
                    });
                    for number in numbers {
                        self.wake_bounds(number, found);
                    }
                    true
                }
            },
        };
        if there {
            found.extend(&self.present);
        }
    }
}
