//! `doctor`: asks the host, holds the log of the last day against the answers, and hands over to JSON or to the screen.

use doctor::{Check, Host, Login, Report, Request, Status};
use serde_json::{Value, json};

use crate::cli::{Doctor, Input};
use crate::doctor_log::{self, LoggedCause};
use crate::doctor_text::Page;
use crate::exit::Exit;
use crate::{password, print};
use answers::mask::Mask;
use answers::reading::Read;
use answers::times::{Clock, rfc3339};
use answers::triage::Counter;

pub(crate) fn run(args: &Doctor) -> anyhow::Result<Exit> {
    // The log first: what the doctor does on the mail ports is no part of the last day.
    let logged = read_log(args)?;
    let report = doctor::examine(&host(args), &request(args)?);
    let causes =
        logged.as_ref().map(|(counter, _)| doctor_log::causes(&counter.tally, &report.checks)).unwrap_or_default();
    let read = logged.as_ref().map(|(_, read)| read);
    let mask = Masked { mask: Mask(args.output.mask), args };
    if args.json {
        print::json(&to_json(&report, read, &causes, &mask))?;
    } else {
        let page = Page {
            report: &report,
            causes: &causes,
            read,
            screen: args.output.screen(),
            clock: &Clock::new(answers::reading::zone(args.input.timezone.as_deref())?),
            mask: &mask,
            verbose: args.output.verbose > 0,
        };
        print::text(&page.draw())?;
    }
    Ok(match report.worst() {
        Status::Fault => Exit::Fault,
        _ if !report.saw_anything() => Exit::Unreadable,
        Status::Ok | Status::Warn | Status::Unknown => Exit::Ok,
    })
}

fn host(args: &Doctor) -> Host {
    let stock = Host::default();
    Host {
        postfix_config: args.postfix_config.clone(),
        dovecot_config: args.dovecot_config.clone(),
        fail2ban_config: args.fail2ban_config.clone().unwrap_or_else(|| stock.fail2ban_config.clone()),
        fail2ban_socket: args.fail2ban_socket.clone(),
        ..stock
    }
}

fn request(args: &Doctor) -> anyhow::Result<Request> {
    let login = match &args.login {
        Some(user) => Some(Login { user: user.clone(), password: password::read("--login", args.password_fd)? }),
        None => None,
    };
    Ok(Request { client: args.client, account: args.account.clone(), connect_to: args.host.clone(), login })
}

/// Reads the logs named, or the usual ones, as far back as a day unless told otherwise. Logs that are not there are no
/// error of the doctor's, unless they were named.
fn read_log(args: &Doctor) -> anyhow::Result<Option<(Counter, Read)>> {
    if args.no_log {
        return Ok(None);
    }
    let input = Input {
        files: args.input.files.clone(),
        state: args.input.state.clone(),
        since: Some(args.input.since.clone().unwrap_or_else(|| "1d".to_owned())),
        until: args.input.until.clone(),
        timezone: args.input.timezone.clone(),
        year: args.input.year,
        judged: crate::cli::Judged::default(),
    };
    let mut counter = Counter::new();
    match input.reading(&args.output, false)?.run(&mut counter) {
        Ok(read) => {
            read.coverage.problems.iter().for_each(|problem| print::error(&problem.to_string()));
            counter.tally.settle();
            Ok(Some((counter, read)))
        }
        Err(error) => {
            if !args.output.quiet {
                print::note(&format!("no log to hold the checks against: {error}"));
            }
            Ok(None)
        }
    }
}

/// What was named on the command line and is personal.
pub(crate) struct Masked<'a> {
    mask: Mask,
    args: &'a Doctor,
}

impl Masked<'_> {
    /// A text of a check, the account and the client in it masked if that was asked for.
    pub(crate) fn text(&self, text: &str) -> String {
        let client = self.args.client.map(|client| client.to_string());
        let names = [self.args.account.clone(), self.args.login.clone(), client];
        let mut named: Vec<String> = names.into_iter().flatten().collect();
        named.extend(addresses(text));
        self.mask.within(text, &named)
    }
}

/// The addresses in a text: those of other clients stand in what is said of penalties and bans.
fn addresses(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit() && !matches!(c, '.' | ':'));
    let address = |word: &str| word.trim_matches(['.', ':']).parse::<std::net::IpAddr>().ok();
    words
        .filter_map(address)
        .filter(|address| !address.is_loopback() && !address.is_unspecified())
        .map(|address| address.to_string())
}

fn to_json(report: &Report, read: Option<&Read>, causes: &[LoggedCause<'_>], mask: &Masked<'_>) -> Value {
    let checks: Vec<Value> = report.checks.iter().map(|check| check_json(check, mask)).collect();
    let log = read.map(|read| {
        json!({ "from": read.coverage.from.map(rfc3339), "to": read.coverage.to.map(rfc3339), "lines": read.coverage.lines, "causes": causes_json(causes) })
    });
    json!({ "checks": checks, "worst": report.worst().name(), "log": log })
}

fn check_json(check: &Check, mask: &Masked<'_>) -> Value {
    let steps: Vec<Value> =
        check.next.iter().map(|step| json!({ "text": mask.text(&step.text), "changes": step.changes })).collect();
    let next: Vec<String> = check.next.iter().map(|step| mask.text(&step.text)).collect();
    json!({
        "id": check.kind.id, "instance": check.instance, "about": mask.text(&check.about), "status": check.status.name(),
        "title": check.kind.title, "summary": mask.text(&check.summary), "seen": mask.text(&check.seen.join("; ")),
        "meaning": check.kind.meaning, "command": mask.text(&check.command), "next": next, "steps": steps,
        "causes": check.kind.causes,
    })
}

/// Causes of a log with what the checks say of each.
pub(crate) fn causes_json(causes: &[LoggedCause<'_>]) -> Value {
    causes.iter().map(cause_json).collect()
}

fn cause_json(row: &LoggedCause<'_>) -> Value {
    let checks: Vec<&str> = row.checks.iter().map(|check| check.kind.id).collect();
    json!({
        "cause": row.cause, "count": row.count, "says": row.says.name(), "checks": checks,
        "from": row.trouble.map(|(from, _)| rfc3339(from)), "to": row.trouble.map(|(_, to)| rfc3339(to)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_others_are_found() {
        let check = |text: &str, expected: &[&str]| assert_eq!(addresses(text).collect::<Vec<_>>(), expected, "{text}");
        check("203.0.113.20: 3, 2001:db8::1: 2.", &["203.0.113.20", "2001:db8::1"]);
        check("at 127.0.0.1 since 10:25, added", &[]);
        check("0.0.0.0/0 (192.0.2.1)", &["192.0.2.1"]);
        check("", &[]);
    }
}
