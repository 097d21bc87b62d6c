//! The command line: what can be asked, as plain values.

mod common;
mod host;
mod keeping;
mod lines;
mod logins;
mod serving;

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use common::net;
pub(crate) use common::{Asked, Input, Judged, NoQuery, Output};
pub(crate) use host::{Config, ConfigCommand, Doctor};
pub(crate) use keeping::{Check, Follow, Ingest, Purge, Reindex, Retention, Status};
pub(crate) use lines::{Count, Entries, Explain, Export, Format, Histogram, Search, Sort, Top};
pub(crate) use logins::{Account, Client, Report, Trace, Triage};
pub(crate) use serving::{Serve, User, UserCommand};

use crate::commands::bans::Bans;
use crate::commands::blocklist::Blocklist;
use crate::commands::rehearse::Rehearse;

/// Who could not log in to your Postfix server, why, and what happened next.
///
/// Point it at a mail log: `postfix-insights /var/log/mail.log` is `postfix-insights triage /var/log/mail.log`.
/// It reads; it never changes anything.
#[derive(Debug, Parser)]
#[command(name = "postfix-insights", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// The configuration file (default: /etc/postfix-insights/config.toml, if it is there).
    #[arg(long, value_name = "FILE", global = true, env = "POSTFIX_INSIGHTS_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 answered; 1 answered, nothing matched (entries, search, count, top, histogram, export, client, account, trace), or a fault was found (doctor, bans); 2 usage; 3 nothing readable; 4 some input could not be read (answered, and said what is missing); 70 a bug of ours.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who could not log in, why, attack or user, who got in later, what to do: read this first.
    Triage(Triage),
    /// The lines as structured entries.
    Entries(Entries),
    /// The lines a query means, newest first, for people.
    Search(Search),
    /// How many lines a query means, times their repeats.
    Count(Count),
    /// The commonest values of a field.
    Top(Top),
    /// How many lines in each span of time.
    Histogram(Histogram),
    /// The lines a query means, into a file: CSV, JSON, NDJSON, Parquet or as they are.
    Export(Export),
    /// Every field of a line, its class and cause, what to do next, where the wording comes from.
    Explain(Explain),
    /// One client's story: the six-step checklist with the answers filled in.
    Client(Client),
    /// One login name's story: where from, failed, succeeded, sent.
    Account(Account),
    /// Log files into the store, each line once.
    Ingest(Ingest),
    /// Logs as they are written into the store, until it is told to stop (SIGTERM or Ctrl-C).
    Follow(Follow),
    /// What the store holds: days, sizes, sources and how far they are in.
    Status(Status),
    /// Whether logs can be read and look like mail logs, and the store is sound: why is nothing found?
    Check(Check),
    /// Bring a store that an older version wrote up to date; go on with it if that was interrupted.
    Reindex(Reindex),
    /// Take lines or days out of the store for good.
    Purge(Purge),
    /// How the mail of a period fared: delivered, delayed, returned, refused, and why.
    Report(Report),
    /// One message's whole story: where from, to whom, what became of it, and the lines that prove it.
    Trace(Trace),
    /// The web pages and the API: of FILES, read into a folder that is thrown away, or of the store.
    Serve(Serve),
    /// Who may use the web pages and the API: names, roles, domains, tokens.
    User(User),
    /// This mail host's configuration and backends, looked at and never touched: what keeps logins from working?
    Doctor(Doctor),
    /// What a person should know now: attacks, outages, stolen accounts, old passwords; `findings show ID` proves one.
    Findings(crate::commands::findings::Findings),
    /// Who would have been banned under a fail2ban jail's settings, and who of them is a real user.
    Rehearse(Rehearse),
    /// What fail2ban did, whether its jails see what we see, and the way back for a user.
    Bans(Bans),
    /// The addresses whose ban is advised, as networks for a firewall.
    Blocklist(Blocklist),
    /// The configuration file: is it in order, what is set, what may stand in it?
    Config(Config),
    /// The field table: what an entry can hold.
    Fields,
    /// The cause table: why logins fail, and what to check.
    Causes,
    /// The reason table: why mail is deferred, returned or refused, what status codes mean, and what to do.
    Reasons,
    /// The table of the doctor's checks.
    Checks,
    /// The kinds of findings, and the figures that decide them.
    Thresholds,
}

/// Puts `triage` in front where the first word is no command but a file or an option.
pub(crate) fn with_default_command(mut args: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let commands = Cli::command();
    let global = ["-h", "--help", "-V", "--version", "help"];
    let is_command = args
        .get(1)
        .and_then(|first| first.to_str())
        .is_some_and(|first| commands.find_subcommand(first).is_some() || global.contains(&first));
    if !is_command {
        args.insert(args.len().min(1), "triage".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_triaged() {
        let parse = |args: &[&str]| Cli::try_parse_from(with_default_command(args.iter().map(Into::into).collect()));
        assert!(
            matches!(parse(&["p", "mail.log"]).unwrap().command, Command::Triage(t) if t.input.files == [PathBuf::from("mail.log")])
        );
        assert!(matches!(parse(&["p"]).unwrap().command, Command::Triage(_)));
        assert!(matches!(parse(&["p", "--json", "-"]).unwrap().command, Command::Triage(t) if t.json));
        assert!(matches!(parse(&["p", "client", "192.0.2.1", "x"]).unwrap().command, Command::Client(_)));
        assert!(parse(&["p", "--nonsense"]).is_err());
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
