//! What is told of logins, line by line: failures, logins, mail, refusals, and what changed around them.
//!
//! Each call notes it of its source, its account and the pair of both. Nothing is judged here but what is worth a closer look later.

use std::net::IpAddr;

use super::finding::{Proof, SentThen};
use super::input::{Failed, LoggedIn, Mailed, TurnedAway};
use super::outage::cause_ids;
use super::rows::{History, MESSAGES, Name, PER_ROW, PROOFS_PER_ROW, Relaying, Suspect, Volume};
use super::seams::Change;
use super::source::Source;
use super::{Detector, PROOFS, insiders, takeover, variants};
use crate::class::Class;

/// After so many tries, or sources, another line is taken as evidence.
const PROOF_AT: [u32; PROOFS_PER_ROW] = [3, 10, 20];

impl Detector {
    /// A login that did not succeed. `proof` gives a line by its number, if it is still at hand.
    pub fn failed(&mut self, failed: &Failed<'_>, proof: impl Fn(u64) -> Option<Proof>) {
        self.tick(failed.time);
        let what = What::of(failed);
        if what == What::Fault || what == What::Lost {
            let proofs = &mut self.proofs;
            self.outages
                .fault(failed, (&self.settings.thresholds, self.logins), || keep_proof(proofs, proof(failed.line)));
        }
        let Some(ip) = failed.client else { return };
        let source = Source::of(ip);
        let name = failed.account.map(|account| self.name(account));
        let tried = name.filter(|_| what == What::Credentials);
        let before = tried.map(|name| (name, self.pair_failed((source, name), failed.time, failed.count)));
        self.client_failed(failed, what, (ip, source), before, &proof);
        if let Some((name, before)) = before {
            self.account_failed(failed, source, (name, before), &proof);
        }
    }

    /// Notes it of its source. `tried` is the name, if credentials were tried, and what was known of the two before.
    fn client_failed(
        &mut self,
        failed: &Failed<'_>,
        what: What,
        (ip, source): (IpAddr, Source),
        tried: Option<(Name, History)>,
        proof: &impl Fn(u64) -> Option<Proof>,
    ) {
        let (mechanism, service) = (self.word(failed.mechanism), self.word(failed.service));
        let count = failed.count;
        // While there is much room the first try of each source is kept.
        let early = self.proofs.len() < PROOFS / 4;
        let row = self.client(ip, source, failed.time);
        if what == What::Other {
            return;
        }
        if row.first_failure == 0 {
            row.first_failure = failed.time;
        }
        row.last_failure = row.last_failure.max(failed.time);
        let counter = match what {
            What::Credentials => &mut row.failed,
            What::HeldOff => &mut row.held_off,
            What::Lost => &mut row.rare_mut().lost,
            What::Mechanism => &mut row.rare_mut().mechanism_refused,
            What::Silent => &mut row.rare_mut().silent,
            What::Fault | What::Other => return,
        };
        *counter = counter.saturating_add(count);
        if what == What::Mechanism {
            row.rare_mut().refused_mechanism = mechanism;
        }
        let of_cause = match failed.cause {
            "tls.auth_before_starttls" => Some(&mut row.rare_mut().no_tls),
            "config.auth_not_enabled" | "client.auth_misplaced" => Some(&mut row.rare_mut().no_auth),
            "client.wrong_port_25" => Some(&mut row.rare_mut().wrong_port),
            "cred.unknown_user" => Some(&mut row.unknown_user),
            _ => None,
        };
        if let Some(counter) = of_cause {
            *counter = counter.saturating_add(count);
        }
        if what != What::Lost {
            row.burst.add(failed.time, count);
            row.cadence.add(failed.time);
            (row.mechanism, row.service) = (mechanism, service);
        }
        match tried {
            Some((name, before)) if before.failed == 0 => {
                if row.names.len() < PER_ROW {
                    row.names.push(name)
                } else {
                    row.names_beyond += 1
                }
            }
            None if what == What::Credentials => row.unnamed = row.unnamed.saturating_add(count),
            _ => (),
        }
        let at = row.proofs.len();
        let so_far = row.tries() + row.rare().silent + row.rare().mechanism_refused;
        let early = at == 0 && (early || matches!(what, What::Mechanism | What::Silent));
        if (early || PROOF_AT.get(at).is_some_and(|least| so_far >= *least))
            && let Some(kept) = keep_proof(&mut self.proofs, proof(failed.line))
        {
            self.client(ip, source, failed.time).proofs.push(kept);
        }
    }

    fn account_failed(
        &mut self,
        failed: &Failed<'_>,
        source: Source,
        (name, before): (Name, History),
        proof: &impl Fn(u64) -> Option<Proof>,
    ) {
        let (time, count) = (failed.time, failed.count);
        // Somebody whose login worked the last time, here, with this name.
        let fresh = before.ok > 0 && before.last_failure < before.last_ok;
        if fresh {
            self.outages.fresh_failure(failed, source, &self.settings.thresholds);
        }
        self.outages.refused(failed);
        let row = self.account(name, failed.account.unwrap_or_default(), time);
        row.failed = row.failed.saturating_add(count);
        if row.first_failure == 0 {
            row.first_failure = time;
        }
        row.last_failure = row.last_failure.max(time);
        row.cadence.add(time);
        if before.failed == 0 {
            if row.clients.len() < PER_ROW { row.clients.push(source) } else { row.clients_beyond += 1 }
        }
        let at = row.proofs.len();
        let sources = u32::try_from(row.clients.len()).unwrap_or(u32::MAX);
        if PROOF_AT.get(at).is_some_and(|least| sources >= *least)
            && let Some(kept) = keep_proof(&mut self.proofs, proof(failed.line))
        {
            self.account(name, b"", time).proofs.push(kept);
        }
    }

    /// A login that succeeded.
    pub fn logged_in(&mut self, login: &LoggedIn<'_>, proof: impl Fn(u64) -> Option<Proof>) {
        self.tick(login.time);
        self.logins += u64::from(login.count);
        self.outages.success(login.host, login.count);
        let Some(ip) = login.client else { return };
        let source = Source::of(ip);
        let row = self.client(ip, source, login.time);
        row.ok = row.ok.saturating_add(login.count);
        row.last_ok = row.last_ok.max(login.time);
        let first = row.ok == login.count;
        let (tries, names) = (row.tries(), row.names());
        let fast = row.burst.per_minute() >= takeover::RUSH_PER_MINUTE
            || row.burst.per_ten_minutes() >= takeover::RUSH_PER_TEN_MINUTES;
        let Some(account) = login.account else {
            // Of a login after many failures that names nobody its one line is the proof.
            if first && tries >= self.settings.thresholds.takeover_tries {
                let kept = keep_proof(&mut self.proofs, proof(login.line));
                self.client(ip, source, login.time).proofs.end_with(kept);
            }
            return;
        };
        let name = self.name(account);
        let first_here = self.pair_logged_in((source, name), login);
        if first_here
            && let Some(row) = self.clients.get_mut(&source)
            && row.ok_names.len() < PER_ROW
        {
            row.ok_names.push(name);
        }
        let least = self.settings.thresholds.takeover_tries;
        let known_for = login.time - self.first;
        let row = self.account(name, account, login.time);
        let dormant = row.ok == 0 && known_for >= takeover::KNOWN_FOR;
        let new_place = row.is_known(login.time) && !row.lives_about(source);
        let attackers = u32::try_from(row.clients.len()).unwrap_or(u32::MAX);
        // Of an account hardly known, too: what it sends then, and what of that comes back, may tell.
        let elsewhere = row.ok > 0 && !row.lives_about(source);
        let suspicious = first_here && (tries >= least || elsewhere || dormant || attackers >= least);
        if first_here {
            let new_network = !row.lives_about(source);
            row.owner_mut().spread.add(login.time, new_network);
        }
        if row.ok == 0 {
            row.first_ok = login.time;
        }
        row.ok = row.ok.saturating_add(login.count);
        row.last_ok = row.last_ok.max(login.time);
        let owner = row.owner_mut();
        owner.come_home(source, login);
        if suspicious {
            let suspect = Suspect {
                client: source,
                time: login.time,
                tries,
                names,
                flood: false,
                fast,
                new_place,
                dormant,
                attackers,
                most_per_hour_before: owner.sent.most,
                messages: 0,
                volume: Volume::default(),
                recipients: 0,
                recipients_per_hour: Volume::default(),
                bounced: 0,
                listed: Vec::new(),
                proof: None,
            };
            owner.suspect(suspect);
            if let Some(kept) = keep_proof(&mut self.proofs, proof(login.line))
                && let Some(last) = self.account(name, b"", login.time).owner_mut().suspects.last_mut()
            {
                last.proof = Some(kept);
            }
        }
    }

    /// Somebody logged in to a mailbox (IMAP, POP3): no login of Postfix's, but whoever can is no stranger, and the account is in use.
    pub fn mailbox_read(&mut self, time: i64, client: IpAddr, account: Option<&[u8]>) {
        if let Some(account) = account {
            let name = self.name(account);
            self.account(name, account, time).is_read = true;
        }
        let source = Source::of(client);
        if self.readers.len() >= self.bounds.sources && !self.readers.contains_key(&source) {
            self.forget_readers();
        }
        self.readers.insert(source, time);
    }

    /// A message was accepted without a login: mail comes in from there.
    pub fn came_in(&mut self, client: IpAddr, count: u32) {
        self.inbound.add(Source::of(client), count, self.bounds.sources);
    }

    /// A message was accepted from a login; its fate comes later.
    pub fn accepted(&mut self, time: i64, client: Option<IpAddr>, account: &[u8]) {
        let Some(source) = client.map(Source::of) else { return };
        let mut crowded = false;
        if let Some(row) = self.clients.get_mut(&source) {
            row.messages = row.messages.saturating_add(1);
            crowded = insiders::is_crowded(&self.settings, source, row);
        }
        let name = self.name(account);
        let Some(row) = self.accounts.get_mut(&name) else { return };
        let known = crowded && row.is_known(time);
        let owner = row.owner_mut();
        match owner.suspects.iter_mut().rev().find(|s| s.covers(source, time)) {
            Some(suspect) => {
                suspect.messages = suspect.messages.saturating_add(1);
                suspect.volume.add(time, 1);
                if suspect.flood {
                    owner.sent.add(time, 1);
                }
            }
            None => {
                owner.sent.add(time, 1);
                if known {
                    owner.flood_through(source, 2 * self.settings.thresholds.takeover_burst);
                }
            }
        }
    }

    /// Whether the fate of a message of this account would be of use to [`Detector::mailed`].
    #[must_use]
    pub fn wants_mail_of(&mut self, account: &[u8]) -> bool {
        let name = self.name(account);
        self.accounts.get(&name).is_some_and(|row| !row.suspects().is_empty())
    }

    /// A message of a login, with its fate.
    pub fn mailed(&mut self, mail: &Mailed<'_>) {
        let (Some(source), name) = (mail.client.map(Source::of), self.name(mail.account)) else { return };
        let Some(row) = self.accounts.get_mut(&name).filter(|row| !row.suspects().is_empty()) else { return };
        let Some(suspect) = row.owner_mut().suspects.iter_mut().rev().find(|s| s.covers(source, mail.time)) else {
            return;
        };
        suspect.recipients = suspect.recipients.saturating_add(mail.recipients);
        suspect.recipients_per_hour.add(mail.time, mail.recipients);
        suspect.bounced = suspect.bounced.saturating_add(mail.bounced);
        if suspect.listed.len() < MESSAGES {
            let Mailed { time, queue_id, recipients, sent, bounced, .. } = *mail;
            suspect.listed.push(SentThen { time, queue_id: queue_id.into(), recipients, sent, bounced });
        }
    }

    /// Mail was refused for want of a login, or in spite of one.
    pub fn turned_away(&mut self, away: &TurnedAway<'_>, proof: impl Fn(u64) -> Option<Proof>) {
        self.tick(away.time);
        let Some(ip) = away.client else { return };
        let source = Source::of(ip);
        let name = away.account.map(|account| self.name(account));
        let sender = away.sender.filter(|_| away.relay && !away.logged_in && away.port_25);
        let sender = sender.map(|sender| (self.name(sender), sender));
        let row = self.client(ip, source, away.time);
        if let Some((name, sender)) = sender {
            let relaying = &mut row.rare_mut().relaying;
            let relaying = relaying.get_or_insert_with(|| Relaying::of(name, variants::domain(sender), away.time));
            relaying.refuse(name, away.time, away.count);
            let proofs = row.proofs.len();
            if PROOF_AT.get(proofs).is_some_and(|least| row.relays() >= *least)
                && let Some(kept) = keep_proof(&mut self.proofs, proof(away.line))
            {
                self.client(ip, source, away.time).proofs.push(kept);
            }
            return;
        }
        let counter = match (away.relay, away.logged_in) {
            (true, true) => &mut row.rare_mut().relay_denied,
            (false, false) => &mut row.rare_mut().not_logged_in,
            _ => return,
        };
        *counter = counter.saturating_add(away.count);
        let wants = row.proofs.len() < PROOFS_PER_ROW;
        if wants && let Some(kept) = keep_proof(&mut self.proofs, proof(away.line)) {
            self.client(ip, source, away.time).proofs.push(kept);
        }
        if let (Some(name), Some(account)) = (name, away.account) {
            self.account(name, account, away.time);
            if let Some(row) = self.clients.get_mut(&source)
                && row.ok_names.len() < PER_ROW
                && !row.ok_names.contains(&name)
            {
                row.ok_names.push(name);
            }
        }
    }

    /// Something about the server changed: it may explain what begins then.
    pub fn changed(&mut self, time: i64, change: Change) {
        self.seams.changed(time, change);
    }

    /// Lines are missing from the log.
    pub fn lines_lost(&mut self, time: i64, count: u64) {
        self.seams.lost(time, count);
    }

    /// A line holds credentials.
    pub fn secret(&mut self, time: i64, line: u64, proof: impl Fn(u64) -> Option<Proof>) {
        let proofs = &mut self.proofs;
        self.secrets.add(time, || keep_proof(proofs, proof(line)));
    }

    fn tick(&mut self, time: i64) {
        if self.first == 0 {
            self.first = time;
        }
        self.last = self.last.max(time);
    }
}

/// What a failure says about its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// What it sent as credentials was refused.
    Credentials,
    /// It tried too often to be answered.
    HeldOff,
    /// The answer was lost, and the log does not tell why.
    Lost,
    /// Its mechanism is not offered.
    Mechanism,
    /// Refused before the backend was asked.
    Silent,
    /// The backend's fault.
    Fault,
    /// None of these.
    Other,
}

impl What {
    fn of(failed: &Failed<'_>) -> Self {
        match (failed.class, failed.cause) {
            _ if failed.killed => Self::Fault,
            (Some(Class::BackendFault), "backend.penalty") | (Some(Class::RateLimited), "limit.auth_rate") => {
                Self::HeldOff
            }
            (Some(Class::BackendFault), cause_ids::LOST | cause_ids::OVERLOAD) => Self::Lost,
            (Some(Class::BackendFault), _) => Self::Fault,
            (Some(Class::AuthFailed), "client.mechanism_unsupported") => Self::Mechanism,
            (Some(Class::AuthFailed), _) => Self::Credentials,
            (Some(Class::AuthRefused), _) => Self::Silent,
            _ => Self::Other,
        }
    }
}

/// Puts a line among the proofs, if there is room for it. Output: its place.
fn keep_proof(proofs: &mut Vec<Proof>, proof: Option<Proof>) -> Option<u32> {
    let proof = proof.filter(|_| proofs.len() < PROOFS)?;
    let at = u32::try_from(proofs.len()).ok()?;
    proofs.push(proof);
    Some(at)
}
