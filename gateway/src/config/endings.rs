//! What a route makes of many requests, of failures, and of those who ask about them, as TOML has it.

use std::num::NonZeroU32;
use std::ops::Range;

use http::StatusCode;
use toml::Spanned;

/// As many as a new AWS account runs at once in a region (AWS Lambda developer guide, "Quotas"): what is
/// more would be throttled, and costs about 64 KiB each.
const IN_FLIGHT: NonZeroU32 = NonZeroU32::new(1_000).unwrap();

/// Three tries in all, as the AWS SDKs have.
const RETRIES: u32 = 2;

/// How a route's exchanges may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endings {
    /// Exchanges at once; one more is told to come later.
    pub(crate) in_flight: NonZeroU32,
    /// How often an upstream is asked again before its answer has begun.
    pub(crate) retries: u32,
    /// What a client is told if the upstream's function is not there.
    pub(crate) not_found: StatusCode,
    /// Whether clients are told what is otherwise only logged: a function's message, a service's address.
    pub(crate) expose_errors: bool,
    /// Whether a broken stream of server-sent events says so by an event.
    pub(crate) sse_errors: bool,
}

impl Default for Endings {
    fn default() -> Self {
        Self {
            in_flight: IN_FLIGHT,
            retries: RETRIES,
            not_found: StatusCode::NOT_FOUND,
            expose_errors: false,
            sse_errors: false,
        }
    }
}

/// 404 or 502: whether it is the client's question or the gateway's answer that is wrong.
pub(super) fn not_found(
    status: Spanned<u16>,
) -> Result<StatusCode, (Option<Range<usize>>, String)> {
    match status.get_ref() {
        404 => Ok(StatusCode::NOT_FOUND),
        502 => Ok(StatusCode::BAD_GATEWAY),
        other => {
            let reason = format!("a function that is not there is 404 or 502, not {other}");
            Err((Some(status.span()), reason))
        }
    }
}
