//! SMTP as a client speaks it up to the point of logging in: greeting, EHLO, STARTTLS, EHLO again, QUIT.
//!
//! An open connection goes in; replies with their lines come out. Every reply is bounded in length and in time.
//!
//! Source: RFC 5321 section 4.2, RFC 3207, RFC 4954.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::tls;

/// Longest reply that is read, in bytes.
const REPLY_MAX: usize = 16 << 10;

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The server hung up.
    Closed,
    /// It said nothing for so long.
    Late(Duration),
    /// It said something else than SMTP.
    Odd(String),
    /// The connection failed.
    Io(String),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => write!(f, "the server hung up"),
            Self::Late(limit) => write!(f, "the server was silent for {} s", limit.as_secs()),
            Self::Odd(said) => write!(f, "the server does not speak SMTP: {said:?}"),
            Self::Io(why) => write!(f, "{why}"),
        }
    }
}

/// A reply of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// The texts after the code.
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// `535 5.7.8 Error: …`.
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" / "))
    }

    /// The mechanisms of an EHLO reply; `None` if AUTH is not offered. `AUTH=` is for clients of old.
    pub(crate) fn mechanisms(&self) -> Option<Vec<String>> {
        let line = self
            .lines
            .iter()
            .map(|line| line.to_ascii_uppercase())
            .find(|line| line.starts_with("AUTH ") || line.starts_with("AUTH="))?;
        Some(line.split([' ', '=']).skip(1).map(str::to_owned).collect())
    }

    /// Whether an EHLO reply offers an extension.
    pub(crate) fn offers(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.eq_ignore_ascii_case(name))
    }
}

/// A connection, encrypted or not.
enum Stream {
    Plain(TcpStream),
    Tls(Box<tls::Stream>),
    /// A handshake failed.
    Gone,
}

/// A conversation.
pub(crate) struct Talk {
    stream: Stream,
    read: Vec<u8>,
    patience: Duration,
}

impl Talk {
    /// Begins with a connection on which nothing was said yet.
    pub(crate) fn new(stream: TcpStream, patience: Duration) -> Result<Self, Broken> {
        let limits = stream.set_read_timeout(Some(patience)).and_then(|()| stream.set_write_timeout(Some(patience)));
        limits.map_err(|error| Broken::Io(error.to_string()))?;
        Ok(Self { stream: Stream::Plain(stream), read: Vec::new(), patience })
    }

    /// Sends a line and waits for the reply.
    pub(crate) fn ask(&mut self, line: &str) -> Result<Reply, Broken> {
        self.send(line)?;
        self.reply()
    }

    /// Sends a line.
    pub(crate) fn send(&mut self, line: &str) -> Result<(), Broken> {
        let bytes = format!("{line}\r\n");
        let sent = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes.as_bytes()),
            Stream::Tls(stream) => stream.write_all(bytes.as_bytes()).and_then(|()| stream.flush()),
            Stream::Gone => return Err(Broken::Closed),
        };
        sent.map_err(|error| self.broken(&error))
    }

    /// Waits for a whole reply.
    pub(crate) fn reply(&mut self) -> Result<Reply, Broken> {
        let end = Instant::now() + self.patience;
        let mut lines = Vec::new();
        loop {
            let line = self.line(end)?;
            let (code, last, text) = parse(&line).ok_or_else(|| Broken::Odd(crate::check::short(&line)))?;
            lines.push(text.to_owned());
            if last {
                return Ok(Reply { code, lines });
            }
            if lines.len() > 100 {
                return Err(Broken::Odd("a reply without end".to_owned()));
            }
        }
    }

    fn line(&mut self, end: Instant) -> Result<String, Broken> {
        loop {
            if let Some(at) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=at).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.read.len() > REPLY_MAX {
                return Err(Broken::Odd("a line without end".to_owned()));
            }
            if Instant::now() >= end {
                return Err(Broken::Late(self.patience));
            }
            let mut part = [0; 4096];
            let got = match &mut self.stream {
                Stream::Plain(stream) => stream.read(&mut part),
                Stream::Tls(stream) => stream.read(&mut part),
                Stream::Gone => Ok(0),
            };
            match got {
                Ok(0) => return Err(Broken::Closed),
                Ok(count) => self.read.extend(part.iter().take(count)),
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    fn broken(&self, error: &std::io::Error) -> Broken {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Broken::Late(self.patience),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Broken::Closed,
            _ => Broken::Io(error.to_string()),
        }
    }

    /// Goes over to TLS. What was said in the clear before must not count after it.
    pub(crate) fn start_tls(&mut self, name: &str) -> Result<tls::Shown, String> {
        self.read.clear();
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(stream) => {
                let (stream, shown) = tls::handshake(stream, name)?;
                self.stream = Stream::Tls(Box::new(stream));
                Ok(shown)
            }
            Stream::Tls(_) | Stream::Gone => Err("the connection is gone".to_owned()),
        }
    }
}

/// `250-SIZE`: code, whether it is the last line, text.
fn parse(line: &str) -> Option<(u16, bool, &str)> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
    match rest.strip_prefix('-') {
        Some(text) => Some((code, false, text)),
        None => Some((code, true, rest.strip_prefix(' ').or(rest.is_empty().then_some(""))?)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What a client makes of a server that says this and hangs up.
    fn said(text: &'static str) -> Result<Reply, Broken> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::scope(|threads| {
            threads.spawn(|| listener.accept().unwrap().0.write_all(text.as_bytes()));
            Talk::new(TcpStream::connect(address).unwrap(), Duration::from_secs(20)).unwrap().reply()
        })
    }

    #[test]
    fn replies() {
        let ehlo = said("250-mail.example.org\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n").unwrap();
        assert_eq!((ehlo.code, ehlo.offers("starttls"), ehlo.offers("SIZE")), (250, true, false));
        assert_eq!(ehlo.mechanisms(), Some(vec!["PLAIN".to_owned(), "LOGIN".to_owned()]));
        let old = said("250-x\n250 AUTH=LOGIN\n").unwrap();
        assert_eq!(old.mechanisms(), Some(vec!["LOGIN".to_owned()]));
        assert_eq!(said("250 AUTHENTIC\r\n").unwrap().mechanisms(), None);
        assert_eq!(said("220\r\n").unwrap().code, 220);
        assert_eq!(said("").unwrap_err(), Broken::Closed);
        assert_eq!(said("220 half").unwrap_err(), Broken::Closed);
        assert!(matches!(said("SSH-2.0-x\r\n"), Err(Broken::Odd(_))));
        assert!(matches!(said("\u{1b}[2J\r\n"), Err(Broken::Odd(_))));
        assert!(matches!(said("99 x\r\n"), Err(Broken::Odd(_))));
        assert!(matches!(said("2200 x\r\n"), Err(Broken::Odd(_))));
    }

    #[test]
    fn a_reply_has_an_end() {
        let endless: &'static str = Box::leak("250-x\r\n".repeat(200).into_boxed_str());
        assert!(matches!(said(endless), Err(Broken::Odd(_))));
        let long: &'static str = Box::leak("2".repeat(40_000).into_boxed_str());
        assert!(matches!(said(long), Err(Broken::Odd(_))));
    }
}
