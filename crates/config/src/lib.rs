//! The configuration file: what may stand in it, and what does.
//!
//! Text (TOML) and the keys that are known go in; settings come out, each with its value as an option of the command line would have it and
//! the line it stands in. What is not known is an error that names the line and the nearest key. It knows no options and opens no file.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")
)]

use std::fmt;

use toml::de::{DeTable, DeValue};

/// Bytes of a file at most: nobody writes more by hand.
pub const BYTES_MAX: usize = 1 << 20;

/// What a key's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// A text or a number.
    One,
    /// A list of these; one of them is a list of one.
    List,
}

/// A key that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The section it stands in; empty: before all sections.
    pub section: String,
    /// Its name.
    pub name: String,
    /// What its value must be.
    pub kind: Kind,
}

/// A value that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The section; empty: before all sections.
    pub section: String,
    /// The key.
    pub name: String,
    /// The value, as options of the command line have it.
    pub values: Vec<String>,
    /// The line it stands in, from 1.
    pub line: usize,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Wrong {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there, and how to go on.
    pub what: String,
}

/// Reads a file's text.
///
/// # Errors
/// The first thing that is wrong: no TOML, a section or key that is not known, a value of another kind.
pub fn parse(text: &str, known: &[Key]) -> Result<Vec<Setting>, Wrong> {
    if text.len() > BYTES_MAX {
        return Err(Wrong { line: 1, what: format!("the file is longer than {BYTES_MAX} bytes") });
    }
    let reader = Reader { text, known };
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        reader.wrong(at, error.message().trim().replace('\n', "; "))
    })?;
    let mut settings = Vec::new();
    for (key, value) in document.get_ref() {
        let (name, at) = (key.get_ref().as_ref(), key.span().start);
        match value.get_ref() {
            DeValue::Table(table) if reader.has_section(name) => {
                for (key, value) in table {
                    let place = Place { section: name, name: key.get_ref().as_ref(), at: key.span().start };
                    settings.push(reader.setting(&place, value.get_ref())?);
                }
            }
            DeValue::Table(_) => return Err(reader.unknown_section(name, at)),
            value => settings.push(reader.setting(&Place { section: "", name, at }, value)?),
        }
    }
    settings.sort_by_key(|setting| setting.line);
    Ok(settings)
}

/// Where a key stands.
struct Place<'p> {
    section: &'p str,
    name: &'p str,
    /// In bytes.
    at: usize,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.section {
            "" => write!(f, "`{}`", self.name),
            section => write!(f, "`{}` in [{section}]", self.name),
        }
    }
}

struct Reader<'r> {
    text: &'r str,
    known: &'r [Key],
}

impl Reader<'_> {
    fn has_section(&self, name: &str) -> bool {
        !name.is_empty() && self.known.iter().any(|key| key.section == name)
    }

    fn wrong(&self, at: usize, what: String) -> Wrong {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        Wrong { line: before.iter().filter(|byte| **byte == b'\n').count() + 1, what }
    }

    fn unknown_section(&self, name: &str, at: usize) -> Wrong {
        let sections = self.known.iter().map(|key| key.section.as_str()).filter(|section| !section.is_empty());
        let hint = nearest(name, sections).map(|near| format!("; did you mean [{near}]?")).unwrap_or_default();
        self.wrong(at, format!("there is no section [{}]{hint}", name.escape_debug()))
    }

    fn unknown_key(&self, place: &Place<'_>) -> Wrong {
        let here = self.known.iter().filter(|key| key.section == place.section).map(|key| key.name.as_str());
        let elsewhere = self.known.iter().find(|key| key.name == place.name);
        let hint = match (elsewhere, nearest(place.name, here)) {
            (Some(key), _) if key.section.is_empty() => "; it stands before all sections".to_owned(),
            (Some(key), _) => format!("; it stands in [{}]", key.section),
            (None, Some(near)) => format!("; did you mean `{near}`?"),
            (None, None) => String::new(),
        };
        let Place { section, name, .. } = place;
        let shown = Place { section, name: &name.escape_debug().to_string(), at: 0 };
        self.wrong(place.at, format!("there is no key {shown}{hint}"))
    }

    fn setting(&self, place: &Place<'_>, value: &DeValue<'_>) -> Result<Setting, Wrong> {
        let known = self.known.iter().find(|key| key.section == place.section && key.name == place.name);
        let key = known.ok_or_else(|| self.unknown_key(place))?;
        let values = match (key.kind, value) {
            (Kind::Switch, DeValue::Boolean(on)) => Some(vec![on.to_string()]),
            (Kind::List, DeValue::Array(list)) => list.iter().map(|one| scalar(one.get_ref())).collect(),
            (Kind::One | Kind::List, one) => scalar(one).map(|one| vec![one]),
            _ => None,
        };
        let expected = match key.kind {
            Kind::Switch => "true or false",
            Kind::One => "a text or a number",
            Kind::List => "a list of texts",
        };
        let values = values.ok_or_else(|| self.wrong(place.at, format!("{place} is {expected}")))?;
        let (section, name) = (place.section.to_owned(), place.name.to_owned());
        Ok(Setting { section, name, values, line: self.wrong(place.at, String::new()).line })
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        DeValue::Float(number) => Some(number.as_str().replace('_', "")),
        _ => None,
    }
}

/// The name that was meant by a mistyped one, if any is near.
fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = names.map(|name| (strsim::jaro_winkler(typed, name), name)).filter(|(near, _)| *near > 0.8);
    near.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known() -> Vec<Key> {
        let key = |section: &str, name: &str, kind| Key { section: section.into(), name: name.into(), kind };
        vec![
            key("", "state", Kind::One),
            key("sources", "files", Kind::List),
            key("sources", "journal", Kind::Switch),
            key("retention", "keep_days", Kind::One),
        ]
    }

    #[test]
    fn what_is_set() {
        let text = "# a comment\nstate = \"/srv/mail\"\n\n[sources]\nfiles = [\"a\", 'b']\njournal = true\n[retention]\nkeep_days = 1_0\n";
        let found: Vec<String> = parse(text, &known())
            .unwrap()
            .into_iter()
            .map(|s| format!("{}:{}.{}={}", s.line, s.section, s.name, s.values.join(",")))
            .collect();
        assert_eq!(
            found,
            ["2:.state=/srv/mail", "5:sources.files=a,b", "6:sources.journal=true", "8:retention.keep_days=10"]
        );
        assert_eq!(parse("", &known()), Ok(vec![]));
        assert_eq!(parse("[sources]\nfiles = \"a\"", &known()).unwrap()[0].values, ["a"]);
    }

    #[test]
    fn what_is_wrong() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text, &known()).unwrap_err().to_string(), expected, "{text}");
        };
        check("\nstaet = 1", "line 2: there is no key `staet`; did you mean `state`?");
        check("[source]\nfiles = []", "line 1: there is no section [source]; did you mean [sources]?");
        check("[sources]\njurnal = true", "line 2: there is no key `jurnal` in [sources]; did you mean `journal`?");
        check("[sources]\nkeep_days = 1", "line 2: there is no key `keep_days` in [sources]; it stands in [retention]");
        check("[sources]\nstate = 1", "line 2: there is no key `state` in [sources]; it stands before all sections");
        check("xyzzy = 1", "line 1: there is no key `xyzzy`");
        check("[sources]\njournal = \"yes\"", "line 2: `journal` in [sources] is true or false");
        check("state = [\"a\"]", "line 1: `state` is a text or a number");
        check("[sources]\nfiles = [[1]]", "line 2: `files` in [sources] is a list of texts");
        check("state = 1\nstate = 2", "line 2: duplicate key");
        assert!(parse("a = ", &known()).unwrap_err().to_string().starts_with("line 1: "));
        assert!(parse(&"#\n".repeat(BYTES_MAX), &known()).is_err());
    }

    proptest! {
        /// Whatever stands in it: it is read or refused, and a line that is named is there.
        #[test]
        fn any_text(text in "([a-z_]{1,9}|\\[|\\]|=|\"|'|\n|#|[0-9.]{1,4}|true|state|sources|files|\\PC){0,40}") {
            match parse(&text, &known()) {
                Ok(settings) => prop_assert!(settings.iter().all(|s| s.line <= text.lines().count())),
                Err(wrong) => prop_assert!(wrong.line <= text.split('\n').count()),
            }
        }
    }
}
