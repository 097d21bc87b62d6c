//! What Dovecot and saslauthd say themselves, joined to the attempts they speak of.

use std::rc::Rc;

use maillog::{DovecotAuth, PamFailure, SaslauthdFailure};

use super::{Held, Said, Tracer};
use crate::attempt::{Attempt, AttemptKind, Evidence, EvidenceSource, NameOrigin};
use crate::evidence::{BEFORE, Joined, Verdict, Wanted};
use crate::line::Line;

/// saslauthd's verdict follows its LDAP module's last word at once, in microseconds.
const LDAP_ANSWERS: i64 = 2_000_000;
/// Processes of saslauthd told apart at most; it starts five.
const PROCESSES: usize = 64;
/// Postfix waits ten seconds for Dovecot's answer: what Dovecot said of itself meanwhile may be why none came, in microseconds.
const AWAITED: i64 = 12_000_000;

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
        // What a connection of Postfix' met is said of each that gave up waiting: of no database.
        if text.starts_with(b"Error: ") && !text.starts_with(b"Error: auth client ") {
            self.dovecot_error = Some(self.said(line, text));
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
        let verdict = Verdict {
            line: line.id,
            time: line.time,
            source: EvidenceSource::Saslauthd,
            host,
            ip: None,
            user: (!failure.user.is_empty()).then(|| failure.user.into()),
            realm: Some(failure.realm.into()),
            mechanism: None,
            text: self.words.shared(failure.reason),
        };
        // Whatever its LDAP module said last, in the same process, was about this login.
        let said = self.take_said(line).filter(|said| line.time - said.time <= LDAP_ANSWERS);
        if let Some(said) = said {
            self.window.add(Verdict { line: said.line, text: said.text, ..verdict.clone() });
        }
        self.window.add(verdict);
    }

    pub(super) fn saslauthd_said(&mut self, line: &Line<'_>, words: &[u8]) {
        self.take_said(line);
        if self.saslauthd_said.len() >= PROCESSES {
            self.saslauthd_said.pop_front();
        }
        let said = self.said(line, words);
        self.saslauthd_said.push_back(said);
    }

    /// What the process of a line said last of its LDAP server.
    fn take_said(&mut self, line: &Line<'_>) -> Option<Said> {
        let host = self.names.number(line.record.host);
        let is_of = |said: &Said| said.host == host && said.pid == line.record.pid;
        let at = self.saslauthd_said.iter().position(is_of)?;
        self.saslauthd_said.remove(at)
    }

    fn said(&mut self, line: &Line<'_>, text: &[u8]) -> Said {
        let host = self.names.number(line.record.host);
        Said { time: line.time, host, pid: line.record.pid, line: line.id, text: self.words.shared(text) }
    }

    /// What Dovecot said of itself while an answer was awaited that was lost.
    pub(super) fn dovecot_said(&mut self, line: &Line<'_>) -> Option<Evidence> {
        let number = self.names.number(line.record.host);
        let in_time = |said: &&Said| said.host == number && (0..=AWAITED).contains(&(line.time - said.time));
        let said = self.dovecot_error.as_ref().filter(in_time)?;
        Some(Evidence { line: said.line, source: EvidenceSource::DovecotService, text: Rc::clone(&said.text) })
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
        let Self { held, window, .. } = self;
        // One that names itself has the better claim to what names it.
        let rivals: Vec<Wanted<'_>> = match attempt.username {
            Some(_) => Vec::new(),
            None => held.iter().take(RIVALS).filter_map(|(_, held)| rival(held, attempt)).collect(),
        };
        match window.join(wanted(attempt), &rivals) {
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
const RIVALS: usize = 256;

/// Another attempt of the same client that names itself.
fn rival<'h>(held: &'h Held, attempt: &Attempt) -> Option<Wanted<'h>> {
    match held {
        Held::Attempt(other) => {
            let names_itself = other.username.is_some() && other.at.client_ip == attempt.at.client_ip;
            (names_itself && may_have_a_verdict(other)).then(|| wanted(other))
        }
        Held::Login(_) | Held::Accepted { .. } | Held::Story(_) => None,
    }
}

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
        undecodable: attempt.reason.starts_with(b"Invalid base64 data"),
    }
}
