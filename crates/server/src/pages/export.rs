//! The entries of a search as a file: CSV, JSON, NDJSON, Parquet, or the lines themselves.
//!
//! It is written while it is sent, a page of the store after the other; what waits to be sent is at most [`WAITING`] pieces of [`PIECE`] bytes. If
//! the store cannot go on, the connection is cut, so that no one takes half a file for a whole one.

use std::io::{self, BufWriter, Write};

use answers::formats::{Csv, JsonArray, Ndjson, Printer, Raw};
use answers::mask::Mask;
use answers::parquet::Parquet;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::Response;
use query::Query;
use store::RowsAsked;
use tokio::sync::mpsc;

use crate::asked::Asked;
use crate::data;
use crate::problem::Problem;

/// Rows asked for at once.
const ROWS: usize = 2_000;
/// Bytes sent at once.
const PIECE: usize = 64 << 10;
/// Pieces that wait to be sent.
const WAITING: usize = 8;

/// What a file can be: its name in the address, its ending, its media type.
const FORMATS: [(&str, &str, &str); 5] = [
    ("csv", "csv", "text/csv; charset=utf-8"),
    ("json", "json", "application/json"),
    ("ndjson", "ndjson", "application/x-ndjson"),
    ("parquet", "parquet", "application/vnd.apache.parquet"),
    ("raw", "log", "text/plain; charset=utf-8"),
];

/// Answers.
pub(crate) fn answer(asked: &Asked) -> Result<Response, Problem> {
    let name = asked.params.get("format").unwrap_or("csv");
    let Some((format, ending, media)) = FORMATS.into_iter().find(|(known, ..)| *known == name) else {
        return Err(Problem::bad(format!("`format` is csv, json, ndjson, parquet or raw, not `{name}`")));
    };
    let query = asked.query()?;
    let first = asked.rows_asked(ROWS)?;
    // A turn of their own: whoever takes his file slowly keeps nobody from answers.
    let turn = asked.app.exports.clone().try_acquire_owned();
    let turn = turn.map_err(|_| Problem::busy("as many files are being written as can be", 30))?;
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let whose = asked.clone();
    let work = move || {
        let _turn = turn;
        let mut out = BufWriter::with_capacity(PIECE, Sender(sender.clone()));
        if let Err(error) = write(&whose, &query, first, format, &mut out).and_then(|()| out.flush()) {
            // The receiver may be gone: then nobody waits for it.
            let _ = sender.blocking_send(Err(error));
        }
    };
    tokio::task::spawn_blocking(work);
    let response = Response::builder()
        .header(header::CONTENT_TYPE, media)
        .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"postfix-insights.{ending}\""))
        .body(Body::from_stream(futures_util::stream::poll_fn(move |context| receiver.poll_recv(context))));
    response.map_err(|error| Problem::ours(&error.into()))
}

/// The way to the response.
struct Sender(mpsc::Sender<io::Result<Bytes>>);

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the asker is gone");
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// What comes from the store is masked already.
fn write(
    asked: &Asked,
    query: &Query,
    first: RowsAsked,
    format: &str,
    out: &mut (impl Write + Send),
) -> io::Result<()> {
    match format {
        "csv" => print(asked, query, first, Csv(csv::Writer::from_writer(out), Mask(false), false)),
        "json" => print(asked, query, first, JsonArray(out, Mask(false), false)),
        "ndjson" => print(asked, query, first, Ndjson(out, Mask(false))),
        "parquet" => print(asked, query, first, Parquet::new(out, Mask(false))?),
        _ => print(asked, query, first, Raw(out, false)),
    }
}

fn print(asked: &Asked, query: &Query, mut page: RowsAsked, mut printer: impl Printer) -> io::Result<()> {
    loop {
        let found = asked.rows(query, page.clone()).map_err(|problem| io::Error::other(problem.why))?;
        for row in &found.rows {
            printer.print(&row.entry, &data::line(&row.entry))?;
        }
        match found.next {
            Some(next) => page.after = Some(next),
            None => return printer.finish(),
        }
    }
}
