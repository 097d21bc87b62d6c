//! Bans as JSON.

use std::net::IpAddr;

use diagnose::fail2ban::History;
use serde_json::{Value, json};

use super::{Bans, Decision, JudgedBan};
use crate::json;
use crate::mask::Mask;
use crate::times::rfc3339;

/// The whole answer; `top` bounds the lists, 0 is all.
#[must_use]
pub fn to_json(bans: &Bans, top: usize, mask: Mask) -> Value {
    let limit = if top == 0 { usize::MAX } else { top };
    let jails: Vec<Value> = bans.jails.keys().filter_map(|name| jail(bans, name, limit, mask)).collect();
    json!({
        "coverage": json::coverage(&bans.read),
        "fail2ban_log": {"lines": bans.log.lines, "from": bans.history.span.map(|span| rfc3339(span.0)), "to": bans.history.span.map(|span| rfc3339(span.1))},
        "jails": jails,
        "bans": bans.bans.iter().take(limit).map(|ban| banned(ban, mask)).collect::<Vec<_>>(),
        "decisions": bans.decisions.iter().take(limit).map(|found| decision(found, mask)).collect::<Vec<_>>(),
    })
}

fn jail(bans: &Bans, name: &str, limit: usize, mask: Mask) -> Option<Value> {
    let (step, history) = (bans.jails.get(name)?, bans.history.jails.get(name)?);
    Some(json!({
        "name": name, "sight": step.sight.name(), "failures": step.ours, "found": step.found, "bans": history.bans_total,
        "banned_now": history.holding().count(), "stopped": history.stopped, "loud_clients": step.loud,
        "never_found": step.never_found.iter().take(limit).map(|ip| mask.ip(*ip)).collect::<Vec<_>>(),
        "silent_hours": step.silent_hours.iter().take(limit).map(|hour| rfc3339(*hour)).collect::<Vec<_>>(),
    }))
}

fn banned(ban: &JudgedBan, mask: Mask) -> Value {
    json!({
        "client_ip": mask.ip(ban.ban.client_ip), "jail": ban.jail, "at": rfc3339(ban.ban.at), "lifted": ban.ban.lifted.map(rfc3339),
        "failures": ban.failures, "failures_during": ban.failures_during, "verdict": ban.verdict.name(), "real_user": ban.real_user,
        "logs_in": ban.logs_in.iter().map(|name| mask.name(&String::from_utf8_lossy(name))).collect::<Vec<_>>(),
        "unban": super::text::unban(&ban.jail, &ban.ban, mask),
    })
}

fn decision(decision: &Decision, mask: Mask) -> Value {
    json!({
        "value": if mask.0 { mask.ip(decision.net.addr()) } else { decision.net.to_string() }, "type": decision.kind,
        "scenario": decision.scenario, "origin": decision.origin, "duration": decision.duration,
    })
}

/// Bans and decisions about some addresses, for their story.
#[must_use]
pub fn of_clients(history: &History, decisions: &[Decision], is_meant: &dyn Fn(IpAddr) -> bool, mask: Mask) -> Value {
    let own = history.meant(is_meant).into_iter().map(|(jail, ban)| {
        json!({
            "client_ip": mask.ip(ban.client_ip), "jail": jail, "at": rfc3339(ban.at), "lifted": ban.lifted.map(rfc3339),
            "unban": super::text::unban(jail, ban, mask),
        })
    });
    let theirs = decisions.iter().filter(|found| is_meant(found.net.addr())).map(|found| decision(found, mask));
    json!({"fail2ban": own.collect::<Vec<_>>(), "crowdsec": theirs.collect::<Vec<_>>()})
}
