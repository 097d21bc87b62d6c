//! What many commands take: where lines come from, how the answer is shown, what a site says about itself.

use std::path::PathBuf;

use answers::reading::{self, Reading};
use answers::screen::Screen;
use answers::state;
use answers::times::Clock;
use clap::{Args, ValueEnum};
use diagnose::detect::{Settings, Thresholds};

use crate::{print, progress};

/// Where lines come from, and which of them.
#[derive(Clone, Debug, Args)]
pub(crate) struct Input {
    /// Log files: plain, gzip, xz, bzip2 or zstd; `-` for standard input; a folder or pattern for all of them. Without
    /// any, the usual places are tried.
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// Without FILES: the store that answers (default: /var/lib/postfix-insights, or the user's own, if there is one).
    #[arg(long, value_name = "DIR", env = "POSTFIX_INSIGHTS_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// Leave out what is older: a date, a time, or how long ago (`2h`, `7d`).
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Leave out what is newer.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Zone of stamps without one, and of the times shown (an IANA name, default: this machine's).
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// Year of each file's last line, where stamps have none.
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1980..=9998))]
    pub(crate) year: Option<i16>,
    #[command(flatten)]
    pub(crate) judged: Judged,
}

impl Input {
    /// What to read. Without files it says which store answers, and how new that is: an old one would tell of a quiet night.
    pub(crate) fn reading(&self, output: &Output, keep_all: bool) -> anyhow::Result<Reading> {
        let reading =
            Reading::new(&self.plain(), keep_all)?.watched(progress::bar(output)).judged_by(self.judged.settings());
        if let Some(state) = reading.state().filter(|_| !output.quiet) {
            print::note(&state::answers(state, &Clock::new(reading.zone())));
        }
        Ok(reading)
    }

    /// Files only, whatever is stored.
    pub(crate) fn files_only(&self, output: &Output) -> anyhow::Result<Reading> {
        Ok(Reading::of_files(&self.plain())?.watched(progress::bar(output)).judged_by(self.judged.settings()))
    }

    fn plain(&self) -> reading::Input {
        reading::Input {
            files: self.files.clone(),
            state: self.state.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            timezone: self.timezone.clone(),
            year: self.year,
        }
    }
}

/// What a site says about itself, by which findings are judged: best said once, in the configuration file.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Judgement")]
pub(crate) struct Judged {
    /// Networks of one's own (offices, webmail, gateways): a ban of them is never advised.
    #[arg(long = "own-network", value_name = "NET", action = clap::ArgAction::Append, hide_short_help = true, value_parser = net)]
    pub(crate) own_networks: Vec<ipnet::IpNet>,
    /// Where monitoring comes from: its failures are told of by no finding.
    #[arg(long, value_name = "NET", action = clap::ArgAction::Append, hide_short_help = true, value_parser = net)]
    pub(crate) monitoring: Vec<ipnet::IpNet>,
    /// Sources that no finding is to tell of.
    #[arg(long, value_name = "NET", action = clap::ArgAction::Append, hide_short_help = true, value_parser = net)]
    pub(crate) ignored: Vec<ipnet::IpNet>,
    /// The domain that login names without one belong to.
    #[arg(long, value_name = "DOMAIN", hide_short_help = true)]
    pub(crate) default_domain: Option<String>,
    /// A figure that decides, e.g. `guess_tries=25`; `thresholds` lists them.
    #[arg(long = "threshold", value_name = "NAME=FIGURE", action = clap::ArgAction::Append, hide_short_help = true, value_parser = threshold)]
    pub(crate) thresholds: Vec<(&'static str, u32)>,
}

impl Judged {
    /// What findings are judged by.
    pub(crate) fn settings(&self) -> Settings {
        let mut thresholds = Thresholds::default();
        for (name, figure) in &self.thresholds {
            thresholds.set(name, *figure);
        }
        Settings {
            own_networks: self.own_networks.clone(),
            monitoring: self.monitoring.clone(),
            ignored: self.ignored.clone(),
            default_domain: self.default_domain.clone(),
            thresholds: thresholds.into(),
        }
    }
}

fn threshold(text: &str) -> Result<(&'static str, u32), String> {
    let (name, figure) = text.split_once('=').ok_or("write NAME=FIGURE, e.g. guess_tries=25")?;
    let known = Thresholds::TABLE.iter().find(|row| row.name == name.trim());
    let row = known.ok_or_else(|| format!("there is no figure `{name}`; `postfix-insights thresholds` lists them"))?;
    match figure.trim().parse() {
        Ok(figure @ 1..) => Ok((row.name, figure)),
        _ => Err(format!("{name}: a figure is a whole number from 1 on")),
    }
}

/// How the answer is shown.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Colour: `auto` is on a terminal without NO_COLOR.
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(crate) color: Colour,
    /// Mask names and addresses, for showing the answer to others.
    #[arg(long)]
    pub(crate) mask: bool,
    /// No progress bar and no notes.
    #[arg(long)]
    pub(crate) quiet: bool,
    /// More detail.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Output {
    /// The screen the answer is drawn on.
    pub(crate) fn screen(&self) -> Screen {
        Screen::of_stdout(match self.color {
            Colour::Auto => None,
            Colour::Always => Some(true),
            Colour::Never => Some(false),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

/// Which entries.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// Only the lines this means, e.g. `client:203.0.113.0/24 class:auth_failed -user:bob@* "no such user"`.
    #[arg(short, long, value_name = "QUERY", allow_hyphen_values = true)]
    pub(crate) query: Option<String>,
}

/// Of commands that cannot take a query: taken, to be able to say why not.
#[derive(Debug, Args)]
pub(crate) struct NoQuery {
    #[arg(short, long, value_name = "QUERY", hide = true, allow_hyphen_values = true)]
    pub(crate) query: Option<String>,
}

/// A network, or a single address.
pub(super) fn net(text: &str) -> Result<ipnet::IpNet, String> {
    let address = || text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| "neither an address nor a network".to_owned())
}
