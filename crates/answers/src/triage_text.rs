//! The triage as a person reads it: verdict first, then why, who, who got in later, what it covers, what to do.

use std::net::IpAddr;

use diagnose::{AccountTally, Class, ClientTally, Finding, Kind, Recovered, RelayWhy, SentMessage, Tally, Verdict};

use crate::mask::Mask;
use crate::ranking;
use crate::reading::Read;
use crate::screen::{Ink, Screen, bar, cut, escape, left, number, plural, right, shown, sparkline, wrap};
use crate::story_text::fate_word;
use crate::times::{Clock, duration};

/// Findings of one kind shown, unless all are asked for.
const PER_KIND: usize = 3;
/// Over less than this a picture over time shows nothing, in microseconds.
const SHORT_LOG: i64 = 600 * 1_000_000;
/// Columns of a sparkline, on a wide and on a narrow screen.
const SPARK: usize = 16;
/// See [`SPARK`].
const SPARK_SMALL: usize = 6;
/// Columns of a table but for the first one and the sparkline: figures, blanks, and the longest verdict.
const TABLE: usize = 59;

/// Everything the page is drawn from.
pub struct Page<'a> {
    /// The counts.
    pub tally: &'a Tally,
    /// What was read.
    pub read: &'a Read,
    /// What a person should know now.
    pub findings: &'a [Finding],
    /// Rows per list; 0 is all.
    pub top: usize,
    /// Whether names and addresses are masked.
    pub mask: Mask,
    /// What it is drawn on.
    pub screen: Screen,
    /// How times are shown.
    pub clock: &'a Clock,
    /// More detail.
    pub verbose: bool,
}

impl Page<'_> {
    /// The whole page.
    pub fn draw(&self) -> String {
        let parts = [
            self.title(),
            self.verdict(),
            self.logins(),
            self.causes(),
            self.clients(),
            self.accounts(),
            self.recovered(),
            self.refusals(),
            self.coverage(),
            self.next(),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn limit(&self) -> usize {
        if self.top == 0 { usize::MAX } else { self.top }
    }

    fn span(&self) -> (i64, i64) {
        let coverage = &self.read.coverage;
        (coverage.from.unwrap_or_default(), coverage.to.unwrap_or_default())
    }

    fn heading(&self, text: &str, note: &str) -> String {
        format!(
            "{}  {}\n",
            self.screen.ink(Ink::Heading, text),
            self.screen.ink(Ink::Dim, &cut(note, self.screen.width.saturating_sub(text.len() + 2)))
        )
        .trim_end()
        .to_owned()
            + "\n"
    }

    fn name(&self, name: &[u8]) -> String {
        escape(&self.mask.name(&String::from_utf8_lossy(name))).into_owned()
    }

    fn title(&self) -> String {
        let coverage = &self.read.coverage;
        let sources = match coverage.sources.as_slice() {
            [one] => escape(&one.name).into_owned(),
            many => plural(many.len() as u64, "source", "sources"),
        };
        let period = match (coverage.from, coverage.to) {
            (Some(from), Some(to)) => format!("{} to {}", self.clock.long(from), self.clock.long(to)),
            _ => "no time".to_owned(),
        };
        format!(
            "{}  {period}  {}\n",
            self.screen.ink(Ink::Heading, &cut(&sources, 60)),
            self.screen.ink(Ink::Dim, &plural(coverage.lines, "line", "lines"))
        )
    }

    fn verdict(&self) -> String {
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

    fn finding(&self, finding: &Finding) -> String {
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

    fn period(&self, from: i64, to: i64) -> String {
        let (first, last) = (self.clock.short(from), self.clock.short(to));
        match (first.rsplit_once(' '), last.rsplit_once(' ')) {
            _ if first == last => first,
            (Some((day, _)), Some((same, time))) if day == same => format!("{first} to {time}"),
            _ => format!("{first} to {last}"),
        }
    }

    fn more(&self, rows: usize, one: &str, many: &str) -> String {
        let hidden = rows.saturating_sub(self.limit());
        if hidden == 0 {
            String::new()
        } else {
            self.screen.ink(Ink::Dim, &format!("  … and {} more (--top 0 shows all)", plural(hidden as u64, one, many)))
                + "\n"
        }
    }

    fn logins(&self) -> String {
        let t = self.tally;
        let (killed_one, killed) = ("session killed, no backend", "sessions killed, no backend");
        let figures = [
            (t.class(Class::AuthFailed), "refused by the backend", Ink::Bad),
            (t.class(Class::BackendFault), "backend at fault", Ink::Bad),
            (t.sessions_killed, if t.sessions_killed == 1 { killed_one } else { killed }, Ink::Bad),
            (t.class(Class::AuthRefused), "refused before the backend", Ink::Warn),
            (t.class(Class::AuthAborted), "given up by the client", Ink::Plain),
            (t.class(Class::RateLimited), "over a limit", Ink::Warn),
            (t.class(Class::TlsFailed), "TLS failed", Ink::Warn),
            (t.class(Class::AuthOk), "succeeded", Ink::Good),
            (t.class(Class::SenderMismatch), "refused as senders they are not", Ink::Warn),
        ];
        let parts: Vec<String> = figures
            .iter()
            .filter(|(count, what, _)| *count > 0 || *what == "succeeded" || *what == "refused by the backend")
            .map(|(count, what, _)| format!("{} {what}", number(*count)))
            .collect();
        let mut out = self.heading("LOGINS", "");
        for line in wrap(&parts.join(" · "), self.screen.width - 2) {
            out += &format!("  {line}\n");
        }
        let services = list(t.services.iter().map(|(name, count)| (shown(name), *count)), 6);
        let mechanisms = list(t.mechanisms.iter().map(|(name, count)| (shown(name), *count)), 6);
        if !services.is_empty() {
            out += &format!(
                "  {}\n",
                self.screen.ink(
                    Ink::Dim,
                    &cut(&format!("failed by service: {services}; by mechanism: {mechanisms}"), self.screen.width - 2)
                )
            );
        }
        out += &self.mailboxes();
        let (from, to) = self.span();
        if t.class(Class::AuthFailed) > 0 && to - from >= SHORT_LOG {
            let width = (self.screen.width - 30).min(diagnose::Timeline::BINS);
            out += &format!(
                "  {} {}\n",
                sparkline(&t.timeline.columns(from, to, width)),
                self.screen.ink(Ink::Dim, &format!("failures, {} each", duration((to - from) / width as i64)))
            );
        }
        out
    }

    /// Refused logins to mailboxes, which are none at Postfix.
    fn mailboxes(&self) -> String {
        let found = &self.tally.mailboxes;
        if found.failed == 0 {
            return String::new();
        }
        let services = list(found.services.iter().map(|(name, count)| (shown(name), *count)), 6);
        let clients = plural(found.failing_clients() as u64, "address", "addresses");
        let most =
            found.clients().first().filter(|_| found.failing_clients() > 1).map_or_else(String::new, |(ip, count)| {
                format!("; most from {}: {}", self.mask.ip(*ip), number(*count))
            });
        self.aside(&format!(
            "besides, Dovecot refused {} to mailboxes ({services}) from {clients}{most}: not counted here; entries -q 'service:imap class:auth_failed' shows them",
            plural(found.failed, "login", "logins")
        ))
    }

    fn causes(&self) -> String {
        let failures = ["cred.", "backend.", "config.", "client.", "tls.", "limit.", "policy.auth_policy"];
        let mut rows: Vec<(&str, u64)> = self
            .tally
            .causes
            .iter()
            .filter(|(id, _)| failures.iter().any(|family| id.starts_with(family)))
            .map(|(id, count)| (*id, *count))
            .collect();
        rows.extend(self.tally.client_causes.iter().map(|(id, count)| (*id, *count)));
        rows.extend(self.tally.killed_causes.iter().map(|(id, count)| (*id, *count)));
        if rows.is_empty() {
            return String::new();
        }
        rows.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
        let largest = rows.first().map_or(1, |(_, count)| *count);
        let title = 60.min(self.screen.width - 32);
        let mut out = self.heading("WHY", "");
        for (id, count) in rows.iter().take(self.limit()) {
            let cause = diagnose::by_id(id);
            let words = cause.map_or(*id, |cause| cause.title);
            out += &format!(
                "  {} {} {}\n",
                left(words, title),
                right(&number(*count), 9),
                bar(*count, largest, self.screen.width - title - 16)
            );
        }
        out += &self.more(rows.len(), "cause", "causes");
        if rows.iter().any(|(id, _)| *id == "cred.undifferentiated") {
            out += &self.aside("Why a login was refused, Postfix is not told. Dovecot says it with auth_verbose = yes; give its log along with this one.");
        }
        let bare = self.tally.diagnoser.without_domain();
        if bare > 0 {
            out += &self.aside(&format!(
                "{} no such user had a name without a domain, and all who log in have one: if the name is somebody's, the client leaves the domain out.",
                plural(bare, "login of", "logins of")
            ));
        }
        out
    }

    /// What is to be known besides.
    fn aside(&self, words: &str) -> String {
        let lines = wrap(words, self.screen.width - 2);
        lines.iter().map(|line| format!("  {}\n", self.screen.ink(Ink::Dim, line))).collect()
    }

    fn clients(&self) -> String {
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

    fn accounts(&self) -> String {
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

    fn recovered(&self) -> String {
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

    fn refusals(&self) -> String {
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

    fn coverage(&self) -> String {
        let c = &self.read.coverage;
        let share = if c.lines == 0 { 100.0 } else { c.understood as f64 * 100.0 / c.lines as f64 };
        let mut out = self.heading("COVERS", "");
        let mut facts = vec![format!("{} read, {share:.1} % understood", plural(c.lines, "line", "lines"))];
        for (count, one, many) in [
            (c.unknown, "not understood", "not understood"),
            (c.bad_time, "without a readable time", "without a readable time"),
            (c.duplicates, "counted once that stands in two files", "counted once that stand in two files"),
        ] {
            if count > 0 {
                facts.push(plural(count, one, many));
            }
        }
        if self.read.unknown.about_logins > 0 {
            facts.push(format!("{} of them may be about logins", number(self.read.unknown.about_logins)));
        }
        let years: Vec<String> =
            c.sources.iter().filter_map(|source| source.inferred_year).map(|year| year.to_string()).collect();
        if !years.is_empty() {
            let mut years = years;
            years.sort();
            years.dedup();
            facts.push(format!("the log names no year: taken as {}", years.join(", ")));
        }
        if self.tally.beyond > 0 {
            facts.push(format!("{} beyond the tables' bounds are in the totals only", number(self.tally.beyond)));
        }
        for line in wrap(&facts.join(" · "), self.screen.width - 2) {
            out += &format!("  {line}\n");
        }
        for gap in c.gaps.iter().take(if self.verbose { usize::MAX } else { 3 }) {
            out += &format!("  {}\n", self.screen.ink(Ink::Warn, &self.clock.gap(gap)));
        }
        let shapes = if self.verbose { 20 } else { 2 };
        for (_, count, sample) in self.read.unknown.shapes.iter().take(shapes) {
            out += &format!(
                "  {}\n",
                self.screen.ink(
                    Ink::Dim,
                    &cut(&format!("unknown, {}x: {}", number(*count), escape(sample)), self.screen.width - 2)
                )
            );
        }
        out
    }

    fn next(&self) -> String {
        let mut steps: Vec<String> = Vec::new();
        for finding in self.findings.iter().take(3) {
            for step in finding.next.iter().take(2).chain(finding.avoid.iter().take(1)) {
                if !steps.iter().any(|known| known == step) {
                    steps.push(step.clone().into_owned());
                }
            }
        }
        let worst = ranking::clients(self.tally).into_iter().find(|(_, client)| client.counts.failures() > 0);
        if let Some((ip, _)) = worst {
            let files: Vec<&str> = self.read.coverage.sources.iter().map(|source| source.name.as_str()).collect();
            let files = if files.len() <= 2 { files.join(" ") } else { "FILES".to_owned() };
            steps.push(format!("one client's story: postfix-insights client {} {}", self.mask.ip(*ip), escape(&files)));
        }
        if steps.is_empty() {
            return String::new();
        }
        let mut out = self.heading("NEXT", "");
        for step in steps {
            let lines = wrap(&step, self.screen.width - 4);
            out += &lines
                .iter()
                .enumerate()
                .map(|(n, line)| format!("  {} {line}\n", if n == 0 { "·" } else { " " }))
                .collect::<String>();
        }
        out
    }
}

/// `sent 3 messages: 2 recipients delivered, 1 bounced`.
pub fn sent(row: &Recovered) -> String {
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

/// `a 5, b 3, …`, largest first.
fn list(rows: impl Iterator<Item = (String, u64)>, limit: usize) -> String {
    let mut rows: Vec<(String, u64)> = rows.collect();
    rows.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), name.clone()));
    let hidden = rows.len().saturating_sub(limit);
    let mut parts: Vec<String> =
        rows.into_iter().take(limit).map(|(name, count)| format!("{} {}", cut(&name, 24), number(count))).collect();
    if hidden > 0 {
        parts.push(format!("{hidden} more"));
    }
    parts.join(", ")
}
