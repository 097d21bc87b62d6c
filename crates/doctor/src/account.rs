//! One login name: is it known, in which form, and does anything keep it from logging in?
//!
//! Passwords and their hashes are never shown; of a password file only the field after the shell is looked at.
//!
//! Source: `doveadm-auth(1)`, `doveadm-user(1)`, Dovecot manual "Passwd-file" and "allow_nets"; `shadow(5)`.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use crate::check::Check;
use crate::cyrus;
use crate::doveconf::Block;
use crate::dovecot::{driver, password_file};
use crate::examine::{Look, domains};
use crate::host::{Host, read_file};
use crate::kinds::{ACCOUNT_FORM, ACCOUNT_LIMITS, ACCOUNT_PASSDB, ACCOUNT_USERDB};
use crate::postfix::Instance;

/// Other forms of a name that are tried, at most.
const FORMS_MAX: usize = 12;
/// Longest name that is looked up; no server takes a longer one.
const NAME_MAX: usize = 320;

/// What a database says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Known,
    Unknown,
    /// It did not answer: why.
    Trouble(String),
}

/// The checks of the account asked about.
pub(crate) fn check(look: &Look<'_>, instances: &[Instance], dovecot: Option<&Block>) -> Vec<Check> {
    let Some(name) = look.request.account.as_deref() else { return Vec::new() };
    if name.is_empty() || name.starts_with('-') || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return vec![
            Check::fault(&ACCOUNT_FORM, "no server takes such a login name")
                .look("what does the client have as its user name?"),
        ];
    }
    let mut checks = Vec::new();
    if let Some(config) = dovecot {
        checks.extend(with_dovecot(look, instances, config, name));
    }
    checks.extend(instances.iter().flat_map(|instance| with_sasldb(look, instance, name)));
    if checks.is_empty() {
        checks.push(
            Check::unknown(&ACCOUNT_PASSDB, "no backend of this host can be asked about accounts without a password")
                .look("saslauthd: testsaslauthd -u NAME -p PASSWORD -s smtp   (mind the shell's history)"),
        );
    }
    checks.into_iter().map(|check| check.about(name)).collect()
}

fn with_dovecot(look: &Look<'_>, instances: &[Instance], config: &Block, name: &str) -> Vec<Check> {
    let client = look.request.client;
    let passdb = lookup_password(look.host, name, client);
    let mut limits = restrictions(config, name, client);
    // Dovecot calls a name unknown that may not log in from where the question comes.
    let in_file = lines_of(config, name, false).next().is_some();
    let known = passdb == Found::Known || in_file;
    let mut checks = vec![passdb_check(look, &passdb, in_file)];
    if passdb == Found::Unknown && !in_file {
        checks.push(form(look, config, &domains(instances, Some(config)), name));
    }
    if known {
        checks.push(userdb_check(look, &lookup(look.host, &["user"], name, None)));
    }
    if limits.is_empty() && known {
        limits.push(Check::ok(&ACCOUNT_LIMITS, "no deny list, allow_nets or expiry found that keeps it out"));
    }
    checks.extend(limits.into_iter().map(|check| check.command(look.host.dovecot_words("doveconf", "passdb"))));
    checks
}

/// Asks the password database. PAM and its like tell nothing without a password: then the user database must do.
fn lookup_password(host: &Host, name: &str, client: Option<IpAddr>) -> Found {
    match lookup(host, &["auth", "lookup"], name, client) {
        Found::Trouble(why) if why.contains("support credentials lookups") => lookup(host, &["user"], name, None),
        found => found,
    }
}

fn lookup(host: &Host, command: &[&str], name: &str, client: Option<IpAddr>) -> Found {
    let mut arguments = host.dovecot_arguments(command);
    if command.first() == Some(&"auth") {
        arguments.extend(["-x", "service=smtp"].map(Into::into));
        arguments.extend(client.into_iter().flat_map(|client| ["-x".into(), format!("rip={client}").into()]));
    }
    arguments.push(name.into());
    match host.run("doveadm", &arguments) {
        // 67 is EX_NOUSER.
        Ok(answer) => match answer.code {
            Some(0) => Found::Known,
            Some(67) => Found::Unknown,
            _ => Found::Trouble(answer.last_complaint().to_owned()),
        },
        Err(why) => Found::Trouble(why.to_string()),
    }
}

fn passdb_check(look: &Look<'_>, found: &Found, in_file: bool) -> Check {
    let check = match found {
        Found::Known => Check::ok(&ACCOUNT_PASSDB, "the account is known"),
        Found::Unknown if in_file => {
            Check::ok(&ACCOUNT_PASSDB, "in the password file, though not allowed to log in from here")
        }
        Found::Unknown => {
            Check::fault(&ACCOUNT_PASSDB, "the account is unknown: its logins are refused whatever the password")
                .look("is the name spelled as the account is?")
        }
        Found::Trouble(why) => Check::unknown(&ACCOUNT_PASSDB, format!("the password database did not answer: {why}"))
            .look("run this as root, with Dovecot running"),
    };
    check.command(look.host.dovecot_words("doveadm", "auth lookup -x service=smtp NAME"))
}

fn userdb_check(look: &Look<'_>, found: &Found) -> Check {
    let check = match found {
        Found::Known => Check::ok(&ACCOUNT_USERDB, "known to the user database"),
        Found::Unknown => {
            Check::warn(&ACCOUNT_USERDB, "unknown to the user database: it can send, and not receive or read")
        }
        Found::Trouble(why) => Check::unknown(&ACCOUNT_USERDB, format!("the user database did not answer: {why}")),
    };
    check.command(look.host.dovecot_words("doveadm", "user NAME"))
}

/// Asks for other forms of an unknown name.
fn form(look: &Look<'_>, config: &Block, domains: &std::collections::BTreeSet<String>, name: &str) -> Check {
    let mut forms = other_forms(domains, name);
    forms.extend(forms_in_files(config, name).into_iter().filter(|form| !forms.contains(form)).collect::<Vec<_>>());
    let is_known = |form: &&String| {
        lookup_password(look.host, form, look.request.client) == Found::Known
            || lines_of(config, form, false).next().is_some()
    };
    let check = match forms.iter().find(is_known) {
        Some(form) if form.contains('@') => {
            Check::fault(&ACCOUNT_FORM, format!("{name} is unknown, {form} is known: the domain is missing"))
                .look(format!("set {form} as the user name in the client"))
                .fix("or let Dovecot add it: auth_default_realm (2.4: auth_default_domain), then: doveadm reload")
        }
        Some(form) => Check::fault(
            &ACCOUNT_FORM,
            format!("{name} is unknown, {form} is known: accounts have no domain here"),
        )
        .look(format!("set {form} as the user name in the client"))
        .fix("or let Dovecot cut it off: auth_username_format = %n (2.4: %{user | username}), then: doveadm reload"),
        None => Check::ok(&ACCOUNT_FORM, "no other form of it is known either"),
    };
    check.seen(format!("tried: {}", forms.join(", "))).command(look.host.dovecot_words("doveadm", "auth lookup FORM"))
}

fn other_forms(domains: &std::collections::BTreeSet<String>, name: &str) -> Vec<String> {
    match name.split_once('@') {
        Some((local, _)) if !local.is_empty() => vec![local.to_owned()],
        Some(_) => Vec::new(),
        None => domains.iter().take(FORMS_MAX).map(|domain| format!("{name}@{domain}")).collect(),
    }
}

/// Names in the password files that are this one with a domain.
fn forms_in_files(config: &Block, name: &str) -> Vec<String> {
    let ordinary = |passdb: &&Block| driver(passdb) == "passwd-file" && passdb.get("deny") != "yes";
    let files = config.all("passdb").filter(ordinary).map(password_file);
    let texts: Vec<String> = files.filter_map(|file| read_file(Path::new(file)).ok()).collect();
    let names = texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.split(':').next());
    let with_domain = |full: &&str| full.split_once('@').is_some_and(|(local, _)| local.eq_ignore_ascii_case(name));
    names.filter(with_domain).take(FORMS_MAX).map(str::to_owned).collect()
}

/// The lines of a name in the password files of ordinary or of deny databases, split at colons.
fn lines_of<'a>(config: &'a Block, name: &'a str, deny: bool) -> impl Iterator<Item = Vec<String>> + use<'a> {
    let files = config
        .all("passdb")
        .filter(move |passdb| driver(passdb) == "passwd-file" && (passdb.get("deny") == "yes") == deny)
        .map(password_file);
    files.filter_map(|file| read_file(Path::new(file)).ok()).flat_map(move |text| {
        let own = |line: &str| line.split(':').next().is_some_and(|first| first.eq_ignore_ascii_case(name));
        text.lines()
            .filter(|line| own(line))
            .map(|line| line.splitn(8, ':').map(str::to_owned).collect())
            .collect::<Vec<Vec<String>>>()
    })
}

fn restrictions(config: &Block, name: &str, client: Option<IpAddr>) -> Vec<Check> {
    let mut found = Vec::new();
    if lines_of(config, name, true).next().is_some() {
        found.push(
            Check::fault(&ACCOUNT_LIMITS, "it is in a deny database: every login is refused")
                .fix("take it out of that file"),
        );
    }
    for line in lines_of(config, name, false) {
        let extra = line.get(7).map_or("", String::as_str);
        found.extend(extra.split_whitespace().filter_map(|field| of_field(field, client)));
    }
    let system = config.all("passdb").any(|passdb| matches!(driver(passdb), "pam" | "shadow" | "passwd" | "bsdauth"));
    if system {
        found.extend(of_shadow(name));
    }
    found
}

/// A field of the account that restricts it.
fn of_field(field: &str, client: Option<IpAddr>) -> Option<Check> {
    let (name, value) = field.split_once('=').unwrap_or((field, ""));
    let outside = |client: IpAddr| {
        !value.split(',').any(|net| {
            let net = net.trim();
            net.parse::<IpNet>().is_ok_and(|net| net.contains(&client))
                || net.parse::<IpAddr>().is_ok_and(|own| own == client)
        })
    };
    match (name, client) {
        ("allow_nets", Some(client)) if outside(client) => Some(
            Check::fault(&ACCOUNT_LIMITS, format!("it may log in from {value} only, and {client} is not among them"))
                .fix("widen allow_nets of the account"),
        ),
        ("allow_nets", _) => Some(Check::ok(&ACCOUNT_LIMITS, format!("it may log in from {value} only"))),
        ("nologin", _) => Some(
            Check::warn(
                &ACCOUNT_LIMITS,
                "nologin keeps it from IMAP and POP3, and not from sending: Postfix logs it in all the same",
            )
            .fix("use a deny database to stop it from sending"),
        ),
        ("fail" | "tempfail", _) => {
            Some(Check::fault(&ACCOUNT_LIMITS, format!("its field `{name}` refuses every login")))
        }
        _ => None,
    }
}

/// A system account that is locked or has expired.
fn of_shadow(name: &str) -> Option<Check> {
    let text = read_file(Path::new("/etc/shadow")).ok()?;
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    let today = jiff::Timestamp::now().as_second() / 86_400;
    judge_shadow(line, today)
}

/// Only the first bytes of the hash and the dates are looked at.
fn judge_shadow(line: &str, today: i64) -> Option<Check> {
    let fields: Vec<&str> = line.split(':').collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<i64>().ok());
    let locked = fields.get(1).is_some_and(|hash| hash.starts_with('!') || hash.starts_with('*'));
    if locked {
        return Some(
            Check::fault(&ACCOUNT_LIMITS, "the system account is locked or has no password").look("passwd -S NAME"),
        );
    }
    if number(7).is_some_and(|end| end <= today) {
        return Some(Check::fault(&ACCOUNT_LIMITS, "the system account has expired").look("chage -l NAME"));
    }
    let ended = number(2).zip(number(4)).is_some_and(|(changed, most)| most < 99_999 && changed + most < today);
    ended.then(|| Check::fault(&ACCOUNT_LIMITS, "the password of the system account has expired").look("chage -l NAME"))
}

/// Cyrus SASL with its own database: `user@realm: userPassword` by line.
fn with_sasldb(look: &Look<'_>, instance: &Instance, name: &str) -> Option<Check> {
    let service = cyrus::services(instance).next()?;
    let config = cyrus::config(instance, service).ok().filter(|config| config.checks_with("auxprop"))?;
    let command = format!("sasldblistusers2 -f {}", config.sasldb());
    let check = match look.host.run("sasldblistusers2", &["-f", config.sasldb()]) {
        Ok(answer) if answer.succeeded() => {
            let users: Vec<&str> =
                answer.output.lines().filter_map(|line| line.rsplit_once(": ")).map(|(user, _)| user).collect();
            match sasldb_form(&users, name, instance.main("smtpd_sasl_local_domain"), instance.main("myhostname")) {
                Some(user) => Check::ok(&ACCOUNT_PASSDB, format!("in sasldb as {user}")),
                None => Check::fault(&ACCOUNT_PASSDB, "not in sasldb under the realm that Postfix asks for")
                    .seen(format!("in sasldb: {} accounts", users.len()))
                    .look("smtpd_sasl_local_domain must be the realm of the accounts (saslpasswd2 -u REALM)"),
            }
        }
        Ok(answer) => Check::unknown(&ACCOUNT_PASSDB, format!("sasldb cannot be listed: {}", answer.last_complaint())),
        Err(why) => Check::unknown(&ACCOUNT_PASSDB, why.to_string()),
    };
    Some(check.command(command))
}

/// The entry that a login name means: with the realm it names, or the one Postfix adds.
fn sasldb_form<'a>(users: &[&'a str], name: &str, domain: &str, host: &str) -> Option<&'a str> {
    let realm = if domain.is_empty() { host } else { domain };
    let full = if name.contains('@') { name.to_owned() } else { format!("{name}@{realm}") };
    users.iter().copied().find(|user| user.eq_ignore_ascii_case(&full))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status::{Fault, Ok as Fine, Warn};
    use crate::doveconf::parse;

    #[test]
    fn fields_of_an_account() {
        let check = |field: &str, client: Option<&str>, expected| {
            let client = client.map(|client| client.parse().unwrap());
            assert_eq!(of_field(field, client).map(|check| check.status), expected, "{field}");
        };
        check("allow_nets=192.0.2.0/24,2001:db8::1", Some("192.0.2.7"), Some(Fine));
        check("allow_nets=192.0.2.0/24,2001:db8::1", Some("2001:db8::1"), Some(Fine));
        check("allow_nets=192.0.2.0/24", Some("203.0.113.9"), Some(Fault));
        check("allow_nets=nonsense", Some("203.0.113.9"), Some(Fault));
        check("allow_nets=192.0.2.0/24", None, Some(Fine));
        check("nologin", None, Some(Warn));
        check("nologin=y", None, Some(Warn));
        check("fail=yes", None, Some(Fault));
        check("quota=1", None, None);
        check("", None, None);
    }

    #[test]
    fn system_accounts() {
        let check =
            |line: &str, expected| assert_eq!(judge_shadow(line, 20_000).map(|check| check.status), expected, "{line}");
        check("u:$6$x$y:19000:0:99999:7:::", None);
        check("u:*:19000:0:99999:7:::", Some(Fault));
        check("u:!$6$x:19000:0:99999:7:::", Some(Fault));
        check("u:$6$x:19000:0:99999:7::15000:", Some(Fault));
        check("u:$6$x:19000:0:90:7:::", Some(Fault));
        check("u:$6$x:19990:0:90:7:::", None);
        check("u", None);
        check("u::x:y:z", None);
    }

    #[test]
    fn lines_of_password_files() {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users");
        std::fs::write(
            &users,
            "alice@example.org:{PLAIN}x::::::allow_nets=192.0.2.0/24 a=b\nbob@example.org:{PLAIN}a:b:c\n",
        )
        .unwrap();
        let config = parse(&format!("passdb {{\ndriver = passwd-file\ndeny = no\nargs = {}\n}}", users.display()));
        let of = |name| restrictions(&config, name, "203.0.113.9".parse().ok()).first().map(|check| check.status);
        assert_eq!(of("Alice@example.org"), Some(Fault));
        assert_eq!((of("bob@example.org"), of("alice")), (None, None));
        assert_eq!(forms_in_files(&config, "ALICE"), ["alice@example.org"]);
        assert!(forms_in_files(&config, "alice@example.org").is_empty());
        let deny = parse(&format!("passdb {{\ndriver = passwd-file\ndeny = yes\nargs = {}\n}}", users.display()));
        assert_eq!(restrictions(&deny, "bob@example.org", None).first().map(|check| check.status), Some(Fault));
        let all: String =
            restrictions(&config, "alice@example.org", None).iter().map(|check| format!("{check:?}")).collect();
        assert!(!all.contains("PLAIN"));
    }

    #[test]
    fn forms() {
        let domains = ["example.org".to_owned(), "example.net".to_owned()].into();
        assert_eq!(other_forms(&domains, "alice"), ["alice@example.net", "alice@example.org"]);
        assert_eq!(other_forms(&domains, "alice@x"), ["alice"]);
        assert!(other_forms(&domains, "@x").is_empty());
        let users = ["alice@example.org", "bob@mail.example.org"];
        assert_eq!(sasldb_form(&users, "alice", "example.org", "mail.example.org"), Some("alice@example.org"));
        assert_eq!(sasldb_form(&users, "alice", "", "mail.example.org"), None);
        assert_eq!(sasldb_form(&users, "bob", "", "mail.example.org"), Some("bob@mail.example.org"));
    }

    #[test]
    fn odd_names_never_reach_a_program() {
        let (host, request) = (Host { programs: Vec::new(), ..Host::default() }, |name: &str| crate::Request {
            account: Some(name.to_owned()),
            ..crate::Request::default()
        });
        for name in ["", "-x", "--help", "a\nb", &"x".repeat(400)] {
            let request = request(name);
            let found = check(&Look { host: &host, request: &request }, &[], None);
            assert_eq!(found.first().map(|check| check.status), Some(Fault), "{name:?}");
        }
    }
}
