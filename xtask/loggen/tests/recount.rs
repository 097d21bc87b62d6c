//! The truth of a generated log against a slow, plain recount of its text.
//!
//! Nothing of the generator is used to read the log back: lines are cut with plain string functions, following the contract's
//! rules ("How things are counted") once more from the reader's side.

use std::collections::{BTreeMap, HashMap, HashSet};

use loggen::{Recovered, Report, Settings, Stamp, Tally, Truth, generate};

#[test]
fn rfc3164() {
    check(&Settings { bytes: 2_000_000, ..Settings::default() });
}

#[test]
fn rfc3339() {
    check(&Settings { bytes: 2_000_000, stamp: Stamp::Rfc3339, seed: 2, ..Settings::default() });
}

#[test]
fn folded_rfc3164() {
    let truth = check(&Settings { bytes: 2_000_000, folded: true, seed: 3, ..Settings::default() });
    assert!(truth.repeat_lines > 3, "only {} folded lines", truth.repeat_lines);
}

#[test]
fn folded_rfc3339() {
    check(&Settings { bytes: 2_000_000, stamp: Stamp::Rfc3339, folded: true, seed: 4, ..Settings::default() });
}

#[test]
fn busy_day_of_many_hosts() {
    check(&Settings { bytes: 12_000_000, days: 1, hosts: 7, seed: 5, folded: true, ..Settings::default() });
}

#[test]
fn one_host() {
    check(&Settings { bytes: 3_000_000, days: 2, hosts: 1, seed: 6, ..Settings::default() });
}

#[test]
fn two_hosts_over_new_year() {
    let start = jiff::civil::Date::constant(2025, 12, 30);
    check(&Settings { bytes: 3_000_000, days: 4, hosts: 2, seed: 7, start, ..Settings::default() });
}

#[test]
fn same_settings_same_bytes() {
    let settings = Settings { bytes: 300_000, ..Settings::default() };
    let (mut one, mut two, mut three) = (Vec::new(), Vec::new(), Vec::new());
    let truth = generate(&settings, &mut one).expect("memory takes everything");
    assert_eq!(truth, generate(&settings, &mut two).expect("memory takes everything"));
    assert!(one == two);
    generate(&Settings { seed: 9, ..settings }, &mut three).expect("memory takes everything");
    assert!(one != three);
}

fn check(settings: &Settings) -> Truth {
    let mut log = Vec::new();
    let truth = generate(settings, &mut log).expect("memory takes everything");
    let log = String::from_utf8(log).expect("the generator writes UTF-8");
    let found = Recount::default().read(&log, settings);
    assert!(
        (truth.bytes as f64 / settings.bytes as f64 - 1.0).abs() < 0.25,
        "{} bytes wanted, {} made",
        settings.bytes,
        truth.bytes
    );
    assert!(truth.classes.get("auth_failed").copied().unwrap_or(0) * 100 > truth.lines * 3, "too few failures");
    // The kind of a reject and the number of decoys are the generator's own words; the report has a recount of its own.
    let expected = Truth { rejects: found.rejects.clone(), decoys: 0, report: Report::default(), ..truth.clone() };
    let (ip, account) = (diff(&expected.clients, &found.clients), diff(&expected.accounts, &found.accounts));
    assert!(ip.is_empty() && account.is_empty(), "clients {ip:#?}\naccounts {account:#?}");
    assert_eq!(expected.classes, found.classes);
    assert_eq!(expected, found);
    truth
}

fn diff<'a>(
    a: &'a BTreeMap<String, Tally>,
    b: &'a BTreeMap<String, Tally>,
) -> Vec<(&'a str, Option<&'a Tally>, Option<&'a Tally>)> {
    let keys: HashSet<&String> = a.keys().chain(b.keys()).collect();
    keys.into_iter().filter(|k| a.get(*k) != b.get(*k)).map(|k| (k.as_str(), a.get(k), b.get(k))).take(5).collect()
}

#[derive(Default)]
struct Session {
    ip: Option<String>,
    own_lines: u64,
    left_after_auth: bool,
    backend_gone: Option<&'static str>,
    named: bool,
}

#[derive(Default)]
struct Recount {
    truth: Truth,
    sessions: HashMap<String, Session>,
    history: HashMap<String, (u64, HashMap<Option<String>, u64>)>,
    rows: BTreeMap<(String, String), Recovered>,
    /// Dovecot's lines that wait for Postfix's: second of the day and cause.
    verdicts: HashMap<[String; 3], Vec<(i64, &'static str)>>,
    /// Queue files that are there.
    queued: HashSet<String>,
}

impl Recount {
    fn read(mut self, log: &str, settings: &Settings) -> Truth {
        let (mut first, mut last) = (None, String::new());
        for line in log.split_terminator('\n') {
            self.truth.lines += 1;
            let (stamp, rest) = match settings.stamp {
                Stamp::Rfc3164 => line.split_at(16),
                Stamp::Rfc3339 => line.split_once(' ').expect("a stamp"),
            };
            let moment = moment(stamp.trim_end(), settings);
            first.get_or_insert_with(|| moment.clone());
            last = last.max(moment.clone());
            let second = moment.parse::<jiff::Timestamp>().expect("a time").as_second();
            let (host, rest) = rest.split_once(' ').expect("a host");
            let (tag, message) = rest.split_once(": ").expect("a tag");
            let (repeat, message) = unfold(message);
            self.truth.repeat_lines += u64::from(repeat > 1 || message.len() + 12 < rest.len() - tag.len() - 2);
            for _ in 0..repeat {
                self.line(second, host, tag, message);
            }
        }
        self.truth.bytes = log.len() as u64;
        self.truth.from = first.unwrap_or_default();
        self.truth.to = last;
        self.truth.recovered = self.rows.into_values().collect();
        assert!(self.sessions.is_empty(), "every session ends");
        self.truth
    }

    fn line(&mut self, second: i64, host: &str, tag: &str, message: &str) {
        let program = tag.split('[').next().unwrap_or(tag);
        match program.rsplit('/').next().unwrap_or(program) {
            "smtpd" => self.smtpd(second, host, tag, program, message),
            "dovecot" => self.dovecot(second, host, message),
            "qmgr" | "postsuper" if message.ends_with(": removed") => {
                self.truth.removed += u64::from(program.ends_with("qmgr"));
                let (id, _) = message.split_once(": ").expect("a queue id");
                self.queued.remove(&format!("{host} {id}"));
            }
            "qmgr" if message.ends_with("(queue active)") => {
                let (id, _) = message.split_once(": ").expect("a queue id");
                self.truth.messages_queued += u64::from(self.queued.insert(format!("{host} {id}")));
            }
            "qmgr" if message.contains(", status=expired") => add(&mut self.truth.deliveries, "expired", 1),
            "postscreen" if message.starts_with("NOQUEUE: reject: ") => self.class("other_reject"),
            "smtp" | "lmtp" | "virtual" | "local" | "pipe" | "discard" => self.delivery(message),
            _ => {}
        }
    }

    fn delivery(&mut self, message: &str) {
        let Some((_, text)) = message.split_once(", status=") else {
            return;
        };
        let (status, text) = text.split_once(" (").expect("a response");
        add(&mut self.truth.deliveries, status, 1);
        if text.starts_with("SASL authentication failed") {
            self.class("relayhost_auth_failed");
        }
    }

    fn dovecot(&mut self, second: i64, host: &str, message: &str) {
        if message.contains("pending requests: EOF") {
            self.truth.evidence_lines += 1;
        }
        let Some((who, text)) = message.strip_prefix("auth: ").and_then(|m| m.split_once("): ")) else {
            return;
        };
        let Some((_, who)) = who.split_once('(') else {
            return;
        };
        let (user, ip) = who.rsplit_once(',').expect("user and address");
        if ip.starts_with('<') {
            return; // a session of Dovecot's own
        }
        let cause = match text {
            "Password mismatch" => "cred.password_mismatch",
            "unknown user" => "cred.unknown_user",
            _ if text.starts_with("Requested ") => "cred.scheme_unusable",
            _ if text.starts_with("oauth2 failed") => "cred.token_invalid",
            _ => panic!("{text}"),
        };
        self.verdicts.entry([host, ip, user].map(str::to_owned)).or_default().push((second, cause));
    }

    fn smtpd(&mut self, second: i64, host: &str, tag: &str, program: &str, message: &str) {
        let key = format!("{host} {tag}");
        let service = program.split('/').nth(1).unwrap_or("smtpd");
        if let Some(who) = message.strip_prefix("connect from ") {
            let session = Session { ip: ip(who), ..Session::default() };
            assert!(self.sessions.insert(key, session).is_none(), "a process has one client at a time: {message}");
            return;
        }
        if message.starts_with("warning: hostname ") {
            return;
        }
        let mut session = self.sessions.remove(&key).expect("a session is open");
        if message.starts_with("disconnect from ") {
            return self.disconnect(&session, service, message);
        }
        if message == "fatal: no SASL authentication mechanisms" {
            self.truth.evidence_lines += 1;
            self.truth.sessions_killed += 1;
            self.tally(session.ip.as_deref(), |t| t.sessions_killed += 1);
            return;
        }
        self.in_session(second, host, service, message, &mut session);
        self.sessions.insert(key, session);
    }

    fn in_session(&mut self, second: i64, host: &str, service: &str, message: &str, session: &mut Session) {
        if message.starts_with("warning: SASL: Connect to ") {
            self.truth.evidence_lines += 1;
            let refused = message.ends_with("Connection refused");
            session.backend_gone = Some(if refused { "backend.refused" } else { "backend.socket_missing" });
        } else if message.starts_with("warning: SASL authentication failure: ") {
            self.truth.evidence_lines += 1;
        } else if message.starts_with("warning: AUTH command rate limit exceeded") {
            session.own_lines += 1;
            self.class("rate_limited");
            self.cause("limit.auth_rate", 1);
        } else if let Some(text) = message.strip_prefix("warning: ").filter(|m| m.contains("]")) {
            session.own_lines += 1;
            self.failure(second, host, service, text, session);
        } else if message.contains("after AUTH from ") && !message.contains("too many errors") {
            session.left_after_auth = true;
        } else if message.starts_with("SSL_accept error") {
            self.class("tls_failed");
        } else if let Some(text) = message.strip_prefix("NOQUEUE: reject: ") {
            self.reject(text);
        } else if let Some((_, user)) = message.split_once(", sasl_username=") {
            self.accepted(session, &user.to_lowercase());
        }
    }

    fn failure(&mut self, second: i64, host: &str, service: &str, text: &str, session: &mut Session) {
        let (who, text) = text.split_once(": SASL ").expect("a SASL line");
        assert_eq!(ip(who), session.ip);
        if text.ends_with(" authentication aborted") {
            self.class("auth_aborted");
            return self.tally(session.ip.as_deref(), |t| t.auth_aborted += 1);
        }
        let marker = if text.starts_with('<') { "> authentication failed:" } else { " authentication failed:" };
        let at = text.find(marker).expect("a failure") + marker.len();
        let (mechanism, rest) = text.split_at(at);
        let mechanism = mechanism.strip_suffix(" authentication failed:").expect("the marker").to_uppercase();
        let rest = rest.trim_start();
        let parts = if rest.starts_with("Invalid authentication mechanism") {
            rest.rsplit_once(", sasl_username=")
        } else {
            rest.split_once(", sasl_username=")
        };
        let (reason, user) = parts.map_or((rest, None), |(reason, user)| (reason, Some(user)));
        let user = user.filter(|u| *u != "(unavailable)");
        let paired = user.and_then(|user| self.verdict(second, host, session.ip.as_deref()?, user));
        let gone = session.backend_gone.take();
        let cause = match reason {
            "Connection lost to authentication server" => None,
            _ if gone.is_some() => gone,
            _ if reason.starts_with("Invalid authentication mechanism") || reason == "no mechanism available" => {
                Some("client.mechanism_unsupported")
            }
            _ if reason.starts_with("Invalid base64") || reason == "bad protocol / cancel" => {
                Some("client.malformed_base64")
            }
            _ if mechanism == "XOAUTH2" && reason.starts_with("eyJ") => Some("cred.token_invalid"),
            _ => paired.or(Some("cred.undifferentiated")),
        };
        let fault = cause.is_none_or(|cause| cause.starts_with("backend."));
        match cause {
            Some(cause) => self.cause(cause, 1),
            None => self.truth.connection_lost_total += 1,
        }
        self.class(if fault { "backend_fault" } else { "auth_failed" });
        add(&mut self.truth.mechanisms, &mechanism, 1);
        add(&mut self.truth.services, service, 1);
        let count = |tally: &mut Tally| *(if fault { &mut tally.backend_fault } else { &mut tally.auth_failed }) += 1;
        let user = user.map(str::to_lowercase);
        if let Some(user) = &user {
            count(self.truth.accounts.entry(user.clone()).or_default());
        }
        self.tally(session.ip.as_deref(), count);
        self.remember(session.ip.as_deref(), user, 1);
    }

    fn verdict(&mut self, second: i64, host: &str, ip: &str, user: &str) -> Option<&'static str> {
        let waiting = self.verdicts.get_mut(&[host, ip, user].map(str::to_owned))?;
        let position = waiting.iter().position(|(at, _)| (0..=3).contains(&(second - at)))?;
        Some(waiting.remove(position).1)
    }

    fn disconnect(&mut self, session: &Session, service: &str, message: &str) {
        let numbers: HashMap<&str, &str> = message.split(' ').filter_map(|word| word.split_once('=')).collect();
        let pair = |name: &str| -> (u64, u64) {
            let Some(text) = numbers.get(name) else {
                return (0, 0);
            };
            let (ok, tried) = text.split_once('/').unwrap_or((text, text));
            (ok.parse().expect("a number"), tried.parse().expect("a number"))
        };
        let (ok, tried) = pair("auth");
        let sums =
            numbers.keys().filter(|k| **k != "commands").map(|k| pair(k)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        assert_eq!(sums, pair("commands"), "{message}");
        assert_eq!(session.named, ok > 0 && session.named, "{message}");
        if ok > 0 {
            self.class("auth_ok");
            self.tally(session.ip.as_deref(), |t| t.auth_ok += 1);
        }
        let mut silent = (tried - ok).checked_sub(session.own_lines).expect("every failure line has its AUTH");
        if session.left_after_auth && silent > 0 {
            silent -= 1;
            self.class("auth_aborted");
            self.tally(session.ip.as_deref(), |t| t.auth_aborted += 1);
        }
        if silent > 0 {
            let cause = match service {
                _ if ok > 0 => "client.double_auth",
                "smtpd" => "config.auth_not_enabled",
                _ => {
                    assert_eq!(pair("starttls"), (0, 0));
                    "tls.auth_before_starttls"
                }
            };
            add(&mut self.truth.classes, "auth_refused", silent);
            self.cause(cause, silent);
            self.truth.silent_sessions += 1;
            add(&mut self.truth.services_silent, service, silent);
            self.tally(session.ip.as_deref(), |t| t.auth_refused += silent);
            self.remember(session.ip.as_deref(), None, silent);
        }
    }

    fn reject(&mut self, text: &str) {
        let (class, cause) = if text.contains(": Relay access denied; ") {
            ("relay_denied", "policy.relay_denied")
        } else if text.contains("Access denied; ") {
            ("not_logged_in", "policy.not_authenticated")
        } else if text.contains("not owned by user") {
            ("sender_mismatch", "policy.sender_login_mismatch")
        } else {
            return self.class("other_reject");
        };
        self.class(class);
        self.cause(cause, 1);
    }

    fn accepted(&mut self, session: &mut Session, user: &str) {
        let account = self.truth.accounts.entry(user.to_owned()).or_default();
        account.messages += 1;
        account.auth_ok += u64::from(!session.named);
        let ip = session.ip.clone().expect("an address");
        self.tally(Some(&ip), |t| t.messages += 1);
        let row = (ip.clone(), user.to_owned());
        if let (Some((failures, by_user)), false) =
            (self.history.get(&ip), session.named || self.rows.contains_key(&row))
        {
            let named = |name: Option<String>| by_user.get(&name).copied().unwrap_or(0);
            let recovered = Recovered {
                client_ip: ip,
                username: user.to_owned(),
                failures: *failures,
                failures_same_user: named(None) + named(Some(user.to_owned())),
                messages: 0,
            };
            self.rows.insert(row.clone(), recovered);
        }
        if let Some(recovered) = self.rows.get_mut(&row) {
            recovered.messages += 1;
        }
        session.named = true;
    }

    fn remember(&mut self, ip: Option<&str>, user: Option<String>, n: u64) {
        let Some(ip) = ip else { return };
        let (all, by_user) = self.history.entry(ip.to_owned()).or_default();
        *all += n;
        *by_user.entry(user).or_default() += n;
    }

    fn tally(&mut self, ip: Option<&str>, change: impl FnOnce(&mut Tally)) {
        if let Some(ip) = ip {
            change(self.truth.clients.entry(ip.to_owned()).or_default());
        }
    }

    fn class(&mut self, class: &str) {
        add(&mut self.truth.classes, class, 1);
    }

    fn cause(&mut self, cause: &str, n: u64) {
        add(&mut self.truth.causes, cause, n);
    }
}

fn add(counts: &mut BTreeMap<String, u64>, key: &str, n: u64) {
    *counts.entry(key.to_owned()).or_default() += n;
}

/// The address in `name[addr]` or `name[addr]:port`.
fn ip(who: &str) -> Option<String> {
    let (_, rest) = who.split_once('[').expect("an address");
    let (ip, _) = rest.split_once(']').expect("an address");
    (ip != "unknown").then(|| ip.to_owned())
}

fn unfold(message: &str) -> (u64, &str) {
    let folded = message.strip_prefix("message repeated ").and_then(|m| m.split_once(" times: [ "));
    match folded {
        Some((times, text)) => (times.parse().expect("a number"), text.strip_suffix(']').expect("a bracket")),
        None => (1, message),
    }
}

fn moment(stamp: &str, settings: &Settings) -> String {
    if settings.stamp == Stamp::Rfc3339 {
        return format!("{:.6}", stamp.parse::<jiff::Timestamp>().expect("a stamp"));
    }
    let year = i32::from(settings.start.year()) + i32::from(settings.start.month() == 12 && stamp.starts_with("Jan"));
    let time = jiff::civil::DateTime::strptime("%Y %b %d %H:%M:%S", format!("{year} {stamp}")).expect("a stamp");
    format!("{:.6}", time.to_zoned(jiff::tz::TimeZone::UTC).expect("a time").timestamp())
}
