//! An answer or a failure of one invocation comes in; the request to the Runtime API that tells it goes
//! out, and what came of it.

use super::INVOCATION_ID;
use super::environment::Environment;
use crate::body::{Body, Watch};
use crate::failure::{ERROR_BODY, ERROR_TYPE, Failure};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, TRAILER, TRANSFER_ENCODING, USER_AGENT};
use http::request::Builder;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

type Outgoing = Either<Full<Bytes>, Body>;

const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");

/// Says that the body begins with a head.
const WITH_HEAD: HeaderValue =
    HeaderValue::from_static("application/vnd.awslambda.http-integration-response");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("stream-fn/", env!("CARGO_PKG_VERSION")));

/// The longest reply that is read so that its connection can be used again, in bytes. The Runtime API
/// replies with a line of JSON; whoever sends more gets a new connection.
const REPLY_MAX_BYTES: usize = 64 * 1024;

/// What the Runtime API had against an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the answer makes no http request")]
    Malformed(#[from] http::Error),
    #[error("the connection failed")]
    Connection(#[source] hyper_util::client::legacy::Error),
    #[error("the invocation has timed out or is not known any more (410)")]
    Gone,
    #[error("the reply was {0}")]
    Status(StatusCode),
}

pub(super) struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Outgoing>,
    authority: Authority,
    base_path: String,
}

impl Client {
    pub(super) fn new(environment: &Environment) -> Self {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(environment.concurrency)
            .build(connector());
        let (authority, base_path) =
            (environment.runtime_api.clone(), environment.base_path.clone());
        Self { http, authority, base_path }
    }

    /// JSON without a head.
    pub(super) async fn buffered(
        &self,
        request_id: &str,
        echo: Option<HeaderValue>,
        json: Bytes,
    ) -> Result<(), Refused> {
        let request = self
            .post(request_id, "response", echo)
            .header(CONTENT_TYPE, JSON)
            .body(Either::Left(Full::new(json)))?;
        self.send(request).await
    }

    /// A head and a body. Returns when all of it has been sent and taken, and not before: the next
    /// invocation must not overlap with this one.
    pub(super) async fn streamed(
        &self,
        request_id: &str,
        echo: Option<HeaderValue>,
        body: Body,
        watch: Watch,
    ) -> Result<(), Refused> {
        let request = self
            .post(request_id, "response", echo)
            .header(CONTENT_TYPE, WITH_HEAD)
            .header(RESPONSE_MODE, "streaming")
            .header(TRANSFER_ENCODING, "chunked")
            // Without being announced here trailers would be dropped by our own HTTP client.
            .header(TRAILER, HeaderValue::from(ERROR_TYPE))
            .header(TRAILER, HeaderValue::from(ERROR_BODY))
            .body(Either::Right(body))?;
        // A refusal drops `watch` and so cuts off a body that is still being sent. Some emulators
        // accept before they have read: then the body goes on.
        self.send(request).await?;
        watch.ended().await;
        Ok(())
    }

    /// A failure before any byte of an answer.
    pub(super) async fn failed(
        &self,
        request_id: &str,
        echo: Option<HeaderValue>,
        failure: &Failure,
    ) -> Result<(), Refused> {
        let request = self
            .post(request_id, "error", echo)
            .header(CONTENT_TYPE, JSON)
            .header(ERROR_TYPE, failure.type_header())
            .body(Either::Left(Full::new(failure.to_json())))?;
        self.send(request).await
    }

    fn post(&self, request_id: &str, what: &str, echo: Option<HeaderValue>) -> Builder {
        let Self { authority, base_path, .. } = self;
        let uri = format!(
            "http://{authority}{base_path}/2018-06-01/runtime/invocation/{request_id}/{what}"
        );
        let request = Request::builder().method(Method::POST).uri(uri).header(USER_AGENT, AGENT);
        match echo {
            Some(id) => request.header(INVOCATION_ID, id),
            None => request,
        }
    }

    async fn send(&self, request: Request<Outgoing>) -> Result<(), Refused> {
        let reply = self.http.request(request).await.map_err(Refused::Connection)?;
        let status = reply.status();
        // Only the status says something; a reply that cannot be read to its end costs a connection.
        let _unread = Limited::new(reply.into_body(), REPLY_MAX_BYTES).collect().await;
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(Refused::Gone),
            status => Err(Refused::Status(status)),
        }
    }
}

/// Sends at once what is written. Without that the second small write of an answer waits for the
/// receiver's delayed acknowledgement of the first: 40 ms on Linux.
fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::ServiceExt;

    #[tokio::test]
    async fn sockets_send_at_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let socket = connector().oneshot(uri).await.unwrap();
        assert!(socket.inner().nodelay().unwrap());
    }
}
