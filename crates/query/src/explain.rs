//! A query in plain words, for whoever wants to see how it was understood.
//!
//! [`Expr`] goes in; lines come out, parts of parts further to the right.

use crate::expr::{Bound, Expr, IntRange, RealRange, Term, Test};
use crate::fields::TEXT;
use crate::pattern::{Glob, Phrase};
use crate::present::rfc3339;

/// Says which entries are meant, one condition a line, without a line end at the end.
#[must_use]
pub(crate) fn explain(expr: &Expr) -> String {
    let mut lines = Vec::new();
    describe(expr, 0, "", &mut lines);
    lines.join("\n")
}

fn describe(expr: &Expr, depth: usize, prefix: &str, lines: &mut Vec<String>) {
    let mut say = |text: &str| lines.push(format!("{}{prefix}{text}", "  ".repeat(depth)));
    match expr {
        Expr::All => say("every line"),
        Expr::Term(term) => say(&condition(term)),
        Expr::Not(part) => match part.as_ref() {
            // A second negation needs a line of its own.
            Expr::Not(_) => {
                say("not this:");
                describe(part, depth + 1, "", lines);
            }
            part => describe(part, depth, &format!("{prefix}not: "), lines),
        },
        Expr::And(parts) | Expr::Or(parts) => {
            say(if matches!(expr, Expr::And(_)) { "all of these:" } else { "any of these:" });
            parts.iter().for_each(|part| describe(part, depth + 1, "", lines));
        }
    }
}

fn condition(term: &Term) -> String {
    let name = term.field.name;
    match &term.test {
        Test::Present => format!("{name} is there"),
        Test::Absent => format!("{name} is absent"),
        Test::Word(glob) => format!("{name} {}", word(glob)),
        Test::Phrase(phrase) if term.field == TEXT => format!("the line {}", words(phrase)),
        Test::Phrase(phrase) => format!("{name} {}", words(phrase)),
        Test::Net(net) if net.prefix_len() == net.max_prefix_len() => format!("{name} is {}", net.addr()),
        Test::Net(net) => format!("{name} is in {net} ({} to {})", net.network(), net.broadcast()),
        Test::Int(range) => format!("{name} {}", integers(range, |number| number.to_string())),
        Test::Real(range) => format!("{name} {}", numbers(range)),
        Test::Time(range) => format!("it was written {}", times(range)),
        Test::Flag(flag) => format!("{name} is {}", if *flag { "set" } else { "not set" }),
    }
}

fn word(glob: &Glob) -> String {
    let case = if glob.is_cased() { ", upper and lower case as given" } else { "" };
    match glob.pieces() {
        [whole] => format!("is \"{whole}\"{case}"),
        [begin, end] if end.is_empty() => format!("begins with \"{begin}\"{case}"),
        [begin, end] if begin.is_empty() => format!("ends with \"{end}\"{case}"),
        [begin, middle, end] if begin.is_empty() && end.is_empty() => format!("holds \"{middle}\"{case}"),
        pieces => format!("looks like \"{}\"{case}, where * is anything", pieces.join("*")),
    }
}

fn words(phrase: &Phrase) -> String {
    let said = format!("\"{}\"", phrase.words());
    match (phrase.words(), phrase.free_ends()) {
        ("", _) => "is empty".to_owned(),
        (_, (false, false)) => format!("holds {said} as whole words"),
        (_, (false, true)) => format!("holds {said} at the beginning of a word"),
        (_, (true, false)) => format!("holds {said} at the end of a word"),
        (_, (true, true)) => format!("holds {said} anywhere"),
    }
}

fn integers(range: &IntRange, show: impl Fn(i64) -> String) -> String {
    match (range.from, range.to) {
        (Some(from), Some(to)) if from == to => format!("is {}", show(from)),
        (Some(from), Some(to)) => format!("is {} to {}", show(from), show(to)),
        (Some(from), None) => format!("is {} or more", show(from)),
        (None, Some(to)) => format!("is {} or less", show(to)),
        (None, None) => "is any number".to_owned(),
    }
}

fn numbers(range: &RealRange) -> String {
    let bound = |bound: &Bound, inclusive: &str, exclusive: &str| {
        if bound.inclusive { format!("{} {inclusive}", bound.at) } else { format!("{exclusive} {}", bound.at) }
    };
    match (&range.from, &range.to) {
        (Some(from), Some(to)) if from.at == to.at => format!("is {}", from.at),
        (Some(from), Some(to)) => format!("is {} to {}", from.at, to.at),
        (Some(from), None) => format!("is {}", bound(from, "or more", "more than")),
        (None, Some(to)) => format!("is {}", bound(to, "or less", "less than")),
        (None, None) => "is any number".to_owned(),
    }
}

fn times(range: &IntRange) -> String {
    match (range.from.map(rfc3339), range.to.map(rfc3339)) {
        (Some(from), Some(to)) => format!("from {from} to {to}"),
        (Some(from), None) => format!("at {from} or later"),
        (None, Some(to)) => format!("at {to} or before"),
        (None, None) => "at any time".to_owned(),
    }
}
