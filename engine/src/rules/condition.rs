//! Conditions: trees of tests over an action or a memory, and how they are judged.
//!
//! A test looks at a field. `args` and `metadata` are JSON: a test on a list or an object holds if it holds
//! for any value in it, however deep, so that `args matches /x/` looks at all arguments. Keys are no
//! values. A test on what is not there does not hold, except `absent`.
//!
//! Judging has three results: a test can be undecidable (a comparison of a number with text; similarity
//! without a vector, and facts aside nothing else). `and`, `or` and `not` carry that on as Kleene's logic
//! does; what it means in the end is decided in `verdict.rs`, against the one who asks.

use serde_json::{Number, Value};

use super::action::Thing;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// Holds for everything.
    Always,
    Test(Field, Check),
    Not(Box<Condition>),
    /// Two or more.
    All(Vec<Condition>),
    /// Two or more.
    Any(Vec<Condition>),
}

/// What a test looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Field {
    Tool,
    Text,
    /// Each tag.
    Tag,
    Args(Vec<Step>),
    Metadata(Vec<Step>),
    /// A fact, by name.
    Fact(String),
    /// The embedding.
    Vector,
}

/// A step into JSON.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    Key(String),
    At(usize),
}

/// What a test asks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Check {
    Is(Scalar),
    /// `*` is any text, `?` one character, `\` takes the next one as it is.
    Like(String),
    /// A regular expression found anywhere in it.
    Matches(String),
    Compare(Order, Scalar),
    Present,
    Absent,
    /// Cosine to the vector, at least so much. Of the field [`Field::Vector`], which is asked nothing else.
    Similar(Vec<f32>, f32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Order {
    pub(super) fn holds(self, found: std::cmp::Ordering) -> bool {
        match self {
            Order::Less => found.is_lt(),
            Order::AtMost => found.is_le(),
            Order::More => found.is_gt(),
            Order::AtLeast => found.is_ge(),
        }
    }
}

/// A value in a test.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Number(Number),
    Bool(bool),
}

/// `None`: it cannot be judged.
pub(crate) type Truth = Option<bool>;

pub(crate) fn not(truth: Truth) -> Truth {
    truth.map(|truth| !truth)
}

pub(crate) fn all(truths: impl Iterator<Item = Truth>) -> Truth {
    let mut result = Some(true);
    for truth in truths {
        match truth {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}

pub(crate) fn any(truths: impl Iterator<Item = Truth>) -> Truth {
    not(all(truths.map(not)))
}

/// The value at the end of a path.
pub(crate) fn walk<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::At(i) => value.get(i),
    })
}

/// Calls `see` with every value in this one that holds no others, until it returns true.
pub(crate) fn any_leaf(value: &Value, see: &mut dyn FnMut(&Value) -> bool) -> bool {
    leaves(value).any(see)
}

/// The values in it that hold no others.
pub(crate) fn leaves(value: &Value) -> impl Iterator<Item = &Value> {
    let mut open = vec![value];
    std::iter::from_fn(move || {
        loop {
            match open.pop()? {
                Value::Array(items) => open.extend(items),
                Value::Object(items) => open.extend(items.values()),
                leaf => return Some(leaf),
            }
        }
    })
}

/// The text of a value that holds no others, as a regular expression sees it.
pub(crate) fn leaf_text(leaf: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match leaf {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(true) => Some("true".into()),
        Value::Bool(false) => Some("false".into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Compares numbers as numbers, however they are written.
pub(crate) fn compare_numbers(a: &Number, b: &Number) -> Option<std::cmp::Ordering> {
    let whole = |n: &Number| n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

impl Scalar {
    /// Whether a value is this one.
    pub(crate) fn equals(&self, value: &Value) -> bool {
        match (self, value) {
            (Scalar::Text(a), Value::String(b)) => a == b,
            (Scalar::Number(a), Value::Number(b)) => {
                compare_numbers(a, b).is_some_and(std::cmp::Ordering::is_eq)
            }
            (Scalar::Bool(a), Value::Bool(b)) => a == b,
            _ => false,
        }
    }

    /// Whether a text stands so to this one.
    pub(crate) fn compares_text(&self, order: Order, text: &str) -> Truth {
        match self {
            Scalar::Text(own) => Some(order.holds(text.cmp(own.as_str()))),
            _ => None,
        }
    }

    /// Whether a value stands so to this one.
    pub(crate) fn compares(&self, order: Order, value: &Value) -> Truth {
        let found = match (self, value) {
            (Scalar::Text(a), Value::String(b)) => Some(b.as_str().cmp(a.as_str())),
            (Scalar::Number(a), Value::Number(b)) => compare_numbers(b, a),
            _ => None,
        };
        found.map(|found| order.holds(found))
    }
}

impl Field {
    /// The JSON value it names, if it names one that is there.
    pub(crate) fn value<'a>(&self, thing: &Thing<'a>) -> Option<&'a Value> {
        match self {
            Field::Args(path) => walk(thing.args?, path),
            Field::Metadata(path) => walk(thing.metadata?, path),
            _ => None,
        }
        .filter(|value| !value.is_null())
    }

    /// Whether only an action has it.
    pub(crate) fn is_of_actions(&self) -> bool {
        matches!(self, Field::Tool | Field::Args(_) | Field::Fact(_))
    }
}

impl Condition {
    /// All tests in it.
    pub(crate) fn tests(&self) -> Vec<(&Field, &Check)> {
        match self {
            Condition::Always => Vec::new(),
            Condition::Test(field, check) => vec![(field, check)],
            Condition::Not(inner) => inner.tests(),
            Condition::All(parts) | Condition::Any(parts) => parts.iter().flat_map(Self::tests).collect(),
        }
    }

    /// How deep it is.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Condition::Always | Condition::Test(..) => 1,
            Condition::Not(inner) => 1 + inner.depth(),
            Condition::All(parts) | Condition::Any(parts) => {
                1 + parts.iter().map(Self::depth).max().unwrap_or(0)
            }
        }
    }
}
