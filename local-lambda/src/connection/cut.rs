//! The end of a connection before its answer's: in, the wish to cut it; out, a closed socket, after
//! everything written before has been handed to the kernel, and counted.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

const NO_WISH: u8 = 0;
const CLOSE: u8 = 1;
const RESET: u8 = 2;

/// Asks for a connection to be cut. Whoever asks has to be polled by the connection and then be
/// pending: the connection writes out what it has, and is cut when it would rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<AtomicU8>);

impl Cut {
    /// Ends the connection with a FIN, or with a RST: then what the peer's kernel has not taken by
    /// that time is lost.
    pub(crate) fn ask(&self, reset: bool) {
        self.0.store(if reset { RESET } else { CLOSE }, Ordering::Release);
    }
}

/// A socket that can be cut.
pub(super) struct Cuttable {
    stream: TcpStream,
    cut: Cut,
    written: Arc<AtomicU64>,
}

impl Cuttable {
    pub(super) fn new(stream: TcpStream, cut: Cut, written: Arc<AtomicU64>) -> Self {
        Self { stream, cut, written }
    }

    fn count(&self, written: &io::Result<usize>) {
        let bytes = written.as_ref().copied().unwrap_or_default();
        self.written.fetch_add(bytes as u64, Ordering::AcqRel);
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        self.count(&written);
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        self.count(&written);
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when the connection has written out its own buffers: the place to cut it.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.cut.0.load(Ordering::Acquire) {
            NO_WISH => return Pin::new(&mut self.stream).poll_flush(cx),
            // It fails only if the peer was faster.
            RESET => drop(self.stream.set_zero_linger()),
            _ => {}
        }
        // The error ends the connection, and with it the socket.
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
