//! One SMTP session of a client, line by line.
//!
//! Every AUTH command goes through [`Session::attempt`], which writes down the answer and compares it with what
//! the scenario arranged.

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use jiff::Timestamp;

use crate::client::Client;
use crate::login::{Expected, Login};
use crate::service::Service;
use crate::tls::{self, Trust};
use crate::truth::{Attempt, Fate, Happening, Message, Outcome};

/// Numbers the messages, for their Message-ID.
static MESSAGES: AtomicU32 = AtomicU32::new(1);
const REPLY_BYTES_MAX: usize = 64 * 1024;

/// An SMTP reply of one or several lines.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The three digits.
    pub(crate) code: u16,
    /// All lines, without the code.
    pub(crate) text: String,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.code, self.text)
    }
}

/// An answer for people: the reply, or that there was none.
fn spoken(reply: Option<&Reply>) -> String {
    reply.map_or_else(|| "nothing".to_owned(), Reply::to_string)
}

/// What the sender of a message knows about it afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    /// As in the header, with its brackets.
    pub(crate) message_id: String,
    queue_id: Option<String>,
}

impl Receipt {
    /// The queue id that the reply named.
    pub(crate) fn queue_id(&self) -> Result<&str> {
        self.queue_id.as_deref().ok_or_else(|| anyhow!("the reply named no queue id"))
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<tls::Stream>),
    /// Taken out while a handshake goes on, or after one that failed.
    Gone,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
            Stream::Gone => Ok(0),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(buffer),
            Stream::Tls(stream) => stream.write(buffer),
            Stream::Gone => Ok(buffer.len()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
            Stream::Gone => Ok(()),
        }
    }
}

/// One SMTP session.
pub(crate) struct Session {
    stream: Stream,
    client: Client,
    service: Service,
    user: Option<String>,
    /// Parameters of RCPT commands.
    rcpt_options: &'static str,
}

impl Session {
    /// A session on a fresh connection.
    pub(crate) fn new(stream: TcpStream, client: Client, service: Service) -> Session {
        Session { stream: Stream::Plain(stream), client, service, user: None, rcpt_options: "" }
    }

    /// Reads the server's greeting and says EHLO.
    pub(crate) fn greet(&mut self) -> Result<()> {
        self.expect_greeting()?;
        self.ehlo()
    }

    /// Reads the server's greeting.
    pub(crate) fn expect_greeting(&mut self) -> Result<()> {
        let greeting = self.reply()?.ok_or_else(|| anyhow!("the server hung up before its greeting"))?;
        ensure!(greeting.code == 220, "greeting {greeting}");
        Ok(())
    }

    /// Says EHLO.
    pub(crate) fn ehlo(&mut self) -> Result<()> {
        let line = [b"EHLO ", self.client.helo.as_slice()].concat();
        self.command(line, 250)
    }

    /// Goes over to TLS by STARTTLS, and says EHLO again.
    pub(crate) fn start_tls(&mut self, trust: Trust) -> Result<()> {
        self.command("STARTTLS", 220)?;
        self.tls(trust)?;
        self.ehlo()
    }

    /// Waits no longer than that for each answer.
    pub(crate) fn patience(&self, at_most: Duration) -> Result<()> {
        if let Stream::Plain(stream) = &self.stream {
            stream.set_read_timeout(Some(at_most))?;
        }
        Ok(())
    }

    /// Shakes hands. An error is the client's own verdict, or the server's alert.
    pub(crate) fn tls(&mut self, trust: Trust) -> Result<()> {
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            bail!("this connection is not in clear");
        };
        let stream = tls::handshake(stream, trust).context("TLS handshake")?;
        self.stream = Stream::Tls(Box::new(stream));
        Ok(())
    }

    /// Sends a command and insists on the code of its reply.
    pub(crate) fn command(&mut self, line: impl AsRef<[u8]>, code: u16) -> Result<()> {
        let reply = self.ask(line.as_ref())?;
        ensure!(
            reply.as_ref().is_some_and(|reply| reply.code == code),
            "{:?}: expected {code}, got {}",
            String::from_utf8_lossy(line.as_ref()),
            spoken(reply.as_ref())
        );
        Ok(())
    }

    /// Sends a line and reads the reply; `None` if the server hung up.
    pub(crate) fn ask(&mut self, line: &[u8]) -> Result<Option<Reply>> {
        self.send(line)?;
        self.reply()
    }

    /// Sends a line. A connection that is gone shows when its reply is read.
    pub(crate) fn send(&mut self, line: &[u8]) -> Result<()> {
        self.send_raw(&[line, b"\r\n"].concat());
        Ok(())
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        // A broken pipe is not an error here: the client sees it as a reply that never comes.
        let _ = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }

    /// Reads one reply; `None` if the server hung up.
    pub(crate) fn reply(&mut self) -> Result<Option<Reply>> {
        let mut text = String::new();
        loop {
            let Some(line) = self.line()? else {
                return Ok(None);
            };
            let (code, rest) = line.split_at_checked(3).ok_or_else(|| anyhow!("no reply code in {line:?}"))?;
            let code: u16 = code.parse().with_context(|| format!("no reply code in {line:?}"))?;
            text.push_str(rest);
            if !rest.starts_with('-') {
                return Ok(Some(Reply { code, text }));
            }
            text.push('\n');
            ensure!(text.len() < REPLY_BYTES_MAX, "a reply without end");
        }
    }

    /// Insists that the server says nothing that is SMTP, and hangs up.
    pub(crate) fn expect_the_end(&mut self) -> Result<()> {
        let mut rest = Vec::new();
        // An alert may come, or a reset: neither is a reply.
        let _ = self.stream.read_to_end(&mut rest);
        ensure!(!rest.starts_with(b"2"), "the server answers {:?}", String::from_utf8_lossy(&rest));
        Ok(())
    }

    /// Says EHLO and AUTH PLAIN in one go, without waiting in between.
    pub(crate) fn greet_and_login_at_once(&mut self, user: &str, password: &str, expected: Expected) -> Result<()> {
        let login = Login::plain(user, password);
        let auth = login.lines().concat();
        self.send_raw(&[b"EHLO client.example.net\r\n", auth.as_slice(), b"\r\n"].concat());
        let greeting = self.reply()?;
        ensure!(greeting.is_some_and(|reply| reply.code == 250), "EHLO was refused");
        let reply = self.reply()?;
        self.conclude(("PLAIN", Some(user.to_owned())), reply, expected)
    }

    /// Reads one line; `None` if the server hung up.
    pub(crate) fn line(&mut self) -> Result<Option<String>> {
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            match self.stream.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) if byte == *b"\n" => break,
                Ok(_) => line.extend_from_slice(&byte),
                Err(error) if is_timeout(&error) => {
                    return Err(error).context("the server does not answer");
                }
                Err(_) => return Ok(None),
            }
            ensure!(line.len() < REPLY_BYTES_MAX, "a line without end");
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
    }

    /// One AUTH command: sends the lines, each after the first only when asked for with 334, and writes
    /// down the last answer.
    ///
    /// # Errors
    /// If the answer is not what the scenario has arranged: then its truth would be a guess.
    pub(crate) fn attempt(
        &mut self,
        (mechanism, user): (&str, Option<&[u8]>),
        lines: &[Vec<u8>],
        expected: Expected,
    ) -> Result<()> {
        let mut last = None;
        for (position, line) in lines.iter().enumerate() {
            last = self.ask(line)?;
            let asked_on = last.as_ref().is_some_and(|reply| reply.code == 334);
            if !asked_on && position + 1 < lines.len() {
                break;
            }
        }
        let user = user.map(|user| String::from_utf8_lossy(user).into_owned());
        self.conclude((mechanism, user), last, expected)
    }

    fn conclude(&mut self, who: (&str, Option<String>), last: Option<Reply>, expected: Expected) -> Result<()> {
        let (mechanism, user) = who;
        self.record(mechanism, user.clone(), last.as_ref(), expected);
        let code = last.as_ref().map(|reply| reply.code);
        ensure!(
            code == expected.reply,
            "AUTH {mechanism} of {user:?}: expected {expected:?}, got {}",
            spoken(last.as_ref())
        );
        if expected.class == Outcome::AuthOk {
            self.user = user;
        }
        Ok(())
    }

    fn record(&self, mechanism: &str, username: Option<String>, reply: Option<&Reply>, expected: Expected) {
        self.client.truth.attempt(Attempt {
            client_ip: self.client.ip,
            service: self.service.tag.to_owned(),
            mechanism: mechanism.to_owned(),
            username,
            username_in_log: expected.username_in_log,
            reply: reply.map(|reply| reply.code),
            class: expected.class,
            cause: expected.cause.map(str::to_owned),
            at: Timestamp::now(),
        });
    }

    /// Tries to log in.
    pub(crate) fn login(&mut self, login: Login<'_>, expected: Expected) -> Result<()> {
        self.attempt((login.mechanism, Some(login.user)), &login.lines(), expected)
    }

    /// Begins an AUTH exchange, and hangs up instead of answering the challenge.
    pub(crate) fn vanish(mut self, mechanism: &str) -> Result<()> {
        self.command(format!("AUTH {mechanism}"), 334)?;
        let expected = Expected {
            reply: None,
            class: Outcome::AuthAborted,
            cause: Some("client.lost_mid_auth"),
            username_in_log: false,
        };
        self.record(mechanism, None, None, expected);
        Ok(())
    }

    /// Begins an AUTH exchange, and says nothing until the server gives up.
    pub(crate) fn stall(mut self, mechanism: &str) -> Result<()> {
        self.command(format!("AUTH {mechanism}"), 334)?;
        let reply = self.reply()?;
        let expected = Expected {
            reply: Some(421),
            class: Outcome::AuthAborted,
            cause: Some("client.timeout_mid_auth"),
            username_in_log: false,
        };
        self.conclude((mechanism, None), reply, expected)
    }

    /// Offers a recipient and insists that it is refused for that reason, with that code.
    pub(crate) fn refused_recipient(&mut self, to: &str, code: u16, class: Happening, cause: &str) -> Result<()> {
        self.command(format!("RCPT TO:<{to}>"), code)?;
        self.client.saw(class, self.service, cause);
        Ok(())
    }

    /// Gives all recipients from now on such parameters (RFC 3461).
    pub(crate) fn ask_for(&mut self, rcpt_options: &'static str) {
        self.rcpt_options = rcpt_options;
    }

    /// Sends a message; `fate` says what the scenario has arranged for its recipients.
    pub(crate) fn mail(&mut self, from: &str, to: &[&str], fate: Fate) -> Result<Receipt> {
        self.mail_about("lab", from, to, fate)
    }

    /// The same with another subject, of one word.
    pub(crate) fn mail_about(&mut self, subject: &str, from: &str, to: &[&str], fate: Fate) -> Result<Receipt> {
        let (message_id, reply) = self.offer(subject, from, to)?;
        ensure!(reply.code == 250, "the message was refused: {reply}");
        let message = Message {
            client_ip: self.client.ip,
            username: self.user.clone(),
            recipients: u32::try_from(to.len())?,
            fate,
            sender: from.to_owned(),
            message_id: message_id.clone(),
            queue_id: reply.text.rsplit_once("queued as ").map(|(_, id)| id.to_owned()),
        };
        let queue_id = message.queue_id.clone();
        self.client.truth.message(message);
        Ok(Receipt { message_id, queue_id })
    }

    /// Sends a message and insists that its text is refused with that code.
    pub(crate) fn refused_mail(&mut self, subject: &str, from: &str, to: &[&str], code: u16) -> Result<()> {
        let (_, reply) = self.offer(subject, from, to)?;
        ensure!(reply.code == code, "the message was answered {reply}");
        Ok(())
    }

    /// Sends a message; returns its Message-ID, and the reply to its text.
    fn offer(&mut self, subject: &str, from: &str, to: &[&str]) -> Result<(String, Reply)> {
        self.command(format!("MAIL FROM:<{from}>"), 250)?;
        for to in to {
            self.command(format!("RCPT TO:<{to}> {}", self.rcpt_options).trim_end(), 250)?;
        }
        self.command("DATA", 354)?;
        let id = format!(
            "<{}.{}@client.example.net>",
            MESSAGES.fetch_add(1, Ordering::SeqCst),
            Timestamp::now().as_second()
        );
        let header = format!("From: {from}\r\nTo: {}\r\nMessage-ID: {id}\r\nSubject: {subject}", to.join(", "));
        let reply = self.ask(format!("{header}\r\n\r\nHello.\r\n.").as_bytes())?;
        let reply = reply.ok_or_else(|| anyhow!("the server hung up on a message"))?;
        Ok((id, reply))
    }

    /// Says goodbye and waits until the server has hung up.
    pub(crate) fn quit(mut self) -> Result<()> {
        self.command("QUIT", 221)?;
        ensure!(self.reply()?.is_none(), "the server goes on after QUIT");
        Ok(())
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
