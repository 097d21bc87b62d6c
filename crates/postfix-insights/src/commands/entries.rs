//! `entries`: the lines a query means, as rows in the order of the input.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use answers::entries;
use answers::mask::Mask;

use crate::asked;
use crate::cli::{Asked, Entries, Format, Input, Output};
use crate::exit::Exit;

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
    let reading = input.reading(output, true)?;
    let query = match asked::read("", asked, &reading, output) {
        Ok(query) => query,
        Err(exit) => return Ok(exit),
    };
    let format = match format {
        Format::Ndjson => entries::Format::Ndjson,
        Format::Json => entries::Format::Json,
        Format::Csv => entries::Format::Csv,
        Format::Table => entries::Format::Table(output.screen()),
        Format::Parquet => entries::Format::Parquet,
        Format::Raw => entries::Format::Raw { terminal },
    };
    match entries::write(format, out, reading, query, Mask(output.mask))? {
        Ok(written) => Ok(Exit::of_reading(&written.read, output.quiet).or_no_match(written.entries > 0)),
        Err(error) => Ok(Exit::nothing_readable(&error)),
    }
}
