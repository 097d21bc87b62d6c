//! A query, built by clicks: the text of a query and a field's value go in, the text of another query comes out.

use query::{Expr, Field, Glob, IntRange, Kind, Query, Term, Test};

/// The test that a field has a value; `None` where no test says so.
pub(crate) fn having(field: &'static Field, value: &str) -> Option<Expr> {
    let test = match field.kind {
        Kind::Word => Test::Word(Glob::new(vec![value.to_owned()], field.cased)),
        Kind::Address => {
            Test::Net(value.parse().ok().or_else(|| Some(value.parse::<std::net::IpAddr>().ok()?.into()))?)
        }
        Kind::Int => {
            let number = value.parse().ok()?;
            Test::Int(IntRange { from: Some(number), to: Some(number) })
        }
        _ => return None,
    };
    Some(Expr::Term(Term { field, test }))
}

/// The text of a query that means entries whose field has that value; empty where none does.
pub(crate) fn text(name: &str, value: &str) -> String {
    query::field(name).and_then(|field| having(field, value)).map(|term| term.to_string()).unwrap_or_default()
}

/// A query narrowed by one more test. The text stays as it was written, so that `since:2h` goes on meaning the last two hours.
pub(crate) fn narrowed(text: &str, parsed: &Query, term: &Expr) -> String {
    match (text.trim(), parsed.expr()) {
        ("", _) => term.to_string(),
        (text, Expr::Or(_)) => format!("({text}) {term}"),
        (text, _) => format!("{text} {term}"),
    }
}

/// The parts of a query that all must hold, each with the query that is left without it.
pub(crate) fn parts(parsed: &Query) -> Vec<(String, String)> {
    match parsed.expr() {
        Expr::All => Vec::new(),
        Expr::And(parts) => {
            let without = |left_out: usize| {
                let left = parts.iter().enumerate().filter(|(at, _)| *at != left_out);
                Expr::and(left.map(|(_, part)| part.clone()).collect()).to_string()
            };
            parts.iter().enumerate().map(|(at, part)| (shown(part), without(at))).collect()
        }
        other => vec![(other.to_string(), String::new())],
    }
}

/// A part as it stands among others.
fn shown(part: &Expr) -> String {
    if matches!(part, Expr::Or(_)) { format!("({part})") } else { part.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use query::Present;

    fn parsed(text: &str) -> Query {
        let present = Present { zone: jiff::tz::TimeZone::UTC, now: "2026-06-17T12:00:00Z".parse().unwrap() };
        Query::parse(text, &present).unwrap()
    }

    #[test]
    fn a_value_is_asked_for_whatever_stands_in_it() {
        for (name, value) in [
            ("username", "bob@example.org"),
            ("username", "x, sasl_username=root"),
            ("username", "a\"b\\c*d OR (e)"),
            ("username", "?"),
            ("username", "-"),
            ("class", "auth_failed"),
        ] {
            let field = query::field(name).unwrap();
            let mut entry = query::Entry::default();
            (field.set_text)(&mut entry, value.to_owned());
            let asked = parsed(&text(name, value));
            assert!(asked.matches(&entry), "{value}: {asked}");
            (field.set_text)(&mut entry, "other".to_owned());
            assert!(!asked.matches(&entry), "{value}: {asked}");
        }
        assert_eq!(text("client_ip", "2001:db8::1"), "client_ip:2001:db8::1");
        assert_eq!((text("client_ip", "no address"), text("no_field", "x")), (String::new(), String::new()));
    }

    #[test]
    fn tests_are_added_and_taken_away() {
        let term = having(query::field("host").unwrap(), "mx1").unwrap();
        for (before, after) in [
            ("", "host:mx1"),
            ("class:sent since:2h", "class:sent since:2h host:mx1"),
            ("class:sent OR class:bounced", "(class:sent OR class:bounced) host:mx1"),
        ] {
            assert_eq!(narrowed(before, &parsed(before), &term), after);
        }
        let part = |text: &str, left: &str| (text.to_owned(), left.to_owned());
        assert_eq!(
            parts(&parsed("class:sent (host:a OR host:b)")),
            [part("class:sent", "host:a OR host:b"), part("(host:a OR host:b)", "class:sent")]
        );
        assert_eq!(parts(&parsed("-class:sent")), [part("-class:sent", "")]);
        assert!(parts(&parsed("")).is_empty());
    }
}
