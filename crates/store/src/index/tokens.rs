//! What of a value is looked up: the terms an index keeps for words, addresses and texts.
//!
//! A value goes in, its terms come out. The same functions make the terms of a line and those of a question, so that a term that is
//! not there means that the value is not there. A term may be cut; whoever finds one that was must look at the value itself.

use std::net::IpAddr;

use query::fold;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// Bytes of a whole value that are kept as its term at most.
pub(crate) const WORD_BYTES_MAX: usize = 255;
/// Bytes of a word in a text that are kept at most.
const TOKEN_BYTES_MAX: usize = 64;
/// Runs of digits up to this length are no terms: nearly every line has some.
const DIGITS_MAX: usize = 3;
/// Numbers of a dotted IPv4 address, which is a term by itself.
const OCTETS: usize = 4;

/// Cuts at a character.
fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// The term of a whole value whose case does not count.
pub(crate) fn word(value: &str) -> String {
    cut(&fold(value), WORD_BYTES_MAX).to_owned()
}

/// The term of a whole value whose case counts.
pub(crate) fn cased(value: &str) -> String {
    cut(value, WORD_BYTES_MAX).to_owned()
}

/// Whether a value's term may stand for other values, too.
pub(crate) fn is_cut(term: &str) -> bool {
    // A character of four bytes may have been left out.
    term.len() + 4 > WORD_BYTES_MAX
}

/// Whether a word of a text may have been cut.
pub(crate) fn is_cut_token(term: &str) -> bool {
    term.len() + 4 > TOKEN_BYTES_MAX
}

/// The term of an address: networks are ranges of such terms. What is no address has a term outside of all of them.
pub(crate) fn address(value: &str) -> String {
    match value.parse::<IpAddr>() {
        Ok(ip) => address_term(ip),
        Err(_) => format!("z{}", word(value)),
    }
}

/// `a` and 32 hexadecimal digits. One of each line's: a formatter would take ten times as long.
fn address_term(ip: IpAddr) -> String {
    let number = number(ip);
    let digit = |at: u32| char::from_digit((number >> (4 * at)) as u32 & 15, 16).unwrap_or('0');
    let mut term = String::with_capacity(33);
    term.push('a');
    term.extend((0..32).rev().map(digit));
    term
}

/// An address as a number; an IPv4 address as its IPv6 form.
fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The first and the last term of a network.
pub(crate) fn network(net: &ipnet::IpNet) -> (String, String) {
    (address_term(net.network()), address_term(net.broadcast()))
}

/// A run of letters and digits in a folded text: its place, and whether it is kept as a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// First byte.
    pub(crate) from: usize,
    /// First byte behind it.
    pub(crate) to: usize,
    short_number: bool,
}

/// What a byte is to a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Between words.
    Other,
    Letter,
    Digit,
    /// The first of a character of several bytes.
    Wide,
}

/// A table, as each byte of each line is asked.
#[expect(clippy::indexing_slicing, reason = "evaluated when compiled: a wrong index does not compile")]
static CLASSES: [Class; 256] = {
    let mut classes = [Class::Wide; 256];
    let mut byte = 0u8;
    while byte < 128 {
        classes[byte as usize] = if byte.is_ascii_digit() {
            Class::Digit
        } else if byte.is_ascii_alphabetic() {
            Class::Letter
        } else {
            Class::Other
        };
        byte += 1;
    }
    classes
};

/// What the byte at a place is, and how many there are of its character. `None`: the text ends there.
#[inline]
fn class(text: &str, at: usize) -> Option<(Class, usize)> {
    let class = *CLASSES.get(usize::from(*text.as_bytes().get(at)?))?;
    if class != Class::Wide {
        return Some((class, 1));
    }
    let character = text.get(at..)?.chars().next()?;
    Some((if character.is_alphanumeric() { Class::Letter } else { Class::Other }, character.len_utf8()))
}

/// The runs of letters and digits of a folded text, from left to right.
pub(crate) fn runs(folded: &str) -> impl Iterator<Item = Run> + '_ {
    let mut next = 0;
    std::iter::from_fn(move || {
        let from = loop {
            match class(folded, next)? {
                (Class::Other, length) => next += length,
                _ => break next,
            }
        };
        let (mut to, mut digits) = (from, true);
        while let Some((class, length)) = class(folded, to)
            && class != Class::Other
        {
            digits &= class == Class::Digit;
            to += length;
        }
        next = to;
        Some(Run { from, to, short_number: digits && to - from <= DIGITS_MAX })
    })
}

/// Short numbers that dots join, as far as they were seen.
#[derive(Default)]
struct Chain {
    /// Where the latest of them begin, in turn.
    starts: [usize; OCTETS],
    count: usize,
    /// First byte behind the last one.
    end: usize,
}

impl Chain {
    /// One more. Output: where the four that end with it begin.
    fn push(&mut self, folded: &str, run: Run) -> Option<usize> {
        if folded.get(self.end..run.from) != Some(".") {
            self.count = 0;
        }
        self.end = run.to;
        if let Some(start) = self.starts.get_mut(self.count % OCTETS) {
            *start = run.from;
        }
        self.count += 1;
        if self.count < OCTETS { None } else { self.starts.get(self.count % OCTETS).copied() }
    }
}

/// The terms of a folded text: its words, but for short numbers, and every four of them that dots join. Each with the place it takes.
pub(crate) fn terms(folded: &str) -> impl Iterator<Item = (Run, &str)> {
    let mut chain = Chain::default();
    let mut runs = runs(folded);
    std::iter::from_fn(move || {
        loop {
            let run = runs.next()?;
            if !run.short_number {
                chain.count = 0;
                return Some((run, cut(folded.get(run.from..run.to)?, TOKEN_BYTES_MAX)));
            }
            if let Some(from) = chain.push(folded, run) {
                let whole = Run { from, to: run.to, short_number: false };
                return Some((whole, folded.get(whole.from..whole.to)?));
            }
        }
    })
}

/// Whether a value stands in a text so that its words are words of the text, not parts of longer ones.
pub(crate) fn holds(text: &str, value: &str) -> bool {
    let in_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(value).any(|(at, _)| {
        let (before, behind) = (text.get(..at).unwrap_or_default(), text.get(at + value.len()..).unwrap_or_default());
        let begins_within = in_word(before.chars().next_back()) && in_word(value.chars().next());
        let ends_within = in_word(value.chars().next_back()) && in_word(behind.chars().next());
        !begins_within && !ends_within
    })
}

/// Makes one term of a value, or many of a text.
#[derive(Clone)]
pub(crate) struct Terms {
    make: fn(&str, &mut Found),
    found: Found,
    token: Token,
}

/// Terms, as places in one text: no term has memory of its own.
#[derive(Clone, Default)]
struct Found {
    text: String,
    places: Vec<(usize, usize)>,
}

impl Found {
    fn one(&mut self, term: &str) {
        self.text.push_str(term);
        self.places.push((0, term.len()));
    }

    fn words_of(&mut self, text: &str) {
        if text.is_ascii() {
            self.text.push_str(text);
            self.text.make_ascii_lowercase();
        } else {
            self.text.push_str(&fold(text));
        }
        self.places.extend(terms(&self.text).map(|(run, term)| (run.from, run.from + term.len())));
    }
}

impl Terms {
    pub(crate) fn words() -> Self {
        Self::new(|value, found| found.one(cut(&fold(value), WORD_BYTES_MAX)))
    }

    pub(crate) fn cased() -> Self {
        Self::new(|value, found| found.one(cut(value, WORD_BYTES_MAX)))
    }

    pub(crate) fn addresses() -> Self {
        Self::new(|value, found| found.one(&address(value)))
    }

    pub(crate) fn texts() -> Self {
        Self::new(|value, found| found.words_of(value))
    }

    fn new(make: fn(&str, &mut Found)) -> Self {
        Self { make, found: Found::default(), token: Token::default() }
    }
}

impl Tokenizer for Terms {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream<'a> {
        self.found.text.clear();
        self.found.places.clear();
        (self.make)(text, &mut self.found);
        self.token.reset();
        Stream { found: &self.found, next: 0, token: &mut self.token }
    }
}

/// Terms on their way into the index.
pub(crate) struct Stream<'a> {
    found: &'a Found,
    next: usize,
    token: &'a mut Token,
}

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        let place = self.found.places.get(self.next);
        let Some(term) = place.and_then(|(from, to)| self.found.text.get(*from..*to)) else { return false };
        self.token.text.clear();
        self.token.text.push_str(term);
        self.token.position = self.next;
        self.next += 1;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_of_texts() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(terms(text).map(|(_, term)| term).collect::<Vec<_>>(), expected, "{text}");
        };
        check("connect from h.example[192.0.2.1]:4711", &["connect", "from", "h", "example", "192.0.2.1", "4711"]);
        check("1.2.3.4.5 1.2.3", &["1.2.3.4", "2.3.4.5"]);
        check("1.2.x.3.4.5", &["x"]);
        check("1.2.3.4567.8.9.10.11", &["4567", "8.9.10.11"]);
        check("1.2 .3.4.5.6.7", &["3.4.5.6", "4.5.6.7"]);
        check("1.2.3", &[]);
        check("delay=1.5, dsn=2.0.0 (250 ok)", &["delay", "dsn", "ok"]);
        check("grün 日本", &["grün", "日本"]);
        check("", &[]);
        assert_eq!(terms(&"x".repeat(100)).next().unwrap().1.len(), TOKEN_BYTES_MAX);
    }

    #[test]
    fn values_stand_in_texts_as_words() {
        let check = |text: &str, value: &str, is: bool| assert_eq!(holds(text, value), is, "{text} {value}");
        check("4F26A7E: removed", "4F26A7E", true);
        check("queued as 4F26A7E)", "4F26A7E", true);
        check("message-id=<a.b@c>", "<a.b@c>", true);
        check("x<a@b>y", "<a@b>", true);
        check("x4F26A7E 4F26A7Ey", "4F26A7E", false);
        check("x4F26A7E 4F26A7E", "4F26A7E", true);
        check("ü4F26A7E", "4F26A7E", false);
        check("4f26a7e", "4F26A7E", false);
    }

    #[test]
    fn networks_are_ranges() {
        let check = |net: &str, ip: &str, inside: bool| {
            let (from, to) = network(&net.parse().unwrap());
            assert_eq!((from..=to).contains(&address(ip)), inside, "{net} {ip}");
        };
        check("192.0.2.0/24", "192.0.2.0", true);
        check("192.0.2.0/24", "192.0.2.255", true);
        check("192.0.2.0/24", "192.0.3.0", false);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8::/32", "2001:db9::", false);
        check("::/0", "nonsense", false);
        check("0.0.0.0/0", "::1", false);
    }
}
