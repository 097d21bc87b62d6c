//! Commands that count logins and messages.

use std::path::PathBuf;

use clap::Args;

use super::{Input, NoQuery, Output};
use crate::commands::bans;

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
