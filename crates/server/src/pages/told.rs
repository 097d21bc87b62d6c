//! Answers as pages read them: the JSON of `triage`, `client`, `account`, `trace` and `report` goes in, values come out.
//!
//! Pages take the same JSON that the API gives, so nothing is masked or narrowed twice, and nothing is shown that a program could not ask for. What
//! a page does not show is not read here; what is absent is empty.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Layout, html};
use crate::asked::Asked;
use crate::data::Made;
use crate::problem::Problem;

/// How long a page waits for an answer that is being made, before it says so and comes again by itself: nobody should look at the page before
/// for longer.
pub(crate) const WAIT: Duration = Duration::from_millis(700);

/// An answer, or the page that says it is being made.
pub(crate) enum Told<T> {
    There(T, String),
    Later(Box<Response>),
}

/// Reads an answer.
pub(crate) fn told<T: DeserializeOwned>(
    asked: &Asked,
    place: &'static str,
    made: Option<Made>,
) -> Result<Told<T>, Problem> {
    match made {
        Some(made) => Ok(Told::There(read(&made)?, made.as_of.to_string())),
        None => Ok(Told::Later(Box::new(waiting(asked, place)?))),
    }
}

/// Reads an answer that is there.
pub(crate) fn read<T: DeserializeOwned>(made: &Made) -> Result<T, Problem> {
    serde_json::from_slice(&made.json).map_err(|error| Problem::ours(&error.into()))
}

#[derive(askama::Template)]
#[template(path = "waiting.html")]
struct Waiting {
    layout: Layout,
}

/// The page that comes again by itself until there is an answer.
fn waiting(asked: &Asked, place: &'static str) -> Result<Response, Problem> {
    let layout = Layout::asked(asked, place, "Being counted");
    let mut response = html(&Waiting { layout })?;
    response.headers_mut().insert(header::REFRESH, HeaderValue::from_static("1"));
    Ok(response)
}

/// What is counted in logins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Logins {
    pub(crate) locked_out: LockedOut,
    /// How many findings there are; the gravest are in `triage`.
    pub(crate) findings: u64,
    pub(crate) triage: Triaged,
}

/// `triage`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Triaged {
    pub(crate) coverage: Coverage,
    pub(crate) classes: BTreeMap<String, u64>,
    pub(crate) sessions_killed: u64,
    pub(crate) causes: BTreeMap<String, u64>,
    pub(crate) sessions_killed_causes: BTreeMap<String, u64>,
    pub(crate) clients: Vec<ClientRow>,
    pub(crate) accounts: Vec<AccountRow>,
    pub(crate) recovered: Vec<Recovered>,
    pub(crate) findings: Vec<Finding>,
}

impl Triaged {
    pub(crate) fn class(&self, name: &str) -> u64 {
        self.classes.get(name).copied().unwrap_or_default()
    }

    /// Logins that did not succeed.
    pub(crate) fn failures(&self) -> u64 {
        ["auth_failed", "backend_fault", "auth_refused", "auth_aborted"].iter().map(|name| self.class(name)).sum()
    }
}

/// Who tried and did not get in, attackers left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LockedOut {
    pub(crate) count: u64,
    pub(crate) rows: Vec<LockedOutRow>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LockedOutRow {
    pub(crate) username: Option<String>,
    pub(crate) client_ip: Option<String>,
    pub(crate) failures: u64,
    pub(crate) last: String,
    pub(crate) verdict: String,
}

/// What was read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Coverage {
    pub(crate) lines: u64,
    pub(crate) understood: u64,
    pub(crate) unknown: u64,
    pub(crate) bad_time: u64,
    pub(crate) duplicates: u64,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) sources: Vec<Source>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) unknown_shapes: Vec<Shape>,
    pub(crate) unknown_about_logins: u64,
    pub(crate) problems: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) lines: u64,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) duplicates: u64,
    pub(crate) copy_of: Option<String>,
    pub(crate) inferred_year: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Gap {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) lost: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shape {
    pub(crate) shape: String,
    pub(crate) count: u64,
    pub(crate) sample: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClientRow {
    pub(crate) client_ip: String,
    pub(crate) client_host: Option<String>,
    pub(crate) auth_failed: u64,
    pub(crate) backend_fault: u64,
    pub(crate) auth_refused: u64,
    pub(crate) auth_aborted: u64,
    pub(crate) auth_ok: u64,
    pub(crate) sessions_killed: u64,
    pub(crate) usernames: u64,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) messages: u64,
    pub(crate) verdict: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AccountRow {
    pub(crate) username: String,
    pub(crate) auth_failed: u64,
    pub(crate) backend_fault: u64,
    pub(crate) auth_refused: u64,
    pub(crate) auth_ok: u64,
    pub(crate) clients: u64,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) messages: u64,
    pub(crate) verdict: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Recovered {
    pub(crate) client_ip: String,
    pub(crate) username: Option<String>,
    pub(crate) failures: u64,
    pub(crate) first_failure: String,
    pub(crate) succeeded: String,
    pub(crate) messages_total: u64,
    pub(crate) messages: Vec<Sent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sent {
    pub(crate) queue_id: String,
    pub(crate) recipients: u64,
    pub(crate) sent: u64,
    pub(crate) deferred: u64,
    pub(crate) bounced: u64,
    pub(crate) expired: u64,
}

/// What a person should know now.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Finding {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) confidence: f64,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) clients: Vec<String>,
    pub(crate) accounts: Vec<String>,
    pub(crate) counts: BTreeMap<String, serde_json::Value>,
    pub(crate) summary: String,
    pub(crate) ban: bool,
    pub(crate) at_least: bool,
    pub(crate) messages: Vec<Sent>,
    pub(crate) evidence: Vec<Line>,
    pub(crate) next: Vec<String>,
    pub(crate) avoid: Vec<String>,
}

/// A finding on its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OneFinding {
    #[serde(flatten)]
    pub(crate) finding: Finding,
    pub(crate) tickets: Tickets,
}

/// What can be written about a finding.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tickets {
    user: String,
    colleague: String,
    abuse: String,
}

impl Tickets {
    /// For whom, and the words.
    pub(crate) fn words(self) -> Vec<(&'static str, String)> {
        vec![
            ("For the owner of the account", self.user),
            ("For another administrator", self.colleague),
            ("For whoever is responsible for the address", self.abuse),
        ]
    }
}

/// Bans of a client.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Bans {
    pub(crate) fail2ban: Vec<Ban>,
}

/// A ban by fail2ban.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ban {
    pub(crate) client_ip: String,
    pub(crate) jail: String,
    pub(crate) at: String,
    pub(crate) lifted: Option<String>,
    /// Absent where the address is masked.
    pub(crate) unban: Option<String>,
}

/// Names on a card.
const ON_CARD: usize = 6;
/// Lists in the answers that pages ask for are not cut before so many.
const LISTED: usize = 100;

impl Finding {
    /// It tells of somebody hostile.
    pub(crate) fn is_attack(&self) -> bool {
        matches!(self.kind.as_str(), "account_takeover" | "distributed_attack" | "guessing" | "spraying")
    }

    /// How it is coloured besides its word.
    pub(crate) fn tone(&self) -> &'static str {
        match self.kind.as_str() {
            "account_takeover" => "bad",
            "backend_outage" | "config_fault" => "fault",
            _ if self.ban => "bad",
            _ => "warn",
        }
    }

    /// How sure, in per cent.
    pub(crate) fn sure(&self) -> u64 {
        (self.confidence * 100.0).round().max(0.0) as u64
    }

    /// As many names as a card has room for.
    pub(crate) fn some<'a>(&self, names: &'a [String]) -> &'a [String] {
        names.get(..ON_CARD).unwrap_or(names)
    }

    /// How many more there are: nothing is said of a number where the list itself may have been cut.
    pub(crate) fn rest(&self, names: &[String]) -> String {
        match names.len() {
            0..=ON_CARD => String::new(),
            LISTED.. => "and more".to_owned(),
            many => format!("and {} more", many - ON_CARD),
        }
    }
}

/// A line that proves something.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    pub(crate) source: String,
    pub(crate) line: u64,
    pub(crate) text: String,
}

impl Line {
    /// A query that means this line alone.
    pub(crate) fn query(&self) -> String {
        format!("{} {}", super::terms::text("source", &self.source), super::terms::text("line", &self.line.to_string()))
    }
}

/// `client` and `account`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Story {
    /// `None`: no log of bans can be read.
    pub(crate) bans: Option<Bans>,
    pub(crate) coverage: Coverage,
    pub(crate) classes: BTreeMap<String, u64>,
    pub(crate) causes: BTreeMap<String, u64>,
    pub(crate) row: Option<AccountRow>,
    pub(crate) clients: Vec<ClientRow>,
    pub(crate) checklist: Vec<Step>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) logins: Vec<Login>,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) messages: Vec<Mail>,
    pub(crate) recovered: Vec<Recovered>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Step {
    pub(crate) step: u64,
    pub(crate) question: String,
    pub(crate) answer: Vec<String>,
    pub(crate) next: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attempt {
    pub(crate) ts: String,
    pub(crate) class: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) count: u64,
    pub(crate) client_ip: Option<String>,
    pub(crate) mechanism: String,
    pub(crate) username: Option<String>,
    pub(crate) reason: String,
    pub(crate) service: String,
    pub(crate) session: Option<String>,
    pub(crate) evidence: Vec<Line>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Login {
    pub(crate) ts: String,
    pub(crate) client_ip: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) count: u64,
    pub(crate) session: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refusal {
    pub(crate) ts: String,
    pub(crate) class: Option<String>,
    pub(crate) client_ip: Option<String>,
    pub(crate) logged_in: bool,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) count: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Mail {
    pub(crate) queue_id: String,
    pub(crate) ts: String,
    pub(crate) recipients: u64,
    pub(crate) finished: bool,
    pub(crate) to: Vec<Fate>,
}

/// What became of a message for one recipient.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fate {
    pub(crate) to: String,
    pub(crate) status: String,
}

/// `trace`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Traced {
    pub(crate) messages: Vec<Message>,
    pub(crate) beyond: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Message {
    pub(crate) queue_id: String,
    pub(crate) message_id: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) ts: Option<String>,
    pub(crate) client_ip: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) finished: bool,
    pub(crate) recipients: u64,
    pub(crate) to: Vec<Fate>,
    pub(crate) queue_files: Vec<QueueFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct QueueFile {
    pub(crate) host: String,
    pub(crate) queue_id: String,
    pub(crate) origin: Origin,
    pub(crate) parent: Option<Link>,
    pub(crate) from: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) end: String,
    pub(crate) start_missing: bool,
    pub(crate) end_missing: bool,
    pub(crate) attempts: Vec<Try>,
    pub(crate) recipients_beyond: u64,
    pub(crate) lines: Vec<Line>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Origin {
    pub(crate) kind: String,
    pub(crate) service: Option<String>,
    pub(crate) client_ip: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) mechanism: Option<String>,
    pub(crate) uid: Option<u64>,
    pub(crate) what: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Link {
    pub(crate) kind: String,
    pub(crate) queue_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Try {
    pub(crate) ts: String,
    pub(crate) to: String,
    pub(crate) status: String,
    pub(crate) relay: String,
    pub(crate) delay: Option<f64>,
    pub(crate) dsn: String,
    pub(crate) response: String,
}
