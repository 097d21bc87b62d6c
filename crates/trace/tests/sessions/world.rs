//! Legal logs, made up: what each `smtpd` process does, session by session, and what the queue and Dovecot add to it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    /// Its number.
    pub(crate) id: u64,
    /// Microseconds since 1970.
    pub(crate) time: i64,
    /// The line.
    pub(crate) text: String,
    /// For a failure line: the Dovecot line that tells of the same attempt, if there is one.
    pub(crate) verdict: Option<u64>,
    /// For a failure line with a verdict: the name in it.
    pub(crate) verdict_name: Option<String>,
}

/// What a client does within a session.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A failure line. `named`: Postfix logs the name; `verdict`: Dovecot tells of it 2 s before.
    Fail {
        reason: &'static str,
        mechanism: &'static str,
        named: bool,
        verdict: bool,
        repeated: u32,
    },
    /// A mechanism the backend does not have: refused before the backend is asked.
    NoMechanism,
    Abort {
        repeated: u32,
    },
    RateLimited,
    TooLong,
    /// Refused before it reached a backend: no line at all.
    Silent,
    /// A login, and the messages sent after it: the status of each recipient.
    LogIn {
        messages: Vec<Vec<&'static str>>,
        removed: bool,
    },
    Reject {
        text: &'static str,
    },
    /// Lines that have no bearing on the outcome.
    Chatter,
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// With counters.
    Disconnect,
    /// Postfix before 3.0.
    WithoutCounters,
    /// The client is gone in mid-AUTH.
    LostInAuth,
    TimeoutInAuth,
    /// The same, and no counters.
    LostWithoutCounters,
    /// `fatal: no SASL authentication mechanisms`.
    Killed,
    /// Another fatal.
    Died,
    /// The log ends, or the end is missing.
    Cut,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) connect: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    /// Tenths of a second between lines.
    pub(crate) pace: Vec<u8>,
}

/// An `smtpd` process: session after session under one process id.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) host: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) start: u32,
    pub(crate) sessions: Vec<Session>,
}

/// What may be in a world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taste {
    pub(crate) verdicts: bool,
}

fn step(taste: Taste) -> impl Strategy<Value = Step> {
    let reasons = vec![
        "UGFzc3dvcmQ6",
        "",
        "(reason unavailable)",
        "Connection lost to authentication server",
        "Invalid base64 data in initial response",
        "bad protocol / cancel",
    ];
    let repeated = prop_oneof![4 => Just(1u32), 1 => 2u32..5];
    let fail = (
        select(reasons),
        select(vec!["PLAIN", "LOGIN", "login", "CRAM-MD5"]),
        any::<bool>(),
        any::<bool>(),
        repeated.clone(),
    )
        .prop_map(move |(reason, mechanism, named, verdict, repeated)| {
            // Only a backend that was asked and answered has a verdict; a folded line stands for several.
            let verdict = verdict
                && taste.verdicts
                && repeated == 1
                && matches!(reason, "UGFzc3dvcmQ6" | "" | "(reason unavailable)");
            Step::Fail { reason, mechanism, named, verdict, repeated }
        });
    let message = vec(select(vec!["sent", "deferred", "bounced", "expired"]), 0..4);
    prop_oneof![
        6 => fail,
        2 => Just(Step::NoMechanism),
        1 => repeated.prop_map(|repeated| Step::Abort { repeated }),
        1 => Just(Step::RateLimited),
        1 => Just(Step::TooLong),
        2 => Just(Step::Silent),
        2 => (vec(message, 0..3), any::<bool>()).prop_map(|(messages, removed)| Step::LogIn { messages, removed }),
        2 => select(vec!["554 5.7.1 <u@remote.invalid>: Relay access denied", "554 5.7.1 <u@remote.invalid>: Recipient address rejected: Access denied", "450 4.1.8 <a@x>: Sender address rejected: Domain not found"]).prop_map(|text| Step::Reject { text }),
        1 => Just(Step::Chatter),
    ]
}

fn session(taste: Taste) -> impl Strategy<Value = Session> {
    let end = prop_oneof![6 => Just(End::Disconnect), 1 => Just(End::WithoutCounters), 1 => Just(End::LostInAuth), 1 => Just(End::TimeoutInAuth), 1 => Just(End::LostWithoutCounters), 1 => Just(End::Killed), 1 => Just(End::Died), 1 => Just(End::Cut)];
    (vec(step(taste), 0..6), end, vec(1u8..40, 1..8)).prop_map(|(mut steps, end, pace)| {
        // A session logs in once; what it sends, it sends after that.
        let mut logged_in = false;
        steps.retain(|step| !matches!(step, Step::LogIn { .. }) || !std::mem::replace(&mut logged_in, true));
        Session { connect: true, steps, end, pace }
    })
}

pub(crate) fn world(taste: Taste) -> impl Strategy<Value = Vec<Process>> {
    let process = (
        select(vec!["mail", "mx2"]),
        select(vec!["postfix/submission/smtpd", "postfix/smtpd", "postfix-out/smtps/smtpd"]),
        0u32..80,
        vec(session(taste), 1..4),
        any::<bool>(),
    )
        .prop_map(|(host, tag, start, mut sessions, whole)| {
            // The log may begin in the middle of a process's first session.
            sessions[0].connect = whole;
            Process { host, tag, start, sessions }
        });
    vec(process, 1..5)
}

/// Microseconds of the first second of the log.
const BASE: i64 = 1_763_803_046_000_000;

/// The log, process by process; each one's lines in their order.
pub(crate) fn print(world: &[Process], one_address: bool) -> Vec<Vec<Logged>> {
    let mut id = 0;
    world
        .iter()
        .enumerate()
        .map(|(number, process)| Printer::new(&mut id, number, one_address).process(process))
        .collect()
}

struct Printer<'a> {
    id: &'a mut u64,
    number: usize,
    one_address: bool,
    host: &'static str,
    time: i64,
    lines: Vec<Logged>,
    queue_ids: u32,
}

impl<'a> Printer<'a> {
    fn new(id: &'a mut u64, number: usize, one_address: bool) -> Self {
        Self { id, number, one_address, host: "", time: 0, lines: Vec::new(), queue_ids: 0 }
    }

    fn process(mut self, process: &Process) -> Vec<Logged> {
        self.host = process.host;
        self.time = BASE + i64::from(process.start) * 100_000;
        for (at, session) in process.sessions.iter().enumerate() {
            self.session(process, session, at);
        }
        self.lines
    }

    fn line(&mut self, tag: &str, pid: usize, message: &str) -> &mut Logged {
        self.logged(&format!("{tag}[{pid}]"), message)
    }

    fn logged(&mut self, program: &str, message: &str) -> &mut Logged {
        *self.id += 1;
        let text = format!(
            "{}.{:06} {} {program}: {message}",
            self.time.div_euclid(1_000_000),
            self.time.rem_euclid(1_000_000),
            self.host
        );
        self.lines.push(Logged { id: *self.id, time: self.time, text, verdict: None, verdict_name: None });
        self.lines.last_mut().unwrap()
    }

    fn session(&mut self, process: &Process, session: &Session, at: usize) {
        let (tag, pid) = (process.tag, 100 + self.number);
        let address = if self.one_address { "192.0.2.1".to_owned() } else { format!("192.0.{}.{at}", self.number) };
        let client = format!("h{at}.example[{address}]");
        let mut pace = session.pace.iter().cycle().copied();
        let (mut ok, mut tried, mut count) = (0u32, 0u32, 0u32);
        if session.connect {
            self.line(tag, pid, &format!("connect from {client}"));
        }
        for step in &session.steps {
            self.time += i64::from(pace.next().unwrap()) * 100_000;
            count += 1;
            let name = format!("u{}.{at}.{count}@example.test", self.number);
            let fold = |times: u32, text: String| {
                if times > 1 { format!("message repeated {times} times: [ {text}]") } else { text }
            };
            match step {
                Step::Fail { reason, mechanism, named, verdict, repeated } => {
                    let shown = if *named { format!(", sasl_username={name}") } else { String::new() };
                    let said = verdict.then(|| {
                        let id = self
                            .logged("dovecot", &format!("auth: passwd-file({name},{address}): Password mismatch"))
                            .id;
                        self.time += 2_000_000;
                        id
                    });
                    let text = fold(
                        *repeated,
                        format!("warning: {client}: SASL {mechanism} authentication failed: {reason}{shown}"),
                    );
                    let line = self.line(tag, pid, &text);
                    line.verdict = said;
                    line.verdict_name = said.map(|_| name);
                    tried += repeated;
                }
                Step::NoMechanism => {
                    self.line(
                        tag,
                        pid,
                        &format!(
                            "warning: {client}: SASL NTLM authentication failed: Invalid authentication mechanism"
                        ),
                    );
                    tried += 1;
                }
                Step::Abort { repeated } => {
                    self.line(
                        tag,
                        pid,
                        &fold(*repeated, format!("warning: {client}: SASL LOGIN authentication aborted")),
                    );
                    tried += repeated;
                }
                Step::RateLimited => {
                    self.line(
                        tag,
                        pid,
                        &format!("warning: AUTH command rate limit exceeded: 3 from {client} for service submission"),
                    );
                    tried += 1;
                }
                Step::TooLong => {
                    self.line(tag, pid, &format!("warning: {client}: request longer than 12288: dGhp..."));
                    tried += 1;
                }
                Step::Silent => tried += 1,
                Step::LogIn { messages, removed } => {
                    (ok, tried) = (ok + 1, tried + 1);
                    for recipients in messages {
                        self.message(tag, pid, &client, &name, recipients, *removed);
                    }
                }
                Step::Reject { text } => {
                    self.line(tag, pid, &format!("NOQUEUE: reject: RCPT from {client}: {text}; from=<a@x> to=<u@remote.invalid> proto=ESMTP helo=<h>"));
                }
                Step::Chatter => {
                    self.line(tag, pid, "SSL_accept:before SSL initialization");
                    self.line(tag, pid, &format!("lost connection after RCPT from {client}"));
                    self.line(
                        "postfix/anvil",
                        9,
                        "statistics: max connection rate 1/60s for (smtp:192.0.2.1) at Nov 22 09:13:17",
                    );
                }
            }
        }
        self.time += i64::from(pace.next().unwrap()) * 100_000;
        self.end(tag, pid, &client, session.end, ok, tried);
    }

    fn end(&mut self, tag: &str, pid: usize, client: &str, end: End, ok: u32, mut tried: u32) {
        match end {
            End::LostInAuth | End::LostWithoutCounters => {
                self.line(tag, pid, &format!("lost connection after AUTH from {client}"));
                tried += 1;
            }
            End::TimeoutInAuth => {
                self.line(tag, pid, &format!("NOQUEUE: timeout after AUTH from {client}"));
                tried += 1;
            }
            _ => {}
        }
        let auth = match (ok, tried) {
            (_, 0) => String::new(),
            (ok, tried) if ok == tried => format!(" auth={ok}"),
            (ok, tried) => format!(" auth={ok}/{tried}"),
        };
        match end {
            End::Disconnect | End::LostInAuth | End::TimeoutInAuth => {
                let all = 2 + tried;
                self.line(tag, pid, &format!("disconnect from {client} ehlo=1{auth} quit=1 commands=2/{all}"));
            }
            End::WithoutCounters | End::LostWithoutCounters => {
                self.line(tag, pid, &format!("disconnect from {client}"));
            }
            End::Killed => {
                self.line(
                    tag,
                    pid,
                    "warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: No such file or directory",
                );
                self.line(tag, pid, "fatal: no SASL authentication mechanisms");
            }
            End::Died => drop(self.line(tag, pid, "fatal: watchdog timeout")),
            End::Cut => {}
        }
    }

    fn message(&mut self, tag: &str, pid: usize, client: &str, name: &str, recipients: &[&str], removed: bool) {
        self.queue_ids += 1;
        let queue_id = format!("{:05X}{:04X}", self.number + 1, self.queue_ids);
        self.line(tag, pid, &format!("{queue_id}: client={client}, sasl_method=PLAIN, sasl_username={name}"));
        self.line("postfix/qmgr", 3, &format!("{queue_id}: from=<{name}>, size=10, nrcpt=1 (queue active)"));
        for (at, status) in recipients.iter().enumerate() {
            self.time += 10_000;
            self.line("postfix/smtp", 4, &format!("{queue_id}: to=<r{at}@example.net>, relay=none, delay=1, delays=0/0/1/0, dsn=2.0.0, status={status} (x)"));
        }
        if removed {
            self.line("postfix/qmgr", 3, &format!("{queue_id}: removed"));
        }
    }
}

/// Merges the processes' lines: at each step `choices` says who goes on, as long as all are within `slack` of the earliest.
pub(crate) fn merge<'a>(processes: &'a [Vec<Logged>], choices: &[u8], slack: i64) -> Vec<&'a Logged> {
    let mut heads = vec![0usize; processes.len()];
    let mut merged = Vec::new();
    let mut choices = choices.iter().cycle();
    loop {
        let waiting: Vec<(usize, &Logged)> =
            processes.iter().enumerate().filter_map(|(p, lines)| Some((p, lines.get(heads[p])?))).collect();
        let Some(earliest) = waiting.iter().map(|(_, line)| line.time).min() else { return merged };
        let ready: Vec<&(usize, &Logged)> = waiting.iter().filter(|(_, line)| line.time - earliest <= slack).collect();
        let (process, line) = *ready[usize::from(*choices.next().unwrap()) % ready.len()];
        heads[process] += 1;
        merged.push(line);
    }
}
