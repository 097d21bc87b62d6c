//! Verdicts of Dovecot, saslauthd and PAM, and the attempts they belong to (grammar 5.4, 6).
//!
//! Dovecot writes its verdict at once and answers Postfix after a delay: the verdict comes first, by up to
//! [`BEFORE`]; clocks and syslog queues may turn that round by [`AFTER`]. A verdict is used once. Two that could be
//! meant are ambiguous: nobody is accused by a guess.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;

use crate::attempt::{Evidence, EvidenceSource};

/// How long before the Postfix line a verdict may stand, in microseconds: Dovecot's failure delay of 2 s and some slack.
pub(crate) const BEFORE: i64 = 3_500_000;
/// How long after it.
pub(crate) const AFTER: i64 = 1_000_000;
/// How far apart the lines of one request may stand, in microseconds.
const ONE_REQUEST: i64 = 1_000_000;
/// Verdicts kept at most; older ones are forgotten unjoined.
const KEPT: usize = 4_096;

/// What a backend said about one login.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) line: u64,
    pub(crate) time: i64,
    pub(crate) source: EvidenceSource,
    /// The host whose local socket was asked; `None` for a backend that may run elsewhere.
    pub(crate) host: Option<Rc<[u8]>>,
    /// `None` where the backend does not know it (saslauthd).
    pub(crate) ip: Option<IpAddr>,
    pub(crate) user: Option<Box<[u8]>>,
    /// What stood behind the `@`, where the backend logs it apart.
    pub(crate) realm: Option<Box<[u8]>>,
    /// The SASL mechanism, where the line tells it (Dovecot 2.4, and what it says of a mechanism).
    pub(crate) mechanism: Option<Rc<[u8]>>,
    pub(crate) text: Rc<[u8]>,
}

/// What an attempt is looked up by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The attempt's line.
    pub(crate) line: u64,
    pub(crate) time: i64,
    /// Empty if not logged.
    pub(crate) host: &'a [u8],
    pub(crate) ip: Option<IpAddr>,
    pub(crate) user: Option<&'a [u8]>,
    /// Empty if not logged.
    pub(crate) mechanism: &'a [u8],
    /// The backend is Cyrus: its verdicts name no address.
    pub(crate) cyrus: bool,
    /// The attempt's own reason is that its data were no base64: only a verdict that says so is about it.
    pub(crate) undecodable: bool,
}

/// What the window knows about an attempt.
#[derive(Debug, PartialEq)]
pub(crate) enum Joined {
    Nothing,
    /// More than one login could be meant.
    Ambiguous,
    /// The lines that tell of it, the name they give, and how sure that is.
    Found {
        evidence: Vec<Evidence>,
        user: Option<Box<[u8]>>,
        confidence: f32,
    },
}

/// The verdicts of the last seconds.
#[derive(Default)]
pub(crate) struct Window {
    verdicts: VecDeque<Verdict>,
    /// Those without an address that named an attempt, with its line: another one may show that it was a guess.
    lent: VecDeque<(u64, Verdict)>,
}

impl Window {
    pub(crate) fn add(&mut self, verdict: Verdict) {
        // An attempt is asked for again `AFTER + BEFORE` after its line.
        let horizon = verdict.time - 2 * (BEFORE + AFTER);
        while self.verdicts.len() >= KEPT || self.verdicts.front().is_some_and(|v| v.time < horizon) {
            self.verdicts.pop_front();
        }
        self.verdicts.push_back(verdict);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
    }

    /// The verdict without an address that named an attempt. To be asked for once, when nothing can come any more.
    pub(crate) fn lent_to(&mut self, line: u64) -> Option<Verdict> {
        let at = self.lent.iter().position(|(lent_to, _)| *lent_to == line)?;
        self.lent.remove(at).map(|(_, verdict)| verdict)
    }

    /// Whether an unused verdict could be that of an attempt.
    pub(crate) fn tells_of(&self, wanted: &Wanted<'_>) -> bool {
        self.verdicts.iter().any(|verdict| verdict.fits(wanted))
    }

    fn lend(&mut self, line: u64, verdict: Verdict) {
        if self.lent.len() >= KEPT {
            self.lent.pop_front();
        }
        self.lent.push_back((line, verdict));
    }

    /// Finds what was said about an attempt and takes it out of the window, but not what names one of `rivals`, who have not been asked for
    /// yet.
    pub(crate) fn join(&mut self, wanted: Wanted<'_>, rivals: &[Wanted<'_>]) -> Joined {
        let own =
            |verdict: &Verdict| verdict.fits(&wanted) && !rivals.iter().any(|rival| verdict.is_of(rival, &wanted));
        let mut fitting = self.verdicts.iter().enumerate().filter(|(_, v)| own(v)).map(|(at, _)| at);
        let Some(first) = fitting.next() else { return Joined::Nothing };
        let Some(second) = fitting.next() else { return self.take(&[first], wanted) };
        let fits: Vec<usize> = [first, second].into_iter().chain(fitting).collect();
        if self.users(&fits).len() > 1 { Joined::Ambiguous } else { self.take(&fits, wanted) }
    }

    /// The different names among some verdicts, without case.
    fn users(&self, fits: &[usize]) -> Vec<Box<[u8]>> {
        let mut users: Vec<Box<[u8]>> = fits
            .iter()
            .filter_map(|at| self.verdicts.get(*at)?.user.as_deref())
            .map(|u| u.to_ascii_lowercase().into())
            .collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// Takes the latest verdict: the lines one request wrote. Several password databases are asked one after the other and
    /// each may write a line, the first ones not always marked as such; but none writes the same line twice.
    fn take(&mut self, fits: &[usize], wanted: Wanted<'_>) -> Joined {
        let mut group: Vec<usize> = Vec::new();
        for at in fits.iter().rev() {
            let Some(verdict) = self.verdicts.get(*at) else { continue };
            let same_request = group
                .iter()
                .filter_map(|taken| self.verdicts.get(*taken))
                .all(|taken| taken.may_share_a_request(verdict));
            if !same_request {
                break;
            }
            group.push(*at);
        }
        let named = group.iter().filter_map(|at| self.verdicts.get(*at)).any(|v| v.user.is_some());
        let mut evidence = Vec::new();
        let mut user = None;
        // From the back, so that the numbers of those still to be taken stay true.
        for at in group {
            let Some(verdict) = self.verdicts.remove(at) else { continue };
            evidence.push(Evidence { line: verdict.line, source: verdict.source, text: Rc::clone(&verdict.text) });
            if user.is_none() {
                user = verdict.full_name();
                if user.is_some() && verdict.ip.is_none() && wanted.user.is_none() {
                    self.lend(wanted.line, verdict);
                }
            }
        }
        evidence.reverse();
        let confidence = match (wanted.user.is_some() && named, wanted.cyrus || !named) {
            (true, _) => 0.95,
            (false, false) => 0.75,
            (false, true) => 0.5,
        };
        Joined::Found { evidence, user, confidence }
    }
}

impl Verdict {
    pub(crate) fn fits(&self, wanted: &Wanted<'_>) -> bool {
        let in_time = (-AFTER..=BEFORE).contains(&(wanted.time - self.time));
        let address = match (self.ip, wanted.ip) {
            (Some(mine), Some(theirs)) => mine == theirs,
            // Cyrus' helpers know no address; Dovecot's one line without (a denied account) joins by time alone.
            (None, _) => wanted.cyrus || self.source == EvidenceSource::Dovecot,
            (Some(_), None) => false,
        };
        let subject = !wanted.undecodable || self.text.windows(6).any(|word| word == b"base64");
        in_time
            && address
            && subject
            && self.host_fits(wanted)
            && self.mechanism_fits(wanted)
            && self.name_fits(wanted.user)
    }

    /// Whether it names another attempt, and not this one.
    fn is_of(&self, rival: &Wanted<'_>, wanted: &Wanted<'_>) -> bool {
        self.user.is_some() && rival.user.is_some() && wanted.user.is_none() && self.fits(rival)
    }

    fn host_fits(&self, wanted: &Wanted<'_>) -> bool {
        self.host.as_deref().is_none_or(|mine| wanted.host.is_empty() || mine == wanted.host)
    }

    fn mechanism_fits(&self, wanted: &Wanted<'_>) -> bool {
        let same = |mine: &[u8]| wanted.mechanism.is_empty() || mine.eq_ignore_ascii_case(wanted.mechanism);
        self.mechanism.as_deref().is_none_or(same)
    }

    fn may_share_a_request(&self, other: &Self) -> bool {
        let mechanisms = self.mechanism.as_deref().zip(other.mechanism.as_deref());
        let same_mechanism = mechanisms.is_none_or(|(mine, theirs)| mine.eq_ignore_ascii_case(theirs));
        (self.time - other.time).abs() <= ONE_REQUEST && self.text != other.text && same_mechanism
    }

    fn name_fits(&self, wanted: Option<&[u8]>) -> bool {
        match (self.user.as_deref(), wanted) {
            (Some(mine), Some(theirs)) => {
                same_name(mine, theirs)
                    || self.full_name().is_some_and(|full| full.eq_ignore_ascii_case(theirs))
                    || self.knows_no_domain() && local_part(theirs).eq_ignore_ascii_case(mine)
            }
            // A PAM line without a name only joins what names itself otherwise.
            (None, _) | (_, None) => true,
        }
    }

    /// saslauthd and PAM are asked for the name without what stands behind its `@`.
    fn knows_no_domain(&self) -> bool {
        self.realm.is_some() || self.source == EvidenceSource::Pam
    }

    fn full_name(&self) -> Option<Box<[u8]>> {
        let user = self.user.as_deref()?;
        Some(match self.realm.as_deref() {
            Some(realm) if !realm.is_empty() && !user.contains(&b'@') => [user, b"@", realm].concat().into(),
            _ => user.into(),
        })
    }
}

/// Without case, and as far as both show it: Dovecot cuts long names (`…...`), and control characters, shown as `?` by
/// both, are so in different ways.
fn same_name(mine: &[u8], theirs: &[u8]) -> bool {
    if mine.eq_ignore_ascii_case(theirs) {
        return true;
    }
    if let Some(start) = mine.strip_suffix(b"...").filter(|start| start.len() >= 32) {
        return theirs.get(..start.len()).is_some_and(|theirs| theirs.eq_ignore_ascii_case(start));
    }
    let odd = mine.contains(&b'?') || theirs.contains(&b'?');
    let plain = |name: &[u8]| name.split(|b| *b == b'?').next().unwrap_or_default().to_ascii_lowercase();
    odd && !plain(mine).is_empty() && plain(mine) == plain(theirs)
}

fn local_part(name: &[u8]) -> &[u8] {
    name.split(|b| *b == b'@').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn verdict(line: u64, seconds: i64, ip: Option<&str>, user: Option<&str>, text: &str) -> Verdict {
        let source = if ip.is_some() { EvidenceSource::Dovecot } else { EvidenceSource::Saslauthd };
        Verdict {
            line,
            time: seconds * SECOND,
            source,
            host: ip.is_none().then(|| b"mail".as_slice().into()),
            ip: ip.map(|ip| ip.parse().unwrap()),
            user: user.map(|u| u.as_bytes().into()),
            realm: None,
            mechanism: None,
            text: text.as_bytes().into(),
        }
    }

    fn wanted(seconds: i64, ip: &str, user: Option<&'static str>) -> Wanted<'static> {
        Wanted {
            line: 0,
            time: seconds * SECOND,
            host: b"mail",
            ip: Some(ip.parse().unwrap()),
            user: user.map(str::as_bytes),
            mechanism: b"PLAIN",
            cyrus: false,
            undecodable: false,
        }
    }

    fn lines(joined: &Joined) -> Vec<u64> {
        match joined {
            Joined::Found { evidence, .. } => evidence.iter().map(|e| e.line).collect(),
            Joined::Nothing | Joined::Ambiguous => Vec::new(),
        }
    }

    #[test]
    fn by_address_name_and_time() {
        let mut window = Window::default();
        window.add(verdict(1, 10, Some("192.0.2.1"), Some("Alice"), "Password mismatch"));
        assert_eq!(window.join(wanted(12, "192.0.2.2", Some("alice")), &[]), Joined::Nothing);
        assert_eq!(window.join(wanted(12, "192.0.2.1", Some("bob")), &[]), Joined::Nothing);
        assert_eq!(window.join(wanted(14, "192.0.2.1", Some("alice")), &[]), Joined::Nothing);
        assert_eq!(lines(&window.join(wanted(12, "192.0.2.1", Some("alice")), &[])), [1]);
        assert_eq!(window.join(wanted(12, "192.0.2.1", Some("alice")), &[]), Joined::Nothing);
    }

    #[test]
    fn two_names_are_no_guess() {
        let mut window = Window::default();
        window.add(verdict(1, 10, Some("192.0.2.1"), Some("alice"), "Password mismatch"));
        window.add(verdict(2, 11, Some("192.0.2.1"), Some("bob"), "unknown user"));
        assert_eq!(window.join(wanted(12, "192.0.2.1", None), &[]), Joined::Ambiguous);
        assert_eq!(lines(&window.join(wanted(12, "192.0.2.1", Some("bob")), &[])), [2]);
        assert_eq!(lines(&window.join(wanted(12, "192.0.2.1", None), &[])), [1]);
    }

    #[test]
    fn the_lines_of_one_request() {
        let mut window = Window::default();
        // A login that succeeded: the deny list did not know the user.
        window.add(verdict(1, 9, Some("192.0.2.1"), Some("a"), "unknown user"));
        window.add(verdict(2, 11, Some("192.0.2.1"), Some("a"), "unknown user"));
        window.add(verdict(3, 11, Some("192.0.2.1"), Some("a"), "Password mismatch"));
        assert_eq!(lines(&window.join(wanted(12, "192.0.2.1", None), &[])), [2, 3]);
    }

    #[test]
    fn parallel_requests_have_one_line_each() {
        let mut window = Window::default();
        window.add(verdict(1, 10, Some("192.0.2.1"), Some("a"), "Password mismatch"));
        window.add(verdict(2, 10, Some("192.0.2.1"), Some("a"), "Password mismatch"));
        assert_eq!(lines(&window.join(wanted(12, "192.0.2.1", None), &[])).len(), 1);
        assert_eq!(lines(&window.join(wanted(12, "192.0.2.1", None), &[])).len(), 1);
    }

    #[test]
    fn names_with_control_characters() {
        assert!(same_name(b"alice?r?nNov", b"alice??Nov") && same_name(b"A", b"a"));
        assert!(!same_name(b"?a", b"?b") && !same_name(b"alice?", b"bob?"));
    }

    #[test]
    fn saslauthd_names_no_address() {
        let mut window = Window::default();
        window.add(Verdict {
            realm: Some(b"example.test".as_slice().into()),
            ..verdict(1, 10, None, Some("alice"), "PAM auth error")
        });
        assert_eq!(window.join(wanted(10, "192.0.2.1", Some("alice@example.test")), &[]), Joined::Nothing);
        let found = window.join(Wanted { cyrus: true, ..wanted(10, "192.0.2.1", None) }, &[]);
        let Joined::Found { user, .. } = found else { panic!("{found:?}") };
        assert_eq!(user.as_deref(), Some(b"alice@example.test".as_slice()));
    }

    #[test]
    fn a_local_socket_is_asked_by_its_own_host() {
        let mut window = Window::default();
        window.add(verdict(1, 10, None, Some("alice"), "PAM auth error"));
        window.add(verdict(2, 10, Some("192.0.2.1"), Some("bob"), "Password mismatch"));
        let elsewhere = |user| Wanted { cyrus: true, host: b"mx2", ..wanted(10, "192.0.2.1", Some(user)) };
        assert_eq!(window.join(elsewhere("alice"), &[]), Joined::Nothing);
        assert_eq!(lines(&window.join(elsewhere("bob"), &[])), [2]);
        assert_eq!(lines(&window.join(Wanted { host: b"mail", ..elsewhere("alice") }, &[])), [1]);
        window.add(verdict(3, 10, None, Some("alice"), "PAM auth error"));
        assert_eq!(lines(&window.join(Wanted { host: b"", ..elsewhere("alice") }, &[])), [3]);
    }

    #[test]
    fn each_mechanism_is_an_attempt() {
        let of = |line, mechanism: &str, text: &str| Verdict {
            mechanism: Some(mechanism.as_bytes().into()),
            ..verdict(line, 10, Some("192.0.2.1"), Some("bob"), text)
        };
        let mut window = Window::default();
        let by = |mechanism: &'static [u8]| Wanted { mechanism, ..wanted(11, "192.0.2.1", Some("bob")) };
        window.add(of(1, "cram-md5", "Requested CRAM-MD5 scheme, but we have only SHA256"));
        window.add(of(2, "plain", "Password mismatch"));
        assert_eq!(window.join(by(b"LOGIN"), &[]), Joined::Nothing);
        assert_eq!(lines(&window.join(by(b"Plain"), &[])), [2]);
        assert_eq!(lines(&window.join(by(b"CRAM-MD5"), &[])), [1]);
        window.add(of(3, "cram-md5", "Requested CRAM-MD5 scheme, but we have only SHA256"));
        window.add(of(4, "plain", "Password mismatch"));
        assert_eq!(lines(&window.join(by(b""), &[])), [4]);
    }

    #[test]
    fn a_flood_stays_within_bounds() {
        let mut window = Window::default();
        for n in 0..10_000 {
            window.add(verdict(n, 10, Some("192.0.2.1"), Some("a"), "unknown user"));
        }
        assert!(window.verdicts.len() <= KEPT);
    }

    /// What names another attempt that is still to be asked for is not taken by one without a name; nor by one whose reason is another.
    #[test]
    fn not_what_is_about_another() {
        let mut window = Window::default();
        window.add(verdict(1, 10, Some("192.0.2.1"), Some("jan"), "Password mismatch"));
        let (nameless, jan) = (wanted(12, "192.0.2.1", None), wanted(12, "192.0.2.1", Some("jan")));
        assert_eq!(window.join(nameless, &[jan]), Joined::Nothing);
        assert_eq!(window.join(Wanted { undecodable: true, ..nameless }, &[]), Joined::Nothing);
        assert_eq!(lines(&window.join(jan, &[])), [1]);
        window.add(verdict(2, 10, Some("192.0.2.1"), None, "Invalid base64 data in initial response"));
        assert_eq!(lines(&window.join(Wanted { undecodable: true, ..nameless }, &[jan])), [2]);
        window.add(verdict(3, 10, Some("192.0.2.1"), Some("jan"), "Password mismatch"));
        assert_eq!(lines(&window.join(nameless, &[wanted(12, "192.0.2.1", Some("eva"))])), [3]);
    }
}
