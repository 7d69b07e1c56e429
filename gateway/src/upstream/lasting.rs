//! What upstreams of one configuration and of the next one have in common: connections, and functions that
//! run here.

use std::sync::OnceLock;

use invoker::HttpClient;

#[cfg(feature = "local")]
use super::local::Services;

/// What a reload does not end. Made once for a gateway.
#[derive(Default)]
pub(crate) struct Lasting {
    http_client: OnceLock<HttpClient>,
    #[cfg(feature = "local")]
    pub(super) services: Services,
}

impl Lasting {
    /// Trusts the certificates of this system, which are read when they are first needed.
    pub(super) fn http_client(&self) -> Result<HttpClient, String> {
        if let Some(client) = self.http_client.get() {
            return Ok(client.clone());
        }
        let client = HttpClient::builder().build().map_err(|error| error.to_string())?;
        Ok(self.http_client.get_or_init(|| client).clone())
    }
}
