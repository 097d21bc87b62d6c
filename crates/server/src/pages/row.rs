//! An entry as pages show it: the line with what was asked for marked, what is known of it, and where it leads.

use query::{Entry, FIELDS, Query};
use store::Row;

use super::{Layout, terms};
use crate::asked::Asked;

/// An entry as the template takes it.
pub(crate) struct RowView {
    /// Where it stands: no other row has it.
    pub(crate) id: String,
    /// RFC 3339; empty where the line has no readable time.
    pub(crate) ts: String,
    pub(crate) time: String,
    /// Service and program: `submission/smtpd`.
    pub(crate) program: String,
    /// The text in pieces: whether it was asked for, and what it is.
    pub(crate) text: Vec<(bool, String)>,
    pub(crate) class: Option<String>,
    pub(crate) cause: Option<String>,
    /// The login name, where the text does not show it.
    pub(crate) joined: Option<String>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) links: Vec<(&'static str, String)>,
    pub(crate) before: Vec<Near>,
    pub(crate) after: Vec<Near>,
}

/// A field and its value.
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Where a page about it is; empty without one.
    pub(crate) href: String,
}

/// A line near another.
pub(crate) struct Near {
    pub(crate) time: String,
    pub(crate) program: String,
    pub(crate) text: String,
}

/// Fields that a row shows anyhow.
const SHOWN: [&str; 6] = ["text", "class", "cause", "instance", "tag", "pid"];

impl RowView {
    pub(crate) fn new(asked: &Asked, layout: &Layout, query: &Query, row: &Row) -> Self {
        let entry = &row.entry;
        let near = |entry: &std::sync::Arc<Entry>| Near {
            time: time(asked, entry),
            program: program(entry),
            text: harmless(entry.text.as_deref().unwrap_or_default()),
        };
        Self {
            id: format!("{}:{}", entry.source.as_deref().unwrap_or_default(), entry.line.unwrap_or_default()),
            ts: entry.ts.map(query::rfc3339).unwrap_or_default(),
            time: time(asked, entry),
            program: program(entry),
            text: marked(query, entry),
            class: entry.class.clone(),
            cause: entry.cause.as_deref().map(|id| layout.cause(id)),
            joined: entry
                .username
                .clone()
                .filter(|name| !entry.text.as_deref().unwrap_or_default().contains(name.as_str()))
                .map(|name| harmless(&name)),
            facts: facts(layout, entry),
            links: links(asked, layout, entry),
            before: row.before.iter().map(near).collect(),
            after: row.after.iter().map(near).collect(),
        }
    }
}

fn harmless(text: &str) -> String {
    answers::screen::escape(text).into_owned()
}

fn time(asked: &Asked, entry: &Entry) -> String {
    entry.ts.map_or_else(|| "no time".to_owned(), |ts| asked.clock().full(ts))
}

/// `submission/smtpd`, `smtpd`, or the tag as it stands.
fn program(entry: &Entry) -> String {
    let program = match (&entry.service, &entry.daemon) {
        (Some(service), Some(daemon)) => format!("{service}/{daemon}"),
        (None, Some(daemon)) => daemon.clone(),
        _ => entry.tag.clone().unwrap_or_default(),
    };
    harmless(&program)
}

/// The text in pieces: what the query asked for, and what is between.
fn marked(query: &Query, entry: &Entry) -> Vec<(bool, String)> {
    let text = entry.text.as_deref().unwrap_or_default();
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut push = |marked: bool, piece: Option<&str>| {
        if let Some(piece) = piece.filter(|piece| !piece.is_empty()) {
            pieces.push((marked, harmless(piece)));
        }
    };
    for found in query.highlights(entry) {
        push(false, text.get(at..found.start));
        at = found.end;
        push(true, text.get(found));
    }
    push(false, text.get(at..));
    pieces
}

fn facts(layout: &Layout, entry: &Entry) -> Vec<Fact> {
    let known = FIELDS.iter().filter(|field| !SHOWN.contains(&field.name));
    let fact = |field: &'static query::Field| {
        let value = (field.get)(entry)?.to_string();
        let href = match field.name {
            "client_ip" => layout.client(&value),
            "username" => layout.account(&value),
            "queue_id" => layout.message(&value),
            _ => String::new(),
        };
        let value = if field.name == "ts" { layout.when(&value) } else { harmless(&value) };
        Some(Fact { name: field.name, value, href })
    };
    known.filter_map(fact).collect()
}

/// Microseconds around a line that are its neighbourhood.
const AROUND: i64 = 60_000_000;

fn links(asked: &Asked, layout: &Layout, entry: &Entry) -> Vec<(&'static str, String)> {
    let mut links = Vec::new();
    if let (Some(source), Some(line)) = (&entry.source, entry.line) {
        let query = format!("{} {}", terms::text("source", source), terms::text("line", &line.to_string()));
        let base = &asked.app.config.base;
        links.push(("this line alone", super::links::address(&format!("{base}search"), &[("q", &query)])));
        let with = [("q", query.as_str()), ("context", "10")];
        links.push(("10 lines before and after", super::links::address(&format!("{base}search"), &with)));
    }
    for (word, name, value) in
        [("same session", "session", &entry.session), ("same message", "queue_id", &entry.queue_id)]
    {
        if let Some(value) = value {
            links.push((word, layout.search_in(terms::text(name, value), "", "")));
        }
    }
    if let Some(ts) = entry.ts {
        let (from, to) = (query::rfc3339(ts.saturating_sub(AROUND)), query::rfc3339(ts.saturating_add(AROUND)));
        links.push(("same minute", layout.search_in("", &from, &to)));
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_marked_and_nothing_lost() {
        let present = query::Present { zone: jiff::tz::TimeZone::UTC, now: jiff::Timestamp::UNIX_EPOCH };
        let entry = Entry { text: Some("a <b>failed</b> login\u{202e}, failed\x1b".into()), ..Entry::default() };
        let query = Query::parse("failed", &present).unwrap();
        let pieces = marked(&query, &entry);
        let words: Vec<_> = pieces.iter().map(|(marked, text)| (*marked, text.as_str())).collect();
        assert_eq!(
            words,
            [(false, "a <b>"), (true, "failed"), (false, "</b> login\\u{202e}, "), (true, "failed"), (false, "\\x1b")]
        );
        assert_eq!(marked(&Query::all(), &Entry::default()), []);
    }
}
