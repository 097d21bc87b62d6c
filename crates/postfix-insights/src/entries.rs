//! `entries`: the lines a query means, as rows in the order of the input.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use query::{Entry, Query, Sight};

use crate::asked;
use crate::cli::{Asked, Entries, Format, Input, Output};
use crate::exit::Exit;
use crate::formats::{Csv, JsonArray, Ndjson, Printer, Raw, Table};
use crate::mask::Mask;
use crate::parquet::Parquet;
use crate::reading::Reading;
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

/// Runs the command.
pub(crate) fn run(args: &Entries) -> anyhow::Result<Exit> {
    let terminal = io::stdout().is_terminal();
    let format = match (args.format, args.json, terminal) {
        (Some(format), _, _) => format,
        (None, true, _) | (None, false, false) => Format::Ndjson,
        (None, false, true) => Format::Table,
    };
    if format == Format::Parquet && terminal {
        anyhow::bail!("--format parquet: not for a terminal; write it to a file: `> entries.parquet`, or use `export`");
    }
    let out = BufWriter::with_capacity(1 << 16, io::stdout());
    write(format, out, terminal, &args.asked, &args.input, &args.output)
}

/// Writes what the query means to `out`. `terminal`: a person looks at it.
pub(crate) fn write(
    format: Format,
    out: impl Write + Send,
    terminal: bool,
    asked: &Asked,
    input: &Input,
    output: &Output,
) -> anyhow::Result<Exit> {
    let reading = Reading::new(input, output, true)?;
    let query = match asked::read("", asked, &reading, output) {
        Ok(query) => query,
        Err(exit) => return Ok(exit),
    };
    let mask = Mask(output.mask);
    let quiet = output.quiet;
    match format {
        Format::Ndjson => print(reading, query, Ndjson(out, mask), quiet),
        Format::Json => print(reading, query, JsonArray(out, mask, false), quiet),
        Format::Csv => print(reading, query, Csv(csv::Writer::from_writer(out), mask, false), quiet),
        Format::Table => print(reading, query, Table(out, Screen::of_stdout(output.color), mask, false), quiet),
        Format::Parquet => print(reading, query, Parquet::new(out, mask)?, quiet),
        Format::Raw if mask.0 => anyhow::bail!("--mask: raw lines cannot be masked; use another --format"),
        Format::Raw => print(reading, query, Raw(out, terminal), quiet),
    }
}

fn print(reading: Reading, query: Query, printer: impl Printer, quiet: bool) -> anyhow::Result<Exit> {
    let mut printing = Printing { query, printer, printed: 0, failure: None };
    let read = match stream::read_entries(reading, &mut printing) {
        Ok(read) => read,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    if let Some(failure) = printing.failure {
        return Err(failure.into());
    }
    printing.printer.finish()?;
    Ok(Exit::of_reading(&read, quiet).or_no_match(printing.printed > 0))
}
