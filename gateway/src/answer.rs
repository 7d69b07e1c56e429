//! An upstream's answer comes in; what the client's connection sends goes out. The body fails unless all of
//! it came, and so cuts the connection (HTTP/1.1) or resets the stream (HTTP/2).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;

use crate::hop_by_hop;
use crate::upstream::{Answer, Failure};

/// The id by which the gateway, its log and its client know a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What the service calls the invocation.
const INVOCATION_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");

/// What a client is sent.
pub(crate) enum Sent {
    /// By the gateway itself.
    Own(Full<Bytes>),
    /// From an upstream.
    Passed(UnsyncBoxBody<Bytes, Failure>),
}

/// The response that begins an upstream's answer.
pub(crate) fn response(answer: Answer, has_body: bool) -> Response<Sent> {
    let Answer { status, mut headers, body, request_id, executed_version } = answer;
    hop_by_hop::strip(&mut headers);
    for (name, value) in [(INVOCATION_ID, request_id), (EXECUTED_VERSION, executed_version)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    let body = if has_body { Sent::Passed(body) } else { Sent::Own(Full::default()) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match self.get_mut() {
            Self::Own(own) => Pin::new(own).poll_frame(cx).map_err(|never| match never {}),
            Self::Passed(passed) => Pin::new(passed).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(own) => own.is_end_stream(),
            Self::Passed(passed) => passed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(own) => own.size_hint(),
            Self::Passed(passed) => passed.size_hint(),
        }
    }
}
