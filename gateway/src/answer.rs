//! An upstream's answer comes in; what the client's connection sends goes out. The body fails unless all of
//! it came, and so cuts the connection (HTTP/1.1) or resets the stream (HTTP/2).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use tokio::time::Instant;

use crate::ending::Ending;
use crate::event_stream_end::EventStreamEnd;
use crate::exchange::Exchange;
use crate::hop_by_hop;
use crate::passage::{Passage, in_time};
use crate::upstream::{Answer, Failure};

/// What the service calls the invocation.
const INVOCATION_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");

/// The type of a stream of server-sent events.
const EVENT_STREAM: &str = "text/event-stream";

/// The largest head of an answer that is passed on, in bytes of its names and values: as much as a stream's head may
/// have (`invoker`).
const HEAD_MAX: usize = 64 * 1024;

/// What a client is sent.
pub(crate) enum Sent {
    /// By the gateway itself.
    Own(Full<Bytes>, Box<Exchange>),
    /// From an upstream.
    Passed(Box<Passage>),
}

impl Sent {
    /// Ends it, and with it its upstream, for a reason that is the client's.
    pub(crate) fn give_up(self, reason: Failure) {
        match self {
            Self::Own(..) => {}
            Self::Passed(passage) => passage.fail(reason),
        }
    }
}

/// The response that begins an upstream's answer, which must be whole by `deadline`. One that has no body is
/// there when its upstream has ended, for nobody could be told of a failure behind it.
///
/// # Errors
///
/// The head is too large, or says of the length what cannot be; the upstream failed behind the head of an answer
/// without a body.
pub(crate) async fn response(
    answer: Answer,
    deadline: Option<Instant>,
    sse_errors: bool,
    mut exchange: Box<Exchange>,
) -> Result<Response<Sent>, (Failure, Box<Exchange>)> {
    let Answer { status, mut headers, body, request_id, executed_version } = answer;
    exchange.invocation_id.clone_from(&request_id);
    hop_by_hop::strip(&mut headers);
    for (name, value) in [(INVOCATION_ID, request_id), (EXECUTED_VERSION, executed_version)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    let has_body = has_body(&exchange.method, status);
    let actual = if has_body { body.size_hint().exact() } else { None };
    if let Err(reason) = size(&headers).and_then(|()| one_length(&mut headers, actual)) {
        let request_id = exchange.invocation_id.clone();
        let failure = Failure::new(Ending::Corrupt, StatusCode::BAD_GATEWAY, reason);
        return Err((Failure { request_id, ..failure }, exchange));
    }
    let body = if has_body {
        exchange.answered(status);
        let events = (sse_errors && is_plain_event_stream(&headers)).then(EventStreamEnd::default);
        if events.is_some() {
            headers.remove(header::CONTENT_LENGTH); // an event may follow
        }
        let promised = headers.get(header::CONTENT_LENGTH);
        let promised = promised.and_then(|value| value.to_str().ok()?.parse().ok());
        let passage = Passage::new(body, promised, deadline, events, exchange);
        Sent::Passed(Box::new(passage))
    } else {
        if let Err(failure) = in_time(deadline, nothing_more(body)).await {
            return Err((failure, exchange));
        }
        if [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT].contains(&status) {
            headers.remove(header::CONTENT_LENGTH); // RFC 9110, section 8.6
        }
        exchange.answered(status);
        exchange.ended(Ending::Whole);
        Sent::Own(Full::default(), exchange)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The gateway's own answer.
pub(crate) fn own(response: Response<Bytes>, exchange: Box<Exchange>) -> Response<Sent> {
    let (mut head, mut body) = response.into_parts();
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    if !has_body(&exchange.method, head.status) {
        body.clear(); // HTTP/2 would send it
    }
    Response::from_parts(head, Sent::Own(Full::new(body), exchange))
}

/// RFC 9110, sections 9.3.2, 15.3.5, 15.3.6 and 15.4.5.
fn has_body(method: &Method, status: StatusCode) -> bool {
    let without = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
    *method != Method::HEAD && !without.contains(&status)
}

fn size(headers: &HeaderMap) -> Result<(), &'static str> {
    let bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    match headers.iter().map(bytes).sum::<usize>() > HEAD_MAX {
        true => Err("the head of the answer has more than 64 KiB"),
        false => Ok(()),
    }
}

/// Makes one length of one that is there several times (RFC 9110, section 8.6). `actual` is the body's, if that is
/// known.
fn one_length(headers: &mut HeaderMap, actual: Option<u64>) -> Result<(), &'static str> {
    let mut said: Option<u64> = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for length in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            // `parse` alone would take a sign as well.
            let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(length).ok().filter(|_| digits);
            let length = length.and_then(|length| length.parse().ok());
            let length = length.ok_or("the content-length of the answer is no number")?;
            if said.replace(length).is_some_and(|before| before != length) {
                return Err("the answer has several lengths that differ");
            }
        }
    }
    let Some(said) = said else { return Ok(()) };
    if actual.is_some_and(|actual| actual != said) {
        return Err("the content-length of the answer is not its length");
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(said));
    Ok(())
}

/// An encoded one cannot be added to.
fn is_plain_event_stream(headers: &HeaderMap) -> bool {
    let of = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = of.and_then(|of| of.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(EVENT_STREAM) && !headers.contains_key(header::CONTENT_ENCODING)
}

/// Waits for the end, or for a byte: a function that sends some knows nothing of `HEAD`, and will go on.
async fn nothing_more(mut body: UnsyncBoxBody<Bytes, Failure>) -> Result<(), Failure> {
    while let Some(frame) = body.frame().await {
        if frame?.data_ref().is_some_and(|bytes| !bytes.is_empty()) {
            break;
        }
    }
    Ok(())
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match self.get_mut() {
            Self::Own(own, exchange) => {
                let polled = Pin::new(own).poll_frame(cx);
                if let Poll::Ready(Some(Ok(frame))) = &polled {
                    exchange.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                }
                polled.map_err(|never| match never {})
            }
            Self::Passed(passed) => Pin::new(&mut **passed).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(own, _) => own.is_end_stream(),
            Self::Passed(passed) => passed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(own, _) => own.size_hint(),
            Self::Passed(passed) => passed.size_hint(),
        }
    }
}
