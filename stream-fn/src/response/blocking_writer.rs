//! A closure that writes comes in, with calls that block; what it writes goes out as a stream, frame by
//! frame.
//!
//! The closure runs on a thread for blocking work, and a channel of one frame lies between: a slow
//! receiver slows it down. It only borrows its writer, so the one word on whether the result is whole
//! is what the closure returns.

use crate::error::BoxError;
use crate::failure::Failure;
use crate::source::{ByteStream, READ_BYTES};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt};
use std::fmt;
use std::io;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

/// How much is written before it is handed on: one frame, of the size the sources use.
const BUFFER_BYTES: usize = READ_BYTES;

/// Frames between the writer and the one who sends them. With the one that is being filled and the one
/// that is being sent memory is at most three.
const FRAMES_WAITING: usize = 1;

/// Where a closure writes its answer: see [`Response::blocking_writer`](crate::Response::blocking_writer).
///
/// What is written is handed on in frames of 64 KiB; `flush` hands on at once what there is. A write
/// waits while the receiver is behind, and fails with `BrokenPipe` once nobody wants the answer any more:
/// the caller is gone, or the deadline has come.
pub struct BlockingWriter {
    buffer: BytesMut,
    frames: mpsc::Sender<Frame>,
}

/// Bytes, and whether they were flushed.
type Frame = (Bytes, bool);

impl BlockingWriter {
    fn hand_on(&mut self, flushed: bool) -> io::Result<()> {
        match self.frames.blocking_send((self.buffer.split().freeze(), flushed)) {
            Ok(()) => Ok(()),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl io::Write for BlockingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(BUFFER_BYTES);
        }
        let taken = bytes.len().min(BUFFER_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == BUFFER_BYTES {
            self.hand_on(false)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.buffer.is_empty() {
            true if self.frames.is_closed() => Err(io::ErrorKind::BrokenPipe.into()),
            true => Ok(()),
            false => self.hand_on(true),
        }
    }
}

impl fmt::Debug for BlockingWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingWriter").finish_non_exhaustive()
    }
}

type Writing = (mpsc::Receiver<Frame>, JoinHandle<Result<(), BoxError>>);

enum State<F> {
    /// Nothing is started before somebody wants it.
    Waiting(F),
    Writing(Writing),
    /// The last frame was flushed.
    Flushed(Writing),
    Told,
}

pub(super) fn stream<F, E>(write: F) -> ByteStream
where
    F: FnOnce(&mut BlockingWriter) -> Result<(), E> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    stream::unfold(State::Waiting(write), |state| async move {
        let (mut frames, writing) = match state {
            State::Waiting(write) => start(write),
            State::Writing(writing) => writing,
            State::Flushed(writing) => {
                // To wait is what makes an encoder flush, even if there is more already.
                tokio::task::yield_now().await;
                writing
            }
            State::Told => return None,
        };
        if let Some((frame, flushed)) = frames.recv().await {
            let next = if flushed { State::Flushed } else { State::Writing };
            return Some((Ok(frame), next((frames, writing))));
        }
        // The writer is gone, so the closure is at its end.
        match writing.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some((Err(error), State::Told)),
            Err(error) => Some((Err(ended_badly(error)), State::Told)),
        }
    })
    .boxed()
}

fn start<F, E>(write: F) -> Writing
where
    F: FnOnce(&mut BlockingWriter) -> Result<(), E> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let (sender, frames) = mpsc::channel(FRAMES_WAITING);
    let span = tracing::Span::current();
    let writing = spawn_blocking(move || {
        let _logged = span.enter();
        let mut writer = BlockingWriter { buffer: BytesMut::new(), frames: sender };
        let result = write(&mut writer).map_err(Into::into);
        // What was written before an error is sent too, as of any other body.
        let rest = io::Write::flush(&mut writer);
        result.and_then(|()| Ok(rest?))
    });
    (frames, writing)
}

fn ended_badly(error: tokio::task::JoinError) -> BoxError {
    match error.try_into_panic() {
        Ok(panic) => Failure::from_panic(panic.as_ref()).into(),
        Err(error) => Failure::new("WriterStopped", "the writing of the answer was stopped")
            .because(error)
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::mpsc as blocking;

    #[tokio::test]
    async fn small_writes_are_one_frame_and_large_ones_many() {
        let rows = stream(|writer| (0..100).try_for_each(|_| writer.write_all(b"row\n")));
        let frames: Vec<_> = rows.collect().await;
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].as_ref().unwrap().len(), 400);
        let large = vec![7; 3 * BUFFER_BYTES + 1];
        let wanted = large.clone();
        let frames: Vec<_> = stream(move |writer| writer.write_all(&large)).collect().await;
        let frames: Vec<Bytes> = frames.into_iter().map(Result::unwrap).collect();
        assert!(frames.iter().all(|frame| frame.len() <= BUFFER_BYTES));
        assert_eq!(frames.concat(), wanted);
    }

    #[tokio::test]
    async fn flush_is_now() {
        let (go_on, told) = blocking::channel::<()>();
        let mut body = stream(move |writer| {
            writer.write_all(b"first")?;
            writer.flush()?;
            told.recv().map_err(io::Error::other)?;
            writer.write_all(b"last")
        });
        assert_eq!(body.next().await.unwrap().unwrap(), "first");
        go_on.send(()).unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), "last");
        assert!(body.next().await.is_none());
    }

    #[tokio::test]
    async fn errors_and_panics_come_after_the_bytes_before_them() {
        let error = |writer: &mut BlockingWriter| {
            writer.write_all(b"before")?;
            Err::<(), BoxError>(Failure::new("Boom", "on purpose").into())
        };
        let panic = |writer: &mut BlockingWriter| -> io::Result<()> {
            writer.write_all(b"before")?;
            writer.flush()?;
            panic!("on purpose")
        };
        for (mut body, error_type) in
            [(stream(error), "Function.Boom"), (stream(panic), "Function.Panic")]
        {
            assert_eq!(body.next().await.unwrap().unwrap(), "before");
            let failure = Failure::from(body.next().await.unwrap().unwrap_err());
            assert_eq!(failure.error_type(), error_type);
            assert!(body.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn writing_to_a_body_that_is_gone_fails() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut body = stream(move |writer| {
            let error = loop {
                if let Err(error) = writer.write_all(&[1; BUFFER_BYTES]) {
                    break error;
                }
            };
            let _gone = tell.send(error.kind());
            io::Result::Ok(())
        });
        assert!(body.next().await.unwrap().is_ok());
        drop(body);
        assert_eq!(told.await.unwrap(), io::ErrorKind::BrokenPipe);
    }

    /// A writer that takes others, as those of archives and columns do, only has to be finished in the
    /// closure; one that is dropped there without is the author's error, and is told as any.
    #[tokio::test]
    async fn writers_of_writers_borrow_it() {
        let mut body = stream(|writer| {
            let mut lines = io::LineWriter::new(&mut *writer);
            lines.write_all(b"one\ntwo")?;
            lines.into_inner().map_err(io::IntoInnerError::into_error)?;
            io::Result::Ok(())
        });
        let mut all = Vec::new();
        while let Some(frame) = body.next().await {
            all.extend_from_slice(&frame.unwrap());
        }
        assert_eq!(all, b"one\ntwo");
    }
}
