//! The raw body of an answer goes in; payload bytes come out, and "no more" only after
//! `InvokeComplete` without an error.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::Body as _;

use super::ending::{Completion, read_invoke_complete};
use super::silence::{Silence, TooLong};
use crate::error::{Error, ErrorKind, quotable, refusal_kind, told};
use crate::event_stream::{Decoded, Decoder, Frame, FrameError, Headers, Payload};
use crate::meter::Running;

/// How long the end of the body is awaited once `InvokeComplete` is there. The result is whole by
/// then; the wait only gives bytes that should not be there the time to show themselves.
const END_GRACE: Duration = Duration::from_secs(1);

/// The longest exception of the service that is read for its message, in bytes. Its model has none
/// with more than a line.
const EXCEPTION_LIMIT: usize = 8 * 1024;

/// The events of one answer of the service, as they arrive.
///
/// Holds at most one frame that is not whole, and the slices of one that is.
pub(crate) struct Frames {
    body: Pin<Box<SdkBody>>,
    decoder: Decoder,
    /// Slices of the last PayloadChunk that were not asked for yet.
    ready: smallvec::IntoIter<[Bytes; 2]>,
    /// The headers of the last PayloadChunk. As a rule those of the next one are the same.
    payload_chunk: Option<Headers>,
    /// Bytes of payload taken from frames so far.
    received: u64,
    end: End,
    silence: Silence,
    running: Running,
}

/// How far the answer is.
enum End {
    NotYet,
    /// `InvokeComplete` came without an error; the end of the body is still to come.
    Complete(Completion),
    /// The body ended as well.
    Closed(Completion),
    /// An error was returned; there is nothing after it.
    Failed,
}

impl Frames {
    pub(super) fn new(body: SdkBody, silence: Silence, running: Running) -> Self {
        Self {
            body: Box::pin(body),
            decoder: Decoder::default(),
            ready: Payload::new().into_iter(),
            payload_chunk: None,
            received: 0,
            end: End::NotYet,
            silence,
            running,
        }
    }

    /// The next bytes of the payload; `None` when the invocation is proven to have ended well.
    ///
    /// The first error is the last thing it says: after it comes `None`.
    pub(crate) fn poll_payload(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        let polled = ready!(self.poll_slice(cx));
        // A function that failed has ended; of a broken stream nobody knows.
        let failed = |error: &Error| matches!(error.kind(), ErrorKind::Function { .. });
        match &polled {
            Some(Ok(bytes)) => self.running.read(bytes.len() as u64),
            Some(Err(error)) if !failed(error) => {}
            Some(Err(_)) | None => self.running.ended(),
        }
        if let Some(Err(_)) = polled {
            self.end = End::Failed;
            self.ready = Payload::new().into_iter();
        }
        Poll::Ready(polled)
    }

    /// What the end carried, once `poll_payload` has returned `None`.
    pub(crate) fn completion(&self) -> Option<&Completion> {
        match &self.end {
            End::Closed(completion) => Some(completion),
            _ => None,
        }
    }

    fn poll_slice(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if let Some(slice) = self.ready.next() {
                self.received += slice.len() as u64;
                return Poll::Ready(Some(Ok(slice)));
            }
            if matches!(self.end, End::Closed(_) | End::Failed) {
                return Poll::Ready(None);
            }
            match self.decoder.decode() {
                Ok(Decoded::Complete(frame)) => {
                    if let Err(error) = self.take_frame(frame) {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                // However little there is behind the end, and however slowly it comes.
                Ok(Decoded::Incomplete)
                    if matches!(self.end, End::Complete(_)) && self.decoder.finish().is_err() =>
                {
                    return Poll::Ready(Some(Err(after_the_end())));
                }
                Ok(Decoded::Incomplete) => match ready!(self.poll_read(cx)) {
                    Ok(()) => {}
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                Err(error) => return Poll::Ready(Some(Err(self.broken_frame(error)))),
            }
        }
    }

    /// Reads once from the body into the decoder, or notes the end of the body.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let read = match self.body.as_mut().poll_frame(cx) {
            Poll::Ready(read) => read,
            Poll::Pending => return self.silence.poll(cx).map(|reached| self.too_silent(reached)),
        };
        Poll::Ready(match read {
            Some(Ok(frame)) => {
                // Trailers say nothing here: the end of an event stream is an event.
                let bytes = frame.into_data().unwrap_or_default();
                self.silence.broken(bytes.len());
                self.decoder.push(bytes);
                Ok(())
            }
            Some(Err(error)) => self.close(Some(error)),
            None => self.close(None),
        })
    }

    /// The body ended, cleanly or with `error`.
    fn close(&mut self, error: Option<BoxError>) -> Result<(), Error> {
        match (std::mem::replace(&mut self.end, End::Failed), self.decoder.finish(), error) {
            // The proof of the end was there: how the connection ended adds nothing.
            (End::Complete(completion), Ok(()), _) => {
                self.end = End::Closed(completion);
                Ok(())
            }
            (_, _, Some(error)) => Err(Error::broken_body(self.received, error)),
            (_, Err(unfinished), None) => Err(self.broken_frame(unfinished)),
            (_, Ok(()), None) => {
                let message = format!(
                    "the stream ended after {} bytes of the result, without InvokeComplete",
                    self.received
                );
                Err(Error::new(ErrorKind::Truncated, message))
            }
        }
    }

    fn too_silent(&mut self, reached: TooLong) -> Result<(), Error> {
        match std::mem::replace(&mut self.end, End::Failed) {
            End::Complete(completion) => {
                self.end = End::Closed(completion);
                Ok(())
            }
            _ => Err(reached.error(self.received)),
        }
    }

    fn broken_frame(&self, error: FrameError) -> Error {
        let kind = match error {
            FrameError::Unfinished { .. } => ErrorKind::Truncated,
            _ => ErrorKind::Corrupt,
        };
        let message = format!("the event stream broke after {} bytes of the result", self.received);
        Error::new(kind, message).with_source(error)
    }

    fn take_frame(&mut self, frame: Frame) -> Result<(), Error> {
        if matches!(self.end, End::Complete(_)) {
            return Err(after_the_end());
        }
        if self.payload_chunk.as_ref() == Some(&frame.headers) {
            self.ready = frame.payload.into_iter();
            return Ok(());
        }
        match frame.headers.string(":message-type") {
            Some("event") => {}
            Some("error") => return Err(refused_midway(&frame, ":error-code")),
            Some("exception") => return Err(refused_midway(&frame, ":exception-type")),
            _ => {
                return Err(Error::new(
                    ErrorKind::Corrupt,
                    "a frame of the stream has no known :message-type",
                ));
            }
        }
        match frame.headers.string(":event-type") {
            Some("PayloadChunk") => {
                self.payload_chunk = Some(frame.headers);
                self.ready = frame.payload.into_iter();
            }
            Some("InvokeComplete") => {
                let completion = match &frame.payload[..] {
                    [whole] => read_invoke_complete(whole),
                    slices => read_invoke_complete(&slices.concat()),
                };
                self.end = End::Complete(completion?);
                self.silence.cut_to(END_GRACE);
            }
            // An event of a later version of the service: not ours to judge.
            _ => {}
        }
        Ok(())
    }
}

fn after_the_end() -> Error {
    Error::new(ErrorKind::Corrupt, "more bytes followed InvokeComplete, the end of the stream")
}

fn refused_midway(frame: &Frame, code_header: &str) -> Error {
    /// The status of the HTTP head, which was sent long ago.
    const STATUS: u16 = 200;
    let code = frame.headers.string(code_header).unwrap_or("an error without a name");
    let code = quotable(code);
    let text = match frame.headers.string(":error-message") {
        Some(text) => told(text),
        None => exception_message(frame).unwrap_or_default(),
    };
    let mut message = format!("the service broke the stream off with {code}");
    if !text.is_empty() {
        message = format!("{message}: {text}");
    }
    Error::new(refusal_kind(STATUS, code), message)
}

/// An exception's words are in its JSON, as those of a refusal are.
fn exception_message(frame: &Frame) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Exception {
        #[serde(alias = "Message")]
        message: String,
    }
    let len: usize = frame.payload.iter().map(Bytes::len).sum();
    if len > EXCEPTION_LIMIT {
        return None;
    }
    let exception: Exception = serde_json::from_slice(&frame.payload.concat()).ok()?;
    Some(told(&exception.message))
}
