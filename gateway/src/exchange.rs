//! What happens to one request comes in as it happens; one line of the access log and its part in the
//! metrics go out when it is over, however that comes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Method, Request, StatusCode, Version};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::access_log::AccessLog;
use crate::ending::Ending;
use crate::hang_up::HangUp;
use crate::metrics::Metrics;
use crate::upstream::Failure;

/// The longest path that is logged, in bytes: a request's head may have as much as a connection's buffer.
const PATH_MAX: usize = 2 * 1024;

/// Where what happened is written down. Outlives every configuration.
pub(crate) struct Records {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) access_log: AccessLog,
}

/// One request and what became of it. It is over when this is dropped; without another word the client
/// has left.
pub(crate) struct Exchange {
    records: Arc<Records>,
    pub(crate) request_id: String,
    pub(crate) received: SystemTime,
    pub(crate) started: Instant,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) protocol: Version,
    pub(crate) peer: SocketAddr,
    /// Ends the connection, if it has no other exchange.
    pub(crate) hang_up: Option<HangUp>,
    /// The route's path as its configuration has it.
    pub(crate) route: Option<Arc<str>>,
    /// Who the client is, where an authorizer has said so.
    pub(crate) principal: Option<String>,
    pub(crate) invocation_id: Option<String>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) retries: u32,
    /// From the request's head to that of its answer.
    pub(crate) head_after: Option<Duration>,
    /// The same to the first byte of its body.
    pub(crate) first_byte_after: Option<Duration>,
    /// Since when the upstream has nothing for a connection that could send.
    silent_since: Option<Instant>,
    pub(crate) longest_gap: Duration,
    /// Of the body.
    pub(crate) bytes: u64,
    ending: Option<Ending>,
    pub(crate) error_type: Option<String>,
    /// What went wrong, for the operator.
    pub(crate) error: Option<String>,
    place: Option<OwnedSemaphorePermit>,
}

impl Exchange {
    pub(crate) fn begin<B>(
        records: &Arc<Records>,
        request: &Request<B>,
        peer: SocketAddr,
        request_id: String,
    ) -> Self {
        let path = request.uri().path();
        let end = path.floor_char_boundary(PATH_MAX);
        // Of older ones the end of the connection may be the end of an answer; newer ones have other streams.
        let alone = request.version() == Version::HTTP_11;
        let hang_up = request.extensions().get::<HangUp>().filter(|_| alone);
        Self {
            records: Arc::clone(records),
            request_id,
            received: SystemTime::now(),
            started: Instant::now(),
            method: request.method().clone(),
            path: path[..end].to_owned(),
            protocol: request.version(),
            peer,
            hang_up: hang_up.cloned(),
            route: None,
            principal: None,
            invocation_id: None,
            status: None,
            retries: 0,
            head_after: None,
            first_byte_after: None,
            silent_since: None,
            longest_gap: Duration::ZERO,
            bytes: 0,
            ending: None,
            error_type: None,
            error: None,
            place: None,
        }
    }

    pub(crate) fn on_route(&mut self, route: &Arc<str>) {
        self.records.metrics.entered(route);
        self.route = Some(Arc::clone(route));
    }

    /// Keeps the route's place until the exchange is over.
    pub(crate) fn takes(&mut self, place: OwnedSemaphorePermit) {
        self.place = Some(place);
    }

    pub(crate) fn retried(&mut self) {
        self.retries += 1;
    }

    /// The head of an answer goes out.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
        self.head_after = Some(self.started.elapsed());
    }

    /// Bytes of the body go out.
    pub(crate) fn passed(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let now = Instant::now();
        self.first_byte_after.get_or_insert_with(|| now - self.started);
        self.bytes += bytes as u64;
        self.heard(now);
    }

    /// The connection could send, and the upstream has nothing.
    pub(crate) fn waits(&mut self) {
        self.silent_since.get_or_insert_with(Instant::now);
    }

    fn heard(&mut self, now: Instant) {
        if let Some(since) = self.silent_since.take() {
            self.longest_gap = self.longest_gap.max(now - since);
        }
    }

    /// What ends it before or behind the head. The first word counts.
    pub(crate) fn failed(&mut self, failure: &Failure) {
        if self.ending.is_none() {
            self.error_type.clone_from(&failure.error_type);
            self.error = Some(failure.detail.clone());
            if failure.request_id.is_some() {
                self.invocation_id.clone_from(&failure.request_id);
            }
        }
        self.ended(failure.ending);
    }

    pub(crate) fn ended(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    pub(crate) fn ending(&self) -> Ending {
        self.ending.unwrap_or(Ending::ClientGone)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.heard(Instant::now());
        let took = self.started.elapsed();
        self.records.metrics.over(self, took);
        if !self.records.access_log.write(self, took) {
            self.records.metrics.unlogged();
        }
    }
}
