//! Where functions are called, and as whom, as TOML has it.

use std::path::{Path, PathBuf};

use http::Uri;
use serde::Deserialize;
use toml::Spanned;

use super::{Wrong, tls};

/// What is not said is looked for as every AWS SDK does.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, expecting = "a table: [aws]")]
pub(crate) struct Aws {
    pub(crate) region: Option<String>,
    /// A section of the AWS configuration files.
    pub(crate) profile: Option<String>,
    /// In place of the service's.
    pub(crate) endpoint_url: Option<Spanned<String>>,
    /// What is assumed before functions are called.
    pub(crate) role_arn: Option<Spanned<String>>,
    /// PEM: whom to trust in place of the system's.
    pub(crate) ca_bundle: Option<Spanned<PathBuf>>,
    /// Whether nobody's credentials are looked for: the service is one of ours, on loopback.
    #[serde(skip)]
    pub(crate) placeholder: bool,
}

impl Aws {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        if let Some(url) = &self.endpoint_url
            && !is_url(url.get_ref())
        {
            let reason =
                "this is no URL of a service: write http://127.0.0.1:9000, or leave it out";
            wrong.push((Some(url.span()), reason.into()));
        }
        if let Some(role) = &self.role_arn
            && !(role.get_ref().starts_with("arn:") && role.get_ref().contains(":role/"))
        {
            let reason =
                format!("{:?} is no role: write arn:aws:iam::ACCOUNT:role/NAME", role.get_ref());
            wrong.push((Some(role.span()), reason));
        }
    }

    pub(super) fn beside(mut self, folder: &Path) -> Self {
        self.ca_bundle = self.ca_bundle.map(|file| tls::beside(folder, file));
        self
    }
}

/// Without a user or a password, which would be written down and sent.
pub(crate) fn is_url(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.host().is_some_and(|host| !host.is_empty())
            && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    })
}
