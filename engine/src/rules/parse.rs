//! Reads rules from text. Errors name the line and the column, both counted from 1, in characters.

use std::time::UNIX_EPOCH;

use serde_json::Number;

use crate::clock::Timestamp;
use crate::error::{Error, Result};

use super::condition::{Check, Condition, Field, Order, Scalar, Step};
use super::directive::{Directive, Force, MAX_DEPTH, RuleScope};

/// Longest text of several directives, in bytes.
const MAX_RULES: usize = 64 << 20;

/// Reads directives from text, one after the other, and checks each. [`Directive`] describes the form.
/// Two of the same id are refused.
pub fn parse_rules(text: &str) -> Result<Vec<Directive>> {
    if text.len() > MAX_RULES {
        return Err(Error::invalid(
            "directive",
            format!("the text has {} bytes; 64 MiB are allowed", text.len()),
        ));
    }
    let mut parser = Parser { text, at: 0, token: Token::End, begun: 0, depth: 0 };
    parser.next()?;
    let mut rules: Vec<Directive> = Vec::new();
    let mut ids = std::collections::HashSet::new();
    while parser.token != Token::End {
        let begun = parser.begun;
        let rule = parser.directive()?;
        rule.check().map_err(|error| match error {
            Error::InvalidArgument { why, .. } => parser.error_at(begun, &why),
            other => other,
        })?;
        if !ids.insert(rule.id.clone()) {
            return Err(parser.error_at(begun, &format!("a second directive {:?}", rule.id)));
        }
        rules.push(rule);
    }
    Ok(rules)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    /// A regular expression.
    Pattern(String),
    /// A number or a time, as it is written.
    Number(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn describe(&self) -> String {
        match self {
            Token::Word(word) => format!("{word:?}"),
            Token::Text(_) => "a quoted text".to_owned(),
            Token::Pattern(_) => "a regular expression".to_owned(),
            Token::Number(number) => format!("{number:?}"),
            Token::Sign(sign) => format!("{sign:?}"),
            Token::End => "the end".to_owned(),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Where the next token begins, or white space before it.
    at: usize,
    token: Token,
    /// Where the token begins.
    begun: usize,
    depth: usize,
}

const SIGNS: [&str; 10] = ["<=", ">=", "<", ">", "(", ")", "[", "]", ".", ","];

impl Parser<'_> {
    fn error_at(&self, at: usize, why: &str) -> Error {
        let before = &self.text[..at];
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        Error::invalid("directive", format!("line {line}, column {column}: {why}"))
    }

    fn error(&self, why: &str) -> Error {
        self.error_at(self.begun, why)
    }

    fn expected(&self, what: &str) -> Error {
        self.error(&format!("expected {what}, found {}", self.token.describe()))
    }

    /// Goes to the next token.
    fn next(&mut self) -> Result<()> {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                break;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
        self.begun = self.at;
        let rest = &self.text[self.at..];
        let run = |allowed: fn(char) -> bool| rest.find(|c| !allowed(c)).unwrap_or(rest.len());
        let (token, len) = match rest.chars().next() {
            None => (Token::End, 0),
            Some('"') => self.quoted(rest)?,
            Some('/') => self.pattern(rest)?,
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let len = run(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                (Token::Word(rest[..len].to_owned()), len)
            }
            Some(c) if c.is_ascii_digit() || c == '-' => {
                let len = run(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c));
                (Token::Number(rest[..len].to_owned()), len)
            }
            Some(c) => match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => return Err(self.error(&format!("{c:?} means nothing here"))),
            },
        };
        self.token = token;
        self.at += len;
        Ok(())
    }

    fn quoted(&self, rest: &str) -> Result<(Token, usize)> {
        let mut escaped = false;
        for (i, c) in rest.char_indices().skip(1) {
            match c {
                '"' if !escaped => {
                    let text = serde_json::from_str(&rest[..=i])
                        .map_err(|_| self.error("the quoted text is no JSON string: check its escapes"))?;
                    return Ok((Token::Text(text), i + 1));
                }
                _ => escaped = c == '\\' && !escaped,
            }
        }
        Err(self.error("the quoted text is not closed: end it with \""))
    }

    fn pattern(&self, rest: &str) -> Result<(Token, usize)> {
        let mut pattern = String::new();
        let mut chars = rest.char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '/' => return Ok((Token::Pattern(pattern), i + 1)),
                '\n' => break,
                '\\' => match chars.next() {
                    Some((_, '/')) => pattern.push('/'),
                    Some((_, c)) if c != '\n' => pattern.extend(['\\', c]),
                    _ => break,
                },
                c => pattern.push(c),
            }
        }
        Err(self.error("the regular expression is not closed on its line: end it with /, and write \\/ for a slash in it"))
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(found) if found == word)
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(&self.token, Token::Sign(found) if *found == sign)
    }

    /// Takes a word, if it is the one that is next.
    fn take(&mut self, word: &str) -> Result<bool> {
        let taken = self.is_word(word);
        if taken {
            self.next()?;
        }
        Ok(taken)
    }

    fn take_sign(&mut self, sign: &str) -> Result<bool> {
        let taken = self.is_sign(sign);
        if taken {
            self.next()?;
        }
        Ok(taken)
    }

    fn need_word(&mut self, word: &str) -> Result<()> {
        if self.take(word)? { Ok(()) } else { Err(self.expected(&format!("{word:?}"))) }
    }

    fn need_sign(&mut self, sign: &str) -> Result<()> {
        if self.take_sign(sign)? { Ok(()) } else { Err(self.expected(&format!("{sign:?}"))) }
    }

    fn need_text(&mut self, what: &str) -> Result<String> {
        match std::mem::replace(&mut self.token, Token::End) {
            Token::Text(text) => {
                self.next()?;
                Ok(text)
            }
            other => {
                self.token = other;
                Err(self.expected(&format!("{what} in quotes")))
            }
        }
    }

    /// The number or time that is next, read by `read`.
    fn need_number<T>(&mut self, what: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let value = match &self.token {
            Token::Number(number) => read(number),
            _ => None,
        };
        let value = value.ok_or_else(|| self.expected(what))?;
        self.next()?;
        Ok(value)
    }

    fn directive(&mut self) -> Result<Directive> {
        let force = Force::ALL.into_iter().find(|force| self.is_word(force.as_str()));
        let force = force.ok_or_else(|| self.expected("MUST, NEVER, PREFER or AVOID"))?;
        self.next()?;
        let id = self.need_text("the id of the directive")?;
        let priority = if self.take("priority")? {
            self.need_number("a whole number", |number| number.parse().ok())?
        } else {
            0
        };
        self.need_word("because")?;
        let reason = self.need_text("the reason")?;
        let author = if self.take("author")? { self.need_text("the author")? } else { String::new() };
        let scope = if self.take("in")? { self.scope()? } else { RuleScope::default() };
        let from = if self.take("from")? { Some(self.time()?) } else { None };
        let until = if self.take("until")? { Some(self.time()?) } else { None };
        let when = if self.take("when")? { self.condition()? } else { Condition::Always };
        let require = if self.take("require")? { Some(self.condition()?) } else { None };
        let mut lifts = Vec::new();
        if self.take("lifts")? {
            lifts.push(self.need_text("the id of the rule that is lifted")?);
            while self.take_sign(",")? {
                lifts.push(self.need_text("the id of the rule that is lifted")?);
            }
        }
        if self.token != Token::End && !Force::ALL.iter().any(|force| self.is_word(force.as_str())) {
            return Err(self.expected("the next part of the directive (author, in, from, until, when, require, lifts, in this order), or the next directive"));
        }
        Ok(Directive { id, force, priority, reason, author, scope, from, until, lifts, when, require })
    }

    fn scope(&mut self) -> Result<RuleScope> {
        let mut scope = RuleScope::default();
        while let Token::Word(word) = &self.token {
            let part = match word.as_str() {
                "namespace" => &mut scope.namespace,
                "kind" => &mut scope.kind,
                "agent" => &mut scope.agent,
                "tool" => &mut scope.tool,
                _ => break,
            };
            if part.is_some() {
                return Err(self.error("this part of the scope is given twice"));
            }
            self.next()?;
            *part = Some(self.need_text("a name")?);
        }
        if scope == RuleScope::default() {
            return Err(self.expected("namespace, kind, agent or tool"));
        }
        Ok(scope)
    }

    fn time(&mut self) -> Result<Timestamp> {
        self.need_number("a time such as 2026-01-31T12:00:00Z", |text| {
            let at = humantime::parse_rfc3339(text).ok()?;
            i64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
        })
    }

    fn condition(&mut self) -> Result<Condition> {
        self.deeper()?;
        let mut parts = vec![self.conjunction()?];
        while self.take("or")? {
            parts.push(self.conjunction()?);
        }
        self.depth -= 1;
        Ok(one_or(parts, Condition::Any))
    }

    fn conjunction(&mut self) -> Result<Condition> {
        let mut parts = vec![self.part()?];
        while self.take("and")? {
            parts.push(self.part()?);
        }
        Ok(one_or(parts, Condition::All))
    }

    fn part(&mut self) -> Result<Condition> {
        if self.take("not")? {
            self.deeper()?;
            let inner = self.part()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.take_sign("(")? {
            let inner = self.condition()?;
            self.need_sign(")")?;
            return Ok(inner);
        }
        if self.take("always")? {
            return Ok(Condition::Always);
        }
        self.test()
    }

    /// What reads itself must not overflow the stack.
    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > 2 * MAX_DEPTH {
            return Err(self.error(&format!("a condition may be nested {MAX_DEPTH} deep")));
        }
        Ok(())
    }

    fn test(&mut self) -> Result<Condition> {
        let what = "a test (of tool, text, tag, args, metadata, fact or vector), always, not or (";
        let Token::Word(word) = &self.token else {
            return Err(self.expected(what));
        };
        let field = match word.as_str() {
            "tool" => Field::Tool,
            "text" => Field::Text,
            "tag" => Field::Tag,
            "vector" => Field::Vector,
            "fact" => {
                self.next()?;
                let field = Field::Fact(self.need_text("the name of a fact")?);
                return self.check(field);
            }
            "args" | "metadata" => {
                let of_args = word == "args";
                self.next()?;
                let path = self.path()?;
                return self.check(if of_args { Field::Args(path) } else { Field::Metadata(path) });
            }
            _ => return Err(self.expected(what)),
        };
        self.next()?;
        self.check(field)
    }

    fn path(&mut self) -> Result<Vec<Step>> {
        let mut path = Vec::new();
        loop {
            if self.take_sign(".")? {
                let Token::Word(key) = std::mem::replace(&mut self.token, Token::End) else {
                    return Err(self.error("expected a key after the dot; keys with other characters are written [\"like this\"]"));
                };
                path.push(Step::Key(key));
                self.next()?;
            } else if self.take_sign("[")? {
                path.push(if matches!(self.token, Token::Text(_)) {
                    Step::Key(self.need_text("a key")?)
                } else {
                    Step::At(self.need_number("a key in quotes or a position from 0", |n| n.parse().ok())?)
                });
                self.need_sign("]")?;
            } else {
                return Ok(path);
            }
        }
    }

    fn check(&mut self, field: Field) -> Result<Condition> {
        let is_vector = field == Field::Vector;
        let check = if is_vector {
            self.need_word("similar")?;
            self.similar()?
        } else if self.take("is")? {
            Check::Is(self.scalar()?)
        } else if self.take("like")? {
            Check::Like(self.need_text("a pattern such as \"*.txt\"")?)
        } else if self.take("matches")? {
            match std::mem::replace(&mut self.token, Token::End) {
                Token::Pattern(pattern) => {
                    self.next()?;
                    Check::Matches(pattern)
                }
                other => {
                    self.token = other;
                    return Err(self.expected("a regular expression between slashes, /like this/"));
                }
            }
        } else if self.take("present")? {
            Check::Present
        } else if self.take("absent")? {
            Check::Absent
        } else {
            let orders =
                [("<", Order::Less), ("<=", Order::AtMost), (">", Order::More), (">=", Order::AtLeast)];
            let Some((_, order)) = orders.into_iter().find(|(sign, _)| self.is_sign(sign)) else {
                return Err(self.expected("is, like, matches, present, absent, <, <=, > or >="));
            };
            self.next()?;
            let value = self.scalar()?;
            if matches!(value, Scalar::Bool(_)) {
                return Err(self.error("true and false have no order: use is"));
            }
            Check::Compare(order, value)
        };
        Ok(Condition::Test(field, check))
    }

    fn scalar(&mut self) -> Result<Scalar> {
        for truth in [true, false] {
            if self.take(if truth { "true" } else { "false" })? {
                return Ok(Scalar::Bool(truth));
            }
        }
        if matches!(self.token, Token::Text(_)) {
            return Ok(Scalar::Text(self.need_text("a text")?));
        }
        // Not serde_json's parser, which may be off by the last bit.
        let number = self.need_number("a text in quotes, a number, true or false", |text| {
            let whole =
                text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
            whole.ok().or_else(|| Number::from_f64(text.parse().ok()?))
        })?;
        Ok(Scalar::Number(number))
    }

    fn similar(&mut self) -> Result<Check> {
        let number = |text: &str| text.parse::<f32>().ok().filter(|x| x.is_finite());
        self.need_word("to")?;
        self.need_sign("[")?;
        let mut vector = vec![self.need_number("a number", number)?];
        while self.take_sign(",")? {
            vector.push(self.need_number("a number", number)?);
        }
        self.need_sign("]")?;
        self.need_word("at")?;
        self.need_word("least")?;
        Ok(Check::Similar(vector, self.need_number("a number", number)?))
    }
}

fn one_or(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            many(parts)
        }
    }
}
