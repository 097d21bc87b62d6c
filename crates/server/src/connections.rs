//! Connections: a listener goes in, their requests go to the router. Whoever does not go on is let go.
//!
//! At most [`MOST`] are open at once; others wait before the door. None is held by somebody who sends half a request, does not end a handshake, or
//! does not take what he asked for.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tower::ServiceExt as _;

use crate::access::Peer;

/// Connections at once: half of the file descriptors that a process has by default, the store needs some too.
const MOST: usize = 512;
/// How long to wait when no connection can be taken, for want of file descriptors mostly.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the other end may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a TLS handshake.
    pub(crate) handshake: Duration,
    /// For the head of a request, from its first byte or the end of the one before.
    pub(crate) head: Duration,
    /// For taking anything of an answer.
    pub(crate) stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { handshake: seconds(10), head: seconds(30), stall: seconds(30) }
    }
}

/// Takes connections until `stop` is done; then waits until what is being answered is.
pub(crate) async fn take(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) {
    let (graceful, slots) = (GracefulShutdown::new(), Arc::new(Semaphore::new(MOST)));
    let acceptor = tls.map(TlsAcceptor::from);
    let mut stop = pin!(stop);
    loop {
        let (slot, stream, peer) = tokio::select! {
            taken = next(&listener, &slots, acceptor.is_some()) => match taken {
                Some(taken) => taken,
                None => break,
            },
            () = &mut stop => break,
        };
        let (router, acceptor, watcher) = (router.clone(), acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _slot = slot;
            match acceptor {
                None => answer(stream, peer, router, patience, watcher).await,
                Some(acceptor) => {
                    if let Ok(Ok(stream)) = timeout(patience.handshake, acceptor.accept(stream)).await {
                        answer(stream, peer, router, patience, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The next connection and its place among the [`MOST`].
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    tls: bool,
) -> Option<(OwnedSemaphorePermit, TcpStream, Peer)> {
    // Never closed.
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Events of the live view are small and not to be held back. A connection that is gone shows itself later.
                let _ = stream.set_nodelay(true);
                return Some((slot, stream, Peer { address, tls }));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Answers the requests of a connection.
async fn answer<S>(stream: S, peer: Peer, router: Router, patience: Patience, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request)
    });
    let stream = TokioIo::new(Taking { stream, patience: patience.stall, stalled: None });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .serve_connection(stream, service);
    // Errors are the other end's: it went, or did not go on.
    let _ = watcher.watch(connection).await;
}

/// A stream that fails when the other end takes nothing for a while.
struct Taking<S> {
    stream: S,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Taking<S> {
    fn judged<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taking<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Taking<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judged(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judged(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.judged(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judged(context, result)
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn served() -> (std::net::SocketAddr, tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let large = get(|| async { vec![b'x'; 64 << 20] });
        let router = Router::new().route("/", get(|| async { "here" })).route("/large", large);
        let short = Duration::from_millis(200);
        let patience = Patience { handshake: short, head: short, stall: short };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        (address, stop, tokio::spawn(take(listener, None, router, patience, stopped)))
    }

    #[tokio::test]
    async fn whoever_does_not_go_on_is_let_go() {
        let (address, stop, server) = served().await;
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        let mut all = Vec::new();
        // The other end closes; what it says before does not matter.
        let _ = half.read_to_end(&mut all).await;
        assert!(!String::from_utf8_lossy(&all).contains("here"));
        let mut whole = TcpStream::connect(address).await.unwrap();
        whole.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut all = String::new();
        whole.read_to_string(&mut all).await.unwrap();
        assert!(all.starts_with("HTTP/1.1 200") && all.ends_with("here"), "{all}");
        // One that takes nothing does not keep the server from ending.
        let mut stalled = TcpStream::connect(address).await.unwrap();
        stalled.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        stalled.read_exact(&mut [0; 8]).await.unwrap();
        stop.send(()).unwrap();
        server.await.unwrap();
        drop(stalled);
    }

    #[tokio::test]
    async fn what_nobody_takes_is_not_written_for_ever() {
        let (own, other) = tokio::io::duplex(64);
        let mut own = Taking { stream: own, patience: Duration::from_millis(50), stalled: None };
        let error = own.write_all(&[0; 1_000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(other);
    }
}
