//! The body of a request comes in; it goes out as the payload, as it is, if it is JSON, which is all that the
//! service takes.

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::{NoEvent, Shown};

/// The payload of a request without a body.
const NOTHING: Bytes = Bytes::from_static(b"{}");

pub(super) fn payload(shown: &Shown<'_>) -> Result<Bytes, NoEvent> {
    if shown.body.is_empty() {
        return Ok(NOTHING);
    }
    match serde_json::from_slice::<IgnoredAny>(shown.body) {
        Ok(IgnoredAny) => Ok(Bytes::copy_from_slice(shown.body)),
        Err(error) => Err(NoEvent(format!(
            "the body is the payload of a function, so it has to be JSON; line {}, column {} is none",
            error.line(),
            error.column()
        ))),
    }
}
