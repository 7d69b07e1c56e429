//! Certificates, or the wish for those of this system, go in; what TLS trusts comes out.

use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, ErrorKind};

/// Whose word is taken for who a server is.
#[derive(Clone, Debug, Default)]
pub(super) enum Roots {
    /// The root certificates of this system.
    #[default]
    System,
    /// These.
    Given(Arc<RootCertStore>),
}

/// The certificates of a PEM text.
pub(super) fn bundle(pem: &[u8]) -> Result<Roots, Error> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let number = index + 1;
        // The parser's words quote the text, which may have a key in it.
        let certificate =
            certificate.map_err(|_| unusable(format!("certificate {number} is no PEM")))?;
        roots.add(certificate).map_err(|error| {
            unusable(format!("certificate {number} cannot be used")).with_source(error)
        })?;
    }
    if roots.is_empty() {
        return Err(unusable("no certificate is in it (PEM: -----BEGIN CERTIFICATE-----)".into()));
    }
    Ok(Roots::Given(Arc::new(roots)))
}

fn unusable(why: String) -> Error {
    Error::new(ErrorKind::Configuration, why)
}

impl Roots {
    /// Nobody's word.
    pub(super) fn none() -> Self {
        Self::Given(Arc::new(RootCertStore::empty()))
    }

    /// How a connection is protected.
    pub(super) fn tls(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("TLS cannot be set up".into()).with_source(error))?;
        let tls = match self {
            Self::System => tls.with_native_roots().map_err(|error| {
                let message = "no root certificates of this system can be used";
                unusable(message.into()).with_source(error)
            })?,
            Self::Given(roots) => tls.with_root_certificates(Arc::clone(roots)),
        };
        Ok(tls.with_no_client_auth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_named() {
        let table = [
            (&b""[..], "no certificate is in it"),
            (b"plain words", "no certificate is in it"),
            (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no certificate"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1"),
            (b"-----BEGIN CERTIFICATE-----\n secret", "certificate 1 is no PEM"),
        ];
        for (pem, expected) in table {
            let error = bundle(pem).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!format!("{error:?}").contains("secret"));
        }
    }
}
