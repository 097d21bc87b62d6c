//! What fail2ban's programs print.
//!
//! Text goes in, jails and counts come out; what is of another shape is passed over.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// A jail that is switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Jail {
    pub(super) name: String,
    pub(super) files: Vec<PathBuf>,
    /// Its match of journal fields; empty if it reads files.
    pub(super) journal: String,
    pub(super) banned: Vec<IpAddr>,
}

/// The names after `Jail list:`, separated by commas.
pub(super) fn names_of_status(text: &str) -> Vec<String> {
    let list = value(text, "Jail list:").unwrap_or_default();
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The status of one jail.
pub(super) fn jail_of_status(name: &str, text: &str) -> Jail {
    let words = |label| value(text, label).unwrap_or_default().split_whitespace();
    Jail {
        name: name.to_owned(),
        files: words("File list:").map(PathBuf::from).collect(),
        journal: value(text, "Journal matches:").unwrap_or_default().to_owned(),
        banned: words("Banned IP list:").filter_map(|word| word.parse().ok()).collect(),
    }
}

fn value<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.split_once(label)).map(|(_, value)| value.trim())
}

/// `fail2ban-client -d`: the configuration as commands, each a list in Python's spelling.
pub(super) fn jails_of_dump(text: &str) -> Vec<Jail> {
    let mut jails: BTreeMap<String, Jail> = BTreeMap::new();
    for line in text.lines() {
        let words = strings(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["add", name, ..] => {
                jails.insert((*name).to_owned(), Jail { name: (*name).to_owned(), ..Jail::default() });
            }
            ["set", name, "addlogpath", file, ..] => {
                if let Some(jail) = jails.get_mut(*name) {
                    jail.files.push(PathBuf::from(file));
                }
            }
            ["set", name, "addjournalmatch", matches @ ..] => {
                if let Some(jail) = jails.get_mut(*name) {
                    jail.journal = matches.join(" ");
                }
            }
            _ => {}
        }
    }
    jails.into_values().collect()
}

/// The quoted strings of a line; a backslash takes the next character as it is.
fn strings(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line.chars();
    while let Some(quote) = rest.find(|c| matches!(c, '\'' | '"')) {
        let mut word = String::new();
        while let Some(c) = rest.next() {
            match c {
                '\\' => word.extend(rest.next()),
                c if c == quote => break,
                c => word.push(c),
            }
        }
        found.push(word);
    }
    found
}

/// `Lines: 5 lines, 0 ignored, 3 matched, 2 missed`.
pub(super) fn matched_lines(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("Lines: "))?;
    let part = line.split(", ").find(|part| part.trim_end().ends_with(" matched"))?;
    part.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fail2ban_prints() {
        let status = "Status\n|- Number of jail:\t2\n`- Jail list:\tpostfix-sasl, sshd\n";
        assert_eq!(names_of_status(status), ["postfix-sasl", "sshd"]);
        assert!(names_of_status("").is_empty());
        let jail = "Status for the jail: postfix-sasl\n|- Filter\n|  |- Currently failed:\t1\n|  |- Total failed:\t9\n|  `- File list:\t/var/log/mail.log /x\n`- Actions\n   |- Currently banned:\t1\n   |- Total banned:\t1\n   `- Banned IP list:\t203.0.113.9 2001:db8::1 odd\n";
        let found = jail_of_status("postfix-sasl", jail);
        assert_eq!(found.files, [PathBuf::from("/var/log/mail.log"), PathBuf::from("/x")]);
        assert_eq!(found.banned.len(), 2);
        let journal = jail_of_status("j", "|  `- Journal matches:\t_SYSTEMD_UNIT=postfix.service\n");
        assert_eq!((journal.journal.as_str(), journal.files.len()), ("_SYSTEMD_UNIT=postfix.service", 0));
    }

    #[test]
    fn a_dump() {
        let dump = "['set', 'loglevel', 'INFO']\n['add', 'postfix', 'auto']\n['set', 'postfix', 'addlogpath', '/var/log/mail.log', 'head']\n['set', \"it's\", 'addlogpath', '/y']\n['add', 'dovecot', 'systemd']\n['set', 'dovecot', 'addjournalmatch', '_A=b', '+', '_C=d']\nnonsense ' \\\n['add'";
        let jails = jails_of_dump(dump);
        assert_eq!(jails.len(), 2);
        assert_eq!((jails[0].journal.as_str(), jails[1].files.len()), ("_A=b + _C=d", 1));
    }

    #[test]
    fn results_of_a_trial() {
        assert_eq!(matched_lines("x\nLines: 5 lines, 0 ignored, 3 matched, 2 missed\n"), Some(3));
        assert_eq!(matched_lines("Lines: what"), None);
        assert_eq!(matched_lines(""), None);
    }
}
