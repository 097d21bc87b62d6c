//! Queries as a property: what is printed is read as the same query, whatever is typed is read or refused without a panic,
//! and an entry is meant exactly when a slow and obvious reader says so.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use query::{Bound, Entry, Expr, Glob, IntRange, Phrase, Present, Query, RealRange, Sight, Term, Test, Value, field};

fn present() -> Present {
    Present { zone: jiff::tz::TimeZone::UTC, now: "2026-06-17T12:00:00Z".parse().unwrap() }
}

/// Few characters, so that they meet; among them all that mean something to a query.
fn word() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        4 => prop::sample::select(vec!['a', 'b', 'A', '1', '@', '.']),
        1 => prop::sample::select(vec!['"', '\\', '*', '(', ')', '-', ':', '?', ' ', 'é', 'É', 'İ', 'ß', '\u{1b}', '>']),
    ];
    vec(c, 0..5).prop_map(String::from_iter)
}

fn entry() -> impl Strategy<Value = Entry> {
    let optional = || prop::option::of(word());
    let address =
        prop::option::of(prop::sample::select(vec!["192.0.2.1", "192.0.2.77", "198.51.100.1", "2001:db8::1"]));
    (optional(), optional(), optional(), optional(), address, prop::option::of(-2_i64..3), prop::option::of(0_u8..4))
        .prop_map(|(username, queue_id, reason, text, client_ip, code, delay)| Entry {
            ts: code.map(|code| 1_781_691_914_000_000 + code),
            username,
            queue_id,
            reason,
            text,
            client_ip: client_ip.map(str::to_owned),
            truncated: (code == Some(1)).then_some(true),
            delays: delay.map(|delay| [0.5, f64::from(delay), 0.0, 0.0]),
            delay: delay.map(f64::from),
            code,
            ..Entry::default()
        })
}

fn int_range() -> impl Strategy<Value = IntRange> {
    prop_oneof![
        (-2_i64..3, 0_i64..3).prop_map(|(from, more)| IntRange { from: Some(from), to: Some(from + more) }),
        (-2_i64..3).prop_map(|from| IntRange { from: Some(from), to: None }),
        (-2_i64..3).prop_map(|to| IntRange { from: None, to: Some(to) }),
    ]
}

fn real_range() -> impl Strategy<Value = RealRange> {
    let bound = |inclusive| (0_u8..8).prop_map(move |half| Some(Bound { at: f64::from(half) / 2.0, inclusive }));
    prop_oneof![
        (bound(true), 0_u8..3).prop_map(|(from, more)| {
            let to = from.map(|from| Bound { at: from.at + f64::from(more), ..from });
            RealRange { from, to }
        }),
        any::<bool>().prop_flat_map(bound).prop_map(|from| RealRange { from, to: None }),
        any::<bool>().prop_flat_map(bound).prop_map(|to| RealRange { from: None, to }),
    ]
}

fn term() -> impl Strategy<Value = Expr> {
    let on = |name: &'static str, test: Test| Expr::Term(Term { field: field(name).unwrap(), test });
    let glob = |name: &'static str, cased: bool| {
        vec(word(), 1..4)
            .prop_filter("several stars in a row are one; stars alone mean any value", |pieces| {
                let last = pieces.len() - 1;
                let inner_empty = pieces.iter().enumerate().any(|(at, piece)| piece.is_empty() && at > 0 && at < last);
                !(inner_empty || last == 1 && pieces.iter().all(String::is_empty))
            })
            .prop_map(move |pieces| on(name, Test::Word(Glob::new(pieces, cased))))
    };
    let phrase = |name: &'static str| {
        (word(), any::<bool>(), any::<bool>()).prop_map(move |(words, begin, end)| {
            let some = !words.is_empty();
            on(name, Test::Phrase(Phrase::new(words, begin && some, end && some)))
        })
    };
    let net = prop::sample::select(vec!["192.0.2.0/26", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/32", "::/0"]);
    prop_oneof![
        glob("username", false),
        glob("queue_id", true),
        phrase("text"),
        phrase("reason"),
        net.prop_map(move |net| on("client_ip", Test::Net(net.parse().unwrap()))),
        int_range().prop_map(move |range| on("code", Test::Int(range))),
        int_range().prop_map(move |range| {
            let moved = |end: Option<i64>| end.map(|end| 1_781_691_914_000_000 + end);
            on("ts", Test::Time(IntRange { from: moved(range.from), to: moved(range.to) }))
        }),
        real_range().prop_map(move |range| on("delay", Test::Real(range))),
        real_range().prop_map(move |range| on("delays", Test::Real(range))),
        any::<bool>().prop_map(move |flag| on("truncated", Test::Flag(flag))),
        prop::sample::select(vec!["username", "code", "text"]).prop_map(move |name| on(name, Test::Present)),
        prop::sample::select(vec!["reason", "delay", "client_ip"]).prop_map(move |name| on(name, Test::Absent)),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    term().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Expr::and),
            vec(inner.clone(), 2..4).prop_map(Expr::or),
            inner.prop_map(|part| Expr::Not(Box::new(part))),
        ]
    })
}

/// The slow reader: characters compared one by one.
mod model {
    use super::*;

    pub(super) fn means(expr: &Expr, entry: &Entry) -> bool {
        match expr {
            Expr::All => true,
            Expr::And(parts) => parts.iter().filter(|part| means(part, entry)).count() == parts.len(),
            Expr::Or(parts) => parts.iter().filter(|part| means(part, entry)).count() > 0,
            Expr::Not(part) => !means(part, entry),
            Expr::Term(term) => passes(&term.test, (term.field.get)(entry)),
        }
    }

    fn passes(test: &Test, value: Option<Value<'_>>) -> bool {
        let text = match value {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        match test {
            Test::Present => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Flag(flag) => *flag == matches!(value, Some(Value::Flag(true))),
            Test::Word(glob) => text.is_some_and(|text| {
                let cased = |text: &str| if glob.is_cased() { text.chars().collect() } else { lower(text) };
                let pieces: Vec<Vec<char>> = glob.pieces().iter().map(|piece| cased(piece)).collect();
                looks_like(&pieces, &cased(text))
            }),
            Test::Phrase(phrase) => text.is_some_and(|text| holds(phrase, &lower(text))),
            Test::Net(net) => text.is_some_and(|text| {
                let ip: IpAddr = text.parse().unwrap();
                ip.is_ipv4() == net.addr().is_ipv4() && net.network() <= ip && ip <= net.broadcast()
            }),
            Test::Int(range) | Test::Time(range) => match value {
                Some(Value::Int(number) | Value::Time(number)) => {
                    range.from.unwrap_or(number) <= number && range.to.unwrap_or(number) >= number
                }
                _ => false,
            },
            Test::Real(range) => {
                let numbers = match value {
                    Some(Value::Real(number)) => vec![number],
                    Some(Value::Reals(numbers)) => numbers.to_vec(),
                    _ => vec![],
                };
                numbers.iter().any(|number| {
                    let low = range.from.is_none_or(|b| if b.inclusive { b.at <= *number } else { b.at < *number });
                    let high = range.to.is_none_or(|b| if b.inclusive { b.at >= *number } else { b.at > *number });
                    low && high
                })
            }
        }
    }

    fn lower(text: &str) -> Vec<char> {
        text.chars().flat_map(char::to_lowercase).collect()
    }

    /// Every way to give each star its part is tried.
    fn looks_like(pieces: &[Vec<char>], value: &[char]) -> bool {
        let (first, rest) = pieces.split_first().unwrap();
        let Some(behind) = value.strip_prefix(first.as_slice()) else { return false };
        if rest.is_empty() {
            return behind.is_empty();
        }
        (0..=behind.len()).any(|skipped| looks_like(rest, &behind[skipped..]))
    }

    fn holds(phrase: &Phrase, text: &[char]) -> bool {
        let words = lower(phrase.words());
        if words.is_empty() {
            return text.is_empty();
        }
        let (begin_free, end_free) = phrase.free_ends();
        let splits =
            |at: usize| at > 0 && at < text.len() && text[at - 1].is_alphanumeric() && text[at].is_alphanumeric();
        (0..text.len()).any(|at| {
            let end = at + words.len();
            text[at..].starts_with(&words) && (begin_free || !splits(at)) && (end_free || !splits(end))
        })
    }
}

fn only_time_and_text(expr: &Expr) -> bool {
    match expr {
        Expr::All => true,
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(only_time_and_text),
        Expr::Not(part) => only_time_and_text(part),
        Expr::Term(term) => matches!((term.field.name, &term.test), ("ts", Test::Time(_)) | ("text", Test::Phrase(_))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printed_queries_are_read_as_the_same(expr in expr()) {
        let printed = expr.to_string();
        let read = Query::parse(&printed, &present());
        prop_assert_eq!(read.as_ref().map(Query::expr), Ok(&expr), "{}", printed);
        prop_assert_eq!(read.unwrap().to_string(), printed);
    }

    #[test]
    fn an_entry_is_meant_as_the_model_says(expr in expr(), entries in vec(entry(), 1..8)) {
        for entry in entries {
            prop_assert_eq!(expr.matches(&entry), model::means(&expr, &entry), "{} {:?}", expr, entry);
        }
    }

    #[test]
    fn a_glance_leaves_out_only_what_is_not_meant(expr in expr(), entry in entry()) {
        let query = Query::parse(&expr.to_string(), &present()).unwrap();
        // An entry of a line always has a text.
        let entry = Entry { text: Some(entry.text.unwrap_or_default()), ..entry };
        let sight = Sight::new(entry.ts, entry.text.as_deref().unwrap_or_default().as_bytes());
        let may = query.may_mean(&sight);
        prop_assert!(may || !query.matches(&entry), "{}", expr);
        if only_time_and_text(&expr) {
            prop_assert_eq!(may, query.matches(&entry), "{}", expr);
        }
    }

    #[test]
    fn whatever_is_typed_is_read_or_refused(words in vec(prop_oneof![
        word(),
        prop::sample::select(vec!["OR", "AND", "NOT", "user:", "client:", "code:", "since:", "delay:>", "..", "(", ")", "\""])
            .prop_map(str::to_owned),
    ], 0..12), glue in prop::sample::select(vec!["", " "])) {
        let text = words.join(glue);
        match Query::parse(&text, &present()) {
            Ok(query) => {
                prop_assert_eq!(&Query::parse(&query.to_string(), &present()).unwrap(), &query);
                prop_assert!(!query.explain().is_empty());
            }
            Err(error) => {
                prop_assert!(error.at.start <= error.at.end && error.at.end <= text.chars().count(), "{}: {:?}", text, error);
            }
        }
    }

    #[test]
    fn what_is_shown_lies_in_the_text(expr in expr(), entry in entry()) {
        let query = Query::parse(&expr.to_string(), &present()).unwrap();
        let text = entry.text.as_deref().unwrap_or_default();
        let mut end = 0;
        for range in query.highlights(&entry) {
            prop_assert!(range.start >= end && range.start < range.end && text.get(range.clone()).is_some());
            end = range.end + 1;
        }
    }
}
