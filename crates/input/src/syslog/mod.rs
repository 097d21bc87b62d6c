//! Lines that other machines send: syslog over UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425).
//!
//! Input: addresses to listen on. Output: the messages as they came, each as one line, in a [`Spool`]; their envelopes (RFC 3164, RFC
//! 5424) are read where all envelopes are. A message is in the spool before the next one of its connection is read, so a sender that is
//! faster than the disk has to wait; over UDP nobody can be made to wait, and what does not fit is counted as dropped.
//!
//! Bounds: so many connections in all and from one address, one message of bounded length per connection, idle connections closed, one
//! thread per connection.

mod connection;
mod framing;
mod tls;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub use tls::TlsFiles;

use crate::spool::Spool;

/// How long a thread sleeps over a socket before it looks whether it should stop.
const TICK: Duration = Duration::from_millis(200);
/// Longest UDP payload.
const DATAGRAM_BYTES_MAX: usize = 65_536;
const STACK_BYTES: usize = 256 << 10;

/// Where to listen, and what to put up with.
#[derive(Clone, Debug, Default)]
pub struct SyslogConfig {
    /// For datagrams.
    pub udp: Vec<SocketAddr>,
    /// For plain connections.
    pub tcp: Vec<SocketAddr>,
    /// For TLS connections.
    pub tls: Vec<SocketAddr>,
    /// Needed if there is an address for TLS.
    pub tls_files: Option<TlsFiles>,
    /// Bounds.
    pub limits: SyslogLimits,
}

/// What peers may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyslogLimits {
    /// Bytes of a message; the rest of a longer one is thrown away.
    pub message_bytes: usize,
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub connections_per_peer: usize,
    /// A connection on which nothing came for so long is closed, and a TLS handshake has to be done within a tenth of it.
    pub idle: Duration,
}

impl Default for SyslogLimits {
    /// 64 KiB, 256 connections, 32 from one address, one hour.
    fn default() -> Self {
        Self {
            message_bytes: crate::block::LINE_BYTES_MAX,
            connections: 256,
            connections_per_peer: 32,
            idle: Duration::from_secs(3600),
        }
    }
}

/// What came in so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyslogCounts {
    /// Messages put into the spool.
    pub messages: u64,
    /// Messages that were too long and are cut.
    pub cut: u64,
    /// Datagrams thrown away because the spool or the disk was full.
    pub dropped: u64,
    /// Connections refused because there were too many.
    pub refused: u64,
    /// Connections that failed: a broken TLS handshake, a connection reset.
    pub failed: u64,
    /// Connections now.
    pub connections: u64,
}

/// Counters that all threads share.
#[derive(Default)]
pub(crate) struct Counters {
    messages: AtomicU64,
    cut: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

/// What the threads share.
pub(crate) struct Shared {
    spool: Arc<Mutex<Spool>>,
    stopping: AtomicBool,
    counters: Counters,
    limits: SyslogLimits,
    /// Open connections by address.
    peers: Mutex<HashMap<IpAddr, usize>>,
}

/// A listening syslog server. It stops when it is dropped.
pub struct SyslogServer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Where it listens: the port that was given for 0.
    addresses: Addresses,
}

/// Where a server listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Datagrams.
    pub udp: Vec<SocketAddr>,
    /// Plain connections.
    pub tcp: Vec<SocketAddr>,
    /// TLS connections.
    pub tls: Vec<SocketAddr>,
}

impl SyslogServer {
    /// Listens from now on.
    ///
    /// # Errors
    /// If an address cannot be had, or a certificate or key cannot be read.
    pub fn start(config: &SyslogConfig, spool: Arc<Mutex<Spool>>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            spool,
            stopping: AtomicBool::new(false),
            counters: Counters::default(),
            limits: config.limits,
            peers: Mutex::default(),
        });
        let mut server = Self { shared, threads: Vec::new(), addresses: Addresses::default() };
        let tls = match (&config.tls_files, config.tls.is_empty()) {
            (Some(files), false) => Some(tls::server_config(files)?),
            (None, false) => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "TLS needs a certificate and a key"));
            }
            _ => None,
        };
        for address in &config.udp {
            let socket = UdpSocket::bind(address).map_err(|error| cannot_listen(address, &error))?;
            server.addresses.udp.push(socket.local_addr()?);
            socket.set_read_timeout(Some(TICK))?;
            server.spawn("syslog-udp", move |shared| datagrams(shared, &socket))?;
        }
        for address in &config.tcp {
            let local = server.accept(address, None)?;
            server.addresses.tcp.push(local);
        }
        for address in &config.tls {
            let local = server.accept(address, tls.clone())?;
            server.addresses.tls.push(local);
        }
        Ok(server)
    }

    fn accept(&mut self, address: &SocketAddr, tls: Option<Arc<rustls::ServerConfig>>) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        self.spawn("syslog-accept", move |shared| connection::accept(shared, &listener, tls.as_ref()))?;
        Ok(local)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce(&Arc<Shared>) + Send + 'static) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let builder = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
        self.threads.push(builder.spawn(move || work(&shared))?);
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What came in so far.
    #[must_use]
    pub fn counts(&self) -> SyslogCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        let connections = self.shared.peers.lock().map_or(0, |peers| peers.values().sum::<usize>() as u64);
        SyslogCounts {
            messages: read(&counters.messages),
            cut: read(&counters.cut),
            dropped: read(&counters.dropped),
            refused: read(&counters.refused),
            failed: read(&counters.failed),
            connections,
        }
    }
}

impl Drop for SyslogServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            // A thread that died has nothing more to say.
            drop(thread.join());
        }
    }
}

fn cannot_listen(address: &SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Puts lines into the spool; `false` if it does not take them now.
    fn append(&self, lines: &[u8]) -> bool {
        let Ok(mut spool) = self.spool.lock() else { return false };
        let taken = spool.append(lines).is_ok();
        if taken {
            let count = memchr::memchr_iter(b'\n', lines).count() as u64;
            self.counters.messages.fetch_add(count, Ordering::Relaxed);
        }
        taken
    }

    /// Lets what was written reach the disk when nothing more comes. A failing disk is told of at the next append.
    fn tick(&self) {
        if let Ok(mut spool) = self.spool.lock() {
            drop(spool.sync_if_due());
        }
    }
}

/// The life of the thread that takes datagrams: one message each.
fn datagrams(shared: &Shared, socket: &UdpSocket) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut line = Vec::new();
    while !shared.is_stopping() {
        let Ok((count, _)) = socket.recv_from(&mut buffer) else {
            shared.tick();
            continue;
        };
        line.clear();
        let message = buffer.get(..count).unwrap_or_default();
        let is_cut = framing::push_message(message, shared.limits.message_bytes, &mut line);
        shared.counters.cut.fetch_add(u64::from(is_cut), Ordering::Relaxed);
        if !line.is_empty() && !shared.append(&line) {
            shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
