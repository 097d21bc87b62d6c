//! The entries that a query means: how many, when, of which values, and the lines, newest first.

use answers::questions;
use axum::response::Response;
use query::{Expr, Field, Query};
use store::{Answer, Histogram, HistogramAsked, Question, Top, TopAsked, Width};

use super::chart::Chart;
use super::links::address;
use super::row::RowView;
use super::{Layout, html, terms};
use crate::asked::Asked;
use crate::problem::Problem;

/// Rows of a page: with all their fields and links it weighs about 150 kB.
const LIMIT: usize = 28;
/// Values of a facet.
const VALUES: usize = 6;
/// With more entries than this only the newest bars with so many are counted for the facets, a dozen fields of each entry: nobody waits
/// seconds for them.
const COUNTED: u64 = 100_000;
/// Bars of the picture at most.
const BARS: usize = 60;
/// The fields to narrow by, in the order they are shown.
const FACETS: [&str; 12] = [
    "class",
    "cause",
    "client_ip",
    "username",
    "service",
    "mechanism",
    "event",
    "daemon",
    "status",
    "to",
    "relay_host",
    "host",
];

#[derive(askama::Template)]
#[template(path = "search.html")]
struct Page {
    layout: Layout,
    /// Which come first.
    sort: String,
    count: u64,
    /// How the query was understood, in plain words.
    understood: String,
    parts: Vec<Part>,
    chart: Option<Chart>,
    facets: Vec<Facet>,
    /// Of how many, and since when, if these are not all.
    newest: Option<(u64, String)>,
    rows: Vec<RowView>,
    /// The address of the next page.
    next: Option<String>,
    /// Whether this is a later page.
    later: bool,
    turned: String,
    exports: Vec<(&'static str, String)>,
    api: String,
}

/// A part of the query, and the page without it.
struct Part {
    text: String,
    without: String,
}

/// A field to narrow by.
struct Facet {
    name: &'static str,
    meaning: &'static str,
    values: Vec<FacetValue>,
    more: u64,
}

struct FacetValue {
    value: String,
    count: u64,
    /// The page narrowed to it, and the page without it; empty where the value is masked.
    only: String,
    without: String,
}

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let query = asked.query()?;
    let parsed = Query::parse(asked.query_text(), &asked.present())
        .map_err(|error| Problem::of_query(asked.query_text(), &error))?;
    let layout = Layout::asked(asked, "search", "Search").with_presets(asked);
    let fields: Vec<&'static Field> = FACETS.iter().filter_map(|name| query::field(name)).collect();
    let Counts { count, mut histogram, tops, newest } = counts(asked, &query, &fields)?;
    questions::mask_histogram(&mut histogram, query::field("class"), asked.viewer.mask());
    let found = asked.rows(&query, asked.rows_asked(LIMIT)?)?;
    let place = Place { asked, parsed: &parsed };
    let chart = Chart::draw("Entries over time", &histogram, &asked.clock(), &|from, to| {
        place.at(asked.query_text(), from, to)
    });
    let rows = found.rows.iter().map(|row| RowView::new(asked, &layout, &query, row)).collect();
    html(&Page {
        sort: asked.params.get("sort").unwrap_or_default().to_owned(),
        count,
        understood: if asked.query_text().is_empty() { String::new() } else { parsed.explain() },
        parts: terms::parts(&parsed)
            .into_iter()
            .map(|(text, left)| Part { text, without: place.with(&left) })
            .collect(),
        chart,
        facets: fields.iter().zip(tops).filter_map(|(field, top)| place.facet(field, top)).collect(),
        newest: newest.map(|newest| (newest.count, asked.clock().full(newest.from))),
        rows,
        next: found.next.map(|next| asked.link_with("cursor", &next.to_string())),
        later: asked.params.get("cursor").is_some(),
        turned: place.turned(),
        exports: place.exports()?,
        api: place.link("api/v1/entries", asked.query_text(), &[]),
        layout,
    })
}

/// The newest of many entries.
struct Newest {
    /// Microseconds since 1970 UTC.
    from: i64,
    count: u64,
}

/// How many, when, and of which values.
struct Counts {
    count: u64,
    histogram: Histogram,
    tops: Vec<Top>,
    /// Of which entries the values are; `None`: of all.
    newest: Option<Newest>,
}

/// Asked in one go, so that all of it tells of the same entries; but of very many, the values of the newest.
fn counts(asked: &Asked, query: &Query, fields: &[&'static Field]) -> Result<Counts, Problem> {
    let values = |field: &&'static Field| Question::Top(TopAsked { field, distinct: None, limit: VALUES });
    let zone = asked.app.config.zone.clone();
    let histogram = HistogramAsked { width: Width::Auto(BARS), zone, by: query::field("class") };
    let mut all = vec![Question::Count, Question::Histogram(histogram)];
    let few = asked.count(query)? <= COUNTED;
    if few {
        all.extend(fields.iter().map(values));
    }
    let mut answers = asked.ask(query, &all)?.into_iter();
    let (Some(Answer::Count(count)), Some(Answer::Histogram(histogram))) = (answers.next(), answers.next()) else {
        return Err(Problem::ours(&anyhow::anyhow!("a store answered another question")));
    };
    let newest = if few { None } else { newest(&histogram) };
    let mut answers: Vec<Answer> = answers.collect();
    if !few {
        let recent = Query::between(newest.as_ref().map(|newest| newest.from), None);
        answers = asked.ask(&query.clone().and(recent), &fields.iter().map(values).collect::<Vec<_>>())?;
    }
    let top = |answer| if let Answer::Top(top) = answer { Some(top) } else { None };
    Ok(Counts { count, histogram, tops: answers.into_iter().filter_map(top).collect(), newest })
}

/// Where to begin for the newest bars with at most [`COUNTED`] entries; the newest bar that is not empty is always among them.
/// `None`: these are all.
fn newest(histogram: &Histogram) -> Option<Newest> {
    let mut count = 0;
    let mut from = None;
    for bucket in histogram.buckets.iter().rev() {
        if count > 0 && count + bucket.count > COUNTED {
            return from.map(|from| Newest { from, count });
        }
        count += bucket.count;
        from = Some(bucket.from);
    }
    None
}

/// Where the page is: what links begin from.
struct Place<'a> {
    asked: &'a Asked,
    parsed: &'a Query,
}

impl Place<'_> {
    fn own(&self, name: &str) -> &str {
        self.asked.params.get(name).unwrap_or_default()
    }

    fn link(&self, path: &str, query: &str, more: &[(&str, &str)]) -> String {
        let mut pairs =
            vec![("q", query), ("since", self.own("since")), ("until", self.own("until")), ("sort", self.own("sort"))];
        pairs.extend_from_slice(more);
        address(&format!("{}{path}", self.asked.app.config.base), &pairs)
    }

    /// This page with another query.
    fn with(&self, query: &str) -> String {
        self.link("search", query, &[])
    }

    /// This page about another time.
    fn at(&self, query: &str, from: &str, to: &str) -> String {
        let pairs = [("q", query), ("since", from), ("until", to), ("sort", self.own("sort"))];
        address(self.asked.uri.path(), &pairs)
    }

    /// This page with the other end first.
    fn turned(&self) -> String {
        let sort = if self.own("sort") == "oldest" { "newest" } else { "oldest" };
        let pairs = [("q", self.own("q")), ("since", self.own("since")), ("until", self.own("until")), ("sort", sort)];
        address(self.asked.uri.path(), &pairs)
    }

    /// Exactly what is shown: relative times become those that they meant for this page.
    fn exports(&self) -> Result<Vec<(&'static str, String)>, Problem> {
        let since = self.asked.time("since")?.map(query::rfc3339).unwrap_or_default();
        let until = self.asked.time("until")?.map(query::rfc3339).unwrap_or_default();
        let path = format!("{}export", self.asked.app.config.base);
        let query = self.parsed.to_string();
        let link = |format: &'static str| {
            let pairs = [
                ("format", format),
                ("q", query.as_str()),
                ("since", &since),
                ("until", &until),
                ("sort", self.own("sort")),
            ];
            (format, address(&path, &pairs))
        };
        Ok(["csv", "json", "ndjson", "parquet", "raw"].into_iter().map(link).collect())
    }

    fn facet(&self, field: &'static Field, mut top: Top) -> Option<Facet> {
        let masked = self.asked.viewer.is_masked() && field.personal;
        questions::mask_top(&mut top, field, self.asked.viewer.mask());
        if top.values.is_empty() {
            return None;
        }
        let more = top.distinct.saturating_sub(top.values.len() as u64);
        let value = |row: store::TopValue| {
            let term = if masked { None } else { terms::having(field, &row.value) };
            let link = |term: Expr| self.with(&terms::narrowed(self.asked.query_text(), self.parsed, &term));
            FacetValue {
                value: answers::screen::escape(&row.value).into_owned(),
                count: row.count,
                only: term.clone().map(link).unwrap_or_default(),
                without: term.map(|term| link(Expr::Not(Box::new(term)))).unwrap_or_default(),
            }
        };
        let values = top.values.into_iter().map(value).collect();
        Some(Facet { name: field.name, meaning: field.meaning, values, more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_are_fields_that_can_be_counted() {
        for name in FACETS {
            assert!(query::field(name).is_some_and(|field| field.facet && field.name == name), "{name}");
        }
    }

    #[test]
    fn of_very_many_the_newest_are_counted() {
        let histogram = |counts: &[u64]| {
            let bucket = |(at, count): (i64, &u64)| store::Bucket {
                from: at,
                to: at + 1,
                count: *count,
                by: Vec::new(),
                other: 0,
            };
            Histogram { values: Vec::new(), buckets: (0..).zip(counts).map(bucket).collect(), undated: 0 }
        };
        let from = |counts: &[u64]| newest(&histogram(counts)).map(|newest| (newest.from, newest.count));
        assert_eq!(from(&[90_000, 60_000, 30_000, 10_000]), Some((1, 100_000)));
        assert_eq!(from(&[5, 400_000, 0]), Some((1, 400_000)));
        assert_eq!(from(&[400_000]), None);
        assert_eq!(from(&[]), None);
    }
}
