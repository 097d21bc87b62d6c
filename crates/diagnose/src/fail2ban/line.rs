//! What a line of fail2ban's own log says.
//!
//! A line's record goes in, in the shape fail2ban gives its file (`2026-11-22 10:25:14,123 fail2ban.actions [7]: NOTICE  [jail] Ban
//! ADDR`, where its name stands in the host's place) or behind a syslog stamp; what a jail did comes out.
//!
//! Source: fail2ban `server/actions.py`, `server/filter.py`, `server/jail.py`.

use std::net::IpAddr;

use maillog::Record;

/// What a jail did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A line matched its filter.
    Found(IpAddr),
    /// It banned.
    Ban(IpAddr),
    /// It banned again what was banned when it stopped.
    Restored(IpAddr),
    /// The ban ended.
    Unban(IpAddr),
    /// Found again while banned.
    AlreadyBanned(IpAddr),
    /// On the list of those to ignore.
    Ignored(IpAddr),
    /// The jail began to work.
    Started,
    /// It ended; its bans are lifted.
    Stopped,
}

/// A line of a jail's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// The jail.
    pub jail: &'a str,
    /// What it did.
    pub action: Action,
}

/// Reads a line; `None` if it is not one of a jail's doing.
#[must_use]
pub fn report<'a>(record: &Record<'a>) -> Option<Report<'a>> {
    if ![record.host, record.tag.0].iter().any(|name| name.starts_with(b"fail2ban.")) {
        return None;
    }
    let (_level, message) = std::str::from_utf8(record.text).ok()?.trim_start().split_once(char::is_whitespace)?;
    let message = message.trim();
    if let Some(rest) = message.strip_prefix("Jail '") {
        let (jail, what) = rest.split_once("' ")?;
        let action = match what {
            "started" => Action::Started,
            "stopped" => Action::Stopped,
            _ => return None,
        };
        return Some(Report { jail, action });
    }
    let (jail, what) = message.strip_prefix('[')?.split_once("] ")?;
    let mut words = what.split_whitespace();
    let first = words.next()?;
    let address = |word: Option<&str>| word.and_then(|word| word.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical());
    let action = match first {
        "Found" => Action::Found(address(words.next())?),
        "Ban" => Action::Ban(address(words.next())?),
        "Unban" => Action::Unban(address(words.next())?),
        "Restore" if words.next() == Some("Ban") => Action::Restored(address(words.next())?),
        "Ignore" => Action::Ignored(address(words.next())?),
        ip if what.ends_with(" already banned") => Action::AlreadyBanned(address(Some(ip))?),
        _ => return None,
    };
    Some(Report { jail, action })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(&str, Action)>) {
        let record = maillog::record(line.as_bytes());
        let found = record.as_ref().and_then(report);
        assert_eq!(found.as_ref().map(|report| (report.jail, report.action.clone())), expected, "{line}");
    }

    #[test]
    fn lines_of_fail2bans_log() {
        let ip: IpAddr = "203.0.113.9".parse().unwrap();
        check(
            "2026-11-22 10:25:14,123 fail2ban.actions        [1234]: NOTICE  [postfix-sasl] Ban 203.0.113.9",
            Some(("postfix-sasl", Action::Ban(ip))),
        );
        check(
            "2026-11-22 10:25:14,123 fail2ban.filter         [1234]: INFO    [postfix-sasl] Found 203.0.113.9 - 2026-11-22 10:25:14",
            Some(("postfix-sasl", Action::Found(ip))),
        );
        check(
            "2026-11-22 10:35:14,123 fail2ban.actions        [1234]: NOTICE  [postfix-sasl] Unban 203.0.113.9",
            Some(("postfix-sasl", Action::Unban(ip))),
        );
        check(
            "2026-11-22 10:35:14,123 fail2ban.actions        [1234]: NOTICE  [a] Restore Ban ::ffff:203.0.113.9",
            Some(("a", Action::Restored(ip))),
        );
        check(
            "2026-11-22 10:35:14,123 fail2ban.actions        [1234]: NOTICE  [a] 203.0.113.9 already banned",
            Some(("a", Action::AlreadyBanned(ip))),
        );
        check(
            "2026-11-22 10:35:14,123 fail2ban.actions        [1234]: WARNING [a] 203.0.113.9 already banned",
            Some(("a", Action::AlreadyBanned(ip))),
        );
        check(
            "2026-11-22 10:35:14,123 fail2ban.filter [1]: INFO    [a] Ignore 203.0.113.9 by ip",
            Some(("a", Action::Ignored(ip))),
        );
        check(
            "2026-11-22 10:35:14,123 fail2ban.jail           [1]: INFO    Jail 'postfix-sasl' started",
            Some(("postfix-sasl", Action::Started)),
        );
        check(
            "2026-11-22 10:35:14,123 fail2ban.jail           [1]: INFO    Jail 'postfix-sasl' stopped",
            Some(("postfix-sasl", Action::Stopped)),
        );
        check(
            "2013-02-11 10:00:00,123 fail2ban.actions: WARNING [ssh] Ban 203.0.113.9",
            Some(("ssh", Action::Ban(ip))),
        );
        check(
            "Nov 22 10:25:14 mail fail2ban.actions[1234]: NOTICE [postfix-sasl] Ban 203.0.113.9",
            Some(("postfix-sasl", Action::Ban(ip))),
        );
        check("2026-11-22 10:35:14,123 fail2ban.server [1]: INFO    Starting Fail2ban v1.0.2", None);
        check("2026-11-22 10:35:14,123 fail2ban.actions [1]: NOTICE  [a] Ban someone", None);
        check("2026-11-22 10:35:14,123 fail2ban.actions [1]: NOTICE  [a", None);
        check(
            "Nov 22 10:25:14 mail postfix/smtpd[1]: connect from fail2ban.example[192.0.2.1]: x [a] Ban 192.0.2.1",
            None,
        );
        check("", None);
    }
}
