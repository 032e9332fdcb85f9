//! Rules as text. What is printed reads back as the same rule, and prints the same again.

use std::fmt::{Display, Formatter, Result, Write as _};
use std::time::{Duration, UNIX_EPOCH};

use super::condition::{Check, Condition, Field, Order, Scalar, Step};
use super::directive::Directive;

/// Several rules as text, which [`parse_rules`](super::parse_rules) reads.
pub fn print_rules<'a>(rules: impl IntoIterator<Item = &'a Directive>) -> String {
    let texts: Vec<String> = rules.into_iter().map(Directive::to_string).collect();
    texts.join("\n")
}

impl Display for Directive {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} {}", self.force.as_str(), quoted(&self.id))?;
        if self.priority != 0 {
            write!(f, " priority {}", self.priority)?;
        }
        write!(f, "\n  because {}\n", quoted(&self.reason))?;
        if !self.author.is_empty() {
            writeln!(f, "  author {}", quoted(&self.author))?;
        }
        let parts = self.scope.parts();
        if parts.iter().any(|(_, part)| part.is_some()) {
            f.write_str("  in")?;
            for (name, part) in parts.iter().filter_map(|(name, part)| Some((name, (*part)?))) {
                write!(f, " {name} {}", quoted(part))?;
            }
            f.write_char('\n')?;
        }
        for (word, at) in [("from", self.from), ("until", self.until)] {
            if let Some(at) = at {
                writeln!(f, "  {word} {}", time(at))?;
            }
        }
        writeln!(f, "  when {}", self.when)?;
        if let Some(require) = &self.require {
            writeln!(f, "  require {require}")?;
        }
        if !self.lifts.is_empty() {
            let lifts: Vec<String> = self.lifts.iter().map(|id| quoted(id)).collect();
            writeln!(f, "  lifts {}", lifts.join(", "))?;
        }
        Ok(())
    }
}

/// A time as RFC 3339 text.
pub(crate) fn time(at: crate::Timestamp) -> String {
    let at = UNIX_EPOCH + Duration::from_micros(at.max(0).cast_unsigned());
    humantime::format_rfc3339(at).to_string()
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let joined =
            |f: &mut Formatter<'_>, parts: &[Condition], word: &str, bracket: fn(&Condition) -> bool| {
                for (i, part) in parts.iter().enumerate() {
                    if i > 0 {
                        write!(f, " {word} ")?;
                    }
                    if bracket(part) { write!(f, "({part})")? } else { write!(f, "{part}")? }
                }
                Ok(())
            };
        match self {
            Condition::Always => f.write_str("always"),
            Condition::Test(field, check) => test(f, field, check),
            Condition::Not(inner) if matches!(**inner, Condition::All(_) | Condition::Any(_)) => {
                write!(f, "not ({inner})")
            }
            Condition::Not(inner) => write!(f, "not {inner}"),
            Condition::All(parts) => {
                joined(f, parts, "and", |part| matches!(part, Condition::All(_) | Condition::Any(_)))
            }
            Condition::Any(parts) => joined(f, parts, "or", |part| matches!(part, Condition::Any(_))),
        }
    }
}

fn test(f: &mut Formatter<'_>, field: &Field, check: &Check) -> Result {
    write!(f, "{field} ")?;
    match check {
        Check::Is(value) => write!(f, "is {value}"),
        Check::Like(glob) => write!(f, "like {}", quoted(glob)),
        Check::Matches(pattern) => write!(f, "matches /{}/", pattern.replace('/', "\\/")),
        Check::Compare(order, value) => {
            let order = match order {
                Order::Less => "<",
                Order::AtMost => "<=",
                Order::More => ">",
                Order::AtLeast => ">=",
            };
            write!(f, "{order} {value}")
        }
        Check::Present => f.write_str("present"),
        Check::Absent => f.write_str("absent"),
        Check::Similar(vector, at_least) => {
            f.write_str("similar to [")?;
            for (i, x) in vector.iter().enumerate() {
                write!(f, "{}{x}", if i > 0 { ", " } else { "" })?;
            }
            write!(f, "] at least {at_least}")
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (name, path) = match self {
            Field::Tool => return f.write_str("tool"),
            Field::Text => return f.write_str("text"),
            Field::Tag => return f.write_str("tag"),
            Field::Vector => return f.write_str("vector"),
            Field::Fact(name) => return write!(f, "fact {}", quoted(name)),
            Field::Args(path) => ("args", path),
            Field::Metadata(path) => ("metadata", path),
        };
        f.write_str(name)?;
        for step in path {
            match step {
                Step::Key(key) if is_word(key) => write!(f, ".{key}")?,
                Step::Key(key) => write!(f, "[{}]", quoted(key))?,
                Step::At(i) => write!(f, "[{i}]")?,
            }
        }
        Ok(())
    }
}

impl Display for Scalar {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Scalar::Text(text) => f.write_str(&quoted(text)),
            Scalar::Number(number) => write!(f, "{number}"),
            Scalar::Bool(truth) => write!(f, "{truth}"),
        }
    }
}

/// Whether a key may stand without quotes.
pub(super) fn is_word(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
