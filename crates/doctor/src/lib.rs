//! What does this mail host say about itself?
//!
//! A [`Host`] (where to look) and a [`Request`] (about whom) go in; a list of [`Check`]s comes out, each with what was
//! looked at, what it means, the command to see it oneself, and the fix. Every value comes from the programs of the host
//! (`postconf`, `doveconf`, `doveadm`, `fail2ban-client`), from its files, or from its sockets. Nothing is changed, started
//! or reloaded, and no login is tried unless a [`Login`] is given. Knows no terminal and no exit code.

mod account;
mod certificate;
mod check;
mod cyrus;
mod doveconf;
mod dovecot;
mod examine;
mod fail2ban;
mod handshake;
mod host;
mod kinds;
mod mechanisms;
mod permission;
mod postfix;
mod smtp;
mod tls;
mod wire;

pub use check::{Check, Kind, Status, Step};
pub use examine::{Login, Report, Request, examine};
pub use fail2ban::{JailSettings, is_for_mail, jail_settings};
pub use host::Host;
pub use kinds::all as kinds;
