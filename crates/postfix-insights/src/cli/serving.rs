//! The web pages, and who may see them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Judged, Retention, net};

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
