//! The sockets between Postfix and Dovecot: there, reachable, and the right kind.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::base_dir;
use crate::check::Check;
use crate::doveconf::Block;
use crate::examine::Look;
use crate::handshake::{Address, Failure, Mechanism, shake};
use crate::kinds::{CHROOT, HANDSHAKE, LISTENER, MECHANISM_FILTER, PERMISSION, SECURITY_OPTIONS, SOCKET};
use crate::mechanisms::{allowed, shown, words};
use crate::permission::{Obstacle, User, Wish, describe};
use crate::postfix::{Instance, Service};

/// Every socket that the instance's services ask, and what is left of its mechanisms for each service.
pub(crate) fn check(look: &Look<'_>, instance: &Instance, config: Option<&Block>) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut known: Vec<(Address, Vec<Mechanism>)> = Vec::new();
    let asks = |service: &&Service| instance.value(service, "smtpd_sasl_type") == "dovecot";
    for service in instance.login_services().filter(asks) {
        let path = instance.value(service, "smtpd_sasl_path");
        let address = Address::of_path(path, &instance.queue(), service.chroot);
        if !known.iter().any(|(other, _)| *other == address) {
            checks.extend(chroot(instance, service, path));
            checks.extend(socket(look, &address));
            checks.extend(permission(instance, &address));
            let answer = shake(&address, look.host.patience);
            checks.extend(handshake(&address, &answer));
            checks.extend(config.map(|config| listener(look, instance, config, &address, &answer)));
            known.push((address.clone(), answer.unwrap_or_default()));
        }
        let offered = known.iter().find(|(other, _)| *other == address).map(|(_, offered)| offered.as_slice());
        if let Some(offered) = offered.filter(|offered| !offered.is_empty()) {
            checks.push(security_options(look, instance, service, offered));
            checks.extend(filter(look, instance, service, offered));
        }
    }
    checks
}

/// An absolute path means another file inside the chroot.
pub(crate) fn chroot(instance: &Instance, service: &Service, path: &str) -> Option<Check> {
    if !service.chroot || path.starts_with("inet:") {
        return None;
    }
    let plain = Path::new(path.strip_prefix("unix:").unwrap_or(path));
    let Address::Unix(inside) = Address::of_path(path, &instance.queue(), true) else { return None };
    let check = if plain.is_absolute() && plain.exists() && !inside.exists() {
        Check::fault(&CHROOT, format!("the service is chrooted and cannot see {}: it would have to be {}", plain.display(), inside.display()))
            .fix(format!("let the backend listen inside the queue directory and use a relative path (private/auth), or: postconf -F '{}/chroot=n' && postfix reload", service.key()))
    } else {
        Check::ok(&CHROOT, "the socket is looked for inside the queue directory, where a chrooted service can see it")
    };
    Some(
        check
            .about(service.label())
            .seen(format!("{path} is {} in the chroot", inside.display()))
            .command("postconf -F '*/*/chroot'"),
    )
}

fn socket(look: &Look<'_>, address: &Address) -> Option<Check> {
    let Address::Unix(path) = address else { return None };
    let check = match std::fs::symlink_metadata(path).and_then(|_| std::fs::metadata(path)) {
        Ok(metadata) if metadata.file_type().is_socket() => {
            Check::ok(&SOCKET, format!("{} is there", path.display())).seen(describe(path))
        }
        Ok(_) => Check::fault(&SOCKET, format!("{} is no socket", path.display())).seen(describe(path)).fix(RESTART),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Check::unknown(&SOCKET, format!("{} may not be looked at by this user", path.display()))
                .look("run this as root")
        }
        Err(_) => Check::fault(&SOCKET, format!("{} does not exist", path.display()))
            .look(look.host.dovecot_words("doveconf", "service/auth"))
            .fix(RESTART),
    };
    Some(check.about(address.to_string()).command(format!("ls -l {}", path.display())))
}

const RESTART: &str = "systemctl restart dovecot   (it makes its sockets when it starts), then: postfix reload";

/// Whether Postfix' own user may connect.
pub(crate) fn permission(instance: &Instance, address: &Address) -> Option<Check> {
    let Address::Unix(path) = address else { return None };
    let owner = instance.main("mail_owner");
    let Some(user) = User::named(owner) else {
        return Some(Check::unknown(&PERMISSION, format!("there is no user {owner}")));
    };
    let blocked = |at: &Path, why: &str| {
        Check::fault(&PERMISSION, format!("the user {owner} {why} {}", at.display())).seen(describe(at))
    };
    let check = match user.reach(&instance.queue(), path, Wish::Connect) {
        Ok(()) => Check::ok(&PERMISSION, format!("the user {owner} may connect (computed from owner, mode and groups)")),
        Err(Obstacle::Missing(_)) => return None, // backend.socket tells
        Err(Obstacle::Unseen(at)) => {
            Check::unknown(&PERMISSION, format!("{} may not be looked at by this user", at.display())).look("run this as root")
        }
        Err(Obstacle::Folder(at)) => blocked(&at, "may not pass through").fix(format!("let {owner} pass: chgrp and chmod g+x {0}; for saslauthd: adduser {owner} sasl, then restart Postfix", at.display())),
        Err(Obstacle::Itself(at)) => blocked(&at, "may not connect to")
            .fix("Dovecot: service auth { unix_listener … { mode = 0660  user = postfix  group = postfix } }, then: doveadm reload"),
    };
    Some(check.about(address.to_string()).seen(describe(path)).command(format!("namei -l {}", path.display())))
}

fn handshake(address: &Address, answer: &Result<Vec<Mechanism>, Failure>) -> Option<Check> {
    let check = match answer {
        Ok(offered) => {
            let names: Vec<&str> = offered.iter().map(|mechanism| mechanism.name.as_str()).collect();
            Check::ok(&HANDSHAKE, format!("Dovecot answers and offers {}", names.join(" ")))
        }
        Err(Failure::Connect(ErrorKind::NotFound, _)) if matches!(address, Address::Unix(_)) => return None, // backend.socket tells
        Err(Failure::Connect(ErrorKind::PermissionDenied, _)) => {
            Check::unknown(&HANDSHAKE, "this user may not connect").look("run this as root")
        }
        Err(Failure::Connect(ErrorKind::ConnectionRefused, _)) => {
            Check::fault(&HANDSHAKE, "nobody listens on it any more")
                .fix("systemctl restart dovecot")
                .look("journalctl -u dovecot -n 50")
        }
        Err(Failure::Connect(ErrorKind::WouldBlock, _)) | Err(Failure::Silent) => {
            Check::fault(&HANDSHAKE, "it takes the connection and does not answer: hung, or full")
                .look("doveadm process status auth; doveadm service status   (client_limit?)")
                .fix("systemctl restart dovecot")
        }
        Err(Failure::Connect(_, why)) => {
            Check::fault(&HANDSHAKE, format!("cannot connect: {why}")).look("is the host and port right, and open?")
        }
        Err(Failure::Master) => Check::fault(
            &HANDSHAKE,
            "it is one of Dovecot's inner sockets (auth-userdb, auth-master), not one for clients",
        )
        .fix("point smtpd_sasl_path to a client listener, such as private/auth; postfix reload"),
        Err(Failure::Stranger(said)) => {
            Check::fault(&HANDSHAKE, format!("what answers is no auth server; it says: {said:?}"))
                .fix("point smtpd_sasl_path to Dovecot's auth listener; postfix reload")
        }
    };
    Some(check.about(address.to_string()).seen(format!("VERSION and CPID sent to {address}")).command(command(address)))
}

fn command(address: &Address) -> String {
    match address {
        Address::Unix(path) => format!("printf 'VERSION\\t1\\t1\\nCPID\\t1\\n' | timeout 3 nc -U {}", path.display()),
        Address::Inet(host) => {
            format!("printf 'VERSION\\t1\\t1\\nCPID\\t1\\n' | timeout 3 nc {}", host.replace(':', " "))
        }
    }
}

/// Whether something listens at all; for backends whose protocol has no greeting.
pub(crate) fn reachable(address: &Address, look: &Look<'_>) -> std::io::Result<()> {
    crate::handshake::connect(address, look.host.patience).map(drop)
}

/// A listener of `service auth` that clients may use.
fn listeners(config: &Block) -> Vec<(PathBuf, bool)> {
    let Some(auth) = config.service("auth") else { return Vec::new() };
    let place = |block: &Block| {
        let path = block.first(&["path"]).unwrap_or(&block.name);
        (base_dir(config).join(path), is_inner(&block.name, block.get("type")))
    };
    auth.all("unix_listener").filter(|block| !block.is_off()).map(place).collect()
}

/// Dovecot tells the kinds apart by the last part of the name; 2.4 has a setting for it.
fn is_inner(name: &str, kind: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let kind = if kind.is_empty() { file.rsplit('-').next().unwrap_or(file) } else { kind };
    matches!(kind, "master" | "userdb" | "login" | "token" | "tokenlogin")
}

fn listener(
    look: &Look<'_>,
    instance: &Instance,
    config: &Block,
    address: &Address,
    answer: &Result<Vec<Mechanism>, Failure>,
) -> Check {
    let command = look.host.dovecot_words("doveconf", "service/auth");
    let Address::Unix(path) = address else {
        return over_network(config, address).about(address.to_string()).command(command);
    };
    let all = listeners(config);
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let own = all.iter().find(|(place, _)| place == path || real(place) == real(path));
    // Dovecot's stock sockets in its own folder are not meant for Postfix.
    let for_clients: Vec<String> = all
        .iter()
        .filter(|(place, inner)| !inner && !place.starts_with(base_dir(config)))
        .map(|(place, _)| place.display().to_string())
        .collect();
    let check = match own {
        Some((_, false)) => Check::ok(&LISTENER, format!("Dovecot listens at {}", path.display())),
        Some((_, true)) => {
            Check::fault(&LISTENER, format!("{} is a listener for Dovecot's own use, by its name", path.display()))
                .fix(add(instance))
        }
        None if answer.is_ok() => {
            Check::warn(&LISTENER, format!("{} answers, but Dovecot's configuration does not name it", path.display()))
                .look("was Dovecot's configuration changed and not reloaded, or does another Dovecot answer?")
        }
        None if for_clients.is_empty() => {
            Check::fault(&LISTENER, "Dovecot has no listener for Postfix").fix(add(instance))
        }
        None => Check::fault(
            &LISTENER,
            format!("Postfix asks at {}, Dovecot listens at {}", path.display(), for_clients.join(", ")),
        )
        .fix(advice(instance, &for_clients)),
    };
    check.about(address.to_string()).seen(format!("listeners for clients: {}", for_clients.join(", "))).command(command)
}

/// A port of this host that Dovecot does not listen on; of other hosts nothing is known.
fn over_network(config: &Block, address: &Address) -> Check {
    let text = address.to_string();
    let (host, port) = text.strip_prefix("inet:").and_then(|text| text.rsplit_once(':')).unwrap_or_default();
    let local = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let auth = config.service("auth").into_iter().flat_map(|auth| auth.all("inet_listener"));
    let ports: Vec<&str> = auth.map(|block| block.get("port")).filter(|port| !matches!(*port, "" | "0")).collect();
    if local && !ports.contains(&port) {
        let own = if ports.is_empty() { "no port".to_owned() } else { format!("port {}", ports.join(", ")) };
        return Check::fault(&LISTENER, format!("Postfix asks at {text}, Dovecot's auth service listens on {own}"))
            .fix(format!(
                "service auth {{ inet_listener {{ address = 127.0.0.1  port = {port} }} }}, then: doveadm reload"
            ));
    }
    Check::ok(&LISTENER, format!("asked over the network at {text}"))
}

fn add(instance: &Instance) -> String {
    let place = instance.queue().join("private/auth");
    format!(
        "service auth {{ unix_listener {} {{ mode = 0660  user = postfix  group = postfix }} }}, then: doveadm reload",
        place.display()
    )
}

fn advice(instance: &Instance, listeners: &[String]) -> String {
    let inside = listeners.iter().find_map(|place| Path::new(place).strip_prefix(instance.queue()).ok());
    match inside {
        Some(path) => format!("postconf -e smtpd_sasl_path={} && postfix reload", path.display()),
        None => add(instance),
    }
}

fn security_options(look: &Look<'_>, instance: &Instance, service: &Service, offered: &[Mechanism]) -> Check {
    let names = |list: &[&str]| list.join(" ");
    let level = instance.tls_level(service);
    let mut phases = Vec::new();
    if matches!(level, "none" | "may") && !instance.is_on(service, "smtpd_tls_auth_only") {
        phases.push("smtpd_sasl_security_options");
    }
    if level != "none" {
        phases.push("smtpd_sasl_tls_security_options");
    }
    let mut check = Check::ok(&SECURITY_OPTIONS, "mechanisms are left");
    for name in phases {
        let value = instance.value(service, name);
        let left = allowed(offered, value);
        let next = if left.is_empty() {
            Check::fault(
                &SECURITY_OPTIONS,
                format!("{name} = {value} forbids all that the backend offers: smtpd gives up"),
            )
            .fix(format!("postconf -e '{name}=noanonymous' && postfix reload"))
        } else if left.contains(&"ANONYMOUS") {
            Check::fault(&SECURITY_OPTIONS, format!("{name} lets anybody log in without a name (ANONYMOUS)"))
                .fix(format!("postconf -e '{name}=noanonymous' && postfix reload"))
        } else {
            Check::ok(&SECURITY_OPTIONS, format!("left: {}", names(&left)))
        };
        let next = next.seen(format!("{name} = {value}; left of the backend's: {}", names(&left)));
        if next.status >= check.status {
            check = next;
        }
    }
    check
        .about(service.label())
        .command(instance.postconf(look.host, "smtpd_sasl_security_options smtpd_sasl_tls_security_options"))
}

fn filter(look: &Look<'_>, instance: &Instance, service: &Service, offered: &[Mechanism]) -> Option<Check> {
    // Before Postfix 3.6 there is no such parameter.
    let value = instance.known(service, "smtpd_sasl_mechanism_filter")?;
    let options = if instance.tls_level(service) == "none" {
        "smtpd_sasl_security_options"
    } else {
        "smtpd_sasl_tls_security_options"
    };
    let left = allowed(offered, instance.value(service, options));
    let verdicts: Option<Vec<(&str, bool)>> = left.iter().map(|name| Some((*name, shown(value, name)?))).collect();
    let check = match verdicts {
        None => Check::unknown(&MECHANISM_FILTER, format!("the filter looks mechanisms up in a table: {value}")),
        Some(verdicts) => {
            let hidden: Vec<&str> = verdicts.iter().filter(|(_, shown)| !shown).map(|(name, _)| *name).collect();
            if hidden.is_empty() {
                Check::ok(&MECHANISM_FILTER, "it hides nothing that the backend offers")
            } else if hidden.len() < left.len() {
                Check::warn(
                    &MECHANISM_FILTER,
                    format!("it hides {}, which still work: it only edits the EHLO reply", hidden.join(" ")),
                )
                .look("to forbid a mechanism, use smtpd_sasl_security_options or Dovecot's auth_mechanisms")
            } else if left.is_empty() {
                return None; // postfix.security_options tells
            } else {
                Check::fault(
                    &MECHANISM_FILTER,
                    format!("it hides all mechanisms ({}): smtpd gives up", hidden.join(" ")),
                )
                .fix("postconf -X smtpd_sasl_mechanism_filter && postfix reload   (back to the default)")
            }
        }
    };
    let shown = words(value).collect::<Vec<_>>().join(", ");
    Some(
        check
            .about(service.label())
            .seen(format!("smtpd_sasl_mechanism_filter = {shown}"))
            .command(instance.postconf(look.host, "smtpd_sasl_mechanism_filter")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doveconf::parse;

    #[test]
    fn kinds_of_listeners() {
        let check = |name: &str, kind: &str, expected| assert_eq!(is_inner(name, kind), expected, "{name} {kind}");
        check("/var/spool/postfix/private/auth", "", false);
        check("auth-client", "", false);
        check("auth-userdb", "", true);
        check("/var/spool/postfix/private/auth-master", "", true);
        check("login/login", "", true);
        check("/srv/x", "userdb", true);
        check("/srv/x-master", "auth", false);
    }

    #[test]
    fn listeners_of_a_configuration() {
        let config = parse(
            "base_dir = /run/dovecot\nservice auth {\nunix_listener auth-userdb {\nmode = 0600\n}\nunix_listener /q/private/auth {\nmode = 0660\n}\nunix_listener off {\nmode = 0\n}\n}\n",
        );
        let found: Vec<(String, bool)> =
            listeners(&config).into_iter().map(|(path, inner)| (path.display().to_string(), inner)).collect();
        assert_eq!(found, [("/run/dovecot/auth-userdb".to_owned(), true), ("/q/private/auth".to_owned(), false)]);
        assert!(listeners(&parse("")).is_empty());
        let network = parse("service auth {\ninet_listener {\nport = 10001\n}\n}\n");
        let check = |address: &str, expected| {
            assert_eq!(over_network(&network, &Address::Inet(address.to_owned())).status, expected, "{address}");
        };
        check("127.0.0.1:10001", crate::Status::Ok);
        check("localhost:10002", crate::Status::Fault);
        check("[::1]:10002", crate::Status::Fault);
        check("dovecot.example.org:10002", crate::Status::Ok);
        check("nonsense", crate::Status::Ok);
    }
}
