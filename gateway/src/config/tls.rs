//! The files of a certificate, as TOML has them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

/// With what the gateway proves who it is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(
    deny_unknown_fields,
    expecting = "tls = { certificate = \"chain.pem\", key = \"key.pem\" }"
)]
pub(crate) struct Tls {
    /// PEM: the certificate, and those that vouch for it.
    pub(crate) certificate: Spanned<PathBuf>,
    /// PEM.
    pub(crate) key: Spanned<PathBuf>,
}

impl Tls {
    /// With the files looked for in this folder.
    pub(super) fn beside(self, folder: &Path) -> Self {
        Self { certificate: beside(folder, self.certificate), key: beside(folder, self.key) }
    }
}

pub(super) fn beside(folder: &Path, file: Spanned<PathBuf>) -> Spanned<PathBuf> {
    Spanned::new(file.span(), folder.join(file.into_inner()))
}
