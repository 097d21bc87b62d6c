//! Short numbers for host names, program tags, mechanisms and reasons: a handful of strings, seen millions of times.

use std::rc::Rc;

use crate::Map;

/// Number of a known string.
pub(crate) type Symbol = u32;

/// Strings by number and numbers by string; holds at most `limit` strings.
pub(crate) struct Names {
    numbers: Map<Rc<[u8]>, Symbol>,
    strings: Vec<Rc<[u8]>>,
    limit: usize,
    /// Numbers lately asked for, by the string's length and last byte: lines come in runs of few hosts and programs.
    lately: [Symbol; LATELY],
}

const LATELY: usize = 32;

impl Names {
    pub(crate) fn new(limit: usize) -> Self {
        Self { numbers: Map::default(), strings: Vec::new(), limit, lately: [0; LATELY] }
    }

    /// The number of a string. Beyond the limit, strings never seen before share the number of the last one kept.
    pub(crate) fn number(&mut self, text: &[u8]) -> Symbol {
        let slot = (text.len() + usize::from(text.last().copied().unwrap_or(0)) * 7) % LATELY;
        if let Some(number) = self.lately.get(slot).copied().filter(|number| self.is(*number, text)) {
            return number;
        }
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None => self.add(text),
        };
        if let Some(lately) = self.lately.get_mut(slot) {
            *lately = number;
        }
        number
    }

    #[inline]
    fn is(&self, number: Symbol, text: &[u8]) -> bool {
        self.strings.get(number as usize).is_some_and(|known| **known == *text)
    }

    fn add(&mut self, text: &[u8]) -> Symbol {
        let next = u32::try_from(self.strings.len()).unwrap_or(u32::MAX);
        if self.strings.len() >= self.limit {
            return next.saturating_sub(1);
        }
        let text: Rc<[u8]> = text.into();
        self.strings.push(Rc::clone(&text));
        self.numbers.insert(text, next);
        next
    }

    /// The string behind a number.
    pub(crate) fn string(&self, number: Symbol) -> Rc<[u8]> {
        self.strings.get(number as usize).cloned().unwrap_or_else(|| Rc::from(b"".as_slice()))
    }

    /// A shared copy of a string: kept for next time while there is room, else a fresh one.
    pub(crate) fn shared(&mut self, text: &[u8]) -> Rc<[u8]> {
        let full = self.strings.len() >= self.limit && !self.numbers.contains_key(text);
        if full {
            return text.into();
        }
        let number = self.number(text);
        self.string(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_string_same_number_and_a_bound() {
        let mut names = Names::new(2);
        let (a, b) = (names.number(b"a"), names.number(b"b"));
        assert_ne!(a, b);
        assert_eq!((names.number(b"a"), names.number(b"b")), (a, b));
        assert_eq!(names.number(b"c"), b);
        assert_eq!(&*names.shared(b"c"), b"c");
        assert_eq!(&*names.shared(b"a"), b"a");
    }
}
