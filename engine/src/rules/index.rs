//! Rules made ready to be asked: compiled, in the order in which they decide, and indexed by what has to be
//! there before they can match.
//!
//! A rule that needs a tool is only looked at for that tool. Within a tool (and among the rules for any tool)
//! a rule that needs a literal in a field is only looked at if one pass of Aho-Corasick over the texts of
//! that field meets the literal; one that needs a value only if it is there; the rest always. So the work of
//! a check grows with what might match, not with how many rules there are, and is linear in the action.
//!
//! Rules that wait for the same literal are woken together, at the first place where it is met, however often it
//! is; of the numbers in a field only the least and the greatest wake rules. What is met at a place is at most
//! [`MOST_NESTED`] literals. So waking costs the size of the action plus the rules that are woken, never the
//! product of the two.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use serde_json::Value;

use crate::error::{Error, Result};

use super::action::Thing;
use super::compiled::{Name, Rule};
use super::condition::{Field, Step, leaf_text, leaves};
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

/// Most literals that may end at one place of a text. Of more, each ending with the one before, those beyond are
/// looked for by the last that is kept.
const MOST_NESTED: usize = 16;

/// What rules wait for in a field.
#[derive(Default)]
struct Waiting {
    /// Literals in small letters, each with the rules that it wakes.
    literals: BTreeMap<String, Vec<u32>>,
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
    /// The rules behind each literal.
    literal_rules: Vec<Vec<u32>>,
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
                        waiting.literals.entry(literal.to_ascii_lowercase()).or_default().push(rule);
                    }
                    (None, Some(Bound::From(number))) => waiting.from.push((number, rule)),
                    (None, Some(Bound::UpTo(number))) => waiting.up_to.push((number, rule)),
                    (None, None) => waiting.present.push(rule),
                }
            }
        }
        for (field, Waiting { literals, present, mut from, mut up_to }) in waiting {
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
            let (literals, literal_rules): (Vec<_>, Vec<_>) = unnested(literals).into_iter().unzip();
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

/// The same literals, but that no more than [`MOST_NESTED`] end at one place: those beyond wake their rules where the
/// longest of the kept ones does that they end with.
fn unnested(literals: BTreeMap<String, Vec<u32>>) -> BTreeMap<String, Vec<u32>> {
    let backwards = |literal: &str| literal.bytes().rev().collect::<Vec<u8>>();
    let mut all: Vec<(Vec<u8>, String, Vec<u32>)> =
        literals.into_iter().map(|(literal, rules)| (backwards(&literal), literal, rules)).collect();
    // Each comes after those that it ends with.
    all.sort_unstable();
    let mut kept: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    // Those kept that the literal at hand ends with, each longer than the one before.
    let mut ends: Vec<(Vec<u8>, String)> = Vec::new();
    for (bytes, literal, rules) in all {
        while ends.pop_if(|(end, _)| !bytes.starts_with(end)).is_some() {}
        if ends.len() < MOST_NESTED {
            ends.push((bytes, literal.clone()));
            kept.insert(literal, rules);
        } else if let Some(waiting) = ends.last().and_then(|(_, end)| kept.get_mut(end)) {
            waiting.extend(rules);
        }
    }
    kept
}

impl Watch {
    /// Adds the rules that one of these literals wakes, each literal once.
    fn wake_literals<'t>(&self, texts: impl Iterator<Item = Cow<'t, str>>, found: &mut Vec<u32>) {
        let Some(literals) = &self.literals else { return };
        // A bit for each literal that was met; room for them only if any is.
        let (mut met, mut left) = (Vec::new(), self.literal_rules.len());
        for text in texts {
            for hit in literals.find_overlapping_iter(&*text) {
                let at = hit.pattern().as_usize();
                if met.is_empty() {
                    met.resize(self.literal_rules.len().div_ceil(64), 0_u64);
                }
                let (word, bit) = (&mut met[at / 64], 1 << (at % 64));
                if *word & bit != 0 && !crate::sabotage::on("every_hit_wakes") {
                    continue;
                }
                *word |= bit;
                found.extend(&self.literal_rules[at]);
                left = left.saturating_sub(1);
                if left == 0 && !crate::sabotage::on("every_hit_wakes") {
                    return;
                }
            }
        }
    }

    /// Adds the rules on whose side of their bounds any of these values lies; what is no number lies on every one's.
    fn wake_bounds(&self, numbers: impl Iterator<Item = Option<f64>>, found: &mut Vec<u32>) {
        let mut span: Option<(f64, f64)> = None;
        for number in numbers {
            let (least, most) = number.map_or((f64::NEG_INFINITY, f64::INFINITY), |number| (number, number));
            span = Some(span.map_or((least, most), |(a, b)| (a.min(least), b.max(most))));
        }
        if let Some((least, most)) = span {
            let from = &self.from[..self.from.partition_point(|(bound, _)| *bound <= most)];
            let up_to = &self.up_to[self.up_to.partition_point(|(bound, _)| *bound < least)..];
            found.extend(from.iter().chain(up_to).map(|(_, rule)| rule));
        }
    }

    fn wake(&self, thing: &Thing<'_>, found: &mut Vec<u32>) {
        let there = match &self.field {
            Field::Text => {
                self.wake_literals(std::iter::once(thing.text.into()), found);
                !thing.text.is_empty()
            }
            Field::Tag => {
                self.wake_literals(thing.tags.iter().map(|tag| (*tag).into()), found);
                !thing.tags.is_empty()
            }
            field => match field.value(thing) {
                None => false,
                Some(value) => {
                    if self.literals.is_some() {
                        self.wake_literals(leaves(value).filter_map(leaf_text), found);
                    }
                    if !self.from.is_empty() || !self.up_to.is_empty() {
                        self.wake_bounds(leaves(value).map(Value::as_f64), found);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Action, parse_rules};
    use super::*;

    fn index(rules: impl Iterator<Item = String>) -> Index {
        let text: String = rules.collect::<Vec<_>>().join("\n");
        Index::new(parse_rules(&text).expect("parses"), &Index::default()).expect("compiles")
    }

    /// How often rules are woken, those that are woken twice counted twice.
    fn woken(index: &Index, action: &Action) -> usize {
        let mut found = Vec::new();
        index.any_tool.wake(&action.thing(), &mut found);
        found.len()
    }

    /// However often what rules wait for is met, each is woken once.
    #[test]
    fn a_literal_wakes_its_rules_once() {
        let shared =
            index((0..1000).map(|i| {
                format!(r#"NEVER "r{i}" because "x" when text matches /delete/ and args.n is {i}"#)
            }));
        for hits in [1, 2, 5000] {
            assert_eq!(woken(&shared, &Action::new("t").text("delete ".repeat(hits))), 1000, "{hits}");
        }
        let tags = Action::new("t").tag("delete").tag("delete");
        assert_eq!(woken(&shared, &tags), 0);
        let bounds = index((0..1000).map(|i| format!(r#"NEVER "r{i}" because "x" when args.n > {i}"#)));
        let numbers = |numbers: Vec<i64>| Action::new("t").args(json!({ "n": numbers }));
        assert_eq!(woken(&bounds, &numbers((0..2000).collect())), 1000);
        assert_eq!(woken(&bounds, &numbers((0..100).chain(0..100).collect())), 100);
        assert_eq!(woken(&bounds, &numbers(vec![-1])), 0);
        assert_eq!(woken(&bounds, &numbers(vec![])), 0);
        assert_eq!(woken(&bounds, &Action::new("t").args(json!({ "n": ["x", 3] }))), 1000);
    }

    /// At one place no more than so many literals are met, and what is longer still wakes its rules.
    #[test]
    fn literals_within_literals_are_few_at_each_place() {
        let nested: BTreeMap<String, Vec<u32>> = (1..200).map(|i| ("a".repeat(i), vec![i as u32])).collect();
        let kept = unnested(nested);
        assert_eq!(kept.len(), MOST_NESTED);
        assert_eq!(kept.values().map(Vec::len).sum::<usize>(), 199);
        assert_eq!(kept[&"a".repeat(MOST_NESTED)].len(), 199 - MOST_NESTED + 1);
        let others: BTreeMap<String, Vec<u32>> =
            ["b", "ab", "cab", "a", "ca", "bab"].iter().map(|text| ((*text).to_owned(), vec![7])).collect();
        assert_eq!(unnested(others.clone()), others);
        let long = index(
            (1..200).map(|i| format!(r#"NEVER "r{i}" because "x" when text matches /{}/"#, "a".repeat(i))),
        );
        for length in [1, 15, 16, 17, 100, 1000] {
            let text = "a".repeat(length);
            let woken = woken(&long, &Action::new("t").text(text.clone()));
            assert!(woken >= length.min(199), "{length}: {woken}");
            let upper = Action::new("t").text(text.to_uppercase());
            assert_eq!(super::tests::woken(&long, &upper), woken, "{length}");
        }
    }
}
