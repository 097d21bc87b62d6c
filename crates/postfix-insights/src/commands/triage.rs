//! `triage`: as JSON or on the screen.

use std::io::{self, BufWriter, Write as _};

use answers::mask::Mask;
use answers::times::Clock;
use answers::{json, triage, triage_text};

use crate::cli::Triage;
use crate::exit::Exit;
use crate::{asked, print};

/// Runs the command.
pub(crate) fn run(args: &Triage) -> anyhow::Result<Exit> {
    asked::refuse(&args.asked, "`client ADDR`, `account NAME` or `--since`")?;
    let reading = args.input.reading(&args.output, false)?;
    let clock = Clock::new(reading.zone());
    let triaged = match triage::triage(reading) {
        Ok(triaged) => triaged,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    let mask = Mask(args.output.mask);
    if args.json {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let top = args.top.unwrap_or(100);
        json::write_triage(&mut out, &triaged.tally, &triaged.read, &triaged.findings, top, mask)?;
        out.flush()?;
    } else {
        let page = triage_text::Page {
            tally: &triaged.tally,
            read: &triaged.read,
            findings: &triaged.findings,
            top: args.top.unwrap_or(10),
            mask,
            screen: args.output.screen(),
            clock: &clock,
            verbose: args.output.verbose > 0,
        };
        print::text(&page.draw())?;
    }
    Ok(Exit::of_reading(&triaged.read, args.output.quiet))
}
