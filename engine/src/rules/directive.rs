//! A rule.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Error, Result};

use super::condition::{Check, Condition, Field};
use super::guard::pattern;

/// Longest text of a directive, in bytes.
pub(crate) const MAX_TEXT: usize = 64 << 10;
/// Most tests in a directive.
const MAX_TESTS: usize = 256;
/// Deepest nesting of a condition.
pub(crate) const MAX_DEPTH: usize = 64;
/// Times that have a text form: the years 1970 to 9999.
const TIMES: std::ops::Range<Timestamp> = 0..253_402_300_800_000_000;

/// What a directive demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Force {
    /// "When X, require Y": denied unless Y holds. Comes with every recall that it applies to.
    Must,
    /// Denied. Memories that match are in no recall.
    Never,
    /// Allowed. Memories that match rank a little higher.
    Prefer,
    /// To be asked about. Memories that match rank a little lower.
    Avoid,
}

impl Force {
    pub(crate) const ALL: [Force; 4] = [Force::Must, Force::Never, Force::Prefer, Force::Avoid];

    /// `"MUST"`, `"NEVER"`, `"PREFER"` or `"AVOID"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Force::Must => "MUST",
            Force::Never => "NEVER",
            Force::Prefer => "PREFER",
            Force::Avoid => "AVOID",
        }
    }

    /// Whether it keeps from doing something.
    pub(crate) fn restricts(self) -> bool {
        self != Force::Prefer
    }
}

/// Where a directive applies; a part that is `None` applies everywhere. `*` stands for any text, `?` for one
/// character.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RuleScope {
    /// Namespace of the action or the memory.
    pub namespace: Option<String>,
    /// Kind of the action or the memory.
    pub kind: Option<String>,
    /// Who acts; the author of a memory.
    pub agent: Option<String>,
    /// The tool that is called.
    pub tool: Option<String>,
}

impl RuleScope {
    pub(crate) fn parts(&self) -> [(&'static str, Option<&String>); 4] {
        [
            ("namespace", self.namespace.as_ref()),
            ("kind", self.kind.as_ref()),
            ("agent", self.agent.as_ref()),
            ("tool", self.tool.as_ref()),
        ]
    }
}

/// A rule: what must, must never, should rather or rather not be done. Read from text
/// ([`Directive::parse`]), and printed as the same text by `Display`:
///
/// ```text
/// NEVER "no-force-push" priority 10
///   because "it rewrites what others have"
///   author "ops"
///   in tool "git" namespace "prod*"
///   from 2026-01-01T00:00:00Z
///   until 2027-01-01T00:00:00Z
///   when args.command matches /push\s.*--force\b/ and not tag is "reviewed"
///
/// MUST "tested-deploys"
///   because "untested deploys took us down twice"
///   when tool is "deploy" and args.target is "prod"
///   require fact "tests" is "passed" and args.build > 0
///
/// PREFER "emergency-push"
///   because "the owner said so"
///   when tag is "emergency"
///   lifts "no-force-push"
/// ```
///
/// A condition is made of tests, `and`, `or`, `not` and brackets; `always` holds for everything. Tests look at
/// `tool`, `text`, `tag`, `args` (with a path: `args.a["b c"][0]`), `metadata` (of memories, likewise) or
/// `fact "name"`, and ask: `is` a text, number or boolean; `like "glob"` (`*`, `?`); `matches
/// /regular expression/`; `<`, `<=`, `>`, `>=` a number or text; `present`; `absent`. `vector similar to
/// [0.1, 0.2] at least 0.8` asks for the cosine. Regular expressions are those of the crate `regex`: linear
/// in the text, found anywhere in it unless anchored; `\/` stands for `/`. A `#` begins a comment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Directive {
    /// Names it: 1 to 100 letters, digits and `._-:`.
    pub id: String,
    /// What it demands.
    pub force: Force,
    /// Among rules that say different things, the one of higher priority decides. Default: 0.
    pub priority: i32,
    /// Why there is this rule.
    pub reason: String,
    /// Who wants it; empty if nobody is named.
    pub author: String,
    /// Where it applies.
    pub scope: RuleScope,
    /// From when on.
    pub from: Option<Timestamp>,
    /// Until when, exclusive.
    pub until: Option<Timestamp>,
    /// The rules that it lifts where it applies; of a PREFER only.
    pub lifts: Vec<String>,
    pub(crate) when: Condition,
    pub(crate) require: Option<Condition>,
}

impl Directive {
    /// Reads one directive. Fails with [`InvalidArgument`](crate::Error::InvalidArgument), naming line and
    /// column.
    pub fn parse(text: &str) -> Result<Self> {
        let mut rules = super::parse_rules(text)?;
        match (rules.pop(), rules.is_empty()) {
            (Some(rule), true) => Ok(rule),
            (None, _) => Err(Error::invalid(
                "directive",
                "the text holds none: begin with MUST, NEVER, PREFER or AVOID",
            )),
            (Some(_), false) => {
                Err(Error::invalid("directive", "the text holds several: give one at a time"))
            }
        }
    }

    /// Refuses what is no sound rule.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |why: String| Err(Error::invalid("directive", format!("{:?}: {why}", self.id)));
        let is_name = |id: &str| {
            (1..=100).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b))
        };
        if !is_name(&self.id) {
            return wrong("an id is 1 to 100 letters, digits and . _ - :".to_owned());
        }
        if self.reason.trim().is_empty() {
            return wrong("it needs a reason: because \"...\"".to_owned());
        }
        if self.force == Force::Must && self.require.is_none() {
            return wrong("a MUST says what it requires: require ...".to_owned());
        }
        if self.force != Force::Must && self.require.is_some() {
            return wrong("only a MUST requires something".to_owned());
        }
        if self.force != Force::Prefer && !self.lifts.is_empty() {
            return wrong("only a PREFER lifts other rules".to_owned());
        }
        if self.lifts.iter().any(|id| !is_name(id) || *id == self.id) {
            return wrong("it lifts what is no id of another rule".to_owned());
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && from >= until
        {
            return wrong("it ends before it begins".to_owned());
        }
        if [self.from, self.until].into_iter().flatten().any(|at| !TIMES.contains(&at)) {
            return wrong("its times lie outside the years 1970 to 9999".to_owned());
        }
        let tests = self.tests();
        if tests.len() > MAX_TESTS {
            return wrong(format!("it has {} tests; {MAX_TESTS} are allowed", tests.len()));
        }
        let depth = self.when.depth().max(self.require.as_ref().map_or(0, Condition::depth));
        if depth > MAX_DEPTH {
            return wrong(format!("its condition is nested more than {MAX_DEPTH} deep"));
        }
        if self.is_of_actions() && tests.iter().any(|(field, _)| matches!(field, Field::Metadata(_))) {
            return wrong(
                "it asks about actions (tool, args, fact) and about memories (metadata): make two".to_owned(),
            );
        }
        for (_, check) in &tests {
            match check {
                Check::Similar(vector, at_least)
                    if vector.iter().all(|x| *x == 0.0)
                        || !vector.iter().all(|x| x.is_finite())
                        || !at_least.is_finite() =>
                {
                    return wrong("an example vector has finite numbers, not all of them 0".to_owned());
                }
                other => {
                    if let Some(Err(why)) = pattern(other) {
                        return wrong(why);
                    }
                }
            }
        }
        let text = self.to_string();
        if text.len() > MAX_TEXT {
            return wrong(format!("its text has {} bytes; {MAX_TEXT} are allowed", text.len()));
        }
        Ok(())
    }

    fn tests(&self) -> Vec<(&Field, &Check)> {
        self.when.tests().into_iter().chain(self.require.iter().flat_map(Condition::tests)).collect()
    }

    /// Whether it asks what only an action has: then it says nothing of memories.
    pub(crate) fn is_of_actions(&self) -> bool {
        self.scope.tool.is_some() || self.tests().iter().any(|(field, _)| field.is_of_actions())
    }

    /// Whether it asks what only a memory has.
    pub(crate) fn is_of_memories(&self) -> bool {
        self.tests().iter().any(|(field, _)| matches!(field, Field::Metadata(_)))
    }

    /// How narrow it is: parts of its scope and tests. Among rules of the same priority the narrower decides.
    pub(crate) fn specificity(&self) -> usize {
        self.scope.parts().iter().filter(|(_, part)| part.is_some()).count() + self.when.tests().len()
    }

    /// The order in which directives decide: priority, then specificity, then id.
    pub(crate) fn order(&self, other: &Self) -> std::cmp::Ordering {
        let rank = other.priority.cmp(&self.priority).then(other.specificity().cmp(&self.specificity()));
        rank.then_with(|| self.id.cmp(&other.id))
    }

    /// Whether its scope takes a namespace in.
    pub(crate) fn may_apply_in(&self, namespace: &str) -> bool {
        self.scope.namespace.as_ref().is_none_or(
            |glob| matches!(pattern(&Check::Like(glob.clone())), Some(Ok(glob)) if glob.is_match(namespace)),
        )
    }

    /// The dimensions of the example vectors in it.
    pub(crate) fn dimensions(&self) -> Vec<usize> {
        let tests = self.tests().into_iter();
        tests
            .filter_map(|(_, check)| match check {
                Check::Similar(v, _) => Some(v.len()),
                _ => None,
            })
            .collect()
    }
}
