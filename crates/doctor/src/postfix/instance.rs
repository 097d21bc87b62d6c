//! An instance of Postfix: its parameters and services, as `postconf` tells them.
//!
//! Source: `postconf(1)`, `master(5)`, `MULTI_INSTANCE_README`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::check::Check;
use crate::examine::Look;
use crate::host::{Host, NoAnswer, read_file};
use crate::kinds::POSTFIX_CONFIG;
use crate::mechanisms::words;

/// Instances looked at, at most.
const INSTANCES_MAX: usize = 16;

/// Values by parameter name.
type Values = BTreeMap<String, String>;

/// One running set of Postfix.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instance {
    /// `multi_instance_name`, or `postfix`.
    pub(crate) name: String,
    /// Its configuration folder.
    pub(crate) config: PathBuf,
    main: Values,
    pub(crate) services: Vec<Service>,
}

/// One line of `master.cf`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    /// As written: `submission`, `587`, `127.0.0.1:10025`.
    pub(crate) name: String,
    /// `inet`, `unix`, `pass`.
    pub(crate) kind: String,
    pub(crate) chroot: bool,
    /// Most processes at a time; `None`: as `default_process_limit` says; 0: no limit.
    pub(crate) limit: Option<u32>,
    /// The daemon's name.
    pub(crate) command: String,
    own: Values,
    /// The port, where the service has one and its name is known.
    pub(crate) port: Option<u16>,
}

/// An instance that `postconf` cannot tell of.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// No `postconf`.
    NoAnswer(NoAnswer),
    /// `postconf` complains.
    Refused(PathBuf, String),
}

impl Instance {
    /// What is expected of a mail host of which nothing but the name is known.
    pub(crate) fn assumed(host: &str) -> Self {
        let master = "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\nsubmissions inet n - n - - smtpd\n";
        let own = "submission/inet/smtpd_sasl_auth_enable = yes\nsubmission/inet/smtpd_tls_security_level = may\n\
                   submissions/inet/smtpd_sasl_auth_enable = yes\nsubmissions/inet/smtpd_tls_wrappermode = yes\n";
        let mut services = services(master, false, &ports(""));
        own_values(&mut services, own);
        let main = Values::from([("myhostname".to_owned(), host.to_owned())]);
        Self { name: host.to_owned(), config: PathBuf::new(), main, services }
    }

    /// A parameter of `main.cf` or its default; empty if there is none of that name.
    pub(crate) fn main(&self, name: &str) -> &str {
        self.main.get(name).map_or("", String::as_str)
    }

    /// A parameter as a service has it.
    pub(crate) fn value<'a>(&'a self, service: &'a Service, name: &str) -> &'a str {
        self.known(service, name).unwrap_or_default()
    }

    /// A parameter as a service has it, if this version of Postfix knows it.
    pub(crate) fn known<'a>(&'a self, service: &'a Service, name: &str) -> Option<&'a str> {
        service.own.get(name).or_else(|| self.main.get(name)).map(String::as_str)
    }

    /// Whether a parameter is `yes` for a service.
    pub(crate) fn is_on(&self, service: &Service, name: &str) -> bool {
        self.value(service, name).eq_ignore_ascii_case("yes")
    }

    /// Where the queue and its sockets are.
    pub(crate) fn queue(&self) -> PathBuf {
        PathBuf::from(self.main("queue_directory"))
    }

    /// The SMTP servers that hear the network.
    pub(crate) fn smtpds(&self) -> impl Iterator<Item = &Service> {
        self.services
            .iter()
            .filter(|service| service.command == "smtpd" && matches!(service.kind.as_str(), "inet" | "pass"))
    }

    /// The SMTP servers that take logins.
    pub(crate) fn login_services(&self) -> impl Iterator<Item = &Service> {
        self.smtpds().filter(|service| self.is_on(service, "smtpd_sasl_auth_enable"))
    }

    /// `none`, `may`, `encrypt`, … with the settings of old taken into account; a wrapped port is `encrypt`.
    pub(crate) fn tls_level<'a>(&'a self, service: &'a Service) -> &'a str {
        let level = self.value(service, "smtpd_tls_security_level");
        if self.is_on(service, "smtpd_tls_wrappermode") || self.is_on(service, "smtpd_enforce_tls") {
            "encrypt"
        } else if !level.is_empty() {
            level
        } else if self.is_on(service, "smtpd_use_tls") {
            "may"
        } else {
            "none"
        }
    }

    /// Whether a service can be reached from this host alone.
    pub(crate) fn is_local(&self, service: &Service) -> bool {
        let only_local =
            |host: &str| matches!(host, "localhost" | "loopback-only" | "::1" | "[::1]") || host.starts_with("127.");
        match service.host() {
            Some(host) => only_local(host),
            None => {
                let mut interfaces = words(self.main("inet_interfaces")).peekable();
                interfaces.peek().is_some() && interfaces.all(only_local)
            }
        }
    }

    /// A `postconf` command line for people.
    pub(crate) fn postconf(&self, host: &Host, rest: &str) -> String {
        host.postconf_words(&self.config, rest)
    }
}

impl Service {
    /// `submission (587)`, or the name alone.
    pub(crate) fn label(&self) -> String {
        match self.port {
            Some(port) if self.name != port.to_string() => format!("{} ({port})", self.name),
            _ => self.name.clone(),
        }
    }

    /// As `postconf -P` names it.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}", self.name, self.kind)
    }

    /// The address part of `127.0.0.1:10025`.
    pub(crate) fn host(&self) -> Option<&str> {
        self.name.rsplit_once(':').map(|(host, _)| host).filter(|host| !host.is_empty())
    }

    /// Whether the service sets a parameter itself.
    pub(crate) fn sets(&self, name: &str) -> bool {
        self.own.contains_key(name)
    }
}

/// The instances of this host: the one asked about, and those it names.
pub(crate) fn instances(host: &Host) -> Vec<Result<Instance, Unreadable>> {
    let first = read(host, host.postfix_config.as_deref());
    let others: Vec<PathBuf> = match &first {
        Ok(first) => words(first.main("multi_instance_directories")).take(INSTANCES_MAX).map(PathBuf::from).collect(),
        Err(_) => Vec::new(),
    };
    let others = others.iter().map(|config| read(host, Some(config)));
    // An instance that is switched off is looked at by nobody.
    let enabled = |instance: &Result<Instance, Unreadable>| {
        instance.as_ref().map_or(true, |instance| instance.main("multi_instance_enable") != "no")
    };
    std::iter::once(first).chain(others.filter(enabled)).collect()
}

fn read(host: &Host, config: Option<&Path>) -> Result<Instance, Unreadable> {
    let main = Values::from_iter(settings(&postconf(host, config, &["-x"])?));
    let config = PathBuf::from(main.get("config_directory").map_or("/etc/postfix", String::as_str));
    let mut instance = Instance {
        name: main
            .get("multi_instance_name")
            .filter(|name| !name.is_empty())
            .map_or("postfix", String::as_str)
            .to_owned(),
        config,
        main,
        services: Vec::new(),
    };
    // Of old, `-` in the chroot column meant yes.
    let level = instance.main("compatibility_level").split('.').next().and_then(|level| level.parse::<u32>().ok());
    let ports = ports(&read_file(Path::new("/etc/services")).unwrap_or_default());
    let folder = instance.config.clone();
    instance.services = services(&postconf(host, Some(&folder), &["-M"])?, level.is_none_or(|level| level < 1), &ports);
    own_values(&mut instance.services, &postconf(host, Some(&folder), &["-x", "-P"])?);
    Ok(instance)
}

fn postconf(host: &Host, config: Option<&Path>, arguments: &[&str]) -> Result<String, Unreadable> {
    let folder = config.iter().flat_map(|config| [OsString::from("-c"), config.into()]);
    let all: Vec<OsString> = folder.chain(arguments.iter().map(Into::into)).collect();
    let answer = host.run("postconf", &all).map_err(Unreadable::NoAnswer)?;
    if answer.succeeded() {
        return Ok(answer.output);
    }
    let config = config.unwrap_or(Path::new("/etc/postfix")).to_owned();
    Err(Unreadable::Refused(config, answer.last_complaint().to_owned()))
}

/// `name = value` by line.
fn settings(text: &str) -> impl Iterator<Item = (String, String)> {
    let pair =
        |line: &str| line.split_once(" =").map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    text.lines().filter_map(pair)
}

/// Lines of `postconf -M`.
fn services(text: &str, chroot_by_default: bool, ports: &BTreeMap<String, u16>) -> Vec<Service> {
    let service = |line: &str| {
        let mut columns = line.split_whitespace();
        let (name, kind) = (columns.next()?.to_owned(), columns.next()?.to_owned());
        let chroot = match columns.nth(2)? {
            "y" => true,
            "n" => false,
            _ => chroot_by_default,
        };
        let (limit, command) = (columns.nth(1)?.parse().ok(), columns.next()?.to_owned());
        let port = name.rsplit(':').next().unwrap_or(&name);
        let port = port.parse().ok().or_else(|| ports.get(port).copied()).filter(|_| kind == "inet");
        Some(Service { name, kind, chroot, limit, command, own: Values::new(), port })
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(service).collect()
}

/// Lines of `postconf -P`: `submission/inet/smtpd_tls_wrappermode = yes`.
fn own_values(services: &mut [Service], text: &str) {
    for (key, value) in settings(text) {
        let Some((service, name)) = key.rsplit_once('/') else { continue };
        for found in services.iter_mut().filter(|own| own.key() == service) {
            found.own.insert(name.to_owned(), value.clone());
        }
    }
}

/// `/etc/services`, and the mail ports where it is absent.
fn ports(text: &str) -> BTreeMap<String, u16> {
    let well_known = [("smtp", 25), ("submission", 587), ("submissions", 465), ("smtps", 465), ("urd", 465)];
    let mut ports: BTreeMap<String, u16> = well_known.map(|(name, port)| (name.to_owned(), port)).into();
    for line in text.lines() {
        let mut columns = line.split('#').next().unwrap_or_default().split_whitespace();
        let (Some(name), Some(port)) = (columns.next(), columns.next()) else { continue };
        let Some(port) = port.strip_suffix("/tcp").and_then(|port| port.parse().ok()) else { continue };
        for name in std::iter::once(name).chain(columns) {
            ports.insert(name.to_owned(), port);
        }
    }
    ports
}

/// The check that stands for an instance that says nothing.
pub(super) fn unreadable(look: &Look<'_>, trouble: &Unreadable) -> Check {
    match trouble {
        Unreadable::NoAnswer(why) => Check::unknown(&POSTFIX_CONFIG, format!("nothing to be seen of Postfix: {why}"))
            .look("run this on the mail host itself, with the right to run postconf"),
        Unreadable::Refused(config, why) if why.to_ascii_lowercase().contains("permission denied") => {
            Check::unknown(&POSTFIX_CONFIG, format!("{} may not be read by this user: {why}", config.display()))
                .look("run this as root")
        }
        Unreadable::Refused(config, why) => {
            Check::fault(&POSTFIX_CONFIG, format!("postconf refuses the configuration: {why}"))
                .seen(format!("postconf -c {}: {why}", config.display()))
                .command(look.host.postconf_words(config, "-n"))
                .fix("correct the line named, then: postfix reload")
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An instance from what `postconf` would print.
    pub(crate) fn instance(main: &str, master: &str, own: &str) -> Instance {
        let mut services = services(master, false, &ports(""));
        own_values(&mut services, own);
        Instance { name: "postfix".to_owned(), config: "/etc/postfix".into(), main: settings(main).collect(), services }
    }

    #[test]
    fn services_and_their_own_values() {
        let main = "smtpd_sasl_auth_enable = no\nsmtpd_tls_security_level = may\ninet_interfaces = all\nempty =";
        let master = "smtp inet n - y - - smtpd\nsubmission inet n - - - 7 smtpd -o a=b\n127.0.0.1:10025 inet n - n - - smtpd\nsmtpd pass - - n - - smtpd\nqmgr unix n - n 300 1 qmgr\nbroken line\n";
        let own = "submission/inet/smtpd_sasl_auth_enable = yes\nsubmission/inet/smtpd_tls_wrappermode = yes\n127.0.0.1:10025/inet/x = 1\nnonsense\n";
        let postfix = instance(main, master, own);
        assert_eq!(postfix.services.len(), 5);
        assert_eq!(postfix.smtpds().count(), 4);
        let logins: Vec<String> = postfix.login_services().map(Service::label).collect();
        assert_eq!(logins, ["submission (587)"]);
        let [smtp, submission, reinject, ..] = postfix.services.as_slice() else { panic!() };
        assert!(smtp.chroot && !submission.chroot && !reinject.chroot);
        assert_eq!((smtp.port, submission.port, reinject.port), (Some(25), Some(587), Some(10_025)));
        assert_eq!((smtp.limit, submission.limit), (None, Some(7)));
        assert_eq!((postfix.tls_level(smtp), postfix.tls_level(submission)), ("may", "encrypt"));
        assert_eq!((postfix.is_local(smtp), postfix.is_local(reinject)), (false, true));
        assert_eq!((postfix.value(reinject, "x"), postfix.value(smtp, "x"), postfix.main("empty")), ("1", "", ""));
    }

    #[test]
    fn names_of_ports() {
        let ports = ports("# c\nsubmission 1587/tcp\ndomain 53/udp\nhttp 80/tcp www # web\nodd\nbad x/tcp\n");
        assert_eq!(ports.get("submission"), Some(&1587));
        assert_eq!((ports.get("www"), ports.get("domain"), ports.get("smtps")), (Some(&80), None, Some(&465)));
    }
}
