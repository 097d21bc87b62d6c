//! Entries as they are written: NDJSON, JSON, CSV, a table, the lines themselves.
//!
//! Entries go in, masked where that is asked for; bytes come out, and nothing is kept.

use std::io::{self, Write};

use query::{Entry, FIELDS};

use crate::json;
use crate::mask::Mask;
use crate::screen::{Screen, cut, escape, left};

/// A format of entries.
pub trait Printer {
    /// The line's own bytes are wanted as well.
    const WANTS_RAW: bool = false;

    /// Writes an entry. `raw` is the line with secrets redacted, if it is wanted.
    fn print(&mut self, entry: &Entry, raw: &[u8]) -> io::Result<()>;

    /// Writes what comes behind all of them.
    fn finish(&mut self) -> io::Result<()>;
}

/// One JSON object a line.
pub struct Ndjson<W: Write>(pub W, pub Mask);

impl<W: Write> Printer for Ndjson<W> {
    fn print(&mut self, entry: &Entry, _raw: &[u8]) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, &json::entry(entry, self.1))?;
        self.0.write_all(b"\n")
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One JSON array. The last member is whether anything was written.
pub struct JsonArray<W: Write>(pub W, pub Mask, pub bool);

impl<W: Write> Printer for JsonArray<W> {
    fn print(&mut self, entry: &Entry, _raw: &[u8]) -> io::Result<()> {
        self.0.write_all(if std::mem::replace(&mut self.2, true) { b",\n" } else { b"[\n" })?;
        Ok(serde_json::to_writer(&mut self.0, &json::entry(entry, self.1))?)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.write_all(if self.2 { b"\n]\n" } else { b"[]\n" })?;
        self.0.flush()
    }
}

/// Comma-separated. The last member is whether the header was written.
pub struct Csv<W: Write>(pub csv::Writer<W>, pub Mask, pub bool);

impl<W: Write> Csv<W> {
    fn header(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.2, true) {
            self.0.write_record(FIELDS.iter().map(|field| field.name)).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl<W: Write> Printer for Csv<W> {
    fn print(&mut self, entry: &Entry, _raw: &[u8]) -> io::Result<()> {
        self.header()?;
        let row = serde_json::json!(json::entry(entry, self.1));
        let cell = |name: &str| row.get(name).map(cell_of).unwrap_or_default();
        self.0.write_record(FIELDS.iter().map(|field| cell(field.name))).map_err(io::Error::other)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.header()?;
        self.0.flush()
    }
}

/// A cell that no spreadsheet takes for a formula, and that holds no raw control byte.
fn cell_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => {
            let shown = escape(text);
            if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{shown}") } else { shown.into_owned() }
        }
        other => other.to_string(),
    }
}

/// The lines' own bytes with secrets redacted; escaped on a terminal.
pub struct Raw<W: Write>(pub W, pub bool);

impl<W: Write> Printer for Raw<W> {
    const WANTS_RAW: bool = true;

    fn print(&mut self, _entry: &Entry, raw: &[u8]) -> io::Result<()> {
        if self.1 {
            self.0.write_all(escape(&String::from_utf8_lossy(raw)).as_bytes())?;
        } else {
            self.0.write_all(raw)?;
        }
        self.0.write_all(b"\n")
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Aligned columns. The last member is whether the header was written.
pub struct Table<W: Write>(pub W, pub Screen, pub Mask, pub bool);

/// Columns of the table: field and width.
const COLUMNS: [(&str, usize); 6] =
    [("ts", 27), ("daemon", 10), ("class", 16), ("client_ip", 15), ("username", 24), ("cause", 26)];

impl<W: Write> Printer for Table<W> {
    fn print(&mut self, entry: &Entry, _raw: &[u8]) -> io::Result<()> {
        if !std::mem::replace(&mut self.3, true) {
            let header: Vec<String> = COLUMNS.iter().map(|(name, width)| left(name, *width)).collect();
            writeln!(self.0, "{}  text", header.join("  "))?;
        }
        let row = serde_json::json!(json::entry(entry, self.2));
        let cell = |name: &str| {
            row.get(name).and_then(serde_json::Value::as_str).map(|text| escape(text).into_owned()).unwrap_or_default()
        };
        let cells: Vec<String> = COLUMNS.iter().map(|(name, width)| left(&cell(name), *width)).collect();
        let used: usize = COLUMNS.iter().map(|(_, width)| width + 2).sum();
        let room = self.1.width.saturating_sub(used).max(30);
        writeln!(self.0, "{}  {}", cells.join("  "), cut(&cell("text"), room))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_no_formulas() {
        let cell = |text: &str| cell_of(&serde_json::Value::from(text));
        assert_eq!(
            (cell("=cmd()"), cell("@x"), cell("-1"), cell("a=b"), cell("\tx")),
            ("'=cmd()".into(), "'@x".into(), "'-1".into(), "a=b".into(), "'\\x09x".into())
        );
        assert_eq!(cell_of(&serde_json::json!(-5)), "-5");
    }
}
