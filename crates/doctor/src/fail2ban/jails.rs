//! Which filter a jail has: read from the files of fail2ban's configuration, as its programs do not tell.
//!
//! A folder goes in, the filter of each jail comes out (`postfix[mode=auth]`).
//!
//! Source: `jail.conf(5)`: jail.conf, jail.d/*.conf, jail.local, jail.d/*.local, later ones win; `%(name)s` stands for another
//! setting of the section or of DEFAULT.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::host::read_file;

/// Settings by section.
type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// How deep settings may stand for each other.
const DEPTH_MAX: usize = 8;

/// Whether a jail by that name is about mail logins.
pub(super) fn is_for_mail(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["postfix", "dovecot", "sasl", "smtp", "submission", "mail", "imap"].iter().any(|word| name.contains(word))
}

/// The filter of each jail.
pub(super) fn read_filters(config: &Path) -> BTreeMap<String, String> {
    let mut sections = Sections::new();
    for file in files(config) {
        add(&mut sections, &read_file(&file).unwrap_or_default());
    }
    let names: Vec<String> = sections.keys().filter(|name| *name != "DEFAULT").cloned().collect();
    names.into_iter().map(|name| (name.clone(), filter(&sections, &name))).collect()
}

fn files(config: &Path) -> Vec<PathBuf> {
    let of = |ending: &str| {
        let entries =
            std::fs::read_dir(config.join("jail.d")).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|own| own == ending)).collect();
        files.sort();
        std::iter::once(config.join(format!("jail.{ending}"))).chain(files).collect::<Vec<_>>()
    };
    [of("conf"), of("local")].concat()
}

fn add(sections: &mut Sections, text: &str) {
    let mut current = String::new();
    for line in text.lines() {
        // A line that begins with a blank goes on with the one before; no filter's name does.
        if line.starts_with(['#', ';', ' ', '\t']) {
            continue;
        }
        if let Some(name) = line.trim_end().strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            current = name.to_owned();
        } else if let Some((name, value)) = line.split_once('=') {
            sections.entry(current.clone()).or_default().insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
}

fn filter(sections: &Sections, jail: &str) -> String {
    let get = |name: &str| {
        let of = |section: &str| sections.get(section).and_then(|values| values.get(name));
        of(jail).or_else(|| of("DEFAULT")).cloned()
    };
    let mut value = get("filter").unwrap_or_else(|| jail.to_owned());
    for _ in 0..DEPTH_MAX {
        let Some((before, rest)) = value.split_once("%(") else { break };
        let Some((name, after)) = rest.split_once(")s") else { break };
        let inner = if name == "__name__" { jail.to_owned() } else { get(name).unwrap_or_default() };
        value = format!("{before}{inner}{after}");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_jails() {
        let mut sections = Sections::new();
        add(
            &mut sections,
            "[DEFAULT]\nfilter = %(__name__)s[mode=%(mode)s]\nmode = normal\n# c\n[postfix]\nmode = more\n\n[postfix-sasl]\nfilter   = postfix[mode=auth]\nport = x\n  y = z\n[loop]\nfilter = %(filter)s\n[plain]\nodd\n",
        );
        add(&mut sections, "[postfix]\nmode=aggressive\n");
        let check = |jail: &str, expected: &str| assert_eq!(filter(&sections, jail), expected);
        check("postfix", "postfix[mode=aggressive]");
        check("postfix-sasl", "postfix[mode=auth]");
        check("dovecot", "dovecot[mode=normal]");
        check("loop", "%(filter)s");
    }

    #[test]
    fn jails_for_mail() {
        for (name, expected) in [
            ("postfix-sasl", true),
            ("Dovecot", true),
            ("sshd", false),
            ("nginx-http-auth", false),
            ("my-smtp-auth", true),
        ] {
            assert_eq!(is_for_mail(name), expected, "{name}");
        }
    }
}
