//! The body of what callers are answered: in, whole bytes, or frames as they are made; out, an HTTP
//! body.

use crate::frames::Encoded;
use aws_smithy_eventstream::error::Error;
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{Either, Full};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// A whole body, or one of frames.
pub(crate) type AnswerBody = Either<Full<Bytes>, Frames>;

/// Encoded frames that wait for the caller's connection. One, because the connection has a buffer of
/// its own: what waits anywhere keeps the function from being stopped.
const FRAMES_AHEAD: usize = 1;

/// A body that ends when its sender is dropped.
pub(crate) struct Frames(mpsc::Receiver<Result<Encoded, Error>>);

/// A body of frames and where they go in.
pub(crate) fn frames() -> (mpsc::Sender<Result<Encoded, Error>>, AnswerBody) {
    let (sender, receiver) = mpsc::channel(FRAMES_AHEAD);
    (sender, AnswerBody::Right(Frames(receiver)))
}

/// A whole body.
pub(crate) fn whole(bytes: Bytes) -> AnswerBody {
    AnswerBody::Left(Full::new(bytes))
}

impl Frames {
    /// The next frame as it was sent here.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Encoded, Error>>> {
        self.0.poll_recv(cx)
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let next = ready!(self.poll_next(cx));
        Poll::Ready(next.map(|encoded| encoded.map(|frame| Frame::data(frame.into_bytes()))))
    }
}
