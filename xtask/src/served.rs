//! A server of the program's, running beside what asks it; and a client that asks it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// Patience with one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// It runs until it is dropped.
pub(crate) struct Served {
    child: Child,
    /// `127.0.0.1:12345`.
    pub(crate) address: String,
}

/// An answer.
pub(crate) struct Got {
    pub(crate) status: u16,
    /// Seconds to its first byte, and to its last.
    pub(crate) first: f64,
    pub(crate) whole: f64,
    pub(crate) body: Vec<u8>,
}

impl Served {
    /// Starts `serve` on a port of its own, with these options.
    pub(crate) fn start<S: AsRef<OsStr>>(program: &Path, args: impl IntoIterator<Item = S>) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the server does not start")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no pipe")?).read_line(&mut line)?;
        let address = line.trim().rsplit_once("http://").map(|(_, address)| address.trim_end_matches('/').to_owned());
        Ok(Self { child, address: address.with_context(|| format!("the server said: {line}"))? })
    }

    /// Waits until it has read what it was given.
    pub(crate) fn ready(self) -> anyhow::Result<Self> {
        let began = Instant::now();
        while get(&self.address, "/readyz")?.status != 200 {
            ensure!(began.elapsed() < PATIENCE, "the server does not get ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request; the answer is still to be read.
pub(crate) fn open(address: &str, path: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    Ok(stream)
}

/// Asks, and reads the whole answer.
pub(crate) fn get(address: &str, path: &str) -> anyhow::Result<Got> {
    let began = Instant::now();
    let mut stream = open(address, path)?;
    let mut answer = vec![0];
    stream.read_exact(&mut answer)?;
    let first = began.elapsed().as_secs_f64();
    stream.read_to_end(&mut answer)?;
    let whole = began.elapsed().as_secs_f64();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("no end of the headers")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer);
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status")?;
    Ok(Got { status, first, whole, body })
}
