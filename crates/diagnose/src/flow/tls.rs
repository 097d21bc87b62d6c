//! How much of the mail came and went over TLS.
//!
//! Input: the TLS lines of `smtpd` and `smtp`, and the lines of messages that follow them in the same process. Output: messages in and
//! deliveries out by TLS version. Postfix tells of TLS only with `smtpd_tls_loglevel = 1` and `smtp_tls_loglevel = 1`; without,
//! nothing is known, and [`TlsShare::told`] is false.

use std::collections::BTreeMap;

use maillog::{Client, Record, TlsEstablished};
use trace::Map;

/// Processes remembered at most; beyond, all are forgotten and the next messages of each count as [`TlsShare::unknown`].
const PROCESSES: usize = 20_000;
/// Versions told apart at most.
const VERSIONS: usize = 16;

/// One direction.
#[derive(Clone, Debug, Default)]
pub struct TlsShare {
    /// Messages or deliveries by version (`TLSv1.3`).
    pub by_version: BTreeMap<Box<[u8]>, u64>,
    /// Those in the clear, over a network.
    pub clear: u64,
    /// Those that never left this host: over its loopback address, or a socket of its own.
    pub local: u64,
    /// Those of which nothing is known: connections that began before the log.
    pub unknown: u64,
    /// Handshakes that went well, by version.
    pub handshakes: BTreeMap<Box<[u8]>, u64>,
    /// What each process has open.
    open: Map<u64, Connection>,
}

/// A connection of a process.
#[derive(Clone, Debug)]
struct Connection {
    /// To whom, hashed.
    peer: u64,
    /// The TLS version, if TLS is on.
    version: Option<Box<[u8]>>,
}

impl TlsShare {
    /// Whether the log tells of TLS at all.
    #[must_use]
    pub fn told(&self) -> bool {
        !self.handshakes.is_empty()
    }

    /// A connection begins, in the clear so far.
    pub(crate) fn connected(&mut self, record: &Record<'_>, peer: &Client<'_>) {
        self.note(record, peer, None);
    }

    /// TLS is on.
    pub(crate) fn established(&mut self, record: &Record<'_>, tls: &TlsEstablished<'_>) {
        let version = known_version(&self.handshakes, tls.version);
        *self.handshakes.entry(version.into()).or_default() += u64::from(record.repeat);
        self.note(record, &tls.peer, Some(version.into()));
    }

    /// A message came from `peer`. A connection that began before the log, or is not known any more, may have had TLS.
    pub(crate) fn came(&mut self, record: &Record<'_>, peer: &Client<'_>) {
        if peer.is_local() {
            self.local += 1;
            return;
        }
        match self.open.get(&self.process(record)).filter(|open| open.peer == self.hash(peer)) {
            Some(Connection { version: Some(version), .. }) => {
                *self.by_version.entry(version.clone()).or_default() += 1
            }
            Some(_) => self.clear += 1,
            None => self.unknown += 1,
        }
    }

    /// A message went to `peer`. Of a client's connections only TLS is logged: where it is not, there was none.
    pub(crate) fn went(&mut self, record: &Record<'_>, peer: &Client<'_>) {
        let count = u64::from(record.repeat);
        // A socket has a path where a server has its address: `mx[private/dovecot-lmtp]`.
        if peer.is_local() || peer.ip().is_none() {
            self.local += count;
            return;
        }
        match self.open.get(&self.process(record)).filter(|open| open.peer == self.hash(peer)) {
            Some(Connection { version: Some(version), .. }) => {
                *self.by_version.entry(version.clone()).or_default() += count
            }
            _ => self.clear += count,
        }
    }

    fn note(&mut self, record: &Record<'_>, peer: &Client<'_>, version: Option<Box<[u8]>>) {
        if self.open.len() >= PROCESSES {
            self.open.clear();
        }
        let (process, peer) = (self.process(record), self.hash(peer));
        self.open.insert(process, Connection { peer, version });
    }

    fn process(&self, record: &Record<'_>) -> u64 {
        use std::hash::BuildHasher as _;
        self.open.hasher().hash_one((record.host, record.tag.0, record.pid))
    }

    fn hash(&self, peer: &Client<'_>) -> u64 {
        use std::hash::BuildHasher as _;
        self.open.hasher().hash_one((peer.address, peer.port))
    }
}

/// The version, or `other` where there are suspiciously many.
fn known_version<'v>(known: &BTreeMap<Box<[u8]>, u64>, version: &'v [u8]) -> &'v [u8] {
    if known.len() < VERSIONS || known.contains_key(version) { version } else { b"other" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maillog::Event;

    /// Feeds lines of one direction and gives by version, clear, unknown.
    fn play(lines: &[&str]) -> (Vec<(String, u64)>, u64, u64) {
        let mut share = TlsShare::default();
        for line in lines {
            let record = maillog::record(line.as_bytes()).unwrap();
            match maillog::event(&record).unwrap() {
                Event::Connect(client) => share.connected(&record, &client),
                Event::TlsEstablished(tls) => share.established(&record, &tls),
                Event::Accepted(accepted) => share.came(&record, &accepted.client),
                Event::Delivery(delivery) => share.went(&record, &delivery.relay_host().unwrap()),
                other => panic!("{other:?}"),
            }
        }
        let versions = share.by_version.iter().map(|(v, n)| (String::from_utf8_lossy(v).into_owned(), *n)).collect();
        (versions, share.clear, share.unknown)
    }

    #[test]
    fn in_by_session() {
        let found = play(&[
            "Jun 17 10:00:00 m postfix/smtpd[1]: AAAAA0: client=h[192.0.2.1]",
            "Jun 17 10:00:00 m postfix/smtpd[1]: connect from h[192.0.2.1]",
            "Jun 17 10:00:00 m postfix/smtpd[1]: Anonymous TLS connection established from h[192.0.2.1]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
            "Jun 17 10:00:00 m postfix/smtpd[2]: connect from h[192.0.2.1]",
            "Jun 17 10:00:00 m postfix/smtpd[1]: AAAAA1: client=h[192.0.2.1]",
            "Jun 17 10:00:00 m postfix/smtpd[2]: AAAAA2: client=h[192.0.2.1]",
            "Jun 17 10:00:00 m postfix/smtpd[1]: connect from h[192.0.2.2]",
            "Jun 17 10:00:00 m postfix/smtpd[1]: AAAAA3: client=h[192.0.2.2]",
        ]);
        assert_eq!(found, (vec![("TLSv1.3".into(), 1)], 2, 1));
    }

    #[test]
    fn what_stays_on_the_host_is_not_in_the_clear() {
        let mut share = TlsShare::default();
        for relay in [
            "mx[private/dovecot-lmtp]",
            "mx[/run/lmtp]",
            "127.0.0.1[127.0.0.1]:24",
            "localhost[::1]:24",
            "mx[192.0.2.1]:25",
        ] {
            let line = format!(
                "Jun 17 10:00:00 m postfix/lmtp[1]: AAAAA1: to=<u@x>, relay={relay}, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (ok)"
            );
            let record = maillog::record(line.as_bytes()).unwrap();
            let Some(Event::Delivery(delivery)) = maillog::event(&record) else { panic!("{line}") };
            share.went(&record, &delivery.relay_host().unwrap());
        }
        assert_eq!((share.local, share.clear), (4, 1));
    }

    #[test]
    fn out_by_connection() {
        let sent = |pid: u32, host: &str| {
            format!(
                "Jun 17 10:00:00 m postfix/smtp[{pid}]: AAAAA1: to=<u@x>, relay={host}[192.0.2.1]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (ok)"
            )
        };
        let (mine, others) = (sent(1, "h"), sent(2, "h"));
        let found = play(&[
            "Jun 17 10:00:00 m postfix/smtp[1]: Trusted TLS connection established to h[192.0.2.1]:25: TLSv1.2 with cipher ECDHE (256/256 bits)",
            &mine,
            &mine,
            &others,
        ]);
        assert_eq!(found, (vec![("TLSv1.2".into(), 2)], 1, 0));
    }
}
