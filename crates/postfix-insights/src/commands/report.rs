//! `report`: to a terminal, as JSON, as HTML, or through the local sendmail.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use answers::mask::Mask;
use answers::report::{self, Report};
use answers::report_page::Pager;
use answers::screen::Screen;
use answers::times::Clock;
use answers::{report_html, report_json, report_text};
use anyhow::Context as _;

use crate::cli;
use crate::exit::Exit;
use crate::{asked, print, report_mail};

/// Runs the command.
pub(crate) fn run(args: &cli::Report) -> anyhow::Result<Exit> {
    asked::refuse(&args.asked, "`--since`")?;
    let reading = args.input.reading(&args.output, false)?;
    // Before hours of reading: an address that cannot be written to is an error of use.
    let letter = report_mail::Letter::new(args)?;
    let clock = Clock::new(reading.zone());
    let asked = report::Asked { yesterday: args.yesterday, sla: args.sla.clone() };
    let report = match report::report(&asked, reading)? {
        Ok(report) => report,
        Err(error) => return Ok(Exit::nothing_readable(&error)),
    };
    let exit = Exit::of_reading(&report.read, args.output.quiet);
    write(args, &report, &clock, letter)?;
    Ok(exit)
}

fn write(
    args: &cli::Report,
    report: &Report,
    clock: &Clock,
    letter: Option<report_mail::Letter>,
) -> anyhow::Result<()> {
    let mask = Mask(args.output.mask);
    let top = |default: usize| match args.top.unwrap_or(default) {
        0 => usize::MAX,
        top => top,
    };
    let pager = |limit: usize| Pager { report, mask, clock, limit };
    if args.json {
        let value = report_json::report(report, top(100), mask, clock);
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        serde_json::to_writer_pretty(&mut out, &value).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        out.flush()?;
        return Ok(());
    }
    let text = |screen: Screen| report_text::draw(&pager(top(10)), screen);
    if let Some(letter) = letter {
        let plain = Screen { colour: false, width: 80 };
        return letter.send(&pager(top(10)), &text(plain), &report_html::draw(&pager(top(20)))?);
    }
    match &args.html {
        Some(file) => write_html(file, &report_html::draw(&pager(top(20)))?),
        None => Ok(print::text(&text(args.output.screen()))?),
    }
}

fn write_html(file: &Path, page: &str) -> anyhow::Result<()> {
    if file.as_os_str() == "-" {
        return Ok(print::text(page)?);
    }
    fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))
}
