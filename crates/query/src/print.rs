//! [`Expr`] to query text. What is printed parses to the same expression again, while it is within the bounds of a query.

use std::fmt::{self, Display, Formatter, Write as _};

use ipnet::IpNet;

use crate::expr::{Bound, Expr, IntRange, RealRange, Term, Test};
use crate::fields::TEXT;
use crate::parse::{ends_word, is_keyword};
use crate::pattern::{Glob, Phrase};
use crate::present::rfc3339;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::And(parts) => joined(f, parts, " "),
            Self::Or(parts) => joined(f, parts, " OR "),
            Self::Not(part) => {
                f.write_char('-')?;
                inner(f, part)
            }
            Self::Term(term) => term.fmt(f),
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Expr], between: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        inner(f, part)?;
    }
    Ok(())
}

fn inner(f: &mut Formatter<'_>, part: &Expr) -> fmt::Result {
    match part {
        Expr::And(_) | Expr::Or(_) => write!(f, "({part})"),
        part => part.fmt(f),
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = self.field.name;
        match &self.test {
            Test::Present => write!(f, "{name}:*"),
            Test::Absent => write!(f, "{name}:?"),
            Test::Phrase(phrase) if self.field == TEXT => f.write_str(&quoted_phrase(phrase)),
            Test::Phrase(phrase) => write!(f, "{name}:{}", quoted_phrase(phrase)),
            Test::Word(glob) => write!(f, "{name}:{}", word(glob)),
            Test::Net(net) => write!(f, "{name}:{}", network(net)),
            Test::Int(range) => write!(f, "{name}:{}", integers(range)),
            Test::Real(range) => write!(f, "{name}:{}", numbers(range)),
            Test::Time(IntRange { from: Some(from), to: None }) => write!(f, "since:{}", rfc3339(*from)),
            Test::Time(IntRange { from: None, to: Some(to) }) => write!(f, "until:{}", rfc3339(*to)),
            Test::Time(IntRange { from, to }) => {
                write!(f, "{name}:{}..{}", from.map(rfc3339).unwrap_or_default(), to.map(rfc3339).unwrap_or_default())
            }
            Test::Flag(flag) => write!(f, "{name}:{}", if *flag { "yes" } else { "no" }),
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '*') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn quoted_phrase(phrase: &Phrase) -> String {
    let star = |free| if free { "*" } else { "" };
    let (begin, end) = phrase.free_ends();
    format!("\"{}{}{}\"", star(begin), quoted(phrase.words()), star(end))
}

fn word(glob: &Glob) -> String {
    let pieces = glob.pieces();
    let bare = pieces.join("*");
    let own = |c: char| ends_word(c) || matches!(c, '"' | '*');
    if pieces.iter().any(|piece| piece.contains(own)) || matches!(bare.as_str(), "" | "?") || is_keyword(&bare) {
        let pieces: Vec<String> = pieces.iter().map(|piece| quoted(piece)).collect();
        return format!("\"{}\"", pieces.join("*"));
    }
    bare
}

/// A network of one address is that address.
fn network(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

fn integers(range: &IntRange) -> String {
    match (range.from, range.to) {
        (Some(from), Some(to)) if from == to => from.to_string(),
        (from, to) => {
            let shown = |end: Option<i64>| end.map(|end| end.to_string()).unwrap_or_default();
            format!("{}..{}", shown(from), shown(to))
        }
    }
}

fn numbers(range: &RealRange) -> String {
    match (range.from, range.to) {
        (Some(from), Some(to)) if from.at == to.at => from.at.to_string(),
        (Some(Bound { at, inclusive }), None) => format!("{}{at}", if inclusive { ">=" } else { ">" }),
        (None, Some(Bound { at, inclusive })) => format!("{}{at}", if inclusive { "<=" } else { "<" }),
        (from, to) => {
            let shown = |end: Option<Bound>| end.map(|end| end.at.to_string()).unwrap_or_default();
            format!("{}..{}", shown(from), shown(to))
        }
    }
}
