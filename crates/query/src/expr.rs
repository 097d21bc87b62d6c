//! A query taken apart: which entries are meant.
//!
//! An entry goes in, whether it is meant comes out. Stores read the parts to narrow down where they look.

use std::ops::Range;

use ipnet::IpNet;

use crate::fields::{Entry, Field, Value};
use crate::pattern::{Glob, Phrase};

/// Which entries are meant.
///
/// Invariant, kept by [`Expr::and`] and [`Expr::or`]: `And` and `Or` have two parts or more, and no part of their own kind;
/// [`Expr::All`] is no part of anything.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All of them.
    All,
    /// Those that each part means.
    And(Vec<Expr>),
    /// Those that any part means.
    Or(Vec<Expr>),
    /// The others.
    Not(Box<Expr>),
    /// Those whose field passes.
    Term(Term),
}

/// One field's test.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The field.
    pub field: &'static Field,
    /// What its value must be. It fits the field's kind.
    pub test: Test,
}

/// What a value must be. An absent value passes [`Test::Absent`] and `Flag(false)` only.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Any.
    Present,
    /// None.
    Absent,
    /// A whole word.
    Word(Glob),
    /// Words in a text.
    Phrase(Phrase),
    /// An address of a network; a single address is a network of one.
    Net(IpNet),
    /// A whole number in a range.
    Int(IntRange),
    /// A number in a range; of four numbers, any of them.
    Real(RealRange),
    /// An instant in a range, microseconds since 1970 UTC.
    Time(IntRange),
    /// Set or not.
    Flag(bool),
}

/// A range of whole numbers, both ends in it. `None` is without end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntRange {
    /// The least.
    pub from: Option<i64>,
    /// The greatest.
    pub to: Option<i64>,
}

/// A range of numbers. `None` is without end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RealRange {
    /// The least.
    pub from: Option<Bound>,
    /// The greatest.
    pub to: Option<Bound>,
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// Where; finite.
    pub at: f64,
    /// Whether the end itself is in the range.
    pub inclusive: bool,
}

impl IntRange {
    /// Whether a number is in it.
    #[must_use]
    pub fn contains(&self, number: i64) -> bool {
        self.from.is_none_or(|from| number >= from) && self.to.is_none_or(|to| number <= to)
    }
}

impl RealRange {
    /// Whether a number is in it.
    #[must_use]
    pub fn contains(&self, number: f64) -> bool {
        self.from.is_none_or(|from| number > from.at || from.inclusive && number == from.at)
            && self.to.is_none_or(|to| number < to.at || to.inclusive && number == to.at)
    }
}

impl Expr {
    /// What all parts mean.
    #[must_use]
    pub fn and(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::All => {}
                Self::And(inner) => flat.extend(inner),
                part => flat.push(part),
            }
        }
        if flat.len() > 1 { Self::And(flat) } else { flat.pop().unwrap_or(Self::All) }
    }

    /// What any of the parts means. Of no parts: all.
    #[must_use]
    pub fn or(parts: Vec<Self>) -> Self {
        if parts.contains(&Self::All) {
            return Self::All;
        }
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                part => flat.push(part),
            }
        }
        if flat.len() > 1 { Self::Or(flat) } else { flat.pop().unwrap_or(Self::All) }
    }

    /// Whether an entry is meant.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::And(parts) => parts.iter().all(|part| part.matches(entry)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(entry)),
            Self::Not(part) => !part.matches(entry),
            Self::Term(term) => term.matches(entry),
        }
    }

    /// Adds where an entry's text shows why it is meant; for a part with `NOT` there is nothing to show.
    pub(crate) fn highlights(&self, entry: &Entry, out: &mut Vec<Range<usize>>) {
        match self {
            Self::All | Self::Not(_) => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.highlights(entry, out)),
            Self::Term(term) => term.highlights(entry, out),
        }
    }
}

impl Term {
    fn matches(&self, entry: &Entry) -> bool {
        let value = (self.field.get)(entry);
        match (&self.test, value) {
            (Test::Present, value) => value.is_some(),
            (Test::Absent, value) => value.is_none(),
            (Test::Flag(wanted), value) => (value == Some(Value::Flag(true))) == *wanted,
            (Test::Word(glob), Some(Value::Text(text))) => glob.matches(text),
            (Test::Phrase(phrase), Some(Value::Text(text))) => phrase.matches(text),
            (Test::Net(net), Some(Value::Text(text))) => text.parse().is_ok_and(|ip| contains(net, ip)),
            (Test::Int(range), Some(Value::Int(number))) | (Test::Time(range), Some(Value::Time(number))) => {
                range.contains(number)
            }
            (Test::Real(range), Some(Value::Real(number))) => range.contains(number),
            (Test::Real(range), Some(Value::Reals(numbers))) => numbers.iter().any(|number| range.contains(*number)),
            _ => false,
        }
    }

    fn highlights(&self, entry: &Entry, out: &mut Vec<Range<usize>>) {
        let Some(text) = entry.text.as_deref() else { return };
        match (&self.test, (self.field.get)(entry)) {
            // The words of a reason stand in the text as well.
            (Test::Phrase(phrase), Some(Value::Text(value))) if phrase.matches(value) => {
                out.extend(phrase.places(text));
            }
            (Test::Word(_) | Test::Net(_), Some(Value::Text(value))) if !value.is_empty() && self.matches(entry) => {
                out.extend(Phrase::new(value.to_owned(), false, false).places(text));
            }
            _ => {}
        }
    }
}

/// An IPv4 address in IPv6 is that IPv4 address.
fn contains(net: &IpNet, ip: std::net::IpAddr) -> bool {
    net.contains(&ip.to_canonical())
}
