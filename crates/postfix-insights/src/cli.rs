//! The command line: what can be asked, as plain values.

use std::path::PathBuf;

use answers::reading::{self, Reading};
use answers::screen::Screen;
use answers::state;
use answers::times::Clock;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use diagnose::detect::{Settings, Thresholds};

use crate::commands::bans::{self, Bans};
use crate::commands::blocklist::Blocklist;
use crate::commands::rehearse::Rehearse;
use crate::{print, progress};

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
            thresholds,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct Triage {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: NoQuery,
    /// Machine-readable, as CONTRACT describes.
    #[arg(long)]
    pub(crate) json: bool,
    /// Rows per list; 0 is all (default: 10, with --json 100).
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// Ask this host as `doctor` does, and hold the causes found against its answers.
    #[arg(long)]
    pub(crate) doctor: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: NoQuery,
    /// The calendar day before today, as a job of cron wants it.
    #[arg(long, conflicts_with_all = ["since", "until"])]
    pub(crate) yesterday: bool,
    /// Machine-readable.
    #[arg(long, conflicts_with_all = ["html", "mail_to"])]
    pub(crate) json: bool,
    /// A page to print or to keep, whole in one file; `-` for standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "mail_to")]
    pub(crate) html: Option<PathBuf>,
    /// Rows per list; 0 is all (default: 10, on an HTML page 20, with --json 100).
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// Tell the share of deliveries within so many seconds (default: 60,300).
    #[arg(long, value_name = "SECONDS", value_delimiter = ',')]
    pub(crate) sla: Vec<u32>,
    /// Send the report by mail, as text and HTML, through the local sendmail.
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    pub(crate) mail_to: Vec<String>,
    /// The sender of that mail (default: the local user, as sendmail writes it).
    #[arg(long, value_name = "ADDR", requires = "mail_to")]
    pub(crate) mail_from: Option<String>,
    /// The program that takes the mail.
    #[arg(long, value_name = "FILE", default_value = "/usr/sbin/sendmail")]
    pub(crate) sendmail: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Log files, as for other commands. Without any, the store answers.
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// Without FILES: the store that answers (default: /var/lib/postfix-insights, or the user's own).
    #[arg(long, value_name = "DIR", env = "POSTFIX_INSIGHTS_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8025", env = "POSTFIX_INSIGHTS_LISTEN")]
    pub(crate) listen: std::net::SocketAddr,
    /// Where the pages begin, behind a proxy that does not take that off: `/insights/`.
    #[arg(long, value_name = "PATH", default_value = "/", env = "POSTFIX_INSIGHTS_BASE_PATH")]
    pub(crate) base_path: String,
    /// A name under which the server may be asked for, besides its address and `localhost`.
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "POSTFIX_INSIGHTS_ALLOW_HOST")]
    pub(crate) allow_host: Vec<String>,
    /// Certificate and those between it and its authority: PEM. The server then speaks TLS itself.
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "POSTFIX_INSIGHTS_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key: PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "POSTFIX_INSIGHTS_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Proxies in front: what they say of clients (X-Forwarded-For) and schemes (X-Forwarded-Proto) is believed.
    #[arg(long, value_name = "NET", value_delimiter = ',', value_parser = net, env = "POSTFIX_INSIGHTS_TRUSTED_PROXY")]
    pub(crate) trusted_proxy: Vec<ipnet::IpNet>,
    /// The header in which such a proxy names the user who signed in with it, such as `Remote-User`.
    #[arg(long, value_name = "HEADER", env = "POSTFIX_INSIGHTS_AUTH_HEADER")]
    pub(crate) auth_header: Option<server::HeaderName>,
    /// fail2ban's own log, for the bans on a client's page (default: /var/log/fail2ban.log, if it can be read).
    #[arg(long, value_name = "FILE")]
    pub(crate) fail2ban_log: Vec<PathBuf>,
    /// Nobody signs in here, though a proxy lets others in: it sees to that itself.
    #[arg(long, env = "POSTFIX_INSIGHTS_NO_SIGN_IN")]
    pub(crate) no_sign_in: bool,
    #[command(flatten)]
    pub(crate) judged: Judged,
    /// Without FILES: logs to follow into the store (default: the usual ones).
    #[arg(long, value_name = "FILE", value_delimiter = ',', conflicts_with = "files", env = "POSTFIX_INSIGHTS_FOLLOW")]
    pub(crate) follow: Vec<PathBuf>,
    /// Follow the system's journal, too.
    #[arg(long, conflicts_with = "files")]
    pub(crate) journal: bool,
    /// Follow nothing: another program fills the store.
    #[arg(long, conflicts_with_all = ["files", "follow", "journal"])]
    pub(crate) no_follow: bool,
    #[command(flatten)]
    pub(crate) retention: Retention,
    /// Zone of stamps without one, and of the times shown (an IANA name, default: this machine's).
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// Year of each file's last line, where stamps have none.
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1980..=9998))]
    pub(crate) year: Option<i16>,
}

/// A network, or a single address.
fn net(text: &str) -> Result<ipnet::IpNet, String> {
    let address = || text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| "neither an address nor a network".to_owned())
}

/// Users of the web pages and the API.
#[derive(Debug, Args)]
pub(crate) struct User {
    /// The store (default: /var/lib/postfix-insights, or the user's own).
    #[arg(long, value_name = "DIR", env = "POSTFIX_INSIGHTS_STATE", global = true)]
    pub(crate) state: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) what: UserCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user. The password is read from the terminal, or from --password-fd.
    Add {
        /// The name to sign in with.
        name: String,
        /// `admin` sees all and what others asked for, `reader` all of the log, `masked` no whole name or address.
        #[arg(long, default_value = "reader")]
        role: server::Role,
        /// Only events of this domain; may be given more than once.
        #[arg(long, value_name = "DOMAIN", value_delimiter = ',')]
        domain: Vec<String>,
        /// Read the password from this file descriptor.
        #[arg(long, value_name = "N")]
        password_fd: Option<u32>,
        /// No password: only tokens and a proxy's word sign this user in.
        #[arg(long, conflicts_with = "password_fd")]
        no_password: bool,
    },
    /// Give a user another password; all sessions end.
    Password {
        /// Whom.
        name: String,
        /// Read the password from this file descriptor.
        #[arg(long, value_name = "N")]
        password_fd: Option<u32>,
    },
    /// The users and their tokens.
    List {
        /// Machine-readable.
        #[arg(long)]
        json: bool,
    },
    /// Remove a user with all sessions and tokens.
    Remove {
        /// Whom.
        name: String,
    },
    /// Make a token for the API, which may do what its user may; it is printed once.
    Token {
        /// Whose.
        name: String,
        /// What it is for.
        #[arg(long, default_value = "")]
        label: String,
    },
    /// Take a token back.
    RemoveToken {
        /// Its number, from `user list`.
        id: i64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Entries {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print them.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// The same as --format ndjson.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object per line.
    Ndjson,
    /// One JSON array.
    Json,
    /// Comma-separated, with a header.
    Csv,
    /// Aligned columns for people.
    Table,
    /// Apache Parquet.
    Parquet,
    /// The lines themselves, secrets redacted.
    Raw,
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// What to look for: words, "phrases", `field:value`; see docs/reference/query.md.
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    pub(crate) words: String,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Show so many lines of the same file before and after each.
    #[arg(short = 'C', long, value_name = "N", default_value_t = 0, conflicts_with = "json")]
    pub(crate) context: usize,
    /// Show so many at most.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
    /// Which come first.
    #[arg(long, value_enum, default_value_t = Sort::Newest, value_name = "ORDER")]
    pub(crate) sort: Sort,
    /// Then go on with what `follow` or `serve` brings into the store, the oldest first, until it is ended.
    #[arg(long, conflicts_with_all = ["files", "context", "sort", "cursor"])]
    pub(crate) follow: bool,
    /// Go on where an earlier search ended.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<store::Cursor>,
    /// One JSON object per line, as `entries` prints them.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    Newest,
    Oldest,
}

#[derive(Debug, Args)]
pub(crate) struct Count {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// The field, e.g. `client`, `user`, `cause`; `postfix-insights fields` lists them.
    #[arg(value_name = "FIELD")]
    pub(crate) field: String,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Also how many different values of this field each comes with.
    #[arg(long, value_name = "FIELD")]
    pub(crate) distinct: Option<String>,
    /// Values shown; 0 is all (default: 10, with --json 100).
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Histogram {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Split each span by the values of this field.
    #[arg(long, value_name = "FIELD")]
    pub(crate) by: Option<String>,
    /// How long a span is: `10m`, `1h`, `1d` (default: what makes 60 of them or fewer).
    #[arg(long, value_name = "SPAN")]
    pub(crate) width: Option<String>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file to write; its ending says the format: .csv, .json, .ndjson, .jsonl, .parquet, .log.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// The format, whatever the file is called.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Overwrite the file if it exists.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The line, or `-` to explain each line of standard input as one line of JSON.
    #[arg(value_name = "LINE", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) line: Vec<String>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Client {
    /// An address, or a network such as 203.0.113.0/24.
    #[arg(value_name = "ADDR|NET")]
    pub(crate) client: String,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: NoQuery,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
    /// Ask this host as `doctor` does, and hold the causes found against its answers.
    #[arg(long)]
    pub(crate) doctor: bool,
    #[command(flatten)]
    pub(crate) bans: bans::Sources,
}

#[derive(Debug, Args)]
pub(crate) struct Account {
    /// The login name, compared without case.
    #[arg(value_name = "NAME")]
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: NoQuery,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
    /// Ask this host as `doctor` does, and hold the causes found against its answers.
    #[arg(long)]
    pub(crate) doctor: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// A queue id, or a Message-ID with or without its angle brackets. Leave it out with --from or --to.
    #[arg(value_name = "ID", required_unless_present_any = ["from", "to"])]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) asked: NoQuery,
    /// All messages of this envelope sender (with --since and --until: that were under way then).
    #[arg(long, value_name = "ADDR")]
    pub(crate) from: Option<String>,
    /// All messages to this recipient, also before aliases.
    #[arg(long, value_name = "ADDR")]
    pub(crate) to: Option<String>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

/// FILES are logs of this host: their causes of the last day (or --since) are held against the checks. Without any, the
/// usual places are tried.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Machine-readable, as CONTRACT describes.
    #[arg(long)]
    pub(crate) json: bool,
    /// A client's address: is it banned or being delayed, may the account log in from there?
    #[arg(long, value_name = "ADDR")]
    pub(crate) client: Option<std::net::IpAddr>,
    /// A login name: is it known, in which form, and what keeps it out?
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Try one login on each service; the password is read from the terminal, or with --password-fd. Without this option no
    /// login is ever tried.
    #[arg(long, value_name = "USER")]
    pub(crate) login: Option<String>,
    /// Read the password for --login from this open file descriptor, one line.
    #[arg(long, value_name = "N", requires = "login")]
    pub(crate) password_fd: Option<u32>,
    /// Connect to this host, and check its certificate for this name, instead of this machine's own addresses.
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Do not read logs.
    #[arg(long, conflicts_with = "files")]
    pub(crate) no_log: bool,
    /// Postfix' configuration folder, as for `postconf -c`.
    #[arg(long, value_name = "DIR")]
    pub(crate) postfix_config: Option<PathBuf>,
    /// Dovecot's configuration file, as for `doveconf -c`.
    #[arg(long, value_name = "FILE")]
    pub(crate) dovecot_config: Option<PathBuf>,
    /// fail2ban's configuration folder, as for `fail2ban-client -c`.
    #[arg(long, value_name = "DIR")]
    pub(crate) fail2ban_config: Option<PathBuf>,
    /// fail2ban's socket, as for `fail2ban-client -s`.
    #[arg(long, value_name = "FILE")]
    pub(crate) fail2ban_socket: Option<PathBuf>,
}

/// How long lines are kept.
#[derive(Clone, Debug, Args)]
pub(crate) struct Retention {
    /// Remove days older than so many days; they are not taken in again.
    #[arg(long, value_name = "N", env = "POSTFIX_INSIGHTS_KEEP_DAYS")]
    pub(crate) keep_days: Option<u32>,
    /// Remove the oldest days while the store is larger than so many bytes.
    #[arg(long, value_name = "BYTES", env = "POSTFIX_INSIGHTS_KEEP_BYTES")]
    pub(crate) keep_bytes: Option<u64>,
    /// In days older than so many, put tokens in place of names and addresses: the same for the same, and nobody's name.
    #[arg(long, value_name = "N", env = "POSTFIX_INSIGHTS_PSEUDONYMISE_DAYS")]
    pub(crate) pseudonymise_days: Option<u32>,
}

impl Retention {
    /// As plain values.
    pub(crate) fn kept(&self) -> answers::retention::Retention {
        answers::retention::Retention {
            keep_days: self.keep_days,
            keep_bytes: self.keep_bytes,
            pseudonymise_days: self.pseudonymise_days,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Ingest {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) retention: Retention,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Follow {
    /// Logs with their rotated files, or patterns; `-` for standard input. Without any, and without another source, the usual places.
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// The store (default: /var/lib/postfix-insights, or the user's own).
    #[arg(long, value_name = "DIR", env = "POSTFIX_INSIGHTS_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// Also syslog from other machines, over UDP and TCP.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) syslog: Vec<std::net::SocketAddr>,
    /// Also syslog over TLS; needs --syslog-tls-certificate and --syslog-tls-key.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) syslog_tls: Vec<std::net::SocketAddr>,
    /// The certificate for --syslog-tls, with those between it and its authority: PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) syslog_tls_certificate: Option<PathBuf>,
    /// Its private key: PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) syslog_tls_key: Option<PathBuf>,
    /// Only peers with a certificate of one of these authorities may send: PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) syslog_tls_client_ca: Option<PathBuf>,
    /// Also the systemd journal.
    #[arg(long)]
    pub(crate) journal: bool,
    /// Zone of stamps without one (an IANA name, default: this machine's).
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    #[command(flatten)]
    pub(crate) retention: Retention,
    #[command(flatten)]
    pub(crate) judged: Judged,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl Follow {
    /// As plain values.
    pub(crate) fn plain(&self) -> answers::follow::Config {
        let files = self.syslog_tls_certificate.clone().zip(self.syslog_tls_key.clone());
        let tls_files = files.map(|(certificate, key)| input::TlsFiles {
            certificate,
            key,
            client_authorities: self.syslog_tls_client_ca.clone(),
        });
        answers::follow::Config {
            files: self.files.clone(),
            journal: self.journal,
            syslog: self.syslog.clone(),
            syslog_tls: self.syslog_tls.clone(),
            tls_files,
            timezone: self.timezone.clone(),
            retention: self.retention.kept(),
            judged: self.judged.settings(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) what: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Whether a file is in order: exit 2, and the line, if it is not.
    Check {
        /// Another file than the one that is used.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Every key with its value, and where that comes from.
    Show,
    /// A file in which everything stands as it is without one.
    Sample,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The store.
    #[arg(long, value_name = "DIR", env = "POSTFIX_INSIGHTS_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Logs to look at. Without any: the store and its sources, or, if there is no store, the logs in the usual places.
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// The store.
    #[arg(long, value_name = "DIR", env = "POSTFIX_INSIGHTS_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reindex {
    /// The store.
    #[arg(long, value_name = "DIR", env = "POSTFIX_INSIGHTS_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// Machine-readable.
    #[arg(long)]
    pub(crate) json: bool,
    /// No notes on the way.
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Purge {
    /// The store.
    #[arg(long, value_name = "DIR", env = "POSTFIX_INSIGHTS_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// Remove the days before this one: a date, or how long ago (`90d`).
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Option<String>,
    /// Remove the lines that this means.
    #[arg(short, long, value_name = "QUERY", allow_hyphen_values = true)]
    pub(crate) query: Option<String>,
    /// Remove the lines that name this person: a login name or a mail address, as a whole.
    #[arg(long, value_name = "NAME")]
    pub(crate) person: Option<String>,
    #[command(flatten)]
    pub(crate) retention: Retention,
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
