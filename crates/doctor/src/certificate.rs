//! A certificate: until when, for which names, and whether a key fits it.
//!
//! PEM text or DER bytes go in, the few facts that clients care about come out. Names are text of strangers.
//!
//! Source: RFC 5280 (certificates), RFC 9525 (names), Postfix `TLS_README` (several keys and chains in one file).

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What is known of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// DNS names it is good for; the common name where there are none.
    pub(crate) names: Vec<String>,
    /// Seconds since 1970.
    pub(crate) not_before: i64,
    /// Seconds since 1970.
    pub(crate) not_after: i64,
    /// Its bytes, to tell two apart.
    pub(crate) der: Vec<u8>,
}

impl Certificate {
    /// Takes one apart.
    pub(crate) fn of_der(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let mut names: Vec<String> = alternative
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            names.extend(
                certificate.subject().iter_common_name().filter_map(|name| Some(name.as_str().ok()?.to_owned())),
            );
        }
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names,
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            der: der.to_owned(),
        })
    }

    /// Whether it is good for a host's name; `*` stands for one label.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        self.names.iter().any(|name| name_fits(name, host))
    }

    /// Whether nobody else vouches for it.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }

    /// `until 2026-11-22`.
    pub(crate) fn end(&self) -> String {
        jiff::Timestamp::from_second(self.not_after)
            .map_or_else(|_| "?".to_owned(), |end| end.strftime("%Y-%m-%d %H:%M UTC").to_string())
    }
}

fn name_fits(name: &str, host: &str) -> bool {
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((_, parent))) => domain.eq_ignore_ascii_case(parent),
        _ => name.eq_ignore_ascii_case(host),
    }
}

/// The first certificate of a PEM file: Postfix serves that one.
pub(crate) fn first_of_pem(pem: &str) -> Option<Certificate> {
    let der = CertificateDer::pem_slice_iter(pem.as_bytes()).find_map(Result::ok)?;
    Certificate::of_der(&der)
}

/// Whether the first key of a PEM file fits a certificate. `None`: a kind of key we cannot judge.
pub(crate) fn key_fits(certificate: &Certificate, key: &PrivateKeyDer<'static>) -> Option<bool> {
    let key = any_supported_type(key).ok()?;
    let chain = vec![CertificateDer::from(certificate.der.clone())];
    match CertifiedKey::new(chain, key).keys_match() {
        Ok(()) => Some(true),
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => Some(false),
        Err(_) => None,
    }
}

/// The first key of a PEM file.
pub(crate) fn key_of_pem(pem: &str) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, host: &str, expected| assert_eq!(name_fits(name, host), expected, "{name} {host}");
        check("mail.example.org", "MAIL.example.org", true);
        check("*.example.org", "mail.example.org", true);
        check("*.example.org", "example.org", false);
        check("*.example.org", "a.mail.example.org", false);
        check("example.org", "mail.example.org", false);
        check("*", "mail", false);
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        for pem in [
            "",
            "nonsense",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n",
        ] {
            assert_eq!(first_of_pem(pem), None, "{pem}");
            assert!(key_of_pem(pem).is_none());
        }
        assert_eq!(Certificate::of_der(&[0x30, 0x82, 0xff, 0xff]), None);
    }
}
