//! The query of a command line: read, complained about, explained.

use answers::files::{self, Answered};
use answers::reading::Reading;
use input::FeedError;
use query::{Present, Query};
use store::{Question, StoreError};

use crate::cli::{Asked, NoQuery, Output};
use crate::exit::Exit;
use crate::print;

/// Reads the query of `-q`, if there is one: without, every entry is meant. `words`: query text that stands on its own; what
/// both mean is meant. With `-v` it says how that was understood; where it cannot be read it says where that begins.
pub(crate) fn read(words: &str, asked: &Asked, reading: &Reading, output: &Output) -> Result<Query, Exit> {
    let present = Present { zone: reading.zone(), now: reading.now() };
    let parse = |text: &str| {
        Query::parse(text, &present).map_err(|error| {
            print::error(&format!("the query: {error}"));
            error.pointed(text).lines().for_each(print::error_detail);
            Exit::Usage
        })
    };
    let query = parse(words)?.and(parse(asked.query.as_deref().unwrap_or_default())?);
    if output.verbose > 0 {
        explain(&query);
    }
    Ok(query)
}

/// Asks, and says on standard error what there is to say about the answers. `Err(exit)`: there is no answer, and why has been said.
pub(crate) fn ask(
    reading: Reading,
    query: &Query,
    questions: &[Question],
    quiet: bool,
) -> anyhow::Result<Result<(Answered, Exit), Exit>> {
    let answered = match files::ask(reading, query, questions) {
        Ok(answered) => answered,
        Err(StoreError::Unreadable(why)) => match why.downcast_ref::<FeedError>() {
            Some(error) => return Ok(Err(Exit::nothing_readable(error))),
            None => return Err(StoreError::Unreadable(why).into()),
        },
        Err(error) => return Err(error.into()),
    };
    if answered.scanned && !quiet {
        print::note("nothing in the query can be looked up in the index: every line of the days asked was looked at");
    }
    answered.damaged.iter().for_each(|damaged| print::error(damaged));
    let of_store = if answered.damaged.is_empty() { Exit::Ok } else { Exit::Partly };
    let exit = answered.read.as_ref().map_or(of_store, |read| Exit::of_reading(read, quiet));
    Ok(Ok((answered, exit)))
}

/// Says on standard error how a query was understood.
pub(crate) fn explain(query: &Query) {
    print::note("the query means");
    query.explain().lines().for_each(print::error_detail);
}

/// Says on standard error why nothing may have matched.
pub(crate) fn nothing_matched(query: &Query, explained: bool) {
    print::note("nothing matched");
    if !explained {
        explain(query);
    }
}

/// Commands that count logins and messages need every line of them; they refuse a query, and say which commands take one.
pub(crate) fn refuse(asked: &NoQuery, instead: &str) -> anyhow::Result<()> {
    match asked.query {
        None => Ok(()),
        Some(_) => anyhow::bail!(
            "--query: this command counts logins and messages, and lines left out would make others of them; \
             ask {instead}, or ask about lines with `entries -q`, `search`, `count -q`, `top FIELD -q` or `histogram -q`"
        ),
    }
}
