//! Patterns, and what has to be there before a condition can hold.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::condition::{Check, Condition, Field, Order, Scalar};

/// Most memory of a compiled pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// The compiled pattern of a test, or what is wrong with it; `None` if it has none.
pub(crate) fn pattern(check: &Check) -> Option<Result<Regex, String>> {
    let text = match check {
        Check::Like(glob) => glob_pattern(glob),
        Check::Matches(pattern) => pattern.clone(),
        _ => return None,
    };
    let built = RegexBuilder::new(&text).size_limit(MAX_PATTERN).nest_limit(100).build();
    Some(built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            "a regular expression is too large: count fewer repetitions, or use ASCII classes".to_owned()
        }
        other => format!("a regular expression is wrong: {other}"),
    }))
}

/// A glob as a regular expression.
pub(crate) fn glob_pattern(glob: &str) -> String {
    let mut pattern = String::from("(?s)^");
    let mut chars = glob.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            '\\' => pattern.push_str(&regex::escape(chars.next().unwrap_or('\\').encode_utf8(&mut [0; 4]))),
            c => pattern.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    pattern.push('$');
    pattern
}

/// What has to be there: the field, and in one of its texts each of the literals, in whatever ASCII case.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Guard {
    pub field: Field,
    /// None: any value.
    pub literals: Vec<String>,
    /// A bound: of numbers, only one on its side of it is enough, or on it.
    pub bound: Option<Bound>,
}

/// A side of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    From(f64),
    UpTo(f64),
}

impl Guard {
    fn longest(&self) -> usize {
        self.literals.iter().map(String::len).max().unwrap_or(0)
    }
}

/// Alternatives of which one has to be there for the condition to hold or to be undecidable; `None`: it may
/// hold whatever is there.
pub(crate) fn guards(condition: &Condition) -> Option<Vec<Guard>> {
    match condition {
        Condition::Always | Condition::Not(_) => None,
        Condition::Test(field, check) => guard(field, check).map(|guard| vec![guard]),
        Condition::All(parts) => {
            parts.iter().filter_map(guards).max_by_key(|guards| guards.iter().map(Guard::longest).min())
        }
        Condition::Any(parts) => {
            let alternatives: Option<Vec<Vec<Guard>>> = parts.iter().map(guards).collect();
            alternatives.map(|alternatives| alternatives.concat())
        }
    }
}

fn guard(field: &Field, check: &Check) -> Option<Guard> {
    if matches!(field, Field::Fact(_) | Field::Tool | Field::Vector) {
        return None;
    }
    let mut literals = match check {
        Check::Absent | Check::Similar(..) => return None,
        Check::Is(Scalar::Text(text)) => vec![text.clone()],
        // A number or a truth is found by its kind, not by how it is written.
        Check::Is(_) | Check::Compare(..) | Check::Present => Vec::new(),
        Check::Like(glob) => literals_of(&glob_pattern(glob)),
        Check::Matches(pattern) => literals_of(pattern),
    };
    literals.retain(|literal| !literal.is_empty());
    Some(Guard { field: field.clone(), literals, bound: bound(field, check) })
}

/// The bound of a comparison. Where numbers are rounded, that keeps their order, so that nothing on the right
/// side of it comes to lie on the wrong one.
fn bound(field: &Field, check: &Check) -> Option<Bound> {
    match (field, check) {
        (Field::Args(_) | Field::Metadata(_), Check::Compare(order, Scalar::Number(number))) => {
            let number = number.as_f64().filter(|number| !number.is_nan())?;
            Some(match order {
                Order::More | Order::AtLeast => Bound::From(number),
                Order::Less | Order::AtMost => Bound::UpTo(number),
            })
        }
        _ => None,
    }
}

/// The tools of which the condition needs one; `None`: it may hold for any.
pub(crate) fn tools(condition: &Condition) -> Option<Vec<String>> {
    match condition {
        Condition::Test(Field::Tool, Check::Is(Scalar::Text(tool))) => Some(vec![tool.clone()]),
        Condition::All(parts) => parts.iter().find_map(tools),
        Condition::Any(parts) => {
            let alternatives: Option<Vec<Vec<String>>> = parts.iter().map(tools).collect();
            alternatives.map(|alternatives| alternatives.concat())
        }
        _ => None,
    }
}

/// Texts that are all in whatever the pattern matches, but for the case of their ASCII letters.
fn literals_of(pattern: &str) -> Vec<String> {
    let mut runs = vec![String::new()];
    if let Ok(hir) = regex_syntax::parse(pattern) {
        collect(&hir, &mut runs);
    }
    runs
}

/// Gathers runs of characters that have to be there, one after the other.
fn collect(hir: &Hir, runs: &mut Vec<String>) {
    let last = |runs: &mut Vec<String>, text: &str| {
        if let Some(last) = runs.last_mut() {
            last.push_str(text);
        }
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => last(runs, text),
            Err(_) => runs.push(String::new()),
        },
        HirKind::Concat(parts) => parts.iter().for_each(|part| collect(part, runs)),
        HirKind::Capture(capture) => collect(&capture.sub, runs),
        HirKind::Repetition(repetition) if repetition.min > 0 => {
            // Once at least; what follows may come after more of them.
            collect(&repetition.sub, runs);
            if repetition.max != Some(1) {
                runs.push(String::new());
            }
        }
        HirKind::Class(_) => match letter(hir) {
            Some(letter) => last(runs, letter.encode_utf8(&mut [0; 4])),
            None => runs.push(String::new()),
        },
        HirKind::Repetition(_) | HirKind::Alternation(_) => runs.push(String::new()),
    }
}

/// The letter of a class that holds just its two ASCII cases.
fn letter(hir: &Hir) -> Option<char> {
    let HirKind::Class(class) = hir.kind() else {
        return None;
    };
    let ranges: Vec<(u32, u32)> = match class {
        regex_syntax::hir::Class::Unicode(class) => {
            class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect()
        }
        regex_syntax::hir::Class::Bytes(class) => {
            class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect()
        }
    };
    match ranges[..] {
        [(a, b), (c, d)] if a == b && c == d => {
            let (upper, lower) = (char::from_u32(a)?, char::from_u32(c)?);
            (upper.is_ascii_uppercase() && upper.to_ascii_lowercase() == lower).then_some(lower)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_in_all_that_matches() {
        for (pattern, literal) in [
            (r"rm\s+-rf /", Some("-rf /")),
            (r"push.*--force\b", Some("--force")),
            ("(?i)drop", Some("drop")),
            // The Kelvin sign is a k, and the long s an s.
            ("(?i)kilo", Some("ilo")),
            ("(?i)sql", Some("ql")),
            ("a|b", None),
            ("(ab)+c", Some("ab")),
            ("x?y{2}", Some("y")),
            ("[0-9]+", None),
        ] {
            let longest = literals_of(pattern).into_iter().max_by_key(String::len);
            assert_eq!(longest.filter(|text| !text.is_empty()).as_deref(), literal, "{pattern}");
        }
        assert_eq!(literals_of(&glob_pattern("*.tar.gz")), ["", ".tar.gz"]);
    }

    #[test]
    fn a_glob_is_anchored_and_takes_all_characters() {
        let matches = |glob: &str, text: &str| {
            pattern(&Check::Like(glob.to_owned())).expect("a pattern").expect("is sound").is_match(text)
        };
        assert!(matches("a*c", "a\nb/c") && matches("", "") && matches("a?c", "a\u{e4}c"));
        assert!(!matches("a", "ab") && !matches("a?", "a") && !matches("a.c", "abc"));
        assert!(matches(r"a\*", "a*") && !matches(r"a\*", "ab") && matches(r"a\", r"a\"));
    }
}
