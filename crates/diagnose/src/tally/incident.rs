//! Times of backend trouble: faults close to one another are one incident.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use trace::{Attempt, AttemptKind};

use super::proof::Proof;
use super::{PER_ROW, PROOFS_PER_ROW, Tally};
use crate::class::Class;
use crate::diagnosis::Diagnosis;

/// Backend faults further apart than this are two incidents, in microseconds.
const SAME_INCIDENT: i64 = 600 * 1_000_000;

/// Incidents kept at most.
const INCIDENTS: usize = 1_000;

/// A time in which the backend was at fault.
#[derive(Clone, Debug, Default)]
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
    pub causes: BTreeMap<&'static str, u64>,
    /// The first lines.
    pub proofs: Vec<Rc<Proof>>,
    pub(super) ok_since: u64,
}

impl Tally {
    /// Groups backend faults into incidents. A client that Dovecot makes wait is no incident of the backend's.
    pub(super) fn incident(&mut self, attempt: &Attempt, diagnosis: &Diagnosis) {
        let at_fault = attempt.kind == AttemptKind::Killed || diagnosis.class == Some(Class::BackendFault);
        if !at_fault || diagnosis.id() == "backend.penalty" {
            return;
        }
        let time = attempt.at.time;
        let proof =
            if self.incidents.last().is_none_or(|i| time - i.to > SAME_INCIDENT || i.proofs.len() < PROOFS_PER_ROW) {
                self.proof_of(attempt)
            } else {
                None
            };
        if self.incidents.last().is_none_or(|last| time - last.to > SAME_INCIDENT) {
            if self.incidents.len() >= INCIDENTS {
                return;
            }
            self.incidents.push(Incident { from: time, to: time, ..Incident::default() });
        }
        let Some(incident) = self.incidents.last_mut() else { return };
        incident.to = incident.to.max(time);
        incident.ok_during += std::mem::take(&mut incident.ok_since);
        if attempt.kind == AttemptKind::Killed {
            incident.killed += u64::from(attempt.count);
        } else {
            incident.faults += u64::from(attempt.count);
        }
        *incident.causes.entry(diagnosis.id()).or_default() += u64::from(attempt.count);
        incident.proofs.extend(proof);
        if let Some(ip) = attempt.at.client_ip
            && incident.clients.len() < PER_ROW
            && !incident.clients.contains(&ip)
        {
            incident.clients.push(ip);
        }
    }

    /// The line that says most about a backend's fault: its own evidence before the failure line.
    fn proof_of(&mut self, attempt: &Attempt) -> Option<Rc<Proof>> {
        let own = attempt.evidence.first().map(|e| e.line);
        own.and_then(|line| self.proofs.proof(line)).or_else(|| self.proofs.proof(attempt.at.line))
    }
}
