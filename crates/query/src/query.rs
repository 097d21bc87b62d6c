//! A query: text in, and which entries it means out.

use std::fmt;
use std::ops::Range;

use crate::error::QueryError;
use crate::explain::explain;
use crate::expr::{Expr, IntRange, Term, Test};
use crate::fields::{Entry, FIELDS, Field, Kind, TS};
use crate::parse::parse;
use crate::pattern::{Glob, Phrase};
use crate::present::Present;
use crate::sight::{Sight, possible};

/// Which entries are meant: `client:203.0.113.0/24 user:bob@* -mech:PLAIN "authentication failed"`.
///
/// Its `Display` is query text that means the same, with every time absolute.
#[derive(Clone, Debug, PartialEq)]
pub struct Query(Expr);

impl Query {
    /// Every entry.
    #[must_use]
    pub fn all() -> Self {
        Self(Expr::All)
    }

    /// What an expression means.
    #[must_use]
    pub fn of(expr: Expr) -> Self {
        Self(expr)
    }

    /// Entries that name somebody: a personal field is the name or address, or the name stands in one of their texts.
    #[must_use]
    pub fn naming(person: &str) -> Self {
        let whole = |field: &'static Field| {
            let glob = Glob::new(vec![person.to_owned()], field.cased);
            Expr::Term(Term { field, test: Test::Word(glob) })
        };
        let within = |field: &'static Field| {
            let phrase = Phrase::new(person.to_owned(), false, false);
            Expr::Term(Term { field, test: Test::Phrase(phrase) })
        };
        let words = FIELDS.iter().filter(|field| field.kind == Kind::Word && field.personal).map(whole);
        let texts = FIELDS.iter().filter(|field| field.kind == Kind::Text).map(within);
        Self(Expr::or(words.chain(texts).collect()))
    }

    /// Entries of a time, both ends in it, and those without one. `None` is without end.
    #[must_use]
    pub fn between(from: Option<i64>, to: Option<i64>) -> Self {
        if from.is_none() && to.is_none() {
            return Self::all();
        }
        let test = |test| Expr::Term(Term { field: TS, test });
        Self(Expr::or(vec![test(Test::Time(IntRange { from, to })), test(Test::Absent)]))
    }

    /// Reads a query; `present` gives relative times their meaning. The grammar is in `docs/reference/query.md`.
    pub fn parse(text: &str, present: &Present) -> Result<Self, QueryError> {
        parse(text, present).map(Self)
    }

    /// What both mean.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Expr::and(vec![self.0, other.0]))
    }

    /// Its parts.
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.0
    }

    /// Whether it means this entry.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        self.0.matches(entry)
    }

    /// Whether it can mean the entry of a line of which only this is known. `false` is certain.
    #[must_use]
    pub fn may_mean(&self, sight: &Sight<'_>) -> bool {
        possible(&self.0, sight).0
    }

    /// How it was understood, in plain words: one condition a line.
    #[must_use]
    pub fn explain(&self) -> String {
        explain(&self.0)
    }

    /// Where an entry's text shows what was asked for: byte ranges from left to right, none touching another.
    #[must_use]
    pub fn highlights(&self, entry: &Entry) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.0.highlights(entry, &mut found);
        found.sort_unstable_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in found {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        merged
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        let present = Present { zone: jiff::tz::TimeZone::UTC, now: "2026-06-17T12:00:00Z".parse().unwrap() };
        Query::parse(text, &present).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn entry() -> Entry {
        Entry {
            ts: Some(1_781_691_914_000_000),
            class: Some("auth_failed".into()),
            client_ip: Some("203.0.113.9".into()),
            username: Some("Bob@Example.org".into()),
            mechanism: Some("PLAIN".into()),
            queue_id: Some("3ZqYw0aBc".into()),
            code: Some(535),
            delay: Some(1.5),
            delays: Some([0.1, 0.0, 0.4, 1.0]),
            reason: Some(String::new()),
            text: Some(
                "warning: h[203.0.113.9]: SASL PLAIN authentication failed: , sasl_username=Bob@Example.org".into(),
            ),
            ..Entry::default()
        }
    }

    #[test]
    fn which_entries_are_meant() {
        for text in [
            "",
            "client:203.0.113.0/24 user:bob@* class:auth_failed since:2h mech:plain \"authentication failed\"",
            "client:203.0.113.9 AND NOT client:203.0.113.0/29",
            "relay_ip:? -relay_ip:203.0.113.9 -relay_ip:*",
            "qid:3ZqYw0aBc -qid:3zqyw0abc qid:3Zq*",
            "code:5xx code:>534 code:500..535 -code:536",
            "delay:1..2 delay:>1.4 -delay:>1.5 delays:>=1 delays:0",
            "reason:\"\" reason:* -reason:x",
            "nothing OR user:*example.org",
            "sasl_username username example.org @example.org bob -exampl exampl*",
            "on:2026-06-17 -on:yesterday until:now",
            "truncated:no -truncated:yes truncated:?",
            "user:(alice OR bob@example.org)",
        ] {
            assert!(query(text).matches(&entry()), "{text}");
            assert!(
                !query(text).matches(&entry()) || text.is_empty() || !query(&format!("-({text})")).matches(&entry())
            );
        }
        for text in
            ["user:bob", "mech:LOGIN", "client:2001:db8::/32", "failing", "since:1h", "size:0..", "user:?", "delays:>1"]
        {
            assert!(!query(text).matches(&entry()), "{text}");
        }
    }

    #[test]
    fn what_was_asked_for_is_shown() {
        let entry = entry();
        let shown = |text: &str| -> Vec<String> {
            query(text)
                .highlights(&entry)
                .into_iter()
                .map(|range| entry.text.as_ref().unwrap()[range].to_owned())
                .collect()
        };
        assert_eq!(shown("\"plain authentication\" authentication failed"), ["PLAIN authentication", "failed"]);
        assert_eq!(shown("client:203.0.113.0/24 user:bob*"), ["203.0.113.9", "Bob@Example.org"]);
        assert_eq!(shown("-plain class:auth_failed OR mech:LOGIN"), [""; 0]);
    }

    #[test]
    fn in_plain_words() {
        assert_eq!(query("").explain(), "every line");
        assert_eq!(
            query("client:203.0.113.0/24 user:bob@* -(mech:PLAIN OR code:5xx) delay:>10 exampl* since:2h qid:A -(a b)")
                .explain(),
            "all of these:
  client_ip is in 203.0.113.0/24 (203.0.113.0 to 203.0.113.255)
  username begins with \"bob@\"
  not: any of these:
    mechanism is \"PLAIN\"
    code is 500 to 599
  delay is more than 10
  the line holds \"exampl\" at the beginning of a word
  it was written at 2026-06-17T10:00:00.000000Z or later
  queue_id is \"A\", upper and lower case as given
  not: all of these:
    the line holds \"a\" as whole words
    the line holds \"b\" as whole words"
        );
    }
}
