//! Filters: which memories a recall may find. A tree of conditions, which Rust builds as a value and the
//! other faces as JSON of the same shape.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// Most conditions in one filter (SQLite takes no expression that is deeper than 1,000), how deep they may be nested, and
/// most values in its lists.
const MOST_CONDITIONS: usize = 900;
const DEEPEST: usize = 32;
const MOST_VALUES: usize = 1000;

/// A condition on a memory.
///
/// As JSON: `{"kind": "recipe"}`, `{"author": "ann"}`, `{"created": {"from": 0, "before": 1700000000000000}}`,
/// `{"field": {"name": "lang", "equals": "rust"}}` (or `"one_of": [...]`, `"range": {"from": 1, "to": 5}`,
/// `"exists": true`), `{"all": [...]}`, `{"any": [...]}`, `{"not": {...}}`.
///
/// ```
/// use wisen::{Filter, Memory, Options, Query, Store};
///
/// # fn main() -> wisen::Result<()> {
/// let store = Store::open(":memory:", Options::new(2))?;
/// store.declare_field("lang")?;
/// let rust = store.remember(
///     Memory::new("use the borrow checker", [1.0, 0.0]).metadata(serde_json::json!({"lang": "rust"})),
/// )?;
/// store.remember(Memory::new("use a virtual environment", [1.0, 0.1]))?;
/// let found = store.recall(&Query::new([1.0, 0.1]).filter(Filter::field("lang", "rust")))?;
/// assert_eq!(found.hits.iter().map(|hit| hit.id).collect::<Vec<_>>(), [rust]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Filter {
    /// Of this kind.
    Kind(String),
    /// Remembered by this author.
    Author(String),
    /// Remembered in this span of time.
    Created(Span),
    /// By a field of the metadata, which has to be declared ([`Store::declare_field`](crate::Store::declare_field)).
    Field(FieldTest),
    /// All of these hold; none given: holds.
    All(Vec<Filter>),
    /// At least one of these holds; none given: does not hold.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
}

/// A span of time, in microseconds since 1970; each end may be left open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Span {
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Up to but not at this moment.
    pub before: Option<Timestamp>,
}

/// A field and what it has to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldTest {
    /// As it was declared.
    pub name: String,
    /// What it has to hold.
    #[serde(flatten)]
    pub test: Test,
}

/// What a field has to hold. A field that holds a list passes if any of its elements does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Test {
    /// This value; text is compared exactly, numbers by what they are worth.
    Equals(Scalar),
    /// One of these values.
    OneOf(Vec<Scalar>),
    /// A value from one to the other, both included; each may be left open. Numbers are compared with
    /// numbers and text with text (by code points).
    Range {
        /// The least.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Scalar>,
        /// The greatest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Scalar>,
    },
    /// Any value (true), or none (false).
    Exists(bool),
}

impl Test {
    /// The numbers in it that are not whole.
    fn numbers(&self) -> impl Iterator<Item = f64> {
        let (one, more) = match self {
            Test::Equals(value) => ([Some(value), None], &[][..]),
            Test::OneOf(values) => ([None, None], &values[..]),
            Test::Range { from, to } => ([from.as_ref(), to.as_ref()], &[][..]),
            Test::Exists(_) => ([None, None], &[][..]),
        };
        one.into_iter().flatten().chain(more).filter_map(|value| match value {
            Scalar::Real(number) => Some(*number),
            _ => None,
        })
    }
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Real(f64),
    /// Text.
    Text(String),
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Scalar::Bool(value)
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Self {
        Scalar::Integer(value)
    }
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Scalar::Real(value)
    }
}

impl From<&str> for Scalar {
    fn from(value: &str) -> Self {
        Scalar::Text(value.to_owned())
    }
}

impl From<String> for Scalar {
    fn from(value: String) -> Self {
        Scalar::Text(value)
    }
}

impl Filter {
    /// Memories of a kind.
    pub fn kind(kind: impl Into<String>) -> Self {
        Filter::Kind(kind.into())
    }

    /// Memories of an author.
    pub fn author(author: impl Into<String>) -> Self {
        Filter::Author(author.into())
    }

    /// Memories whose field holds this value.
    pub fn field(name: impl Into<String>, value: impl Into<Scalar>) -> Self {
        Self::field_is(name, Test::Equals(value.into()))
    }

    /// Memories whose field passes a test.
    pub fn field_is(name: impl Into<String>, test: Test) -> Self {
        Filter::Field(FieldTest { name: name.into(), test })
    }

    /// From its JSON.
    pub fn parse(text: &str) -> Result<Self> {
        let filter: Filter = serde_json::from_str(text)
            .map_err(|error| Error::invalid("filter", format!("it is no filter: {error}")))?;
        filter.check()?;
        Ok(filter)
    }

    /// What tells it from every other one.
    pub(crate) fn key(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::internal)
    }

    /// Refuses what is too large to be answered, and numbers that are not finite: JSON does not tell them apart.
    pub(crate) fn check(&self) -> Result<()> {
        let (mut conditions, mut values, mut open) = (0, 0, vec![(self, 1)]);
        while let Some((filter, depth)) = open.pop() {
            conditions += 1;
            if let Filter::Field(FieldTest { test: Test::OneOf(list), .. }) = filter {
                values += list.len();
            }
            if conditions > MOST_CONDITIONS || depth > DEEPEST || values > MOST_VALUES {
                let why = format!(
                    "it has more than {MOST_CONDITIONS} conditions, more than {DEEPEST} within one another, or \
                     more than {MOST_VALUES} values in lists"
                );
                return Err(Error::invalid("filter", why));
            }
            if let Filter::Field(FieldTest { name, test }) = filter
                && let Some(value) = test.numbers().find(|value| !value.is_finite())
            {
                let why = format!("field {name:?} is compared with {value}; only finite numbers are stored");
                return Err(Error::invalid("filter", why));
            }
            match filter {
                Filter::All(parts) | Filter::Any(parts) => {
                    open.extend(parts.iter().map(|part| (part, depth + 1)));
                }
                Filter::Not(part) => open.push((part, depth + 1)),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_gives_it_back() {
        let filter = Filter::All(vec![
            Filter::kind("recipe"),
            Filter::Any(vec![Filter::field("lang", "rust"), Filter::field("stars", 3)]),
            Filter::Not(Box::new(Filter::field_is("open", Test::Exists(true)))),
            Filter::Created(Span { from: Some(5), before: None }),
            Filter::field_is("x", Test::Range { from: Some(0.5.into()), to: None }),
            Filter::field_is("y", Test::OneOf(vec![true.into(), "a".into()])),
        ]);
        assert_eq!(Filter::parse(&filter.key().expect("prints")).expect("parses"), filter);
        let short = r#"{"field": {"name": "lang", "equals": "rust"}}"#;
        assert_eq!(Filter::parse(short).expect("parses"), Filter::field("lang", "rust"));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for wrong in
            ["", "{}", "[]", r#"{"knd": "x"}"#, r#"{"field": {"name": "x"}}"#, r#"{"created": {"to": 1}}"#]
        {
            assert!(Filter::parse(wrong).is_err(), "{wrong}");
        }
        let mut deep = Filter::kind("x");
        for _ in 0..40 {
            deep = Filter::Not(Box::new(deep));
        }
        assert!(deep.check().is_err());
        assert!(Filter::Any(vec![Filter::kind("x"); 1001]).check().is_err());
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for test in [
                Test::Equals(number.into()),
                Test::OneOf(vec![1.into(), number.into()]),
                Test::Range { from: Some(number.into()), to: None },
                Test::Range { from: None, to: Some(number.into()) },
            ] {
                let filter = Filter::Not(Box::new(Filter::field_is("x", test)));
                assert!(filter.check().is_err(), "{filter:?}");
            }
        }
    }
}
