//! Who waits for the function's answer: in, the answer as it comes; out, to the caller of the
//! streaming operation frames at the service's pace, to the caller of `Invoke` one body, to the visitor
//! of a Function URL what `visitor` makes of it, to nobody nothing.

use crate::answer::{AnswerBody, frames, whole};
use crate::frames::{Encoded, InvokeComplete, invoke_complete, payload_chunk};
use crate::invocation::Failure;
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::relay::flow::{Flow, TooLarge};
use crate::relay::visitor::Visitor;
use aws_smithy_eventstream::error::Error;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tokio::sync::{mpsc, oneshot};

/// Where the HTTP answer goes, once its head is known.
pub(crate) type HeadSender = oneshot::Sender<Response<AnswerBody>>;

/// The caller's side of an invocation.
pub(crate) enum Caller {
    /// Of `InvokeWithResponseStream`.
    Streamed(Streamed),
    /// Of `Invoke`.
    Buffered(Buffered),
    /// Of a Function URL.
    Visitor(Visitor),
    /// One who is refused when the function has come to its end.
    Refused { head: HeadSender, refusal: Refusal },
    /// Of `Invoke` with the type `Event`, who was answered already.
    Nobody,
}

impl Caller {
    /// The function begins to answer, with a body of this type if it says so.
    pub(crate) fn begin(&mut self, content_type: Option<HeaderValue>) {
        match self {
            Self::Streamed(streamed) => streamed.begin(),
            Self::Visitor(visitor) => visitor.begin(content_type),
            Self::Buffered(_) | Self::Refused { .. } | Self::Nobody => {}
        }
    }

    /// Passes bytes on. Waits for the pace, and for a caller who does not read. Once the caller is
    /// gone the bytes are only counted, as fast as they come.
    pub(crate) async fn data(&mut self, data: Bytes) -> Result<(), TooLarge> {
        match self {
            Self::Streamed(streamed) => streamed.data(data).await,
            Self::Buffered(buffered) => buffered.data(&data),
            Self::Visitor(visitor) => visitor.data(data).await,
            Self::Refused { .. } | Self::Nobody => Ok(()),
        }
    }

    /// Whether bytes that are passed on may still reach somebody.
    pub(crate) fn listens(&self) -> bool {
        match self {
            Self::Streamed(streamed) => !streamed.frames.is_closed(),
            Self::Buffered(_) => true,
            Self::Visitor(visitor) => visitor.listens(),
            Self::Refused { .. } | Self::Nobody => false,
        }
    }

    /// Tells the caller how it ended.
    pub(crate) async fn end(self, failure: Option<Failure>, log_tail: Bytes) {
        match self {
            Self::Streamed(streamed) => streamed.end(failure, &log_tail).await,
            Self::Buffered(buffered) => buffered.end(failure, &log_tail),
            Self::Visitor(visitor) => visitor.end(failure.is_some()).await,
            Self::Refused { head, refusal } => drop(head.send(refusal.into_response())),
            Self::Nobody => {}
        }
    }

    /// Tells the caller that the invocation was not started after all.
    pub(crate) fn refuse(self, refusal: Refusal) {
        let head = match self {
            Self::Streamed(streamed) => streamed.head,
            Self::Buffered(buffered) => Some(buffered.head),
            Self::Refused { head, .. } => Some(head),
            Self::Visitor(visitor) => return visitor.refuse(refusal),
            Self::Nobody => None,
        };
        if let Some(head) = head {
            // A caller who left needs no answer; so below.
            let _ = head.send(refusal.into_response());
        }
    }
}

/// The caller of `InvokeWithResponseStream`.
pub(crate) struct Streamed {
    /// Until the head is sent.
    head: Option<HeadSender>,
    body: Option<AnswerBody>,
    frames: mpsc::Sender<Result<Encoded, Error>>,
    flow: Flow,
    wants_log: bool,
}

impl Streamed {
    pub(crate) fn new(head: HeadSender, limits: &Limits, wants_log: bool) -> Self {
        let (frames, body) = frames();
        Self { head: Some(head), body: Some(body), frames, flow: Flow::new(limits), wants_log }
    }

    fn begin(&mut self) {
        if let (Some(head), Some(body)) = (self.head.take(), self.body.take()) {
            let mut response = Response::new(body);
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/vnd.amazon.eventstream"),
            );
            let _ = head.send(response);
        }
    }

    async fn data(&mut self, mut data: Bytes) -> Result<(), TooLarge> {
        let within = self.flow.admit(&mut data);
        while !data.is_empty() && !self.frames.is_closed() {
            let mut piece = self.flow.next(&mut data, self.frames.closed()).await;
            while !piece.is_empty() {
                // Closed means that the caller left, which changes nothing for the function.
                let _ = self.frames.send(payload_chunk(&mut piece)).await;
            }
        }
        within
    }

    async fn end(mut self, failure: Option<Failure>, log_tail: &Bytes) {
        self.begin();
        let (error_code, error_details) = match failure {
            None => (None, None),
            Some(Failure { code, details }) => {
                (Some(code), Some(String::from_utf8_lossy(&details).into_owned()))
            }
        };
        let log_result = self.wants_log.then(|| BASE64_STANDARD.encode(log_tail));
        let event = InvokeComplete { error_code, error_details, log_result };
        let _ = self.frames.send(invoke_complete(&event)).await;
    }
}

/// The caller of `Invoke`.
pub(crate) struct Buffered {
    head: HeadSender,
    payload: BytesMut,
    limit_bytes: Option<u64>,
    wants_log: bool,
}

impl Buffered {
    pub(crate) fn new(head: HeadSender, limits: &Limits, wants_log: bool) -> Self {
        Self {
            head,
            payload: BytesMut::new(),
            limit_bytes: limits.buffered_response_bytes,
            wants_log,
        }
    }

    fn data(&mut self, data: &[u8]) -> Result<(), TooLarge> {
        if let Some(limit) = self.limit_bytes
            && (self.payload.len() + data.len()) as u64 > limit
        {
            return Err(TooLarge { limit });
        }
        self.payload.extend_from_slice(data);
        Ok(())
    }

    fn end(self, failure: Option<Failure>, log_tail: &Bytes) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let payload = match failure {
            None => self.payload.freeze(),
            Some(failure) => {
                // The header knows one word for every failure; the payload says which.
                headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
                failure.details
            }
        };
        if self.wants_log
            && let Ok(tail) = HeaderValue::from_str(&BASE64_STANDARD.encode(log_tail))
        {
            headers.insert("x-amz-log-result", tail);
        }
        let mut response = Response::new(whole(payload));
        *response.status_mut() = StatusCode::OK;
        *response.headers_mut() = headers;
        let _ = self.head.send(response);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Pace;
    use aws_smithy_eventstream::frame::read_message_from;
    use http_body_util::BodyExt as _;
    use std::time::Duration;
    use tokio::time::Instant;

    fn streamed(limits: Limits) -> (Streamed, oneshot::Receiver<Response<AnswerBody>>) {
        let (head, response) = oneshot::channel();
        (Streamed::new(head, &limits, false), response)
    }

    async fn payload_lengths(response: Response<AnswerBody>) -> Vec<usize> {
        let mut body = response.into_body();
        let mut lengths = Vec::new();
        while let Some(frame) = body.frame().await {
            let mut encoded = frame.unwrap().into_data().unwrap();
            lengths.push(read_message_from(&mut encoded).unwrap().payload().len());
        }
        lengths
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_does_not_fit_leaves_in_pieces_each_when_it_fits() {
        let pace = Pace {
            burst_bytes: 64 * 1024,
            refill_bytes: 16 * 1024,
            refill_every: Duration::from_millis(125),
        };
        let (mut caller, response) = streamed(Limits::off().with_pace(Some(pace)));
        let start = Instant::now();
        let reading = tokio::spawn(async move { payload_lengths(response.await.unwrap()).await });
        caller.begin();
        caller.data(Bytes::from(vec![1; 64 * 1024])).await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        caller.data(Bytes::from(vec![2; 40 * 1024])).await.unwrap();
        // 32 KiB need two refills, the remaining 8 KiB a third.
        assert_eq!(start.elapsed().as_millis() / 10, 37);
        caller.end(None, &Bytes::new()).await;
        assert_eq!(reading.await.unwrap(), [64 * 1024, 32 * 1024, 8 * 1024, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_caller_there_is_no_pace() {
        let (mut caller, response) = streamed(Limits::aws());
        drop(response);
        caller.begin();
        let start = Instant::now();
        for _ in 0..1_000 {
            caller.data(Bytes::from(vec![0; 64 * 1024])).await.unwrap();
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_response_is_cut_exactly_at_its_limit() {
        let limits = Limits::off().with_streamed_response_bytes(Some(10));
        let (mut caller, response) = streamed(limits);
        let reading = tokio::spawn(async move { payload_lengths(response.await.unwrap()).await });
        caller.begin();
        caller.data(Bytes::from_static(b"1234567")).await.unwrap();
        let overflow = caller.data(Bytes::from_static(b"8901")).await.unwrap_err();
        assert_eq!(overflow.limit, 10);
        drop(caller);
        assert_eq!(reading.await.unwrap(), [7, 3]);
    }
}
