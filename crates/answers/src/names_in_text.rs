//! Where names stand in the words of programs, so that masked lines show none that no field of theirs holds.
//!
//! Input: a line's text. Output: the places of names, in order. Daemons write a name behind a word (`user=<x>`, `(username: x)`,
//! `for user x`), or in brackets behind the program that speaks (`imap(x)<…>`, `sql(x,192.0.2.1)`). What only looks like a name is
//! masked, too: that harms nobody.

use std::ops::Range;

/// How a name ends that stands behind a word.
#[derive(Clone, Copy)]
enum Ends {
    /// Where a word does, or with its quotes.
    AsWord,
    /// With the bracket that was opened before: it may hold blanks.
    AtBracket,
    /// With its quotes; without any it is no name.
    Quoted,
}

/// What stands before a name, in small letters.
const WORDS: [(&str, Ends); 10] = [
    ("user=", Ends::AsWord),
    ("username=", Ends::AsWord),
    ("logname=", Ends::AsWord),
    ("login=", Ends::AsWord),
    ("username: ", Ends::AtBracket),
    ("user: ", Ends::AsWord),
    (" by user ", Ends::AsWord),
    (" for user ", Ends::AsWord),
    (" request for ", Ends::AsWord),
    ("user ", Ends::Quoted),
];

/// What ends a name without quotes: also the tab as syslog daemons write it.
const STOPS: &str = "<>()[]{},;=\"'|#\\";

/// The places of names.
pub(crate) fn places(text: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let behind_words = WORDS.iter().flat_map(|(word, ends)| {
        let starts = lower.match_indices(word).map(|(at, _)| at + word.len());
        starts.filter_map(|start| behind_word(text, start, *ends))
    });
    let mut found: Vec<Range<usize>> =
        behind_words.chain(in_brackets(text)).filter(|place| is_name(text, place)).collect();
    found.sort_by_key(|place| (place.start, std::cmp::Reverse(place.end)));
    let mut end = 0;
    found.retain(|place| {
        let free = place.start >= end;
        end = end.max(place.end);
        free
    });
    found
}

fn behind_word(text: &str, start: usize, ends: Ends) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    let quote = rest.chars().next()?;
    let close = match quote {
        '<' => Some('>'),
        '\'' | '"' => Some(quote),
        '`' => Some('\''),
        _ => None,
    };
    let until = |rest: &str, stop: &dyn Fn(char) -> bool| rest.find(stop).unwrap_or(rest.len());
    Some(match (close, ends) {
        (Some(close), _) => {
            let name = rest.get(1..)?;
            start + 1..start + 1 + until(name, &|c| c == close)
        }
        (None, Ends::Quoted) => return None,
        (None, Ends::AtBracket) => start..start + until(rest, &|c| c == ')'),
        (None, Ends::AsWord) => {
            let word = rest.get(..until(rest, &|c| c.is_whitespace() || c.is_control() || STOPS.contains(c)))?;
            start..start + word.trim_end_matches([':', '.']).len()
        }
    })
}

/// `imap(x)`, `sql(x,192.0.2.1)`, `auth-worker(x,…)`: all up to the first comma or the bracket's end.
fn in_brackets(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices('(').filter_map(|(at, _)| {
        let before = text.get(..at)?;
        let speaks = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let program = before.get(before.trim_end_matches(speaks).len()..)?;
        // These name services and modules, and `failed()` nothing at all.
        if program.is_empty() || program == "service" || program.starts_with("pam_") {
            return None;
        }
        let rest = text.get(at + 1..)?;
        Some(at + 1..at + 1 + rest.find([',', ')']).unwrap_or(rest.len()))
    })
}

/// Process ids and the like are none, nor is what the log does not know.
fn is_name(text: &str, place: &Range<usize>) -> bool {
    let name = text.get(place.clone()).unwrap_or_default();
    !name.is_empty() && name != "?" && !name.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_programs_write_them() {
        for (text, expected) in [
            ("auth: login(?,192.0.2.7): Username character disallowed (username: c d)", &["c d"][..]),
            ("imap-login: Login: user=<c>, method=PLAIN", &["c"]),
            ("imap(c@x.example)<5><abd>: Disconnected: Logged out", &["c@x.example"]),
            ("auth-worker(123): conn unix:auth-worker (pid=1,uid=2): sql(c,192.0.2.7): unknown user", &["c"]),
            ("auth(c,192.0.2.7,sasl:plain): sql: Password mismatch", &["c"]),
            ("auth: Debug: client passdb out: FAIL#0111#011user=c#011authz", &["c"]),
            ("auth: Aborted PASSV request for c: Shutting down", &["c"]),
            ("pam_unix(smtp:auth): authentication failure; logname= uid=0 ruser=c rhost=h user=d", &["c", "d"]),
            ("553 5.7.1 <b>: Sender address rejected: not owned by user c; from=<b>", &["c"]),
            ("unknown user: \"c\"", &["c"]),
            ("lookup for USER 'c d' failed", &["c d"]),
            ("do_auth : auth failure: [user=c] [service=smtp]", &["c"]),
            ("user=<c", &["c"]),
            ("service(auth): client_limit (5) reached", &[]),
            ("pam_authenticate() failed: User unknown to the module, unknown user", &[]),
            ("user=", &[]),
        ] {
            let found: Vec<&str> = places(text).into_iter().map(|place| &text[place]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    /// Whatever a stranger writes: places lie in the text, one after the other.
    #[test]
    fn places_are_in_order() {
        let parts = ["user=", "user: ", "user ", "username: ", "imap(", ")", ",", "<", "'", "é", "\u{202e}a ", "b"];
        for n in 0..parts.len().pow(4) {
            let text: String = (0..4).map(|digit| parts[n / parts.len().pow(digit) % parts.len()]).collect();
            let mut end = 0;
            for place in places(&text) {
                assert!(place.start >= end && text.get(place.clone()).is_some(), "{text}");
                end = place.end;
            }
        }
    }
}
