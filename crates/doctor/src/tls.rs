//! TLS as a client that wants to see what it is shown: any certificate is taken, and handed out for judging.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};

/// An encrypted connection.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// What a handshake showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// `TLSv1.3 TLS13_AES_256_GCM_SHA384`.
    pub(crate) version: String,
    /// The certificates in the order sent, DER.
    pub(crate) chain: Vec<Vec<u8>>,
}

/// Shakes hands, naming the server.
pub(crate) fn handshake(mut stream: TcpStream, name: &str) -> Result<(Stream, Shown), String> {
    let name = ServerName::try_from(name.to_owned())
        .or_else(|_| ServerName::try_from("localhost"))
        .map_err(|error| error.to_string())?;
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TakesAny(provider)))
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|error| error.to_string())?;
    }
    let version = format!(
        "{} {}",
        connection.protocol_version().and_then(|version| version.as_str()).unwrap_or("?").replace('_', "."),
        connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or("?")
    );
    let chain =
        connection.peer_certificates().unwrap_or_default().iter().map(|certificate| certificate.to_vec()).collect();
    Ok((StreamOwned::new(connection, stream), Shown { version, chain }))
}

/// Judging is done elsewhere: a broken certificate must be seen to be told of. Signatures are checked all the same.
#[derive(Debug)]
struct TakesAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakesAny {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
