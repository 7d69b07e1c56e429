//! The body of an answer that is no stream goes in; what an error of the service may say comes out,
//! in bounded memory and time.
//!
//! The SDK reads such a body whole before it gives the error its type, however long it is and
//! however long it takes. The error's name is in a header, so a body that is no message is left out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use tokio::time::Sleep;

/// The longest error that is read, in bytes. Those of the service have a few hundred; they are JSON
/// objects with a name and a sentence.
const LONGEST: usize = 64 * 1024;

/// How long its body is awaited once its head is there. The service sends both in one piece.
const GRACE: Duration = Duration::from_secs(5);

/// A body in place of `body`: the same bytes, or none if they are too many, too late, or cut.
pub(super) fn bounded(body: SdkBody) -> SdkBody {
    let grace = Box::pin(tokio::time::sleep(GRACE));
    let held = BytesMut::new();
    SdkBody::from_body_1_x(ErrorBody { body: Some(Box::pin(body)), held, grace })
}

struct ErrorBody {
    /// `None` once it is read.
    body: Option<Pin<Box<SdkBody>>>,
    held: BytesMut,
    grace: Pin<Box<Sleep>>,
}

impl Body for ErrorBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { body, held, grace } = &mut *self;
        while let Some(reading) = body {
            let frame = match reading.as_mut().poll_frame(cx) {
                Poll::Pending => {
                    ready!(grace.as_mut().poll(cx));
                    None
                }
                Poll::Ready(None) => {
                    *body = None;
                    break;
                }
                Poll::Ready(Some(frame)) => frame.ok(),
            };
            match frame.map(|frame| frame.into_data().unwrap_or_default()) {
                Some(bytes) if held.len() + bytes.len() <= LONGEST => {
                    held.extend_from_slice(&bytes)
                }
                _ => {
                    held.clear();
                    *body = None;
                }
            }
        }
        let message = held.split().freeze();
        Poll::Ready((!message.is_empty()).then_some(Ok(Frame::data(message))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that comes of `parts`, each read at once.
    async fn read(parts: Vec<Result<Bytes, &'static str>>) -> Vec<u8> {
        struct Parts(std::vec::IntoIter<Result<Bytes, &'static str>>);
        impl Body for Parts {
            type Data = Bytes;
            type Error = &'static str;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
                Poll::Ready(self.0.next().map(|part| part.map(Frame::data)))
            }
        }
        let mut body = Box::pin(bounded(SdkBody::from_body_1_x(Parts(parts.into_iter()))));
        let mut all = Vec::new();
        while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            all.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_never_ends_is_nothing() {
        struct Silent;
        impl Body for Silent {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
                Poll::Pending
            }
        }
        let mut body = Box::pin(bounded(SdkBody::from_body_1_x(Silent)));
        assert!(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await.is_none());
    }

    #[tokio::test]
    async fn an_error_is_whole_or_it_is_nothing() {
        let part = |len: usize| Ok(Bytes::from(vec![b'x'; len]));
        assert_eq!(read(vec![part(1), part(2)]).await.len(), 3);
        assert_eq!(read(vec![]).await.len(), 0);
        assert_eq!(read(vec![part(1), Err("cut")]).await.len(), 0);
        assert_eq!(read(vec![part(LONGEST)]).await.len(), LONGEST);
        assert_eq!(read(vec![part(LONGEST), part(1)]).await.len(), 0);
    }
}
