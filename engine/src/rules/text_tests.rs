//! Rules read back as they were printed, and print the same again.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::condition::{Check, Condition, Field, Order, Scalar, Step};
use super::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,12}", "[a-z ]{0,8}", Just("\"\\/\n\t\u{0}\u{202e}".to_owned())]
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        text().prop_map(Scalar::Text),
        any::<i64>().prop_map(|n| Scalar::Number(n.into())),
        any::<u64>().prop_map(|n| Scalar::Number(n.into())),
        any::<f64>().prop_filter_map("finite", |x| serde_json::Number::from_f64(x).map(Scalar::Number)),
        any::<bool>().prop_map(Scalar::Bool),
    ]
}

fn path() -> impl Strategy<Value = Vec<Step>> {
    let key = prop_oneof![text(), "[a-z_][a-z0-9_-]{0,6}".prop_map(String::from)];
    vec(prop_oneof![key.prop_map(Step::Key), any::<usize>().prop_map(Step::At)], 0..4)
}

/// Patterns as the parser leaves them: sound, without a line break, and with no escaped slash.
fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("a/b".to_owned()),
        Just(r"\\/".to_owned()),
        Just(r"\s+".to_owned()),
        Just("(?i)x|y".to_owned()),
        Just("[^\"#]".to_owned()),
        Just(r"\d{2,3}$".to_owned()),
        "[a-z]{1,5}".prop_map(String::from),
    ];
    vec(part, 1..4).prop_map(|parts| parts.concat())
}

fn check() -> impl Strategy<Value = Check> {
    let order = prop_oneof![Just(Order::Less), Just(Order::AtMost), Just(Order::More), Just(Order::AtLeast)];
    let ordered = scalar().prop_filter("has an order", |value| !matches!(value, Scalar::Bool(_)));
    prop_oneof![
        scalar().prop_map(Check::Is),
        text().prop_map(Check::Like),
        pattern().prop_map(Check::Matches),
        (order, ordered).prop_map(|(order, value)| Check::Compare(order, value)),
        Just(Check::Present),
        Just(Check::Absent),
    ]
}

fn condition(memories: bool) -> impl Strategy<Value = Condition> {
    let of_actions = prop_oneof![
        Just(Field::Tool),
        Just(Field::Text),
        Just(Field::Tag),
        path().prop_map(Field::Args),
        text().prop_map(Field::Fact),
    ];
    let of_memories = prop_oneof![Just(Field::Text), Just(Field::Tag), path().prop_map(Field::Metadata)];
    let field = if memories { of_memories.boxed() } else { of_actions.boxed() };
    let number = any::<f32>().prop_filter("finite, not 0", |x| x.is_normal());
    let leaf = prop_oneof![
        8 => (field, check()).prop_map(|(field, check)| Condition::Test(field, check)),
        1 => (vec(number, 1..4), -1.0_f32..1.0)
            .prop_map(|(vector, least)| Condition::Test(Field::Vector, Check::Similar(vector, least))),
        1 => Just(Condition::Always),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..5).prop_map(Condition::All),
            vec(inner.clone(), 2..5).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn directive() -> impl Strategy<Value = Directive> {
    let scope = (option::of(text()), option::of(text()), option::of(text()), option::of(text()));
    let force = prop_oneof![Just(Force::Must), Just(Force::Never), Just(Force::Prefer), Just(Force::Avoid)];
    let id = "[A-Za-z0-9._:-]{1,20}";
    let times =
        (0..126_000_000_000_000_000_i64, 1..126_000_000_000_000_000_i64, any::<bool>(), any::<bool>());
    let head = (force, id, any::<i32>(), ".{0,9}", text(), scope, times, vec(id, 0..3));
    (head, condition(false), condition(true), condition(false)).prop_map(
        |(head, when, of_memories, require)| {
            let (force, id, priority, reason, author, (namespace, kind, agent, tool), times, lifts) = head;
            let of_memories =
                (tool.is_none() && force != Force::Must && priority % 2 == 0).then_some(of_memories);
            Directive {
                force,
                priority,
                reason: format!("because {reason}"),
                author,
                scope: RuleScope { namespace, kind, agent, tool },
                from: times.2.then_some(times.0),
                until: times.3.then_some(times.0 + times.1),
                lifts: lifts.into_iter().filter(|other| *other != id && force == Force::Prefer).collect(),
                id,
                when: of_memories.unwrap_or(when),
                require: (force == Force::Must).then_some(require),
            }
        },
    )
}

proptest! {
    #[test]
    fn rules_survive_being_text(rule in directive()) {
        rule.check().expect("is sound");
        let printed = rule.to_string();
        let read = Directive::parse(&printed).expect(&printed);
        prop_assert_eq!(read.to_string(), printed);
        prop_assert_eq!(read, rule);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}", cut in 0_usize..300, rule in directive()) {
        let _ = parse_rules(&text);
        let printed = rule.to_string();
        let cut = (0..=cut.min(printed.len())).rev().find(|cut| printed.is_char_boundary(*cut)).unwrap_or(0);
        let _ = parse_rules(&printed[..cut]);
    }
}

#[test]
fn errors_name_line_and_column() {
    for (text, wanted) in [
        ("NEVER \"a\"\n  because x", "line 2, column 11: expected the reason in quotes, found \"x\""),
        ("NEVER \"a\" because \"b\" when tool = 3", "line 1, column 33: '=' means nothing here"),
        (
            "NEVER \"a\" because \"b\" when tool is",
            "line 1, column 35: expected a text in quotes, a number, true or false, found the end",
        ),
        ("# says\nNEVER \"a b\" because \"b\"", "line 2, column 1: \"a b\": an id is"),
        (
            "NEVER \"a\" because \"b\" when text matches /(/",
            "line 1, column 1: \"a\": a regular expression is wrong",
        ),
        ("NEVER \"a\" because \"b\" when text matches /a{9999}{9999}/", "a regular expression is too large"),
        ("MUST \"a\" because \"b\"", "line 1, column 1: \"a\": a MUST says what it requires"),
        (
            "NEVER \"a\" because \"b\"\nNEVER \"a\" because \"b\"",
            "line 2, column 1: a second directive \"a\"",
        ),
        ("NEVER \"a\" because \"b", "line 1, column 19: the quoted text is not closed"),
        ("NEVER \"\u{e4}\u{e4}\" because 1", "line 1, column 20: expected"),
    ] {
        let error = parse_rules(text).expect_err(text).to_string();
        assert!(error.contains(wanted), "{error} instead of {wanted}");
    }
    let deep = format!("NEVER \"a\" because \"b\" when {}tool present", "not ".repeat(100_000));
    assert!(parse_rules(&deep).is_err());
    let deep = format!("NEVER \"a\" because \"b\" when {}tool present", "(".repeat(100_000));
    assert!(parse_rules(&deep).is_err());
}
