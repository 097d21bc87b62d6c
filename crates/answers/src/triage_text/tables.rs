//! Who failed: clients and accounts with their time lines.

use diagnose::{AccountTally, ClientTally, Verdict};

use super::Page;
use crate::ranking;
use crate::screen::{Ink, left, number, plural, right, sparkline};

/// Columns of a sparkline, on a wide and on a narrow screen.
const SPARK: usize = 16;
/// See [`SPARK`].
const SPARK_SMALL: usize = 6;
/// Columns of a table but for the first one and the sparkline: figures, blanks, and the longest verdict.
const TABLE: usize = 59;

impl Page<'_> {
    pub(super) fn clients(&self) -> String {
        let rows = ranking::clients(self.tally);
        let failing: Vec<_> = rows
            .into_iter()
            .filter(|(_, client)| {
                client.counts.failures() > 0 || client.counts.sessions_killed > 0 || client.counts.tls_failed > 0
            })
            .collect();
        if failing.is_empty() {
            return String::new();
        }
        let mut out = self.heading("CLIENTS", &plural(failing.len() as u64, "address failed", "addresses failed"));
        let rows: Vec<(String, &ClientTally, Verdict)> = failing
            .iter()
            .take(self.limit())
            .map(|(ip, client)| (self.mask.ip(**ip), *client, self.tally.client_verdict(**ip, client)))
            .collect();
        let width = self.first_column(rows.iter().map(|(ip, ..)| ip.as_str()));
        out += &self.header("address", width, ["failed", "fault", "early", "ok", "names"]);
        for (ip, client, verdict) in rows {
            let c = &client.counts;
            let names = if client.usernames() == 0 { "?".to_owned() } else { number(client.usernames().into()) };
            let figures = [c.auth_failed, c.backend_fault.saturating_add(c.sessions_killed), c.auth_refused, c.auth_ok]
                .map(|count| number(count.into()));
            let [failed, fault, early, ok] = figures.each_ref().map(String::as_str);
            out += &self.row(&ip, width, [failed, fault, early, ok, &names], &client.timeline, verdict);
        }
        out + &self.more(failing.len(), "address", "addresses")
    }

    /// Room for the first column: what the longest needs, and at most what the others leave.
    fn first_column<'t>(&self, texts: impl Iterator<Item = &'t str>) -> usize {
        texts
            .map(unicode_width::UnicodeWidthStr::width)
            .max()
            .unwrap_or_default()
            .clamp(15, self.screen.width - TABLE - self.spark())
    }

    /// Columns of a sparkline: what fits.
    fn spark(&self) -> usize {
        if self.screen.width < 96 { SPARK_SMALL } else { SPARK }
    }

    fn header(&self, first: &str, width: usize, columns: [&str; 5]) -> String {
        let [a, b, c, d, e] = columns;
        let line = format!(
            "  {}  {} {} {} {} {}  {}  verdict",
            left(first, width),
            right(a, 7),
            right(b, 6),
            right(c, 6),
            right(d, 5),
            right(e, 6),
            left("when", self.spark())
        );
        self.screen.ink(Ink::Dim, &line) + "\n"
    }

    fn row(
        &self,
        first: &str,
        width: usize,
        figures: [&str; 5],
        timeline: &diagnose::Timeline,
        verdict: Verdict,
    ) -> String {
        let (from, to) = self.span();
        let [a, b, c, d, e] = figures;
        let when = sparkline(&timeline.columns(from, to, self.spark()));
        format!(
            "  {}  {} {} {} {} {}  {when}  {}\n",
            left(first, width),
            right(a, 7),
            right(b, 6),
            right(c, 6),
            right(d, 5),
            right(e, 6),
            self.word(verdict)
        )
    }

    fn word(&self, verdict: Verdict) -> String {
        let ink = match verdict {
            Verdict::TakenOver | Verdict::Attack | Verdict::Outage => Ink::Bad,
            Verdict::Suspicious => Ink::Warn,
            Verdict::Fine | Verdict::Recovered | Verdict::Office => Ink::Good,
            _ => Ink::Plain,
        };
        self.screen.ink(ink, &verdict.name().replace('_', " "))
    }

    pub(super) fn accounts(&self) -> String {
        let failing: Vec<&AccountTally> =
            ranking::accounts(self.tally).into_iter().filter(|account| account.counts.failures() > 0).collect();
        let unnamed = self.tally.unnamed_failures;
        if failing.is_empty() && unnamed == 0 {
            return String::new();
        }
        let note = if unnamed > 0 {
            format!(
                "{} names failed; {} more without a name",
                number(failing.len() as u64),
                plural(unnamed, "failure", "failures")
            )
        } else {
            plural(failing.len() as u64, "name failed", "names failed")
        };
        let mut out = self.heading("ACCOUNTS", &note);
        if failing.is_empty() {
            return out;
        }
        let rows: Vec<(String, &AccountTally)> =
            failing.iter().take(self.limit()).map(|account| (self.name(&account.username), *account)).collect();
        let width = self.first_column(rows.iter().map(|(name, _)| name.as_str()));
        out += &self.header("name", width, ["failed", "fault", "from", "ok", "sent"]);
        for (name, account) in rows {
            let c = &account.counts;
            let figures = [c.auth_failed, c.backend_fault, account.clients(), c.auth_ok, account.messages]
                .map(|count| number(count.into()));
            out += &self.row(
                &name,
                width,
                figures.each_ref().map(String::as_str),
                &account.timeline,
                self.tally.account_verdict(account),
            );
        }
        out + &self.more(failing.len(), "name", "names")
    }
}
