//! Holds findings against the truth: `triage --json --top 0` and [`Staged`] go in, recall and precision per kind come out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Staged;

/// Kinds that accuse.
const ATTACKS: [&str; 4] = ["guessing", "spraying", "distributed_attack", "account_takeover"];
/// So much of an attack's sources must be told of.
const COVERED: f64 = 0.8;

/// Found, of how many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    /// How many were found, or right.
    pub hits: u64,
    /// Of how many.
    pub of: u64,
}

impl Share {
    fn add(&mut self, hit: bool) {
        self.hits += u64::from(hit);
        self.of += 1;
    }

    /// From 0 to 1; 1 of none.
    #[must_use]
    pub fn part(self) -> f64 {
        if self.of == 0 { 1.0 } else { self.hits as f64 / self.of as f64 }
    }
}

/// The sum over logs.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Staged attacks that some finding tells of, by kind.
    pub recall: BTreeMap<String, Share>,
    /// Findings of a kind that are right, by kind.
    pub precision: BTreeMap<String, Share>,
    /// Honest addresses in findings that advise a ban.
    pub honest_banned: u64,
    /// Attackers that a finding advises to ban, of the addresses that attack alone.
    pub banned: Share,
    /// Taken-over accounts that are told of, and accounts told of that were not.
    pub takeovers: Share,
    /// See `takeovers`.
    pub false_takeovers: u64,
    /// Accounts times weeks.
    pub account_weeks: f64,
    /// What was missed or wrong, in words.
    pub notes: Vec<String>,
}

impl Score {
    /// Adds one log.
    pub fn add(&mut self, truth: &Staged, answer: &Value, log: &str) {
        let findings = answer.get("findings").and_then(Value::as_array).cloned().unwrap_or_default();
        let findings: Vec<Told> = findings.iter().map(Told::of).collect();
        self.attacks(truth, &findings, log);
        self.people(truth, &findings, log);
        self.takeovers(truth, &findings, log);
        self.right(truth, &findings, log);
        self.account_weeks += truth.accounts as f64 * f64::from(truth.days) / 7.0;
    }

    fn note(&mut self, log: &str, text: String) {
        self.notes.push(format!("{log}: {text}"));
    }

    fn attacks(&mut self, truth: &Staged, findings: &[Told], log: &str) {
        let accused: BTreeSet<&str> = findings
            .iter()
            .filter(|told| ATTACKS.contains(&told.kind.as_str()))
            .flat_map(|told| told.clients.iter().map(String::as_str))
            .collect();
        let banned: BTreeSet<&str> =
            findings.iter().filter(|told| told.ban).flat_map(|told| told.clients.iter().map(String::as_str)).collect();
        for attack in &truth.attacks {
            let told = attack.clients.iter().filter(|ip| accused.contains(ip.as_str())).count();
            let found = told as f64 >= attack.clients.len() as f64 * COVERED;
            self.recall.entry(attack.kind.clone()).or_default().add(found);
            if !found {
                self.note(log, format!("missed: {} ({told} told of) {:?}", attack.manner, attack.clients.first()));
            }
            if attack.clients.len() == 1 {
                self.banned.add(attack.clients.iter().all(|ip| banned.contains(ip.as_str())));
            }
        }
    }

    fn people(&mut self, truth: &Staged, findings: &[Told], log: &str) {
        for told in findings.iter().filter(|told| told.ban) {
            for ip in told.clients.iter().filter(|ip| truth.honest.contains(*ip)) {
                self.honest_banned += 1;
                self.note(log, format!("honest and banned: {ip} by {}", told.id));
            }
        }
        for (ip, account) in &truth.stale {
            let found = findings.iter().any(|told| {
                told.kind == "stale_client" && told.clients.contains(ip) && told.accounts.contains(account)
                    || told.kind == "shared_office" && told.clients.contains(ip)
            });
            self.recall.entry("stale_client".to_owned()).or_default().add(found);
            if !found {
                self.note(log, format!("missed: stale client {ip} {account}"));
            }
        }
        for ip in &truth.offices {
            let found = findings.iter().any(|told| told.kind == "shared_office" && told.clients.contains(ip));
            self.recall.entry("shared_office".to_owned()).or_default().add(found);
            if !found {
                self.note(log, format!("missed: office {ip}"));
            }
        }
        for (from, to, manner) in &truth.outages {
            let found = findings.iter().any(|told| told.is_outage() && told.from <= *to && told.to >= *from);
            self.recall.entry("backend_outage".to_owned()).or_default().add(found);
            if !found {
                self.note(log, format!("missed: outage {manner} {from}"));
            }
        }
        for kind in &truth.others {
            let found = findings.iter().any(|told| told.kind == *kind);
            self.recall.entry(kind.clone()).or_default().add(found);
            if !found {
                self.note(log, format!("missed: {kind}"));
            }
        }
    }

    fn takeovers(&mut self, truth: &Staged, findings: &[Told], log: &str) {
        let told: BTreeSet<&str> = findings
            .iter()
            .filter(|told| told.kind == "account_takeover")
            .flat_map(|told| told.accounts.iter().map(String::as_str))
            .collect();
        for (account, manner) in &truth.takeovers {
            let found = told.contains(account.as_str());
            self.takeovers.add(found);
            if !found {
                self.note(log, format!("missed: takeover {manner} {account}"));
            }
        }
        for account in told {
            if !truth.takeovers.iter().any(|(known, _)| known == account) {
                self.false_takeovers += 1;
                self.note(log, format!("not taken over: {account}"));
            }
        }
    }

    /// Whether each finding is about what it says.
    fn right(&mut self, truth: &Staged, findings: &[Told], log: &str) {
        let hostile: BTreeSet<&str> =
            truth.attacks.iter().flat_map(|attack| attack.clients.iter().map(String::as_str)).collect();
        for told in findings {
            let guilty = told.clients.iter().filter(|ip| hostile.contains(ip.as_str())).count();
            let right = match told.kind.as_str() {
                "guessing" | "spraying" | "distributed_attack" => 2 * guilty >= told.clients.len(),
                "stale_client" | "shared_office" => guilty == 0,
                "backend_outage" => truth.outages.iter().any(|(from, to, _)| told.from <= *to && told.to >= *from),
                _ => continue,
            };
            self.precision.entry(told.kind.clone()).or_default().add(right);
            if !right {
                self.note(log, format!("wrong: {} {:?}", told.id, told.clients.first()));
            }
        }
    }

    /// Recall over all attacks.
    #[must_use]
    pub fn attack_recall(&self) -> Share {
        let kinds = ["guessing", "spraying", "distributed_attack"];
        kinds
            .iter()
            .filter_map(|kind| self.recall.get(*kind))
            .fold(Share::default(), |sum, share| Share { hits: sum.hits + share.hits, of: sum.of + share.of })
    }

    /// False flags for 1,000 accounts in a week.
    #[must_use]
    pub fn false_flags(&self) -> f64 {
        self.false_takeovers as f64 * 1_000.0 / self.account_weeks.max(1.0)
    }

    /// What is not as it must be, in words; nothing if all is well.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let recall = self.attack_recall();
        if recall.part() < 0.98 {
            complaints.push(format!("{} of {} staged attacks are told of: less than 0.98", recall.hits, recall.of));
        }
        if self.honest_banned > 0 {
            complaints.push(format!("{} honest addresses are advised to be banned", self.honest_banned));
        }
        if self.takeovers.part() < 0.95 {
            complaints.push(format!(
                "{} of {} takeovers are told of: less than 0.95",
                self.takeovers.hits, self.takeovers.of
            ));
        }
        if self.false_flags() > 1.0 {
            complaints
                .push(format!("{:.2} false takeovers for 1,000 accounts and week: more than 1", self.false_flags()));
        }
        complaints
    }
}

/// A finding as JSON tells it.
struct Told {
    id: String,
    kind: String,
    clients: Vec<String>,
    accounts: Vec<String>,
    ban: bool,
    from: u64,
    to: u64,
}

impl Told {
    fn of(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = |key: &str| -> Vec<String> {
            let rows = value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            rows.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let second = |key: &str| text(key).parse::<jiff::Timestamp>().map_or(0, |time| time.as_second().max(0) as u64);
        Self {
            id: text("id"),
            kind: text("kind"),
            clients: list("clients"),
            accounts: list("accounts"),
            ban: value.get("ban").and_then(Value::as_bool).unwrap_or(false),
            from: second("from"),
            to: second("to"),
        }
    }

    fn is_outage(&self) -> bool {
        matches!(self.kind.as_str(), "backend_outage" | "config_fault")
    }
}
