//! Connections of syslog peers, plain and with TLS.
//!
//! Input: accepted sockets. Output: lines in the spool. A full spool makes the peer wait; its lines are not thrown away.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::syslog::framing::Frames;
use crate::syslog::{STACK_BYTES, Shared, TICK};

/// How much is read in one go, and so how much of a connection is in memory besides one message.
const PIECE_BYTES: usize = 16 << 10;

/// The life of a listening thread.
pub(crate) fn accept(shared: &Arc<Shared>, listener: &TcpListener, tls: Option<&Arc<ServerConfig>>) {
    let mut threads = Vec::new();
    while !shared.is_stopping() {
        match listener.accept() {
            Ok((stream, peer)) => threads.extend(admit(shared, stream, peer, tls.cloned())),
            // Nobody is there, or no more files can be opened: both pass.
            Err(_) => {
                std::thread::sleep(TICK / 4);
                shared.tick();
            }
        }
        threads.retain(|thread: &std::thread::JoinHandle<()>| !thread.is_finished());
    }
    for thread in threads {
        drop(thread.join());
    }
}

/// Starts a thread for a connection, unless there are too many.
fn admit(
    shared: &Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
) -> Option<std::thread::JoinHandle<()>> {
    let Some(place) = Place::take(shared, peer.ip().to_canonical()) else {
        shared.counters.refused.fetch_add(1, Ordering::Relaxed);
        return None;
    };
    let builder = std::thread::Builder::new().name("syslog-peer".to_owned()).stack_size(STACK_BYTES);
    let work = move || {
        if serve(&place.shared, stream, tls).is_err() {
            place.shared.counters.failed.fetch_add(1, Ordering::Relaxed);
        }
    };
    builder.spawn(work).ok()
}

/// A connection's place among the permitted ones, given back when it is dropped.
struct Place {
    shared: Arc<Shared>,
    peer: IpAddr,
}

impl Place {
    fn take(shared: &Arc<Shared>, peer: IpAddr) -> Option<Self> {
        let mut peers = shared.peers.lock().ok()?;
        let all: usize = peers.values().sum();
        let own = peers.get(&peer).copied().unwrap_or(0);
        if all >= shared.limits.connections || own >= shared.limits.connections_per_peer {
            return None;
        }
        peers.insert(peer, own + 1);
        Some(Self { shared: Arc::clone(shared), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Ok(mut peers) = self.shared.peers.lock() else { return };
        match peers.get_mut(&self.peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(peers.remove(&self.peer)),
        }
    }
}

fn serve(shared: &Shared, stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(TICK * 10))?;
    match tls {
        None => receive(shared, stream),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            let handshake_until = Instant::now() + shared.limits.idle / 10;
            while stream.conn.is_handshaking() {
                match stream.conn.complete_io(&mut stream.sock) {
                    Err(error) if is_timeout(&error) && Instant::now() < handshake_until && !shared.is_stopping() => {}
                    Err(error) => return Err(error),
                    Ok(_) => {}
                }
            }
            receive(shared, stream)
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Reads messages until the peer ends, falls silent for too long, or the server stops.
fn receive(shared: &Shared, mut stream: impl Read) -> io::Result<()> {
    let (mut frames, mut lines) = (Frames::new(shared.limits.message_bytes), Vec::new());
    let mut piece = vec![0; PIECE_BYTES];
    let mut heard = Instant::now();
    while !shared.is_stopping() {
        match stream.read(&mut piece) {
            Ok(0) => break,
            // A peer that goes away without a word has said all the same what it said.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Ok(count) => {
                heard = Instant::now();
                frames.push(piece.get(..count).unwrap_or_default(), &mut lines);
                shared.counters.cut.fetch_add(std::mem::take(&mut frames.cut), Ordering::Relaxed);
                spool(shared, &mut lines);
            }
            Err(error) if is_timeout(&error) => {
                if heard.elapsed() >= shared.limits.idle {
                    break;
                }
            }
            Err(error) => return Err(error),
        }
    }
    frames.end(&mut lines);
    spool(shared, &mut lines);
    shared.counters.cut.fetch_add(frames.cut, Ordering::Relaxed);
    Ok(())
}

/// Waits until the spool has room: meanwhile nothing more is read, so the peer waits as well. At a stop, what is not in the spool is lost
/// and counted.
fn spool(shared: &Shared, lines: &mut Vec<u8>) {
    while !lines.is_empty() {
        if shared.append(lines) {
            lines.clear();
        } else if shared.is_stopping() {
            let count = memchr::memchr_iter(b'\n', lines).count() as u64;
            shared.counters.dropped.fetch_add(count, Ordering::Relaxed);
            lines.clear();
        } else {
            std::thread::sleep(TICK);
        }
    }
}
