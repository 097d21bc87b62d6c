//! What can be asked: one table. The router, the OpenAPI description, the check of parameters and the tests of access are made from it.

use axum::response::Response;

use crate::asked::Asked;
use crate::problem::Problem;
use crate::{api, pages};

/// A parameter of an address or a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    /// Which entries: a query.
    Q,
    /// Leave out what is older.
    Since,
    /// Leave out what is newer.
    Until,
    /// Split by a field.
    By,
    /// Rows of each list.
    Top,
    /// Entries of a page.
    Limit,
    /// Which entries come first.
    Sort,
    /// Where an earlier page ended.
    Cursor,
    /// Lines around each entry.
    Context,
    /// How wide a bucket is.
    Width,
    /// A field whose different values are counted beside.
    Distinct,
    /// A log line.
    Line,
    /// What a file is written as.
    Format,
    /// How far a watcher has seen.
    After,
    /// What a watcher's page showed already.
    Seen,
    /// A user's name.
    Name,
    /// The password.
    Password,
    /// Where to go after signing in.
    Next,
}

impl Param {
    /// Its name, its JSON Schema and what it means.
    pub(crate) fn described(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Q => (
                "q",
                "string",
                "which entries: a query, such as `class:auth_failed client:203.0.113.0/24`; without it, all",
            ),
            Self::Since => ("since", "string", "leave out what is older: a date, a time, or how long ago (`2h`, `7d`)"),
            Self::Until => ("until", "string", "leave out what is newer"),
            Self::By => ("by", "string", "split each span of time by the values of this field"),
            Self::Top => ("top", "integer", "rows of each list; 0 is all"),
            Self::Limit => ("limit", "integer", "entries at most; 0 is none"),
            Self::Sort => ("sort", "string", "which come first: `newest` or `oldest`"),
            Self::Cursor => ("cursor", "string", "go on where an earlier page ended: from its `Link` header"),
            Self::Context => ("context", "integer", "lines of the same source before and after each entry"),
            Self::Width => ("width", "string", "how long a span is: `10m`, `1h`, `1d`"),
            Self::Distinct => ("distinct", "string", "also how many different values of this field each comes with"),
            Self::Format => ("format", "string", "what the file is: `csv`, `json`, `ndjson`, `parquet` or `raw`"),
            Self::After => ("after", "string", "go on behind this event: its `id`"),
            Self::Seen => {
                ("seen", "string", "lines up to this `id` are known already: they come only when they change")
            }
            Self::Name => ("name", "string", "the user's name"),
            Self::Password => ("password", "string", "the password"),
            Self::Next => ("next", "string", "where to go then, behind the base path"),
            Self::Line => ("line", "string", "a log line, or what of it there is"),
        }
    }

    /// Its JSON Schema.
    pub(crate) fn schema(self) -> serde_json::Value {
        match (self, self.described().1) {
            (Self::Sort, kind) => serde_json::json!({"type": kind, "enum": ["newest", "oldest"]}),
            (Self::Limit, kind) => serde_json::json!({"type": kind, "minimum": 0, "maximum": store::ROWS_MAX}),
            (Self::Context, kind) => serde_json::json!({"type": kind, "minimum": 0, "maximum": 100}),
            (Self::Top, kind) => serde_json::json!({"type": kind, "minimum": 0, "maximum": 100_000}),
            (Self::Line, kind) => serde_json::json!({"type": kind, "minLength": 1}),
            (_, kind) => serde_json::json!({"type": kind}),
        }
    }

    /// What it is called in an address.
    pub(crate) fn name(self) -> &'static str {
        self.described().0
    }
}

/// How much work an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Looked up in the index.
    Light,
    /// Made of many lines: the request waits for it.
    Patient,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Anybody, also who is not signed in: nothing of the log is in the answer.
    Nobody,
    /// Whoever is signed in; the answer is narrowed and masked as that is.
    Reader,
    /// Whoever sees all domains: the answer is about everybody's logins.
    Whole,
    /// Admins.
    Admin,
}

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// It changes nothing.
    Get,
    /// It changes something, or is not to stand in an address.
    Post,
}

/// In which form problems are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A page for people.
    Page,
    /// JSON or text for programs.
    Data,
}

/// Something that can be asked.
pub(crate) struct Route {
    pub(crate) verb: Verb,
    /// Behind the base path, without a leading slash. `{*subject}` at its end is what is asked about.
    pub(crate) path: &'static str,
    pub(crate) form: Form,
    pub(crate) weight: Weight,
    pub(crate) need: Need,
    /// The media type of the answer.
    pub(crate) media: &'static str,
    pub(crate) params: &'static [Param],
    /// What it answers.
    pub(crate) summary: &'static str,
    pub(crate) answer: Answer,
}

/// The parameters of questions about entries.
pub(crate) const ROWS: &[Param] =
    &[Param::Q, Param::Since, Param::Until, Param::Limit, Param::Sort, Param::Cursor, Param::Context];

type Answer = fn(&Asked) -> Result<Response, Problem>;

impl Route {
    /// A page that is looked up in the index.
    pub(crate) const fn page(
        path: &'static str,
        params: &'static [Param],
        answer: Answer,
        summary: &'static str,
    ) -> Self {
        Self {
            verb: Verb::Get,
            path,
            form: Form::Page,
            weight: Weight::Light,
            need: Need::Reader,
            media: "text/html",
            params,
            summary,
            answer,
        }
    }

    /// An answer for programs that is looked up in the index.
    pub(crate) const fn data(
        path: &'static str,
        params: &'static [Param],
        answer: Answer,
        summary: &'static str,
    ) -> Self {
        Self { form: Form::Data, media: "application/json", ..Self::page(path, params, answer, summary) }
    }

    /// The same, but made of many lines.
    pub(crate) const fn patient(self) -> Self {
        Self { weight: Weight::Patient, ..self }
    }
}

impl Route {
    /// The same, but who may ask.
    pub(crate) const fn needs(self, need: Need) -> Self {
        Self { need, ..self }
    }

    /// The same, but it answers with that media type.
    pub(crate) const fn media(self, media: &'static str) -> Self {
        Self { media, ..self }
    }

    /// The same, asked by `POST`.
    pub(crate) const fn post(self) -> Self {
        Self { verb: Verb::Post, ..self }
    }
}

/// All of it: the pages, and what is for programs.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    pages::ROUTES.iter().chain(api::ROUTES)
}
