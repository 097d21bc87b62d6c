//! One try to deliver to one recipient: the lines it writes, and what is left to happen.

use std::fmt;

use super::Message;
use super::letter::{Fate, Letter, Recipient, Route};
use super::wording::{DEFERRALS, Kind, REFUSALS, Wording};
use crate::log::Micros;
use crate::people;
use crate::report::FILTER;
use crate::world::{Daemon, World};

/// The end of a try: everything of a delivery line that comes after the delays.
struct Outcome<'a> {
    relay: &'a str,
    dsn: &'a str,
    status: &'static str,
    text: fmt::Arguments<'a>,
}

/// Who delivers, and where to.
struct Way {
    daemon: Daemon,
    /// `name[addr]:port`, or what the delivery agent calls itself.
    relay: String,
    /// Milliseconds that the slowest tries take.
    slow_ms: u64,
}

impl Message {
    /// One try for the recipient with that number.
    pub(super) fn try_recipient(&mut self, world: &mut World, number: usize) {
        let mut recipients = std::mem::take(&mut self.letter.recipients);
        if let Some(recipient) = recipients.get_mut(number) {
            let way = Way::of(world, self.host, recipient);
            recipient.fate = self.attempt(world, &way, recipient);
        }
        self.letter.recipients = recipients;
    }

    /// The line about a recipient that the content filter has taken.
    pub(super) fn filtered_line(&self, world: &mut World, recipient: &mut Recipient, next: &str) {
        let way = Way { daemon: Daemon::Smtp, relay: FILTER.to_owned(), slow_ms: 400 };
        let text = format_args!("250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {next}");
        self.line(world, &way, recipient, &Outcome { relay: &way.relay, dsn: "2.0.0", status: "sent", text });
    }

    fn attempt(&self, world: &mut World, way: &Way, recipient: &mut Recipient) -> Fate {
        match recipient.fate {
            Fate::Forwarded if matches!(way.daemon, Daemon::Local) => {
                self.forward(world, way, recipient);
                Fate::Done
            }
            Fate::Sent | Fate::Later(0) | Fate::NoLogin(0) | Fate::Forwarded => {
                self.succeed(world, way, recipient);
                Fate::Done
            }
            Fate::Bounced | Fate::LaterBounced(0) if way.remote() => {
                let wording = pick(world, REFUSALS);
                self.refuse(world, way, recipient, wording, "bounced");
                Fate::Failed
            }
            Fate::Bounced | Fate::LaterBounced(0) => {
                self.bounce_here(world, way, recipient);
                Fate::Failed
            }
            Fate::BouncedWithDecoy => {
                world.ledger.decoy();
                let relay = way.relay.as_str();
                let text = format_args!(
                    "host {} said: 554 5.7.1 forwarding failed, next host said: 535 5.7.8 Error: authentication failed: \
                     UGFzc3dvcmQ6 (in reply to end of DATA command)",
                    way.host()
                );
                self.line(world, way, recipient, &Outcome { relay, dsn: "5.7.1", status: "bounced", text });
                Fate::Failed
            }
            Fate::NoLogin(left) => {
                self.fail_login(world, way, recipient);
                Fate::NoLogin(left - 1)
            }
            fate => {
                self.put_off(world, way, recipient);
                match fate {
                    Fate::Later(left) => Fate::Later(left - 1),
                    Fate::LaterBounced(left) => Fate::LaterBounced(left - 1),
                    fate => fate,
                }
            }
        }
    }

    fn succeed(&self, world: &mut World, way: &Way, recipient: &mut Recipient) {
        let (relay, to) = (way.relay.as_str(), recipient.address.clone());
        let number = world.rng.below(1 << 40);
        let mut say = |world: &mut World, text: fmt::Arguments<'_>| {
            self.line(world, way, recipient, &Outcome { relay, dsn: "2.0.0", status: "sent", text });
        };
        match way.daemon {
            Daemon::Smtp => {
                self.encrypt(world, way);
                say(world, format_args!("250 2.0.0 Ok: queued as {number:X}"));
            }
            Daemon::Lmtp => {
                let user = to.as_str();
                let pid = world.rng.range(2_000, 60_000);
                world.dovecot(
                    self.host,
                    format_args!("lmtp({user})<{pid}><{number:x}+mZg>: msgid={}: saved mail to INBOX", self.message_id),
                );
                say(world, format_args!("250 2.0.0 <{to}> {number:x}+mZg Saved"));
            }
            Daemon::Virtual => say(world, format_args!("delivered to maildir")),
            Daemon::Pipe => say(world, format_args!("delivered via dovecot service")),
            Daemon::Discard => say(world, format_args!("mail for that domain is thrown away")),
            _ => say(world, format_args!("delivered to mailbox")),
        }
    }

    /// The TLS line of a connection to another server.
    fn encrypt(&self, world: &mut World, way: &Way) {
        if !world.rng.chance(350) {
            return;
        }
        let trust = world.rng.pick(&["Untrusted", "Untrusted", "Trusted", "Verified", "Anonymous"]);
        let (version, cipher) = match world.rng.below(20) {
            0 => ("TLSv1.1", "ECDHE-RSA-AES256-SHA"),
            1..=4 => ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"),
            _ => ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        };
        let relay = way.relay.as_str();
        world.ledger.books().tls_out(version);
        world.say(
            self.host,
            way.daemon,
            format_args!(
                "{trust} TLS connection established to {relay}: {version} with cipher {cipher} (256/256 bits)"
            ),
        );
    }

    /// A local alias: another message goes on, and this one is done.
    fn forward(&self, world: &mut World, way: &Way, recipient: &mut Recipient) {
        let id = world.queue_id(self.host);
        let letter = Letter::forwarded(world, &self.letter.sender, self.letter.size, &recipient.address);
        world.ledger.books().forwarded();
        let copy = Self::new(world, self.host, id.clone(), letter, self.message_id.clone());
        Self { copy: true, ..copy }.begin_written(world);
        let text = format_args!("forwarded as {id}");
        self.line(world, way, recipient, &Outcome { relay: &way.relay, dsn: "2.0.0", status: "sent", text });
    }

    /// One of our own delivery agents says no.
    fn bounce_here(&self, world: &mut World, way: &Way, recipient: &mut Recipient) {
        let full = world.rng.chance(500);
        let to = recipient.address.clone();
        let mut say = |world: &mut World, dsn: &str, text: fmt::Arguments<'_>| {
            self.line(world, way, recipient, &Outcome { relay: &way.relay, dsn, status: "bounced", text });
        };
        match way.daemon {
            Daemon::Lmtp if full => say(
                world,
                "5.2.2",
                format_args!(
                    "host {} said: 552 5.2.2 <{to}> Quota exceeded (mailbox for user is full) (in reply to end of DATA command)",
                    way.relay
                ),
            ),
            Daemon::Lmtp => say(
                world,
                "5.1.1",
                format_args!(
                    "host {} said: 550 5.1.1 <{to}> User doesn't exist: {to} (in reply to RCPT TO command)",
                    way.relay
                ),
            ),
            _ if full => say(
                world,
                "5.2.2",
                format_args!("can't create user output file. Quota exceeded (mailbox for user is full)"),
            ),
            Daemon::Pipe => say(world, "5.1.1", format_args!("user unknown")),
            _ => say(world, "5.1.1", format_args!("unknown user: \"{to}\"")),
        }
    }

    fn fail_login(&self, world: &mut World, way: &Way, recipient: &mut Recipient) {
        world.ledger.decoy();
        world.ledger.class("relayhost_auth_failed", 1);
        let text = format_args!(
            "SASL authentication failed; server {} said: 535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6",
            way.host()
        );
        self.line(world, way, recipient, &Outcome { relay: &way.relay, dsn: "4.7.8", status: "deferred", text });
    }

    fn put_off(&self, world: &mut World, way: &Way, recipient: &mut Recipient) {
        if way.remote() {
            let wording = pick(world, DEFERRALS);
            return self.refuse(world, way, recipient, wording, "deferred");
        }
        let text = format_args!("temporary failure. Command output: lock failed");
        self.line(world, way, recipient, &Outcome { relay: &way.relay, dsn: "4.2.0", status: "deferred", text });
    }

    fn refuse(&self, world: &mut World, way: &Way, recipient: &mut Recipient, wording: &Wording, status: &'static str) {
        let Wording { dsn, kind, .. } = *wording;
        let (host, relay) = (way.host(), way.relay.as_str());
        let who = if kind == Kind::Own { host } else { recipient.address.as_str() };
        let words = wording.text.replace("{}", who);
        let mut say = |world: &mut World, relay: &str, text: fmt::Arguments<'_>| {
            self.line(world, way, recipient, &Outcome { relay, dsn, status, text });
        };
        match kind {
            Kind::Said(command) => {
                say(world, relay, format_args!("host {host} said: {words} (in reply to {command} command)"));
            }
            Kind::Connect => {
                world.say(self.host, way.daemon, format_args!("connect to {relay}: {words}"));
                say(world, "none", format_args!("connect to {relay}: {words}"));
            }
            Kind::Own => say(world, relay, format_args!("{words}")),
            Kind::NoRelay => say(world, "none", format_args!("{words}")),
        }
    }

    /// The delivery line, and its place in the books.
    fn line(&self, world: &mut World, way: &Way, recipient: &mut Recipient, outcome: &Outcome<'_>) {
        let Outcome { relay, dsn, status, text } = outcome;
        let delays = Delays::of(world, self.arrived, way.slow_ms);
        recipient.last = Some(status);
        world.ledger.delivery(status, &recipient.address, relay, delays.shown());
        let (id, to) = (&self.id, &recipient.address);
        let orig_to = recipient.orig_to.as_ref().map(|alias| format!(", orig_to=<{alias}>")).unwrap_or_default();
        world.say(
            self.host,
            way.daemon,
            format_args!("{id}: to=<{to}>{orig_to}, relay={relay}, {delays}, dsn={dsn}, status={status} ({text})"),
        );
    }
}

fn pick(world: &mut World, wordings: &'static [Wording]) -> &'static Wording {
    let number = world.rng.below(wordings.len() as u64) as usize;
    wordings.get(number).expect("a list to pick from is never empty")
}

impl Way {
    fn of(world: &mut World, host: usize, recipient: &Recipient) -> Self {
        match &recipient.route {
            Route::Local => Self::to_mailbox(world, host),
            Route::Discard => Self { daemon: Daemon::Discard, relay: "none".to_owned(), slow_ms: 10 },
            Route::Relayhost => Self {
                daemon: Daemon::Smtp,
                relay: "smarthost.provider.example[198.18.250.25]:587".to_owned(),
                slow_ms: 900,
            },
            // Some domains are always quick, some always slow.
            Route::Remote(server) => {
                let slow_ms = 300 * (1 + people::number_of(recipient.domain()) % 24);
                Self { daemon: Daemon::Smtp, relay: format!("{server}:25"), slow_ms }
            }
        }
    }

    /// How a host delivers to its own mailboxes.
    fn to_mailbox(world: &mut World, host: usize) -> Self {
        let h = world.host(host);
        let way = |daemon, relay: &str| Self { daemon, relay: relay.to_owned(), slow_ms: 60 };
        if h.dovecot {
            return way(Daemon::Lmtp, &format!("{}.example.test[private/dovecot-lmtp]", h.name));
        }
        if h.long_ids {
            return way(Daemon::Virtual, "virtual");
        }
        if world.rng.chance(300) { way(Daemon::Pipe, "dovecot") } else { way(Daemon::Local, "local") }
    }

    fn remote(&self) -> bool {
        matches!(self.daemon, Daemon::Smtp)
    }

    /// The relay without its port.
    fn host(&self) -> &str {
        if self.remote() { self.relay.rsplit_once(':').map_or(&self.relay, |(host, _)| host) } else { &self.relay }
    }
}

/// `delay=` and `delays=`, in hundredths of a second.
struct Delays {
    parts: [u64; 4],
}

impl Delays {
    fn of(world: &mut World, arrived: Micros, slow_ms: u64) -> Self {
        let total = (world.now - arrived) / 10_000;
        let (setup, sending) = (world.rng.skewed(0, slow_ms / 20), world.rng.skewed(1, slow_ms / 10 + 2));
        let received = world.rng.range(3, 40).min(total);
        let queued = total.saturating_sub(received + setup + sending);
        Self { parts: [received, queued, setup, sending] }
    }

    fn total(&self) -> u64 {
        self.parts.iter().sum()
    }

    /// `delay=` as the line shows it, in hundredths of a second.
    fn shown(&self) -> u64 {
        match self.total() {
            n @ 0..=99 => n,
            n @ 100..=999 => n / 10 * 10,
            n => n / 100 * 100,
        }
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.parts;
        f.write_str("delay=")?;
        hundredths(f, self.total())?;
        for (before, part) in [(", delays=", a), ("/", b), ("/", c), ("/", d)] {
            f.write_str(before)?;
            hundredths(f, part)?;
        }
        Ok(())
    }
}

/// Two digits are significant.
fn hundredths(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    match n {
        0 => f.write_str("0"),
        1..=99 if n.is_multiple_of(10) => write!(f, "0.{}", n / 10),
        1..=99 => write!(f, "0.{n:02}"),
        100..=999 if n % 100 < 10 => write!(f, "{}", n / 100),
        100..=999 => write!(f, "{}.{}", n / 100, n % 100 / 10),
        _ => write!(f, "{}", n / 100),
    }
}
