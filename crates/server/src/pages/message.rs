//! The story of a message: who handed it in, what became of it for each recipient, over which queue files, and the lines that prove it.

use axum::response::Response;

use super::told::{self, Told, Traced};
use super::{Layout, html};
use crate::asked::Asked;
use crate::problem::Problem;

/// Mails of a page, and recipients, attempts and lines of each.
const MAILS: usize = 5;
const FATES: usize = 50;
const TRIES: usize = 20;
const LINES: usize = 40;

#[derive(askama::Template)]
#[template(path = "message.html")]
struct Page {
    layout: Layout,
    id: String,
    traced: Traced,
    /// Mails with this id that are not shown.
    more: u64,
    query: String,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let made = asked.trace(&asked.subject, told::WAIT)?;
    let mut traced: Traced = match told::told(asked, "-", made)? {
        Told::There(traced, _) => traced,
        Told::Later(page) => return Ok(*page),
    };
    let more = traced.beyond + (traced.messages.len().saturating_sub(MAILS)) as u64;
    traced.messages.truncate(MAILS);
    for message in &mut traced.messages {
        message.to.truncate(FATES);
        for file in &mut message.queue_files {
            file.recipients_beyond += file.attempts.len().saturating_sub(TRIES) as u64;
            file.attempts.truncate(TRIES);
            file.lines.truncate(LINES);
        }
    }
    let layout = Layout::asked(asked, "-", &format!("Message {}", asked.subject));
    let query = super::terms::text(if asked.subject.contains('@') { "message_id" } else { "queue_id" }, &asked.subject);
    html(&Page { id: answers::screen::escape(&asked.subject).into_owned(), layout, traced, more, query })
}
