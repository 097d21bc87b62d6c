//! The greeting of Dovecot's auth protocol, as Postfix speaks it; no login.
//!
//! A socket's address goes in; the mechanisms that the server offers, or what went wrong, come out.
//!
//! Source: Dovecot `doc/auth-protocol.txt` (2.4: `src/auth/auth-client-connection.c`), Postfix
//! `src/xsasl/xsasl_dovecot_server.c`.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

/// Longest greeting that is read, in bytes.
const GREETING_MAX: u64 = 64 << 10;

/// Where a backend listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A socket in the file system, as seen from outside any chroot.
    Unix(PathBuf),
    /// A host and port.
    Inet(String),
}

/// A mechanism and its properties, as the server names them (`plaintext`, `anonymous`, `active`, …).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mechanism {
    pub(crate) name: String,
    pub(crate) properties: Vec<String>,
}

/// Why there are no mechanisms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection: kind and words of the error.
    Connect(ErrorKind, String),
    /// Connected, and then nothing for as long as we wait.
    Silent,
    /// An auth server's other socket: for Dovecot's own use.
    Master,
    /// Something else: what it said first.
    Stranger(String),
}

/// Connects, without a wait of more than `patience`.
pub(crate) fn connect(address: &Address, patience: Duration) -> std::io::Result<Socket> {
    let socket = match address {
        Address::Unix(path) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            // Bounds the wait for a place in the queue of a server that does not accept.
            socket.set_write_timeout(Some(patience))?;
            socket.connect(&SockAddr::unix(path)?)?;
            socket
        }
        Address::Inet(text) => {
            let mut last = std::io::Error::new(ErrorKind::NotFound, "no such host");
            let mut open = None;
            for address in text.to_socket_addrs()?.take(4) {
                match TcpStream::connect_timeout(&address, patience) {
                    Ok(stream) => open = Some(Socket::from(stream)),
                    Err(error) => last = error,
                }
                if open.is_some() {
                    break;
                }
            }
            open.ok_or(last)?
        }
    };
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    Ok(socket)
}

/// Speaks the greeting.
pub(crate) fn shake(address: &Address, patience: Duration) -> Result<Vec<Mechanism>, Failure> {
    let mut socket = connect(address, patience).map_err(|error| Failure::Connect(error.kind(), error.to_string()))?;
    let greeting = format!("VERSION\t1\t1\nCPID\t{}\n", client_number());
    // A server that hangs up at once is told apart by what it sent.
    let _ = socket.write_all(greeting.as_bytes());
    let reader = BufReader::new(std::fs::File::from(OwnedFd::from(socket)).take(GREETING_MAX));
    read_greeting(reader, Instant::now() + patience)
}

/// Dovecot hangs up on a number that another client has: those of Postfix are process ids, and ours differ from them and
/// from each other.
fn client_number() -> u32 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    1 << 30 | (std::process::id() & 0x003f_ffff) << 8 | CALLS.fetch_add(1, Ordering::Relaxed) & 0xff
}

/// Reads the server's half up to `DONE`.
fn read_greeting(mut reader: impl std::io::BufRead, end: Instant) -> Result<Vec<Mechanism>, Failure> {
    let mut mechanisms = Vec::new();
    let mut first = true;
    loop {
        let mut line = Vec::new();
        let read = reader.by_ref().take(4096).read_until(b'\n', &mut line);
        if Instant::now() >= end || read.as_ref().is_err_and(is_late) {
            return Err(Failure::Silent);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut words = line.split('\t');
        match words.next() {
            Some("DONE") if !first => return Ok(mechanisms),
            // Sockets for Dovecot's own use send their version and process id, and nothing after it.
            Some("SPID") if mechanisms.is_empty() => return Err(Failure::Master),
            Some("VERSION") if words.next() == Some("1") => {}
            Some("MECH") => mechanisms.extend(words.next().map(|name| Mechanism {
                name: name.to_ascii_uppercase(),
                properties: words.map(str::to_owned).collect(),
            })),
            // Lines of later versions are passed over, as Postfix does; a stranger's first line is not.
            Some(_) if !first && !line.is_empty() => {}
            _ => return Err(Failure::Stranger(line)),
        }
        first = false;
    }
}

fn is_late(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

impl Address {
    /// `smtpd_sasl_path` as the smtpd that has it sees it: relative to the queue directory, and inside it if chrooted.
    pub(crate) fn of_path(path: &str, queue: &Path, chrooted: bool) -> Self {
        if let Some(inet) = path.strip_prefix("inet:") {
            return Self::Inet(inet.to_owned());
        }
        let path = Path::new(path.strip_prefix("unix:").unwrap_or(path));
        if chrooted && path.is_absolute() {
            return Self::Unix(queue.join(path.strip_prefix("/").unwrap_or(path)));
        }
        Self::Unix(queue.join(path))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Inet(text) => write!(f, "inet:{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn greeting(text: &str) -> Result<Vec<String>, Failure> {
        let end = Instant::now() + Duration::from_secs(60);
        read_greeting(text.as_bytes(), end).map(|list| list.into_iter().map(|mechanism| mechanism.name).collect())
    }

    #[test]
    fn greetings() {
        let names = |names: &[&str]| Ok(names.iter().map(ToString::to_string).collect());
        let usual =
            "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tlogin\tplaintext\nSPID\t5\nCUID\t1\nCOOKIE\tx\nDONE\n";
        assert_eq!(greeting(usual), names(&["PLAIN", "LOGIN"]));
        assert_eq!(greeting("VERSION\t1\t2\nSPID\t11\nCUID\t1\nDONE\n"), Err(Failure::Master));
        assert_eq!(greeting("VERSION\t1\t2\nMECH\tplain\tplaintext\nNEW\t1\nDONE\n"), names(&["PLAIN"]));
        assert_eq!(greeting("VERSION\t1\t2\nDONE\n"), names(&[]));
        assert_eq!(greeting("VERSION\t9\t0\n"), Err(Failure::Stranger("VERSION\t9\t0".to_owned())));
        assert_eq!(greeting("220 hello\r\n"), Err(Failure::Stranger("220 hello".to_owned())));
        assert_eq!(greeting("DONE\n"), Err(Failure::Stranger("DONE".to_owned())));
        assert_eq!(greeting(""), Err(Failure::Stranger(String::new())));
        assert_eq!(greeting("VERSION\t1\t1\n"), Err(Failure::Stranger(String::new())));
        assert!(matches!(greeting(&"x".repeat(100_000)), Err(Failure::Stranger(_))));
    }

    #[test]
    fn a_server_that_never_answers_is_silent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let address = Address::Unix(path);
        assert_eq!(shake(&address, Duration::from_millis(300)), Err(Failure::Silent));
        drop(listener);
        let refused = shake(&address, Duration::from_millis(300));
        assert!(matches!(refused, Err(Failure::Connect(ErrorKind::ConnectionRefused, _))));
        let nowhere = shake(&Address::Unix(folder.path().join("nowhere")), Duration::from_millis(300));
        assert!(matches!(nowhere, Err(Failure::Connect(ErrorKind::NotFound, _))));
    }

    #[test]
    fn paths_as_smtpd_sees_them() {
        let check = |path: &str, chrooted, expected: &str| {
            assert_eq!(Address::of_path(path, Path::new("/q"), chrooted).to_string(), expected, "{path}");
        };
        check("private/auth", false, "/q/private/auth");
        check("private/auth", true, "/q/private/auth");
        check("/run/auth", false, "/run/auth");
        check("/run/auth", true, "/q/run/auth");
        check("unix:private/auth", true, "/q/private/auth");
        check("inet:127.0.0.1:10001", true, "inet:127.0.0.1:10001");
    }
}
