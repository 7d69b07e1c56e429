//! What a body says of itself to who passes it on, and how its slices get into somebody's buffer.

use std::task::{Poll, ready};

use bytes::{Buf, Bytes};
use http_body::SizeHint;
use tokio::io::ReadBuf;

use crate::error::Error;

/// The promised length; none for an empty body until its end is proven, for nobody asks for the bytes of
/// a body that says it has none, and the failure would be missed.
pub(crate) fn size_hint(left: Option<u64>, ended: bool) -> SizeHint {
    let left = left.filter(|left| *left > 0 || ended);
    left.map_or_else(SizeHint::default, SizeHint::with_exact)
}

/// Copies what fits of `unread`, and of the next slice when nothing is. Nothing is copied at the proven
/// end; every other end is an error whose [`get_ref`](std::io::Error::get_ref) is an [`Error`].
pub(crate) fn poll_read(
    unread: &mut Bytes,
    buf: &mut ReadBuf<'_>,
    next: impl FnOnce() -> Poll<Option<Result<Bytes, Error>>>,
) -> Poll<std::io::Result<()>> {
    if unread.is_empty() {
        match ready!(next()) {
            Some(Ok(bytes)) => *unread = bytes,
            Some(Err(error)) => return Poll::Ready(Err(std::io::Error::other(error))),
            None => return Poll::Ready(Ok(())),
        }
    }
    let len = unread.len().min(buf.remaining());
    buf.put_slice(&unread[..len]);
    unread.advance(len);
    Poll::Ready(Ok(()))
}
