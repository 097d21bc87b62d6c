//! The cause table, one file per family. Ids, signatures and confidences are those of part 7 of the log grammar.

mod backend;
mod client;
mod config;
mod credentials;
mod limit;
mod outbound;
mod policy;
mod tls;

use std::sync::OnceLock;

use crate::cause::{Cause, Place};
use crate::wordings::Wordings;

/// Every cause, by family. Earlier families win where two signatures fit.
pub fn all() -> impl Iterator<Item = &'static Cause> {
    [
        credentials::CAUSES,
        backend::CAUSES,
        config::CAUSES,
        client::CAUSES,
        tls::CAUSES,
        limit::CAUSES,
        policy::CAUSES,
        outbound::CAUSES,
    ]
    .into_iter()
    .flatten()
}

/// The cause with an id.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Cause> {
    all().find(|cause| cause.id == id)
}

/// The signatures of each place, made ready when first asked for.
static BY_PLACE: [OnceLock<Wordings>; Place::ALL.len()] = [const { OnceLock::new() }; Place::ALL.len()];

/// The surest cause whose wording this is, with its confidence.
#[must_use]
pub fn of_words(place: Place, text: &[u8]) -> Option<(&'static Cause, f32)> {
    BY_PLACE.get(place as usize)?.get_or_init(|| Wordings::of(place, all())).surest(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_every_cause_is_whole() {
        let mut ids: Vec<&str> = all().map(|cause| cause.id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        for cause in all() {
            assert!(
                !cause.title.is_empty()
                    && !cause.meaning.is_empty()
                    && !cause.told.is_empty()
                    && !cause.next.is_empty(),
                "{}",
                cause.id
            );
            assert!((0.0..=1.0).contains(&cause.confidence), "{}", cause.id);
        }
    }

    #[test]
    fn wordings() {
        let check = |place: Place, text: &str, expected: &str| {
            assert_eq!(of_words(place, text.as_bytes()).map(|(c, _)| c.id), Some(expected), "{text}")
        };
        for empty in [
            "",
            "(reason unavailable)",
            "UGFzc3dvcmQ6",
            "VXNlcm5hbWU6",
            "Password:",
            "PDEyMzQ1Njc4OTAuMTIzNEBtYWlsPg==",
            "authentication failure",
        ] {
            check(Place::Reason, empty, "cred.undifferentiated");
        }
        check(Place::Reason, "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=", "cred.token_invalid");
        check(Place::Reason, "{\"status\":\"401\"}", "cred.token_invalid");
        check(Place::Reason, "Invalid authentication mechanism: 'NTLM'", "client.mechanism_unsupported");
        check(Place::Reason, "generic failure", "backend.saslauthd_failure");
        check(Place::Cyrus, "cannot connect to saslauthd server: Connection refused", "backend.refused");
        check(Place::Cyrus, "cannot connect to saslauthd server: Not a directory", "backend.saslauthd_failure");
        // The client chose the name of the mechanism.
        for words in
            ["cannot connect to saslauthd server: Connection refused", "write failed", "unable to open Berkeley db"]
        {
            let forged = format!("Couldn't find mech <{words}>");
            check(Place::Cyrus, &forged, "client.mechanism_unsupported");
            assert!(of_words(Place::Cyrus, format!("user not found: {words}").as_bytes()).is_none());
        }
        check(Place::Reason, "Password expired", "cred.password_expired");
        check(Place::Dovecot, "Password mismatch (given password: [redacted])", "cred.password_mismatch");
        check(Place::Dovecot, "unknown user (SHA1 of given password: x)", "cred.unknown_user");
        check(
            Place::Dovecot,
            "pam_authenticate() failed: User not known to the underlying authentication module",
            "cred.unknown_user",
        );
        check(Place::Dovecot, "open(/etc/dovecot/users) failed: Permission denied (euid=104)", "backend.store_error");
        let renew = "Authentication token is no longer valid; new one required";
        check(Place::Dovecot, &format!("pam_acct_mgmt() failed: {renew}"), "cred.password_expired");
        check(Place::DovecotError, &format!("pam_acct_mgmt() failed: {renew}"), "cred.password_expired");
        check(Place::Pam, &format!("received for user alice: 12 ({renew})"), "cred.password_expired");
        check(Place::DovecotError, "pam_acct_mgmt() failed: Permission denied", "cred.user_disabled");
        check(Place::DovecotError, "filter=(uid=unknown user) failed: x", "backend.store_error");
        check(Place::Cyrus, "cannot connect to saslauthd server: No such file or directory", "backend.socket_missing");
        check(Place::Cyrus, "cannot connect to saslauthd server: Permission denied", "backend.permission");
        check(
            Place::Tls,
            "error:0A000418:SSL routines::tlsv1 alert unknown ca:../ssl/record/rec_layer_s3.c:1602:SSL alert number 48:",
            "tls.cert_rejected",
        );
        check(
            Place::Tls,
            "error:0A00010B:SSL routines::wrong version number:../ssl/record/ssl3_record.c:350:",
            "tls.plaintext_to_wrapper",
        );
    }
}
