//! Exchanges that are over come in; counters and histograms in Prometheus' text go out. Labels are routes
//! as the configuration writes them, methods of a short list and words of the gateway's own: what clients
//! send makes no series.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::Method;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::exchange::Exchange;

/// The label of requests that no route takes.
const NO_ROUTE: &str = "none";

/// Bounds of times, in seconds: from a warm function's answer to the service's longest invocation (15
/// minutes; AWS Lambda developer guide, "Quotas").
const SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0,
    900.0,
];

type Labels<const N: usize> = [(&'static str, Arc<str>); N];
type Counters<const N: usize> = Family<Labels<N>, Counter<u64, AtomicU64>>;
type Times = Family<Labels<1>, Histogram, fn() -> Histogram>;

/// What a gateway has done since it started.
pub struct Metrics {
    registry: Registry,
    requests: Counters<3>,
    endings: Counters<2>,
    sent_bytes: Counters<1>,
    retries: Counters<1>,
    in_flight: Family<Labels<1>, Gauge>,
    time_to_head: Times,
    time_to_first_byte: Times,
    duration: Times,
    longest_gap: Times,
    reloads: Counters<1>,
    authorizations: Counters<3>,
    unlogged: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let times = || Times::new_with_constructor(|| Histogram::new(SECONDS));
        let mut metrics = Self {
            registry: Registry::with_prefix("stream_gateway"),
            requests: Family::default(),
            endings: Family::default(),
            sent_bytes: Family::default(),
            retries: Family::default(),
            in_flight: Family::default(),
            time_to_head: times(),
            time_to_first_byte: times(),
            duration: times(),
            longest_gap: times(),
            reloads: Family::default(),
            authorizations: Family::default(),
            unlogged: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let (requests, endings) = (self.requests.clone(), self.endings.clone());
        registry.register("requests", "Requests, by the class of their status", requests);
        registry.register("endings", "How exchanges ended", endings);
        let sent = self.sent_bytes.clone();
        registry.register_with_unit("sent", "Bodies handed to clients", Unit::Bytes, sent);
        registry.register("retries", "Upstreams asked again", self.retries.clone());
        registry.register("in_flight", "Exchanges that are not over", self.in_flight.clone());
        let times = [
            ("time_to_head", "From a request to the head of its answer", &self.time_to_head),
            (
                "time_to_first_byte",
                "The same to the first byte of the body",
                &self.time_to_first_byte,
            ),
            ("duration", "From a request to the end of its answer", &self.duration),
            ("longest_gap", "The upstream's longest silence within an answer", &self.longest_gap),
        ];
        for (name, help, family) in times {
            registry.register_with_unit(name, help, Unit::Seconds, family.clone());
        }
        registry.register("reloads", "Configurations taken or refused", self.reloads.clone());
        let authorizations = self.authorizations.clone();
        registry.register("authorizations", "Decisions of authorizers", authorizations);
        let unlogged = self.unlogged.clone();
        registry.register("access_log_dropped", "Exchanges that the log had no room for", unlogged);
    }

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

    /// An authorizer, by its name in the configuration, has decided: `allow`, `deny`, `unauthenticated`,
    /// `too-long`, `failed`. `source` is where it knew from: `asked`, `kept`, `known`.
    pub(crate) fn authorized(
        &self,
        authorizer: &str,
        decision: &'static str,
        source: &'static str,
    ) {
        let labels = [
            ("authorizer", authorizer.into()),
            ("decision", decision.into()),
            ("source", source.into()),
        ];
        self.authorizations.get_or_create(&labels).inc();
    }

    /// A request has a route.
    pub(crate) fn entered(&self, route: &Arc<str>) {
        self.in_flight.get_or_create(&[("route", Arc::clone(route))]).inc();
    }

    /// An exchange is over.
    pub(crate) fn over(&self, exchange: &Exchange, took: Duration) {
        let route = exchange.route.clone().unwrap_or_else(|| NO_ROUTE.into());
        let by_route = [("route", Arc::clone(&route))];
        let status = match exchange.status {
            Some(status) => format!("{}xx", status.as_u16() / 100).into(),
            None => "none".into(),
        };
        let method = ("method", method(&exchange.method).into());
        self.requests
            .get_or_create(&[("route", Arc::clone(&route)), method, ("status", status)])
            .inc();
        let ending = ("ending", exchange.ending().to_string().into());
        self.endings.get_or_create(&[("route", Arc::clone(&route)), ending]).inc();
        if exchange.route.is_none() {
            return; // the rest is of functions
        }
        self.in_flight.get_or_create(&by_route).dec();
        self.sent_bytes.get_or_create(&by_route).inc_by(exchange.bytes);
        if exchange.retries > 0 {
            self.retries.get_or_create(&by_route).inc_by(exchange.retries.into());
        }
        let times = [
            (&self.time_to_head, exchange.head_after),
            (&self.time_to_first_byte, exchange.first_byte_after),
            (&self.duration, Some(took)),
            (&self.longest_gap, exchange.first_byte_after.map(|_| exchange.longest_gap)),
        ];
        for (family, time) in times {
            if let Some(time) = time {
                family.get_or_create(&by_route).observe(time.as_secs_f64());
            }
        }
    }

    /// The access log had no room for one.
    pub(crate) fn unlogged(&self) {
        self.unlogged.inc();
    }
}

/// Of a method, which a client makes up, one of few words.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, StatusCode};

    use super::*;
    use crate::access_log::AccessLog;
    use crate::config;
    use crate::ending::Ending;
    use crate::exchange::Records;

    fn records() -> Arc<Records> {
        let access_log = AccessLog::open(&config::AccessLog::Off).unwrap();
        Arc::new(Records { metrics: Arc::new(Metrics::default()), access_log })
    }

    fn begin(records: &Arc<Records>, method: &str, path: &str) -> Exchange {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        Exchange::begin(records, &request, ([127, 0, 0, 1], 1).into(), "id".into())
    }

    fn has(rendered: &str, line: &str) {
        assert!(rendered.lines().any(|found| found == line), "no {line:?} in\n{rendered}");
    }

    #[test]
    fn exchanges_are_counted_by_route_and_ending() {
        let records = records();
        let route: Arc<str> = "/objects/{name}".into();
        let mut whole = begin(&records, "GET", "/objects/a");
        whole.on_route(&route);
        has(&records.metrics.render(), r#"stream_gateway_in_flight{route="/objects/{name}"} 1"#);
        whole.answered(StatusCode::OK);
        whole.passed(1_000);
        whole.retried();
        whole.ended(Ending::Whole);
        drop(whole);
        let mut left = begin(&records, "PURGE-7", "/objects/b");
        left.on_route(&route);
        left.passed(234);
        drop(left);
        let mut nowhere = begin(&records, "GET", "/x");
        nowhere.answered(StatusCode::NOT_FOUND);
        nowhere.ended(Ending::Rejected);
        drop(nowhere);

        let rendered = records.metrics.render();
        for line in [
            r#"stream_gateway_requests_total{route="/objects/{name}",method="GET",status="2xx"} 1"#,
            r#"stream_gateway_requests_total{route="/objects/{name}",method="other",status="none"} 1"#,
            r#"stream_gateway_requests_total{route="none",method="GET",status="4xx"} 1"#,
            r#"stream_gateway_endings_total{route="/objects/{name}",ending="whole"} 1"#,
            r#"stream_gateway_endings_total{route="/objects/{name}",ending="client-gone"} 1"#,
            r#"stream_gateway_endings_total{route="none",ending="rejected"} 1"#,
            r#"stream_gateway_sent_bytes_total{route="/objects/{name}"} 1234"#,
            r#"stream_gateway_retries_total{route="/objects/{name}"} 1"#,
            r#"stream_gateway_in_flight{route="/objects/{name}"} 0"#,
            r#"stream_gateway_time_to_head_seconds_count{route="/objects/{name}"} 1"#,
            r#"stream_gateway_time_to_first_byte_seconds_count{route="/objects/{name}"} 2"#,
            r#"stream_gateway_duration_seconds_count{route="/objects/{name}"} 2"#,
            r#"stream_gateway_longest_gap_seconds_count{route="/objects/{name}"} 2"#,
            "# EOF",
        ] {
            has(&rendered, line);
        }
    }

    #[test]
    fn reloads_and_decisions_are_counted() {
        let metrics = Metrics::default();
        metrics.reloaded(true);
        metrics.reloaded(false);
        metrics.authorized("staff", "deny", "kept");
        metrics.unlogged();
        let rendered = metrics.render();
        for line in [
            r#"stream_gateway_reloads_total{result="ok"} 1"#,
            r#"stream_gateway_reloads_total{result="refused"} 1"#,
            r#"stream_gateway_authorizations_total{authorizer="staff",decision="deny",source="kept"} 1"#,
            "stream_gateway_access_log_dropped_total 1",
        ] {
            has(&rendered, line);
        }
    }
}
