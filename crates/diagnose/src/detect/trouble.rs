//! Settings that keep people out, and what else the log gives away: `mechanism_mismatch`, `tls_before_auth`,
//! `wrong_port_or_not_logged_in`, `relay_denied_while_logged_in`, `hidden_source`, `secrets_in_log`.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::finding::{Finding, Kind, plural};
use super::rows::{ClientRow, Name, Relaying, Spelled};
use super::source::Source;
use super::{Detector, Told, variants};
use crate::causes::by_id;

/// A device that sends without a login comes back so often at least, over so long, in microseconds.
const RELAY_VISITS: u32 = 4;
const RELAY_LASTS: i64 = 3_600 * 1_000_000;
/// It may be somebody who looks for an open relay, and is patient.
const RELAYS_AS_USER: f32 = 0.7;
/// Evidence lines of one finding.
const EVIDENCE: usize = 3;

/// Lines that hold credentials.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Secrets {
    lines: u64,
    first: i64,
    last: i64,
    proofs: Vec<u32>,
}

impl Secrets {
    pub(crate) fn add(&mut self, time: i64, proof: impl FnOnce() -> Option<u32>) {
        if self.lines == 0 {
            self.first = time;
        }
        self.lines += 1;
        self.last = self.last.max(time);
        if self.proofs.len() < EVIDENCE {
            self.proofs.extend(proof());
        }
    }
}

type Row<'a> = (Source, &'a ClientRow);

/// All of these.
pub(crate) fn findings(detector: &Detector, told: &Told, found: &mut Vec<Finding>) {
    let rows = detector.ranked();
    let attacks = |source: &Source| {
        matches!(told.clients.get(source), Some(Kind::Guessing | Kind::DistributedAttack | Kind::AccountTakeover))
    };
    let of = |count: fn(&ClientRow) -> u32| -> Vec<Row<'_>> {
        rows.iter().filter(|(source, row)| count(row) > 0 && !attacks(source)).copied().collect()
    };
    // Junk for a mechanism is a scanner's: nobody's program is set up so.
    let mut refused = of(|row| row.rare().mechanism_refused);
    refused.retain(|(_, row)| is_mechanism(detector.word_of(row.rare().refused_mechanism)));
    found.extend(mechanisms(detector, &refused));
    found.extend(tls(detector, &of(|row| row.rare().no_tls)));
    let mut own = OwnDomains::default();
    let mut wrong = of(|row| row.rare().not_logged_in + row.rare().wrong_port + row.relays());
    wrong.retain(|(_, row)| row.rare().not_logged_in + row.rare().wrong_port > 0 || own.relays(detector, row));
    found.extend(wrong_port(detector, &wrong, &mut own));
    found.extend(relay(detector, &of(|row| row.rare().relay_denied)));
    found.extend(rows.iter().filter_map(|row| hidden(detector, *row)));
    found.extend(secrets(detector));
}

/// A finding about all these clients at once, `None` if there are none.
fn about(detector: &Detector, kind: Kind, rows: &[Row<'_>]) -> Option<Finding> {
    let from = rows.iter().map(|(_, row)| row.first).min()?;
    let to = rows.iter().map(|(_, row)| row.last).max()?;
    let mut finding = Finding::new(kind, kind.name().to_owned(), (from, to));
    finding.clients = rows.iter().flat_map(|(source, row)| detector.addresses(*source, row)).collect();
    finding.evidence = detector.evidence(rows.iter().flat_map(|(_, row)| row.proofs.first()).take(EVIDENCE));
    finding.accounts = accounts(detector, rows);
    Some(finding)
}

/// Whose devices these are: who else logs in from there.
fn accounts(detector: &Detector, rows: &[Row<'_>]) -> Vec<Spelled> {
    let names = rows.iter().flat_map(|(_, row)| row.names.iter().take(8).chain(row.ok_names.iter().take(8)));
    let mut accounts: Vec<Spelled> = names.filter_map(|name: &Name| detector.spelled(*name)).collect();
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

fn sum(rows: &[Row<'_>], count: fn(&ClientRow) -> u32) -> u64 {
    rows.iter().map(|(_, row)| u64::from(count(row))).sum()
}

fn mechanisms(detector: &Detector, rows: &[Row<'_>]) -> Option<Finding> {
    let mut finding = about(detector, Kind::MechanismMismatch, rows)?;
    let mut words: Vec<String> = rows
        .iter()
        .map(|(_, row)| detector.word_of(row.rare().refused_mechanism))
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    words.sort();
    words.dedup();
    words.truncate(5);
    let total = sum(rows, |row| row.rare().mechanism_refused);
    finding.confidence = 0.9;
    finding.counts = vec![("auth_failed", total)];
    finding.summary = format!(
        "{} a mechanism that is not offered ({}{})",
        plural(rows.len() as u64, "client wants", "clients want"),
        plural(total, "failure", "failures"),
        if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) }
    );
    Some(finding.steps_of(by_id("client.mechanism_unsupported")))
}

/// Whether a mechanism may be called so (RFC 4422, section 3.1): clients can write anything there.
fn is_mechanism(word: &[u8]) -> bool {
    (1..=20).contains(&word.len())
        && word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn tls(detector: &Detector, rows: &[Row<'_>]) -> Option<Finding> {
    let mut finding = about(detector, Kind::TlsBeforeAuth, rows)?;
    let total = sum(rows, |row| row.rare().no_tls);
    let users = rows.iter().filter(|(_, row)| row.ok > 0).count();
    finding.confidence = if users > 0 { 0.9 } else { 0.75 };
    finding.counts = vec![("auth_refused", total), ("clients_that_log_in_otherwise", users as u64)];
    finding.summary = format!(
        "{} tried before TLS was on and refused without a line of their own (auth=0/1 at disconnect)",
        plural(total, "login was", "logins were")
    );
    let finding =
        finding.advise(&[], &["do not switch smtpd_tls_auth_only off: passwords would cross the network in clear"]);
    Some(finding.steps_of(by_id("tls.auth_before_starttls")))
}

/// Domains whose accounts log in here; looked up when somebody first asks, as few logs need them.
#[derive(Default)]
pub(crate) struct OwnDomains(Option<HashSet<Vec<u8>>>);

impl OwnDomains {
    /// Whether a source that never logs in comes back again and again to send as one of one's own users: a printer, a program. Whoever
    /// looks for open relays does not come back, or sends as several.
    pub(crate) fn relays(&mut self, detector: &Detector, row: &ClientRow) -> bool {
        let returns = |relaying: &&Relaying| {
            !relaying.others
                && relaying.cadence.visits() >= RELAY_VISITS
                && relaying.last - relaying.first >= RELAY_LASTS
        };
        row.ok == 0
            && row.tries() == 0
            && row
                .rare()
                .relaying
                .as_deref()
                .filter(returns)
                .is_some_and(|relaying| self.has(detector, &relaying.domain))
    }

    fn has(&mut self, detector: &Detector, domain: &[u8]) -> bool {
        let known = self.0.get_or_insert_with(|| {
            let accounts = detector.accounts.values().filter(|row| row.is_in_use());
            let default =
                detector.settings.default_domain.iter().map(|domain| domain.to_ascii_lowercase().into_bytes());
            accounts.map(|row| variants::domain(&row.name)).chain(default).collect()
        });
        !domain.is_empty() && known.contains(domain)
    }
}

fn wrong_port(detector: &Detector, rows: &[Row<'_>], own: &mut OwnDomains) -> Option<Finding> {
    let mut finding = about(detector, Kind::WrongPortOrNotLoggedIn, rows)?;
    let (refused, port) = (sum(rows, |row| row.rare().not_logged_in), sum(rows, |row| row.rare().wrong_port));
    let relaying: Vec<Row<'_>> = rows.iter().filter(|(_, row)| own.relays(detector, row)).copied().collect();
    let relays = sum(&relaying, ClientRow::relays);
    finding.confidence = if refused + port > 0 { 0.9 } else { RELAYS_AS_USER };
    finding.counts = vec![("not_logged_in", refused), ("wrong_port", port)];
    if relays > 0 {
        finding.counts.push(("relay_denied", relays));
    }
    let mut parts = Vec::new();
    if refused > 0 {
        parts.push(format!(
            "{} tried to send on a service for mail users without logging in ({})",
            plural(rows.iter().filter(|(_, row)| row.rare().not_logged_in > 0).count() as u64, "client", "clients"),
            plural(refused, "refusal", "refusals")
        ));
    }
    if port > 0 {
        parts.push(format!("{} of mail users on port 25, which takes none", plural(port, "login", "logins")));
    }
    if relays > 0 {
        parts.push(format!(
            "{} to send through port 25 without logging in, as a user of a domain of yours ({})",
            plural(relaying.len() as u64, "client tries", "clients try"),
            plural(relays, "refusal to relay", "refusals to relay")
        ));
    }
    finding.summary = parts.join("; ");
    let finding = finding.advise(&[], &["this is no failed login: resetting the password does not help"]);
    Some(finding.steps_of(by_id(if refused > 0 { "policy.not_authenticated" } else { "client.wrong_port_25" })))
}

fn relay(detector: &Detector, rows: &[Row<'_>]) -> Option<Finding> {
    let mut finding = about(detector, Kind::RelayDeniedWhileLoggedIn, rows)?;
    let total = sum(rows, |row| row.rare().relay_denied);
    finding.confidence = 0.95;
    finding.counts = vec![("relay_denied", total)];
    finding.summary = format!(
        "{} refused to relay although the client was logged in: a rule comes before permit_sasl_authenticated",
        plural(total, "recipient was", "recipients were")
    );
    Some(finding.advise(
        &[
            "Postfix: postconf smtpd_relay_restrictions smtpd_recipient_restrictions; postconf -P '*/inet/smtpd_*_restrictions' (permit_sasl_authenticated must stand before the rule that rejects, in each service)",
        ],
        &["the login worked: do not reset the password"],
    ))
}

/// A private address with many people behind it, some of whom fail and some get in.
fn hidden(detector: &Detector, (source, row): Row<'_>) -> Option<Finding> {
    let mut people: Vec<u64> = row.ok_names.iter().chain(&row.names).map(|name| name.0).collect();
    people.sort_unstable();
    people.dedup();
    let many = people.len() >= detector.thresholds().gateway_accounts as usize;
    let most = u64::from(row.ok) * 2 >= detector.logins && row.ok > 0 || row.ok == 0 && row.tries() > 0;
    if !source.is_inside() || !many || row.tries() == 0 || !most {
        return None;
    }
    let mut finding = about(detector, Kind::HiddenSource, &[(source, row)])?;
    finding.id = format!("gateway-{}", source.ip());
    finding.confidence = if row.ok > 0 { 0.85 } else { 0.7 };
    finding.counts = vec![
        ("usernames", people.len() as u64),
        ("auth_ok", u64::from(row.ok)),
        ("auth_failed", u64::from(row.failed)),
        ("held_off", u64::from(row.held_off)),
    ];
    finding.summary = format!(
        "{} stand behind the private address {}: a proxy, container gateway or webmail hides who they are",
        plural(people.len() as u64, "login name", "login names"),
        source
    );
    Some(finding.decided(detector, &["gateway_accounts"]).advise(
        &[
            "let Postfix see the real client: smtpd_upstream_proxy_protocol = haproxy behind a proxy, XCLIENT from a webmail, host networking or the userland proxy off in containers",
            "Dovecot delays all of them together: see the cause backend.penalty",
        ],
        &["do not ban this address: everybody behind it is cut off"],
    ))
}

fn secrets(detector: &Detector) -> Option<Finding> {
    let Secrets { lines, first, last, ref proofs } = detector.secrets;
    let mut finding = Finding::new(Kind::SecretsInLog, "secrets_in_log".to_owned(), (first, last));
    finding.confidence = 0.95;
    finding.counts = vec![("lines", lines)];
    finding.summary = format!(
        "{} credentials (shown here as [redacted])",
        plural(lines, "line of the log holds", "lines of the log hold")
    );
    finding.evidence = detector.evidence(proofs.iter().copied());
    (lines > 0).then(|| {
        finding.advise(
            &[
                "Dovecot: doveconf auth_verbose_passwords auth_debug_passwords; set both to no",
                "Postfix: no -v in master.cf, empty debug_peer_list; smtpd_forbid_unauth_pipelining = yes",
                "restrict who may read the log, and shred old copies",
            ],
            &["do not post these lines anywhere"],
        )
    })
}
