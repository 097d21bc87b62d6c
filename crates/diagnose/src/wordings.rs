//! Looks for all signatures of one place in one pass over the words.
//!
//! Input: the cause table and a place. Output: for a text, the surest cause. Rejects are many and their words never come twice (they
//! name the client), so a search for one signature after the other was most of the work.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::cause::{Cause, Pattern, Place};

/// The signatures of a place.
pub(crate) struct Wordings {
    /// Finds every text that some pattern looks for anywhere; `None` if none does.
    needles: Option<AhoCorasick>,
    /// Surest first; among equals the earlier in the table.
    rules: Vec<Rule>,
}

struct Rule {
    cause: &'static Cause,
    confidence: f32,
    pattern: Pattern,
    /// Bits of the needles that must all be there.
    needs: u128,
}

impl Wordings {
    /// The signatures that stand in `place`.
    pub(crate) fn of(place: Place, causes: impl Iterator<Item = &'static Cause>) -> Self {
        let mut needles: Vec<&'static str> = Vec::new();
        let mut rules = Vec::new();
        for cause in causes {
            for signature in cause.signatures.iter().filter(|signature| signature.place == place) {
                let needs = wanted(signature.pattern).into_iter().flatten().fold(0, |bits, wanted| {
                    let at = needles.iter().position(|known| *known == wanted).unwrap_or_else(|| {
                        needles.push(wanted);
                        needles.len() - 1
                    });
                    bits | bit(at)
                });
                let confidence = signature.confidence.unwrap_or(cause.confidence);
                rules.push(Rule { cause, confidence, pattern: signature.pattern, needs });
            }
        }
        rules.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        // To make a table of all states takes a twelfth of a search that reads a hundred lines.
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let builder =
            || AhoCorasick::builder().kind(kind).ascii_case_insensitive(true).prefilter(false).build(&needles);
        let automaton = (!needles.is_empty() && needles.len() <= NEEDLES_MAX).then(|| builder().ok()).flatten();
        Self { needles: automaton, rules }
    }

    /// The surest cause whose wording this is, with its confidence.
    pub(crate) fn surest(&self, text: &[u8]) -> Option<(&'static Cause, f32)> {
        let found = self.needles.as_ref().map(|needles| {
            needles.find_overlapping_iter(text).fold(0, |bits, hit| bits | bit(hit.pattern().as_usize()))
        });
        self.rules.iter().find(|rule| rule.fits(text, found)).map(|rule| (rule.cause, rule.confidence))
    }
}

impl Rule {
    fn fits(&self, text: &[u8], found: Option<u128>) -> bool {
        match (self.pattern, found) {
            (Pattern::Has(_) | Pattern::HasBoth(..), Some(found)) => found & self.needs == self.needs,
            _ => self.pattern.matches(text),
        }
    }
}

/// As many as there are bits; beyond it each pattern is looked for by itself.
const NEEDLES_MAX: usize = 128;

fn bit(at: usize) -> u128 {
    u32::try_from(at).ok().and_then(|at| 1u128.checked_shl(at)).unwrap_or(0)
}

/// What a pattern looks for anywhere in the text. An empty wording is any.
fn wanted(pattern: Pattern) -> [Option<&'static str>; 2] {
    let some = |text: &'static str| (!text.is_empty()).then_some(text);
    match pattern {
        Pattern::Has(one) => [some(one), None],
        Pattern::HasBoth(one, other) => [some(one), some(other)],
        Pattern::Is(_) | Pattern::Starts(_) | Pattern::Challenge => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::all;

    /// One signature after the other.
    fn slow(place: Place, text: &[u8]) -> Option<(&'static Cause, f32)> {
        let mut best: Option<(&'static Cause, f32)> = None;
        for cause in all() {
            for signature in cause.signatures.iter().filter(|s| s.place == place) {
                let confidence = signature.confidence.unwrap_or(cause.confidence);
                if best.is_none_or(|(_, so_far)| confidence > so_far) && signature.pattern.matches(text) {
                    best = Some((cause, confidence));
                }
            }
        }
        best
    }

    #[test]
    fn places_stand_where_they_are_declared() {
        assert!(Place::ALL.iter().enumerate().all(|(at, place)| *place as usize == at));
    }

    #[test]
    fn finds_what_one_search_after_the_other_finds() {
        let mut texts: Vec<String> = vec![String::new(), "UGFzc3dvcmQ6".into(), "nothing known".into()];
        for cause in all() {
            for signature in cause.signatures {
                let words = wanted(signature.pattern).into_iter().flatten().collect::<Vec<_>>().join(" and ");
                texts.extend([words.clone(), format!("x{}y", words.to_uppercase()), format!("{words} {words}")]);
            }
        }
        let joined: Vec<String> = texts.windows(2).map(|pair| pair.join(": ")).collect();
        for place in Place::ALL {
            let wordings = Wordings::of(place, all());
            for text in texts.iter().chain(&joined) {
                let key =
                    |found: Option<(&'static Cause, f32)>| found.map(|(cause, confidence)| (cause.id, confidence));
                assert_eq!(
                    key(wordings.surest(text.as_bytes())),
                    key(slow(place, text.as_bytes())),
                    "{place:?} {text}"
                );
            }
        }
    }
}
