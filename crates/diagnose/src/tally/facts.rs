//! Outcomes of the log as facts for the detectors: attempts, logins, refusals and mail go in, plain borrowed values come out.

use trace::{Attempt, AttemptKind, Fate, Login, Refusal, Story, Where};

use super::service_name;
use crate::class::Class;
use crate::detect::{Failed, LoggedIn, Mailed, TurnedAway};
use crate::diagnosis::Diagnosis;

/// An attempt. Of several lines the one that says most is named: a broken backend's own.
pub(super) fn failed<'a>(attempt: &'a Attempt, diagnosis: &Diagnosis) -> Failed<'a> {
    let killed = attempt.kind == AttemptKind::Killed;
    let own = attempt.evidence.first().filter(|_| killed || diagnosis.class == Some(Class::BackendFault));
    Failed {
        time: attempt.at.time,
        line: own.map_or(attempt.at.line, |evidence| evidence.line),
        host: &attempt.at.host,
        service: service_name(&attempt.at.tag),
        client: attempt.at.client_ip,
        account: attempt.username.as_deref(),
        class: diagnosis.class,
        killed,
        cause: diagnosis.id(),
        mechanism: &attempt.mechanism,
        count: attempt.count,
    }
}

/// A login.
pub(super) fn logged_in(login: &Login) -> LoggedIn<'_> {
    LoggedIn {
        time: login.at.time,
        line: login.at.line,
        host: &login.at.host,
        service: service_name(&login.at.tag),
        client: login.at.client_ip,
        account: login.username.as_deref(),
        count: login.count,
    }
}

/// A login that only a refusal shows.
pub(super) fn shown(refusal: &Refusal) -> Option<LoggedIn<'_>> {
    refusal.only_sign.then(|| LoggedIn {
        time: refusal.at.time,
        line: refusal.at.line,
        host: &refusal.at.host,
        service: service_name(&refusal.at.tag),
        client: refusal.at.client_ip,
        account: refusal.username.as_deref(),
        count: 1,
    })
}

/// A refusal that has to do with logins; `None` for others.
pub(super) fn turned_away(refusal: &Refusal, class: Class) -> Option<TurnedAway<'_>> {
    let relay = match class {
        Class::RelayDenied => true,
        Class::NotLoggedIn => false,
        _ => return None,
    };
    Some(TurnedAway {
        time: refusal.at.time,
        line: refusal.at.line,
        client: refusal.at.client_ip,
        account: refusal.username.as_deref(),
        relay,
        logged_in: refusal.logged_in,
        port_25: !maillog::Tag(&refusal.at.tag).is_submission(),
        sender: refusal.from.as_deref(),
        count: refusal.count,
    })
}

/// A mail with its fate.
pub(super) fn mailed<'a>(story: &'a Story, at: &Where, username: &'a [u8]) -> Mailed<'a> {
    let fates = story.fates();
    let count = |wanted: &[Fate]| {
        u32::try_from(fates.iter().filter(|(_, fate)| wanted.contains(fate)).count()).unwrap_or(u32::MAX)
    };
    Mailed {
        time: at.time,
        client: at.client_ip,
        account: username,
        queue_id: story.queue_id(),
        recipients: u32::try_from(fates.len()).unwrap_or(u32::MAX),
        bounced: count(&[Fate::Bounced, Fate::Expired]),
        sent: count(&[Fate::Sent, Fate::HandedOn]),
    }
}
