//! A client's connection comes in; the same goes out, but for its end: a body that the end of the connection ends
//! (HTTP/1.0 without a length) is ended by a reset unless all of it was there. A reader gets an error then, and
//! not the end that would say that this was all.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Whether the answer that is under way ends with its connection.
#[derive(Clone, Debug, Default)]
pub(super) struct EndsByClose(Arc<AtomicBool>);

impl EndsByClose {
    /// From now on, until the connection is shut down in order: an answer of HTTP/1.0 without a length is the last
    /// one of its connection.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A connection whose end is an answer's.
pub(super) struct Socket {
    stream: TcpStream,
    ends_by_close: EndsByClose,
    /// Whether it was shut down, which whoever writes answers does behind whole ones only.
    is_shut: bool,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, ends_by_close: EndsByClose) -> Self {
        Self { stream, ends_by_close, is_shut: false }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if !self.is_shut && self.ends_by_close.0.load(Ordering::Acquire) {
            // Closing sends a reset then, and never the end. It fails if the peer is gone.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_shut = true;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
