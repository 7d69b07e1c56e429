//! An answer by either way goes in; its payload bytes and a certain end come out.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::ending::Completion;
use super::frames::Frames;
#[cfg(feature = "function-url")]
use super::function_url::HttpBody;
use crate::error::Error;

/// What one answer brings.
#[cfg_attr(
    feature = "function-url",
    expect(
        clippy::large_enum_variant,
        reason = "there is one for an invocation, mostly the larger"
    )
)]
pub(crate) enum Events {
    /// In frames, as InvokeWithResponseStream has it.
    Framed(Frames),
    /// As the body of an HTTP answer.
    #[cfg(feature = "function-url")]
    Whole(HttpBody),
}

impl Events {
    /// The next bytes of the payload; `None` when the invocation is proven to have ended well.
    ///
    /// The first error is the last thing it says: after it comes `None`.
    pub(crate) fn poll_payload(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        match self {
            Self::Framed(frames) => frames.poll_payload(cx),
            #[cfg(feature = "function-url")]
            Self::Whole(body) => body.poll_payload(cx),
        }
    }

    /// What the end carried, once `poll_payload` has returned `None`.
    pub(crate) fn completion(&self) -> Option<&Completion> {
        match self {
            Self::Framed(frames) => frames.completion(),
            #[cfg(feature = "function-url")]
            Self::Whole(body) => body.completion(),
        }
    }
}
