//! `entries`: the lines a query means, as rows in the order of the input.

use std::io::{self, Write};

use input::FeedError;
use query::{Entry, Query, Sight};

use crate::formats::{Csv, JsonArray, Ndjson, Printer, Raw, Table};
use crate::mask::Mask;
use crate::parquet::Parquet;
use crate::reading::{Read, Reading};
use crate::screen::Screen;
use crate::stream::{self, Taker};

/// What is printed of the lines read, and how far that went.
struct Printing<P: Printer> {
    query: Query,
    printer: P,
    printed: u64,
    failure: Option<io::Error>,
}

impl<P: Printer> Taker for Printing<P> {
    fn wants_raw(&self) -> bool {
        P::WANTS_RAW
    }

    fn wanted(&self) -> Query {
        self.query.clone()
    }

    fn may_want(&self, sight: &Sight<'_>) -> bool {
        self.failure.is_none() && self.query.may_mean(sight)
    }

    fn take(&mut self, entry: &Entry, raw: &[u8]) {
        if self.failure.is_none() && self.query.matches(entry) {
            self.printed += 1;
            self.failure = self.printer.print(entry, raw).err();
        }
    }
}

/// How entries are written.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    /// One JSON object per line.
    Ndjson,
    /// One JSON array.
    Json,
    /// Comma-separated, with a header.
    Csv,
    /// Aligned columns for people.
    Table(Screen),
    /// Apache Parquet.
    Parquet,
    /// The lines themselves, secrets redacted; escaped for a terminal.
    Raw {
        /// A person looks at it.
        terminal: bool,
    },
}

/// How many were written, and what was read for them.
pub struct Written {
    /// Entries.
    pub entries: u64,
    /// The reading.
    pub read: Read,
}

/// Writes what the query means to `out`. Raw lines cannot be masked.
pub fn write(
    format: Format,
    out: impl Write + Send,
    reading: Reading,
    query: Query,
    mask: Mask,
) -> anyhow::Result<Result<Written, FeedError>> {
    match format {
        Format::Ndjson => print(reading, query, Ndjson(out, mask)),
        Format::Json => print(reading, query, JsonArray(out, mask, false)),
        Format::Csv => print(reading, query, Csv(csv::Writer::from_writer(out), mask, false)),
        Format::Table(screen) => print(reading, query, Table(out, screen, mask, false)),
        Format::Parquet => print(reading, query, Parquet::new(out, mask)?),
        Format::Raw { .. } if mask.0 => anyhow::bail!("--mask: raw lines cannot be masked; use another --format"),
        Format::Raw { terminal } => print(reading, query, Raw(out, terminal)),
    }
}

fn print(reading: Reading, query: Query, printer: impl Printer) -> anyhow::Result<Result<Written, FeedError>> {
    let mut printing = Printing { query, printer, printed: 0, failure: None };
    let read = match stream::read_entries(reading, &mut printing) {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(failure) = printing.failure {
        return Err(failure.into());
    }
    printing.printer.finish()?;
    Ok(Ok(Written { entries: printing.printed, read }))
}
