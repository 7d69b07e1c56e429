//! The events of one invocation go in; its head and its body come out, as a `Stream`, an
//! `AsyncRead` or an `http_body::Body`.

mod decoding;
pub(crate) mod passed_on;
mod trailer_text;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

use crate::content_encoding::Encoding;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, quotable};
use crate::head::{Beginning, Head, HeadReader};
use crate::invocation::{Begun, Events};
use crate::trace::Teller;
use decoding::Decoding;

/// The streamed result of one invocation.
///
/// Yields the bytes of the body as they arrive. The stream ends (`None`) only when the result is
/// whole: `InvokeComplete` came without an error, as many bytes as the head promised were
/// delivered, and nothing followed. Every other end is an `Err`, and the last item.
///
/// There is no buffer beyond one frame and one read of the socket: a reader that does not read
/// holds the function back.
///
/// The bytes are as they came, in the `content-encoding` that the head names, unless it is to be
/// [`decoded`](Self::decoded).
///
/// # Cancel safety
///
/// Dropping it ends the connection. The invocation itself runs on to its end and is billed: the
/// service does not cancel functions.
pub struct ResponseStream {
    events: Events,
    teller: Teller,
    begun: Begun,
    head: Option<Head>,
    /// Body bytes that came with the head.
    first: Bytes,
    /// What the head promised, in bytes.
    promised: Option<u64>,
    /// The length, in bytes, that a body without a promise must not have.
    doubtful: Option<u64>,
    /// Bytes of the body that have come, as they came.
    arrived: u64,
    /// `None` if they are handed on as they come.
    decoding: Option<Box<Decoding>>,
    keeper: trailer_text::Keeper,
    /// What may be delivered; either may be empty.
    ready: [Bytes; 2],
    phase: Phase,
    /// When it must be whole, and the timer for it.
    deadline: Option<(Deadline, Pin<Box<Sleep>>)>,
    /// The last bytes of a promised length, while their end is not proven: see `poll_frame`.
    last: Bytes,
    /// The rest of a slice that did not fit into the buffer of an `AsyncRead`.
    unread: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    /// The end is proven; what is ready is the last of it.
    Whole,
    /// The last item was delivered.
    Ended,
}

impl ResponseStream {
    /// Waits until it is certain whether there is a head, or for the first bytes where none is looked for.
    pub(crate) async fn begin(
        begun: Begun,
        events: Events,
        mut teller: Teller,
        heads: bool,
    ) -> Result<Self, Error> {
        teller.answered(begun.request_id.as_deref(), begun.executed_version.as_deref());
        match Self::with_head(begun, events, heads).await {
            Ok(begun) => Ok(begun(teller)),
            Err(error) => {
                teller.failed(&error);
                Err(error)
            }
        }
    }

    async fn with_head(
        mut begun: Begun,
        mut events: Events,
        heads: bool,
    ) -> Result<impl FnOnce(Teller) -> Self, Error> {
        let mut reader = HeadReader::default();
        let of_http = begun.http_head.take().map(Head::from);
        let (head, first) = loop {
            if of_http.is_some() {
                break (of_http, Bytes::new());
            }
            let payload = std::future::poll_fn(|cx| events.poll_payload(cx)).await;
            let beginning = match payload {
                Some(payload) if !heads => payload.map(Beginning::Body),
                Some(payload) => payload.and_then(|bytes| reader.push(bytes)),
                None => Ok(Beginning::Body(reader.finish())),
            };
            match beginning.map_err(|error| error.with_request_id(begun.request_id.as_deref()))? {
                Beginning::Undecided => {}
                Beginning::Head(head, first) => break (Some(head), first),
                Beginning::Body(first) => break (None, first),
            }
        };
        if let Some(head) = &head
            && let (Some(text), None) = (head.header("content-length"), head.content_length())
        {
            let message = format!("the head promises a content-length of {}", quotable(text));
            return Err(Error::new(ErrorKind::Inconsistent, message)
                .with_request_id(begun.request_id.as_deref()));
        }
        // These two speak of a body without having one (RFC 9110, sections 15.3.5 and 15.4.5).
        let has_body = |head: &&Head| !matches!(head.status, 204 | 304);
        let promised = head.as_ref().filter(has_body).and_then(Head::content_length);
        Ok(move |teller| Self {
            events,
            teller,
            begun,
            head,
            first,
            promised,
            doubtful: None,
            arrived: 0,
            decoding: None,
            keeper: trailer_text::Keeper::new(promised.is_some()),
            ready: Default::default(),
            phase: Phase::Reading,
            deadline: None,
            last: Bytes::new(),
            unread: Bytes::new(),
        })
    }

    /// The same, to be whole by `deadline`.
    pub(crate) fn until(mut self, deadline: Deadline) -> Self {
        self.deadline = deadline.timer().map(|timer| (deadline, timer));
        self
    }

    /// What the function promised before its body; `None` if it sent no head.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The version of the function that answers: `$LATEST` or a number.
    pub fn executed_version(&self) -> Option<&str> {
        self.begun.executed_version.as_deref()
    }

    /// The service's id of this invocation.
    pub fn request_id(&self) -> Option<&str> {
        self.begun.request_id.as_deref()
    }

    /// The length of the body that the head promised, in bytes; `None` if it is decoded, for the
    /// promise is of the encoded bytes.
    pub fn promised_len(&self) -> Option<u64> {
        self.promised.filter(|_| self.decoding.is_none())
    }

    /// Whether there is an encoding, which is taken off.
    pub(crate) fn is_decoded(&self) -> bool {
        self.decoding.is_some()
    }

    /// Bytes of the body that came so far, before they were decoded.
    pub fn received_bytes(&self) -> u64 {
        self.arrived
    }

    /// The same result without the `content-encoding` that its head names: zstd (with a window of up
    /// to 8 MiB), br or gzip. It is decoded as it arrives, 64 KiB at a time; it is whole only if its
    /// encoding ends where it ends. Without an encoding nothing changes.
    ///
    /// To be called before the first byte is read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inconsistent`] if it has an encoding that is none of these.
    pub fn decoded(mut self) -> Result<Self, Error> {
        let named = self.head.as_ref().map_or(Ok(None), Encoding::of);
        match named.map_err(|error| error.with_request_id(self.request_id()))? {
            // A body that is promised to be empty has no encoding either.
            Some(encoding) if self.promised != Some(0) => {
                self.decoding = Some(Box::new(Decoding::new(encoding, self.head.as_ref())));
            }
            _ => {}
        }
        Ok(self)
    }

    /// The same as the answer to a `HEAD`: what its head promises is of a body that is not sent.
    ///
    /// To be called before the first byte is read.
    pub fn without_promise(mut self) -> Self {
        self.promised = None;
        self
    }

    /// The last 4 KB of the function's log, once the stream has ended well and if they were asked
    /// for.
    pub fn log_tail(&self) -> Option<&Bytes> {
        self.events.completion()?.log_tail.as_ref()
    }

    /// The next bytes of the body, never empty; `None` when the result is whole.
    ///
    /// # Errors
    ///
    /// Whatever kept the result from being whole; after it there are no more items.
    ///
    /// # Cancel safety
    ///
    /// Safe: no byte is lost when the future is dropped.
    pub async fn next_bytes(&mut self) -> Option<Result<Bytes, Error>> {
        std::future::poll_fn(|cx| self.poll_next_bytes(cx)).await
    }

    fn poll_next_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match self.last.is_empty() {
            true => self.poll_body(cx),
            false => Poll::Ready(Some(Ok(std::mem::take(&mut self.last)))),
        }
    }

    /// Bytes still to be handed out, if their number is promised.
    fn left(&self) -> Option<u64> {
        let promised = self.promised_len()?;
        let waiting = self.ready.iter().map(Bytes::len).sum::<usize>() + self.keeper.held();
        let handed_out = self.arrived - (waiting + self.last.len()) as u64;
        Some(promised.saturating_sub(handed_out))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.phase == Phase::Ended {
            return Poll::Ready(None);
        }
        let item = match self.decoding.is_some() {
            true => ready!(self.poll_decoded(cx)),
            false => ready!(self.poll_received(cx)),
        };
        let id = self.begun.request_id.as_deref();
        let item = item.map(|item| item.map_err(|error| error.with_request_id(id)));
        if !matches!(item, Some(Ok(_))) {
            self.phase = Phase::Ended;
            self.teller.received(self.arrived);
            match &item {
                Some(Err(error)) => self.teller.failed(error),
                _ => self.teller.ended(),
            }
        }
        Poll::Ready(item)
    }

    /// The next bytes as they came; `None` when they are whole.
    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if let Some(bytes) = self.ready.iter_mut().find(|bytes| !bytes.is_empty()) {
                return Poll::Ready(Some(Ok(std::mem::take(bytes))));
            }
            if self.phase != Phase::Reading {
                return Poll::Ready(None);
            }
            let late = match &mut self.deadline {
                Some((deadline, timer)) => timer.as_mut().poll(cx).map(|()| deadline.passed()),
                None => Poll::Pending,
            };
            let next = match late {
                Poll::Ready(late) => Some(Err(late)),
                Poll::Pending if self.first.is_empty() => ready!(self.events.poll_payload(cx)),
                Poll::Pending => Some(Ok(std::mem::take(&mut self.first))),
            };
            let taken = match next {
                Some(Ok(bytes)) => self.take(bytes),
                // What the function says of itself tells more than how its connection ended.
                Some(Err(error)) => Err(self.keeper.broken_text().unwrap_or(error)),
                None => self.end(),
            };
            if let Err(error) = taken {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// The next bytes that those stand for; `None` when both are whole.
    fn poll_decoded(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        while let Some(decoding) = &mut self.decoding {
            match decoding.next() {
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Ok(None) => {}
                // What is no encoding may be the words of a runtime that has none for a failure.
                Err(error) => {
                    return Poll::Ready(Some(Err(self.keeper.broken_text().unwrap_or(error))));
                }
            }
            let received = ready!(self.poll_received(cx));
            match (received, &mut self.decoding) {
                (Some(Ok(bytes)), Some(decoding)) => decoding.push(bytes),
                (None, Some(decoding)) => return Poll::Ready(decoding.end().err().map(Err)),
                (received, _) => return Poll::Ready(received),
            }
        }
        Poll::Ready(None)
    }

    /// Takes bytes of the body, or says why they are none.
    fn take(&mut self, bytes: Bytes) -> Result<(), Error> {
        let before = self.arrived;
        self.arrived += bytes.len() as u64;
        let Some(promised) = self.promised else {
            // Some runtimes go on behind the text, as if nothing had been.
            let text = self.keeper.text().or_else(|| trailer_text::at_start(&bytes));
            self.ready = if text.is_none() { self.keeper.push(bytes) } else { Default::default() };
            return text.map_or(Ok(()), Err);
        };
        if self.arrived <= promised {
            self.ready = self.keeper.push(bytes);
            return Ok(());
        }
        let excess = trailer_text::at_start(&bytes[promised.saturating_sub(before) as usize..]);
        let through = self.keeper.push(bytes);
        if let Some(error) = self.keeper.text().or(excess) {
            return Err(error);
        }
        // A text that begins within the promise, or right behind it, may still go on.
        let kept_from = self.arrived - self.keeper.held() as u64;
        if self.keeper.held() > 0 && kept_from <= promised {
            self.ready = through;
            return Ok(());
        }
        let message =
            format!("the function sent more than the {promised} bytes that its head promised");
        Err(Error::new(ErrorKind::Inconsistent, message))
    }

    /// A range of `len` bytes was asked. A body of that very length, whose head promises none, may
    /// be the whole result or that part of it: nobody can tell.
    pub(crate) fn doubt(&mut self, len: u64) {
        self.doubtful = Some(len).filter(|_| self.promised.is_none());
    }

    /// The invocation ended well. So did the body, if all that was promised is there.
    fn end(&mut self) -> Result<(), Error> {
        let arrived = self.arrived;
        let kept = self.promised == Some(arrived);
        if !kept && let Some(error) = self.keeper.text() {
            return Err(error);
        }
        match self.promised {
            Some(promised) if !kept => {
                let message = format!(
                    "the body ended at {arrived} of the {promised} bytes that its head promised"
                );
                return Err(Error::new(ErrorKind::Truncated, message));
            }
            None if self.doubtful == Some(arrived) => {
                let message = format!(
                    "the answer promises no length, and is exactly as long as the {arrived} bytes \
                     that were asked first: it may be all or only a part; fetch it without segments"
                );
                return Err(Error::new(ErrorKind::Inconsistent, message));
            }
            _ => {}
        }
        self.ready[0] = self.keeper.release();
        self.phase = Phase::Whole;
        Ok(())
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        self.teller.received(self.arrived);
    }
}

impl std::fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseStream")
            .field("request_id", &self.begun.request_id)
            .field("executed_version", &self.begun.executed_version)
            .field("head", &self.head)
            .field("promised", &self.promised)
            .field("arrived", &self.arrived)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

impl Stream for ResponseStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_next_bytes(cx)
    }
}

impl http_body::Body for ResponseStream {
    type Data = Bytes;
    type Error = Error;

    /// The last bytes of a promised length are given when the end is proven, and not before: who sends
    /// them on with that length asks for nothing after them, and would miss the failure.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        loop {
            let next = ready!(self.poll_body(cx));
            let given = match next {
                Some(Ok(bytes)) if self.last.is_empty() && self.left() == Some(0) => {
                    self.last = bytes;
                    continue;
                }
                Some(Err(error)) => {
                    self.last = Bytes::new();
                    Some(Err(error))
                }
                Some(Ok(bytes)) if self.last.is_empty() => Some(Ok(bytes)),
                Some(Ok(bytes)) => Some(Ok(std::mem::replace(&mut self.last, bytes))),
                None => Some(Ok(std::mem::take(&mut self.last)))
                    .filter(|last| last.as_ref().is_ok_and(|last: &Bytes| !last.is_empty())),
            };
            return Poll::Ready(given.map(|bytes| bytes.map(http_body::Frame::data)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.phase == Phase::Ended && self.last.is_empty()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        passed_on::size_hint(self.left(), self.is_end_stream())
    }
}

impl AsyncRead for ResponseStream {
    /// The end of the file is the proven end; every other end is an error whose
    /// [`get_ref`](std::io::Error::get_ref) is an [`Error`].
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut unread = std::mem::take(&mut self.unread);
        let read = passed_on::poll_read(&mut unread, buf, || self.poll_next_bytes(cx));
        self.unread = unread;
        read
    }
}
