//! TLS for the lab's clients: they trust whatever they are shown, or refuse it for a chosen reason.

use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};

/// An encrypted connection.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// What a client thinks of the server's certificate. The lab's own is signed by itself, and the network is
/// the lab's own too, so nothing is lost by trusting it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Accepts it.
    Anything,
    /// Does not know who signed it: alert `unknown ca`.
    UnknownIssuer,
    /// Takes it for expired: alert `certificate expired`.
    Expired,
    /// Takes it for another server's: alert `bad certificate`.
    WrongName,
}

/// Shakes hands as a client.
pub(crate) fn handshake(mut stream: TcpStream, trust: Trust) -> Result<Stream> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Opinion(trust)))
        .with_no_client_auth();
    let name = ServerName::try_from("mail.example.test")?;
    let mut connection = ClientConnection::new(Arc::new(config), name)?;
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut stream) {
            // The alert is what the server logs: it must be on the wire before the connection closes.
            let _ = connection.complete_io(&mut stream);
            return Err(error).context("no TLS");
        }
    }
    Ok(StreamOwned::new(connection, stream))
}

#[derive(Debug)]
struct Opinion(Trust);

impl ServerCertVerifier for Opinion {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refuse = |why: CertificateError| Err(Error::InvalidCertificate(why));
        match self.0 {
            Trust::Anything => Ok(ServerCertVerified::assertion()),
            Trust::UnknownIssuer => refuse(CertificateError::UnknownIssuer),
            Trust::Expired => refuse(CertificateError::Expired),
            Trust::WrongName => refuse(CertificateError::NotValidForName),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
