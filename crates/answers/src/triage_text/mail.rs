//! Who got in later and what was sent then; what was refused by rules and is no failed login.

use std::net::IpAddr;

use diagnose::{Recovered, RelayWhy, SentMessage};

use super::Page;
use crate::ranking;
use crate::screen::{Ink, cut, left, number, plural, right, shown, wrap};
use crate::story_text::fate_word;
use crate::times::duration;

impl Page<'_> {
    pub(super) fn recovered(&self) -> String {
        let rows = &self.tally.recovered;
        if rows.is_empty() {
            return String::new();
        }
        let mut out = self.heading("GOT IN AFTER FAILING", &plural(rows.len() as u64, "login", "logins"));
        // Those that failed most as the account they got in as come first.
        let mut rows: Vec<&Recovered> = rows.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.failures_same_user, row.messages_total)));
        for row in rows.iter().take(self.limit()) {
            let who =
                row.username.as_deref().map_or_else(|| "somebody (name not logged)".to_owned(), |name| self.name(name));
            let by_name = if row.failures_same_user == row.failures || row.username.is_none() {
                String::new()
            } else {
                format!(" ({} by that name)", number(row.failures_same_user))
            };
            let after = format!("{}{by_name}", plural(row.failures, "failure", "failures"));
            let text = format!(
                "{} {} as {who}, after {after} in {}; {}",
                self.clock.short(row.succeeded),
                self.mask.ip(row.client_ip),
                duration(row.succeeded - row.first_failure),
                sent(row)
            );
            for (n, line) in wrap(&text, self.screen.width - 6).iter().enumerate() {
                out += &format!("  {}{line}\n", if n == 0 { "" } else { "    " });
            }
            for mail in row.messages.iter().take(if self.verbose { usize::MAX } else { 1 }) {
                out += &self.mail(mail);
            }
        }
        out + &self.more(rows.len(), "login", "logins")
    }

    /// A message that was sent, to whom, and what became of it. Nothing where no recipient is listed.
    fn mail(&self, mail: &SentMessage) -> String {
        if mail.to.is_empty() {
            return String::new();
        }
        let most = if self.verbose { usize::MAX } else { 3 };
        let mut to: Vec<String> =
            mail.to.iter().take(most).map(|(to, fate)| format!("{} {}", self.name(to), fate_word(*fate))).collect();
        let hidden = u64::from(mail.recipients).saturating_sub(to.len() as u64);
        if hidden > 0 {
            to.push(format!("{} more", number(hidden)));
        }
        let text = format!("{}: {}", shown(&mail.queue_id), to.join(", "));
        let lines = wrap(&text, self.screen.width - 8);
        lines.iter().map(|line| format!("      {}\n", self.screen.ink(Ink::Dim, line))).collect()
    }

    pub(super) fn refusals(&self) -> String {
        let mut out = String::new();
        let relay = ranking::relay_denied(self.tally);
        if !relay.is_empty() {
            out += &self.heading(
                "RELAYING REFUSED",
                "no failed logins: the recipient is elsewhere and the client may not send there",
            );
            for (ip, why, row) in relay.iter().take(self.limit()) {
                let why = match why {
                    RelayWhy::NoLoginTried => "did not try to log in",
                    RelayWhy::LoginFailedBefore => "its login failed first",
                    RelayWhy::LoggedInButRefused => "WAS logged in: a rule refused it all the same",
                };
                out += &self.refused(*ip, row, why);
            }
            out += &self.more(relay.len(), "client", "clients");
        }
        if !self.tally.not_logged_in.is_empty() {
            out += &self
                .heading("NOT LOGGED IN", "refused on a service for mail users: authentication is off in the client");
            for (ip, row) in self.tally.not_logged_in.iter().take(self.limit()) {
                out += &self.refused(*ip, row, "did not log in");
            }
            out += &self.more(self.tally.not_logged_in.len(), "client", "clients");
        }
        out
    }

    fn refused(&self, ip: Option<IpAddr>, row: &diagnose::Refused, why: &str) -> String {
        let address = |bytes: &Option<Box<[u8]>>| {
            bytes.as_deref().map_or_else(|| "?".to_owned(), |b| format!("<{}>", self.name(b)))
        };
        let who = ip.map_or_else(|| "unknown address".to_owned(), |ip| self.mask.ip(ip));
        let text = format!(
            "{}{}  {why}; e.g. to {} from {}",
            left(&who, 17),
            right(&number(row.count), 6),
            address(&row.to),
            address(&row.from)
        );
        format!("  {}\n", cut(&text, self.screen.width - 2))
    }
}

/// `sent 3 messages: 2 recipients delivered, 1 bounced`.
fn sent(row: &Recovered) -> String {
    if row.messages_total == 0 {
        return "sent nothing".to_owned();
    }
    let total =
        |of: fn(&diagnose::SentMessage) -> u32| row.messages.iter().map(|mail| u64::from(of(mail))).sum::<u64>();
    let fates = [
        (total(|m| m.sent), "delivered"),
        (total(|m| m.deferred), "deferred"),
        (total(|m| m.bounced), "bounced"),
        (total(|m| m.expired), "expired"),
    ];
    let fates: Vec<String> = fates
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", number(*count)))
        .collect();
    let fates = if fates.is_empty() { "fate not in the log".to_owned() } else { fates.join(", ") };
    format!("sent {}: {fates}", plural(row.messages_total, "message", "messages"))
}
