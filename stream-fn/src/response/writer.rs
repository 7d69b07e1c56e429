//! A future that writes comes in; what it writes goes out as a stream, frame by frame.
//!
//! There is no task: the stream polls the future, and hands on what it has written when it waits or
//! when a frame is full. So a small answer is one frame, a panic is a panic of the stream, and
//! dropping the stream drops the future.

use crate::error::BoxError;
use crate::failure::Failure;
use crate::source::READ_BYTES;
use bytes::{Bytes, BytesMut};
use futures_util::stream::Stream;
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use tokio::io::AsyncWrite;

/// How much may be written before the receiver takes it: one frame, of the size the sources use.
const BUFFER_BYTES: usize = READ_BYTES;

/// Where a handler writes its answer. May be moved to another task, and must be shut down there
/// (`AsyncWriteExt::shutdown`): see [`Response::writer`](crate::Response::writer).
pub struct Writer {
    pipe: Arc<Mutex<Pipe>>,
}

/// Between the writer and the stream. Both ends may be on different tasks.
#[derive(Default)]
struct Pipe {
    buffer: BytesMut,
    /// The writer is shut down or gone.
    ended: bool,
    /// The writer was dropped outside of the future that makes the answer, and not shut down.
    lost: Option<Lost>,
    /// The thread on which the future is being polled or dropped.
    working: Option<ThreadId>,
    /// The writer waits until the bytes so far are handed on.
    flushing: bool,
    /// The stream is gone.
    abandoned: bool,
    /// Waits for room.
    writer: Option<Waker>,
    /// Waits for bytes, or for the end.
    reader: Option<Waker>,
}

/// How a writer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Dropped,
    Panicked,
}

impl Lost {
    fn failure(self) -> Failure {
        match self {
            Self::Panicked => Failure::new("Panic", "the task that wrote the answer panicked"),
            Self::Dropped => Failure::new(
                "WriterDropped",
                "the task that wrote the answer dropped its writer: call shutdown where it is done",
            ),
        }
    }
}

impl Pipe {
    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// Nothing panics while it holds the lock.
fn locked(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = locked(&self.pipe);
        if pipe.abandoned || pipe.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = BUFFER_BYTES - pipe.buffer.len();
        if room == 0 && !bytes.is_empty() {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let taken = room.min(bytes.len());
        pipe.buffer.extend_from_slice(&bytes[..taken]);
        pipe.wake_reader();
        Poll::Ready(Ok(taken))
    }

    /// Waits until what is written is handed on.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = locked(&self.pipe);
        if pipe.abandoned {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if pipe.buffer.is_empty() {
            return Poll::Ready(Ok(()));
        }
        pipe.flushing = true;
        pipe.writer = Some(context.waker().clone());
        pipe.wake_reader();
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = locked(&self.pipe);
        pipe.ended = true;
        pipe.wake_reader();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut pipe = locked(&self.pipe);
        // By the future that was given it: then its result says how the answer ends. On a task of its
        // own an error, a panic and being aborted would otherwise look like the end.
        let by_the_future = pipe.working == Some(thread::current().id());
        if !pipe.ended && !by_the_future {
            pipe.lost = Some(if thread::panicking() { Lost::Panicked } else { Lost::Dropped });
        }
        pipe.ended = true;
        pipe.wake_reader();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// The future is made at the first poll, so that a panic in making it is one of the stream too.
pub(super) fn stream<F, W, E>(write: F) -> impl Stream<Item = Result<Bytes, BoxError>> + Send
where
    F: FnOnce(Writer) -> W + Send + 'static,
    W: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let pipe = Arc::new(Mutex::new(Pipe::default()));
    let writer = Writer { pipe: Arc::clone(&pipe) };
    let work = async move { write(writer).await.map_err(Into::into) };
    Written { pipe, work: Work::Running(Box::pin(work)), pause: false }
}

struct Written {
    pipe: Arc<Mutex<Pipe>>,
    work: Work,
    /// The last frame was flushed, so that this waits once: that makes an encoder flush too, even if
    /// there is more already.
    pause: bool,
}

impl Written {
    /// Gives the future its turn.
    fn work(&mut self, context: &mut Context<'_>) {
        let Work::Running(work) = &mut self.work else { return };
        let _working = Working::begin(&self.pipe);
        if let Poll::Ready(result) = work.as_mut().poll(context) {
            self.work = Work::Ended(result);
        }
    }
}

/// Marks the thread on which the future is at work, until it is dropped: by a panic too.
struct Working<'a>(&'a Mutex<Pipe>);

impl<'a> Working<'a> {
    fn begin(pipe: &'a Mutex<Pipe>) -> Self {
        locked(pipe).working = Some(thread::current().id());
        Self(pipe)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        locked(self.0).working = None;
    }
}

enum Work {
    Running(Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>),
    /// Its last bytes are still to be handed on.
    Ended(Result<(), BoxError>),
    Told,
}

impl Stream for Written {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if mem::take(&mut self.pause) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        // Registered before the work is polled: a writer on another task may write right after.
        locked(&self.pipe).reader = Some(context.waker().clone());
        self.work(context);
        let mut pipe = locked(&self.pipe);
        if !pipe.buffer.is_empty() {
            let frame = pipe.buffer.split().freeze();
            let writer = pipe.writer.take();
            let flushed = mem::take(&mut pipe.flushing);
            drop(pipe);
            self.pause = flushed;
            if let Some(writer) = writer {
                writer.wake();
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        let (ended, lost) = (pipe.ended, pipe.lost);
        drop(pipe);
        match mem::replace(&mut self.work, Work::Told) {
            Work::Ended(Err(error)) => Poll::Ready(Some(Err(error))),
            Work::Ended(Ok(())) => match lost {
                None if ended => Poll::Ready(None),
                // Its writer lives on in another task.
                None => {
                    self.work = Work::Ended(Ok(()));
                    Poll::Pending
                }
                Some(lost) => Poll::Ready(Some(Err(lost.failure().into()))),
            },
            Work::Told => Poll::Ready(None),
            running @ Work::Running(_) => {
                self.work = running;
                Poll::Pending
            }
        }
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let mut pipe = locked(&self.pipe);
        pipe.abandoned = true;
        if let Some(writer) = pipe.writer.take() {
            writer.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn small_writes_are_one_frame_and_large_ones_many() {
        let frames: Vec<_> = stream(|mut writer| async move {
            for _ in 0..100 {
                writer.write_all(b"row\n").await?;
            }
            io::Result::Ok(())
        })
        .collect()
        .await;
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].as_ref().unwrap().len(), 400);

        let large = vec![7; 3 * BUFFER_BYTES + 1];
        let wanted = large.clone();
        let frames: Vec<_> =
            stream(|mut writer| async move { writer.write_all(&large).await }).collect().await;
        let frames: Vec<Bytes> = frames.into_iter().map(Result::unwrap).collect();
        assert!(frames.iter().all(|frame| frame.len() <= BUFFER_BYTES));
        assert_eq!(frames.concat(), wanted);
    }

    #[tokio::test]
    async fn an_error_comes_after_the_bytes_before_it() {
        let mut body = std::pin::pin!(stream(|mut writer| async move {
            writer.write_all(b"before").await?;
            Err::<(), _>(io::Error::other("boom"))
        }));
        assert_eq!(body.next().await.unwrap().unwrap(), "before");
        assert!(body.next().await.unwrap().is_err());
        assert!(body.next().await.is_none());
    }

    #[tokio::test]
    async fn a_writer_on_another_task_ends_the_answer_when_it_is_shut_down() {
        let body = stream(|mut writer| async move {
            tokio::spawn(async move {
                for _ in 0..10 {
                    writer.write_all(&[1; BUFFER_BYTES / 3]).await.unwrap();
                    tokio::task::yield_now().await;
                }
                writer.shutdown().await.unwrap();
            });
            io::Result::Ok(())
        });
        let frames: Vec<_> = body.collect().await;
        let length: usize = frames.into_iter().map(|frame| frame.unwrap().len()).sum();
        assert_eq!(length, 10 * (BUFFER_BYTES / 3));
    }

    /// Aborted, or ended by an error that nobody looks at: on this thread and on another one.
    #[tokio::test]
    async fn a_writer_that_another_task_only_drops_is_no_end() {
        for blocking in [false, true] {
            let body = stream(move |mut writer| async move {
                writer.write_all(b"before").await?;
                let task = match blocking {
                    true => tokio::task::spawn_blocking(move || drop(writer)),
                    false => tokio::spawn(async move { drop(writer) }),
                };
                task.await.map_err(io::Error::other)
            });
            let frames: Vec<_> = body.collect().await;
            let error = frames.into_iter().find_map(Result::err).expect("it must be told");
            assert_eq!(Failure::from(error).error_type(), "Function.WriterDropped");
        }
    }

    #[tokio::test]
    async fn a_writer_may_be_dropped_before_its_future_ends() {
        let body = stream(|mut writer| async move {
            writer.write_all(b"all").await?;
            drop(writer);
            tokio::task::yield_now().await;
            io::Result::Ok(())
        });
        let frames: Vec<_> = body.map(Result::unwrap).collect().await;
        assert_eq!(frames, ["all"]);
    }

    #[tokio::test]
    async fn flush_is_now() {
        let mut body = std::pin::pin!(stream(|mut writer| async move {
            for text in ["one", "two"] {
                writer.write_all(text.as_bytes()).await?;
                writer.flush().await?;
            }
            // Nothing is left to flush.
            writer.flush().await
        }));
        let mut polls = Vec::new();
        loop {
            match futures_util::poll!(body.next()) {
                Poll::Ready(Some(frame)) => polls.push(Some(frame.unwrap())),
                // Between the two, so that an encoder flushes what it has.
                Poll::Pending => polls.push(None),
                Poll::Ready(None) => break,
            }
        }
        assert_eq!(polls, [Some("one".into()), None, Some("two".into()), None]);
    }

    #[tokio::test]
    async fn a_panic_on_another_task_is_no_end() {
        let body = stream(|mut writer| async move {
            tokio::spawn(async move {
                writer.write_all(b"before").await.unwrap();
                panic!("on purpose");
            });
            io::Result::Ok(())
        });
        let frames: Vec<_> = body.collect().await;
        let error = frames.into_iter().find_map(Result::err).expect("the panic must be told");
        assert_eq!(Failure::from(error).error_type(), "Function.Panic");
    }

    #[tokio::test]
    async fn writing_to_a_body_that_is_gone_fails() {
        let (told, tell) = tokio::sync::oneshot::channel();
        let mut body = Box::pin(stream(|mut writer| async move {
            tokio::spawn(async move {
                let result = loop {
                    if let Err(error) = writer.write_all(&[1; BUFFER_BYTES]).await {
                        break error.kind();
                    }
                };
                told.send(result).unwrap();
            });
            io::Result::Ok(())
        }));
        assert!(body.next().await.unwrap().is_ok());
        drop(body);
        assert_eq!(tell.await.unwrap(), io::ErrorKind::BrokenPipe);
    }
}
