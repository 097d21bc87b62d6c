//! What a person should know now: the findings, the gravest first, or that there is nothing to worry about.

use diagnose::{Class, Finding, Kind, Verdict};

use super::Page;
use crate::screen::{Ink, number, plural, wrap};

/// Findings of one kind unless all are asked for.
const PER_KIND: usize = 3;

impl Page<'_> {
    pub(super) fn verdict(&self) -> String {
        let mut out = self.heading("VERDICT", "");
        if self.findings.is_empty() {
            out += &format!("  {}\n", self.screen.ink(Ink::Good, &self.quiet_verdict()));
            return out;
        }
        let mut rest = self.findings;
        while let Some(first) = rest.first() {
            // Findings come sorted by kind.
            let (kind, others) = rest.split_at(rest.partition_point(|finding| finding.kind == first.kind));
            let shown = if self.verbose || self.top == 0 { kind.len() } else { PER_KIND };
            out += &kind.iter().take(shown).map(|finding| self.finding(finding)).collect::<String>();
            out += &self.summed(kind.get(shown..).unwrap_or_default());
            rest = others;
        }
        out
    }

    /// Findings of one kind that there is no room for, in one line.
    fn summed(&self, hidden: &[Finding]) -> String {
        let Some(first) = hidden.first() else { return String::new() };
        let failures: u64 = hidden
            .iter()
            .flat_map(|finding| &finding.counts)
            .filter(|(name, _)| matches!(*name, "auth_failed" | "backend_fault"))
            .map(|(_, count)| *count)
            .sum();
        let ban = hidden.iter().filter(|finding| finding.ban).count() as u64;
        let ban = if ban > 0 { format!(", {} to ban", number(ban)) } else { String::new() };
        let text = format!(
            "     … and {} more of {}: {}{ban} (-v shows all)",
            number(hidden.len() as u64),
            first.kind.name().replace('_', " "),
            plural(failures, "failure", "failures")
        );
        self.screen.ink(Ink::Dim, &text) + "\n"
    }

    fn quiet_verdict(&self) -> String {
        let suspicious = self
            .tally
            .clients
            .iter()
            .filter(|(ip, client)| self.tally.client_verdict(**ip, client) == Verdict::Suspicious)
            .count() as u64;
        match (self.tally.class(Class::AuthFailed), suspicious) {
            (0, _) => self.without_failures(),
            (_, 0) => "no attack, no outage: a few logins failed, each by itself".to_owned(),
            (_, count) => {
                format!("no clear attack and no outage; {} to look at below", plural(count, "address", "addresses"))
            }
        }
    }

    /// No password was refused; that alone does not mean that everybody got in.
    fn without_failures(&self) -> String {
        let coverage = &self.read.coverage;
        if coverage.understood == 0 && coverage.lines > 0 {
            return "nothing in it could be read as a line of a mail log".to_owned();
        }
        if self.read.misses_what_was_asked() {
            return "no line lies in the time asked for: nothing is known of it".to_owned();
        }
        let logins = |count| plural(count, "login", "logins");
        let faults = [
            (self.tally.class(Class::BackendFault), "the SASL backend did not answer", Class::BackendFault),
            (self.tally.class(Class::AuthRefused), "refused before a password was asked for", Class::AuthRefused),
        ];
        let mut parts: Vec<String> = Vec::new();
        for (count, why, class) in faults.into_iter().filter(|(count, ..)| *count > 0) {
            parts.push(match class {
                Class::BackendFault => format!("{} failed because {why}", logins(count)),
                _ => format!("{} {why}", logins(count)),
            });
        }
        if self.tally.sessions_killed > 0 {
            let sessions = plural(self.tally.sessions_killed, "session died", "sessions died");
            parts.push(format!("{sessions} for want of a SASL backend"));
        }
        match (parts.is_empty(), self.tally.mailboxes.failed) {
            (true, 0) => return "nobody failed to log in".to_owned(),
            (true, failed) => {
                let refused = plural(failed, "login was", "logins were");
                return format!("nobody failed to log in at Postfix; to mailboxes {refused} refused");
            }
            (false, _) => {}
        }
        format!("no password was refused, but {}", parts.join(", "))
    }

    pub(super) fn finding(&self, finding: &Finding) -> String {
        let (mark, ink) = match finding.kind {
            Kind::BackendOutage | Kind::AccountTakeover | Kind::ConfigFault => ("!!", Ink::Bad),
            Kind::Guessing | Kind::Spraying | Kind::DistributedAttack | Kind::SecretsInLog => ("! ", Ink::Warn),
            _ => ("- ", Ink::Plain),
        };
        let ips: Vec<String> = finding.clients.iter().map(ToString::to_string).collect();
        let mut text = self.mask.within(&finding.summary, &ips);
        // Whose account it is; a list of names that were tried says nothing of whom it is about.
        let is_about_one = matches!(finding.kind, Kind::AccountTakeover | Kind::DistributedAttack | Kind::StaleClient);
        if let ([account], true) = (finding.accounts.as_slice(), is_about_one) {
            text = format!("{}: {text}", self.name(account));
        }
        let kind = finding.kind.name().replace('_', " ");
        let advice = if finding.ban { " [ban]" } else { "" };
        let when =
            if finding.from == 0 { String::new() } else { format!(", {}", self.period(finding.from, finding.to)) };
        let mut out = String::new();
        for (n, line) in wrap(&format!("{text}{advice}"), self.screen.width - 5).iter().enumerate() {
            out += &format!(
                "  {} {}\n",
                self.screen.ink(ink, if n == 0 { mark } else { "  " }),
                self.screen.ink(ink, line)
            );
        }
        out + &self.screen.ink(Ink::Dim, &format!("     {kind}, {:.0} % sure{when}", finding.confidence * 100.0)) + "\n"
    }

    pub(super) fn period(&self, from: i64, to: i64) -> String {
        let (first, last) = (self.clock.short(from), self.clock.short(to));
        match (first.rsplit_once(' '), last.rsplit_once(' ')) {
            _ if first == last => first,
            (Some((day, _)), Some((same, time))) if day == same => format!("{first} to {time}"),
            _ => format!("{first} to {last}"),
        }
    }

    pub(super) fn more(&self, rows: usize, one: &str, many: &str) -> String {
        let hidden = rows.saturating_sub(self.limit());
        if hidden == 0 {
            String::new()
        } else {
            self.screen.ink(Ink::Dim, &format!("  … and {} more (--top 0 shows all)", plural(hidden as u64, one, many)))
                + "\n"
        }
    }
}
