//! The rehearsal as JSON, in the shape of the reference.

use diagnose::fail2ban::{Ban, Missed};
use serde_json::{Value, json};

use super::{Judged, Rehearsed};
use crate::json;
use crate::mask::Mask;
use crate::times::rfc3339;

/// The whole answer.
#[must_use]
pub fn to_json(rehearsed: &Rehearsed, mask: Mask) -> Value {
    let jail = &rehearsed.jail;
    let ignore: Vec<String> = jail.ignore.iter().map(ToString::to_string).collect();
    json!({
        "coverage": json::coverage(&rehearsed.read),
        "jail": {"maxretry": jail.maxretry, "findtime": jail.findtime, "bantime": jail.bantime, "ignore": ignore, "forgive": jail.forgive},
        "bans": rehearsed.bans.iter().map(|ban| banned(ban, mask)).collect::<Vec<_>>(),
        "missed": rehearsed.missed.iter().map(|missed| below(missed, mask)).collect::<Vec<_>>(),
        "not_watched": rehearsed.beyond,
    })
}

fn names(names: &[Box<[u8]>], mask: Mask) -> Vec<String> {
    names.iter().map(|name| mask.name(&String::from_utf8_lossy(name))).collect()
}

fn banned(ban: &Judged<Ban>, mask: Mask) -> Value {
    let what = &ban.what;
    json!({
        "client_ip": mask.ip(what.client_ip), "at": rfc3339(what.at), "until": what.until.map(rfc3339),
        "failures": what.failures, "real_user": ban.real_user, "verdict": ban.verdict.name(),
        "accounts": names(&what.accounts, mask), "logs_in": names(&ban.logs_in, mask),
        "prevented": what.prevented, "logins_lost": what.logins_lost,
    })
}

fn below(missed: &Judged<Missed>, mask: Mask) -> Value {
    let what = &missed.what;
    json!({
        "client_ip": mask.ip(what.client_ip), "failures": what.failures, "verdict": missed.verdict.name(),
        "accounts": names(&what.accounts, mask),
    })
}
