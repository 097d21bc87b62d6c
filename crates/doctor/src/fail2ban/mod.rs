//! fail2ban beside the mail server: does it run, do its jails see Postfix' log, do their filters match it, and is the client
//! banned? Only its queries are used.
//!
//! Source: `fail2ban-client(1)`, `fail2ban-regex(1)`, `jail.conf(5)`.

mod answers;
mod jails;
mod lines;

use std::path::{Path, PathBuf};

use answers::{Jail, jail_of_status, jails_of_dump, names_of_status};
use jails::read_filters;
pub use jails::{JailSettings, is_for_mail, jail_settings};

use crate::check::{Check, Status};
use crate::examine::Look;
use crate::host::{Answer, NoAnswer};
use crate::kinds::{F2B_CLIENT, F2B_FILTER, F2B_JAILS, F2B_LOG, F2B_RUNNING};

/// Jails looked at, at most.
const JAILS_MAX: usize = 64;
/// A log that was not written for so long is not the one Postfix writes, in seconds.
const STALE: u64 = 86_400;

/// All that can be said of fail2ban.
pub(crate) fn check(look: &Look<'_>) -> Vec<Check> {
    let command = words(look, "status");
    if !look.host.has("fail2ban-client") {
        return vec![Check::unknown(&F2B_RUNNING, "fail2ban-client is not installed here").command(command)];
    }
    let (runs, running) = match ask(look, &["ping"]) {
        Ok(answer) if answer.succeeded() && answer.output.contains("pong") => {
            (true, Check::ok(&F2B_RUNNING, "its server answers"))
        }
        Ok(_) if rustix::process::geteuid().is_root() => {
            let check = Check::warn(&F2B_RUNNING, "fail2ban is installed and does not run: it bans nobody");
            (false, check.seen(complaint(look)).fix("systemctl enable --now fail2ban"))
        }
        Ok(_) => (false, Check::unknown(&F2B_RUNNING, "its server does not answer this user").look("run this as root")),
        Err(why) => return vec![Check::unknown(&F2B_RUNNING, why.to_string()).command(words(look, "ping"))],
    };
    let mut checks = vec![running.command(words(look, "ping"))];
    let jails = if runs { running_jails(look) } else { configured_jails(look) };
    let Some(jails) = jails else { return checks };
    let mail: Vec<&Jail> = jails.iter().filter(|jail| is_for_mail(&jail.name)).collect();
    checks.push(enabled(&jails, &mail).command(command));
    checks.extend(mail.iter().map(|jail| log(look, jail)));
    checks.extend(filter(look, &mail));
    checks.extend(banned(look, &jails, runs));
    checks
}

/// What `fail2ban-client` printed, if it succeeded.
fn client(look: &Look<'_>, rest: &[&str]) -> Option<String> {
    ask(look, rest).ok().filter(Answer::succeeded).map(|answer| answer.output)
}

fn ask(look: &Look<'_>, rest: &[&str]) -> Result<Answer, NoAnswer> {
    let mut arguments: Vec<std::ffi::OsString> = vec!["-c".into(), look.host.fail2ban_config.clone().into()];
    if let Some(socket) = &look.host.fail2ban_socket {
        arguments.extend(["-s".into(), socket.into()]);
    }
    arguments.extend(rest.iter().map(Into::into));
    look.host.run("fail2ban-client", &arguments)
}

/// What fail2ban says of its own configuration.
fn complaint(look: &Look<'_>) -> String {
    let config = look.host.fail2ban_config.display().to_string();
    match look.host.run("fail2ban-client", &["-c", &config, "-t"]) {
        Ok(answer) if answer.succeeded() => "its configuration is fine".to_owned(),
        Ok(answer) => {
            let all = answer.complaint + &answer.output;
            let first = all.lines().find_map(|line| line.split_once("ERROR")).map_or("", |(_, why)| why.trim());
            format!("its configuration is refused: {first}")
        }
        Err(why) => why.to_string(),
    }
}

/// A command line for people.
fn words(look: &Look<'_>, rest: &str) -> String {
    match &look.host.fail2ban_socket {
        Some(socket) => format!("fail2ban-client -s {} {rest}", socket.display()),
        None => format!("fail2ban-client {rest}"),
    }
}

fn running_jails(look: &Look<'_>) -> Option<Vec<Jail>> {
    let names = names_of_status(&client(look, &["status"])?);
    let jail = |name: &String| client(look, &["status", name]).map(|output| jail_of_status(name, &output));
    Some(names.iter().take(JAILS_MAX).filter_map(jail).collect())
}

fn configured_jails(look: &Look<'_>) -> Option<Vec<Jail>> {
    client(look, &["-d"]).map(|dump| jails_of_dump(&dump))
}

fn enabled(jails: &[Jail], mail: &[&Jail]) -> Check {
    let names =
        |jails: &mut dyn Iterator<Item = &Jail>| jails.map(|jail| jail.name.clone()).collect::<Vec<_>>().join(", ");
    let all = names(&mut jails.iter());
    let check = if mail.is_empty() {
        Check::warn(
            &F2B_JAILS,
            "no jail for Postfix or Dovecot is enabled: nobody is banned for guessing mail passwords",
        )
        .fix("[postfix-sasl] enabled = true in /etc/fail2ban/jail.local, then: fail2ban-client reload")
    } else {
        Check::ok(&F2B_JAILS, format!("for mail: {}", names(&mut mail.iter().copied())))
    };
    check.seen(format!("jails: {all}"))
}

fn log(look: &Look<'_>, jail: &Jail) -> Check {
    // The configuration names a match of the journal also for jails that read files.
    let check = if !jail.files.is_empty() {
        files(jail)
    } else if !jail.journal.is_empty() {
        journal(look, jail)
    } else {
        Check::fault(&F2B_LOG, format!("{} reads no log at all", jail.name))
            .fix("set logpath (or backend = systemd) for it, then: fail2ban-client reload")
    };
    check.about(&jail.name).command(words(look, &format!("status {}", jail.name)))
}

fn journal(look: &Look<'_>, jail: &Jail) -> Check {
    let arguments: Vec<&str> =
        ["--no-pager", "--quiet", "-n", "1", "-o", "cat"].into_iter().chain(jail.journal.split_whitespace()).collect();
    let seen = format!("journal: {}", jail.journal);
    match look.host.run("journalctl", &arguments) {
        Ok(answer) if answer.succeeded() && !answer.output.trim().is_empty() => {
            Check::ok(&F2B_LOG, "the journal has lines for it")
        }
        Ok(answer) if answer.succeeded() => {
            Check::fault(&F2B_LOG, format!("{} is blind: the journal has no line for what it asks", jail.name))
                .look("journalctl -n 1 -o json _COMM=smtpd   (what is Postfix' unit called? Debian: postfix@-.service)")
                .fix("journalmatch = _SYSTEMD_UNIT=postfix@-.service in the jail, then: fail2ban-client reload")
        }
        Ok(answer) => Check::unknown(&F2B_LOG, format!("the journal cannot be asked: {}", answer.last_complaint())),
        Err(why) => Check::unknown(&F2B_LOG, why.to_string()),
    }
    .seen(seen)
}

fn files(jail: &Jail) -> Check {
    let seen = jail.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let unreadable = jail.files.iter().all(|file| std::fs::File::open(file).is_err());
    let with_mail: Vec<&PathBuf> = jail.files.iter().filter(|file| lines::has_mail(file, &jail.name)).collect();
    let ages = with_mail.iter().filter_map(|file| std::fs::metadata(file).ok()?.modified().ok()?.elapsed().ok());
    let check = if unreadable {
        Check::unknown(&F2B_LOG, format!("{seen} cannot be read by this user, or is not there"))
    } else if with_mail.is_empty() && jail.name.contains("dovecot") {
        // Dovecot may have had nothing to say for a while; Postfix has just been spoken to.
        Check::warn(&F2B_LOG, format!("{} may be blind: no line of Dovecot in {seen}", jail.name))
            .look("where does Dovecot log? doveadm log find")
    } else if with_mail.is_empty() {
        Check::fault(&F2B_LOG, format!("{} is blind: no line of a mail server in {seen}", jail.name))
            .look("where does Postfix log? postconf maillog_file; the syslog daemon's configuration; journalctl -u 'postfix*'")
            .fix("logpath = that file in the jail, then: fail2ban-client reload")
    } else if ages.min().is_some_and(|age| age.as_secs() > STALE) {
        Check::warn(&F2B_LOG, format!("{seen} was not written for more than a day: does Postfix log elsewhere by now?"))
    } else {
        Check::ok(&F2B_LOG, "it reads lines of the mail server")
    };
    check.seen(format!("reads {seen}"))
}

/// Tries the filters on the latest failure lines of the logs that the jails read.
fn filter(look: &Look<'_>, mail: &[&Jail]) -> Option<Check> {
    let logs: Vec<&Path> = mail.iter().flat_map(|jail| &jail.files).map(PathBuf::as_path).collect();
    let sample = lines::failures(&logs);
    if sample.is_empty() {
        return (!logs.is_empty())
            .then(|| Check::ok(&F2B_FILTER, "no failed login in these logs to try the filters on"));
    }
    let filters = read_filters(&look.host.fail2ban_config);
    let own: Vec<(&str, &str)> =
        mail.iter().filter_map(|jail| Some((jail.name.as_str(), filters.get(&jail.name)?.as_str()))).collect();
    let results: Vec<(&str, Option<u64>)> =
        own.iter().map(|(jail, filter)| (*jail, matched(look, filter, &sample))).collect();
    let total = sample.lines().count();
    let seen = results
        .iter()
        .map(|(jail, count)| format!("{jail}: {}", count.map_or("?".to_owned(), |count| count.to_string())))
        .collect::<Vec<_>>();
    let best = results.iter().filter_map(|(_, count)| *count).max();
    let check = match best {
        None => Check::unknown(&F2B_FILTER, "fail2ban-regex gave no answer"),
        Some(0) => Check::fault(&F2B_FILTER, format!("no filter matches the {total} latest failed logins: nobody will be banned for them"))
            .look("Postfix' SASL failures need the filter postfix[mode=auth]; Debian's jail [postfix] alone does not match them")
            .fix("[postfix-sasl] enabled = true in /etc/fail2ban/jail.local, then: fail2ban-client reload"),
        Some(count) => Check::ok(&F2B_FILTER, format!("{count} of the {total} latest failed logins are matched")),
    };
    Some(check.seen(format!("lines matched by {}", seen.join(", "))).command("fail2ban-regex LOG 'postfix[mode=auth]'"))
}

/// How many lines of a sample a filter matches.
fn matched(look: &Look<'_>, filter: &str, sample: &str) -> Option<u64> {
    let input = lines::as_input(sample)?;
    let config = look.host.fail2ban_config.display().to_string();
    let answer = look.host.run_with("fail2ban-regex", &["-c", &config, "/proc/self/fd/0", filter], input).ok()?;
    answers::matched_lines(&answer.output)
}

fn banned(look: &Look<'_>, jails: &[Jail], runs: bool) -> Option<Check> {
    let client = look.request.client?;
    let command = words(look, &format!("banned {client}"));
    if !runs {
        return Some(
            Check::new(
                &F2B_CLIENT,
                Status::Unknown,
                "fail2ban does not answer; bans it left behind would be in the firewall",
            )
            .command(command),
        );
    }
    let holding: Vec<&str> =
        jails.iter().filter(|jail| jail.banned.contains(&client)).map(|jail| jail.name.as_str()).collect();
    let check = match holding.first() {
        None => Check::ok(&F2B_CLIENT, format!("{client} is not banned")),
        Some(jail) => Check::fault(
            &F2B_CLIENT,
            format!("{client} is banned by {}: it gets no answer from the ports named there", holding.join(", ")),
        )
        .look("first find what failed: postfix-insights client ADDR")
        .fix(words(look, &format!("set {jail} unbanip {client}"))),
    };
    Some(check.command(command))
}
