//! `findings`: a counted log goes in, its findings come out as a list, one with its proof, a ticket, or JSON.

mod ticket;

use diagnose::detect::Detector;
use diagnose::{Finding, Kind};
use serde_json::{Value, json};

use crate::mask::Mask;
use crate::reading::Read;
use crate::screen::{Ink, Screen, cut, escape, number, plural, wrap};
use crate::times::Clock;
use crate::triage::Triaged;

pub use ticket::{Audience, ticket};

/// Names and addresses listed at most.
const LISTED: usize = 20;

/// What everybody did, as far as findings remember it: what is left of a counted log when its counts are not needed.
pub struct Found {
    /// What is remembered.
    pub detector: Detector,
    /// What a person should know now.
    pub findings: Vec<Finding>,
    /// What was read.
    pub read: Read,
}

impl From<Triaged> for Found {
    fn from(triaged: Triaged) -> Self {
        Self { detector: triaged.tally.detector, findings: triaged.findings, read: triaged.read }
    }
}

/// All findings as JSON.
#[must_use]
pub fn to_json(found: &Found, mask: Mask) -> Value {
    let row = |finding| crate::json::finding(finding, &found.read, usize::MAX, mask);
    json!({"findings": found.findings.iter().map(row).collect::<Vec<_>>(), "forgotten": found.detector.forgotten()})
}

/// One finding as JSON, with the tickets that can be written of it.
#[must_use]
pub fn one(page: &Page<'_>, finding: &Finding) -> Value {
    let mut told = json!(crate::json::finding(finding, &page.found.read, usize::MAX, page.mask));
    let tickets = Audience::ALL.map(|audience| (audience.name().to_owned(), ticket(page, finding, audience).into()));
    if let Some(told) = told.as_object_mut() {
        told.insert("tickets".to_owned(), Value::Object(tickets.into_iter().collect()));
    }
    told
}

/// Everything a page is drawn from.
pub struct Page<'a> {
    /// The log.
    pub found: &'a Found,
    /// Names and addresses masked.
    pub mask: Mask,
    /// Where it is shown.
    pub screen: Screen,
    /// The zone of times.
    pub clock: &'a Clock,
}

impl<'a> Page<'a> {
    /// The finding of an id. Where names are masked, what they stand in is masked in the id, too.
    #[must_use]
    pub fn named(&self, id: &str) -> Option<&'a Finding> {
        self.found.findings.iter().find(|finding| self.id(finding) == id)
    }

    /// A line for each, with its id.
    #[must_use]
    pub fn list(&self) -> String {
        if self.found.findings.is_empty() {
            return "nothing to know: no attack, no outage, no old password\n".to_owned();
        }
        self.found.findings.iter().map(|finding| self.row(finding)).collect()
    }

    fn row(&self, finding: &Finding) -> String {
        let advice = if finding.ban { " [ban]" } else { "" };
        let head = format!(
            "{}  {}, {:.0} % sure, {}{advice}",
            self.id(finding),
            finding.kind.name().replace('_', " "),
            finding.confidence * 100.0,
            self.period(finding)
        );
        let ink = if finding.kind <= Kind::AccountTakeover { Ink::Bad } else { Ink::Heading };
        let mut out = format!("{}\n", self.screen.ink(ink, &cut(&head, self.screen.width)));
        for line in wrap(&self.summary(finding), self.screen.width - 4) {
            out += &format!("    {line}\n");
        }
        out
    }

    fn id(&self, finding: &Finding) -> String {
        self.mask.within(&finding.id, &addresses(finding))
    }

    fn summary(&self, finding: &Finding) -> String {
        self.mask.within(&finding.summary, &addresses(finding))
    }

    fn period(&self, finding: &Finding) -> String {
        match (finding.from, finding.to) {
            (from, to) if from == to => self.clock.long(from),
            (from, to) => format!("{} to {}", self.clock.long(from), self.clock.long(to)),
        }
    }

    /// One finding: who, why, the figures that decided, the lines, what to do and what not.
    #[must_use]
    pub fn show(&self, finding: &Finding) -> String {
        let mut out = self.row(finding);
        out += &self.part("ADDRESSES", &self.clients(finding));
        out += &self.part("ACCOUNTS", &self.accounts(finding));
        let counts =
            finding.counts.iter().map(|(name, count)| format!("{}: {}", name.replace('_', " "), number(*count)));
        out += &self.part("COUNTS", &counts.collect::<Vec<_>>());
        let figures = finding.decided_by.iter().map(|(name, figure)| format!("{name} = {figure}"));
        out += &self.part("DECIDED BY", &figures.collect::<Vec<_>>());
        out += &self.part("SENT SINCE", &self.messages(finding));
        out += &self.part("EVIDENCE", &self.evidence(finding));
        out += &self.part("NEXT", &finding.next.iter().map(|step| step.to_string()).collect::<Vec<_>>());
        out += &self.part("AVOID", &finding.avoid.iter().map(|step| step.to_string()).collect::<Vec<_>>());
        out + &format!("The manual: docs/reference/findings/{}.md\n", finding.kind.name())
    }

    fn part(&self, title: &str, lines: &[String]) -> String {
        if lines.is_empty() {
            return String::new();
        }
        let mut out = format!("\n{}\n", self.screen.ink(Ink::Heading, title));
        for line in lines.iter().flat_map(|line| wrap(line, self.screen.width - 2)) {
            out += &format!("  {line}\n");
        }
        out
    }

    fn clients(&self, finding: &Finding) -> Vec<String> {
        listed(finding.clients.iter().map(|ip| self.mask.ip(*ip)), finding.clients.len())
    }

    fn accounts(&self, finding: &Finding) -> Vec<String> {
        let name = |name: &[u8]| escape(&self.mask.name(&String::from_utf8_lossy(name))).into_owned();
        listed(finding.accounts.iter().map(|account| name(account)), finding.accounts.len())
    }

    fn messages(&self, finding: &Finding) -> Vec<String> {
        let row = |mail: &diagnose::detect::SentThen| {
            format!(
                "{} {}: {}, {} delivered, {} returned",
                self.clock.long(mail.time),
                escape(&String::from_utf8_lossy(&mail.queue_id)),
                plural(u64::from(mail.recipients), "recipient", "recipients"),
                mail.sent,
                mail.bounced
            )
        };
        let mut rows: Vec<String> = finding.messages.iter().take(LISTED).map(row).collect();
        if let hidden @ 1.. = finding.messages.len().saturating_sub(LISTED) {
            rows.push(format!("and {} more (--json lists them)", number(hidden as u64)));
        }
        let sent = finding.counts.iter().find(|(name, _)| *name == "messages").map_or(0, |(_, count)| *count);
        if let unlisted @ 1.. = sent.saturating_sub(finding.messages.len() as u64) {
            rows.push(format!(
                "{} more were sent and are not listed; `account` and `client` tell of them",
                number(unlisted)
            ));
        }
        rows
    }

    /// The lines that prove it, with where they stand.
    fn evidence(&self, finding: &Finding) -> Vec<String> {
        let sources = &self.found.read.coverage.sources;
        let line = |proof: &diagnose::Proof| {
            let name = sources.get(proof.source).map_or("(read earlier)", |source| source.name.as_str());
            let text = if self.mask.0 { "[masked]".into() } else { escape(&proof.text) };
            format!("{}:{} {text}", escape(name), proof.number)
        };
        finding.evidence.iter().map(line).collect()
    }
}

fn addresses(finding: &Finding) -> Vec<String> {
    finding.clients.iter().map(ToString::to_string).collect()
}

/// Some of many in one line, and how many there are besides.
fn listed(names: impl Iterator<Item = String>, all: usize) -> Vec<String> {
    let some: Vec<String> = names.take(LISTED).collect();
    if some.is_empty() {
        return Vec::new();
    }
    let more = all.saturating_sub(some.len());
    let rest = if more > 0 { format!(" and {} more (--json has all)", number(more as u64)) } else { String::new() };
    vec![some.join(", ") + &rest]
}
