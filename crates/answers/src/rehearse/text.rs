//! The rehearsal as a person reads it: who would have been locked out wrongly comes first.

use std::collections::BTreeMap;
use std::net::IpAddr;

use diagnose::fail2ban::Ban;

use super::{Judged, Rehearsed};
use crate::mask::Mask;
use crate::screen::{Ink, Screen, cut, escape, left, number, plural, right, wrap};
use crate::times::{Clock, duration};

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// Everything the page is drawn from.
pub struct Page<'a> {
    /// The trial.
    pub rehearsed: &'a Rehearsed,
    /// Rows per list; 0 is all.
    pub top: usize,
    /// Whether names are masked.
    pub mask: Mask,
    /// Where it is drawn.
    pub screen: Screen,
    /// How times are shown.
    pub clock: &'a Clock,
}

/// The bans of one address.
struct Row<'a> {
    ip: IpAddr,
    first: &'a Judged<Ban>,
    bans: u64,
    prevented: u64,
    logins_lost: u64,
}

impl Page<'_> {
    /// The whole page.
    #[must_use]
    pub fn draw(&self) -> String {
        let rows = self.rows();
        let (real, others): (Vec<&Row<'_>>, Vec<&Row<'_>>) = rows.iter().partition(|row| row.first.real_user);
        let mut out = self.title() + &self.summary(&rows, &real);
        out += &self.list("REAL USERS WHO WOULD HAVE BEEN LOCKED OUT", Ink::Bad, &real);
        out += &self.list("WOULD HAVE BEEN BANNED", Ink::Plain, &others);
        out += &self.missed();
        out + &self.next(!real.is_empty())
    }

    fn limit(&self) -> usize {
        if self.top == 0 { usize::MAX } else { self.top }
    }

    fn title(&self) -> String {
        let jail = &self.rehearsed.jail;
        let times = |seconds: u32| duration(i64::from(seconds) * SECOND);
        let bantime = jail.bantime.map_or_else(|| "for ever".to_owned(), |seconds| format!("for {}", times(seconds)));
        let text = format!(
            "  {} within {} ban {bantime}",
            plural(u64::from(jail.maxretry), "failure", "failures"),
            times(jail.findtime)
        );
        let coverage = &self.rehearsed.read.coverage;
        let period = match (coverage.from, coverage.to) {
            (Some(from), Some(to)) => format!("{} to {}", self.clock.long(from), self.clock.long(to)),
            _ => "no time".to_owned(),
        };
        format!("{}{text}\n  {}\n\n", self.screen.ink(Ink::Heading, "REHEARSAL"), self.screen.ink(Ink::Dim, &period))
    }

    /// Addresses with their bans, in the order of their first one.
    fn rows(&self) -> Vec<Row<'_>> {
        let mut places: BTreeMap<IpAddr, usize> = BTreeMap::new();
        let mut rows: Vec<Row<'_>> = Vec::new();
        for ban in &self.rehearsed.bans {
            let ip = ban.what.client_ip;
            let at = *places.entry(ip).or_insert(rows.len());
            match rows.get_mut(at) {
                Some(row) => {
                    row.bans += 1;
                    row.prevented += ban.what.prevented;
                    row.logins_lost += ban.what.logins_lost;
                }
                None => rows.push(Row {
                    ip,
                    first: ban,
                    bans: 1,
                    prevented: ban.what.prevented,
                    logins_lost: ban.what.logins_lost,
                }),
            }
        }
        rows
    }

    fn summary(&self, rows: &[Row<'_>], real: &[&Row<'_>]) -> String {
        let mut parts = vec![format!(
            "{} would have been banned, {}",
            plural(rows.len() as u64, "address", "addresses"),
            plural(self.rehearsed.bans.len() as u64, "ban", "bans")
        )];
        parts.push(match real.len() {
            0 => "none of them a real user".to_owned(),
            1 => "1 of them a real user".to_owned(),
            many => format!("{many} of them real users"),
        });
        let prevented: u64 = rows.iter().map(|row| row.prevented).sum();
        parts.push(format!("{} would not have come", plural(prevented, "failure", "failures")));
        let missed = self.rehearsed.missed.len() as u64;
        parts.push(format!("{} below it", plural(missed, "attacker stays", "attackers stay")));
        let mut out = String::new();
        for line in wrap(&parts.join(" · "), self.screen.width - 2) {
            out += &format!("  {line}\n");
        }
        out
    }

    fn heading(&self, text: &str) -> String {
        format!("\n{}\n", self.screen.ink(Ink::Heading, text))
    }

    fn list(&self, title: &str, ink: Ink, rows: &[&Row<'_>]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let mut out = self.heading(title);
        let header = format!(
            "  {} {} {} {} {}  who",
            left("address", 24),
            left("first ban", 16),
            right("bans", 5),
            right("failed", 7),
            right("lost", 5)
        );
        out += &(self.screen.ink(Ink::Dim, &header) + "\n");
        for row in rows.iter().take(self.limit()) {
            let line = format!(
                "  {} {} {} {} {}  {}",
                left(&self.mask.ip(row.ip), 24),
                left(&self.clock.short(row.first.what.at), 16),
                right(&number(row.bans), 5),
                right(&number(row.first.what.failures), 7),
                right(&number(row.logins_lost), 5),
                self.who(row.first)
            );
            out += &(self.screen.ink(ink, &cut(&line, self.screen.width)) + "\n");
        }
        out + &self.more(rows.len())
    }

    fn who(&self, ban: &Judged<Ban>) -> String {
        let names = if ban.logs_in.is_empty() { &ban.what.accounts } else { &ban.logs_in };
        let names: Vec<String> = names.iter().take(4).map(|name| self.name(name)).collect();
        format!("{}  {}", ban.verdict.name().replace('_', " "), names.join(", "))
    }

    fn name(&self, name: &[u8]) -> String {
        escape(&self.mask.name(&String::from_utf8_lossy(name))).into_owned()
    }

    fn more(&self, rows: usize) -> String {
        match rows.saturating_sub(self.limit()) {
            0 => String::new(),
            hidden => {
                let text = format!("  … and {} more (--top 0 shows all)", number(hidden as u64));
                self.screen.ink(Ink::Dim, &text) + "\n"
            }
        }
    }

    fn missed(&self) -> String {
        let missed = &self.rehearsed.missed;
        if missed.is_empty() {
            return String::new();
        }
        let mut out = self.heading("ATTACKERS BELOW IT");
        for row in missed.iter().take(self.limit()) {
            let names: Vec<String> = row.what.accounts.iter().take(4).map(|name| self.name(name)).collect();
            let line = format!(
                "  {} {}  {}  {}",
                left(&self.mask.ip(row.what.client_ip), 24),
                plural(row.what.failures, "failure", "failures"),
                row.verdict.name().replace('_', " "),
                names.join(", ")
            );
            out += &(cut(&line, self.screen.width) + "\n");
        }
        out + &self.more(missed.len())
    }

    fn next(&self, locks_out: bool) -> String {
        let advice = if locks_out {
            "Before you switch this on: put the networks of these users into ignoreip, or raise maxretry; `postfix-insights client ADDR` shows why they fail."
        } else {
            "Nothing was banned or changed: this is what would have been. `postfix-insights client ADDR` shows the lines."
        };
        let mut out = self.heading("NEXT");
        for line in wrap(advice, self.screen.width - 2) {
            out += &format!("  {line}\n");
        }
        out
    }
}
