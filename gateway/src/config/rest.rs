//! What a gateway has to know to take the part of a REST API: which one, and what its methods ask of a request
//! beside an authorizer. No table of TOML says it: it is read out of a template.

use std::fmt;

use super::ApiArn;

/// A REST API that the gateway takes the part of.
#[derive(Clone)]
pub(crate) struct Rest {
    pub(crate) api: ApiArn,
    /// SHA-256 of each API key.
    #[cfg(feature = "local")]
    pub(crate) keys: Vec<[u8; 32]>,
    #[cfg(feature = "local")]
    pub(crate) key_source: KeySource,
    /// Of each route, in their order.
    pub(crate) rules: Vec<Rules>,
}

/// Where the API key of a request is.
#[cfg(feature = "local")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// In `x-api-key`.
    #[default]
    Header,
    /// The authorizer says it.
    Authorizer,
}

/// What a method asks of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Whether answers are streamed.
    pub(crate) streams: bool,
    /// A signature, which is not checked.
    pub(crate) signed: bool,
    pub(crate) needs_key: bool,
}

/// Without the sums: whoever reads a log should not be able to try keys against them.
impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("api", &self.api).finish_non_exhaustive()
    }
}
