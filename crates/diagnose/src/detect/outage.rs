//! `backend_outage` and `config_fault`: nobody's password is wrong, and nobody gets in.
//!
//! Two signs. The backend's own words: faults and killed sessions close together are one [`Incident`]. And no words at all:
//! several sources whose login worked the last time all fail, and nobody gets in meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use trace::Map;

use super::Detector;
use super::finding::{Finding, Kind, plural, stamp};
use super::input::Failed;
use super::rows::PER_ROW;
use super::source::Source;
use super::thresholds::Thresholds;
use crate::causes::by_id;

/// Incidents kept at most.
const INCIDENTS: usize = 1_000;
/// Mail hosts told apart at most.
const HOSTS: usize = 1_000;
/// Evidence lines of an incident.
const PROOFS: usize = 3;
/// Fresh failures further apart than this are not all at once, in microseconds.
const AT_ONCE: i64 = 1_800 * 1_000_000;

/// Causes that say only that an answer did not come.
pub(crate) mod cause_ids {
    pub(crate) const LOST: &str = "backend.connection_lost";
    pub(crate) const OVERLOAD: &str = "backend.overload";
}

/// A time in which the backend was at fault.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Incident {
    /// First and last fault, microseconds.
    pub from: i64,
    /// See `from`.
    pub to: i64,
    /// Failure lines.
    pub faults: u64,
    /// Sessions that died.
    pub killed: u64,
    /// Logins that succeeded in between.
    pub ok_during: u64,
    /// Clients hit.
    pub clients: Vec<IpAddr>,
    /// Causes with counts.
    #[serde(with = "causes_by_name")]
    pub causes: BTreeMap<&'static str, u64>,
    proofs: Vec<u32>,
    ok_since: u64,
    /// Nobody had logged in before it began: who its clients are cannot be known.
    is_first: bool,
}

/// Nobody got in at a host, and whose login usually works failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Stretch {
    from: i64,
    /// The last one of these, and the last failure of anybody.
    fresh: i64,
    to: i64,
    failures: u64,
    clients: Vec<Source>,
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Outages {
    incidents: Vec<Incident>,
    open: Map<Box<[u8]>, Stretch>,
    silent: Vec<Stretch>,
    /// Sources that make an outage: noted with the first failure.
    least: usize,
}

impl Outages {
    pub(crate) fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// A fault of the backend's. A client that Dovecot makes wait is none.
    /// `logins`: how many there were so far.
    pub(crate) fn fault(
        &mut self,
        failed: &Failed<'_>,
        (thresholds, logins): (&Thresholds, u64),
        proof: impl FnOnce() -> Option<u32>,
    ) {
        let (time, count) = (failed.time, u64::from(failed.count));
        let pause = i64::from(thresholds.outage_pause) * 60_000_000;
        if self.incidents.last().is_none_or(|last| time - last.to > pause) {
            if self.incidents.len() >= INCIDENTS {
                return;
            }
            self.incidents.push(Incident { from: time, to: time, is_first: logins == 0, ..Incident::default() });
        }
        let Some(incident) = self.incidents.last_mut() else { return };
        incident.to = incident.to.max(time);
        incident.ok_during += std::mem::take(&mut incident.ok_since);
        if failed.killed {
            incident.killed += count;
        } else {
            incident.faults += count;
        }
        *incident.causes.entry(failed.cause).or_default() += count;
        if incident.proofs.len() < PROOFS {
            incident.proofs.extend(proof());
        }
        if let Some(ip) = failed.client
            && incident.clients.len() < PER_ROW
            && !incident.clients.contains(&ip)
        {
            incident.clients.push(ip);
        }
    }

    /// Somebody whose login worked the last time was refused.
    pub(crate) fn fresh_failure(&mut self, failed: &Failed<'_>, source: Source, thresholds: &Thresholds) {
        self.least = thresholds.outage_clients as usize;
        if self.open.len() >= HOSTS && !self.open.contains_key(failed.host) {
            return;
        }
        let stretch = self.open.entry(failed.host.into()).or_default();
        if stretch.clients.is_empty() || failed.time - stretch.fresh > AT_ONCE {
            *stretch = Stretch { from: failed.time, ..Stretch::default() };
        }
        stretch.fresh = failed.time;
        let related = stretch.clients.iter().any(|known| known.near() == source.near());
        if !related && stretch.clients.len() < PER_ROW {
            stretch.clients.push(source);
        }
    }

    /// Any refusal: while nobody gets in, it belongs to the outage that may be under way.
    pub(crate) fn refused(&mut self, failed: &Failed<'_>) {
        if let Some(stretch) = self.open.get_mut(failed.host).filter(|stretch| !stretch.clients.is_empty())
            && failed.time - stretch.to.max(stretch.fresh) <= AT_ONCE
        {
            stretch.to = failed.time;
            stretch.failures += u64::from(failed.count);
        }
    }

    /// Somebody got in: what was open at that host is over.
    pub(crate) fn success(&mut self, host: &[u8], count: u32) {
        if let Some(incident) = self.incidents.last_mut() {
            incident.ok_since += u64::from(count);
        }
        let Some(stretch) = self.open.get_mut(host).filter(|stretch| !stretch.clients.is_empty()) else { return };
        let stretch = std::mem::take(stretch);
        if stretch.clients.len() >= self.least.max(1) && self.silent.len() < INCIDENTS {
            self.silent.push(stretch);
        }
    }

    pub(crate) fn findings(&self, detector: &Detector) -> Vec<Finding> {
        let mut found: Vec<Finding> = self.incidents.iter().filter_map(|incident| spoken(detector, incident)).collect();
        let mut open: Vec<&Stretch> = self.open.values().filter(|s| s.clients.len() >= self.least.max(1)).collect();
        open.sort_by_key(|stretch| stretch.from);
        for stretch in self.silent.iter().chain(open) {
            // The same time told twice is one outage.
            let known =
                found.iter().any(|known| known.from <= stretch.to + AT_ONCE && stretch.from <= known.to + AT_ONCE);
            if !known {
                found.push(unspoken(detector, stretch));
            }
        }
        found
    }
}

/// One client's odd line is no outage: either sessions died, or several clients were hit, or nobody got in meanwhile. Answers that
/// were merely lost are an outage only if they were lost to people who usually get in: guessers lose theirs to Dovecot's delay.
fn spoken(detector: &Detector, incident: &Incident) -> Option<Finding> {
    let total = incident.faults + incident.killed;
    let wide = incident.clients.len() >= 2;
    if incident.killed == 0 && !wide && (incident.ok_during > 0 || total < 2) {
        return None;
    }
    let (cause_id, _) = incident.causes.iter().max_by_key(|(id, count)| (**count, std::cmp::Reverse(**id)))?;
    let merely_lost = incident.causes.keys().all(|id| matches!(*id, cause_ids::LOST | cause_ids::OVERLOAD));
    let usual = |ip: &&IpAddr| detector.clients.get(&Source::of(**ip)).is_some_and(|row| row.ok > 0);
    let usual = incident.clients.iter().filter(usual).count();
    let strangers = merely_lost && (usual < 2 || usual * 4 < incident.clients.len());
    if strangers && !may_be_peoples(detector, incident) {
        return None;
    }
    let cause = by_id(cause_id);
    let kind = if cause_id.starts_with("config.") { Kind::ConfigFault } else { Kind::BackendOutage };
    let confidence: f32 = if incident.ok_during == 0 {
        0.95
    } else if wide {
        0.85
    } else {
        0.7
    };
    let hit: Vec<String> = [
        (incident.faults, "login failed", "logins failed"),
        (incident.killed, "session died", "sessions died"),
        (incident.clients.len() as u64, "client hit", "clients hit"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| plural(count, one, many))
    .collect();
    let title = cause.map_or("SASL backend at fault", |cause| cause.title);
    let mut finding =
        Finding::new(kind, format!("{}-{}", kind.name(), stamp(incident.from)), (incident.from, incident.to));
    finding.confidence = confidence.min(cause.map_or(1.0, |c| c.confidence.max(0.7)));
    finding.clients = incident.clients.clone();
    finding.clients.sort_unstable();
    finding.counts = vec![
        ("backend_fault", incident.faults),
        ("sessions_killed", incident.killed),
        ("auth_ok_meanwhile", incident.ok_during),
    ];
    finding.summary = format!("{title}: {}; {}", hit.join(", "), meanwhile(incident.ok_during));
    finding.evidence = detector.evidence(incident.proofs.iter().copied());
    if strangers {
        finding.confidence = Finding::NO_MORE_THAN_POSSIBLE;
        finding.summary +=
            "; nobody had logged in before in this log: a flood of guesses that keeps the backend busy looks the same";
        let finding = Finding { next: vec!["see whether these addresses are your users' (client view), and give the log of the day before along with this one".into()], ..finding };
        let mut finding = finding.decided(detector, &["outage_clients", "outage_pause"]);
        finding.next.extend(cause.into_iter().flat_map(|cause| cause.next).map(|check| check.to_string().into()));
        finding.avoid = vec!["do not ban these clients before you know who they are".into()];
        return Some(finding);
    }
    let advised =
        finding.advise(&[], &["do not ban these clients and do not reset passwords: nobody's password was at fault"]);
    Some(advised.steps_of(cause).decided(detector, &["outage_pause"]))
}

/// Answers were lost to many networks at once, nobody got in, and nobody had before: these may be the users.
fn may_be_peoples(detector: &Detector, incident: &Incident) -> bool {
    let networks: HashSet<Source> = incident.clients.iter().map(|ip| Source::of(*ip).near()).collect();
    incident.is_first && incident.ok_during == 0 && networks.len() >= 2 * detector.thresholds().outage_clients as usize
}

fn meanwhile(ok: u64) -> String {
    match ok {
        0 => "nobody got in meanwhile".to_owned(),
        ok => format!("{} succeeded meanwhile", plural(ok, "login", "logins")),
    }
}

fn unspoken(detector: &Detector, stretch: &Stretch) -> Finding {
    let kind = Kind::BackendOutage;
    let mut finding =
        Finding::new(kind, format!("{}-{}", kind.name(), stamp(stretch.from)), (stretch.from, stretch.to));
    finding.confidence =
        if stretch.clients.len() >= 2 * detector.thresholds().outage_clients as usize { 0.85 } else { 0.7 };
    finding.clients = stretch.clients.iter().map(|source| source.ip()).collect();
    finding.clients.sort_unstable();
    finding.counts = vec![("auth_failed", stretch.failures), ("clients", stretch.clients.len() as u64)];
    finding.summary = format!(
        "{} whose logins usually work were all refused, and nobody got in meanwhile: passwords are checked against something broken",
        plural(stretch.clients.len() as u64, "client", "clients")
    );
    let rows = finding.clients.iter().filter_map(|ip| detector.clients.get(&Source::of(*ip)));
    finding.evidence = detector.evidence(rows.flat_map(|row| row.proofs.first()).take(3));
    finding.decided(detector, &["outage_clients"]).advise(
        &[
            "Dovecot: doveadm auth test USER; journalctl -u dovecot (is the database, LDAP or PAM behind it well?)",
            "Cyrus SASL: testsaslauthd -u USER -p PASSWORD -s smtp; journalctl -u saslauthd",
        ],
        &["do not ban these clients and do not reset passwords before a login of your own works"],
    )
}

/// Causes by their ids; an id that this version does not know is left out.
mod causes_by_name {
    use super::{BTreeMap, by_id};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(causes: &BTreeMap<&'static str, u64>, to: S) -> Result<S::Ok, S::Error> {
        causes.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<&'static str, u64>, D::Error> {
        let named = BTreeMap::<String, u64>::deserialize(from)?;
        Ok(named.into_iter().filter_map(|(id, count)| Some((by_id(&id)?.id, count))).collect())
    }
}
