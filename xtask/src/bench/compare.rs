//! The program's counts against the truth of a generated log.
//!
//! Input: [`Truth`] and the JSON of `triage` and `report`. Output: each number that differs. What the truth leaves open is not
//! compared: causes that are a matter of judgement, classes that only the program knows.

use std::collections::{BTreeMap, BTreeSet};

use loggen::{Counts, Destination, Messages, Recovered, Report, Tally, Truth};
use serde_json::Value;

/// At most so many differences of one kind are printed.
const SHOWN: usize = 12;

/// How far a delay may be off, as a part of it: the program's sketch promises one in a hundred.
const DELAY_ERROR: f64 = 0.01;

/// Classes of logins and rejects; of these the truth knows every one.
const CLASSES: &[&str] = &[
    "auth_failed",
    "backend_fault",
    "auth_refused",
    "auth_aborted",
    "auth_ok",
    "rate_limited",
    "not_logged_in",
    "relay_denied",
    "sender_mismatch",
    "other_reject",
    "relayhost_auth_failed",
    "tls_failed",
];

/// What was compared, and what differs.
#[derive(Default)]
pub(crate) struct Comparison {
    compared: u64,
    differences: BTreeMap<&'static str, Vec<String>>,
    notes: Vec<String>,
}

impl Comparison {
    /// Nothing differs.
    pub(crate) fn exact(&self) -> bool {
        self.differences.is_empty()
    }

    /// Something to tell that is no difference.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Prints `exact`, or each difference.
    pub(crate) fn print(&self) {
        for note in &self.notes {
            println!("note: {note}");
        }
        if self.exact() {
            println!("exact ({} numbers compared)", self.compared);
        }
        for (kind, differences) in &self.differences {
            println!("{kind}: {} differ", differences.len());
            for difference in differences.iter().take(SHOWN) {
                println!("  {difference}");
            }
            if differences.len() > SHOWN {
                println!("  and {} more", differences.len() - SHOWN);
            }
        }
    }

    fn number(&mut self, kind: &'static str, what: &str, truth: u64, answer: u64) {
        self.compared += 1;
        if truth != answer {
            self.differences.entry(kind).or_default().push(format!("{what}: {answer}, truth {truth}"));
        }
    }

    /// `triage --json --top 0`.
    pub(crate) fn triage(&mut self, truth: &Truth, answer: &Value) {
        self.coverage(truth, &answer["coverage"]);
        for class in CLASSES {
            self.number("classes", class, count(&truth.classes, class), number(at(&answer["classes"], class)));
        }
        self.number("sessions_killed", "sessions_killed", truth.sessions_killed, number(&answer["sessions_killed"]));
        self.causes(truth, &counts(&answer["causes"]));
        self.all_counts("mechanisms", &truth.mechanisms, &upper(&answer["mechanisms"]));
        self.all_counts("services", &truth.services, &counts(&answer["services"]));
        self.tallies("clients", "client_ip", &truth.clients, &answer["clients"]);
        self.tallies("accounts", "username", &truth.accounts, &answer["accounts"]);
        self.recovered(&truth.recovered, &answer["recovered"]);
        let denied = rows(&answer["relay_denied"]).map(|row| number(&row["count"])).sum();
        self.number("relay_denied", "sum of the list", count(&truth.classes, "relay_denied"), denied);
    }

    /// `report --json`.
    pub(crate) fn report(&mut self, truth: &Truth, answer: &Value) {
        self.coverage(truth, &answer["coverage"]);
        let Messages { received, removed, expired, in_queue, .. } = truth.report.messages;
        let messages = [("received", received), ("removed", removed), ("expired", expired), ("in_queue", in_queue)];
        for (what, wanted) in messages {
            self.number("messages", what, wanted, number(at(&answer["messages"], what)));
        }
        for (kind, counts) in [("recipients", &truth.report.recipients), ("deliveries", &truth.report.deliveries)] {
            for status in ["sent", "deferred", "bounced", "expired"] {
                self.number(kind, status, count(counts, status), number(at(&answer[kind], status)));
            }
        }
        let rejects = counts(&answer["rejects"]).values().sum();
        self.number("rejects", "of all kinds", truth.rejects.values().sum(), rejects);
        self.report_details(&truth.report, answer);
    }

    /// What is no part of the contract's core: compared where it is given.
    fn report_details(&mut self, truth: &Report, answer: &Value) {
        let messages = &answer["messages"];
        let Messages { deleted, held, never_active, .. } = truth.messages;
        let given = [
            ("deleted", deleted),
            ("held", held),
            ("never_active", never_active),
            ("bytes", truth.bytes),
            ("notices", truth.notifications),
        ];
        for (what, wanted) in given.into_iter().filter(|(what, _)| messages.get(what).is_some()) {
            self.number("messages", what, wanted, number(at(messages, what)));
        }
        for (way, versions) in [("in", &truth.tls_in), ("out", &truth.tls_out)] {
            let handshakes = at(at(&answer["tls"], way), "handshakes");
            if handshakes.is_object() {
                self.all_counts("tls", versions, &counts(handshakes));
            }
        }
        for row in rows(&answer["destinations"]) {
            let domain = at(row, "domain").as_str().unwrap_or_default();
            self.destination(domain, truth.destinations.get(domain).copied().unwrap_or_default(), row);
        }
    }

    /// Deliveries to one domain; delays may be off by what the program says of its sketch.
    fn destination(&mut self, domain: &str, truth: Destination, row: &Value) {
        for (status, wanted) in [("sent", truth.sent), ("deferred", truth.deferred), ("bounced", truth.bounced)] {
            self.number("destinations", &format!("{domain} {status}"), wanted, number(at(row, status)));
        }
        let delays = [("p50", truth.p50_ms), ("p95", truth.p95_ms), ("p99", truth.p99_ms), ("max", truth.max_ms)];
        for (name, wanted) in delays {
            let given = at(at(row, "delivery_time"), name).as_f64();
            let Some(given) = given.filter(|_| truth.sent > 0) else {
                continue;
            };
            self.compared += 1;
            let wanted = wanted as f64 / 1000.0;
            if (given - wanted).abs() > wanted * DELAY_ERROR + 0.001 {
                let differences = self.differences.entry("delays").or_default();
                differences.push(format!("{domain} {name}: {given}, truth {wanted}"));
            }
        }
    }

    fn coverage(&mut self, truth: &Truth, coverage: &Value) {
        self.number("coverage", "lines", truth.lines, number(&coverage["lines"]));
        self.number("coverage", "unknown", 0, number(&coverage["unknown"]));
        for (what, truth) in [("from", &truth.from), ("to", &truth.to)] {
            self.compared += 1;
            let given = at(coverage, what).as_str().unwrap_or_default();
            let moment = |text: &str| text.parse::<jiff::Timestamp>().ok();
            if moment(given).is_none() || moment(given) != moment(truth) {
                let differences = self.differences.entry("coverage").or_default();
                differences.push(format!("{what}: {given:?}, truth {truth:?}"));
            }
        }
    }

    /// Causes that the text makes certain; lost connections only as a sum, since their causes are a matter of judgement.
    fn causes(&mut self, truth: &Truth, answer: &Counts) {
        for (cause, n) in &truth.causes {
            self.number("causes", cause, *n, count(answer, cause));
        }
        let certain = |cause: &str| truth.causes.contains_key(cause);
        let judged =
            answer.iter().filter(|(cause, _)| cause.starts_with("backend.") && !certain(cause)).map(|(_, n)| n).sum();
        self.number("causes", "lost connections to the backend, all causes", truth.connection_lost_total, judged);
    }

    fn all_counts(&mut self, kind: &'static str, truth: &Counts, answer: &Counts) {
        let keys: BTreeSet<&String> = truth.keys().chain(answer.keys()).collect();
        for key in keys {
            self.number(kind, key, count(truth, key), count(answer, key));
        }
    }

    fn tallies(&mut self, kind: &'static str, key: &str, truth: &BTreeMap<String, Tally>, answer: &Value) {
        let answers: BTreeMap<String, &Value> =
            rows(answer).map(|row| (at(row, key).as_str().unwrap_or_default().to_lowercase(), row)).collect();
        let names: BTreeSet<&String> = truth.keys().chain(answers.keys()).collect();
        let (none, nobody) = (Value::Null, Tally::default());
        for name in names {
            let row = answers.get(name).copied().unwrap_or(&none);
            for (field, wanted) in fields(truth.get(name).unwrap_or(&nobody)) {
                // Some fields are no part of the contract: compared where they are given.
                let optional = field == "auth_aborted" || (kind == "accounts" && field == "sessions_killed");
                if !optional || row.get(field).is_some() {
                    self.number(kind, &format!("{name} {field}"), wanted, number(at(row, field)));
                }
            }
        }
    }

    fn recovered(&mut self, truth: &[Recovered], answer: &Value) {
        let name = |ip: &str, user: &str| format!("{ip} {}", user.to_lowercase());
        let text = |row: &Value, key: &str| at(row, key).as_str().unwrap_or_default().to_owned();
        // The truth has the logins that the log names; a row without a name (decision 0001) is not among them.
        let named = || rows(answer).filter(|row| !at(row, "username").is_null());
        let answers: BTreeMap<String, &Value> =
            named().map(|row| (name(&text(row, "client_ip"), &text(row, "username")), row)).collect();
        let wanted: BTreeMap<String, &Recovered> =
            truth.iter().map(|row| (name(&row.client_ip, &row.username), row)).collect();
        self.number("recovered", "rows", wanted.len() as u64, named().count() as u64);
        for (key, row) in &wanted {
            let Some(answer) = answers.get(key) else {
                self.differences.entry("recovered").or_default().push(format!("{key}: missing"));
                continue;
            };
            self.number("recovered", &format!("{key} failures"), row.failures, number(&answer["failures"]));
            let same = number(&answer["failures_same_user"]);
            self.number("recovered", &format!("{key} failures_same_user"), row.failures_same_user, same);
            let messages = rows(&answer["messages"]).count() as u64;
            self.number("recovered", &format!("{key} messages"), row.messages, messages);
        }
        for key in answers.keys().filter(|key| !wanted.contains_key(*key)) {
            self.differences.entry("recovered").or_default().push(format!("{key}: not in the truth"));
        }
    }
}

fn fields(tally: &Tally) -> [(&'static str, u64); 7] {
    let Tally { auth_failed, backend_fault, auth_refused, auth_aborted, auth_ok, messages, sessions_killed } = *tally;
    [
        ("auth_failed", auth_failed),
        ("backend_fault", backend_fault),
        ("auth_refused", auth_refused),
        ("auth_aborted", auth_aborted),
        ("auth_ok", auth_ok),
        ("messages", messages),
        ("sessions_killed", sessions_killed),
    ]
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn at<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&Value::Null)
}

/// A missing number is 0.
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn count(counts: &Counts, key: &str) -> u64 {
    counts.get(key).copied().unwrap_or(0)
}

fn counts(value: &Value) -> Counts {
    value.as_object().into_iter().flatten().map(|(key, n)| (key.clone(), number(n))).collect()
}

fn upper(value: &Value) -> Counts {
    counts(value).into_iter().map(|(key, n)| (key.to_uppercase(), n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer_for(truth: &Truth) -> Value {
        let rows = |key: &str, tallies: &BTreeMap<String, Tally>| -> Value {
            let row = |(name, tally): (&String, &Tally)| {
                let mut row: serde_json::Map<_, _> =
                    fields(tally).into_iter().map(|(k, n)| (k.to_owned(), n.into())).collect();
                row.insert(key.to_owned(), json!(name));
                Value::Object(row)
            };
            tallies.iter().map(row).collect()
        };
        let recovered: Value = truth
            .recovered
            .iter()
            .map(|r| {
                let messages: Vec<Value> = (0..r.messages).map(|_| json!({})).collect();
                json!({ "client_ip": r.client_ip, "username": r.username, "failures": r.failures,
                        "failures_same_user": r.failures_same_user, "messages": messages })
            })
            .collect();
        let mut causes = truth.causes.clone();
        causes.insert("backend.penalty".to_owned(), truth.connection_lost_total);
        json!({
            "coverage": { "lines": truth.lines, "unknown": 0, "from": truth.from, "to": truth.to },
            "classes": truth.classes, "sessions_killed": truth.sessions_killed, "causes": causes,
            "mechanisms": truth.mechanisms, "services": truth.services,
            "clients": rows("client_ip", &truth.clients), "accounts": rows("username", &truth.accounts),
            "recovered": recovered, "relay_denied": [{ "count": truth.classes.get("relay_denied") }],
        })
    }

    fn made() -> Truth {
        let settings = loggen::Settings { bytes: 400_000, ..loggen::Settings::default() };
        loggen::generate(&settings, std::io::sink()).expect("nowhere to fail")
    }

    fn destinations(report: &Report) -> Value {
        let row = |(domain, d): (&String, &Destination)| {
            let seconds = |ms: u64| ms as f64 / 1000.0;
            let delays = json!({ "p50": seconds(d.p50_ms), "p95": seconds(d.p95_ms), "p99": seconds(d.p99_ms), "max": seconds(d.max_ms) });
            json!({ "domain": domain, "sent": d.sent, "deferred": d.deferred, "bounced": d.bounced, "delivery_time": delays })
        };
        report.destinations.iter().map(row).collect()
    }

    /// The kinds that differ.
    fn differences(compare: impl FnOnce(&mut Comparison)) -> Vec<&'static str> {
        let mut comparison = Comparison::default();
        compare(&mut comparison);
        comparison.differences.into_keys().collect()
    }

    #[test]
    fn a_report_is_compared_number_by_number() {
        let truth = made();
        let report = &truth.report;
        let answer = json!({
            "coverage": { "lines": truth.lines, "unknown": 0, "from": truth.from, "to": truth.to },
            "messages": report.messages, "recipients": report.recipients, "deliveries": report.deliveries,
            "rejects": truth.rejects,
            "tls": { "in": { "handshakes": report.tls_in }, "out": { "handshakes": report.tls_out } },
            "destinations": destinations(report),
        });
        assert!(differences(|comparison| comparison.report(&truth, &answer)).is_empty());
        for (path, kind) in [
            ("/messages/received", "messages"),
            ("/messages/in_queue", "messages"),
            ("/recipients/sent", "recipients"),
            ("/deliveries/deferred", "deliveries"),
            ("/rejects/rbl", "rejects"),
            ("/messages/held", "messages"),
            ("/tls/in/handshakes/TLSv1.3", "tls"),
            ("/destinations/0/deferred", "destinations"),
            ("/destinations/0/delivery_time/p95", "delays"),
        ] {
            let mut changed = answer.clone();
            *changed.pointer_mut(path).expect(path) = json!(999_999);
            assert_eq!(differences(|comparison| comparison.report(&truth, &changed)), [kind], "{path}");
        }
    }

    #[test]
    fn the_truth_itself_is_exact_and_every_change_shows() {
        let truth = made();
        let answer = answer_for(&truth);
        assert!(differences(|comparison| comparison.triage(&truth, &answer)).is_empty());
        for (path, kind) in [
            ("/coverage/lines", "coverage"),
            ("/classes/auth_failed", "classes"),
            ("/causes/cred.undifferentiated", "causes"),
            ("/causes/backend.penalty", "causes"),
            ("/mechanisms/LOGIN", "mechanisms"),
            ("/services/submission", "services"),
            ("/clients/0/auth_failed", "clients"),
            ("/accounts/0/messages", "accounts"),
            ("/recovered/0/failures", "recovered"),
        ] {
            let mut changed = answer.clone();
            *changed.pointer_mut(path).expect(path) = json!(999_999);
            assert_eq!(differences(|comparison| comparison.triage(&truth, &changed)), [kind], "{path}");
        }
    }
}
