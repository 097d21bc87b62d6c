//! What stands behind a field's name: text as written to the test that its kind understands.

use ipnet::IpNet;
use jiff::Timestamp;

use crate::error::Problem;
use crate::expr::{Bound, IntRange, RealRange, Term, Test};
use crate::fields::{FIELDS, Field, Kind, TS, field};
use crate::pattern::{Glob, Phrase};
use crate::present::{Present, TimeError};
use crate::vocabulary;

/// A character of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Itself.
    Char(char),
    /// Any part.
    Star,
}

/// A value as it was written.
pub(crate) struct Written {
    pub(crate) marks: Vec<Mark>,
    pub(crate) quoted: bool,
}

impl Written {
    /// The characters; a star is one.
    fn text(&self) -> String {
        self.marks.iter().map(|mark| if let Mark::Char(c) = mark { *c } else { '*' }).collect()
    }

    fn is_only_stars(&self) -> bool {
        !self.marks.is_empty() && self.marks.iter().all(|mark| *mark == Mark::Star)
    }

    /// What stands between the stars.
    fn pieces(&self) -> Vec<String> {
        let mut marks = self.marks.clone();
        marks.dedup_by(|a, b| *a == Mark::Star && *b == Mark::Star);
        marks.split(|mark| *mark == Mark::Star).map(chars).collect()
    }

    fn phrase(&self) -> Phrase {
        let first = self.marks.iter().position(|mark| *mark != Mark::Star).unwrap_or(self.marks.len());
        let end = self.marks.iter().rposition(|mark| *mark != Mark::Star).map_or(first, |last| last + 1);
        Phrase::new(chars(self.marks.get(first..end).unwrap_or_default()), first > 0, end < self.marks.len())
    }
}

fn chars(marks: &[Mark]) -> String {
    marks.iter().map(|mark| if let Mark::Char(c) = mark { *c } else { '*' }).collect()
}

/// What a name before a colon means.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    Field(&'static Field),
    Since,
    Until,
    On,
}

/// The names that are no fields; they ask for the time.
const TIME_WORDS: [(&str, Target); 3] = [("since", Target::Since), ("until", Target::Until), ("on", Target::On)];

impl Target {
    /// The one of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let word = TIME_WORDS.iter().find(|(word, _)| *word == name).map(|(_, target)| *target);
        word.or_else(|| field(name).map(Self::Field))
    }

    /// The name most like this one, if any is.
    pub(crate) fn nearest(name: &str) -> Option<&'static str> {
        most_like(name, names().chain(TIME_WORDS.iter().map(|(word, _)| *word)))
    }

    /// Its name, and what may stand behind it.
    pub(crate) fn wanted(self) -> (&'static str, &'static str) {
        match self {
            Self::Field(field) => (field.name, field.kind.described().1),
            Self::Since => ("since", "a day, a time, or how long ago"),
            Self::Until => ("until", "a day, a time, or how long ago"),
            Self::On => ("on", "a day"),
        }
    }
}

/// The name or alias of a field that is most like a text, if any is.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    most_like(name, names())
}

fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().flat_map(|field| std::iter::once(field.name).chain(field.alias))
}

/// The name most like a text, if any is.
pub(crate) fn most_like(name: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let distance = |near: &str| strsim::damerau_levenshtein(near, name);
    // A name of which a third is different is another one.
    names.filter(|near| distance(near) <= 1 + name.len() / 4).min_by_key(|near| distance(near))
}

/// The test of a field that a value asks for.
pub(crate) fn term(target: Target, written: &Written, present: &Present) -> Result<Term, Problem> {
    let text = written.text();
    let instant = |text: &str| instant(text, present);
    let (field, test) = match target {
        Target::Since => (TS, Test::Time(IntRange { from: Some(instant(&text)?), to: None })),
        Target::Until => (TS, Test::Time(IntRange { from: None, to: Some(instant(&text)?) })),
        Target::On => (TS, Test::Time(day(&text, present)?)),
        Target::Field(field) if written.is_only_stars() => (field, Test::Present),
        Target::Field(field) if !written.quoted && text == "?" => (field, Test::Absent),
        Target::Field(field) => (field, of_kind(field, written, &text, present)?),
    };
    Ok(Term { field, test })
}

fn of_kind(field: &'static Field, written: &Written, text: &str, present: &Present) -> Result<Test, Problem> {
    Ok(match field.kind {
        Kind::Word => Test::Word(word(field, written, text)?),
        Kind::Text => Test::Phrase(written.phrase()),
        Kind::Address => Test::Net(network(text)?),
        Kind::Int => Test::Int(integers(text)?),
        Kind::Real | Kind::Reals => Test::Real(numbers(text)?),
        Kind::Time => Test::Time(times(text, present)?),
        Kind::Flag => Test::Flag(flag(text)?),
    })
}

fn word(field: &'static Field, written: &Written, text: &str) -> Result<Glob, Problem> {
    let glob = Glob::new(written.pieces(), field.cased);
    match vocabulary::unknown(field, &glob, text) {
        Some(problem) => Err(problem),
        None => Ok(glob),
    }
}

/// The text of a range's ends, and whether they are in it.
enum Ends<'a> {
    One(&'a str),
    Between(&'a str, &'a str),
    From(&'a str, bool),
    To(&'a str, bool),
}

fn ends(text: &str) -> Ends<'_> {
    let operator = |sign: &str, inclusive| text.strip_prefix(sign).map(|rest| (rest.trim_start(), inclusive));
    if let Some((from, inclusive)) = operator(">=", true).or_else(|| operator(">", false)) {
        return Ends::From(from, inclusive);
    }
    if let Some((to, inclusive)) = operator("<=", true).or_else(|| operator("<", false)) {
        return Ends::To(to, inclusive);
    }
    match text.split_once("..") {
        Some((from, "")) => Ends::From(from, true),
        Some(("", to)) => Ends::To(to, true),
        Some((from, to)) => Ends::Between(from, to),
        None => Ends::One(text),
    }
}

fn integers(text: &str) -> Result<IntRange, Problem> {
    let number = |part: &str| {
        let digits = part.strip_prefix('-').unwrap_or(part);
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| part.parse::<i64>().ok()).flatten().ok_or_else(|| Problem::NoInteger(text.to_owned()))
    };
    let range = match ends(text) {
        Ends::One(one) => match hundreds(one) {
            Some(range) => range,
            None => IntRange { from: Some(number(one)?), to: Some(number(one)?) },
        },
        Ends::Between(from, to) => IntRange { from: Some(number(from)?), to: Some(number(to)?) },
        Ends::From(from, inclusive) => {
            IntRange { from: Some(number(from)?.saturating_add(i64::from(!inclusive))), to: None }
        }
        Ends::To(to, inclusive) => IntRange { from: None, to: Some(number(to)?.saturating_sub(i64::from(!inclusive))) },
    };
    forward(range)
}

/// `5xx`: what begins with these digits and has as many as there are characters.
fn hundreds(text: &str) -> Option<IntRange> {
    let digits = text.trim_end_matches(['x', 'X']);
    let places = u32::try_from(text.len() - digits.len()).ok().filter(|places| (1..=6).contains(places))?;
    if digits.len() > 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (first, size) = (digits.parse::<i64>().ok()?, 10_i64.pow(places));
    Some(IntRange { from: Some(first * size), to: Some(first * size + size - 1) })
}

fn forward(range: IntRange) -> Result<IntRange, Problem> {
    match (range.from, range.to) {
        (Some(from), Some(to)) if from > to => Err(Problem::Backwards),
        _ => Ok(range),
    }
}

fn numbers(text: &str) -> Result<RealRange, Problem> {
    let bound = |part: &str, inclusive| {
        // No exponents, no infinities: what is printed can be read again.
        let plain = part.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        let at = plain.then(|| part.parse::<f64>().ok()).flatten().filter(|at| at.is_finite());
        at.map(|at| Some(Bound { at, inclusive })).ok_or_else(|| Problem::NoNumber(text.to_owned()))
    };
    let range = match ends(text) {
        Ends::One(one) => RealRange { from: bound(one, true)?, to: bound(one, true)? },
        Ends::Between(from, to) => RealRange { from: bound(from, true)?, to: bound(to, true)? },
        Ends::From(from, inclusive) => RealRange { from: bound(from, inclusive)?, to: None },
        Ends::To(to, inclusive) => RealRange { from: None, to: bound(to, inclusive)? },
    };
    match (range.from, range.to) {
        (Some(from), Some(to)) if from.at > to.at => Err(Problem::Backwards),
        _ => Ok(range),
    }
}

fn instant(text: &str, present: &Present) -> Result<i64, Problem> {
    present.instant(text).map_err(|error| no_time(text, error))
}

fn no_time(text: &str, error: TimeError) -> Problem {
    Problem::NoTime(text.to_owned(), error)
}

fn day(text: &str, present: &Present) -> Result<IntRange, Problem> {
    let (first, last) = present.day(text).map_err(|error| no_time(text, error))?;
    Ok(IntRange { from: Some(first), to: Some(last) })
}

/// The nearest instant that can be printed.
fn printable(micros: i64) -> i64 {
    micros.clamp(Timestamp::MIN.as_second() * 1_000_000, Timestamp::MAX.as_second() * 1_000_000)
}

fn times(text: &str, present: &Present) -> Result<IntRange, Problem> {
    let range = match ends(text) {
        Ends::One(one) => day(one, present)?,
        Ends::Between(from, to) => IntRange { from: Some(instant(from, present)?), to: Some(instant(to, present)?) },
        Ends::From(from, inclusive) => {
            let from = instant(from, present)? + i64::from(!inclusive);
            IntRange { from: Some(printable(from)), to: None }
        }
        Ends::To(to, inclusive) => {
            let to = instant(to, present)? - i64::from(!inclusive);
            IntRange { from: None, to: Some(printable(to)) }
        }
    };
    forward(range)
}

/// An address, a network, or an IPv4 address whose last numbers are `*`.
fn network(text: &str) -> Result<IpNet, Problem> {
    let canonical = |net: IpNet| match net {
        // `::ffff:192.0.2.0/120` is 192.0.2.0/24: addresses are kept in that form.
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => IpNet::new(v4.into(), v6.prefix_len() - 96).unwrap_or(net),
            None => net,
        },
        net => net,
    };
    let found = text.parse().ok().or_else(|| text.parse().ok().map(single)).or_else(|| starred(text));
    found.map(|net| canonical(net).trunc()).ok_or_else(|| Problem::NoAddress(text.to_owned()))
}

fn single(ip: std::net::IpAddr) -> IpNet {
    IpNet::from(ip)
}

/// `203.0.113.*`
fn starred(text: &str) -> Option<IpNet> {
    let known = text.trim_end_matches(".*");
    let stars = (text.len() - known.len()) / ".*".len();
    let octets = known.split('.').count();
    if stars == 0 || octets + stars > 4 {
        return None;
    }
    // One star stands for all numbers that are not there.
    let address = format!("{known}{}", ".0".repeat(4 - octets));
    let prefix = u8::try_from(octets * 8).ok()?;
    IpNet::new(std::net::IpAddr::V4(address.parse().ok()?), prefix).ok()
}

fn flag(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err(Problem::NoFlag(text.to_owned())),
    }
}
