//! `client` and `account`: everything about one address, network or login name.
//!
//! The same counting as `triage` over the same lines; besides, the single attempts, logins, refusals and messages of the
//! subject are kept: the latest [`KEPT`] of each.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use diagnose::detect::{Detector, Settings};
use diagnose::{Class, ClientTally, Diagnosis, Finding, Tally};
use input::{FeedError, Line};
use ipnet::IpNet;
use maillog::{Acceptance, Event};
use query::{Expr, Query};
use serde_json::{Map, Value, json};
use store::state::State;
use store::{Answer, Question, Store as _};
use trace::{Attempt, AttemptKind, Fate, Login, NameOrigin, Refusal, Sink, Where};

use crate::findings::Found;
use crate::mask::Mask;
use crate::narrowed::{Narrow, parts};
use crate::reading::{Passing, Read, Reader, Reading};
use crate::times::rfc3339;
use crate::triage::{Counter, wrong_kind_of_tls};
use crate::{json, memory, state, subject_text};

/// Events of each kind kept at most.
pub const KEPT: usize = 1_000;

/// Whom the story is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An address, or a network.
    Client(IpNet),
    /// A login name.
    Account(Box<[u8]>),
}

impl Subject {
    fn is(&self, at: &Where, username: Option<&[u8]>) -> bool {
        self.is_who(at.client_ip, username)
    }

    fn is_who(&self, ip: Option<IpAddr>, username: Option<&[u8]>) -> bool {
        match self {
            Self::Client(net) => ip.is_some_and(|ip| net.contains(&ip)),
            Self::Account(name) => username.is_some_and(|username| username.eq_ignore_ascii_case(name)),
        }
    }

    /// Mail that others handed in, who had logged in, after an instant.
    fn others_since(&self, first: i64) -> Query {
        let own = match self {
            Self::Client(asked) => parts::net("client_ip", *asked),
            Self::Account(name) => parts::word("username", &String::from_utf8_lossy(name)),
        };
        let logged_in = vec![parts::event("client"), parts::word("class", "auth_ok")];
        let later = parts::during(first.saturating_add(1), i64::MAX);
        Query::of(parts::all(logged_in.into_iter().chain([later, Expr::Not(Box::new(own))]).collect()))
    }
}

/// One attempt with its cause.
pub struct Tried {
    /// The attempt.
    pub attempt: Attempt,
    /// What it is counted as, and why it failed.
    pub diagnosis: Diagnosis,
}

/// A message of the subject with its recipients.
pub struct Mailed {
    /// Where it was accepted.
    pub at: Where,
    /// Who had logged in.
    pub username: Option<Box<[u8]>>,
    /// Its first queue id.
    pub queue_id: Box<[u8]>,
    /// Some of its recipients with their last fates.
    pub recipients: Vec<(Box<[u8]>, Fate)>,
    /// How many recipients it has.
    pub recipients_total: usize,
    /// Nothing more will happen to it.
    pub finished: bool,
}

/// Recipients shown per message at most.
const RECIPIENTS: usize = 50;

/// All of it.
pub struct Story {
    /// Whom it is about.
    pub subject: Subject,
    /// The counts of everybody: verdicts hang on them.
    pub counter: Counter,
    /// The latest attempts that did not succeed.
    pub attempts: VecDeque<Tried>,
    /// Causes of failures, by id.
    pub causes: BTreeMap<&'static str, u64>,
    /// What was counted, by class.
    pub classes: BTreeMap<Class, u64>,
    /// The latest logins.
    pub logins: VecDeque<Login>,
    /// The latest refusals.
    pub refusals: VecDeque<(Refusal, Diagnosis)>,
    /// The latest messages.
    pub messages: VecDeque<Mailed>,
    /// Mail handed in by others who had logged in, after the first attempt here: is the backend well?
    pub others_ok: u64,
    /// Failures in the whole log that name nobody: any of them may be this account's.
    pub unnamed: u64,
    /// When the first attempt here was.
    first_attempt: Option<i64>,
    /// The same of others before that was known.
    others_before: VecDeque<(i64, u64)>,
    /// Where lines stand that the story points to: id to (source, line, text).
    pub places: BTreeMap<u64, (usize, u64, String)>,
    /// What a person should know of it.
    pub findings: Vec<Finding>,
    /// What everybody did, where only the subject's lines were read.
    everybody: Option<Arc<Found>>,
    recent: VecDeque<Recent>,
}

/// A line that has just passed: id, source, number, and its bytes, secrets redacted.
type Recent = (u64, usize, u64, Box<[u8]>);

/// Mails of others remembered until the first attempt is told of.
const OTHERS_BEFORE: usize = 100_000;
/// Lines remembered for a moment.
const RECENT: usize = 4_096;

fn keep<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() >= KEPT {
        list.pop_front();
    }
    list.push_back(item);
}

impl Story {
    fn new(subject: Subject, settings: &Settings) -> Self {
        Self {
            subject,
            counter: Counter::judged_by(settings),
            attempts: VecDeque::new(),
            causes: BTreeMap::new(),
            classes: BTreeMap::new(),
            logins: VecDeque::new(),
            refusals: VecDeque::new(),
            messages: VecDeque::new(),
            others_ok: 0,
            unnamed: 0,
            first_attempt: None,
            others_before: VecDeque::new(),
            places: BTreeMap::new(),
            findings: Vec::new(),
            everybody: None,
            recent: VecDeque::new(),
        }
    }

    fn place(&mut self, id: u64) {
        if self.places.len() >= 8 * KEPT {
            self.places.pop_first();
        }
        let Some((_, source, number, line)) = self.recent.iter().rev().find(|(at, ..)| *at == id) else { return };
        self.places.insert(id, (*source, *number, String::from_utf8_lossy(line).into_owned()));
    }

    fn count(&mut self, diagnosis: &Diagnosis, count: u64) {
        if let Some(class) = diagnosis.class {
            *self.classes.entry(class).or_default() += count;
        }
        if let Some(cause) = diagnosis.cause {
            *self.causes.entry(cause.id).or_default() += count;
        }
    }

    /// The first attempt is told some time after it was: what others did meanwhile counts.
    fn begin(&mut self, time: i64) {
        if self.first_attempt.is_none() {
            self.first_attempt = Some(time);
            let after = std::mem::take(&mut self.others_before).into_iter().filter(|(at, _)| *at > time);
            self.others_ok = after.map(|(_, count)| count).sum();
        }
    }

    /// A line that says that somebody who had logged in handed in a mail.
    fn handed_in(&mut self, accepted: &Acceptance<'_>, time: i64, count: u64) {
        let Some(name) = accepted.sasl_username else { return };
        if self.subject.is_who(accepted.client.ip(), Some(name)) {
            return;
        }
        match self.first_attempt {
            Some(first) => self.others_ok += if time > first { count } else { 0 },
            None => {
                if self.others_before.len() >= OTHERS_BEFORE {
                    self.others_before.pop_front();
                }
                self.others_before.push_back((time, count));
            }
        }
    }

    /// What others did, out of a store, of which only the subject's lines were read.
    fn count_others(&mut self, state: &State, time: &Query) {
        let count =
            |query: Query| match state::index(state).ask(&query.and(time.clone()), &[Question::Count]).as_deref() {
                Ok([Answer::Count(count)]) => Some(*count),
                _ => None,
            };
        if let Some(first) = self.first_attempt
            && let Some(others) = count(self.subject.others_since(first))
        {
            self.others_ok = others;
        }
        let unnamed = Query::of(parts::all(vec![parts::event("sasl_failed"), parts::missing("username")]));
        self.unnamed = count(unnamed).unwrap_or_default();
    }

    /// Refusals whose cause only a later login told.
    fn look_back(&mut self) {
        for tried in &mut self.attempts {
            let name = tried.attempt.username.as_deref().unwrap_or_default();
            let Some(known) = self.counter.tally.diagnoser.in_hindsight(name, &tried.diagnosis) else { continue };
            let count = u64::from(tried.attempt.count);
            if let Some(unknown) = self.causes.get_mut(tried.diagnosis.id()) {
                *unknown = unknown.saturating_sub(count);
            }
            *self.causes.entry(known.id()).or_default() += count;
            tried.diagnosis = known;
        }
        self.causes.retain(|_, count| *count > 0);
    }

    /// The end: words for everybody in the story, and what is found of its subject.
    fn judge(&mut self, everybody: Option<Arc<Found>>) {
        self.look_back();
        let tally = &mut self.counter.tally;
        let findings = match &everybody {
            Some(everybody) => {
                tally.settle_by(&everybody.findings);
                everybody.findings.iter().filter(|finding| self.is_of(finding)).cloned().collect()
            }
            None => {
                tally.settle();
                let findings = std::mem::take(&mut tally.findings);
                findings.into_iter().filter(|finding| self.is_of(finding)).collect()
            }
        };
        self.findings = findings;
        // They were told of in the order in which they ended.
        self.messages.make_contiguous().sort_by_key(|mail| (mail.at.time, mail.at.line));
        self.everybody = everybody;
    }

    /// What is remembered of everybody.
    #[must_use]
    pub fn detector(&self) -> &Detector {
        self.everybody.as_ref().map_or(&self.counter.tally.detector, |everybody| &everybody.detector)
    }

    /// Whether a finding is about the subject.
    fn is_of(&self, finding: &Finding) -> bool {
        match &self.subject {
            Subject::Client(net) => finding.clients.iter().any(|ip| net.contains(ip)),
            Subject::Account(name) => finding.accounts.iter().any(|account| account.eq_ignore_ascii_case(name)),
        }
    }

    /// The clients of the subject, with their rows.
    pub fn clients(&self) -> Vec<(IpAddr, &ClientTally)> {
        let tally = &self.counter.tally;
        let mut rows: Vec<(IpAddr, &ClientTally)> = match &self.subject {
            Subject::Client(net) => {
                tally.clients.iter().filter(|(ip, _)| net.contains(*ip)).map(|(ip, row)| (*ip, &**row)).collect()
            }
            Subject::Account(name) => {
                let account = tally.accounts.get(name);
                let ips = account.map(|account| tally.clients_of(account)).unwrap_or_default();
                ips.into_iter().filter_map(|ip| Some((ip, &**tally.clients.get(&ip)?))).collect()
            }
        };
        rows.sort_by_key(|(ip, row)| (std::cmp::Reverse(row.counts.failures()), *ip));
        rows
    }

    /// Text about the subject with its addresses and names masked where asked for.
    pub fn masked(&self, text: &str, mask: Mask) -> String {
        if !mask.0 {
            return text.to_owned();
        }
        let addresses = self.clients().into_iter().map(|(ip, _)| ip.to_string());
        let tried = self.attempts.iter().filter_map(|tried| tried.attempt.username.as_deref());
        let names = tried.chain(self.logins.iter().filter_map(|login| login.username.as_deref()));
        let spellings = names.flat_map(|name| {
            [
                String::from_utf8_lossy(name).into_owned(),
                String::from_utf8_lossy(&name.to_ascii_lowercase()).into_owned(),
            ]
        });
        mask.within(text, &addresses.chain(spellings).collect::<Vec<_>>())
    }

    /// Whether the log says anything about the subject.
    pub fn found(&self) -> bool {
        !self.attempts.is_empty()
            || !self.causes.is_empty()
            || !self.logins.is_empty()
            || !self.refusals.is_empty()
            || !self.messages.is_empty()
    }

    /// How often a class was counted.
    pub fn class(&self, class: Class) -> u64 {
        self.classes.get(&class).copied().unwrap_or_default()
    }
}

impl Sink for Story {
    fn attempt(&mut self, attempt: &Attempt) {
        let diagnosis = self.counter.tally.diagnoser.attempt(attempt);
        self.counter.tally.diagnosed(attempt, &diagnosis);
        if self.subject.is(&attempt.at, attempt.username.as_deref()) {
            let killed = attempt.kind == AttemptKind::Killed;
            self.count(
                &Diagnosis { class: diagnosis.class.filter(|_| !killed), ..diagnosis },
                u64::from(attempt.count),
            );
            self.place(attempt.at.line);
            for evidence in &attempt.evidence {
                self.place(evidence.line);
            }
            self.begin(attempt.at.time);
            keep(&mut self.attempts, Tried { attempt: attempt.clone(), diagnosis });
        }
    }

    fn login(&mut self, login: &Login) {
        self.counter.login(login);
        if self.subject.is(&login.at, login.username.as_deref()) {
            *self.classes.entry(Class::AuthOk).or_default() += u64::from(login.count);
            self.place(login.at.line);
            keep(&mut self.logins, login.clone());
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.counter.refusal(refusal);
        let diagnosis = diagnose::refusal(refusal);
        if diagnosis.class.is_some() && self.subject.is(&refusal.at, refusal.username.as_deref()) {
            self.count(&diagnosis, u64::from(refusal.count));
            self.place(refusal.at.line);
            keep(&mut self.refusals, (refusal.clone(), diagnosis));
        }
    }

    fn message_accepted(&mut self, at: &Where, username: &[u8], queue_id: Option<&[u8]>) {
        self.counter.message_accepted(at, username, queue_id);
    }

    fn came_in(&mut self, time: i64, client: Option<IpAddr>, count: u32) {
        self.counter.came_in(time, client, count);
    }

    fn story(&mut self, mail: &trace::Story) {
        self.counter.story(mail);
        let Some(at) = mail.at().filter(|at| self.subject.is(at, mail.username())) else { return };
        let fates = mail.fates();
        let recipients = fates.iter().take(RECIPIENTS).map(|(to, fate)| ((*to).into(), *fate)).collect();
        keep(
            &mut self.messages,
            Mailed {
                at: at.clone(),
                username: mail.username().map(Into::into),
                queue_id: mail.queue_id().into(),
                recipients,
                recipients_total: fates.len(),
                finished: mail.is_finished(),
            },
        );
    }
}

impl Reader for Story {
    fn before(&mut self, line: &Line<'_>, event: Option<&Event<'_>>) {
        self.counter.before(line, event);
        if let (Some(Event::Accepted(accepted)), Some(time)) = (event, line.time) {
            self.handed_in(accepted, time, line.record.map_or(1, |record| u64::from(record.repeat)));
        }
        if let (Some(event), Some(record)) = (event, line.record)
            && let Event::Pipelining(client, ..) | Event::NonSmtp(client, _) = event
            && self.subject.is_who(client.ip(), None)
            && let Some(wrong) = wrong_kind_of_tls(event, &record)
        {
            self.count(&wrong, u64::from(record.repeat));
        }
        if let Some(record) = line.record {
            if self.recent.len() >= RECENT {
                self.recent.pop_front();
            }
            let shown = maillog::redact_line(line.raw, record.text).into_owned().into_boxed_slice();
            self.recent.push_back((line.seq, line.source, line.line, shown));
        }
    }

    fn after(&mut self, _passing: &Passing<'_>) {}
}

/// The client of that address or network.
pub fn client(text: &str) -> anyhow::Result<Subject> {
    let text = text.trim();
    let net: IpNet =
        text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()))).with_context(
            || format!("client {text}: neither an address nor a network; write 203.0.113.9 or 203.0.113.0/24"),
        )?;
    Ok(Subject::Client(net))
}

/// Reads everything about a subject.
pub fn tell(subject: Subject, reading: Reading) -> Result<(Story, Read), FeedError> {
    // Findings hang on what everybody did: of a store, they are those of all its lines.
    let everybody = if reading.state().is_some() { Some(Arc::new(memory::findings(&reading)?)) } else { None };
    tell_among(everybody, subject, reading)
}

/// The same, where it is known what everybody did; it must be, if it is told out of a store.
pub fn tell_among(
    everybody: Option<Arc<Found>>,
    subject: Subject,
    reading: Reading,
) -> Result<(Story, Read), FeedError> {
    let store = reading.state().cloned().map(|state| (state, reading.asked_time()));
    let mut story = Story::new(subject.clone(), reading.settings());
    let read = reading.narrowed(Narrow::Subject(subject)).run(&mut story)?;
    match store {
        Some((state, time)) => story.count_others(&state, &time),
        None => story.unnamed = story.counter.tally.unnamed_failures,
    }
    story.judge(everybody);
    Ok((story, read))
}

fn text(bytes: &[u8], mask: Mask) -> String {
    mask.name(&String::from_utf8_lossy(bytes))
}

/// What is told of the name's origin.
pub fn origin(origin: NameOrigin) -> &'static str {
    match origin {
        NameOrigin::Logged => "logged",
        NameOrigin::Joined => "joined",
        NameOrigin::Ambiguous => "ambiguous",
        NameOrigin::Unavailable => "unavailable",
        NameOrigin::NotLogged => "not_logged",
    }
}

/// What `client --json` and `account --json` print.
pub fn to_json(story: &Story, read: &Read, mask: Mask) -> Value {
    let tally: &Tally = &story.counter.tally;
    let classes: Map<String, Value> = Class::ALL
        .iter()
        .filter(|class| story.class(**class) > 0)
        .map(|class| (class.name().to_owned(), story.class(*class).into()))
        .collect();
    let (key, value) = match &story.subject {
        Subject::Client(net) => (
            "client",
            if mask.0 {
                mask.ip(net.addr())
            } else if net.prefix_len() == net.max_prefix_len() {
                net.addr().to_string()
            } else {
                net.to_string()
            },
        ),
        Subject::Account(name) => ("account", text(name, mask)),
    };
    let clients = story.clients();
    let known: HashSet<IpAddr> = clients.iter().map(|(ip, _)| *ip).collect();
    let wanted = |ip: &IpAddr| known.contains(ip);
    let mut object = Map::new();
    object.insert(key.into(), value.into());
    object.insert("coverage".into(), json::coverage(read));
    object.insert("classes".into(), classes.into());
    object.insert("causes".into(), json!(story.causes));
    if let Subject::Account(name) = &story.subject {
        let row = tally.accounts.get(name);
        object.insert("row".into(), json!(row.map(|row| json::account_row(tally, row, mask))));
    }
    object.insert(
        "clients".into(),
        json!(
            clients.into_iter().take(KEPT).map(|(ip, row)| json::client_row(tally, ip, row, mask)).collect::<Vec<_>>()
        ),
    );
    object.insert(
        "findings".into(),
        json!(story.findings.iter().map(|found| json::finding(found, read, KEPT, mask)).collect::<Vec<_>>()),
    );
    if let Subject::Account(name) = &story.subject {
        object.insert("places".into(), places(story.detector(), name, mask).into());
        object.insert("unnamed_failures".into(), story.unnamed.into());
    }
    object.insert("checklist".into(), subject_text::checklist(story).into_iter().map(|step| json!({"step": step.number, "question": step.question, "answer": step.answer.iter().map(|line| story.masked(line, mask)).collect::<Vec<_>>(), "next": step.next})).collect::<Vec<_>>().into());
    object.insert(
        "attempts".into(),
        story.attempts.iter().map(|tried| attempt(tried, story, read, mask)).collect::<Vec<_>>().into(),
    );
    object.insert("logins".into(), story.logins.iter().map(|login| json!({"ts": rfc3339(login.at.time), "client_ip": login.at.client_ip.map(|ip| mask.ip(ip)), "username": login.username.as_deref().map(|n| text(n, mask)), "count": login.count, "session": login.at.session.map(|s| s.to_string())})).collect::<Vec<_>>().into());
    object.insert("refusals".into(), story.refusals.iter().map(|(refusal, diagnosis)| json!({"ts": rfc3339(refusal.at.time), "class": diagnosis.class.map(Class::name), "cause": diagnosis.cause.map(|c| c.id), "client_ip": refusal.at.client_ip.map(|ip| mask.ip(ip)), "logged_in": refusal.logged_in, "from": refusal.from.as_deref().map(|b| text(b, mask)), "to": refusal.to.as_deref().map(|b| text(b, mask)), "count": refusal.count})).collect::<Vec<_>>().into());
    object.insert("messages".into(), story.messages.iter().map(|mail| message(mail, mask)).collect::<Vec<_>>().into());
    let recovered = tally.recovered.iter().filter(|row| {
        wanted(&row.client_ip)
            && match &story.subject {
                Subject::Client(_) => true,
                Subject::Account(name) => row.username.as_deref().is_some_and(|u| u.eq_ignore_ascii_case(name)),
            }
    });
    object.insert("recovered".into(), json!(recovered.map(|row| json::recovered(row, mask)).collect::<Vec<_>>()));
    Value::Object(object)
}

/// Where an account logs in from: networks, how often, since when; the latest first.
fn places(detector: &Detector, name: &[u8], mask: Mask) -> Vec<Value> {
    let places = detector.places(name);
    let row = |place: diagnose::detect::Place| {
        let net = if mask.0 { mask.ip(place.net.addr()) } else { place.net.to_string() };
        json!({"net": net, "logins": place.logins, "first": rfc3339(place.first), "last": rfc3339(place.last), "new": place.new})
    };
    places.into_iter().map(row).collect()
}

fn attempt(tried: &Tried, story: &Story, read: &Read, mask: Mask) -> Value {
    let a = &tried.attempt;
    let line = |id: u64| {
        let (source, number, shown) = story.places.get(&id)?;
        let name = read.coverage.sources.get(*source).map_or("", |source| source.name.as_str());
        Some(json!({"source": name, "line": number, "text": if mask.0 { "[masked]" } else { shown.as_str() }}))
    };
    let evidence: Vec<Value> =
        std::iter::once(a.at.line).chain(a.evidence.iter().map(|e| e.line)).filter_map(line).collect();
    json!({
        "ts": rfc3339(a.at.time), "class": tried.diagnosis.class.map(Class::name), "cause": tried.diagnosis.cause.map(|c| c.id), "confidence": (f64::from(tried.diagnosis.confidence) * 100.0).round() / 100.0,
        "count": a.count, "client_ip": a.at.client_ip.map(|ip| mask.ip(ip)), "mechanism": String::from_utf8_lossy(&a.mechanism), "username": a.username.as_deref().map(|n| text(n, mask)), "username_origin": origin(a.origin),
        "reason": String::from_utf8_lossy(&a.reason), "service": service(&a.at), "session": a.at.session.map(|s| s.to_string()), "evidence": evidence,
    })
}

/// The service as its tag names it.
pub fn service(at: &Where) -> String {
    let tag = maillog::Tag(&at.tag);
    String::from_utf8_lossy(tag.service().unwrap_or(tag.daemon())).into_owned()
}

fn message(mail: &Mailed, mask: Mask) -> Value {
    let recipients: Vec<_> = mail.recipients.iter().map(|(to, fate)| json::recipient(to, *fate, mask)).collect();
    json!({"queue_id": String::from_utf8_lossy(&mail.queue_id), "ts": rfc3339(mail.at.time), "client_ip": mail.at.client_ip.map(|ip| mask.ip(ip)), "username": mail.username.as_deref().map(|n| text(n, mask)), "recipients": mail.recipients_total, "finished": mail.finished, "to": recipients})
}
