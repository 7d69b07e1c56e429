//! The course of one invocation goes in; a span and its events come out, for whoever listens.
//!
//! The names are those of OpenTelemetry's semantic conventions for FaaS where they have one. Nothing
//! here is a payload's, and nobody who does not listen pays for more than a look whether someone does.

use tokio::time::Instant;
use tracing::Span;
use tracing::field::Empty;

use super::{Begun, Invocation};
use crate::error::Error;

/// One invocation, from its call to its end.
#[derive(Debug)]
pub(super) struct Trace {
    span: Span,
    began: Instant,
    range: Option<String>,
    request_id: Option<String>,
    /// From the call to the first byte of the payload, in milliseconds.
    first_byte_ms: Option<f64>,
    bytes: u64,
    /// Whether its end was told.
    ended: bool,
}

impl Trace {
    /// It is called now.
    pub(super) fn begin(invocation: &Invocation) -> Self {
        let range = invocation.custom.get("range");
        let span = tracing::debug_span!(
            "invoker.invoke",
            otel.kind = "client",
            rpc.system = "aws-api",
            rpc.service = "Lambda",
            rpc.method = "InvokeWithResponseStream",
            faas.invoked_provider = "aws",
            faas.invoked_name = invocation.function,
            faas.version = Empty,
            aws.request_id = Empty,
            error.r#type = Empty,
            invoker.range = range,
            invoker.bytes = Empty,
            invoker.first_byte_ms = Empty,
        );
        tracing::trace!(parent: &span, range, "an invocation is called");
        Self {
            range: range.filter(|_| !span.is_disabled()).cloned(),
            span,
            began: Instant::now(),
            request_id: None,
            first_byte_ms: None,
            bytes: 0,
            ended: false,
        }
    }

    /// The service has taken it.
    pub(super) fn taken(&mut self, begun: &Begun) {
        if self.span.is_disabled() {
            return;
        }
        self.span.record("aws.request_id", begun.request_id.as_deref());
        self.span.record("faas.version", begun.executed_version.as_deref());
        self.request_id = begun.request_id.clone();
    }

    /// So many bytes of its payload came.
    pub(super) fn read(&mut self, bytes: u64) {
        if self.span.is_disabled() {
            return;
        }
        if self.first_byte_ms.is_none() {
            let first_byte_ms = self.millis();
            self.first_byte_ms = Some(first_byte_ms);
            self.span.record("invoker.first_byte_ms", first_byte_ms);
            tracing::trace!(parent: &self.span, first_byte_ms, "its first byte came");
        }
        self.bytes += bytes;
    }

    /// It ended, well or with an error.
    pub(super) fn ended(&mut self, outcome: Result<(), &Error>) {
        if self.ended || self.span.is_disabled() {
            return;
        }
        self.tell(match outcome {
            Ok(()) => "whole",
            Err(error) => error.kind().name(),
        });
    }

    fn tell(&mut self, outcome: &'static str) {
        const MILLIS_PER_SECOND: f64 = 1e3;
        self.ended = true;
        if outcome != "whole" {
            self.span.record("error.type", outcome);
        }
        self.span.record("invoker.bytes", self.bytes);
        let elapsed_ms = self.millis();
        let bytes_per_second = self.bytes as f64 * MILLIS_PER_SECOND / elapsed_ms.max(0.001);
        tracing::debug!(
            parent: &self.span,
            range = self.range,
            request_id = self.request_id,
            first_byte_ms = self.first_byte_ms,
            bytes = self.bytes,
            elapsed_ms,
            bytes_per_second = bytes_per_second.round() as u64,
            outcome,
            "an invocation ended"
        );
    }

    /// Since the call, to a tenth.
    fn millis(&self) -> f64 {
        const MICROS_PER_TENTH: f64 = 100.0;
        (self.began.elapsed().as_micros() as f64 / MICROS_PER_TENTH).round() / 10.0
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if !self.ended && !self.span.is_disabled() {
            self.tell("abandoned");
        }
    }
}
