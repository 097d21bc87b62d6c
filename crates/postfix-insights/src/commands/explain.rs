//! `explain`: the line of the command line, or each line of standard input.

use std::io::{self, BufRead as _, BufWriter, Read as _, Write as _};

use answers::explain::{Unsaid, draw, explain, to_json};
use answers::mask::Mask;
use answers::reading::zone;
use input::LINE_BYTES_MAX;

use crate::cli::Explain;
use crate::exit::Exit;
use crate::print;

/// Runs the command.
pub(crate) fn run(args: &Explain) -> anyhow::Result<Exit> {
    let mask = Mask(args.output.mask);
    let unsaid = Unsaid { zone: Some(zone(args.timezone.as_deref())?), year: args.year };
    if matches!(args.line.as_slice(), [only] if only == "-") {
        return each_line(&unsaid, mask);
    }
    let line = args.line.join(" ");
    let explained = explain(line.as_bytes(), &unsaid);
    if args.json {
        print::json(&to_json(&explained, mask))?;
    } else {
        print::text(&draw(&explained, mask, args.output.screen()))?;
    }
    Ok(Exit::Ok)
}

/// Answers every line of standard input with a line of JSON.
fn each_line(unsaid: &Unsaid, mask: Mask) -> anyhow::Result<Exit> {
    let mut out = BufWriter::new(io::stdout());
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    // One byte more shows that there is more.
    let room = LINE_BYTES_MAX as u64 + 1;
    while input.by_ref().take(room).read_until(b'\n', &mut line)? > 0 {
        let whole = line.strip_suffix(b"\n");
        serde_json::to_writer(&mut out, &to_json(&explain(whole.unwrap_or(&line), unsaid), mask))?;
        out.write_all(b"\n")?;
        out.flush()?;
        if whole.is_none() {
            input.skip_until(b'\n')?;
        }
        line.clear();
    }
    Ok(Exit::Ok)
}
