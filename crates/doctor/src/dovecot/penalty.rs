//! Dovecot's penalty for addresses with failed logins: is it on, and whom does it hit now?
//!
//! Source: Dovecot `src/auth/auth-penalty.c`, `src/anvil/penalty.c`; `doveadm-penalty(1)`.

use std::net::IpAddr;

use crate::check::Check;
use crate::doveconf::Block;
use crate::examine::Look;
use crate::kinds::PENALTY;

const OFF: &str =
    "off for everybody: service anvil { unix_listener anvil-auth-penalty { mode = 0 } }, then: doveadm reload";

pub(super) fn check(look: &Look<'_>, config: &Block) -> Check {
    let command = look.host.dovecot_words("doveadm", "penalty");
    let listener = config
        .service("anvil")
        .into_iter()
        .flat_map(|anvil| anvil.all("unix_listener"))
        .find(|block| block.name == "anvil-auth-penalty");
    if listener.is_some_and(Block::is_off) {
        return Check::ok(&PENALTY, "the penalty is off").command(command);
    }
    let check = match look.host.run("doveadm", &look.host.dovecot_arguments(&["penalty"])) {
        Ok(answer) if answer.succeeded() => judge(&rows(&answer.output), look.request.client),
        Ok(answer) => Check::unknown(
            &PENALTY,
            format!("the penalty is on; whom it hits cannot be seen: {}", answer.last_complaint()),
        )
        .look("run this as root, with Dovecot running"),
        Err(why) => Check::unknown(&PENALTY, format!("the penalty is on; whom it hits cannot be seen: {why}")),
    };
    check.command(command)
}

/// Addresses with their penalty.
fn rows(text: &str) -> Vec<(IpAddr, u32)> {
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        // A network of IPv6 may be written with its length.
        let address = words.next()?.split('/').next()?.parse().ok()?;
        Some((address, words.next()?.parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

fn judge(rows: &[(IpAddr, u32)], client: Option<IpAddr>) -> Check {
    let hit: Vec<&(IpAddr, u32)> = rows.iter().filter(|(_, penalty)| *penalty > 0).collect();
    let seen =
        hit.iter().take(8).map(|(address, penalty)| format!("{address}: {penalty}")).collect::<Vec<_>>().join(", ");
    let own = client.and_then(|client| hit.iter().find(|(address, _)| same(*address, client)));
    let check = if let Some((address, penalty)) = own {
        Check::fault(&PENALTY, format!("the client {address} is being delayed (penalty {penalty}): its logins are lost after 10 s, right ones too"))
            .look("it wears off when the failures stop; find the device with the wrong password")
            .fix(OFF)
    } else if let Some((address, _)) = hit.iter().find(|(address, _)| maillog::is_inside(*address)) {
        Check::warn(&PENALTY, format!("{address} is being delayed: the address of a proxy, a gateway or this host, so it hits everybody behind it"))
            .look("let the proxy name the client: smtpd_upstream_proxy_protocol (haproxy), or XCLIENT")
            .fix(OFF)
    } else if hit.is_empty() {
        Check::ok(&PENALTY, "on, and nobody is being delayed")
    } else {
        Check::ok(&PENALTY, format!("on; addresses being delayed: {}", hit.len()))
    };
    check.seen(if seen.is_empty() { "no penalties".to_owned() } else { seen })
}

/// Penalties are kept by IPv4 address, and by /48 for IPv6.
fn same(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V6(one), IpAddr::V6(other)) => one.segments().iter().take(3).eq(other.segments().iter().take(3)),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status::{self, Fault, Ok as Fine, Warn};

    #[test]
    fn whom_it_hits() {
        let text = "IP                       penalty last_penalty        last_update\n203.0.113.9                    3 2026-11-22 10:00:00 10:00:00\n2001:db8:1::                   2 2026-11-22 10:00:00 10:00:00\n";
        let check = |text: &str, client: Option<&str>, expected: Status| {
            assert_eq!(
                judge(&rows(text), client.map(|client| client.parse().unwrap())).status,
                expected,
                "{text} {client:?}"
            );
        };
        check("", None, Fine);
        check(text, None, Fine);
        check(text, Some("203.0.113.9"), Fault);
        check(text, Some("203.0.113.10"), Fine);
        check(text, Some("2001:db8:1:2::3"), Fault);
        check("10.0.0.5 1 x", None, Warn);
        check("172.17.0.1 2 x\n", None, Warn);
        check("10.0.0.5 0 x", None, Fine);
        check("nonsense\n\u{1b}[31m 5\n10.0.0.5 many", None, Fine);
    }
}
