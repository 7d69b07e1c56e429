//! What upstreams of one configuration and of the next one have in common: functions that run here.

#[cfg(feature = "local")]
use super::local::Services;

/// What a reload does not end. Made once for a gateway.
#[derive(Default)]
pub(crate) struct Lasting {
    #[cfg(feature = "local")]
    pub(super) services: Services,
}
