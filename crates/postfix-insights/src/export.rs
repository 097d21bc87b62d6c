//! `export`: the lines a query means, into a file.
//!
//! The file appears under its name when it is complete, and is never overwritten unasked. Only its owner may read it.

use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::cli::{Export, Format};
use crate::commands::entries;
use crate::exit::Exit;

/// Runs the command.
pub(crate) fn run(args: &Export) -> anyhow::Result<Exit> {
    let format = match args.format.or_else(|| format_of(&args.to)) {
        Some(Format::Table) => bail!("--format table: for people only; an export is csv, json, ndjson, parquet or raw"),
        Some(format) => format,
        None => bail!(
            "--to {}: its ending names no format; use .csv, .json, .ndjson, .jsonl, .parquet or .log, or say --format",
            args.to.display()
        ),
    };
    let shown = args.to.display();
    if args.to.exists() && !args.force {
        bail!("--to {shown}: the file exists; choose another name, or say --force");
    }
    let folder = args.to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file =
        tempfile::NamedTempFile::new_in(folder).with_context(|| format!("--to {shown}: cannot write there"))?;
    let out = BufWriter::with_capacity(1 << 16, file.as_file_mut());
    let exit = entries::write(format, out, false, &args.asked, &args.input, &args.output)?;
    if matches!(exit, Exit::Usage | Exit::Unreadable) {
        return Ok(exit);
    }
    let kept = if args.force { file.persist(&args.to) } else { file.persist_noclobber(&args.to) };
    kept.with_context(|| format!("--to {shown}: cannot write it"))?;
    Ok(exit)
}

fn format_of(path: &Path) -> Option<Format> {
    Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Format::Csv,
        "json" => Format::Json,
        "ndjson" | "jsonl" => Format::Ndjson,
        "parquet" => Format::Parquet,
        "log" => Format::Raw,
        _ => return None,
    })
}
