//! Commands that fill the store and look after it.

use std::path::PathBuf;

use clap::Args;

use super::{Input, Judged, Output};

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
