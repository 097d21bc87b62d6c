//! The report's truth of a generated log against a slow, plain recount of its text.
//!
//! Nothing of the generator is used to read the log back: lines are cut with plain string functions, and every queue file is kept
//! until the end.

#![expect(clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

use std::collections::{BTreeMap, HashMap};

use loggen::{Counts, Destination, Messages, Ranked, Report, Settings, Stamp, generate};

#[test]
fn a_week_of_three_hosts() {
    let report = check(&Settings { bytes: 8_000_000, ..Settings::default() });
    let Messages { expired, deleted, in_queue, held, .. } = report.messages;
    assert!(expired > 3 && deleted > 0 && in_queue > 0 && held > 0, "too little happens: {:?}", report.messages);
    assert!(report.notifications > 20 && report.forwarded > 3 && report.put_on_hold > 3, "too little happens");
    assert!(report.tls_out.len() == 3 && report.tls_in.len() == 2);
}

#[test]
fn queue_ids_come_again() {
    let mut log = Vec::new();
    let settings = Settings { bytes: 20_000_000, hosts: 3, seed: 12, stamp: Stamp::Rfc3339, ..Settings::default() };
    let truth = generate(&settings, &mut log).expect("memory takes everything");
    let files = recount(&String::from_utf8(log).expect("the generator writes UTF-8")).files;
    let ids: std::collections::HashSet<(&str, &str)> =
        files.iter().map(|file| (file.host.as_str(), file.id.as_str())).collect();
    assert!(ids.len() < files.len(), "all ids differ");
    assert!(truth.report.messages.received > 1000);
}

#[test]
fn folded_day_of_many_hosts() {
    check(&Settings { bytes: 6_000_000, days: 1, hosts: 5, seed: 8, folded: true, ..Settings::default() });
}

#[test]
fn one_host_without_short_ids_twice() {
    check(&Settings { bytes: 3_000_000, days: 2, hosts: 1, seed: 6, ..Settings::default() });
}

fn check(settings: &Settings) -> Report {
    let settings = Settings { stamp: Stamp::Rfc3339, ..settings.clone() };
    let mut log = Vec::new();
    let truth = generate(&settings, &mut log).expect("memory takes everything").report;
    let log = String::from_utf8(log).expect("the generator writes UTF-8");
    let found = recount(&log).report();
    assert_eq!(truth.messages, found.messages);
    assert_eq!(truth.recipients, found.recipients);
    assert_eq!(truth, found);
    truth
}

/// One life of a queue file.
#[derive(Default)]
struct File {
    host: String,
    id: String,
    active: bool,
    gone: bool,
    deleted: bool,
    expired: bool,
    held: bool,
    /// A content filter handed it back, or an alias made it.
    copy: bool,
    /// Recipients that were tried, and their last status.
    last: BTreeMap<String, String>,
}

#[derive(Default)]
struct Recount {
    files: Vec<File>,
    /// The latest file of each host and id.
    latest: HashMap<(String, String), usize>,
    report: Report,
    senders: Counts,
    receivers: Counts,
    relays: Counts,
    delays: BTreeMap<String, Vec<u64>>,
}

fn recount(log: &str) -> Recount {
    let mut recount = Recount::default();
    for line in log.lines() {
        let mut words = line.splitn(4, ' ');
        let (stamp, host) = (words.next().expect("a stamp"), words.next().expect("a host"));
        let (tag, message) = (words.next().expect("a tag"), words.next().expect("a message"));
        let program = tag.split(['[', ':']).next().expect("a program");
        let program = program.rsplit('/').next().expect("a program");
        recount.line(stamp, host, program, message);
    }
    recount
}

impl Recount {
    fn line(&mut self, stamp: &str, host: &str, program: &str, message: &str) {
        if let Some((_, rest)) = message.split_once("TLS connection established ") {
            let (who, rest) = rest.split_once(": TLSv").expect("a version");
            let version = format!("TLSv{}", rest.split(' ').next().expect("a version"));
            let inward = who.starts_with("from ");
            add(if inward { &mut self.report.tls_in } else { &mut self.report.tls_out }, &version);
            return;
        }
        let Some((id, text)) = message.split_once(": ") else {
            return;
        };
        match program {
            "qmgr" | "postsuper" | "cleanup" | "bounce" => self.queue_line(stamp, host, program, id, text),
            "smtp" | "lmtp" | "virtual" | "local" | "pipe" | "discard" if text.starts_with("to=<") => {
                self.delivery(host, id, text);
            }
            "smtpd" if text.starts_with("client=localhost[127.0.0.1]") => self.file(host, id).copy = true,
            _ => {}
        }
    }

    fn queue_line(&mut self, stamp: &str, host: &str, program: &str, id: &str, text: &str) {
        if text.starts_with("sender non-delivery notification: ") {
            self.report.notifications += 1;
        } else if program == "cleanup" && text.starts_with("message-id=") {
            self.file(host, id);
        } else if program == "cleanup" && text.starts_with("hold: ") {
            self.report.put_on_hold += 1;
            self.file(host, id).held = true;
        } else if text.ends_with("status=expired, returned to sender") {
            self.file(host, id).expired = true;
        } else if text == "removed" {
            let file = self.file(host, id);
            file.gone = true;
            file.deleted = program == "postsuper";
        } else if let Some(text) = text.strip_suffix(" (queue active)") {
            let file = self.file(host, id);
            if std::mem::replace(&mut file.active, true) {
                return;
            }
            let (sender, rest) = text.strip_prefix("from=<").and_then(|t| t.split_once(">, size=")).expect("a sender");
            let copy = file.copy;
            self.report.bytes += rest.split(',').next().and_then(|size| size.parse::<u64>().ok()).expect("a size");
            if !copy {
                add(&mut self.senders, sender);
            }
            add(&mut self.report.received_by_hour, &stamp[..13]);
        }
    }

    /// The queue file of that name; a new one if the last one is gone.
    fn file(&mut self, host: &str, id: &str) -> &mut File {
        let key = (host.to_owned(), id.to_owned());
        let number = match self.latest.get(&key) {
            Some(&number) if !self.files[number].gone => number,
            _ => {
                self.files.push(File { host: host.to_owned(), id: id.to_owned(), ..File::default() });
                self.latest.insert(key, self.files.len() - 1);
                self.files.len() - 1
            }
        };
        &mut self.files[number]
    }

    fn delivery(&mut self, host: &str, id: &str, text: &str) {
        let between = |before: &str, after: &str| {
            let (_, rest) = text.split_once(before).expect("a field");
            rest.split_once(after).expect("its end").0.to_owned()
        };
        let (to, relay, status) = (between("to=<", ">"), between(", relay=", ", delay="), between(", status=", " ("));
        let (seconds, fraction) = {
            let delay = between(", delay=", ", delays=");
            let (seconds, fraction) = delay.split_once('.').unwrap_or((&delay, "0"));
            (seconds.parse::<u64>().expect("seconds"), format!("{fraction:0<3}").parse::<u64>().expect("a fraction"))
        };
        if let Some((_, next)) = text.split_once("(forwarded as ") {
            self.report.forwarded += 1;
            self.file(host, next.trim_end_matches(')')).copy = true;
        }
        add(&mut self.report.deliveries, &status);
        self.file(host, id).last.insert(to.clone(), status.clone());
        if status == "sent" {
            add(&mut self.relays, relay.split('[').next().expect("a name"));
        }
        if relay.ends_with(":10024") {
            self.report.to_filter += 1;
            return;
        }
        let domain = to.rsplit_once('@').expect("a domain").1.to_owned();
        let destination = self.report.destinations.entry(domain.clone()).or_default();
        match status.as_str() {
            "sent" => {
                destination.sent += 1;
                self.delays.entry(domain).or_default().push(seconds * 1000 + fraction);
                add(&mut self.receivers, &to);
            }
            "deferred" => destination.deferred += 1,
            "bounced" => destination.bounced += 1,
            _ => panic!("{text}"),
        }
    }

    fn report(mut self) -> Report {
        for (domain, mut delays) in self.delays {
            delays.sort_unstable();
            let rank = |per_cent: usize| delays[(delays.len() * per_cent).div_ceil(100) - 1];
            let counts = self.report.destinations[&domain];
            let (p50_ms, p95_ms, p99_ms, max_ms) = (rank(50), rank(95), rank(99), rank(100));
            self.report.destinations.insert(domain, Destination { p50_ms, p95_ms, p99_ms, max_ms, ..counts });
        }
        for file in &self.files {
            let messages = &mut self.report.messages;
            let count = |yes: bool| u64::from(yes);
            messages.received += count(file.active);
            messages.removed += count(file.active && file.gone && !file.deleted);
            messages.expired += count(file.expired);
            messages.deleted += count(file.active && file.deleted);
            messages.in_queue += count(file.active && !file.gone);
            messages.never_active += count(!file.active && file.held);
            messages.held += count(!file.active && !file.gone);
            assert!(file.active || file.held, "{} {} was never active", file.host, file.id);
            for status in file.last.values() {
                let status = if file.expired && status == "deferred" { "expired" } else { status };
                add(&mut self.report.recipients, status);
            }
        }
        let (senders, receivers, relays) = (ranked(&self.senders), ranked(&self.receivers), ranked(&self.relays));
        Report { senders, receivers, relays, ..self.report }
    }
}

fn ranked(counts: &Counts) -> Vec<Ranked> {
    let mut all: Vec<(&String, &u64)> = counts.iter().collect();
    all.sort_by_key(|(name, count)| (u64::MAX - **count, (*name).clone()));
    all.into_iter().take(20).map(|(name, count)| Ranked { name: name.clone(), count: *count }).collect()
}

fn add(counts: &mut Counts, key: &str) {
    *counts.entry(key.to_owned()).or_default() += 1;
}
