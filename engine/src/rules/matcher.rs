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
use regex::Regex;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::error::{Error, Result};

use super::action::Thing;
use super::condition::{
    Check, Condition, Field, Order, Scalar, Step, Truth, all, any, any_leaf, leaf_text, not,
};
use super::directive::{Directive, Force};
use super::guard::{Bound, Guard, glob_pattern, guards, pattern, tools};

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

/// A rule, compiled.
#[derive(Debug)]
pub(crate) struct Rule {
    pub directive: Directive,
    scope: [Option<Name>; 4],
    pub(super) when: Node,
    pub(super) require: Option<Node>,
}

/// A name in a scope.
#[derive(Debug)]
enum Name {
    Exactly(String),
    Like(Regex),
}

/// A condition, compiled.
#[derive(Debug)]
pub(super) enum Node {
    Always,
    Test(Field, Test, String),
    Not(Box<Node>, String),
    All(Vec<Node>),
    Any(Vec<Node>),
}

#[derive(Debug)]
pub(super) enum Test {
    Is(Scalar),
    Pattern(Regex),
    Compare(Order, Scalar),
    Present,
    Absent,
    /// A unit vector.
    Similar(Vec<f32>, f32),
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

    /// The rules that may match an action, in the order in which they decide.
    pub(super) fn candidates(&self, thing: &Thing<'_>) -> Vec<u32> {
        let mut found = Vec::new();
        self.index.any_tool.wake(thing, &mut found);
        if let Some(bucket) = thing.tool.and_then(|tool| self.index.by_tool.get(tool)) {
            bucket.wake(thing, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
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

impl Rule {
    fn compile(directive: Directive) -> Result<Self> {
        let wrong = |why: String| Error::corrupt(format!("directive {:?}: {why}", directive.id));
        let name = |name: Option<&String>| -> Result<Option<Name>> {
            let Some(name) = name else { return Ok(None) };
            if !name.contains(['*', '?', '\\']) {
                return Ok(Some(Name::Exactly(name.clone())));
            }
            Regex::new(&glob_pattern(name))
                .map(|glob| Some(Name::Like(glob)))
                .map_err(|e| wrong(e.to_string()))
        };
        let [namespace, kind, agent, tool] = directive.scope.parts().map(|(_, part)| part);
        let scope = [name(namespace)?, name(kind)?, name(agent)?, name(tool)?];
        let when = Node::compile(&directive.when).map_err(wrong)?;
        let require = directive.require.as_ref().map(Node::compile).transpose().map_err(wrong)?;
        Ok(Self { directive, scope, when, require })
    }

    /// Whether the scope takes it in.
    pub(super) fn applies(&self, thing: &Thing<'_>) -> bool {
        let found = [Some(thing.namespace), thing.kind, thing.agent, thing.tool];
        self.scope.iter().zip(found).all(|(part, found)| Name::fits(part.as_ref(), found))
    }

    /// Whether it concerns a recall from these namespaces, of memories of this kind or of all.
    pub(super) fn concerns(&self, namespaces: &[&str], kind: Option<&str>) -> bool {
        namespaces.iter().any(|namespace| Name::fits(self.scope[0].as_ref(), Some(namespace)))
            && kind.is_none_or(|kind| Name::fits(self.scope[1].as_ref(), Some(kind)))
    }
}

impl Name {
    fn fits(part: Option<&Name>, found: Option<&str>) -> bool {
        match (part, found) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(Name::Exactly(name)), Some(found)) => name == found,
            (Some(Name::Like(glob)), Some(found)) => glob.is_match(found),
        }
    }
}

impl Node {
    fn compile(condition: &Condition) -> Result<Self, String> {
        let each = |parts: &[Condition]| parts.iter().map(Node::compile).collect::<Result<Vec<_>, _>>();
        Ok(match condition {
            Condition::Always => Node::Always,
            Condition::Test(field, check) => {
                let test = match check {
                    Check::Is(value) => Test::Is(value.clone()),
                    Check::Compare(order, value) => Test::Compare(*order, value.clone()),
                    Check::Present => Test::Present,
                    Check::Absent => Test::Absent,
                    Check::Similar(vector, at_least) => {
                        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
                        let unit = vector.iter().map(|x| (f64::from(*x) / length) as f32).collect();
                        Test::Similar(unit, *at_least)
                    }
                    Check::Like(_) | Check::Matches(_) => {
                        Test::Pattern(pattern(check).ok_or("a pattern is missing")??)
                    }
                };
                Node::Test(field.clone(), test, condition.to_string())
            }
            Condition::Not(inner) => Node::Not(Box::new(Node::compile(inner)?), condition.to_string()),
            Condition::All(parts) => Node::All(each(parts)?),
            Condition::Any(parts) => Node::Any(each(parts)?),
        })
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
