//! What a text is compared with: a whole word with wildcards, or a phrase at word boundaries.
//!
//! Case is folded character by character (Unicode's lower case, one by one, whatever stands around), unless case counts.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2_iter;

/// Lower case, character by character.
#[must_use]
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return if text.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
    }
    Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
}

/// A whole value, `*` standing for any part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    given: Vec<String>,
    folded: Option<Vec<String>>,
}

impl Glob {
    /// From the pieces between the `*`: one piece is a value without any. `cased`: case counts.
    #[must_use]
    pub fn new(pieces: Vec<String>, cased: bool) -> Self {
        let folded = (!cased).then(|| pieces.iter().map(|piece| fold(piece).into_owned()).collect());
        Self { given: pieces, folded }
    }

    /// The pieces between the `*`, as they were given.
    #[must_use]
    pub fn pieces(&self) -> &[String] {
        &self.given
    }

    /// Whether case counts.
    #[must_use]
    pub fn is_cased(&self) -> bool {
        self.folded.is_none()
    }

    /// Whether a value is meant.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match &self.folded {
            None => glob(&self.given, value),
            Some(pieces) => match pieces.as_slice() {
                [whole] if value.is_ascii() => whole.eq_ignore_ascii_case(value),
                pieces => glob(pieces, &fold(value)),
            },
        }
    }
}

fn glob(pieces: &[String], value: &str) -> bool {
    let (Some((first, rest)), Some(last)) = (pieces.split_first(), pieces.last()) else { return false };
    let Some((_, middle)) = rest.split_last() else { return value == first };
    let Some(value) = value.strip_prefix(first.as_str()).and_then(|value| value.strip_suffix(last.as_str())) else {
        return false;
    };
    // The earliest place for each piece leaves the most room for those that follow.
    let mut left = value;
    middle.iter().all(|piece| match left.split_once(piece.as_str()) {
        Some((_, behind)) => {
            left = behind;
            true
        }
        None => false,
    })
}

/// Words that stand somewhere in a text, literally and without case. They begin and end at a word boundary (they split no
/// run of letters and digits), unless an end is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    given: String,
    folded: String,
    begin_free: bool,
    end_free: bool,
}

impl Phrase {
    /// An empty phrase is found in the empty text only.
    #[must_use]
    pub fn new(given: String, begin_free: bool, end_free: bool) -> Self {
        let folded = fold(&given).into_owned();
        Self { given, folded, begin_free, end_free }
    }

    /// The words as they were given.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.given
    }

    /// Whether the first and the last word may be part of a longer one.
    #[must_use]
    pub fn free_ends(&self) -> (bool, bool) {
        (self.begin_free, self.end_free)
    }

    /// Whether it stands in a text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        if self.folded.is_empty() {
            return text.is_empty();
        }
        match (text.is_ascii(), self.folded.as_bytes().first()) {
            (true, Some(first)) => self.stands_in_ascii(text, *first),
            _ => self.found(&fold(text)).next().is_some(),
        }
    }

    /// Without a copy of the text.
    fn stands_in_ascii(&self, text: &str, first: u8) -> bool {
        let bytes = text.as_bytes();
        memchr2_iter(first, first.to_ascii_uppercase(), bytes).any(|at| {
            bytes.get(at..at + self.folded.len()).is_some_and(|part| part.eq_ignore_ascii_case(self.folded.as_bytes()))
                && self.fits(text, at)
        })
    }

    /// Where it stands in a folded text that splits no word, places that overlap among them.
    fn found<'a>(&'a self, folded: &'a str) -> impl Iterator<Item = usize> + 'a {
        let step = self.folded.chars().next().map_or(1, char::len_utf8);
        let mut from = 0;
        std::iter::from_fn(move || {
            loop {
                let at = from + folded.get(from..)?.find(&self.folded)?;
                from = at + step;
                if self.fits(folded, at) {
                    return Some(at);
                }
            }
        })
    }

    /// Whether a match at this byte splits no word.
    fn fits(&self, folded: &str, at: usize) -> bool {
        let joined = |left: Option<char>, right: Option<char>| {
            left.is_some_and(char::is_alphanumeric) && right.is_some_and(char::is_alphanumeric)
        };
        let (Some(before), Some(after)) = (folded.get(..at), folded.get(at + self.folded.len()..)) else {
            return false;
        };
        (self.begin_free || !joined(before.chars().next_back(), self.folded.chars().next()))
            && (self.end_free || !joined(self.folded.chars().next_back(), after.chars().next()))
    }

    /// Where it stands, as byte ranges of the text, from left to right; they may overlap.
    #[must_use]
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        if self.folded.is_empty() {
            return Vec::new();
        }
        let (mut folded, mut starts) = (String::new(), Vec::new());
        for (at, c) in text.char_indices() {
            for lower in c.to_lowercase() {
                starts.extend(std::iter::repeat_n(at..at + c.len_utf8(), lower.len_utf8()));
                folded.push(lower);
            }
        }
        self.found(&folded)
            .filter_map(|at| Some(starts.get(at)?.start..starts.get(at + self.folded.len() - 1)?.end))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_wildcards() {
        let check = |pattern: &str, value: &str, expected: bool| {
            let pieces = pattern.split('*').map(str::to_owned).collect();
            assert_eq!(Glob::new(pieces, false).matches(value), expected, "{pattern} {value}");
        };
        check("bob", "BOB", true);
        check("bob", "bobby", false);
        check("bob@*", "bob@example.org", true);
        check("*@example.org", "bob@EXAMPLE.org", true);
        check("b*b", "b", false);
        check("b*b", "bb", true);
        check("a*bc*c", "abc", false);
        check("a*b*c", "aXbYbZc", true);
        check("**", "", true);
        check("", "", true);
        check("", "a", false);
        check("GRÜN*", "grüner", true);
        check("straße", "STRASSE", false);
        assert!(!Glob::new(vec!["aB".into()], true).matches("ab"));
        assert!(Glob::new(vec!["aB".into(), String::new()], true).matches("aBc"));
    }

    #[test]
    fn phrases_in_a_text() {
        let check = |words: &str, ends: (bool, bool), text: &str, expected: &[(usize, usize)]| {
            let phrase = Phrase::new(words.to_owned(), ends.0, ends.1);
            let places: Vec<(usize, usize)> =
                phrase.places(text).into_iter().map(|place| (place.start, place.end)).collect();
            assert_eq!(places, expected, "{words} {text}");
            assert_eq!(phrase.matches(text), !expected.is_empty() || words.is_empty() && text.is_empty(), "{words}");
        };
        let (bound, open) = ((false, false), (true, true));
        check("login", bound, "SASL LOGIN failed, relogin", &[(5, 10)]);
        check("login", open, "SASL LOGIN failed, relogin", &[(5, 10), (21, 26)]);
        check("exampl", (false, true), "of example.org", &[(3, 9)]);
        check("exampl", bound, "of example.org", &[]);
        check("@example.org", bound, "bob@example.org", &[(3, 15)]);
        check("192.0.2.1", bound, "h[192.0.2.1]: 192.0.2.10", &[(2, 11)]);
        check("a a", bound, "a a a", &[(0, 3), (2, 5)]);
        check("aa", (false, false), "aaa aa", &[(4, 6)]);
        check(".*", bound, "a.b .* c", &[(4, 6)]);
        check("grün", bound, "GRÜN, grüner", &[(0, 5)]);
        check("i", open, "İ", &[(0, 2)]);
        check("é", bound, "caf\u{e9} É", &[(6, 8)]);
        check("", bound, "a", &[]);
        check("", bound, "", &[]);
    }
}
