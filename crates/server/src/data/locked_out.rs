//! Who tried to log in and did not get in, attackers left out: counted logins go in, rows of people and devices come out; those who seem to have
//! mistyped last, and of each the latest first.
//!
//! It stands beside the triage's own lists because those begin with whoever failed most, and on any server in the open these are attackers.

use std::collections::HashSet;
use std::net::IpAddr;

use answers::mask::Mask;
use diagnose::detect::Kind;
use diagnose::{AccountTally, ClientTally, Finding, Tally, Verdict};
use query::rfc3339;
use serde_json::{Value, json};

/// Rows told; how many there are is told anyhow.
const ROWS: usize = 50;

/// `{"count", "rows": [{"username", "client_ip", "failures", "last", "verdict"}]}`.
pub(super) fn told(tally: &Tally, findings: &[Finding], mask: Mask) -> Value {
    let hostile = Hostile::of(tally, findings);
    let accounts = tally.accounts.values().filter_map(|account| hostile.account_row(account, mask));
    let clients = tally.clients.iter().filter_map(|(ip, client)| hostile.client_row(*ip, client, mask));
    let mut rows: Vec<Row> = accounts.chain(clients).collect();
    rows.sort_by_cached_key(|row| row.json.to_string());
    rows.sort_by(|a, b| (a.verdict == Verdict::Mistyped, b.last).cmp(&(b.verdict == Verdict::Mistyped, a.last)));
    let count = rows.len();
    let rows: Vec<Value> = rows.into_iter().take(ROWS).map(|row| row.json).collect();
    json!({"count": count, "rows": rows})
}

struct Row {
    verdict: Verdict,
    last: i64,
    json: Value,
}

/// What tells attackers from people.
struct Hostile<'t> {
    tally: &'t Tally,
    clients: HashSet<IpAddr>,
}

impl<'t> Hostile<'t> {
    fn of(tally: &'t Tally, findings: &[Finding]) -> Self {
        let attacks = findings.iter().filter(|finding| is_attack(finding.kind));
        Self { tally, clients: attacks.flat_map(|finding| finding.clients.iter().copied()).collect() }
    }

    fn is_client(&self, ip: IpAddr) -> bool {
        let verdict = self.tally.clients.get(&ip).map(|client| self.tally.client_verdict(ip, client));
        let is_hostile = matches!(verdict, Some(Verdict::Attack | Verdict::Suspicious | Verdict::TakenOver));
        is_hostile || self.clients.contains(&ip)
    }

    /// A name that never got in, or a device of it that does not, tried from somewhere that is no attacker's.
    fn account_row(&self, account: &AccountTally, mask: Mask) -> Option<Row> {
        let verdict = self.tally.account_verdict(account);
        if account.counts.failures() == 0 || (account.counts.auth_ok > 0 && verdict != Verdict::StaleClient) {
            return None;
        }
        let ip = self.tally.failing_clients(account).into_iter().find(|ip| !self.is_client(*ip))?;
        let name = mask.name(&String::from_utf8_lossy(&account.username));
        Some(row(Some(name), Some(ip), account.counts.failures(), account.last, verdict, mask))
    }

    /// An address whose failures name nobody, as Postfix before 3.9 logs them and as a backend that is down leaves them.
    fn client_row(&self, ip: IpAddr, client: &ClientTally, mask: Mask) -> Option<Row> {
        let failures = client.counts.failures() + u64::from(client.counts.sessions_killed);
        let got_in = client.last_ok().is_some_and(|ok| client.last_failure().is_none_or(|failure| failure < ok));
        if failures == 0 || client.usernames() > 0 || got_in || self.is_client(ip) {
            return None;
        }
        Some(row(None, Some(ip), failures, client.last, self.tally.client_verdict(ip, client), mask))
    }
}

fn row(username: Option<String>, ip: Option<IpAddr>, failures: u64, last: i64, verdict: Verdict, mask: Mask) -> Row {
    let json = json!({
        "username": username, "client_ip": ip.map(|ip| mask.ip(ip)), "failures": failures, "last": rfc3339(last), "verdict": verdict.name(),
    });
    Row { verdict, last, json }
}

/// Findings that tell of somebody hostile.
fn is_attack(kind: Kind) -> bool {
    matches!(kind, Kind::AccountTakeover | Kind::DistributedAttack | Kind::Guessing | Kind::Spraying)
}

#[cfg(test)]
mod tests {
    use answers::reading::{Input, Reading};

    use super::*;

    /// Names and addresses of a recording's people who could not log in.
    fn of(scenario: &str) -> Vec<String> {
        let log = format!("{}/../../corpus/{scenario}/mail.log", env!("CARGO_MANIFEST_DIR"));
        let reading = Reading::of_files(&Input { files: vec![log.into()], ..Input::default() }).unwrap();
        let triaged = answers::triage::triage(reading).unwrap();
        let told = told(&triaged.tally, &triaged.findings, Mask(false));
        let rows = told["rows"].as_array().unwrap();
        assert_eq!(told["count"], rows.len());
        let word = |row: &Value| row["username"].as_str().or(row["client_ip"].as_str()).unwrap().to_owned();
        let mut words: Vec<String> = rows.iter().map(word).collect();
        words.sort();
        words
    }

    #[test]
    fn people_are_told_from_attackers() {
        assert_eq!(of("backend_socket_missing"), ["2001:db8:1::7", "203.0.113.20", "203.0.113.51"]);
        // Guessed names are nobody's who cannot log in; who failed and got in then can.
        assert_eq!(of("guessing_from_many_sources"), [""; 0]);
        assert_eq!(of("corrected_then_sent"), [""; 0]);
        assert_eq!(of("unknown_user"), ["alice@example.com", "alise@example.test", "scanner@example.test"]);
    }
}
