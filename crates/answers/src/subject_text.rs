//! The story of a client or an account as a person reads it: the six-step checklist with the answers filled in.

use std::collections::BTreeMap;

use diagnose::{Cause, Class};
use trace::{AttemptKind, Fate, NameOrigin};

use crate::mask::Mask;
use crate::reading::Read;
use crate::screen::{Ink, Screen, cut, escape, left, number, plural, shown, wrap};
use crate::story_text::fate_word;
use crate::subject::{Mailed, Story, Subject, service};
use crate::times::{Clock, duration};

/// Networks of an account shown at most.
const PLACES: usize = 8;

/// One step of the checklist.
pub struct Step {
    /// From 1 to 6.
    pub number: usize,
    /// What the guide asks.
    pub question: &'static str,
    /// Holds no text of the log's but names that [`Page`] escapes.
    pub answer: Vec<String>,
    /// What to do, if anything.
    pub next: Vec<String>,
}

/// Everything the page is drawn from.
pub struct Page<'a> {
    /// The story.
    pub story: &'a Story,
    /// What was read.
    pub read: &'a Read,
    /// Whether names and addresses are masked.
    pub mask: Mask,
    /// What it is drawn on.
    pub screen: Screen,
    /// How times are shown.
    pub clock: &'a Clock,
    /// More detail.
    pub verbose: bool,
}

/// The guide's six steps, answered from the log.
pub fn checklist(story: &Story) -> Vec<Step> {
    vec![failures(story), backend(story), user(story), tls(story), pattern(story), relay(story)]
}

/// The causes of the story whose id begins with a family, with counts.
fn causes<'a>(story: &'a Story, families: &'a [&'a str]) -> impl Iterator<Item = (&'static Cause, u64)> + 'a {
    story
        .causes
        .iter()
        .filter(|(id, _)| families.iter().any(|family| id.starts_with(family)))
        .filter_map(|(id, count)| Some((diagnose::by_id(id)?, *count)))
}

fn checks(causes: impl Iterator<Item = (&'static Cause, u64)>) -> Vec<String> {
    let mut steps = Vec::new();
    for (cause, _) in causes {
        for check in cause.next {
            let step = check.to_string();
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    steps
}

fn failures(story: &Story) -> Step {
    let figures = [
        (Class::AuthFailed, "refused by the backend"),
        (Class::BackendFault, "lost to a backend fault"),
        (Class::AuthRefused, "refused before the backend was asked"),
        (Class::AuthAborted, "given up by the client"),
        (Class::RateLimited, "over a limit"),
        (Class::TlsFailed, "TLS handshakes failed"),
        (Class::AuthOk, "succeeded"),
    ];
    let parts: Vec<String> = figures
        .iter()
        .filter(|(class, _)| story.class(*class) > 0)
        .map(|(class, what)| format!("{} {what}", number(story.class(*class))))
        .collect();
    let mut answer = vec![if parts.is_empty() { "no login tried".to_owned() } else { parts.join(", ") }];
    let killed: u64 = story
        .attempts
        .iter()
        .filter(|t| t.attempt.kind == AttemptKind::Killed)
        .map(|t| u64::from(t.attempt.count))
        .sum();
    if killed > 0 {
        answer.push(format!(
            "{} for want of a backend, before a login could be tried",
            plural(killed, "session died", "sessions died")
        ));
    }
    answer.extend(
        causes(story, &["cred.", "client.", "config.", "limit."])
            .map(|(cause, count)| format!("{}× {} ({})", number(count), cause.title, cause.id)),
    );
    Step {
        number: 1,
        question: "What failed, and how?",
        answer,
        next: checks(causes(story, &["cred.", "client.", "limit."])),
    }
}

fn backend(story: &Story) -> Step {
    let faults: Vec<(&'static Cause, u64)> =
        causes(story, &["backend.", "config."]).filter(|(cause, _)| cause.class == Some(Class::BackendFault)).collect();
    let answer = if faults.is_empty() {
        match (story.attempts.is_empty(), story.others_ok) {
            (true, _) => vec!["nothing says it was not".to_owned()],
            (false, 0) => vec!["no fault of it here; but nobody else who logged in sent mail after the first failure, so the log does not prove it well".to_owned()],
            (false, ok) => vec![format!("yes: others who logged in sent {} since the first failure here", plural(ok, "mail", "mails"))],
        }
    } else {
        faults
            .iter()
            .map(|(cause, count)| format!("NO: {}× {}. {}", number(*count), cause.title, cause.meaning))
            .collect()
    };
    Step { number: 2, question: "Was the SASL backend well?", answer, next: checks(faults.into_iter()) }
}

fn user(story: &Story) -> Step {
    let mut names: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
    let mut unnamed = [0u64; 3];
    for tried in story.attempts.iter().filter(|t| t.attempt.kind == AttemptKind::Failed) {
        let count = u64::from(tried.attempt.count);
        match (&tried.attempt.username, tried.attempt.origin) {
            (Some(name), origin) => {
                let row = names.entry(name.to_ascii_lowercase()).or_default();
                row.0 += count;
                row.1 += if origin == NameOrigin::Joined { count } else { 0 };
            }
            (None, NameOrigin::Ambiguous) => unnamed[0] += count,
            (None, NameOrigin::Unavailable) => unnamed[1] += count,
            (None, _) => unnamed[2] += count,
        }
    }
    let mut rows: Vec<_> = names.into_iter().collect();
    rows.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let hidden = rows.len().saturating_sub(8);
    let mut answer: Vec<String> = rows
        .iter()
        .take(8)
        .map(|(name, (count, joined))| {
            format!(
                "tried as {} {}{}",
                String::from_utf8_lossy(name),
                plural(*count, "time", "times"),
                if *joined > 0 { " (name from the backend's own line)" } else { "" }
            )
        })
        .collect();
    if hidden > 0 {
        answer.push(format!("and {}", plural(hidden as u64, "more name", "more names")));
    }
    let [ambiguous, unavailable, unlogged] = unnamed;
    for (count, why) in [
        (ambiguous, "two backend lines could be meant: no name is taken"),
        (unavailable, "the backend never learnt a name"),
        (unlogged, "this Postfix logs no names (3.9 does, and 3.8.3, 3.7.8), and no backend line tells"),
    ] {
        if count > 0 {
            answer.push(format!("{} without a name: {why}", plural(count, "failure", "failures")));
        }
    }
    answer.extend(
        causes(
            story,
            &[
                "cred.unknown_user",
                "cred.realm_missing",
                "cred.user_disabled",
                "cred.allow_nets",
                "cred.password_mismatch",
                "cred.password_expired",
            ],
        )
        .map(|(cause, count)| {
            format!("the backend says {} {}", cause.title.to_lowercase(), plural(count, "time", "times"))
        }),
    );
    let mut good: Vec<String> = story
        .logins
        .iter()
        .filter_map(|login| login.username.as_deref())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    good.sort();
    good.dedup();
    if !good.is_empty() {
        answer.push(format!("logged in: {}", good.iter().take(8).cloned().collect::<Vec<_>>().join(", ")));
    }
    if answer.is_empty() {
        answer.push("no name is known".to_owned());
    }
    let next = if story.class(Class::AuthFailed) > 0 {
        vec![
            "Dovecot: doveadm auth lookup USER; doveadm user USER  (known for passwords? for mailboxes?)".to_owned(),
            "Cyrus SASL: testsaslauthd -u USER -r REALM -p PASSWORD -s smtp".to_owned(),
        ]
    } else {
        Vec::new()
    };
    Step { number: 3, question: "Does the user exist, and may they log in?", answer, next }
}

fn tls(story: &Story) -> Step {
    let found: Vec<(&'static Cause, u64)> =
        causes(story, &["tls.", "config.auth_not_enabled", "client.wrong_port"]).collect();
    let answer = if found.is_empty() {
        vec!["no trouble with it in the log".to_owned()]
    } else {
        found.iter().map(|(cause, count)| format!("{}× {}. {}", number(*count), cause.title, cause.meaning)).collect()
    };
    Step { number: 4, question: "TLS: as the server demands it?", answer, next: checks(found.into_iter()) }
}

fn pattern(story: &Story) -> Step {
    let (clients, tally) = (story.clients(), &story.counter.tally);
    let mut answer = Vec::new();
    for (ip, client) in clients.iter().take(8) {
        let span = duration(client.last - client.first);
        let period = story
            .detector()
            .period(*ip)
            .map_or(String::new(), |seconds| format!(", about every {}", duration((seconds * 1e6) as i64)));
        let names = client.usernames();
        answer.push(format!(
            "{ip}: {} with {} in {span}{period}; {} in; {}",
            plural(client.counts.failures(), "failure", "failures"),
            plural(names as u64, "name", "names"),
            plural(client.counts.auth_ok.into(), "login got", "logins got"),
            tally.client_verdict(*ip, client).name().replace('_', " ")
        ));
    }
    if clients.len() > 8 {
        answer.push(format!("and {}", plural(clients.len() as u64 - 8, "more address", "more addresses")));
    }
    if answer.is_empty() {
        answer.push("nothing to see one in".to_owned());
    }
    Step { number: 5, question: "One user, or an attack?", answer, next: Vec::new() }
}

fn relay(story: &Story) -> Step {
    let figures = [
        (Class::RelayDenied, "relaying refused"),
        (Class::NotLoggedIn, "refused for want of a login"),
        (Class::SenderMismatch, "refused: sender not owned by the account"),
        (Class::OtherReject, "refused by other rules"),
    ];
    let mut answer: Vec<String> = figures
        .iter()
        .filter(|(class, _)| story.class(*class) > 0)
        .map(|(class, what)| format!("{} {what}", number(story.class(*class))))
        .collect();
    let logged_in = story
        .refusals
        .iter()
        .filter(|(refusal, diagnosis)| refusal.logged_in && diagnosis.class == Some(Class::RelayDenied))
        .count() as u64;
    if logged_in > 0 {
        answer.push(format!(
            "{} although the client was logged in: a rule comes before permit_sasl_authenticated",
            plural(logged_in, "refusal came", "refusals came")
        ));
    }
    if answer.is_empty() {
        answer.push("no mail was refused".to_owned());
    }
    Step {
        number: 6,
        question: "Login failure, or mail refused by a rule?",
        answer,
        next: checks(causes(story, &["policy."])),
    }
}

impl Page<'_> {
    /// The whole page.
    pub fn draw(&self) -> String {
        if !self.story.found() {
            return format!("{}\n  the log says nothing about it\n{}", self.title(), self.unnamed());
        }
        let mut out = self.title() + "\n" + &self.unnamed();
        out += &self.known();
        for step in checklist(self.story) {
            out += &self.step(&step);
        }
        out + &self.outcome() + &self.attempts()
    }

    /// Failures that may be the account's as well as anybody's, and how to make the log tell.
    fn unnamed(&self) -> String {
        let count = self.story.unnamed;
        if count == 0 || !matches!(self.story.subject, Subject::Account(_)) {
            return String::new();
        }
        let text = format!(
            "{} in the log {} nobody and may be this account's, too: Postfix 3.9 logs names (also 3.8.3, 3.7.8, 3.6.12 and 3.5.22), and Dovecot does with auth_verbose = yes if its log is read as well",
            plural(count, "failure", "failures"),
            if count == 1 { "names" } else { "name" }
        );
        wrap(&text, self.screen.width - 2)
            .iter()
            .map(|line| format!("  {}\n", self.screen.ink(Ink::Warn, line)))
            .collect()
    }

    /// What is found about it, and where an account usually logs in from.
    fn known(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for finding in &self.story.findings {
            let kind = finding.kind.name().replace('_', " ");
            lines.push(format!("{kind}: {} ({})", self.safe(&finding.summary), self.safe(&finding.id)));
        }
        if let Subject::Account(name) = &self.story.subject {
            let places = self.story.detector().places(name);
            for place in places.iter().take(PLACES) {
                let net = if self.mask.0 { self.mask.ip(place.net.addr()) } else { place.net.to_string() };
                lines.push(format!(
                    "{} from {net}, {} to {}{}",
                    plural(u64::from(place.logins), "login", "logins"),
                    self.clock.short(place.first),
                    self.clock.short(place.last),
                    if place.new { ": a new place" } else { "" }
                ));
            }
            if places.len() > PLACES {
                lines.push(format!(
                    "and from {}",
                    plural((places.len() - PLACES) as u64, "more network", "more networks")
                ));
            }
        }
        if lines.is_empty() {
            return String::new();
        }
        let mut out = format!("{}\n", self.screen.ink(Ink::Heading, "FINDINGS AND PLACES"));
        for line in lines.iter().flat_map(|line| wrap(line, self.screen.width - 2)) {
            out += &format!("  {line}\n");
        }
        out + "\n"
    }

    /// A name or an answer: masked where it holds an address or name, and escaped.
    fn safe(&self, text: &str) -> String {
        escape(&self.story.masked(text, self.mask)).into_owned()
    }

    fn title(&self) -> String {
        let (what, verdict) = match &self.story.subject {
            Subject::Client(net) => {
                let single = net.prefix_len() == net.max_prefix_len();
                let host = self
                    .story
                    .clients()
                    .iter()
                    .find_map(|(_, client)| client.host.as_deref().map(shown))
                    .filter(|_| single && !self.mask.0);
                let name = if single { self.mask.ip(net.addr()) } else { net.to_string() };
                let verdict = if single {
                    self.story
                        .clients()
                        .first()
                        .map(|(ip, client)| self.story.counter.tally.client_verdict(*ip, client))
                } else {
                    None
                };
                (host.map_or_else(|| format!("client {name}"), |host| format!("client {name} ({host})")), verdict)
            }
            Subject::Account(name) => {
                let row = self.story.counter.tally.accounts.get(name);
                (
                    format!("account {}", self.safe(&self.mask.name(&String::from_utf8_lossy(name)))),
                    row.map(|row| self.story.counter.tally.account_verdict(row)),
                )
            }
        };
        let verdict = verdict.map_or(String::new(), |verdict| {
            format!("  {}", self.screen.ink(Ink::Warn, &verdict.name().replace('_', " ")))
        });
        format!("{}{verdict}\n", self.screen.ink(Ink::Heading, &what))
    }

    fn step(&self, step: &Step) -> String {
        let mut out = self.screen.ink(Ink::Heading, &format!("{}. {}", step.number, step.question)) + "\n";
        for line in &step.answer {
            for part in wrap(&self.safe(line), self.screen.width - 5) {
                out += &format!("     {part}\n");
            }
        }
        for line in step.next.iter().take(if self.verbose { usize::MAX } else { 3 }) {
            for (n, part) in wrap(line, self.screen.width - 9).iter().enumerate() {
                out += &format!(
                    "     {} {}\n",
                    if n == 0 { self.screen.ink(Ink::Dim, "→") } else { " ".to_owned() },
                    self.screen.ink(Ink::Dim, part)
                );
            }
        }
        out
    }

    fn outcome(&self) -> String {
        let mut out = self.screen.ink(Ink::Heading, "Got in later, and sent?") + "\n";
        if self.story.logins.is_empty() {
            let to = self.read.coverage.to.map_or_else(|| "the end of the log".to_owned(), |to| self.clock.long(to));
            return out + &format!("     no login found up to {to}\n");
        }
        let total = self.story.class(Class::AuthOk);
        if let (Some(first), Some(last)) = (self.story.logins.front(), self.story.logins.back()) {
            out += &format!(
                "     {}, {} to {}\n",
                plural(total, "login", "logins"),
                self.clock.short(first.at.time),
                self.clock.short(last.at.time)
            );
        }
        if self.story.messages.is_empty() {
            out += "     no message accepted from it\n";
        }
        for mail in self.story.messages.iter().take(if self.verbose { usize::MAX } else { 10 }) {
            out += &self.mailed(mail);
        }
        let hidden = self.story.messages.len().saturating_sub(10);
        if hidden > 0 && !self.verbose {
            out += &format!("     … and {} (-v shows all)\n", plural(hidden as u64, "more message", "more messages"));
        }
        out
    }

    /// A message, and its recipients with their fates.
    fn mailed(&self, mail: &Mailed) -> String {
        let text = format!(
            "{}  {}  {}{}",
            self.clock.short(mail.at.time),
            shown(&mail.queue_id),
            plural(mail.recipients_total as u64, "recipient", "recipients"),
            if mail.recipients.is_empty() { ", fate not in the log" } else { "" }
        );
        let mut out = format!("     {}\n", cut(&text, self.screen.width - 5));
        let most = if self.verbose { usize::MAX } else { 4 };
        for (to, fate) in mail.recipients.iter().take(most) {
            let to = escape(&self.mask.name(&String::from_utf8_lossy(to))).into_owned();
            let word = fate_word(*fate);
            let ink = if *fate == Fate::Sent { Ink::Plain } else { Ink::Warn };
            out += &format!("       {} {}\n", left(word, 10), self.screen.ink(ink, &cut(&to, self.screen.width - 18)));
        }
        let hidden = mail.recipients_total.saturating_sub(mail.recipients.len().min(most));
        if hidden > 0 {
            out += &format!("       … and {}\n", plural(hidden as u64, "more recipient", "more recipients"));
        }
        out
    }

    fn attempts(&self) -> String {
        if self.story.attempts.is_empty() {
            return String::new();
        }
        let shown_at_most = if self.verbose { usize::MAX } else { 12 };
        let mut out = self.screen.ink(Ink::Heading, "Evidence")
            + &self.screen.ink(
                Ink::Dim,
                if self.story.attempts.len() > shown_at_most { "  the latest; -v shows more" } else { "" },
            )
            + "\n";
        let skip = self.story.attempts.len().saturating_sub(shown_at_most);
        for tried in self.story.attempts.iter().skip(skip) {
            let at = &tried.attempt.at;
            let cause = if tried.diagnosis.id().is_empty() {
                String::new()
            } else {
                format!("{} {:.0} %", tried.diagnosis.id(), tried.diagnosis.confidence * 100.0)
            };
            let times = if tried.attempt.count > 1 { format!("{}× ", tried.attempt.count) } else { String::new() };
            out += &format!(
                "  {}  {}\n",
                self.clock.short(at.time),
                cut(&format!("{times}{}  {cause}", self.safe(&service(at))), self.screen.width - 20)
            );
            let lines = std::iter::once(at.line).chain(tried.attempt.evidence.iter().map(|e| e.line));
            for (source, number, text) in lines.filter_map(|id| self.story.places.get(&id)) {
                let name = self.read.coverage.sources.get(*source).map_or("", |source| source.name.as_str());
                // Time, host and program stand above.
                let message = maillog::record(text.as_bytes())
                    .map_or(text.as_str(), |record| text.get(text.len() - record.text.len()..).unwrap_or(text));
                let text = if self.mask.0 { "[masked]".to_owned() } else { escape(message).into_owned() };
                out += &format!(
                    "     {} {}\n",
                    self.screen.ink(Ink::Dim, &format!("{}:{number}", escape(name))),
                    cut(&text, self.screen.width.saturating_sub(8 + name.len() + number.to_string().len()).max(40))
                );
            }
        }
        out
    }
}
