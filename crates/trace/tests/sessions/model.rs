//! A reader so slow and plain that it cannot be wrong: lines by process, cut at `connect` and `disconnect`, counted with loops.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::sink::play;
use crate::world::{Logged, Taste, merge, print, world};

type Counts = BTreeMap<String, u64>;

/// What one session's lines say.
#[derive(Default)]
struct Session {
    own_lines: u64,
    failed: u64,
    aborted: u64,
    limited: u64,
    too_long: u64,
    killed: u64,
    gone: bool,
    accepted: bool,
    auth: Option<(u64, u64)>,
}

impl Session {
    /// Rules 1 to 4: what has a line of its own, what only the counters tell, what the session died of.
    fn count(&self, counts: &mut Counts) {
        let mut add = |what: &str, number: u64| *counts.entry(what.to_owned()).or_default() += number;
        add("Failed", self.failed);
        add("Aborted", self.aborted);
        add("Limited(Auth)", self.limited);
        add("TooLong", self.too_long);
        add("Killed", self.killed);
        let (ok, tried) = self.auth.unwrap_or_default();
        let logins = ok.max(u64::from(self.accepted));
        add("login", logins);
        let unanswered = match self.auth {
            Some((ok, tried)) => self.gone && tried - ok > self.own_lines,
            None => self.gone && self.own_lines == 0 && logins == 0,
        };
        add("Unanswered", u64::from(unanswered));
        add("Silent", (tried - ok).saturating_sub(self.own_lines).saturating_sub(u64::from(unanswered)));
    }

    fn read(&mut self, text: &str) {
        let (times, text) = match text.strip_prefix("message repeated ") {
            Some(rest) => (rest.split(' ').next().unwrap().parse().unwrap(), rest.split_once("[ ").unwrap().1),
            None => (1, text),
        };
        let mut own_line = true;
        if text.contains(" authentication failed:") {
            self.failed += times;
        } else if text.contains(" authentication aborted") {
            self.aborted += times;
        } else if text.contains("AUTH command rate limit exceeded") {
            self.limited += times;
        } else if text.contains(": request longer than 12288") {
            self.too_long += times;
        } else {
            own_line = false;
        }
        self.own_lines += if own_line { times } else { 0 };
        self.killed += u64::from(text == "fatal: no SASL authentication mechanisms");
        self.gone |= text.contains("lost connection after AUTH") || text.contains("timeout after AUTH");
        self.accepted |= text.contains(": client=");
    }
}

/// `auth=ok/tried` of a `disconnect` line; nothing if it has no counters.
fn counters(text: &str) -> Option<(u64, u64)> {
    text.contains("commands=").then(|| {
        let auth = text.split(' ').find_map(|item| item.strip_prefix("auth=")).unwrap_or("0");
        let (ok, tried) = auth.split_once('/').unwrap_or((auth, auth));
        (ok.parse().unwrap(), tried.parse().unwrap())
    })
}

fn model(lines: &[&Logged]) -> Counts {
    let mut processes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut counts = Counts::new();
    let mut fates: BTreeMap<(String, String), String> = BTreeMap::new();
    for line in lines {
        let mut words = line.text.splitn(4, ' ');
        let (_, host, program, text) =
            (words.next(), words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        if program.contains("/smtpd[") {
            processes.entry(format!("{host} {program}")).or_default().push(text);
            *counts.entry("refusal".to_owned()).or_default() += u64::from(text.contains("reject: "));
            for what in ["accepted", "message"] {
                *counts.entry(what.to_owned()).or_default() += u64::from(text.contains(": client="));
            }
        }
        if let Some((to, status)) = text.split_once(" status=") {
            let (recipient, _) = to.split_once(", ").unwrap();
            fates.insert((host.to_owned(), recipient.to_owned()), status.split(' ').next().unwrap().to_owned());
        }
    }
    for fate in fates.into_values() {
        *counts.entry(fate).or_default() += 1;
    }
    for texts in processes.into_values() {
        let mut session = Session::default();
        for text in texts {
            if text.starts_with("connect from ") {
                std::mem::take(&mut session).count(&mut counts);
            }
            session.read(text);
            if text.starts_with("disconnect from ") {
                session.auth = counters(text);
            }
            if text.starts_with("disconnect from ") || text.starts_with("fatal: ") {
                std::mem::take(&mut session).count(&mut counts);
            }
        }
        session.count(&mut counts);
    }
    counts.retain(|_, count| *count > 0);
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_the_slow_readers(world in world(Taste { verdicts: true }), choices in vec(any::<u8>(), 1..60), one_address in any::<bool>()) {
        let lines = print(&world, one_address);
        let merged = merge(&lines, &choices, 0);
        prop_assert_eq!(play(merged.iter().copied(), true).counts, model(&merged));
    }
}
