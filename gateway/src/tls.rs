//! The files of a certificate and its key come in; what makes a client's connection private goes out.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use toml::Spanned;

use crate::config::{Tls, Wrong};

/// The protocols that clients may choose, ours first (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Reads the files now.
///
/// # Errors
///
/// Which of them cannot be used, and why; never what is in them.
pub(crate) fn acceptor(tls: &Tls) -> Result<TlsAcceptor, Wrong> {
    let certificate = tls.certificate.get_ref();
    let of_certificate = |why: String| wrong(&tls.certificate, "certificate", certificate, &why);
    let pem = read(certificate).map_err(of_certificate)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| of_certificate(format!("is no PEM: {error}")))?;
    if chain.is_empty() {
        return Err(of_certificate("has no certificate in PEM".into()));
    }
    let of_key = |why: String| wrong(&tls.key, "key", tls.key.get_ref(), &why);
    let pem = read(tls.key.get_ref()).map_err(of_key)?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| of_key("has no private key in PEM without a password".into()))?;
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| of_certificate(error.to_string()))?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(
        |error| match error {
            rustls::Error::InconsistentKeys(_) => of_key("is not the certificate's".into()),
            error => of_certificate(format!("cannot be used: {error}")),
        },
    )?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))
}

fn wrong<T>(at: &Spanned<T>, setting: &str, file: &Path, why: &str) -> Wrong {
    let span: Range<usize> = at.span();
    (Some(span), format!("the {setting} {} {why}", file.display()))
}
