//! What really happened in a scenario, written down by the side that did it.
//!
//! Input: what the lab's clients sent and saw, and what the scenario arranged. Output: `truth.json`.
//! Nothing here reads a log: a truth taken from the log would agree with any mistake made in reading it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use jiff::Timestamp;
use serde::Serialize;

use crate::queue_truth::{QueueFile, Report};

/// What became of one AUTH command, in the words of the program's `class` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Logged in.
    AuthOk,
    /// The backend refused the login, or the client's SASL was wrong.
    AuthFailed,
    /// The backend was broken, the login was never judged.
    BackendFault,
    /// Postfix refused the AUTH command itself, silently.
    AuthRefused,
    /// The client gave up, or vanished, before it was answered.
    AuthAborted,
    /// Too many AUTH commands from this client.
    RateLimited,
    /// Answered, and logged, but neither a login nor one of the above (an over-long response).
    Uncounted,
}

/// Something else than an AUTH command that the program counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Happening {
    /// `smtpd` died for want of mechanisms while this client was connected.
    SessionKilled,
    /// A recipient refused on a submission service, as the client had not logged in.
    NotLoggedIn,
    /// A recipient elsewhere, refused.
    RelayDenied,
    /// A TLS handshake that failed.
    TlsFailed,
    /// TLS spoken to a port that does not expect it yet: the log has no line of its own for that.
    Uncounted,
    /// A sender address that is not the user's own.
    SenderMismatch,
    /// Postfix itself could not log in at its relay host.
    RelayhostAuthFailed,
}

/// One AUTH command and its answer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Attempt {
    /// Where the client connected from.
    pub(crate) client_ip: IpAddr,
    /// The service part of the process tag (`submission`; `smtpd` for a bare tag).
    pub(crate) service: String,
    /// As the client spelled it.
    pub(crate) mechanism: String,
    /// What the client sent as its name; absent if it never sent one.
    pub(crate) username: Option<String>,
    /// Whether the log can tell that name for this attempt.
    pub(crate) username_in_log: bool,
    /// The reply code; absent if the connection was lost.
    pub(crate) reply: Option<u16>,
    /// What it was.
    pub(crate) class: Outcome,
    /// Why, as an id of the log grammar's table of causes; absent for a success.
    pub(crate) cause: Option<String>,
    /// When the answer arrived.
    pub(crate) at: Timestamp,
}

/// One counted thing that is no AUTH command.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Event {
    /// What happened.
    pub(crate) class: Happening,
    /// Where the client connected from; absent where Postfix was the client.
    pub(crate) client_ip: Option<IpAddr>,
    /// The service part of the process tag.
    pub(crate) service: String,
    /// Why, as an id of the log grammar's table of causes.
    pub(crate) cause: String,
    /// When the client saw it.
    pub(crate) at: Timestamp,
}

/// How many recipients of a message came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Fate {
    /// Delivered.
    pub(crate) sent: u32,
    /// Still in the queue.
    pub(crate) deferred: u32,
    /// Returned.
    pub(crate) bounced: u32,
}

/// A message that a client got accepted.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Message {
    /// Where the client connected from.
    pub(crate) client_ip: IpAddr,
    /// Who had logged in; absent if nobody had.
    pub(crate) username: Option<String>,
    /// Accepted recipients.
    pub(crate) recipients: u32,
    /// What became of them.
    pub(crate) fate: Fate,
    /// The envelope's sender.
    pub(crate) sender: String,
    /// As in the header, with its brackets.
    pub(crate) message_id: String,
    /// The queue id it got first, as the reply to its text said; absent if the reply named none.
    pub(crate) queue_id: Option<String>,
}

/// Collects what happened; shared by all clients of a scenario.
#[derive(Debug, Default)]
pub(crate) struct Truth(Mutex<Story>);

/// The events of a scenario in the order in which they were seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    attempts: Vec<Attempt>,
    events: Vec<Event>,
    messages: Vec<Message>,
    queue_files: Vec<QueueFile>,
    rejects: u32,
}

impl Truth {
    /// Writes down one AUTH command.
    pub(crate) fn attempt(&self, attempt: Attempt) {
        self.with(|story| story.attempts.push(attempt));
    }

    /// Writes down something else that is counted.
    pub(crate) fn event(&self, class: Happening, client_ip: Option<IpAddr>, service: &str, cause: &str) {
        let event =
            Event { class, client_ip, service: service.to_owned(), cause: cause.to_owned(), at: Timestamp::now() };
        self.with(|story| story.events.push(event));
    }

    /// Writes down an accepted message.
    pub(crate) fn message(&self, message: Message) {
        self.with(|story| story.messages.push(message));
    }

    /// Writes down one life of a queue file.
    pub(crate) fn queue_file(&self, file: QueueFile) {
        self.with(|story| story.queue_files.push(file));
    }

    /// Writes down recipients or mails that were refused, each with a line of its own.
    pub(crate) fn rejects(&self, count: u32) {
        self.with(|story| story.rejects += count);
    }

    /// The story so far, in the order of time.
    pub(crate) fn story(&self) -> Story {
        let mut story = self.with(|story| story.clone());
        story.attempts.sort_by_key(|attempt| attempt.at);
        story.events.sort_by_key(|event| event.at);
        story
    }

    fn with<T>(&self, act: impl FnOnce(&mut Story) -> T) -> T {
        // A client thread that panicked leaves whole records behind: they are pushed in one step.
        let mut story = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        act(&mut story)
    }
}

/// The file next to a scenario's logs.
#[derive(Debug, Serialize)]
pub(crate) struct TruthFile {
    /// The scenario's name, which is also the folder's.
    pub(crate) scenario: String,
    /// One sentence for an admin.
    pub(crate) about: String,
    /// Program and version.
    pub(crate) versions: BTreeMap<String, String>,
    /// When the scenario began, all daemons being ready.
    pub(crate) started: Timestamp,
    /// When it ended.
    pub(crate) ended: Timestamp,
    /// All AUTH commands.
    pub(crate) attempts: Vec<Attempt>,
    /// All other counted things.
    pub(crate) events: Vec<Event>,
    /// Sessions that died for want of mechanisms.
    pub(crate) sessions_killed: u32,
    /// All accepted messages.
    pub(crate) messages: Vec<Message>,
    /// All queue files, where the scenario is about what becomes of messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) queue_files: Vec<QueueFile>,
    /// What a perfect reader of the log would count.
    pub(crate) expect: Expect,
}

impl TruthFile {
    /// The finished truth of a scenario.
    pub(crate) fn new(
        (scenario, about): (&str, &str),
        versions: BTreeMap<String, String>,
        (started, ended): (Timestamp, Timestamp),
        story: Story,
    ) -> TruthFile {
        let expect = Expect::of(&story);
        TruthFile {
            scenario: scenario.to_owned(),
            about: about.to_owned(),
            versions,
            started,
            ended,
            sessions_killed: expect.sessions_killed,
            attempts: story.attempts,
            events: story.events,
            messages: story.messages,
            queue_files: story.queue_files,
            expect,
        }
    }
}

/// The numbers `triage --json` must show for the recording.
#[derive(Debug, Serialize)]
pub(crate) struct Expect {
    /// By class; every class is named, also with 0.
    pub(crate) classes: BTreeMap<&'static str, u32>,
    /// Sessions that died for want of mechanisms.
    pub(crate) sessions_killed: u32,
    /// One per failed or refused login; `policy.*`, `limit.*` and `tls.*` once per line.
    pub(crate) causes: BTreeMap<String, u32>,
    /// Of all failure lines, upper case.
    pub(crate) mechanisms: BTreeMap<String, u32>,
    /// Of all failure lines.
    pub(crate) services: BTreeMap<String, u32>,
    /// Clients that tried to log in.
    pub(crate) clients: Vec<ExpectClient>,
    /// Clients and accounts that got in after a failure.
    pub(crate) recovered: Vec<Recovered>,
    /// The numbers `report --json` must show; only where all queue files are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<Report>,
}

/// The counts of one client.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ExpectClient {
    /// The address.
    pub(crate) client_ip: String,
    /// Logins that a backend refused.
    pub(crate) auth_failed: u32,
    /// Logins that a broken backend could not judge.
    pub(crate) backend_fault: u32,
    /// AUTH commands refused by Postfix.
    pub(crate) auth_refused: u32,
    /// Logins.
    pub(crate) auth_ok: u32,
}

/// A client and account that logged in after a failure of that client.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Recovered {
    /// The address.
    pub(crate) client_ip: IpAddr,
    /// The account, as first spelled.
    pub(crate) username: String,
    /// All failures of this client before that login.
    pub(crate) failures: u32,
    /// Those of that name, or of a name that the log does not tell.
    pub(crate) failures_same_user: u32,
}

impl Expect {
    /// Counts a story as the program's contract says ("How things are counted").
    pub(crate) fn of(story: &Story) -> Expect {
        Expect {
            classes: classes(story),
            sessions_killed: count_events(story, Happening::SessionKilled),
            causes: causes(story),
            mechanisms: tally(failure_lines(story).map(|a| logged_mechanism(&a.mechanism))),
            services: tally(failure_lines(story).map(|a| a.service.clone())),
            clients: clients(story),
            recovered: recovered(story),
            report: (!story.queue_files.is_empty()).then(|| Report::of(&story.queue_files, story.rejects)),
        }
    }
}

/// Attempts that have a `SASL … authentication failed` line of their own.
fn failure_lines(story: &Story) -> impl Iterator<Item = &Attempt> {
    let is_line = |a: &&Attempt| matches!(a.class, Outcome::AuthFailed | Outcome::BackendFault);
    story.attempts.iter().filter(is_line)
}

/// Postfix cuts the mechanism at 100 bytes; the lab uses ASCII ones only.
fn logged_mechanism(mechanism: &str) -> String {
    mechanism.chars().take(100).collect::<String>().to_uppercase()
}

fn classes(story: &Story) -> BTreeMap<&'static str, u32> {
    let attempts = |class| count(story.attempts.iter().filter(|a| a.class == class));
    BTreeMap::from([
        ("auth_ok", attempts(Outcome::AuthOk)),
        ("auth_failed", attempts(Outcome::AuthFailed)),
        ("backend_fault", attempts(Outcome::BackendFault)),
        ("auth_refused", attempts(Outcome::AuthRefused)),
        ("auth_aborted", attempts(Outcome::AuthAborted)),
        ("rate_limited", attempts(Outcome::RateLimited)),
        ("not_logged_in", count_events(story, Happening::NotLoggedIn)),
        ("relay_denied", count_events(story, Happening::RelayDenied)),
        ("tls_failed", count_events(story, Happening::TlsFailed)),
        ("sender_mismatch", count_events(story, Happening::SenderMismatch)),
        ("relayhost_auth_failed", count_events(story, Happening::RelayhostAuthFailed)),
    ])
}

fn causes(story: &Story) -> BTreeMap<String, u32> {
    let counted = |a: &&Attempt| is_failure(a.class) || a.class == Outcome::RateLimited;
    let of_attempts = story.attempts.iter().filter(counted).filter_map(|a| a.cause.clone());
    let once_per_line = ["policy.", "limit.", "tls."];
    let of_events = story.events.iter().filter(|event| event.class != Happening::Uncounted);
    let of_events = of_events.map(|event| event.cause.clone());
    let of_events = of_events.filter(|cause| once_per_line.iter().any(|start| cause.starts_with(start)));
    tally(of_attempts.chain(of_events))
}

fn clients(story: &Story) -> Vec<ExpectClient> {
    let mut clients: BTreeMap<IpAddr, ExpectClient> = BTreeMap::new();
    for attempt in &story.attempts {
        let client = clients.entry(attempt.client_ip).or_default();
        match attempt.class {
            Outcome::AuthOk => client.auth_ok += 1,
            Outcome::AuthFailed => client.auth_failed += 1,
            Outcome::BackendFault => client.backend_fault += 1,
            Outcome::AuthRefused => client.auth_refused += 1,
            Outcome::AuthAborted | Outcome::RateLimited | Outcome::Uncounted => {}
        }
    }
    clients.retain(|_, c| c.auth_ok + c.auth_failed + c.backend_fault + c.auth_refused > 0);
    let named = clients.into_iter().map(|(ip, client)| ExpectClient { client_ip: ip.to_string(), ..client });
    named.collect()
}

fn recovered(story: &Story) -> Vec<Recovered> {
    let mut rows: Vec<Recovered> = Vec::new();
    for (position, login) in story.attempts.iter().enumerate() {
        let (Outcome::AuthOk, Some(name)) = (login.class, &login.username) else {
            continue;
        };
        let earlier = story.attempts.iter().take(position);
        let failures: Vec<_> = earlier.filter(|a| a.client_ip == login.client_ip && is_failure(a.class)).collect();
        let known = rows.iter().any(|row| row.client_ip == login.client_ip && same_name(&row.username, name));
        if failures.is_empty() || known {
            continue;
        }
        rows.push(Recovered {
            client_ip: login.client_ip,
            username: name.clone(),
            failures: count(failures.iter()),
            failures_same_user: count(failures.iter().filter(|a| may_be_of(a, name))),
        });
    }
    rows
}

fn is_failure(class: Outcome) -> bool {
    matches!(class, Outcome::AuthFailed | Outcome::BackendFault | Outcome::AuthRefused)
}

/// Whether a reader of the log would put this failure down to that account.
fn may_be_of(attempt: &Attempt, name: &str) -> bool {
    match &attempt.username {
        Some(other) if attempt.username_in_log => same_name(other, name),
        _ => true,
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn count_events(story: &Story, class: Happening) -> u32 {
    count(story.events.iter().filter(|event| event.class == class))
}

fn count(items: impl Iterator) -> u32 {
    items.fold(0, |n, _| n + 1)
}

fn tally(keys: impl Iterator<Item = String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `client user class cause`, one attempt a line; `?` is a name that the log does not tell.
    fn story(lines: &str) -> Story {
        let attempts = lines.lines().map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            let mut word = || words.next().unwrap_or_default();
            let (ip, user, class, cause) = (word(), word(), word(), word());
            Attempt {
                client_ip: format!("192.0.2.{ip}").parse().unwrap_or(IpAddr::from([0; 4])),
                service: "submission".to_owned(),
                mechanism: "plain".to_owned(),
                username_in_log: user != "?",
                username: Some(user),
                reply: None,
                class: match class.as_str() {
                    "ok" => Outcome::AuthOk,
                    "failed" => Outcome::AuthFailed,
                    "refused" => Outcome::AuthRefused,
                    _ => Outcome::AuthAborted,
                },
                cause: Some(cause).filter(|cause| !cause.is_empty()),
                at: Timestamp::UNIX_EPOCH,
            }
        });
        Story { attempts: attempts.collect(), ..Story::default() }
    }

    fn check_recovered(lines: &str, expected: &[(&str, &str, u32, u32)]) {
        let rows = recovered(&story(lines));
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.client_ip.to_string(), row.username.as_str(), row.failures, row.failures_same_user))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(ip, user, all, same)| (format!("192.0.2.{ip}"), *user, *all, *same)).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn recovered_is_per_client_and_account() {
        check_recovered("1 a failed x\n1 A ok", &[("1", "A", 1, 1)]);
        check_recovered("1 a failed x\n2 a ok", &[]);
        check_recovered("1 a ok\n1 a failed x", &[]);
        check_recovered("1 a failed x\n1 b failed x\n1 b ok\n1 a ok", &[("1", "b", 2, 1), ("1", "a", 2, 1)]);
        check_recovered("1 ? refused x\n1 a ok\n1 a failed x\n1 a ok", &[("1", "a", 1, 1)]);
        check_recovered("1 a aborted x\n1 a ok", &[]);
    }

    #[test]
    fn counts_follow_the_contract() {
        let expect = Expect::of(&story("1 a failed c.x\n1 ? refused c.y\n1 ? aborted c.z\n1 a ok"));
        assert_eq!(expect.classes.get("auth_failed"), Some(&1));
        assert_eq!(expect.classes.get("auth_refused"), Some(&1));
        assert_eq!(expect.classes.get("auth_aborted"), Some(&1));
        assert_eq!(expect.classes.get("auth_ok"), Some(&1));
        assert_eq!(expect.causes, BTreeMap::from([("c.x".to_owned(), 1), ("c.y".to_owned(), 1)]));
        assert_eq!(expect.mechanisms, BTreeMap::from([("PLAIN".to_owned(), 1)]));
        assert_eq!(expect.services, BTreeMap::from([("submission".to_owned(), 1)]));
    }
}
