//! What a gateway does comes in; counters in Prometheus' text go out.

use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

type Labels<const N: usize> = [(&'static str, Arc<str>); N];

/// What a gateway has done since it started.
pub struct Metrics {
    registry: Registry,
    reloads: Family<Labels<1>, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("stream_gateway");
        let reloads = Family::default();
        registry.register("reloads", "Configurations taken or refused", reloads.clone());
        Self { registry, reloads }
    }
}

impl Metrics {
    /// All of it, as `application/openmetrics-text; version=1.0.0; charset=utf-8`, which Prometheus
    /// reads.
    pub fn render(&self) -> String {
        let mut rendered = String::new();
        // Writing into a string does not fail.
        let _ = text::encode(&mut rendered, &self.registry);
        rendered
    }

    /// A configuration was read anew: taken, or refused.
    pub(crate) fn reloaded(&self, taken: bool) {
        let result = if taken { "ok" } else { "refused" };
        self.reloads.get_or_create(&[("result", result.into())]).inc();
    }
}
