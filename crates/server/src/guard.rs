//! Whether a server may run as it is started: not where others could read the log.

use std::net::SocketAddr;

use crate::access::AccessError;
use crate::app::App;
use crate::tls::TlsError;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on, or listening ended.
    #[error("{0}")]
    Listen(#[from] std::io::Error),
    /// Others could read along.
    #[error(
        "--listen {0}: an address that others reach needs TLS (--tls-cert and --tls-key), or a proxy in front that has it (--trusted-proxy)"
    )]
    InTheClear(SocketAddr),
    /// Anybody could ask.
    #[error("--listen {0}: an address that others reach needs users: add one with `postfix-insights user add NAME`")]
    OpenToAll(SocketAddr),
    /// The same, through a proxy.
    #[error(
        "--trusted-proxy: whoever the proxy lets in could ask: add users with `postfix-insights user add NAME`, or say --no-sign-in if the proxy itself sees to who comes in"
    )]
    OpenBehindProxy,
    /// Anybody could name himself.
    #[error("--auth-header: say with --trusted-proxy which proxy sends it; from others it is not believed")]
    HeaderOfAnybody,
    /// The users cannot be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Refuses to run where others could read the log.
pub(crate) fn check(app: &App) -> Result<(), ServeError> {
    let config = &app.config;
    let signs_in = config.name_header.is_some() || app.access.is_required()?;
    if config.name_header.is_some() && config.proxies.is_empty() {
        return Err(ServeError::HeaderOfAnybody);
    }
    if !config.is_local() && config.tls.is_none() && config.proxies.is_empty() {
        return Err(ServeError::InTheClear(config.listen));
    }
    if !signs_in && !config.is_local() {
        return Err(ServeError::OpenToAll(config.listen));
    }
    if !signs_in && !config.proxies.is_empty() && !config.no_sign_in {
        return Err(ServeError::OpenBehindProxy);
    }
    Ok(())
}
