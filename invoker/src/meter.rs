//! The beginnings, bytes and ends of invocations go in; how many there were, how long they took and
//! what of them is charged as streamed comes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Bytes of one response that are streamed without a charge of their own: 6 MB (AWS Lambda's price
/// page, "the first 6 MB per request"). Read in decimal, which is the lesser reading: what is counted
/// beyond it is rather too much than too little.
pub const FREE_STREAMED_BYTES: u64 = 6_000_000;

/// The sums over all invocations that were begun with it; clones add to the same ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    sums: Arc<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    invocations: AtomicU64,
    micros: AtomicU64,
    beyond_free: AtomicU64,
    abandoned: AtomicU64,
}

/// The sums at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metered {
    pub(crate) invocations: u64,
    pub(crate) time: Duration,
    pub(crate) beyond_free: u64,
    pub(crate) abandoned: u64,
}

impl Meter {
    /// An invocation is called now.
    pub(crate) fn begin(&self) -> Running {
        self.sums.invocations.fetch_add(1, Relaxed);
        Running { sums: Arc::clone(&self.sums), began: Instant::now(), bytes: 0, end: End::Unseen }
    }

    pub(crate) fn sums(&self) -> Metered {
        let sums = &*self.sums;
        Metered {
            invocations: sums.invocations.load(Relaxed),
            time: Duration::from_micros(sums.micros.load(Relaxed)),
            beyond_free: sums.beyond_free.load(Relaxed),
            abandoned: sums.abandoned.load(Relaxed),
        }
    }
}

/// One invocation, until it ends or nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct Running {
    sums: Arc<Sums>,
    began: Instant,
    bytes: u64,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It may run on, at the expense of its owner.
    Unseen,
    Seen,
    /// It was none: the service did not take it.
    None,
}

impl Running {
    /// `bytes` of its response arrived.
    pub(crate) fn read(&mut self, bytes: u64) {
        let before = self.bytes.max(FREE_STREAMED_BYTES);
        self.bytes += bytes;
        self.sums.beyond_free.fetch_add(self.bytes.saturating_sub(before), Relaxed);
    }

    /// Its end is known, good or bad.
    pub(crate) fn ended(&mut self) {
        if self.end == End::Unseen {
            self.end = End::Seen;
            self.take_time();
        }
    }

    /// The service refused it, or was not there.
    pub(crate) fn refused(mut self) {
        self.end = End::None;
        self.sums.invocations.fetch_sub(1, Relaxed);
    }

    fn take_time(&self) {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.sums.micros.fetch_add(micros, Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.end == End::Unseen {
            self.take_time();
            self.sums.abandoned.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_end_counts_as_what_it_is() {
        let meter = Meter::default();
        let mut whole = meter.begin();
        let left = meter.begin();
        let refused = meter.begin();
        assert_eq!(meter.sums().invocations, 3);
        tokio::time::advance(SECOND).await;
        refused.refused();
        whole.ended();
        tokio::time::advance(SECOND).await;
        // Its end was a second ago.
        whole.ended();
        drop((whole, left));
        let expected = Metered { invocations: 2, time: 3 * SECOND, beyond_free: 0, abandoned: 1 };
        assert_eq!(meter.sums(), expected);
    }

    #[test]
    fn the_first_bytes_of_each_invocation_are_free() {
        let meter = Meter::default();
        for _ in 0..2 {
            let mut running = meter.begin();
            running.read(FREE_STREAMED_BYTES - 1);
            running.read(1);
            running.read(3);
            running.read(4);
            running.ended();
        }
        let mut small = meter.begin();
        small.read(FREE_STREAMED_BYTES);
        assert_eq!(meter.sums().beyond_free, 14);
    }
}
