//! `blocklist`: findings go in; the addresses whose ban is advised come out as the fewest networks that hold these and no others,
//! each with its reasons. For a firewall's own list: nothing is blocked here.
//!
//! Left out are networks of one's own, addresses from which anybody ever logged in, and loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use diagnose::{Finding, Kind, Tally};
use ipnet::{IpNet, Ipv6Net};
use serde_json::{Value, json};

/// An IPv6 customer has at least so much: whoever guesses from one address of it has them all (RFC 6177).
const IPV6_PREFIX: u8 = 64;

/// Why an address of one's own is left out.
const OWN: &str = "a network of your own";

/// A network to block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The network: exactly what is advised, merged.
    pub net: IpNet,
    /// Findings that advise it.
    pub findings: BTreeSet<String>,
    /// Their kinds.
    pub kinds: BTreeSet<&'static str>,
    /// Failures from there.
    pub failures: u64,
}

/// The list, and what was left out of it.
#[derive(Clone, Debug, Default)]
pub struct Blocklist {
    /// In the order of addresses.
    pub blocked: Vec<Blocked>,
    /// Advised and left out all the same, with the reason.
    pub left_out: Vec<(IpAddr, &'static str)>,
}

/// Makes the list. `own`: never on it.
#[must_use]
pub fn blocklist(findings: &[Finding], tally: &Tally, own: &[IpNet]) -> Blocklist {
    let mut list = Blocklist::default();
    let mut reasons: BTreeMap<IpAddr, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        for ip in &finding.clients {
            if finding.ban {
                reasons.entry(*ip).or_default().push(finding);
            } else if is_one_guesser(finding) && is_own(*ip, own) {
                list.left_out.push((*ip, OWN));
            }
        }
    }
    let used = networks_in_use(tally);
    let mut wanted: Vec<IpNet> = Vec::new();
    for ip in reasons.keys() {
        match left_out(*ip, tally, own) {
            Some(reason) => list.left_out.push((*ip, reason)),
            None => wanted.push(widened(*ip, &used, own)),
        }
    }
    let kept = |ip: &IpAddr| !list.left_out.iter().any(|(out, _)| out == ip);
    for net in IpNet::aggregate(&wanted) {
        let inside: Vec<(&IpAddr, &Vec<&Finding>)> =
            reasons.iter().filter(|(ip, _)| net.contains(*ip) && kept(ip)).collect();
        list.blocked.push(Blocked {
            net,
            findings: inside.iter().flat_map(|(_, of)| of.iter().map(|finding| finding.id.clone())).collect(),
            kinds: inside.iter().flat_map(|(_, of)| of.iter().map(|finding| finding.kind.name())).collect(),
            failures: inside
                .iter()
                .filter_map(|(ip, _)| tally.clients.get(*ip))
                .map(|client| client.counts.failures())
                .sum(),
        });
    }
    list.blocked.sort_by_key(|blocked| blocked.net);
    list
}

/// Of such a finding a ban would be advised, if it were a stranger's address.
fn is_one_guesser(finding: &Finding) -> bool {
    matches!(finding.kind, Kind::Guessing | Kind::Spraying)
}

fn is_own(ip: IpAddr, own: &[IpNet]) -> bool {
    own.iter().any(|net| net.contains(&ip))
}

fn left_out(ip: IpAddr, tally: &Tally, own: &[IpNet]) -> Option<&'static str> {
    if ip.is_loopback() || ip.is_unspecified() {
        return Some("this host itself");
    }
    if is_own(ip, own) {
        return Some(OWN);
    }
    let logged_in = tally.clients.get(&ip).is_some_and(|client| client.counts.auth_ok > 0);
    logged_in.then_some("somebody logged in from there")
}

/// IPv6 networks from which somebody logged in.
fn networks_in_use(tally: &Tally) -> BTreeSet<IpNet> {
    let good = tally.clients.iter().filter(|(_, client)| client.counts.auth_ok > 0);
    good.filter_map(|(ip, _)| ipv6_network(*ip)).collect()
}

fn ipv6_network(ip: IpAddr) -> Option<IpNet> {
    match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Ipv6Net::new(v6, IPV6_PREFIX).ok().map(|net| IpNet::V6(net.trunc())),
    }
}

/// The address, or its whole IPv6 network if nobody of ours is in it.
fn widened(ip: IpAddr, used: &BTreeSet<IpNet>, own: &[IpNet]) -> IpNet {
    let overlaps = |net: &IpNet| own.iter().any(|mine| net.contains(mine) || mine.contains(net));
    ipv6_network(ip).filter(|net| !used.contains(net) && !overlaps(net)).unwrap_or_else(|| IpNet::from(ip))
}

/// The list as plain lines: a network each, remarks behind a `#` on lines of their own.
#[must_use]
pub fn to_text(list: &Blocklist) -> String {
    let mut out = String::from("# Networks whose ban postfix-insights advises; --json tells why.\n");
    for (ip, reason) in &list.left_out {
        out += &format!("# left out: {ip}: {reason}\n");
    }
    for blocked in &list.blocked {
        out += &format!("{}\n", blocked.net);
    }
    out
}

/// The list as JSON.
#[must_use]
pub fn to_json(list: &Blocklist) -> Value {
    let blocked = |blocked: &Blocked| json!({"net": blocked.net.to_string(), "kinds": blocked.kinds, "findings": blocked.findings, "failures": blocked.failures});
    json!({
        "blocked": list.blocked.iter().map(blocked).collect::<Vec<_>>(),
        "left_out": list.left_out.iter().map(|(ip, reason)| json!({"client_ip": ip.to_string(), "reason": reason})).collect::<Vec<_>>(),
    })
}
