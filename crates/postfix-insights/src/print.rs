//! Standard output and standard error. A closed pipe is success.

use std::io::{self, Write};

use serde_json::Value;

use answers::screen::escape;

/// Prints text that was escaped already.
pub(crate) fn text(text: &str) -> io::Result<()> {
    bytes(text.as_bytes())
}

/// Prints one JSON value on indented lines.
pub(crate) fn json(value: &Value) -> io::Result<()> {
    let mut out = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
    out.push(b'\n');
    bytes(&out)
}

fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// `postfix-insights: <what>: <why>` on standard error; file names are escaped.
pub(crate) fn error(message: &str) {
    // Where even standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "postfix-insights: {}", escape(message));
}

/// A further line of what [`error`] says.
pub(crate) fn error_detail(line: &str) {
    // As above.
    let _ = writeln!(io::stderr(), "    {}", escape(line));
}

/// A remark on standard error.
pub(crate) fn note(message: &str) {
    error(message);
}

/// Whether an error is only that nobody reads any more.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
