//! Jails as they are configured: read from the files of fail2ban's configuration, as its programs do not tell all.
//!
//! A folder goes in, the settings of each jail come out (filter `postfix[mode=auth]`, tries, times, who is never banned).
//!
//! Source: `jail.conf(5)`: jail.conf, jail.d/*.conf, jail.local, jail.d/*.local, later ones win; `%(name)s` stands for another
//! setting of the section or of DEFAULT.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::host::read_file;

/// A jail's settings, as far as they could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JailSettings {
    /// Its name.
    pub name: String,
    /// It is switched on.
    pub enabled: bool,
    /// Its filter with options: `postfix[mode=auth]`.
    pub filter: String,
    /// So many failures ban.
    pub maxretry: Option<u32>,
    /// Within so many seconds.
    pub findtime: Option<u32>,
    /// For so many seconds; `Some(None)`: for ever.
    pub bantime: Option<Option<u32>>,
    /// Later bans of the same address last longer (`bantime.increment`).
    pub increment: bool,
    /// Addresses and networks that are never banned.
    pub ignore: Vec<IpNet>,
    /// Names among those, which only a name server can tell the addresses of.
    pub ignored_names: Vec<String>,
}

/// The settings of all jails in a configuration folder, by name.
#[must_use]
pub fn jail_settings(config: &Path) -> BTreeMap<String, JailSettings> {
    let sections = read(config);
    let names: Vec<String> = sections.keys().filter(|name| !is_no_jail(name)).cloned().collect();
    names.into_iter().map(|name| (name.clone(), settings(&sections, &name))).collect()
}

/// Sections that set defaults.
fn is_no_jail(name: &str) -> bool {
    matches!(name, "DEFAULT" | "INCLUDES" | "")
}

fn settings(sections: &Sections, jail: &str) -> JailSettings {
    let get = |name: &str| expanded(sections, jail, name);
    let is_on =
        |name: &str| get(name).is_some_and(|value| matches!(&*value.to_ascii_lowercase(), "true" | "yes" | "on" | "1"));
    let listed = get("ignoreip").unwrap_or_default();
    let words = || listed.split([' ', ',', '\t', '\n']).filter(|word| !word.is_empty());
    JailSettings {
        name: jail.to_owned(),
        enabled: is_on("enabled"),
        filter: filter(sections, jail),
        maxretry: get("maxretry").and_then(|value| value.parse().ok()),
        findtime: get("findtime").and_then(|value| seconds(&value)).and_then(|value| u32::try_from(value).ok()),
        bantime: get("bantime").and_then(|value| seconds(&value)).map(|value| u32::try_from(value).ok()),
        increment: is_on("bantime.increment"),
        ignore: words().filter_map(network).collect(),
        ignored_names: words().filter(|word| network(word).is_none()).map(str::to_owned).collect(),
    }
}

fn network(word: &str) -> Option<IpNet> {
    word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical())))
}

/// A time as fail2ban writes it: `600`, `10m`, `1h 30m`, `1d12h`, `-1` (`jail.conf(5)`, TIME ABBREVIATION FORMAT).
fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)?;
        let (number, after) = rest.split_at_checked(digits)?;
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let scale = match unit {
            "s" | "ss" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "mm" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hh" | "hour" | "hours" => 3_600.0,
            "d" | "da" | "dd" | "day" | "days" => 86_400.0,
            "w" | "we" | "wee" | "week" | "weeks" | "ww" => 604_800.0,
            "mo" | "mon" | "month" | "months" | "mos" => 2_629_800.0,
            "y" | "ye" | "yea" | "year" | "years" | "yy" => 31_557_600.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * scale;
        rest = after.trim_start();
    }
    (!text.is_empty()).then_some(total as i64)
}

/// Settings by section.
type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// How deep settings may stand for each other.
const DEPTH_MAX: usize = 8;

/// Whether a jail by that name is about mail logins.
#[must_use]
pub fn is_for_mail(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["postfix", "dovecot", "sasl", "smtp", "submission", "mail", "imap"].iter().any(|word| name.contains(word))
}

/// The filter of each jail.
pub(super) fn read_filters(config: &Path) -> BTreeMap<String, String> {
    let sections = read(config);
    let names: Vec<String> = sections.keys().filter(|name| *name != "DEFAULT").cloned().collect();
    names.into_iter().map(|name| (name.clone(), filter(&sections, &name))).collect()
}

fn read(config: &Path) -> Sections {
    let mut sections = Sections::new();
    for file in files(config) {
        add(&mut sections, &read_file(&file).unwrap_or_default());
    }
    sections
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
    // The setting that a line with a blank in front goes on with.
    let mut last: Option<String> = None;
    for line in text.lines() {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let value = last.as_ref().and_then(|name| sections.get_mut(&current)?.get_mut(name));
            if let Some(value) = value {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some(name) = line.trim_end().strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            current = name.to_owned();
            last = None;
        } else if let Some((name, value)) = line.split_once('=') {
            last = Some(name.trim().to_owned());
            sections.entry(current.clone()).or_default().insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
}

fn filter(sections: &Sections, jail: &str) -> String {
    // A filter is one line: what follows it belongs to something else.
    let value = expanded(sections, jail, "filter").unwrap_or_else(|| jail.to_owned());
    value.lines().next().unwrap_or_default().to_owned()
}

/// A setting of a jail or of DEFAULT, with what stands for another setting replaced by it.
fn expanded(sections: &Sections, jail: &str, name: &str) -> Option<String> {
    let get = |name: &str| {
        let of = |section: &str| sections.get(section).and_then(|values| values.get(name));
        of(jail).or_else(|| of("DEFAULT")).cloned()
    };
    let mut value = get(name)?;
    for _ in 0..DEPTH_MAX {
        let Some((before, rest)) = value.split_once("%(") else { break };
        let Some((name, after)) = rest.split_once(")s") else { break };
        let inner = if name == "__name__" { jail.to_owned() } else { get(name).unwrap_or_default() };
        value = format!("{before}{inner}{after}");
    }
    Some(value)
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
    fn settings_of_a_jail() {
        let mut sections = Sections::new();
        add(
            &mut sections,
            "[DEFAULT]\nignoreip = 127.0.0.1/8 ::1\n  192.0.2.0/24, mail.example\nbantime = 10m\nfindtime=1h 30m\nmaxretry = 5\nmail-time = 1d\n[postfix-sasl]\nenabled = true\nmaxretry = %(tries)s\ntries = 3\nbantime = -1\n[other]\nbantime = %(mail-time)s\n",
        );
        let sasl = settings(&sections, "postfix-sasl");
        assert_eq!(
            (sasl.enabled, sasl.maxretry, sasl.findtime, sasl.bantime),
            (true, Some(3), Some(5_400), Some(None))
        );
        assert_eq!((sasl.ignore.len(), sasl.ignored_names.as_slice()), (3, ["mail.example".to_owned()].as_slice()));
        let other = settings(&sections, "other");
        assert_eq!((other.enabled, other.maxretry, other.bantime), (false, Some(5), Some(Some(86_400))));
    }

    #[test]
    fn times() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(seconds(text), expected, "{text}");
        check("600", Some(600));
        check("-1", Some(-1));
        check("10m", Some(600));
        check("1h 30m", Some(5_400));
        check("1d12h", Some(129_600));
        check("0.5h", Some(1_800));
        check("2 weeks", Some(1_209_600));
        check("", None);
        check("soon", None);
        check("5 parsecs", None);
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
