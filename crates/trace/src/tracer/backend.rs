//! What Dovecot and saslauthd say themselves, joined to the attempts they speak of.

use std::rc::Rc;

use maillog::{DovecotAuth, PamFailure, SaslauthdFailure};

use super::{Held, Tracer};
use crate::attempt::{Attempt, AttemptKind, EvidenceSource, NameOrigin};
use crate::evidence::{BEFORE, Joined, Verdict, Wanted};
use crate::line::Line;

impl Tracer {
    pub(super) fn dovecot_verdict(&mut self, line: &Line<'_>, verdict: &DovecotAuth<'_>) {
        // With a session id the login came through Dovecot's own IMAP or POP3 process, not from Postfix.
        if verdict.own_session {
            return;
        }
        self.window.add(Verdict {
            line: line.id,
            time: line.time,
            source: EvidenceSource::of_dovecot(verdict),
            host: None,
            ip: Some(verdict.ip),
            user: verdict.user.map(Into::into),
            realm: None,
            mechanism: verdict.mechanism.map(|mechanism| self.words.shared(mechanism)),
            text: self.words.shared(verdict.message),
        });
    }

    pub(super) fn dovecot_service(&mut self, line: &Line<'_>, text: &[u8]) {
        let time = line.time;
        // The only verdict that names neither user nor address.
        if text.starts_with(b"User found from deny passdb") {
            self.window.add(Verdict {
                line: line.id,
                time,
                source: EvidenceSource::Dovecot,
                host: None,
                ip: None,
                user: None,
                realm: None,
                mechanism: None,
                text: self.words.shared(text),
            });
            return;
        }
        let has = |words: &[&str]| words.iter().any(|w| text.windows(w.len()).any(|part| part == w.as_bytes()));
        if has(&["starting up", "illed with signal", "Fatal: ", "Panic: ", "dumped core", "stopping"]) {
            self.dovecot_changed = Some(time);
        }
        if has(&["client_limit", "process_limit", "was queued for", "Aborting auth request", "auth_worker_max_count"]) {
            self.dovecot_limited = Some(time);
        }
    }

    /// saslauthd is asked through a local socket, by whatever speaks Cyrus SASL.
    pub(super) fn saslauthd_verdict(&mut self, line: &Line<'_>, failure: &SaslauthdFailure<'_>) {
        if !failure.is_for_smtp() {
            return;
        }
        let host = Some(self.host(line));
        self.window.add(Verdict {
            line: line.id,
            time: line.time,
            source: EvidenceSource::Saslauthd,
            host,
            ip: None,
            user: (!failure.user.is_empty()).then(|| failure.user.into()),
            realm: Some(failure.realm.into()),
            mechanism: None,
            text: self.words.shared(failure.reason),
        });
    }

    /// PAM speaks in the program that asked it: saslauthd, or Dovecot, which names the client and may run elsewhere.
    pub(super) fn pam_verdict(&mut self, line: &Line<'_>, failure: &PamFailure<'_>) {
        let host = failure.ip.is_none().then(|| self.host(line));
        self.window.add(Verdict {
            line: line.id,
            time: line.time,
            source: EvidenceSource::Pam,
            host,
            ip: failure.ip,
            user: failure.user.map(Into::into),
            realm: None,
            mechanism: None,
            text: self.words.shared(failure.message),
        });
    }

    fn host(&mut self, line: &Line<'_>) -> Rc<[u8]> {
        let number = self.names.number(line.record.host);
        self.names.string(number)
    }

    /// Looks for the backend's own lines about a failed login.
    pub(super) fn join(&mut self, attempt: &mut Attempt) {
        if self.window.is_empty() || !may_have_a_verdict(attempt) {
            return;
        }
        let wanted = wanted(attempt);
        match self.window.join(wanted) {
            Joined::Nothing => {}
            Joined::Ambiguous => attempt.origin = NameOrigin::Ambiguous,
            Joined::Found { evidence, user, confidence } => {
                attempt.evidence.extend(evidence);
                attempt.context.join_confidence = confidence;
                if attempt.username.is_none() && user.is_some() {
                    attempt.username = user;
                    attempt.origin = NameOrigin::Joined;
                }
            }
        }
    }

    /// A verdict without an address named the first client that it could mean. If another client failed that it could mean as well, and
    /// nothing else tells of that one, it was a guess: then nobody is named.
    pub(super) fn doubt(&mut self, attempt: &mut Attempt) {
        if attempt.origin != NameOrigin::Joined {
            return;
        }
        let Some(lent) = self.window.lent_to(attempt.at.line) else { return };
        let Self { held, window, .. } = self;
        let others = held.iter_mut().filter_map(|(_, held)| match held {
            Held::Attempt(other) => Some(other),
            Held::Login(_) | Held::Accepted { .. } | Held::Story(_) => None,
        });
        let rival = others
            .take_while(|other| other.at.time - lent.time <= BEFORE)
            .filter(|other| other.username.is_none() && may_have_a_verdict(other))
            .filter(|other| other.at.client_ip != attempt.at.client_ip && lent.fits(&wanted(other)))
            .take(RIVALS)
            .find(|other| !window.tells_of(&wanted(other)));
        if let Some(rival) = rival {
            rival.origin = NameOrigin::Ambiguous;
            attempt.origin = NameOrigin::Ambiguous;
            attempt.username = None;
            attempt.context.join_confidence = 0.0;
            attempt.evidence.retain(|e| !matches!(e.source, EvidenceSource::Saslauthd | EvidenceSource::Pam));
        }
    }
}

/// Other attempts that are looked at, at most, before a name is believed.
const RIVALS: usize = 64;

/// Whether a backend was asked about an attempt, and no line of its own has been found yet.
fn may_have_a_verdict(attempt: &Attempt) -> bool {
    // Postfix itself refuses a mechanism it does not know: no backend was asked, no line of a backend tells of it.
    let own = attempt.reason.starts_with(b"Invalid authentication mechanism")
        || &*attempt.reason == b"no mechanism available";
    attempt.kind == AttemptKind::Failed
        && !own
        && attempt.context.join_confidence == 0.0
        && attempt.origin != NameOrigin::Ambiguous
}

fn wanted(attempt: &Attempt) -> Wanted<'_> {
    Wanted {
        line: attempt.at.line,
        time: attempt.at.time,
        host: &attempt.at.host,
        ip: attempt.at.client_ip,
        user: attempt.username.as_deref(),
        mechanism: &attempt.mechanism,
        cyrus: matches!(&*attempt.reason, b"authentication failure" | b"generic failure"),
    }
}
