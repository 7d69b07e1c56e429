//! How fast a response may flow: in, bytes that want to leave and the time; out, leave to send them
//! or the time to ask again. It knows no clock of its own.

use crate::limits::Pace;
use tokio::time::Instant;

/// The largest piece sent at once when a read does not fit into the bucket as a whole: AWS's Runtime
/// Interface Emulator copies a response through a buffer of this size and waits until all of it fits.
pub(crate) const PIECE_BYTES: usize = 32 * 1024;

/// The allowance of one invocation.
///
/// Invariant: `0 <= available <= pace.burst_bytes`; `refilled_at` is the start plus a whole number of
/// refills.
#[derive(Debug)]
pub(crate) struct Bucket {
    pace: Pace,
    available: u64,
    refilled_at: Instant,
}

impl Bucket {
    pub(crate) fn full(pace: Pace, now: Instant) -> Self {
        Self { pace, available: pace.burst_bytes, refilled_at: now }
    }

    /// Takes all of `bytes`, or nothing: then says when they will fit.
    pub(crate) fn take(&mut self, bytes: usize, now: Instant) -> Result<(), Instant> {
        self.refill(now);
        // A piece above the burst could never fit; it empties a full bucket instead.
        let wanted = (bytes as u64).min(self.pace.burst_bytes);
        if wanted <= self.available {
            self.available -= wanted;
            return Ok(());
        }
        let missing = wanted - self.available;
        let refills = missing.div_ceil(self.pace.refill_bytes.max(1));
        Err(self.refilled_at + self.pace.refill_every * u32::try_from(refills).unwrap_or(u32::MAX))
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled_at).as_nanos();
        let every = self.pace.refill_every.as_nanos().max(1);
        let Ok(refills) = u32::try_from(elapsed / every) else {
            (self.available, self.refilled_at) = (self.pace.burst_bytes, now);
            return;
        };
        let gained = u64::from(refills).saturating_mul(self.pace.refill_bytes);
        self.available = self.available.saturating_add(gained).min(self.pace.burst_bytes);
        self.refilled_at += self.pace.refill_every * refills;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const BURST: usize = 6 * 1024 * 1024;

    #[test]
    fn starts_full_then_gives_an_eighth_of_two_mebibytes_each_eighth_of_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::full(Pace::aws(), start);
        assert_eq!(bucket.take(BURST, start), Ok(()));
        let tick = start + Duration::from_millis(125);
        assert_eq!(bucket.take(1, start), Err(tick));
        assert_eq!(bucket.take(262_144, tick), Ok(()));
        assert_eq!(bucket.take(1, tick), Err(start + Duration::from_millis(250)));
    }

    #[test]
    fn waits_until_the_whole_piece_fits() {
        let start = Instant::now();
        let mut bucket = Bucket::full(Pace::aws(), start);
        assert_eq!(bucket.take(BURST - 10, start), Ok(()));
        assert_eq!(bucket.take(PIECE_BYTES, start), Err(start + Duration::from_millis(125)));
        assert_eq!(bucket.take(10, start), Ok(()));
    }

    #[test]
    fn refills_while_idle_but_never_above_the_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::full(Pace::aws(), start);
        assert_eq!(bucket.take(BURST, start), Ok(()));
        let later = start + Duration::from_secs(3600);
        assert_eq!(bucket.take(BURST, later), Ok(()));
        assert!(bucket.take(1, later).is_err());
    }

    #[test]
    fn two_hundred_mebibytes_take_97_seconds() {
        let start = Instant::now();
        let mut bucket = Bucket::full(Pace::aws(), start);
        let mut now = start;
        for _ in 0..(200 * 1024 * 1024 / PIECE_BYTES) {
            while let Err(later) = bucket.take(PIECE_BYTES, now) {
                now = later;
            }
        }
        assert_eq!(now - start, Duration::from_secs(97));
    }
}
