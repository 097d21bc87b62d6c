//! One SMTP server session, from `connect` to `disconnect`, whose numbers always agree with its lines.
//!
//! Input: what the client does. Output: the lines `smtpd` writes about it, in the wording of the host's release, and the ledger's
//! entries. Wording: log grammar, parts 2.1 to 2.10 and 3 (Postfix `src/smtpd/smtpd.c`, `smtpd_sasl_glue.c`, `smtpd_check.c`).

use std::fmt::{self, Write as _};
use std::rc::Rc;

use crate::log::SECOND;
use crate::truth::Failure;
use crate::world::{Backend, Client, Daemon, Process, QueueId, Service, Window, World};

/// The commands that `disconnect` counts, in its order.
#[derive(Clone, Copy)]
pub(crate) enum Command {
    Helo,
    Ehlo,
    Starttls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Quit,
}

const COMMANDS: [&str; 8] = ["helo", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "quit"];

/// Why a backend refuses a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// Wrong password of an account that exists, or no such account.
    Credentials { known: bool },
    /// A challenge-response mechanism, and only a hash in the store.
    Scheme,
    /// An OAuth token that is no longer good.
    Token,
    /// The backend does not offer the mechanism.
    Mechanism,
    /// What the client sent is no base64.
    Base64,
    /// No answer in time.
    Lost,
}

/// An SMTP session in progress.
pub(crate) struct Session {
    pub(crate) host: usize,
    pub(crate) service: Service,
    pub(crate) client: Rc<Client>,
    process: Process,
    who: String,
    counts: [(u32, u32); COMMANDS.len()],
    /// AUTH commands that have a line of their own, or were given up.
    accounted: u32,
    silent_cause: Option<&'static str>,
    /// Mechanism and user, once logged in, and whether a `client=` line has said so.
    login: Option<(&'static str, Rc<str>, bool)>,
    encrypted: bool,
}

impl Session {
    /// The client connects.
    pub(crate) fn open(world: &mut World, host: usize, service: Service, client: &Rc<Client>) -> Box<Self> {
        let process = world.take_process(host, service);
        let port_logging = world.host(host).port_logging && client.ip.is_some();
        let who = if port_logging {
            format!("{}:{}", client.text, world.rng.range(1025, 65_535))
        } else {
            client.text.clone()
        };
        let session = Box::new(Self {
            host,
            service,
            client: Rc::clone(client),
            process,
            who,
            counts: Default::default(),
            accounted: 0,
            silent_cause: None,
            login: None,
            encrypted: false,
        });
        if let Some(ip) = client.ip.as_deref().filter(|_| client.text.starts_with("unknown"))
            && world.rng.chance(300)
        {
            let name = format!("static.{}.provider.example", world.rng.below(100_000));
            let why = if world.rng.chance(700) { ": Name or service not known" } else { "" };
            session.say(world, format_args!("warning: hostname {name} does not resolve to address {ip}{why}"));
        }
        session.say(world, format_args!("connect from {}", session.who));
        session
    }

    fn say(&self, world: &mut World, message: fmt::Arguments<'_>) {
        world.log.line(world.now, self.host, self.service.tag(), self.process.pid, message);
    }

    fn ip(&self) -> Option<&str> {
        self.client.ip.as_deref()
    }

    /// Counts a command, successful or not.
    pub(crate) fn count(&mut self, command: Command, ok: bool) {
        if let Some((done, tried)) = self.counts.get_mut(command as usize) {
            *done += u32::from(ok);
            *tried += 1;
        }
    }

    /// TLS, by STARTTLS or from the first byte.
    pub(crate) fn encrypt(&mut self, world: &mut World) {
        if !self.service.wrapped() {
            self.count(Command::Starttls, true);
        }
        self.encrypted = true;
        let who = &self.who;
        let modern = world.rng.chance(850);
        world.ledger.books().tls_in(if modern { "TLSv1.3" } else { "TLSv1.2" });
        if modern {
            self.say(world, format_args!(
                "Anonymous TLS connection established from {who}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) \
                 key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256"));
        } else {
            self.say(world, format_args!(
                "Anonymous TLS connection established from {who}: TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)"));
        }
    }

    /// TLS that does not come about; the client leaves.
    pub(crate) fn handshake_fails(mut self, world: &mut World) {
        let who = &self.who;
        if world.rng.chance(500) {
            self.say(world, format_args!("SSL_accept error from {who}: lost connection"));
        } else {
            self.say(world, format_args!("SSL_accept error from {who}: -1"));
            let text = match world.rng.below(3) {
                0 => "error:0A00010B:SSL routines::wrong version number:../ssl/record/ssl3_record.c:350:",
                1 => "error:0A000102:SSL routines::unsupported protocol:../ssl/statem/statem_srvr.c:1657:",
                _ => "error:0A0000C1:SSL routines::no shared cipher:../ssl/statem/statem_srvr.c:2220:",
            };
            self.say(world, format_args!("warning: TLS library problem: {text}"));
        }
        world.ledger.class("tls_failed", 1);
        if self.service.wrapped() {
            return self.lose(world, "CONNECT");
        }
        self.count(Command::Starttls, false);
        self.lose(world, "STARTTLS");
    }

    /// The moment this session first needs the backend. If the backend is away and this process has no old connection to it,
    /// the process dies, and the session with it: then `None`.
    pub(crate) fn reach_backend(mut self: Box<Self>, world: &mut World) -> Option<Box<Self>> {
        if self.service == Service::Smtps {
            // This service asks Cyrus, which is never away.
            return Some(self);
        }
        if self.process.holds_backend || !self.backend_away(world) {
            self.process.holds_backend = true;
            return Some(self);
        }
        self.connect_warning(world, world.host(self.host).backend);
        self.say(world, format_args!("fatal: no SASL authentication mechanisms"));
        world.ledger.evidence();
        world.ledger.killed(self.ip());
        let pid = self.process.pid;
        world.say(
            self.host,
            Daemon::Master,
            format_args!("warning: process /usr/lib/postfix/sbin/smtpd pid {pid} exit status 1"),
        );
        if world.rng.chance(600) {
            world.say(
                self.host,
                Daemon::Master,
                format_args!("warning: /usr/lib/postfix/sbin/smtpd: bad command startup -- throttling"),
            );
        }
        None
    }

    fn backend_away(&self, world: &World) -> bool {
        matches!(world.host(self.host).backend, Backend::Missing | Backend::Refused)
    }

    /// `SASL: Connect to …`, which names no client; returns the cause it gives.
    fn connect_warning(&self, world: &mut World, trouble: Backend) -> &'static str {
        let (error, cause) = match trouble {
            Backend::Refused => ("Connection refused", "backend.refused"),
            _ => ("No such file or directory", "backend.socket_missing"),
        };
        let socket = if world.host(self.host).window == Window::A {
            "private/auth"
        } else {
            "Dovecot auth socket 'private/auth'"
        };
        self.say(world, format_args!("warning: SASL: Connect to {socket} failed: {error}"));
        world.ledger.evidence();
        cause
    }

    /// Whether an AUTH now meets a backend in trouble, instead of what the client deserves.
    pub(crate) fn trouble(&self, world: &World) -> Option<Backend> {
        let backend = world.host(self.host).backend;
        (self.service != Service::Smtps && backend != Backend::Up).then_some(backend)
    }

    /// The backend's own line about a login it will refuse, if this host logs it. Postfix's line follows about 2 s later.
    pub(crate) fn backend_line(&self, world: &mut World, mechanism: &str, user: &str, why: Why) {
        let (true, Some(ip)) = (world.host(self.host).dovecot, self.ip()) else {
            return;
        };
        match why {
            Why::Credentials { known: true } => {
                world.dovecot(self.host, format_args!("auth: passwd-file({user},{ip}): Password mismatch"));
            }
            Why::Credentials { known: false } => {
                world.dovecot(self.host, format_args!("auth: passwd-file({user},{ip}): unknown user"));
            }
            Why::Scheme => world.dovecot(
                self.host,
                format_args!(
                    "auth: passwd-file({user},{ip}): Requested {mechanism} scheme, but we have only SHA512-CRYPT"
                ),
            ),
            Why::Token => world.dovecot(
                self.host,
                format_args!("auth: oauth2({user},{ip}): oauth2 failed: Introspection failed: token is not active"),
            ),
            Why::Mechanism | Why::Base64 | Why::Lost => {}
        }
    }

    /// A login that the backend refused.
    pub(crate) fn auth_failed(&mut self, world: &mut World, mechanism: &str, user: Option<&str>, why: Why) {
        self.count(Command::Auth, false);
        self.accounted += 1;
        let host = world.host(self.host);
        let (window, paired) = (host.window, host.dovecot && self.client.ip.is_some());
        let cyrus = self.service == Service::Smtps;
        if cyrus && mechanism.eq_ignore_ascii_case("PLAIN") && matches!(why, Why::Credentials { .. }) {
            self.say(world, format_args!("warning: SASL authentication failure: Password verification failed"));
            world.ledger.evidence();
        }
        let user = user.filter(|_| window != Window::A && !matches!(why, Why::Mechanism | Why::Base64 | Why::Lost));
        let reason = reason(world, window, cyrus, mechanism, why);
        let cause = match why {
            Why::Lost => None,
            Why::Mechanism => Some("client.mechanism_unsupported"),
            Why::Base64 => Some("client.malformed_base64"),
            Why::Token if paired || (window == Window::A && !cyrus) => Some("cred.token_invalid"),
            Why::Credentials { known: true } if paired => Some("cred.password_mismatch"),
            Why::Credentials { known: false } if paired => Some("cred.unknown_user"),
            Why::Scheme if paired => Some("cred.scheme_unusable"),
            Why::Credentials { .. } | Why::Token | Why::Scheme => Some("cred.undifferentiated"),
        };
        self.failure_line(world, mechanism, &reason, user, why == Why::Lost, cause);
    }

    /// A login by a process whose connection to the backend turns out to be dead.
    pub(crate) fn auth_finds_backend_gone(&mut self, world: &mut World, mechanism: &str, trouble: Backend) {
        self.count(Command::Auth, false);
        self.accounted += 1;
        let cause = self.connect_warning(world, trouble);
        self.process.holds_backend = false;
        let reason = if world.host(self.host).window == Window::A { "" } else { "(reason unavailable)" };
        self.failure_line(world, mechanism, reason, None, true, Some(cause));
    }

    fn failure_line(
        &self,
        world: &mut World,
        mechanism: &str,
        reason: &str,
        username: Option<&str>,
        fault: bool,
        cause: Option<&'static str>,
    ) {
        let who = &self.who;
        // Some syslog relays cut the blank before an empty reason.
        let blank = if reason.is_empty() && world.rng.chance(250) { "" } else { " " };
        if world.host(self.host).window == Window::A {
            self.say(world, format_args!("warning: {who}: SASL {mechanism} authentication failed:{blank}{reason}"));
        } else {
            let shown = username.unwrap_or("(unavailable)");
            self.say(
                world,
                format_args!("warning: {who}: SASL {mechanism} authentication failed: {reason}, sasl_username={shown}"),
            );
        }
        let (client_ip, service) = (self.ip(), self.service.name());
        world.ledger.failure(&Failure { client_ip, service, mechanism, username, fault, cause });
    }

    /// AUTH that the server does not want now: no line, only `auth=0/1` in the end.
    pub(crate) fn auth_refused(&mut self) {
        self.count(Command::Auth, false);
        self.silent_cause = Some(if self.login.is_some() {
            "client.double_auth"
        } else if self.service == Service::Smtp {
            "config.auth_not_enabled"
        } else {
            "tls.auth_before_starttls"
        });
    }

    /// The client cancels its login with `*`.
    pub(crate) fn auth_aborted(&mut self, world: &mut World, mechanism: &str) {
        self.count(Command::Auth, false);
        self.accounted += 1;
        self.say(world, format_args!("warning: {}: SASL {mechanism} authentication aborted", self.who));
        world.ledger.aborted(self.ip());
    }

    /// AUTH beyond the rate that `anvil` allows.
    pub(crate) fn auth_limited(&mut self, world: &mut World, rate: u64) {
        self.count(Command::Auth, false);
        self.accounted += 1;
        self.say(
            world,
            format_args!(
                "warning: AUTH command rate limit exceeded: {rate} from {} for service {}",
                self.who,
                self.service.in_master()
            ),
        );
        world.ledger.class("rate_limited", 1);
        world.ledger.cause("limit.auth_rate", 1);
    }

    /// The client begins a login and is never heard of again; ends the session.
    pub(crate) fn auth_unanswered(mut self, world: &mut World, timeout: bool) {
        self.count(Command::Auth, false);
        self.accounted += 1;
        world.ledger.aborted(self.ip());
        if timeout {
            self.last_words(world, "timeout", "AUTH");
            return self.close(world);
        }
        self.lose(world, "AUTH");
    }

    /// The client says everything at once, its password included.
    pub(crate) fn pipelining(&self, world: &mut World) {
        self.say(
            world,
            format_args!(
                "improper command pipelining after EHLO from {}: AUTH PLAIN AGluZm8AcGFzc3dvcmQ=\\r\\n",
                self.who
            ),
        );
    }

    /// A login that succeeds. Nothing is logged.
    pub(crate) fn auth_ok(&mut self, mechanism: &'static str, user: &Rc<str>) {
        self.count(Command::Auth, true);
        self.accounted += 1;
        self.login = Some((mechanism, Rc::clone(user), false));
    }

    /// A message's first recipient is accepted: it gets its queue id.
    pub(crate) fn accept(&mut self, world: &mut World, recipients: u32) -> QueueId {
        self.count(Command::Mail, true);
        for _ in 0..recipients {
            self.count(Command::Rcpt, true);
        }
        let id = world.queue_id(self.host);
        let who = &self.who;
        match &self.login {
            Some((mechanism, user, named)) => {
                self.say(world, format_args!("{id}: client={who}, sasl_method={mechanism}, sasl_username={user}"));
                world.ledger.accepted(self.ip(), user, !named);
            }
            None => self.say(world, format_args!("{id}: client={who}")),
        }
        if let Some((_, _, named)) = &mut self.login {
            *named = true;
        }
        id
    }

    /// The re-injection of a filtered message, with where it came from.
    pub(crate) fn accept_again(&mut self, world: &mut World, before: &str) -> QueueId {
        self.count(Command::Mail, true);
        self.count(Command::Rcpt, true);
        self.count(Command::Data, true);
        let id = world.queue_id(self.host);
        let who = &self.who;
        if world.host(self.host).window == Window::A {
            self.say(world, format_args!("{id}: client={who}"));
        } else {
            self.say(
                world,
                format_args!("{id}: client={who}, orig_queue_id={before}, orig_client=localhost[127.0.0.1]"),
            );
        }
        id
    }

    /// A recipient that policy refuses. `text` is code, status and words.
    pub(crate) fn reject(
        &mut self,
        world: &mut World,
        kind: &'static str,
        text: fmt::Arguments<'_>,
        from: &str,
        to: &str,
        helo: &str,
    ) {
        self.count(Command::Mail, true);
        self.count(Command::Rcpt, false);
        let who = &self.who;
        let proto = if self.counts.first().is_some_and(|(_, n)| *n > 0) { "SMTP" } else { "ESMTP" };
        let mut tail = String::new();
        if let (Some((mechanism, user, _)), Window::D) = (&self.login, world.host(self.host).window) {
            write!(tail, " sasl_method={mechanism} sasl_username={user}").expect("writing to a string cannot fail");
        }
        self.say(
            world,
            format_args!(
                "NOQUEUE: reject: RCPT from {who}: {text}; from=<{from}> to=<{to}> proto={proto} helo=<{helo}>{tail}"
            ),
        );
        world.ledger.reject(kind);
    }

    /// Who the client is, as this session's lines say it.
    pub(crate) fn who(&self) -> &str {
        &self.who
    }

    /// `lost connection after …` and `timeout after …`: from 3.10 on with the queue id or `NOQUEUE`.
    fn last_words(&self, world: &mut World, what: &str, stage: &str) {
        let prefix = if world.host(self.host).window == Window::D { "NOQUEUE: " } else { "" };
        let who = &self.who;
        let what = if what == "lost" { "lost connection" } else { what };
        self.say(world, format_args!("{prefix}{what} after {stage} from {who}"));
    }

    /// The client leaves without a word. After an AUTH that has no line of its own it counts as given up, whatever the server
    /// had answered: the log cannot tell.
    pub(crate) fn lose(mut self, world: &mut World, stage: &str) {
        if stage == "AUTH" && self.auth_without_line() > 0 {
            self.accounted += 1;
            world.ledger.aborted(self.ip());
        }
        self.last_words(world, "lost", stage);
        self.close(world);
    }

    /// The server has had enough.
    pub(crate) fn too_many_errors(self, world: &mut World) {
        self.last_words(world, "too many errors", "AUTH");
        self.close(world);
    }

    /// The client says QUIT.
    pub(crate) fn quit(mut self, world: &mut World) {
        self.count(Command::Quit, true);
        self.close(world);
    }

    fn auth_without_line(&self) -> u32 {
        let (_, tried) = self.counts.get(Command::Auth as usize).copied().unwrap_or_default();
        tried - self.accounted
    }

    /// The `disconnect` line, and what only its numbers tell.
    fn close(self, world: &mut World) {
        let mut text = String::with_capacity(96);
        let (mut all_ok, mut all) = (0, 0);
        for (name, (ok, tried)) in COMMANDS.iter().zip(self.counts) {
            (all_ok, all) = (all_ok + ok, all + tried);
            if tried > 0 {
                put_count(&mut text, name, ok, tried);
            }
        }
        put_count(&mut text, "commands", all_ok, all);
        let who = &self.who;
        self.say(world, format_args!("disconnect from {who}{text}"));
        let (ok, _) = self.counts.get(Command::Auth as usize).copied().unwrap_or_default();
        if ok > 0 {
            world.ledger.login(self.ip());
        }
        if let (silent @ 1.., Some(cause)) = (self.auth_without_line(), self.silent_cause) {
            world.ledger.refused(self.ip(), self.service.name(), u64::from(silent), cause);
        }
        world.release_process(self.host, self.service, &self.process);
    }
}

fn put_count(text: &mut String, name: &str, ok: u32, tried: u32) {
    let result =
        if ok == tried && tried > 0 { write!(text, " {name}={ok}") } else { write!(text, " {name}={ok}/{tried}") };
    result.expect("writing to a string cannot fail");
}

/// The backend's words in a failure line.
fn reason(world: &mut World, window: Window, cyrus: bool, mechanism: &str, why: Why) -> String {
    match why {
        Why::Lost => return "Connection lost to authentication server".to_owned(),
        Why::Base64 if cyrus => return "bad protocol / cancel".to_owned(),
        Why::Mechanism if cyrus => return "no mechanism available".to_owned(),
        Why::Base64 => return "Invalid base64 data in continued response".to_owned(),
        Why::Mechanism if window == Window::D => {
            return format!("Invalid authentication mechanism: '{mechanism}'");
        }
        Why::Mechanism => return "Invalid authentication mechanism".to_owned(),
        _ if cyrus => return "authentication failure".to_owned(),
        _ if window != Window::A => return "(reason unavailable)".to_owned(),
        _ => {}
    }
    // An old release shows the last challenge it has sent.
    let challenge = match mechanism.to_ascii_uppercase().as_str() {
        "LOGIN" if world.rng.chance(900) => "Password:".to_owned(),
        "LOGIN" => "Username:".to_owned(),
        "CRAM-MD5" => format!("<{}.{}@relay.example.test>", world.rng.next() >> 14, world.now / SECOND),
        "XOAUTH2" => r#"{"status":"invalid_token","schemes":"bearer","scope":"mail"}"#.to_owned(),
        "NTLM" => {
            return format!(
                "TlRMTVNTUAACAAAAAAAAADgAAAAFgooCrI{:011X}AAAAAAAAAAAAAAAAOAAAAA==",
                world.rng.below(1 << 44)
            );
        }
        _ => return String::new(),
    };
    base64(&challenge)
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(text.len() * 4 / 3 + 4);
    for chunk in text.as_bytes().chunks(3) {
        let mut bytes = chunk.iter().copied();
        let (a, b, c) = (bytes.next(), bytes.next(), bytes.next());
        let word = [a, b, c].iter().fold(0u32, |word, byte| word << 8 | u32::from(byte.unwrap_or(0)));
        let digit = |shift: u32| char::from(DIGITS.get((word >> shift & 63) as usize).copied().unwrap_or(b'A'));
        out.push(digit(18));
        out.push(digit(12));
        out.push(if b.is_some() { digit(6) } else { '=' });
        out.push(if c.is_some() { digit(0) } else { '=' });
    }
    out
}
