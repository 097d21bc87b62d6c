//! `anvil`: the most that one client asked of one service, told now and then.
//!
//! Input: the message behind the process tag. Output: a [`Peak`], or `None`.
//! Source of the wording: Postfix `src/anvil/anvil.c` (`anvil_status_dump`).

use crate::client::Client;
use crate::scan::{number, rsplit_once, split_around, split_once, word};

/// `statistics: max WHAT N[/Ts] for (SERVICE:ADDRESS) at TIME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak<'a> {
    /// `connection rate`, `connection count`, `message rate`, `recipient rate`, `newtls rate`, `auth rate`.
    pub what: &'a [u8],
    /// How many, with the seconds they are counted over (`5/60s`) where it is a rate.
    pub value: &'a [u8],
    /// The service as master.cf names it; may hold colons.
    pub service: &'a [u8],
    /// Who.
    pub client: Client<'a>,
}

/// Reads a peak.
pub(crate) fn peak(text: &[u8]) -> Option<Peak<'_>> {
    let rest = text.strip_prefix(b"statistics: max ")?;
    let (what, rest) = split_once(rest, b" for (")?;
    let (what, value) = rsplit_once(what, b" ")?;
    number(value)?;
    let (ident, _) = split_once(rest, b")")?;
    let (service, client) = ident_parts(ident)?;
    Some(Peak { what, value, service, client })
}

/// Both parts may hold colons: the first split that leaves an address is the one.
fn ident_parts(ident: &[u8]) -> Option<(&[u8], Client<'_>)> {
    memchr::memchr_iter(b':', ident).take(8).find_map(|at| {
        let (service, address) = split_around(ident, at, 1)?;
        Some((service, Client::bare(address)?)).filter(|_| !service.is_empty())
    })
}

/// `max cache size N at TIME`, and `scache`'s statistics: nobody in particular.
pub(crate) fn is_statistics(text: &[u8]) -> bool {
    text.strip_prefix(b"statistics: ").is_some_and(|rest| {
        matches!(word(rest).0, b"max" | b"start" | b"address" | b"domain" | b"cache" | b"connection")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks() {
        let check = |text: &str, what: &str, value: &str, service: &str, address: &str| {
            let found = peak(text.as_bytes()).unwrap_or_else(|| panic!("nothing: {text}"));
            assert_eq!(
                [found.what, found.value, found.service, found.client.address].map(String::from_utf8_lossy),
                [what, value, service, address],
                "{text}"
            );
        };
        check(
            "statistics: max connection rate 5/60s for (submission:192.0.2.1) at Oct 26 17:46:59",
            "connection rate",
            "5/60s",
            "submission",
            "192.0.2.1",
        );
        check(
            "statistics: max connection count 1 for (smtpd:2001:db8:0:1::3) at Oct 26 17:46:59",
            "connection count",
            "1",
            "smtpd",
            "2001:db8:0:1::3",
        );
        check(
            "statistics: max auth rate 9/60s for (127.0.0.1:2525:192.0.2.1) at Oct 26 17:46:59",
            "auth rate",
            "9/60s",
            "127.0.0.1:2525",
            "192.0.2.1",
        );
    }

    #[test]
    fn no_peaks() {
        for text in [
            "statistics: max cache size 1 at Oct 26 18:13:50",
            "statistics: max connection rate 5/60s for (submission) at Oct 26 17:46:59",
            "statistics: max connection rate x for (smtp:192.0.2.1) at Oct 26 17:46:59",
            "max connection rate 5/60s for (smtp:192.0.2.1)",
        ] {
            assert_eq!(peak(text.as_bytes()), None, "{text}");
        }
        assert!(is_statistics(b"statistics: max cache size 1 at Oct 26 18:13:50"));
        assert!(is_statistics(b"statistics: address lookup hits=0 miss=1 success=0%"));
        assert!(!is_statistics(b"statistics: lies"));
    }
}
