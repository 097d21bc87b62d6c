//! Commands that ask about lines.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Asked, Input, Output};

#[derive(Debug, Args)]
pub(crate) struct Entries {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print them.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// The same as --format ndjson.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object per line.
    Ndjson,
    /// One JSON array.
    Json,
    /// Comma-separated, with a header.
    Csv,
    /// Aligned columns for people.
    Table,
    /// Apache Parquet.
    Parquet,
    /// The lines themselves, secrets redacted.
    Raw,
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// What to look for: words, "phrases", `field:value`; see docs/reference/query.md.
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    pub(crate) words: String,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Show so many lines of the same file before and after each.
    #[arg(short = 'C', long, value_name = "N", default_value_t = 0, conflicts_with = "json")]
    pub(crate) context: usize,
    /// Show so many at most.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
    /// Which come first.
    #[arg(long, value_enum, default_value_t = Sort::Newest, value_name = "ORDER")]
    pub(crate) sort: Sort,
    /// Then go on with what `follow` or `serve` brings into the store, the oldest first, until it is ended.
    #[arg(long, conflicts_with_all = ["files", "context", "sort", "cursor"])]
    pub(crate) follow: bool,
    /// Go on where an earlier search ended.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<store::Cursor>,
    /// One JSON object per line, as `entries` prints them.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    Newest,
    Oldest,
}

#[derive(Debug, Args)]
pub(crate) struct Count {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// The field, e.g. `client`, `user`, `cause`; `postfix-insights fields` lists them.
    #[arg(value_name = "FIELD")]
    pub(crate) field: String,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Also how many different values of this field each comes with.
    #[arg(long, value_name = "FIELD")]
    pub(crate) distinct: Option<String>,
    /// Values shown; 0 is all (default: 10, with --json 100).
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Histogram {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Split each span by the values of this field.
    #[arg(long, value_name = "FIELD")]
    pub(crate) by: Option<String>,
    /// How long a span is: `10m`, `1h`, `1d` (default: what makes 60 of them or fewer).
    #[arg(long, value_name = "SPAN")]
    pub(crate) width: Option<String>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file to write; its ending says the format: .csv, .json, .ndjson, .jsonl, .parquet, .log.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// The format, whatever the file is called.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Overwrite the file if it exists.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The line, or `-` to explain each line of standard input as one line of JSON. One that begins with `-` stands behind `--`.
    #[arg(value_name = "LINE", required = true)]
    pub(crate) line: Vec<String>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
    /// Zone of a stamp without one (an IANA name, default: this machine's).
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// Year of a stamp without one: then the line's time is told.
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1980..=9998))]
    pub(crate) year: Option<i16>,
    #[command(flatten)]
    pub(crate) output: Output,
}
