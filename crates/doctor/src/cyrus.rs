//! Cyrus SASL as the judge of logins: its configuration for smtpd, saslauthd's socket, sasldb.
//!
//! Source: Cyrus SASL `doc/options`, Postfix `SASL_README`. The library reads its configuration before smtpd goes into its
//! chroot, and opens socket and database inside it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::check::Check;
use crate::dovecot::{chroot, permission, reachable};
use crate::examine::Look;
use crate::handshake::Address;
use crate::host::read_file;
use crate::kinds::{CYRUS_CONFIG, CYRUS_MECHANISMS, CYRUS_RUNNING, SASLDB};
use crate::mechanisms::{is_plaintext, words};
use crate::permission::{Obstacle, User, Wish, describe};
use crate::postfix::{Instance, Service};

/// Where the library looks if `cyrus_sasl_config_path` is empty.
const FOLDERS: [&str; 5] =
    ["/etc/postfix/sasl", "/usr/lib/sasl2", "/usr/lib64/sasl2", "/etc/sasl2", "/usr/local/lib/sasl2"];

/// Configuration of the library for one application.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// The file it stands in.
    pub(crate) file: PathBuf,
    values: BTreeMap<String, String>,
}

impl Config {
    fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Whether passwords are judged that way.
    pub(crate) fn checks_with(&self, method: &str) -> bool {
        let methods = self.get("pwcheck_method");
        words(if methods.is_empty() { "auxprop" } else { methods }).any(|own| own == method)
    }

    /// The password database of the library itself.
    pub(crate) fn sasldb(&self) -> &str {
        let path = self.get("sasldb_path");
        if path.is_empty() { "/etc/sasldb2" } else { path }
    }
}

/// Every configuration that the instance's services ask for.
pub(crate) fn check(look: &Look<'_>, instance: &Instance) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut done: Vec<(&str, bool)> = Vec::new();
    for service in services(instance) {
        let name = instance.value(service, "smtpd_sasl_path");
        if !done.contains(&(name, service.chroot)) {
            done.push((name, service.chroot));
            checks.extend(of_service(look, instance, service));
        }
    }
    checks
}

/// Services that ask Cyrus SASL.
pub(crate) fn services(instance: &Instance) -> impl Iterator<Item = &Service> {
    instance.login_services().filter(|service| instance.value(service, "smtpd_sasl_type") == "cyrus")
}

fn of_service(look: &Look<'_>, instance: &Instance, service: &Service) -> Vec<Check> {
    let command = instance.postconf(look.host, "cyrus_sasl_config_path smtpd_sasl_path");
    let (file, config) = match config(instance, service) {
        Ok(config) => (config.file.clone(), config),
        Err(check) => return vec![(*check).about(service.label()).command(command)],
    };
    let found = Check::ok(&CYRUS_CONFIG, format!("{}", file.display())).about(service.label()).command(command);
    let mut checks = vec![found, mechanisms(&config).about(service.label()).command(format!("cat {}", file.display()))];
    if config.checks_with("saslauthd") {
        checks.extend(saslauthd(look, instance, service, &config));
    } else if config.checks_with("auxprop") && !matches!(config.get("auxprop_plugin"), "sql" | "ldapdb") {
        checks.push(sasldb(instance, service, &config));
    }
    checks
}

/// Finds and reads `smtpd.conf`, or whatever `smtpd_sasl_path` calls it.
pub(crate) fn config(instance: &Instance, service: &Service) -> Result<Config, Box<Check>> {
    let name = format!("{}.conf", instance.value(service, "smtpd_sasl_path"));
    let set = instance.value(service, "cyrus_sasl_config_path");
    let folders: Vec<&str> = if set.is_empty() { FOLDERS.to_vec() } else { set.split(':').collect() };
    let places: Vec<PathBuf> = folders.iter().map(|folder| Path::new(folder).join(&name)).collect();
    let Some(file) = places.iter().find(|place| place.exists()) else {
        return Err(Check::fault(
            &CYRUS_CONFIG,
            format!("no {name} in {}: the library falls back to sasldb", folders.join(", ")),
        )
        .fix(format!(
            "write {} (pwcheck_method: saslauthd, mech_list: PLAIN LOGIN), postfix reload",
            places.first().unwrap_or(&PathBuf::new()).display()
        ))
        .into());
    };
    match read_file(file) {
        Ok(text) => Ok(Config { file: file.clone(), values: parse(&text) }),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(Check::unknown(&CYRUS_CONFIG, format!("{} may not be read by this user", file.display()))
                .look("run this as root")
                .into())
        }
        Err(error) => Err(Check::fault(&CYRUS_CONFIG, format!("{}: {error}", file.display()))
            .fix("put a readable file there, postfix reload")
            .into()),
    }
}

/// `name: value` by line.
fn parse(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn mechanisms(config: &Config) -> Check {
    let list = config.get("mech_list");
    let only_saslauthd = config.checks_with("saslauthd") && !config.checks_with("auxprop");
    let hopeless: Vec<&str> = words(list).filter(|name| !is_plaintext(name) && *name != "EXTERNAL").collect();
    let check = if only_saslauthd && list.is_empty() {
        Check::warn(
            &CYRUS_MECHANISMS,
            "mech_list is not set: every installed mechanism is offered, also those that saslauthd cannot judge",
        )
        .fix(format!("mech_list: PLAIN LOGIN in {}, postfix reload", config.file.display()))
    } else if only_saslauthd && !hopeless.is_empty() {
        Check::warn(&CYRUS_MECHANISMS, format!("{} are offered, and saslauthd cannot judge them", hopeless.join(", ")))
            .fix(format!("mech_list: PLAIN LOGIN in {}, postfix reload", config.file.display()))
    } else {
        Check::ok(&CYRUS_MECHANISMS, if list.is_empty() { "all that are installed" } else { list })
    };
    check.seen(format!("mech_list: {list}; pwcheck_method: {}", config.get("pwcheck_method")))
}

fn saslauthd(look: &Look<'_>, instance: &Instance, service: &Service, config: &Config) -> Vec<Check> {
    let set = config.get("saslauthd_path");
    let path = if set.is_empty() { "/var/run/saslauthd/mux" } else { set };
    let address = Address::of_path(path, &instance.queue(), service.chroot);
    let mut checks: Vec<Check> = chroot(instance, service, path).into_iter().collect();
    let outside = checks.iter().any(|check| check.status == crate::Status::Fault);
    let check = match reachable(&address, look) {
        Ok(()) => Check::ok(&CYRUS_RUNNING, format!("saslauthd listens at {address}")),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Check::unknown(&CYRUS_RUNNING, "this user may not connect to saslauthd").look("run this as root")
        }
        // The chroot check tells already.
        Err(_) if outside => return checks,
        Err(error) => down(&address, error.kind()),
    };
    checks.push(check.about(address.to_string()).command(format!("ls -l {address}; systemctl status saslauthd")));
    checks.extend(permission(instance, &address));
    checks
}

fn down(address: &Address, kind: ErrorKind) -> Check {
    let elsewhere = folders_of_saslauthd();
    if elsewhere.is_empty() {
        let why = if kind == ErrorKind::ConnectionRefused { "nobody listens at" } else { "there is no socket at" };
        return Check::fault(&CYRUS_RUNNING, format!("saslauthd does not run: {why} {address}"))
            .fix("systemctl enable --now saslauthd   (Debian: START=yes in /etc/default/saslauthd)");
    }
    Check::fault(&CYRUS_RUNNING, format!("saslauthd listens in {}, Postfix asks at {address}", elsewhere.join(", ")))
        .fix("make saslauthd's -m (Debian: OPTIONS in /etc/default/saslauthd) and saslauthd_path in smtpd.conf the same place; restart saslauthd, postfix reload")
}

/// Where the running saslauthd processes have their sockets, by their command lines.
fn folders_of_saslauthd() -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let mut folders: Vec<String> = lines.filter_map(|line| folder_of(&String::from_utf8_lossy(&line))).collect();
    folders.sort_unstable();
    folders.dedup();
    folders
}

/// The `-m` of a command line, its words ended by NUL.
fn folder_of(line: &str) -> Option<String> {
    let mut words = line.split('\0');
    words.next().filter(|program| program.rsplit('/').next() == Some("saslauthd"))?;
    let stock = || Some("/var/run/saslauthd".to_owned());
    match words.find(|word| word.starts_with("-m")) {
        Some("-m") => words.next().map(str::to_owned),
        Some(word) => word.get(2..).map(str::to_owned),
        None => stock(),
    }
}

fn sasldb(instance: &Instance, service: &Service, config: &Config) -> Check {
    let Address::Unix(place) = Address::of_path(config.sasldb(), &instance.queue(), service.chroot) else {
        return Check::unknown(&SASLDB, config.sasldb());
    };
    let owner = instance.main("mail_owner");
    let Some(user) = User::named(owner) else { return Check::unknown(&SASLDB, format!("there is no user {owner}")) };
    let base = if service.chroot { instance.queue() } else { PathBuf::from("/") };
    let check = match user.reach(&base, &place, Wish::Read) {
        Ok(()) => Check::ok(&SASLDB, format!("{} can be read by {owner}", place.display())),
        Err(Obstacle::Missing(_)) => Check::fault(&SASLDB, format!("{} does not exist", place.display())).fix(format!(
            "saslpasswd2 -c -u DOMAIN -f {} USER; or set pwcheck_method and sasldb_path in {}",
            place.display(),
            config.file.display()
        )),
        Err(Obstacle::Unseen(at)) => {
            Check::unknown(&SASLDB, format!("{} may not be looked at by this user", at.display()))
                .look("run this as root")
        }
        Err(Obstacle::Folder(at) | Obstacle::Itself(at)) => {
            Check::fault(&SASLDB, format!("the user {owner} may not read {}", place.display()))
                .seen(describe(&at))
                .fix(format!("chgrp {owner} {0} && chmod 640 {0}", place.display()))
        }
    };
    check.about(service.label()).seen(describe(&place)).command(format!(
        "ls -l {}; sasldblistusers2 -f {}",
        place.display(),
        place.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status::{Ok as Fine, Warn};

    fn of(text: &str) -> Config {
        Config { file: "/x/smtpd.conf".into(), values: parse(text) }
    }

    #[test]
    fn configurations() {
        let check = |text: &str, expected| assert_eq!(mechanisms(&of(text)).status, expected, "{text}");
        check("pwcheck_method: saslauthd\nmech_list: PLAIN LOGIN\n", Fine);
        check("pwcheck_method: saslauthd\n", Warn);
        check("pwcheck_method: saslauthd\nmech_list: plain cram-md5", Warn);
        check("pwcheck_method: auxprop\nmech_list: CRAM-MD5", Fine);
        check("# pwcheck_method: saslauthd\nnonsense", Fine);
        assert!(of("").checks_with("auxprop") && !of("").checks_with("saslauthd"));
        assert!(of("pwcheck_method:saslauthd auxprop").checks_with("saslauthd"));
        assert_eq!((of("").sasldb(), of("sasldb_path: /q/db").sasldb()), ("/etc/sasldb2", "/q/db"));
    }

    #[test]
    fn command_lines_of_saslauthd() {
        let check = |line: &str, expected: Option<&str>| assert_eq!(folder_of(line).as_deref(), expected, "{line:?}");
        check("/usr/sbin/saslauthd\0-a\0pam\0-m\0/run/x\0-c\0", Some("/run/x"));
        check("saslauthd\0-m/run/y\0", Some("/run/y"));
        check("saslauthd\0-a\0pam\0", Some("/var/run/saslauthd"));
        check("vi\0saslauthd\0-m\0x\0", None);
        check("saslauthd\0-m", None);
        check("", None);
    }
}
