//! Rules, compiled: their scopes and conditions.

use regex::Regex;

use crate::error::{Error, Result};

use super::action::Thing;
use super::condition::{Check, Condition, Field, Order, Scalar};
use super::directive::Directive;
use super::guard::{glob_pattern, pattern};

/// A rule, compiled.
#[derive(Debug)]
pub(crate) struct Rule {
    pub directive: Directive,
    pub(super) scope: [Option<Name>; 4],
    pub(super) when: Node,
    pub(super) require: Option<Node>,
}

/// A name in a scope.
#[derive(Debug)]
pub(super) enum Name {
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

impl Rule {
    pub(super) fn compile(directive: Directive) -> Result<Self> {
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
