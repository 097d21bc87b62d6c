//! A finding written for somebody else: plain text that can be pasted into a mail.
//!
//! What each may see differs: a user hears of the own account only, an abuse desk of the address only.

use diagnose::{Finding, Kind};

use super::Page;
use crate::screen::{escape, number};

/// For whom it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The owner of the account.
    User,
    /// Another administrator.
    Colleague,
    /// Whoever is responsible for the address.
    AbuseDesk,
}

impl Audience {
    /// Everybody.
    pub const ALL: [Self; 3] = [Self::User, Self::Colleague, Self::AbuseDesk];

    /// Its name in JSON and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Colleague => "colleague",
            Self::AbuseDesk => "abuse",
        }
    }
}

/// The ticket.
#[must_use]
pub fn ticket(page: &Page<'_>, finding: &Finding, audience: Audience) -> String {
    match audience {
        Audience::User => for_user(page, finding),
        Audience::Colleague => for_colleague(page, finding),
        Audience::AbuseDesk => for_abuse_desk(page, finding),
    }
}

fn for_user(page: &Page<'_>, finding: &Finding) -> String {
    let (what, please) = plain(finding);
    let account = match finding.accounts.as_slice() {
        [_] => page.accounts(finding).join(""),
        _ => "your account".to_owned(),
    };
    let from = match finding.clients.as_slice() {
        [_] => format!(" from {}", page.clients(finding).join("")),
        _ => String::new(),
    };
    format!(
        "Subject: Logging in to your mail: {account}\n\nHello,\n\n{what} This concerns {account}{from}, {}.\n\n{please}\n\nReference: {}\n",
        page.period(finding),
        page.id(finding)
    )
}

/// What it means to a user, and what the user can do.
fn plain(finding: &Finding) -> (&'static str, &'static str) {
    match finding.kind {
        Kind::StaleClient | Kind::SharedOffice => (
            "A device keeps trying to log in with a password that is not right, probably an old one.",
            "Please look at every phone, tablet, printer and computer that sends or fetches mail, and enter the current password.",
        ),
        Kind::AccountTakeover if finding.accounts.len() > 1 => (
            "Somebody tried the passwords of several accounts, yours among them, and got in to one of them. The log does not say to which.",
            "Please change the password now, and on every place where you used the same one.",
        ),
        Kind::AccountTakeover => (
            "Somebody logged in to your account in a way that does not look like you.",
            "Please tell us whether that was you. If it was not, change the password now, and on every place where you used the same one.",
        ),
        Kind::BackendOutage | Kind::ConfigFault => (
            "Logging in did not work because of a fault on our side.",
            "You need not do anything. Your password is right, please do not change it.",
        ),
        Kind::MechanismMismatch | Kind::TlsBeforeAuth | Kind::WrongPortOrNotLoggedIn => (
            "Your mail program could not log in because of its settings.",
            "Please set: server for outgoing mail with authentication \"normal password\", port 587 with STARTTLS or 465 with SSL/TLS.",
        ),
        Kind::Guessing | Kind::Spraying | Kind::DistributedAttack => (
            "Strangers are trying passwords on your account. As far as the log shows, none of them got in.",
            "Please make sure that the password is long and that you use it nowhere else.",
        ),
        _ => ("There is something about your mail account that we look into.", "You need not do anything for now."),
    }
}

fn for_colleague(page: &Page<'_>, finding: &Finding) -> String {
    let mut out = format!(
        "Subject: {}: {}\n\n{}\n\nTime: {}\nSure: {:.0} %\nBan advised: {}\n",
        finding.kind.name().replace('_', " "),
        page.id(finding),
        page.summary(finding),
        page.period(finding),
        finding.confidence * 100.0,
        if finding.ban { "yes" } else { "no" }
    );
    for (title, lines) in [
        ("Addresses", page.clients(finding)),
        ("Accounts", page.accounts(finding)),
        ("Sent since", page.messages(finding)),
        ("Lines", page.evidence(finding)),
    ] {
        out += &block(title, &lines);
    }
    out += &block("To do", &finding.next.iter().map(|step| step.to_string()).collect::<Vec<_>>());
    out + &block("Not to do", &finding.avoid.iter().map(|step| step.to_string()).collect::<Vec<_>>())
}

/// Whoever runs the network needs addresses, times with their zone, and lines; not whose accounts were tried.
fn for_abuse_desk(page: &Page<'_>, finding: &Finding) -> String {
    let accounts = spellings(finding);
    let hidden = |line: String| without_accounts(&line, &accounts);
    let failures = finding.counts.iter().find(|(name, _)| *name == "auth_failed").map_or(0, |(_, count)| *count);
    let mut out = format!(
        "Subject: Password guessing against our mail server from {}\n\nFrom {} logins to our mail server were tried with wrong \
         credentials ({} failures), {}.\nPlease look into it: the machine may be taken over.\n",
        page.clients(finding).join(""),
        page.clients(finding).join(""),
        number(failures),
        page.period(finding)
    );
    out += &block("Lines of our log", &page.evidence(finding).into_iter().map(hidden).collect::<Vec<_>>());
    out
}

/// Accounts as they stand in lines on the screen, the longest first: one may be the beginning of another.
fn spellings(finding: &Finding) -> Vec<String> {
    let escaped = |name: &[u8]| escape(&String::from_utf8_lossy(name)).into_owned();
    let mut accounts: Vec<String> =
        finding.accounts.iter().map(|name| escaped(name)).filter(|name| name.len() > 2).collect();
    accounts.sort_unstable_by_key(|name| std::cmp::Reverse(name.len()));
    accounts
}

/// A line of the log without the accounts that were tried. What Postfix writes behind `sasl_username=` is the client's own text up to
/// the line's end (`smtpd_sasl_glue.c`); elsewhere the accounts are looked for, whatever their case.
fn without_accounts(line: &str, accounts: &[String]) -> String {
    const NAMED: &str = "sasl_username=";
    const HIDDEN: &str = "[account]";
    let (line, end) = match line.split_once(NAMED) {
        Some((before, _)) => (before, format!("{NAMED}{HIDDEN}")),
        None => (line, String::new()),
    };
    let mut line = line.to_owned();
    for account in accounts {
        let wanted = account.to_ascii_lowercase();
        let mut from = 0;
        // ASCII case changes no length, so places in one text are places in the other.
        while let Some(at) = line.get(from..).and_then(|rest| rest.to_ascii_lowercase().find(&wanted)) {
            let start = from + at;
            line.replace_range(start..start + wanted.len(), HIDDEN);
            from = start + HIDDEN.len();
        }
    }
    line + &end
}

fn block(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("\n{title}:\n{}", lines.iter().map(|line| format!("- {line}\n")).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abuse_desk_reads_no_accounts() {
        let accounts = ["anna.b@example.org".to_owned(), "anna".to_owned()];
        for (line, shown) in [
            (
                "SASL LOGIN authentication failed: x, sasl_username=a, b",
                "SASL LOGIN authentication failed: x, sasl_username=[account]",
            ),
            ("auth: passwd-file(Anna.B@example.org,192.0.2.1): x", "auth: passwd-file([account],192.0.2.1): x"),
            ("anna ANNA annabel", "[account] [account] [account]bel"),
            ("nobody here", "nobody here"),
        ] {
            assert_eq!(without_accounts(line, &accounts), shown);
        }
    }
}
