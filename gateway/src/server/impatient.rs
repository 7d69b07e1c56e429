//! A client's connection comes in; the same goes out, whose writes fail once the client has taken nothing for as
//! long as a limit says. Time in which nothing is to be written does not count.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A connection whose writes do not wait for ever.
pub(super) struct Impatient<S> {
    stream: S,
    limit: Duration,
    /// Made by the first write that waits.
    over: Option<Pin<Box<Sleep>>>,
    waits: bool,
}

impl<S> Impatient<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, over: None, waits: false }
    }

    /// What a write came to, or that it has waited too long.
    fn watch<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waits = false;
            return polled;
        }
        let until = Instant::now() + self.limit;
        let over = self.over.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if !self.waits {
            self.waits = true;
            over.as_mut().reset(until);
        }
        over.as_mut().poll(cx).map(|()| {
            let limit = humantime::format_duration(self.limit);
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("the client took nothing for {limit}"),
            ))
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watch(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// A socket has nothing to flush: that it is done says nothing of what the client took, and does not end a wait.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const LIMIT: Duration = Duration::from_secs(60);

    /// Of a clock that the test turns.
    #[tokio::test(start_paused = true)]
    async fn a_write_waits_as_long_as_the_limit_and_no_longer() {
        let (ours, mut client) = tokio::io::duplex(8);
        let mut ours = Impatient::new(ours, LIMIT);
        // Slow, but it takes: each byte begins anew.
        let taking = async {
            let mut taken = [0; 1];
            for _ in 0..16 {
                tokio::time::sleep(LIMIT * 3 / 4).await;
                client.read_exact(&mut taken).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(ours.write_all(&[b'x'; 24]), taking);
        written.unwrap();
        // Nothing to write: nobody waits.
        tokio::time::sleep(LIMIT * 3).await;
        let began = Instant::now();
        let error = ours.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
        assert_eq!(error.to_string(), "the client took nothing for 1m");
    }
}
