//! The certificate files of each service, and the TLS versions it takes.
//!
//! smtpd reads them as root, before it goes into its chroot (Postfix `src/smtpd/smtpd.c`, `pre_jail_init`), so only what
//! root cannot read is unreadable.

use std::path::Path;

use super::{Instance, Service};
use crate::certificate::{Certificate, first_of_pem, key_fits, key_of_pem};
use crate::check::{Check, Status};
use crate::examine::Look;
use crate::host::read_file;
use crate::kinds::{CERTIFICATE, TLS_PROTOCOLS};
use crate::mechanisms::words;

/// A certificate that ends sooner than this should have been renewed, in seconds.
const SOON: i64 = 14 * 86_400;

pub(super) fn check(look: &Look<'_>, instance: &Instance) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut done: Vec<Vec<(&str, &str)>> = Vec::new();
    let with_tls = |service: &&Service| instance.tls_level(service) != "none";
    // Services that take logins first: of those a missing certificate is a fault.
    let logins = instance.login_services().filter(with_tls);
    let others = instance.smtpds().filter(with_tls).filter(|service| !takes_logins(instance, service));
    for service in logins.chain(others) {
        let pairs = pairs(instance, service);
        if !done.contains(&pairs) {
            checks.extend(certificate(look, instance, service, &pairs));
            done.push(pairs);
        }
        if takes_logins(instance, service) {
            checks.push(protocols(look, instance, service));
        }
    }
    checks
}

fn takes_logins(instance: &Instance, service: &Service) -> bool {
    instance.is_on(service, "smtpd_sasl_auth_enable")
}

/// Certificate and key files of a service.
fn pairs<'a>(instance: &'a Instance, service: &'a Service) -> Vec<(&'a str, &'a str)> {
    let chain = instance.value(service, "smtpd_tls_chain_files");
    if !chain.is_empty() {
        return words(chain).map(|file| (file, file)).collect();
    }
    [("smtpd_tls_cert_file", "smtpd_tls_key_file"), ("smtpd_tls_eccert_file", "smtpd_tls_eckey_file")]
        .into_iter()
        .map(|(cert, key)| (instance.value(service, cert), instance.value(service, key)))
        .filter(|(cert, _)| !cert.is_empty() && *cert != "none")
        .collect()
}

fn certificate(look: &Look<'_>, instance: &Instance, service: &Service, pairs: &[(&str, &str)]) -> Option<Check> {
    let command = match pairs.first() {
        Some((file, _)) => format!("openssl x509 -noout -subject -issuer -dates -ext subjectAltName -in {file}"),
        None => instance.postconf(look.host, "smtpd_tls_cert_file smtpd_tls_key_file smtpd_tls_chain_files"),
    };
    if pairs.is_empty() {
        // Mail between servers does without; a client's password does not.
        let check = Check::fault(&CERTIFICATE, "no certificate is set, so no client can start TLS")
            .fix("set smtpd_tls_cert_file and smtpd_tls_key_file (or smtpd_tls_chain_files), postfix reload");
        return takes_logins(instance, service).then(|| check.about(service.label()).command(command));
    }
    let mut worst = pairs.iter().map(|(cert, key)| pair(instance, cert, key)).max_by_key(|check| check.status)?;
    if worst.status == Status::Fault && !takes_logins(instance, service) {
        // Servers deliver without TLS, or without looking at the certificate.
        worst.status = Status::Warn;
    }
    Some(worst.about(service.label()).command(command))
}

fn pair(instance: &Instance, cert: &str, key: &str) -> Check {
    let seen = format!("certificate {cert}, key {key}");
    let check = match judge(instance, cert, key) {
        Ok(certificate) => of_facts(instance, &certificate, jiff::Timestamp::now().as_second()),
        Err(check) => *check,
    };
    check.seen(seen)
}

/// Reads both files; whatever is in the way of serving them is the answer.
fn judge(instance: &Instance, cert: &str, key: &str) -> Result<Certificate, Box<Check>> {
    let base = |file: &str| instance.config.join(file);
    let text = read(&base(cert), "the certificate")?;
    let certificate = first_of_pem(&text).ok_or_else(|| {
        Check::fault(&CERTIFICATE, format!("{cert} holds no certificate that can be read")).fix(NEW_PAIR)
    })?;
    let text = read(&base(key), "the key")?;
    let key_der = key_of_pem(&text).ok_or_else(|| {
        Check::fault(
            &CERTIFICATE,
            format!("{key} holds no key that can be read (Postfix takes none with a passphrase)"),
        )
        .fix(NEW_PAIR)
    })?;
    if key_fits(&certificate, &key_der) == Some(false) {
        return Err(Check::fault(
            &CERTIFICATE,
            format!("the key in {key} does not belong to the certificate in {cert}"),
        )
        .fix(NEW_PAIR)
        .into());
    }
    Ok(certificate)
}

const NEW_PAIR: &str = "put the certificate and the key that were issued together in place, postfix reload";

fn read(file: &Path, what: &str) -> Result<String, Box<Check>> {
    read_file(file).map_err(|error| {
        if error.kind() == std::io::ErrorKind::PermissionDenied {
            return Check::unknown(&CERTIFICATE, format!("{} may not be read by this user", file.display()))
                .look("run this as root")
                .into();
        }
        Check::fault(&CERTIFICATE, format!("{what} cannot be read: {}: {error}", file.display()))
            .fix("correct the path, or put the file there; postfix reload")
            .into()
    })
}

fn of_facts(instance: &Instance, certificate: &Certificate, now: i64) -> Check {
    let host = instance.main("myhostname");
    let names = certificate.names.join(", ");
    let end = certificate.end();
    let check = if certificate.not_after <= now {
        Check::fault(&CERTIFICATE, format!("the certificate expired on {end}"))
            .fix("renew it (certbot renew, or from your authority), then: postfix reload")
    } else if certificate.not_before > now {
        Check::fault(&CERTIFICATE, "the certificate is not good yet").look("date   (is the clock right?)")
    } else if !certificate.is_for(host) {
        of_other_name(instance, certificate, host)
    } else if certificate.not_after - now < SOON {
        Check::warn(&CERTIFICATE, format!("the certificate expires on {end}")).fix("renew it, then: postfix reload")
    } else if certificate.is_self_signed() {
        Check::warn(&CERTIFICATE, format!("signed by itself: clients warn or refuse; good for {names} until {end}"))
            .fix("get one from an authority that clients know (certbot), postfix reload")
    } else {
        Check::ok(&CERTIFICATE, format!("good for {names} until {end}"))
    };
    check.seen(format!("subject {}, issuer {}, names {names}, until {end}", certificate.subject, certificate.issuer))
}

/// Users may know the server by another name than Postfix does, so only a foreign domain is surely wrong.
fn of_other_name(instance: &Instance, certificate: &Certificate, host: &str) -> Check {
    let domain = instance.main("mydomain");
    let ours = |name: &String| {
        let name = name.to_ascii_lowercase();
        let hosted = ["virtual_mailbox_domains", "virtual_alias_domains", "mydestination", "relay_domains"];
        let under = |domain: &str| !domain.is_empty() && (name == domain || name.ends_with(&format!(".{domain}")));
        under(domain)
            || hosted
                .iter()
                .flat_map(|list| words(instance.main(list)))
                .any(|domain| under(&domain.to_ascii_lowercase()))
    };
    let names = certificate.names.join(", ");
    let status = if certificate.names.iter().any(ours) { Status::Warn } else { Status::Fault };
    Check::new(&CERTIFICATE, status, format!("the certificate is for {names}, not for {host}"))
        .look("which server name do the clients have in their settings? It must be one of the certificate's")
        .fix("get a certificate with that name, postfix reload")
}

/// From old to new, as Postfix names them.
const VERSIONS: [&str; 5] = ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

fn protocols(look: &Look<'_>, instance: &Instance, service: &Service) -> Check {
    let name = if matches!(instance.tls_level(service), "may") {
        "smtpd_tls_protocols"
    } else {
        "smtpd_tls_mandatory_protocols"
    };
    let value = instance.value(service, name);
    let allowed = allowed_versions(value);
    let check = if !allowed.contains(&"TLSv1.2") && !allowed.contains(&"TLSv1.3") {
        Check::fault(
            &TLS_PROTOCOLS,
            format!(
                "{name} leaves only {}",
                if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") }
            ),
        )
        .fix(format!("postconf -e '{name} = >=TLSv1.2' && postfix reload"))
    } else if !allowed.contains(&"TLSv1.2") {
        Check::warn(&TLS_PROTOCOLS, format!("{name} leaves TLS 1.3 only: devices of a few years ago cannot connect"))
            .fix(format!("postconf -e '{name} = >=TLSv1.2' && postfix reload"))
    } else if allowed.contains(&"SSLv3") {
        Check::warn(&TLS_PROTOCOLS, format!("{name} allows SSL 3, which is broken"))
            .fix(format!("postconf -e '{name} = >=TLSv1.2' && postfix reload"))
    } else {
        Check::ok(&TLS_PROTOCOLS, allowed.join(", "))
    };
    check.about(service.label()).seen(format!("{name} = {value}")).command(instance.postconf(look.host, name))
}

/// `>=TLSv1.2`, `!SSLv2, !SSLv3`, `TLSv1.2 TLSv1.3`.
fn allowed_versions(value: &str) -> Vec<&'static str> {
    let at = |name: &str| VERSIONS.iter().position(|version| version.eq_ignore_ascii_case(name));
    let (mut lowest, mut highest) = (0, VERSIONS.len());
    let (mut excluded, mut included) = (Vec::new(), Vec::new());
    // `>= TLSv1.2` may be written with a blank.
    for word in words(&value.replace(">= ", ">=").replace("<= ", "<=")) {
        if let Some(name) = word.strip_prefix(">=") {
            lowest = at(name).unwrap_or(lowest);
        } else if let Some(name) = word.strip_prefix("<=") {
            highest = at(name).map_or(highest, |found| found + 1);
        } else if let Some(name) = word.strip_prefix('!') {
            excluded.extend(at(name));
        } else {
            included.extend(at(word));
        }
    }
    let is_allowed = |index: usize| {
        (lowest..highest).contains(&index)
            && !excluded.contains(&index)
            && (included.is_empty() || included.contains(&index))
    };
    VERSIONS.iter().enumerate().filter(|(index, _)| is_allowed(*index)).map(|(_, version)| *version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status::{Fault, Ok as Fine, Warn};
    use crate::postfix::instance::tests::instance;

    #[test]
    fn versions() {
        let check = |value: &str, expected: &[&str]| assert_eq!(allowed_versions(value), expected, "{value}");
        check(">=TLSv1.2", &["TLSv1.2", "TLSv1.3"]);
        check(">= TLSv1.2, <= TLSv1.2", &["TLSv1.2"]);
        check("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", &["TLSv1.2", "TLSv1.3"]);
        check("TLSv1 TLSv1.1", &["TLSv1", "TLSv1.1"]);
        check("", &VERSIONS);
        check("!TLSv1.2, !TLSv1.3", &["SSLv3", "TLSv1", "TLSv1.1"]);
        check("nonsense", &VERSIONS);
    }

    #[test]
    fn facts_that_clients_care_about() {
        let postfix = instance("myhostname = mail.example.org\nmydomain = example.org\n", "", "");
        let now = 1_000_000_000;
        let check = |names: &[&str], until: i64, issuer: &str, expected| {
            let certificate = Certificate {
                subject: "CN=x".to_owned(),
                issuer: issuer.to_owned(),
                names: names.iter().map(ToString::to_string).collect(),
                not_before: 0,
                not_after: now + until,
                der: Vec::new(),
            };
            assert_eq!(of_facts(&postfix, &certificate, now).status, expected, "{names:?} {until}");
        };
        let year = 365 * 86_400;
        check(&["mail.example.org"], year, "CN=CA", Fine);
        check(&["*.example.org"], year, "CN=CA", Fine);
        check(&["mail.example.org"], year, "CN=x", Warn);
        check(&["mail.example.org"], 86_400, "CN=CA", Warn);
        check(&["mail.example.org"], 0, "CN=CA", Fault);
        check(&["smtp.example.org"], year, "CN=CA", Warn);
        check(&["www.example.com"], year, "CN=CA", Fault);
        check(&[], year, "CN=CA", Fault);
    }

    #[test]
    fn files_that_are_not_there() {
        let postfix = instance("", "", "");
        assert_eq!(pair(&postfix, "/nowhere/cert.pem", "/nowhere/key.pem").status, Fault);
        assert_eq!(pair(&postfix, "/dev/null", "/dev/null").status, Fault);
    }
}
