//! This host and this program: the doctor, the configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Input, Output};

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
