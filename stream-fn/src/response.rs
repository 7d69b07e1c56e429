//! What a handler has comes in: an object, a stream, a writer, a value; a [`Response`] goes out, which
//! is made into an answer once the request's range and preconditions are applied to it.

mod blocking_writer;

mod events;

mod writer;

use crate::error::BoxError;
use crate::failure::Failure;
use crate::source::{ByteStream, Object};
use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use std::fmt;
use std::future::Future;
use std::time::Duration;

pub use blocking_writer::BlockingWriter;
pub use events::{Event, HEARTBEAT};
pub use writer::Writer;

/// What a handler answers.
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) cookies: Vec<String>,
    pub(crate) content: Content,
    /// Whether it may be encoded; by its media type if nothing was said.
    pub(crate) compression: Option<bool>,
    /// A header that could not be set; told instead of the answer, because the setters are chained.
    pub(crate) flaw: Option<Failure>,
}

pub(crate) enum Content {
    /// Answered by range, with preconditions.
    Object(Object),
    /// Answered as it comes.
    Stream(ByteStream),
    /// JSON, in memory.
    Value(Bytes),
}

impl Response {
    fn new(content: Content) -> Self {
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            cookies: Vec::new(),
            content,
            compression: None,
            flaw: None,
        }
    }

    /// An object: the range and the preconditions of the request are applied to it, so that it can be
    /// fetched by ranges, resumed and checked.
    pub fn object(object: Object) -> Self {
        Self::new(Content::Object(object))
    }

    /// A stream of unknown length, unless [`content_length`](Self::content_length) promises one. Each
    /// item is one frame: a few tens of KiB are a good size. An error ends the answer as a failure.
    pub fn stream<S, B, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        let stream = stream.map(|item| item.map(Into::into).map_err(Into::into)).boxed();
        Self::new(Content::Stream(stream)).content_type("application/octet-stream")
    }

    /// What a future writes: `|writer| async move { writer.write_all(..).await?; Ok(()) }`.
    ///
    /// The future is run by the answer itself, between one frame and the next: it is slowed down by a
    /// slow receiver, and dropped if the receiver is gone. It is its result that says whether the answer
    /// is whole: an error or a panic ends the answer as a failure. A [`Writer`] that was moved to another
    /// task must be shut down there, or the answer fails: one that is only dropped may have been stopped.
    ///
    /// Frames are of up to 64 KiB: what was written is handed on when so much is there, when the future
    /// waits for anything, and on `flush`, which waits until it is.
    pub fn writer<F, W, E>(write: F) -> Self
    where
        F: FnOnce(Writer) -> W + Send + 'static,
        W: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let stream = writer::stream(write).boxed();
        Self::new(Content::Stream(stream)).content_type("application/octet-stream")
    }

    /// What a closure writes with `std::io::Write`: into a writer of CSV, Arrow or zip, say, that stands on
    /// this one.
    ///
    /// ```
    /// use std::io::Write;
    /// use stream_fn::Response;
    ///
    /// let response = Response::blocking_writer(|writer| {
    ///     for row in 0..1_000_000 {
    ///         writeln!(writer, "{row}")?;
    ///     }
    ///     std::io::Result::Ok(())
    /// });
    /// # drop(response);
    /// ```
    ///
    /// The closure runs on a thread for blocking work, and only borrows its writer: what it returns says
    /// whether the answer is whole; an error or a panic ends it as a failure. A writer on top of this one
    /// must be finished in the closure, and its errors returned: one that is dropped may swallow them.
    /// Frames are of 64 KiB, `flush` hands on at once what there is, and three frames are in memory at
    /// most. If the receiver is gone, or the deadline has come, the next write fails with `BrokenPipe`;
    /// nothing else can stop a thread.
    pub fn blocking_writer<F, E>(write: F) -> Self
    where
        F: FnOnce(&mut BlockingWriter) -> Result<(), E> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        Self::new(Content::Stream(blocking_writer::stream(write)))
            .content_type("application/octet-stream")
    }

    /// Server-Sent Events, as browsers' `EventSource` reads them (HTML standard, "Server-sent events"): each
    /// is a frame, sent at once. While there is none a comment line is sent every [`HEARTBEAT`], so that
    /// nobody on the way takes the connection for dead.
    ///
    /// The media type is `text/event-stream`, `cache-control` is `no-cache`, and nothing is compressed
    /// unless [`compression(true)`](Self::compression) is called. An error of the stream, or an [`Event`]
    /// that cannot be written, ends the answer as a failure.
    pub fn events<S, E>(events: S) -> Self
    where
        S: Stream<Item = Result<Event, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::events_with_heartbeat(events, HEARTBEAT)
    }

    /// The same as [`events`](Self::events), with another time between two heartbeats. One longer than the
    /// answer is none.
    pub fn events_with_heartbeat<S, E>(events: S, heartbeat: Duration) -> Self
    where
        S: Stream<Item = Result<Event, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let events = events.map(|event| event.map_err(Into::into)).boxed();
        Self::new(Content::Stream(events::stream(events, heartbeat)))
            .content_type("text/event-stream")
            .header("cache-control", "no-cache")
            .compression(false)
    }

    /// With headers as a web framework has them: cookies among them, and nothing put in.
    pub(crate) fn of_http(status: StatusCode, mut headers: HeaderMap, body: ByteStream) -> Self {
        let mut response = Self::new(Content::Stream(body)).status(status);
        if let http::header::Entry::Occupied(cookies) = headers.entry(SET_COOKIE) {
            for cookie in cookies.remove_entry_mult().1 {
                match cookie.to_str() {
                    Ok(cookie) => response.cookies.push(cookie.to_owned()),
                    Err(_) => {
                        let words = "the value of a set-cookie header is not plain text";
                        response.flaw.get_or_insert(Failure::new("InvalidHead", words));
                    }
                }
            }
        }
        Self { headers, ..response }
    }

    /// A value as JSON. A plain call gets the JSON and nothing else, as from any buffered function; an
    /// HTTP request gets it as a body with a head.
    pub fn value<T: Serialize + ?Sized>(value: &T) -> Self {
        let (json, flaw) = match serde_json::to_vec(value) {
            Ok(json) => (json, None),
            Err(error) => {
                let words = "the value cannot be written as JSON";
                (Vec::new(), Some(Failure::new("InvalidValue", words).because(error)))
            }
        };
        let response = Self::new(Content::Value(json.into())).content_type("application/json");
        Self { flaw, ..response }
    }

    /// The same as [`value`](Self::value).
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        Self::value(value)
    }

    /// A refusal with a status and a small JSON body, `{"message": "..."}`, to HTTP requests and plain
    /// calls alike: it always has a head.
    pub fn refusal(status: StatusCode, message: &str) -> Self {
        let json = serde_json::json!({ "message": message }).to_string();
        let length = json.len() as u64;
        let stream = futures_util::stream::iter([Ok(Bytes::from(json))]).boxed();
        Self::new(Content::Stream(stream))
            .status(status)
            .content_type("application/json")
            .content_length(length)
    }

    /// Sets the status. An object keeps it only if the whole of it is answered: ranges and
    /// preconditions have a status of their own.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds a header. A name given more than once has its values folded into one.
    ///
    /// A name or a value that HTTP does not allow fails the invocation with `Function.InvalidHead`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
            }
            _ => {
                let words = format!("the header {name:?} or its value is not valid");
                self.flaw.get_or_insert(Failure::new("InvalidHead", words));
            }
        }
        self
    }

    /// Sets the media type.
    #[must_use]
    pub fn content_type(mut self, media_type: &str) -> Self {
        self.headers.remove(CONTENT_TYPE);
        self.header(CONTENT_TYPE.as_str(), media_type)
    }

    /// Promises the length of a stream, in bytes. A body of another length is a failure.
    #[must_use]
    pub fn content_length(mut self, bytes: u64) -> Self {
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        self
    }

    /// Whether the answer may be compressed for a caller that accepts it. If this is not called, text is
    /// (by the media type: `text/*`, JSON, XML, CSV and their like), and nothing else.
    ///
    /// It is never compressed if the caller does not ask for it, if it is an object, which is served by
    /// range, or a part, if it already has a `content-encoding`, a checksum in a header, or
    /// `cache-control: no-transform`. A secret in one answer with words that its caller chose should not
    /// be compressed: the length would tell of it. Without the feature `compression` nothing is.
    #[must_use]
    pub fn compression(mut self, wanted: bool) -> Self {
        self.compression = Some(wanted);
        self
    }

    /// Adds a cookie: the value of a `Set-Cookie` header.
    #[must_use]
    pub fn cookie(mut self, cookie: impl Into<String>) -> Self {
        self.cookies.push(cookie.into());
        self
    }
}

impl From<Object> for Response {
    fn from(object: Object) -> Self {
        Self::object(object)
    }
}

/// Without the content, which is not ours to print.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}
