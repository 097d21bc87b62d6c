//! What a client sees: each port asked as a client would, without logging in unless a login was given.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use data_encoding::BASE64;

use crate::certificate::{Certificate, first_of_pem};
use crate::check::Check;
use crate::examine::{Login, Look};
use crate::host::read_file;
use crate::kinds::{WIRE_AUTH, WIRE_CERTIFICATE, WIRE_GREETING, WIRE_LOGIN, WIRE_TLS};
use crate::mechanisms::{is_plaintext, words};
use crate::postfix::{Instance, Service};
use crate::smtp::{Broken, Reply, Talk};
use crate::tls::Shown;

/// Ports asked, at most, for each instance.
const PORTS_MAX: usize = 16;
/// A new smtpd may wait 10 s for its backend; postscreen lets strangers wait 6 s.
const PATIENCE_MORE: Duration = Duration::from_secs(6);

/// How far a probe came.
#[derive(Debug, Default)]
struct Probe {
    greeting: Option<Result<Reply, Broken>>,
    before: Option<Result<Reply, Broken>>,
    /// TLS could be started, or why not; `None`: not tried.
    tls: Option<Result<Shown, String>>,
    after: Option<Result<Reply, Broken>>,
    login: Option<Result<Reply, Broken>>,
}

/// Asks every mail port of the instance.
pub(crate) fn check(look: &Look<'_>, instance: &Instance) -> Vec<Check> {
    let is_probed = |service: &&Service| {
        let mail = matches!(service.command.as_str(), "smtpd" | "postscreen") && service.kind == "inet";
        mail && (matches!(service.port, Some(25 | 465 | 587)) || instance.is_on(service, "smtpd_sasl_auth_enable"))
    };
    let services: Vec<&Service> = instance.services.iter().filter(is_probed).take(PORTS_MAX).collect();
    std::thread::scope(|threads| {
        let probes: Vec<_> =
            services.iter().map(|service| threads.spawn(move || of_service(look, instance, service))).collect();
        probes.into_iter().flat_map(|probe| probe.join().unwrap_or_default()).collect()
    })
}

fn of_service(look: &Look<'_>, instance: &Instance, service: &Service) -> Vec<Check> {
    let about = |check: Check| check.about(service.label());
    let Some(address) = address(look, instance, service) else {
        return vec![about(Check::unknown(&WIRE_GREETING, "its address or port is not known here"))];
    };
    let name = look.request.connect_to.as_deref().unwrap_or_else(|| instance.main("myhostname"));
    let wrapped = instance.is_on(service, "smtpd_tls_wrappermode");
    let command = command(&address, name, wrapped);
    let patience = look.host.patience + PATIENCE_MORE;
    let stream = match TcpStream::connect_timeout(&address, look.host.patience) {
        Ok(stream) => stream,
        Err(error) => {
            let check = Check::fault(&WIRE_GREETING, format!("cannot connect to {address}: {error}"))
                .look("is Postfix running, and does inet_interfaces name this address?");
            return vec![about(check.command(command))];
        }
    };
    let login = look.request.login.as_ref().filter(|_| instance.is_on(service, "smtpd_sasl_auth_enable"));
    let proxied = !instance.value(service, "smtpd_upstream_proxy_protocol").is_empty();
    let probe = probe(stream, patience, Manner { name, wrapped, proxied, login });
    let mut checks = vec![greeting(&probe, &address)];
    checks.extend(tls(instance, service, &probe));
    if instance.is_on(service, "smtpd_sasl_auth_enable") {
        checks.extend(auth(instance, service, &probe));
    }
    checks.extend(certificate(look, instance, service, &probe));
    checks.extend(login_result(&probe, login));
    checks.into_iter().map(|check| about(check.command(command.clone()))).collect()
}

/// Where the service listens, as seen from here.
fn address(look: &Look<'_>, instance: &Instance, service: &Service) -> Option<SocketAddr> {
    let port = service.port?;
    let host = match (&look.request.connect_to, service.host()) {
        (Some(host), _) => host.clone(),
        (None, Some(host)) => host.trim_matches(['[', ']']).to_owned(),
        (None, None) => match words(instance.main("inet_interfaces")).next() {
            None | Some("all" | "loopback-only") if instance.main("inet_protocols") == "ipv6" => "::1".to_owned(),
            None | Some("all" | "loopback-only") => "127.0.0.1".to_owned(),
            Some(host) => host.trim_matches(['[', ']']).to_owned(),
        },
    };
    (host.as_str(), port).to_socket_addrs().ok()?.next()
}

fn command(address: &SocketAddr, name: &str, wrapped: bool) -> String {
    let start = if wrapped { "" } else { "-starttls smtp " };
    format!("openssl s_client {start}-connect {address} -servername {name} -crlf   (then: EHLO x)")
}

/// How a service is talked to.
#[derive(Clone, Copy)]
struct Manner<'a> {
    name: &'a str,
    wrapped: bool,
    proxied: bool,
    login: Option<&'a Login>,
}

fn probe(stream: TcpStream, patience: Duration, manner: Manner<'_>) -> Probe {
    let mut probe = Probe::default();
    // An error on the way is kept where it happened; there is nothing after it.
    let _ = converse(stream, patience, manner, &mut probe);
    probe
}

/// Goes on as long as it can.
fn converse(stream: TcpStream, patience: Duration, manner: Manner<'_>, probe: &mut Probe) -> Option<()> {
    let proxy = proxy_line(&stream);
    let mut talk = keep(&mut probe.greeting, Talk::new(stream, patience))?;
    if manner.proxied {
        // The service expects a proxy in front and hangs up without its line.
        keep(&mut probe.greeting, talk.send(&proxy))?;
    }
    if manner.wrapped {
        let shown = talk.start_tls(manner.name);
        let failed = shown.is_err();
        probe.tls = Some(shown);
        if failed {
            return None;
        }
    }
    let greeting = talk.reply();
    let greeted = greeting.as_ref().is_ok_and(|reply| reply.code == 220);
    probe.greeting = Some(greeting);
    greeted.then_some(())?;
    let ehlo = talk.ask("EHLO localhost");
    let upgrade = ehlo.as_ref().is_ok_and(|reply| reply.offers("STARTTLS")) && !manner.wrapped;
    if manner.wrapped {
        probe.after = Some(ehlo);
    } else {
        probe.before = Some(ehlo);
    }
    if upgrade {
        let ready = talk.ask("STARTTLS");
        let shown = match ready {
            Ok(reply) if reply.code == 220 => talk.start_tls(manner.name),
            Ok(reply) => Err(reply.text()),
            Err(broken) => Err(broken.to_string()),
        };
        let failed = shown.is_err();
        probe.tls = Some(shown);
        if failed {
            return None;
        }
        probe.after = Some(talk.ask("EHLO localhost"));
    }
    let safe = probe.after.as_ref().is_some_and(|reply| reply.as_ref().is_ok_and(|reply| reply.mechanisms().is_some()));
    if let Some(login) = manner.login.filter(|_| safe) {
        let secret = BASE64.encode(format!("\0{}\0{}", login.user, login.password).as_bytes());
        probe.login = Some(talk.ask(&format!("AUTH PLAIN {secret}")));
    }
    let _ = talk.send("QUIT");
    Some(())
}

/// Keeps the error of a step that has no reply of its own.
fn keep<T>(place: &mut Option<Result<Reply, Broken>>, result: Result<T, Broken>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(broken) => {
            *place = Some(Err(broken));
            None
        }
    }
}

/// The line of a proxy that stands for a client of its own.
fn proxy_line(stream: &TcpStream) -> String {
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(from), Ok(to)) => {
            let kind = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            format!("PROXY {kind} {} {} {} {}", from.ip(), to.ip(), from.port(), to.port())
        }
        _ => "PROXY UNKNOWN".to_owned(),
    }
}

fn greeting(probe: &Probe, address: &SocketAddr) -> Check {
    match &probe.greeting {
        Some(Ok(reply)) if reply.code == 220 => match probe.before.as_ref().or(probe.after.as_ref()) {
            Some(Err(broken)) if probe.tls.is_none() => {
                Check::fault(&WIRE_GREETING, format!("{address} greets, and after EHLO {broken}"))
                    .look("the mail log at this second says why smtpd died")
            }
            Some(Ok(ehlo)) if ehlo.code != 250 => Check::warn(
                &WIRE_GREETING,
                format!("{address} refuses our EHLO, so nothing more can be seen: {}", ehlo.text()),
            ),
            _ => Check::ok(&WIRE_GREETING, reply.text()),
        },
        Some(Ok(reply)) => Check::warn(&WIRE_GREETING, format!("{address} turns us away: {}", reply.text())),
        Some(Err(broken)) => Check::fault(&WIRE_GREETING, format!("{address} takes the connection, and {broken}"))
            .look("the mail log at this second says why smtpd died"),
        None => Check::ok(&WIRE_GREETING, format!("{address} takes connections")),
    }
}

fn tls(instance: &Instance, service: &Service, probe: &Probe) -> Option<Check> {
    let level = instance.tls_level(service);
    match &probe.tls {
        Some(Ok(shown)) => Some(Check::ok(&WIRE_TLS, shown.version.clone())),
        Some(Err(why)) => Some(
            Check::fault(&WIRE_TLS, format!("TLS cannot be started: {why}"))
                .look("the mail log at this second says why"),
        ),
        None if level != "none" && matches!(probe.before, Some(Ok(_))) => Some(
            Check::fault(&WIRE_TLS, format!("STARTTLS is not offered, though smtpd_tls_security_level is {level}"))
                .look("the mail log at this second says why (certificate?)"),
        ),
        None => None,
    }
}

fn auth(instance: &Instance, service: &Service, probe: &Probe) -> Option<Check> {
    let early = probe.before.as_ref().and_then(|reply| reply.as_ref().ok()).and_then(Reply::mechanisms);
    let check = match &probe.after {
        Some(Err(broken)) => Check::fault(&WIRE_AUTH, format!("after TLS, {broken}"))
            .look("the mail log at this second says why smtpd died"),
        Some(Ok(reply)) if reply.code != 250 => return None, // wire.greeting tells
        Some(Ok(reply)) => match reply.mechanisms() {
            Some(names) => of_mechanisms(&names),
            None => Check::fault(&WIRE_AUTH, "AUTH is not offered, not even after TLS"),
        },
        // No TLS: whether it should be there, other checks say.
        None => match &early {
            Some(names) => of_mechanisms(names),
            None if was_greeted(&probe.before) => Check::fault(&WIRE_AUTH, "AUTH is not offered"),
            None => return None,
        },
    };
    let open =
        early.as_ref().is_some_and(|names| names.iter().any(|name| is_plaintext(name))) && !instance.is_local(service);
    let check = if open {
        Check::fault(&WIRE_AUTH, format!("AUTH is offered before TLS: {}", early.clone().unwrap_or_default().join(" ")))
            .fix(format!("postconf -P '{}/smtpd_tls_auth_only=yes' && postfix reload", service.key()))
    } else {
        check
    };
    Some(check.seen(format!("before TLS: {}", early.map_or_else(|| "no AUTH".to_owned(), |names| names.join(" ")))))
}

/// Whether EHLO was answered with the list of what is offered.
fn was_greeted(ehlo: &Option<Result<Reply, Broken>>) -> bool {
    matches!(ehlo, Some(Ok(reply)) if reply.code == 250)
}

fn of_mechanisms(names: &[String]) -> Check {
    let list = names.join(" ");
    if names.iter().any(|name| is_plaintext(name)) {
        Check::ok(&WIRE_AUTH, format!("offered: {list}"))
    } else {
        Check::warn(&WIRE_AUTH, format!("offered: {list}; neither PLAIN nor LOGIN, which clients know"))
    }
}

fn certificate(look: &Look<'_>, instance: &Instance, service: &Service, probe: &Probe) -> Option<Check> {
    let Some(Ok(shown)) = &probe.tls else { return None };
    let leaf = Certificate::of_der(shown.chain.first()?)?;
    let names = leaf.names.join(", ");
    let file = instance.value(service, "smtpd_tls_cert_file");
    // Another host's files are not here.
    let on_disk = if file.is_empty() || look.request.connect_to.is_some() {
        None
    } else {
        read_file(&instance.config.join(file)).ok().and_then(|pem| first_of_pem(&pem))
    };
    // Servers deliver whatever the name; a number or `localhost` is no name that a user has in the settings.
    let is_name = |name: &&str| name.parse::<std::net::IpAddr>().is_err() && !name.eq_ignore_ascii_case("localhost");
    let takes_logins = instance.is_on(service, "smtpd_sasl_auth_enable");
    let name = look.request.connect_to.as_deref().filter(is_name).filter(|_| takes_logins);
    let check = if leaf.not_after <= jiff::Timestamp::now().as_second() {
        Check::fault(&WIRE_CERTIFICATE, format!("clients are shown a certificate that expired on {}", leaf.end()))
            .fix("renew it, then: postfix reload")
    } else if name.is_some_and(|name| !leaf.is_for(name)) {
        Check::fault(&WIRE_CERTIFICATE, format!("the certificate is for {names}, not for {}", name.unwrap_or_default()))
            .fix("get a certificate with that name, postfix reload")
    } else if on_disk.as_ref().is_some_and(|disk| disk.der != leaf.der)
        && instance.value(service, "smtpd_tls_chain_files").is_empty()
    {
        Check::warn(
            &WIRE_CERTIFICATE,
            "clients are shown another certificate than the one on disk: it was renewed, and Postfix not reloaded",
        )
        .fix("postfix reload")
    } else if shown.chain.len() == 1 && !leaf.is_self_signed() {
        Check::warn(&WIRE_CERTIFICATE, "no intermediate certificate is sent: some clients cannot verify it")
            .fix("use the full chain (fullchain.pem) in smtpd_tls_cert_file, postfix reload")
    } else {
        Check::ok(&WIRE_CERTIFICATE, format!("{names} until {}", leaf.end()))
    };
    Some(check.seen(format!("{} certificates sent, the first for {names}", shown.chain.len())))
}

fn login_result(probe: &Probe, login: Option<&Login>) -> Option<Check> {
    let user = &login?.user;
    Some(match &probe.login {
        Some(Ok(reply)) if reply.code == 235 => Check::ok(&WIRE_LOGIN, format!("{user} can log in: {}", reply.text())),
        Some(Ok(reply)) => Check::fault(&WIRE_LOGIN, format!("{user} cannot log in: {}", reply.text()))
            .look("Dovecot's log at this second names the reason (auth_verbose)"),
        Some(Err(broken)) => Check::fault(&WIRE_LOGIN, format!("{user} cannot log in: {broken}")),
        None => Check::unknown(
            &WIRE_LOGIN,
            "not tried: no AUTH after TLS here, and a password does not go out in the clear",
        ),
    })
}
