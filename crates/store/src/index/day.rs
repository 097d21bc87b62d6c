//! One day's index on disk, opened for reading.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use query::{Entry, Expr, Query};
use serde::Deserialize;
use tantivy::directory::OwnedBytes;
use tantivy::query::EnableScoring;
use tantivy::{DocAddress, DocId, DocSet as _, Index, IndexReader, ReloadPolicy, Searcher, TERMINATED};

use super::document::Documents;
use super::files;
use super::narrow::{self, Narrowed};
use super::payload::{LAYOUT, OLDEST, Payload};
use super::schema::{PLACE, Slots, TURN, prepare, source_and_line};
use super::sources::Sources;
use super::stored::Kept;
use super::within::{Length, Within};

const DAY_US: i64 = 86_400_000_000;

/// A UTC day, as a number of days since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i64);

impl Date {
    /// The day of an instant in microseconds since 1970 UTC.
    #[must_use]
    pub fn of(ts: i64) -> Self {
        Self(ts.div_euclid(DAY_US))
    }

    /// Its first microsecond.
    #[must_use]
    pub fn start(self) -> i64 {
        self.0.saturating_mul(DAY_US)
    }

    /// Its last microsecond.
    #[must_use]
    pub fn end(self) -> i64 {
        self.start().saturating_add(DAY_US - 1)
    }
}

/// As its folder is called: `2026-06-17`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = query::rfc3339(self.start());
        match text.get(..text.find('T').unwrap_or_default()).filter(|day| !day.is_empty()) {
            Some(day) => f.write_str(day),
            // A day that no calendar holds.
            None => write!(f, "day{}", self.0),
        }
    }
}

/// A name that no day's folder has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoDate;

impl FromStr for Date {
    type Err = NoDate;

    fn from_str(text: &str) -> Result<Self, NoDate> {
        let date = match text.strip_prefix("day") {
            Some(number) => Self(number.parse().map_err(|_| NoDate)?),
            None => {
                let noon: jiff::Timestamp = format!("{text}T00:00:00Z").parse().map_err(|_| NoDate)?;
                Self::of(noon.as_microsecond())
            }
        };
        if date.to_string() == text { Ok(date) } else { Err(NoDate) }
    }
}

/// Why a day cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DayError {
    /// The index is damaged, or the disk is.
    #[error(transparent)]
    Index(#[from] tantivy::TantivyError),
    /// A column or the disk is damaged.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A packed line is damaged.
    #[error("a packed line is damaged")]
    Line(#[from] postcard::Error),
    /// What its commit says cannot be read.
    #[error("the commit's own note is damaged")]
    Payload(#[from] serde_json::Error),
    /// It was written by an older version, and can be written anew.
    #[error("it has layout {0}, and this program works with {LAYOUT}: run `postfix-insights reindex`")]
    Older(u32),
    /// It is of a version that this program does not know.
    #[error(
        "it has layout {0}, and this program knows {LAYOUT}: use the program that wrote it, or remove the day's folder and ingest its logs again"
    )]
    Unknown(u32),
    /// A reader gave up.
    #[error("the index is damaged: {0}")]
    Broken(String),
}

/// Reads what the last commit said.
pub(crate) fn payload(index: &Index) -> Result<Payload, DayError> {
    understood(index.load_metas()?.payload).and_then(present)
}

/// The same of a day's folder, without opening its index.
pub(crate) fn note(folder: &Path) -> Result<Payload, DayError> {
    understood(Commit::of(&Commit::bytes(folder)?)?.payload).and_then(present)
}

/// What is of use in a day's `meta.json`: to read all of it takes longer than to search the day.
#[derive(Deserialize)]
struct Commit {
    payload: Option<String>,
}

impl Commit {
    /// The file as it is.
    fn bytes(folder: &Path) -> Result<Vec<u8>, DayError> {
        Ok(std::fs::read(folder.join("meta.json"))?)
    }

    fn of(bytes: &[u8]) -> Result<Self, DayError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// A note of the present layout.
fn present(payload: Payload) -> Result<Payload, DayError> {
    if payload.layout == LAYOUT { Ok(payload) } else { Err(DayError::Older(payload.layout)) }
}

/// A note of any layout that is still known.
fn understood(note: Option<String>) -> Result<Payload, DayError> {
    let Some(text) = note else { return Ok(Payload::default()) };
    let payload: Payload = serde_json::from_str(&text)?;
    if (OLDEST..=LAYOUT).contains(&payload.layout) { Ok(payload) } else { Err(DayError::Unknown(payload.layout)) }
}

/// A day, open.
pub(crate) struct Day {
    pub(crate) date: Date,
    pub(crate) payload: Payload,
    pub(crate) slots: Slots,
    pub(crate) searcher: Searcher,
    documents: Documents,
    _reader: IndexReader,
}

impl Day {
    pub(crate) fn open(date: Date, path: &Path) -> Result<Self, DayError> {
        Self::open_as(date, path, present)
    }

    /// Opens a day of any layout that is still known, to go over all its lines: what is looked up in it may not be found.
    pub(crate) fn open_to_renew(date: Date, path: &Path) -> Result<Self, DayError> {
        Self::open_as(date, path, Ok)
    }

    fn open_as(
        date: Date,
        path: &Path,
        is_fit: impl Fn(Payload) -> Result<Payload, DayError>,
    ) -> Result<Self, DayError> {
        let index = files::open(path)?;
        prepare(&index);
        // Once more if a commit came in between: note and lines are of one commit.
        let mut before = Commit::bytes(path)?;
        loop {
            let payload = understood(Commit::of(&before)?.payload).and_then(&is_fit)?;
            let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
            let after = Commit::bytes(path)?;
            if before == after {
                let slots = Slots::of(&index.schema())?;
                let searcher = reader.searcher();
                let documents = Documents::of(&searcher);
                return Ok(Self { date, payload, slots, searcher, documents, _reader: reader });
            }
            before = after;
        }
    }

    /// Where to look for what a query means.
    pub(crate) fn narrow(&self, query: &Query, sources: &Sources) -> Narrowed {
        self.narrow_within(&self.within(query), sources)
    }

    /// What is left of a query here.
    pub(crate) fn within(&self, query: &Query) -> Within {
        Length { date: self.date, undated: self.payload.undated }.of(query.expr())
    }

    /// Where to look for what is left of a query.
    pub(crate) fn narrow_within(&self, within: &Within, sources: &Sources) -> Narrowed {
        let expr = match within {
            Within::All => &Expr::All,
            Within::Nothing => return Narrowed::nothing(),
            Within::Some(expr) => expr,
        };
        let names: Vec<(u64, String)> =
            self.payload.sources.keys().map(|number| (*number, sources.name(*number).to_owned())).collect();
        narrow::Day { slots: &self.slots, cut: self.payload.cut, sources: &names }.narrow(expr)
    }

    /// Tells of every line that a search finds. `false` from `take` ends it.
    pub(crate) fn each(
        &self,
        search: &dyn tantivy::query::Query,
        mut take: impl FnMut(u32, DocId) -> Result<bool, DayError>,
    ) -> Result<(), DayError> {
        let weight = search.weight(EnableScoring::disabled_from_searcher(&self.searcher))?;
        for (segment, reader) in (0..).zip(self.searcher.segment_readers()) {
            let mut docs = weight.scorer(reader, 1.0)?;
            let mut doc = docs.doc();
            while doc != TERMINATED {
                if !reader.is_deleted(doc) && !take(segment, doc)? {
                    return Ok(());
                }
                doc = docs.advance();
            }
        }
        Ok(())
    }

    /// The columns that say where lines stand.
    pub(crate) fn places(&self) -> Result<Vec<Places>, DayError> {
        let columns = self.searcher.segment_readers().iter().map(|reader| {
            let columns = reader.fast_fields();
            Ok(Places { ts: columns.i64(query::TS.name)?, turn: columns.i64(TURN)?, place: columns.u64(PLACE)? })
        });
        columns.collect()
    }

    /// A packed line.
    pub(crate) fn packed(&self, address: DocAddress) -> Result<OwnedBytes, DayError> {
        self.documents.packed(&self.searcher, address)
    }

    /// A line with its entry.
    pub(crate) fn line(&self, address: DocAddress, places: &[Places], sources: &Sources) -> Result<Line, DayError> {
        let Some(places) = places.get(address.segment_ord as usize) else {
            return Err(DayError::Broken("a segment without columns".to_owned()));
        };
        line_of(&self.packed(address)?, places, address.doc_id, sources)
    }
}

/// A line with its entry, out of its document and its columns.
pub(crate) fn line_of(packed: &[u8], places: &Places, doc: DocId, sources: &Sources) -> Result<Line, DayError> {
    let (kept, mut entry) = Kept::unpack(packed)?;
    let (source, line) = source_and_line(places.place.first(doc).unwrap_or_default());
    entry.ts = places.ts.first(doc);
    entry.source = Some(sources.name(source).to_owned());
    entry.line = i64::try_from(line).ok();
    Ok(Line { kept, entry })
}

/// Where the lines of a segment stand.
pub(crate) struct Places {
    pub(crate) ts: tantivy::columnar::Column<i64>,
    pub(crate) turn: tantivy::columnar::Column<i64>,
    pub(crate) place: tantivy::columnar::Column<u64>,
}

/// A line as it was kept.
pub(crate) struct Line {
    pub(crate) kept: Kept,
    pub(crate) entry: Entry,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_names() {
        for (ts, name) in [(0, "1970-01-01"), (-1, "1969-12-31"), (1_781_691_914_000_000, "2026-06-17")] {
            let date = Date::of(ts);
            assert_eq!(date.to_string(), name);
            assert_eq!(name.parse(), Ok(date));
            assert!((date.start()..=date.end()).contains(&ts));
        }
        let far = Date::of(i64::MAX);
        assert_eq!(far.to_string().parse(), Ok(far));
        for name in ["", "2026-6-1", "2026-02-30", "lost+found", "day", "day1"] {
            assert_eq!(name.parse::<Date>(), Err(NoDate), "{name}");
        }
    }
}
