//! From a name typed into one of the first page's questions to the page about it. What is asked about stands in the path: `account`, `client` or
//! `message`.

use axum::response::{IntoResponse as _, Redirect, Response};

use super::Layout;
use super::terms;
use crate::asked::Asked;
use crate::problem::Problem;

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let layout = Layout::asked(asked, "", "");
    let name = asked.query_text().trim();
    if name.is_empty() {
        return Err(Problem::bad("nothing was typed: go back and name an account, an address or a message"));
    }
    let path = match asked.subject.as_str() {
        "account" => layout.account(name),
        "client" => layout.client(name),
        "message" if is_recipient(name) => recipient(&layout, name),
        "message" => layout.message(name.trim_start_matches('<').trim_end_matches('>')),
        _ => return Err(Problem::missing("there is nothing under this address")),
    };
    let path = if path.is_empty() { layout.base } else { path };
    Ok(Redirect::to(&path).into_response())
}

/// An address of a person, not a Message-ID: those are written in `<>`, and their left part is long.
fn is_recipient(name: &str) -> bool {
    !name.starts_with('<')
        && name
            .split_once('@')
            .is_some_and(|(left, _)| left.len() < 24 && !left.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

fn recipient(layout: &Layout, name: &str) -> String {
    layout.search(format!("{} status:*", terms::text("to", name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_messages_are_told_apart() {
        for (name, known) in [
            ("bob@example.org", true),
            ("3ZqYw0aBcDz", false),
            ("<bob@example.org>", false),
            ("20260617102514.12345@mx.example.org", false),
            ("CAHk-=wgn1mPQ4LQ+8mXW0Qd7@mail.example.org", false),
        ] {
            assert_eq!(is_recipient(name), known, "{name}");
        }
    }
}
