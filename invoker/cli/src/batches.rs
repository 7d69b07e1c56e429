//! Bytes that arrive go in; batches come out: all that is there at once, so that whoever takes them
//! to another thread wakes it once for many. What is there waits for no more than a few looks at the
//! sockets.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use invoker::Error;

/// A batch that has so many bytes waits for no more. With a reader that keeps pace, a thread is woken
/// 4,000 times for a GiB; with each piece by itself, of 1 KiB at worst, it was a million times, and
/// that was nine tenths of all the work.
const BATCH_BYTES: usize = 256 * 1024;

/// How often sockets are looked at once more before a batch that could have more is handed over. A look
/// costs a microsecond, to wake a thread ten.
const LOOKS: usize = 3;

/// Pieces below this are copied together: a write for each would cost more.
const SMALL_BYTES: usize = 8 * 1024;

/// What was there, and what comes after it.
pub(crate) struct Batch {
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) then: Then,
}

/// What comes after a batch.
pub(crate) enum Then {
    More,
    /// The stream is at its end.
    End,
    Failure(Error),
}

/// All that is there, once anything is. The last batch may be empty.
///
/// # Cancel safety
///
/// Not safe: dropped between two looks, it takes what it has gathered along. Whoever drops it gives the
/// stream up as well.
pub(crate) async fn next(mut stream: Pin<&mut impl Stream<Item = Result<Bytes, Error>>>) -> Batch {
    let mut gathered = Gathered::default();
    let mut looks = 0;
    let then = loop {
        let then = poll_fn(|cx| gathered.poll(stream.as_mut(), cx)).await;
        if !matches!(then, Then::More) || gathered.len >= BATCH_BYTES || looks == LOOKS {
            break then;
        }
        looks += 1;
        tokio::task::yield_now().await;
    };
    Batch { pieces: gathered.pieces(), then }
}

#[derive(Default)]
struct Gathered {
    len: usize,
    pieces: Vec<Bytes>,
    /// Small ones, behind the others.
    small: BytesMut,
}

impl Gathered {
    /// Takes what is there; waits while nothing is.
    fn poll(
        &mut self,
        mut stream: Pin<&mut impl Stream<Item = Result<Bytes, Error>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Then> {
        loop {
            if self.len >= BATCH_BYTES {
                return Poll::Ready(Then::More);
            }
            match stream.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(bytes))) => self.push(bytes),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Then::Failure(error)),
                Poll::Ready(None) => return Poll::Ready(Then::End),
                Poll::Pending if self.len == 0 => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Then::More),
            }
        }
    }

    fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if bytes.len() < SMALL_BYTES {
            self.small.extend_from_slice(&bytes);
        } else {
            self.end_small();
            self.pieces.push(bytes);
        }
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push(self.small.split().freeze());
        }
    }

    fn pieces(mut self) -> Vec<Bytes> {
        self.end_small();
        self.pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    /// A stream of these pieces that has `ready` of them at each time, and then none for as often as it is
    /// looked at.
    fn stream(pieces: Vec<usize>, ready: usize) -> impl Stream<Item = Result<Bytes, Error>> {
        let (mut left, mut at, mut pieces) = (ready, 0, pieces.into_iter());
        let mut looked = 0;
        PollFn(move |cx: &mut Context<'_>| {
            if left == 0 {
                looked += 1;
                if looked > LOOKS {
                    (left, looked) = (ready, 0);
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            left -= 1;
            Poll::Ready(pieces.next().map(|len| {
                let bytes = (at..at + len).map(|byte| byte as u8).collect();
                at += len;
                Ok(bytes)
            }))
        })
    }

    struct PollFn<F>(F);

    impl<T, F: FnMut(&mut Context<'_>) -> Poll<Option<T>> + Unpin> Stream for PollFn<F> {
        type Item = T;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
            (self.0)(cx)
        }
    }

    #[tokio::test]
    async fn all_that_is_there_is_one_batch_and_all_of_it_in_order() {
        let table = [
            (vec![], 1, vec![vec![]]),
            (vec![1, 2, 3, 4, 5], 3, vec![vec![6], vec![9]]),
            (vec![10, 20_000, 30, 40, 50_000], 9, vec![vec![10, 20_000, 70, 50_000]]),
            (vec![200_000, 100_000, 1], 9, vec![vec![200_000, 100_000], vec![1]]),
        ];
        for (pieces, ready, expected) in table {
            let mut stream = pin!(stream(pieces.clone(), ready));
            let (mut lengths, mut bytes) = (Vec::new(), Vec::new());
            loop {
                let batch = next(stream.as_mut()).await;
                lengths.push(batch.pieces.iter().map(Bytes::len).collect::<Vec<_>>());
                bytes.extend(batch.pieces.concat());
                if matches!(batch.then, Then::End) {
                    break;
                }
            }
            assert_eq!(lengths, expected, "{pieces:?}");
            let total: usize = pieces.iter().sum();
            assert!(bytes == (0..total).map(|byte| byte as u8).collect::<Vec<_>>());
        }
    }
}
