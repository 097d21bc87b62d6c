//! Where mail comes in from without a login: other servers, and whatever stands before this one.
//!
//! Messages accepted go in by their source; whether a source that fails logins is such a server comes out.

use serde::{Deserialize, Serialize};
use trace::Map;

use super::source::Source;

/// Fewer messages make nobody a mail server: who guesses may send some as well.
const SOME: u32 = 10;
/// At least one message for so many failures: failures are not what it is there for.
const FOR_FAILURES: u32 = 2;
/// One in so many of all messages, if they are many.
const PART: u64 = 5;
const MANY: u32 = 50;

/// Sources remembered: whoever sends as much as to be told from others stays among so many.
const SOURCES: usize = 20_000;

/// Messages by source. When it is full, those with the fewest are forgotten.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Inbound {
    messages: Map<Source, u32>,
    all: u64,
}

impl Inbound {
    /// Counts messages; as many sources are remembered as there is room for, at most `most`.
    pub(crate) fn add(&mut self, source: Source, count: u32, most: usize) {
        self.all = self.all.saturating_add(u64::from(count));
        if let Some(known) = self.messages.get_mut(&source) {
            *known = known.saturating_add(count);
            return;
        }
        let mut few = 1;
        while self.messages.len() >= most.min(SOURCES) && !self.messages.is_empty() {
            self.messages.retain(|_, messages| *messages > few);
            few = few.saturating_mul(2);
        }
        self.messages.insert(source, count);
    }

    /// Whether so much comes in from a source that its failed logins are others', who stand behind it.
    pub(crate) fn is_server(&self, source: Source, failures: u32) -> bool {
        let messages = self.messages.get(&source).copied().unwrap_or_default();
        messages >= SOME && messages.saturating_mul(FOR_FAILURES) >= failures
            || messages >= MANY && u64::from(messages) * PART >= self.all
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn source(number: u32) -> Source {
        Source::of(IpAddr::V4(Ipv4Addr::from_bits(number)))
    }

    #[test]
    fn servers_send_as_much_as_they_fail_or_a_good_part_of_all() {
        let mut inbound = Inbound::default();
        (0..60).for_each(|_| inbound.add(source(1), 1, 100));
        inbound.add(source(2), 9, 100);
        inbound.add(source(3), 11, 100);
        assert!(inbound.is_server(source(1), 120) && inbound.is_server(source(1), 10_000));
        assert!(!inbound.is_server(source(2), 2) && !inbound.is_server(source(4), 1));
        assert!(inbound.is_server(source(3), 22) && !inbound.is_server(source(3), 23));
        inbound.add(source(5), 1_000, 100);
        assert!(!inbound.is_server(source(1), 10_000));
    }

    #[test]
    fn bounded_and_the_busiest_are_kept() {
        let mut inbound = Inbound::default();
        inbound.add(source(0), 50, 20);
        (1..1_000).for_each(|number| inbound.add(source(number), 1 + number % 3, 20));
        assert!(inbound.messages.len() <= 20 && inbound.is_server(source(0), 100));
    }
}
