//! Fields whose values are all known: whoever asks for another one is told so, and what there is.
//!
//! Only sets that are closed: a class, a cause or a level is one of ours, whoever wrote the line. Services, programs and statuses may have
//! any name.

use diagnose::Class;
use maillog::Level;

use crate::error::Problem;
use crate::fields::Field;
use crate::pattern::Glob;
use crate::value::most_like;

/// Values told of where none is like the one asked for; of a longer list, how many there are.
const TOLD_MAX: usize = 20;
/// Values like the one asked for that are told of.
const NEAREST_MAX: usize = 3;

/// What is wrong with a value of a field, if no entry can hold it. `text`: as it was written.
pub(crate) fn unknown(field: &'static Field, glob: &Glob, text: &str) -> Option<Problem> {
    let known = values(field)?;
    if known.iter().any(|value| glob.matches(value)) {
        return None;
    }
    let either = || either(text, &known).map(|parts| Meant::AnyOf(parts.join(" OR ")));
    let nearest = || Some(nearest(text, &known)).filter(|near| !near.is_empty()).map(Meant::Nearest);
    let meant = either().or_else(nearest).unwrap_or_else(|| Meant::OneOf(known.clone()));
    Some(Problem::UnknownValue { field: field.name, value: text.to_owned(), meant })
}

/// What may have been meant by a value that there is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// `a,b`: any of several, as the language says that.
    AnyOf(String),
    /// Values that are like it.
    Nearest(Vec<&'static str>),
    /// None is like it: all of them.
    OneOf(Vec<&'static str>),
}

impl Meant {
    /// In words.
    pub(crate) fn told(&self, field: &str) -> String {
        match self {
            Self::AnyOf(parts) => format!("; for any of several write `{field}:({parts})`"),
            Self::Nearest(values) => {
                let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                format!(", did you mean {}?", values.join(" or "))
            }
            Self::OneOf(values) if values.len() <= TOLD_MAX => format!("; there are {}", values.join(", ")),
            Self::OneOf(values) => format!("; there are {}: `postfix-insights {field}s` lists them", values.len()),
        }
    }
}

/// The values of a list, each the one it is or the one most like it. `None`: it is no list of values.
fn either(text: &str, known: &[&'static str]) -> Option<Vec<String>> {
    if !text.contains([',', '|']) {
        return None;
    }
    let part = |part: &str| {
        let glob = Glob::new(part.split('*').map(str::to_owned).collect(), false);
        if known.iter().any(|value| glob.matches(value)) {
            return Some(part.to_owned());
        }
        nearest(part, known).first().map(|value| (*value).to_owned())
    };
    text.split([',', '|']).map(str::trim).filter(|part| !part.is_empty()).map(part).collect()
}

/// The value that a word is nearly; if it is none, those that hold it.
fn nearest(word: &str, known: &[&'static str]) -> Vec<&'static str> {
    let word = word.trim_matches('*').to_ascii_lowercase();
    if let Some(like) = most_like(&word, known.iter().copied()) {
        return vec![like];
    }
    known.iter().copied().filter(|value| word.len() > 2 && value.contains(&word)).take(NEAREST_MAX).collect()
}

fn values(field: &Field) -> Option<Vec<&'static str>> {
    match field.name {
        "class" => Some(Class::ALL.iter().map(|class| class.name()).collect()),
        "cause" => Some(diagnose::all().map(|cause| cause.id).collect()),
        "level" => Some(Level::ALL.iter().map(|level| level.name()).collect()),
        _ => None,
    }
}
