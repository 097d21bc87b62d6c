//! How logins fared: totals, what else is to be known of them, and why they failed.

use diagnose::Class;

use super::Page;
use crate::screen::{Ink, bar, cut, left, number, plural, right, shown, sparkline, wrap};
use crate::times::duration;

/// Over less than this a picture over time shows nothing, in microseconds.
const SHORT_LOG: i64 = 600 * 1_000_000;

impl Page<'_> {
    pub(super) fn logins(&self) -> String {
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
    pub(super) fn mailboxes(&self) -> String {
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

    pub(super) fn causes(&self) -> String {
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
    pub(super) fn aside(&self, words: &str) -> String {
        let lines = wrap(words, self.screen.width - 2);
        lines.iter().map(|line| format!("  {}\n", self.screen.ink(Ink::Dim, line))).collect()
    }
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
