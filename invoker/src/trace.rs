//! What becomes of an invocation goes in; a `tracing` span and its events come out, under the names
//! that OpenTelemetry has for them.
//!
//! Each invocation is one span, [`SPAN`], at the level INFO, from its call until its end is known or
//! nobody waits for it any more. Its events are at the level DEBUG. Their fields are numbers, names
//! and kinds of errors: never payload, never credentials. Without a subscriber a span costs the look
//! at one atomic number.

use std::ops::Range;

use tokio::time::Instant;
use tracing::Span;
use tracing::field::Empty;

use crate::byte_range;
use crate::error::Error;

const MILLIS_PER_SECOND: f64 = 1e3;

/// The target of the span and of its events, for filters such as `RUST_LOG=invoker::invocation=debug`.
pub const TARGET: &str = "invoker::invocation";

/// The name of the span of one invocation.
pub const SPAN: &str = "faas.invoke";

/// A field of the span: the function, by the name it was called; of an URL without the query.
pub const FUNCTION: &str = "faas.invoked_name";

/// A field of the span: whose function it is, always `aws`.
pub const PROVIDER: &str = "faas.invoked_provider";

/// A field of the span: the region that is called, where it is known.
pub const REGION: &str = "cloud.region";

/// A field of the span: the service's id of the invocation, once it has answered.
pub const REQUEST_ID: &str = "aws.request_id";

/// A field of the span: the offset of the first byte that is asked for, if it is a segment.
pub const SEGMENT_START: &str = "invoker.segment.start";

/// A field of the span: the offset behind the last byte that is asked for, if it is a segment.
pub const SEGMENT_END: &str = "invoker.segment.end";

/// A field of the span: the kind of its failure, such as `Truncated`.
pub const ERROR: &str = "error.type";

/// The message of the event, at the level TRACE, of an answer that has begun; its fields are
/// `executed_version` and [`AFTER`].
pub const ANSWERED: &str = "the answer has begun";

/// The message of the event of a whole answer. The three events of an end have the same fields: `range`
/// (as in HTTP, of a segment), `request_id`, `first_byte_ms` (from the call to the head), [`BYTES`],
/// [`AFTER`], `bytes_per_second` and `outcome`, which is `whole`, `left` or the kind of the failure.
pub const ENDED: &str = "the answer is whole";

/// The message of the event of a failure; it has the field `error` as well.
pub const FAILED: &str = "the invocation failed";

/// The message of the event of an answer that was dropped before its end.
pub const LEFT: &str = "the rest of the answer is not wanted";

// The macro of events takes no constants where it takes fields: these two stand below once more.

/// A field of events: bytes of the body that came, as they came.
pub const BYTES: &str = "bytes";

/// A field of events: milliseconds since the call, to a tenth.
pub const AFTER: &str = "after_ms";

/// Tells of one invocation.
#[derive(Debug)]
pub(crate) struct Teller {
    span: Span,
    began: Instant,
    segment: Option<Range<u64>>,
    request_id: Option<String>,
    first_byte_ms: Option<f64>,
    bytes: u64,
    ended: bool,
}

impl Teller {
    /// `function` is called now, for the bytes of `segment`.
    pub(crate) fn begin(
        function: &str,
        region: Option<&str>,
        segment: Option<&Range<u64>>,
    ) -> Self {
        let span = tracing::info_span!(
            target: TARGET,
            SPAN,
            otel.kind = "client",
            { FUNCTION } = function,
            { PROVIDER } = "aws",
            { REGION } = region,
            { REQUEST_ID } = Empty,
            { SEGMENT_START } = segment.map(|segment| segment.start),
            { SEGMENT_END } = segment.map(|segment| segment.end),
            { ERROR } = Empty,
        );
        Self {
            span,
            began: Instant::now(),
            segment: segment.cloned(),
            request_id: None,
            first_byte_ms: None,
            bytes: 0,
            ended: false,
        }
    }

    /// What the call is made in.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Its answer has begun.
    pub(crate) fn answered(&mut self, request_id: Option<&str>, executed_version: Option<&str>) {
        if self.span.is_disabled() {
            return;
        }
        self.called(request_id);
        let after_ms = self.after();
        self.first_byte_ms = Some(after_ms);
        tracing::trace!(
            target: TARGET, parent: &self.span, executed_version, after_ms, "{ANSWERED}"
        );
    }

    /// So many bytes came in all.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// Its end is proven.
    pub(crate) fn ended(&mut self) {
        self.end(ENDED, "whole", None);
    }

    /// It failed, or its end is not known.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.called(error.request_id());
        self.span.record(ERROR, error.kind().name());
        self.end(FAILED, error.kind().name(), Some(error));
    }

    fn called(&mut self, request_id: Option<&str>) {
        if let Some(id) = request_id.filter(|_| !self.span.is_disabled()) {
            self.span.record(REQUEST_ID, id);
            self.request_id = Some(id.to_owned());
        }
    }

    fn end(&mut self, message: &str, outcome: &str, error: Option<&Error>) {
        self.ended = true;
        if self.span.is_disabled() {
            return;
        }
        let after_ms = self.after();
        let bytes_per_second = self.bytes as f64 * MILLIS_PER_SECOND / after_ms.max(0.1);
        tracing::debug!(
            target: TARGET,
            parent: &self.span,
            range = self.segment.as_ref().map(byte_range::header),
            request_id = self.request_id,
            first_byte_ms = self.first_byte_ms,
            bytes = self.bytes,
            after_ms,
            bytes_per_second = bytes_per_second.round() as u64,
            outcome,
            error = error.map(tracing::field::display),
            "{message}"
        );
    }

    /// Milliseconds since the call, to a tenth.
    fn after(&self) -> f64 {
        (self.began.elapsed().as_secs_f64() * MILLIS_PER_SECOND * 10.0).round() / 10.0
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if !self.ended {
            self.end(LEFT, "left", None);
        }
    }
}
