//! How a streamed response may flow: in, the function's bytes as they come; out, pieces of them, each
//! at the time when it may leave, and none beyond the limit.

use crate::limits::Limits;
use crate::pace::{Bucket, PIECE_BYTES};
use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

/// The response is longer than it may be.
#[derive(Debug)]
pub(crate) struct TooLarge {
    pub(crate) limit: u64,
}

/// The pace and the length of one streamed response.
pub(super) struct Flow {
    bucket: Option<Bucket>,
    sent_bytes: u64,
    limit_bytes: Option<u64>,
}

impl Flow {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            bucket: limits.pace.map(|pace| Bucket::full(pace, Instant::now())),
            sent_bytes: 0,
            limit_bytes: limits.streamed_response_bytes,
        }
    }

    /// Counts bytes that want to leave. Those beyond the limit are cut off; the rest may still leave.
    pub(super) fn admit(&mut self, data: &mut Bytes) -> Result<(), TooLarge> {
        let limit = self.limit_bytes.unwrap_or(u64::MAX);
        let room = limit - self.sent_bytes;
        let overflows = data.len() as u64 > room;
        if overflows {
            data.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        }
        self.sent_bytes += data.len() as u64;
        if overflows { Err(TooLarge { limit }) } else { Ok(()) }
    }

    /// Takes as much off the front of `data` as may leave next, and waits until it may, or until
    /// nobody waits for it any more.
    pub(super) async fn next(&mut self, data: &mut Bytes, left: impl Future<Output = ()>) -> Bytes {
        let Some(bucket) = &mut self.bucket else { return std::mem::take(data) };
        if bucket.take(data.len(), Instant::now()).is_ok() {
            return std::mem::take(data);
        }
        let piece = data.split_to(data.len().min(PIECE_BYTES));
        let mut left = std::pin::pin!(left);
        while let Err(later) = bucket.take(piece.len(), Instant::now()) {
            tokio::select! {
                () = sleep_until(later) => {}
                () = &mut left => break,
            }
        }
        piece
    }
}
