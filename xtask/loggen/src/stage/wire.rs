//! SMTP sessions as lines: what a client did goes in, the lines of `smtpd`, Dovecot and the queue come out in the order of time.

use std::io::{self, BufWriter, Write};

use crate::log::{Micros, SECOND};
use crate::rng::Rng;

/// Lines with their times, not yet in order.
pub(super) struct Wire {
    lines: Vec<(Micros, u32, String)>,
    names_logged: bool,
    pid: u32,
    queue: u64,
}

/// How an AUTH ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Wrong password, or no such account.
    Refused { known: bool },
    /// The backend does not answer.
    Lost,
    /// The mechanism is not offered.
    Mechanism,
}

/// A message: recipients, and how many of them bounce.
#[derive(Clone, Copy)]
pub(super) struct Mail {
    pub(super) recipients: u32,
    pub(super) bounced: u32,
}

/// A session about to be written.
pub(super) struct Call<'a> {
    pub(super) at: Micros,
    pub(super) ip: &'a str,
    pub(super) service: &'static str,
    pub(super) mechanism: &'static str,
    /// Names that fail, with the outcome, seconds apart (thousandths).
    pub(super) fails: Vec<(&'a str, Outcome, u64)>,
    /// The account that gets in, and its mail.
    pub(super) login: Option<(&'a str, Vec<Mail>)>,
}

impl<'a> Call<'a> {
    pub(super) fn at(at: Micros, ip: &'a str) -> Self {
        Self { at, ip, service: "submission", mechanism: "PLAIN", fails: Vec::new(), login: None }
    }
}

impl Wire {
    pub(super) fn new(names_logged: bool) -> Self {
        Self { lines: Vec::new(), names_logged, pid: 1_000, queue: 0x10_0000 }
    }

    fn line(&mut self, at: Micros, text: String) {
        let number = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        self.lines.push((at, number, text));
    }

    fn next_pid(&mut self) -> u32 {
        self.pid = if self.pid > 4_000_000 { 1_000 } else { self.pid + 1 };
        self.pid
    }

    /// Writes a session. Output: when it ended.
    pub(super) fn call(&mut self, rng: &mut Rng, call: &Call<'_>) -> Micros {
        let pid = self.next_pid();
        let tag = format!("postfix/{}/smtpd[{pid}]", call.service).replace("/smtp/", "/");
        let who = format!("unknown[{}]", call.ip);
        let mut now = call.at;
        self.line(now, format!("{tag}: connect from {who}"));
        now += rng.range(20, 900) * 1_000;
        for (name, outcome, gap) in &call.fails {
            self.failure(now, (&tag, &who, call), name, *outcome);
            now += gap * 1_000 + 1_000;
        }
        let tried = call.fails.len();
        if let Some((account, mails)) = &call.login {
            for mail in mails {
                self.mail(rng, now, (&tag, &who, call.mechanism, account), *mail);
                now += rng.range(300, 2_500) * 1_000;
            }
            let n = mails.len().max(1);
            self.line(
                now,
                format!(
                    "{tag}: disconnect from {who} ehlo=2 starttls=1 auth=1{} mail={n} rcpt={n} data={n} quit=1 commands={}",
                    if tried > 0 { format!("/{}", tried + 1) } else { String::new() },
                    3 * n + 5
                ),
            );
        } else {
            self.line(
                now,
                format!(
                    "{tag}: disconnect from {who} ehlo=2 starttls=1 auth=0/{tried} quit=1 commands=4/{}",
                    tried + 4
                ),
            );
        }
        now
    }

    fn failure(&mut self, now: Micros, (tag, who, call): (&str, &str, &Call<'_>), name: &str, outcome: Outcome) {
        let mechanism = call.mechanism;
        let (reason, logged) = match outcome {
            Outcome::Refused { .. } if self.names_logged => ("(reason unavailable)", name),
            Outcome::Refused { known } => {
                let why = if known { "Password mismatch" } else { "unknown user" };
                let before = now.saturating_sub(1_800_000).max(call.at + 1_000);
                self.line(before, format!("dovecot: auth: passwd-file({name},{}): {why}", call.ip));
                ("UGFzc3dvcmQ6", "")
            }
            Outcome::Lost => {
                ("Connection lost to authentication server", if self.names_logged { "(unavailable)" } else { "" })
            }
            Outcome::Mechanism => {
                ("Invalid authentication mechanism", if self.names_logged { "(unavailable)" } else { "" })
            }
        };
        let user = if self.names_logged { format!(", sasl_username={logged}") } else { String::new() };
        self.line(now, format!("{tag}: warning: {who}: SASL {mechanism} authentication failed: {reason}{user}"));
    }

    fn mail(
        &mut self,
        rng: &mut Rng,
        now: Micros,
        (tag, who, mechanism, account): (&str, &str, &str, &str),
        mail: Mail,
    ) {
        self.queue += rng.range(1, 40);
        let id = format!("{:X}", self.queue);
        let Mail { recipients, bounced } = mail;
        self.line(now, format!("{tag}: {id}: client={who}, sasl_method={mechanism}, sasl_username={account}"));
        self.line(now + 40_000, format!("postfix/cleanup[77]: {id}: message-id=<{id}@client.example>"));
        self.line(
            now + 80_000,
            format!("postfix/qmgr[78]: {id}: from=<{account}>, size=2211, nrcpt={recipients} (queue active)"),
        );
        for n in 0..recipients {
            let to = format!("r{n}.{id}@elsewhere.example");
            let (dsn, status) = if n < bounced {
                ("5.1.1", "bounced (host mx.elsewhere.example[198.18.0.1] said: 550 5.1.1 no such user)")
            } else {
                ("2.0.0", "sent (250 2.0.0 Ok)")
            };
            let at = now + 600_000 + u64::from(n) * 9_000;
            self.line(
                at,
                format!("postfix/smtp[79]: {id}: to=<{to}>, relay=mx.elsewhere.example[198.18.0.1]:25, delay=0.6, delays=0.1/0/0.2/0.3, dsn={dsn}, status={status}"),
            );
        }
        self.line(now + 900_000 + u64::from(recipients) * 9_000, format!("postfix/qmgr[78]: {id}: removed"));
    }

    /// A session that dies for want of a backend.
    pub(super) fn killed(&mut self, at: Micros, ip: &str) {
        let pid = self.next_pid();
        let tag = format!("postfix/submission/smtpd[{pid}]");
        self.line(at, format!("{tag}: connect from unknown[{ip}]"));
        self.line(
            at + 10_000,
            format!("{tag}: warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused"),
        );
        self.line(at + 11_000, format!("{tag}: fatal: no SASL authentication mechanisms"));
    }

    /// AUTH without TLS, refused without a line.
    pub(super) fn unheard(&mut self, at: Micros, ip: &str) {
        let pid = self.next_pid();
        let tag = format!("postfix/submission/smtpd[{pid}]");
        self.line(at, format!("{tag}: connect from unknown[{ip}]"));
        self.line(at + SECOND, format!("{tag}: disconnect from unknown[{ip}] ehlo=1 auth=0/1 quit=1 commands=2/3"));
    }

    /// Mail refused: without a login, or in spite of one.
    pub(super) fn turned_away(&mut self, at: Micros, ip: &str, account: Option<&str>) {
        let pid = self.next_pid();
        let tag = format!("postfix/submission/smtpd[{pid}]");
        self.line(at, format!("{tag}: connect from unknown[{ip}]"));
        let (text, tail, auth) = match account {
            Some(account) => (
                "554 5.7.1 <x@elsewhere.example>: Relay access denied",
                format!(" sasl_method=PLAIN sasl_username={account}"),
                "auth=1 ",
            ),
            None => ("554 5.7.1 <unknown[CLIENT]>: Client host rejected: Access denied", String::new(), ""),
        };
        let text = text.replace("CLIENT", ip);
        self.line(
            at + SECOND,
            format!("{tag}: NOQUEUE: reject: RCPT from unknown[{ip}]: {text}; from=<a@example.test> to=<x@elsewhere.example> proto=ESMTP helo=<[10.0.0.2]>{tail}"),
        );
        self.line(
            at + 2 * SECOND,
            format!("{tag}: disconnect from unknown[{ip}] ehlo=1 {auth}mail=1 rcpt=0/1 quit=1 commands=3/4"),
        );
    }

    /// Lines that were dropped.
    pub(super) fn lost(&mut self, at: Micros, lines: u32) {
        self.line(at, "rsyslogd: imuxsock[pid 123]: begin to drop messages due to rate-limiting".to_owned());
        self.line(at + SECOND, format!("rsyslogd: imuxsock lost {lines} messages from pid 123 due to rate-limiting"));
    }

    pub(super) fn write(mut self, out: impl Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        self.lines.sort_unstable_by_key(|(at, number, _)| (*at, *number));
        for (at, _, text) in &self.lines {
            let time = jiff::Timestamp::from_microsecond(*at as i64).unwrap_or_default();
            writeln!(out, "{} mail {text}", time.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00"))?;
        }
        out.flush()
    }
}
