//! The lines that tell of a client, a network or an account.
//!
//! Its own sessions and mails, of an account also all sessions of the clients that used its name; and what the tracer and the diagnosis
//! take into account besides: backends' lines near its failures, who else lost the backend then, and who had logged in before.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use query::{Entry, Expr, Query};
use store::index::{Kept, Pick};

use super::mail::Trail;
use super::parts::{add_first, all, any, begins, during, event, net, says, values, word};
use super::sessions::Sessions;
use crate::subject::Subject;

/// How far from a failure lines may stand that can be taken for what a backend says of it: several times what the tracer allows, so that
/// the lines which others' failures take are among them.
const EVIDENCE_US: i64 = 20 * 1_000_000;
/// How long before a lost connection what befell the backend and others counts, and some.
const TROUBLE_US: i64 = 75 * 1_000_000;
/// Clients asked for in one go.
const AT_ONCE: usize = 200;

/// What is found out of the lines as they are picked.
#[derive(Default)]
struct Found {
    trail: Trail,
    sessions: Sessions,
    clients: BTreeSet<IpAddr>,
    /// When a backend was asked and did not say yes.
    failed: Vec<i64>,
    /// When it could not be asked.
    faults: Vec<i64>,
    /// Names that no backend knew.
    unknown_names: BTreeSet<String>,
    /// Hosts and tags whose logins were refused without a word.
    silent: BTreeSet<(String, String)>,
}

impl Found {
    fn see(&mut self, entry: &Entry, kept: &Kept) {
        self.sessions.see(entry, kept);
        self.note(entry, kept);
    }

    fn note(&mut self, entry: &Entry, kept: &Kept) {
        let Some(ts) = entry.ts else { return };
        let is = |field: &Option<String>, value: &str| field.as_deref() == Some(value);
        self.clients.extend(entry.client_ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok()));
        if is(&entry.event, "sasl_failed") {
            self.failed.push(ts);
            let lost = ["Connection lost to authentication server", "Can't connect to authentication server"];
            if entry.reason.as_deref().is_some_and(|reason| lost.iter().any(|words| reason.starts_with(words))) {
                self.faults.push(ts);
            }
        }
        if entry.attempts.is_some() || is(&entry.class, "auth_refused") {
            self.silent.extend(entry.host.clone().zip(entry.tag.clone()));
        }
        if is(&entry.cause, "cred.unknown_user") || is(&entry.cause, "cred.realm_missing") {
            self.unknown_names.extend(entry.username.clone());
        }
        // What a login handed in, and what a filter in front of the queue made of it.
        if is(&entry.event, "client") && entry.username.is_some() || is(&entry.event, "policy") {
            self.trail.see(entry, kept);
        }
    }
}

/// Picks the lines that matter for a subject.
pub(super) fn pick(subject: &Subject, pick: &mut Pick<'_>, time: &Query) {
    let mut found = Found::default();
    match subject {
        Subject::Client(asked) => {
            let own = found_sessions(pick, &mut found, vec![net("client_ip", *asked), mentions(*asked)]);
            pick_sessions(own, pick, &mut found);
            neighbours_of(pick, *asked);
        }
        Subject::Account(name) => {
            let name = String::from_utf8_lossy(name).into_owned();
            let own = found_sessions(pick, &mut found, vec![word("username", &name), owned_by(&name)]);
            pick_sessions(own, pick, &mut found);
            pick_clients(pick, &mut found);
        }
    }
    names(pick, &found, time);
    answered_before(pick, &found, time);
    backends(pick, &found);
    found.trail.follow(pick);
}

/// Picks the first lines, and gives the sessions they belong to.
fn found_sessions(pick: &mut Pick<'_>, found: &mut Found, parts: Vec<Expr>) -> Sessions {
    for part in parts {
        pick.add(&Query::of(part), |entry, kept| found.see(entry, kept));
    }
    std::mem::take(&mut found.sessions)
}

fn pick_sessions(sessions: Sessions, pick: &mut Pick<'_>, found: &mut Found) {
    sessions.pick(pick, |entry, kept| found.note(entry, kept));
}

/// Lines that name an address in their text alone.
fn mentions(asked: IpNet) -> Expr {
    match asked {
        IpNet::V4(net) if net.prefix_len() == 32 => says(&net.addr().to_string()),
        _ => any(Vec::new()),
    }
}

/// Refusals because a sender is another one's, whose name only the reply tells.
fn owned_by(name: &str) -> Expr {
    let refused = any(vec![event("reject"), event("policy")]);
    all(vec![refused, says("not owned by user"), says(name)])
}

/// Failures count for the whole network that Dovecot makes wait: of IPv6 that is a /48.
fn neighbours_of(pick: &mut Pick<'_>, asked: IpNet) {
    if let IpNet::V6(net6) = asked
        && let Ok(wide) = Ipv6Net::new(net6.addr(), net6.prefix_len().min(48))
    {
        pick.add(&Query::of(all(vec![event("sasl_failed"), net("client_ip", wide.into())])), |_, _| ());
    }
}

/// Picks everything about the clients that were seen: an account's answer has a row for each of them.
fn pick_clients(pick: &mut Pick<'_>, found: &mut Found) {
    let clients: Vec<IpAddr> = std::mem::take(&mut found.clients).into_iter().collect();
    for part in clients.chunks(AT_ONCE) {
        let mut queries = vec![any(part.iter().map(|ip| net("client_ip", IpNet::from(*ip))).collect())];
        queries.extend(part.iter().map(|ip| mentions(IpNet::from(*ip))).filter(|_| part.len() == 1));
        let mut seen = Found::default();
        let sessions = found_sessions(pick, &mut seen, queries);
        pick_sessions(sessions, pick, &mut seen);
        // Their mails are not told of: only how many there were.
        found.failed.append(&mut seen.failed);
        found.faults.append(&mut seen.faults);
        found.silent.append(&mut seen.silent);
        for ip in part.iter().filter(|ip| ip.is_ipv6()) {
            neighbours_of(pick, IpNet::from(*ip));
        }
    }
}

/// Where a name without its domain (or with one) is unknown, but the other form had logged in, that is the cause.
fn names(pick: &mut Pick<'_>, found: &Found, time: &Query) {
    if found.unknown_names.is_empty() {
        return;
    }
    let logged_in = Query::of(all(vec![event("client"), word("class", "auth_ok")])).and(time.clone());
    let known: BTreeSet<String> = values(pick, &logged_in, "username").into_iter().map(|name| local(&name)).collect();
    let tried: BTreeSet<String> = found.unknown_names.iter().map(|name| local(name)).collect();
    for name in tried.intersection(&known) {
        for form in [word("username", name), begins("username", &format!("{name}@"))] {
            add_first(pick, &logged_in.clone().and(Query::of(form)));
        }
    }
}

/// What stands before the last `@`, without case.
fn local(name: &str) -> String {
    name.rsplit_once('@').map_or(name, |(local, _)| local).to_lowercase()
}

/// Whether a service had answered AUTH before it refused one without a word.
fn answered_before(pick: &mut Pick<'_>, found: &Found, time: &Query) {
    for (host, tag) in &found.silent {
        let logged_in = all(vec![event("client"), word("class", "auth_ok")]);
        for answered in [event("sasl_failed"), event("sasl_aborted"), logged_in] {
            let query = Query::of(all(vec![word("host", host), word("tag", tag), answered]));
            add_first(pick, &query.and(time.clone()));
        }
    }
}

/// Picks what backends said near failures, who else failed then, and what befell them before connections were lost.
fn backends(pick: &mut Pick<'_>, found: &Found) {
    // Verdicts without an address may be anybody's who failed at the time.
    let nameless =
        || any(vec![event("saslauthd"), event("saslauthd_ldap"), event("pam"), says("User found from deny passdb")]);
    let failed = windows(&found.failed, EVIDENCE_US, EVIDENCE_US);
    // To look at the time of all such lines once is quicker than to look for them near each failure.
    let times = if failed.is_empty() { Vec::new() } else { pick.times(&Query::of(nameless())) };
    let holds_any =
        |(from, to): &(i64, i64)| times.get(times.partition_point(|ts| ts < from)).is_some_and(|ts| ts <= to);
    for (from, to) in failed.into_iter().filter(holds_any) {
        let mut is_any = false;
        pick.add(&Query::of(all(vec![during(from, to), nameless()])), |_, _| is_any = true);
        if is_any {
            pick.add(&Query::of(all(vec![during(from, to), event("sasl_failed")])), |_, _| ());
        }
    }
    for (from, to) in windows(&found.faults, TROUBLE_US, EVIDENCE_US) {
        let others = any(vec![event("dovecot_service"), event("sasl_failed")]);
        pick.add(&Query::of(all(vec![during(from, to), others])), |_, _| ());
    }
}

/// The stretches of time around instants, those that touch as one.
fn windows(instants: &[i64], before: i64, after: i64) -> Vec<(i64, i64)> {
    let mut instants = instants.to_vec();
    instants.sort_unstable();
    let mut windows: Vec<(i64, i64)> = Vec::new();
    for ts in instants {
        let (from, to) = (ts.saturating_sub(before), ts.saturating_add(after));
        match windows.last_mut() {
            Some(last) if from <= last.1 => last.1 = to,
            _ => windows.push((from, to)),
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_touch_are_one() {
        assert_eq!(windows(&[100, 10, 12], 5, 3), [(5, 15), (95, 103)]);
        assert_eq!(windows(&[], 5, 3), []);
    }

    #[test]
    fn a_name_without_its_domain() {
        assert_eq!((local("A@b@Example.org"), local("Info")), ("a@b".to_owned(), "info".to_owned()));
    }
}
