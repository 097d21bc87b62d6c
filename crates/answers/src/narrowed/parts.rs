//! Parts of queries, and short questions.

use ipnet::IpNet;
use query::{Expr, Glob, IntRange, Phrase, Query, TEXT, TS, Term, Test, field};
use store::index::Pick;
use store::{Answer, Order, Question, Row, RowsAsked, TopAsked};

fn term(name: &str, test: Test) -> Expr {
    // A name that the field table does not hold means nothing.
    field(name).map_or_else(|| any(Vec::new()), |field| Expr::Term(Term { field, test }))
}

/// A field is this word as a whole.
pub(crate) fn word(name: &str, value: &str) -> Expr {
    let cased = field(name).is_some_and(|field| field.cased);
    term(name, Test::Word(Glob::new(vec![value.to_owned()], cased)))
}

/// A field begins so.
pub(crate) fn begins(name: &str, value: &str) -> Expr {
    let cased = field(name).is_some_and(|field| field.cased);
    term(name, Test::Word(Glob::new(vec![value.to_owned(), String::new()], cased)))
}

/// A field is an address of the network.
pub(crate) fn net(name: &str, net: IpNet) -> Expr {
    term(name, Test::Net(net))
}

/// A field is this number.
pub(crate) fn number(name: &str, value: i64) -> Expr {
    term(name, Test::Int(IntRange { from: Some(value), to: Some(value) }))
}

/// An entry has no such field.
pub(crate) fn missing(name: &str) -> Expr {
    term(name, Test::Absent)
}

/// What kind of line it is.
pub(crate) fn event(name: &str) -> Expr {
    word("event", name)
}

/// The text holds these words.
pub(crate) fn says(words: &str) -> Expr {
    Expr::Term(Term { field: TEXT, test: Test::Phrase(Phrase::new(words.to_owned(), false, false)) })
}

/// It was written then; microseconds since 1970 UTC, both ends in it.
pub(crate) fn during(from: i64, to: i64) -> Expr {
    Expr::Term(Term { field: TS, test: Test::Time(IntRange { from: Some(from), to: Some(to) }) })
}

/// Each of them.
pub(crate) fn all(parts: Vec<Expr>) -> Expr {
    Expr::and(parts)
}

/// Any of them; none means nothing.
pub(crate) fn any(parts: Vec<Expr>) -> Expr {
    if parts.is_empty() { Expr::Not(Box::new(Expr::All)) } else { Expr::or(parts) }
}

/// Every value of a field in what a query means.
pub(crate) fn values(pick: &Pick<'_>, query: &Query, name: &str) -> Vec<String> {
    let Some(field) = field(name) else { return Vec::new() };
    match pick.ask(query, &Question::Top(TopAsked { field, distinct: None, limit: 0 })) {
        Ok(Answer::Top(top)) => top.values.into_iter().map(|value| value.value).collect(),
        _ => Vec::new(),
    }
}

/// The first line in time that a query means.
fn first(pick: &Pick<'_>, query: &Query) -> Option<Row> {
    let asked = RowsAsked { order: Order::Oldest, limit: 1, after: None, context: 0 };
    match pick.ask(query, &Question::Rows(asked)) {
        Ok(Answer::Rows(page)) => page.rows.into_iter().next(),
        _ => None,
    }
}

/// Picks the first line in time that a query means.
pub(crate) fn add_first(pick: &mut Pick<'_>, query: &Query) {
    let Some(ts) = first(pick, query).and_then(|row| row.entry.ts) else { return };
    pick.add(&query.clone().and(Query::of(during(ts, ts))), |_, _| ());
}
