//! `report`: to a terminal, as JSON, as HTML, or through the local sendmail.

use std::fs;
use std::io::{self, BufWriter, Read as _, Write as _};
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
    // Before hours of reading: an address or a file that cannot be written to is an error of use.
    let letter = report_mail::Letter::new(args)?;
    args.html.as_deref().map_or(Ok(()), spares_other_files)?;
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

/// A page may take the place of an older one, and of nothing else: whoever types `report --html /var/log/mail.log` means the log to be read.
fn spares_other_files(file: &Path) -> anyhow::Result<()> {
    const PAGE: &[u8] = b"<!doctype html>";
    if !file.is_file() {
        return Ok(());
    }
    let mut start = Vec::new();
    let found = fs::File::open(file).and_then(|file| file.take(PAGE.len() as u64).read_to_end(&mut start));
    if found.is_ok() && (start.is_empty() || start.eq_ignore_ascii_case(PAGE)) {
        return Ok(());
    }
    anyhow::bail!(
        "--html {0}: this file exists and is no page, so it is left as it is; --html names the page to write, the logs come behind it: `report --html report.html {0}`",
        file.display()
    )
}

fn write_html(file: &Path, page: &str) -> anyhow::Result<()> {
    if file.as_os_str() == "-" {
        return Ok(print::text(page)?);
    }
    fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))
}
