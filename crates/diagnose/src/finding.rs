//! What a person should know now: each finding with who, since when, how sure, the lines that prove it, what to do and
//! what not to do. Made from a [`Tally`]; the same log gives the same findings.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;
use std::rc::Rc;

use crate::cause::Cause;
use crate::causes::by_id;
use crate::tally::{AccountTally, ClientTally, Incident, Proof, RelayWhy, Tally};
use crate::verdict::{MANY_CLIENTS, MANY_FAILURES, MANY_NAMES, Verdict, client_verdict};

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The SASL backend is or was at fault.
    BackendOutage,
    /// A login that guessed its way in.
    AccountTakeover,
    /// One account, many addresses.
    DistributedAttack,
    /// One address, few names, many tries.
    Guessing,
    /// One address, many names.
    Spraying,
    /// A device with an old password.
    StaleClient,
    /// Several people behind one address.
    SharedOffice,
    /// A client that wants a mechanism we do not offer.
    MechanismMismatch,
    /// Logins without TLS where TLS is demanded.
    TlsBeforeAuth,
    /// Mail users on the wrong port, or who never log in.
    WrongPortOrNotLoggedIn,
    /// Refused to relay though logged in.
    RelayDeniedWhileLoggedIn,
    /// Credentials stand in the log.
    SecretsInLog,
    /// A setting that makes logins impossible.
    ConfigFault,
}

impl Kind {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BackendOutage => "backend_outage",
            Self::AccountTakeover => "account_takeover",
            Self::DistributedAttack => "distributed_attack",
            Self::Guessing => "guessing",
            Self::Spraying => "spraying",
            Self::StaleClient => "stale_client",
            Self::SharedOffice => "shared_office",
            Self::MechanismMismatch => "mechanism_mismatch",
            Self::TlsBeforeAuth => "tls_before_auth",
            Self::WrongPortOrNotLoggedIn => "wrong_port_or_not_logged_in",
            Self::RelayDeniedWhileLoggedIn => "relay_denied_while_logged_in",
            Self::SecretsInLog => "secrets_in_log",
            Self::ConfigFault => "config_fault",
        }
    }
}

/// What a person should know.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Stable name: kind and subject.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// 0 to 1.
    pub confidence: f32,
    /// First and last time, microseconds since 1970 UTC.
    pub from: i64,
    /// See `from`.
    pub to: i64,
    /// Addresses concerned.
    pub clients: Vec<IpAddr>,
    /// Accounts concerned.
    pub accounts: Vec<Box<[u8]>>,
    /// Numbers that matter.
    pub counts: Vec<(&'static str, u64)>,
    /// One sentence. Holds no text of the log's but addresses.
    pub summary: String,
    /// Banning `clients` is advised.
    pub ban: bool,
    /// Lines that prove it.
    pub evidence: Vec<Rc<Proof>>,
    /// What to do next.
    pub next: Vec<Cow<'static, str>>,
    /// What not to do.
    pub avoid: Vec<Cow<'static, str>>,
}

/// All findings, the gravest first.
#[must_use]
pub fn findings(tally: &Tally) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        tally.incidents.iter().enumerate().filter_map(|(n, incident)| outage(n, incident)).collect();
    let mut clients: Vec<(&IpAddr, &ClientTally)> = tally.clients.iter().map(|(ip, client)| (ip, &**client)).collect();
    clients.sort_unstable_by_key(|(ip, client)| (std::cmp::Reverse(client.counts.failures()), **ip));
    let users = addresses_of_users(tally);
    found.extend(clients.iter().filter_map(|(ip, client)| of_client(&users, **ip, client)));
    found.extend(distributed(tally));
    found.extend(mechanisms(&clients));
    found.extend(tls_before_auth(tally, &clients));
    found.extend(not_logged_in(tally));
    found.extend(relay_while_logged_in(tally));
    found.extend(secrets(tally));
    // Sorting is stable: within a kind the order above stands.
    found.sort_by_key(|finding| finding.kind);
    found
}

/// The next steps of a cause, as lines of text.
fn steps(cause: Option<&'static Cause>) -> Vec<Cow<'static, str>> {
    cause.map(|cause| cause.next.iter().map(|check| Cow::Owned(check.to_string())).collect()).unwrap_or_default()
}

fn owned(lines: &[&'static str]) -> Vec<Cow<'static, str>> {
    lines.iter().map(|line| Cow::Borrowed(*line)).collect()
}

/// One client's odd line is no outage: either sessions died, or several clients were hit, or nobody got in meanwhile.
fn outage(number: usize, incident: &Incident) -> Option<Finding> {
    let total = incident.faults + incident.killed;
    let wide = incident.clients.len() >= 2;
    if incident.killed == 0 && !wide && (incident.ok_during > 0 || total < 2) {
        return None;
    }
    let (cause_id, _) = incident.causes.iter().max_by_key(|(_, count)| **count)?;
    let cause = by_id(cause_id);
    let kind = if cause_id.starts_with("config.") { Kind::ConfigFault } else { Kind::BackendOutage };
    let confidence: f32 = if incident.ok_during == 0 {
        0.95
    } else if wide {
        0.85
    } else {
        0.7
    };
    let title = cause.map_or("SASL backend at fault", |cause| cause.title);
    let clients = incident.clients.len();
    let hit: Vec<String> = [
        (incident.faults, "login failed", "logins failed"),
        (incident.killed, "session died", "sessions died"),
        (clients as u64, "client hit", "clients hit"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| plural(count, one, many))
    .collect();
    let summary = format!(
        "{title}: {}; {}",
        hit.join(", "),
        if incident.ok_during == 0 {
            "nobody got in meanwhile".to_owned()
        } else {
            format!("{} succeeded meanwhile", plural(incident.ok_during, "login", "logins"))
        }
    );
    Some(Finding {
        id: format!("{}-{}", kind.name(), number + 1),
        kind,
        confidence: confidence.min(cause.map_or(1.0, |c| c.confidence.max(0.7))),
        from: incident.from,
        to: incident.to,
        clients: incident.clients.clone(),
        accounts: Vec::new(),
        counts: vec![
            ("backend_fault", incident.faults),
            ("sessions_killed", incident.killed),
            ("auth_ok_meanwhile", incident.ok_during),
        ],
        summary,
        ban: false,
        evidence: incident.proofs.clone(),
        next: steps(cause),
        avoid: owned(&["do not ban these clients and do not reset passwords: nobody's password was at fault"]),
    })
}

/// Addresses that fail with an account that logs in, here or elsewhere.
fn addresses_of_users(tally: &Tally) -> HashSet<IpAddr> {
    let in_use = tally.accounts.values().filter(|account| account.counts.auth_ok > 0);
    in_use.flat_map(|account| account.failing_clients().into_iter().map(|(ip, _)| ip)).collect()
}

/// What one client's behaviour amounts to.
fn of_client(users: &HashSet<IpAddr>, ip: IpAddr, client: &ClientTally) -> Option<Finding> {
    let many_names = client.usernames() >= MANY_NAMES;
    match client_verdict(client) {
        Verdict::TakenOver => Some(takeover(ip, client)),
        Verdict::Attack if many_names => Some(attack(users, ip, client, Kind::Spraying)),
        Verdict::Attack => Some(attack(users, ip, client, Kind::Guessing)),
        Verdict::StaleClient => Some(stale(users, ip, client)),
        Verdict::Office if client.counts.auth_failed > 0 => Some(office(ip, client)),
        _ => None,
    }
}

fn base(kind: Kind, ip: IpAddr, client: &ClientTally, confidence: f32, summary: String) -> Finding {
    Finding {
        id: format!("{}-{ip}", kind.name()),
        kind,
        confidence,
        from: client.first,
        to: client.last,
        clients: vec![ip],
        accounts: client.ok_accounts.clone(),
        counts: vec![
            ("auth_failed", client.counts.auth_failed),
            ("auth_ok", client.counts.auth_ok),
            ("usernames", client.usernames() as u64),
            ("messages", client.messages),
        ],
        summary,
        ban: false,
        evidence: client.proofs.clone(),
        next: Vec::new(),
        avoid: Vec::new(),
    }
}

fn takeover(ip: IpAddr, client: &ClientTally) -> Finding {
    let summary = format!(
        "{ip} failed {} and then got in; {} sent since",
        plural(client.failures_before_ok, "time", "times"),
        plural(client.messages, "message", "messages")
    );
    let next = owned(&[
        "look at the messages it sent (client view), stop what is still queued (postqueue -p)",
        "ask the owner whether the login was theirs; if not, change the password and end open sessions",
        "then ban the address",
    ]);
    Finding {
        next,
        avoid: owned(&["do not only ban the address: whoever has the password comes back from another"]),
        ..base(Kind::AccountTakeover, ip, client, 0.7, summary)
    }
}

/// Private and loopback addresses are ours, or a gateway in front of us: a ban would hit everybody behind it.
fn may_ban(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local()),
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

/// One or two names that are in use, tried no faster than a mail program retries: it may be a user's device, whatever the
/// number of tries.
fn may_be_a_user(users: &HashSet<IpAddr>, ip: IpAddr, client: &ClientTally) -> bool {
    let minutes = ((client.last - client.first) / 60_000_000).max(1);
    let per_minute = i64::try_from(client.counts.auth_failed).unwrap_or(i64::MAX) / minutes;
    client.usernames() <= 2 && users.contains(&ip) && per_minute < TRIES_PER_MINUTE
}

/// A mail program with a wrong password tries a few times a minute at most.
const TRIES_PER_MINUTE: i64 = 6;

fn attack(users: &HashSet<IpAddr>, ip: IpAddr, client: &ClientTally, kind: Kind) -> Finding {
    let names = match client.usernames() {
        0 => "names not logged".to_owned(),
        names => plural(names as u64, "name", "names"),
    };
    let summary =
        format!("{ip} failed {} ({names}) and never got in", plural(client.counts.auth_failed, "time", "times"));
    let sure = client.usernames() >= MANY_NAMES || client.counts.auth_failed >= 2 * MANY_FAILURES;
    let user = may_be_a_user(users, ip, client);
    let confidence = match (user, sure) {
        (true, _) => 0.6,
        (false, true) => 0.95,
        (false, false) => 0.8,
    };
    let (next, avoid) = match (user, may_ban(ip)) {
        (true, _) => (
            owned(&["ask the owner of the account whether a device of theirs has an old password"]),
            owned(&["do not ban it before you know: the account is in use elsewhere"]),
        ),
        (false, true) => (owned(&["ban the address, or let fail2ban do it (jail postfix-sasl)"]), Vec::new()),
        (false, false) => (
            owned(&["find out who is behind this private address: a gateway hides the real client"]),
            owned(&["do not ban a private address: everybody behind it is cut off"]),
        ),
    };
    Finding { ban: !user && may_ban(ip), next, avoid, ..base(kind, ip, client, confidence, summary) }
}

fn stale(users: &HashSet<IpAddr>, ip: IpAddr, client: &ClientTally) -> Finding {
    let every = client.cadence.period().map_or(String::new(), |period| format!(", about every {}", minutes(period)));
    let summary = format!(
        "{ip} fails again and again with the same name ({}{every}): probably a device with an old password",
        plural(client.counts.auth_failed, "time", "times")
    );
    let next = owned(&["ask the user to enter the new password on every device: phone, tablet, printer, old laptop"]);
    Finding {
        next,
        avoid: owned(&["do not ban the address: a real user is behind it"]),
        ..base(
            Kind::StaleClient,
            ip,
            client,
            if users.contains(&ip) || client.counts.auth_ok > 0 { 0.85 } else { 0.6 },
            summary,
        )
    }
}

fn office(ip: IpAddr, client: &ClientTally) -> Finding {
    let summary = format!(
        "{} log in from {ip}; {} failed",
        plural(client.ok_accounts.len() as u64, "account", "accounts"),
        plural(client.counts.auth_failed, "login", "logins")
    );
    let next = owned(&[
        "see which account fails (client view) and talk to that user",
        "put the address on fail2ban's ignoreip list if it is yours",
    ]);
    Finding {
        next,
        avoid: owned(&["do not ban the address: several people work behind it"]),
        ..base(Kind::SharedOffice, ip, client, 0.85, summary)
    }
}

/// One account, failing from many addresses none of which ever got in.
fn distributed(tally: &Tally) -> Vec<Finding> {
    let mut accounts: Vec<_> = tally
        .accounts
        .values()
        .map(|account| (account.hostile_clients(), account))
        .filter(|(hostile, _)| *hostile >= MANY_CLIENTS)
        .collect();
    accounts.sort_unstable_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.username.cmp(&y.username)));
    let finding = |(hostile, account): (usize, &AccountTally)| {
        let failing = account.failing_clients();
        let clients: Vec<IpAddr> = failing.iter().map(|(ip, _)| *ip).collect();
        let evidence: Vec<Rc<Proof>> =
            clients.iter().filter_map(|ip| tally.clients.get(ip)?.proofs.first().cloned()).take(3).collect();
        Finding {
            id: format!("distributed_attack-{:016x}", stable_hash(&account.username)),
            kind: Kind::DistributedAttack,
            confidence: 0.85,
            from: account.first,
            to: account.last,
            counts: vec![
                ("auth_failed", account.counts.auth_failed),
                ("clients", clients.len() as u64),
                ("auth_ok", account.counts.auth_ok),
            ],
            clients,
            accounts: vec![account.username.clone()],
            summary: format!(
                "one account failed from {}, none of which ever got in",
                plural(hostile as u64, "address", "addresses")
            ),
            ban: false,
            evidence,
            next: owned(&[
                "make sure the password is strong and used nowhere else; look for successes from new places",
                "limits per address do not help here: consider smtpd_client_auth_rate_limit, and a second factor or app passwords",
            ]),
            avoid: owned(&["do not lock the account: that is what the attacker would get for free"]),
        }
    };
    accounts.into_iter().map(finding).collect()
}

fn mechanisms(clients: &[(&IpAddr, &ClientTally)]) -> Option<Finding> {
    let hit: Vec<_> =
        clients.iter().filter(|(_, client)| client.mechanism_refused > 0 && client.usernames() < MANY_NAMES).collect();
    let total: u64 = hit.iter().map(|(_, client)| client.mechanism_refused).sum();
    let cause = by_id("client.mechanism_unsupported");
    let (from, to) = span(hit.iter().map(|(_, c)| (c.first, c.last)))?;
    Some(Finding {
        id: "mechanism_mismatch".to_owned(),
        kind: Kind::MechanismMismatch,
        confidence: 0.9,
        from,
        to,
        clients: hit.iter().map(|(ip, _)| **ip).collect(),
        accounts: Vec::new(),
        counts: vec![("auth_failed", total)],
        summary: format!(
            "{} asked for a mechanism that is not offered, {}",
            plural(hit.len() as u64, "client", "clients"),
            plural(total, "time", "times")
        ),
        ban: false,
        evidence: hit.iter().filter_map(|(_, c)| c.proofs.first().cloned()).take(3).collect(),
        next: steps(cause),
        avoid: Vec::new(),
    })
}

fn tls_before_auth(tally: &Tally, clients: &[(&IpAddr, &ClientTally)]) -> Option<Finding> {
    let count = tally.causes.get("tls.auth_before_starttls").copied().unwrap_or_default();
    let hit: Vec<_> = clients.iter().filter(|(_, client)| client.counts.auth_refused > 0).collect();
    let (from, to) = span(hit.iter().map(|(_, c)| (c.first, c.last)))?;
    (count > 0).then(|| Finding {
        id: "tls_before_auth".to_owned(),
        kind: Kind::TlsBeforeAuth,
        confidence: 0.75,
        from,
        to,
        clients: hit.iter().map(|(ip, _)| **ip).collect(),
        accounts: Vec::new(),
        counts: vec![("auth_refused", count)],
        summary: format!(
            "{} tried before TLS was on and refused without a line of their own (auth=0/1 at disconnect)",
            plural(count, "login was", "logins were")
        ),
        ban: false,
        evidence: hit.iter().filter_map(|(_, c)| c.proofs.first().cloned()).take(3).collect(),
        next: steps(by_id("tls.auth_before_starttls")),
        avoid: owned(&["do not switch smtpd_tls_auth_only off: passwords would cross the network in clear"]),
    })
}

fn not_logged_in(tally: &Tally) -> Option<Finding> {
    let rows = &tally.not_logged_in;
    let (from, to) = span(rows.values().map(|row| (row.first, row.last)))?;
    let count: u64 = rows.values().map(|row| row.count).sum();
    Some(Finding {
        id: "wrong_port_or_not_logged_in".to_owned(),
        kind: Kind::WrongPortOrNotLoggedIn,
        confidence: 0.9,
        from,
        to,
        clients: rows.keys().copied().flatten().collect(),
        accounts: Vec::new(),
        counts: vec![("not_logged_in", count)],
        summary: format!(
            "{} tried to send on a service for mail users without logging in ({})",
            plural(rows.len() as u64, "client", "clients"),
            plural(count, "refusal", "refusals")
        ),
        ban: false,
        evidence: rows.values().filter_map(|row| row.proof.clone()).take(3).collect(),
        next: steps(by_id("policy.not_authenticated")),
        avoid: owned(&["this is no failed login: resetting the password does not help"]),
    })
}

fn relay_while_logged_in(tally: &Tally) -> Option<Finding> {
    let rows: Vec<_> = tally.relay_denied.iter().filter(|((_, why), _)| *why == RelayWhy::LoggedInButRefused).collect();
    let (from, to) = span(rows.iter().map(|(_, row)| (row.first, row.last)))?;
    let count: u64 = rows.iter().map(|(_, row)| row.count).sum();
    Some(Finding {
        id: "relay_denied_while_logged_in".to_owned(),
        kind: Kind::RelayDeniedWhileLoggedIn,
        confidence: 0.95,
        from,
        to,
        clients: rows.iter().filter_map(|((ip, _), _)| *ip).collect(),
        accounts: rows.iter().filter_map(|(_, row)| row.username.clone()).collect(),
        counts: vec![("relay_denied", count)],
        summary: format!(
            "{} refused to relay although the client was logged in: a rule comes before permit_sasl_authenticated",
            plural(count, "recipient was", "recipients were")
        ),
        ban: false,
        evidence: rows.iter().filter_map(|(_, row)| row.proof.clone()).take(3).collect(),
        next: owned(&[
            "Postfix: postconf smtpd_relay_restrictions smtpd_recipient_restrictions; postconf -P '*/inet/smtpd_*_restrictions' (permit_sasl_authenticated must stand before the rule that rejects, in each service)",
        ]),
        avoid: owned(&["the login worked: do not reset the password"]),
    })
}

fn secrets(tally: &Tally) -> Option<Finding> {
    let (count, proofs) = &tally.secrets;
    (*count > 0).then(|| Finding {
        id: "secrets_in_log".to_owned(),
        kind: Kind::SecretsInLog,
        confidence: 0.95,
        from: 0,
        to: 0,
        clients: Vec::new(),
        accounts: Vec::new(),
        counts: vec![("lines", *count)],
        summary: format!(
            "{} credentials (shown here as [redacted])",
            plural(*count, "line of the log holds", "lines of the log hold")
        ),
        ban: false,
        evidence: proofs.clone(),
        next: owned(&[
            "Dovecot: doveconf auth_verbose_passwords auth_debug_passwords; set both to no",
            "Postfix: no -v in master.cf, empty debug_peer_list; smtpd_forbid_unauth_pipelining = yes",
            "restrict who may read the log, and shred old copies",
        ]),
        avoid: owned(&["do not post these lines anywhere"]),
    })
}

fn span(times: impl Iterator<Item = (i64, i64)>) -> Option<(i64, i64)> {
    times.reduce(|(from, to), (first, last)| (from.min(first), to.max(last)))
}

/// `3 logins failed`, `1 login failed`.
fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn minutes(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if seconds < 5_400.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

/// The same in every run: names findings about accounts without showing the name.
fn stable_hash(text: &[u8]) -> u64 {
    use std::hash::BuildHasher as _;
    foldhash::fast::FixedState::default().hash_one(text.to_ascii_lowercase())
}
