//! `findings`: what a person should know now; `findings show ID` with the lines that prove it, or written as a ticket.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use answers::findings::{Audience, Found, Page, one, ticket, to_json};
use answers::mask::Mask;
use answers::memory;
use answers::reading::Reading;
use answers::times::Clock;
use answers::triage;
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use diagnose::detect::Detector;

use crate::cli::{Input, NoQuery, Output};
use crate::exit::Exit;
use crate::{asked, print};

/// The open findings, the gravest first.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Findings {
    #[command(subcommand)]
    pub(crate) what: Option<What>,
    #[command(flatten)]
    pub(crate) from: From,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Where findings come from.
#[derive(Debug, Args)]
pub(crate) struct From {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) asked: NoQuery,
    /// Go on from what this file remembers of earlier logs, and remember what is new: attacks slower than the logs are kept.
    #[arg(long, value_name = "FILE")]
    pub(crate) memory: Option<PathBuf>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// One finding, with the lines that prove it.
    Show(Show),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id, as the list has it.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) from: From,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Written for somebody else.
    #[arg(long = "as", value_enum, value_name = "FORM", conflicts_with = "json")]
    pub(crate) form: Option<Form>,
    /// For whom the ticket is.
    #[arg(long = "for", value_enum, value_name = "WHOM", default_value_t = Whom::Colleague, requires = "form")]
    pub(crate) whom: Whom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A mail or a note to somebody.
    Ticket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Whom {
    /// The owner of the account: plain words, no lines of the log.
    User,
    /// Another administrator: all of it.
    Colleague,
    /// Whoever is responsible for the address: times and lines, no accounts.
    Abuse,
}

/// Runs the command.
pub(crate) fn run(args: &Findings) -> anyhow::Result<Exit> {
    match &args.what {
        None => list(&args.from, &args.output),
        Some(What::Show(show)) => tell(show),
    }
}

fn list(from: &From, output: &Output) -> anyhow::Result<Exit> {
    let (found, clock) = match read(from, output)? {
        Ok(read) => read,
        Err(exit) => return Ok(exit),
    };
    let mask = Mask(output.mask);
    if from.json {
        print::json(&to_json(&found, mask))?;
    } else {
        let page = Page { found: &found, mask, screen: output.screen(), clock: &clock };
        print::text(&page.list())?;
    }
    Ok(Exit::of_reading(&found.read, output.quiet).or_no_match(!found.findings.is_empty()))
}

fn tell(show: &Show) -> anyhow::Result<Exit> {
    let (found, clock) = match read(&show.from, &show.output)? {
        Ok(read) => read,
        Err(exit) => return Ok(exit),
    };
    let mask = Mask(show.output.mask);
    let Some(finding) = found.findings.iter().find(|finding| finding.id == show.id) else {
        print::note(&format!("no finding {} here; `postfix-insights findings` lists them", show.id));
        return Ok(Exit::of_reading(&found.read, show.output.quiet).or_no_match(false));
    };
    let page = Page { found: &found, mask, screen: show.output.screen(), clock: &clock };
    match (show.form, show.from.json) {
        (Some(Form::Ticket), _) => print::text(&ticket(&page, finding, show.whom.audience()))?,
        (None, true) => print::json(&one(&page, finding))?,
        (None, false) => print::text(&page.show(finding))?,
    }
    Ok(Exit::of_reading(&found.read, show.output.quiet))
}

impl Whom {
    fn audience(self) -> Audience {
        match self {
            Self::User => Audience::User,
            Self::Colleague => Audience::Colleague,
            Self::Abuse => Audience::AbuseDesk,
        }
    }
}

fn read(from: &From, output: &Output) -> anyhow::Result<Result<(Found, Clock), Exit>> {
    asked::refuse(&from.asked, "`client ADDR`, `account NAME` or `--since`")?;
    let mut reading = from.input.reading(output, false)?;
    let clock = Clock::new(reading.zone());
    let remembered = from.memory.as_deref().map(|file| recall(file, &mut reading)).transpose()?.flatten();
    let found = match remembered {
        None if from.memory.is_none() => memory::findings(&reading),
        remembered => triage::triage_after(reading, remembered).map(Found::from),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => return Ok(Err(Exit::nothing_readable(&error))),
    };
    if let Some(file) = &from.memory {
        remember(file, &found.detector)?;
    }
    Ok(Ok((found, clock)))
}

/// What the file remembers. Lines up to its last moment have been read before.
fn recall(file: &Path, reading: &mut Reading) -> anyhow::Result<Option<Detector>> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("--memory {}", file.display())),
    };
    let detector = Detector::restore(&bytes, reading.settings().clone())
        .with_context(|| format!("--memory {}", file.display()))?;
    let (since, until) = reading.period();
    reading.read_from(since.max(Some(detector.last() + 1)), until);
    Ok(Some(detector))
}

/// The file appears whole or stays as it was.
fn remember(file: &Path, detector: &Detector) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(&detector.snapshot()?)?;
        new.as_file().sync_all()?;
        new.persist(file)?;
        Ok(())
    };
    write().with_context(|| format!("--memory {}", file.display()))
}
