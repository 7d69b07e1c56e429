//! What is left of a segment goes in from its reader; whoever has an idle slot may take the second
//! half of it.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::pace::Pace;

/// The bytes of a segment that were not handed out yet. Clones see the same ones.
#[derive(Clone)]
pub(crate) struct Left {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    range: Range<u64>,
    start: u64,
    began: Instant,
}

impl Left {
    pub(super) fn of(range: &Range<u64>, now: Instant) -> Self {
        let inner = Inner { range: range.clone(), start: range.start, began: now };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the segment ends now.
    pub(super) fn end(&self) -> u64 {
        self.lock().range.end
    }

    /// Hands out the next bytes, as many as are `offered` and still belong to the segment: how many,
    /// and where it ends now.
    pub(super) fn take(&self, offered: u64) -> (u64, u64) {
        let mut inner = self.lock();
        let taken = offered.min(inner.range.end - inner.range.start);
        inner.range.start += taken;
        (taken, inner.range.end)
    }

    /// How many bytes are left.
    pub(crate) fn bytes(&self) -> u64 {
        let inner = self.lock();
        inner.range.end - inner.range.start
    }

    /// Takes the second half of what is left away, if that is worth an invocation. The segment
    /// goes on to the middle and ends there. One without a first byte has no rate that would say
    /// that it is slow; if it waits for too long, it is asked for again.
    pub(crate) fn split(&self, pace: &Pace, now: Instant) -> Option<Range<u64>> {
        let mut inner = self.lock();
        if inner.range.start == inner.start {
            return None;
        }
        let seconds = now.saturating_duration_since(inner.began).as_secs_f64();
        let rate = (inner.range.start - inner.start) as f64 / seconds.max(f64::MIN_POSITIVE);
        let middle = pace.split(inner.range.clone(), rate)?;
        let half = middle..inner.range.end;
        inner.range.end = middle;
        Some(half)
    }
}
