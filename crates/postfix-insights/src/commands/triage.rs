//! `triage`: as JSON or on the screen.

use std::io::{self, BufWriter, Write as _};

use answers::mask::Mask;
use answers::times::Clock;
use answers::{json, triage, triage_text};

use crate::cli::Triage;
use crate::exit::Exit;
use crate::{asked, doctor_log, doctor_text, print};

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
    let report = args.doctor.then(|| doctor::examine(&doctor::Host::default(), &doctor::Request::default()));
    let now = report.as_ref().map(|report| doctor_log::causes(&triaged.tally, &report.checks));
    if args.json {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let top = args.top.unwrap_or(100);
        let said = now.as_ref().map(|now| crate::doctor::causes_json(now));
        let beside = said.as_ref().map(|said| ("doctor", said));
        json::write_triage(&mut out, &triaged.tally, &triaged.read, &triaged.findings, top, mask, beside)?;
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
        let mut out = page.draw();
        if let Some(now) = &now {
            out += "\nTHE HOST NOW  (postfix-insights doctor tells all)\n";
            out += &doctor_text::draw_causes(now, page.screen, &clock, &|text: &str| text.to_owned());
        }
        print::text(&out)?;
    }
    let exit = Exit::of_reading(&triaged.read, args.output.quiet);
    // The process ends now: to give a hundred thousand rows back one by one would take time and serve nobody.
    std::mem::forget(triaged);
    Ok(exit)
}
