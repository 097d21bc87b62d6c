//! A machine on the network that talks to the lab's mail server, from an address of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Socket, Type};

use crate::login::{Expected, Login};
use crate::machine::{SERVER, SERVER6};
use crate::service::{Service, Tls};
use crate::session::Session;
use crate::tls::Trust;
use crate::truth::{Happening, Truth};

const REPLY_WAIT: Duration = Duration::from_secs(40);

/// A machine on the network that talks to the lab's mail server.
#[derive(Clone)]
pub(crate) struct Client {
    /// Its address.
    pub(crate) ip: IpAddr,
    /// What it says in EHLO.
    pub(crate) helo: Vec<u8>,
    /// Where it writes down what it sees.
    pub(crate) truth: Arc<Truth>,
}

impl Client {
    /// A client at that address.
    pub(crate) fn new(ip: IpAddr, truth: Arc<Truth>) -> Client {
        Client { ip, helo: b"client.example.net".to_vec(), truth }
    }

    /// The same client, greeting with that name.
    pub(crate) fn helo(self, helo: impl AsRef<[u8]>) -> Client {
        Client { helo: helo.as_ref().to_vec(), ..self }
    }

    /// Writes down something that this client saw, other than the answer to AUTH.
    pub(crate) fn saw(&self, class: Happening, service: Service, cause: &str) {
        self.truth.event(class, Some(self.ip), service.tag, cause);
    }

    /// Connects and does what a well-behaved client does up to the point of logging in.
    pub(crate) fn open(&self, service: Service) -> Result<Session> {
        let mut session = self.connect(service)?;
        if service.tls == Tls::Wrapper {
            session.tls(Trust::Anything)?;
        }
        session.greet()?;
        if service.tls == Tls::Upgrade {
            session.start_tls(Trust::Anything)?;
        }
        Ok(session)
    }

    /// Connects, and reads nothing yet.
    pub(crate) fn connect(&self, service: Service) -> Result<Session> {
        let stream = connect(self.ip, service.port)
            .with_context(|| format!("cannot connect from {} to port {}", self.ip, service.port))?;
        Ok(Session::new(stream, self.clone(), service))
    }

    /// Connects and logs in nowhere, as `smtpd` dies for want of mechanisms before it gets that far.
    pub(crate) fn open_killed(&self, service: Service, cause: &str) -> Result<()> {
        let mut session = self.connect(service)?;
        let alive = match service.tls {
            Tls::Wrapper => session.tls(Trust::Anything).is_ok() && session.reply()?.is_some(),
            Tls::Never => session.reply()?.is_some(),
            Tls::Upgrade => {
                session.greet()?;
                session.command("STARTTLS", 220)?;
                session.tls(Trust::Anything).is_ok() && session.ask(b"EHLO client.example.net")?.is_some()
            }
        };
        ensure!(!alive, "port {} answers, although its backend is broken", service.port);
        self.saw(Happening::SessionKilled, service, cause);
        Ok(())
    }

    /// One whole session: connect, one login, quit.
    pub(crate) fn login_once(&self, service: Service, login: Login<'_>, expected: Expected) -> Result<()> {
        let mut session = self.open(service)?;
        session.login(login, expected)?;
        session.quit()
    }
}

fn connect(from: IpAddr, port: u16) -> Result<TcpStream> {
    let server: IpAddr = if from.is_ipv6() { SERVER6.into() } else { Ipv4Addr::into(SERVER) };
    let domain = if from.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&SocketAddr::new(server, port).into(), Duration::from_secs(10))?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(REPLY_WAIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
