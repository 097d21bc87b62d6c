//! Syslog from real senders (`logger` of util-linux, Debian's rsyslog) and from hostile ones, through the spool to the follower.
//!
//! A sender that is not installed is left out, and the test says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "a test may panic and tell")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use input::{
    FollowConfig, Follower, Position, Spool, SpoolLimits, SyslogConfig, SyslogCounts, SyslogLimits, SyslogServer,
    TlsFiles, Watch,
};

const GENEROUS: Duration = Duration::from_secs(30);

/// A server with its spool and a follower of it.
struct Site {
    folder: tempfile::TempDir,
    server: SyslogServer,
    spool: Arc<Mutex<Spool>>,
    follower: Follower,
    positions: Vec<Position>,
}

impl Site {
    fn new(limits: SyslogLimits, spool_limits: SpoolLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tls_files = Some(certificates(folder.path()));
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let config = SyslogConfig { udp: vec![any], tcp: vec![any], tls: vec![any], tls_files, limits };
        let spool_folder = folder.path().join("spool");
        let spool = Arc::new(Mutex::new(Spool::open(&spool_folder, spool_limits).unwrap()));
        let server = SyslogServer::start(&config, Arc::clone(&spool)).unwrap();
        let follower = follower(&spool_folder, Vec::new());
        Self { folder, server, spool, follower, positions: Vec::new() }
    }

    fn ordinary() -> Self {
        Self::new(SyslogLimits::default(), SpoolLimits::default())
    }

    fn tcp(&self) -> SocketAddr {
        self.server.addresses().tcp[0]
    }

    fn udp(&self) -> SocketAddr {
        self.server.addresses().udp[0]
    }

    fn tls(&self) -> SocketAddr {
        self.server.addresses().tls[0]
    }

    fn lines(&mut self, count: usize) -> Vec<String> {
        let lines = self.at_least(count);
        assert_eq!(lines.len(), count, "{lines:?}");
        lines
    }

    fn at_least(&mut self, count: usize) -> Vec<String> {
        let deadline = Instant::now() + GENEROUS;
        let mut lines = Vec::new();
        while lines.len() < count {
            let Some(batch) = self.follower.next(deadline) else { break };
            assert_eq!(batch.name(), "syslog");
            lines.extend(batch.lines().map(|line| String::from_utf8_lossy(line.line.raw).into_owned()));
            self.positions.push(batch.position().clone());
        }
        assert!(lines.len() >= count, "{lines:?} {:?}", self.server.counts());
        lines
    }

    /// Waits until the counts are as they should be.
    fn until(&self, expected: impl Fn(&SyslogCounts) -> bool) {
        let deadline = Instant::now() + GENEROUS;
        while !expected(&self.server.counts()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(expected(&self.server.counts()), "{:?}", self.server.counts());
    }
}

fn follower(spool: &Path, resume: Vec<Position>) -> Follower {
    let watch = Watch::Spool { folder: spool.to_owned(), name: "syslog".to_owned() };
    Follower::new(FollowConfig { poll_every: Duration::from_millis(5), ..FollowConfig::new(vec![watch]) }, resume)
}

/// A certificate of its own authority, for `localhost` and 127.0.0.1.
fn certificates(folder: &Path) -> TlsFiles {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    TlsFiles { certificate, key, client_authorities: None }
}

fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("{program} is not installed: not tried");
    }
    found
}

#[test]
fn logger_over_udp_and_tcp() {
    if !is_installed("logger") {
        return;
    }
    let mut site = Site::ordinary();
    let mut expected = Vec::new();
    for (at, options) in [
        &["--tcp", "--octet-count", "--rfc5424"][..],
        &["--tcp", "--octet-count", "--rfc3164"],
        &["--tcp", "--rfc5424"],
        &["--tcp", "--rfc3164"],
        &["--udp", "--rfc5424"],
        &["--udp", "--rfc3164"],
    ]
    .iter()
    .enumerate()
    {
        let to = if options.contains(&"--udp") { site.udp() } else { site.tcp() };
        let message = format!("connect from unknown[192.0.2.{at}]");
        let status = Command::new("logger")
            .args(*options)
            .args(["--server", "127.0.0.1", "--port", &to.port().to_string(), "-p", "mail.info", "-t", "postfix/smtpd"])
            .arg(&message)
            .status()
            .unwrap();
        assert!(status.success(), "{options:?}");
        expected.push(message);
    }
    let mut lines = site.lines(expected.len());
    assert!(lines.iter().all(|line| line.starts_with("<22>") && line.contains("postfix/smtpd")), "{lines:?}");
    lines.sort_by_key(|line| line.rsplit_once(' ').unwrap().1.to_owned());
    for (line, message) in lines.iter().zip(&expected) {
        assert!(line.ends_with(message), "{line} has {message}");
    }
}

/// A real rsyslogd that reads a socket of its own and forwards; it ends with the test.
struct Rsyslog {
    child: Child,
    socket: PathBuf,
}

impl Rsyslog {
    fn start(folder: &Path, forward: &str) -> Self {
        let (socket, config) = (folder.join("log.sock"), folder.join("rsyslog.conf"));
        let work = folder.display();
        let text = format!(
            "global(workDirectory=\"{work}\" defaultNetstreamDriverCAFile=\"{work}/cert.pem\" \
             parser.permitSlashInProgramName=\"on\")\n\
             module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             input(type=\"imuxsock\" Socket=\"{}\" RateLimit.Interval=\"0\")\n{forward}\n",
            socket.display()
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new("rsyslogd")
            .args(["-n", "-i"])
            .arg(folder.join("pid"))
            .arg("-f")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("rsyslog.err")).unwrap())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + GENEROUS;
        while !socket.exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, socket }
    }

    fn say(&self, text: &str) {
        let mut logger = Command::new("logger");
        logger.arg("--socket").arg(&self.socket).args(["-p", "mail.info", "-t", "postfix/smtpd", text]);
        assert!(logger.status().unwrap().success());
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn forward(site: &Site, port: u16, more: &str) -> (Rsyslog, Vec<String>) {
    let action = format!("action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" {more})");
    let rsyslog = Rsyslog::start(site.folder.path(), &action);
    let texts: Vec<String> = (0..20).map(|at| format!("connect from unknown[192.0.2.{at}]")).collect();
    texts.iter().for_each(|text| rsyslog.say(text));
    (rsyslog, texts)
}

fn rsyslog_sends(port: impl Fn(&Site) -> u16, more: &str) {
    if !is_installed("rsyslogd") || !is_installed("logger") {
        return;
    }
    let mut site = Site::ordinary();
    let (_rsyslog, texts) = forward(&site, port(&site), more);
    let lines = site.lines(texts.len());
    for (line, text) in lines.iter().zip(&texts) {
        assert!(line.ends_with(text) && line.contains("postfix/smtpd"), "{line} has {text}");
    }
}

#[test]
fn rsyslog_over_udp() {
    rsyslog_sends(|site| site.udp().port(), "protocol=\"udp\"");
}

#[test]
fn rsyslog_over_tcp_with_both_framings() {
    rsyslog_sends(|site| site.tcp().port(), "protocol=\"tcp\" template=\"RSYSLOG_SyslogProtocol23Format\"");
    rsyslog_sends(|site| site.tcp().port(), "protocol=\"tcp\" TCP_Framing=\"octet-counted\"");
}

#[test]
fn rsyslog_over_tls() {
    let modules = ["ossl", "gtls"].into_iter().find(|driver| {
        let module = format!("rsyslog/lmnsd_{driver}.so");
        let other =
            std::env::var_os("RSYSLOG_MODDIR").map(PathBuf::from).and_then(|folder| Some(folder.parent()?.to_owned()));
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
            .iter()
            .map(PathBuf::from)
            .chain(other)
            .any(|folder| folder.join(&module).exists())
    });
    let Some(driver) = modules else {
        eprintln!("rsyslog has no TLS driver (rsyslog-openssl, rsyslog-gnutls): not tried");
        return;
    };
    let more = format!(
        "protocol=\"tcp\" StreamDriver=\"{driver}\" StreamDriverMode=\"1\" StreamDriverAuthMode=\"x509/name\" \
         StreamDriverPermittedPeers=\"localhost\" TCP_Framing=\"octet-counted\""
    );
    rsyslog_sends(|site| site.tls().port(), &more);
}

#[test]
fn a_restart_loses_nothing_and_what_is_done_is_deleted() {
    let limits = SpoolLimits { segment_bytes: 1000, ..SpoolLimits::default() };
    let mut site = Site::new(SyslogLimits::default(), limits);
    let mut peer = TcpStream::connect(site.tcp()).unwrap();
    for at in 0..100 {
        writeln!(peer, "<22>Nov 22 09:06:30 mail postfix/smtpd[{at}]: connect from unknown[192.0.2.1]").unwrap();
        // One by one, so that segments fill.
        site.until(|counts| counts.messages > at);
    }
    drop(peer);
    let first = site.at_least(60);
    let spool_folder = site.folder.path().join("spool");
    let segments = || std::fs::read_dir(&spool_folder).unwrap().count();
    let before = segments();
    let freed = site.spool.lock().unwrap().release(&site.positions).unwrap();
    assert!(freed > 0 && segments() < before);
    site.follower = follower(&spool_folder, site.positions.clone());
    let rest = site.lines(100 - first.len());
    let pids: Vec<String> =
        first.iter().chain(&rest).map(|line| line.split(['[', ']']).nth(1).unwrap().to_owned()).collect();
    assert_eq!(pids, (0..100).map(|at| at.to_string()).collect::<Vec<_>>());
    assert_eq!(site.follower.next(Instant::now() + Duration::from_millis(100)).map(|b| b.lines().count()), None);
}

#[test]
fn a_full_spool_makes_peers_wait_and_drops_datagrams() {
    let limits = SpoolLimits { segment_bytes: 2_000, total_bytes: 6_000 };
    let mut site = Site::new(SyslogLimits::default(), limits);
    let to = site.tcp();
    let sender = std::thread::spawn(move || {
        let mut peer = TcpStream::connect(to).unwrap();
        for at in 0..400 {
            writeln!(peer, "<22>Nov 22 09:06:30 mail postfix/smtpd[{at}]: connect").unwrap();
            // Small pieces, as they would come.
            std::thread::yield_now();
        }
    });
    // Nobody reads: in the end there is no room for a datagram.
    let datagram = UdpSocket::bind("127.0.0.1:0").unwrap();
    let deadline = Instant::now() + GENEROUS;
    while site.server.counts().dropped == 0 && Instant::now() < deadline {
        datagram.send_to(&[b'x'; 500], site.udp()).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    site.until(|counts| counts.dropped > 0);
    let mut pids = Vec::new();
    while pids.len() < 400 && Instant::now() < deadline {
        let Some(batch) = site.follower.next(Instant::now() + Duration::from_millis(50)) else { continue };
        let lines = batch.lines().map(|line| String::from_utf8_lossy(line.line.raw).into_owned());
        let of_peer = lines.filter(|line| line.starts_with("<22>"));
        pids.extend(of_peer.map(|line| line.split(['[', ']']).nth(1).unwrap().to_owned()));
        site.positions.push(batch.position().clone());
        site.spool.lock().unwrap().release(&site.positions).unwrap();
    }
    sender.join().unwrap();
    assert_eq!(pids, (0..400).map(|at| at.to_string()).collect::<Vec<_>>(), "{:?}", site.server.counts());
}

#[test]
fn floods_and_oversize_are_bounded() {
    let limits =
        SyslogLimits { message_bytes: 100, connections: 6, connections_per_peer: 4, idle: Duration::from_millis(400) };
    let mut site = Site::new(limits, SpoolLimits::default());
    let mut peers: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(site.tcp()).unwrap()).collect();
    site.until(|counts| counts.refused == 6 && counts.connections <= 4);
    let served = peers.iter_mut().position(|peer| peer.write_all(b"<22>").is_ok()).unwrap();
    assert_eq!(served, 0);
    peers[0].write_all(&[b'x'; 10_000]).unwrap();
    peers[0].write_all(b"\n<22>next\n").unwrap();
    let lines = site.lines(2);
    assert_eq!((lines[0].len(), lines[1].as_str()), (100, "<22>next"));
    site.until(|counts| counts.cut == 1);
    // Whoever says nothing has to go.
    site.until(|counts| counts.connections == 0);
    assert_eq!(peers[1].read(&mut [0; 8]).unwrap_or(0), 0);
    // A peer that speaks no TLS, and one that goes away within the handshake.
    TcpStream::connect(site.tls()).unwrap().write_all(b"<22>plain text\n").unwrap();
    drop(TcpStream::connect(site.tls()).unwrap());
    site.until(|counts| counts.failed == 2);
}

/// A TLS connection; with a certificate of the server's authority, or without any.
fn tls_peer(site: &Site, shows_certificate: bool) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificate = CertificateDer::from_pem_file(site.folder.path().join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(site.folder.path().join("key.pem")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shows_certificate {
        true => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
        false => builder.with_no_client_auth(),
    };
    let connection = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    rustls::StreamOwned::new(connection, TcpStream::connect(site.tls()).unwrap())
}

#[test]
fn only_peers_with_a_certificate_are_let_in_if_that_is_asked_for() {
    let mut site = Site::ordinary();
    let spool_folder = site.folder.path().join("spool");
    let files = TlsFiles {
        certificate: site.folder.path().join("cert.pem"),
        key: site.folder.path().join("key.pem"),
        client_authorities: Some(site.folder.path().join("cert.pem")),
    };
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let config = SyslogConfig { tls: vec![any], tls_files: Some(files), ..SyslogConfig::default() };
    site.server = SyslogServer::start(&config, Arc::clone(&site.spool)).unwrap();
    site.follower = follower(&spool_folder, Vec::new());
    let mut stranger = tls_peer(&site, false);
    drop(stranger.write_all(b"<22>stranger\n"));
    site.until(|counts| counts.failed == 1);
    let mut known = tls_peer(&site, true);
    known.write_all(b"<22>known\n").unwrap();
    assert_eq!(site.lines(1), ["<22>known"]);
}

#[test]
fn it_stops_at_once_though_peers_are_connected() {
    let site = Site::ordinary();
    let _peers: Vec<TcpStream> = [site.tcp(), site.tls()].iter().map(|to| TcpStream::connect(to).unwrap()).collect();
    site.until(|counts| counts.connections == 2);
    let (done, stopped) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(site.server);
        done.send(()).unwrap();
    });
    stopped.recv_timeout(Duration::from_secs(5)).unwrap();
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Arc::new(Mutex::new(Spool::open(folder.path(), SpoolLimits::default()).unwrap()));
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let error = |config: SyslogConfig| {
        SyslogServer::start(&config, Arc::clone(&spool))
            .err()
            .unwrap()
            .to_string()
            .replace(folder.path().to_str().unwrap(), "")
    };
    assert_eq!(error(SyslogConfig { tls: vec![any], ..SyslogConfig::default() }), "TLS needs a certificate and a key");
    let files = TlsFiles { key: folder.path().join("none"), ..certificates(folder.path()) };
    let text = error(SyslogConfig { tls: vec![any], tls_files: Some(files), ..SyslogConfig::default() });
    assert!(text.starts_with("/none: "), "{text}");
    let taken = UdpSocket::bind(any).unwrap().local_addr().unwrap();
    let _held = std::net::TcpListener::bind(taken);
    let text = error(SyslogConfig { tcp: vec![taken], ..SyslogConfig::default() });
    assert!(text.starts_with(&format!("cannot listen on {taken}: ")), "{text}");
}
