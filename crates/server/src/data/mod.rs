//! What the store says to a viewer: the one place where answers are masked and narrowed to what the viewer may see.

mod counts;
mod everybody;
mod line;
mod locked_out;
mod narrow;
mod shelf;
mod stories;

use std::sync::Arc;

use answers::reading::{self, Reading};
pub(crate) use everybody::Everybody;
pub(crate) use line::line;
pub(crate) use shelf::{Made, Shelf, version};
pub(crate) use stories::{Counted, explained};

use query::{Entry, Present, Query};
use store::{Answer, Cursor, Order, Question, Row, RowsAsked, Store as _};

use crate::asked::Asked;
use crate::problem::Problem;

/// A page of entries, masked as the viewer must see them.
pub(crate) struct Rows {
    /// In the order asked for.
    pub(crate) rows: Vec<Row>,
    /// Where to go on.
    pub(crate) next: Option<Cursor>,
}

impl Asked {
    /// What relative times mean.
    pub(crate) fn present(&self) -> Present {
        Present { zone: self.app.config.zone.clone(), now: self.now }
    }

    /// The query of `q`, as it was written.
    pub(crate) fn query_text(&self) -> &str {
        self.params.get("q").unwrap_or_default()
    }

    /// What `q`, `since` and `until` mean.
    pub(crate) fn query(&self) -> Result<Query, Problem> {
        let text = self.query_text();
        let query = Query::parse(text, &self.present()).map_err(|error| Problem::of_query(text, &error))?;
        Ok(query.and(Query::between(self.time("since")?, self.time("until")?)))
    }

    /// An instant in microseconds since 1970 UTC.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.params.get(name) else { return Ok(None) };
        let instant = self.present().instant(text);
        instant.map(Some).map_err(|error| Problem::bad(format!("{name} {text}: {error}")))
    }

    /// What of all entries the viewer may see.
    pub(crate) fn scope(&self) -> Query {
        self.viewer.scope.as_ref().map_or_else(Query::all, crate::access::Scope::query)
    }

    /// Asks the index. One answer for each question.
    pub(crate) fn ask(&self, query: &Query, questions: &[Question]) -> Result<Vec<Answer>, Problem> {
        let query = query.clone().and(self.scope());
        let index = answers::state::index(&self.app.config.state).with_ledger(Arc::clone(&self.app.ledger));
        Ok(index.ask(&query, questions)?)
    }

    /// Entries.
    pub(crate) fn rows(&self, query: &Query, asked: RowsAsked) -> Result<Rows, Problem> {
        let mut answers = self.ask(query, &[Question::Rows(asked)])?;
        let Some(Answer::Rows(page)) = answers.pop() else { return Err(foreign()) };
        let rows = page.rows.into_iter().map(|row| self.masked_row(row)).collect();
        Ok(Rows { rows, next: page.next })
    }

    /// How many entries.
    pub(crate) fn count(&self, query: &Query) -> Result<u64, Problem> {
        match self.ask(query, &[Question::Count])?.pop() {
            Some(Answer::Count(count)) => Ok(count),
            _ => Err(foreign()),
        }
    }

    fn masked_row(&self, row: Row) -> Row {
        let mask = self.viewer.mask();
        let scope = self.scope();
        // Lines around a row may be those of others.
        let own =
            |entries: Vec<Arc<Entry>>| entries.into_iter().filter(|entry| scope.matches(entry)).collect::<Vec<_>>();
        let (before, after) = (own(row.before), own(row.after));
        if !self.viewer.is_masked() {
            return Row { before, after, ..row };
        }
        let entry = |entry: Arc<Entry>| Arc::new(mask.entry(&entry).into_owned());
        let entries = |entries: Vec<_>| entries.into_iter().map(entry).collect();
        Row { entry: entry(row.entry), before: entries(before), after: entries(after) }
    }

    /// What of the entries `limit`, `sort`, `cursor` and `context` ask for.
    pub(crate) fn rows_asked(&self, limit: usize) -> Result<RowsAsked, Problem> {
        let order = match self.params.get("sort") {
            None | Some("newest") => Order::Newest,
            Some("oldest") => Order::Oldest,
            Some(other) => return Err(Problem::bad(format!("sort is `newest` or `oldest`, not `{other}`"))),
        };
        let after = self.params.get("cursor").map(str::parse).transpose();
        Ok(RowsAsked {
            order,
            limit: self.params.number("limit", limit, store::ROWS_MAX)?,
            after: after.map_err(|error: store::CursorError| Problem::bad(format!("cursor: {error}")))?,
            context: self.params.number("context", 0, 100)?,
        })
    }

    /// The lines of the store of the time asked for, for questions that count logins and messages.
    pub(crate) fn reading(&self) -> Result<Reading, Problem> {
        let own = |name| self.params.get(name).map(str::to_owned);
        let input = reading::Input {
            state: Some(self.app.config.state.root().to_owned()),
            since: own("since"),
            until: own("until"),
            timezone: self.app.config.zone.iana_name().map(str::to_owned),
            ..reading::Input::default()
        };
        // Only the times can be wrong here; they are told as parameters, not as options.
        let reading = Reading::new(&input, false).map(|reading| reading.judged_by(self.app.config.judged.clone()));
        reading.map_err(|error| Problem::bad(format!("{error:#}").trim_start_matches("--")))
    }
}

fn foreign() -> Problem {
    Problem::ours(&anyhow::anyhow!("a store answered another question"))
}
