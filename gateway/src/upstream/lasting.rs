//! What upstreams of one configuration and of the next one have in common: connections, and functions that
//! run here.

use std::sync::{Mutex, OnceLock, PoisonError};

use invoker::{HttpClient, MemoryBudget};

#[cfg(feature = "local")]
use super::local::Services;

/// What a reload does not end. Made once for a gateway.
#[derive(Default)]
pub(crate) struct Lasting {
    http_client: OnceLock<HttpClient>,
    budget: Mutex<Option<MemoryBudget>>,
    #[cfg(feature = "local")]
    pub(super) services: Services,
}

impl Lasting {
    /// The one budget of so many bytes. Another limit makes another one, beside which what is left of the
    /// one before is held until its requests have ended.
    pub(super) fn budget(&self, limit: usize) -> MemoryBudget {
        let mut last = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let same = last.take().filter(|budget| budget.limit() == limit);
        last.insert(same.unwrap_or_else(|| MemoryBudget::of(limit))).clone()
    }

    /// Trusts the certificates of this system, which are read when they are first needed.
    pub(super) fn http_client(&self) -> Result<HttpClient, String> {
        if let Some(client) = self.http_client.get() {
            return Ok(client.clone());
        }
        let client = HttpClient::builder().build().map_err(|error| error.to_string())?;
        Ok(self.http_client.get_or_init(|| client).clone())
    }
}
