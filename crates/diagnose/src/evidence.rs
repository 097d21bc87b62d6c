//! What a line of the backend's own settles, joined to an attempt or alone.

use maillog::Event;
use trace::EvidenceSource;

use crate::cause::{Cause, Place};
use crate::causes::of_words;
use crate::class::Class;
use crate::diagnosis::Diagnosis;

/// How much a line settles among those of one attempt; the surer wording decides between two that settle as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// A password database said no and the next one was asked: what that one says counts.
    PassedOn,
    /// Somebody said no, or something went wrong.
    Said,
    /// A password database could not be asked. Whatever the others say, it may have held the right password: Dovecot answers with an
    /// internal failure (`src/auth/auth-request.c`, `passdbs_seen_internal_failure`).
    NotAsked,
}

/// How sure what one of several password databases said makes us of what all of them say.
const PASSED_ON: f32 = 0.6;

impl Weight {
    pub(crate) fn of(source: EvidenceSource, cause: &Cause) -> Self {
        use EvidenceSource::{Dovecot, DovecotError, DovecotPassedOn, Pam, Saslauthd};
        let joined = matches!(source, Dovecot | DovecotError | DovecotPassedOn | Saslauthd | Pam);
        match source {
            _ if joined && cause.class == Some(Class::BackendFault) => Self::NotAsked,
            DovecotPassedOn => Self::PassedOn,
            _ => Self::Said,
        }
    }

    /// How sure a wording makes us, given what its line settles.
    pub(crate) fn temper(self, confidence: f32) -> f32 {
        if self == Self::PassedOn { confidence.min(PASSED_ON) } else { confidence }
    }

    /// What to say of a cause that another line names.
    pub(crate) fn note(self) -> &'static str {
        match self {
            Self::PassedOn => "one password database said so, and the log does not show what the next one said",
            Self::Said | Self::NotAsked => "another line about the same login names the cause",
        }
    }
}

/// Where the words of an evidence line stand.
pub(crate) fn place(source: EvidenceSource) -> Place {
    match source {
        EvidenceSource::Dovecot | EvidenceSource::DovecotPassedOn | EvidenceSource::DovecotService => Place::Dovecot,
        EvidenceSource::DovecotError => Place::DovecotError,
        EvidenceSource::Saslauthd => Place::Saslauthd,
        EvidenceSource::Pam => Place::Pam,
        EvidenceSource::Connect => Place::Connect,
        EvidenceSource::Protocol => Place::Protocol,
        EvidenceSource::Cyrus => Place::Cyrus,
        EvidenceSource::Library => Place::Library,
        EvidenceSource::Fatal => Place::Fatal,
        EvidenceSource::Tls => Place::Tls,
    }
}

/// The cause that a backend's own line gives to an attempt, read alone: no class of its own.
#[must_use]
pub fn backend_line(event: &Event<'_>) -> Option<Diagnosis> {
    let (source, text) = match event {
        Event::DovecotAuth(verdict) => (EvidenceSource::of_dovecot(verdict), verdict.message),
        Event::Saslauthd(failure) => (EvidenceSource::Saslauthd, failure.reason),
        Event::Pam(failure) => (EvidenceSource::Pam, failure.message),
        Event::TlsLibrary(text) => (EvidenceSource::Tls, *text),
        _ => return None,
    };
    let (cause, confidence) = of_words(place(source), text)?;
    let weight = Weight::of(source, cause);
    let note = match weight {
        _ if matches!(event, Event::Saslauthd(failure) if !failure.is_for_smtp()) => {
            "asked for another service than SMTP: tells nothing about logins at Postfix"
        }
        Weight::PassedOn => "not final, another password database is asked next: the login may yet succeed",
        Weight::Said | Weight::NotAsked => {
            "a line about a login that has a line of Postfix' own: adds nothing to the counts"
        }
    };
    Some(Diagnosis { class: None, cause: Some(cause), confidence: weight.temper(confidence), note })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dovecots_lines_alone() {
        let check = |line: &str, id: &str, sure: bool| {
            let record = maillog::record(line.as_bytes()).unwrap();
            let found = backend_line(&maillog::event(&record).unwrap()).unwrap();
            assert_eq!((found.id(), found.confidence > 0.9), (id, sure), "{line}");
        };
        let at = "Nov 22 09:06:30 mail dovecot: ";
        for (line, id) in [
            ("auth-worker(7): Error: sql(u,192.0.2.1): Password query failed: x", "backend.store_error"),
            (
                "auth: Error: ldap(u,192.0.2.1): ldap_search(base=dc=x filter=(uid=u)) failed: Can't contact LDAP server",
                "backend.store_error",
            ),
            ("auth: Error: lua(u,192.0.2.1): passdb-lua: x", "backend.store_error"),
            (
                "auth: Error: oauth2(u,192.0.2.1): oauth2 failed: connect(192.0.2.9:443) failed: Connection refused",
                "backend.store_error",
            ),
            ("auth: Error: passwd-file(u,192.0.2.1): stat(/etc/dovecot/users) failed: x", "backend.store_error"),
            ("auth-worker(7): Error: pam(u,192.0.2.1): PAM child process timed out", "backend.store_error"),
            ("auth(u,192.0.2.1,sasl:plain): Error: ldap: Can't contact LDAP server", "backend.store_error"),
            ("auth: Error: sql(u,192.0.2.1): Unknown scheme X", "cred.scheme_unusable"),
            (
                "auth-worker(7): Error: pam(u,192.0.2.1): pam_acct_mgmt() failed: User account has expired",
                "cred.password_expired",
            ),
            (
                "auth-worker(7): Error: pam(u,192.0.2.1): pam_acct_mgmt() failed: Permission denied",
                "cred.user_disabled",
            ),
        ] {
            check(&format!("{at}{line}"), id, true);
        }
        check(&format!("{at}auth: sql(u,192.0.2.1): Password mismatch"), "cred.password_mismatch", true);
        let next = "Password mismatch (given password: x) - trying the next passdb";
        check(&format!("{at}auth: sql(u,192.0.2.1): {next}"), "cred.password_mismatch", false);
        let refused = "oauth2 failed: Introspection failed: invalid_token";
        check(&format!("{at}auth: oauth2(u,192.0.2.1): {refused}"), "cred.token_invalid", false);
    }
}
